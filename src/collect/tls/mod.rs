//! The collector of TLS endpoints.

mod address;
pub mod certificate;
mod clients;
pub(super) mod exchanger;
mod facts;
mod features;
mod fetch;
mod first;
mod flaws;
pub mod handshake;
mod issuers;
pub mod key_kind;
mod ledger;
mod legacy_groups;
mod modern;
mod named_fields;
mod offer;
mod order;
mod plan;
pub mod prime;
mod probe;
mod prober;
mod proofs;
mod psk;
mod psk_modes;
mod renegotiation;
mod reverify;
mod revocation;
pub mod session;
mod sessions;
mod shape;
mod shown;
mod ssl2;
mod stapling;
mod steadiness;
mod strength;
mod suites;
mod upgrade;
mod visit;

pub use reverify::Reverify;

pub use upgrade::Starttls;

use super::{CollectContext, Collecting, Collector, Job};
use crate::model::target::{Engine, Profile};
use crate::model::{Observation, ObservationStatus, Reason, Target, TargetKind, Trouble};
use crate::net::Budget;
use certificate::{Anchors, KnownKeys, LogList};
use facts::{Data, Facts};
use fetch::Fetcher;
use futures_util::future::join_all;
use prober::Prober;
use serde::Serialize;
use shape::{Known, Shape};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use upgrade::Upgrade;

const ID: &str = "tls";
/// The pause between two connections to a mail server.
const MAIL_PAUSE: Duration = Duration::from_millis(50);
const YIELDS: &[&str] = &[
    "tls.protocols",
    "tls.suites",
    "tls.groups",
    "tls.dh",
    "tls.certificates",
    "tls.features",
    "tls.resumption",
    "tls.renegotiation",
    "tls.flaws",
    "tls.signatures",
    "tls.names",
    "tls.alpn",
    "tls.intolerance",
    "tls.ct",
    "tls.revocation",
];
/// Those that a quick profile leaves out.
const SHAPE: &[&str] = &["tls.signatures", "tls.names", "tls.alpn", "tls.intolerance"];

/// Looks at what a TLS server offers, with hellos of our own and a few whole handshakes.
pub struct Tls;

impl Collector for Tls {
    fn id(&self) -> &'static str {
        ID
    }

    fn accepts(&self, target: &Target) -> bool {
        match target.kind {
            TargetKind::Endpoint => true,
            TargetKind::Database => target.engine.is_some_and(|engine| engine != Engine::Sqlite),
            _ => false,
        }
    }

    fn yields(&self) -> &'static [&'static str] {
        YIELDS
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(collect(job, cx))
    }
}

async fn collect(job: &Job, cx: &CollectContext) -> Vec<Observation> {
    let target = &job.target;
    let part = match job.addresses.as_slice() {
        [] => format!("{}:{}", target.connection.host, target.connection.port),
        [first, ..] => first.to_string(),
    };
    let upgrade = match upgrade_of(target) {
        Ok(upgrade) => upgrade,
        Err(trouble) => return failed(target, &part, cx, &trouble),
    };
    if job.addresses.is_empty() {
        let trouble = Trouble::new(Reason::Unreachable, format!("{} has no address", target.connection.host));
        return failed(target, &part, cx, &trouble);
    }
    let lists = match Lists::read(target, cx.clock.now()) {
        Ok(lists) => Arc::new(lists),
        Err(trouble) => return failed(target, &part, cx, &trouble),
    };
    let budget = budget_of(&upgrade, cx);
    let asked = cx.limits.revocation || target.connection.revocation;
    let fetcher = asked.then(|| Fetcher::new(cx, &target.connection.responders));
    let looks = job.addresses.iter().map(|address| {
        let (budget, upgrade, lists) = (&budget, upgrade.clone(), Arc::clone(&lists));
        let fetcher = fetcher.as_ref();
        async move {
            match not_upgraded(job, *address) {
                Some(trouble) => failed(target, &address.to_string(), cx, &trouble),
                None => one(target, *address, cx, budget, upgrade, lists, fetcher).await,
            }
        }
    });
    join_all(looks).await.into_iter().flatten().collect()
}

