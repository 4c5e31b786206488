//! A certificate, read once into what the rest of this room needs.

use super::der;
use super::key::{Key, KeyFacts};
use super::names::{Constraints, Names, Subtree};
use super::signature::{Algorithm, Outcome};
use crate::model::digest;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, KeyUsage, NameConstraints, ParsedExtension};
use x509_parser::prelude::{DistributionPointName, FromDer as _};

/// Largest certificate that is read.
const BYTES: usize = 131_072;
/// Most names that are kept of one certificate.
const NAMES: usize = 65_536;

/// A certificate.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub der: Vec<u8>,
    pub sha256: String,
    /// The subject's name in DER.
    pub subject: Vec<u8>,
    pub subject_text: String,
    /// The issuer's name in DER.
    pub issuer: Vec<u8>,
    pub issuer_text: String,
    pub serial: Vec<u8>,
    pub spki: Vec<u8>,
    pub tbs: Vec<u8>,
    pub algorithm: Algorithm,
    pub signature: Vec<u8>,
    /// 1, 2 or 3.
    pub version: u32,
    /// Seconds since 1970.
    pub not_before: i64,
    /// Seconds since 1970.
    pub not_after: i64,
    pub extensions: Extensions,
    /// The key signs its own certificate.
    pub self_signed: bool,
}

/// What the extensions say.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions {
    pub ca: bool,
    pub path_length: Option<u32>,
    /// Basic constraints are there.
    pub basic_constraints: bool,
    /// What key usage allows, by the names of RFC 5280.
    pub key_usage: Vec<String>,
    /// The policies' object ids.
    pub policies: Vec<String>,
    /// May sign certificates, if key usage is limited.
    pub cert_sign: Option<bool>,
    /// May authenticate servers, if purposes are limited.
    pub server_auth: Option<bool>,
    /// May sign OCSP responses for its issuer.
    pub ocsp_signing: bool,
    pub dns: Vec<String>,
    pub addresses: Vec<Vec<u8>>,
    pub mail: bool,
    pub uri: bool,
    /// How many alternative names there are, of any form.
    pub name_count: u32,
    pub subject_key_id: Option<Vec<u8>>,
    pub authority_key_id: Option<Vec<u8>>,
    pub constraints: Option<Constraints>,
    pub ocsp: Vec<String>,
    pub crl: Vec<String>,
    pub ca_issuers: Vec<String>,
    pub must_staple: bool,
    /// Why clients must refuse the certificate: an extension that is critical and strange, broken or there twice.
    pub refused: Option<String>,
}

impl Parsed {
    /// Reads a certificate.
    ///
    /// # Errors
    /// In words, when it cannot be read.
    pub fn read(bytes: &[u8]) -> Result<Parsed, String> {
        if bytes.len() > BYTES {
            return Err(format!("it is larger than {BYTES} bytes"));
        }
        if !der::shallow(bytes) {
            return Err("it is nested too deeply".to_owned());
        }
        let (rest, certificate) = X509Certificate::from_der(bytes).map_err(|_| "it is not a certificate".to_owned())?;
        if !rest.is_empty() {
            return Err("bytes follow the certificate".to_owned());
        }
        let tbs = &certificate.tbs_certificate;
        let parameters = certificate.signature_algorithm.parameters.as_ref().map(|any| any.data);
        let mut parsed = Parsed {
            der: bytes.to_vec(),
            sha256: digest::sha256(bytes),
            subject: tbs.subject.as_raw().to_vec(),
            subject_text: tbs.subject.to_string(),
            issuer: tbs.issuer.as_raw().to_vec(),
            issuer_text: tbs.issuer.to_string(),
            serial: tbs.raw_serial().to_vec(),
            spki: tbs.subject_pki.raw.to_vec(),
            tbs: tbs.as_ref().to_vec(),
            algorithm: Algorithm::read(&certificate.signature_algorithm.algorithm.to_id_string(), parameters),
            signature: certificate.signature_value.data.to_vec(),
            version: tbs.version.0.saturating_add(1),
            not_before: tbs.validity.not_before.timestamp(),
            not_after: tbs.validity.not_after.timestamp(),
            extensions: Extensions::read(&certificate),
            self_signed: false,
        };
        // The signed copy of the algorithm must be the one that is used (RFC 5280 section 4.1.1.2).
        if tbs.signature != certificate.signature_algorithm {
            parsed.extensions.refused = Some("it names two signature algorithms".to_owned());
        }
        parsed.self_signed = parsed.subject == parsed.issuer && parsed.signed_by(&parsed.spki) == Outcome::Good;
        Ok(parsed)
    }

