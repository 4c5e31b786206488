//! A known endpoint, asked with a few hellos whether it still answers as it did. Compares, and claims no more.

use super::handshake::{self, Ask, Versions};
use super::key_kind::{KeyKind, schemes_of};
use super::offer::Offer;
use super::plan;
use super::prober::{Answer, Prober};
use super::{ID, upgrade_of};
use crate::collect::{CollectContext, Collecting, Collector, Job};
use crate::model::observation::ObservationStatus;
use crate::model::tls::{Certificates, Protocols, Suites};
use crate::model::tls_reverification::{Question, Reverification};
use crate::model::{Fact, Observation, Reason, Target, Trouble, digest};
use crate::net::Budget;
use crate::wire::Version;
use futures_util::future::join_all;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const KIND: &str = "tls.reverification";
/// The most suites of one hello (tls-probing 2.2).
const SUITES: usize = 120;
const HANDSHAKE: Duration = Duration::from_secs(15);

/// Compares what a TLS server answers now with what a full look saw.
pub struct Reverify;

impl Collector for Reverify {
    fn id(&self) -> &'static str {
        ID
    }

    fn accepts(&self, target: &Target) -> bool {
        super::Tls.accepts(target)
    }

    fn yields(&self) -> &'static [&'static str] {
        &[KIND]
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let budget = Budget::new(Arc::clone(&cx.dial), cx.limits.connections, cx.limits.target_time);
            let looks = job.addresses.iter().map(|address| one(job, *address, cx, &budget));
            join_all(looks).await
        })
    }
}

async fn one(job: &Job, address: SocketAddr, cx: &CollectContext, budget: &Budget) -> Observation {
    let (target, part) = (&job.target, address.to_string());
    let failed = |trouble| Observation::failed(KIND, &target.id, &part, ID, cx.clock.now(), trouble);
    let (known, upgrade) = match (Known::of(&job.earlier, &part), upgrade_of(target)) {
        (Ok(known), Ok(upgrade)) => (known, upgrade),
        (Err(trouble), _) | (_, Err(trouble)) => return failed(trouble),
    };
    let name = target.connection.server_name.clone().unwrap_or_else(|| target.connection.host.clone());
    let prober = Prober::new(cx, budget, &target.id, address, upgrade, name.clone());
    let questions = known.ask(&prober, &name).await;
    let unchanged = match questions.iter().find_map(|question| question.same.reason()) {
        _ if questions.iter().any(|question| question.same == Fact::Known(false)) => Fact::Known(false),
        Some(reason) => Fact::unknown(reason),
        None => Fact::Known(true),
    };
    let data = Reverification {
        seen: known.seen.to_string(),
        basis: known.basis.clone(),
        connections: u32::try_from(prober.transcript().len()).unwrap_or(u32::MAX),
        questions,
        unchanged,
    };
    match Observation::complete(KIND, &target.id, &part, ID, cx.clock.now(), &data) {
        Ok(observation) => observation.with_transcript(prober.transcript()),
        Err(error) => failed(Trouble::new(Reason::Internal, error.to_string())),
    }
}

/// What a full look saw of an address.
struct Known {
    seen: jiff::Timestamp,
    basis: Vec<String>,
    protocols: Protocols,
    suites: Suites,
    certificates: Certificates,
}

impl Known {
    fn of(earlier: &[Observation], part: &str) -> Result<Known, Trouble> {
        let mut basis = Vec::new();
        let mut of = |kind: &str| {
            let found = earlier
                .iter()
                .find(|seen| seen.kind == kind && seen.part == part && seen.status == ObservationStatus::Complete);
            let found = found.ok_or_else(|| {
                let detail = format!("no full look at {part} is known that gave {kind} whole");
                Trouble::new(Reason::Unsupported, detail)
            })?;
            basis.push(found.id.clone());
            Ok(found)
        };
        let form = |error: serde_json::Error| Trouble::new(Reason::Internal, error.to_string());
        let protocols = of("tls.protocols")?;
        let seen = protocols.collected;
        let protocols = protocols.read().map_err(form)?;
        let suites = of("tls.suites")?.read().map_err(form)?;
        let certificates = of("tls.certificates")?.read().map_err(form)?;
        Ok(Known { seen, basis, protocols, suites, certificates })
    }

    /// The questions, side by side.
    async fn ask(&self, prober: &Prober<'_>, name: &str) -> Vec<Question> {
        let legacy = [Version::Tls12, Version::Tls11, Version::Tls10, Version::Ssl3];
        let newest = legacy.into_iter().find(|version| self.offers(*version));
        let modern = self.offers(Version::Tls13);
        let older = legacy.into_iter().find(|version| !self.offers(*version));
        let (modern_rest, accepted, rest, version, certificate) = tokio::join!(
            self.refused(prober, Version::Tls13),
            async { Some(self.accepted(prober, newest?).await) },
            async { Some(self.refused(prober, newest?).await) },
            async { Some(self.absent(prober, older?).await) },
            async { if modern { Some(self.certificate(prober, name).await) } else { None } }
        );
        [Some(modern_rest), accepted, rest, version, certificate].into_iter().flatten().collect()
    }

    fn offers(&self, version: Version) -> bool {
        self.protocols.offered.iter().any(|offered| offered.name == version.name())
    }

