//! Whether the server bears what clients of tomorrow and networks of today send: newer versions, values that nobody has
//! defined, long hellos, hellos in pieces.
//!
//! Novelties that can share a hello do: where it is answered, all are borne. Where it is not, each is asked for alone,
//! twice, and then the same hello without it: only where that one is answered has the novelty been refused.

#[cfg(test)]
use super::super::offer::Manner;
use super::super::offer::Offer;
use super::super::probe::{Outcome, Question};
use super::super::prober::{Answer, Prober};
use super::super::steadiness::V2_HELLO;
use super::Known;
use crate::model::Fact;
use crate::model::shape::{AnswerFault, Intolerance, IntoleranceTest};
use crate::wire::extension::{self, Extension};
use crate::wire::record::{self, HANDSHAKE};
use crate::wire::{ClientHello, Version, ssl2};
use futures_util::future::join_all;

const STEP: &str = "unusual hellos";
/// client_version of TLS 1.3, of one that does not exist, and of two far beyond.
const VERSIONS: [(&str, u16); 4] =
    [("version-1.3", 0x0304), ("version-1.4", 0x0305), ("version-1.152", 0x0399), ("version-2.152", 0x0499)];
/// Schemes of a short list.
const SCHEMES: [u16; 11] = [0x0403, 0x0503, 0x0603, 0x0807, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0201];
/// A hybrid group with a client share of 1216 bytes.
const HYBRID: u16 = 0x11EC;
const X25519: u16 = 0x001D;
/// Suites of a version in a hello that is to be short.
const SUITES: usize = 10;
/// An ML-KEM-768 key is 1152 bytes of coefficients, where all zero is allowed, and a seed.
const COEFFICIENTS: usize = 1152;

/// What a good answer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Good {
    /// A ServerHello, as to the control.
    Hello,
    /// No ServerHello: nothing that is known was offered.
    Refusal,
    /// Anything that a server in its right mind says.
    Any,
}

/// How a hello is put on the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    Whole,
    Segments,
    Records,
    Both,
}

/// A hello with its novelty, and the same without.
#[derive(Clone)]
struct Test {
    name: &'static str,
    good: Good,
    /// What may answer.
    offer: Offer,
    hello: ClientHello,
    control: ClientHello,
    /// The exact length of the message, where that is the novelty.
    length: Option<usize>,
    sending: Sending,
}

/// Tests that can share a hello: the shared one, and each alone.
struct Group {
    shared: Test,
    single: Vec<Test>,
}

/// Runs every test that has a meaning for the versions offered.
pub(super) async fn look(prober: &Prober<'_>, known: &Known<'_>) -> Intolerance {
    let bench = Bench { prober, known };
    let (tests, accepts_v2_hello) = match bench.base() {
        Some(base) => {
            let groups = bench.groups(&base).into_iter().map(|group| bench.group(group));
            tokio::join!(join_all(groups), bench.v2_hello())
        }
        None => (Vec::new(), Fact::unknown("no version from TLS 1.0 on is offered")),
    };
    let fault = |(name, seen): (&'static str, String)| AnswerFault { name: name.to_owned(), seen };
    Intolerance {
        tests: tests.into_iter().flatten().collect(),
        faults: prober.ledger().faults.into_iter().map(fault).collect(),
        accepts_v2_hello,
    }
}

struct Bench<'a> {
    prober: &'a Prober<'a>,
    known: &'a Known<'a>,
}

