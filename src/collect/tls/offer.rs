//! What one hello offers, and the bytes of it.

use super::plan;
use crate::net::Random;
use crate::wire::extension::{self, Extension};
use crate::wire::hello::{DEFLATE, LZS};
use crate::wire::{ClientHello, Version};

/// TLS_FALLBACK_SCSV (RFC 7507).
const FALLBACK_SCSV: u16 = 0x5600;
/// TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746), for hellos without the extension.
const RENEGOTIATION_SCSV: u16 = 0x00FF;

/// What a hello offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The newest version offered.
    pub version: Version,
    /// TLS 1.2 is offered beside TLS 1.3.
    pub modern: bool,
    /// The suites, in this order.
    pub suites: Vec<u16>,
    /// The groups, in this order.
    pub groups: Vec<u16>,
    /// Only what a hello cannot do without.
    pub minimal: bool,
    /// Compression is offered.
    pub compression: bool,
    /// The hello is marked as a fallback.
    pub fallback: bool,
}

/// How hellos are made for a target, beside what they offer.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// The name for server_name.
    pub server_name: Option<String>,
    /// The application protocols.
    pub alpn: Vec<&'static str>,
    /// No hello carries more than it must: the target did not bear the rest.
    pub minimal: bool,
    /// TLS 1.3 hellos carry a key share: the target did not bear an empty list.
    pub share: bool,
    /// Extensions in place of the usual ones of their kind, or beside them.
    pub extra: Vec<Extension>,
}

impl Offer {
    /// All groups with these suites of one version.
    pub fn new(version: Version, suites: Vec<u16>) -> Offer {
        Offer {
            version,
            modern: false,
            suites,
            groups: plan::groups(version),
            minimal: false,
            compression: false,
            fallback: false,
        }
    }

    /// The hello that nearly every server takes: TLS 1.3 and 1.2. The control of all others.
    pub fn baseline() -> Offer {
        let mut groups = plan::groups(Version::Tls13);
        groups.extend(plan::groups(Version::Tls12));
        let mut seen = std::collections::BTreeSet::new();
        groups.retain(|group| seen.insert(*group));
        Offer { modern: true, groups, ..Offer::new(Version::Tls13, plan::baseline()) }
    }

    /// The same with nothing that a hello can do without.
    pub fn minimal(self) -> Offer {
        Offer { minimal: true, compression: false, ..self }
    }

    /// Whether an answer with this version is one to this offer.
    pub fn allows(&self, version: Version) -> bool {
        version == self.version || (self.modern && version == Version::Tls12)
    }

    /// In words, for transcripts.
    pub fn words(&self) -> String {
        let version = if self.modern { "TLSv1.3 and TLSv1.2" } else { self.version.name() };
        let mut words = format!("ClientHello {version}, {} suites", self.suites.len());
        if let [only] = self.suites.as_slice() {
            words.push_str(&format!(" (0x{only:04X})"));
        }
        if self.version > Version::Ssl3 {
            words.push_str(&format!(", {} groups", self.groups.len()));
        }
        for (is, word) in
            [(self.minimal, ", minimal"), (self.compression, ", compression"), (self.fallback, ", fallback")]
        {
            if is {
                words.push_str(word);
            }
        }
        words
    }

    /// The hello.
    pub fn hello(&self, manner: &Manner, random: &dyn Random) -> ClientHello {
        let tls13 = self.version == Version::Tls13;
        let minimal = self.minimal || manner.minimal;
        let mut client_random = [0; 32];
        random.fill(&mut client_random);
        let mut session_id = Vec::new();
        if tls13 {
            session_id = vec![0; 32];
            random.fill(&mut session_id);
        }
        let mut suites = self.suites.clone();
        if self.fallback {
            suites.push(FALLBACK_SCSV);
        }
        if self.version == Version::Ssl3 {
            suites.push(RENEGOTIATION_SCSV);
        }
        let offered = self.compression && !tls13;
        ClientHello {
            version: if tls13 { Version::Tls12.code() } else { self.version.code() },
            random: client_random,
            session_id,
            suites,
            compression: if offered { vec![DEFLATE, LZS, 0] } else { vec![0] },
            extensions: (self.version > Version::Ssl3).then(|| self.extensions(manner, random, minimal)),
        }
    }

    fn extensions(&self, manner: &Manner, random: &dyn Random, minimal: bool) -> Vec<Extension> {
        let tls13 = self.version == Version::Tls13;
        let legacy = self.version < Version::Tls13 || self.modern;
        let share = (tls13 && manner.share).then(|| self.share(random)).flatten();
        let mut groups = self.groups.clone();
        if let Some((shared, _)) = &share {
            // The group with a share comes last, so that the server is free to ask for another.
            groups.retain(|group| group != shared);
            groups.push(*shared);
        }
        let mut list: Vec<Extension> =
            manner.server_name.as_deref().and_then(Extension::server_name).into_iter().collect();
        if !groups.is_empty() {
            list.push(Extension::groups(&groups));
        }
        if legacy {
            list.push(Extension::point_formats());
        }
        if self.version >= Version::Tls12 {
            list.push(Extension::schemes(&plan::schemes(self.version)));
        }
        if !minimal {
            list.push(Extension::status_request());
            if !manner.alpn.is_empty() {
                list.push(Extension::alpn(&manner.alpn));
            }
            list.push(Extension::empty(extension::SCT));
            if legacy {
                list.push(Extension::empty(extension::TRUNCATED_HMAC));
                list.push(Extension::empty(extension::ENCRYPT_THEN_MAC));
                list.push(Extension::empty(extension::EXTENDED_MASTER_SECRET));
                list.push(Extension::empty(extension::SESSION_TICKET));
                list.push(Extension::heartbeat());
            }
        }
        if tls13 {
            let versions = if self.modern { vec![0x0304, 0x0303] } else { vec![0x0304] };
            list.push(Extension::versions(&versions));
            list.push(Extension::psk_modes());
            list.push(Extension::key_shares(share.as_slice()));
        }
        if legacy && !minimal {
            // Last and with data: some stacks reject a hello that ends with an empty extension.
            list.push(Extension::renegotiation_info());
        }
        for extra in &manner.extra {
            match list.iter_mut().find(|known| known.kind == extra.kind) {
                Some(known) => known.clone_from(extra),
                None => list.insert(list.len().saturating_sub(1), extra.clone()),
            }
        }
        list
    }

