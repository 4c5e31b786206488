//! Between JSON, in which evidence is kept, and the values of the rule language.

use cel::Value as Cel;
use cel::objects::{Key, Map};
use serde_json::{Number, Value as Json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The CEL value of a JSON value. Every whole number that fits is an `int`, since in CEL `uint - int` is an error.
pub(super) fn to_cel(value: &Json) -> Cel {
    match value {
        Json::Null => Cel::Null,
        Json::Bool(truth) => Cel::Bool(*truth),
        Json::Number(number) => number_to_cel(number),
        Json::String(text) => Cel::String(Arc::new(text.clone())),
        Json::Array(members) => Cel::List(Arc::new(members.iter().map(to_cel).collect())),
        Json::Object(fields) => {
            let map: HashMap<Key, Cel> =
                fields.iter().map(|(name, value)| (Key::from(name.as_str()), to_cel(value))).collect();
            Cel::Map(Map { map: Arc::new(map) })
        }
    }
}

fn number_to_cel(number: &Number) -> Cel {
    if let Some(whole) = number.as_i64() {
        Cel::Int(whole)
    } else if let Some(whole) = number.as_u64() {
        Cel::UInt(whole)
    } else {
        Cel::Float(number.as_f64().unwrap_or(f64::NAN))
    }
}

/// The JSON value of a CEL value, or `None` where there is none.
pub(super) fn to_json(value: &Cel) -> Option<Json> {
    Some(match value {
        Cel::Null => Json::Null,
        Cel::Bool(truth) => Json::Bool(*truth),
        Cel::Int(whole) => Json::from(*whole),
        Cel::UInt(whole) => Json::from(*whole),
        Cel::Float(number) => Json::Number(Number::from_f64(*number)?),
        Cel::String(text) => Json::String(text.to_string()),
        Cel::List(members) => Json::Array(members.iter().map(to_json).collect::<Option<_>>()?),
        Cel::Map(fields) => {
            // The order of a hash map is another one each time: results must not depend on it.
            let sorted: BTreeMap<String, &Cel> =
                fields.map.iter().map(|(key, value)| (key.to_string(), value)).collect();
            let pairs = sorted.into_iter().map(|(key, value)| Some((key, to_json(value)?)));
            Json::Object(pairs.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_numbers_are_ints_and_fractions_floats() {
        assert_eq!(to_cel(&json!(7)), Cel::Int(7));
        assert!(matches!(to_cel(&json!(u64::MAX)), Cel::UInt(u64::MAX)));
        assert!(matches!(to_cel(&json!(93.0)), Cel::Float(_)));
    }

    #[test]
    fn json_survives_both_ways() {
        let value = json!({"a": [1, -2, 1.5, "x", null, true], "b": {"unknown": "why"}});
        assert_eq!(to_json(&to_cel(&value)), Some(value));
    }
}
