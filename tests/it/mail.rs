//! The collector of a domain's mail against a real authoritative server and a real server of the policy.

use crate::dns::{facts, look, of, reason, settings};
use crate::support::zones::{NOBODY, Names, Signing, Zone};
use crate::support::{Scratch, Server, free_port, names, probity, program};
use probity::collect::mail::Mail;
use probity::model::dns::Settings;
use probity::model::{Observation, Reason, Target, TargetKind};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

fn domain(name: &str) -> Target {
    let mut target = Target::new(name, TargetKind::Domain, name);
    target.connection.host = name.to_owned();
    target
}

fn look_at(name: &str, settings: &Settings) -> Vec<Observation> {
    look(&Mail::default(), domain(name), settings, Vec::new())
}

/// A server of names whose one zone is not signed.
fn plain(name: &str, records: &str) -> Option<Names> {
    Names::start(name, &[Zone { label: "shop", signing: Signing::Plain, vouched: false, records: records.to_owned() }])
}

#[test]
fn senders_are_read_with_all_that_they_include() {
    let many: String = (0..11).map(|n| format!("a{n} A 192.0.2.1\n")).collect();
    let terms: Vec<String> = (0..11).map(|n| format!("a:a{n}.shop.example")).collect();
    let records = format!(
        "@ TXT \"v=spf1 include:_spf.shop.example mx ~all\"\n@ MX 10 mx\nmx A 192.0.2.1\n_spf TXT \"v=spf1 ip4:192.0.2.0/24 a:mx.shop.example -all\"\n\
         open A 192.0.2.1\nopen TXT \"v=spf1 +all\"\nneutral TXT \"v=spf1 ip4:192.0.2.1\"\ntwo TXT \"v=spf1 -all\"\ntwo TXT \"v=spf1 ~all\"\n\
         to TXT \"v=spf1 redirect=strict.shop.example\"\nstrict TXT \"v=spf1 ptr -all\"\nloop TXT \"v=spf1 include:back.shop.example -all\"\n\
         back TXT \"v=spf1 include:loop.shop.example -all\"\nmany TXT \"v=spf1 {}\" \" {} -all\"\n{many}\
         void TXT \"v=spf1 a:x1.shop.example a:x2.shop.example a:x3.shop.example -all\"\nlost TXT \"v=spf1 include:x1.shop.example -all\"\n\
         odd TXT \"v=spf1 ipv4:192.0.2.1 -all\"\nnone TXT \"hello\"",
        terms[..6].join(" "),
        terms[6..].join(" ")
    );
    let Some(names) = plain("mail-spf", &records) else { return };
    let spf = |host: &str| facts(&look_at(host, &names.settings), "mail.spf");
    let good = spf("shop.example");
    assert_eq!(
        (&good["valid"], &good["all"], &good["lookups"], &good["void_lookups"]),
        (&json!(true), &json!("~"), &json!(3), &json!(0))
    );
    assert_eq!(spf("open.shop.example")["all"], "+");
    let neutral = spf("neutral.shop.example");
    assert_eq!((&neutral["valid"], &neutral["all"]), (&json!(true), &json!("none")));
    let to = spf("to.shop.example");
    assert_eq!((&to["all"], &to["ptr"], &to["lookups"]), (&json!("-"), &json!(true), &json!(2)), "{to}");
    assert_eq!(spf("none.shop.example")["present"], false);
    for (host, words) in [
        ("two", "there are 2 records"),
        ("loop", "include leads back to loop.shop.example"),
        ("many", "more than 10 terms ask the DNS"),
        ("void", "more than 2 terms find nothing"),
        ("lost", "include: x1.shop.example has no record"),
        ("odd", "`ipv4:192.0.2.1` is no term"),
    ] {
        let seen = spf(&format!("{host}.shop.example"));
        assert_eq!((&seen["present"], &seen["valid"]), (&json!(true), &json!(false)), "{host}");
        assert!(seen["why"].as_str().unwrap().contains(words), "{host}: {seen}");
    }
}

/// Bytes in base 64, in strings that fit a record of text.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = three.iter().fold(0, |sum, &byte| sum << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for n in 0..=three.len() {
            text.push(char::from(LETTERS[(word >> (18 - 6 * n)) as usize & 63]));
        }
    }
    let parts: Vec<&str> = text.as_bytes().chunks(200).map(|part| std::str::from_utf8(part).unwrap()).collect();
    parts.join("\" \"")
}

