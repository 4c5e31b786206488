//! The collectors of names against a real authoritative server with signed zones, and against a server that lies.

use crate::support::names::{self, Query};
use crate::support::zones::{NOBODY, NOW, Names, Signing, Zone};
use probity::collect::dns::Dns;
use probity::collect::{CollectContext, Collector, Documents, Job, Limits, Secret, Secrets, Silent};
use probity::model::dns::Settings;
use probity::model::{FixedClock, Observation, ObservationStatus, Reason, SecretRef, Target, TargetKind};
use probity::net::{SeededRandom, TcpDial};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

struct NoSecrets;

impl Secrets for NoSecrets {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Err("there are no secrets here".to_owned())
    }
}

/// What a collector sees of a target with this host.
pub fn look(
    collector: &dyn Collector,
    target: Target,
    settings: &Settings,
    earlier: Vec<Observation>,
) -> Vec<Observation> {
    let job = Job { target, addresses: Vec::new(), earlier };
    let cx = CollectContext {
        clock: Arc::new(FixedClock(NOW.parse().unwrap())),
        dial: Arc::new(TcpDial),
        random: Arc::new(SeededRandom::new(1)),
        progress: Arc::new(Silent),
        secrets: Arc::new(NoSecrets),
        cancel: tokio_util::sync::CancellationToken::new(),
        limits: Limits::default(),
        documents: Arc::new(Documents { dns: settings.clone(), ..Documents::default() }),
        halfway: Arc::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(collector.collect(&job, &cx));
    let kinds: Vec<&str> = seen.iter().map(|observation| observation.kind.as_str()).collect();
    assert_eq!(kinds, collector.yields(), "one of each");
    seen
}

fn endpoint(host: &str) -> Target {
    let mut target = Target::new(host, TargetKind::Endpoint, format!("{host}:443"));
    target.connection.host = host.to_owned();
    target.connection.port = 443;
    target
}

fn look_at(host: &str, settings: &Settings) -> Vec<Observation> {
    look(&Dns, endpoint(host), settings, Vec::new())
}

pub fn of<'a>(seen: &'a [Observation], kind: &str) -> &'a Observation {
    seen.iter().find(|observation| observation.kind == kind).unwrap()
}

pub fn facts(seen: &[Observation], kind: &str) -> Value {
    let observation = of(seen, kind);
    assert_eq!(observation.status, ObservationStatus::Complete, "{kind}: {:?}", observation.trouble);
    Value::Object(observation.data.clone())
}

pub fn reason(seen: &[Observation], kind: &str) -> (Reason, String) {
    let observation = of(seen, kind);
    assert_eq!(observation.status, ObservationStatus::Failed, "{kind}: {:?}", observation.data);
    let trouble = observation.trouble.clone().unwrap();
    (trouble.reason, trouble.detail)
}

fn zone(label: &'static str, signing: Signing, vouched: bool, records: &str) -> Zone {
    Zone { label, signing, vouched, records: records.to_owned() }
}

