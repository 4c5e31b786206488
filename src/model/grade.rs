//! `tls.grade`: the derived grade by the SSL Labs rating guide, 2009r.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The grade of one endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grade {
    /// `A+`, `A`, `A-`, `B` … `F`, `T`, `M`, or null where protocols or certificates are unknown.
    pub letter: Option<String>,
    /// The letter that the configuration alone would get.
    pub letter_ignoring_trust: Option<String>,
    /// The category scores.
    pub score: Score,
    /// A needed fact is unknown: the letter is an upper bound.
    pub provisional: bool,
    /// The facts that are unknown.
    pub incomplete: Vec<String>,
    /// What limits the letter.
    pub caps: Vec<Cap>,
    /// What makes A an A-.
    pub warnings: Vec<Note>,
    /// What keeps A from A+.
    pub not_plus: Vec<Note>,
    /// What overrides the letter with T or M, and trust findings.
    pub trust: Vec<Note>,
    /// Findings without effect on the letter.
    pub findings: Vec<Note>,
    /// The revision of the guide and of our reading of it.
    pub rules_version: String,
}

/// What the grade needs beside what was looked at: clients that are simulated.
const CLIENTS: &str = "client_simulation";
/// Tests for known vulnerabilities that the grade needs.
const VULNERABILITIES: &[&str] = &[
    "insecure_renegotiation",
    "heartbleed",
    "ccs",
    "robot",
    "poodle_tls",
    "zombie_poodle",
    "goldendoodle",
    "zero_length",
    "sleeping_poodle",
    "cve_2016_2107",
    "ticketbleed",
];

impl Grade {
    /// Why the letter is an upper bound, in words; empty where it is final.
    pub fn missing(&self) -> String {
        let tests = self.incomplete.iter().filter(|name| VULNERABILITIES.contains(&name.as_str())).count();
        let clients = self.incomplete.iter().any(|name| name == CLIENTS);
        let others: Vec<String> = self
            .incomplete
            .iter()
            .filter(|name| *name != CLIENTS && !VULNERABILITIES.contains(&name.as_str()))
            .map(|name| name.replace('_', " "))
            .collect();
        let tests = match tests {
            0 => None,
            1 => Some("1 test for a known vulnerability".to_owned()),
            n => Some(format!("{n} tests for known vulnerabilities")),
        };
        let undone: Vec<String> = tests.into_iter().chain(clients.then(|| "simulated clients".to_owned())).collect();
        let undone = (!undone.is_empty()).then(|| format!("without {}", undone.join(" and ")));
        let others = (!others.is_empty()).then(|| format!("not known: {}", others.join(", ")));
        undone.into_iter().chain(others).collect::<Vec<_>>().join("; ")
    }
}

/// The category scores, each with at most two decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Protocol support, 0 to 100.
    pub protocol: f64,
    /// Key exchange, 0 to 100.
    pub key_exchange: f64,
    /// Cipher strength, 0 to 100.
    pub cipher: f64,
    /// The weighted total, 0 to 100.
    pub total: f64,
}

/// A limit on the letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cap {
    /// For example `CAP_TLS10`.
    pub code: String,
    /// The best letter still possible.
    pub limit: String,
    /// In words.
    pub reason: String,
    /// The observations it rests on.
    pub observations: Vec<String>,
}

/// A reason code in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// For example `WARN_NO_TLS13`.
    pub code: String,
    /// In words.
    pub reason: String,
    /// The observations it rests on.
    pub observations: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_in_words() {
        let grade = |incomplete: &[&str]| {
            let made = serde_json::json!({
                "letter": "A", "letter_ignoring_trust": "A", "provisional": true, "incomplete": incomplete,
                "score": { "protocol": 100.0, "key_exchange": 90.0, "cipher": 90.0, "total": 93.0 },
                "caps": [], "warnings": [], "not_plus": [], "trust": [], "findings": [], "rules_version": "",
            });
            serde_json::from_value::<Grade>(made).unwrap().missing()
        };
        assert_eq!(grade(&[]), "");
        assert_eq!(grade(&["client_simulation"]), "without simulated clients");
        let all = ["heartbleed", "ccs", "client_simulation", "session_tickets"];
        assert_eq!(
            grade(&all),
            "without 2 tests for known vulnerabilities and simulated clients; not known: session tickets"
        );
    }
}
