//! Revocation without a socket: which certificates are asked about, what to ask, and what the answers are worth.

use super::anchors::Anchors;
use super::parsed::Parsed;
use super::path::Paths;
use super::signature::Outcome;
use super::{CHAIN, DAY, date, list, ocsp, shorten};
use crate::model::Fact;
use crate::model::revocation::RevocationAnswer;

/// How far ahead of ours the clock of a responder or of an authority may be.
pub(super) const AHEAD: i64 = 300;
/// What is said where a revocation has no reason.
pub(super) const NO_REASON: &str = "unspecified";
/// 2026-03-15: certificates issued since then are short-lived where they live no longer than seven days, older ones
/// where they live no longer than ten.
const SHORTER: i64 = 1_773_532_800;

/// A valid answer about a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// `good`, `revoked` or `unknown`.
    pub word: &'static str,
    /// `issuer` or `delegate`.
    pub signer: &'static str,
    /// Why it was revoked.
    pub reason: String,
    /// Seconds since 1970.
    pub revoked_at: Option<i64>,
    pub this_update: i64,
    pub next_update: Option<i64>,
}

/// A certificate whose revocation is a question.
#[derive(Clone, Debug)]
pub struct Questioned {
    certificate: Parsed,
    /// Name and key of its issuer, where they are known, and whether the issuer may sign lists.
    issuer: Option<Issuer>,
    /// Its place on the path.
    pub place: u32,
}

#[derive(Clone, Debug)]
struct Issuer {
    subject: Vec<u8>,
    spki: Vec<u8>,
    signs_lists: bool,
}

/// What an answer says: the row for it, and of a revocation the reason and the time.
pub struct Said {
    /// The row, without source and address.
    pub row: RevocationAnswer,
    /// Why it was revoked, or empty.
    pub reason: String,
    /// RFC 3339, or empty.
    pub revoked_at: String,
}

/// The certificates of the best path of a chain as served, the anchor aside; without a path the leaf alone.
pub fn questioned(chain: &[Vec<u8>], anchors: &Anchors, now: jiff::Timestamp) -> Vec<Questioned> {
    let sent: Vec<Parsed> = chain.iter().take(CHAIN).filter_map(|der| Parsed::read(der).ok()).collect();
    if chain.first().map(Vec::as_slice) != sent.first().map(|leaf| leaf.der.as_slice()) {
        return Vec::new();
    }
    let paths = Paths::search(sent.iter().collect(), anchors);
    let Some((path, _)) = paths.best(now.as_second()) else {
        let leaf = sent.first().filter(|leaf| !leaf.self_signed);
        let issuer = |leaf: &Parsed| issuer_of(leaf, &sent, anchors);
        return leaf.map(|leaf| Questioned::new(leaf, issuer(leaf), 0)).into_iter().collect();
    };
    let anchor = anchors.list.get(path.anchor);
    let on_path = paths.certificates(path);
    let mut all = Vec::new();
    for (n, certificate) in on_path.iter().enumerate() {
        if anchor.is_some_and(|anchor| anchor.is(certificate)) {
            break;
        }
        let issuer = match (on_path.get(n + 1), anchor) {
            (Some(above), _) => Some(Issuer::of(above)),
            (None, Some(anchor)) => {
                Some(Issuer { subject: anchor.subject.clone(), spki: anchor.spki.clone(), signs_lists: true })
            }
            (None, None) => None,
        };
        all.push(Questioned::new(certificate, issuer, n));
    }
    all
}

/// Who signed a leaf that no path leads from.
fn issuer_of(leaf: &Parsed, sent: &[Parsed], anchors: &Anchors) -> Option<Issuer> {
    let known = sent.iter().skip(1).chain(&anchors.known);
    let mut known = known.filter(|one| one.subject == leaf.issuer && one.no_issuer().is_none());
    known.find(|one| leaf.signed_by(&one.spki) == Outcome::Good).map(Issuer::of)
}

impl Issuer {
    fn of(certificate: &Parsed) -> Issuer {
        let usage = &certificate.extensions.key_usage;
        Issuer {
            subject: certificate.subject.clone(),
            spki: certificate.spki.clone(),
            signs_lists: usage.is_empty() || usage.iter().any(|word| word == "cRLSign"),
        }
    }
}

