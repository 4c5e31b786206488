//! A check: one data file that judges observations.

use super::{Severity, Status};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A check as its file says it, with where it came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Lower case, dotted; names the file.
    pub id: String,
    /// Semantic version of the check.
    pub version: String,
    /// At most 75 characters; the good condition.
    pub title: String,
    /// What kind of evidence it rests on.
    pub kind: CheckKind,
    /// The severity of a failure, or the highest where `severity_of` says it.
    pub severity: Severity,
    /// Which kind of target is meant.
    pub subject: Subject,
    /// Observation kinds that must be there.
    pub needs: Vec<String>,
    /// Values that a user may set.
    #[serde(default)]
    pub params: BTreeMap<String, Param>,
    /// When the check concerns a target or item at all.
    #[serde(default)]
    pub applies: Option<Applies>,
    /// CEL: the population; `item` is bound to each in turn.
    #[serde(default)]
    pub each: Option<String>,
    /// CEL: names the item; unique in the population.
    #[serde(default)]
    pub key: Option<String>,
    /// CEL: true where the good condition holds.
    pub rule: String,
    /// What an empty population means, where it is not "not evaluated".
    #[serde(default)]
    pub on_empty: Option<OnEmpty>,
    /// CEL: what the rule wants, shown beside `actual`.
    #[serde(default)]
    pub expected: Option<String>,
    /// CEL: what was seen.
    #[serde(default)]
    pub actual: Option<String>,
    /// CEL: the severity word of a failing item.
    #[serde(default)]
    pub severity_of: Option<String>,
    /// For people.
    pub docs: Docs,
    /// Embedded tests: at least one each of pass, fail and not-evaluated.
    pub tests: Vec<CheckTest>,
    /// Where the file came from: `built-in`, or its path. Set by the loader.
    #[serde(skip)]
    pub origin: String,
    /// SHA-256 of the file. Set by the loader.
    #[serde(skip)]
    pub digest: String,
    /// The text of the file, for errors. Set by the loader.
    #[serde(skip)]
    pub source: String,
}

/// What kind of evidence a check rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// A probe or a query.
    Machine,
    /// A file that probity reads.
    Document,
    /// A person's statement.
    Attestation,
}

/// Which targets a check is about. A predicate on quality does not belong here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// TLS endpoints.
    Endpoint,
    /// TLS endpoints whose protocol has TLS asked for.
    Upgrade,
    /// Every target with a database engine, server or file.
    Database,
    /// Every target with a database engine, and cloud accounts, whose databases are their parts.
    Managed,
    /// Every target that holds rows or objects.
    Store,
    /// Buckets of object stores, and cloud accounts, whose buckets are their parts.
    Objects,
    /// Cloud accounts.
    Cloud,
    /// Domains.
    Domain,
    /// Machines.
    Host,
    /// The vendor register.
    Register,
    /// The requests of data subjects.
    Requests,
    /// The ledger of erasures.
    Erasure,
    /// An export of one data subject.
    Export,
}

/// A value that a user may set by an overlay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// The type of the value.
    #[serde(rename = "type")]
    pub kind: ParamKind,
    /// The allowed values, weakest first where `stricter` orders them.
    #[serde(default, rename = "enum")]
    pub allowed: Vec<Value>,
    /// The value when the user sets none.
    pub default: Value,
    /// Which direction is stricter; a laxer value is shown as a relaxation.
    #[serde(default)]
    pub stricter: Option<Stricter>,
    /// What it means, for people.
    #[serde(default)]
    pub help: Option<String>,
}

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ParamKind {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// A list of texts.
    List,
}

/// Which direction of a parameter is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stricter {
    /// Higher, or later in `enum`.
    Higher,
    /// Lower, or earlier in `enum`.
    Lower,
}

/// The only way to not-applicable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Applies {
    /// CEL: true where the check applies. Unknown there is not-evaluated.
    pub when: String,
    /// The reason shown where it does not: CEL over the item, or plain text.
    pub otherwise: String,
}

/// What an empty population means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnEmpty {
    /// Pass or not-applicable.
    pub status: Status,
    /// Why that is right.
    pub why: String,
}

/// What people read about a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Docs {
    /// Two or three sentences.
    pub why: String,
    /// How an auditor repeats it without probity.
    pub audit: String,
    /// What to change.
    pub remediation: String,
    /// What a pass does not show.
    pub does_not_establish: String,
    /// RFCs, articles, sections.
    #[serde(default)]
    pub references: Vec<String>,
}

/// One embedded test of a check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckTest {
    /// What it shows.
    pub name: String,
    /// Facts by observation kind, each a complete observation.
    #[serde(default)]
    pub facts: BTreeMap<String, Map<String, Value>>,
    /// Parameters that differ from the defaults.
    #[serde(default)]
    pub params: BTreeMap<String, Value>,
    /// The reason word of a failed look at every kind in `needs` that `facts` lacks.
    #[serde(default)]
    pub trouble: Option<String>,
    /// Kinds among `facts` that are partial, with the reason word.
    #[serde(default)]
    pub partial: BTreeMap<String, String>,
    /// The date of judgement, where the rule reads `as_of`; 2026-11-25 otherwise.
    #[serde(default)]
    pub as_of: Option<String>,
    /// The worst status over the items.
    pub expect: Status,
    /// Expected status of single items, by key.
    #[serde(default)]
    pub items: BTreeMap<String, Status>,
}
