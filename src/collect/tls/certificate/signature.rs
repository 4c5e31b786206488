//! Signature algorithms by name, and verification of signatures that clients no longer accept.
//!
//! The question here is whether a signature is genuine, not whether it is strong: a weak one is
//! reported as such, and must not read as a missing path.

use super::der;
use super::key::{self, Key};
use aws_lc_rs::digest;
use aws_lc_rs::signature::{self as aws, VerificationAlgorithm};
use md5::Digest as _;
use num_bigint::BigUint;

/// Largest RSA modulus that is computed with.
const MODULUS_BITS: u32 = 16384;
/// Largest RSA exponent that is computed with; real ones have 17 bits.
const EXPONENT_BITS: u32 = 32;

/// Whether a signature is genuine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::collect::tls) enum Outcome {
    /// It is.
    Good,
    /// It is not.
    Bad,
    /// It cannot be told, for this reason.
    Unable(String),
}

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::collect::tls) enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn word(self) -> &'static str {
        match self {
            Hash::Md5 => "md5",
            Hash::Sha1 => "sha1",
            Hash::Sha224 => "sha224",
            Hash::Sha256 => "sha256",
            Hash::Sha384 => "sha384",
            Hash::Sha512 => "sha512",
        }
    }

    fn of_oid(oid: &[u8]) -> Option<Hash> {
        match oid {
            [0x2b, 0x0e, 0x03, 0x02, 0x1a] => Some(Hash::Sha1),
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last] => match last {
                1 => Some(Hash::Sha256),
                2 => Some(Hash::Sha384),
                3 => Some(Hash::Sha512),
                4 => Some(Hash::Sha224),
                _ => None,
            },
            _ => None,
        }
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Hash::Md5 => return md5::Md5::digest(data).to_vec(),
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha224 => &digest::SHA224,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
            Hash::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, data).as_ref().to_vec()
    }

    /// What precedes the digest in a PKCS#1 version 1.5 signature (RFC 8017 section 9.2).
    fn digest_info(self) -> &'static [u8] {
        match self {
            Hash::Md5 => b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10",
            Hash::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
            Hash::Sha224 => b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c",
            Hash::Sha256 => b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20",
            Hash::Sha384 => b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30",
            Hash::Sha512 => b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40",
        }
    }
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::collect::tls) enum Scheme {
    Pkcs1(Hash),
    Pss(Hash),
    Ecdsa(Hash),
    Ed25519,
}

/// The algorithm of a certificate's signature.
#[derive(Clone, Debug)]
pub(super) struct Algorithm {
    /// For example `sha256WithRSAEncryption`.
    pub name: String,
    /// For example `sha256`; `unknown` for an algorithm without a name here.
    pub hash: &'static str,
    /// How to verify it, where that is known.
    pub scheme: Option<Scheme>,
}

impl Algorithm {
    /// Reads an object id with its parameters.
    pub fn read(oid: &str, parameters: Option<&[u8]>) -> Algorithm {
        use Scheme::{Ecdsa, Ed25519, Pkcs1};
        let (name, hash, scheme) = match oid {
            "1.2.840.113549.1.1.2" => ("md2WithRSAEncryption", "md2", None),
            "1.2.840.113549.1.1.3" => ("md4WithRSAEncryption", "md4", None),
            "1.2.840.113549.1.1.4" => ("md5WithRSAEncryption", "md5", Some(Pkcs1(Hash::Md5))),
            "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => ("sha1WithRSAEncryption", "sha1", Some(Pkcs1(Hash::Sha1))),
            "1.2.840.113549.1.1.11" => ("sha256WithRSAEncryption", "sha256", Some(Pkcs1(Hash::Sha256))),
            "1.2.840.113549.1.1.12" => ("sha384WithRSAEncryption", "sha384", Some(Pkcs1(Hash::Sha384))),
            "1.2.840.113549.1.1.13" => ("sha512WithRSAEncryption", "sha512", Some(Pkcs1(Hash::Sha512))),
            "1.2.840.113549.1.1.14" => ("sha224WithRSAEncryption", "sha224", Some(Pkcs1(Hash::Sha224))),
            "1.2.840.113549.1.1.10" => {
                let hash = pss_hash(parameters);
                ("RSASSA-PSS", hash.map_or("unknown", Hash::word), hash.map(Scheme::Pss))
            }
            "1.2.840.10045.4.1" => ("ecdsa-with-SHA1", "sha1", Some(Ecdsa(Hash::Sha1))),
            "1.2.840.10045.4.3.1" => ("ecdsa-with-SHA224", "sha224", Some(Ecdsa(Hash::Sha224))),
            "1.2.840.10045.4.3.2" => ("ecdsa-with-SHA256", "sha256", Some(Ecdsa(Hash::Sha256))),
            "1.2.840.10045.4.3.3" => ("ecdsa-with-SHA384", "sha384", Some(Ecdsa(Hash::Sha384))),
            "1.2.840.10045.4.3.4" => ("ecdsa-with-SHA512", "sha512", Some(Ecdsa(Hash::Sha512))),
            "1.2.840.10040.4.3" => ("dsa-with-sha1", "sha1", None),
            "2.16.840.1.101.3.4.3.1" => ("dsa-with-sha224", "sha224", None),
            "2.16.840.1.101.3.4.3.2" => ("dsa-with-sha256", "sha256", None),
            "1.3.101.112" => ("Ed25519", "sha512", Some(Ed25519)),
            "1.3.101.113" => ("Ed448", "shake256", None),
            "2.16.840.1.101.3.4.3.17" => ("ML-DSA-44", "shake256", None),
            "2.16.840.1.101.3.4.3.18" => ("ML-DSA-65", "shake256", None),
            "2.16.840.1.101.3.4.3.19" => ("ML-DSA-87", "shake256", None),
            other => (other, "unknown", None),
        };
        Algorithm { name: name.to_owned(), hash, scheme }
    }

