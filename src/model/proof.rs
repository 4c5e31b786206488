//! Facts from the bytes themselves: the data of `db.proof`, which `probity prove` records.

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `db.proof`: a value that nobody else has was written through the database, and looked for in its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// What chose the blocks whose bytes were weighed; the value itself is never kept.
    pub seed: String,
    /// The same search finds the value in a plain file that holds it, in every form.
    pub control: bool,
    /// What was searched, by kind of file.
    pub searched: Vec<Searched>,
    /// The table of the value was removed at the end.
    pub removed: Fact<bool>,
    /// Where traces of the value may be left, in words.
    pub left: Vec<String>,
}

/// The files of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Searched {
    /// `data`, `tablespace`, `wal`, `journal`, `temp`; of MariaDB `data of Aria`, `other tables`, `redo log`, `undo log`,
    /// `binary log`, `Aria log`; `device` for the bytes below the file system.
    pub kind: String,
    /// How many files.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The value was found, in whichever form.
    pub found: Fact<bool>,
    /// The forms in which it was found: `utf-8`, `utf-16le`, `raw`.
    pub forms: Vec<String>,
    /// Blocks whose bytes were weighed.
    pub blocks: u64,
    /// Of these, blocks whose bytes are spread as chance would spread them.
    pub uniform: u64,
    /// Beginnings of files that only plain ones have.
    pub headers: Vec<String>,
    /// `encrypted`, `plain` or `absent`.
    pub state: Fact<String>,
    /// What the state rests on, in words.
    pub why: String,
    /// The files by name and SHA-256, at most 64.
    pub digests: Vec<SearchedFile>,
}

/// A file as it was when it was searched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchedFile {
    /// Its name in the folder of the data.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// `sha256:` and the digest.
    pub digest: String,
}
