//! OCSP responses (RFC 6960), stapled or fetched, and the request for one.

use super::der;
use super::parsed::Parsed;
use super::revocation::{AHEAD, Answer, NO_REASON, reason_word};
use super::signature::{Algorithm, Outcome};
use ::der::{Decode as _, Encode as _};
use aws_lc_rs::digest;
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspGeneralizedTime, OcspResponse, OcspResponseStatus, SingleResponse};

/// Largest response that is read.
pub(in crate::collect::tls) const BYTES: usize = 65_536;
/// Most certificates in a response that are tried as its signer.
const DELEGATES: usize = 8;
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
    answer(response, leaf, issuer, now).map_or("invalid", |answer| answer.word)
}

/// What the response says of a certificate, once it is shown to be about it, current and signed by who may.
///
/// # Errors
/// The rule that it breaks, in words.
pub(super) fn answer(response: &[u8], leaf: &Parsed, issuer: &Issuer<'_>, now: i64) -> Result<Answer, String> {
    if response.len() > BYTES || !der::shallow(response) {
        return Err("it is too large or nested too deeply".to_owned());
    }
    let unreadable = || "it is not an OCSP response".to_owned();
    let outer = OcspResponse::from_der(response).map_err(|_| unreadable())?;
    if outer.response_status != OcspResponseStatus::Successful {
        return Err(format!("the responder gives no answer: {:?}", outer.response_status));
    }
    let bytes = outer.response_bytes.ok_or_else(unreadable)?;
    if bytes.response_type.to_string() != "1.3.6.1.5.5.7.48.1.1" {
        return Err("it is an OCSP response of a form that is not known".to_owned());
    }
    let basic = bytes.response.as_bytes();
    let parsed = BasicOcspResponse::from_der(basic).map_err(|_| unreadable())?;
    let responses = &parsed.tbs_response_data.responses;
    let matching: Vec<&SingleResponse> = responses.iter().filter(|single| is_about(single, leaf, issuer)).collect();
    if matching.is_empty() {
        return Err("it is about another certificate".to_owned());
    }
    let current = matching.into_iter().filter(|single| current(single, now));
    // Of several answers the worst counts.
    let single = current
        .max_by_key(|single| rank(&single.cert_status))
        .ok_or("it is out of date: its time of validity is not now")?;
    // What is signed is the bytes as sent, not what we would write.
    let (tbs, _) = der::first(basic).and_then(|(basic, _)| der::first(basic.content)).ok_or_else(unreadable)?;
    let algorithm = algorithm(&parsed).ok_or_else(unreadable)?;
    let signature = parsed.signature.as_bytes().ok_or_else(unreadable)?;
    let by = |spki: &[u8]| algorithm.verify(spki, tbs.raw, signature) == Outcome::Good;
    let signer = if by(issuer.spki) {
        "issuer"
    } else if delegates(&parsed).iter().any(|delegate| is_delegate(delegate, issuer, now) && by(&delegate.spki)) {
        "delegate"
    } else {
        return Err("it is signed neither by the issuer nor by a responder that the issuer named".to_owned());
    };
    let (reason, revoked_at) = match &single.cert_status {
        CertStatus::Revoked(info) => {
            let word = info.revocation_reason.map_or(NO_REASON, |reason| reason_word(reason as u8));
            (word.to_owned(), Some(seconds(&info.revocation_time)))
        }
        _ => (String::new(), None),
    };
    Ok(Answer {
        word: rank(&single.cert_status).1,
        signer,
        reason,
        revoked_at,
        this_update: seconds(&single.this_update),
        next_update: single.next_update.as_ref().map(seconds),
    })
}

/// A request about one certificate, in DER. Without a nonce: most responders sign their answers beforehand.
pub(super) fn request(certificate: &Parsed, issuer: &Issuer<'_>) -> Option<Vec<u8>> {
    /// SHA-1 with a NULL: what every responder knows, and no signature rests on it.
    const SHA1: [u8; 11] = [0x30, 0x09, 0x06, 0x05, 0x2B, 0x0E, 0x03, 0x02, 0x1A, 0x05, 0x00];
    let key = super::key::Key::read(issuer.spki)?;
    let hash = |bytes: &[u8]| der::wrap(0x04, digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    let serial = der::wrap(0x02, &certificate.serial);
    let id = der::sequence(&[SHA1.as_slice(), &hash(issuer.subject), &hash(&key.bytes), &serial].concat());
    let list = der::sequence(&der::sequence(&id));
    Some(der::sequence(&der::sequence(&list)))
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

/// A number without leading zeros.
pub(super) fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn current(single: &SingleResponse, now: i64) -> bool {
    let from = seconds(&single.this_update);
    let until = single.next_update.as_ref().map_or(from.saturating_add(OPEN_END), seconds);
    from <= now.saturating_add(AHEAD) && now <= until
}

fn seconds(time: &OcspGeneralizedTime) -> i64 {
    i64::try_from(time.0.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}
