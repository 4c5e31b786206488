//! The collector of SQLite files: what the bytes show, and what the rows are.
//!
//! The file is opened for reading only, and every statement has a time after which it is stopped.

mod inventory;
mod posture;
pub mod retention;
mod store;
pub mod subjects;

use crate::collect::traces::Wanted;
use crate::collect::{CollectContext, Collecting, Collector, Job};
use crate::model::database::{Audit, Auth, Backup, Transport};
use crate::model::host::{Files, StorePath};
use crate::model::retention::Schedule;
use crate::model::target::Engine;
use crate::model::{Fact, Method, Observation, Reason, Target, TargetKind, Trouble};
use jiff::Timestamp;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
pub use store::Store;

/// Looks at SQLite files.
pub struct Sqlite;

const KINDS: &[&str] = &[
    "data.inventory",
    "data.retention",
    "data.subjects",
    "db.at_rest",
    "db.audit",
    "db.auth",
    "db.backup",
    "db.files",
    "db.transport",
];

impl Collector for Sqlite {
    fn id(&self) -> &'static str {
        "sqlite"
    }

    fn accepts(&self, target: &Target) -> bool {
        matches!(target.kind, TargetKind::File | TargetKind::Database) && target.engine == Some(Engine::Sqlite)
    }

    fn yields(&self) -> &'static [&'static str] {
        KINDS
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let path = job.target.connection.path.clone().unwrap_or_else(|| PathBuf::from(&job.target.address));
            let stop = Arc::new(AtomicBool::new(false));
            let look = Look {
                target: job.target.id.clone(),
                path,
                now: cx.clock.now(),
                schedule: cx.documents.retention.clone(),
                wanted: Wanted::of(cx),
                stop: Arc::clone(&stop),
            };
            cx.progress.step(&job.target.id, "", 0, 1, "reading the file");
            // Reading a file blocks, so it runs on a thread for that, which is told when to stop. Each observation comes
            // as soon as it is complete, so that what ends the rest does not take it along.
            let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
            let work = tokio::task::spawn_blocking(move || look.all(&mut |observation| drop(tell.send(observation))));
            let deadline = tokio::time::sleep(cx.limits.target_time);
            let trouble = tokio::select! {
                _ = work => Trouble::new(Reason::Internal, "the thread that read the file broke"),
                () = cx.cancel.cancelled() => Trouble::new(Reason::Interrupted, "stopped by the user"),
                () = deadline => Trouble::new(Reason::TimedOut, "the file was not read in time"),
            };
            let mut seen: Vec<Observation> = std::iter::from_fn(|| told.try_recv().ok()).collect();
            // Only now: what is told from here on may be cut short, and nobody hears it.
            stop.store(true, Ordering::Relaxed);
            let missing: Vec<&str> =
                KINDS.iter().copied().filter(|kind| seen.iter().all(|observation| observation.kind != *kind)).collect();
            seen.extend(
                missing.iter().map(|kind| {
                    Observation::failed(kind, &job.target.id, "", "sqlite", cx.clock.now(), trouble.clone())
                }),
            );
            seen.sort_by(|one, other| one.kind.cmp(&other.kind));
            seen
        })
    }
}

/// One look at one file.
struct Look {
    target: String,
    path: PathBuf,
    now: Timestamp,
    schedule: Option<Schedule>,
    wanted: Result<Wanted, Trouble>,
    stop: Arc<AtomicBool>,
}

impl Look {
    /// Tells every observation, each as soon as it is complete.
    fn all(&self, tell: &mut dyn FnMut(Observation)) {
        let posture = posture::read(&self.path);
        tell(match &posture {
            Ok(posture) => self.complete("db.at_rest", &posture.facts),
            Err(trouble) => self.failed("db.at_rest", trouble),
        });
        tell(self.files(posture.as_ref().err()));
        self.without_a_server(posture.as_ref().err()).into_iter().for_each(&mut *tell);
        match enter(&posture, &self.path, Arc::clone(&self.stop)) {
            Ok(mut store) => {
                tell(self.inventory(&mut store));
                tell(self.retention(&mut store));
                tell(self.subjects(&store));
            }
            Err(trouble) => {
                for kind in ["data.inventory", "data.retention", "data.subjects"] {
                    tell(self.failed(kind, &trouble));
                }
            }
        }
    }

