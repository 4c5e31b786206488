//! Requests of data subjects: each clock on an axis from the receipt on, and how a year's requests went.

use super::super::view::round;
use crate::model::requests::{BreachRow, ClockRow, Dsar};
use crate::report::summary::Facts;
use jiff::civil::Date;
use serde::Serialize;

/// Requests that are drawn; the record has all.
const MAX_REQUESTS: usize = 100;
/// Columns of the drawing, and its margin at both ends.
const WIDTH: f64 = 600.0;
const MARGIN: f64 = 30.0;

/// The clocks of one file.
#[derive(Serialize)]
pub struct Clocks {
    total: usize,
    rows: Vec<Row>,
    more: usize,
    coverage: Vec<(String, String)>,
    breaches: Vec<Breach>,
}

#[derive(Serialize)]
struct Row {
    key: String,
    right: String,
    regime: String,
    mark: &'static str,
    state: String,
    reason: String,
    received: String,
    start: String,
    due: String,
    end: String,
    end_word: &'static str,
    known: bool,
    start_x: f64,
    due_x: f64,
    end_x: f64,
    good_width: f64,
    late_width: f64,
}

#[derive(Serialize)]
struct Breach {
    key: String,
    aware: String,
    strict: String,
    long: String,
    told: String,
    mark: &'static str,
}

/// What is shown of a file of requests; `None` where no clock was derived from it.
pub fn clocks(facts: &Facts<'_>) -> Option<Clocks> {
    let seen: Dsar = facts.read("data.dsar")?;
    // What is wrong comes first.
    let mut rows: Vec<&ClockRow> = seen.requests.iter().collect();
    rows.sort_by_key(|row| (row.holds.known().copied().unwrap_or_default(), -row.late_days));
    Some(Clocks {
        total: rows.len(),
        more: rows.len().saturating_sub(MAX_REQUESTS),
        rows: rows.into_iter().take(MAX_REQUESTS).map(row).collect(),
        coverage: seen.coverage.iter().map(|row| (row.key.replace(['_', ':'], " "), row.summary.clone())).collect(),
        breaches: seen.breaches.iter().take(MAX_REQUESTS).map(breach).collect(),
    })
}

fn mark(judged: bool, holds: Option<&bool>) -> &'static str {
    match (judged, holds) {
        (false, _) => "not-applicable",
        (true, Some(true)) => "pass",
        (true, Some(false)) => "fail",
        (true, None) => "open",
    }
}

fn row(seen: &ClockRow) -> Row {
    let text = |day: &crate::model::Fact<String>| day.known().cloned().unwrap_or_default();
    let answered = !seen.completed_on.is_empty();
    let end = if answered { &seen.completed_on } else { &seen.as_of_day };
    let mut row = Row {
        key: seen.key.clone(),
        right: seen.right.clone(),
        regime: seen.regime.to_uppercase(),
        mark: mark(seen.judged, seen.holds.known()),
        state: seen.state.clone(),
        reason: seen.holds.reason().map_or_else(|| seen.reason.clone(), str::to_owned),
        received: seen.received_on.clone(),
        start: text(&seen.start_day),
        due: text(&seen.effective_due),
        end: end.clone(),
        end_word: if answered { "answered" } else { "today" },
        known: false,
        start_x: 0.0,
        due_x: 0.0,
        end_x: 0.0,
        good_width: 0.0,
        late_width: 0.0,
    };
    let day = |text: &str| text.parse::<Date>().ok();
    let days = (day(&seen.received_on), day(&row.start), day(&row.due), day(end));
    let (Some(received), Some(start), Some(due), Some(end)) = days else { return row };
    let last = due.max(end);
    let place = |day: Date| {
        let length = |to: Date| to.duration_since(received).as_secs_f64();
        round(MARGIN + (WIDTH - 2.0 * MARGIN) * (length(day) / length(last).max(1.0)).clamp(0.0, 1.0))
    };
    row.known = true;
    (row.start_x, row.due_x, row.end_x) = (place(start), place(due), place(end));
    row.good_width = round((row.end_x.min(row.due_x) - row.start_x).max(0.0));
    row.late_width = round((row.end_x - row.due_x).max(0.0));
    row
}

fn breach(seen: &BreachRow) -> Breach {
    let text =
        |instant: &crate::model::Fact<String>| instant.known().cloned().unwrap_or_else(|| "not known".to_owned());
    Breach {
        key: seen.key.clone(),
        aware: seen.aware_at.clone(),
        strict: text(&seen.strict_due),
        long: text(&seen.long_due),
        told: seen.notified_at.clone(),
        mark: if seen.result == "review" { "open" } else { mark(seen.judged, seen.holds.known()) },
    }
}
