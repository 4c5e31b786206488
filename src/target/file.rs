//! The configuration file as it is written, and its JSON Schema.

use super::part::Reference;
use crate::model::erasure::{Independent, Suppression};
use crate::model::policy::{Overlay, Policy};
use crate::model::portability::Content;
use crate::model::register::{Organisation, Register, Vendor};
use crate::model::requests::{Request, Requests};
use crate::model::retention::Schedule;
use crate::model::retention::Slug;
use crate::model::service::UPGRADES;
use crate::model::target::{Engine, Profile};
use crate::model::{Service, TargetKind, Waiver};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess as _, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::borrow::Cow;
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
    /// The requests of data subjects: here, or in a file of their own. Read where they stand.
    #[serde(default, rename = "requests")]
    #[schemars(with = "Option<Written<Asked>>")]
    pub(super) _requests: Present,
    /// Erasures that were done, and what must be left of nobody.
    #[serde(default)]
    pub(super) erasure: Option<ErasureDeclaration>,
    /// An export of one data subject, and what it must hold.
    #[serde(default)]
    pub(super) portability: Option<ExportDeclaration>,
    /// How names are looked up.
    #[serde(default)]
    pub(super) dns: Option<Dns>,
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

/// How names are looked up.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Dns {
    /// The resolver that is asked, where it is not the system's: an IP address, with or without a port.
    #[serde(default)]
    pub(super) resolver: Option<String>,
    /// Digests of keys of a root of one's own, in the place of the public root's: the data of its DS records.
    #[serde(default)]
    pub(super) anchors: Vec<String>,
}

/// Erasures. There is no `Debug`: until it is checked, a key written in clear may stand here.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ErasureDeclaration {
    /// The file of the ledger, relative to this one.
    pub(super) ledger: String,
    /// Where the key of the ledger's digests is to be had: `env:NAME`, `file:PATH` or `exec:COMMAND`; never the key.
    #[schemars(regex(pattern = r"^(env|file|exec):.*\S"))]
    pub(super) key: String,
    /// The data set that holds the persons themselves.
    #[serde(default)]
    pub(super) root: Option<Slug>,
    /// Data sets that need no edge to it, each with a reason.
    #[serde(default)]
    pub(super) independent: Vec<Independent>,
    /// What somebody states about the list that keeps the erased from coming back.
    #[serde(default)]
    pub(super) suppression: Option<Suppression>,
}

/// An export of one data subject. There is no `Debug`: until it is checked, a person's key may stand here.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExportDeclaration {
    /// Where the person's key is to be had: `env:NAME`, `file:PATH` or `exec:COMMAND`; never the key.
    #[schemars(regex(pattern = r"^(env|file|exec):.*\S"))]
    pub(super) subject: String,
    /// What kind of key it is, as the data sets have it.
    pub(super) namespace: Slug,
    /// The file or folder, relative to this file.
    pub(super) export: String,
    /// What it is to hold, and where.
    #[serde(default)]
    pub(super) content: Content,
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

