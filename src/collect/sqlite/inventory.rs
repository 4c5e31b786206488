//! The tables of a file by their names, without a look at any row.

use super::Store;
use crate::collect::declared;
use crate::model::retention::{Inventory, Schedule};
use crate::model::{Reason, Trouble};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most columns that are read.
const MOST: usize = 10_000;

/// Reads the names.
pub fn read(store: &mut Store, schedule: &Schedule, target: &str) -> Result<(Inventory, Option<Trouble>), Trouble> {
    let sql = "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_xinfo(m.name) c \
               WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY m.name, c.cid";
    let rows = store.rows(sql, Duration::from_secs(5))?;
    let cut = (rows.len() > MOST).then(|| Trouble::new(Reason::TooLarge, "the file has more columns than are read"));
    let mut columns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        if let [Some(table), Some(column)] = row.as_slice() {
            columns.entry(table.clone()).or_default().push(column.clone());
        }
    }
    let tables = columns.iter().map(|(name, columns)| {
        let (schema, name) = ("main", name.as_str());
        declared::table(schedule, target, (schema, name), "main", columns)
    });
    Ok((Inventory { tables: tables.collect() }, cut))
}
