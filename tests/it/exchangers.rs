//! The hosts that take a domain's mail: against a Postfix, and against servers whose certificates are made for the test.

use crate::dns::{facts, look};
use crate::support::zones::{NOBODY, Names, Signing, Zone};
use crate::support::{Scratch, free_port, services};
use probity::collect::mail::Mail;
use probity::model::{Target, TargetKind, digest};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData as _};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

/// A server that takes mail, with a certificate of an authority of its own.
struct Exchanger {
    port: u16,
    authority: PathBuf,
    /// SHA-256 of its key, as a TLSA record has it.
    key: String,
    _scratch: Scratch,
}

impl Exchanger {
    /// Listens on 127.0.0.1 and 127.0.0.2; the latter offers no TLS.
    fn start(name: &str, host: &str) -> Exchanger {
        let scratch = Scratch::new(name);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let file = scratch.write("ca.pem", authority.pem());
        let secret = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], secret)
            .unwrap();
        let config = Arc::new(config);
        let port = free_port();
        for (address, tls) in [("127.0.0.1", Some(config)), ("127.0.0.2", None)] {
            let listener = TcpListener::bind((address, port)).unwrap();
            thread::spawn(move || {
                for stream in listener.incoming().flatten() {
                    let tls = tls.clone();
                    thread::spawn(move || serve(stream, tls));
                }
            });
        }
        let key = digest::sha256(&key.subject_public_key_info());
        Exchanger { port, authority: file, key, _scratch: scratch }
    }
}

/// Speaks as a mail server does until TLS has begun, and then waits for the end.
fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let say = |line: &str| (&stream).write_all(line.as_bytes()).is_ok();
    let mut line = String::new();
    say("220 mx ESMTP\r\n");
    while reader.read_line(&mut line).is_ok_and(|count| count > 0) {
        match (line.get(..4), &tls) {
            (Some("EHLO"), Some(_)) => say("250-mx\r\n250 STARTTLS\r\n"),
            (Some("EHLO"), None) => say("250-mx\r\n250 SIZE 1000\r\n"),
            (Some("STAR"), Some(config)) => {
                say("220 go\r\n");
                let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
                let mut stream = stream.try_clone().unwrap();
                while connection.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {}
                return;
            }
            _ => say("500 no\r\n"),
        };
        line.clear();
    }
}

fn domain(name: &str, authorities: Vec<PathBuf>) -> Target {
    let mut target = Target::new(name, TargetKind::Domain, name);
    target.connection.host = name.to_owned();
    target.connection.ca_files = authorities;
    target
}

fn seen(names: &Names, name: &str, port: u16, authorities: Vec<PathBuf>) -> Value {
    let mail = Mail { smtp_port: port, ..Mail::default() };
    facts(&look(&mail, domain(name, authorities), &names.settings, Vec::new()), "mail.exchangers")
}

#[test]
fn exchangers_are_seen_with_their_certificates_and_what_vouches_for_them() {
    let mail = Exchanger::start("exchangers", "mx.shop.example");
    let key = &mail.key;
    let records = "@ MX 10 mx.shop.example.\n@ MX 20 plain\n@ MX 30 gone\n@ MX 40 closed\n\
                   plain A 127.0.0.2\nclosed A 127.0.0.3\nmx A 127.0.0.1\nnull MX 0 .";
    let good = format!("{records}\n_25._tcp.mx TLSA 3 1 1 {key}");
    let zone = |label, signing, records: &str| Zone {
        label,
        signing,
        vouched: signing == Signing::Good,
        records: records.to_owned(),
    };
    let alone = "@ MX 10 mx\nmx A 127.0.0.1\n";
    let zones = [
        zone("shop", Signing::Good, &good),
        zone("other", Signing::Good, &format!("{alone}_25._tcp.mx TLSA 3 1 1 {NOBODY}")),
        zone("public", Signing::Good, &format!("{alone}_25._tcp.mx TLSA 1 1 1 {key}")),
        zone("plain", Signing::Plain, &format!("{alone}_25._tcp.mx TLSA 3 1 1 {key}")),
        zone("bare", Signing::Plain, alone),
    ];
    let Some(names) = Names::start("exchangers-names", &zones) else { return };
    let shop = seen(&names, "shop.example", mail.port, vec![mail.authority.clone()]);
    assert_eq!(shop["applicable"], true);
    let rows = shop["exchangers"].as_array().unwrap();
    let hosts: Vec<&str> = rows.iter().map(|row| row["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["mx.shop.example", "plain.shop.example", "gone.shop.example", "closed.shop.example"]);
    let [good, plain, gone, closed] = rows.as_slice() else { panic!("{rows:?}") };
    let whole = |row: &Value| json!([row["offered"], row["modern"], row["trust"], row["name_matches"], row["dane"]]);
    assert_eq!(whole(good), json!(["yes", true, "trusted", true, "match"]), "{good}");
    assert_eq!(good["protocols"], json!(["TLSv1.3", "TLSv1.2"]));
    assert_eq!((&good["address"], &good["listed"]), (&json!("127.0.0.1"), &json!("no-policy")));
    assert_eq!((&plain["offered"], &plain["dane"]), (&json!("no"), &json!("none")), "{plain}");
    let sound: Vec<&Value> = rows.iter().map(|row| &row["sound"]).collect();
    assert_eq!(sound[..2], [&json!(true), &json!(false)]);
    assert!(sound[2..].iter().all(|sound| sound["unknown"].is_string()), "{sound:?}");
    assert_eq!(gone["address"], "");
    assert!(gone["offered"]["unknown"].as_str().unwrap().contains("has no address"), "{gone}");
    assert!(closed["offered"]["unknown"].as_str().unwrap().contains("refuses"), "{closed}");

    let alone = |name: &str, authorities| {
        let seen = seen(&names, name, mail.port, authorities);
        whole(&seen["exchangers"][0])
    };
    // The certificate is for mx.shop.example, and nobody here knows its authority.
    assert_eq!(alone("other.example", Vec::new()), json!(["yes", true, "untrusted", false, "mismatch"]));
    assert_eq!(alone("public.example", vec![mail.authority.clone()])[4], "unusable");
    assert_eq!(alone("plain.example", Vec::new())[4], "insecure");
    assert_eq!(alone("bare.example", Vec::new())[4], "none");
    assert_eq!(
        seen(&names, "null.shop.example", mail.port, Vec::new()),
        json!({ "applicable": false, "exchangers": [] })
    );
}

#[test]
fn a_postfix_is_an_exchanger_with_the_versions_that_it_is_configured_with() {
    let scratch = Scratch::new("exchangers-postfix");
    let Some(services) = services::postfix(&scratch) else { return };
    let records = "@ MX 10 @".to_owned();
    let zones = [Zone { label: "shop", signing: Signing::Plain, vouched: false, records }];
    let Some(names) = Names::start("exchangers-postfix-names", &zones) else { return };
    let (_, port) = services.ports[0];
    let seen = seen(&names, "shop.example", port, Vec::new());
    let row = &seen["exchangers"][0];
    assert_eq!((&row["offered"], &row["modern"]), (&json!("yes"), &json!(true)), "{row}");
    assert_eq!(row["protocols"], json!(["TLSv1.3", "TLSv1.2"]));
    assert_eq!((&row["name_matches"], &row["dane"]), (&json!(true), &json!("none")));
    assert_ne!(row["trust"], "trusted");
}
