//! Whether the finite-field groups that a hello names decide the parameters of DHE with TLS 1.2 and older (RFC 7919).

use super::ledger::Ledger;
use super::offer::Offer;
use super::plan;
use super::prime;
use super::prober::{Answer, Prober};
use crate::catalogue::registry;
use crate::model::Fact;
use crate::model::target::Profile;
use crate::model::tls::Dh;
use crate::wire::Version;
use crate::wire::key_exchange::Params;

/// What the labels of these primes begin with.
const LABEL: &str = "RFC 7919 ";

/// What was seen.
pub struct NamedFields {
    honoured: Fact<String>,
    seen: Vec<u16>,
}

impl NamedFields {
    /// Adds it to the facts.
    pub fn note_in(self, dh: &mut Dh) {
        let name = |id: &u16| registry::group(*id).map_or_else(|| format!("0x{id:04X}"), |row| row.name.clone());
        dh.named_groups = self.honoured;
        dh.named_seen = self.seen.iter().map(name).collect();
    }
}

/// No connection where an answer that is there suffices: without DHE, and where no prime is one of those groups although
/// all were named. Else the group seen is taken away, until another prime or a refusal comes.
pub async fn look(prober: &Prober<'_>, ledger: &Ledger, dh: &Dh, profile: Profile) -> NamedFields {
    let mut seen = Vec::new();
    match &dh.used {
        Fact::Known(true) => {}
        Fact::Known(false) => return NamedFields { honoured: word("not-applicable"), seen },
        Fact::Unknown(why) => return NamedFields { honoured: Fact::unknown(why.unknown.clone()), seen },
    }
    let newest = ledger.fields.iter().filter(|field| field.named && !field.export).map(|field| field.version).max();
    let Some(version) = newest.filter(|version| *version > Version::Ssl3) else {
        return NamedFields { honoured: Fact::unknown("no parameters came in answer to named groups"), seen };
    };
    let of_version = ledger.fields.iter().filter(|field| field.named && !field.export && field.version == version);
    for group in of_version.clone().filter_map(|field| group_of(&field.p)) {
        if !seen.contains(&group) {
            seen.push(group);
        }
    }
    if seen.is_empty() {
        return NamedFields { honoured: word("own"), seen };
    }
    if profile == Profile::Quick {
        return NamedFields { honoured: Fact::unknown("disabled: the quick profile does not ask for it"), seen };
    }
    let mut suites: Vec<u16> = of_version.map(|field| field.suite).collect();
    suites.dedup();
    let honoured = asked(prober, version, suites, &mut seen).await;
    NamedFields { honoured, seen }
}

async fn asked(prober: &Prober<'_>, version: Version, suites: Vec<u16>, seen: &mut Vec<u16>) -> Fact<String> {
    let fields: Vec<u16> = plan::groups(version).into_iter().filter(|group| plan::is_field(*group)).collect();
    let mut result = word("own");
    loop {
        let left: Vec<u16> = fields.iter().copied().filter(|group| !seen.contains(group)).collect();
        if left.is_empty() {
            return result;
        }
        let offer = Offer { groups: left.clone(), ..Offer::new(version, suites.clone()) };
        let step = "finite-field groups";
        match prober.settle_with(&offer, &prober.manner(), ", fewer finite fields", step).await {
            Answer::Yes(flight) => {
                let params = flight.key_exchange.map(|exchange| exchange.params);
                let Some(Params::Field { p, .. }) = params else {
                    return Fact::unknown("an answer came without parameters");
                };
                match group_of(&p).filter(|group| left.contains(group)) {
                    Some(group) => {
                        seen.push(group);
                        result = word("honoured");
                    }
                    // Its own parameters, whatever was named.
                    None => return result,
                }
            }
            // That a list was refused is told from one that was lost only where the server says so.
            Answer::No(refusal) if result == word("own") && !refusal.proven => return Fact::unknown(refusal.seen),
            Answer::No(_) if result == word("own") => return word("strict"),
            Answer::No(_) => return result,
            Answer::Unknown(trouble) if result == word("own") => return Fact::unknown(trouble.detail),
            Answer::Unknown(_) => return result,
        }
    }
}

/// The group whose prime this is.
fn group_of(p: &[u8]) -> Option<u16> {
    let label = prime::published(p)?;
    registry::group_by_name(label.strip_prefix(LABEL)?).map(|group| group.id)
}

fn word(word: &str) -> Fact<String> {
    Fact::Known(word.to_owned())
}
