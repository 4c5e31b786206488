//! Early ChangeCipherSpec (CVE-2014-0224): a server that takes one before there are keys makes weak ones.

use super::halfway::{Halfway, Reply};
use super::{Older, Tries, Try};
use crate::collect::tls::offer::Offer;
use crate::collect::tls::prober::Prober;
use crate::model::Fact;
use crate::model::tls::VulnerabilityTest;
use crate::wire::record::CHANGE_CIPHER_SPEC;
use std::time::Duration;

const NAME: &str = "ccs";
const SEVERITY: &str = "critical";
/// How long an answer to the first message is waited for.
const FIRST: Duration = Duration::from_secs(2);
/// How long one to the second.
const SECOND: Duration = Duration::from_secs(5);
/// Alerts that show that the message was refused as such, and those that show that the record layer had keys.
const UNEXPECTED: [u8; 2] = [10, 40];
const BAD_RECORD_MAC: u8 = 20;
const DECRYPTION_FAILED: u8 = 21;

/// The row.
pub async fn look(prober: &Prober<'_>, older: &Older) -> VulnerabilityTest {
    let offer = match older {
        Older::Absent => return VulnerabilityTest::does_not_apply(NAME, SEVERITY, "no TLS 1.2 or older"),
        Older::Unknown(why) => return VulnerabilityTest::of(NAME, SEVERITY, Fact::unknown(why.clone()), ""),
        Older::Offered(offer) => offer,
    };
    let (mut tries, mut likely) = (Tries::default(), false);
    while tries.wanted() {
        tries.note(attempt(prober, offer, &mut likely).await);
    }
    let (vulnerable, seen) = tries.verdict();
    let row = VulnerabilityTest::of(NAME, SEVERITY, vulnerable, seen);
    if likely && row.vulnerable == Fact::Known(true) {
        return VulnerabilityTest { severity: "medium".to_owned(), ..row.likely() };
    }
    row
}

async fn attempt(prober: &Prober<'_>, offer: &Offer, likely: &mut bool) -> Try {
    let mut halfway = Halfway::open(prober, offer, "early ChangeCipherSpec").await?;
    halfway.send(CHANGE_CIPHER_SPEC, &[1]).await;
    let first = prober.within(Box::pin(halfway.next(FIRST))).await?;
    if first != Reply::Silent {
        return Ok((refused(&first).then_some(false), first.words()));
    }
    halfway.send(CHANGE_CIPHER_SPEC, &[1]).await;
    let second = prober.within(Box::pin(halfway.next(SECOND))).await?;
    let taken = match &second {
        Reply::Alert(alert) if alert.description == DECRYPTION_FAILED => Some(true),
        Reply::Alert(alert) if alert.description == BAD_RECORD_MAC => {
            *likely = true;
            Some(true)
        }
        reply if refused(reply) => Some(false),
        _ => None,
    };
    Ok((taken, format!("no answer to the first, {} to the second", second.words())))
}

/// Whether the message was refused as one that may not come now.
fn refused(reply: &Reply) -> bool {
    match reply {
        Reply::Closed | Reply::Reset => true,
        Reply::Alert(alert) => UNEXPECTED.contains(&alert.description),
        Reply::Record(..) | Reply::Silent => false,
    }
}
