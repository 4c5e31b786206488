//! Handshakes inside a session, asked for by the client: with RFC 5746, and without.

use super::prober::Prober;
use super::session::{Failure, Item, Session, Suite, Time};
use super::steadiness::{CLIENT_RENEGOTIATION, INSECURE_RENEGOTIATION};
use super::visit;
use crate::model::Fact;
use crate::model::tls::VulnerabilityTest;
use crate::wire::{ClientHello, Extension, Version, extension};
use std::time::Duration;
use tokio::time::Instant;

/// How long a server may take to answer the hello inside the session.
const ANSWER: Duration = Duration::from_secs(5);

/// What a server does with one hello inside a session.
enum Turn {
    /// It took it up; whether the handshake came to its end, so that another can follow.
    Accepted(bool),
    Refused,
    Ignored,
    Unknown(String),
}

/// Whether the client may ask for handshakes with RFC 5746, and how many were made.
pub async fn client(prober: &Prober<'_>, mut session: Session, suites: &[Suite]) -> (Fact<String>, u32) {
    if session.agreed().hello.extension(extension::RENEGOTIATION_INFO).is_none() {
        return (word("not-applicable"), 0);
    }
    let version = session.agreed().version();
    let mut accepted = 0;
    while accepted < prober.cx.limits.renegotiations {
        let mut body = vec![u8::try_from(session.agreed().client_finished.len()).unwrap_or_default()];
        body.extend(&session.agreed().client_finished);
        let info = Extension::new(extension::RENEGOTIATION_INFO, body);
        let hello = visit::hello(prober, version, suites).with(info);
        match turn(prober, &mut session, &hello, CLIENT_RENEGOTIATION).await {
            Turn::Accepted(true) => accepted += 1,
            Turn::Accepted(false) => return (word("accepted"), accepted + 1),
            Turn::Refused | Turn::Ignored if accepted > 0 => return (word("limited"), accepted),
            Turn::Refused => return (word("refused"), 0),
            Turn::Ignored => return (word("ignored"), 0),
            Turn::Unknown(_) if accepted > 0 => return (word("accepted"), accepted),
            Turn::Unknown(why) => return (Fact::unknown(why), 0),
        }
    }
    visit::leave(session).await;
    (word("accepted"), accepted)
}

/// The hello of a session in which nothing of RFC 5746 is said.
pub fn silent_hello(prober: &Prober<'_>, version: Version, suites: &[Suite]) -> ClientHello {
    // Last and with data: some stacks reject a hello that ends with an empty extension.
    let hello = visit::hello(prober, version, suites).without(extension::RENEGOTIATION_INFO);
    hello.without(extension::POINT_FORMATS).with(Extension::point_formats())
}

/// Whether a server takes up a handshake without RFC 5746 inside a session that was opened without it. A yes is asked
/// for twice, since it costs the grade.
pub async fn insecure(prober: &Prober<'_>, session: Session, suites: &[Suite]) -> Fact<String> {
    let version = session.agreed().version();
    let first = insecure_once(prober, session, suites).await;
    if first.known().is_none_or(|word| word != "yes") {
        return first;
    }
    let again = silent_hello(prober, version, suites);
    let second = match visit::open(prober, &again, None, "insecure renegotiation").await {
        Ok(session) => insecure_once(prober, session, suites).await,
        Err(failure) => return Fact::unknown(failure.words()),
    };
    if second == first { second } else { Fact::unknown("inconsistent: accepted once, and not when asked again") }
}

async fn insecure_once(prober: &Prober<'_>, mut session: Session, suites: &[Suite]) -> Fact<String> {
    if session.agreed().hello.extension(extension::RENEGOTIATION_INFO).is_some() {
        // It insists on RFC 5746 even where the client does not know it.
        return word("no");
    }
    let hello = silent_hello(prober, session.agreed().version(), suites);
    match turn(prober, &mut session, &hello, INSECURE_RENEGOTIATION).await {
        Turn::Accepted(_) => word("yes"),
        Turn::Refused | Turn::Ignored => word("no"),
        Turn::Unknown(why) => Fact::unknown(why),
    }
}

/// The row of `tls.flaws` that says the same.
pub fn row(insecure: &Fact<String>) -> VulnerabilityTest {
    const NAME: &str = INSECURE_RENEGOTIATION;
    match insecure {
        Fact::Unknown(unknown) => VulnerabilityTest::unknown(NAME, unknown.unknown.clone()),
        Fact::Known(word) if word == "yes" => {
            VulnerabilityTest::found(NAME, "a handshake without RFC 5746 was taken up inside a session")
        }
        Fact::Known(word) if word == "no" => {
            VulnerabilityTest::safe(NAME, "a handshake without RFC 5746 was not taken up inside a session")
        }
        Fact::Known(_) => VulnerabilityTest::inapplicable(NAME, "no version with renegotiation is offered"),
    }
}

async fn turn(prober: &Prober<'_>, session: &mut Session, hello: &ClientHello, fact: &str) -> Turn {
    let step = fact.replace('_', " ");
    let before = session.answered();
    let asked = prober.within(Box::pin(session.renegotiate(hello, Time::from_now(ANSWER)))).await;
    let outcome = asked.map_err(Failure::Transport).and_then(|outcome| outcome);
    let (turn, received) = match outcome {
        Ok(()) => (Turn::Accepted(true), "a new handshake".to_owned()),
        Err(failure) if session.answered() > before => {
            (Turn::Accepted(false), format!("ServerHello, then {}", failure.words()))
        }
        Err(failure @ Failure::Alert(_)) => (Turn::Refused, failure.words()),
        Err(failure @ (Failure::Closed | Failure::Reset)) => {
            prober.steadiness.infer(fact);
            (Turn::Refused, failure.words())
        }
        Err(Failure::Silent) if flows(prober, session).await => (Turn::Ignored, "no answer, data goes on".to_owned()),
        Err(failure) => (Turn::Unknown(failure.words()), failure.words()),
    };
    prober.record_words("ClientHello inside the session".to_owned(), received, &step);
    turn
}

/// Whether the session still carries data: a server that does not is not one that ignores a hello.
async fn flows(prober: &Prober<'_>, session: &mut Session) -> bool {
    let end = Instant::now() + ANSWER;
    if session.send(&visit::question(prober.upgrade.word(), 0), end).await.is_err() {
        return false;
    }
    loop {
        match prober.within(session.channel().next(end)).await {
            Ok(Ok(Item::Data(_))) => return true,
            Ok(Ok(_)) => {}
            _ => return false,
        }
    }
}

fn word(word: &str) -> Fact<String> {
    Fact::Known(word.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_follows_the_fact() {
        let yes = row(&word("yes"));
        assert!(yes.applies && yes.vulnerable == Fact::Known(true));
        let no = row(&word("no"));
        assert!(no.applies && no.vulnerable == Fact::Known(false));
        assert!(!row(&word("not-applicable")).applies);
        let unknown = row(&Fact::unknown("no answer in time"));
        assert!(unknown.applies && unknown.vulnerable == Fact::unknown("no answer in time"));
    }
}
