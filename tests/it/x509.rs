//! Certificates: weak and odd chains, and OCSP responses, made by `openssl`.

use crate::support::desk::{Desk, EC, HOST, RSA};
use probity::collect::tls::certificate::{Anchors, analyse};
use probity::model::tls::Deployment;

fn word(deployment: &Deployment) -> &str {
    deployment.trust.known().map_or("unknown", String::as_str)
}

#[test]
fn weak_signatures_and_keys_are_facts_not_distrust() {
    let Some(desk) = Desk::new("x509-weak") else { return };
    desk.root("ca", RSA, "");
    for (name, sign, hash) in [
        ("sha1", "-sha1", "sha1"),
        ("md5", "-md5", "md5"),
        ("sha224", "-sha224", "sha224"),
        ("pss", "-sha256 -sigopt rsa_padding_mode:pss", "sha256"),
        ("salt", "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20", "sha256"),
    ] {
        desk.issue(name, "ca", RSA, &format!("-extfile server.ext {sign}"));
        let seen = desk.judge(&[name], "ca");
        assert_eq!(
            (word(&seen), seen.leaf.signature_hash.as_str()),
            ("trusted", hash),
            "{name}: {}",
            seen.trust_detail
        );
        assert_eq!(seen.chain[0].signature_hash, hash);
        assert!(seen.name_matches && seen.private_anchor);
    }
    desk.root("weak", "genrsa 1024", "");
    desk.issue("below", "weak", "genrsa 1024", "-extfile server.ext");
    let seen = desk.judge(&["below"], "weak");
    assert_eq!(
        (word(&seen), seen.leaf.key_bits, seen.leaf.key_strength),
        ("trusted", 1024, 1024),
        "{}",
        seen.trust_detail
    );
    desk.root("tiny", "genrsa 512", "-sha256");
    desk.issue("mini", "tiny", "genrsa 512", "-extfile server.ext -sha256");
    assert_eq!((word(&desk.judge(&["mini"], "tiny")), desk.judge(&["mini"], "tiny").leaf.key_bits), ("trusted", 512));
    desk.issue("ecsha1", "ca", EC, "-extfile server.ext -sha1");
    assert_eq!(word(&desk.judge(&["ecsha1"], "ca")), "trusted");
}

#[test]
fn a_forged_weak_signature_stays_untrusted() {
    let Some(desk) = Desk::new("x509-forged") else { return };
    desk.root("ca", RSA, "");
    for sign in ["-md5", "-sha1", "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:20"] {
        desk.issue("leaf", "ca", RSA, &format!("-extfile server.ext {sign}"));
        let mut leaf = desk.der("leaf");
        let last = leaf.len() - 1;
        leaf[last] ^= 1;
        let anchors = Anchors::new(&[desk.path().join("ca.pem")]).unwrap();
        let seen = analyse(&[leaf], vec![], None, HOST, &anchors, jiff::Timestamp::now());
        assert_eq!(word(&seen), "untrusted", "{sign}");
    }
}

#[test]
fn versions_before_three_and_authorities_as_leaves() {
    let Some(desk) = Desk::new("x509-old") else { return };
    desk.root("ca", RSA, "");
    desk.issue("v1", "ca", RSA, "");
    let seen = desk.judge(&["v1"], "ca");
    assert_eq!((word(&seen), seen.name_matches, seen.leaf.name_count), ("trusted", false, 0), "{}", seen.trust_detail);
    // A version 1 certificate cannot be an intermediate.
    desk.issue("under", "v1", RSA, "-extfile server.ext");
    assert_eq!(word(&desk.judge(&["under", "v1"], "ca")), "untrusted");
    // What `openssl req -x509` makes is an authority; served as it is, it is trusted by who trusts it, and by nobody else.
    desk.root("own", EC, "-addext subjectAltName=DNS:www.example.test");
    assert!(desk.judge(&["own"], "own").leaf.ca);
    assert_eq!(word(&desk.judge(&["own"], "own")), "trusted");
    assert_eq!(word(&desk.judge(&["own"], "ca")), "self-signed");
}

#[test]
fn what_cannot_be_verified_is_unknown() {
    let Some(desk) = Desk::new("x509-dsa") else { return };
    desk.run("dsaparam -out params.pem 1024");
    desk.root("ca", "gendsa params.pem", "");
    desk.issue("leaf", "ca", RSA, "-extfile server.ext");
    let seen = desk.judge(&["leaf"], "ca");
    assert_eq!(word(&seen), "unknown");
    assert!(seen.trust.reason().unwrap().contains("dsa-with-sha"), "{:?}", seen.trust);
    // Our own search can follow this curve, and webpki cannot: two minds are no verdict.
    desk.root("koblitz", "ecparam -genkey -noout -name secp256k1", "-sha256");
    desk.issue("coin", "koblitz", EC, "-extfile server.ext -sha256");
    let seen = desk.judge(&["coin"], "koblitz");
    assert!(seen.trust.reason().unwrap().contains("second validator"), "{:?}", seen.trust);
    desk.root("curve", "genpkey -algorithm ed448", "");
    assert_eq!(desk.judge(&["curve"], "ca").leaf.key_strength, 7680);
    desk.issue("dsaleaf", "curve", "gendsa params.pem", "-extfile server.ext");
    let seen = desk.judge(&["dsaleaf"], "curve");
    assert_eq!((word(&seen), seen.leaf.key_type.as_str(), seen.leaf.key_bits), ("unknown", "DSA", 1024));
}

