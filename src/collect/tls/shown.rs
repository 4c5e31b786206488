//! The certificates of TLS 1.3, which are encrypted: each kind of key is asked for in a whole handshake.

use super::handshake::{self, Ask, Seen, Versions};
use super::key_kind::{KeyKind, schemes_of};
use super::prober::Prober;
use crate::model::{Reason, Trouble};
use crate::wire::Version;
use std::time::Duration;

/// A whole handshake may take so long.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// What all of our handshakes can use, and most servers too, of those that they do not choose first.
const P384: u16 = 0x0018;
/// The alerts by which a server says that it has nothing in common with a hello (tls-probing 1.3).
const DEFINITE: [&str; 2] = ["alert handshake_failure", "alert insufficient_security"];

/// What the handshakes gave.
#[derive(Default)]
pub struct Shown {
    /// Handshakes that should have shown a certificate and did not, and why.
    pub unseen: Vec<Trouble>,
    /// The application protocols chosen; an empty one where none was.
    pub alpn: Vec<String>,
    /// A handshake succeeded.
    pub shown: bool,
    /// Kinds of certificate are held to be absent because of silence.
    pub absent_inferred: bool,
}

/// The answer to a handshake with some kinds of keys.
enum Answer {
    /// A certificate, and the kind of its key.
    Shown(Option<KeyKind>, String),
    /// The server has no certificate of these kinds.
    Absent(Trouble),
    /// Neither is known.
    Unknown(Trouble),
}

/// Asks for a certificate of any kind, then for one of what is left, until that is refused.
pub async fn certificates(prober: &Prober<'_>, server_name: &str) -> Shown {
    let mut result = Shown::default();
    let mut absent = Vec::new();
    for answer in one_by_one(prober, server_name).await {
        match answer {
            Answer::Shown(_, alpn) => {
                result.shown = true;
                result.alpn.push(alpn);
            }
            Answer::Absent(refusal) => {
                result.absent_inferred |= !DEFINITE.contains(&refusal.detail.as_str());
                absent.push(refusal);
            }
            Answer::Unknown(trouble) => result.unseen.push(trouble),
        }
    }
    // TLS 1.3 was negotiated, so a server that shows no certificate at all has some that we cannot ask for.
    if !result.shown {
        result.unseen.extend(absent);
    }
    result
}

/// One more handshake with keys of any kind, for what a server shows later alone. The ledger takes what comes.
pub async fn again(prober: &Prober<'_>, server_name: &str) {
    let _ = once(prober, &KeyKind::ALL, server_name, &[]).await;
}

/// The first handshake offers one group alone, that most servers have and choose late: one step less for the loop over
/// groups. Its refusal says nothing.
async fn one_by_one(prober: &Prober<'_>, server_name: &str) -> Vec<Answer> {
    let mut left = KeyKind::ALL.to_vec();
    let mut answers = Vec::new();
    let mut known = once(prober, &left, server_name, &[P384]).await.ok().map(shown);
    while !left.is_empty() {
        let answer = match known.take() {
            Some(answer) => answer,
            None => ask(prober, &left, server_name).await,
        };
        match &answer {
            Answer::Shown(Some(kind), _) if left.contains(kind) => left.retain(|other| other != kind),
            _ => left.clear(),
        }
        answers.push(answer);
    }
    answers
}

/// A definite alert is believed. Anything else counts as a refusal only if it comes twice, at least a second apart,
/// and the target still answers what it is known to answer.
async fn ask(prober: &Prober<'_>, kinds: &[KeyKind], server_name: &str) -> Answer {
    let first = match once(prober, kinds, server_name, &[]).await {
        Ok(seen) => return shown(seen),
        Err(trouble) if DEFINITE.contains(&trouble.detail.as_str()) => return Answer::Absent(trouble),
        Err(trouble) if !refuses(&trouble) => return Answer::Unknown(trouble),
        Err(trouble) => trouble,
    };
    if let Err(trouble) = prober.apart().await {
        return Answer::Unknown(trouble);
    }
    match once(prober, kinds, server_name, &[]).await {
        Ok(seen) => {
            prober.unsteady(&format!("{}, then a whole handshake", first.detail));
            shown(seen)
        }
        Err(trouble) if DEFINITE.contains(&trouble.detail.as_str()) => Answer::Absent(trouble),
        Err(second) if second.reason == first.reason => match prober.control().await {
            Ok(()) => Answer::Absent(second),
            Err(trouble) => Answer::Unknown(trouble),
        },
        Err(second) => {
            let detail = format!("inconsistent: {}, then {}", first.detail, second.detail);
            Answer::Unknown(Trouble::new(Reason::HandshakeRejected, detail))
        }
    }
}

fn shown(seen: Seen) -> Answer {
    Answer::Shown(seen.scheme.and_then(KeyKind::of), seen.alpn.unwrap_or_default())
}

/// What may be a refusal, if it comes twice.
fn refuses(trouble: &Trouble) -> bool {
    matches!(trouble.reason, Reason::HandshakeRejected | Reason::Refused | Reason::TimedOut)
}

async fn once(prober: &Prober<'_>, kinds: &[KeyKind], server_name: &str, groups: &[u16]) -> Result<Seen, Trouble> {
    if let Some(trouble) = prober.stopped() {
        return Err(trouble);
    }
    let ask = Ask {
        server_name: server_name.to_owned(),
        versions: Versions::Tls13,
        schemes: schemes_of(kinds),
        groups: groups.to_vec(),
        alpn: prober.manner().alpn.iter().map(|name| (*name).to_owned()).collect(),
    };
    let look = async { handshake::look(prober.open().await?, &ask, HANDSHAKE).await };
    let seen = tokio::select! {
        seen = look => seen,
        () = prober.cx.cancel.cancelled() => Err(Trouble::new(Reason::Interrupted, "the run was stopped")),
    };
    let received = match &seen {
        Ok(seen) => format!("{} 0x{:04X}, {} certificates", seen.protocol, seen.suite, seen.chain.len()),
        Err(trouble) => trouble.detail.clone(),
    };
    let words = kinds.iter().map(|kind| format!("{kind:?}")).collect::<Vec<String>>().join(" ");
    let only = groups.first().map_or_else(String::new, |group| format!(", group 0x{group:04X} alone"));
    prober.record_words(format!("TLSv1.3 handshake, keys {words}{only}"), received, "certificates of TLSv1.3");
    let seen = seen?;
    prober.with_ledger(|ledger| {
        ledger.note_certificates(Version::Tls13, &seen.chain, seen.staple.as_ref());
        ledger.schemes.extend(seen.scheme.map(|scheme| (Version::Tls13, u16::from(scheme))));
        if let [only] = groups
            && seen.group == Some(*only)
        {
            ledger.groups.entry(*only).or_default().insert(Version::Tls13);
        }
    });
    Ok(seen)
}
