//! The hello of a known client, with what a client makes up anew each time.

use crate::catalogue::registry::{Client, ClientExtension, GREASE};
use crate::net::Random;
use crate::wire::cursor::put_vec16;
use crate::wire::hello::{PADDED, UNLUCKY};
use crate::wire::{ClientHello, Extension, extension};
use aws_lc_rs::agreement::{self, EphemeralPrivateKey};
use aws_lc_rs::kem::{DecapsulationKey, ML_KEM_768};

/// The length of what a made up encrypted hello holds: one of those that browsers use.
const SEALED: usize = 208;

/// The record of a client's hello. The application protocols are left out where the service is none of a browser's.
///
/// # Errors
/// When a key share of the client cannot be made here.
pub fn record(client: &Client, name: &str, with_alpn: bool, random: &dyn Random) -> Result<Vec<u8>, String> {
    let mut makeup = Makeup { client, random, greased: Vec::new() };
    let group = makeup.grease();
    let mut list = Vec::new();
    for known in makeup.order() {
        let body = match known.kind {
            extension::SERVER_NAME => match Extension::server_name(name) {
                Some(name) => name.body,
                None => continue,
            },
            extension::SUPPORTED_GROUPS => Extension::groups(&replaced(&client.groups, group)).body,
            extension::SIGNATURE_ALGORITHMS => Extension::schemes(&replaced(&client.schemes, makeup.grease())).body,
            extension::SUPPORTED_VERSIONS => Extension::versions(&replaced(&client.versions, makeup.grease())).body,
            extension::KEY_SHARE => Extension::key_shares(&makeup.shares(group)?).body,
            extension::ALPN if !with_alpn => continue,
            extension::ALPN => Extension::alpn(&client.alpn.iter().map(String::as_str).collect::<Vec<_>>()).body,
            extension::ENCRYPTED_HELLO => makeup.sealed(),
            _ => known.body.clone(),
        };
        let kind = if known.kind == GREASE { makeup.grease() } else { known.kind };
        list.push(Extension::new(kind, body));
    }
    let mut hello = ClientHello {
        version: client.hello_version,
        random: makeup.bytes::<32>(),
        session_id: makeup.many(client.session_id.min(32)),
        suites: replaced(&client.suites, makeup.grease()),
        compression: client.compression.iter().filter_map(|method| u8::try_from(*method).ok()).collect(),
        extensions: None,
    };
    hello.extensions = (!list.is_empty()).then(|| padded(&hello, list));
    Ok(hello.to_exact_record(client.record_version))
}

/// Padding, where the client has it, in its place: as much as an unlucky length needs, and none otherwise.
fn padded(hello: &ClientHello, mut list: Vec<Extension>) -> Vec<Extension> {
    let Some(place) = list.iter().position(|one| one.kind == extension::PADDING) else { return list };
    let padding = list.remove(place);
    let bare = ClientHello { extensions: Some(list.clone()), ..hello.clone() }.exact_length();
    if UNLUCKY.contains(&bare) {
        let length = PADDED.saturating_sub(bare + 4).max(1);
        list.insert(place, Extension { body: vec![0; length], ..padding });
    }
    list
}

/// A list with the made up value in its place.
fn replaced(list: &[u16], grease: u16) -> Vec<u16> {
    list.iter().map(|value| if *value == GREASE { grease } else { *value }).collect()
}

/// What a client makes up.
struct Makeup<'a> {
    client: &'a Client,
    random: &'a dyn Random,
    /// Types of extensions must not repeat, so no made up value does.
    greased: Vec<u16>,
}

impl Makeup<'_> {
    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }

    fn many(&self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.random.fill(&mut bytes);
        bytes
    }

    /// One of the sixteen values of RFC 8701 that was not used yet.
    fn grease(&mut self) -> u16 {
        let [start] = self.bytes::<1>();
        let value = |step: u8| {
            let byte = (start.wrapping_add(step << 4) & 0xF0) | 0x0A;
            u16::from_be_bytes([byte, byte])
        };
        let fresh = (0..16).map(value).find(|value| !self.greased.contains(value)).unwrap_or(GREASE);
        self.greased.push(fresh);
        fresh
    }

    /// The extensions in the client's order: one of its orders where it has no fixed one. Made up ones stay in their places.
    fn order(&self) -> Vec<ClientExtension> {
        let mut list = self.client.extensions.clone();
        if !self.client.shuffled {
            return list;
        }
        let places: Vec<usize> =
            list.iter().enumerate().filter(|(_, one)| one.kind != GREASE).map(|(n, _)| n).collect();
        for (n, place) in places.iter().enumerate().skip(1).rev() {
            let other = usize::from(u16::from_be_bytes(self.bytes::<2>())) % (n + 1);
            if let Some(other) = places.get(other) {
                list.swap(*place, *other);
            }
        }
        list
    }

    fn shares(&self, grease: u16) -> Result<Vec<(u16, Vec<u8>)>, String> {
        let share = |id: &u16| match *id {
            GREASE => Ok((grease, vec![0])),
            id => Ok((id, share(id).ok_or_else(|| format!("no key share of group 0x{id:04X} can be made"))?)),
        };
        self.client.shares.iter().map(share).collect()
    }

    /// An encrypted hello that holds nothing (the GREASE of its specification).
    fn sealed(&self) -> Vec<u8> {
        // Outer hello, HKDF-SHA256, AES-128-GCM, and the number of a configuration.
        let mut body = vec![0, 0, 1, 0, 1];
        body.extend(self.bytes::<1>());
        put_vec16(&mut body, &self.bytes::<32>());
        put_vec16(&mut body, &self.many(SEALED));
        body
    }
}