#[test]
fn keys_of_named_selectors_are_measured() {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let rsa: aws_lc_rs::encoding::PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let records = format!(
        "s1._domainkey TXT \"v=DKIM1; p=\" \"{}\"\nbare._domainkey TXT \"p=\" \"{}\"\n\
         ed._domainkey TXT \"v=DKIM1; k=ed25519; t=y; p={}\"\nold._domainkey TXT \"v=DKIM1; p=\"\nodd._domainkey TXT \"v=DKIM1; p=AAAA\"",
        base64(rsa.as_ref()),
        base64(key.public_key().as_ref()),
        base64(&[7; 32])
    );
    let Some(names) = plain("mail-dkim", &records) else { return };
    let mut target = domain("shop.example");
    target.connection.dkim_selectors = ["s1", "bare", "ed", "old", "odd", "gone"].map(str::to_owned).to_vec();
    let seen = facts(&look(&Mail::default(), target, &names.settings, Vec::new()), "mail.dkim");
    let of = |name: &str| {
        let selectors = seen["selectors"].as_array().unwrap();
        let selector = selectors.iter().find(|selector| selector["name"] == name).unwrap();
        json!([
            selector["present"],
            selector["valid"],
            selector["revoked"],
            selector["key_type"],
            selector["bits"],
            selector["testing"]
        ])
    };
    assert_eq!(of("s1"), json!([true, true, false, "rsa", 2048, false]));
    assert_eq!(of("bare"), json!([true, true, false, "rsa", 2048, false]), "without its algorithm");
    assert_eq!(of("ed"), json!([true, true, false, "ed25519", 256, true]));
    assert_eq!(of("old"), json!([true, true, true, "rsa", 0, false]));
    assert_eq!(of("odd"), json!([true, false, false, "rsa", 0, false]));
    assert_eq!(of("gone"), json!([false, false, false, "", 0, false]));
    assert_eq!(
        facts(&look_at("shop.example", &names.settings), "mail.dkim"),
        json!({ "named": false, "selectors": [] })
    );
}

#[test]
fn policies_for_forged_mail_are_found_here_or_above() {
    let records = "_dmarc TXT \"v=DMARC1; p=reject; sp=quarantine; rua=mailto:a@shop.example,mailto:a@other.example\"\nnews A 192.0.2.1\n\
                   weak A 192.0.2.1\n_dmarc.weak TXT \"v=DMARC1; p=none; pct=20\"\nodd A 192.0.2.1\n_dmarc.odd TXT \"v=DMARC1\"\n\
                   two A 192.0.2.1\n_dmarc.two TXT \"v=DMARC1; p=none\"\n_dmarc.two TXT \"v=DMARC1; p=reject\"";
    let Some(names) = plain("mail-dmarc", records) else { return };
    let dmarc = |host: &str| facts(&look_at(host, &names.settings), "mail.dmarc");
    let own = dmarc("shop.example");
    assert_eq!(
        (&own["valid"], &own["policy"], &own["subdomain_policy"]),
        (&json!(true), &json!("reject"), &json!("quarantine"))
    );
    assert_eq!((&own["reports"], &own["unauthorised"]), (&json!(true), &json!(["other.example"])));
    let news = dmarc("news.shop.example");
    assert_eq!(
        (&news["found_at"], &news["policy"]),
        (&json!("shop.example"), &json!("quarantine")),
        "that of names below"
    );
    assert_eq!(
        (&dmarc("weak.shop.example")["policy"], &dmarc("weak.shop.example")["percent"]),
        (&json!("none"), &json!(20))
    );
    assert_eq!(dmarc("odd.shop.example")["why"], "p is missing");
    assert_eq!(dmarc("two.shop.example")["why"], "there are 2 records");
}

/// A server of the policy with a certificate of its own authority.
struct Policies {
    _server: Server,
    _scratch: Scratch,
    port: u16,
    authority: PathBuf,
}

fn policies(name: &str, lines: &str) -> Option<Policies> {
    let nginx = program("nginx")?;
    let scratch = Scratch::new(name);
    let port = free_port();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf =
        CertificateParams::new(vec!["mta-sts.shop.example".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    scratch.write("leaf.pem", leaf.pem());
    scratch.write("leaf.key", key.serialize_pem());
    let authority = scratch.write("ca.pem", authority.pem());
    let folder = scratch.path().display();
    let text = format!(
        "daemon off; pid {folder}/pid; worker_processes 1; events {{}}
         http {{ access_log off; default_type text/plain; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
           fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
           server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/leaf.pem; ssl_certificate_key {folder}/leaf.key;
             location = /.well-known/mta-sts.txt {{ {lines} }} }} }}"
    );
    let file = scratch.write("nginx.conf", text);
    let mut command = Command::new(nginx);
    command.arg("-c").arg(file).arg("-p").arg(scratch.path()).arg("-e").arg(scratch.path().join("error.log"));
    let server = Server::start(&mut command, port);
    Some(Policies { _server: server, _scratch: scratch, port, authority })
}

