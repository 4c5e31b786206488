//! The search of files for a value, in every form and across the borders of what is read at once.

use super::canary::Canary;
use super::weight;
use crate::model::proof::{Searched, SearchedFile};
use crate::model::{Fact, Reason, Trouble, digest};
use crate::net::{Random as _, SeededRandom};
use aws_lc_rs::digest::{Context, SHA256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// What is read at once.
const CHUNK: usize = 1 << 20;
/// The most files of one kind.
const FILES: usize = 100_000;
/// The most files whose digests are kept.
const DIGESTS: usize = 64;

/// The files of one kind.
#[derive(Default)]
pub struct Part {
    /// For example `data`.
    pub kind: String,
    /// The files; one that has gone meanwhile is passed over.
    pub files: Vec<PathBuf>,
    /// The folder that their names are told from.
    pub folder: PathBuf,
    /// So many bytes at the beginning of each file are plain by its format, and are not weighed.
    pub plain_start: u64,
    /// The bytes of a page, whose first block is not weighed, since its header is plain; 0 where there are no pages.
    pub page: u64,
    /// It is known that the value went through these files as it is, so that its absence shows by itself.
    pub written: bool,
}

/// Looks for a value.
pub struct Search<'a> {
    canary: &'a Canary,
    forms: [(&'static str, Vec<u8>); 3],
    control: bool,
    stop: &'a AtomicBool,
}

/// What one file showed.
#[derive(Default)]
struct Seen {
    forms: BTreeSet<&'static str>,
    bytes: u64,
    digest: String,
    head: Option<&'static str>,
}

impl<'a> Search<'a> {
    /// A search that has shown on a plain file in this folder that it finds every form, also across a border.
    ///
    /// # Errors
    /// Where that file cannot be written.
    pub fn new(canary: &'a Canary, scratch: &Path, stop: &'a AtomicBool) -> Result<Search<'a>, Trouble> {
        let mut search = Search { canary, forms: canary.forms(), control: false, stop };
        let file = scratch.join(format!("{}.control", canary.name));
        let mut found = BTreeSet::new();
        for (_, form) in &search.forms {
            // Half of it before the border, half behind it.
            let mut bytes = vec![b'.'; CHUNK - form.len() / 2];
            bytes.extend(form);
            bytes.extend([b'.'; 100]);
            std::fs::write(&file, &bytes).map_err(|error| trouble(&error, &file))?;
            let seen = search.file(&file);
            let _ = std::fs::remove_file(&file);
            found.extend(seen?.forms);
        }
        search.control = found.len() == search.forms.len();
        Ok(search)
    }

    /// The search finds what is there.
    pub fn control(&self) -> bool {
        self.control
    }

    /// Whether any of these files holds the value.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn finds(&self, files: &[PathBuf]) -> Result<bool, Trouble> {
        for file in files.iter().filter(|file| file.exists()) {
            if !self.file(file)?.forms.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Searches the files of one kind and weighs their bytes.
    pub fn part(&self, part: &Part) -> Searched {
        let mut searched = Searched {
            kind: part.kind.clone(),
            files: 0,
            bytes: 0,
            found: Fact::Known(false),
            forms: Vec::new(),
            blocks: 0,
            uniform: 0,
            headers: Vec::new(),
            state: Fact::Known("absent".to_owned()),
            why: "there is no such file".to_owned(),
            digests: Vec::new(),
        };
        match self.fill(part, &mut searched) {
            Ok(()) => judge(self.control, part.written, &mut searched),
            // What was found until then was found; what was not may be in the rest.
            Err(_) if searched.found == Fact::Known(true) => judge(self.control, part.written, &mut searched),
            Err(trouble) => {
                searched.found = Fact::unknown(trouble.to_string());
                searched.state = Fact::unknown(trouble.to_string());
                searched.why = trouble.to_string();
            }
        }
        searched
    }

    fn fill(&self, part: &Part, searched: &mut Searched) -> Result<(), Trouble> {
        if part.files.len() > FILES {
            return Err(Trouble::new(Reason::TooLarge, format!("there are more than {FILES} files")));
        }
        let mut forms = BTreeSet::new();
        let mut heads = BTreeSet::new();
        let mut sizes = Vec::new();
        for path in &part.files {
            let seen = match self.file(path) {
                Ok(seen) => seen,
                Err(trouble) if trouble.reason == Reason::Unreachable => continue,
                Err(trouble) => return Err(trouble),
            };
            searched.files += 1;
            searched.bytes += seen.bytes;
            forms.extend(seen.forms);
            heads.extend(seen.head);
            sizes.push((path, seen.bytes));
            if searched.digests.len() < DIGESTS {
                let name = path.strip_prefix(&part.folder).unwrap_or(path);
                let name: String = name.to_string_lossy().chars().filter(|letter| !letter.is_control()).collect();
                searched.digests.push(SearchedFile { name, bytes: seen.bytes, digest: seen.digest });
            }
            searched.found = Fact::Known(!forms.is_empty());
            searched.forms = forms.iter().map(|form| (*form).to_owned()).collect();
            searched.headers = heads.iter().map(|head| (*head).to_owned()).collect();
        }
        (searched.uniform, searched.blocks) = self.weigh(part, &sizes)?;
        Ok(())
    }

    /// Reads one file from its beginning to its end.
    fn file(&self, path: &Path) -> Result<Seen, Trouble> {
        let mut file = File::open(path).map_err(|error| trouble(&error, path))?;
        let longest = self.forms.iter().map(|(_, form)| form.len()).max().unwrap_or(1);
        let mut seen = Seen::default();
        let mut hash = Context::new(&SHA256);
        let mut window = vec![0; longest - 1 + CHUNK];
        let mut kept = 0;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Trouble::new(Reason::TimedOut, "the search was stopped before its end"));
            }
            let room = window.get_mut(kept..).unwrap_or_default();
            let read = fill(&mut file, room).map_err(|error| trouble(&error, path))?;
            let fresh = room.get(..read).unwrap_or_default();
            if seen.bytes == 0 {
                seen.head = weight::plain_head(fresh);
            }
            hash.update(fresh);
            seen.bytes += read as u64;
            let bytes = window.get(..kept + read).unwrap_or_default();
            for (name, form) in &self.forms {
                if !seen.forms.contains(name) && holds(bytes, form) {
                    seen.forms.insert(name);
                }
            }
            if read == 0 {
                break;
            }
            // The end of this reading may hold the beginning of the value.
            let from = bytes.len().saturating_sub(longest - 1);
            let length = bytes.len() - from;
            window.copy_within(from..from + length, 0);
            kept = length;
        }
        seen.digest = format!("sha256:{}", digest::hex(hash.finish().as_ref()));
        Ok(seen)
    }

    /// Weighs blocks of the files, chosen by the seed: how many of how many are uniform.
    fn weigh(&self, part: &Part, files: &[(&PathBuf, u64)]) -> Result<(u64, u64), Trouble> {
        let block = weight::BLOCK as u64;
        let all: u64 = files.iter().map(|(_, bytes)| bytes / block).sum();
        let (mut uniform, mut weighed) = (0, 0);
        for number in choose(self.canary.seed, all) {
            let mut left = number;
            let place = files.iter().find_map(|(path, bytes)| match left.checked_sub(bytes / block) {
                None => Some((path, left * block)),
                Some(rest) => {
                    left = rest;
                    None
                }
            });
            let Some((path, from)) = place else { continue };
            if from < part.plain_start || from.checked_rem(part.page) == Some(0) {
                continue;
            }
            let mut bytes = vec![0; weight::BLOCK];
            let mut file = File::open(path).map_err(|error| trouble(&error, path))?;
            file.seek(SeekFrom::Start(from)).map_err(|error| trouble(&error, path))?;
            let read = fill(&mut file, &mut bytes).map_err(|error| trouble(&error, path))?;
            let block = bytes.get(..read).unwrap_or_default();
            // What was never written to tells nothing.
            if block.iter().all(|byte| *byte == 0) {
                continue;
            }
            weighed += 1;
            uniform += u64::from(weight::is_uniform(block));
        }
        Ok((uniform, weighed))
    }
}

