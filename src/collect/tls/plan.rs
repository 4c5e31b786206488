//! Which suites are offered together: one list for each authentication class of a version.
//!
//! Servers with two certificates may choose the certificate from the hello before the suite, and then refuse although
//! a suite of the other certificate would do. So no list mixes RSA with ECDSA, and each is refused on its own.

use crate::catalogue::registry::{self, Group, Suite};
use crate::wire::Version;

/// What clients of today list first.
const X25519: u16 = 0x001D;
/// Most suites in one hello: some stacks fail above 128.
const SUITES: usize = 120;
/// The same without extensions, where a hello of an unlucky length cannot be padded.
const SUITES_BARE: usize = 106;

/// The lists of a version, each with the worst suites first. What is neither of RSA nor of ECDSA shares one where it can.
pub fn lists(version: Version) -> Vec<Vec<u16>> {
    let most = if version == Version::Ssl3 { SUITES_BARE } else { SUITES };
    let mut classes: [Vec<&Suite>; 4] = Default::default();
    for suite in offered(version) {
        let class = if version == Version::Tls13 { 0 } else { class(suite) };
        if let Some(list) = classes.get_mut(class) {
            list.push(suite);
        }
    }
    let [.., third, last] = &mut classes;
    if third.len() + last.len() <= most {
        third.append(last);
    }
    let mut lists = Vec::new();
    for mut class in classes {
        class.sort_by_key(|suite| badness(suite));
        let ids: Vec<u16> = class.iter().filter_map(|suite| u16::try_from(suite.id).ok()).collect();
        lists.extend(ids.chunks(most).map(<[u16]>::to_vec));
    }
    lists
}

/// The suites of a first hello that nearly every server takes: TLS 1.3, and what is common in TLS 1.2, best first.
pub fn baseline() -> Vec<u16> {
    let mut common: Vec<&Suite> = offered(Version::Tls12)
        .filter(|suite| matches!(suite.kx.as_str(), "ECDHE" | "DHE" | "RSA"))
        .filter(|suite| matches!(suite.auth.as_str(), "RSA" | "ECDSA") && !suite.export)
        .filter(|suite| ["AES", "CHACHA20", "3DES"].iter().any(|enc| suite.enc.starts_with(enc)))
        .collect();
    common.sort_by_key(|suite| std::cmp::Reverse(rank(&suite.class)));
    let common = common.iter().filter_map(|suite| u16::try_from(suite.id).ok());
    lists(Version::Tls13).into_iter().flatten().chain(common).take(SUITES).collect()
}

/// The cipher kinds of SSLv2.
pub fn ssl2_kinds() -> Vec<u32> {
    offered(Version::Ssl2).map(|suite| suite.id).collect()
}

/// The groups of a version, best first, as a client would list them.
pub fn groups(version: Version) -> Vec<u16> {
    let wanted = |group: &&Group| match version {
        Version::Tls13 => group.tls13,
        _ => group.tls12 && group.kind != "explicit",
    };
    let mut groups: Vec<&Group> = registry::groups().iter().filter(wanted).collect();
    groups.sort_by_key(|group| (std::cmp::Reverse(rank(&group.class)), group.id != X25519, group.id));
    groups.iter().map(|group| group.id).collect()
}

/// Whether this is a group of a finite field.
pub fn is_field(group: u16) -> bool {
    registry::group(group).is_some_and(|row| row.kind == "ffdhe")
}

/// The signature schemes of a version, best first.
pub fn schemes(version: Version) -> Vec<u16> {
    let wanted = |scheme: &&registry::Scheme| match version {
        Version::Tls13 => scheme.tls12 || scheme.tls13,
        _ => scheme.tls12,
    };
    let mut schemes: Vec<_> = registry::schemes().iter().filter(wanted).collect();
    schemes.sort_by_key(|scheme| (std::cmp::Reverse(rank(&scheme.class)), scheme.id));
    schemes.iter().map(|scheme| scheme.id).collect()
}

/// The row of a suite of SSLv3 or newer.
pub fn suite(id: u16) -> Option<&'static Suite> {
    registry::suite(u32::from(id), false)
}

/// Puts the worst suites first.
pub fn worst_first(ids: &mut [u16]) {
    ids.sort_by_key(|id| suite(*id).map(badness));
}

/// Whether the suite is ChaCha20.
pub fn is_chacha(id: u16) -> bool {
    suite(id).is_some_and(|row| row.enc.starts_with("CHACHA20"))
}

fn offered(version: Version) -> impl Iterator<Item = &'static Suite> {
    registry::suites().iter().filter(move |suite| suite.protocols.iter().any(|name| name == version.name()))
}

/// RSA; ECDSA and credentials that no common server has; no certificate; DSS and certificates with a static key.
fn class(suite: &Suite) -> usize {
    match (suite.auth.as_str(), suite.kx.as_str()) {
        ("RSA", "DH" | "ECDH") | ("DSS" | "PSK+RSA", _) => 3,
        ("RSA", _) => 0,
        ("anon" | "PSK" | "SRP", _) => 2,
        _ => 1,
    }
}

/// Worst first. ChaCha20 comes last, since some servers prefer it when a client has it in the first place.
fn badness(suite: &Suite) -> (bool, u8, u32) {
    (suite.enc.starts_with("CHACHA20"), rank(&suite.class), suite.id)
}

fn rank(class: &str) -> u8 {
    match class {
        "null" => 0,
        "anon" => 1,
        "export" => 2,
        "weak" => 3,
        "legacy" => 4,
        "cbc" => 5,
        "secure" => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_of_a_version_is_offered_once() {
        for version in Version::ALL.into_iter().skip(1) {
            let mut ids: Vec<u16> = lists(version).into_iter().flatten().collect();
            let count = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), count, "{version:?}");
            assert_eq!(count, offered(version).count(), "{version:?}");
        }
        assert_eq!(ssl2_kinds().len(), 13);
    }

    #[test]
    fn four_hellos_hold_every_suite_of_a_version() {
        for version in [Version::Ssl3, Version::Tls10, Version::Tls11] {
            assert_eq!(lists(version).len(), 3, "{version:?}");
        }
        assert_eq!(lists(Version::Tls12).len(), 4);
        assert_eq!(lists(Version::Tls13).len(), 1);
        assert!(baseline().len() <= SUITES);
    }

    #[test]
    fn no_list_mixes_rsa_and_ecdsa_and_the_worst_come_first() {
        for list in lists(Version::Tls12) {
            let auths: Vec<_> = list.iter().map(|id| suite(*id).unwrap().auth.as_str()).collect();
            assert!(!(auths.contains(&"RSA") && auths.contains(&"ECDSA")));
        }
        let rsa = &lists(Version::Tls12)[0];
        assert_eq!(suite(rsa[0]).unwrap().class, "null");
        assert!(is_chacha(*rsa.last().unwrap()));
    }
}
