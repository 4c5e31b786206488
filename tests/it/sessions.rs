//! The stage of whole sessions: resumption, renegotiation, and the flaws that show in records.

use crate::support::Scratch;
use crate::support::lab::{self, Options};
use crate::support::postgres::{Postgres, Posture};
use crate::support::proxy::Proxy;
use crate::support::simulated::{Flaw, simulated};
use crate::support::tls::{Seen, context, look, look_with, loopback, nginx, s_server, target};
use probity::collect::{CollectContext, Limits};
use probity::model::Fact;
use probity::model::tls::{Flaws, VulnerabilityTest};
use probity::model::tls_session::{Renegotiation, Resumption};
use std::time::Duration;

fn word(word: &str) -> Fact<String> {
    Fact::Known(word.to_owned())
}

fn test(seen: &Seen, name: &str) -> VulnerabilityTest {
    let all: Flaws = seen.read("tls.flaws");
    all.tests.into_iter().find(|test| test.name == name).unwrap_or_else(|| panic!("no {name}"))
}

const ORACLES: [&str; 7] = [
    "poodle_tls",
    "goldendoodle",
    "zombie_poodle",
    "zero_length",
    "sleeping_poodle",
    "cbc_oracle_other",
    "cve_2016_2107",
];

const MODERN: &str = "ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305;";

#[test]
fn an_nginx_with_a_cache_resumes_in_each_way_and_refuses_renegotiation() {
    let scratch = Scratch::new("sessions-nginx");
    let lines = format!("{MODERN} ssl_session_cache shared:a:1m; ssl_session_timeout 5m; ssl_early_data on;");
    let Some((_server, port)) = nginx(&scratch, &lines) else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = look(proxy.address());
    let resumption: Resumption = seen.read("tls.resumption");
    assert_eq!(resumption.session_id, word("yes"));
    assert_eq!(resumption.ticket, word("yes"));
    assert_eq!(resumption.ticket_lifetime, Fact::Known(300));
    assert_eq!(resumption.psk, word("yes"));
    assert_eq!(resumption.psk_lifetime, Fact::Known(300));
    assert_eq!(resumption.early_data, word("advertised"));
    assert!(resumption.early_data_size.known().is_some_and(|size| *size > 0));
    assert_eq!(resumption.ticket_key, word("same"));
    assert_eq!(resumption.ticket_key_sha256.len(), 64);
    let renegotiation: Renegotiation = seen.read("tls.renegotiation");
    assert_eq!(renegotiation.client_initiated, word("refused"));
    assert_eq!((renegotiation.accepted, &renegotiation.insecure), (0, &word("no")));
    let bleed = test(&seen, "ticketbleed");
    assert!(bleed.applies && bleed.vulnerable == Fact::Known(false));
    let insecure = test(&seen, "insecure_renegotiation");
    assert!(insecure.applies && insecure.vulnerable == Fact::Known(false));
    // Without CBC there is no connection for it.
    for name in ORACLES {
        assert!(!test(&seen, name).applies, "{name}");
    }
    eprintln!("nginx with sessions: {} hellos, {:?}", proxy.hellos(), seen.time);
}

#[test]
fn a_server_without_sessions_is_seen_as_one() {
    let scratch = Scratch::new("sessions-none");
    let lines = format!("{MODERN} ssl_session_cache off; ssl_session_tickets off;");
    let Some((_server, port)) = nginx(&scratch, &lines) else { return };
    let seen = look(Proxy::start(port, Duration::ZERO).address());
    let resumption: Resumption = seen.read("tls.resumption");
    assert_eq!(resumption.ticket, word("no"));
    assert_eq!(resumption.ticket_lifetime, Fact::Known(0));
    assert_eq!(resumption.session_id, word("no"));
    assert_eq!(resumption.early_data, word("no"));
    assert!(!test(&seen, "ticketbleed").applies);
    let renegotiation: Renegotiation = seen.read("tls.renegotiation");
    assert_eq!((renegotiation.client_initiated, renegotiation.insecure), (word("refused"), word("no")));
}

#[test]
fn a_server_of_tls_1_3_alone_has_nothing_to_renegotiate() {
    let scratch = Scratch::new("sessions-modern");
    let Some((_server, port)) = nginx(&scratch, "ssl_protocols TLSv1.3;") else { return };
    let seen = look(Proxy::start(port, Duration::ZERO).address());
    let resumption: Resumption = seen.read("tls.resumption");
    let none = word("not-applicable");
    assert_eq!((&resumption.session_id, &resumption.ticket), (&none, &none));
    assert_eq!(resumption.psk, word("yes"));
    assert_eq!(resumption.early_data, word("no"));
    let renegotiation: Renegotiation = seen.read("tls.renegotiation");
    assert_eq!(renegotiation.legacy_handshake, Fact::Known(false));
    assert_eq!((&renegotiation.client_initiated, &renegotiation.insecure), (&none, &none));
    for name in ORACLES.into_iter().chain(["ticketbleed", "insecure_renegotiation"]) {
        assert!(!test(&seen, name).applies, "{name}");
    }
}

