//! The registries of TLS (cipher suites, groups, signature schemes, clients) and of vendors, as typed records.

mod client;
pub mod vendor;

pub use client::{Client, Extension as ClientExtension, GREASE, Row as ClientRow, is_grease};

pub use vendor::Vendor;

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A row of `cipher-suites.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suite {
    /// The code: two bytes, or three for SSLv2.
    pub id: u32,
    /// The id as written in every output: `0xC02F`.
    pub id_hex: String,
    /// The IANA name.
    pub name: String,
    /// OpenSSL's name, or empty.
    pub openssl_name: String,
    /// The versions it is offered with.
    pub protocols: Vec<String>,
    /// Key exchange.
    pub kx: String,
    /// Authentication.
    pub auth: String,
    /// The cipher.
    pub enc: String,
    /// Nominal key length.
    pub bits: u32,
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
}

/// A row of `groups.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The code.
    pub id: u16,
    /// The id as written in every output: `0x001D`.
    pub id_hex: String,
    /// The IANA name.
    pub name: String,
    /// `ecdhe`, `ffdhe`, `kem`, `hybrid`, `explicit`.
    pub kind: String,
    /// Strength in RSA-equivalent bits.
    pub rsa_equiv_bits: u32,
    /// Post-quantum, alone or in a hybrid.
    pub pq: bool,
    /// Offered with TLS 1.2 and older.
    pub tls12: bool,
    /// Offered with TLS 1.3.
    pub tls13: bool,
    /// Length of the client's share in TLS 1.3, where known.
    pub client_share_len: usize,
    /// The class.
    pub class: String,
}

/// A row of `signature-schemes.csv`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// The code.
    pub id: u16,
    /// The name.
    pub name: String,
    /// The hash, or empty.
    pub hash: String,
    /// The type of key.
    pub key_type: String,
    /// Offered with TLS 1.2.
    pub tls12: bool,
    /// Allowed in the CertificateVerify of TLS 1.3.
    pub tls13: bool,
    /// The class.
    pub class: String,
}

/// Every cipher suite, in the order of the file.
pub fn suites() -> &'static [Suite] {
    &SUITES
}

/// The suite of this code: two bytes, or three for SSLv2.
pub fn suite(id: u32, ssl2: bool) -> Option<&'static Suite> {
    SUITES_BY_ID.get(&(ssl2, id)).copied()
}

/// The suite of this IANA or OpenSSL name.
pub fn suite_by_name(name: &str) -> Option<&'static Suite> {
    SUITES.iter().find(|suite| suite.name == name || (!name.is_empty() && suite.openssl_name == name))
}

/// Every group, in the order of the file.
pub fn groups() -> &'static [Group] {
    &GROUPS
}

/// The group of this code.
pub fn group(id: u16) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.id == id)
}

/// The group of this name.
pub fn group_by_name(name: &str) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.name == name)
}

/// Every signature scheme, in the order of the file.
pub fn schemes() -> &'static [Scheme] {
    &SCHEMES
}

/// The signature scheme of this code.
pub fn scheme(id: u16) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|scheme| scheme.id == id)
}

/// Every captured client, in the order of the file.
pub fn clients() -> &'static [Client] {
    &CLIENTS
}

/// Every vendor that is recognised, in the order of the file.
pub fn vendors() -> &'static [Vendor] {
    &VENDORS
}

static SUITES: LazyLock<Vec<Suite>> = LazyLock::new(|| read("registries/cipher-suites.csv", suite_of));
static GROUPS: LazyLock<Vec<Group>> = LazyLock::new(|| read("registries/groups.csv", group_of));
static SCHEMES: LazyLock<Vec<Scheme>> = LazyLock::new(|| read("registries/signature-schemes.csv", scheme_of));
static CLIENTS: LazyLock<Vec<Client>> = LazyLock::new(|| read("registries/clients.csv", client::client_of));
static VENDORS: LazyLock<Vec<Vendor>> = LazyLock::new(|| read("registries/vendors.csv", vendor::vendor_of));
static SUITES_BY_ID: LazyLock<BTreeMap<(bool, u32), &'static Suite>> =
    LazyLock::new(|| SUITES.iter().map(|suite| ((suite.id_hex.len() == 8, suite.id), suite)).collect());

