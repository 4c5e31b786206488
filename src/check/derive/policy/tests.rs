//! Facts fed to the derivation, and what the policies make of them.

use super::*;
use crate::catalogue::{Catalogue, registry};
use crate::model::policy::{Judging, Policy as Decided};
use jiff::Timestamp;
use serde_json::{Value, json};

const ALL: &[&str] =
    &["mozilla-modern", "mozilla-intermediate", "mozilla-old", "pci", "nist", "nist-public", "bsi", "anssi"];
/// Rules of which no version looks at the fact yet.
const UNSEEN: &[&str] = &["ANSSI.tickets"];

type World = BTreeMap<&'static str, Value>;

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn suite(id: &str, protocol: &str) -> Value {
    let number = u32::from_str_radix(id.trim_start_matches("0x"), 16).unwrap();
    let known = registry::suite(number, false).unwrap();
    let wide = if known.enc.contains("3DES") { 64 } else { 128 };
    let block = if known.enc.contains("CBC") { wide } else { 0 };
    json!({"protocol": protocol, "id": id, "name": known.name, "kx": known.kx, "enc": known.enc, "bits": known.bits,
        "block_bits": block, "mac": known.mac, "pfs": known.pfs, "aead": known.aead, "class": known.class})
}

fn group(id: &str) -> Value {
    let known = registry::group(u16::from_str_radix(id.trim_start_matches("0x"), 16).unwrap()).unwrap();
    let (kind, bits) = (&known.kind, known.rsa_equiv_bits);
    json!({"id": id, "name": known.name, "kind": kind, "rsa_equiv_bits": bits, "pq": known.pq})
}

fn versions(names: &[&str]) -> Value {
    let offered: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
    json!({"offered": offered, "fallback_scsv": "yes"})
}

fn suites(old: &[&str], new: &[&str]) -> Value {
    let old = old.iter().map(|id| suite(id, "TLSv1.2"));
    let all: Vec<Value> = old.chain(new.iter().map(|id| suite(id, "TLSv1.3"))).collect();
    json!({"suites": all, "order": [{"protocol": "TLSv1.2", "preference": "single"}]})
}

fn groups(ids: &[&str]) -> Value {
    json!({"groups": ids.iter().map(|id| group(id)).collect::<Vec<_>>()})
}

fn certificate(key: &str, bits: u32, days: u32) -> Value {
    let rsa = key == "RSA";
    let (curve, strength) = if rsa { ("", bits) } else { ("P-256", 3072) };
    let signature = if rsa { "sha256WithRSAEncryption" } else { "ecdsa-with-SHA256" };
    let leaf = json!({"key_type": key, "key_bits": bits, "key_strength": strength, "curve": curve,
        "signature": signature, "signature_hash": "sha256", "lifetime_days": days, "name_count": 1, "server_auth": true,
        "ocsp": ["http://ocsp.example"], "crl": []});
    let deployment = json!({"id": "00ff", "leaf": leaf, "trust": "trusted", "name_matches": true, "staple": "good"});
    json!({"server_name": "shop.example", "deployments": [deployment]})
}

fn flaws() -> Value {
    let names = [
        "heartbleed",
        "ccs",
        "robot",
        "poodle",
        "poodle_tls",
        "zombie_poodle",
        "goldendoodle",
        "zero_length",
        "sleeping_poodle",
        "drown",
        "freak",
        "logjam",
        "crime",
        "ticketbleed",
        "cve_2016_2107",
    ];
    let tests: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "applies": true, "vulnerable": false})).collect();
    json!({"tests": tests})
}

/// Two versions, two suites each, an ECDSA certificate of 90 days, and nothing amiss.
fn good() -> World {
    World::from([
        ("tls.protocols", versions(&["TLSv1.2", "TLSv1.3"])),
        ("tls.suites", suites(&["0xC02B", "0xC02C"], &["0x1301", "0x1302"])),
        ("tls.groups", groups(&["0x0017", "0x0018"])),
        ("tls.dh", json!({"parameters": []})),
        ("tls.certificates", certificate("EC", 256, 90)),
        (
            "tls.features",
            json!({"legacy_handshake": true, "secure_renegotiation": "yes", "compression": "none",
            "extended_master_secret": "yes", "encrypt_then_mac": "not-applicable", "heartbeat": "no",
            "truncated_hmac": "no", "ocsp_stapling": "yes"}),
        ),
        ("http.hsts", json!({"applicable": true, "max_age": 63_072_000})),
        ("tls.vulnerabilities", flaws()),
        ("tls.renegotiation", json!({"insecure": "no", "client_initiated": "refused"})),
        ("tls.resumption", json!({"early_data": "no", "psk_without_exchange": "no"})),
        (
            "tls.revocation",
            json!({"revoked": [],
            "certificates": [{"sha256": "00ff", "place": 0, "looked": true, "status": "good"},
                {"sha256": "0001", "place": 1, "looked": false, "status": {"unknown": "not asked"}}]}),
        ),
        (
            "tls.signatures",
            json!({"ignores_list": false,
            "schemes": [{"protocol": "TLSv1.2", "id": "0x0403", "name": "ecdsa_secp256r1_sha256"}]}),
        ),
    ])
}

