//! The server's first flight: everything that comes in clear after a ClientHello.

use super::alert::Alert;
use super::certificate::{self, CertificateRequest};
use super::key_exchange::{Form, ServerKeyExchange};
use super::record::{Event, RecordReader};
use super::{ServerHello, WireError};

/// ClientHello.
pub const CLIENT_HELLO: u8 = 1;
/// ServerHello.
pub const SERVER_HELLO: u8 = 2;
/// NewSessionTicket.
pub const NEW_SESSION_TICKET: u8 = 4;
/// Certificate.
pub const CERTIFICATE: u8 = 11;
/// ServerKeyExchange.
pub const SERVER_KEY_EXCHANGE: u8 = 12;
/// CertificateRequest.
pub const CERTIFICATE_REQUEST: u8 = 13;
/// ServerHelloDone.
pub const SERVER_HELLO_DONE: u8 = 14;
/// ClientKeyExchange.
pub const CLIENT_KEY_EXCHANGE: u8 = 16;
/// Finished.
pub const FINISHED: u8 = 20;
/// CertificateStatus.
pub const CERTIFICATE_STATUS: u8 = 22;

/// What came of the server's first flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFlight {
    /// ServerHello or HelloRetryRequest.
    pub hello: ServerHello,
    /// The chain as served, leaf first; empty where none came in clear.
    pub chain: Vec<Vec<u8>>,
    /// The OCSP response.
    pub staple: Option<Vec<u8>>,
    /// ServerKeyExchange.
    pub key_exchange: Option<ServerKeyExchange>,
    /// CertificateRequest.
    pub request: Option<CertificateRequest>,
    /// Nothing of the flight in clear is missing.
    pub complete: bool,
}

/// Reads the first flight from bytes as they come.
#[derive(Debug)]
pub struct FlightReader<F> {
    records: RecordReader,
    form_of: F,
    flight: Option<ServerFlight>,
    alert: Option<Alert>,
    warnings: Vec<Alert>,
}

impl<F: Fn(u16) -> Option<Form>> FlightReader<F> {
    /// A reader; `form_of` says what the ServerKeyExchange of a suite looks like, `None` leaves it unread.
    pub fn new(form_of: F) -> FlightReader<F> {
        FlightReader { records: RecordReader::new(), form_of, flight: None, alert: None, warnings: Vec::new() }
    }

