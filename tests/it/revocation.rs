//! Revocation: real responders and lists, staples, and what is no answer.

use crate::support::authority::{Authority, Page, Signer};
use crate::support::tls::{enumeration, look_with, loopback, openssl, scripted, target};
use crate::support::{Scratch, Server, free_port, probity, program};
use probity::model::revocation::{CertificateStatus, Revocation};
use probity::model::target::Profile;
use probity::model::tls::Certificates;
use probity::model::{FixedClock, Target};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// An `openssl s_server` with this certificate; `more` are further arguments.
fn server(pair: &(PathBuf, PathBuf), more: &[&str]) -> (Server, u16) {
    let port = free_port();
    let mut command = Command::new(program("openssl").unwrap());
    command.args(["s_server", "-quiet", "-tls1_2", "-accept", &format!("127.0.0.1:{port}"), "-key"]);
    command.arg(&pair.0).arg("-cert").arg(&pair.1).args(more);
    (Server::start(&mut command, port), port)
}

fn asking(port: u16, anchor: PathBuf) -> Target {
    let mut target = target(loopback(port));
    target.connection.ca_files = vec![anchor];
    target.connection.revocation = true;
    target.connection.responders = vec!["127.0.0.1".to_owned()];
    target
}

fn read(target: Target, port: u16) -> Revocation {
    look_with(target, loopback(port), &enumeration()).read("tls.revocation")
}

/// What is said of the leaf of a server with this certificate.
fn leaf(pair: &(PathBuf, PathBuf), authority: &Authority<'_>) -> CertificateStatus {
    let (_server, port) = server(pair, &[]);
    let seen = read(asking(port, authority.pem()), port);
    assert_eq!(seen.certificates.len(), 1, "{seen:?}");
    assert!(seen.asked);
    seen.certificates.into_iter().next().unwrap()
}

fn unknown(row: &CertificateStatus) -> &str {
    assert_eq!((row.source.as_str(), row.reason.as_str(), row.revoked_at.as_str()), ("", "", ""));
    row.status.reason().unwrap_or_else(|| panic!("{row:?}"))
}

#[test]
fn a_responder_says_good_revoked_or_that_it_does_not_know() {
    let scratch = Scratch::new("revocation-ocsp");
    let Some(authority) = Authority::new(&scratch) else { return };
    let port = free_port();
    let address = format!("http://127.0.0.1:{port}/");
    let pairs = [11, 12, 13].map(|serial| authority.leaf(serial, Some(&address), None));
    let responder = authority.responder(port, Signer::Authority, &[11], &[(12, "keyCompromise")]);
    let good = leaf(&pairs[0], &authority);
    assert_eq!((good.status.known().map(String::as_str), good.source.as_str()), (Some("good"), "ocsp"));
    assert_eq!(
        (good.answers.len(), good.answers[0].signer.as_str(), &good.answers[0].address),
        (1, "issuer", &address)
    );
    assert!(!good.answers[0].this_update.is_empty() && !good.answers[0].next_update.is_empty());
    let revoked = leaf(&pairs[1], &authority);
    assert_eq!(revoked.status.known().map(String::as_str), Some("revoked"));
    assert_eq!((revoked.reason.as_str(), revoked.revoked_at.as_str()), ("keyCompromise", "2026-01-01T00:00:00Z"));
    assert!(unknown(&leaf(&pairs[2], &authority)).contains("does not know the certificate"));
    // The answer is good for a day: two days later it says nothing.
    let (_server, at) = server(&pairs[0], &[]);
    let later = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48);
    let cx = probity::collect::CollectContext { clock: Arc::new(FixedClock(later)), ..enumeration() };
    let seen: Revocation = look_with(asking(at, authority.pem()), loopback(at), &cx).read("tls.revocation");
    assert!(unknown(&seen.certificates[0]).contains("out of date"));
    drop(responder);
    assert!(unknown(&leaf(&pairs[0], &authority)).contains("(refused)"));
}