    /// Where the file lies; its log and journal lie beside it.
    fn files(&self, trouble: Option<&Trouble>) -> Observation {
        let path = std::path::absolute(&self.path).map(|path| path.to_str().map(str::to_owned));
        match (trouble, path) {
            (Some(trouble), _) => self.failed("db.files", trouble),
            (None, Ok(Some(path))) => {
                let files = vec![StorePath { kind: "data".to_owned(), path }];
                let beside = ["wal", "journal"].map(str::to_owned).to_vec();
                self.complete("db.files", &Files { files, beside, identity: None })
            }
            (None, _) => self.failed("db.files", &Trouble::new(Reason::Unsupported, "the path of the file is no text")),
        }
    }

    fn inventory(&self, store: &mut Store) -> Observation {
        let Some(schedule) = &self.schedule else { return self.failed("data.inventory", &no_schedule()) };
        match inventory::read(store, schedule, &self.target) {
            Ok((inventory, None)) => self.complete("data.inventory", &inventory),
            Ok((inventory, Some(cut))) => self.complete("data.inventory", &inventory).partial(cut),
            Err(trouble) => self.failed("data.inventory", &trouble),
        }
    }

    fn retention(&self, store: &mut Store) -> Observation {
        let Some(schedule) = &self.schedule else { return self.failed("data.retention", &no_schedule()) };
        self.complete("data.retention", &retention::measure(store, schedule, &self.target, self.now)).by(Method::Test)
    }

    fn subjects(&self, store: &Store) -> Observation {
        match &self.wanted {
            Ok(wanted) => self.complete("data.subjects", &subjects::find(store, wanted, &self.target)).by(Method::Test),
            Err(trouble) => self.failed("data.subjects", trouble),
        }
    }

    /// A file has no network, accounts or log of its own.
    fn without_a_server(&self, trouble: Option<&Trouble>) -> Vec<Observation> {
        if let Some(trouble) = trouble {
            return ["db.audit", "db.auth", "db.backup", "db.transport"].map(|kind| self.failed(kind, trouble)).into();
        }
        vec![
            self.complete("db.audit", &no_audit()),
            self.complete("db.auth", &no_auth()),
            self.complete("db.backup", &Backup { applicable: false, means: Vec::new() }),
            self.complete("db.transport", &no_transport()),
        ]
    }

    fn complete<T: Serialize>(&self, kind: &str, facts: &T) -> Observation {
        Observation::complete(kind, &self.target, "", "sqlite", self.now, facts)
            .map(|observation| observation.by(Method::Examine))
            .unwrap_or_else(|_| self.failed(kind, &Trouble::new(Reason::Internal, "the facts have no JSON form")))
    }

    fn failed(&self, kind: &str, trouble: &Trouble) -> Observation {
        Observation::failed(kind, &self.target, "", "sqlite", self.now, trouble.clone())
    }
}

/// Opens a file of this posture.
fn enter(posture: &Result<posture::Posture, Trouble>, path: &Path, stop: Arc<AtomicBool>) -> Result<Store, Trouble> {
    match posture {
        Ok(posture) if posture.readable => Store::open(path, stop),
        Ok(_) => Err(Trouble::new(Reason::Unsupported, "the file is encrypted, and no key to it is known here")),
        Err(trouble) => Err(trouble.clone()),
    }
}

fn no_schedule() -> Trouble {
    Trouble::new(Reason::Unsupported, "there is no retention schedule")
}

fn none<T>() -> Fact<T> {
    Fact::unknown("a database file has no server")
}

fn no_transport() -> Transport {
    Transport {
        applicable: false,
        tls_offered: none(),
        certificate_verified: none(),
        session: none(),
        ssl_setting: none(),
        min_protocol: none(),
        max_protocol: none(),
        plaintext_login: none(),
        plain_sessions: none(),
        remote_sessions: none(),
        hba: none(),
        encryption: Vec::new(),
        plaintext: Vec::new(),
    }
}

fn no_auth() -> Auth {
    Auth {
        applicable: false,
        methods: none(),
        password_encryption: none(),
        fast_hashes: none(),
        slow_hashes: none(),
        accounts_without_password: none(),
        password_storage: Vec::new(),
        superusers: none(),
        login_superusers: none(),
        privileged: none(),
        public_create: none(),
        public_grants: none(),
        default_accounts: none(),
        reach: Vec::new(),
    }
}

fn no_audit() -> Audit {
    Audit {
        applicable: false,
        logging: Vec::new(),
        connections: none(),
        disconnections: none(),
        statements: none(),
        destination: none(),
        collector: none(),
        extension: none(),
        extension_classes: none(),
        server_version: Fact::Known(rusqlite::version().to_owned()),
    }
}
