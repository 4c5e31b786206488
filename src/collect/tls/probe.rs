//! One connection: what was sent, and what came of it.

use super::offer::Offer;
use super::plan;
use crate::model::{Reason, Trouble};
use crate::net::Stream;
use crate::wire::hello::{DEFLATE, LZS};
use crate::wire::key_exchange::{Form, Kind};
use crate::wire::{Alert, FlightReader, ServerFlight, Version, WireError, alert, extension, limit, ssl2};
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::Instant;

/// How long one handshake may take in all.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// What came of one connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// A ServerHello that answers the offer, and what followed it.
    Hello(Box<ServerFlight>),
    /// An SSLv2 answer.
    Ssl2(ssl2::Answer),
    /// A fatal alert before a ServerHello.
    Alert(Alert),
    /// FIN before the awaited message, after so many bytes.
    Closed(usize),
    /// RST before the awaited message.
    Reset,
    /// Nothing, or too little, within the time limit.
    Silent(usize),
    /// Bytes of another protocol.
    NotTls(Vec<u8>),
    /// TLS that breaks its own rules.
    Malformed(String),
    /// A ServerHello that answers what was not asked: the name of the fault, and what was seen.
    Unasked(&'static str, String),
    /// A limit was hit.
    TooLarge(String),
    /// There was no connection, the dialogue before TLS failed, or the user stopped the run.
    NoTransport(Trouble),
}

impl Outcome {
    /// In words, for transcripts and proofs.
    pub fn words(&self) -> String {
        match self {
            Outcome::Hello(flight) => hello_words(flight),
            Outcome::Ssl2(ssl2::Answer::Hello { kinds, .. }) => format!("SSLv2 SERVER-HELLO, {} kinds", kinds.len()),
            Outcome::Ssl2(ssl2::Answer::Error(code)) => format!("SSLv2 ERROR {code}"),
            Outcome::Alert(alert) => format!("alert {}", alert.name()),
            Outcome::Closed(0) => "connection closed without an answer".to_owned(),
            Outcome::Closed(bytes) => format!("connection closed after {bytes} bytes"),
            Outcome::Reset => "connection reset".to_owned(),
            Outcome::Silent(0) => "no answer in time".to_owned(),
            Outcome::Silent(bytes) => format!("no whole answer in time, {bytes} bytes"),
            Outcome::NotTls(bytes) if is_http(bytes) => "plain HTTP".to_owned(),
            Outcome::NotTls(_) => "not TLS".to_owned(),
            Outcome::Malformed(what) | Outcome::Unasked(_, what) => what.clone(),
            Outcome::TooLarge(what) => format!("{what} above the limit"),
            Outcome::NoTransport(trouble) => trouble.detail.clone(),
        }
    }

    /// The trouble of a target that answered like this and nothing better.
    pub fn trouble(&self) -> Trouble {
        let (reason, detail) = match self {
            Outcome::NoTransport(trouble) => return trouble.clone(),
            Outcome::Silent(_) => (Reason::TimedOut, self.words()),
            Outcome::NotTls(bytes) if is_http(bytes) => (Reason::ProtocolViolation, "speaks plain HTTP".to_owned()),
            Outcome::NotTls(_) => (Reason::ProtocolViolation, "does not speak TLS".to_owned()),
            Outcome::Malformed(_) | Outcome::Unasked(..) => (Reason::ProtocolViolation, self.words()),
            Outcome::TooLarge(_) => (Reason::TooLarge, self.words()),
            _ => (Reason::HandshakeRejected, self.words()),
        };
        Trouble::new(reason, detail)
    }

    /// Whether only a peer that speaks TLS or SSLv2 can have answered like this.
    pub fn is_tls(&self) -> bool {
        matches!(self, Outcome::Hello(_) | Outcome::Ssl2(_) | Outcome::Alert(_))
    }
}

