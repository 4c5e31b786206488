//! Facts that need a hello of their own: tickets without a key exchange, early data, finite fields named by the hello,
//! truncated MACs, temporary keys, servers that serve one connection after the other, and clients without a name.

use crate::support::lab::{self, Options, node};
use crate::support::proxy::Proxy;
use crate::support::tls::{Seen, context, full, look, look_with, loopback, nginx, openssl, s_server, scripted, target};
use crate::support::{Scratch, program};
use probity::catalogue::Catalogue;
use probity::check::derive;
use probity::collect::{CollectContext, Limits};
use probity::model::policy::Judging;
use probity::model::tls::{Clients, Dh, Features, Flaws, Suites, Vulnerabilities};
use probity::model::tls_session::Resumption;
use probity::model::{Fact, Observation};
use probity::wire::key_exchange::{Params, ServerKeyExchange};
use probity::wire::record::{Event, HANDSHAKE, RecordReader};
use probity::wire::{ClientHello, Extension, ServerHello, certificate, extension, flight, record};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

fn word(word: &str) -> Fact<String> {
    Fact::Known(word.to_owned())
}

fn all(address: SocketAddr) -> Seen {
    look_with(target(address), address, &full())
}

fn derived(seen: &Seen, address: SocketAddr) -> Vec<Observation> {
    let catalogue = Catalogue::built_in().unwrap();
    derive::run(&[target(address)], &seen.observations, &Judging::default(), &catalogue, jiff::Timestamp::now())
}

#[test]
fn a_ticket_that_is_taken_without_a_key_exchange_is_told_from_one_that_is_not() {
    let cases: [(&[&str], &str); 4] = [
        (&["-www", "-tls1_3", "-allow_no_dhe_kex"], "yes"),
        (&["-www", "-tls1_3"], "no"),
        (
            &["-www", "-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384", "-allow_no_dhe_kex", "-groups", "P-384"],
            "yes",
        ),
        (&["-www", "-tls1_3", "-num_tickets", "0"], "not-applicable"),
    ];
    for (arguments, expected) in cases {
        let scratch = Scratch::new("finer-psk");
        let Some((_server, port)) = s_server(&scratch, "rsa", arguments) else { return };
        let resumption: Resumption = all(loopback(port)).read("tls.resumption");
        assert_eq!(resumption.psk_without_exchange, word(expected), "{arguments:?}");
    }
    let scratch = Scratch::new("finer-psk-old");
    let Some((_server, port)) = s_server(&scratch, "rsa", &["-www", "-tls1_2"]) else { return };
    let resumption: Resumption = all(loopback(port)).read("tls.resumption");
    assert_eq!(resumption.psk_without_exchange, word("not-applicable"));
    // A quick look does not ask.
    let scratch = Scratch::new("finer-psk-quick");
    let Some((_server, port)) = s_server(&scratch, "rsa", &["-www", "-tls1_3"]) else { return };
    let resumption: Resumption = look(loopback(port)).read("tls.resumption");
    assert!(resumption.psk_without_exchange.reason().unwrap().contains("quick"));
}

#[test]
fn a_group_that_our_handshake_lacks_leaves_it_open() {
    let scratch = Scratch::new("finer-psk-group");
    let Some((_server, port)) = s_server(&scratch, "rsa", &["-www", "-tls1_3", "-groups", "P-521"]) else { return };
    let resumption: Resumption = all(loopback(port)).of("tls.resumption").read().unwrap();
    assert!(resumption.psk_without_exchange.known().is_none(), "{resumption:?}");
}

fn sending_early() -> CollectContext {
    let cx = context();
    CollectContext { limits: Limits { early_data: true, ..cx.limits }, ..cx }
}

