//! The rights with which an audit role sees everything that is looked at, and no more.

use crate::collect::census::table_name;
use crate::model::retention::{DataSet, Dialect};

/// None of these shows a row of a user's table.
const RIGHTS: [&str; 3] = [
    "pg_read_all_settings, pg_read_all_stats",
    "SELECT ON pg_hba_file_rules",
    "EXECUTE ON FUNCTION pg_hba_file_rules(), pg_stat_file(text), pg_ls_waldir()",
];

/// The statements that make this role and give it what it needs, with the columns that these sets are counted by, and
/// those that name persons where these are looked for.
pub fn grants(role: &str, sets: &[&DataSet], persons: bool) -> Vec<String> {
    // Quotes only where the name would be another without: the script is read by people.
    let bare = role.starts_with(|letter: char| letter.is_ascii_lowercase())
        && role.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    let role = if bare { role.to_owned() } else { Dialect::Postgres.quote(role) };
    let mut lines = vec![format!("CREATE ROLE {role} LOGIN PASSWORD 'a long random one';")];
    let of_sets = sets.iter().flat_map(|set| of_set(set, persons));
    lines.extend(
        RIGHTS.iter().map(|right| (*right).to_owned()).chain(of_sets).map(|right| format!("GRANT {right} TO {role};")),
    );
    let mut seen = std::collections::BTreeSet::new();
    lines.retain(|line| seen.insert(line.clone()));
    lines
}

/// The way to the table, and the columns by which rows of a set are counted.
pub fn of_set(set: &DataSet, persons: bool) -> Vec<String> {
    let quote = |name: &String| Dialect::Postgres.quote(name);
    let columns: Vec<String> = set.columns(Dialect::Postgres, persons).iter().map(quote).collect();
    let Some(names) = table_name(&set.object).ok().filter(|_| !columns.is_empty()) else { return Vec::new() };
    let table = names.iter().map(quote).collect::<Vec<_>>().join(".");
    let mut rights = Vec::new();
    if let [schema, _] = names.as_slice() {
        rights.push(format!("USAGE ON SCHEMA {}", quote(schema)));
    }
    rights.push(format!("SELECT ({}) ON {table}", columns.join(", ")));
    rights
}
