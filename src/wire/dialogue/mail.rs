//! Mail: SMTP, LMTP, IMAP, POP3 and ManageSieve.

use super::line::{begins, coded, dotted, holds, is, lines, not_a_reply, words};
use super::{Heard, Verdict};

/// The greeting of SMTP and LMTP.
pub fn smtp_greeting(bytes: &[u8]) -> Heard {
    let Some(reply) = coded(bytes)? else { return Ok(None) };
    let verdict = match reply.code {
        220 => Verdict::Next,
        400..=499 => Verdict::Throttled(format!("the greeting is {}", reply.code)),
        500..=599 => Verdict::Refused(format!("the greeting is {}", reply.code)),
        _ => return Err(not_a_reply()),
    };
    Ok(Some((reply.length, verdict)))
}

/// The answer to EHLO and LHLO.
pub fn smtp_hello(bytes: &[u8]) -> Heard {
    let Some(reply) = coded(bytes)? else { return Ok(None) };
    let verdict = match reply.code {
        // The first line greets; the others name what the server can do.
        250 if reply.lines.iter().skip(1).any(|line| is(line.trim_ascii(), "STARTTLS")) => Verdict::Next,
        250 => Verdict::NotOffered("STARTTLS is not among the extensions".to_owned()),
        400..=499 => Verdict::Throttled(format!("{} to the hello", reply.code)),
        500 | 502 => Verdict::NotOffered(format!("{} to the hello: no extensions", reply.code)),
        501..=599 => Verdict::Refused(format!("{} to the hello", reply.code)),
        _ => return Err(not_a_reply()),
    };
    Ok(Some((reply.length, verdict)))
}

/// The answer to STARTTLS in SMTP and LMTP.
pub fn smtp_starttls(bytes: &[u8]) -> Heard {
    let Some(reply) = coded(bytes)? else { return Ok(None) };
    let verdict = match reply.code {
        220 => Verdict::Accepted,
        400..=499 => Verdict::Throttled(format!("{} to STARTTLS", reply.code)),
        500..=599 => Verdict::NotOffered(format!("{} to STARTTLS", reply.code)),
        _ => return Err(not_a_reply()),
    };
    Ok(Some((reply.length, verdict)))
}

/// The greeting of IMAP.
pub fn imap_greeting(bytes: &[u8]) -> Heard {
    let Some((line, end)) = lines(bytes).next() else { return Ok(None) };
    let verdict = match line {
        line if begins(line, "* OK") => Verdict::Next,
        line if begins(line, "* PREAUTH") => {
            Verdict::NotOffered("the greeting is PREAUTH, after which STARTTLS is impossible".to_owned())
        }
        line if begins(line, "* BYE") => Verdict::Throttled("the greeting is BYE".to_owned()),
        _ => return Err(not_a_reply()),
    };
    Ok(Some((end, verdict)))
}

/// The answer to CAPABILITY in IMAP, which has the tag `a1`.
pub fn imap_capability(bytes: &[u8]) -> Heard {
    let mut able = Vec::new();
    for (line, end) in lines(bytes) {
        if begins(line, "* BYE") {
            return Ok(Some((end, Verdict::Throttled("BYE to CAPABILITY".to_owned()))));
        }
        if begins(line, "* CAPABILITY ") {
            able.extend(words(line));
        }
        if begins(line, "a1 OK") {
            let has = |name| able.iter().any(|word| is(word, name));
            let verdict = match has("STARTTLS") {
                true => Verdict::Told { required: has("LOGINDISABLED") },
                false => Verdict::NotOffered("STARTTLS is not among the capabilities".to_owned()),
            };
            return Ok(Some((end, verdict)));
        }
        if begins(line, "a1 ") {
            return Ok(Some((end, Verdict::Refused("CAPABILITY is refused".to_owned()))));
        }
        if !begins(line, "* ") {
            return Err(not_a_reply());
        }
    }
    Ok(None)
}

/// The answer to STARTTLS in IMAP, which has the tag `a2`.
pub fn imap_starttls(bytes: &[u8]) -> Heard {
    for (line, end) in lines(bytes) {
        let verdict = match line {
            line if begins(line, "a2 OK") => Verdict::Accepted,
            line if begins(line, "* BYE") => Verdict::Throttled("BYE to STARTTLS".to_owned()),
            line if begins(line, "a2 NO") && temporary(line) => {
                Verdict::Throttled("NO to STARTTLS, for now".to_owned())
            }
            line if begins(line, "a2 ") => Verdict::NotOffered("STARTTLS is refused".to_owned()),
            line if begins(line, "* ") => continue,
            _ => return Err(not_a_reply()),
        };
        return Ok(Some((end, verdict)));
    }
    Ok(None)
}

