//! XMPP, as a client and as a server.

use super::line::{find, holds, not_a_reply};
use super::{Heard, Verdict};

/// Why a stream ends although nothing is wrong with TLS.
const PASSING: [&str; 4] = ["<resource-constraint", "<system-shutdown", "<policy-violation", "<connection-timeout"];

/// The answer to the head of a stream: its own head, and its features.
pub fn features(bytes: &[u8]) -> Heard {
    if let Some(end) = stream_error(bytes) {
        return Ok(Some(end));
    }
    if let Some(at) = find(bytes, "<stream:features/>") {
        let seen = "the stream has no features".to_owned();
        return Ok(Some((at + "<stream:features/>".len(), Verdict::NotOffered(seen))));
    }
    let Some(at) = find(bytes, "</stream:features>") else {
        let start = bytes.trim_ascii_start();
        return if start.is_empty() || start.starts_with(b"<") { Ok(None) } else { Err(not_a_reply()) };
    };
    let seen = bytes.get(..at).unwrap_or_default();
    let verdict = match find(seen, "<starttls") {
        Some(from) => {
            let element = seen.get(from..).unwrap_or_default();
            let inside = find(element, "</starttls>").and_then(|to| element.get(..to)).unwrap_or_default();
            Verdict::Told { required: holds(inside, "<required") }
        }
        None => Verdict::NotOffered("starttls is not among the features".to_owned()),
    };
    Ok(Some((at + "</stream:features>".len(), verdict)))
}

/// The answer to `<starttls/>`.
pub fn proceed(bytes: &[u8]) -> Heard {
    if let Some(end) = stream_error(bytes) {
        return Ok(Some(end));
    }
    let start = bytes.trim_ascii_start();
    let spaces = bytes.len() - start.len();
    let end = |name: &str| {
        let close = find(start, ">")? + 1;
        let empty = start.get(..close).is_some_and(|element| element.ends_with(b"/>"));
        let end = match empty {
            true => close,
            false => find(start, &format!("</{name}>"))? + name.len() + 3,
        };
        Some(spaces + end)
    };
    if start.starts_with(b"<proceed") {
        return Ok(end("proceed").map(|end| (end, Verdict::Accepted)));
    }
    if start.starts_with(b"<failure") {
        return Ok(end("failure").map(|end| (end, Verdict::NotOffered("failure to starttls".to_owned()))));
    }
    let may_become = start.len() < 8 && (b"<proceed".starts_with(start) || b"<failure".starts_with(start));
    if may_become || start.starts_with(b"<stream:error") { Ok(None) } else { Err(not_a_reply()) }
}

fn stream_error(bytes: &[u8]) -> Option<(usize, Verdict)> {
    let end = find(bytes, "</stream:error>")? + "</stream:error>".len();
    let seen = bytes.get(..end).unwrap_or_default();
    Some((
        end,
        match PASSING.iter().any(|condition| holds(seen, condition)) {
            true => Verdict::Throttled("the stream ends with an error that passes".to_owned()),
            false if holds(seen, "<host-unknown") => {
                Verdict::Refused("the server does not know the domain; name it with `server_name`".to_owned())
            }
            false => Verdict::Refused("the stream ends with an error".to_owned()),
        },
    ))
}
