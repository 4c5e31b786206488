//! The vendor register: organisation, vendors, agreements, transfers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A vendor register.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {}