/// PostgreSQL speaks a dialogue before TLS, whether it is named as an endpoint or as a database.
fn upgrade_of(target: &Target) -> Result<Upgrade, Trouble> {
    let reach = target.engine.filter(|_| target.kind == TargetKind::Database).and_then(Engine::reach);
    let own = reach.and_then(|reach| reach.starttls.or(reach.service));
    Upgrade::of(&target.connection, target.connection.starttls.as_deref().or(own))
}

/// The connections to a target: as many at once as the limits allow, but to a mail server one after the other.
fn budget_of(upgrade: &Upgrade, cx: &CollectContext) -> Budget {
    let time = cx.limits.target_time;
    match upgrade.is_mail() {
        true => Budget::new(Arc::clone(&cx.dial), 1, time).apart(MAIL_PAUSE),
        false => Budget::new(Arc::clone(&cx.dial), cx.limits.connections, time),
    }
}

/// Why an address is not to be looked at, where the request for TLS has already shown it.
fn not_upgraded(job: &Job, address: SocketAddr) -> Option<Trouble> {
    let part = address.to_string();
    let asked = job.earlier.iter().find(|seen| seen.kind == "tls.upgrade" && seen.part == part)?;
    if asked.status == ObservationStatus::Failed {
        return asked.trouble.clone();
    }
    let facts: crate::model::tls::Upgrade = asked.read().ok()?;
    let is = |fact: &crate::model::Fact<String>, word| fact.known().is_some_and(|known| known == word);
    if is(&facts.offered, "no") {
        return Some(Trouble::new(Reason::Unsupported, format!("TLS is not offered: {}", facts.seen)));
    }
    is(&facts.extra_bytes, "yes").then(|| Trouble::new(Reason::ProtocolViolation, facts.seen))
}

