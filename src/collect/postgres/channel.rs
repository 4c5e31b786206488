//! The TLS channel to a server: who it is, and whether it may have a password.

use super::limit::{self, Limit};
use crate::collect::CollectContext;
use crate::model::database::Session;
use crate::model::{Reason, Target, Trouble};
use crate::net::Stream;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// Time for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// The most bytes of a file with authorities.
const CA_FILE: u64 = 8 * 1024 * 1024;

/// A TLS session with a server, over which nothing was sent yet.
pub struct Channel {
    /// The stream inside it.
    pub stream: Box<dyn Stream>,
    /// What was agreed on.
    pub session: Session,
    /// Why the server's certificate is not trusted, where it is not. Then no password may be sent.
    pub distrust: Option<String>,
    /// The hash of the certificate that ties a login to this session (RFC 5929).
    pub binding: Option<Vec<u8>>,
}

/// How to speak TLS with one target.
pub struct Settings {
    verifier: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
    name: ServerName<'static>,
    now: UnixTime,
    provider: Arc<CryptoProvider>,
}

impl Settings {
    /// The settings of a target: Mozilla's authorities and those that the user named.
    pub fn of(target: &Target, cx: &CollectContext) -> Result<Settings, Trouble> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let mut pinned = Vec::new();
        for file in &target.connection.ca_files {
            let certificates = authorities(file)?;
            // A leaf that signed itself cannot be an anchor of a path; it is compared by its bytes.
            roots.add_parsable_certificates(certificates.iter().cloned());
            pinned.extend(certificates);
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|_| Trouble::new(Reason::Internal, "the verifier of certificates could not be made"))?;
        let name = target.connection.server_name.clone().unwrap_or_else(|| target.connection.host.clone());
        let name = ServerName::try_from(name).map_err(|_| {
            Trouble::new(Reason::Unsupported, "the host is neither a DNS name nor an address, so TLS cannot name it")
        })?;
        let seconds = u64::try_from(cx.clock.now().as_second()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        Ok(Settings { verifier, pinned, name, now, provider })
    }

    /// Makes a TLS session on a connection whose server waits for it.
    pub async fn handshake(&self, cx: &CollectContext, stream: Box<dyn Stream>) -> Result<Channel, Trouble> {
        let distrust = Arc::new(Mutex::new(Some("no certificate was shown".to_owned())));
        let witness = Witness {
            verifier: Arc::clone(&self.verifier),
            pinned: self.pinned.clone(),
            now: self.now,
            distrust: Arc::clone(&distrust),
        };
        let config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(|_| Trouble::new(Reason::Internal, "TLS could not be set up"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(witness))
            .with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let limit = Limit::new(HANDSHAKE, "the TLS handshake");
        let stream = limit::run(cx, limit, connector.connect(self.name.clone(), stream))
            .await?
            .map_err(|error| refused(&error))?;
        let (_, connection) = stream.get_ref();
        let session = session(connection.protocol_version(), connection.negotiated_cipher_suite())?;
        let leaf = connection.peer_certificates().and_then(<[_]>::first);
        let binding = leaf.and_then(|leaf| end_point(leaf));
        let distrust = distrust.lock().map_or_else(|_| Some("not looked at".to_owned()), |held| held.clone());
        Ok(Channel { stream: Box::new(stream), session, distrust, binding })
    }
}

/// The certificates in a file of the user's.
fn authorities(file: &std::path::Path) -> Result<Vec<CertificateDer<'static>>, Trouble> {
    let trouble =
        |what: &str| Trouble::new(Reason::Unsupported, format!("the authorities in {} {what}", file.display()));
    let length = std::fs::metadata(file).map_err(|_| trouble("cannot be read"))?.len();
    if length > CA_FILE {
        return Err(trouble("are too many"));
    }
    let bytes = std::fs::read(file).map_err(|_| trouble("cannot be read"))?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&bytes).flatten().collect();
    if certificates.is_empty() { Err(trouble("are none in PEM form")) } else { Ok(certificates) }
}

fn refused(error: &io::Error) -> Trouble {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return Trouble::new(Reason::Refused, format!("the TLS handshake broke off: {}", error.kind()));
    };
    match error {
        rustls::Error::AlertReceived(alert) => {
            Trouble::new(Reason::HandshakeRejected, format!("the server ended the TLS handshake with alert {alert:?}"))
        }
        rustls::Error::PeerIncompatible(_) => Trouble::new(
            Reason::HandshakeRejected,
            "the server offers TLS in no form that is safe to log in over (TLS 1.2 or newer)",
        ),
        _ => Trouble::new(Reason::ProtocolViolation, "the server broke the rules of the TLS handshake"),
    }
}

fn session(
    version: Option<rustls::ProtocolVersion>,
    suite: Option<rustls::SupportedCipherSuite>,
) -> Result<Session, Trouble> {
    let missing = || Trouble::new(Reason::Internal, "a TLS session without version or cipher");
    let protocol = match version.ok_or_else(missing)? {
        rustls::ProtocolVersion::TLSv1_2 => "TLSv1.2",
        rustls::ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => return Err(missing()),
    };
    let name = suite.ok_or_else(missing)?.suite().as_str().unwrap_or("unknown").replace("TLS13_", "TLS_");
    // Every suite that we speak is AES-128, AES-256 or ChaCha20.
    let bits = if name.contains("AES_128") { 128 } else { 256 };
    Ok(Session { protocol: protocol.to_owned(), cipher: name, bits })
}

/// The channel binding `tls-server-end-point` of RFC 5929, where the signature names its hash.
fn end_point(leaf: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, certificate) = x509_parser::parse_x509_certificate(leaf).ok()?;
    let algorithm = certificate.signature_algorithm.algorithm.to_id_string();
    match algorithm.as_str() {
        // MD5, SHA-1 and SHA-256 with RSA; SHA-1 and SHA-256 with ECDSA
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => Some(Sha256::digest(leaf).to_vec()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Sha384::digest(leaf).to_vec()),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Sha512::digest(leaf).to_vec()),
        _ => None,
    }
}

/// Verifies the certificate, keeps the verdict, and lets the handshake go on.
///
/// The session is a fact either way. Whoever sends a password looks at the verdict first.
#[derive(Debug)]
struct Witness {
    verifier: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
    now: UnixTime,
    distrust: Arc<Mutex<Option<String>>>,
}

impl Witness {
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
        let verdict = self.verdict(leaf, chain, name).err();
        match self.distrust.lock() {
            Ok(mut held) => *held = verdict,
            Err(_) => return Err(rustls::Error::General("a verdict was lost".to_owned())),
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

/// Hands the driver a channel that is already made.
#[derive(Clone)]
pub struct Made(pub Option<Vec<u8>>);

impl<S: AsyncRead + AsyncWrite + Unpin> TlsConnect<S> for Made {
    type Stream = Bound<S>;
    type Error = io::Error;
    type Future = Ready<Result<Bound<S>, io::Error>>;

    fn connect(self, stream: S) -> Self::Future {
        ready(Ok(Bound { stream, binding: self.0 }))
    }
}

/// A stream that knows the binding of its channel.
pub struct Bound<S> {
    stream: S,
    binding: Option<Vec<u8>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Bound<S> {
    fn channel_binding(&self) -> ChannelBinding {
        self.binding.clone().map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bound<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
