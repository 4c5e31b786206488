//! Whole sessions with a prober's target: how they are asked for, opened and left.

use super::offer::Offer;
use super::prober::{APART, Prober};
use super::session::{Agreed, Failure, GROUPS, Session, Suite, Time};
use crate::wire::record::ALERT;
use crate::wire::{Alert, ClientHello, Extension, Version, alert, extension};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The versions that a session of ours can be made with, newest first.
pub const VERSIONS: [Version; 3] = [Version::Tls12, Version::Tls11, Version::Tls10];
/// How long the end of a session may take to be written.
const FAREWELL: Duration = Duration::from_secs(1);

/// The suites of the target that a session of ours can be made with, by version, newest first.
pub fn suites(prober: &Prober<'_>) -> Vec<(Version, Vec<Suite>)> {
    let ledger = prober.ledger();
    let usable = |version| ledger.accepted(version).into_iter().filter_map(Suite::find).collect::<Vec<_>>();
    VERSIONS.into_iter().map(|version| (version, usable(version))).filter(|(_, suites)| !suites.is_empty()).collect()
}

/// A hello with these suites that asks for nothing beside a session; extended_master_secret and renegotiation_info are
/// part of one.
pub fn hello(prober: &Prober<'_>, version: Version, suites: &[Suite]) -> ClientHello {
    let mut manner = prober.manner();
    // An application protocol would decide what may be said in the session.
    manner.alpn.clear();
    let mut offer = Offer::new(version, suites.iter().map(|suite| suite.id).collect());
    offer.groups = GROUPS.to_vec();
    let mut hello = offer.hello(&manner, &*prober.cx.random);
    for kind in [
        extension::STATUS_REQUEST,
        extension::SCT,
        extension::HEARTBEAT,
        extension::TRUNCATED_HMAC,
        extension::ENCRYPT_THEN_MAC,
        extension::SESSION_TICKET,
    ] {
        hello = hello.without(kind);
    }
    hello.with(Extension::renegotiation_info())
}

/// The same with this ticket, or with a wish for one where it is empty. Neither makes a hello end with an empty extension,
/// which some stacks reject.
pub fn with_ticket(hello: ClientHello, ticket: &[u8]) -> ClientHello {
    let ticket = Extension::new(extension::SESSION_TICKET, ticket.to_vec());
    match hello.extension(extension::RENEGOTIATION_INFO).map(<[u8]>::to_vec) {
        Some(info) => hello
            .without(extension::RENEGOTIATION_INFO)
            .with(ticket)
            .with(Extension::new(extension::RENEGOTIATION_INFO, info)),
        None => hello.with(ticket),
    }
}

/// Opens a session. What was lost on the way is tried once more.
///
/// # Errors
/// When there is none.
pub async fn open(
    prober: &Prober<'_>,
    hello: &ClientHello,
    earlier: Option<&Agreed>,
    step: &str,
) -> Result<Session, Failure> {
    let first = match once(prober, hello, earlier, step).await {
        Err(lost @ (Failure::Closed | Failure::Reset | Failure::Silent)) => lost,
        outcome => return outcome,
    };
    prober.pause(APART).await.map_err(Failure::Transport)?;
    let second = once(prober, hello, earlier, step).await;
    if second.is_ok() {
        prober.unsteady(&format!("{}, then a session", first.words()));
    }
    second
}

async fn once(
    prober: &Prober<'_>,
    hello: &ClientHello,
    earlier: Option<&Agreed>,
    step: &str,
) -> Result<Session, Failure> {
    if let Some(trouble) = prober.stopped() {
        return Err(Failure::Transport(trouble));
    }
    let look = async {
        let stream = prober.open().await.map_err(Failure::Transport)?;
        let time = Time::from_now(prober.upgrade.patience());
        Session::open(stream, hello, earlier, Arc::clone(&prober.cx.random), time).await
    };
    // A handshake is a large future, and many run side by side.
    let outcome = prober.within(Box::pin(look)).await.map_err(Failure::Transport).and_then(|outcome| outcome);
    let received = match &outcome {
        Ok(session) => {
            let agreed = session.agreed();
            let how = if agreed.resumed { "resumed" } else { "new" };
            format!("session {} 0x{:04X}, {how}", agreed.version().name(), agreed.suite().id)
        }
        Err(failure) => failure.words(),
    };
    let version = Version::from_code(hello.version).map_or("?", Version::name);
    prober.record_words(format!("{step}: {version} handshake, {} suites", hello.suites.len()), received, step);
    outcome
}

/// Says goodbye, so that the server keeps the session for later.
pub async fn leave(mut session: Session) {
    let goodbye = Alert { level: 1, description: alert::CLOSE_NOTIFY }.to_bytes();
    if session.channel().put(ALERT, &goodbye).is_ok() {
        session.channel().flush(Instant::now() + FAREWELL).await;
    }
}

/// What a service answers to, longer by so many bytes that mean nothing.
pub fn question(service: Option<&str>, filling: usize) -> Vec<u8> {
    match service {
        Some("postgresql" | "postgresql-direct") => {
            // A startup message of protocol 3.0: the server asks for a password or says why not.
            let mut body = vec![0, 3, 0, 0];
            body.extend(b"user\0probity\0application_name\0p");
            body.extend(std::iter::repeat_n(b'x', filling));
            body.extend(b"\0\0");
            let length = u32::try_from(body.len() + 4).unwrap_or_default();
            [length.to_be_bytes().as_slice(), &body].concat()
        }
        Some("imap" | "imaps") => format!("a{} NOOP\r\n", "1".repeat(filling)).into_bytes(),
        Some("smtp" | "smtps" | "submission" | "lmtp" | "pop3" | "pop3s" | "ftp" | "ftps" | "sieve") => {
            format!("NOOP{}\r\n", " ".repeat(filling)).into_bytes()
        }
        _ => {
            let filling = "x".repeat(filling);
            format!("GET / HTTP/1.0\r\nUser-Agent: p{filling}\r\n\r\n").into_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hello_with_a_ticket_ends_with_an_empty_extension() {
        let plain = ClientHello {
            version: 0x0303,
            random: [0; 32],
            session_id: Vec::new(),
            suites: vec![0xC02F],
            compression: vec![0],
            extensions: Some(vec![Extension::renegotiation_info()]),
        };
        let asking = with_ticket(plain.clone(), &[]).extensions.unwrap();
        let kinds: Vec<u16> = asking.iter().map(|extension| extension.kind).collect();
        assert_eq!(kinds, [extension::SESSION_TICKET, extension::RENEGOTIATION_INFO]);
        let showing = with_ticket(plain.without(extension::RENEGOTIATION_INFO), &[7]).extensions.unwrap();
        assert_eq!(showing, [Extension::new(extension::SESSION_TICKET, vec![7])]);
    }

    #[test]
    fn a_question_is_as_long_as_wanted() {
        for service in [None, Some("postgresql"), Some("imap"), Some("smtp")] {
            let plain = question(service, 0);
            assert!(plain.len() < 64);
            assert_eq!(question(service, 15).len(), plain.len() + 15);
        }
        let startup = question(Some("postgresql"), 3);
        assert_eq!(startup[..4], u32::try_from(startup.len()).unwrap().to_be_bytes());
    }
}