async fn one(
    target: &Target,
    address: SocketAddr,
    cx: &CollectContext,
    budget: &Budget,
    upgrade: Upgrade,
    lists: Arc<Lists>,
    fetcher: Option<&Fetcher>,
) -> Vec<Observation> {
    let part = address.to_string();
    let name = target.connection.server_name.clone().unwrap_or_else(|| target.connection.host.clone());
    let prober = Prober::new(cx, budget, &target.id, address, upgrade, name.clone());
    let look = match address::look(&prober, &name).await {
        Ok(look) => look,
        Err(trouble) => {
            let mut failed = failed(target, &part, cx, &trouble);
            return failed.drain(..).map(|failed| failed.with_transcript(prober.transcript())).collect();
        }
    };
    let live = match cx.limits.live_clients {
        true => Some(clients::look(&prober, &name).await),
        false => None,
    };
    let (ledger, now) = (prober.ledger(), cx.clock.now());
    let (unseen, alpn) = (look.unseen.first().cloned(), look.alpn.clone());
    let cut = || look.versions.values().find_map(|version| version.trouble.clone());
    let open = unseen.clone().or_else(cut).or_else(|| prober.steadiness.doubt());
    let depth = cx.depth(target);
    let intrusive = depth.intrusive;
    // A target that was reached, and bears what was asked of it, can be asked for its pages meanwhile.
    if open.is_none() {
        cx.halfway.notify_one();
    }
    // Stages after the enumeration stand here, side by side: hellos of an unusual shape, and whole sessions.
    let deep = async {
        if depth.profile == Profile::Full {
            Box::pin(stapling::again(&prober, &name)).await;
        }
        let (asked, seen) = (name.clone(), prober.ledger());
        let known = issuers::look(&prober, fetcher, &seen, &lists.anchors).await;
        // Signatures and primes are arithmetic: other sockets must not wait for it.
        let computing = tokio::task::spawn_blocking(move || {
            let facts = Facts::new(look, seen);
            let knowing = (!known.is_empty()).then(|| lists.anchors.clone().knowing(&known));
            let anchors = knowing.as_ref().unwrap_or(&lists.anchors);
            let certificates = facts.certificates(&asked, anchors, lists.keys.as_ref(), now);
            let logs = lists.logs.as_ref().map_err(String::as_str);
            let transparency = facts.transparency(&certificates.0, &lists.anchors, logs, now);
            let deployed = facts.deployed(&lists.anchors, now);
            (facts, certificates, transparency, deployed)
        });
        let Ok((mut facts, certificates, transparency, deployed)) = computing.await else { return None };
        facts.doubt = prober.steadiness.doubt();
        let sessions = Box::pin(sessions::look(&prober, &facts, &name, depth));
        let oracles = Box::pin(flaws::oracles(&prober, &facts, intrusive));
        let mut dh = facts.dh();
        let fields = Box::pin(named_fields::look(&prober, &facts.ledger, &dh.0, depth.profile));
        let revocation = Box::pin(revocation::look(&prober, fetcher, deployed));
        let (sessions, oracles, fields, revocation) = tokio::join!(sessions, oracles, fields, revocation);
        fields.note_in(&mut dh.0);
        Some((facts, certificates, transparency, sessions, oracles, dh, revocation))
    };
    let known =
        Known { ledger: &ledger, unseen: unseen.as_ref(), open: open.as_ref(), server_name: &name, alpn: &alpn };
    let shape = async {
        match depth.profile {
            Profile::Full => Some(Box::pin(shape::look(&prober, &known, intrusive)).await),
            Profile::Quick => None,
        }
    };
    let (deep, shape) = tokio::join!(deep, shape);
    let Some((mut facts, certificates, transparency, sessions, oracles, dh, revocation)) = deep else {
        return failed(target, &part, cx, &Trouble::new(Reason::Internal, "the facts could not be computed"));
    };
    let (certificates, mut certificates_trouble) = certificates;
    // A server that serves one connection after the other must not be kept waiting in the middle of handshakes meanwhile.
    let mut flaws = Box::pin(flaws::test(&prober, &facts, intrusive)).await;
    flaws.tests.extend(oracles);
    flaws.tests.extend(sessions.rows);
    // What was concluded from silence holds only of a target that is still there.
    if prober.steadiness.rests_on_silence() && prober.stopped().is_none() {
        let _ = prober.control().await;
    }
    // Whether the target is steady may have shown at the very end.
    let steadiness = &prober.steadiness;
    facts.doubt = steadiness.doubt();
    facts.steps = prober.steps();
    facts.prove(&mut flaws);
    steadiness.settle_flaws(&mut flaws);
    let mut renegotiation = sessions.renegotiation;
    steadiness.settle_renegotiation(&mut renegotiation);
    let mut shape = shape;
    if let Some(shape) = &mut shape {
        if let Some(intolerance) = &mut shape.intolerance {
            steadiness.settle_intolerance(intolerance);
        }
        steadiness.settle_names(&mut shape.names);
        if let Some(open) = facts.certificates_open() {
            shape.unsettle(&open);
        }
    }
    certificates_trouble = certificates_trouble.or_else(|| facts.certificates_open());
    let (transparency, transparency_trouble) = transparency;
    let transparency_trouble = transparency_trouble.or_else(|| facts.certificates_open());
    let at = At { target, part: &part, now };
    let seen = |observation: Observation| observation.with_transcript(prober.transcript());
    let mut observations = vec![
        seen(at.observation("tls.protocols", facts.protocols())),
        seen(at.observation("tls.suites", facts.suites())),
        at.observation("tls.groups", facts.groups()),
        at.observation("tls.dh", dh),
        at.observation("tls.certificates", (certificates, certificates_trouble)),
        at.observation("tls.features", facts.features()),
        at.observation("tls.resumption", (sessions.resumption, None)),
        at.observation("tls.renegotiation", (renegotiation, None)),
        seen(at.observation("tls.flaws", (flaws, None))),
        at.observation("tls.ct", (transparency, transparency_trouble)),
        at.observation("tls.revocation", (revocation, None)),
    ];
    observations.extend(at.shape(shape, facts.undecided()));
    observations.extend(live.map(|live| at.observation("tls.clients.live", live)));
    observations
}

