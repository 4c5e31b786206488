//! Extensions of the hellos.

use super::WireError;
use super::cursor::{Reader, put_vec8, put_vec16, u16_bytes, u16_list};

/// An extension as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// Its type.
    pub kind: u16,
    /// Its data.
    pub body: Vec<u8>,
}

/// server_name.
pub const SERVER_NAME: u16 = 0;
/// truncated_hmac (RFC 6066 section 7).
pub const TRUNCATED_HMAC: u16 = 4;
/// status_request.
pub const STATUS_REQUEST: u16 = 5;
/// supported_groups.
pub const SUPPORTED_GROUPS: u16 = 10;
/// ec_point_formats.
pub const POINT_FORMATS: u16 = 11;
/// signature_algorithms.
pub const SIGNATURE_ALGORITHMS: u16 = 13;
/// heartbeat.
pub const HEARTBEAT: u16 = 15;
/// application_layer_protocol_negotiation.
pub const ALPN: u16 = 16;
/// signed_certificate_timestamp.
pub const SCT: u16 = 18;
/// padding.
pub const PADDING: u16 = 21;
/// encrypt_then_mac.
pub const ENCRYPT_THEN_MAC: u16 = 22;
/// extended_master_secret.
pub const EXTENDED_MASTER_SECRET: u16 = 23;
/// session_ticket.
pub const SESSION_TICKET: u16 = 35;
/// pre_shared_key (RFC 8446).
pub const PRE_SHARED_KEY: u16 = 41;
/// early_data.
pub const EARLY_DATA: u16 = 42;
/// supported_versions.
pub const SUPPORTED_VERSIONS: u16 = 43;
/// psk_key_exchange_modes.
pub const PSK_MODES: u16 = 45;
/// signature_algorithms_cert.
pub const SIGNATURE_ALGORITHMS_CERT: u16 = 50;
/// encrypted_client_hello.
pub const ENCRYPTED_HELLO: u16 = 0xFE0D;
/// key_share.
pub const KEY_SHARE: u16 = 51;
/// next_protocol_negotiation, which never became a standard.
pub const NEXT_PROTOCOLS: u16 = 13172;
/// renegotiation_info.
pub const RENEGOTIATION_INFO: u16 = 0xFF01;

impl Extension {
    /// An extension of this type and data.
    pub fn new(kind: u16, body: Vec<u8>) -> Extension {
        Extension { kind, body }
    }

    /// The name asked for. `None` for addresses, which must not be sent (RFC 6066 section 3), and for what is no name.
    pub fn server_name(name: &str) -> Option<Extension> {
        let name = name.strip_suffix('.').unwrap_or(name);
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
        if name.is_empty() || name.len() > 253 || !plain || name.parse::<std::net::IpAddr>().is_ok() {
            return None;
        }
        let mut entry = vec![0];
        put_vec16(&mut entry, name.as_bytes());
        let mut body = Vec::new();
        put_vec16(&mut body, &entry);
        Some(Extension::new(SERVER_NAME, body))
    }

    /// A request for an OCSP staple.
    pub fn status_request() -> Extension {
        Extension::new(STATUS_REQUEST, vec![1, 0, 0, 0, 0])
    }

    /// The groups offered.
    pub fn groups(groups: &[u16]) -> Extension {
        Extension::list16(SUPPORTED_GROUPS, groups)
    }

    /// Uncompressed points.
    pub fn point_formats() -> Extension {
        Extension::new(POINT_FORMATS, vec![1, 0])
    }

    /// The signature schemes offered.
    pub fn schemes(schemes: &[u16]) -> Extension {
        Extension::list16(SIGNATURE_ALGORITHMS, schemes)
    }

    /// The application protocols offered.
    pub fn alpn(protocols: &[&str]) -> Extension {
        let mut list = Vec::new();
        for protocol in protocols {
            put_vec8(&mut list, protocol.as_bytes());
        }
        let mut body = Vec::new();
        put_vec16(&mut body, &list);
        Extension::new(ALPN, body)
    }

    /// Heartbeats are allowed.
    pub fn heartbeat() -> Extension {
        Extension::new(HEARTBEAT, vec![1])
    }

    /// An extension without data.
    pub fn empty(kind: u16) -> Extension {
        Extension::new(kind, Vec::new())
    }

    /// The first handshake of a connection.
    pub fn renegotiation_info() -> Extension {
        Extension::new(RENEGOTIATION_INFO, vec![0])
    }

    /// The versions offered.
    pub fn versions(versions: &[u16]) -> Extension {
        let mut body = Vec::new();
        put_vec8(&mut body, &u16_bytes(versions));
        Extension::new(SUPPORTED_VERSIONS, body)
    }

    /// Resumption only with a fresh key exchange.
    pub fn psk_modes() -> Extension {
        Extension::new(PSK_MODES, vec![1, 1])
    }

    /// The client's key shares: none asks the server to name a group.
    pub fn key_shares(shares: &[(u16, Vec<u8>)]) -> Extension {
        let mut list = Vec::new();
        for (group, share) in shares {
            list.extend(group.to_be_bytes());
            put_vec16(&mut list, share);
        }
        let mut body = Vec::new();
        put_vec16(&mut body, &list);
        Extension::new(KEY_SHARE, body)
    }

