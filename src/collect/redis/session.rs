//! The one session with a server of Redis or Valkey: commands that read, answers within bounds.

use crate::collect::answer::clean;
use crate::collect::direct::{Entry, Knock, STEP};
use crate::collect::limit::{self, Limit};
use crate::collect::{CollectContext, Secret};
use crate::model::{Fact, Reason, Trouble};
use crate::net::Stream;
use crate::wire::WireError;
use crate::wire::resp::{Problem, Reader, Value, command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

/// The most bytes that one connection may receive.
const SESSION: usize = 16 << 20;
/// Time for the answers to one batch of commands.
const ANSWER: Duration = Duration::from_secs(7);

/// A connection whose server waits.
struct Connection {
    stream: Box<dyn Stream>,
    reader: Reader,
    received: usize,
}

/// Why there is no answer.
enum Fault {
    Broken(std::io::ErrorKind),
    Wire(WireError),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::Broken(error.kind())
    }
}

impl Connection {
    fn new(stream: Box<dyn Stream>) -> Connection {
        Connection { stream, reader: Reader::new(), received: 0 }
    }

    /// Sends these commands together, and takes as many answers.
    async fn ask(&mut self, commands: &[Vec<&[u8]>]) -> Result<Vec<Value>, Fault> {
        let bytes: Vec<u8> = commands.iter().flat_map(|words| command(words)).collect();
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await?;
        let mut answers = Vec::with_capacity(commands.len());
        let mut buffer = vec![0; 16 * 1024];
        while answers.len() < commands.len() {
            match self.reader.value().map_err(Fault::Wire)? {
                Some(value) => answers.push(value),
                None => {
                    let count = self.stream.read(&mut buffer).await?;
                    if count == 0 {
                        return Err(Fault::Broken(std::io::ErrorKind::UnexpectedEof));
                    }
                    self.received = self.received.saturating_add(count);
                    if self.received > SESSION {
                        return Err(Fault::Wire(WireError::TooLarge("answers of Redis")));
                    }
                    self.reader.push(buffer.get(..count).unwrap_or_default());
                }
            }
        }
        Ok(answers)
    }
}

/// Asks a connection in clear and without credentials for a sign of life.
pub async fn knock(stream: Box<dyn Stream>) -> Result<Option<Knock>, Trouble> {
    let mut connection = Connection::new(stream);
    let asked = tokio::time::timeout(STEP, connection.ask(&[vec![b"PING"]])).await;
    let _ = connection.stream.shutdown().await;
    let answer = match asked {
        Ok(Ok(mut answers)) => answers.pop(),
        Ok(Err(_)) => None,
        Err(_) => return Err(Trouble::new(Reason::TimedOut, "a PING without TLS was not answered in time")),
    };
    let knock = |word, seen: &str| Ok(Some(Knock { word, seen: seen.to_owned() }));
    match answer {
        None => Ok(None),
        Some(Value::Error(Problem::NoAuth)) => {
            knock("asked", "a PING in clear was answered by the request for a login; none was sent")
        }
        // The account `default` needs no password, and may do less than a PING.
        Some(Value::Error(Problem::NoPermission)) => {
            knock("accepted", "a command in clear and without a login was taken as the account default's")
        }
        Some(Value::Text(_)) => knock("accepted", "a PING in clear and without a login was answered"),
        Some(Value::Error(Problem::Protected)) => {
            knock("refused", "protected mode sends clients of other machines away, since there is no password")
        }
        Some(Value::Error(problem)) => Err(refusal(problem, "PING")),
        Some(_) => Ok(None),
    }
}

/// A session that may ask.
pub struct Session<'a> {
    connection: Mutex<Connection>,
    cx: &'a CollectContext,
    lost: AtomicBool,
    /// Our own account.
    pub account: String,
}

