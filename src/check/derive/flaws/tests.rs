//! Rows from observed facts: found, ruled out, and above all unknown.

use super::*;
use crate::catalogue::Catalogue;
use crate::model::policy::Judging;
use crate::model::tls::VulnerabilityTest;
use crate::model::{Fact, ObservationStatus, TargetKind};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn as_of() -> jiff::Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn seen(target: &str, kind: &str, data: &Value) -> Observation {
    Observation::complete(kind, target, "p", "test", as_of(), data).unwrap()
}

fn suite(protocol: &str, kx: &str, enc: &str, bits: u32) -> Value {
    let block = match enc {
        "3DES-CBC" => 64,
        "AES-128-CBC" => 128,
        _ => 0,
    };
    json!({
        "protocol": protocol, "id": "0x0000", "name": format!("TEST_{kx}_{enc}"), "openssl_name": "", "kx": kx,
        "auth": if kx == "anon" { "anon" } else { "RSA" }, "enc": enc, "bits": bits, "block_bits": block, "mac": "SHA",
        "pfs": false, "aead": enc.ends_with("GCM"), "export": bits == 40, "class": "", "strength": 2048, "group": "",
    })
}

fn protocols(offered: &[&str], refused: &[&str]) -> Value {
    let offered: Vec<Value> = offered.iter().map(|name| json!({ "name": name })).collect();
    json!({
        "offered": offered, "refused": refused, "unknown": [], "proofs": [], "fallback_scsv": "yes",
        "downgrade_sentinel": "yes", "ssl2_without_kinds": false,
    })
}

fn certificates(key: &str, name: &str) -> Value {
    json!({
        "server_name": name, "anchors": "test",
        "deployments": [{
            "id": key, "protocols": [], "trust": "trusted", "trust_detail": "", "private_anchor": false, "anchor": "",
            "order_ok": true, "extra": 0, "contains_anchor": false, "name_matches": true, "staple": "absent",
            "must_staple": false, "days_left": 60, "chain": [],
            "leaf": {
                "subject": "", "issuer": "", "serial": "01", "key_type": "RSA", "key_bits": 2048, "key_strength": 2048,
                "curve": "", "exponent": "65537", "key_sha256": key, "signature": "", "signature_hash": "sha256",
                "not_before": "", "not_after": "", "lifetime_days": 90, "names": [name], "name_count": 1,
                "self_signed": false, "ca": false, "server_auth": true, "ocsp": [], "crl": []
            }
        }]
    })
}

fn suites(list: &[Value]) -> Value {
    json!({ "suites": list, "order": [], "incomplete": [] })
}

fn derived(targets: &[&str], observations: &[Observation]) -> Vec<Observation> {
    let targets: Vec<Target> =
        targets.iter().map(|id| Target::new(*id, TargetKind::Endpoint, "a.example:443")).collect();
    let (catalogue, judging) = (Catalogue::built_in().unwrap(), Judging::default());
    derive(&Inputs { targets: &targets, observations, judging: &judging, catalogue: &catalogue, as_of: as_of() })
}

fn row(observation: &Observation, name: &str) -> VulnerabilityTest {
    let data: Vulnerabilities = observation.read().unwrap();
    data.tests.into_iter().find(|test| test.name == name).unwrap()
}

fn rows(observations: &[Observation]) -> Observation {
    derived(&["t"], observations).remove(0)
}

#[test]
fn every_flaw_has_a_row_and_what_was_not_looked_at_is_unknown() {
    let made = rows(&[seen("t", "tls.protocols", &protocols(&["TLSv1.2"], &["SSLv2"]))]);
    assert_eq!(made.status, ObservationStatus::Complete);
    let data: Vulnerabilities = made.read().unwrap();
    let names: BTreeSet<_> = data.tests.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(names, FLAWS.iter().map(|flaw| flaw.name).collect());
    for test in data.tests.iter().filter(|test| test.name != "drown") {
        assert_eq!(test.vulnerable.known(), None, "{test:?}");
        assert!(test.applies && !test.detail.is_empty(), "{test:?}");
    }
    assert_eq!(made.inputs.len(), 1);
}

#[test]
fn flaws_follow_from_suites() {
    let list = [
        suite("SSLv3", "RSA", "AES-128-CBC", 128),
        suite("TLSv1.0", "RSA", "RC4-40", 40),
        suite("TLSv1.2", "RSA", "3DES-CBC", 168),
        suite("TLSv1.2", "anon", "NULL", 0),
    ];
    let made = rows(&[
        seen("t", "tls.protocols", &protocols(&["SSLv3", "TLSv1.0", "TLSv1.2"], &["SSLv2"])),
        seen("t", "tls.suites", &suites(&list)),
    ]);
    for name in ["poodle", "freak", "sweet32", "rc4", "beast", "null_cipher", "anonymous", "export"] {
        assert_eq!(row(&made, name).vulnerable, Fact::Known(true), "{name}");
    }
    assert!(row(&made, "beast").detail.contains("newer version"));
    assert_eq!(row(&made, "lucky13").certainty, "potential");
    assert!(!row(&made, "logjam").applies);
    // A list that was cut short can show a flaw and cannot rule one out.
    let cut = seen("t", "tls.suites", &suites(&list)).partial(Trouble::new(Reason::TimedOut, "the rest was not seen"));
    let made = rows(&[seen("t", "tls.protocols", &protocols(&["SSLv3"], &["SSLv2"])), cut]);
    assert_eq!(row(&made, "poodle").vulnerable, Fact::Known(true));
    assert!(row(&made, "logjam").detail.contains("the rest was not seen"));
    assert_eq!(row(&made, "logjam").vulnerable.known(), None);
}

