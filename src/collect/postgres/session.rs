//! The one session with a server: read-only, bounded, and ended with a farewell.

use super::channel::Made;
use super::limit::{self, Excess, Guard, Limit};
pub use crate::collect::answer::{Row, clean, fact, number, text};
use crate::collect::{CollectContext, Secret};
use crate::model::{Reason, Trouble};
use crate::net::Stream;
use futures_util::TryStreamExt as _;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

/// Time for a login.
const LOGIN: Duration = Duration::from_secs(10);
/// Time for one query: a little more than the server is told to take at most.
const QUERY: Duration = Duration::from_secs(7);
/// Time for a farewell, and for the way of a cancellation.
const FAREWELL: Duration = Duration::from_secs(2);
/// What the session may do, said with the login itself.
const OPTIONS: &str = "-c default_transaction_read_only=on -c statement_timeout=5000 -c lock_timeout=200 \
                       -c idle_in_transaction_session_timeout=15000 -c search_path=pg_catalog";
/// The most rows that are taken of one answer; one more says that there were more.
pub const ROWS: usize = 5000;

/// Opens a further channel to the same server, for a cancellation.
pub type Reopen<'a> = &'a (dyn Fn() -> crate::net::Dialing<'a, (Box<dyn Stream>, Made)> + Send + Sync);

/// A session that is logged in.
pub struct Session<'a> {
    /// The driver's client, for those who ask queries of their own and bound them themselves.
    pub client: Client,
    driver: Driver,
    cx: &'a CollectContext,
    reopen: Reopen<'a>,
    lost: AtomicBool,
}

/// The task that moves the session's bytes; it ends with the session, answered or not.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Who logs in, and where.
pub struct Login<'a> {
    /// The role.
    pub user: &'a str,
    /// The database.
    pub database: &'a str,
    /// The password.
    pub password: Option<Secret>,
}

impl<'a> Session<'a> {
    /// Logs in over a channel that may have the password.
    pub async fn open(
        cx: &'a CollectContext,
        stream: Box<dyn Stream>,
        made: Made,
        login: Login<'_>,
        reopen: Reopen<'a>,
    ) -> Result<Session<'a>, Trouble> {
        let mut config = Config::new();
        config.user(login.user).dbname(login.database).application_name("probity").options(OPTIONS);
        // The channel is made already, be it TLS or not: the driver negotiates nothing.
        config.ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        if let Some(Secret(password)) = login.password {
            config.password(password);
        }
        let connecting = config.connect_raw(Guard::new(stream), made);
        let (client, connection) =
            limit::run(cx, Limit::new(LOGIN, "the login"), connecting).await?.map_err(|error| login_trouble(&error))?;
        let driver = tokio::spawn(async move {
            // Its error reaches us through each query as well.
            let _ = connection.await;
        });
        Ok(Session { client, driver: Driver(driver), cx, reopen, lost: AtomicBool::new(false) })
    }

    /// The rows of an answer as texts.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Row>, Trouble> {
        self.bounded(Limit::new(QUERY, "the answer to a query"), self.ask(sql)).await?
    }

    /// Runs what asks through [`Session::client`]; where it is not done in time, the session is of no more use.
    pub async fn bounded<T>(&self, limit: Limit<'_>, asking: impl Future<Output = T>) -> Result<T, Trouble> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(Trouble::new(Reason::TimedOut, "not asked, since an earlier query was never answered"));
        }
        let asked = limit::run(self.cx, limit, asking).await;
        if asked.is_err() {
            self.lost.store(true, Ordering::Relaxed);
            self.cancel().await;
        }
        asked
    }

    /// The only row of an answer.
    pub async fn row(&self, sql: &str) -> Result<Row, Trouble> {
        let rows = self.rows(sql).await?;
        let row = rows.into_iter().next();
        row.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "a query that gives one row gave none"))
    }

    /// The only value of an answer.
    pub async fn value(&self, sql: &str) -> Result<String, Trouble> {
        text(&self.row(sql).await?, 0)
    }

    async fn ask(&self, sql: &str) -> Result<Vec<Row>, Trouble> {
        let stream = self.client.simple_query_raw(sql).await.map_err(|error| trouble(&error))?;
        let mut stream = std::pin::pin!(stream);
        let mut rows = Vec::new();
        while let Some(message) = stream.try_next().await.map_err(|error| trouble(&error))? {
            if let SimpleQueryMessage::Row(row) = message {
                if rows.len() > ROWS {
                    return Err(Trouble::new(Reason::TooLarge, "a query gave more rows than are taken"));
                }
                let value = |index| row.try_get(index).map(|text: Option<&str>| text.map(str::to_owned));
                let row: Result<Row, _> = (0..row.len()).map(value).collect();
                rows.push(row.map_err(|error| trouble(&error))?);
            }
        }
        Ok(rows)
    }

    /// Asks the server to stop what it does for us: giving up here does not stop it there.
    async fn cancel(&self) {
        let token = self.client.cancel_token();
        let _ = tokio::time::timeout(FAREWELL, async {
            if let Ok((stream, made)) = (self.reopen)().await {
                let _ = token.cancel_query_raw(stream, made).await;
            }
        })
        .await;
    }

    /// Says farewell, and waits until the connection is closed.
    pub async fn close(self) {
        let Session { client, mut driver, .. } = self;
        drop(client);
        let _ = tokio::time::timeout(FAREWELL, &mut driver.0).await;
    }
}

