//! What is looked at.

use super::SecretRef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The kinds of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// A host and port that speaks TLS, directly or after an upgrade.
    Endpoint,
    /// A database server.
    Database,
    /// A file, such as an SQLite database.
    File,
    /// A machine.
    Host,
    /// An object store.
    Objects,
    /// A cloud account.
    Cloud,
    /// A DNS domain.
    Domain,
    /// The vendor register.
    Register,
    /// The requests of data subjects.
    Requests,
    /// The ledger of erasures.
    Erasure,
    /// An export of one data subject.
    Export,
}

impl TargetKind {
    /// The word used in `probity.yaml` and in every output.
    pub fn word(self) -> &'static str {
        match self {
            TargetKind::Endpoint => "endpoint",
            TargetKind::Database => "database",
            TargetKind::File => "file",
            TargetKind::Host => "host",
            TargetKind::Objects => "objects",
            TargetKind::Cloud => "cloud",
            TargetKind::Domain => "domain",
            TargetKind::Register => "register",
            TargetKind::Requests => "requests",
            TargetKind::Erasure => "erasure",
            TargetKind::Export => "export",
        }
    }
}

/// The database engines that a collector exists for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// PostgreSQL.
    Postgresql,
    /// MySQL, and what is made from it.
    Mysql,
    /// MariaDB.
    Mariadb,
    /// SQLite.
    Sqlite,
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
    /// ClickHouse, by its HTTP interface.
    Clickhouse,
    /// MongoDB.
    Mongodb,
}

/// How a server of databases is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The port where none is written.
    pub port: u16,
    /// The dialogue before TLS, where there is one.
    pub starttls: Option<&'static str>,
    /// The service behind TLS that begins with the first byte, where it is not HTTP.
    pub service: Option<&'static str>,
}

impl Engine {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Postgresql => "PostgreSQL",
            Engine::Mysql => "MySQL",
            Engine::Mariadb => "MariaDB",
            Engine::Sqlite => "SQLite",
            Engine::Redis => "Redis",
            Engine::Valkey => "Valkey",
            Engine::Clickhouse => "ClickHouse",
            Engine::Mongodb => "MongoDB",
        }
    }

    /// How it is reached; nothing for a file.
    pub fn reach(self) -> Option<Reach> {
        let (port, starttls, service) = match self {
            Engine::Postgresql => (5432, Some("postgresql"), None),
            Engine::Mysql | Engine::Mariadb => (3306, Some("mysql"), None),
            Engine::Redis | Engine::Valkey => (6379, None, Some("rediss")),
            Engine::Clickhouse => (8443, None, None),
            Engine::Mongodb => (27017, None, Some("mongodb")),
            Engine::Sqlite => return None,
        };
        Some(Reach { port, starttls, service })
    }

    /// Whether it is a server that speaks MySQL's protocol.
    pub fn speaks_mysql(self) -> bool {
        matches!(self, Engine::Mysql | Engine::Mariadb)
    }
}

/// One thing that is looked at. `credentials` and `connection` never leave the process: only names of secrets do.
#[derive(Clone, Serialize, Deserialize)]
pub struct Target {
    /// Unique in a run; the address as written, unless the user named it.
    pub id: String,
    /// What kind it is.
    pub kind: TargetKind,
    /// Host and port (`shop.example:443`), or a path.
    pub address: String,
    /// The database engine, for databases and database files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// Free labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// For example `production`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Where `probity.yaml` declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Place>,
    /// How to reach it. Only what names no secret and no file is serialised.
    #[serde(default, flatten)]
    pub connection: Connection,
}

/// A place in a file that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file as the user named it.
    pub file: String,
    /// One-based line.
    pub line: u32,
}

