//! Every negative fact carries the connections that prove it; and what is switched off with the intrusive tests.

use crate::support::lab::{self, EVERY_CIPHER, Options, node};
use crate::support::proxy::Proxy;
use crate::support::tls::{Seen, context, full, look_with, loopback, nginx, target};
use crate::support::{Scratch, probity};
use probity::catalogue::registry;
use probity::collect::{CollectContext, Limits};
use probity::model::target::{Depth, Profile};
use probity::model::tls::{Features, Flaws, Protocols, Suites};
use probity::model::tls_session::{Renegotiation, Resumption};
use probity::model::{Exchange, Fact, ObservationStatus};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// What came back in these exchanges of the transcript.
fn received<'a>(transcript: &'a [Exchange], connections: &[u32], fact: &str) -> Vec<&'a str> {
    assert!(!connections.is_empty(), "{fact} rests on nothing");
    let of = |number: &u32| transcript[usize::try_from(*number).unwrap() - 1].received.as_str();
    connections.iter().map(of).collect()
}

/// Walks all negatives of a look; gives how many there were.
fn walk(seen: &Seen) -> usize {
    let transcript = &seen.of("tls.protocols").transcript;
    let protocols: Protocols = seen.of("tls.protocols").read().unwrap();
    let mut walked = 0;
    for proof in protocols.proofs.iter().filter(|proof| proof.answer == "refused") {
        let newer = |words: &&str| words.contains(&format!("ServerHello {} ", proof.name));
        let words = received(transcript, &proof.connections, &proof.name);
        assert!(!words.iter().any(newer), "{proof:?}: {words:?}");
        walked += 1;
    }
    for (name, word) in
        [("fallback_scsv", &protocols.fallback_scsv), ("downgrade_sentinel", &protocols.downgrade_sentinel)]
    {
        if *word == Fact::Known("no".to_owned()) {
            let words = received(transcript, &protocols.connections[name], name);
            assert!(words.iter().any(|words| words.starts_with("ServerHello")), "{name}: {words:?}");
            walked += 1;
        }
    }
    let suites: Suites = seen.of("tls.suites").read().unwrap();
    for protocol in protocols.offered.iter().map(|offered| offered.name.as_str()).filter(|name| *name != "SSLv2") {
        let mut ids: BTreeSet<String> =
            suites.suites.iter().filter(|suite| suite.protocol == protocol).map(|suite| suite.id.clone()).collect();
        for refused in suites.refused.iter().filter(|refused| refused.protocol == protocol) {
            for words in received(transcript, &refused.connections, protocol) {
                assert!(!words.contains(&format!("ServerHello {protocol} ")), "{protocol}: {words}");
            }
            let before = ids.len();
            ids.extend(refused.ids.iter().cloned());
            assert_eq!(
                ids.len(),
                before + refused.ids.len(),
                "{protocol}: a suite is accepted and refused, or refused twice"
            );
            walked += refused.ids.len();
        }
        let all = registry::suites().iter().filter(|row| row.protocols.iter().any(|name| name == protocol));
        let all: BTreeSet<String> = all.map(|row| format!("0x{:04X}", row.id)).collect();
        assert_eq!(ids, all, "{protocol}: accepted and refused suites are not all suites");
    }
    let features: Features = seen.of("tls.features").read().unwrap();
    let Value::Object(map) = serde_json::to_value(&features).unwrap() else { panic!() };
    let negative = |value: &Value| ["no", "none"].iter().any(|word| value == *word) || *value == Value::Bool(false);
    // TLS 1.3 has no compression that could be refused.
    let older = features.legacy_handshake == Fact::Known(true);
    let idle = |name: &str| name == "legacy_handshake" || (name == "compression" && !older);
    for (name, _) in map.iter().filter(|(name, value)| negative(value) && !idle(name)) {
        let Some(connections) = features.connections.get(name) else { panic!("{name} rests on nothing") };
        received(transcript, connections, name);
        walked += 1;
    }
    let flaws: Flaws = seen.of("tls.flaws").read().unwrap();
    for test in flaws.tests.iter().filter(|test| test.applies && test.vulnerable == Fact::Known(false)) {
        received(transcript, &test.connections, &test.name);
        walked += 1;
    }
    walked
}

