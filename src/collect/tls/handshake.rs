//! A real handshake, for what only the holder of the keys of a session can read: TLS 1.3 certificates, ALPN, staples.
//!
//! Every certificate is accepted and recorded; whether it is any good is for `certificate` to say.
//! The signature of the handshake is verified, so what is recorded is a certificate whose key the server holds.

use super::certificate::{Hash, Outcome, Scheme, verify};
use crate::model::{Reason, Trouble};
use crate::net::Stream;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use x509_parser::prelude::FromDer as _;

/// Most bytes that are read of one connection.
const BYTES: usize = 512 * 1024;

/// What to ask for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// A DNS name, sent as SNI, or the text of an IP address, of which nothing is sent.
    pub server_name: String,
    /// The versions offered.
    pub versions: Versions,
    /// The signature schemes offered, which say what kinds of certificate keys will do.
    pub schemes: Vec<SignatureScheme>,
    /// The application protocols offered; none means no extension.
    pub alpn: Vec<String>,
    /// The groups offered; none means all that the library has.
    pub groups: Vec<u16>,
}

/// The versions that are offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// TLS 1.2 alone.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
    /// Both.
    Both,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: String,
    /// The certificates as sent, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// The stapled OCSP response.
    pub staple: Option<Vec<u8>>,
    /// The application protocol chosen.
    pub alpn: Option<String>,
    /// The suite chosen.
    pub suite: u16,
    /// The key exchange group chosen.
    pub group: Option<u16>,
    /// The scheme by which the server signed.
    pub scheme: Option<SignatureScheme>,
}

/// Makes a handshake over this stream and closes it.
///
/// A server that goes on to demand a certificate of ours, and refuses or hangs up without, has been seen all the same:
/// by then it has proven that it holds its key.
///
/// # Errors
/// Timed out; handshake rejected, with the alert's name; refused where the peer closes; protocol violation for
/// what is not TLS, or is wrong, a signature by another key included; too large.
pub async fn look(stream: Box<dyn Stream>, ask: &Ask, timeout: Duration) -> Result<Seen, Trouble> {
    let record = Arc::new(Record::new(&ask.schemes));
    let mut connection = connection(ask, Arc::clone(&record))?;
    let ended = match tokio::time::timeout(timeout, drive(stream, &mut connection)).await {
        Ok(ended) => ended,
        Err(_) => {
            let detail = format!("the handshake did not end within {} ms", timeout.as_millis());
            Err(Trouble::new(Reason::TimedOut, detail))
        }
    };
    let Kept { chain, staple, proven } = record.kept.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match ended {
        // In TLS 1.2 the refusal of our lack of a certificate comes before the end of the handshake.
        Err(trouble)
            if !(proven.is_some() && matches!(trouble.reason, Reason::HandshakeRejected | Reason::Refused)) =>
        {
            return Err(trouble);
        }
        _ => {}
    }
    let protocol = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3",
        _ => return Err(Trouble::new(Reason::Internal, "the handshake ended without a version")),
    };
    let suite = connection.negotiated_cipher_suite().map(|suite| u16::from(suite.suite()));
    Ok(Seen {
        protocol: protocol.to_owned(),
        chain,
        staple,
        alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        suite: suite.ok_or_else(|| Trouble::new(Reason::Internal, "the handshake ended without a suite"))?,
        group: connection.negotiated_key_exchange_group().map(|group| u16::from(group.name())),
        scheme: proven,
    })
}

/// A client that has not begun; every certificate is accepted.
///
/// # Errors
/// When the name cannot be sent.
pub(super) fn client(ask: &Ask) -> Result<ClientConnection, Trouble> {
    connection(ask, Arc::new(Record::new(&ask.schemes)))
}

fn connection(ask: &Ask, record: Arc<Record>) -> Result<ClientConnection, Trouble> {
    let mut config = config(ask, record)?;
    config.resumption = rustls::client::Resumption::disabled();
    connect(Arc::new(config), ask)
}

