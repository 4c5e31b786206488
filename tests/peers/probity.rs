//! The scanner under test: the whole command, and what its report says.

use crate::facts::{Facts, Value, said, suites_of};
use crate::servers::Running;
use crate::support::names::{self, Query};
use crate::support::{Scratch, probity};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// A resolver on loopback that knows of no record: `localhost` needs none, and no other machine is to be asked.
pub fn resolver() -> SocketAddr {
    names::start(|query: &Query| vec![query.answer(0, 0, &[])], None)
}

/// Scans this server, reached by this port, and gives the data of each kind that was observed.
pub fn scan(scratch: &Scratch, running: &Running, port: u16, resolver: SocketAddr) -> BTreeMap<String, Json> {
    let mut target = format!("id: server, kind: endpoint, address: \"{}:{port}\"", running.host);
    if let Some(word) = running.word {
        target += &format!(", starttls: {word}");
    }
    if let Some(anchor) = &running.anchor {
        target += &format!(", tls: {{ ca: \"{}\" }}", anchor.display());
    }
    let text = format!("dns: {{ resolver: \"{resolver}\" }}\ntargets: [{{ {target} }}]\n");
    let configuration = scratch.write("probity.yaml", text);
    let report = scratch.path().join("report.json");
    let mut command = probity();
    command.arg("scan").arg("-q").arg("-c").arg(configuration).arg("-o").arg(format!("json={}", report.display()));
    let output = command.timeout(Duration::from_secs(400)).output().unwrap();
    let text = std::fs::read_to_string(&report)
        .unwrap_or_else(|error| panic!("no report: {error}: {}", String::from_utf8_lossy(&output.stderr)));
    let report: Json = serde_json::from_str(&text).unwrap();
    let observations = report["observations"].as_array().unwrap();
    let word = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    // `localhost` has an address of IPv6, too, on which nobody listens.
    let here = observations.iter().filter(|observation| word(&observation["part"]).starts_with("127.0.0.1:"));
    here.map(|observation| (word(&observation["kind"]), observation["data"].clone())).collect()
}

/// What it says.
pub fn read(seen: &BTreeMap<String, Json>) -> Facts {
    let mut reader = Reader { seen, facts: Facts::new() };
    reader.protocols();
    reader.suites();
    reader.keys();
    reader.switches();
    reader.flaws();
    reader.facts
}

struct Reader<'a> {
    seen: &'a BTreeMap<String, Json>,
    facts: Facts,
}

impl Reader<'_> {
    fn of(&self, kind: &str) -> &Json {
        self.seen.get(kind).unwrap_or(&Json::Null)
    }

    fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// A fact with a word, of which some are the same in our terms; one that does not apply says nothing.
    fn word(&mut self, name: &str, fact: &Json, yes: &[&str]) {
        let value = match fact.as_str() {
            Some("not-applicable") => return,
            Some(word) => said(yes.contains(&word)),
            None => unknown(fact),
        };
        self.add(name, value);
    }

    fn protocols(&mut self) {
        let data = self.of("tls.protocols").clone();
        for offered in list(&data["offered"]) {
            self.add(offered["name"].as_str().unwrap(), said(true));
        }
        for refused in list(&data["refused"]) {
            self.add(refused.as_str().unwrap(), said(false));
        }
        for name in list(&data["unknown"]) {
            self.add(name.as_str().unwrap(), Value::Unknown("neither offered nor refused".into()));
        }
        self.word("fallback scsv", &data["fallback_scsv"], &["yes"]);
    }

    fn suites(&mut self) {
        let data = self.of("tls.suites").clone();
        let mut suites: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for suite in list(&data["suites"]) {
            let protocol = suites.entry(suite["protocol"].as_str().unwrap()).or_default();
            protocol.insert(suite["id"].as_str().unwrap().to_owned());
        }
        for (protocol, ids) in suites {
            self.add(&suites_of(protocol), ids);
        }
        for cut in list(&data["incomplete"]) {
            let why = Value::Unknown(cut["reason"].to_string());
            self.add(&suites_of(cut["protocol"].as_str().unwrap()), why);
        }
        for order in list(&data["order"]) {
            let name = format!("order {}", order["protocol"].as_str().unwrap());
            match order["preference"].as_str() {
                Some("single") => {}
                Some(word) => self.add(&name, word),
                None => self.add(&name, unknown(&order["preference"])),
            }
        }
    }

    fn keys(&mut self) {
        let groups = self.of("tls.groups").clone();
        let elliptic = list(&groups["groups"]).iter().filter(|group| group["kind"] != "ffdhe");
        let names: BTreeSet<String> = elliptic.map(|group| group["name"].as_str().unwrap().to_owned()).collect();
        self.add("curves", names);
        if !list(&groups["incomplete"]).is_empty() {
            self.add("curves", Value::Unknown(groups["incomplete"].to_string()));
        }
        let dh = self.of("tls.dh").clone();
        let named =
            list(&dh["named_seen"]).iter().filter_map(|name| name.as_str()?.strip_prefix("ffdhe")?.parse().ok());
        let smallest = list(&dh["parameters"]).iter().filter_map(|one| one["bits"].as_u64()).chain(named).min();
        self.add("smallest dh", smallest.map_or("none".into(), |bits| bits.to_string()));
        let certificates = self.of("tls.certificates").clone();
        let kind = |deployment: &Json| {
            let leaf = &deployment["leaf"];
            format!("{} {}", leaf["key_type"].as_str().unwrap(), leaf["key_bits"])
        };
        let kinds: BTreeSet<String> = list(&certificates["deployments"]).iter().map(kind).collect();
        self.add("certificates", kinds.into_iter().collect::<Vec<_>>().join(" + "));
    }

    fn switches(&mut self) {
        let features = self.of("tls.features").clone();
        self.word("secure renegotiation", &features["secure_renegotiation"], &["yes"]);
        self.word("heartbeat", &features["heartbeat"], &["yes"]);
        self.word("compression", &features["compression"], &["deflate", "DEFLATE", "lzs"]);
        let renegotiation = self.of("tls.renegotiation").clone();
        self.word("client renegotiation", &renegotiation["client_initiated"], &["accepted", "limited"]);
        let resumption = self.of("tls.resumption").clone();
        self.word("ticket resumption", &resumption["ticket"], &["yes"]);
        self.word("id resumption", &resumption["session_id"], &["yes", "resumed"]);
    }

    fn flaws(&mut self) {
        let names = ["heartbleed", "ccs", "robot", "poodle", "freak", "logjam", "drown", "sweet32", "rc4"];
        let data = self.of("tls.vulnerabilities").clone();
        for row in list(&data["tests"]) {
            if let Some(name) = names.iter().find(|name| row["name"] == **name) {
                let value = row["vulnerable"].as_bool().map_or_else(|| unknown(&row["vulnerable"]), said);
                self.add(name, value);
            }
        }
    }
}

fn list(value: &Json) -> &[Json] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn unknown(fact: &Json) -> Value {
    Value::Unknown(fact["unknown"].as_str().unwrap_or("nothing was observed").to_owned())
}
