//! The protection of records in one direction: what a session sends, what it reads, and what nobody should send.

use super::keys::{Hash, Terms};
use super::suite::Cipher;
use crate::net::Random;
use crate::wire::Version;
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use cbc::cipher::{
    Block, BlockCipherDecrypt, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, KeyInit, KeyIvInit,
};
use rc4::{Rc4, StreamCipher as _};

/// A record that does not verify, or cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a record that is not protected as agreed")]
pub struct Broken;

/// One direction of a session.
pub struct Protection {
    version: Version,
    state: State,
    mac: Option<(Hash, Vec<u8>)>,
    encrypt_then_mac: bool,
    sequence: u64,
}

enum State {
    /// The explicit part of the nonce goes with each record, or the sequence is mixed into the vector.
    Aead {
        key: LessSafeKey,
        vector: Vec<u8>,
        explicit: bool,
    },
    Cbc {
        cipher: Cipher,
        block: usize,
        key: Vec<u8>,
        last: Vec<u8>,
    },
    Stream(Box<Rc4>),
}

impl Protection {
    /// A protection with these parts of the key block: MAC key, key, vector.
    ///
    /// # Errors
    /// When they are not what the suite needs.
    pub fn new(terms: &Terms, parts: Vec<Vec<u8>>) -> Result<Protection, Broken> {
        let [mac, key, vector]: [Vec<u8>; 3] = parts.try_into().map_err(|_| Broken)?;
        let cipher = terms.suite.cipher;
        let state = match (cipher, cipher.block()) {
            (_, Some(block)) => State::Cbc { cipher, block, key, last: vector },
            (Cipher::Rc4, None) => State::Stream(Box::new(Rc4::new_from_slice(&key).map_err(|_| Broken)?)),
            (_, None) => {
                let algorithm = match cipher {
                    Cipher::ChaCha20 => &CHACHA20_POLY1305,
                    _ if key.len() == 16 => &AES_128_GCM,
                    _ => &AES_256_GCM,
                };
                let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).map_err(|_| Broken)?);
                State::Aead { key, vector, explicit: matches!(cipher, Cipher::Gcm(_)) }
            }
        };
        Ok(Protection {
            version: terms.version,
            state,
            mac: terms.suite.mac.map(|hash| (hash, mac)),
            encrypt_then_mac: terms.encrypt_then_mac && terms.suite.is_cbc(),
            sequence: 0,
        })
    }

    /// The length of a block; 1 where there are none.
    pub fn block(&self) -> usize {
        if let State::Cbc { block, .. } = &self.state { *block } else { 1 }
    }

    /// The MAC of a record with this content, if it were the next one.
    pub fn mac(&self, kind: u8, content: &[u8]) -> Vec<u8> {
        let Some((hash, key)) = &self.mac else { return Vec::new() };
        hash.hmac(key, &[&self.header(kind, content.len()), content])
    }

    /// The fragment of the next record with this content.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn seal(&mut self, kind: u8, content: &[u8], random: &dyn Random) -> Result<Vec<u8>, Broken> {
        let header = self.header(kind, content.len());
        let mac = if self.encrypt_then_mac { Vec::new() } else { self.mac(kind, content) };
        if let State::Aead { key, vector, explicit } = &self.state {
            let number = self.sequence.to_be_bytes();
            let mut fragment = content.to_vec();
            let nonce = nonce(vector, &number, *explicit)?;
            key.seal_in_place_append_tag(nonce, Aad::from(header), &mut fragment).map_err(|_| Broken)?;
            if *explicit {
                fragment.splice(0..0, number);
            }
            self.advance();
            return Ok(fragment);
        }
        let mut plain = [content, &mac].concat();
        if let State::Stream(cipher) = &mut self.state {
            cipher.try_apply_keystream(&mut plain).map_err(|_| Broken)?;
            self.advance();
            return Ok(plain);
        }
        pad(&mut plain, self.block());
        self.forge(kind, plain, random)
    }

    /// The fragment of the next record whose plaintext is these whole blocks, whatever they hold: content, MAC and
    /// padding are the caller's.
    ///
    /// # Errors
    /// When the suite has no blocks, or these are not whole ones.
    pub fn forge(&mut self, kind: u8, plain: Vec<u8>, random: &dyn Random) -> Result<Vec<u8>, Broken> {
        let version = self.version;
        let State::Cbc { cipher, block, key, last } = &mut self.state else { return Err(Broken) };
        if plain.is_empty() || !plain.len().is_multiple_of(*block) {
            return Err(Broken);
        }
        let mut vector = last.clone();
        if version > Version::Tls10 {
            vector = vec![0; *block];
            random.fill(&mut vector);
        }
        let mut fragment = plain;
        encrypt(*cipher, key, &vector, &mut fragment)?;
        if version > Version::Tls10 {
            fragment.splice(0..0, vector);
        } else {
            *last = fragment.get(fragment.len() - *block..).unwrap_or_default().to_vec();
        }
        if self.encrypt_then_mac {
            fragment.extend(self.mac(kind, &fragment));
        }
        self.advance();
        Ok(fragment)
    }

    /// The content of the next record, from its fragment.
    ///
    /// # Errors
    /// When it does not verify.
    pub fn open(&mut self, kind: u8, fragment: &[u8]) -> Result<Vec<u8>, Broken> {
        let content = match &self.state {
            State::Aead { .. } => self.open_aead(kind, fragment),
            State::Cbc { .. } => self.open_cbc(kind, fragment),
            State::Stream(_) => {
                let mut plain = fragment.to_vec();
                if let State::Stream(cipher) = &mut self.state {
                    cipher.try_apply_keystream(&mut plain).map_err(|_| Broken)?;
                }
                self.verified(kind, plain)
            }
        }?;
        self.advance();
        Ok(content)
    }

    fn open_aead(&self, kind: u8, fragment: &[u8]) -> Result<Vec<u8>, Broken> {
        let State::Aead { key, vector, explicit } = &self.state else { return Err(Broken) };
        let (number, sealed) = match explicit {
            true => fragment.split_first_chunk::<8>().ok_or(Broken)?,
            false => (&self.sequence.to_be_bytes(), fragment),
        };
        let length = sealed.len().checked_sub(16).ok_or(Broken)?;
        let mut plain = sealed.to_vec();
        let nonce = nonce(vector, number, *explicit)?;
        let header = self.header(kind, length);
        key.open_in_place(nonce, Aad::from(header), &mut plain).map_err(|_| Broken)?;
        plain.truncate(length);
        Ok(plain)
    }

    fn open_cbc(&mut self, kind: u8, fragment: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut sealed = fragment;
        if self.encrypt_then_mac {
            let length = self.mac.as_ref().map_or(0, |(hash, _)| hash.length());
            let (rest, mac) = fragment.split_at_checked(fragment.len().wrapping_sub(length)).ok_or(Broken)?;
            if self.mac(kind, rest) != mac {
                return Err(Broken);
            }
            sealed = rest;
        }
        let version = self.version;
        let State::Cbc { cipher, block, key, last } = &mut self.state else { return Err(Broken) };
        let (vector, sealed) = match version > Version::Tls10 {
            true => sealed.split_at_checked(*block).ok_or(Broken)?,
            false => (last.as_slice(), sealed),
        };
        if sealed.is_empty() || !sealed.len().is_multiple_of(*block) {
            return Err(Broken);
        }
        let mut plain = sealed.to_vec();
        decrypt(*cipher, key, vector, &mut plain)?;
        *last = sealed.get(sealed.len() - *block..).unwrap_or_default().to_vec();
        unpad(&mut plain)?;
        if self.encrypt_then_mac { Ok(plain) } else { self.verified(kind, plain) }
    }

    /// The content before a MAC that is right.
    fn verified(&self, kind: u8, mut plain: Vec<u8>) -> Result<Vec<u8>, Broken> {
        let length = self.mac.as_ref().map_or(0, |(hash, _)| hash.length());
        let content = plain.len().checked_sub(length).ok_or(Broken)?;
        let mac = plain.split_off(content);
        if self.mac(kind, &plain) == mac { Ok(plain) } else { Err(Broken) }
    }

    fn header(&self, kind: u8, length: usize) -> [u8; 13] {
        let mut header = [0; 13];
        let fields = self.sequence.to_be_bytes().into_iter().chain([kind]).chain(self.version.code().to_be_bytes());
        let length = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
        for (place, byte) in header.iter_mut().zip(fields.chain(length)) {
            *place = byte;
        }
        header
    }

    fn advance(&mut self) {
        self.sequence = self.sequence.wrapping_add(1);
    }
}

