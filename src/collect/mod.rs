//! Collectors look at targets and record observations. They never judge.

mod answer;
mod aws;
pub mod census;
mod channel;
#[cfg(feature = "clickhouse")]
pub mod clickhouse;
pub mod cloud;
#[cfg(any(feature = "mysql", feature = "postgres"))]
mod command;
pub mod dated;
pub mod declared;
mod direct;
pub mod dns;
pub mod drill;
pub mod erasure;
pub mod export;
pub mod grants;
#[cfg(target_os = "linux")]
pub mod host;
pub mod http;
mod limit;
pub mod mail;
#[cfg(feature = "mongodb")]
pub mod mongodb;
#[cfg(feature = "mysql")]
pub mod mysql;
pub mod objects;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod proof;
pub mod redis;
pub mod register;
pub mod requests;
mod server;
pub mod sqlite;
pub mod tls;
pub mod traces;
mod witness;

use crate::model::target::Depth;
use crate::model::{Clock, Observation, Target};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A future that a collector returns.
pub type Collecting<'a> = Pin<Box<dyn Future<Output = Vec<Observation>> + Send + 'a>>;

/// One target for one collector.
pub struct Job {
    /// The target.
    pub target: Target,
    /// The addresses that its host resolves to, in a fixed order; empty for targets without a network.
    pub addresses: Vec<SocketAddr>,
    /// What earlier collectors of this run saw of the same target, and for a machine where its databases keep their files.
    pub earlier: Vec<Observation>,
}

/// What a collector may use: every source of time, randomness and network.
#[derive(Clone)]
pub struct CollectContext {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Connections, with deadlines and budgets.
    pub dial: Arc<dyn crate::net::Dial>,
    /// Random bytes: nonces, hello randoms.
    pub random: Arc<dyn crate::net::Random>,
    /// Told of each step, for the progress display.
    pub progress: Arc<dyn Progress>,
    /// Reads the value of a secret reference.
    pub secrets: Arc<dyn Secrets>,
    /// Set when the user asks to stop.
    pub cancel: tokio_util::sync::CancellationToken,
    /// Limits.
    pub limits: Limits,
    /// Retention schedule and vendor register, as the user wrote them.
    pub documents: Arc<Documents>,
    /// Told by a collector when one that [follows](Collector::follows) it may begin beside it.
    pub halfway: Arc<tokio::sync::Notify>,
}

/// What the user wrote beside the targets and collectors read.
#[derive(Default)]
pub struct Documents {
    /// The retention schedule.
    pub retention: Option<crate::model::retention::Schedule>,
    /// The vendor register.
    pub register: Option<crate::model::register::Register>,
    /// The requests of data subjects.
    pub requests: Option<crate::model::requests::Requests>,
    /// The ledger of erasures.
    pub erasure: Option<crate::model::erasure::Erasure>,
    /// An export of one data subject.
    pub portability: Option<crate::model::portability::Portability>,
    /// How names are looked up.
    pub dns: crate::model::dns::Settings,
}

/// Limits of one target.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Parallel connections to one target.
    pub connections: usize,
    /// New connections to one target in a second, at most; `None` for as many as there are.
    pub rate: Option<std::num::NonZeroU16>,
    /// Wall time of one target.
    pub target_time: Duration,
    /// The hellos of known clients are sent, too: one connection each.
    pub live_clients: bool,
    /// Third parties that certificates name are asked, whatever a target says: responders and lists whether they are
    /// revoked, and for issuers that were not sent.
    pub revocation: bool,
    /// How often a server that takes up a handshake inside a session is asked for another, at most.
    pub renegotiations: u32,
    /// Early data is sent where a ticket allows it: a request that changes nothing.
    pub early_data: bool,
    /// How much is asked of every target.
    pub depth: Depth,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: 8,
            rate: None,
            target_time: Duration::from_secs(300),
            live_clients: false,
            revocation: false,
            renegotiations: 3,
            early_data: false,
            depth: Depth::default(),
        }
    }
}

impl CollectContext {
    /// How much is asked of this target: the narrower of what holds for the run and for the target.
    pub fn depth(&self, target: &Target) -> Depth {
        self.limits.depth.within(target.connection.depth)
    }
}

/// Told of each step, for people who wait.
pub trait Progress: Send + Sync {
    /// `done` of `total` probes of this part of this target are made; now doing `step`. A total of
    /// nought is one that is not known yet.
    fn step(&self, target: &str, part: &str, done: u32, total: u32, step: &str);
    /// This part of this target is asked less from now on: so many connections at once.
    fn slowed(&self, target: &str, part: &str, connections: usize) {
        let _ = (target, part, connections);
    }
    /// Nothing more of this target comes.
    fn done(&self, target: &str) {
        let _ = target;
    }
}

/// A progress that nobody watches.
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _: &str, _: &str, _: u32, _: u32, _: &str) {}
}

/// Reads the value of a secret reference, where it is used.
pub trait Secrets: Send + Sync {
    /// The value.
    ///
    /// # Errors
    /// In words fit for a user, never with the value in them.
    fn read(&self, reference: &crate::model::SecretRef) -> Result<Secret, String>;
}

/// The value of a secret: without `Debug`, `Display` and `Serialize`.
pub struct Secret(pub String);

/// Looks at one kind of target.
pub trait Collector: Send + Sync {
    /// For example `tls`.
    fn id(&self) -> &'static str;
    /// Whether it looks at this target.
    fn accepts(&self, target: &Target) -> bool;
    /// The observation kinds it records: one of each for each part, failed ones included.
    fn yields(&self) -> &'static [&'static str];
    /// The collector before it that it need not wait for to the end: only until that one tells that it is
    /// [halfway](CollectContext::halfway). What that one records is then not among the earlier observations of the job.
    fn follows(&self) -> Option<&'static str> {
        None
    }
    /// Looks. The target's trouble is an observation, not an error.
    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a>;
}

/// The collector that asks known endpoints with a few hellos whether they are as they were.
pub fn reverifying() -> Vec<Box<dyn Collector>> {
    vec![Box::new(tls::Reverify)]
}

/// Every collector, in the order in which a target meets them: what TLS saw decides what HTTP and databases try.
pub fn all() -> Vec<Box<dyn Collector>> {
    vec![
        Box::new(tls::Starttls::default()),
        Box::new(tls::Tls),
        Box::new(http::Http),
        Box::new(dns::Dns),
        Box::new(mail::Mail::default()),
        #[cfg(feature = "mysql")]
        Box::new(mysql::Mysql::default()),
        #[cfg(feature = "postgres")]
        Box::new(postgres::Postgres),
        Box::new(redis::Redis::default()),
        #[cfg(feature = "clickhouse")]
        Box::new(clickhouse::Clickhouse),
        #[cfg(feature = "mongodb")]
        Box::new(mongodb::Mongodb),
        Box::new(sqlite::Sqlite),
        Box::new(objects::Objects::default()),
        Box::new(cloud::Cloud),
        #[cfg(target_os = "linux")]
        Box::new(host::Host),
        Box::new(register::RegisterCollector),
        Box::new(requests::RequestsCollector),
        Box::new(erasure::ErasureCollector),
        Box::new(export::ExportCollector),
    ]
}
