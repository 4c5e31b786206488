//! The connections that negative facts rest on: numbers of exchanges in the transcript, counted from 1.

use super::facts::{Facts, Standing};
use super::ledger::Tally;
use super::plan;
use crate::model::Fact;
use crate::model::tls::{Features, Flaws, RefusedSuites};
use crate::wire::Version;
use std::collections::BTreeMap;

/// Exchanges kept of one fact.
const MOST: usize = 16;

/// The steps of the connections that each test of a flaw makes.
const STEPS: &[(&str, &[&str])] = &[
    ("heartbleed", &["heartbleed"]),
    ("ccs", &["ccs"]),
    ("robot", &["robot"]),
    ("ticketbleed", &["Ticketbleed", "resumption by ticket", "ticket"]),
    ("insecure_renegotiation", &["insecure renegotiation", "session without RFC 5746", "resumption by ticket"]),
    ("poodle_tls", &["CBC padding"]),
    ("goldendoodle", &["CBC padding"]),
    ("zombie_poodle", &["CBC padding"]),
    ("zero_length", &["CBC padding"]),
    ("sleeping_poodle", &["CBC padding"]),
    ("cbc_oracle_other", &["CBC padding"]),
    ("cve_2016_2107", &["CVE-2016-2107"]),
];

/// Facts by name, each with its connections.
type Connections = BTreeMap<String, Vec<u32>>;

impl Facts {
    /// Those of a version's refusal; where it is inferred, with those that showed the target alive.
    pub(super) fn of_refusal(&self, version: Version, proven: bool) -> Vec<u32> {
        let refused = self.ledger.refused.iter().filter(|refused| refused.version == version);
        let mut all: Vec<u32> = refused.map(|refused| refused.connection).collect();
        if !proven {
            all.extend(self.of_steps(&["control"]));
        }
        all.sort_unstable();
        all.dedup();
        all.truncate(MOST);
        all
    }

    fn of_steps(&self, steps: &[&str]) -> Vec<u32> {
        let mut all: Vec<u32> = steps.iter().filter_map(|step| self.steps.get(*step)).flatten().copied().collect();
        all.sort_unstable();
        all.truncate(MOST);
        all
    }

    /// The suites that each version was found to refuse, by the connection that refused them last.
    pub(super) fn refused_suites(&self) -> Vec<RefusedSuites> {
        let mut all = Vec::new();
        for version in Version::ALL.into_iter().filter(|version| *version != Version::Ssl2) {
            if !matches!(self.standing(version), Standing::Offered(_)) || self.open(version).is_some() {
                continue;
            }
            let accepted = self.ledger.accepted(version);
            let mut by_connection: BTreeMap<u32, Vec<String>> = BTreeMap::new();
            for id in plan::lists(version).into_iter().flatten().filter(|id| !accepted.contains(id)) {
                let of = self.ledger.refused.iter().filter(|refused| refused.version == version);
                if let Some(last) =
                    of.filter(|refused| refused.suites.contains(&id)).map(|refused| refused.connection).max()
                {
                    by_connection.entry(last).or_default().push(format!("0x{id:04X}"));
                }
            }
            all.extend(by_connection.into_iter().map(|(connection, mut ids)| {
                ids.sort_unstable();
                RefusedSuites { protocol: version.name().to_owned(), ids, connections: vec![connection] }
            }));
        }
        all
    }

    /// Those of the negative facts of `tls.protocols` that are no versions.
    pub(super) fn of_protocols(&self, fallback: &Fact<String>, sentinel: &Fact<String>) -> Connections {
        let mut all = Connections::new();
        if is(fallback, "no") {
            all.insert("fallback_scsv".to_owned(), self.of_steps(&["fallback protection"]));
        }
        if is(sentinel, "no") {
            all.insert("downgrade_sentinel".to_owned(), at(self.ledger.ride.sentinel));
        }
        all
    }

    /// Those of the negative facts of `tls.features`.
    pub(super) fn of_features(&self, features: &Features) -> Connections {
        let ride = &self.ledger.ride;
        let rows = [
            ("secure_renegotiation", is(&features.secure_renegotiation, "no"), ride.renegotiation),
            ("extended_master_secret", is(&features.extended_master_secret, "no"), ride.master_secret),
            ("encrypt_then_mac", is(&features.encrypt_then_mac, "no"), ride.encrypt_then_mac),
            ("session_tickets", is(&features.session_tickets, "no"), ride.tickets),
            ("session_id", is(&features.session_id, "no"), ride.session_id),
            ("heartbeat", is(&features.heartbeat, "no"), ride.heartbeat),
            ("truncated_hmac", is(&features.truncated_hmac, "no"), ride.truncated),
            (
                "compression",
                is(&features.compression, "none") && features.legacy_handshake == true.into(),
                ride.compression,
            ),
            ("ocsp_stapling", is(&features.ocsp_stapling, "no"), ride.staple),
            ("alpn", is(&features.alpn, "none"), ride.chosen),
            ("sct_extension", features.sct_extension == false.into(), ride.sct),
            ("client_certificate", features.client_certificate == false.into(), ride.request),
        ];
        let mut all = Connections::new();
        for (name, _, tally) in rows.into_iter().filter(|(_, negative, _)| *negative) {
            let shown = at(tally);
            // In TLS 1.3 it takes a whole handshake to see these.
            let shown = if shown.is_empty() { self.of_steps(&["certificates of TLSv1.3"]) } else { shown };
            all.insert(name.to_owned(), shown);
        }
        all
    }

    /// Names the connections of each test.
    pub(super) fn prove(&self, flaws: &mut Flaws) {
        for test in &mut flaws.tests {
            let steps = STEPS.iter().find(|(name, _)| *name == test.name).map_or(&[][..], |(_, steps)| *steps);
            test.connections = self.of_steps(steps);
            if test.name == "heartbleed" && test.connections.is_empty() {
                test.connections = at(self.ledger.ride.heartbeat);
            }
        }
    }
}

fn is(fact: &Fact<String>, word: &str) -> bool {
    fact.known().is_some_and(|known| known == word)
}

/// The first connection that something was not answered on.
fn at(tally: Tally) -> Vec<u32> {
    tally.no_at.into_iter().collect()
}
