//! The configuration file as it is written, and its JSON Schema.

use super::part::Reference;
use crate::model::policy::{Overlay, Policy};
use crate::model::register::{Organisation, Register, Vendor};
use crate::model::retention::Schedule;
use crate::model::target::Engine;
use crate::model::{TargetKind, Waiver};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// The JSON Schema (draft 2020-12) of `probity.yaml`, for editors.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(File).to_value();
    super::provenance::widen(&mut schema);
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), Value::from("probity.yaml"));
    }
    schema
}

/// What is looked at, and how it is judged.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Who is looked at.
    #[serde(default)]
    pub(super) organisation: Option<Organisation>,
    /// Everything that is looked at.
    #[serde(default)]
    pub(super) targets: Vec<Entry>,
    /// The retention schedule: here, or in a file of its own. Read where it stands.
    #[serde(default, rename = "retention")]
    #[schemars(with = "Option<Written<Schedule>>")]
    pub(super) _retention: Present,
    /// The vendors: here, or in a file of their own. Read where they stand.
    #[serde(default, rename = "vendors")]
    #[schemars(with = "Option<Written<Vendors>>")]
    pub(super) _vendors: Present,
    /// The gate and the frameworks.
    #[serde(default)]
    pub(super) policy: Policy,
    /// Overlays by check id: severity, params, enabled; never a rule.
    #[serde(default)]
    pub(super) checks: BTreeMap<String, Overlay>,
    /// Accepted deviations.
    #[serde(default)]
    pub(super) waivers: Vec<Waiver>,
}

/// A value that is passed over here and read later, in its place.
#[derive(Default)]
pub(super) struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Present, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Present)
    }
}

/// For the schema: a part here, or the name of its file.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Written<T> {
    File(Reference),
    Here(T),
}

/// For the schema: a register, or its vendors alone.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Vendors {
    List(Vec<Vendor>),
    Register(Box<Register>),
}

/// A target: a host, or a mapping.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Entry {
    /// A host, or a host and a port, that speaks TLS.
    Host(String),
    /// A target with its keys.
    Declared(Box<Declaration>),
}

impl Entry {
    /// The id: the host as it is written, unless another is declared.
    pub(super) fn id(&self) -> &str {
        match self {
            Entry::Host(host) => host,
            Entry::Declared(declaration) => &declaration.id,
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    // Not derived as untagged: that would lose the places of mistakes inside the mapping.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entry, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Entry;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a host or a mapping")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Entry, E> {
                Ok(Entry::Host(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
                Declaration::deserialize(MapAccessDeserializer::new(map)).map(|it| Entry::Declared(Box::new(it)))
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// A target with its keys. Which keys have a meaning depends on the kind.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Declaration {
    /// Unique among the targets.
    pub(super) id: String,
    /// What kind it is.
    pub(super) kind: Kind,
    /// Host and port, or a path relative to this file.
    #[serde(default)]
    pub(super) address: Option<String>,
    /// The port of plain http, where it is not 80 beside 443.
    #[serde(default)]
    pub(super) http: Option<u16>,
    /// The protocol in which TLS is asked for.
    #[serde(default)]
    pub(super) starttls: Option<Starttls>,
    /// The name asked for in the handshake, where it is not the host.
    #[serde(default)]
    pub(super) server_name: Option<String>,
    /// The database engine.
    #[serde(default)]
    pub(super) engine: Option<Engine>,
    /// The database's name.
    #[serde(default)]
    pub(super) database: Option<String>,
    /// Who logs in, and where the password is to be had.
    #[serde(default)]
    pub(super) credentials: Option<Credentials>,
    /// What TLS is checked against.
    #[serde(default)]
    pub(super) tls: Option<Tls>,
    /// The id of the target of kind host below this one.
    #[serde(default)]
    pub(super) host: Option<String>,
    /// Free labels.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Who answers for it.
    #[serde(default)]
    pub(super) owner: Option<String>,
    /// For example `production`.
    #[serde(default)]
    pub(super) environment: Option<String>,
}

/// The kinds of target that can be declared. The register is a target too, but `vendors:` names it.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
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
}

impl From<Kind> for TargetKind {
    fn from(kind: Kind) -> TargetKind {
        match kind {
            Kind::Endpoint => TargetKind::Endpoint,
            Kind::Database => TargetKind::Database,
            Kind::File => TargetKind::File,
            Kind::Host => TargetKind::Host,
            Kind::Objects => TargetKind::Objects,
            Kind::Cloud => TargetKind::Cloud,
            Kind::Domain => TargetKind::Domain,
        }
    }
}

/// The protocols in which TLS can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Starttls {
    /// Mail transfer and submission.
    Smtp,
    /// Local mail transfer.
    Lmtp,
    /// Mail access.
    Imap,
    /// Mail access.
    Pop3,
    /// File transfer.
    Ftp,
    /// Mail filters.
    Sieve,
    /// News.
    Nntp,
    /// Messaging, as a client.
    Xmpp,
    /// Messaging, as a server.
    XmppServer,
    /// Directory.
    Ldap,
    /// PostgreSQL.
    Postgresql,
    /// MySQL and MariaDB.
    Mysql,
}

impl Starttls {
    /// The word, and the port where none is written.
    pub(super) fn word_and_port(self) -> (&'static str, u16) {
        match self {
            Starttls::Smtp => ("smtp", 25),
            Starttls::Lmtp => ("lmtp", 24),
            Starttls::Imap => ("imap", 143),
            Starttls::Pop3 => ("pop3", 110),
            Starttls::Ftp => ("ftp", 21),
            Starttls::Sieve => ("sieve", 4190),
            Starttls::Nntp => ("nntp", 119),
            Starttls::Xmpp => ("xmpp", 5222),
            Starttls::XmppServer => ("xmpp-server", 5269),
            Starttls::Ldap => ("ldap", 389),
            Starttls::Postgresql => ("postgresql", 5432),
            Starttls::Mysql => ("mysql", 3306),
        }
    }
}

/// Who logs in. There is no `Debug`: until it is checked, a password written in clear may stand here.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Credentials {
    /// The user.
    #[serde(default)]
    pub(super) user: Option<String>,
    /// Where the password is to be had: `env:NAME`, `file:PATH` or `exec:COMMAND`; never the password.
    #[serde(default)]
    #[schemars(regex(pattern = r"^(env|file|exec):.*\S"))]
    pub(super) password: Option<String>,
}

/// What TLS is checked against.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// PEM files with the certificates of your own authorities.
    pub(super) ca: Paths,
}

/// A path, or a list of them.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(super) enum Paths {
    /// One path.
    One(String),
    /// Several paths.
    Many(Vec<String>),
}

impl Paths {
    pub(super) fn all(&self) -> &[String] {
        match self {
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }
}

impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Paths, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Paths;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path or a list of paths")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Paths, E> {
                Ok(Paths::One(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Paths, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = list.next_element()? {
                    paths.push(path);
                }
                Ok(Paths::Many(paths))
            }
        }
        deserializer.deserialize_any(Read)
    }
}
