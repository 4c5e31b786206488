//! Looks at targets: which collectors, in which order, within which limits.

use super::EVIDENCE_SCHEMA;
use crate::collect::{CollectContext, Collector, Documents, Job, Limits, Progress, Secrets};
use crate::model::assessment::{Evidence, Run, Tool};
use crate::model::{Clock, Observation, Reason, Target, TargetKind, Trouble, digest};
use crate::net::{Budget, Dial, Random};
use crate::target::Config;
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Targets looked at side by side.
const TARGETS: usize = 16;
/// Addresses of one name that are looked at. Each further one is recorded as not looked at.
const ADDRESSES: usize = 16;
/// Time beyond a target's own limit after which its collector is given up.
const GRACE: Duration = Duration::from_secs(5);

/// The seams and limits of a run.
#[derive(Clone)]
pub struct Setup {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The network.
    pub dial: Arc<dyn Dial>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Told of each step.
    pub progress: Arc<dyn Progress>,
    /// Reads secrets.
    pub secrets: Arc<dyn Secrets>,
    /// Set when the user asks to stop.
    pub cancel: CancellationToken,
    /// Limits of one target.
    pub limits: Limits,
    /// `manual`, `ci` or `schedule`.
    pub trigger: String,
    /// Who runs it.
    pub principal: String,
    /// The machine it runs on.
    pub host: String,
    /// The collectors, in the order in which each target meets them.
    pub collectors: Arc<Vec<Box<dyn Collector>>>,
}

/// Looks at every target of a configuration. A target's trouble is in the evidence, not an error.
pub async fn collect(config: &Config, setup: &Setup) -> Evidence {
    let started = setup.clock.now();
    let documents = Arc::new(Documents {
        retention: config.retention.clone(),
        register: config.register.clone(),
        requests: config.requests.clone(),
        erasure: config.erasure.clone(),
        portability: config.portability.clone(),
        dns: config.dns.clone(),
    });
    let places = Arc::new(Semaphore::new(TARGETS));
    let look_at = |target: &Target, earlier: Vec<Observation>| {
        let (setup, documents, places) = (setup.clone(), Arc::clone(&documents), Arc::clone(&places));
        let target = target.clone();
        async move {
            let _place = places.acquire_owned().await;
            let id = target.id.clone();
            let seen = look(target, &setup, documents, earlier).await;
            setup.progress.done(&id);
            seen
        }
    };
    // Machines come last: the databases on them say where their files lie.
    let (hosts, others): (Vec<&Target>, Vec<&Target>) =
        config.targets.iter().partition(|target| target.kind == TargetKind::Host);
    let looks = others.iter().map(|target| look_at(target, Vec::new()));
    let mut observations: Vec<Observation> =
        futures_util::future::join_all(looks).await.into_iter().flatten().collect();
    let looks = hosts.iter().map(|host| look_at(host, files_on(host, &others, &observations)));
    let below: Vec<Vec<Observation>> = futures_util::future::join_all(looks).await;
    observations.extend(below.into_iter().flatten());
    seal(config, setup, config.targets.clone(), started, observations)
}

/// Where the databases on a machine say that their files lie.
fn files_on(host: &Target, targets: &[&Target], seen: &[Observation]) -> Vec<Observation> {
    let on = |id: &str| {
        let found = targets.iter().find(|target| target.id == id);
        found.is_some_and(|target| target.connection.host_target.as_deref() == Some(&host.id))
    };
    seen.iter().filter(|seen| seen.kind == "db.files" && on(&seen.target)).cloned().collect()
}

/// Looks at one target alone.
pub(super) async fn alone(config: &Config, setup: &Setup, target: Target, earlier: Vec<Observation>) -> Evidence {
    let started = setup.clock.now();
    let observations = look(target.clone(), setup, Arc::new(Documents::default()), earlier).await;
    seal(config, setup, vec![target], started, observations)
}

