//! From what was seen to the data of the observation kinds.

use super::address::Look;
use super::certificate::{self, Anchors, KeyFacts, KnownKeys, LogList, Sources};
use super::ledger::{Accepted, Ledger, Tally};
use super::prime::{self, PrimeFacts};
use super::prober::Refusal;
use super::revocation::Deployed;
use super::strength;
use super::suites::{End, VersionSuites};
use crate::catalogue::registry;
use crate::model::tls::{
    Certificates, Dh, DhParameters, Group, Groups, Incomplete, Offered, Order, Proof, Protocols, Suite, Suites,
};
use crate::model::transparency::Transparency;
use crate::model::{Fact, Reason, Trouble, digest};
use crate::wire::Version;
use num_bigint::BigUint;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was seen of an address, and what is computed from it once.
pub struct Facts {
    pub(super) look: Look,
    pub(super) ledger: Ledger,
    pub(super) keys: BTreeMap<String, KeyFacts>,
    pub(super) primes: BTreeMap<Vec<u8>, PrimeFacts>,
    /// Why nothing follows from silence, if so.
    pub(super) doubt: Option<Trouble>,
    /// The exchanges of each step, by their numbers in the transcript.
    pub(super) steps: BTreeMap<String, Vec<u32>>,
}

/// The versions that finite fields are seen in clear with.
pub(super) const OLDER: [Version; 4] = [Version::Ssl3, Version::Tls10, Version::Tls11, Version::Tls12];

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
        Facts { look, ledger, keys, primes, doubt: None, steps: BTreeMap::new() }
    }

    /// Why suites of a version may not be known.
    pub(super) fn open(&self, version: Version) -> Option<Trouble> {
        let of = match version {
            Version::Ssl2 => &self.look.ssl2.version,
            _ => self.look.versions.get(&version)?,
        };
        let inferred = of.refusal.as_ref().is_some_and(|refusal| !refusal.proven)
            || of.lists.iter().any(|list| list.end.is_inferred());
        of.trouble.clone().or_else(|| self.doubt.clone().filter(|_| inferred))
    }

    /// The first of these versions whose suites may not all be known, and why.
    pub(super) fn open_of(&self, versions: &[Version]) -> Option<Trouble> {
        versions.iter().find_map(|version| self.open(*version))
    }

    /// Why certificates may not be known.
    pub(super) fn certificates_open(&self) -> Option<Trouble> {
        let inferred = || self.doubt.clone().filter(|_| self.look.absent_inferred);
        self.look.unseen.first().cloned().or_else(inferred).or_else(|| self.open_of(&Version::ALL))
    }

    /// `tls.protocols`.
    pub fn protocols(&self) -> Data<Protocols> {
        let mut data = Protocols {
            offered: Vec::new(),
            refused: Vec::new(),
            unknown: Vec::new(),
            proofs: Vec::new(),
            fallback_scsv: self.fallback(),
            downgrade_sentinel: self.sentinel(),
            ssl2_without_kinds: self.look.ssl2.without_kinds,
            connections: BTreeMap::new(),
        };
        data.connections = self.of_protocols(&data.fallback_scsv, &data.downgrade_sentinel);
        let mut trouble = None;
        for version in Version::ALL {
            let name = version.name().to_owned();
            let mut connections = Vec::new();
            let (answer, confidence, seen) = match self.standing(version) {
                Standing::Offered(seen) => ("offered", "proven", seen),
                Standing::Refused(refusal) => {
                    connections = self.of_refusal(version, refusal.proven);
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
            let (answer, confidence) = (answer.to_owned(), confidence.to_owned());
            data.proofs.push(Proof { name, answer, confidence, seen, connections });
        }
        (data, trouble)
    }

    pub(super) fn standing(&self, version: Version) -> Standing {
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
            Some(VersionSuites { refusal: Some(refusal), .. }) => match &self.doubt {
                Some(doubt) if !refusal.proven => Standing::Unknown(doubt.clone()),
                _ => Standing::Refused(refusal.clone()),
            },
            Some(VersionSuites { trouble: Some(trouble), .. }) => Standing::Unknown(trouble.clone()),
            _ => Standing::Unknown(Trouble::new(Reason::Internal, "not asked")),
        }
    }

    /// TLS 1.2 or older is offered.
    pub(super) fn offers_older(&self) -> bool {
        OLDER.into_iter().any(|version| matches!(self.standing(version), Standing::Offered(_)))
    }

    /// Why it is not known whether TLS 1.2 or older is offered, where none is known to be.
    pub(super) fn open_older(&self) -> Option<Trouble> {
        OLDER.into_iter().find_map(|version| match self.standing(version) {
            Standing::Unknown(trouble) => Some(trouble),
            _ => None,
        })
    }

    /// Why it is not known of some version whether it is offered.
    pub(super) fn undecided(&self) -> Option<Trouble> {
        let standings = Version::ALL.into_iter().filter(|version| *version != Version::Ssl2);
        standings.map(|version| self.standing(version)).find_map(|standing| match standing {
            Standing::Unknown(trouble) => Some(trouble),
            _ => None,
        })
    }

    fn fallback(&self) -> Fact<String> {
        let doubt = match self.look.fallback.known().map(String::as_str) {
            Some("not-applicable") => self.undecided(),
            Some(_) if self.look.fallback_inferred => self.doubt.clone(),
            _ => None,
        };
        doubt.map_or_else(|| self.look.fallback.clone(), |trouble| Fact::unknown(trouble.detail))
    }

    fn sentinel(&self) -> Fact<String> {
        let word = match (self.standing(Version::Tls13), self.ledger.ride.sentinel) {
            (Standing::Refused(_), _) => "not-applicable",
            (Standing::Offered(_), Tally { yes: 0, no: 0, .. }) => match self.open_older() {
                Some(trouble) => return Fact::unknown(trouble.detail),
                None => "not-applicable",
            },
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
        let (incomplete, trouble) = self.incomplete();
        (Suites { suites, order: self.orders(), incomplete, refused: self.refused_suites() }, trouble)
    }

    /// The orders, oldest version first. In SSLv2 the client chooses, by its rules.
    fn orders(&self) -> Vec<Order> {
        let kinds: Vec<&Accepted> =
            self.ledger.suites.iter().filter(|accepted| accepted.version == Version::Ssl2).collect();
        let ssl2 = (!kinds.is_empty()).then(|| Order {
            protocol: Version::Ssl2.name().to_owned(),
            preference: Fact::Known(if kinds.len() == 1 { "single" } else { "client" }.to_owned()),
            ids: kinds.iter().map(|accepted| format!("0x{:06X}", accepted.suite)).collect(),
            chacha_priority: Fact::Known("not-applicable".to_owned()),
            apart: Vec::new(),
        });
        let mut orders: Vec<Order> = ssl2.into_iter().chain(self.look.orders.iter().cloned()).collect();
        for order in &mut orders {
            if let Some(trouble) = Version::from_name(&order.protocol).and_then(|version| self.open(version)) {
                unsettle(order, &trouble);
            }
        }
        orders.sort_by_key(|order| Version::from_name(&order.protocol));
        orders
    }

    fn incomplete(&self) -> (Vec<Incomplete>, Option<Trouble>) {
        let all = Version::ALL.into_iter();
        let cut: Vec<(Version, Trouble)> = all.filter_map(|version| Some((version, self.open(version)?))).collect();
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
            block_bits: strength::block_bits(&row.enc),
            mac: row.mac.clone(),
            pfs: row.pfs,
            aead: row.aead,
            export: row.export,
            class: row.class.clone(),
            strength: self.strength(accepted, row),
            group: self.group_name(accepted),
        }
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
                End::Refused(_) if end.is_inferred() => Some((version, self.doubt.clone()?)),
                End::Refused(_) => None,
            })
            .collect();
        // A version whose suites are not all known may have groups of its own.
        let open = self.look.versions.keys().filter(|version| **version > Version::Ssl3);
        let open = open.filter_map(|version| Some((*version, self.open(*version)?)));
        // A key exchange of which no parameters came had a group all the same.
        let unseen = self.ledger.suites.iter().filter(|accepted| !accepted.curve).filter_map(|accepted| {
            let row = registry::suite(accepted.suite, accepted.version == Version::Ssl2)?;
            let detail = format!("no group came with suite 0x{:04X}", accepted.suite);
            (accepted.version == Version::Tls13 || row.kx == "ECDHE")
                .then(|| (accepted.version, Trouble::new(Reason::HandshakeRejected, detail)))
        });
        let cut: Vec<(Version, Trouble)> = cut.into_iter().chain(open).chain(unseen).collect();
        let trouble = cut.first().map(|(_, trouble)| trouble.clone());
        let incomplete = cut
            .into_iter()
            .map(|(version, trouble)| Incomplete { protocol: version.name().to_owned(), reason: trouble.to_string() })
            .collect();
        let point_reused = match &self.ledger.points {
            (0 | 1, _) => Fact::unknown("fewer than two points were seen with TLS 1.2 or older"),
            (count, distinct) => Fact::Known(distinct.len() < usize::try_from(*count).unwrap_or(usize::MAX)),
        };
        // A choice against our order shows the server's; all else may be due to what was not seen.
        let order = match (&trouble, self.look.group_order.known().map(String::as_str)) {
            (Some(trouble), Some(word)) if word != "server" => Fact::unknown(trouble.detail.clone()),
            _ => self.look.group_order.clone(),
        };
        let groups = Groups { groups, order, incomplete, ignores_list: self.ledger.ignores_groups, point_reused };
        (groups, trouble)
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
                generator: digest::hex(&fields.first()?.g),
                degenerate: publics.iter().any(|public| is_degenerate(public, p)),
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
        let used = match (users.is_empty(), self.open_of(&OLDER)) {
            (true, Some(trouble)) => Fact::unknown(trouble.detail),
            (empty, _) => Fact::Known(!empty),
        };
        let dh = Dh { used, parameters: parameters.collect(), named_groups: Fact::default(), named_seen: Vec::new() };
        (dh, trouble)
    }

    /// `tls.ct`, of deployments whose trust has been judged.
    pub fn transparency(
        &self,
        certificates: &Certificates,
        anchors: &Anchors,
        logs: Result<&LogList, &str>,
        now: jiff::Timestamp,
    ) -> Data<Transparency> {
        let deployments = certificates.deployments.iter().filter_map(|deployment| {
            let chain = self.ledger.chains.get(&deployment.id)?;
            let public = match &deployment.trust {
                Fact::Known(word) => Fact::Known(word == "trusted" && !deployment.private_anchor),
                Fact::Unknown(why) => Fact::Unknown(why.clone()),
            };
            let sources = Sources {
                chain: &chain.certificates,
                staple: chain.staple.as_deref(),
                handshake: chain.timestamps.as_deref(),
                handshake_read: chain.versions.iter().any(|version| *version < Version::Tls13),
            };
            Some(certificate::transparency(&sources, public, anchors, logs, now))
        });
        let log_list = match logs {
            Ok(logs) => Fact::Known(logs.date.to_string()),
            Err(why) => Fact::unknown(why),
        };
        let looked = !matches!(logs, Err(why) if why.starts_with("log_list_absent"));
        (Transparency { deployments: deployments.collect(), looked, log_list }, None)
    }

    /// The certificates whose revocation is a question, by deployment.
    pub fn deployed(&self, anchors: &Anchors, now: jiff::Timestamp) -> Vec<Deployed> {
        let of = |(id, chain): (&String, &super::ledger::Chain)| Deployed {
            id: id.clone(),
            staple: chain.staple.clone(),
            questioned: certificate::questioned(&chain.certificates, anchors, now).into_iter().map(Arc::new).collect(),
        };
        self.ledger.chains.iter().map(of).collect()
    }

    /// `tls.certificates`.
    pub fn certificates(
        &self,
        server_name: &str,
        anchors: &Anchors,
        keys: Option<&KnownKeys>,
        now: jiff::Timestamp,
    ) -> Data<Certificates> {
        let deployments = self.ledger.chains.values().map(|chain| {
            let protocols = chain.versions.iter().map(|version| version.name().to_owned()).collect();
            let staple = chain.staple.as_deref();
            let mut seen = certificate::analyse(&chain.certificates, protocols, staple, server_name, anchors, now);
            if let (Some(keys), Some(leaf)) = (keys, chain.certificates.first()) {
                seen.leaf.known_key = certificate::known_key(leaf, keys);
            }
            seen
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
            server_name_refused: self.look.name_refused,
            anchors: anchors.label(),
            known_keys: keys.is_some(),
        };
        let trouble = self.look.unseen.first().cloned().or(lacking).or_else(|| self.suites().1);
        (data, trouble)
    }
}

