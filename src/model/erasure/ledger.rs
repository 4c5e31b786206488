//! The data of the kind `data.ledger`: the ledger without its digests, and the data sets that it bears on.

use super::{Confirmation, Entry, Erasure, Exception, Graph, Outcome, Suppression, today};
use crate::model::retention::{CopyKind, DataSet, Schedule};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `data.ledger`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerFacts {
    /// The day on which it was read, in the schedule's calendar.
    pub as_of_day: String,
    /// The calendar.
    pub time_zone: String,
    /// The erasures.
    pub entries: Vec<EntryFacts>,
    /// The data sets of the retention schedule.
    pub sets: Vec<SetFacts>,
    /// Edges of the schedule: the child and the parent.
    pub edges: Vec<(String, String)>,
    /// The data set that holds the persons; empty where none is named.
    pub root: String,
    /// Data sets that need no edge to it.
    pub independent: Vec<String>,
    /// The paths at which the list is looked at, where somebody states so.
    pub suppression: Option<SuppressionFacts>,
}

/// One erasure, without its digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryFacts {
    /// The reference.
    pub key: String,
    /// The kinds of key that it names the person by.
    pub namespaces: Vec<String>,
    /// The day by which it must be done.
    pub due_on: String,
    /// The day on which it was done; empty while it was not.
    pub completed_on: String,
    /// What came of it; empty while nothing did.
    pub outcome: String,
    /// Grounds of what was kept.
    pub grounds: Vec<String>,
    /// Confirmations: the recipient and the day.
    pub confirmations: Vec<(String, String)>,
}

/// A data set, as far as erasures need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetFacts {
    /// Its id.
    pub key: String,
    /// The target that holds it.
    pub store: String,
    /// The kind of key that says whose a row is; empty where none does.
    pub namespace: String,
    /// It holds categories that weigh more.
    pub sensitive: bool,
    /// Backups: the store, and how long one is kept, which is empty where undeclared.
    pub backups: Vec<(String, String)>,
    /// Recipients of it.
    pub recipients: Vec<String>,
}

/// What is stated of the list that keeps the erased from coming back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuppressionFacts {
    /// The paths at which it is looked at.
    pub checked_at: Vec<String>,
    /// The day of the statement.
    pub attested_on: String,
}

impl LedgerFacts {
    /// What is kept of a ledger and a schedule.
    pub fn new(erasure: &Erasure, schedule: &Schedule, as_of: Timestamp) -> LedgerFacts {
        let Erasure { ledger, graph: Graph { root, independent }, suppression, .. } = erasure;
        let mut sets: Vec<SetFacts> = schedule.data_sets.iter().map(SetFacts::new).collect();
        sets.sort_by(|one, other| one.key.cmp(&other.key));
        LedgerFacts {
            as_of_day: today(&schedule.time_zone, as_of).to_string(),
            time_zone: schedule.time_zone.to_string(),
            entries: ledger.entries.iter().map(EntryFacts::new).collect(),
            sets,
            edges: schedule.edges.iter().map(|edge| (edge.child.to_string(), edge.parent.to_string())).collect(),
            root: root.as_ref().map(ToString::to_string).unwrap_or_default(),
            independent: independent
                .iter()
                .filter(|one| !one.reason.trim().is_empty())
                .map(|one| one.data_set.to_string())
                .collect(),
            suppression: suppression.as_ref().map(SuppressionFacts::new),
        }
    }
}

impl EntryFacts {
    fn new(entry: &Entry) -> EntryFacts {
        let confirmation = |it: &Confirmation| (it.recipient.clone(), it.confirmed_on.to_string());
        let ground = |it: &Exception| format!("{} in {} until {}", it.ground, it.data_set, it.until);
        EntryFacts {
            key: entry.reference.clone(),
            namespaces: entry.subject.keys().map(ToString::to_string).collect(),
            due_on: entry.due_on.to_string(),
            completed_on: entry.completed_on.map(|day| day.to_string()).unwrap_or_default(),
            outcome: entry.outcome.map(Outcome::word).unwrap_or_default().to_owned(),
            grounds: entry.exceptions.iter().filter(|it| !it.ground.trim().is_empty()).map(ground).collect(),
            confirmations: entry.confirmations.iter().map(confirmation).collect(),
        }
    }
}

impl SetFacts {
    fn new(set: &DataSet) -> SetFacts {
        let of = |kind| set.copies.iter().filter(move |copy| copy.kind == kind);
        SetFacts {
            key: set.id.to_string(),
            store: set.store.clone(),
            namespace: set.subject_key.as_ref().map(|key| key.namespace.to_string()).unwrap_or_default(),
            sensitive: set.is_sensitive(),
            backups: of(CopyKind::Backup)
                .map(|copy| (copy.store.clone(), copy.max_age.as_ref().map(ToString::to_string).unwrap_or_default()))
                .collect(),
            recipients: of(CopyKind::Vendor).map(|copy| copy.store.clone()).collect(),
        }
    }
}

impl SuppressionFacts {
    fn new(stated: &Suppression) -> SuppressionFacts {
        SuppressionFacts {
            checked_at: stated.checked_at.iter().map(|path| path.word().to_owned()).collect(),
            attested_on: stated.attested_on.to_string(),
        }
    }
}
