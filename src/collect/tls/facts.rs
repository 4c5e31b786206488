//! From what was seen to the data of the observation kinds.

use super::address::Look;
use super::certificate::{self, Anchors, KeyFacts};
use super::ledger::{Accepted, Ledger, Tally};
use super::prime::{self, PrimeFacts};
use super::prober::Refusal;
use super::suites::{End, VersionSuites};
use crate::catalogue::registry;
use crate::model::tls::{
    Certificates, Dh, DhParameters, Features, Group, Groups, Incomplete, Offered, Proof, Protocols, Suite, Suites,
};
use crate::model::{Fact, Reason, Trouble};
use crate::wire::Version;
use std::collections::{BTreeMap, BTreeSet};

/// Strength of a key exchange with a shared key alone (a decision of the grade's).
const PSK: u32 = 3_072;
/// Strength of an export suite, whatever the certificate.
const EXPORT: u32 = 512;

/// What was seen of an address, and what is computed from it once.
pub struct Facts {
    look: Look,
    ledger: Ledger,
    keys: BTreeMap<String, KeyFacts>,
    primes: BTreeMap<Vec<u8>, PrimeFacts>,
}

/// Data of a kind, and why it may lack members.
pub type Data<T> = (T, Option<Trouble>);

impl Facts {
    /// Computes what the kinds share. Primality takes a while: not for the threads that wait for sockets.
    pub fn new(look: Look, ledger: Ledger) -> Facts {
        let leaf_key = |(id, chain): (&String, &super::ledger::Chain)| {
            Some((id.clone(), certificate::key_of(chain.certificates.first()?)?))
        };
        let keys = ledger.chains.iter().filter_map(leaf_key).collect();
        let moduli: BTreeSet<Vec<u8>> = ledger.fields.iter().map(|field| field.p.clone()).collect();
        let primes = moduli.into_iter().map(|p| (p.clone(), prime::facts(&p))).collect();
        Facts { look, ledger, keys, primes }
    }

    /// `tls.protocols`.
    pub fn protocols(&self) -> Data<Protocols> {
        let mut data = Protocols {
            offered: Vec::new(),
            refused: Vec::new(),
            unknown: Vec::new(),
            proofs: Vec::new(),
            fallback_scsv: self.look.fallback.clone(),
            downgrade_sentinel: self.sentinel(),
            ssl2_without_kinds: self.look.ssl2.without_kinds,
        };
        let mut trouble = None;
        for version in Version::ALL {
            let name = version.name().to_owned();
            let (answer, confidence, seen) = match self.standing(version) {
                Standing::Offered(seen) => ("offered", "proven", seen),
                Standing::Refused(refusal) => {
                    ("refused", if refusal.proven { "proven" } else { "inferred" }, refusal.seen)
                }
                Standing::Unknown(why) => {
                    let seen = why.detail.clone();
                    trouble = trouble.or(Some(why));
                    ("unknown", "unknown", seen)
                }
            };
            match answer {
                "offered" => data.offered.push(Offered { name: name.clone() }),
                "refused" => data.refused.push(name.clone()),
                _ => data.unknown.push(name.clone()),
            }
            data.proofs.push(Proof { name, answer: answer.to_owned(), confidence: confidence.to_owned(), seen });
        }
        (data, trouble)
    }

    fn standing(&self, version: Version) -> Standing {
        let known = match version {
            Version::Ssl2 => Some(&self.look.ssl2.version),
            _ => self.look.versions.get(&version),
        };
        if version == Version::Ssl2 && self.look.ssl2.offered {
            let kinds = self.ledger.suites.iter().filter(|suite| suite.version == version).count();
            return Standing::Offered(format!("SSLv2 SERVER-HELLO with {kinds} kinds, twice"));
        }
        if self.ledger.doubted.contains(&version) {
            let detail = "inconsistent: accepted once, and refused when asked again";
            return Standing::Unknown(Trouble::new(Reason::HandshakeRejected, detail));
        }
        let accepted = self.ledger.accepted(version);
        if let Some(suite) = accepted.first() {
            return Standing::Offered(format!(
                "ServerHello with 0x{suite:04X} and {} other suites",
                accepted.len() - 1
            ));
        }
        match known {
            Some(VersionSuites { refusal: Some(refusal), .. }) => Standing::Refused(refusal.clone()),
            Some(VersionSuites { trouble: Some(trouble), .. }) => Standing::Unknown(trouble.clone()),
            _ => Standing::Unknown(Trouble::new(Reason::Internal, "not asked")),
        }
    }

