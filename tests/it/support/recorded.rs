//! Real servers, recorded: each different hello is sent to the real server once, and its answer is kept. Whole
//! handshakes cannot be recorded, so a library makes them with the same certificates.

use super::faulty::{Pipe, Serve};
use probity::wire::record::{self, ALERT, CHANGE_CIPHER_SPEC, Event, HANDSHAKE, HEARTBEAT, RecordReader};
use probity::wire::{ClientHello, Extension, FlightReader, extension, ssl2};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello as Offered, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const UNEXPECTED_MESSAGE: u8 = 10;
const BAD_RECORD_MAC: u8 = 20;
const HANDSHAKE_FAILURE: u8 = 40;
/// The groups of a hello that a whole session is to follow (see `session::GROUPS`).
const SESSION: [u16; 4] = [0x001D, 0x0017, 0x0018, 0x0019];

/// What a real server answered.
#[derive(Clone)]
struct Answer {
    bytes: Vec<u8>,
    closed: bool,
}

/// A recorded server.
pub struct Recorded {
    port: u16,
    answers: Mutex<HashMap<Vec<u8>, Answer>>,
    sessions: Option<Arc<ServerConfig>>,
    keys: Arc<Keys>,
    /// It answers a heartbeat with more than it was sent.
    bleeds: bool,
}

impl Recorded {
    /// The server on this port, with the keys and certificates that it has; none where no library speaks like it.
    pub fn new(port: u16, pairs: &[(PathBuf, PathBuf)], alpn: &[&str], modern: bool, bleeds: bool) -> Recorded {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let keys = Arc::new(Keys::read(pairs, &provider));
        let versions: &[&rustls::SupportedProtocolVersion] =
            if modern { &[&rustls::version::TLS13, &rustls::version::TLS12] } else { &[&rustls::version::TLS12] };
        let sessions = (!pairs.is_empty()).then(|| {
            let mut config = ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(versions)
                .unwrap()
                .with_no_client_auth()
                .with_cert_resolver(Arc::clone(&keys) as Arc<dyn ResolvesServerCert>);
            config.ticketer = Arc::new(OpenTickets);
            config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
            Arc::new(config)
        });
        Recorded { port, answers: Mutex::default(), sessions, keys, bleeds }
    }

    fn answer(&self, key: Vec<u8>, hello: &[u8]) -> Answer {
        if let Some(known) = self.answers.lock().unwrap().get(&key) {
            return known.clone();
        }
        let made = self.ask(hello);
        self.answers.lock().unwrap().entry(key).or_insert(made).clone()
    }

    /// Asks the real server. One that says nothing more for two seconds waits.
    fn ask(&self, hello: &[u8]) -> Answer {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        stream.write_all(hello).unwrap();
        let mut reader = FlightReader::new(|_| None);
        let (mut bytes, mut buffer) = (Vec::new(), [0; 16_384]);
        let is_ssl2 = hello[0] & 0x80 != 0;
        loop {
            let count = match stream.read(&mut buffer) {
                Ok(0) => return Answer { bytes, closed: true },
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Answer { bytes, closed: true };
                }
                Err(_) => return Answer { bytes, closed: false },
            };
            bytes.extend_from_slice(&buffer[..count]);
            let whole = match is_ssl2 && !matches!(bytes[..], [21, 3, ..]) {
                true => matches!(ssl2::Answer::read(&bytes), Ok(Some(_))),
                false => reader.push(&buffer[..count]).unwrap_or(true),
            };
            if whole {
                return Answer { closed: reader.alert().is_some(), bytes };
            }
        }
    }
}

impl Serve for Recorded {
    fn serve(&self, mut pipe: Pipe) {
        let Some(Opening { raw, hello }) = Opening::read(&mut pipe) else { return };
        if let (Some(sessions), Some(hello)) = (&self.sessions, &hello)
            && is_session(hello)
        {
            if !self.keys.fits(hello) {
                let _ = pipe.write_all(&record::write(ALERT, 0x0303, &[2, HANDSHAKE_FAILURE]));
                return;
            }
            session(pipe, raw, Arc::clone(sessions));
            return;
        }
        let key = hello.map_or_else(|| raw[..raw.len().saturating_sub(16)].to_vec(), |hello| plain(&hello));
        let answer = self.answer(key, &raw);
        let _ = pipe.write_all(&answer.bytes);
        if !answer.closed {
            self.go_on(pipe);
        }
    }
}

