//! The rights with which an audit account sees everything that is looked at, and no more.

use super::table::place;
use crate::model::retention::{DataSet, Dialect};

/// What both servers need: none of it shows a row of a user's table. The right REFERENCES shows the names of all tables
/// and columns, and what it is for needs CREATE as well.
const COMMON: [&str; 6] = [
    "PROCESS ON *.*",
    "REFERENCES ON *.*",
    "SELECT ON mysql.db",
    "SELECT ON mysql.tables_priv",
    "SELECT ON mysql.procs_priv",
    "SELECT ON performance_schema.threads",
];
const MARIADB: [&str; 2] = [super::accounts::right(true), "SELECT ON mysql.event"];
const MYSQL: [&str; 4] = [
    super::accounts::right(false),
    "SELECT ON mysql.component",
    "SELECT ON performance_schema.keyring_component_status",
    "REPLICATION CLIENT ON *.*",
];

/// The statements that give this account what it needs, for example `'auditor'@'%'`, with the columns that these sets are
/// counted by, and those that name persons where these are looked for.
pub fn grants(mariadb: bool, account: &str, sets: &[&DataSet], default_schema: &str, persons: bool) -> Vec<String> {
    let own: &[&str] = if mariadb { &MARIADB } else { &MYSQL };
    let mut rights: Vec<String> = COMMON.iter().chain(own).map(|right| (*right).to_owned()).collect();
    rights.sort_unstable();
    rights.extend(sets.iter().filter_map(|set| of_set(set, default_schema, persons)));
    rights.into_iter().map(|right| format!("GRANT {right} TO {account};")).collect()
}

/// The columns by which rows of a set are counted.
fn of_set(set: &DataSet, default_schema: &str, persons: bool) -> Option<String> {
    let (schema, name) = place(set, default_schema).ok()?;
    let quote = |name: &String| Dialect::Mysql.quote(name);
    let columns: Vec<String> = set.columns(Dialect::Mysql, persons).iter().map(quote).collect();
    (!columns.is_empty()).then(|| format!("SELECT ({}) ON {}.{}", columns.join(", "), quote(&schema), quote(&name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::retention::Schedule;

    #[test]
    fn a_set_needs_the_columns_that_it_is_counted_by() {
        let schedule: Schedule = serde_yaml::from_str(
            "data_sets: [{id: rows, store: db, object: {table: visitors}, kind: primary, data_categories: [contact], \
             subject_categories: [visitor], timestamp: {expr: seen, type: timestamp, fallback: made}, anchor: created, \
             max_age: 9 months, filter: \"kind = 'visitor'\", soft_delete: {expr: gone, max_age: 30 days}, \
             subject_key: {expr: email, namespace: email}, legal_basis: {article: a, purpose: p}, action: delete, \
             mechanism: {type: job}}]",
        )
        .unwrap();
        let script = grants(true, "'auditor'@'%'", &schedule.sets_of("db"), "app", false);
        assert_eq!(
            script.last().unwrap(),
            "GRANT SELECT (`gone`, `kind`, `made`, `seen`) ON `app`.`visitors` TO 'auditor'@'%';"
        );
        let persons = grants(true, "'auditor'@'%'", &schedule.sets_of("db"), "app", true);
        assert!(persons.last().unwrap().contains("`email`"), "{persons:?}");
        assert!(script.contains(&"GRANT PROCESS ON *.* TO 'auditor'@'%';".to_owned()));
        assert!(!script.iter().any(|line| line.contains("SELECT ON *.*") || line.contains("ALL")));
        assert_ne!(grants(true, "a", &[], "", false), grants(false, "a", &[], "", false));
    }
}
