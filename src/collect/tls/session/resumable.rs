//! A handshake of TLS 1.3 made by hand, up to the key that a ticket stands for: no library hands that out, and without it
//! no ticket can be shown in a mode that libraries do not know.
//!
//! As in sessions of older versions, the server's certificate and its signature are not judged, and nothing secret is
//! sent. That both sides have the same keys is proven by the server's Finished message.

use super::keys::Hash;
use super::modern::{SUITES, Traffic, expand_label, hash_of};
use super::{Failure, Time};
use crate::net::Stream;
use crate::wire::cursor::{put_vec8, put_vec16, put_vec24};
use crate::wire::record::{self, ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, Event, HANDSHAKE, RecordReader};
use crate::wire::{Alert, ClientHello, Extension, Issued, ServerHello, Version, alert, extension, flight};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey};
use aws_lc_rs::rand::SystemRandom;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

/// How long a ticket may take to come after the handshake.
const TICKET: Duration = Duration::from_secs(2);
/// Most messages of one side of a handshake.
const MESSAGES: usize = 16;
/// CertificateRequest, in which the context stands first.
const REQUEST: u8 = flight::CERTIFICATE_REQUEST;

/// A ticket and the key that it stands for. Without `Debug`, since it holds a key.
pub struct Resumable {
    suite: u16,
    hash: Hash,
    key: Vec<u8>,
    issued: Issued,
    since: Instant,
}

impl Resumable {
    /// A session with this server, left when a ticket has come; `None` where none comes.
    ///
    /// # Errors
    /// When the handshake does not come to its end.
    pub async fn earn(stream: Box<dyn Stream>, hello: ClientHello, time: Time) -> Result<Option<Resumable>, Failure> {
        let keys = Keys::new()?;
        let hello = hello.with(Extension::groups(&keys.groups())).with(Extension::key_shares(&keys.shares()?));
        let hello = ClientHello { suites: SUITES.to_vec(), ..hello };
        let mut line = Line { stream, records: RecordReader::new(), read: None, end: time.first };
        let mut messages = hello.to_message();
        line.write(&record::write(HANDSHAKE, Version::Tls10.code(), &messages)).await;
        let (kind, body) = line.message().await?;
        line.end = time.end;
        if kind != flight::SERVER_HELLO {
            return Err(Failure::Unexpected("something before ServerHello"));
        }
        messages.extend(super::message(kind, &body));
        let answer = ServerHello::parse(&body)?;
        let shared = keys.agree(&hello, &answer)?;
        let hash = hash_of(answer.suite).ok_or(Failure::Unsupported("a suite without a session of ours"))?;
        let schedule = Schedule { suite: answer.suite, hash };
        let secret = schedule.handshake(&shared);
        let (client, server) = schedule.pair(&secret, "hs", &messages);
        line.read = Some(schedule.traffic(&server)?);
        let context = line.flight(&schedule, &server, &mut messages).await?;
        let master = schedule.master(&secret);
        let (own, theirs) = schedule.pair(&master, "ap", &messages);
        let mut second = Vec::new();
        if let Some(context) = context {
            second.extend(no_certificate(&context));
        }
        let finished = schedule.finished(&client, &[messages.as_slice(), &second].concat());
        second.extend(super::message(flight::FINISHED, &finished));
        messages.extend(&second);
        let mut out = record::write(CHANGE_CIPHER_SPEC, Version::Tls12.code(), &[1]);
        out.extend(sealed(&mut schedule.traffic(&client)?, HANDSHAKE, &second)?);
        line.write(&out).await;
        line.read = Some(schedule.traffic(&theirs)?);
        line.end = time.end.min(Instant::now() + TICKET);
        let issued = line.ticket().await?;
        let goodbye = Alert { level: 1, description: alert::CLOSE_NOTIFY }.to_bytes();
        line.write(&sealed(&mut schedule.traffic(&own)?, ALERT, &goodbye)?).await;
        let resumption = schedule.derive(&master, "res master", &messages);
        Ok(issued.map(|issued| Resumable {
            key: expand_label(hash, &resumption, "resumption", &issued.nonce, hash.length()),
            suite: answer.suite,
            hash,
            issued,
            since: Instant::now(),
        }))
    }

