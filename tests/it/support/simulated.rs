//! A simulated server of TLS 1.2 with the flaws that no server to be had has: one suite or two with AES-CBC and SHA-1,
//! tickets, and an answer to records that are not as they should be. Written on the record layer of this project.

use super::tls::scripted;
use aes::Aes128;
use aws_lc_rs::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use aws_lc_rs::rand::SystemRandom as LibraryRandom;
use cbc::cipher::{Block, BlockModeDecrypt as _, KeyIvInit as _};
use probity::collect::tls::session::{Hash, Protection, Suite, Terms, message, prf};
use probity::net::{Random as _, SystemRandom};
use probity::wire::key_exchange::{Params, ServerKeyExchange};
use probity::wire::{ClientHello, Extension, ServerHello, Ticket, Version, certificate, extension, flight, record};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

/// ECDHE_RSA with AES-128-CBC and SHA-1, and the same with 3DES.
pub const PREFERRED: u16 = 0xC013;
const SECOND: u16 = 0xC014;

/// How the simulated server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// All wrong records are answered alike.
    None,
    /// Of the padding only the last byte is looked at.
    OldPadding,
    /// The same, with the suite alone that is not preferred.
    Sleeping,
    /// The MAC is not looked at.
    NoMac,
    /// Wrong padding, and records that are too short, end the connection without an alert.
    PaddingTold,
    /// Wrong padding alone ends the connection without an alert.
    Zombie,
    /// Wrong padding has an alert of its own, which is encrypted.
    Hidden,
    /// Records without room for a MAC end the connection without an alert.
    ZeroLength,
    /// Padding as long as the record overflows.
    Overflow,
    /// At first every other record ends the connection, later none.
    Moody,
    /// A short session id is filled up with this byte.
    Ticketbleed(u8),
    /// Tickets are issued and never taken.
    Forgetful,
    /// Handshakes inside the session are ignored, and data is answered.
    Deaf,
    /// It speaks first, and answers all wrong records alike.
    Greeting,
    /// It speaks first, and does not look at the MAC.
    GreetingNoMac,
    /// Clients that do not know RFC 5746 are refused.
    Strict,
    /// No handshake comes to its end without a certificate of the client's.
    Guarded,
}

struct Server {
    flaw: Flaw,
    leaf: Vec<u8>,
    masters: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    turns: Mutex<u32>,
}

/// Starts it. Its threads end with the process.
pub fn simulated(flaw: Flaw) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
    let leaf = made.cert.der().to_vec();
    let server = Arc::new(Server { flaw, leaf, masters: Mutex::default(), turns: Mutex::default() });
    scripted(move |stream| {
        // A client that has seen enough hangs up.
        let _ = server.serve(stream);
    })
}

/// A session that has been made.
struct Open {
    stream: TcpStream,
    terms: Terms,
    write: Protection,
    read: Protection,
    key: Vec<u8>,
    mac: Vec<u8>,
    sequence: u64,
}

