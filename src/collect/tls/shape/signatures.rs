//! Signature schemes: one loop over the list for each kind of certificate key.
//!
//! In TLS 1.2 the scheme stands in ServerKeyExchange. In TLS 1.3 it stands in CertificateVerify, which is encrypted: a
//! ServerHello alone proves nothing, so each scheme that counts has been seen in a whole handshake whose signature was
//! verified. A refusal, on the other side, comes before anything is encrypted.

use super::super::handshake::{Ask, Versions};
use super::super::offer::{Manner, Offer};
use super::super::plan;
use super::super::prober::{Answer, Prober, clear};
use super::Known;
use crate::catalogue::registry::{self, Scheme};
use crate::model::shape::{SignatureScheme, Signatures};
use crate::model::tls::Incomplete;
use crate::model::{Fact, Reason, Trouble};
use crate::wire::extension::{self, Extension};
use crate::wire::{ServerFlight, Version};
use std::collections::BTreeSet;
use std::time::Duration;

/// A way on which a long loop is worth cutting in two.
const FAR: Duration = Duration::from_millis(40);
/// Kinds of certificate key by the word of the suites, with those of the schemes that go with them.
const KINDS: [(&str, &[&str]); 3] =
    [("RSA", &["rsa", "rsa-pss"]), ("ECDSA", &["ecdsa", "ed25519", "ed448"]), ("DSS", &["dsa"])];
/// The schemes of TLS 1.3 that a handshake here can verify, RSA first.
const VERIFIED: [u16; 7] = [0x0804, 0x0805, 0x0806, 0x0403, 0x0503, 0x0603, 0x0807];

/// What a loop gave.
#[derive(Default)]
struct Found {
    schemes: BTreeSet<u16>,
    /// A scheme that was not offered.
    ignores: bool,
    trouble: Option<Trouble>,
    /// It ended because of silence.
    inferred: bool,
    /// The protocols of next_protocol_negotiation, where it was asked about; empty where it was not answered.
    listed: Option<Vec<String>>,
}

type Listed = Option<Fact<Vec<String>>>;

/// Which schemes the server signs with, and what rode along: the protocols of next_protocol_negotiation.
pub(super) async fn look(prober: &Prober<'_>, known: &Known<'_>) -> ((Signatures, Listed), Option<Trouble>) {
    let (mut older, modern, others) = tokio::join!(older(prober, known), modern(prober, known), others(prober, known));
    if older.inferred {
        older.trouble = older.trouble.take().or_else(|| prober.steadiness.doubt());
    }
    // Suites or certificates that are not known may have schemes of their own.
    older.trouble = older.trouble.take().or_else(|| known.open.cloned());
    let of =
        |version: Version| known.ledger.schemes.iter().filter(move |known| known.0 == version).map(|known| known.1);
    let mut schemes = Vec::new();
    for (version, found) in [(Version::Tls12, &older), (Version::Tls13, &modern)] {
        let all: BTreeSet<u16> = of(version).chain(found.schemes.iter().copied()).collect();
        schemes.extend(all.into_iter().map(|id| row(version, id)));
    }
    let parts = [(Version::Tls12, older.trouble), (Version::Tls13, modern.trouble)];
    let cut: Vec<(Version, Trouble)> = parts.into_iter().filter_map(|(version, why)| Some((version, why?))).collect();
    let asked = !of(Version::Tls12).collect::<Vec<_>>().is_empty();
    let data = Signatures {
        schemes,
        ignores_list: match (older.ignores, cut.first()) {
            (true, _) => Fact::Known(true),
            (false, Some((Version::Tls12, trouble))) => Fact::unknown(trouble.detail.clone()),
            _ if asked || modern_only(known) => Fact::Known(false),
            _ => Fact::unknown("no key exchange that is signed was seen"),
        },
        others,
        incomplete: cut
            .iter()
            .map(|(version, why)| Incomplete { protocol: version.name().to_owned(), reason: why.to_string() })
            .collect(),
    };
    let listed = older.listed.map(Fact::Known);
    ((data, listed), cut.into_iter().next().map(|(_, trouble)| trouble))
}

