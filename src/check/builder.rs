//! The only place where a result is made. It refuses a pass that does not rest on complete evidence, and a fail that
//! cites none.

use super::compiled::Compiled;
use super::words;
use crate::model::{CheckResult, Observation, ObservationStatus, Severity, Status};
use serde_json::Value;

/// Makes the result of one check for one item.
pub(super) struct ResultBuilder<'a> {
    compiled: &'a Compiled,
    target: &'a str,
    part: &'a str,
    item: String,
    severity: Severity,
    expected: Value,
    actual: Value,
    evidence: &'a [&'a Observation],
    accepted: bool,
}

impl<'a> ResultBuilder<'a> {
    /// A result about this part of this target, resting on these observations.
    pub(super) fn new(
        compiled: &'a Compiled,
        target: &'a str,
        part: &'a str,
        evidence: &'a [&'a Observation],
    ) -> ResultBuilder<'a> {
        let severity = compiled.severity;
        let (expected, actual) = (Value::Null, Value::Null);
        ResultBuilder {
            compiled,
            target,
            part,
            item: String::new(),
            severity,
            expected,
            actual,
            evidence,
            accepted: false,
        }
    }

    /// About this item.
    pub(super) fn item(mut self, key: &str) -> Self {
        self.item = words::key(key);
        self
    }

    /// With this severity.
    pub(super) fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Covered, should it be a failure, by an exception that the item records.
    pub(super) fn accepted(mut self, accepted: bool) -> Self {
        self.accepted = accepted;
        self
    }

    /// With what is wanted and what is seen.
    pub(super) fn values(mut self, expected: Value, actual: Value) -> Self {
        self.expected = words::bounded(expected);
        self.actual = words::bounded(actual);
        self
    }

    /// The result, or a weaker one where the evidence does not carry this status.
    pub(super) fn end(self, status: Status, reason: impl Into<String>) -> CheckResult {
        let reason = reason.into();
        let incomplete = self.evidence.iter().find(|observation| observation.status != ObservationStatus::Complete);
        let (status, reason) = match (status, incomplete) {
            (Status::Pass, Some(observation)) => {
                (Status::NotEvaluated, format!("{reason}; yet {}", words::trouble(observation)))
            }
            (Status::Pass, None) if self.evidence.is_empty() => {
                (Status::NotEvaluated, "there is no evidence to rest a pass on".to_owned())
            }
            (Status::Fail, _) if self.evidence.is_empty() => {
                (Status::Error, "a fail must cite the evidence that shows it".to_owned())
            }
            (status, _) => (status, reason),
        };
        let check = &self.compiled.check;
        CheckResult {
            check: check.id.clone(),
            version: check.version.clone(),
            origin: check.origin.clone(),
            digest: check.digest.clone(),
            target: self.target.to_owned(),
            part: self.part.to_owned(),
            item: self.item,
            status,
            severity: self.severity,
            reason,
            expected: self.expected,
            actual: self.actual,
            observations: self.evidence.iter().map(|observation| observation.id.clone()).collect(),
            relaxed: self.compiled.relaxed.clone(),
            accepted: self.accepted && status == Status::Fail,
        }
    }
}
