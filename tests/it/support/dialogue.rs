//! Scripted servers that speak a protocol up to TLS, and then whatever a test wants.

use super::tls::scripted;
use probity::wire::dialogue::tds;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// Who speaks in a turn, and what the server says.
#[derive(Clone, Copy)]
pub enum Turn {
    /// The server says this unasked.
    Says(&'static [u8]),
    /// The server says this when it has heard something.
    Answers(&'static [u8]),
    /// The server hears something, and says nothing.
    Hears,
}

use Turn::{Answers, Hears, Says};

/// What each protocol's server says until TLS begins; the last turn is the positive answer.
pub const PROTOCOLS: &[(&str, &[Turn])] = &[
    ("smtp", &[Says(b"220 mx\r\n"), Answers(b"250-mx\r\n250 STARTTLS\r\n"), Answers(b"220 go\r\n")]),
    ("submission", &[Says(b"220 mx\r\n"), Answers(b"250-mx\r\n250 STARTTLS\r\n"), Answers(b"220 go\r\n")]),
    ("lmtp", &[Says(b"220 mx\r\n"), Answers(b"250-mx\r\n250 STARTTLS\r\n"), Answers(b"220 go\r\n")]),
    ("imap", &[Says(b"* OK hi\r\n"), Answers(b"* CAPABILITY STARTTLS\r\na1 OK .\r\n"), Answers(b"a2 OK go\r\n")]),
    ("pop3", &[Says(b"+OK hi\r\n"), Answers(b"+OK\r\nSTLS\r\n.\r\n"), Answers(b"+OK go\r\n")]),
    ("sieve", &[Says(b"\"SASL\" \"\"\r\n\"STARTTLS\"\r\nOK\r\n"), Answers(b"OK \"go\"\r\n")]),
    ("ftp", &[Says(b"220 hi\r\n"), Answers(b"211-F\r\n AUTH TLS\r\n211 End\r\n"), Answers(b"234 go\r\n")]),
    ("nntp", &[Says(b"200 hi\r\n"), Answers(b"101 list\r\nSTARTTLS\r\n.\r\n"), Answers(b"382 go\r\n")]),
    (
        "xmpp",
        &[
            Answers(b"<stream:stream id='1'><stream:features><starttls><required/></starttls></stream:features>"),
            Answers(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        ],
    ),
    (
        "xmpp-server",
        &[
            Answers(b"<stream:stream id='1'><stream:features><starttls/></stream:features>"),
            Answers(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        ],
    ),
    ("irc", &[Says(b":x NOTICE * :hi\r\n"), Answers(b":x CAP * LS :tls\r\n:x 670 * :go\r\n")]),
    ("ldap", &[Answers(b"\x30\x0C\x02\x01\x01\x78\x07\x0A\x01\x00\x04\x00\x04\x00")]),
    ("postgresql", &[Answers(b"S")]),
    ("mysql", &[Says(b"\x23\0\0\0\x0A10.11\0\x01\0\0\0abcdefgh\0\xFE\xFF\x08\x02\0\xFF\x81\x15\0\0\0\0\0\0\0"), Hears]),
    ("mssql", &[Answers(b"\x04\x01\x00\x0F\0\0\x01\0\x01\x00\x06\x00\x01\xFF\x01")]),
    ("rdp", &[Answers(b"\x03\0\0\x13\x0E\xD0\0\0\x12\x34\0\x02\x1F\x08\0\x02\0\0\0")]),
    ("amqp", &[Answers(b"AMQP\x02\x01\x00\x00")]),
    ("telnet", &[Says(b"login: \xFF\xFD\x18"), Answers(b"\xFF\xFD\x2E"), Answers(b"\xFF\xFA\x2E\x01\xFF\xF0")]),
];

/// The turns of a protocol.
pub fn turns(word: &str) -> &'static [Turn] {
    PROTOCOLS.iter().find(|(other, _)| *other == word).unwrap().1
}

/// Takes these turns with a client; gives what was last heard.
pub fn speak(stream: &mut TcpStream, turns: &[Turn]) -> Option<Vec<u8>> {
    speak_with(stream, turns, b"")
}

/// The same, with more bytes behind the last answer, in one segment.
pub fn speak_with(stream: &mut TcpStream, turns: &[Turn], extra: &[u8]) -> Option<Vec<u8>> {
    let _ = stream.set_nodelay(true);
    let mut heard = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        if !matches!(turn, Says(_)) {
            let mut buffer = [0; 4096];
            // The 36 bytes of MySQL may have a hello behind them, which is not to be taken.
            let most = if matches!(turn, Hears) { 36 } else { buffer.len() };
            let count = stream.read(&mut buffer[..most]).ok().filter(|count| *count > 0)?;
            heard = buffer[..count].to_vec();
        }
        let (Says(said) | Answers(said)) = turn else { continue };
        let more = if at + 1 == turns.len() { extra } else { b"" };
        stream.write_all(&[*said, more].concat()).ok()?;
    }
    Some(heard)
}

/// A server that speaks a protocol and hands what follows to a TLS server on this port.
pub fn front(word: &'static str, port: u16) -> SocketAddr {
    scripted(move |mut stream| {
        if speak(&mut stream, turns(word)).is_none() {
            return;
        }
        let Ok(backend) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return };
        let _ = backend.set_nodelay(true);
        let (mut up, mut down) = (backend.try_clone().unwrap(), backend);
        let mut back = stream.try_clone().unwrap();
        let wrapped = word == "mssql";
        let answers = std::thread::spawn(move || {
            let mut buffer = [0; 16_384];
            while let Ok(count @ 1..) = down.read(&mut buffer) {
                let bytes = &buffer[..count];
                let out = if wrapped { tds::wrap(tds::PRELOGIN, bytes) } else { bytes.to_vec() };
                if back.write_all(&out).is_err() {
                    break;
                }
            }
            let _ = back.shutdown(Shutdown::Write);
        });
        let (mut buffer, mut raw) = ([0; 16_384], Vec::new());
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            raw.extend_from_slice(&buffer[..count]);
            let out = if wrapped { unwrap(&mut raw) } else { std::mem::take(&mut raw) };
            if up.write_all(&out).is_err() {
                break;
            }
        }
        let _ = up.shutdown(Shutdown::Both);
        let _ = answers.join();
    })
}

fn unwrap(raw: &mut Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(packet) = tds::Packet::read(raw).unwrap() {
        assert_eq!(packet.kind, tds::PRELOGIN, "a handshake is wrapped in packets of type 12");
        out.extend_from_slice(packet.payload);
        let length = packet.length;
        raw.drain(..length);
    }
    out
}

/// A TLS server's side of a connection, made with a certificate of its own.
pub fn accept_tls(stream: TcpStream) -> Option<rustls::StreamOwned<rustls::ServerConnection, TcpStream>> {
    let made = rcgen::generate_simple_self_signed(vec!["shop.example".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let connection = rustls::ServerConnection::new(std::sync::Arc::new(config)).unwrap();
    let mut tls = rustls::StreamOwned::new(connection, stream);
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock).ok()?;
    }
    Some(tls)
}