/// How to reach a target. What judging needs of it travels with the target; the rest never leaves the process.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Connection {
    /// Host name or address without port, for network targets.
    #[serde(skip)]
    pub host: String,
    /// Port, for network targets.
    #[serde(skip)]
    pub port: u16,
    /// The opportunistic protocol before TLS, for example `postgresql`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starttls: Option<String>,
    /// The service behind TLS that begins with the first byte, where it is not HTTP, for example `imaps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The name by which this machine greets mail servers.
    #[serde(skip)]
    pub hello_name: Option<String>,
    /// The port of plain HTTP, where it is not 80 beside 443.
    #[serde(skip)]
    pub http_port: Option<u16>,
    /// The name sent in SNI and matched against certificates, where it is not the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// The database's name.
    #[serde(skip)]
    pub database: Option<String>,
    /// The user to log in as.
    #[serde(skip)]
    pub user: Option<String>,
    /// Where the password is to be had.
    #[serde(skip)]
    pub password: Option<SecretRef>,
    /// Where a session token is to be had, for object stores.
    #[serde(skip)]
    pub token: Option<SecretRef>,
    /// The region of an object store.
    #[serde(skip)]
    pub region: Option<String>,
    /// The address of an object store.
    #[serde(skip)]
    pub endpoint: Option<String>,
    /// PEM files of the user's own certification authorities.
    #[serde(skip)]
    pub ca_files: Vec<PathBuf>,
    /// A file with the digests of keys that others know.
    #[serde(skip)]
    pub weak_keys_file: Option<PathBuf>,
    /// A list of certificate transparency logs.
    #[serde(skip)]
    pub ct_log_list: Option<PathBuf>,
    /// A copy of the list of hosts that browsers reach over HTTPS alone.
    #[serde(skip)]
    pub hsts_preload_list: Option<PathBuf>,
    /// Responders and lists are asked whether its certificates are revoked.
    #[serde(skip)]
    pub revocation: bool,
    /// Hosts, with or without a port, that may be asked about certificates although their addresses are not public.
    #[serde(skip)]
    pub responders: Vec<String>,
    /// Selectors of DKIM, for domains.
    #[serde(skip)]
    pub dkim_selectors: Vec<String>,
    /// A file on this machine.
    #[serde(skip)]
    pub path: Option<PathBuf>,
    /// Paths whose disks are looked at, for hosts.
    #[serde(skip)]
    pub disk_paths: Vec<DiskPath>,
    /// Where the folders of a machine are found, for hosts.
    #[serde(skip)]
    pub roots: Roots,
    /// The folder of a database's files on its own machine, where the server does not tell it.
    #[serde(skip)]
    pub data_folder: Option<PathBuf>,
    /// The target of kind host below this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_target: Option<String>,
    /// How much is asked of it.
    #[serde(skip)]
    pub depth: Depth,
}

/// A path on a machine whose disks are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskPath {
    /// The path, as the machine has it.
    pub path: PathBuf,
    /// The database whose files are there, or empty.
    pub store: String,
}

/// Where the folders of a machine are found, where they are not this machine's own: a mounted image, or the node's from
/// inside a container. `None` is the usual place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    /// In the place of `/proc`.
    pub proc: Option<PathBuf>,
    /// In the place of `/sys`.
    pub sys: Option<PathBuf>,
    /// In the place of `/dev`.
    pub dev: Option<PathBuf>,
    /// In the place of `/`: where the paths lie.
    pub files: Option<PathBuf>,
}

/// How much is asked of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Which questions.
    pub profile: Profile,
    /// Tests for flaws that a server may not bear are among them.
    pub intrusive: bool,
}

/// Which questions are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// What the grade and the checks need.
    Quick,
    /// All.
    #[default]
    Full,
}

impl Default for Depth {
    fn default() -> Self {
        Depth { profile: Profile::Full, intrusive: true }
    }
}

impl Depth {
    /// The narrower of the two in each respect.
    #[must_use]
    pub fn within(self, other: Depth) -> Depth {
        Depth { profile: self.profile.min(other.profile), intrusive: self.intrusive && other.intrusive }
    }
}

impl Target {
    /// A target with nothing but its identity.
    pub fn new(id: impl Into<String>, kind: TargetKind, address: impl Into<String>) -> Target {
        Target {
            id: id.into(),
            kind,
            address: address.into(),
            engine: None,
            labels: BTreeMap::new(),
            owner: None,
            environment: None,
            declared: None,
            connection: Connection::default(),
        }
    }
}
