//! What changed between two runs: in scope, in facts, and in what they mean.

use crate::model::{CheckResult, Observation, Severity, Status, Target, digest};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The most changed facts of one observation that are named.
const FACTS: usize = 40;
/// How deep facts are compared; below, they are compared whole.
const DEPTH: usize = 12;
/// Fields that name an entry of a list, the first that is there.
const NAMES: &[&str] = &["id", "name", "fingerprint", "sha256", "protocol", "table", "rule", "key"];

/// One side of a comparison.
pub struct Side<'a> {
    /// What was in scope.
    pub targets: &'a [Target],
    /// What was seen and derived.
    pub observations: &'a [Observation],
    /// How it was judged.
    pub results: &'a [CheckResult],
}

/// What changed.
#[derive(Debug, Default, PartialEq, Serialize)]
pub struct Diff {
    /// Targets that were not in scope before.
    pub added: Vec<String>,
    /// Targets that are no longer in scope.
    pub removed: Vec<String>,
    /// Results whose status, severity or seen value is another.
    pub results: Vec<Turn>,
    /// Facts that are others.
    pub facts: Vec<Change>,
}

/// What a change of a result means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Meaning {
    /// It fails and did not.
    Worse,
    /// It could be judged and cannot be any more.
    Lost,
    /// It fails as before, for another reason or more gravely.
    Other,
    /// It could not be judged and passes now.
    Gained,
    /// It failed and does not any more.
    Fixed,
    /// It is no longer a question: its item, check or target is gone.
    Gone,
}

impl Meaning {
    /// The word used in every output.
    pub fn word(self) -> &'static str {
        match self {
            Meaning::Worse => "worse",
            Meaning::Lost => "lost",
            Meaning::Other => "other",
            Meaning::Gained => "gained",
            Meaning::Fixed => "fixed",
            Meaning::Gone => "gone",
        }
    }
}

/// A result that turned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Turn {
    /// What it means.
    pub meaning: Meaning,
    /// The check's id.
    pub check: String,
    /// The target's id.
    pub target: String,
    /// The address and port, or empty.
    pub part: String,
    /// The item's key, or empty.
    pub item: String,
    /// How much a failure matters.
    pub severity: Severity,
    /// How it stood.
    pub before: Option<Status>,
    /// How it stands.
    pub after: Option<Status>,
    /// Why, in the words of the newer result, or of the older where there is none.
    pub reason: String,
}

/// A fact that changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The observation's kind.
    pub kind: String,
    /// The target's id.
    pub target: String,
    /// The address and port, or empty.
    pub part: String,
    /// Where in the facts.
    pub path: String,
    /// What it was; nothing where it was not there.
    pub before: Option<Value>,
    /// What it is; nothing where it is gone.
    pub after: Option<Value>,
}

/// Compares two runs, the older first.
pub fn compare(before: &Side<'_>, after: &Side<'_>) -> Diff {
    let ids = |side: &Side<'_>| -> BTreeSet<String> { side.targets.iter().map(|target| target.id.clone()).collect() };
    let (old, new) = (ids(before), ids(after));
    Diff {
        added: new.difference(&old).cloned().collect(),
        removed: old.difference(&new).cloned().collect(),
        results: turns(before.results, after.results),
        facts: changes(before.observations, after.observations),
    }
}

fn turns(before: &[CheckResult], after: &[CheckResult]) -> Vec<Turn> {
    let (old, new) = (by_place(before), by_place(after));
    let places: BTreeSet<_> = old.keys().chain(new.keys()).copied().collect();
    let mut turns: Vec<Turn> = places
        .into_iter()
        .filter_map(|place| {
            let (was, is) = (old.get(&place).copied(), new.get(&place).copied());
            let shown = is.or(was)?;
            let meaning = meaning(was, is)?;
            Some(Turn {
                meaning,
                check: shown.check.clone(),
                target: shown.target.clone(),
                part: shown.part.clone(),
                item: shown.item.clone(),
                severity: shown.severity,
                before: was.map(|result| result.status),
                after: is.map(|result| result.status),
                reason: shown.reason.clone(),
            })
        })
        .collect();
    turns.sort_by_key(|turn| (turn.meaning, std::cmp::Reverse(turn.severity)));
    turns
}

