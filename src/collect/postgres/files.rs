//! Where the server's files lie on its machine, for those who look at its disks.

use super::session::{Session, clean, text};
use super::settings::Settings;
use crate::model::host::{Files, StorePath};
use crate::model::{Reason, Trouble};

/// Asks the server: its folder, every tablespace, and the log, which may be a link to another disk.
pub async fn ask(session: &Session<'_>, settings: &Result<Settings, Trouble>) -> Result<Files, Trouble> {
    let settings = settings.as_ref().map_err(Trouble::clone)?;
    let Some(data) = settings.get("data_directory") else {
        return Err(Trouble::new(
            Reason::PermissionDenied,
            "the server does not show data_directory to the audit role; GRANT pg_read_all_settings TO it would show it",
        ));
    };
    let mut files = vec![file("data", data), file("wal", &format!("{data}/pg_wal"))];
    let sql = "SELECT pg_catalog.pg_tablespace_location(oid) FROM pg_catalog.pg_tablespace \
               WHERE pg_catalog.pg_tablespace_location(oid) <> '' ORDER BY 1";
    for row in session.rows(sql).await? {
        files.push(file("tablespace", &clean(&text(&row, 0)?)));
    }
    // Without this number the same path on another machine would do as well.
    let identity = session.value("SELECT system_identifier FROM pg_catalog.pg_control_system()").await;
    let identity = identity.map_err(|trouble| match trouble.reason {
        Reason::PermissionDenied => Trouble::new(
            Reason::PermissionDenied,
            "the role may not read the server's number; GRANT EXECUTE ON FUNCTION pg_control_system() TO it would show it",
        ),
        _ => trouble,
    })?;
    // Sorts spill into base/pgsql_tmp, or into tablespaces, which are places of their own.
    Ok(Files { files, beside: vec!["temp".to_owned()], identity: Some(clean(&identity)) })
}

fn file(kind: &str, path: &str) -> StorePath {
    StorePath { kind: kind.to_owned(), path: path.to_owned() }
}
