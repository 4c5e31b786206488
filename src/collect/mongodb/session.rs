//! The one session with a server of MongoDB: commands that read, answers within bounds.

use super::scram::{self, Client};
use crate::collect::direct::{Entry, Knock, STEP};
use crate::collect::limit::{self, Limit};
use crate::collect::{CollectContext, Secret};
use crate::model::{Fact, Reason, Trouble};
use crate::net::Stream;
use crate::wire::WireError;
use crate::wire::op_msg::{Reader, command};
use bson::spec::BinarySubtype;
use bson::{RawBsonRef, RawDocument, RawDocumentBuf, rawdoc};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Mutex;

/// The most bytes that one connection may receive.
const SESSION: usize = 16 << 20;
/// Time for the answer to a command.
const ANSWER: Duration = Duration::from_secs(7);
/// How long the server itself may work on a command, in milliseconds.
const WORK: i32 = 5_000;
/// Where accounts that see the whole server are kept.
const ADMIN: &str = "admin";

/// A connection whose server waits.
struct Connection {
    stream: Box<dyn Stream>,
    reader: Reader,
    received: usize,
    sent: u32,
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
        Connection { stream, reader: Reader::new(), received: 0, sent: 0 }
    }

    /// Sends a command, and takes its answer.
    async fn ask(&mut self, document: &RawDocument) -> Result<RawDocumentBuf, Fault> {
        self.sent = self.sent.wrapping_add(1);
        self.stream.write_all(&command(self.sent, document)).await?;
        self.stream.flush().await?;
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match self.reader.message().map_err(Fault::Wire)? {
                Some((id, answer)) if id == self.sent => return Ok(answer),
                Some(_) => return Err(Fault::Wire(WireError::Malformed("answer of MongoDB"))),
                None => {
                    let count = self.stream.read(&mut buffer).await?;
                    if count == 0 {
                        return Err(Fault::Broken(std::io::ErrorKind::UnexpectedEof));
                    }
                    self.received = self.received.saturating_add(count);
                    if self.received > SESSION {
                        return Err(Fault::Wire(WireError::TooLarge("answers of MongoDB")));
                    }
                    self.reader.push(buffer.get(..count).unwrap_or_default());
                }
            }
        }
    }
}

/// Asks for the names of the databases that are named with nothing: the answer is empty, and only whoever may ask gets it.
fn listing() -> RawDocumentBuf {
    rawdoc! { "listDatabases": 1, "nameOnly": true, "filter": { "name": "" }, "$db": ADMIN }
}

/// Asks a connection in clear and without credentials for something that needs a login.
pub async fn knock(stream: Box<dyn Stream>) -> Result<Option<Knock>, Trouble> {
    let mut connection = Connection::new(stream);
    let asked = tokio::time::timeout(STEP, connection.ask(&listing())).await;
    let _ = connection.stream.shutdown().await;
    let knock = |word, seen: &str| Ok(Some(Knock { word, seen: seen.to_owned() }));
    match asked.map(|answer| answer.map(|answer| judge(&answer, "listDatabases"))) {
        Err(_) => Err(Trouble::new(Reason::TimedOut, "a question without TLS was not answered in time")),
        // A server that takes TLS alone hangs up.
        Ok(Err(_)) => Ok(None),
        Ok(Ok(Ok(()))) => knock("accepted", "a question in clear that needs an account was answered without a login"),
        Ok(Ok(Err(trouble))) if trouble.reason == Reason::PermissionDenied => {
            knock("asked", "a question in clear was answered by the request for a login; none was sent")
        }
        Ok(Ok(Err(trouble))) => Err(trouble),
    }
}

/// A session that may ask.
pub struct Session<'a> {
    connection: Mutex<Connection>,
    cx: &'a CollectContext,
    lost: AtomicBool,
    /// What needs an account is answered without a login.
    pub open: Fact<bool>,
}

