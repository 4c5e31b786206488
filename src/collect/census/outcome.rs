//! What a measuring gave, as it came from the database.

use super::Topic;
use crate::model::Fact;
use crate::model::retention::{Sampled, Strategy};
use std::collections::BTreeMap;

/// A count as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many.
    pub rows: u64,
    /// There may be more.
    pub capped: bool,
    /// Why rows may have been missed.
    pub blind: Option<String>,
}

/// What [`Census::whole`] gives: the counts, how many rows belong to the set, the oldest dates.
pub type Whole = (BTreeMap<Topic, Counted>, u64, Vec<Option<String>>);

/// What a measuring gave.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it was done.
    pub strategy: Strategy,
    /// The counts.
    pub counts: BTreeMap<Topic, Counted>,
    /// The oldest date of each entry in [`Census::oldest`].
    pub oldest: Vec<Option<String>>,
    /// Rows of the object.
    pub total: Fact<u64>,
    /// The sample, where one was drawn.
    pub sampled: Option<Sampled>,
    /// The query that counted.
    pub query: String,
    /// How it was run.
    pub plan: String,
}
