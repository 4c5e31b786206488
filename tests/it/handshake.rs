//! Handshakes with servers in this process and with `openssl s_server`.

#![expect(clippy::unwrap_used, reason = "what a test sets up must succeed")]

use crate::support::desk::{Desk, EC, HOST, RSA};
use crate::support::{Server, free_port};
use probity::collect::tls::handshake::{Ask, Seen, Versions, look};
use probity::collect::tls::key_kind::{KeyKind, schemes_of};
use probity::model::{Reason, Trouble};
use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn identity(algorithm: &'static SignatureAlgorithm) -> CertifiedKey {
    let key = KeyPair::generate_for(algorithm).unwrap();
    let leaf = CertificateParams::new([HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    CertifiedKey::new(vec![leaf.der().clone()], provider().key_provider.load_private_key(key).unwrap())
}

/// Chooses the first identity whose key the client can verify with, and notes the name asked for.
#[derive(Debug)]
struct Choice {
    identities: Vec<Arc<CertifiedKey>>,
    names: Mutex<Vec<Option<String>>>,
}

impl Choice {
    fn of(identities: Vec<CertifiedKey>) -> Arc<Choice> {
        Arc::new(Choice { identities: identities.into_iter().map(Arc::new).collect(), names: Mutex::default() })
    }
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.names.lock().unwrap().push(hello.server_name().map(str::to_owned));
        let fits = |identity: &&Arc<CertifiedKey>| identity.key.choose_scheme(hello.signature_schemes()).is_some();
        self.identities.iter().find(fits).cloned()
    }
}

fn config(choice: Arc<Choice>, versions: &[&'static rustls::SupportedProtocolVersion]) -> ServerConfig {
    ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(choice)
}

fn ask(versions: Versions, kinds: &[KeyKind]) -> Ask {
    Ask { server_name: HOST.to_owned(), versions, schemes: schemes_of(kinds), alpn: Vec::new(), groups: Vec::new() }
}

/// Asks a server in this process.
fn meet(config: ServerConfig, ask: &Ask) -> Result<Seen, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let serving = tokio::spawn(async move { drop(acceptor.accept(theirs).await) });
        let seen = look(Box::new(ours), ask, Duration::from_secs(10)).await;
        serving.abort();
        seen
    })
}

/// Meets a peer that answers the hello with these bytes, and then goes away or stays silent.
fn meet_bytes(answer: &'static [u8], stays: bool) -> Trouble {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let serving = tokio::spawn(async move {
            let _ = theirs.read(&mut [0; 4096]).await;
            let _ = theirs.write_all(answer).await;
            if stays {
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
        });
        let ask = ask(Versions::Both, &KeyKind::ALL);
        let trouble = look(Box::new(ours), &ask, Duration::from_millis(500)).await.unwrap_err();
        serving.abort();
        trouble
    })
}

const TLS12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
const TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

#[test]
fn each_kind_of_key_shows_its_certificate() {
    let choice = Choice::of(vec![identity(&rcgen::PKCS_ECDSA_P256_SHA256), identity(&rcgen::PKCS_RSA_SHA256)]);
    for versions in [TLS12, TLS13] {
        let [version, protocol] = if versions == TLS12 { ["12", "TLSv1.2"] } else { ["13", "TLSv1.3"] };
        let asked = if version == "12" { Versions::Tls12 } else { Versions::Tls13 };
        let seen = |kind| meet(config(Arc::clone(&choice), versions), &ask(asked, &[kind]));
        for (kind, identity) in [(KeyKind::Ecdsa, 0), (KeyKind::Rsa, 1)] {
            let seen = seen(kind).unwrap();
            assert_eq!(seen.scheme.and_then(KeyKind::of), Some(kind));
            assert_eq!(seen.chain, [choice.identities[identity].cert[0].to_vec()]);
            assert_eq!((seen.protocol.as_str(), seen.alpn, seen.staple), (protocol, None, None));
            assert!(seen.group.is_some() && seen.suite != 0);
        }
        assert_eq!(seen(KeyKind::Ed25519).unwrap_err().reason, Reason::HandshakeRejected);
    }
    assert!(choice.names.lock().unwrap().iter().all(|name| name.as_deref() == Some(HOST)));
}

#[test]
fn ed25519_is_met() {
    let choice = Choice::of(vec![identity(&rcgen::PKCS_ED25519)]);
    let seen = meet(config(choice, TLS13), &ask(Versions::Both, &[KeyKind::Ed25519])).unwrap();
    assert_eq!(seen.protocol, "TLSv1.3");
}

#[test]
fn an_address_is_not_sent_as_a_name() {
    let choice = Choice::of(vec![identity(&rcgen::PKCS_ECDSA_P256_SHA256)]);
    for address in ["127.0.0.1", "::1", "[::1]"] {
        let ask = Ask { server_name: address.to_owned(), ..ask(Versions::Both, &KeyKind::ALL) };
        meet(config(Arc::clone(&choice), TLS13), &ask).unwrap();
    }
    assert_eq!(*choice.names.lock().unwrap(), [None, None, None]);
}