/// A real share: a server that takes it computes with it.
fn share(group: u16) -> Option<Vec<u8>> {
    match group {
        0x0017 => public(&agreement::ECDH_P256),
        0x0018 => public(&agreement::ECDH_P384),
        0x0019 => public(&agreement::ECDH_P521),
        0x001D => public(&agreement::X25519),
        0x11EB => Some([public(&agreement::ECDH_P256)?, encapsulation()?].concat()),
        0x11EC => Some([encapsulation()?, public(&agreement::X25519)?].concat()),
        _ => None,
    }
}

fn public(algorithm: &'static agreement::Algorithm) -> Option<Vec<u8>> {
    let key = EphemeralPrivateKey::generate(algorithm, &aws_lc_rs::rand::SystemRandom::new()).ok()?;
    Some(key.compute_public_key().ok()?.as_ref().to_vec())
}

fn encapsulation() -> Option<Vec<u8>> {
    let key = DecapsulationKey::generate(&ML_KEM_768).ok()?;
    Some(key.encapsulation_key().ok()?.key_bytes().ok()?.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::registry::{self, is_grease};
    use crate::net::SeededRandom;

    fn hello(client: &Client, seed: u64) -> (ClientHello, Vec<u8>) {
        let record = record(client, "shop.example", true, &SeededRandom::new(seed)).unwrap();
        (ClientHello::parse(&record[9..]).unwrap(), record)
    }

    fn masked(list: &[u16]) -> Vec<u16> {
        list.iter().map(|value| if is_grease(*value) { GREASE } else { *value }).collect()
    }

    #[test]
    fn every_client_sends_what_was_captured() {
        for client in registry::clients() {
            for seed in 0..20 {
                let (hello, record) = hello(client, seed);
                let id = &client.id;
                assert_eq!(record[1..3], client.record_version.to_be_bytes(), "{id}");
                assert_eq!(hello.version, client.hello_version, "{id}");
                assert_eq!(masked(&hello.suites), client.suites, "{id}");
                assert_eq!(masked(&hello.groups()), client.groups, "{id}");
                assert_eq!(masked(&hello.schemes()), client.schemes, "{id}");
                assert_eq!(hello.alpn(), client.alpn, "{id}");
                assert_eq!(hello.session_id.len(), client.session_id, "{id}");
                assert_eq!(hello.server_name().as_deref(), Some("shop.example"), "{id}");
                let shares: Vec<u16> = hello.shares().into_iter().map(|(group, _)| group).collect();
                assert_eq!(masked(&shares), client.shares, "{id}");
                for (group, share) in hello.shares().into_iter().filter(|(group, _)| !is_grease(*group)) {
                    assert_eq!(share.len(), registry::group(group).unwrap().client_share_len, "{id}");
                }
                let mut kinds: Vec<u16> = hello.extensions.unwrap().iter().map(|one| one.kind).collect();
                let mut known: Vec<u16> = client.extensions.iter().map(|one| one.kind).collect();
                kinds.retain(|kind| *kind != extension::PADDING);
                known.retain(|kind| *kind != extension::PADDING);
                kinds = masked(&kinds);
                if client.shuffled {
                    kinds.sort_unstable();
                    known.sort_unstable();
                }
                assert_eq!(kinds, known, "{id}");
            }
        }
    }

    #[test]
    fn what_is_made_up_differs_and_never_repeats_within_a_hello() {
        let chromium = registry::clients().iter().find(|client| client.greases() && client.shuffled).unwrap();
        let kinds =
            |seed| -> Vec<u16> { hello(chromium, seed).0.extensions.unwrap().iter().map(|one| one.kind).collect() };
        assert_ne!(kinds(1), kinds(2));
        assert!(is_grease(kinds(3)[0]) && is_grease(*kinds(3).last().unwrap()));
        assert_ne!(kinds(3)[0], *kinds(3).last().unwrap());
        let (sent, _) = hello(chromium, 4);
        assert_eq!(sent.groups()[0], sent.shares()[0].0, "one value for group and share");
    }

    #[test]
    fn a_client_that_pads_has_no_unlucky_length() {
        let pads = registry::clients().iter().filter(|client| client.sends(extension::PADDING));
        for client in pads {
            let (_, record) = hello(client, 1);
            assert!(!UNLUCKY.contains(&(record.len() - 5)), "{}: {}", client.id, record.len());
        }
    }

    #[test]
    fn an_address_is_never_sent_as_a_name() {
        let client = &registry::clients()[0];
        let record = record(client, "127.0.0.1", false, &SeededRandom::new(1)).unwrap();
        let hello = ClientHello::parse(&record[9..]).unwrap();
        assert_eq!((hello.server_name(), hello.alpn()), (None, Vec::new()));
    }
}