    /// Whether a signature over this message was made by the owner of this SubjectPublicKeyInfo.
    pub fn verify(&self, spki: &[u8], message: &[u8], signature: &[u8]) -> Outcome {
        match self.scheme {
            Some(scheme) => verify(scheme, spki, message, signature),
            None => Outcome::Unable(format!("a signature by {} cannot be verified", self.name)),
        }
    }
}

/// The hash of RSASSA-PSS parameters; without any it is SHA-1 (RFC 8017 appendix A.2.3).
fn pss_hash(parameters: Option<&[u8]>) -> Option<Hash> {
    let Some(content) = parameters else { return Some(Hash::Sha1) };
    let Some(field) = der::members(content).into_iter().find(|field| field.tag == 0xa0) else {
        return Some(Hash::Sha1);
    };
    let (algorithm, _) = der::first(field.content)?;
    let (oid, _) = der::first(algorithm.content)?;
    Hash::of_oid(oid.content)
}

/// Whether a signature is genuine.
pub(in crate::collect::tls) fn verify(scheme: Scheme, spki: &[u8], message: &[u8], signature: &[u8]) -> Outcome {
    let Some(key) = Key::read(spki) else {
        return Outcome::Unable("the issuer's key cannot be read".to_owned());
    };
    let kind = key.facts.key_type.as_str();
    let algorithm = match (scheme, kind) {
        (Scheme::Pkcs1(_) | Scheme::Pss(_), "RSA") => return rsa(scheme, &key, message, signature),
        (Scheme::Ecdsa(hash), "EC") => ecdsa(hash, &key.facts.curve),
        (Scheme::Ed25519, "Ed25519") => Some(&aws::ED25519 as &dyn VerificationAlgorithm),
        _ => return Outcome::Bad,
    };
    match algorithm {
        Some(algorithm) => provider(algorithm, &key, message, signature),
        None => Outcome::Unable(format!("a signature by a key on curve {} cannot be verified", key.facts.curve)),
    }
}

fn provider(algorithm: &'static dyn VerificationAlgorithm, key: &Key, message: &[u8], signature: &[u8]) -> Outcome {
    match aws::UnparsedPublicKey::new(algorithm, &key.bytes).verify(message, signature) {
        Ok(()) => Outcome::Good,
        Err(_) => Outcome::Bad,
    }
}