#[derive(Deserialize)]
struct SuiteRow {
    id_hex: String,
    iana_name: String,
    openssl_name: String,
    protocols: String,
    kx: String,
    auth: String,
    enc: String,
    bits: u32,
    mac: String,
    pfs: u8,
    aead: u8,
    export: u8,
    class: String,
}

fn suite_of(row: SuiteRow) -> Option<Suite> {
    Some(Suite {
        id: code(&row.id_hex)?,
        name: row.iana_name,
        openssl_name: row.openssl_name,
        protocols: row.protocols.split('|').map(str::to_owned).collect(),
        kx: row.kx,
        auth: row.auth,
        enc: row.enc,
        bits: row.bits,
        mac: row.mac,
        pfs: row.pfs == 1,
        aead: row.aead == 1,
        export: row.export == 1,
        class: row.class,
        id_hex: row.id_hex,
    })
}

#[derive(Deserialize)]
struct GroupRow {
    id_hex: String,
    name: String,
    kind: String,
    bits: Option<u32>,
    rsa_equiv_bits: Option<u32>,
    pq: u8,
    tls12: u8,
    tls13: u8,
    client_share_len: Option<usize>,
    class: String,
}

fn group_of(row: GroupRow) -> Option<Group> {
    // Pure ML-KEM has no classical part; its equivalent is a decision of the grade's.
    let kem = || match row.bits {
        Some(512) => 3_072,
        Some(768) => 7_680,
        Some(1_024) => 15_360,
        _ => 0,
    };
    Some(Group {
        id: u16::try_from(code(&row.id_hex)?).ok()?,
        name: row.name,
        rsa_equiv_bits: row.rsa_equiv_bits.unwrap_or_else(|| if row.kind == "kem" { kem() } else { 0 }),
        kind: row.kind,
        pq: row.pq == 1,
        tls12: row.tls12 == 1,
        tls13: row.tls13 == 1,
        client_share_len: row.client_share_len.unwrap_or_default(),
        class: row.class,
        id_hex: row.id_hex,
    })
}

#[derive(Deserialize)]
struct SchemeRow {
    id_hex: String,
    name: String,
    hash: String,
    key_type: String,
    tls12: u8,
    tls13_certificate_verify: u8,
    class: String,
}

fn scheme_of(row: SchemeRow) -> Option<Scheme> {
    Some(Scheme {
        id: u16::try_from(code(&row.id_hex)?).ok()?,
        name: row.name,
        hash: row.hash,
        key_type: row.key_type,
        tls12: row.tls12 == 1,
        tls13: row.tls13_certificate_verify == 1,
        class: row.class,
    })
}

fn code(id_hex: &str) -> Option<u32> {
    u32::from_str_radix(id_hex.strip_prefix("0x")?, 16).ok()
}

