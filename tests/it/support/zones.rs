//! A real authoritative server of names with zones of its own, from a root that its own key signs.

use super::{Scratch, Server, free_port, program};
use probity::model::dns::{Anchor, Settings};
use std::path::Path;
use std::process::Command;

/// The time as of which the zones are signed.
pub const NOW: &str = "2026-11-25T12:00:00Z";

/// A digest that is nobody's, for records that match nothing.
pub const NOBODY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// How a zone is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// Not at all.
    Plain,
    /// From the beginning of the month to a month from now.
    Good,
    /// The same, with hashed names and one extra round.
    Hashed,
    /// Until yesterday.
    Expired,
    /// Well, and then a record was changed.
    Changed,
    /// Well, and its parent holds the digest of a key that is not its own.
    Strange,
}

/// A zone below `example`.
pub struct Zone {
    /// Its first label.
    pub label: &'static str,
    /// How it is signed.
    pub signing: Signing,
    /// Its parent holds a digest of its key.
    pub vouched: bool,
    /// Its records, beside those that every zone has.
    pub records: String,
}

/// The server.
pub struct Names {
    _server: Server,
    scratch: Scratch,
    /// How it is asked.
    pub settings: Settings,
}

impl Names {
    /// Where its zones are.
    pub fn folder(&self) -> &Path {
        self.scratch.path()
    }

    /// Starts a server of these zones.
    pub fn start(name: &str, zones: &[Zone]) -> Option<Names> {
        let nsd = program("nsd")?;
        program("ldns-signzone")?;
        let scratch = Scratch::new(name);
        let folder = scratch.path();
        let mut delegations = String::new();
        for zone in zones {
            let origin = format!("{}.example", zone.label);
            let text = format!("$ORIGIN {origin}.\n{HEAD}@ NS ns.example.\n@ A 127.0.0.1\n{}\n", zone.records);
            let ds = make(folder, &origin, &text, zone.signing);
            delegations.push_str(&format!("{} NS ns.example.\n", zone.label));
            if zone.vouched && matches!(zone.signing, Signing::Plain | Signing::Strange) {
                delegations.push_str(&format!("{origin}. DS 1 13 2 {NOBODY}\n"));
            } else if zone.vouched {
                delegations.push_str(&format!("{ds}\n"));
            }
        }
        let example = format!("$ORIGIN example.\n{HEAD}@ NS ns\nns A 127.0.0.1\n{delegations}");
        let ds = make(folder, "example", &example, Signing::Good);
        let root =
            format!("$ORIGIN .\n{HEAD}@ NS ns.example.\nexample. NS ns.example.\nns.example. A 127.0.0.1\n{ds}\n");
        let anchor = make(folder, ".", &root, Signing::Good);
        let anchor = anchor.split(" DS ").nth(1).and_then(Anchor::parse).unwrap();

        let port = free_port();
        let mut text = format!(
            "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n chroot: \"\"\n zonesdir: \"{0}\"\n database: \"\"\n \
             pidfile: \"{0}/pid\"\n xfrdfile: \"{0}/xfrd\"\n xfrdir: \"{0}\"\n zonelistfile: \"{0}/list\"\n logfile: \"{0}/log\"\n \
             server-count: 1\n rrl-ratelimit: 0\nremote-control:\n control-enable: no\n",
            folder.display()
        );
        let origins = zones.iter().map(|zone| format!("{}.example", zone.label));
        for origin in origins.chain(["example".to_owned(), ".".to_owned()]) {
            text.push_str(&format!("zone:\n name: \"{origin}\"\n zonefile: \"{}\"\n", file(&origin)));
        }
        let config = scratch.write("nsd.conf", text);
        let server = Server::start(Command::new(nsd).arg("-d").arg("-c").arg(config), port);
        let resolver = Some(([127, 0, 0, 1], port).into());
        Some(Names { _server: server, scratch, settings: Settings { resolver, anchors: vec![anchor] } })
    }
}

const HEAD: &str = "$TTL 300\n@ SOA ns.example. host.example. 1 3600 600 86400 300\n";

fn file(origin: &str) -> String {
    format!("{}.zone", if origin == "." { "root" } else { origin })
}

/// Writes a zone and signs it; gives the digest of its key as a line for its parent.
fn make(folder: &Path, origin: &str, text: &str, signing: Signing) -> String {
    let file = folder.join(file(origin));
    std::fs::write(&file, text).unwrap();
    if signing == Signing::Plain {
        return String::new();
    }
    let run = |name: &str, arguments: &[&str]| {
        let output = Command::new(program(name).unwrap()).args(arguments).current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let key = run("ldns-keygen", &["-a", "ECDSAP256SHA256", "-k", origin]);
    let (begins, ends) = if signing == Signing::Expired {
        ("20261001000000", "20261124120000")
    } else {
        ("20261101000000", "20261225120000")
    };
    let path = file.to_str().unwrap();
    let mut arguments = vec!["-i", begins, "-e", ends, "-f", path];
    if signing == Signing::Hashed {
        arguments.extend(["-n", "-t", "1", "-s", "ab"]);
    }
    arguments.extend([path, key.as_str()]);
    run("ldns-signzone", &arguments);
    if signing == Signing::Changed {
        let signed = std::fs::read_to_string(&file).unwrap();
        let changed = signed.replace("\tA\t127.0.0.1", "\tA\t127.0.0.2");
        assert_ne!(signed, changed, "no address was found to change");
        std::fs::write(&file, changed).unwrap();
    }
    let ds = std::fs::read_to_string(folder.join(format!("{key}.ds"))).unwrap();
    let words: Vec<&str> = ds.split_ascii_whitespace().collect();
    let at = words.iter().position(|word| *word == "DS").unwrap();
    format!("{}. DS {}", origin.trim_end_matches('.'), words[at + 1..].join(" "))
}
