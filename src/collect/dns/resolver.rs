//! Questions to a resolver. What could not be had is a trouble, and only a resolver's own word is "not there".

use crate::model::dns::Settings;
use crate::model::{Reason, Trouble};
use crate::net::{Dial, Random};
use crate::wire::dns::{self, Message, Name, Record, record};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long a resolver may take to answer a datagram, and an answer over a connection.
const DATAGRAM: Duration = Duration::from_secs(2);
const CONNECTION: Duration = Duration::from_secs(5);
/// How often each resolver is asked.
const TRIES: usize = 2;
/// The most resolvers of the system's that are asked.
const SERVERS: usize = 3;
/// The most questions for one target.
const QUESTIONS: u32 = 150;
/// The most names that one name may lead to in turn.
const ALIASES: usize = 8;
/// The system's list of resolvers, and the most of it that is read.
const SYSTEM: &str = "/etc/resolv.conf";
const SYSTEM_BYTES: usize = 64 * 1024;

/// A resolver's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name exists, with records of some kind or below it.
    pub exists: bool,
    /// The answer section.
    pub answers: Vec<Record>,
    /// The authority section.
    pub authorities: Vec<Record>,
}

impl Answer {
    /// The records of this name and kind.
    pub fn of(&self, name: &Name, kind: u16) -> Vec<Record> {
        self.answers.iter().filter(|record| record.name == *name && record.kind == kind).cloned().collect()
    }
}

/// What was found behind a name and its aliases.
#[derive(Clone, Debug)]
pub struct Found {
    /// The name at which the records stand: the last alias.
    pub name: Name,
    /// The name exists.
    pub exists: bool,
    /// The records; none where there are none of the kind.
    pub records: Vec<Record>,
    /// The names on the way, each an alias of the next; the first is the one that was asked for.
    pub aliases: Vec<Name>,
}

/// Asks the resolvers, keeps their answers, and gives up on them once none has answered.
pub struct Resolver<'a> {
    servers: Vec<SocketAddr>,
    dial: &'a dyn Dial,
    random: &'a dyn Random,
    known: Mutex<BTreeMap<(Name, u16), Result<Answer, Trouble>>>,
    asked: AtomicU32,
    dead: Mutex<Option<Trouble>>,
}