/// The padding of TLS: as many bytes as needed, each its number without the last.
pub fn pad(plain: &mut Vec<u8>, block: usize) {
    let count = block - plain.len() % block;
    let byte = u8::try_from(count.saturating_sub(1)).unwrap_or_default();
    plain.extend(std::iter::repeat_n(byte, count));
}

fn unpad(plain: &mut Vec<u8>) -> Result<(), Broken> {
    let byte = *plain.last().ok_or(Broken)?;
    let content = plain.len().checked_sub(usize::from(byte) + 1).ok_or(Broken)?;
    match plain.split_off(content).iter().all(|other| *other == byte) {
        true => Ok(()),
        false => Err(Broken),
    }
}

fn nonce(vector: &[u8], number: &[u8; 8], explicit: bool) -> Result<Nonce, Broken> {
    let bytes = match explicit {
        true => [vector, number].concat(),
        false => {
            let padded = [0; 4].iter().chain(number);
            vector.iter().zip(padded).map(|(one, other)| one ^ other).collect()
        }
    };
    Nonce::try_assume_unique_for_key(&bytes).map_err(|_| Broken)
}

fn encrypt(cipher: Cipher, key: &[u8], vector: &[u8], data: &mut [u8]) -> Result<(), Broken> {
    match cipher {
        Cipher::AesCbc(16) => encrypt_with::<aes::Aes128>(key, vector, data),
        Cipher::AesCbc(_) => encrypt_with::<aes::Aes256>(key, vector, data),
        Cipher::CamelliaCbc(16) => encrypt_with::<camellia::Camellia128>(key, vector, data),
        Cipher::CamelliaCbc(_) => encrypt_with::<camellia::Camellia256>(key, vector, data),
        Cipher::Des => encrypt_with::<des::Des>(key, vector, data),
        _ => encrypt_with::<des::TdesEde3>(key, vector, data),
    }
}

