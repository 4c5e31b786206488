//! Certificate transparency: timestamps from the certificate, the handshake and the OCSP response, verified with the
//! keys of a list of logs, and judged by the rules that browsers publish.

use super::anchors::Anchors;
use super::der;
use super::logs::{Log, LogList, State};
use super::parsed::Parsed;
use super::signature::{Hash, Outcome, Scheme, verify};
use crate::model::transparency::{LoggedTimestamp, TransparentDeployment};
use crate::model::{Fact, digest};
use crate::wire::sct::Sct;
use ::der::Decode as _;
use std::collections::BTreeSet;
use x509_ocsp::{BasicOcspResponse, OcspResponse};

/// The extension that holds timestamps: 1.3.6.1.4.1.11129.2.4.2, in DER.
const EMBEDDED: [u8; 12] = [0x06, 0x0A, 0x2B, 0x06, 0x01, 0x04, 0x01, 0xD6, 0x79, 0x02, 0x04, 0x02];
/// The same of an OCSP response.
const STAPLED: &str = "1.3.6.1.4.1.11129.2.4.5";
/// A certificate that lives longer than this needs a third embedded timestamp.
const SHORT_DAYS: i64 = 180;
const DAY: i64 = 86_400;

/// Where the timestamps of a chain come from.
pub struct Sources<'a> {
    /// The chain as served, leaf first.
    pub chain: &'a [Vec<u8>],
    /// The OCSP response.
    pub staple: Option<&'a [u8]>,
    /// The extension of the handshake.
    pub handshake: Option<&'a [u8]>,
    /// Extensions of the handshake could be read, so that none means none.
    pub handshake_read: bool,
}

/// A timestamp with what is known of it.
struct Judged<'a> {
    source: &'static str,
    sct: Sct,
    log: Option<&'a Log>,
    genuine: Fact<bool>,
}

/// Judges the timestamps of a chain. `public` says whether anchors that everybody has trust it.
pub fn transparency(
    sources: &Sources<'_>,
    public: Fact<bool>,
    anchors: &Anchors,
    logs: Result<&LogList, &str>,
    now: jiff::Timestamp,
) -> TransparentDeployment {
    let id = sources.chain.first().map(|leaf| digest::sha256(leaf)).unwrap_or_default();
    let leaf = match sources.chain.first().map(|leaf| Parsed::read(leaf)) {
        Some(Ok(leaf)) => leaf,
        Some(Err(why)) => return unreadable(id, public, &why),
        None => return unreadable(id, public, "no certificate was sent"),
    };
    let (timestamps, broken) = read(sources, &leaf);
    let issuer = issuer_key(sources.chain, &leaf, anchors);
    let judge = |(source, sct): (&'static str, Sct)| {
        let log = logs.ok().and_then(|logs| logs.log(&sct.log));
        let genuine = match (log, logs) {
            (Some(log), _) => genuine(source, &sct, log, &leaf, issuer.as_deref()),
            (None, Ok(_)) => Fact::unknown("the log is not in the list"),
            (None, Err(why)) => Fact::unknown(why),
        };
        Judged { source, sct, log, genuine }
    };
    let judged: Vec<Judged<'_>> = timestamps.into_iter().map(judge).collect();
    let (satisfied, detail) = match (logs, broken) {
        (Err(why), _) => (Fact::unknown(why), why.to_owned()),
        (Ok(_), Some(why)) => (Fact::unknown(why.clone()), why),
        (Ok(_), None) => policy(&judged, &leaf, sources.handshake_read, now),
    };
    TransparentDeployment { id, public, timestamps: judged.iter().map(fact).collect(), satisfied, detail }
}

/// Reads arbitrary bytes as a certificate with timestamps: the entry of the fuzzer.
pub(super) fn fuzz(data: &[u8]) {
    let _ = embedded(data).map(|list| Sct::parse_list(&list));
    let _ = without_timestamps(data);
    let _ = stapled(data);
}

fn unreadable(id: String, public: Fact<bool>, why: &str) -> TransparentDeployment {
    let detail = format!("the leaf cannot be read: {why}");
    TransparentDeployment { id, public, timestamps: Vec::new(), satisfied: Fact::unknown(detail.clone()), detail }
}

