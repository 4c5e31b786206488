//! A look by the library at addresses, with the end of the enumeration noted: a child process of the measurement.

use crate::support::tls::{context, target};
use probity::collect::tls::Tls;
use probity::collect::{CollectContext, Collector as _, Job, Limits, Progress};
use probity::model::Observation;
use probity::model::target::{Depth, Profile};
use probity::model::tls::{Certificates, Groups, Protocols, Suites};
use probity::net::{Dial, Dialing, Stream, TcpDial};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The steps of the enumeration, by how their names begin. What comes later is left out of its count and time.
const STEPS: &[&str] = &[
    "first hello",
    "SSLv",
    "TLSv",
    "suites ",
    "groups ",
    "order ",
    "priority ",
    "fallback ",
    "finite-field ",
    "certificates ",
    "control",
];

/// What the enumeration gave.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Looked {
    /// From the start to the last of its answers.
    pub seconds: f64,
    /// Its hellos.
    pub hellos: u32,
    /// Connections opened until its last answer.
    pub connections: u32,
    /// Per version how many suites, of the first address.
    pub suites: BTreeMap<String, usize>,
    /// Groups, of the first address.
    pub groups: usize,
    /// Kinds of certificate keys, of the first address.
    pub keys: BTreeSet<String>,
    /// All addresses gave the same.
    pub alike: bool,
    /// When each answer came, in seconds, and to what.
    pub steps: Vec<(f64, String)>,
}

struct Watch {
    begin: Instant,
    opened: Arc<AtomicU32>,
    seen: Mutex<(Duration, u32, u32)>,
    steps: Mutex<Vec<(f64, String)>>,
}

impl Progress for Watch {
    fn step(&self, _: &str, _: &str, _: u32, _: u32, step: &str) {
        self.steps.lock().unwrap().push((self.begin.elapsed().as_secs_f64(), step.to_owned()));
        if STEPS.iter().any(|begin| step.starts_with(begin)) {
            let mut seen = self.seen.lock().unwrap();
            *seen = (self.begin.elapsed(), seen.1 + 1, self.opened.load(Ordering::Relaxed));
        }
    }
}

struct Counting(Arc<AtomicU32>);

impl Dial for Counting {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a, Vec<SocketAddr>> {
        TcpDial.resolve(host, port)
    }

    fn connect(&self, address: SocketAddr, timeout: Duration) -> Dialing<'_, Box<dyn Stream>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        TcpDial.connect(address, timeout)
    }
}

/// Looks at `CONNECTIONS PROFILE ADDRESS…` and gives what it saw as JSON.
pub fn print(words: &[&str]) -> String {
    let [connections, profile, addresses @ ..] = words else { return String::new() };
    let opened = Arc::new(AtomicU32::new(0));
    let watch = Arc::new(Watch {
        begin: Instant::now(),
        opened: Arc::clone(&opened),
        seen: Mutex::default(),
        steps: Mutex::default(),
    });
    let depth = match *profile {
        "full" => Depth::default(),
        _ => Depth { profile: Profile::Quick, intrusive: false },
    };
    let limits = Limits { depth, connections: connections.parse().unwrap(), ..Limits::default() };
    let progress: Arc<dyn Progress> = watch.clone();
    let cx = CollectContext { dial: Arc::new(Counting(opened)), progress, limits, ..context() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let looks = addresses.iter().map(|address| async {
        let address: SocketAddr = address.parse().unwrap();
        Tls.collect(&Job { target: target(address), addresses: vec![address], earlier: Vec::new() }, &cx).await
    });
    let seen = runtime.block_on(futures_util::future::join_all(looks));
    let mut looked = summary(&seen[0]);
    looked.alike = seen.iter().all(|one| {
        let other = summary(one);
        (&other.suites, other.groups, &other.keys) == (&looked.suites, looked.groups, &looked.keys)
    });
    let (time, hellos, connections) = *watch.seen.lock().unwrap();
    let steps = watch.steps.lock().unwrap().clone();
    serde_json::to_string(&Looked { steps, seconds: time.as_secs_f64(), hellos, connections, ..looked }).unwrap()
}

fn summary(seen: &[Observation]) -> Looked {
    fn read<T: serde::de::DeserializeOwned>(seen: &[Observation], kind: &str) -> Option<T> {
        seen.iter().find(|one| one.kind == kind)?.read().ok()
    }
    let mut looked = Looked::default();
    let protocols: Option<Protocols> = read(seen, "tls.protocols");
    for offered in protocols.into_iter().flat_map(|protocols| protocols.offered) {
        looked.suites.insert(offered.name, 0);
    }
    let suites: Option<Suites> = read(seen, "tls.suites");
    for suite in suites.into_iter().flat_map(|suites| suites.suites) {
        *looked.suites.entry(suite.protocol).or_default() += 1;
    }
    looked.groups = read::<Groups>(seen, "tls.groups").map_or(0, |groups| groups.groups.len());
    let certificates: Option<Certificates> = read(seen, "tls.certificates");
    let deployments = certificates.into_iter().flat_map(|certificates| certificates.deployments);
    looked.keys = deployments.map(|one| one.leaf.key_type).collect();
    looked
}