#[test]
fn chains_of_trust_are_followed_and_faults_in_them_are_named() {
    let inside = "www CNAME shop.example.\na.b.c A 127.0.0.1\n*.wild A 127.0.0.1";
    let zones = [
        zone("shop", Signing::Good, true, inside),
        zone("hashed", Signing::Hashed, true, inside),
        zone("expired", Signing::Expired, true, ""),
        zone("changed", Signing::Changed, true, ""),
        zone("orphan", Signing::Good, false, ""),
        zone("plain", Signing::Plain, false, ""),
        zone("strange", Signing::Strange, true, ""),
        zone("stripped", Signing::Plain, true, ""),
    ];
    let Some(names) = Names::start("dns-chains", &zones) else { return };
    let dnssec = |host: &str| facts(&look_at(host, &names.settings), "dns.dnssec");
    for host in ["shop.example", "www.shop.example", "a.b.c.shop.example", "any.wild.shop.example"] {
        let seen = dnssec(host);
        assert_eq!((&seen["status"], &seen["zone"]), (&json!("secure"), &json!("shop.example")), "{host}: {seen}");
        assert_eq!((&seen["signed"], &seen["weak"], &seen["days_left"]), (&json!(true), &json!([]), &json!(30)));
        assert_eq!(seen["algorithms"], json!(["13 ECDSA P-256"]));
        assert_eq!(seen["expires"], "2026-12-25T12:00:00Z");
    }
    for host in ["hashed.example", "a.b.c.hashed.example", "any.wild.hashed.example"] {
        let seen = dnssec(host);
        assert_eq!((&seen["status"], &seen["nsec3_iterations"]), (&json!("secure"), &json!(1)), "{host}: {seen}");
        assert_eq!(seen["weak"], json!(["1 extra rounds of the hash in NSEC3"]));
    }
    let expired = dnssec("expired.example");
    assert_eq!(expired["status"], "bogus");
    assert!(expired["why"].as_str().unwrap().contains("ended on 2026-11-24T12:00:00Z"), "{expired}");
    let changed = dnssec("changed.example");
    assert_eq!(changed["status"], "bogus");
    assert!(changed["why"].as_str().unwrap().contains("changed.example A does not hold"), "{changed}");
    for (host, words) in [
        ("strange.example", "no key of the zone strange.example has a digest that its parent holds"),
        ("stripped.example", "the zone stripped.example shows no keys"),
    ] {
        let seen = dnssec(host);
        assert_eq!((&seen["status"], &seen["why"]), (&json!("bogus"), &json!(words)));
    }
    let orphan = dnssec("orphan.example");
    assert_eq!((&orphan["status"], &orphan["signed"]), (&json!("insecure"), &json!(true)), "{orphan}");
    assert_eq!(orphan["why"], "the zone example has no digest for orphan.example");
    let plain = dnssec("plain.example");
    assert_eq!((&plain["status"], &plain["signed"]), (&json!("insecure"), &json!(false)), "{plain}");
}

#[test]
fn a_wrong_anchor_blames_nobody_but_the_resolver() {
    let Some(names) = Names::start("dns-anchor", &[zone("shop", Signing::Good, true, "")]) else { return };
    let public = Settings { anchors: Vec::new(), ..names.settings.clone() };
    let seen = look_at("shop.example", &public);
    let (reason, detail) = reason(&seen, "dns.dnssec");
    assert_eq!(reason, Reason::ProtocolViolation);
    assert!(detail.contains("do not fit the trust anchor"), "{detail}");
    // What needs no signature was seen all the same.
    assert_eq!(facts(&seen, "dns.caa")["present"], false);
}

#[test]
fn the_nearest_records_of_issuers_count() {
    let records = "@ CAA 0 issue \"letsencrypt.org; accounturi=https://a.example/1\"\n@ CAA 0 issuewild \";\"\n\
                   @ CAA 0 iodef \"mailto:a@shop.example\"\na.b A 127.0.0.1\nother A 127.0.0.1\nother CAA 0 issue \"ca.example\"\n\
                   alias CNAME other\ntbs A 127.0.0.1\ntbs CAA 128 tbs \"x\"";
    let zones = [zone("shop", Signing::Good, true, records), zone("bare", Signing::Plain, false, "")];
    let Some(names) = Names::start("dns-caa", &zones) else { return };
    let caa = |host: &str| facts(&look_at(host, &names.settings), "dns.caa");
    for host in ["shop.example", "a.b.shop.example"] {
        let seen = caa(host);
        assert_eq!((&seen["found_at"], &seen["limits"]), (&json!("shop.example"), &json!(true)), "{host}");
        assert_eq!((&seen["issuers"], &seen["wildcard_issuers"]), (&json!(["letsencrypt.org"]), &json!([])));
        assert_eq!((&seen["reports"], &seen["bound"]), (&json!(true), &json!(true)));
    }
    assert_eq!(caa("other.shop.example")["issuers"], json!(["ca.example"]));
    assert_eq!(caa("alias.shop.example")["issuers"], json!(["ca.example"]), "aliases are followed");
    let tbs = caa("tbs.shop.example");
    assert_eq!((&tbs["unknown_critical"], &tbs["issuers"], &tbs["limits"]), (&json!(true), &json!([]), &json!(true)));
    let bare = caa("bare.example");
    assert_eq!((&bare["present"], &bare["limits"]), (&json!(false), &json!(false)));
    let (reason, detail) = reason(&look_at("absent.shop.example", &names.settings), "dns.caa");
    assert_eq!(reason, Reason::Unreachable, "{detail}");
    assert!(detail.contains("knows no name"), "{detail}");
}

