//! Hellos of an unusual shape against real servers.

use crate::support::proxy::Proxy;
use crate::support::tls::{Seen, full, haproxy, look_with, loopback, nginx, openssl, s_server, scripted, target};
use crate::support::{Scratch, Server, free_port, program};
use probity::model::shape::{ApplicationProtocols, Intolerance, ServerNames, Signatures};
use probity::model::tls::Certificates;
use probity::model::transparency::Transparency;
use probity::model::{Fact, ObservationStatus, Reason};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

const MODERN: &str = "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305;";

fn look(address: SocketAddr) -> Seen {
    look_with(target(address), address, &full())
}

fn schemes(seen: &Seen, protocol: &str) -> BTreeSet<String> {
    let signatures: Signatures = seen.read("tls.signatures");
    let of = signatures.schemes.into_iter().filter(|scheme| scheme.protocol == protocol);
    of.map(|scheme| scheme.name).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn not_tolerated(seen: &Seen) -> Vec<String> {
    let intolerance: Intolerance = seen.read("tls.intolerance");
    assert!(intolerance.faults.is_empty(), "{:?}", intolerance.faults);
    let bad = intolerance.tests.into_iter().filter(|test| test.tolerated != Fact::Known(true));
    bad.map(|test| format!("{} {:?} {}", test.name, test.tolerated, test.seen)).collect()
}

#[test]
fn a_modern_nginx_bears_every_shape() {
    let scratch = Scratch::new("shape-modern");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let quick = Proxy::start(port, Duration::ZERO);
    crate::support::tls::look(quick.address());
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = look(proxy.address());
    let more = proxy.connections() - quick.connections();
    eprintln!("nginx 3+3: {} connections more than {}, {:?}", more, quick.connections(), seen.time);
    let intolerance: Intolerance = seen.read("tls.intolerance");
    let names: Vec<&str> = intolerance.tests.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(names.len(), 17, "{names:?}");
    assert_eq!(not_tolerated(&seen), Vec::<String>::new());
    let expected = ["rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512"];
    assert_eq!(schemes(&seen, "TLSv1.3"), set(&expected));
    let older = schemes(&seen, "TLSv1.2");
    assert!(older.is_superset(&set(&expected)), "{older:?}");
    assert!(older.is_superset(&set(&["rsa_pkcs1_sha256", "rsa_pkcs1_sha384", "rsa_pkcs1_sha512"])), "{older:?}");
    let signatures: Signatures = seen.read("tls.signatures");
    assert_eq!((signatures.ignores_list, signatures.others), (Fact::Known(false), Fact::Known(false)));
    let alpn: ApplicationProtocols = seen.read("tls.alpn");
    assert_eq!(alpn.protocols[..2], ["h2", "http/1.1"]);
    assert_eq!(alpn.order, Fact::Known("server".into()));
    assert_eq!(alpn.unknown_list, Fact::Known("alert".into()));
    assert_eq!(alpn.next_protocols, Fact::Known(Vec::new()));
    let names: ServerNames = seen.read("tls.names");
    assert_eq!(names.without_name, Fact::Known("same".into()));
    assert_eq!((names.required, names.unknown_rejected), (Fact::Known(false), Fact::Known(false)));
    assert!(more <= 34, "{more} connections");
    let far = Proxy::start(port, Duration::from_millis(100));
    let seen = look(far.address());
    eprintln!("nginx 3+3 at 100 ms: {} connections, {:?}", far.connections(), seen.time);
    assert_eq!(not_tolerated(&seen), Vec::<String>::new());
    assert!(far.connections() <= 90, "{} connections", far.connections());
}

#[test]
fn two_certificates_are_asked_for_their_schemes_one_by_one() {
    let scratch = Scratch::new("shape-haproxy");
    let Some((_server, port)) = haproxy(&scratch, "") else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = look(proxy.address());
    eprintln!("haproxy 9+3: {} connections, {:?}", proxy.connections(), seen.time);
    let modern = schemes(&seen, "TLSv1.3");
    let expected = ["rsa_pss_rsae_sha256", "rsa_pss_rsae_sha384", "rsa_pss_rsae_sha512", "ecdsa_secp256r1_sha256"];
    assert_eq!(modern, set(&expected));
    assert!(schemes(&seen, "TLSv1.2").contains("ecdsa_secp384r1_sha384"));
    assert_eq!(not_tolerated(&seen), Vec::<String>::new());
}

#[test]
fn the_schemes_that_are_configured_are_the_ones_seen() {
    let scratch = Scratch::new("shape-sigalgs");
    let list = ["-sigalgs", "RSA+SHA256:RSA-PSS+SHA512", "-alpn", "http/1.1,h2"];
    let Some((server, port)) = s_server(&scratch, "rsa", &list) else { return };
    let seen = look(loopback(port));
    assert_eq!(schemes(&seen, "TLSv1.2"), set(&["rsa_pkcs1_sha256", "rsa_pss_rsae_sha512"]));
    assert_eq!(schemes(&seen, "TLSv1.3"), set(&["rsa_pss_rsae_sha512"]));
    let alpn: ApplicationProtocols = seen.read("tls.alpn");
    assert_eq!(alpn.protocols, ["http/1.1", "h2"]);
    assert_eq!(alpn.order, Fact::Known("server".into()));
    drop(server);
    let old = ["-tls1_2", "-sigalgs", "RSA+SHA1", "-cipher", "ECDHE+AESGCM:AES128-SHA:@SECLEVEL=0", "-no_ticket"];
    let (server, port) = s_server(&scratch, "rsa", &old).unwrap();
    let seen = look(loopback(port));
    let signatures: Signatures = seen.read("tls.signatures");
    let found: Vec<_> = signatures.schemes.iter().map(|one| (one.name.as_str(), one.class.as_str())).collect();
    assert_eq!(found, [("rsa_pkcs1_sha1", "weak")]);
    drop(server);
}

#[test]
fn a_server_of_tls_1_3_alone_is_asked_by_whole_handshakes() {
    let scratch = Scratch::new("shape-tls13");
    let arguments = ["-tls1_3", "-alpn", "h2,http/1.1"];
    let Some((_server, port)) = s_server(&scratch, "ecdsa", &arguments) else { return };
    let seen = look(loopback(port));
    assert_eq!(schemes(&seen, "TLSv1.3"), set(&["ecdsa_secp256r1_sha256"]));
    let alpn: ApplicationProtocols = seen.read("tls.alpn");
    assert_eq!(
        (alpn.protocols.as_slice(), alpn.order),
        (&["h2".into(), "http/1.1".into()][..], Fact::Known("server".into()))
    );
    let names: ServerNames = seen.read("tls.names");
    assert_eq!(names.without_name, Fact::Known("same".into()));
    let intolerance: Intolerance = seen.read("tls.intolerance");
    assert!(intolerance.tests.iter().all(|test| !test.name.starts_with("version-")));
    assert!(intolerance.accepts_v2_hello.known().is_none());
    assert_eq!(not_tolerated(&seen), Vec::<String>::new());
}

/// An nginx whose default server has this line, and whose second one is shop.example.
fn two_servers(scratch: &Scratch, default: &str) -> Option<(Server, u16)> {
    let nginx = program("nginx")?;
    let port = free_port();
    let folder = scratch.path().display().to_string();
    let mut pems = Vec::new();
    for name in ["shop.example", "default.example"] {
        let (key, pem) = (format!("{folder}/{name}.key"), format!("{folder}/{name}.pem"));
        let subject = format!("/CN={name}");
        let alternative = format!("subjectAltName=DNS:{name}");
        let mut arguments = vec!["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "30", "-subj", &subject];
        arguments.extend(["-addext", &alternative, "-keyout", &key, "-out", &pem]);
        openssl(&arguments);
        pems.push((key, pem));
    }
    let server = |name: &str, listen: &str, (key, pem): &(String, String), line: &str| {
        format!(
            "server {{ listen 127.0.0.1:{port} ssl {listen}; server_name {name}; ssl_protocols TLSv1.2 TLSv1.3;
               ssl_certificate {pem}; ssl_certificate_key {key}; {line} }}"
        )
    };
    let configuration = format!(
        "daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
         events {{}}
         http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
           fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; {} {} }}",
        server("default.example", "default_server", &pems[1], default),
        server("shop.example", "", &pems[0], "")
    );
    let file = scratch.write("nginx.conf", configuration);
    let mut command = Command::new(nginx);
    command.arg("-c").arg(file).arg("-p").arg(scratch.path()).arg("-e").arg(scratch.path().join("error.log"));
    Some((Server::start(&mut command, port), port))
}

