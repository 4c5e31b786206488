//! The header of a LUKS volume, version 1 and 2, as cryptsetup writes it.
//!
//! It says by which cipher the volume is encrypted; the keys in it are not looked at.

use super::WireError;
use super::cursor::Reader;
use crate::model::digest;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What every header begins with.
pub const MAGIC: &[u8; 6] = b"LUKS\xba\xbe";
/// The part of the header that has a fixed form.
pub const HEAD: usize = 4096;
/// The largest header of version 2 with its JSON.
pub const BYTES: usize = 4 << 20;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// 1 or 2.
    pub version: u16,
    /// The volume's own number, as it is written: with dashes.
    pub uuid: String,
    /// The ciphers of all parts in use, as dm-crypt names them: `aes-xts-plain64`.
    pub ciphers: BTreeSet<String>,
    /// Bytes of the volume's key, where all key slots agree.
    pub key_bytes: Option<u32>,
    /// How passphrases become keys: `argon2id`, `pbkdf2`.
    pub kdfs: BTreeSet<String>,
    /// Every part in use is encrypted; false while a volume is on its way to or from encryption.
    pub whole: bool,
}

/// How many bytes the header has, from its first [`HEAD`] ones; `None` where this is no LUKS volume.
///
/// # Errors
/// Where it is one of a version or a size that is not known.
pub fn length(head: &[u8]) -> Result<Option<usize>, WireError> {
    if !head.starts_with(MAGIC) {
        return Ok(None);
    }
    let mut reader = Reader::new(head, "LUKS header");
    reader.take(MAGIC.len())?;
    match reader.u16()? {
        1 => Ok(Some(HEAD)),
        2 => {
            let size = usize::try_from(u64::from_be_bytes(reader.array()?)).unwrap_or(usize::MAX);
            if size > BYTES {
                return Err(WireError::TooLarge("LUKS header"));
            }
            // The sizes that the format allows.
            if size.is_power_of_two() && size >= 4 * HEAD { Ok(Some(size)) } else { Err(reader.malformed()) }
        }
        _ => Err(WireError::Malformed("version of a LUKS header")),
    }
}

/// Reads a whole header.
///
/// # Errors
/// Where it is damaged, or of a form that is not known.
pub fn parse(bytes: &[u8]) -> Result<Header, WireError> {
    let mut reader = Reader::new(bytes, "LUKS header");
    if reader.take(MAGIC.len())? != MAGIC {
        return Err(reader.malformed());
    }
    match reader.u16()? {
        1 => first(reader),
        2 => second(bytes),
        _ => Err(WireError::Malformed("version of a LUKS header")),
    }
}

fn first(mut reader: Reader<'_>) -> Result<Header, WireError> {
    let (cipher, mode) = (name(reader.take(32)?)?, name(reader.take(32)?)?);
    reader.take(32 + 4)?;
    let key_bytes = u32::from_be_bytes(reader.array()?);
    reader.take(168 - 112)?;
    Ok(Header {
        version: 1,
        uuid: name(reader.take(40)?).unwrap_or_default(),
        ciphers: BTreeSet::from([format!("{cipher}-{mode}")]),
        key_bytes: (key_bytes <= 512).then_some(key_bytes),
        kdfs: BTreeSet::from(["pbkdf2".to_owned()]),
        whole: true,
    })
}

/// A name that zeros end.
fn name(field: &[u8]) -> Result<String, WireError> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let (text, _) = field.split_at_checked(end).unwrap_or((field, &[]));
    let known = |byte: &u8| byte.is_ascii_graphic();
    match std::str::from_utf8(text) {
        Ok(text) if !text.is_empty() && text.bytes().all(|byte| known(&byte)) => Ok(text.to_owned()),
        _ => Err(WireError::Malformed("name in a LUKS header")),
    }
}

fn second(bytes: &[u8]) -> Result<Header, WireError> {
    let damaged = WireError::Malformed("LUKS header");
    let size = length(bytes)?.ok_or_else(|| damaged.clone())?;
    let whole = bytes.get(..size).ok_or_else(|| damaged.clone())?;
    let mut reader = Reader::new(whole, "LUKS header");
    reader.take(72)?;
    let algorithm = name(reader.take(32)?)?;
    if algorithm != "sha256" {
        return Err(WireError::Malformed("checksum of a LUKS header, which is of a kind that is not known"));
    }
    reader.take(168 - 104)?;
    let uuid = name(reader.take(40)?).unwrap_or_default();
    reader.take(448 - 208)?;
    let expected = digest::hex(reader.take(32)?);
    let mut blank = whole.to_vec();
    if let Some(place) = blank.get_mut(448..512) {
        place.fill(0);
    }
    if digest::sha256(&blank) != expected {
        return Err(WireError::Malformed("LUKS header, which does not have its own checksum"));
    }
    Ok(Header { uuid, ..areas(whole.get(HEAD..).unwrap_or_default())? })
}

#[derive(Deserialize)]
struct Areas {
    #[serde(default)]
    keyslots: BTreeMap<String, Slot>,
    segments: BTreeMap<String, Segment>,
}

#[derive(Deserialize)]
struct Slot {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    key_size: Option<u32>,
    #[serde(default)]
    kdf: Option<Kdf>,
}