/// Whether the code in brackets says that it is a matter of time.
fn temporary(line: &[u8]) -> bool {
    let line = line.to_ascii_uppercase();
    ["[IN-USE]", "[INUSE]", "[SYS/TEMP]", "[LOGIN-DELAY]", "[UNAVAILABLE]", "[LIMIT]", "(TRYLATER)"]
        .iter()
        .any(|code| holds(&line, code))
}

/// The greeting of POP3.
pub fn pop3_greeting(bytes: &[u8]) -> Heard {
    pop3(bytes, Verdict::Next, |temporary| match temporary {
        true => Verdict::Throttled("the greeting is -ERR, for now".to_owned()),
        false => Verdict::Refused("the greeting is -ERR".to_owned()),
    })
}

/// The answer to CAPA in POP3. Old servers do not know it, and may know STLS all the same.
pub fn pop3_capability(bytes: &[u8]) -> Heard {
    let Some((line, first)) = lines(bytes).next() else { return Ok(None) };
    if begins(line, "-ERR") {
        return Ok(Some((first, Verdict::Next)));
    }
    if !begins(line, "+OK") {
        return Err(not_a_reply());
    }
    let Some((able, end)) = dotted(bytes) else { return Ok(None) };
    let verdict = match able.iter().any(|line| is(line.trim_ascii(), "STLS")) {
        true => Verdict::Next,
        false => Verdict::NotOffered("STLS is not among the capabilities".to_owned()),
    };
    Ok(Some((end, verdict)))
}

/// The answer to STLS in POP3.
pub fn pop3_starttls(bytes: &[u8]) -> Heard {
    pop3(bytes, Verdict::Accepted, |temporary| match temporary {
        true => Verdict::Throttled("-ERR to STLS, for now".to_owned()),
        false => Verdict::NotOffered("-ERR to STLS".to_owned()),
    })
}

fn pop3(bytes: &[u8], good: Verdict, bad: impl Fn(bool) -> Verdict) -> Heard {
    let Some((line, end)) = lines(bytes).next() else { return Ok(None) };
    let verdict = match line {
        line if begins(line, "+OK") => good,
        line if begins(line, "-ERR") => bad(temporary(line)),
        _ => return Err(not_a_reply()),
    };
    Ok(Some((end, verdict)))
}

/// The greeting of ManageSieve, which names the capabilities.
pub fn sieve_greeting(bytes: &[u8]) -> Heard {
    sieve(bytes, |line, able| match line {
        line if begins(line, "OK") => {
            let has = |name: &str| able.iter().any(|line| begins(line, name));
            match has("\"STARTTLS\"") {
                // Without TLS there is no mechanism to log in with.
                true => Verdict::Told { required: has("\"SASL\" \"\"") },
                false => Verdict::NotOffered("STARTTLS is not among the capabilities".to_owned()),
            }
        }
        line if begins(line, "BYE") => Verdict::Throttled("the greeting is BYE".to_owned()),
        _ => Verdict::Refused("the greeting is NO".to_owned()),
    })
}

/// The answer to STARTTLS in ManageSieve.
pub fn sieve_starttls(bytes: &[u8]) -> Heard {
    sieve(bytes, |line, _| match line {
        line if begins(line, "OK") => Verdict::Accepted,
        line if begins(line, "BYE") || temporary(line) => Verdict::Throttled("STARTTLS is refused for now".to_owned()),
        _ => Verdict::NotOffered("STARTTLS is refused".to_owned()),
    })
}

/// Lines up to one that says how it went.
fn sieve(bytes: &[u8], judge: impl Fn(&[u8], &[&[u8]]) -> Verdict) -> Heard {
    let mut able = Vec::new();
    for (line, end) in lines(bytes) {
        if words(line).next().is_some_and(|word| ["OK", "NO", "BYE"].iter().any(|end| is(word, end))) {
            return Ok(Some((end, judge(line, &able))));
        }
        if !line.starts_with(b"\"") {
            return Err(not_a_reply());
        }
        able.push(line);
    }
    Ok(None)
}
