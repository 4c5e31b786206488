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
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

/// How long a ticket may take to come after the handshake.
const TICKET: Duration = Duration::from_secs(2);
/// What is kept of an answer: enough for the status of HTTP.
const ANSWER: usize = 12;
/// How long a handshake and its tickets may take.
const VISIT: Duration = Duration::from_secs(15);

/// What was seen of tickets.
pub struct Psk {
    /// `yes`, `issued-not-resumed`, `no`.
    pub resumed: Fact<String>,
    /// The tickets.
    pub tickets: Vec<Ticket>,
    /// What came of early data: `accepted`, `too-early`, `refused`, `not-applicable`.
    pub early: Fact<String>,
}

impl Psk {
    /// Without a session that could have shown more.
    pub fn without(resumed: Fact<String>) -> Psk {
        let early = match &resumed {
            Fact::Known(_) => Fact::Known("not-applicable".to_owned()),
            Fact::Unknown(why) => Fact::unknown(why.unknown.clone()),
        };
        Psk { resumed, tickets: Vec::new(), early }
    }
}

/// Makes a session, waits for a ticket, and makes another with it.
pub async fn look(prober: &Prober<'_>, server_name: &str) -> Psk {
    let ask = Ask {
        groups: Vec::new(),
        server_name: server_name.to_owned(),
        versions: Versions::Tls13,
        schemes: schemes_of(&KeyKind::ALL),
        alpn: match prober.cx.limits.early_data {
            // What is sent early is HTTP/1.1.
            true => vec!["http/1.1".to_owned()],
            false => prober.manner().alpn.iter().map(|name| (*name).to_owned()).collect(),
        },
    };
    let unknown = |trouble: Trouble| Psk::without(Fact::unknown(trouble.detail));
    let keys = Arc::new(Keys::default());
    let mut config = match handshake::config(&ask, Arc::new(Record::new(&ask.schemes))) {
        Ok(config) => config,
        Err(trouble) => return unknown(trouble),
    };
    config.resumption = Resumption::in_memory_sessions(2);
    config.key_log = Arc::clone(&keys) as Arc<dyn KeyLog>;
    config.enable_early_data = prober.cx.limits.early_data;
    let guest = Guest { prober, ask, config: Arc::new(config), keys };
    let first = match guest.visit("ticket of TLSv1.3", None).await {
        Ok(seen) => seen,
        Err(trouble) => return unknown(trouble),
    };
    let mut tickets = first.tickets;
    if tickets.is_empty() {
        return Psk::without(Fact::Known("no".to_owned()));
    }
    let allowed = tickets.iter().any(|ticket| ticket.early_data.is_some_and(|size| size > 0));
    let request = early_request(prober, server_name, allowed);
    let second = guest.visit("resumption of TLSv1.3", request.as_ref().ok().map(String::as_bytes)).await;
    let early = match (&request, &second) {
        (Err(instead), _) => instead.clone(),
        (Ok(_), Ok(seen)) => seen.early_fact(),
        (Ok(_), Err(trouble)) => Fact::unknown(trouble.detail.clone()),
    };
    let resumed = match second {
        Ok(second) => {
            tickets.extend(second.tickets);
            Fact::Known(if second.resumed { "yes" } else { "issued-not-resumed" }.to_owned())
        }
        Err(trouble) => Fact::unknown(trouble.detail),
    };
    Psk { resumed, tickets, early }
}

/// A request that changes nothing and says that it comes early (RFC 8470); or what is said in the place of sending it.
fn early_request(prober: &Prober<'_>, server_name: &str, allowed: bool) -> Result<String, Fact<String>> {
    if !allowed {
        return Err(Fact::Known("not-applicable".to_owned()));
    }
    if !prober.cx.limits.early_data {
        return Err(Fact::unknown("no early data was sent (--early-data)"));
    }
    if prober.upgrade.word().is_some() {
        return Err(Fact::unknown("the service is not HTTP, and early data that changes nothing is not known for it"));
    }
    // Not `Connection: close`: a server that answers early would close before it has read the end of the handshake, and
    // what it closes with unread bytes is reset, which can overtake the answer.
    Ok(format!("HEAD / HTTP/1.1\r\nHost: {server_name}\r\nEarly-Data: 1\r\n\r\n"))
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
    /// Early data was accepted.
    early: bool,
    /// The beginning of what the application answered.
    answer: Vec<u8>,
    /// The connection broke after the handshake, before the application had answered.
    cut: bool,
}

impl Seen {
    fn early_fact(&self) -> Fact<String> {
        let word = match (self.early, self.answer.get(8..12)) {
            (true, Some(b" 425")) => "too-early",
            // The protocol took it; what the application made of it did not arrive.
            (true, None) if self.cut => return Fact::unknown("the connection broke before early data was answered"),
            (true, _) => "accepted",
            (false, _) => "refused",
        };
        Fact::Known(word.to_owned())
    }
}

