//! Tests for known flaws: the rows of `tls.vulnerabilities`.
//!
//! Each row is there at every look: what could not be tested is unknown with its reason, since a row that is missing
//! would read as a flaw that is not there.

mod accepted;
mod ccs;
mod halfway;
mod heartbleed;
mod oracles;
mod padding;
mod reading;
mod record_overflow;
mod robot;
pub(super) mod ticketbleed;

pub use accepted::accepted;
pub use oracles::oracles;

use super::facts::{Facts, Standing};
use super::offer::Offer;
use super::prober::Prober;
use crate::model::tls::VulnerabilityTest;
use crate::model::{Fact, Trouble};

/// TLS 1.0 to 1.2 of the target.
pub enum Older {
    /// The newest version that is offered, with its accepted suites.
    Offered(Offer),
    /// Not offered.
    Absent,
    /// Why it is not known.
    Unknown(String),
}

impl Older {
    fn of(facts: &Facts) -> Older {
        let mut unknown = None;
        for version in super::visit::VERSIONS {
            match facts.standing(version) {
                Standing::Offered(_) => return Older::Offered(Offer::new(version, facts.ledger.accepted(version))),
                Standing::Unknown(trouble) => unknown = unknown.or(Some(trouble.detail)),
                Standing::Refused(_) => {}
            }
        }
        unknown.map_or(Older::Absent, Older::Unknown)
    }
}

/// The rows of the tests that need no keys: Heartbleed, early ChangeCipherSpec and ROBOT.
pub async fn in_clear(prober: &Prober<'_>, facts: &Facts) -> Vec<VulnerabilityTest> {
    let older = Older::of(facts);
    let (heartbleed, ccs) =
        tokio::join!(Box::pin(heartbleed::look(prober, facts, &older)), Box::pin(ccs::look(prober, &older)));
    let robot = Box::pin(robot::look(prober, facts)).await;
    vec![heartbleed, ccs, robot]
}

/// What one try showed: whether the flaw is there, where that is clear, and what was seen.
type Try = Result<(Option<bool>, String), Trouble>;

/// Tries of one test. A flaw that shows, and what is not clear, is tried once more; two tries that differ show nothing.
#[derive(Default)]
struct Tries(Vec<Try>);

impl Tries {
    /// Whether another try is wanted.
    fn wanted(&self) -> bool {
        match self.0.as_slice() {
            [] => true,
            [Ok((first, _))] => *first != Some(false),
            _ => false,
        }
    }

    fn note(&mut self, one: Try) {
        self.0.push(one);
    }

    /// Whether the flaw is there, and what was seen.
    fn verdict(self) -> (Fact<bool>, String) {
        let mut tries = self.0.into_iter();
        let (first, seen) = match tries.next() {
            Some(Ok(first)) => first,
            Some(Err(trouble)) => return (Fact::unknown(trouble.to_string()), String::new()),
            None => return (Fact::unknown("not tried"), String::new()),
        };
        match (first, tries.next()) {
            (Some(false), _) => (Fact::Known(false), seen),
            (Some(true), Some(Ok((Some(true), _)))) => (Fact::Known(true), seen),
            (None, Some(Ok((Some(false), seen)))) => (Fact::Known(false), seen),
            (None, Some(Ok((None, _)))) => (Fact::unknown(format!("not conclusive: {seen}, twice")), seen),
            (_, Some(Ok((_, other)))) => {
                let seen = format!("{seen}, then {other}");
                (Fact::unknown(format!("inconsistent: {seen}")), seen)
            }
            (_, Some(Err(trouble))) => (Fact::unknown(format!("seen once ({seen}); then: {trouble}")), seen),
            (_, None) => (Fact::unknown(format!("seen once: {seen}")), seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;

    fn tries(answers: &[Option<bool>]) -> (Fact<bool>, usize) {
        let (mut tries, mut made) = (Tries::default(), 0);
        while tries.wanted() {
            tries.note(match answers.get(made) {
                Some(answer) => Ok((*answer, "seen".to_owned())),
                None => Err(Trouble::new(Reason::TimedOut, "gone")),
            });
            made += 1;
        }
        (tries.verdict().0, made)
    }

    #[test]
    fn a_flaw_counts_when_it_shows_twice() {
        assert_eq!(tries(&[Some(false)]), (Fact::Known(false), 1));
        assert_eq!(tries(&[Some(true), Some(true)]), (Fact::Known(true), 2));
        assert_eq!(tries(&[None, Some(false)]), (Fact::Known(false), 2));
        let open: [&[Option<bool>]; 6] =
            [&[], &[Some(true)], &[Some(true), Some(false)], &[Some(true), None], &[None, None], &[None, Some(true)]];
        for open in open {
            assert!(tries(open).0.reason().is_some(), "{open:?}");
        }
    }
}
