//! What a measuring found: the data of the kinds `data.retention` and `data.inventory`.

use crate::model::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `data.retention`: the data sets of one store, each with what was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Retention {
    /// One entry a data set that the schedule names for this store.
    pub data_sets: Vec<Measured>,
    /// The holds of all these sets.
    pub holds: Vec<HoldFacts>,
    /// The automatic means of each of these sets. They stand apart, since one that is left to a person is no reason to
    /// have a person review the counts.
    pub mechanisms: Vec<MechanismFacts>,
    /// The backups of all these sets, and an entry for each set that declares none.
    pub backups: Vec<BackupFacts>,
    /// By how many seconds the server's clock is ahead.
    pub skew_s: Fact<i64>,
    /// The server's version.
    pub server_version: Fact<String>,
    /// The version of the time zone database.
    pub tz_version: Fact<String>,
}

/// What was counted of one data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// The data set's id.
    pub id: String,
    /// Where in the store.
    pub object: String,
    /// What the clock starts from.
    pub anchor: String,
    /// The allowed age as it was written.
    pub max_age: String,
    /// The grace as it was written.
    pub grace: String,
    /// The calendar.
    pub time_zone: String,
    /// The present day in the calendar.
    pub as_of_day: String,
    /// The first day that is not past its time.
    pub cutoff_day: String,
    /// The first instant that is not past its time, in UTC.
    pub cutoff_utc: String,
    /// How it was measured.
    pub strategy: Strategy,
    /// Every row of the set was looked at, or the index that holds them all.
    pub exact: bool,
    /// Rows past their time that neither a hold nor anonymising excuses.
    pub violating: Fact<u64>,
    /// The count stopped at its limit, or a sample gave it: there are at least so many.
    pub capped: bool,
    /// `medium`, `high` or `critical`: what a violation weighs by the categories and the oldest row.
    pub severity: String,
    /// What the sample gave; no member says anything where no sample was drawn.
    pub sampled: Sampled,
    /// The sample was clean and its bound is one that the schedule accepts.
    pub accepted_by_sample: bool,
    /// Rows that cannot be dated, sentinels among them.
    pub undatable: Fact<u64>,
    /// Rows that carry a date which stands for none, by sentinel.
    pub sentinels: Vec<Sentinel>,
    /// Rows dated in the future.
    pub future: Fact<u64>,
    /// Rows past their time that a hold keeps.
    pub held: Fact<u64>,
    /// Violating rows that are marked as deleted.
    pub soft_deleted: Fact<u64>,
    /// Rows that the second expression dates.
    pub fallback_dated: Fact<u64>,
    /// The day of the oldest row that can be dated and that no hold keeps.
    pub oldest_day: Fact<String>,
    /// By how many days the row that is furthest past its time is past it; 0 where none is.
    pub overdue_days: Fact<i64>,
    /// Rows of the whole object, as far as known without counting.
    pub total_estimate: Fact<u64>,
    /// The set holds categories that weigh more.
    pub sensitive: bool,
    /// What happens when the age is reached.
    pub action: String,
    /// Why the rows may be kept.
    pub legal_basis: String,
    /// The means that makes expiry happen.
    pub mechanism: String,
    /// The query that counted, with its bounds.
    pub query: String,
    /// How the server ran it, in words.
    pub plan: String,
    /// What the measuring cost the store.
    #[serde(default)]
    pub cost: Cost,
    /// What else a reader must know.
    pub notes: Vec<String>,
    /// The count in words.
    pub summary: String,
}

/// What the measuring of one set cost its store. The counting is meant; questions to the catalogue are in the statements and
/// the time alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// How much was read, in the unit.
    pub read: Fact<u64>,
    /// `pages` of PostgreSQL's table and indexes, from memory or from the disk; `rows` or entries of an index that MySQL's
    /// engine handed over; `steps` of SQLite's machine; empty where nothing was counted.
    pub unit: String,
    /// How many statements were sent.
    pub statements: u64,
    /// How long they took in all, waiting for the answers included.
    pub milliseconds: u64,
}

/// How a set was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// By an index on the timestamp.
    Index,
    /// Only the partitions that can hold rows of the wanted age.
    Partitions,
    /// Every row of a table that is small.
    SmallTable,
    /// Some rows, drawn by chance.
    Sample,
    /// Not at all.
    None,
}

/// What a sample gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sampled {
    /// What was drawn: `rows`, `pages`, or empty where no sample was drawn.
    pub unit: String,
    /// How many pages held the rows, where pages were drawn.
    pub pages: u64,
    /// How many rows were seen.
    pub rows: u64,
    /// How many of them were past their time.
    pub violating: u64,
    /// In a clean sample, the highest rate that 95 samples of 100 would have shown, in parts of a million.
    pub rate_bound_ppm: u64,
}

/// Rows with a date that stands for none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sentinel {
    /// The date.
    pub value: String,
    /// How many rows.
    pub rows: u64,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldFacts {
    /// The data set and the hold: `conversations/case-2026-4`.
    pub key: String,
    /// Why.
    pub reason: String,
    /// Who ordered it.
    pub authority: String,
    /// First day.
    pub from: String,
    /// Last day; empty where open.
    pub to: String,
    /// When somebody must look at it again.
    pub review_on: String,
    /// It has effect now.
    pub in_force: bool,
    /// It has effect and its review is past.
    pub review_overdue: bool,
}

/// What was read of the means that makes the rows of one data set expire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MechanismFacts {
    /// The data set.
    pub key: String,
    /// The declared kind: `job`, `partition_drop`, `manual` and others.
    pub declared: String,
    /// Its declared name; empty where none is given.
    pub reference: String,
    /// It was found in the store. That it was not seen there is no proof that it is nowhere.
    pub found: Fact<bool>,
    /// It is switched on.
    pub enabled: Fact<bool>,
    /// When it last succeeded, in UTC.
    pub last_success: Fact<String>,
    /// It is on, succeeded within its last two intervals, and waits no longer than the allowed age.
    pub effective: Fact<bool>,
    /// Rows past their time were counted, whatever the means looks like.
    pub contradicted: bool,
    /// `review` where only a person can say whether it happens; else empty.
    pub result: String,
    /// What was seen, in words.
    pub seen: String,
}

/// A backup of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupFacts {
    /// The data set and the backup's store: `visitors/pg_backups`; the data set alone where it declares none.
    pub key: String,
    /// How long a backup is kept is declared.
    pub declared: Fact<bool>,
    /// How long a backup is kept, as it was written; empty where undeclared.
    pub max_age: String,
    /// The same in days, at the most; 0 where undeclared.
    pub longest_days: u64,
    /// Why it is kept for long; empty where no reason is given.
    pub reason: String,
    /// When the last trace of a row goes: its age and the backup's.
    pub total_age: String,
}

/// `data.inventory`: the tables of one store and what the names of their columns suggest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inventory {
    /// Every table, in the order of their names.
    pub tables: Vec<TableFacts>,
}

/// One table by its names; no value in it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableFacts {
    /// Its name with its schema.
    pub name: String,
    /// Columns whose names suggest personal data.
    pub personal_columns: Vec<String>,
    /// There is at least one such column.
    pub personal: bool,
    /// The schedule has a data set for it.
    pub scheduled: bool,
    /// Why the schedule exempts it; empty where it does not.
    pub exempt: String,
}
