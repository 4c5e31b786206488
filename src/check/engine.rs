//! The engine: every check that is on, ready for judging, and the plan of what is to be judged.

use super::compiled::{Compiled, file_of};
use super::run::{self, Task};
use crate::catalogue::Catalogue;
use crate::model::check::Subject;
use crate::model::policy::{Judging, Overlay};
use crate::model::{Check, CheckResult, Observation, Target, TargetKind};
use crate::yaml::{Diagnostic, nearest};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How long one check may take on one part of one target.
const DEADLINE: Duration = Duration::from_secs(20);
/// Kinds that are there only where a person asked for them: a check of one gives no result where there is none.
const ON_REQUEST: &[&str] = &["data.drill", "tls.policy"];

/// What is judged.
pub struct Case<'a> {
    /// What was to be looked at.
    pub targets: &'a [Target],
    /// What was seen, derived observations included.
    pub observations: &'a [Observation],
    /// The instant of judgement.
    pub as_of: Timestamp,
}

/// Every check that is on, ready for judging.
pub struct Engine {
    checks: Arc<Vec<Compiled>>,
    disabled: BTreeMap<String, String>,
    deadline: Duration,
}

impl Engine {
    /// Makes the checks of a catalogue ready, with a user's changes.
    ///
    /// # Errors
    /// When an expression is refused, or a change names what there is not: each with its place.
    pub fn new(catalogue: &Catalogue, judging: &Judging) -> Result<Engine, Vec<Diagnostic>> {
        let mut problems = unknown_overlays(catalogue, judging);
        let mut disabled = BTreeMap::new();
        let mut enabled = Vec::new();
        for check in catalogue.checks().values() {
            let overlay = judging.checks.get(&check.id);
            match overlay.filter(|overlay| overlay.enabled == Some(false)) {
                Some(Overlay { reason: Some(reason), .. }) if !reason.trim().is_empty() => {
                    disabled.insert(check.id.clone(), reason.clone());
                }
                Some(_) => problems.push(
                    Diagnostic::of_file(format!("checks.{}", check.id), "a check is turned off without a reason")
                        .help("say why under `reason`: it is shown in every report"),
                ),
                None => enabled.push((check, overlay)),
            }
        }
        let compiled = run::on_deep_stack(move || {
            enabled.into_iter().map(|(check, overlay)| compile(check, overlay)).collect::<Vec<_>>()
        });
        let mut checks = Vec::new();
        match compiled {
            Ok(compiled) => {
                for one in compiled {
                    match one {
                        Ok(check) => checks.push(check),
                        Err(found) => problems.extend(found),
                    }
                }
            }
            Err(why) => problems.push(Diagnostic::of_file("checks", why)),
        }
        if problems.is_empty() {
            return Ok(Engine { checks: Arc::new(checks), disabled, deadline: DEADLINE });
        }
        Err(problems)
    }

    /// The rules of a derivation, written as checks, ready for judging.
    pub(super) fn of(checks: &[Check]) -> Result<Engine, Vec<Diagnostic>> {
        let compiled = run::on_deep_stack(|| checks.iter().map(|check| compile(check, None)).collect::<Vec<_>>())
            .map_err(|why| vec![Diagnostic::of_file("checks", why)])?;
        let checks = compiled.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Engine { checks: Arc::new(checks), disabled: BTreeMap::new(), deadline: DEADLINE })
    }

    /// The same, with another limit on the time that one check may take on one part of one target.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Engine {
        self.deadline = deadline;
        self
    }

    /// The ids of the checks that judge.
    pub fn enabled(&self) -> Vec<&str> {
        self.checks.iter().map(|compiled| compiled.check.id.as_str()).collect()
    }

    /// The checks that the user turned off, with the reason.
    pub fn disabled(&self) -> &BTreeMap<String, String> {
        &self.disabled
    }

    /// The checks that are about this target.
    pub fn checks_for(&self, target: &Target) -> Vec<&Check> {
        self.checks.iter().map(|compiled| &compiled.check).filter(|check| fits(check.subject, target)).collect()
    }

    /// Judges everything. The results are sorted by check, target, part and item.
    pub fn judge(&self, case: &Case<'_>) -> Vec<CheckResult> {
        let tasks = self.plan(case);
        let mut results = run::run(&self.checks, tasks, case.observations, case.as_of, self.deadline);
        results.sort_by(|a, b| (&a.check, &a.target, &a.part, &a.item).cmp(&(&b.check, &b.target, &b.part, &b.item)));
        results
    }

    /// What is to be judged, target by target, so that a target's facts are made ready once.
    fn plan(&self, case: &Case<'_>) -> Vec<Task> {
        let mut seen: BTreeMap<(&str, &str), BTreeMap<&str, usize>> = BTreeMap::new();
        for (at, observation) in case.observations.iter().enumerate() {
            let parts = seen.entry((&observation.target, &observation.kind)).or_default();
            // Of several looks at the same thing the latest counts; ids break a tie, so that the order does not matter.
            let newer = parts
                .get(observation.part.as_str())
                .and_then(|known| case.observations.get(*known))
                .is_none_or(|known| (observation.collected, &observation.id) >= (known.collected, &known.id));
            if newer {
                parts.insert(&observation.part, at);
            }
        }
        let mut targets: Vec<&Target> = case.targets.iter().collect();
        targets.sort_by(|a, b| a.id.cmp(&b.id));
        targets.dedup_by(|a, b| a.id == b.id);
        let mut tasks = Vec::new();
        for target in targets {
            for (index, compiled) in self.checks.iter().enumerate() {
                if fits(compiled.check.subject, target) {
                    tasks.extend(tasks_of(index, &compiled.check, target, &seen));
                }
            }
        }
        tasks
    }
}

