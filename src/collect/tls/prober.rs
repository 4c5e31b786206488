//! Asks one address, notes each exchange, and keeps what was learnt of how it may be asked.

mod ahead;
mod settle;

use super::ledger::Ledger;
use super::offer::{Manner, Offer};
use super::probe::{self, Outcome, Question};
use super::steadiness::Steadiness;
use super::upgrade::Upgrade;
use crate::collect::CollectContext;
use crate::model::{Exchange, Reason, Trouble};
use crate::net::{Budget, Stream};
use crate::wire::{ServerFlight, Version, ssl2};
use ahead::Ahead;
pub use settle::clear;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The time between two tries of the same probe.
pub const APART: Duration = Duration::from_secs(1);
/// The pause when fewer are asked at once.
const PAUSE: Duration = Duration::from_secs(2);
/// The waits before a connection that failed, or a control probe, is tried again.
const BACK_OFF: [Duration; 3] = [Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30)];
/// Exchanges kept of an address.
const TRANSCRIPT: usize = 512;

/// The answer to an offer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Accepted.
    Yes(Box<ServerFlight>),
    /// Refused.
    No(Refusal),
    /// Neither is known.
    Unknown(Trouble),
}

/// A refusal and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Proven by a definite message; else inferred from silence.
    pub proven: bool,
    /// It is about the version and not about what was offered with it.
    pub version: bool,
    /// What was seen.
    pub seen: String,
}

/// Asks one address of a target.
pub struct Prober<'a> {
    /// Clock, randomness, progress, cancellation.
    pub cx: &'a CollectContext,
    /// The connections of the target.
    pub budget: &'a Budget,
    /// The target's id.
    pub target: &'a str,
    /// The address.
    pub address: SocketAddr,
    /// The dialogue before TLS.
    pub upgrade: Upgrade,
    /// Whether the target answers what it is known to answer.
    pub steadiness: Steadiness,
    state: Mutex<State>,
    gate: tokio::sync::Mutex<()>,
    door: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    manner: Manner,
    ledger: Ledger,
    transcript: Vec<Exchange>,
    steps: BTreeMap<String, Vec<u32>>,
    asked: u32,
    expected: u32,
    control: Option<Offer>,
    interrupted: Option<Trouble>,
    /// The shortest exchange so far: about a round trip.
    fastest: Option<Duration>,
    /// When the last control probe was sent that was answered.
    alive: Option<Instant>,
    ahead: Ahead,
    /// Questions about to be asked that others follow.
    followed: u32,
}