    /// The message of a hello that shows the ticket and allows no fresh key exchange (psk_ke of RFC 8446 section 4.2.9).
    pub fn without_exchange(&self, hello: ClientHello) -> Vec<u8> {
        let hello = hello
            .without(extension::SUPPORTED_GROUPS)
            .without(extension::KEY_SHARE)
            .with(Extension::new(extension::PSK_MODES, vec![1, 0]));
        self.shown(ClientHello { suites: vec![self.suite], ..hello })
    }

    /// The message with the ticket at its end, and the proof that we have its key.
    fn shown(&self, hello: ClientHello) -> Vec<u8> {
        let age = u32::try_from(self.since.elapsed().as_millis()).unwrap_or(u32::MAX);
        let mut identity = Vec::new();
        put_vec16(&mut identity, &self.issued.ticket.bytes);
        identity.extend(age.wrapping_add(self.issued.age_add).to_be_bytes());
        let with = |binder: &[u8]| {
            let (mut body, mut binders) = (Vec::new(), Vec::new());
            put_vec16(&mut body, &identity);
            put_vec8(&mut binders, binder);
            put_vec16(&mut body, &binders);
            hello.clone().with(Extension::new(extension::PRE_SHARED_KEY, body)).to_exact_message()
        };
        let length = self.hash.length();
        let blank = with(&vec![0; length]);
        // The proof is over all that stands before the list of proofs: two lengths and the proof itself.
        let before = blank.get(..blank.len().saturating_sub(length + 3)).unwrap_or_default();
        let early = self.hash.hmac(&[], &[&self.key]);
        let empty = self.hash.digest(&[]);
        let binder_key = expand_label(self.hash, &early, "res binder", &empty, length);
        let finished_key = expand_label(self.hash, &binder_key, "finished", &[], length);
        with(&self.hash.hmac(&finished_key, &[&self.hash.digest(before)]))
    }
}

