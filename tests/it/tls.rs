//! The TLS collector against real servers.

use crate::support::postgres::{Postgres, Posture};
use crate::support::proxy::Proxy;
use crate::support::tls::{
    HAPROXY_SUITES, Seen, context, enumerate, haproxy, look, look_with, loopback, nginx, openssl, s_server, scripted,
    target,
};
use crate::support::{Scratch, program};
use probity::model::target::Engine;
use probity::model::tls::{Certificates, Dh, Features, Groups, Protocols, Suites};
use probity::model::{Fact, Reason, TargetKind};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

/// What whole sessions add to the hellos of the enumeration, on a server with tickets and TLS 1.2 and 1.3, without CBC.
const SESSIONS: u32 = 7;

const MODERN: &str = "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305;";

#[test]
fn a_modern_nginx_is_seen_as_it_is_configured() {
    let scratch = Scratch::new("tls-modern");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = enumerate(proxy.address());
    assert_eq!(seen.protocols(), ["TLSv1.2", "TLSv1.3"]);
    let expected = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"];
    assert_eq!(seen.suites("TLSv1.2"), expected.map(String::from).into());
    let expected = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
    assert_eq!(seen.suites("TLSv1.3"), expected.map(String::from).into());
    eprintln!("nginx 3+3: {} hellos, {} connections, {:?}", proxy.hellos(), proxy.connections(), seen.time);
    assert!(proxy.hellos() <= 30 + SESSIONS, "{} hellos", proxy.hellos());
    let suites: Suites = seen.read("tls.suites");
    for order in &suites.order {
        assert_eq!(order.preference, Fact::Known("server".into()), "{order:?}");
    }
    assert_eq!(suites.order[0].ids, ["0xC02F", "0xC030", "0xCCA8"]);
    assert_eq!(suites.order[0].chacha_priority, Fact::Known("no".into()));
    let certificates: Certificates = seen.read("tls.certificates");
    assert_eq!(certificates.deployments.len(), 1);
    assert_eq!(certificates.deployments[0].protocols, ["TLSv1.2", "TLSv1.3"]);
    assert_eq!(certificates.deployments[0].trust, Fact::Known("self-signed".into()));
    let features: Features = seen.read("tls.features");
    assert_eq!(features.alpn, Fact::Known("h2".into()));
    assert_eq!(features.ocsp_stapling, Fact::Known("no".into()));
}

#[test]
fn a_haproxy_with_two_certificates_hides_no_suite() {
    for options in ["prefer-client-ciphers", ""] {
        let scratch = Scratch::new("tls-haproxy");
        let Some((_server, port)) = haproxy(&scratch, options) else { return };
        let proxy = Proxy::start(port, Duration::ZERO);
        let seen = enumerate(proxy.address());
        assert_eq!(seen.suites("TLSv1.2"), HAPROXY_SUITES.map(String::from).into());
        assert_eq!(seen.suites("TLSv1.3").len(), 3);
        let certificates: Certificates = seen.read("tls.certificates");
        let keys: BTreeSet<_> = certificates.deployments.iter().map(|one| one.leaf.key_type.as_str()).collect();
        assert_eq!(keys, ["EC", "RSA"].into());
        for deployment in &certificates.deployments {
            assert_eq!(deployment.protocols, ["TLSv1.2", "TLSv1.3"]);
        }
        let dh: Dh = seen.read("tls.dh");
        assert_eq!(dh.used, Fact::Known(true));
        assert!(dh.parameters.iter().all(|set| set.bits >= 2048), "{dh:?}");
        eprintln!("haproxy 9+3 {options}: {} hellos, {:?}", proxy.hellos(), seen.time);
        let suites: Suites = seen.read("tls.suites");
        let order = suites.order.iter().find(|order| order.protocol == "TLSv1.2").unwrap();
        if options.is_empty() {
            assert_eq!(order.preference, Fact::Known("server".into()));
            assert_eq!(order.chacha_priority, Fact::Known("yes".into()));
            assert!(proxy.hellos() <= 35 + SESSIONS, "{} hellos", proxy.hellos());
            let place = |name: &str| {
                let id = &suites.suites.iter().find(|suite| suite.openssl_name == name).unwrap().id;
                order.ids.iter().position(|other| other == id).unwrap()
            };
            // Of each certificate's suites, in the order of the configuration.
            for kind in ["ECDHE-ECDSA", "-RSA-"] {
                let places: Vec<_> =
                    HAPROXY_SUITES.iter().filter(|name| name.contains(kind)).map(|n| place(n)).collect();
                assert!(places.is_sorted(), "{places:?}");
            }
        } else {
            assert_eq!(order.preference, Fact::Known("client".into()));
            // One of them for a third kind of certificate, one for fallback protection.
            assert!(proxy.hellos() <= 34 + SESSIONS, "{} hellos", proxy.hellos());
        }
    }
}

