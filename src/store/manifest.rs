//! `run.json`: what a run was, and the digests of all that belongs to it. Its bytes are the leaf of the log.

use super::object::Files;
use super::record::Digest;
use super::tree::{self, Hash};
use crate::model::assessment::{Run, Verdict};
use crate::model::digest;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of this form.
pub const SCHEMA: &str = "probity.run/1";

/// A run in the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `probity.run/1`.
    pub schema: String,
    /// Its place in the log, from nought.
    pub sequence: u64,
    /// When, by whom, with what.
    pub run: Run,
    /// What was in scope, by digest of its canonical JSON.
    pub targets: Digest,
    /// Policy, overlays and waivers, by digest of their canonical JSON.
    pub judging: Digest,
    /// The checks, frameworks and tables as they were.
    pub catalogue: CatalogueRef,
    /// The file of records.
    pub records: Records,
    /// The gate's decision, without its causes, which follow from the results.
    pub verdict: Verdict,
    /// The results counted by status.
    pub results: BTreeMap<String, u64>,
    /// The files that the run added to the store, and the digests of their bytes.
    pub files: Files,
    /// The checkpoint before this run: size and root of the log, both empty for the first.
    pub parent: Parent,
}

/// The catalogue that judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueRef {
    /// The digest that reports show.
    pub digest: String,
    /// Its files by path, as canonical JSON, by digest.
    pub files: Digest,
}

/// The file of records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// How many observations.
    pub count: u64,
    /// SHA-256 of its plain bytes.
    pub digest: Digest,
    /// The root over the observations' ids and salted fields, in hexadecimal.
    pub root: String,
}

/// The log before a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parent {
    /// Runs in it.
    pub size: u64,
    /// The root over them, in hexadecimal.
    pub root: String,
}

impl Parent {
    /// The log over these leaves.
    pub fn of(leaves: &[Hash]) -> Parent {
        Parent { size: leaves.len() as u64, root: HEXLOWER.encode(&tree::root(leaves)) }
    }
}

impl Manifest {
    /// The bytes of the file: canonical JSON and a line break.
    ///
    /// # Errors
    /// When it does not serialise: a fault of our types.
    pub fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut text = digest::canonical(self)?;
        text.push('\n');
        Ok(text.into_bytes())
    }

    /// Reads the file.
    ///
    /// # Errors
    /// In words, when it is not of the form, or written otherwise than [`Manifest::bytes`] writes it.
    pub fn parse(bytes: &[u8]) -> Result<Manifest, String> {
        let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| format!("it is not a run: {error}"))?;
        if manifest.schema != SCHEMA {
            let schema: String = manifest.schema.chars().take(80).collect();
            return Err(format!("it has the schema `{}`; this version reads `{SCHEMA}`", schema.escape_debug()));
        }
        match manifest.bytes() {
            Ok(again) if again == bytes => Ok(manifest),
            _ => Err("it is not written as it was".to_owned()),
        }
    }
}