/// These bytes with the only occurrence of a pattern replaced.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, at)| *at == from).map(|(n, _)| n).collect();
    let [place] = places[..] else { panic!("{} places", places.len()) };
    [&bytes[..place], to, &bytes[place + from.len()..]].concat()
}

#[test]
fn ocsp_staples() {
    let Some(desk) = Desk::new("x509-ocsp") else { return };
    desk.root("ca", RSA, "");
    desk.issue("leaf", "ca", EC, "-extfile server.ext");
    desk.issue("other", "ca", EC, "-extfile server.ext");
    let by_ca = "-rsigner ca.pem -rkey ca.key -ndays 7";
    for id in ["-sha1", "-sha256"] {
        let good = desk.staple("leaf", "V", id, by_ca);
        assert_eq!(desk.stapled("leaf", &good, 0), "good");
        assert_eq!(desk.stapled("leaf", &good, 6), "good");
        // Too old, from the future, of another certificate.
        assert_eq!(desk.stapled("leaf", &good, 8), "invalid");
        assert_eq!(desk.stapled("leaf", &good, -1), "invalid");
        assert_eq!(desk.stapled("other", &good, 0), "invalid");
        // The status with the date after it, made worse than it was signed: [0] is good, [2] is unknown.
        assert_eq!(desk.stapled("leaf", &replaced(&good, b"\x80\x00\x18", b"\x82\x00\x18"), 0), "invalid");
    }
    let nobody = desk.staple("leaf", "", "-sha1", by_ca);
    assert_eq!(desk.stapled("leaf", &nobody, 0), "unknown");
    assert_eq!(desk.stapled("leaf", &replaced(&nobody, b"\x82\x00\x18", b"\x80\x00\x18"), 0), "invalid");
    assert_eq!(desk.stapled("leaf", &desk.staple("leaf", "R", "-sha1", by_ca), 0), "revoked");
    let open_end = desk.staple("leaf", "V", "-sha1", "-rsigner ca.pem -rkey ca.key");
    assert_eq!(
        (desk.stapled("leaf", &open_end, 0), desk.stapled("leaf", &open_end, 2)),
        ("good".to_owned(), "invalid".to_owned())
    );
    assert_eq!(desk.stapled("leaf", b"nonsense", 0), "invalid");
    assert_eq!(desk.stapled("leaf", b"", 0), "absent");
}

#[test]
fn who_may_sign_a_staple() {
    let Some(desk) = Desk::new("x509-delegate") else { return };
    desk.root("ca", EC, "");
    desk.root("stranger", EC, "");
    desk.issue("leaf", "ca", RSA, "-extfile server.ext");
    desk.issue("delegate", "ca", RSA, "-extfile ocsp.ext");
    desk.issue("pretender", "ca", RSA, "-extfile server.ext");
    desk.issue("outsider", "stranger", RSA, "-extfile ocsp.ext");
    for (signer, status) in [
        ("ca", "good"),
        ("delegate", "good"),
        ("pretender", "invalid"),
        ("outsider", "invalid"),
        ("stranger", "invalid"),
    ] {
        let staple = desk.staple("leaf", "V", "-sha1", &format!("-rsigner {signer}.pem -rkey {signer}.key -ndays 7"));
        assert_eq!(desk.stapled("leaf", &staple, 0), status, "{signer}");
    }
    // By key instead of by name, and a delegate that has ended.
    let by_key = desk.staple("leaf", "V", "-sha1", "-rsigner delegate.pem -rkey delegate.key -ndays 40 -resp_key_id");
    assert_eq!(
        (desk.stapled("leaf", &by_key, 0), desk.stapled("leaf", &by_key, 25)),
        ("good".to_owned(), "invalid".to_owned())
    );
}

/// The primes of RFC 5114 have no formula; OpenSSL knows them, and those that have one, too.
#[test]
fn published_primes_are_those_of_openssl() {
    let Some(desk) = Desk::new("x509-primes") else { return };
    for (kind, group, bits, label, safe) in [
        ("DHX", "dh_1024_160", 1024, "RFC 5114 1024 with a subgroup of 160", false),
        ("DHX", "dh_2048_224", 2048, "RFC 5114 2048 with a subgroup of 224", false),
        ("DHX", "dh_2048_256", 2048, "RFC 5114 2048 with a subgroup of 256", false),
        ("DH", "modp_4096", 4096, "RFC 3526 MODP 4096", true),
        ("DH", "ffdhe3072", 3072, "RFC 7919 ffdhe3072", true),
    ] {
        desk.run(&format!("genpkey -genparam -algorithm {kind} -pkeyopt group:{group} -out group.pem"));
        desk.run("asn1parse -in group.pem -out group.der -noout");
        let der = std::fs::read(desk.path().join("group.der")).unwrap();
        // SEQUENCE { INTEGER p, .. }, both with lengths of two bytes or one.
        let header = |at: usize| if der[at + 1] == 0x82 { 4 } else { 3 };
        let from = header(0) + header(header(0));
        let p = &der[from..from + bits / 8 + 1];
        let facts = probity::collect::tls::prime::facts(p);
        assert_eq!((facts.known.as_str(), facts.safe_prime, facts.composite), (label, safe.into(), false.into()));
    }
}
