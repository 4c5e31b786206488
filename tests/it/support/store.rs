//! One look by a collector of databases, with everything around it on loopback.

use probity::catalogue::Catalogue;
use probity::check::{Case, Engine, derive};
use probity::collect::{CollectContext, Collector, Documents, Job, Limits, Secret, Secrets, Silent};
use probity::model::policy::Judging;
use probity::model::retention::Schedule;
use probity::model::target::Engine as DatabaseEngine;
use probity::model::{
    Clock, Fact, Observation, ObservationStatus, Reason, SecretRef, Severity, Status, SystemClock, Target, TargetKind,
    Trouble, database::Sign,
};
use probity::net::{Dial, Dialing, Random, Stream};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Connects every address to the same port of loopback, so that a far address can be tried.
pub struct Loopback;

impl Dial for Loopback {
    fn resolve<'a>(&'a self, _: &'a str, port: u16) -> Dialing<'a, Vec<SocketAddr>> {
        Box::pin(async move { Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]) })
    }

    fn connect(&self, address: SocketAddr, timeout: Duration) -> Dialing<'_, Box<dyn Stream>> {
        Box::pin(async move {
            let connecting = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, address.port()));
            match tokio::time::timeout(timeout, connecting).await {
                Ok(Ok(stream)) => Ok(Box::new(stream) as Box<dyn Stream>),
                Ok(Err(error)) => Err(Trouble::new(Reason::Refused, error.to_string())),
                Err(_) => Err(Trouble::new(Reason::TimedOut, "no connection")),
            }
        })
    }
}

/// No randomness.
pub struct Zeros;

impl Random for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}

/// Gives the name of the reference as the secret: `env:PASSWORD` is a test's own password.
pub struct Names;

impl Secrets for Names {
    fn read(&self, reference: &SecretRef) -> Result<Secret, String> {
        match reference {
            SecretRef::Env(name) => Ok(Secret(name.clone())),
            _ => Err("no such secret".to_owned()),
        }
    }
}

/// What is looked at, and how.
pub struct Look {
    pub target: Target,
    pub address: IpAddr,
    pub cancel: CancellationToken,
    pub schedule: Option<Schedule>,
    pub clock: Arc<dyn Clock>,
}

impl Look {
    /// A look at a port of loopback as this user.
    pub fn new(engine: DatabaseEngine, port: u16, user: &str, password: &str) -> Look {
        let mut target = Target::new("db", TargetKind::Database, format!("127.0.0.1:{port}"));
        target.engine = Some(engine);
        target.connection.host = "127.0.0.1".to_owned();
        target.connection.port = port;
        target.connection.user = Some(user.to_owned());
        target.connection.password = (!password.is_empty()).then(|| SecretRef::Env(password.to_owned()));
        Look {
            target,
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            cancel: CancellationToken::new(),
            schedule: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Trusting the certificates in this file.
    pub fn trusting(mut self, file: PathBuf) -> Look {
        self.target.connection.ca_files = vec![file];
        self
    }

    /// Measuring what this schedule names.
    pub fn with(mut self, schedule: &str) -> Look {
        self.schedule = Some(serde_yaml::from_str(schedule).unwrap_or_else(|error| panic!("{error}\n{schedule}")));
        self
    }

    /// One observation of each kind of the collector's.
    pub fn run(&self, collector: &dyn Collector) -> Vec<Observation> {
        let seen = self.run_at(collector, vec![SocketAddr::new(self.address, self.target.connection.port)]);
        let mut kinds: Vec<&str> = seen.iter().map(|observation| observation.kind.as_str()).collect();
        let mut promised = collector.yields().to_vec();
        kinds.sort_unstable();
        promised.sort_unstable();
        assert_eq!(kinds, promised, "one observation of each kind, failed ones included");
        assert!(seen.iter().all(|observation| observation.part.is_empty()));
        seen
    }

    /// A look at a name with these addresses.
    pub fn run_at(&self, collector: &dyn Collector, addresses: Vec<SocketAddr>) -> Vec<Observation> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let cx = CollectContext {
            clock: Arc::clone(&self.clock),
            dial: Arc::new(Loopback),
            random: Arc::new(Zeros),
            progress: Arc::new(Silent),
            secrets: Arc::new(Names),
            cancel: self.cancel.clone(),
            limits: Limits::default(),
            documents: Arc::new(Documents { retention: self.schedule.clone(), register: None, ..Documents::default() }),
            halfway: Arc::default(),
        };
        let job = Job { target: self.target.clone(), addresses, earlier: Vec::new() };
        assert!(collector.accepts(&job.target));
        let seen = runtime.block_on(collector.collect(&job, &cx));
        if let Some(SecretRef::Env(password)) = &self.target.connection.password {
            let json = serde_json::to_string(&seen).unwrap();
            assert!(!json.contains(password.as_str()), "the password stands in the evidence");
        }
        seen
    }

    /// The verdicts of the checks of databases on what was seen: `check item` to its status and severity.
    pub fn judge(&self, seen: &[Observation]) -> BTreeMap<String, (Status, Severity)> {
        let catalogue = Catalogue::built_in().unwrap_or_else(|_| panic!("the catalogue does not load"));
        let judging = Judging::default();
        let as_of = SystemClock.now();
        let targets = [self.target.clone()];
        let mut all = seen.to_vec();
        all.extend(derive::run(&targets, seen, &judging, &catalogue, as_of));
        let engine = Engine::new(&catalogue, &judging).unwrap_or_else(|_| panic!("the checks do not compile"));
        let results = engine.judge(&Case { targets: &targets, observations: &all, as_of });
        let of_databases = results.into_iter().filter(|result| result.check.starts_with("db."));
        of_databases
            .map(|result| {
                (format!("{} {}", result.check, result.item).trim_end().to_owned(), (result.status, result.severity))
            })
            .collect()
    }
}

/// The observation of a kind.
pub fn of<'a>(seen: &'a [Observation], kind: &str) -> &'a Observation {
    seen.iter().find(|observation| observation.kind == kind).unwrap()
}

/// The facts of a kind, which is complete.
pub fn read<T: serde::de::DeserializeOwned>(seen: &[Observation], kind: &str) -> T {
    let observation = of(seen, kind);
    assert_eq!(observation.status, ObservationStatus::Complete, "{kind}: {:?}", observation.trouble);
    observation.read().unwrap()
}

/// A fact that is known.
pub fn known<T: Clone>(value: &T) -> Fact<T> {
    Fact::Known(value.clone())
}

/// A text that is known.
pub fn text(value: &str) -> Fact<String> {
    Fact::Known(value.to_owned())
}

/// The answer of the sign of this name.
pub fn sign<'a>(signs: &'a [Sign], name: &str) -> &'a Fact<bool> {
    &signs.iter().find(|sign| sign.name == name).unwrap().yes
}

/// Every kind that needs a login failed for this reason.
pub fn assert_outside(seen: &[Observation], reason: Reason) {
    for kind in ["data.inventory", "data.retention", "db.auth", "db.audit", "db.at_rest"] {
        let observation = of(seen, kind);
        assert_eq!(observation.status, ObservationStatus::Failed, "{kind}");
        assert_eq!(observation.trouble.as_ref().unwrap().reason, reason, "{kind}: {:?}", observation.trouble);
        assert!(observation.data.is_empty());
    }
}
