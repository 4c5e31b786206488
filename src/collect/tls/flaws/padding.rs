//! Oracles of CBC padding: does a server behave in another way when the padding is wrong than when the MAC is?
//!
//! One record a connection, in six forms. Those who answer all wrong ones alike tell an attacker nothing.

use crate::collect::tls::prober::Prober;
use crate::collect::tls::session::{Failure, Item, Session, Suite, pad};
use crate::collect::tls::visit;
use crate::model::Fact;
use crate::model::tls::VulnerabilityTest;
use crate::wire::record::APPLICATION_DATA;
use crate::wire::{Version, alert};
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer may take, and how long where silence is to be confirmed.
const ANSWER: Duration = Duration::from_secs(5);
const CONFIRMED: Duration = Duration::from_secs(12);
/// How often a difference must be seen.
const RUNS: usize = 3;
/// Suites that all forms are tried with, at most.
const SAMPLES: usize = 2;
/// The blocks of the records that hold no content.
const BLOCKS: usize = 6;

/// The names of the rows.
const NAMES: [&str; 6] =
    ["poodle_tls", "goldendoodle", "zombie_poodle", "zero_length", "sleeping_poodle", "cbc_oracle_other"];

/// A version and a suite.
pub type Pair = (Version, Suite);

/// A form of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As it should be: must be answered.
    Right,
    /// Padded as in SSLv3: the last byte right, the others not.
    OldPadding,
    /// The last byte says that there is no padding, which moves the MAC.
    MovedMac,
    /// The padding is longer than the record.
    TooLong,
    /// A MAC of garbage and padding, without any content.
    NoContent,
    /// The whole record is one right padding, without room for a MAC.
    AllPadding,
}

/// The wrong forms, in the order of [`Readings::wrong`].
const WRONG: [Form; 5] = [Form::OldPadding, Form::MovedMac, Form::TooLong, Form::NoContent, Form::AllPadding];

impl Form {
    /// The plaintext: content, MAC and padding.
    fn plaintext(self, content: &[u8], mac: &[u8], block: usize) -> Vec<u8> {
        let mut plain = match self {
            Form::TooLong => return vec![0xFF; BLOCKS * block],
            Form::AllPadding => {
                let length = BLOCKS * block;
                return vec![u8::try_from(length - 1).unwrap_or(u8::MAX); length];
            }
            // The garbage has the length of a MAC.
            Form::NoContent => vec![0x4D; mac.len()],
            _ => [content, mac].concat(),
        };
        let end = plain.len();
        pad(&mut plain, block);
        match self {
            Form::OldPadding => {
                let last = plain.len() - 1;
                plain.iter_mut().take(last).skip(end).for_each(|byte| *byte = !*byte);
            }
            Form::MovedMac => plain.iter_mut().last().into_iter().for_each(|byte| *byte = 0),
            _ => {}
        }
        plain
    }
}

/// What came after a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Response {
    /// Application data came; then nothing more is read.
    data: bool,
    /// The description of the first alert.
    alert: Option<u8>,
    /// How it ended.
    end: &'static str,
    /// Type and length of each record, where no data came.
    records: Vec<(u8, usize)>,
}

impl Response {
    /// What somebody on the path can see of it: alerts are encrypted.
    fn visible(&self) -> (bool, bool, &'static str, &[(u8, usize)]) {
        (self.data, self.alert.is_some(), self.end, &self.records)
    }

    fn words(&self) -> String {
        let name = |description| alert::Alert::fatal(description).name();
        match (self.data, self.alert) {
            (true, _) => "application data".to_owned(),
            (false, Some(alert)) => format!("alert {}, {}", name(alert), self.end),
            (false, None) => format!("no alert, {}", self.end),
        }
    }
}

/// The answers to all forms with one suite.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Readings {
    right: Response,
    /// In the order of [`WRONG`].
    wrong: [Response; 5],
}

/// What the answers say.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// All wrong forms are answered alike.
    Safe,
    /// A flaw, and whether somebody on the path can see it.
    Flaw(&'static str, bool),
    /// Nothing can be said.
    Unclear(String),
}

impl Readings {
    /// Rules 1 to 3 and 5.
    fn judge(&self) -> Verdict {
        if !self.right.data {
            return Verdict::Unclear(format!("a right record was answered with {}", self.right.words()));
        }
        let [old_padding, base, too_long, no_content, all_padding] = &self.wrong;
        if old_padding.data {
            return Verdict::Flaw("poodle_tls", true);
        }
        if base.data {
            return Verdict::Flaw("goldendoodle", true);
        }
        let others = [old_padding, too_long, no_content, all_padding];
        let different = others.map(|other| other != base);
        let name = match different {
            [true, true, true, true] => "goldendoodle",
            [true, ..] => "zombie_poodle",
            [_, _, no_content, all_padding] if no_content || all_padding => "zero_length",
            [_, true, ..] => "cbc_oracle_other",
            _ => return Verdict::Safe,
        };
        Verdict::Flaw(name, others.iter().any(|other| other.visible() != base.visible()))
    }
}

