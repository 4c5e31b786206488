//! The 38 vectors of the rating, fed to the derivation as observed facts, and what is missing.

use super::*;
use crate::catalogue::Catalogue;
use crate::model::policy::Judging;
use crate::model::{Fact, TargetKind, tls};
use serde_json::{Value, json};

const VECTORS: &str = include_str!("../../../../tests/vectors/tls-grade-vectors.csv");

struct Row(csv::StringRecord);

impl Row {
    fn text(&self, n: usize) -> &str {
        &self.0[n]
    }
    fn has(&self, condition: &str) -> bool {
        self.text(5).split(' ').any(|word| word == condition)
    }
    fn protocols(&self) -> Vec<&str> {
        // Row 15 says SSLv2 through its condition.
        let mut names: Vec<&str> = self.text(1).split(' ').collect();
        if self.has("ssl2") && !names.contains(&"SSLv2") {
            names.insert(0, "SSLv2");
        }
        names
    }
    fn strength(&self) -> u32 {
        self.text(2).parse().unwrap()
    }
    fn bits(&self) -> (u32, u32) {
        (self.text(3).parse().unwrap(), self.text(4).parse().unwrap())
    }
}

fn suite(protocol: &str, id: &str, kx: &str, enc: &str, bits: u32, strength: u32) -> Value {
    let aead = enc.ends_with("GCM");
    let block = match enc {
        "RC4" | "NULL" => 0,
        "3DES-CBC" | "DES-CBC" => 64,
        _ if aead => 0,
        _ => 128,
    };
    json!({
        "protocol": protocol, "id": id, "name": format!("TEST_{kx}_{enc}_{bits}"), "openssl_name": "",
        "kx": if kx == "anon" { "ECDHE" } else { kx }, "auth": if kx == "anon" { "anon" } else { "RSA" },
        "enc": enc, "bits": bits, "block_bits": block, "mac": "SHA", "pfs": matches!(kx, "ECDHE" | "DHE" | "any" | "anon"),
        "aead": aead, "export": bits == 40, "class": "cbc", "strength": strength, "group": "",
    })
}

/// The accepted suites of a row, the preferred ones first.
fn suites(row: &Row) -> Vec<Value> {
    let (most, least) = row.bits();
    let rc4_only = row.has("rc4_only");
    let kx = if row.has("no_fs") { "RSA" } else { "ECDHE" };
    // A weaker exchange or cipher that the row adds beside good ones keeps the good ones at 2048 and 128 bits.
    let added = ["weak_dh", "export", "anon"].iter().any(|word| row.has(word));
    let strength = if added { 2048 } else { row.strength() };
    let mut suites = Vec::new();
    for protocol in row.protocols() {
        let (enc, kx) = match protocol {
            "TLSv1.3" => ("AES-GCM", "any"),
            "TLSv1.2" if !row.has("no_aead") => ("AES-GCM", kx),
            _ => ("AES-CBC", kx),
        };
        if rc4_only {
            suites.push(suite(protocol, "0x0005", kx, "RC4", 128, strength));
            suites.push(suite(protocol, "0x0004", kx, "RC4", 128, strength));
        } else if protocol == "SSLv2" {
            suites.push(suite(protocol, "0x010080", "RSA", "RC4", 128, strength));
            suites.push(suite(protocol, "0x0700C0", "RSA", "3DES-CBC", 168, strength));
        } else {
            suites.push(suite(protocol, "0xC02F", kx, enc, if least < 128 { 128 } else { least }, strength));
            suites.push(suite(protocol, "0xC030", kx, enc, most, strength));
        }
        if row.has("poodle_ssl3") && protocol == "SSLv3" {
            suites.push(suite(protocol, "0x0035", kx, "AES-CBC", 256, strength));
        }
    }
    let last = row.protocols().into_iter().rfind(|p| *p != "TLSv1.3").unwrap_or("TLSv1.2");
    if row.has("rc4") && !rc4_only && !row.has("ssl2") && !row.has("export") {
        suites.push(suite(last, "0x0005", kx, "RC4", 128, strength));
        suites.push(suite(last, "0x000A", kx, "3DES-CBC", 168, strength));
    }
    if row.has("weak_dh") {
        suites.push(suite(last, "0x009E", "DHE", "AES-GCM", 128, row.strength()));
    }
    if row.has("export") {
        suites.push(suite("TLSv1.0", "0x0003", "RSA", "RC4", 40, row.strength()));
    }
    if row.has("null") {
        suites.push(suite(last, "0xC010", "ECDHE", "NULL", 0, strength));
    }
    if row.has("anon") {
        suites.push(suite(last, "0xC018", "anon", "AES-CBC", 128, 2048));
    }
    if row.has("low") && least == 56 {
        suites.push(suite(last, "0x0009", "ECDHE", "DES-CBC", 56, strength));
    }
    if row.text(0) == "23" {
        suites.push(suite("TLSv1.2", "0x000A", "ECDHE", "3DES-CBC", 168, strength));
    }
    if row.text(8) == "1" {
        suites.push(suite("TLSv1.2", "0x009C", "RSA", "AES-GCM", 128, strength));
    }
    suites
}

