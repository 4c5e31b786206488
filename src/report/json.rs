//! JSON: the whole record in types of its own, so that a change of the model does not change what others read.

use super::text::harmless_json;
use super::{Context, RenderError};
use crate::model::control::{Coverage, Relation};
use crate::model::observation::{Exchange, Method, ObservationStatus};
use crate::model::policy::Judging;
use crate::model::target::{Place, TargetKind};
use crate::model::{
    Assessment, BlindSpot, Check, CheckResult, ControlStatus, FindingState, Gate, Observation, Severity, Status,
    Target, Trouble, Verdict, assessment, check, control, finding,
};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The version of this form. A field may be added under the same number, never changed or removed.
pub const SCHEMA: &str = "probity.assessment/1";

/// One run, judged and decided.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Document {
    /// `probity.assessment/1`.
    pub schema: String,
    /// When, by whom and on what ground the run was made.
    pub run: assessment::Run,
    /// The gate's decision.
    pub verdict: Decision,
    /// What was in scope.
    pub targets: Vec<Subject>,
    /// What was seen and derived.
    pub observations: Vec<Seen>,
    /// Every result, in the order of check, target, part and item.
    pub results: Vec<Judgement>,
    /// Every failure, and every waiver that ended or matches nothing.
    pub findings: Vec<Deviation>,
    /// What the results say of every control.
    pub controls: Vec<ControlRow>,
    /// What was not evaluated and why.
    pub blind_spots: Vec<BlindSpot>,
    /// The checks that gave results.
    pub checks: Vec<Rule>,
    /// Policy, overlays and waivers that it was judged under.
    pub judging: Judging,
    /// Digest of all checks as they were.
    pub catalogue_digest: String,
}

/// The gate's decision.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The process's exit code.
    pub exit: u8,
    /// Where the gate ended.
    pub gate: Gate,
    /// In words.
    pub reason: String,
    /// Why it is not conclusive, and what would settle it.
    pub causes: Vec<assessment::Cause>,
    /// What the gate accepted or ignored and a reader should know.
    pub notes: Vec<String>,
    /// What the run is beside a baseline, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<assessment::Beside>,
}

/// What was in scope.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// Unique in a run.
    pub id: String,
    /// What kind it is.
    pub kind: TargetKind,
    /// Host and port, or a path.
    pub address: String,
    /// The database engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<crate::model::target::Engine>,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// For example `production`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Where the configuration declares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<Place>,
}

/// Facts of one kind about one part of one target.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// Digest of the canonical record without this field.
    pub id: String,
    /// For example `tls.protocols`.
    pub kind: String,
    /// The target's id.
    pub target: String,
    /// The address and port, or empty.
    pub part: String,
    /// Which collector or derivation.
    pub collector: String,
    /// How it was come by.
    pub method: Method,
    /// Whether the look succeeded.
    pub status: ObservationStatus,
    /// When it was seen, RFC 3339.
    pub collected: String,
    /// When it stops being good evidence, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Why not wholly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// The facts.
    pub data: Map<String, Value>,
    /// The ids it was derived from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// What was asked and answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<Exchange>,
}

/// The result of one check for one item.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Judgement {
    /// The check's id.
    pub check: String,
    /// The check's version.
    pub version: String,
    /// Where the check came from.
    pub origin: String,
    /// SHA-256 of the check's file.
    pub digest: String,
    /// The target's id.
    pub target: String,
    /// The address and port, or empty.
    pub part: String,
    /// The item's key, or empty.
    pub item: String,
    /// How it ended.
    pub status: Status,
    /// How much a failure matters.
    pub severity: Severity,
    /// In words.
    pub reason: String,
    /// What the rule wants.
    pub expected: Value,
    /// What was seen.
    pub actual: Value,
    /// Ids of the observations it rests on.
    pub observations: Vec<String>,
    /// Parameters made laxer than the default.
    pub relaxed: Vec<String>,
    /// The failure is covered by an exception that the evidence itself records.
    pub accepted: bool,
}

/// A failure, or a waiver that is itself wanting.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Deviation {
    /// SHA-256 over check, target, part and item.
    pub fingerprint: String,
    /// The check's id, or `probity.waivers`.
    pub check: String,
    /// The target's id.
    pub target: String,
    /// The address and port, or empty.
    pub part: String,
    /// The item's key, or empty.
    pub item: String,
    /// How much it matters.
    pub severity: Severity,
    /// Open, or covered by a waiver.
    pub state: FindingState,
    /// In words.
    pub reason: String,
    /// RFC 3339.
    pub first_seen: String,
    /// RFC 3339.
    pub last_seen: String,
    /// The waiver's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiver: Option<String>,
}