#[test]
fn a_long_way_is_gone_few_times() {
    for server in ["nginx", "haproxy"] {
        let scratch = Scratch::new("tls-far");
        let started = match server {
            "nginx" => nginx(&scratch, MODERN),
            _ => haproxy(&scratch, "prefer-client-ciphers"),
        };
        let Some((_server, port)) = started else { return };
        let proxy = Proxy::start(port, Duration::from_millis(100));
        let seen = enumerate(proxy.address());
        eprintln!("{server} at 100 ms: {} hellos, {:?}, at most {} open", proxy.hellos(), seen.time, proxy.most_open());
        assert!(proxy.hellos() <= 34 + SESSIONS, "{} hellos", proxy.hellos());
    }
}

/// A way to this port that gives up connections on which nothing comes within this time.
fn impatient(port: u16, patience: Duration) -> SocketAddr {
    scripted(move |client| {
        client.set_read_timeout(Some(patience)).unwrap();
        if !matches!(client.peek(&mut [0]), Ok(1..)) {
            return;
        }
        client.set_read_timeout(None).unwrap();
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _ = std::io::copy(&mut &server, &mut &client);
                let _ = client.shutdown(Shutdown::Both);
            });
            let _ = std::io::copy(&mut &client, &mut &server);
            let _ = server.shutdown(Shutdown::Write);
        });
    })
}

#[test]
fn an_idle_connection_that_is_given_up_is_no_answer() {
    let scratch = Scratch::new("tls-idle");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let far = Proxy::start(port, Duration::from_millis(60));
    let patient = enumerate(far.address());
    for patience in [5, 40, 65] {
        let seen = enumerate(impatient(far.address().port(), Duration::from_millis(patience)));
        assert_eq!(seen.protocols(), patient.protocols(), "{patience} ms");
        for protocol in ["TLSv1.2", "TLSv1.3"] {
            assert_eq!(seen.suites(protocol), patient.suites(protocol), "{patience} ms");
        }
        let ids = |seen: &Seen| -> BTreeSet<String> {
            seen.read::<Groups>("tls.groups").groups.into_iter().map(|group| group.id).collect()
        };
        assert_eq!(ids(&seen), ids(&patient), "{patience} ms");
        let proofs = |seen: &Seen| -> Vec<(String, String)> {
            let protocols: Protocols = seen.read("tls.protocols");
            protocols.proofs.into_iter().map(|proof| (proof.name, proof.confidence)).collect()
        };
        assert_eq!(proofs(&seen), proofs(&patient), "{patience} ms");
    }
}

/// The suites that a cipher string of OpenSSL stands for, by name.
fn openssl_suites(string: &str, version: &str) -> BTreeSet<String> {
    let output = Command::new("openssl").args(["ciphers", "-s", version, string]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().split(':').filter(|name| !name.starts_with("TLS_")).map(str::to_owned).collect()
}

/// Whether `openssl s_client` connects with this version and suite: the ground truth, suite by suite.
fn client_connects(port: u16, version: &str, suite: &str) -> bool {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), version, "-cipher"]);
    command.arg(format!("{suite}:@SECLEVEL=0")).stdin(std::process::Stdio::null());
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains(&format!("Cipher    : {suite}"))
}

