//! What would be missing from a run, and what to do about it, before anybody relies on one.
//!
//! It looks as a scan does and judges nothing about the targets: what a check could not be judged by is what counts. So
//! nothing is said to be well that a scan would then not see.

use crate::collect::Secrets;
use crate::gate;
use crate::model::retention::Retention;
use crate::model::{Assessment, Observation, ObservationStatus, SecretRef, Target};
use crate::store::{Store, StoreError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Seconds by which a clock may differ without being a problem.
const SKEW: u64 = 60;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Examination {
    /// `probity.doctor/1`.
    pub schema: &'static str,
    /// Each target.
    pub targets: Vec<Examined>,
    /// The store, where there is one.
    pub store: Option<StoreState>,
}

/// One target.
#[derive(Debug, Serialize)]
pub struct Examined {
    /// Its id.
    pub target: String,
    /// Its kind.
    pub kind: &'static str,
    /// Records of evidence that are there, whole.
    pub seen: usize,
    /// All records that there should be.
    pub wanted: usize,
    /// Seconds by which its clock is before this machine's, where it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_s: Option<i64>,
    /// What would be missing, and what is not as it should be.
    pub problems: Vec<Problem>,
}

/// One thing to do something about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// Checks that could not be judged; 0 where the problem is another.
    pub checks: usize,
    /// What is the matter.
    pub what: String,
    /// What to do.
    pub act: String,
}

/// The store.
#[derive(Debug, Serialize)]
pub struct StoreState {
    /// Its folder.
    pub folder: String,
    /// Runs in it.
    pub runs: usize,
    /// What is the matter, and what to do.
    pub problems: Vec<Problem>,
}

impl Examination {
    /// Whether anything is to be done.
    pub fn is_well(&self) -> bool {
        self.targets.iter().all(|target| target.problems.is_empty())
            && self.store.iter().all(|store| store.problems.is_empty())
    }
}

/// Examines targets by what was seen of them.
pub fn examine(assessment: &Assessment, secrets: &dyn Secrets, store: Option<&Path>) -> Examination {
    let mut seen: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    // What is derived is no look of its own.
    for observation in assessment.observations.iter().filter(|seen| seen.inputs.is_empty()) {
        seen.entry(&observation.target).or_default().push(observation);
    }
    let of_target = |target: &Target| {
        let seen = seen.get(target.id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut problems = of_secrets(target, secrets);
        problems.extend(blind_spots(assessment, target));
        let clock = clock(seen);
        problems.extend(clock.filter(|skew| skew.unsigned_abs() > SKEW).map(|skew| Problem {
            checks: 0,
            what: format!(
                "its clock is {} s {} this machine's",
                skew.unsigned_abs(),
                if skew > 0 { "before" } else { "behind" }
            ),
            act: "let both follow the same time servers: rows are overdue by the clock".to_owned(),
        }));
        Examined {
            target: target.id.clone(),
            kind: target.kind.word(),
            seen: seen.iter().filter(|seen| seen.status == ObservationStatus::Complete).count(),
            wanted: seen.len(),
            clock_ahead_s: clock,
            problems,
        }
    };
    let mut targets: Vec<Examined> = assessment.targets.iter().map(of_target).collect();
    // What needs a hand comes first, else in the order in which it was declared.
    targets.sort_by_key(|target| target.problems.is_empty());
    Examination { schema: "probity.doctor/1", targets, store: store.and_then(of_store) }
}

/// What the checks wait for, the weightiest first.
fn blind_spots(assessment: &Assessment, target: &Target) -> Vec<Problem> {
    let spots = assessment.blind_spots.iter().filter(|spot| spot.target == target.id);
    let mut problems: Vec<Problem> = spots
        // What the policy accepts as open is known to whoever wrote it.
        .filter_map(|spot| {
            let checks = gate::unaccepted(assessment, spot)?.len();
            let place = if spot.part.is_empty() { String::new() } else { format!("{}: ", spot.part) };
            Some(Problem {
                checks,
                what: format!("{place}{}", spot.reason),
                act: gate::command(&spot.reason, spot.trouble, Some(target)).unwrap_or_else(|| spot.remedy.clone()),
            })
        })
        .collect();
    problems.sort_by(|a, b| b.checks.cmp(&a.checks).then_with(|| a.cmp(b)));
    problems.dedup();
    problems
}

/// Whether each secret can be had, and is for nobody else to read.
fn of_secrets(target: &Target, secrets: &dyn Secrets) -> Vec<Problem> {
    let connection = &target.connection;
    let all = [("password", &connection.password), ("session token", &connection.token)];
    let named = all.into_iter().filter_map(|(what, reference)| Some((what, reference.as_ref()?)));
    named
        .filter_map(|(what, reference)| {
            let problem = |what: String, act: String| Some(Problem { checks: 0, what, act });
            match (secrets.read(reference), reference) {
                (Err(why), SecretRef::Env(name)) => {
                    problem(format!("the {what} cannot be had: {why}"), format!("set {name} where probity runs"))
                }
                (Err(why), SecretRef::File(path)) => problem(
                    format!("the {what} cannot be had: {why}"),
                    format!("let the user who runs probity read {path}"),
                ),
                (Err(why), SecretRef::Exec(_)) => problem(
                    format!("the {what} cannot be had: {why}"),
                    "run the command by hand, as the user who runs probity".to_owned(),
                ),
                (Ok(_), SecretRef::File(path)) if is_open(Path::new(path)) => problem(
                    format!("others on this machine may read {path}"),
                    format!("chmod 600 '{}'", path.replace('\'', "'\\''")),
                ),
                (Ok(_), _) => None,
            }
        })
        .collect()
}

#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}

/// By how much the target's clock is before this machine's.
fn clock(seen: &[&Observation]) -> Option<i64> {
    let told = seen.iter().find(|seen| seen.kind == "data.retention" && seen.status == ObservationStatus::Complete)?;
    told.read::<Retention>().ok()?.skew_s.known().copied()
}

/// Whether runs can be kept. A folder that is not there yet is no store, and nothing is made of it.
fn of_store(folder: &Path) -> Option<StoreState> {
    if !folder.exists() {
        return None;
    }
    let mut state = StoreState { folder: folder.display().to_string(), runs: 0, problems: Vec::new() };
    let writable = Store::open(folder).and_then(|store| {
        state.runs = store.runs()?.len();
        store.writer("probity doctor").map(drop)
    });
    if let Err(error) = writable {
        let act = match &error {
            StoreError::Locked(_) => "wait until the other run has ended; its name stands in the file `lock`",
            _ => "let the user who runs probity write there; `probity verify` tells what is damaged",
        };
        state.problems.push(Problem { checks: 0, what: error.to_string(), act: act.to_owned() });
    }
    Some(state)
}