fn certificates(row: &Row) -> Value {
    let trust = if row.has("self_signed") {
        "self-signed"
    } else if row.has("expired") {
        "expired"
    } else if row.has("chain_incomplete") {
        "incomplete"
    } else {
        "trusted"
    };
    let strength = if row.has("weak_key") { row.strength() } else { 4096 };
    json!({
        "server_name": "a.example", "anchors": "test",
        "deployments": [{
            "id": "00", "protocols": [], "trust": trust, "trust_detail": "", "private_anchor": false, "anchor": "",
            "order_ok": true, "extra": 0, "contains_anchor": false, "name_matches": !row.has("mismatch"),
            "staple": "absent", "must_staple": false, "days_left": 60,
            "chain": [{"sha256": "00", "subject": "CN=a", "issuer": "CN=b", "key": "RSA", "signature_hash": "sha256", "not_after": ""}],
            "leaf": {
                "subject": "CN=a", "issuer": "CN=b", "serial": "01", "key_type": "RSA", "key_bits": strength,
                "key_strength": strength, "curve": "", "exponent": "65537", "signature": "", "signature_hash": "sha256",
                "not_before": "", "not_after": "", "lifetime_days": 90, "names": [], "name_count": 0,
                "self_signed": false, "ca": false, "server_auth": true, "ocsp": [], "crl": []
            }
        }]
    })
}

fn clients(row: &Row, suites: &[Value]) -> Value {
    let best = row.protocols().last().unwrap().to_string();
    let first = suites.iter().find(|s| s["protocol"] == best.as_str()).unwrap();
    let client = |name: &str, reference: bool, protocol: &str, suite: &Value| {
        let mut row = json!(tls::SimulatedClient::new(name, name, "", reference));
        (row["connects"], row["protocol"], row["suite"]) = (json!(true), json!(protocol), suite.clone());
        row
    };
    let mut clients = vec![client("Browser", true, &best, &first["id"])];
    if row.has("rc4_modern") {
        clients.push(client("OpenSSL 1.0.1", false, "TLSv1.2", &json!("0x0005")));
    }
    json!({ "clients": clients })
}

fn vulnerabilities(row: &Row) -> Value {
    let names = [
        "insecure_renegotiation",
        "heartbleed",
        "ccs",
        "poodle_tls",
        "cve_2016_2107",
        "ticketbleed",
        "robot",
        "drown",
        "zombie_poodle",
        "goldendoodle",
        "zero_length",
        "sleeping_poodle",
    ];
    let tests: Vec<Value> = names
        .iter()
        .map(|name| {
            let vulnerable = if *name == "robot" && row.text(8) == "1" {
                json!({ "unknown": "disabled" })
            } else {
                json!(row.has(name))
            };
            json!({
                "name": name, "applies": true, "vulnerable": vulnerable, "certainty": "certain", "observable": true,
                "severity": "critical", "detail": "",
            })
        })
        .collect();
    json!({ "tests": tests })
}

fn hsts(row: &Row) -> Value {
    let status = row.text(6);
    let age = match status {
        "long" => 31_536_000,
        "short" => 86_400,
        _ => 0,
    };
    json!({
        "applicable": true, "present": status != "absent", "status": status, "why": "", "max_age": age, "include_subdomains": false,
        "preload": false, "multiple": false, "whitespace": false, "ip_host": false, "certificate_error": false,
        "preloaded": {"unknown": "no list"}, "preload_obstacles": [],
    })
}

