//! Facts about revocation: the data of `tls.revocation`.

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `tls.revocation`: what staples, and responders and lists where they were asked, say of the certificates of each path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Revocation {
    /// Responders and lists were to be asked; else staples alone were read.
    pub asked: bool,
    /// A row for each certificate of the path of each deployment, the anchor aside: nothing revokes that.
    pub certificates: Vec<CertificateStatus>,
    /// The deployments with a certificate that is revoked, by the SHA-256 of their leaf.
    pub revoked: Vec<String>,
}

/// What is known of one certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateStatus {
    /// The deployment, by the SHA-256 of its leaf.
    pub deployment: String,
    /// SHA-256 of the certificate.
    pub sha256: String,
    /// The subject's name.
    pub subject: String,
    /// Its place on the path: 0 is the leaf.
    pub place: u32,
    /// Something was stapled, or responders and lists were to be asked.
    pub looked: bool,
    /// `good` or `revoked`; unknown with the reason where no valid answer says either.
    pub status: Fact<String>,
    /// What said so: `staple`, `ocsp` or `crl`; empty where nothing did.
    pub source: String,
    /// Why it was revoked, by the words of RFC 5280 section 5.3.1, for example `keyCompromise`; else empty.
    pub reason: String,
    /// RFC 3339: since when it is revoked; else empty.
    pub revoked_at: String,
    /// The certificate says that it lives for some days alone, so that it needs no revocation.
    pub short_lived: bool,
    /// Every source that was looked at, in that order.
    pub answers: Vec<RevocationAnswer>,
}

/// What one source said of one certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevocationAnswer {
    /// `staple`, `ocsp` or `crl`.
    pub source: String,
    /// The address that was asked; empty for a staple.
    pub address: String,
    /// `good` or `revoked`; unknown with the reason for an answer that is not valid, or none.
    pub status: Fact<String>,
    /// Who signed a valid answer: `issuer`, or `delegate` for a responder with a certificate of the issuer; else empty.
    pub signer: String,
    /// RFC 3339: when a valid answer was known to be right; else empty.
    pub this_update: String,
    /// RFC 3339: when a newer one will be there at the latest; empty where a valid answer does not say.
    pub next_update: String,
}