#[test]
fn every_negative_of_a_real_look_names_the_connections_that_prove_it() {
    let scratch = Scratch::new("negatives-modern");
    let lines = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA;";
    if let Some((_server, port)) = nginx(&scratch, lines) {
        assert!(walk(&look_with(target(loopback(port)), loopback(port), &full())) > 300);
    }
    let scratch = Scratch::new("negatives-old");
    let options = Options { ciphers: EVERY_CIPHER, ..Options::default() };
    if let Some((_server, port)) = node(&scratch, lab::OPENSSL_1_0_1E, &options) {
        assert!(walk(&look_with(target(loopback(port)), loopback(port), &context())) > 300);
    }
    let scratch = Scratch::new("negatives-single");
    if let Some((_server, port)) = nginx(&scratch, "ssl_protocols TLSv1.3;") {
        assert!(walk(&look_with(target(loopback(port)), loopback(port), &context())) > 5);
    }
}

/// Resumption is what every client asks for; renegotiation, malformed records and unusual hellos are not.
#[test]
fn without_intrusive_tests_resumption_is_known_and_nothing_hostile_is_sent() {
    let scratch = Scratch::new("negatives-quietly");
    let lines = "ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:s:1m; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA;";
    let Some((_server, port)) = nginx(&scratch, lines) else { return };
    let depth = Depth { profile: Profile::Full, intrusive: false };
    let cx = CollectContext { limits: Limits { depth, ..Limits::default() }, ..context() };
    let seen = look_with(target(loopback(port)), loopback(port), &cx);
    let resumption: Resumption = seen.read("tls.resumption");
    let yes = Fact::Known("yes".to_owned());
    assert_eq!((&resumption.session_id, &resumption.ticket, &resumption.psk), (&yes, &yes, &yes), "{resumption:?}");
    let disabled = "disabled: intrusive tests are switched off";
    let renegotiation: Renegotiation = seen.read("tls.renegotiation");
    assert_eq!(renegotiation.client_initiated.reason(), Some(disabled));
    assert_eq!(renegotiation.insecure.reason(), Some(disabled));
    for kind in ["tls.signatures", "tls.names", "tls.alpn"] {
        assert_eq!(seen.of(kind).status, ObservationStatus::Complete, "{kind}");
    }
    assert_eq!(seen.of("tls.intolerance").trouble.as_ref().unwrap().detail, disabled);
    let flaws: Flaws = seen.read("tls.flaws");
    for test in flaws.tests.iter().filter(|test| test.applies && test.name != "heartbleed") {
        assert_eq!(test.vulnerable.reason(), Some(disabled), "{test:?}");
    }
    for exchange in &seen.of("tls.flaws").transcript {
        for word in [
            "ChangeCipherSpec",
            "inside the session",
            "record",
            "second flight",
            "key exchange alone",
            "version-",
            "grease",
        ] {
            assert!(!exchange.sent.contains(word), "{exchange:?}");
        }
    }
}

/// What is printed is what passed: the plan, each stage with its questions, and the connections of the address.
#[test]
fn the_connections_that_are_shown_are_those_that_were_made() {
    let scratch = Scratch::new("negatives-shown");
    let Some((_server, port)) = nginx(&scratch, "ssl_protocols TLSv1.2 TLSv1.3;") else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let address = proxy.address();
    // A service without HTTP: its connections are all of TLS.
    let arguments = ["scan", &format!("ldaps://{address}"), "--show-connections", "--profile", "quick", "-q"];
    let done = probity().args(arguments).timeout(Duration::from_secs(120)).output().unwrap();
    let words = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(words.starts_with("connections to one target: "), "{words}");
    let line = words.lines().find_map(|line| line.strip_prefix(&format!("{address}: ")));
    let shown: u32 = line.unwrap_or_else(|| panic!("{words}")).split(' ').next().unwrap().parse().unwrap();
    assert_eq!(shown, proxy.connections(), "{words}");
    let rows: Vec<&str> =
        words.lines().map(str::trim).filter(|line| line.starts_with(&format!("{address} "))).collect();
    let questions: u32 = rows.iter().map(|row| row.split(' ').next_back().unwrap().parse::<u32>().unwrap()).sum();
    assert!(questions >= shown, "{words}");
    for stage in ["first hellos", "versions and suites", "groups", "certificates of TLSv1.3", "sessions", "known flaws"]
    {
        assert!(rows.iter().any(|row| row.contains(stage)), "{stage}: {words}");
        assert!(words.lines().any(|line| line.trim().starts_with(stage)), "{stage} is not planned: {words}");
    }
}
