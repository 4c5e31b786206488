//! Which kind each file in a folder of data is.

use super::search::{Part, trouble};
use crate::model::{Reason, Trouble};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How deep folders may stand in each other.
const DEPTH: usize = 8;
/// The most files.
const FILES: usize = 200_000;

/// Names the kind of a file by its path in the folder of the data; `None` for what holds no data.
pub type Layout = fn(&Path) -> Option<&'static str>;

/// The files in a folder by kind. Of these kinds only what was changed since then: a log that was full before holds nothing
/// that was written later.
///
/// # Errors
/// Where a folder may not be read, or there are too many files.
pub fn parts(folder: &Path, layout: Layout, since: &[(&str, SystemTime)]) -> Result<Vec<Part>, Trouble> {
    let mut files: BTreeMap<&'static str, Vec<PathBuf>> = BTreeMap::new();
    let mut count = 0;
    walk(folder, folder, DEPTH, &mut |path| {
        count += 1;
        if count > FILES {
            return Err(Trouble::new(Reason::TooLarge, format!("there are more than {FILES} files")));
        }
        let Some(kind) = layout(path.strip_prefix(folder).unwrap_or(path)) else { return Ok(()) };
        let after = since.iter().find(|(of, _)| *of == kind).map(|(_, after)| *after);
        let changed = std::fs::metadata(path).and_then(|about| about.modified());
        if after.is_none_or(|after| changed.map_or(true, |changed| changed >= after)) {
            files.entry(kind).or_default().push(path.to_owned());
        }
        Ok(())
    })?;
    let part = |(kind, mut files): (&str, Vec<PathBuf>)| {
        files.sort();
        Part { kind: kind.to_owned(), files, folder: folder.to_owned(), ..Part::default() }
    };
    Ok(files.into_iter().map(part).collect())
}

fn walk(
    root: &Path,
    folder: &Path,
    depth: usize,
    take: &mut dyn FnMut(&Path) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // Folders of a running server come and go, but not the first one.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && folder != root => return Ok(()),
        Err(error) => return Err(trouble(&error, folder)),
    };
    for entry in entries {
        let path = entry.map_err(|error| trouble(&error, folder))?.path();
        // Links are followed: a log on another disk is a log. Depth ends a circle.
        let Ok(about) = std::fs::metadata(&path) else { continue };
        if about.is_dir() {
            if depth == 0 {
                return Err(Trouble::new(Reason::TooLarge, "folders stand in each other too deeply"));
            }
            walk(root, &path, depth - 1, take)?;
        } else if about.is_file() {
            take(&path)?;
        }
    }
    Ok(())
}

/// The files that stand in this folder itself; none where it cannot be read.
pub fn beside(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).take(FILES).collect()
}

/// PostgreSQL's folder.
pub fn postgres(path: &Path) -> Option<&'static str> {
    let text = path.to_str()?;
    if text.contains("pgsql_tmp") {
        return Some("temp");
    }
    match text.split('/').next()? {
        "base" | "global" => (!text.ends_with("pg_control") && !text.contains("pg_internal.init")).then_some("data"),
        "pg_tblspc" => Some("tablespace"),
        "pg_wal" => Some("wal"),
        _ => None,
    }
}

/// The folder of MariaDB and of MySQL.
pub fn mariadb(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    let ending = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    if name.starts_with("ib_logfile") || path.starts_with("#innodb_redo") {
        Some("redo log")
    } else if name.starts_with("aria_log.") {
        Some("Aria log")
    } else if name.starts_with("ibtmp") || name.starts_with("#sql") || path.starts_with("#innodb_temp") {
        Some("temp")
    } else if name.starts_with("undo") {
        Some("undo log")
    } else if name.starts_with("ibdata") || ending(&[".ibd"]) {
        Some("data")
    } else if ending(&[".MYD", ".MYI", ".CSV"]) {
        Some("other tables")
    } else {
        // A binary log ends in its number, and its name is the administrator's.
        let number = name.rsplit_once('.').filter(|(_, number)| number.len() == 6);
        number.filter(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit())).map(|_| "binary log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_names() {
        let pg = |path: &str| postgres(Path::new(path));
        assert_eq!(pg("base/5/16384"), Some("data"));
        assert_eq!(pg("base/pgsql_tmp/pgsql_tmp77.0"), Some("temp"));
        assert_eq!(pg("pg_wal/000000010000000000000001"), Some("wal"));
        assert_eq!(pg("pg_tblspc/16385/PG_15/5/16390"), Some("tablespace"));
        assert_eq!((pg("global/pg_control"), pg("postmaster.pid")), (None, None));
        let my = |path: &str| mariadb(Path::new(path));
        assert_eq!(
            (my("app/t.ibd"), my("ibdata1"), my("app/old.MYD")),
            (Some("data"), Some("data"), Some("other tables"))
        );
        assert_eq!((my("ib_logfile0"), my("#innodb_redo/#ib_redo4")), (Some("redo log"), Some("redo log")));
        assert_eq!(
            (my("aria_log.00000001"), my("ibtmp1"), my("undo001")),
            (Some("Aria log"), Some("temp"), Some("undo log"))
        );
        assert_eq!((my("db1-bin.000012"), my("db1.pid"), my("aria_log_control")), (Some("binary log"), None, None));
    }
}
