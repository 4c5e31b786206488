//! What ends the life of rows, and what holds that up.

use super::{Expression, Period, Slug};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A duty to keep certain rows for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Unique in its set.
    pub id: Slug,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub authority: String,
    /// First day.
    #[schemars(with = "String")]
    pub from: Date,
    /// Last day; open where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub to: Option<Date>,
    /// Which rows.
    pub scope: Scope,
    /// When somebody must look at it again.
    #[schemars(with = "String")]
    pub review_on: Date,
}

impl Hold {
    /// Whether it has effect on this day.
    pub fn in_force(&self, day: Date) -> bool {
        self.from <= day && self.to.is_none_or(|to| day <= to)
    }
}

/// Which rows a hold is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The rows of which this is true.
    Predicate(Expression),
    /// The persons of a hashed list elsewhere, which no measuring here can match.
    Subjects(String),
}

/// Rows that are marked as deleted and still there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftDelete {
    /// When the row was marked; of the timestamp's type.
    pub expr: Expression,
    /// How long it may stay after that.
    pub max_age: Period,
}

/// What happens when the age is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The row goes.
    Delete,
    /// The row stays, the person goes.
    Anonymise,
    /// Only sums stay.
    Aggregate,
    /// The row moves.
    Archive,
    /// The key to it goes.
    CryptoShred,
}

impl Action {
    /// The word used in the schedule and in evidence.
    pub fn word(self) -> &'static str {
        match self {
            Action::Delete => "delete",
            Action::Anonymise => "anonymise",
            Action::Aggregate => "aggregate",
            Action::Archive => "archive",
            Action::CryptoShred => "crypto_shred",
        }
    }
}

/// The means that makes expiry happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mechanism {
    /// Which.
    #[serde(rename = "type")]
    pub kind: MechanismKind,
    /// Its name where it runs.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Only the mechanism is declared, the rows cannot be dated.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub only: bool,
}

/// The kinds of means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MechanismKind {
    /// A job.
    Job,
    /// An index with a time to live.
    TtlIndex,
    /// Partitions that are dropped.
    PartitionDrop,
    /// A rule of an object store.
    LifecycleRule,
    /// A setting of a stream.
    StreamRetention,
    /// A person.
    Manual,
}

impl MechanismKind {
    /// The word used in the schedule and in evidence.
    pub fn word(self) -> &'static str {
        match self {
            MechanismKind::Job => "job",
            MechanismKind::TtlIndex => "ttl_index",
            MechanismKind::PartitionDrop => "partition_drop",
            MechanismKind::LifecycleRule => "lifecycle_rule",
            MechanismKind::StreamRetention => "stream_retention",
            MechanismKind::Manual => "manual",
        }
    }
}