fn hello_words(flight: &ServerFlight) -> String {
    let hello = &flight.hello;
    let name = if hello.is_retry() { "HelloRetryRequest" } else { "ServerHello" };
    let version = Version::from_code(hello.negotiated()).map_or("?", Version::name);
    let mut words = format!("{name} {version} 0x{:04X}", hello.suite);
    if let Some(group) = hello.group() {
        words.push_str(&format!(" group 0x{group:04X}"));
    }
    if !flight.chain.is_empty() {
        words.push_str(&format!(", {} certificates", flight.chain.len()));
    }
    words
}

fn is_http(bytes: &[u8]) -> bool {
    bytes.starts_with(b"HTTP/")
        || bytes.first_chunk::<5>().is_some_and(|start| start.eq_ignore_ascii_case(b"<html"))
        || bytes.starts_with(b"<!DOC")
}

/// A hello as it is sent, and what may answer it.
pub struct Question<'a> {
    /// What it offers.
    pub offer: &'a Offer,
    /// Its bytes, in pieces that are sent [`GAP`] apart.
    pub pieces: Vec<Vec<u8>>,
    /// Extensions that it carries beyond the usual ones, and that may therefore be answered.
    pub asked: Vec<u16>,
}

/// The time between the pieces of a hello that is cut.
const GAP: Duration = Duration::from_millis(200);

/// Sends a hello and reads the flight that answers it.
pub async fn tls(mut stream: Box<dyn Stream>, question: &Question<'_>, patience: Duration) -> Outcome {
    let (last, before) = match question.pieces.split_last() {
        Some((last, before)) => (last.as_slice(), before),
        None => (&[][..], &[][..]),
    };
    for piece in before {
        // A peer that closes early is seen when it is read from.
        let _ = tokio::time::timeout(patience, stream.write_all(piece)).await;
        tokio::time::sleep(GAP).await;
    }
    match answer(&mut *stream, last, patience).await {
        Outcome::Hello(flight) => judge(*flight, question.offer, &question.asked),
        other => other,
    }
}

/// The same on a connection that is used further.
pub async fn tls_on(stream: &mut dyn Stream, hello: &[u8], offer: &Offer, patience: Duration) -> Outcome {
    match answer(stream, hello, patience).await {
        Outcome::Hello(flight) => judge(*flight, offer, &[]),
        other => other,
    }
}

/// Sends a hello and reads the flight that follows, whether it answers the hello or not.
pub async fn answer(stream: &mut dyn Stream, hello: &[u8], patience: Duration) -> Outcome {
    let mut reader = FlightReader::new(form_of);
    let mut broken = None;
    let end = receive(stream, hello, patience, |bytes| match reader.push(bytes) {
        Ok(done) => done,
        Err(error) => {
            broken = Some(error);
            true
        }
    })
    .await;
    if let Some(error) = broken {
        return outcome_of(error);
    }
    let fatal = reader.alert();
    match (reader.into_flight(), fatal, end) {
        (Some(flight), ..) => Outcome::Hello(Box::new(flight)),
        // close_notify instead of an answer is a way to close.
        (None, Some(alert), _) if alert.description == alert::CLOSE_NOTIFY => Outcome::Closed(7),
        (None, Some(alert), _) => Outcome::Alert(alert),
        (None, None, end) => end,
    }
}

/// Sends an SSLv2 hello and reads the one record that answers it.
pub async fn ssl2(mut stream: Box<dyn Stream>, hello: &[u8], patience: Duration) -> Outcome {
    let mut bytes = Vec::new();
    let mut answer = None;
    let end = receive(&mut *stream, hello, patience, |more| {
        bytes.extend_from_slice(more);
        answer = ssl2::Answer::read(&bytes).transpose();
        answer.is_some() && !is_short_tls(&bytes)
    })
    .await;
    match answer {
        Some(Ok(answer)) => Outcome::Ssl2(answer),
        Some(Err(WireError::NotTls(_))) => tls_instead(&bytes, end),
        Some(Err(error)) => outcome_of(error),
        None => end,
    }
}

