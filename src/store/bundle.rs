//! One run in one file, for somebody without the store: what was seen, how it was judged, and what proves both.
//!
//! The archive's content is plain, so that `tar`, `sha256sum` and `openssl` do the first steps. What is read from a bundle
//! is a stranger's: names, counts and sizes are bounded, and nothing is unpacked.

use super::envelope::{Envelope, Statement};
use super::key::Signer;
use super::manifest::Manifest;
use super::note::Note;
use super::record::{self, Artefacts, Reading};
use super::tree::{self, Hash};
use super::verify::{Asked, Report, Weight};
use super::{Recalled, Store, StoreError, object};
use crate::model::assessment::{EVIDENCE_SCHEMA, Evidence};
use crate::model::digest;
use crate::model::observation::Method;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

/// What the name of a bundle ends with.
pub const ENDING: &str = ".probity.tar.zst";
/// The most files in a bundle.
const FILES: usize = 200_000;
/// The most bytes in all, plain.
const BYTES: u64 = 1024 * 1024 * 1024;

const README: &str = include_str!("bundle.txt");

/// That the run is in the log: the proof that leads from its leaf to the checkpoint's root.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proof {
    /// The run's place in the log.
    index: u64,
    /// Runs in the log of the checkpoint.
    size: u64,
    /// The hashes from the leaf up, in hexadecimal.
    path: Vec<String>,
}

/// The files of a bundle by name.
type Files = BTreeMap<String, Vec<u8>>;

/// Writes the bundle of a run. It is the same for the same run, checkpoint and key.
///
/// # Errors
/// When the store is damaged, or the key does not sign.
pub fn export(store: &Store, id: &str, reports: Files, signer: Option<&Signer>) -> Result<Vec<u8>, StoreError> {
    let leaves = store.leaves()?;
    let hashes: Vec<Hash> = leaves.iter().map(|(leaf, _)| *leaf).collect();
    let index = leaves.iter().position(|(_, known)| known == id);
    let index = index.ok_or_else(|| StoreError::Run(format!("there is no run `{}`", id.escape_debug())))?;
    let newest = leaves.last().map_or(id, |(_, id)| id);
    let (stored, checkpoint) = (store.stored(id)?, store.stored(newest)?.note);
    let seal = |error: serde_json::Error| StoreError::Seal(error.to_string());
    let proof = Proof {
        index: index as u64,
        size: hashes.len() as u64,
        path: tree::inclusion(&hashes, index).iter().map(|hash| HEXLOWER.encode(hash)).collect(),
    };
    let records = store.records(&stored)?;
    let mut wanted = record::named(&records)?;
    wanted.extend(of_manifest(&stored.manifest));
    let mut files: Files =
        store.artefacts(&wanted)?.into_iter().map(|(name, bytes)| (format!("artefacts/{name}"), bytes)).collect();
    files.insert("README.txt".to_owned(), README.as_bytes().to_vec());
    files.insert("run.json".to_owned(), stored.manifest.bytes().map_err(seal)?);
    files.insert("records.ndjson".to_owned(), records);
    files.insert("checkpoint".to_owned(), checkpoint.text().into_bytes());
    files.insert("proof.json".to_owned(), serde_json::to_vec(&proof).map_err(seal)?);
    files.extend(reports.into_iter().map(|(name, bytes)| (format!("reports/{name}"), bytes)));
    let digests = files.iter().map(|(name, bytes)| (name.clone(), digest::sha256(bytes))).collect();
    let predicate = serde_json::to_value(&stored.manifest).map_err(seal)?;
    let envelope = Statement::new(&digests, predicate).sealed(signer).map_err(StoreError::Seal)?;
    files.insert("statement.dsse.json".to_owned(), envelope.bytes().map_err(seal)?);
    if let Some(signer) = signer {
        files.insert("key.pem".to_owned(), signer.verifier().pem().into_bytes());
    }
    packed(&files).map_err(|error| StoreError::Seal(error.to_string()))
}

fn of_manifest(manifest: &Manifest) -> [String; 3] {
    [manifest.targets.clone(), manifest.judging.clone(), manifest.catalogue.files.clone()]
}

fn packed(files: &Files) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        builder.append_data(&mut header, name, bytes.as_slice())?;
    }
    object::compressed(&builder.into_inner()?)
}

