//! Artefacts by digest, on disk: large ones each in a file, the small ones of a run in one archive.
//!
//! `zstd -dc FILE | sha256sum` checks the first; `zstd -dc FILE | tar -x` and `sha256sum *` the others.

use super::StoreError;
use super::disk;
use super::record::{Artefacts, Digest};
use crate::model::digest;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

/// From this size on an artefact has a file of its own.
const LARGE: usize = 256 * 1024;
/// The most that one artefact holds, plain.
const ARTEFACT: u64 = 256 * 1024 * 1024;
/// The most that the archive of a run holds, plain.
const PACK: u64 = 4 * 1024 * 1024 * 1024;
/// The effort of compression: three is the library's own choice.
const LEVEL: i32 = 3;

/// Files below the store, each with the SHA-256 of its bytes as they lie on the disk.
pub type Files = BTreeMap<String, Digest>;

/// Where artefacts are kept.
pub struct Objects {
    folder: PathBuf,
}

impl Objects {
    /// The artefacts in this folder.
    pub fn new(folder: PathBuf) -> Objects {
        Objects { folder }
    }

    /// The folder of archives.
    fn packs(&self) -> PathBuf {
        self.folder.join("packs")
    }

    /// The archive of a run.
    pub fn pack_path(&self, run: &str) -> PathBuf {
        self.packs().join(format!("{run}.tar.zst"))
    }

    /// The file of an artefact that has one of its own.
    fn file(&self, digest: &str) -> PathBuf {
        let (two, rest) = digest.split_at(digest.len().min(2));
        self.folder.join(two).join(format!("{rest}.zst"))
    }

    /// Writes what is not there yet: the large ones into files, the small ones into the archive of this run.
    /// Gives what was written, each file by its path below the store, with the digest of its bytes.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(&self, run: &str, artefacts: &Artefacts, known: &BTreeSet<Digest>) -> Result<Files, StoreError> {
        let fresh = artefacts.iter().filter(|(digest, _)| !known.contains(*digest));
        let (large, small): (Vec<_>, Vec<_>) = fresh.partition(|(_, bytes)| bytes.len() >= LARGE);
        let mut files = Files::new();
        let mut write = |path: PathBuf, bytes: std::io::Result<Vec<u8>>| {
            let bytes = bytes.map_err(|error| StoreError::io(&path, &error))?;
            disk::write(&path, &bytes)?;
            let below = path.strip_prefix(self.folder.parent().unwrap_or(Path::new(""))).unwrap_or(&path);
            files.insert(below.to_string_lossy().into_owned(), digest::sha256(&bytes));
            Ok::<(), StoreError>(())
        };
        for (digest, bytes) in large {
            write(self.file(digest), compressed(bytes))?;
        }
        if !small.is_empty() {
            write(self.pack_path(run), pack(&small))?;
        }
        Ok(files)
    }

    /// Whether the archive, or the file of its own, that is to hold an artefact is there.
    pub fn holds(&self, digest: &str, pack: Option<&str>) -> bool {
        pack.map_or_else(|| self.file(digest), |run| self.pack_path(run)).is_file()
    }

    /// Every artefact that is there: its digest, and the archive that holds it where it has no file of its own.
    ///
    /// # Errors
    /// When the folder or an archive cannot be read.
    pub fn list(&self) -> Result<BTreeMap<Digest, Option<String>>, StoreError> {
        let mut found = BTreeMap::new();
        for run in self.pack_names()? {
            for (digest, _) in self.pack(&run)? {
                found.entry(digest).or_insert_with(|| Some(run.clone()));
            }
        }
        for two in disk::names(&self.folder)?.into_iter().filter(|name| name.len() == 2) {
            for name in disk::names(&self.folder.join(&two))? {
                if let Some(rest) = name.strip_suffix(".zst") {
                    found.insert(format!("{two}{rest}"), None);
                }
            }
        }
        Ok(found)
    }

    /// The runs that have an archive.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn pack_names(&self) -> Result<Vec<String>, StoreError> {
        let names = disk::names(&self.packs())?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".tar.zst")).map(str::to_owned).collect())
    }

    /// What the archive of a run holds.
    ///
    /// # Errors
    /// When it cannot be read, or holds anything that is not under its digest.
    pub fn pack(&self, run: &str) -> Result<Artefacts, StoreError> {
        let path = self.pack_path(run);
        let damaged = |what: String| StoreError::damaged(&path, what);
        let file = std::fs::File::open(&path).map_err(|error| StoreError::io(&path, &error))?;
        let plain = zstd::Decoder::new(file).map_err(|error| damaged(error.to_string()))?.take(PACK);
        let mut archive = tar::Archive::new(plain);
        let mut artefacts = Artefacts::new();
        for entry in archive.entries().map_err(|error| damaged(error.to_string()))? {
            let mut entry = entry.map_err(|error| damaged(error.to_string()))?;
            let name = entry.path().map_err(|error| damaged(error.to_string()))?.to_string_lossy().into_owned();
            if entry.size() > ARTEFACT {
                return Err(damaged(format!("{name} is too large")));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
            if digest::sha256(&bytes) != name {
                return Err(damaged(format!("what stands under {} is not what it was", name.escape_debug())));
            }
            artefacts.insert(name, bytes);
        }
        Ok(artefacts)
    }

    /// An artefact that has a file of its own.
    ///
    /// # Errors
    /// When it cannot be read or is not what it was.
    pub fn read(&self, digest: &str) -> Result<Vec<u8>, StoreError> {
        let path = self.file(digest);
        let bytes = disk::read_compressed(&path, ARTEFACT)?;
        if digest::sha256(&bytes) != digest {
            return Err(StoreError::damaged(&path, "it is not what it was".to_owned()));
        }
        Ok(bytes)
    }
}

/// An archive of artefacts under their digests.
fn pack(artefacts: &[(&Digest, &Vec<u8>)]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(zstd::Encoder::new(Vec::new(), LEVEL)?);
    for (digest, bytes) in artefacts {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o400);
        header.set_entry_type(tar::EntryType::Regular);
        builder.append_data(&mut header, digest.as_str(), bytes.as_slice())?;
    }
    builder.into_inner()?.finish()
}

/// Bytes compressed.
pub fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), LEVEL)?;
    encoder.write_all(bytes)?;
    encoder.finish()
}
