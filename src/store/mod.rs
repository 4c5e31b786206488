//! The store: evidence of many runs in a folder that only grows, content-addressed, under a signed log.
//!
//! A run becomes visible at one instant, by the renaming of its folder; the log and the index follow from what is
//! visible, and are mended by the next writer when a machine stops between the two. Knows no report format.

pub mod bundle;
pub mod diff;
pub mod disk;
pub mod envelope;
pub mod index;
pub mod key;
pub mod manifest;
pub mod note;
pub mod object;
pub mod record;
pub mod tree;
pub mod verify;

use crate::model::assessment::{Evidence, Verdict};
use crate::model::observation::Method;
use crate::model::{Assessment, Observation, Target, digest};
use data_encoding::HEXLOWER;
use index::Index;
use key::Signer;
use manifest::{CatalogueRef, Manifest, Parent, Records};
use note::{Checkpoint, Note};
use object::{Files, Objects};
use record::{Artefacts, Reading, Writing};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use tree::Hash;

/// The folder that a store has where none is named.
pub const FOLDER: &str = ".probity";
/// The most that a manifest holds.
const MANIFEST: u64 = 64 * 1024 * 1024;
/// The most that a file of records holds, plain.
const RECORDS: u64 = 4 * 1024 * 1024 * 1024;

