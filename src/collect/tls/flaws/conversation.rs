//! One connection of a test: a hello, the server's flight in clear, then whatever the test sends.

use super::super::offer::Offer;
use super::super::probe::{self, Outcome};
use super::super::prober::Prober;
use crate::model::{Reason, Trouble};
use crate::net::Stream;
use crate::wire::{Alert, ServerFlight, Version, alert, record};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

/// A connection whose server waits for the client's second flight.
pub struct Conversation<'a, 'b> {
    prober: &'a Prober<'b>,
    stream: Box<dyn Stream>,
    step: &'static str,
    /// What the server sent.
    pub flight: Box<ServerFlight>,
}

/// What came next on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reply {
    /// An alert, by its description.
    Alert(u8),
    /// A record of another type, and its length. Its content is never read.
    Record(u8, usize),
    /// FIN.
    Closed,
    /// RST.
    Reset,
    /// Nothing in time.
    Silent,
    /// Bytes that are no record.
    NotTls,
}

impl Reply {
    /// In words.
    pub fn words(self) -> String {
        match self {
            Reply::Alert(description) => format!("alert {}", Alert::fatal(description).name()),
            Reply::Record(kind, length) => format!("a record of type {kind} with {length} bytes"),
            Reply::Closed => "connection closed".to_owned(),
            Reply::Reset => "connection reset".to_owned(),
            Reply::Silent => "no answer".to_owned(),
            Reply::NotTls => "bytes that are not TLS".to_owned(),
        }
    }

    /// Whether the server ended the connection without a word.
    pub fn is_end(self) -> bool {
        matches!(self, Reply::Closed | Reply::Reset)
    }
}

impl<'a, 'b> Conversation<'a, 'b> {
    /// Sends the offer and reads the flight that answers it.
    ///
    /// # Errors
    /// When there is no connection, no whole flight came, or the run was stopped.
    pub async fn open(
        prober: &'a Prober<'b>,
        offer: &Offer,
        step: &'static str,
    ) -> Result<Conversation<'a, 'b>, Trouble> {
        if let Some(trouble) = prober.stopped() {
            return Err(trouble);
        }
        let manner = prober.manner();
        let hello = offer.hello(&manner, &*prober.cx.random).to_record();
        let begin = async {
            let mut stream = prober.open().await?;
            let outcome = probe::tls_on(&mut *stream, &hello, offer, prober.upgrade.patience()).await;
            Ok((stream, outcome))
        };
        let (stream, outcome) = prober.until_stopped(begin).await?;
        match outcome {
            Outcome::Hello(flight) if flight.complete && flight.hello.negotiated() == offer.version.code() => {
                Ok(Conversation { prober, stream, step, flight })
            }
            Outcome::Hello(flight) => {
                let outcome = Outcome::Hello(flight);
                prober.record_words(offer.words(), outcome.words(), step);
                let detail = format!("{step}: the first flight broke off: {}", outcome.words());
                Err(Trouble::new(Reason::HandshakeRejected, detail))
            }
            outcome => {
                prober.record_words(offer.words(), outcome.words(), step);
                let trouble = outcome.trouble();
                Err(Trouble::new(trouble.reason, format!("{step}: {}", trouble.detail)))
            }
        }
    }

    /// The version negotiated.
    pub fn version(&self) -> Version {
        Version::from_code(self.flight.hello.negotiated()).unwrap_or(Version::Tls12)
    }

    /// A record in clear of this connection's version.
    pub fn record(&self, kind: u8, fragment: &[u8]) -> Vec<u8> {
        record::write(kind, self.flight.hello.version, fragment)
    }

    /// Sends these bytes in one write and waits so long for what comes next.
    ///
    /// # Errors
    /// When the run was stopped meanwhile.
    pub async fn send(&mut self, bytes: &[u8], patience: Duration, words: &str) -> Result<Reply, Trouble> {
        let stream = &mut *self.stream;
        let look = async {
            let end = Instant::now() + patience;
            // A peer that closes early may still have said why: what it sent is read all the same.
            let _ = tokio::time::timeout_at(end, async {
                stream.write_all(bytes).await?;
                stream.flush().await
            })
            .await;
            Ok(tokio::time::timeout_at(end, reply(stream)).await.unwrap_or(Reply::Silent))
        };
        let reply = self.prober.until_stopped(look).await?;
        self.prober.record_words(words.to_owned(), reply.words(), self.step);
        Ok(reply)
    }
}

/// The header of the next record, and the two bytes of an alert. Nothing else is read.
async fn reply(stream: &mut dyn Stream) -> Reply {
    let mut header = [0; 5];
    if let Err(error) = stream.read_exact(&mut header).await {
        return end_of(&error);
    }
    let [kind, major, _, high, low] = header;
    if major != 3 || !(record::CHANGE_CIPHER_SPEC..=record::HEARTBEAT).contains(&kind) {
        return Reply::NotTls;
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if (kind, length) != (record::ALERT, 2) {
        return Reply::Record(kind, length);
    }
    let mut body = [0; 2];
    if let Err(error) = stream.read_exact(&mut body).await {
        return end_of(&error);
    }
    match body {
        [_, alert::CLOSE_NOTIFY] => Reply::Closed,
        [_, description] => Reply::Alert(description),
    }
}

fn end_of(error: &std::io::Error) -> Reply {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Reply::Reset,
        _ => Reply::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &[u8]) -> Reply {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        theirs.write_all(bytes).await.unwrap();
        drop(theirs);
        reply(&mut ours).await
    }

    #[tokio::test]
    async fn only_alerts_are_read_beyond_their_header() {
        assert_eq!(read(&[21, 3, 1, 0, 2, 2, 10]).await, Reply::Alert(10));
        assert_eq!(read(&[21, 3, 1, 0, 2, 1, 0]).await, Reply::Closed);
        assert_eq!(read(&[24, 3, 2, 0x40, 0, 1, 2, 3]).await, Reply::Record(24, 0x4000));
        assert_eq!(read(&[21, 3, 1, 0, 2, 2]).await, Reply::Closed);
        assert_eq!(read(b"HTTP/1.1 400").await, Reply::NotTls);
        assert_eq!(read(&[]).await, Reply::Closed);
    }
}
