//! The collector of an export of one person's data: which files it has, how many records, whose they are, and whether
//! secrets are among them. No value of it is kept.

pub mod archive;
mod field;
pub mod reader;
mod table;
mod tree;

use super::{CollectContext, Collecting, Collector, Job};
use crate::model::portability::{Content, ExportFacts, FileFacts, Mapped, Portability, Scope, SetInExport};
use crate::model::retention::schedule::SetKind;
use crate::model::retention::{DataSet, Schedule};
use crate::model::{Fact, Method, Observation, Reason, Target, TargetKind, Trouble};
use archive::{Kind, Room};
use jiff::Timestamp;
use reader::{Reading, Wish, read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The kind it records.
const KIND: &str = "data.export";
/// The most files of an export.
const MAX_FILES: usize = 2_000;
/// The deepest folder.
const MAX_DEPTH: usize = 16;
/// The most bytes of all files.
const MAX_TOTAL: u64 = 256 << 20;

/// Reads the export that the user names.
pub struct ExportCollector;

impl Collector for ExportCollector {
    fn id(&self) -> &'static str {
        "export"
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Export
    }

    fn yields(&self) -> &'static [&'static str] {
        &[KIND]
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let (target, now) = (job.target.id.clone(), cx.clock.now());
            let documents = std::sync::Arc::clone(&cx.documents);
            let person = documents.portability.as_ref().map(|export| {
                cx.secrets.read(&export.subject).map(|secret| Zeroizing::new(secret.0)).map_err(|why| {
                    Trouble::new(Reason::AuthenticationFailed, format!("the person's key cannot be had: {why}"))
                })
            });
            let work = tokio::task::spawn_blocking(move || {
                observe(&target, documents.portability.as_ref(), documents.retention.as_ref(), person, now)
            });
            let failed = |trouble| Observation::failed(KIND, &job.target.id, "", "export", now, trouble);
            vec![tokio::select! {
                done = work => done.unwrap_or_else(|_| {
                    failed(Trouble::new(Reason::Internal, "the thread that read the export broke"))
                }),
                () = cx.cancel.cancelled() => failed(Trouble::new(Reason::Interrupted, "stopped by the user")),
                () = tokio::time::sleep(cx.limits.target_time) => {
                    failed(Trouble::new(Reason::TimedOut, "the export was not read in time"))
                }
            }]
        })
    }
}

/// The observation of an export.
pub fn observe(
    target: &str,
    export: Option<&Portability>,
    schedule: Option<&Schedule>,
    person: Option<Result<Zeroizing<String>, Trouble>>,
    now: Timestamp,
) -> Observation {
    let failed = |trouble| Observation::failed(KIND, target, "", "export", now, trouble).by(Method::Examine);
    let (Some(export), Some(person)) = (export, person) else {
        return failed(Trouble::new(Reason::Unreachable, "no export was given"));
    };
    let Some(schedule) = schedule else {
        return failed(Trouble::new(
            Reason::Unsupported,
            "there is no retention schedule, so that no data set is known",
        ));
    };
    let person = match person {
        Ok(person) => person,
        Err(trouble) => return failed(trouble),
    };
    let files = match files(&export.export) {
        Ok(files) => files,
        Err(trouble) => return failed(trouble),
    };
    let (facts, cut) = facts(export, schedule, &person, &files);
    let seen = Observation::complete(KIND, target, "", "export", now, &facts)
        .map(|observation| observation.by(Method::Examine))
        .unwrap_or_else(|error| failed(Trouble::new(Reason::Internal, error.to_string())));
    match cut {
        Some(trouble) => seen.partial(trouble),
        None => seen,
    }
}

/// A file of an export: its path within it, and where it is.
struct Found {
    name: String,
    path: PathBuf,
}