    /// The suites of a version, in the order in which the server was found to want them.
    fn suites_of(&self, version: Version) -> Vec<u16> {
        let order = self.suites.order.iter().find(|order| order.protocol == version.name());
        let of_version = self.suites.suites.iter().filter(|suite| suite.protocol == version.name());
        let ids: Vec<&String> = match order.filter(|order| !order.ids.is_empty()) {
            Some(order) => order.ids.iter().collect(),
            None => of_version.map(|suite| &suite.id).collect(),
        };
        ids.into_iter().filter_map(|id| u16::from_str_radix(id.strip_prefix("0x")?, 16).ok()).collect()
    }

    /// What was not accepted with this version, worst first, as far as one hello holds it.
    async fn refused(&self, prober: &Prober<'_>, version: Version) -> Question {
        let accepted = self.suites_of(version);
        let all = plan::lists(version).into_iter().flatten().collect::<Vec<u16>>();
        let mut left: Vec<u16> = all.into_iter().filter(|id| !accepted.contains(id)).collect();
        plan::worst_first(&mut left);
        left.truncate(SUITES);
        let name = match accepted.is_empty() {
            true => version.name().to_owned(),
            false => format!("{} other suites of {}", left.len(), version.name()),
        };
        self.expect_refusal(prober, name, &Offer::new(version, left)).await
    }

    /// The newest version that was refused, with everything.
    async fn absent(&self, prober: &Prober<'_>, version: Version) -> Question {
        let offer = super::suites::first_offer(prober, version);
        self.expect_refusal(prober, version.name().to_owned(), &offer).await
    }

    async fn expect_refusal(&self, prober: &Prober<'_>, name: String, offer: &Offer) -> Question {
        let expected = "refused".to_owned();
        match prober.settle(offer, KIND).await {
            Answer::Yes(flight) => {
                let seen = format!("accepted with 0x{:04X}", flight.hello.suite);
                Question { name, expected, seen: Fact::Known(seen), same: Fact::Known(false) }
            }
            Answer::No(refusal) => {
                Question { name, expected, seen: Fact::Known(refusal.seen), same: Fact::Known(true) }
            }
            Answer::Unknown(trouble) => unknown(name, expected, &trouble),
        }
    }

    /// The accepted suites in the server's order: its choice, and the certificate that comes with it.
    async fn accepted(&self, prober: &Prober<'_>, version: Version) -> Question {
        let ids = self.suites_of(version);
        let name = format!("choice and certificate of {}", version.name());
        let first = ids.first().copied().unwrap_or_default();
        let known: Vec<&str> = self.certificates.deployments.iter().map(|deployment| deployment.id.as_str()).collect();
        let expected = format!("0x{first:04X} with a certificate of the look");
        match prober.settle(&Offer::new(version, ids), KIND).await {
            Answer::Yes(flight) => {
                let leaf = flight.chain.first().map(|leaf| digest::sha256(leaf));
                let bare =
                    plan::suite(flight.hello.suite).is_some_and(|row| matches!(&*row.auth, "anon" | "PSK" | "SRP"));
                let Some(leaf) = leaf.or_else(|| bare.then(|| "none".to_owned())) else {
                    let trouble = Trouble::new(Reason::HandshakeRejected, "no certificate came with the answer");
                    return unknown(name, expected, &trouble);
                };
                let same = flight.hello.suite == first && (bare || known.contains(&leaf.as_str()));
                let seen = format!("0x{:04X} with certificate {leaf}", flight.hello.suite);
                Question { name, expected, seen: Fact::Known(seen), same: Fact::Known(same) }
            }
            Answer::No(refusal) => {
                Question { name, expected, seen: Fact::Known(refusal.seen), same: Fact::Known(false) }
            }
            Answer::Unknown(trouble) => unknown(name, expected, &trouble),
        }
    }

    /// The certificate of a whole handshake of TLS 1.3.
    async fn certificate(&self, prober: &Prober<'_>, server_name: &str) -> Question {
        let name = "certificate of TLSv1.3".to_owned();
        let of_version = |protocols: &[String]| protocols.iter().any(|name| name == Version::Tls13.name());
        let known = self.certificates.deployments.iter().filter(|deployment| of_version(&deployment.protocols));
        let known: Vec<&str> = known.map(|deployment| deployment.id.as_str()).collect();
        let expected = known.join(" or ");
        let ask = Ask {
            groups: Vec::new(),
            server_name: server_name.to_owned(),
            versions: Versions::Tls13,
            schemes: schemes_of(&KeyKind::ALL),
            alpn: prober.manner().alpn.iter().map(|name| (*name).to_owned()).collect(),
        };
        let seen = match prober.open().await {
            Ok(stream) => handshake::look(stream, &ask, HANDSHAKE).await,
            Err(trouble) => Err(trouble),
        };
        let words = seen.as_ref().map_or_else(|trouble| trouble.detail.clone(), |seen| seen.protocol.clone());
        prober.record_words("TLSv1.3 handshake".to_owned(), words, KIND);
        match seen {
            Ok(seen) => {
                let leaf = seen.chain.first().map(|leaf| digest::sha256(leaf)).unwrap_or_default();
                let same = Fact::Known(known.contains(&leaf.as_str()));
                Question { name, expected, seen: Fact::Known(leaf), same }
            }
            Err(trouble) => unknown(name, expected, &trouble),
        }
    }
}

fn unknown(name: String, expected: String, trouble: &Trouble) -> Question {
    let seen = Fact::unknown(trouble.to_string());
    Question { name, expected, seen, same: Fact::unknown(trouble.to_string()) }
}