/// What the library needs to ask so. Sessions are kept as it likes by itself.
pub(super) fn config(ask: &Ask, record: Arc<Record>) -> Result<ClientConfig, Trouble> {
    let versions: &[&rustls::SupportedProtocolVersion] = match ask.versions {
        Versions::Tls12 => &[&rustls::version::TLS12],
        Versions::Tls13 => &[&rustls::version::TLS13],
        Versions::Both => &[&rustls::version::TLS13, &rustls::version::TLS12],
    };
    let mut provider = aws_lc_rs::default_provider();
    if !ask.groups.is_empty() {
        provider.kx_groups.retain(|group| ask.groups.contains(&u16::from(group.name())));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .map_err(|error| Trouble::new(Reason::Internal, error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(record)
        .with_no_client_auth();
    config.alpn_protocols = ask.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(config)
}

/// A connection that has not begun.
pub(super) fn connect(config: Arc<ClientConfig>, ask: &Ask) -> Result<ClientConnection, Trouble> {
    let host = ask.server_name.strip_suffix('.').unwrap_or(&ask.server_name);
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| Trouble::new(Reason::Unsupported, format!("{host} cannot be sent as a server name")))?;
    ClientConnection::new(config, name).map_err(|error| Trouble::new(Reason::Internal, error.to_string()))
}

/// Exchanges messages until the handshake has ended.
async fn drive(mut stream: Box<dyn Stream>, connection: &mut ClientConnection) -> Result<(), Trouble> {
    let mut buffer = vec![0; 16 * 1024];
    let mut total = 0;
    loop {
        send(&mut stream, connection).await?;
        if !connection.is_handshaking() {
            connection.send_close_notify();
            // The end is a courtesy: what was to be seen has been seen.
            let _ = send(&mut stream, connection).await;
            return Ok(());
        }
        let count = stream.read(&mut buffer).await.map_err(lost)?;
        if count == 0 {
            return Err(closed(total));
        }
        total += count;
        if total > BYTES {
            return Err(Trouble::new(Reason::TooLarge, format!("the handshake is longer than {BYTES} bytes")));
        }
        let mut rest = buffer.get(..count).unwrap_or_default();
        while !rest.is_empty() && connection.is_handshaking() {
            let taken = connection.read_tls(&mut rest).map_err(lost)?;
            if let Err(error) = connection.process_new_packets() {
                // Our alert is a courtesy, too.
                let _ = send(&mut stream, connection).await;
                return Err(refusal(&error));
            }
            if taken == 0 {
                return Err(closed(total));
            }
        }
    }
}

pub(super) async fn send(stream: &mut Box<dyn Stream>, connection: &mut ClientConnection) -> Result<(), Trouble> {
    let mut out = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut out).map_err(lost)?;
    }
    stream.write_all(&out).await.map_err(lost)?;
    stream.flush().await.map_err(lost)
}

pub(super) fn closed(total: usize) -> Trouble {
    Trouble::new(Reason::Refused, format!("the peer closed the connection during the handshake, after {total} bytes"))
}

pub(super) fn lost(error: std::io::Error) -> Trouble {
    Trouble::new(Reason::Refused, format!("the connection broke during the handshake: {error}"))
}

/// What an error of the handshake means.
pub(super) fn refusal(error: &Error) -> Trouble {
    match error {
        Error::AlertReceived(alert) => {
            Trouble::new(Reason::HandshakeRejected, format!("alert {}", snake(&format!("{alert:?}"))))
        }
        // Nothing of ours was refused: the server chose what this library does not speak.
        Error::PeerIncompatible(why) => Trouble::new(Reason::Unsupported, format!("nothing in common: {why:?}")),
        Error::InvalidCertificate(CertificateError::BadSignature) => {
            Trouble::new(Reason::ProtocolViolation, "the handshake is not signed by the key of the certificate")
        }
        Error::InvalidMessage(why) => Trouble::new(Reason::ProtocolViolation, format!("not a TLS handshake: {why:?}")),
        other => Trouble::new(Reason::ProtocolViolation, other.to_string()),
    }
}