/// Every regular file of a folder, or the file alone. Links are not followed: they may lead anywhere.
fn files(path: &Path) -> Result<Vec<Found>, Trouble> {
    let words = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => Trouble::new(Reason::Unreachable, "there is no such export"),
        std::io::ErrorKind::PermissionDenied => {
            Trouble::new(Reason::PermissionDenied, "the export may not be read by this user")
        }
        kind => Trouble::new(Reason::Unreachable, format!("the export cannot be read: {kind}")),
    };
    let about = std::fs::metadata(path).map_err(words)?;
    if about.is_file() {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        return Ok(vec![Found { name, path: path.to_owned() }]);
    }
    if !about.is_dir() {
        return Err(Trouble::new(Reason::ProtocolViolation, "the export is neither a file nor a folder"));
    }
    let mut found = Vec::new();
    let mut folders = vec![(path.to_owned(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        if depth > MAX_DEPTH {
            return Err(Trouble::new(
                Reason::TooLarge,
                format!("a folder of the export is more than {MAX_DEPTH} deep"),
            ));
        }
        for entry in std::fs::read_dir(&folder).map_err(words)? {
            let entry = entry.map_err(words)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(words)?;
            if kind.is_dir() {
                folders.push((entry.path(), format!("{name}/"), depth + 1));
            } else {
                // A link, or a pipe, is named and not opened.
                found.push(Found { name, path: if kind.is_file() { entry.path() } else { PathBuf::new() } });
            }
            if found.len() + folders.len() > MAX_FILES {
                return Err(Trouble::new(Reason::TooLarge, format!("the export has more than {MAX_FILES} files")));
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// What an export holds, and why it was not gone through to its end, where it was not.
fn facts(export: &Portability, schedule: &Schedule, person: &str, files: &[Found]) -> (ExportFacts, Option<Trouble>) {
    let Content { scope, map, left_out, .. } = &export.content;
    let facts = ExportFacts { scope: scope.word().to_owned(), ..ExportFacts::default() };
    let mut taking = Taking { map, person, facts, readings: map.iter().map(|_| None).collect() };
    let mut room = Room { bytes: MAX_TOTAL, files: MAX_FILES };
    let mut cut = None;
    for file in files {
        let ended = match Kind::of(&file.name).filter(|_| !file.path.as_os_str().is_empty()) {
            Some(kind) => {
                // An archive that is the export itself is read as the folder that it would unpack to.
                let alone = files.len() == 1 && file.path == export.export;
                let within = if alone { String::new() } else { format!("{}/", file.name) };
                archive::each(kind, &file.path, &mut room, &mut |name, content| {
                    let whole = if name.is_empty() { String::new() } else { format!("{within}{name}") };
                    taking.take(&whole, content);
                })
            }
            None => room.enter().map(|()| taking.take(&file.name, content(&file.path, &mut room))),
        };
        cut = cut.or(ended.err());
    }
    let (mut facts, readings) = (taking.facts, taking.readings);
    facts.secrets.sort();
    facts.secrets.dedup();
    // A file that was not come upon is absent only where everything was gone through.
    let none = || match &cut {
        Some(trouble) => {
            Reading { records: Fact::unknown(trouble.to_string()), foreign: Fact::unknown(trouble.to_string()) }
        }
        None => Reading { records: Fact::Known(0), foreign: Fact::unknown("its file is not in the export") },
    };
    facts.sets = map
        .iter()
        .zip(readings)
        .map(|(one, reading)| {
            let reading = reading.unwrap_or_else(none);
            SetInExport {
                key: one.data_set.to_string(),
                records: reading.records,
                foreign: reading.foreign,
                tolerance: one.tolerance,
            }
        })
        .collect();
    facts.left_out =
        left_out.iter().filter(|one| !one.reason.trim().is_empty()).map(|one| one.data_set.to_string()).collect();
    let in_scope = schedule.data_sets.iter().filter(|set| is_in_scope(set, export, *scope));
    facts.in_scope = in_scope.map(|set| (set.id.to_string(), set.store.clone())).collect();
    facts.in_scope.sort();
    (facts, cut)
}

/// What was taken in of the files so far.
struct Taking<'a> {
    map: &'a [Mapped],
    person: &'a str,
    facts: ExportFacts,
    /// What was read for each entry of the map.
    readings: Vec<Option<Reading>>,
}

impl Taking<'_> {
    /// Takes in a file, or why it is not read.
    fn take(&mut self, name: &str, content: Result<Vec<u8>, String>) {
        let places: Vec<usize> =
            self.map.iter().enumerate().filter(|(_, one)| one.file == name).map(|(place, _)| place).collect();
        let wishes: Vec<Wish<'_>> = places
            .iter()
            .filter_map(|place| self.map.get(*place))
            .map(|one| Wish { records: one.records.as_deref(), key: one.key.as_deref(), person: self.person })
            .collect();
        let seen = match content {
            Ok(bytes) => read(name, &bytes, &wishes),
            Err(why) => reader::unread(name, &why, wishes.len()),
        };
        // The name of a file that nobody wrote into the configuration may be a person's.
        let number = self.facts.files.len() + 1;
        let key = if wishes.is_empty() { format!("file {number} ({})", seen.format) } else { name.to_owned() };
        for (place, reading) in places.into_iter().zip(seen.wished) {
            if let Some(kept) = self.readings.get_mut(place) {
                *kept = Some(kept.take().map_or(reading, Reading::doubtful));
            }
        }
        self.facts.secrets.extend(seen.secrets.into_iter().map(|secret| secret.in_file(&key)));
        self.facts.files.push(FileFacts {
            key,
            format: seen.format.to_owned(),
            readable: seen.readable,
            records: seen.records,
            summary: seen.summary,
        });
    }
}

/// Portability is about what the person gave, which is in primary sets; access is about everything.
fn is_in_scope(set: &DataSet, export: &Portability, scope: Scope) -> bool {
    let knows = set.subject_key.as_ref().is_some_and(|key| key.namespace == export.namespace);
    knows && (scope == Scope::Art15 || set.kind == SetKind::Primary)
}

/// The bytes of a file, or why they are not read.
fn content(path: &Path, room: &mut Room) -> Result<Vec<u8>, String> {
    if path.as_os_str().is_empty() {
        return Err("it is a link or no regular file, which is not opened".to_owned());
    }
    room.read(std::fs::File::open(path).map_err(|error| format!("it cannot be opened: {}", error.kind()))?)
}

#[cfg(test)]
mod tests;