    fn sentinel(&self) -> Fact<String> {
        let word = match (self.standing(Version::Tls13), self.ledger.ride.sentinel) {
            (Standing::Refused(_), _) | (Standing::Offered(_), Tally { yes: 0, no: 0 }) => "not-applicable",
            (Standing::Unknown(trouble), _) => return Fact::unknown(trouble.detail),
            (Standing::Offered(_), Tally { no: 0, .. }) => "yes",
            (Standing::Offered(_), _) => "no",
        };
        Fact::Known(word.to_owned())
    }

    /// `tls.suites`.
    pub fn suites(&self) -> Data<Suites> {
        let mut suites = Vec::new();
        for version in Version::ALL {
            let ids = self.look.orders.iter().find(|order| order.protocol == version.name()).map(|order| &order.ids);
            let mut of_version: Vec<Suite> = self
                .ledger
                .suites
                .iter()
                .filter(|accepted| accepted.version == version)
                .map(|accepted| self.suite(accepted))
                .collect();
            let place = |suite: &Suite| ids.and_then(|ids| ids.iter().position(|id| *id == suite.id));
            of_version.sort_by_key(|suite| (place(suite).unwrap_or(usize::MAX), suite.id.clone()));
            suites.extend(of_version);
        }
        let (incomplete, trouble) = self.incomplete(|version| version.trouble.clone());
        (Suites { suites, order: self.look.orders.clone(), incomplete }, trouble)
    }

    fn incomplete(&self, why: impl Fn(&VersionSuites) -> Option<Trouble>) -> (Vec<Incomplete>, Option<Trouble>) {
        let all = std::iter::once(&self.look.ssl2.version).chain(self.look.versions.values());
        let cut: Vec<(Version, Trouble)> = all.filter_map(|of| Some((of.version, why(of)?))).collect();
        let trouble = cut.first().map(|(_, trouble)| trouble.clone());
        let entry = |(version, trouble): (Version, Trouble)| Incomplete {
            protocol: version.name().to_owned(),
            reason: trouble.to_string(),
        };
        (cut.into_iter().map(entry).collect(), trouble)
    }

    fn suite(&self, accepted: &Accepted) -> Suite {
        let ssl2 = accepted.version == Version::Ssl2;
        let id = if ssl2 { format!("0x{:06X}", accepted.suite) } else { format!("0x{:04X}", accepted.suite) };
        let Some(row) = registry::suite(accepted.suite, ssl2) else {
            return unregistered(accepted, id);
        };
        Suite {
            protocol: accepted.version.name().to_owned(),
            id,
            name: row.name.clone(),
            openssl_name: row.openssl_name.clone(),
            kx: row.kx.clone(),
            auth: row.auth.clone(),
            enc: row.enc.clone(),
            bits: row.bits,
            block_bits: block_bits(&row.enc),
            mac: row.mac.clone(),
            pfs: row.pfs,
            aead: row.aead,
            export: row.export,
            class: row.class.clone(),
            strength: self.strength(accepted, row),
            group: self.group_name(accepted),
        }
    }

    fn group_name(&self, accepted: &Accepted) -> String {
        if let Some(group) = self.group_of(accepted) {
            return registry::group(group).map_or_else(|| format!("0x{group:04X}"), |row| row.name.clone());
        }
        let smallest = self
            .ledger
            .fields
            .iter()
            .filter(|field| u32::from(field.suite) == accepted.suite && field.version == accepted.version);
        let smallest = smallest.filter_map(|field| self.primes.get(&field.p)).min_by_key(|facts| facts.bits);
        match smallest {
            Some(facts) if !facts.known.is_empty() => facts.known.clone(),
            Some(facts) => format!("dh-{}", facts.bits),
            None => String::new(),
        }
    }

    /// The group that the server chose when all were offered. In TLS 1.3 that is the first answer's, whatever suite
    /// it came with: later ones lacked it.
    fn group_of(&self, accepted: &Accepted) -> Option<u16> {
        match (accepted.version, &self.look.modern) {
            (Version::Tls13, Some(modern)) => modern.groups.accepted.first().copied(),
            _ => accepted.group,
        }
    }