#[test]
fn early_data_is_sent_where_it_is_wished_and_its_end_is_told() {
    let answers = [
        ("ssl_early_data on;", "accepted"),
        ("ssl_early_data on; if ($ssl_early_data) { return 425; }", "too-early"),
        ("ssl_early_data off;", "not-applicable"),
    ];
    for (lines, expected) in answers {
        let scratch = Scratch::new("finer-early");
        let lines = format!("ssl_protocols TLSv1.2 TLSv1.3; {lines}");
        let Some((_server, port)) = nginx(&scratch, &lines) else { return };
        let seen = look_with(target(loopback(port)), loopback(port), &sending_early());
        let resumption: Resumption = seen.read("tls.resumption");
        assert_eq!(resumption.early_data_sent, word(expected), "{lines}");
        assert_eq!(resumption.psk, word("yes"));
        if expected != "not-applicable" {
            let quiet: Resumption = look(loopback(port)).read("tls.resumption");
            assert!(quiet.early_data_sent.reason().unwrap().contains("--early-data"));
            assert_eq!(quiet.early_data, word("advertised"));
        }
    }
    // It says that early data may come, and takes none.
    let scratch = Scratch::new("finer-early-refused");
    let arguments = ["-www", "-tls1_3", "-max_early_data", "4096"];
    let Some((_server, port)) = s_server(&scratch, "rsa", &arguments) else { return };
    let seen = look_with(target(loopback(port)), loopback(port), &sending_early());
    let resumption: Resumption = seen.read("tls.resumption");
    assert_eq!((resumption.early_data, resumption.early_data_sent), (word("advertised"), word("refused")));
}

#[test]
fn a_field_of_the_servers_own_is_told_from_one_that_the_hello_named() {
    // OpenSSL 3.0 has a field of its own in TLS 1.2, whether or not it is one of RFC 7919.
    for (group, seen_groups) in [("ffdhe2048", vec!["ffdhe2048".to_owned()]), ("modp_2048", Vec::new())] {
        let scratch = Scratch::new("finer-field");
        if program("openssl").is_none() {
            return;
        }
        let file = scratch.path().join("dh.pem");
        let file = file.to_str().unwrap();
        openssl(&["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", &format!("group:{group}"), "-out", file]);
        let arguments = ["-www", "-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256", "-dhparam", file];
        let Some((_server, port)) = s_server(&scratch, "rsa", &arguments) else { return };
        let dh: Dh = all(loopback(port)).read("tls.dh");
        assert_eq!((&dh.named_groups, &dh.named_seen), (&word("own"), &seen_groups), "{group}");
        let quick: Dh = look(loopback(port)).read("tls.dh");
        assert_eq!(quick.named_groups.known().is_some(), seen_groups.is_empty(), "a quick look has what rides along");
    }
    let scratch = Scratch::new("finer-field-none");
    let Some((_server, port)) = s_server(&scratch, "rsa", &["-www", "-tls1_3"]) else { return };
    let dh: Dh = all(loopback(port)).read("tls.dh");
    assert_eq!(dh.named_groups, word("not-applicable"));
}

/// GnuTLS listens on every address, so it runs in a network of its own, and so does the command that looks at it.
#[test]
fn gnutls_honours_the_fields_that_a_hello_names() {
    let (Some(_), Some(_)) = (program("gnutls-serv"), program("unshare")) else { return };
    let mut possible = Command::new("unshare");
    possible.args(["-r", "-n", "ip", "link", "set", "lo", "up"]).stderr(Stdio::null());
    if !possible.status().is_ok_and(|status| status.success()) {
        eprintln!("skipped: this system lets nobody have a network of his own");
        return;
    }
    let scratch = Scratch::new("finer-gnutls");
    let (key, pem) = crate::support::tls::pair(&scratch, "rsa");
    let report = scratch.path().join("seen.json");
    let script = r#"ip link set lo up
gnutls-serv -q --http -p 4433 --x509keyfile "$1" --x509certfile "$2" \
  --priority NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+DHE-RSA >/dev/null 2>&1 &
server=$!
sleep 1
"$0" collect --no-intrusive -q -o json="$3" 127.0.0.1:4433
kill $server"#;
    let mut command = Command::new("unshare");
    command.args(["-r", "-n", "sh", "-c", script, env!("CARGO_BIN_EXE_probity")]).args([&key, &pem, &report]);
    let output = command.output().unwrap();
    let text = std::fs::read_to_string(&report).unwrap_or_else(|_| panic!("{output:?}"));
    let evidence: serde_json::Value = serde_json::from_str(&text).unwrap();
    let all = evidence["observations"].as_array().unwrap();
    let dh = all.iter().find(|one| one["kind"] == "tls.dh").unwrap();
    assert_eq!(dh["data"]["named_groups"], "honoured", "{dh}");
    assert!(dh["data"]["named_seen"].as_array().unwrap().len() > 2, "{dh}");
}

