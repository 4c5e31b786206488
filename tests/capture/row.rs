//! From captured hellos to a row: what is constant is kept, what is made up anew is named so.

use crate::Captured;
use crate::limits::Limits;
use probity::catalogue::registry::{ClientRow as Row, is_grease, suite};
use probity::wire::{Extension, extension};
use std::collections::BTreeSet;

/// Extensions whose data other columns tell, or that are made anew for each hello.
const TOLD: [u16; 8] = [
    extension::SERVER_NAME,
    extension::SUPPORTED_GROUPS,
    extension::SIGNATURE_ALGORITHMS,
    extension::ALPN,
    extension::PADDING,
    extension::SUPPORTED_VERSIONS,
    extension::KEY_SHARE,
    extension::ENCRYPTED_HELLO,
];

/// What is said of the client, beside its hello.
pub struct Options {
    /// How often the client is started.
    pub runs: usize,
    /// What it refuses is tried.
    pub limits: bool,
    /// It was told to trust the lab's anchor; otherwise it takes any certificate, and chains cannot be tried.
    pub trusts: bool,
    row: Row,
}

impl Options {
    /// Reads `--name value` pairs.
    pub fn read(words: &[String]) -> Result<Options, String> {
        let mut options = Options { runs: 3, limits: false, trusts: true, row: Row::default() };
        for pair in words.chunks(2) {
            let [name, value] = pair else { return Err(format!("{} needs a value", pair[0])) };
            let number = || value.parse::<i64>().map_err(|_| format!("{name}: {value} is no number"));
            let row = &mut options.row;
            match name.as_str() {
                "--runs" => options.runs = usize::try_from(number()?).map_err(|error| error.to_string())?.max(1),
                "--id" => row.id.clone_from(value),
                "--name" => row.name.clone_from(value),
                "--version" => row.version.clone_from(value),
                "--library" => row.library.clone_from(value),
                "--source" => row.source.clone_from(value),
                "--kind" => (row.browser, row.current) = kind(value)?,
                "--limits" => (options.limits, options.trusts) = limits(value)?,
                "--oldest" => row.oldest.clone_from(value),
                "--sha2" => row.requires_sha2_cert = Some(u8::from(value == "1")),
                _ => return Err(format!("{name} is no option")),
            }
        }
        Ok(options)
    }

    /// Takes what was measured.
    pub fn set(&mut self, limits: Limits) {
        self.row.oldest = limits.oldest;
        self.row.min_dh_bits = limits.min_dh_bits;
        self.row.max_dh_bits = limits.max_dh_bits;
        self.row.requires_sha2_cert = limits.requires_sha2_cert;
    }
}

/// Whether the client offers key exchange over a finite field of the server's.
pub fn offers_fields(captured: &[Captured]) -> bool {
    let field = |id: &u16| suite(u32::from(*id), false).is_some_and(|row| row.kx == "DHE");
    captured.iter().any(|one| one.hello.suites.iter().any(field))
}

/// `yes`, or `any-chain` for a client that takes every certificate.
fn limits(word: &str) -> Result<(bool, bool), String> {
    match word {
        "yes" => Ok((true, true)),
        "any-chain" => Ok((true, false)),
        _ => Err(format!("{word} is neither yes nor any-chain")),
    }
}

/// `browser`, `current` or `old`.
fn kind(word: &str) -> Result<(u8, u8), String> {
    match word {
        "browser" => Ok((1, 1)),
        "current" => Ok((0, 1)),
        "old" => Ok((0, 0)),
        _ => Err(format!("{word} is neither browser, current nor old")),
    }
}

