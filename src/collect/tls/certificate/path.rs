//! All paths from a leaf to an anchor, and what is wrong with each.
//!
//! The search is our own, since `webpki` refuses much that is weak without being untrusted. Where
//! nothing on a path is unusual, `webpki` must agree before it counts as trusted.

use super::anchors::{Anchor, Anchors};
use super::names::Judgement;
use super::parsed::Parsed;
use super::signature::{Hash, Outcome, Scheme};
use rustls::pki_types::{CertificateDer, UnixTime};
use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Most certificates on a path, anchors not counted.
const LENGTH: usize = 10;
/// Most signatures that are verified for one leaf.
const SIGNATURES: usize = 128;
/// Most certificates that are visited for one leaf.
const STEPS: usize = 4096;
/// Most paths that are kept.
const PATHS: usize = 64;

/// The paths of a leaf.
pub(super) struct Paths<'a> {
    /// The leaf, the other certificates sent, and those added to try.
    pub pool: Vec<&'a Parsed>,
    pub found: Vec<Path>,
    /// Every certificate that a path leads to, whether or not it goes on to an anchor; the leaf included.
    pub reached: BTreeSet<usize>,
    /// Why edges were not taken.
    pub notes: Vec<String>,
    /// The search was cut short.
    pub exhausted: bool,
    anchors: &'a Anchors,
    signatures: BTreeMap<(usize, Issuer), Outcome>,
    steps: usize,
}

/// A path from the leaf to an anchor.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// Into the pool, leaf first.
    pub certificates: Vec<usize>,
    /// Into the list of anchors.
    pub anchor: usize,
    /// Signatures that could not be verified.
    unsure: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Issuer {
    Sent(usize),
    Anchor(usize),
}

/// What a path is worth; the lower, the better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Worth {
    Trusted,
    /// Trust cannot be told, for this reason.
    Unsure(String),
    /// The word for what is wrong, and why.
    Refused(&'static str, String),
}

