//! The record layer in clear: an incremental reader, and the reassembly of handshake messages.

use super::alert::Alert;
use super::cursor::put_vec16;
use super::{WireError, limit};

/// change_cipher_spec.
pub const CHANGE_CIPHER_SPEC: u8 = 20;
/// alert.
pub const ALERT: u8 = 21;
/// handshake.
pub const HANDSHAKE: u8 = 22;
/// application_data.
pub const APPLICATION_DATA: u8 = 23;
/// heartbeat.
pub const HEARTBEAT: u8 = 24;

/// One record.
pub fn write(kind: u8, version: u16, fragment: &[u8]) -> Vec<u8> {
    let mut record = vec![kind];
    record.extend(version.to_be_bytes());
    put_vec16(&mut record, fragment);
    record
}

/// What a reader found next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole handshake message: its type and body.
    Message(u8, Vec<u8>),
    /// An alert.
    Alert(Alert),
    /// A record of another type: what follows is not in clear.
    Other(u8),
}

/// Cuts a stream of bytes into records and handshake messages, within the limits.
#[derive(Debug, Default)]
pub struct RecordReader {
    bytes: Vec<u8>,
    handshake: Vec<u8>,
    records: usize,
    empty: usize,
    warnings: usize,
    total: usize,
}

impl RecordReader {
    /// A reader of a connection from its beginning.
    pub fn new() -> RecordReader {
        RecordReader::default()
    }

