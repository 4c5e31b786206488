//! Who a server is: its certificate is judged as a careful client would, the verdict is kept, and the session goes on.
//!
//! The session is a fact either way. Whoever sends a password, or trusts a header, looks at the verdict first.

use crate::model::{Reason, Trouble};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The most bytes of a file with authorities.
const CA_FILE: u64 = 8 * 1024 * 1024;

/// Whom a target's certificate may come from: Mozilla's authorities and those that the user named.
pub struct Authorities {
    verifier: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl Authorities {
    /// Reads the user's files.
    ///
    /// # Errors
    /// When a file cannot be read, is too large, or holds no certificate.
    pub fn new(files: &[PathBuf]) -> Result<Authorities, Trouble> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let mut pinned = Vec::new();
        for file in files {
            let certificates = read(file)?;
            // A leaf that signed itself cannot be an anchor of a path; it is compared by its bytes.
            roots.add_parsable_certificates(certificates.iter().cloned());
            pinned.extend(certificates);
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|_| Trouble::new(Reason::Internal, "the verifier of certificates could not be made"))?;
        Ok(Authorities { verifier, pinned, provider })
    }

    /// A set-up that ends the handshake with whom it does not trust.
    ///
    /// # Errors
    /// When TLS cannot be set up: a fault of ours.
    pub fn strict(&self) -> Result<ClientConfig, Trouble> {
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|_| Trouble::new(Reason::Internal, "TLS could not be set up"))?;
        Ok(config.with_webpki_verifier(Arc::clone(&self.verifier)).with_no_client_auth())
    }

    /// A set-up for TLS 1.2 and 1.3 as of this instant, and the witness that keeps its verdicts.
    ///
    /// # Errors
    /// When TLS cannot be set up: a fault of ours.
    pub fn config(&self, now: jiff::Timestamp) -> Result<(ClientConfig, Arc<Witness>), Trouble> {
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let witness = Arc::new(Witness {
            verifier: Arc::clone(&self.verifier),
            pinned: self.pinned.clone(),
            now: UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            verdicts: Mutex::new(None),
        });
        let verifier: Arc<dyn ServerCertVerifier> = witness.clone();
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|_| Trouble::new(Reason::Internal, "TLS could not be set up"))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        Ok((config, witness))
    }
}

/// The certificates in a file of the user's.
fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let words = |what: &str| format!("the authorities in {} {what}", file.display());
    let trouble = |what: &str| Trouble::new(Reason::Unsupported, words(what));
    let unreadable =
        |error: std::io::Error| Trouble::new(Reason::Unreachable, words(&format!("cannot be read: {error}")));
    let length = std::fs::metadata(file).map_err(unreadable)?.len();
    if length > CA_FILE {
        return Err(trouble("are too many"));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes).flatten().collect();
    if certificates.is_empty() { Err(trouble("are none in PEM form")) } else { Ok(certificates) }
}

/// Judges each certificate that it is shown, keeps the first fault, and lets the handshake go on.
#[derive(Debug)]
pub struct Witness {
    verifier: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
    now: UnixTime,
    /// Nothing until a certificate was shown.
    verdicts: Mutex<Option<Result<(), String>>>,
}

impl Witness {
    /// Why the server is not trusted, where it is not: one bad certificate among several connections is enough.
    pub fn distrust(&self) -> Option<String> {
        match &*self.verdicts.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Some("no certificate was shown".to_owned()),
            Some(verdict) => verdict.clone().err(),
        }
    }

    /// Whether a certificate was shown at all.
    pub fn has_judged(&self) -> bool {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn verdict(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
    ) -> Result<(), String> {
        if self.pinned.iter().any(|pinned| pinned == leaf) {
            return pinned_leaf(leaf, name, self.now);
        }
        match self.verifier.verify_server_cert(leaf, chain, name, &[], self.now) {
            Ok(_) => Ok(()),
            Err(rustls::Error::InvalidCertificate(why)) => Err(reason(&why).to_owned()),
            Err(_) => Err("its certificate cannot be verified".to_owned()),
        }
    }
}

/// A certificate that the user named itself: its name and dates still count.
fn pinned_leaf(leaf: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), String> {
    let faulty = || "its certificate cannot be read".to_owned();
    let (_, parsed) = x509_parser::parse_x509_certificate(leaf).map_err(|_| faulty())?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if now < validity.not_before.timestamp() || now > validity.not_after.timestamp() {
        return Err("its certificate is not valid at this time".to_owned());
    }
    let certificate = webpki::EndEntityCert::try_from(leaf).map_err(|_| faulty())?;
    certificate.verify_is_valid_for_subject_name(name).map_err(|_| "its certificate is for another name".to_owned())
}

fn reason(why: &rustls::CertificateError) -> &'static str {
    use rustls::CertificateError as Why;
    match why {
        Why::Expired | Why::ExpiredContext { .. } => "its certificate has expired",
        Why::NotValidYet | Why::NotValidYetContext { .. } => "its certificate is not valid yet",
        Why::UnknownIssuer => "its certificate leads to no authority that is trusted here",
        Why::NotValidForName | Why::NotValidForNameContext { .. } => "its certificate is for another name",
        _ => "its certificate cannot be verified",
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.verdict(leaf, chain, name);
        let mut held = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*held, Some(Err(_))) {
            *held = Some(verdict);
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(files: &[PathBuf]) -> Arc<Witness> {
        Authorities::new(files).unwrap().config("2026-11-25T00:00:00Z".parse().unwrap()).unwrap().1
    }

    fn shown(witness: &Witness, leaf: &[u8], name: &str) {
        let (leaf, name) = (CertificateDer::from(leaf.to_vec()), ServerName::try_from(name.to_owned()).unwrap());
        let time = UnixTime::since_unix_epoch(Duration::ZERO);
        assert!(witness.verify_server_cert(&leaf, &[], &name, &[], time).is_ok(), "the session goes on");
    }

    #[test]
    fn a_certificate_that_the_user_named_is_trusted_for_its_name_alone() {
        let own = rcgen::generate_simple_self_signed(vec!["a.example".to_owned()]).unwrap();
        let file = std::env::temp_dir().join(format!("probity-witness-{}.pem", std::process::id()));
        std::fs::write(&file, own.cert.pem()).unwrap();
        let named = [file.clone()];
        let known = witness(&named);
        assert_eq!(known.distrust().as_deref(), Some("no certificate was shown"));
        shown(&known, own.cert.der(), "a.example");
        assert_eq!(known.distrust(), None);
        shown(&known, own.cert.der(), "b.example");
        shown(&known, own.cert.der(), "a.example");
        assert_eq!(known.distrust().as_deref(), Some("its certificate is for another name"), "the fault stays");
        std::fs::remove_file(file).unwrap();

        let stranger = witness(&[]);
        shown(&stranger, own.cert.der(), "a.example");
        assert!(stranger.distrust().is_some());
    }

    #[test]
    fn files_without_certificates_are_refused() {
        assert!(Authorities::new(&["/nonexistent/ca.pem".into()]).is_err());
        assert!(Authorities::new(&["/dev/null".into()]).is_err());
    }
}
