//! The kinds of certificate keys of TLS 1.3: each one is found, and none is taken for absent on silence alone.

use crate::support::Scratch;
use crate::support::tls::{Seen, look, nginx, pair, s_server, scripted};
use probity::model::ObservationStatus;
use probity::model::tls::Certificates;
use probity::wire::ClientHello;
use probity::wire::record::{Event, RecordReader};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

const SUPPORTED_VERSIONS: u16 = 43;
const SIGNATURE_ALGORITHMS: u16 = 13;

fn with_certificates(scratch: &Scratch, kinds: &[&str]) -> Option<(crate::support::Server, u16)> {
    let lines: Vec<String> = kinds
        .iter()
        .map(|kind| {
            let (key, pem) = pair(scratch, kind);
            format!("ssl_certificate {}; ssl_certificate_key {};", pem.display(), key.display())
        })
        .collect();
    nginx(scratch, &format!("ssl_protocols TLSv1.2 TLSv1.3; {}", lines.join(" ")))
}

fn kinds(seen: &Seen) -> Vec<String> {
    let certificates: Certificates = seen.of("tls.certificates").read().unwrap();
    let mut kinds: Vec<String> = certificates.deployments.iter().map(|one| one.leaf.key_type.clone()).collect();
    kinds.sort();
    kinds
}

#[test]
fn a_server_with_four_kinds_of_certificates_shows_all() {
    let scratch = Scratch::new("kinds-four");
    let Some((_server, port)) = with_certificates(&scratch, &["ecdsa", "ed25519", "rsa-pss"]) else { return };
    let seen = look(crate::support::tls::loopback(port));
    assert_eq!(seen.of("tls.certificates").status, ObservationStatus::Complete, "{:?}", seen.of("tls.certificates"));
    assert_eq!(kinds(&seen), ["EC", "Ed25519", "RSA", "RSA"]);
}

#[test]
fn a_certificate_whose_proof_cannot_be_verified_is_not_taken_for_absent() {
    let scratch = Scratch::new("kinds-ed448");
    let Some((_server, port)) = with_certificates(&scratch, &["ed448"]) else { return };
    let seen = look(crate::support::tls::loopback(port));
    assert_eq!(seen.of("tls.certificates").status, ObservationStatus::Partial);
    assert!(kinds(&seen).contains(&"RSA".to_owned()));
}

/// Stands before a server and hangs up on hellos that cannot be answered with RSA. Once it has done so twice, it may
/// hang up on the hello of TLS 1.2 and 1.3 together, too, which is the control probe.
fn closing(upstream: u16, dies: bool) -> SocketAddr {
    let hung_up = AtomicUsize::new(0);
    scripted(move |mut client| {
        let mut bytes = Vec::new();
        let Some(hello) = read_hello(&mut client, &mut bytes) else { return };
        let extension = |kind: u16| {
            let found = hello.extensions.iter().flatten().find(|extension| extension.kind == kind);
            found.map(|extension| extension.body.clone()).unwrap_or_default()
        };
        let has = |data: &[u8], id: [u8; 2]| data.windows(2).any(|pair| pair == id);
        let versions = extension(SUPPORTED_VERSIONS);
        let schemes = extension(SIGNATURE_ALGORITHMS);
        if has(&versions, [3, 4]) && !has(&schemes, [8, 4]) {
            hung_up.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if dies && hung_up.load(Ordering::SeqCst) > 1 && has(&versions, [3, 4]) && has(&versions, [3, 3]) {
            return;
        }
        let Ok(mut server) = TcpStream::connect(crate::support::tls::loopback(upstream)) else { return };
        server.write_all(&bytes).unwrap();
        let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let answering = std::thread::spawn(move || {
            let _ = std::io::copy(&mut back, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let _ = std::io::copy(&mut client, &mut server);
        let _ = server.shutdown(Shutdown::Write);
        let _ = answering.join();
    })
}

fn read_hello(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<ClientHello> {
    let mut reader = RecordReader::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        bytes.extend(&buffer[..count]);
        reader.push(&buffer[..count]).ok()?;
        if let Some(Event::Message(1, body)) = reader.event().ok()? {
            return ClientHello::parse(&body).ok();
        }
    }
}

#[test]
fn hanging_up_twice_means_absent_only_while_the_target_answers() {
    let scratch = Scratch::new("kinds-closing");
    let Some((_server, port)) = s_server(&scratch, "rsa", &[]) else { return };
    let alive = look(closing(port, false));
    let certificates = alive.of("tls.certificates");
    assert_eq!(certificates.status, ObservationStatus::Complete, "{:?}", certificates.trouble);
    assert_eq!(kinds(&alive), ["RSA"]);

    let dead = look(closing(port, true));
    let certificates = dead.of("tls.certificates");
    assert_eq!(certificates.status, ObservationStatus::Partial);
    let trouble = certificates.trouble.as_ref().unwrap();
    assert!(trouble.detail.contains("control probe"), "{trouble}");
    assert_eq!(kinds(&dead), ["RSA"]);
}