/// An SSLv2 hello may be answered with a TLS alert, which is a definite refusal.
fn tls_instead(bytes: &[u8], end: Outcome) -> Outcome {
    let mut reader = FlightReader::new(|_| None);
    match reader.push(bytes) {
        Ok(_) => reader.alert().map_or(end, Outcome::Alert),
        Err(error) => outcome_of(error),
    }
}

fn is_short_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [20..=24, 3, ..]) && bytes.len() < 7
}

/// Writes, then reads until `take` is satisfied. The outcome is that of the transport.
async fn receive(
    stream: &mut dyn Stream,
    hello: &[u8],
    patience: Duration,
    mut take: impl FnMut(&[u8]) -> bool,
) -> Outcome {
    let end = Instant::now() + HANDSHAKE;
    let mut limit = Instant::now() + patience;
    let mut total = 0;
    // A peer that closes early may still have said why: what it sent is read all the same.
    let _ = tokio::time::timeout_at(limit, stream.write_all(hello)).await;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        match tokio::time::timeout_at(limit.min(end), stream.read(&mut buffer)).await {
            Err(_) => return Outcome::Silent(total),
            Ok(Err(error)) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => {
                return Outcome::Reset;
            }
            Ok(Err(_) | Ok(0)) => return Outcome::Closed(total),
            Ok(Ok(count)) => {
                total += count;
                limit = end;
                if take(buffer.get(..count).unwrap_or_default()) {
                    return Outcome::Closed(total);
                }
                if total > limit::BYTES {
                    return Outcome::TooLarge("bytes of the connection".to_owned());
                }
            }
        }
    }
}

fn outcome_of(error: WireError) -> Outcome {
    match error {
        WireError::NotTls(bytes) => Outcome::NotTls(bytes),
        WireError::TooLarge(what) => Outcome::TooLarge(what.to_owned()),
        malformed @ WireError::Malformed(_) => Outcome::Malformed(malformed.to_string()),
    }
}

/// A ServerHello counts only if it answers what was asked.
fn judge(flight: ServerFlight, offer: &Offer, asked: &[u16]) -> Outcome {
    let hello = &flight.hello;
    let Some(version) = Version::from_code(hello.negotiated()) else {
        return Outcome::Malformed(format!("ServerHello with version 0x{:04X}", hello.negotiated()));
    };
    if version > offer.version || version == Version::Ssl2 {
        let seen = format!("ServerHello with {}, which was not offered", version.name());
        return Outcome::Unasked("unoffered-version", seen);
    }
    if !offer.suites.contains(&hello.suite) {
        let seen = format!("ServerHello with suite 0x{:04X}, which was not offered", hello.suite);
        return Outcome::Unasked("unoffered-suite", seen);
    }
    if hello.compression != 0 && !(offer.compression && matches!(hello.compression, DEFLATE | LZS)) {
        let seen = "ServerHello with compression that was not offered".to_owned();
        return Outcome::Unasked("unoffered-compression", seen);
    }
    let strange = |kind: u16| !is_answer(kind, version) && !asked.contains(&kind);
    if let Some(strange) = hello.extensions.iter().find(|extension| strange(extension.kind)) {
        let seen = format!("ServerHello with extension {} that was not requested", strange.kind);
        return Outcome::Unasked("unsolicited-extension", seen);
    }
    Outcome::Hello(Box::new(flight))
}

/// Whether a server may answer with this extension to a hello of ours. renegotiation_info may always come, since every
/// hello signals it; the cookie belongs to HelloRetryRequest.
fn is_answer(kind: u16, version: Version) -> bool {
    const COOKIE: u16 = 44;
    match version {
        Version::Tls13 => {
            matches!(kind, extension::SUPPORTED_VERSIONS | extension::KEY_SHARE | COOKIE)
        }
        _ => matches!(
            kind,
            extension::SERVER_NAME
                | extension::STATUS_REQUEST
                | extension::SUPPORTED_GROUPS
                | extension::POINT_FORMATS
                | extension::HEARTBEAT
                | extension::TRUNCATED_HMAC
                | extension::ALPN
                | extension::SCT
                | extension::ENCRYPT_THEN_MAC
                | extension::EXTENDED_MASTER_SECRET
                | extension::SESSION_TICKET
                | extension::RENEGOTIATION_INFO
        ),
    }
}