#[test]
fn a_responder_may_be_named_by_the_issuer_for_this_purpose_alone() {
    let scratch = Scratch::new("revocation-delegate");
    let Some(authority) = Authority::new(&scratch) else { return };
    let ports = [free_port(), free_port()];
    let pairs = [(21, ports[0]), (22, ports[1])]
        .map(|(serial, port)| authority.leaf(serial, Some(&format!("http://127.0.0.1:{port}/")), None));
    let _delegate = authority.responder(ports[0], Signer::Delegate, &[21, 22], &[]);
    let _nobody = authority.responder(ports[1], Signer::Nobody, &[21, 22], &[]);
    let good = leaf(&pairs[0], &authority);
    assert_eq!(good.status.known().map(String::as_str), Some("good"), "{good:?}");
    assert_eq!(good.answers[0].signer, "delegate");
    assert!(unknown(&leaf(&pairs[1], &authority)).contains("signed neither by"));
}

#[test]
fn what_is_no_answer_says_nothing() {
    let scratch = Scratch::new("revocation-none");
    let Some(authority) = Authority::new(&scratch) else { return };
    let pages = [
        (Page::of(b"not an answer".to_vec()), "not an OCSP response"),
        (Page::of(vec![0x30; 70_000]), "longer than 64 KiB"),
        (Page::new("HTTP/1.1 404 Not Found", Vec::new()), "HTTP status 404"),
        (Page::new("HTTP/1.1 302 Found\r\nlocation: /again", Vec::new()), "more than 3 redirects"),
        (Page::new("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.2/", Vec::new()), "not a public one"),
        // tryLater
        (Page::of(vec![0x30, 3, 0x0A, 1, 3]), "the responder gives no answer"),
    ];
    for (n, (page, expected)) in pages.iter().enumerate() {
        let pair = authority.leaf(31 + u32::try_from(n).unwrap(), Some(&page.url()), None);
        let row = leaf(&pair, &authority);
        assert!(unknown(&row).contains(expected), "{expected}: {row:?}");
        assert!(page.asked() > 0);
    }
    for (address, expected) in [("https://127.0.0.1/", "plain HTTP"), ("ldap://127.0.0.1/x", "plain HTTP")] {
        let pair = authority.leaf(41, Some(address), None);
        assert!(unknown(&leaf(&pair, &authority)).contains(expected), "{address}");
    }
}

#[test]
fn a_responder_that_is_silent_is_not_waited_for_for_ever() {
    let scratch = Scratch::new("revocation-silent");
    let Some(authority) = Authority::new(&scratch) else { return };
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let pair = authority.leaf(51, Some(&format!("http://{}/", silent.local_addr().unwrap())), None);
    assert!(unknown(&leaf(&pair, &authority)).contains("no answer within 10 s (timed-out)"));
}