fn with(changes: &[(&'static str, Value)]) -> World {
    let mut world = good();
    world.extend(changes.iter().cloned());
    world
}

/// The same with one fact of a kind changed.
fn set(world: &mut World, kind: &'static str, pointer: &str, value: Value) {
    *world.get_mut(kind).unwrap().pointer_mut(pointer).unwrap() = value;
}

fn seen(kind: &str, data: &Value) -> Observation {
    Observation::complete(kind, "shop.example:443", "192.0.2.1:443", "test", now(), data).unwrap()
}

fn derived(observations: &[Observation], chosen: &[&str]) -> Vec<Observation> {
    let target = Target::new("shop.example:443", TargetKind::Endpoint, "shop.example:443");
    let tls = chosen.iter().map(|name| (*name).to_owned()).collect();
    let judging = Judging { policy: Decided { tls, ..Decided::default() }, ..Judging::default() };
    let catalogue = Catalogue::built_in().unwrap();
    let targets = [target];
    derive(&Inputs { targets: &targets, observations, judging: &judging, catalogue: &catalogue, as_of: now() })
}

fn judged(observations: &[Observation], chosen: &[&str]) -> Policies {
    let derived = derived(observations, chosen);
    assert_eq!(derived.len(), 1);
    assert_eq!(derived[0].part, "192.0.2.1:443");
    assert_eq!(derived[0].status, crate::model::ObservationStatus::Complete, "{:?}", derived[0].trouble);
    derived[0].read().unwrap()
}

fn all(world: &World) -> Vec<Observation> {
    world.iter().map(|(kind, data)| seen(kind, data)).collect()
}

/// A rule reads a kind that this version does not look at, or the fact is not looked at.
fn awaited(rule: &PolicyRule) -> bool {
    rule.reason.ends_with("not looked at by this version")
}

/// The rules with this result, as `policy rule`; those that bind alone, where that is wanted.
fn rules(policies: &Policies, result: &str, policy: &str, must: bool) -> BTreeSet<String> {
    let rules = policies.rules.iter().filter(|rule| rule.policy == policy && rule.result == result);
    rules.filter(|rule| !must || rule.level == "must").map(|rule| rule.id.clone()).collect()
}

/// The result of a policy where what this version does not look at is left aside.
fn result(world: &World, policy: &str) -> (String, Vec<String>) {
    let policies = judged(&all(world), &[policy]);
    let broken = rules(&policies, "broken", policy, true);
    let unknown: Vec<&PolicyRule> =
        policies.rules.iter().filter(|rule| rule.level == "must" && rule.result == "unknown").collect();
    let stated = policies.policies[0].result.as_str();
    let expected = match (broken.is_empty(), unknown.is_empty()) {
        (false, _) => "not_met",
        (true, false) => "undetermined",
        (true, true) => "met",
    };
    assert_eq!(stated, expected);
    let word = if stated == "undetermined" && unknown.iter().all(|rule| awaited(rule)) { "met" } else { stated };
    (word.to_owned(), broken.into_iter().collect())
}

fn met(world: &World, policy: &str) {
    assert_eq!(result(world, policy), ("met".to_owned(), Vec::new()), "{policy}");
}

fn breaks(world: &World, policy: &str, wanted: &[&str]) {
    let (word, broken) = result(world, policy);
    assert_eq!((word.as_str(), broken), ("not_met", wanted.iter().map(|id| (*id).to_owned()).collect()), "{policy}");
}

const MOZ_INT: &[&str] = &["0xC02B", "0xC02F", "0xC02C", "0xC030", "0xCCA9", "0xCCA8"];
const NEW: &[&str] = &["0x1301", "0x1302", "0x1303"];

#[test]
fn a_modern_server_meets_mozilla_and_pci() {
    let mut world = with(&[
        ("tls.protocols", versions(&["TLSv1.3"])),
        ("tls.suites", suites(&[], NEW)),
        ("tls.groups", groups(&["0x11EC", "0x001D", "0x0017"])),
    ]);
    for name in ["legacy_handshake", "secure_renegotiation", "extended_master_secret"] {
        let value = if name == "legacy_handshake" { json!(false) } else { json!("not-applicable") };
        set(&mut world, "tls.features", &format!("/{name}"), value);
    }
    for policy in ["mozilla-modern", "mozilla-intermediate", "pci"] {
        met(&world, policy);
    }
    breaks(&world, "nist", &["NIST.groups", "NIST.suites13"]);
    breaks(&world, "bsi", &["BSI.suites13"]);
    let policies = judged(&all(&world), &["nist", "bsi"]);
    assert!(rules(&policies, "broken", "nist", false).contains("NIST.groups_hybrid"));
    let listed = policies.rules.iter().find(|rule| rule.id == "BSI.groups_listed").unwrap();
    assert_eq!(listed.offending, ["X25519MLKEM768 (0x11EC)", "x25519 (0x001D)"]);
    let groups = policies.rules.iter().find(|rule| rule.id == "NIST.groups").unwrap();
    assert_eq!(groups.offending, ["x25519 (0x001D): not approved in 800-52r2"]);
}

#[test]
fn an_intermediate_server_with_rsa_meets_intermediate_and_pci() {
    let world = with(&[
        ("tls.suites", suites(MOZ_INT, NEW)),
        ("tls.groups", groups(&["0x001D", "0x0017", "0x0018"])),
        ("tls.certificates", certificate("RSA", 2048, 90)),
    ]);
    met(&world, "mozilla-intermediate");
    met(&world, "mozilla-intermediate@5.7");
    met(&world, "pci");
    breaks(&world, "mozilla-modern", &["MOZ.cert_sig", "MOZ.cert_type", "MOZ.suites", "MOZ.versions"]);
    breaks(&world, "nist", &["NIST.groups", "NIST.suites12", "NIST.suites13"]);
    breaks(&world, "bsi", &["BSI.rsa", "BSI.suites12", "BSI.suites13"]);
}

#[test]
fn a_careful_server_meets_all_but_modern() {
    let world = with(&[
        ("tls.suites", suites(&["0xC02F", "0xC030"], &["0x1301", "0x1302"])),
        ("tls.certificates", certificate("RSA", 3072, 90)),
    ]);
    for policy in ["mozilla-intermediate", "pci", "nist", "nist-public", "bsi", "anssi"] {
        met(&world, policy);
    }
    assert_eq!(result(&world, "mozilla-modern").0, "not_met");
}

#[test]
fn old_versions_meet_no_policy_but_the_old_one() {
    let world = with(&[("tls.protocols", versions(&["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]))]);
    for policy in ["mozilla-modern", "mozilla-intermediate", "pci", "nist", "bsi", "anssi"] {
        assert_eq!(result(&world, policy).0, "not_met", "{policy}");
    }
    let old = with(&[
        ("tls.protocols", versions(&["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"])),
        ("tls.suites", suites(&["0xC02F", "0xC013", "0x000A"], NEW)),
        ("tls.certificates", certificate("RSA", 2048, 366)),
    ]);
    met(&old, "mozilla-old");
}

#[test]
fn tls12_alone_with_cbc_meets_pci_alone() {
    let mut world = with(&[
        ("tls.protocols", versions(&["TLSv1.2"])),
        ("tls.suites", suites(&["0xC02F", "0xC030", "0xC014"], &[])),
        ("tls.certificates", certificate("RSA", 3072, 90)),
    ]);
    set(&mut world, "tls.features", "/encrypt_then_mac", json!("yes"));
    met(&world, "pci");
    breaks(&world, "mozilla-intermediate", &["MOZ.suites"]);
    breaks(&world, "nist", &["NIST.v13"]);
    breaks(&world, "bsi", &["BSI.suites12"]);
    assert_eq!(result(&world, "mozilla-modern").0, "not_met");
}

#[test]
fn an_unknown_state_of_the_certificate_leaves_policies_undetermined() {
    let mut world = with(&[
        ("tls.suites", suites(&["0xC02F", "0xC030"], &["0x1301", "0x1302"])),
        ("tls.certificates", certificate("RSA", 3072, 90)),
    ]);
    set(&mut world, "tls.certificates", "/deployments/0/trust", json!({"unknown": "no anchors"}));
    for policy in ["mozilla-intermediate", "pci", "nist"] {
        let policies = judged(&all(&world), &[policy]);
        assert_eq!(policies.policies[0].result, "undetermined", "{policy}");
        assert!(policies.policies[0].met.known().is_none());
        let because = &policies.policies[0].because;
        assert!(because.iter().any(|id| id.ends_with(".trust") || id == "PCI.certificate"), "{because:?}");
    }
    // Without a staple nothing says that the certificate is not revoked.
    let mut world = good();
    set(&mut world, "tls.revocation", "/certificates/0/status", json!({"unknown": "nothing was stapled"}));
    assert!(rules(&judged(&all(&world), &["pci"]), "unknown", "pci", true).contains("PCI.revocation"));
}

#[test]
fn without_a_choice_nothing_is_given() {
    assert!(derived(&all(&good()), &[]).is_empty());
    assert!(find("mozila-modern").unwrap_err().contains("did you mean `mozilla-modern`?"));
    let repeated = judged(&all(&good()), &["pci", "pci"]);
    assert_eq!(repeated.policies.len(), 1);
}

#[test]
fn every_policy_compiles_and_names_each_rule_once() {
    let all = policies().unwrap_or_else(|found| panic!("{found:?}"));
    for id in ALL.iter().chain(&["nist-legacy", "mozilla-old@5.7", "mozilla-modern@6.0", "pci@4.0.1"]) {
        assert!(all.iter().any(|policy| policy.id == *id), "{id}");
    }
    for policy in all {
        let ids: BTreeSet<&str> = policy.rules.iter().map(|rule| rule.written.id.as_str()).collect();
        assert_eq!(ids.len(), policy.rules.len(), "{}", policy.id);
        let checks: Vec<Check> = policy.rules.iter().filter_map(|rule| rule.check.as_deref().ok().cloned()).collect();
        if let Err(found) = Engine::of(&checks) {
            panic!("{}: {}", policy.id, found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
        }
        let waiting: BTreeSet<&str> = policy
            .rules
            .iter()
            .filter(|rule| rule.check.is_err())
            .map(|rule| rule.written.id.as_str())
            .filter(|id| !UNSEEN.contains(id))
            .collect();
        // What waits names a kind that does not exist yet; a spelling mistake would wait for ever.
        let kinds = ["tls.renegotiation", "tls.resumption", "tls.signatures"];
        let absent = kinds.iter().any(|kind| crate::model::kind::find(kind).is_none());
        assert!(waiting.is_empty() || absent, "{waiting:?}");
    }
}

#[test]
fn what_was_not_seen_leaves_every_rule_unknown() {
    let failed: Vec<Observation> = good()
        .keys()
        .map(|kind| {
            let trouble = Trouble::new(Reason::TimedOut, "no answer within 10 s");
            Observation::failed(kind, "shop.example:443", "192.0.2.1:443", "test", now(), trouble)
        })
        .collect();
    let alone = vec![seen("tls.protocols", &versions(&["TLSv1.2", "TLSv1.3"]))];
    let policies = judged(&failed, ALL);
    for rule in &policies.rules {
        assert_eq!(rule.result, "unknown", "{} {}", rule.policy, rule.id);
        assert!(rule.holds.known().is_none() && !rule.reason.is_empty());
    }
    for policy in policies.policies.iter().chain(&judged(&alone, ALL).policies) {
        assert_ne!(policy.result, "met", "{}", policy.id);
    }
}

#[test]
fn a_list_that_was_cut_short_proves_a_breach_and_nothing_else() {
    let cut = |data: &Value| seen("tls.suites", data).partial(Trouble::new(Reason::TooLarge, "the list was cut"));
    let rest = || all(&good()).into_iter().filter(|seen| seen.kind != "tls.suites").collect::<Vec<_>>();
    let mut clean = rest();
    clean.push(cut(&suites(&["0xC02B"], &["0x1301"])));
    assert!(rules(&judged(&clean, &["pci"]), "unknown", "pci", true).contains("PCI.suites"));
    let mut weak = rest();
    weak.push(cut(&suites(&["0xC02B", "0x0005"], &["0x1301"])));
    assert!(rules(&judged(&weak, &["pci"]), "broken", "pci", true).contains("PCI.suites"));
}

/// Each change to a good server, and the rules that it breaks in any policy.
fn changes() -> Vec<(&'static str, World, Vec<&'static str>)> {
    let of = |kind: &'static str, pointer: &str, value: Value| {
        let mut world = good();
        set(&mut world, kind, pointer, value);
        world
    };
    let leaf = |name: &str, value: Value| of("tls.certificates", &format!("/deployments/0/leaf/{name}"), value);
    let old = |id: &str| with(&[("tls.suites", suites(&["0xC02B", id], &["0x1301"]))]);
    let cbc = |id: &str| {
        let mut world = old(id);
        set(&mut world, "tls.features", "/encrypt_then_mac", json!("no"));
        world
    };
    let flaw = |name: &str| {
        let mut world = good();
        let tests = world["tls.vulnerabilities"]["tests"].as_array().unwrap();
        let at = tests.iter().position(|test| test["name"] == name).unwrap();
        set(&mut world, "tls.vulnerabilities", &format!("/tests/{at}/vulnerable"), json!(true));
        world
    };
    let dhe = |bits: u32| {
        let parameters = json!({"parameters": [{"bits": bits, "export": false, "sha256": "00ff", "known": ""}]});
        with(&[("tls.suites", suites(&["0xC02B", "0x009E"], &["0x1301"])), ("tls.dh", parameters)])
    };
    let mut fallback = versions(&["TLSv1.1", "TLSv1.2", "TLSv1.3"]);
    fallback["fallback_scsv"] = json!("no");
    let old_versions = vec!["ANSSI.versions", "BSI.versions", "MOZ.versions", "NIST.old", "NIST.old_public"];
    let and = |more: &[&'static str]| {
        let mut all = [old_versions.as_slice(), more].concat();
        all.sort_unstable();
        all
    };
    vec![
        ("TLS 1.0", with(&[("tls.protocols", versions(&["TLSv1.0", "TLSv1.2", "TLSv1.3"]))]), and(&["PCI.versions"])),
        ("TLS 1.1 without fallback protection", with(&[("tls.protocols", fallback)]), and(&["NIST.scsv", "PCI.tls11"])),
        (
            "SSLv3",
            with(&[("tls.protocols", versions(&["SSLv3", "TLSv1.2", "TLSv1.3"]))]),
            vec!["ANSSI.versions", "BSI.versions", "MOZ.versions", "NIST.ssl", "PCI.versions"],
        ),
        (
            "no TLS 1.3",
            with(&[("tls.protocols", versions(&["TLSv1.2"]))]),
            vec!["ANSSI.v13", "BSI.v13", "MOZ.version_wanted", "NIST.v13"],
        ),
        (
            "TLS 1.0 alone",
            with(&[("tls.protocols", versions(&["TLSv1.0"]))]),
            and(&["ANSSI.v13", "BSI.v13", "MOZ.version_wanted", "NIST.v12", "NIST.v13", "PCI.versions"]),
        ),
        (
            "a suite of CBC with SHA-1",
            cbc("0xC00A"),
            vec!["ANSSI.enc", "ANSSI.etm", "BSI.cbc_etm", "BSI.suites12", "MOZ.suites", "NIST.etm"],
        ),
        (
            "RSA key transport",
            old("0x009C"),
            vec!["ANSSI.fs", "BSI.no_static", "BSI.suites12", "MOZ.suites", "NIST.fs", "NIST.no_rsa_kx", "PCI.fs"],
        ),
        ("RC4", old("0xC011"), vec!["ANSSI.enc", "BSI.suites12", "MOZ.suites", "NIST.suites12", "PCI.suites"]),
        (
            "blocks of 64 bits",
            cbc("0xC008"),
            vec![
                "ANSSI.enc",
                "ANSSI.etm",
                "BSI.cbc_etm",
                "BSI.suites12",
                "MOZ.suites",
                "NIST.etm",
                "NIST.suites12",
                "PCI.3des",
            ],
        ),
        (
            "a small DHE group",
            dhe(1024),
            vec![
                "ANSSI.dh",
                "ANSSI.ecdhe",
                "BSI.dh",
                "BSI.suites_ending",
                "MOZ.dh_bits",
                "MOZ.suites",
                "NIST.dh",
                "NIST.dh_prime",
                "PCI.kx_dh",
            ],
        ),
        (
            "ChaCha20 in TLS 1.3",
            with(&[("tls.suites", suites(&["0xC02B"], &["0x1301", "0x1303"]))]),
            vec!["BSI.suites13", "NIST.suites13"],
        ),
        ("CCM in TLS 1.3", with(&[("tls.suites", suites(&["0xC02B"], &["0x1304"]))]), vec!["MOZ.suites13"]),
        (
            "a weak curve",
            with(&[("tls.groups", groups(&["0x0017", "0x0001"]))]),
            vec!["ANSSI.groups", "BSI.groups", "MOZ.ecdh_bits", "MOZ.groups", "NIST.groups", "PCI.kx_groups"],
        ),
        (
            "a hybrid that no list but Mozilla's has",
            with(&[("tls.groups", groups(&["0x0017", "0x11EC"]))]),
            vec!["ANSSI.groups", "BSI.groups_listed", "NIST.groups_hybrid"],
        ),
        (
            "the client chooses",
            of("tls.suites", "/order/0/preference", json!("client")),
            vec!["ANSSI.order", "MOZ.order", "NIST.pref"],
        ),
        ("the server chooses", of("tls.suites", "/order/0/preference", json!("server")), vec!["MOZ.order"]),
        (
            "a short RSA key",
            with(&[("tls.certificates", certificate("RSA", 1024, 90))]),
            vec![
                "ANSSI.key",
                "BSI.cert_pkcs1",
                "BSI.rsa",
                "MOZ.cert_sig",
                "MOZ.cert_type",
                "MOZ.rsa_bits",
                "NIST.cert_key",
                "PCI.kx_certificate",
            ],
        ),
        ("a short curve", leaf("key_bits", json!(224)), vec!["ANSSI.key", "BSI.ec"]),
        ("another curve", leaf("curve", json!("secp256k1")), vec!["MOZ.cert_curve", "NIST.cert_curve"]),
        (
            "a certificate signed with SHA-1",
            {
                let mut world = leaf("signature", json!("ecdsa-with-SHA1"));
                set(&mut world, "tls.certificates", "/deployments/0/leaf/signature_hash", json!("sha1"));
                world
            },
            vec!["ANSSI.sig", "BSI.cert_sig", "MOZ.cert_sig", "NIST.cert_sig", "PCI.certificate_hash"],
        ),
        (
            "a long lifetime",
            leaf("lifetime_days", json!(1200)),
            vec!["ANSSI.cert", "MOZ.lifetime", "MOZ.lifetime_wanted"],
        ),
        ("no place of revocation", leaf("ocsp", json!([])), vec!["NIST.rev_info"]),
        (
            "not trusted",
            of("tls.certificates", "/deployments/0/trust", json!("self-signed")),
            vec!["ANSSI.trust", "MOZ.trust", "NIST.trust", "PCI.certificate"],
        ),
        (
            "another name",
            of("tls.certificates", "/deployments/0/name_matches", json!(false)),
            vec!["ANSSI.trust", "MOZ.trust", "NIST.sni", "NIST.trust", "PCI.certificate"],
        ),
        (
            "revoked",
            {
                let mut world = of("tls.revocation", "/certificates/0/status", json!("revoked"));
                set(&mut world, "tls.revocation", "/revoked", json!(["00ff"]));
                world
            },
            vec!["MOZ.revoked", "PCI.revocation"],
        ),
        ("no staple", of("tls.features", "/ocsp_stapling", json!("no")), vec!["MOZ.staple", "NIST.status"]),
        ("short HSTS", of("http.hsts", "/max_age", json!(300)), vec!["MOZ.hsts"]),
        (
            "compression",
            of("tls.features", "/compression", json!("deflate")),
            vec!["ANSSI.compression", "BSI.comp", "MOZ.compression", "NIST.null_comp"],
        ),
        (
            "no secure renegotiation",
            of("tls.features", "/secure_renegotiation", json!("no")),
            vec!["ANSSI.reneg", "BSI.reneg", "MOZ.renegotiation", "NIST.ri"],
        ),
        (
            "no extended master secret",
            of("tls.features", "/extended_master_secret", json!("no")),
            vec!["ANSSI.ems", "BSI.ems", "NIST.ems"],
        ),
        ("heartbeats", of("tls.features", "/heartbeat", json!("yes")), vec!["BSI.heartbeat"]),
        ("truncated MACs", of("tls.features", "/truncated_hmac", json!("yes")), vec!["BSI.trunc", "NIST.trunc"]),
        (
            "tickets without a key exchange",
            of("tls.resumption", "/psk_without_exchange", json!("yes")),
            vec!["BSI.psk_mode"],
        ),
        ("Heartbleed", flaw("heartbleed"), vec!["MOZ.vulns", "NIST.vulns", "PCI.vulns"]),
        ("FREAK", flaw("freak"), vec!["NIST.vulns", "PCI.vulns"]),
        (
            "insecure renegotiation",
            of("tls.renegotiation", "/insecure", json!("yes")),
            vec!["BSI.reneg_insecure", "NIST.ri_refused", "PCI.fallback"],
        ),
        (
            "renegotiation by the client",
            of("tls.renegotiation", "/client_initiated", json!("accepted")),
            vec!["BSI.reneg_client"],
        ),
        (
            "early data",
            of("tls.resumption", "/early_data", json!("advertised")),
            vec!["ANSSI.0rtt", "BSI.0rtt", "NIST.0rtt"],
        ),
        ("signs with what was not offered", of("tls.signatures", "/ignores_list", json!(true)), vec!["NIST.sigalg"]),
        ("signs by PKCS#1", of("tls.signatures", "/schemes/0/id", json!("0x0401")), vec!["BSI.sig"]),
        ("nothing recorded", with(&[("tls.suites", json!({"suites": [], "order": []}))]), vec!["PCI.inventory"]),
    ]
}

/// A result for each rule of each policy.
fn by_rule(policies: &Policies) -> BTreeMap<(String, String), PolicyRule> {
    policies.rules.iter().map(|rule| ((rule.policy.clone(), rule.id.clone()), rule.clone())).collect()
}

#[test]
fn each_change_breaks_the_rules_that_it_concerns_and_no_others() {
    let base = by_rule(&judged(&all(&good()), ALL));
    let waiting: BTreeSet<&str> = base.values().filter(|rule| awaited(rule)).map(|rule| rule.id.as_str()).collect();
    let mut broken: BTreeSet<String> =
        base.values().filter(|rule| rule.result == "broken").map(|rule| rule.id.clone()).collect();
    let mut held: BTreeSet<String> =
        base.values().filter(|rule| rule.result == "holds").map(|rule| rule.id.clone()).collect();
    for (name, world, wanted) in changes() {
        let after = by_rule(&judged(&all(&world), ALL));
        let newly: BTreeSet<&str> = after
            .iter()
            .filter(|(key, rule)| rule.result == "broken" && base[*key].result != "broken")
            .map(|(_, rule)| rule.id.as_str())
            .collect();
        let wanted: BTreeSet<&str> = wanted.into_iter().filter(|id| !waiting.contains(id)).collect();
        assert_eq!(newly, wanted, "{name}");
        for rule in after.values() {
            assert_eq!(rule.result == "broken", !rule.offending.is_empty(), "{name}: {}", rule.id);
            match rule.result.as_str() {
                "broken" => broken.insert(rule.id.clone()),
                "holds" => held.insert(rule.id.clone()),
                _ => false,
            };
        }
    }
    // A rule that holds for another server than those above.
    let hybrid = with(&[("tls.groups", groups(&["0x0017", "0x11EB"]))]);
    let prime = json!({"parameters": [{"bits": 3072, "export": false, "sha256": "00ff", "known": "ffdhe3072"}]});
    let dhe = with(&[("tls.dh", prime), ("tls.certificates", certificate("RSA", 3072, 90))]);
    let mut cbc = with(&[("tls.suites", suites(&["0xC02B", "0xC023"], &["0x1301"]))]);
    set(&mut cbc, "tls.features", "/encrypt_then_mac", json!("yes"));
    for world in [hybrid, dhe, cbc] {
        let holds = judged(&all(&world), ALL).rules.into_iter().filter(|rule| rule.result == "holds");
        held.extend(holds.map(|rule| rule.id));
    }
    for (_, rule) in base.iter().filter(|(_, rule)| !waiting.contains(rule.id.as_str())) {
        assert!(broken.contains(&rule.id), "no server breaks {}", rule.id);
        assert!(held.contains(&rule.id), "{} holds for no server", rule.id);
    }
}
