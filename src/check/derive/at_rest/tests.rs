//! Tests of the derivation.

use super::evidence::Evidence;
use super::verdict;
use crate::model::database::{AtRest, Encryption, Layer, StoredFile};
use crate::model::host::{Disk, DiskPlace};
use crate::model::proof::{Proof, Searched};
use crate::model::{Fact, Reason, Trouble};

fn layer(name: &str, encrypted: Fact<bool>, level: u8) -> Layer {
    Layer {
        layer: name.to_owned(),
        encrypted,
        algorithm: Fact::Known("AES".to_owned()),
        key_bits: Fact::Known(256),
        mode: Fact::Known("XTS".to_owned()),
        scope: "the volume".to_owned(),
        level,
        source: format!("{name} source"),
        key_location: Fact::unknown("not told"),
    }
}

fn seen(layers: Vec<Layer>, files: Vec<(&str, &str)>) -> AtRest {
    let file = |(kind, state): (&str, &str)| StoredFile {
        kind: kind.to_owned(),
        state: Fact::Known(state.to_owned()),
        source: "its first bytes".to_owned(),
    };
    AtRest {
        serves: Vec::new(),
        applicable: true,
        layers,
        files: files.into_iter().map(file).collect(),
        not_covered: vec!["exports".to_owned()],
        would_show: vec!["the host".to_owned()],
    }
}

fn combine(store: &str, all: &[AtRest], troubles: &[Trouble], hostless: bool) -> Encryption {
    let mut evidence = Evidence::of(store);
    evidence.hostless = hostless;
    evidence.troubles = troubles.to_vec();
    all.iter().for_each(|facts| evidence.take_facts(facts));
    verdict::combine(evidence)
}

fn state(layers: Vec<Layer>, files: Vec<(&str, &str)>) -> Encryption {
    combine("db", &[seen(layers, files)], &[], true)
}

#[test]
fn the_strongest_evidence_that_says_encrypted_counts() {
    let state = state(vec![layer("instance", Fact::Known(true), 2), layer("disk", Fact::Known(true), 4)], vec![]);
    assert_eq!((state.encrypted, state.level, state.conflict), (Fact::Known(true), 4, false));
    assert_eq!((state.algorithm, state.key_bits), (Fact::Known("AES".to_owned()), Fact::Known(256)));
    assert_eq!(
        state.headline,
        "db: data files of the volume are encrypted (AES-256 XTS, disk layer), shown by disk source (strength 4/5); \
         not shown: exports"
    );
}

#[test]
fn a_plain_word_at_any_level_is_a_conflict_and_both_are_shown() {
    for (claim, plain) in [(4, 2), (2, 5)] {
        let mut other = layer("file", Fact::Known(false), plain);
        other.source = "plain source".to_owned();
        let state = state(vec![layer("file", Fact::Known(true), claim), other], vec![]);
        assert_eq!((&state.encrypted, state.conflict), (&Fact::Known(false), true));
        assert!(state.headline.contains("plain source") && state.headline.contains("file source"));
        // The stronger one comes first.
        let first = state.headline.find("file source").unwrap() < state.headline.find("plain source").unwrap();
        assert_eq!(first, claim > plain, "{}", state.headline);
        assert_eq!(state.facts.len(), 2);
    }
}

#[test]
fn one_plain_kind_of_file_spoils_encrypted_tables() {
    let table = || vec![layer("table", Fact::Known(true), 2)];
    assert_eq!(state(table(), vec![("wal", "plain")]).encrypted, Fact::Known(false));
    assert_eq!(state(table(), vec![("wal", "encrypted"), ("temp", "absent")]).encrypted, Fact::Known(true));
}

#[test]
fn only_plain_is_plain_without_conflict() {
    let state = state(vec![layer("file", Fact::Known(false), 5)], vec![]);
    assert_eq!((state.encrypted, state.conflict, state.level), (Fact::Known(false), false, 5));
    assert_eq!((state.algorithm, state.key_bits), (Fact::Known("none".to_owned()), Fact::Known(0)));
}

