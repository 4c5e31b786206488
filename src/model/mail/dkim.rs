//! The text of a key record of DKIM (RFC 6376 section 3.6.1).

use data_encoding::BASE64_NOPAD;

/// The most characters of a key that are read.
const KEY: usize = 8_192;

/// A key record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `rsa` or `ed25519`.
    pub key_type: String,
    /// The key; empty where it is revoked.
    pub key: Vec<u8>,
    /// Receivers are to take mail with and without signature alike.
    pub testing: bool,
}

/// Reads a record.
///
/// # Errors
/// In words, where a receiver would not use it.
pub fn parse(text: &str) -> Result<Record, String> {
    let tags = super::tags(text);
    let find = |name: &str| tags.iter().find(|(seen, _)| seen == name).map(|(_, value)| *value);
    if find("v").is_some_and(|version| version != "DKIM1") {
        return Err("the record's version is not DKIM1".to_owned());
    }
    let key_type = find("k").unwrap_or("rsa").to_ascii_lowercase();
    if !["rsa", "ed25519"].contains(&key_type.as_str()) {
        return Err("the key is of a type that receivers do not know".to_owned());
    }
    let key = find("p").ok_or("the record has no key")?;
    if key.len() > KEY {
        return Err("the key is too long".to_owned());
    }
    let key = base64(key).ok_or("the key is not in base 64")?;
    let testing = find("t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "y"));
    Ok(Record { key_type, key, testing })
}

/// Bytes written in base 64, white space and padding aside. Bits left over at the end do not matter.
fn base64(text: &str) -> Option<Vec<u8>> {
    let text: String = text.split_ascii_whitespace().collect();
    let mut form = BASE64_NOPAD.specification();
    form.check_trailing_bits = false;
    form.encoding().ok()?.decode(text.trim_end_matches('=').as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        let record = parse("v=DKIM1; k=ed25519; t=s:y; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").unwrap();
        assert_eq!((record.key_type.as_str(), record.key.len(), record.testing), ("ed25519", 32, true));
        assert_eq!(parse("p=aGVs bG8=").unwrap().key, b"hello");
        assert!(parse("v=DKIM1; p=").unwrap().key.is_empty(), "revoked");
        for text in ["v=DKIM2; p=", "v=DKIM1", "k=dsa; p=", "p=a-b"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!("p={}", "A".repeat(9_000))).is_err());
    }
}