impl Server {
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let (kind, body) = read_record(&mut stream)?;
        if kind != record::HANDSHAKE {
            return None;
        }
        let hello = ClientHello::parse(body.get(4..)?).ok()?;
        let suites = if self.flaw == Flaw::Sleeping { vec![PREFERRED, SECOND] } else { vec![PREFERRED] };
        let suite = suites.into_iter().find(|suite| hello.suites.contains(suite));
        let refusal = if !hello.versions().contains(&0x0303) { 70 } else { 40 };
        let Some(suite) = suite.filter(|_| hello.versions().contains(&0x0303)) else {
            return send(&mut stream, record::ALERT, &[2, refusal]);
        };
        if self.flaw == Flaw::Strict && hello.extension(extension::RENEGOTIATION_INFO).is_none() {
            return send(&mut stream, record::ALERT, &[2, 40]);
        }
        let shown = hello.extension(extension::SESSION_TICKET).map(<[u8]>::to_vec);
        let known = shown.as_ref().and_then(|ticket| self.masters.lock().unwrap().get(ticket).cloned());
        let mut random = [0; 32];
        SystemRandom.fill(&mut random);
        let terms = Terms {
            version: Version::Tls12,
            suite: Suite::find(suite).unwrap(),
            client: hello.random,
            server: random,
            encrypt_then_mac: false,
        };
        let ticketed = matches!(self.flaw, Flaw::Ticketbleed(_) | Flaw::Forgetful | Flaw::Strict);
        let tickets = ticketed && shown.is_some();
        match known {
            Some(master) if self.flaw != Flaw::Forgetful => self.resume(stream, terms, &hello, &body, &master),
            _ => self.whole(stream, terms, &hello, body, tickets),
        }
    }

    fn hello(&self, terms: &Terms, hello: &ClientHello, session_id: Vec<u8>, tickets: bool) -> Vec<u8> {
        let mut extensions = Vec::new();
        if hello.extension(extension::RENEGOTIATION_INFO).is_some() {
            extensions.push(Extension::renegotiation_info());
        }
        if tickets {
            extensions.push(Extension::empty(extension::SESSION_TICKET));
        }
        ServerHello {
            version: 0x0303,
            random: terms.server,
            session_id,
            suite: terms.suite.id,
            compression: 0,
            extensions,
        }
        .to_message()
    }

    fn whole(
        &self,
        mut stream: TcpStream,
        terms: Terms,
        hello: &ClientHello,
        first: Vec<u8>,
        tickets: bool,
    ) -> Option<()> {
        let ours = EphemeralPrivateKey::generate(&X25519, &LibraryRandom::new()).unwrap();
        let point = ours.compute_public_key().unwrap().as_ref().to_vec();
        let params = Params::Curve { group: 0x001D, point };
        let exchange = ServerKeyExchange { hint: None, params, scheme: Some(0x0401) };
        let flight = [
            self.hello(&terms, hello, Vec::new(), tickets),
            certificate::write_chain(std::slice::from_ref(&self.leaf)),
            // Nobody looks at the signature in a session.
            exchange.to_message(Some(&[1; 256])),
            flight::server_hello_done(),
        ]
        .concat();
        send(&mut stream, record::HANDSHAKE, &flight)?;
        let mut messages = [first, flight].concat();
        let (_, answer) = read_record(&mut stream)?;
        if self.flaw == Flaw::Guarded {
            return send(&mut stream, record::ALERT, &[2, 40]);
        }
        let theirs = UnparsedPublicKey::new(&X25519, answer.get(5..)?);
        let secret = agree_ephemeral(ours, theirs, (), |secret| Ok(secret.to_vec())).ok()?;
        messages.extend(&answer);
        let master = terms.master(&secret);
        let (mut read, mut write) = terms.protections(&master).ok()?;
        read_record(&mut stream)?;
        let (_, finished) = read_record(&mut stream)?;
        messages.extend(read.open(record::HANDSHAKE, &finished).ok()?);
        if tickets {
            let mut bytes = vec![7; 64];
            SystemRandom.fill(&mut bytes[16..]);
            self.masters.lock().unwrap().insert(bytes.clone(), master.clone());
            let ticket = Ticket { lifetime: 172_800, bytes, early_data: None };
            let ticket = message(flight::NEW_SESSION_TICKET, &ticket.to_body());
            send(&mut stream, record::HANDSHAKE, &ticket)?;
            messages.extend(ticket);
        }
        finish(&mut stream, &terms, &master, &messages, &mut write)?;
        self.treat(Open::new(stream, terms, &master, read, write))
    }

    fn resume(
        &self,
        mut stream: TcpStream,
        terms: Terms,
        hello: &ClientHello,
        first: &[u8],
        master: &[u8],
    ) -> Option<()> {
        let mut id = hello.session_id.clone();
        if let Flaw::Ticketbleed(byte) = self.flaw {
            id.resize(32, byte);
        }
        let ours = self.hello(&terms, hello, id, false);
        send(&mut stream, record::HANDSHAKE, &ours)?;
        let mut messages = [first, &ours].concat();
        let (mut read, mut write) = terms.protections(master).ok()?;
        messages.extend(finish(&mut stream, &terms, master, &messages, &mut write)?);
        read_record(&mut stream)?;
        let (_, finished) = read_record(&mut stream)?;
        read.open(record::HANDSHAKE, &finished).ok()?;
        self.treat(Open::new(stream, terms, master, read, write))
    }

    /// The records of the session.
    fn treat(&self, mut open: Open) -> Option<()> {
        if matches!(self.flaw, Flaw::Greeting | Flaw::GreetingNoMac) {
            open.send(record::APPLICATION_DATA, b"220 shop.example")?;
        }
        loop {
            let (kind, fragment) = read_record(&mut open.stream)?;
            match kind {
                record::APPLICATION_DATA => return self.judge(open, &fragment),
                record::HANDSHAKE if self.flaw == Flaw::Deaf => {
                    open.read.open(kind, &fragment).ok()?;
                    open.sequence += 1;
                }
                record::HANDSHAKE => return open.send(record::ALERT, &[1, 100]),
                _ => return None,
            }
        }
    }

    fn judge(&self, mut open: Open, fragment: &[u8]) -> Option<()> {
        let plain = open.decrypt(fragment)?;
        let last = usize::from(*plain.last()?);
        let padding = plain.len().checked_sub(last + 1);
        let whole = padding.is_some_and(|at| plain[at..].iter().all(|byte| usize::from(*byte) == last));
        let content = padding.and_then(|at| at.checked_sub(20));
        let right = content.is_some_and(|at| open.mac(&plain[..at]) == plain[at..at + 20]);
        let second = open.terms.suite.id == SECOND;
        let mut turn = self.turns.lock().unwrap();
        *turn += 1;
        let odd = *turn % 2 == 1 && *turn < 8;
        drop(turn);
        match self.flaw {
            Flaw::Overflow if padding.is_none() => open.send(record::ALERT, &[2, 22]),
            Flaw::OldPadding if right => open.send(record::APPLICATION_DATA, b"here you are"),
            Flaw::Sleeping if right && second => open.send(record::APPLICATION_DATA, b"here you are"),
            Flaw::NoMac | Flaw::GreetingNoMac if whole => open.send(record::APPLICATION_DATA, b"here you are"),
            _ if whole && right => open.send(record::APPLICATION_DATA, b"here you are"),
            // A record of a MAC alone is short as well.
            Flaw::PaddingTold if !whole || content.is_none_or(|at| at == 0) => None,
            Flaw::Zombie if !whole => None,
            Flaw::Hidden if !whole => open.send(record::ALERT, &[2, 21]),
            Flaw::ZeroLength if whole && content.is_none() => None,
            Flaw::Moody if odd => None,
            _ => open.send(record::ALERT, &[2, 20]),
        }
    }
}

