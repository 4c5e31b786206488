//! The server's settings, as far as the audit role may see them.

use super::session::{Session, clean, text};
use crate::model::{Fact, Trouble};
use std::collections::BTreeMap;

/// The settings that something here reads.
const QUERY: &str = "SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('ssl', \
    'ssl_min_protocol_version', 'ssl_max_protocol_version', 'password_encryption', 'log_connections', \
    'log_disconnections', 'log_statement', 'log_destination', 'logging_collector', 'shared_preload_libraries', \
    'pgaudit.log', 'rds.force_ssl', 'server_version', 'pg_tde.cipher', 'pg_tde.wal_encrypt', \
    'data_directory', 'archive_mode')";

/// Settings by name; one that the role may not see is not there.
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Asks the server.
    pub async fn read(session: &Session<'_>) -> Result<Settings, Trouble> {
        let rows = session.rows(QUERY).await?;
        let pair = |row: &Vec<Option<String>>| Ok((text(row, 0)?, clean(&text(row, 1)?)));
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
            None => Fact::unknown(format!(
                "the server shows no setting {name} to the audit role; GRANT pg_read_all_settings TO it shows hidden ones"
            )),
        }
    }

    /// The value of a switch as a fact. Version 18 has lists where older ones have switches.
    pub fn switch(&self, name: &str) -> Fact<bool> {
        match self.fact(name) {
            Fact::Known(value) => Fact::Known(!matches!(value.as_str(), "off" | "" | "0")),
            Fact::Unknown(unknown) => Fact::Unknown(unknown),
        }
    }
}
