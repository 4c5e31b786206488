//! An archive: its files one after another, in memory and within bounds. Nothing is written to a disk.
//!
//! What an archive says of itself is not believed: sizes are counted as they come, a name that leads out of it is none, and
//! of two files of one name neither counts. An archive within an archive stays closed.

use crate::model::{Reason, Trouble};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use zip::ZipReadOptions;
use zip::read::Config;
// The reader that keeps a table allocates what a header claims, and has one of two files of a name.
use zip::unstable::read::ZipIterable;

/// The largest file that is read.
pub const MAX_BYTES: u64 = 16 << 20;
/// An archive may unpack to so many times its own size, and to this many bytes in any case.
const MAX_RATIO: u64 = 200;
const LEAST: u64 = 1 << 20;
/// The longest name, and the most bytes that describe a file in a tar.
const MAX_NAME: usize = 1_000;
const MAX_ABOUT: u64 = 64 << 10;
/// A block of a tar.
const BLOCK: usize = 512;

/// What may still be read of an export.
pub struct Room {
    /// Bytes of all files.
    pub bytes: u64,
    /// Files.
    pub files: usize,
}

impl Room {
    /// One file more.
    ///
    /// # Errors
    /// Where there are too many.
    pub fn enter(&mut self) -> Result<(), Trouble> {
        let left = self.files.checked_sub(1);
        self.files = left.ok_or_else(|| Trouble::new(Reason::TooLarge, "the export has more files than are read"))?;
        Ok(())
    }

    /// The bytes of a file, to its end.
    ///
    /// # Errors
    /// In words, where it cannot be read or is too large.
    pub fn read(&mut self, file: impl Read) -> Result<Vec<u8>, String> {
        let most = MAX_BYTES.min(self.bytes);
        let mut bytes = Vec::new();
        let read = file.take(most + 1).read_to_end(&mut bytes);
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_sub(length);
        if length > most {
            return Err(format!(
                "it, or the export with it, is larger than what is read ({} MiB a file, and of an archive {MAX_RATIO} times its size)",
                MAX_BYTES >> 20
            ));
        }
        read.map_err(|error| format!("it cannot be read: {}", error.kind()))?;
        Ok(bytes)
    }
}

/// How an archive is packed.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// With a table at its end.
    Zip,
    /// Blocks one after another.
    Tar,
    /// The same, packed by gzip.
    GzippedTar,
}

impl Kind {
    /// By the ending of the name: a document of an office, which is a ZIP as well, is no archive.
    pub fn of(name: &str) -> Option<Kind> {
        let name = name.to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
        match () {
            () if ends(&[".zip"]) => Some(Kind::Zip),
            () if ends(&[".tar"]) => Some(Kind::Tar),
            () if ends(&[".tar.gz", ".tgz"]) => Some(Kind::GzippedTar),
            () => None,
        }
    }
}

/// Takes a file: its name in the archive, which is empty where it is none, and its bytes, or why they are not read.
pub type Take<'a> = dyn FnMut(&str, Result<Vec<u8>, String>) + 'a;

/// Hands over every file of an archive.
///
/// # Errors
/// Where it could not be gone through to its end. What came before was handed over.
pub fn each(kind: Kind, path: &Path, room: &mut Room, take: &mut Take<'_>) -> Result<(), Trouble> {
    let file = File::open(path).map_err(|error| broken(&error))?;
    let length = file.metadata().map_err(|error| broken(&error))?.len();
    walk(kind, BufReader::new(file), length, room, take)
}