impl<'a> Paths<'a> {
    /// Searches; the first of the pool is the leaf.
    pub fn search(pool: Vec<&'a Parsed>, anchors: &'a Anchors) -> Paths<'a> {
        let mut paths = Paths {
            pool,
            found: Vec::new(),
            reached: BTreeSet::new(),
            notes: Vec::new(),
            exhausted: false,
            anchors,
            signatures: BTreeMap::new(),
            steps: 0,
        };
        if !paths.pool.is_empty() {
            paths.visit(&mut vec![0], &mut Vec::new());
        }
        paths
    }

    fn visit(&mut self, path: &mut Vec<usize>, unsure: &mut Vec<String>) {
        self.steps += 1;
        if self.steps > STEPS || self.found.len() >= PATHS {
            self.exhausted = true;
            return;
        }
        let Some((top, certificate)) = path.last().and_then(|top| Some((*top, *self.pool.get(*top)?))) else { return };
        self.reached.insert(top);
        self.end(path, unsure, top, certificate);
        // The search goes on above an anchor that was sent: it may be cross-signed, and older clients need that.
        for n in 0..self.pool.len() {
            let Some(issuer) = self.pool.get(n).copied() else { continue };
            let mut below = path.iter().filter_map(|at| self.pool.get(*at));
            let looped = below.any(|at| at.subject == issuer.subject && at.spki == issuer.spki);
            if issuer.subject != certificate.issuer || looped {
                continue;
            }
            if let Some(why) = issuer.no_issuer() {
                self.note(format!("the certificate of {} {why}", issuer.subject_text));
                continue;
            }
            if path.len() >= LENGTH {
                self.exhausted = true;
                continue;
            }
            let Some(doubt) = self.edge(top, Issuer::Sent(n), &issuer.spki, &issuer.subject_text) else { continue };
            let depth = unsure.len();
            unsure.extend(doubt);
            path.push(n);
            self.visit(path, unsure);
            path.pop();
            unsure.truncate(depth);
        }
    }

    /// Records the paths that end here: at a copy of an anchor, or by an anchor's signature.
    fn end(&mut self, path: &[usize], unsure: &[String], top: usize, certificate: &Parsed) {
        let anchors = self.anchors;
        for (n, anchor) in anchors.list.iter().enumerate() {
            let doubt = if ends_at(anchor, certificate, path.len() == 1) {
                None
            } else if anchor.subject == certificate.issuer && anchor.may_issue() {
                let Some(doubt) = self.edge(top, Issuer::Anchor(n), &anchor.spki, &anchor.name) else { continue };
                doubt
            } else {
                continue;
            };
            let unsure = unsure.iter().cloned().chain(doubt).collect();
            self.found.push(Path { certificates: path.to_vec(), anchor: n, unsure });
        }
    }

    /// Nothing where the issuer did not sign; else what is in doubt.
    fn edge(&mut self, from: usize, to: Issuer, spki: &[u8], name: &str) -> Option<Option<String>> {
        let outcome = match self.signatures.get(&(from, to)) {
            Some(outcome) => outcome.clone(),
            None if self.signatures.len() >= SIGNATURES => {
                self.exhausted = true;
                return None;
            }
            None => {
                let outcome = self.pool.get(from)?.signed_by(spki);
                self.signatures.insert((from, to), outcome.clone());
                outcome
            }
        };
        match outcome {
            Outcome::Good => Some(None),
            Outcome::Unable(why) => Some(Some(why)),
            Outcome::Bad => {
                let subject =
                    self.pool.get(from).map(|certificate| certificate.subject_text.clone()).unwrap_or_default();
                self.note(format!("the signature of {subject} is not by the key of {name}"));
                None
            }
        }
    }

    fn note(&mut self, note: String) {
        if self.notes.len() < 8 && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The best path at a time, with its worth.
    pub fn best(&self, now: i64) -> Option<(&Path, Worth)> {
        // The second opinion is about the chain as a whole, so it is asked for once.
        let second = LazyCell::new(|| self.webpki(now));
        let judged = self.found.iter().map(|path| (path, self.judge(path, now, || LazyCell::force(&second).clone())));
        judged.min_by(|a, b| a.1.cmp(&b.1))
    }

    /// The certificates of a path, leaf first, and the user's own certificate at its end.
    pub fn certificates(&self, path: &Path) -> Vec<&Parsed> {
        let own = self.anchors.list.get(path.anchor).and_then(|anchor| anchor.own.as_ref());
        let mut list: Vec<&Parsed> = path.certificates.iter().filter_map(|n| self.pool.get(*n).copied()).collect();
        if let (Some(anchor), Some(last)) = (self.anchors.list.get(path.anchor), list.last())
            && list.len() > 1
            && anchor.is(last)
        {
            // A copy of the anchor that was sent is not what clients use.
            list.pop();
        }
        if let Some(own) = own
            && list.last().is_none_or(|last| last.der != own.der)
        {
            list.push(own);
        }
        list
    }

    /// Whether this certificate is a copy of the anchor of some path.
    pub fn ends_in(&self, certificate: &Parsed) -> bool {
        let ends = self.found.iter().filter_map(|path| self.anchors.list.get(path.anchor));
        ends.into_iter().any(|anchor| anchor.is(certificate))
    }

    fn judge(&self, path: &Path, now: i64, second: impl Fn() -> Option<webpki::Error>) -> Worth {
        let certificates = self.certificates(path);
        let Some(anchor) = self.anchors.list.get(path.anchor) else {
            return Worth::Unsure("the anchor is not there".to_owned());
        };
        let mut wrong = Vec::new();
        let mut unsure = path.unsure.clone();
        let leaf_is_anchor =
            anchor.own.as_ref().is_some_and(|own| certificates.first().is_some_and(|leaf| leaf.der == own.der));
        let mut below = 0u32;
        for (n, certificate) in certificates.iter().enumerate() {
            dates(certificate, now, &mut wrong);
            purposes(certificate, &mut wrong);
            if n > 0 {
                if certificate.extensions.path_length.is_some_and(|limit| below > limit) {
                    wrong.push((
                        "not-for-server",
                        format!("{} allows fewer authorities below it", certificate.subject_text),
                    ));
                }
                below += u32::from(certificate.subject != certificate.issuer);
            } else if certificate.extensions.ca && !leaf_is_anchor {
                wrong.push(("not-for-server", "the certificate is an authority's own".to_owned()));
            }
        }
        let own = certificates.iter().skip(1).filter_map(|authority| authority.extensions.constraints.as_ref());
        if let Some(leaf) = certificates.first() {
            for constraints in own.chain(anchor.constraints.as_ref()) {
                match constraints.judge(&leaf.names()) {
                    Judgement::Allowed => {}
                    Judgement::Forbidden(name) => {
                        wrong.push(("not-for-server", format!("name constraints on the path forbid {name}")));
                    }
                    Judgement::Unable(why) => unsure.push(why),
                }
            }
        }
        // The order of the words: what is first is what the whole path is called.
        wrong.sort_by_key(|(word, _)| {
            ["untrusted", "expired", "not-yet-valid", "not-for-server"].iter().position(|known| known == word)
        });
        if let Some((word, _)) = wrong.first() {
            let details: Vec<_> = wrong.iter().map(|(_, detail)| detail.as_str()).collect();
            return Worth::Refused(word, details.join("; "));
        }
        let usual = !leaf_is_anchor && usual(&certificates);
        confirm(usual, &unsure, second)
    }

    /// What a second validator objects to.
    fn webpki(&self, now: i64) -> Option<webpki::Error> {
        let ders: Vec<CertificateDer<'_>> =
            self.pool.iter().map(|parsed| CertificateDer::from(parsed.der.as_slice())).collect();
        let Some((leaf, others)) = ders.split_first() else { return Some(webpki::Error::UnknownIssuer) };
        let time = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now).unwrap_or(0)));
        let usage = webpki::KeyUsage::server_auth();
        let anchors = &self.anchors.webpki;
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        webpki::EndEntityCert::try_from(leaf)
            .and_then(|leaf| leaf.verify_for_usage(algorithms, anchors, others, time, usage, None, None).map(drop))
            .err()
    }
}

