//! Bounds on memory for what a server sends.

pub use crate::collect::limit::{Limit, run};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes that one session may receive.
const SESSION: usize = 12 * 1024 * 1024;
/// The most bytes that come before the first query: the driver keeps every parameter that a server reports.
const LOGIN: usize = 256 * 1024;
/// The largest message of a server that is taken: the driver keeps a message whole.
const MESSAGE: usize = 1024 * 1024;
/// The largest message about authentication.
const AUTHENTICATION: usize = 4096;
/// The most rounds of a SCRAM exchange: each costs us time, and the server names their number.
const ROUNDS: u64 = 500_000;

/// The server asked for too much. The words are ours.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Excess(&'static str);

/// A stream of server messages that ends with an error where the server asks for too much.
pub struct Guard<S> {
    stream: S,
    received: usize,
    header: Vec<u8>,
    body: usize,
    authentication: Option<Vec<u8>>,
    /// The server said that it waits for a query.
    ready: bool,
    /// Bytes of parameters that the server reported.
    parameters: usize,
}

impl<S> Guard<S> {
    /// Guards a stream whose next byte begins a message.
    pub fn new(stream: S) -> Guard<S> {
        let header = Vec::with_capacity(5);
        Guard { stream, received: 0, header, body: 0, authentication: None, ready: false, parameters: 0 }
    }

    /// Follows the messages in these bytes.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Result<(), Excess> {
        self.received = self.received.saturating_add(bytes.len());
        if self.received > SESSION {
            return Err(Excess("the server sent more than 12 MiB"));
        }
        if !self.ready && self.received > LOGIN {
            return Err(Excess("the server sent more than 256 KiB before it took a query"));
        }
        while !bytes.is_empty() {
            if self.body == 0 {
                let wanted = 5_usize.saturating_sub(self.header.len()).min(bytes.len());
                let (head, rest) = bytes.split_at(wanted);
                self.header.extend_from_slice(head);
                bytes = rest;
                self.begin()?;
            } else {
                let (part, rest) = bytes.split_at(self.body.min(bytes.len()));
                if let Some(kept) = &mut self.authentication {
                    kept.extend_from_slice(part);
                }
                self.body = self.body.saturating_sub(part.len());
                bytes = rest;
            }
            if self.body == 0
                && let Some(message) = self.authentication.take()
            {
                rounds(&message)?;
            }
        }
        Ok(())
    }

    /// Begins the body of a message once its header is whole.
    fn begin(&mut self) -> Result<(), Excess> {
        let Some(&[kind, a, b, c, d]) = self.header.first_chunk::<5>() else { return Ok(()) };
        self.header.clear();
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        self.body = length.checked_sub(4).ok_or(Excess("a message of the server has no room for its own length"))?;
        let most = if kind == b'R' { AUTHENTICATION } else { MESSAGE };
        if self.body > most {
            return Err(Excess("a message of the server is too large"));
        }
        match kind {
            b'R' => self.authentication = Some(Vec::new()),
            b'S' => self.parameters = self.parameters.saturating_add(self.body),
            b'Z' => self.ready = true,
            _ => {}
        }
        match self.parameters > LOGIN {
            true => Err(Excess("the server reported more than 256 KiB of parameters")),
            false => Ok(()),
        }
    }
}

/// Refuses a SCRAM challenge (kind 11) that asks for too many rounds.
fn rounds(message: &[u8]) -> Result<(), Excess> {
    let Some((kind, text)) = message.split_first_chunk::<4>() else { return Ok(()) };
    if u32::from_be_bytes(*kind) != 11 {
        return Ok(());
    }
    let text = String::from_utf8_lossy(text);
    let many = text.split(',').filter_map(|part| part.strip_prefix("i=")).any(|number| {
        // A number that does not parse is refused by the driver, or is larger than any number that does.
        number.trim_start_matches('0').len() > 9 || number.parse::<u64>().is_ok_and(|rounds| rounds > ROUNDS)
    });
    if many { Err(Excess("the server asks for too many rounds of SCRAM")) } else { Ok(()) }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                let new = buffer.filled().get(before..).unwrap_or_default().to_vec();
                match self.follow(&new) {
                    Ok(()) => Poll::Ready(Ok(())),
                    Err(why) => {
                        buffer.set_filled(before);
                        Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)))
                    }
                }
            }
            other => other,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn challenge(rounds: &str) -> Vec<u8> {
        let mut body = 11_u32.to_be_bytes().to_vec();
        body.extend_from_slice(format!("r=abc,s=QSXCR+Q6sek8bf92,i={rounds}").as_bytes());
        message(b'R', &body)
    }

    fn follow(bytes: &[u8], step: usize) -> Result<(), Excess> {
        let mut guard = Guard::new(());
        bytes.chunks(step).try_for_each(|part| guard.follow(part))
    }

    #[test]
    fn ordinary_messages_pass_however_they_are_cut() {
        let mut bytes = challenge("4096");
        bytes.extend(message(b'R', &0_u32.to_be_bytes()));
        bytes.extend(message(b'Z', b"I"));
        bytes.extend(message(b'1', b""));
        bytes.extend(message(b'D', &[7; 70_000]));
        for step in [1, 2, 3, 5, 7, 4096, bytes.len()] {
            assert_eq!(follow(&bytes, step), Ok(()));
        }
    }

    #[test]
    fn a_costly_challenge_is_refused_however_it_is_cut() {
        for rounds in ["500001", "4294967295", "99999999999999999999999"] {
            for step in [1, 4, 4096] {
                assert!(follow(&challenge(rounds), step).is_err(), "{rounds}");
            }
        }
    }

    #[test]
    fn parameters_and_a_login_without_end_are_cut_off() {
        let parameter = message(b'S', &[b'a'; 1000]);
        assert!(follow(&parameter.repeat(300), 4096).is_err());
        assert!(follow(&message(b'N', &[b'a'; 1000]).repeat(300), 4096).is_err());
        // What is many after the login is much less than what a session may receive.
        let ready = message(b'Z', b"I");
        assert_eq!(follow(&[ready.clone(), message(b'D', &[b'a'; 1000]).repeat(3000)].concat(), 4096), Ok(()));
        assert!(follow(&[ready, parameter.repeat(300)].concat(), 4096).is_err());
    }

    #[test]
    fn impossible_lengths_are_refused() {
        assert!(follow(&[b'D', 0x7F, 0xFF, 0xFF, 0xFF], 5).is_err());
        assert!(follow(&[b'R', 0, 1, 0, 0], 5).is_err());
        assert!(follow(&[b'Z', 0, 0, 0, 3], 1).is_err());
    }
}
