//! Facts about files, copies and logs: on which disks the data lie, which backups were made, and what is written down.

use super::session::Session;
use crate::collect::answer::{Row, clean, fact, text};
use crate::model::database::{AtRest, Audit, Backup, BackupMeans, Layer, Sign, StoredFile};
use crate::model::{Fact, Reason, Trouble};
use jiff::Timestamp;
use std::collections::BTreeMap;

const DISKS: &str = "SELECT name, toString(is_encrypted), path FROM system.disks";
const PARTS: &str = "SELECT disk_name, toString(sum(bytes_on_disk)) FROM system.parts WHERE active GROUP BY disk_name";
const BACKUPS: &str = "SELECT toString(toUnixTimestamp(maxOrNull(if(status = 'BACKUP_CREATED', end_time, NULL)))), \
                       toString(toUnixTimestamp(maxOrNull(if(status = 'BACKUP_FAILED', end_time, NULL)))) FROM system.backups";
const LOGS: &str = "SELECT name FROM system.tables WHERE database = 'system' AND name IN ('query_log', 'session_log')";
/// What no answer of a server covers.
const NOT_COVERED: [&str; 6] = [
    "keys kept apart from the data",
    "descriptions of tables, temporary files and the server's own log",
    "replicas elsewhere",
    "tables that keep their data elsewhere",
    "older backups and exports",
    "memory, swap and core dumps",
];
/// How old the newest line of a log may be that is said to be written.
const FRESH: i64 = 24 * 3600;

/// Asks what is encrypted at rest.
///
/// # Errors
/// Where the server does not tell its disks.
pub async fn at_rest(session: &Session<'_>) -> Result<AtRest, Trouble> {
    let disks = session.rows(DISKS, "system.disks").await?;
    let parts = match sees_every_table(session).await {
        Ok(()) => session.rows(PARTS, "system.parts").await,
        Err(trouble) => Err(trouble),
    };
    judge(&disks, &fact(parts, &session.grant("SHOW TABLES ON *.*")))
}

/// The parts of a table that the account may not see are left out without a word, so that its right is looked at first.
async fn sees_every_table(session: &Session<'_>) -> Result<(), Trouble> {
    let grants = session.rows("SHOW GRANTS", "its own grants").await?;
    let mut lines = Vec::new();
    for row in &grants {
        lines.push(text(row, 0)?);
    }
    match may_see_all(&lines) {
        true => Ok(()),
        false => Err(Trouble::new(Reason::PermissionDenied, "tables that the account may not see would be left out")),
    }
}

/// Whether grants such as `GRANT SHOW TABLES, SHOW COLUMNS ON *.* TO auditor` show every table.
fn may_see_all(lines: &[String]) -> bool {
    let shows = |line: &String| {
        let rights = line.strip_prefix("GRANT ").and_then(|rest| rest.split_once(" ON *.* ")).map(|(rights, _)| rights);
        rights.is_some_and(|rights| rights.split(", ").any(|right| matches!(right, "ALL" | "SHOW" | "SHOW TABLES")))
    };
    lines.iter().any(shows) && !lines.iter().any(|line| line.starts_with("REVOKE"))
}

fn judge(disks: &[Row], parts: &Fact<Vec<Row>>) -> Result<AtRest, Trouble> {
    let mut encrypted = BTreeMap::new();
    let mut folders = Vec::new();
    for row in disks {
        let on = match text(row, 1)?.as_str() {
            "0" => false,
            "1" => true,
            _ => return Err(strange("system.disks")),
        };
        encrypted.insert(text(row, 0)?, on);
        folders.push(clean(&text(row, 2)?));
    }
    let plain = match parts {
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
        Fact::Known(rows) => Fact::Known(bytes(rows, &encrypted)?),
    };
    let disk = "what the disk below does, the server cannot tell";
    let state: Fact<bool> = match &plain {
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
        Fact::Known((0, 0)) => Fact::unknown("no table holds anything yet"),
        Fact::Known((0, _)) => Fact::Known(true),
        Fact::Known((plain, all)) => {
            Fact::unknown(format!("{plain} of {all} bytes are on disks that the server does not encrypt; {disk}"))
        }
    };
    let untold = "the server does not tell the cipher: it stands in its configuration alone";
    let file = StoredFile {
        kind: "data".to_owned(),
        state: match &state {
            Fact::Known(_) => Fact::Known("encrypted".to_owned()),
            Fact::Unknown(why) => Fact::Unknown(why.clone()),
        },
        source: "system.parts".to_owned(),
    };
    let would_show = match state.known() {
        Some(_) => Vec::new(),
        None => vec![format!(
            "the state of the disks below {}, as their host sees them: name it as `host` and the folders as `data` of this database",
            folders.join(", ")
        )],
    };
    Ok(AtRest {
        serves: Vec::new(),
        applicable: true,
        layers: vec![Layer {
            layer: "instance".to_owned(),
            encrypted: state,
            algorithm: Fact::unknown(untold),
            key_bits: Fact::unknown(untold),
            mode: Fact::unknown(untold),
            scope: "parts of tables".to_owned(),
            level: 2,
            source: "system.disks and system.parts".to_owned(),
            key_location: Fact::unknown("the server does not tell where the key is"),
        }],
        files: vec![file],
        not_covered: NOT_COVERED.iter().map(|what| (*what).to_owned()).collect(),
        would_show,
    })
}