#[test]
fn a_weak_nginx_is_seen_suite_by_suite() {
    let scratch = Scratch::new("tls-weak");
    if program("openssl").is_none() {
        return;
    }
    let dh = scratch.path().join("dh.pem");
    openssl(&["dhparam", "-out", dh.to_str().unwrap(), "-dsaparam", "1024"]);
    let weak = "ALL:COMPLEMENTOFALL:eNULL:aNULL:@SECLEVEL=0";
    let lines = format!("ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers {weak}; ssl_dhparam {};", dh.display());
    let Some((_server, port)) = nginx(&scratch, &lines) else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = enumerate(proxy.address());
    eprintln!("nginx weak: {} hellos, {:?}", proxy.hellos(), seen.time);
    assert_eq!(seen.protocols(), ["TLSv1.0", "TLSv1.1", "TLSv1.2"]);
    let candidates = openssl_suites(weak, "-tls1_2");
    for (protocol, flag) in [("TLSv1.0", "-tls1"), ("TLSv1.2", "-tls1_2")] {
        let found = seen.suites(protocol);
        // What needs another certificate or a shared key is not asked of the other client: it takes long, and fails.
        let certified = candidates.iter().filter(|name| !name.contains("PSK") && !name.contains("ECDSA"));
        let truth: BTreeSet<String> = certified.filter(|name| client_connects(port, flag, name)).cloned().collect();
        assert!(truth.len() >= 20, "{truth:?}");
        assert_eq!(found, truth, "{protocol}");
    }
    let dh: Dh = seen.read("tls.dh");
    assert_eq!(dh.used, Fact::Known(true));
    assert_eq!(dh.parameters[0].bits, 1024);
    let features: Features = seen.read("tls.features");
    assert_eq!(features.encrypt_then_mac, Fact::Known("yes".into()));
    assert_eq!(features.compression, Fact::Known("none".into()));
    let suites: Suites = seen.read("tls.suites");
    let anonymous = suites.suites.iter().find(|suite| suite.openssl_name == "ADH-AES128-SHA").unwrap();
    assert_eq!((anonymous.class.as_str(), &anonymous.strength), ("anon", &Fact::Known(1024)));
    let rsa = suites.suites.iter().find(|suite| suite.openssl_name == "AES128-SHA").unwrap();
    assert_eq!((rsa.block_bits, &rsa.strength), (128, &Fact::Known(2048)));
    let far = Proxy::start(port, Duration::from_millis(100));
    let seen = enumerate(far.address());
    eprintln!("nginx weak at 100 ms: {} hellos, {:?}", far.hellos(), seen.time);
    assert_eq!(seen.suites("TLSv1.2").len(), suites.suites.iter().filter(|suite| suite.protocol == "TLSv1.2").count());
}

#[test]
fn the_reference_answers_of_a_current_stack() {
    let scratch = Scratch::new("tls-reference");
    let Some((_server, port)) = s_server(&scratch, "rsa", &[]) else { return };
    let seen = look(loopback(port));
    assert_eq!(seen.protocols(), ["TLSv1.2", "TLSv1.3"]);
    let groups: Groups = seen.read("tls.groups");
    let ids: Vec<_> = groups.groups.iter().map(|group| group.id.as_str()).collect();
    assert_eq!(ids[..7], ["0x001D", "0x0017", "0x001E", "0x0019", "0x0018", "0x0100", "0x0101"]);
    assert_eq!(groups.order, Fact::Known("server".into()));
    let suites: Suites = seen.read("tls.suites");
    let order = suites.order.iter().find(|order| order.protocol == "TLSv1.3").unwrap();
    assert_eq!(order.ids, ["0x1301", "0x1302", "0x1303"]);
    assert_eq!(order.preference, Fact::Known("client".into()));
    let protocols: Protocols = seen.read("tls.protocols");
    assert_eq!(protocols.downgrade_sentinel, Fact::Known("yes".into()));
    assert_eq!(protocols.fallback_scsv, Fact::Known("yes".into()));
    let proof = |name: &str| protocols.proofs.iter().find(|proof| proof.name == name).unwrap();
    assert_eq!(proof("SSLv2").seen, "alert protocol_version");
    assert!(proof("SSLv3").seen.starts_with("alert handshake_failure"));
    // At its security level this stack answers old hellos with alert 80, which is not definite: twice, and the control
    // probe after it, make it a refusal that is inferred.
    for (name, confidence) in [("SSLv2", "proven"), ("SSLv3", "proven"), ("TLSv1.0", "inferred"), ("TLSv1.3", "proven")]
    {
        assert_eq!(proof(name).confidence, confidence, "{name}");
    }
    let features: Features = seen.read("tls.features");
    assert_eq!(features.secure_renegotiation, Fact::Known("yes".into()));
    assert_eq!(features.extended_master_secret, Fact::Known("yes".into()));
    assert_eq!(features.session_tickets, Fact::Known("yes".into()));
    assert_eq!(features.heartbeat, Fact::Known("no".into()));
    assert_eq!(features.client_certificate, Fact::Known(false));
}

