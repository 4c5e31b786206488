//! The server's settings. Every account may see them; one that is not there is not of this version, or its plugin is not
//! loaded.

use super::session::Session;
use crate::collect::answer::{clean, text};
use crate::model::{Fact, Trouble};
use std::collections::BTreeMap;

/// The settings that something here reads.
const NAMES: [&str; 42] = [
    "aria_encrypt_tables",
    "audit_log_file",
    "audit_log_policy",
    "authentication_policy",
    "binlog_encryption",
    "datadir",
    "default_authentication_plugin",
    "default_password_lifetime",
    "encrypt_binlog",
    "encrypt_tmp_disk_tables",
    "encrypt_tmp_files",
    "event_scheduler",
    "file_key_management_encryption_algorithm",
    "file_key_management_filename",
    "general_log",
    "have_ssl",
    "hostname",
    "innodb_encrypt_log",
    "innodb_encrypt_online_alter_logs",
    "innodb_encrypt_tables",
    "innodb_encrypt_temporary_tables",
    "innodb_parallel_dblwr_encrypt",
    "innodb_redo_log_encrypt",
    "innodb_sys_tablespace_encrypt",
    "innodb_temp_tablespace_encrypt",
    "innodb_undo_log_encrypt",
    "local_infile",
    "log_bin",
    "log_output",
    "mandatory_roles",
    "partial_revokes",
    "performance_schema",
    "require_secure_transport",
    "secure_file_priv",
    "server_audit_events",
    "server_audit_file_path",
    "server_audit_logging",
    "server_audit_output_type",
    "tls_version",
    "validate_password.policy",
    "validate_password_policy",
    "version_comment",
];

/// Settings by name.
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Asks the server.
    pub async fn read(session: &Session<'_>) -> Result<Settings, Trouble> {
        let names: Vec<String> = NAMES.iter().map(|name| format!("'{name}'")).collect();
        let sql = format!("SHOW GLOBAL VARIABLES WHERE Variable_name IN ({})", names.join(", "));
        let rows = session.rows(&sql).await?;
        let pair = |row: &Vec<Option<String>>| {
            let value = row.get(1).and_then(Option::as_deref).unwrap_or("NULL");
            Ok((text(row, 0)?.to_ascii_lowercase(), clean(value)))
        };
        Ok(Settings(rows.iter().map(pair).collect::<Result<_, Trouble>>()?))
    }

    /// From pairs.
    #[cfg(test)]
    pub fn of(pairs: &[(&str, &str)]) -> Settings {
        Settings(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// The value, where there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value as a fact.
    pub fn fact(&self, name: &str) -> Fact<String> {
        match self.get(name) {
            Some(value) => Fact::Known(value.to_owned()),
            None => Fact::unknown(format!("the server has no setting {name}")),
        }
    }

    /// The value of a switch, where there is one.
    pub fn is_on(&self, name: &str) -> Option<bool> {
        match self.get(name)?.to_ascii_uppercase().as_str() {
            "ON" | "1" | "YES" | "TRUE" | "FORCE" | "FORCE_PLUS_PERMANENT" => Some(true),
            "OFF" | "0" | "NO" | "FALSE" | "" | "DISABLED" => Some(false),
            _ => None,
        }
    }

    /// The value of a switch as a fact.
    pub fn switch(&self, name: &str) -> Fact<bool> {
        match self.is_on(name) {
            Some(on) => Fact::Known(on),
            None => Fact::unknown(format!("the server has no switch {name}")),
        }
    }
}