    /// Takes bytes; true when nothing more is awaited.
    ///
    /// # Errors
    /// When the bytes are not TLS, break its rules or go beyond a limit.
    pub fn push(&mut self, bytes: &[u8]) -> Result<bool, WireError> {
        self.records.push(bytes)?;
        while let Some(event) = self.records.event()? {
            if self.take(event)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// How many bytes came.
    pub fn total(&self) -> usize {
        self.records.total()
    }

    /// The fatal alert that ended the flight.
    pub fn alert(&self) -> Option<Alert> {
        self.alert
    }

    /// The warnings that came.
    pub fn warnings(&self) -> &[Alert] {
        &self.warnings
    }

    /// What came.
    pub fn into_flight(self) -> Option<ServerFlight> {
        self.flight
    }

    fn take(&mut self, event: Event) -> Result<bool, WireError> {
        match event {
            Event::Alert(alert) if alert.is_fatal() || alert.description == super::alert::CLOSE_NOTIFY => {
                self.alert = Some(alert);
                Ok(true)
            }
            Event::Alert(warning) => {
                self.warnings.push(warning);
                Ok(false)
            }
            // Middlebox compatibility: a ChangeCipherSpec may follow a HelloRetryRequest, where reading has ended.
            Event::Other(_) if self.flight.is_none() => Err(WireError::Malformed("record before ServerHello")),
            Event::Other(_) => Ok(true),
            Event::Message(kind, body) => self.message(kind, &body),
        }
    }

    fn message(&mut self, kind: u8, body: &[u8]) -> Result<bool, WireError> {
        let Some(flight) = &mut self.flight else {
            if kind != SERVER_HELLO {
                return Err(WireError::Malformed("message before ServerHello"));
            }
            let hello = ServerHello::parse(body)?;
            let complete = hello.is_retry() || hello.negotiated() >= 0x0304;
            self.flight = Some(ServerFlight {
                hello,
                chain: Vec::new(),
                staple: None,
                key_exchange: None,
                request: None,
                complete,
            });
            return Ok(complete);
        };
        let version = flight.hello.version;
        match kind {
            SERVER_HELLO => return Err(WireError::Malformed("second ServerHello")),
            CERTIFICATE if flight.chain.is_empty() => flight.chain = certificate::parse_chain(body)?,
            CERTIFICATE_STATUS if flight.staple.is_none() => flight.staple = Some(certificate::parse_status(body)?),
            SERVER_KEY_EXCHANGE if flight.key_exchange.is_none() => {
                if let Some(form) = (self.form_of)(flight.hello.suite) {
                    flight.key_exchange = Some(ServerKeyExchange::parse(body, version, form)?);
                }
            }
            CERTIFICATE_REQUEST if flight.request.is_none() => {
                flight.request = Some(CertificateRequest::parse(body, version)?);
            }
            SERVER_HELLO_DONE if body.is_empty() => {
                flight.complete = true;
                return Ok(true);
            }
            _ => return Err(WireError::Malformed("message of the first flight")),
        }
        Ok(false)
    }
}

/// ServerHelloDone, its header included.
pub fn server_hello_done() -> Vec<u8> {
    vec![SERVER_HELLO_DONE, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::super::key_exchange::{Kind, Params};
    use super::super::{Extension, record};
    use super::*;
    use proptest::prelude::*;

    fn form(_: u16) -> Option<Form> {
        Some(Form { kind: Kind::Curve, hint: false, signed: true })
    }

    fn hello() -> ServerHello {
        ServerHello {
            version: 0x0303,
            random: [4; 32],
            session_id: Vec::new(),
            suite: 0xC02F,
            compression: 0,
            extensions: vec![Extension::renegotiation_info()],
        }
    }

    fn bytes() -> Vec<u8> {
        let key_exchange = ServerKeyExchange {
            hint: None,
            params: Params::Curve { group: 0x17, point: vec![4; 65] },
            scheme: Some(0x0804),
        };
        let messages = [
            hello().to_message(),
            certificate::write_chain(&[vec![0x30, 0]]),
            key_exchange.to_message(Some(&[1; 70])),
            server_hello_done(),
        ];
        record::write(record::HANDSHAKE, 0x0303, &messages.concat())
    }

    #[test]
    fn a_whole_flight_is_read_in_any_pieces() {
        let bytes = bytes();
        for step in 1..bytes.len() {
            let mut reader = FlightReader::new(form);
            let mut done = false;
            for part in bytes.chunks(step) {
                done = reader.push(part).unwrap();
            }
            assert!(done);
            let flight = reader.into_flight().unwrap();
            assert!(flight.complete);
            assert_eq!(flight.chain, [vec![0x30, 0]]);
            assert!(matches!(flight.key_exchange.unwrap().params, Params::Curve { group: 0x17, .. }));
        }
    }

    #[test]
    fn a_warning_is_read_over_and_a_fatal_alert_ends() {
        let mut reader = FlightReader::new(form);
        assert!(!reader.push(&record::write(record::ALERT, 0x0303, &[1, 112])).unwrap());
        assert!(reader.push(&record::write(record::ALERT, 0x0303, &[2, 40])).unwrap());
        assert_eq!(reader.alert(), Some(Alert::fatal(40)));
        assert_eq!(reader.warnings().len(), 1);
    }

    #[test]
    fn a_second_hello_is_malformed() {
        let twice = [hello().to_message(), hello().to_message()].concat();
        let mut reader = FlightReader::new(form);
        assert!(reader.push(&record::write(record::HANDSHAKE, 0x0303, &twice)).is_err());
    }

    proptest! {
        #[test]
        fn a_changed_flight_never_panics(at in 0usize..200, value: u8, step in 1usize..64) {
            let mut bytes = bytes();
            let at = at % bytes.len();
            bytes[at] = value;
            let mut reader = FlightReader::new(form);
            for part in bytes.chunks(step) {
                if reader.push(part).is_err() {
                    break;
                }
            }
        }
    }
}