/// The rows. `cbc` are all pairs with CBC that were accepted, those first that the server prefers; of some of them no
/// session can be made. `open` says why there may be more.
pub async fn look(prober: &Prober<'_>, pairs: &[Pair], others: usize, open: Option<String>) -> Vec<VulnerabilityTest> {
    let mut outcome = Outcome::default();
    match (pairs, others, &open) {
        ([], 0, None) => return NAMES.iter().map(|name| row(name, false, Fact::Known(false), true)).collect(),
        ([], 0, Some(why)) => outcome.unclear = Some(why.clone()),
        ([], ..) => {
            outcome.unclear = Some("no accepted CBC suite is one that a session can be made with here".to_owned());
        }
        _ => outcome.fill(prober, pairs).await,
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
}

impl Outcome {
    async fn fill(&mut self, prober: &Prober<'_>, pairs: &[Pair]) {
        let samples = samples(pairs);
        let rest: Vec<usize> =
            (0..pairs.len()).filter(|at| pairs.get(*at).is_some_and(|pair| !samples.contains(pair))).collect();
        let sampled = join_all(samples.iter().map(|pair| settle(prober, *pair)));
        let asked = join_all(rest.iter().filter_map(|at| pairs.get(*at)).map(|pair| takes_old_padding(prober, *pair)));
        let (sampled, asked) = tokio::join!(sampled, asked);
        for (pair, verdict) in samples.iter().zip(sampled) {
            match verdict {
                Verdict::Safe => {}
                Verdict::Flaw("poodle_tls", _) => {
                    self.old_padding.extend(pairs.iter().position(|other| other == pair));
                }
                Verdict::Flaw(name, observable) => self.flaws.push((name, observable)),
                Verdict::Unclear(why) => self.unclear = self.unclear.take().or(Some(why)),
            }
        }
        for (at, taken) in rest.into_iter().zip(asked) {
            match taken {
                Ok(true) => self.old_padding.push(at),
                Ok(false) => {}
                Err(why) => self.old_padding_unclear = self.old_padding_unclear.take().or(Some(why)),
            }
        }
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
            "poodle_tls" | "sleeping_poodle" => self.unclear.as_ref().or(self.old_padding_unclear.as_ref()),
            _ => self.unclear.as_ref(),
        };
        match (found, unclear) {
            (Some(observable), _) => row(name, true, Fact::Known(true), observable),
            (None, Some(why)) => row(name, true, Fact::unknown(why.clone()), true),
            (None, None) => row(name, true, Fact::Known(false), true),
        }
    }
}

fn row(name: &str, applies: bool, vulnerable: Fact<bool>, observable: bool) -> VulnerabilityTest {
    // What nobody on the path can see, nobody can use.
    let severity = if observable { "high" } else { "low" };
    VulnerabilityTest {
        name: name.to_owned(),
        applies,
        vulnerable,
        observable,
        severity: severity.to_owned(),
        likely: false,
        seen: String::new(),
    }
}

/// Rule 4: a difference must be the same three times.
async fn settle(prober: &Prober<'_>, pair: Pair) -> Verdict {
    let first = match readings(prober, pair, ANSWER).await {
        Ok(readings) => readings,
        Err(failure) => return Verdict::Unclear(failure.words()),
    };
    let verdict = first.judge();
    let Verdict::Flaw(..) = verdict else { return verdict };
    let silent = first.wrong.iter().any(|response| response.end == SILENT);
    let limit = if silent { CONFIRMED } else { ANSWER };
    for _ in 1..RUNS {
        match readings(prober, pair, limit).await {
            Ok(again) if again.wrong == first.wrong && again.judge() == verdict => {}
            Ok(_) => {
                return Verdict::Unclear("inconsistent: the answers to the same records differed".to_owned());
            }
            Err(failure) => return Verdict::Unclear(failure.words()),
        }
    }
    verdict
}

/// Whether the padding of SSLv3 is taken with this pair: three times, before it is said.
async fn takes_old_padding(prober: &Prober<'_>, pair: Pair) -> Result<bool, String> {
    for run in 0..RUNS {
        match respond(prober, pair, Form::OldPadding, ANSWER).await {
            Ok(response) if response.data => {}
            Ok(_) if run == 0 => return Ok(false),
            Ok(_) => return Err("inconsistent: the answers to the same records differed".to_owned()),
            Err(failure) => return Err(failure.words()),
        }
    }
    Ok(true)
}

async fn readings(prober: &Prober<'_>, pair: Pair, limit: Duration) -> Result<Readings, Failure> {
    let wrong = join_all(WRONG.map(|form| respond(prober, pair, form, limit)));
    let (right, wrong) = tokio::join!(respond(prober, pair, Form::Right, limit), wrong);
    let wrong: Vec<Response> = wrong.into_iter().collect::<Result<_, _>>()?;
    let wrong = wrong.try_into().map_err(|_| Failure::Unexpected("answers to other records"))?;
    Ok(Readings { right: right?, wrong })
}

