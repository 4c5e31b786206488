//! Nested files of an export: JSON, lines of JSON, and XML.

use super::field::Secrets;
use super::reader::{Broken, Tally};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

/// The deepest element of XML.
const MAX_DEPTH: usize = 128;

/// One JSON value: its records are the members of the list at the pointer, or the value there.
pub fn json(text: &str, tallies: &mut [Tally<'_>], secrets: &mut Secrets) -> Result<u64, Broken> {
    let value: Value = serde_json::from_str(text).map_err(|_| "it is not JSON, or nested too deeply")?;
    look(&value, "", secrets);
    for tally in tallies.iter_mut() {
        match value.pointer(tally.wish().records.unwrap_or_default()) {
            Some(Value::Array(members)) => members.iter().for_each(|member| count(member, tally)),
            None | Some(Value::Null) => {}
            Some(one) => count(one, tally),
        }
    }
    Ok(match &value {
        Value::Array(members) => u64::try_from(members.len()).unwrap_or(u64::MAX),
        Value::Null => 0,
        _ => 1,
    })
}

/// A JSON value a line.
pub fn lines(text: &str, tallies: &mut [Tally<'_>], secrets: &mut Secrets) -> Result<u64, Broken> {
    let mut records = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let value: Value = serde_json::from_str(line).map_err(|_| "a line of it is not JSON")?;
        records += 1;
        look(&value, "", secrets);
        tallies.iter_mut().for_each(|tally| count(&value, tally));
    }
    Ok(records)
}

fn count(record: &Value, tally: &mut Tally<'_>) {
    let key = tally.wish().key.and_then(|key| record.get(key));
    let text = match key {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    tally.count(text.as_deref());
}

/// Looks at every field with a value. The depth is bounded by the parser.
fn look(value: &Value, name: &str, secrets: &mut Secrets) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| look(value, name, secrets)),
        Value::Array(members) => members.iter().for_each(|member| look(member, name, secrets)),
        Value::String(text) => secrets.look(name, text),
        Value::Number(number) => secrets.look(name, &number.to_string()),
        Value::Bool(_) | Value::Null => {}
    }
}

/// An element that is open.
struct Open {
    name: String,
    text: String,
}

/// A record that is being read, for one tally.
#[derive(Default)]
struct Current {
    depth: Option<usize>,
    key: Option<String>,
}

/// XML: its records are the elements of the name that is asked for, or the children of the outermost one. Entities
/// beyond the five that XML has are a break: nothing is ever expanded.
pub fn xml(text: &str, tallies: &mut [Tally<'_>], secrets: &mut Secrets) -> Result<u64, Broken> {
    const BROKEN: Broken = "it is not well-formed XML";
    let mut reader = Reader::from_str(text);
    let mut state = Walk {
        open: Vec::new(),
        current: tallies.iter().map(|_| Current::default()).collect(),
        tallies,
        secrets,
        records: 0,
    };
    let mut had_root = false;
    loop {
        match reader.read_event().map_err(|_| BROKEN)? {
            Event::Start(start) => {
                had_root = true;
                state.start(&start)?;
            }
            Event::Empty(start) => {
                had_root = true;
                state.start(&start)?;
                state.end();
            }
            Event::End(_) => state.end(),
            Event::Text(part) => state.text(&part.decode().map_err(|_| BROKEN)?),
            Event::CData(part) => state.text(&part.decode().map_err(|_| BROKEN)?),
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|_| BROKEN)?;
                let whole = format!("&{name};");
                let unescaped = quick_xml::escape::unescape(&whole)
                    .map_err(|_| "it uses entities of its own, which are not expanded")?;
                state.text(&unescaped);
            }
            Event::DocType(_) => return Err("it declares a document type, which is not read"),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    if had_root && state.open.is_empty() { Ok(state.records) } else { Err(BROKEN) }
}

struct Walk<'t, 'w, 's> {
    open: Vec<Open>,
    current: Vec<Current>,
    tallies: &'t mut [Tally<'w>],
    secrets: &'s mut Secrets,
    records: u64,
}

impl Walk<'_, '_, '_> {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Broken> {
        if self.open.len() >= MAX_DEPTH {
            return Err("it is nested too deeply");
        }
        let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
        self.open.push(Open { name: name.clone(), text: String::new() });
        let depth = self.open.len();
        self.records += u64::from(depth == 2);
        for (tally, current) in self.tallies.iter_mut().zip(&mut self.current) {
            let begins = match tally.wish().records {
                Some(wanted) => wanted == name,
                None => depth == 2,
            };
            if begins && current.depth.is_none() {
                *current = Current { depth: Some(depth), key: None };
            }
        }
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| "it is not well-formed XML")?;
            let name = String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned();
            let raw = String::from_utf8_lossy(&attribute.value).into_owned();
            let value =
                quick_xml::escape::unescape(&raw).map_err(|_| "it uses entities of its own, which are not expanded")?;
            self.secrets.look(&name, &value);
            self.field(&name, &value, depth);
        }
        Ok(())
    }

    /// A field of the records that are open: an attribute of theirs, or an element directly below them.
    fn field(&mut self, name: &str, value: &str, depth: usize) {
        for (tally, current) in self.tallies.iter().zip(&mut self.current) {
            let is_here = current.depth.is_some_and(|record| depth == record);
            if is_here && tally.wish().key == Some(name) && current.key.is_none() {
                current.key = Some(value.to_owned());
            }
        }
    }

    fn text(&mut self, part: &str) {
        if let Some(open) = self.open.last_mut() {
            open.text.push_str(part);
        }
    }

    fn end(&mut self) {
        let depth = self.open.len();
        let Some(Open { name, text }) = self.open.pop() else { return };
        let value = text.trim();
        self.secrets.look(&name, value);
        if !value.is_empty() {
            self.field(&name, value, depth.saturating_sub(1));
        }
        for (tally, current) in self.tallies.iter_mut().zip(&mut self.current) {
            if current.depth == Some(depth) {
                tally.count(current.key.take().as_deref());
                current.depth = None;
            }
        }
    }
}