/// Up to [`weight::BLOCKS`] different numbers below `all`, the same for the same seed.
fn choose(seed: u64, all: u64) -> BTreeSet<u64> {
    if all <= weight::BLOCKS {
        return (0..all).collect();
    }
    let random = SeededRandom::new(seed);
    let mut chosen = BTreeSet::new();
    while (chosen.len() as u64) < weight::BLOCKS {
        let mut bytes = [0; 8];
        random.fill(&mut bytes);
        chosen.insert(u64::from_be_bytes(bytes) % all);
    }
    chosen
}

/// What was seen as a state: found is plain; not found and like chance is encrypted; else nothing is shown.
fn judge(control: bool, written: bool, searched: &mut Searched) {
    if searched.files == 0 {
        return;
    }
    let files = if searched.files == 1 { "1 file".to_owned() } else { format!("{} files", searched.files) };
    let place = format!("{files} of {} bytes", searched.bytes);
    let (uniform, blocks) = (searched.uniform, searched.blocks);
    let untold = |why: String| (Fact::unknown(why.clone()), why);
    (searched.state, searched.why) = if searched.found == Fact::Known(true) {
        let why =
            format!("a value that was written through the database stands in {place} as {}", searched.forms.join(", "));
        (Fact::Known("plain".to_owned()), why)
    } else if !control {
        untold("the search does not find the value where it is known to be".to_owned())
    } else if written {
        let why = format!(
            "a value that was written through the database went through {place} and is in none of its bytes; {uniform} of \
             {blocks} blocks are as chance would spread them"
        );
        (Fact::Known("encrypted".to_owned()), why)
    } else if !searched.headers.is_empty() {
        untold(format!(
            "the value was not found in {place}, which begin as plain files do ({})",
            searched.headers.join(", ")
        ))
    } else if weight::is_high(uniform, blocks) {
        let why = format!(
            "a value that was written through the database is not in {place}, and {uniform} of {blocks} blocks are as chance \
             would spread them"
        );
        (Fact::Known("encrypted".to_owned()), why)
    } else {
        untold(format!(
            "the value was not found in {place}, but only {uniform} of {blocks} blocks are as chance would spread them: it may \
             be compressed, or not be written there"
        ))
    };
}

