//! What is measured.

use crate::look::Looked;
use crate::peer::{self, Spent};
use crate::proxy::Proxies;
use crate::support::lab::{self, Options};
use crate::support::tls::{haproxy, nginx};
use crate::support::{Scratch, free_port};
use crate::table::{Figures, Row, say};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// TLS 1.2 and 1.3, three suites each.
const MODERN: &str = "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305;";
/// How long the way is.
const FAR: Duration = Duration::from_millis(100);

/// A row, by the word that selects it.
type Named = (&'static str, fn(&mut Figures, &[&str]));

const ROWS: [Named; 6] = [
    ("nginx", of_nginx),
    ("haproxy", of_haproxy),
    ("everything", of_everything),
    ("full", full),
    ("fifty", fifty),
    ("sweep", sweep),
];

/// Measures the rows that these words name, or all. The word `ours` leaves the other scanners out; `steps` lists when
/// each answer of an enumeration came.
pub fn measure(words: &[&str]) {
    let mut figures = Figures::default();
    let named = |name: &str| words.contains(&name);
    let all = !ROWS.iter().any(|(name, _)| named(name));
    for (name, row) in ROWS {
        if all || named(name) {
            row(&mut figures, words);
        }
    }
    figures.print();
}

fn of_nginx(figures: &mut Figures, words: &[&str]) {
    let scratch = Scratch::new("figures-nginx");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let right = suites(&[("TLSv1.2", 3), ("TLSv1.3", 3)]);
    enumeration(figures, words, "nginx 3 + 3", port, 8, &right);
}

fn of_haproxy(figures: &mut Figures, words: &[&str]) {
    let right = suites(&[("TLSv1.2", 9), ("TLSv1.3", 3)]);
    for (options, work) in [("prefer-client-ciphers", "HAProxy 9 + 3"), ("", "HAProxy 9 + 3, its own order")] {
        let scratch = Scratch::new("figures-haproxy");
        let Some((_server, port)) = haproxy(&scratch, options) else { return };
        enumeration(figures, words, work, port, 8, &right);
    }
}

fn of_everything(figures: &mut Figures, words: &[&str]) {
    let scratch = Scratch::new("figures-everything");
    let ciphers = "ALL:COMPLEMENTOFALL:eNULL:aNULL:@SECLEVEL=0";
    let options = Options {
        ciphers,
        versions: Some(("TLSv1", "TLSv1.2")),
        prime: Some(lab::OAKLEY_1024),
        client_order: true,
        key: "rsa:2048",
        second_key: Some("ec"),
    };
    let Some((_server, port)) = lab::node(&scratch, lab::OPENSSL_1_1_1K, &options) else { return };
    let right = crate::truth::accepted(&scratch, lab::OPENSSL_1_1_1K, port).unwrap_or_default();
    say(&format!("OpenSSL 1.1.1k accepts, asked by its own client suite by suite: {}", listed(&right)));
    for connections in [8, 64] {
        let words: Vec<&str> = words.iter().copied().chain((connections > 8).then_some("ours")).collect();
        enumeration(figures, &words, &format!("OpenSSL 1.1.1k, {connections} at once"), port, connections, &right);
    }
}

/// The enumeration of one server, by all.
fn enumeration(
    figures: &mut Figures,
    words: &[&str],
    work: &str,
    port: u16,
    connections: u32,
    right: &BTreeMap<String, usize>,
) {
    let scratch = Scratch::new("figures-enumeration");
    let proxies = Proxies::new(FAR, false);
    let address = proxies.to(port);
    let me = std::env::current_exe().unwrap();
    let looking = |_: &Path| vec!["look".to_owned(), connections.to_string(), "quick".to_owned(), address.to_string()];
    let spent = peer::run(&scratch, &me, &looking(&me));
    let (_, _, at_once) = proxies.take();
    let looked: Looked = serde_json::from_str(&spent.out).unwrap();
    if words.contains(&"steps") {
        list(&looked);
    }
    let found = format!("{}, {} groups, keys {:?}", judged(&looked.suites, right), looked.groups, looked.keys);
    figures.add(Row {
        work: work.to_owned(),
        by: "probity".to_owned(),
        hellos: Some(looked.hellos),
        connections: Some(looked.connections),
        at_once: Some(at_once),
        seconds: Some(looked.seconds),
        cpu: Some(spent.cpu),
        memory: Some(spent.memory),
        found,
    });
    if words.contains(&"ours") {
        return;
    }
    let targets = [address.to_string()];
    for peer in [Peer::Nmap, Peer::Sslyze] {
        let (row, out) = peer.measure(&scratch, &proxies, &targets);
        let Some(out) = out else {
            figures.add(Row { work: work.to_owned(), ..row });
            continue;
        };
        // nmap 7.93 knows no TLS 1.3 suite-by-suite in every build; what it lacks is shown.
        let found = judged(&peer.suites(&out, &scratch), right);
        figures.add(Row { work: work.to_owned(), found, ..row });
    }
}

/// When each answer came.
fn list(looked: &Looked) {
    looked.steps.iter().for_each(|(second, step)| say(&format!("{second:6.3} {step}")));
}

/// The other scanners.
#[derive(Clone, Copy)]
enum Peer {
    Nmap,
    Sslyze,
    Testssl,
}

impl Peer {
    fn names(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Peer::Nmap => ("nmap", &["nmap"]),
            Peer::Sslyze => ("sslyze", &["sslyze"]),
            Peer::Testssl => ("testssl.sh", &["testssl.sh", "testssl"]),
        }
    }

    fn arguments(self, scratch: &Scratch, targets: &[String]) -> Vec<String> {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<String>>();
        let mut arguments = match self {
            Peer::Nmap => {
                let ports: Vec<&str> = targets.iter().filter_map(|target| Some(target.split_once(':')?.1)).collect();
                let mut arguments = words("-Pn -n --script +ssl-enum-ciphers -p");
                arguments.push(ports.join(","));
                arguments.push("127.0.0.1".to_owned());
                return arguments;
            }
            Peer::Sslyze => {
                let _ = std::fs::remove_file(json(scratch));
                let versions = "--sslv2 --sslv3 --tlsv1 --tlsv1_1 --tlsv1_2 --tlsv1_3 --elliptic_curves --certinfo";
                let mut arguments = words(versions);
                arguments.extend(["--json_out".to_owned(), json(scratch).display().to_string()]);
                arguments
            }
            Peer::Testssl => words("--quiet --color 0 --warnings off --ip one"),
        };
        arguments.extend(targets.iter().cloned());
        arguments
    }

    fn measure(self, scratch: &Scratch, proxies: &Proxies, targets: &[String]) -> (Row, Option<String>) {
        let (name, programs) = self.names();
        let Some(program) = peer::find(programs) else {
            let found = "not installed".to_owned();
            return (Row { by: name.to_owned(), found, ..Row::default() }, None);
        };
        let spent = peer::run(scratch, &program, &self.arguments(scratch, targets));
        let row = counted(proxies, &spent);
        (Row { by: name.to_owned(), ..row }, Some(spent.out))
    }

    fn suites(self, out: &str, scratch: &Scratch) -> BTreeMap<String, usize> {
        match self {
            Peer::Sslyze => peer::sslyze(&std::fs::read_to_string(json(scratch)).unwrap_or_default()),
            _ => peer::nmap(out),
        }
    }
}

