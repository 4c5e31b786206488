//! Whether a store is what it was: every byte that a run was closed with, and the log over all runs.

use super::disk;
use super::key::Verifier;
use super::manifest::Parent;
use super::note::{Note, NoteError};
use super::record;
use super::tree::{self, Hash};
use super::{MANIFEST, Store, StoreError, Stored};
use crate::model::digest;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a machine leaves that stops between a run and its place in the log.
const BEHIND: &str = "its last run is there and not yet wholly in it; the next run mends that";

/// What is asked beside the store's own consistency.
#[derive(Default)]
pub struct Asked {
    /// The key that must have signed the log.
    pub key: Option<Verifier>,
    /// A checkpoint kept elsewhere, which the log must go on from.
    pub since: Option<Note>,
}

/// How grave something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// As it should be.
    Fine,
    /// Not part of what is sealed, and of no effect.
    Note,
    /// A signature that was asked for is absent.
    Unsigned,
    /// Changed, removed, or false.
    Tampered,
}

/// One thing that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// How it is.
    pub weight: Weight,
    /// What was looked at.
    pub what: String,
    /// What was found, in words.
    pub found: String,
}

/// What verification found.
#[derive(Debug, Default)]
pub struct Report {
    /// Everything, in the order in which it was looked at.
    pub items: Vec<Item>,
    /// Runs that were looked at.
    pub runs: usize,
    /// Bytes on the disk that were read.
    pub bytes: u64,
    /// The last checkpoint, to be kept elsewhere.
    pub checkpoint: Option<Note>,
}

impl Report {
    /// Notes an item.
    pub fn add(&mut self, weight: Weight, what: impl Into<String>, found: impl Into<String>) {
        self.items.push(Item { weight, what: what.into(), found: found.into() });
    }

    /// The gravest.
    pub fn worst(&self) -> Weight {
        self.items.iter().map(|item| item.weight).max().unwrap_or(Weight::Fine)
    }
}

/// Verifies a store. `step` is told of each run.
pub fn verify(store: &Store, asked: &Asked, step: &mut dyn FnMut(usize, usize)) -> Report {
    let mut report = Report::default();
    let leaves = match store.leaves() {
        Ok(leaves) => leaves,
        Err(error) => {
            report.add(Weight::Tampered, "log", error.to_string());
            return report;
        }
    };
    let hashes: Vec<Hash> = leaves.iter().map(|(leaf, _)| *leaf).collect();
    let mut look = Look { store, asked, hashes: &hashes, files: BTreeSet::new(), held: BTreeSet::new(), report };
    for (at, (leaf, id)) in leaves.iter().enumerate() {
        step(at, leaves.len());
        match store.stored(id) {
            Ok(stored) => look.run(at, leaf, &stored),
            Err(error) => look.report.add(Weight::Tampered, format!("run {id}"), error.to_string()),
        }
    }
    look.leaves(&super::text_of(&leaves));
    look.log(leaves.last().map(|(_, id)| id.as_str()));
    look.others();
    look.report.runs = leaves.len();
    look.report
}

struct Look<'a> {
    store: &'a Store,
    asked: &'a Asked,
    hashes: &'a [Hash],
    /// Every file that a run is closed with.
    files: BTreeSet<String>,
    /// The artefacts that are there.
    held: BTreeSet<String>,
    report: Report,
}

