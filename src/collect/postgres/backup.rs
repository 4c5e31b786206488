//! Facts about copies against loss: the archive of the log, and the base backups that go with it.

use super::session::{Session, text};
use super::settings::Settings;
use crate::collect::answer::{Row, fact};
use crate::model::database::{Backup, BackupMeans};
use crate::model::{Fact, Reason, Trouble};
use jiff::Timestamp;

const ARCHIVE: &str = "archive of the log";
const BASE: &str = "base backup";
/// Instants come as seconds: their text depends on the session's zone and style.
const ARCHIVED: &str = "SELECT floor(extract(epoch FROM last_archived_time))::bigint, \
                        floor(extract(epoch FROM last_failed_time))::bigint FROM pg_catalog.pg_stat_archiver";
/// The end of a base backup leaves a small file beside the log, which stays until the next one ends (`pg_backup_stop`).
const HISTORY: &str = "SELECT floor(extract(epoch FROM max(modification)))::bigint FROM pg_catalog.pg_ls_waldir() \
                       WHERE name LIKE '%.backup'";

/// Asks the server.
pub async fn ask(
    session: &Session<'_>,
    settings: &Result<Settings, Trouble>,
    now: Timestamp,
) -> Result<Backup, Trouble> {
    let settings = settings.as_ref().map_err(Trouble::clone)?;
    let mode = settings.fact("archive_mode");
    let archived = session.row(ARCHIVED).await.and_then(|row| Ok((instant(&row, 0)?, instant(&row, 1)?)));
    let history = match mode.known().map(String::as_str) {
        // Without an archive the file is removed at once.
        Some("off") => Ok(None),
        _ => session.row(HISTORY).await.and_then(|row| instant(&row, 0)),
    };
    Ok(judge(&mode, archived, history, now))
}

type Instant = Option<Timestamp>;

fn judge(
    mode: &Fact<String>,
    archived: Result<(Instant, Instant), Trouble>,
    history: Result<Instant, Trouble>,
    now: Timestamp,
) -> Backup {
    let archive = match (mode, archived) {
        (Fact::Known(mode), _) if mode == "off" => {
            BackupMeans::untold(ARCHIVE, "archive_mode is off: the server keeps no archive of its log")
        }
        (Fact::Unknown(why), _) => BackupMeans::untold(ARCHIVE, &why.unknown),
        (_, Err(trouble)) => BackupMeans::untold(ARCHIVE, &trouble.to_string()),
        (Fact::Known(mode), Ok((last, failed))) => {
            let failing = match (last, failed) {
                (_, None) => false,
                (None, Some(_)) => true,
                (Some(last), Some(failed)) => failed > last,
            };
            let words = |at: Instant| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
            let seen = format!(
                "archive_mode is {mode}; the last file went to the archive: {}; the last try that failed: {}",
                words(last),
                words(failed)
            );
            let at = last.map_or_else(
                || Fact::unknown("nothing was archived since these statistics were last reset"),
                Fact::Known,
            );
            BackupMeans::new(ARCHIVE, at, Fact::Known(failing), seen, now)
        }
    };
    let grant = "GRANT EXECUTE ON FUNCTION pg_ls_waldir() TO the audit role would show it";
    let base = match fact(history, grant) {
        Fact::Known(Some(at)) => {
            let seen = format!("a base backup that the archive goes with ended at {at}");
            BackupMeans::new(BASE, Fact::Known(at), Fact::Known(false), seen, now)
        }
        Fact::Known(None) => {
            BackupMeans::untold(BASE, "no base backup left its mark, and the server keeps no other record of them")
        }
        Fact::Unknown(why) => BackupMeans::untold(BASE, &why.unknown),
    };
    Backup { applicable: true, means: vec![archive, base] }
}

/// An instant of a row, which may be null.
fn instant(row: &Row, index: usize) -> Result<Instant, Trouble> {
    if row.get(index).is_some_and(Option::is_none) {
        return Ok(None);
    }
    let second = text(row, index)?.parse().ok().and_then(|second| Timestamp::from_second(second).ok());
    match second {
        Some(at) => Ok(Some(at)),
        None => Err(Trouble::new(Reason::ProtocolViolation, "an answer has no instant where one must be")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn means(mode: &str, archived: (Instant, Instant), history: Instant) -> Vec<BackupMeans> {
        judge(&Fact::Known(mode.to_owned()), Ok(archived), Ok(history), at(1_000)).means
    }

    #[test]
    fn a_try_that_failed_after_the_last_success_is_a_failure() {
        let archive = |last, failed| means("on", (last, failed), None).remove(0);
        let good = archive(Some(at(900)), Some(at(800)));
        assert_eq!((good.age_s, good.last_failed), (Fact::Known(100), Fact::Known(false)));
        assert_eq!(archive(Some(at(800)), Some(at(900))).last_failed, Fact::Known(true));
        let never = archive(None, Some(at(900)));
        assert!(never.age_s.known().is_none() && never.last_failed == Fact::Known(true));
        assert!(archive(None, None).age_s.known().is_none());
    }

    #[test]
    fn what_is_not_told_is_never_a_copy() {
        for means in means("off", (Some(at(900)), None), None) {
            assert!(means.age_s.known().is_none() && means.last_failed.known().is_none(), "{means:?}");
        }
        let denied = || Trouble::new(Reason::PermissionDenied, "no");
        let blind = judge(&Fact::Known("on".to_owned()), Err(denied()), Err(denied()), at(1_000));
        assert!(blind.means.iter().all(|means| means.age_s.known().is_none()));
        assert!(blind.means[1].seen.contains("pg_ls_waldir()"));
        assert!(instant(&vec![Some("soon".to_owned())], 0).is_err() && instant(&vec![], 0).is_err());
    }
}
