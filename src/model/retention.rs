//! Retention schedules, periods and the cutoff, shared by collectors and checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A retention schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {}
