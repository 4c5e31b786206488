//! A server that speaks TLS 1.0 with RSA key exchange and nothing newer, as far as the end of its first flight.
//!
//! rustls cannot speak it, so our own codec does. It holds no key: a scanner's hello needs none to be answered.

use super::listener::Serve;
use crate::wire::extension::{self, Extension};
use crate::wire::flight::{CLIENT_HELLO, server_hello_done};
use crate::wire::record::{self, Event, RecordReader};
use crate::wire::{Alert, ClientHello, ServerHello, alert, certificate};
use std::io::{self, Read, Write};
use std::net::TcpStream;

const TLS10: u16 = 0x0301;

/// AES-256-CBC, AES-128-CBC and 3DES with RSA, in the server's order.
const SUITES: [u16; 3] = [0x0035, 0x002F, 0x000A];

/// The server.
pub struct Server {
    chain: Vec<Vec<u8>>,
}

impl Server {
    /// A server with this chain.
    pub fn new(chain: Vec<Vec<u8>>) -> Server {
        Server { chain }
    }

    /// The first flight in answer to a hello, or an alert.
    fn answer(&self, hello: &ClientHello) -> Vec<u8> {
        let offered = hello.versions();
        let speaks = if offered.is_empty() { hello.version >= TLS10 } else { offered.contains(&TLS10) };
        if !speaks {
            return refusal(alert::PROTOCOL_VERSION);
        }
        let Some(suite) = SUITES.into_iter().find(|suite| hello.suites.contains(suite)) else {
            return refusal(alert::HANDSHAKE_FAILURE);
        };
        let mut extensions = Vec::new();
        if hello.extension(extension::RENEGOTIATION_INFO).is_some() || hello.suites.contains(&0x00FF) {
            extensions.push(Extension::renegotiation_info());
        }
        // The random differs from hello to hello, as it must; nothing is ever derived from it.
        let mut random = hello.random;
        random.reverse();
        let server_hello =
            ServerHello { version: TLS10, random, session_id: Vec::new(), suite, compression: 0, extensions };
        let mut flight = record::write(record::HANDSHAKE, TLS10, &server_hello.to_message());
        let mut rest = certificate::write_chain(&self.chain);
        rest.extend(server_hello_done());
        flight.extend(record::write(record::HANDSHAKE, TLS10, &rest));
        flight
    }
}

fn refusal(description: u8) -> Vec<u8> {
    record::write(record::ALERT, TLS10, &Alert::fatal(description).to_bytes())
}

impl Serve for Server {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut reader = RecordReader::new();
        let mut buffer = [0; 4096];
        loop {
            let n = stream.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..n).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
            // What is no TLS record, such as an SSLv2 hello, is refused at once instead of waited for.
            if reader.total() == 0 && bytes.first() != Some(&record::HANDSHAKE) {
                return stream.write_all(&refusal(alert::PROTOCOL_VERSION));
            }
            if reader.push(bytes).is_err() {
                return Ok(());
            }
            while let Ok(Some(event)) = reader.event() {
                let Event::Message(CLIENT_HELLO, body) = event else { return Ok(()) };
                let answer = ClientHello::parse(&body)
                    .map_or_else(|_| refusal(alert::DECODE_ERROR), |hello| self.answer(&hello));
                let refused = answer.first() == Some(&record::ALERT);
                stream.write_all(&answer)?;
                if refused {
                    return Ok(());
                }
            }
        }
    }
}
