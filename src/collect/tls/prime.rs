//! Primes of finite-field Diffie-Hellman: which one it is, and whether it is a good one.

use crate::model::{Fact, digest};
use num_bigint::BigUint;
use std::sync::LazyLock;

/// Largest number that is tested for primality; a test takes about a second at this size.
const TESTED_BITS: u64 = 8192;
/// Largest number that is read at all.
const READ_BITS: u64 = 16384;
/// Odd primes that are divided by first, and the bases that are fixed.
const SMALL: [u32; 12] = [3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41];

/// What is to know about a prime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrimeFacts {
    /// Its length.
    pub bits: u32,
    /// SHA-256 of its minimal big-endian form.
    pub sha256: String,
    /// The name of a published prime, or empty.
    pub known: String,
    /// (p − 1) / 2 is prime, too.
    pub safe_prime: Fact<bool>,
    /// It is no prime.
    pub composite: Fact<bool>,
}

/// The facts of a big-endian p.
///
/// A published prime costs nothing; any other is tested, which may take a second or two and should not be
/// done where other work waits. A composite number passes as prime with a probability below 4 to the power of
/// minus the number of bases: 16 up to 3072 bits, 8 above. The bases come from a digest of p.
pub fn facts(p: &[u8]) -> PrimeFacts {
    let zeros = p.iter().take_while(|byte| **byte == 0).count();
    let minimal = p.get(zeros..).unwrap_or_default();
    let sha256 = digest::sha256(minimal);
    // The length is counted before any arithmetic, so that a huge number costs nothing.
    let bits =
        (minimal.len() as u64 * 8).saturating_sub(minimal.first().map_or(0, |byte| u64::from(byte.leading_zeros())));
    let published = PUBLISHED.iter().find(|row| row.sha256 == sha256);
    let (safe_prime, composite) = match published {
        Some(row) => (row.safe_prime.into(), false.into()),
        None if bits > READ_BITS => unknown(format!("a number of {bits} bits is not read")),
        None if bits > TESTED_BITS => unknown(format!("a number of {bits} bits is not tested for primality")),
        None => tested(&BigUint::from_bytes_be(minimal)),
    };
    let known = published.map(|row| row.label.clone()).unwrap_or_default();
    PrimeFacts { bits: u32::try_from(bits).unwrap_or(u32::MAX), sha256, known, safe_prime, composite }
}

/// The label of a published prime.
pub fn published(p: &[u8]) -> Option<&'static str> {
    let zeros = p.iter().take_while(|byte| **byte == 0).count();
    let sha256 = digest::sha256(p.get(zeros..).unwrap_or_default());
    PUBLISHED.iter().find(|row| row.sha256 == sha256).map(|row| row.label.as_str())
}

fn unknown(reason: String) -> (Fact<bool>, Fact<bool>) {
    (Fact::unknown(reason.clone()), Fact::unknown(reason))
}

fn tested(p: &BigUint) -> (Fact<bool>, Fact<bool>) {
    if !is_prime(p) {
        return (false.into(), true.into());
    }
    (is_prime(&(p >> 1u32)).into(), false.into())
}

/// Miller-Rabin, after a division by small primes.
fn is_prime(n: &BigUint) -> bool {
    let zero = BigUint::ZERO;
    let one = BigUint::from(1u32);
    let two = BigUint::from(2u32);
    if *n < two {
        return false;
    }
    if *n == two || SMALL.iter().any(|prime| *n == BigUint::from(*prime)) {
        return true;
    }
    if !n.bit(0) || SMALL.iter().any(|prime| n % *prime == zero) {
        return false;
    }
    let minus_one = n - &one;
    let twos = minus_one.trailing_zeros().unwrap_or(0);
    let odd = &minus_one >> twos;
    bases(n).iter().all(|base| {
        let mut x = base.modpow(&odd, n);
        if x == one || x == minus_one {
            return true;
        }
        for _ in 1..twos {
            x = x.modpow(&two, n);
            if x == minus_one {
                return true;
            }
        }
        false
    })
}

/// 2 and 3, then numbers that a digest of n gives, so that a run can be repeated and a peer cannot choose them freely.
fn bases(n: &BigUint) -> Vec<BigUint> {
    let count = if n.bits() <= 3072 { 16 } else { 8 };
    let seed = n.to_bytes_be();
    let span = n - 3u32;
    let drawn = (2..count).map(|counter: u32| {
        let wide: Vec<u8> = (0..n.bits().div_ceil(256))
            .flat_map(|block| {
                digest::sha256(&[&seed[..], &counter.to_be_bytes(), &block.to_be_bytes()].concat()).into_bytes()
            })
            .collect();
        BigUint::from_bytes_be(&wide) % &span + 2u32
    });
    [2u32, 3].into_iter().map(BigUint::from).chain(drawn).collect()
}

struct Row {
    sha256: String,
    label: String,
    safe_prime: bool,
}

