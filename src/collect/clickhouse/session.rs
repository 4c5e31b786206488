//! The one session with a server of ClickHouse, by its HTTP interface: queries that read, answers within bounds.
//!
//! Each query is a GET, to which the server lets nothing be written.

use crate::collect::answer::{Row, clean};
use crate::collect::direct::{Entry, Knock, STEP};
use crate::collect::limit::{self, Limit};
use crate::collect::{CollectContext, Secret};
use crate::model::{Reason, Trouble};
use crate::net::Stream;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// The most bytes of one answer.
const BODY: usize = 4 << 20;
/// Time for the answer to a query.
const ANSWER: Duration = Duration::from_secs(7);

/// A connection whose server waits.
struct Connection {
    sender: SendRequest<Empty<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What came back.
enum Reply {
    /// The body of an answer that went well.
    Body(Vec<u8>),
    /// An exception of the server's, by its number. Its words can hold names and values, and are dropped.
    Exception(u32),
    /// Something that is not of ClickHouse, with its status.
    Other(u16),
}

/// Who asks.
struct Login {
    user: String,
    password: Secret,
}

impl Connection {
    async fn open(stream: Box<dyn Stream>) -> Result<Connection, Trouble> {
        let opened =
            http1::Builder::new().max_headers(100).max_buf_size(64 * 1024).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = opened.map_err(|error| broken(&error))?;
        let driver = tokio::spawn(async move {
            // What goes wrong is told to whoever waits for an answer.
            let _ = connection.await;
        });
        Ok(Connection { sender, driver })
    }

    async fn ask(&mut self, host: &str, login: Option<&Login>, query: &str) -> Result<Reply, Trouble> {
        let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let mut request = Request::get(format!("/?query={query}")).header("host", host);
        if let Some(login) = login {
            request = request.header("X-ClickHouse-User", &login.user).header("X-ClickHouse-Key", &login.password.0);
        }
        let request = request.body(Empty::new()).map_err(|_| {
            Trouble::new(Reason::AuthenticationFailed, "the user or the password has characters that HTTP cannot carry")
        })?;
        self.sender.ready().await.map_err(|error| broken(&error))?;
        let answer = self.sender.send_request(request).await.map_err(|error| broken(&error))?;
        let (head, body) = answer.into_parts();
        let body =
            Limited::new(body, BODY).collect().await.map_err(|error| match error.downcast_ref::<hyper::Error>() {
                Some(error) => broken(error),
                None => Trouble::new(Reason::TooLarge, format!("an answer of more than {} MiB", BODY >> 20)),
            })?;
        let body = body.to_bytes();
        if head.status == StatusCode::OK {
            return Ok(Reply::Body(body.to_vec()));
        }
        // Older versions tell the number in the text alone.
        let told = head.headers.get("x-clickhouse-exception-code").and_then(|code| code.to_str().ok());
        let text = String::from_utf8_lossy(body.get(..200).unwrap_or(&body));
        let written =
            text.strip_prefix("Code: ").and_then(|rest| rest.split(|letter: char| !letter.is_ascii_digit()).next());
        Ok(match told.or(written).and_then(|code| code.trim().parse().ok()) {
            Some(code) => Reply::Exception(code),
            None => Reply::Other(head.status.as_u16()),
        })
    }
}

/// Asks a connection in clear and without credentials for one row.
pub async fn knock(stream: Box<dyn Stream>) -> Result<Option<Knock>, Trouble> {
    let asked = tokio::time::timeout(STEP, async {
        Connection::open(stream).await?.ask("localhost", None, "SELECT 1 FORMAT TabSeparated").await
    });
    let knock = |word, seen: &str| Ok(Some(Knock { word, seen: seen.to_owned() }));
    match asked.await {
        Err(_) => Err(Trouble::new(Reason::TimedOut, "a query without TLS was not answered in time")),
        Ok(Ok(Reply::Body(body))) if body == b"1\n" => {
            knock("accepted", "a query in clear and without a login was answered as the account default's")
        }
        Ok(Ok(Reply::Exception(192..=195 | 516))) => {
            knock("asked", "a query in clear was answered by the request for a login; none was sent")
        }
        Ok(Ok(Reply::Exception(497 | 164))) => {
            knock("accepted", "a query in clear and without a login was taken as the account default's")
        }
        Ok(Ok(Reply::Exception(code))) => Err(refusal(code, "SELECT 1")),
        // Not of ClickHouse, or of no HTTP at all.
        Ok(Ok(Reply::Body(_) | Reply::Other(_)) | Err(_)) => Ok(None),
    }
}

/// A session that may ask.
pub struct Session<'a> {
    connection: Mutex<Connection>,
    cx: &'a CollectContext,
    host: String,
    login: Option<Login>,
    lost: AtomicBool,
    /// Our own account.
    pub account: String,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Vec<Option<String>>>,
}

