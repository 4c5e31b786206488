//! The proof on an SQLite file: the value goes in through SQLite or, where the file needs a key, through SQLCipher.

use super::canary::Canary;
use super::leaving;
use super::search::{Part, Search};
use super::shell::Shell;
use crate::collect::Secret;
use crate::model::proof::{Proof, Searched};
use crate::model::{Fact, Reason, Trouble};
use rusqlite::{Connection, OpenFlags};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Whoever takes statements.
enum Writer {
    Open(Connection),
    Keyed(Shell),
}

impl Writer {
    fn open(path: &Path, key: Option<&Secret>) -> Result<Writer, Trouble> {
        if let Some(key) = key {
            return Shell::open(path, key).map(Writer::Keyed);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(|error| trouble(&error))?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(|error| trouble(&error))?;
        let writer = Writer::Open(connection);
        Ok(writer)
    }

    /// Runs one statement; the first column of its rows.
    fn run(&mut self, sql: &str) -> Result<Vec<String>, Trouble> {
        match self {
            Writer::Keyed(shell) => shell.run(&format!("{sql};")),
            Writer::Open(connection) => {
                let read = || -> rusqlite::Result<Vec<String>> {
                    let mut statement = connection.prepare(sql)?;
                    let mut rows = statement.query([])?;
                    let mut answer = Vec::new();
                    while let Some(row) = rows.next()? {
                        let value: rusqlite::types::Value = row.get(0)?;
                        answer.push(match value {
                            rusqlite::types::Value::Text(text) => text,
                            rusqlite::types::Value::Integer(number) => number.to_string(),
                            _ => String::new(),
                        });
                    }
                    Ok(answer)
                };
                read().map_err(|error| trouble(&error))
            }
        }
    }
}

fn trouble(error: &rusqlite::Error) -> Trouble {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, NotADatabase, PermissionDenied, ReadOnly};
    let (reason, words) = match error.sqlite_error_code() {
        Some(NotADatabase) => (
            Reason::AuthenticationFailed,
            "the file is not plain: give its key as `credentials: { password: ... }` of the target",
        ),
        Some(ReadOnly | PermissionDenied) => (Reason::PermissionDenied, "the file may not be written by this user"),
        Some(DatabaseBusy | DatabaseLocked) => (Reason::TimedOut, "the file is locked by somebody else"),
        _ => (Reason::Refused, "SQLite refused a statement"),
    };
    Trouble::new(reason, words)
}

/// Writes the value, searches, and takes it out again, whatever happened before.
///
/// # Errors
/// Where the value cannot be written.
pub fn prove(
    path: &Path,
    key: Option<&Secret>,
    device: Option<&Path>,
    canary: &Canary,
    stop: &AtomicBool,
) -> Result<Proof, Trouble> {
    let search = Search::new(canary, &std::env::temp_dir(), stop)?;
    let mut writer = Writer::open(path, key)?;
    let table = &canary.name;
    writer.run(&format!("CREATE TABLE {table} (n INTEGER PRIMARY KEY, t TEXT, b BLOB)"))?;
    let searched = look(&mut writer, path, device, canary, &search);
    let removed = remove(&mut writer, path, canary);
    drop(writer);
    let rest = format!("the table {table}; DROP TABLE {table} removes it");
    let mut left = vec![
        "free blocks of the disk, and snapshots that were made meanwhile".to_owned(),
        "temporary files of SQLite, which have no name and were not searched".to_owned(),
    ];
    if removed.known() != Some(&true) {
        left.insert(0, rest.clone());
    }
    let searched = searched.map_err(|trouble| leaving(trouble, &removed, &rest))?;
    Ok(Proof { seed: format!("{:016x}", canary.seed), control: search.control(), searched, removed, left })
}

/// The file and its two logs, each at the moment at which the value should be in it.
fn look(
    writer: &mut Writer,
    path: &Path,
    device: Option<&Path>,
    canary: &Canary,
    search: &Search<'_>,
) -> Result<Vec<Searched>, Trouble> {
    let table = &canary.name;
    let text = canary.text();
    writer.run(&format!("INSERT INTO {table} VALUES (1, '{text}', x'{text}')"))?;
    let found = writer.run(&format!("SELECT count(*) FROM {table} WHERE t = '{text}'"))?;
    if found != ["1"] {
        return Err(Trouble::new(Reason::Internal, "the value that was written is not there"));
    }
    let mut searched = vec![search.part(&part("wal", vec![beside(path, "-wal")]))];
    writer.run("PRAGMA wal_checkpoint(TRUNCATE)")?;
    searched.push(search.part(&part("data", vec![path.to_owned()])));
    // A change that is not yet final has the earlier page, with the value in it, in the journal.
    writer.run("BEGIN IMMEDIATE")?;
    let changed = writer.run(&format!("UPDATE {table} SET t = 'x', b = x'00'"));
    let journal = search.part(&part("journal", vec![beside(path, "-journal")]));
    writer.run("ROLLBACK")?;
    changed?;
    searched.push(journal);
    if let Some(device) = device {
        searched.push(search.part(&part("device", vec![device.to_owned()])));
    }
    Ok(searched)
}

/// Takes the value out, over its own bytes too, and looks whether it is gone, also where the search was stopped.
fn remove(writer: &mut Writer, path: &Path, canary: &Canary) -> Fact<bool> {
    let mut gone = || {
        // Where a change was cut off, its end comes first; a file without one refuses it, which ends a program.
        if let Writer::Open(connection) = &*writer
            && !connection.is_autocommit()
        {
            writer.run("ROLLBACK")?;
        }
        writer.run("PRAGMA secure_delete = ON")?;
        writer.run(&format!("DROP TABLE {}", canary.name))?;
        writer.run("PRAGMA wal_checkpoint(TRUNCATE)")?;
        let never = AtomicBool::new(false);
        let search = Search::new(canary, &std::env::temp_dir(), &never)?;
        search.finds(&[path.to_owned(), beside(path, "-wal"), beside(path, "-journal")])
    };
    match gone() {
        Ok(found) => Fact::Known(!found),
        Err(trouble) => Fact::unknown(trouble.to_string()),
    }
}

fn part(kind: &str, files: Vec<PathBuf>) -> Part {
    let folder = files.first().and_then(|file| file.parent()).unwrap_or(Path::new("")).to_owned();
    Part { kind: kind.to_owned(), files, folder, ..Part::default() }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