#[test]
fn parameters_of_diffie_hellman_decide_on_logjam() {
    let look = |bits: u32, known: &str| {
        let parameters = json!({ "protocols": ["TLSv1.2"], "export": false, "bits": bits, "sha256": "", "known": known,
            "safe_prime": true, "composite": false, "public_reused": false });
        let made = rows(&[
            seen("t", "tls.protocols", &protocols(&["TLSv1.2"], &["SSLv2"])),
            seen("t", "tls.suites", &suites(&[suite("TLSv1.2", "DHE", "AES-128-GCM", 128)])),
            seen("t", "tls.dh", &json!({ "used": true, "parameters": [parameters] })),
        ]);
        let row = row(&made, "logjam");
        (row.vulnerable.known().copied(), row.certainty, row.severity)
    };
    let told = |vulnerable, certainty: &str, severity: &str| (vulnerable, certainty.to_owned(), severity.to_owned());
    assert_eq!(look(768, ""), told(Some(true), "certain", "high"));
    assert_eq!(look(1024, "MODP 1024"), told(Some(true), "likely", "medium"));
    assert_eq!(look(1024, ""), told(Some(false), "certain", "high"));
    assert_eq!(look(2048, ""), told(Some(false), "certain", "high"));
}

#[test]
fn drown_is_looked_for_on_every_endpoint_of_the_run() {
    let look = |old: Value, old_key: &str, old_name: &str| {
        let made = derived(
            &["mail", "shop"],
            &[
                seen("shop", "tls.protocols", &protocols(&["TLSv1.2"], &["SSLv2"])),
                seen("shop", "tls.certificates", &certificates("aa", "shop.example")),
                seen("mail", "tls.protocols", &old),
                seen("mail", "tls.certificates", &certificates(old_key, old_name)),
            ],
        );
        row(&made[1], "drown")
    };
    let old = || protocols(&["SSLv2", "TLSv1.0"], &[]);
    let found = look(old(), "aa", "mail.example");
    assert!(found.vulnerable == Fact::Known(true) && found.detail.contains("mail (p)"), "{found:?}");
    assert_eq!(look(old(), "bb", "SHOP.example").vulnerable, Fact::Known(true));
    assert_eq!(look(old(), "bb", "mail.example").vulnerable, Fact::Known(false));
    assert_eq!(look(protocols(&["TLSv1.2"], &["SSLv2"]), "aa", "mail.example").vulnerable, Fact::Known(false));
    assert_eq!(look(protocols(&["TLSv1.2"], &[]), "aa", "mail.example").vulnerable.known(), None);
}

#[test]
fn an_active_test_is_taken_as_it_is_and_one_not_made_follows_its_precondition() {
    let heartbleed = VulnerabilityTest::found("heartbleed", "seen");
    let made = rows(&[
        seen("t", "tls.protocols", &protocols(&["TLSv1.2"], &["SSLv2"])),
        seen("t", "tls.suites", &suites(&[suite("TLSv1.2", "ECDHE", "AES-128-GCM", 128)])),
        seen("t", "tls.flaws", &json!({ "tests": [heartbleed] })),
    ]);
    assert_eq!(row(&made, "heartbleed"), heartbleed);
    assert!(!row(&made, "goldendoodle").applies);
    assert_eq!(row(&made, "ccs").vulnerable.known(), None);
    let modern = rows(&[seen("t", "tls.protocols", &protocols(&["TLSv1.3"], &["SSLv2"]))]);
    assert!(!row(&modern, "insecure_renegotiation").applies);
}

#[test]
fn an_endpoint_that_was_not_seen_has_no_rows() {
    let trouble = Trouble::new(Reason::TimedOut, "no answer");
    let made = rows(&[Observation::failed("tls.protocols", "t", "p", "test", as_of(), trouble.clone())]);
    assert_eq!((made.status, made.trouble), (ObservationStatus::Failed, Some(trouble)));
}

#[test]
fn a_precondition_is_not_absent_while_versions_or_suites_are_unknown() {
    let tested = json!({ "tests": [VulnerabilityTest::inapplicable("robot", "only TLS 1.3 is offered")] });
    let versions = seen("t", "tls.protocols", &protocols(&["TLSv1.3"], &["SSLv2"]));
    let list = seen("t", "tls.suites", &suites(&[]));
    let flaws = seen("t", "tls.flaws", &tested);
    assert!(!row(&rows(&[versions.clone(), list.clone(), flaws.clone()]), "robot").applies);
    let late = || Trouble::new(Reason::TimedOut, "TLSv1.2 was not answered");
    for open in [
        vec![versions.clone().partial(late()), list.clone(), flaws.clone()],
        vec![versions.clone(), list.partial(late()), flaws.clone()],
        vec![versions, flaws],
    ] {
        let row = row(&rows(&open), "robot");
        assert!(row.applies && row.vulnerable.known().is_none(), "{row:?}");
    }
}

#[test]
fn ssl2_of_an_endpoint_without_a_known_certificate_leaves_drown_open() {
    let made = derived(
        &["here", "there"],
        &[
            seen("here", "tls.protocols", &protocols(&["TLSv1.2"], &["SSLv2"])),
            seen("there", "tls.protocols", &protocols(&["SSLv2"], &[])),
        ],
    );
    let row = row(&made[0], "drown");
    assert_eq!(row.vulnerable.known(), None, "{row:?}");
}
