//! `tls.policy`: what an endpoint shows, set against the policies that were chosen.

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `tls.policy`: a row for each policy that was chosen, and one for each of its rules.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Policies {
    /// The policies, in the order in which they were chosen.
    pub policies: Vec<PolicyResult>,
    /// Their rules, in the order of the policies and of their files.
    pub rules: Vec<PolicyRule>,
}

/// The result of one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyResult {
    /// For example `mozilla-intermediate`, or `mozilla-old@5.7` where an edition was chosen.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// The edition that its rules follow.
    pub edition: String,
    /// `met`, `not_met` or `undetermined`.
    pub result: String,
    /// Every rule of level `must` holds; unknown where one is not known and none is broken.
    pub met: Fact<bool>,
    /// The rules that decide the result: those broken, or else those not known.
    pub because: Vec<String>,
    /// Rules of level `should` that are broken.
    pub warnings: Vec<String>,
}

/// One rule of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRule {
    /// The policy as it was chosen.
    pub policy: String,
    /// For example `PCI.versions`.
    pub id: String,
    /// The good condition, in words of our own.
    pub title: String,
    /// `must`, `should` or `info`.
    pub level: String,
    /// How much a breach matters.
    pub severity: String,
    /// `holds`, `broken`, `unknown` or `not-applicable`.
    pub result: String,
    /// The rule concerns this endpoint, or that is not known.
    pub applies: bool,
    /// Whether it holds.
    pub holds: Fact<bool>,
    /// The values that break it.
    pub offending: Vec<String>,
    /// In words.
    pub reason: String,
    /// Where the document says it.
    pub reference: String,
    /// The reference was compared with the text of the document.
    pub verified: bool,
}