impl<'a> Prober<'a> {
    /// Asks this address, with this name in server_name.
    pub fn new(
        cx: &'a CollectContext,
        budget: &'a Budget,
        target: &'a str,
        address: SocketAddr,
        upgrade: Upgrade,
        server_name: String,
    ) -> Prober<'a> {
        let manner = Manner { server_name: Some(server_name), alpn: upgrade.alpn(), ..Manner::default() };
        let state = State { manner, expected: 30, ..State::default() };
        let (gate, door) = (tokio::sync::Mutex::new(()), tokio::sync::Mutex::new(()));
        let (state, steadiness) = (Mutex::new(state), Steadiness::default());
        Prober { cx, budget, target, address, upgrade, steadiness, state, gate, door }
    }

    /// What was seen so far.
    pub fn ledger(&self) -> Ledger {
        self.state().ledger.clone()
    }

    /// Looks at or changes what was seen.
    pub fn with_ledger<T>(&self, act: impl FnOnce(&mut Ledger) -> T) -> T {
        act(&mut self.state().ledger)
    }

    /// What was asked and answered.
    pub fn transcript(&self) -> Vec<Exchange> {
        self.state().transcript.clone()
    }

    /// About a round trip; zero before the first answer.
    pub fn round_trip(&self) -> Duration {
        self.state().fastest.unwrap_or_default()
    }

    /// How hellos are made now.
    pub fn manner(&self) -> Manner {
        self.state().manner.clone()
    }

    /// Changes how hellos are made from now on.
    pub fn change_manner(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.state().manner);
    }

    /// Why nothing more is asked, if so.
    pub fn stopped(&self) -> Option<Trouble> {
        if self.cx.cancel.is_cancelled() {
            return Some(Trouble::new(Reason::Interrupted, "the run was stopped"));
        }
        if self.budget.is_over() {
            return Some(Trouble::new(Reason::TimedOut, "the time limit of the target is over"));
        }
        self.state().interrupted.clone()
    }

    /// A connection that is ready for a ClientHello.
    ///
    /// # Errors
    /// When there is none, or the dialogue before TLS fails.
    pub async fn open(&self) -> Result<Box<dyn Stream>, Trouble> {
        match self.open_once().await {
            Err(trouble) if self.may_pass(&trouble) => self.open_after(trouble).await,
            outcome => outcome,
        }
    }

    /// Waits for a target that is not to be had now. One waits for all.
    async fn open_after(&self, mut trouble: Trouble) -> Result<Box<dyn Stream>, Trouble> {
        // Before anything was accepted, the waits must end before the first hellos are given up.
        let known = self.state().control.is_some();
        let waits = if known { BACK_OFF.len() } else { BACK_OFF.len() - 1 };
        let begin = Instant::now();
        let _door = self.door.lock().await;
        if begin.elapsed() >= APART {
            match self.open_once().await {
                Err(again) if self.may_pass(&again) => trouble = again,
                outcome => return outcome,
            }
        }
        for wait in BACK_OFF.into_iter().take(waits) {
            self.unsteady(&trouble.detail);
            if known {
                self.budget.rest(wait);
            }
            self.pause(wait).await?;
            match self.open_once().await {
                Err(again) if self.may_pass(&again) => trouble = again,
                outcome => return outcome,
            }
        }
        self.state().interrupted = Some(trouble.clone());
        Err(trouble)
    }

    /// Whether the lack of a connection may be one of time: the server says so, or it has taken hellos before.
    fn may_pass(&self, trouble: &Trouble) -> bool {
        let lost = matches!(trouble.reason, Reason::Refused | Reason::TimedOut | Reason::Unreachable);
        is_throttled(trouble) || (lost && self.state().control.is_some() && self.stopped().is_none())
    }

    /// Notes that the target left something unanswered that it answers, and asks it less at a time.
    pub fn unsteady(&self, seen: &str) {
        self.steadiness.break_with(seen);
        self.state().ahead = Ahead::No;
        self.close_spares();
        let Some(most) = self.budget.slow_down(PAUSE) else { return };
        let sent = format!("nothing for {} s, then at most {most} at once", PAUSE.as_secs());
        let mut state = self.state();
        if state.transcript.len() < TRANSCRIPT {
            state.transcript.push(Exchange { sent, received: seen.to_owned() });
        }
        drop(state);
        self.cx.progress.slowed(self.target, &self.address.to_string(), most);
    }

    async fn open_once(&self) -> Result<Box<dyn Stream>, Trouble> {
        if let Some(trouble) = self.stopped() {
            return Err(trouble);
        }
        if self.upgrade.most_connections().is_some_and(|most| self.budget.opened() >= most) {
            let detail =
                "stopped, so that the server does not shut out this machine for connections that were broken off";
            let trouble = Trouble::new(Reason::Refused, detail);
            self.state().interrupted = Some(trouble.clone());
            return Err(trouble);
        }
        self.upgrade.lead(self.budget.open(self.address).await?).await
    }

    /// One connection with this offer. An answer is noted in the ledger.
    pub async fn ask(&self, offer: &Offer, step: &str) -> Outcome {
        let manner = self.manner();
        let (outcome, number) = self.ask_numbered(offer, &manner, "", step).await;
        if !matches!(outcome, Outcome::Hello(_) | Outcome::NoTransport(_)) {
            self.state().ledger.note_refusal(offer.version, &offer.suites, number);
        }
        if let Outcome::Hello(flight) = &outcome {
            let mut state = self.state();
            state.ledger.note(offer, manner.minimal, flight, number);
            // The baseline is the best control; any other hello that was accepted will do.
            if state.control.is_none() || offer.modern {
                state.control = Some(offer.clone());
            }
        }
        outcome
    }

    /// One connection with this offer in a manner that need not be the usual one. An answer is not noted in the ledger:
    /// what an unusual hello shows is no fact of the usual one. `more` adds to the words of the transcript.
    pub async fn ask_with(&self, offer: &Offer, manner: &Manner, more: &str, step: &str) -> Outcome {
        self.ask_numbered(offer, manner, more, step).await.0
    }

    async fn ask_numbered(&self, offer: &Offer, manner: &Manner, more: &str, step: &str) -> (Outcome, u32) {
        let hello = offer.hello(manner, &*self.cx.random).to_record();
        let asked = manner.extra.iter().map(|extension| extension.kind).collect();
        let question = Question { offer, pieces: vec![hello], asked };
        self.put_numbered(&question, format!("{}{more}", offer.words()), step).await
    }

    /// One connection with this question.
    pub async fn put(&self, question: &Question<'_>, words: String, step: &str) -> Outcome {
        self.put_numbered(question, words, step).await.0
    }

    /// The same, with the number of the exchange in the transcript.
    async fn put_numbered(&self, question: &Question<'_>, words: String, step: &str) -> (Outcome, u32) {
        let (mut outcome, waited) = self.put_once(question).await;
        let empty = matches!(outcome, Outcome::Closed(0) | Outcome::Reset | Outcome::Silent(0));
        if empty && self.state().ahead != Ahead::Blunt && (self.budget.close_spares(self.address) || waited) {
            // It had been idle before, or others that are idle stand in its way: that is no answer.
            self.record(words.clone(), &outcome, step);
            // Some time after, so that the server has let go of what was closed.
            let again = match self.pause(APART).await {
                Ok(()) => self.put_once(question).await.0,
                Err(trouble) => Outcome::NoTransport(trouble),
            };
            let same = std::mem::discriminant(&again) == std::mem::discriminant(&outcome);
            self.state().ahead = if same { Ahead::Blunt } else { Ahead::No };
            outcome = again;
        }
        let number = self.record(words, &outcome, step);
        if let Outcome::Unasked(fault, seen) = &outcome {
            self.state().ledger.faults.entry(fault).or_insert_with(|| seen.clone());
        }
        (outcome, number)
    }

    /// One connection with an SSLv2 hello.
    pub async fn ask_ssl2(&self, step: &str) -> Outcome {
        let mut challenge = [0; 16];
        self.cx.random.fill(&mut challenge);
        let kinds = super::plan::ssl2_kinds();
        let hello = ssl2::ClientHello { version: Version::Ssl2.code(), kinds, challenge }.to_record();
        let look = async {
            match self.open().await {
                Ok(stream) => probe::ssl2(stream, &hello, self.upgrade.patience()).await,
                Err(trouble) => Outcome::NoTransport(trouble),
            }
        };
        let outcome = self.unless_stopped(look).await;
        let number = self.record("SSLv2 CLIENT-HELLO, 13 kinds".to_owned(), &outcome, step);
        if !matches!(outcome, Outcome::Ssl2(_) | Outcome::NoTransport(_)) {
            self.state().ledger.note_refusal(Version::Ssl2, &[], number);
        }
        outcome
    }

    /// Waits, unless the run is stopped or the target's time is over before.
    ///
    /// # Errors
    /// When it is.
    pub async fn pause(&self, wait: Duration) -> Result<(), Trouble> {
        let until = (Instant::now() + wait).min(self.budget.deadline());
        tokio::select! {
            () = self.cx.cancel.cancelled() => {}
            () = tokio::time::sleep_until(until) => {}
        }
        self.stopped().map_or(Ok(()), Err)
    }

    async fn unless_stopped(&self, look: impl Future<Output = Outcome>) -> Outcome {
        self.within(look).await.unwrap_or_else(Outcome::NoTransport)
    }

    /// The outcome of a look, unless the run is stopped or the target's time is over before.
    ///
    /// # Errors
    /// When it is.
    pub async fn within<T>(&self, look: impl Future<Output = T>) -> Result<T, Trouble> {
        self.until_stopped(async { Ok(look.await) }).await
    }

    /// Does this, unless the run is stopped or the target's time is over before.
    ///
    /// # Errors
    /// When it fails, or was cut short.
    pub async fn until_stopped<T>(&self, look: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        tokio::select! {
            outcome = look => outcome,
            () = self.cx.cancel.cancelled() => Err(Trouble::new(Reason::Interrupted, "the run was stopped")),
            () = tokio::time::sleep_until(self.budget.deadline()) => {
                Err(Trouble::new(Reason::TimedOut, "the time limit of the target is over"))
            }
        }
    }

    /// The exchanges of each step, by their numbers in the transcript.
    pub fn steps(&self) -> BTreeMap<String, Vec<u32>> {
        self.state().steps.clone()
    }

    /// Notes an exchange that was made by another means. Gives its number in the transcript.
    pub fn record_words(&self, sent: String, received: String, step: &str) -> u32 {
        let (asked, expected, number) = {
            let mut state = self.state();
            state.asked += 1;
            state.expected = state.expected.max(state.asked + 1);
            if state.transcript.len() < TRANSCRIPT {
                state.transcript.push(Exchange { sent, received });
            }
            let number = u32::try_from(state.transcript.len()).unwrap_or(u32::MAX);
            state.steps.entry(step.to_owned()).or_default().push(number);
            (state.asked, state.expected, number)
        };
        self.cx.progress.step(self.target, &self.address.to_string(), asked, expected, step);
        number
    }

    fn record(&self, sent: String, outcome: &Outcome, step: &str) -> u32 {
        self.record_words(sent, outcome.words(), step)
    }

    fn note_round_trip(&self, time: Duration) {
        let mut state = self.state();
        state.fastest = Some(state.fastest.map_or(time, |fastest| fastest.min(time)));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server asked for patience in the dialogue before TLS.
fn is_throttled(trouble: &Trouble) -> bool {
    trouble.reason == Reason::Refused && trouble.detail.starts_with("throttled: ")
}
