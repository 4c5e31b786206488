//! Facts about a TLS endpoint: the data of the `tls.*` observation kinds.

mod clients;

pub use clients::{Clients, SimulatedClient};

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `tls.protocols`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Protocols {
    /// The versions that the server negotiated, oldest first.
    pub offered: Vec<Offered>,
    /// The versions it refused, oldest first.
    pub refused: Vec<String>,
    /// The versions of which neither is known; not empty makes the observation partial.
    pub unknown: Vec<String>,
    /// What each answer rests on.
    pub proofs: Vec<Proof>,
    /// Whether TLS_FALLBACK_SCSV is honoured (RFC 7507): `yes`, `no`, `not-applicable`.
    pub fallback_scsv: Fact<String>,
    /// Whether a TLS 1.3 server marks a downgrade (RFC 8446 section 4.1.3): `yes`, `no`, `not-applicable`.
    pub downgrade_sentinel: Fact<String>,
    /// Whether SSLv2 answers without any cipher kind (CVE-2015-3197).
    pub ssl2_without_kinds: bool,
    /// The exchanges of the transcript, counted from 1, that show the last three facts where they are negative.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub connections: BTreeMap<String, Vec<u32>>,
}

/// A version that the server negotiates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offered {
    /// `SSLv2`, `SSLv3`, `TLSv1.0` … `TLSv1.3`.
    pub name: String,
}

/// What an answer about a version rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// The version.
    pub name: String,
    /// `offered`, `refused` or `unknown`.
    pub answer: String,
    /// `proven` or `inferred`.
    pub confidence: String,
    /// In words, for example `alert protocol_version`.
    pub seen: String,
    /// Of a refusal: the exchanges of the transcript, counted from 1, that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<u32>,
}

/// `tls.suites`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suites {
    /// Every accepted pair of version and suite, in the order of discovery.
    pub suites: Vec<Suite>,
    /// Who chooses, for each version with suites.
    pub order: Vec<Order>,
    /// Versions whose list was cut short, with the reason; not empty makes the observation partial.
    pub incomplete: Vec<Incomplete>,
    /// What versions that are offered refuse, and the exchanges that show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedSuites>,
}

/// Suites that a version refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedSuites {
    /// The version.
    pub protocol: String,
    /// Their ids.
    pub ids: Vec<String>,
    /// The exchanges of the transcript of `tls.protocols`, counted from 1, that show it.
    pub connections: Vec<u32>,
}

/// An accepted pair of version and suite.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Suite {
    /// The version it was accepted with.
    pub protocol: String,
    /// `0xC02F`, or `0x010080` for SSLv2.
    pub id: String,
    /// The IANA name, or the id where there is none.
    pub name: String,
    /// OpenSSL's name, or empty.
    pub openssl_name: String,
    /// Key exchange as in the registry: `ECDHE`, `RSA`, …; `any` for TLS 1.3.
    pub kx: String,
    /// Authentication: `RSA`, `ECDSA`, `anon`, …
    pub auth: String,
    /// The cipher.
    pub enc: String,
    /// Nominal key length.
    pub bits: u32,
    /// Block size in bits, 0 for stream and AEAD stream ciphers.
    pub block_bits: u32,
    /// The MAC.
    pub mac: String,
    /// Forward secrecy.
    pub pfs: bool,
    /// Authenticated encryption.
    pub aead: bool,
    /// An export suite.
    pub export: bool,
    /// `recommended`, `secure`, `cbc`, `legacy`, `weak`, `export`, `anon`, `null`.
    pub class: String,
    /// Strength of the key exchange in RSA-equivalent bits (tls-grade 2.2).
    pub strength: Fact<u32>,
    /// The group or finite field used when all were offered, or empty.
    pub group: String,
}

/// Who chooses the suite of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// The version.
    pub protocol: String,
    /// `server`, `client`, `mixed`, or `single` where there is one suite.
    pub preference: Fact<String>,
    /// The ids, in the server's order where it has one.
    pub ids: Vec<String>,
    /// ChaCha20 is preferred when the client prefers it: `yes`, `no`, `not-applicable`.
    pub chacha_priority: Fact<String>,
    /// Where the server chooses and its order across suites of several kinds was not settled: the order of each kind.
    #[serde(default)]
    pub apart: Vec<Vec<String>>,
}