    fn list16(kind: u16, values: &[u16]) -> Extension {
        let mut body = Vec::new();
        put_vec16(&mut body, &u16_bytes(values));
        Extension::new(kind, body)
    }
}

/// Reads an extension block, its length included. A type that comes twice is malformed (RFC 8446 section 4.2).
///
/// # Errors
/// When it breaks its length rules.
pub fn parse_block(reader: &mut Reader<'_>, what: &'static str) -> Result<Vec<Extension>, WireError> {
    let mut block = Reader::new(reader.vec16()?, what);
    let mut extensions: Vec<Extension> = Vec::new();
    while !block.is_empty() {
        let kind = block.u16()?;
        let body = block.vec16()?.to_vec();
        if extensions.iter().any(|known| known.kind == kind) {
            return Err(block.malformed());
        }
        extensions.push(Extension { kind, body });
    }
    Ok(extensions)
}

/// Appends an extension block, its length included.
pub fn put_block(out: &mut Vec<u8>, extensions: &[Extension]) {
    let mut block = Vec::new();
    for extension in extensions {
        block.extend(extension.kind.to_be_bytes());
        put_vec16(&mut block, &extension.body);
    }
    put_vec16(out, &block);
}

/// The body of an extension of this type.
pub fn find(extensions: &[Extension], kind: u16) -> Option<&[u8]> {
    extensions.iter().find(|extension| extension.kind == kind).map(|extension| extension.body.as_slice())
}

/// A list of two-byte values with a length of two bytes, as in supported_groups.
///
/// # Errors
/// When it breaks its length rules.
pub fn parse_list16(body: &[u8], what: &'static str) -> Result<Vec<u16>, WireError> {
    let mut reader = Reader::new(body, what);
    let list = u16_list(reader.vec16()?, what)?;
    reader.end()?;
    Ok(list)
}

/// The protocols that a server lists in next_protocol_negotiation; text that is not UTF-8 is replaced.
///
/// # Errors
/// When it breaks its length rules.
pub fn parse_next_protocols(body: &[u8]) -> Result<Vec<String>, WireError> {
    let mut list = Reader::new(body, "next_protocol_negotiation");
    let mut protocols = Vec::new();
    while !list.is_empty() {
        protocols.push(String::from_utf8_lossy(list.vec8()?).into_owned());
    }
    Ok(protocols)
}

/// The protocols of an ALPN extension; text that is not UTF-8 is replaced.
///
/// # Errors
/// When it breaks its length rules.
pub fn parse_alpn(body: &[u8]) -> Result<Vec<String>, WireError> {
    let mut reader = Reader::new(body, "ALPN");
    let mut list = Reader::new(reader.vec16()?, "ALPN");
    reader.end()?;
    let mut protocols = Vec::new();
    while !list.is_empty() {
        protocols.push(String::from_utf8_lossy(list.vec8()?).into_owned());
    }
    Ok(protocols)
}

/// The key shares of a ClientHello: each group, and the share.
///
/// # Errors
/// When it breaks its length rules.
pub fn parse_key_shares(body: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, WireError> {
    let mut reader = Reader::new(body, "key_share");
    let mut list = Reader::new(reader.vec16()?, "key_share");
    reader.end()?;
    let mut shares = Vec::new();
    while !list.is_empty() {
        shares.push((list.u16()?, list.vec16()?.to_vec()));
    }
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_protocols_are_a_list_without_a_length_of_its_own() {
        let list = parse_next_protocols(b"\x06spdy/2\x08http/1.1").unwrap();
        assert_eq!(list, ["spdy/2", "http/1.1"]);
        assert!(parse_next_protocols(b"").unwrap().is_empty());
        assert!(parse_next_protocols(b"\x06spdy").is_err());
    }

    #[test]
    fn a_server_name_is_never_an_address() {
        assert_eq!(Extension::server_name("127.0.0.1"), None);
        assert_eq!(Extension::server_name("::1"), None);
        assert_eq!(Extension::server_name(""), None);
        assert_eq!(Extension::server_name("a b"), None);
        let name = Extension::server_name("shop.example.").unwrap();
        assert_eq!(name.body, b"\x00\x0f\x00\x00\x0cshop.example");
    }

    #[test]
    fn the_bodies_are_those_of_the_rfcs() {
        assert_eq!(Extension::groups(&[0x1D, 0x17]).body, [0, 4, 0, 0x1D, 0, 0x17]);
        assert_eq!(Extension::versions(&[0x0304, 0x0303]).body, [4, 3, 4, 3, 3]);
        assert_eq!(Extension::key_shares(&[]).body, [0, 0]);
        assert_eq!(Extension::alpn(&["h2"]).body, [0, 3, 2, b'h', b'2']);
        assert_eq!(parse_alpn(&Extension::alpn(&["h2", "http/1.1"]).body).unwrap(), ["h2", "http/1.1"]);
    }

    #[test]
    fn a_type_that_comes_twice_is_malformed() {
        let mut bytes = Vec::new();
        put_block(&mut bytes, &[Extension::empty(23), Extension::empty(23)]);
        assert!(parse_block(&mut Reader::new(&bytes, "block"), "block").is_err());
    }
}