/// Reads an embedded table. A row that does not read is left out; a test asserts that there is none.
fn read<Row: for<'de> Deserialize<'de>, Record>(path: &str, record_of: fn(Row) -> Option<Record>) -> Vec<Record> {
    let bytes = super::file(path).unwrap_or_default();
    let mut table = csv::Reader::from_reader(bytes.as_ref());
    table.deserialize().filter_map(Result::ok).filter_map(record_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(path: &str) -> usize {
        String::from_utf8(super::super::file(path).unwrap().to_vec()).unwrap().lines().count() - 1
    }

    #[test]
    fn every_row_is_read() {
        assert_eq!(suites().len(), rows("registries/cipher-suites.csv"));
        assert_eq!(groups().len(), rows("registries/groups.csv"));
        assert_eq!(schemes().len(), rows("registries/signature-schemes.csv"));
        assert_eq!(suites().len(), 437);
        assert_eq!(clients().len(), rows("registries/clients.csv"));
        assert_eq!(vendors().len(), rows("registries/vendors.csv"));
    }

    #[test]
    fn rows_are_found_by_code_and_name() {
        assert_eq!(suite(0xC02F, false).unwrap().openssl_name, "ECDHE-RSA-AES128-GCM-SHA256");
        assert_eq!(suite(0x000000, true).unwrap().name, "SSL_CK_NULL_WITH_MD5");
        assert_eq!(suite(0x0000, false).unwrap().name, "TLS_NULL_WITH_NULL_NULL");
        assert_eq!(suite_by_name("TLS_AES_128_GCM_SHA256").unwrap().id, 0x1301);
        assert_eq!(suite_by_name("AES128-SHA").unwrap().id, 0x002F);
        assert_eq!(group(0x11EC).unwrap().name, "X25519MLKEM768");
        assert_eq!(group_by_name("MLKEM768").unwrap().rsa_equiv_bits, 7_680);
        assert_eq!(scheme(0x0403).unwrap().name, "ecdsa_secp256r1_sha256");
    }
    #[test]
    fn clients_are_whole() {
        let mut ids: Vec<&str> = clients().iter().map(|client| client.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), clients().len(), "ids are unique");
        for client in clients() {
            let id = &client.id;
            assert!(!client.name.is_empty() && !client.version.is_empty() && !client.library.is_empty(), "{id}");
            assert!(client.captured.parse::<jiff::civil::Date>().is_ok(), "{id}: a date of capture");
            assert!(!client.source.is_empty() && client.method.contains("{port}"), "{id}: a source and a method");
            assert!(client.real_suites().all(|id| suite(u32::from(id), false).is_some()), "{id}: every suite is known");
            let real = |list: &[u16]| list.iter().copied().filter(|value| !is_grease(*value)).collect::<Vec<_>>();
            assert!(real(&client.groups).iter().all(|id| group(*id).is_some()), "{id}: every group is known");
            assert!(client.shares.iter().all(|share| client.groups.contains(share)), "{id}: shares are of its groups");
            assert!(client.sends(43) || client.shares.is_empty(), "{id}: shares come with TLS 1.3");
            let field = client.real_suites().any(|id| suite(u32::from(id), false).is_some_and(|row| row.kx == "DHE"));
            assert_eq!(field, client.min_dh_bits.is_some() && client.max_dh_bits.is_some(), "{id}: limits of fields");
        }
        let references: Vec<&str> =
            clients().iter().filter(|client| client.is_reference()).map(|client| client.name.as_str()).collect();
        assert_eq!(references, ["Chromium", "Firefox ESR", "WebKitGTK (surf)"]);
    }

    #[test]
    fn limits_of_a_client_are_kept_apart_from_what_is_not_known() {
        let of = |library: &str| clients().iter().find(|client| client.library.starts_with(library)).unwrap();
        let openssl = of("OpenSSL 3.0");
        assert_eq!(openssl.refuses_field(1024), Ok(Some("dh_too_small")));
        assert_eq!(openssl.refuses_field(2048), Ok(None));
        let narrow = Client { max_dh_bits: Some(4096), ..openssl.clone() };
        assert_eq!(narrow.refuses_field(8192), Ok(Some("dh_too_big")));
        assert!(of("NSS").refuses_field(2048).is_err(), "it offers no such suite, so its limits were not tried");
        // It lists TLS 1.1, and does not go on when a server takes it.
        assert!(openssl.offers(0x0302));
        assert_eq!(openssl.takes(0x0302), Ok(false));
        let old = of("OpenSSL 1.0.1");
        assert!(old.offers(0x0301) && old.takes(0x0301) == Ok(true) && !old.offers(0x0304));
        assert!(old.takes(0x0300).is_err(), "SSLv3 was not tried");
    }
}
