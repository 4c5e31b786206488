//! The form of values, as far as it can be known before any evidence is there: it comes from the JSON Schemas of the
//! observation kinds, so that a path which no evidence can ever hold is refused when a check is loaded.

use crate::model::kind::{KINDS, Kind};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, OnceLock};

/// How many references and alternatives are followed; schemas of our own are far below.
const DEPTH: usize = 16;
/// The schemas of the kinds that some check reads. Making one takes longer than compiling the check.
static SCHEMAS: LazyLock<BTreeMap<&'static str, OnceLock<Value>>> =
    LazyLock::new(|| KINDS.iter().map(|kind| (kind.id, OnceLock::new())).collect());

/// What is known of a value's form.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// As a part of a kind's JSON Schema says.
    Schema {
        /// The whole schema, for its definitions.
        root: &'static Value,
        /// The part.
        part: &'static Value,
    },
    /// A mapping built by an expression.
    Object(BTreeMap<String, Shape>),
    /// A list built by an expression.
    List(Box<Shape>),
    /// One of several.
    Either(Vec<Shape>),
    /// A text, number or truth value: it has neither fields nor members.
    Scalar,
    /// Anything: a field of free form.
    Free,
}

impl Shape {
    /// The form of a kind's data.
    pub(super) fn of_kind(kind: &Kind) -> Shape {
        let Some(schema) = SCHEMAS.get(kind.id) else { return Shape::Free };
        let root = schema.get_or_init(|| (kind.schema)().to_value());
        Shape::Schema { root, part: root }
    }

    /// One of these forms.
    pub(super) fn either(mut shapes: Vec<Shape>) -> Shape {
        match shapes.len() {
            0 => Shape::Free,
            1 => shapes.remove(0),
            _ => Shape::Either(shapes),
        }
    }

    /// The form of a field, if there can be one of this name.
    pub(super) fn field(&self, name: &str) -> Option<Shape> {
        match self {
            Shape::Free => Some(Shape::Free),
            Shape::Scalar | Shape::List(_) => None,
            Shape::Object(fields) => fields.get(name).cloned(),
            Shape::Either(shapes) => gather(shapes.iter().filter_map(|shape| shape.field(name))),
            Shape::Schema { root, part } => gather(alternatives(root, part).into_iter().filter_map(|part| {
                let found = match part.get("properties").and_then(|properties| properties.get(name)) {
                    Some(property) => property,
                    None => part.get("additionalProperties").filter(|more| more.is_object())?,
                };
                Some(Shape::schema(root, found))
            })),
        }
    }

    /// The form of the members, if it can be a list.
    pub(super) fn member(&self) -> Option<Shape> {
        match self {
            Shape::Free => Some(Shape::Free),
            Shape::Scalar | Shape::Object(_) => None,
            Shape::List(member) => Some((**member).clone()),
            Shape::Either(shapes) => gather(shapes.iter().filter_map(Shape::member)),
            Shape::Schema { root, part } => gather(
                alternatives(root, part)
                    .into_iter()
                    .filter_map(|part| part.get("items").map(|items| Shape::schema(root, items))),
            ),
        }
    }

    /// The names of the fields, for a help sentence.
    pub(super) fn names(&self) -> BTreeSet<String> {
        match self {
            Shape::Free | Shape::Scalar | Shape::List(_) => BTreeSet::new(),
            Shape::Object(fields) => fields.keys().cloned().collect(),
            Shape::Either(shapes) => shapes.iter().flat_map(Shape::names).collect(),
            Shape::Schema { root, part } => alternatives(root, part)
                .into_iter()
                .filter_map(|part| part.get("properties").and_then(Value::as_object))
                .flat_map(|properties| properties.keys().cloned())
                .collect(),
        }
    }

    fn schema(root: &'static Value, part: &'static Value) -> Shape {
        // `true` and `{}` are the schemas of a value of any form.
        let free =
            part == &Value::Bool(true) || part.as_object().is_some_and(|map| map.keys().all(|key| is_remark(key)));
        if free { Shape::Free } else { Shape::Schema { root, part } }
    }
}

fn is_remark(key: &str) -> bool {
    matches!(key, "description" | "title" | "default")
}

fn gather(shapes: impl Iterator<Item = Shape>) -> Option<Shape> {
    let found: Vec<Shape> = shapes.collect();
    if found.is_empty() { None } else { Some(Shape::either(found)) }
}

/// The schemas that a value may follow, without the one of an unknown fact: a rule never reads that.
fn alternatives<'a>(root: &'a Value, part: &'a Value) -> Vec<&'a Value> {
    let mut found = Vec::new();
    expand(root, part, DEPTH, &mut found);
    found
}

fn expand<'a>(root: &'a Value, part: &'a Value, depth: usize, found: &mut Vec<&'a Value>) {
    if depth == 0 || is_unknown(part) {
        return;
    }
    let target = part.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix('#'));
    if let Some(target) = target.and_then(|target| root.pointer(target)) {
        expand(root, target, depth - 1, found);
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        for choice in part.get(word).and_then(Value::as_array).into_iter().flatten() {
            expand(root, choice, depth - 1, found);
        }
    }
    found.push(part);
}

/// The schema of `{unknown: REASON}`.
fn is_unknown(part: &Value) -> bool {
    part.get("properties")
        .and_then(Value::as_object)
        .is_some_and(|properties| properties.len() == 1 && properties.contains_key("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kind;

    fn shape(id: &str) -> Shape {
        Shape::of_kind(kind::find(id).unwrap())
    }

    #[test]
    fn paths_follow_references_lists_and_facts() {
        let certificates = shape("tls.certificates");
        let deployment = certificates.field("deployments").unwrap().member().unwrap();
        assert!(deployment.field("leaf").unwrap().field("key_strength").is_some());
        assert!(deployment.field("trust").is_some());
        assert!(deployment.field("trusted").is_none());
        assert!(deployment.names().contains("days_left"));
    }

    #[test]
    fn an_unknown_fact_has_no_field_of_that_name() {
        assert!(shape("tls.features").field("alpn").unwrap().field("unknown").is_none());
        assert!(shape("tls.protocols").field("unknown").unwrap().member().is_some());
    }

    #[test]
    fn a_text_has_neither_fields_nor_members() {
        let url = shape("http.headers").field("url").unwrap();
        assert!(url.field("host").is_none());
        assert!(url.member().is_none());
    }
}