    /// A key share that needs no key: any 32 or 56 bytes are a point of x25519 or x448, small numbers are values of a
    /// finite field, and the base point is a point of P-256.
    fn share(&self, random: &dyn Random) -> Option<(u16, Vec<u8>)> {
        if self.groups.contains(&0x001D) {
            return Some((0x001D, filled(random, 32)));
        }
        if self.groups.contains(&0x0017) {
            return Some((0x0017, P256_BASE.to_vec()));
        }
        if self.groups.contains(&0x001E) {
            return Some((0x001E, filled(random, 56)));
        }
        let field = self.groups.iter().find(|group| plan::is_field(**group))?;
        let length = crate::catalogue::registry::group(*field)?.client_share_len;
        let mut value = filled(random, length);
        if let Some(first) = value.first_mut() {
            *first = 1;
        }
        Some((*field, value))
    }
}

fn filled(random: &dyn Random, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    bytes
}

/// The base point of P-256, uncompressed (SEC 2, section 2.4.2).
const P256_BASE: [u8; 65] = [
    0x04, 0x6B, 0x17, 0xD1, 0xF2, 0xE1, 0x2C, 0x42, 0x47, 0xF8, 0xBC, 0xE6, 0xE5, 0x63, 0xA4, 0x40, 0xF2, 0x77, 0x03,
    0x7D, 0x81, 0x2D, 0xEB, 0x33, 0xA0, 0xF4, 0xA1, 0x39, 0x45, 0xD8, 0x98, 0xC2, 0x96, 0x4F, 0xE3, 0x42, 0xE2, 0xFE,
    0x1A, 0x7F, 0x9B, 0x8E, 0xE7, 0xEB, 0x4A, 0x7C, 0x0F, 0x9E, 0x16, 0x2B, 0xCE, 0x33, 0x57, 0x6B, 0x31, 0x5E, 0xCE,
    0xCB, 0xB6, 0x40, 0x68, 0x37, 0xBF, 0x51, 0xF5,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::SeededRandom;

    fn hello(offer: &Offer, manner: &Manner) -> ClientHello {
        offer.hello(manner, &SeededRandom::new(1))
    }

    #[test]
    fn ssl3_has_no_extensions_and_a_lucky_length() {
        for list in plan::lists(Version::Ssl3) {
            let hello = hello(&Offer::new(Version::Ssl3, list), &Manner::default());
            assert_eq!(hello.extensions, None);
            assert!(hello.to_message().len() < 256);
        }
    }

    #[test]
    fn the_baseline_asks_for_a_retry() {
        let manner = Manner { server_name: Some("a.example".into()), alpn: vec!["h2"], ..Manner::default() };
        let hello = hello(&Offer::baseline(), &manner);
        assert_eq!(hello.versions(), [0x0304, 0x0303]);
        assert_eq!(hello.extension(extension::KEY_SHARE), Some(&[0, 0][..]));
        assert_eq!(hello.session_id.len(), 32);
        assert_eq!(hello.compression, [0]);
        assert_eq!(hello.server_name().as_deref(), Some("a.example"));
        assert!(hello.suites.len() <= 120);
    }

    #[test]
    fn a_minimal_hello_carries_no_ride_along_extension() {
        let list = plan::lists(Version::Tls10).remove(0);
        let hello = hello(&Offer::new(Version::Tls10, list).minimal(), &Manner::default());
        let kinds: Vec<u16> = hello.extensions.unwrap().iter().map(|extension| extension.kind).collect();
        assert_eq!(kinds, [extension::SUPPORTED_GROUPS, extension::POINT_FORMATS]);
    }

    #[test]
    fn an_extra_extension_replaces_its_like_and_never_comes_last() {
        let extra = vec![Extension::schemes(&[0x0401]), Extension::empty(extension::NEXT_PROTOCOLS)];
        let manner = Manner { extra, ..Manner::default() };
        let hello = hello(&Offer::new(Version::Tls12, vec![0xC02F]), &manner);
        assert_eq!(hello.schemes(), [0x0401]);
        assert_eq!(hello.extension(extension::NEXT_PROTOCOLS), Some(&[][..]));
        let kinds: Vec<u16> = hello.extensions.unwrap().iter().map(|extension| extension.kind).collect();
        assert_eq!(kinds.iter().filter(|kind| **kind == extension::SIGNATURE_ALGORITHMS).count(), 1);
        assert_eq!(kinds.last(), Some(&extension::RENEGOTIATION_INFO));
    }

    #[test]
    fn a_share_puts_its_group_last() {
        let manner = Manner { share: true, ..Manner::default() };
        let hello = hello(&Offer::baseline(), &manner);
        assert_eq!(hello.groups().last(), Some(&0x001D));
        assert_eq!(hello.extension(extension::KEY_SHARE).unwrap().len(), 2 + 4 + 32);
    }
}
