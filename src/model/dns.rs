//! Facts about names: the data of the `dns.*` observation kinds.

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// How names are looked up, as the user wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The resolver that is asked, where it is not the system's.
    pub resolver: Option<SocketAddr>,
    /// Digests of the root's keys, where they are not those of the public root.
    pub anchors: Vec<Anchor>,
}

/// The digest of a key of the root, from which trust starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The key's number.
    pub key_tag: u16,
    /// The key's algorithm.
    pub algorithm: u8,
    /// The digest's algorithm.
    pub digest_type: u8,
    /// The digest.
    pub digest: Vec<u8>,
}

impl Anchor {
    /// Reads `KEYTAG ALGORITHM DIGESTTYPE HEX`, as in the data of a DS record.
    pub fn parse(text: &str) -> Option<Anchor> {
        let mut words = text.split_ascii_whitespace();
        let (key_tag, algorithm) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let digest_type = words.next()?.parse().ok()?;
        let digits: Vec<u8> = words.collect::<String>().bytes().map(hexadecimal).collect::<Option<_>>()?;
        let (pairs, rest) = digits.as_chunks::<2>();
        let digest: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
        (rest.is_empty() && digest.len() >= 20).then_some(Anchor { key_tag, algorithm, digest_type, digest })
    }

    /// The anchors of the public root: its keys of 2017 and 2024, as IANA publishes them.
    pub fn public() -> Vec<Anchor> {
        const PUBLISHED: [&str; 2] = [
            "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
            "38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
        ];
        PUBLISHED.iter().filter_map(|text| Anchor::parse(text)).collect()
    }
}

fn hexadecimal(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// `dns.caa`: who may issue certificates for a name (RFC 8659).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Caa {
    /// The endpoint has a name in the public DNS.
    pub applicable: bool,
    /// The name itself, or one above it, has records.
    pub present: bool,
    /// The name at which they stand, or empty.
    pub found_at: String,
    /// They say who may issue; records of contacts alone do not.
    pub limits: bool,
    /// Domains of the authorities that may issue; none where nobody may.
    pub issuers: Vec<String>,
    /// The same for wildcards.
    pub wildcard_issuers: Vec<String>,
    /// A critical tag that is not known keeps every authority from issuing.
    pub unknown_critical: bool,
    /// Violations are to be reported somewhere.
    pub reports: bool,
    /// Issuance is bound to accounts or methods of validation (RFC 8657).
    pub bound: bool,
    /// The domain of the authority that issued the certificate in use.
    pub current_issuer: Fact<String>,
    /// That authority may issue the next one.
    pub allows_current: Fact<bool>,
}

/// `dns.dnssec`: whether what is said of a name is signed, and the signatures hold (RFC 4033 to 4035).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dnssec {
    /// The endpoint has a name in the public DNS.
    pub applicable: bool,
    /// The zone that the name is in, as far as the chain shows it.
    pub zone: String,
    /// The zone has keys.
    pub signed: bool,
    /// `secure`, `insecure` (a chain that ends without fault before the name), `bogus`.
    pub status: String,
    /// Why it is not secure; else empty.
    pub why: String,
    /// Algorithms of the zone's keys, by number and name.
    pub algorithms: Vec<String>,
    /// What of the zone's cryptography is too weak, in words.
    pub weak: Vec<String>,
    /// Extra rounds of the hash of NSEC3; 0 where there are none.
    pub nsec3_iterations: u32,
    /// When the first of the signatures that were seen ends: RFC 3339, or empty.
    pub expires: String,
    /// Whole days until then; 0 where it is not known.
    pub days_left: i64,
}

/// `dns.tlsa`: certificates that the DNS vouches for (RFC 6698).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tlsa {
    /// The endpoint has a name in the public DNS.
    pub applicable: bool,
    /// The name that was asked for, for example `_443._tcp.shop.example`.
    pub name: String,
    /// There are records.
    pub present: bool,
    /// Their signatures hold: without that, they are ignored.
    pub secure: bool,
    /// Why they do not; else empty.
    pub why: String,
    /// Each record.
    pub records: Vec<Association>,
    /// A usable record matches what the server shows.
    pub matches: Fact<bool>,
}

/// A TLSA record.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Association {
    /// 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE.
    pub usage: u8,
    /// 0 the certificate, 1 its key.
    pub selector: u8,
    /// 0 whole, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// `match`, `mismatch`, `unusable`, `unknown`.
    pub result: String,
}
