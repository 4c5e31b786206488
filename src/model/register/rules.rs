//! The data of the kind `vendor.rules`: the rules of the vendor tables, judged.

use super::policy::PolicyOverride;
use super::provenance::FieldSource;
use crate::model::words::words;
use crate::model::{Fact, Severity};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `vendor.rules`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rules {
    /// The day of judgement, in the organisation's time zone.
    #[schemars(with = "String")]
    pub as_of: Date,
    /// The version of the law tables used.
    pub law_data_version: String,
    /// What must be confirmed before an entry of the law tables is relied on.
    pub law_notes: Vec<LawNote>,
    /// Limits that differ from their defaults.
    pub policy_overrides: Vec<PolicyOverride>,
    /// The rows, in the order of the register.
    pub rows: Vec<Row>,
}

/// What must be confirmed before an entry of the law tables is relied on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LawNote {
    /// The id of the entry.
    pub entry: String,
    /// What is open.
    pub note: String,
}

/// One rule for one vendor, or for one transfer of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// The check it belongs to.
    pub check: String,
    /// The rule's id.
    pub rule: String,
    /// The vendor's id, with `#2` and so on where the id is used again; or `(organisation)`.
    pub subject: String,
    /// Names the row; unique.
    pub key: String,
    /// Whether the rule concerns the subject at all.
    pub applies: bool,
    /// Whether the good condition holds.
    pub holds: Fact<bool>,
    /// How it ended, in the words of the tables, which keep `warn` apart from `fail`.
    pub result: Outcome,
    /// How much a failure matters.
    pub severity: Severity,
    /// Which fact and which article.
    pub reason: String,
    /// An exception of the register that is in force accepts the failure.
    pub accepted: bool,
    /// The weakest source of the fields that the check reads, where one of them says where it comes from; where none
    /// does, all are the owner's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weakest_source: Option<FieldSource>,
}

words! {
    /// How a rule ended.
    Outcome {
        /// The good condition holds.
        Pass = "pass",
        /// It does not.
        Fail = "fail",
        /// It does not, and that alone leaves the vendor partly covered.
        Warn = "warn",
        /// A fact is absent.
        Unknown = "unknown",
        /// The rule does not concern the subject.
        NotApplicable = "not_applicable",
        /// The good condition holds, and something is worth knowing.
        Info = "info",
        /// A person must decide.
        Review = "review",
    }
}
