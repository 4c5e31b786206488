//! The result of one check for one item.

use super::{Severity, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A result; made only by the builder in `check`, which refuses a pass on incomplete evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    /// The check's id.
    pub check: String,
    /// The check's version.
    pub version: String,
    /// Where the check came from: `built-in` or a path.
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
    /// In words: what was seen against what is wanted, or why it could not be judged.
    pub reason: String,
    /// What the rule wants.
    pub expected: Value,
    /// What was seen.
    pub actual: Value,
    /// Ids of the observations it rests on.
    pub observations: Vec<String>,
    /// Parameters made laxer than the default: the result then supports no control.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relaxed: Vec<String>,
    /// The failure is covered by an exception that the evidence itself records, such as one in a vendor register.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accepted: bool,
}
