//! The rules by which outcomes become answers: what is proven, what is inferred, and what stays unknown.

use super::super::offer::{Manner, Offer};
use super::super::probe::Outcome;
use super::super::steadiness::OFFERED;
use super::{APART, Answer, BACK_OFF, Prober, Refusal};
use crate::model::{Reason, Trouble};
use crate::wire::{Version, alert};
use tokio::time::Instant;

impl Prober<'_> {
    /// Asks in a manner that need not be the usual one, until the answer is clear or it is clear that it will not be.
    pub async fn settle_with(&self, offer: &Offer, manner: &Manner, more: &str, step: &str) -> Answer {
        if let Some(trouble) = self.stopped() {
            return Answer::Unknown(trouble);
        }
        let first = self.ask_with(offer, manner, more, step).await;
        if let Some(answer) = clear(offer, &first) {
            return answer;
        }
        if let Err(trouble) = self.apart().await {
            return Answer::Unknown(trouble);
        }
        let second = self.ask_with(offer, manner, more, step).await;
        match clear(offer, &second) {
            Some(answer) => {
                self.changed(&first, &second);
                answer
            }
            None => self.infer(&first, &second).await,
        }
    }

    /// The same hello was answered in two ways.
    pub fn changed(&self, first: &Outcome, second: &Outcome) {
        self.unsteady(&format!("{}, then {}", first.words(), second.words()));
    }

    /// Asks until the answer is clear, or it is clear that it will not be.
    pub async fn settle(&self, offer: &Offer, step: &str) -> Answer {
        if let Some(trouble) = self.stopped() {
            return Answer::Unknown(trouble);
        }
        let outcome = self.ask(offer, step).await;
        self.settle_from(offer, outcome, step).await
    }

    /// The same, where the first try has been made.
    pub async fn settle_from(&self, offer: &Offer, first: Outcome, step: &str) -> Answer {
        let first = match self.without_name_or_alpn(offer, first, step).await {
            Some(again) => again,
            None => return Answer::Unknown(Trouble::new(Reason::Interrupted, "the run was stopped")),
        };
        if let Some(answer) = clear(offer, &first) {
            return self.whole(offer, answer, step).await;
        }
        // Some stacks dislike the shape of a hello, and say so with one of these alerts: then the second try is simpler.
        let simpler = matches!(first, Outcome::Alert(_)) && offer.version > Version::Ssl3 && !offer.minimal;
        if self.apart().await.is_err() {
            return Answer::Unknown(self.stopped().unwrap_or_else(|| first.trouble()));
        }
        let retry = if simpler { offer.clone().minimal() } else { offer.clone() };
        let second = self.ask(&retry, step).await;
        if let Some(answer) = clear(offer, &second) {
            if !simpler {
                self.changed(&first, &second);
                return self.whole(offer, answer, step).await;
            }
            return match answer {
                Answer::Yes(_) => self.minimal_or(offer, &first, answer, step).await,
                other => other,
            };
        }
        if let Some(answer) = self.bare(offer, &first, step).await {
            return answer;
        }
        self.infer(&first, &second).await
    }

    /// A flight that broke off is asked for once more.
    async fn whole(&self, offer: &Offer, answer: Answer, step: &str) -> Answer {
        let broken_off = |answer: &Answer| match answer {
            Answer::Yes(flight) => !flight.complete,
            _ => false,
        };
        if !broken_off(&answer) || self.stopped().is_some() {
            return answer;
        }
        match clear(offer, &self.ask(offer, step).await) {
            Some(again @ Answer::Yes(_)) if !broken_off(&again) => {
                self.unsteady("a flight broke off, and was whole when asked for again");
                again
            }
            _ => answer,
        }
    }

    /// A minimal hello was accepted where a full one was not. Only where the full one is still not, all that follow are
    /// minimal: the first time may have been chance.
    async fn minimal_or(&self, offer: &Offer, first: &Outcome, minimal: Answer, step: &str) -> Answer {
        if self.stopped().is_some() {
            return minimal;
        }
        let again = self.ask(offer, step).await;
        match clear(offer, &again) {
            Some(full) => {
                self.changed(first, &again);
                full
            }
            None => {
                self.state().manner.minimal = true;
                minimal
            }
        }
    }

    /// A target that has not accepted any full hello may bear a minimal one: then all that follow are minimal.
    async fn bare(&self, offer: &Offer, first: &Outcome, step: &str) -> Option<Answer> {
        let full = self.state().control.as_ref().is_some_and(|control| !control.minimal);
        if full || self.manner().minimal || offer.minimal || offer.version == Version::Ssl3 || self.stopped().is_some()
        {
            return None;
        }
        let answer = clear(offer, &self.ask(&offer.clone().minimal(), step).await)?;
        match answer {
            Answer::Yes(_) => Some(self.minimal_or(offer, first, answer, step).await),
            other => Some(other),
        }
    }

    /// Twice the same without a definite word: a refusal only if the target still answers the control probe.
    pub async fn infer(&self, first: &Outcome, second: &Outcome) -> Answer {
        if let Some(trouble) = self.stopped() {
            return Answer::Unknown(trouble);
        }
        let quiet = |outcome: &Outcome| {
            matches!(outcome, Outcome::Closed(_) | Outcome::Reset | Outcome::Silent(_) | Outcome::Alert(_))
        };
        if !quiet(first) || !quiet(second) {
            let worst = if quiet(first) { second } else { first };
            return Answer::Unknown(worst.trouble());
        }
        // Whether an end arrives as a reset is a matter of what was still on its way.
        let ended = |outcome: &Outcome| matches!(outcome, Outcome::Closed(_) | Outcome::Reset);
        let same = std::mem::discriminant(first) == std::mem::discriminant(second);
        if !(same || (ended(first) && ended(second))) {
            let detail = format!("{}, then {}", first.words(), second.words());
            return Answer::Unknown(Trouble::new(Reason::HandshakeRejected, format!("inconsistent: {detail}")));
        }
        match self.control().await {
            Ok(()) => {
                self.steadiness.infer(OFFERED);
                Answer::No(Refusal {
                    proven: false,
                    version: false,
                    seen: format!("{}, twice, while other hellos are answered", second.words()),
                })
            }
            Err(trouble) => Answer::Unknown(trouble),
        }
    }

    /// The control probe, with the waits that follow its failure.
    ///
    /// # Errors
    /// When the target does not answer it any more, or nothing is known that it answers.
    pub async fn control(&self) -> Result<(), Trouble> {
        let Some(control) = self.state().control.clone() else {
            return Err(Trouble::new(Reason::HandshakeRejected, "no hello has been accepted, so silence says nothing"));
        };
        let _gate = self.gate.lock().await;
        if let Some(trouble) = self.stopped() {
            return Err(trouble);
        }
        let first = self.ask(&control, "control").await;
        if matches!(first, Outcome::Hello(_)) {
            return Ok(());
        }
        self.unsteady(&format!("{} to the control probe", first.words()));
        for wait in BACK_OFF {
            self.budget.rest(wait);
            self.pause(wait).await?;
            if matches!(self.ask(&control, "control").await, Outcome::Hello(_)) {
                return Err(Trouble::new(Reason::Refused, "blocked: the target did not answer the control probe"));
            }
        }
        let trouble = Trouble::new(Reason::Refused, "the target stopped answering the control probe");
        self.state().interrupted = Some(trouble.clone());
        Err(trouble)
    }

    /// The wait before the same is asked for the second time. A target that was gone for a while is found out by the control
    /// probe between the two, which one asks for all that wait: else both could fall into that while.
    ///
    /// # Errors
    /// When the run is stopped, or the target's time is over before.
    pub async fn apart(&self) -> Result<(), Trouble> {
        let begin = Instant::now();
        self.pause(APART).await?;
        let Some(control) = self.state().control.clone() else { return Ok(()) };
        let _gate = self.gate.lock().await;
        if self.state().alive.is_some_and(|alive| alive > begin) || self.stopped().is_some() {
            return Ok(());
        }
        let asked = Instant::now();
        match self.ask(&control, "control").await {
            Outcome::Hello(_) => self.state().alive = Some(asked),
            other => self.unsteady(&format!("{} to the control probe", other.words())),
        }
        Ok(())
    }

    /// A refusal of the name or of the application protocols says nothing on the rest: the hello is sent without them,
    /// and so are all that follow.
    async fn without_name_or_alpn(&self, offer: &Offer, first: Outcome, step: &str) -> Option<Outcome> {
        let Outcome::Alert(refusal) = &first else { return Some(first) };
        let manner = self.manner();
        match refusal.description {
            alert::UNRECOGNIZED_NAME if manner.server_name.is_some() => self.state().manner.server_name = None,
            alert::NO_APPLICATION_PROTOCOL if !manner.alpn.is_empty() => self.state().manner.alpn.clear(),
            // Another probe may have learnt it since this hello was sent.
            alert::UNRECOGNIZED_NAME | alert::NO_APPLICATION_PROTOCOL => {}
            _ => return Some(first),
        }
        if self.stopped().is_some() {
            return None;
        }
        Some(self.ask(offer, step).await)
    }
}

/// The answer that an outcome gives by itself.
pub fn clear(offer: &Offer, outcome: &Outcome) -> Option<Answer> {
    let refusal = |version, seen| Some(Answer::No(Refusal { proven: true, version, seen }));
    match outcome {
        Outcome::Hello(flight) => match Version::from_code(flight.hello.negotiated()) {
            Some(version) if offer.allows(version) => Some(Answer::Yes(flight.clone())),
            Some(lower) => refusal(true, format!("answered with {}", lower.name())),
            None => None,
        },
        Outcome::Alert(fatal) => match fatal.description {
            alert::PROTOCOL_VERSION => refusal(true, outcome.words()),
            alert::HANDSHAKE_FAILURE | alert::INSUFFICIENT_SECURITY => refusal(false, outcome.words()),
            alert::INAPPROPRIATE_FALLBACK if offer.fallback => refusal(false, outcome.words()),
            _ => None,
        },
        // Trying again does not make these better, and they never mean no.
        Outcome::NoTransport(trouble) if matches!(trouble.reason, Reason::Interrupted | Reason::Unsupported) => {
            Some(Answer::Unknown(trouble.clone()))
        }
        _ => None,
    }
}
