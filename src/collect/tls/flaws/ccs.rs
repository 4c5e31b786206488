//! Early ChangeCipherSpec (CVE-2014-0224): a server that takes it before any key was agreed on encrypts with none.

use super::super::ledger::Ledger;
use super::super::offer::Offer;
use super::super::prober::Prober;
use super::conversation::{Conversation, Reply};
use super::{DISABLED, Tested, newest};
use crate::model::Trouble;
use crate::model::tls::VulnerabilityTest;
use crate::wire::record::CHANGE_CIPHER_SPEC;
use std::time::Duration;

pub(super) const NAME: &str = "ccs";
/// How long an answer to the first message may take; one that takes it gives none.
const FIRST: Duration = Duration::from_secs(2);
const SECOND: Duration = Duration::from_secs(5);
const UNEXPECTED_MESSAGE: u8 = 10;
const BAD_RECORD_MAC: u8 = 20;
const DECRYPTION_FAILED: u8 = 21;
const HANDSHAKE_FAILURE: u8 = 40;

/// What a connection says of the flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// A definite refusal.
    Refused,
    /// The connection ended without a word.
    Ended,
    /// The second message was deciphered, which failed.
    Vulnerable,
    /// The second message failed an integrity check.
    Likely,
    /// The second message ended the connection without a word: some programs hide the alerts of their library.
    Dropped,
    /// None of these.
    Unclear,
}

/// One connection where the first message is refused; two or three otherwise.
pub async fn test(prober: &Prober<'_>, ledger: &Ledger, intrusive: bool) -> Tested {
    let Some((version, suites)) = newest(ledger) else {
        return Ok(VulnerabilityTest::inapplicable(NAME, "only TLS 1.3 is offered"));
    };
    if !intrusive {
        return Ok(VulnerabilityTest::unknown(NAME, DISABLED));
    }
    let offer = Offer::new(version, suites);
    judged(prober, &offer).await
}

async fn judged(prober: &Prober<'_>, offer: &Offer) -> Tested {
    let (first, seen) = once(prober, offer).await?;
    if first == Reading::Refused {
        return Ok(VulnerabilityTest::safe(NAME, seen));
    }
    let (second, again) = once(prober, offer).await?;
    if first != second {
        return Ok(VulnerabilityTest::unknown(NAME, format!("inconsistent: {seen}, then {again}")));
    }
    Ok(match second {
        Reading::Refused => VulnerabilityTest::safe(NAME, seen),
        Reading::Vulnerable => VulnerabilityTest::found(NAME, format!("{seen}, twice")),
        Reading::Likely => VulnerabilityTest::likely(NAME, format!("{seen}, twice")),
        Reading::Unclear => VulnerabilityTest::unknown(NAME, format!("inconclusive: {seen}, twice")),
        // The end must be that of the second message, not one that would have come anyway.
        Reading::Dropped => match alone(prober, offer).await? {
            Reply::Silent => {
                prober.steadiness.infer(NAME);
                VulnerabilityTest::likely(NAME, format!("{seen}, twice; after the first alone the server waits on"))
            }
            other => {
                let detail = format!("inconclusive: {seen}, twice; after the first alone: {}", other.words());
                VulnerabilityTest::unknown(NAME, detail)
            }
        },
        // An end without a word refuses the message only where the server still answers.
        Reading::Ended => {
            Conversation::open(prober, offer, NAME).await?;
            prober.steadiness.infer(NAME);
            VulnerabilityTest::safe(NAME, format!("{seen}, twice, while hellos are answered"))
        }
    })
}

/// What follows the first message when there is no second.
async fn alone(prober: &Prober<'_>, offer: &Offer) -> Result<Reply, Trouble> {
    let mut conversation = Conversation::open(prober, offer, NAME).await?;
    let message = conversation.record(CHANGE_CIPHER_SPEC, &[1]);
    conversation.send(&message, FIRST + SECOND, "early ChangeCipherSpec alone").await
}

async fn once(prober: &Prober<'_>, offer: &Offer) -> Result<(Reading, String), Trouble> {
    let mut conversation = Conversation::open(prober, offer, NAME).await?;
    let message = conversation.record(CHANGE_CIPHER_SPEC, &[1]);
    let first = conversation.send(&message, FIRST, "early ChangeCipherSpec").await?;
    if first != Reply::Silent {
        return Ok((first_reading(first), format!("early ChangeCipherSpec: {}", first.words())));
    }
    let second = conversation.send(&message, SECOND, "second ChangeCipherSpec").await?;
    Ok((second_reading(second), format!("early ChangeCipherSpec is taken; a second one: {}", second.words())))
}

fn first_reading(reply: Reply) -> Reading {
    match reply {
        Reply::Alert(UNEXPECTED_MESSAGE | HANDSHAKE_FAILURE) => Reading::Refused,
        reply if reply.is_end() => Reading::Ended,
        _ => Reading::Unclear,
    }
}

fn second_reading(reply: Reply) -> Reading {
    match reply {
        Reply::Alert(DECRYPTION_FAILED) => Reading::Vulnerable,
        Reply::Alert(BAD_RECORD_MAC) => Reading::Likely,
        Reply::Alert(UNEXPECTED_MESSAGE | HANDSHAKE_FAILURE) => Reading::Refused,
        reply if reply.is_end() => Reading::Dropped,
        _ => Reading::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_definite_alert_refuses() {
        assert_eq!(first_reading(Reply::Alert(10)), Reading::Refused);
        assert_eq!(first_reading(Reply::Reset), Reading::Ended);
        assert_eq!(first_reading(Reply::Alert(80)), Reading::Unclear);
        assert_eq!(second_reading(Reply::Alert(21)), Reading::Vulnerable);
        assert_eq!(second_reading(Reply::Alert(20)), Reading::Likely);
        assert_eq!(second_reading(Reply::Silent), Reading::Unclear);
        assert_eq!(second_reading(Reply::Closed), Reading::Dropped);
    }
}
