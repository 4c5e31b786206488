//! nmap with its scripts about TLS, by `-oX`.

use super::{attribute, scanner, tags};
use crate::facts::{Facts, PROTOCOLS, said, suites_of};
use crate::support::Scratch;
use probity::catalogue::registry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const SCRIPTS: &str = "ssl-enum-ciphers,ssl-heartbleed,ssl-ccs-injection,ssl-poodle,ssl-dh-params,sslv2";

/// The scripts follow the name of a service, and the names come from a file in a folder of one's own.
pub fn command(scratch: &Scratch, port: u16, word: Option<&str>, file: &Path) -> Option<Command> {
    let service = word.unwrap_or("https");
    scratch.write("nmap/nmap-services", format!("{service} {port}/tcp 0.5\n"));
    let mut command = scanner("nmap");
    command.args(["-sT", "-Pn", "-n", "--script", SCRIPTS, "--script-args", "tls.servername=localhost"]);
    command.arg("--datadir").arg(scratch.path().join("nmap"));
    command.args(["-p", &port.to_string(), "-oX"]).arg(file).arg("127.0.0.1");
    Some(command)
}

pub fn read(text: &str) -> Option<Facts> {
    if !text.contains("</nmaprun>") {
        return None;
    }
    let mut facts = Facts::new();
    let mut suites: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let (mut protocol, mut script) = ("", "");
    let mut found = BTreeSet::new();
    for (tag, rest) in tags(text) {
        let key = attribute(tag, "key").unwrap_or_default();
        if tag.starts_with("script ") {
            script = attribute(tag, "id").unwrap_or_default();
            found.insert(script);
        } else if script != "ssl-enum-ciphers" {
            if tag.starts_with("elem") && key == "state" && rest == "VULNERABLE" {
                found.insert(match script {
                    "ssl-heartbleed" => "heartbleed",
                    "ssl-ccs-injection" => "ccs",
                    "ssl-poodle" => "poodle",
                    "ssl-dh-params" => "dh",
                    _ => "",
                });
            }
        } else if tag.starts_with("table") && PROTOCOLS.contains(&key) {
            protocol = key;
        } else if tag.starts_with("elem") && key == "name" {
            suites.entry(protocol).or_default().insert(by_name(rest));
        } else if tag.starts_with("elem") && key == "cipher preference" && rest != "indeterminate" {
            facts.insert(format!("order {protocol}"), rest.into());
        }
    }
    // What the script does not list, it did not find; without a word of its own it says nothing.
    if found.contains("ssl-enum-ciphers") {
        facts.extend(
            PROTOCOLS[1..].iter().map(|protocol| ((*protocol).to_owned(), said(suites.contains_key(protocol)))),
        );
    }
    let ssl2 = said(found.contains("sslv2"));
    facts.extend(["SSLv2", "drown"].map(|name| (name.to_owned(), ssl2.clone())));
    facts.extend(suites.into_iter().map(|(protocol, ids)| (suites_of(protocol), ids.into())));
    for flaw in ["heartbleed", "ccs", "poodle"] {
        facts.insert(flaw.into(), said(found.contains(flaw)));
    }
    Some(facts)
}

/// The id of a suite by nmap's name for it, which is IANA's for most.
fn by_name(name: &str) -> String {
    registry::suite_by_name(&name.replace("TLS_AKE_WITH_", "TLS_"))
        .map_or_else(|| name.to_owned(), |suite| suite.id_hex.clone())
}