fn ecdsa(hash: Hash, curve: &str) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (curve, hash) {
        ("P-256", Hash::Sha1) => &aws::ECDSA_P256_SHA1_ASN1,
        ("P-256", Hash::Sha256) => &aws::ECDSA_P256_SHA256_ASN1,
        ("P-256", Hash::Sha384) => &aws::ECDSA_P256_SHA384_ASN1,
        ("P-256", Hash::Sha512) => &aws::ECDSA_P256_SHA512_ASN1,
        ("P-384", Hash::Sha256) => &aws::ECDSA_P384_SHA256_ASN1,
        ("P-384", Hash::Sha384) => &aws::ECDSA_P384_SHA384_ASN1,
        ("P-384", Hash::Sha512) => &aws::ECDSA_P384_SHA512_ASN1,
        ("P-521", Hash::Sha1) => &aws::ECDSA_P521_SHA1_ASN1,
        ("P-521", Hash::Sha224) => &aws::ECDSA_P521_SHA224_ASN1,
        ("P-521", Hash::Sha256) => &aws::ECDSA_P521_SHA256_ASN1,
        ("P-521", Hash::Sha384) => &aws::ECDSA_P521_SHA384_ASN1,
        ("P-521", Hash::Sha512) => &aws::ECDSA_P521_SHA512_ASN1,
        ("secp256k1", Hash::Sha256) => &aws::ECDSA_P256K1_SHA256_ASN1,
        _ => return None,
    })
}

