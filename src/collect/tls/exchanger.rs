//! A mail exchanger in short, as a sender meets it: whether it offers TLS, in which versions, and with which certificate.

use super::certificate::{Anchors, analyse};
use super::handshake::{self, Ask, Seen, Versions};
use super::key_kind::{KeyKind, schemes_of};
use super::offer::Offer;
use super::prober::{Answer, Prober};
use super::upgrade::{Starttls, Upgrade};
use super::{budget_of, plan};
use crate::collect::CollectContext;
use crate::model::tls::{Deployment, Upgrade as Facts};
use crate::model::{Fact, Target, Trouble};
use crate::wire::Version;
use std::net::SocketAddr;
use std::time::Duration;

/// How long the whole handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// What was seen at an address.
pub struct Door {
    /// Whether TLS is offered.
    pub upgrade: Facts,
    /// The versions that were accepted.
    pub protocols: Vec<String>,
    /// TLS 1.2 or newer is, with a suite in common use.
    pub modern: Fact<bool>,
    /// The certificate that a sender of today is shown.
    pub deployment: Fact<Deployment>,
}

/// Asks an exchanger: a target that is named with `smtp`. Six connections where everything is plain.
///
/// # Errors
/// When it is not known whether TLS is offered at all.
pub async fn look(
    target: &Target,
    address: SocketAddr,
    anchors: &Anchors,
    cx: &CollectContext,
) -> Result<Door, Trouble> {
    // Whether a stranger's command can be slipped in is for a target of its own: here nobody has asked for such tests.
    let mut cx = cx.clone();
    cx.limits.depth.intrusive = false;
    let upgrade = Starttls::default().facts(target, address, &cx).await?;
    let is = |fact: &Fact<String>, word: &str| fact.known().is_some_and(|known| known == word);
    let nothing = match (&upgrade.offered, &upgrade.extra_bytes) {
        (Fact::Unknown(why), _) => Some(why.unknown.clone()),
        (offered, _) if !is(offered, "yes") => Some("TLS is not offered".to_owned()),
        (_, extra) if is(extra, "yes") => Some(upgrade.seen.clone()),
        _ => None,
    };
    if let Some(why) = nothing {
        let (modern, deployment) = (Fact::unknown(why.clone()), Fact::unknown(why));
        return Ok(Door { upgrade, protocols: Vec::new(), modern, deployment });
    }
    let way = Upgrade::of(&target.connection, target.connection.starttls.as_deref())?;
    let budget = budget_of(&way, &cx);
    let host = target.connection.host.clone();
    let prober = Prober::new(&cx, &budget, &target.id, address, way, host.clone());
    let (protocols, modern) = versions(&prober).await;
    let deployment = match certificate(&prober, &host).await {
        Ok(seen) => {
            let served = vec![seen.protocol];
            analyse(&seen.chain, served, seen.staple.as_deref(), &host, anchors, cx.clock.now()).into()
        }
        Err(trouble) => Fact::unknown(trouble.to_string()),
    };
    Ok(Door { upgrade, protocols, modern, deployment })
}

/// The versions that are accepted with the usual suites, newest first; and whether one of them is in date.
async fn versions(prober: &Prober<'_>) -> (Vec<String>, Fact<bool>) {
    let mut accepted = Vec::new();
    let mut unclear = None;
    let usual: Vec<u16> = plan::baseline().into_iter().filter(|suite| suite >> 8 != 0x13).collect();
    for version in [Version::Tls13, Version::Tls12, Version::Tls11, Version::Tls10] {
        let suites = if version == Version::Tls13 { plan::lists(version).concat() } else { usual.clone() };
        match prober.settle(&Offer::new(version, suites), "versions").await {
            Answer::Yes(_) => accepted.push(version.name().to_owned()),
            Answer::No(_) => {}
            Answer::Unknown(trouble) if version >= Version::Tls12 => unclear = Some(trouble),
            Answer::Unknown(_) => {}
        }
    }
    let modern = accepted.iter().any(|name| [Version::Tls13, Version::Tls12].iter().any(|v| v.name() == name));
    match unclear {
        Some(trouble) if !modern => (accepted, Fact::unknown(trouble.to_string())),
        _ => (accepted, modern.into()),
    }
}

async fn certificate(prober: &Prober<'_>, host: &str) -> Result<Seen, Trouble> {
    let ask = Ask {
        groups: Vec::new(),
        server_name: host.to_owned(),
        versions: Versions::Both,
        schemes: schemes_of(&KeyKind::ALL),
        alpn: Vec::new(),
    };
    let stream = prober.open().await?;
    let seen = prober.until_stopped(handshake::look(stream, &ask, HANDSHAKE)).await;
    let words = match &seen {
        Ok(seen) => format!("{}, {} certificates", seen.protocol, seen.chain.len()),
        Err(trouble) => trouble.detail.clone(),
    };
    prober.record_words("handshake in TLSv1.3 or TLSv1.2".to_owned(), words, "certificate");
    seen
}