impl<'a> Session<'a> {
    /// Logs in, where there is a password; without one the server must be open to everybody.
    pub async fn open(
        cx: &'a CollectContext,
        entry: Entry,
        user: Option<&str>,
        password: Option<Secret>,
    ) -> Result<Session<'a>, Trouble> {
        let account = user.unwrap_or("default");
        let session = Session {
            connection: Mutex::new(Connection::new(entry.stream)),
            cx,
            lost: AtomicBool::new(false),
            account: clean(account),
        };
        match password {
            Some(Secret(password)) => {
                let words: Vec<&[u8]> = match user {
                    Some(user) => vec![b"AUTH", user.as_bytes(), password.as_bytes()],
                    None => vec![b"AUTH", password.as_bytes()],
                };
                session.value(words, "AUTH").await?;
            }
            None if user.is_some_and(|user| user != "default") => {
                return Err(Trouble::new(Reason::AuthenticationFailed, "no password is given for this target's user"));
            }
            None => match session.value(vec![b"PING"], "PING").await {
                // It may not even ask for this, but needed no login to be told so.
                Err(trouble) if trouble.reason == Reason::PermissionDenied => {}
                other => {
                    other?;
                }
            },
        }
        Ok(session)
    }

    /// The answers to these commands, each of which may be an error of the server's.
    pub async fn ask(&self, commands: &[Vec<&[u8]>]) -> Result<Vec<Value>, Trouble> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(Trouble::new(Reason::TimedOut, "not asked, since an earlier command was never answered"));
        }
        let limit = Limit::new(ANSWER, "the answer to a command");
        let asked = limit::run(self.cx, limit, async { self.connection.lock().await.ask(commands).await }).await;
        let asked = asked.and_then(|answers| answers.map_err(|fault| trouble(&fault)));
        // After any fault nothing more is to be read from this connection.
        self.lost.fetch_or(asked.is_err(), Ordering::Relaxed);
        asked
    }

    /// The answer to one command, whose name is told where it is refused.
    pub async fn value(&self, words: Vec<&[u8]>, name: &str) -> Result<Value, Trouble> {
        match self.ask(&[words]).await?.pop() {
            Some(Value::Error(problem)) => Err(refusal(problem, name)),
            Some(value) => Ok(value),
            None => Err(Trouble::new(Reason::Internal, "an answer is missing")),
        }
    }

    /// A fact from an answer, or the reason why it is unknown with the right that would show it.
    pub fn fact<T>(&self, answer: Result<T, Trouble>, right: &str) -> Fact<T> {
        crate::collect::answer::fact(answer, &self.grant(right))
    }

    /// The words that follow the reason why something is unknown.
    pub fn grant(&self, right: &str) -> String {
        format!("ACL SETUSER {} +{right} would show it", self.account)
    }

    /// Closes the connection.
    pub async fn close(self) {
        let mut connection = self.connection.into_inner();
        let _ = tokio::time::timeout(Duration::from_secs(2), connection.stream.shutdown()).await;
    }
}

fn trouble(fault: &Fault) -> Trouble {
    match fault {
        Fault::Broken(std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset) => {
            Trouble::new(Reason::Refused, "the server closed the connection")
        }
        Fault::Broken(kind) => Trouble::new(Reason::Refused, format!("the connection broke: {kind}")),
        Fault::Wire(WireError::TooLarge(what)) => {
            Trouble::new(Reason::TooLarge, format!("the server sent more than is taken ({what})"))
        }
        Fault::Wire(_) => Trouble::new(Reason::ProtocolViolation, "the server does not speak the protocol of Redis"),
    }
}

/// What an error of the server's means. Its own words are left out: they can hold names and values.
pub fn refusal(problem: Problem, command: &str) -> Trouble {
    let (reason, words) = match problem {
        Problem::NoAuth => (Reason::AuthenticationFailed, "the server asks for a login, and no password is given"),
        Problem::WrongPass => (Reason::AuthenticationFailed, "the server does not accept the user or the password"),
        Problem::NoPermission => {
            return Trouble::new(Reason::PermissionDenied, format!("the audit account may not run {command}"));
        }
        Problem::Protected => (Reason::Refused, "protected mode sends this machine away"),
        Problem::UnknownCommand => {
            let words = format!("the server has no command {command}: it is older, or its provider took it away");
            return Trouble::new(Reason::Unsupported, words);
        }
        Problem::Full => (Reason::Refused, "the server has no connection left"),
        Problem::Busy => (Reason::Refused, "the server cannot answer now: it is loading, busy or without its source"),
        Problem::Other => return Trouble::new(Reason::Refused, format!("the server refused {command}")),
    };
    Trouble::new(reason, words)
}