#[test]
fn lists_are_read_where_they_are_whole_current_and_for_the_certificate() {
    let scratch = Scratch::new("revocation-list");
    let Some(authority) = Authority::new(&scratch) else { return };
    let (serial, port) = (61, free_port());
    let address = format!("http://127.0.0.1:{port}/");
    let pair = authority.leaf(serial, None, Some(&address));
    let own = format!("issuingDistributionPoint=critical,@point\n[point]\nfullname=URI:{address}\n");
    let other = "issuingDistributionPoint=critical,@point\n[point]\nfullname=URI:http://elsewhere.example/\n";
    let others = "issuingDistributionPoint=critical,@point\n[point]\nonlyCA=TRUE\n";
    let lists = [
        (authority.list(&[], ""), Ok("good")),
        (authority.list(&[(serial, "superseded"), (62, "keyCompromise")], ""), Ok("revoked")),
        (authority.list(&[(62, "keyCompromise")], &own), Ok("good")),
        (authority.list(&[], other), Err("does not name")),
        (authority.list(&[], others), Err("of another kind")),
        (b"-----BEGIN".to_vec(), Err("not a revocation list")),
    ];
    let (_server, at) = server(&pair, &[]);
    let der = probity_der(&pair.1);
    let anchors = probity::collect::tls::certificate::Anchors::new(&[authority.pem()]).unwrap();
    let now = jiff::Timestamp::now();
    let questioned = probity::collect::tls::certificate::questioned(&[der], &anchors, now);
    for (list, expected) in &lists {
        let said = questioned[0].by_list(list, now);
        match expected {
            Ok(word) => assert_eq!(said.row.status.known().map(String::as_str), Some(*word)),
            Err(why) => assert!(said.row.status.reason().unwrap().contains(why), "{:?}", said.row),
        }
    }
    let later = now + jiff::SignedDuration::from_hours(48);
    assert!(questioned[0].by_list(&lists[0].0, later).row.status.reason().unwrap().contains("out of date"));
    let page = Page::at(port, "HTTP/1.1 200 OK", lists[1].0.clone());
    let seen = read(asking(at, authority.pem()), at);
    let row = &seen.certificates[0];
    assert_eq!((row.status.known().map(String::as_str), row.source.as_str()), (Some("revoked"), "crl"));
    assert_eq!((row.reason.as_str(), page.asked()), ("superseded", 1));
    assert_eq!(seen.revoked, std::slice::from_ref(&row.deployment));
}

fn probity_der(pem: &Path) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    rustls::pki_types::CertificateDer::from_pem_file(pem).unwrap().to_vec()
}

#[test]
fn a_list_that_another_key_signed_says_nothing() {
    let scratch = Scratch::new("revocation-other");
    let Some(authority) = Authority::new(&scratch) else { return };
    let pair = authority.leaf(71, None, Some("http://127.0.0.1/"));
    // Another root of the same name.
    let elsewhere = Scratch::new("revocation-other-root");
    let other = Authority::new(&elsewhere).unwrap();
    let anchors = probity::collect::tls::certificate::Anchors::new(&[authority.pem()]).unwrap();
    let now = jiff::Timestamp::now();
    let questioned = probity::collect::tls::certificate::questioned(&[probity_der(&pair.1)], &anchors, now);
    let said = questioned[0].by_list(&other.list(&[], ""), now);
    assert!(said.row.status.reason().unwrap().contains("not signed by the issuer"), "{:?}", said.row);
    let mut cut = authority.list(&[], "");
    assert_eq!(questioned[0].by_list(&cut, now).row.status.known().map(String::as_str), Some("good"));
    cut.truncate(cut.len() - 1);
    assert!(questioned[0].by_list(&cut, now).row.status.reason().is_some());
}

#[test]
fn an_intermediate_that_is_revoked_is_seen_and_counts() {
    let scratch = Scratch::new("revocation-chain");
    let Some(root) = Authority::new(&scratch) else { return };
    let port = free_port();
    let address = format!("http://127.0.0.1:{port}/");
    let below = root.below("middle", 81, &address);
    let page = Page::at(port, "HTTP/1.1 200 OK", root.list(&[(81, "cACompromise")], ""));
    let pair = below.leaf(82, None, None);
    let chain = below.pem();
    let (_server, at) = server(&pair, &["-cert_chain", chain.to_str().unwrap()]);
    let seen = read(asking(at, root.pem()), at);
    assert_eq!((seen.certificates.len(), page.asked()), (2, 1), "{seen:?}");
    assert!(unknown(&seen.certificates[0]).contains("neither a responder nor a list"));
    let middle = &seen.certificates[1];
    assert_eq!((middle.place, middle.status.known().map(String::as_str)), (1, Some("revoked")));
    assert_eq!(seen.revoked.len(), 1);
    // The whole command: the check fails and the grade is T.
    let configuration = format!(
        "targets:\n  - {{ id: shop, kind: endpoint, address: \"127.0.0.1:{at}\", server_name: shop.example, \
         profile: quick, intrusive: false, tls: {{ ca: {}, revocation: true, responders: [127.0.0.1] }} }}\n",
        root.pem().display()
    );
    let file = scratch.write("probity.yaml", configuration);
    let output = probity().args(["scan", "-q", "-o", "json", "-c"]).arg(file).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = report["results"].as_array().unwrap();
    let failed: Vec<_> = results
        .iter()
        .filter(|result| result["check"] == "tls.certificate.revocation" && result["status"] == "fail")
        .collect();
    assert_eq!(failed.len(), 1, "{output:?}");
    let grade = report["observations"].as_array().unwrap().iter().find(|one| one["kind"] == "tls.grade").unwrap();
    assert_eq!(grade["data"]["letter"], "T");
    let codes: Vec<_> = grade["data"]["trust"].as_array().unwrap().iter().map(|note| note["code"].clone()).collect();
    assert!(codes.contains(&"T_REVOKED".into()), "{codes:?}");
}

