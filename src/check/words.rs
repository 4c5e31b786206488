//! Reasons in words. What comes from a peer is cut, and its control characters are escaped.

use crate::model::digest::sha256;
use crate::model::{Observation, ObservationStatus};
use serde_json::Value;

/// The longest value that is shown, in characters.
const MAX_CHARS: usize = 200;
/// The longest text, and the most members of a list, that a result keeps.
const MAX_KEPT: usize = 1_000;

/// What was seen against what is wanted.
pub(super) fn seen(expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::Null, Value::Null) => None,
        (Value::Null, actual) => Some(format!("seen {}", shown(actual))),
        (expected, Value::Null) => Some(format!("expected {}", shown(expected))),
        (expected, actual) => Some(format!("seen {}; expected {}", shown(actual), shown(expected))),
    }
}

/// A value for people.
pub(super) fn shown(value: &Value) -> String {
    clean(&match value {
        Value::Null => "nothing".to_owned(),
        Value::String(text) if text.is_empty() => "nothing".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(members) if members.is_empty() => "none".to_owned(),
        Value::Array(members) if members.iter().all(|member| !member.is_array() && !member.is_object()) => {
            members.iter().map(shown).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    })
}

/// Text that is safe to show: bounded, and without characters that steer a terminal or turn the reading direction.
pub(super) fn clean(text: &str) -> String {
    let mut out = String::new();
    for (count, letter) in text.chars().enumerate() {
        if count >= MAX_CHARS {
            out.push('…');
            break;
        }
        let steers = letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
        if steers { out.extend(letter.escape_unicode()) } else { out.push(letter) }
    }
    out
}

/// A value that is kept in a result: long texts and lists of a peer are cut.
pub(super) fn bounded(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > MAX_KEPT => {
            Value::String(text.chars().take(MAX_KEPT).chain(['…']).collect())
        }
        Value::Array(members) => Value::Array(members.into_iter().take(MAX_KEPT).map(bounded).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().take(MAX_KEPT).map(|(name, field)| (name, bounded(field))).collect())
        }
        other => other,
    }
}

/// The key of an item as it is shown: safe, and still its own where it is long.
pub(super) fn key(key: &str) -> String {
    if key.chars().count() <= MAX_CHARS {
        return clean(key);
    }
    let digest = sha256(key.as_bytes());
    format!("{}{}", clean(key), digest.get(..12).unwrap_or_default())
}

/// What is wrong with an observation that is not complete.
pub(super) fn trouble(observation: &Observation) -> String {
    let why = match &observation.trouble {
        Some(trouble) => clean(&trouble.to_string()),
        None => "no reason was recorded".to_owned(),
    };
    match observation.status {
        ObservationStatus::Partial => format!("the evidence of {} is partial: {why}", observation.kind),
        _ => format!("no evidence of {}: {why}", observation.kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reasons_name_both_values() {
        let reason = seen(&json!("TLSv1.2 or newer"), &json!("TLSv1.0"));
        assert_eq!(reason.as_deref(), Some("seen TLSv1.0; expected TLSv1.2 or newer"));
        assert_eq!(shown(&json!(["a", 2, true])), "a, 2, yes");
        assert_eq!(shown(&json!([])), "none");
    }

    #[test]
    fn long_keys_stay_apart() {
        let (a, b) = ("x".repeat(300) + "a", "x".repeat(300) + "b");
        assert_ne!(key(&a), key(&b));
        assert_eq!(key("TLSv1.2"), "TLSv1.2");
    }

    #[test]
    fn a_peer_cannot_steer_the_terminal_nor_flood_it() {
        assert_eq!(clean("a\u{1b}[2J\u{202e}b"), "a\\u{1b}[2J\\u{202e}b");
        assert_eq!(clean(&"x".repeat(5000)).chars().count(), MAX_CHARS + 1);
    }
}
