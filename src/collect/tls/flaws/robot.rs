//! ROBOT: does a server behave in another way when the padding of an RSA key exchange is wrong (Bleichenbacher's oracle)?

use super::halfway::{Halfway, Reply};
use crate::catalogue::registry;
use crate::collect::tls::facts::{Facts, Standing};
use crate::collect::tls::offer::Offer;
use crate::collect::tls::prober::Prober;
use crate::collect::tls::session::RsaKey;
use crate::collect::tls::visit;
use crate::model::tls::VulnerabilityTest;
use crate::model::{Fact, Reason, Trouble};
use crate::net::Random;
use crate::wire::record::{self, CHANGE_CIPHER_SPEC, HANDSHAKE};
use crate::wire::{Version, cursor};
use futures_util::future::join_all;
use std::time::Duration;

const NAME: &str = "robot";
const SEVERITY: &str = "critical";
/// How long an answer may take, and how long where silence is the only difference.
const ANSWER: Duration = Duration::from_secs(5);
const CONFIRMED: Duration = Duration::from_secs(12);
/// The blocks: one right, four wrong.
const BLOCKS: usize = 5;
/// How often a difference must be seen.
const RUNS: usize = 3;

/// How much of the handshake follows the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// ChangeCipherSpec and an end that cannot be right.
    Whole,
    /// Nothing.
    Exchange,
}

/// The row.
pub async fn look(prober: &Prober<'_>, facts: &Facts) -> VulnerabilityTest {
    let offer = match offer(facts) {
        Ok(Some(offer)) => offer,
        Ok(None) => return VulnerabilityTest::does_not_apply(NAME, SEVERITY, "no RSA key exchange"),
        Err(why) => return VulnerabilityTest::of(NAME, SEVERITY, Fact::unknown(why), ""),
    };
    let whole = flow(prober, &offer, Flow::Whole).await;
    let exchange = flow(prober, &offer, Flow::Exchange).await;
    let (vulnerable, seen) = judge([whole, exchange]);
    VulnerabilityTest::of(NAME, SEVERITY, vulnerable, seen)
}

/// The newest version with RSA key exchange, AES-GCM first, then AES-CBC, then the rest.
fn offer(facts: &Facts) -> Result<Option<Offer>, String> {
    let mut open = None;
    for version in visit::VERSIONS {
        let mut ids = facts.ledger.accepted(version);
        let row = |id: u16| registry::suite(u32::from(id), false);
        ids.retain(|id| row(*id).is_some_and(|row| row.kx == "RSA" && row.auth == "RSA" && !row.export));
        ids.sort_by_key(|id| match row(*id).map(|row| row.enc.as_str()) {
            Some("AES-GCM") => 0,
            Some("AES-CBC") => 1,
            _ => 2,
        });
        if !ids.is_empty() {
            return Ok(Some(Offer::new(version, ids)));
        }
        let cut = facts.look.versions.get(&version).and_then(|suites| suites.trouble.as_ref());
        open = open.or(cut.map(|trouble| trouble.detail.clone()));
        if let Standing::Unknown(trouble) = facts.standing(version) {
            open = open.or(Some(trouble.detail));
        }
    }
    open.map_or(Ok(None), Err)
}

/// What the server did with each block: the same each time, or not.
enum Oracle {
    /// It treats all blocks alike.
    None(String),
    /// It tells them apart, three times in the same way. Strong if it tells the wrong ones apart.
    Found { strong: bool, seen: String },
    /// It did one thing, then another.
    Inconsistent(String),
}

async fn flow(prober: &Prober<'_>, offer: &Offer, flow: Flow) -> Result<Oracle, Trouble> {
    let first = run(prober, offer, flow, ANSWER).await?;
    if alike(&first) {
        return Ok(Oracle::None(first.first().map(Reply::words).unwrap_or_default()));
    }
    // Where some were silent, time alone may be the difference: then it must show with more of it.
    let wait = if first.contains(&Reply::Silent) { CONFIRMED } else { ANSWER };
    for _ in 1..RUNS {
        let again = run(prober, offer, flow, wait).await?;
        if again != first {
            return Ok(Oracle::Inconsistent(format!("{}; then {}", words(&first), words(&again))));
        }
    }
    let wrong = first.get(1..4).unwrap_or_default();
    Ok(Oracle::Found { strong: !alike(wrong), seen: words(&first) })
}

fn alike(replies: &[Reply]) -> bool {
    replies.windows(2).all(|pair| matches!(pair, [one, other] if one == other))
}

fn words(replies: &[Reply]) -> String {
    replies.iter().map(Reply::words).collect::<Vec<String>>().join(", ")
}

/// Every block on a connection of its own, side by side.
async fn run(prober: &Prober<'_>, offer: &Offer, flow: Flow, wait: Duration) -> Result<Vec<Reply>, Trouble> {
    let tries = (0..BLOCKS).map(|number| Box::pin(one(prober, offer, flow, number, wait)));
    let all: Result<Vec<Reply>, Trouble> = join_all(tries).await.into_iter().collect();
    match all {
        // A server that serves one connection after the other keeps all but one waiting.
        Err(trouble) if trouble.reason == Reason::TimedOut && prober.stopped().is_none() => {
            let mut replies = Vec::new();
            for number in 0..BLOCKS {
                replies.push(Box::pin(one(prober, offer, flow, number, wait)).await?);
            }
            Ok(replies)
        }
        all => all,
    }
}

