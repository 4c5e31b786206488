//! What every answer of a target showed, gathered while the loops run.

use super::offer::Offer;
use super::plan;
use crate::model::digest;
use crate::wire::key_exchange::Params;
use crate::wire::{ServerFlight, Version, extension};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen so far.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Each accepted pair of version and suite, in the order of discovery.
    pub suites: Vec<Accepted>,
    /// The chains, by the SHA-256 of their leaf.
    pub chains: BTreeMap<String, Chain>,
    /// The finite-field parameters.
    pub fields: Vec<Field>,
    /// The server's points on curves: how many came, and the digest of each.
    pub points: (u32, BTreeSet<String>),
    /// The temporary RSA keys: version, suite and bits.
    pub temporary: BTreeSet<(Version, u16, u32)>,
    /// The groups, with the versions they were chosen with.
    pub groups: BTreeMap<u16, BTreeSet<Version>>,
    /// The server chose a group that was not offered.
    pub ignores_groups: bool,
    /// Old versions that answered once, and differently when asked again.
    pub doubted: BTreeSet<Version>,
    /// What rode along with answers of TLS 1.2 and older.
    pub ride: Ride,
    /// The signature schemes of key exchanges (TLS 1.2) and of handshakes (TLS 1.3).
    pub schemes: BTreeSet<(Version, u16)>,
    /// Answers to what was not asked: the name of the fault, and what was seen first.
    pub faults: BTreeMap<&'static str, String>,
    /// Hellos that were not answered with what they offer first.
    pub refused: Vec<Refused>,
}

/// A hello that was not answered with its newest version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// That version.
    pub version: Version,
    /// What was offered.
    pub suites: Vec<u16>,
    /// The number of the exchange in the transcript.
    pub connection: u32,
}

/// An accepted pair of version and suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The version.
    pub version: Version,
    /// The suite; three bytes for SSLv2.
    pub suite: u32,
    /// It uses a group, not a finite field of the server's own or a static key.
    pub curve: bool,
    /// The group chosen when all were offered.
    pub group: Option<u16>,
    /// The smallest finite field seen with it: its bits.
    pub field_bits: Option<u32>,
    /// SHA-256 of the leaf that came with it.
    pub leaf: Option<String>,
}

/// A chain as served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The certificates, leaf first.
    pub certificates: Vec<Vec<u8>>,
    /// The OCSP response.
    pub staple: Option<Vec<u8>>,
    /// The versions it was served with.
    pub versions: BTreeSet<Version>,
    /// The signed certificate timestamps that came with it in clear.
    pub timestamps: Option<Vec<u8>>,
}

/// Finite-field parameters of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The version.
    pub version: Version,
    /// The suite is an export suite.
    pub export: bool,
    /// The suite.
    pub suite: u16,
    /// The hello named finite-field groups.
    pub named: bool,
    /// The modulus.
    pub p: Vec<u8>,
    /// The generator.
    pub g: Vec<u8>,
    /// The server's public value.
    pub public: Vec<u8>,
}

/// How often something was answered, and how often it was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answered.
    pub yes: u32,
    /// Not answered.
    pub no: u32,
    /// The first exchange in which it was not, by its number in the transcript.
    pub no_at: Option<u32>,
}

impl Tally {
    fn note(&mut self, yes: bool, connection: u32) {
        match yes {
            true => self.yes += 1,
            false => {
                self.no += 1;
                self.no_at = self.no_at.or(Some(connection));
            }
        }
    }
}

/// Facts that ride along for nothing.
#[derive(Clone, Debug, Default)]
pub struct Ride {
    /// renegotiation_info.
    pub renegotiation: Tally,
    /// extended_master_secret.
    pub master_secret: Tally,
    /// encrypt_then_mac, with CBC suites.
    pub encrypt_then_mac: Tally,
    /// session_ticket.
    pub tickets: Tally,
    /// A session id was issued.
    pub session_id: Tally,
    /// heartbeat.
    pub heartbeat: Tally,
    /// truncated_hmac.
    pub truncated: Tally,
    /// A staple came.
    pub staple: Tally,
    /// signed_certificate_timestamp.
    pub sct: Tally,
    /// CertificateRequest.
    pub request: Tally,
    /// Compression was chosen where it was offered.
    pub compression: Tally,
    /// The method that was chosen last, or 0.
    pub method: u8,
    /// A mark of a downgrade.
    pub sentinel: Tally,
    /// The application protocols chosen; an empty one where none was.
    pub alpn: BTreeSet<String>,
    /// An application protocol was chosen.
    pub chosen: Tally,
}

