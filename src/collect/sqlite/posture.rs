//! What the bytes of a database file show: whether they are plain.

use crate::model::database::{AtRest, Layer, StoredFile};
use crate::model::{Fact, Reason, Trouble};
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
const JOURNAL: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
const BLOCK: usize = 4096;
/// Beginnings of files that are compressed and no database, though their bytes look like chance.
const OTHERS: &[&[u8]] = &[
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"\x28\xb5\x2f\xfd",
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"%PDF",
];

/// What a file is.
pub struct Posture {
    /// The facts.
    pub facts: AtRest,
    /// SQLite can read it without a key.
    pub readable: bool,
}

/// The state of the bytes of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bytes {
    Plain,
    Uniform,
    Empty,
}

/// Looks at the first blocks of the file and of what stands beside it.
pub fn read(path: &Path) -> Result<Posture, Trouble> {
    let (state, seen) = main_file(path)?;
    let layer = layer(state, seen);
    let readable = state != Bytes::Uniform;
    let main = match state {
        Bytes::Plain => Fact::Known("plain".to_owned()),
        Bytes::Uniform => Fact::Known("encrypted".to_owned()),
        Bytes::Empty => Fact::unknown("the file is empty"),
    };
    let files = vec![
        StoredFile { kind: "data".to_owned(), state: main, source: seen.to_owned() },
        beside(path, "-wal", "wal", wal),
        beside(path, "-journal", "journal", journal),
    ];
    let would_show = match state {
        Bytes::Plain => vec!["the state of the disk below the file, as its host sees it".to_owned()],
        Bytes::Uniform => {
            vec!["the key's owner: PRAGMA cipher_version and PRAGMA cipher_settings with the key".to_owned()]
        }
        Bytes::Empty => vec!["the file once it holds something".to_owned()],
    };
    let not_covered =
        ["backups and exports", "the disk below the file", "where the key is kept", "memory, swap and core dumps"];
    let not_covered = not_covered.iter().map(|what| (*what).to_owned()).collect();
    let facts = AtRest { serves: Vec::new(), applicable: true, layers: vec![layer], files, not_covered, would_show };
    Ok(Posture { facts, readable })
}

fn layer(state: Bytes, seen: &str) -> Layer {
    let (encrypted, level) = match state {
        Bytes::Plain => (Fact::Known(false), 5),
        // Bytes like chance can come of compression too: on their own they are no proof of the highest level.
        Bytes::Uniform => (Fact::Known(true), 2),
        Bytes::Empty => (Fact::unknown("the file is empty"), 0),
    };
    let of_encrypted = match state {
        Bytes::Plain => "the file is not encrypted",
        Bytes::Uniform => "the bytes do not tell; the owner of the key can",
        Bytes::Empty => "the file is empty",
    };
    Layer {
        layer: "file".to_owned(),
        encrypted,
        algorithm: Fact::unknown(of_encrypted),
        key_bits: Fact::unknown(of_encrypted),
        mode: Fact::unknown(of_encrypted),
        scope: "the file".to_owned(),
        level,
        source: seen.to_owned(),
        key_location: Fact::unknown(of_encrypted),
    }
}

fn main_file(path: &Path) -> Result<(Bytes, &'static str), Trouble> {
    let (mut file, length) = open(path)?;
    if length == 0 {
        return Ok((Bytes::Empty, "a length of 0 bytes"));
    }
    let first = block(&mut file, 0)?;
    if first.starts_with(MAGIC) {
        let rest = first.get(100..).unwrap_or_default();
        let page = first.get(100).copied().unwrap_or_default();
        return if rest.len() + 100 == BLOCK && is_uniform(rest) {
            // Some ciphers leave the header readable and encrypt what comes after it.
            Ok((Bytes::Uniform, "a readable header, and bytes like chance after it"))
        } else if matches!(page, 2 | 5 | 10 | 13) {
            Ok((Bytes::Plain, "the header of a plain SQLite file, and readable pages"))
        } else {
            Err(Trouble::new(Reason::ProtocolViolation, "the header is SQLite's and the first page is damaged"))
        };
    }
    if OTHERS.iter().any(|magic| first.starts_with(magic)) || length < 2 * BLOCK as u64 {
        return Err(not_a_database());
    }
    let second = block(&mut file, BLOCK as u64)?;
    if is_uniform(&first) && is_uniform(&second) {
        Ok((Bytes::Uniform, "no readable header, and bytes like chance in the first two pages"))
    } else {
        Err(not_a_database())
    }
}

