//! A baseline: the failures that were there when it was taken, so that a gate can be shut for new ones alone.

use super::{Finding, FindingState, Severity};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the form of the file.
pub const SCHEMA: &str = "probity.baseline/1";

/// The failures of one run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// `probity.baseline/1`.
    pub schema: String,
    /// The run that it was taken from.
    pub run: String,
    /// When that run ended.
    pub taken: Timestamp,
    /// Its open findings.
    pub findings: Vec<Known>,
}

/// A failure that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// SHA-256 over check, target, part and item.
    pub fingerprint: String,
    /// The check's id.
    pub check: String,
    /// The target's id.
    pub target: String,
    /// The address and port, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub part: String,
    /// The item's key, or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub item: String,
    /// How much it mattered then.
    pub severity: Severity,
}

impl Baseline {
    /// The baseline of a run with these findings.
    pub fn of(run: &str, taken: Timestamp, findings: &[Finding]) -> Baseline {
        let open = findings.iter().filter(|finding| finding.state == FindingState::Open);
        let known = open.map(|finding| Known {
            fingerprint: finding.fingerprint.clone(),
            check: finding.check.clone(),
            target: finding.target.clone(),
            part: finding.part.clone(),
            item: finding.item.clone(),
            severity: finding.severity,
        });
        Baseline { schema: SCHEMA.to_owned(), run: run.to_owned(), taken, findings: known.collect() }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// In words, when it is not of the form.
    pub fn parse(bytes: &[u8]) -> Result<Baseline, String> {
        let baseline: Baseline =
            serde_json::from_slice(bytes).map_err(|error| format!("it is no baseline: {error}"))?;
        if baseline.schema == SCHEMA {
            Ok(baseline)
        } else {
            let schema: String = baseline.schema.chars().take(80).collect();
            Err(format!("it has the schema `{}`; this version reads `{SCHEMA}`", schema.escape_debug()))
        }
    }

    /// Whether the failure was there, and at least as grave.
    pub fn knows(&self, finding: &Finding) -> bool {
        self.findings.iter().any(|known| known.fingerprint == finding.fingerprint && known.severity >= finding.severity)
    }
}
