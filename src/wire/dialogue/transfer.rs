//! Files and news: FTP and NNTP.

use super::line::{coded, dotted, is, lines, not_a_reply, words};
use super::{Heard, Verdict};

/// The greeting of FTP.
pub fn ftp_greeting(bytes: &[u8]) -> Heard {
    let Some(reply) = coded(bytes)? else { return Ok(None) };
    let verdict = match reply.code {
        220 => Verdict::Next,
        120 | 400..=499 => Verdict::Throttled(format!("the greeting is {}", reply.code)),
        500..=599 => Verdict::Refused(format!("the greeting is {}", reply.code)),
        _ => return Err(not_a_reply()),
    };
    Ok(Some((reply.length, verdict)))
}

/// The answer to FEAT in FTP. Servers leave AUTH out of it and take it all the same, so that nothing hangs on it.
pub fn ftp_features(bytes: &[u8]) -> Heard {
    let Some(reply) = coded(bytes)? else { return Ok(None) };
    let verdict = match reply.code {
        200..=299 | 500..=599 => Verdict::Next,
        400..=499 => Verdict::Throttled(format!("{} to FEAT", reply.code)),
        _ => return Err(not_a_reply()),
    };
    Ok(Some((reply.length, verdict)))
}

/// The answer to AUTH TLS in FTP; the older AUTH SSL comes next.
pub fn ftp_auth_tls(bytes: &[u8]) -> Heard {
    ftp_auth(bytes, |_| Verdict::Next)
}

/// The answer to AUTH SSL in FTP.
pub fn ftp_auth_ssl(bytes: &[u8]) -> Heard {
    ftp_auth(bytes, |code| Verdict::NotOffered(format!("{code} to AUTH TLS and AUTH SSL")))
}

fn ftp_auth(bytes: &[u8], refused: impl Fn(u16) -> Verdict) -> Heard {
    let Some(reply) = coded(bytes)? else { return Ok(None) };
    let verdict = match reply.code {
        234 => Verdict::Accepted,
        400..=499 => Verdict::Throttled(format!("{} to AUTH", reply.code)),
        500..=599 => refused(reply.code),
        _ => return Err(not_a_reply()),
    };
    Ok(Some((reply.length, verdict)))
}

/// The greeting of NNTP.
pub fn nntp_greeting(bytes: &[u8]) -> Heard {
    nntp(bytes, |code| match code {
        200 | 201 => Some(Verdict::Next),
        400..=499 => Some(Verdict::Throttled(format!("the greeting is {code}"))),
        500..=599 => Some(Verdict::Refused(format!("the greeting is {code}"))),
        _ => None,
    })
}

/// The answer to CAPABILITIES in NNTP. Old servers do not know it.
pub fn nntp_capabilities(bytes: &[u8]) -> Heard {
    if lines(bytes).next().is_some_and(|(line, _)| line.starts_with(b"101")) {
        let Some((able, end)) = dotted(bytes) else { return Ok(None) };
        let verdict = match able.iter().any(|line| words(line).next().is_some_and(|word| is(word, "STARTTLS"))) {
            true => Verdict::Next,
            false => Verdict::NotOffered("STARTTLS is not among the capabilities".to_owned()),
        };
        return Ok(Some((end, verdict)));
    }
    nntp(bytes, |code| match code {
        500 | 501 => Some(Verdict::Next),
        400..=499 => Some(Verdict::Throttled(format!("{code} to CAPABILITIES"))),
        500..=599 => Some(Verdict::Refused(format!("{code} to CAPABILITIES"))),
        _ => None,
    })
}

/// The answer to STARTTLS in NNTP.
pub fn nntp_starttls(bytes: &[u8]) -> Heard {
    nntp(bytes, |code| match code {
        382 => Some(Verdict::Accepted),
        400..=499 => Some(Verdict::Throttled(format!("{code} to STARTTLS"))),
        500..=599 => Some(Verdict::NotOffered(format!("{code} to STARTTLS"))),
        _ => None,
    })
}

/// A reply of one line.
fn nntp(bytes: &[u8], judge: impl Fn(u16) -> Option<Verdict>) -> Heard {
    let Some((line, end)) = lines(bytes).next() else { return Ok(None) };
    let word = words(line).next().filter(|word| word.len() == 3);
    let code = word.and_then(|word| std::str::from_utf8(word).ok()).and_then(|word| word.parse().ok());
    let verdict = code.and_then(judge).ok_or_else(not_a_reply)?;
    Ok(Some((end, verdict)))
}
