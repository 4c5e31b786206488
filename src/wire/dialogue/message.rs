//! Messages: IRC, and AMQP 1.0.

use super::line::{is, lines, not_a_reply, words};
use super::{Heard, Verdict};

/// The header by which AMQP 1.0 asks for TLS, and agrees to it.
pub const AMQP_TLS: [u8; 8] = *b"AMQP\x02\x01\x00\x00";

/// The words of a line of IRC, without the name of who says it.
fn irc_words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    words(line).skip(usize::from(line.starts_with(b":")))
}

/// The answers to CAP LS and STARTTLS, which are sent together: some servers are silent to the one, some to the other.
pub fn irc(bytes: &[u8]) -> Heard {
    let (mut able, mut unknown) = (Vec::new(), 0);
    for (line, end) in lines(bytes) {
        let said: Vec<&[u8]> = irc_words(line).collect();
        let verdict = match said.as_slice() {
            [b"670", ..] => Verdict::Accepted,
            [b"691", ..] => Verdict::NotOffered("691 to STARTTLS".to_owned()),
            [command, ..] if is(command, "ERROR") => Verdict::Throttled("ERROR to STARTTLS".to_owned()),
            [b"421" | b"451" | b"410", rest @ ..] => {
                unknown += 1;
                // Some name the command that they do not know; a second complaint is about the second command.
                if unknown < 2 && !rest.iter().any(|word| is(word, "STARTTLS")) {
                    continue;
                }
                Verdict::NotOffered("the server does not know STARTTLS".to_owned())
            }
            [command, _, sub, rest @ ..] if is(command, "CAP") && is(sub, "LS") => {
                able.extend(rest.iter().map(|word| word.strip_prefix(b":").unwrap_or(word)));
                let more = rest.first().is_some_and(|word| *word == b"*");
                if more || able.iter().any(|word| is(word, "tls") || word.starts_with(b"tls=")) {
                    continue;
                }
                Verdict::NotOffered("tls is not among the capabilities".to_owned())
            }
            _ => {
                irc_aside(line)?;
                continue;
            }
        };
        return Ok(Some((end, verdict)));
    }
    Ok(None)
}

/// What a server may say unasked before it knows who we are.
fn irc_aside(line: &[u8]) -> Result<(), super::WireError> {
    let known = irc_words(line).next().is_none_or(|word| {
        is(word, "NOTICE")
            || is(word, "PING")
            || is(word, "CAP")
            || word.len() == 3 && word.iter().all(u8::is_ascii_digit)
    });
    if known { Ok(()) } else { Err(not_a_reply()) }
}

/// The answer to the header that asks for TLS in AMQP 1.0.
pub fn amqp(bytes: &[u8]) -> Heard {
    let Some(header) = bytes.first_chunk::<8>() else {
        let known = bytes.len().min(4);
        return if bytes.get(..known) == AMQP_TLS.get(..known) { Ok(None) } else { Err(not_a_reply()) };
    };
    let verdict = match header {
        header if *header == AMQP_TLS => Verdict::Accepted,
        header if header.starts_with(b"AMQP") => Verdict::NotOffered("the server names another protocol".to_owned()),
        _ => return Err(not_a_reply()),
    };
    Ok(Some((8, verdict)))
}