impl<'a> Session<'a> {
    /// Logs in, where there is a password; without one the server must be open to everybody.
    pub async fn open(
        cx: &'a CollectContext,
        entry: Entry,
        user: Option<&str>,
        password: Option<Secret>,
    ) -> Result<Session<'a>, Trouble> {
        let mut session = Session {
            connection: Mutex::new(Connection::new(entry.stream)),
            cx,
            lost: AtomicBool::new(false),
            open: Fact::unknown("not asked"),
        };
        let open = match session.ask(&listing(), "listDatabases").await {
            Ok(_) => true,
            Err(trouble) if trouble.reason == Reason::PermissionDenied => false,
            Err(trouble) => return Err(trouble),
        };
        session.open = Fact::Known(open);
        match (user, password) {
            (Some(user), Some(password)) => session.login(user, &password).await?,
            (Some(_), None) => {
                return Err(Trouble::new(Reason::AuthenticationFailed, "no password is given for this target's user"));
            }
            (None, _) if !open => {
                return Err(Trouble::new(
                    Reason::AuthenticationFailed,
                    "the server asks for a login, and no user is given",
                ));
            }
            (None, _) => {}
        }
        Ok(session)
    }

    async fn login(&self, user: &str, password: &Secret) -> Result<(), Trouble> {
        let mut random = [0; 18];
        self.cx.random.fill(&mut random);
        let (client, first) = Client::new(user, random);
        let options = rawdoc! { "skipEmptyExchange": true };
        let start = rawdoc! {
            "saslStart": 1, "mechanism": scram::NAME, "payload": payload(&first), "options": options, "$db": ADMIN
        };
        let answer = self.ask(&start, "saslStart").await?;
        let (proven, last) = client.prove(password, &words(&answer)?)?;
        let follow = |text: &str| {
            let id = answer.get_i32("conversationId").unwrap_or(1);
            rawdoc! { "saslContinue": 1, "conversationId": id, "payload": payload(text), "$db": ADMIN }
        };
        let answer = self.ask(&follow(&last), "saslContinue").await?;
        proven.verify(&words(&answer)?)?;
        // Versions before 4.4 wait for one more, empty message.
        let done = answer.get_bool("done").unwrap_or(false)
            || self.ask(&follow(""), "saslContinue").await?.get_bool("done").unwrap_or(false);
        match done {
            true => Ok(()),
            false => Err(Trouble::new(Reason::ProtocolViolation, "the server does not end the login")),
        }
    }

    /// The answer to a command, whose name is told where it is refused.
    pub async fn ask(&self, document: &RawDocument, name: &str) -> Result<RawDocumentBuf, Trouble> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(Trouble::new(Reason::TimedOut, "not asked, since an earlier command was never answered"));
        }
        let limit = Limit::new(ANSWER, "the answer to a command");
        let asked = limit::run(self.cx, limit, async { self.connection.lock().await.ask(document).await }).await;
        let asked = asked.and_then(|answer| answer.map_err(|fault| trouble(&fault)));
        // After any fault nothing more is to be read from this connection.
        self.lost.fetch_or(asked.is_err(), Ordering::Relaxed);
        let answer = asked?;
        judge(&answer, name)?;
        Ok(answer)
    }

    /// The answer to a command on the database of administration, which the server works on for a bounded time.
    pub async fn admin(&self, mut document: RawDocumentBuf, name: &str) -> Result<RawDocumentBuf, Trouble> {
        document.append(bson::cstr!("maxTimeMS"), WORK);
        document.append(bson::cstr!("$db"), ADMIN);
        self.ask(&document, name).await
    }

    /// Closes the connection.
    pub async fn close(self) {
        let mut connection = self.connection.into_inner();
        let _ = tokio::time::timeout(Duration::from_secs(2), connection.stream.shutdown()).await;
    }
}

fn payload(text: &str) -> bson::Binary {
    bson::Binary { subtype: BinarySubtype::Generic, bytes: text.as_bytes().to_vec() }
}

fn words(answer: &RawDocument) -> Result<String, Trouble> {
    let payload = answer.get_binary("payload").map_err(|_| strange("saslStart"))?;
    String::from_utf8(payload.bytes.to_vec()).map_err(|_| strange("saslStart"))
}

/// An answer of another form.
pub fn strange(command: &str) -> Trouble {
    Trouble::new(Reason::ProtocolViolation, format!("the answer to {command} has another form"))
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
        Fault::Wire(_) => {
            Trouble::new(Reason::ProtocolViolation, "the server does not speak the protocol of MongoDB (OP_MSG)")
        }
    }
}

/// Whether a command went well. The server's own words are left out: they can hold names and values.
fn judge(answer: &RawDocument, command: &str) -> Result<(), Trouble> {
    let ok = match answer.get("ok") {
        Ok(Some(RawBsonRef::Double(ok))) => ok == 1.0,
        Ok(Some(RawBsonRef::Int32(ok))) => ok == 1,
        Ok(Some(RawBsonRef::Int64(ok))) => ok == 1,
        Ok(Some(RawBsonRef::Boolean(ok))) => ok,
        _ => return Err(strange(command)),
    };
    if ok {
        return Ok(());
    }
    let (reason, words) = match answer.get_i32("code").unwrap_or_default() {
        13 | 8000 => (Reason::PermissionDenied, format!("the audit account may not run {command}")),
        11 | 18 => (
            Reason::AuthenticationFailed,
            "the server does not accept the user or the password (SCRAM-SHA-256)".to_owned(),
        ),
        50 => (Reason::TimedOut, format!("the server did not end {command} in time")),
        59 => (Reason::Unsupported, format!("the server has no command {command}")),
        334 => (Reason::AuthenticationFailed, "the server does not offer a login by SCRAM-SHA-256".to_owned()),
        code => (Reason::Refused, format!("the server refused {command} (code {code})")),
    };
    Err(Trouble::new(reason, words))
}
