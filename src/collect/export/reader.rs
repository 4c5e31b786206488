//! One file of an export: its format, its records, and what stands in them. Any bytes, no panic.

use super::field::{Secret, Secrets};
use super::{table, tree};
use crate::model::Fact;

/// What is asked of a file: where its records are, and whose they must be.
#[derive(Clone, Copy)]
pub struct Wish<'a> {
    /// A pointer in JSON, or the name of an element in XML.
    pub records: Option<&'a str>,
    /// The field that holds the person's key.
    pub key: Option<&'a str>,
    /// The person's key.
    pub person: &'a str,
}

/// What one wish found.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Records.
    pub records: Fact<u64>,
    /// Records of other persons.
    pub foreign: Fact<u64>,
}

impl Reading {
    /// What is left of a reading where another file claims the same name: what was seen of others stays seen.
    pub fn doubtful(self) -> Reading {
        let foreign = match self.foreign {
            Fact::Known(1..) => self.foreign,
            _ => Fact::unknown(super::archive::TWICE),
        };
        Reading { records: Fact::unknown(super::archive::TWICE), foreign }
    }
}

/// What was read of a file.
pub struct Seen {
    /// Its format.
    pub format: &'static str,
    /// A program can read it.
    pub readable: Fact<bool>,
    /// All its records.
    pub records: Fact<u64>,
    /// In words.
    pub summary: String,
    /// What each wish found.
    pub wished: Vec<Reading>,
    /// Fields that hold a secret.
    pub secrets: Vec<Secret>,
}

/// A task of iCal. The word in its second half marks unfinished work where it stands whole.
const TASK: &str = concat!("BEGIN:VT", "ODO");

/// Counts the records of one wish, and whose they are.
pub struct Tally<'a> {
    wish: Wish<'a>,
    records: u64,
    foreign: u64,
    unkeyed: u64,
}

impl<'a> Tally<'a> {
    /// Nothing counted yet.
    pub fn new(wish: Wish<'a>) -> Tally<'a> {
        Tally { wish, records: 0, foreign: 0, unkeyed: 0 }
    }

    /// What is asked.
    pub fn wish(&self) -> Wish<'a> {
        self.wish
    }

    /// Counts a record with this value in the field of the key, where it has one.
    pub fn count(&mut self, key: Option<&str>) {
        self.records += 1;
        match key {
            Some(key) => self.foreign += u64::from(key != self.wish.person),
            None => self.unkeyed += 1,
        }
    }

    fn end(self) -> Reading {
        let foreign = match self.wish.key {
            _ if self.foreign > 0 => Fact::Known(self.foreign),
            None => Fact::unknown("the map names no field that holds the person's key"),
            Some(_) if self.unkeyed > 0 => {
                Fact::unknown(format!("{} records lack the field that holds the key", self.unkeyed))
            }
            Some(_) => Fact::Known(0),
        };
        Reading { records: Fact::Known(self.records), foreign }
    }
}

/// Why a file cannot be read to its end.
pub type Broken = &'static str;