fn not_a_database() -> Trouble {
    Trouble::new(Reason::ProtocolViolation, "the file is not an SQLite database")
}

/// Opens a regular file: a device or a pipe could block or never end.
fn open(path: &Path) -> Result<(File, u64), Trouble> {
    let meta = std::fs::metadata(path).map_err(|error| trouble(&error))?;
    if !meta.is_file() {
        return Err(Trouble::new(Reason::ProtocolViolation, "this is not a regular file"));
    }
    Ok((File::open(path).map_err(|error| trouble(&error))?, meta.len()))
}

fn trouble(error: &std::io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Trouble::new(Reason::Unreachable, "there is no such file"),
        ErrorKind::PermissionDenied => Trouble::new(Reason::PermissionDenied, "the file may not be read by this user"),
        kind => Trouble::new(Reason::Unreachable, format!("the file cannot be read: {kind}")),
    }
}

/// Up to one block from this place.
fn block(file: &mut File, from: u64) -> Result<Vec<u8>, Trouble> {
    let mut bytes = Vec::with_capacity(BLOCK);
    file.seek(SeekFrom::Start(from)).map_err(|error| trouble(&error))?;
    file.take(BLOCK as u64).read_to_end(&mut bytes).map_err(|error| trouble(&error))?;
    Ok(bytes)
}

/// The bytes are spread as chance would spread them: a chi-square test with 255 degrees of freedom.
fn is_uniform(bytes: &[u8]) -> bool {
    let mut counts = [0u64; 256];
    for byte in bytes {
        if let Some(count) = counts.get_mut(usize::from(*byte)) {
            *count += 1;
        }
    }
    let expected = bytes.len() as f64 / 256.0;
    if expected < 5.0 {
        return false;
    }
    let chi_square: f64 = counts.iter().map(|count| (*count as f64 - expected).powi(2) / expected).sum();
    // Looser than the 190 to 330 of a test over many blocks, since here each of two blocks has to pass.
    (170.0..=360.0).contains(&chi_square)
}

fn beside(
    path: &Path,
    suffix: &str,
    kind: &str,
    state: fn(&mut File, u64) -> Result<Fact<String>, Trouble>,
) -> StoredFile {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    let stored =
        |state: Fact<String>, source: &str| StoredFile { kind: kind.to_owned(), state, source: source.to_owned() };
    match open(&PathBuf::from(name)) {
        Ok((_, 0)) => stored(Fact::Known("absent".to_owned()), "a length of 0 bytes"),
        Ok((mut file, length)) => {
            let state = state(&mut file, length).unwrap_or_else(|trouble| Fact::unknown(trouble.to_string()));
            stored(state, "the first bytes of the first page in it")
        }
        Err(trouble) if trouble.reason == Reason::Unreachable => {
            stored(Fact::Known("absent".to_owned()), "no such file beside the data")
        }
        Err(trouble) => stored(Fact::unknown(trouble.to_string()), ""),
    }
}

/// The header of a write-ahead log is always readable: what counts is the page in its first frame.
fn wal(file: &mut File, length: u64) -> Result<Fact<String>, Trouble> {
    pages(file, 32 + 24, length, |head| head.starts_with(&[0x37, 0x7f, 0x06]))
}

/// The header of a rollback journal fills a sector, and its first page comes after four bytes.
fn journal(file: &mut File, length: u64) -> Result<Fact<String>, Trouble> {
    // A journal that is over has its header cleared and its pages left.
    pages(file, 512 + 4, length, |head| head.starts_with(&JOURNAL) || head.iter().take(28).all(|byte| *byte == 0))
}

fn pages(file: &mut File, from: u64, length: u64, known: fn(&[u8]) -> bool) -> Result<Fact<String>, Trouble> {
    if !known(&block(file, 0)?) {
        return Ok(Fact::unknown("it has not the header of its kind"));
    }
    if length < from + 2048 {
        return Ok(Fact::unknown("it holds too little to tell"));
    }
    let uniform = is_uniform(&block(file, from)?);
    Ok(Fact::Known(if uniform { "encrypted" } else { "plain" }.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            u8::try_from(state >> 56).unwrap()
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn noise_is_uniform_and_text_is_not() {
        assert!(is_uniform(&noise(BLOCK)));
        assert!(!is_uniform(&[0; BLOCK]));
        assert!(!is_uniform("all work and no play makes a dull boy ".repeat(108).as_bytes()));
        assert!(!is_uniform(&noise(64)));
    }
}
