//! dm-crypt: which mapped devices encrypt, and by which cipher.

use super::cipher::Cipher;
use super::command;
use super::roots::{self, Roots};
use crate::model::{Reason, Trouble};
use crate::wire::luks::{self, Header};
use std::collections::BTreeMap;
use std::path::Path;

/// The kinds of device that cryptsetup names in a mapped device's uuid and that encrypt. `VERITY` and `INTEGRITY` do not.
const KINDS: [&str; 7] = ["LUKS2", "LUKS1", "PLAIN", "BITLK", "FVAULT2", "TCRYPT", "LOOPAES"];
/// The most devices of a table.
const DEVICES: usize = 4096;

/// The kind that the uuid names, where it is one that encrypts.
pub fn kind(uuid: &str) -> Option<&'static str> {
    let rest = uuid.strip_prefix("CRYPT-")?;
    KINDS.into_iter().find(|kind| rest.strip_prefix(kind).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
}

/// What `dmsetup table` says of one mapped device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Every part of it is mapped by the target `crypt`.
    pub whole: bool,
    /// The ciphers of those parts, with the bytes of their keys.
    pub ciphers: Vec<(String, Option<u32>)>,
}

/// What is known of all mapped devices, by name.
pub type Table = Result<BTreeMap<String, Mapping>, Trouble>;

/// Asks device-mapper. Keys are not asked for: the table shows zeros in their place.
pub fn table(roots: &Roots) -> Table {
    if !roots.own {
        return Err(Trouble::new(Reason::Unsupported, "the kernel of another machine's folders cannot be asked"));
    }
    read(&command::run(&roots.programs, "dmsetup", &["table"])?)
}

/// Reads lines such as `name: 0 2048 crypt aes-xts-plain64 :64:logon:... 0 8:3 32768`.
pub fn read(text: &str) -> Table {
    let mut mappings: BTreeMap<String, Mapping> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && *line != "No devices found") {
        if mappings.len() > DEVICES {
            return Err(Trouble::new(Reason::TooLarge, "dmsetup names more devices than are read"));
        }
        let not_understood = || Trouble::new(Reason::ProtocolViolation, "a line of dmsetup table is not understood");
        let (name, rest) = line.split_once(": ").ok_or_else(not_understood)?;
        let mut fields = rest.split_whitespace().skip(2);
        let target = fields.next().ok_or_else(not_understood)?;
        let mapping = mappings.entry(name.to_owned()).or_insert(Mapping { whole: true, ciphers: Vec::new() });
        if target == "crypt" {
            let cipher = fields.next().ok_or_else(not_understood)?;
            mapping.ciphers.push((cipher.to_owned(), fields.next().and_then(key_bytes)));
        } else {
            mapping.whole = false;
        }
    }
    Ok(mappings)
}

/// The length of a key as the table shows it: `:64:logon:name`, or as many zeros as it has hexadecimal digits.
fn key_bytes(field: &str) -> Option<u32> {
    if let Some(rest) = field.strip_prefix(':') {
        return rest.split(':').next()?.parse().ok().filter(|bytes| *bytes <= 512);
    }
    let hex =
        field.bytes().all(|byte| byte.is_ascii_hexdigit()) && field.len() <= 1024 && field.len().is_multiple_of(2);
    hex.then(|| u32::try_from(field.len() / 2).ok()).flatten()
}

/// The cipher of a device, with the words for where it was seen; `None` where a part of the device is not encrypted.
pub fn of_mapping(mapping: &Mapping) -> Option<Cipher> {
    if !mapping.whole || mapping.ciphers.is_empty() {
        return None;
    }
    weakest(mapping.ciphers.iter().map(|(name, bytes)| Cipher::of_dm(name, *bytes)).collect())
}

/// The cipher that a header names; `None` where a part of the volume is not encrypted.
pub fn of_header(header: &Header) -> Option<Cipher> {
    if !header.whole {
        return None;
    }
    weakest(header.ciphers.iter().map(|name| Cipher::of_dm(name, header.key_bytes)).collect())
}

/// One that encrypts nothing makes the whole plain; several that differ leave open which counts.
fn weakest(ciphers: Vec<Cipher>) -> Option<Cipher> {
    let first = ciphers.first()?.clone();
    if ciphers.iter().any(|cipher| !cipher.encrypts) {
        return None;
    }
    let same = ciphers.iter().all(|cipher| *cipher == first);
    Some(if same { first } else { Cipher::unknown("parts of the device have different ciphers") })
}

/// The header at the beginning of a device or a file; `None` where there is none.
///
/// # Errors
/// Where it may not be read, or is damaged.
pub fn header(path: &Path) -> Result<Option<Header>, Trouble> {
    let damaged = |error: crate::wire::WireError| Trouble::new(Reason::ProtocolViolation, error.to_string());
    let head = roots::head(path, luks::HEAD)?;
    let Some(length) = luks::length(&head).map_err(damaged)? else { return Ok(None) };
    let bytes = if length > head.len() { roots::head(path, length)? } else { head };
    luks::parse(&bytes).map(Some).map_err(damaged)
}

/// The header belongs to the device of this uuid: `CRYPT-LUKS2-<32 digits>-<name>`.
pub fn is_of(header: &Header, uuid: &str) -> bool {
    let digits: String = header.uuid.chars().filter(|letter| *letter != '-').collect();
    uuid.split('-').nth(2).is_some_and(|part| !digits.is_empty() && part.eq_ignore_ascii_case(&digits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fact;

    #[test]
    fn only_kinds_that_encrypt_count() {
        assert_eq!(kind("CRYPT-LUKS2-0123456789abcdef0123456789abcdef-root"), Some("LUKS2"));
        assert_eq!(kind("CRYPT-PLAIN-swap"), Some("PLAIN"));
        for uuid in ["CRYPT-VERITY-00-usr", "CRYPT-INTEGRITY-x", "LVM-abc", "", "CRYPT-LUKS27-x", "xCRYPT-LUKS2-x"] {
            assert_eq!(kind(uuid), None, "{uuid}");
        }
    }

    #[test]
    fn tables_are_read_without_keys() {
        let zeros = "0".repeat(128);
        let text = format!(
            "root: 0 100 crypt aes-xts-plain64 :64:logon:cryptsetup:x-d0 0 8:3 32768 1 allow_discards\n\
             old: 0 100 crypt aes-cbc-essiv:sha256 {} 0 8:4 4096\nvg-a: 0 100 linear 8:5 2048\n\
             half: 0 50 crypt aes-xts-plain64 {zeros} 0 8:6 0\nhalf: 50 50 linear 8:6 0\n\
             off: 0 9 crypt cipher_null-ecb - 0 8:7 0\n",
            "0".repeat(64)
        );
        let table = read(&text).unwrap();
        let cipher = |name: &str| of_mapping(&table[name]);
        assert_eq!(cipher("root"), Some(Cipher::known("AES", 256, "XTS")));
        assert_eq!(cipher("old"), Some(Cipher::known("AES", 256, "CBC")));
        assert_eq!((cipher("vg-a"), cipher("half"), cipher("off")), (None, None, None));
        assert_eq!(read("No devices found\n").unwrap().len(), 0);
        assert!(read("nonsense\n").is_err());
    }

    #[test]
    fn ciphers_that_differ_leave_the_algorithm_open() {
        let parts = vec![("aes-xts-plain64".to_owned(), Some(64)), ("aes-xts-plain64".to_owned(), Some(32))];
        let cipher = of_mapping(&Mapping { whole: true, ciphers: parts }).unwrap();
        assert!(cipher.encrypts && matches!(cipher.key_bits, Fact::Unknown(_)));
    }
}