const STS: &str = "@ MX 10 mx1.shop.example.\nmx1 A 127.0.0.1\n_mta-sts TXT \"v=STSv1; id=1\"\nmta-sts A 127.0.0.1\n\
                   _smtp._tls TXT \"v=TLSRPTv1; rua=mailto:a@shop.example\"";

#[test]
fn a_policy_of_transport_is_fetched_and_judged() {
    let Some(names) = plain("mail-sts", STS) else { return };
    let sts = |lines: &str, trusted: bool| -> Option<Vec<Observation>> {
        let server = policies("mail-sts-policy", lines)?;
        let mut target = domain("shop.example");
        if trusted {
            target.connection.ca_files = vec![server.authority.clone()];
        }
        Some(look(&Mail { https_port: server.port, ..Mail::default() }, target, &names.settings, Vec::new()))
    };
    let policy = |mode: &str, host: &str| {
        format!("return 200 \"version: STSv1\\nmode: {mode}\\nmx: {host}\\nmax_age: 604800\\n\";")
    };
    let Some(seen) = sts(&policy("enforce", "*.shop.example"), true) else { return };
    let good = facts(&seen, "mail.mta_sts");
    assert_eq!(
        (&good["valid"], &good["mode"], &good["enforced"]),
        (&json!(true), &json!("enforce"), &json!(true)),
        "{good}"
    );
    assert_eq!(
        (&good["max_age"], &good["unlisted"], &good["without_dane"]),
        (&json!(604_800), &json!([]), &json!(["mx1.shop.example"]))
    );
    assert_eq!(
        facts(&seen, "mail.tls_rpt"),
        json!({ "applicable": true, "present": true, "valid": true, "why": "", "destinations": 1 })
    );
    assert_eq!(facts(&seen, "mail.mx")["hosts"], json!(["mx1.shop.example"]));

    let of = |lines: &str, trusted: bool| facts(&sts(lines, trusted).unwrap(), "mail.mta_sts");
    let other = of(&policy("enforce", "mx1.other.example"), true);
    assert_eq!((&other["enforced"], &other["unlisted"]), (&json!(false), &json!(["mx1.shop.example"])));
    assert_eq!(of(&policy("testing", "*.shop.example"), true)["enforced"], false);
    for (lines, trusted, words) in [
        (policy("enforce", "*.shop.example"), false, "is not to be trusted"),
        ("return 301 /other;".to_owned(), true, "redirects"),
        ("return 404;".to_owned(), true, "status 404"),
        (format!("default_type text/html; {}", policy("enforce", "*.shop.example")), true, "text/plain"),
        ("return 200 \"mode: enforce\";".to_owned(), true, "version"),
    ] {
        let seen = of(&lines, trusted);
        assert_eq!((&seen["present"], &seen["valid"], &seen["enforced"]), (&json!(true), &json!(false), &json!(false)));
        assert!(seen["why"].as_str().unwrap().contains(words), "{words}: {seen}");
    }
    // A fault of the server says nothing about the policy, and neither does a port on which nobody listens.
    assert_eq!(reason(&sts("return 503;", true).unwrap(), "mail.mta_sts").0, Reason::Unsupported);
    let closed =
        look(&Mail { https_port: free_port(), ..Mail::default() }, domain("shop.example"), &names.settings, Vec::new());
    assert_eq!(reason(&closed, "mail.mta_sts").0, Reason::Refused);
}

#[test]
fn signed_records_of_every_exchanger_enforce_as_well() {
    let records =
        format!("@ MX 10 mx1\nmx1 A 127.0.0.1\n_25._tcp.mx1 TLSA 3 1 1 {NOBODY}\n@ MX 20 mx2\nmx2 A 127.0.0.1\n");
    let both = format!("{records}_25._tcp.mx2 TLSA 2 1 1 {NOBODY}");
    // Mail does not use records that ask for a public authority.
    let half = format!("{records}_25._tcp.mx2 TLSA 1 1 1 {NOBODY}");
    let zone = |label, signing, vouched, records: &str| Zone { label, signing, vouched, records: records.to_owned() };
    let zones = [
        zone("both", Signing::Good, true, &both),
        zone("half", Signing::Good, true, &half),
        zone("orphan", Signing::Good, false, &both),
    ];
    let Some(names) = Names::start("mail-dane", &zones) else { return };
    let sts = |host: &str| facts(&look_at(host, &names.settings), "mail.mta_sts");
    let both = sts("both.example");
    assert_eq!(
        (&both["present"], &both["without_dane"], &both["enforced"]),
        (&json!(false), &json!([]), &json!(true)),
        "{both}"
    );
    let half = sts("half.example");
    assert_eq!((&half["without_dane"], &half["enforced"]), (&json!(["mx2.half.example"]), &json!(false)));
    assert_eq!(sts("orphan.example")["enforced"], false);
}

