//! Derives encryption at rest by store.
//!
//! Every piece of evidence about the files of one database, from whichever target it was seen at, is put together, kind
//! of file by kind of file. Layers add to each other: one that encrypts is enough for the files that it covers. Where one
//! piece says encrypted and another shows that the same files are plain, that is a conflict, and a failure.

mod evidence;
#[cfg(test)]
mod tests;
mod verdict;

use super::{Derivation, Inputs};
use crate::model::database::AtRest;
use crate::model::host::Disk;
use crate::model::proof::Proof;
use crate::model::{Observation, ObservationStatus, Reason, Target, TargetKind, Trouble};
use evidence::Evidence;
use std::collections::BTreeMap;

/// Gives `db.encryption` for every target with a database engine, and for every part of an account that is a database.
pub const AT_REST: Derivation = Derivation { id: "db.encryption", yields: &["db.encryption"], derive };

/// What speaks about files.
const KINDS: [&str; 3] = ["db.at_rest", "db.proof", "host.disk"];

/// What speaks about files, by target, and in the order in which it was seen.
type Told<'a> = BTreeMap<&'a str, BTreeMap<usize, &'a Observation>>;

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let mut told = Told::new();
    let all = inputs.observations.iter().enumerate();
    for (n, observation) in all.filter(|(_, seen)| KINDS.contains(&seen.kind.as_str())) {
        told.entry(&observation.target).or_default().insert(n, observation);
    }
    let mut derived = Vec::new();
    for target in inputs.targets {
        if target.engine.is_some() {
            derived.push(of_target(inputs, target, &told));
        } else if target.kind == TargetKind::Cloud {
            let seen = told.get(target.id.as_str()).into_iter().flatten();
            derived.extend(seen.map(|(_, seen)| of_part(inputs, seen)));
        }
    }
    derived
}

/// Whether it is about the server at the target's address.
fn serves(seen: &Observation, target: &Target) -> bool {
    let address = target.address.to_ascii_lowercase();
    seen.read::<AtRest>().is_ok_and(|facts| facts.serves.contains(&address))
}

/// The state of a database of an account, of which the control plane alone tells.
fn of_part(inputs: &Inputs<'_>, seen: &Observation) -> Observation {
    let name = if seen.part.is_empty() { &seen.target } else { &seen.part };
    let mut evidence = Evidence::of(name);
    take(&mut evidence, seen, inputs);
    complete(inputs, &seen.target, &seen.part, evidence, vec![seen.id.clone()])
}

/// The state of one store, from its own evidence and that of the machine below it.
fn of_target(inputs: &Inputs<'_>, target: &Target, told: &Told<'_>) -> Observation {
    let below = target.connection.host_target.as_deref();
    let places = [Some(target.id.as_str()), below].into_iter().flatten();
    let seen: BTreeMap<usize, &Observation> =
        places.filter_map(|place| told.get(place)).flatten().map(|(n, seen)| (*n, *seen)).collect();
    let ids: Vec<String> = seen.values().map(|observation| observation.id.clone()).collect();
    let mut evidence = Evidence::of(&target.id);
    evidence.hostless = target.kind == TargetKind::Database && below.is_none();
    // Of several proofs the latest counts.
    let latest = seen.values().filter(|seen| seen.kind == "db.proof").map(|seen| (seen.collected, &seen.id)).max();
    let outdated = |seen: &Observation| seen.kind == "db.proof" && latest != Some((seen.collected, &seen.id));
    for observation in seen.values().filter(|seen| !outdated(seen)) {
        // An account tells of many databases; what serves at another address says nothing of this one.
        if observation.kind == "db.at_rest" && observation.target != target.id && !serves(observation, target) {
            continue;
        }
        take(&mut evidence, observation, inputs);
    }
    complete(inputs, &target.id, "", evidence, ids)
}

/// The observation of what the evidence comes to.
fn complete(inputs: &Inputs<'_>, target: &str, part: &str, evidence: Evidence, ids: Vec<String>) -> Observation {
    let facts = verdict::combine(evidence);
    let fault = || Trouble::new(Reason::Internal, "the facts have no JSON form");
    Observation::complete("db.encryption", target, part, "derive", inputs.as_of, &facts)
        .unwrap_or_else(|_| Observation::failed("db.encryption", target, part, "derive", inputs.as_of, fault()))
        .from_inputs(ids)
}

/// Takes what one observation says.
fn take(evidence: &mut Evidence, seen: &Observation, inputs: &Inputs<'_>) {
    let strange = |_| Trouble::new(Reason::Internal, format!("evidence of {} of another form", seen.kind));
    let failed = seen.status == ObservationStatus::Failed;
    let read = match seen.kind.as_str() {
        // A look at the disks that failed takes nothing from what other layers show.
        "host.disk" if failed => {
            evidence.note(seen.trouble.as_ref());
            return;
        }
        _ if failed => {
            evidence.troubles.extend(seen.trouble.clone());
            return;
        }
        "host.disk" => seen.read::<Disk>().map(|disk| evidence.take_disk(&disk)),
        "db.proof" if seen.expires.is_some_and(|expires| expires <= inputs.as_of) => {
            let day = seen.collected.strftime("%F");
            evidence.notes.push(format!("the search of the bytes of {day} is too old to count"));
            return;
        }
        "db.proof" => seen.read::<Proof>().map(|proof| evidence.take_proof(&proof)),
        _ => seen.read::<AtRest>().map(|facts| evidence.take_facts(&facts)),
    };
    evidence.troubles.extend(read.map_err(strange).err());
    // A list cut short may lack the one plain file.
    evidence.troubles.extend(seen.trouble.clone());
}
