//! The collector of `tls.upgrade`: whether TLS is offered where it has to be asked for.

use super::super::offer::{Manner, Offer};
use super::super::probe::{self, Outcome};
use super::injection::Test;
use super::{Talk, Upgrade, talk};
use crate::collect::{CollectContext, Collecting, Collector, Job};
use crate::model::tls::Upgrade as Data;
use crate::model::{Exchange, Fact, Observation, Reason, Target, TargetKind, Trouble};
use crate::net::Budget;
use std::net::SocketAddr;
use std::time::Duration;

const ID: &str = "starttls";
const KIND: &str = "tls.upgrade";

/// Asks for TLS in each protocol's own way. Only for endpoints that are named with such a protocol.
#[derive(Clone, Copy, Debug)]
pub struct Starttls {
    /// How long an answer to the injected command is waited for.
    pub silence: Duration,
    /// The waits before a server that asked for patience is asked again.
    pub back_off: [Duration; 3],
}

impl Default for Starttls {
    fn default() -> Starttls {
        Starttls { silence: Duration::from_secs(5), back_off: [2, 8, 30].map(Duration::from_secs) }
    }
}

impl Collector for Starttls {
    fn id(&self) -> &'static str {
        ID
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Endpoint && target.connection.starttls.is_some()
    }

    fn yields(&self) -> &'static [&'static str] {
        &[KIND]
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let mut seen = Vec::new();
            // One address after the other: they are mostly doors of one server.
            for address in &job.addresses {
                seen.push(self.look(&job.target, *address, cx).await);
            }
            seen
        })
    }
}

/// One upgrade and what it gave.
struct Attempt {
    talk: Talk,
    required: Option<bool>,
    /// The answer to a hello behind it.
    hello: Option<Outcome>,
}

impl Starttls {
    async fn look(&self, target: &Target, address: SocketAddr, cx: &CollectContext) -> Observation {
        let part = address.to_string();
        let work = self.facts(target, address, cx);
        let seen = tokio::select! {
            seen = work => seen,
            () = cx.cancel.cancelled() => Err(Trouble::new(Reason::Interrupted, "the run was stopped")),
        };
        let now = cx.clock.now();
        let failed = |trouble| Observation::failed(KIND, &target.id, &part, ID, now, trouble);
        match seen {
            Ok(data) => {
                let received = data.seen.clone();
                let exchange = Exchange { sent: format!("request for TLS in {}", data.protocol), received };
                match Observation::complete(KIND, &target.id, &part, ID, now, &data) {
                    Ok(observation) => observation.with_transcript(vec![exchange]),
                    Err(error) => failed(Trouble::new(Reason::Internal, error.to_string())),
                }
            }
            Err(trouble) => failed(trouble),
        }
    }

    /// What a request for TLS shows at an address.
    ///
    /// # Errors
    /// When it is not known whether TLS is offered.
    pub async fn facts(&self, target: &Target, address: SocketAddr, cx: &CollectContext) -> Result<Data, Trouble> {
        let upgrade = Upgrade::of(&target.connection, target.connection.starttls.as_deref())?;
        let budget = super::super::budget_of(&upgrade, cx);
        let name = target.connection.server_name.as_deref().unwrap_or(&target.connection.host);
        cx.progress.step(&target.id, &address.to_string(), 0, 2, "request for TLS");
        let attempt = self.patiently(&upgrade, &budget, address, name, cx).await?;
        let mut data = read(&upgrade, &attempt)?;
        if data.offered == Fact::Known("yes".to_owned()) && attempt.talk == Talk::Ready {
            data.injection = match upgrade.second_command() {
                b"" => Fact::Known("not-applicable".to_owned()),
                _ if !cx.depth(target).intrusive => Fact::unknown(super::super::flaws::DISABLED),
                _ => {
                    cx.progress.step(&target.id, &address.to_string(), 1, 2, "injection of a command");
                    let (upgrade, budget, silence) = (&upgrade, &budget, self.silence);
                    Test { upgrade, budget, address, server_name: name, silence }.run().await
                }
            };
        }
        Ok(data)
    }

    /// Asks, and asks again after a while where the server has no time.
    async fn patiently(
        &self,
        upgrade: &Upgrade,
        budget: &Budget,
        address: SocketAddr,
        name: &str,
        cx: &CollectContext,
    ) -> Result<Attempt, Trouble> {
        for wait in self.back_off {
            let attempt = ask(upgrade, budget, address, name, cx).await?;
            if !matches!(attempt.talk, Talk::Throttled(_)) || budget.is_over() {
                return Ok(attempt);
            }
            tokio::time::sleep(wait).await;
        }
        ask(upgrade, budget, address, name, cx).await
    }
}

/// One upgrade, with a hello behind it: a positive answer is no TLS yet.
async fn ask(
    upgrade: &Upgrade,
    budget: &Budget,
    address: SocketAddr,
    name: &str,
    cx: &CollectContext,
) -> Result<Attempt, Trouble> {
    let Some(mut dialogue) = upgrade.dialogue() else {
        return Err(Trouble::new(Reason::Internal, "the protocol has no dialogue"));
    };
    let mut stream = budget.open(address).await?;
    let talk = talk(&mut *stream, &mut dialogue).await;
    let hello = match talk {
        Talk::Ready => {
            let manner = Manner { server_name: Some(name.to_owned()), alpn: upgrade.alpn(), ..Manner::default() };
            let offer = Offer::baseline();
            let hello = offer.hello(&manner, &*cx.random).to_record();
            let mut stream = upgrade.carry(stream);
            Some(probe::tls_on(&mut *stream, &hello, &offer, upgrade.patience()).await)
        }
        _ => None,
    };
    Ok(Attempt { talk, required: dialogue.required, hello })
}

/// What an attempt says.
fn read(upgrade: &Upgrade, attempt: &Attempt) -> Result<Data, Trouble> {
    let word = |word: &str| Fact::Known(word.to_owned());
    let (offered, extra_bytes, seen) = match (&attempt.talk, &attempt.hello) {
        (Talk::Ready, Some(hello)) if hello.is_tls() => (word("yes"), word("no"), hello.words()),
        (Talk::Ready, hello) => {
            let then = hello.as_ref().map_or_else(|| "nothing was asked".to_owned(), Outcome::words);
            let seen = format!("the request was accepted, and then: {then}");
            (Fact::unknown(seen.clone()), word("no"), seen)
        }
        (Talk::Extra(bytes), _) => {
            let seen = format!("upgrade unclear: {bytes} bytes in clear follow the positive answer");
            (word("yes"), word("yes"), seen)
        }
        (Talk::NotOffered(seen), _) => (word("no"), word("not-applicable"), seen.clone()),
        (Talk::Throttled(_) | Talk::Failed(_), _) => {
            let trouble = attempt.talk.clone().result().err();
            return Err(trouble.unwrap_or_else(|| Trouble::new(Reason::Internal, "the dialogue has no end")));
        }
    };
    let injection = match (&attempt.talk, &offered) {
        (Talk::NotOffered(_), _) => word("not-applicable"),
        (Talk::Extra(_), _) => Fact::unknown("bytes in clear follow even a request alone"),
        _ => Fact::unknown(seen.clone()),
    };
    let required = match attempt.required {
        Some(true) => word("yes"),
        Some(false) => word("no"),
        None if matches!(attempt.talk, Talk::NotOffered(_)) => word("not-applicable"),
        None => Fact::unknown("the protocol does not say it before TLS"),
    };
    let protocol = upgrade.word().unwrap_or_default().to_owned();
    Ok(Data { protocol, offered, required, extra_bytes, injection, seen })
}
