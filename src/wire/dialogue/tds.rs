//! Packets of TDS, the protocol of SQL Server, which wrap the handshake of TLS.

use super::super::WireError;

/// PRELOGIN, and the packets of a handshake.
pub const PRELOGIN: u8 = 0x12;
/// What the server answers with.
pub const RESPONSE: u8 = 0x04;
/// Bytes of a header.
pub const HEADER: usize = 8;
/// The most bytes of a packet that we write.
const MOST: usize = 4_096;

/// A packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its type.
    pub kind: u8,
    /// What it holds.
    pub payload: &'a [u8],
    /// Its bytes, with the header.
    pub length: usize,
}

impl<'a> Packet<'a> {
    /// The packet at the front of these bytes; `None` where more are needed.
    ///
    /// # Errors
    /// When its length leaves no room for its header.
    pub fn read(bytes: &'a [u8]) -> Result<Option<Packet<'a>>, WireError> {
        let Some([kind, _, high, low, ..]) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
        let length = usize::from(*high) << 8 | usize::from(*low);
        if length < HEADER {
            return Err(WireError::Malformed("packet of TDS"));
        }
        let Some(payload) = bytes.get(HEADER..length) else { return Ok(None) };
        Ok(Some(Packet { kind: *kind, payload, length }))
    }
}

/// These bytes in packets of this type.
pub fn wrap(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + HEADER);
    let mut parts = bytes.chunks(MOST - HEADER).peekable();
    while let Some(part) = parts.next() {
        let last = u8::from(parts.peek().is_none());
        let length = u16::try_from(part.len() + HEADER).unwrap_or(u16::MAX);
        out.extend([kind, last]);
        out.extend(length.to_be_bytes());
        out.extend([0; 4]);
        out.extend_from_slice(part);
    }
    out
}
