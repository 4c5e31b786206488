//! Ed25519 keys: the one that signs, and what verifies.
//!
//! The private key is PKCS #8 in PEM, which OpenSSL reads; the verifier is one line, as signed notes write it:
//! `name+hint+key` with the hint in hexadecimal and the key in base 64.

use crate::model::digest;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest as _, Sha256};

/// The first lines of a private key.
const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";
/// Marks Ed25519 in a signed note.
const ED25519_NOTE: u8 = 1;
/// What stands before the 32 bytes of an Ed25519 public key in a SubjectPublicKeyInfo (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A private key with its name. It has neither `Debug` nor `Serialize`.
pub struct Signer {
    pair: Ed25519KeyPair,
    verifier: Verifier,
}

impl Signer {
    /// A new key.
    ///
    /// # Errors
    /// In words, when the name is not fit to be one or the system has no randomness.
    pub fn generate(name: &str) -> Result<Signer, String> {
        let pair = Ed25519KeyPair::generate().map_err(|_| "the system gave no random bytes".to_owned())?;
        Signer::of(pair, name)
    }

    /// Reads a private key. Its name stands on a line `Name: …` before the key; without one it is `key`.
    ///
    /// # Errors
    /// In words, when it is not an Ed25519 key in PEM.
    pub fn parse(pem: &str) -> Result<Signer, String> {
        let wrong = || "this is not an Ed25519 key in PKCS #8 and PEM; `probity key new` makes one".to_owned();
        let (before, rest) = pem.split_once(BEGIN).ok_or_else(wrong)?;
        let (body, _) = rest.split_once(END).ok_or_else(wrong)?;
        let name = before.lines().find_map(|line| line.strip_prefix("Name: ")).unwrap_or("key").trim();
        let body: String = body.split_whitespace().collect();
        let bytes = BASE64.decode(body.as_bytes()).map_err(|_| wrong())?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes).map_err(|_| wrong())?;
        Signer::of(pair, name)
    }

    fn of(pair: Ed25519KeyPair, name: &str) -> Result<Signer, String> {
        let key = pair.public_key().as_ref().try_into().map_err(|_| "the key has no 32 bytes".to_owned())?;
        let verifier = Verifier::new(name, key)?;
        Ok(Signer { pair, verifier })
    }

    /// The private key in PEM, below a line with its name.
    ///
    /// # Errors
    /// In words, when the library cannot write it.
    pub fn pem(&self) -> Result<String, String> {
        let bytes = self.pair.to_pkcs8v1().map_err(|_| "the key cannot be written".to_owned())?;
        Ok(format!("Name: {}\n{BEGIN}\n{}\n{END}\n", self.verifier.name, BASE64.encode(bytes.as_ref())))
    }

    /// What verifies its signatures.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Signs.
    ///
    /// # Errors
    /// In words, when the signature is not one of 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        Ok(self.pair.sign(message).as_ref().to_vec())
    }
}

/// A public key with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    key: [u8; 32],
}

impl Verifier {
    /// A key of this name.
    ///
    /// # Errors
    /// In words, when the name has a space, a plus or a control character in it, or is empty.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Verifier, String> {
        let unfit = |c: char| c.is_whitespace() || c.is_control() || c == '+';
        if name.is_empty() || name.len() > 200 || name.chars().any(unfit) {
            return Err(format!(
                "`{}` cannot name a key: use up to 200 letters without spaces and plus signs",
                name.escape_debug()
            ));
        }
        Ok(Verifier { name: name.to_owned(), key })
    }

    /// Reads `name+hint+key`, or a public key in PEM, which then has the name `key`.
    ///
    /// # Errors
    /// In words, when it is neither, or the hint is not that of the key.
    pub fn parse(text: &str) -> Result<Verifier, String> {
        let wrong = || "this is neither a line `name+hint+key` nor an Ed25519 public key in PEM".to_owned();
        let text = text.trim();
        if text.starts_with("-----BEGIN PUBLIC KEY-----") {
            let body: String = text.lines().filter(|line| !line.starts_with("-----")).collect();
            let bytes = BASE64.decode(body.as_bytes()).map_err(|_| wrong())?;
            let key = bytes.strip_prefix(&SPKI).and_then(|key| key.try_into().ok()).ok_or_else(wrong)?;
            return Verifier::new("key", key);
        }
        let mut words = text.splitn(3, '+');
        let (Some(name), Some(hint), Some(key)) = (words.next(), words.next(), words.next()) else {
            return Err(wrong());
        };
        let bytes = BASE64.decode(key.as_bytes()).map_err(|_| wrong())?;
        let key = bytes.strip_prefix(&[ED25519_NOTE]).and_then(|key| key.try_into().ok()).ok_or_else(wrong)?;
        let verifier = Verifier::new(name, key)?;
        if HEXLOWER.encode(&verifier.hint()) == hint {
            Ok(verifier)
        } else {
            Err(format!("the hint `{}` does not belong to this key", hint.escape_debug()))
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The four bytes by which a signature names the key.
    pub fn hint(&self) -> [u8; 4] {
        let hash = Sha256::new().chain_update(&self.name).chain_update(b"\n").chain_update([ED25519_NOTE]);
        let hash = hash.chain_update(self.key).finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// The line `name+hint+key`.
    pub fn line(&self) -> String {
        let mut key = vec![ED25519_NOTE];
        key.extend(self.key);
        format!("{}+{}+{}", self.name, HEXLOWER.encode(&self.hint()), BASE64.encode(&key))
    }

    /// The key in PEM, for other tools.
    pub fn pem(&self) -> String {
        let mut bytes = SPKI.to_vec();
        bytes.extend(self.key);
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(&bytes))
    }

    /// The key's id in an envelope: SHA-256 of its SubjectPublicKeyInfo.
    pub fn id(&self) -> String {
        let mut bytes = SPKI.to_vec();
        bytes.extend(self.key);
        digest::sha256(&bytes)
    }

    /// Whether the key made this signature.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_they_were_written() {
        let signer = Signer::generate("shop.example/2026").unwrap();
        let again = Signer::parse(&signer.pem().unwrap()).unwrap();
        assert_eq!(again.verifier(), signer.verifier());
        assert_eq!(Verifier::parse(&signer.verifier().line()).as_ref(), Ok(signer.verifier()));
        let signature = again.sign(b"text").unwrap();
        assert!(signer.verifier().verifies(b"text", &signature));
        assert!(!signer.verifier().verifies(b"test", &signature));
        let from_pem = Verifier::parse(&signer.verifier().pem()).unwrap();
        assert!(from_pem.verifies(b"text", &signature));
    }

    #[test]
    fn the_vector_of_rfc_8032_verifies() {
        // Section 7.1, test 2: the message is one byte.
        let bytes = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let key = bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        let signature = bytes(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        let verifier = Verifier::new("rfc", key.try_into().unwrap()).unwrap();
        assert!(verifier.verifies(&[0x72], &signature));
        assert!(!verifier.verifies(&[0x73], &signature));
    }

    #[test]
    fn the_verifier_of_the_note_specification_is_read() {
        // The example key of the Go implementation of signed notes.
        let line = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        assert_eq!(Verifier::parse(line).unwrap().line(), line);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(Verifier::new("two words", [0; 32]).is_err());
        assert!(Verifier::parse("a+00000000+AQ==").is_err());
        assert!(Verifier::parse("nothing").is_err());
        assert!(Signer::parse("nothing").is_err());
    }
}