/// For the schema: everything about requests, or the requests alone.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Asked {
    List(Vec<Request>),
    All(Box<Requests>),
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
    /// The name by which mail servers are greeted, where it is not this machine's own.
    #[serde(default)]
    pub(super) hello_name: Option<String>,
    /// The name asked for in the handshake, where it is not the host; for XMPP the domain.
    #[serde(default)]
    pub(super) server_name: Option<String>,
    /// The database engine.
    #[serde(default)]
    pub(super) engine: Option<Engine>,
    /// The database's name.
    #[serde(default)]
    pub(super) database: Option<String>,
    /// Who logs in, and where the password is to be had; of a file, where its key is to be had.
    #[serde(default)]
    pub(super) credentials: Option<Credentials>,
    /// What TLS is checked against.
    #[serde(default)]
    pub(super) tls: Option<Tls>,
    /// What is asked of it, where that is less than of the others.
    #[serde(default)]
    pub(super) profile: Option<Profile>,
    /// `false` leaves out tests for flaws that a server may not bear.
    #[serde(default)]
    pub(super) intrusive: Option<bool>,
    /// Paths of a machine whose disks are looked at.
    #[serde(default)]
    pub(super) paths: Option<Vec<String>>,
    /// Where the folders of a machine are found, where they are not this machine's own.
    #[serde(default)]
    pub(super) roots: Option<Roots>,
    /// The folder of a database's files on its own machine, where the server does not tell it.
    #[serde(default)]
    pub(super) data: Option<String>,
    /// The region of an object store.
    #[serde(default)]
    pub(super) region: Option<String>,
    /// The address of an object store, where it is not Amazon's.
    #[serde(default)]
    pub(super) endpoint: Option<String>,
    /// Selectors with which the domain's mail is signed.
    #[serde(default)]
    pub(super) dkim: Option<Vec<String>>,
    /// The id of the target of kind host below this one, or of the cloud account that it runs in.
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

/// Where the folders of a machine are found: of a mounted image, or of the node from inside a container.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Roots {
    /// In the place of `/proc`.
    #[serde(default)]
    pub(super) proc: Option<String>,
    /// In the place of `/sys`.
    #[serde(default)]
    pub(super) sys: Option<String>,
    /// In the place of `/dev`.
    #[serde(default)]
    pub(super) dev: Option<String>,
    /// In the place of `/`.
    #[serde(default)]
    pub(super) files: Option<String>,
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

/// A protocol in which TLS can be asked for.
#[derive(Clone, Copy)]
pub(super) struct Starttls(pub(super) &'static Service);

impl<'de> Deserialize<'de> for Starttls {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Starttls, D::Error> {
        // Read as the variant of an enumeration, so that a mistake is told at the word and not before it.
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Starttls;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the word of a protocol")
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<Starttls, E> {
                let service = Service::find(word).filter(|one| one.word == word && one.dialogue().is_some());
                service.map(Starttls).ok_or_else(|| E::unknown_variant(word, UPGRADES))
            }
            fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Starttls, A::Error> {
                let (word, variant) = data.variant_seed(Read)?;
                variant.unit_variant().map(|()| word)
            }
        }
        impl<'de> DeserializeSeed<'de> for Read {
            type Value = Starttls;
            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Starttls, D::Error> {
                deserializer.deserialize_identifier(Read)
            }
        }
        deserializer.deserialize_enum("Starttls", UPGRADES, Read)
    }
}

impl JsonSchema for Starttls {
    fn schema_name() -> Cow<'static, str> {
        "Starttls".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A protocol in which TLS can be asked for.", "type": "string", "enum": UPGRADES
        })
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
    /// Where a session token is to be had, for object stores; the same.
    #[serde(default)]
    #[schemars(regex(pattern = r"^(env|file|exec):.*\S"))]
    pub(super) token: Option<String>,
}

/// What TLS is checked against.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// PEM files with the certificates of your own authorities.
    #[serde(default)]
    pub(super) ca: Option<Paths>,
    /// A file with the digests of keys that others know: SHA-256 of the public key, or Debian's lists of weak keys.
    #[serde(default)]
    pub(super) weak_keys_file: Option<String>,
    /// A list of certificate transparency logs in the form that Google publishes (log_list.json, version 3).
    #[serde(default)]
    pub(super) ct_log_list: Option<String>,
    /// A copy of the list of hosts that browsers reach over HTTPS alone, as Chromium's source has it
    /// (transport_security_state_static.json).
    #[serde(default)]
    pub(super) hsts_preload_list: Option<String>,
    /// `true` asks at the addresses that certificates name: responders and lists whether they are revoked, and for issuers
    /// that were not sent.
    #[serde(default)]
    pub(super) revocation: Option<bool>,
    /// Hosts, with or without a port, of responders and lists that may be asked although their addresses are not public.
    #[serde(default)]
    pub(super) responders: Vec<String>,
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
