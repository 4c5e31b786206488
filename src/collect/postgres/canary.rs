//! The proof on a server's disk: the one session that writes, and the search of the folders that the server names.

use super::limit::Limit;
use super::session::{Session, clean};
use super::{Postgres, files, log_in, reopen, settings::Settings};
use crate::collect::proof::{Canary, Part, Prover, Search, layout, leaving};
use crate::collect::server::{Look, Server as _};
use crate::collect::{CollectContext, Job};
use crate::model::proof::{Proof, Searched};
use crate::model::{Fact, Reason, Trouble};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

/// Time for a checkpoint, which writes all that waits.
const CHECKPOINT: Duration = Duration::from_secs(120);
/// How often the value is sorted, so that it does not fit into the session's memory.
const COPIES: u32 = 20_000;

/// Makes the proof.
pub async fn prove(
    job: &Job,
    cx: &CollectContext,
    prover: &Prover,
    canary: Arc<Canary>,
    stop: Arc<AtomicBool>,
) -> Result<Proof, Trouble> {
    let address = *job.addresses.first().ok_or_else(|| Trouble::new(Reason::Unreachable, "the host has no address"))?;
    // What is written must be taken out again, also where the user stops the run: the search hears of the stop by itself.
    let lasting = CollectContext { cancel: CancellationToken::new(), ..cx.clone() };
    let look = Look::of::<Postgres>(&job.target, &lasting);
    let (greeting, entry) = Postgres.greet(&look, address).await?;
    let tls = greeting.session.is_ok();
    let reopen = || reopen(&look, address, tls);
    let session = log_in(&look, entry?, &reopen).await?;
    let proof = Proving { session: &session, canary: &canary, prover, stop: &stop }.run().await;
    session.close().await;
    proof
}

struct Proving<'a, 's> {
    session: &'a Session<'s>,
    canary: &'a Arc<Canary>,
    prover: &'a Prover,
    stop: &'a Arc<AtomicBool>,
}

impl Proving<'_, '_> {
    async fn run(&self) -> Result<Proof, Trouble> {
        let folder = self.folder().await?;
        // The search lasts while a transaction is open, since only that keeps temporary files.
        let settings =
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE; SET idle_in_transaction_session_timeout = 0";
        self.session.rows(settings).await?;
        // Only a superuser may; who may not finds the value in the server's log, where that has statements.
        let quiet = self.session.rows("SET log_statement = 'none'").await.is_ok()
            && self.session.rows("SET log_min_duration_statement = -1").await.is_ok();
        let schema = self.canary.name.clone();
        self.session.rows(&format!("CREATE SCHEMA {schema}")).await.map_err(|trouble| match trouble.reason {
            Reason::PermissionDenied => Trouble::new(
                Reason::PermissionDenied,
                "the role may not create a schema: GRANT CREATE ON DATABASE to it, for the time of the proof",
            ),
            _ => trouble,
        })?;
        let searched = self.look(&folder).await;
        let removed = self.remove(&folder).await;
        let rest = format!("the schema {schema}; DROP SCHEMA {schema} CASCADE removes it");
        let mut left = vec![
            "segments of pg_wal, until the server uses them again".to_owned(),
            "free blocks of the disk, archived logs, replicas, and snapshots that were made meanwhile".to_owned(),
        ];
        if !quiet {
            left.push("the server's own log, where it logs statements".to_owned());
        }
        if removed.known() != Some(&true) {
            left.insert(0, rest.clone());
        }
        let (control, searched) = searched.map_err(|trouble| leaving(trouble, &removed, &rest))?;
        Ok(Proof { seed: format!("{:016x}", self.canary.seed), control, searched, removed, left })
    }

    /// The folder of the data on this machine, once it is known to be this server's.
    async fn folder(&self) -> Result<PathBuf, Trouble> {
        let settings = Settings::read(self.session).await;
        let told = files::ask(self.session, &settings).await?;
        let said = told.files.iter().find(|file| file.kind == "data").map(|file| PathBuf::from(&file.path));
        let folder = self.prover.data.clone().or(said);
        let folder = folder.ok_or_else(|| Trouble::new(Reason::Unsupported, "the server names no folder"))?;
        let control = folder.join("global/pg_control");
        let here = std::fs::read(&control).map_err(|error| {
            let why = if error.kind() == std::io::ErrorKind::NotFound {
                "the folder of the data is not on this machine; name where it is mounted by --data".to_owned()
            } else {
                format!(
                    "global/pg_control cannot be read: {}; run it as root or as the server's own user",
                    error.kind()
                )
            };
            Trouble::new(Reason::PermissionDenied, why)
        })?;
        let number = here.first_chunk::<8>().map(|bytes| u64::from_ne_bytes(*bytes).to_string());
        if number.is_none() || number != told.identity {
            return Err(Trouble::new(
                Reason::ProtocolViolation,
                "the folder of the data here is that of another server; name the right one by --data",
            ));
        }
        Ok(folder)
    }