/// `HandshakeFailure` as the specifications write it: `handshake_failure`.
fn snake(camel: &str) -> String {
    let mut out = String::with_capacity(camel.len() + 4);
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// A verifier that accepts every certificate and keeps it.
#[derive(Debug)]
pub(super) struct Record {
    kept: Mutex<Kept>,
    algorithms: WebPkiSupportedAlgorithms,
    schemes: Vec<SignatureScheme>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    chain: Vec<Vec<u8>>,
    staple: Option<Vec<u8>>,
    /// The signature of the handshake was good.
    proven: Option<SignatureScheme>,
}

impl Record {
    /// For keys that sign by these schemes.
    pub(super) fn new(schemes: &[SignatureScheme]) -> Record {
        let provider: CryptoProvider = aws_lc_rs::default_provider();
        let (algorithms, schemes) = (provider.signature_verification_algorithms, schemes.to_vec());
        Record { kept: Mutex::default(), algorithms, schemes }
    }

    /// The provider refuses keys that are too weak for it and certificates of version 1; the signature may be good all the same.
    fn settle(
        &self,
        by_provider: Result<HandshakeSignatureValid, Error>,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if !self.schemes.contains(&signed.scheme) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        if by_provider.is_err() && !own_verification(message, leaf, signed) {
            return Err(CertificateError::BadSignature.into());
        }
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).proven = Some(signed.scheme);
        Ok(HandshakeSignatureValid::assertion())
    }
}

fn own_verification(message: &[u8], leaf: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> bool {
    let scheme = match signed.scheme {
        SignatureScheme::RSA_PKCS1_SHA256 => Scheme::Pkcs1(Hash::Sha256),
        SignatureScheme::RSA_PKCS1_SHA384 => Scheme::Pkcs1(Hash::Sha384),
        SignatureScheme::RSA_PKCS1_SHA512 => Scheme::Pkcs1(Hash::Sha512),
        SignatureScheme::RSA_PSS_SHA256 => Scheme::Pss(Hash::Sha256),
        SignatureScheme::RSA_PSS_SHA384 => Scheme::Pss(Hash::Sha384),
        SignatureScheme::RSA_PSS_SHA512 => Scheme::Pss(Hash::Sha512),
        SignatureScheme::ECDSA_NISTP256_SHA256 => Scheme::Ecdsa(Hash::Sha256),
        SignatureScheme::ECDSA_NISTP384_SHA384 => Scheme::Ecdsa(Hash::Sha384),
        SignatureScheme::ECDSA_NISTP521_SHA512 => Scheme::Ecdsa(Hash::Sha512),
        SignatureScheme::ED25519 => Scheme::Ed25519,
        // Keys for PSS alone, which the provider does not know.
        SignatureScheme::Unknown(0x0809) => Scheme::Pss(Hash::Sha256),
        SignatureScheme::Unknown(0x080A) => Scheme::Pss(Hash::Sha384),
        SignatureScheme::Unknown(0x080B) => Scheme::Pss(Hash::Sha512),
        _ => return false,
    };
    match x509_parser::certificate::X509Certificate::from_der(leaf) {
        Ok((_, leaf)) => {
            verify(scheme, leaf.tbs_certificate.subject_pki.raw, message, signed.signature()) == Outcome::Good
        }
        Err(_) => false,
    }
}

impl ServerCertVerifier for Record {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec()).collect();
        kept.staple = Some(ocsp_response.to_vec()).filter(|response| !response.is_empty());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.settle(verify_tls12_signature(message, cert, dss, &self.algorithms), message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.settle(verify_tls13_signature(message, cert, dss, &self.algorithms), message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::key_kind::{KeyKind, schemes_of};
    use super::*;

    #[test]
    fn alerts_are_named_as_in_the_specification() {
        let alert = refusal(&Error::AlertReceived(rustls::AlertDescription::HandshakeFailure));
        assert_eq!((alert.reason, alert.detail.as_str()), (Reason::HandshakeRejected, "alert handshake_failure"));
    }

    #[test]
    fn schemes_are_narrowed() {
        let offered = |kinds: &[KeyKind]| Record::new(&schemes_of(kinds)).supported_verify_schemes();
        assert_eq!(offered(&[KeyKind::Ed25519]), [SignatureScheme::ED25519]);
        assert!(!offered(&[KeyKind::Ecdsa]).contains(&SignatureScheme::RSA_PSS_SHA256));
        assert!(offered(&[KeyKind::Rsa]).contains(&SignatureScheme::RSA_PSS_SHA256));
        assert!(offered(&KeyKind::ALL).len() > offered(&[KeyKind::Rsa]).len());
    }
}
