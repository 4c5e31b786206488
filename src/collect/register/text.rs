//! Makes free text of a register safe to keep: bounded, without control characters and addresses of persons.

use crate::model::{Reason, Trouble};
use serde_json::{Map, Value};

/// The longest text that is kept.
const MAX_CHARS: usize = 1_000;
/// What stands in the place of an address.
const WITHHELD: &str = "[address withheld]";

/// The same value with safe text and without empty fields.
///
/// # Errors
/// Where a list or mapping is longer than allowed: the outermost lists may be longer than those within.
pub fn clean(value: Value, outer: usize, inner: usize) -> Result<Value, Trouble> {
    match value {
        Value::Object(map) => {
            let mut cleaned = Map::new();
            for (key, value) in map.into_iter().filter(|(_, value)| !value.is_null()) {
                cleaned.insert(safe(&key), list(value, outer, inner)?);
            }
            Ok(Value::Object(cleaned))
        }
        other => list(other, outer, inner),
    }
}

fn list(value: Value, allowed: usize, inner: usize) -> Result<Value, Trouble> {
    match value {
        Value::String(text) => Ok(Value::String(safe(&text))),
        Value::Array(members) if members.len() > allowed => Err(too_large("list", allowed)),
        Value::Array(members) => members.into_iter().map(|member| list(member, inner, inner)).collect(),
        Value::Object(map) if map.len() > allowed => Err(too_large("mapping", allowed)),
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            kept.map(|(key, value)| Ok((safe(&key), list(value, inner, inner)?))).collect()
        }
        scalar => Ok(scalar),
    }
}

fn too_large(what: &str, allowed: usize) -> Trouble {
    Trouble::new(Reason::TooLarge, format!("a {what} of the register has more than {allowed} members"))
}

/// The text without control characters, without characters that turn the direction of writing, without words that
/// hold an address, and not longer than allowed.
fn safe(text: &str) -> String {
    let shown: String = text.chars().take(MAX_CHARS).map(|c| if is_hostile(c) { '\u{fffd}' } else { c }).collect();
    if !shown.contains('@') {
        return shown;
    }
    let words = shown.split(' ').map(|word| if word.contains('@') { WITHHELD } else { word });
    words.collect::<Vec<_>>().join(" ").chars().take(MAX_CHARS).collect()
}

fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
