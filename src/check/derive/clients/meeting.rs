//! The rules by which a client and a server come to a suite, or do not.
//!
//! What the server knows from the hello (suites, groups, signature schemes) decides what it may choose; what only the
//! client knows (the sizes of finite fields and the hashes of chains that it takes) is judged after the choice.

use super::server::Server;
use crate::catalogue::registry::{self, Client, GREASE};
use crate::model::Fact;
use crate::model::tls::{Deployment, Group, Suite};
use crate::wire::{Version, extension};

/// How a client and a server end.
pub enum End<'a> {
    /// With a suite.
    Connects {
        /// The suite.
        suite: &'a Suite,
        /// The group, or the size of the field; empty where neither is used.
        group: Fact<String>,
        /// Strength in RSA-equivalent bits.
        strength: Fact<u32>,
    },
    /// Without a connection: the cause, and the same in words.
    Fails(&'static str, String),
}

/// Newest first; SSLv2 has a hello of its own, which no client of the table sends.
const VERSIONS: [Version; 5] = [Version::Tls13, Version::Tls12, Version::Tls11, Version::Tls10, Version::Ssl3];

/// What comes of the hello of this client.
///
/// # Errors
/// With the reason, where a fact that decides it is not known.
pub fn meet<'a>(server: &'a Server, client: &Client) -> Result<End<'a>, String> {
    if !client.sends(extension::SERVER_NAME) {
        if let Some(why) = server.needs_name()? {
            return Ok(End::Fails("sni_needed", why.to_owned()));
        }
    } else if server.refuses_name() {
        return Ok(End::Fails("refused", "the server refuses the name asked for".to_owned()));
    }
    let Some(version) = version(server, client)? else {
        return Ok(End::Fails("no_version", "no version in common".to_owned()));
    };
    if !client.takes(version.code())? {
        return Ok(End::Fails("no_version", format!("the client does not go on with {}", version.name())));
    }
    let meeting = Meeting::new(server, client, version);
    let suite = match meeting.suite()? {
        Ok(suite) => suite,
        Err((failure, detail)) => return Ok(End::Fails(failure, detail)),
    };
    if let Some((failure, detail)) = meeting.refusal(suite)? {
        return Ok(End::Fails(failure, detail));
    }
    let (group, strength) = meeting.exchange(suite)?;
    Ok(End::Connects { suite, group, strength })
}

/// The newest version in common.
fn version(server: &Server, client: &Client) -> Result<Option<Version>, String> {
    for version in VERSIONS.into_iter().filter(|version| client.offers(version.code())) {
        if server.protocols.unknown.iter().any(|name| name == version.name()) {
            return Err(format!("whether {} is offered is not known", version.name()));
        }
        if server.offers(version) {
            return Ok(Some(version));
        }
    }
    Ok(None)
}

