//! What a person decided about judging: it travels with the observations, so that they can be judged again alone.

use super::{Severity, Waiver};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything beside observations and checks that judging reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Judging {
    /// The gate and the frameworks.
    pub policy: Policy,
    /// Overlays by check id.
    pub checks: BTreeMap<String, Overlay>,
    /// Accepted deviations.
    pub waivers: Vec<Waiver>,
}

/// The gate and the frameworks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// A failure at or above this severity fails the gate.
    pub fail_on: Severity,
    /// The frameworks shown in reports.
    pub frameworks: Vec<String>,
    /// Per cent of results that must have been judged.
    pub min_coverage: u8,
    /// Open results that the gate accepts, each with a reason.
    pub allow_inconclusive: Vec<Allowance>,
    /// Limits of the vendor rules, by name; those not given have the defaults of `checks/profiles/vendor.yaml`.
    pub vendor: BTreeMap<String, Value>,
    /// The policies for TLS that endpoints are set against, for example `mozilla-intermediate` and `pci`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tls: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            fail_on: Severity::High,
            frameworks: vec!["soc2".to_owned(), "gdpr".to_owned()],
            min_coverage: 100,
            allow_inconclusive: Vec::new(),
            vendor: BTreeMap::new(),
            tls: Vec::new(),
        }
    }
}

/// An open result that the gate accepts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The target's id.
    pub target: String,
    /// Only this check, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
    /// Why.
    pub reason: String,
    /// Last day; for ever where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires: Option<jiff::civil::Date>,
}

/// A user's change to a check. It never replaces a rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Overlay {
    /// Another severity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Other values of parameters.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, Value>,
    /// Off, with a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