/// Lets `webpki` confirm what it can, and decide what the search could not.
fn confirm(usual: bool, unsure: &[String], second: impl Fn() -> Option<webpki::Error>) -> Worth {
    if unsure.is_empty() && !usual {
        return Worth::Trusted;
    }
    match second() {
        None => Worth::Trusted,
        Some(error) if unsure.is_empty() => {
            Worth::Unsure(format!("a path is there, but a second validator refuses it: {error}"))
        }
        Some(_) => Worth::Unsure(unsure.join("; ")),
    }
}

/// Whether a certificate is the end of a path. A leaf is only where the user trusts that very certificate.
fn ends_at(anchor: &Anchor, certificate: &Parsed, leaf: bool) -> bool {
    if leaf {
        anchor.own.as_ref().is_some_and(|own| own.der == certificate.der)
    } else {
        anchor.may_issue() && anchor.is(certificate)
    }
}

fn dates(certificate: &Parsed, now: i64, wrong: &mut Vec<(&'static str, String)>) {
    let name = &certificate.subject_text;
    if now > certificate.not_after {
        wrong.push(("expired", format!("{name} ended on {}", super::date(certificate.not_after))));
    }
    if now < certificate.not_before {
        wrong.push(("not-yet-valid", format!("{name} begins on {}", super::date(certificate.not_before))));
    }
}

fn purposes(certificate: &Parsed, wrong: &mut Vec<(&'static str, String)>) {
    let name = &certificate.subject_text;
    if let Some(why) = &certificate.extensions.refused {
        wrong.push(("untrusted", format!("{name} must be refused: {why}")));
    }
    if certificate.extensions.server_auth == Some(false) {
        wrong.push(("not-for-server", format!("{name} is not for servers (extended key usage)")));
    }
}

/// Whether everything on a path is of the kind that `webpki` takes.
fn usual(path: &[&Parsed]) -> bool {
    let keys = path.iter().all(|certificate| {
        let key = certificate.key().facts;
        key.key_type != "RSA" || (2048..=8192).contains(&key.bits)
    });
    keys && path.iter().all(|certificate| {
        let scheme = matches!(
            certificate.algorithm.scheme,
            Some(
                Scheme::Pkcs1(Hash::Sha256 | Hash::Sha384 | Hash::Sha512)
                    | Scheme::Ecdsa(Hash::Sha256 | Hash::Sha384)
                    | Scheme::Ed25519
            )
        );
        certificate.version == 3 && scheme
    })
}