/// TLS 1.3 alone: a handshake with a scheme that was not offered fails there.
fn modern_only(known: &Known<'_>) -> bool {
    known.modern() && known.older().is_none()
}

fn row(version: Version, id: u16) -> SignatureScheme {
    let known = registry::scheme(id);
    let word = |of: fn(&Scheme) -> &String| known.map(|known| of(known).clone()).unwrap_or_default();
    SignatureScheme {
        protocol: version.name().to_owned(),
        id: format!("0x{id:04X}"),
        name: known.map_or_else(|| format!("0x{id:04X}"), |known| known.name.clone()),
        hash: word(|known| &known.hash),
        key_type: word(|known| &known.key_type),
        class: known.map_or_else(|| "legacy".to_owned(), |known| known.class.clone()),
    }
}

/// TLS 1.2, once for each kind of key with an ephemeral key exchange.
async fn older(prober: &Prober<'_>, known: &Known<'_>) -> Found {
    let mut loops = Vec::new();
    for (auth, kinds) in KINDS {
        let suites = signed(known, auth);
        if suites.is_empty() {
            continue;
        }
        let left: Vec<u16> = plan::schemes(Version::Tls12)
            .into_iter()
            .filter(|id| registry::scheme(*id).is_some_and(|scheme| kinds.contains(&scheme.key_type.as_str())))
            .filter(|id| !known.ledger.schemes.contains(&(Version::Tls12, *id)))
            .collect();
        // The chain of questions takes the time, not their number. Each part holds schemes of either form of RSA
        // signatures: some servers look for the older one to see whether the client takes RSA at all.
        let parts = if prober.round_trip() > FAR && auth == "RSA" { 2 } else { 1 };
        for part in 0..parts {
            let part: Vec<u16> = left.iter().copied().skip(part).step_by(parts).collect();
            if !part.is_empty() {
                loops.push(one(prober, suites.clone(), part, loops.is_empty()));
            }
        }
    }
    let mut all = Found::default();
    for found in futures_util::future::join_all(loops).await {
        all.schemes.extend(found.schemes);
        all.ignores |= found.ignores;
        all.inferred |= found.inferred;
        all.trouble = all.trouble.or(found.trouble);
        all.listed = all.listed.or(found.listed);
    }
    all
}

/// The suites of TLS 1.2 with a key exchange that is signed by a key of this kind.
fn signed(known: &Known<'_>, auth: &str) -> Vec<u16> {
    let mut accepted = known.ledger.accepted(Version::Tls12);
    let signed = |row: &registry::Suite| row.auth == auth && matches!(row.kx.as_str(), "ECDHE" | "DHE");
    accepted.retain(|id| plan::suite(*id).is_some_and(signed));
    accepted
}

/// Whether the loop over the schemes has asked for next_protocol_negotiation, too.
pub(super) fn rides(known: &Known<'_>) -> bool {
    KINDS.iter().any(|(auth, _)| !signed(known, auth).is_empty())
}

async fn one(prober: &Prober<'_>, suites: Vec<u16>, mut left: Vec<u16>, next: bool) -> Found {
    let mut found = Found::default();
    let offer = Offer::new(Version::Tls12, suites);
    while !left.is_empty() {
        let manner = manner(prober, &left, next);
        let more = format!(", {} signature schemes", left.len());
        match prober.settle_with(&offer, &manner, &more, "signature schemes of TLSv1.2").await {
            Answer::Yes(flight) => {
                if next {
                    let listed = next_protocols(&flight);
                    found.listed = found.listed.take().or(listed);
                }
                match flight.key_exchange.as_ref().and_then(|exchange| exchange.scheme) {
                    Some(scheme) if left.contains(&scheme) => {
                        left.retain(|id| *id != scheme);
                        found.schemes.insert(scheme);
                    }
                    Some(scheme) => {
                        found.schemes.insert(scheme);
                        found.ignores = true;
                        break;
                    }
                    None => {
                        let detail = "a key exchange came without its signature scheme";
                        found.trouble = Some(Trouble::new(Reason::ProtocolViolation, detail));
                        break;
                    }
                }
            }
            Answer::No(refusal) => {
                found.inferred |= !refusal.proven;
                break;
            }
            Answer::Unknown(trouble) => {
                found.trouble = Some(trouble);
                break;
            }
        }
    }
    found
}

