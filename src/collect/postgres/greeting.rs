//! What a server says before anybody logs in: whether it takes TLS, and whether it takes a login without.

use super::limit::{self, Limit};
use crate::collect::CollectContext;
use crate::model::{Reason, Trouble};
use crate::net::Stream;
use crate::wire::postgres::{Reply, SSL_REQUEST};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Time for one step of a greeting.
const STEP: Duration = Duration::from_secs(6);
/// Protocol 3.0.
const PROTOCOL: [u8; 4] = [0, 3, 0, 0];
/// A farewell: the message Terminate.
const TERMINATE: [u8; 5] = [b'X', 0, 0, 0, 4];
/// The most bytes of a first answer that are read.
const ANSWER: usize = 8192;

/// The answer to a request for TLS.
pub enum Offer {
    /// The server waits for the TLS handshake on this connection.
    Tls(Box<dyn Stream>),
    /// The server goes on in clear on this connection.
    Plain(Box<dyn Stream>),
}

/// What a login without TLS met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainLogin {
    /// The server went on to authentication.
    pub accepted: bool,
    /// In words.
    pub seen: String,
}

/// Opens a connection and asks for TLS.
pub async fn ask_for_tls(cx: &CollectContext, address: SocketAddr) -> Result<Offer, Trouble> {
    let mut stream = cx.dial.connect(address, STEP).await?;
    let answer = limit::run(cx, Limit::new(STEP, "the answer to the request for TLS"), async {
        stream.write_all(&SSL_REQUEST).await?;
        stream.flush().await?;
        stream.read_u8().await
    })
    .await?;
    match answer.map(Reply::parse) {
        // One byte exactly is read: what a meddler put behind it meets the TLS handshake and breaks it.
        Ok(Reply::Accepted) => Ok(Offer::Tls(stream)),
        Ok(Reply::NotOffered) => Ok(Offer::Plain(stream)),
        Ok(Reply::Error) => Err(Trouble::new(Reason::Refused, "the server answered a request for TLS with an error")),
        Ok(Reply::Strange(_)) => Err(Trouble::new(
            Reason::ProtocolViolation,
            "what listens there does not answer a request for TLS as PostgreSQL does",
        )),
        Err(error) => Err(closed(&error, "at the request for TLS")),
    }
}

/// Begins a login without TLS and looks at the first answer. Nothing secret is sent.
pub async fn try_plaintext(
    cx: &CollectContext,
    address: SocketAddr,
    user: &str,
    database: &str,
) -> Result<PlainLogin, Trouble> {
    let mut stream = cx.dial.connect(address, STEP).await?;
    let message = startup(user, database)?;
    let answer = limit::run(cx, Limit::new(STEP, "the answer to a login without TLS"), async {
        stream.write_all(&message).await?;
        stream.flush().await?;
        let answer = first_message(&mut stream).await?;
        // The server must not wait for us, and its log shall not blame a broken connection.
        let _ = stream.write_all(&TERMINATE).await;
        let _ = stream.shutdown().await;
        Ok(answer)
    })
    .await?;
    match answer {
        Ok((kind, body)) => judge(kind, &body),
        Err(error) => Err(closed(&error, "at a login without TLS")),
    }
}