#[test]
fn the_default_server_shows_without_a_name() {
    let scratch = Scratch::new("shape-names");
    let Some((_server, port)) = two_servers(&scratch, "") else { return };
    let names: ServerNames = look(loopback(port)).read("tls.names");
    assert_eq!(names.without_name, Fact::Known("other".into()));
    assert_eq!(names.unknown_name, Fact::Known("other".into()));
    assert_eq!((names.required, names.unknown_rejected), (Fact::Known(true), Fact::Known(false)));
    assert_eq!(names.default_certificate[0].names, ["default.example"]);
    assert!(!names.default_certificate[0].name_matches);
}

#[test]
fn a_default_server_may_refuse_unknown_names() {
    let scratch = Scratch::new("shape-reject");
    let Some((_server, port)) = two_servers(&scratch, "ssl_reject_handshake on;") else { return };
    let seen = look(loopback(port));
    let names: ServerNames = seen.read("tls.names");
    assert_eq!(names.without_name, Fact::Known("refused".into()), "{:?}", seen.of("tls.protocols").transcript);
    assert_eq!(names.unknown_name, Fact::Known("refused".into()));
    assert_eq!((names.required, names.unknown_rejected), (Fact::Known(true), Fact::Known(true)));
    assert!(names.default_certificate.is_empty());
}

