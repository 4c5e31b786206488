//! Single exchanges byte by byte, for what no client library shows: what a ServerHello holds, and how wrong messages
//! are taken. It shares no code with the scanner under test.

use num_bigint::BigUint;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// What came back.
#[derive(Debug, Default)]
pub struct Answer {
    /// The compression method of the ServerHello.
    pub compression: Option<u8>,
    /// The extensions of the ServerHello.
    pub extensions: Vec<u16>,
    /// The connection was closed before the flight was whole.
    pub closed: bool,
    /// The description of an alert.
    pub alert: Option<u8>,
    /// The first certificate, in DER.
    pub certificate: Vec<u8>,
    /// The bits of the prime of the finite field in the ServerKeyExchange.
    pub prime_bits: Option<usize>,
}

/// A connection with a ClientHello of this version and these suites sent, and what came up to ServerHelloDone.
pub fn hello(port: u16, version: u16, suites: &[u16]) -> (TcpStream, Answer) {
    let mut stream = connect(port);
    stream.write_all(&client_hello(version, suites)).unwrap();
    let answer = read_flight(&mut stream, suites);
    (stream, answer)
}

/// Whether SSLv2 is answered with a SERVER-HELLO.
pub fn ssl2_answers(port: u16) -> bool {
    let kinds = [[1, 0, 128], [2, 0, 128], [3, 0, 128], [4, 0, 128], [5, 0, 128], [6, 0, 64], [7, 0, 192]];
    let mut message = vec![1, 0, 2, 0, (kinds.len() * 3) as u8, 0, 0, 0, 16];
    message.extend(kinds.concat());
    message.extend([7; 16]);
    let mut stream = connect(port);
    stream.write_all(&[&[0x80, message.len() as u8][..], &message].concat()).unwrap();
    let mut head = [0; 3];
    stream.read_exact(&mut head).is_ok() && head[0] & 0x80 != 0 && head[2] == 4
}

/// Whether a heartbeat that claims more than it carries is answered.
pub fn bleeds(port: u16, version: u16, suites: &[u16]) -> bool {
    let (mut stream, answer) = hello(port, version, suites);
    if !answer.extensions.contains(&15) {
        return false;
    }
    let [high, low] = version.to_be_bytes();
    stream.write_all(&[24, high, low, 0, 3, 1, 0x10, 0]).unwrap();
    record(&mut stream).is_ok_and(|(kind, _)| kind == 24)
}

/// What each of five ClientKeyExchanges is answered with, the first of them right, behind suites with RSA key transport.
pub fn bleichenbacher(port: u16, version: u16, suites: &[u16]) -> Vec<String> {
    (0..5).map(|which| answer_to_block(port, version, suites, which)).collect()
}

fn answer_to_block(port: u16, version: u16, suites: &[u16], which: usize) -> String {
    let (mut stream, answer) = hello(port, version, suites);
    let Some((modulus, exponent)) = rsa_key(&answer.certificate) else { return "no RSA certificate".into() };
    let [high, low] = version.to_be_bytes();
    let length = modulus.len();
    // PKCS #1: 0, 2, padding without a zero, 0, the version and 46 bytes.
    let mut block = vec![0x5a; length];
    (block[0], block[1], block[length - 49], block[length - 48], block[length - 47]) = (0, 2, 0, high, low);
    match which {
        1 => (block[0], block[1]) = (0x41, 0x17),
        2 => block[length - 49] = 0x5a,
        3 => block[4] = 0,
        4 => block[length - 48] = 2,
        _ => {}
    }
    let number = |bytes: &[u8]| BigUint::from_bytes_be(bytes);
    let sealed = number(&block).modpow(&number(&exponent), &number(&modulus)).to_bytes_be();
    let sealed = [vec![0; length - sealed.len()], sealed].concat();
    let head = u16::try_from(length).unwrap().to_be_bytes();
    let key_exchange = handshake(16, &[&head[..], &sealed].concat());
    let change = [20, high, low, 0, 1, 1];
    let finished = [&[22, high, low, 0, 64][..], &[0x77; 64]].concat();
    let _ = stream.write_all(&[packed(version, &key_exchange), change.to_vec(), finished].concat());
    match record(&mut stream) {
        Ok((21, alert)) => format!("alert {alert:?}"),
        Ok((kind, _)) => format!("record {kind}"),
        Err(error) if is_close(&error) => "closed".into(),
        Err(_) => "silence".into(),
    }
}

