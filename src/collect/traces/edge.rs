//! Edges between tables, and the question which rows of a child belong to no row of its parent.

use crate::collect::census::table_name;
use crate::model::Fact;
use crate::model::Trouble;
use crate::model::erasure::EdgeTraces;
use crate::model::retention::{DataSet, Dialect, Expression, Object, Schedule};

/// One side of an edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The data set; the table where it is none.
    pub name: String,
    /// The table's name in parts, without quotes.
    pub table: Vec<String>,
    /// What is compared: columns in quotes, or one expression.
    pub keys: Vec<String>,
    /// The bare columns that are compared; empty where something else is.
    pub columns: Vec<String>,
    /// Which rows count.
    pub members: String,
}

/// An edge within one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// How it is named.
    pub key: String,
    /// `declared` or `catalogue`.
    pub source: &'static str,
    /// The child.
    pub child: Side,
    /// The parent.
    pub parent: Side,
    /// The child holds categories that weigh more.
    pub sensitive: bool,
    /// Which database reads it.
    pub dialect: Dialect,
    /// Why the store itself proves that there are no orphans; empty where it does not.
    pub proof: String,
}

impl Side {
    /// The bare column that an index may lead with, where it is the only one.
    pub fn column(&self) -> Option<&String> {
        self.columns.first().filter(|_| self.columns.len() == 1)
    }

    fn rows(&self, dialect: Dialect) -> String {
        let table = self.table.iter().map(|part| dialect.quote(part)).collect::<Vec<_>>().join(".");
        let keys: Vec<String> = self.keys.iter().enumerate().map(|(n, key)| format!("{key} AS k{n}")).collect();
        format!("(SELECT {} FROM {table} WHERE {})", keys.join(", "), self.members)
    }

    fn declared(set: &DataSet, key: &Expression, dialect: Dialect, counts_members: bool) -> Result<Side, String> {
        let sql = |expression: &Expression| expression.sql(dialect).map_err(|error| error.to_string());
        let members = match set.filter.as_ref().filter(|_| counts_members) {
            Some(filter) => format!("{} IS TRUE", sql(filter)?),
            None => "TRUE".to_owned(),
        };
        let table = table_name(&set.object)?;
        Ok(Side {
            name: set.id.to_string(),
            table,
            keys: vec![sql(key)?],
            columns: key.column(dialect).into_iter().collect(),
            members,
        })
    }
}

impl Edge {
    /// The statement that counts orphans, at the most so many.
    pub fn count(&self, limit: u64) -> String {
        let pairs = 0..self.child.keys.len();
        let there: Vec<String> = pairs.clone().map(|n| format!("c.k{n} IS NOT NULL")).collect();
        let same: Vec<String> = pairs.map(|n| format!("p.k{n} = c.k{n}")).collect();
        format!(
            "SELECT count(*) FROM (SELECT 1 FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {}) LIMIT {limit}) q",
            self.child.rows(self.dialect),
            there.join(" AND "),
            self.parent.rows(self.dialect),
            same.join(" AND ")
        )
    }

    /// What was counted, or why it was not.
    pub fn counted(&self, counted: Result<(u64, String), Trouble>, limit: u64) -> EdgeTraces {
        let (orphans, how) = match counted {
            Ok((rows, how)) => (Fact::Known(rows), how),
            Err(trouble) => (Fact::unknown(trouble.to_string()), String::new()),
        };
        EdgeTraces {
            key: self.key.clone(),
            source: self.source.to_owned(),
            child: self.child.name.clone(),
            parent: self.parent.name.clone(),
            capped: orphans.known().is_some_and(|rows| *rows >= limit),
            orphans,
            sensitive: self.sensitive,
            how,
        }
    }
}

/// The edges that the schedule declares between sets of this store, and an entry for each that leaves it.
pub fn declared(schedule: &Schedule, store: &str, dialect: Dialect) -> (Vec<Edge>, Vec<EdgeTraces>) {
    let (mut edges, mut open) = (Vec::new(), Vec::new());
    let find = |id| schedule.data_sets.iter().find(|set| set.id == id);
    for edge in &schedule.edges {
        let (Some(child), Some(parent)) = (find(edge.child.clone()), find(edge.parent.clone())) else { continue };
        if child.store != store {
            continue;
        }
        let key = format!("{}.{} -> {}.{}", child.id, edge.child_key, parent.id, edge.parent_key);
        let made = if parent.store == store {
            let sides = Side::declared(child, &edge.child_key, dialect, true)
                .and_then(|below| Ok((below, Side::declared(parent, &edge.parent_key, dialect, false)?)));
            sides.map(|(below, above)| Edge {
                key: key.clone(),
                source: "declared",
                child: below,
                parent: above,
                sensitive: child.is_sensitive(),
                proof: String::new(),
                dialect,
            })
        } else {
            Err(format!("its parent is in another store, `{}`, and rows are not compared across stores", parent.store))
        };
        match made {
            Ok(edge) => edges.push(edge),
            Err(why) => open.push(EdgeTraces {
                key,
                source: "declared".to_owned(),
                child: child.id.to_string(),
                parent: parent.id.to_string(),
                orphans: Fact::unknown(why),
                capped: false,
                sensitive: child.is_sensitive(),
                how: String::new(),
            }),
        }
    }
    (edges, open)
}

/// The data set of a table in a store, where the schedule has one.
pub fn set_of<'a>(
    schedule: &'a Schedule,
    store: &str,
    (schema, name): (&str, &str),
    default_schema: &str,
) -> Option<&'a DataSet> {
    let means = |object: &Object| match table_name(object).as_deref() {
        Ok([only]) => only == name && schema == default_schema,
        Ok([first, second]) => first == schema && second == name,
        _ => false,
    };
    schedule.data_sets.iter().find(|set| set.store == store && means(&set.object))
}
