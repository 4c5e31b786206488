//! Fields of a vendor that say where they come from: `{ value, source, evidence, observed_on }` in a value's place.

use crate::model::register::{FieldSource, Provenance};
use crate::yaml::{Diagnostic, Document, Spot, nearest};
use jiff::civil::Date;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The key that holds the value itself.
const VALUE: &str = "value";
/// Everything that such a field may say.
const KEYS: [&str; 4] = [VALUE, "source", "evidence", "observed_on"];
/// The most ids of evidence that one field names.
const MAX_EVIDENCE: usize = 100;

/// What the fields of every vendor say of their sources.
#[derive(Default)]
pub(super) struct Sourced<'a> {
    /// By dotted path, for each vendor in the order of the list.
    pub(super) vendors: Vec<BTreeMap<String, Provenance>>,
    wrapped: Vec<Spot<'a>>,
    mistakes: Vec<Diagnostic>,
}

impl<'a> Sourced<'a> {
    /// Finds them in a list of vendors.
    pub(super) fn find(list: &Spot<'a>) -> Sourced<'a> {
        let mut found = Sourced::default();
        for vendor in list.items() {
            let mut fields = BTreeMap::new();
            for (name, spot) in vendor.pairs() {
                if name == "provenance" {
                    let mistake = spot.mistake_in_key("unknown key `provenance`").label("not known here");
                    found.mistakes.push(mistake.help("say it at the field:  { value: …, source: document }"));
                } else {
                    found.field(&spot, name.to_owned(), &mut fields);
                }
            }
            found.vendors.push(fields);
        }
        found
    }

    /// The document that reads each of them as its value.
    ///
    /// # Errors
    /// When one is written wrongly.
    pub(super) fn document(&self, document: &Document) -> Result<Document, Vec<Diagnostic>> {
        if self.mistakes.is_empty() { document.passing(&self.wrapped, VALUE) } else { Err(self.mistakes.clone()) }
    }

    /// A field, and the fields below it.
    fn field(&mut self, spot: &Spot<'a>, path: String, fields: &mut BTreeMap<String, Provenance>) {
        if !is_wrapped(spot) {
            return self.below(spot, &path, fields);
        }
        match provenance(spot) {
            Ok(provenance) => {
                fields.insert(path.clone(), provenance);
                self.wrapped.push(spot.clone());
            }
            Err(mistake) => self.mistakes.push(*mistake),
        }
        let value = spot.key(VALUE);
        if value.exists() && is_wrapped(&value) {
            let mistake = value.mistake_in_key("a value with a source may not hold another such value in its place");
            self.mistakes.push(mistake.help("write the value once, with one source"));
        } else if value.exists() {
            self.below(&value, &path, fields);
        }
    }

    fn below(&mut self, spot: &Spot<'a>, path: &str, fields: &mut BTreeMap<String, Provenance>) {
        for (name, inner) in spot.pairs() {
            self.field(&inner, format!("{path}.{name}"), fields);
        }
        for (index, item) in spot.items().iter().enumerate() {
            self.below(item, &format!("{path}.{index}"), fields);
        }
    }
}

/// True where this mapping says where a value comes from. `evidence` alone is a field of certifications.
fn is_wrapped(spot: &Spot<'_>) -> bool {
    spot.is_mapping() && [VALUE, "source", "observed_on"].iter().any(|key| spot.key(key).exists())
}

/// What it says, read strictly.
fn provenance(spot: &Spot<'_>) -> Result<Provenance, Box<Diagnostic>> {
    if let Some((key, at)) = spot.pairs().into_iter().find(|(key, _)| !KEYS.contains(key)) {
        let label = nearest(key, KEYS).map_or("not known here".to_owned(), |near| format!("did you mean `{near}`?"));
        let known = KEYS.map(|key| format!("`{key}`")).join(", ");
        let mistake = at.mistake_in_key(format!("unknown key `{}`", key.escape_debug())).label(label);
        return Err(mistake.help(format!("known keys of a value with a source: {known}")).into());
    }
    for key in [VALUE, "source"] {
        if !spot.key(key).exists() {
            let mistake = spot.mistake(format!("missing key `{key}`")).label("in this value with a source");
            return Err(mistake.help(format!("add  {key}:  with its value, or write the plain value")).into());
        }
    }
    let source = spot.key("source");
    let word = source.text().unwrap_or_default();
    let Some(source) = FieldSource::ALL.iter().copied().find(|known| known.word() == word) else {
        let words = FieldSource::ALL.iter().map(|known| known.word());
        let label = nearest(word, words.clone()).map(|near| format!("did you mean `{near}`?"));
        let known = words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let mistake = source.mistake("unknown source").label(label.unwrap_or_else(|| "not known here".to_owned()));
        return Err(mistake.help(format!("known words here: {known}")).into());
    };
    Ok(Provenance { source, evidence: evidence(&spot.key("evidence"))?, observed_on: day(&spot.key("observed_on"))? })
}

fn evidence(spot: &Spot<'_>) -> Result<Vec<String>, Box<Diagnostic>> {
    if !spot.exists() {
        return Ok(Vec::new());
    }
    let help = "write the ids in brackets, for example  [dpa-2025.pdf]";
    let items = spot.items();
    if !spot.is_list() || items.len() > MAX_EVIDENCE {
        return Err(spot
            .mistake(format!("expected a list of at most {MAX_EVIDENCE} ids of evidence"))
            .help(help)
            .into());
    }
    let id = |item: &Spot<'_>| match item.text().filter(|text| !text.trim().is_empty()) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Box::new(item.mistake("expected the id of evidence, a text").help(help))),
    };
    items.iter().map(id).collect()
}