impl Open {
    fn new(stream: TcpStream, terms: Terms, master: &[u8], read: Protection, write: Protection) -> Open {
        let seed = [terms.server, terms.client].concat();
        let length = terms.suite.cipher.key();
        let block = prf(Version::Tls12, Hash::Sha256, master, "key expansion", &seed, 40 + length);
        let (mac, key) = (block[..20].to_vec(), block[40..].to_vec());
        // The client's Finished was the first record.
        Open { stream, terms, write, read, key, mac, sequence: 1 }
    }

    fn send(&mut self, kind: u8, content: &[u8]) -> Option<()> {
        let fragment = self.write.seal(kind, content, &SystemRandom).ok()?;
        send(&mut self.stream, kind, &fragment)
    }

    fn mac(&self, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let header = [&self.sequence.to_be_bytes(), &[23, 3, 3][..], &length].concat();
        Hash::Sha1.hmac(&self.mac, &[&header, content])
    }

    fn decrypt(&self, fragment: &[u8]) -> Option<Vec<u8>> {
        let (vector, sealed) = fragment.split_at_checked(16)?;
        let mut plain = sealed.to_vec();
        let mut decrypt = |block: &mut dyn FnMut(&mut Block<Aes128>)| {
            plain.chunks_exact_mut(16).for_each(|bytes| block(bytes.try_into().unwrap()));
        };
        if self.key.len() == 16 {
            let mut mode = cbc::Decryptor::<Aes128>::new_from_slices(&self.key, vector).ok()?;
            decrypt(&mut |block| mode.decrypt_block(block));
        } else {
            let mut mode = cbc::Decryptor::<aes::Aes256>::new_from_slices(&self.key, vector).ok()?;
            decrypt(&mut |block| mode.decrypt_block(block));
        }
        Some(plain)
    }
}

fn finish(
    stream: &mut TcpStream,
    terms: &Terms,
    master: &[u8],
    messages: &[u8],
    write: &mut Protection,
) -> Option<Vec<u8>> {
    let finished = message(flight::FINISHED, &terms.finished(master, "server finished", messages));
    let sealed = write.seal(record::HANDSHAKE, &finished, &SystemRandom).ok()?;
    send(stream, record::CHANGE_CIPHER_SPEC, &[1])?;
    send(stream, record::HANDSHAKE, &sealed)?;
    Some(finished)
}

fn read_record(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut header = [0; 5];
    stream.read_exact(&mut header).ok()?;
    let mut fragment = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    // The length of an SSLv2 hello stands elsewhere.
    if header[0] & 0x80 != 0 {
        return None;
    }
    stream.read_exact(&mut fragment).ok()?;
    Some((header[0], fragment))
}

fn send(stream: &mut TcpStream, kind: u8, fragment: &[u8]) -> Option<()> {
    stream.write_all(&record::write(kind, 0x0303, fragment)).ok()
}