impl<'a> Resolver<'a> {
    /// The resolver of the settings, or those of the system.
    ///
    /// # Errors
    /// When the system names none.
    pub fn new(settings: &Settings, dial: &'a dyn Dial, random: &'a dyn Random) -> Result<Resolver<'a>, Trouble> {
        let servers = match settings.resolver {
            Some(server) => vec![server],
            None => system()?,
        };
        let (known, dead) = (Mutex::default(), Mutex::default());
        Ok(Resolver { servers, dial, random, known, asked: AtomicU32::new(0), dead })
    }

    /// The records of a name, through its aliases.
    ///
    /// # Errors
    /// When a question stays without an answer, or the aliases have no end.
    pub async fn find(&self, name: &Name, kind: u16) -> Result<Found, Trouble> {
        let mut aliases = vec![name.clone()];
        let mut at = name.clone();
        let mut answer = self.ask(&at, kind).await?;
        let mut asked = at.clone();
        loop {
            let records = answer.of(&at, kind);
            let alias = answer.of(&at, record::CNAME).first().and_then(record::target);
            match alias.filter(|_| records.is_empty() && kind != record::CNAME) {
                Some(next) if aliases.contains(&next) || aliases.len() > ALIASES => {
                    let detail = format!("the aliases of {name} have no end");
                    return Err(Trouble::new(Reason::ProtocolViolation, detail));
                }
                Some(next) => {
                    aliases.push(next.clone());
                    at = next;
                }
                // The answer holds the aliases that the resolver has followed itself; where they end without records,
                // it may have stopped there.
                None if records.is_empty() && at != asked => {
                    answer = self.ask(&at, kind).await?;
                    asked = at.clone();
                }
                None => return Ok(Found { name: at, exists: answer.exists || !records.is_empty(), records, aliases }),
            }
        }
    }

    /// One question.
    ///
    /// # Errors
    /// When no resolver answers, or answers with a failure.
    pub async fn ask(&self, name: &Name, kind: u16) -> Result<Answer, Trouble> {
        let key = (name.clone(), kind);
        if let Some(answer) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return answer.clone();
        }
        if let Some(trouble) = self.dead.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(trouble);
        }
        if self.asked.fetch_add(1, Ordering::Relaxed) >= QUESTIONS {
            let detail = format!("more than {QUESTIONS} questions to the resolver for one target");
            return Err(Trouble::new(Reason::TooLarge, detail));
        }
        let answer = self.try_all(name, kind).await;
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer.clone());
        answer
    }

    async fn try_all(&self, name: &Name, kind: u16) -> Result<Answer, Trouble> {
        let mut last = Trouble::new(Reason::Internal, "there is no resolver to ask");
        let mut heard = false;
        for _ in 0..TRIES {
            for &server in &self.servers {
                match self.try_one(server, name, kind).await {
                    Ok(message) => match judged(name, message) {
                        Ok(answer) => return Ok(answer),
                        // Another resolver may know better.
                        Err(trouble) => (heard, last) = (true, trouble),
                    },
                    Err(trouble) if heard => drop(trouble),
                    Err(trouble) => last = trouble,
                }
            }
            if heard {
                break;
            }
        }
        if !heard && matches!(last.reason, Reason::TimedOut | Reason::Refused | Reason::Unreachable) {
            last.detail = format!("the resolver gives no answer: {}", last.detail);
            *self.dead.lock().unwrap_or_else(PoisonError::into_inner) = Some(last.clone());
        }
        Err(last)
    }

    async fn try_one(&self, server: SocketAddr, name: &Name, kind: u16) -> Result<Message, Trouble> {
        let mut id = [0; 2];
        self.random.fill(&mut id);
        let id = u16::from_be_bytes(id);
        let query = dns::query(id, name, kind);
        let question = (name.clone(), kind);
        // What cannot be read may still be the answer: its head tells, and the fault is told then.
        let accepts = move |bytes: &[u8]| match Message::parse(bytes) {
            Ok(message) => answers(&message, id, &question),
            Err(_) => bytes.starts_with(&id.to_be_bytes()),
        };
        let bytes = self.dial.exchange(server, &query, &accepts, DATAGRAM).await?;
        let message = Message::parse(&bytes).map_err(|error| malformed(server, &error.to_string()))?;
        if !message.truncated {
            return Ok(message);
        }
        let whole = tokio::time::timeout(CONNECTION, self.connected(server, &query)).await;
        let late = |_| Trouble::new(Reason::TimedOut, format!("no whole answer from {server} over TCP"));
        let bytes = whole.map_err(late)??;
        let message = Message::parse(&bytes).map_err(|error| malformed(server, &error.to_string()))?;
        if message.truncated || !answers(&message, id, &(name.clone(), kind)) {
            return Err(malformed(server, "it does not answer the question over TCP"));
        }
        Ok(message)
    }

    async fn connected(&self, server: SocketAddr, query: &[u8]) -> Result<Vec<u8>, Trouble> {
        let broken = |error: std::io::Error| malformed(server, &format!("the connection broke: {error}"));
        let mut stream = self.dial.connect(server, CONNECTION).await?;
        let length = u16::try_from(query.len()).unwrap_or(u16::MAX);
        stream.write_all(&length.to_be_bytes()).await.map_err(broken)?;
        stream.write_all(query).await.map_err(broken)?;
        stream.flush().await.map_err(broken)?;
        let length = stream.read_u16().await.map_err(broken)?;
        let mut bytes = vec![0; usize::from(length)];
        stream.read_exact(&mut bytes).await.map_err(broken)?;
        Ok(bytes)
    }
}

fn answers(message: &Message, id: u16, question: &(Name, u16)) -> bool {
    message.id == id && message.is_answer && message.question.as_ref().is_none_or(|asked| asked == question)
}

fn malformed(server: SocketAddr, what: &str) -> Trouble {
    Trouble::new(Reason::ProtocolViolation, format!("the answer of {server} is not to be used: {what}"))
}

/// What an answer means.
fn judged(name: &Name, message: Message) -> Result<Answer, Trouble> {
    let trouble = |reason, what: &str| Err(Trouble::new(reason, format!("the resolver {what} for {name}")));
    match message.code {
        0 | 3 => {
            let internet = |records: Vec<Record>| records.into_iter().filter(|record| record.class == 1).collect();
            Ok(Answer {
                exists: message.code == 0,
                answers: internet(message.answers),
                authorities: internet(message.authorities),
            })
        }
        2 => trouble(Reason::Unreachable, "reports a failure (SERVFAIL)"),
        5 => trouble(Reason::Refused, "refuses an answer (REFUSED)"),
        code => trouble(Reason::ProtocolViolation, &format!("answers with code {code}")),
    }
}

/// The resolvers that the system uses.
fn system() -> Result<Vec<SocketAddr>, Trouble> {
    let unreadable = |why: String| Trouble::new(Reason::Unreachable, format!("no resolver is known: {SYSTEM} {why}"));
    let bytes = std::fs::read(SYSTEM).map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    let text = String::from_utf8_lossy(bytes.get(..bytes.len().min(SYSTEM_BYTES)).unwrap_or_default()).into_owned();
    let servers = servers(&text);
    if servers.is_empty() { Err(unreadable("names none".to_owned())) } else { Ok(servers) }
}

fn servers(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let addresses = lines.filter_map(|rest| rest.split_ascii_whitespace().next()?.parse::<IpAddr>().ok());
    addresses.map(|ip| SocketAddr::new(ip, 53)).take(SERVERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolvers_of_the_system_are_read() {
        let text = "# comment\nsearch a.example\nnameserver 192.0.2.1\nnameserver\t::1 # own\nnameserver fe80::1%eth0\noptions edns0";
        assert_eq!(servers(text), ["192.0.2.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
    }
}
