//! Which tablespaces are encrypted, and which tables are in none.

use super::session::Session;
use super::settings::Settings;
use crate::collect::answer::{Row, clean, number, text};
use crate::model::{Reason, Trouble};
use std::collections::BTreeMap;

/// Schemas of the server's own.
pub const OWN_SCHEMAS: &str = "('mysql', 'sys', 'information_schema', 'performance_schema')";

/// How many tablespaces are encrypted, and how many are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Encrypted through and through.
    pub encrypted: u64,
    /// Plain, or not encrypted to the end yet.
    pub plain: u64,
}

impl Count {
    /// All.
    pub fn total(&self) -> u64 {
        self.encrypted.saturating_add(self.plain)
    }
}

/// The tablespaces of InnoDB by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spaces {
    /// Those of tables.
    pub tables: Count,
    /// The undo logs.
    pub undo: Count,
    /// The system tablespace.
    pub system: Count,
    /// The first plain one of a table, for the words.
    pub plain_one: Option<String>,
}

impl Spaces {
    /// Asks the server, which shows every tablespace or none.
    pub async fn read(session: &Session<'_>) -> Result<Spaces, Trouble> {
        Spaces::from_rows(&session.rows(if session.mariadb { OF_MARIADB } else { OF_MYSQL }).await?)
    }

    fn from_rows(rows: &[Row]) -> Result<Spaces, Trouble> {
        let mut spaces = Spaces::default();
        for row in rows {
            let count = Count { encrypted: number(row, 1)?, plain: number(row, 2)? };
            match text(row, 0)?.as_str() {
                "undo" => spaces.undo = count,
                "system" => spaces.system = count,
                _ => {
                    spaces.tables = count;
                    spaces.plain_one = row.get(3).cloned().flatten().map(|name| clean(&name));
                }
            }
        }
        if spaces.tables.total() == 0 {
            // Every server has tables of its own in InnoDB.
            return Err(Trouble::new(Reason::ProtocolViolation, "the server shows no tablespace at all"));
        }
        Ok(spaces)
    }

    /// The server encrypts some table.
    pub fn any_encrypted(&self) -> bool {
        self.tables.encrypted > 0
    }

    /// Some is plain that need not be: MySQL cannot encrypt its system tablespace.
    pub fn any_plain(&self, mariadb: bool) -> bool {
        self.tables.plain > 0 || (mariadb && self.system.plain > 0)
    }

    /// What is covered, in words.
    pub fn scope(&self) -> String {
        let plain = self.plain_one.as_ref().filter(|_| self.any_encrypted());
        let plain = plain.map(|name| format!(" (not {name})")).unwrap_or_default();
        format!("{} of {} tablespaces{plain}", self.tables.encrypted, self.tables.total())
    }
}

/// MariaDB: a tablespace that is not in the view of encryption is plain, and so is one whose oldest key is none.
const OF_MARIADB: &str = "SELECT kind, COALESCE(SUM(encrypted), 0), COALESCE(SUM(1 - encrypted), 0), \
    MIN(CASE WHEN encrypted = 0 THEN NAME END) FROM (SELECT s.NAME, CASE WHEN s.NAME LIKE 'innodb_undo%' THEN 'undo' \
    WHEN s.NAME = 'innodb_system' THEN 'system' ELSE 'table' END AS kind, \
    COALESCE(e.ENCRYPTION_SCHEME = 1 AND e.MIN_KEY_VERSION >= 1, 0) AS encrypted \
    FROM information_schema.INNODB_SYS_TABLESPACES s LEFT JOIN information_schema.INNODB_TABLESPACES_ENCRYPTION e \
    ON e.SPACE = s.SPACE WHERE s.NAME <> 'innodb_temporary') spaces GROUP BY kind";

/// MySQL, and Percona, whose flag tells of encryption by a key of its own as well.
const OF_MYSQL: &str = "SELECT kind, COALESCE(SUM(encrypted), 0), COALESCE(SUM(1 - encrypted), 0), \
    MIN(CASE WHEN encrypted = 0 THEN NAME END) FROM (SELECT NAME, CASE WHEN SPACE_TYPE = 'Undo' THEN 'undo' \
    WHEN SPACE_TYPE = 'System' THEN 'system' ELSE 'table' END AS kind, \
    (ENCRYPTION = 'Y' OR (FLAG & 8192) <> 0) AS encrypted \
    FROM information_schema.INNODB_TABLESPACES WHERE NAME <> 'innodb_temporary') spaces GROUP BY kind";