/// The certificate that a server shows, as the collector of TLS records it.
fn certificate(key: &str) -> Observation {
    let leaf = json!({
        "subject": "CN=shop.example", "issuer": "CN=R11, O=Let's Encrypt, C=US", "serial": "1", "key_type": "EC", "key_bits": 256,
        "key_strength": 3072, "curve": "P-256", "exponent": "", "signature": "ecdsa-with-SHA256", "signature_hash": "sha256",
        "not_before": "2026-11-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z", "lifetime_days": 62, "names": ["shop.example"],
        "name_count": 1, "self_signed": false, "ca": false, "server_auth": true, "ocsp": [], "crl": []
    });
    let link = json!({
        "sha256": "ff".repeat(32), "key_sha256": key, "subject": "CN=shop.example", "issuer": "CN=R11", "key": "EC 256",
        "signature_hash": "sha256", "not_after": "2027-01-01T00:00:00Z"
    });
    let data = json!({ "server_name": "shop.example", "anchors": "", "deployments": [{
        "id": "ff".repeat(32), "protocols": ["TLSv1.3"], "leaf": leaf, "chain": [link], "trust": "trusted", "trust_detail": "",
        "private_anchor": false, "anchor": "", "order_ok": true, "extra": 0, "contains_anchor": false, "name_matches": true,
        "staple": "absent", "must_staple": false, "days_left": 30
    }] });
    Observation::complete("tls.certificates", "shop", "127.0.0.1:443", "tls", NOW.parse().unwrap(), &data).unwrap()
}