/// A list that was cut short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Incomplete {
    /// The version.
    pub protocol: String,
    /// Why.
    pub reason: String,
}

/// `tls.groups`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Groups {
    /// Every group the server chose when others were taken away.
    pub groups: Vec<Group>,
    /// `server`, `client`, `mixed`, `single`, or `not-applicable` without any group.
    pub order: Fact<String>,
    /// Versions whose list was cut short.
    pub incomplete: Vec<Incomplete>,
    /// The server answers with a group that was not in the list.
    pub ignores_list: bool,
    /// The same point was seen in two connections with TLS 1.2 or older: its key is not a fresh one.
    #[serde(default)]
    pub point_reused: Fact<bool>,
}

/// A key exchange group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// The versions it was chosen with.
    pub protocols: Vec<String>,
    /// `0x001D`.
    pub id: String,
    /// `x25519`.
    pub name: String,
    /// `ecdhe`, `ffdhe`, `kem`, `hybrid`.
    pub kind: String,
    /// Strength in RSA-equivalent bits.
    pub rsa_equiv_bits: u32,
    /// Post-quantum, alone or in a hybrid.
    pub pq: bool,
    /// The registry's class.
    pub class: String,
}

/// `tls.dh`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dh {
    /// Whether a DHE suite was accepted with TLS 1.2 or older.
    pub used: Fact<bool>,
    /// The parameters seen, smallest first.
    pub parameters: Vec<DhParameters>,
    /// Whether the groups of RFC 7919 that a hello names decide the parameters with TLS 1.2 or older: `honoured`, `own`
    /// where the server has parameters of its own, `strict` where it refuses all but the one it has, `not-applicable`.
    #[serde(default)]
    pub named_groups: Fact<String>,
    /// The groups of RFC 7919 that were seen.
    #[serde(default)]
    pub named_seen: Vec<String>,
}

/// Finite-field Diffie-Hellman parameters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DhParameters {
    /// The versions they were seen with.
    pub protocols: Vec<String>,
    /// Seen with an export suite.
    pub export: bool,
    /// Bit length of p.
    pub bits: u32,
    /// SHA-256 of the minimal big-endian p.
    pub sha256: String,
    /// The name of a published prime, or empty.
    pub known: String,
    /// The generator in hexadecimal.
    #[serde(default)]
    pub generator: String,
    /// A public value was 0, 1 or p − 1, with which everybody knows the secret.
    #[serde(default)]
    pub degenerate: bool,
    /// (p − 1) / 2 is prime.
    pub safe_prime: Fact<bool>,
    /// p is not prime.
    pub composite: Fact<bool>,
    /// The same public value was seen in two connections.
    pub public_reused: Fact<bool>,
}

/// `tls.certificates`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Certificates {
    /// One for each different leaf.
    pub deployments: Vec<Deployment>,
    /// The name that was asked for.
    pub server_name: String,
    /// The server refuses that name: what is known was seen without one.
    #[serde(default)]
    pub server_name_refused: bool,
    /// The set of anchors that judged trust, for example `mozilla 2026-10 (webpki-roots 1.0.10)`.
    pub anchors: String,
    /// A list of keys that others know was given.
    #[serde(default)]
    pub known_keys: bool,
}

/// A certificate with the chain as served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// SHA-256 of the leaf.
    pub id: String,
    /// The versions it was served with.
    pub protocols: Vec<String>,
    /// The leaf.
    pub leaf: Certificate,
    /// The chain as served, leaf first.
    pub chain: Vec<ChainLink>,
    /// `trusted`, `incomplete`, `self-signed`, `untrusted`, `expired`, `not-yet-valid`, `not-for-server`.
    pub trust: Fact<String>,
    /// In words, why it is not trusted; else empty.
    pub trust_detail: String,
    /// Trust comes from the user's own authority.
    pub private_anchor: bool,
    /// The anchor's name, where the path has one.
    pub anchor: String,
    /// Each certificate's issuer fits the next.
    pub order_ok: bool,
    /// Certificates sent that are on no path.
    pub extra: u32,
    /// The anchor was sent, too.
    pub contains_anchor: bool,
    /// The leaf matches the name asked for (RFC 9525).
    pub name_matches: bool,
    /// Revocation by the staple: `good`, `revoked`, `unknown`, `absent`, `invalid`.
    pub staple: Fact<String>,
    /// The certificate demands a staple.
    pub must_staple: bool,
    /// Days from the look to the last valid day of the first certificate on the path to end; negative when past.
    pub days_left: i64,
}

