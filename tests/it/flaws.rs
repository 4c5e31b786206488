//! Known flaws of TLS servers: real servers that have them, real servers that do not, and servers that break off.

use crate::support::lab::{self, EVERY_CIPHER, Options, node};
use crate::support::oracle::{self, Second};
use crate::support::proxy::Proxy;
use crate::support::tls::{context, enumerate, enumeration, haproxy, look, look_with, loopback, nginx, target};
use crate::support::{Scratch, tls::Seen};
use probity::catalogue::Catalogue;
use probity::check::derive;
use probity::collect::CollectContext;
use probity::model::grade::Grade;
use probity::model::policy::Judging;
use probity::model::tls::{Flaws, Vulnerabilities, VulnerabilityTest};
use probity::model::{Observation, flaw::FLAWS};
use std::net::SocketAddr;
use std::time::Duration;

/// A row of what the active tests gave.
fn tested(seen: &Seen, name: &str) -> VulnerabilityTest {
    let flaws: Flaws = seen.read("tls.flaws");
    flaws.tests.into_iter().find(|test| test.name == name).unwrap_or_else(|| panic!("no {name}"))
}

/// A row of what follows from the whole look.
fn row(seen: &Seen, address: SocketAddr, name: &str) -> VulnerabilityTest {
    let derived = derived(seen, address);
    let made = derived.iter().find(|observation| observation.kind == "tls.vulnerabilities").unwrap();
    let rows: Vulnerabilities = made.read().unwrap();
    assert_eq!(rows.tests.len(), FLAWS.len());
    rows.tests.into_iter().find(|test| test.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn derived(seen: &Seen, address: SocketAddr) -> Vec<Observation> {
    let catalogue = Catalogue::built_in().unwrap();
    let as_of = "2026-11-25T12:00:00Z".parse().unwrap();
    derive::run(&[target(address)], &seen.observations, &Judging::default(), &catalogue, as_of)
}

fn assert_row(row: &VulnerabilityTest, vulnerable: Option<bool>, words: &str) {
    assert_eq!(row.vulnerable.known().copied(), vulnerable, "{row:?}");
    assert!(row.detail.contains(words), "{row:?}");
}

#[test]
fn each_server_of_the_lab_speaks_tls() {
    let all = [
        lab::OPENSSL_1_0_0F,
        lab::OPENSSL_1_0_0M,
        lab::OPENSSL_1_0_1E,
        lab::OPENSSL_1_0_1E_MENDED,
        lab::OPENSSL_1_0_2O,
        lab::OPENSSL_1_1_1K,
        lab::OPENSSL_3_5,
    ];
    for version in all {
        let scratch = Scratch::new("lab");
        let Some((_server, port)) = node(&scratch, version, &Options::default()) else { return };
        let seen = enumerate(loopback(port));
        assert!(!seen.protocols().is_empty(), "{version}");
    }
}

#[test]
fn heartbleed_is_told_by_behaviour_and_not_by_the_version() {
    let scratch = Scratch::new("flaws-heartbleed");
    let Some((_server, port)) = node(&scratch, lab::OPENSSL_1_0_1E, &Options::default()) else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = look(proxy.address());
    let heartbleed = tested(&seen, "heartbleed");
    assert_row(&heartbleed, Some(true), "a record of type 24");
    assert_eq!((heartbleed.certainty.as_str(), heartbleed.severity.as_str()), ("certain", "critical"));
    eprintln!("1.0.1e: {} hellos, {:?}", proxy.hellos(), seen.time);
    let mended = Scratch::new("flaws-heartbleed-mended");
    let Some((_server, port)) = node(&mended, lab::OPENSSL_1_0_1E_MENDED, &Options::default()) else { return };
    assert_row(&tested(&look(loopback(port)), "heartbleed"), Some(false), "");
}

#[test]
fn an_early_change_of_cipher_is_told_from_a_refused_one() {
    // Node.js of that time closes without the alert that its OpenSSL made, so the proof of the flaw is lost.
    for (version, vulnerable, certainty) in
        [(lab::OPENSSL_1_0_0F, true, "likely"), (lab::OPENSSL_1_0_0M, false, "certain")]
    {
        let scratch = Scratch::new("flaws-ccs");
        let Some((_server, port)) = node(&scratch, version, &Options::default()) else { return };
        let ccs = tested(&look(loopback(port)), "ccs");
        assert_row(&ccs, Some(vulnerable), "early ChangeCipherSpec");
        assert_eq!(ccs.certainty, certainty, "{ccs:?}");
    }
}

#[test]
fn export_suites_and_ssl2_are_freak_and_drown() {
    let scratch = Scratch::new("flaws-export");
    let options = Options { ciphers: EVERY_CIPHER, key: "rsa:512", ..Options::default() };
    let Some((_server, port)) = node(&scratch, lab::OPENSSL_1_0_1E, &options) else { return };
    let address = loopback(port);
    let seen = enumerate(address);
    for name in ["drown", "poodle", "freak", "sweet32", "rc4", "beast", "null_cipher", "export"] {
        let row = row(&seen, address, name);
        assert_row(&row, Some(true), "");
    }
    assert_row(&row(&seen, address, "drown"), Some(true), "SSLv2");
    assert_eq!(row(&seen, address, "ccs").vulnerable.reason(), Some("disabled: intrusive tests are switched off"));
}

#[test]
fn a_common_prime_of_1024_bits_is_likely_logjam() {
    let scratch = Scratch::new("flaws-logjam");
    let options =
        Options { ciphers: "DHE-RSA-AES128-SHA:ADH-AES128-SHA", prime: Some(lab::OAKLEY_1024), ..Options::default() };
    let Some((_server, port)) = node(&scratch, lab::OPENSSL_1_0_2O, &options) else { return };
    let address = loopback(port);
    let seen = enumerate(address);
    let logjam = row(&seen, address, "logjam");
    assert_row(&logjam, Some(true), "1024 bits with a common prime");
    assert_eq!((logjam.certainty.as_str(), logjam.severity.as_str()), ("likely", "medium"));
    assert_row(&row(&seen, address, "anonymous"), Some(true), "DH_anon");
    let scratch = Scratch::new("flaws-logjam-safe");
    let Some((_server, port)) = haproxy(&scratch, "") else { return };
    let address = loopback(port);
    assert_row(&row(&enumerate(address), address, "logjam"), Some(false), "2048 bits");
}

#[test]
fn a_modern_nginx_has_no_flaw_and_costs_one_connection_more() {
    let scratch = Scratch::new("flaws-nginx");
    let lines = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384;";
    let Some((_server, port)) = nginx(&scratch, lines) else { return };
    let hellos = |cx: &CollectContext| {
        let proxy = Proxy::start(port, Duration::ZERO);
        let seen = look_with(target(proxy.address()), proxy.address(), cx);
        (proxy.hellos(), seen, proxy.address())
    };
    let (without, _, _) = hellos(&enumeration());
    let (with, seen, address) = hellos(&context());
    // A group that the further handshake meets need not be asked for again, if it is met early enough.
    assert!((without..=without + 1).contains(&with), "{without}, then {with}");
    for name in ["heartbleed", "ccs", "robot", "freak", "sweet32", "poodle", "drown", "crime", "goldendoodle"] {
        assert_row(&row(&seen, address, name), Some(false), "");
    }
    assert_row(&tested(&seen, "ccs"), Some(false), "alert unexpected_message");
    assert!(!tested(&seen, "robot").applies);
}

#[test]
fn a_grade_lacks_only_what_was_not_looked_at() {
    let scratch = Scratch::new("flaws-grade");
    let Some((_server, port)) = nginx(&scratch, "ssl_protocols TLSv1.3;") else { return };
    let address = loopback(port);
    let made = derived(&look(address), address);
    let grade: Grade = made.iter().find(|observation| observation.kind == "tls.grade").unwrap().read().unwrap();
    // This look lacks the collector of HTTP.
    assert_eq!(grade.incomplete, ["hsts"]);
}

#[test]
fn an_nginx_with_rsa_key_transport_has_no_robot_and_costs_ten_connections_more() {
    let scratch = Scratch::new("flaws-robot-safe");
    let lines = "ssl_protocols TLSv1.2; ssl_ciphers AES128-GCM-SHA256:AES128-SHA;";
    let Some((_server, port)) = nginx(&scratch, lines) else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let quietly = Proxy::start(port, Duration::ZERO);
    enumerate(quietly.address());
    let seen = look(proxy.address());
    // One of them is that of early ChangeCipherSpec, and seven are those of records with CBC padding.
    assert_eq!(proxy.hellos() - quietly.hellos(), 18, "{:?}", seen.time);
    assert_row(&tested(&seen, "robot"), Some(false), "five blocks");
    assert!(tested(&seen, "robot").applies);
}

#[test]
fn a_simulated_robot_oracle_is_found_in_its_strength() {
    for (second, strength) in [(Second::WeakOracle, "a weak oracle"), (Second::StrongOracle, "a strong oracle")] {
        let scratch = Scratch::new("flaws-robot-simulated");
        let seen = look(oracle::start(&scratch, second));
        assert_row(&tested(&seen, "robot"), Some(true), strength);
    }
    let scratch = Scratch::new("flaws-robot-simulated");
    let seen = look(oracle::start(&scratch, Second::Deaf));
    assert_row(&tested(&seen, "robot"), Some(false), "alert bad_record_mac");
}

#[test]
fn a_server_that_goes_away_during_the_tests_is_not_safe() {
    for second in [Second::Dies, Second::Hangs] {
        let scratch = Scratch::new("flaws-gone");
        let seen = look(oracle::start(&scratch, second));
        for name in ["ccs", "robot"] {
            assert_row(&tested(&seen, name), None, "");
        }
    }
}
