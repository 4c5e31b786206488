//! Known clients: what is computed for them and what real servers answer to their hellos must agree.

use crate::support::lab::{
    self, EVERY_CIPHER, OPENSSL_1_0_0F, OPENSSL_1_0_1E, OPENSSL_1_0_2O, OPENSSL_1_1_1K, OPENSSL_3_5, Options,
};
use crate::support::tls::{context, haproxy, look_with, loopback, nginx, openssl, pair, s_server, scripted, target};
use crate::support::{Scratch, Server, free_port, probity, program};
use probity::catalogue::Catalogue;
use probity::check::derive;
use probity::collect::{CollectContext, Limits};
use probity::model::grade::Grade;
use probity::model::policy::Judging;
use probity::model::tls::{Clients, SimulatedClient};
use probity::model::{Clock as _, Fact, Observation, SystemClock};
use probity::wire::key_exchange::{Params, ServerKeyExchange};
use probity::wire::record::{self, Event, RecordReader};
use probity::wire::{ClientHello, Extension, ServerHello, certificate, flight};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

/// What was computed and what was seen of one server.
struct Both {
    computed: Clients,
    live: Clients,
    grade: Grade,
}

impl Both {
    fn of(port: u16) -> Both {
        let address = loopback(port);
        let limits = Limits { live_clients: true, ..Limits::default() };
        let seen = look_with(target(address), address, &CollectContext { limits, ..context() });
        let derived = derive::run(
            &[target(address)],
            &seen.observations,
            &Judging::default(),
            &Catalogue::built_in().unwrap(),
            SystemClock.now(),
        );
        let of = |kind: &str| -> &Observation { derived.iter().find(|one| one.kind == kind).unwrap() };
        let live: Clients = seen.of("tls.clients.live").read().unwrap();
        Both { computed: of("tls.clients").read().unwrap(), live, grade: of("tls.grade").read().unwrap() }
    }

    /// Both agree, and so many rows at most are unknown on either side.
    fn agree(&self, unknown: usize) -> &Both {
        assert_eq!(self.computed.notes, Vec::<String>::new());
        for rows in [&self.computed.clients, &self.live.clients] {
            let open: Vec<String> = rows
                .iter()
                .filter_map(|row| row.connects.reason().map(|reason| format!("{}: {reason}", row.id)))
                .collect();
            assert!(open.len() <= unknown, "{open:#?}");
        }
        for (computed, live) in self.computed.clients.iter().zip(&self.live.clients) {
            if let (Some(one), Some(other)) = (computed.strength.known(), live.strength.known())
                && computed.group == live.group
            {
                assert_eq!(one, other, "{}: strength", computed.id);
            }
            if computed.connects.known().is_some() && live.connects.known().is_some() {
                assert_eq!(computed.forward_secrecy, live.forward_secrecy, "{}", computed.id);
            }
        }
        self
    }

    fn row(&self, id: &str) -> &SimulatedClient {
        self.computed.clients.iter().find(|row| row.id.starts_with(id)).unwrap()
    }

    /// Protocol and suite, or the failure.
    fn end(&self, id: &str) -> String {
        let row = self.row(id);
        match row.connects {
            Fact::Known(true) => format!("{} {}", row.protocol, row.suite_name),
            Fact::Known(false) => row.failure.clone(),
            Fact::Unknown(_) => "?".to_owned(),
        }
    }
}

const MODERN: &str = "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305;";
const WEAK: &str = "ssl_protocols TLSv1 TLSv1.1; ssl_ciphers ALL:COMPLEMENTOFALL:!aNULL:!eNULL:@SECLEVEL=0;";