/// Bytes of parts on disks that are not encrypted, and on all.
fn bytes(parts: &[Row], encrypted: &BTreeMap<String, bool>) -> Result<(u64, u64), Trouble> {
    let (mut plain, mut all) = (0_u64, 0_u64);
    for row in parts {
        let count: u64 = text(row, 1)?.parse().map_err(|_| strange("system.parts"))?;
        let on = encrypted.get(&text(row, 0)?).ok_or_else(|| strange("system.disks"))?;
        all = all.saturating_add(count);
        plain = plain.saturating_add(if *on { 0 } else { count });
    }
    Ok((plain, all))
}

/// Asks for the backups that the server made itself.
///
/// # Errors
/// Where it does not tell.
pub async fn backup(session: &Session<'_>, now: Timestamp) -> Result<Backup, Trouble> {
    let row = session.row(BACKUPS, "system.backups").await?;
    Ok(Backup { applicable: true, means: vec![means(&row, now)?] })
}

fn means(row: &Row, now: Timestamp) -> Result<BackupMeans, Trouble> {
    const NAME: &str = "BACKUP";
    let instant = |index: usize| match row.get(index) {
        Some(None) => Ok(None),
        _ => {
            let second = text(row, index)?.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
            second.map(Some).ok_or_else(|| strange("system.backups"))
        }
    };
    let (made, failed) = (instant(0)?, instant(1)?);
    Ok(match (made, failed) {
        (None, None) => BackupMeans::untold(
            NAME,
            "the server has made no backup since it was started, and of earlier ones and of other programs' it knows nothing",
        ),
        (made, failed) => {
            let last_failed = failed.is_some_and(|failed| made.is_none_or(|made| failed > made));
            let words = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
            let seen = format!("the last backup was made: {}; the last that failed: {}", words(made), words(failed));
            let at =
                made.map_or_else(|| Fact::unknown("no backup succeeded since the server was started"), Fact::Known);
            BackupMeans::new(NAME, at, Fact::Known(last_failed), seen, now)
        }
    })
}

/// Asks what is written down.
///
/// # Errors
/// Where the server does not tell its tables.
pub async fn audit(session: &Session<'_>, now: Timestamp) -> Result<Audit, Trouble> {
    let rows = session.rows(LOGS, "system.tables").await?;
    let version = session.row("SELECT version()", "version()").await.and_then(|row| text(&row, 0));
    let mut logs = Vec::new();
    for name in ["query_log", "session_log"] {
        let there = rows.iter().any(|row| row.first().and_then(Option::as_deref) == Some(name));
        let newest = match there {
            // A table of an earlier time stays when its log is switched off.
            true => newest(session, name).await.map(Some),
            false => sees_every_table(session).await.map(|()| None),
        };
        logs.push(fact(newest, &session.grant(&format!("SELECT(event_time), SHOW TABLES ON system.{name}"))));
    }
    let session_log = logs.pop().unwrap_or_else(|| Fact::unknown("not asked"));
    let query_log = logs.pop().unwrap_or_else(|| Fact::unknown("not asked"));
    Ok(logging(&query_log, &session_log, version.map(|version| format!("ClickHouse {}", clean(&version))), now))
}

/// When the newest line of a log was written; nothing where it is empty.
async fn newest(session: &Session<'_>, name: &str) -> Result<i64, Trouble> {
    let query = format!("SELECT toString(toUnixTimestamp(max(event_time))) FROM system.{name}");
    let row = session.row(&query, &format!("system.{name}")).await?;
    text(&row, 0)?.parse().map_err(|_| strange(name))
}

