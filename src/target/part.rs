//! The parts of a configuration that may stand in files of their own: the retention schedule and the register.

use super::provenance::Sourced;
use super::{Loading, Source, secrets};
use crate::model::register::{Organisation, Register};
use crate::model::retention::Schedule;
use crate::yaml::{Diagnostic, Document, MAX_BYTES, Selection, Spot};
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The id of the target that the register is.
pub(super) const REGISTER_ID: &str = "vendors";

/// A part that was read, and where it stood.
pub(super) struct Part<T> {
    pub(super) value: T,
    pub(super) source: Source,
    pub(super) file: Option<PathBuf>,
}

/// The name of a file, in the place of its content.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    /// A path, relative to the configuration file.
    pub(super) file: String,
}

impl Loading {
    pub(super) fn retention(&mut self, root: &Spot<'_>) -> Option<Part<Schedule>> {
        let (document, file) = self.written(root, "retention")?;
        let nested = file.is_none() || document.root().key("retention").exists();
        let path: &[&str] = if nested { &["retention"] } else { &[] };
        if file.is_some() && nested {
            for (key, spot) in document.root().pairs().into_iter().filter(|(key, _)| *key != "retention") {
                let mistake = spot.mistake_in_key(format!("unknown key `{key}`"));
                self.mistakes.push(mistake.label("not known here").help("only `retention` may stand beside itself"));
            }
        }
        self.read(document, file, Selection { path, ..Selection::default() })
    }

    pub(super) fn register(&mut self, root: &Spot<'_>, organisation: Option<&Organisation>) -> Option<Part<Register>> {
        let (document, file) = self.written(root, "vendors")?;
        let mut defaults = Map::new();
        if let Some(organisation) = organisation.and_then(|organisation| serde_json::to_value(organisation).ok()) {
            defaults.insert("organisation".to_owned(), organisation);
        }
        let selection = if file.is_some() {
            Selection { defaults, ..Selection::default() }
        } else if root.key("vendors").is_list() {
            Selection { keys: Some(&["organisation", "vendors"]), ..Selection::default() }
        } else {
            Selection { path: &["vendors"], defaults, ..Selection::default() }
        };
        // The limits of a reading hold from here on, so that the walk below ends.
        let canonical = self.take(document.select::<Value>(selection.clone()))?;
        let whole = document.root();
        let list = if selection.path.is_empty() { whole.key("vendors") } else { whole.key("vendors").key("vendors") };
        let sourced = Sourced::find(&list);
        let reading = self.take(sourced.document(&document))?;
        let mut value: Register = self.take(reading.select(selection.clone()))?;
        for (vendor, provenance) in value.vendors.iter_mut().zip(sourced.vendors) {
            vendor.provenance = provenance;
        }
        if let Some(file) = &file {
            self.covers(file, canonical);
        }
        let path = selection.path.iter().map(|key| (*key).to_owned()).collect();
        Some(Part { value, source: Source { document: document.clone(), path }, file })
    }

    /// The document that holds this part, and its file where it is not the configuration itself.
    pub(super) fn written(&mut self, root: &Spot<'_>, key: &str) -> Option<(Arc<Document>, Option<PathBuf>)> {
        let spot = root.key(key);
        if !spot.exists() {
            return None;
        }
        if !spot.key("file").exists() {
            return Some((self.document.clone(), None));
        }
        let reference = self.document.select::<Reference>(Selection { path: &[key], ..Selection::default() });
        let path = match reference {
            Ok(reference) => self.folder.join(reference.file),
            Err(mut mistakes) => {
                self.mistakes.append(&mut mistakes);
                return None;
            }
        };
        match text(&path) {
            Ok(text) => {
                let mut document = Document::new(path.display().to_string(), &text);
                document.hide(secrets::is_secret);
                Some((Arc::new(document), Some(path)))
            }
            Err(reason) => {
                self.mistakes.push(unreadable(&spot.key("file"), &path, &reason));
                None
            }
        }
    }

    /// What was read; its mistakes are kept where it was not.
    pub(super) fn take<T>(&mut self, read: Result<T, Vec<Diagnostic>>) -> Option<T> {
        read.map_err(|mut mistakes| self.mistakes.append(&mut mistakes)).ok()
    }

    /// Takes a file into the digest, by its path as it is written: where the folder stands is no content.
    pub(super) fn covers(&mut self, file: &Path, content: Value) {
        let written = file.strip_prefix(&self.folder).unwrap_or(file);
        self.files.insert(written.display().to_string(), content);
    }

    pub(super) fn read<T: DeserializeOwned>(
        &mut self,
        document: Arc<Document>,
        file: Option<PathBuf>,
        selection: Selection<'_>,
    ) -> Option<Part<T>> {
        let path = selection.path.iter().map(|key| (*key).to_owned()).collect();
        let read = document.select::<Value>(selection.clone()).and_then(|canonical| {
            if let Some(file) = &file {
                self.covers(file, canonical);
            }
            document.select::<T>(selection)
        });
        match read {
            Ok(value) => Some(Part { value, source: Source { document, path }, file }),
            Err(mut mistakes) => {
                self.mistakes.append(&mut mistakes);
                None
            }
        }
    }
}

/// The mistake of naming a file that cannot be read.
pub(super) fn unreadable(spot: &Spot<'_>, path: &Path, reason: &str) -> Diagnostic {
    spot.mistake(format!("`{}` cannot be read: {reason}", path.display()))
        .label("named here")
        .help("a path is relative to the folder of the file that names it")
}

/// Nothing where a file can be read, or why it cannot.
pub(super) fn readable(path: &Path) -> Result<(), String> {
    match fs::File::open(path).and_then(|file| file.metadata()) {
        Ok(about) if about.is_file() => Ok(()),
        Ok(_) => Err("it is not a regular file".to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err("there is no such file".to_owned()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err("permission denied".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// The text of a file, or why it cannot be had.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let words = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => "there is no such file".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    let about = fs::metadata(path).map_err(words)?;
    if about.is_dir() {
        return Err("it is a directory".to_owned());
    }
    if !about.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(words)?.take(limit + 1).read_to_end(&mut bytes).map_err(words)?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("it is larger than {} MiB", MAX_BYTES >> 20));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("it is not UTF-8 text (line {line})")
    })?;
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    Ok(text)
}
