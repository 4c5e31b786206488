//! The clock of one request: when it starts, when the answer is due, and when it is due at the latest.

use super::{Law, Request};
use crate::model::retention::OutOfRange;
use jiff::Span;
use jiff::civil::{Date, Weekday};
use std::collections::BTreeSet;

/// Asking for proof of identity later than so many days after the receipt does not move the start.
const ASKED_WITHOUT_DELAY: i64 = 3;
/// The days after which an answer should be there, as a target of one's own.
const INTERNAL_DAYS: i64 = 28;
/// From this day on the pause of the United Kingdom is law; before, it was guidance for controllers who hold much data.
const PAUSE_IS_LAW_SINCE: Date = jiff::civil::date(2026, 2, 5);

/// The days of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The day from which months are counted.
    pub start: Start,
    /// One month after the start, moved to a working day.
    pub due: Date,
    /// Three months after the start, moved likewise.
    pub extended_due: Date,
    /// The one of the two that counts.
    pub effective_due: Date,
    /// What an internal target would be.
    pub internal: Date,
    /// Whether the time was extended.
    pub extension: Extension,
    /// The clock stood still for so many days.
    pub paused_days: i64,
    /// It stands still now.
    pub is_paused: bool,
    /// What a reader must know of how the days came about.
    pub notes: Vec<String>,
}

/// The day from which months are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// This day.
    On(Date),
    /// Proof of identity, or a fee, was asked for in time and is not there: the clock has not started. The days are
    /// those that it would have, had it started with the receipt.
    Waiting(Date),
}

impl Start {
    /// The day, whether or not it is final.
    pub fn day(self) -> Date {
        match self {
            Start::On(day) | Start::Waiting(day) => day,
        }
    }
}

/// Whether the time was extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extension {
    /// No.
    None,
    /// Yes: the person was told in time, and why.
    Valid,
    /// The person was told when the first time was over.
    Late,
    /// No reason was given, or the person was not told.
    Incomplete,
}

impl Extension {
    /// The word used in evidence.
    pub fn word(self) -> &'static str {
        match self {
            Extension::None => "none",
            Extension::Valid => "valid",
            Extension::Late => "late",
            Extension::Incomplete => "incomplete",
        }
    }
}

/// Days from one day to another; negative where the second is earlier.
pub fn days_between(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

/// So many months later, on the same day of the month or its last one.
fn months_after(day: Date, months: i64) -> Result<Date, OutOfRange> {
    day.checked_add(Span::new().months(months)).map_err(|_| OutOfRange)
}

fn days_after(day: Date, days: i64) -> Result<Date, OutOfRange> {
    Span::new().try_days(days).and_then(|span| day.checked_add(span)).map_err(|_| OutOfRange)
}

/// Whether people work on this day.
pub fn is_working_day(day: Date, holidays: &BTreeSet<Date>) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) && !holidays.contains(&day)
}

/// The day itself, or the next one on which people work.
pub fn working_day(mut day: Date, holidays: &BTreeSet<Date>) -> Result<Date, OutOfRange> {
    while !is_working_day(day, holidays) {
        day = day.tomorrow().map_err(|_| OutOfRange)?;
    }
    Ok(day)
}

/// The clock of a request as it stands on this day.
///
/// # Errors
/// Where the calendar does not reach that far.
pub fn clock(request: &Request, holidays: Option<&BTreeSet<Date>>, as_of: Date) -> Result<Clock, OutOfRange> {
    let none = BTreeSet::new();
    let mut notes = Vec::new();
    if holidays.is_none() {
        notes.push("no calendar of public holidays is named: only weekends move a day".to_owned());
    }
    let holidays = holidays.unwrap_or(&none);
    let start = start(request, as_of, &mut notes);
    let day = start.day();
    let unpaused = working_day(months_after(day, 1)?, holidays)?;
    let (paused_days, is_paused) = pause(request, unpaused, as_of, &mut notes);
    let end =
        |months: i64| days_after(months_after(day, months)?, paused_days).and_then(|end| working_day(end, holidays));
    // Always from the start, never from the first due day.
    let (due, extended_due) = (end(1)?, end(3)?);
    let extension = extension(request, due);
    let effective_due = if extension == Extension::Valid { extended_due } else { due };
    let internal = days_after(day, INTERNAL_DAYS.saturating_add(paused_days))?;
    Ok(Clock { start, due, extended_due, effective_due, internal, extension, paused_days, is_paused, notes })
}

