//! The proof on a MariaDB server's disk: the one session that writes, and the search of the folders that the server names.

use super::session::Session;
use super::{Mysql, log_in, reopen};
use crate::collect::answer::{number, text};
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

/// Time for a statement that writes to the disk all that waits.
const FLUSH: Duration = Duration::from_secs(120);
/// How many rows are written at least, and at the most: so many that a file has blocks to weigh, and that a transaction does
/// not fit into the session's memory.
const ROWS: (u64, u64) = (2_000, 4_000);
/// The bytes of a row's value as text.
const VALUE: u64 = 128;
/// Pages of Aria, the first of which is always plain.
const ARIA_PAGE: u64 = 8192;

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
    let look = Look::of::<Mysql>(&job.target, &lasting);
    let (greeting, entry) = Mysql::default().greet(&look, address).await?;
    let tls = greeting.session.is_ok();
    let reopen = || reopen(&look, address, tls);
    let session = log_in(&look, entry?, &reopen).await?;
    let proof = if session.mariadb {
        Proving { session: &session, canary: &canary, prover, stop: &stop }.run().await
    } else {
        Err(Trouble::new(Reason::Unsupported, "the server is MySQL, for which there is no proof in this build"))
    };
    session.close().await;
    proof
}

struct Proving<'a, 's> {
    session: &'a Session<'s>,
    canary: &'a Arc<Canary>,
    prover: &'a Prover,
    stop: &'a Arc<AtomicBool>,
}

/// Where the server keeps its files, on this machine.
#[derive(Clone)]
struct Folders {
    data: PathBuf,
    /// Folders of logs, which may be the same.
    logs: Vec<PathBuf>,
    temporary: Vec<PathBuf>,
    process: Option<u32>,
    /// The bytes of a page of InnoDB.
    page: u64,
}

/// What went through a kind of file for sure, so that its absence there is a proof.
#[derive(Clone, Copy, Default)]
struct Written {
    redo: bool,
    binary: bool,
}

impl Proving<'_, '_> {
    async fn run(&self) -> Result<Proof, Trouble> {
        let folders = self.folders().await?;
        self.session.rows("SET SESSION TRANSACTION READ WRITE").await?;
        // Who may not do this finds the value in the server's own logs, where these have statements.
        let quiet = self.session.rows("SET SESSION sql_log_off = 1, slow_query_log = 0").await.is_ok();
        let name = self.canary.name.clone();
        self.session.rows(&format!("CREATE DATABASE {name}")).await.map_err(|trouble| self.lacking(trouble))?;
        let searched = self.look(&folders).await;
        let removed = self.remove(&folders).await;
        let rest = format!("the database {name}; DROP DATABASE {name} removes it");
        let mut left = vec![
            "the redo log, until the server writes over it; binary logs until they expire, and replicas that read them"
                .to_owned(),
            "the Aria log, undo logs, free blocks of the disk, and snapshots that were made meanwhile".to_owned(),
            "the log of an audit plugin, where it has statements".to_owned(),
        ];
        if !quiet {
            left.push("the general log and that of slow queries, where the server keeps them".to_owned());
        }
        if removed.known() != Some(&true) {
            left.insert(0, rest.clone());
        }
        let (control, searched) = searched.map_err(|trouble| leaving(self.lacking(trouble), &removed, &rest))?;
        Ok(Proof { seed: format!("{:016x}", self.canary.seed), control, searched, removed, left })
    }

    /// A trouble, with the rights that the proof needs where one is missing.
    fn lacking(&self, trouble: Trouble) -> Trouble {
        if trouble.reason != Reason::PermissionDenied || trouble.detail.contains("GRANT") {
            return trouble;
        }
        let words = format!(
            "the account may not write a database of its own: GRANT CREATE, DROP, INSERT, SELECT, LOCK TABLES, CREATE \
             TEMPORARY TABLES ON `probity\\_canary\\_%`.* TO {0} and GRANT RELOAD ON *.* TO {0}, for the time of the proof",
            self.session.account
        );
        Trouble::new(Reason::PermissionDenied, words)
    }

    async fn folders(&self) -> Result<Folders, Trouble> {
        let row = self
            .session
            .row(
                "SELECT @@datadir, @@innodb_log_group_home_dir, COALESCE(@@log_bin_basename, ''), @@aria_log_dir_path, \
                 @@tmpdir, @@innodb_page_size, @@pid_file, COALESCE(@@innodb_undo_directory, '')",
            )
            .await?;
        let told = PathBuf::from(text(&row, 0)?);
        let data = self.prover.data.clone().unwrap_or_else(|| told.clone());
        // A folder inside of the data is looked for where the data is mounted here.
        let here = |path: PathBuf| {
            let path = told.join(path);
            path.strip_prefix(&told).map_or_else(|_| path.clone(), |below| data.join(below))
        };
        let mut logs = vec![here(text(&row, 1)?.into()), here(text(&row, 3)?.into()), here(text(&row, 7)?.into())];
        if let Some(folder) = Path::new(&text(&row, 2)?).parent().filter(|folder| folder.is_absolute()) {
            logs.push(here(folder.to_owned()));
        }
        let process = std::fs::read_to_string(here(text(&row, 6)?.into())).ok();
        Ok(Folders {
            logs,
            temporary: text(&row, 4)?.split(':').filter(|folder| !folder.is_empty()).map(PathBuf::from).collect(),
            process: process.and_then(|number| number.trim().parse().ok()),
            page: number(&row, 5)?,
            data,
        })
    }