/// What a shell prints for this line.
fn shell(line: &str) -> String {
    let output = Command::new("sh").arg("-c").arg(line).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_key_of_a_list_is_known_to_others() {
    let scratch = Scratch::new("shape-known");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let pem = scratch.path().join("rsa.pem").display().to_string();
    let whole = shell(&format!("openssl x509 -in {pem} -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum"));
    let modulus = shell(&format!("openssl x509 -in {pem} -noout -modulus | sha1sum | cut -c 21-40"));
    let lists = [
        (format!("# keys of examples\n{}\n", &whole[..64]), Some(true)),
        (format!("{modulus}\n"), Some(true)),
        ("00".repeat(32), Some(false)),
        ("no digest".to_owned(), None),
    ];
    for (number, (text, known)) in lists.into_iter().enumerate() {
        let mut target = target(loopback(port));
        target.connection.weak_keys_file = Some(scratch.write(&format!("list{number}"), text));
        let seen = look_with(target, loopback(port), &crate::support::tls::context());
        let Some(known) = known else {
            assert!(seen.trouble().1.contains("line 1"));
            continue;
        };
        let certificates: Certificates = seen.read("tls.certificates");
        assert!(certificates.known_keys);
        let leaf = &certificates.deployments[0].leaf;
        assert_eq!((&leaf.known_key, &leaf.roca), (&Fact::Known(known), &Fact::Known(false)));
        assert!(leaf.exponent_sound && leaf.serial_bytes >= 8 && leaf.basic_constraints);
    }
    let seen = crate::support::tls::look(loopback(port));
    let certificates: Certificates = seen.read("tls.certificates");
    assert!(certificates.deployments[0].leaf.known_key.known().is_none());
    let transparency: Transparency = seen.read("tls.ct");
    assert!(!transparency.looked);
    assert!(transparency.deployments[0].satisfied.reason().unwrap().starts_with("log_list_absent"));
    assert_eq!(transparency.deployments[0].public, Fact::Known(false));
}

#[test]
fn a_quick_look_leaves_the_shapes_out_and_says_so() {
    let scratch = Scratch::new("shape-quick");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let seen = crate::support::tls::look(loopback(port));
    for kind in ["tls.signatures", "tls.names", "tls.alpn", "tls.intolerance"] {
        let observation = seen.of(kind);
        assert_eq!(observation.status, ObservationStatus::Failed);
        assert_eq!(observation.trouble.as_ref().unwrap().reason, Reason::Unsupported);
    }
}

/// A relay before a server that drops what it does not like.
fn picky(port: u16, dislikes: impl Fn(&[u8]) -> bool + Send + Sync + 'static) -> SocketAddr {
    use std::io::{Read as _, Write as _};
    scripted(move |mut client| {
        let mut hello = vec![0; 20_000];
        let mut length = 0;
        while length < 5 || length < 5 + usize::from(u16::from_be_bytes([hello[3], hello[4]])) && hello[0] == 22 {
            match client.read(&mut hello[length..]) {
                Ok(count @ 1..) => length += count,
                _ => return,
            }
            if hello[0] != 22 {
                break;
            }
        }
        hello.truncate(length);
        if dislikes(&hello) {
            return;
        }
        let Ok(mut server) = std::net::TcpStream::connect(loopback(port)) else { return };
        if server.write_all(&hello).is_err() {
            return;
        }
        let (mut back, mut forth) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let up = std::thread::spawn(move || {
            let _ = std::io::copy(&mut client, &mut forth);
            let _ = forth.shutdown(std::net::Shutdown::Write);
        });
        let _ = std::io::copy(&mut server, &mut back);
        let _ = back.shutdown(std::net::Shutdown::Both);
        let _ = up.join();
    })
}

fn test_of(seen: &Seen, name: &str) -> Fact<bool> {
    let intolerance: Intolerance = seen.read("tls.intolerance");
    let found = intolerance.tests.iter().find(|test| test.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {:?}", seen.of("tls.protocols").transcript)).tolerated.clone()
}

#[test]
fn what_is_not_borne_is_told_apart() {
    let scratch = Scratch::new("shape-picky");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    // The length of the record stands in bytes 3 and 4.
    let unlucky = |hello: &[u8]| hello[0] == 22 && (256..=511).contains(&u16::from_be_bytes([hello[3], hello[4]]));
    let seen = look(picky(port, unlucky));
    assert_eq!(test_of(&seen, "long-hello-400"), Fact::Known(false));
    for borne in ["long-hello-255", "long-hello-16000", "grease", "version-1.4", "empty-last-extension"] {
        assert_eq!(test_of(&seen, borne), Fact::Known(true), "{borne}");
    }
    // client_version stands in bytes 9 and 10.
    let seen = look(picky(port, |hello: &[u8]| hello[0] == 22 && u16::from_be_bytes([hello[9], hello[10]]) > 0x0303));
    for version in ["version-1.3", "version-1.4", "version-1.152", "version-2.152"] {
        assert_eq!(test_of(&seen, version), Fact::Known(false), "{version}");
    }
    assert_eq!(test_of(&seen, "supported-versions"), Fact::Known(true));
    // One of three novelties that share a hello.
    let seen = look(picky(port, |hello: &[u8]| hello.windows(2).any(|pair| pair == [0xDA, 0xDA])));
    assert_eq!(test_of(&seen, "grease"), Fact::Known(false));
    assert_eq!(test_of(&seen, "supported-versions"), Fact::Known(true));
    assert_eq!(test_of(&seen, "empty-last-extension"), Fact::Known(true));
}
