//! Oracles of CBC padding: does a server behave in another way when the padding is wrong than when the MAC is?
//!
//! One record a connection, in six forms. Those who answer all wrong ones alike tell an attacker nothing.

use super::reading::{Form, Readings, Response, Verdict, WRONG};
use crate::collect::tls::prober::Prober;
use crate::collect::tls::session::{Failure, Item, Session, Suite};
use crate::collect::tls::visit;
use crate::model::Severity;
use crate::model::tls::VulnerabilityTest;
use crate::wire::Version;
use crate::wire::record::APPLICATION_DATA;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer may take, and how long where silence is to be confirmed.
const ANSWER: Duration = Duration::from_secs(5);
const CONFIRMED: Duration = Duration::from_secs(12);
/// How long a server that speaks first may take to do so.
const GREETING: Duration = Duration::from_secs(2);
/// How often a difference must be seen.
const RUNS: usize = 3;
/// Suites that all forms are tried with, at most.
const SAMPLES: usize = 2;

/// The names of the rows.
pub const NAMES: [&str; 6] =
    ["poodle_tls", "goldendoodle", "zombie_poodle", "zero_length", "sleeping_poodle", "cbc_oracle_other"];

/// A version and a suite.
pub type Pair = (Version, Suite);

/// The rows. `pairs` are the accepted pairs with CBC that a session can be made with, those first that the server prefers;
/// `others` counts those that none can be made with, and `open` says why there may be more.
pub async fn look(prober: &Prober<'_>, pairs: &[Pair], others: usize, open: Option<String>) -> Vec<VulnerabilityTest> {
    let mut outcome = Outcome::default();
    match (pairs, others, &open) {
        ([], 0, None) => {
            let why = "no CBC suite is accepted with TLS 1.0 to 1.2";
            return NAMES.iter().map(|name| VulnerabilityTest::inapplicable(name, why)).collect();
        }
        ([], 0, Some(why)) => outcome.unclear = Some(why.clone()),
        ([], ..) => {
            outcome.unclear = Some("no accepted CBC suite is one that a session can be made with here".to_owned());
        }
        _ => outcome = Outcome::look(prober, pairs).await,
    }
    if others > 0 {
        let why = format!("{others} accepted CBC suites are not ones that a session can be made with here");
        outcome.old_padding_unclear = outcome.old_padding_unclear.or(Some(why));
    }
    outcome.rows()
}

/// One pair for each version and MAC, at most two.
fn samples(pairs: &[Pair]) -> Vec<Pair> {
    let mut samples: Vec<Pair> = Vec::new();
    for (version, suite) in pairs {
        let known = samples.iter().any(|(other, sampled)| other == version && sampled.mac == suite.mac);
        if !known && samples.len() < SAMPLES {
            samples.push((*version, *suite));
        }
    }
    samples
}

/// What all pairs showed.
#[derive(Default)]
struct Outcome {
    flaws: Vec<(&'static str, bool)>,
    /// Pairs that took the padding of SSLv3, by their place in the server's order.
    old_padding: Vec<usize>,
    unclear: Option<String>,
    /// The same, for the one question that every pair is asked.
    old_padding_unclear: Option<String>,
    /// A wrong record was answered with data.
    data: bool,
}

impl Outcome {
    /// Where wrong records are answered with data, the server may be one that speaks first; then each record is sent after
    /// its greeting.
    async fn look(prober: &Prober<'_>, pairs: &[Pair]) -> Outcome {
        let outcome = Outcome::fill(&Asker { prober, greeted: false }, pairs).await;
        let Some(first) = pairs.first().filter(|_| outcome.data) else { return outcome };
        match greets(prober, *first).await {
            Ok(false) => outcome,
            Ok(true) => Outcome::fill(&Asker { prober, greeted: true }, pairs).await,
            Err(failure) => {
                let why = Some(failure.words());
                Outcome { unclear: why.clone(), old_padding_unclear: why, ..Outcome::default() }
            }
        }
    }

