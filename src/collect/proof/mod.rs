//! The proof on the disk: a value that nobody else has is written through the database, looked for in the bytes of its
//! files, and taken out again.
//!
//! This is the only look that writes. No scan makes it: a person asks for it, on a copy where there is one.

mod canary;
pub mod layout;
mod search;
mod shell;
mod sqlite;
mod weight;

pub use canary::Canary;
pub use search::{Part, Search};

use crate::collect::{CollectContext, Collecting, Collector, Job};
use crate::model::proof::Proof;
use crate::model::target::Engine;
use crate::model::{Fact, Method, Observation, Reason, Target, Trouble};
use jiff::{SignedDuration, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The kind that it records.
pub const KIND: &str = "db.proof";
/// How long it is good evidence.
const GOOD: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Makes the proof on the targets that it is asked for.
#[derive(Clone, Default)]
pub struct Prover {
    /// The device below the file system, whose bytes are searched, too.
    pub device: Option<PathBuf>,
    /// The folder of the data, where it is not where the server says.
    pub data: Option<PathBuf>,
}

impl Prover {
    /// Why there is no proof for this target, where there is none.
    pub fn refuses(&self, target: &Target) -> Option<String> {
        match target.engine {
            Some(Engine::Sqlite) => None,
            Some(Engine::Postgresql) if cfg!(feature = "postgres") => None,
            Some(Engine::Mariadb) if cfg!(feature = "mysql") => None,
            Some(_) => Some("there is no proof for this engine in this build".to_owned()),
            None => Some("the proof is for databases and database files".to_owned()),
        }
    }

    /// What would be done, in sentences, without doing it.
    pub fn plan(&self, target: &Target) -> Vec<String> {
        let mut steps = match target.engine {
            Some(Engine::Sqlite) => sqlite_plan(target),
            Some(Engine::Mariadb) => mariadb_plan(self),
            _ => postgres_plan(self),
        };
        if let Some(device) = &self.device {
            steps.push(format!("read all bytes of {} and look for the value in them", device.display()));
        }
        steps.push(
            "weigh up to 256 blocks of each kind of file, chosen by a seed: are their bytes spread as by chance?"
                .to_owned(),
        );
        steps.push(
            "remove what was created and look whether the value is gone; its text is never written down".to_owned(),
        );
        steps
    }
}

fn sqlite_plan(target: &Target) -> Vec<String> {
    let file = target.connection.path.as_ref().map_or(target.address.clone(), |path| path.display().to_string());
    let how = if target.connection.password.is_some() {
        "the program sqlcipher, with the key of the target's credentials"
    } else {
        "SQLite, for writing"
    };
    vec![
        "write a value of 64 random bytes to a plain file of our own, and see that the search finds it there"
            .to_owned(),
        format!("open {file} by {how}"),
        "create a table probity_canary_... and write the value to it, as text and as bytes".to_owned(),
        format!("search {file}-wal, {file} after a checkpoint, and {file}-journal during a change that is taken back"),
    ]
}

fn postgres_plan(prover: &Prover) -> Vec<String> {
    let folder = prover
        .data
        .as_ref()
        .map_or("the data_directory of the server, which must be on this machine".to_owned(), |data| {
            data.display().to_string()
        });
    vec![
        "write a value of 64 random bytes to a plain file of our own, and see that the search finds it there"
            .to_owned(),
        "log in with the target's credentials, and turn off the log of statements for the session where the role may"
            .to_owned(),
        "create a schema probity_canary_... with a table, write the value to it as text and as bytes, and CHECKPOINT"
            .to_owned(),
        "sort the value many times over, so that temporary files are written".to_owned(),
        format!("search base, global and tablespaces, the log in pg_wal, and temporary files, all in {folder}"),
    ]
}

fn mariadb_plan(prover: &Prover) -> Vec<String> {
    let folder =
        prover.data.as_ref().map_or("the datadir of the server, which must be on this machine".to_owned(), |data| {
            data.display().to_string()
        });
    vec![
        "write a value of 64 random bytes to a plain file of our own, and see that the search finds it there"
            .to_owned(),
        "log in with the target's credentials, and turn off the general log for the session where the account may"
            .to_owned(),
        "create a database probity_canary_... with a table of InnoDB and one of Aria, and write the value to some thousand \
         rows of each, as text and as bytes; the binary log and replicas receive it, too"
            .to_owned(),
        "search temporary files while the transaction is open, then flush both tables".to_owned(),
        format!(
            "search the tablespaces of InnoDB, the table of Aria, the redo, undo, binary and Aria logs, each kind by itself, \
             all in {folder} and the folders of logs that the server names"
        ),
    ]
}

impl Collector for Prover {
    fn id(&self) -> &'static str {
        "proof"
    }

    fn accepts(&self, target: &Target) -> bool {
        self.refuses(target).is_none()
    }

    fn yields(&self) -> &'static [&'static str] {
        &[KIND]
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let canary = Arc::new(Canary::new(cx.random.as_ref()));
            let stop = Stop::after(cx);
            cx.progress.step(&job.target.id, "", 0, 1, "writing a value and searching for it");
            let proof = match job.target.engine {
                Some(Engine::Sqlite) => self.sqlite(job, cx, canary, Arc::clone(&stop.flag)).await,
                #[cfg(feature = "postgres")]
                Some(Engine::Postgresql) => {
                    crate::collect::postgres::prove(job, cx, self, canary, Arc::clone(&stop.flag)).await
                }
                #[cfg(feature = "mysql")]
                Some(Engine::Mariadb) => {
                    crate::collect::mysql::prove(job, cx, self, canary, Arc::clone(&stop.flag)).await
                }
                _ => Err(Trouble::new(Reason::Unsupported, "there is no proof for this engine in this build")),
            };
            vec![observation(&job.target, cx.clock.now(), proof)]
        })
    }
}

