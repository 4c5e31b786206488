//! From the first secret to the keys of a session (RFC 2246, 4346, 5246 sections 5 and 6.3; RFC 7627).

use super::protection::{Broken, Protection};
use super::suite::Suite;
use crate::wire::Version;
use ::hmac::{Hmac, KeyInit as _, Mac as _};
use aws_lc_rs::{digest, hmac};
use md5::{Digest as _, Md5};

/// A hash of the record layer and the key derivation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

impl Hash {
    /// The length of its output.
    pub fn length(self) -> usize {
        match self {
            Hash::Md5 => 16,
            Hash::Sha1 => 20,
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
        }
    }

    /// The hash of these bytes.
    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Hash::Md5 => return Md5::digest(bytes).to_vec(),
            Hash::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => &digest::SHA256,
            Hash::Sha384 => &digest::SHA384,
        };
        digest::digest(algorithm, bytes).as_ref().to_vec()
    }

    /// The HMAC of the parts, one after the other.
    pub fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let algorithm = match self {
            Hash::Md5 => return hmac_md5(key, parts),
            Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha256 => hmac::HMAC_SHA256,
            Hash::Sha384 => hmac::HMAC_SHA384,
        };
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, key));
        parts.iter().for_each(|part| context.update(part));
        context.sign().as_ref().to_vec()
    }
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(key) else { return Vec::new() };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

/// P_hash of RFC 5246 section 5.
fn expand(hash: Hash, secret: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(length + hash.length());
    let mut a = seed.to_vec();
    while out.len() < length {
        a = hash.hmac(secret, &[&a]);
        out.extend(hash.hmac(secret, &[&a, seed]));
    }
    out.truncate(length);
    out
}

/// The pseudorandom function of a version: `hash` counts from TLS 1.2 on.
pub fn prf(version: Version, hash: Hash, secret: &[u8], label: &str, seed: &[u8], length: usize) -> Vec<u8> {
    let seed = [label.as_bytes(), seed].concat();
    if version >= Version::Tls12 {
        return expand(hash, secret, &seed, length);
    }
    // The halves share the byte in the middle where the length is odd.
    let half = secret.len().div_ceil(2);
    let (first, second) = (secret.get(..half), secret.get(secret.len() - half..));
    let one = expand(Hash::Md5, first.unwrap_or_default(), &seed, length);
    let other = expand(Hash::Sha1, second.unwrap_or_default(), &seed, length);
    one.iter().zip(other).map(|(one, other)| one ^ other).collect()
}

/// What keys depend on beside the secret.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The version.
    pub version: Version,
    /// The suite.
    pub suite: Suite,
    /// The client's random.
    pub client: [u8; 32],
    /// The server's random.
    pub server: [u8; 32],
    /// Encrypt-then-MAC was agreed on.
    pub encrypt_then_mac: bool,
}

impl Terms {
    fn prf(&self, secret: &[u8], label: &str, seed: &[u8], length: usize) -> Vec<u8> {
        prf(self.version, self.suite.derivation, secret, label, seed, length)
    }

    /// The hash of the handshake so far.
    pub fn transcript(&self, messages: &[u8]) -> Vec<u8> {
        if self.version >= Version::Tls12 {
            return self.suite.derivation.digest(messages);
        }
        [Hash::Md5.digest(messages), Hash::Sha1.digest(messages)].concat()
    }

    /// The master secret.
    pub fn master(&self, first: &[u8]) -> Vec<u8> {
        self.prf(first, "master secret", &[self.client, self.server].concat(), 48)
    }

    /// The extended master secret of the handshake up to ClientKeyExchange.
    pub fn extended_master(&self, first: &[u8], messages: &[u8]) -> Vec<u8> {
        self.prf(first, "extended master secret", &self.transcript(messages), 48)
    }

    /// The content of a Finished message.
    pub fn finished(&self, master: &[u8], label: &str, messages: &[u8]) -> Vec<u8> {
        self.prf(master, label, &self.transcript(messages), 12)
    }

    /// The protection of what the client and of what the server sends.
    ///
    /// # Errors
    /// When the library refuses a key.
    pub fn protections(&self, master: &[u8]) -> Result<(Protection, Protection), Broken> {
        let cipher = self.suite.cipher;
        let lengths = [self.suite.mac.map_or(0, Hash::length), cipher.key(), cipher.vector(self.version)];
        let total = 2 * lengths.iter().sum::<usize>();
        let block = self.prf(master, "key expansion", &[self.server, self.client].concat(), total);
        let mut rest = block.as_slice();
        let mut client = Vec::new();
        let mut server = Vec::new();
        for length in lengths {
            for side in [&mut client, &mut server] {
                let (part, after) = rest.split_at_checked(length).ok_or(Broken)?;
                side.push(part.to_vec());
                rest = after;
            }
        }
        Ok((Protection::new(self, client)?, Protection::new(self, server)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let text: String = text.split_whitespace().collect();
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn hmacs_are_those_of_rfc_2202_and_4231() {
        let say = |hash: Hash| hash.hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(say(Hash::Md5), hex("750c783e6ab0b503eaa86e310a5db738"));
        assert_eq!(say(Hash::Sha1), hex("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
        assert_eq!(say(Hash::Sha256), hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
        let expected =
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649";
        assert_eq!(say(Hash::Sha384), hex(expected));
    }

    /// The vectors that the working group of TLS passed round (mailing list, 2009).
    #[test]
    fn the_prf_of_tls_1_2_gives_the_known_vectors() {
        let secret = hex("9bbe436ba940f017b17652849a71db35");
        let seed = hex("a0ba9f936cda311827a6f796ffd5198c");
        let expected =
            hex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af
             0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701
             87347b66");
        assert_eq!(prf(Version::Tls12, Hash::Sha256, &secret, "test label", &seed, 100), expected);
        let secret = hex("b80b733d6ceefcdc71566ea48e5567df");
        let seed = hex("cd665cf6a8447dd6ff8b27555edb7465");
        let expected =
            hex("7b0c18e9ced410ed1804f2cfa34a336a1c14dffb4900bb5fd7942107e81c83cde9ca0faa60be9fe34f82b1233c9146a0");
        assert_eq!(prf(Version::Tls12, Hash::Sha384, &secret, "test label", &seed, 48), expected);
    }

    /// The pattern that GnuTLS and OpenSSL test their TLS 1.0 PRF with: secret 48 bytes of AB, seed 64 bytes of CD.
    #[test]
    fn the_prf_of_tls_1_0_gives_the_known_vector() {
        let expected =
            hex("d3d4d1e349b5d515044666d51de32bab258cb521b6b053463e354832fd976754443bcf9a296519bc289abcbc1187e4eb
             d31e602353776c408aafb74cbc85eff69255f9788faa184cbb957a9819d84a5d7eb006eb459d3ae8de9810454b8b2d8f
             1afbc655a8c9a013");
        let made = prf(Version::Tls10, Hash::Md5, &[0xAB; 48], "PRF Testvector", &[0xCD; 64], 104);
        assert_eq!(made, expected);
        assert_eq!(prf(Version::Tls11, Hash::Sha256, &[0xAB; 48], "PRF Testvector", &[0xCD; 64], 104), expected);
    }
}
