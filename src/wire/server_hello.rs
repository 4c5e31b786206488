//! ServerHello and HelloRetryRequest.

use super::cursor::{Reader, put_vec8, put_vec24};
use super::extension::{self, Extension};
use super::hello::session_id;
use super::{WireError, flight};

/// A ServerHello, or the HelloRetryRequest that has its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// `server_version`; 0x0303 for TLS 1.3.
    pub version: u16,
    /// The server's random.
    pub random: [u8; 32],
    /// The session id.
    pub session_id: Vec<u8>,
    /// The suite chosen.
    pub suite: u16,
    /// The compression method chosen.
    pub compression: u8,
    /// The extensions.
    pub extensions: Vec<Extension>,
}

/// The random that marks a HelloRetryRequest (RFC 8446 section 4.1.3).
pub const RETRY_RANDOM: [u8; 32] = [
    0xCF, 0x21, 0xAD, 0x74, 0xE5, 0x9A, 0x61, 0x11, 0xBE, 0x1D, 0x8C, 0x02, 0x1E, 0x65, 0xB8, 0x91, 0xC2, 0xA2, 0x11,
    0x16, 0x7A, 0xBB, 0x8C, 0x5E, 0x07, 0x9E, 0x09, 0xE2, 0xC8, 0xA8, 0x33, 0x9C,
];

/// The end of the random of a server that could have done TLS 1.3 and did TLS 1.2.
pub const SENTINEL_12: [u8; 8] = *b"DOWNGRD\x01";
/// The end of the random of a server that could have done TLS 1.2 or newer and did less.
pub const SENTINEL_11: [u8; 8] = *b"DOWNGRD\x00";

impl ServerHello {
    /// Reads the body of the handshake message.
    ///
    /// # Errors
    /// When it breaks its length rules.
    pub fn parse(body: &[u8]) -> Result<ServerHello, WireError> {
        let mut reader = Reader::new(body, "ServerHello");
        let hello = ServerHello {
            version: reader.u16()?,
            random: reader.array()?,
            session_id: session_id(&mut reader)?,
            suite: reader.u16()?,
            compression: reader.u8()?,
            extensions: match reader.is_empty() {
                true => Vec::new(),
                false => extension::parse_block(&mut reader, "ServerHello")?,
            },
        };
        reader.end()?;
        Ok(hello)
    }

    /// The handshake message, its header included.
    pub fn to_message(&self) -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(self.version.to_be_bytes());
        body.extend(self.random);
        put_vec8(&mut body, &self.session_id);
        body.extend(self.suite.to_be_bytes());
        body.push(self.compression);
        if !self.extensions.is_empty() {
            extension::put_block(&mut body, &self.extensions);
        }
        let mut message = vec![flight::SERVER_HELLO];
        put_vec24(&mut message, &body);
        message
    }

    /// Whether it asks for another ClientHello.
    pub fn is_retry(&self) -> bool {
        self.random == RETRY_RANDOM
    }

    /// The version negotiated: that of the extension if there is one.
    pub fn negotiated(&self) -> u16 {
        match self.extension(extension::SUPPORTED_VERSIONS) {
            Some(&[high, low]) => u16::from_be_bytes([high, low]),
            _ => self.version,
        }
    }

    /// The group of key_share.
    pub fn group(&self) -> Option<u16> {
        Reader::new(self.extension(extension::KEY_SHARE)?, "key_share").u16().ok()
    }

    /// The application protocol chosen.
    pub fn alpn(&self) -> Option<String> {
        extension::parse_alpn(self.extension(extension::ALPN)?).ok()?.into_iter().next()
    }

    /// Whether the random ends with a mark of a downgrade.
    pub fn marks_downgrade(&self) -> bool {
        self.random.ends_with(&SENTINEL_12) || self.random.ends_with(&SENTINEL_11)
    }

    /// The body of the extension of this type.
    pub fn extension(&self, kind: u16) -> Option<&[u8]> {
        extension::find(&self.extensions, kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> ServerHello {
        ServerHello {
            version: 0x0303,
            random: [1; 32],
            session_id: vec![2; 32],
            suite: 0xC02F,
            compression: 0,
            extensions: vec![Extension::renegotiation_info(), Extension::alpn(&["h2"])],
        }
    }

    #[test]
    fn a_hello_goes_round_and_another_parser_reads_the_same() {
        let message = hello().to_message();
        assert_eq!(ServerHello::parse(&message[4..]).unwrap(), hello());
        let (_, other) = tls_parser::parse_tls_message_handshake(&message).unwrap();
        let tls_parser::TlsMessage::Handshake(tls_parser::TlsMessageHandshake::ServerHello(other)) = other else {
            panic!("{other:?}");
        };
        assert_eq!(other.cipher.0, 0xC02F);
        assert_eq!(other.random, [1; 32]);
        assert_eq!(other.version.0, 0x0303);
    }

    #[test]
    fn an_old_hello_has_no_extension_block() {
        let old = ServerHello { version: 0x0300, extensions: Vec::new(), ..hello() };
        let message = old.to_message();
        assert_eq!(message.len(), 4 + 2 + 32 + 33 + 3);
        assert_eq!(ServerHello::parse(&message[4..]).unwrap(), old);
        assert_eq!(old.negotiated(), 0x0300);
    }

    #[test]
    fn a_retry_names_version_and_group() {
        let retry = ServerHello {
            random: RETRY_RANDOM,
            suite: 0x1301,
            extensions: vec![
                Extension::new(extension::SUPPORTED_VERSIONS, vec![3, 4]),
                Extension::new(extension::KEY_SHARE, vec![0, 0x1D]),
            ],
            ..hello()
        };
        assert!(retry.is_retry());
        assert_eq!(retry.negotiated(), 0x0304);
        assert_eq!(retry.group(), Some(0x1D));
        assert_eq!(hello().alpn().as_deref(), Some("h2"));
    }

    #[test]
    fn sentinels_are_seen() {
        let mut random = [3; 32];
        random[24..].copy_from_slice(&[0x44, 0x4F, 0x57, 0x4E, 0x47, 0x52, 0x44, 0x01]);
        assert!(ServerHello { random, ..hello() }.marks_downgrade());
        assert!(!hello().marks_downgrade());
    }

    #[test]
    fn bytes_left_over_are_malformed() {
        let mut message = hello().to_message();
        message.push(0);
        assert!(ServerHello::parse(&message[4..]).is_err());
    }
}
