//! The strings of a register that have a form.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::borrow::Cow;
use std::fmt;

/// Whether something personal was written: the text itself is forgotten as it is read.
///
/// A register may also say `true` or `false`, so that it need not hold the person's name at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Presence(bool);

impl Presence {
    /// True where something was written.
    pub fn given(self) -> bool {
        self.0
    }
}

impl From<bool> for Presence {
    fn from(given: bool) -> Presence {
        Presence(given)
    }
}

impl<'de> Deserialize<'de> for Presence {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Presence, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Presence;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or true or false in its place")
            }
            fn visit_bool<E>(self, given: bool) -> Result<Presence, E> {
                Ok(Presence(given))
            }
            fn visit_str<E>(self, text: &str) -> Result<Presence, E> {
                Ok(Presence(!text.trim().is_empty()))
            }
            fn visit_unit<E>(self) -> Result<Presence, E> {
                Ok(Presence(false))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Presence {
    fn schema_name() -> Cow<'static, str> {
        "Presence".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "string"], "description": "A text that is kept only as whether it is there." })
    }
}

/// A country: ISO 3166-1 alpha-2 in capitals, or `XEPO` for the European Patent Organisation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
pub struct Country(String);

impl Country {
    /// The country of this code, if it has the form of one.
    pub fn new(code: &str) -> Option<Country> {
        let alpha2 = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        (alpha2 || code == "XEPO").then(|| Country(code.to_owned()))
    }

    /// The code.
    pub fn code(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Country, D::Error> {
        let code = String::deserialize(deserializer)?;
        Country::new(&code)
            .ok_or_else(|| D::Error::custom("a country is two capital letters of ISO 3166-1, for example IE"))
    }
}

/// Reads a slug: what ids of vendors are made of.
pub(super) fn slug<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let fits = (2..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits { Ok(text) } else { Err(D::Error::custom("an id is 2 to 64 lower-case letters, digits and hyphens")) }
}

/// Reads the name of a time zone that the bundled database knows.
pub(super) fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Some(name) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    match jiff::tz::TimeZone::get(&name) {
        Ok(_) => Ok(Some(name)),
        Err(_) => Err(D::Error::custom("the time zone is not in the IANA database; an example is Europe/Dublin")),
    }
}

/// Reads a number of persons, which is at most a hundred times mankind, so that sums stay exact.
pub(super) fn persons<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Option::<u64>::deserialize(deserializer)? {
        Some(number) if number > 1_000_000_000_000 => {
            Err(D::Error::custom("an estimate of data subjects is at most 1000000000000"))
        }
        number => Ok(number),
    }
}
