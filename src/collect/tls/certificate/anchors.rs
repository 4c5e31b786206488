//! What trust starts from: Mozilla's roots as pinned in this build, and the user's own authorities.

use super::der;
use super::names::Constraints;
use super::parsed::{Parsed, constraints_in};
use crate::model::{Reason, Trouble};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, TrustAnchor};
use std::path::{Path, PathBuf};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

/// The version of `webpki-roots` in this build, asserted against Cargo.lock by a test.
const ROOTS_VERSION: &str = "1.0.10";
/// When that version was published.
const ROOTS_DATE: &str = "2026-10";

/// A set of anchors.
#[derive(Clone)]
pub struct Anchors {
    pub(super) list: Vec<Anchor>,
    /// The same for `webpki`.
    pub(super) webpki: Vec<TrustAnchor<'static>>,
    /// Intermediate certificates that servers should send, for telling `incomplete` from `untrusted`.
    pub(super) known: Vec<Parsed>,
    pub(super) private: usize,
}

/// One anchor: a name and a key that are trusted.
#[derive(Clone)]
pub(super) struct Anchor {
    /// The name in DER.
    pub subject: Vec<u8>,
    pub name: String,
    pub spki: Vec<u8>,
    pub constraints: Option<Constraints>,
    /// The user's own certificate.
    pub own: Option<Parsed>,
}

impl Anchors {
    /// Mozilla's roots and the certificates in these PEM files.
    ///
    /// # Errors
    /// When a file cannot be read, or holds no certificate or a broken one.
    pub fn new(extra_pem: &[PathBuf]) -> Result<Anchors, Trouble> {
        let roots = webpki_roots::TLS_SERVER_ROOTS;
        let mut anchors = Anchors {
            list: roots.iter().map(public).collect(),
            webpki: roots.iter().map(TrustAnchor::to_owned).collect(),
            known: Vec::new(),
            private: 0,
        };
        for file in extra_pem {
            for certificate in certificates(file)? {
                let broken = |why: String| broken(file, &why);
                let own = Parsed::read(&certificate).map_err(broken)?;
                // A certificate that webpki cannot take as an anchor is still one for the search of our own.
                if let Ok(anchor) = webpki::anchor_from_trusted_cert(&certificate) {
                    anchors.webpki.push(anchor.to_owned());
                }
                anchors.list.push(Anchor {
                    subject: own.subject.clone(),
                    name: own.subject_text.clone(),
                    spki: own.spki.clone(),
                    constraints: own.extensions.constraints.clone(),
                    own: Some(own),
                });
                anchors.private += 1;
            }
        }
        Ok(anchors)
    }

    /// Makes intermediate certificates known, such as those that other deployments of a server send.
    ///
    /// They are not trusted. A chain that reaches an anchor only with one of them is `incomplete`;
    /// where none is known that helps, it is `untrusted`. At most 4096 are kept.
    #[must_use]
    pub fn knowing(mut self, intermediates: &[Vec<u8>]) -> Anchors {
        let room = 4096usize.saturating_sub(self.known.len());
        let parsed = intermediates.iter().take(room).filter_map(|der| Parsed::read(der).ok());
        self.known.extend(parsed.filter(|known| known.extensions.ca && !known.self_signed));
        self
    }

    /// What judges trust, for example `mozilla 2026-10 (webpki-roots 1.0.10)`.
    pub fn label(&self) -> String {
        let public = format!("mozilla {ROOTS_DATE} (webpki-roots {ROOTS_VERSION})");
        match self.private {
            0 => public,
            1 => format!("{public} and 1 certificate of the configuration"),
            more => format!("{public} and {more} certificates of the configuration"),
        }
    }
}

impl Anchor {
    /// Whether this certificate holds the anchor's name and key.
    pub fn is(&self, certificate: &Parsed) -> bool {
        self.subject == certificate.subject && self.spki == certificate.spki
    }
}

fn public(root: &TrustAnchor<'_>) -> Anchor {
    let subject = der::sequence(&root.subject);
    let name = X509Name::from_der(&subject).map(|(_, name)| name.to_string()).unwrap_or_default();
    Anchor {
        name,
        spki: der::sequence(&root.subject_public_key_info),
        constraints: root.name_constraints.as_ref().map(|constraints| constraints_in(constraints)),
        own: None,
        subject,
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let text = std::fs::read(file)
        .map_err(|error| Trouble::new(Reason::Unreachable, format!("{}: {error}", file.display())))?;
    let list: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| broken(file, &error.to_string()))?;
    if list.is_empty() {
        return Err(broken(file, "it holds no certificate in PEM form"));
    }
    Ok(list)
}

fn broken(file: &Path, why: &str) -> Trouble {
    Trouble::new(Reason::ProtocolViolation, format!("{} cannot be used: {why}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_names_the_roots_that_are_linked() {
        let lock = include_str!("../../../../Cargo.lock");
        let entry = lock.split("[[package]]").find(|entry| entry.contains("name = \"webpki-roots\"")).unwrap();
        assert!(entry.contains(&format!("version = \"{ROOTS_VERSION}\"")), "{entry}");
        assert_eq!(Anchors::new(&[]).unwrap().label(), "mozilla 2026-10 (webpki-roots 1.0.10)");
    }

    #[test]
    fn every_public_root_is_read() {
        let anchors = Anchors::new(&[]).unwrap();
        assert!(anchors.list.len() > 100);
        assert!(anchors.list.iter().all(|anchor| !anchor.name.is_empty()));
        assert!(anchors.list.iter().any(|anchor| anchor.constraints.is_some()));
    }

    #[test]
    fn a_missing_or_empty_file_is_a_trouble() {
        let missing = Anchors::new(&["/nowhere/ca.pem".into()]).err().unwrap();
        assert_eq!(missing.reason, Reason::Unreachable);
        let empty = Anchors::new(&["Cargo.toml".into()]).err().unwrap();
        assert_eq!(empty.reason, Reason::ProtocolViolation);
    }
}