async fn one(prober: &Prober<'_>, offer: &Offer, flow: Flow, number: usize, wait: Duration) -> Result<Reply, Trouble> {
    const STEP: &str = "ROBOT";
    let mut halfway = Halfway::open(prober, offer, STEP).await?;
    let unusable = |what: &str| Trouble::new(Reason::Unsupported, what);
    let key = halfway.flight.chain.first().and_then(|leaf| RsaKey::of_certificate(leaf));
    let key = key.ok_or_else(|| unusable("the certificate has no RSA key of a usual size"))?;
    let block = block(number, key.length, offer.version, &*prober.cx.random);
    let block = block.ok_or_else(|| unusable("the RSA key is too short for the blocks"))?;
    let mut bytes = exchange(&key.encrypt(&block), halfway.flight.hello.version);
    if flow == Flow::Whole {
        bytes.extend(record::write(CHANGE_CIPHER_SPEC, halfway.flight.hello.version, &[1]));
        let mut finished = [0; 64];
        prober.cx.random.fill(&mut finished);
        bytes.extend(record::write(HANDSHAKE, halfway.flight.hello.version, &finished));
    }
    halfway.send_bytes(&bytes).await;
    prober.within(Box::pin(halfway.next(wait))).await
}

/// A ClientKeyExchange with this encrypted block.
fn exchange(encrypted: &[u8], version: u16) -> Vec<u8> {
    let mut body = Vec::new();
    cursor::put_vec16(&mut body, encrypted);
    let mut message = vec![16];
    cursor::put_vec24(&mut message, &body);
    record::write(HANDSHAKE, version, &message)
}

/// The blocks of the published test: right; a wrong beginning; a zero byte at a wrong place; none at all; a wrong
/// version. `None` where the key is too short for them.
fn block(number: usize, length: usize, version: Version, random: &dyn Random) -> Option<Vec<u8>> {
    let mut secret = [0; 46];
    random.fill(&mut secret);
    secret.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 1);
    let filling = length.checked_sub(51).filter(|filling| *filling >= 8)?;
    let mut padding = vec![0; filling];
    random.fill(&mut padding);
    padding.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 1);
    let version = version.code().to_be_bytes();
    let block = match number {
        0 => [&[0, 2][..], &padding, &[0], &version, &secret].concat(),
        1 => [&[0x41, 0x17][..], &padding, &[0], &version, &secret].concat(),
        2 => [&[0, 2][..], &padding, &[0x11], &secret, &[0, 0x11]].concat(),
        3 => [&[0, 2][..], &padding, &[0x11, 0x11, 0x11], &secret].concat(),
        _ => [&[0, 2][..], &padding, &[0, 2, 2], &secret].concat(),
    };
    Some(block)
}

fn judge(flows: [Result<Oracle, Trouble>; 2]) -> (Fact<bool>, String) {
    let mut open = None;
    let mut calm = Vec::new();
    for flow in flows {
        match flow {
            Ok(Oracle::Found { strong, seen }) => {
                let word = if strong { "strong" } else { "weak" };
                return (Fact::Known(true), format!("a {word} oracle: {seen}"));
            }
            Ok(Oracle::None(seen)) => calm.push(seen),
            Ok(Oracle::Inconsistent(seen)) => open = Some(format!("inconsistent: {seen}")),
            Err(trouble) => open = open.or(Some(trouble.to_string())),
        }
    }
    match open {
        Some(why) => (Fact::unknown(why), String::new()),
        None => (Fact::Known(false), format!("all blocks alike: {}", calm.join("; "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::SeededRandom;
    use crate::wire::Alert;

    #[test]
    fn blocks_are_as_long_as_the_modulus_and_one_is_right() {
        let random = SeededRandom::new(7);
        for length in [64, 128, 256] {
            for number in 0..BLOCKS {
                assert_eq!(block(number, length, Version::Tls12, &random).unwrap().len(), length, "{number}");
            }
            let right = block(0, length, Version::Tls12, &random).unwrap();
            assert_eq!(right[..2], [0, 2]);
            assert_eq!(right[length - 49..length - 46], [0, 3, 3]);
            assert!(right[2..length - 49].iter().all(|byte| *byte != 0));
            let none = block(3, length, Version::Tls12, &random).unwrap();
            assert!(none[1..].iter().all(|byte| *byte != 0), "there is no zero byte");
        }
        assert_eq!(block(0, 58, Version::Tls12, &random), None);
    }

    #[test]
    fn an_oracle_in_one_flow_is_enough_and_doubt_in_one_too() {
        let none = || Ok(Oracle::None("alert bad_record_mac".into()));
        let found = || Ok(Oracle::Found { strong: true, seen: "x".into() });
        let doubt = || Ok(Oracle::Inconsistent("x".into()));
        let gone = || Err(Trouble::new(Reason::TimedOut, "gone"));
        assert_eq!(judge([none(), none()]).0, Fact::Known(false));
        assert_eq!(judge([none(), found()]).0, Fact::Known(true));
        assert_eq!(judge([gone(), found()]).0, Fact::Known(true));
        assert!(judge([none(), doubt()]).0.reason().is_some());
        assert!(judge([none(), gone()]).0.reason().is_some());
    }

    #[test]
    fn replies_are_compared_by_class_and_alert() {
        let alert = |description| Reply::Alert(Alert::fatal(description));
        assert!(alike(&[alert(20), alert(20)]));
        assert!(!alike(&[alert(20), alert(51)]));
        assert!(!alike(&[alert(20), Reply::Closed]));
    }
}
