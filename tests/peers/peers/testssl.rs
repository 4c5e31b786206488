//! testssl.sh, by `--jsonfile`.

use super::scanner;
use crate::facts::{Facts, PROTOCOLS, Value, said, suites_of};
use crate::support::Scratch;
use probity::catalogue::registry;
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Versions, suites of each, their order, forward secrecy, what the server says of itself, and the flaws compared here.
const WHAT: [&str; 16] =
    ["-p", "-E", "-P", "-f", "-S", "-H", "-I", "-B", "-R", "-C", "-O", "-Z", "-W", "-F", "-D", "-J"];

pub fn command(scratch: &Scratch, port: u16, word: Option<&str>, file: &Path) -> Option<Command> {
    let mut command = scanner("testssl");
    command.current_dir(scratch.path()).args(["--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none"]);
    command.args(WHAT).args(["-4", "--ip", "127.0.0.1"]).arg("--jsonfile").arg(file);
    if let Some(word) = word {
        command.arg("--starttls").arg(if word == "postgresql" { "postgres" } else { word });
    }
    command.arg(format!("localhost:{port}"));
    Some(command)
}

/// Its names of the versions.
const NAMES: [(&str, &str, &str); 6] = [
    ("SSLv2", "SSLv2", "cipher-ssl2_x"),
    ("SSLv3", "SSLv3", "cipher-ssl3_x"),
    ("TLSv1.0", "TLS1", "cipher-tls1_x"),
    ("TLSv1.1", "TLS1_1", "cipher-tls1_1_x"),
    ("TLSv1.2", "TLS1_2", "cipher-tls1_2_x"),
    ("TLSv1.3", "TLS1_3", "cipher-tls1_3_x"),
];

pub fn read(text: &str) -> Option<Facts> {
    let rows: Vec<Json> = serde_json::from_str(text).ok()?;
    let mut found: BTreeMap<&str, &str> = BTreeMap::new();
    let mut facts = Facts::new();
    let mut suites: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut keys = BTreeSet::new();
    for row in &rows {
        let (id, finding) = (row["id"].as_str().unwrap(), row["finding"].as_str().unwrap());
        found.entry(id).or_insert(finding);
        for (protocol, _, prefix) in NAMES {
            if let Some(code) = id.strip_prefix(prefix) {
                suites.entry(protocol).or_default().insert(format!("0x{:0>4}", code.to_uppercase()));
            }
        }
        if id.starts_with("cert_keySize") {
            let size = finding.split(' ').take(2).collect::<Vec<_>>().join(" ");
            keys.insert(size);
        }
    }
    for (protocol, name, _) in NAMES {
        if let Some(finding) = found.get(name) {
            facts.insert(protocol.into(), said(!finding.contains("not offered")));
        }
    }
    facts.extend(suites.into_iter().map(|(protocol, ids)| (suites_of(protocol), ids.into())));
    if !keys.is_empty() {
        facts.insert("certificates".into(), keys.into_iter().collect::<Vec<_>>().join(" + ").into());
    }
    order(&mut facts, &found);
    curves(&mut facts, &found);
    flaws(&mut facts, &rows, &found);
    // One that it could not connect to has a row about that alone.
    (!facts.is_empty()).then_some(facts)
}

/// It speaks of the server as a whole, which is of the newest version that has an order in the sense of old.
fn order(facts: &mut Facts, found: &BTreeMap<&str, &str>) {
    let Some(finding) = found.get("cipher_order") else { return };
    let offered = |protocol: &&&str| facts.get(**protocol) == Some(&said(true));
    let Some(newest) = PROTOCOLS[..5].iter().rev().find(offered) else { return };
    let word = match *finding {
        "server" => "server",
        finding if finding.contains("NOT a cipher order") => "client",
        _ => return,
    };
    facts.insert(format!("order {newest}"), word.into());
}

fn curves(facts: &mut Facts, found: &BTreeMap<&str, &str>) {
    let Some(listed) = found.get("PFS_ECDHE_curves").or_else(|| found.get("FS_ECDHE_curves")) else { return };
    let by_name = |name: &str| {
        registry::groups()
            .iter()
            .find(|group| group.name.eq_ignore_ascii_case(name) || (name == "prime256v1" && group.name == "secp256r1"))
            .map_or_else(|| name.to_owned(), |group| group.name.clone())
    };
    let names: BTreeSet<String> = listed.split_whitespace().map(by_name).collect();
    facts.insert("curves".into(), names.into());
}

fn flaws(facts: &mut Facts, rows: &[Json], found: &BTreeMap<&str, &str>) {
    // Its words for good are these; a `potentially` or `likely` is neither.
    let vulnerable = |finding: &str| match finding {
        finding if finding.starts_with("not vulnerable") || finding.starts_with("no ") => said(false),
        finding if finding.to_uppercase().starts_with("VULNERABLE") || finding.starts_with("uses ") => said(true),
        finding => Value::Unknown(finding.to_owned()),
    };
    let mut add = |name: &str, value: Value| drop(facts.insert(name.to_owned(), value));
    let named = [
        ("heartbleed", "heartbleed"),
        ("ccs", "CCS"),
        ("robot", "ROBOT"),
        ("poodle", "POODLE_SSL"),
        ("freak", "FREAK"),
        ("sweet32", "SWEET32"),
        ("drown", "DROWN"),
        ("rc4", "RC4"),
        ("compression", "CRIME_TLS"),
    ];
    for (name, id) in named {
        if let Some(finding) = found.get(id) {
            add(name, vulnerable(finding));
        }
    }
    if let Some(finding) = found.get("secure_renego") {
        add("secure renegotiation", said(finding.starts_with("supported")));
    }
    if let Some(finding) = found.get("secure_client_renego") {
        add("client renegotiation", said(finding.contains("mitigated") || finding.to_uppercase().starts_with("VULN")));
    }
    if let Some(finding) = found.get("TLS_extensions") {
        add("heartbeat", said(finding.contains("heartbeat")));
    }
    for (name, id) in [("ticket resumption", "sessionresumption_ticket"), ("id resumption", "sessionresumption_ID")] {
        if let Some(finding) = found.get(id) {
            let made = matches!(*finding, "supported" | "not supported");
            add(name, if made { said(*finding == "supported") } else { Value::Unknown((*finding).to_owned()) });
        }
    }
    match found.get("fallback_SCSV") {
        Some(finding) if finding.starts_with("supported") => add("fallback scsv", said(true)),
        Some(finding) if finding.starts_with("NOT supported") => add("fallback scsv", said(false)),
        _ => {}
    }
    if let Some(finding) = found.get("LOGJAM") {
        // It names a common prime here whatever its size, and finds fault with one of 1024 bits at most.
        let common = rows.iter().any(|row| {
            row["id"] == "LOGJAM-common_primes" && matches!(row["severity"].as_str(), Some("HIGH" | "CRITICAL"))
        });
        add("logjam", said(vulnerable(finding) == said(true) || common));
    }
}
