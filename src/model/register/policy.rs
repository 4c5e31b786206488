//! The limits that the vendor rules use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Every limit of the vendor rules. The defaults are data: `checks/profiles/vendor.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VendorPolicy {
    /// Months between reviews of an agreement.
    pub dpa_review_months: u32,
    /// Months between security reviews.
    pub security_review_months: ReviewMonths,
    /// Months after which a penetration test is old.
    pub pentest_max_months: u32,
    /// Months after which a penetration test is too old.
    pub pentest_fail_months: u32,
    /// Days that a bridge letter may cover.
    pub soc2_bridge_max_days: u32,
    /// Days after which a SOC 2 report is spent.
    pub soc2_stale_days: u32,
    /// Days that a Type I report counts.
    pub soc2_type1_max_days: u32,
    /// Days of notice before an end.
    pub expiry_notice_days: u32,
    /// Hours that a breach notice may take.
    pub breach_notice_max_hours: u32,
    /// Hours above which a breach notice is tight.
    pub breach_notice_warn_hours: u32,
    /// Days of notice before a new sub-processor.
    pub subprocessor_notice_min_days: u32,
    /// Days that deletion may take.
    pub deletion_max_days: u32,
    /// Months that a transfer impact assessment counts.
    pub tia_max_months: u32,
    /// Months between surveillance audits.
    pub iso_surveillance_max_months: u32,
    /// The score from which an undeclared vendor counts.
    pub discovery_min_score: u32,
    /// Whether an entry of the public list of binding corporate rules is asked for.
    pub require_bcr_list_check: bool,
}

/// Months between security reviews, by criticality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewMonths {
    /// Low.
    pub low: u32,
    /// Medium.
    pub medium: u32,
    /// High.
    pub high: u32,
    /// Critical.
    pub critical: u32,
}

/// A limit that differs from its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyOverride {
    /// Its name.
    pub name: String,
    /// What is used.
    pub value: Value,
    /// What would be used otherwise.
    pub default: Value,
}

impl VendorPolicy {
    /// The same with these values, a later set before an earlier one, and what then differs.
    ///
    /// # Errors
    /// For a name that does not exist or a value of another type, in words for the user.
    pub fn with(&self, sets: &[&BTreeMap<String, Value>]) -> Result<(VendorPolicy, Vec<PolicyOverride>), String> {
        let defaults = match serde_json::to_value(self) {
            Ok(Value::Object(map)) => map,
            _ => Map::new(),
        };
        let mut merged = defaults.clone();
        for (name, value) in sets.iter().copied().flatten() {
            let Some(place) = merged.get_mut(name) else {
                let known = defaults.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                return Err(format!("policy.vendor has no limit of this name; it has {known}"));
            };
            match (place, value) {
                // A part of a map sets only that part.
                (Value::Object(place), Value::Object(part)) => place.extend(part.clone()),
                (place, value) => *place = value.clone(),
            }
        }
        let policy = serde_json::from_value(Value::Object(merged.clone()))
            .map_err(|error| format!("policy.vendor has a value of another type: {error}"))?;
        let overrides = merged
            .into_iter()
            .filter_map(|(name, value)| {
                let default = defaults.get(&name)?.clone();
                (default != value).then_some(PolicyOverride { name, value, default })
            })
            .collect();
        Ok((policy, overrides))
    }
}