#[test]
fn a_domain_without_mail_or_without_existence_is_told_apart() {
    let Some(names) = plain("mail-null", "null MX 0 .\nnull TXT \"v=spf1 -all\"\nbare A 127.0.0.1") else { return };
    let null = look_at("null.shop.example", &names.settings);
    assert_eq!(facts(&null, "mail.mx")["null"], true);
    assert_eq!(
        (&facts(&null, "mail.mta_sts")["applicable"], &facts(&null, "mail.tls_rpt")["applicable"]),
        (&json!(false), &json!(false))
    );
    assert_eq!(facts(&null, "mail.spf")["all"], "-");
    let bare = look_at("bare.shop.example", &names.settings);
    assert_eq!(facts(&bare, "mail.mx"), json!({ "hosts": ["bare.shop.example"], "present": false, "null": false }));
    let absent = look_at("absent.shop.example", &names.settings);
    for kind in ["mail.mx", "mail.spf", "mail.dkim", "mail.dmarc", "mail.mta_sts", "mail.tls_rpt"] {
        let (reason, detail) = reason(&absent, kind);
        assert_eq!((reason, detail.as_str()), (Reason::Unreachable, "the domain absent.shop.example does not exist"));
    }
}

#[test]
fn one_failure_of_the_resolver_spoils_only_what_needs_it() {
    let resolver = names::start(
        |query| match (query.text().as_str(), query.kind) {
            ("_dmarc.shop.example.", _) => vec![query.answer(2, 0, &[])],
            ("shop.example.", 16) => vec![query.texts(&["v=spf1 include:fails.example -all"])],
            ("fails.example.", _) => vec![query.answer(2, 0, &[])],
            ("_smtp._tls.shop.example.", _) => vec![query.texts(&["v=TLSRPTv1; rua=mailto:a@b.example"])],
            _ => vec![query.answer(0, 0, &[])],
        },
        None,
    );
    let seen = look_at("shop.example", &settings(resolver));
    assert_eq!(reason(&seen, "mail.dmarc").0, Reason::Unreachable);
    assert_eq!(reason(&seen, "mail.spf").0, Reason::Unreachable, "an include that fails may hold anything");
    assert_eq!(facts(&seen, "mail.tls_rpt")["valid"], true);
    // Without signatures nobody knows of DANE, and without a policy nothing is enforced otherwise.
    let sts: Value = facts(&seen, "mail.mta_sts");
    assert!(sts["enforced"]["unknown"].is_string() || sts["enforced"] == false, "{sts}");
    assert!(of(&seen, "mail.mx").trouble.is_none());
}

#[test]
fn huge_texts_are_read_up_to_limits() {
    let resolver = names::start(
        |query| vec![query.answer(0, 0x0200, &[])],
        Some(|query| {
            let long = format!("v=spf1{} -all", " ip4:192.0.2.1".repeat(4_000));
            if query.kind == 16 { query.texts(&[&long]) } else { query.answer(0, 0, &[]) }
        }),
    );
    let spf = facts(&look_at("shop.example", &settings(resolver)), "mail.spf");
    assert_eq!(spf["valid"], false);
    assert!(spf["why"].as_str().unwrap().contains("more than 200 terms"), "{spf}");
}

#[test]
fn a_domain_is_judged_from_the_command_line() {
    let records = "@ TXT \"v=spf1 +all\"\n_dmarc TXT \"v=DMARC1; p=reject\"\n@ MX 0 .";
    let Some(names) = plain("mail-cli", records) else { return };
    let scratch = Scratch::new("mail-cli-config");
    let resolver = names.settings.resolver.unwrap();
    let config = scratch.write(
        "probity.yaml",
        format!("targets:\n  - {{ id: shop.example, kind: domain }}\ndns: {{ resolver: \"{resolver}\" }}\npolicy: {{ fail_on: medium }}\n"),
    );
    let output = scratch.path().join("out.json");
    let run = probity()
        .args(["scan", "--config"])
        .arg(&config)
        .arg("-o")
        .arg(format!("json={}", output.display()))
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(1), "{}", String::from_utf8_lossy(&run.stderr));
    let printed = String::from_utf8_lossy(&run.stdout);
    assert!(printed.contains("SPF +all") && printed.contains("DMARC reject"), "{printed}");
    let report: Value = serde_json::from_slice(&std::fs::read(output).unwrap()).unwrap();
    let status = |check: &str| {
        let results = report["results"].as_array().unwrap();
        results.iter().find(|result| result["check"] == check).unwrap_or_else(|| panic!("{check}"))["status"].clone()
    };
    assert_eq!(status("mail.spf"), "fail");
    assert_eq!(status("mail.dmarc"), "pass");
    assert_eq!(status("mail.mta_sts"), "not-applicable");
}
