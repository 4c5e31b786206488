//! Certificates: what is in them, whether a client would trust the chain as served, and what the staple says.
//! Knows no socket.

mod anchors;
mod der;
mod key;
mod lifetime;
mod list;
mod logs;
mod names;
mod ocsp;
mod parsed;
mod path;
mod revocation;
mod signature;
mod transparency;
mod weak;

pub use anchors::Anchors;
pub use key::{KeyFacts, key_of};
pub use logs::LogList;
pub use revocation::{Questioned, Said, questioned};
pub use transparency::{Sources, transparency};
pub use weak::KnownKeys;

pub(super) use list::BYTES as LIST_BYTES;
pub(super) use ocsp::BYTES as RESPONSE_BYTES;
pub(super) use signature::{Hash, Outcome, Scheme, verify};

use crate::model::Fact;
use crate::model::digest;
use crate::model::tls::{Certificate, ChainLink, Deployment};
use parsed::Parsed;
use path::{Path, Paths, Worth};
use std::collections::BTreeSet;

/// Most certificates of a chain that are read; what is sent beyond them counts as extra.
const CHAIN: usize = 32;
/// Most names that are shown.
const SHOWN: usize = 1000;
/// Most characters of a detail.
const DETAIL: usize = 1000;
/// Most policies that are shown.
const POLICIES: usize = 32;
/// Why it is not known whether a key is known to others.
const NO_KNOWN_KEYS: &str = "no list of known keys was given (weak_keys_file)";
/// A day in seconds.
const DAY: i64 = 86_400;

/// Judges nothing, but says everything about a chain as served: trust as a client with these anchors has it at `now`,
/// the order, the names, the staple.
///
/// The words of trust: `trusted`; `expired`, `not-yet-valid` and `not-for-server` where a path to an anchor
/// exists and that is wrong with it; `self-signed` for a leaf that signs itself and is no anchor; `incomplete`
/// where a trusted path exists only with a certificate that was not sent, which needs that certificate to be known
/// ([`Anchors::knowing`]); and `untrusted` for every other chain that does not lead to an anchor. A missing
/// intermediate that nobody knows is therefore `untrusted`, since nothing shows that it would lead anywhere;
/// the detail names the issuer that was not sent. Weak signatures and keys do not change the word: they are facts
/// of their own. Trust is unknown where a signature, a constraint or the leaf itself cannot be evaluated.
pub fn analyse(
    chain: &[Vec<u8>],
    protocols: Vec<String>,
    staple: Option<&[u8]>,
    server_name: &str,
    anchors: &Anchors,
    now: jiff::Timestamp,
) -> Deployment {
    let now = now.as_second();
    let sent: Vec<Result<Parsed, String>> = chain.iter().take(CHAIN).map(|der| Parsed::read(der)).collect();
    let id = chain.first().map(|leaf| digest::sha256(leaf)).unwrap_or_default();
    let links = chain.iter().take(CHAIN).zip(&sent).map(|(der, parsed)| link(der, parsed)).collect();
    let leaf = match sent.first() {
        Some(Ok(leaf)) => leaf,
        Some(Err(why)) => return unreadable(id, protocols, links, why),
        None => return unreadable(id, protocols, links, "no certificate was sent"),
    };
    let readable: Vec<&Parsed> = sent.iter().filter_map(|parsed| parsed.as_ref().ok()).collect();
    let paths = Paths::search(readable.clone(), anchors);
    let best = paths.best(now);
    let (trust, mut trust_detail) = trust(&paths, best.as_ref(), anchors, leaf, now);
    shorten(&mut trust_detail);
    let anchor = best.as_ref().and_then(|(path, _)| anchors.list.get(path.anchor));
    let extensions = &leaf.extensions;
    Deployment {
        id,
        protocols,
        leaf: describe(leaf),
        chain: links,
        trust,
        trust_detail,
        private_anchor: anchor.is_some_and(|anchor| anchor.own.is_some()),
        anchor: anchor.map(|anchor| anchor.name.clone()).unwrap_or_default(),
        order_ok: chain.len() <= CHAIN && in_order(&sent),
        extra: extra(chain.len(), &paths),
        contains_anchor: readable.iter().skip(1).any(|sent| anchors.list.iter().any(|anchor| anchor.is(sent))),
        name_matches: names::matches(server_name, &extensions.dns, &extensions.addresses),
        staple: stapled(staple, leaf, &paths, anchors, now),
        must_staple: extensions.must_staple,
        days_left: days_left(&paths, best.as_ref().map(|(path, _)| *path), now),
    }
}

