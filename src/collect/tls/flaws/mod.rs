//! Active tests for known flaws: a stage of its own after the enumeration, one file a test.
//!
//! Each test first asks what the enumeration saw, and opens no connection where that suffices. The tests can be
//! switched off as a class, since a server that has a flaw may not bear them.

mod ccs;
mod conversation;
mod heartbleed;
mod oracles;
mod padding;
mod reading;
mod record_overflow;
mod robot;
pub(super) mod ticketbleed;

pub use oracles::oracles;

use super::facts::{Facts, OLDER};
use super::ledger::Ledger;
use super::plan;
use super::prober::Prober;
use crate::model::tls::{Flaws, VulnerabilityTest};
use crate::model::{Reason, Trouble};
use crate::wire::Version;

/// Why a test of the class was not made.
pub const DISABLED: &str = "disabled: intrusive tests are switched off";

/// How many connections of the tests may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// As many as there may be.
    Together,
    /// One after the other.
    Alone,
}

/// The tests, side by side. A server that serves one connection after the other keeps those waiting that stand beside one
/// in the middle of a handshake: a test whose hellos were not answered in time is made again with one connection at once.
pub async fn test(prober: &Prober<'_>, facts: &Facts, intrusive: bool) -> Flaws {
    let ledger = prober.ledger();
    let (heartbleed, ccs, robot) = tokio::join!(
        heartbleed::test(prober, &ledger, intrusive),
        ccs::test(prober, &ledger, intrusive),
        robot::test(prober, &ledger, intrusive, Pace::Together)
    );
    let heartbleed = match waited(&heartbleed) {
        true => heartbleed::test(prober, &ledger, intrusive).await,
        false => heartbleed,
    };
    let ccs = if waited(&ccs) { ccs::test(prober, &ledger, intrusive).await } else { ccs };
    let robot = match waited(&robot) {
        true => robot::test(prober, &ledger, intrusive, Pace::Alone).await,
        false => robot,
    };
    let row = |name, tested: Tested| tested.unwrap_or_else(|trouble| broken(name, &trouble));
    let mut tests = vec![row(heartbleed::NAME, heartbleed), row(ccs::NAME, ccs), row(robot::NAME, robot)];
    // What a test needs may be there and not be known.
    if let Some(open) = facts.open_of(&OLDER) {
        for test in tests.iter_mut().filter(|test| !test.applies) {
            *test = VulnerabilityTest::unknown(&test.name, open.detail.clone());
        }
    }
    Flaws { tests }
}

/// The row of a test, or why it broke off.
type Tested = Result<VulnerabilityTest, Trouble>;

/// The test broke off because an answer did not come in time.
fn waited(tested: &Tested) -> bool {
    tested.as_ref().is_err_and(|trouble| trouble.reason == Reason::TimedOut)
}

/// The newest version of TLS 1.2 and older with suites, and those suites.
fn newest(ledger: &Ledger) -> Option<(Version, Vec<u16>)> {
    suites_of(ledger, |_| true)
}

/// The newest version of TLS 1.2 and older with suites of this sort, and those suites.
fn suites_of(ledger: &Ledger, wanted: impl Fn(u16) -> bool) -> Option<(Version, Vec<u16>)> {
    [Version::Tls12, Version::Tls11, Version::Tls10, Version::Ssl3].into_iter().find_map(|version| {
        // Anonymous suites and those with a shared key come last: what a client of today would take is what is tested.
        let mut suites: Vec<u16> = ledger.accepted(version).into_iter().filter(|suite| wanted(*suite)).collect();
        suites.sort_by_key(|suite| plan::suite(*suite).is_none_or(|row| !matches!(row.auth.as_str(), "RSA" | "ECDSA")));
        suites.truncate(100);
        (!suites.is_empty()).then_some((version, suites))
    })
}

/// A test that broke off.
fn broken(name: &str, trouble: &Trouble) -> VulnerabilityTest {
    VulnerabilityTest::unknown(name, trouble.to_string())
}