/// What is in a certificate. Names come from the peer and are escaped where they are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// The subject's name.
    pub subject: String,
    /// The issuer's name.
    pub issuer: String,
    /// Hexadecimal serial number.
    pub serial: String,
    /// `RSA`, `EC`, `Ed25519`, `Ed448`, `DSA`, `ML-DSA`, or the algorithm's object id.
    pub key_type: String,
    /// Size of the key.
    pub key_bits: u32,
    /// RSA-equivalent strength of the key.
    pub key_strength: u32,
    /// The curve or parameter set; `RSASSA-PSS` for an RSA key that signs by PSS alone; or empty.
    pub curve: String,
    /// The RSA exponent in decimal, or empty.
    pub exponent: String,
    /// SHA-256 of the public key with its algorithm, or empty: the same key in two certificates shows by it.
    #[serde(default)]
    pub key_sha256: String,
    /// For example `sha256WithRSAEncryption`.
    pub signature: String,
    /// `md2`, `md4`, `md5`, `sha1`, `sha256`, … of the signature.
    pub signature_hash: String,
    /// RFC 3339.
    pub not_before: String,
    /// RFC 3339.
    pub not_after: String,
    /// Length of the validity in days.
    pub lifetime_days: i64,
    /// Names it is for, at most 1000.
    pub names: Vec<String>,
    /// How many names there are.
    pub name_count: u32,
    /// Issuer and subject are the same, and the key signs itself.
    pub self_signed: bool,
    /// It is a certification authority's.
    pub ca: bool,
    /// Usable for a server's authentication.
    pub server_auth: bool,
    /// Addresses of OCSP responders.
    pub ocsp: Vec<String>,
    /// Addresses of revocation lists.
    pub crl: Vec<String>,
    /// Length of the serial number; 8 bytes at least hold 64 bits of chance.
    #[serde(default)]
    pub serial_bytes: u32,
    /// What key usage allows, by the names of RFC 5280; empty where it is not limited.
    #[serde(default)]
    pub key_usage: Vec<String>,
    /// Basic constraints are there.
    #[serde(default)]
    pub basic_constraints: bool,
    /// The object ids of its policies, at most 32.
    #[serde(default)]
    pub policies: Vec<String>,
    /// `EV`, `OV`, `IV` or `DV` by the policies of the CA/Browser Forum, or empty.
    #[serde(default)]
    pub validation: String,
    /// Names with a wildcard.
    #[serde(default)]
    pub wildcards: Vec<String>,
    /// Of these, the ones for everything below one label, and those whose wildcard is not the whole first label.
    #[serde(default)]
    pub broad_wildcards: Vec<String>,
    /// The RSA exponent is odd and at least 3; true for other keys.
    #[serde(default)]
    pub exponent_sound: bool,
    /// The modulus bears the mark of CVE-2017-15361.
    #[serde(default)]
    pub roca: Fact<bool>,
    /// The key is in the user's list of keys that others know.
    #[serde(default)]
    pub known_key: Fact<bool>,
    /// The longest life in days that a publicly trusted certificate of its date of issue may have.
    #[serde(default)]
    pub lifetime_limit: Fact<i64>,
}

/// A certificate of the chain as served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChainLink {
    /// SHA-256 of the certificate.
    pub sha256: String,
    /// SHA-256 of its key with the key's algorithm; empty where it cannot be read.
    #[serde(default)]
    pub key_sha256: String,
    /// The subject's name.
    pub subject: String,
    /// The issuer's name.
    pub issuer: String,
    /// Key type and size, for example `RSA 2048`.
    pub key: String,
    /// The hash of its signature.
    pub signature_hash: String,
    /// RFC 3339.
    pub not_after: String,
}