impl Bench<'_> {
    /// What the server is known to take: its own suites and groups of the newest versions.
    fn base(&self) -> Option<Offer> {
        let few = |ids: &[u16]| ids.iter().copied().take(SUITES).collect::<Vec<u16>>();
        let modern = few(&self.known.ledger.accepted(Version::Tls13));
        let mut offer = match (self.known.modern(), self.known.older()) {
            (true, Some((Version::Tls12, ids))) => {
                Offer { suites: modern.into_iter().chain(few(&ids)).collect(), ..Offer::baseline() }
            }
            (true, _) => Offer::new(Version::Tls13, modern),
            (false, Some((version, ids))) => Offer::new(version, few(&ids)),
            (false, None) => return None,
        };
        let taken: Vec<u16> = self.known.ledger.groups.keys().copied().take(6).collect();
        if !taken.is_empty() {
            offer.groups = taken;
        }
        Some(offer)
    }

    /// The usual hello with a short list of schemes, so that there is room for what is tested.
    fn hello(&self, offer: &Offer) -> ClientHello {
        let mut manner = self.prober.manner();
        if offer.version >= Version::Tls12 {
            let seen = self.known.ledger.schemes.iter().map(|known| known.1).filter(|id| !SCHEMES.contains(id));
            manner.extra.push(Extension::schemes(&SCHEMES.into_iter().chain(seen).collect::<Vec<_>>()));
        }
        offer.hello(&manner, &*self.prober.cx.random)
    }

    fn test(&self, name: &'static str, offer: &Offer, hello: &ClientHello) -> Test {
        Test {
            name,
            good: Good::Hello,
            offer: offer.clone(),
            hello: hello.clone(),
            control: hello.clone(),
            length: None,
            sending: Sending::Whole,
        }
    }

    fn groups(&self, base: &Offer) -> Vec<Group> {
        let control = self.hello(base);
        let test = |name| self.test(name, base, &control);
        let mut groups: Vec<Group> = self.versions();
        groups.push(Group {
            shared: Test { hello: newer_versions(grease(empty_last(control.clone()))), ..test("undefined values") },
            single: vec![
                Test { hello: newer_versions(control.clone()), ..test("supported-versions") },
                Test { hello: grease(control.clone()), ..test("grease") },
                Test { hello: empty_last(control.clone()), ..test("empty-last-extension") },
            ],
        });
        let strange: Vec<u16> = vec![0xDED0, 0xDED1, 0xD3D2];
        let low: Vec<u16> = (0xDE01..=0xDEC5).collect();
        let refused = |name, suites: Vec<u16>| Test {
            good: Good::Refusal,
            hello: ClientHello { suites, ..control.clone() },
            ..test(name)
        };
        groups.push(Group {
            shared: refused("undefined suites", low.iter().chain(&strange).copied().collect()),
            single: vec![refused("suites-by-low-byte", low), refused("unknown-suites", strange)],
        });
        if let Some(hello) = dotted(&control) {
            groups.push(Group::of(Test { good: Good::Any, hello, ..test("trailing-dot") }));
        }
        let cut = |name, sending| Test { sending, ..test(name) };
        groups.push(Group {
            shared: cut("in pieces", Sending::Both),
            single: vec![cut("split-segments", Sending::Segments), cut("split-records", Sending::Records)],
        });
        groups.extend(self.lengths(base, &control));
        groups
    }

    /// client_version beyond TLS 1.2, where a version below TLS 1.3 is offered that could answer.
    fn versions(&self) -> Vec<Group> {
        let Some((version, ids)) = self.known.older() else { return Vec::new() };
        let offer = Offer::new(version, ids.into_iter().take(SUITES).collect());
        let control = self.hello(&offer);
        let test = |(name, code)| {
            Group::of(Test {
                hello: ClientHello { version: code, ..control.clone() },
                ..self.test(name, &offer, &control)
            })
        };
        VERSIONS.into_iter().map(test).collect()
    }

    /// 255 bytes and 400 need a hello with the least in it; what bears 16 000 bytes bears 600.
    fn lengths(&self, base: &Offer, control: &ClientHello) -> Vec<Group> {
        let long = |name, length, hello| Test { length: Some(length), ..self.test(name, base, hello) };
        let least = self.hello(&base.clone().minimal());
        let mut groups =
            vec![Group::of(long("long-hello-255", 255, &least)), Group::of(long("long-hello-400", 400, &least))];
        let mut below = vec![long("long-hello-600", 600, control)];
        if base.version == Version::Tls13 {
            let hello = self.with_hybrid(control.clone());
            groups.push(Group::of(Test { hello, ..long("long-hello-1800", 1800, control) }));
        } else {
            below.push(long("long-hello-1800", 1800, control));
        }
        let longest = long("long-hello-16000", 16_000, control);
        below.push(longest.clone());
        groups.push(Group { shared: longest, single: below });
        groups.retain(|group| group.shared.fits());
        groups
    }

    /// A hello with a share of the hybrid group, and one of the group that everybody has.
    fn with_hybrid(&self, mut hello: ClientHello) -> ClientHello {
        let mut x25519 = vec![0; 32];
        let mut rest = vec![0; 64];
        self.prober.cx.random.fill(&mut x25519);
        self.prober.cx.random.fill(&mut rest);
        let hybrid: Vec<u8> = std::iter::repeat_n(0, COEFFICIENTS).chain(rest).collect();
        let mut groups = hello.groups();
        groups.retain(|group| ![HYBRID, X25519].contains(group));
        groups.splice(0..0, [HYBRID, X25519]);
        put(&mut hello, Extension::groups(&groups));
        put(&mut hello, Extension::key_shares(&[(HYBRID, hybrid), (X25519, x25519)]));
        hello
    }

    /// The tests of a group, by the shared hello where that is answered well.
    async fn group(&self, group: Group) -> Vec<IntoleranceTest> {
        if group.single.len() > 1 {
            let outcome = self.ask(&group.shared).await;
            if is_good(group.shared.good, &outcome) {
                let seen = format!("{}; {}", group.shared.name, outcome.words());
                return group.single.into_iter().map(|test| row(test.name, Fact::Known(true), seen.clone())).collect();
            }
        }
        join_all(group.single.into_iter().map(|test| self.verdict(test))).await
    }

    async fn verdict(&self, test: Test) -> IntoleranceTest {
        let first = self.ask(&test).await;
        if is_good(test.good, &first) {
            return row(test.name, Fact::Known(true), first.words());
        }
        if matches!(first, Outcome::NoTransport(_)) || self.prober.apart().await.is_err() {
            return row(test.name, Fact::unknown(first.trouble().detail), first.words());
        }
        let second = self.ask(&test).await;
        if std::mem::discriminant(&first) != std::mem::discriminant(&second) {
            let both = format!("{}, then {}", first.words(), second.words());
            return row(test.name, Fact::unknown("inconsistent answers"), both);
        }
        let control = Test { hello: test.control.clone(), length: None, sending: Sending::Whole, ..test.clone() };
        let usual = self.ask(&control).await;
        let seen = format!("{}, twice; without it: {}", second.words(), usual.words());
        let tolerated = match (is_good(Good::Hello, &usual), test.good, &second) {
            (false, ..) => Fact::unknown("the same hello without it is not answered either"),
            // To close is a way to refuse.
            (true, Good::Refusal, Outcome::Closed(_) | Outcome::Reset) => Fact::Known(true),
            (true, ..) => {
                self.prober.steadiness.infer(test.name);
                Fact::Known(false)
            }
        };
        row(test.name, tolerated, seen)
    }

    async fn ask(&self, test: &Test) -> Outcome {
        if let Some(trouble) = self.prober.stopped() {
            return Outcome::NoTransport(trouble);
        }
        let exact = test.length.and_then(|length| test.hello.to_message_of(length));
        let message = exact.unwrap_or_else(|| test.hello.to_message());
        let words = format!("{}; {}, {} bytes", test.offer.words(), test.name, message.len());
        let pieces = pieces(&message, test.sending);
        self.prober.put(&Question { offer: &test.offer, pieces, asked: Vec::new() }, words, STEP).await
    }

    /// A hello of TLS in the frame of SSLv2, as clients sent it while SSLv2 was alive.
    async fn v2_hello(&self) -> Fact<bool> {
        let Some((version, ids)) = self.known.older() else {
            return Fact::unknown("no version is offered that such a hello can ask for");
        };
        let offer = Offer::new(version, ids);
        let kinds = offer.suites.iter().map(|id| u32::from(*id)).chain([0x00FF]).collect();
        let mut challenge = [0; 16];
        self.prober.cx.random.fill(&mut challenge);
        let hello = ssl2::ClientHello { version: version.code(), kinds, challenge };
        let question = Question { offer: &offer, pieces: vec![hello.to_record()], asked: Vec::new() };
        let words = || format!("SSLv2 CLIENT-HELLO of {}", version.name());
        let first = self.prober.put(&question, words(), STEP).await;
        match first {
            Outcome::Hello(_) => return Fact::Known(true),
            Outcome::Alert(_) => {
                self.prober.steadiness.infer(V2_HELLO);
                return Fact::Known(false);
            }
            _ => {}
        }
        if let Err(trouble) = self.prober.apart().await {
            return Fact::unknown(trouble.detail);
        }
        let second = self.prober.put(&question, words(), STEP).await;
        match self.prober.infer(&first, &second).await {
            Answer::No(_) => {
                self.prober.steadiness.infer(V2_HELLO);
                Fact::Known(false)
            }
            _ => Fact::unknown(format!("{}, then {}", first.words(), second.words())),
        }
    }
}