    async fn fill(asker: &Asker<'_>, pairs: &[Pair]) -> Outcome {
        let mut outcome = Outcome::default();
        let samples = samples(pairs);
        let rest: Vec<usize> =
            (0..pairs.len()).filter(|at| pairs.get(*at).is_some_and(|pair| !samples.contains(pair))).collect();
        let sampled = join_all(samples.iter().map(|pair| asker.settle(*pair)));
        let asked = join_all(rest.iter().filter_map(|at| pairs.get(*at)).map(|pair| asker.takes_old_padding(*pair)));
        let (sampled, asked) = tokio::join!(sampled, asked);
        for (pair, (verdict, data)) in samples.iter().zip(sampled) {
            outcome.data |= data;
            match verdict {
                Verdict::Safe => {}
                Verdict::Flaw("poodle_tls", _) => {
                    outcome.old_padding.extend(pairs.iter().position(|other| other == pair));
                }
                Verdict::Flaw(name, observable) => outcome.flaws.push((name, observable)),
                Verdict::Unclear(why) => outcome.unclear = outcome.unclear.take().or(Some(why)),
            }
        }
        for (at, taken) in rest.into_iter().zip(asked) {
            match taken {
                Ok(true) => outcome.old_padding.push(at),
                Ok(false) => {}
                Err(why) => outcome.old_padding_unclear = outcome.old_padding_unclear.take().or(Some(why)),
            }
        }
        outcome.data |= !outcome.old_padding.is_empty();
        outcome
    }

    fn rows(&self) -> Vec<VulnerabilityTest> {
        NAMES.iter().map(|name| self.row(name)).collect()
    }

    fn row(&self, name: &'static str) -> VulnerabilityTest {
        // Taken with what the server prefers, or only with some that it does not.
        let preferred = self.old_padding.contains(&0);
        let found = match name {
            "poodle_tls" => preferred.then_some(true),
            "sleeping_poodle" => (!preferred && !self.old_padding.is_empty()).then_some(true),
            _ => {
                let seen = self.flaws.iter().filter(|(flaw, _)| *flaw == name).map(|(_, observable)| *observable);
                seen.reduce(|one, other| one || other)
            }
        };
        let unclear = match name {
            "sleeping_poodle" => self.unclear.as_ref().or(self.old_padding_unclear.as_ref()),
            _ => self.unclear.as_ref(),
        };
        match (found, unclear) {
            (Some(true), _) => VulnerabilityTest::found(name, "wrong records are answered in different ways"),
            // What nobody on the path can see, nobody can use.
            (Some(false), _) => VulnerabilityTest {
                observable: false,
                severity: Severity::Low.word().to_owned(),
                ..VulnerabilityTest::found(
                    name,
                    "wrong records are answered with different alerts, which are encrypted",
                )
            },
            (None, Some(why)) => VulnerabilityTest::unknown(name, why.clone()),
            (None, None) => VulnerabilityTest::safe(name, "wrong records are answered alike"),
        }
    }
}

/// Who sends the records.
struct Asker<'a> {
    prober: &'a Prober<'a>,
    /// The server speaks first, and is heard out before.
    greeted: bool,
}

impl Asker<'_> {
    /// The verdict of a pair, and whether a wrong record was answered with data. Rule 4: a difference must be the same
    /// three times.
    async fn settle(&self, pair: Pair) -> (Verdict, bool) {
        let first = match self.readings(pair, ANSWER).await {
            Ok(readings) => readings,
            Err(failure) => return (Verdict::Unclear(failure.words()), false),
        };
        let data = first.wrong.iter().any(|response| response.data);
        if first.wrong.iter().any(|response| response.alert.is_none()) {
            NAMES.iter().for_each(|name| self.prober.steadiness.infer(name));
        }
        let verdict = first.judge();
        let Verdict::Flaw(..) = verdict else { return (verdict, data) };
        let silent = first.wrong.iter().any(|response| response.end == SILENT);
        let limit = if silent { CONFIRMED } else { ANSWER };
        for _ in 1..RUNS {
            let why = match self.readings(pair, limit).await {
                Ok(again) if again.wrong == first.wrong && again.judge() == verdict => continue,
                Ok(_) => INCONSISTENT.to_owned(),
                Err(failure) => failure.words(),
            };
            return (Verdict::Unclear(why), data);
        }
        (verdict, data)
    }

    /// Whether the padding of SSLv3 is taken with this pair: three times, before it is said.
    async fn takes_old_padding(&self, pair: Pair) -> Result<bool, String> {
        for run in 0..RUNS {
            match self.respond(pair, Form::OldPadding, ANSWER).await {
                Ok(response) if response.data => {}
                Ok(_) if run == 0 => return Ok(false),
                Ok(_) => return Err(INCONSISTENT.to_owned()),
                Err(failure) => return Err(failure.words()),
            }
        }
        Ok(true)
    }

    async fn readings(&self, pair: Pair, limit: Duration) -> Result<Readings, Failure> {
        let wrong = join_all(WRONG.map(|form| self.respond(pair, form, limit)));
        let (right, wrong) = tokio::join!(self.respond(pair, Form::Right, limit), wrong);
        let wrong: Vec<Response> = wrong.into_iter().collect::<Result<_, _>>()?;
        let wrong = wrong.try_into().map_err(|_| Failure::Unexpected("answers to other records"))?;
        Ok(Readings { right: right?, wrong })
    }

    /// One session, one record, and what comes of it.
    async fn respond(&self, pair: Pair, form: Form, limit: Duration) -> Result<Response, Failure> {
        let prober = self.prober;
        let mut session = open(prober, pair).await?;
        let mut end = Instant::now() + limit;
        if self.greeted {
            prober.within(read(&mut session, end)).await.map_err(Failure::Transport)?;
            end = Instant::now() + limit;
        }
        let channel = session.channel();
        let writer = channel.writer().ok_or(Failure::Unexpected("a session without protection"))?;
        let block = writer.block();
        // The content and its MAC fill whole blocks, so that a whole block of padding follows.
        let short = visit::question(prober.upgrade.word(), 0).len() + writer.mac(APPLICATION_DATA, &[]).len();
        let content = visit::question(prober.upgrade.word(), short.next_multiple_of(block) - short);
        let plain = form.plaintext(&content, &writer.mac(APPLICATION_DATA, &content), block);
        channel.put_forged(APPLICATION_DATA, plain)?;
        channel.flush(end).await;
        let response = prober.within(read(&mut session, end)).await.map_err(Failure::Transport)?;
        prober.record_words(format!("record with {form:?}"), response.words(), STEP);
        Ok(response)
    }
}

