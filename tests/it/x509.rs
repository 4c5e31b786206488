//! Certificates and handshakes: weak and odd chains made by `openssl`, its OCSP responses, and servers in this process.

#![expect(clippy::unwrap_used, reason = "what a test sets up must succeed")]

use crate::support::{Scratch, Server, free_port, program};
use probity::collect::tls::certificate::{Anchors, analyse};
use probity::collect::tls::handshake::{Ask, Schemes, Seen, Versions, look};
use probity::model::tls::Deployment;
use probity::model::{Reason, Trouble};
use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const HOST: &str = "www.example.test";

// ---- chains and responses by openssl ----

/// A folder in which `openssl` works.
struct Desk(Scratch);

impl Desk {
    /// Nothing where `openssl` is absent.
    fn new(name: &str) -> Option<Desk> {
        program("openssl")?;
        let desk = Desk(Scratch::new(name));
        desk.0.write("ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n");
        desk.0.write("server.ext", format!("subjectAltName=DNS:{HOST}\nextendedKeyUsage=serverAuth\n"));
        desk.0.write("ocsp.ext", "extendedKeyUsage=OCSPSigning\n");
        desk.0.write("none.ext", "");
        Some(desk)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, command: &str) {
        let output =
            Command::new("openssl").args(command.split_whitespace()).current_dir(self.path()).output().unwrap();
        assert!(output.status.success(), "openssl {command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A key by this command, whose options come before its operand.
    fn key(&self, name: &str, command: &str) {
        let (program, rest) = command.split_once(' ').unwrap();
        self.run(&format!("{program} -out {name}.key {rest}"));
    }

    /// A key and a root.
    fn root(&self, name: &str, key: &str, sign: &str) {
        self.key(name, key);
        self.run(&format!("req -new -x509 -days 30 -key {name}.key -subj /CN={name} -out {name}.pem {sign}"));
    }

    /// A key and a certificate by this issuer.
    fn issue(&self, name: &str, issuer: &str, key: &str, sign: &str) {
        self.key(name, key);
        self.run(&format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr"));
        self.run(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -days 20 -out {name}.pem {sign}"
        ));
    }

    fn der(&self, name: &str) -> Vec<u8> {
        CertificateDer::from_pem_file(self.path().join(format!("{name}.pem"))).unwrap().to_vec()
    }

    fn judge(&self, chain: &[&str], anchor: &str) -> Deployment {
        let chain: Vec<_> = chain.iter().map(|name| self.der(name)).collect();
        let anchors = Anchors::new(&[self.path().join(format!("{anchor}.pem"))]).unwrap();
        analyse(&chain, vec!["TLSv1.2".to_owned()], None, HOST, &anchors, jiff::Timestamp::now())
    }

    /// The staple of this certificate, made by the responder with these options.
    fn staple(&self, leaf: &str, status: &str, id: &str, responder: &str) -> Vec<u8> {
        let serial = Command::new("openssl")
            .args(["x509", "-noout", "-serial", "-in", &format!("{leaf}.pem")])
            .current_dir(self.path())
            .output()
            .unwrap();
        let serial = String::from_utf8(serial.stdout).unwrap().trim().trim_start_matches("serial=").to_owned();
        let revoked = if status == "R" { "250101000000Z,keyCompromise" } else { "" };
        let index = if status.is_empty() {
            String::new()
        } else {
            format!("{status}\t490101000000Z\t{revoked}\t{serial}\tunknown\t/CN={leaf}\n")
        };
        self.0.write("index.txt", index);
        self.run(&format!("ocsp {id} -issuer ca.pem -cert {leaf}.pem -no_nonce -reqout request.der"));
        self.run(&format!("ocsp -index index.txt -CA ca.pem -reqin request.der -respout response.der {responder}"));
        std::fs::read(self.path().join("response.der")).unwrap()
    }

    fn stapled(&self, leaf: &str, staple: &[u8], days: i64) -> String {
        let anchors = Anchors::new(&[self.path().join("ca.pem")]).unwrap();
        let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        let seen = analyse(&[self.der(leaf)], vec![], Some(staple), HOST, &anchors, now);
        seen.staple.known().cloned().unwrap_or_else(|| "?".to_owned())
    }
}

const EC: &str = "ecparam -genkey -noout -name prime256v1";
const RSA: &str = "genrsa 2048";

fn word(deployment: &Deployment) -> &str {
    deployment.trust.known().map_or("unknown", String::as_str)
}

#[test]
fn weak_signatures_and_keys_are_facts_not_distrust() {
    let Some(desk) = Desk::new("x509-weak") else { return };
    desk.root("ca", RSA, "");
    for (name, sign, hash) in [
        ("sha1", "-sha1", "sha1"),
        ("md5", "-md5", "md5"),
        ("sha224", "-sha224", "sha224"),
        ("pss", "-sha256 -sigopt rsa_padding_mode:pss", "sha256"),
        ("salt", "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20", "sha256"),
    ] {
        desk.issue(name, "ca", RSA, &format!("-extfile server.ext {sign}"));
        let seen = desk.judge(&[name], "ca");
        assert_eq!(
            (word(&seen), seen.leaf.signature_hash.as_str()),
            ("trusted", hash),
            "{name}: {}",
            seen.trust_detail
        );
        assert_eq!(seen.chain[0].signature_hash, hash);
        assert!(seen.name_matches && seen.private_anchor);
    }
    desk.root("weak", "genrsa 1024", "");
    desk.issue("below", "weak", "genrsa 1024", "-extfile server.ext");
    let seen = desk.judge(&["below"], "weak");
    assert_eq!(
        (word(&seen), seen.leaf.key_bits, seen.leaf.key_strength),
        ("trusted", 1024, 1024),
        "{}",
        seen.trust_detail
    );
    desk.root("tiny", "genrsa 512", "-sha256");
    desk.issue("mini", "tiny", "genrsa 512", "-extfile server.ext -sha256");
    assert_eq!((word(&desk.judge(&["mini"], "tiny")), desk.judge(&["mini"], "tiny").leaf.key_bits), ("trusted", 512));
    desk.issue("ecsha1", "ca", EC, "-extfile server.ext -sha1");
    assert_eq!(word(&desk.judge(&["ecsha1"], "ca")), "trusted");
}

#[test]
fn a_forged_weak_signature_stays_untrusted() {
    let Some(desk) = Desk::new("x509-forged") else { return };
    desk.root("ca", RSA, "");
    for sign in ["-md5", "-sha1", "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20"] {
        desk.issue("leaf", "ca", RSA, &format!("-extfile server.ext {sign}"));
        let mut leaf = desk.der("leaf");
        let last = leaf.len() - 1;
        leaf[last] ^= 1;
        let anchors = Anchors::new(&[desk.path().join("ca.pem")]).unwrap();
        let seen = analyse(&[leaf], vec![], None, HOST, &anchors, jiff::Timestamp::now());
        assert_eq!(word(&seen), "untrusted", "{sign}");
    }
}

#[test]
fn versions_before_three_and_authorities_as_leaves() {
    let Some(desk) = Desk::new("x509-old") else { return };
    desk.root("ca", RSA, "");
    desk.issue("v1", "ca", RSA, "");
    let seen = desk.judge(&["v1"], "ca");
    assert_eq!((word(&seen), seen.name_matches, seen.leaf.name_count), ("trusted", false, 0), "{}", seen.trust_detail);
    // A version 1 certificate cannot be an intermediate.
    desk.issue("under", "v1", RSA, "-extfile server.ext");
    assert_eq!(word(&desk.judge(&["under", "v1"], "ca")), "untrusted");
    // What `openssl req -x509` makes is an authority; served as it is, it is trusted by who trusts it, and by nobody else.
    desk.root("own", EC, "-addext subjectAltName=DNS:www.example.test");
    assert!(desk.judge(&["own"], "own").leaf.ca);
    assert_eq!(word(&desk.judge(&["own"], "own")), "trusted");
    assert_eq!(word(&desk.judge(&["own"], "ca")), "self-signed");
}

#[test]
fn what_cannot_be_verified_is_unknown() {
    let Some(desk) = Desk::new("x509-dsa") else { return };
    desk.run("dsaparam -out params.pem 1024");
    desk.root("ca", "gendsa params.pem", "");
    desk.issue("leaf", "ca", RSA, "-extfile server.ext");
    let seen = desk.judge(&["leaf"], "ca");
    assert_eq!(word(&seen), "unknown");
    assert!(seen.trust.reason().unwrap().contains("dsa-with-sha"), "{:?}", seen.trust);
    // Our own search can follow this curve, and webpki cannot: two minds are no verdict.
    desk.root("koblitz", "ecparam -genkey -noout -name secp256k1", "-sha256");
    desk.issue("coin", "koblitz", EC, "-extfile server.ext -sha256");
    let seen = desk.judge(&["coin"], "koblitz");
    assert!(seen.trust.reason().unwrap().contains("second validator"), "{:?}", seen.trust);
    desk.root("curve", "genpkey -algorithm ed448", "");
    assert_eq!(desk.judge(&["curve"], "ca").leaf.key_strength, 7680);
    desk.issue("dsaleaf", "curve", "gendsa params.pem", "-extfile server.ext");
    let seen = desk.judge(&["dsaleaf"], "curve");
    assert_eq!((word(&seen), seen.leaf.key_type.as_str(), seen.leaf.key_bits), ("unknown", "DSA", 1024));
}

/// These bytes with the only occurrence of a pattern replaced.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, at)| *at == from).map(|(n, _)| n).collect();
    let [place] = places[..] else { panic!("{} places", places.len()) };
    [&bytes[..place], to, &bytes[place + from.len()..]].concat()
}

#[test]
fn ocsp_staples() {
    let Some(desk) = Desk::new("x509-ocsp") else { return };
    desk.root("ca", RSA, "");
    desk.issue("leaf", "ca", EC, "-extfile server.ext");
    desk.issue("other", "ca", EC, "-extfile server.ext");
    let by_ca = "-rsigner ca.pem -rkey ca.key -ndays 7";
    for id in ["-sha1", "-sha256"] {
        let good = desk.staple("leaf", "V", id, by_ca);
        assert_eq!(desk.stapled("leaf", &good, 0), "good");
        assert_eq!(desk.stapled("leaf", &good, 6), "good");
        // Too old, from the future, of another certificate.
        assert_eq!(desk.stapled("leaf", &good, 8), "invalid");
        assert_eq!(desk.stapled("leaf", &good, -1), "invalid");
        assert_eq!(desk.stapled("other", &good, 0), "invalid");
        // The status with the date after it, made worse than it was signed: [0] is good, [2] is unknown.
        assert_eq!(desk.stapled("leaf", &replaced(&good, b"\x80\x00\x18", b"\x82\x00\x18"), 0), "invalid");
    }
    let nobody = desk.staple("leaf", "", "-sha1", by_ca);
    assert_eq!(desk.stapled("leaf", &nobody, 0), "unknown");
    assert_eq!(desk.stapled("leaf", &replaced(&nobody, b"\x82\x00\x18", b"\x80\x00\x18"), 0), "invalid");
    assert_eq!(desk.stapled("leaf", &desk.staple("leaf", "R", "-sha1", by_ca), 0), "revoked");
    let open_end = desk.staple("leaf", "V", "-sha1", "-rsigner ca.pem -rkey ca.key");
    assert_eq!(
        (desk.stapled("leaf", &open_end, 0), desk.stapled("leaf", &open_end, 2)),
        ("good".to_owned(), "invalid".to_owned())
    );
    assert_eq!(desk.stapled("leaf", b"nonsense", 0), "invalid");
    assert_eq!(desk.stapled("leaf", b"", 0), "absent");
}

#[test]
fn who_may_sign_a_staple() {
    let Some(desk) = Desk::new("x509-delegate") else { return };
    desk.root("ca", EC, "");
    desk.root("stranger", EC, "");
    desk.issue("leaf", "ca", RSA, "-extfile server.ext");
    desk.issue("delegate", "ca", RSA, "-extfile ocsp.ext");
    desk.issue("pretender", "ca", RSA, "-extfile server.ext");
    desk.issue("outsider", "stranger", RSA, "-extfile ocsp.ext");
    for (signer, status) in [
        ("ca", "good"),
        ("delegate", "good"),
        ("pretender", "invalid"),
        ("outsider", "invalid"),
        ("stranger", "invalid"),
    ] {
        let staple = desk.staple("leaf", "V", "-sha1", &format!("-rsigner {signer}.pem -rkey {signer}.key -ndays 7"));
        assert_eq!(desk.stapled("leaf", &staple, 0), status, "{signer}");
    }
    // By key instead of by name, and a delegate that has ended.
    let by_key = desk.staple("leaf", "V", "-sha1", "-rsigner delegate.pem -rkey delegate.key -ndays 40 -resp_key_id");
    assert_eq!(
        (desk.stapled("leaf", &by_key, 0), desk.stapled("leaf", &by_key, 25)),
        ("good".to_owned(), "invalid".to_owned())
    );
}

/// The primes of RFC 5114 have no formula; OpenSSL knows them, and those that have one, too.
#[test]
fn published_primes_are_those_of_openssl() {
    let Some(desk) = Desk::new("x509-primes") else { return };
    for (kind, group, bits, label, safe) in [
        ("DHX", "dh_1024_160", 1024, "RFC 5114 1024 with a subgroup of 160", false),
        ("DHX", "dh_2048_224", 2048, "RFC 5114 2048 with a subgroup of 224", false),
        ("DHX", "dh_2048_256", 2048, "RFC 5114 2048 with a subgroup of 256", false),
        ("DH", "modp_4096", 4096, "RFC 3526 MODP 4096", true),
        ("DH", "ffdhe3072", 3072, "RFC 7919 ffdhe3072", true),
    ] {
        desk.run(&format!("genpkey -genparam -algorithm {kind} -pkeyopt group:{group} -out group.pem"));
        desk.run("asn1parse -in group.pem -out group.der -noout");
        let der = std::fs::read(desk.path().join("group.der")).unwrap();
        // SEQUENCE { INTEGER p, .. }, both with lengths of two bytes or one.
        let header = |at: usize| if der[at + 1] == 0x82 { 4 } else { 3 };
        let from = header(0) + header(header(0));
        let p = &der[from..from + bits / 8 + 1];
        let facts = probity::collect::tls::prime::facts(p);
        assert_eq!((facts.known.as_str(), facts.safe_prime, facts.composite), (label, safe.into(), false.into()));
    }
}

// ---- handshakes ----

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

fn ask(versions: Versions, schemes: Schemes) -> Ask {
    Ask { server_name: HOST.to_owned(), versions, schemes, alpn: Vec::new() }
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
        let ask = ask(Versions::Both, Schemes::Any);
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
        let seen = |schemes| meet(config(Arc::clone(&choice), versions), &ask(asked, schemes));
        for (schemes, identity) in [(Schemes::Ecdsa, 0), (Schemes::Rsa, 1)] {
            let seen = seen(schemes).unwrap();
            assert_eq!(seen.chain, [choice.identities[identity].cert[0].to_vec()]);
            assert_eq!((seen.protocol.as_str(), seen.alpn, seen.staple), (protocol, None, None));
            assert!(seen.group.is_some() && seen.suite != 0);
        }
        assert_eq!(seen(Schemes::Ed25519).unwrap_err().reason, Reason::HandshakeRejected);
    }
    assert!(choice.names.lock().unwrap().iter().all(|name| name.as_deref() == Some(HOST)));
}