/// Reads the files of a bundle.
///
/// # Errors
/// In words, when it is none, names a file outside, or holds more than a bundle may.
pub fn read(bytes: &[u8]) -> Result<Files, String> {
    let wrong = |error: std::io::Error| format!("it is no bundle: {error}");
    let plain = zstd::Decoder::new(bytes).map_err(wrong)?.take(BYTES + 1);
    let mut archive = tar::Archive::new(plain);
    let (mut files, mut sum) = (Files::new(), 0u64);
    for entry in archive.entries().map_err(wrong)? {
        let mut entry = entry.map_err(wrong)?;
        let name = entry.path().map_err(wrong)?.to_string_lossy().into_owned();
        if !entry.header().entry_type().is_file() || !is_name(&name) {
            return Err(format!("it holds `{}`, which belongs to no bundle", name.escape_debug()));
        }
        sum += entry.size();
        if files.len() >= FILES || sum > BYTES {
            return Err(format!("it holds more than {FILES} files or {} MiB", BYTES >> 20));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content).map_err(wrong)?;
        if files.insert(name.clone(), content).is_some() {
            return Err(format!("it holds {name} twice"));
        }
    }
    if files.is_empty() { Err("it is no bundle: it holds nothing".to_owned()) } else { Ok(files) }
}

/// Whether a bundle may hold a file of this name.
fn is_name(name: &str) -> bool {
    const OWN: &[&str] =
        &["README.txt", "run.json", "records.ndjson", "checkpoint", "proof.json", "statement.dsse.json", "key.pem"];
    let word = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    OWN.contains(&name)
        || name.split_once('/').is_some_and(|(folder, rest)| ["artefacts", "reports"].contains(&folder) && word(rest))
}

/// A bundle that was read.
pub struct Opened {
    files: Files,
    manifest: Manifest,
}

impl Opened {
    /// Takes the files of a bundle.
    ///
    /// # Errors
    /// In words, when the manifest is not there or not of the form.
    pub fn new(files: Files) -> Result<Opened, String> {
        let bytes = files.get("run.json").ok_or("it is no bundle: run.json is not in it")?;
        let manifest = Manifest::parse(bytes).map_err(|wrong| format!("run.json: {wrong}"))?;
        Ok(Opened { files, manifest })
    }

    /// Reads a bundle from the disk.
    ///
    /// # Errors
    /// In words, when it cannot be read or is none.
    pub fn open(path: &Path) -> Result<Opened, String> {
        let bytes = super::disk::read(path, BYTES).map_err(|error| error.to_string())?;
        Opened::new(read(&bytes)?)
    }

    fn file(&self, name: &str) -> Result<&[u8], String> {
        self.files.get(name).map(Vec::as_slice).ok_or_else(|| format!("{name} is not in the bundle"))
    }

