//! `index.sqlite`: where each artefact lies. Holds nothing that does not follow from the rest of the store.

use super::StoreError;
use super::object::Files;
use super::record::Digest;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use std::collections::BTreeMap;
use std::path::Path;

/// The form of the tables. An index of another form is made anew.
const FORM: i64 = 1;
const TABLES: &str = "
CREATE TABLE artefacts (digest TEXT PRIMARY KEY, pack TEXT) WITHOUT ROWID;
CREATE TABLE state (last TEXT NOT NULL);
";

/// The index of a store.
pub struct Index {
    connection: Connection,
}

impl Index {
    /// Opens the index; where it is absent, of another form or behind the log's `last` leaf, makes it anew from `list`.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn open(
        path: &Path,
        last: &str,
        list: impl FnOnce() -> Result<BTreeMap<Digest, Option<String>>, StoreError>,
    ) -> Result<Index, StoreError> {
        if let Some(index) = Index::fitting(path, last) {
            return Ok(index);
        }
        let found = list()?;
        // A store that may only be read has its index in memory.
        let made = Index::remove(path).and_then(|()| Ok(Connection::open(path)?)).and_then(|c| fill(c, &found, last));
        match made {
            Ok(index) => Ok(index),
            Err(_) => fill(Connection::open_in_memory()?, &found, last),
        }
    }

    fn fitting(path: &Path, last: &str) -> Option<Index> {
        if !path.is_file() {
            return None;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reading = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(path, flags).or_else(|_| Connection::open_with_flags(path, reading));
        let connection = connection.ok()?;
        let form: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).ok()?;
        let seen: Option<String> =
            connection.query_row("SELECT last FROM state", [], |row| row.get(0)).optional().ok()?;
        (form == FORM && seen.as_deref() == Some(last)).then_some(Index { connection })
    }

    /// Removes the file.
    ///
    /// # Errors
    /// When it is there and stays.
    pub fn remove(path: &Path) -> Result<(), StoreError> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::io(path, &error)),
            _ => Ok(()),
        }
    }

    /// Where these artefacts lie: in the archive of a run, or in a file of their own.
    ///
    /// # Errors
    /// When the index does not answer.
    pub fn places(&self, digests: &[Digest]) -> Result<BTreeMap<Digest, Option<String>>, StoreError> {
        let mut statement = self.connection.prepare("SELECT pack FROM artefacts WHERE digest = ?1")?;
        let mut places = BTreeMap::new();
        for digest in digests {
            if let Some(pack) = statement.query_row([digest], |row| row.get(0)).optional()? {
                places.insert(digest.clone(), pack);
            }
        }
        Ok(places)
    }

    /// Adds the artefacts of a run.
    ///
    /// # Errors
    /// When the index does not take them.
    pub fn add<'a>(
        &mut self,
        files: &Files,
        run: &str,
        digests: impl Iterator<Item = &'a Digest>,
        last: &str,
    ) -> Result<(), StoreError> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction.prepare("INSERT OR REPLACE INTO artefacts VALUES (?1, ?2)")?;
            for digest in digests {
                let (two, rest) = digest.split_at(digest.len().min(2));
                let own = files.contains_key(&format!("objects/{two}/{rest}.zst"));
                insert.execute(params![digest, (!own).then_some(run)])?;
            }
            transaction.execute("UPDATE state SET last = ?1", [last])?;
        }
        Ok(transaction.commit()?)
    }
}

fn fill(mut connection: Connection, found: &BTreeMap<Digest, Option<String>>, last: &str) -> Result<Index, StoreError> {
    connection.execute_batch(TABLES)?;
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare("INSERT INTO artefacts VALUES (?1, ?2)")?;
        for (digest, pack) in found {
            insert.execute(params![digest, pack])?;
        }
        transaction.execute("INSERT INTO state VALUES (?1)", [last])?;
    }
    transaction.commit()?;
    connection.pragma_update(None, "user_version", FORM)?;
    Ok(Index { connection })
}