fn logging(
    queries: &Fact<Option<i64>>,
    sessions: &Fact<Option<i64>>,
    version: Result<String, Trouble>,
    now: Timestamp,
) -> Audit {
    let sign = |name: &str, log: &str, newest: &Fact<Option<i64>>| match newest {
        Fact::Unknown(why) => Sign::new(name, Fact::Unknown(why.clone()), ""),
        Fact::Known(None) => Sign::new(name, Fact::Known(false), format!("there is no system.{log}")),
        Fact::Known(Some(second)) => {
            let at = Timestamp::from_second(*second).map(|at| at.to_string()).unwrap_or_default();
            let fresh = now.as_second().saturating_sub(*second) <= FRESH;
            Sign::new(name, Fact::Known(fresh), format!("the newest line of system.{log} is of {at}"))
        }
    };
    let begins = sign("new sessions", "session_log", sessions);
    let ends = sign("ends of sessions", "session_log", sessions);
    let changes = sign("changes of definitions", "query_log", queries);
    Audit {
        applicable: true,
        connections: begins.yes.clone(),
        disconnections: ends.yes.clone(),
        statements: match changes.yes.known() {
            Some(true) => Fact::Known("all".to_owned()),
            Some(false) => Fact::Known("none".to_owned()),
            None => Fact::unknown("whether queries are logged is not known"),
        },
        destination: match (&begins.yes, &changes.yes) {
            (Fact::Known(true), _) | (_, Fact::Known(true)) => Fact::Known("system tables".to_owned()),
            _ => Fact::unknown("the server does not tell where its own log goes"),
        },
        collector: Fact::unknown("the server does not tell where its own log goes"),
        logging: vec![begins, ends, changes],
        extension: Fact::Known(false),
        extension_classes: Fact::Known("none".to_owned()),
        server_version: match version {
            Ok(version) => Fact::Known(version),
            Err(trouble) => Fact::unknown(trouble.to_string()),
        },
    }
}

fn strange(name: &str) -> Trouble {
    Trouble::new(Reason::ProtocolViolation, format!("the answer to {name} has another form"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Row {
        cells.iter().map(|cell| (*cell != "-").then(|| (*cell).to_owned())).collect()
    }

    fn encrypted(parts: &[&[&str]]) -> Result<Fact<bool>, Trouble> {
        let disks = [row(&["default", "0", "/var/lib/clickhouse/"]), row(&["safe", "1", "/srv/safe/"])];
        let parts = parts.iter().map(|one| row(one)).collect();
        judge(&disks, &Fact::Known(parts)).map(|facts| facts.layers[0].encrypted.clone())
    }

    #[test]
    fn every_byte_must_be_on_a_disk_that_is_encrypted() {
        assert_eq!(encrypted(&[&["safe", "10"]]), Ok(Fact::Known(true)));
        let mixed = encrypted(&[&["safe", "10"], &["default", "1"]]).unwrap();
        assert!(mixed.reason().unwrap().starts_with("1 of 11 bytes"));
        assert!(encrypted(&[]).unwrap().known().is_none());
        assert!(encrypted(&[&["other", "1"]]).is_err() && encrypted(&[&["safe", "x"]]).is_err());
        assert!(judge(&[row(&["a", "?", "/"])], &Fact::Known(vec![])).is_err());
        let hidden = judge(&[row(&["safe", "1", "/"])], &Fact::unknown("may not")).unwrap();
        assert!(hidden.layers[0].encrypted.known().is_none() && hidden.files[0].state.known().is_none());
    }

    #[test]
    fn only_a_right_to_see_every_table_shows_every_part() {
        let all = |lines: &[&str]| may_see_all(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
        assert!(all(&["GRANT SHOW TABLES, SHOW COLUMNS ON *.* TO auditor"]));
        assert!(all(&["GRANT ALL ON *.* TO root WITH GRANT OPTION"]));
        assert!(!all(&["GRANT SHOW TABLES ON shop.* TO auditor"]));
        assert!(!all(&["GRANT SHOW TABLES ON *.* TO auditor", "REVOKE SHOW TABLES ON secret.* FROM auditor"]));
        assert!(!all(&["GRANT SHOW ACCESS ON *.* TO auditor", "GRANT r TO auditor"]) && !all(&[]));
    }

    #[test]
    fn a_failure_after_the_last_backup_counts() {
        let of = |cells: &[&str]| means(&row(cells), Timestamp::from_second(1_000).unwrap());
        let good = of(&["900", "800"]).unwrap();
        assert_eq!((good.age_s, good.last_failed), (Fact::Known(100), Fact::Known(false)));
        assert_eq!(of(&["800", "900"]).unwrap().last_failed, Fact::Known(true));
        assert!(of(&["-", "900"]).unwrap().age_s.known().is_none());
        assert!(of(&["-", "-"]).unwrap().last_failed.known().is_none());
        assert!(of(&["soon", "-"]).is_err() && of(&["1"]).is_err());
    }

    #[test]
    fn a_log_of_an_earlier_time_is_no_log() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let of = |queries, sessions| logging(&queries, &sessions, Ok(String::new()), now);
        let fresh = of(Fact::Known(Some(999_000)), Fact::Known(None));
        assert_eq!((&fresh.logging[2].yes, &fresh.connections), (&Fact::Known(true), &Fact::Known(false)));
        assert_eq!(of(Fact::Known(Some(10)), Fact::unknown("no")).logging[2].yes, Fact::Known(false));
        assert!(of(Fact::unknown("no"), Fact::unknown("no")).connections.known().is_none());
    }
}