#[derive(Deserialize)]
struct Kdf {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct Segment {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    encryption: Option<String>,
    #[serde(default)]
    flags: Vec<String>,
}

/// Reads the JSON of version 2, which zeros end. It does not hold the volume's number.
///
/// # Errors
/// Where it is not of the form that the format has, or names more than any volume has.
pub fn areas(json: &[u8]) -> Result<Header, WireError> {
    let malformed = || WireError::Malformed("JSON of a LUKS header");
    let end = json.iter().position(|byte| *byte == 0).unwrap_or(json.len());
    let text = json.get(..end).unwrap_or_default();
    let areas: Areas = serde_json::from_slice(text).map_err(|_| malformed())?;
    // The format has 32 key slots; a volume that is being changed has a handful of segments.
    if areas.keyslots.len() > 64 || areas.segments.len() > 64 {
        return Err(WireError::TooLarge("JSON of a LUKS header"));
    }
    let live = areas.segments.values().filter(|part| !part.flags.iter().any(|flag| flag.starts_with("backup-")));
    let (mut ciphers, mut whole, mut any) = (BTreeSet::new(), true, false);
    for part in live {
        any = true;
        match &part.encryption {
            Some(cipher) if part.kind == "crypt" => {
                ciphers.insert(name(cipher.as_bytes())?);
            }
            _ => whole = false,
        }
    }
    if !any {
        return Err(malformed());
    }
    let slots = || areas.keyslots.values().filter(|slot| slot.kind == "luks2");
    let sizes: BTreeSet<Option<u32>> = slots().map(|slot| slot.key_size).collect();
    let kdfs = slots().filter_map(|slot| slot.kdf.as_ref()).map(|kdf| name(kdf.kind.as_bytes()));
    Ok(Header {
        version: 2,
        uuid: String::new(),
        ciphers,
        key_bytes: if sizes.len() == 1 { sizes.into_iter().next().flatten().filter(|size| *size <= 512) } else { None },
        kdfs: kdfs.collect::<Result<_, _>>()?,
        whole,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"keyslots":{"0":{"type":"luks2","key_size":64,"af":{"type":"luks1"},"kdf":{"type":"argon2id",
        "time":4}}},"tokens":{},"segments":{"0":{"type":"crypt","offset":"16777216","size":"dynamic","iv_tweak":"0",
        "encryption":"aes-xts-plain64","sector_size":512}},"digests":{},"config":{"json_size":"12288"}}"#;

    fn header(json: &str) -> Vec<u8> {
        let mut bytes = vec![0; 4 * HEAD];
        bytes[..6].copy_from_slice(MAGIC);
        bytes[6..8].copy_from_slice(&[0, 2]);
        bytes[8..16].copy_from_slice(&(4 * HEAD as u64).to_be_bytes());
        bytes[72..78].copy_from_slice(b"sha256");
        bytes[HEAD..HEAD + json.len()].copy_from_slice(json.as_bytes());
        let sum = digest::sha256(&bytes);
        for (at, pair) in sum.as_bytes().chunks(2).enumerate() {
            bytes[448 + at] = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        }
        bytes
    }

    #[test]
    fn a_header_says_cipher_key_and_kdf() {
        let read = parse(&header(JSON)).unwrap();
        assert_eq!(read.ciphers.iter().next().unwrap(), "aes-xts-plain64");
        assert_eq!((read.version, read.key_bytes, read.whole), (2, Some(64), true));
        assert!(read.kdfs.contains("argon2id"));
    }

    #[test]
    fn a_header_with_another_checksum_is_not_believed() {
        let mut changed = header(JSON);
        changed[HEAD + 3] ^= 1;
        assert!(parse(&changed).is_err());
        assert!(parse(&header(JSON)[..4 * HEAD - 1]).is_err());
        assert_eq!(length(b"no volume"), Ok(None));
        let mut large = header(JSON);
        large[8..16].copy_from_slice(&u64::MAX.to_be_bytes());
        assert_eq!(length(&large), Err(WireError::TooLarge("LUKS header")));
    }

    #[test]
    fn a_part_in_use_that_is_not_encrypted_makes_the_volume_plain_in_part() {
        let json = JSON.replace(
            r#""segments":{"#,
            r#""segments":{"1":{"type":"linear","offset":"0"},"2":{"type":"linear","flags":["backup-final"]},"#,
        );
        assert!(!areas(json.as_bytes()).unwrap().whole);
        let backup = JSON
            .replace(r#""segments":{"#, r#""segments":{"2":{"type":"linear","offset":"0","flags":["backup-final"]},"#);
        assert!(areas(backup.as_bytes()).unwrap().whole);
    }

    #[test]
    fn bombs_are_refused() {
        let deep = "[".repeat(100_000);
        assert!(areas(format!(r#"{{"segments":{{"0":{deep}"#).as_bytes()).is_err());
        let many: Vec<String> =
            (0..100).map(|n| format!(r#""{n}":{{"type":"crypt","encryption":"aes-xts-plain64"}}"#)).collect();
        assert_eq!(
            areas(format!(r#"{{"segments":{{{}}}}}"#, many.join(",")).as_bytes()),
            Err(WireError::TooLarge("JSON of a LUKS header"))
        );
        assert!(areas(br#"{"segments":{}}"#).is_err(), "a volume without a part says nothing");
        assert!(areas(br#"{"segments":{"0":{"type":"crypt","encryption":"a b"}}}"#).is_err());
    }

    #[test]
    fn the_first_version_is_read() {
        let mut bytes = vec![0; HEAD];
        bytes[..6].copy_from_slice(MAGIC);
        bytes[6..8].copy_from_slice(&[0, 1]);
        bytes[8..11].copy_from_slice(b"aes");
        bytes[40..51].copy_from_slice(b"xts-plain64");
        bytes[108..112].copy_from_slice(&32u32.to_be_bytes());
        let read = parse(&bytes).unwrap();
        assert_eq!((read.version, read.key_bytes), (1, Some(32)));
        assert!(read.ciphers.contains("aes-xts-plain64"));
    }
}
