//! LDAP: StartTLS as an extended operation, in BER.

use super::super::WireError;
use super::super::cursor::Reader;
use super::{Heard, Verdict};

/// The request.
pub const START_TLS: &[u8] = b"\x30\x1D\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";
/// The tag of the response.
const EXTENDED_RESPONSE: u8 = 0x78;

/// The length of a value and of the bytes that state it; `None` where more are needed.
fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, WireError> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    if *first < 0x80 {
        return Ok(Some((usize::from(*first), 1)));
    }
    let count = usize::from(first & 0x7F);
    if !(1..=4).contains(&count) {
        return Err(WireError::Malformed("length in LDAP"));
    }
    let Some(stated) = rest.get(..count) else { return Ok(None) };
    let value = stated.iter().fold(0_usize, |value, byte| value << 8 | usize::from(*byte));
    Ok(Some((value, 1 + count)))
}

/// The value with this tag at the front of a reader.
fn value<'a>(reader: &mut Reader<'a>, tag: u8) -> Result<&'a [u8], WireError> {
    if reader.u8()? != tag {
        return Err(reader.malformed());
    }
    let Some((length, stated)) = length(reader.rest())? else { return Err(reader.malformed()) };
    reader.take(stated)?;
    reader.take(length)
}

/// The answer to StartTLS.
pub fn start_tls(bytes: &[u8]) -> Heard {
    match bytes.first() {
        None => return Ok(None),
        Some(0x30) => {}
        Some(_) => return Err(WireError::Malformed("LDAP message")),
    }
    let Some((content, stated)) = length(bytes.get(1..).unwrap_or_default())? else { return Ok(None) };
    if content > super::limit::DIALOGUE_BYTES {
        return Err(WireError::TooLarge("LDAP message"));
    }
    let end = 1 + stated + content;
    let Some(message) = bytes.get(1 + stated..end) else { return Ok(None) };
    let mut reader = Reader::new(message, "LDAP message");
    let id = value(&mut reader, 0x02)?;
    let response = value(&mut reader, EXTENDED_RESPONSE)?;
    let code = match value(&mut Reader::new(response, "LDAP result"), 0x0A)? {
        [code] => *code,
        _ => return Err(WireError::Malformed("LDAP result")),
    };
    // Zero is a notice of disconnection, and no answer.
    let verdict = match (id, code) {
        ([1], 0) => Verdict::Accepted,
        ([1], 2) => Verdict::NotOffered("the result is 2, protocolError: StartTLS is not known".to_owned()),
        (_, 51) => Verdict::Throttled("the result is 51, busy".to_owned()),
        // A directory without a certificate says so, and so does one that is starting.
        (_, 52) => Verdict::Refused("the result is 52, unavailable".to_owned()),
        ([1], 12 | 53) => Verdict::NotOffered(format!("the result is {code}")),
        _ => Verdict::Refused(format!("the result is {code}")),
    };
    Ok(Some((end, verdict)))
}
