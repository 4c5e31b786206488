//! Tickets of TLS 1.3: whether they come, what they allow, and whether one is taken.

use super::handshake::{self, Ask, Record, Versions};
use super::key_kind::{KeyKind, schemes_of};
use super::prober::Prober;
use super::session::TicketReader;
use crate::model::{Fact, Reason, Trouble};
use crate::net::Stream;
use crate::wire::record::{APPLICATION_DATA, RecordReader};
use crate::wire::{Ticket, WireError};
use rustls::client::Resumption;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, KeyLog};
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

/// How long a ticket may take to come after the handshake.
const TICKET: Duration = Duration::from_secs(2);
/// How long a handshake and its tickets may take.
const VISIT: Duration = Duration::from_secs(15);

/// What was seen of tickets.
pub struct Psk {
    /// `yes`, `issued-not-resumed`, `no`.
    pub resumed: Fact<String>,
    /// The tickets.
    pub tickets: Vec<Ticket>,
}

/// Makes a session, waits for a ticket, and makes another with it.
pub async fn look(prober: &Prober<'_>, server_name: &str) -> Psk {
    let ask = Ask {
        server_name: server_name.to_owned(),
        versions: Versions::Tls13,
        schemes: schemes_of(&KeyKind::ALL),
        alpn: prober.manner().alpn.iter().map(|name| (*name).to_owned()).collect(),
    };
    let unknown = |trouble: Trouble| Psk { resumed: Fact::unknown(trouble.detail), tickets: Vec::new() };
    let keys = Arc::new(Keys::default());
    let mut config = match handshake::config(&ask, Arc::new(Record::new(&ask.schemes))) {
        Ok(config) => config,
        Err(trouble) => return unknown(trouble),
    };
    config.resumption = Resumption::in_memory_sessions(2);
    config.key_log = Arc::clone(&keys) as Arc<dyn KeyLog>;
    let guest = Guest { prober, ask, config: Arc::new(config), keys };
    let first = match guest.visit("ticket of TLSv1.3").await {
        Ok(seen) => seen,
        Err(trouble) => return unknown(trouble),
    };
    let mut tickets = first.tickets;
    if tickets.is_empty() {
        return Psk { resumed: Fact::Known("no".to_owned()), tickets };
    }
    let resumed = match guest.visit("resumption of TLSv1.3").await {
        Ok(second) => {
            tickets.extend(second.tickets);
            Fact::Known(if second.resumed { "yes" } else { "issued-not-resumed" }.to_owned())
        }
        Err(trouble) => Fact::unknown(trouble.detail),
    };
    Psk { resumed, tickets }
}

/// Who makes several sessions and keeps tickets between them.
struct Guest<'a> {
    prober: &'a Prober<'a>,
    ask: Ask,
    config: Arc<ClientConfig>,
    keys: Arc<Keys>,
}

struct Seen {
    resumed: bool,
    tickets: Vec<Ticket>,
}

impl Guest<'_> {
    async fn visit(&self, step: &str) -> Result<Seen, Trouble> {
        if let Some(trouble) = self.prober.stopped() {
            return Err(trouble);
        }
        let look = async {
            let stream = self.prober.open().await?;
            let late =
                |_| Trouble::new(Reason::TimedOut, format!("the session did not end within {} s", VISIT.as_secs()));
            tokio::time::timeout(VISIT, self.drive(stream)).await.map_err(late)?
        };
        let outcome = self.prober.within(Box::pin(look)).await.and_then(|outcome| outcome);
        let received = match &outcome {
            Ok(seen) => {
                let how = if seen.resumed { "resumed" } else { "new" };
                format!("session TLSv1.3, {how}, {} tickets", seen.tickets.len())
            }
            Err(trouble) => trouble.detail.clone(),
        };
        self.prober.record_words("TLSv1.3 handshake that waits for tickets".to_owned(), received, step);
        outcome
    }

    /// Exchanges messages until a ticket has come, or none has for two seconds.
    async fn drive(&self, mut stream: Box<dyn Stream>) -> Result<Seen, Trouble> {
        let mut connection = handshake::connect(Arc::clone(&self.config), &self.ask)?;
        let mut buffer = vec![0; 16 * 1024];
        let mut records = RecordReader::new();
        let mut reader: Option<(TicketReader, Instant)> = None;
        loop {
            handshake::send(&mut stream, &mut connection).await?;
            if reader.is_none() && !connection.is_handshaking() {
                reader = Some((self.reader(&connection)?, Instant::now() + TICKET));
            }
            if let Some((reader, _)) = &mut reader {
                while let Some((kind, fragment)) = records.record().map_err(|error| broken(&error))? {
                    if kind == APPLICATION_DATA {
                        reader.push(&fragment);
                    }
                }
                if !reader.tickets().is_empty() {
                    break;
                }
            }
            let until = reader.as_ref().map_or_else(|| Instant::now() + VISIT, |(_, until)| *until);
            let count = match tokio::time::timeout_at(until, stream.read(&mut buffer)).await {
                // Only after the handshake does silence say that no ticket comes.
                Err(_) if reader.is_none() => return Err(Trouble::new(Reason::TimedOut, "no answer in time")),
                Err(_) => break,
                Ok(count) => count.map_err(handshake::lost)?,
            };
            if count == 0 {
                return Err(Trouble::new(Reason::Refused, "the peer closed the connection before a ticket came"));
            }
            let bytes = buffer.get(..count).unwrap_or_default();
            records.push(bytes).map_err(|error| broken(&error))?;
            take(&mut connection, bytes)?;
        }
        connection.send_close_notify();
        // The end is a courtesy: what was to be seen has been seen.
        let _ = handshake::send(&mut stream, &mut connection).await;
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        let tickets = reader.map(|(reader, _)| reader.tickets().to_vec()).unwrap_or_default();
        Ok(Seen { resumed, tickets })
    }

    fn reader(&self, connection: &ClientConnection) -> Result<TicketReader, Trouble> {
        let secret = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let suite = connection.negotiated_cipher_suite().map(|suite| u16::from(suite.suite()));
        let reader = suite.and_then(|suite| TicketReader::new(suite, &secret));
        reader.ok_or_else(|| Trouble::new(Reason::Internal, "the records of the session cannot be read"))
    }
}

/// Gives the library what came, and throws away what the application would read.
fn take(connection: &mut ClientConnection, bytes: &[u8]) -> Result<(), Trouble> {
    let mut rest = bytes;
    let mut scratch = [0; 512];
    while !rest.is_empty() {
        let taken = connection.read_tls(&mut rest).map_err(handshake::lost)?;
        connection.process_new_packets().map_err(|error| handshake::refusal(&error))?;
        while connection.reader().read(&mut scratch).is_ok_and(|count| count > 0) {}
        if taken == 0 {
            return Err(Trouble::new(Reason::Refused, "the peer ended the session before a ticket came"));
        }
    }
    Ok(())
}

fn broken(error: &WireError) -> Trouble {
    Trouble::new(Reason::ProtocolViolation, error.to_string())
}

/// Keeps the secret of what the server sends. Its `Debug` tells nothing.
#[derive(Default)]
struct Keys(Mutex<Vec<u8>>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl KeyLog for Keys {
    fn log(&self, label: &str, _: &[u8], secret: &[u8]) {
        if label == "SERVER_TRAFFIC_SECRET_0" {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = secret.to_vec();
        }
    }
}
