//! Where a field of a vendor comes from.

use crate::model::words::words;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the value of a field comes from, and what shows it. A plain value is its owner's word.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// What kind of source it is.
    pub source: FieldSource,
    /// The ids of the evidence on file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// The day on which it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub observed_on: Option<Date>,
}

words! {
    /// What kind of source a value has, the weakest first.
    FieldSource {
        /// Someone says so.
        Attestation = "attestation",
        /// Traces from outside suggest it.
        Discovered = "discovered",
        /// A document on file states it.
        Document = "document",
        /// The system that governs it was read.
        ControlPlane = "control_plane",
    }
}