    /// Strength in RSA-equivalent bits (tls-grade 2.2).
    fn strength(&self, accepted: &Accepted, row: &registry::Suite) -> Fact<u32> {
        if row.export {
            return Fact::Known(EXPORT);
        }
        let group = || -> Fact<u32> {
            match self.group_of(accepted).and_then(registry::group) {
                Some(row) if row.rsa_equiv_bits > 0 => Fact::Known(row.rsa_equiv_bits),
                _ => Fact::unknown("the group was not seen"),
            }
        };
        let field = || accepted.field_bits.map_or_else(|| Fact::unknown("no parameters were seen"), Fact::Known);
        match (row.kx.as_str(), row.auth.as_str()) {
            ("NULL", _) => Fact::Known(0),
            ("any", _) => least(group(), self.key(accepted)),
            ("ECDHE", "anon") => group(),
            ("DHE", "anon") => field(),
            ("ECDHE", "PSK") => least(group(), Fact::Known(PSK)),
            ("DHE", "PSK") => least(field(), Fact::Known(PSK)),
            ("PSK", _) => Fact::Known(PSK),
            ("ECDHE", _) => least(group(), self.key(accepted)),
            ("DHE", _) => least(field(), self.key(accepted)),
            ("RSA" | "DH" | "ECDH" | "GOST" | "ECC-SM2", _) => self.key(accepted),
            (other, _) => Fact::unknown(format!("no rule for the strength of the key exchange {other}")),
        }
    }

    /// The strength of the certificate's key; of the weakest one in TLS 1.3, where it does not come with the suite.
    fn key(&self, accepted: &Accepted) -> Fact<u32> {
        let strength = match (accepted.version, &accepted.leaf) {
            (Version::Tls13, _) => {
                let modern = self.ledger.chains.iter().filter(|(_, chain)| chain.versions.contains(&Version::Tls13));
                modern.map(|(id, _)| self.keys.get(id).map(|key| key.strength)).min().flatten()
            }
            (_, Some(leaf)) => self.keys.get(leaf).map(|key| key.strength),
            (_, None) => None,
        };
        strength.map_or_else(|| Fact::unknown("the key of the certificate was not seen"), Fact::Known)
    }

    /// `tls.groups`.
    pub fn groups(&self) -> Data<Groups> {
        let mut groups: Vec<Group> = Vec::new();
        let modern = self.look.modern.iter().flat_map(|modern| modern.groups.accepted.iter().copied());
        let legacy = self.look.legacy_groups.iter().flat_map(|groups| groups.found.accepted.iter().copied());
        let rest = self.ledger.groups.keys().copied();
        let mut seen = BTreeSet::new();
        for id in modern.chain(legacy).chain(rest).filter(|id| seen.insert(*id)) {
            let row = registry::group(id);
            let versions = self.ledger.groups.get(&id).into_iter().flatten();
            groups.push(Group {
                protocols: versions.map(|version| version.name().to_owned()).collect(),
                id: format!("0x{id:04X}"),
                name: row.map_or_else(|| format!("0x{id:04X}"), |row| row.name.clone()),
                kind: row.map_or("unregistered", |row| row.kind.as_str()).to_owned(),
                rsa_equiv_bits: row.map_or(0, |row| row.rsa_equiv_bits),
                pq: row.is_some_and(|row| row.pq),
                class: row.map_or("legacy", |row| row.class.as_str()).to_owned(),
            });
        }
        let modern = self.look.modern.iter().map(|modern| (Version::Tls13, &modern.groups.end));
        let legacy = self.look.legacy_groups.iter().map(|groups| (groups.version, &groups.found.end));
        let cut: Vec<(Version, Trouble)> = modern
            .chain(legacy)
            .filter_map(|(version, end)| match end {
                End::Unknown(trouble) => Some((version, trouble.clone())),
                End::Refused(_) => None,
            })
            .collect();
        // A version that may be offered may have groups of its own.
        let open = Version::ALL.into_iter().filter_map(|version| match self.standing(version) {
            Standing::Unknown(trouble) if version > Version::Ssl3 => Some((version, trouble)),
            _ => None,
        });
        let cut: Vec<(Version, Trouble)> = cut.into_iter().chain(open).collect();
        let trouble = cut.first().map(|(_, trouble)| trouble.clone());
        let incomplete = cut
            .into_iter()
            .map(|(version, trouble)| Incomplete { protocol: version.name().to_owned(), reason: trouble.to_string() })
            .collect();
        let ignores_list = self.ledger.ignores_groups;
        (Groups { groups, order: self.look.group_order.clone(), incomplete, ignores_list }, trouble)
    }