/// Modulus without leading zeros, and exponent.
fn rsa_key(certificate: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    match parsed.public_key().parsed().ok()? {
        x509_parser::public_key::PublicKey::RSA(key) => {
            let modulus = BigUint::from_bytes_be(key.modulus).to_bytes_be();
            Some((modulus, key.exponent.to_vec()))
        }
        _ => None,
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn client_hello(version: u16, suites: &[u16]) -> Vec<u8> {
    let words = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let extension = |kind: u16, data: &[u8]| [&words(&[kind, data.len() as u16])[..], data].concat();
    let mut body = words(&[version]);
    body.extend([0x21; 32]);
    body.push(0);
    body.extend(words(&[suites.len() as u16 * 2]));
    body.extend(words(suites));
    body.extend([2, 1, 0]);
    // SSLv3 knows no extensions.
    if version > 0x300 {
        let name = b"localhost";
        let listed = [&words(&[name.len() as u16 + 3])[..], &[0], &words(&[name.len() as u16]), name].concat();
        let extensions = [
            extension(0, &listed),
            extension(10, &words(&[10, 29, 23, 24, 25, 30])),
            extension(11, &[1, 0]),
            extension(13, &words(&[16, 0x401, 0x403, 0x501, 0x601, 0x804, 0x805, 0x806, 0x201])),
            extension(15, &[1]),
            extension(35, &[]),
            extension(0xff01, &[0]),
        ]
        .concat();
        body.extend(words(&[extensions.len() as u16]));
        body.extend(extensions);
    }
    packed(version.min(0x301), &handshake(1, &body))
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, a, b, c][..], body].concat()
}

fn packed(version: u16, message: &[u8]) -> Vec<u8> {
    let ([high, low], [a, b]) = (version.to_be_bytes(), u16::try_from(message.len()).unwrap().to_be_bytes());
    [&[22, high, low, a, b][..], message].concat()
}

fn record(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut body)?;
    Ok((head[0], body))
}

/// The other side ended the connection; else nothing came in time.
fn is_close(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted)
}

fn read_flight(stream: &mut TcpStream, suites: &[u16]) -> Answer {
    let (mut answer, mut bytes) = (Answer::default(), Vec::new());
    loop {
        let (kind, body) = match record(stream) {
            Ok(record) => record,
            Err(error) => {
                answer.closed = is_close(&error);
                return answer;
            }
        };
        match kind {
            22 => bytes.extend(body),
            21 => {
                answer.alert = body.get(1).copied();
                return answer;
            }
            _ => return answer,
        }
        while bytes.len() >= 4 {
            let length = usize::from(bytes[1]) << 16 | usize::from(bytes[2]) << 8 | usize::from(bytes[3]);
            if bytes.len() < 4 + length {
                break;
            }
            let message: Vec<u8> = bytes.drain(..4 + length).collect();
            if message[0] == 14 {
                return answer;
            }
            note(&mut answer, message[0], &message[4..], suites);
        }
    }
}

fn note(answer: &mut Answer, kind: u8, body: &[u8], suites: &[u16]) {
    let word = |at: usize| usize::from(body[at]) << 8 | usize::from(body[at + 1]);
    match kind {
        2 => {
            let at = 35 + usize::from(body[34]);
            assert!(suites.contains(&(word(at) as u16)), "a suite was chosen that was not offered");
            answer.compression = Some(body[at + 2]);
            let mut at = at + 5;
            while at + 4 <= body.len() {
                answer.extensions.push(word(at) as u16);
                at += 4 + word(at + 2);
            }
        }
        11 if body.len() > 6 => {
            let length = usize::from(body[3]) << 16 | word(4);
            answer.certificate = body[6..6 + length].to_vec();
        }
        // An elliptic curve begins with its type, which is no length of a prime.
        12 if body[0] != 3 => {
            let prime = BigUint::from_bytes_be(&body[2..2 + word(0)]);
            answer.prime_bits = Some(usize::try_from(prime.bits()).unwrap());
        }
        _ => {}
    }
}
