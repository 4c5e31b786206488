//! ROBOT: a server whose answer tells whether a block, deciphered by its RSA key, has the padding of PKCS #1 v1.5.

use super::super::ledger::Ledger;
use super::super::offer::Offer;
use super::super::plan;
use super::super::prober::Prober;
use super::super::session::RsaKey;
use super::conversation::{Conversation, Reply};
use super::{DISABLED, Pace, Tested, suites_of};
use crate::model::tls::VulnerabilityTest;
use crate::model::{Reason, Trouble};
use crate::wire::cursor::{put_vec16, put_vec24};
use crate::wire::record::{CHANGE_CIPHER_SPEC, HANDSHAKE};
use crate::wire::{Version, flight};
use futures_util::future::try_join_all;
use std::time::Duration;

pub(super) const NAME: &str = "robot";
const PATIENCE: Duration = Duration::from_secs(5);
/// The patience of the confirmation where only silence tells the answers apart.
const CONFIRMATION: Duration = Duration::from_secs(12);
const CLIENT_KEY_EXCHANGE: u8 = 16;
/// The least modulus that a block fits in, and the largest that is worth the arithmetic.
const MODULUS: std::ops::RangeInclusive<usize> = 64..=2_048;
/// The random part of a premaster secret.
const SECRET: usize = 46;
const BLOCKS: usize = 5;

/// The answers to the five blocks.
type Answers = [Reply; BLOCKS];

/// No connection where no suite has RSA key transport; else ten, and more where the answers differ.
pub async fn test(prober: &Prober<'_>, ledger: &Ledger, intrusive: bool, pace: Pace) -> Tested {
    let Some((version, mut suites)) = suites_of(ledger, is_transport) else {
        return Ok(VulnerabilityTest::inapplicable(NAME, "no suite with RSA key transport is accepted"));
    };
    if !intrusive {
        return Ok(VulnerabilityTest::unknown(NAME, DISABLED));
    }
    suites.sort_by_key(|suite| preference(*suite));
    let offer = Offer::new(version, suites);
    let key = key(ledger, &offer)?;
    judged(&Oracle { prober, offer: &offer, key: &key, pace }).await
}

fn is_transport(suite: u16) -> bool {
    plan::suite(suite).is_some_and(|row| row.kx == "RSA" && row.auth == "RSA" && !row.export)
}

/// AES in GCM first, then AES, then the rest.
fn preference(suite: u16) -> u8 {
    match plan::suite(suite).map_or("", |row| row.enc.as_str()) {
        enc if enc.starts_with("AES") && enc.ends_with("GCM") => 0,
        enc if enc.starts_with("AES") => 1,
        _ => 2,
    }
}

/// What is sent after the server's flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// The whole second flight of a client, the last message of which is random.
    Whole,
    /// The key exchange alone.
    Exchange,
}

impl Flow {
    fn words(self) -> &'static str {
        match self {
            Flow::Whole => "a whole second flight",
            Flow::Exchange => "a key exchange alone",
        }
    }
}

/// Who is asked, with what, and how many questions at once.
struct Oracle<'a> {
    prober: &'a Prober<'a>,
    offer: &'a Offer,
    key: &'a RsaKey,
    pace: Pace,
}

async fn judged(oracle: &Oracle<'_>) -> Tested {
    let (whole, exchange) = match oracle.pace {
        Pace::Together => {
            tokio::try_join!(oracle.answers(Flow::Whole, PATIENCE), oracle.answers(Flow::Exchange, PATIENCE))?
        }
        Pace::Alone => (oracle.answers(Flow::Whole, PATIENCE).await?, oracle.answers(Flow::Exchange, PATIENCE).await?),
    };
    for (flow, first) in [(Flow::Whole, whole), (Flow::Exchange, exchange)] {
        if same(&first) {
            continue;
        }
        let spoken: Vec<&Reply> = first.iter().filter(|reply| **reply != Reply::Silent).collect();
        let only_silence = spoken.len() < BLOCKS && spoken.windows(2).all(|pair| pair.first() == pair.last());
        let patience = if only_silence { CONFIRMATION } else { PATIENCE };
        let second = oracle.answers(flow, patience).await?;
        let third = oracle.answers(flow, patience).await?;
        let seen = words(flow, &second);
        if second != third || (!only_silence && first != second) {
            let detail = format!("inconsistent: {}, then {seen}, then {}", words(flow, &first), words(flow, &third));
            return Ok(VulnerabilityTest::unknown(NAME, detail));
        }
        if !same(&second) {
            let [_, one, two, three, _] = second;
            let strength = if one == two && two == three { "weak" } else { "strong" };
            return Ok(VulnerabilityTest::found(NAME, format!("a {strength} oracle, three times: {seen}")));
        }
    }
    // A server that went away answers everything alike, too.
    if !whole.iter().any(|reply| matches!(reply, Reply::Alert(_))) {
        Conversation::open(oracle.prober, oracle.offer, NAME).await?;
        oracle.prober.steadiness.infer(NAME);
    }
    let [first, ..] = whole;
    Ok(VulnerabilityTest::safe(NAME, format!("five blocks are all answered with {}", first.words())))
}

fn same(answers: &Answers) -> bool {
    let [first, rest @ ..] = answers;
    rest.iter().all(|reply| reply == first)
}

fn words(flow: Flow, answers: &Answers) -> String {
    let words: Vec<String> = answers.iter().map(|reply| reply.words()).collect();
    format!("{} gets {}", flow.words(), words.join(", "))
}