#[test]
fn a_server_that_lets_clients_renegotiate_is_seen() {
    let scratch = Scratch::new("sessions-again");
    let Some((_server, port)) = s_server(&scratch, "rsa", &["-www", "-client_renegotiation"]) else { return };
    let seen = look(Proxy::start(port, Duration::ZERO).address());
    let renegotiation: Renegotiation = seen.read("tls.renegotiation");
    assert_eq!((renegotiation.client_initiated, renegotiation.accepted), (word("accepted"), 3));
    assert_eq!(renegotiation.insecure, word("no"));
    let resumption: Resumption = seen.read("tls.resumption");
    assert_eq!((resumption.session_id, resumption.ticket), (word("yes"), word("yes")));
    let cx = context();
    let often = CollectContext { limits: Limits { renegotiations: 10, ..cx.limits }, ..cx };
    let renegotiation: Renegotiation =
        look_with(target(loopback(port)), loopback(port), &often).read("tls.renegotiation");
    assert_eq!((renegotiation.client_initiated, renegotiation.accepted), (word("accepted"), 10));
}

#[test]
fn an_insecure_renegotiation_is_seen() {
    let scratch = Scratch::new("sessions-insecure");
    let arguments = ["-www", "-tls1_2", "-client_renegotiation", "-legacy_renegotiation"];
    let Some((_server, port)) = s_server(&scratch, "rsa", &arguments) else { return };
    let seen = look(Proxy::start(port, Duration::ZERO).address());
    let renegotiation: Renegotiation = seen.read("tls.renegotiation");
    assert_eq!(renegotiation.insecure, word("yes"));
    assert_eq!(test(&seen, "insecure_renegotiation").vulnerable, Fact::Known(true));
}

#[test]
fn a_real_server_with_cbc_has_no_oracle() {
    for flag in ["-tls1", "-tls1_2"] {
        let scratch = Scratch::new("sessions-cbc");
        let suites = "AES128-SHA:AES256-SHA256:ECDHE-RSA-AES128-SHA:@SECLEVEL=0";
        let Some((_server, port)) = s_server(&scratch, "rsa", &["-www", flag, "-cipher", suites]) else { return };
        let proxy = Proxy::start(port, Duration::ZERO);
        let seen = look(proxy.address());
        for name in ORACLES {
            let test = test(&seen, name);
            assert!(test.applies, "{name}");
            assert_eq!(test.vulnerable, Fact::Known(false), "{flag} {name}");
        }
        eprintln!("s_server {flag} with CBC: {} hellos, {:?}", proxy.hellos(), seen.time);
    }
}

#[test]
fn a_postgresql_is_asked_in_its_own_words() {
    let Some(postgres) = Postgres::start(Posture::Mixed) else { return };
    let address = loopback(postgres.port);
    let mut target = target(address);
    target.connection.starttls = Some("postgresql".into());
    let seen = look_with(target, address, &context());
    assert!(seen.suites("TLSv1.2").contains("ECDHE-ECDSA-AES128-SHA"));
    for name in ORACLES {
        let test = test(&seen, name);
        assert!(test.applies, "{name}");
        assert_eq!(test.vulnerable, Fact::Known(false), "{name}");
    }
    let renegotiation: Renegotiation = seen.read("tls.renegotiation");
    assert_eq!((renegotiation.client_initiated, renegotiation.insecure), (word("refused"), word("no")));
    let resumption: Resumption = seen.read("tls.resumption");
    assert_eq!((&resumption.session_id, &resumption.ticket, &resumption.psk), (&word("no"), &word("no"), &word("no")));
}

/// The tests that find a flaw in a simulated server, and whether it can be seen on the path.
fn found(flaw: Flaw) -> Vec<(String, bool)> {
    let seen = look(simulated(flaw));
    let all: Flaws = seen.read("tls.flaws");
    // A server that answers a record of equal bytes in a way of its own leaves CVE-2016-2107 open.
    let ours = |test: &&VulnerabilityTest| ORACLES.contains(&test.name.as_str()) && test.name != "cve_2016_2107";
    for test in all.tests.iter().filter(ours) {
        assert!(test.vulnerable.known().is_some(), "{flaw:?}: {test:?}");
    }
    let flaws = all.tests.into_iter().filter(|test| test.vulnerable == Fact::Known(true));
    flaws.map(|test| (test.name, test.observable)).collect()
}

