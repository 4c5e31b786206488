//! How an account proves itself to MySQL and MariaDB.

use aws_lc_rs::digest;
use sha2::{Digest as _, Sha256};

/// What is sent for a password.
#[derive(Debug, PartialEq, Eq)]
pub enum Proof {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The password itself, which only TLS may carry.
    Clear,
    /// This build does not know the way.
    Unknown,
}

/// The proof by this plugin.
pub fn of(plugin: &str, password: &[u8], nonce: &[u8]) -> Proof {
    match plugin {
        _ if password.is_empty() && plugin != "mysql_old_password" => Proof::Bytes(Vec::new()),
        "mysql_native_password" => Proof::Bytes(native(password, nonce)),
        "caching_sha2_password" => Proof::Bytes(sha2(password, nonce)),
        "mysql_clear_password" | "sha256_password" => Proof::Clear,
        _ => Proof::Unknown,
    }
}

/// The password as a text that a zero ends.
pub fn clear(password: &[u8]) -> Vec<u8> {
    [password, &[0]].concat()
}

fn sha1(parts: &[&[u8]]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().to_vec()
}

/// SHA1(password) XOR SHA1(nonce, SHA1(SHA1(password))).
fn native(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let once = sha1(&[password]);
    let twice = sha1(&[&once]);
    xor(once, &sha1(&[nonce, &twice]))
}

/// SHA256(password) XOR SHA256(SHA256(SHA256(password)), nonce).
fn sha2(password: &[u8], nonce: &[u8]) -> Vec<u8> {
    let once = Sha256::digest(password);
    let twice = Sha256::digest(once);
    let mut mixed = Sha256::new();
    mixed.update(twice);
    mixed.update(nonce);
    xor(once.to_vec(), &mixed.finalize())
}

fn xor(mut bytes: Vec<u8>, with: &[u8]) -> Vec<u8> {
    bytes.iter_mut().zip(with).for_each(|(byte, other)| *byte ^= other);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(proof: Proof) -> String {
        match proof {
            Proof::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            other => panic!("{other:?}"),
        }
    }

    /// What a server computes that knows SHA256(SHA256(password)) alone.
    fn server_accepts(proof: &[u8], nonce: &[u8], stored: &[u8]) -> bool {
        let mut mixed = Sha256::new();
        mixed.update(stored);
        mixed.update(nonce);
        Sha256::digest(xor(proof.to_vec(), &mixed.finalize())).as_slice() == stored
    }

    #[test]
    fn known_proofs() {
        let nonce = [10, 47, 74, 111, 75, 73, 34, 48, 88, 76, 114, 74, 37, 13, 3, 80, 82, 2, 23, 21];
        let expected = "f490e76f66d9d86665ce54d98c78d0acfe2fb0b08b423da807144873d30b312c";
        assert_eq!(hex(of("caching_sha2_password", b"secret", &nonce)), expected);
    }

    #[test]
    fn a_server_that_knows_the_double_hash_alone_accepts_the_proof() {
        let nonce = b"01234567890123456789";
        let stored = Sha256::digest(Sha256::digest(b"sesame"));
        assert!(server_accepts(&sha2(b"sesame", nonce), nonce, &stored));
        assert!(!server_accepts(&sha2(b"simsam", nonce), nonce, &stored));
        let stored = sha1(&[&sha1(&[b"sesame"])]);
        let proof = native(b"sesame", nonce);
        assert_eq!(sha1(&[&xor(proof, &sha1(&[nonce, &stored]))]), stored);
    }

    #[test]
    fn no_password_is_no_proof_and_an_unknown_way_is_named() {
        assert_eq!(of("caching_sha2_password", b"", b"abc"), Proof::Bytes(Vec::new()));
        assert_eq!(of("sha256_password", b"x", b"abc"), Proof::Clear);
        assert_eq!(of("client_ed25519", b"x", b"abc"), Proof::Unknown);
        assert_eq!(of("mysql_old_password", b"", b""), Proof::Unknown);
    }
}