/// Whether the server says something before it was asked.
async fn greets(prober: &Prober<'_>, pair: Pair) -> Result<bool, Failure> {
    let mut session = open(prober, pair).await?;
    let said = prober.within(read(&mut session, Instant::now() + GREETING)).await.map_err(Failure::Transport)?;
    prober.record_words("no record".to_owned(), said.words(), STEP);
    Ok(said.data)
}

async fn open(prober: &Prober<'_>, (version, suite): Pair) -> Result<Session, Failure> {
    visit::open(prober, &visit::hello(prober, version, &[suite]), None, STEP).await
}

const STEP: &str = "CBC padding";
const INCONSISTENT: &str = "inconsistent: the answers to the same records differed";
const SILENT: &str = "silence";

async fn read(session: &mut Session, end: Instant) -> Response {
    let before = session.channel().seen().len();
    let mut response = Response::default();
    response.end = loop {
        match session.channel().next(end).await {
            Ok(Item::Data(0)) => {}
            // After a fatal alert nothing is an answer any more: there are servers whose program hands on what their
            // library has refused.
            Ok(Item::Data(_)) if response.alert.is_some() => {}
            Ok(Item::Data(_)) => {
                response.data = true;
                return Response { alert: None, end: "", ..response };
            }
            Ok(_) => {}
            Err(Failure::Alert(fatal)) if response.alert.is_none() => response.alert = Some(fatal.description),
            Err(Failure::Alert(_)) => {}
            Err(Failure::Closed) => break "closed",
            Err(Failure::Reset) => break "reset",
            Err(Failure::Silent) => break SILENT,
            Err(_) => break "something that is not of the session",
        }
    };
    response.records = session.channel().seen().get(before..).unwrap_or_default().to_vec();
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fact;

    #[test]
    fn a_poodle_that_sleeps_is_one_that_the_preferred_suite_does_not_have() {
        let of = |old_padding: Vec<usize>| {
            let outcome = Outcome { old_padding, ..Outcome::default() };
            let found = outcome.rows().into_iter().filter(|row| row.vulnerable == Fact::Known(true));
            found.map(|row| row.name).collect::<Vec<_>>()
        };
        assert_eq!(of(vec![0, 1]), ["poodle_tls"]);
        assert_eq!(of(vec![1]), ["sleeping_poodle"]);
        assert!(of(Vec::new()).is_empty());
    }

    #[test]
    fn samples_differ_in_version_or_mac() {
        let suite = |id| Suite::find(id).unwrap();
        let pairs = [(Version::Tls12, suite(0xC013)), (Version::Tls12, suite(0xC014)), (Version::Tls12, suite(0xC027))];
        assert_eq!(samples(&pairs), [pairs[0], pairs[2]]);
        assert_eq!(samples(&[pairs[0], (Version::Tls10, suite(0xC013)), pairs[2]]).len(), 2);
    }
}