    /// Verifies everything that a bundle proves.
    pub fn verify(&self, asked: &Asked) -> Report {
        let mut report =
            Report { runs: 1, bytes: self.files.values().map(|bytes| bytes.len() as u64).sum(), ..Report::default() };
        let checks: [(&str, Checking<'_>); 3] = [
            ("statement", &|report| self.statement(asked, report)),
            ("log", &|report| self.log(asked, report)),
            ("records", &|_| self.whole()),
        ];
        for (what, check) in checks {
            match check(&mut report) {
                Ok(found) => report.add(Weight::Fine, what, found),
                Err(wrong) => report.add(Weight::Tampered, what, wrong),
            }
        }
        report
    }

    /// That the statement names every file as it is, and who signed it.
    fn statement(&self, asked: &Asked, report: &mut Report) -> Result<String, String> {
        let (envelope, statement) = Envelope::parse(self.file("statement.dsse.json")?)?;
        let named = statement.files();
        for (name, bytes) in &self.files {
            match named.get(name) {
                Some(wanted) if digest::sha256(bytes) == *wanted => {}
                Some(_) => return Err(format!("{name} is not what it was")),
                None if ["statement.dsse.json", "key.pem"].contains(&name.as_str()) => {}
                None => return Err(format!("{name} is in the bundle and not in its statement")),
            }
        }
        if let Some(gone) = named.keys().find(|name| !self.files.contains_key(*name)) {
            return Err(format!("{gone} is not in the bundle"));
        }
        if serde_json::to_value(&self.manifest).ok() != Some(statement.predicate) {
            return Err("it is the statement of another run".to_owned());
        }
        match &asked.key {
            None => {}
            Some(key) => match envelope.verify(key) {
                Some(true) => {}
                Some(false) => return Err(format!("the signature of {} is false", key.name())),
                None => report.add(
                    Weight::Unsigned,
                    "statement",
                    format!("it carries no signature of the key {}", key.name()),
                ),
            },
        }
        Ok(format!("{} files are what they were", self.files.len()))
    }

    /// That the run is in the log that the checkpoint is of.
    fn log(&self, asked: &Asked, report: &mut Report) -> Result<String, String> {
        let text = String::from_utf8_lossy(self.file("checkpoint")?).into_owned();
        let note = Note::parse(&text).map_err(|error| error.to_string())?;
        let proof: Proof =
            serde_json::from_slice(self.file("proof.json")?).map_err(|error| format!("proof.json: {error}"))?;
        let path: Option<Vec<Hash>> =
            proof.path.iter().map(|hash| HEXLOWER.decode(hash.as_bytes()).ok()?.try_into().ok()).collect();
        let path = path.ok_or("proof.json: a hash is none")?;
        let leaf = tree::leaf(self.file("run.json")?);
        let checkpoint = &note.checkpoint;
        let included = tree::includes(&checkpoint.root, checkpoint.size, proof.index, &leaf, &path);
        if proof.size != checkpoint.size || proof.index != self.manifest.sequence || !included {
            return Err("the run is not in the log of its checkpoint".to_owned());
        }
        if let Some(key) = &asked.key {
            match note.verify(key) {
                Ok(()) => {}
                Err(error @ super::note::NoteError::Unsigned(_)) => {
                    report.add(Weight::Unsigned, "log", error.to_string())
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        if let Some(since) = &asked.since
            && since.checkpoint != *checkpoint
        {
            return Err("the checkpoint is not the one that was kept; compare with the store, which can show that one goes on from the other".to_owned());
        }
        let size = checkpoint.size;
        report.checkpoint = Some(note);
        Ok(format!("the run is number {} of {size}", proof.index + 1))
    }

    /// That the records and all that they name are those that the run was closed with.
    fn whole(&self) -> Result<String, String> {
        let recalled = self.recall()?;
        if HEXLOWER.encode(&recalled.root) != self.manifest.records.root {
            return Err("they are not those that the run commits to".to_owned());
        }
        Ok(format!("{} records", self.manifest.records.count))
    }

    /// The whole run.
    ///
    /// # Errors
    /// In words, when anything is not there or not what it was.
    pub fn recall(&self) -> Result<Recalled, String> {
        let bytes = self.file("records.ndjson")?;
        let manifest = self.manifest.clone();
        if digest::sha256(bytes) != manifest.records.digest {
            return Err("records.ndjson is not what the run was closed with".to_owned());
        }
        let mut artefacts = Artefacts::new();
        for (name, bytes) in
            self.files.iter().filter_map(|(name, bytes)| Some((name.strip_prefix("artefacts/")?, bytes)))
        {
            if digest::sha256(bytes) != name {
                return Err(format!("artefacts/{name} is not what it was"));
            }
            artefacts.insert(name.to_owned(), bytes.clone());
        }
        let artefact =
            |digest: &String| artefacts.get(digest).cloned().ok_or_else(|| format!("artefacts/{digest} is not there"));
        let Reading { observations, results, root } =
            record::read(bytes, artefact).map_err(|error| error.to_string())?;
        let (derived, observations) = observations.into_iter().partition(|seen| seen.method == Method::Derived);
        let json = |digest: &String| artefact(digest);
        let read = |error: serde_json::Error| error.to_string();
        let evidence = Evidence {
            schema: EVIDENCE_SCHEMA.to_owned(),
            run: manifest.run.clone(),
            targets: serde_json::from_slice(&json(&manifest.targets)?).map_err(read)?,
            judging: serde_json::from_slice(&json(&manifest.judging)?).map_err(read)?,
            observations,
        };
        let catalogue = serde_json::from_slice(&json(&manifest.catalogue.files)?).map_err(read)?;
        Ok(Recalled { manifest, evidence, derived, results, catalogue, root })
    }
}

type Checking<'a> = &'a dyn Fn(&mut Report) -> Result<String, String>;

/// Reads arbitrary bytes as a bundle and verifies it: the entry of the fuzzer.
pub fn fuzz(data: &[u8]) {
    // A file of the bundle alone, so that the fuzzer need not write archives: its name, a line break, its content.
    let mut files = Files::new();
    for part in data.split(|byte| *byte == 0) {
        let at = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
        let (name, content) = part.split_at(at);
        files.insert(String::from_utf8_lossy(name).into_owned(), content.get(1..).unwrap_or_default().to_vec());
    }
    let _ = read(data);
    if let Ok(opened) = Opened::new(files) {
        let _ = opened.verify(&Asked::default());
    }
}
