//! What a disturbed look says against what an undisturbed one says: unknown is right, and another value never is.

use probity::model::{Observation, ObservationStatus};
use serde_json::Value;
use std::collections::BTreeSet;

/// Words for people, which may differ from look to look; and what a recording repeats.
const WORDS: [&str; 10] = [
    "seen",
    "confidence",
    "detail",
    "reason",
    "incomplete",
    "unknown",
    "proofs",
    "connections",
    "public_reused",
    "point_reused",
];

/// A known fact that is not what it should be.
#[derive(Debug)]
pub struct Wrong {
    /// The kind and the way to the fact.
    pub fact: String,
    /// What an undisturbed look says.
    pub expected: String,
    /// What was said.
    pub got: String,
}

/// Every known fact of `got` that is not in `expected`.
pub fn wrong(expected: &[Observation], got: &[Observation]) -> Vec<Wrong> {
    let mut all = Vec::new();
    for observation in got {
        let same = expected.iter().find(|other| other.kind == observation.kind).unwrap();
        let partial = match observation.status {
            ObservationStatus::Failed => continue,
            ObservationStatus::Partial => true,
            ObservationStatus::Complete => false,
        };
        let value = |observation: &Observation| serde_json::to_value(&observation.data).unwrap();
        differ(&observation.kind, &value(same), &value(observation), partial, &mut all);
    }
    all
}

/// How many facts are known, and how many are not.
pub fn known(observations: &[Observation]) -> (usize, usize) {
    let mut counts = (0, 0);
    for observation in observations {
        match observation.status {
            ObservationStatus::Failed => counts.1 += 5,
            _ => count(&serde_json::to_value(&observation.data).unwrap(), &mut counts),
        }
    }
    counts
}

fn count(value: &Value, counts: &mut (usize, usize)) {
    match value {
        Value::Object(_) if is_unknown(value) => counts.1 += 1,
        Value::Object(map) => map.values().for_each(|value| count(value, counts)),
        Value::Array(list) => list.iter().for_each(|value| count(value, counts)),
        _ => counts.0 += 1,
    }
}

fn is_unknown(value: &Value) -> bool {
    value.as_object().is_some_and(|map| map.len() == 1 && map.contains_key("unknown"))
}

fn differ(path: &str, expected: &Value, got: &Value, partial: bool, all: &mut Vec<Wrong>) {
    let mut note = |expected: &Value, got: &Value| {
        all.push(Wrong { fact: path.to_owned(), expected: expected.to_string(), got: got.to_string() });
    };
    match (expected, got) {
        _ if is_unknown(got) => {}
        (Value::Object(one), Value::Object(other)) => {
            // Of a row whose fact is unknown the rest says nothing.
            if other.get("vulnerable").is_some_and(is_unknown) {
                return;
            }
            // Where nobody knows who orders, the order of a list says nothing; and a name of no key is no name.
            let unordered = other.get("preference").is_some_and(is_unknown);
            let unnamed = other.get("ticket_key").is_some_and(is_unknown);
            let idle = |name: &str| {
                WORDS.contains(&name)
                    || (unordered && ["ids", "apart"].contains(&name))
                    || (unnamed && name == "ticket_key_sha256")
            };
            for (name, value) in other.iter().filter(|(name, _)| !idle(name)) {
                let path = format!("{path}.{name}");
                differ(&path, one.get(name).unwrap_or(&Value::Null), value, partial, all);
            }
        }
        (Value::Array(one), Value::Array(other)) if path.ends_with(".ids") => {
            // An order: where members may lack, those that are there stand as they should.
            let left: Vec<&Value> = one.iter().filter(|value| !partial || other.contains(value)).collect();
            if left != other.iter().collect::<Vec<_>>() {
                note(expected, got);
            }
        }
        // The versions that a group was seen with are not all that it can be seen with.
        (Value::Array(_), Value::Array(_)) if path.starts_with("tls.groups") && path.ends_with(".protocols") => {}
        // Which connection refused a suite last is chance; that it is refused is not.
        (Value::Array(one), Value::Array(other)) if path == "tls.suites.refused" => {
            let ids = |list: &[Value]| -> BTreeSet<String> {
                let of = |row: &Value| {
                    let ids = row["ids"].as_array().unwrap().clone();
                    ids.into_iter().map(|id| format!("{} {id}", row["protocol"])).collect::<Vec<_>>()
                };
                list.iter().flat_map(of).collect()
            };
            let more: Vec<String> = ids(other).difference(&ids(one)).cloned().collect();
            if !more.is_empty() {
                note(&Value::from("accepted"), &Value::from(more));
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for value in other {
                let path = format!("{path}[{}]", name(value));
                match one.iter().find(|same| name(same) == name(value)) {
                    Some(same) => differ(&path, same, value, partial, all),
                    None => all.push(Wrong { fact: path, expected: "nothing".into(), got: value.to_string() }),
                }
            }
            for value in one.iter().filter(|value| !partial && !other.iter().any(|same| name(same) == name(value))) {
                let fact = format!("{path}[{}]", name(value));
                all.push(Wrong { fact, expected: value.to_string(), got: "nothing, in a list that is whole".into() });
            }
        }
        (one, other) if one == other => {}
        // What was not seen of a suite is written so.
        (_, Value::String(word)) if word.is_empty() && path.ends_with(".group") => {}
        _ => note(expected, got),
    }
}

/// What tells the members of a list apart.
fn name(value: &Value) -> String {
    let Some(map) = value.as_object() else { return value.to_string() };
    let words = ["protocol", "id", "name", "sha256", "export"].map(|name| map.get(name).map(Value::to_string));
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}