type Place<'a> = (&'a str, &'a str, &'a str, &'a str);

fn by_place(results: &[CheckResult]) -> BTreeMap<Place<'_>, &CheckResult> {
    results.iter().map(|result| ((&*result.check, &*result.target, &*result.part, &*result.item), result)).collect()
}

fn meaning(was: Option<&CheckResult>, is: Option<&CheckResult>) -> Option<Meaning> {
    let status = |result: Option<&CheckResult>| result.map(|result| result.status);
    Some(match (status(was), status(is)) {
        (Some(Status::Fail), Some(Status::Fail)) => {
            let same = was.zip(is).is_some_and(|(was, is)| was.actual == is.actual && was.severity == is.severity);
            return (!same).then_some(Meaning::Other);
        }
        (_, Some(Status::Fail)) => Meaning::Worse,
        (Some(old), Some(new)) if old.is_open() && new.is_open() => return None,
        (Some(old), Some(new)) if new.is_open() && !old.is_open() => Meaning::Lost,
        (None, Some(new)) if new.is_open() => Meaning::Lost,
        (Some(Status::Fail), Some(_)) => Meaning::Fixed,
        (Some(old), Some(Status::Pass)) if old.is_open() => Meaning::Gained,
        (Some(Status::Fail), None) => Meaning::Gone,
        (Some(old), None) if old.is_open() => Meaning::Gone,
        _ => return None,
    })
}

fn changes(before: &[Observation], after: &[Observation]) -> Vec<Change> {
    let place =
        |seen: &Observation| (seen.target.clone(), seen.part.clone(), seen.kind.clone(), seen.collector.clone());
    let old: BTreeMap<_, &Observation> = before.iter().map(|seen| (place(seen), seen)).collect();
    let mut changes = Vec::new();
    for seen in after {
        let Some(was) = old.get(&place(seen)) else { continue };
        let mut found = Vec::new();
        if was.status != seen.status {
            let word = |seen: &Observation| serde_json::to_value((seen.status, &seen.trouble)).ok();
            found.push(("status".to_owned(), word(was), word(seen)));
        }
        // What was not seen on one side says nothing of a change.
        if !was.data.is_empty() && !seen.data.is_empty() {
            for (name, (old, new)) in joined(&was.data, &seen.data) {
                values(name, old, new, DEPTH, &mut found);
            }
        }
        found.truncate(FACTS);
        changes.extend(found.into_iter().map(|(path, before, after)| Change {
            kind: seen.kind.clone(),
            target: seen.target.clone(),
            part: seen.part.clone(),
            path,
            before,
            after,
        }));
    }
    changes.sort_by(|a, b| (&a.target, &a.part, &a.kind, &a.path).cmp(&(&b.target, &b.part, &b.kind, &b.path)));
    changes
}

type Found = Vec<(String, Option<Value>, Option<Value>)>;
type Pair<'a> = (Option<&'a Value>, Option<&'a Value>);

fn joined<'a>(
    old: &'a serde_json::Map<String, Value>,
    new: &'a serde_json::Map<String, Value>,
) -> BTreeMap<String, Pair<'a>> {
    old.keys().chain(new.keys()).map(|key| (key.clone(), (old.get(key), new.get(key)))).collect()
}

