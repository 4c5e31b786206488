//! Canonical JSON (RFC 8785 for what we write: sorted keys, no white space, whole numbers) and SHA-256.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Lower-case hexadecimal of these bytes.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// SHA-256 of these bytes, as 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The canonical JSON text of a value: keys sorted, no white space.
///
/// # Errors
/// When the value cannot be written as JSON.
pub fn canonical<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    let value = serde_json::to_value(value)?;
    let mut out = String::new();
    write(&value, &mut out)?;
    Ok(out)
}

/// `sha256:` and the digest of the canonical JSON of a value.
///
/// # Errors
/// When the value cannot be written as JSON.
pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    Ok(format!("sha256:{}", sha256(canonical(value)?.as_bytes())))
}

fn write(value: &Value, out: &mut String) -> Result<(), serde_json::Error> {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            // RFC 8785 section 3.2.3: keys are ordered by their UTF-16 code units.
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (n, key) in keys.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(key)?);
                out.push(':');
                write(&map[key.as_str()], out)?;
            }
            out.push('}');
        }
        // RFC 8785 section 3.2.2.3: a whole number has no fraction, however it is held (95.0 is written 95).
        Value::Number(number) => match number.as_f64().filter(|float| number.is_f64() && is_whole(*float)) {
            Some(whole) => out.push_str(&format!("{}", whole as i64)),
            None => out.push_str(&number.to_string()),
        },
        scalar => out.push_str(&serde_json::to_string(scalar)?),
    }
    Ok(())
}

/// Whether a float is a whole number that it holds exactly.
fn is_whole(float: f64) -> bool {
    float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn canonical_json_sorts_keys_and_drops_space() {
        let text = canonical(&json!({"b": [1, 90.0, 91.5, {"z": null, "a": "é\n"}], "a": true})).unwrap();
        assert_eq!(text, "{\"a\":true,\"b\":[1,90,91.5,{\"a\":\"é\\n\",\"z\":null}]}");
    }

    #[test]
    fn whole_numbers_have_no_fraction() {
        assert_eq!(
            canonical(&json!([95.0, 91.5, -3.0, -0.0, 7, u64::MAX])).unwrap(),
            "[95,91.5,-3,0,7,18446744073709551615]"
        );
    }

    #[test]
    fn digest_is_that_of_sha256sum() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