#[test]
fn no_evidence_and_mere_claims_are_unknown() {
    assert!(combine("db", &[], &[], true).encrypted.known().is_none());
    let untold = state(vec![layer("instance", Fact::unknown("it cannot tell"), 2)], vec![]);
    assert!(untold.encrypted.reason().unwrap().contains("it cannot tell"));
    assert_eq!((untold.level, untold.would_show.len()), (0, 2));
    let claim = state(vec![layer("disk", Fact::Known(true), 1)], vec![]);
    assert!(claim.encrypted.reason().unwrap().starts_with("claimed, not verified"));
    assert!(claim.algorithm.known().is_none());
}

#[test]
fn what_was_not_seen_spoils_a_yes_and_no_no() {
    let trouble = [Trouble::new(Reason::TimedOut, "nothing came")];
    let yes = [seen(vec![layer("disk", Fact::Known(true), 4)], vec![])];
    assert!(combine("db", &yes, &trouble, false).encrypted.reason().unwrap().contains("nothing came"));
    let no = [seen(vec![layer("file", Fact::Known(false), 5)], vec![])];
    assert_eq!(combine("db", &no, &trouble, false).encrypted, Fact::Known(false));
}

#[test]
fn files_alone_name_no_layer_and_prove_nothing() {
    let state = state(vec![], vec![("data", "encrypted")]);
    assert!(state.encrypted.known().is_none());
}

/// The machine's word on the files of `db` at these places.
fn disk(places: &[(&str, &str, Fact<bool>, u32)]) -> Disk {
    let place = |(kind, path, encrypted, bits): &(&str, &str, Fact<bool>, u32)| {
        let known = encrypted.known() == Some(&true);
        let mut layers = Vec::new();
        if known {
            layers.push(layer("disk", Fact::Known(true), 4));
        }
        DiskPlace {
            key: format!("db {kind} {path}"),
            path: (*path).to_owned(),
            store: "db".to_owned(),
            kind: (*kind).to_owned(),
            also: if *kind == "data" { vec!["journal".to_owned()] } else { Vec::new() },
            stored: Fact::Known(true),
            encrypted: encrypted.clone(),
            algorithm: Fact::Known("AES".to_owned()),
            key_bits: Fact::Known(*bits),
            mode: Fact::Known("XTS".to_owned()),
            layers,
            way: vec!["sda".to_owned()],
            headline: format!("{path}: as it is"),
            would_show: "the provider's record".to_owned(),
        }
    };
    Disk {
        machine: Fact::Known("physical".to_owned()),
        places: places.iter().map(place).collect(),
        swap: Fact::Known(Vec::new()),
    }
}

fn on_disk(facts: &[AtRest], below: &Disk, proof: Option<&Proof>) -> Encryption {
    let mut evidence = Evidence::of("db");
    facts.iter().for_each(|facts| evidence.take_facts(facts));
    evidence.take_disk(below);
    proof.into_iter().for_each(|proof| evidence.take_proof(proof));
    verdict::combine(evidence)
}

fn yes() -> Fact<bool> {
    Fact::Known(true)
}

fn proof(kind: &str, state: &str) -> Proof {
    let part = Searched {
        kind: kind.to_owned(),
        files: 1,
        bytes: 8192,
        found: Fact::Known(state == "plain"),
        forms: Vec::new(),
        blocks: 2,
        uniform: 2,
        headers: Vec::new(),
        state: Fact::Known(state.to_owned()),
        why: "the search".to_owned(),
        digests: Vec::new(),
    };
    Proof { seed: "00".to_owned(), control: true, searched: vec![part], removed: yes(), left: Vec::new() }
}

#[test]
fn a_plain_file_on_an_encrypted_disk_is_encrypted_at_rest() {
    let file = seen(vec![layer("file", Fact::Known(false), 5)], vec![("data", "plain"), ("wal", "absent")]);
    let state = on_disk(&[file], &disk(&[("data", "/srv/db.sqlite", yes(), 256)]), None);
    assert_eq!((state.encrypted, state.conflict, state.level), (yes(), false, 4));
    assert_eq!(state.key_bits, Fact::Known(256));
    assert!(
        state.facts.iter().any(|fact| fact.starts_with("file layer, the volume: plain")),
        "it is told all the same"
    );
    assert!(state.not_covered.iter().any(|what| what.starts_with("copies of the files")));
}

