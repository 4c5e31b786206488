//! Derives `tls.vulnerabilities`: for each known flaw one row, from what the active tests showed and from what the
//! enumeration found.
//!
//! A flaw that was not tested for and whose precondition is not known to be absent has an unknown row: a row that is
//! missing could be read as good.

mod drown;
mod rows;

use super::grade::facts::Facts;
use super::{Derivation, Inputs};
use crate::model::flaw::FLAWS;
use crate::model::tls::Vulnerabilities;
use crate::model::{Observation, Reason, Target, Trouble};
use drown::Sightings;
use std::collections::BTreeMap;

const KIND: &str = "tls.vulnerabilities";
/// What the rows rest on.
const BASIS: &[&str] = &[
    "tls.protocols",
    "tls.suites",
    "tls.dh",
    "tls.certificates",
    "tls.features",
    "tls.flaws",
    "http.headers",
    "http.plain",
];

/// The derivation of `tls.vulnerabilities`.
pub const VULNERABILITIES: Derivation = Derivation { id: KIND, yields: &[KIND], derive };

/// What was seen of one address of a target.
struct Endpoint<'a> {
    target: &'a Target,
    part: &'a str,
    facts: Facts,
}

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    // By target and part, so that many targets are not looked for in the observations of all.
    let mut seen: BTreeMap<&str, BTreeMap<&str, Vec<&Observation>>> = BTreeMap::new();
    for observation in inputs.observations.iter().filter(|observation| BASIS.contains(&observation.kind.as_str())) {
        seen.entry(&observation.target).or_default().entry(&observation.part).or_default().push(observation);
    }
    let mut endpoints = Vec::new();
    for target in inputs.targets {
        for (part, observations) in seen.get(target.id.as_str()).into_iter().flatten() {
            if observations.iter().any(|observation| observation.kind == "tls.protocols") {
                endpoints.push(Endpoint { target, part, facts: Facts::gather(target, observations) });
            }
        }
    }
    let sightings = Sightings::of(&endpoints);
    endpoints.iter().map(|endpoint| one(inputs, endpoint, &sightings)).collect()
}

fn one(inputs: &Inputs<'_>, endpoint: &Endpoint<'_>, sightings: &Sightings<'_>) -> Observation {
    let Endpoint { target, part, facts } = endpoint;
    let cited = facts.cite(BASIS);
    let failed =
        |trouble| Observation::failed(KIND, &target.id, part, KIND, inputs.as_of, trouble).from_inputs(cited.clone());
    if facts.protocols.is_none() {
        return failed(facts.gap("tls.protocols"));
    }
    let tests = FLAWS.iter().map(|flaw| match flaw.name {
        "drown" => drown::row(endpoint, sightings),
        name => rows::row(name, facts),
    });
    let data = Vulnerabilities { tests: tests.collect() };
    match Observation::complete(KIND, &target.id, part, KIND, inputs.as_of, &data) {
        Ok(observation) => observation.from_inputs(cited),
        Err(error) => failed(Trouble::new(Reason::Internal, error.to_string())),
    }
}

#[cfg(test)]
mod tests;
