//! Whether a target answers what it is known to answer. What follows from silence holds only of a target that does: one
//! that leaves some hellos unanswered by chance, or for want of time, would be said to refuse what it takes.
//!
//! That is often seen only after something was concluded, so conclusions of this sort are kept by name, and are
//! withdrawn at the end where the target turned out not to be steady.

use crate::model::shape::{Intolerance, ServerNames};
use crate::model::tls::Flaws;
use crate::model::tls_session::Renegotiation;
use crate::model::{Fact, Reason, Trouble};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was seen of a target's steadiness.
#[derive(Debug, Default)]
pub struct Steadiness(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// What first showed that the target is not steady.
    broken: Option<String>,
    /// The facts that were concluded from silence.
    inferred: BTreeSet<String>,
}

impl Steadiness {
    /// The target left unanswered what it answers.
    pub fn break_with(&self, seen: &str) {
        self.state().broken.get_or_insert_with(|| seen.to_owned());
    }

    /// Why nothing follows from silence, if so.
    pub fn doubt(&self) -> Option<Trouble> {
        let broken = self.state().broken.clone()?;
        let detail = format!("unsteady: it cannot be told from a refusal that the target does not answer ({broken})");
        Some(Trouble::new(Reason::HandshakeRejected, detail))
    }

    /// This fact rests on silence.
    pub fn infer(&self, fact: &str) {
        self.state().inferred.insert(fact.to_owned());
    }

    /// Whether anything was concluded from silence.
    pub fn rests_on_silence(&self) -> bool {
        !self.state().inferred.is_empty()
    }

    /// The fact, or why it is not known after all.
    pub fn settle<T>(&self, name: &str, fact: &mut Fact<T>) {
        if let Some(doubt) = self.doubt().filter(|_| self.state().inferred.contains(name)) {
            *fact = Fact::unknown(doubt.detail);
        }
    }

    /// Withdraws what rests on silence.
    pub fn settle_flaws(&self, flaws: &mut Flaws) {
        for test in &mut flaws.tests {
            self.settle(&test.name, &mut test.vulnerable);
        }
    }

    /// The same.
    pub fn settle_renegotiation(&self, renegotiation: &mut Renegotiation) {
        self.settle(CLIENT_RENEGOTIATION, &mut renegotiation.client_initiated);
        self.settle(INSECURE_RENEGOTIATION, &mut renegotiation.insecure);
    }

    /// The same.
    pub fn settle_intolerance(&self, intolerance: &mut Intolerance) {
        for test in &mut intolerance.tests {
            self.settle(&test.name, &mut test.tolerated);
        }
        self.settle(V2_HELLO, &mut intolerance.accepts_v2_hello);
    }

    /// The same.
    pub fn settle_names(&self, names: &mut ServerNames) {
        self.settle(WITHOUT_NAME, &mut names.without_name);
        self.settle(WITHOUT_NAME, &mut names.required);
        self.settle(UNKNOWN_NAME, &mut names.unknown_name);
        self.settle(UNKNOWN_NAME, &mut names.unknown_rejected);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What hellos offer.
pub const OFFERED: &str = "offered";
/// Names of facts that are no rows.
pub const CLIENT_RENEGOTIATION: &str = "client-initiated renegotiation";
/// It is that of the row, too.
pub const INSECURE_RENEGOTIATION: &str = "insecure_renegotiation";
/// Whether a hello of TLS in the frame of SSLv2 is taken.
pub const V2_HELLO: &str = "v2-hello";
/// What is shown without a name.
pub const WITHOUT_NAME: &str = "without-name";
/// What is shown under an unknown name.
pub const UNKNOWN_NAME: &str = "unknown-name";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_rests_on_silence_is_withdrawn_and_only_of_an_unsteady_target() {
        let steadiness = Steadiness::default();
        steadiness.infer("robot");
        let facts = || {
            let (mut inferred, mut proven) = (Fact::Known(false), Fact::Known(false));
            steadiness.settle("robot", &mut inferred);
            steadiness.settle("ccs", &mut proven);
            (inferred.known().copied(), proven.known().copied())
        };
        assert_eq!((facts(), steadiness.doubt()), ((Some(false), Some(false)), None));
        steadiness.break_with("connection closed, then ServerHello");
        steadiness.break_with("later");
        assert_eq!(facts(), (None, Some(false)));
        assert!(steadiness.doubt().unwrap().detail.contains("closed, then ServerHello"));
    }
}
