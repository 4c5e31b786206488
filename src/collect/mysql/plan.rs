//! Whether a statement reads little, by the server's own plan.

use serde_json::Value;
use std::collections::BTreeMap;

/// How the server would read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// By an index.
    Index(String),
    /// These partitions and no others.
    Partitions(String),
    /// In a way that may read all of the table.
    All,
}

/// Ways that read a part of an index.
const BOUNDED: [&str; 8] =
    ["system", "const", "eq_ref", "ref", "ref_or_null", "range", "unique_subquery", "index_subquery"];
/// Deeper plans are not ours.
const DEEPEST: u8 = 40;

/// Judges a plan. `bounded` where all of an index is too much; `bytes` are the sizes of the partitions, of which so many
/// may be read whole.
pub fn judge(plan: &Value, bounded: bool, bytes: &BTreeMap<String, u64>, most: u64) -> Reading {
    let mut walk = Walk { bounded, bytes, most, steps: Vec::new(), partitions: false };
    if !walk.fits(plan, DEEPEST) {
        return Reading::All;
    }
    let words: String = walk.steps.join("; ").chars().filter(|letter| !letter.is_control()).take(400).collect();
    match walk.partitions {
        true => Reading::Partitions(words),
        false => Reading::Index(if words.is_empty() { "no row can match".to_owned() } else { words }),
    }
}

struct Walk<'a> {
    bounded: bool,
    bytes: &'a BTreeMap<String, u64>,
    most: u64,
    steps: Vec<String>,
    partitions: bool,
}

impl Walk<'_> {
    /// Whether this part of the plan and all below it read little.
    fn fits(&mut self, part: &Value, depth: u8) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        match part {
            Value::Object(fields) => {
                let sorted = ["using_filesort", "filesort"]
                    .iter()
                    .any(|key| fields.get(*key).is_some_and(|value| value.as_bool().unwrap_or(true)));
                // A sort reads all that it sorts before it gives the first.
                let counted = fields.contains_key("access_type") || fields.contains_key("table_name");
                !sorted && (!counted || self.reads_little(part)) && fields.values().all(|value| self.fits(value, depth))
            }
            Value::Array(parts) => parts.iter().all(|value| self.fits(value, depth)),
            _ => true,
        }
    }

    fn reads_little(&mut self, table: &Value) -> bool {
        // What a sub-query gave is bounded by the sub-query.
        if ["materialized", "materialized_from_subquery"].iter().any(|key| table.get(*key).is_some()) {
            return true;
        }
        let way = table["access_type"].as_str().unwrap_or_default();
        let key = table["key"].as_str().unwrap_or_default();
        if BOUNDED.contains(&way) || (way == "index" && !self.bounded) {
            self.steps.push(format!("{way} by {key}"));
            return true;
        }
        let named = table["partitions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let names: Vec<&str> = named.iter().filter_map(Value::as_str).collect();
        let sizes: Option<Vec<u64>> = names.iter().map(|name| self.bytes.get(*name).copied()).collect();
        let size = sizes.map(|sizes| sizes.iter().fold(0, |sum: u64, size| sum.saturating_add(*size)));
        let fits = !names.is_empty() && names.len() < self.bytes.len() && size.is_some_and(|size| size <= self.most);
        if fits {
            self.partitions = true;
            self.steps.push(format!("of {} partitions {} alone", self.bytes.len(), names.join(", ")));
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(plan: &str, bounded: bool) -> Reading {
        let bytes = [("p0", 10), ("p1", 1000), ("pm", 10)].map(|(name, size)| (name.to_owned(), size)).into();
        judge(&serde_json::from_str(plan).unwrap(), bounded, &bytes, 100)
    }

    /// As MariaDB writes them.
    fn mariadb(table: &str) -> String {
        format!(
            r#"{{"query_block": {{"select_id": 1, "nested_loop": [{{"table": {{"table_name": "<derived2>",
            "access_type": "ALL", "materialized": {{"query_block": {{"select_id": 2, "nested_loop":
            [{{"table": {{"table_name": "v", {table}}}}}]}}}}}}}}]}}}}"#
        )
    }

    #[test]
    fn plans_of_mariadb() {
        let range = mariadb(r#""access_type": "range", "key": "seen""#);
        assert_eq!(of(&range, true), Reading::Index("range by seen".to_owned()));
        assert_eq!(of(&mariadb(r#""access_type": "ALL""#), true), Reading::All);
        let index = mariadb(r#""access_type": "index", "key": "seen""#);
        assert_eq!(of(&index, true), Reading::All);
        assert_eq!(of(&index, false), Reading::Index("index by seen".to_owned()));
        let sorted = r#"{"query_block": {"read_sorted_file": {"filesort": {"sort_key": "v.dt",
            "table": {"table_name": "v", "access_type": "range", "key": "dt"}}}}}"#;
        assert_eq!(of(sorted, false), Reading::All);
        let none = r#"{"query_block": {"select_id": 1, "table": {"message": "Impossible WHERE"}}}"#;
        assert_eq!(of(none, true), Reading::Index("no row can match".to_owned()));
    }

    #[test]
    fn plans_of_mysql_8() {
        let plan = |inner: &str| {
            format!(
                r#"{{"query_block": {{"select_id": 1, "cost_info": {{"query_cost": "2.73"}}, "table": {{"table_name": "q",
                "access_type": "ALL", "rows_examined_per_scan": 2, "materialized_from_subquery":
                {{"using_temporary_table": true, "dependent": false, "cacheable": true, "query_block":
                {{"select_id": 2, {inner}}}}}}}}}}}"#
            )
        };
        let range = plan(r#""table": {"table_name": "v", "access_type": "range", "key": "seen", "using_index": true}"#);
        assert_eq!(of(&range, true), Reading::Index("range by seen".to_owned()));
        assert_eq!(of(&plan(r#""table": {"table_name": "v", "access_type": "ALL"}"#), true), Reading::All);
        let sorted = r#"{"query_block": {"ordering_operation": {"using_filesort": true,
            "table": {"table_name": "v", "access_type": "range", "key": "a"}}}}"#;
        assert_eq!(of(sorted, false), Reading::All);
        let unsorted = sorted.replace("true", "false");
        assert_eq!(of(&unsorted, false), Reading::Index("range by a".to_owned()));
    }

    #[test]
    fn small_partitions_may_be_read_and_all_of_them_never() {
        let of_partitions = |names: &str| mariadb(&format!(r#""partitions": [{names}], "access_type": "ALL""#));
        let reading = of(&of_partitions(r#""p0", "pm""#), true);
        assert_eq!(reading, Reading::Partitions("of 3 partitions p0, pm alone".to_owned()));
        assert_eq!(of(&of_partitions(r#""p0", "p1""#), true), Reading::All);
        assert_eq!(of(&of_partitions(r#""p0", "p1", "pm""#), true), Reading::All);
        assert_eq!(of(&of_partitions(r#""elsewhere""#), true), Reading::All);
        assert_eq!(of("[[1, \"x\"]]", true), Reading::Index("no row can match".to_owned()));
    }
}
