//! Terminals and desktops: Telnet and RDP.

use super::super::WireError;
use super::super::cursor::Reader;
use super::{Heard, Verdict};

/// WILL START_TLS.
pub const WILL: &[u8] = b"\xFF\xFB\x2E";
/// START_TLS FOLLOWS.
pub const FOLLOWS: &[u8] = b"\xFF\xFA\x2E\x01\xFF\xF0";
/// A connection request of X.224 that asks for TLS, or CredSSP over it.
pub const CONNECT: &[u8] = b"\x03\x00\x00\x13\x0E\xE0\0\0\0\0\0\x01\x00\x08\x00\x03\0\0\0";
/// The option START_TLS.
const START_TLS: u8 = 0x2E;

/// The commands of Telnet in these bytes, each with the number of bytes up to its end; text between them is passed over.
fn commands(bytes: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at += bytes.get(at..)?.iter().position(|byte| *byte == 0xFF)?;
            let rest = bytes.get(at..)?;
            let length = match rest.get(1)? {
                0xFF => {
                    at += 2;
                    continue;
                }
                0xFA => rest.windows(2).position(|pair| pair == [0xFF, 0xF0])? + 2,
                0xFB..=0xFE => 3,
                _ => 2,
            };
            let command = rest.get(..length)?;
            at += length;
            return Some((command, at));
        }
    })
}

/// The answer to WILL START_TLS.
pub fn telnet_option(bytes: &[u8]) -> Heard {
    let answer = commands(bytes).find_map(|(command, end)| match command {
        [0xFF, 0xFD, START_TLS] => Some((end, Verdict::Next)),
        [0xFF, 0xFE, START_TLS] => Some((end, Verdict::NotOffered("DONT START_TLS".to_owned()))),
        _ => None,
    });
    Ok(answer)
}

/// The answer to START_TLS FOLLOWS.
pub fn telnet_follows(bytes: &[u8]) -> Heard {
    let answer = commands(bytes).find_map(|(command, end)| match command {
        command if command == FOLLOWS => Some((end, Verdict::Accepted)),
        [0xFF, 0xFE, START_TLS] => Some((end, Verdict::NotOffered("DONT START_TLS".to_owned()))),
        _ => None,
    });
    Ok(answer)
}

/// The answer to the connection request of RDP.
pub fn rdp(bytes: &[u8]) -> Heard {
    let Some([version, _, high, low]) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = usize::from(*high) << 8 | usize::from(*low);
    if *version != 3 || !(11..=1_024).contains(&length) {
        return Err(WireError::Malformed("answer of RDP"));
    }
    let Some(packet) = bytes.get(4..length) else { return Ok(None) };
    let mut reader = Reader::new(packet, "answer of RDP");
    let (_, kind) = (reader.u8()?, reader.u8()?);
    if kind != 0xD0 {
        return Err(reader.malformed());
    }
    reader.take(5)?;
    let plain = || Verdict::NotOffered("the server speaks RDP without TLS".to_owned());
    if reader.is_empty() {
        return Ok(Some((length, plain())));
    }
    let (kind, _, _) = (reader.u8()?, reader.u8()?, reader.u16()?);
    let code = u32::from_le_bytes(reader.array()?);
    let verdict = match (kind, code) {
        (2, 1 | 2) => Verdict::Accepted,
        (2, 0) => plain(),
        (3, 2) => Verdict::NotOffered("failure 2: TLS is not allowed by the server".to_owned()),
        (3, 3) => Verdict::NotOffered("failure 3: the server has no certificate".to_owned()),
        (3, code) => Verdict::Refused(format!("failure {code}")),
        _ => return Err(reader.malformed()),
    };
    Ok(Some((length, verdict)))
}