#[test]
fn sixty_one_suites_of_a_server_that_allows_all() {
    let scratch = Scratch::new("tls-all");
    let all = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-tls1_2"];
    let Some((_server, port)) = s_server(&scratch, "rsa", &all) else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = enumerate(proxy.address());
    eprintln!("s_server ALL: {} hellos, {:?}", proxy.hellos(), seen.time);
    assert_eq!(seen.suites("TLSv1.2").len(), 61, "{:?}", seen.suites("TLSv1.2"));
    let protocols: Protocols = seen.read("tls.protocols");
    assert_eq!(protocols.fallback_scsv, Fact::Known("not-applicable".into()));
    assert_eq!(protocols.downgrade_sentinel, Fact::Known("not-applicable".into()));
}

#[test]
fn single_switches_show_in_single_facts() {
    let scratch = Scratch::new("tls-switches");
    let Some((old, port)) = s_server(&scratch, "rsa", &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]) else { return };
    let seen = look(loopback(port));
    assert_eq!(seen.protocols(), ["TLSv1.1"]);
    drop(old);
    let (asking, port) = s_server(&scratch, "ecdsa", &["-no_ticket", "-verify", "1", "-named_curve", "P-256"]).unwrap();
    let seen = look(loopback(port));
    let features: Features = seen.read("tls.features");
    assert_eq!(features.session_tickets, Fact::Known("no".into()));
    assert_eq!(features.client_certificate, Fact::Known(true));
    let certificates: Certificates = seen.read("tls.certificates");
    assert_eq!(certificates.deployments.len(), 1);
    assert_eq!(certificates.deployments[0].leaf.key_type, "EC");
    let suites: Suites = seen.read("tls.suites");
    assert!(suites.suites.iter().all(|suite| suite.strength == Fact::Known(3072)), "{:?}", suites.suites);
    drop(asking);
    let (preferring, port) = s_server(&scratch, "rsa", &["-serverpref", "-tls1_3", "-groups", "P-384:X25519"]).unwrap();
    let seen = look(loopback(port));
    assert_eq!(seen.protocols(), ["TLSv1.3"]);
    let groups: Groups = seen.read("tls.groups");
    assert_eq!(groups.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["secp384r1", "x25519"]);
    let features: Features = seen.read("tls.features");
    assert_eq!(features.legacy_handshake, Fact::Known(false));
    assert_eq!(features.secure_renegotiation, Fact::Known("not-applicable".into()));
    drop(preferring);
}

#[test]
fn a_postgresql_is_asked_for_tls_before_the_hello() {
    let postures =
        [(Posture::Mixed, &["TLSv1.2", "TLSv1.3"][..]), (Posture::Strict, &["TLSv1.3"][..]), (Posture::Plain, &[][..])];
    for (posture, offered) in postures {
        let Some(postgres) = Postgres::start(posture) else { return };
        let address = loopback(postgres.port);
        let mut database = target(address);
        database.kind = TargetKind::Database;
        database.engine = Some(Engine::Postgresql);
        let mut endpoint = target(address);
        endpoint.connection.starttls = Some("postgresql".into());
        for target in [database, endpoint] {
            let seen = look_with(target, address, &context());
            if offered.is_empty() {
                let (reason, detail) = seen.trouble();
                assert_eq!(reason, Reason::Unsupported);
                assert!(detail.contains("TLS is off"), "{detail}");
            } else {
                assert_eq!(seen.protocols(), offered);
                let certificates: Certificates = seen.read("tls.certificates");
                assert_eq!(certificates.deployments.len(), 1);
            }
        }
    }
}