    /// The folder of the new database shows that the data here is this server's.
    fn is_here(&self, folders: &Folders) -> Result<(), Trouble> {
        match std::fs::read_dir(folders.data.join(&self.canary.name)) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Trouble::new(
                Reason::Unreachable,
                "the folder of the data is not on this machine, or is that of another server; name where it is mounted by \
                 --data",
            )),
            Err(error) => Err(Trouble::new(
                Reason::PermissionDenied,
                format!(
                    "the folder of the data cannot be read: {}; run it as root or as the server's own user",
                    error.kind()
                ),
            )),
        }
    }

    /// Writes the value, and searches for it in every kind of file.
    async fn look(&self, folders: &Folders) -> Result<(bool, Vec<Searched>), Trouble> {
        self.is_here(folders)?;
        let (name, value) = (&self.canary.name, self.canary.text());
        let start = SystemTime::now().checked_sub(Duration::from_secs(2)).unwrap_or(SystemTime::UNIX_EPOCH);
        // The table of Aria has no index: pages of an index may hold what stood in memory before.
        for (table, engine) in [("canary", "InnoDB"), ("canary_aria", "Aria TRANSACTIONAL = 1")] {
            let columns = "n int NOT NULL, t varchar(128) CHARACTER SET ascii, b varbinary(64)";
            self.session.rows(&format!("CREATE TABLE {name}.{table} ({columns}) ENGINE = {engine}")).await?;
        }
        let before = (self.position().await?, self.binary_bytes(folders), self.temporary_bytes(folders));
        let cache = number(&self.session.row("SELECT @@binlog_cache_size").await?, 0)?;
        let rows = (cache.saturating_mul(3) / (2 * VALUE)).clamp(ROWS.0, ROWS.1);
        let row = |n: u64| format!("({n}, '{value}', X'{value}')");
        let values: Vec<String> = (1..=rows).map(row).collect();
        self.session.rows("START TRANSACTION").await?;
        self.session.within(&format!("INSERT INTO {name}.canary VALUES {}", values.join(", ")), FLUSH).await?;
        // A transaction that does not fit into memory waits in a temporary file until it ends.
        let temporary = self.temporary_bytes(folders) >= before.2.saturating_add(VALUE);
        let mut searched = vec![];
        let control = {
            let parts = vec![self.temporary(folders, temporary)];
            let (control, seen) = self.search(parts).await?;
            searched.extend(seen);
            control
        };
        self.session.rows("COMMIT").await?;
        // The first rows of an empty table are not logged one by one.
        for chunk in [values.as_slice(), values.get(..8).unwrap_or_default()] {
            self.session.within(&format!("INSERT INTO {name}.canary_aria VALUES {}", chunk.join(", ")), FLUSH).await?;
        }
        self.session.within(&format!("FLUSH TABLES {name}.canary_aria"), FLUSH).await?;
        self.session.within(&format!("FLUSH TABLES {name}.canary FOR EXPORT"), FLUSH).await?;
        let compressed = self.session.row("SELECT @@log_bin_compress").await.and_then(|row| number(&row, 0));
        let written = Written {
            redo: self.position().await? >= before.0.saturating_add(rows.saturating_mul(VALUE)),
            binary: compressed.is_ok_and(|on| on == 0)
                && self.binary_bytes(folders) >= before.1.saturating_add(rows.saturating_mul(VALUE)),
        };
        let found = self.search(self.parts(folders, written, start)?).await;
        let _ = self.session.rows("UNLOCK TABLES").await;
        let (still, seen) = found?;
        searched.extend(seen);
        searched.sort_by(|one, other| one.kind.cmp(&other.kind));
        Ok((control && still, searched))
    }

    /// How far the redo log has come.
    async fn position(&self) -> Result<u64, Trouble> {
        number(&self.session.row("SHOW GLOBAL STATUS LIKE 'Innodb_lsn_current'").await?, 1)
    }

    fn binary_bytes(&self, folders: &Folders) -> u64 {
        let binary = logs(folders).into_iter().filter(|(kind, _)| *kind == "binary log");
        binary.filter_map(|(_, file)| std::fs::metadata(file).ok()).map(|about| about.len()).sum()
    }

    fn temporary_bytes(&self, folders: &Folders) -> u64 {
        unnamed(folders).iter().filter_map(|file| std::fs::metadata(file).ok()).map(|about| about.len()).sum()
    }

    /// Temporary files by name, and those that the server has deleted and still writes to.
    fn temporary(&self, folders: &Folders, written: bool) -> Part {
        let named = folders.temporary.iter().flat_map(|folder| layout::beside(folder));
        let mut files: Vec<PathBuf> = named
            .filter(|file| layout::mariadb(Path::new(file.file_name().unwrap_or_default())) == Some("temp"))
            .collect();
        files.extend(unnamed(folders));
        files.push(folders.data.join("ibtmp1"));
        files.sort();
        files.dedup();
        Part { kind: "temp".to_owned(), files, folder: folders.data.clone(), written, ..Part::default() }
    }

    fn parts(&self, folders: &Folders, written: Written, start: SystemTime) -> Result<Vec<Part>, Trouble> {
        let mut parts = layout::parts(&folders.data, layout::mariadb, &[("binary log", start)])?;
        // Its temporary files were searched while the transaction was open.
        parts.retain(|part| part.kind != "temp");
        for (kind, file) in logs(folders) {
            let new =
                std::fs::metadata(&file).and_then(|about| about.modified()).map_or(true, |changed| changed >= start);
            match parts.iter_mut().find(|part| part.kind == kind) {
                _ if kind == "temp" || (kind == "binary log" && !new) => {}
                Some(part) => part.files.push(file),
                None => parts.push(Part {
                    kind: kind.to_owned(),
                    files: vec![file],
                    folder: folders.data.clone(),
                    ..Part::default()
                }),
            }
        }
        let own = folders.data.join(&self.canary.name).join("canary_aria.MAD");
        parts.push(Part {
            kind: "data of Aria".to_owned(),
            files: vec![own],
            folder: folders.data.clone(),
            plain_start: ARIA_PAGE,
            ..Part::default()
        });
        for part in &mut parts {
            part.files.sort();
            part.files.dedup();
            match part.kind.as_str() {
                "data" => (part.plain_start, part.page) = (folders.page, folders.page),
                // The server makes two for its own logs, which stay empty where these are files.
                "other tables" => {
                    part.files.retain(|file| std::fs::metadata(file).map_or(true, |about| about.len() > 0))
                }
                "redo log" => part.written = written.redo,
                "binary log" => part.written = written.binary,
                _ => {}
            }
        }
        if let Some(device) = &self.prover.device {
            let (kind, files) = ("device".to_owned(), vec![device.clone()]);
            parts.push(Part { kind, files, folder: PathBuf::from("/"), ..Part::default() });
        }
        Ok(parts)
    }

    async fn search(&self, parts: Vec<Part>) -> Result<(bool, Vec<Searched>), Trouble> {
        let (canary, stop) = (Arc::clone(self.canary), Arc::clone(self.stop));
        blocking(move || {
            let search = Search::new(&canary, &std::env::temp_dir(), &stop)?;
            Ok((search.control(), parts.iter().map(|part| search.part(part)).collect()))
        })
        .await
    }

    /// Takes the database out, and looks whether the value is gone from the tables' files.
    async fn remove(&self, folders: &Folders) -> Fact<bool> {
        let dropped = async {
            // A step that failed may have left a lock or a transaction.
            let _ = self.session.rows("UNLOCK TABLES").await;
            let _ = self.session.rows("ROLLBACK").await;
            self.session.within(&format!("DROP DATABASE {}", self.canary.name), FLUSH).await?;
            if folders.data.join(&self.canary.name).exists() {
                return Err(Trouble::new(Reason::Internal, "the folder of the database is still there"));
            }
            let (canary, folder) = (Arc::clone(self.canary), folders.data.clone());
            blocking(move || {
                // The removal is looked at also where the search was stopped.
                let stop = AtomicBool::new(false);
                let search = Search::new(&canary, &std::env::temp_dir(), &stop)?;
                let tables = layout::parts(&folder, layout::mariadb, &[])?.into_iter();
                let tables = tables.filter(|part| part.kind == "data" || part.kind == "other tables");
                search.finds(&tables.flat_map(|part| part.files).collect::<Vec<_>>())
            })
            .await
        };
        match dropped.await {
            Ok(found) => Fact::Known(!found),
            Err(trouble) => Fact::unknown(trouble.to_string()),
        }
    }
}

/// Logs that lie in folders of their own, each with its kind.
fn logs(folders: &Folders) -> Vec<(&'static str, PathBuf)> {
    let mut found = Vec::new();
    for folder in &folders.logs {
        for file in layout::beside(folder) {
            let name = PathBuf::from(file.file_name().unwrap_or_default());
            found.extend(layout::mariadb(&name).filter(|kind| kind.ends_with("log")).map(|kind| (kind, file)));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Files that the server has deleted and keeps open, where this user may see them.
fn unnamed(folders: &Folders) -> Vec<PathBuf> {
    let Some(process) = folders.process else { return Vec::new() };
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let deleted = |path: &PathBuf| {
        let Ok(place) = std::fs::read_link(path) else { return false };
        let in_folder = folders.temporary.iter().any(|folder| place.starts_with(folder));
        in_folder && place.to_string_lossy().ends_with("(deleted)")
    };
    open.map(|entry| entry.path()).filter(deleted).collect()
}

/// Reads files on a thread that may wait for them.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Trouble> + Send + 'static) -> Result<T, Trouble> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Err(Trouble::new(Reason::Internal, "the thread of the search broke")))
}