/// A client and a server that have agreed on a version.
struct Meeting<'a, 'b> {
    server: &'a Server,
    client: &'b Client,
    version: Version,
    /// The groups that both have, in the client's order, and why there may be more.
    groups: Result<(Vec<&'a Group>, Option<String>), String>,
    /// The certificates served, each with whether the client lists a scheme and a curve for its key.
    deployments: Result<Vec<(&'a Deployment, bool)>, String>,
}

/// The kind of suite that a client begins with. OpenSSL heeds the first, Go the second.
enum Wish {
    ChaCha,
    Gcm,
    Other,
}

type Failure = (&'static str, String);

impl<'a, 'b> Meeting<'a, 'b> {
    fn new(server: &'a Server, client: &'b Client, version: Version) -> Meeting<'a, 'b> {
        let groups = server.groups(version.name()).map(|(all, open)| {
            let ids = client.groups.iter().filter(|id| **id != GREASE).map(|id| format!("0x{id:04X}"));
            (ids.filter_map(|id| all.iter().copied().find(|group| group.id == id)).collect(), open)
        });
        let deployments = server.deployments(version.name()).map(|all| {
            let key = Keys { client, version };
            all.into_iter().map(|one| (one, key.verifies(one))).collect()
        });
        Meeting { server, client, version, groups, deployments }
    }

    fn modern(&self) -> bool {
        self.version == Version::Tls13
    }

    /// The suite that the server chooses.
    fn suite(&self) -> Result<Result<&'a Suite, Failure>, String> {
        let accepted = self.server.suites(self.version.name())?;
        let common: Vec<&Suite> = self.client.real_suites().filter_map(|id| find(&accepted, id)).collect();
        let mut usable = Vec::new();
        let mut obstacle = None;
        for suite in common.iter().copied() {
            match self.obstacle(suite)? {
                None => usable.push(suite),
                Some(why) => obstacle = obstacle.or(Some(why)),
            }
        }
        if usable.is_empty() {
            return Ok(Err(obstacle.unwrap_or_else(|| ("no_suite", "no suite in common".to_owned()))));
        }
        self.choice(&usable).map(Ok)
    }

    /// Among these, which are in the client's order.
    fn choice(&self, usable: &[&'a Suite]) -> Result<&'a Suite, String> {
        let first = *usable.first().ok_or("nothing to choose from")?;
        if usable.len() == 1 {
            return Ok(first);
        }
        let name = self.version.name();
        let order = self.server.order(name)?;
        // An order that was not settled as a whole may be known of all suites that count here.
        let apart = order.apart.iter().find(|ids| usable.iter().all(|suite| ids.contains(&suite.id)));
        let ids = apart.unwrap_or(&order.ids);
        let place = |suite: &&&Suite| ids.iter().position(|id| *id == suite.id).unwrap_or(usize::MAX);
        let preference = order.preference.known().map(String::as_str).or(apart.map(|_| "server"));
        match preference {
            Some("client") => {
                let auth = |word: &str| usable.iter().any(|suite| suite.auth == word);
                if !self.modern() && auth("RSA") && auth("ECDSA") && first.auth != "ECDSA" {
                    let reason = "the server has certificates of two kinds, and may choose among them before the suite";
                    return Err(reason.to_owned());
                }
                Ok(first)
            }
            Some("server") => {
                let own = usable.iter().min_by_key(place).copied().unwrap_or(first);
                let chacha: Vec<&Suite> = usable.iter().copied().filter(|suite| is_chacha(suite)).collect();
                let gcm = usable.iter().any(|suite| suite.enc == "AES-GCM");
                if chacha.is_empty() || (is_chacha(own) && !gcm) {
                    return Ok(own);
                }
                match (order.chacha_priority.known().map(String::as_str), self.first_wish()) {
                    (Some("no" | "not-applicable"), _) => Ok(own),
                    (Some("yes"), Wish::ChaCha) => Ok(chacha.iter().min_by_key(place).copied().unwrap_or(own)),
                    (Some("yes"), Wish::Gcm) => Ok(own),
                    (None, Wish::ChaCha) if is_chacha(own) => Ok(own),
                    (None, Wish::Gcm) if !is_chacha(own) => Ok(own),
                    _ => Err(format!("whether ChaCha20 has priority in {name} is not known")),
                }
            }
            Some("mixed") => Err(format!("neither side's order alone decides the suite of {name}")),
            _ => Err(format!("who chooses the suite of {name} is not known")),
        }
    }

    /// What the client wants first of all, whatever the version.
    fn first_wish(&self) -> Wish {
        let row = self.client.real_suites().next().and_then(|id| registry::suite(u32::from(id), false));
        match row.map(|row| row.enc.as_str()) {
            Some(enc) if enc.starts_with("CHACHA20") => Wish::ChaCha,
            Some("AES-GCM") => Wish::Gcm,
            _ => Wish::Other,
        }
    }

    /// Why the server cannot choose a suite that both have, if so.
    fn obstacle(&self, suite: &Suite) -> Result<Option<Failure>, String> {
        if self.modern() || suite.kx == "ECDHE" {
            let (common, open) = self.common_groups()?;
            if common.is_empty() && !self.client.groups.is_empty() {
                return match open {
                    Some(reason) => Err(reason.clone()),
                    None => Ok(Some(("no_suite", "no group in common".to_owned()))),
                };
            }
        }
        let fits = match suite.auth.as_str() {
            "RSA" | "ECDSA" => true,
            _ => self.modern(),
        };
        if !fits || !self.fitting(suite)?.is_empty() {
            return Ok(None);
        }
        Ok(Some(("cert_alg", "no certificate whose key the client can verify".to_owned())))
    }

    /// The certificates that the server may send with this suite.
    fn fitting(&self, suite: &Suite) -> Result<Vec<&'a Deployment>, String> {
        let deployments = self.deployments.as_ref().map_err(Clone::clone)?;
        let wanted = |one: &Deployment, verifies: bool| match (self.modern(), suite.auth.as_str()) {
            (true, _) => verifies,
            (false, "RSA") => {
                one.leaf.key_type == "RSA" && (suite.kx == "RSA" && one.leaf.curve.is_empty() || verifies)
            }
            (false, "ECDSA") => one.leaf.key_type != "RSA" && verifies,
            _ => false,
        };
        Ok(deployments.iter().filter(|(one, verifies)| wanted(one, *verifies)).map(|(one, _)| *one).collect())
    }

    /// What the client alone refuses: the size of the field, and the hashes of the chain.
    fn refusal(&self, suite: &Suite) -> Result<Option<Failure>, String> {
        if suite.kx == "DHE" {
            let mut ends = Vec::new();
            for bits in self.server.fields(self.version.name())? {
                ends.push(self.client.refuses_field(bits)?.map(|failure| (failure, format!("a field of {bits} bits"))));
            }
            ends.dedup();
            match ends.as_slice() {
                [None] => {}
                [only @ Some(_)] => return Ok(only.clone()),
                _ => return Err("the server has finite fields of several sizes, not all of which would do".to_owned()),
            }
        }
        if !self.modern() && !matches!(suite.auth.as_str(), "RSA" | "ECDSA") {
            return Ok(None);
        }
        let weak: Vec<bool> = self.fitting(suite)?.into_iter().map(is_weak).collect();
        match (weak.contains(&true), weak.contains(&false), self.client.requires_sha2_cert) {
            (false, ..) | (_, _, Some(false)) => Ok(None),
            (true, false, Some(true)) => Ok(Some(("cert_alg", "the chain is signed with SHA-1 or older".to_owned()))),
            _ => Err("whether the client takes the chain that is served, with SHA-1 in it, is not known".to_owned()),
        }
    }

    /// Group and strength of the key exchange.
    fn exchange(&self, suite: &Suite) -> Result<(Fact<String>, Fact<u32>), String> {
        if !self.modern() && suite.kx == "DHE" {
            let fields = self.server.fields(self.version.name())?;
            let bits = fields.iter().min().copied().ok_or("no finite field is known")?;
            let strength =
                self.key(suite).map_or_else(Fact::unknown, |key| Fact::Known(key.map_or(bits, |key| key.min(bits))));
            let group = match fields.as_slice() {
                [_] => Fact::Known(format!("dh-{bits}")),
                _ => Fact::unknown("the server has finite fields of several sizes"),
            };
            return Ok((group, strength));
        }
        if !self.modern() && suite.kx != "ECDHE" {
            return Ok((Fact::Known(String::new()), suite.strength.clone()));
        }
        Ok(match self.group()? {
            Ok(group) => {
                let bits = group.rsa_equiv_bits;
                let strength = self
                    .key(suite)
                    .map_or_else(Fact::unknown, |key| Fact::Known(key.map_or(bits, |key| key.min(bits))));
                (Fact::Known(group.name.clone()), strength)
            }
            Err(reason) => (Fact::unknown(reason), Fact::unknown(reason)),
        })
    }

    /// The weakest key that may be served; none for suites without a certificate.
    fn key(&self, suite: &Suite) -> Result<Option<u32>, String> {
        Ok(self.fitting(suite)?.into_iter().map(|one| one.leaf.key_strength).min())
    }

    fn common_groups(&self) -> Result<&(Vec<&'a Group>, Option<String>), String> {
        self.groups.as_ref().map_err(Clone::clone)
    }

    /// The group that a server with an order of its own likes best among these, where that is known. The loops of TLS 1.3
    /// leave the groups in its order; those of older versions show no more than what it likes best of all.
    fn favourite(&self, common: &[&'a Group]) -> Result<Option<&'a Group>, String> {
        let (all, _) = self.server.groups(self.version.name())?;
        let known = if self.modern() { all.len() } else { 1 };
        let mut liked = all.iter().take(known);
        Ok(liked.find_map(|group| common.iter().copied().find(|other| other.id == group.id)))
    }

    /// The group that the server chooses, or why that is not known.
    fn group(&self) -> Result<Result<&'a Group, &'static str>, String> {
        let groups = self.server.groups.as_ref().map_err(Clone::clone)?;
        if groups.ignores_list {
            return Ok(Err("the server does not heed the list of groups"));
        }
        let (common, open) = self.common_groups()?;
        if open.is_some() {
            return Ok(Err("not all groups of the server are known"));
        }
        let Some(first) = common.first().copied() else { return Ok(Err("the client names no groups")) };
        // Who chooses is asked with the newest version alone, and OpenSSL 3.0 does it otherwise with older ones.
        let asked = self.modern() || !self.server.offers(Version::Tls13);
        let order = groups.order.known().filter(|_| asked).map(String::as_str);
        let own = self.favourite(common)?;
        let wanted = match (order, own) {
            _ if common.len() == 1 => first,
            (_, Some(own)) if own.id == first.id => first,
            (Some("client"), _) => first,
            (Some("server"), Some(own)) => own,
            (Some("server"), None) => return Ok(Err("the server's order of groups is not known")),
            _ => return Ok(Err("who chooses the group is not known")),
        };
        // A server may rather take a share that was sent than ask for another.
        let shared = self.client.shares.iter().map(|id| format!("0x{id:04X}"));
        let shared: Vec<&Group> = shared.filter_map(|id| common.iter().copied().find(|group| group.id == id)).collect();
        let sent = shared.first().is_none_or(|share| share.id == wanted.id);
        Ok(match sent || !self.modern() {
            true => Ok(wanted),
            false => Err("the server may prefer a group of which the client sent a share"),
        })
    }
}

/// Which keys a client can verify with a version.
struct Keys<'b> {
    client: &'b Client,
    version: Version,
}

impl Keys<'_> {
    /// Whether the client lists a signature scheme, and a curve, for this key.
    fn verifies(&self, one: &Deployment) -> bool {
        let modern = self.version == Version::Tls13;
        let leaf = &one.leaf;
        let curve = curve_group(&leaf.curve);
        if self.version < Version::Tls12 || self.client.schemes.is_empty() {
            return !modern && curve.is_none_or(|curve| self.has_group(curve));
        }
        let schemes = self.client.schemes.iter().filter_map(|id| registry::scheme(*id)).collect::<Vec<_>>();
        let named = |wanted: &str| schemes.iter().any(|scheme| scheme.name == wanted);
        let starts = |start: &str| schemes.iter().any(|scheme| scheme.name.starts_with(start));
        match (leaf.key_type.as_str(), modern) {
            ("RSA", _) if leaf.curve == "RSASSA-PSS" => starts("rsa_pss_pss"),
            ("RSA", true) => starts("rsa_pss_rsae"),
            ("RSA", false) => starts("rsa_pss_rsae") || starts("rsa_pkcs1"),
            ("EC", true) => match leaf.curve.as_str() {
                "P-256" => named("ecdsa_secp256r1_sha256"),
                "P-384" => named("ecdsa_secp384r1_sha384"),
                "P-521" => named("ecdsa_secp521r1_sha512"),
                _ => false,
            },
            ("EC", false) => starts("ecdsa_") && curve.is_none_or(|curve| self.has_group(curve)),
            ("Ed25519", _) => named("ed25519"),
            ("Ed448", _) => named("ed448"),
            ("ML-DSA", true) => starts("mldsa"),
            _ => false,
        }
    }

    /// A client that names no groups takes every curve of its library.
    fn has_group(&self, group: u16) -> bool {
        self.client.groups.is_empty() || self.client.groups.contains(&group)
    }
}

fn find<'a>(suites: &[&'a Suite], id: u16) -> Option<&'a Suite> {
    let id = format!("0x{id:04X}");
    suites.iter().copied().find(|suite| suite.id == id)
}

fn is_chacha(suite: &Suite) -> bool {
    suite.enc.starts_with("CHACHA20")
}

/// The chain has a signature with SHA-1 or older on it. That of a root is never looked at.
fn is_weak(one: &Deployment) -> bool {
    one.chain.iter().enumerate().any(|(n, link)| {
        (n == 0 || link.subject != link.issuer)
            && matches!(link.signature_hash.as_str(), "sha1" | "md5" | "md4" | "md2")
    })
}

fn curve_group(curve: &str) -> Option<u16> {
    let name = match curve {
        "P-256" => "secp256r1",
        "P-384" => "secp384r1",
        "P-521" => "secp521r1",
        other => other,
    };
    registry::group_by_name(name).map(|group| group.id)
}
