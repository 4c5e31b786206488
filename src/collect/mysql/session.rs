//! The one session with a server: read-only, bounded, and ended with a farewell.

use super::connection::{self, Answer, Connection, Login};
use crate::collect::answer::{Row, clean, text};
use crate::collect::limit::{self, Limit};
use crate::collect::{CollectContext, Secret};
use crate::model::{Fact, Reason, Trouble};
use crate::wire::mysql::Greeting;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Mutex;

/// Time for a login.
const LOGIN: Duration = Duration::from_secs(10);
/// Time that the server may take for one query.
pub const QUERY: Duration = Duration::from_secs(5);
/// How much longer we wait than the server is told to take at most.
const ALLOWANCE: Duration = Duration::from_secs(2);
/// Time for a farewell, and for the way of a cancellation.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the session may do, and how it reads what we write. Each must hold, or nothing is asked.
const SETTINGS: [&str; 6] = [
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY",
    // Every statement is a transaction of its own; quotes and bars mean the same on every server; no answer is cut.
    "SET SESSION autocommit = 1, sql_mode = 'NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT', \
     sql_select_limit = 18446744073709551615",
    "SET SESSION lock_wait_timeout = 1, innodb_lock_wait_timeout = 1, wait_timeout = 30",
    "SET NAMES utf8mb4",
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION group_concat_max_len = 4096",
];

/// A connection over which a password may be sent, with the greeting that came on it.
pub struct Entry {
    /// The connection.
    pub connection: Connection,
    /// What the server said first.
    pub greeting: Greeting,
    /// It is inside TLS.
    pub tls: bool,
}

/// Opens a further connection to the same server, for a cancellation.
pub type Reopen<'a> = &'a (dyn Fn() -> crate::net::Dialing<'a, Entry> + Send + Sync);

/// A session that is logged in.
pub struct Session<'a> {
    connection: Mutex<Connection>,
    cx: &'a CollectContext,
    reopen: Reopen<'a>,
    user: &'a str,
    password: Secret,
    lost: AtomicBool,
    /// Time that the server was told to take for a query.
    time: Mutex<Duration>,
    thread: String,
    /// It is MariaDB.
    pub mariadb: bool,
    /// Its version.
    pub version: String,
    /// Our own account, as it is written in a GRANT.
    pub account: String,
}