/// What was seen of these targets, closed with the run's id.
pub(super) fn seal(
    config: &Config,
    setup: &Setup,
    targets: Vec<Target>,
    started: Timestamp,
    mut observations: Vec<Observation>,
) -> Evidence {
    sort(&mut observations);
    let ended = setup.clock.now();
    let mut run = Run {
        id: String::new(),
        started,
        ended,
        trigger: setup.trigger.clone(),
        principal: setup.principal.clone(),
        host: setup.host.clone(),
        tool: Tool { name: "probity".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
        organisation: config.organisation.as_ref().and_then(|organisation| organisation.name.clone()),
        config_digest: config.digest.clone(),
        interrupted: setup.cancel.is_cancelled(),
    };
    run.id = run_id(&run, &targets, &observations);
    Evidence { schema: EVIDENCE_SCHEMA.to_owned(), run, targets, judging: config.judging.clone(), observations }
}

/// By target, part and kind.
pub(super) fn sort(observations: &mut [Observation]) {
    observations.sort_by(|a, b| (&a.target, &a.part, &a.kind, &a.id).cmp(&(&b.target, &b.part, &b.kind, &b.id)));
}

/// The time at which looking began, and a digest over what was seen: `2026-11-23T13-40-05Z-7f3a90c1`.
///
/// The digest takes in every target and every record, so that one left out is noticed.
pub(super) fn run_id(run: &Run, targets: &[Target], observations: &[Observation]) -> String {
    let ids: Vec<&str> = observations.iter().map(|o| o.id.as_str()).collect();
    let run = Run { id: String::new(), ..run.clone() };
    let digest = digest::of(&(&run, targets, ids)).unwrap_or_default();
    let short: String = digest.chars().skip("sha256:".len()).take(8).collect();
    format!("{}-{short}", run.started.to_string().replace(':', "-"))
}

async fn look(
    mut target: Target,
    setup: &Setup,
    documents: Arc<Documents>,
    earlier: Vec<Observation>,
) -> Vec<Observation> {
    let collectors: Vec<usize> =
        (0..setup.collectors.len()).filter(|&n| setup.collectors.get(n).is_some_and(|c| c.accepts(&target))).collect();
    if collectors.is_empty() {
        return Vec::new();
    }
    if setup.cancel.is_cancelled() {
        return failures(&target, setup, &collectors, "", &stopped());
    }
    setup.progress.step(&target.id, "", 0, 0, "waiting for its first answer");
    let budget = Budget::new(Arc::clone(&setup.dial), setup.limits.connections, setup.limits.target_time)
        .paced(setup.limits.rate);
    target.connection.hello_name.get_or_insert_with(|| setup.host.clone());
    let mut addresses = match resolve(&target, &budget, &setup.cancel).await {
        Ok(addresses) => addresses,
        Err(trouble) => return failures(&target, setup, &collectors, "", &trouble),
    };
    let beyond = addresses.split_off(addresses.len().min(ADDRESSES));
    let cx = CollectContext {
        clock: Arc::clone(&setup.clock),
        dial: Arc::new(budget),
        random: Arc::clone(&setup.random),
        progress: Arc::clone(&setup.progress),
        secrets: Arc::clone(&setup.secrets),
        cancel: setup.cancel.clone(),
        limits: setup.limits,
        documents,
        halfway: Arc::default(),
    };
    let many = Trouble::new(Reason::TooLarge, format!("of the name's addresses {ADDRESSES} are looked at"));
    let skipped = beyond.iter().flat_map(|address| failures(&target, setup, &collectors, &address.to_string(), &many));
    let skipped: Vec<Observation> = skipped.collect();
    let run = |n: usize, seen: &[Observation], cx: CollectContext| {
        let known = earlier.iter().chain(seen).cloned().collect();
        let job = Job { target: target.clone(), addresses: addresses.clone(), earlier: known };
        let target = &target;
        async move {
            match isolated(n, job, cx, setup).await {
                Ok(observations) => observations,
                Err(trouble) => failures(target, setup, &[n], "", &trouble),
            }
        }
    };
    let (mut seen, mut queue) = (Vec::new(), collectors.into_iter().peekable());
    while let Some(n) = queue.next() {
        let leads = |m: &usize| {
            let pair = setup.collectors.get(n).zip(setup.collectors.get(*m));
            pair.is_some_and(|(leader, follower)| follower.follows() == Some(leader.id()))
        };
        let follower = queue.next_if(leads);
        let cx = CollectContext { halfway: Arc::default(), ..cx.clone() };
        let mut whole = std::pin::pin!(run(n, &seen, cx.clone()));
        let Some(m) = follower else {
            seen.extend(whole.await);
            continue;
        };
        let ended = tokio::select! {
            biased;
            observations = &mut whole => Some(observations),
            () = cx.halfway.notified() => None,
        };
        match ended {
            Some(observations) => {
                seen.extend(observations);
                seen.extend(run(m, &seen, cx).await);
            }
            None => {
                let (first, second) = tokio::join!(whole, run(m, &seen, cx));
                seen.extend(first);
                seen.extend(second);
            }
        }
    }
    seen.extend(skipped);
    seen
}

/// Runs one collector in a task of its own, so that its panic or overrun ends nothing else.
async fn isolated(n: usize, job: Job, cx: CollectContext, setup: &Setup) -> Result<Vec<Observation>, Trouble> {
    let limit = setup.limits.target_time + GRACE;
    let collectors = Arc::clone(&setup.collectors);
    let task = tokio::spawn(async move {
        match collectors.get(n) {
            Some(collector) => tokio::time::timeout(limit, collector.collect(&job, &cx)).await,
            None => Ok(Vec::new()),
        }
    });
    match task.await {
        Ok(Ok(observations)) => Ok(observations),
        Ok(Err(_)) => Err(Trouble::new(Reason::TimedOut, format!("not done within {} s", limit.as_secs()))),
        Err(_) => Err(Trouble::new(Reason::Internal, "the collector stopped by a fault of its own; please report it")),
    }
}

async fn resolve(target: &Target, budget: &Budget, cancel: &CancellationToken) -> Result<Vec<SocketAddr>, Trouble> {
    if !matches!(target.kind, TargetKind::Endpoint | TargetKind::Database) {
        return Ok(Vec::new());
    }
    let connection = &target.connection;
    tokio::select! {
        addresses = budget.resolve(&connection.host, connection.port) => addresses,
        () = cancel.cancelled() => Err(stopped()),
    }
}

fn stopped() -> Trouble {
    Trouble::new(Reason::Interrupted, "the run was stopped before this was looked at")
}

/// Every kind of these collectors, failed for one reason.
fn failures(target: &Target, setup: &Setup, collectors: &[usize], part: &str, trouble: &Trouble) -> Vec<Observation> {
    let now: Timestamp = setup.clock.now();
    let looks = collectors.iter().filter_map(|&n| setup.collectors.get(n));
    looks
        .flat_map(|collector| {
            let of_kind =
                |kind: &&'static str| Observation::failed(kind, &target.id, part, collector.id(), now, trouble.clone());
            collector.yields().iter().map(of_kind).collect::<Vec<_>>()
        })
        .collect()
}