#[test]
fn what_lies_beside_the_data_is_covered_with_them_and_nothing_else_is() {
    let file = seen(vec![layer("file", Fact::Known(false), 5)], vec![("data", "plain"), ("journal", "plain")]);
    let state = on_disk(&[file], &disk(&[("data", "/srv/db.sqlite", yes(), 256)]), None);
    assert_eq!(state.encrypted, yes(), "{state:?}");
    let file = seen(vec![layer("file", Fact::Known(false), 5)], vec![("data", "plain"), ("redo log", "plain")]);
    let state = on_disk(&[file], &disk(&[("data", "/srv/db", yes(), 256)]), None);
    assert_eq!(state.encrypted, Fact::Known(false), "where the log lies is not known: {state:?}");
}

#[test]
fn every_place_of_a_store_must_be_encrypted_and_the_weakest_counts() {
    let untold = || seen(vec![layer("instance", Fact::unknown("the server has none"), 2)], vec![]);
    let both = |wal: Fact<bool>, bits| {
        on_disk(&[untold()], &disk(&[("data", "/data", yes(), 256), ("wal", "/wal", wal, bits)]), None)
    };
    assert_eq!(both(yes(), 256).encrypted, yes());
    assert_eq!(both(yes(), 128).key_bits, Fact::Known(128));
    assert_eq!(both(Fact::Known(false), 0).encrypted, Fact::Known(false));
    let open = both(Fact::unknown("not visible"), 0);
    assert!(open.encrypted.reason().unwrap().starts_with("wal files: not visible"), "{open:?}");
    assert!(open.algorithm.known().is_none());
}

#[test]
fn a_server_that_encrypts_needs_no_disk_that_does() {
    let instance = seen(vec![layer("instance", yes(), 2)], vec![]);
    let state = on_disk(&[instance], &disk(&[("data", "/data", Fact::unknown("a cloud guest"), 0)]), None);
    assert_eq!((state.encrypted, state.level), (yes(), 2));
    let table = seen(vec![layer("table", yes(), 2)], vec![("wal", "plain")]);
    let places = [("data", "/data", yes(), 256), ("wal", "/data/pg_wal", yes(), 256)];
    assert_eq!(on_disk(&[table], &disk(&places), None).encrypted, yes(), "the disk covers the log");
}

#[test]
fn a_machine_that_knows_nothing_of_the_store_shows_nothing() {
    let untold = seen(vec![layer("instance", Fact::unknown("none"), 2)], vec![]);
    let state = on_disk(&[untold], &disk(&[]), None);
    assert!(state.encrypted.known().is_none());
    assert!(state.would_show.iter().any(|what| what.contains("`data`")));
}

#[test]
fn bytes_are_the_strongest_evidence_and_say_nothing_of_the_algorithm() {
    let file = seen(vec![layer("file", yes(), 2)], vec![("data", "encrypted")]);
    let none = disk(&[("data", "/x", Fact::Known(false), 0)]);
    let shown = on_disk(std::slice::from_ref(&file), &none, Some(&proof("data", "encrypted")));
    assert_eq!((&shown.encrypted, shown.level), (&yes(), 5));
    assert_eq!(shown.algorithm, Fact::Known("AES".to_owned()), "told by the weaker evidence");
    let found = on_disk(&[file], &none, Some(&proof("data", "plain")));
    assert_eq!((&found.encrypted, found.conflict), (&Fact::Known(false), true));
}

#[test]
fn the_value_below_the_layer_that_is_to_encrypt_is_a_conflict() {
    let below = disk(&[("data", "/x", yes(), 256)]);
    let plain = seen(vec![layer("file", Fact::Known(false), 5)], vec![]);
    let in_file = on_disk(std::slice::from_ref(&plain), &below, Some(&proof("data", "plain")));
    assert_eq!((&in_file.encrypted, in_file.conflict), (&yes(), false), "a file is plain on an encrypted disk");
    let in_device = on_disk(&[plain], &below, Some(&proof("device", "plain")));
    assert_eq!((&in_device.encrypted, in_device.conflict), (&Fact::Known(false), true));
}

#[test]
fn a_plain_log_spoils_encrypted_tables() {
    let table = seen(vec![layer("table", yes(), 2)], vec![]);
    let mut evidence = Evidence::of("db");
    evidence.take_facts(&table);
    evidence.take_proof(&proof("redo log", "plain"));
    assert_eq!(verdict::combine(evidence).encrypted, Fact::Known(false));
}
