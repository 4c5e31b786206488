//! Runs the tests that are embedded in checks.

use super::engine::{Case, Engine, named};
use crate::catalogue::Catalogue;
use crate::model::check::{Check, CheckTest, Subject};
use crate::model::policy::{Judging, Overlay};
use crate::model::target::Engine as DatabaseEngine;
use crate::model::trouble::Reason;
use crate::model::{CheckResult, Observation, Status, Target, TargetKind, Trouble};
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// The date of judgement where a test names none.
const AS_OF: &str = "2026-11-25";
/// The target that a test judges.
const TARGET: &str = "target.example";

/// How one embedded test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestOutcome {
    /// The check's id.
    pub check: String,
    /// The check's file.
    pub file: String,
    /// The test's name.
    pub name: String,
    /// Why it failed, where it did.
    pub failure: Option<String>,
}

impl TestOutcome {
    /// True where the test ended as it expects.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// Runs the embedded tests of this check, or of all.
pub fn test(catalogue: &Catalogue, id: Option<&str>) -> Vec<TestOutcome> {
    let checks = catalogue.checks().values().filter(|check| id.is_none_or(|id| id == check.id));
    checks.flat_map(|check| run(catalogue, check)).collect()
}

fn run(catalogue: &Catalogue, check: &Check) -> Vec<TestOutcome> {
    let alone = catalogue.only(&check.id);
    // Most tests leave the parameters alone and can share an engine.
    let shared = engine(&alone, check, &BTreeMap::new());
    let outcome = |test: &CheckTest| TestOutcome {
        check: check.id.clone(),
        file: named(check),
        name: test.name.clone(),
        failure: if test.params.is_empty() {
            shared.as_ref().map_err(Clone::clone).and_then(|engine| expectation(engine, check, test)).err()
        } else {
            engine(&alone, check, &test.params).and_then(|engine| expectation(&engine, check, test)).err()
        },
    };
    check.tests.iter().map(outcome).collect()
}

fn engine(alone: &Catalogue, check: &Check, params: &BTreeMap<String, Value>) -> Result<Engine, String> {
    let overlay = Overlay { params: params.clone(), ..Overlay::default() };
    let judging = Judging { checks: BTreeMap::from([(check.id.clone(), overlay)]), ..Judging::default() };
    Engine::new(alone, &judging)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn expectation(engine: &Engine, check: &Check, test: &CheckTest) -> Result<(), String> {
    let as_of: Timestamp = format!("{}T12:00:00Z", test.as_of.as_deref().unwrap_or(AS_OF))
        .parse()
        .map_err(|error| format!("`as_of` is no date: {error}"))?;
    let observations = observations(check, test, as_of)?;
    let results = engine.judge(&Case { targets: &[target(check.subject)], observations: &observations, as_of });
    compare(test, &results)
}

/// The worst status, and that of each item which the test names.
fn compare(test: &CheckTest, results: &[CheckResult]) -> Result<(), String> {
    let Some(worst) = results.iter().max_by_key(|result| weight(result.status)) else {
        return Err("nothing was judged".to_owned());
    };
    if worst.status != test.expect {
        let (expected, seen) = (test.expect.word(), worst.status.word());
        return Err(format!("expected {expected}, got {seen}: {}", worst.reason));
    }
    for (item, status) in &test.items {
        match results.iter().find(|result| result.item == *item) {
            Some(result) if result.status == *status => {}
            Some(result) => {
                let (expected, seen) = (status.word(), result.status.word());
                return Err(format!("item `{item}`: expected {expected}, got {seen}: {}", result.reason));
            }
            None => return Err(format!("there is no item `{item}`")),
        }
    }
    Ok(())
}

/// The order of badness: an error is a fault of the check itself, and a fail outweighs what is open.
fn weight(status: Status) -> u8 {
    match status {
        Status::NotApplicable => 0,
        Status::Pass => 1,
        Status::NeedsReview => 2,
        Status::NotEvaluated => 3,
        Status::Fail => 4,
        Status::Error => 5,
    }
}

fn target(subject: Subject) -> Target {
    let kind = match subject {
        Subject::Endpoint | Subject::Upgrade => TargetKind::Endpoint,
        Subject::Database | Subject::Managed | Subject::Store => TargetKind::Database,
        Subject::Objects => TargetKind::Objects,
        Subject::Cloud => TargetKind::Cloud,
        Subject::Domain => TargetKind::Domain,
        Subject::Host => TargetKind::Host,
        Subject::Register => TargetKind::Register,
        Subject::Requests => TargetKind::Requests,
        Subject::Erasure => TargetKind::Erasure,
        Subject::Export => TargetKind::Export,
    };
    let mut target = Target::new(TARGET, kind, TARGET);
    if subject == Subject::Upgrade {
        target.connection.starttls = Some("smtp".to_owned());
    }
    if matches!(subject, Subject::Database | Subject::Managed | Subject::Store) {
        target.engine = Some(DatabaseEngine::Postgresql);
    }
    target
}

fn observations(check: &Check, test: &CheckTest, as_of: Timestamp) -> Result<Vec<Observation>, String> {
    let trouble = |word: &str| {
        let reason = Reason::parse(word).ok_or_else(|| format!("`{word}` is no reason of a trouble"))?;
        Ok::<Trouble, String>(Trouble::new(reason, "as the test says"))
    };
    let mut observations = Vec::new();
    for need in &check.needs {
        if let Some(data) = test.facts.get(need) {
            let observation = Observation::complete(need, TARGET, "", "test", as_of, data)
                .map_err(|error| format!("the facts of `{need}` are no object: {error}"))?;
            observations.push(match test.partial.get(need) {
                Some(word) => observation.partial(trouble(word)?),
                None => observation,
            });
        } else if let Some(word) = &test.trouble {
            observations.push(Observation::failed(need, TARGET, "", "test", as_of, trouble(word)?));
        }
    }
    Ok(observations)
}