/// Subject and names of a leaf, and whether it is for this name; nothing where it cannot be read.
pub fn outline(leaf: &[u8], server_name: &str) -> Option<(String, Vec<String>, bool)> {
    let leaf = Parsed::read(leaf).ok()?;
    let extensions = &leaf.extensions;
    let matches = names::matches(server_name, &extensions.dns, &extensions.addresses);
    let addresses = extensions.addresses.iter().map(|octets| address(octets));
    let names = extensions.dns.iter().cloned().chain(addresses).take(SHOWN).collect();
    Some((leaf.subject_text.clone(), names, matches))
}

/// Whether a leaf names a responder, or demands a staple.
pub fn wants_staple(leaf: &[u8]) -> bool {
    Parsed::read(leaf).is_ok_and(|leaf| !leaf.extensions.ocsp.is_empty() || leaf.extensions.must_staple)
}

/// Whether a chain has a signature with SHA-1 or older on it, that of a root aside. `None` where it cannot be read.
pub fn is_weakly_signed(chain: &[Vec<u8>]) -> Option<bool> {
    let mut weak = chain.is_empty().then_some(false);
    for (n, der) in chain.iter().take(CHAIN).enumerate() {
        let parsed = Parsed::read(der).ok()?;
        let looked_at = n == 0 || parsed.subject != parsed.issuer;
        let old = matches!(parsed.algorithm.hash, "sha1" | "md5" | "md4" | "md2");
        weak = Some(weak.unwrap_or_default() || (looked_at && old));
    }
    weak
}

/// Whether these bytes are a certificate.
pub fn is_one(der: &[u8]) -> bool {
    Parsed::read(der).is_ok()
}

/// Where the issuers can be had that a chain lacks on its way to an anchor, of those that are not known already.
pub fn absent_issuers(chain: &[Vec<u8>], known: &[Vec<u8>], anchors: &Anchors) -> Vec<String> {
    let all = chain.iter().take(CHAIN).chain(known);
    let readable: Vec<Parsed> = all.filter_map(|der| Parsed::read(der).ok()).collect();
    let paths = Paths::search(readable.iter().collect(), anchors);
    if !paths.found.is_empty() {
        return Vec::new();
    }
    let reached = paths.reached.iter().filter_map(|n| paths.pool.get(*n));
    let lacking = reached.filter(|below| !paths.pool.iter().any(|issuer| issuer.subject == below.issuer));
    lacking.flat_map(|below| below.extensions.ca_issuers.iter().cloned()).collect()
}

/// Reads arbitrary bytes as a chain and as an OCSP response: the entry of the fuzzer.
pub fn fuzz(data: &[u8]) {
    let anchors = Anchors::none();
    let now = jiff::Timestamp::UNIX_EPOCH;
    let middle = data.len() / 2;
    let (front, back) = data.split_at(middle);
    analyse(&[data.to_vec()], Vec::new(), Some(data), "example.com", &anchors, now);
    analyse(&[front.to_vec(), back.to_vec()], Vec::new(), None, "example.com", &anchors, now);
    if let Ok(leaf) = Parsed::read(front) {
        ocsp::judge(back, &leaf, &ocsp::Issuer { subject: &leaf.issuer, spki: &leaf.spki }, 0);
    }
    for questioned in questioned(&[front.to_vec(), back.to_vec()], &anchors, now) {
        let _ = (questioned.request(), questioned.by_response(back, now), questioned.by_list(back, now));
    }
    if let Ok(leaf) = Parsed::read(front) {
        let _ = list::answer(back, &leaf, &ocsp::Issuer { subject: &leaf.issuer, spki: &leaf.spki }, 0);
    }
    let _ = (is_one(data), absent_issuers(&[front.to_vec()], &[back.to_vec()], &anchors));
    der::shallow(data);
    transparency::fuzz(data);
}

