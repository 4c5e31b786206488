//! Groups of TLS 1.2 and older: one loop over the list, reading ServerKeyExchange.

use super::modern::{self, Choice};
use super::offer::Offer;
use super::plan;
use super::prober::{Answer, Prober};
use super::suites::{End, Found};
use crate::wire::key_exchange::Params;
use crate::wire::{ServerFlight, Version};

/// The suites for the loop: ECDHE with RSA where there is one. With an ECDSA certificate the server may require the
/// certificate's own curve in the list (RFC 8422 section 5.1).
pub fn suites(accepted: &[u16]) -> (Vec<u16>, bool) {
    let of = |auth: &str| -> Vec<u16> {
        let wanted = |id: &&u16| plan::suite(**id).is_some_and(|row| row.kx == "ECDHE" && row.auth == auth);
        accepted.iter().filter(wanted).copied().collect()
    };
    match (of("RSA"), of("ECDSA"), of("anon")) {
        (rsa, ..) if !rsa.is_empty() => (rsa, false),
        (_, ecdsa, _) if !ecdsa.is_empty() => (ecdsa, true),
        (_, _, anon) => (anon, false),
    }
}

/// Of the groups that are known already, the one that was chosen when all were offered; and all of them.
pub type Known = (Option<u16>, Vec<u16>);

/// What the loop gave.
#[derive(Clone, Debug)]
pub struct LegacyGroups {
    /// The version it was run with.
    pub version: Version,
    /// The groups.
    pub found: Found,
    /// The suites as offered in other orders, and what was chosen then.
    pub choices: Vec<Choice>,
}

/// Which groups the server chooses with these suites. Of the groups known already, the first was chosen
/// when all were offered; `kept` is the curve of the ECDSA certificate, which stays in the list, and last. `theirs` says that
/// the order of the server's is known to count.
pub async fn enumerate(
    prober: &Prober<'_>,
    version: Version,
    suites: Vec<u16>,
    (first, mut known): Known,
    kept: Option<u16>,
    theirs: bool,
) -> LegacyGroups {
    let mut choices = Vec::new();
    let offered: Vec<u16> = plan::groups(version).into_iter().filter(|group| !plan::is_field(*group)).collect();
    let mut left: Vec<u16> = offered.iter().rev().copied().filter(|group| !known.contains(group)).collect();
    let mut accepted: Vec<u16> = first.into_iter().collect();
    if let Some(curve) = kept {
        left.retain(|group| *group != curve);
        left.push(curve);
    }
    let step = format!("groups of {}", version.name());
    let end = loop {
        // Other loops may have met some of them meanwhile.
        let met = prober.with_ledger(|ledger| ledger.groups_of(version));
        known.extend(met.iter().filter(|group| left.contains(group) && Some(**group) != kept));
        left.retain(|group| !known.contains(group));
        if left.is_empty() {
            break End::Refused(None);
        }
        prober.more_follows();
        // Where the server's order is known to count, only ChaCha20 is left to be asked for.
        let order = modern::in_step(&suites, choices.len() + usize::from(theirs));
        let offer = Offer { groups: left.clone(), ..Offer::new(version, order.clone()) };
        match prober.settle(&offer, &step).await {
            Answer::Yes(flight) => {
                choices.push((order, flight.hello.suite));
                match group_of(&flight).filter(|group| left.contains(group)) {
                    Some(group) if Some(group) == kept => {
                        if !accepted.contains(&group) && !known.contains(&group) {
                            accepted.push(group);
                        }
                        break End::Refused(None);
                    }
                    Some(group) => {
                        left.retain(|id| *id != group);
                        accepted.push(group);
                    }
                    // The server does not heed the list; the ledger has noted it.
                    None => break End::Refused(None),
                }
            }
            Answer::No(refusal) => break End::Refused(Some(refusal)),
            Answer::Unknown(trouble) => break End::Unknown(trouble),
        }
    };
    let runs = vec![accepted.len()];
    let mut more: Vec<u16> = known.into_iter().filter(|group| !accepted.contains(group)).collect();
    more.dedup();
    accepted.extend(more);
    let found = Found { runs, offered, accepted, end };
    LegacyGroups { version, found, choices }
}

/// The group of an answer.
pub fn group_of(flight: &ServerFlight) -> Option<u16> {
    match flight.key_exchange.as_ref()?.params {
        Params::Curve { group, .. } => Some(group),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rsa_is_preferred_for_the_loop() {
        assert_eq!(suites(&[0x002F, 0xC02F, 0xC02B]), (vec![0xC02F], false));
        assert_eq!(suites(&[0x002F, 0xC02B]), (vec![0xC02B], true));
        assert_eq!(suites(&[0x002F]), (Vec::new(), false));
    }
}
