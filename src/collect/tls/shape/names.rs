//! What is shown without server_name, and under a name that nobody can have.

use super::super::certificate;
use super::super::handshake::{Ask, Versions};
use super::super::key_kind::{KeyKind, schemes_of};
use super::super::offer::Offer;
use super::super::prober::{Answer, Prober};
use super::super::steadiness::{UNKNOWN_NAME, WITHOUT_NAME};
use super::Known;
use crate::model::shape::{DefaultCertificate, ServerNames};
use crate::model::{Fact, Reason, Trouble, digest};
use crate::wire::alert;

/// A name under the top-level domain that never exists (RFC 6761).
const NOBODY: &str = "probity-invalid.example";
/// An address of which no server_name is made, for the handshake without one.
const NO_NAME: &str = "192.0.2.1";
/// Most names that are shown of a default certificate.
const NAMES: usize = 100;

/// What came of a hello.
enum Shown {
    Leaf(Vec<u8>),
    Refused,
    Unknown(String),
}

/// Asks both.
pub(super) async fn look(prober: &Prober<'_>, known: &Known<'_>) -> ServerNames {
    let named = prober.manner().server_name;
    if named.as_deref().and_then(crate::wire::Extension::server_name).is_none() {
        let why = match named {
            None => "the server refused the name of the target, and was asked without any",
            Some(_) => "the target has no name that can be sent",
        };
        return open(why);
    }
    let (without, nobody) = tokio::join!(ask(prober, known, None), ask(prober, known, Some(NOBODY)));
    let word = |shown: &Shown| match shown {
        Shown::Leaf(leaf) if known.ledger.chains.contains_key(&digest::sha256(leaf)) => Fact::Known("same".to_owned()),
        Shown::Leaf(_) => Fact::Known("other".to_owned()),
        Shown::Refused => Fact::Known("refused".to_owned()),
        Shown::Unknown(why) => Fact::unknown(why.clone()),
    };
    let without_name = word(&without);
    let other = match (&without, without_name.known().map(String::as_str)) {
        (Shown::Leaf(leaf), Some("other")) => Some(leaf),
        _ => None,
    };
    let default: Vec<DefaultCertificate> =
        other.map(|leaf| default_certificate(leaf, known.server_name)).into_iter().collect();
    ServerNames {
        required: match (without_name.known().map(String::as_str), default.first()) {
            (Some("refused"), _) => Fact::Known(true),
            (Some("other"), Some(default)) => Fact::Known(!default.name_matches),
            (Some(_), _) => Fact::Known(false),
            (None, _) => Fact::unknown(without_name.reason().unwrap_or_default()),
        },
        unknown_rejected: match &nobody {
            Shown::Refused => Fact::Known(true),
            Shown::Leaf(_) => Fact::Known(false),
            Shown::Unknown(why) => Fact::unknown(why.clone()),
        },
        unknown_name: word(&nobody),
        without_name,
        default_certificate: default,
    }
}

fn open(why: &str) -> ServerNames {
    ServerNames {
        without_name: Fact::unknown(why),
        unknown_name: Fact::unknown(why),
        required: Fact::unknown(why),
        unknown_rejected: Fact::unknown(why),
        default_certificate: Vec::new(),
    }
}

fn default_certificate(leaf: &[u8], server_name: &str) -> DefaultCertificate {
    let (subject, mut names, name_matches) = certificate::outline(leaf, server_name).unwrap_or_default();
    names.truncate(NAMES);
    DefaultCertificate { id: digest::sha256(leaf), subject, names, name_matches }
}

/// In clear where an older version shows its certificate, else by a whole handshake.
async fn ask(prober: &Prober<'_>, known: &Known<'_>, name: Option<&'static str>) -> Shown {
    let step = "server names";
    let words = name.map_or_else(|| ", no name".to_owned(), |name| format!(", name {name}"));
    let Some((version, suites)) = known.certified() else {
        return shaken(prober, name, words, step).await;
    };
    let offer = Offer::new(version, suites);
    let mut manner = prober.manner();
    manner.server_name = name.map(str::to_owned);
    match prober.settle_with(&offer, &manner, &words, step).await {
        Answer::Yes(flight) => match flight.chain.into_iter().next() {
            Some(leaf) => Shown::Leaf(leaf),
            None => Shown::Unknown("a hello was answered without a certificate".to_owned()),
        },
        Answer::No(refusal) => {
            if !refusal.proven {
                prober.steadiness.infer(if name.is_some() { UNKNOWN_NAME } else { WITHOUT_NAME });
            }
            Shown::Refused
        }
        Answer::Unknown(trouble) => Shown::Unknown(trouble.detail),
    }
}

async fn shaken(prober: &Prober<'_>, name: Option<&str>, words: String, step: &str) -> Shown {
    let ask = Ask {
        groups: Vec::new(),
        server_name: name.unwrap_or(NO_NAME).to_owned(),
        versions: Versions::Both,
        schemes: schemes_of(&KeyKind::ALL),
        alpn: prober.manner().alpn.iter().map(|name| (*name).to_owned()).collect(),
    };
    match super::shake(prober, &ask, format!("handshake{words}"), step).await {
        Ok(seen) => match seen.chain.into_iter().next() {
            Some(leaf) => Shown::Leaf(leaf),
            None => Shown::Unknown("a handshake ended without a certificate".to_owned()),
        },
        Err(trouble) if super::is_definite(&trouble) || is_about_the_name(&trouble) => Shown::Refused,
        Err(trouble) => Shown::Unknown(trouble.detail),
    }
}

fn is_about_the_name(trouble: &Trouble) -> bool {
    let words = format!("alert {}", alert::Alert::fatal(alert::UNRECOGNIZED_NAME).name());
    trouble.reason == Reason::HandshakeRejected && trouble.detail == words
}
