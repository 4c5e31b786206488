//! What the command of a job is about. It is read and never kept: it can hold anything.

use crate::model::retention::Action;

/// Whether a command deletes from the table, drops it or a partition of it, or changes it where rows are to be changed.
pub fn expires(command: &str, action: Action, (schema, table): (&str, &str), default_schema: &str) -> bool {
    let words = words(command);
    let at = |place: usize| words.get(place).map_or("", String::as_str);
    (0..words.len()).any(|begin| {
        let (mut place, is_drop) = match (at(begin), at(begin + 1)) {
            ("delete", "from") => (begin + 2, false),
            ("update", _) if matches!(action, Action::Anonymise | Action::CryptoShred) => (begin + 1, false),
            ("drop", "table") => (begin + 2, true),
            ("alter", "table") if drops_partition(&words, begin) => (begin + 2, false),
            _ => return false,
        };
        while matches!(at(place), "only" | "if" | "exists") {
            place += 1;
        }
        let (in_schema, name) =
            if at(place + 1) == "." { (at(place), at(place + 2)) } else { (default_schema, at(place)) };
        let table = table.to_lowercase();
        let rest = name.strip_prefix(table.as_str());
        let is_table = rest.is_some_and(|rest| rest.is_empty() || (is_drop && rest.starts_with('_')));
        in_schema.to_lowercase() == schema.to_lowercase() && is_table
    })
}

/// Whether the statement that begins here drops a partition.
fn drops_partition(words: &[String], begin: usize) -> bool {
    let of_statement = words.iter().skip(begin).take(12);
    of_statement.clone().zip(of_statement.skip(1)).any(|(one, two)| one == "drop" && two == "partition")
}

/// The words and points of a command, without comments and quoted texts.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut rest = command;
    while let Some(letter) = rest.chars().next() {
        let end = |mark: &str| rest.get(mark.len()..).and_then(|body| body.find(mark)).map(|at| at + 2 * mark.len());
        let skipped = match letter {
            '#' => rest.find('\n').or(Some(rest.len())),
            '-' if rest.starts_with("--") => rest.find('\n').or(Some(rest.len())),
            '/' if rest.starts_with("/*") => rest.find("*/").map(|at| at + 2).or(Some(rest.len())),
            '\'' => end("'").or(Some(rest.len())),
            _ => None,
        };
        let length = skipped.unwrap_or(letter.len_utf8());
        match (skipped, letter) {
            (None, '.') => words.extend([".".to_owned(), String::new()]),
            (None, '"' | '`') => {}
            (None, letter) if letter.is_alphanumeric() || letter == '_' => {
                if let Some(word) = words.last_mut() {
                    word.extend(letter.to_lowercase());
                }
            }
            _ => words.push(String::new()),
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_make_rows_of_the_table_expire() {
        for (command, action, expected) in [
            ("DELETE FROM visitors WHERE seen < now()", Action::Delete, true),
            ("delete from only \"public\".\"visitors\"", Action::Delete, true),
            ("WITH a AS (SELECT 1) DELETE\nFROM public . visitors", Action::Delete, true),
            ("DROP TABLE IF EXISTS visitors_2025", Action::Delete, true),
            ("UPDATE visitors SET email = NULL", Action::Anonymise, true),
            ("UPDATE visitors SET email = NULL", Action::Delete, false),
            ("DELETE FROM visitors_2025", Action::Delete, false),
            ("DELETE FROM other.visitors", Action::Delete, false),
            ("DROP TABLE visitorships", Action::Delete, false),
            ("SELECT 'delete from visitors'", Action::Delete, false),
            ("DELETE FROM `visitors` WHERE `seen` < now()", Action::Delete, true),
            ("ALTER TABLE visitors DROP PARTITION p2025", Action::Delete, true),
            ("ALTER TABLE visitors ADD COLUMN a int", Action::Delete, false),
            ("SELECT 1 # delete from visitors", Action::Delete, false),
            ("VACUUM visitors -- delete from visitors", Action::Delete, false),
            ("/* delete from visitors */ SELECT 1", Action::Delete, false),
            ("SELECT count(*) FROM visitors", Action::Delete, false),
            ("DELETE FROM 'é", Action::Delete, false),
            ("", Action::Delete, false),
        ] {
            assert_eq!(expires(command, action, ("public", "visitors"), "public"), expected, "{command}");
        }
    }
}