/// A server of TLS 1.2 with one suite that answers with these extensions and this key exchange, and goes no further.
fn answering(suite: u16, extensions: Vec<u16>, params: Option<Params>) -> SocketAddr {
    compressing(suite, extensions, params, 0)
}

/// The same, with a compression method where it was offered.
fn compressing(suite: u16, extensions: Vec<u16>, params: Option<Params>, method: u8) -> SocketAddr {
    choosing(extensions, method, move |hello| hello.suites.contains(&suite).then(|| (suite, params.clone())))
}

/// The same with the suite and the key exchange that this says.
fn choosing(
    extensions: Vec<u16>,
    method: u8,
    choose: impl Fn(&ClientHello) -> Option<(u16, Option<Params>)> + Send + Sync + 'static,
) -> SocketAddr {
    let leaf = rcgen::generate_simple_self_signed(["shop.example".to_owned()]).unwrap().cert.der().to_vec();
    scripted(move |mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let modern = !hello.versions().is_empty() && !hello.versions().contains(&0x0303);
        let too_old = modern || hello.version < 0x0303;
        let Some((suite, params)) = choose(&hello).filter(|_| !too_old) else {
            let description = if too_old { 70 } else { 40 };
            let _ = stream.write_all(&record::write(record::ALERT, 0x0303, &[2, description]));
            return;
        };
        let asked = extensions.iter().filter(|kind| hello.extension(**kind).is_some());
        let answer = ServerHello {
            version: 0x0303,
            random: [7; 32],
            session_id: Vec::new(),
            suite,
            compression: if hello.compression.contains(&method) { method } else { 0 },
            extensions: asked.map(|kind| Extension::empty(*kind)).collect(),
        };
        let mut messages = [answer.to_message(), certificate::write_chain(std::slice::from_ref(&leaf))].concat();
        if let Some(params) = params {
            let exchange = ServerKeyExchange { hint: None, params, scheme: Some(0x0401) };
            messages.extend(exchange.to_message(Some(&[1; 64])));
        }
        messages.extend(flight::server_hello_done());
        let _ = stream.write_all(&record::write(HANDSHAKE, 0x0303, &messages));
        let _ = stream.read(&mut [0; 1024]);
    })
}

