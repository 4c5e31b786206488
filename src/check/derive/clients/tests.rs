//! The rules, one by one, on facts as a collector records them.

use super::*;
use crate::catalogue::Catalogue;
use crate::model::policy::Judging;
use crate::model::{Target, TargetKind};
use serde_json::{Value, json};

/// The facts of a server: kind and data.
type Facts = Vec<(&'static str, Value)>;

fn suite(protocol: &str, name: &str) -> Value {
    let row = registry::suite_by_name(name).unwrap();
    json!({
        "protocol": protocol, "id": row.id_hex, "name": row.name, "openssl_name": row.openssl_name, "kx": row.kx,
        "auth": row.auth, "enc": row.enc, "bits": row.bits, "block_bits": 0, "mac": row.mac, "pfs": row.pfs,
        "aead": row.aead, "export": row.export, "class": row.class, "strength": 2048, "group": "",
    })
}

fn group(name: &str, protocols: &[&str]) -> Value {
    let row = registry::group_by_name(name).unwrap();
    json!({
        "protocols": protocols, "id": row.id_hex, "name": row.name, "kind": row.kind,
        "rsa_equiv_bits": row.rsa_equiv_bits, "pq": row.pq, "class": row.class,
    })
}

fn deployment(key: &str, protocols: &[&str], hash: &str) -> Value {
    let (key_type, bits, curve, strength) = match key {
        "RSA" => ("RSA", 2048, "", 2048),
        "RSASSA-PSS" => ("RSA", 2048, "RSASSA-PSS", 2048),
        other => ("EC", 256, other, 3072),
    };
    json!({
        "id": key, "protocols": protocols, "trust": "trusted", "trust_detail": "", "private_anchor": false, "anchor": "",
        "order_ok": true, "extra": 0, "contains_anchor": false, "name_matches": true, "staple": "absent",
        "must_staple": false, "days_left": 60,
        "chain": [{"sha256": "0", "subject": "CN=a", "issuer": "CN=b", "key": "", "signature_hash": hash, "not_after": ""}],
        "leaf": {
            "subject": "CN=a", "issuer": "CN=b", "serial": "1", "key_type": key_type, "key_bits": bits,
            "key_strength": strength, "curve": curve, "exponent": "", "signature": "", "signature_hash": hash,
            "not_before": "", "not_after": "", "lifetime_days": 90, "names": [], "name_count": 0, "self_signed": false,
            "ca": false, "server_auth": true, "ocsp": [], "crl": [],
        },
    })
}

const NEW: [&str; 2] = ["TLSv1.2", "TLSv1.3"];
const GCM: &str = "ECDHE-RSA-AES128-GCM-SHA256";
const CHACHA: &str = "ECDHE-RSA-CHACHA20-POLY1305";
const EC_GCM: &str = "ECDHE-ECDSA-AES256-GCM-SHA384";
const DHE: &str = "DHE-RSA-AES256-GCM-SHA384";

/// A server that offers these versions with these suites of TLS 1.2, in its own order, and an RSA certificate.
fn server(versions: &[&str], suites: &[&str]) -> Facts {
    let mut all: Vec<Value> = suites.iter().map(|name| suite("TLSv1.2", name)).collect();
    all.extend(versions.iter().filter(|v| **v == "TLSv1.3").map(|v| suite(v, "TLS_AES_256_GCM_SHA384")));
    let ids = |protocol: &str| -> Vec<Value> {
        all.iter().filter(|suite| suite["protocol"] == protocol).map(|suite| suite["id"].clone()).collect()
    };
    let order = |protocol: &str| json!({"protocol": protocol, "preference": "server", "ids": ids(protocol), "chacha_priority": "no"});
    let offered: Vec<Value> = versions.iter().map(|name| json!({ "name": name })).collect();
    vec![
        (
            "tls.protocols",
            json!({
                "offered": offered, "refused": [], "unknown": [], "proofs": [], "fallback_scsv": "yes",
                "downgrade_sentinel": "yes", "ssl2_without_kinds": false,
            }),
        ),
        (
            "tls.suites",
            json!({
                "suites": all, "order": versions.iter().map(|v| order(v)).collect::<Vec<_>>(), "incomplete": [],
            }),
        ),
        (
            "tls.groups",
            json!({
                "groups": [group("x25519", &NEW), group("secp256r1", &NEW)], "order": "server", "incomplete": [],
                "ignores_list": false,
            }),
        ),
        ("tls.dh", json!({"used": false, "parameters": []})),
        (
            "tls.certificates",
            json!({
                "deployments": [deployment("RSA", versions, "sha256")], "server_name": "a.example", "anchors": "test",
            }),
        ),
    ]
}

/// The data of a kind.
fn of<'a>(facts: &'a mut Facts, kind: &str) -> &'a mut Value {
    &mut facts.iter_mut().find(|(known, _)| *known == kind).unwrap().1
}