impl Group {
    fn of(test: Test) -> Group {
        Group { shared: test.clone(), single: vec![test] }
    }
}

impl Test {
    /// Whether the hello can have the length that is its novelty.
    fn fits(&self) -> bool {
        self.length.is_none_or(|length| self.hello.to_message_of(length).is_some())
    }
}

fn row(name: &str, tolerated: Fact<bool>, seen: String) -> IntoleranceTest {
    IntoleranceTest { name: name.to_owned(), tolerated, seen }
}

fn is_good(good: Good, outcome: &Outcome) -> bool {
    match good {
        Good::Hello => matches!(outcome, Outcome::Hello(_)),
        Good::Refusal => matches!(outcome, Outcome::Alert(_)),
        Good::Any => matches!(outcome, Outcome::Hello(_) | Outcome::Alert(_)),
    }
}

fn pieces(message: &[u8], sending: Sending) -> Vec<Vec<u8>> {
    let record = |part: &[u8]| record::write(HANDSHAKE, 0x0301, part);
    let halves = |bytes: &[u8]| {
        let (front, back) = bytes.split_at(bytes.len() / 2);
        (front.to_vec(), back.to_vec())
    };
    match sending {
        Sending::Whole => vec![record(message)],
        Sending::Segments => {
            let (front, back) = halves(&record(message));
            vec![front, back]
        }
        Sending::Records => {
            let (front, back) = halves(message);
            vec![[record(&front), record(&back)].concat()]
        }
        Sending::Both => {
            let (front, back) = halves(message);
            vec![record(&front), record(&back)]
        }
    }
}