/// What is wrong with a store, or with a wish to use it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system does not do what was asked of it.
    #[error("{path}: {cause}")]
    Io {
        /// The file or folder.
        path: String,
        /// In the system's words.
        cause: String,
    },
    /// A file is not what it was.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: String,
        /// In words.
        what: String,
    },
    /// There is none.
    #[error("{0} holds no store")]
    Absent(String),
    /// Somebody else writes.
    #[error("the store is being written to by {0}")]
    Locked(String),
    /// There is no such run.
    #[error("{0}")]
    Run(String),
    /// A record cannot be written or read.
    #[error(transparent)]
    Record(#[from] record::RecordError),
    /// A value does not serialise, or a key does not sign.
    #[error("{0}")]
    Seal(String),
    /// The index does not answer.
    #[error("the index of the store: {0}")]
    Index(#[from] rusqlite::Error),
}

impl StoreError {
    fn io(path: &Path, error: &std::io::Error) -> StoreError {
        let words = error.to_string();
        let cause = words.split(" (os error").next().unwrap_or_default().to_owned();
        StoreError::Io { path: path.display().to_string(), cause }
    }

    fn damaged(path: &Path, what: String) -> StoreError {
        StoreError::Damaged { path: path.display().to_string(), what }
    }
}

/// A store on this machine. Reading needs no lock.
pub struct Store {
    folder: PathBuf,
    objects: Objects,
}

/// A run as it lies in the store.
pub struct Stored {
    /// The name of its folder, which is the run's id.
    pub id: String,
    /// The manifest.
    pub manifest: Manifest,
    /// The leaf that it has in the log.
    pub leaf: Hash,
    /// The log's checkpoint with this run as its last.
    pub note: Note,
}

/// A run with everything that is needed to judge it again.
pub struct Recalled {
    /// The manifest.
    pub manifest: Manifest,
    /// What was looked at, seen and decided.
    pub evidence: Evidence,
    /// What was derived when it was judged.
    pub derived: Vec<Observation>,
    /// How it was judged then.
    pub results: Vec<crate::model::CheckResult>,
    /// The files of the catalogue by path.
    pub catalogue: BTreeMap<String, String>,
    /// The root over the records as they are.
    pub root: Hash,
}

impl Store {
    /// The store in this folder.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(folder: &Path) -> Result<Store, StoreError> {
        let store = Store { folder: folder.to_owned(), objects: Objects::new(folder.join("objects")) };
        if store.log().join("origin").is_file() {
            Ok(store)
        } else {
            Err(StoreError::Absent(folder.display().to_string()))
        }
    }

    /// The store in this folder, which is made where there is none; `origin` names the log of a new one.
    ///
    /// # Errors
    /// When the folder cannot be made, or holds other things.
    pub fn open_or_make(folder: &Path, origin: &str) -> Result<Store, StoreError> {
        match Store::open(folder) {
            Err(StoreError::Absent(_)) => {}
            other => return other,
        }
        if let Some(name) = disk::names(folder)?.first() {
            let what = format!("it is no store and not empty: there is {}", name.escape_debug());
            return Err(StoreError::damaged(folder, what));
        }
        disk::make(folder)?;
        for below in ["objects/packs", "runs", "log"] {
            disk::make(&folder.join(below))?;
        }
        disk::write(&folder.join("log/origin"), format!("{}\n", clean(origin)).as_bytes())?;
        Store::open(folder)
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn run_folder(&self, id: &str) -> PathBuf {
        self.folder.join("runs").join(id)
    }

    /// The log's name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn origin(&self) -> Result<String, StoreError> {
        let path = self.log().join("origin");
        let text = String::from_utf8_lossy(&disk::read(&path, 4096)?).into_owned();
        match text.strip_suffix('\n') {
            Some(line) if line == clean(line) => Ok(line.to_owned()),
            _ => Err(StoreError::damaged(&path, "it is no name of a log".to_owned())),
        }
    }

    /// The log: each run's leaf and id, oldest first. A run that is visible and not yet in the file is its last.
    ///
    /// # Errors
    /// When the file and the runs do not agree.
    pub fn leaves(&self) -> Result<Vec<(Hash, String)>, StoreError> {
        let path = self.log().join("leaves");
        let text = match disk::read(&path, MANIFEST) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) if !path.exists() => String::new(),
            Err(error) => return Err(error),
        };
        // What stands behind the last line break was being written when the machine stopped.
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        let mut leaves = Vec::new();
        for line in whole.lines() {
            let words = line.split_once(' ').filter(|(_, id)| is_id(id));
            let leaf = words.and_then(|(hash, id)| Some((HEXLOWER.decode(hash.as_bytes()).ok()?.try_into().ok()?, id)));
            let (leaf, id) = leaf.ok_or_else(|| StoreError::damaged(&path, "a line is no leaf".to_owned()))?;
            leaves.push((leaf, id.to_owned()));
        }
        let known: BTreeSet<&str> = leaves.iter().map(|(_, id)| id.as_str()).collect();
        let beyond: Vec<String> = self.run_names()?.into_iter().filter(|id| !known.contains(id.as_str())).collect();
        match &beyond[..] {
            [] => {}
            [last] => {
                let stored = self.stored(last)?;
                let hashes: Vec<Hash> = leaves.iter().map(|(leaf, _)| *leaf).collect();
                if stored.manifest.parent != Parent::of(&hashes) {
                    let what = format!("the run {last} is not in the log and does not follow on it");
                    return Err(StoreError::damaged(&path, what));
                }
                leaves.push((stored.leaf, last.clone()));
            }
            [first, ..] => {
                let what = format!("{} runs are not in the log, the first is {first}", beyond.len());
                return Err(StoreError::damaged(&path, what));
            }
        }
        Ok(leaves)
    }

    /// The runs that are visible, by their names.
    fn run_names(&self) -> Result<Vec<String>, StoreError> {
        Ok(disk::names(&self.folder.join("runs"))?.into_iter().filter(|name| is_id(name)).collect())
    }

    /// The ids of all runs in the order of the log.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn runs(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.leaves()?.into_iter().map(|(_, id)| id).collect())
    }

    /// The run that is meant: its id, the beginning of one, `latest`, or `latest~2` for the second before it.
    ///
    /// # Errors
    /// When there is none, or several begin so.
    pub fn find(&self, wanted: &str) -> Result<String, StoreError> {
        let runs = self.runs()?;
        let back = match wanted.strip_prefix("latest") {
            Some("") => Some(0),
            Some(rest) => rest.strip_prefix('~').and_then(|number| number.parse::<usize>().ok()),
            None => None,
        };
        if let Some(back) = back {
            let found = runs.len().checked_sub(back + 1).and_then(|at| runs.get(at));
            return found.cloned().ok_or_else(|| StoreError::Run(format!("the store holds {} runs", runs.len())));
        }
        let mut found = runs.iter().filter(|id| id.starts_with(wanted));
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(id.clone()),
            (None, _) => Err(StoreError::Run(format!("there is no run `{}`", wanted.escape_debug()))),
            (Some(one), Some(other)) => {
                Err(StoreError::Run(format!("`{}` may be {one} or {other}", wanted.escape_debug())))
            }
        }
    }

    /// A run's manifest, leaf and checkpoint.
    ///
    /// # Errors
    /// When a file is not there or not of the form.
    pub fn stored(&self, id: &str) -> Result<Stored, StoreError> {
        let path = self.run_folder(id).join("run.json");
        let bytes = disk::read(&path, MANIFEST)?;
        let manifest = Manifest::parse(&bytes).map_err(|what| StoreError::damaged(&path, what))?;
        if manifest.run.id != id {
            return Err(StoreError::damaged(&path, "it is another run's".to_owned()));
        }
        let path = self.run_folder(id).join("checkpoint");
        let text = String::from_utf8_lossy(&disk::read(&path, MANIFEST)?).into_owned();
        let note = Note::parse(&text).map_err(|error| StoreError::damaged(&path, error.to_string()))?;
        Ok(Stored { id: id.to_owned(), manifest, leaf: tree::leaf(&bytes), note })
    }

    /// The plain bytes of a run's records.
    fn records(&self, stored: &Stored) -> Result<Vec<u8>, StoreError> {
        let path = self.run_folder(&stored.id).join("records.ndjson.zst");
        let bytes = disk::read_compressed(&path, RECORDS)?;
        if digest::sha256(&bytes) == stored.manifest.records.digest {
            Ok(bytes)
        } else {
            Err(StoreError::damaged(&path, "its content is not what the run was closed with".to_owned()))
        }
    }

    /// A whole run.
    ///
    /// # Errors
    /// When a file is not there, or anything in it is not what it was.
    pub fn recall(&self, id: &str) -> Result<Recalled, StoreError> {
        let stored = self.stored(id)?;
        let bytes = self.records(&stored)?;
        let mut wanted = record::named(&bytes)?;
        let manifest = stored.manifest;
        wanted.extend([manifest.targets.clone(), manifest.judging.clone(), manifest.catalogue.files.clone()]);
        let artefacts = self.artefacts(&wanted)?;
        let Reading { observations, results, root } = record::read(&bytes, |digest| {
            artefacts.get(digest).cloned().ok_or_else(|| format!("the artefact {digest} is not in the store"))
        })?;
        let (derived, observations) = observations.into_iter().partition(|seen| seen.method == Method::Derived);
        let targets: Vec<Target> = self.json(&artefacts, &manifest.targets)?;
        let evidence = Evidence {
            schema: crate::model::assessment::EVIDENCE_SCHEMA.to_owned(),
            run: manifest.run.clone(),
            targets,
            judging: self.json(&artefacts, &manifest.judging)?,
            observations,
        };
        let catalogue = self.json(&artefacts, &manifest.catalogue.files)?;
        Ok(Recalled { manifest, evidence, derived, results, catalogue, root })
    }

    fn json<T: serde::de::DeserializeOwned>(&self, artefacts: &Artefacts, digest: &str) -> Result<T, StoreError> {
        let missing = || StoreError::damaged(&self.folder, format!("the artefact {digest} is not there"));
        let bytes = artefacts.get(digest).ok_or_else(missing)?;
        serde_json::from_slice(bytes)
            .map_err(|error| StoreError::damaged(&self.folder, format!("the artefact {digest}: {error}")))
    }

    /// The artefacts of these digests.
    fn artefacts(&self, wanted: &[String]) -> Result<Artefacts, StoreError> {
        let places = self.index()?.places(wanted)?;
        let mut packs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut artefacts = Artefacts::new();
        for (digest, pack) in &places {
            match pack {
                Some(run) => packs.entry(run).or_default().push(digest),
                None => drop(artefacts.insert(digest.clone(), self.objects.read(digest)?)),
            }
        }
        for (run, digests) in packs {
            let mut pack = self.objects.pack(run)?;
            artefacts.extend(digests.into_iter().filter_map(|digest| pack.remove_entry(digest)));
        }
        match wanted.iter().find(|digest| !artefacts.contains_key(*digest)) {
            None => Ok(artefacts),
            Some(gone) => Err(StoreError::damaged(&self.folder, format!("the artefact {gone} is not there"))),
        }
    }

    /// The index, made anew where it does not fit the log.
    fn index(&self) -> Result<Index, StoreError> {
        let leaves = self.leaves()?;
        let last = leaves.last().map(|(leaf, _)| HEXLOWER.encode(leaf)).unwrap_or_default();
        Index::open(&self.folder.join("index.sqlite"), &last, || self.objects.list())
    }

    /// Makes the index anew from the rest.
    ///
    /// # Errors
    /// When the rest cannot be read, or the index not be written.
    pub fn reindex(&self) -> Result<(), StoreError> {
        let writer = self.writer("reindex")?;
        Index::remove(&self.folder.join("index.sqlite"))?;
        drop(self.index()?);
        drop(writer);
        Ok(())
    }

    /// The right to write, which one process has at a time.
    ///
    /// # Errors
    /// When another has it, naming who, or the store cannot be written to.
    pub fn writer(&self, who: &str) -> Result<Writer<'_>, StoreError> {
        let path = self.folder.join("lock");
        let mut options = File::options();
        let lock = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut lock = lock.map_err(|error| StoreError::io(&path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let holder = disk::read(&path, 4096).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned());
                return Err(StoreError::Locked(holder.unwrap_or_default()));
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(StoreError::io(&path, &error)),
        }
        use std::io::Write as _;
        let named = lock.set_len(0).and_then(|()| writeln!(lock, "{}", clean(who)));
        named.map_err(|error| StoreError::io(&path, &error))?;
        Ok(Writer { store: self, _lock: lock })
    }
}

