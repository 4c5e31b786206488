//! Names of DNS: labels of bytes, lower case, compared without regard to case.

use crate::wire::WireError;
use std::fmt;

/// The most bytes of a name.
const BYTES: usize = 255;
/// The most references that a compressed name may follow.
const JUMPS: usize = 64;

/// A name, without the empty label at its end: the root has no labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Vec<Vec<u8>>);

impl Name {
    /// The root.
    pub fn root() -> Name {
        Name::default()
    }

    /// A name in its usual form, with or without its final dot. `None` where it is none.
    pub fn parse(text: &str) -> Option<Name> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if text.is_empty() {
            return Some(Name::root());
        }
        let labels: Vec<Vec<u8>> = text.split('.').map(|label| label.to_ascii_lowercase().into_bytes()).collect();
        Name::of(labels)
    }

    fn of(labels: Vec<Vec<u8>>) -> Option<Name> {
        let fits = labels.iter().all(|label| (1..=63).contains(&label.len()));
        let length: usize = labels.iter().map(|label| label.len() + 1).sum();
        (fits && length < BYTES).then_some(Name(labels))
    }

    /// The name that starts at this place of a message, and where what follows it starts.
    ///
    /// # Errors
    /// When it is cut, too long, or leads in a circle.
    pub fn read(message: &[u8], start: usize) -> Result<(Name, usize), WireError> {
        let malformed = || WireError::Malformed("DNS name");
        let (mut at, mut end, mut jumps) = (start, None, 0);
        let mut labels = Vec::new();
        let mut length = 1;
        loop {
            let first = usize::from(*message.get(at).ok_or_else(malformed)?);
            match first {
                0 => return Ok((Name(labels), end.unwrap_or(at + 1))),
                1..=63 => {
                    length += first + 1;
                    if length > BYTES {
                        return Err(malformed());
                    }
                    let label = message.get(at + 1..at + 1 + first).ok_or_else(malformed)?;
                    labels.push(label.to_ascii_lowercase());
                    at += 1 + first;
                }
                0xC0..=0xFF => {
                    let low = usize::from(*message.get(at + 1).ok_or_else(malformed)?);
                    let to = ((first & 0x3F) << 8) | low;
                    end.get_or_insert(at + 2);
                    jumps += 1;
                    // A reference leads back, never to itself or forwards.
                    if to >= at || jumps > JUMPS {
                        return Err(malformed());
                    }
                    at = to;
                }
                _ => return Err(malformed()),
            }
        }
    }

    /// The canonical form (RFC 4034 section 6.2): lower case, uncompressed.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for label in &self.0 {
            bytes.push(u8::try_from(label.len()).unwrap_or(63));
            bytes.extend(label);
        }
        bytes.push(0);
        bytes
    }

    /// How many labels it has; a leading `*` counts.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is the root.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name one label up; `None` for the root.
    pub fn parent(&self) -> Option<Name> {
        self.0.split_first().map(|(_, rest)| Name(rest.to_vec()))
    }

    /// Its last labels, this many.
    pub fn last(&self, labels: usize) -> Name {
        Name(self.0.iter().skip(self.0.len().saturating_sub(labels)).cloned().collect())
    }

    /// This name with a label in front. `None` where that is too long.
    pub fn child(&self, label: &str) -> Option<Name> {
        let mut labels = vec![label.to_ascii_lowercase().into_bytes()];
        labels.extend(self.0.iter().cloned());
        Name::of(labels)
    }

    /// Whether it is this zone or stands below it.
    pub fn is_within(&self, zone: &Name) -> bool {
        self.0.ends_with(&zone.0)
    }

    /// Its place in canonical order (RFC 4034 section 6.1): compared from the last label.
    pub fn order(&self) -> Vec<&[u8]> {
        self.0.iter().rev().map(Vec::as_slice).collect()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str(".");
        }
        for (n, label) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(".")?;
            }
            for &byte in label {
                match byte {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                    0x21..=0x7E => write!(f, "{}", char::from(byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn names_are_read_written_and_compared() {
        assert_eq!(name("WWW.Shop.Example."), name("www.shop.example"));
        assert_eq!(name("a.b").canonical(), b"\x01a\x01b\x00");
        assert_eq!(Name::root().canonical(), [0]);
        assert_eq!(Name::root().to_string(), ".");
        assert_eq!(name("a.b.c").parent().unwrap(), name("b.c"));
        assert_eq!(name("a.b.c").last(1), name("c"));
        assert!(name("a.b.c").is_within(&name("b.c")) && !name("ab.c").is_within(&name("b.c")));
        assert!(name("a.b").is_within(&Name::root()));
        assert_eq!(name("b.c").child("_DMARC").unwrap(), name("_dmarc.b.c"));
        assert!(Name::parse("a..b").is_none() && Name::parse(&"a".repeat(64)).is_none());
        assert!(Name::parse(&["abc"; 64].join(".")).is_none());
        assert_eq!(Name(vec![b"a.b\n".to_vec()]).to_string(), "a\\.b\\010");
    }

    #[test]
    fn canonical_order_compares_from_the_end() {
        // The example of RFC 4034 section 6.1, as far as text shows it.
        let sorted = ["example", "a.example", "yljkjljk.a.example", "z.a.example", "zabc.a.example", "z.example"];
        let names: Vec<Name> = sorted.iter().map(|text| name(text)).collect();
        assert!(names.windows(2).all(|two| two[0].order() < two[1].order()));
    }
}