fn json(scratch: &Scratch) -> PathBuf {
    scratch.path().join("sslyze.json")
}

/// A row of a run whose connections all went over these proxies.
fn counted(proxies: &Proxies, spent: &Spent) -> Row {
    let (connections, hellos, at_once) = proxies.take();
    Row {
        hellos: Some(hellos),
        connections: Some(connections),
        at_once: Some(at_once),
        seconds: Some(spent.seconds),
        cpu: Some(spent.cpu),
        memory: Some(spent.memory),
        ..Row::default()
    }
}

/// A whole scan of the first server by the command.
fn full(figures: &mut Figures, words: &[&str]) {
    let scratch = Scratch::new("figures-full");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let proxies = Proxies::new(FAR, false);
    let address = proxies.to(port).to_string();
    if words.contains(&"steps") {
        let arguments = ["look", "8", "full", &address].map(str::to_owned);
        let spent = peer::run(&scratch, &std::env::current_exe().unwrap(), &arguments);
        list(&serde_json::from_str(&spent.out).unwrap());
        proxies.take();
    }
    let report = scratch.path().join("report.json");
    for (profile, work) in [("full", "nginx 3 + 3, everything"), ("quick", "nginx 3 + 3, for the grade")] {
        let output = format!("json={}", report.display());
        let arguments = ["scan", &address, "--profile", profile, "-o", &output].map(str::to_owned);
        let spent = peer::run(&scratch, &probity(), &arguments);
        let row = counted(&proxies, &spent);
        let text = std::fs::read_to_string(&report).unwrap_or_default();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let results = value["results"].as_array().map_or(0, Vec::len);
        let found = format!("{results} results of checks");
        figures.add(Row { work: work.to_owned(), by: "probity".to_owned(), found, ..row });
    }
    if !words.contains(&"ours") {
        let (row, out) = Peer::Testssl.measure(&scratch, &proxies, &[address]);
        let found = out.map_or(row.found.clone(), |out| format!("{} lines", out.lines().count()));
        figures.add(Row { work: "nginx 3 + 3, everything".to_owned(), found, ..row });
    }
}