/// Whether a public value, without leading zeros, is 0, 1 or p − 1.
fn is_degenerate(public: &[u8], p: &[u8]) -> bool {
    let public = BigUint::from_bytes_be(public);
    public < BigUint::from(2_u32) || public + 1_u32 == BigUint::from_bytes_be(p)
}

/// What is known of a version.
pub(super) enum Standing {
    /// Offered, and what shows it.
    Offered(String),
    /// Refused.
    Refused(Refusal),
    /// Neither is known.
    Unknown(Trouble),
}

/// What an order loses where suites of the version may not be known.
fn unsettle(order: &mut Order, trouble: &Trouble) {
    let unknown = || Fact::unknown(trouble.detail.clone());
    // A choice against our order shows the server's; all else may be due to what was not seen.
    if order.preference.known().is_some_and(|word| word != "server") {
        order.preference = unknown();
    }
    if order.chacha_priority.known().is_some_and(|word| word != "yes") {
        order.chacha_priority = unknown();
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
    fn a_public_value_that_everybody_knows_is_degenerate() {
        let p = [0xFF, 0xFF, 0x01];
        for public in [&[][..], &[1], &[0xFF, 0xFF, 0x00]] {
            assert!(is_degenerate(public, &p), "{public:?}");
        }
        assert!(!is_degenerate(&[2], &p) && !is_degenerate(&[0xFF, 0xFE, 0xFF], &p));
    }

    #[test]
    fn curves_have_groups() {
        assert_eq!(curve_group("P-256"), Some(0x0017));
        assert_eq!(curve_group("secp384r1"), Some(0x0018));
        assert_eq!(curve_group("none"), None);
    }
}
