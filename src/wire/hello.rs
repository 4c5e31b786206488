//! ClientHello: the writer for probes, and a parser for servers of tests and of the demonstration.

use super::cursor::{Reader, put_vec8, put_vec16, put_vec24, u16_bytes, u16_list};
use super::extension::{self, Extension};
use super::record::{self, HANDSHAKE};
use super::{WireError, flight};

/// A ClientHello as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// `client_version`; 0x0303 for TLS 1.3.
    pub version: u16,
    /// The client's random.
    pub random: [u8; 32],
    /// A session to resume, or filling for middleboxes.
    pub session_id: Vec<u8>,
    /// The suites, most wanted first.
    pub suites: Vec<u16>,
    /// The compression methods.
    pub compression: Vec<u8>,
    /// The extensions; `None` leaves the block out, as SSLv3 wants it.
    pub extensions: Option<Vec<Extension>>,
}

/// Handshake messages of these lengths meet a known fault of old middleboxes (RFC 7685).
pub const UNLUCKY: std::ops::RangeInclusive<usize> = 256..=511;
/// They are padded to this length.
pub const PADDED: usize = 512;

/// The compression method DEFLATE (RFC 3749).
pub const DEFLATE: u8 = 1;

/// The compression method LZS (RFC 3943).
pub const LZS: u8 = 64;

impl ClientHello {
    /// The record with the message as it stands, without padding of our own.
    pub fn to_exact_record(&self, record_version: u16) -> Vec<u8> {
        record::write(HANDSHAKE, record_version, &self.message_with(None))
    }

    /// The handshake message as it stands, its header included, without padding of our own.
    pub fn to_exact_message(&self) -> Vec<u8> {
        self.message_with(None)
    }

    /// The length of the handshake message as it stands, without padding of our own.
    pub fn exact_length(&self) -> usize {
        self.message_with(None).len()
    }

    /// The record, ready to be sent. A hello of an unlucky length is padded where it has extensions.
    pub fn to_record(&self) -> Vec<u8> {
        let record_version = if self.extensions.is_none() && self.version <= 0x0300 { 0x0300 } else { 0x0301 };
        record::write(HANDSHAKE, record_version, &self.to_message())
    }

    /// The handshake message, its header included.
    pub fn to_message(&self) -> Vec<u8> {
        let plain = self.message_with(None);
        if !UNLUCKY.contains(&plain.len()) || self.extensions.is_none() {
            return plain;
        }
        // Type and length of the padding extension itself take four bytes.
        self.message_with(Some(PADDED.saturating_sub(plain.len() + 4)))
    }

    /// The handshake message, padded to this length, header included. `None` where it has no extensions or is longer
    /// already. Lengths that are known to be unlucky can be had in this way alone.
    pub fn to_message_of(&self, length: usize) -> Option<Vec<u8>> {
        self.extensions.as_ref()?;
        let plain = self.message_with(None).len();
        // Type and length of the padding extension itself take four bytes.
        match length.checked_sub(plain) {
            Some(0) => Some(self.message_with(None)),
            Some(missing) => Some(self.message_with(Some(missing.checked_sub(4)?))),
            None => None,
        }
    }

    fn message_with(&self, padding: Option<usize>) -> Vec<u8> {
        let mut body = Vec::with_capacity(PADDED);
        body.extend(self.version.to_be_bytes());
        body.extend(self.random);
        put_vec8(&mut body, &self.session_id);
        put_vec16(&mut body, &u16_bytes(&self.suites));
        put_vec8(&mut body, &self.compression);
        if let Some(extensions) = &self.extensions {
            let padding = padding.map(|length| Extension::new(extension::PADDING, vec![0; length]));
            let all: Vec<Extension> = extensions.iter().cloned().chain(padding).collect();
            extension::put_block(&mut body, &all);
        }
        let mut message = vec![flight::CLIENT_HELLO];
        put_vec24(&mut message, &body);
        message
    }

