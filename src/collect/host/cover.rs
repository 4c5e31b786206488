//! What covers a path or a device: whether every way down to a disk leads through encryption.

use super::cipher::Cipher;
use crate::model::Fact;
use crate::model::database::Layer;

/// The most layers and steps that are kept of one path.
const MOST: usize = 64;

/// The state of what lies below a path or a device.
#[derive(Clone, Debug)]
pub struct Cover {
    /// Something is written to a disk at all.
    pub stored: Fact<bool>,
    /// Every way down leads through a layer that encrypts.
    pub encrypted: Fact<bool>,
    /// The cipher that counts; of several ways the weakest.
    pub cipher: Option<Cipher>,
    /// The layers that encrypt.
    pub layers: Vec<Layer>,
    /// The steps down.
    pub way: Vec<String>,
    /// What would settle what is unknown.
    pub would_show: String,
}

impl Cover {
    /// Not known, for this reason.
    pub fn unknown(why: impl Into<String>, would_show: &str) -> Cover {
        Cover { encrypted: Fact::unknown(why), would_show: would_show.to_owned(), ..Cover::plain() }
    }

    /// No layer encrypts.
    pub fn plain() -> Cover {
        Cover {
            stored: Fact::Known(true),
            encrypted: Fact::Known(false),
            cipher: None,
            layers: Vec::new(),
            way: Vec::new(),
            would_show: String::new(),
        }
    }

    /// Kept in memory alone.
    pub fn memory() -> Cover {
        Cover { stored: Fact::Known(false), encrypted: Fact::unknown("it is kept in memory alone"), ..Cover::plain() }
    }

    /// Encrypted by this layer, shown by this source with this strength.
    pub fn layer(name: &str, cipher: Cipher, scope: String, source: String, level: u8) -> Cover {
        let layer = Layer {
            layer: name.to_owned(),
            encrypted: Fact::Known(true),
            algorithm: cipher.algorithm.clone(),
            key_bits: cipher.key_bits.clone(),
            mode: cipher.mode.clone(),
            scope,
            level,
            source,
            key_location: Fact::unknown("the kernel does not tell where the key comes from"),
        };
        Cover { encrypted: Fact::Known(true), cipher: Some(cipher), layers: vec![layer], ..Cover::plain() }
    }

    /// The same, with a step before those it has.
    #[must_use]
    pub fn behind(mut self, step: String) -> Cover {
        self.way.insert(0, step);
        self.way.truncate(MOST);
        self
    }

    /// This layer with what lies below it: one that encrypts is enough.
    #[must_use]
    pub fn over(mut self, below: Cover) -> Cover {
        let known = |cover: &Cover| cover.cipher.as_ref().is_some_and(|cipher| cipher.key_bits.known().is_some());
        if below.encrypted.known() == Some(&true) {
            if !known(&self) && known(&below) {
                self.cipher = below.cipher;
            }
            self.layers.extend(below.layers);
            self.layers.truncate(MOST);
        }
        self.way.extend(below.way);
        self.way.truncate(MOST);
        self
    }

    /// Several ways down: each must be encrypted, and one that is plain makes the whole plain.
    pub fn all(ways: Vec<Cover>) -> Cover {
        let mut ways = ways.into_iter();
        let Some(mut whole) = ways.next() else { return Cover::plain() };
        for next in ways {
            whole.encrypted = match (whole.encrypted, next.encrypted) {
                (Fact::Known(false), _) | (_, Fact::Known(false)) => Fact::Known(false),
                (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Fact::Unknown(why),
                (Fact::Known(true), Fact::Known(true)) => Fact::Known(true),
            };
            whole.stored = match (whole.stored, next.stored) {
                (Fact::Known(false), other) | (other, Fact::Known(false)) => other,
                (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Fact::Unknown(why),
                (Fact::Known(true), Fact::Known(true)) => Fact::Known(true),
            };
            whole.cipher = weaker(whole.cipher, next.cipher);
            let fresh: Vec<Layer> = next.layers.into_iter().filter(|layer| !whole.layers.contains(layer)).collect();
            whole.layers.extend(fresh);
            whole.layers.truncate(MOST);
            whole.way.extend(next.way);
            whole.way.truncate(MOST);
            if whole.would_show.is_empty() {
                whole.would_show = next.would_show;
            }
        }
        whole
    }
}

/// The weaker of two ciphers: one whose key is not known counts as weaker than any, one that is no AES as weaker than AES.
fn weaker(one: Option<Cipher>, other: Option<Cipher>) -> Option<Cipher> {
    let (Some(one), Some(other)) = (one, other) else { return None };
    let rank = |cipher: &Cipher| {
        let aes = cipher.algorithm.known().is_some_and(|name| name == "AES");
        (
            cipher.algorithm.known().is_some(),
            aes,
            cipher.key_bits.known().copied().unwrap_or(0),
            cipher.mode.known().is_some(),
        )
    };
    Some(if rank(&other) < rank(&one) { other } else { one })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luks(bits: u32) -> Cover {
        Cover::layer("disk", Cipher::known("AES", bits, "XTS"), "dm-0".into(), "table".into(), 4)
    }

    #[test]
    fn every_way_must_be_encrypted_and_the_weakest_cipher_counts() {
        let both = Cover::all(vec![luks(256), luks(128)]);
        assert_eq!((both.encrypted, both.cipher.unwrap().key_bits), (Fact::Known(true), Fact::Known(128)));
        assert_eq!(Cover::all(vec![luks(256), Cover::plain()]).encrypted, Fact::Known(false));
        assert!(Cover::all(vec![luks(256), Cover::unknown("why", "")]).encrypted.known().is_none());
        assert_eq!(Cover::all(vec![Cover::unknown("why", ""), Cover::plain()]).encrypted, Fact::Known(false));
    }

    #[test]
    fn one_layer_is_enough_and_the_known_cipher_is_told() {
        let upper = Cover::layer("file", Cipher::unknown("not told"), "folder".into(), "statx".into(), 4);
        let whole = upper.over(luks(256));
        assert_eq!((whole.layers.len(), whole.cipher.unwrap().key_bits), (2, Fact::Known(256)));
        let alone = luks(256).over(Cover::plain());
        assert_eq!((alone.encrypted, alone.layers.len()), (Fact::Known(true), 1));
    }
}
