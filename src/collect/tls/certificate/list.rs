//! Certificate revocation lists (RFC 5280 section 5). A list may hold very many entries, so they are walked over, never
//! kept.

use super::der::{self, Value};
use super::ocsp::{Issuer, number};
use super::parsed::Parsed;
use super::revocation::{AHEAD, Answer, NO_REASON, reason_word};
use super::signature::{Algorithm, Outcome};
use x509_parser::extensions::{GeneralName, IssuingDistributionPoint, ParsedExtension, X509Extension};
use x509_parser::prelude::{DistributionPointName, FromDer as _};
use x509_parser::time::ASN1Time;
use x509_parser::x509::AlgorithmIdentifier;

/// The largest list that is read.
pub(in crate::collect::tls) const BYTES: usize = 16 * 1024 * 1024;
/// Most extensions of a list.
const EXTENSIONS: usize = 32;
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0]`, in which the extensions of a list stand.
const ZERO: u8 = 0xA0;
const REASON_CODE: &str = "2.5.29.21";
const CERTIFICATE_ISSUER: &str = "2.5.29.29";

/// A list, cut into its parts.
struct List<'a> {
    signed: &'a [u8],
    algorithm: Algorithm,
    signature: &'a [u8],
    issuer: &'a [u8],
    this_update: i64,
    next_update: Option<i64>,
    entries: &'a [u8],
    extensions: &'a [u8],
}

/// What the list says of a certificate, once it is shown to cover it, to be current and to be signed by the issuer.
///
/// # Errors
/// The rule that it breaks, in words.
pub(super) fn answer(bytes: &[u8], about: &Parsed, issuer: &Issuer<'_>, now: i64) -> Result<Answer, String> {
    if bytes.len() > BYTES || !der::shallow(bytes) {
        return Err("it is too large or nested too deeply".to_owned());
    }
    let list = List::read(bytes).ok_or("it is not a revocation list")?;
    if list.issuer != issuer.subject {
        return Err("it is the list of another authority".to_owned());
    }
    if list.algorithm.verify(issuer.spki, list.signed, list.signature) != Outcome::Good {
        return Err("it is not signed by the issuer".to_owned());
    }
    let next = list.next_update.ok_or("it does not say when the next one comes")?;
    if list.this_update > now.saturating_add(AHEAD) || now > next {
        return Err("it is out of date: its time of validity is not now".to_owned());
    }
    let scope = scope(list.extensions, about)?;
    let found = revoked(list.entries, &about.serial)?;
    let said = |word, reason: String, revoked_at| Answer {
        word,
        signer: "issuer",
        reason,
        revoked_at,
        this_update: list.this_update,
        next_update: Some(next),
    };
    match (found, scope) {
        (Some((reason, time)), _) => Ok(said("revoked", reason, Some(time))),
        (None, Scope::Whole) => Ok(said("good", String::new(), None)),
        (None, Scope::SomeReasons) => Err("it holds some reasons of revocation alone".to_owned()),
    }
}

impl<'a> List<'a> {
    fn read(bytes: &'a [u8]) -> Option<List<'a>> {
        let (outer, rest) = der::first(bytes)?;
        let (signed, after) = der::first(outer.content)?;
        let (algorithm, after) = der::first(after)?;
        let (signature, end) = der::first(after)?;
        let whole = rest.is_empty() && end.is_empty() && outer.tag == SEQUENCE && signed.tag == SEQUENCE;
        // A bit string with whole bytes.
        let (0, signature) = signature.content.split_first()? else { return None };
        let mut fields = signed.content;
        if peek(fields)? == INTEGER {
            take(&mut fields)?;
        }
        let inner = take(&mut fields)?;
        let issuer = take(&mut fields)?;
        let this_update = time(take(&mut fields)?)?;
        let mut next_update = None;
        if matches!(peek(fields), Some(UTC_TIME | GENERALIZED_TIME)) {
            next_update = Some(time(take(&mut fields)?)?);
        }
        let mut entries: &[u8] = &[];
        if peek(fields) == Some(SEQUENCE) {
            entries = take(&mut fields)?.content;
        }
        let mut extensions: &[u8] = &[];
        if peek(fields) == Some(ZERO) {
            extensions = der::first(take(&mut fields)?.content)?.0.content;
        }
        // The signed copy of the algorithm must be the one that is used.
        let consistent = whole && fields.is_empty() && inner.raw == algorithm.raw && issuer.tag == SEQUENCE;
        consistent.then_some(List {
            signed: signed.raw,
            algorithm: algorithm_of(algorithm.raw)?,
            signature,
            issuer: issuer.raw,
            this_update,
            next_update,
            entries,
            extensions,
        })
    }
}

/// What a list covers.
enum Scope {
    Whole,
    SomeReasons,
}

/// Whether the list is one for this certificate, by its extensions.
fn scope(mut extensions: &[u8], about: &Parsed) -> Result<Scope, String> {
    let mut scope = Scope::Whole;
    for _ in 0..EXTENSIONS {
        if extensions.is_empty() {
            return Ok(scope);
        }
        let (rest, extension) =
            X509Extension::from_der(extensions).map_err(|_| "an extension of it cannot be read".to_owned())?;
        match extension.parsed_extension() {
            ParsedExtension::IssuingDistributionPoint(point) => {
                covers(point, about)?;
                if point.only_some_reasons.is_some() {
                    scope = Scope::SomeReasons;
                }
            }
            ParsedExtension::ParseError { .. } => return Err("an extension of it cannot be read".to_owned()),
            _ if extension.critical => {
                return Err(format!("its critical extension {} is not known", extension.oid.to_id_string()));
            }
            _ => {}
        }
        extensions = rest;
    }
    Err("it has too many extensions".to_owned())
}

/// RFC 5280 section 6.3.3 (b): a part of a list is one for certificates that name it.
fn covers(point: &IssuingDistributionPoint<'_>, about: &Parsed) -> Result<(), String> {
    let ca = about.extensions.ca;
    if point.indirect_crl {
        return Err("it is a list of several authorities, which is not read".to_owned());
    }
    if (point.only_contains_user_certs && ca)
        || (point.only_contains_ca_certs && !ca)
        || point.only_contains_attribute_certs
    {
        return Err("it is for certificates of another kind".to_owned());
    }
    match &point.distribution_point {
        None => Ok(()),
        Some(DistributionPointName::FullName(names)) => {
            let named = names.iter().any(
                |name| matches!(name, GeneralName::URI(address) if about.extensions.crl.iter().any(|own| own == address)),
            );
            if named { Ok(()) } else { Err("it is a part of a list that the certificate does not name".to_owned()) }
        }
        Some(_) => Err("it names its place in a form that is not read".to_owned()),
    }
}

/// The entry of this serial number: reason and time of the revocation.
fn revoked(mut entries: &[u8], serial: &[u8]) -> Result<Option<(String, i64)>, String> {
    let broken = || "an entry of it cannot be read".to_owned();
    while !entries.is_empty() {
        let entry = take(&mut entries).filter(|entry| entry.tag == SEQUENCE).ok_or_else(broken)?;
        let mut fields = entry.content;
        let value = take(&mut fields).filter(|value| value.tag == INTEGER).ok_or_else(broken)?;
        if number(value.content) != number(serial) {
            continue;
        }
        let time = take(&mut fields).and_then(time).ok_or_else(broken)?;
        let extensions = if fields.is_empty() { &[][..] } else { take(&mut fields).ok_or_else(broken)?.content };
        return Ok(Some((reason(extensions)?, time)));
    }
    Ok(None)
}

/// The reason in the extensions of an entry.
fn reason(mut extensions: &[u8]) -> Result<String, String> {
    let mut word = NO_REASON;
    for _ in 0..EXTENSIONS {
        if extensions.is_empty() {
            break;
        }
        let (rest, extension) =
            X509Extension::from_der(extensions).map_err(|_| "an entry of it cannot be read".to_owned())?;
        match extension.oid.to_id_string().as_str() {
            // An enumerated value of one byte.
            REASON_CODE => {
                if let [0x0A, 0x01, code] = extension.value {
                    word = reason_word(*code);
                }
            }
            CERTIFICATE_ISSUER => return Err("an entry of it is of another authority".to_owned()),
            _ => {}
        }
        extensions = rest;
    }
    Ok(word.to_owned())
}

fn algorithm_of(raw: &[u8]) -> Option<Algorithm> {
    let (_, algorithm) = AlgorithmIdentifier::from_der(raw).ok()?;
    let parameters = algorithm.parameters.as_ref().map(|any| any.data);
    Some(Algorithm::read(&algorithm.algorithm.to_id_string(), parameters))
}

fn time(value: Value<'_>) -> Option<i64> {
    ASN1Time::from_der(value.raw).ok().map(|(_, time)| time.timestamp())
}

fn peek(fields: &[u8]) -> Option<u8> {
    fields.first().copied()
}

fn take<'a>(fields: &mut &'a [u8]) -> Option<Value<'a>> {
    let (value, rest) = der::first(fields)?;
    *fields = rest;
    Some(value)
}