    /// Reads the body of the handshake message.
    ///
    /// # Errors
    /// When it breaks its length rules.
    pub fn parse(body: &[u8]) -> Result<ClientHello, WireError> {
        let mut reader = Reader::new(body, "ClientHello");
        let hello = ClientHello {
            version: reader.u16()?,
            random: reader.array()?,
            session_id: session_id(&mut reader)?,
            suites: u16_list(reader.vec16()?, "ClientHello")?,
            compression: reader.vec8()?.to_vec(),
            extensions: match reader.is_empty() {
                true => None,
                false => Some(extension::parse_block(&mut reader, "ClientHello")?),
            },
        };
        reader.end()?;
        if hello.suites.is_empty() || hello.compression.is_empty() {
            return Err(reader.malformed());
        }
        Ok(hello)
    }

    /// The same with this extension in the place of the one of its type, or at the end.
    pub fn with(mut self, extension: Extension) -> ClientHello {
        let list = self.extensions.get_or_insert_default();
        match list.iter_mut().find(|known| known.kind == extension.kind) {
            Some(known) => *known = extension,
            None => list.push(extension),
        }
        self
    }

    /// The same without the extension of this type.
    pub fn without(mut self, kind: u16) -> ClientHello {
        self.extensions.iter_mut().for_each(|list| list.retain(|extension| extension.kind != kind));
        self
    }

    /// The body of the extension of this type.
    pub fn extension(&self, kind: u16) -> Option<&[u8]> {
        extension::find(self.extensions.as_deref().unwrap_or_default(), kind)
    }

    /// The host name asked for.
    pub fn server_name(&self) -> Option<String> {
        let mut reader = Reader::new(self.extension(extension::SERVER_NAME)?, "server_name");
        let mut list = Reader::new(reader.vec16().ok()?, "server_name");
        match list.u8().ok()? {
            0 => String::from_utf8(list.vec16().ok()?.to_vec()).ok(),
            _ => None,
        }
    }

    /// The groups offered.
    pub fn groups(&self) -> Vec<u16> {
        self.list16(extension::SUPPORTED_GROUPS)
    }

    /// The signature schemes offered.
    pub fn schemes(&self) -> Vec<u16> {
        self.list16(extension::SIGNATURE_ALGORITHMS)
    }

    /// The versions offered: those of the extension, or the one of the field.
    pub fn versions(&self) -> Vec<u16> {
        let list = self.extension(extension::SUPPORTED_VERSIONS).and_then(|body| {
            let mut reader = Reader::new(body, "supported_versions");
            u16_list(reader.vec8().ok()?, "supported_versions").ok()
        });
        list.unwrap_or_else(|| vec![self.version])
    }

    /// The application protocols offered.
    pub fn alpn(&self) -> Vec<String> {
        self.extension(extension::ALPN).and_then(|body| extension::parse_alpn(body).ok()).unwrap_or_default()
    }

    /// The key shares: each group, and the share.
    pub fn shares(&self) -> Vec<(u16, Vec<u8>)> {
        self.extension(extension::KEY_SHARE).and_then(|body| extension::parse_key_shares(body).ok()).unwrap_or_default()
    }

    fn list16(&self, kind: u16) -> Vec<u16> {
        self.extension(kind).and_then(|body| extension::parse_list16(body, "list").ok()).unwrap_or_default()
    }
}