/// Whether the bytes hold the value.
fn holds(bytes: &[u8], value: &[u8]) -> bool {
    let Some((first, _)) = value.split_first() else { return false };
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| byte == first) {
        rest = rest.get(at..).unwrap_or_default();
        if rest.starts_with(value) {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// Reads until the room is full or the file ends.
fn fill(file: &mut File, room: &mut [u8]) -> std::io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = room.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

pub(super) fn trouble(error: &std::io::Error, path: &Path) -> Trouble {
    let path: String = path.to_string_lossy().chars().filter(|letter| !letter.is_control()).take(200).collect();
    match error.kind() {
        std::io::ErrorKind::NotFound => Trouble::new(Reason::Unreachable, format!("there is no {path}")),
        std::io::ErrorKind::PermissionDenied => Trouble::new(
            Reason::PermissionDenied,
            format!("{path} may not be read by this user; run it as root or as the server's own user"),
        ),
        kind => Trouble::new(Reason::Refused, format!("{path} cannot be read: {kind}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn folder(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("probity-search-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        SeededRandom::new(9).fill(&mut bytes);
        bytes
    }

    fn search(folder: &Folder, canary: &Canary, bytes: &[u8]) -> Searched {
        let stop = AtomicBool::new(false);
        let search = Search::new(canary, &folder.0, &stop).unwrap();
        assert!(search.control());
        let file = folder.0.join("file");
        std::fs::write(&file, bytes).unwrap();
        search.part(&Part { kind: "data".to_owned(), files: vec![file], folder: folder.0.clone(), ..Part::default() })
    }

    #[test]
    fn each_form_is_found_wherever_it_stands() {
        let canary = Canary::new(&SeededRandom::new(1));
        let folder = folder("forms");
        for (name, form) in canary.forms() {
            for at in [0, CHUNK - 1, CHUNK, 2 * CHUNK - 77, 3 * CHUNK - form.len()] {
                let mut bytes = noise(3 * CHUNK);
                bytes[at..at + form.len()].copy_from_slice(&form);
                let seen = search(&folder, &canary, &bytes);
                assert_eq!((seen.forms, seen.state), (vec![name.to_owned()], Fact::Known("plain".to_owned())), "{at}");
            }
        }
        assert!(std::fs::read_dir(&folder.0).unwrap().count() == 1, "the control leaves nothing behind");
    }

    #[test]
    fn only_what_is_like_chance_is_shown_to_be_encrypted() {
        let canary = Canary::new(&SeededRandom::new(2));
        let folder = folder("state");
        let random = search(&folder, &canary, &noise(2 << 20));
        assert_eq!((random.state, random.blocks), (Fact::Known("encrypted".to_owned()), 256));
        let words = search(&folder, &canary, "all work and no play ".repeat(9000).as_bytes());
        assert!(words.found == Fact::Known(false) && words.state.known().is_none(), "{words:?}");
        let mut headed = noise(1 << 20);
        headed[..16].copy_from_slice(b"SQLite format 3\0");
        assert!(search(&folder, &canary, &headed).state.known().is_none());
        assert!(search(&folder, &canary, &noise(4096)).state.known().is_none(), "one block is too little");
        assert!(search(&folder, &canary, b"").state.known().is_none());
        // A half of it is not the value.
        let mut half = noise(1 << 20);
        half[500..564].copy_from_slice(&canary.text().as_bytes()[..64]);
        assert_eq!(search(&folder, &canary, &half).found, Fact::Known(false));
    }

    #[test]
    fn a_file_that_is_not_there_is_absent_and_a_stop_leaves_it_open() {
        let canary = Canary::new(&SeededRandom::new(3));
        let folder = folder("absent");
        let stop = AtomicBool::new(false);
        let search = Search::new(&canary, &folder.0, &stop).unwrap();
        let part = |name: &str| Part { kind: "wal".to_owned(), files: vec![folder.0.join(name)], ..Part::default() };
        assert_eq!(search.part(&part("none")).state, Fact::Known("absent".to_owned()));
        std::fs::write(folder.0.join("some"), noise(1 << 20)).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert!(search.part(&part("some")).state.reason().unwrap().contains("stopped"));
    }
}
