//! Derivations: pure functions from all observations of a run to derived ones.

pub mod at_rest;
pub mod clients;
pub mod coverage;
pub mod day;
pub mod erasure;
pub mod flaws;
pub mod grade;
pub mod observatory;
pub mod policy;
pub mod portability;
pub mod requests;
pub mod table;
pub mod third_parties;
pub mod transfers;
pub mod vendors;

use crate::catalogue::Catalogue;
use crate::model::policy::Judging;
use crate::model::{Observation, Target};
use jiff::Timestamp;

/// What a derivation may read.
pub struct Inputs<'a> {
    /// What was looked at.
    pub targets: &'a [Target],
    /// What was seen, and what earlier derivations gave.
    pub observations: &'a [Observation],
    /// What the user decided.
    pub judging: &'a Judging,
    /// Registries and profiles.
    pub catalogue: &'a Catalogue,
    /// The present.
    pub as_of: Timestamp,
}

/// A derivation: the kinds it gives, and how.
pub struct Derivation {
    /// For example `tls.grade`.
    pub id: &'static str,
    /// The kinds it gives.
    pub yields: &'static [&'static str],
    /// From everything seen to what follows from it.
    pub derive: fn(&Inputs<'_>) -> Vec<Observation>,
}

/// Every derivation, in the order in which they run.
pub const DERIVATIONS: &[Derivation] = &[
    at_rest::AT_REST,
    clients::CLIENTS,
    erasure::ERASURE,
    // The grade reads what is known of flaws.
    flaws::VULNERABILITIES,
    grade::GRADE,
    observatory::OBSERVATORY,
    policy::POLICY,
    third_parties::THIRD_PARTIES,
    portability::PORTABILITY,
    requests::REQUESTS,
    Derivation { id: "vendor.rules", yields: &["vendor.rules"], derive: vendors::derive },
    Derivation { id: "vendor.coverage", yields: &["vendor.coverage"], derive: coverage::derive },
];

/// Runs every derivation; a later one sees what the earlier ones gave. Gives the derived observations alone.
pub fn run(
    targets: &[Target],
    observations: &[Observation],
    judging: &Judging,
    catalogue: &Catalogue,
    as_of: Timestamp,
) -> Vec<Observation> {
    let mut all = observations.to_vec();
    let seen = all.len();
    for derivation in DERIVATIONS {
        let inputs = Inputs { targets, observations: &all, judging, catalogue, as_of };
        let derived = (derivation.derive)(&inputs);
        all.extend(derived);
    }
    all.split_off(seen)
}