impl Look<'_> {
    fn run(&mut self, at: usize, leaf: &Hash, stored: &Stored) {
        let what = format!("run {}", stored.id);
        let before = self.report.items.len();
        let (manifest, hashes) = (&stored.manifest, self.hashes);
        let mut tampered = |found: &str| self.report.add(Weight::Tampered, &what, found);
        if stored.leaf != *leaf {
            tampered("its manifest is not the one in the log");
        }
        if manifest.sequence != at as u64 || manifest.parent != Parent::of(hashes.get(..at).unwrap_or_default()) {
            tampered("it does not follow on the run before it");
        }
        let checkpoint = &stored.note.checkpoint;
        let root = tree::root(hashes.get(..=at).unwrap_or_default());
        if checkpoint.size != at as u64 + 1 || checkpoint.root != root {
            tampered("its checkpoint is not that of the log");
        }
        if self.store.origin().ok().as_deref() != Some(checkpoint.origin.as_str()) {
            tampered("its checkpoint is of another log");
        }
        self.signed(&what, &stored.note);
        self.files(&what, stored);
        self.artefacts(&what, stored);
        if self.report.items.len() == before {
            let found = format!("{} records, {} files", manifest.records.count, manifest.files.len());
            self.report.add(Weight::Fine, what, found);
        }
    }

    fn signed(&mut self, what: &str, note: &Note) {
        let Some(key) = &self.asked.key else { return };
        match note.verify(key) {
            Ok(()) => {}
            Err(error @ NoteError::Unsigned(_)) => self.report.add(Weight::Unsigned, what, error.to_string()),
            Err(error) => self.report.add(Weight::Tampered, what, error.to_string()),
        }
    }

    /// The bytes of every file that the run added.
    fn files(&mut self, what: &str, stored: &Stored) {
        for own in ["run.json", "checkpoint"] {
            self.files.insert(format!("runs/{}/{own}", stored.id));
        }
        for (file, wanted) in &stored.manifest.files {
            self.files.insert(file.clone());
            if !is_below(file) {
                self.report.add(Weight::Tampered, what, format!("{} is no file of a store", file.escape_debug()));
                continue;
            }
            match hash_file(&self.store.folder().join(file)) {
                Ok((found, bytes)) => {
                    self.report.bytes += bytes;
                    if found != *wanted {
                        self.report.add(Weight::Tampered, what, format!("{file} is not what it was"));
                    }
                }
                Err(error) => self.report.add(Weight::Tampered, what, error.to_string()),
            }
        }
    }

    /// That everything the records name is there: in an archive or a file of this run or of one before it.
    fn artefacts(&mut self, what: &str, stored: &Stored) {
        let (store, manifest) = (self.store, &stored.manifest);
        if manifest.files.contains_key(&format!("objects/packs/{}.tar.zst", stored.id)) {
            match store.objects.pack(&stored.id) {
                Ok(pack) => self.held.extend(pack.into_keys()),
                Err(error) => self.report.add(Weight::Tampered, what, error.to_string()),
            }
        }
        for file in manifest.files.keys().filter_map(|file| file.strip_prefix("objects/")?.strip_suffix(".zst")) {
            let Some((two, rest)) = file.split_once('/').filter(|(two, _)| two.len() == 2) else { continue };
            match store.objects.read(&format!("{two}{rest}")) {
                Ok(_) => drop(self.held.insert(format!("{two}{rest}"))),
                Err(error) => self.report.add(Weight::Tampered, what, error.to_string()),
            }
        }
        let named = store.records(stored).and_then(|bytes| Ok(record::named(&bytes)?));
        match named {
            Ok(mut named) => {
                named.extend([manifest.targets.clone(), manifest.judging.clone(), manifest.catalogue.files.clone()]);
                if let Some(gone) = named.iter().find(|digest| !self.held.contains(*digest)) {
                    self.report.add(Weight::Tampered, what, format!("the artefact {gone} is not there"));
                }
            }
            Err(error) => self.report.add(Weight::Tampered, what, error.to_string()),
        }
    }

    /// The file of leaves: as the runs have it, or cut short where a machine stopped while it wrote the last.
    fn leaves(&mut self, expected: &str) {
        let path = self.store.folder().join("log/leaves");
        let there = match disk::read(&path, MANIFEST) {
            Ok(bytes) => bytes,
            Err(_) if !path.exists() => Vec::new(),
            Err(error) => return self.report.add(Weight::Tampered, "log/leaves", error.to_string()),
        };
        let last = expected.trim_end().rfind('\n').map_or(0, |end| end + 1);
        if there == expected.as_bytes() {
            return;
        }
        if expected.as_bytes().starts_with(&there) && there.len() >= last {
            self.report.add(Weight::Note, "log", BEHIND);
        } else {
            self.report.add(Weight::Tampered, "log/leaves", "it is not what the runs are");
        }
    }

    /// The log's own files, and the checkpoint that was kept elsewhere.
    fn log(&mut self, last: Option<&str>) {
        let newest = last.and_then(|id| self.store.stored(id).ok()).map(|stored| stored.note);
        let path = self.store.folder().join("log/checkpoint");
        let there = match disk::read(&path, MANIFEST) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(_) if !path.exists() => None,
            Err(error) => return self.report.add(Weight::Tampered, "log/checkpoint", error.to_string()),
        };
        match (&newest, there) {
            (Some(note), Some(text)) if note.text() == text => {}
            (None, None) => {}
            (Some(note), other) => {
                // A machine that stopped between a run and its log left the checkpoint before it.
                let behind = other.and_then(|text| Note::parse(&text).ok());
                let size = behind.as_ref().map_or(0, |note| note.checkpoint.size);
                if size + 1 == note.checkpoint.size && behind.is_none_or(|note| self.is_beginning(&note)) {
                    self.report.add(Weight::Note, "log", BEHIND);
                } else {
                    self.report.add(Weight::Tampered, "log/checkpoint", "it is not that of the last run");
                }
            }
            (None, Some(_)) => self.report.add(Weight::Tampered, "log/checkpoint", "there is no run that it is of"),
        }
        if let Some(since) = &self.asked.since {
            let size = since.checkpoint.size;
            let runs = self.hashes.len();
            if let Some(key) = &self.asked.key
                && let Err(error) = since.verify(key)
            {
                self.report.add(Weight::Tampered, "the checkpoint that was kept", error.to_string());
            }
            match self.is_beginning(since) {
                true => self.report.add(
                    Weight::Fine,
                    "the checkpoint that was kept",
                    format!("the log goes on from it: {size} of its {runs} runs"),
                ),
                false if size > runs as u64 => self.report.add(
                    Weight::Tampered,
                    "the checkpoint that was kept",
                    format!("it had {size} runs, and the log has {runs}: runs were cut off"),
                ),
                false => self.report.add(
                    Weight::Tampered,
                    "the checkpoint that was kept",
                    "the log is another one: what was before it was changed",
                ),
            }
        }
        self.report.checkpoint = newest;
    }

    /// Whether the log was this one when it was shorter.
    fn is_beginning(&self, note: &Note) -> bool {
        let checkpoint = &note.checkpoint;
        let size = usize::try_from(checkpoint.size).unwrap_or(usize::MAX);
        let Some(before) = self.hashes.get(..size) else { return false };
        tree::root(before) == checkpoint.root && self.store.origin().ok().as_deref() == Some(checkpoint.origin.as_str())
    }

    /// Files that no run was closed with.
    fn others(&mut self) {
        let folder = self.store.folder();
        let mut found = BTreeMap::new();
        for below in ["objects", "runs"] {
            if let Err(error) = walk(folder, Path::new(below), 4, &mut found) {
                self.report.add(Weight::Tampered, below, error.to_string());
            }
        }
        let strange: Vec<String> = found.into_keys().filter(|file| !self.files.contains(file)).collect();
        for file in strange {
            self.report.add(Weight::Note, file, "belongs to no run: left by one that was not finished, or put there");
        }
    }
}

