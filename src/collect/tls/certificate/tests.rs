//! Chains made for the purpose, judged at a fixed moment.

use super::*;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::CertificateDer;

type Authority = CertifiedIssuer<'static, KeyPair>;

const HOST: &str = "www.example.test";

fn now() -> jiff::Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 12, 31);
    params.use_authority_key_identifier_extension = true;
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2040, 1, 1);
    params
}

fn server() -> CertificateParams {
    let mut params = named("server");
    params.subject_alt_names = vec![rcgen::SanType::DnsName(HOST.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn root(name: &str) -> Authority {
    Authority::self_signed(authority(name), KeyPair::generate().unwrap()).unwrap()
}

fn below(issuer: &Authority, params: CertificateParams) -> Authority {
    Authority::signed_by(params, KeyPair::generate().unwrap(), issuer).unwrap()
}

fn issue(issuer: &Authority, params: &CertificateParams) -> Vec<u8> {
    params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().der().to_vec()
}

fn trusting(authorities: &[&Authority]) -> Anchors {
    let mut anchors = Anchors::new(&[]).unwrap();
    for authority in authorities {
        anchors.trust(authority.der()).unwrap();
    }
    anchors
}

fn look(chain: &[Vec<u8>], anchors: &Anchors) -> Deployment {
    analyse(chain, vec!["TLSv1.3".to_owned()], None, HOST, anchors, now())
}

fn word(deployment: &Deployment) -> &str {
    deployment.trust.known().map_or("unknown", String::as_str)
}

#[test]
fn a_whole_chain_is_trusted() {
    let root = root("root");
    let middle = below(&root, authority("middle"));
    let leaf = issue(&middle, &server());
    let seen = look(&[leaf.clone(), middle.der().to_vec()], &trusting(&[&root]));
    assert_eq!((word(&seen), seen.trust_detail.as_str()), ("trusted", ""));
    assert_eq!(seen.id, digest::sha256(&leaf));
    assert!(seen.private_anchor && seen.order_ok && seen.name_matches && !seen.contains_anchor && !seen.must_staple);
    assert_eq!((seen.anchor.as_str(), seen.extra, seen.days_left), ("CN=root", 0, 212));
    assert_eq!(seen.staple, "absent".to_owned().into());
    let leaf = &seen.leaf;
    assert_eq!((leaf.subject.as_str(), leaf.issuer.as_str()), ("CN=server", "CN=middle"));
    assert_eq!(
        (leaf.key_type.as_str(), leaf.key_bits, leaf.key_strength, leaf.curve.as_str()),
        ("EC", 256, 3072, "P-256")
    );
    assert_eq!((leaf.signature.as_str(), leaf.signature_hash.as_str()), ("ecdsa-with-SHA256", "sha256"));
    assert_eq!((leaf.not_after.as_str(), leaf.lifetime_days), ("2026-12-31T00:00:00Z", 365));
    assert_eq!((leaf.names.as_slice(), leaf.name_count), (&[HOST.to_owned()][..], 1));
    assert!(leaf.server_auth && !leaf.ca && !leaf.self_signed);
    assert_eq!(seen.chain[1].key, "EC 256");
}

#[test]
fn every_usual_kind_of_key_is_trusted() {
    let kinds: [(&SignatureAlgorithm, &str, u32, u32, &str); 5] = [
        (&rcgen::PKCS_RSA_SHA256, "RSA", 2048, 2048, "sha256"),
        (&rcgen::PKCS_RSA_SHA512, "RSA", 2048, 2048, "sha512"),
        (&rcgen::PKCS_ECDSA_P384_SHA384, "EC", 384, 7680, "sha384"),
        (&rcgen::PKCS_ECDSA_P521_SHA512, "EC", 521, 15360, "sha512"),
        (&rcgen::PKCS_ED25519, "Ed25519", 256, 3072, "sha512"),
    ];
    for (algorithm, key_type, bits, strength, hash) in kinds {
        let root = Authority::self_signed(authority("root"), KeyPair::generate_for(algorithm).unwrap()).unwrap();
        let leaf = server().signed_by(&KeyPair::generate_for(algorithm).unwrap(), &root).unwrap().der().to_vec();
        let seen = look(std::slice::from_ref(&leaf), &trusting(&[&root]));
        assert_eq!(word(&seen), "trusted", "{algorithm:?}: {}", seen.trust_detail);
        assert_eq!(seen.leaf.signature_hash, hash);
        let key = key_of(&leaf).unwrap();
        assert_eq!((key.key_type.as_str(), key.bits, key.strength), (key_type, bits, strength));
        assert_eq!(seen.leaf.exponent, if key_type == "RSA" { "65537" } else { "" });
    }
}

#[test]
fn dates_count_for_every_certificate_of_the_path() {
    let root = root("root");
    let anchors = trusting(&[&root]);
    let mut expired = server();
    expired.not_before = date_time_ymd(2025, 1, 1);
    expired.not_after = date_time_ymd(2026, 5, 31);
    let seen = look(&[issue(&root, &expired)], &anchors);
    assert_eq!((word(&seen), seen.days_left), ("expired", -2));
    assert!(seen.trust_detail.contains("CN=server ended on 2026-05-31T00:00:00Z"), "{}", seen.trust_detail);
    let mut early = server();
    early.not_before = date_time_ymd(2026, 6, 2);
    assert_eq!(word(&look(&[issue(&root, &early)], &anchors)), "not-yet-valid");
    let mut middle = authority("middle");
    middle.not_after = date_time_ymd(2026, 6, 1);
    let middle = below(&root, middle);
    let seen = look(&[issue(&middle, &server()), middle.der().to_vec()], &anchors);
    assert_eq!((word(&seen), seen.days_left), ("expired", -1));
    let mut old = authority("old");
    old.not_after = date_time_ymd(2026, 1, 1);
    let old = Authority::self_signed(old, KeyPair::generate().unwrap()).unwrap();
    assert_eq!(word(&look(&[issue(&old, &server())], &trusting(&[&old]))), "expired");
}

#[test]
fn a_chain_that_leads_nowhere_is_untrusted() {
    let root = root("root");
    let middle = below(&root, authority("middle"));
    let leaf = issue(&middle, &server());
    let public = trusting(&[]);
    let seen = look(&[leaf.clone(), middle.der().to_vec(), root.der().to_vec()], &public);
    assert_eq!((word(&seen), seen.extra, seen.order_ok), ("untrusted", 0, true));
    assert!(seen.trust_detail.contains("CN=root is no anchor"), "{}", seen.trust_detail);
    let seen = look(&[leaf], &trusting(&[&root]));
    assert_eq!(word(&seen), "untrusted");
    assert!(seen.trust_detail.contains("CN=middle was not sent"), "{}", seen.trust_detail);
}

#[test]
fn a_known_intermediate_makes_a_chain_incomplete() {
    let root = root("root");
    let middle = below(&root, authority("middle"));
    let stranger = below(&self::root("elsewhere"), authority("stranger"));
    let leaf = issue(&middle, &server());
    let anchors = trusting(&[&root]).knowing(&[stranger.der().to_vec(), middle.der().to_vec(), vec![1, 2, 3]]);
    let seen = look(&[leaf], &anchors);
    assert_eq!((word(&seen), seen.trust_detail.as_str()), ("incomplete", "not sent: CN=middle"));
    // Being known is not being trusted.
    let seen = look(&[issue(&stranger, &server())], &anchors);
    assert_eq!(word(&seen), "untrusted");
    let mut expired = server();
    expired.not_after = date_time_ymd(2026, 5, 1);
    assert_ne!(word(&look(&[issue(&middle, &expired)], &anchors)), "incomplete");
}

#[test]
fn a_self_signed_leaf_is_trusted_only_by_its_very_bytes() {
    let key = KeyPair::generate().unwrap();
    for params in [server(), {
        let mut ca = server();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca
    }] {
        let leaf = params.self_signed(&key).unwrap().der().to_vec();
        let seen = look(std::slice::from_ref(&leaf), &trusting(&[]));
        assert_eq!((word(&seen), seen.leaf.self_signed), ("self-signed", true));
        let mut anchors = Anchors::new(&[]).unwrap();
        anchors.trust(&CertificateDer::from(leaf.as_slice())).unwrap();
        let seen = look(std::slice::from_ref(&leaf), &anchors);
        assert_eq!((word(&seen), seen.private_anchor, seen.contains_anchor), ("trusted", true, false));
        // The same name and key in another certificate is not the one that the user trusts.
        let mut other = params.clone();
        other.serial_number = Some(rcgen::SerialNumber::from_slice(&[9; 8]));
        let other = other.self_signed(&key).unwrap().der().to_vec();
        assert_ne!(word(&look(&[other], &anchors)), "trusted");
    }
}

#[test]
fn a_forged_signature_is_no_path() {
    let real = root("root");
    let forger = root("root");
    let leaf = issue(&forger, &server());
    let seen = look(&[leaf.clone(), real.der().to_vec()], &trusting(&[&real]));
    assert_eq!((word(&seen), seen.order_ok), ("untrusted", false));
    assert!(seen.trust_detail.contains("is not by the key of CN=root"), "{}", seen.trust_detail);
    let mut broken = issue(&real, &server());
    let last = broken.len() - 1;
    broken[last] ^= 1;
    assert_eq!(word(&look(&[broken], &trusting(&[&real]))), "untrusted");
}

#[test]
fn an_end_entity_cannot_issue() {
    let root = root("root");
    let not_ca = below(&root, server());
    let seen = look(&[issue(&not_ca, &server()), not_ca.der().to_vec()], &trusting(&[&root]));
    assert_ne!(word(&seen), "trusted");
    let mut no_sign = authority("middle");
    no_sign.key_usages = vec![KeyUsagePurpose::CrlSign];
    let no_sign = below(&root, no_sign);
    let seen = look(&[issue(&no_sign, &server()), no_sign.der().to_vec()], &trusting(&[&root]));
    assert_eq!(word(&seen), "untrusted");
    assert!(seen.trust_detail.contains("may not sign certificates"), "{}", seen.trust_detail);
}

#[test]
fn what_is_not_for_servers_is_called_so() {
    let root = root("root");
    let anchors = trusting(&[&root]);
    let mut client = server();
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let seen = look(&[issue(&root, &client)], &anchors);
    assert_eq!((word(&seen), seen.leaf.server_auth), ("not-for-server", false));
    let mut any = server();
    any.extended_key_usages = vec![];
    assert_eq!(word(&look(&[issue(&root, &any)], &anchors)), "trusted");
    assert_eq!(word(&look(&[below(&root, authority("ca")).der().to_vec()], &anchors)), "not-for-server");
}

#[test]
fn the_length_of_a_path_is_limited() {
    let mut short = authority("short");
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = root("root");
    let short = below(&root, short);
    let middle = below(&short, authority("middle"));
    let sent = [issue(&middle, &server()), middle.der().to_vec(), short.der().to_vec()];
    assert_eq!(word(&look(&sent, &trusting(&[&root]))), "not-for-server");
    assert_eq!(word(&look(&[issue(&short, &server()), short.der().to_vec()], &trusting(&[&root]))), "trusted");
}

#[test]
fn name_constraints_hold() {
    let root = root("root");
    let constrained = |permitted: Vec<GeneralSubtree>, excluded: Vec<GeneralSubtree>| {
        let mut params = authority("middle");
        params.name_constraints = Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: excluded });
        let middle = below(&root, params);
        let seen = look(&[issue(&middle, &server()), middle.der().to_vec()], &trusting(&[&root]));
        word(&seen).to_owned()
    };
    let dns = |name: &str| vec![GeneralSubtree::DnsName(name.to_owned())];
    assert_eq!(constrained(dns("example.test"), vec![]), "trusted");
    assert_eq!(constrained(dns("example.com"), vec![]), "not-for-server");
    assert_eq!(constrained(vec![], dns("example.test")), "not-for-server");
    assert_eq!(constrained(vec![], dns("example.com")), "trusted");
}

#[test]
fn an_unknown_critical_extension_is_refused() {
    let root = root("root");
    let mut params = server();
    let mut strange = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    strange.set_criticality(true);
    params.custom_extensions = vec![strange];
    let seen = look(&[issue(&root, &params)], &trusting(&[&root]));
    assert_eq!(word(&seen), "untrusted");
    assert!(seen.trust_detail.contains("1.3.6.1.4.1.99999.1"), "{}", seen.trust_detail);
}

#[test]
fn order_strangers_duplicates_and_anchors_are_seen() {
    let root = root("root");
    let upper = below(&root, authority("upper"));
    let lower = below(&upper, authority("lower"));
    let leaf = issue(&lower, &server());
    let [upper, lower, top] = [upper.der().to_vec(), lower.der().to_vec(), root.der().to_vec()];
    let stranger = self::root("stranger").der().to_vec();
    let anchors = trusting(&[&root]);
    let seen = |sent: &[&Vec<u8>]| look(&sent.iter().map(|der| (*der).clone()).collect::<Vec<_>>(), &anchors);
    let swapped = seen(&[&leaf, &upper, &lower]);
    assert_eq!((word(&swapped), swapped.order_ok, swapped.extra), ("trusted", false, 0));
    let more = seen(&[&leaf, &lower, &upper, &stranger, &lower]);
    assert_eq!((word(&more), more.extra, more.contains_anchor), ("trusted", 2, false));
    let with_root = seen(&[&leaf, &lower, &upper, &top]);
    assert_eq!(
        (word(&with_root), with_root.extra, with_root.contains_anchor, with_root.order_ok),
        ("trusted", 0, true, true)
    );
    assert_eq!(with_root.days_left, 212);
}

#[test]
fn a_cross_sign_that_is_good_wins() {
    let old = root("old");
    let new = root("new");
    let key = KeyPair::generate().unwrap();
    let mut expired = authority("middle");
    expired.not_after = date_time_ymd(2026, 2, 1);
    let by_old = expired.signed_by(&key, &old).unwrap().der().to_vec();
    let by_new = authority("middle").signed_by(&key, &new).unwrap().der().to_vec();
    let middle = Authority::self_signed(authority("middle"), key).unwrap();
    let sent = [issue(&middle, &server()), by_old, by_new];
    let seen = look(&sent, &trusting(&[&old, &new]));
    assert_eq!((word(&seen), seen.anchor.as_str(), seen.extra), ("trusted", "CN=new", 0));
    assert_eq!(word(&look(&sent, &trusting(&[&old]))), "expired");
}

#[test]
fn names_of_every_kind() {
    let root = root("root");
    let mut params = server();
    params.subject_alt_names = vec![
        rcgen::SanType::DnsName("*.example.test".try_into().unwrap()),
        rcgen::SanType::IpAddress("127.0.0.1".parse().unwrap()),
    ];
    let leaf = issue(&root, &params);
    let anchors = trusting(&[&root]);
    let is_for = |host| analyse(std::slice::from_ref(&leaf), vec![], None, host, &anchors, now()).name_matches;
    assert!(is_for("www.example.test") && is_for("127.0.0.1"));
    assert!(!is_for("example.test") && !is_for("a.b.example.test") && !is_for("127.0.0.2") && !is_for("server"));
    assert_eq!(look(&[leaf], &anchors).leaf.names, ["*.example.test", "127.0.0.1"]);
}

#[test]
fn must_staple_is_read() {
    let root = root("root");
    let mut params = server();
    params.custom_extensions =
        vec![CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], vec![0x30, 3, 2, 1, 5])];
    let seen = look(&[issue(&root, &params)], &trusting(&[&root]));
    assert_eq!((seen.must_staple, word(&seen)), (true, "trusted"));
}