/// The same of an archive that is open.
pub fn walk(
    kind: Kind,
    archive: impl Read + Seek,
    length: u64,
    room: &mut Room,
    take: &mut Take<'_>,
) -> Result<(), Trouble> {
    let most = room.bytes.min(LEAST.max(length.saturating_mul(MAX_RATIO)));
    let kept = room.bytes - most;
    room.bytes = most;
    let mut names = BTreeSet::new();
    let mut once = |name: &[u8], bytes: Result<Vec<u8>, String>| match clean(name) {
        None => take("", Err("its name is none of a file within the archive".to_owned())),
        Some(name) if !names.insert(name.clone()) => take(&name, Err(TWICE.to_owned())),
        Some(name) => take(&name, bytes),
    };
    let ended = match kind {
        Kind::Zip => unzip(archive, room, &mut once),
        Kind::Tar => untar(Counted::new(archive, most), room, &mut once),
        Kind::GzippedTar => untar(Counted::new(flate2::read::MultiGzDecoder::new(archive), most), room, &mut once),
    };
    room.bytes += kept;
    ended
}

/// Why the second file of a name does not count.
pub const TWICE: &str = "the archive holds more than one file of this name";

/// A name as it is written in the configuration: parts between slashes, and nothing that leads elsewhere.
fn clean(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let name = name.strip_prefix("./").unwrap_or(name);
    let fits = |part: &str| !matches!(part, "" | "." | "..");
    let whole = name.len() <= MAX_NAME && !name.contains(['\\', ':']) && !name.chars().any(char::is_control);
    (whole && name.split('/').all(fits)).then(|| name.to_owned())
}

type Once<'a> = dyn FnMut(&[u8], Result<Vec<u8>, String>) + 'a;

fn unzip(mut archive: impl Read + Seek, room: &mut Room, take: &mut Once<'_>) -> Result<(), Trouble> {
    let damaged = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) => broken(&error),
        _ => Trouble::new(Reason::ProtocolViolation, "the archive is broken, or is no ZIP"),
    };
    // Two headers of a file that differ show each reader another archive.
    let all = ZipIterable::try_new(&mut archive, Config::default()).map_err(damaged)?;
    let mut all = all.enforce_header_consistency(true);
    let files = all.files().map_err(damaged)?;
    while let Some(entry) = files.next() {
        room.enter()?;
        let entry = entry.map_err(damaged)?;
        if entry.is_dir() {
            continue;
        }
        let name = entry.name_raw().to_vec();
        let bytes = match () {
            () if entry.encrypted() => Err("it is encrypted".to_owned()),
            () if !entry.is_file() => Err(NO_FILE.to_owned()),
            () => match entry.with_reader(files.reader_mut(), ZipReadOptions::new()) {
                Ok(file) => room.read(file),
                Err(_) => Err("the archive does not lead to it".to_owned()),
            },
        };
        take(&name, bytes);
    }
    Ok(())
}

const NO_FILE: &str = "it is a link or no regular file, which is not opened";

/// The entries as they stand: the library would read names of any length into memory.
fn untar(archive: Counted<impl Read>, room: &mut Room, take: &mut Once<'_>) -> Result<(), Trouble> {
    let mut tar = tar::Archive::new(archive);
    let mut about = About::default();
    for entry in tar.entries().map_err(|error| broken(&error))?.raw(true) {
        let mut entry = entry.map_err(|error| broken(&error))?;
        let (kind, size) = (entry.header().entry_type(), entry.size());
        if kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions() {
            about.hear(kind, size, &mut entry)?;
            continue;
        }
        let About { name, refused } = std::mem::take(&mut about);
        if kind.is_pax_global_extensions() || kind.is_dir() {
            continue;
        }
        room.enter()?;
        let name = name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let bytes = match refused {
            Some(why) => Err(why.to_owned()),
            None if kind.is_file() || kind.is_contiguous() => room.read(&mut entry),
            None => Err(NO_FILE.to_owned()),
        };
        // An archive that ends within a file says so by no error.
        let short = bytes.as_ref().is_ok_and(|bytes| u64::try_from(bytes.len()) != Ok(size));
        if short {
            return Err(Trouble::new(Reason::ProtocolViolation, CUT));
        }
        take(&name, bytes);
    }
    let mut archive = tar.into_inner();
    // A tar that was cut between two files ends without the empty blocks that end it.
    if archive.zeros < BLOCK {
        return Err(Trouble::new(Reason::ProtocolViolation, CUT));
    }
    // The sum of what was packed stands at the very end.
    io::copy(&mut archive, &mut io::sink()).map_err(|error| broken(&error))?;
    Ok(())
}

