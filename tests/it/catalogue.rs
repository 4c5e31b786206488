//! the checks as data.

use probity::catalogue::Catalogue;
use probity::check;

#[test]
fn embedded_tests_of_every_check_pass() {
    let catalogue = match Catalogue::built_in() {
        Ok(catalogue) => catalogue,
        Err(problems) => panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    };
    let outcomes = check::test(&catalogue, None);
    let failed: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| Some(format!("{} ({}): {}", outcome.check, outcome.name, outcome.failure.as_ref()?)))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(!outcomes.is_empty());
}
