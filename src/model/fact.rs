//! A fact that may be unknown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value, or the reason why it is not known, written `{"unknown": REASON}` in the value's place.
///
/// A rule that reads an unknown fact is not evaluated, so one unknown spoils only what reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Fact<T> {
    /// Not known.
    Unknown(Unknown),
    /// Known.
    Known(T),
}

/// Why a fact is not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unknown {
    /// The reason, for people.
    pub unknown: String,
}

impl<T> Fact<T> {
    /// An unknown fact.
    pub fn unknown(reason: impl Into<String>) -> Fact<T> {
        Fact::Unknown(Unknown { unknown: reason.into() })
    }

    /// The value, if known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Fact::Known(value) => Some(value),
            Fact::Unknown(_) => None,
        }
    }

    /// The reason, if unknown.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Fact::Known(_) => None,
            Fact::Unknown(unknown) => Some(&unknown.unknown),
        }
    }
}

impl<T> From<T> for Fact<T> {
    fn from(value: T) -> Self {
        Fact::Known(value)
    }
}

impl<T> Default for Fact<T> {
    fn default() -> Self {
        Fact::unknown("not looked at")
    }
}
