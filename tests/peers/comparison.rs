//! What each scanner says of each server, fact by fact, against the truth.

use crate::facts::{Facts, Value};
use crate::peers::PEERS;
use crate::servers::{Entry, LAB};
use crate::support::Scratch;
use crate::support::proxy::Proxy;
use crate::{probity, truth, way};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How many servers are looked at side by side.
const AT_ONCE: usize = 2;

/// One scanner's look at one server.
struct Look {
    tool: &'static str,
    /// None where it cannot speak the server's protocol.
    facts: Option<Facts>,
    connections: u32,
    time: Duration,
}

/// Everything about one server.
struct Compared {
    server: &'static str,
    truth: Facts,
    looks: Vec<Look>,
}

/// A saying that is not true.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Disagreement {
    server: String,
    fact: String,
    tool: String,
    says: String,
}

#[test]
#[ignore = "it takes minutes; run tests/peers/run"]
fn probity_is_wrong_nowhere_and_where_others_are_is_written_down() {
    let keep = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers");
    let compared = compare_all(&keep);
    let table: String = compared.iter().map(table).collect();
    println!("{}{}{table}{}", sources(), legend(), costs(&compared));
    std::fs::write(keep.join("table.txt"), format!("{}{}{table}{}", sources(), legend(), costs(&compared))).unwrap();
    let seen: BTreeSet<Disagreement> = compared.iter().flat_map(disagreements).collect();
    let written = written(include_str!("disagreements.md"));
    let unwritten: Vec<&Disagreement> = seen.difference(&written).collect();
    for gone in written.difference(&seen).filter(|gone| compared.iter().any(|one| one.server == gone.server)) {
        println!("written down, and not seen any more: {gone:?}");
    }
    let lines: String = unwritten
        .iter()
        .map(|one| format!("| {} | {} | {} | {} | |\n", one.server, one.fact, one.tool, one.says))
        .collect();
    assert!(
        unwritten.is_empty(),
        "these are not true, and tests/peers/disagreements.md does not say why. Find out who is wrong, and write it \
         down; where it is probity, mend it:\n{lines}"
    );
    for one in seen.iter().filter(|one| one.tool == "probity") {
        println!("known of probity, and not mended: {one:?}");
    }
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
    let mut looks = Vec::new();
    let mut look = |tool, facts: &dyn Fn(u16) -> Option<Facts>| {
        let proxy = Proxy::start(running.port, Duration::ZERO);
        let begin = Instant::now();
        let facts = facts(proxy.address().port());
        looks.push(Look { tool, facts, connections: proxy.connections(), time: begin.elapsed() });
        eprintln!("{}: {tool} took {:?}", entry.name, begin.elapsed());
    };
    look("probity", &|port| Some(probity::read(&probity::scan(&scratch, &running, port, resolver))));
    for peer in &PEERS {
        look(peer.name, &|port| peer.look(&scratch, port, running.word, keep));
    }
    let truth = truth::of(&scratch, &running, way::direct(running.port, running.word));
    let compared = Compared { server: entry.name, truth, looks };
    // What is known is shown at once: the whole takes minutes.
    eprintln!("{}", table(&compared));
    for one in disagreements(&compared) {
        eprintln!("| {} | {} | {} | {} |", one.server, one.fact, one.tool, one.says);
    }
    Some(compared)
}

fn disagreements(compared: &Compared) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for look in &compared.looks {
        for (fact, said) in look.facts.iter().flatten() {
            let truth = compared.truth.get(fact);
            let says = match truth {
                Some(truth) => said.differs(truth),
                // Suites of a version that the server has not, and the like.
                None => (*said != Value::Set(BTreeSet::new())).then(|| said.short()),
            };
            found.extend(says.map(|says| Disagreement {
                server: compared.server.to_owned(),
                fact: fact.clone(),
                tool: look.tool.to_owned(),
                says,
            }));
        }
    }
    found
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
    let more = compared.looks.iter().flat_map(|look| look.facts.iter().flatten().map(|(fact, _)| fact));
    let facts: BTreeSet<&String> = compared.truth.keys().chain(more).collect();
    for fact in facts {
        let truth = compared.truth.get(fact);
        let _ = write!(text, "  {fact:<26} {:<24}", truth.map_or("-".into(), Value::short));
        for look in &compared.looks {
            let said = look.facts.as_ref().and_then(|facts| facts.get(fact));
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
            let cost = match look.facts {
                Some(_) => format!("{}, {:.1}", look.connections, look.time.as_secs_f32()),
                None => "-".to_owned(),
            };
            let _ = write!(text, " {cost:>16}");
        }
    }
    text.push('\n');
    text
}

/// What is written down: a table whose first three columns may list several servers, facts and tools.
fn written(text: &str) -> BTreeSet<Disagreement> {
    let mut found = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| server")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [servers, facts, tools, says, why] = cells[..] else { panic!("five columns are wanted: {line}") };
        assert!(why.ends_with('.'), "a sentence is wanted: {line}");
        for server in servers.split(", ") {
            for fact in facts.split(", ") {
                for tool in tools.split(", ") {
                    let (server, fact, tool, says) = (server.into(), fact.into(), tool.into(), says.into());
                    found.insert(Disagreement { server, fact, tool, says });
                }
            }
        }
    }
    found
}