/// The message that begins a session.
fn startup(user: &str, database: &str) -> Result<Vec<u8>, Trouble> {
    let mut body = PROTOCOL.to_vec();
    for text in ["user", user, "database", database, "application_name", "probity"] {
        if text.contains('\0') {
            return Err(Trouble::new(Reason::Unsupported, "a user or database name holds a zero byte"));
        }
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    let length = u32::try_from(body.len().saturating_add(4))
        .ok()
        .filter(|length| *length <= 8192)
        .ok_or_else(|| Trouble::new(Reason::TooLarge, "the user or database name is too long"))?;
    let mut message = length.to_be_bytes().to_vec();
    message.append(&mut body);
    Ok(message)
}

/// The type and body of one message, of which a bounded part is read.
async fn first_message(stream: &mut Box<dyn Stream>) -> std::io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let length = stream.read_u32().await?;
    let length = usize::try_from(length).unwrap_or(usize::MAX).saturating_sub(4);
    if !matches!(kind, b'R' | b'E') || length > ANSWER {
        return Ok((0, Vec::new()));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

/// What the first message after the start says.
pub(super) fn judge(kind: u8, body: &[u8]) -> Result<PlainLogin, Trouble> {
    match kind {
        b'R' => match body.first_chunk::<4>().map(|code| u32::from_be_bytes(*code)) {
            Some(0) => Ok(PlainLogin { accepted: true, seen: "logged in without any proof, in clear".to_owned() }),
            Some(code) => Ok(PlainLogin {
                accepted: true,
                seen: format!("asked for {} on a connection in clear; none was sent", method(code)),
            }),
            None => Err(strange()),
        },
        b'E' => match sqlstate(body).as_deref() {
            // The only refusal by rule: an unknown role or database is told after authentication alone.
            Some("28000") => Ok(PlainLogin {
                accepted: false,
                seen: "refused by rule before any password was asked for (SQLSTATE 28000)".to_owned(),
            }),
            Some(code) => Err(Trouble::new(
                Reason::Refused,
                format!("the server answered a login without TLS with SQLSTATE {code}, which settles nothing"),
            )),
            None => Err(strange()),
        },
        _ => Err(strange()),
    }
}

fn strange() -> Trouble {
    Trouble::new(Reason::ProtocolViolation, "the answer to a login without TLS is not one of PostgreSQL's")
}

fn method(code: u32) -> &'static str {
    match code {
        3 => "the password in clear",
        5 => "an MD5 of the password",
        10 => "SCRAM",
        7..=9 => "GSSAPI or SSPI",
        _ => "a proof",
    }
}

/// The field C of an error: five letters or digits.
fn sqlstate(body: &[u8]) -> Option<String> {
    body.split(|byte| *byte == 0).take(64).find_map(|field| match field.split_first() {
        Some((b'C', code)) if code.len() == 5 && code.iter().all(u8::is_ascii_alphanumeric) => {
            Some(String::from_utf8_lossy(code).into_owned())
        }
        _ => None,
    })
}

fn closed(error: &std::io::Error, place: &str) -> Trouble {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe => {
            Trouble::new(Reason::Refused, format!("the server closed the connection {place}"))
        }
        kind => Trouble::new(Reason::Unreachable, format!("the connection broke {place}: {kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str) -> Vec<u8> {
        format!("SFATAL\0VFATAL\0C{code}\0Mno pg_hba.conf entry\0\0").into_bytes()
    }

    #[test]
    fn a_refusal_by_rule_is_told_from_other_errors() {
        assert!(!judge(b'E', &error("28000")).unwrap().accepted);
        assert_eq!(judge(b'E', &error("53300")).unwrap_err().reason, Reason::Refused);
        assert_eq!(judge(b'E', &error("57P03")).unwrap_err().reason, Reason::Refused);
        assert_eq!(judge(b'E', b"SFATAL\0").unwrap_err().reason, Reason::ProtocolViolation);
    }

    #[test]
    fn a_request_for_a_proof_is_an_accepted_login() {
        let clear = judge(b'R', &3_u32.to_be_bytes()).unwrap();
        assert!(clear.accepted && clear.seen.contains("password in clear"));
        assert!(judge(b'R', &0_u32.to_be_bytes()).unwrap().accepted);
        assert!(judge(b'R', &[0, 0]).is_err());
        assert!(judge(b'Z', b"I").is_err());
    }

    #[test]
    fn the_start_message_has_its_length_and_no_zero_inside() {
        let message = startup("audit", "app").unwrap();
        assert_eq!(u32::from_be_bytes(*message.first_chunk().unwrap()) as usize, message.len());
        assert!(startup("a\0b", "app").is_err());
        assert!(startup(&"a".repeat(9000), "app").is_err());
    }
}
