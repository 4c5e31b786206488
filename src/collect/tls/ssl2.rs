//! SSLv2: one connection tells everything, and a bad answer is asked for twice.

use super::ledger::Accepted;
use super::probe::Outcome;
use super::prober::{Answer, Prober, Refusal};
use super::suites::VersionSuites;
use crate::model::{Reason, Trouble};
use crate::wire::{Version, alert, ssl2};

/// What SSLv2 gave.
#[derive(Clone, Debug)]
pub struct Ssl2 {
    /// Refused or unknown, or neither where it answers.
    pub version: VersionSuites,
    /// It answers.
    pub offered: bool,
    /// It answers, without any kind of cipher (CVE-2015-3197).
    pub without_kinds: bool,
}

/// Reads the first answer, and asks again where it is a bad or an unclear one.
pub async fn settle(prober: &Prober<'_>, first: Outcome) -> Ssl2 {
    let open = |refusal, trouble| Ssl2 {
        version: VersionSuites { version: Version::Ssl2, lists: Vec::new(), refusal, trouble },
        offered: false,
        without_kinds: false,
    };
    // An error within the server is no word on what it speaks.
    if let Outcome::Alert(fatal) = &first
        && fatal.description != alert::INTERNAL_ERROR
    {
        return open(Some(Refusal { proven: true, version: true, seen: first.words() }), None);
    }
    if let Some(trouble) = prober.stopped() {
        return open(None, Some(trouble));
    }
    if !matches!(first, Outcome::Ssl2(_)) {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    let second = prober.ask_ssl2("SSLv2").await;
    match (&first, &second) {
        (Outcome::Ssl2(one), Outcome::Ssl2(other)) if one == other || both_hellos(one, other) => {
            answered(prober, one, open(None, None))
        }
        (Outcome::Ssl2(_), _) | (_, Outcome::Ssl2(_)) => {
            prober.changed(&first, &second);
            let detail = format!("inconsistent: {}, then {}", first.words(), second.words());
            open(None, Some(Trouble::new(Reason::ProtocolViolation, detail)))
        }
        (_, Outcome::Alert(fatal)) if fatal.description != alert::INTERNAL_ERROR => {
            open(Some(Refusal { proven: true, version: true, seen: second.words() }), None)
        }
        _ => match prober.infer(&as_close(first), &as_close(second)).await {
            Answer::No(refusal) => open(Some(Refusal { version: true, ..refusal }), None),
            Answer::Unknown(trouble) => open(None, Some(trouble)),
            Answer::Yes(_) => open(None, None),
        },
    }
}

/// An answer in another protocol is none in SSLv2, and not a definite refusal.
fn as_close(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::NotTls(bytes) => Outcome::Closed(bytes.len()),
        other => other,
    }
}

/// The certificate may differ between machines behind one address; the kinds may not.
fn both_hellos(one: &ssl2::Answer, other: &ssl2::Answer) -> bool {
    match (one, other) {
        (ssl2::Answer::Hello { kinds: one, .. }, ssl2::Answer::Hello { kinds: other, .. }) => one == other,
        _ => false,
    }
}

fn answered(prober: &Prober<'_>, answer: &ssl2::Answer, open: Ssl2) -> Ssl2 {
    match answer {
        ssl2::Answer::Hello { certificate, kinds } => {
            prober.with_ledger(|ledger| {
                let chain: Vec<Vec<u8>> = if certificate.is_empty() { Vec::new() } else { vec![certificate.clone()] };
                let leaf = ledger.note_certificates(Version::Ssl2, &chain, None);
                for kind in kinds {
                    let (suite, leaf) = (*kind, leaf.clone());
                    ledger.accept(Accepted {
                        version: Version::Ssl2,
                        suite,
                        curve: false,
                        group: None,
                        field_bits: None,
                        leaf,
                    });
                }
            });
            Ssl2 { offered: true, without_kinds: kinds.is_empty(), ..open }
        }
        ssl2::Answer::Error(1) => Ssl2 { offered: true, without_kinds: true, ..open },
        ssl2::Answer::Error(code) => {
            let trouble = Trouble::new(Reason::HandshakeRejected, format!("SSLv2 ERROR {code}"));
            Ssl2 { version: VersionSuites { trouble: Some(trouble), ..open.version }, ..open }
        }
    }
}