/// One session, one record, and what comes of it.
async fn respond(prober: &Prober<'_>, pair: Pair, form: Form, limit: Duration) -> Result<Response, Failure> {
    const STEP: &str = "CBC padding";
    let (version, suite) = pair;
    let hello = visit::hello(prober, version, &[suite]);
    let mut session = visit::open(prober, &hello, None, STEP).await?;
    let plain = {
        let channel = session.channel();
        let writer = channel.writer().ok_or(Failure::Unexpected("a session without protection"))?;
        let block = writer.block();
        // The content and its MAC fill whole blocks, so that a whole block of padding follows.
        let empty = writer.mac(APPLICATION_DATA, &[]).len();
        let short = visit::question(prober.upgrade, 0).len() + empty;
        let content = visit::question(prober.upgrade, short.next_multiple_of(block) - short);
        form.plaintext(&content, &writer.mac(APPLICATION_DATA, &content), block)
    };
    session.channel().put_forged(APPLICATION_DATA, plain)?;
    let end = Instant::now() + limit;
    session.channel().flush(end).await;
    let response = prober.within(read(&mut session, end)).await.map_err(Failure::Transport)?;
    prober.record_words(format!("record with {form:?}"), response.words(), STEP);
    Ok(response)
}

const SILENT: &str = "silence";

async fn read(session: &mut Session, end: Instant) -> Response {
    let before = session.channel().seen().len();
    let mut response = Response::default();
    response.end = loop {
        match session.channel().next(end).await {
            Ok(Item::Data(0)) => {}
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

    fn alert(description: u8) -> Response {
        Response { data: false, alert: Some(description), end: "closed", records: vec![(21, 32)] }
    }

    fn data() -> Response {
        Response { data: true, ..Response::default() }
    }

    fn judged(wrong: [Response; 5]) -> Verdict {
        Readings { right: data(), wrong }.judge()
    }

    #[test]
    fn each_pattern_has_its_name() {
        let mac = || alert(20);
        let closed = || Response { end: "closed", ..Response::default() };
        assert_eq!(judged([mac(), mac(), mac(), mac(), mac()]), Verdict::Safe);
        assert_eq!(judged([data(), mac(), mac(), mac(), mac()]), Verdict::Flaw("poodle_tls", true));
        assert_eq!(judged([mac(), data(), mac(), mac(), mac()]), Verdict::Flaw("goldendoodle", true));
        assert_eq!(judged([closed(), mac(), closed(), closed(), closed()]), Verdict::Flaw("goldendoodle", true));
        assert_eq!(judged([closed(), mac(), mac(), mac(), mac()]), Verdict::Flaw("zombie_poodle", true));
        assert_eq!(judged([mac(), mac(), mac(), closed(), mac()]), Verdict::Flaw("zero_length", true));
        assert_eq!(judged([mac(), mac(), mac(), mac(), closed()]), Verdict::Flaw("zero_length", true));
        assert_eq!(judged([mac(), mac(), closed(), mac(), mac()]), Verdict::Flaw("cbc_oracle_other", true));
    }

    #[test]
    fn encrypted_alerts_of_one_size_are_not_seen_on_the_path() {
        let padding = || alert(21);
        let mac = || alert(20);
        let found = judged([padding(), mac(), padding(), mac(), mac()]);
        assert_eq!(found, Verdict::Flaw("zombie_poodle", false));
    }

    #[test]
    fn without_an_answer_to_the_right_record_nothing_is_said() {
        let readings = Readings { right: alert(20), wrong: [(); 5].map(|()| alert(20)) };
        assert!(matches!(readings.judge(), Verdict::Unclear(_)));
    }

    #[test]
    fn the_forms_are_what_they_say() {
        let (content, mac) = (vec![0x61; 12], vec![0x6D; 20]);
        let right = Form::Right.plaintext(&content, &mac, 16);
        assert_eq!((right.len(), &right[32..]), (48, &[15; 16][..]));
        let old = Form::OldPadding.plaintext(&content, &mac, 16);
        assert_eq!((&old[..32], &old[32..47], old[47]), (&right[..32], &[!15_u8; 15][..], 15));
        let moved = Form::MovedMac.plaintext(&content, &mac, 16);
        assert_eq!((&moved[..47], moved[47]), (&right[..47], 0));
        assert_eq!(Form::TooLong.plaintext(&content, &mac, 16), [0xFF; 96]);
        assert_eq!(Form::AllPadding.plaintext(&content, &mac, 16), [0x5F; 96]);
        let none = Form::NoContent.plaintext(&content, &mac, 16);
        assert_eq!((none.len(), none[31], &none[..20]), (32, 11, &[0x4D; 20][..]));
    }

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
