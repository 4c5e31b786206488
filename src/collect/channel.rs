//! The TLS channel to a server of databases: who it is, and whether it may have a password.

use super::CollectContext;
use super::limit::{self, Limit};
use super::witness::Authorities;
use crate::model::database::Session;
use crate::model::{Reason, Target, Trouble};
use crate::net::Stream;
use rustls::pki_types::{CertificateDer, ServerName};
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Time for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

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
    authorities: Authorities,
    name: ServerName<'static>,
}

impl Settings {
    /// The settings of a target: Mozilla's authorities and those that the user named.
    pub fn of(target: &Target) -> Result<Settings, Trouble> {
        let name = target.connection.server_name.clone().unwrap_or_else(|| target.connection.host.clone());
        let name = ServerName::try_from(name).map_err(|_| {
            Trouble::new(Reason::Unsupported, "the host is neither a DNS name nor an address, so TLS cannot name it")
        })?;
        Ok(Settings { authorities: Authorities::new(&target.connection.ca_files)?, name })
    }

    /// Makes a TLS session on a connection whose server waits for it.
    pub async fn handshake(&self, cx: &CollectContext, stream: Box<dyn Stream>) -> Result<Channel, Trouble> {
        let (config, witness) = self.authorities.config(cx.clock.now())?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let limit = Limit::new(HANDSHAKE, "the TLS handshake");
        let stream = limit::run(cx, limit, connector.connect(self.name.clone(), stream))
            .await?
            .map_err(|error| refused(&error))?;
        let (_, connection) = stream.get_ref();
        let session = session(connection.protocol_version(), connection.negotiated_cipher_suite())?;
        let leaf = connection.peer_certificates().and_then(<[_]>::first);
        let binding = leaf.and_then(|leaf| end_point(leaf));
        Ok(Channel { stream: Box::new(stream), session, distrust: witness.distrust(), binding })
    }
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
