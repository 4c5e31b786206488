//! What a cipher's name says, as dm-crypt, cryptsetup, ZFS, fscrypt and eCryptfs write it.

use crate::model::Fact;

/// A cipher by its properties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cipher {
    /// False for the cipher that leaves everything as it is.
    pub encrypts: bool,
    /// `AES`, or another algorithm's name.
    pub algorithm: Fact<String>,
    /// The size of the key.
    pub key_bits: Fact<u32>,
    /// `XTS`, `CBC`, `GCM`.
    pub mode: Fact<String>,
}

impl Cipher {
    /// A cipher of which nothing is known for this reason, except that there is one.
    pub fn unknown(why: &str) -> Cipher {
        Cipher { encrypts: true, algorithm: Fact::unknown(why), key_bits: Fact::unknown(why), mode: Fact::unknown(why) }
    }

    /// A known one.
    pub fn known(algorithm: &str, key_bits: u32, mode: &str) -> Cipher {
        Cipher {
            encrypts: true,
            algorithm: Fact::Known(algorithm.to_owned()),
            key_bits: Fact::Known(key_bits),
            mode: Fact::Known(mode.to_owned()),
        }
    }

    /// By dm-crypt's name: `aes-xts-plain64`, or `capi:xts(aes)-plain64`.
    pub fn of_dm(name: &str, key_bytes: Option<u32>) -> Cipher {
        let lower = name.to_ascii_lowercase();
        if lower.contains("null") {
            return Cipher { encrypts: false, ..Cipher::unknown("the null cipher encrypts nothing") };
        }
        let (algorithm, mode) = match lower.strip_prefix("capi:") {
            Some(rest) => of_kernel(rest),
            None => of_parts(&lower),
        };
        let authenticated = lower.contains("authenc");
        let key_bits = match (key_bytes, mode) {
            _ if authenticated => Fact::unknown("the key of the integrity is part of what is told"),
            (None, _) => Fact::unknown("the size of the key is not told"),
            // XTS takes two keys, which are told as one.
            (Some(bytes), Some("XTS")) => Fact::Known(bytes.saturating_mul(4)),
            (Some(bytes), _) => Fact::Known(bytes.saturating_mul(8)),
        };
        let mode = match mode {
            Some("CBC") if authenticated => Some("CBC-HMAC"),
            other => other,
        };
        let untold = || format!("the cipher {} is not known here", clean(name));
        Cipher {
            encrypts: true,
            algorithm: algorithm.map_or_else(|| Fact::unknown(untold()), |one| Fact::Known(one.to_owned())),
            key_bits,
            mode: mode.map_or_else(|| Fact::unknown(untold()), |one| Fact::Known(one.to_owned())),
        }
    }

    /// By a name such as `aes-256-gcm` (ZFS) or `AES-256-XTS` (fscrypt). `None` where the name is no such one.
    pub fn of_name(name: &str) -> Option<Cipher> {
        let mut parts = name.split('-');
        let (algorithm, bits, mode) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Some(Cipher::known(algorithm_word(&algorithm.to_ascii_lowercase())?, bits.parse().ok()?, mode_word(mode)?))
    }
}

/// What is told of a layer, without control characters and of bounded length.
fn clean(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(60).collect()
}

type Words = (Option<&'static str>, Option<&'static str>);

fn of_parts(name: &str) -> Words {
    let mut parts = name.split('-');
    let algorithm = parts.next().unwrap_or_default();
    let mode = parts.next().and_then(mode_word);
    // `xchacha12,aes` is a list whose construction the second part names.
    if algorithm.contains(',') { (None, mode) } else { (algorithm_word(algorithm), mode) }
}

/// The kernel's own way of writing: `xts(aes)`, `authenc(hmac(sha256),cbc(aes))`.
fn of_kernel(name: &str) -> Words {
    for mode in ["xts", "cbc", "gcm", "ctr", "ecb", "ccm"] {
        let Some((before, inner)) = name.split_once(&format!("{mode}(")) else { continue };
        // `xts(ecb(aes))` names the outer one; a longer word that ends so is another.
        if before.ends_with(|letter: char| letter.is_alphanumeric()) {
            continue;
        }
        let algorithm: String = inner.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
        return (algorithm_word(&algorithm), mode_word(mode));
    }
    (None, None)
}

fn algorithm_word(name: &str) -> Option<&'static str> {
    Some(match name {
        "aes" => "AES",
        "serpent" => "Serpent",
        "twofish" => "Twofish",
        "camellia" => "Camellia",
        "sm4" => "SM4",
        "aria" => "ARIA",
        "des" => "DES",
        "des3_ede" => "3DES",
        "blowfish" => "Blowfish",
        "cast5" | "cast6" => "CAST",
        _ => return None,
    })
}

fn mode_word(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "xts" => "XTS",
        "cbc" => "CBC",
        "gcm" => "GCM",
        "ccm" => "CCM",
        "ctr" => "CTR",
        "ecb" => "ECB",
        "lrw" => "LRW",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_device_mapper_are_read() {
        assert_eq!(Cipher::of_dm("aes-xts-plain64", Some(64)), Cipher::known("AES", 256, "XTS"));
        assert_eq!(Cipher::of_dm("aes-xts-plain64", Some(32)), Cipher::known("AES", 128, "XTS"));
        assert_eq!(Cipher::of_dm("aes-cbc-essiv:sha256", Some(32)), Cipher::known("AES", 256, "CBC"));
        assert_eq!(Cipher::of_dm("capi:xts(aes)-plain64", Some(64)), Cipher::known("AES", 256, "XTS"));
        assert_eq!(Cipher::of_dm("serpent-xts-plain64", Some(64)), Cipher::known("Serpent", 256, "XTS"));
        let sealed = Cipher::of_dm("capi:authenc(hmac(sha256),cbc(aes))-plain64", Some(64));
        assert_eq!((&sealed.algorithm, &sealed.mode), (&Fact::Known("AES".into()), &Fact::Known("CBC-HMAC".into())));
        assert!(sealed.key_bits.known().is_none());
        let adiantum = Cipher::of_dm("xchacha12,aes-adiantum-plain64", Some(32));
        assert!(adiantum.encrypts && adiantum.algorithm.known().is_none() && adiantum.mode.known().is_none());
    }

    #[test]
    fn the_null_cipher_is_no_encryption() {
        for name in ["cipher_null-ecb", "null-ecb", "capi:ecb(cipher_null)", "ecb-cipher_null"] {
            assert!(!Cipher::of_dm(name, Some(32)).encrypts, "{name}");
        }
    }

    #[test]
    fn names_of_file_systems_are_read() {
        assert_eq!(Cipher::of_name("aes-256-gcm"), Some(Cipher::known("AES", 256, "GCM")));
        assert_eq!(Cipher::of_name("AES-256-XTS"), Some(Cipher::known("AES", 256, "XTS")));
        assert_eq!(Cipher::of_name("aes-128-ccm"), Some(Cipher::known("AES", 128, "CCM")));
        assert!(Cipher::of_name("off").is_none() && Cipher::of_name("Adiantum").is_none());
        assert!(Cipher::of_name("aes-256-gcm-x").is_none());
    }
}