/// Fifty endpoints, each over a way of its own.
fn fifty(figures: &mut Figures, words: &[&str]) {
    let scratch = Scratch::new("figures-fifty");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let proxies = Proxies::new(FAR, false);
    let targets: Vec<String> = (0..50).map(|_| proxies.to(port).to_string()).collect();
    let work = "50 x nginx 3 + 3".to_owned();
    let me = std::env::current_exe().unwrap();
    let mut arguments = vec!["look".to_owned(), "8".to_owned(), "quick".to_owned()];
    arguments.extend(targets.iter().cloned());
    let spent = peer::run(&scratch, &me, &arguments);
    proxies.take();
    let looked: Looked = serde_json::from_str(&spent.out).unwrap();
    let right = suites(&[("TLSv1.2", 3), ("TLSv1.3", 3)]);
    let alike = if looked.alike { "all alike" } else { "NOT all alike" };
    figures.add(Row {
        work: work.clone(),
        by: "probity".to_owned(),
        hellos: Some(looked.hellos),
        connections: Some(looked.connections),
        seconds: Some(looked.seconds),
        cpu: Some(spent.cpu),
        memory: Some(spent.memory),
        found: format!("{}, {alike}", judged(&looked.suites, &right)),
        ..Row::default()
    });
    if words.contains(&"ours") {
        return;
    }
    for peer in [Peer::Nmap, Peer::Sslyze] {
        let (row, out) = peer.measure(&scratch, &proxies, &targets);
        let found = out.map_or(row.found.clone(), |out| format!("first: {}", listed(&peer.suites(&out, &scratch))));
        figures.add(Row { work: work.clone(), found, ..row });
    }
}

/// Some 2,000 endpoints on loopback, against a client that understands nothing.
fn sweep(figures: &mut Figures, _: &[&str]) {
    let scratch = Scratch::new("figures-sweep");
    let port = free_port();
    let hosts: Vec<String> =
        (0..8).flat_map(|net| (1..=250).map(move |host| format!("127.3.{net}.{host}:{port}"))).collect();
    let listens: Vec<String> = hosts.iter().map(|host| format!("listen {host} ssl http2;")).collect();
    let Some((server, other)) = nginx(&scratch, &format!("{} {MODERN}", listens.join(" "))) else { return };
    let proxies = Proxies::new(Duration::ZERO, true);
    let way = proxies.to(other).to_string();
    let one = scratch.path().join("one.ndjson").display().to_string();
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<String>>();
    peer::run(&scratch, &probity(), &words(&["sweep", &way, "--profile", "quick", "-o", &one]));
    let script = scratch.write("script.json", serde_json::to_string(&proxies.kept()).unwrap());
    let list = scratch.write("list.txt", format!("{}\n", hosts.join("\n"))).display().to_string();
    let work = format!("{} x nginx 3 + 3, for the grade", hosts.len());
    let me = std::env::current_exe().unwrap();
    let before = processor(server.id());
    let bare = peer::run(&scratch, &me, &words(&["bare", &script.display().to_string(), &list]));
    let between = processor(server.id());
    let all = scratch.path().join("all.ndjson");
    let arguments = words(&["sweep", "--from", &list, "--profile", "quick", "-q", "-o", &all.display().to_string()]);
    let spent = peer::run(&scratch, &probity(), &arguments);
    let after = processor(server.id());
    let (connections, hellos, _) = proxies.take();
    let lines = std::fs::read_to_string(&all).unwrap_or_default().lines().count().saturating_sub(1);
    for (by, spent, found) in [
        ("bare client", &bare, format!("{connections} connections each; server {:.1} CPU s", between - before)),
        ("probity", &spent, format!("{lines} judged; server {:.1} CPU s", after - between)),
    ] {
        figures.add(Row {
            work: work.clone(),
            by: by.to_owned(),
            hellos: Some(hellos * u32::try_from(hosts.len()).unwrap()),
            seconds: Some(spent.seconds),
            cpu: Some(spent.cpu),
            memory: Some(spent.memory),
            found,
            ..Row::default()
        });
    }
    say(&format!("rate: {:.2} of the bare client's", bare.seconds / spent.seconds));
}

/// A way to `PORT`, for trials by hand, until the process is ended.
pub fn way(words: &[&str]) -> String {
    let proxies = Proxies::new(FAR, false);
    say(&proxies.to(words.first().and_then(|port| port.parse().ok()).unwrap_or(443)).to_string());
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let (connections, hellos, at_once) = proxies.take();
        if connections > 0 {
            say(&format!("{connections} connections, {hellos} hellos, at most {at_once} at once"));
        }
    }
}

/// Processor time of a server and its children in seconds, where the system tells.
fn processor(id: u32) -> f64 {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let mut ids: Vec<u32> = children.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    ids.push(id);
    let ticks = |id: &u32| -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        fields.iter().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum()
    };
    ids.iter().map(ticks).sum::<f64>() / 100.0
}

/// The command, built beside this one.
fn probity() -> PathBuf {
    let me = std::env::current_exe().unwrap();
    me.parent().and_then(Path::parent).unwrap().join("probity")
}

fn suites(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|(version, count)| ((*version).to_owned(), *count)).collect()
}

fn listed(suites: &BTreeMap<String, usize>) -> String {
    let total: usize = suites.values().sum();
    let each: Vec<String> = suites.iter().map(|(version, count)| format!("{version} {count}")).collect();
    format!("{total} ({})", each.join(", "))
}

fn judged(found: &BTreeMap<String, usize>, right: &BTreeMap<String, usize>) -> String {
    let word = if found == right { "right" } else { "WRONG" };
    format!("{word}: {}", listed(found))
}