impl Questioned {
    fn new(certificate: &Parsed, issuer: Option<Issuer>, place: usize) -> Questioned {
        Questioned { certificate: certificate.clone(), issuer, place: u32::try_from(place).unwrap_or(u32::MAX) }
    }

    /// SHA-256 of the certificate.
    pub fn sha256(&self) -> &str {
        &self.certificate.sha256
    }

    /// The subject's name.
    pub fn subject(&self) -> &str {
        &self.certificate.subject_text
    }

    /// The addresses of its responders.
    pub fn responders(&self) -> &[String] {
        &self.certificate.extensions.ocsp
    }

    /// The addresses of its lists.
    pub fn lists(&self) -> &[String] {
        &self.certificate.extensions.crl
    }

    /// It lives for some days alone.
    pub fn is_short_lived(&self) -> bool {
        let life = self.certificate.not_after.saturating_sub(self.certificate.not_before);
        life < if self.certificate.not_before < SHORTER { 10 } else { 7 } * DAY
    }

    /// The request to a responder.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn request(&self) -> Result<Vec<u8>, String> {
        let issuer = self.issuer()?;
        ocsp::request(&self.certificate, &issuer.for_ocsp())
            .ok_or_else(|| "the issuer's key is not readable".to_owned())
    }

    /// What an OCSP response says, stapled or fetched.
    pub fn by_response(&self, response: &[u8], now: jiff::Timestamp) -> Said {
        let judged = self
            .issuer()
            .and_then(|issuer| ocsp::answer(response, &self.certificate, &issuer.for_ocsp(), now.as_second()));
        Said::of(judged)
    }

    /// What a list says.
    pub fn by_list(&self, list: &[u8], now: jiff::Timestamp) -> Said {
        let judged = self.issuer().and_then(|issuer| {
            if !issuer.signs_lists {
                return Err("the issuer's certificate does not allow it to sign lists".to_owned());
            }
            list::answer(list, &self.certificate, &issuer.for_ocsp(), now.as_second())
        });
        Said::of(judged)
    }

    fn issuer(&self) -> Result<&Issuer, String> {
        self.issuer.as_ref().ok_or_else(|| "the issuer's key, by which an answer is verified, was not sent".to_owned())
    }
}

impl Issuer {
    fn for_ocsp(&self) -> ocsp::Issuer<'_> {
        ocsp::Issuer { subject: &self.subject, spki: &self.spki }
    }
}

impl Said {
    /// No answer, for this reason.
    pub fn nothing(why: impl Into<String>) -> Said {
        let mut why = why.into();
        shorten(&mut why);
        let row = RevocationAnswer {
            source: String::new(),
            address: String::new(),
            status: Fact::unknown(why),
            signer: String::new(),
            this_update: String::new(),
            next_update: String::new(),
        };
        Said { row, reason: String::new(), revoked_at: String::new() }
    }

    fn of(judged: Result<Answer, String>) -> Said {
        let answer = match judged {
            Ok(answer) => answer,
            Err(why) => return Said::nothing(format!("the answer is not valid: {why}")),
        };
        let nothing = Said::nothing("the responder does not know the certificate");
        let status = match answer.word {
            "unknown" => nothing.row.status,
            word => Fact::Known(word.to_owned()),
        };
        let row = RevocationAnswer {
            status,
            signer: answer.signer.to_owned(),
            this_update: date(answer.this_update),
            next_update: answer.next_update.map(date).unwrap_or_default(),
            ..nothing.row
        };
        Said { row, reason: answer.reason, revoked_at: answer.revoked_at.map(date).unwrap_or_default() }
    }
}

/// The word of a reason (RFC 5280 section 5.3.1).
pub(super) fn reason_word(code: u8) -> &'static str {
    match code {
        1 => "keyCompromise",
        2 => "cACompromise",
        3 => "affiliationChanged",
        4 => "superseded",
        5 => "cessationOfOperation",
        6 => "certificateHold",
        8 => "removeFromCRL",
        9 => "privilegeWithdrawn",
        10 => "aACompromise",
        _ => NO_REASON,
    }
}