impl Ledger {
    /// Notes that a hello was not answered with its newest version.
    pub fn note_refusal(&mut self, version: Version, suites: &[u16], connection: u32) {
        self.refused.push(Refused { version, suites: suites.to_vec(), connection });
    }

    /// Notes an answer. Nothing of it is judged.
    pub fn note(&mut self, offer: &Offer, minimal: bool, flight: &ServerFlight, connection: u32) {
        let Some(version) = Version::from_code(flight.hello.negotiated()) else { return };
        if version < offer.version {
            let of_version = |id: &&u16| offer.version < Version::Tls13 || **id >> 8 == 0x13;
            let suites: Vec<u16> = offer.suites.iter().filter(of_version).copied().collect();
            self.note_refusal(offer.version, &suites, connection);
        }
        let leaf = self.note_chain(version, flight);
        let (group, field_bits) = self.note_exchange(version, offer, flight);
        let suite = u32::from(flight.hello.suite);
        let curve = group.is_some();
        let all = plan::groups(version).iter().all(|id| plan::is_field(*id) || offer.groups.contains(id));
        let group = group.filter(|_| all);
        self.accept(Accepted { version, suite, curve, group, field_bits, leaf });
        if version < Version::Tls13 {
            self.ride.note(offer, minimal || offer.minimal, flight, connection);
        }
    }

    /// Notes an accepted pair. The first one counts, except that the smallest field does.
    pub fn accept(&mut self, accepted: Accepted) {
        let known =
            self.suites.iter_mut().find(|known| (known.version, known.suite) == (accepted.version, accepted.suite));
        match known {
            None => {
                // Where groups had been taken away, the group is that of the first answer with the same certificate.
                let same = |known: &&Accepted| known.version == accepted.version && known.leaf == accepted.leaf;
                let first = self.suites.iter().filter(same).find_map(|known| known.group);
                let group = if accepted.curve { accepted.group.or(first) } else { None };
                self.suites.push(Accepted { group, ..accepted });
            }
            Some(known) => {
                known.field_bits = match (known.field_bits, accepted.field_bits) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
                known.leaf = known.leaf.take().or(accepted.leaf);
                known.curve |= accepted.curve;
                known.group = known.group.or(accepted.group);
            }
        }
    }

    /// Notes a chain.
    pub fn note_certificates(
        &mut self,
        version: Version,
        certificates: &[Vec<u8>],
        staple: Option<&Vec<u8>>,
    ) -> Option<String> {
        let leaf = digest::sha256(certificates.first()?);
        let chain = self.chains.entry(leaf.clone()).or_default();
        chain.versions.insert(version);
        if chain.certificates.len() < certificates.len() {
            chain.certificates = certificates.to_vec();
        }
        if chain.staple.is_none() {
            chain.staple = staple.cloned();
        }
        Some(leaf)
    }

    /// The suites accepted with this version, in the order of discovery.
    pub fn accepted(&self, version: Version) -> Vec<u16> {
        let of_version = self.suites.iter().filter(|accepted| accepted.version == version);
        of_version.filter_map(|accepted| u16::try_from(accepted.suite).ok()).collect()
    }

    /// The groups chosen with this version.
    pub fn groups_of(&self, version: Version) -> Vec<u16> {
        self.groups.iter().filter(|(_, versions)| versions.contains(&version)).map(|(group, _)| *group).collect()
    }

    /// The versions with an accepted suite, oldest first.
    pub fn versions(&self) -> BTreeSet<Version> {
        self.suites.iter().map(|accepted| accepted.version).collect()
    }