/// What the results say of one control.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ControlRow {
    /// For example `soc2:CC6.7`.
    pub id: String,
    /// For example `soc2`.
    pub framework: String,
    /// In our words.
    pub title: String,
    /// What the evidence says.
    pub status: ControlStatus,
    /// Whether a check bears on the whole control, or all only on a part.
    pub relation: Relation,
    /// How many results bear on it.
    pub coverage: Coverage,
    /// The checks that bear on it.
    pub checks: Vec<String>,
    /// Fingerprints of the findings against it.
    pub findings: Vec<String>,
}

/// A check as people read it.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// The check's id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The good condition.
    pub title: String,
    /// How much a failure matters at most.
    pub severity: Severity,
    /// For people.
    pub docs: check::Docs,
}

/// The JSON Schema of the document.
pub fn schema() -> Value {
    schema_for!(Document).to_value()
}

pub(super) fn render(
    assessment: &Assessment,
    verdict: &Verdict,
    context: &Context<'_>,
) -> Result<Vec<u8>, RenderError> {
    let mut text = harmless_json(&serde_json::to_string_pretty(&document(assessment, verdict, context))?);
    text.push('\n');
    Ok(text.into_bytes())
}

fn document(assessment: &Assessment, verdict: &Verdict, context: &Context<'_>) -> Document {
    let ran = |id: &str| assessment.results.iter().any(|result| result.check == id);
    Document {
        schema: SCHEMA.to_owned(),
        run: assessment.run.clone(),
        verdict: decision(verdict),
        targets: assessment.targets.iter().map(subject).collect(),
        observations: assessment.observations.iter().map(seen).collect(),
        results: assessment.results.iter().map(judgement).collect(),
        findings: assessment.findings.iter().map(deviation).collect(),
        controls: assessment.controls.iter().map(control_row).collect(),
        blind_spots: assessment.blind_spots.clone(),
        checks: context.checks.values().filter(|check| ran(&check.id)).map(rule).collect(),
        judging: assessment.judging.clone(),
        catalogue_digest: assessment.catalogue_digest.clone(),
    }
}

fn decision(verdict: &Verdict) -> Decision {
    let Verdict { exit, gate, reason, causes, notes, beside } = verdict.clone();
    Decision { exit, gate, reason, causes, notes, beside }
}

fn subject(target: &Target) -> Subject {
    // `connection` stays here: how a target is reached is nobody else's business.
    let Target { id, kind, address, engine, labels, owner, environment, declared, connection: _ } = target.clone();
    Subject { id, kind, address, engine, labels, owner, environment, declared }
}

fn seen(observation: &Observation) -> Seen {
    let Observation {
        id,
        kind,
        target,
        part,
        collector,
        method,
        collected,
        expires,
        status,
        trouble,
        data,
        inputs,
        transcript,
    } = observation.clone();
    let (collected, expires) = (collected.to_string(), expires.map(|instant| instant.to_string()));
    Seen { id, kind, target, part, collector, method, status, collected, expires, trouble, data, inputs, transcript }
}

fn judgement(result: &CheckResult) -> Judgement {
    let CheckResult {
        check,
        version,
        origin,
        digest,
        target,
        part,
        item,
        status,
        severity,
        reason,
        expected,
        actual,
        observations,
        relaxed,
        accepted,
    } = result.clone();
    Judgement {
        check,
        version,
        origin,
        digest,
        target,
        part,
        item,
        status,
        severity,
        reason,
        expected,
        actual,
        observations,
        relaxed,
        accepted,
    }
}

fn deviation(finding: &finding::Finding) -> Deviation {
    let finding::Finding {
        fingerprint,
        check,
        target,
        part,
        item,
        severity,
        state,
        reason,
        first_seen,
        last_seen,
        waiver,
    } = finding.clone();
    let (first_seen, last_seen) = (first_seen.to_string(), last_seen.to_string());
    Deviation { fingerprint, check, target, part, item, severity, state, reason, first_seen, last_seen, waiver }
}

fn control_row(result: &control::ControlResult) -> ControlRow {
    let control::ControlResult { control, status, findings, coverage, checks, relation } = result.clone();
    let control::Control { id, framework, title } = control;
    ControlRow { id, framework, title, status, relation, coverage, checks, findings }
}

fn rule(check: &Check) -> Rule {
    let Check { id, version, title, severity, docs, .. } = check.clone();
    Rule { id, version, title, severity, docs }
}