fn field(facts: &mut Facts, bits: u32) {
    *of(facts, "tls.dh") = json!({"used": true, "parameters": [{
        "protocols": ["TLSv1.2"], "export": false, "bits": bits, "sha256": "", "known": "", "safe_prime": true,
        "composite": false, "public_reused": false,
    }]});
}

fn as_of() -> jiff::Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn observed(facts: &Facts) -> Vec<Observation> {
    facts.iter().map(|(kind, data)| Observation::complete(kind, "t", "p", "test", as_of(), data).unwrap()).collect()
}

fn derived(observations: &[Observation]) -> Observation {
    static CATALOGUE: std::sync::LazyLock<Catalogue> = std::sync::LazyLock::new(|| Catalogue::built_in().unwrap());
    let judging = Judging::default();
    let targets = [Target::new("t", TargetKind::Endpoint, "a.example:443")];
    let mut all =
        derive(&Inputs { targets: &targets, observations, judging: &judging, catalogue: &CATALOGUE, as_of: as_of() });
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// The row of the first client whose library starts so.
fn row(facts: &Facts, library: &str) -> SimulatedClient {
    let id = &registry::clients().iter().find(|client| client.library.starts_with(library)).unwrap().id;
    let clients: Clients = derived(&observed(facts)).read().unwrap();
    clients.clients.into_iter().find(|row| row.id == *id).unwrap()
}

/// Protocol and suite, or the failure, or the reason.
fn end(facts: &Facts, library: &str) -> String {
    let row = row(facts, library);
    match row.connects {
        Fact::Known(true) => format!("{} {}", row.protocol, row.suite_name),
        Fact::Known(false) => row.failure,
        Fact::Unknown(unknown) => format!("? {}", unknown.unknown),
    }
}

#[test]
fn the_newest_version_in_common_and_its_suite_are_found() {
    let both = server(&NEW, &[GCM]);
    let chromium = row(&both, "BoringSSL");
    assert_eq!((chromium.protocol.as_str(), chromium.suite.as_str()), ("TLSv1.3", "0x1302"));
    assert_eq!(chromium.group, Fact::Known("x25519".to_owned()));
    assert_eq!(chromium.strength, Fact::Known(2048), "the key of the certificate is the weaker half");
    assert_eq!(chromium.forward_secrecy, Fact::Known("yes".to_owned()));
    assert!(chromium.reference);
    let old = row(&both, "OpenSSL 1.0.1");
    assert_eq!((old.protocol.as_str(), old.group), ("TLSv1.2", Fact::Known("secp256r1".to_owned())));
    assert_eq!(end(&server(&["TLSv1.3"], &[]), "OpenSSL 1.0.1"), "no_version");
}

#[test]
fn a_version_that_the_client_lists_and_does_not_take_is_none() {
    let mut facts = server(&["TLSv1.1"], &[]);
    of(&mut facts, "tls.suites")["suites"] = json!([suite("TLSv1.1", "AES128-SHA")]);
    assert_eq!(end(&facts, "OpenSSL 3.0"), "no_version");
    assert_eq!(end(&facts, "GnuTLS"), "TLSv1.1 TLS_RSA_WITH_AES_128_CBC_SHA");
    let old = row(&facts, "OpenSSL 1.0.1");
    assert_eq!(old.forward_secrecy, Fact::Known("no".to_owned()));
    assert_eq!(old.group, Fact::Known(String::new()));
}

#[test]
fn the_one_who_chooses_decides() {
    let suites = ["ECDHE-RSA-AES256-GCM-SHA384", GCM];
    let mut facts = server(&["TLSv1.2"], &suites);
    assert_eq!(end(&facts, "BoringSSL"), "TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    of(&mut facts, "tls.suites")["order"][0]["preference"] = json!("client");
    assert_eq!(end(&facts, "BoringSSL"), "TLSv1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    for word in [json!("mixed"), json!({"unknown": "no answer"})] {
        of(&mut facts, "tls.suites")["order"][0]["preference"] = word;
        assert!(end(&facts, "BoringSSL").starts_with("? "));
    }
}

#[test]
fn an_order_that_is_not_settled_as_a_whole_may_be_known_where_it_counts() {
    let mut facts = server(&["TLSv1.2"], &["ECDHE-RSA-AES256-GCM-SHA384", GCM]);
    let order = &mut of(&mut facts, "tls.suites")["order"][0];
    order["preference"] = json!({"unknown": "not settled within 24 hellos"});
    order["ids"] = json!([]);
    order["apart"] = json!([["0xC02F", "0xC030"], ["0xC018"]]);
    assert!(end(&facts, "BoringSSL").ends_with("AES_128_GCM_SHA256"));
    of(&mut facts, "tls.suites")["order"][0]["apart"] = json!([["0xC02F"], ["0xC030"]]);
    assert!(end(&facts, "BoringSSL").starts_with("? "));
}

#[test]
fn the_order_of_groups_of_tls_1_3_says_nothing_of_older_versions() {
    let groups = json!([group("secp256r1", &NEW), group("secp521r1", &NEW), group("secp384r1", &NEW)]);
    let mut facts = server(&["TLSv1.2"], &[GCM]);
    of(&mut facts, "tls.groups")["groups"] = groups.clone();
    assert_eq!(row(&facts, "OpenSSL 1.0.1").group, Fact::Known("secp256r1".to_owned()));
    of(&mut facts, "tls.groups")["order"] = json!("client");
    assert_eq!(row(&facts, "OpenSSL 1.0.1").group, Fact::Known("secp521r1".to_owned()));
    of(&mut facts, "tls.groups")["order"] = json!("server");
    of(&mut facts, "tls.groups")["groups"] =
        json!([group("x25519", &NEW), group("secp256r1", &NEW), group("secp521r1", &NEW)]);
    assert!(row(&facts, "OpenSSL 1.0.1").group.known().is_none(), "what it likes second best was not seen");
    let mut facts = server(&NEW, &[GCM]);
    of(&mut facts, "tls.groups")["groups"] = groups;
    let old = row(&facts, "OpenSSL 1.0.1");
    assert!(old.group.known().is_none() && old.connects == Fact::Known(true));
    assert_eq!(row(&facts, "NSS").group, Fact::Known("secp256r1".to_owned()), "both orders begin with it");
}

#[test]
fn a_share_that_was_sent_may_win() {
    let mut facts = server(&NEW, &[GCM]);
    let of_1_3 = ["TLSv1.3"];
    of(&mut facts, "tls.groups")["groups"] = json!([group("secp384r1", &of_1_3), group("x25519", &of_1_3)]);
    let openssl = row(&facts, "OpenSSL 3.0");
    assert!(openssl.group.reason().unwrap().contains("share"), "{openssl:?}");
    of(&mut facts, "tls.groups")["groups"] = json!([group("secp384r1", &of_1_3)]);
    assert_eq!(row(&facts, "OpenSSL 3.0").group, Fact::Known("secp384r1".to_owned()), "it is asked for");
}

#[test]
fn chacha_has_priority_only_for_a_client_that_wants_it_first() {
    let mut facts = server(&["TLSv1.2"], &[GCM, CHACHA]);
    of(&mut facts, "tls.suites")["order"][0]["chacha_priority"] = json!("yes");
    assert!(end(&facts, "BoringSSL").ends_with("AES_128_GCM_SHA256"));
    assert!(end(&facts, "Botan").ends_with("CHACHA20_POLY1305_SHA256"));
    of(&mut facts, "tls.suites")["order"][0]["chacha_priority"] = json!("no");
    assert!(end(&facts, "Botan").ends_with("AES_128_GCM_SHA256"));
    of(&mut facts, "tls.suites")["order"][0]["chacha_priority"] = json!({"unknown": "no answer"});
    assert_eq!(end(&facts, "Botan"), "? whether ChaCha20 has priority in TLSv1.2 is not known");
    assert!(end(&facts, "BoringSSL").ends_with("AES_128_GCM_SHA256"));
    // A server that puts ChaCha20 first may do so only for those who do not begin with AES-GCM.
    let mut facts = server(&["TLSv1.2"], &[CHACHA, GCM]);
    assert!(end(&facts, "BoringSSL").ends_with("CHACHA20_POLY1305_SHA256"));
    of(&mut facts, "tls.suites")["order"][0]["chacha_priority"] = json!({"unknown": "no answer"});
    assert!(end(&facts, "BoringSSL").starts_with("? "));
    assert!(end(&facts, "Botan").ends_with("CHACHA20_POLY1305_SHA256"));
}

#[test]
fn a_field_of_the_wrong_size_fails_after_the_choice() {
    let mut facts = server(&["TLSv1.2"], &[DHE, GCM]);
    field(&mut facts, 1024);
    assert_eq!(end(&facts, "OpenSSL 3.0"), "dh_too_small", "the server does not know the limit of the client");
    assert_eq!(end(&facts, "GnuTLS"), "TLSv1.2 TLS_DHE_RSA_WITH_AES_256_GCM_SHA384");
    assert_eq!(row(&facts, "GnuTLS").strength, Fact::Known(1024));
    assert_eq!(row(&facts, "GnuTLS").group, Fact::Known("dh-1024".to_owned()));
    assert_eq!(end(&facts, "BoringSSL"), "TLSv1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    field(&mut facts, 8192);
    let openssl = registry::clients().iter().find(|client| client.library.starts_with("OpenSSL 3.0")).unwrap();
    let narrow = Client { max_dh_bits: Some(4096), ..openssl.clone() };
    let seen = observed(&facts);
    let server = Server::gather(&seen.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(super::row(&server, &narrow).failure, "dh_too_big");
    *of(&mut facts, "tls.dh") = json!({"used": true, "parameters": []});
    assert_eq!(end(&facts, "GnuTLS"), "? not all finite fields of TLSv1.2 are known");
}

#[test]
fn what_is_in_common_must_be_usable() {
    assert_eq!(end(&server(&["TLSv1.2"], &["CAMELLIA128-SHA"]), "BoringSSL"), "no_suite");
    let mut facts = server(&["TLSv1.2"], &[GCM]);
    of(&mut facts, "tls.groups")["groups"] = json!([group("x448", &["TLSv1.2"])]);
    assert_eq!(end(&facts, "BoringSSL"), "no_suite");
    of(&mut facts, "tls.groups")["incomplete"] = json!([{"protocol": "TLSv1.2", "reason": "timed out"}]);
    assert_eq!(end(&facts, "BoringSSL"), "? not all groups are known: timed out");

    let mut facts = server(&["TLSv1.2"], &[EC_GCM]);
    of(&mut facts, "tls.certificates")["deployments"] = json!([deployment("P-521", &["TLSv1.2"], "sha256")]);
    assert_eq!(end(&facts, "BoringSSL"), "cert_alg", "it does not list the curve of the certificate");
    assert!(end(&facts, "NSS").ends_with("ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"));
    let mut facts = server(&["TLSv1.3"], &[]);
    of(&mut facts, "tls.certificates")["deployments"] = json!([deployment("P-521", &["TLSv1.3"], "sha256")]);
    assert_eq!(end(&facts, "BoringSSL"), "cert_alg");
}

#[test]
fn a_key_for_pss_alone_is_for_those_who_list_its_schemes() {
    let mut facts = server(&["TLSv1.3"], &[]);
    of(&mut facts, "tls.certificates")["deployments"] = json!([deployment("RSASSA-PSS", &["TLSv1.3"], "sha256")]);
    assert_eq!(end(&facts, "BoringSSL"), "cert_alg");
    assert!(end(&facts, "OpenSSL 3.0").starts_with("TLSv1.3"));
}

#[test]
fn a_chain_with_sha1_is_refused_by_those_who_refuse_it() {
    let mut facts = server(&NEW, &[GCM]);
    of(&mut facts, "tls.certificates")["deployments"] = json!([deployment("RSA", &NEW, "sha1")]);
    assert_eq!(end(&facts, "BoringSSL"), "cert_alg");
    assert!(end(&facts, "OpenSSL 1.0.1").starts_with("TLSv1.2"));
}

#[test]
fn certificates_of_two_kinds_and_the_clients_order_leave_open_what_an_rsa_first_client_gets() {
    let mut facts = server(&["TLSv1.2"], &[EC_GCM, "ECDHE-RSA-AES256-GCM-SHA384"]);
    of(&mut facts, "tls.suites")["order"][0]["preference"] = json!("client");
    of(&mut facts, "tls.certificates")["deployments"] =
        json!([deployment("RSA", &["TLSv1.2"], "sha256"), deployment("P-256", &["TLSv1.2"], "sha256")]);
    assert!(end(&facts, "BoringSSL").ends_with("ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"));
    let node = end(&facts, "OpenSSL 1.0.2");
    assert!(node.starts_with("? the server has certificates of two kinds"), "{node}");
}

#[test]
fn an_unknown_fact_never_connects() {
    let mut facts = server(&NEW, &[GCM]);
    of(&mut facts, "tls.protocols")["offered"] = json!([{"name": "TLSv1.2"}]);
    of(&mut facts, "tls.protocols")["unknown"] = json!(["TLSv1.3"]);
    assert_eq!(end(&facts, "BoringSSL"), "? whether TLSv1.3 is offered is not known");
    assert!(end(&facts, "OpenSSL 1.0.1").starts_with("TLSv1.2"), "it does not ask for TLS 1.3");
    let mut facts = server(&NEW, &[GCM]);
    of(&mut facts, "tls.suites")["incomplete"] = json!([{"protocol": "TLSv1.2", "reason": "timed out"}]);
    assert_eq!(end(&facts, "OpenSSL 1.0.1"), "? not all suites of TLSv1.2 are known: timed out");
    assert!(end(&facts, "BoringSSL").starts_with("TLSv1.3"));
    let unknown = row(&facts, "OpenSSL 1.0.1");
    assert!(unknown.forward_secrecy.known().is_none() && unknown.strength.known().is_none());
    let facts: Facts = server(&NEW, &[GCM]).into_iter().filter(|(kind, _)| *kind != "tls.certificates").collect();
    assert!(end(&facts, "BoringSSL").starts_with("? the certificates are not known"));
}

#[test]
fn a_name_that_is_refused_lets_nobody_in() {
    let mut facts = server(&NEW, &[GCM]);
    of(&mut facts, "tls.certificates")["server_name_refused"] = json!(true);
    assert_eq!(end(&facts, "BoringSSL"), "refused");
}

#[test]
fn a_client_without_a_name_gets_what_is_shown_without_one() {
    let mut client = registry::clients().iter().find(|client| client.library.starts_with("OpenSSL")).unwrap().clone();
    client.extensions.retain(|one| one.kind != crate::wire::extension::SERVER_NAME);
    let end = |names: Option<Value>| {
        let mut facts = server(&NEW, &[GCM]);
        facts.extend(names.map(|names| ("tls.names", names)));
        let observed = observed(&facts);
        let seen: Vec<&Observation> = observed.iter().collect();
        let row = super::row(&Server::gather(&seen).unwrap(), &client);
        match row.connects {
            Fact::Known(true) => row.protocol,
            Fact::Known(false) => row.failure,
            Fact::Unknown(unknown) => format!("? {}", unknown.unknown),
        }
    };
    let names = |without: Value, required: Value| {
        Some(json!({
            "without_name": without, "unknown_name": "same", "required": required, "unknown_rejected": false,
            "default_certificate": [],
        }))
    };
    assert_eq!(end(names(json!("same"), json!(false))), "TLSv1.3");
    assert_eq!(end(names(json!("refused"), json!(true))), "sni_needed");
    assert_eq!(end(names(json!("other"), json!(true))), "sni_needed");
    assert!(end(names(json!("other"), json!(false))).starts_with("? another certificate"));
    let open = json!({"unknown": "no answer in time"});
    assert!(end(names(open.clone(), open)).contains("no answer in time"));
    assert!(end(None).contains("not looked at"));
}

#[test]
fn a_partial_input_makes_it_partial_and_a_failed_look_fails_it() {
    let mut seen = observed(&server(&NEW, &[GCM]));
    assert_eq!(derived(&seen).status, ObservationStatus::Complete);
    seen[3] = seen[3].clone().partial(Trouble::new(Reason::TimedOut, "no answer"));
    let partial = derived(&seen);
    assert_eq!(partial.status, ObservationStatus::Partial);
    assert_eq!(partial.trouble, Some(Trouble::new(Reason::TimedOut, "tls.dh: no answer")));
    let trouble = Trouble::new(Reason::Refused, "connection refused");
    seen[1] = Observation::failed("tls.suites", "t", "p", "test", as_of(), trouble.clone());
    let failed = derived(&seen);
    assert_eq!((failed.status, failed.trouble), (ObservationStatus::Failed, Some(trouble)));
}

#[test]
fn where_the_live_rows_differ_the_computation_says_so() {
    let facts = server(&NEW, &[GCM]);
    let mut seen = observed(&facts);
    let computed: Clients = derived(&seen).read().unwrap();
    let mut live = computed.clone();
    live.clients[0] = live.clients[0].clone().failing("no_suite", "alert handshake_failure");
    live.clients[1].group = Fact::Known("secp256r1".to_owned());
    live.clients[2] = live.clients[2].clone().unknown("timed out");
    seen.push(Observation::complete("tls.clients.live", "t", "p", "tls", as_of(), &live).unwrap());
    let notes = derived(&seen).read::<Clients>().unwrap().notes;
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("computed TLSv1.3") && notes[0].ends_with("seen no connection (no_suite)"));
    assert!(notes[1].ends_with("computed the group x25519, seen secp256r1"), "{}", notes[1]);
}