type Seen<'a> = BTreeMap<(&'a str, &'a str), BTreeMap<&'a str, usize>>;

/// One task for each part that was seen by any kind that the check needs. What was seen without a part serves them all.
fn tasks_of<'a>(index: usize, check: &'a Check, target: &'a Target, seen: &Seen<'a>) -> Vec<Task> {
    let of_kind = |need: &'a String| seen.get(&(target.id.as_str(), need.as_str()));
    if check.needs.iter().any(|need| ON_REQUEST.contains(&need.as_str()) && of_kind(need).is_none()) {
        return Vec::new();
    }
    let mut parts: BTreeSet<&str> =
        check.needs.iter().filter_map(of_kind).flat_map(|parts| parts.keys().copied()).collect();
    if parts.len() > 1 {
        parts.remove("");
    }
    if parts.is_empty() {
        parts.insert("");
    }
    let evidence = |part: &str| {
        let find = |need: &'a String| {
            let parts = of_kind(need)?;
            parts.get(part).or_else(|| parts.get("")).copied()
        };
        check.needs.iter().map(find).collect()
    };
    parts
        .into_iter()
        .map(|part| Task { check: index, target: target.id.clone(), part: part.to_owned(), evidence: evidence(part) })
        .collect()
}

fn fits(subject: Subject, target: &Target) -> bool {
    match subject {
        Subject::Endpoint => target.kind == TargetKind::Endpoint,
        Subject::Upgrade => target.kind == TargetKind::Endpoint && target.connection.starttls.is_some(),
        Subject::Database => target.engine.is_some(),
        Subject::Store => target.engine.is_some() || target.kind == TargetKind::Objects,
        Subject::Managed => target.engine.is_some() || target.kind == TargetKind::Cloud,
        Subject::Objects => matches!(target.kind, TargetKind::Objects | TargetKind::Cloud),
        Subject::Cloud => target.kind == TargetKind::Cloud,
        Subject::Domain => target.kind == TargetKind::Domain,
        Subject::Host => target.kind == TargetKind::Host,
        Subject::Register => target.kind == TargetKind::Register,
        Subject::Requests => target.kind == TargetKind::Requests,
        Subject::Erasure => target.kind == TargetKind::Erasure,
        Subject::Export => target.kind == TargetKind::Export,
    }
}

fn compile(check: &Check, overlay: Option<&Overlay>) -> Result<Compiled, Vec<Diagnostic>> {
    Compiled::new(check, overlay)
}

fn unknown_overlays(catalogue: &Catalogue, judging: &Judging) -> Vec<Diagnostic> {
    judging
        .checks
        .keys()
        .filter(|id| catalogue.check(id).is_none())
        .map(|id| {
            let problem = Diagnostic::of_file(format!("checks.{id}"), format!("there is no check `{id}`"));
            match nearest(id, catalogue.checks().keys().map(String::as_str)) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help("`probity check list` shows the ids"),
            }
        })
        .collect()
}

/// The file of a check, for errors about its tests.
pub(super) fn named(check: &Check) -> String {
    file_of(check)
}