/// The table of published primes: bits, SHA-256, label, safe prime.
static PUBLISHED: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let table = include_str!("../../../checks/registries/dh-primes.csv");
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows = reader.records().flatten().filter_map(|row| {
        Some(Row { sha256: row.get(1)?.to_owned(), label: row.get(2)?.to_owned(), safe_prime: row.get(3)? == "1" })
    });
    rows.collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    /// floor(2^bits · π) by Machin's formula, or · e by its series.
    fn pi(bits: u64) -> BigUint {
        let unit = BigUint::from(1u32) << (bits + 64);
        let arctan = |x: u32| {
            let mut term = &unit / x;
            let (mut plus, mut minus) = (term.clone(), BigUint::ZERO);
            for n in 1u32.. {
                term /= x * x;
                if term == BigUint::ZERO {
                    break;
                }
                let part = &term / (2 * n + 1);
                if n % 2 == 1 { minus += part } else { plus += part }
            }
            plus - minus
        };
        (4u32 * (4u32 * arctan(5) - arctan(239))) >> 64u32
    }

    fn e(bits: u64) -> BigUint {
        let mut term = BigUint::from(1u32) << (bits + 64);
        let mut sum = BigUint::ZERO;
        for n in 1u32.. {
            if term == BigUint::ZERO {
                break;
            }
            sum += &term;
            term /= n;
        }
        sum >> 64u32
    }

    /// 2^n − 2^(n−64) − 1 + 2^64 · (floor(2^(n−130) · constant) + k): RFC 2412 appendix E, RFC 7919 appendix A.
    fn formula(bits: u64, constant: fn(u64) -> BigUint, k: u32) -> BigUint {
        let one = BigUint::from(1u32);
        (&one << bits) + ((constant(bits - 130) + k) << 64u32) - (&one << (bits - 64)) - one
    }

    #[test]
    fn the_table_is_what_the_formulas_give() {
        let modp = [
            (768, 149_686),
            (1024, 129_093),
            (1536, 741_804),
            (2048, 124_476),
            (3072, 1_690_314),
            (4096, 240_904),
            (6144, 929_484),
            (8192, 4_743_158),
        ];
        let ffdhe = [(2048, 560_316), (3072, 2_625_351), (4096, 5_736_041), (6144, 15_705_020), (8192, 10_965_728)];
        let modp = modp.map(|(bits, k)| (formula(bits, pi, k), bits, format!("MODP {bits}")));
        let ffdhe = ffdhe.map(|(bits, k)| (formula(bits, e, k), bits, format!("RFC 7919 ffdhe{bits}")));
        for (p, bits, label) in modp.into_iter().chain(ffdhe) {
            let facts = facts(&p.to_bytes_be());
            assert!(facts.known.ends_with(&label), "{label}: {facts:?}");
            assert_eq!(u64::from(facts.bits), bits);
            assert_eq!((facts.safe_prime, facts.composite), (true.into(), false.into()));
        }
    }

    #[test]
    fn the_table_is_whole() {
        let labels: Vec<_> = PUBLISHED.iter().map(|row| row.label.as_str()).collect();
        let lines = include_str!("../../../checks/registries/dh-primes.csv").lines().count();
        assert_eq!((labels.len(), labels.len()), (20, lines - 1));
        assert!(PUBLISHED.iter().all(|row| row.sha256.len() == 64 && !row.label.is_empty()));
        assert_eq!(PUBLISHED.iter().filter(|row| !row.safe_prime).count(), 3);
    }

    #[test]
    fn an_unpublished_safe_prime_is_found_out() {
        // 2^256 − 36113 is a safe prime; 2^255 − 19 is a prime that is none.
        let one = BigUint::from(1u32);
        let safe = (&one << 256u32) - 36_113u32;
        let plain = (&one << 255u32) - 19u32;
        let safe = facts(&[&[0, 0], &safe.to_bytes_be()[..]].concat());
        assert_eq!((safe.bits, safe.safe_prime, safe.composite), (256, true.into(), false.into()));
        let plain = facts(&plain.to_bytes_be());
        assert_eq!((plain.bits, plain.safe_prime, plain.composite), (255, false.into(), false.into()));
        assert_eq!(plain.known, "");
    }

    #[test]
    fn composites_are_found_out() {
        // Carmichael numbers, a strong pseudoprime to 2, 3, 5 and 7, a square of a prime, and 0 and 1.
        for n in [561u64, 41_041, 825_265, 3_215_031_751, 1_000_006_000_009, 4, 1, 0] {
            let facts = facts(&n.to_be_bytes());
            assert_eq!((facts.safe_prime, facts.composite), (false.into(), true.into()), "{n}");
        }
        for n in [2u64, 3, 5, 7, 41, 43, 65_537, 18_446_744_073_709_551_557] {
            assert_eq!(facts(&n.to_be_bytes()).composite, false.into(), "{n}");
        }
        assert_eq!(facts(&23u64.to_be_bytes()).safe_prime, true.into());
    }

    #[test]
    fn a_product_of_two_large_primes_is_composite() {
        let product = ((BigUint::from(1u32) << 255u32) - 19u32) * ((BigUint::from(1u32) << 127u32) - 1u32);
        assert_eq!(facts(&product.to_bytes_be()).composite, true.into());
    }

    #[test]
    fn what_is_too_large_is_unknown() {
        let facts = facts(&[0xff; 1025]);
        assert_eq!(facts.bits, 8200);
        assert!(facts.composite.reason().is_some() && facts.safe_prime.reason().is_some());
    }
}
