//! Facts about names: the data of the `dns.*` observation kinds.

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