    /// `tls.dh`.
    pub fn dh(&self) -> Data<Dh> {
        let used = |accepted: &&Accepted| {
            matches!(accepted.version, Version::Ssl3 | Version::Tls10 | Version::Tls11 | Version::Tls12)
                && registry::suite(accepted.suite, false).is_some_and(|row| row.kx == "DHE")
        };
        let users: Vec<&Accepted> = self.ledger.suites.iter().filter(used).collect();
        let mut sets: BTreeMap<(u32, &[u8], bool), Vec<&super::ledger::Field>> = BTreeMap::new();
        for field in &self.ledger.fields {
            let bits = self.primes.get(&field.p).map_or(0, |facts| facts.bits);
            sets.entry((bits, &field.p, field.export)).or_default().push(field);
        }
        let parameters = sets.into_iter().filter_map(|((_, p, export), fields)| {
            let facts = self.primes.get(p)?;
            let versions: BTreeSet<Version> = fields.iter().map(|field| field.version).collect();
            let publics: BTreeSet<&[u8]> = fields.iter().map(|field| field.public.as_slice()).collect();
            Some(DhParameters {
                protocols: versions.into_iter().map(|version| version.name().to_owned()).collect(),
                export,
                bits: facts.bits,
                sha256: facts.sha256.clone(),
                known: facts.known.clone(),
                safe_prime: facts.safe_prime.clone(),
                composite: facts.composite.clone(),
                public_reused: match fields.len() {
                    1 => Fact::unknown("seen in one connection alone"),
                    count => Fact::Known(publics.len() < count),
                },
            })
        });
        let unseen = users.iter().any(|accepted| accepted.field_bits.is_none());
        let trouble = unseen.then(|| Trouble::new(Reason::HandshakeRejected, "parameters of a suite were not sent"));
        let trouble = trouble.or_else(|| self.suites().1);
        (Dh { used: !users.is_empty(), parameters: parameters.collect() }, trouble)
    }

    /// `tls.certificates`.
    pub fn certificates(&self, server_name: &str, anchors: &Anchors, now: jiff::Timestamp) -> Data<Certificates> {
        let deployments = self.ledger.chains.values().map(|chain| {
            let protocols = chain.versions.iter().map(|version| version.name().to_owned()).collect();
            certificate::analyse(&chain.certificates, protocols, chain.staple.as_deref(), server_name, anchors, now)
        });
        let bare = |accepted: &&Accepted| {
            let row = registry::suite(accepted.suite, accepted.version == Version::Ssl2);
            let certified = row.is_some_and(|row| !matches!(row.auth.as_str(), "anon" | "PSK" | "SRP" | "KRB5"));
            certified && accepted.leaf.is_none() && accepted.version < Version::Tls13
        };
        let lacking = self.ledger.suites.iter().find(bare).map(|accepted| {
            let detail = format!("no certificate came with suite 0x{:04X}", accepted.suite);
            Trouble::new(Reason::HandshakeRejected, detail)
        });
        let data = Certificates {
            deployments: deployments.collect(),
            server_name: server_name.to_owned(),
            anchors: anchors.label(),
        };
        let trouble = self.look.unseen.first().cloned().or(lacking).or_else(|| self.protocols().1);
        (data, trouble)
    }

    /// `tls.features`.
    pub fn features(&self) -> Data<Features> {
        let legacy =
            self.ledger.versions().into_iter().any(|version| Version::Ssl2 < version && version < Version::Tls13);
        let ride = &self.ledger.ride;
        let word = |tally: Tally| match (legacy, tally) {
            (false, _) => Fact::Known("not-applicable".to_owned()),
            (true, Tally { yes: 0, no: 0 }) => Fact::unknown("no full hello was answered"),
            (true, Tally { yes: 0, .. }) => Fact::Known("no".to_owned()),
            (true, _) => Fact::Known("yes".to_owned()),
        };
        // The one bad answer counts here: a machine that lacks it can be reached.
        let renegotiation = match (legacy, ride.renegotiation) {
            (true, Tally { yes, no }) if yes > 0 && no > 0 => Fact::unknown("inconsistent answers"),
            (_, tally) => word(tally),
        };
        let modern = self.look.modern.is_some();
        let only_modern = || "with TLS 1.3 it is encrypted, and was not read";
        let flag = |tally: Tally| match tally {
            Tally { yes: 0, no: 0 } => Fact::unknown(only_modern()),
            Tally { yes, .. } => Fact::Known(yes > 0),
        };
        let cbc = legacy && (ride.encrypt_then_mac.yes + ride.encrypt_then_mac.no > 0 || self.has_cbc());
        let data = Features {
            legacy_handshake: legacy,
            secure_renegotiation: renegotiation,
            extended_master_secret: word(ride.master_secret),
            encrypt_then_mac: if cbc { word(ride.encrypt_then_mac) } else { Fact::Known("not-applicable".to_owned()) },
            session_tickets: word(ride.tickets),
            session_id: word(ride.session_id),
            heartbeat: word(ride.heartbeat),
            compression: match (legacy, ride.compression) {
                (true, Tally { yes: 0, no: 0 }) => Fact::unknown("compression was not offered"),
                (true, Tally { yes, .. }) if yes > 0 => Fact::Known("deflate".to_owned()),
                _ => Fact::Known("none".to_owned()),
            },
            alpn: self.alpn(),
            ocsp_stapling: self.stapling(),
            sct_extension: flag(ride.sct),
            client_certificate: flag(ride.request),
        };
        let trouble = if legacy || modern { None } else { self.protocols().1 };
        (data, trouble)
    }

