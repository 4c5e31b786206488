//! The flaws that follow from what is accepted: no connection is made for them.

use crate::catalogue::registry::{self, Suite};
use crate::collect::tls::facts::{Facts, Standing};
use crate::collect::tls::strength;
use crate::model::Fact;
use crate::model::tls::{DhParameters, VulnerabilityTest};
use crate::wire::Version;

/// An accepted pair of version and suite.
struct Pair {
    version: Version,
    row: &'static Suite,
}

/// A flaw that a suite brings with it.
struct Rule {
    name: &'static str,
    severity: &'static str,
    /// The versions in which it matters, oldest and newest.
    versions: (Version, Version),
    is: fn(&Suite) -> bool,
}

const LEGACY: (Version, Version) = (Version::Ssl3, Version::Tls12);

const RULES: &[Rule] = &[
    Rule { name: "poodle", severity: "high", versions: (Version::Ssl3, Version::Ssl3), is: is_cbc },
    Rule { name: "freak", severity: "critical", versions: LEGACY, is: |row| row.export && row.kx == "RSA" },
    Rule {
        name: "sweet32",
        severity: "medium",
        versions: (Version::Ssl2, Version::Tls12),
        is: |row| strength::block_bits(&row.enc) == 64,
    },
    Rule {
        name: "rc4",
        severity: "medium",
        versions: (Version::Ssl2, Version::Tls12),
        is: |row| row.enc.starts_with("RC4"),
    },
    Rule { name: "beast", severity: "low", versions: (Version::Ssl3, Version::Tls10), is: is_cbc },
];

fn is_cbc(row: &Suite) -> bool {
    row.enc.ends_with("-CBC")
}

/// The rows.
pub fn accepted(facts: &Facts) -> Vec<VulnerabilityTest> {
    let pairs: Vec<Pair> = facts
        .ledger
        .suites
        .iter()
        .filter_map(|accepted| {
            let row = registry::suite(accepted.suite, accepted.version == Version::Ssl2)?;
            Some(Pair { version: accepted.version, row })
        })
        .collect();
    let mut rows: Vec<VulnerabilityTest> = RULES.iter().map(|rule| by_suite(facts, &pairs, rule)).collect();
    rows.extend([logjam(facts, &pairs), lucky13(facts, &pairs), crime(facts), drown(facts)]);
    rows
}

fn by_suite(facts: &Facts, pairs: &[Pair], rule: &Rule) -> VulnerabilityTest {
    let (oldest, newest) = rule.versions;
    let matters = |version: Version| oldest <= version && version <= newest;
    let found = names(pairs.iter().filter(|pair| matters(pair.version) && (rule.is)(pair.row)));
    if !found.is_empty() {
        return VulnerabilityTest::of(rule.name, rule.severity, Fact::Known(true), found);
    }
    let versions = Version::ALL.into_iter().filter(|version| matters(*version));
    match open(facts, versions) {
        Some(why) => VulnerabilityTest::of(rule.name, rule.severity, Fact::unknown(why), ""),
        None => VulnerabilityTest::of(rule.name, rule.severity, Fact::Known(false), "no such suite is accepted"),
    }
}

/// A few of the suites, by version and name.
fn names<'a>(pairs: impl Iterator<Item = &'a Pair>) -> String {
    const SHOWN: usize = 4;
    let all: Vec<String> = pairs.map(|pair| format!("{} {}", pair.version.name(), pair.row.name)).collect();
    match all.len() > SHOWN {
        true => format!("{} and {} more", all.get(..SHOWN).unwrap_or_default().join(", "), all.len() - SHOWN),
        false => all.join(", "),
    }
}

/// Why there may be suites in these versions that are not known.
fn open(facts: &Facts, mut versions: impl Iterator<Item = Version>) -> Option<String> {
    versions.find_map(|version| match facts.standing(version) {
        Standing::Unknown(trouble) => Some(trouble.detail),
        _ => facts.look.versions.get(&version)?.trouble.as_ref().map(|trouble| trouble.detail.clone()),
    })
}

/// Export DHE, or a field that is small enough to be broken; one of 1024 bits that many share is likely broken.
fn logjam(facts: &Facts, pairs: &[Pair]) -> VulnerabilityTest {
    const NAME: &str = "logjam";
    let row = |vulnerable, seen: String| VulnerabilityTest::of(NAME, "high", vulnerable, seen);
    let export = names(pairs.iter().filter(|pair| pair.row.export && pair.row.kx == "DHE"));
    if !export.is_empty() {
        return row(Fact::Known(true), export);
    }
    let (dh, trouble) = facts.dh();
    let words = |set: &DhParameters| format!("a field of {} bits {}", set.bits, set.known).trim_end().to_owned();
    if let Some(set) = dh.parameters.iter().find(|set| set.bits < 1024) {
        return row(Fact::Known(true), words(set));
    }
    if let Some(set) = dh.parameters.iter().find(|set| set.bits == 1024 && !set.known.is_empty()) {
        return VulnerabilityTest { severity: "medium".to_owned(), ..row(Fact::Known(true), words(set)).likely() };
    }
    match open(facts, Version::ALL.into_iter().filter(|version| *version < Version::Tls13)) {
        Some(why) => row(Fact::unknown(why), String::new()),
        None => match trouble {
            Some(trouble) => row(Fact::unknown(trouble.detail), String::new()),
            None => row(Fact::Known(false), "no export DHE and no field below 1024 bits".to_owned()),
        },
    }
}

/// Timing is not measured, so that this is never more than a note.
fn lucky13(facts: &Facts, pairs: &[Pair]) -> VulnerabilityTest {
    const NAME: &str = "lucky13";
    let cbc = names(pairs.iter().filter(|pair| pair.version > Version::Ssl3 && is_cbc(pair.row)));
    if cbc.is_empty() {
        let why = match open(facts, super::super::visit::VERSIONS.into_iter()) {
            Some(why) => why,
            None => return VulnerabilityTest::does_not_apply(NAME, "info", "no CBC suite is accepted"),
        };
        return VulnerabilityTest::of(NAME, "info", Fact::unknown(why), "");
    }
    let seen = match facts.ledger.ride.encrypt_then_mac.yes > 0 {
        true => format!("encrypt-then-MAC is agreed on where a client offers it: {cbc}"),
        false => format!("potential, since timing is not measured: {cbc}"),
    };
    VulnerabilityTest::of(NAME, "info", Fact::Known(false), seen)
}

fn crime(facts: &Facts) -> VulnerabilityTest {
    let (features, _) = facts.features();
    let (vulnerable, seen) = match &features.compression {
        Fact::Known(word) if word == "none" || word == "not-applicable" => (Fact::Known(false), String::new()),
        Fact::Known(word) => (Fact::Known(true), format!("compression by {word}")),
        Fact::Unknown(unknown) => (Fact::Unknown(unknown.clone()), String::new()),
    };
    VulnerabilityTest::of("crime", "high", vulnerable, seen)
}

/// SSLv2 on this very endpoint. Other endpoints with the same key need their own look.
fn drown(facts: &Facts) -> VulnerabilityTest {
    let (vulnerable, seen) = match facts.standing(Version::Ssl2) {
        Standing::Offered(seen) => (Fact::Known(true), seen),
        Standing::Refused(refusal) => (Fact::Known(false), format!("SSLv2 here: {}", refusal.seen)),
        Standing::Unknown(trouble) => (Fact::unknown(trouble.detail), String::new()),
    };
    VulnerabilityTest::of("drown", "critical", vulnerable, seen)
}
