//! The grade of each server equals the one that was worked out by hand from the rating guide, with its reasons.
//!
//! The rows were written before any of these servers was graded. Afterwards these were changed, and no others: a self-signed
//! certificate with the mark of an authority is not also T_NOT_FOR_SERVER, which judges a path to an anchor; the oracle of
//! Node.js 0.8 was added, once another client had seen it; and two grades became provisional, where a fact that the guide
//! asks for cannot be had. No letter changed.

use crate::comparison;
use crate::servers::LAB;
use serde_json::Value as Json;
use std::collections::BTreeSet;

/// A row of `grades.csv`.
#[derive(Debug, PartialEq, serde::Deserialize)]
struct Expected {
    server: String,
    letter: String,
    without_trust: String,
    provisional: String,
    total: f64,
    caps: String,
    warnings: String,
    not_plus: String,
    trust: String,
    why: String,
}

fn expected() -> Vec<Expected> {
    let mut reader = csv::Reader::from_reader(include_str!("grades.csv").as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

#[test]
#[ignore = "it takes minutes; run tests/peers/run"]
fn the_grade_of_each_server_is_the_one_worked_out_by_hand() {
    let expected = expected();
    let servers: Vec<&str> = expected.iter().map(|row| row.server.as_str()).collect();
    assert_eq!(servers, LAB.iter().map(|entry| entry.name).collect::<Vec<_>>());
    let compared = comparison::all();
    for row in expected.iter().filter(|row| compared.iter().any(|one| one.server == row.server)) {
        println!("{}: {} ({} without trust): {}", row.server, row.letter, row.without_trust, row.why);
    }
    let of = |one: &comparison::Compared| {
        one.grade.iter().map(|other| format!("{}: {other}", one.server)).collect::<Vec<_>>()
    };
    let wrong: Vec<String> = compared.iter().flat_map(of).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// How this grade differs from the one worked out by hand.
pub fn differences(server: &str, grade: &Json) -> BTreeSet<String> {
    let expected = expected();
    let row = expected.iter().find(|row| row.server == server).unwrap();
    let word = |value: &Json| value.as_str().unwrap_or("-").to_owned();
    let codes = |list: &str| {
        let codes = grade[list].as_array().unwrap().iter().map(|note| word(&note["code"]));
        codes.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
    };
    let sorted = |text: &str| text.split(' ').collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ");
    let provisional = if grade["provisional"] == true { "yes" } else { "no" };
    let pairs = [
        ("letter", row.letter.clone(), word(&grade["letter"])),
        ("letter without trust", row.without_trust.clone(), word(&grade["letter_ignoring_trust"])),
        ("provisional", row.provisional.clone(), format!("{provisional}{}", incomplete(grade, provisional, row))),
        ("total", row.total.to_string(), grade["score"]["total"].to_string().trim_end_matches(".0").to_owned()),
        ("caps", sorted(&row.caps), codes("caps")),
        ("warnings", sorted(&row.warnings), codes("warnings")),
        ("not plus", sorted(&row.not_plus), codes("not_plus")),
        ("trust", sorted(&row.trust), codes("trust")),
    ];
    let differing = pairs.into_iter().filter(|(_, expected, seen)| expected != seen);
    differing.map(|(name, expected, seen)| format!("{name}: expected {expected}, not {seen}")).collect()
}

/// What is incomplete, where that is not expected.
fn incomplete(grade: &Json, provisional: &str, row: &Expected) -> String {
    if provisional == row.provisional { String::new() } else { format!(" for {}", grade["incomplete"]) }
}