#[test]
fn records_of_a_port_are_compared_with_the_certificate_in_use() {
    let key = "ab".repeat(32);
    let records = format!(
        "_443._tcp TLSA 3 1 1 {key}\n_443._tcp TLSA 3 1 1 {NOBODY}\n_443._tcp.other TLSA 3 1 1 {NOBODY}\nother A 127.0.0.1"
    );
    let zones = [
        zone("shop", Signing::Good, true, &records),
        zone("orphan", Signing::Good, false, &records),
        zone("bare", Signing::Good, true, ""),
    ];
    let Some(names) = Names::start("dns-tlsa", &zones) else { return };
    let tlsa = |host: &str, key: &str| {
        let seen = look(&Dns, endpoint(host), &names.settings, vec![certificate(key)]);
        (facts(&seen, "dns.tlsa"), facts(&seen, "dns.caa"))
    };
    let (good, caa) = tlsa("shop.example", &key);
    assert_eq!(
        (&good["present"], &good["secure"], &good["matches"]),
        (&json!(true), &json!(true), &json!(true)),
        "{good}"
    );
    let results: Vec<&str> =
        good["records"].as_array().unwrap().iter().map(|r| r["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["match", "mismatch"]);
    assert_eq!(caa["current_issuer"], "letsencrypt.org");
    assert_eq!(tlsa("shop.example", &"cd".repeat(32)).0["matches"], false, "the key was changed");
    assert_eq!(tlsa("other.shop.example", &key).0["matches"], false);
    let (orphan, _) = tlsa("orphan.example", &key);
    assert_eq!(
        (&orphan["present"], &orphan["secure"]),
        (&json!(true), &json!(false)),
        "without a signature they are ignored"
    );
    let (bare, _) = tlsa("bare.example", &key);
    assert_eq!(bare["present"], false);
    let blind = facts(&look_at("shop.example", &names.settings), "dns.tlsa");
    assert_eq!(blind["matches"]["unknown"], "no certificate in use was seen");
}

#[test]
fn an_address_asks_nothing_of_any_resolver() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let resolver = names::start(
        move |query| {
            counter.fetch_add(1, Ordering::SeqCst);
            vec![query.answer(3, 0, &[])]
        },
        None,
    );
    for host in ["127.0.0.1", "::1", "localhost", "db"] {
        let seen = look_at(host, &settings(resolver));
        for kind in ["dns.caa", "dns.dnssec", "dns.tlsa"] {
            assert_eq!(facts(&seen, kind)["applicable"], false, "{host} {kind}");
        }
    }
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

pub fn settings(resolver: SocketAddr) -> Settings {
    Settings { resolver: Some(resolver), anchors: Vec::new() }
}

/// The reason for which nothing is known of CAA, with a resolver that answers so.
fn caa_trouble(
    datagrams: impl Fn(&Query) -> Vec<Vec<u8>> + Send + 'static,
    tcp: Option<fn(&Query) -> Vec<u8>>,
) -> (Reason, String) {
    reason(&look_at("shop.example", &settings(names::start(datagrams, tcp))), "dns.caa")
}

#[test]
fn failures_are_never_taken_for_absence() {
    let (reason, detail) = caa_trouble(|query| vec![query.answer(2, 0, &[])], None);
    assert_eq!(reason, Reason::Unreachable);
    assert!(detail.contains("SERVFAIL"), "{detail}");
    let (reason, _) = caa_trouble(|query| vec![query.answer(5, 0, &[])], None);
    assert_eq!(reason, Reason::Refused);
    let (reason, _) = caa_trouble(|query| vec![query.answer(4, 0, &[])], None);
    assert_eq!(reason, Reason::ProtocolViolation);
    // Cut, and nothing comes over TCP.
    let (reason, _) = caa_trouble(|query| vec![query.answer(0, 0x0200, &[])], None);
    assert_eq!(reason, Reason::ProtocolViolation);
    // Cut over TCP as well.
    let (reason, _) =
        caa_trouble(|query| vec![query.answer(0, 0x0200, &[])], Some(|query| query.answer(0, 0x0200, &[])));
    assert_eq!(reason, Reason::ProtocolViolation);
    // Bytes that are no message.
    let (reason, _) = caa_trouble(|query| vec![query.answer(0, 0, &[])[..9].to_vec()], None);
    assert_eq!(reason, Reason::ProtocolViolation);
}

#[test]
fn a_silent_resolver_is_given_up_at_once_for_everything() {
    let begun = std::time::Instant::now();
    let seen = look_at("shop.example", &settings(names::start(|_| Vec::new(), None)));
    for kind in ["dns.caa", "dns.dnssec", "dns.tlsa"] {
        assert_eq!(reason(&seen, kind).0, Reason::TimedOut);
    }
    assert!(begun.elapsed().as_secs() < 9, "{:?}", begun.elapsed());
}

#[test]
fn answers_to_other_questions_are_passed_over() {
    let issue = || b"\x00\x05issueca.example".to_vec();
    let resolver = names::start(
        move |query| {
            let right = query.answer(0, 0, &[(query.name.clone(), 257, issue())]);
            let mut number = query.answer(3, 0, &[]);
            number[1] ^= 0xFF;
            let mut question = query.answer(3, 0, &[]);
            question[13] ^= 1;
            let mut no_answer = query.answer(3, 0, &[]);
            no_answer[2] = 1;
            vec![number, question, no_answer, right]
        },
        None,
    );
    let seen = facts(&look_at("shop.example", &settings(resolver)), "dns.caa");
    assert_eq!(seen["issuers"], json!(["ca.example"]));
}

#[test]
fn aliases_without_end_are_left() {
    // Each name is an alias of a longer one.
    let (reason, detail) = caa_trouble(
        |query| {
            let next = [b"\x01a", query.name.as_slice()].concat();
            vec![query.answer(0, 0, &[(query.name.clone(), 5, next)])]
        },
        None,
    );
    assert_eq!((reason, detail.as_str()), (Reason::ProtocolViolation, "the aliases of shop.example have no end"));
    let (reason, _) =
        caa_trouble(|query| vec![query.answer(0, 0, &[(query.name.clone(), 5, query.name.clone())])], None);
    assert_eq!(reason, Reason::ProtocolViolation);
}

#[test]
fn what_is_too_large_for_a_datagram_comes_over_a_connection() {
    let resolver = names::start(
        |query| vec![query.answer(0, 0x0200, &[])],
        Some(|query| {
            let long = [b"\x00\x05issue".as_slice(), &[b'a'; 60_000]].concat();
            query.answer(0, 0, &[(query.name.clone(), 257, long)])
        }),
    );
    let seen = facts(&look_at("shop.example", &settings(resolver)), "dns.caa");
    assert_eq!(seen["issuers"][0].as_str().map(str::len), Some(60_000));
}

#[test]
fn a_resolver_that_strips_signatures_proves_nothing() {
    let resolver =
        names::start(|query| vec![query.answer(0, 0, &[(query.name.clone(), 48, vec![1, 1, 3, 13, 9])])], None);
    let (reason, detail) = reason(&look_at("shop.example", &settings(resolver)), "dns.dnssec");
    assert_eq!(reason, Reason::Unsupported);
    assert!(detail.contains("passes on no signatures"), "{detail}");
}