const CUT: &str = "the archive is cut off";

/// What stands before a file in a tar, and is about it.
#[derive(Default)]
struct About {
    name: Option<Vec<u8>>,
    refused: Option<&'static str>,
}

impl About {
    fn hear(&mut self, kind: tar::EntryType, size: u64, entry: &mut impl Read) -> Result<(), Trouble> {
        if size > MAX_ABOUT {
            return Err(Trouble::new(Reason::TooLarge, "the archive says more of a file than is read"));
        }
        let mut bytes = Vec::new();
        entry.take(MAX_ABOUT).read_to_end(&mut bytes).map_err(|error| broken(&error))?;
        if kind.is_gnu_longname() {
            self.name = Some(bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec());
        } else if kind.is_pax_local_extensions() {
            for pair in tar::PaxExtensions::new(&bytes) {
                let pair = pair.map_err(|error| broken(&error))?;
                match pair.key_bytes() {
                    b"path" => self.name = Some(pair.value_bytes().to_vec()),
                    // Two sizes of a file show each reader another archive.
                    b"size" => return Err(Trouble::new(Reason::Unsupported, "the archive gives a file two sizes")),
                    key if key.starts_with(b"GNU.sparse.") => self.refused = Some(NO_FILE),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Bytes as they are unpacked, up to a bound, and how many zeros came last.
struct Counted<R> {
    from: R,
    left: u64,
    zeros: usize,
}

/// More was packed than is read.
#[derive(Debug, thiserror::Error)]
#[error("more than is read")]
struct Excess;

impl<R: Read> Counted<R> {
    fn new(from: R, most: u64) -> Counted<R> {
        // The blocks around files come on top of them.
        Counted { from, left: most.saturating_add(most / 4).saturating_add(LEAST), zeros: 0 }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            return Err(io::Error::other(Excess));
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.from.read(buffer.get_mut(..most).unwrap_or_default())?;
        self.left = self.left.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
        let new = buffer.get(..read).unwrap_or_default();
        let last = new.iter().rev().take_while(|byte| **byte == 0).count();
        self.zeros = if last == read { self.zeros.saturating_add(last) } else { last };
        Ok(read)
    }
}

/// Reads arbitrary bytes as an archive of each kind: the entry of the fuzzer.
pub fn fuzz(data: &[u8]) {
    for kind in [Kind::Zip, Kind::Tar, Kind::GzippedTar] {
        let mut room = Room { bytes: LEAST, files: 50 };
        let mut taken = 0;
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        let _ = walk(kind, io::Cursor::new(data), length, &mut room, &mut |name, bytes| {
            taken += 1;
            assert!(!name.split('/').any(|part| part == ".."), "a name leads out of the archive");
            assert!(!name.is_empty() || bytes.is_err(), "a file without a name is not read");
        });
        assert!(taken <= 50 && room.bytes <= LEAST, "more was taken than there was room for");
    }
}

fn broken(error: &io::Error) -> Trouble {
    if error.get_ref().is_some_and(|inner| inner.is::<Excess>()) {
        return Trouble::new(
            Reason::TooLarge,
            format!("the archive unpacks to more than {MAX_RATIO} times its size, or to more than is read"),
        );
    }
    let words = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            return Trouble::new(Reason::PermissionDenied, "the archive may not be read by this user");
        }
        io::ErrorKind::UnexpectedEof => CUT,
        _ => "the archive is broken",
    };
    Trouble::new(Reason::ProtocolViolation, words)
}
