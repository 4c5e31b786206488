//! The first secret: what the client answers to the server's parameters. Keys of any size are taken, since what is
//! asked is how a server behaves and nothing secret is sent.

use super::Failure;
use super::suite::Exchange;
use crate::net::Random;
use crate::wire::cursor::{put_vec8, put_vec16};
use crate::wire::key_exchange::Params;
use crate::wire::{flight, limit};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey, UnparsedPublicKey};
use aws_lc_rs::rand::SystemRandom;
use num_bigint::BigUint;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;

/// The groups that a curve exchange can be made with, the most common first.
pub const GROUPS: [u16; 4] = [0x001D, 0x0017, 0x0018, 0x0019];
/// The longest public exponent that is used: more would only cost time.
const EXPONENT: usize = 8;
/// The length of our own secret number of a finite-field exchange.
const SECRET: usize = 32;

/// An RSA public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaKey {
    modulus: BigUint,
    exponent: BigUint,
    /// The length of the modulus in bytes.
    pub length: usize,
}

impl RsaKey {
    /// The key of a certificate; `None` where it has none that is of use.
    pub fn of_certificate(leaf: &[u8]) -> Option<RsaKey> {
        let (_, leaf) = x509_parser::certificate::X509Certificate::from_der(leaf).ok()?;
        let PublicKey::RSA(key) = leaf.public_key().parsed().ok()? else { return None };
        let modulus = BigUint::from_bytes_be(key.modulus);
        let exponent = BigUint::from_bytes_be(key.exponent);
        let length = usize::try_from(modulus.bits().div_ceil(8)).ok()?;
        let fits = length <= limit::MODULUS && exponent.bits() <= 8 * EXPONENT as u64;
        (fits && modulus.bits() > 1).then_some(RsaKey { modulus, exponent, length })
    }

    /// The block, encrypted as it is: no padding is added. As long as the modulus.
    pub fn encrypt(&self, block: &[u8]) -> Vec<u8> {
        let number = BigUint::from_bytes_be(block).modpow(&self.exponent, &self.modulus);
        left_padded(&number.to_bytes_be(), self.length)
    }

    /// A block of PKCS #1 version 1.5 around this secret; `None` where the key is too short for it.
    pub fn block(&self, secret: &[u8], random: &dyn Random) -> Option<Vec<u8>> {
        let count = self.length.checked_sub(secret.len() + 3).filter(|count| *count >= 8)?;
        let mut padding = vec![0; count];
        random.fill(&mut padding);
        padding.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 1);
        Some([&[0, 2], padding.as_slice(), &[0], secret].concat())
    }
}

/// The first secret, and the body of the ClientKeyExchange that tells it to the server.
///
/// # Errors
/// When the parameters are missing, of another kind, or cannot be used.
pub fn answer(
    exchange: Exchange,
    leaf: Option<&Vec<u8>>,
    params: Option<&Params>,
    version: u16,
    random: &dyn Random,
) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    match (exchange, params) {
        (Exchange::Rsa, _) => {
            let key = leaf.and_then(|leaf| RsaKey::of_certificate(leaf));
            rsa(&key.ok_or(Failure::Unsupported("no RSA key that can be used"))?, version, random)
        }
        (Exchange::Field, Some(Params::Field { p, g, public })) => field(p, g, public, random),
        (Exchange::Curve, Some(Params::Curve { group, point })) => curve(*group, point),
        _ => Err(Failure::Unsupported("no parameters of the key exchange that can be used")),
    }
}

fn rsa(key: &RsaKey, version: u16, random: &dyn Random) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let mut secret = vec![0; 48];
    random.fill(&mut secret);
    secret.splice(0..2, version.to_be_bytes());
    let block = key.block(&secret, random).ok_or(Failure::Unsupported("an RSA key that is too short"))?;
    let mut body = Vec::new();
    put_vec16(&mut body, &key.encrypt(&block));
    Ok((secret, body))
}