fn values(path: String, old: Option<&Value>, new: Option<&Value>, depth: usize, found: &mut Found) {
    if old == new || found.len() >= FACTS {
        return;
    }
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) if depth > 0 => {
            for (name, (old, new)) in joined(old, new) {
                values(format!("{path}.{name}"), old, new, depth - 1, found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if depth > 0 => {
            for (name, (old, new)) in entries(old, new) {
                values(format!("{path}[{name}]"), old, new, depth - 1, found);
            }
        }
        _ => found.push((path, old.cloned(), new.cloned())),
    }
}

/// The entries of two lists by what names them: a field, or else their whole content. Their order is no change.
fn entries<'a>(old: &'a [Value], new: &'a [Value]) -> BTreeMap<String, Pair<'a>> {
    let field = NAMES.iter().find(|name| {
        let named = |list: &[Value]| {
            let names: Vec<_> = list.iter().map(|entry| entry.get(**name).and_then(Value::as_str)).collect();
            let distinct: BTreeSet<_> = names.iter().flatten().collect();
            distinct.len() == list.len()
        };
        (!old.is_empty() || !new.is_empty()) && named(old) && named(new)
    });
    let name = |entry: &Value| match field {
        Some(field) => entry.get(*field).and_then(Value::as_str).unwrap_or_default().to_owned(),
        None => digest::canonical(entry).unwrap_or_default(),
    };
    let mut joined: BTreeMap<String, Pair<'_>> = BTreeMap::new();
    old.iter().for_each(|entry| joined.entry(name(entry)).or_default().0 = Some(entry));
    new.iter().for_each(|entry| joined.entry(name(entry)).or_default().1 = Some(entry));
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn result(item: &str, status: Status, actual: Value) -> CheckResult {
        serde_json::from_value(json!({
            "check": "tls.a", "version": "1.0.0", "origin": "built-in", "digest": "", "target": "shop", "part": "",
            "item": item, "status": status, "severity": "high", "reason": "because", "expected": 1, "actual": actual,
            "observations": [],
        }))
        .unwrap()
    }

    fn meanings(before: &[CheckResult], after: &[CheckResult]) -> Vec<(String, &'static str)> {
        turns(before, after).iter().map(|turn| (turn.item.clone(), turn.meaning.word())).collect()
    }

    #[test]
    fn each_turn_of_a_result_has_its_meaning() {
        use Status::{Fail, NotApplicable, NotEvaluated, Pass};
        let table = [
            (Some(Pass), Some(Fail), Some("worse")),
            (None, Some(Fail), Some("worse")),
            (Some(NotEvaluated), Some(Fail), Some("worse")),
            (Some(Pass), Some(NotEvaluated), Some("lost")),
            (None, Some(NotEvaluated), Some("lost")),
            (Some(Fail), Some(NotEvaluated), Some("lost")),
            (Some(NotEvaluated), Some(Pass), Some("gained")),
            (Some(Fail), Some(Pass), Some("fixed")),
            (Some(Fail), Some(NotApplicable), Some("fixed")),
            (Some(Fail), None, Some("gone")),
            (Some(NotEvaluated), None, Some("gone")),
            (Some(Pass), Some(Pass), None),
            (Some(Pass), None, None),
            (None, Some(Pass), None),
            (Some(NotEvaluated), Some(NotEvaluated), None),
        ];
        for (was, is, want) in table {
            let side = |status: Option<Status>| {
                status.map(|status| result("x", status, Value::Null)).into_iter().collect::<Vec<_>>()
            };
            let found = meanings(&side(was), &side(is));
            assert_eq!(found.first().map(|(_, word)| *word), want, "{was:?} {is:?}");
        }
    }

    #[test]
    fn a_failure_that_fails_otherwise_is_named() {
        let (was, is) = (result("x", Status::Fail, json!(1)), result("x", Status::Fail, json!(2)));
        assert_eq!(meanings(std::slice::from_ref(&was), std::slice::from_ref(&was)), []);
        assert_eq!(meanings(&[was], &[is]), [("x".to_owned(), "other")]);
    }

    #[test]
    fn lists_are_compared_by_what_names_their_entries() {
        let old =
            json!({"suites": [{"id": "1", "bits": 128}, {"id": "2", "bits": 256}], "order": ["a", "b"], "same": 1});
        let new = json!({"suites": [{"id": "2", "bits": 255}, {"id": "3", "bits": 256}], "order": ["b", "a", "c"], "same": 1});
        let mut found = Vec::new();
        values("x".to_owned(), Some(&old), Some(&new), DEPTH, &mut found);
        let paths: Vec<_> =
            found.iter().map(|(path, old, new)| (path.as_str(), old.is_some(), new.is_some())).collect();
        assert_eq!(
            paths,
            [
                ("x.order[\"c\"]", false, true),
                ("x.suites[1]", true, false),
                ("x.suites[2].bits", true, true),
                ("x.suites[3]", false, true)
            ]
        );
    }
}