impl Prover {
    async fn sqlite(
        &self,
        job: &Job,
        cx: &CollectContext,
        canary: Arc<Canary>,
        stop: Arc<AtomicBool>,
    ) -> Result<Proof, Trouble> {
        let connection = &job.target.connection;
        let path = connection.path.clone().unwrap_or_else(|| PathBuf::from(&job.target.address));
        let key =
            match &connection.password {
                Some(reference) => Some(cx.secrets.read(reference).map_err(|why| {
                    Trouble::new(Reason::AuthenticationFailed, format!("the key cannot be had: {why}"))
                })?),
                None => None,
            };
        let device = self.device.clone();
        let work =
            tokio::task::spawn_blocking(move || sqlite::prove(&path, key.as_ref(), device.as_deref(), &canary, &stop));
        work.await.unwrap_or_else(|_| Err(Trouble::new(Reason::Internal, "the thread of the proof broke")))
    }
}

/// Tells a search to stop, when the time is over or the user says so. What was written is taken out all the same.
struct Stop {
    flag: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Stop {
    fn after(cx: &CollectContext) -> Stop {
        let flag = Arc::new(AtomicBool::new(false));
        let (told, cancel) = (Arc::clone(&flag), cx.cancel.clone());
        // A part of the time is left for the removal.
        let time = cx.limits.target_time.mul_f64(0.8);
        let task = tokio::spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = tokio::time::sleep(time) => {}
            }
            told.store(true, Ordering::Relaxed);
        });
        Stop { flag, task }
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A trouble that says what it leaves behind, where something is.
pub fn leaving(trouble: Trouble, removed: &Fact<bool>, rest: &str) -> Trouble {
    match removed.known() {
        Some(true) => trouble,
        _ => Trouble::new(trouble.reason, format!("{}; what is left: {rest}", trouble.detail)),
    }
}

fn observation(target: &Target, now: Timestamp, proof: Result<Proof, Trouble>) -> Observation {
    let failed = |trouble| Observation::failed(KIND, &target.id, "", "proof", now, trouble);
    let seen = proof.and_then(|proof| {
        Observation::complete(KIND, &target.id, "", "proof", now, &proof)
            .map_err(|_| Trouble::new(Reason::Internal, "the facts have no JSON form"))
    });
    match seen {
        Ok(mut seen) => {
            seen.expires = now.checked_add(GOOD).ok();
            seen.by(Method::Test)
        }
        Err(trouble) => failed(trouble),
    }
}
