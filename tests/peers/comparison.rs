//! What each scanner says of each server, fact by fact, against the truth.

use crate::facts::{Facts, Value};
use crate::peers::{PEERS, Said};
use crate::servers::{Entry, LAB, Running, TOO_LONG};
use crate::support::Scratch;
use crate::support::proxy::Proxy;
use crate::written::{self, Disagreement, OPEN};
use crate::{grades, probity, truth, way};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How many servers are looked at side by side. Looks wait for answers most of the time.
const AT_ONCE: usize = 3;

/// One scanner's look at one server.
struct Look {
    tool: &'static str,
    said: Said,
    connections: u32,
    time: Duration,
}

/// Everything about one server.
pub struct Compared {
    pub server: &'static str,
    truth: Facts,
    looks: Vec<Look>,
    /// Where probity is wrong, or leaves open what is true; seen twice.
    faults: BTreeSet<Disagreement>,
    /// How its grade differs from the one worked out by hand; seen twice.
    pub grade: BTreeSet<String>,
}

#[test]
#[ignore = "it takes minutes; run tests/peers/run"]
fn probity_is_wrong_nowhere_and_where_others_are_is_written_down() {
    let compared = all();
    let written = written::down();
    let kept: Vec<&Disagreement> = written.iter().filter(|one| one.tool == "probity").collect();
    assert!(kept.iter().all(|one| one.says == OPEN), "what is wrong of probity is mended, not written down: {kept:?}");
    let faults: BTreeSet<Disagreement> = compared.iter().flat_map(|one| one.faults.iter().cloned()).collect();
    let others: BTreeSet<Disagreement> = compared.iter().flat_map(disagreements).collect();
    let seen: BTreeSet<Disagreement> = faults.union(&others).cloned().collect();
    println!("\nwritten down, and not seen this time:\n{}", written::rows(written.difference(&seen).filter(looked_at)));
    println!("seen, and not written down yet:\n{}", written::rows(others.difference(&written)));
    let silent: Vec<&str> = PEERS.iter().map(|peer| peer.name).filter(|name| !answered(compared, name)).collect();
    assert!(silent.is_empty(), "these gave no answer about any server: {silent:?}; see target/peers/*/*.err");
    let unwritten: Vec<&Disagreement> = faults.difference(&written).collect();
    assert!(
        unwritten.is_empty(),
        "probity said this twice, and it is not true, or is left open without a reason in tests/peers/disagreements.md. \
         Mend it:\n{}",
        written::rows(unwritten)
    );
}

/// All servers that are wanted, looked at once for all tests.
pub fn all() -> &'static [Compared] {
    static ALL: OnceLock<Vec<Compared>> = OnceLock::new();
    ALL.get_or_init(|| {
        let keep = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
        let compared = compare_all(&keep);
        let table: String = compared.iter().map(table).collect();
        let text = format!("{}{}{table}{}", sources(), legend(), costs(&compared));
        println!("{text}");
        std::fs::write(keep.join("table.txt"), text).unwrap();
        compared
    })
}

/// Whether this scanner answered about any of the servers that it was asked about.
fn answered(compared: &[Compared], tool: &str) -> bool {
    let asked = |look: &&Look| look.tool == tool && !matches!(look.said, Said::NoWord | Said::LeftOut(_));
    let mut looks = compared.iter().flat_map(|one| &one.looks).filter(asked).peekable();
    looks.peek().is_none() || looks.any(|look| look.said.facts().is_some())
}

fn looked_at(one: &&Disagreement) -> bool {
    wanted(&one.server)
}

/// Whether this server is looked at: all are, or those that PROBITY_PEERS names.
pub fn wanted(server: &str) -> bool {
    std::env::var("PROBITY_PEERS").map_or(true, |names| names.split(',').any(|name| name == server))
}

fn compare_all(keep: &Path) -> Vec<Compared> {
    let resolver = probity::resolver();
    let queue = Mutex::new(LAB.iter().filter(|entry| wanted(entry.name)));
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(entry) = queue.lock().unwrap().next() else { return };
                    if let Some(compared) = compare(entry, &keep.join(entry.name), resolver) {
                        done.lock().unwrap().push(compared);
                    }
                }
            });
        }
    });
    let mut compared = done.into_inner().unwrap();
    compared.sort_by_key(|one| LAB.iter().position(|entry| entry.name == one.server));
    compared
}

/// One after the other, so that no look disturbs another.
fn compare(entry: &Entry, keep: &PathBuf, resolver: SocketAddr) -> Option<Compared> {
    std::fs::create_dir_all(keep).unwrap();
    let scratch = Scratch::new("peers");
    let running = (entry.start)(&scratch)?;
    let (look, first) = judge(entry, &scratch, &running, resolver);
    let mut looks = vec![look];
    for peer in &PEERS {
        let look = |port| match left_out(entry.name, peer.name) {
            Some(why) => Said::LeftOut(why),
            None => peer.look(&scratch, port, running.word, keep),
        };
        looks.push(timed(entry.name, peer.name, running.port, look));
    }
    let Judged { truth, mut faults, mut grade } = first;
    if !(faults.is_empty() && grade.is_empty()) {
        // A machine that is busy makes one look fail, and not the same thing twice.
        let (_, again) = judge(entry, &scratch, &running, resolver);
        faults = &faults & &again.faults;
        grade = &grade & &again.grade;
    }
    let compared = Compared { server: entry.name, truth, looks, faults, grade };
    // What is known is shown at once: the whole takes minutes.
    eprintln!("{}{}", table(&compared), written::rows(compared.faults.iter().chain(&disagreements(&compared))));
    Some(compared)
}

