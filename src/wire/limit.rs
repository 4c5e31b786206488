//! Limits against hostile or broken peers.

/// Largest fragment of a record: 2^14 and what old encryption may add.
pub const FRAGMENT: usize = 18_432;
/// Records of one connection.
pub const RECORDS: usize = 512;
/// Empty fragments of one connection.
pub const EMPTY_FRAGMENTS: usize = 32;
/// Warning alerts of one connection.
pub const WARNINGS: usize = 8;
/// Bytes read from one connection.
pub const BYTES: usize = 512 * 1024;
/// Certificates of a chain.
pub const CERTIFICATES: usize = 32;
/// Bytes of a finite-field modulus: 16 384 bits.
pub const MODULUS: usize = 2_048;

/// Bytes of a line in a dialogue before TLS.
pub const DIALOGUE_LINE: usize = 8 * 1024;
/// Lines of such a dialogue.
pub const DIALOGUE_LINES: usize = 100;
/// Bytes of such a dialogue.
pub const DIALOGUE_BYTES: usize = 64 * 1024;

/// The largest handshake message of this type.
pub fn message(kind: u8) -> usize {
    match kind {
        super::flight::CERTIFICATE | super::flight::CERTIFICATE_STATUS | 25 => 131_072,
        super::flight::SERVER_KEY_EXCHANGE => 8_192,
        super::flight::CERTIFICATE_REQUEST => 65_535,
        _ => 16_384,
    }
}
