//! A fact that may be unknown.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Unknown {
    /// The reason, for people.
    pub unknown: String,
}

/// Written by hand, since a derived one also takes a list of one text: a known list would be read as unknown.
impl<'de> Deserialize<'de> for Unknown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unknown, D::Error> {
        let mut map = BTreeMap::<String, String>::deserialize(deserializer)?;
        match map.remove("unknown") {
            Some(unknown) if map.is_empty() => Ok(Unknown { unknown }),
            _ => Err(D::Error::custom("an unknown fact has the field `unknown` alone")),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_list_of_one_text_stays_known() {
        let known = Fact::Known(vec!["one".to_owned()]);
        let read: Fact<Vec<String>> = serde_json::from_value(serde_json::to_value(&known).unwrap()).unwrap();
        assert_eq!(read, known);
        let unknown = Fact::<Vec<String>>::unknown("not seen");
        let read: Fact<Vec<String>> = serde_json::from_value(serde_json::to_value(&unknown).unwrap()).unwrap();
        assert_eq!(read, unknown);
        assert!(serde_json::from_str::<Fact<u64>>(r#"{"unknown": "a", "more": "b"}"#).is_err());
    }
}
