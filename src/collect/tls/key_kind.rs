//! The kinds of certificate keys, as a hello asks for them: by signature schemes (RFC 8446 section 4.2.3).

use rustls::SignatureScheme;

/// A kind of key that a certificate can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// RSA, by PKCS#1 and `rsa_pss_rsae_*`.
    Rsa,
    /// RSA that is for PSS alone, by `rsa_pss_pss_*`.
    RsaPss,
    /// An elliptic curve.
    Ecdsa,
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// ML-DSA.
    MlDsa,
}

impl KeyKind {
    /// All of them.
    pub const ALL: [KeyKind; 6] =
        [KeyKind::Rsa, KeyKind::RsaPss, KeyKind::Ecdsa, KeyKind::Ed25519, KeyKind::Ed448, KeyKind::MlDsa];

    /// The kind that signs by this scheme.
    pub fn of(scheme: SignatureScheme) -> Option<KeyKind> {
        Self::ALL.into_iter().find(|kind| kind.schemes().contains(&scheme))
    }

    /// The schemes by which it signs a handshake of TLS 1.2 or 1.3.
    pub fn schemes(self) -> Vec<SignatureScheme> {
        let ids: &[u16] = match self {
            KeyKind::Rsa => &[0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601],
            KeyKind::RsaPss => &[0x0809, 0x080A, 0x080B],
            KeyKind::Ecdsa => &[0x0403, 0x0503, 0x0603],
            KeyKind::Ed25519 => &[0x0807],
            KeyKind::Ed448 => &[0x0808],
            KeyKind::MlDsa => &[0x0904, 0x0905, 0x0906],
        };
        ids.iter().map(|id| SignatureScheme::from(*id)).collect()
    }
}

/// The schemes by which these kinds sign.
pub fn schemes_of(kinds: &[KeyKind]) -> Vec<SignatureScheme> {
    kinds.iter().flat_map(|kind| kind.schemes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::registry;

    #[test]
    fn the_schemes_are_those_of_the_registry() {
        let key_type = |kind| match kind {
            KeyKind::Rsa => "rsa",
            KeyKind::RsaPss => "rsa-pss",
            KeyKind::Ecdsa => "ecdsa",
            KeyKind::Ed25519 => "ed25519",
            KeyKind::Ed448 => "ed448",
            KeyKind::MlDsa => "mldsa",
        };
        for kind in KeyKind::ALL {
            for scheme in kind.schemes() {
                let row = registry::schemes().iter().find(|row| row.id == u16::from(scheme)).unwrap();
                assert!(row.key_type.starts_with(key_type(kind)), "{kind:?} {} {}", row.name, row.key_type);
                assert_eq!(KeyKind::of(scheme), Some(kind));
            }
        }
        assert_eq!(KeyKind::of(SignatureScheme::RSA_PKCS1_SHA1), None);
    }
}
