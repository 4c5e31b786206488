//! sslscan, by `--xml`.

use super::{attribute, scanner, tags};
use crate::facts::{Facts, said, suites_of};
use crate::support::Scratch;
use probity::catalogue::registry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

pub fn command(_: &Scratch, port: u16, word: Option<&str>, file: &Path) -> Option<Command> {
    let mut command = scanner("sslscan");
    match word {
        Some("postgresql") => drop(command.arg("--starttls-psql")),
        Some(word) => drop(command.arg(format!("--starttls-{word}"))),
        None => {}
    }
    command.arg("--sni-name=localhost").arg(format!("--xml={}", file.display())).arg(format!("127.0.0.1:{port}"));
    Some(command)
}

pub fn read(text: &str) -> Option<Facts> {
    if !text.contains("</document>") {
        return None;
    }
    let mut facts = Facts::new();
    let mut suites: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut curves, mut keys, mut bleeds) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    let (mut renegotiation, mut sizes) = (None, Vec::new());
    for (tag, _) in tags(text) {
        let value = |name| attribute(tag, name).unwrap_or_default();
        match tag.split(' ').next().unwrap_or_default() {
            "protocol" => {
                let minor = if value("type") == "tls" {
                    format!("TLSv{}", value("version"))
                } else {
                    format!("SSLv{}", value("version"))
                };
                facts.insert(minor, said(value("enabled") == "1"));
            }
            "cipher" => {
                let id = format!("0x{}", value("id").trim_start_matches("0x"));
                sizes.extend(value("dhebits").parse::<u32>());
                suites.entry(value("sslversion").to_owned()).or_default().insert(id);
            }
            "group" => {
                let id = u16::from_str_radix(value("id").trim_start_matches("0x"), 16).unwrap();
                let group = registry::group(id).filter(|group| group.kind != "ffdhe");
                curves.extend(group.map(|group| group.name.clone()));
            }
            // Of a key on a curve it tells the strength, which is half the size.
            "pk" => {
                let times = if value("type") == "EC" { 2 } else { 1 };
                let bits = value("bits").parse::<u32>().unwrap() * times;
                keys.insert(format!("{} {bits}", value("type")));
            }
            "heartbleed" => bleeds.push(value("vulnerable") == "1"),
            "renegotiation" => renegotiation = Some(value("secure") == "1"),
            "compression" => drop(facts.insert("compression".into(), said(value("supported") == "1"))),
            "fallback" => drop(facts.insert("fallback scsv".into(), said(value("supported") == "1"))),
            _ => {}
        }
    }
    let drown = facts.get("SSLv2").cloned();
    facts.extend(drown.map(|value| ("drown".to_owned(), value)));
    facts.extend(suites.into_iter().map(|(protocol, ids)| (suites_of(&protocol), ids.into())));
    if !curves.is_empty() {
        facts.insert("curves".into(), curves.into());
    }
    if !keys.is_empty() {
        facts.insert("certificates".into(), keys.into_iter().collect::<Vec<_>>().join(" + ").into());
    }
    if !bleeds.is_empty() {
        facts.insert("heartbleed".into(), said(bleeds.contains(&true)));
    }
    if let Some(smallest) = sizes.iter().min() {
        facts.insert("smallest dh".into(), smallest.to_string().into());
    }
    facts.extend(renegotiation.map(|secure| ("secure renegotiation".to_owned(), said(secure))));
    (!facts.is_empty()).then_some(facts)
}
