//! Records of TLS 1.3 after its ServerHello: how they are protected (RFC 8446 section 5.2), and the tickets in those that a
//! server sends after the handshake.

use super::keys::Hash;
use crate::wire::Ticket;
use crate::wire::flight::NEW_SESSION_TICKET;
use crate::wire::record::{APPLICATION_DATA, Event, HANDSHAKE, RecordReader};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};

/// Most tickets that are kept of one session.
const TICKETS: usize = 8;

/// The suites of TLS 1.3 that a session of ours can be made with.
pub const SUITES: [u16; 3] = [0x1301, 0x1302, 0x1303];

/// The hash of a suite of TLS 1.3; `None` for others.
pub fn hash_of(suite: u16) -> Option<Hash> {
    parts(suite).map(|(hash, _)| hash)
}

fn parts(suite: u16) -> Option<(Hash, &'static Algorithm)> {
    match suite {
        0x1301 => Some((Hash::Sha256, &AES_128_GCM)),
        0x1302 => Some((Hash::Sha384, &AES_256_GCM)),
        0x1303 => Some((Hash::Sha256, &CHACHA20_POLY1305)),
        _ => None,
    }
}

/// The protection of one direction.
pub struct Traffic {
    key: LessSafeKey,
    vector: Vec<u8>,
    sequence: u64,
}

impl Traffic {
    /// With the secret of this direction; `None` for suites of other versions.
    pub fn new(suite: u16, secret: &[u8]) -> Option<Traffic> {
        let (hash, algorithm) = parts(suite)?;
        let key = expand_label(hash, secret, "key", &[], algorithm.key_len());
        let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).ok()?);
        Some(Traffic { key, vector: expand_label(hash, secret, "iv", &[], 12), sequence: 0 })
    }

    /// The type and content of a record from its fragment; `None` where it is not protected so.
    pub fn open(&mut self, fragment: &[u8]) -> Option<(u8, Vec<u8>)> {
        let header = header(fragment.len())?;
        let mut plain = fragment.to_vec();
        let opened = self.key.open_in_place(self.nonce()?, Aad::from(header), &mut plain).ok()?;
        self.sequence += 1;
        // Zeros may follow the type.
        let at = opened.iter().rposition(|byte| *byte != 0)?;
        Some((*opened.get(at)?, opened.get(..at)?.to_vec()))
    }

    /// The fragment of a record with this type and content.
    pub fn seal(&mut self, kind: u8, content: &[u8]) -> Option<Vec<u8>> {
        let mut sealed = [content, &[kind]].concat();
        let header = header(sealed.len() + self.key.algorithm().tag_len())?;
        self.key.seal_in_place_append_tag(self.nonce()?, Aad::from(header), &mut sealed).ok()?;
        self.sequence += 1;
        Some(sealed)
    }

    fn nonce(&self) -> Option<Nonce> {
        let number = [[0; 4].as_slice(), &self.sequence.to_be_bytes()].concat();
        let nonce: Vec<u8> = self.vector.iter().zip(number).map(|(one, other)| one ^ other).collect();
        Nonce::try_assume_unique_for_key(&nonce).ok()
    }
}

/// What is protected of a record beside its content.
fn header(length: usize) -> Option<Vec<u8>> {
    let length = u16::try_from(length).ok()?.to_be_bytes();
    Some([&[APPLICATION_DATA, 3, 3], length.as_slice()].concat())
}

/// Reads the tickets of a session, opened with the secret that a library hands out: it tells nothing of a ticket's
/// lifetime itself.
pub struct TicketReader {
    traffic: Traffic,
    messages: RecordReader,
    tickets: Vec<Ticket>,
}

impl TicketReader {
    /// With the server's first traffic secret of a session with this suite; `None` for suites of other versions.
    pub fn new(suite: u16, secret: &[u8]) -> Option<TicketReader> {
        let traffic = Traffic::new(suite, secret)?;
        Some(TicketReader { traffic, messages: RecordReader::new(), tickets: Vec::new() })
    }

    /// Takes the fragment of a record. What the secret does not open belongs to the handshake, and is passed over.
    pub fn push(&mut self, fragment: &[u8]) {
        let Some((kind, content)) = self.traffic.open(fragment) else { return };
        if kind != HANDSHAKE || self.messages.absorb(HANDSHAKE, content).is_err() {
            return;
        }
        while let Ok(Some(Event::Message(kind, body))) = self.messages.message() {
            if kind == NEW_SESSION_TICKET && self.tickets.len() < TICKETS {
                self.tickets.extend(Ticket::parse_modern(&body));
            }
        }
    }

    /// The tickets that came.
    pub fn tickets(&self) -> &[Ticket] {
        &self.tickets
    }
}

/// HKDF-Expand-Label of RFC 8446 section 7.1, for no more than one hash of output.
pub fn expand_label(hash: Hash, secret: &[u8], label: &str, context: &[u8], length: usize) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let mut info = u16::try_from(length).unwrap_or_default().to_be_bytes().to_vec();
    crate::wire::cursor::put_vec8(&mut info, label.as_bytes());
    crate::wire::cursor::put_vec8(&mut info, context);
    info.push(1);
    let mut out = hash.hmac(secret, &[&info]);
    out.truncate(length);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
    }

    /// RFC 8448 section 3: the server's application traffic keys.
    #[test]
    fn keys_are_those_of_rfc_8448() {
        let secret =
            hex("a1 1a f9 f0 55 31 f8 56 ad 47 11 6b 45 a9 50 32 82 04 b4 f4 4b fb 6b 3a 4b 4f 1f 3f cb 63 16 43");
        let key = hex("9f 02 28 3b 6c 9c 07 ef c2 6b b9 f2 ac 92 e3 56");
        let vector = hex("cf 78 2b 88 dd 83 54 9a ad f1 e9 84");
        assert_eq!(expand_label(Hash::Sha256, &secret, "key", &[], 16), key);
        assert_eq!(expand_label(Hash::Sha256, &secret, "iv", &[], 12), vector);
    }

    #[test]
    fn what_is_sealed_is_opened_in_its_turn() {
        for suite in SUITES {
            let (mut ours, mut theirs) =
                (Traffic::new(suite, &[7; 32]).unwrap(), Traffic::new(suite, &[7; 32]).unwrap());
            let (first, second) = (ours.seal(22, b"one").unwrap(), ours.seal(21, b"two").unwrap());
            assert_eq!(theirs.open(&second), None);
            assert_eq!(theirs.open(&first), Some((22, b"one".to_vec())));
            assert_eq!(theirs.open(&second), Some((21, b"two".to_vec())));
        }
    }

    #[test]
    fn what_is_not_of_the_session_is_passed_over() {
        let mut reader = TicketReader::new(0x1301, &[7; 32]).unwrap();
        reader.push(&[]);
        reader.push(&[9; 100]);
        assert!(reader.tickets().is_empty());
        assert!(TicketReader::new(0xC02F, &[7; 32]).is_none());
    }
}