/// The public key of a certificate that came with one of the suites.
fn key(ledger: &Ledger, offer: &Offer) -> Result<RsaKey, Trouble> {
    let mut leaves = ledger
        .suites
        .iter()
        .filter(|accepted| accepted.version == offer.version)
        .filter(|accepted| offer.suites.iter().any(|suite| u32::from(*suite) == accepted.suite))
        .filter_map(|accepted| ledger.chains.get(accepted.leaf.as_ref()?)?.certificates.first());
    let unreadable = || Trouble::new(Reason::Unsupported, "robot: the certificate's RSA key could not be read");
    let key = leaves.find_map(|leaf| RsaKey::of_certificate(leaf)).ok_or_else(unreadable)?;
    if !MODULUS.contains(&key.length) {
        let detail = format!("robot: an RSA key of {} bytes is not tested", key.length);
        return Err(Trouble::new(Reason::Unsupported, detail));
    }
    Ok(key)
}

/// The five blocks before they are encrypted: right; wrong at its start; zero byte in the wrong place; no zero byte;
/// wrong version.
fn blocks(length: usize, version: Version, secret: &[u8; SECRET], padding: &[u8]) -> [Vec<u8>; BLOCKS] {
    let padding: Vec<u8> = padding.iter().map(|byte| *byte | 1).take(length.saturating_sub(SECRET + 5)).collect();
    let version = version.code().to_be_bytes();
    // Those without a separating zero byte must not hold one by chance.
    let filled: Vec<u8> = secret.iter().map(|byte| *byte | 1).collect();
    let block =
        |start: &[u8], middle: &[u8], secret: &[u8], end: &[u8]| [start, &padding, middle, secret, end].concat();
    let right = [&[0][..], &version].concat();
    [
        block(&[0, 2], &right, secret, &[]),
        block(&[0x41, 0x17], &right, secret, &[]),
        block(&[0, 2], &[0x11], &filled, &[0, 0x11]),
        block(&[0, 2], &[0x11, 0x11, 0x11], &filled, &[]),
        block(&[0, 2], &[0, 2, 2], secret, &[]),
    ]
}

impl Oracle<'_> {
    async fn answers(&self, flow: Flow, patience: Duration) -> Result<Answers, Trouble> {
        let Oracle { prober, offer, key, pace } = *self;
        let (mut secret, mut padding) = ([0; SECRET], vec![0; key.length]);
        prober.cx.random.fill(&mut secret);
        prober.cx.random.fill(&mut padding);
        let blocks = blocks(key.length, offer.version, &secret, &padding);
        let asked = blocks.iter().map(|block| answer(prober, offer, key.encrypt(block), flow, patience));
        let replies: Vec<Reply> = match pace {
            Pace::Together => try_join_all(asked).await?,
            Pace::Alone => {
                let mut replies = Vec::new();
                for asked in asked {
                    replies.push(asked.await?);
                }
                replies
            }
        };
        replies.try_into().map_err(|_| Trouble::new(Reason::Internal, "robot: an answer is missing"))
    }
}

async fn answer(
    prober: &Prober<'_>,
    offer: &Offer,
    encrypted: Vec<u8>,
    flow: Flow,
    patience: Duration,
) -> Result<Reply, Trouble> {
    let mut conversation = Conversation::open(prober, offer, NAME).await?;
    let mut bytes = Vec::new();
    if conversation.flight.request.is_some() && conversation.version() > Version::Ssl3 {
        // Who is asked for a certificate and has none sends an empty list.
        bytes.extend(conversation.record(HANDSHAKE, &[flight::CERTIFICATE, 0, 0, 3, 0, 0, 0]));
    }
    bytes.extend(conversation.record(HANDSHAKE, &key_exchange(&encrypted, conversation.version())));
    if flow == Flow::Whole {
        bytes.extend(conversation.record(CHANGE_CIPHER_SPEC, &[1]));
        let mut finished = [0; 64];
        prober.cx.random.fill(&mut finished);
        bytes.extend(conversation.record(HANDSHAKE, &finished));
    }
    conversation.send(&bytes, patience, flow.words()).await
}

fn key_exchange(encrypted: &[u8], version: Version) -> Vec<u8> {
    let mut body = Vec::new();
    match version {
        Version::Ssl3 => body.extend(encrypted),
        _ => put_vec16(&mut body, encrypted),
    }
    let mut message = vec![CLIENT_KEY_EXCHANGE];
    put_vec24(&mut message, &body);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocks_are_as_long_as_the_key_and_differ_where_they_should() {
        for length in [64, 128, 256, 257] {
            let all = blocks(length, Version::Tls12, &[7; SECRET], &vec![0; length]);
            assert!(all.iter().all(|block| block.len() == length), "{length}");
            let [right, start, zero, none, version] = all;
            let at = length - SECRET - 3;
            assert_eq!(right[..2], [0, 2]);
            assert!(right[2..at].iter().all(|byte| *byte != 0));
            assert_eq!(right[at..at + 3], [0, 3, 3]);
            assert_eq!(start[..2], [0x41, 0x17]);
            assert_eq!(zero[length - 2..], [0, 0x11]);
            assert!(zero[2..length - 2].iter().all(|byte| *byte != 0));
            assert!(none[2..].iter().all(|byte| *byte != 0));
            assert_eq!(version[at..at + 3], [0, 2, 2]);
        }
    }

    #[test]
    fn sslv3_has_no_length_before_the_block() {
        assert_eq!(key_exchange(&[9; 4], Version::Ssl3), [16, 0, 0, 4, 9, 9, 9, 9]);
        assert_eq!(key_exchange(&[9; 4], Version::Tls10), [16, 0, 0, 6, 0, 4, 9, 9, 9, 9]);
    }
}