    /// Whether the owner of this key signed it.
    pub fn signed_by(&self, spki: &[u8]) -> Outcome {
        self.algorithm.verify(spki, &self.tbs, &self.signature)
    }

    /// Its key; all zero where that cannot be read.
    pub fn key(&self) -> Key {
        Key::read(&self.spki).unwrap_or_else(|| Key {
            facts: KeyFacts { key_type: "unreadable".to_owned(), bits: 0, strength: 0, curve: String::new() },
            exponent: String::new(),
            bytes: Vec::new(),
        })
    }

    /// The names that constraints apply to.
    pub fn names(&self) -> Names<'_> {
        let extensions = &self.extensions;
        Names { dns: &extensions.dns, addresses: &extensions.addresses, mail: extensions.mail, uri: extensions.uri }
    }

    /// Why it may not sign certificates, if so.
    pub fn no_issuer(&self) -> Option<&'static str> {
        if !self.extensions.ca {
            Some("is not an authority's (basic constraints)")
        } else if self.extensions.cert_sign == Some(false) {
            Some("may not sign certificates (key usage)")
        } else {
            None
        }
    }
}

impl Extensions {
    fn read(certificate: &X509Certificate<'_>) -> Extensions {
        let mut found = Extensions::default();
        let mut seen = Vec::new();
        for extension in certificate.extensions() {
            let oid = extension.oid.to_id_string();
            if seen.contains(&oid) {
                found.refused = Some(format!("the extension {oid} is there twice"));
            } else if let ParsedExtension::ParseError { .. } = extension.parsed_extension() {
                found.refused = Some(format!("the extension {oid} cannot be read"));
            } else if oid == "1.3.6.1.5.5.7.1.24" {
                found.must_staple = demands_staple(extension.value);
            } else if !found.take(extension.parsed_extension()) && extension.critical {
                found.refused = Some(format!("the critical extension {oid} is not known"));
            }
            seen.push(oid);
        }
        found
    }

