//! Heartbleed (CVE-2014-0160): a heartbeat that claims more than it brings is answered with the server's memory.

use super::halfway::{Halfway, Reply};
use super::{Older, Tries, Try};
use crate::collect::tls::facts::Facts;
use crate::collect::tls::offer::Offer;
use crate::collect::tls::prober::Prober;
use crate::model::Fact;
use crate::model::tls::VulnerabilityTest;
use std::time::Duration;

const NAME: &str = "heartbleed";
const SEVERITY: &str = "critical";
/// The type of heartbeat records (RFC 6520).
const HEARTBEAT: u8 = 24;
/// A request that claims 16 384 bytes and brings none. Less may stay in the server's buffer and look safe.
const REQUEST: [u8; 3] = [1, 0x40, 0];
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// The row.
pub async fn look(prober: &Prober<'_>, facts: &Facts, older: &Older) -> VulnerabilityTest {
    let heartbeat = facts.ledger.ride.heartbeat;
    let offer = match older {
        Older::Absent => return VulnerabilityTest::does_not_apply(NAME, SEVERITY, "no TLS 1.2 or older"),
        Older::Unknown(why) => return VulnerabilityTest::of(NAME, SEVERITY, Fact::unknown(why.clone()), ""),
        Older::Offered(offer) if heartbeat.yes > 0 => offer,
        Older::Offered(_) if heartbeat.no > 0 => {
            return VulnerabilityTest::does_not_apply(NAME, SEVERITY, "the heartbeat extension is not answered");
        }
        Older::Offered(_) => {
            let why = "no full hello was answered, so that heartbeats were not offered";
            return VulnerabilityTest::of(NAME, SEVERITY, Fact::unknown(why), "");
        }
    };
    let mut tries = Tries::default();
    while tries.wanted() {
        tries.note(attempt(prober, offer).await);
    }
    let (vulnerable, seen) = tries.verdict();
    VulnerabilityTest::of(NAME, SEVERITY, vulnerable, seen)
}

/// Silence, an alert and a close are what a safe server does.
async fn attempt(prober: &Prober<'_>, offer: &Offer) -> Try {
    let mut halfway = Halfway::open(prober, offer, "heartbeat").await?;
    halfway.send(HEARTBEAT, &REQUEST).await;
    let reply = prober.within(Box::pin(halfway.next(ANSWER))).await?;
    Ok((Some(matches!(reply, Reply::Record(HEARTBEAT, 4..))), reply.words()))
}