impl Guest<'_> {
    async fn visit(&self, step: &str, early: Option<&[u8]>) -> Result<Seen, Trouble> {
        if let Some(trouble) = self.prober.stopped() {
            return Err(trouble);
        }
        let look = async {
            let stream = self.prober.open().await?;
            let late =
                |_| Trouble::new(Reason::TimedOut, format!("the session did not end within {} s", VISIT.as_secs()));
            tokio::time::timeout(VISIT, self.drive(stream, early)).await.map_err(late)?
        };
        let outcome = self.prober.within(Box::pin(look)).await.and_then(|outcome| outcome);
        let received = match &outcome {
            Ok(seen) => {
                let how = if seen.resumed { "resumed" } else { "new" };
                let early = early.map_or_else(String::new, |_| {
                    let word = seen.early_fact();
                    format!(", early data {}", word.known().map_or("unanswered", String::as_str))
                });
                format!("session TLSv1.3, {how}, {} tickets{early}", seen.tickets.len())
            }
            Err(trouble) => trouble.detail.clone(),
        };
        self.prober.record_words("TLSv1.3 handshake that waits for tickets".to_owned(), received, step);
        outcome
    }

    /// Exchanges messages until a ticket has come, or none has for two seconds; where early data was accepted, until it
    /// is answered or two seconds have gone.
    async fn drive(&self, mut stream: Box<dyn Stream>, early: Option<&[u8]>) -> Result<Seen, Trouble> {
        let mut connection = handshake::connect(Arc::clone(&self.config), &self.ask)?;
        if let (Some(bytes), Some(mut writer)) = (early, connection.early_data()) {
            writer.write_all(bytes).map_err(handshake::lost)?;
        }
        let mut answer = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        let mut records = RecordReader::new();
        let mut reader: Option<(TicketReader, Instant)> = None;
        let mut cut = false;
        loop {
            let sent = handshake::send(&mut stream, &mut connection).await;
            // What was answered before the connection broke can still be read.
            if early.is_none() || connection.is_handshaking() {
                sent?;
            }
            if reader.is_none() && !connection.is_handshaking() {
                reader = Some((self.reader(&connection)?, Instant::now() + TICKET));
            }
            if let Some((reader, _)) = &mut reader {
                while let Some((kind, fragment)) = records.record().map_err(|error| broken(&error))? {
                    if kind == APPLICATION_DATA {
                        reader.push(&fragment);
                    }
                }
                let awaited = early.is_some() && connection.is_early_data_accepted() && answer.len() < ANSWER;
                if !reader.tickets().is_empty() && !awaited {
                    break;
                }
            }
            let until = reader.as_ref().map_or_else(|| Instant::now() + VISIT, |(_, until)| *until);
            let count = match tokio::time::timeout_at(until, stream.read(&mut buffer)).await {
                // Only after the handshake does silence say that no ticket comes.
                Err(_) if reader.is_none() => return Err(Trouble::new(Reason::TimedOut, "no answer in time")),
                Err(_) => break,
                Ok(Err(_)) if early.is_some() && reader.is_some() => {
                    cut = true;
                    break;
                }
                Ok(count) => count.map_err(handshake::lost)?,
            };
            if count == 0 && early.is_some() && reader.is_some() {
                cut = true;
                break;
            }
            if count == 0 {
                return Err(Trouble::new(Reason::Refused, "the peer closed the connection before a ticket came"));
            }
            let bytes = buffer.get(..count).unwrap_or_default();
            records.push(bytes).map_err(|error| broken(&error))?;
            if !take(&mut connection, bytes, &mut answer)? {
                break;
            }
        }
        connection.send_close_notify();
        // The end is a courtesy: what was to be seen has been seen.
        let _ = handshake::send(&mut stream, &mut connection).await;
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        let tickets = reader.map(|(reader, _)| reader.tickets().to_vec()).unwrap_or_default();
        Ok(Seen { resumed, tickets, early: connection.is_early_data_accepted(), answer, cut })
    }

    fn reader(&self, connection: &ClientConnection) -> Result<TicketReader, Trouble> {
        let secret = self.keys.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let suite = connection.negotiated_cipher_suite().map(|suite| u16::from(suite.suite()));
        let reader = suite.and_then(|suite| TicketReader::new(suite, &secret));
        reader.ok_or_else(|| Trouble::new(Reason::Internal, "the records of the session cannot be read"))
    }
}

/// Gives the library what came, and throws away what the application would read but its beginning. False where the peer
/// ended the session after it had answered.
fn take(connection: &mut ClientConnection, bytes: &[u8], answer: &mut Vec<u8>) -> Result<bool, Trouble> {
    let mut rest = bytes;
    let mut scratch = [0; 512];
    while !rest.is_empty() {
        let taken = connection.read_tls(&mut rest).map_err(handshake::lost)?;
        connection.process_new_packets().map_err(|error| handshake::refusal(&error))?;
        while let Ok(count @ 1..) = connection.reader().read(&mut scratch) {
            let room = ANSWER.saturating_sub(answer.len());
            answer.extend(scratch.iter().take(count.min(room)));
        }
        if taken == 0 && !answer.is_empty() {
            return Ok(false);
        }
        if taken == 0 {
            return Err(Trouble::new(Reason::Refused, "the peer ended the session before a ticket came"));
        }
    }
    Ok(true)
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
