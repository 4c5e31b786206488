//! One connection to a file: for reading only, with a time for every statement.

use crate::model::{Reason, Trouble};
use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Statement, StatementStatus};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A row as texts.
pub type Row = Vec<Option<String>>;

/// A file that is open for reading.
pub struct Store {
    connection: Connection,
    started: Instant,
    /// Milliseconds after `started` at which the running statement is stopped.
    deadline: Arc<AtomicU64>,
    /// Statements that ran, and the steps of SQLite's machine that they took.
    spent: Cell<(u64, u64)>,
}

impl Store {
    /// Opens the file. `stop` ends whatever runs.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn open(path: &Path, stop: Arc<AtomicBool>) -> Result<Store, Trouble> {
        // No URI: a path may hold `?` and `#`.
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let mut connection = Connection::open_with_flags(path, flags).map_err(|error| trouble(&error))?;
        let started = Instant::now();
        let deadline = Arc::new(AtomicU64::new(u64::MAX));
        let limit = Arc::clone(&deadline);
        let late = move || {
            let passed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            stop.load(Ordering::Relaxed) || passed > limit.load(Ordering::Relaxed)
        };
        let guard = |connection: &mut Connection| -> rusqlite::Result<()> {
            connection.progress_handler(1000, Some(late))?;
            connection.busy_timeout(Duration::from_millis(200))?;
            // A name that is no column stays an error, and a schema cannot make reading do more than that.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
            connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, 16 << 20)?;
            connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
            connection.pragma_update(None, "query_only", true)
        };
        guard(&mut connection).map_err(|error| trouble(&error))?;
        let store = Store { connection, started, deadline, spent: Cell::new((0, 0)) };
        // The first look at the schema shows whether it is a database at all.
        store.rows("SELECT count(*) FROM sqlite_schema", Duration::from_secs(5))?;
        Ok(store)
    }

    /// The rows of an answer as texts; what is longer than 10,000 rows is refused.
    ///
    /// # Errors
    /// Where the statement fails or takes too long.
    pub fn rows(&self, sql: &str, timeout: Duration) -> Result<Vec<Row>, Trouble> {
        self.within(timeout);
        let read = || -> rusqlite::Result<Vec<Row>> {
            let mut statement = self.connection.prepare(sql)?;
            let columns = statement.column_count();
            let mut answer = statement.query([])?;
            let mut rows = Vec::new();
            while let Some(row) = answer.next()? {
                let texts: rusqlite::Result<Row> = (0..columns).map(|place| row.get_ref(place).map(text)).collect();
                rows.push(texts?);
                if rows.len() > 10_000 {
                    break;
                }
            }
            drop(answer);
            self.spend(&statement);
            Ok(rows)
        };
        read().map_err(|error| trouble(&error))
    }

    /// Hands each row of an answer over, without keeping it, until the receiver says no.
    ///
    /// # Errors
    /// Where the statement fails or takes too long.
    pub fn each(
        &self,
        sql: &str,
        timeout: Duration,
        take: &mut dyn FnMut(&[Option<String>]) -> bool,
    ) -> Result<(), Trouble> {
        self.within(timeout);
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(sql)?;
            let columns = statement.column_count();
            let mut answer = statement.query([])?;
            while let Some(row) = answer.next()? {
                let texts: rusqlite::Result<Row> = (0..columns).map(|place| row.get_ref(place).map(text)).collect();
                if !take(&texts?) {
                    break;
                }
            }
            drop(answer);
            self.spend(&statement);
            Ok(())
        };
        read().map_err(|error| trouble(&error))
    }

    /// The only row of an answer.
    ///
    /// # Errors
    /// Where the statement fails or gives none.
    pub fn row(&self, sql: &str, timeout: Duration) -> Result<Row, Trouble> {
        let first = self.rows(sql, timeout)?.into_iter().next();
        first.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "a statement that gives one row gave none"))
    }

    /// The rows with these row ids, each by its own look-up, until there are enough.
    ///
    /// # Errors
    /// Where the statement fails or all of them take too long.
    pub fn look_up(
        &self,
        sql: &str,
        ids: impl Iterator<Item = i64>,
        enough: usize,
        timeout: Duration,
    ) -> Result<Vec<Row>, Trouble> {
        self.within(timeout);
        let read = || -> rusqlite::Result<Vec<Row>> {
            let mut statement = self.connection.prepare(sql)?;
            let columns = statement.column_count();
            let mut rows = Vec::new();
            for id in ids {
                if rows.len() >= enough {
                    break;
                }
                let mut answer = statement.query([id])?;
                if let Some(row) = answer.next()? {
                    let texts: rusqlite::Result<Row> = (0..columns).map(|place| row.get_ref(place).map(text)).collect();
                    rows.push(texts?);
                }
            }
            self.spend(&statement);
            Ok(rows)
        };
        read().map_err(|error| trouble(&error))
    }

    /// The statements that came to their end, and the steps of SQLite's machine that they took.
    pub fn spent(&self) -> (u64, u64) {
        self.spent.get()
    }

    fn spend(&self, statement: &Statement<'_>) {
        let (statements, steps) = self.spent.get();
        let more = u64::try_from(statement.get_status(StatementStatus::VmStep)).unwrap_or(0);
        self.spent.set((statements.saturating_add(1), steps.saturating_add(more)));
    }

    fn within(&self, timeout: Duration) {
        let end = self.started.elapsed() + timeout;
        self.deadline.store(u64::try_from(end.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(number.to_string()),
        ValueRef::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
    }
}

/// What an error means, without the database's own words where they could hold a value.
fn trouble(error: &rusqlite::Error) -> Trouble {
    let rusqlite::Error::SqliteFailure(failure, message) = error else {
        let rusqlite::Error::SqlInputError { msg, .. } = error else {
            return Trouble::new(Reason::Internal, "the statement does not fit the database");
        };
        return Trouble::new(Reason::Unsupported, schema_words(msg));
    };
    let (reason, detail) = match failure.code {
        ErrorCode::OperationInterrupted => (Reason::TimedOut, "the statement took too long"),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (Reason::TimedOut, "the database is locked"),
        ErrorCode::DatabaseCorrupt => (Reason::ProtocolViolation, "the database is corrupt"),
        ErrorCode::NotADatabase => (Reason::ProtocolViolation, "the file is not an SQLite database"),
        ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            (Reason::PermissionDenied, "the database may not be read")
        }
        ErrorCode::CannotOpen => (Reason::PermissionDenied, "the database or a file beside it cannot be opened"),
        ErrorCode::ReadOnly => (Reason::PermissionDenied, "the database cannot be read without writing beside it"),
        ErrorCode::TooBig | ErrorCode::OutOfMemory => (Reason::TooLarge, "a value is too large"),
        ErrorCode::Unknown => {
            let words = message.as_deref().map_or_else(|| "the statement failed".to_owned(), schema_words);
            return Trouble::new(Reason::Unsupported, words);
        }
        _ => (Reason::Unsupported, "the database refused the statement"),
    };
    Trouble::new(reason, detail)
}

/// Messages about names of the schema are told; others could hold anything.
fn schema_words(message: &str) -> String {
    let known = ["no such table: ", "no such column: ", "no such function: "];
    match known.iter().find(|start| message.starts_with(**start)) {
        Some(_) => message.chars().filter(|letter| !letter.is_control()).take(160).collect(),
        None => "the statement does not fit the database".to_owned(),
    }
}