    /// How many bytes came in all.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Takes bytes from the connection.
    ///
    /// # Errors
    /// When there have been too many.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.total = self.total.saturating_add(bytes.len());
        if self.total > limit::BYTES {
            return Err(WireError::TooLarge("bytes of the connection"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The next event, or `None` until more bytes have come.
    ///
    /// # Errors
    /// When the bytes are not TLS, break its rules or go beyond a limit.
    pub fn event(&mut self) -> Result<Option<Event>, WireError> {
        loop {
            if let Some(event) = self.message()? {
                return Ok(Some(event));
            }
            let Some((kind, fragment)) = self.record()? else { return Ok(None) };
            if let Some(event) = self.absorb(kind, fragment)? {
                return Ok(Some(event));
            }
        }
    }

    /// Takes a fragment in clear, as [`Self::record`] gave it or as it was once decrypted.
    ///
    /// # Errors
    /// When there have been too many, or something stands inside a handshake message.
    pub fn absorb(&mut self, kind: u8, fragment: Vec<u8>) -> Result<Option<Event>, WireError> {
        self.records += 1;
        if self.records > limit::RECORDS {
            return Err(WireError::TooLarge("number of records"));
        }
        if fragment.is_empty() {
            self.empty += 1;
            if self.empty > limit::EMPTY_FRAGMENTS {
                return Err(WireError::TooLarge("number of empty records"));
            }
        }
        match kind {
            HANDSHAKE => {
                self.handshake.extend_from_slice(&fragment);
                Ok(None)
            }
            // Something else may come between messages, never inside one.
            _ if !self.handshake.is_empty() => Err(WireError::Malformed("handshake message cut by another record")),
            ALERT => {
                let alert = Alert::parse(&fragment)?;
                if !alert.is_fatal() {
                    self.warnings += 1;
                    if self.warnings > limit::WARNINGS {
                        return Err(WireError::TooLarge("number of warnings"));
                    }
                }
                Ok(Some(Event::Alert(alert)))
            }
            _ => Ok(Some(Event::Other(kind))),
        }
    }

    /// A whole handshake message, as soon as its last byte is there. Its length is judged from its header, so that
    /// a message beyond the limit is never collected.
    ///
    /// # Errors
    /// When it is too long.
    pub fn message(&mut self) -> Result<Option<Event>, WireError> {
        let Some(&[kind, high, middle, low]) = self.handshake.first_chunk::<4>() else { return Ok(None) };
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if length > limit::message(kind) {
            return Err(WireError::TooLarge("handshake message"));
        }
        let Some(body) = self.handshake.get(4..4 + length) else { return Ok(None) };
        let body = body.to_vec();
        self.handshake.drain(..4 + length);
        Ok(Some(Event::Message(kind, body)))
    }

    /// The type and fragment of the next record as it came, for those who can decrypt it.
    ///
    /// # Errors
    /// When the bytes are not TLS, or the record is too long.
    pub fn record(&mut self) -> Result<Option<(u8, Vec<u8>)>, WireError> {
        let bad_start = match self.bytes.first() {
            Some(kind) => !(CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(kind),
            None => false,
        };
        if bad_start || self.bytes.get(1).is_some_and(|major| *major != 3) {
            return Err(self.strange());
        }
        let Some(&[kind, _, _, high, low]) = self.bytes.first_chunk::<5>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > limit::FRAGMENT {
            return Err(WireError::TooLarge("record"));
        }
        let Some(fragment) = self.bytes.get(5..5 + length) else { return Ok(None) };
        let fragment = fragment.to_vec();
        self.bytes.drain(..5 + length);
        Ok(Some((kind, fragment)))
    }

    /// Strange bytes at the start are another protocol, later they are a fault.
    fn strange(&self) -> WireError {
        match self.records {
            0 => WireError::NotTls(self.bytes.iter().copied().take(64).collect()),
            _ => WireError::Malformed("record header"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(bytes: &[u8], step: usize) -> Result<Vec<Event>, WireError> {
        let mut reader = RecordReader::new();
        let mut events = Vec::new();
        for part in bytes.chunks(step) {
            reader.push(part)?;
            while let Some(event) = reader.event()? {
                events.push(event);
            }
        }
        Ok(events)
    }

    #[test]
    fn messages_may_share_and_span_records() {
        let mut bytes = write(HANDSHAKE, 0x0303, &[2, 0, 0, 1, 7, 11, 0]);
        bytes.extend(write(HANDSHAKE, 0x0303, &[0, 2, 8, 9]));
        bytes.extend(write(ALERT, 0x0303, &[2, 40]));
        let expected = vec![Event::Message(2, vec![7]), Event::Message(11, vec![8, 9]), Event::Alert(Alert::fatal(40))];
        for step in 1..bytes.len() {
            assert_eq!(events(&bytes, step).unwrap(), expected);
        }
    }

    #[test]
    fn another_protocol_is_not_tls() {
        assert_eq!(events(b"HTTP/1.1 400", 100), Err(WireError::NotTls(b"HTTP/1.1 400".to_vec())));
    }

    #[test]
    fn each_limit_holds() {
        assert_eq!(events(&[22, 3, 3, 0x48, 1], 5), Err(WireError::TooLarge("record")));
        let huge = write(HANDSHAKE, 0x0303, &[11, 0xFF, 0, 0]);
        assert_eq!(events(&huge, 9), Err(WireError::TooLarge("handshake message")));
        let empty: Vec<u8> = (0..33).flat_map(|_| write(HANDSHAKE, 0x0303, &[])).collect();
        assert_eq!(events(&empty, 5), Err(WireError::TooLarge("number of empty records")));
        let warnings: Vec<u8> = (0..9).flat_map(|_| write(ALERT, 0x0303, &[1, 112])).collect();
        assert_eq!(events(&warnings, 7), Err(WireError::TooLarge("number of warnings")));
        let small = write(HANDSHAKE, 0x0303, &[11, 0, 4, 0]);
        let drip: Vec<u8> = small.into_iter().chain((0..512).flat_map(|_| write(HANDSHAKE, 0x0303, &[1]))).collect();
        assert_eq!(events(&drip, 6), Err(WireError::TooLarge("number of records")));
        let mut reader = RecordReader::new();
        assert!(reader.push(&vec![0; limit::BYTES]).is_ok());
        assert_eq!(reader.push(&[0]), Err(WireError::TooLarge("bytes of the connection")));
    }

    #[test]
    fn an_alert_inside_a_message_is_malformed() {
        let mut bytes = write(HANDSHAKE, 0x0303, &[2, 0, 0, 9]);
        bytes.extend(write(ALERT, 0x0303, &[2, 40]));
        assert!(matches!(events(&bytes, 64), Err(WireError::Malformed(_))));
    }
}