/// Tables that are not InnoDB's, as far as they are seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Engines {
    /// Engines that leave tables plain, with tables of a user's.
    pub plain: Vec<String>,
    /// Tables of Aria, where they were counted.
    pub aria: Option<u64>,
    /// Why it is not known of some engine.
    pub unknown: Option<String>,
    /// What was not looked at.
    pub unseen: Option<String>,
}

impl Engines {
    /// Asks the server.
    pub async fn read(session: &Session<'_>, settings: &Result<Settings, Trouble>) -> Engines {
        let sql = format!(
            "SELECT UPPER(ENGINE), COUNT(*) FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' \
             AND TABLE_SCHEMA NOT IN {OWN_SCHEMAS} AND ENGINE IS NOT NULL GROUP BY 1"
        );
        let counted = session.rows(&sql).await.and_then(|rows| {
            let pair = |row: &Row| Ok((clean(&text(row, 0)?), number(row, 1)?));
            rows.iter().map(pair).collect::<Result<BTreeMap<_, _>, Trouble>>()
        });
        let hidden = match sees_all(session, settings).await {
            Ok(true) => None,
            Ok(false) => Some(format!("tables of other engines that {} does not see", session.account)),
            Err(trouble) => Some(format!("tables of other engines: {trouble}")),
        };
        let aria = settings.as_ref().ok().and_then(|settings| settings.is_on("aria_encrypt_tables"));
        match counted {
            Ok(counted) => Engines { unseen: hidden, ..Engines::of(&counted, aria) },
            Err(trouble) => {
                Engines { unseen: Some(format!("tables of other engines: {trouble}")), ..Engines::default() }
            }
        }
    }

    /// What shows the state of the tables.
    pub fn source(&self) -> String {
        match self.plain.as_slice() {
            [] => "the list of tablespaces".to_owned(),
            plain => format!("the list of tablespaces, and tables of {}", plain.join(", ")),
        }
    }

    fn of(counted: &BTreeMap<String, u64>, aria_encrypted: Option<bool>) -> Engines {
        let mut engines = Engines { aria: Some(counted.get("ARIA").copied().unwrap_or(0)), ..Engines::default() };
        for engine in counted.keys() {
            match engine.as_str() {
                "INNODB" | "MEMORY" | "BLACKHOLE" | "PERFORMANCE_SCHEMA" | "SEQUENCE" => {}
                "ARIA" if aria_encrypted == Some(true) => {}
                "ARIA" | "MYISAM" | "MRG_MYISAM" | "CSV" | "ARCHIVE" => engines.plain.push(engine.clone()),
                other => {
                    engines.unknown = Some(format!("whether {other} encrypts its tables is not known here"));
                }
            }
        }
        engines
    }
}

/// Whether the account sees every table. It sees those on which it has a right, so it needs one on all.
pub async fn sees_all(session: &Session<'_>, settings: &Result<Settings, Trouble>) -> Result<bool, Trouble> {
    let partial = settings.as_ref().map_err(Trouble::clone)?.is_on("partial_revokes") == Some(true);
    let sql = format!(
        "SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = {} \
         AND PRIVILEGE_TYPE IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')",
        crate::model::retention::expression::literal(&session.account)
    );
    Ok(number(&session.row(&sql).await?, 0)? > 0 && !partial)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tablespaces_are_counted_by_kind() {
        let row = |cells: [&str; 4]| cells.map(|cell| (cell != "-").then(|| cell.to_owned())).to_vec();
        let rows =
            [row(["table", "3", "1", "shop/plain"]), row(["undo", "2", "0", "-"]), row(["system", "0", "1", "-"])];
        let spaces = Spaces::from_rows(&rows).unwrap();
        assert_eq!(spaces.scope(), "3 of 4 tablespaces (not shop/plain)");
        assert!(spaces.any_plain(false));
        assert_eq!((spaces.undo.total(), spaces.system.plain), (2, 1));
        let all = Spaces::from_rows(&[row(["table", "4", "0", "-"]), row(["system", "0", "1", "-"])]).unwrap();
        assert_eq!((all.any_plain(false), all.any_plain(true)), (false, true));
        assert!(Spaces::from_rows(&[]).is_err());
    }

    #[test]
    fn engines_that_leave_tables_plain() {
        let of = |engines: &[&str], aria| {
            let counted = engines.iter().map(|engine| ((*engine).to_owned(), 2)).collect();
            Engines::of(&counted, aria)
        };
        assert_eq!(of(&["INNODB", "ARIA"], Some(true)), Engines { aria: Some(2), ..Engines::default() });
        assert_eq!(of(&["ARIA"], Some(false)).plain, ["ARIA"]);
        assert_eq!(of(&["MYISAM", "CSV"], None).plain, ["CSV", "MYISAM"]);
        assert!(of(&["ROCKSDB"], None).unknown.is_some());
    }
}