/// Puts an extension in the place of the one of its kind, or before the last.
fn put(hello: &mut ClientHello, extension: Extension) {
    let Some(list) = &mut hello.extensions else { return };
    match list.iter_mut().find(|known| known.kind == extension.kind) {
        Some(known) => *known = extension,
        None => list.insert(list.len().saturating_sub(1), extension),
    }
}

/// An undefined version and one that may come, before those that are.
fn newer_versions(mut hello: ClientHello) -> ClientHello {
    let mut versions = vec![0x2A2A, 0x0305];
    versions.extend(hello.versions());
    put(&mut hello, Extension::versions(&versions));
    hello
}

/// Values of RFC 8701 in every list.
fn grease(mut hello: ClientHello) -> ClientHello {
    hello.suites.insert(0, 0x2A2A);
    hello.suites.push(0xDADA);
    let groups = hello.groups();
    if !groups.is_empty() {
        put(&mut hello, Extension::groups(&[&[0x5A5A][..], &groups].concat()));
    }
    let schemes = hello.schemes();
    if !schemes.is_empty() {
        put(&mut hello, Extension::schemes(&[&[0x8A8A][..], &schemes].concat()));
    }
    let protocols = hello.alpn();
    if !protocols.is_empty() {
        // The two bytes 5A 5A.
        let list: Vec<&str> = std::iter::once("ZZ").chain(protocols.iter().map(String::as_str)).collect();
        put(&mut hello, Extension::alpn(&list));
    }
    if let Some(list) = &mut hello.extensions {
        list.insert(0, Extension::empty(0x0A0A));
        list.insert(list.len().saturating_sub(1), Extension::new(0x3A3A, vec![0]));
    }
    hello
}

