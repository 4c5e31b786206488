//! The pipeline: looks at every target side by side within limits, then judges what was seen.
//!
//! A collector's panic or a target's overrun ends that look alone, and is itself recorded as a failed observation.

mod command;
pub mod doctor;
pub mod drill;
mod keeping;
mod looking;
mod secrets;
mod sweep;

pub use keeping::{Again, again, assessment, keep};
pub use looking::{Setup, collect};
pub use secrets::SystemSecrets;
pub use sweep::{LINE, Plan, known, sweep};

use crate::catalogue::Catalogue;
use crate::check::derive;
use crate::check::{Case, Engine};
use crate::control;
use crate::model::assessment::Evidence;
use crate::model::policy::Judging;
use crate::model::{Assessment, Framework};
use crate::yaml::Diagnostic;
use std::borrow::Borrow;

pub use crate::model::assessment::EVIDENCE_SCHEMA;

/// Judges what was seen, as of the instant at which looking ended. Needs no network and no clock, so that the same
/// evidence gives the same assessment.
///
/// # Errors
/// When a check does not compile, or an overlay names none.
pub fn judge(evidence: Evidence, catalogue: &Catalogue) -> Result<Assessment, Vec<Diagnostic>> {
    Ok(Judge::new(catalogue, evidence.judging.clone())?.assess(evidence))
}

/// The same, and only what the checks of one family say: the check of this id and those below it.
///
/// # Errors
/// When a check does not compile, or an overlay names none.
pub fn judge_family(evidence: Evidence, catalogue: &Catalogue, family: &str) -> Result<Assessment, Vec<Diagnostic>> {
    let belongs = |check: &str| check.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let mut assessment = judge(evidence, catalogue)?;
    assessment.results.retain(|result| belongs(&result.check));
    assessment.findings.retain(|finding| belongs(&finding.check));
    // A blind spot without checks is a target that was not looked at at all, which counts for every family.
    assessment.blind_spots.retain_mut(|spot| {
        let whole = spot.checks.is_empty();
        spot.checks.retain(|check| belongs(check));
        whole || !spot.checks.is_empty()
    });
    // A control rests on other checks as well.
    assessment.controls.clear();
    Ok(assessment)
}

/// A catalogue that is ready to judge, for many pieces of evidence under one policy.
pub struct Judge<C> {
    catalogue: C,
    engine: Engine,
    judging: Judging,
    digest: String,
}

impl<C: Borrow<Catalogue>> Judge<C> {
    /// Makes the checks ready.
    ///
    /// # Errors
    /// When a check does not compile, or an overlay names none.
    pub fn new(catalogue: C, judging: Judging) -> Result<Judge<C>, Vec<Diagnostic>> {
        Ok(Judge::by(Engine::new(catalogue.borrow(), &judging)?, catalogue, judging))
    }

    /// The same with checks that are ready, under a policy with the overlays that they were made ready with.
    pub fn by(engine: Engine, catalogue: C, judging: Judging) -> Judge<C> {
        let digest = catalogue.borrow().digest();
        Judge { catalogue, engine, judging, digest }
    }

    /// Judges this evidence, whatever policy stands in it.
    pub fn assess(&self, mut evidence: Evidence) -> Assessment {
        evidence.judging = self.judging.clone();
        let (as_of, catalogue) = (evidence.run.ended, self.catalogue.borrow());
        let derived = derive::run(&evidence.targets, &evidence.observations, &evidence.judging, catalogue, as_of);
        let mut all = evidence.observations.clone();
        all.extend(derived.iter().cloned());
        let results = self.engine.judge(&Case { targets: &evidence.targets, observations: &all, as_of });
        let known = catalogue.frameworks();
        let frameworks: Vec<&Framework> =
            evidence.judging.policy.frameworks.iter().filter_map(|id| known.get(id)).collect();
        control::assess(evidence, derived, results, &frameworks, &self.digest)
    }
}

/// Why stored evidence is not taken.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// It is not JSON of the right form.
    #[error("the evidence is not of the form {EVIDENCE_SCHEMA}: {0}")]
    Form(String),
    /// It was written by another version.
    #[error("the evidence has the schema `{0}`; this version reads `{EVIDENCE_SCHEMA}`")]
    Schema(String),
    /// A record or a target was added or left out, or the run is described otherwise.
    #[error("the records are not those that the run {0} was closed with: some were added or left out")]
    Incomplete(String),
    /// A line of a sweep cannot be taken.
    #[error("line {line}: {error}")]
    Line {
        /// One-based.
        line: usize,
        /// Why.
        error: Box<EvidenceError>,
    },
    /// The lines of a sweep do not belong together.
    #[error("the lines were not written under one configuration by one version")]
    Mixed,
    /// A record is not what it was when it was sealed.
    #[error("observation {id} ({kind} of {target}) was changed after it was sealed")]
    Changed {
        /// The id that the record claims.
        id: String,
        /// Its kind.
        kind: String,
        /// Its target.
        target: String,
    },
}

/// Reads what `collect` wrote, and refuses a record that was changed after it was sealed.
///
/// # Errors
/// When it is not such a file, or a record's content does not have the record's id.
pub fn read_evidence(bytes: &[u8]) -> Result<Evidence, EvidenceError> {
    if let Some(header) = sweep::header(bytes) {
        return sweep::read(&header, bytes);
    }
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| EvidenceError::Form(error.to_string()))?;
    match value.get("schema").and_then(serde_json::Value::as_str) {
        Some(EVIDENCE_SCHEMA) => {}
        Some(other) => return Err(EvidenceError::Schema(other.chars().take(80).collect())),
        None => return Err(EvidenceError::Form("it has no `schema`".to_owned())),
    }
    verified(serde_json::from_value(value).map_err(|error| EvidenceError::Form(error.to_string()))?)
}

/// Evidence, unless something in it is not what it was when it was sealed.
fn verified(evidence: Evidence) -> Result<Evidence, EvidenceError> {
    for observation in &evidence.observations {
        if observation.content_id() != observation.id {
            return Err(EvidenceError::Changed {
                id: observation.id.clone(),
                kind: observation.kind.clone(),
                target: observation.target.clone(),
            });
        }
    }
    if looking::run_id(&evidence.run, &evidence.targets, &evidence.observations) != evidence.run.id {
        return Err(EvidenceError::Incomplete(evidence.run.id.chars().take(80).collect()));
    }
    Ok(evidence)
}

/// Reads arbitrary bytes as evidence: the entry of the fuzzer. What is taken can be written again.
pub fn fuzz(data: &[u8]) {
    if let Ok(evidence) = read_evidence(data) {
        let _ = write_evidence(&evidence);
    }
}

/// The file that `collect` writes.
///
/// # Errors
/// When a value does not serialise: a fault of our types.
pub fn write_evidence(evidence: &Evidence) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(evidence)?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests;