/// The word of trust and its reason.
fn trust(
    paths: &Paths<'_>,
    best: Option<&(&Path, Worth)>,
    anchors: &Anchors,
    leaf: &Parsed,
    now: i64,
) -> (Fact<String>, String) {
    if let Some((_, Worth::Trusted)) = best {
        return ("trusted".to_owned().into(), String::new());
    }
    if !anchors.known.is_empty() {
        let pool = paths.pool.iter().copied().chain(&anchors.known).collect();
        let completed = Paths::search(pool, anchors);
        if let Some((path, Worth::Trusted)) = completed.best(now) {
            let absent = path.certificates.iter().filter(|n| **n >= paths.pool.len());
            let names: Vec<_> =
                absent.filter_map(|n| completed.pool.get(*n)).map(|known| known.subject_text.as_str()).collect();
            return ("incomplete".to_owned().into(), format!("not sent: {}", names.join("; ")));
        }
    }
    match best {
        Some((_, Worth::Unsure(why))) => (Fact::unknown(why.clone()), why.clone()),
        Some((_, Worth::Refused(word, why))) => ((*word).to_owned().into(), why.clone()),
        _ if paths.exhausted => {
            let why = "the chain is too tangled to search every path";
            (Fact::unknown(why), why.to_owned())
        }
        _ if leaf.self_signed => {
            ("self-signed".to_owned().into(), "the certificate signs itself and is no anchor".to_owned())
        }
        _ => ("untrusted".to_owned().into(), dead_end(paths, now)),
    }
}

/// Names in a detail come from the peer and may be long.
fn shorten(detail: &mut String) {
    if let Some((end, _)) = detail.char_indices().nth(DETAIL) {
        detail.truncate(end);
        detail.push('…');
    }
}

/// Why no path leads to an anchor.
fn dead_end(paths: &Paths<'_>, now: i64) -> String {
    let mut details = paths.notes.clone();
    for certificate in paths.reached.iter().filter_map(|n| paths.pool.get(*n)) {
        if certificate.self_signed {
            details.push(format!("{} is no anchor", certificate.subject_text));
        } else if !paths.pool.iter().any(|issuer| issuer.subject == certificate.issuer) {
            let fetch = if certificate.extensions.ca_issuers.is_empty() {
                ""
            } else {
                " (the certificate says where it can be had; --revocation asks there)"
            };
            details.push(format!("{} was not sent and is no anchor{fetch}", certificate.issuer_text));
        }
        if now > certificate.not_after {
            details.push(format!("{} ended on {}", certificate.subject_text, date(certificate.not_after)));
        }
    }
    details.join("; ")
}

/// Each certificate's issuer name, key identifier and signature fit the next.
fn in_order(sent: &[Result<Parsed, String>]) -> bool {
    sent.iter().all(Result::is_ok)
        && sent.windows(2).all(|pair| match pair {
            [Ok(below), Ok(above)] => {
                let ids = (&below.extensions.authority_key_id, &above.extensions.subject_key_id);
                below.issuer == above.subject
                    && !matches!(ids, (Some(wanted), Some(found)) if wanted != found)
                    && below.signed_by(&above.spki) != Outcome::Bad
            }
            _ => false,
        })
}

/// Certificates that no path leads to, and second copies.
fn extra(sent: usize, paths: &Paths<'_>) -> u32 {
    // A copy of an anchor at the end of a path is on it, even where it could not issue by its own words.
    let on_a_path = |(n, sent): &(usize, &&Parsed)| paths.reached.contains(n) || paths.ends_in(sent);
    let used = paths.pool.iter().enumerate().filter(on_a_path).map(|(_, sent)| sent.sha256.as_str());
    let distinct: BTreeSet<&str> = used.collect();
    u32::try_from(sent.saturating_sub(distinct.len())).unwrap_or(u32::MAX)
}