impl<'a> Session<'a> {
    /// Logs in; without a user as the account `default`.
    pub async fn open(
        cx: &'a CollectContext,
        entry: Entry,
        host: &str,
        user: Option<&str>,
        password: Option<Secret>,
    ) -> Result<Session<'a>, Trouble> {
        let login = match (user, password) {
            (Some(user), Some(password)) => Some(Login { user: user.to_owned(), password }),
            (Some(_), None) => {
                return Err(Trouble::new(Reason::AuthenticationFailed, "no password is given for this target's user"));
            }
            (None, _) => None,
        };
        let opened = limit::run(cx, Limit::new(STEP, "a connection"), Connection::open(entry.stream)).await??;
        let session = Session {
            connection: Mutex::new(opened),
            cx,
            // An address of version six is written in brackets here.
            host: if host.contains(':') { format!("[{host}]") } else { host.to_owned() },
            login,
            lost: AtomicBool::new(false),
            account: clean(user.unwrap_or("default")),
        };
        session.rows("SELECT toString(1)", "SELECT").await?;
        Ok(session)
    }

    /// The rows of a query whose columns are texts, or null.
    pub async fn rows(&self, query: &str, name: &str) -> Result<Vec<Row>, Trouble> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(Trouble::new(Reason::TimedOut, "not asked, since an earlier query was never answered"));
        }
        let query = format!("{query} FORMAT JSONCompact");
        let asked = async { self.connection.lock().await.ask(&self.host, self.login.as_ref(), &query).await };
        let asked =
            limit::run(self.cx, Limit::new(ANSWER, "the answer to a query"), asked).await.and_then(|reply| reply);
        // After any fault nothing more is to be read from this connection.
        self.lost.fetch_or(asked.is_err(), Ordering::Relaxed);
        match asked? {
            Reply::Exception(code) => Err(refusal(code, name)),
            Reply::Other(status) => Err(Trouble::new(
                Reason::ProtocolViolation,
                format!("the server does not answer as ClickHouse does (status {status})"),
            )),
            // An exception in the middle of an answer is text behind the rows: then it is no JSON.
            Reply::Body(body) => serde_json::from_slice::<Answer>(&body)
                .map(|answer| answer.data)
                .map_err(|_| Trouble::new(Reason::ProtocolViolation, format!("the answer to {name} has another form"))),
        }
    }

    /// The first row of a query.
    pub async fn row(&self, query: &str, name: &str) -> Result<Row, Trouble> {
        let row = self.rows(query, name).await?.into_iter().next();
        row.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, format!("the answer to {name} has no row")))
    }

    /// The words that follow the reason why something is unknown.
    pub fn grant(&self, right: &str) -> String {
        format!("GRANT {right} TO {} would show it", self.account)
    }
}

fn broken(error: &hyper::Error) -> Trouble {
    match () {
        () if error.is_parse() || error.is_parse_status() => {
            Trouble::new(Reason::ProtocolViolation, "the server does not speak HTTP on this port")
        }
        () => Trouble::new(Reason::Refused, "the server closed the connection"),
    }
}

/// What an exception of the server's means.
fn refusal(code: u32, name: &str) -> Trouble {
    let (reason, words) = match code {
        192..=194 | 516 => {
            (Reason::AuthenticationFailed, "the server does not accept the user or the password".to_owned())
        }
        195 => (Reason::AuthenticationFailed, "the account may not log in from this machine".to_owned()),
        164 | 291 | 497 => (Reason::PermissionDenied, format!("the audit account may not read {name}")),
        36 | 46 | 47 | 60 | 81 | 115 => {
            (Reason::Unsupported, format!("the server has no {name}: it is older, or set up without"))
        }
        170 | 701 => (Reason::Unsupported, format!("the server has no {name}")),
        159 | 160 | 209 => (Reason::TimedOut, format!("the server did not end the query of {name} in time")),
        202 | 241 | 439 => (Reason::Refused, format!("the server has no room for the query of {name} now")),
        code => (Reason::Refused, format!("the server refused the query of {name} (code {code})")),
    };
    Trouble::new(reason, words)
}
