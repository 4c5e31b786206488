//! A handshake in clear, up to ServerHelloDone: where the tests begin that need no keys.

use crate::collect::tls::offer::Offer;
use crate::collect::tls::probe::{self, Outcome};
use crate::collect::tls::prober::{APART, Prober};
use crate::model::Trouble;
use crate::net::Stream;
use crate::wire::{Alert, ServerFlight, record};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

/// A connection on which the server waits for the client's key exchange.
pub struct Halfway {
    stream: Box<dyn Stream>,
    /// What the server sent.
    pub flight: Box<ServerFlight>,
}

/// What came next. Of a record that is no alert only type and length are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// An alert.
    Alert(Alert),
    /// A record of this type and length.
    Record(u8, u16),
    /// FIN.
    Closed,
    /// RST.
    Reset,
    /// Nothing in time.
    Silent,
}

impl Reply {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Reply::Alert(alert) => format!("alert {}", alert.name()),
            Reply::Record(kind, length) => format!("a record of type {kind} and {length} bytes"),
            Reply::Closed => "connection closed".to_owned(),
            Reply::Reset => "connection reset".to_owned(),
            Reply::Silent => "no answer".to_owned(),
        }
    }
}

impl Halfway {
    /// Leads a handshake of this offer to its middle. What was lost on the way is tried once more.
    ///
    /// # Errors
    /// When the server does not get there.
    pub async fn open(prober: &Prober<'_>, offer: &Offer, step: &str) -> Result<Halfway, Trouble> {
        match Self::once(prober, offer, step).await {
            Err(Outcome::Closed(_) | Outcome::Reset | Outcome::Silent(_)) => {
                prober.pause(APART).await?;
                Self::once(prober, offer, step).await.map_err(|outcome| outcome.trouble())
            }
            outcome => outcome.map_err(|outcome| outcome.trouble()),
        }
    }

    async fn once(prober: &Prober<'_>, offer: &Offer, step: &str) -> Result<Halfway, Outcome> {
        if let Some(trouble) = prober.stopped() {
            return Err(Outcome::NoTransport(trouble));
        }
        let hello = offer.hello(&prober.manner(), &*prober.cx.random).to_record();
        let look = async {
            let mut stream = prober.open().await.map_err(Outcome::NoTransport)?;
            match probe::flight(&mut *stream, &hello, offer, prober.upgrade.patience()).await {
                Outcome::Hello(flight) if flight.complete => Ok(Halfway { stream, flight }),
                Outcome::Hello(_) => Err(Outcome::Malformed("the server's flight did not come to its end".to_owned())),
                outcome => Err(outcome),
            }
        };
        let outcome = prober.within(Box::pin(look)).await.map_err(Outcome::NoTransport).and_then(|outcome| outcome);
        let received = match &outcome {
            Ok(halfway) => format!("ServerHello 0x{:04X} to ServerHelloDone", halfway.flight.hello.suite),
            Err(outcome) => outcome.words(),
        };
        prober.record_words(format!("{step}: {}", offer.words()), received, step);
        outcome
    }

    /// Sends a record of this type in the version that was agreed on.
    pub async fn send(&mut self, kind: u8, body: &[u8]) {
        self.send_bytes(&record::write(kind, self.flight.hello.version, body)).await;
    }

    /// Sends these bytes. A peer that has gone away shows in what is read next.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
        let _ = self.stream.flush().await;
    }

    /// What comes next within this time. A warning does not count.
    pub async fn next(&mut self, wait: Duration) -> Reply {
        let end = Instant::now() + wait;
        for _ in 0..8 {
            let mut header = [0; 5];
            if let Err(reply) = self.read(&mut header, end).await {
                return reply;
            }
            let [kind, _, _, high, low] = header;
            let length = u16::from_be_bytes([high, low]);
            if kind != record::ALERT || length != 2 {
                return Reply::Record(kind, length);
            }
            let mut body = [0; 2];
            if let Err(reply) = self.read(&mut body, end).await {
                return reply;
            }
            let [level, description] = body;
            if level != 1 || description == crate::wire::alert::CLOSE_NOTIFY {
                return Reply::Alert(Alert { level, description });
            }
        }
        Reply::Silent
    }

    async fn read(&mut self, buffer: &mut [u8], end: Instant) -> Result<(), Reply> {
        match tokio::time::timeout_at(end, self.stream.read_exact(buffer)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                Err(Reply::Reset)
            }
            Ok(Err(_)) => Err(Reply::Closed),
            Err(_) => Err(Reply::Silent),
        }
    }
}
