//! Ticketbleed (CVE-2016-9244): a server that fills a short session id up with its own memory when it resumes a ticket.

use crate::collect::tls::session::Failure;
use crate::model::tls::VulnerabilityTest;

/// The length of the session id that is sent: one byte short.
pub const LENGTH: usize = 31;
/// How often a leak is looked for before it counts.
const TRIES: usize = 3;
const NAME: &str = "ticketbleed";

/// What came back of a session id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Echo {
    /// The id as it was sent, or another one.
    Harmless,
    /// The id and a byte more. Whether that byte is zero is all that is kept of it.
    Longer {
        /// The byte is zero, as memory often is.
        zero: bool,
    },
}

impl Echo {
    /// What this answer to this id is.
    pub fn of(sent: &[u8], received: &[u8]) -> Echo {
        match received.strip_prefix(sent) {
            Some([leaked, ..]) if sent.len() == LENGTH => Echo::Longer { zero: *leaked == 0 },
            _ => Echo::Harmless,
        }
    }
}

/// Whether what came back so far needs another try: a leak counts when it comes three times.
pub fn wants_more(echoes: &[Result<Echo, Failure>]) -> bool {
    echoes.len() < TRIES && echoes.iter().all(|echo| matches!(echo, Ok(Echo::Longer { .. })))
}

/// The row, from what came back; `None` where there was no ticket to resume.
pub fn judge(echoes: Option<&[Result<Echo, Failure>]>) -> VulnerabilityTest {
    let Some(echoes) = echoes else {
        return VulnerabilityTest::inapplicable(NAME, "no ticket of TLS 1.2 or older is issued");
    };
    let mut zeros = true;
    for (n, echo) in echoes.iter().enumerate() {
        match echo {
            Ok(Echo::Harmless) if n == 0 => {
                return VulnerabilityTest::safe(NAME, "nothing came back behind a session id of 31 bytes");
            }
            Ok(Echo::Harmless) => {
                return VulnerabilityTest::unknown(NAME, "inconsistent: leaked once, and not again");
            }
            Ok(Echo::Longer { zero }) => zeros &= zero,
            Err(failure) => return VulnerabilityTest::unknown(NAME, failure.words()),
        }
    }
    // A byte that is zero each time may be filling.
    match (echoes.len(), zeros) {
        (TRIES.., false) => VulnerabilityTest::found(NAME, "a byte of memory came back behind the session id"),
        (TRIES.., true) => VulnerabilityTest::likely(NAME, "a zero byte came back behind the session id, each time"),
        _ => VulnerabilityTest::unknown(NAME, "the session id was not sent often enough"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fact;

    #[test]
    fn a_longer_id_is_a_leak_and_nothing_else() {
        let sent = [7; LENGTH];
        assert_eq!(Echo::of(&sent, &sent), Echo::Harmless);
        assert_eq!(Echo::of(&sent, &[]), Echo::Harmless);
        assert_eq!(Echo::of(&sent, &[9; 32]), Echo::Harmless);
        let mut longer = sent.to_vec();
        longer.push(3);
        assert_eq!(Echo::of(&sent, &longer), Echo::Longer { zero: false });
        longer[LENGTH] = 0;
        assert_eq!(Echo::of(&sent, &longer), Echo::Longer { zero: true });
    }

    #[test]
    fn a_leak_counts_when_it_comes_three_times() {
        let (leak, zero) = (Ok(Echo::Longer { zero: false }), Ok(Echo::Longer { zero: true }));
        let harmless = Ok(Echo::Harmless);
        assert!(wants_more(&[leak.clone(), zero.clone()]));
        assert!(!wants_more(&[leak.clone(), zero.clone(), leak.clone()]));
        assert!(!wants_more(std::slice::from_ref(&harmless)));
        let found = judge(Some(&[leak.clone(), zero.clone(), leak.clone()]));
        assert_eq!((found.vulnerable, found.severity.as_str()), (Fact::Known(true), "high"));
        let likely = judge(Some(&[zero.clone(), zero.clone(), zero]));
        assert_eq!((likely.vulnerable, likely.severity.as_str()), (Fact::Known(true), "medium"));
        let once = judge(Some(&[leak, harmless.clone()]));
        assert!(once.vulnerable.reason().unwrap().starts_with("inconsistent"));
        let safe = judge(Some(&[harmless]));
        assert!(safe.applies && safe.vulnerable == Fact::Known(false));
        assert_eq!(judge(Some(&[Err(Failure::Silent)])).vulnerable, Fact::unknown("no answer in time"));
        assert!(!judge(None).applies);
    }
}
