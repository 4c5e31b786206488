//! DROWN: SSLv2 here, or on another endpoint of the run with the same RSA key or the same name.

use super::super::grade::facts::Facts;
use super::Endpoint;
use crate::model::tls::{Deployment, VulnerabilityTest as Row};
use std::collections::BTreeSet;

const NAME: &str = "drown";

/// Where SSLv2 was seen, or could not be ruled out.
pub struct Sightings<'a> {
    offered: Vec<Sighting<'a>>,
    open: Vec<Sighting<'a>>,
    /// How many endpoints were seen, and how many could not be.
    seen: usize,
    unseen: usize,
}

struct Sighting<'a> {
    target: &'a str,
    part: &'a str,
    marks: BTreeSet<String>,
}

impl<'a> Sightings<'a> {
    /// Those of a run.
    pub fn of(endpoints: &'a [Endpoint<'a>]) -> Sightings<'a> {
        let pick = |wanted: Option<bool>| {
            let picked = endpoints.iter().filter(|endpoint| ssl2(&endpoint.facts) == wanted);
            picked
                .map(|endpoint| Sighting {
                    target: &endpoint.target.id,
                    part: endpoint.part,
                    marks: marks(&endpoint.facts).map(|(mark, _)| mark).collect(),
                })
                .collect()
        };
        let seen = endpoints.iter().filter(|endpoint| endpoint.facts.protocols.is_some()).count();
        Sightings { offered: pick(Some(true)), open: pick(None), seen, unseen: endpoints.len() - seen }
    }
}

/// Whether SSLv2 is offered; `None` where that is unknown.
fn ssl2(facts: &Facts) -> Option<bool> {
    let protocols = facts.protocols.as_ref()?;
    match (facts.offers("SSLv2"), protocols.refused.iter().any(|name| name == "SSLv2")) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    }
}

/// What ties two endpoints together: keys and names, each with its words.
fn marks(facts: &Facts) -> impl Iterator<Item = (String, String)> {
    facts.certificates.iter().flat_map(|certificates| &certificates.deployments).flat_map(marks_of)
}

fn marks_of(deployment: &Deployment) -> Vec<(String, String)> {
    let leaf = &deployment.leaf;
    let key = (leaf.key_type == "RSA" && !leaf.key_sha256.is_empty())
        .then(|| (format!("key {}", leaf.key_sha256), "the same RSA key".to_owned()));
    let names = leaf.names.iter().map(|name| {
        let name = name.to_ascii_lowercase();
        (format!("name {name}"), format!("a certificate for {name}, too"))
    });
    key.into_iter().chain(names).collect()
}

/// The row of one endpoint.
pub fn row(endpoint: &Endpoint<'_>, sightings: &Sightings<'_>) -> Row {
    let facts = &endpoint.facts;
    let here = ssl2(facts);
    if here == Some(true) {
        return Row::found(NAME, "SSLv2 is answered by this endpoint");
    }
    if let Some(detail) = elsewhere(endpoint, &sightings.offered) {
        return Row::found(NAME, format!("SSLv2 is answered by {detail}"));
    }
    if here.is_none() {
        return Row::unknown(NAME, facts.gap("tls.protocols").to_string());
    }
    if let Some(detail) = elsewhere(endpoint, &sightings.open) {
        return Row::unknown(NAME, format!("whether SSLv2 is answered is unknown of {detail}"));
    }
    let others = sightings.offered.len() + sightings.open.len();
    if others > 0 && !facts.whole("tls.certificates") {
        let reason = format!("the certificates are not all known: {}", facts.gap("tls.certificates"));
        return Row::unknown(NAME, reason);
    }
    if let Some(other) = sightings.offered.iter().find(|other| other.marks.is_empty()) {
        let reason = format!("{} ({}) answers SSLv2, and its certificate is not known", other.target, other.part);
        return Row::unknown(NAME, reason);
    }
    let others = match sightings.seen {
        0 | 1 => "no other endpoint was looked at".to_owned(),
        seen => format!("{} other endpoints do not matter", seen - 1),
    };
    let unseen = match sightings.unseen {
        0 => String::new(),
        unseen => format!("; {unseen} could not be looked at"),
    };
    Row::safe(NAME, format!("SSLv2 is refused here; {others}{unseen}"))
}

fn elsewhere(endpoint: &Endpoint<'_>, sightings: &[Sighting<'_>]) -> Option<String> {
    let others =
        || sightings.iter().filter(|other| (other.target, other.part) != (endpoint.target.id.as_str(), endpoint.part));
    marks(&endpoint.facts).find_map(|(mark, words)| {
        let other = others().find(|other| other.marks.contains(&mark))?;
        Some(format!("{} ({}), which has {words}", other.target, other.part))
    })
}