/// `tls.features`: facts that ride along with the enumeration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Features {
    /// TLS 1.2 or older is offered, so that what follows has a meaning.
    pub legacy_handshake: Fact<bool>,
    /// RFC 5746: `yes`, `no`, `not-applicable`.
    pub secure_renegotiation: Fact<String>,
    /// RFC 7627: `yes`, `no`, `not-applicable`.
    pub extended_master_secret: Fact<String>,
    /// RFC 7366, with a CBC suite: `yes`, `no`, `not-applicable`.
    pub encrypt_then_mac: Fact<String>,
    /// RFC 5077 with TLS 1.2 or older: `yes`, `no`, `not-applicable`.
    pub session_tickets: Fact<String>,
    /// A session id was issued: `yes`, `no`, `not-applicable`.
    pub session_id: Fact<String>,
    /// RFC 6520 answered: `yes`, `no`, `not-applicable`.
    pub heartbeat: Fact<String>,
    /// RFC 6066 section 7, by which MACs are cut to 80 bits: `yes`, `no`, `not-applicable`.
    #[serde(default)]
    pub truncated_hmac: Fact<String>,
    /// Temporary RSA keys that were sent in the place of the certificate's.
    #[serde(default)]
    pub temporary_rsa: Vec<TemporaryKey>,
    /// The compression method chosen: `none`, which alone is good, `deflate` or `lzs`.
    pub compression: Fact<String>,
    /// The protocol chosen from our list, or `none`.
    pub alpn: Fact<String>,
    /// A staple came: `yes`, `no`.
    pub ocsp_stapling: Fact<String>,
    /// Signed certificate timestamps came in the handshake.
    pub sct_extension: Fact<bool>,
    /// The server asks for a client certificate.
    pub client_certificate: Fact<bool>,
    /// Of each negative fact: the exchanges of the transcript of `tls.protocols`, counted from 1, that show it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub connections: BTreeMap<String, Vec<u32>>,
}

/// A temporary RSA key, as export suites have it, and as no other suite may (CVE-2015-0204).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemporaryKey {
    /// The version it came with.
    pub protocol: String,
    /// The suite's id.
    pub suite: String,
    /// The suite's name, or its id where there is none.
    pub name: String,
    /// The suite is an export suite.
    pub export: bool,
    /// Bits of the modulus.
    pub bits: u32,
}

/// `tls.upgrade`: whether TLS is offered where it has to be asked for. Only of endpoints that are named with such a
/// protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Upgrade {
    /// The word of the protocol, for example `smtp`.
    pub protocol: String,
    /// `yes` where a request was accepted and TLS followed, `no` where it is definitely not to be had.
    pub offered: Fact<String>,
    /// The server lets nobody in without TLS, where its protocol says so before: `yes`, `no`, `not-applicable`.
    pub required: Fact<String>,
    /// Bytes in clear followed the positive answer: `yes`, `no`, `not-applicable`.
    pub extra_bytes: Fact<String>,
    /// What was sent in clear behind the request is taken for protected (CVE-2011-0411, CVE-2021-23222): `vulnerable`,
    /// `likely`, `not-vulnerable`, `not-applicable`.
    pub injection: Fact<String>,
    /// In words, what was seen; never a word of the server's.
    pub seen: String,
}

/// `tls.flaws`: what the active tests for known flaws showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flaws {
    /// The tests that were made, and those that could not be, with the reason.
    pub tests: Vec<VulnerabilityTest>,
}

/// `tls.vulnerabilities`: one row for each known flaw (see [`super::flaw::FLAWS`]), whatever is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Vulnerabilities {
    /// The tests.
    pub tests: Vec<VulnerabilityTest>,
}

/// A test for a known flaw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VulnerabilityTest {
    /// For example `heartbleed`.
    pub name: String,
    /// The precondition holds.
    pub applies: bool,
    /// The flaw is there.
    pub vulnerable: Fact<bool>,
    /// Of a positive result: `certain` or `likely`. `potential` where only the precondition is known to hold.
    pub certainty: String,
    /// Somebody on the path can see the difference that the flaw makes.
    pub observable: bool,
    /// How much it matters: one of the five severities.
    pub severity: String,
    /// What was seen, in words.
    pub detail: String,
    /// The exchanges of the transcript, counted from 1, that it rests on, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<u32>,
}
