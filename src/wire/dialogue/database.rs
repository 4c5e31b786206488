//! Databases: PostgreSQL, MySQL and MariaDB, and SQL Server.

use super::super::WireError;
use super::super::cursor::Reader;
use super::super::postgres::Reply;
use super::{Heard, Verdict, tds};

/// SSLRequest of MySQL: protocol 4.1, SSL, secure connection; packets of 16 MiB; utf8.
pub const MYSQL_SSL_REQUEST: &[u8] = b"\x20\x00\x00\x01\x00\x8A\x00\x00\x00\x00\x00\x01\x21\
    \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// PRELOGIN of SQL Server: a version, and that encryption is wanted.
pub const PRELOGIN: &[u8] = b"\x12\x01\x00\x1A\0\0\0\0\x00\x00\x0B\x00\x06\x01\x00\x11\x00\x01\xFF\0\0\0\0\0\0\x01";

/// The answer to SSLRequest of PostgreSQL. One byte is read and no more.
pub fn postgresql(bytes: &[u8]) -> Heard {
    let Some(byte) = bytes.first() else { return Ok(None) };
    let verdict = match Reply::parse(*byte) {
        Reply::Accepted => Verdict::Accepted,
        Reply::NotOffered => Verdict::NotOffered("the server answers SSLRequest with N: TLS is off".to_owned()),
        Reply::Error => Verdict::Refused("the server answers SSLRequest with an error".to_owned()),
        Reply::Strange(_) => return Err(WireError::Malformed("answer to SSLRequest")),
    };
    Ok(Some((1, verdict)))
}

/// The greeting of MySQL and MariaDB.
pub fn mysql_greeting(bytes: &[u8]) -> Heard {
    let Some(head) = bytes.first_chunk::<4>() else { return Ok(None) };
    let [low, middle, high, _] = *head;
    let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
    if length > 8_192 {
        return Err(WireError::Malformed("greeting of MySQL"));
    }
    let Some(packet) = bytes.get(4..4 + length) else { return Ok(None) };
    let mut reader = Reader::new(packet, "greeting of MySQL");
    let verdict = match reader.u8()? {
        0xFF => match u16::from_le_bytes(reader.array()?) {
            // Too many connections; blocked for connections that were broken off.
            code @ (1040 | 1129 | 1203 | 1226) => Verdict::Throttled(format!("the greeting is error {code}")),
            code => Verdict::Refused(format!("the greeting is error {code}")),
        },
        0x0A => {
            let version = reader.rest().iter().position(|byte| *byte == 0).ok_or_else(|| reader.malformed())?;
            // Version, thread, salt and a zero.
            reader.take(version + 1 + 4 + 8 + 1)?;
            match u16::from_le_bytes(reader.array()?) & 0x0800 {
                0 => Verdict::NotOffered("the greeting says that TLS is off".to_owned()),
                _ => Verdict::Next,
            }
        }
        _ => return Err(reader.malformed()),
    };
    Ok(Some((4 + length, verdict)))
}

/// After SSLRequest of MySQL nothing is awaited.
pub fn mysql_request(_: &[u8]) -> Heard {
    Ok(Some((0, Verdict::Accepted)))
}

/// The answer to PRELOGIN of SQL Server.
pub fn prelogin(bytes: &[u8]) -> Heard {
    if bytes.first().is_some_and(|kind| *kind != tds::RESPONSE) {
        return Err(WireError::Malformed("answer to PRELOGIN"));
    }
    let Some(packet) = tds::Packet::read(bytes)? else { return Ok(None) };
    let mut reader = Reader::new(packet.payload, "answer to PRELOGIN");
    let verdict = loop {
        let token = reader.u8()?;
        if token == 0xFF {
            break Verdict::NotOffered("the answer to PRELOGIN says nothing on encryption".to_owned());
        }
        let (offset, length) = (reader.u16()?, reader.u16()?);
        if token != 1 {
            continue;
        }
        let value = packet.payload.get(usize::from(offset)).filter(|_| length > 0);
        break match value {
            // For the login alone, for all, or nothing without it.
            Some(0 | 1) => Verdict::Accepted,
            Some(3) => Verdict::Accepted,
            Some(2) => Verdict::NotOffered("the answer to PRELOGIN is 2: encryption is not supported".to_owned()),
            _ => return Err(reader.malformed()),
        };
    };
    Ok(Some((packet.length, verdict)))
}
