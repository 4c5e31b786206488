//! Archives as people pack them, and as nobody should.

use super::super::archive::{Kind, Room, walk};
use super::*;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;

/// What was taken of an archive, and why it was not gone through.
struct Taken {
    files: Vec<(String, Result<String, String>)>,
    cut: Option<Trouble>,
}

impl Taken {
    fn of(kind: Kind, archive: &[u8]) -> Taken {
        Taken::within(kind, archive, &mut Room { bytes: MAX_TOTAL, files: MAX_FILES })
    }

    fn within(kind: Kind, archive: &[u8], room: &mut Room) -> Taken {
        let mut files = Vec::new();
        let length = archive.len() as u64;
        let ended = walk(kind, Cursor::new(archive), length, room, &mut |name, bytes| {
            files.push((name.to_owned(), bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())));
        });
        Taken { files, cut: ended.err() }
    }

    fn names(&self) -> Vec<&str> {
        self.files.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Why a file was not read.
    fn why(&self, number: usize) -> &str {
        self.files[number].1.as_ref().unwrap_err()
    }

    fn reason(&self) -> Option<Reason> {
        self.cut.as_ref().map(|cut| cut.reason)
    }
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn tarred(files: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

const FILE: tar::EntryType = tar::EntryType::Regular;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The same bytes with every place of `from` changed to `to`, of the same length.
fn changed(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = (0..=bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

/// Where the header of a ZIP's first file begins, by this mark.
fn header(bytes: &[u8], mark: &[u8]) -> usize {
    bytes.windows(mark.len()).position(|window| window == mark).unwrap()
}

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";

#[test]
fn each_kind_gives_its_files() {
    let packed = zipped(&[("orders.json", b"{}"), ("more/talks.csv", b"a\n1\n")]);
    let tar = tarred(&[
        ("./orders.json", FILE, b"{}"),
        ("more/", tar::EntryType::Directory, b""),
        ("more/talks.csv", FILE, b"a\n1\n"),
    ]);
    for (kind, bytes) in [(Kind::Zip, packed), (Kind::Tar, tar.clone()), (Kind::GzippedTar, gzipped(&tar))] {
        let taken = Taken::of(kind, &bytes);
        assert_eq!((taken.names(), &taken.cut), (vec!["orders.json", "more/talks.csv"], &None));
        assert_eq!(taken.files[1].1, Ok("a\n1\n".to_owned()));
    }
    for (name, kind) in [
        ("A.ZIP", Some(Kind::Zip)),
        ("a.tar", Some(Kind::Tar)),
        ("a.tar.gz", Some(Kind::GzippedTar)),
        ("a.tgz", Some(Kind::GzippedTar)),
        ("a.docx", None),
        ("a.json.gz", None),
        ("a.7z", None),
    ] {
        assert!(Kind::of(name) == kind, "{name}");
    }
}

#[test]
fn long_names_are_read_and_endless_ones_are_not() {
    let long = format!("münchen/{}.csv", "x".repeat(200));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(2);
    header.set_cksum();
    builder.append_data(&mut header, &long, &b"a\n"[..]).unwrap();
    let path = [("path", long.as_bytes()), ("mtime", b"1.5")];
    builder.append_pax_extensions(path).unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("short").unwrap();
    header.set_size(2);
    header.set_cksum();
    builder.append(&header, &b"b\n"[..]).unwrap();
    let taken = Taken::of(Kind::Tar, &builder.into_inner().unwrap());
    assert_eq!((taken.names(), taken.why(1)), (vec![long.as_str(), long.as_str()], TWICE));
    // Megabytes of a name that pack into a few bytes.
    let bomb =
        gzipped(&tarred(&[("././@LongLink", tar::EntryType::GNULongName, &vec![b'a'; 2 << 20]), ("a", FILE, b"")]));
    assert!(bomb.len() < 100_000);
    assert_eq!(Taken::of(Kind::GzippedTar, &bomb).reason(), Some(Reason::TooLarge));
    let two = tarred(&[("a", tar::EntryType::XHeader, b"11 size=99\n"), ("a", FILE, b"x")]);
    assert_eq!(Taken::of(Kind::Tar, &two).reason(), Some(Reason::Unsupported));
}

const TWICE: &str = archive::TWICE;

#[test]
fn a_name_that_leads_elsewhere_is_none() {
    let bad = [
        "../a.json",
        "/etc/passwd",
        "a/../../b.json",
        "C:\\a.json",
        "a\\b.json",
        "a//b.json",
        "a\u{7}.json",
        "c:a.json",
    ];
    let files: Vec<(&str, &[u8])> = bad.iter().map(|name| (*name, &b"{}"[..])).collect();
    let entries: Vec<_> = files.iter().map(|(name, bytes)| (*name, FILE, *bytes)).collect();
    for (kind, bytes) in [(Kind::Zip, zipped(&files)), (Kind::Tar, tarred(&entries))] {
        let taken = Taken::of(kind, &bytes);
        assert_eq!(taken.cut, None);
        assert!(
            taken.files.len() == bad.len() && taken.files.iter().all(|(name, bytes)| name.is_empty() && bytes.is_err())
        );
    }
}

#[test]
fn links_and_pipes_are_named_and_not_read() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_symlink("a.json", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let taken = Taken::of(Kind::Zip, &writer.finish().unwrap().into_inner());
    assert!(taken.names() == ["a.json"] && taken.why(0).contains("link"));
    let kinds = [
        tar::EntryType::Symlink,
        tar::EntryType::Link,
        tar::EntryType::Fifo,
        tar::EntryType::Char,
        tar::EntryType::GNUSparse,
    ];
    for kind in kinds {
        let taken = Taken::of(Kind::Tar, &tarred(&[("a.json", kind, b""), ("b.json", FILE, b"{}")]));
        assert!(taken.names() == ["a.json", "b.json"] && taken.why(0).contains("link"), "{kind:?}");
        assert_eq!(taken.files[1].1, Ok("{}".to_owned()));
    }
}

#[test]
fn of_two_files_of_one_name_neither_counts() {
    let twice = changed(&zipped(&[("a.json", b"{\"u\": 7}"), ("b.json", b"[]")]), b"b.json", b"a.json");
    let tar = tarred(&[("a.json", FILE, b"[]"), ("./a.json", FILE, b"[]")]);
    for (kind, bytes) in [(Kind::Zip, twice), (Kind::Tar, tar)] {
        let taken = Taken::of(kind, &bytes);
        assert_eq!((taken.names(), taken.why(1)), (vec!["a.json", "a.json"], TWICE));
    }
    let clean = Reading { records: Fact::Known(1), foreign: Fact::Known(0) }.doubtful();
    assert_eq!((clean.records.known(), clean.foreign.known()), (None, None));
    let foreign = Reading { records: Fact::Known(3), foreign: Fact::Known(2) }.doubtful();
    assert_eq!((foreign.records.known(), foreign.foreign), (None, Fact::Known(2)), "what was seen stays seen");
}

#[test]
fn sizes_and_sums_are_counted_and_not_believed() {
    let whole = zipped(&[("a.json", b"[1, 2, 3]"), ("b.json", b"[]")]);
    let patched = |local: usize, central: usize, value: &[u8]| {
        let mut bytes = whole.clone();
        for (mark, at) in [(LOCAL, local), (CENTRAL, central)] {
            let begin = header(&bytes, mark) + at;
            bytes[begin..begin + value.len()].copy_from_slice(value);
        }
        Taken::of(Kind::Zip, &bytes)
    };
    // Unpacked size: less and more than there is.
    for size in [0u32, 2, 4_000_000_000] {
        let taken = patched(22, 24, &size.to_le_bytes());
        let read = taken.files.first().and_then(|(_, bytes)| bytes.as_ref().ok());
        assert!(read.is_none_or(|text| text == "[1, 2, 3]"), "{size}: {:?}", taken.files);
    }
    // A sum that is not that of the bytes, and a way of packing that there is not.
    assert!(patched(14, 16, &[1, 2, 3, 4]).files[0].1.is_err());
    let taken = patched(8, 10, &[13, 0]);
    assert!(taken.why(0) == "it cannot be read: unsupported", "{:?} {:?}", taken.files, taken.cut);
    // The bit that says encrypted.
    let taken = patched(6, 8, &[1, 0]);
    assert_eq!((taken.why(0), taken.files.len()), ("it is encrypted", 2));
    // Two headers that differ show each reader another archive.
    let mut cloaked = whole.clone();
    let at = header(&cloaked, b"a.json");
    cloaked[at] = b'z';
    assert_eq!(Taken::of(Kind::Zip, &cloaked).reason(), Some(Reason::ProtocolViolation));
}

#[test]
fn a_bomb_does_not_go_off() {
    let zeros = vec![0; 4 << 20];
    let bomb = zipped(&[("a.json", &zeros), ("b.json", b"[]")]);
    assert!(bomb.len() < 100_000);
    let mut room = Room { bytes: MAX_TOTAL, files: MAX_FILES };
    let taken = Taken::within(Kind::Zip, &bomb, &mut room);
    assert!(taken.why(0).contains("larger than what is read"), "{:?}", taken.files);
    assert!(MAX_TOTAL - room.bytes <= bomb.len() as u64 * 200 + (1 << 20) + 1, "no more was unpacked than may be");
    let tar = tarred(&[("a.json", FILE, &zeros), ("b.json", FILE, b"[]")]);
    assert_eq!(Taken::of(Kind::GzippedTar, &gzipped(&tar)).reason(), Some(Reason::TooLarge));
    // Too many files.
    let names: Vec<String> = (0..=MAX_FILES).map(|n| format!("{n}.json")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"[]"[..])).collect();
    let taken = Taken::of(Kind::Zip, &zipped(&files));
    assert_eq!((taken.files.len(), taken.reason()), (MAX_FILES, Some(Reason::TooLarge)));
    // An archive within an archive stays closed.
    let inner = zipped(&[("a.json", b"[]")]);
    let seen = read("in.zip", &inner, &[]);
    assert!(seen.format == "archive" && seen.readable.known().is_none());
}

#[test]
fn what_is_cut_off_is_not_the_whole() {
    let files = [("a.json", FILE, &b"[1]"[..]), ("b.json", FILE, &b"[2]"[..])];
    let tar = tarred(&files);
    let packed = zipped(&[("a.json", b"[1]"), ("b.json", b"[2]")]);
    let gz = gzipped(&tar);
    for (kind, bytes) in [
        (Kind::Tar, &tar[..1024]),
        (Kind::Tar, &tar[..1026]),
        (Kind::Tar, &tar[..1600]),
        (Kind::GzippedTar, &gz[..gz.len() - 9]),
        (Kind::Zip, &packed[..packed.len() - 4]),
        (Kind::Zip, b"PK\x03\x04"),
        (Kind::Zip, b""),
        (Kind::Tar, b""),
        (Kind::GzippedTar, b"{}"),
        (Kind::Tar, &[b'x'; 2048][..]),
    ] {
        let taken = Taken::of(kind, bytes);
        assert_eq!(taken.reason(), Some(Reason::ProtocolViolation), "{:?}", taken.files);
    }
    let mut wrong = gz.clone();
    let last = wrong.len() - 6;
    wrong[last] ^= 1;
    assert_eq!(Taken::of(Kind::GzippedTar, &wrong).reason(), Some(Reason::ProtocolViolation), "the sum at the end");
}
