//! Public keys: their kind, size and strength.

use super::der;
use super::parsed::Parsed;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::SubjectPublicKeyInfo;

/// What is to know about a public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// `RSA`, `EC`, `Ed25519`, `Ed448`, `DSA`, `ML-DSA`, or the algorithm's object id.
    pub key_type: String,
    /// Size of the modulus or of the curve's field.
    pub bits: u32,
    /// Strength in RSA-equivalent bits; 0 where it is not known.
    pub strength: u32,
    /// The curve or parameter set; `RSASSA-PSS` for an RSA key that signs by PSS alone; or empty.
    pub curve: String,
}

/// The facts of a leaf's key, or nothing where the certificate cannot be read.
pub fn key_of(leaf: &[u8]) -> Option<KeyFacts> {
    Parsed::read(leaf).ok().map(|leaf| leaf.key().facts)
}

/// A key with what its use needs.
pub(super) struct Key {
    /// For people.
    pub facts: KeyFacts,
    /// The RSA exponent in decimal, or empty.
    pub exponent: String,
    /// The key's own bytes, without the algorithm.
    pub bytes: Vec<u8>,
}

/// The algorithm of a key that signs by PSS alone.
const RSASSA_PSS: &str = "1.2.840.113549.1.1.10";

impl Key {
    /// Reads a SubjectPublicKeyInfo.
    pub fn read(spki: &[u8]) -> Option<Key> {
        let (_, info) = SubjectPublicKeyInfo::from_der(spki).ok()?;
        let bytes = info.subject_public_key.data.to_vec();
        let parameters = info.algorithm.parameters.as_ref();
        let oid = info.algorithm.algorithm.to_id_string();
        let mut exponent = String::new();
        let facts = match oid.as_str() {
            "1.2.840.113549.1.1.1" | RSASSA_PSS => {
                let (modulus, e) = rsa(&bytes)?;
                exponent = num_bigint::BigUint::from_bytes_be(e).to_string();
                let bits = bit_length(modulus);
                // A key for PSS alone needs schemes of its own, which browsers do not offer.
                facts("RSA", bits, bits, if oid == RSASSA_PSS { "RSASSA-PSS" } else { "" })
            }
            "1.2.840.10045.2.1" => {
                let named = parameters.and_then(|any| any.as_oid().ok()).map(|oid| oid.to_id_string());
                elliptic(named.as_deref(), &bytes)
            }
            "1.2.840.10040.4.1" => {
                let p = parameters.and_then(|any| der::first(any.data)).map(|(p, _)| bit_length(p.content));
                facts("DSA", p.unwrap_or(0), p.unwrap_or(0), "")
            }
            "1.3.101.112" => facts("Ed25519", 256, 3072, ""),
            "1.3.101.113" => facts("Ed448", 448, 7680, ""),
            "2.16.840.1.101.3.4.3.17" => facts("ML-DSA", key_bits(&bytes), 3072, "ML-DSA-44"),
            "2.16.840.1.101.3.4.3.18" => facts("ML-DSA", key_bits(&bytes), 7680, "ML-DSA-65"),
            "2.16.840.1.101.3.4.3.19" => facts("ML-DSA", key_bits(&bytes), 15360, "ML-DSA-87"),
            other => facts(other, 0, 0, ""),
        };
        Some(Key { facts, exponent, bytes })
    }
}

/// Modulus and exponent of an RSAPublicKey, without leading zeros.
pub(super) fn rsa(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = der::first(key)?;
    match der::members(sequence.content).as_slice() {
        [n, e] if n.tag == 2 && e.tag == 2 => Some((trim(n.content), trim(e.content))),
        _ => None,
    }
}

/// Strength of an elliptic-curve key in RSA-equivalent bits, by the size of its field.
fn strength_of_field(bits: u32) -> u32 {
    match bits {
        512.. => 15360,
        384.. => 7680,
        256.. => 3072,
        224.. => 2048,
        160.. => 1024,
        _ => 512,
    }
}

fn elliptic(oid: Option<&str>, point: &[u8]) -> KeyFacts {
    let named = match oid {
        Some("1.2.840.10045.3.1.1") => Some(("P-192", 192)),
        Some("1.3.132.0.33") => Some(("P-224", 224)),
        Some("1.2.840.10045.3.1.7") => Some(("P-256", 256)),
        Some("1.3.132.0.34") => Some(("P-384", 384)),
        Some("1.3.132.0.35") => Some(("P-521", 521)),
        Some("1.3.132.0.10") => Some(("secp256k1", 256)),
        Some("1.3.36.3.3.2.8.1.1.7") => Some(("brainpoolP256r1", 256)),
        Some("1.3.36.3.3.2.8.1.1.11") => Some(("brainpoolP384r1", 384)),
        Some("1.3.36.3.3.2.8.1.1.13") => Some(("brainpoolP512r1", 512)),
        _ => None,
    };
    let (curve, bits) = named.unwrap_or_else(|| {
        // A point is 04 and two field elements, or 02 or 03 and one.
        let elements = if point.first() == Some(&4) { 2 } else { 1 };
        let bits = u32::try_from(point.len().saturating_sub(1) / elements * 8).unwrap_or(0);
        (oid.unwrap_or("explicit"), bits)
    });
    facts("EC", bits, strength_of_field(bits), curve)
}

fn facts(key_type: &str, bits: u32, strength: u32, curve: &str) -> KeyFacts {
    KeyFacts { key_type: key_type.to_owned(), bits, strength, curve: curve.to_owned() }
}

fn key_bits(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len() * 8).unwrap_or(0)
}

fn trim(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Length in bits of a big-endian number.
pub(super) fn bit_length(number: &[u8]) -> u32 {
    let number = trim(number);
    let first = number.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(number.len() * 8).unwrap_or(u32::MAX) - first.min(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strengths_are_those_of_the_grade() {
        let of = |bits| strength_of_field(bits);
        assert_eq!(
            [521, 512, 384, 256, 255, 224, 192, 160, 159].map(of),
            [15360, 15360, 7680, 3072, 2048, 2048, 1024, 1024, 512]
        );
        assert_eq!(elliptic(Some("1.3.132.0.34"), &[]), facts("EC", 384, 7680, "P-384"));
        assert_eq!(elliptic(Some("1.2.3"), &[4; 49]), facts("EC", 192, 1024, "1.2.3"));
        assert_eq!(elliptic(None, &[]), facts("EC", 0, 512, "explicit"));
    }

    #[test]
    fn bits_are_counted_without_leading_zeros() {
        assert_eq!([&[0u8, 0x80][..], &[1, 0], &[], &[0]].map(bit_length), [8, 9, 0, 0]);
    }
}