    /// Writes the value, and searches for it in every kind of file.
    async fn look(&self, folder: &Path) -> Result<(bool, Vec<Searched>), Trouble> {
        let (schema, text) = (&self.canary.name, self.canary.text());
        let start = SystemTime::now().checked_sub(Duration::from_secs(2)).unwrap_or(SystemTime::UNIX_EPOCH);
        self.session.rows(&format!("CREATE TABLE {schema}.canary (t text, b bytea)")).await?;
        let insert = format!("INSERT INTO {schema}.canary VALUES ('{text}', '\\x{text}')");
        self.session.rows(&insert).await?;
        self.checkpoint().await?;
        let place = self.session.value(&format!("SELECT pg_relation_filepath('{schema}.canary')")).await?;
        // A cursor over a sort that does not fit into memory keeps its temporary files until it is closed.
        let sort = format!(
            "SET work_mem = '64kB'; BEGIN; DECLARE c CURSOR FOR SELECT c.t, n FROM {schema}.canary c, \
             generate_series(1, {COPIES}) n ORDER BY md5(n::text); FETCH 1 FROM c"
        );
        self.session.rows(&sort).await?;
        let searched = self.search(folder, clean(&place), start).await;
        self.session.rows("ROLLBACK").await?;
        searched
    }

    async fn search(&self, folder: &Path, place: String, start: SystemTime) -> Result<(bool, Vec<Searched>), Trouble> {
        let (canary, stop) = (Arc::clone(self.canary), Arc::clone(self.stop));
        let (folder, device) = (folder.to_owned(), self.prover.device.clone());
        self.blocking(move || {
            let search = Search::new(&canary, &std::env::temp_dir(), &stop)?;
            let table = folder.join(&place);
            if !table.exists() {
                return Err(Trouble::new(
                    Reason::Unreachable,
                    "the file of the table is not in the folder of the data",
                ));
            }
            let mut parts = layout::parts(&folder, layout::postgres, &[("wal", start)])?;
            if let Some(device) = device {
                let of = Path::new("/").to_owned();
                parts.push(Part { kind: "device".to_owned(), files: vec![device], folder: of, ..Part::default() });
            }
            Ok((search.control(), parts.iter().map(|part| search.part(part)).collect()))
        })
        .await
    }

    /// Takes the schema out, and looks whether the value is gone from the tables' files.
    async fn remove(&self, folder: &Path) -> Fact<bool> {
        let dropped = async {
            // A step that failed may have left a transaction open.
            let _ = self.session.rows("ROLLBACK").await;
            self.session.rows(&format!("DROP SCHEMA {} CASCADE", self.canary.name)).await?;
            self.checkpoint().await?;
            let (canary, folder) = (Arc::clone(self.canary), folder.to_owned());
            self.blocking(move || {
                // The removal is looked at also where the search was stopped.
                let stop = AtomicBool::new(false);
                let search = Search::new(&canary, &std::env::temp_dir(), &stop)?;
                let parts = layout::parts(&folder, layout::postgres, &[])?;
                let tables = parts.into_iter().filter(|part| matches!(part.kind.as_str(), "data" | "tablespace"));
                search.finds(&tables.flat_map(|part| part.files).collect::<Vec<_>>())
            })
            .await
        };
        match dropped.await {
            Ok(found) => Fact::Known(!found),
            Err(trouble) => Fact::unknown(trouble.to_string()),
        }
    }

    async fn checkpoint(&self) -> Result<(), Trouble> {
        self.session.rows("SET statement_timeout = '110s'").await?;
        let asked = self.session.bounded(Limit::new(CHECKPOINT, "the checkpoint"), async {
            self.session.client.simple_query("CHECKPOINT").await.map_err(|error| super::session::trouble(&error))
        });
        asked.await?.map(|_| ()).map_err(|trouble| match trouble.reason {
            Reason::PermissionDenied => Trouble::new(
                Reason::PermissionDenied,
                "the role may not CHECKPOINT: GRANT pg_checkpoint to it (PostgreSQL 15 or newer), for the time of the proof",
            ),
            _ => trouble,
        })
    }

    /// Reads files on a thread that may wait for them.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|_| Err(Trouble::new(Reason::Internal, "the thread of the search broke")))
    }
}
