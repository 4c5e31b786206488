//! The retention schedule as a person writes it.

use super::expiry::{Action, Hold, Mechanism, Scope, SoftDelete};
use super::{Delay, Dialect, Expression, Grace, Period, Slug, TimestampType, Zone};
use crate::model::personal::{DataCategory, SubjectCategory};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// A retention schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Schedule {
    /// The calendar in which days are counted.
    #[serde(default)]
    pub time_zone: Zone,
    /// By how much clocks may differ.
    #[serde(default = "five_minutes")]
    pub clock_skew_tolerance: Delay,
    /// What is kept where, and for how long.
    #[serde(default)]
    pub data_sets: Vec<DataSet>,
    /// Which rows belong to which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<Edge>,
    /// Objects that need no schedule, each with a reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exempt: Vec<Exemption>,
}

/// Rows that are kept for one purpose and one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct DataSet {
    /// Unique in the schedule.
    pub id: Slug,
    /// The id of the target that holds it.
    pub store: String,
    /// Where in the store.
    pub object: Object,
    /// What part it plays.
    pub kind: SetKind,
    /// The set that a derived set is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<Slug>,
    /// Which personal data.
    pub data_categories: BTreeSet<DataCategory>,
    /// Whose data.
    pub subject_categories: BTreeSet<SubjectCategory>,
    /// What dates a row; required unless only the mechanism is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<RowTime>,
    /// What the clock starts from.
    pub anchor: Anchor,
    /// What says whose row it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_key: Option<SubjectKey>,
    /// Columns that an anonymised row no longer fills.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub personal_columns: Vec<PersonalColumn>,
    /// How long a row may be kept.
    pub max_age: Period,
    /// Slack for the job that deletes.
    #[serde(default, skip_serializing_if = "Grace::is_zero")]
    pub grace: Grace,
    /// Why the slack is longer than 31 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_reason: Option<String>,
    /// Limits the set to some rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Expression>,
    /// Why it may be kept.
    pub legal_basis: LegalBasis,
    /// A legal duty to keep it at least this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_age: Option<Period>,
    /// Rows that must be kept for a while.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// Rows that are marked as deleted and still there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_delete: Option<SoftDelete>,
    /// What happens when the age is reached.
    pub action: Action,
    /// The means that does it.
    pub mechanism: Mechanism,
    /// How to measure.
    #[serde(default)]
    pub measure: Measure,
    /// Where else the rows are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copies: Vec<Copy>,
}

/// One object in a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// A table, as `schema.name` or `name`, spelt as the database has it.
    Table(String),
    /// A collection of documents.
    Collection(String),
    /// A search index.
    Index(String),
    /// Keys that match a pattern.
    KeyPattern(String),
    /// Objects whose names begin alike.
    Prefix(String),
    /// A stream of messages.
    Stream(String),
}

impl Object {
    /// Its name as written.
    pub fn name(&self) -> &str {
        match self {
            Object::Table(name)
            | Object::Collection(name)
            | Object::Index(name)
            | Object::KeyPattern(name)
            | Object::Prefix(name)
            | Object::Stream(name) => name,
        }
    }
}

/// What part a set plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SetKind {
    /// The rows themselves.
    Primary,
    /// Made from another set.
    Derived,
    /// Can be made again.
    Cache,
    /// Records of events.
    Log,
    /// Kept against loss.
    Backup,
    /// For searching.
    Search,
    /// Made for someone.
    Export,
    /// For counting.
    Analytics,
}

/// What dates a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowTime {
    /// A column, or an expression over columns.
    pub expr: Expression,
    /// How its values tell the time.
    #[serde(rename = "type")]
    pub kind: TimestampType,
    /// The zone in which a time without zone is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column_time_zone: Option<Zone>,
    /// Used where the first is NULL; of the same type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Expression>,
}

/// What the clock starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// The row was made.
    Created,
    /// The person was last seen.
    LastSeen,
    /// The row was last changed.
    LastModified,
    /// The matter was closed.
    Closed,
    /// The contract ended.
    ContractEnd,
    /// The row was marked as deleted.
    DeletedAt,
}

impl Anchor {
    /// The word used in the schedule and in evidence.
    pub fn word(self) -> &'static str {
        match self {
            Anchor::Created => "created",
            Anchor::LastSeen => "last_seen",
            Anchor::LastModified => "last_modified",
            Anchor::Closed => "closed",
            Anchor::ContractEnd => "contract_end",
            Anchor::DeletedAt => "deleted_at",
        }
    }
}

