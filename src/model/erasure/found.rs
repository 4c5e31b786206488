//! What was found of persons: the data of the kinds `data.subjects` and `data.erasure`.

use crate::model::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `data.subjects`: what one store holds of the erased, and of the one person whose export is looked at. Counts and
/// references alone: no key of a person, and no digest of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Subjects {
    /// Traces of the erased, by data set.
    pub sets: Vec<SetTraces>,
    /// Rows that belong to no row any more, by edge.
    pub edges: Vec<EdgeTraces>,
    /// Rows of the one person, by data set.
    pub present: Vec<Presence>,
}

/// Traces of the erased in one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetTraces {
    /// The data set's id.
    pub key: String,
    /// Erasures that were looked for.
    pub entries: u64,
    /// Rows of the erased that are not newer than the erasure.
    pub residual: Fact<u64>,
    /// The erasures that they belong to, at most 20.
    pub residual_refs: Vec<String>,
    /// Rows of the erased that were made after the erasure.
    pub reappeared: Fact<u64>,
    /// The erasures that they belong to, at most 20.
    pub reappeared_refs: Vec<String>,
    /// Rows that an exception keeps.
    pub excepted: u64,
    /// There may be more rows than were counted.
    pub capped: bool,
    /// How it was looked for.
    pub how: String,
}

/// Rows of a child that belong to no row of their parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EdgeTraces {
    /// For example `conversations.visitor_id -> visitors.id`.
    pub key: String,
    /// `declared` or `catalogue`.
    pub source: String,
    /// The data set of the child; its table where it is none.
    pub child: String,
    /// The data set of the parent; its table where it is none.
    pub parent: String,
    /// How many.
    pub orphans: Fact<u64>,
    /// The count stopped at its limit.
    pub capped: bool,
    /// The child holds categories that weigh more.
    pub sensitive: bool,
    /// How it was counted, or why it need not be.
    pub how: String,
}

/// Rows of one person in one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Presence {
    /// The data set's id.
    pub key: String,
    /// How many.
    pub rows: Fact<u64>,
    /// The count stopped at its limit.
    pub capped: bool,
}

/// `data.erasure`: every test of the erasures of a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Erased {
    /// The day of judgement in the schedule's calendar.
    pub as_of_day: String,
    /// Each erasure against its day.
    pub entries: Vec<EntryRow>,
    /// Rows of the erased, by data set.
    pub residual: Vec<TraceRow>,
    /// Rows of the erased that came back, by data set.
    pub reappeared: Vec<TraceRow>,
    /// Rows without the row that they belong to, by edge.
    pub orphans: Vec<TraceRow>,
    /// Whether each data set with persons is reached from the persons themselves.
    pub graph: Vec<GraphRow>,
    /// What is stated of the list that keeps the erased from coming back, by path.
    pub suppression: Vec<PathRow>,
    /// What each recipient said.
    pub recipients: Vec<RecipientRow>,
    /// When each backup holds nothing of the erased any more.
    pub backups: Vec<BackupRow>,
}

/// One erasure against its day.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EntryRow {
    /// The reference.
    pub key: String,
    /// There is something to judge: one that still has time is not.
    pub judged: bool,
    /// It was done by its day, or refused on a ground.
    pub holds: bool,
    /// `done`, `late`, `refused`, `overdue` or `open`.
    pub state: String,
    /// In words.
    pub reason: String,
}

/// A count of rows that must not be there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceRow {
    /// The data set, or the edge.
    pub key: String,
    /// How many.
    pub rows: Fact<u64>,
    /// What they weigh.
    pub severity: String,
    /// In words.
    pub summary: String,
}

/// Whether a data set is reached from the persons.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GraphRow {
    /// The data set.
    pub key: String,
    /// It is, or needs not be.
    pub mapped: Fact<bool>,
    /// How.
    pub how: String,
}

/// A path by which data comes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PathRow {
    /// `import` or `restore`.
    pub key: String,
    /// The statement says that the list is looked at there.
    pub named: bool,
    /// The day of the statement; empty where there is none.
    pub attested_on: String,
    /// `review` where nobody has stated anything; else empty.
    pub result: String,
    /// In words.
    pub summary: String,
}

/// A recipient's confirmations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecipientRow {
    /// The recipient.
    pub key: String,
    /// Every erasure is confirmed, with a day that is not before it.
    pub confirmed: Fact<bool>,
    /// In words.
    pub summary: String,
}

/// A backup and the erased.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupRow {
    /// The data set and the backup's store.
    pub key: String,
    /// Every erasure is older than the backup keeps anything.
    pub gone: Fact<bool>,
    /// For how many days at the most a backup is kept; 0 where that is not declared.
    pub kept_days: u64,
    /// The day on which the last of them is gone; unknown where that is not declared.
    pub gone_on: Fact<String>,
    /// In words.
    pub summary: String,
}