/// A server with an order of its own, the finite fields of which are those that a hello names: without one it passes its
/// suites of DHE over, so that they are found late.
#[test]
fn suites_that_need_a_named_field_stand_where_the_server_has_them() {
    for order in [
        [0x009E_u16, 0x009F, 0xC02F, 0xC030, 0x009C],
        [0xC030, 0x009E, 0xC02F, 0x009F, 0x009C],
        [0xC030, 0xC02F, 0x009F, 0x009C, 0x009E],
    ] {
        let address = choosing(Vec::new(), 0, move |hello| {
            let able = |id: &u16| match id {
                0x009E | 0x009F => hello.groups().contains(&0x0100),
                0xC02F | 0xC030 => hello.groups().contains(&0x001D),
                _ => true,
            };
            let suite = order.into_iter().find(|id| hello.suites.contains(id) && able(id))?;
            // All primes of RFC 7919 begin with the same digits.
            let start = [0xFF; 8].into_iter().chain([0xAD, 0xF8, 0x54, 0x58, 0xA2, 0xBB, 0x4A, 0x9A]);
            let p: Vec<u8> = start.chain([0x77; 240]).collect();
            let params = match suite {
                0x009E | 0x009F => Some(Params::Field { public: vec![5; p.len()], p, g: vec![2] }),
                0xC02F | 0xC030 => Some(Params::Curve { group: 0x001D, point: vec![9; 32] }),
                _ => None,
            };
            Some((suite, params))
        });
        let suites: Suites = crate::support::tls::enumerate(address).of("tls.suites").read().unwrap();
        assert_eq!(suites.suites.len(), order.len(), "{suites:?}");
        let seen = &suites.order[0];
        assert_eq!(seen.preference, word("server"), "{seen:?}");
        assert_eq!(seen.ids, order.map(|id| format!("0x{id:04X}")), "{seen:?}");
    }
}

fn read_hello(stream: &mut TcpStream) -> Option<ClientHello> {
    let mut reader = RecordReader::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        reader.push(&buffer[..count]).ok()?;
        if let Some(Event::Message(1, body)) = reader.event().ok()? {
            return ClientHello::parse(&body).ok();
        }
    }
}

#[test]
fn truncated_macs_are_seen_and_not_seen() {
    let yes = crate::support::tls::enumerate(answering(0x009C, vec![extension::TRUNCATED_HMAC], None));
    assert_eq!(yes.of("tls.features").read::<Features>().unwrap().truncated_hmac, word("yes"));
    let no = crate::support::tls::enumerate(answering(0x009C, Vec::new(), None));
    assert_eq!(no.of("tls.features").read::<Features>().unwrap().truncated_hmac, word("no"));
    let scratch = Scratch::new("finer-modern");
    let Some((_server, port)) = nginx(&scratch, "ssl_protocols TLSv1.3;") else { return };
    let features: Features = crate::support::tls::enumerate(loopback(port)).read("tls.features");
    assert_eq!(features.truncated_hmac, word("not-applicable"));
}

#[test]
fn a_compression_method_that_is_chosen_is_named() {
    for (method, named) in [(0, "none"), (1, "deflate"), (64, "lzs")] {
        let address = compressing(0x009C, Vec::new(), None, method);
        let seen = crate::support::tls::enumerate(address);
        let features: Features = seen.of("tls.features").read().unwrap();
        assert_eq!(features.compression, word(named));
        let derived = derived(&seen, address);
        let rows: Vulnerabilities =
            derived.iter().find(|one| one.kind == "tls.vulnerabilities").unwrap().read().unwrap();
        let row = rows.tests.into_iter().find(|row| row.name == "crime").unwrap();
        assert_eq!(row.vulnerable, Fact::Known(method != 0), "{row:?}");
    }
}

#[test]
fn a_short_temporary_key_with_a_suite_that_may_not_have_one_is_freak() {
    let key = |bits: usize| Some(Params::Rsa { modulus: vec![0xC5; bits / 8], exponent: vec![1, 0, 1] });
    for (bits, vulnerable) in [(512, true), (2048, false)] {
        let address = answering(0x009C, Vec::new(), key(bits));
        let seen = crate::support::tls::enumerate(address);
        let features: Features = seen.of("tls.features").read().unwrap();
        assert_eq!((features.temporary_rsa.len(), features.temporary_rsa[0].bits as usize), (1, bits));
        assert!(!features.temporary_rsa[0].export);
        let derived = derived(&seen, address);
        let rows: Vulnerabilities =
            derived.iter().find(|one| one.kind == "tls.vulnerabilities").unwrap().read().unwrap();
        let row = rows.tests.into_iter().find(|row| row.name == "freak").unwrap();
        assert_eq!(row.vulnerable, Fact::Known(vulnerable), "{row:?}");
    }
}