/// RSA: by the provider where it takes the key and the hash, else by big integers.
fn rsa(scheme: Scheme, key: &Key, message: &[u8], signature: &[u8]) -> Outcome {
    let algorithm: Option<&'static dyn VerificationAlgorithm> = match (scheme, key.facts.bits) {
        (Scheme::Pkcs1(Hash::Sha1), 1024..=8192) => Some(&aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
        (Scheme::Pkcs1(Hash::Sha256), 1024..=8192) => Some(&aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        (Scheme::Pkcs1(Hash::Sha384), 2048..=8192) => Some(&aws::RSA_PKCS1_2048_8192_SHA384),
        (Scheme::Pkcs1(Hash::Sha512), 1024..=8192) => Some(&aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        _ => None,
    };
    if let Some(algorithm) = algorithm {
        return provider(algorithm, key, message, signature);
    }
    let Some((modulus, exponent)) = key::rsa(&key.bytes) else { return Outcome::Bad };
    if key::bit_length(modulus) > MODULUS_BITS || key::bit_length(exponent) > EXPONENT_BITS {
        return Outcome::Unable(format!("an RSA key of {} bits is too large to verify with", key.facts.bits));
    }
    if signature.len() != modulus.len() {
        return Outcome::Bad;
    }
    let Some(encoded) = open(signature, modulus, exponent) else { return Outcome::Bad };
    let genuine = match scheme {
        Scheme::Pss(hash) => pss_fits(hash, key.facts.bits, message, &encoded),
        Scheme::Pkcs1(hash) => pkcs1_fits(hash, message, &encoded),
        Scheme::Ecdsa(_) | Scheme::Ed25519 => false,
    };
    if genuine { Outcome::Good } else { Outcome::Bad }
}

/// The encoded message in an RSA signature, as long as the modulus.
fn open(signature: &[u8], modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let n = BigUint::from_bytes_be(modulus);
    let s = BigUint::from_bytes_be(signature);
    let e = BigUint::from_bytes_be(exponent);
    // With an exponent of 1 anybody can sign, and an even modulus or exponent is no RSA.
    if s >= n || !n.bit(0) || !e.bit(0) || e.bits() < 2 {
        return None;
    }
    let bytes = s.modpow(&e, &n).to_bytes_be();
    let mut encoded = vec![0; modulus.len().checked_sub(bytes.len())?];
    encoded.extend(bytes);
    Some(encoded)
}

/// RFC 8017 section 8.2.2: the one valid encoding is built and compared, never parsed.
fn pkcs1_fits(hash: Hash, message: &[u8], encoded: &[u8]) -> bool {
    let digest = hash.digest(message);
    let info = hash.digest_info();
    let Some(padding) = encoded.len().checked_sub(info.len() + digest.len() + 3).filter(|padding| *padding >= 8) else {
        return false;
    };
    let mut expected = vec![0, 1];
    expected.resize(2 + padding, 0xff);
    expected.push(0);
    expected.extend(info);
    expected.extend(digest);
    expected == encoded
}

/// RFC 8017 section 9.1.2, with MGF1 over the same hash and a salt of any length.
fn pss_fits(hash: Hash, bits: u32, message: &[u8], encoded: &[u8]) -> bool {
    let Some(spare) = bits.checked_sub(1) else { return false };
    let length = usize::try_from(spare.div_ceil(8)).unwrap_or(0);
    let digest = hash.digest(message);
    // A modulus of 8k + 1 bits leaves one more byte in front, which must be zero.
    let Some((front, encoded)) = encoded.len().checked_sub(length).and_then(|front| encoded.split_at_checked(front))
    else {
        return false;
    };
    let Some((masked, tail)) = length.checked_sub(digest.len() + 1).and_then(|masked| encoded.split_at_checked(masked))
    else {
        return false;
    };
    let Some((&0xbc, h)) = tail.split_last() else { return false };
    let unused = u32::try_from(length * 8).unwrap_or(0).saturating_sub(spare);
    let keep = 0xffu8.checked_shr(unused).unwrap_or(0);
    let clean = masked.first().is_some_and(|byte| byte & !keep == 0) && front.iter().all(|byte| *byte == 0);
    let mut block: Vec<u8> = masked.iter().zip(mask(hash, h, masked.len())).map(|(a, b)| a ^ b).collect();
    if let Some(first) = block.first_mut() {
        *first &= keep;
    }
    let zeros = block.iter().take_while(|byte| **byte == 0).count();
    let Some((&1, salt)) = block.get(zeros..).and_then(|rest| rest.split_first()) else { return false };
    let mut input = vec![0; 8];
    input.extend(&digest);
    input.extend(salt);
    clean && hash.digest(&input) == h
}

/// MGF1 (RFC 8017 appendix B.2.1).
fn mask(hash: Hash, seed: &[u8], length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length + 64);
    let mut counter = 0u32;
    while out.len() < length {
        let mut input = seed.to_vec();
        input.extend(counter.to_be_bytes());
        out.extend(hash.digest(&input));
        counter += 1;
    }
    out.truncate(length);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;

    /// A SubjectPublicKeyInfo around an RSAPublicKey.
    fn spki(key: &KeyPair) -> Vec<u8> {
        let rsa_encryption = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
        let mut bits = der::sequence(&[&[0], key.public_key().as_ref()].concat());
        bits[0] = 3;
        der::sequence(&[&rsa_encryption[..], &bits].concat())
    }

    #[test]
    fn own_rsa_agrees_with_the_provider() {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let spki = spki(&key);
        let sign = |padding| {
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(padding, &SystemRandom::new(), b"message", &mut signature).unwrap();
            signature
        };
        let pss = sign(&aws::RSA_PSS_SHA384);
        assert_eq!(verify(Scheme::Pss(Hash::Sha384), &spki, b"message", &pss), Outcome::Good);
        assert_eq!(verify(Scheme::Pss(Hash::Sha256), &spki, b"message", &pss), Outcome::Bad);
        assert_eq!(verify(Scheme::Pss(Hash::Sha384), &spki, b"massage", &pss), Outcome::Bad);
        let pkcs1 = sign(&aws::RSA_PKCS1_SHA256);
        assert_eq!(verify(Scheme::Pkcs1(Hash::Sha256), &spki, b"message", &pkcs1), Outcome::Good);
        let (n, e) = key::rsa(key.public_key().as_ref()).unwrap();
        let encoded = open(&pkcs1, n, e).unwrap();
        assert!(pkcs1_fits(Hash::Sha256, b"message", &encoded));
        assert!(!pkcs1_fits(Hash::Sha256, b"massage", &encoded));
        assert!(!pkcs1_fits(Hash::Sha1, b"message", &encoded));
        let mut broken = pkcs1.clone();
        broken[100] ^= 1;
        assert_eq!(verify(Scheme::Pkcs1(Hash::Sha256), &spki, b"message", &broken), Outcome::Bad);
        assert_eq!(verify(Scheme::Ed25519, &spki, b"message", &pkcs1), Outcome::Bad);
    }

    #[test]
    fn absurd_keys_are_refused() {
        assert!(open(&[1], &[1], &[3]).is_none() && open(&[1], &[9], &[3]).is_some());
        assert!(
            open(&[1], &[9], &[1]).is_none() && open(&[1], &[9], &[2]).is_none() && open(&[1], &[8], &[3]).is_none()
        );
        assert!(open(&[0], &[], &[3]).is_none());
        assert!(!pss_fits(Hash::Sha256, 0, b"", &[]));
        assert!(!pss_fits(Hash::Sha256, 9, b"", &[0, 0]));
        assert!(!pkcs1_fits(Hash::Sha256, b"", &[0; 10]));
    }

    #[test]
    fn the_hash_of_pss_comes_from_its_parameters() {
        assert_eq!(Algorithm::read("1.2.840.113549.1.1.10", None).hash, "sha1");
        let sha256 = b"\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00";
        assert_eq!(Algorithm::read("1.2.840.113549.1.1.10", Some(sha256)).hash, "sha256");
        assert_eq!(Algorithm::read("1.2.3", None).hash, "unknown");
    }
}