    fn note_chain(&mut self, version: Version, flight: &ServerFlight) -> Option<String> {
        let leaf = self.note_certificates(version, &flight.chain, flight.staple.as_ref())?;
        if let (Some(list), Some(chain)) = (flight.hello.extension(extension::SCT), self.chains.get_mut(&leaf)) {
            chain.timestamps = chain.timestamps.take().or_else(|| Some(list.to_vec()));
        }
        Some(leaf)
    }

    fn note_exchange(&mut self, version: Version, offer: &Offer, flight: &ServerFlight) -> (Option<u16>, Option<u32>) {
        if let Some(scheme) = flight.key_exchange.as_ref().and_then(|exchange| exchange.scheme) {
            self.schemes.insert((version, scheme));
        }
        if let Some(group) = flight.hello.group() {
            self.note_group(version, offer, group);
            return (Some(group), None);
        }
        match flight.key_exchange.as_ref().map(|exchange| &exchange.params) {
            Some(Params::Curve { group, point }) => {
                self.points.0 += 1;
                self.points.1.insert(digest::sha256(point));
                self.note_group(version, offer, *group);
                (Some(*group), None)
            }
            Some(Params::Field { p, g, public }) => {
                let suite = flight.hello.suite;
                self.fields.push(Field {
                    version,
                    export: plan::suite(suite).is_some_and(|row| row.export),
                    suite,
                    named: offer.groups.iter().any(|group| plan::is_field(*group)),
                    p: p.clone(),
                    g: g.clone(),
                    public: public.clone(),
                });
                (None, Some(crate::wire::key_exchange::bit_length(p)))
            }
            Some(Params::Rsa { modulus, .. }) => {
                let bits = crate::wire::key_exchange::bit_length(modulus);
                self.temporary.insert((version, flight.hello.suite, bits));
                (None, None)
            }
            _ => (None, None),
        }
    }

    fn note_group(&mut self, version: Version, offer: &Offer, group: u16) {
        // SSLv3 hellos cannot offer groups.
        if version > Version::Ssl3 && !offer.groups.contains(&group) {
            self.ignores_groups = true;
        }
        self.groups.entry(group).or_default().insert(version);
    }
}

impl Ride {
    fn note(&mut self, offer: &Offer, minimal: bool, flight: &ServerFlight, connection: u32) {
        let hello = &flight.hello;
        let answered = |kind| hello.extension(kind).is_some();
        // A hello that takes no tickets may be given an id where another is not.
        if !minimal || offer.version == Version::Ssl3 {
            self.session_id.note(!hello.session_id.is_empty(), connection);
        }
        if offer.compression {
            self.compression.note(hello.compression != 0, connection);
            if hello.compression != 0 {
                self.method = hello.compression;
            }
        }
        self.sentinel.note(hello.marks_downgrade(), connection);
        if flight.complete {
            self.request.note(flight.request.is_some(), connection);
        }
        // SSLv3 signals it by a suite value, all others by the extension; a minimal hello has neither.
        if offer.version == Version::Ssl3 || !minimal {
            self.renegotiation.note(answered(extension::RENEGOTIATION_INFO), connection);
        }
        if minimal || offer.version == Version::Ssl3 {
            return;
        }
        self.master_secret.note(answered(extension::EXTENDED_MASTER_SECRET), connection);
        self.tickets.note(answered(extension::SESSION_TICKET), connection);
        self.heartbeat.note(answered(extension::HEARTBEAT), connection);
        self.truncated.note(answered(extension::TRUNCATED_HMAC), connection);
        self.sct.note(answered(extension::SCT), connection);
        if plan::suite(hello.suite).is_some_and(|row| row.enc.ends_with("-CBC")) {
            self.encrypt_then_mac.note(answered(extension::ENCRYPT_THEN_MAC), connection);
        }
        if flight.complete && !flight.chain.is_empty() {
            self.staple.note(flight.staple.is_some(), connection);
        }
        self.alpn.insert(hello.alpn().unwrap_or_default());
        self.chosen.note(hello.alpn().is_some(), connection);
    }
}
