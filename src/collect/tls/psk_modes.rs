//! Whether a ticket of TLS 1.3 is taken without a fresh key exchange: then whoever learns the key of the tickets later can
//! read what was sent.

use super::offer::Offer;
use super::probe::{self, Outcome};
use super::prober::Prober;
use super::session::{Failure, Resumable, Time};
use crate::model::Fact;
use crate::wire::record::{self, HANDSHAKE};
use crate::wire::{ClientHello, Version, extension};

const STEP: &str = "ticket without a key exchange";

/// Two connections: one for a ticket of our own, one that shows it. `yes` or `no`; `not-applicable` where no ticket comes.
pub async fn without_exchange(prober: &Prober<'_>) -> Fact<String> {
    let earned = earn(prober).await;
    let received = match &earned {
        Ok(Some(_)) => "session TLSv1.3, 1 ticket".to_owned(),
        Ok(None) => "session TLSv1.3, no ticket".to_owned(),
        Err(failure) => failure.words(),
    };
    prober.record_words("TLSv1.3 handshake that waits for a ticket".to_owned(), received, STEP);
    let resumable = match earned {
        Ok(Some(resumable)) => resumable,
        Ok(None) => return Fact::Known("not-applicable".to_owned()),
        Err(failure) => return Fact::unknown(failure.words()),
    };
    let message = resumable.without_exchange(hello(prober));
    let bytes = record::write(HANDSHAKE, Version::Tls10.code(), &message);
    let look = async {
        let mut stream = prober.open().await?;
        Ok(probe::answer(&mut *stream, &bytes, prober.upgrade.patience()).await)
    };
    let outcome = prober.until_stopped(look).await.unwrap_or_else(Outcome::NoTransport);
    prober.record_words("ClientHello TLSv1.3 with a ticket, no key share".to_owned(), outcome.words(), STEP);
    judged(&outcome)
}

/// Only a server that takes the ticket can answer with a ServerHello that has no key share. An alert refuses: the hello
/// offers nothing else.
fn judged(outcome: &Outcome) -> Fact<String> {
    match outcome {
        Outcome::Hello(flight) => {
            let hello = &flight.hello;
            let taken = hello.negotiated() == Version::Tls13.code()
                && !hello.is_retry()
                && hello.extension(extension::PRE_SHARED_KEY).is_some()
                && hello.extension(extension::KEY_SHARE).is_none();
            match taken {
                true => Fact::Known("yes".to_owned()),
                false if hello.is_retry() => Fact::unknown("the server asked for a key share"),
                false => Fact::unknown(format!("an answer that was not offered: {}", outcome.words())),
            }
        }
        Outcome::Alert(_) => Fact::Known("no".to_owned()),
        other => Fact::unknown(other.words()),
    }
}

async fn earn(prober: &Prober<'_>) -> Result<Option<Resumable>, Failure> {
    if let Some(trouble) = prober.stopped() {
        return Err(Failure::Transport(trouble));
    }
    let look = async {
        let stream = prober.open().await.map_err(Failure::Transport)?;
        Resumable::earn(stream, hello(prober), Time::from_now(prober.upgrade.patience())).await
    };
    prober.within(Box::pin(look)).await.map_err(Failure::Transport).and_then(|outcome| outcome)
}

fn hello(prober: &Prober<'_>) -> ClientHello {
    let mut manner = prober.manner();
    // An application protocol would decide what may be said in the session.
    manner.alpn.clear();
    manner.minimal = true;
    Offer::new(Version::Tls13, Vec::new()).hello(&manner, &*prober.cx.random)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Alert, Extension, ServerFlight, ServerHello, server_hello};

    fn answer(random: [u8; 32], extensions: Vec<Extension>) -> Outcome {
        let hello =
            ServerHello { version: 0x0303, random, session_id: Vec::new(), suite: 0x1301, compression: 0, extensions };
        Outcome::Hello(Box::new(ServerFlight {
            hello,
            chain: Vec::new(),
            staple: None,
            key_exchange: None,
            request: None,
            complete: true,
        }))
    }

    #[test]
    fn only_a_ticket_taken_without_a_share_is_a_yes_and_only_an_alert_a_no() {
        let modern = Extension::new(extension::SUPPORTED_VERSIONS, vec![3, 4]);
        let taken = Extension::new(extension::PRE_SHARED_KEY, vec![0, 0]);
        let share = Extension::new(extension::KEY_SHARE, vec![0, 0x1D, 0, 1, 9]);
        assert_eq!(judged(&answer([1; 32], vec![modern.clone(), taken.clone()])), Fact::Known("yes".to_owned()));
        for extensions in [vec![modern.clone()], vec![taken.clone()], vec![modern.clone(), taken, share]] {
            assert!(judged(&answer([1; 32], extensions)).known().is_none());
        }
        assert!(judged(&answer(server_hello::RETRY_RANDOM, vec![modern])).known().is_none());
        assert_eq!(judged(&Outcome::Alert(Alert::fatal(109))), Fact::Known("no".to_owned()));
        for open in [Outcome::Closed(0), Outcome::Reset, Outcome::Silent(0)] {
            assert!(judged(&open).known().is_none());
        }
    }
}
