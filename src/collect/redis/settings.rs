//! What the server tells of itself: its settings, and the lines of INFO. No setting that holds a secret is asked for.

use super::session::{Session, refusal};
use crate::collect::answer::clean;
use crate::model::{Fact, Reason, Trouble};
use crate::wire::resp::Value;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The settings that something here reads. Each is asked for by itself: before version 7 one command has one name.
const NAMES: [&str; 20] = [
    "appendonly",
    "bind",
    "dbfilename",
    "dir",
    "enable-debug-command",
    "enable-module-command",
    "enable-protected-configs",
    "logfile",
    "loglevel",
    "maxmemory-policy",
    "port",
    "protected-mode",
    "repl-diskless-sync",
    "save",
    "syslog-enabled",
    "tls-auth-clients",
    "tls-cluster",
    "tls-port",
    "tls-protocols",
    "tls-replication",
];

/// Settings by name; one that is not there is not of this version.
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Asks the server.
    pub async fn read(session: &Session<'_>) -> Result<Settings, Trouble> {
        let commands: Vec<Vec<&[u8]>> =
            NAMES.iter().map(|name| vec![b"CONFIG".as_slice(), b"GET", name.as_bytes()]).collect();
        let mut settings = BTreeMap::new();
        for (name, answer) in NAMES.iter().zip(session.ask(&commands).await?) {
            match answer {
                Value::Error(problem) => return Err(refusal(problem, "CONFIG GET")),
                Value::List(values) if values.is_empty() => {}
                Value::List(values) => match values.as_slice() {
                    [Value::Text(told), Value::Text(value)] if told.eq_ignore_ascii_case(name.as_bytes()) => {
                        settings.insert((*name).to_owned(), clean(&String::from_utf8_lossy(value)));
                    }
                    _ => return Err(strange("CONFIG GET")),
                },
                _ => return Err(strange("CONFIG GET")),
            }
        }
        Ok(Settings(settings))
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

    /// Whether clients of other machines reach the server's ports at all.
    pub fn is_reachable(&self) -> Fact<bool> {
        let Some(bind) = self.get("bind") else { return Fact::unknown("the server has no setting bind") };
        // A bare minus says that the address may be missing; no address at all means every one.
        let mut addresses = bind.split_whitespace().map(|word| word.trim_start_matches('-')).peekable();
        if addresses.peek().is_none() {
            return Fact::Known(true);
        }
        Fact::Known(!addresses.all(|word| word.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())))
    }
}

/// The lines of INFO.
pub struct Info(BTreeMap<String, String>);

impl Info {
    /// Asks the server.
    pub async fn read(session: &Session<'_>) -> Result<Info, Trouble> {
        match session.value(vec![b"INFO"], "INFO").await? {
            Value::Text(text) => Ok(Info::parse(&String::from_utf8_lossy(&text))),
            _ => Err(strange("INFO")),
        }
    }

    /// Reads the lines `name:value`.
    pub fn parse(text: &str) -> Info {
        let line = |line: &str| line.split_once(':').map(|(name, value)| (clean(name), clean(value)));
        Info(text.lines().take(2000).filter_map(line).collect())
    }

    /// The value, where there is one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// Name and version: Valkey tells the version of Redis that it took over from as well.
    pub fn version(&self) -> Fact<String> {
        match (self.get("valkey_version"), self.get("redis_version")) {
            (Some(version), _) => Fact::Known(format!("Valkey {version}")),
            (None, Some(version)) => Fact::Known(format!("Redis {version}")),
            (None, None) => Fact::unknown("INFO tells no version"),
        }
    }
}

/// An answer of another form.
pub fn strange(command: &str) -> Trouble {
    Trouble::new(Reason::ProtocolViolation, format!("the answer to {command} has another form"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_shuts_other_machines_out() {
        for (bind, reachable) in [
            ("127.0.0.1 -::1", false),
            ("127.0.0.1", false),
            ("", true),
            ("* -::*", true),
            ("127.0.0.1 10.0.0.5", true),
            ("db.internal", true),
        ] {
            assert_eq!(Settings::of(&[("bind", bind)]).is_reachable(), Fact::Known(reachable), "{bind}");
        }
        assert!(Settings::of(&[]).is_reachable().known().is_none());
    }

    #[test]
    fn lines_of_info() {
        let info = Info::parse("# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.1.0\r\nrdb_saves:3\r\nodd\r\n");
        assert_eq!(info.version(), Fact::Known("Valkey 8.1.0".to_owned()));
        assert_eq!((info.number("rdb_saves"), info.number("odd")), (Some(3), None));
        assert!(Info::parse("").version().known().is_none());
    }
}