    fn has_cbc(&self) -> bool {
        let cbc = |accepted: &Accepted| {
            accepted.version > Version::Ssl3
                && registry::suite(accepted.suite, false).is_some_and(|row| row.enc.ends_with("-CBC"))
        };
        self.ledger.suites.iter().any(cbc)
    }

    fn alpn(&self) -> Fact<String> {
        let words: BTreeSet<&String> = self.look.alpn.iter().chain(&self.ledger.ride.alpn).collect();
        match words.iter().find(|word| !word.is_empty()) {
            Some(word) => Fact::Known((**word).clone()),
            None if words.is_empty() => Fact::unknown("no hello with application protocols was answered"),
            None => Fact::Known("none".to_owned()),
        }
    }

    fn stapling(&self) -> Fact<String> {
        let stapled = self.ledger.chains.values().any(|chain| chain.staple.is_some());
        match (stapled, self.ledger.ride.staple.no > 0 || self.look.shown) {
            (true, _) => Fact::Known("yes".to_owned()),
            (false, true) => Fact::Known("no".to_owned()),
            (false, false) => Fact::unknown("no certificate was served to a hello that asked for a staple"),
        }
    }
}

/// What is known of a version.
enum Standing {
    Offered(String),
    Refused(Refusal),
    Unknown(Trouble),
}

fn least(one: Fact<u32>, other: Fact<u32>) -> Fact<u32> {
    match (one, other) {
        (Fact::Known(one), Fact::Known(other)) => Fact::Known(one.min(other)),
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Fact::Unknown(why),
    }
}

/// Block size in bits; 0 for stream ciphers and authenticated encryption. GOST 28147 and Magma have blocks of 64
/// bits in every mode.
fn block_bits(enc: &str) -> u32 {
    const SHORT: [&str; 7] = ["3DES", "DES", "IDEA", "RC2", "GOST28147", "MAGMA", "SKIPJACK"];
    match enc {
        _ if SHORT.iter().any(|name| enc.starts_with(name)) => 64,
        _ if enc.ends_with("-CBC") => 128,
        _ => 0,
    }
}

fn unregistered(accepted: &Accepted, id: String) -> Suite {
    Suite {
        protocol: accepted.version.name().to_owned(),
        name: id.clone(),
        id,
        openssl_name: String::new(),
        kx: String::new(),
        auth: String::new(),
        enc: String::new(),
        bits: 0,
        block_bits: 0,
        mac: String::new(),
        pfs: false,
        aead: false,
        export: false,
        class: "legacy".to_owned(),
        strength: Fact::unknown("a suite without an entry in the registry"),
        group: String::new(),
    }
}

/// The group of a certificate's curve.
pub fn curve_group(curve: &str) -> Option<u16> {
    let name = match curve {
        "P-192" => "secp192r1",
        "P-224" => "secp224r1",
        "P-256" => "secp256r1",
        "P-384" => "secp384r1",
        "P-521" => "secp521r1",
        other => other,
    };
    registry::group_by_name(name).map(|group| group.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_64_bits_are_told_from_others() {
        for enc in ["3DES-CBC", "DES-CBC", "DES40-CBC", "IDEA-CBC", "RC2-CBC", "GOST28147-CNT", "MAGMA-MGM"] {
            assert_eq!(block_bits(enc), 64, "{enc}");
        }
        for enc in ["AES-CBC", "CAMELLIA-CBC", "SEED-CBC"] {
            assert_eq!(block_bits(enc), 128, "{enc}");
        }
        for enc in ["AES-GCM", "CHACHA20-POLY1305", "RC4", "NULL", "AES-CCM-8"] {
            assert_eq!(block_bits(enc), 0, "{enc}");
        }
    }

    #[test]
    fn the_weaker_half_decides_and_an_unknown_half_spoils() {
        assert_eq!(least(Fact::Known(3072), Fact::Known(2048)), Fact::Known(2048));
        assert!(least(Fact::Known(3072), Fact::unknown("no")).known().is_none());
    }

    #[test]
    fn curves_have_groups() {
        assert_eq!(curve_group("P-256"), Some(0x0017));
        assert_eq!(curve_group("secp384r1"), Some(0x0018));
        assert_eq!(curve_group("none"), None);
    }
}
