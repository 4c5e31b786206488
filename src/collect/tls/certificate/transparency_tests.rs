//! Logs made for the purpose, whose timestamps are signed here.

use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, IsCa, KeyPair, date_time_ymd};
use serde_json::json;

/// The beginning of the SubjectPublicKeyInfo of a P-256 key.
const P256: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";

struct TestLog {
    key: EcdsaKeyPair,
    spki: Vec<u8>,
}

impl TestLog {
    fn new() -> TestLog {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let spki = [P256, key.public_key().as_ref()].concat();
        TestLog { key, spki }
    }

    fn id(&self) -> [u8; 32] {
        sha256(&self.spki).try_into().unwrap()
    }

    /// A timestamp over an entry, made a month before now.
    fn sign(&self, entry: &[u8]) -> Sct {
        let timestamp = u64::try_from(now().as_millisecond()).unwrap() - 30 * 86_400_000;
        let message = [&[0, 0][..], &timestamp.to_be_bytes(), entry, &[0, 0]].concat();
        let signature = self.key.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec();
        Sct { log: self.id(), timestamp, extensions: Vec::new(), algorithm: [4, 3], signature }
    }
}

fn now() -> jiff::Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn encoded(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = (0..3).fold(0u32, |word, n| word << 8 | u32::from(chunk.get(n).copied().unwrap_or(0)));
        for n in 0..4 {
            let digit = char::from(digits[usize::try_from(word >> (18 - 6 * n) & 63).unwrap()]);
            out.push(if n > chunk.len() { '=' } else { digit });
        }
    }
    out
}

/// A list of these logs, each by an operator and in a state.
fn list(logs: &[(&TestLog, &str, &str)]) -> LogList {
    let operators: Vec<_> = logs
        .iter()
        .map(|(log, operator, state)| {
            let state = json!({ *state: { "timestamp": "2026-05-20T00:00:00Z" } });
            let log = json!({ "description": format!("log of {operator}"), "log_id": encoded(&log.id()),
                "key": encoded(&log.spki), "url": "https://log.example/", "mmd": 86400, "state": state });
            json!({ "name": operator, "email": [], "logs": [log], "tiled_logs": [] })
        })
        .collect();
    let list = json!({ "version": "1", "log_list_timestamp": "2026-05-25T00:00:00Z", "operators": operators });
    LogList::parse(list.to_string().as_bytes()).unwrap()
}

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    key: KeyPair,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Authority { issuer, key: KeyPair::generate().unwrap() }
    }

    /// A certificate of so many days, with this list of timestamps in it.
    fn leaf(&self, until: (i32, u8, u8), timestamps: Option<Vec<u8>>) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["www.example.test".to_owned()]).unwrap();
        params.not_before = date_time_ymd(2026, 5, 1);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        params.serial_number = Some(rcgen::SerialNumber::from(vec![7; 9]));
        if let Some(list) = timestamps {
            let value = der::wrap(0x04, &list);
            let oid = &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
            params.custom_extensions = vec![CustomExtension::from_oid_content(oid, value)];
        }
        params.signed_by(&self.key, &self.issuer).unwrap().der().to_vec()
    }

    /// The entry of a precertificate, which has no timestamps.
    fn entry(&self, until: (i32, u8, u8)) -> Vec<u8> {
        let plain = Parsed::read(&self.leaf(until, None)).unwrap();
        let issuer = Parsed::read(self.issuer.der()).unwrap();
        [&[0, 1], sha256(&issuer.spki).as_slice(), &long(&plain.tbs)].concat()
    }

    fn look(&self, leaf: &[u8], handshake: Option<&[u8]>, logs: Result<&LogList, &str>) -> TransparentDeployment {
        let chain = [leaf.to_vec(), self.issuer.der().to_vec()];
        let sources = Sources { chain: &chain, staple: None, handshake, handshake_read: true };
        transparency(&sources, Fact::Known(true), &Anchors::none(), logs, now())
    }
}

const SHORT: (i32, u8, u8) = (2026, 8, 1);
const LONG: (i32, u8, u8) = (2027, 5, 1);

