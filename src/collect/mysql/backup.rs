//! Facts about copies against loss: what the programs that make them write down in the server itself.

use super::session::Session;
use crate::collect::answer::{Row, clean, text};
use crate::model::database::{Backup, BackupMeans};
use crate::model::{Fact, Reason, Trouble};
use jiff::Timestamp;

/// A table that a program keeps, and what stands in it of its newest whole copy and of its newest try.
struct History {
    /// The program.
    name: &'static str,
    table: &'static str,
    /// The seconds of the newest whole copy, and whether the newest try failed.
    query: &'static str,
    mariadb: bool,
}

/// The tables, the newer name of each first. mariadb-backup and XtraBackup write a row when they are done, with `--history`,
/// so that a try that failed leaves none; MySQL Enterprise Backup writes how each ended.
const HISTORIES: [History; 4] = [
    History {
        name: "mariadb-backup",
        table: "mysql.mariadb_backup_history",
        query: "SELECT UNIX_TIMESTAMP(MAX(end_time)) DIV 1, 0 FROM mysql.mariadb_backup_history WHERE partial = 'N'",
        mariadb: true,
    },
    History {
        name: "mariadb-backup",
        table: "PERCONA_SCHEMA.xtrabackup_history",
        query: "SELECT UNIX_TIMESTAMP(MAX(end_time)) DIV 1, 0 FROM PERCONA_SCHEMA.xtrabackup_history WHERE partial = 'N'",
        mariadb: true,
    },
    History {
        name: "XtraBackup",
        table: "PERCONA_SCHEMA.xtrabackup_history",
        query: "SELECT UNIX_TIMESTAMP(MAX(end_time)) DIV 1, 0 FROM PERCONA_SCHEMA.xtrabackup_history WHERE partial = 'N'",
        mariadb: false,
    },
    History {
        name: "MySQL Enterprise Backup",
        table: "mysql.backup_history",
        query: "SELECT UNIX_TIMESTAMP(MAX(CASE WHEN exit_state = 'SUCCESS' THEN end_time END)) DIV 1, \
                COALESCE(MAX(CASE WHEN exit_state = 'SUCCESS' THEN NULL ELSE end_time END) > \
                MAX(CASE WHEN exit_state = 'SUCCESS' THEN end_time END), 0) FROM mysql.backup_history",
        mariadb: false,
    },
];

/// Asks the server.
pub async fn ask(session: &Session<'_>, now: Timestamp) -> Backup {
    let mut means: Vec<BackupMeans> = Vec::new();
    for history in HISTORIES.iter().filter(|history| history.mariadb == session.mariadb) {
        // The older table of a program is of interest where the newer one is not there.
        if means.iter().any(|other| other.name == history.name) {
            continue;
        }
        let told = session.rows(history.query).await.map(|rows| rows.into_iter().next().unwrap_or_default());
        means.extend(judge(history, told, &session.grant(&format!("SELECT ON {}", history.table)), now));
    }
    if means.is_empty() {
        let why = "no program that makes copies has written a history into this server (mariadb-backup --history, for example)";
        means.push(BackupMeans::untold("history of copies", why));
    }
    Backup { applicable: true, means }
}

/// What a table shows; nothing where the server has none of this name.
fn judge(history: &History, told: Result<Row, Trouble>, grant: &str, now: Timestamp) -> Option<BackupMeans> {
    let read = |row: Row| {
        let last = match row.first() {
            Some(None) => None,
            _ => Some(
                text(&row, 0)?
                    .parse()
                    .ok()
                    .and_then(|second| Timestamp::from_second(second).ok())
                    .ok_or_else(strange)?,
            ),
        };
        Ok((last, text(&row, 1)? == "1"))
    };
    match told.and_then(read) {
        Ok((Some(at), failed)) => {
            let seen = format!("{} wrote down a whole copy that ended at {at}", history.name);
            Some(BackupMeans::new(history.name, Fact::Known(at), Fact::Known(failed), seen, now))
        }
        Ok((None, _)) => {
            let why = format!("{} has written down no whole copy", history.name);
            Some(BackupMeans::untold(history.name, &why))
        }
        Err(trouble) if trouble.reason == Reason::Unsupported => None,
        Err(trouble) if trouble.reason == Reason::PermissionDenied => {
            Some(BackupMeans::untold(history.name, &clean(&format!("{trouble}; {grant}"))))
        }
        Err(trouble) => Some(BackupMeans::untold(history.name, &trouble.to_string())),
    }
}

fn strange() -> Trouble {
    Trouble::new(Reason::ProtocolViolation, "an answer has no instant where one must be")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(row: &[Option<&str>]) -> Option<BackupMeans> {
        let row = row.iter().map(|value| value.map(str::to_owned)).collect();
        judge(&HISTORIES[0], Ok(row), "", Timestamp::from_second(1_000).unwrap())
    }

    #[test]
    fn only_a_whole_copy_that_ended_counts() {
        let good = told(&[Some("900"), Some("0")]).unwrap();
        assert_eq!((good.age_s, good.last_failed), (Fact::Known(100), Fact::Known(false)));
        assert_eq!(told(&[Some("900"), Some("1")]).unwrap().last_failed, Fact::Known(true));
        for strange in [&[None, Some("0")][..], &[Some("soon"), Some("0")], &[Some("900")], &[]] {
            let means = told(strange).unwrap();
            assert!(means.age_s.known().is_none() && means.last_failed.known().is_none(), "{means:?}");
        }
    }

    #[test]
    fn a_table_that_is_not_there_is_left_out_and_one_that_is_hidden_is_named() {
        let fail = |reason| {
            let now = Timestamp::from_second(0).unwrap();
            judge(&HISTORIES[0], Err(Trouble::new(reason, "no")), "GRANT SELECT", now)
        };
        assert!(fail(Reason::Unsupported).is_none());
        assert!(fail(Reason::PermissionDenied).unwrap().seen.contains("GRANT SELECT"));
        assert!(fail(Reason::TimedOut).unwrap().age_s.known().is_none());
    }
}
