//! sslyze, by `--json_out`.

use super::scanner;
use crate::facts::{Facts, Value, said, suites_of};
use crate::support::Scratch;
use probity::catalogue::registry;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const WHAT: [&str; 15] = [
    "--sslv2",
    "--sslv3",
    "--tlsv1",
    "--tlsv1_1",
    "--tlsv1_2",
    "--tlsv1_3",
    "--certinfo",
    "--reneg",
    "--resum",
    "--heartbleed",
    "--openssl_ccs",
    "--fallback",
    "--robot",
    "--compression",
    "--elliptic_curves",
];

pub fn command(_: &Scratch, port: u16, word: Option<&str>, file: &Path) -> Option<Command> {
    let mut command = scanner("sslyze");
    command
        .args(WHAT)
        .args(["--mozilla_config", "disable", "--sni", "localhost"])
        .arg(format!("--json_out={}", file.display()));
    match word {
        // It has no word for it.
        Some("mysql") => return None,
        Some("postgresql") => drop(command.args(["--starttls", "postgres"])),
        Some(word) => drop(command.args(["--starttls", word])),
        None => {}
    }
    command.arg(format!("127.0.0.1:{port}"));
    Some(command)
}

const NAMES: [(&str, &str); 6] = [
    ("SSLv2", "ssl_2_0_cipher_suites"),
    ("SSLv3", "ssl_3_0_cipher_suites"),
    ("TLSv1.0", "tls_1_0_cipher_suites"),
    ("TLSv1.1", "tls_1_1_cipher_suites"),
    ("TLSv1.2", "tls_1_2_cipher_suites"),
    ("TLSv1.3", "tls_1_3_cipher_suites"),
];

pub fn read(text: &str) -> Option<Facts> {
    let report: Json = serde_json::from_str(&without_long_numbers(text)).ok()?;
    let scan = &report["server_scan_results"][0]["scan_result"];
    let mut facts = Facts::new();
    let mut sizes = Vec::new();
    for (protocol, name) in NAMES {
        let result = &scan[name]["result"];
        let Some(offered) = result["is_tls_version_supported"].as_bool() else { continue };
        facts.insert(protocol.into(), said(offered));
        let accepted = result["accepted_cipher_suites"].as_array().unwrap();
        let ids = accepted.iter().map(|row| by_name(row["cipher_suite"]["name"].as_str().unwrap()));
        if offered {
            facts.insert(suites_of(protocol), ids.collect::<BTreeSet<_>>().into());
        }
        let keys = accepted.iter().map(|row| &row["ephemeral_key"]).filter(|key| key["type_name"] == "DH");
        sizes.extend(keys.filter_map(|key| key["size"].as_u64()));
    }
    if let Some(smallest) = sizes.iter().min() {
        facts.insert("smallest dh".into(), smallest.to_string().into());
    }
    if facts.contains_key("SSLv2") {
        facts.insert("drown".into(), facts["SSLv2"].clone());
    }
    switches(&mut facts, scan);
    certificates(&mut facts, scan);
    // One that it could not connect to has no results.
    (!facts.is_empty()).then_some(facts)
}

/// It writes the numbers of keys in full, longer than any number of JSON's usual readers.
fn without_long_numbers(text: &str) -> String {
    let parts = text.split_inclusive(|letter: char| !letter.is_ascii_digit());
    parts.map(|part| if part.len() > 18 { format!("0{}", &part[part.len() - 1..]) } else { part.to_owned() }).collect()
}

fn switches(facts: &mut Facts, scan: &Json) {
    let flags = [
        ("compression", "tls_compression", "supports_compression"),
        ("ccs", "openssl_ccs_injection", "is_vulnerable_to_ccs_injection"),
        ("fallback scsv", "tls_fallback_scsv", "supports_fallback_scsv"),
        ("heartbleed", "heartbleed", "is_vulnerable_to_heartbleed"),
        ("secure renegotiation", "session_renegotiation", "supports_secure_renegotiation"),
    ];
    for (name, part, flag) in flags {
        if let Some(yes) = scan[part]["result"][flag].as_bool() {
            facts.insert(name.into(), said(yes));
        }
    }
    if let Some(count) = scan["session_renegotiation"]["result"]["client_renegotiations_success_count"].as_u64() {
        facts.insert("client renegotiation".into(), said(count > 0));
    }
    let resumption = &scan["session_resumption"]["result"];
    let kinds =
        [("id resumption", "session_id_resumption_result"), ("ticket resumption", "tls_ticket_resumption_result")];
    for (name, kind) in kinds {
        match resumption[kind].as_str() {
            Some("FULLY_SUPPORTED") => drop(facts.insert(name.into(), said(true))),
            Some("NOT_SUPPORTED") => drop(facts.insert(name.into(), said(false))),
            // Now and then, in a few tries side by side.
            Some("PARTIALLY_SUPPORTED") => {
                drop(facts.insert(name.into(), Value::Unknown("sometimes".into())));
            }
            _ => {}
        }
    }
    if let Some(result) = scan["robot"]["result"]["robot_result"].as_str() {
        let value = match result {
            result if result.starts_with("NOT_VULNERABLE") => said(false),
            result if result.starts_with("VULNERABLE") => said(true),
            result => Value::Unknown(result.to_owned()),
        };
        facts.insert("robot".into(), value);
    }
    if let Some(curves) = scan["elliptic_curves"]["result"]["supported_curves"].as_array() {
        let name = |curve: &Json| curve_name(curve["name"].as_str().unwrap());
        facts.insert("curves".into(), curves.iter().map(name).collect::<BTreeSet<_>>().into());
    }
}

fn certificates(facts: &mut Facts, scan: &Json) {
    let Some(deployments) = scan["certificate_info"]["result"]["certificate_deployments"].as_array() else { return };
    let kind = |deployment: &Json| {
        let key = &deployment["received_certificate_chain"][0]["public_key"];
        let algorithm = key["algorithm"].as_str().unwrap_or_default();
        let kind = if algorithm.contains("EllipticCurve") {
            "EC"
        } else {
            algorithm.trim_start_matches('_').trim_end_matches("PublicKey")
        };
        format!("{kind} {}", key["key_size"])
    };
    let kinds: BTreeSet<String> = deployments.iter().map(kind).collect();
    facts.insert("certificates".into(), kinds.into_iter().collect::<Vec<_>>().join(" + ").into());
}

fn by_name(name: &str) -> String {
    registry::suite_by_name(name).map_or_else(|| name.to_owned(), |suite| suite.id_hex.clone())
}

/// OpenSSL's names to IANA's.
fn curve_name(name: &str) -> String {
    let known = match name {
        "prime256v1" => "secp256r1",
        "prime192v1" => "secp192r1",
        name => name,
    };
    registry::groups()
        .iter()
        .find(|group| group.name.eq_ignore_ascii_case(known))
        .map_or_else(|| name.to_owned(), |group| group.name.clone())
}