/// The row, as a line of CSV.
pub fn write(options: &Options, command: &[String], captured: &[Captured]) -> Result<Vec<u8>, String> {
    let first = captured.first().ok_or("nothing was captured")?;
    let hello = &first.hello;
    let mut row = options.row.clone();
    row.captured = jiff::Zoned::now().date().to_string();
    row.method = format!("{}, {} times", command.join(" "), captured.len());
    row.hello_version = word(hello.version);
    row.record_version = word(first.record_version);
    row.session_id = hello.session_id.len();
    row.compression = hello.compression.iter().map(|method| word(u16::from(*method))).collect::<Vec<_>>().join(" ");
    row.suites = same(captured, "suites", |one| words(&one.hello.suites))?;
    row.groups = same(captured, "groups", |one| words(&one.hello.groups()))?;
    row.schemes = same(captured, "schemes", |one| words(&one.hello.schemes()))?;
    row.alpn = same(captured, "alpn", |one| one.hello.alpn().join(" "))?;
    row.shares = same(captured, "shares", |one| {
        words(&one.hello.shares().into_iter().map(|(group, _)| group).collect::<Vec<_>>())
    })?;
    if hello.extension(extension::SUPPORTED_VERSIONS).is_some() {
        row.versions = same(captured, "versions", |one| words(&one.hello.versions()))?;
    } else {
        row.versions = word(hello.version);
    }
    let (extensions, shuffled) = extensions(captured)?;
    row.shuffled = u8::from(shuffled);
    row.grease = u8::from(extensions.contains("GREASE") || row.suites.contains("GREASE"));
    row.extensions = extensions;
    let mut table = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    table.serialize(row).map_err(|error| error.to_string())?;
    table.into_inner().map_err(|error| error.to_string())
}

/// A text that must be the same in each run.
fn same(captured: &[Captured], what: &str, text: impl Fn(&Captured) -> String) -> Result<String, String> {
    let texts: BTreeSet<String> = captured.iter().map(text).collect();
    match texts.len() {
        1 => Ok(texts.into_iter().next().unwrap_or_default()),
        _ => Err(format!("{what} differ from run to run: {texts:?}")),
    }
}

/// The extensions, in the order of the first run, or by number between the made up ones where the order changes.
fn extensions(captured: &[Captured]) -> Result<(String, bool), String> {
    let of = |one: &Captured| -> Vec<String> {
        one.hello.extensions.iter().flatten().filter(|one| one.kind != extension::PADDING).map(told).collect()
    };
    let sorted = |one: &Captured| {
        let mut list = of(one);
        list.sort();
        list.join(" ")
    };
    same(captured, "extensions", sorted)?;
    let orders: BTreeSet<Vec<String>> = captured.iter().map(of).collect();
    if let [only] = orders.iter().collect::<Vec<_>>()[..] {
        // The order holds, so padding, where some run has it, has its place, too.
        let longest = captured.iter().filter_map(|one| one.hello.extensions.as_ref()).max_by_key(|list| list.len());
        let list = longest.map(|list| list.iter().map(told).collect()).unwrap_or_else(|| only.clone());
        return Ok((list.join(" "), false));
    }
    let mut list = orders.into_iter().next().unwrap_or_default();
    let ends = list.iter().filter(|word| word.starts_with("GREASE")).cloned().collect::<Vec<_>>();
    list.retain(|word| !word.starts_with("GREASE"));
    list.sort();
    // The empty one comes first.
    let mut ends = ends.into_iter();
    let first = ends.next();
    Ok((first.into_iter().chain(list).chain(ends).collect::<Vec<_>>().join(" "), true))
}

/// `0xFF01:00`, or the type alone where the data is empty or told elsewhere.
fn told(one: &Extension) -> String {
    let kind = word(one.kind);
    if TOLD.contains(&one.kind) || one.body.is_empty() {
        return kind;
    }
    format!("{kind}:{}", one.body.iter().map(|byte| format!("{byte:02X}")).collect::<String>())
}

fn words(list: &[u16]) -> String {
    list.iter().map(|value| word(*value)).collect::<Vec<_>>().join(" ")
}

fn word(value: u16) -> String {
    if is_grease(value) { "GREASE".to_owned() } else { format!("0x{value:04X}") }
}