fn stapled(staple: Option<&[u8]>, leaf: &Parsed, paths: &Paths<'_>, anchors: &Anchors, now: i64) -> Fact<String> {
    let Some(response) = staple.filter(|response| !response.is_empty()) else {
        return "absent".to_owned().into();
    };
    let sent = paths.pool.iter().map(|sent| (&sent.subject, &sent.spki));
    let known = anchors.known.iter().map(|known| (&known.subject, &known.spki));
    let trusted = anchors.list.iter().map(|anchor| (&anchor.subject, &anchor.spki));
    let mut issuers = sent.chain(known).chain(trusted).filter(|(subject, _)| **subject == leaf.issuer).take(CHAIN);
    match issuers.find(|(_, spki)| leaf.signed_by(spki) == Outcome::Good) {
        Some((subject, spki)) => ocsp::judge(response, leaf, &ocsp::Issuer { subject, spki }, now).to_owned().into(),
        None => Fact::unknown("a staple came, but the issuer's key to verify it with was not sent"),
    }
}

/// From the first certificate of the best path to end; without a path, from those that lead on from the leaf.
fn days_left(paths: &Paths<'_>, best: Option<&Path>, now: i64) -> i64 {
    let ends: Vec<i64> = match best {
        Some(path) => paths.certificates(path).iter().map(|certificate| certificate.not_after).collect(),
        None => {
            paths.reached.iter().filter_map(|n| paths.pool.get(*n)).map(|certificate| certificate.not_after).collect()
        }
    };
    ends.into_iter().min().map_or(0, |end| end.saturating_sub(now).div_euclid(DAY))
}

fn describe(parsed: &Parsed) -> Certificate {
    let key = parsed.key();
    let exponent_sound = weak::exponent_sound(&key.exponent);
    let extensions = &parsed.extensions;
    let addresses = extensions.addresses.iter().map(|octets| address(octets));
    Certificate {
        subject: parsed.subject_text.clone(),
        issuer: parsed.issuer_text.clone(),
        serial: digest::hex(&parsed.serial),
        key_type: key.facts.key_type,
        key_bits: key.facts.bits,
        key_strength: key.facts.strength,
        curve: key.facts.curve,
        exponent: key.exponent,
        key_sha256: digest::sha256(&parsed.spki),
        signature: parsed.algorithm.name.clone(),
        signature_hash: parsed.algorithm.hash.to_owned(),
        not_before: date(parsed.not_before),
        not_after: date(parsed.not_after),
        // The last second belongs to the validity.
        lifetime_days: parsed.not_after.saturating_sub(parsed.not_before).saturating_add(DAY).div_euclid(DAY),
        names: extensions.dns.iter().cloned().chain(addresses).take(SHOWN).collect(),
        name_count: extensions.name_count,
        self_signed: parsed.self_signed,
        ca: extensions.ca,
        server_auth: extensions.server_auth != Some(false) && extensions.refused.is_none(),
        ocsp: extensions.ocsp.clone(),
        crl: extensions.crl.clone(),
        serial_bytes: u32::try_from(parsed.serial.iter().skip_while(|byte| **byte == 0).count()).unwrap_or(u32::MAX),
        key_usage: extensions.key_usage.clone(),
        basic_constraints: extensions.basic_constraints,
        policies: extensions.policies.iter().take(POLICIES).cloned().collect(),
        validation: validation(&extensions.policies).to_owned(),
        wildcards: wildcards(&extensions.dns, false),
        broad_wildcards: wildcards(&extensions.dns, true),
        exponent_sound,
        roca: weak::roca_of(&parsed.spki),
        known_key: Fact::unknown(NO_KNOWN_KEYS),
        lifetime_limit: lifetime::limit(parsed.not_before),
    }
}