impl<'a> Session<'a> {
    /// Logs in, and binds the session.
    pub async fn open(
        cx: &'a CollectContext,
        entry: Entry,
        user: &'a str,
        password: Option<Secret>,
        reopen: Reopen<'a>,
    ) -> Result<Session<'a>, Trouble> {
        let Entry { mut connection, greeting, tls } = entry;
        let password = password.unwrap_or_else(|| Secret(String::new()));
        let login = Login { user, password: &password.0, secure: tls };
        let logged_in = limit::run(cx, Limit::new(LOGIN, "the login"), connection.log_in(&greeting, &login, tls));
        logged_in.await?.map_err(|fault| connection::trouble(&fault, "the login"))?;
        let mut session = Session {
            connection: Mutex::new(connection),
            cx,
            reopen,
            user,
            password,
            lost: AtomicBool::new(false),
            time: Mutex::new(Duration::ZERO),
            thread: String::new(),
            mariadb: greeting.mariadb,
            version: clean(&greeting.version),
            account: String::new(),
        };
        match session.bind().await {
            Ok(()) => Ok(session),
            Err(trouble) => {
                session.close().await;
                Err(trouble)
            }
        }
    }

    async fn bind(&mut self) -> Result<(), Trouble> {
        for setting in SETTINGS {
            self.answer(setting, QUERY).await?;
        }
        self.allow(QUERY).await?;
        let about = "SELECT CONNECTION_ID(), CURRENT_USER()";
        let row = self.row(about).await?;
        self.thread = text(&row, 0)?;
        if self.thread.is_empty() || !self.thread.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Trouble::new(Reason::ProtocolViolation, "the number of the session is no number"));
        }
        let account = clean(&text(&row, 1)?);
        let (user, host) = account.rsplit_once('@').unwrap_or((&account, "%"));
        self.account = format!("'{}'@'{}'", user.replace('\'', "''"), host.replace('\'', "''"));
        if !self.mariadb {
            // Sizes of tables are a day old otherwise; older servers have no such setting, and no such delay.
            let _ = self.answer("SET SESSION information_schema_stats_expiry = 0", QUERY).await;
        }
        Ok(())
    }

    /// Has the server stop every later statement after this time.
    async fn allow(&self, time: Duration) -> Result<(), Trouble> {
        let mut current = self.time.lock().await;
        if *current == time {
            return Ok(());
        }
        let millis = time.as_millis().max(1);
        let setting = match self.mariadb {
            true => format!("SET SESSION max_statement_time = {}.{:03}", millis / 1000, millis % 1000),
            false => format!("SET SESSION max_execution_time = {millis}"),
        };
        self.answer(&setting, QUERY).await?;
        *current = time;
        Ok(())
    }

    /// The answer to one statement, which the server may take this long for.
    pub async fn within(&self, sql: &str, time: Duration) -> Result<Answer, Trouble> {
        self.allow(time).await?;
        self.answer(sql, time).await
    }

    async fn answer(&self, sql: &str, time: Duration) -> Result<Answer, Trouble> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(Trouble::new(Reason::TimedOut, "not asked, since an earlier query was never answered"));
        }
        let limit = Limit::new(time.saturating_add(ALLOWANCE), "the answer to a query");
        let asked = limit::run(self.cx, limit, async { self.connection.lock().await.query(sql).await }).await;
        match asked {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => {
                // After an error of the server's own the session goes on; after any other nothing is to be read from it.
                let ended = !matches!(&fault, connection::Fault::Server(problem) if !ends(problem.code));
                self.lost.fetch_or(ended, Ordering::Relaxed);
                Err(connection::trouble(&fault, "a query"))
            }
            Err(trouble) => {
                self.lost.store(true, Ordering::Relaxed);
                self.cancel().await;
                Err(trouble)
            }
        }
    }

    /// The rows of an answer as texts.
    pub async fn rows(&self, sql: &str) -> Result<Vec<Row>, Trouble> {
        Ok(self.within(sql, QUERY).await?.rows)
    }

    /// The only row of an answer.
    pub async fn row(&self, sql: &str) -> Result<Row, Trouble> {
        let row = self.rows(sql).await?.into_iter().next();
        row.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "a query that gives one row gave none"))
    }

    /// The words that follow the reason why something is unknown: the right that would show it.
    pub fn grant(&self, right: &str) -> String {
        format!("GRANT {right} TO {} would show it", self.account)
    }

    /// A fact from an answer, or the reason why it is unknown with the right that would show it.
    pub fn fact<T>(&self, answer: Result<T, Trouble>, right: &str) -> Fact<T> {
        crate::collect::answer::fact(answer, &self.grant(right))
    }

    /// Gives the session up in the middle of a query, which the server is told to stop.
    pub async fn abandon(&self) {
        if !self.lost.swap(true, Ordering::Relaxed) {
            self.cancel().await;
        }
    }

    /// Asks the server to stop what it does for us: giving up here does not stop it there.
    async fn cancel(&self) {
        if self.thread.is_empty() {
            return;
        }
        let stop = async {
            let Ok(Entry { mut connection, greeting, tls }) = (self.reopen)().await else { return };
            let login = Login { user: self.user, password: &self.password.0, secure: tls };
            if connection.log_in(&greeting, &login, tls).await.is_ok() {
                let _ = connection.query(&format!("KILL QUERY {}", self.thread)).await;
            }
            connection.quit().await;
        };
        let _ = tokio::time::timeout(FAREWELL, stop).await;
    }

    /// Says farewell, and waits until the connection is closed.
    pub async fn close(self) {
        let lost = self.lost.into_inner();
        let connection = self.connection.into_inner();
        let farewell = async {
            match lost {
                true => connection.hang_up().await,
                false => connection.quit().await,
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
}

/// Whether the server ends the session with this error.
fn ends(code: u16) -> bool {
    matches!(code, 1053 | 1077 | 1079 | 1927 | 4031)
}
