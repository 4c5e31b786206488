//! Certificates of the estate, made at start.

use super::DemoError;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    RsaKeySize,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The estate's own certification authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: Vec<u8>,
}

/// A certificate with its key.
pub struct Identity {
    leaf: Vec<u8>,
    authority: Vec<u8>,
    key: Vec<u8>,
}

impl Authority {
    /// A new authority.
    pub fn new(name: &str, now: Timestamp) -> Result<Authority, DemoError> {
        let mut params = validity(CertificateParams::default(), now, 3650)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let (pem, der) = (certificate.pem(), certificate.der().to_vec());
        Ok(Authority { issuer: Issuer::new(params, key), pem, der })
    }

    /// The authority's certificate in PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

impl Identity {
    /// A certificate for this name with an ECDSA key.
    pub fn ecdsa(authority: &Authority, name: &str, now: Timestamp) -> Result<Identity, DemoError> {
        Identity::signed(authority, name, KeyPair::generate()?, now)
    }

    /// A certificate for this name with an RSA key of 2048 bits.
    pub fn rsa(authority: &Authority, name: &str, now: Timestamp) -> Result<Identity, DemoError> {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        Identity::signed(authority, name, key, now)
    }

    fn signed(authority: &Authority, name: &str, key: KeyPair, now: Timestamp) -> Result<Identity, DemoError> {
        let mut params = validity(CertificateParams::new(vec![name.to_owned()])?, now, 60)?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &authority.issuer)?;
        Ok(Identity { leaf: certificate.der().to_vec(), authority: authority.der.clone(), key: key.serialize_der() })
    }

    /// The chain in DER, leaf first.
    pub fn chain(&self) -> Vec<Vec<u8>> {
        vec![self.leaf.clone(), self.authority.clone()]
    }

    /// Chain and key as rustls takes them.
    pub fn for_rustls(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = self.chain().into_iter().map(CertificateDer::from).collect();
        (chain, PrivatePkcs8KeyDer::from(self.key.clone()).into())
    }
}

/// Sets a validity that began yesterday.
fn validity(mut params: CertificateParams, now: Timestamp, days: i64) -> Result<CertificateParams, DemoError> {
    let day = |instant: Timestamp| {
        let date = instant.to_zoned(jiff::tz::TimeZone::UTC).date();
        rcgen::date_time_ymd(date.year().into(), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    params.not_before = day(now.checked_sub(SignedDuration::from_hours(24))?);
    params.not_after = day(now.checked_add(SignedDuration::from_hours(24 * days))?);
    Ok(params)
}