/// What says whose row it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SubjectKey {
    /// A column, or an expression over columns.
    pub expr: Expression,
    /// What kind of key, for example `user_id`.
    pub namespace: Slug,
    /// What an anonymised row has there: a text in which `*` stands for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymised_as: Option<String>,
}

/// A column that an anonymised row no longer fills.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonalColumn {
    /// A column, or an expression over columns.
    pub expr: Expression,
    /// What an anonymised row has there: a text in which `*` stands for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymised_as: Option<String>,
}

/// Why data may be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LegalBasis {
    /// For example `6(1)(b)`.
    pub article: String,
    /// What for.
    pub purpose: String,
    /// More.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Measure {
    /// Which strategy.
    pub strategy: StrategyWish,
    /// Where a count stops.
    #[serde(deserialize_with = "limit")]
    pub limit: u32,
    /// How long one statement may take.
    #[serde(deserialize_with = "timeout")]
    pub timeout: Delay,
    /// The target to measure instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica: Option<String>,
    /// The rate up to which a clean sample is accepted.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "rate")]
    pub accept_rate: Option<f64>,
}

impl Default for Measure {
    fn default() -> Measure {
        Measure {
            strategy: StrategyWish::Auto,
            limit: 1000,
            timeout: Delay::seconds(5),
            replica: None,
            accept_rate: None,
        }
    }
}

/// Which strategy is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StrategyWish {
    /// The first that fits: index, small table, sample.
    #[default]
    Auto,
    /// Every row, whatever the size.
    Exact,
    /// By an index only.
    Bounded,
    /// By a sample only.
    Sample,
    /// By the bounds of partitions only.
    Partitions,
    /// By the store's own metadata only.
    Metadata,
}

/// Where else the rows are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// Its name.
    pub store: String,
    /// What it is for.
    pub kind: CopyKind,
    /// How long a copy is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Period>,
    /// How far it may be behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Delay>,
    /// Why it is kept for more than 90 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a copy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CopyKind {
    /// To read from.
    Replica,
    /// Against loss.
    Backup,
    /// For counting.
    Warehouse,
    /// For searching.
    Search,
    /// At a vendor.
    Vendor,
}

/// Rows of the child that belong to a row of the parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// A data set.
    pub child: Slug,
    /// Its column.
    pub child_key: Expression,
    /// A data set.
    pub parent: Slug,
    /// Its column.
    pub parent_key: Expression,
}

/// An object that needs no schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exemption {
    /// The id of the target that holds it.
    pub store: String,
    /// Where in the store.
    pub object: Object,
    /// Why.
    pub reason: String,
}

fn five_minutes() -> Delay {
    Delay::seconds(300)
}

fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let limit = u32::deserialize(deserializer)?;
    if (1..=1_000_000).contains(&limit) {
        Ok(limit)
    } else {
        Err(serde::de::Error::custom("the limit of a count is from 1 to 1000000"))
    }
}

fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Delay, D::Error> {
    let timeout = Delay::deserialize(deserializer)?;
    if (Delay::seconds(1)..=Delay::seconds(300)).contains(&timeout) {
        Ok(timeout)
    } else {
        Err(serde::de::Error::custom("the timeout of a statement is from 1s to 5m"))
    }
}

fn rate<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let rate = Option::<f64>::deserialize(deserializer)?;
    match rate {
        Some(rate) if !(rate > 0.0 && rate <= 0.1) => {
            Err(serde::de::Error::custom("the rate at which a sample is accepted is above 0 and at most 0.1"))
        }
        rate => Ok(rate),
    }
}

impl<'de> Deserialize<'de> for DataSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DataSet, D::Error> {
        let set = DataSet::deserialize(deserializer)?;
        set.mistake().map_or(Ok(set), |mistake| Err(serde::de::Error::custom(mistake)))
    }
}

impl Serialize for DataSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        DataSet::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Schedule, D::Error> {
        let schedule = Schedule::deserialize(deserializer)?;
        schedule.mistake().map_or(Ok(schedule), |mistake| Err(serde::de::Error::custom(mistake)))
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Schedule::serialize(self, serializer)
    }
}

impl DataSet {
    /// Whether it holds categories that weigh more.
    pub fn is_sensitive(&self) -> bool {
        self.data_categories.iter().any(|category| category.is_sensitive())
    }