/// The right to write. It ends when this is dropped.
pub struct Writer<'a> {
    store: &'a Store,
    _lock: File,
}

/// What a run is closed with.
pub struct Closing<'a> {
    /// The run, judged.
    pub assessment: &'a Assessment,
    /// The gate's decision.
    pub verdict: &'a Verdict,
    /// The files of the catalogue by path.
    pub catalogue: &'a BTreeMap<String, String>,
    /// The salt of the run, from the seam of randomness.
    pub salt: [u8; 32],
    /// Who signs the log.
    pub signer: Option<&'a Signer>,
}

impl Writer<'_> {
    /// Adds a run. It is visible from one instant on, or not at all.
    ///
    /// # Errors
    /// When it is there already, the disk does not take it, or the store is damaged.
    pub fn append(&self, closing: &Closing<'_>) -> Result<Stored, StoreError> {
        let (store, id) = (self.store, closing.assessment.run.id.as_str());
        if !is_id(id) {
            return Err(StoreError::Run(format!("`{}` cannot name a run", id.escape_debug())));
        }
        let leaves = self.mend()?;
        if leaves.iter().any(|(_, known)| known == id) {
            return Err(StoreError::Run(format!("the run {id} is in the store already")));
        }
        let mut index = store.index()?;
        let mut artefacts = Artefacts::new();
        let (records, mut manifest) = describe(closing, &mut artefacts)?;
        // What the index names and the disk lacks is written again: a run never rests on what is gone.
        let places = index.places(&artefacts.keys().cloned().collect::<Vec<_>>())?;
        let there = places.into_iter().filter(|(digest, pack)| store.objects.holds(digest, pack.as_deref()));
        let known: BTreeSet<String> = there.map(|(digest, _)| digest).collect();
        manifest.files = store.objects.write(id, &artefacts, &known)?;
        let folder = store.run_folder(id);
        let beside = disk::beside(&folder);
        let name = |file: &str| beside.join(file);
        let packed = object::compressed(&records).map_err(|error| StoreError::io(&name("records"), &error))?;
        manifest.files.insert(format!("runs/{id}/records.ndjson.zst"), digest::sha256(&packed));
        let mut hashes: Vec<Hash> = leaves.into_iter().map(|(leaf, _)| leaf).collect();
        manifest.sequence = hashes.len() as u64;
        manifest.parent = Parent::of(&hashes);
        let bytes = manifest.bytes().map_err(|error| StoreError::Seal(error.to_string()))?;
        let leaf = tree::leaf(&bytes);
        hashes.push(leaf);
        let checkpoint = Checkpoint { origin: store.origin()?, size: hashes.len() as u64, root: tree::root(&hashes) };
        let note = checkpoint.note(closing.signer).map_err(StoreError::Seal)?;
        disk::write(&name("records.ndjson.zst"), &packed)?;
        disk::write(&name("checkpoint"), note.text().as_bytes())?;
        disk::write(&name("run.json"), &bytes)?;
        // From here on the run is there.
        std::fs::rename(&beside, &folder).map_err(|error| StoreError::io(&folder, &error))?;
        disk::sync(&store.folder.join("runs"))?;
        // Log and index follow from what is there: where the disk takes no more, the next writer mends them.
        let fresh = artefacts.keys().filter(|digest| !known.contains(*digest));
        if self.log(&leaf, id, &note).is_ok() {
            let _ = index.add(&manifest.files, id, fresh, &HEXLOWER.encode(&leaf));
        }
        Ok(Stored { id: id.to_owned(), manifest, leaf, note })
    }

    /// Finishes what a writer before left unfinished, and gives the log.
    fn mend(&self) -> Result<Vec<(Hash, String)>, StoreError> {
        let store = self.store;
        let leaves = store.leaves()?;
        let path = store.log().join("leaves");
        let written = text_of(&leaves);
        let there = if path.exists() { disk::read(&path, MANIFEST)? } else { Vec::new() };
        if there != written.as_bytes() {
            disk::write(&path, written.as_bytes())?;
        }
        if let Some((_, last)) = leaves.last() {
            let note = store.stored(last)?.note;
            let path = store.log().join("checkpoint");
            if !path.exists() || disk::read(&path, MANIFEST)? != note.text().as_bytes() {
                disk::write(&path, note.text().as_bytes())?;
            }
        }
        let runs: BTreeSet<&str> = leaves.iter().map(|(_, id)| id.as_str()).collect();
        for run in store.objects.pack_names()?.iter().filter(|run| !runs.contains(run.as_str())) {
            let path = store.objects.pack_path(run);
            std::fs::remove_file(&path).map_err(|error| StoreError::io(&path, &error))?;
        }
        for below in ["runs", "log", "objects/packs"] {
            disk::remove_parts(&store.folder.join(below))?;
        }
        Ok(leaves)
    }

    /// Adds a leaf to the log.
    fn log(&self, leaf: &Hash, id: &str, note: &Note) -> Result<(), StoreError> {
        use std::io::Write as _;
        let path = self.store.log().join("leaves");
        let failed = |error: std::io::Error| StoreError::io(&path, &error);
        let mut file = File::options().append(true).create(true).open(&path).map_err(failed)?;
        file.write_all(line(leaf, id).as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        disk::write(&self.store.log().join("checkpoint"), note.text().as_bytes())
    }
}