fn start(request: &Request, as_of: Date, notes: &mut Vec<String>) -> Start {
    let received = request.received_on;
    let asked_late = request.identity_asked_on.is_some_and(|asked| days_between(received, asked) > ASKED_WITHOUT_DELAY);
    if asked_late && request.regime == Law::Eu {
        notes.push(format!(
            "proof of identity was asked for more than {ASKED_WITHOUT_DELAY} days after the receipt, so the clock started with the receipt"
        ));
    }
    let identity = match request.regime {
        Law::Eu if asked_late => None,
        _ => Some((request.identity_asked_on, request.identity_confirmed_on)),
    };
    let fee = (request.regime == Law::Uk).then_some((request.fee_asked_on, request.fee_paid_on));
    let mut start = received;
    let mut waits = false;
    for (asked, there) in [identity, fee].into_iter().flatten() {
        match (asked, there) {
            (_, Some(there)) => start = start.max(there),
            (Some(asked), None) => waits |= asked <= as_of,
            (None, None) => {}
        }
    }
    // An answer that was given all the same is counted from the receipt: nothing was waited for.
    if waits && request.completed_on.is_none() { Start::Waiting(start) } else { Start::On(start) }
}

/// For how many days the clock stood still, and whether it does so now. Only the law of the United Kingdom stops it.
fn pause(request: &Request, due: Date, as_of: Date, notes: &mut Vec<String>) -> (i64, bool) {
    let Some(asked) = request.clarification_asked_on else { return (0, false) };
    if request.regime == Law::Eu {
        notes.push("asking what is meant does not stop the clock".to_owned());
        return (0, false);
    }
    if asked > due {
        notes.push("it was asked what is meant only when the time was over, which stops no clock".to_owned());
        return (0, false);
    }
    if request.received_on < PAUSE_IS_LAW_SINCE {
        notes.push(format!(
            "before {PAUSE_IS_LAW_SINCE} the pause rested on guidance, for controllers who hold much data about the person"
        ));
    }
    match (request.clarified_on, request.completed_on) {
        (Some(clear), _) => (days_between(asked, clear).max(0), false),
        (None, Some(completed)) => (days_between(asked, completed).max(0), false),
        (None, None) => (days_between(asked, as_of).max(0), as_of >= asked),
    }
}