/// What the ServerKeyExchange of a suite looks like; `None` where no form is known, and it is not read.
fn form_of(suite: u16) -> Option<Form> {
    let row = plan::suite(suite)?;
    let psk = row.auth.starts_with("PSK");
    let kind = match row.kx.as_str() {
        "ECDHE" => Kind::Curve,
        "DHE" => Kind::Field,
        // An export suite has a temporary key; others may not, and one that has it all the same is read (FREAK).
        "RSA" if !psk => Kind::Rsa,
        "RSA" | "PSK" if psk => Kind::None,
        _ => return None,
    };
    Some(Form { kind, hint: psk, signed: !psk && row.auth != "anon" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Extension, ServerHello};

    fn flight(version: u16, suite: u16, extensions: Vec<Extension>) -> ServerFlight {
        ServerFlight {
            hello: ServerHello { version, random: [1; 32], session_id: Vec::new(), suite, compression: 0, extensions },
            chain: Vec::new(),
            staple: None,
            key_exchange: None,
            request: None,
            complete: true,
        }
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let offer = Offer::new(Version::Tls11, vec![0x002F]);
        let judged =
            |version, suite, extensions, asked: &[u16]| judge(flight(version, suite, extensions), &offer, asked);
        assert!(matches!(judged(0x0302, 0x002F, Vec::new(), &[]), Outcome::Hello(_)));
        assert!(matches!(judged(0x0301, 0x002F, Vec::new(), &[]), Outcome::Hello(_)));
        assert!(matches!(judged(0x0303, 0x002F, Vec::new(), &[]), Outcome::Unasked("unoffered-version", _)));
        assert!(matches!(judged(0x0302, 0x0035, Vec::new(), &[]), Outcome::Unasked("unoffered-suite", _)));
        let strange = || vec![Extension::empty(0x4469)];
        assert!(matches!(judged(0x0302, 0x002F, strange(), &[]), Outcome::Unasked("unsolicited-extension", _)));
        assert!(matches!(judged(0x0302, 0x002F, strange(), &[0x4469]), Outcome::Hello(_)));
    }

    #[test]
    fn forms_follow_the_suite() {
        assert_eq!(form_of(0xC02F), Some(Form { kind: Kind::Curve, hint: false, signed: true }));
        assert_eq!(form_of(0x0018), Some(Form { kind: Kind::Field, hint: false, signed: false }));
        assert_eq!(form_of(0x0003), Some(Form { kind: Kind::Rsa, hint: false, signed: true }));
        assert_eq!(form_of(0x008C), Some(Form { kind: Kind::None, hint: true, signed: false }));
        assert_eq!(form_of(0xC035), Some(Form { kind: Kind::Curve, hint: true, signed: false }));
        assert_eq!(form_of(0x002F), form_of(0x0003), "a temporary key that may not be there");
        assert_eq!(form_of(0xC001), None);
    }

    #[tokio::test]
    async fn a_tls_alert_answers_an_ssl2_hello_in_any_pieces() {
        for cut in 1..7 {
            let (ours, mut theirs) = tokio::io::duplex(256);
            let bytes = [0x15, 3, 1, 0, 2, 2, 70];
            let served = async move {
                theirs.write_all(&bytes[..cut]).await.unwrap();
                tokio::task::yield_now().await;
                theirs.write_all(&bytes[cut..]).await.unwrap();
                let _ = theirs.read(&mut [0; 100]).await;
            };
            let probe = ssl2(Box::new(ours), &[0x80, 0], Duration::from_secs(1));
            let (outcome, ()) = tokio::join!(probe, served);
            assert_eq!(outcome, Outcome::Alert(Alert::fatal(70)));
        }
    }
}
