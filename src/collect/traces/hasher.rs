//! Keyed digests of persons' keys.

use crate::model::digest::hex;
use ::hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Makes keyed digests. The key is wiped when it is dropped, and never shown.
pub struct Hasher(Zeroizing<Vec<u8>>);

impl Hasher {
    /// With the bytes of this text as the key.
    pub fn new(key: &str) -> Hasher {
        Hasher(Zeroizing::new(key.as_bytes().to_vec()))
    }

    /// The bytes of the key, for a store that makes the digests itself.
    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// HMAC-SHA-256 of a text, in hexadecimal digits.
    pub fn of(&self, text: &str) -> String {
        // A key of any length is taken.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(text.as_bytes());
        hex(&mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_answer_of_rfc_4231() {
        let digest = Hasher::new("Jefe").of("what do ya want for nothing?");
        assert_eq!(digest, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