fn extension(request: &Request, due: Date) -> Extension {
    let has_reason = request.extension_reason.as_deref().is_some_and(|reason| !reason.trim().is_empty());
    match request.extension_notified_on {
        Some(told) if told > due => Extension::Late,
        Some(_) if has_reason => Extension::Valid,
        Some(_) => Extension::Incomplete,
        None if request.extended_on.is_some() || has_reason => Extension::Incomplete,
        None => Extension::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::requests::judged::ClockRow;
    use serde_json::{Value, json};

    /// A vector as a request: it names what it is about, and leaves the rest to what is usual.
    fn request(case: &Value) -> Request {
        let mut written = json!({ "id": "r-1", "right": "access", "channel": "email" });
        for key in ["regime", "received_on", "identity_confirmed_on", "extension_notified_on", "completed_on"] {
            if !case[key].is_null() {
                written[key] = case[key].clone();
            }
        }
        if !case["clarification"].is_null() {
            written["clarification_asked_on"] = case["clarification"][0].clone();
            written["clarified_on"] = case["clarification"][1].clone();
        }
        if !case["identity_confirmed_on"].is_null() {
            written["identity_asked_on"] = case["received_on"].clone();
        }
        if !case["extension_notified_on"].is_null() {
            written["extension_reason"] = json!("many requests");
        }
        if !case["completed_on"].is_null() {
            written["outcome"] = json!("done");
        }
        serde_json::from_value(written).unwrap()
    }

    fn day(value: &Value) -> Date {
        value.as_str().unwrap().parse().unwrap()
    }

    #[test]
    fn vectors() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("../../../tests/vectors/dsar.json")).unwrap();
        assert!(cases.len() >= 12);
        for case in &cases {
            let id = case["id"].as_str().unwrap();
            let request = request(case);
            assert!(request.misfits().is_empty(), "{id}");
            let holidays: Option<BTreeSet<Date>> =
                case["holidays"].as_array().map(|days| days.iter().map(day).collect());
            let as_of = match &case["as_of"] {
                Value::Null => request.completed_on.unwrap_or(request.received_on),
                written => day(written),
            };
            let clock = clock(&request, holidays.as_ref(), as_of).unwrap();
            assert_eq!(clock.start, Start::On(day(&case["start_day"])), "{id}");
            assert_eq!(clock.due, day(&case["due"]), "{id}");
            assert_eq!(clock.extended_due, day(&case["extended_due"]), "{id}");
            assert_eq!(clock.effective_due, day(&case["effective_due"]), "{id}");
            if let Some(valid) = case["extension_valid"].as_bool() {
                assert_eq!(clock.extension == Extension::Valid, valid, "{id}");
            }
            let row = ClockRow::new(&request, holidays.as_ref(), as_of);
            if let Some(late) = case["late_days"].as_i64() {
                assert_eq!(row.late_days, late, "{id}");
            }
            let result = match (row.judged, row.holds.known(), row.severity.as_str()) {
                (false, _, _) => "open",
                (true, Some(true), _) => "pass",
                (true, Some(false), "low") => "warn",
                (true, Some(false), _) => "fail",
                (true, None, _) => "unknown",
            };
            if let Some(want) = case["result"].as_str() {
                assert_eq!(result, want, "{id}: {row:?}");
            }
        }
    }

    #[test]
    fn identity_that_is_asked_for_late_or_never_confirmed_is_no_way_out() {
        let mut request = request(&json!({"regime": "eu", "received_on": "2026-06-01"}));
        let as_of = "2026-06-20".parse().unwrap();
        request.identity_asked_on = Some("2026-06-05".parse().unwrap());
        request.identity_confirmed_on = Some("2026-06-19".parse().unwrap());
        assert_eq!(clock(&request, None, as_of).unwrap().start, Start::On(request.received_on));
        request.identity_asked_on = Some("2026-06-03".parse().unwrap());
        request.identity_confirmed_on = None;
        assert_eq!(clock(&request, None, as_of).unwrap().start, Start::Waiting(request.received_on));
        request.completed_on = Some(as_of);
        assert_eq!(clock(&request, None, as_of).unwrap().start, Start::On(request.received_on));
    }

    #[test]
    fn a_pause_that_begins_after_the_time_is_over_does_not_count() {
        let mut request = request(&json!({"regime": "uk", "received_on": "2026-06-01"}));
        request.clarification_asked_on = Some("2026-07-02".parse().unwrap());
        let late = clock(&request, None, "2026-07-20".parse().unwrap()).unwrap();
        assert_eq!((late.paused_days, late.is_paused, late.due.to_string()), (0, false, "2026-07-01".to_owned()));
        request.clarification_asked_on = Some("2026-06-29".parse().unwrap());
        let open = clock(&request, None, "2026-07-20".parse().unwrap()).unwrap();
        assert_eq!((open.paused_days, open.is_paused, open.due.to_string()), (21, true, "2026-07-22".to_owned()));
    }

    #[test]
    fn a_fee_moves_the_start_in_the_united_kingdom_alone() {
        let mut request = request(&json!({"regime": "uk", "received_on": "2026-06-01"}));
        request.fee_asked_on = Some("2026-06-02".parse().unwrap());
        request.fee_paid_on = Some("2026-06-08".parse().unwrap());
        let as_of = "2026-06-20".parse().unwrap();
        assert_eq!(clock(&request, None, as_of).unwrap().start.day().to_string(), "2026-06-08");
        request.regime = Law::Eu;
        assert_eq!(clock(&request, None, as_of).unwrap().start.day().to_string(), "2026-06-01");
    }

    #[test]
    fn the_end_of_the_calendar_is_an_error_and_no_panic() {
        let mut request = request(&json!({"regime": "eu", "received_on": "9999-12-15"}));
        assert_eq!(clock(&request, None, request.received_on), Err(OutOfRange));
        request.received_on = Date::MIN;
        assert!(clock(&request, None, Date::MAX).is_ok());
    }
}