#[test]
fn ed25519_is_met() {
    let choice = Choice::of(vec![identity(&rcgen::PKCS_ED25519)]);
    let seen = meet(config(choice, TLS13), &ask(Versions::Both, Schemes::Ed25519)).unwrap();
    assert_eq!(seen.protocol, "TLSv1.3");
}

#[test]
fn an_address_is_not_sent_as_a_name() {
    let choice = Choice::of(vec![identity(&rcgen::PKCS_ECDSA_P256_SHA256)]);
    for address in ["127.0.0.1", "::1", "[::1]"] {
        let ask = Ask { server_name: address.to_owned(), ..ask(Versions::Both, Schemes::Any) };
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
            ..ask(asked, Schemes::Any)
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
        let trouble = meet(config(Arc::clone(&choice), versions), &ask(asked, Schemes::Any)).unwrap_err();
        assert_eq!((trouble.reason, trouble.detail.as_str()), (Reason::HandshakeRejected, "alert protocol_version"));
    }
}

#[test]
fn a_certificate_without_its_key_is_a_violation() {
    for versions in [TLS12, TLS13] {
        let mut thief = identity(&rcgen::PKCS_ECDSA_P256_SHA256);
        thief.cert = identity(&rcgen::PKCS_ECDSA_P256_SHA256).cert;
        let trouble = meet(config(Choice::of(vec![thief]), versions), &ask(Versions::Both, Schemes::Any)).unwrap_err();
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
        let seen = meet(config, &ask(Versions::Both, Schemes::Any)).unwrap();
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
    let impossible = Ask { server_name: "not a name".to_owned(), ..ask(Versions::Both, Schemes::Any) };
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
            look(Box::new(stream), &ask(asked, Schemes::Any), Duration::from_secs(10)).await
        });
        assert_eq!(seen.unwrap().chain, [desk.der(name)], "{name} {version}");
    }
}