/// The text of the file of leaves.
fn text_of(leaves: &[(Hash, String)]) -> String {
    leaves.iter().map(|(leaf, id)| line(leaf, id)).collect()
}

fn line(leaf: &Hash, id: &str) -> String {
    format!("{} {id}\n", HEXLOWER.encode(leaf))
}

/// The file of records of a run, and its manifest as far as it does not hang on the store.
fn describe(closing: &Closing<'_>, artefacts: &mut Artefacts) -> Result<(Vec<u8>, Manifest), StoreError> {
    let assessment = closing.assessment;
    let mut writing = Writing::new(&closing.salt)?;
    for seen in ordered(&assessment.observations) {
        writing.observation(seen, artefacts)?;
    }
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for result in &assessment.results {
        writing.result(result)?;
        *counts.entry(result.status.word().to_owned()).or_default() += 1;
    }
    let (records, root, count) = writing.finish();
    let mut keep = |text: Result<String, serde_json::Error>| -> Result<String, StoreError> {
        let bytes = text.map_err(|error| StoreError::Seal(error.to_string()))?.into_bytes();
        let digest = digest::sha256(&bytes);
        artefacts.insert(digest.clone(), bytes);
        Ok(digest)
    };
    let verdict = Verdict { causes: Vec::new(), notes: Vec::new(), beside: None, ..closing.verdict.clone() };
    let manifest = Manifest {
        schema: manifest::SCHEMA.to_owned(),
        sequence: 0,
        run: assessment.run.clone(),
        targets: keep(digest::canonical(&assessment.targets))?,
        judging: keep(digest::canonical(&assessment.judging))?,
        catalogue: CatalogueRef {
            digest: assessment.catalogue_digest.clone(),
            files: keep(digest::canonical(closing.catalogue))?,
        },
        records: Records { count: count as u64, digest: digest::sha256(&records), root: HEXLOWER.encode(&root) },
        verdict,
        results: counts,
        files: Files::new(),
        parent: Parent::of(&[]),
    };
    Ok((records, manifest))
}

/// What was seen first, then what was derived, each after those that it was derived from.
fn ordered(all: &[Observation]) -> Vec<&Observation> {
    let (mut waiting, mut placed): (Vec<&Observation>, Vec<&Observation>) =
        all.iter().partition(|seen| seen.method == Method::Derived);
    let mut ids: BTreeSet<&str> = placed.iter().map(|seen| seen.id.as_str()).collect();
    loop {
        let ready = |seen: &&Observation| seen.inputs.iter().all(|id| ids.contains(id.as_str()));
        let (next, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(ready);
        if next.is_empty() {
            // One that is derived from what is not there is refused where it is written.
            placed.extend(later);
            return placed;
        }
        ids.extend(next.iter().map(|seen| seen.id.as_str()));
        placed.extend(next);
        waiting = later;
    }
}

/// Whether this can name a run's folder: letters, digits, and a few signs, with a digit first.
fn is_id(name: &str) -> bool {
    let fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    name.len() <= 100
        && name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(fit)
        && !name.ends_with(".part")
}

/// One line without control characters.
fn clean(text: &str) -> String {
    let line: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    let line = line.trim().to_owned();
    if line.is_empty() { "probity".to_owned() } else { line }
}
