//! Derives what known clients end up with, from what the server offers and from the hellos that the clients send.
//!
//! A fact that a client's row needs and that is unknown makes that row unknown: no client "connects" on a guess.

mod meeting;
mod server;

use super::{Derivation, Inputs};
use crate::catalogue::registry::{self, Client};
use crate::model::tls::{Clients, SimulatedClient};
use crate::model::{Fact, Observation, ObservationStatus, Reason, Trouble};
use server::Server;
use std::collections::BTreeMap;

/// The derivation of `tls.clients`.
pub const CLIENTS: Derivation = Derivation { id: "tls.clients", yields: &["tls.clients"], derive };

/// The kinds that it reads.
const INPUTS: [&str; 6] = ["tls.protocols", "tls.suites", "tls.groups", "tls.dh", "tls.certificates", "tls.names"];

/// What is shown to clients that send no name.
const NAMES: &str = "tls.names";

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let mut parts: BTreeMap<(&str, &str), Vec<&Observation>> = BTreeMap::new();
    for observation in inputs.observations.iter().filter(|observation| observation.kind.starts_with("tls.")) {
        parts.entry((&observation.target, &observation.part)).or_default().push(observation);
    }
    let looked = |seen: &[&Observation]| seen.iter().any(|observation| observation.kind == "tls.protocols");
    parts
        .into_iter()
        .filter(|((target, _), seen)| looked(seen) && inputs.targets.iter().any(|known| known.id == **target))
        .map(|((target, part), seen)| one(inputs, target, part, &seen))
        .collect()
}

fn one(inputs: &Inputs<'_>, target: &str, part: &str, seen: &[&Observation]) -> Observation {
    let used: Vec<&&Observation> = seen.iter().filter(|one| INPUTS.contains(&one.kind.as_str())).collect();
    let live = seen.iter().find(|one| one.kind == "tls.clients.live");
    let mut ids: Vec<String> = used.iter().copied().chain(live).map(|one| one.id.clone()).collect();
    ids.sort();
    let failed = |trouble: Trouble| {
        Observation::failed("tls.clients", target, part, "tls.clients", inputs.as_of, trouble).from_inputs(ids.clone())
    };
    let server = match Server::gather(seen) {
        Ok(server) => server,
        Err(trouble) => return failed(trouble),
    };
    let clients: Vec<SimulatedClient> = registry::clients().iter().map(|client| row(&server, client)).collect();
    let notes = live.and_then(|live| live.read::<Clients>().ok()).map(|live| differences(&clients, &live.clients));
    let data = Clients { clients, notes: notes.unwrap_or_default() };
    match Observation::complete("tls.clients", target, part, "tls.clients", inputs.as_of, &data) {
        Err(error) => failed(Trouble::new(Reason::Internal, error.to_string())),
        Ok(observation) => {
            // Names count for the clients alone that send none, and a quick look does not ask for them.
            let partial = used.iter().filter(|one| one.kind != NAMES);
            let partial = partial.into_iter().find(|one| one.status != ObservationStatus::Complete);
            let observation = match partial.map(|one| (one.kind.as_str(), one.trouble.clone())) {
                Some((kind, Some(trouble))) => {
                    observation.partial(Trouble::new(trouble.reason, format!("{kind}: {}", trouble.detail)))
                }
                Some((kind, None)) => observation.partial(Trouble::new(Reason::Internal, format!("{kind} is partial"))),
                None => observation,
            };
            observation.from_inputs(ids).sealed()
        }
    }
}

/// The row of a client.
fn row(server: &Server, client: &Client) -> SimulatedClient {
    let row = SimulatedClient::new(&client.id, &client.name, &client.version, client.is_reference());
    match meeting::meet(server, client) {
        Err(reason) => row.unknown(&reason),
        Ok(meeting::End::Fails(failure, detail)) => row.failing(failure, detail),
        Ok(meeting::End::Connects { suite, group, strength }) => {
            let word = |yes: bool| Fact::Known(if yes { "yes" } else { "no" }.to_owned());
            SimulatedClient {
                connects: Fact::Known(true),
                protocol: suite.protocol.clone(),
                suite: suite.id.clone(),
                suite_name: suite.name.clone(),
                group,
                strength,
                forward_secrecy: word(suite.pfs),
                aead: word(suite.aead),
                ..row
            }
        }
    }
}

/// Where both are known and differ. The causes of a failure are not compared: a server seldom says which it is.
fn differences(computed: &[SimulatedClient], live: &[SimulatedClient]) -> Vec<String> {
    let mut notes = Vec::new();
    for row in computed {
        let Some(seen) = live.iter().find(|seen| seen.id == row.id) else { continue };
        let (Some(expected), Some(found)) = (row.connects.known(), seen.connects.known()) else { continue };
        let words = |row: &SimulatedClient, connects: bool| match connects {
            true => format!("{} with {}", row.protocol, row.suite_name),
            false => format!("no connection ({})", row.failure),
        };
        let same_group = match (row.group.known(), seen.group.known()) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let name = row.label();
        if expected != found || (&row.protocol, &row.suite) != (&seen.protocol, &seen.suite) {
            notes.push(format!("{name}: computed {}, seen {}", words(row, *expected), words(seen, *found)));
        } else if !same_group {
            let group = |row: &SimulatedClient| row.group.known().cloned().unwrap_or_default();
            notes.push(format!("{name}: computed the group {}, seen {}", group(row), group(seen)));
        }
    }
    notes
}

#[cfg(test)]
mod tests;