/// A yes or no of a row.
pub fn yes(row: &Row, index: usize) -> Result<bool, Trouble> {
    match text(row, index)?.as_str() {
        "t" => Ok(true),
        "f" => Ok(false),
        _ => Err(Trouble::new(Reason::ProtocolViolation, "an answer has no yes or no where one must be")),
    }
}

/// What an error at the login means. The server's own words are left out: they can hold names and more.
fn login_trouble(error: &tokio_postgres::Error) -> Trouble {
    let Some(code) = error.code() else { return connection_trouble(error, "the login") };
    let (reason, detail) = if *code == SqlState::INVALID_PASSWORD {
        (Reason::AuthenticationFailed, "the server does not accept the user or the password")
    } else if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        (
            Reason::AuthenticationFailed,
            "the server's rules do not admit this user from here, or the role may not log in",
        )
    } else if *code == SqlState::INVALID_CATALOG_NAME {
        (Reason::Unreachable, "the server has no database of this name")
    } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        (Reason::PermissionDenied, "the role may not connect to the database: its owner can grant CONNECT on it")
    } else if *code == SqlState::TOO_MANY_CONNECTIONS {
        (Reason::Refused, "the server has no connection left")
    } else if *code == SqlState::CANNOT_CONNECT_NOW {
        (Reason::Refused, "the server is starting up or shutting down")
    } else {
        (Reason::Refused, "the server refused the login")
    };
    Trouble::new(reason, format!("{detail} (SQLSTATE {})", code.code().chars().take(5).collect::<String>()))
}

/// What an error of a query means, likewise without the server's words.
pub fn trouble(error: &tokio_postgres::Error) -> Trouble {
    let Some(code) = error.code() else { return connection_trouble(error, "a query") };
    let (reason, detail) = if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        (Reason::PermissionDenied, "the audit role may not read this")
    } else if *code == SqlState::QUERY_CANCELED {
        (Reason::TimedOut, "the server stopped a query that took too long")
    } else if *code == SqlState::LOCK_NOT_AVAILABLE {
        (Reason::TimedOut, "what a query reads was locked")
    } else if code.code().starts_with("57P") {
        (Reason::Refused, "the server ended the session")
    } else if code.code().starts_with("42") || code.code().starts_with("3F") {
        (Reason::Unsupported, "this version of the server does not have what was asked for")
    } else {
        (Reason::Refused, "the server refused a query")
    };
    Trouble::new(reason, format!("{detail} (SQLSTATE {})", code.code().chars().take(5).collect::<String>()))
}

fn connection_trouble(error: &tokio_postgres::Error, place: &str) -> Trouble {
    let broken = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
    if let Some(broken) = broken {
        return match broken.kind() {
            std::io::ErrorKind::InvalidData if broken.get_ref().is_some_and(|inner| inner.is::<Excess>()) => {
                Trouble::new(Reason::TooLarge, broken.to_string())
            }
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => Trouble::new(
                Reason::ProtocolViolation,
                format!("the server does not speak PostgreSQL's protocol at {place}"),
            ),
            kind => Trouble::new(Reason::Refused, format!("the connection broke at {place}: {kind}")),
        };
    }
    if error.is_closed() {
        return Trouble::new(Reason::Refused, format!("the server closed the connection at {place}"));
    }
    let words = error.to_string();
    // The driver tells its kinds by a fixed beginning alone.
    if words.starts_with("invalid configuration") {
        Trouble::new(Reason::AuthenticationFailed, "the server asks for a password and none is given for this target")
    } else if words.starts_with("authentication error") {
        Trouble::new(
            Reason::AuthenticationFailed,
            "the server could not prove that it knows the password, or asks for a method that is not supported",
        )
    } else {
        Trouble::new(Reason::ProtocolViolation, format!("the server broke the rules of its protocol at {place}"))
    }
}