#[test]
fn embedded_timestamps_are_verified_over_the_precertificate() {
    let (one, two, authority) = (TestLog::new(), TestLog::new(), Authority::new());
    let entry = authority.entry(SHORT);
    let embedded = Sct::write_list(&[one.sign(&entry), two.sign(&entry)]);
    let leaf = authority.leaf(SHORT, Some(embedded));
    let logs = list(&[(&one, "A", "usable"), (&two, "B", "qualified")]);
    let seen = authority.look(&leaf, None, Ok(&logs));
    assert_eq!(seen.timestamps.len(), 2);
    assert!(seen.timestamps.iter().all(|one| one.genuine == Fact::Known(true)), "{seen:?}");
    assert_eq!(seen.timestamps[0].log, "log of A");
    assert_eq!(seen.satisfied, Fact::Known(true), "{}", seen.detail);
    // The same operator twice, or a log that was rejected, is not enough.
    for logs in
        [list(&[(&one, "A", "usable"), (&two, "A", "usable")]), list(&[(&one, "A", "usable"), (&two, "B", "rejected")])]
    {
        assert_eq!(authority.look(&leaf, None, Ok(&logs)).satisfied, Fact::Known(false));
    }
    // A log that was retired after it signed counts as long as another one is not retired.
    let logs = list(&[(&one, "A", "usable"), (&two, "B", "retired")]);
    assert_eq!(authority.look(&leaf, None, Ok(&logs)).satisfied, Fact::Known(true));
    let logs = list(&[(&one, "A", "retired"), (&two, "B", "retired")]);
    assert_eq!(authority.look(&leaf, None, Ok(&logs)).satisfied, Fact::Known(false));
    // Logs that are not in the list count for nothing.
    let stranger = TestLog::new();
    let seen = authority.look(&leaf, None, Ok(&list(&[(&stranger, "C", "usable")])));
    assert_eq!((seen.satisfied, seen.timestamps[0].log.as_str()), (Fact::Known(false), ""));
}

#[test]
fn a_long_life_needs_three_and_a_forged_timestamp_counts_for_nothing() {
    let (one, two, three) = (TestLog::new(), TestLog::new(), TestLog::new());
    let authority = Authority::new();
    let entry = authority.entry(LONG);
    let logs = list(&[(&one, "A", "usable"), (&two, "B", "usable"), (&three, "B", "usable")]);
    let of = |list: &[Sct]| authority.look(&authority.leaf(LONG, Some(Sct::write_list(list))), None, Ok(&logs));
    assert_eq!(of(&[one.sign(&entry), two.sign(&entry)]).satisfied, Fact::Known(false));
    assert_eq!(of(&[one.sign(&entry), two.sign(&entry), three.sign(&entry)]).satisfied, Fact::Known(true));
    let forged = Sct { log: three.id(), ..two.sign(&entry) };
    let seen = of(&[one.sign(&entry), two.sign(&entry), forged]);
    assert_eq!(seen.timestamps[2].genuine, Fact::Known(false));
    assert_eq!(seen.satisfied, Fact::Known(false));
    // The timestamp of another certificate is not one of this.
    let other = authority.entry(SHORT);
    let seen = of(&[one.sign(&other), two.sign(&other), three.sign(&other)]);
    assert!(seen.timestamps.iter().all(|one| one.genuine == Fact::Known(false)));
}

#[test]
fn timestamps_of_the_handshake_are_over_the_certificate_itself() {
    let (one, two, authority) = (TestLog::new(), TestLog::new(), Authority::new());
    let leaf = authority.leaf(LONG, None);
    let entry = [&[0, 0][..], &long(&leaf)].concat();
    let handshake = Sct::write_list(&[one.sign(&entry), two.sign(&entry)]);
    let logs = list(&[(&one, "A", "usable"), (&two, "B", "usable")]);
    let seen = authority.look(&leaf, Some(&handshake), Ok(&logs));
    assert_eq!(seen.satisfied, Fact::Known(true), "{seen:?}");
    assert!(seen.timestamps.iter().all(|one| one.source == "handshake"));
    // A retired log cannot have made one that is delivered now.
    let logs = list(&[(&one, "A", "usable"), (&two, "B", "retired")]);
    assert_eq!(authority.look(&leaf, Some(&handshake), Ok(&logs)).satisfied, Fact::Known(false));
}

#[test]
fn what_is_missing_is_unknown() {
    let (one, authority) = (TestLog::new(), Authority::new());
    let leaf = authority.leaf(SHORT, None);
    let logs = list(&[(&one, "A", "usable")]);
    assert_eq!(authority.look(&leaf, None, Ok(&logs)).satisfied, Fact::Known(false));
    let seen = authority.look(&leaf, None, Err("log_list_absent"));
    assert_eq!(seen.satisfied.reason(), Some("log_list_absent"));
    // Without the issuer's key nothing embedded can be verified.
    let entry = authority.entry(SHORT);
    let embedded = authority.leaf(SHORT, Some(Sct::write_list(&[one.sign(&entry)])));
    let sources = Sources { chain: &[embedded], staple: None, handshake: None, handshake_read: true };
    let seen = transparency(&sources, Fact::Known(true), &Anchors::none(), Ok(&logs), now());
    assert!(seen.satisfied.known().is_none() && seen.timestamps[0].genuine.known().is_none());
    // Where the handshake could not be read, there may have been more.
    let sources = Sources { chain: &[leaf], staple: None, handshake: None, handshake_read: false };
    assert!(transparency(&sources, Fact::Known(true), &Anchors::none(), Ok(&logs), now()).satisfied.known().is_none());
    let broken = authority.look(&authority.leaf(SHORT, Some(vec![0, 9, 1])), None, Ok(&logs));
    assert!(broken.satisfied.known().is_none());
}