#[test]
fn a_broken_staple_is_invalid_and_one_without_an_issuer_unknown() {
    let root = root("root");
    let leaf = [issue(&root, &server())];
    let seen = |anchors: &Anchors| analyse(&leaf, vec![], Some(b"\x30\x03\x0a\x01\x06"), HOST, anchors, now()).staple;
    assert_eq!(seen(&trusting(&[&root])), "invalid".to_owned().into());
    assert!(seen(&trusting(&[])).reason().is_some());
}

#[test]
fn nothing_readable_is_nothing_good() {
    for chain in [vec![], vec![b"not a certificate".to_vec()], vec![Vec::new()]] {
        let seen = look(&chain, &trusting(&[]));
        assert_eq!(word(&seen), "unknown");
        assert!(!seen.name_matches && !seen.order_ok && seen.staple.reason().is_some());
        assert_eq!((seen.leaf.key_strength, seen.days_left), (0, 0));
    }
    assert!(key_of(b"not a certificate").is_none());
}

#[test]
fn a_tangle_of_cross_signs_ends_soon() {
    let keys: Vec<KeyPair> = (0..6).map(|_| KeyPair::generate().unwrap()).collect();
    let issuers: Vec<Authority> = keys
        .into_iter()
        .enumerate()
        .map(|(n, key)| Authority::self_signed(authority(&format!("a{n}")), key).unwrap())
        .collect();
    // Everybody signs everybody: the paths are as many as the orders.
    let mut chain = vec![issue(&issuers[0], &server())];
    for above in &issuers {
        for (n, below) in issuers.iter().enumerate() {
            chain.push(authority(&format!("a{n}")).signed_by(below.key(), above).unwrap().der().to_vec());
        }
    }
    let begun = std::time::Instant::now();
    let seen = look(&chain, &trusting(&[]));
    assert_ne!(word(&seen), "trusted");
    assert!(begun.elapsed().as_secs() < 20);
    assert!(seen.extra >= 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_borne(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        fuzz(&data);
    }

    #[test]
    fn a_changed_certificate_is_borne(at in 0usize..10_000, to in any::<u8>(), cut in 0usize..10_000) {
        let leaf = CHANGED.with(Clone::clone);
        let mut changed = leaf.clone();
        let (at, cut) = (at % leaf.len(), cut % leaf.len());
        changed[at] = to;
        fuzz(&changed);
        fuzz(&changed[..cut]);
    }
}

thread_local! {
    static CHANGED: Vec<u8> = issue(&root("root"), &server());
}
