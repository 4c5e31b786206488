//! An address of an endpoint: the request for TLS, grade, versions and suites as a grid, the chain as a ladder, groups,
//! headers, others; and of a domain the hosts that take its mail.

use super::super::view::{Ring, ring};
use super::asked::{Answer, Door, doors, upgrade};
use super::clients::{Outcome, outcomes};
use super::handshake;
use super::others::{self, early, hosts};
use crate::model::grade::Grade;
use crate::model::http::{Consent, ThirdParties};
use crate::model::mail::Exchangers;
use crate::model::revocation::Revocation;
use crate::model::tls::{Certificates, Clients, Deployment, Groups, Protocols, Suites, Upgrade};
use crate::model::tls_policy::{Policies, PolicyRule};
use crate::report::summary::Facts;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Suites in one grid; the record has all.
const MAX_SUITES: usize = 60;
/// The same where there are so many targets that the page would grow too large.
const MAX_SUITES_OF_MANY: usize = 16;
/// So many targets are many.
const MANY: usize = 40;
/// The classes that are marked as weak.
const WEAK: &[&str] = &["legacy", "weak", "export", "anon", "null"];

/// One address.
#[derive(Serialize)]
pub struct Part {
    name: String,
    upgrade_word: String,
    upgrade: Vec<Answer>,
    exchangers: Vec<Door>,
    ring: Option<Ring>,
    scores: Vec<(&'static str, f64)>,
    grid: Option<Grid>,
    chains: Vec<Chain>,
    groups: Vec<Group>,
    clients: Vec<Outcome>,
    client_notes: Vec<String>,
    handshake: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    hosts: Vec<others::Row>,
    early: Vec<others::Row>,
    policies: Vec<Policy>,
    /// The address that shows the same grid, chains, groups, clients or others, which are then not shown again.
    same_grid: String,
    same_chains: String,
    same_groups: String,
    same_clients: String,
    same_others: String,
}

/// Drops what an earlier address of the same target shows already, and names that address.
pub fn without_repeats(mut parts: Vec<Part>) -> Vec<Part> {
    for n in 1..parts.len() {
        let (earlier, rest) = parts.split_at_mut(n);
        let Some(part) = rest.first_mut() else { continue };
        for other in earlier {
            if part.grid.is_some() && part.grid == other.grid {
                (part.grid, part.same_grid) = (None, other.name.clone());
            }
            if !part.chains.is_empty() && part.chains == other.chains {
                (part.chains, part.same_chains) = (Vec::new(), other.name.clone());
            }
            if !part.groups.is_empty() && part.groups == other.groups {
                (part.groups, part.same_groups) = (Vec::new(), other.name.clone());
            }
            if !part.clients.is_empty() && part.clients == other.clients {
                (part.clients, part.same_clients) = (Vec::new(), other.name.clone());
            }
            let none = part.hosts.is_empty() && part.early.is_empty();
            if !none && (&part.hosts, &part.early) == (&other.hosts, &other.early) {
                (part.hosts, part.early) = (Vec::new(), Vec::new());
                part.same_others.clone_from(&other.name);
            }
        }
    }
    parts
}

#[derive(PartialEq, Serialize)]
struct Grid {
    versions: Vec<Version>,
    rows: Vec<Suite>,
    more: usize,
}

#[derive(PartialEq, Serialize)]
struct Version {
    name: String,
    state: &'static str,
}

#[derive(PartialEq, Serialize)]
struct Suite {
    id: String,
    name: String,
    class: String,
    weak: bool,
    cells: Vec<bool>,
}

#[derive(PartialEq, Serialize)]
struct Chain {
    trust: String,
    name_matches: bool,
    days_left: i64,
    anchor: String,
    rungs: Vec<Rung>,
}

#[derive(PartialEq, Serialize)]
struct Rung {
    role: &'static str,
    subject: String,
    issuer: String,
    key: String,
    hash: String,
    until: String,
    revocation: String,
}

#[derive(PartialEq, Serialize)]
struct Group {
    name: String,
    kind: String,
    bits: u32,
    pq: bool,
}

/// A policy that was chosen, with its rules.
#[derive(Serialize)]
struct Policy {
    id: String,
    title: String,
    edition: String,
    result: String,
    mark: &'static str,
    rules: Vec<PolicyRow>,
}

#[derive(Serialize)]
struct PolicyRow {
    id: String,
    title: String,
    level: String,
    result: String,
    mark: &'static str,
    seen: String,
    reference: String,
    verified: bool,
}

/// What is shown of an address; `None` where it is no TLS endpoint and sent no headers.
pub fn part(facts: &Facts<'_>) -> Option<Part> {
    let grade = facts.read::<Grade>("tls.grade");
    let chains = facts.read::<Certificates>("tls.certificates");
    let groups = facts.read::<Groups>("tls.groups");
    let clients = facts.read::<Clients>("tls.clients");
    let revocation = facts.read::<Revocation>("tls.revocation").unwrap_or_default();
    let asked = facts.read::<Upgrade>("tls.upgrade");
    let part = Part {
        name: facts.part.clone(),
        upgrade_word: asked.as_ref().map(|asked| asked.protocol.clone()).unwrap_or_default(),
        upgrade: asked.as_ref().map(upgrade).unwrap_or_default(),
        exchangers: facts.read::<Exchangers>("mail.exchangers").map(doors).unwrap_or_default(),
        scores: grade.as_ref().map(scores).unwrap_or_default(),
        ring: grade.as_ref().map(ring),
        grid: grid(facts),
        chains: chains
            .map(|seen| seen.deployments.iter().map(|one| chain(one, &revocation)).collect())
            .unwrap_or_default(),
        groups: groups.map(|seen| seen.groups.into_iter().map(group).collect()).unwrap_or_default(),
        clients: clients.as_ref().map(outcomes).unwrap_or_default(),
        client_notes: clients.map(|seen| seen.notes).unwrap_or_default(),
        handshake: handshake::rows(facts),
        headers: headers(facts),
        hosts: facts.read::<ThirdParties>("http.third_parties").map(hosts).unwrap_or_default(),
        early: facts.read::<Consent>("http.consent").map(early).unwrap_or_default(),
        policies: facts.read::<Policies>("tls.policy").map(policies).unwrap_or_default(),
        same_grid: String::new(),
        same_chains: String::new(),
        same_groups: String::new(),
        same_clients: String::new(),
        same_others: String::new(),
    };
    let tls = part.ring.is_some() || part.grid.is_some() || !part.chains.is_empty() || !part.upgrade.is_empty();
    let others = !part.hosts.is_empty() || !part.early.is_empty() || !part.exchangers.is_empty();
    (tls || others || !part.headers.is_empty()).then_some(part)
}

fn policies(seen: Policies) -> Vec<Policy> {
    let rows = |id: &str| seen.rules.iter().filter(|rule| rule.policy == id).map(policy_row).collect();
    let mark = |result: &str| match result {
        "met" => "pass",
        "not_met" => "fail",
        _ => "open",
    };
    let policy = |policy: &crate::model::tls_policy::PolicyResult| Policy {
        id: policy.id.clone(),
        title: policy.title.clone(),
        edition: policy.edition.clone(),
        result: policy.result.replace('_', " "),
        mark: mark(&policy.result),
        rules: rows(&policy.id),
    };
    seen.policies.iter().map(policy).collect()
}

fn policy_row(rule: &PolicyRule) -> PolicyRow {
    let seen = if rule.result == "holds" { String::new() } else { rule.offending.join(", ") };
    PolicyRow {
        id: rule.id.clone(),
        title: rule.title.clone(),
        level: rule.level.clone(),
        result: rule.result.replace('-', " "),
        mark: match rule.result.as_str() {
            "holds" => "pass",
            "broken" => "fail",
            "not-applicable" => "not-applicable",
            _ => "open",
        },
        seen: if seen.is_empty() && rule.result != "holds" { rule.reason.clone() } else { seen },
        reference: rule.reference.clone(),
        verified: rule.verified,
    }
}

fn scores(grade: &Grade) -> Vec<(&'static str, f64)> {
    let score = grade.score;
    vec![("protocols", score.protocol), ("key exchange", score.key_exchange), ("cipher", score.cipher)]
}

fn grid(facts: &Facts<'_>) -> Option<Grid> {
    let protocols = facts.read::<Protocols>("tls.protocols")?;
    let mut versions: Vec<Version> = Vec::new();
    let offered = protocols.offered.into_iter().map(|offered| offered.name);
    versions.extend(protocols.refused.into_iter().map(|name| Version { name, state: "refused" }));
    versions.extend(protocols.unknown.into_iter().map(|name| Version { name, state: "not known" }));
    versions.extend(offered.map(|name| Version { name, state: "offered" }));
    versions.sort_by(|a, b| a.name.cmp(&b.name));
    let mut rows: Vec<Suite> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for suite in facts.read::<Suites>("tls.suites").into_iter().flat_map(|seen| seen.suites) {
        let place = *places.entry(suite.id.clone()).or_insert(rows.len());
        if place == rows.len() {
            let weak = WEAK.contains(&suite.class.as_str());
            let cells = vec![false; versions.len()];
            rows.push(Suite { id: suite.id, name: suite.name, class: suite.class, weak, cells });
        }
        let column = versions.iter().position(|version| version.name == suite.protocol);
        if let Some(cell) = column.and_then(|column| rows.get_mut(place)?.cells.get_mut(column)) {
            *cell = true;
        }
    }
    let most = if facts.index.assessment.targets.len() > MANY { MAX_SUITES_OF_MANY } else { MAX_SUITES };
    let more = rows.len().saturating_sub(most);
    if more > 0 {
        // What is cut is the good part: a weak suite is never dropped for a strong one.
        rows.sort_by_key(|suite| !suite.weak);
        rows.truncate(most);
    }
    Some(Grid { versions, rows, more })
}

fn chain(deployment: &Deployment, revocation: &Revocation) -> Chain {
    let of = |sha256: &str| {
        let mut rows = revocation.certificates.iter().filter(|row| row.deployment == deployment.id);
        rows.find(|row| row.sha256 == sha256).map(handshake::revocation).unwrap_or_default()
    };
    let last = deployment.chain.len().saturating_sub(1);
    let rungs = deployment.chain.iter().take(10).enumerate().map(|(n, link)| Rung {
        role: match n {
            0 => "leaf",
            n if n == last && link.subject == link.issuer => "root",
            _ => "intermediate",
        },
        subject: link.subject.clone(),
        issuer: link.issuer.clone(),
        key: link.key.clone(),
        hash: link.signature_hash.clone(),
        until: link.not_after.get(..10).unwrap_or(&link.not_after).to_owned(),
        revocation: of(&link.sha256),
    });
    Chain {
        trust: match (deployment.trust.known(), deployment.trust.reason()) {
            (Some(trust), _) => trust.clone(),
            (_, reason) => format!("not known: {}", reason.unwrap_or_default()),
        },
        name_matches: deployment.name_matches,
        days_left: deployment.days_left,
        anchor: deployment.anchor.clone(),
        rungs: rungs.collect(),
    }
}

fn group(group: crate::model::tls::Group) -> Group {
    Group { name: group.name, kind: group.kind, bits: group.rsa_equiv_bits, pq: group.pq }
}

/// The security headers and what stands in them.
fn headers(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(hsts) = facts.data("http.hsts").filter(|hsts| hsts["applicable"] != false) {
        let words = match hsts["present"].as_bool() {
            Some(true) => format!("max-age {} s, {}", hsts["max_age"], word(&hsts["status"])),
            _ => "absent".to_owned(),
        };
        rows.push(("Strict-Transport-Security", words));
    }
    if let Some(headers) = facts.data("http.headers").filter(|headers| headers["applicable"] != false) {
        let policy = &headers["csp"];
        let csp = match (policy["present"].as_bool(), policy["unsafe_inline"].as_bool()) {
            (Some(true), Some(true)) => "present, allows inline scripts",
            (Some(true), _) => "present",
            _ => "absent",
        };
        rows.push(("Content-Security-Policy", csp.to_owned()));
        let nosniff = if headers["nosniff"] == true { "nosniff" } else { "absent" };
        rows.push(("X-Content-Type-Options", nosniff.to_owned()));
        rows.push(("X-Frame-Options", word(&headers["frame_options"])));
        rows.push(("Referrer-Policy", word(&headers["referrer_policy"])));
    }
    if let Some(plain) = facts.data("http.plain").filter(|plain| plain["looked"] == true) {
        let words = match (plain["answered"].as_bool(), plain["to_https"].as_bool()) {
            (Some(true), Some(true)) => "redirects to https",
            (Some(true), _) => "answers without a redirect to https",
            _ => "does not answer",
        };
        rows.push(("Plain HTTP", words.to_owned()));
    }
    if let Some(score) = facts.data("http.observatory").filter(|score| score["applicable"] == true) {
        rows.push(("Observatory score", format!("{} ({})", score["score"], word(&score["letter"]))));
    }
    rows
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or("not known").to_owned()
}