fn fact(judged: &Judged<'_>) -> LoggedTimestamp {
    let seconds = i64::try_from(judged.sct.timestamp / 1000).unwrap_or(i64::MAX);
    LoggedTimestamp {
        source: judged.source.to_owned(),
        log_id: digest::hex(&judged.sct.log),
        log: judged.log.map(|log| log.name.clone()).unwrap_or_default(),
        operator: judged.log.map(|log| log.operator.clone()).unwrap_or_default(),
        state: judged.log.map(|log| log.state.word().to_owned()).unwrap_or_default(),
        timestamp: super::date(seconds),
        genuine: judged.genuine.clone(),
    }
}

/// All timestamps, and why some could not be read.
fn read(sources: &Sources<'_>, leaf: &Parsed) -> (Vec<(&'static str, Sct)>, Option<String>) {
    let embedded = embedded(&leaf.tbs);
    let stapled = sources.staple.and_then(stapled);
    let lists = [("certificate", embedded), ("handshake", sources.handshake.map(<[u8]>::to_vec)), ("ocsp", stapled)];
    let (mut all, mut broken) = (Vec::new(), None);
    for (source, list) in lists {
        match list.map(|list| Sct::parse_list(&list)) {
            None => {}
            Some(Ok(list)) => all.extend(list.into_iter().flatten().map(|sct| (source, sct))),
            Some(Err(error)) => broken = Some(format!("timestamps of the {source}: {error}")),
        }
    }
    (all, broken)
}

/// The members of a TBSCertificate, and the extensions at its end.
fn extensions(tbs: &[u8]) -> Option<(Vec<der::Value<'_>>, Vec<der::Value<'_>>)> {
    let (outer, _) = der::first(tbs)?;
    let mut members = der::members(outer.content);
    let last = members.pop().filter(|last| last.tag == 0xA3)?;
    let (list, _) = der::first(last.content)?;
    Some((members, der::members(list.content)))
}

fn is_embedded(extension: &der::Value<'_>) -> bool {
    extension.content.starts_with(&EMBEDDED)
}

/// The list in the certificate.
fn embedded(tbs: &[u8]) -> Option<Vec<u8>> {
    let (_, extensions) = extensions(tbs)?;
    let extension = extensions.iter().find(|extension| is_embedded(extension))?;
    let value = der::members(extension.content).into_iter().rfind(|member| member.tag == 0x04)?;
    let (list, _) = der::first(value.content)?;
    (list.tag == 0x04).then(|| list.content.to_vec())
}

/// The TBSCertificate that the log saw: the same without the timestamps (RFC 6962 section 3.2).
fn without_timestamps(tbs: &[u8]) -> Option<Vec<u8>> {
    let (members, extensions) = extensions(tbs)?;
    let kept: Vec<u8> =
        extensions.iter().filter(|extension| !is_embedded(extension)).flat_map(|one| one.raw.iter().copied()).collect();
    let mut content: Vec<u8> = members.iter().flat_map(|member| member.raw.iter().copied()).collect();
    content.extend(der::wrap(0xA3, &der::sequence(&kept)));
    Some(der::sequence(&content))
}

/// The list in an OCSP response. Whether the response is good is judged elsewhere; a timestamp has a signature of its own.
fn stapled(response: &[u8]) -> Option<Vec<u8>> {
    if response.len() > 65_536 || !der::shallow(response) {
        return None;
    }
    let bytes = OcspResponse::from_der(response).ok()?.response_bytes?;
    let basic = BasicOcspResponse::from_der(bytes.response.as_bytes()).ok()?;
    let mut extensions =
        basic.tbs_response_data.responses.iter().flat_map(|one| one.single_extensions.iter().flatten());
    let found = extensions.find(|extension| extension.extn_id.to_string() == STAPLED)?;
    let (list, _) = der::first(found.extn_value.as_bytes())?;
    (list.tag == 0x04).then(|| list.content.to_vec())
}

/// The key that signed the leaf: one that was sent, or an anchor's.
fn issuer_key(chain: &[Vec<u8>], leaf: &Parsed, anchors: &Anchors) -> Option<Vec<u8>> {
    let sent = chain.iter().skip(1).take(8).filter_map(|der| Parsed::read(der).ok());
    let mut sent = sent.filter(|sent| sent.subject == leaf.issuer).map(|sent| sent.spki);
    let own = |spki: &Vec<u8>| leaf.signed_by(spki) == Outcome::Good;
    sent.find(own).or_else(|| {
        let mut trusted = anchors.list.iter().filter(|anchor| anchor.subject == leaf.issuer).map(|anchor| &anchor.spki);
        trusted.find(|spki| own(spki)).cloned()
    })
}