fn day(spot: &Spot<'_>) -> Result<Option<Date>, Box<Diagnostic>> {
    if !spot.exists() {
        return Ok(None);
    }
    let text = spot.text().unwrap_or_default();
    // The form is looked at too, since other forms of ISO 8601 are read elsewhere.
    let day = text.parse::<Date>().ok().filter(|day| day.to_string() == text);
    let mistake = || spot.mistake("this is no day of the calendar");
    let help = "write a date that exists as year, month and day, for example  2026-11-23";
    day.map(Some).ok_or_else(|| Box::new(mistake().help(help)))
}

/// Lets the JSON Schema of the configuration take both forms of each field of a vendor.
pub(super) fn widen(schema: &mut Value) {
    let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) else { return };
    if let Some(vendor) = definitions.get_mut("Vendor").and_then(|it| it.get_mut("properties")) {
        vendor.as_object_mut().map(|fields| fields.remove("provenance"));
    }
    let mut reached = BTreeSet::new();
    let mut open = vec!["Vendor".to_owned()];
    while let Some(name) = open.pop() {
        if reached.insert(name.clone()) {
            open.extend(definitions.get(&name).map(references).unwrap_or_default());
        }
    }
    for name in reached {
        if let Some(definition) = definitions.get_mut(&name) {
            fields(definition);
        }
    }
    let words: Vec<&str> = FieldSource::ALL.iter().map(|source| source.word()).collect();
    definitions.insert("FieldSource".to_owned(), json!({ "type": "string", "enum": words }));
}

/// The definitions that a schema names.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(map) => {
            let named = map.get("$ref").and_then(Value::as_str).and_then(|it| it.strip_prefix("#/$defs/"));
            named.map(str::to_owned).into_iter().chain(map.values().flat_map(references)).collect()
        }
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// Widens every field of the mappings in a definition.
fn fields(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(both);
    }
    if let Some(members) = map.get_mut("additionalProperties").filter(|members| members.is_object()) {
        both(members);
    }
}

/// Either the value, or the value with its source.
fn both(field: &mut Value) {
    fields(field);
    let plain = field.take();
    let description = plain.get("description").cloned();
    let wrapped = json!({
        "type": "object",
        "properties": {
            VALUE: plain.clone(),
            "source": { "$ref": "#/$defs/FieldSource" },
            "evidence": { "type": "array", "items": { "type": "string" }, "maxItems": MAX_EVIDENCE },
            "observed_on": { "type": "string", "format": "date" },
        },
        "required": [VALUE, "source"],
        "additionalProperties": false,
    });
    let mut either = Map::new();
    either.insert("anyOf".to_owned(), json!([plain, wrapped]));
    either.extend(description.map(|text| ("description".to_owned(), text)));
    *field = Value::Object(either);
}
