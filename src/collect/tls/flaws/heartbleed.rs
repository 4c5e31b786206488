//! Heartbleed (CVE-2014-0160): a heartbeat that claims a payload which it does not carry.

use super::super::ledger::Ledger;
use super::super::offer::Offer;
use super::super::prober::Prober;
use super::conversation::{Conversation, Reply};
use super::{DISABLED, Tested, newest};
use crate::model::Trouble;
use crate::model::tls::VulnerabilityTest;
use crate::wire::record::HEARTBEAT;
use std::time::Duration;

pub(super) const NAME: &str = "heartbleed";
const PATIENCE: Duration = Duration::from_secs(5);
/// A request with a claimed payload of 16 KiB, of which nothing is sent. A small claim may stay in the buffer of a
/// server in mid-handshake, and look safe.
const REQUEST: [u8; 3] = [1, 0x40, 0];

/// No connection where heartbeats are not answered; else one, and one more to be sure.
pub async fn test(prober: &Prober<'_>, ledger: &Ledger, intrusive: bool) -> Tested {
    let Some((version, suites)) = newest(ledger) else {
        return Ok(VulnerabilityTest::inapplicable(NAME, "no version with heartbeats in clear is offered"));
    };
    match (ledger.ride.heartbeat.yes, ledger.ride.heartbeat.no) {
        (0, 0) => return Ok(VulnerabilityTest::unknown(NAME, "no hello that offers heartbeats was answered")),
        (0, _) => return Ok(VulnerabilityTest::safe(NAME, "the heartbeat extension is not answered")),
        _ if !intrusive => return Ok(VulnerabilityTest::unknown(NAME, DISABLED)),
        _ => {}
    }
    let offer = Offer::new(version, suites);
    let (first, second) = twice(prober, &offer).await?;
    let seen = format!("a heartbeat of 3 bytes that claims 16384: {}", first.words());
    Ok(match (leaks(first), leaks(second)) {
        (true, true) => VulnerabilityTest::found(NAME, format!("{seen}, twice")),
        (false, false) if second == Reply::NotTls || first == Reply::NotTls => VulnerabilityTest::unknown(NAME, seen),
        (false, false) => {
            if ![first, second].iter().any(|reply| matches!(reply, Reply::Alert(_))) {
                prober.steadiness.infer(NAME);
            }
            VulnerabilityTest::safe(NAME, seen)
        }
        _ => VulnerabilityTest::unknown(NAME, format!("inconsistent: {seen}, then {}", second.words())),
    })
}

/// A positive is repeated; so is a negative, which also shows that the server still answers.
async fn twice(prober: &Prober<'_>, offer: &Offer) -> Result<(Reply, Reply), Trouble> {
    let first = once(prober, offer).await?;
    let second = once(prober, offer).await?;
    Ok((first, second))
}

async fn once(prober: &Prober<'_>, offer: &Offer) -> Result<Reply, Trouble> {
    let mut conversation = Conversation::open(prober, offer, NAME).await?;
    let request = conversation.record(HEARTBEAT, &REQUEST);
    conversation.send(&request, PATIENCE, "heartbeat of 3 bytes that claims 16384").await
}

/// Only the length of the answer is known: what leaked is never read.
fn leaks(reply: Reply) -> bool {
    matches!(reply, Reply::Record(HEARTBEAT, length) if length > 3)
}
