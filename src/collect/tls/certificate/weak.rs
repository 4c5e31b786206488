//! Keys whose secret half others can have: the ROCA flaw, and keys that were published or made without chance.

use super::key::{Key, rsa};
use crate::model::{Fact, Reason, Trouble, digest};
use num_bigint::BigUint;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

/// Largest file of known keys that is read.
const BYTES: u64 = 256 * 1024 * 1024;
/// The primes that the flawed library built its keys on are at least those up to here.
const LAST_PRIME: u32 = 167;
/// What all its primes are powers of, modulo the product of the small primes.
const GENERATOR: u32 = 65537;

/// Whether a modulus bears the mark of CVE-2017-15361.
///
/// The flawed library made primes of the form `k * M + (65537^a mod M)`, with M the product of the first primes.
/// The product of two of them is a power of 65537 modulo each of these primes, too. By chance a modulus is so about
/// once in 2^27 times.
pub(super) fn is_roca(modulus: &BigUint) -> bool {
    let odd_primes = (3..=LAST_PRIME).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
    modulus.bits() >= 512 && odd_primes.into_iter().all(|prime| in_subgroup(modulus, prime))
}

fn in_subgroup(modulus: &BigUint, prime: u32) -> bool {
    let Some(rest) = (modulus % prime).iter_u32_digits().next() else { return false };
    let mut power = 1;
    loop {
        if power == rest {
            return true;
        }
        power = power * (GENERATOR % prime) % prime;
        if power == 1 {
            return false;
        }
    }
}

/// Whether a key in its SubjectPublicKeyInfo bears the mark; keys of other kinds do not.
pub(super) fn roca_of(spki: &[u8]) -> Fact<bool> {
    match Key::read(spki) {
        None => Fact::unknown("the key cannot be read"),
        Some(key) if key.facts.key_type != "RSA" => Fact::Known(false),
        Some(key) => match rsa(&key.bytes) {
            Some((modulus, _)) => Fact::Known(is_roca(&BigUint::from_bytes_be(modulus))),
            None => Fact::unknown("the key cannot be read"),
        },
    }
}

/// Whether an RSA exponent can be one: odd, and at least 3. True for keys of other kinds.
pub(super) fn exponent_sound(exponent: &str) -> bool {
    exponent.is_empty() || (exponent != "1" && exponent.ends_with(['1', '3', '5', '7', '9']))
}

/// Keys that are known to others, by digest.
pub struct KnownKeys(HashSet<Vec<u8>>);

impl KnownKeys {
    /// Reads a file with one digest a line: 64 hexadecimal digits are the SHA-256 of a SubjectPublicKeyInfo, 20 are the
    /// end of the SHA-1 of `Modulus=` and the modulus in capitals with a line feed, as in the lists of Debian for the
    /// keys of CVE-2008-0166. Empty lines and what follows `#` are passed over.
    ///
    /// # Errors
    /// When the file cannot be read, is too large, or holds another line.
    pub fn read(file: &Path) -> Result<KnownKeys, Trouble> {
        let wrong = |reason, why: &str| Trouble::new(reason, format!("{}: {why}", file.display()));
        let unreadable = |error: std::io::Error| wrong(Reason::Unreachable, &error.to_string());
        if std::fs::metadata(file).map_err(unreadable)?.len() > BYTES {
            return Err(wrong(Reason::TooLarge, "the list of known keys is too large"));
        }
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        let mut known = HashSet::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let digest = bytes(line).filter(|digest| matches!(digest.len(), 10 | 32)).ok_or_else(|| {
                wrong(Reason::ProtocolViolation, &format!("line {} is no digest of 64 or 20 digits", number + 1))
            })?;
            known.insert(digest);
        }
        if known.is_empty() {
            return Err(wrong(Reason::ProtocolViolation, "it holds no digest"));
        }
        Ok(KnownKeys(known))
    }

    /// Whether this SubjectPublicKeyInfo is one of them.
    pub(super) fn holds(&self, spki: &[u8]) -> bool {
        let whole = bytes(&digest::sha256(spki)).is_some_and(|digest| self.0.contains(&digest));
        whole || debian(spki).is_some_and(|end| self.0.contains(&end))
    }
}

/// The digest of an RSA modulus in the lists of Debian.
fn debian(spki: &[u8]) -> Option<Vec<u8>> {
    let key = Key::read(spki).filter(|key| key.facts.key_type == "RSA")?;
    let (modulus, _) = rsa(&key.bytes)?;
    let mut text = String::from("Modulus=");
    for byte in modulus {
        let _ = write!(text, "{byte:02X}");
    }
    text.push('\n');
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    digest.as_ref().get(10..).map(<[u8]>::to_vec)
}

/// Hexadecimal digits as bytes.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_lc_rs::signature::KeyPair as _;

    /// The product of the primes up to 167, 2 included.
    fn product() -> BigUint {
        let primes = (2..=LAST_PRIME).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
        primes.fold(BigUint::from(1u32), |product, prime| product * prime)
    }

    #[test]
    fn a_modulus_of_the_flawed_form_is_seen() {
        let m = product();
        assert_eq!(m.bits(), 220);
        let of = |k: u32, a: u32| {
            let high = BigUint::from(k).pow(3) << 180;
            &m * high + BigUint::from(GENERATOR).modpow(&BigUint::from(a), &m)
        };
        let flawed: BigUint = of(1_234_567, 4711) * of(7_654_321, 815);
        assert!(flawed.bits() >= 512);
        assert!(is_roca(&flawed));
        // The same with one residue wrong.
        assert!(!is_roca(&(&flawed + 2u32)));
        assert!(!is_roca(&(flawed * 3u32)));
    }

    #[test]
    fn usual_keys_are_not_of_the_flawed_form() {
        for _ in 0..20 {
            let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
            let modulus = key.public_key().modulus().big_endian_without_leading_zero().to_vec();
            assert!(!is_roca(&BigUint::from_bytes_be(&modulus)));
        }
        assert!(!is_roca(&BigUint::from(65537u32)), "too short to be a key");
    }

    #[test]
    fn exponents_are_odd_and_at_least_three() {
        assert!(["", "3", "17", "65537"].into_iter().all(exponent_sound));
        assert!(!["1", "2", "4", "65536", "0"].into_iter().any(exponent_sound));
    }
}