/// Whether this names a file in the store and none outside.
fn is_below(file: &str) -> bool {
    (file.starts_with("objects/") || file.starts_with("runs/"))
        && file.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
        && !file.contains('\\')
}

/// The digest and the size of a file, read piece by piece.
fn hash_file(path: &Path) -> Result<(String, u64), StoreError> {
    use sha2::Digest as _;
    let failed = |error: std::io::Error| StoreError::io(path, &error);
    if !std::fs::symlink_metadata(path).map_err(failed)?.is_file() {
        return Err(StoreError::damaged(path, "it is no file".to_owned()));
    }
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut hash = sha2::Sha256::new();
    let bytes = std::io::copy(&mut file, &mut Hashing(&mut hash)).map_err(failed)?;
    Ok((digest::hex(&hash.finalize()), bytes))
}

struct Hashing<'a>(&'a mut sha2::Sha256);

impl std::io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        sha2::Digest::update(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Every file below a folder, by its path from the store.
fn walk(store: &Path, below: &Path, depth: usize, found: &mut BTreeMap<String, ()>) -> Result<(), StoreError> {
    let folder = store.join(below);
    let entries = std::fs::read_dir(&folder).map_err(|error| StoreError::io(&folder, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| StoreError::io(&folder, &error))?;
        let path = below.join(entry.file_name());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && depth > 0 {
            walk(store, &path, depth - 1, found)?;
        } else if !is_folder {
            found.insert(path.to_string_lossy().into_owned(), ());
        }
    }
    Ok(())
}
