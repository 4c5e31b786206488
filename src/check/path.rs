//! Paths of facts that an expression reads, and the question whether all of them are known.
//!
//! It is asked before an evaluation, since in CEL `missing || true` is true and `{unknown: ..} != 0` is true as well.

use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// Where a path begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Root {
    /// The data of an observation of this kind.
    Kind(String),
    /// The item that is judged.
    Item,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A field of this name.
    Field(String),
    /// Every member of a list.
    Member,
}

/// A path of a fact.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Path {
    /// Where it begins.
    pub root: Root,
    /// How it goes on.
    pub steps: Vec<Step>,
}

/// How much of the value at the end of a path is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Depth {
    /// Only that it is there, and how many members it has.
    Form,
    /// All of it.
    Whole,
}

/// Which paths an expression reads.
#[derive(Clone, Debug, Default)]
pub(super) struct Reads {
    /// The paths, each as deep as its deepest reader.
    pub paths: BTreeMap<Path, Depth>,
    /// Paths that are compared with `null`, so that a null there is an answer.
    pub nullable: Vec<Path>,
}

/// A fact that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Its path in words.
    pub path: String,
    /// Why it is not known.
    pub reason: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever wrote the fact down said why it is not known, in words; the path is a word of ours.
        if self.reason.is_empty() { write!(f, "{} is not known", self.path) } else { f.write_str(&self.reason) }
    }
}

impl Path {
    /// The path with one more step.
    pub(super) fn then(&self, step: Step) -> Path {
        let mut steps = self.steps.clone();
        steps.push(step);
        Path { root: self.root.clone(), steps }
    }

    /// True where the path leads through a list in this data, or ends at one.
    pub(super) fn meets_list(&self, data: &Value) -> bool {
        let mut value = data;
        for step in &self.steps {
            match (step, value) {
                (_, Value::Array(_)) => return true,
                (Step::Field(name), Value::Object(map)) => match map.get(name) {
                    Some(next) => value = next,
                    None => return false,
                },
                _ => return false,
            }
        }
        value.is_array()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.root {
            Root::Kind(kind) => kind,
            Root::Item => "item",
        })?;
        for step in &self.steps {
            match step {
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Member => f.write_str("[]")?,
            }
        }
        Ok(())
    }
}

impl Reads {
    /// Adds a path.
    pub(super) fn add(&mut self, path: Path, depth: Depth) {
        let known = self.paths.entry(path).or_insert(depth);
        *known = (*known).max(depth);
    }

    /// The first fact that is read and not known.
    pub(super) fn gap<'a>(&self, data: impl Fn(&Root) -> Option<&'a Value>) -> Option<Gap> {
        self.paths.iter().find_map(|(path, depth)| {
            let Some(value) = data(&path.root) else {
                return Some(Gap { path: path.to_string(), reason: format!("there is no evidence of {path}") });
            };
            let reason = why_unknown(value, &path.steps, *depth, self.nullable.contains(path))?;
            Some(Gap { path: path.to_string(), reason })
        })
    }
}

/// Why the value at the end of these steps is not known, if it is not.
fn why_unknown(value: &Value, steps: &[Step], depth: Depth, nullable: bool) -> Option<String> {
    if let Some(reason) = unknown(value) {
        return Some(reason.to_owned());
    }
    match (steps.split_first(), value) {
        (None, Value::Null) if !nullable => Some("the evidence holds no value".to_owned()),
        (None, _) => match depth {
            Depth::Whole => unknown_within(value),
            Depth::Form => None,
        },
        (Some((Step::Field(name), rest)), Value::Object(map)) => match map.get(name) {
            Some(next) => why_unknown(next, rest, depth, nullable),
            None => Some("the evidence does not hold it".to_owned()),
        },
        (Some((Step::Member, rest)), Value::Array(members)) => {
            members.iter().find_map(|member| why_unknown(member, rest, depth, nullable))
        }
        (Some(_), Value::Null) => Some("the evidence holds no value".to_owned()),
        // A value of another form: the evaluation says so, as an error.
        (Some(_), _) => None,
    }
}

/// The reason, where this is an unknown fact.
pub(super) fn unknown(value: &Value) -> Option<&str> {
    let map: &Map<String, Value> = value.as_object()?;
    if map.len() == 1 { map.get("unknown")?.as_str() } else { None }
}

fn unknown_within(value: &Value) -> Option<String> {
    if let Some(reason) = unknown(value) {
        return Some(reason.to_owned());
    }
    match value {
        Value::Array(members) => members.iter().find_map(unknown_within),
        Value::Object(map) => map.values().find_map(unknown_within),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn path(steps: &[&str]) -> Path {
        let step = |word: &&str| if *word == "[]" { Step::Member } else { Step::Field((*word).to_owned()) };
        Path { root: Root::Item, steps: steps.iter().map(step).collect() }
    }

    fn gap(steps: &[&str], depth: Depth, data: &Value) -> Option<String> {
        let mut reads = Reads::default();
        reads.add(path(steps), depth);
        reads.gap(|_| Some(data)).map(|gap| gap.to_string())
    }

    #[test]
    fn an_unknown_on_the_way_or_within_is_found() {
        let data = json!({"a": [{"b": 1}, {"b": {"unknown": "no answer"}}], "c": {"unknown": "x"}, "n": null});
        let seen = Some("no answer".to_owned());
        assert_eq!(gap(&["a", "[]", "b"], Depth::Whole, &data), seen);
        assert!(gap(&["a"], Depth::Whole, &data).is_some());
        assert_eq!(gap(&["a"], Depth::Form, &data), None);
        assert!(gap(&["c"], Depth::Form, &data).is_some());
        assert!(gap(&["c", "d"], Depth::Form, &data).is_some());
        assert!(gap(&["missing"], Depth::Form, &data).is_some());
        assert!(gap(&["n"], Depth::Whole, &data).is_some());
    }

    #[test]
    fn null_is_an_answer_where_it_is_asked_for() {
        let mut reads = Reads { nullable: vec![path(&["n"])], ..Reads::default() };
        reads.add(path(&["n"]), Depth::Whole);
        let data = json!({"n": null});
        assert_eq!(reads.gap(|_| Some(&data)), None);
    }

    #[test]
    fn a_list_named_unknown_is_not_an_unknown_fact() {
        assert_eq!(unknown(&json!({"unknown": ["TLSv1.3"]})), None);
        assert_eq!(unknown(&json!({"unknown": "why"})), Some("why"));
    }
}