/// Whether the log signed this certificate.
fn genuine(source: &str, sct: &Sct, log: &Log, leaf: &Parsed, issuer: Option<&[u8]>) -> Fact<bool> {
    let scheme = match sct.algorithm {
        [4, 3] => Scheme::Ecdsa(Hash::Sha256),
        [4, 1] => Scheme::Pkcs1(Hash::Sha256),
        _ => return Fact::Known(false),
    };
    let entry = if source == "certificate" {
        let Some(issuer) = issuer else {
            return Fact::unknown("the issuer's key, which is part of what the log signed, was not sent");
        };
        match without_timestamps(&leaf.tbs) {
            Some(tbs) => [&[0, 1], sha256(issuer).as_slice(), &long(&tbs)].concat(),
            None => return Fact::unknown("the certificate cannot be taken apart"),
        }
    } else {
        [&[0, 0][..], &long(&leaf.der)].concat()
    };
    let mut message = vec![0, 0];
    message.extend(sct.timestamp.to_be_bytes());
    message.extend(entry);
    message.extend(u16::try_from(sct.extensions.len()).unwrap_or(u16::MAX).to_be_bytes());
    message.extend(&sct.extensions);
    match verify(scheme, &log.key, &message, &sct.signature) {
        Outcome::Good => Fact::Known(true),
        Outcome::Bad => Fact::Known(false),
        Outcome::Unable(why) => Fact::unknown(why),
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec()
}

/// Bytes behind their length of three bytes.
fn long(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 3);
    crate::wire::cursor::put_vec24(&mut out, bytes);
    out
}

/// The rules of Chrome, which Apple and Mozilla share in the counts.
fn policy(judged: &[Judged<'_>], leaf: &Parsed, handshake_read: bool, now: jiff::Timestamp) -> (Fact<bool>, String) {
    let counts = |one: &&Judged<'_>, retired: bool| {
        let at = i64::try_from(one.sct.timestamp / 1000).unwrap_or(i64::MAX);
        one.genuine.known() == Some(&true)
            && at <= now.as_second()
            && one.log.is_some_and(|log| log.counts(at, retired))
    };
    let embedded: Vec<&Judged<'_>> =
        judged.iter().filter(|one| one.source == "certificate" && counts(one, true)).collect();
    let current: Vec<&Judged<'_>> =
        judged.iter().filter(|one| one.source != "certificate" && counts(one, false)).collect();
    let days = leaf.not_after.saturating_sub(leaf.not_before).saturating_add(DAY).div_euclid(DAY);
    let needed = if days <= SHORT_DAYS { 2 } else { 3 };
    let by = |list: &[&Judged<'_>]| {
        list.iter().filter_map(|one| one.log).map(|log| log.operator.clone()).collect::<BTreeSet<_>>()
    };
    let logs = |list: &[&Judged<'_>]| list.iter().map(|one| one.sct.log).collect::<BTreeSet<_>>().len();
    let live = |list: &[&Judged<'_>]| list.iter().filter_map(|one| one.log).any(|log| log.state != State::Retired);
    let classic = |list: &[&Judged<'_>]| list.iter().filter_map(|one| one.log).any(|log| !log.tiled);
    let enough = logs(&embedded) >= needed && live(&embedded) && by(&embedded).len() >= 2 && classic(&embedded);
    let delivered = logs(&current) >= 2 && by(&current).len() >= 2;
    let detail = format!(
        "{} of {needed} logs in the certificate by {} operators; {} of 2 beside it by {}",
        logs(&embedded),
        by(&embedded).len(),
        logs(&current),
        by(&current).len()
    );
    if enough || delivered {
        return (Fact::Known(true), detail);
    }
    // What could not be verified or read might have been enough.
    let open = judged.iter().find_map(|one| one.genuine.reason().filter(|_| one.log.is_some()));
    match (open, handshake_read) {
        (Some(why), _) => (Fact::unknown(why), detail),
        (None, false) => (Fact::unknown("timestamps of the handshake are encrypted, and were not read"), detail),
        (None, true) => (Fact::Known(false), detail),
    }
}

#[cfg(test)]
#[path = "transparency_tests.rs"]
mod tests;
