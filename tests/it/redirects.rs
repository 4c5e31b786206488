//! Redirects without end, with heads and bodies without end: bounded in time and memory, and never a pass.

use crate::support::Scratch;
use crate::support::scan::{MEMORY, scan};
use crate::support::tls::scripted;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What a server does with one request; the text is its head.
type Answer = fn(&str, &mut dyn Write) -> std::io::Result<()>;

/// The head of a request.
fn request(stream: &mut impl Read) -> Option<String> {
    let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
    while !head.ends_with(b"\r\n\r\n") {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0 && head.len() < 1 << 16)?;
        head.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(head).ok()
}

fn serve(mut stream: impl Read + Write, answer: Answer) {
    while let Some(head) = request(&mut stream) {
        if answer(&head, &mut stream).and_then(|()| stream.flush()).is_err() {
            return;
        }
    }
}

/// The same server in clear and over TLS, with HTTP/1.1 alone.
fn servers(answer: Answer) -> (SocketAddr, SocketAddr) {
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(versions.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap());
    let secure = scripted(move |stream| {
        let Ok(connection) = ServerConnection::new(Arc::clone(&config)) else { return };
        serve(StreamOwned::new(connection, stream), answer);
    });
    (secure, scripted(move |stream| serve(stream, answer)))
}

/// Another path each time, so that no client takes it for a loop.
fn further(head: &str) -> String {
    let number = head.split(['/', ' ']).find_map(|word| word.parse::<u32>().ok()).unwrap_or_default();
    format!("/{}", number + 1)
}

fn endless_fields(head: &str, out: &mut dyn Write) -> std::io::Result<()> {
    write!(out, "HTTP/1.1 302 Found\r\nLocation: {}\r\n", further(head))?;
    loop {
        write!(out, "X-Again: {}\r\n", "a".repeat(1000))?;
    }
}

fn endless_location(_: &str, out: &mut dyn Write) -> std::io::Result<()> {
    out.write_all(b"HTTP/1.1 302 Found\r\nLocation: /")?;
    loop {
        out.write_all(&[b'a'; 4096])?;
    }
}

fn endless_body(head: &str, out: &mut dyn Write) -> std::io::Result<()> {
    write!(out, "HTTP/1.1 302 Found\r\nLocation: {}\r\n\r\n", further(head))?;
    loop {
        out.write_all(&[b'a'; 16 * 1024])?;
    }
}

fn endless_notices(_: &str, out: &mut dyn Write) -> std::io::Result<()> {
    loop {
        out.write_all(&b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(50))?;
    }
}

/// Each answer is within what a client reads of one, and there is always another.
fn endless_way(head: &str, out: &mut dyn Write) -> std::io::Result<()> {
    write!(out, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: {}\r\n", further(head))?;
    for n in 0..90 {
        write!(out, "X-Large-{n}: ")?;
        out.write_all(&[0xFF; 4000])?;
        out.write_all(b"\r\n")?;
    }
    out.write_all(b"\r\n")
}

#[test]
fn an_endless_redirect_is_bounded_and_no_pass() {
    let scratch = Scratch::new("redirects");
    let all: [(&str, Answer); 5] = [
        ("fields", endless_fields),
        ("location", endless_location),
        ("body", endless_body),
        ("notices", endless_notices),
        ("way", endless_way),
    ];
    for (name, answer) in all {
        let (secure, plain) = servers(answer);
        // Two targets, so that what is kept of each is noticed.
        let mut configuration = "targets:\n".to_owned();
        for id in ["shop", "other"] {
            let (port, plain) = (secure.port(), plain.port());
            configuration
                .push_str(&format!("  - {{ id: {id}, kind: endpoint, address: 'localhost:{port}', http: {plain} }}\n"));
        }
        let ran = scan(&scratch, &configuration, None);
        assert!(ran.time < Duration::from_secs(45), "{name}: {:?}", ran.time);
        assert!(ran.memory < MEMORY, "{name}: {} KiB", ran.memory);
        let tls = ran.statuses("shop");
        assert!(
            tls.iter().any(|(check, status)| check == "tls.protocols.modern" && status == "pass"),
            "{name}: {tls:?}"
        );
        let http: Vec<_> = ran.statuses("shop").into_iter().filter(|(check, _)| check.starts_with("http.")).collect();
        assert!(http.len() >= 5, "{name}: {http:?}");
        // No list of preloaded hosts was given, and what does not lead to TLS has no form.
        let without = ["http.hsts.preloaded", "http.https_redirect.form"];
        let open = |(check, status): &(String, String)| {
            status != "pass" && (status != "not-applicable" || without.contains(&check.as_str()))
        };
        assert!(http.iter().all(open), "{name}: {http:?}");
        let seen = ran.report["observations"].as_array().unwrap();
        let headers = seen.iter().find(|seen| seen["kind"] == "http.headers" && seen["target"] == "shop").unwrap();
        let reason = headers["trouble"]["reason"].as_str().unwrap();
        assert!(["too-large", "timed-out", "protocol-violation"].contains(&reason), "{name}: {headers}");
    }
}
