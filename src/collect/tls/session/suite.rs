//! What a suite means for keys and records.

use super::keys::Hash;
use crate::collect::tls::plan;
use crate::wire::Version;
use crate::wire::key_exchange::{Form, Kind};

/// A suite that a whole handshake can be made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suite {
    /// The code.
    pub id: u16,
    /// How the first secret is agreed on.
    pub exchange: Exchange,
    /// What encrypts.
    pub cipher: Cipher,
    /// The MAC; none where the cipher authenticates.
    pub mac: Option<Hash>,
    /// The hash of the key derivation in TLS 1.2.
    pub derivation: Hash,
    /// The key exchange is signed.
    pub signed: bool,
}

/// How the first secret is agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Encrypted to the certificate's key.
    Rsa,
    /// Ephemeral, in a finite field.
    Field,
    /// Ephemeral, on a curve.
    Curve,
}

/// What encrypts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cipher {
    /// AES-GCM with a key of this many bytes.
    Gcm(usize),
    /// ChaCha20-Poly1305.
    ChaCha20,
    /// AES-CBC with a key of this many bytes.
    AesCbc(usize),
    /// Camellia-CBC with a key of this many bytes.
    CamelliaCbc(usize),
    /// 3DES-CBC.
    TripleDes,
    /// DES-CBC with 56 bits.
    Des,
    /// RC4 with 128 bits.
    Rc4,
}

impl Cipher {
    /// The length of the key.
    pub fn key(self) -> usize {
        match self {
            Cipher::Gcm(length) | Cipher::AesCbc(length) | Cipher::CamelliaCbc(length) => length,
            Cipher::ChaCha20 => 32,
            Cipher::TripleDes => 24,
            Cipher::Des => 8,
            Cipher::Rc4 => 16,
        }
    }

    /// The length of the block of a CBC cipher.
    pub fn block(self) -> Option<usize> {
        match self {
            Cipher::AesCbc(_) | Cipher::CamelliaCbc(_) => Some(16),
            Cipher::TripleDes | Cipher::Des => Some(8),
            _ => None,
        }
    }

    /// The length of the part of the nonce or first vector that comes from the key block.
    pub fn vector(self, version: Version) -> usize {
        match self {
            Cipher::Gcm(_) => 4,
            Cipher::ChaCha20 => 12,
            // From TLS 1.1 on each record brings its own.
            _ if version > Version::Tls10 => 0,
            _ => self.block().unwrap_or(0),
        }
    }
}

impl Suite {
    /// The suite of this code, where it is one of those that a whole handshake can be made with.
    pub fn find(id: u16) -> Option<Suite> {
        let row = plan::suite(id)?;
        if row.export || !matches!(row.auth.as_str(), "RSA" | "ECDSA" | "DSS" | "anon") {
            return None;
        }
        let exchange = match row.kx.as_str() {
            "RSA" => Exchange::Rsa,
            "DHE" => Exchange::Field,
            "ECDHE" => Exchange::Curve,
            _ => return None,
        };
        let length = usize::try_from(row.bits / 8).ok()?;
        let cipher = match (row.enc.as_str(), length) {
            ("AES-GCM", 16 | 32) => Cipher::Gcm(length),
            ("CHACHA20-POLY1305", 32) => Cipher::ChaCha20,
            ("AES-CBC", 16 | 32) => Cipher::AesCbc(length),
            ("CAMELLIA-CBC", 16 | 32) => Cipher::CamelliaCbc(length),
            ("3DES-CBC", _) => Cipher::TripleDes,
            ("DES-CBC", _) => Cipher::Des,
            ("RC4", 16) => Cipher::Rc4,
            _ => return None,
        };
        let mac = match row.mac.as_str() {
            "MD5" => Some(Hash::Md5),
            "SHA1" => Some(Hash::Sha1),
            "SHA256" => Some(Hash::Sha256),
            "SHA384" => Some(Hash::Sha384),
            "AEAD" => None,
            _ => return None,
        };
        // Drafts of the two names that begin so derive keys in other ways.
        if row.name.starts_with("OLD_") || row.protocols.iter().all(|name| name == "SSLv3" || name == "TLSv1.3") {
            return None;
        }
        let derivation = if row.name.ends_with("_SHA384") { Hash::Sha384 } else { Hash::Sha256 };
        Some(Suite { id, exchange, cipher, mac, derivation, signed: row.auth != "anon" })
    }

    /// Whether its records are padded to whole blocks.
    pub fn is_cbc(self) -> bool {
        self.cipher.block().is_some()
    }

    /// What its ServerKeyExchange looks like.
    pub fn form(self) -> Form {
        let kind = match self.exchange {
            Exchange::Rsa => Kind::None,
            Exchange::Field => Kind::Field,
            Exchange::Curve => Kind::Curve,
        };
        Form { kind, hint: false, signed: self.signed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_read_from_the_registry() {
        let gcm = Suite::find(0xC030).unwrap();
        assert_eq!((gcm.exchange, gcm.cipher, gcm.mac), (Exchange::Curve, Cipher::Gcm(32), None));
        assert_eq!(gcm.derivation, Hash::Sha384);
        let cbc = Suite::find(0x0033).unwrap();
        assert_eq!((cbc.exchange, cbc.cipher, cbc.mac), (Exchange::Field, Cipher::AesCbc(16), Some(Hash::Sha1)));
        assert_eq!(cbc.derivation, Hash::Sha256);
        let cbc = Suite::find(0xC028).unwrap();
        assert_eq!((cbc.mac, cbc.derivation), (Some(Hash::Sha384), Hash::Sha384));
        assert_eq!(Suite::find(0x0004).map(|rc4| (rc4.cipher, rc4.mac)), Some((Cipher::Rc4, Some(Hash::Md5))));
        assert_eq!(Suite::find(0x000A).map(|des| des.cipher), Some(Cipher::TripleDes));
        assert_eq!(Suite::find(0x0088).map(|suite| suite.cipher), Some(Cipher::CamelliaCbc(32)));
        assert_eq!(Suite::find(0x0009).map(|suite| suite.cipher.key()), Some(8));
        assert!(!Suite::find(0xC018).unwrap().signed);
    }

    #[test]
    fn what_cannot_be_done_is_no_suite() {
        // Export RC4, PSK, TLS 1.3, SEED, static ECDH, GOST, none.
        for id in [0x0003, 0x008C, 0x1301, 0x0096, 0xC004, 0x0081, 0x0000] {
            assert_eq!(Suite::find(id), None, "0x{id:04X}");
        }
    }
}
