//! The stapled OCSP response (RFC 6960).

use super::der;
use super::parsed::Parsed;
use super::signature::{Algorithm, Outcome};
use ::der::{Decode as _, Encode as _};
use aws_lc_rs::digest;
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspResponse, OcspResponseStatus, SingleResponse};

/// Largest response that is read.
const BYTES: usize = 65_536;
/// Most certificates in a response that are tried as its signer.
const DELEGATES: usize = 8;
/// How far ahead of ours a responder's clock may be.
const AHEAD: i64 = 300;
/// How long a response without an end counts.
const OPEN_END: i64 = 86_400;

/// Who issued the leaf.
pub(super) struct Issuer<'a> {
    /// The name in DER.
    pub subject: &'a [u8],
    pub spki: &'a [u8],
}

/// What the response says of the leaf: `good`, `revoked`, `unknown` or `invalid`.
pub(super) fn judge(response: &[u8], leaf: &Parsed, issuer: &Issuer<'_>, now: i64) -> &'static str {
    read(response, leaf, issuer, now).unwrap_or("invalid")
}

/// Nothing where any rule is broken.
fn read(response: &[u8], leaf: &Parsed, issuer: &Issuer<'_>, now: i64) -> Option<&'static str> {
    if response.len() > BYTES || !der::shallow(response) {
        return None;
    }
    let outer = OcspResponse::from_der(response).ok()?;
    let bytes = outer.response_bytes.filter(|_| outer.response_status == OcspResponseStatus::Successful)?;
    if bytes.response_type.to_string() != "1.3.6.1.5.5.7.48.1.1" {
        return None;
    }
    let basic = bytes.response.as_bytes();
    let parsed = BasicOcspResponse::from_der(basic).ok()?;
    let matching = parsed.tbs_response_data.responses.iter().filter(|single| is_about(single, leaf, issuer));
    // Of several answers the worst counts.
    let status = matching.filter(|single| current(single, now)).map(|single| rank(&single.cert_status)).max()?.1;
    // What is signed is the bytes as sent, not what we would write.
    let (tbs, _) = der::first(der::first(basic)?.0.content)?;
    let algorithm = algorithm(&parsed)?;
    let signature = parsed.signature.as_bytes()?;
    let by = |spki: &[u8]| algorithm.verify(spki, tbs.raw, signature) == Outcome::Good;
    let signed = by(issuer.spki)
        || delegates(&parsed).iter().any(|delegate| is_delegate(delegate, issuer, now) && by(&delegate.spki));
    signed.then_some(status)
}

/// A status with its weight.
fn rank(status: &CertStatus) -> (u8, &'static str) {
    match status {
        CertStatus::Good(_) => (0, "good"),
        CertStatus::Unknown(_) => (1, "unknown"),
        CertStatus::Revoked(_) => (2, "revoked"),
    }
}

fn algorithm(response: &BasicOcspResponse) -> Option<Algorithm> {
    let parameters = response.signature_algorithm.parameters.as_ref().map(::der::Encode::to_der).transpose().ok()?;
    let content = parameters.as_deref().and_then(der::first).map(|(value, _)| value.content);
    Some(Algorithm::read(&response.signature_algorithm.oid.to_string(), content))
}

fn delegates(response: &BasicOcspResponse) -> Vec<Parsed> {
    let sent = response.certs.iter().flatten().take(DELEGATES);
    sent.filter_map(|certificate| Parsed::read(&certificate.to_der().ok()?).ok()).collect()
}

/// RFC 6960 section 4.2.2.2: issued directly by the leaf's issuer, for this purpose.
fn is_delegate(delegate: &Parsed, issuer: &Issuer<'_>, now: i64) -> bool {
    delegate.extensions.ocsp_signing
        && delegate.extensions.refused.is_none()
        && delegate.issuer == issuer.subject
        && (delegate.not_before..=delegate.not_after).contains(&now)
        && delegate.signed_by(issuer.spki) == Outcome::Good
}

fn is_about(single: &SingleResponse, leaf: &Parsed, issuer: &Issuer<'_>) -> bool {
    let id = &single.cert_id;
    let hash = match id.hash_algorithm.oid.to_string().as_str() {
        "1.3.14.3.2.26" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "2.16.840.1.101.3.4.2.1" => &digest::SHA256,
        _ => return false,
    };
    let Some(key) = super::key::Key::read(issuer.spki) else { return false };
    digest::digest(hash, issuer.subject).as_ref() == id.issuer_name_hash.as_bytes()
        && digest::digest(hash, &key.bytes).as_ref() == id.issuer_key_hash.as_bytes()
        && number(id.serial_number.as_bytes()) == number(&leaf.serial)
}

fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn current(single: &SingleResponse, now: i64) -> bool {
    let seconds =
        |time: &x509_ocsp::OcspGeneralizedTime| i64::try_from(time.0.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    let from = seconds(&single.this_update);
    let until = single.next_update.as_ref().map_or(from.saturating_add(OPEN_END), seconds);
    from <= now.saturating_add(AHEAD) && now <= until
}