#[test]
fn simulated_oracles_have_their_names() {
    let visible = |name: &str| vec![(name.to_owned(), true)];
    std::thread::scope(|scope| {
        for (flaw, expected) in [
            (Flaw::None, Vec::new()),
            (Flaw::OldPadding, visible("poodle_tls")),
            (Flaw::Sleeping, visible("sleeping_poodle")),
            (Flaw::NoMac, visible("goldendoodle")),
            (Flaw::PaddingTold, visible("goldendoodle")),
            (Flaw::Zombie, visible("zombie_poodle")),
            (Flaw::Hidden, vec![("zombie_poodle".to_owned(), false)]),
            (Flaw::ZeroLength, visible("zero_length")),
            (Flaw::Greeting, Vec::new()),
            (Flaw::GreetingNoMac, visible("goldendoodle")),
        ] {
            scope.spawn(move || assert_eq!(found(flaw), expected, "{flaw:?}"));
        }
    });
}

#[test]
fn a_simulated_overflow_is_cve_2016_2107() {
    let seen = look(simulated(Flaw::Overflow));
    assert_eq!(test(&seen, "cve_2016_2107").vulnerable, Fact::Known(true));
    // The same answer is a difference to the oracles of padding, too.
    assert_eq!(test(&seen, "cbc_oracle_other").vulnerable, Fact::Known(true));
}

/// OpenSSL 1.0.1e has the flaw in its code for AES-NI with SHA-1, and none with SHA-256; 1.0.2o is mended.
#[test]
fn a_real_server_with_cve_2016_2107_is_told_from_a_mended_one() {
    let has_aes = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains(" aes "));
    for (version, expected) in [(lab::OPENSSL_1_0_1E, has_aes), (lab::OPENSSL_1_0_2O, false)] {
        let scratch = Scratch::new("sessions-overflow");
        let options = Options { ciphers: "AES256-SHA256:AES128-SHA", ..Options::default() };
        let Some((_server, port)) = lab::node(&scratch, version, &options) else { return };
        let seen = look(Proxy::start(port, Duration::ZERO).address());
        assert_eq!(test(&seen, "cve_2016_2107").vulnerable, Fact::Known(expected), "{version}");
        assert_eq!(test(&seen, "poodle_tls").vulnerable, Fact::Known(false), "{version}");
    }
}

#[test]
fn answers_that_change_are_inconclusive() {
    let seen = look(simulated(Flaw::Moody));
    let zombie = test(&seen, "zombie_poodle");
    assert!(zombie.vulnerable.known().is_none(), "{zombie:?}");
}

#[test]
fn a_simulated_ticketbleed_is_seen_and_tickets_that_are_forgotten_too() {
    let seen = look(simulated(Flaw::Ticketbleed(9)));
    let bleed = test(&seen, "ticketbleed");
    assert_eq!((bleed.vulnerable, bleed.severity.as_str()), (Fact::Known(true), "high"));
    let resumption: Resumption = seen.read("tls.resumption");
    assert_eq!((resumption.ticket, resumption.ticket_lifetime), (word("yes"), Fact::Known(172_800)));
    let bleed = test(&look(simulated(Flaw::Ticketbleed(0))), "ticketbleed");
    assert_eq!((bleed.vulnerable, bleed.severity.as_str()), (Fact::Known(true), "medium"));
    let seen = look(simulated(Flaw::Forgetful));
    let resumption: Resumption = seen.read("tls.resumption");
    assert_eq!(resumption.ticket, word("issued-not-resumed"));
    assert_eq!(test(&seen, "ticketbleed").vulnerable, Fact::Known(false));
}

#[test]
fn a_server_that_ignores_a_hello_inside_the_session_is_told_from_one_that_is_silent() {
    let seen = look(simulated(Flaw::Deaf));
    let renegotiation: Renegotiation = seen.read("tls.renegotiation");
    assert_eq!(renegotiation.client_initiated, word("ignored"));
    assert_eq!(renegotiation.insecure, word("no"));
}

#[test]
fn a_server_that_wants_rfc_5746_is_asked_again_with_it() {
    let seen = look(simulated(Flaw::Strict));
    let renegotiation: Renegotiation = seen.read("tls.renegotiation");
    assert_eq!((renegotiation.client_initiated, renegotiation.insecure), (word("refused"), word("no")));
    let resumption: Resumption = seen.read("tls.resumption");
    assert_eq!(resumption.ticket, word("yes"));
    assert_eq!(test(&seen, "ticketbleed").vulnerable, Fact::Known(false));
}

#[test]
fn where_no_handshake_ends_nothing_is_said() {
    let seen = look(simulated(Flaw::Guarded));
    let renegotiation: Renegotiation = seen.read("tls.renegotiation");
    let resumption: Resumption = seen.read("tls.resumption");
    let facts = [renegotiation.client_initiated, renegotiation.insecure, resumption.session_id];
    for fact in facts {
        assert_eq!(fact, Fact::unknown("alert handshake_failure"));
    }
    for name in ORACLES.into_iter().chain(["insecure_renegotiation"]) {
        let test = test(&seen, name);
        assert!(test.applies && test.vulnerable.known().is_none(), "{test:?}");
    }
    // It has never offered a ticket.
    assert_eq!(resumption.ticket, word("no"));
}
