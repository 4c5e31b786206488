//! The messages of MongoDB (OP_MSG): one document out, one document in.
//!
//! A document is kept as its bytes and read field by field, so that no depth of nesting costs anything.

use super::WireError;
use bson::{RawDocument, RawDocumentBuf};

const OP_MSG: u32 = 2013;
const HEADER: usize = 16;
/// The longest message.
const MOST: usize = 4 << 20;
/// A checksum follows the sections.
const CHECKSUM: u32 = 1;
/// Bits that whoever does not know them must refuse: that more follows unasked is among them.
const REQUIRED: u32 = 0xfffe;

/// A command as a server reads it.
pub fn command(id: u32, document: &RawDocument) -> Vec<u8> {
    let body = document.as_bytes();
    let length = u32::try_from(HEADER + 5 + body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + 5 + body.len());
    for word in [length, id, 0, OP_MSG, 0] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(body);
    bytes
}

/// Puts messages together from bytes in pieces.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
}

impl Reader {
    /// Nothing is read yet.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Takes further bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, where it is here: the number of the command that it answers, and its document.
    ///
    /// # Errors
    /// Where the bytes are none of this protocol, or go beyond a limit.
    pub fn message(&mut self) -> Result<Option<(u32, RawDocumentBuf)>, WireError> {
        const WHAT: &str = "answer of MongoDB";
        let Some(length) = word(&self.buffer, 0) else { return Ok(None) };
        let length = usize::try_from(length).map_err(|_| WireError::TooLarge(WHAT))?;
        if length > MOST {
            // The first bytes of any other protocol are such a length too.
            return Err(if word(&self.buffer, 12).is_none_or(|code| code == OP_MSG) {
                WireError::TooLarge(WHAT)
            } else {
                WireError::Malformed(WHAT)
            });
        }
        if length < HEADER + 5 {
            return Err(WireError::Malformed(WHAT));
        }
        if self.buffer.len() < length {
            return Ok(None);
        }
        let bytes: Vec<u8> = self.buffer.drain(..length).collect();
        let (answers, code, flags) = (word(&bytes, 8), word(&bytes, 12), word(&bytes, HEADER));
        let (Some(answers), Some(OP_MSG), Some(flags)) = (answers, code, flags) else {
            return Err(WireError::Malformed(WHAT));
        };
        let end = if flags & CHECKSUM != 0 { length.saturating_sub(4) } else { length };
        // One section, which is one document; servers send no other.
        let document = match bytes.get(HEADER + 4..end) {
            Some([0, document @ ..]) if flags & REQUIRED == 0 => document,
            _ => return Err(WireError::Malformed(WHAT)),
        };
        let document = RawDocumentBuf::from_bytes(document.to_vec()).map_err(|_| WireError::Malformed(WHAT))?;
        Ok(Some((answers, document)))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bson::rawdoc;

    fn read(bytes: &[u8]) -> Result<Option<(u32, RawDocumentBuf)>, WireError> {
        let mut reader = Reader::new();
        let mut last = Ok(None);
        // Byte by byte, so that every border is met.
        for byte in bytes {
            reader.push(&[*byte]);
            last = reader.message();
            if !matches!(last, Ok(None)) {
                break;
            }
        }
        last
    }

    #[test]
    fn what_is_written_is_read() {
        let document = rawdoc! { "hello": 1, "name": "a", "inner": { "list": [1, 2] } };
        let mut bytes = command(7, &document);
        assert_eq!(read(&bytes), Ok(Some((0, document.clone()))));
        assert_eq!(read(&bytes[..bytes.len() - 1]), Ok(None));
        // With a checksum, which is passed over.
        bytes[16] = 1;
        bytes.extend([1, 2, 3, 4]);
        bytes[0] += 4;
        assert_eq!(read(&bytes), Ok(Some((0, document))));
    }

    #[test]
    fn what_is_no_answer_or_too_much_is_an_error() {
        let good = command(7, &rawdoc! { "ok": 1.0 });
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            bytes
        };
        for bytes in [
            b"HTTP/1.1 400 Bad Request\r\n".to_vec(),
            with(0, 20),
            with(3, 0x7f),
            with(12, 1),
            with(16, 2),
            with(16, 4),
            with(20, 1),
            with(21, 99),
            with(good.len() - 1, 9),
        ] {
            assert!(read(&bytes).is_err(), "{bytes:?}");
        }
    }
}