/// The kind of validation that the policies of the CA/Browser Forum stand for; the highest where there are several.
fn validation(policies: &[String]) -> &'static str {
    let words = [("2.23.140.1.1", "EV"), ("2.23.140.1.2.2", "OV"), ("2.23.140.1.2.3", "IV"), ("2.23.140.1.2.1", "DV")];
    words.iter().find(|(oid, _)| policies.iter().any(|policy| policy == oid)).map_or("", |(_, word)| word)
}

/// The names with a wildcard; `broad` picks those for everything below one label, such as `*.example`, and those whose
/// wildcard is not the whole first label.
fn wildcards(names: &[String], broad: bool) -> Vec<String> {
    let of = |name: &&String| match name.strip_prefix("*.") {
        Some(rest) => !broad || !rest.contains('.') || rest.contains('*'),
        None => name.contains('*'),
    };
    names.iter().filter(of).take(SHOWN).cloned().collect()
}

/// Whether the key of a leaf is known to others.
pub fn known_key(leaf: &[u8], keys: &KnownKeys) -> Fact<bool> {
    match Parsed::read(leaf) {
        Ok(leaf) => Fact::Known(keys.holds(&leaf.spki)),
        Err(why) => Fact::unknown(why),
    }
}

fn link(der: &[u8], parsed: &Result<Parsed, String>) -> ChainLink {
    let mut link = ChainLink {
        sha256: digest::sha256(der),
        key_sha256: String::new(),
        subject: String::new(),
        issuer: String::new(),
        key: String::new(),
        signature_hash: "unknown".to_owned(),
        not_after: String::new(),
    };
    if let Ok(parsed) = parsed {
        let key = parsed.key().facts;
        link.key_sha256 = digest::sha256(&parsed.spki);
        link.subject = parsed.subject_text.clone();
        link.issuer = parsed.issuer_text.clone();
        link.key = format!("{} {}", key.key_type, key.bits);
        link.signature_hash = parsed.algorithm.hash.to_owned();
        link.not_after = date(parsed.not_after);
    }
    link
}

/// A deployment whose leaf cannot be read: nothing in it reads as good.
fn unreadable(id: String, protocols: Vec<String>, chain: Vec<ChainLink>, why: &str) -> Deployment {
    let reason = format!("the leaf cannot be read: {why}");
    Deployment {
        id,
        protocols,
        leaf: Certificate {
            subject: String::new(),
            issuer: String::new(),
            serial: String::new(),
            key_type: "unreadable".to_owned(),
            key_bits: 0,
            key_strength: 0,
            curve: String::new(),
            exponent: String::new(),
            key_sha256: String::new(),
            signature: "unknown".to_owned(),
            signature_hash: "unknown".to_owned(),
            not_before: String::new(),
            not_after: String::new(),
            lifetime_days: 0,
            names: Vec::new(),
            name_count: 0,
            self_signed: false,
            ca: false,
            server_auth: false,
            ocsp: Vec::new(),
            crl: Vec::new(),
            serial_bytes: 0,
            key_usage: Vec::new(),
            basic_constraints: false,
            policies: Vec::new(),
            validation: String::new(),
            wildcards: Vec::new(),
            broad_wildcards: Vec::new(),
            exponent_sound: false,
            roca: Fact::unknown(reason.clone()),
            known_key: Fact::unknown(reason.clone()),
            lifetime_limit: Fact::unknown(reason.clone()),
        },
        chain,
        trust: Fact::unknown(reason.clone()),
        trust_detail: reason.clone(),
        private_anchor: false,
        anchor: String::new(),
        order_ok: false,
        extra: 0,
        contains_anchor: false,
        name_matches: false,
        staple: Fact::unknown(reason),
        must_staple: false,
        days_left: 0,
    }
}

/// RFC 3339, or the seconds where a peer's date is beyond any calendar.
fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}

fn address(octets: &[u8]) -> String {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        std::net::Ipv4Addr::from(four).to_string()
    } else if let Ok(sixteen) = <[u8; 16]>::try_from(octets) {
        std::net::Ipv6Addr::from(sixteen).to_string()
    } else {
        digest::hex(octets)
    }
}

#[cfg(test)]
mod tests;