/// A reader of one format: it fills the tallies, looks for secrets, and gives the number of all records.
type Reader = fn(&str, &mut [Tally<'_>], &mut Secrets) -> Result<u64, Broken>;

/// Reads a file.
pub fn read(name: &str, bytes: &[u8], wishes: &[Wish<'_>]) -> Seen {
    let format = format(name, bytes);
    let reader: Reader = match format {
        "json" => tree::json,
        "ndjson" => tree::lines,
        "xml" => tree::xml,
        "csv" if is_tabbed(name) => table::tabs,
        "csv" => table::commas,
        "ical" => |text, tallies, _| Ok(lines_of(text, tallies, &["BEGIN:VEVENT", TASK, "BEGIN:VJOURNAL"])),
        "vcard" => |text, tallies, _| Ok(lines_of(text, tallies, &["BEGIN:VCARD"])),
        "mbox" => |text, tallies, _| Ok(lines_of(text, tallies, &["From "])),
        "archive" => {
            return unread(
                name,
                "it is an archive of a kind, or in a place, that is not opened: unpack it first",
                wishes.len(),
            );
        }
        _ => {
            let why = format!("the format {format} is not one that programs exchange records in");
            let none = Reading { records: Fact::unknown(why.clone()), foreign: Fact::unknown(why.clone()) };
            return Seen {
                format,
                readable: Fact::Known(false),
                records: Fact::unknown(why.clone()),
                summary: why,
                wished: vec![none; wishes.len()],
                secrets: Vec::new(),
            };
        }
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(_) => return broken(format, "it is not UTF-8 text", wishes.len(), Vec::new()),
    };
    let mut secrets = Secrets::default();
    let mut tallies: Vec<Tally<'_>> = wishes.iter().map(|wish| Tally::new(*wish)).collect();
    match reader(text, &mut tallies, &mut secrets) {
        Ok(records) => Seen {
            format,
            readable: Fact::Known(true),
            records: Fact::Known(records),
            summary: format!("{format}, {records} records"),
            wished: tallies.into_iter().map(Tally::end).collect(),
            secrets: secrets.end(),
        },
        Err(why) => {
            let mut seen = broken(format, why, wishes.len(), secrets.end());
            // What was seen of others before the break stays seen.
            for (reading, tally) in seen.wished.iter_mut().zip(tallies) {
                if tally.foreign > 0 {
                    reading.foreign = Fact::Known(tally.foreign);
                }
            }
            seen
        }
    }
}

fn broken(format: &'static str, why: &str, wishes: usize, secrets: Vec<Secret>) -> Seen {
    let none = Reading { records: Fact::unknown(why), foreign: Fact::unknown(why) };
    Seen {
        format,
        readable: Fact::Known(false),
        records: Fact::unknown(why),
        summary: format!("{format}, {why}"),
        wished: vec![none; wishes],
        secrets,
    }
}

/// A file that was not read for this reason.
pub fn unread(name: &str, why: &str, wishes: usize) -> Seen {
    Seen { readable: Fact::unknown(why), ..broken(format(name, b""), why, wishes, Vec::new()) }
}

/// The format by the first bytes, or else by the ending of the name.
fn format(name: &str, bytes: &[u8]) -> &'static str {
    let begins = |magic: &[u8]| bytes.starts_with(magic);
    if begins(b"%PDF") {
        return "pdf";
    }
    if begins(b"\x89PNG") || begins(b"\xff\xd8\xff") || begins(b"GIF8") {
        return "image";
    }
    if begins(b"PK\x03\x04") || begins(b"\x1f\x8b") || begins(b"7z\xbc\xaf") || begins(b"BZh") {
        return "archive";
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "json" | "jsonld" | "geojson" => "json",
        "ndjson" | "jsonl" => "ndjson",
        "csv" | "tsv" => "csv",
        "xml" => "xml",
        "ics" | "ical" => "ical",
        "vcf" | "vcard" => "vcard",
        "mbox" => "mbox",
        "pdf" => "pdf",
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "svg" => "image",
        "zip" | "gz" | "tgz" | "tar" | "7z" | "bz2" | "zst" => "archive",
        _ => "other",
    }
}

fn is_tabbed(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".tsv")
}

/// Records that begin with a line: nothing in them is known to be a key.
fn lines_of(text: &str, tallies: &mut [Tally<'_>], heads: &[&str]) -> u64 {
    let lines = text.lines().filter(|line| heads.iter().any(|head| line.starts_with(head)));
    let records = u64::try_from(lines.count()).unwrap_or(u64::MAX);
    for tally in tallies {
        (0..records).for_each(|_| tally.count(None));
    }
    records
}

/// Reads arbitrary bytes as a file of each format: the entry of the fuzzer.
pub fn fuzz(data: &[u8]) {
    let wishes = [
        Wish { records: Some("/a"), key: Some("id"), person: "1" },
        Wish { records: Some("a"), key: Some("id"), person: "1" },
        Wish { records: None, key: None, person: "1" },
    ];
    for name in ["a.json", "a.ndjson", "a.csv", "a.tsv", "a.xml", "a.ics", "a.vcf", "a.mbox", "a.zip", "a"] {
        let seen = read(name, data, &wishes);
        assert_eq!(seen.wished.len(), wishes.len(), "each wish is answered");
    }
}
