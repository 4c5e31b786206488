//! Retention: the schedule as people write it, and measuring on real databases.

use probity::model::retention::Schedule;

#[derive(serde::Deserialize)]
struct File {
    retention: Schedule,
}

const EXAMPLE: &str = include_str!("../golden/schedule/retention.yaml");

fn read(yaml: &str) -> Result<Schedule, String> {
    serde_yaml::from_str::<File>(yaml).map(|file| file.retention).map_err(|error| error.to_string())
}

#[test]
fn the_example_is_read_and_written_back() {
    let schedule = read(EXAMPLE).unwrap();
    assert_eq!(schedule.data_sets.len(), 2);
    let again: Schedule = serde_json::from_value(serde_json::to_value(&schedule).unwrap()).unwrap();
    assert_eq!(again, schedule);
}

#[test]
fn mistakes_are_told_with_their_line() {
    for (from, to, line, words) in [
        ("max_age: 9 months", "max_age: 9m", 13, "`9m` is not a period"),
        ("max_age: 9 months", "max_age: -1 day", 13, "negative"),
        ("max_age: 9 months", "max_age: 0 days", 13, "zero"),
        ("max_age: 9 months", "max_days: 270", 13, "unknown field `max_days`"),
        ("expr: last_seen_at", "expr: now()", 11, "`now`"),
        ("type: timestamptz, fallback", "type: datetime, fallback", 11, "not a type of time"),
        ("time_zone: UTC", "time_zone: Mars/Olympus", 2, "time zone"),
        ("behavioural]", "behaviour]", 9, "not a data category"),
        ("clock_skew_tolerance: 5m", "clock_skew_tolerance: 5 fortnights", 3, "whole number"),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        let error = read(&EXAMPLE.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(words), "{to}: {error}");
        assert!(error.contains(&format!("line {line}")) || error.contains(&format!("{line} |")), "{to}: {error}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for (from, to, words) in [
        ("grace: 1 day", "grace: 1 hour", "both in hours"),
        ("grace: 1 day", "grace: 2 months", "grace_reason"),
        ("grace: 1 day", "minimum_age: 2 years", "longer than `max_age`"),
        ("      timestamp: {expr: last_seen_at, type: timestamptz, fallback: created_at}\n", "", "no `timestamp`"),
        ("type: timestamptz, fallback: created_at", "type: uuidv7", "cannot date `last_seen`"),
        ("id: conversations", "id: visitors", "two data sets"),
        ("child: conversations", "child: talks", "`talks` is not the id"),
        ("from: 2026-03-01", "from: 2026-03-01, to: 2026-01-01", "ends before it begins"),
        ("authority: legal", "authority: ''", "empty"),
        ("kind: primary", "kind: derived", "derived_from"),
        ("mechanism: {type: job, ref: expire_visitors}", "mechanism: {type: job}\n      measure: {timeout: 1h}", "5m"),
        (
            "mechanism: {type: job, ref: expire_visitors}",
            "mechanism: {type: job}\n      measure: {limit: 0}",
            "1000000",
        ),
        (
            "mechanism: {type: job, ref: expire_visitors}",
            "mechanism: {type: job}\n      measure: {accept_rate: 1}",
            "0.1",
        ),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        let error = read(&EXAMPLE.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(words), "{to}: {error}");
    }
}