fn decrypt(cipher: Cipher, key: &[u8], vector: &[u8], data: &mut [u8]) -> Result<(), Broken> {
    match cipher {
        Cipher::AesCbc(16) => decrypt_with::<aes::Aes128>(key, vector, data),
        Cipher::AesCbc(_) => decrypt_with::<aes::Aes256>(key, vector, data),
        Cipher::CamelliaCbc(16) => decrypt_with::<camellia::Camellia128>(key, vector, data),
        Cipher::CamelliaCbc(_) => decrypt_with::<camellia::Camellia256>(key, vector, data),
        Cipher::Des => decrypt_with::<des::Des>(key, vector, data),
        _ => decrypt_with::<des::TdesEde3>(key, vector, data),
    }
}

fn encrypt_with<C: BlockCipherEncrypt + KeyInit>(key: &[u8], vector: &[u8], data: &mut [u8]) -> Result<(), Broken> {
    let mut mode = cbc::Encryptor::<C>::new_from_slices(key, vector).map_err(|_| Broken)?;
    for block in data.chunks_exact_mut(C::block_size()) {
        mode.encrypt_block(<&mut Block<C>>::try_from(block).map_err(|_| Broken)?);
    }
    Ok(())
}

fn decrypt_with<C: BlockCipherDecrypt + KeyInit>(key: &[u8], vector: &[u8], data: &mut [u8]) -> Result<(), Broken> {
    let mut mode = cbc::Decryptor::<C>::new_from_slices(key, vector).map_err(|_| Broken)?;
    for block in data.chunks_exact_mut(C::block_size()) {
        mode.decrypt_block(<&mut Block<C>>::try_from(block).map_err(|_| Broken)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::suite::Suite;
    use super::*;
    use crate::net::SeededRandom;

    fn terms(version: Version, id: u16, encrypt_then_mac: bool) -> Terms {
        let suite = Suite::find(id).unwrap();
        Terms { version, suite, client: [1; 32], server: [2; 32], encrypt_then_mac }
    }

    /// Writer and reader of the same direction.
    fn both(terms: &Terms) -> (Protection, Protection) {
        (terms.protections(&[3; 48]).unwrap().0, terms.protections(&[3; 48]).unwrap().0)
    }

    #[test]
    fn every_cipher_goes_round_and_notices_a_changed_bit() {
        let random = SeededRandom::new(1);
        let suites =
            [0x0004, 0x0005, 0x0009, 0x000A, 0x0041, 0x0084, 0x002F, 0x0035, 0x003C, 0xC028, 0xC02F, 0xC030, 0xCCA8];
        for (id, version) in suites.into_iter().flat_map(|id| [(id, Version::Tls10), (id, Version::Tls12)]) {
            for etm in [false, true] {
                let terms = terms(version, id, etm);
                let (mut writer, mut reader) = both(&terms);
                for length in [0, 1, 15, 16, 17, 300] {
                    let content = vec![7; length];
                    let fragment = writer.seal(23, &content, &random).unwrap();
                    assert_eq!(reader.open(23, &fragment), Ok(content), "0x{id:04X} {version:?} {etm} {length}");
                }
                let mut fragment = writer.seal(23, b"hello", &random).unwrap();
                fragment[0] ^= 1;
                assert_eq!(reader.open(23, &fragment), Err(Broken));
            }
        }
    }

    /// NIST SP 800-38A, sections F.2.1 and F.2.5.
    #[test]
    fn aes_cbc_gives_the_known_vectors() {
        let key: Vec<u8> =
            vec![0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c];
        let vector: Vec<u8> = (0..16).collect();
        let plain = [0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a];
        let mut data = plain;
        encrypt(Cipher::AesCbc(16), &key, &vector, &mut data).unwrap();
        let expected = [0x76, 0x49, 0xab, 0xac, 0x81, 0x19, 0xb2, 0x46, 0xce, 0xe9, 0x8e, 0x9b, 0x12, 0xe9, 0x19, 0x7d];
        assert_eq!(data, expected);
        decrypt(Cipher::AesCbc(16), &key, &vector, &mut data).unwrap();
        assert_eq!(data, plain);
    }

    #[test]
    fn a_forged_record_with_right_padding_is_a_sealed_one() {
        let terms = terms(Version::Tls10, 0x002F, false);
        let (mut one, mut other) = both(&terms);
        let mut plain = [b"content".to_vec(), other.mac(23, b"content")].concat();
        pad(&mut plain, 16);
        let random = SeededRandom::new(1);
        assert_eq!(other.forge(23, plain, &random), one.seal(23, b"content", &random));
        assert_eq!(one.forge(23, vec![0; 17], &random), Err(Broken));
        let (mut stream, _) = both(&terms_of_stream());
        assert_eq!(stream.forge(23, vec![0; 16], &random), Err(Broken));
    }

    fn terms_of_stream() -> Terms {
        terms(Version::Tls10, 0x0005, false)
    }

    #[test]
    fn no_fragment_makes_the_reader_panic() {
        for id in [0x0005, 0x002F, 0xC02F, 0xCCA8] {
            for etm in [false, true] {
                for length in 0..70 {
                    let (mut reader, _) = both(&terms(Version::Tls12, id, etm));
                    assert_eq!(reader.open(23, &vec![5; length]), Err(Broken));
                }
            }
        }
    }
}
