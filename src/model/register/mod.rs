//! The vendor register: organisation, vendors, agreements, transfers.
//!
//! A field that a rule asks for is optional here: its absence is a finding of the register, not an error of its form.
//! Names and addresses of persons are forgotten as they are read ([`Presence`]).

pub mod agreement;
pub mod assurance;
pub mod coverage;
pub mod organisation;
pub mod policy;
pub mod provenance;
pub mod rules;
pub mod transfer;
pub mod vendor;
mod words;

pub use agreement::{Clause, Dpa, DpaStatus};
pub use coverage::{Coverage, Ratio};
pub use organisation::Organisation;
pub use policy::VendorPolicy;
pub use provenance::{FieldSource, Provenance};
pub use rules::{Outcome, Row, Rules};
pub use transfer::{Mechanism, Regime, Transfer};
pub use vendor::{Vendor, VendorRole, VendorStatus};
pub use words::{Country, Presence};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A vendor register, and the data of the kind `vendor.register`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Register {
    /// Who keeps the register.
    pub organisation: Organisation,
    /// Limits of the vendor rules that the register's keeper set.
    pub policy: Option<RegisterPolicy>,
    /// The vendors, in the keeper's order.
    pub vendors: Vec<Vendor>,
}

/// The policy part of a register.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RegisterPolicy {
    /// Limits by name, as in [`VendorPolicy`]; what `probity.yaml` says goes before them.
    pub vendor: BTreeMap<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_vendor_needs_only_an_id() {
        let register: Register = serde_json::from_value(json!({"vendors": [{"id": "acme"}]})).unwrap();
        assert_eq!(register.vendors[0].id, "acme");
        assert_eq!(register.vendors[0].status, None);
        assert!(serde_json::from_value::<Register>(json!({"vendors": [{}]})).is_err());
    }

    #[test]
    fn what_is_not_in_the_tables_is_refused() {
        for bad in [
            json!({"vendor": []}),
            json!({"vendors": [{"id": "acme", "colour": "red"}]}),
            json!({"vendors": [{"id": "Acme Ltd"}]}),
            json!({"vendors": [{"id": "a"}]}),
            json!({"vendors": [{"id": "acme", "status": "live"}]}),
            json!({"vendors": [{"id": "acme", "dpa": {"clauses": {"scope": true}}}]}),
            json!({"vendors": [{"id": "acme", "dpa": {"clauses": {"scop": "yes"}}}]}),
            json!({"vendors": [{"id": "acme", "dpa": {"signed_on": "2026-02-30"}}]}),
            json!({"vendors": [{"id": "acme", "locations": [{"country": "us"}]}]}),
            json!({"vendors": [{"id": "acme", "records_estimate": -1}]}),
            json!({"vendors": [{"id": "acme", "records_estimate": 900_000_000_000_000_u64}]}),
            json!({"vendors": [{"id": "acme", "subprocessors": "some"}]}),
            json!({"vendors": [{"id": "acme", "breach_notice_hours": "soon"}]}),
            json!({"organisation": {"time_zone": "Europe/Atlantis"}}),
        ] {
            assert!(serde_json::from_value::<Register>(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn persons_are_forgotten_as_they_are_read() {
        let register: Register = serde_json::from_value(json!({
            "organisation": {"dpo": {"required": true, "name": "Ann Example", "email": "ann@example.com"}},
            "vendors": [{"id": "acme", "owner": "Bob Example", "notes": "ask Bob",
                "contacts": {"privacy_email": "carol@example.net", "dpo": {"name": "Dan", "email": "dan@example.net"}},
                "exceptions": [{"rule": "vendor.dpa.none", "reason": "pilot", "approved_by": "Eve"}]}]
        }))
        .unwrap();
        let text = serde_json::to_string(&register).unwrap();
        for person in ["Ann", "ann@", "Bob", "carol", "Dan", "dan@", "Eve"] {
            assert!(!text.contains(person), "{person} in {text}");
        }
        let again: Register = serde_json::from_str(&text).unwrap();
        assert_eq!(again, register);
        assert!(again.vendors[0].owner.given());
    }
}