/// The keys of our shares.
struct Keys(Vec<(u16, &'static agreement::Algorithm, EphemeralPrivateKey)>);

impl Keys {
    fn new() -> Result<Keys, Failure> {
        let groups = [(0x001D, &agreement::X25519), (0x0017, &agreement::ECDH_P256), (0x0018, &agreement::ECDH_P384)];
        let mut keys = Vec::new();
        for (group, algorithm) in groups {
            let key = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new());
            keys.push((group, algorithm, key.map_err(|_| Failure::Unsupported("a key that cannot be made"))?));
        }
        Ok(Keys(keys))
    }

    fn groups(&self) -> Vec<u16> {
        self.0.iter().map(|(group, ..)| *group).collect()
    }

    fn shares(&self) -> Result<Vec<(u16, Vec<u8>)>, Failure> {
        let share = |(group, _, key): &(u16, _, EphemeralPrivateKey)| {
            let public = key.compute_public_key().map_err(|_| Failure::Unsupported("a key that cannot be made"))?;
            Ok((*group, public.as_ref().to_vec()))
        };
        self.0.iter().map(share).collect()
    }

    /// The secret that both sides have, where the answer is one to the hello.
    fn agree(self, hello: &ClientHello, answer: &ServerHello) -> Result<Vec<u8>, Failure> {
        if answer.negotiated() != Version::Tls13.code() || !hello.suites.contains(&answer.suite) {
            return Err(Failure::Unexpected("an answer that was not offered"));
        }
        let other = Failure::Unsupported("a group without a session of ours");
        if answer.is_retry() {
            return Err(other);
        }
        let share = answer.extension(extension::KEY_SHARE).and_then(<[u8]>::split_first_chunk::<4>);
        let Some((&[high, low, ..], theirs)) = share else { return Err(Failure::Unexpected("no share of the key")) };
        let group = u16::from_be_bytes([high, low]);
        let (_, algorithm, own) = self.0.into_iter().find(|(known, ..)| *known == group).ok_or(other)?;
        let failed = Failure::Unsupported("a point that is not on the curve");
        agreement::agree_ephemeral(own, UnparsedPublicKey::new(algorithm, theirs), failed, |secret| Ok(secret.to_vec()))
    }
}

/// The key schedule of RFC 8446 section 7.1.
struct Schedule {
    suite: u16,
    hash: Hash,
}

impl Schedule {
    fn derive(&self, secret: &[u8], label: &str, messages: &[u8]) -> Vec<u8> {
        expand_label(self.hash, secret, label, &self.hash.digest(messages), self.hash.length())
    }

    fn handshake(&self, shared: &[u8]) -> Vec<u8> {
        let zeros = vec![0; self.hash.length()];
        let early = self.hash.hmac(&[], &[&zeros]);
        self.hash.hmac(&self.derive(&early, "derived", &[]), &[shared])
    }

    fn master(&self, handshake: &[u8]) -> Vec<u8> {
        let zeros = vec![0; self.hash.length()];
        self.hash.hmac(&self.derive(handshake, "derived", &[]), &[&zeros])
    }

    /// The client's and the server's traffic secrets of this stage.
    fn pair(&self, secret: &[u8], stage: &str, messages: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let of = |side: &str| self.derive(secret, &format!("{side} {stage} traffic"), messages);
        (of("c"), of("s"))
    }

    fn finished(&self, traffic: &[u8], messages: &[u8]) -> Vec<u8> {
        let key = expand_label(self.hash, traffic, "finished", &[], self.hash.length());
        self.hash.hmac(&key, &[&self.hash.digest(messages)])
    }

    fn traffic(&self, secret: &[u8]) -> Result<Traffic, Failure> {
        Traffic::new(self.suite, secret).ok_or(Failure::Unsupported("a suite without a session of ours"))
    }
}

/// The connection, in clear at first and then protected.
struct Line {
    stream: Box<dyn Stream>,
    records: RecordReader,
    read: Option<Traffic>,
    end: Instant,
}

impl Line {
    /// A peer that has closed may still have said why, so a failure shows when reading.
    async fn write(&mut self, bytes: &[u8]) {
        let _ = tokio::time::timeout_at(self.end, async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        })
        .await;
    }

    /// The next handshake message.
    async fn message(&mut self) -> Result<(u8, Vec<u8>), Failure> {
        let mut buffer = vec![0; 8 * 1024];
        loop {
            if let Some(Event::Message(kind, body)) = self.records.message()? {
                return Ok((kind, body));
            }
            if let Some((kind, fragment)) = self.records.record()? {
                self.take(kind, fragment)?;
                continue;
            }
            match tokio::time::timeout_at(self.end, self.stream.read(&mut buffer)).await {
                Err(_) => return Err(Failure::Silent),
                Ok(Err(error)) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                    return Err(Failure::Reset);
                }
                Ok(Err(_) | Ok(0)) => return Err(Failure::Closed),
                Ok(Ok(count)) => self.records.push(buffer.get(..count).unwrap_or_default())?,
            }
        }
    }

    fn take(&mut self, kind: u8, fragment: Vec<u8>) -> Result<(), Failure> {
        let (kind, content) = match (&mut self.read, kind) {
            // It stands there for machines on the path alone.
            (_, CHANGE_CIPHER_SPEC) => return Ok(()),
            (Some(read), APPLICATION_DATA) => read.open(&fragment).ok_or(Failure::Broken)?,
            (Some(_), ALERT) | (None, _) => (kind, fragment),
            (Some(_), _) => return Err(Failure::Unexpected("a record in clear inside the handshake")),
        };
        match self.records.absorb(kind, content)? {
            Some(Event::Alert(alert)) if alert.is_fatal() || alert.description == alert::CLOSE_NOTIFY => {
                Err(Failure::Alert(alert))
            }
            Some(Event::Other(APPLICATION_DATA)) | Some(Event::Alert(_)) | None => Ok(()),
            Some(_) => Err(Failure::Unexpected("a record that is no part of a handshake")),
        }
    }

    /// The server's flight up to its Finished message; the context of its wish for a certificate, if it has one.
    async fn flight(
        &mut self,
        schedule: &Schedule,
        secret: &[u8],
        messages: &mut Vec<u8>,
    ) -> Result<Option<Vec<u8>>, Failure> {
        let mut context = None;
        for _ in 0..MESSAGES {
            let (kind, body) = self.message().await?;
            if kind == flight::FINISHED {
                if body != schedule.finished(secret, messages) {
                    return Err(Failure::Unexpected("a Finished message of other keys"));
                }
                messages.extend(super::message(kind, &body));
                return Ok(context);
            }
            if kind == REQUEST {
                let (&length, rest) = body.split_first().ok_or(Failure::Unexpected("an empty message"))?;
                context = Some(rest.get(..usize::from(length)).unwrap_or_default().to_vec());
            }
            messages.extend(super::message(kind, &body));
        }
        Err(Failure::Unexpected("a flight of the server that does not end"))
    }

    /// The first ticket, where one comes in time.
    async fn ticket(&mut self) -> Result<Option<Issued>, Failure> {
        for _ in 0..MESSAGES {
            match self.message().await {
                Ok((flight::NEW_SESSION_TICKET, body)) => return Ok(Some(Issued::parse(&body)?)),
                Ok(_) => {}
                Err(Failure::Silent) => return Ok(None),
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }
}

/// We have none, and say so.
fn no_certificate(context: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    put_vec8(&mut body, context);
    put_vec24(&mut body, &[]);
    super::message(flight::CERTIFICATE, &body)
}

fn sealed(traffic: &mut Traffic, kind: u8, content: &[u8]) -> Result<Vec<u8>, Failure> {
    let fragment = traffic.seal(kind, content).ok_or(Failure::Broken)?;
    Ok(record::write(APPLICATION_DATA, Version::Tls12.code(), &fragment))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let text: String = text.split_whitespace().collect();
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    /// RFC 8448 section 3: from the shared secret to the master secret.
    #[test]
    fn secrets_are_those_of_rfc_8448() {
        let schedule = Schedule { suite: 0x1301, hash: Hash::Sha256 };
        let shared = hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d");
        let handshake = schedule.handshake(&shared);
        assert_eq!(handshake, hex("1dc826e93606aa6fdc0aadc12f741b01046aa6b99f691ed221a9f0ca043fbeac"));
        let master = schedule.master(&handshake);
        assert_eq!(master, hex("18df06843d13a08bf2a449844c5f8a478001bc4d4c627984d5a41da8d0402919"));
        // Section 4: the key of a ticket with the nonce 00 00.
        let resumption = hex("7df235f2031d2a051287d02b0241b0bfdaf86cc856231f2d5aba46c434ec196c");
        let key = expand_label(Hash::Sha256, &resumption, "resumption", &[0, 0], 32);
        assert_eq!(key, hex("4ecd0eb6ec3b4d87f5d6028f922ca4c5851a277fd41311c9e62d2c9492e1c4f3"));
    }

    #[test]
    fn the_ticket_stands_last_and_its_proof_is_over_what_is_before() {
        let ticket = crate::wire::Ticket { lifetime: 1, bytes: vec![9; 40], early_data: None };
        let resumable = Resumable {
            suite: 0x1301,
            hash: Hash::Sha256,
            key: vec![7; 32],
            issued: Issued { ticket, age_add: 5, nonce: vec![0] },
            since: Instant::now(),
        };
        let hello = ClientHello {
            version: 0x0303,
            random: [0; 32],
            session_id: vec![1; 32],
            suites: Vec::new(),
            compression: vec![0],
            extensions: Some(vec![Extension::groups(&[0x001D]), Extension::versions(&[0x0304])]),
        };
        let message = resumable.without_exchange(hello);
        let read = ClientHello::parse(&message[4..]).unwrap();
        let extensions = read.extensions.unwrap();
        assert_eq!(extensions.last().unwrap().kind, extension::PRE_SHARED_KEY);
        assert!(extensions.iter().all(|one| one.kind != extension::SUPPORTED_GROUPS));
        assert_eq!(extension::find(&extensions, extension::PSK_MODES), Some(&[1, 0][..]));
        assert_eq!(read.suites, [0x1301]);
        // Two lengths and 32 bytes stand at the end.
        assert_eq!(message[message.len() - 35..message.len() - 32], [0, 33, 32]);
    }
}