    /// The columns by which its rows are dated, picked and told from anonymous ones, and where persons are looked for those
    /// that name one.
    pub fn columns(&self, dialect: Dialect, persons: bool) -> BTreeSet<String> {
        let time = self.timestamp.iter().flat_map(|time| [Some(&time.expr), time.fallback.as_ref()]).flatten();
        let holds = self.holds.iter().filter_map(|hold| match &hold.scope {
            Scope::Predicate(predicate) => Some(predicate),
            Scope::Subjects(_) => None,
        });
        let anonymise = self.action == Action::Anonymise;
        let key = self.subject_key.iter().map(|key| &key.expr).filter(|_| persons || anonymise);
        let personal = self.personal_columns.iter().map(|one| &one.expr).filter(|_| anonymise);
        let expressions = time
            .chain(self.soft_delete.iter().map(|soft| &soft.expr))
            .chain(self.filter.iter())
            .chain(holds)
            .chain(key)
            .chain(personal);
        expressions.flat_map(|expression| expression.columns(dialect)).collect()
    }

    /// The first thing that does not fit together, if any.
    fn mistake(&self) -> Option<String> {
        let id = &self.id;
        let grace = self.grace.period();
        if self.timestamp.is_none() && !self.mechanism.only {
            return Some(format!("data set `{id}` has no `timestamp`; without one, say `mechanism: {{only: true}}`"));
        }
        if !self.grace.is_zero() && grace.by_the_hour() != self.max_age.by_the_hour() {
            return Some(format!(
                "data set `{id}`: `grace` and `max_age` are both in hours or both in days and longer"
            ));
        }
        if grace.longest_days() > 31 && self.grace_reason.as_deref().unwrap_or_default().trim().is_empty() {
            return Some(format!("data set `{id}`: a `grace` of more than 31 days needs a `grace_reason`"));
        }
        if self.minimum_age.as_ref().is_some_and(|minimum| minimum.exceeds(&self.max_age)) {
            return Some(format!("data set `{id}`: `minimum_age` is longer than `max_age`"));
        }
        if self.kind == SetKind::Derived && self.derived_from.is_none() {
            return Some(format!("data set `{id}` is derived and needs `derived_from`"));
        }
        if let Some(time) = &self.timestamp
            && self.anchor != Anchor::Created
            && time.kind.proves_creation_only()
        {
            return Some(format!(
                "data set `{id}`: an id of type {} tells when a row was made, so it cannot date `{}`",
                time.kind,
                self.anchor.word()
            ));
        }
        self.texts()
            .find(|(_, text)| text.trim().is_empty())
            .map(|(field, _)| format!("data set `{id}`: {field} is empty"))
            .or_else(|| self.hold_mistake())
    }

    fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let fixed = [
            ("`store`", self.store.as_str()),
            ("`object`", self.object.name()),
            ("`legal_basis.article`", self.legal_basis.article.as_str()),
            ("`legal_basis.purpose`", self.legal_basis.purpose.as_str()),
        ];
        let holds = self.holds.iter().flat_map(|hold| {
            [("`reason` of a hold", hold.reason.as_str()), ("`authority` of a hold", hold.authority.as_str())]
        });
        fixed.into_iter().chain(holds)
    }

    fn hold_mistake(&self) -> Option<String> {
        let mut ids = BTreeSet::new();
        for hold in &self.holds {
            if !ids.insert(&hold.id) {
                return Some(format!("data set `{}`: two holds have the id `{}`", self.id, hold.id));
            }
            if hold.to.is_some_and(|to| to < hold.from) {
                return Some(format!("hold `{}` ends before it begins", hold.id));
            }
        }
        None
    }
}

impl Schedule {
    /// The sets that this store holds, in the order of their ids.
    pub fn sets_of(&self, store: &str) -> Vec<&DataSet> {
        let sets: BTreeMap<&Slug, &DataSet> =
            self.data_sets.iter().filter(|set| set.store == store).map(|set| (&set.id, set)).collect();
        sets.into_values().collect()
    }

    fn mistake(&self) -> Option<String> {
        let mut ids = BTreeSet::new();
        if let Some(set) = self.data_sets.iter().find(|set| !ids.insert(&set.id)) {
            return Some(format!("two data sets have the id `{}`", set.id));
        }
        let origins = self.data_sets.iter().filter_map(|set| set.derived_from.as_ref());
        let ends = self.edges.iter().flat_map(|edge| [&edge.child, &edge.parent]);
        if let Some(missing) = origins.chain(ends).find(|id| !ids.contains(id)) {
            return Some(format!("`{missing}` is not the id of a data set"));
        }
        let silent = self.exempt.iter().find(|exemption| exemption.reason.trim().is_empty());
        silent.map(|exemption| format!("the exemption of `{}` needs a reason", exemption.object.name()))
    }
}
