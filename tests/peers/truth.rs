//! What is true of a server: asked of it directly, by client libraries and by single exchanges, or known from how it is
//! configured. No scanner has a part in it.

use crate::facts::{Facts, PROTOCOLS, said, suites_of};
use crate::servers::{Running, node_program};
use crate::support::{Scratch, lab};
use crate::{gnutls, raw};
use probity::catalogue::registry::{self, Suite};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

/// Where the truth of each fact comes from, by the beginning of its name.
pub const SOURCES: &[(&str, &str)] = &[
    ("SSLv2", "a CLIENT-HELLO of SSLv2 by hand: a SERVER-HELLO came back, or not"),
    ("SSLv3", "at least one suite is accepted with it"),
    ("TLSv", "at least one suite is accepted with it"),
    (
        "suites",
        "a connection for each version and suite by OpenSSL 1.0.1e, 1.0.2o, 1.1.1k and 3.5 as clients, and by GnuTLS for DHE",
    ),
    (
        "order",
        "the same client offers all accepted suites, and then the other way round; with SSLv2 the client always chooses",
    ),
    ("curves", "a connection for each group with TLS 1.2 and 1.3 by OpenSSL 3.5"),
    ("certificates", "the server's configuration"),
    (
        "smallest dh",
        "the prime in the ServerKeyExchange for each accepted DHE suite, and for each field of RFC 7919 that GnuTLS names",
    ),
    ("heartbeat", "the extension in a ServerHello"),
    ("heartbleed", "a heartbeat of 0 bytes that claims 4096"),
    ("ccs", "the version of the library: mended in OpenSSL 1.0.0m and 1.0.1h (CVE-2014-0224)"),
    ("secure renegotiation", "the extension in a ServerHello"),
    ("client renegotiation", "`openssl s_client` asks for it in a session"),
    ("compression", "the method in a ServerHello, with DEFLATE offered first"),
    ("ticket resumption", "`openssl s_client -sess_in` with tickets"),
    ("id resumption", "`openssl s_client -sess_in -no_ticket`"),
    ("fallback scsv", "a hello of the second best version is answered, and refused with TLS_FALLBACK_SCSV beside it"),
    ("poodle", "the accepted suites: CBC with SSLv3"),
    ("freak", "the accepted suites: RSA_EXPORT"),
    ("logjam", "the accepted suites and their primes: DHE with 1024 bits or fewer"),
    ("drown", "SSLv2 is answered"),
    ("sweet32", "the accepted suites: blocks of 64 bits"),
    ("rc4", "the accepted suites: RC4"),
    ("robot", "five ClientKeyExchanges by hand, one of them right: all are answered alike, or not"),
];

/// The suites of SSLv2 by OpenSSL's names, which the registry leaves open.
const SSL2: [(&str, &str); 7] = [
    ("RC4-MD5", "0x010080"),
    ("EXP-RC4-MD5", "0x020080"),
    ("RC2-CBC-MD5", "0x030080"),
    ("EXP-RC2-CBC-MD5", "0x040080"),
    ("IDEA-CBC-MD5", "0x050080"),
    ("DES-CBC-MD5", "0x060040"),
    ("DES-CBC3-MD5", "0x0700C0"),
];

/// A client library for each generation of suites: OpenSSL 1.0.1e, 1.0.2o, 1.1.1k, 3.5.
const CLIENTS: [&str; 4] = [lab::OPENSSL_1_0_1E_MENDED, lab::OPENSSL_1_0_2O, lab::OPENSSL_1_1_1K, lab::OPENSSL_3_5];

/// A question of the client: version, cipher string, group.
type Question = (&'static str, String, Option<String>);

/// What was agreed: the suite, and the group where the client tells it.
#[derive(Clone, serde::Deserialize)]
struct Agreed {
    suite: String,
    group: String,
}

/// Asks a server, on a port where TLS comes first.
pub struct Inquiry<'a> {
    scratch: &'a Scratch,
    port: u16,
    /// Who accepted which OpenSSL name, by version.
    accepted: BTreeMap<&'static str, BTreeMap<String, &'static str>>,
    /// The bits of the primes that GnuTLS agreed on.
    fields: Vec<usize>,
    facts: Facts,
}

/// Everything that is true of this server, on a port where TLS comes first.
pub fn of(scratch: &Scratch, running: &Running, port: u16) -> Facts {
    let mut inquiry = Inquiry { scratch, port, accepted: BTreeMap::new(), fields: Vec::new(), facts: Facts::new() };
    inquiry.suites();
    inquiry.orders();
    inquiry.curves();
    inquiry.hellos();
    inquiry.sessions();
    inquiry.facts.insert("certificates".into(), running.keys.into());
    inquiry.facts.insert("ccs".into(), said(running.early_ccs));
    inquiry.flaws();
    inquiry.facts
}