impl Recorded {
    /// What follows the first flight where no session does: the second flight of those who test.
    fn go_on(&self, mut pipe: Pipe) {
        let (mut reader, mut buffer) = (RecordReader::new(), [0; 4096]);
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            if reader.push(&buffer[..count]).is_err() {
                return;
            }
            let mut said = None;
            while let Ok(Some((kind, _))) = reader.record() {
                said = match kind {
                    HEARTBEAT if self.bleeds => Some(record::write(HEARTBEAT, 0x0302, &[2; 16_000])),
                    HEARTBEAT => None,
                    CHANGE_CIPHER_SPEC if said.is_none() => {
                        Some(record::write(ALERT, 0x0303, &[2, UNEXPECTED_MESSAGE]))
                    }
                    HANDSHAKE => Some(record::write(ALERT, 0x0303, &[2, BAD_RECORD_MAC])),
                    _ => said,
                };
            }
            if let Some(said) = said {
                let _ = pipe.write_all(&said);
                if !self.bleeds || said[0] == ALERT {
                    return;
                }
            }
        }
    }
}

/// The first bytes of a client, up to the end of its hello.
struct Opening {
    raw: Vec<u8>,
    hello: Option<ClientHello>,
}

impl Opening {
    fn read(pipe: &mut Pipe) -> Option<Opening> {
        let (mut raw, mut buffer, mut reader) = (Vec::new(), [0; 16_384], RecordReader::new());
        loop {
            let count = pipe.read(&mut buffer).ok().filter(|count| *count > 0)?;
            raw.extend_from_slice(&buffer[..count]);
            if raw[0] & 0x80 != 0 {
                return Some(Opening { raw, hello: None });
            }
            reader.push(&buffer[..count]).ok()?;
            if let Some(Event::Message(1, body)) = reader.event().ok()? {
                return Some(Opening { raw, hello: Some(ClientHello::parse(&body).unwrap()) });
            }
        }
    }
}

/// A hello without what is drawn for each.
fn plain(hello: &ClientHello) -> Vec<u8> {
    let mut plain = ClientHello { random: [0; 32], ..hello.clone() };
    plain.session_id.iter_mut().for_each(|byte| *byte = 0);
    let shares: Vec<(u16, Vec<u8>)> = plain.shares().into_iter().map(|(group, _)| (group, Vec::new())).collect();
    if let Some(list) = &mut plain.extensions {
        for share in list.iter_mut().filter(|known| known.kind == extension::KEY_SHARE) {
            *share = Extension::new(extension::KEY_SHARE, shares.iter().flat_map(|(id, _)| id.to_be_bytes()).collect());
        }
    }
    plain.to_message()
}

/// Whether a whole session is to follow: the hello of a library, or of the project's own sessions.
fn is_session(hello: &ClientHello) -> bool {
    let library = !hello.shares().is_empty() && hello.extension(extension::SCT).is_none();
    library || (hello.groups() == SESSION && !hello.versions().contains(&0x0304))
}

fn session(pipe: Pipe, raw: Vec<u8>, config: Arc<ServerConfig>) {
    let connection = ServerConnection::new(config).unwrap();
    let mut tls = StreamOwned::new(connection, Begun { raw, pipe });
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = tls.read(&mut buffer) {
        let _ = count;
        if tls.write_all(b"HTTP/1.0 200 OK\r\n\r\nok").is_err() {
            return;
        }
    }
    // What the library still has to say, an alert above all.
    let _ = tls.conn.write_tls(&mut tls.sock);
}

/// A pipe of which the beginning has been read already.
struct Begun {
    raw: Vec<u8>,
    pipe: Pipe,
}

impl Read for Begun {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.raw.is_empty() {
            return self.pipe.read(buffer);
        }
        let count = buffer.len().min(self.raw.len());
        buffer[..count].copy_from_slice(&self.raw[..count]);
        self.raw.drain(..count);
        Ok(count)
    }
}

impl Write for Begun {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.pipe.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Tickets that hide nothing, and of which the same is the same each time.
#[derive(Debug)]
struct OpenTickets;

const TICKET_KEY: [u8; 16] = *b"the only one key";

impl ProducesTickets for OpenTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        43_200
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        Some([&TICKET_KEY, plain].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        ticket.strip_prefix(&TICKET_KEY).map(<[u8]>::to_vec)
    }
}

/// Several certificates; the first that fits the client's schemes is shown.
#[derive(Debug)]
struct Keys(Vec<Arc<CertifiedKey>>);

impl Keys {
    fn read(pairs: &[(PathBuf, PathBuf)], provider: &CryptoProvider) -> Keys {
        let one = |(key, pem): &(PathBuf, PathBuf)| {
            let chain = vec![CertificateDer::from_pem_file(pem).unwrap()];
            let key = PrivateKeyDer::from_pem_file(key).unwrap();
            Arc::new(CertifiedKey::new(chain, provider.key_provider.load_private_key(key).unwrap()))
        };
        Keys(pairs.iter().map(one).collect())
    }

    fn fits(&self, hello: &ClientHello) -> bool {
        let schemes: Vec<rustls::SignatureScheme> = hello.schemes().into_iter().map(Into::into).collect();
        self.0.iter().any(|pair| pair.key.choose_scheme(&schemes).is_some())
    }
}

impl ResolvesServerCert for Keys {
    fn resolve(&self, hello: Offered<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.iter().find(|pair| pair.key.choose_scheme(hello.signature_schemes()).is_some()).cloned()
    }
}