#[test]
fn nobody_is_asked_unless_it_is_wished_and_no_private_host_unless_it_is_named() {
    let scratch = Scratch::new("revocation-off");
    let Some(authority) = Authority::new(&scratch) else { return };
    let page = Page::of(Vec::new());
    let pair = authority.leaf(91, Some(&page.url()), Some(&page.url()));
    let (_server, port) = server(&pair, &[]);
    let mut quiet = asking(port, authority.pem());
    quiet.connection.revocation = false;
    let seen = read(quiet, port);
    assert!(!seen.asked && !seen.certificates[0].looked);
    assert!(unknown(&seen.certificates[0]).contains("--revocation"));
    let mut narrow = asking(port, authority.pem());
    narrow.connection.responders = vec!["127.0.0.1:1".to_owned()];
    let seen = read(narrow, port);
    assert!(unknown(&seen.certificates[0]).contains("not a public one"));
    assert_eq!(seen.certificates[0].answers.len(), 2);
    assert_eq!(page.asked(), 0);
}

/// Stands before two servers, of which the second is asked from the third second on.
fn changing(first: u16, second: u16) -> std::net::SocketAddr {
    let begin = std::time::Instant::now();
    scripted(move |mut client| {
        let port = if begin.elapsed().as_secs() < 3 { first } else { second };
        let Ok(mut server) = std::net::TcpStream::connect(loopback(port)) else { return };
        let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let answering = std::thread::spawn(move || {
            let _ = std::io::copy(&mut back, &mut to);
            let _ = to.shutdown(std::net::Shutdown::Both);
        });
        let _ = std::io::copy(&mut client, &mut server);
        let _ = server.shutdown(std::net::Shutdown::Write);
        let _ = answering.join();
    })
}

#[test]
fn a_staple_that_comes_later_is_waited_for() {
    let scratch = Scratch::new("revocation-later");
    let Some(authority) = Authority::new(&scratch) else { return };
    for (serial, version) in [(97, "-tls1_2"), (98, "-tls1_3")] {
        let pair = authority.leaf(serial, Some("http://127.0.0.1:1/"), None);
        let response = authority.response(&pair.1, &[serial], &[]);
        let (key, pem) = (pair.0.to_str().unwrap(), pair.1.to_str().unwrap());
        let arguments = |port: u16| {
            let mut command = Command::new("openssl");
            command.args(["s_server", "-www", "-quiet", version, "-accept", &format!("127.0.0.1:{port}")]);
            command.args(["-key", key, "-cert", pem]);
            command
        };
        let (first, second) = (free_port(), free_port());
        let _first = Server::start(&mut arguments(first), first);
        let _second = Server::start(arguments(second).arg("-status_file").arg(&response), second);
        let at = changing(first, second);
        let mut quiet = asking(at.port(), authority.pem());
        quiet.connection.revocation = false;
        let mut cx = enumeration();
        cx.limits.depth.profile = Profile::Full;
        let seen: Revocation = look_with(quiet, at, &cx).read("tls.revocation");
        let row = &seen.certificates[0];
        assert_eq!(
            (row.status.known().map(String::as_str), row.source.as_str()),
            (Some("good"), "staple"),
            "{version}"
        );
    }
}