/// Servers need not sign with what signed their certificate, so the list for certificates stays whole.
fn manner(prober: &Prober<'_>, schemes: &[u16], next: bool) -> Manner {
    let mut manner = prober.manner();
    let certificates = Extension::schemes(&plan::schemes(Version::Tls13));
    manner.extra.push(Extension::schemes(schemes));
    if !manner.minimal {
        manner.extra.push(Extension::new(extension::SIGNATURE_ALGORITHMS_CERT, certificates.body));
        if next {
            // A server that knows both ways answers the newer one alone.
            manner.alpn.clear();
            manner.extra.push(Extension::empty(extension::NEXT_PROTOCOLS));
        }
    }
    manner
}

/// The list of a flight that answers next_protocol_negotiation; empty where it does not.
pub(super) fn next_protocols(flight: &ServerFlight) -> Option<Vec<String>> {
    match flight.hello.extension(extension::NEXT_PROTOCOLS) {
        None => Some(Vec::new()),
        Some(body) => extension::parse_next_protocols(body).ok(),
    }
}

/// TLS 1.3: what is left of the schemes for the kinds of key that the enumeration has shown.
async fn modern(prober: &Prober<'_>, known: &Known<'_>) -> Found {
    let mut found = Found::default();
    if !known.modern() {
        return found;
    }
    found.trouble = known.unseen.cloned();
    let shown: BTreeSet<u16> =
        known.ledger.schemes.iter().filter(|known| known.0 == Version::Tls13).map(|known| known.1).collect();
    let mut lists: Vec<&'static [u16]> = Vec::new();
    // An RSA key can sign with each of its schemes, so each is asked for alone; but for those of PKCS#1, which cannot
    // be used in TLS 1.3, while some servers look for them to see whether the client takes RSA at all.
    if shown.iter().any(|id| (0x0804..=0x0806).contains(id)) {
        let singles: [(u16, &'static [u16]); 3] = [
            (0x0804, &[0x0804, 0x0401, 0x0501, 0x0601]),
            (0x0805, &[0x0805, 0x0401, 0x0501, 0x0601]),
            (0x0806, &[0x0806, 0x0401, 0x0501, 0x0601]),
        ];
        lists.extend(singles.into_iter().filter(|(id, _)| !shown.contains(id)).map(|(_, list)| list));
    }
    // A curve has one scheme: another one needs another certificate.
    lists.extend(match shown.iter().find(|id| [0x0403, 0x0503, 0x0603].contains(*id)) {
        Some(0x0403) => Some(&[0x0503, 0x0603][..]),
        Some(0x0503) => Some(&[0x0403, 0x0603][..]),
        Some(_) => Some(&[0x0403, 0x0503][..]),
        None => None,
    });
    let asked = lists.into_iter().map(|list| scheme(prober, known, list));
    for answer in futures_util::future::join_all(asked).await {
        match answer {
            Ok(scheme) => found.schemes.extend(scheme),
            Err(trouble) => found.trouble = found.trouble.or(Some(trouble)),
        }
    }
    found
}

/// A handshake with these schemes alone: the one that was used, or none where they are refused.
async fn scheme(prober: &Prober<'_>, known: &Known<'_>, list: &'static [u16]) -> Result<Option<u16>, Trouble> {
    let ask = Ask {
        groups: Vec::new(),
        server_name: known.server_name.to_owned(),
        versions: Versions::Tls13,
        schemes: list.iter().map(|id| rustls::SignatureScheme::from(*id)).collect(),
        alpn: prober.manner().alpn.iter().map(|name| (*name).to_owned()).collect(),
    };
    let names: Vec<String> = list.iter().map(|id| format!("0x{id:04X}")).collect();
    let words = || format!("TLSv1.3 handshake, schemes {}", names.join(" "));
    let step = "signature schemes of TLSv1.3";
    let first = match super::shake(prober, &ask, words(), step).await {
        Ok(seen) => return Ok(seen.scheme.map(u16::from)),
        Err(trouble) if super::is_definite(&trouble) => return Ok(None),
        Err(trouble) => trouble,
    };
    prober.apart().await?;
    match super::shake(prober, &ask, words(), step).await {
        Ok(seen) => Ok(seen.scheme.map(u16::from)),
        Err(trouble) if super::is_definite(&trouble) => Ok(None),
        // Twice the same without a definite word proves nothing: the list stays open.
        Err(_) => Err(first),
    }
}

/// Whether a hello with none but the schemes that no handshake here can verify is refused.
async fn others(prober: &Prober<'_>, known: &Known<'_>) -> Fact<bool> {
    if !known.modern() {
        return known.open.map_or(Fact::Known(false), |trouble| Fact::unknown(trouble.detail.clone()));
    }
    let schemes: Vec<u16> = registry::schemes()
        .iter()
        .filter(|scheme| scheme.tls13 && !VERIFIED.contains(&scheme.id))
        .map(|scheme| scheme.id)
        .collect();
    // With a share of a group that the server takes, its first answer follows its choice of a certificate.
    let groups = known.ledger.groups.iter().filter(|(_, versions)| versions.contains(&Version::Tls13));
    let group = groups.map(|(group, _)| *group).find(|group| [0x001D, 0x0017, 0x001E].contains(group));
    let Some(group) = group else {
        return Fact::unknown("the server takes none of the groups that this question is asked with");
    };
    let offer = Offer { groups: vec![group], ..Offer::new(Version::Tls13, known.ledger.accepted(Version::Tls13)) };
    let mut manner = prober.manner();
    manner.share = true;
    manner.extra.push(Extension::schemes(&schemes));
    let outcome = prober.ask_with(&offer, &manner, ", other signature schemes", "signature schemes of TLSv1.3").await;
    match clear(&offer, &outcome) {
        Some(Answer::No(_)) => Fact::Known(false),
        Some(Answer::Yes(flight)) if !flight.hello.is_retry() => Fact::unknown(
            "a hello without any scheme that this tool verifies is answered; with which scheme is encrypted",
        ),
        _ => Fact::unknown(outcome.words()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_of_the_older_version_goes_with_a_kind_of_key() {
        let kinds: Vec<&str> = KINDS.iter().flat_map(|(_, kinds)| kinds.iter().copied()).collect();
        for id in plan::schemes(Version::Tls12) {
            let scheme = registry::scheme(id).unwrap();
            assert!(
                kinds.contains(&scheme.key_type.as_str()) || scheme.key_type.starts_with("gost"),
                "{}",
                scheme.name
            );
        }
        assert!(VERIFIED.iter().all(|id| registry::scheme(*id).unwrap().tls13));
    }

    #[test]
    fn a_row_has_the_words_of_the_registry() {
        let pss = row(Version::Tls13, 0x0804);
        assert_eq!((pss.name.as_str(), pss.class.as_str()), ("rsa_pss_rsae_sha256", "recommended"));
        assert_eq!(row(Version::Tls12, 0x0201).class, "weak");
        assert_eq!(row(Version::Tls12, 0xFFFF).name, "0xFFFF");
    }
}
