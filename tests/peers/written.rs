//! What is written down of who is wrong, in `disagreements.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// What is said of a fact that probity leaves open, which is not wrong.
pub const OPEN: &str = "open";

/// A saying that is not true.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Disagreement {
    pub server: String,
    pub fact: String,
    pub tool: String,
    pub says: String,
}

impl Disagreement {
    pub fn new(server: &str, fact: &str, tool: &str, says: &str) -> Disagreement {
        let (server, fact, tool, says) = (server.into(), fact.into(), tool.into(), says.into());
        Disagreement { server, fact, tool, says }
    }
}

/// As rows of the table, for those who have to find out why.
pub fn rows<'a>(some: impl IntoIterator<Item = &'a Disagreement>) -> String {
    some.into_iter().fold(String::new(), |mut text, one| {
        let _ = writeln!(text, "| {} | {} | {} | {} | |", one.server, one.fact, one.tool, one.says);
        text
    })
}

/// What is written down: a table whose first three columns may list several servers, facts and tools.
pub fn down() -> BTreeSet<Disagreement> {
    let mut found = BTreeSet::new();
    let text = include_str!("disagreements.md");
    for line in text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| server")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [servers, facts, tools, says, why] = cells[..] else { panic!("five columns are wanted: {line}") };
        assert!(why.ends_with('.'), "a sentence is wanted: {line}");
        for server in servers.split(", ") {
            assert!(crate::servers::LAB.iter().any(|entry| entry.name == server), "there is no such server: {server}");
            for fact in facts.split(", ") {
                found.extend(tools.split(", ").map(|tool| Disagreement::new(server, fact, tool, says)));
            }
        }
    }
    found
}