    /// Takes what is needed from one extension; false for one that is not understood.
    fn take(&mut self, extension: &ParsedExtension<'_>) -> bool {
        match extension {
            ParsedExtension::BasicConstraints(constraints) => {
                self.basic_constraints = true;
                self.ca = constraints.ca;
                self.path_length = constraints.path_len_constraint;
            }
            ParsedExtension::KeyUsage(usage) => {
                self.cert_sign = Some(usage.key_cert_sign());
                self.key_usage = uses(usage);
            }
            ParsedExtension::CertificatePolicies(policies) => {
                self.policies = policies.iter().map(|policy| policy.policy_id.to_id_string()).collect();
            }
            ParsedExtension::ExtendedKeyUsage(usage) => {
                self.server_auth = Some(usage.server_auth);
                self.ocsp_signing = usage.ocsp_signing;
            }
            ParsedExtension::SubjectAlternativeName(names) => self.take_names(&names.general_names),
            ParsedExtension::SubjectKeyIdentifier(id) => self.subject_key_id = Some(id.0.to_vec()),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                self.authority_key_id = id.key_identifier.as_ref().map(|id| id.0.to_vec());
            }
            ParsedExtension::NameConstraints(constraints) => self.constraints = Some(constraints_of(constraints)),
            ParsedExtension::AuthorityInfoAccess(access) => {
                for description in access.iter() {
                    let GeneralName::URI(address) = &description.access_location else { continue };
                    match description.access_method.to_id_string().as_str() {
                        "1.3.6.1.5.5.7.48.1" => self.ocsp.push((*address).to_owned()),
                        "1.3.6.1.5.5.7.48.2" => self.ca_issuers.push((*address).to_owned()),
                        _ => {}
                    }
                }
            }
            ParsedExtension::CRLDistributionPoints(points) => {
                for point in &points.points {
                    let Some(DistributionPointName::FullName(names)) = &point.distribution_point else { continue };
                    self.crl.extend(names.iter().filter_map(|name| match name {
                        GeneralName::URI(address) => Some((*address).to_owned()),
                        _ => None,
                    }));
                }
            }
            ParsedExtension::PolicyMappings(_)
            | ParsedExtension::PolicyConstraints(_)
            | ParsedExtension::InhibitAnyPolicy(_)
            | ParsedExtension::IssuerAlternativeName(_)
            | ParsedExtension::SCT(_) => {}
            _ => return false,
        }
        true
    }

    fn take_names(&mut self, names: &[GeneralName<'_>]) {
        self.name_count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        for name in names.iter().take(NAMES) {
            match name {
                GeneralName::DNSName(name) => self.dns.push((*name).to_owned()),
                GeneralName::IPAddress(octets) => self.addresses.push(octets.to_vec()),
                GeneralName::RFC822Name(_) => self.mail = true,
                GeneralName::URI(_) => self.uri = true,
                GeneralName::Invalid(..) => self.refused = Some("an alternative name cannot be read".to_owned()),
                _ => {}
            }
        }
    }
}

/// Reads the value of a name constraints extension without its outer SEQUENCE, as `webpki` keeps it.
pub(super) fn constraints_in(content: &[u8]) -> Constraints {
    let wrapped = der::sequence(content);
    match NameConstraints::from_der(&wrapped) {
        Ok((_, constraints)) => constraints_of(&constraints),
        Err(_) => Constraints { permitted: vec![Subtree::Other("a form that cannot be read")], excluded: vec![] },
    }
}

fn constraints_of(constraints: &NameConstraints<'_>) -> Constraints {
    let subtrees = |list: &Option<Vec<x509_parser::extensions::GeneralSubtree<'_>>>| {
        list.iter().flatten().map(|subtree| subtree_of(&subtree.base)).collect()
    };
    Constraints {
        permitted: subtrees(&constraints.permitted_subtrees),
        excluded: subtrees(&constraints.excluded_subtrees),
    }
}

fn subtree_of(base: &GeneralName<'_>) -> Subtree {
    match base {
        GeneralName::DNSName(name) => Subtree::Dns((*name).to_owned()),
        GeneralName::IPAddress(range) => Subtree::Ip(range.to_vec()),
        GeneralName::RFC822Name(_) => Subtree::Mail,
        GeneralName::URI(_) => Subtree::Uri,
        GeneralName::DirectoryName(_) => Subtree::Other("directory names"),
        _ => Subtree::Other("another form of names"),
    }
}

/// The names of what a key may be used for, in the order of RFC 5280.
fn uses(usage: &KeyUsage) -> Vec<String> {
    let words = [
        (usage.digital_signature(), "digitalSignature"),
        (usage.non_repudiation(), "nonRepudiation"),
        (usage.key_encipherment(), "keyEncipherment"),
        (usage.data_encipherment(), "dataEncipherment"),
        (usage.key_agreement(), "keyAgreement"),
        (usage.key_cert_sign(), "keyCertSign"),
        (usage.crl_sign(), "cRLSign"),
        (usage.encipher_only(), "encipherOnly"),
        (usage.decipher_only(), "decipherOnly"),
    ];
    words.into_iter().filter(|(allowed, _)| *allowed).map(|(_, word)| word.to_owned()).collect()
}

/// RFC 7633: a list of TLS extensions, of which status_request (5) is one.
fn demands_staple(value: &[u8]) -> bool {
    der::first(value).is_some_and(|(list, _)| {
        der::members(list.content).iter().any(|feature| feature.tag == 2 && feature.content == [5])
    })
}
