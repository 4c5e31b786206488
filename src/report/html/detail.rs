//! The details of each target: what was seen, as grids, ladders, steps and axes with their numbers.

mod asked;
mod clients;
mod database;
mod endpoint;
mod handshake;
mod others;
mod register;
mod requests;

use crate::model::{CheckResult, Target};
use crate::report::index::Index;
use crate::report::summary::{Counts, Facts, Mark, Marks, item_words};
use serde::Serialize;

/// Results of one target that are listed; the record has all.
const MAX_ROWS: usize = 60;

/// One target.
#[derive(Serialize)]
pub struct Detail {
    anchor: String,
    id: String,
    kind: &'static str,
    address: String,
    owner: String,
    environment: String,
    declared: String,
    counts: Counts,
    total: usize,
    rows: Vec<Row>,
    more: usize,
    passed: Vec<String>,
    parts: Vec<endpoint::Part>,
    database: Option<database::Database>,
    retention: Vec<database::Axis>,
    register: Option<register::Vendors>,
    requests: Option<requests::Clocks>,
}

#[derive(Serialize)]
struct Row {
    mark: Mark,
    check: String,
    place: String,
    reason: String,
    others: usize,
}

/// What is shown of a target.
pub fn detail(index: &Index<'_>, target: &Target, n: usize, marks: &Marks) -> Detail {
    let results = index.results(&target.id);
    let counts = marks.count(results.iter().copied());
    let mut rows: Vec<Row> =
        results.iter().map(|result| row(index, result, marks)).filter(|row| row.mark != Mark::Pass).collect();
    let together = |row: &Row| match row.mark {
        Mark::Open => (row.place.clone(), row.reason.clone()),
        _ => (String::new(), String::new()),
    };
    rows.sort_by_key(|row| (row.mark, together(row)));
    let mut rows = merged(rows);
    // A check that passes for some items alone is told by its rows.
    let told: Vec<&str> =
        results.iter().filter(|result| marks.of(result) != Mark::Pass).map(|result| result.check.as_str()).collect();
    let wholly = |result: &&&CheckResult| !told.contains(&result.check.as_str());
    let mut passed: Vec<String> = results.iter().filter(wholly).map(|result| result.check.clone()).collect();
    passed.dedup();
    let more = rows.len().saturating_sub(MAX_ROWS);
    rows.truncate(MAX_ROWS);
    let names = index.parts(&target.id);
    let facts = |part: &str| Facts { index, target: &target.id, part: part.to_owned() };
    let parts: Vec<_> = names.iter().filter_map(|part| endpoint::part(&facts(part))).collect();
    Detail {
        anchor: format!("t-{n}"),
        id: target.id.clone(),
        kind: target.kind.word(),
        address: target.address.clone(),
        owner: target.owner.clone().unwrap_or_default(),
        environment: target.environment.clone().unwrap_or_default(),
        declared: target.declared.as_ref().map(|place| format!("{}:{}", place.file, place.line)).unwrap_or_default(),
        counts,
        total: counts.total(),
        rows,
        more,
        passed,
        parts: endpoint::without_repeats(parts),
        database: names.iter().find_map(|part| database::database(&facts(part))),
        retention: names.iter().flat_map(|part| database::axes(&facts(part))).collect(),
        register: names.iter().find_map(|part| register::vendors(&facts(part))),
        requests: names.iter().find_map(|part| requests::clocks(&facts(part))),
    }
}

fn row(index: &Index<'_>, result: &CheckResult, marks: &Marks) -> Row {
    let item = item_words(index, result, "");
    let place: Vec<&str> = [result.part.as_str(), &item].into_iter().filter(|word| !word.is_empty()).collect();
    Row {
        mark: marks.of(result),
        check: result.check.clone(),
        place: place.join(" · "),
        reason: crate::report::text::clip(&result.reason, 300).into_owned(),
        others: 0,
    }
}

/// Rows of the same place and reason share one, and so do the failures of one check, whose items stand in its card.
fn merged(rows: Vec<Row>) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::new();
    for row in rows {
        let same = merged.last_mut().filter(|last| last.mark == row.mark);
        match same {
            Some(last) if row.mark == Mark::Open && (&last.place, &last.reason) == (&row.place, &row.reason) => {
                last.check.push_str(&format!(", {}", row.check));
            }
            Some(last) if row.mark != Mark::Open && last.check == row.check => last.others += 1,
            _ => merged.push(row),
        }
    }
    merged
}
