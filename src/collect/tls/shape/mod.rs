//! Hellos of an unusual shape: a stage of its own after the enumeration, whose answers it builds on.

mod alpn;
mod names;
mod signatures;
mod tolerance;

use super::handshake::{self, Ask, Seen};
use super::ledger::Ledger;
use super::plan;
use super::prober::Prober;
use crate::model::shape::{ApplicationProtocols, Intolerance, ServerNames, Signatures};
use crate::model::{Fact, Reason, Trouble};
use crate::wire::Version;
use std::time::Duration;

/// A whole handshake may take so long.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// What the stage gave; each part with why it may lack members.
pub struct Shape {
    pub signatures: (Signatures, Option<Trouble>),
    pub names: ServerNames,
    pub alpn: (ApplicationProtocols, Option<Trouble>),
    /// `None` where intrusive tests are switched off.
    pub intolerance: Option<Intolerance>,
}

impl Shape {
    /// What is withdrawn where suites or certificates may not be known: the lists lack members, and a refusal may be
    /// one of what was offered, or another certificate one of those.
    pub fn unsettle(&mut self, open: &Trouble) {
        self.signatures.1 = self.signatures.1.take().or_else(|| Some(open.clone()));
        let names = &mut self.names;
        for fact in [&mut names.without_name, &mut names.unknown_name] {
            if fact.known().is_some_and(|word| word != "same") {
                *fact = Fact::unknown(open.detail.clone());
            }
        }
        for fact in [&mut names.required, &mut names.unknown_rejected] {
            if *fact == Fact::Known(true) {
                *fact = Fact::unknown(open.detail.clone());
            }
        }
        if names.without_name.known().is_none() {
            names.default_certificate.clear();
        }
    }
}

/// What the enumeration left.
pub struct Known<'a> {
    /// What it saw.
    pub ledger: &'a Ledger,
    /// Why a certificate of TLS 1.3 was not seen, where one should have been.
    pub unseen: Option<&'a Trouble>,
    /// Why certificates or suites may not be known.
    pub open: Option<&'a Trouble>,
    /// The name asked for.
    pub server_name: &'a str,
    /// The application protocols chosen in TLS 1.3.
    pub alpn: &'a [String],
}

/// Asks everything side by side.
pub async fn look(prober: &Prober<'_>, known: &Known<'_>, intrusive: bool) -> Shape {
    let tolerance = async {
        match intrusive {
            true => Some(tolerance::look(prober, known).await),
            false => None,
        }
    };
    let (signatures, names, alpn, intolerance) =
        tokio::join!(signatures::look(prober, known), names::look(prober, known), alpn::look(prober, known), tolerance);
    let ((signatures, listed), trouble) = signatures;
    let mut alpn = alpn;
    if let Some(listed) = listed {
        alpn.0.next_protocols = listed;
    }
    Shape { signatures: (signatures, trouble), names, alpn, intolerance }
}

impl Known<'_> {
    /// The newest version below TLS 1.3 that is offered, with its suites; SSLv3 is none, since it has no extensions.
    fn older(&self) -> Option<(Version, Vec<u16>)> {
        let versions = [Version::Tls12, Version::Tls11, Version::Tls10];
        versions.into_iter().map(|version| (version, self.ledger.accepted(version))).find(|(_, ids)| !ids.is_empty())
    }

    /// The same with suites that show a certificate in clear.
    fn certified(&self) -> Option<(Version, Vec<u16>)> {
        let (version, mut ids) = self.older()?;
        let certified =
            |id: &u16| plan::suite(*id).is_some_and(|row| !matches!(row.auth.as_str(), "anon" | "PSK" | "SRP"));
        ids.retain(certified);
        (!ids.is_empty()).then_some((version, ids))
    }

    fn modern(&self) -> bool {
        !self.ledger.accepted(Version::Tls13).is_empty()
    }
}

/// A whole handshake, with its line in the transcript.
async fn shake(prober: &Prober<'_>, ask: &Ask, words: String, step: &str) -> Result<Seen, Trouble> {
    if let Some(trouble) = prober.stopped() {
        return Err(trouble);
    }
    let look = async { handshake::look(prober.open().await?, ask, HANDSHAKE).await };
    let seen = tokio::select! {
        seen = look => seen,
        () = prober.cx.cancel.cancelled() => Err(Trouble::new(Reason::Interrupted, "the run was stopped")),
    };
    let received = match &seen {
        Ok(seen) => {
            let scheme = seen.scheme.map_or_else(|| "none".to_owned(), |scheme| format!("0x{:04X}", u16::from(scheme)));
            let alpn = seen.alpn.as_deref().unwrap_or("none");
            format!("{} 0x{:04X}, signed with {scheme}, application protocol {alpn}", seen.protocol, seen.suite)
        }
        Err(trouble) => trouble.detail.clone(),
    };
    prober.record_words(words, received, step);
    seen
}

/// Whether a handshake was refused by a word that can mean nothing else.
fn is_definite(trouble: &Trouble) -> bool {
    trouble.reason == Reason::HandshakeRejected
        && ["alert handshake_failure", "alert insufficient_security"].contains(&trouble.detail.as_str())
}