impl Inquiry<'_> {
    /// What was agreed for each question, where anything was.
    fn ask(&self, client: &str, questions: &[Question]) -> Vec<Option<Agreed>> {
        let Some(program) = node_program(client) else { return vec![None; questions.len()] };
        let listed: Vec<Value> = questions
            .iter()
            .map(|(protocol, ciphers, group)| json!({ "protocol": protocol, "ciphers": ciphers, "group": group }))
            .collect();
        let job = json!({ "port": self.port, "at_once": 4, "questions": listed });
        let job = self.scratch.write("client.json", job.to_string());
        let script = self.scratch.write("client.js", include_str!("client.js"));
        let output = Command::new(program).arg(script).arg(job).stdin(Stdio::null()).output().unwrap();
        let answers: Vec<Option<Agreed>> = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{client}: {error}: {}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(answers.len(), questions.len());
        answers
    }

    fn suites(&mut self) {
        let names: BTreeSet<&str> = registry::suites()
            .iter()
            .map(|suite| suite.openssl_name.as_str())
            .filter(|name| !name.is_empty())
            .collect();
        let (modern, older): (Vec<&str>, Vec<&str>) = names.into_iter().partition(|name| name.starts_with("TLS_"));
        for protocol in PROTOCOLS {
            let (clients, names): (&[&'static str], Vec<&str>) = match protocol {
                "SSLv2" => (&CLIENTS[..1], SSL2.map(|(name, _)| name).to_vec()),
                "SSLv3" => (&CLIENTS[..1], older.clone()),
                "TLSv1.3" => (&CLIENTS[3..], modern.clone()),
                _ => (&CLIENTS, older.clone()),
            };
            let mut accepted = self.accept(protocol, clients, &names);
            if protocol == "TLSv1.2" {
                self.accept_named_fields(&mut accepted);
            }
            let offered = if protocol == "SSLv2" { raw::ssl2_answers(self.port) } else { !accepted.is_empty() };
            let id = |name: &String| match SSL2.iter().find(|(known, _)| protocol == "SSLv2" && known == name) {
                Some((_, id)) => (*id).to_owned(),
                None => registry::suite_by_name(name).unwrap().id_hex.clone(),
            };
            self.facts.insert(protocol.into(), said(offered));
            if !accepted.is_empty() {
                self.facts.insert(suites_of(protocol), accepted.keys().map(id).collect::<BTreeSet<_>>().into());
            }
            self.accepted.insert(protocol, accepted);
        }
        if self.accepted["SSLv2"].len() > 1 {
            self.facts.insert("order SSLv2".into(), "client".into());
        }
    }

    fn accept(
        &self,
        protocol: &'static str,
        clients: &[&'static str],
        names: &[&str],
    ) -> BTreeMap<String, &'static str> {
        let mut accepted = BTreeMap::new();
        for client in clients {
            let rest: Vec<&str> = names.iter().copied().filter(|name| !accepted.contains_key(*name)).collect();
            let questions: Vec<Question> = rest.iter().map(|name| (protocol, (*name).to_owned(), None)).collect();
            for (name, answer) in rest.into_iter().zip(self.ask(client, &questions)) {
                // Some names are also those of a whole class of suites.
                if answer.is_some_and(|agreed| agreed.suite == name || protocol == "SSLv2") {
                    accepted.insert(name.to_owned(), *client);
                }
            }
        }
        accepted
    }

    /// DHE suites that are given to clients who name the fields of RFC 7919.
    fn accept_named_fields(&mut self, accepted: &mut BTreeMap<String, &'static str>) {
        let agreed = |suite: (&str, &str, &str)| gnutls::agreed(self.port, suite, "ALL");
        let given: Vec<_> = gnutls::SUITES.into_iter().filter(|suite| agreed(*suite).is_some()).collect();
        if let Some(suite) = given.first() {
            self.fields = gnutls::FIELDS.iter().filter_map(|field| gnutls::agreed(self.port, *suite, field)).collect();
        }
        for (name, ..) in given {
            accepted.entry(name.to_owned()).or_insert("GnuTLS");
        }
    }

    fn orders(&mut self) {
        for protocol in PROTOCOLS.into_iter().filter(|protocol| *protocol != "SSLv2") {
            let accepted = &self.accepted[protocol];
            let of = |client: &'static str| {
                let mine = accepted.iter().filter(move |(_, by)| **by == client);
                mine.map(|(name, _)| name.as_str())
            };
            let Some(client) = CLIENTS.into_iter().max_by_key(|client| of(client).count()) else { continue };
            let mut names: Vec<&str> = of(client).collect();
            if names.len() < 2 {
                continue;
            }
            let forwards = (protocol, names.join(":"), None);
            names.reverse();
            let answers = self.ask(client, &[forwards, (protocol, names.join(":"), None)]);
            if let [Some(one), Some(other)] = &answers[..] {
                let order = if one.suite == other.suite { "server" } else { "client" };
                self.facts.insert(format!("order {protocol}"), order.into());
            }
        }
    }

    fn curves(&mut self) {
        let elliptic = |protocol: &str| {
            let names = self.accepted[protocol].keys().map(String::as_str);
            names.filter(|name| protocol == "TLSv1.3" || name.contains("ECDH")).collect::<Vec<_>>().join(":")
        };
        let mut questions: Vec<(Question, &str)> = Vec::new();
        for group in registry::groups().iter().filter(|group| group.kind != "ffdhe") {
            let name = known_to_openssl(&group.name);
            for (protocol, fits) in [("TLSv1.2", group.tls12), ("TLSv1.3", group.tls13)] {
                let ciphers = elliptic(protocol);
                if fits && !ciphers.is_empty() {
                    questions.push(((protocol, ciphers.clone(), Some(name.to_owned())), &group.name));
                    // Before TLS 1.3 the curve of an ECDSA certificate has to be in the list, too.
                    questions.push(((protocol, ciphers, Some(format!("{name}:P-256"))), &group.name));
                }
            }
        }
        let asked: Vec<Question> = questions.iter().map(|(question, _)| question.clone()).collect();
        let answers = self.ask(lab::OPENSSL_3_5, &asked);
        let mut curves = BTreeSet::new();
        for (((_, _, offered), name), answer) in questions.iter().zip(answers) {
            let alone = offered.as_ref().is_some_and(|offered| !offered.contains(':'));
            let chosen = answer.filter(|agreed| alone || same_curve(&agreed.group, name));
            curves.extend(chosen.map(|_| (*name).to_owned()));
        }
        self.facts.insert("curves".into(), curves.into());
    }

    /// The codes of the accepted suites of a version.
    fn codes(&self, protocol: &str) -> Vec<u16> {
        self.accepted[protocol].keys().map(|name| registry::suite_by_name(name).unwrap().id as u16).collect()
    }

    /// The newest version before TLS 1.3 with its code.
    fn newest(&self) -> Option<(&'static str, u16)> {
        let mut older = PROTOCOLS.into_iter().zip(0x2ff..0x304).filter(|(protocol, _)| *protocol != "SSLv2");
        older.rfind(|(protocol, _)| !self.accepted[protocol].is_empty())
    }

    fn hellos(&mut self) {
        let Some((protocol, version)) = self.newest() else { return };
        let codes = self.codes(protocol);
        let (_, answer) = raw::hello(self.port, version, &codes);
        let compression = answer.compression.expect("the server answered a client library");
        self.facts.insert("compression".into(), said(compression != 0));
        self.facts.insert("heartbeat".into(), said(answer.extensions.contains(&15)));
        self.facts.insert("secure renegotiation".into(), said(answer.extensions.contains(&0xff01)));
        self.facts.insert("heartbleed".into(), said(raw::bleeds(self.port, version, &codes)));
        self.fallback();
        self.primes();
        let transported = |name: &&String| registry::suite_by_name(name).unwrap().kx == "RSA";
        let transported: Vec<u16> = self.accepted[protocol]
            .keys()
            .filter(transported)
            .map(|name| registry::suite_by_name(name).unwrap().id as u16)
            .collect();
        let answers = match transported[..] {
            [] => BTreeSet::new(),
            _ => raw::bleichenbacher(self.port, version, &transported).into_iter().collect(),
        };
        self.facts.insert("robot".into(), said(answers.len() > 1));
    }

    fn fallback(&mut self) {
        let codes = PROTOCOLS.into_iter().zip(0x2ff..0x305u16).filter(|(protocol, _)| *protocol != "SSLv2");
        let offered: Vec<_> = codes.filter(|(protocol, _)| !self.accepted[protocol].is_empty()).collect();
        if let [.., (second, version), _] = offered[..] {
            let (_, usual) = raw::hello(self.port, version, &self.codes(second));
            assert!(usual.compression.is_some(), "the server answered a client library");
            let (_, answer) = raw::hello(self.port, version, &[self.codes(second), vec![0x5600]].concat());
            // Some end the connection at the point at which their library asks for the alert.
            let refused = answer.alert == Some(86) || answer.closed && answer.compression.is_none();
            self.facts.insert("fallback scsv".into(), said(refused));
        }
    }

    fn primes(&mut self) {
        let mut bits = self.fields.clone();
        for (protocol, version) in PROTOCOLS.into_iter().zip(0x2ff..0x304u16) {
            for name in self.accepted[protocol].keys() {
                let suite = registry::suite_by_name(name);
                if let Some(suite) = suite.filter(|suite| protocol != "SSLv2" && finite(suite)) {
                    bits.extend(raw::hello(self.port, version, &[suite.id as u16]).1.prime_bits);
                }
            }
        }
        let smallest = bits.iter().min().map_or("none".into(), ToString::to_string);
        self.facts.insert("smallest dh".into(), smallest.as_str().into());
        self.facts.insert("logjam".into(), said(bits.iter().any(|bits| *bits <= 1024)));
    }

    fn sessions(&mut self) {
        let Some((protocol, _)) = self.newest() else { return };
        for (fact, more) in [("ticket resumption", None), ("id resumption", Some("-no_ticket"))] {
            let file = self.scratch.path().join("session.pem");
            let _ = std::fs::remove_file(&file);
            let file = file.to_str().unwrap();
            let session = |way| self.s_client(protocol, more.into_iter().chain([way, file]), &[]);
            let first = session("-sess_out");
            let again = session("-sess_in");
            // Without the extension for tickets, a session comes back by its id alone.
            let by_ticket = first.contains("TLS session ticket:");
            let reused = again.contains("Reused, ") && by_ticket == (fact == "ticket resumption");
            self.facts.insert(fact.into(), said(reused));
        }
        let output = self.s_client(protocol, [], &["R\n"]);
        let handshakes = output.matches("verify return:1").count();
        let once = self.s_client(protocol, [], &[]).matches("verify return:1").count();
        let accepted = output.contains("RENEGOTIATING") && handshakes >= 2 * once.max(1);
        self.facts.insert("client renegotiation".into(), said(accepted));
    }

    /// What the client of OpenSSL 3.0 prints, with a certificate asked for and these commands typed.
    fn s_client<'a>(&self, protocol: &str, more: impl IntoIterator<Item = &'a str>, typed: &[&'static str]) -> String {
        let version = match protocol {
            "TLSv1.0" => "-tls1",
            "TLSv1.1" => "-tls1_1",
            _ => "-tls1_2",
        };
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &format!("127.0.0.1:{}", self.port), version]);
        command.args(["-servername", "localhost"]);
        command.args(["-cipher", "ALL:!aNULL:@SECLEVEL=0", "-legacy_server_connect"]).args(more);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let typed = typed.to_vec();
        let typing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(400));
            for command in typed {
                let _ = input.write_all(command.as_bytes());
                thread::sleep(Duration::from_millis(1000));
            }
            let _ = input.write_all(b"Q\n");
        });
        let output = child.wait_with_output().unwrap();
        typing.join().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// What follows from the suites.
    fn flaws(&mut self) {
        let any = |fits: &dyn Fn(&str, &Suite) -> bool| {
            let of = |(protocol, names): (&&'static str, &BTreeMap<String, &str>)| {
                names.keys().any(|name| registry::suite_by_name(name).is_some_and(|suite| fits(protocol, suite)))
            };
            said(self.accepted.iter().any(of))
        };
        let ssl2 =
            |names: &[&str]| self.accepted["SSLv2"].keys().any(|name| names.iter().any(|part| name.contains(part)));
        let short = ["3DES", "DES-CBC", "DES40", "IDEA", "RC2"];
        let sweet32 = ssl2(&["DES", "IDEA", "RC2"])
            || any(&|_, suite| short.iter().any(|cipher| suite.enc.contains(cipher))) == said(true);
        let rc4 = ssl2(&["RC4"]) || any(&|_, suite| suite.enc.contains("RC4")) == said(true);
        let drown = self.facts["SSLv2"].clone();
        let made = [
            ("poodle", any(&|protocol, suite| protocol == "SSLv3" && suite.enc.contains("CBC"))),
            ("freak", any(&|protocol, suite| protocol != "SSLv2" && suite.export && suite.kx.starts_with("RSA"))),
            ("sweet32", said(sweet32)),
            ("rc4", said(rc4)),
            ("drown", drown),
        ];
        self.facts.extend(made.map(|(name, value)| (name.to_owned(), value)));
    }
}

/// DHE with or without authentication.
fn finite(suite: &Suite) -> bool {
    suite.kx.starts_with("DHE") || suite.kx.starts_with("DH_anon") || suite.openssl_name.starts_with("ADH")
}

/// Whether the client means this group.
fn same_curve(told: &str, name: &str) -> bool {
    let told = match told {
        "prime256v1" => "secp256r1",
        "prime192v1" => "secp192r1",
        told => told,
    };
    told.eq_ignore_ascii_case(name)
}

/// OpenSSL has other names for two curves.
fn known_to_openssl(name: &str) -> &'static str {
    let group = registry::groups().iter().find(|group| group.name == name).unwrap();
    match group.name.as_str() {
        "secp256r1" => "P-256",
        "secp192r1" => "P-192",
        _ => &group.name,
    }
}