#[test]
fn a_staple_is_read_without_asking_anybody() {
    let scratch = Scratch::new("revocation-staple");
    let Some(authority) = Authority::new(&scratch) else { return };
    let port = free_port();
    let address = format!("http://127.0.0.1:{port}/");
    for (serial, expected) in [(95, "good"), (96, "revoked")] {
        let pair = authority.leaf(serial, Some(&address), None);
        let response = authority.response(&pair.1, &[95], &[(96, "superseded")]);
        let (_server, at) = server(&pair, &["-status_file", response.to_str().unwrap()]);
        let mut quiet = asking(at, authority.pem());
        quiet.connection.revocation = false;
        let seen = read(quiet, at);
        let row = &seen.certificates[0];
        assert!(!seen.asked && row.looked);
        assert_eq!(
            (row.status.known().map(String::as_str), row.source.as_str()),
            (Some(expected), "staple"),
            "{row:?}"
        );
    }
}

#[test]
fn an_issuer_that_was_not_sent_is_fetched_where_that_is_wished() {
    let scratch = Scratch::new("revocation-issuer");
    let Some(root) = Authority::new(&scratch) else { return };
    let middle = root.below("middle", 71, "http://127.0.0.1:1/");
    let der = scratch.path().join("middle.der");
    openssl(&["x509", "-in", middle.pem().to_str().unwrap(), "-outform", "DER", "-out", der.to_str().unwrap()]);
    let der = std::fs::read(der).unwrap();
    let leaf = |serial: u32, address: &str| {
        let lines = format!("subjectAltName=DNS:shop.example\nauthorityInfoAccess=caIssuers;URI:{address}\n");
        middle.issue(&format!("leaf{serial}"), serial, &lines)
    };
    let deployment = |pair: &(PathBuf, PathBuf), ask: bool| {
        let (_server, port) = server(pair, &[]);
        let mut target = asking(port, root.pem());
        target.connection.revocation = ask;
        let seen = look_with(target, loopback(port), &enumeration());
        let certificates: Certificates = seen.of("tls.certificates").read().unwrap();
        let deployment = certificates.deployments.into_iter().next().unwrap();
        (deployment.trust.known().cloned(), deployment.trust_detail)
    };
    let page = Page::of(der);
    let good = leaf(72, &page.url());
    let (trust, detail) = deployment(&good, true);
    assert_eq!((trust.as_deref(), detail.as_str(), page.asked()), (Some("incomplete"), "not sent: CN=middle", 1));
    // Without the wish nobody is asked, and nothing shows that the chain would lead anywhere.
    let (trust, detail) = deployment(&good, false);
    assert_eq!((trust.as_deref(), page.asked()), (Some("untrusted"), 1));
    assert!(detail.contains("CN=middle was not sent") && detail.contains("--revocation"), "{detail}");
    // What is no certificate, somebody else's, or not there, completes nothing.
    let stranger = std::fs::read(leaf(73, "http://127.0.0.1:1/").1).unwrap();
    let pages = [Page::of(stranger), Page::of(vec![0x30; 70_000]), Page::new("HTTP/1.1 404 Not Found", Vec::new())];
    for (n, page) in pages.iter().enumerate() {
        let pair = leaf(74 + u32::try_from(n).unwrap(), &page.url());
        assert_eq!(deployment(&pair, true).0.as_deref(), Some("untrusted"));
        assert_eq!(page.asked(), 1);
    }
}