#[test]
fn computed_and_live_agree_on_a_modern_nginx() {
    let scratch = Scratch::new("clients-modern");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let both = Both::of(port);
    both.agree(0);
    assert_eq!(both.end("chromium"), "TLSv1.3 TLS_AES_256_GCM_SHA384");
    assert_eq!(both.row("chromium").group, Fact::Known("x25519".to_owned()));
    assert_eq!(both.end("node-0.10"), "TLSv1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    assert!(!both.grade.incomplete.iter().any(|missing| missing == "client_simulation"), "{:?}", both.grade);
}

#[test]
fn computed_and_live_agree_on_an_old_nginx() {
    let scratch = Scratch::new("clients-weak");
    let Some((_server, port)) = nginx(&scratch, WEAK) else { return };
    let both = Both::of(port);
    both.agree(0);
    assert_eq!(both.end("chromium"), "no_version");
    assert_eq!(both.end("curl-7.88.1-openssl"), "no_version", "it lists TLS 1.1 and does not go on with it");
    assert!(both.end("gnutls").starts_with("TLSv1.1 "), "{}", both.end("gnutls"));
    assert!(both.end("node-4").starts_with("TLSv1.1 "), "{}", both.end("node-4"));
}

#[test]
fn computed_and_live_agree_on_a_haproxy_with_two_certificates() {
    // Which certificate an RSA-first client gets under the client's order is left open, for old Node.js alone.
    for (options, unknown) in [
        ("", 0),
        ("prefer-client-ciphers", 3),
        ("ssl-max-ver TLSv1.2", 0),
        ("ssl-max-ver TLSv1.2 prefer-client-ciphers", 8),
    ] {
        let scratch = Scratch::new("clients-haproxy");
        let Some((_server, port)) = haproxy(&scratch, options) else { return };
        let both = Both::of(port);
        both.agree(unknown);
        let firefox = both.end("firefox");
        assert_eq!(firefox.starts_with("TLSv1.2"), options.starts_with("ssl-max-ver"), "{options}: {firefox}");
    }
}

/// One posture of `openssl s_server`.
fn posture(kind: &str, arguments: &[&str]) -> Option<(Scratch, Server, Both)> {
    let scratch = Scratch::new("clients-openssl");
    let (server, port) = s_server(&scratch, kind, arguments)?;
    let both = Both::of(port);
    Some((scratch, server, both))
}

const MANY: &str = "ALL:!aNULL:!PSK:!SRP:@SECLEVEL=0";

#[test]
fn computed_and_live_agree_whoever_chooses() {
    for order in [&["-cipher", MANY, "-tls1_2"][..], &["-cipher", MANY, "-tls1_2", "-serverpref"]] {
        let Some((_scratch, _server, both)) = posture("rsa", order) else { return };
        both.agree(0);
        assert!(both.end("firefox").starts_with("TLSv1.2 TLS_ECDHE_RSA_WITH_"), "{}", both.end("firefox"));
    }
    let chacha = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:DHE-RSA-AES128-GCM-SHA256";
    for flags in [&["-serverpref"][..], &["-serverpref", "-prioritize_chacha"]] {
        let Some((_scratch, _server, both)) = posture("rsa", &[&["-cipher", chacha, "-tls1_2"], flags].concat()) else {
            return;
        };
        both.agree(0);
        let wanted = if flags.len() == 2 { "CHACHA20_POLY1305_SHA256" } else { "AES_256_GCM_SHA384" };
        assert!(both.end("botan").ends_with(wanted), "{}", both.end("botan"));
        assert!(both.end("chromium").ends_with("AES_256_GCM_SHA384"), "{}", both.end("chromium"));
    }
}

#[test]
fn computed_and_live_agree_on_one_version_or_one_key() {
    let Some((_scratch, _server, both)) = posture("rsa", &["-tls1_3"]) else { return };
    both.agree(0);
    assert_eq!(both.end("node-4"), "no_version");
    assert!(both.end("java").starts_with("TLSv1.3 "));
    let Some((_scratch, _server, both)) = posture("ecdsa", &["-cipher", MANY]) else { return };
    both.agree(0);
    assert!(both.end("node-0.10").starts_with("TLSv1.2 TLS_ECDHE_ECDSA_"), "{}", both.end("node-0.10"));
    let Some((_scratch, _server, both)) = posture("rsa", &["-tls1_2", "-cipher", "AES256-SHA256"]) else { return };
    both.agree(0);
    assert_eq!(both.end("chromium"), "no_suite");
    assert_eq!(both.row("wget").forward_secrecy, Fact::Known("not-applicable".to_owned()), "{:?}", both.row("wget"));
    let Some((_scratch, _server, both)) = posture("rsa", &["-groups", "secp521r1:secp384r1"]) else { return };
    both.agree(0);
    assert_eq!(both.row("chromium").group, Fact::Known("secp384r1".to_owned()), "{:?}", both.row("chromium"));
}

#[test]
fn computed_and_live_agree_on_a_key_that_signs_by_pss_alone() {
    let Some(program) = program("openssl") else { return };
    let scratch = Scratch::new("clients-pss");
    let (key, pem) = (scratch.path().join("key"), scratch.path().join("pem"));
    let (key, pem) = (key.to_str().unwrap(), pem.to_str().unwrap());
    let made = ["-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048", "-keyout", key, "-out", pem];
    openssl(&[&["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=shop.example"][..], &made].concat());
    let port = free_port();
    let mut command = Command::new(program);
    command.args(["s_server", "-quiet", "-tls1_2", "-accept", &format!("127.0.0.1:{port}"), "-key", key, "-cert", pem]);
    let _server = Server::start(&mut command, port);
    let both = Both::of(port);
    both.agree(0);
    assert_eq!(both.end("chromium"), "cert_alg");
    assert!(both.end("curl").starts_with("TLSv1.2 TLS_ECDHE_RSA_"), "{}", both.end("curl"));
}

#[test]
fn computed_and_live_agree_on_a_server_that_refuses_the_name() {
    let scratch = Scratch::new("clients-name");
    if program("openssl").is_none() {
        return;
    }
    let (key, pem) = pair(&scratch, "ecdsa");
    let second = ["-key2", key.to_str().unwrap(), "-cert2", pem.to_str().unwrap()];
    let arguments = [&["-servername", "other.example", "-servername_fatal"][..], &second].concat();
    let Some((_server, port)) = s_server(&scratch, "rsa", &arguments) else { return };
    let both = Both::of(port);
    both.agree(0);
    assert_eq!(both.end("chromium"), "refused");
}

#[test]
fn computed_and_live_agree_on_openssl_of_every_age() {
    let every = Options { ciphers: EVERY_CIPHER, ..Options::default() };
    let field = Options { prime: Some(lab::OAKLEY_1024), ..every.clone() };
    let old = Options { versions: Some(("TLSv1", "TLSv1.2")), ..Options::default() };
    let cases = [
        (OPENSSL_1_0_0F, &every),
        (OPENSSL_1_0_1E, &every),
        (OPENSSL_1_0_2O, &Options::default()),
        (OPENSSL_1_0_2O, &field),
        (OPENSSL_1_1_1K, &old),
        (OPENSSL_3_5, &Options::default()),
    ];
    for (version, options) in cases {
        let scratch = Scratch::new("clients-lab");
        let Some((_server, port)) = lab::node(&scratch, version, options) else { continue };
        let both = Both::of(port);
        both.agree(0);
        match version {
            OPENSSL_1_0_0F => assert_eq!(both.end("chromium"), "no_version"),
            OPENSSL_1_0_1E => assert!(both.end("firefox").starts_with("TLSv1.2 TLS_RSA_"), "{}", both.end("firefox")),
            OPENSSL_3_5 => assert_eq!(both.row("chromium").group, Fact::Known("X25519MLKEM768".to_owned())),
            _ => assert!(both.end("chromium").starts_with("TLSv1."), "{version}: {}", both.end("chromium")),
        }
    }
}

/// The server does not know which finite fields a client takes: it chooses, and the client hangs up.
#[test]
fn computed_live_and_the_client_itself_agree_on_a_small_field() {
    let scratch = Scratch::new("clients-dh");
    let field = scratch.path().join("dh.pem");
    if program("openssl").is_none() {
        return;
    }
    openssl(&["dhparam", "-out", field.to_str().unwrap(), "1024"]);
    let suites = "DHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:@SECLEVEL=0";
    let arguments = ["-tls1_2", "-serverpref", "-cipher", suites, "-dhparam", field.to_str().unwrap()];
    let Some((_server, port)) = s_server(&scratch, "rsa", &arguments) else { return };
    let both = Both::of(port);
    both.agree(0);
    assert_eq!(both.end("openssl-3"), "dh_too_small");
    assert_eq!(both.end("gnutls"), "TLSv1.2 TLS_DHE_RSA_WITH_AES_256_GCM_SHA384");
    assert_eq!(both.row("gnutls").strength, Fact::Known(1024));
    assert_eq!(both.end("chromium"), "TLSv1.2 TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    let output = Command::new("openssl")
        .args(["s_client", "-tls1_2", "-connect", &format!("127.0.0.1:{port}"), "-cipher", "DEFAULT:@SECLEVEL=2"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("dh key too small"), "{said}");
}

/// The suite that a server like Go's takes: ChaCha20 first, unless the client begins with AES-GCM.
fn as_go(hello: &ClientHello) -> Option<u16> {
    const GCM: [u16; 5] = [0xC02F, 0xC030, 0x1301, 0x1302, 0x1304];
    let known = [0xC02F, 0xC030, 0xCCA8, 0x1301, 0x1302, 0x1303];
    let gcm = hello.suites.iter().find(|id| known.contains(id)).is_some_and(|id| GCM.contains(id));
    let order = if gcm { [0xC02F, 0xC030, 0xCCA8] } else { [0xCCA8, 0xC02F, 0xC030] };
    order.into_iter().find(|id| hello.suites.contains(id))
}

/// Answers a hello of TLS 1.2 with the flight of a server like Go's, and refuses everything else.
fn serve_as_go(mut stream: TcpStream, leaf: &[u8]) {
    let mut reader = RecordReader::new();
    let mut buffer = [0; 4096];
    let hello = loop {
        let Ok(count @ 1..) = stream.read(&mut buffer) else { return };
        let Ok(()) = reader.push(&buffer[..count]) else { return };
        match reader.event() {
            Ok(Some(Event::Message(1, body))) => break ClientHello::parse(&body).unwrap(),
            Ok(None) => {}
            _ => return,
        }
    };
    let suite = if hello.version == 0x0303 && hello.versions().contains(&0x0303) { as_go(&hello) } else { None };
    let group = hello.groups().contains(&0x001D) || hello.groups().contains(&0x0017);
    let Some(suite) = suite.filter(|_| group) else {
        let refusal = if hello.versions().contains(&0x0303) { 40 } else { 70 };
        let _ = stream.write_all(&record::write(record::ALERT, 0x0303, &[2, refusal]));
        return;
    };
    let answer = ServerHello {
        version: 0x0303,
        random: [7; 32],
        session_id: Vec::new(),
        suite,
        compression: 0,
        extensions: vec![Extension::renegotiation_info()],
    };
    let (group, length) = if hello.groups().contains(&0x001D) { (0x001D, 32) } else { (0x0017, 65) };
    let params = Params::Curve { group, point: vec![4; length] };
    let exchange = ServerKeyExchange { hint: None, params, scheme: Some(0x0804) };
    let flight = [
        answer.to_message(),
        certificate::write_chain(&[leaf.to_vec()]),
        exchange.to_message(Some(&[1; 256])),
        flight::server_hello_done(),
    ];
    let _ = stream.write_all(&record::write(record::HANDSHAKE, 0x0303, &flight.concat()));
    let _ = stream.read(&mut buffer);
}

/// Go changes its order by what the client begins with (crypto/tls, since 1.17).
#[test]
fn computed_and_live_agree_on_a_server_that_looks_at_the_first_wish() {
    if program("openssl").is_none() {
        return;
    }
    let scratch = Scratch::new("clients-go");
    let (_, pem) = pair(&scratch, "rsa");
    let der = scratch.path().join("leaf.der");
    openssl(&["x509", "-in", pem.to_str().unwrap(), "-outform", "der", "-out", der.to_str().unwrap()]);
    let leaf = std::fs::read(der).unwrap();
    let both = Both::of(scripted(move |stream| serve_as_go(stream, &leaf)).port());
    both.agree(0);
    assert_eq!(both.end("chromium"), "TLSv1.2 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    assert_eq!(both.end("botan"), "TLSv1.2 TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256");
    assert_eq!(both.row("node-0.10").group, Fact::Known("secp256r1".to_owned()));
}

#[test]
fn without_live_clients_no_connection_is_made_for_them() {
    let scratch = Scratch::new("clients-off");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let seen = look_with(target(loopback(port)), loopback(port), &context());
    assert!(seen.observations.iter().all(|one| one.kind != "tls.clients.live"));
}

#[test]
fn the_command_asks_live_where_it_is_told_to() {
    let scratch = Scratch::new("clients-command");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let address = format!("127.0.0.1:{port}");
    for (flags, live) in [(&["--clients", "live"][..], true), (&["--clients", "computed"], false), (&[], false)] {
        let output = probity().args(["collect", "-q", &address]).args(flags).output().unwrap();
        let evidence: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut kinds = evidence["observations"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap());
        assert_eq!(kinds.any(|kind| kind == "tls.clients.live"), live, "{flags:?}");
    }
}
