//! SSLv2: its hello, which enumerates all kinds at once, and the two answers to it.

use super::WireError;
use super::cursor::Reader;

/// An SSLv2 CLIENT-HELLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// 0x0002; newer versions may be announced in this frame, too.
    pub version: u16,
    /// The cipher kinds, three bytes each.
    pub kinds: Vec<u32>,
    /// The challenge.
    pub challenge: [u8; 16],
}

impl ClientHello {
    /// The record.
    pub fn to_record(&self) -> Vec<u8> {
        let mut body = vec![1];
        body.extend(self.version.to_be_bytes());
        let kinds: Vec<u8> = self.kinds.iter().flat_map(|kind| kind.to_be_bytes().into_iter().skip(1)).collect();
        body.extend(u16::try_from(kinds.len()).unwrap_or(u16::MAX).to_be_bytes());
        body.extend([0, 0, 0, 16]);
        body.extend(kinds);
        body.extend(self.challenge);
        frame(&body)
    }

    /// Reads a record's body.
    ///
    /// # Errors
    /// When it breaks its length rules.
    pub fn parse(body: &[u8]) -> Result<ClientHello, WireError> {
        let mut reader = Reader::new(body, "SSLv2 CLIENT-HELLO");
        if reader.u8()? != 1 {
            return Err(reader.malformed());
        }
        let version = reader.u16()?;
        let (kinds, session, challenge) = (reader.u16()?, reader.u16()?, reader.u16()?);
        let kinds = kind_list(reader.take(usize::from(kinds))?)?;
        reader.take(usize::from(session))?;
        if challenge != 16 {
            return Err(reader.malformed());
        }
        let challenge = reader.array()?;
        reader.end()?;
        Ok(ClientHello { version, kinds, challenge })
    }
}

/// The server's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// SERVER-HELLO.
    Hello {
        /// The certificate; empty if none came.
        certificate: Vec<u8>,
        /// The kinds shared with the client.
        kinds: Vec<u32>,
    },
    /// ERROR with its code.
    Error(u16),
}

impl Answer {
    /// The record.
    pub fn to_record(&self) -> Vec<u8> {
        match self {
            Answer::Error(code) => {
                let [high, low] = code.to_be_bytes();
                frame(&[0, high, low])
            }
            Answer::Hello { certificate, kinds } => {
                let specs: Vec<u8> = kinds.iter().flat_map(|kind| kind.to_be_bytes().into_iter().skip(1)).collect();
                let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
                let mut body = vec![4, 0, u8::from(!certificate.is_empty()), 0, 2];
                body.extend(length(certificate));
                body.extend(length(&specs));
                body.extend([0, 16]);
                body.extend(certificate);
                body.extend(specs);
                body.extend([0x5A; 16]);
                frame(&body)
            }
        }
    }

    /// Reads the answer off the front of these bytes; `None` until more have come. A TLS record instead is `NotTls`,
    /// which here means: not SSLv2.
    ///
    /// # Errors
    /// When the bytes are no SSLv2 record, or break its rules.
    pub fn read(bytes: &[u8]) -> Result<Option<Answer>, WireError> {
        let Some(&[first, second]) = bytes.first_chunk::<2>() else { return Ok(None) };
        let two = first & 0x80 != 0;
        let mask = if two { 0x7F } else { 0x3F };
        let length = usize::from(u16::from_be_bytes([first & mask, second]));
        let strange = || WireError::NotTls(bytes.iter().copied().take(64).collect());
        // An answer in TLS: no SSLv2 message of ours is that long.
        if (20..=24).contains(&first) && second == 3 {
            return Err(strange());
        }
        // A three-byte header serves encrypted records, so anything shorter than a message is another protocol.
        if length < 3 {
            return Err(strange());
        }
        let start = if two { 2 } else { 3 };
        if !matches!(bytes.get(start), Some(0 | 4) | None) {
            return Err(strange());
        }
        let Some(record) = bytes.get(start..start + length) else { return Ok(None) };
        let padding = if two { 0 } else { usize::from(bytes.get(2).copied().unwrap_or_default()) };
        let body = record.get(..length.saturating_sub(padding)).unwrap_or_default();
        Answer::parse(body).map(Some)
    }

    fn parse(body: &[u8]) -> Result<Answer, WireError> {
        let mut reader = Reader::new(body, "SSLv2 SERVER-HELLO");
        match reader.u8()? {
            0 => {
                let code = reader.u16()?;
                reader.end()?;
                Ok(Answer::Error(code))
            }
            4 => {
                reader.take(2)?;
                if reader.u16()? != 2 {
                    return Err(reader.malformed());
                }
                let (certificate, specs, connection) = (reader.u16()?, reader.u16()?, reader.u16()?);
                let certificate = reader.take(usize::from(certificate))?.to_vec();
                let kinds = kind_list(reader.take(usize::from(specs))?)?;
                reader.take(usize::from(connection))?;
                reader.end()?;
                Ok(Answer::Hello { certificate, kinds })
            }
            _ => Err(reader.malformed()),
        }
    }
}

fn kind_list(bytes: &[u8]) -> Result<Vec<u32>, WireError> {
    let mut reader = Reader::new(bytes, "SSLv2 cipher kinds");
    let mut kinds = Vec::new();
    while !reader.is_empty() {
        kinds.push(u32::try_from(reader.u24()?).unwrap_or_default());
    }
    Ok(kinds)
}

fn frame(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(0x7FFF) & 0x7FFF;
    let mut record = (length | 0x8000).to_be_bytes().to_vec();
    record.extend(body);
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_kinds_make_a_hello_of_66_bytes() {
        let hello = ClientHello { version: 2, kinds: (0..13).collect(), challenge: [9; 16] };
        let record = hello.to_record();
        assert_eq!(record.len(), 66);
        assert_eq!(record[..11], [0x80, 0x40, 1, 0, 2, 0, 39, 0, 0, 0, 16]);
        assert_eq!(ClientHello::parse(&record[2..]).unwrap(), hello);
    }

    #[test]
    fn answers_go_round() {
        for answer in [
            Answer::Hello { certificate: vec![0x30, 0], kinds: vec![0x010080, 0x0700C0] },
            Answer::Hello { certificate: Vec::new(), kinds: Vec::new() },
            Answer::Error(1),
        ] {
            let record = answer.to_record();
            for cut in 0..record.len() {
                assert_eq!(Answer::read(&record[..cut]).unwrap(), None);
            }
            assert_eq!(Answer::read(&record).unwrap(), Some(answer));
        }
    }

    #[test]
    fn a_long_header_with_padding_is_read() {
        assert_eq!(Answer::read(&[0x00, 0x04, 1, 0, 0, 1, 0xFF]).unwrap(), Some(Answer::Error(1)));
    }

    #[test]
    fn a_tls_alert_is_not_ssl2() {
        assert!(matches!(Answer::read(&[0x15, 3, 1, 0, 2, 2, 70]), Err(WireError::NotTls(_))));
        assert!(matches!(Answer::read(b"HTTP/1.1 400 Bad"), Err(WireError::NotTls(_))));
    }
}