/// What certificates are judged with.
struct Lists {
    anchors: Anchors,
    /// Keys that others know.
    keys: Option<KnownKeys>,
    /// Certificate transparency logs, or why there are none.
    logs: Result<LogList, String>,
}

impl Lists {
    fn read(target: &Target, now: jiff::Timestamp) -> Result<Lists, Trouble> {
        let connection = &target.connection;
        let logs = match connection.ct_log_list.as_deref().map(LogList::read).transpose()? {
            None => Err("log_list_absent: no list of logs was given (ct_log_list)".to_owned()),
            Some(list) if !list.is_fresh(now) => Err(format!("log_list_stale: the list of logs is of {}", list.date)),
            Some(list) => Ok(list),
        };
        Ok(Lists {
            anchors: Anchors::new(&connection.ca_files)?,
            keys: connection.weak_keys_file.as_deref().map(KnownKeys::read).transpose()?,
            logs,
        })
    }
}

/// Where and when something was seen.
struct At<'a> {
    target: &'a Target,
    part: &'a str,
    now: jiff::Timestamp,
}

impl At<'_> {
    /// What the hellos of an unusual shape showed, or that none was sent. Where it is not known of some version whether
    /// it is offered, tests that need it were not made.
    fn shape(&self, shape: Option<Shape>, undecided: Option<Trouble>) -> Vec<Observation> {
        let Some(shape) = shape else {
            let disabled = || Trouble::new(Reason::Unsupported, "disabled: the quick profile does not ask for it");
            let failed = |kind: &&str| Observation::failed(kind, &self.target.id, self.part, ID, self.now, disabled());
            return SHAPE.iter().map(failed).collect();
        };
        vec![
            self.observation("tls.signatures", shape.signatures),
            self.observation("tls.names", (shape.names, None)),
            self.observation("tls.alpn", shape.alpn),
            match shape.intolerance {
                Some(intolerance) => self.observation("tls.intolerance", (intolerance, undecided)),
                None => {
                    let disabled = Trouble::new(Reason::Unsupported, flaws::DISABLED);
                    Observation::failed("tls.intolerance", &self.target.id, self.part, ID, self.now, disabled)
                }
            },
        ]
    }

    fn observation<T: Serialize>(&self, kind: &str, (data, trouble): Data<T>) -> Observation {
        let complete = Observation::complete(kind, &self.target.id, self.part, ID, self.now, &data);
        match (complete, trouble) {
            (Ok(complete), None) => complete,
            (Ok(complete), Some(trouble)) => complete.partial(trouble),
            (Err(error), _) => {
                let trouble = Trouble::new(Reason::Internal, error.to_string());
                Observation::failed(kind, &self.target.id, self.part, ID, self.now, trouble)
            }
        }
    }
}

fn failed(target: &Target, part: &str, cx: &CollectContext, trouble: &Trouble) -> Vec<Observation> {
    let now = cx.clock.now();
    let live = cx.limits.live_clients.then_some("tls.clients.live");
    YIELDS
        .iter()
        .copied()
        .chain(live)
        .map(|kind| Observation::failed(kind, &target.id, part, ID, now, trouble.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_at_endpoints_and_at_database_servers() {
        let endpoint = Target::new("a", TargetKind::Endpoint, "a.example:443");
        let mut database = Target::new("b", TargetKind::Database, "b.example:5432");
        assert!(Tls.accepts(&endpoint));
        assert!(!Tls.accepts(&database));
        database.engine = Some(Engine::Postgresql);
        assert!(Tls.accepts(&database));
        assert_eq!(upgrade_of(&database).unwrap().word(), Some("postgresql"));
        assert_eq!(upgrade_of(&endpoint).unwrap().word(), None);
        database.engine = Some(Engine::Mariadb);
        assert!(Tls.accepts(&database));
        assert_eq!(upgrade_of(&database).unwrap().word(), Some("mysql"));
        database.engine = Some(Engine::Sqlite);
        assert!(!Tls.accepts(&database));
    }
}