#[test]
fn staple_and_application_protocol_are_seen() {
    let mut identity = identity(&rcgen::PKCS_ECDSA_P256_SHA256);
    identity.ocsp = Some(b"a staple".to_vec());
    let choice = Choice::of(vec![identity]);
    for (versions, asked) in [(TLS12, Versions::Tls12), (TLS13, Versions::Both)] {
        let mut config = config(Arc::clone(&choice), versions);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let with = |alpn: &[&str]| Ask {
            alpn: alpn.iter().map(|name| (*name).to_owned()).collect(),
            ..ask(asked, &KeyKind::ALL)
        };
        let seen = meet(config.clone(), &with(&["http/1.1", "h2"])).unwrap();
        assert_eq!((seen.alpn.as_deref(), seen.staple.as_deref()), (Some("h2"), Some(&b"a staple"[..])));
        let trouble = meet(config, &with(&["acme"])).unwrap_err();
        assert_eq!(
            (trouble.reason, trouble.detail.as_str()),
            (Reason::HandshakeRejected, "alert no_application_protocol")
        );
    }
}

#[test]
fn a_version_that_is_not_there_is_rejected() {
    let choice = Choice::of(vec![identity(&rcgen::PKCS_ECDSA_P256_SHA256)]);
    for (versions, asked) in [(TLS12, Versions::Tls13), (TLS13, Versions::Tls12)] {
        let trouble = meet(config(Arc::clone(&choice), versions), &ask(asked, &KeyKind::ALL)).unwrap_err();
        assert_eq!((trouble.reason, trouble.detail.as_str()), (Reason::HandshakeRejected, "alert protocol_version"));
    }
}

#[test]
fn a_certificate_without_its_key_is_a_violation() {
    for versions in [TLS12, TLS13] {
        let mut thief = identity(&rcgen::PKCS_ECDSA_P256_SHA256);
        thief.cert = identity(&rcgen::PKCS_ECDSA_P256_SHA256).cert;
        let trouble = meet(config(Choice::of(vec![thief]), versions), &ask(Versions::Both, &KeyKind::ALL)).unwrap_err();
        assert_eq!(trouble.reason, Reason::ProtocolViolation);
        assert!(trouble.detail.contains("not signed by the key"), "{trouble}");
    }
}

#[test]
fn a_server_that_wants_our_certificate_is_seen_all_the_same() {
    let identity = identity(&rcgen::PKCS_ECDSA_P256_SHA256);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(identity.cert[0].clone()).unwrap();
    let choice = Choice::of(vec![identity]);
    for (versions, protocol) in [(TLS12, "TLSv1.2"), (TLS13, "TLSv1.3")] {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots.clone()), provider()).build().unwrap();
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&choice) as Arc<dyn ResolvesServerCert>);
        let seen = meet(config, &ask(Versions::Both, &KeyKind::ALL)).unwrap();
        assert_eq!((seen.protocol.as_str(), seen.chain.len()), (protocol, 1));
    }
}

#[test]
fn troubles_are_told_apart() {
    assert_eq!(meet_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n", true).reason, Reason::ProtocolViolation);
    assert_eq!(meet_bytes(b"", true).reason, Reason::TimedOut);
    assert_eq!(meet_bytes(b"", false).reason, Reason::Refused);
    assert_eq!(meet_bytes(b"\x16\x03\x03\x00", true).reason, Reason::TimedOut);
    let alert = meet_bytes(b"\x15\x03\x03\x00\x02\x02\x28", false);
    assert_eq!((alert.reason, alert.detail.as_str()), (Reason::HandshakeRejected, "alert handshake_failure"));
    let impossible = Ask { server_name: "not a name".to_owned(), ..ask(Versions::Both, &KeyKind::ALL) };
    let choice = Choice::of(vec![identity(&rcgen::PKCS_ECDSA_P256_SHA256)]);
    assert_eq!(meet(config(choice, TLS13), &impossible).unwrap_err().reason, Reason::Unsupported);
}

#[test]
fn a_weak_key_still_proves_itself() {
    let Some(desk) = Desk::new("x509-live") else { return };
    desk.root("ca", RSA, "");
    desk.issue("weak", "ca", "genrsa 1024", "-extfile server.ext -sha1");
    desk.issue("v1", "ca", EC, "");
    for (name, version, asked) in
        [("weak", "-tls1_2", Versions::Tls12), ("weak", "-tls1_3", Versions::Tls13), ("v1", "-tls1_3", Versions::Both)]
    {
        let port = free_port();
        let mut command = Command::new("openssl");
        command.current_dir(desk.path()).args(["s_server", "-quiet", "-cipher", "DEFAULT@SECLEVEL=0", version, "-www"]);
        command.args([
            "-accept",
            &format!("127.0.0.1:{port}"),
            "-cert",
            &format!("{name}.pem"),
            "-key",
            &format!("{name}.key"),
        ]);
        let _server = Server::start(&mut command, port);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seen = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            look(Box::new(stream), &ask(asked, &KeyKind::ALL), Duration::from_secs(10)).await
        });
        assert_eq!(seen.unwrap().chain, [desk.der(name)], "{name} {version}");
    }
}
