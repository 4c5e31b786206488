//! Findings: failures over time, and the waivers that cover them.

use super::Severity;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a finding stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FindingState {
    /// Open.
    Open,
    /// Open and covered by a waiver in force.
    Waived,
}

/// A failure, tracked over runs by its fingerprint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// SHA-256 over check, target, part and item.
    pub fingerprint: String,
    /// The check's id, or `probity.waivers` for a waiver that is expired or matches nothing.
    pub check: String,
    /// The target's id.
    pub target: String,
    /// The address and port, or empty.
    pub part: String,
    /// The item's key, or empty.
    pub item: String,
    /// How much it matters.
    pub severity: Severity,
    /// Where it stands.
    pub state: FindingState,
    /// In words.
    pub reason: String,
    /// When it was first seen.
    #[schemars(with = "String")]
    pub first_seen: Timestamp,
    /// When it was last seen.
    #[schemars(with = "String")]
    pub last_seen: Timestamp,
    /// The id of the waiver that covers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiver: Option<String>,
}

/// An accepted deviation. It never rewrites a status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// Unique.
    pub id: String,
    /// The check's id.
    pub check: String,
    /// The target's id.
    pub target: String,
    /// Only this item, where given.
    #[serde(default)]
    pub item: Option<String>,
    /// Why it is accepted.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// Who approved it.
    pub approved_by: String,
    /// First day.
    #[schemars(with = "String")]
    pub created: Date,
    /// Last day; at most a year after `created`.
    #[schemars(with = "String")]
    pub expires: Date,
}