/// What probity says, set against what is true.
struct Judged {
    truth: Facts,
    faults: BTreeSet<Disagreement>,
    grade: BTreeSet<String>,
}

fn judge(entry: &Entry, scratch: &Scratch, running: &Running, resolver: SocketAddr) -> (Look, Judged) {
    let mut seen = BTreeMap::new();
    let look = timed(entry.name, "probity", running.port, |port| {
        seen = probity::scan(scratch, running, port, resolver);
        Said::Facts(probity::read(&seen))
    });
    let truth = truth::of(scratch, running, way::direct(running.port, running.word));
    let said = look.said.facts().cloned().unwrap_or_default();
    let mut faults = wrong(entry.name, "probity", &said, &truth);
    let left_open = truth.keys().filter(|fact| matches!(said.get(*fact), None | Some(Value::Unknown(_))));
    faults.extend(left_open.map(|fact| Disagreement::new(entry.name, fact, "probity", OPEN)));
    (look, Judged { truth, faults, grade: grades::differences(entry.name, &seen["tls.grade"]) })
}

/// Why this scanner is not asked about this server.
fn left_out(server: &str, tool: &str) -> Option<&'static str> {
    std::env::var_os("CI").filter(|_| tool == "testssl")?;
    TOO_LONG.iter().find(|(name, _)| *name == server).map(|(_, why)| *why)
}

/// A look through a proxy, which counts its connections.
fn timed(server: &str, tool: &'static str, port: u16, look: impl FnOnce(u16) -> Said) -> Look {
    let proxy = Proxy::start(port, Duration::ZERO);
    let begin = Instant::now();
    let said = look(proxy.address().port());
    eprintln!("{server}: {tool} took {:.1} s", begin.elapsed().as_secs_f32());
    Look { tool, said, connections: proxy.connections(), time: begin.elapsed() }
}

/// What the other scanners say that is not true.
fn disagreements(compared: &Compared) -> BTreeSet<Disagreement> {
    let others = compared.looks.iter().filter(|look| look.tool != "probity");
    let of = |look: &Look| look.said.facts().map(|facts| wrong(compared.server, look.tool, facts, &compared.truth));
    others.filter_map(of).flatten().collect()
}

/// What is said and not true. What was asked and left open is neither.
fn wrong(server: &str, tool: &str, said: &Facts, truth: &Facts) -> BTreeSet<Disagreement> {
    let told = said.iter().filter(|(_, said)| !matches!(said, Value::Unknown(_)));
    let differing = told.filter_map(|(fact, said)| {
        let says = match truth.get(fact) {
            Some(truth) => said.differs(truth),
            // Suites of a version that the server has not, and the like.
            None => (*said != Value::Set(BTreeSet::new())).then(|| said.short()),
        };
        says.map(|says| Disagreement::new(server, fact, tool, &says))
    });
    differing.collect()
}

fn sources() -> String {
    let lines = truth::SOURCES.iter().map(|(fact, source)| format!("  {fact:<22} {source}\n"));
    format!("\nwhere the truth of each fact comes from\n{}", lines.collect::<String>())
}

fn legend() -> &'static str {
    "\n=  as the truth    -  not said    !  not true    ?  asked, and left open\n"
}

fn table(compared: &Compared) -> String {
    let mut text = format!("\n{:<28} {:<24}", compared.server, "truth");
    for look in &compared.looks {
        let _ = write!(text, " {:<16}", look.tool);
    }
    text.push('\n');
    let more = compared.looks.iter().flat_map(|look| look.said.facts().into_iter().flat_map(Facts::keys));
    let facts: BTreeSet<&String> = compared.truth.keys().chain(more).collect();
    for fact in facts {
        let truth = compared.truth.get(fact);
        let _ = write!(text, "  {fact:<26} {:<24}", truth.map_or("-".into(), Value::short));
        for look in &compared.looks {
            let said = look.said.facts().and_then(|facts| facts.get(fact));
            let cell = match (said, truth) {
                (None, _) => "-".to_owned(),
                (Some(Value::Unknown(_)), _) => "?".to_owned(),
                (Some(said), Some(truth)) => said.differs(truth).map_or("=".into(), |says| format!("! {says}")),
                (Some(said), None) => format!("! {}", said.short()),
            };
            let _ = write!(text, " {cell:<16}");
        }
        text.push('\n');
    }
    for look in &compared.looks {
        match &look.said {
            Said::Nothing(why) => drop(writeln!(text, "  {} gave no answer: {why}", look.tool)),
            Said::LeftOut(why) => drop(writeln!(text, "  {} is not asked here: {why}", look.tool)),
            Said::Facts(_) | Said::NoWord => {}
        }
    }
    text
}

fn costs(compared: &[Compared]) -> String {
    let mut text = format!("\n{:<28}", "connections, seconds");
    for look in compared.first().map_or(&[][..], |one| &one.looks) {
        let _ = write!(text, " {:>16}", look.tool);
    }
    for one in compared {
        let _ = write!(text, "\n{:<28}", one.server);
        for look in &one.looks {
            let cost = match look.said {
                Said::NoWord | Said::LeftOut(_) => "-".to_owned(),
                _ => format!("{}, {:.1}", look.connections, look.time.as_secs_f32()),
            };
            let _ = write!(text, " {cost:>16}");
        }
    }
    text.push('\n');
    text
}