/// A session id of at most 32 bytes.
pub(super) fn session_id(reader: &mut Reader<'_>) -> Result<Vec<u8>, WireError> {
    let id = reader.vec8()?;
    if id.len() > 32 { Err(reader.malformed()) } else { Ok(id.to_vec()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(suites: usize, extensions: Option<Vec<Extension>>) -> ClientHello {
        ClientHello {
            version: 0x0303,
            random: [7; 32],
            session_id: Vec::new(),
            suites: (0..suites).map(|id| u16::try_from(id).unwrap()).collect(),
            compression: vec![0],
            extensions,
        }
    }

    #[test]
    fn the_bytes_are_those_of_the_rfc() {
        let hello = ClientHello { version: 0x0300, suites: vec![0x0035], ..hello(0, None) };
        let mut expected = vec![0x16, 3, 0, 0, 45, 1, 0, 0, 41, 3, 0];
        expected.extend([7; 32]);
        expected.extend([0, 0, 2, 0, 0x35, 1, 0]);
        assert_eq!(hello.to_record(), expected);
    }

    #[test]
    fn extensions_are_replaced_in_their_place() {
        let plain = hello(1, Some(vec![Extension::empty(35), Extension::renegotiation_info()]));
        let filled = plain.clone().with(Extension::new(35, vec![7])).with(Extension::empty(22));
        let kinds: Vec<u16> = filled.extensions.iter().flatten().map(|extension| extension.kind).collect();
        assert_eq!(kinds, [35, 0xFF01, 22]);
        assert_eq!(filled.extension(35), Some(&[7][..]));
        assert_eq!(plain.without(35).extensions, Some(vec![Extension::renegotiation_info()]));
    }

    #[test]
    fn no_hello_with_extensions_has_an_unlucky_length() {
        for suites in 1..300 {
            let message = hello(suites, Some(vec![Extension::point_formats()])).to_message();
            assert!(!UNLUCKY.contains(&message.len()), "{suites} suites");
            let parsed = ClientHello::parse(&message[4..]).unwrap();
            assert_eq!(parsed.suites.len(), suites);
        }
    }

    #[test]
    fn a_hello_has_the_length_that_is_asked_for() {
        let hello = hello(10, Some(vec![Extension::point_formats()]));
        let plain = hello.message_with(None).len();
        for length in [plain, plain + 4, 255, 400, 16_000] {
            assert_eq!(hello.to_message_of(length).unwrap().len(), length);
        }
        for length in [plain - 1, plain + 1, plain + 3] {
            assert_eq!(hello.to_message_of(length), None);
        }
    }

    #[test]
    fn a_hello_goes_round() {
        let name = Extension::server_name("shop.example").unwrap();
        let sent = ClientHello {
            session_id: vec![9; 32],
            ..hello(
                10,
                Some(vec![
                    name,
                    Extension::groups(&[0x1D]),
                    Extension::versions(&[0x0304]),
                    Extension::schemes(&[0x0403]),
                    Extension::alpn(&["h2"]),
                    Extension::key_shares(&[(0x1D, vec![8; 32]), (0x17, vec![4; 5])]),
                ]),
            )
        };
        let message = sent.to_message();
        let parsed = ClientHello::parse(&message[4..]).unwrap();
        assert_eq!(parsed, sent);
        assert_eq!(parsed.server_name().as_deref(), Some("shop.example"));
        assert_eq!(parsed.groups(), [0x1D]);
        assert_eq!(parsed.versions(), [0x0304]);
        assert_eq!(parsed.schemes(), [0x0403]);
        assert_eq!(parsed.alpn(), ["h2"]);
        assert_eq!(parsed.shares(), [(0x1D, vec![8; 32]), (0x17, vec![4; 5])]);
    }

    #[test]
    fn an_exact_record_is_not_padded() {
        let short = hello(120, Some(vec![Extension::point_formats()]));
        assert!(UNLUCKY.contains(&short.exact_length()));
        let record = short.to_exact_record(0x0303);
        assert_eq!(record.len(), 5 + short.exact_length());
        assert_eq!(record.get(..3), Some(&[0x16, 3, 3][..]));
    }

    #[test]
    fn another_parser_reads_the_same() {
        let sent = hello(3, Some(vec![Extension::server_name("shop.example").unwrap(), Extension::heartbeat()]));
        let record = sent.to_record();
        let (_, parsed) = tls_parser::parse_tls_plaintext(&record).unwrap();
        let tls_parser::TlsMessage::Handshake(tls_parser::TlsMessageHandshake::ClientHello(other)) = &parsed.msg[0]
        else {
            panic!("{parsed:?}");
        };
        assert_eq!(other.random, [7; 32]);
        assert_eq!(other.ciphers.iter().map(|suite| suite.0).collect::<Vec<_>>(), sent.suites);
        let (_, extensions) = tls_parser::parse_tls_extensions(other.ext.unwrap()).unwrap();
        assert!(matches!(&extensions[0], tls_parser::TlsExtension::SNI(names) if names[0].1 == b"shop.example"));
        assert!(matches!(extensions[1], tls_parser::TlsExtension::Heartbeat(1)));
    }
}
