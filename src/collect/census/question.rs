//! What is asked about a data set, and the statements that ask it.

use super::{Census, Counted, Whole};
use crate::model::retention::Dialect;
use std::collections::BTreeMap;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Rows past their time.
    Violating,
    /// Those of them that are marked as deleted.
    SoftDeleted,
    /// Rows past their time that a hold keeps.
    Held,
    /// Rows that cannot be dated.
    Undatable,
    /// Rows with this date that stands for none.
    Sentinel(&'static str),
    /// Rows dated in the future.
    Future,
    /// Rows that the second expression dates.
    FallbackDated,
}

/// One count: the rows for which any of the predicates is true. No row is in two of them.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is counted.
    pub topic: Topic,
    /// The predicates.
    pub predicates: Vec<String>,
    /// Predicates in the place of those, where only an index is read.
    pub by_index: Vec<String>,
    /// Why those do not find every row.
    pub blind: Option<&'static str>,
}

/// The oldest row of those dated by one expression.
#[derive(Clone, Debug)]
pub struct Oldest {
    /// What is selected: the date, or the part of an id that tells it.
    pub projection: String,
    /// What it is ordered by.
    pub order: String,
    /// Of which rows.
    pub predicate: String,
    pub(super) soft: bool,
}

impl Census<'_> {
    /// One statement that answers everything by reading every row: the counts, the members, the oldest dates, and
    /// what else is asked.
    pub fn whole(&self, from: &str, more: &[&str]) -> String {
        let counts = self
            .questions
            .iter()
            .map(|question| format!("count(CASE WHEN {} THEN 1 END)", question.predicates.join(" OR ")));
        let members = format!("count(CASE WHEN {} THEN 1 END)", self.members);
        let oldest = self
            .oldest
            .iter()
            .map(|oldest| format!("min(CASE WHEN {} THEN {} END)", oldest.predicate, oldest.projection));
        let columns: Vec<String> =
            counts.chain([members]).chain(oldest).chain(more.iter().map(|more| (*more).to_owned())).collect();
        format!("SELECT {} FROM {from}", columns.join(", "))
    }

    /// The answer to [`Census::whole`]: the counts, the members, the oldest dates.
    pub fn read_whole(&self, row: &[Option<String>]) -> Option<Whole> {
        let number = |place: usize| row.get(place)?.as_deref()?.parse::<u64>().ok();
        let mut counts = BTreeMap::new();
        for (place, question) in self.questions.iter().enumerate() {
            counts.insert(question.topic.clone(), Counted { rows: number(place)?, ..Counted::default() });
        }
        let members = number(self.questions.len())?;
        let oldest = row.get(self.questions.len() + 1..)?.get(..self.oldest.len())?.to_vec();
        Some((counts, members, oldest))
    }

    /// A count that stops at the limit.
    pub fn bounded(&self, predicate: &str) -> String {
        self.bounded_in(&self.table, predicate)
    }

    /// The same, with the table as it is to be read.
    pub fn bounded_in(&self, from: &str, predicate: &str) -> String {
        let limit = self.limit();
        format!("SELECT count(*) FROM (SELECT 1 FROM {from} WHERE {predicate} LIMIT {limit}) q")
    }

    /// The oldest row, by an index.
    pub fn first(&self, oldest: &Oldest) -> String {
        self.first_in(&self.table, oldest)
    }

    /// The same, with the table as it is to be read.
    pub fn first_in(&self, from: &str, oldest: &Oldest) -> String {
        let Oldest { projection, order, predicate, .. } = oldest;
        format!("SELECT {projection} FROM {from} WHERE {predicate} ORDER BY {order} LIMIT 1")
    }

    /// The columns by which rows are dated, where an index can be on them.
    pub fn date_columns(&self, dialect: Dialect) -> Vec<String> {
        let time = self.set.timestamp.iter().flat_map(|time| [Some(&time.expr), time.fallback.as_ref()]);
        let soft = self.set.soft_delete.iter().map(|soft| Some(&soft.expr));
        time.chain(soft).flatten().filter_map(|expression| expression.column(dialect)).collect()
    }

    /// Where a count stops.
    pub fn limit(&self) -> u64 {
        self.set.measure.limit.into()
    }
}