/// The observations that a row stands for.
fn facts(row: &Row) -> Vec<Observation> {
    let suites = suites(row);
    let offered: Vec<Value> = row.protocols().iter().map(|name| json!({ "name": name })).collect();
    let mut facts = vec![
        (
            "tls.protocols",
            json!({
                "offered": offered, "refused": [], "unknown": [], "proofs": [], "fallback_scsv": "yes",
                "downgrade_sentinel": "yes", "ssl2_without_kinds": false,
            }),
        ),
        ("tls.clients", clients(row, &suites)),
        ("tls.suites", json!({"suites": suites, "order": [], "incomplete": []})),
        ("tls.certificates", certificates(row)),
        (
            "tls.features",
            json!({
                "legacy_handshake": true, "secure_renegotiation": if row.has("no_secure_reneg") { "no" } else { "yes" },
                "extended_master_secret": "yes", "encrypt_then_mac": "yes", "session_tickets": "yes", "session_id": "yes",
                "heartbeat": "no", "compression": if row.has("crime") { "deflate" } else { "none" }, "alpn": "h2",
                "ocsp_stapling": "no", "sct_extension": false, "client_certificate": false,
            }),
        ),
        ("tls.vulnerabilities", vulnerabilities(row)),
        (
            "tls.dh",
            json!({"used": row.has("weak_dh"), "parameters": if row.has("weak_dh") { vec![json!({
            "protocols": ["TLSv1.2"], "export": false, "bits": row.strength(), "sha256": "", "known": "",
            "safe_prime": true, "composite": false, "public_reused": false,
        })] } else { vec![] }}),
        ),
    ];
    if row.text(7) == "https" {
        facts.push(("http.hsts", hsts(row)));
    }
    facts
        .into_iter()
        .map(|(kind, data)| Observation::complete(kind, "t", "p", "test", as_of(), &data).unwrap())
        .collect()
}

fn as_of() -> jiff::Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn derived(observations: &[Observation], starttls: Option<&str>) -> Observation {
    let mut target = Target::new("t", TargetKind::Endpoint, "a.example:443");
    target.connection.starttls = starttls.map(str::to_owned);
    static CATALOGUE: std::sync::LazyLock<Catalogue> = std::sync::LazyLock::new(|| Catalogue::built_in().unwrap());
    let judging = Judging::default();
    let targets = [target];
    let inputs = Inputs { targets: &targets, observations, judging: &judging, catalogue: &CATALOGUE, as_of: as_of() };
    let mut grades = derive(&inputs);
    assert_eq!(grades.len(), 1);
    grades.remove(0)
}

#[test]
fn every_vector_gives_its_scores_letter_and_codes() {
    let rows: Vec<Row> = csv::Reader::from_reader(VECTORS.as_bytes()).records().map(|r| Row(r.unwrap())).collect();
    assert_eq!(rows.len(), 38);
    for row in rows {
        let n = row.text(0).to_owned();
        let starttls = (row.text(7) == "starttls").then_some("smtp");
        let observation = derived(&facts(&row), starttls);
        let grade: Grade = observation.read().unwrap();
        let number = |column: usize| row.text(column).parse::<f64>().unwrap();
        assert_eq!(grade.score.protocol, number(9), "row {n}: protocol");
        assert_eq!(grade.score.key_exchange, number(10), "row {n}: key exchange");
        assert_eq!(grade.score.cipher, number(11), "row {n}: cipher");
        assert_eq!(grade.score.total, number(12), "row {n}: total");
        let mut codes: Vec<&str> = grade.caps.iter().map(|c| c.code.as_str()).collect();
        codes.extend(grade.warnings.iter().chain(&grade.not_plus).chain(&grade.trust).map(|note| note.code.as_str()));
        let mut expected: Vec<&str> = row.text(15).split(' ').filter(|code| !code.is_empty()).collect();
        codes.sort_unstable();
        expected.sort_unstable();
        assert_eq!(codes, expected, "row {n}: codes");
        assert_eq!(grade.letter.as_deref(), Some(row.text(13)), "row {n}: letter");
        assert_eq!(grade.letter_ignoring_trust.as_deref(), Some(row.text(14)), "row {n}: ignoring trust");
        assert_eq!(grade.provisional, row.text(8) == "1", "row {n}: provisional, {:?}", grade.incomplete);
        assert!(grade.caps.iter().all(|cap| !cap.observations.is_empty()), "row {n}: every cap cites its evidence");
    }
}

fn good() -> Vec<Observation> {
    let row = csv::Reader::from_reader(VECTORS.as_bytes()).records().next().unwrap().unwrap();
    facts(&Row(row))
}

#[test]
fn unseen_flaws_and_clients_make_a_good_grade_provisional_and_never_plus() {
    let seen: Vec<Observation> =
        good().into_iter().filter(|o| !matches!(o.kind.as_str(), "tls.vulnerabilities" | "tls.clients")).collect();
    let observation = derived(&seen, None);
    assert_eq!(observation.status, ObservationStatus::Partial);
    let grade: Grade = observation.read().unwrap();
    assert_eq!(grade.letter.as_deref(), Some("A"));
    assert!(grade.provisional);
    for name in ["heartbleed", "ccs", "ticketbleed", "insecure_renegotiation", "client_simulation"] {
        assert!(grade.incomplete.iter().any(|missing| missing == name), "{name} is needed");
    }
}