fn field(p: &[u8], g: &[u8], public: &[u8], random: &dyn Random) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let [p, g, public] = [p, g, public].map(BigUint::from_bytes_be);
    if p.bits() < 2 {
        return Err(Failure::Unsupported("a finite field without a modulus"));
    }
    let mut secret = [0; SECRET];
    random.fill(&mut secret);
    let secret = BigUint::from_bytes_be(&secret);
    let shared = public.modpow(&secret, &p).to_bytes_be();
    let mut body = Vec::new();
    put_vec16(&mut body, &g.modpow(&secret, &p).to_bytes_be());
    // Leading zeros are not part of the secret (RFC 5246 section 8.1.2).
    Ok((shared, body))
}

fn curve(group: u16, point: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let algorithm = match group {
        0x0017 => &agreement::ECDH_P256,
        0x0018 => &agreement::ECDH_P384,
        0x0019 => &agreement::ECDH_P521,
        0x001D => &agreement::X25519,
        _ => return Err(Failure::Unsupported("a group that was not offered")),
    };
    let failed = Failure::Unsupported("a point that is not on the curve");
    let ours = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).map_err(|_| failed.clone())?;
    let public = ours.compute_public_key().map_err(|_| failed.clone())?;
    let theirs = UnparsedPublicKey::new(algorithm, point);
    let shared = agreement::agree_ephemeral(ours, theirs, failed, |secret| Ok(secret.to_vec()))?;
    let mut body = Vec::new();
    put_vec8(&mut body, public.as_ref());
    Ok((shared, body))
}

/// The ClientKeyExchange message with this body.
pub fn message(body: &[u8]) -> Vec<u8> {
    let mut message = vec![flight::CLIENT_KEY_EXCHANGE];
    crate::wire::cursor::put_vec24(&mut message, body);
    message
}

fn left_padded(bytes: &[u8], length: usize) -> Vec<u8> {
    let mut padded = vec![0; length.saturating_sub(bytes.len())];
    padded.extend(bytes);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::SeededRandom;

    #[test]
    fn rsa_is_a_power_and_its_block_is_that_of_pkcs1() {
        // The textbook key: 3233 = 61 * 53, e = 17; 65 becomes 2790.
        let key = RsaKey { modulus: BigUint::from(3233_u32), exponent: BigUint::from(17_u32), length: 2 };
        assert_eq!(key.encrypt(&[65]), 2790_u16.to_be_bytes());
        let key = RsaKey { length: 64, ..key };
        let block = key.block(&[9; 48], &SeededRandom::new(1)).unwrap();
        assert_eq!((block.len(), &block[..2]), (64, &[0, 2][..]));
        assert!(block[2..15].iter().all(|byte| *byte != 0));
        assert_eq!((block[15], &block[16..]), (0, &[9; 48][..]));
        assert_eq!(RsaKey { length: 58, ..key }.block(&[9; 48], &SeededRandom::new(1)), None);
    }

    #[test]
    fn both_sides_of_a_finite_field_agree() {
        let (p, g) = (BigUint::from(0xFFFF_FFFB_u32), BigUint::from(5_u32));
        let theirs = BigUint::from(12_345_u32);
        let public = g.modpow(&theirs, &p).to_bytes_be();
        let (shared, body) = field(&p.to_bytes_be(), &[5], &public, &SeededRandom::new(3)).unwrap();
        let ours = BigUint::from_bytes_be(&body[2..]);
        assert_eq!(ours.modpow(&theirs, &p).to_bytes_be(), shared);
        assert!(field(&[], &[5], &[1], &SeededRandom::new(3)).is_err());
    }

    #[test]
    fn strange_points_are_refused() {
        assert!(curve(0x0017, &[4; 65]).is_err());
        assert!(curve(0x001D, &[0; 31]).is_err());
        assert!(curve(0x0016, &[4; 65]).is_err());
    }
}
