//! The second question for a staple: several servers fetch one only when the first client has asked for it.

use super::ledger::Ledger;
use super::offer::Offer;
use super::prober::Prober;
use super::{certificate, plan, shown};
use crate::wire::Version;
use std::time::Duration;

/// The time that a server gets to fetch one.
const WAIT: Duration = Duration::from_secs(3);

/// Asks once more after three seconds, where certificates name a responder and none of their staples came. What comes is
/// noted in the ledger.
pub async fn again(prober: &Prober<'_>, server_name: &str) {
    let ledger = prober.ledger();
    let wanting = |leaf: &Vec<u8>| certificate::wants_staple(leaf);
    let wanted = ledger.chains.values().any(|chain| chain.certificates.first().is_some_and(wanting));
    if !wanted || ledger.chains.values().any(|chain| chain.staple.is_some()) || prober.pause(WAIT).await.is_err() {
        return;
    }
    match in_clear(&ledger) {
        Some((version, suites)) => {
            // The answer counts for what it brings; a refusal takes nothing back.
            let _ = prober.ask(&Offer::new(version, suites), "staple").await;
        }
        None => shown::again(prober, server_name).await,
    }
}

/// The newest version that shows its certificate in clear, and its suites that have one.
fn in_clear(ledger: &Ledger) -> Option<(Version, Vec<u16>)> {
    let certified = |id: &u16| plan::suite(*id).is_some_and(|row| matches!(row.auth.as_str(), "RSA" | "ECDSA"));
    [Version::Tls12, Version::Tls11, Version::Tls10].into_iter().find_map(|version| {
        let suites: Vec<u16> = ledger.accepted(version).into_iter().filter(certified).take(100).collect();
        (!suites.is_empty()).then_some((version, suites))
    })
}