#[test]
fn the_temporary_key_of_an_export_suite_is_read() {
    let scratch = Scratch::new("finer-export");
    let options = Options { ciphers: "EXP-RC4-MD5:RC4-SHA", ..Options::default() };
    let Some((_server, port)) = node(&scratch, lab::OPENSSL_1_0_1E, &options) else { return };
    let features: Features = crate::support::tls::enumerate(loopback(port)).read("tls.features");
    assert!(features.temporary_rsa.iter().all(|key| key.export && key.bits == 512), "{features:?}");
    // The suite is refused where the server has made no such key.
    eprintln!("temporary keys: {:?}", features.temporary_rsa);
}

#[test]
fn a_server_that_serves_one_connection_after_the_other_is_tested_all_the_same() {
    let scratch = Scratch::new("finer-serial");
    let arguments = ["-tls1_2", "-cipher", "AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"];
    let Some((_server, port)) = s_server(&scratch, "rsa", &arguments) else { return };
    let seen = look(loopback(port));
    let flaws: Flaws = seen.of("tls.flaws").read().unwrap();
    for name in ["heartbleed", "ccs", "robot"] {
        let test = flaws.tests.iter().find(|test| test.name == name).unwrap();
        assert_eq!((test.applies, &test.vulnerable), (true, &Fact::Known(false)), "{test:?}");
    }
}

#[test]
fn the_whole_look_stays_within_its_connections() {
    let scratch = Scratch::new("finer-count");
    let lines = "ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305;";
    let Some((_server, port)) = nginx(&scratch, lines) else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = all(proxy.address());
    eprintln!("nginx 3+3, all of it: {} connections, {:?}", proxy.connections(), seen.time);
    assert!(proxy.connections() <= 90, "{} connections", proxy.connections());
    let clients: Clients =
        derived(&seen, proxy.address()).iter().find(|one| one.kind == "tls.clients").unwrap().read().unwrap();
    assert!(clients.clients.iter().all(|row| row.failure != "sni_needed"));
}

#[test]
fn the_order_across_a_long_and_a_short_list_is_settled() {
    let scratch = Scratch::new("finer-order");
    let options = Options {
        ciphers: "ALL:COMPLEMENTOFALL:@SECLEVEL=0",
        versions: Some(("TLSv1.2", "TLSv1.2")),
        ..Options::default()
    };
    let Some((_server, port)) = node(&scratch, lab::OPENSSL_1_1_1K, &options) else { return };
    let suites: Suites = crate::support::tls::enumerate(loopback(port)).read("tls.suites");
    let order = &suites.order[0];
    assert_eq!(order.preference, word("server"), "{order:?}");
    // Those without authentication have a list of their own, and the server puts them among the others.
    let anonymous = |id: &String| suites.suites.iter().any(|suite| &suite.id == id && suite.auth == "anon");
    let places: Vec<usize> = (0..order.ids.len()).filter(|at| anonymous(&order.ids[*at])).collect();
    assert!(places.len() >= 3 && order.ids.len() > 30, "{order:?}");
    // As OpenSSL's own client sees it: of two neighbours the server takes the first, though the second is offered first.
    for at in places {
        let name = |at: usize| &suites.suites.iter().find(|suite| suite.id == order.ids[at]).unwrap().openssl_name;
        for (first, second) in [(at.wrapping_sub(1), at), (at, at + 1)] {
            if second < order.ids.len() && first < second {
                assert_eq!(&agreed(port, &format!("{}:{}", name(second), name(first))), name(first), "{order:?}");
            }
        }
    }
}

/// The suite that OpenSSL as a client ends up with, of these in this order.
fn agreed(port: u16, ciphers: &str) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-tls1_2", "-cipher"])
        .arg(format!("{ciphers}:@SECLEVEL=0"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_once("Cipher is ").unwrap().1.lines().next().unwrap().to_owned()
}
