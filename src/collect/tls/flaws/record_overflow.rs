//! The padding oracle of OpenSSL's AES-NI code (CVE-2016-2107): a record of nothing but the same byte is answered with
//! record_overflow where the MAC was not checked in constant time.

use super::padding::Pair;
use crate::collect::tls::prober::Prober;
use crate::collect::tls::session::{Cipher, Failure, Hash};
use crate::collect::tls::visit;
use crate::model::Fact;
use crate::model::tls::VulnerabilityTest;
use crate::wire::record::APPLICATION_DATA;
use std::time::Duration;
use tokio::time::Instant;

const ANSWER: Duration = Duration::from_secs(5);
/// Four blocks of the byte that Cloudflare's test uses.
const PLAINTEXT: [u8; 64] = [0x41; 64];

/// The name of the row.
pub const NAME: &str = "cve_2016_2107";
const BAD_RECORD_MAC: u8 = 20;
const RECORD_OVERFLOW: u8 = 22;

/// The row. `pairs` are the accepted pairs with CBC that a session can be made with, `open` says why there may be others.
pub async fn look(prober: &Prober<'_>, pairs: &[Pair], open: Option<String>) -> VulnerabilityTest {
    // OpenSSL has the code for SHA-1, and from 1.0.2 on for SHA-256; with SHA-384 a server with the flaw looks safe.
    let place = |mac: Option<Hash>| [Some(Hash::Sha1), Some(Hash::Sha256)].iter().position(|known| *known == mac);
    let candidates = pairs.iter().filter(|(_, suite)| matches!(suite.cipher, Cipher::AesCbc(_)));
    let Some(pair) = candidates.min_by_key(|(_, suite)| place(suite.mac).unwrap_or(usize::MAX)) else {
        return match open {
            Some(why) => VulnerabilityTest::unknown(NAME, why),
            None => VulnerabilityTest::inapplicable(NAME, "no CBC suite is accepted with TLS 1.0 to 1.2"),
        };
    };
    match ask(prober, *pair).await {
        Fact::Unknown(why) => return VulnerabilityTest::unknown(NAME, why.unknown),
        Fact::Known(false) => return VulnerabilityTest::safe(NAME, "64 equal bytes were answered with bad_record_mac"),
        Fact::Known(true) => {}
    }
    match ask(prober, *pair).await {
        Fact::Known(true) => VulnerabilityTest::found(NAME, "64 equal bytes were answered with record_overflow, twice"),
        Fact::Known(false) => VulnerabilityTest::unknown(NAME, "inconsistent: record_overflow once, and not again"),
        Fact::Unknown(why) => VulnerabilityTest::unknown(NAME, why.unknown),
    }
}

async fn ask(prober: &Prober<'_>, pair: Pair) -> Fact<bool> {
    const STEP: &str = "CVE-2016-2107";
    let (version, suite) = pair;
    let hello = visit::hello(prober, version, &[suite]);
    let look = async {
        let mut session = visit::open(prober, &hello, None, STEP).await?;
        session.channel().put_forged(APPLICATION_DATA, PLAINTEXT.to_vec())?;
        let end = Instant::now() + ANSWER;
        session.channel().flush(end).await;
        loop {
            prober.within(session.channel().next(end)).await.map_err(Failure::Transport)??;
        }
    };
    let failure: Result<std::convert::Infallible, Failure> = look.await;
    let Err(failure) = failure;
    prober.record_words("record of 64 equal bytes".to_owned(), failure.words(), STEP);
    judge(&failure)
}

fn judge(failure: &Failure) -> Fact<bool> {
    match failure {
        Failure::Alert(alert) if alert.description == RECORD_OVERFLOW => Fact::Known(true),
        Failure::Alert(alert) if alert.description == BAD_RECORD_MAC => Fact::Known(false),
        other => Fact::unknown(format!("a record of 64 equal bytes was answered with: {}", other.words())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Alert;

    #[test]
    fn two_alerts_are_answers_and_nothing_else() {
        assert_eq!(judge(&Failure::Alert(Alert::fatal(22))), Fact::Known(true));
        assert_eq!(judge(&Failure::Alert(Alert::fatal(20))), Fact::Known(false));
        for other in [Failure::Alert(Alert::fatal(21)), Failure::Closed, Failure::Silent] {
            assert!(judge(&other).reason().is_some());
        }
    }
}