/// extended_master_secret, which has no data, at the end.
fn empty_last(mut hello: ClientHello) -> ClientHello {
    if let Some(list) = &mut hello.extensions {
        list.retain(|known| known.kind != extension::EXTENDED_MASTER_SECRET);
        list.push(Extension::empty(extension::EXTENDED_MASTER_SECRET));
    }
    hello
}

/// The name asked for with the dot at its end that must not be sent (RFC 6066 section 3).
fn dotted(hello: &ClientHello) -> Option<ClientHello> {
    let mut dotted = hello.clone();
    let name = format!("{}.", hello.server_name()?);
    let mut extension = Extension::server_name(&name)?;
    extension.body = named(&name);
    put(&mut dotted, extension);
    Some(dotted)
}

fn named(name: &str) -> Vec<u8> {
    let length = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes();
    let mut body = Vec::new();
    body.extend(length(name.len() + 3));
    body.push(0);
    body.extend(length(name.len()));
    body.extend(name.as_bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::SeededRandom;

    fn hello() -> ClientHello {
        let manner = Manner {
            server_name: Some("a.example".to_owned()),
            alpn: vec!["h2"],
            extra: vec![Extension::schemes(&SCHEMES)],
            ..Manner::default()
        };
        Offer { groups: vec![0x1D, 0x17], suites: vec![0x1301, 0xC02F], ..Offer::baseline() }
            .hello(&manner, &SeededRandom::new(1))
    }

    fn again(hello: &ClientHello) -> ClientHello {
        ClientHello::parse(&hello.to_message()[4..]).unwrap()
    }

    #[test]
    fn every_novelty_is_in_the_hello_that_all_share() {
        let shared = again(&newer_versions(grease(empty_last(hello()))));
        assert_eq!(shared.versions(), [0x2A2A, 0x0305, 0x0304, 0x0303]);
        assert_eq!(shared.suites, [0x2A2A, 0x1301, 0xC02F, 0xDADA]);
        assert_eq!(shared.groups(), [0x5A5A, 0x1D, 0x17]);
        assert_eq!(shared.schemes().first(), Some(&0x8A8A));
        assert_eq!(shared.alpn(), ["ZZ", "h2"]);
        let kinds: Vec<u16> = shared.extensions.unwrap().iter().map(|extension| extension.kind).collect();
        assert_eq!(kinds.first(), Some(&0x0A0A));
        let real = kinds.iter().rev().find(|kind| **kind != extension::PADDING);
        assert_eq!(real, Some(&extension::EXTENDED_MASTER_SECRET));
    }

    #[test]
    fn a_dot_is_sent_and_pieces_make_the_whole() {
        assert_eq!(again(&dotted(&hello()).unwrap()).server_name().as_deref(), Some("a.example."));
        let message = hello().to_message();
        let mut reader = record::RecordReader::new();
        for piece in pieces(&message, Sending::Both) {
            reader.push(&piece).unwrap();
        }
        let Some(record::Event::Message(1, body)) = reader.event().unwrap() else { panic!() };
        assert_eq!(body, message[4..]);
        assert_eq!(pieces(&message, Sending::Segments).concat(), pieces(&message, Sending::Whole).concat());
    }

    #[test]
    fn a_refusal_is_good_only_where_nothing_known_was_offered() {
        let alert = Outcome::Alert(crate::wire::Alert::fatal(40));
        assert!(is_good(Good::Refusal, &alert) && is_good(Good::Any, &alert) && !is_good(Good::Hello, &alert));
        let strange = Outcome::Unasked("unoffered-suite", String::new());
        assert!([Good::Refusal, Good::Any, Good::Hello].iter().all(|good| !is_good(*good, &strange)));
        assert!(!is_good(Good::Any, &Outcome::Silent(0)));
    }
}
