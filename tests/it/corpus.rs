//! Seeds and past crashes of every fuzz target, replayed on every run: any input, no panic.

use std::collections::BTreeSet;
use std::path::PathBuf;

type Entry = fn(&[u8]);

/// The entries, by the name of their fuzz target and of their folder in `tests/corpus`.
const ENTRIES: &[(&str, Entry)] = &[
    ("alert", probity::wire::fuzz::alert),
    ("archive", probity::collect::export::archive::fuzz),
    ("bucket", probity::collect::objects::fuzz),
    ("bundle", probity::store::bundle::fuzz),
    ("client_hello", probity::wire::fuzz::client_hello),
    ("dialogue", probity::wire::fuzz::dialogue),
    ("dns", probity::wire::fuzz::dns),
    ("evidence", probity::worker::fuzz),
    ("export", probity::collect::export::reader::fuzz),
    ("html", probity::wire::fuzz::html),
    ("http", probity::collect::http::fuzz),
    ("key_exchange", probity::wire::fuzz::key_exchange),
    ("luks", probity::wire::fuzz::luks),
    ("mail", probity::model::mail::fuzz),
    ("mountinfo", probity::wire::fuzz::mountinfo),
    ("mysql", probity::wire::fuzz::mysql),
    ("op_msg", probity::wire::fuzz::op_msg),
    ("postgres", probity::collect::postgres::fuzz),
    ("postgres_greeting", probity::wire::fuzz::postgres),
    ("records", probity::wire::fuzz::records),
    ("retention", probity::model::retention::fuzz),
    ("resp", probity::wire::fuzz::resp),
    ("sct", probity::wire::fuzz::sct),
    ("server_flight", probity::wire::fuzz::server_flight),
    ("server_hello", probity::wire::fuzz::server_hello),
    ("ssl2", probity::wire::fuzz::ssl2),
    ("ticket", probity::wire::fuzz::ticket),
    ("wire_certificate", probity::wire::fuzz::certificate),
    ("x509", probity::collect::tls::certificate::fuzz),
    ("yaml", probity::yaml::fuzz),
    ("zone", probity::target::zone::fuzz),
];

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = corpus().join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

#[test]
fn every_seed_is_read_without_a_panic_whole_cut_and_changed() {
    for (name, entry) in ENTRIES {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "tests/corpus/{name} is empty");
        for (file, bytes) in seeds {
            eprintln!("{}", file.display());
            entry(&bytes);
            // A prefix at each of some places, and one bit changed there.
            let step = (bytes.len() / 64).max(1);
            for at in (0..bytes.len()).step_by(step) {
                entry(&bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                entry(&changed);
            }
        }
    }
}

#[test]
fn every_folder_of_seeds_belongs_to_an_entry() {
    let folders: BTreeSet<String> =
        std::fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let entries: BTreeSet<String> = ENTRIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(folders, entries);
}

/// What the seeds stand for: one that no parser takes past its first check seeds nothing.
#[test]
fn seeds_are_what_their_parsers_take() {
    use probity::wire::{ClientHello, ServerHello};
    let any = |name: &str, takes: &dyn Fn(&[u8]) -> bool| {
        assert!(seeds(name).iter().any(|(_, bytes)| takes(bytes)), "no seed of {name} is taken whole");
    };
    any("client_hello", &|bytes| ClientHello::parse(bytes).is_ok());
    any("server_hello", &|bytes| ServerHello::parse(bytes).is_ok());
    any("wire_certificate", &|bytes| probity::wire::certificate::parse_chain(bytes).is_ok());
    any("ticket", &|bytes| probity::wire::Ticket::parse(bytes).is_ok());
    any("ticket", &|bytes| probity::wire::Ticket::parse_modern(bytes).is_ok());
    any("luks", &|bytes| probity::wire::luks::parse(bytes).is_ok());
    any("luks", &|bytes| probity::wire::luks::areas(bytes).is_ok());
    any("mountinfo", &|bytes| probity::wire::mountinfo::parse(bytes).is_ok_and(|mounts| mounts.len() > 3));
    any("mountinfo", &|bytes| probity::wire::mountinfo::swaps(bytes).is_ok());
    any("alert", &|bytes| probity::wire::Alert::parse(bytes).is_ok());
    any("evidence", &|bytes| probity::worker::read_evidence(bytes).is_ok());
    any("retention", &|bytes| String::from_utf8_lossy(bytes).parse::<probity::model::retention::Expression>().is_ok());
    any("zone", &|bytes| {
        let zone = probity::target::zone::Zone::read("seed", &String::from_utf8_lossy(bytes));
        zone.is_ok_and(|zone| !zone.services.is_empty())
    });
    any("yaml", &|bytes| probity::yaml::read::<serde_json::Value>("seed", &String::from_utf8_lossy(bytes)).is_ok());
}