#[test]
fn a_failed_look_at_protocols_gives_no_letter() {
    let mut seen = good();
    let trouble = Trouble::new(Reason::TimedOut, "no answer");
    seen[0] = Observation::failed("tls.protocols", "t", "p", "test", as_of(), trouble);
    let observation = derived(&seen, None);
    assert_eq!(observation.status, ObservationStatus::Failed);
    assert!(observation.data.is_empty());
    assert_eq!(observation.trouble, Some(Trouble::new(Reason::TimedOut, "no answer")));
}

#[test]
fn unknown_trust_or_versions_give_no_letter() {
    let mut seen = good();
    let mut protocols: tls::Protocols = seen[0].read().unwrap();
    protocols.unknown.push("SSLv3".to_owned());
    seen[0] = Observation::complete("tls.protocols", "t", "p", "test", as_of(), &protocols)
        .unwrap()
        .partial(Trouble::new(Reason::TimedOut, "SSLv3"));
    let observation = derived(&seen, None);
    assert_eq!(observation.status, ObservationStatus::Failed);
    assert_eq!(observation.data["letter"], Value::Null);

    let mut seen = good();
    let at = seen.iter().position(|o| o.kind == "tls.certificates").unwrap();
    let mut certificates: tls::Certificates = seen[at].read().unwrap();
    certificates.deployments[0].trust = Fact::unknown("no path could be built in time");
    seen[at] = Observation::complete("tls.certificates", "t", "p", "test", as_of(), &certificates).unwrap();
    assert_eq!(derived(&seen, None).data["letter"], Value::Null);
}

#[test]
fn an_unknown_row_of_a_browser_keeps_the_grade_provisional() {
    let mut seen = good();
    let at = seen.iter().position(|o| o.kind == "tls.clients").unwrap();
    let mut clients: tls::Clients = seen[at].read().unwrap();
    clients.clients[0] = clients.clients[0].clone().unknown("the order is not known");
    seen[at] = Observation::complete("tls.clients", "t", "p", "test", as_of(), &clients).unwrap();
    let grade: Grade = derived(&seen, None).read().unwrap();
    assert_eq!(grade.incomplete, ["client_simulation"]);
    clients.clients[0].reference = false;
    seen[at] = Observation::complete("tls.clients", "t", "p", "test", as_of(), &clients).unwrap();
    let grade: Grade = derived(&seen, None).read().unwrap();
    assert_eq!(grade.incomplete, ["client_simulation"], "without any browser nothing is known either");
}

#[test]
fn a_key_that_others_know_or_can_compute_is_an_f() {
    for (known, roca) in [(true, false), (false, true)] {
        let mut seen = good();
        let at = seen.iter().position(|o| o.kind == "tls.certificates").unwrap();
        let mut certificates: tls::Certificates = seen[at].read().unwrap();
        let leaf = &mut certificates.deployments[0].leaf;
        (leaf.known_key, leaf.roca) = (known.into(), roca.into());
        seen[at] = Observation::complete("tls.certificates", "t", "p", "test", as_of(), &certificates).unwrap();
        let grade: Grade = derived(&seen, None).read().unwrap();
        assert_eq!(grade.letter.as_deref(), Some("F"));
        assert!(grade.caps.iter().any(|cap| cap.code == "CAP_DEBIAN_KEY"), "{:?}", grade.caps);
    }
}

#[test]
fn a_key_or_a_field_that_is_far_too_short_fires_the_milder_rule_too() {
    let seen = good().into_iter().filter(|one| !matches!(one.kind.as_str(), "tls.certificates" | "tls.dh"));
    let mut seen: Vec<Observation> = seen.collect();
    let mut certificates: tls::Certificates =
        good().iter().find(|one| one.kind == "tls.certificates").unwrap().read().unwrap();
    certificates.deployments[0].leaf.key_strength = 512;
    seen.push(Observation::complete("tls.certificates", "t", "p", "test", as_of(), &certificates).unwrap());
    let field = json!({
        "protocols": ["TLSv1.2"], "export": true, "bits": 512, "sha256": "", "known": "", "safe_prime": true,
        "composite": false, "public_reused": false,
    });
    let dh = json!({ "used": true, "parameters": [field] });
    seen.push(Observation::complete("tls.dh", "t", "p", "test", as_of(), &dh).unwrap());
    let grade: Grade = derived(&seen, None).read().unwrap();
    let codes: Vec<&str> = grade.caps.iter().map(|cap| cap.code.as_str()).collect();
    for code in ["CAP_KEY_INSECURE", "CAP_WEAK_KEY", "CAP_DH_INSECURE", "CAP_WEAK_DH"] {
        assert!(codes.contains(&code), "{codes:?} without {code}");
    }
}
