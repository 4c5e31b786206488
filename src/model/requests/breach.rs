//! The clock of a breach: 72 hours from awareness, in both readings.

use super::clock::{is_working_day, working_day};
use crate::model::retention::{OutOfRange, Zone};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// The hours in which the authority is told.
const HOURS: i64 = 72;

/// When the authority must have been told, in both readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreachClock {
    /// 72 hours on the clock after awareness, whatever the day.
    pub strict: Timestamp,
    /// By the rules for periods (Regulation 1182/71 Art. 3(1) and (5)): the hour of awareness is not counted, and the
    /// period holds at least two whole working days.
    pub long: Timestamp,
}

/// Both ends of the period that awareness starts.
///
/// # Errors
/// Where the calendar does not reach that far.
pub fn breach_clock(aware: Timestamp, zone: &Zone, holidays: &BTreeSet<Date>) -> Result<BreachClock, OutOfRange> {
    let hours = SignedDuration::from_hours(HOURS);
    let strict = aware.checked_add(hours).map_err(|_| OutOfRange)?;
    let local = zone.rules().to_datetime(aware);
    // Offsets that are no whole hours are why the hour is that of the wall clock.
    let into = i64::from(local.minute()) * 60 + i64::from(local.second());
    let rest = SignedDuration::new(3600 - into, -aware.subsec_nanosecond());
    let begin = aware.checked_add(rest).map_err(|_| OutOfRange)?;
    let end = begin.checked_add(hours).map_err(|_| OutOfRange)?;
    let second = second_working_day(zone.rules().to_datetime(begin).date(), holidays)?;
    let midnight = second.tomorrow().map_err(|_| OutOfRange)?.at(0, 0, 0, 0);
    let after = zone.rules().to_ambiguous_zoned(midnight).compatible().map_err(|_| OutOfRange)?;
    Ok(BreachClock { strict, long: end.max(after.timestamp()) })
}

/// The second whole working day after this day, of which a part is over already.
fn second_working_day(day: Date, holidays: &BTreeSet<Date>) -> Result<Date, OutOfRange> {
    let mut found = day;
    for _ in 0..2 {
        found = working_day(found.tomorrow().map_err(|_| OutOfRange)?, holidays)?;
    }
    debug_assert!(is_working_day(found, holidays), "a working day is one");
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(aware: &str, holidays: &[&str]) -> (String, String) {
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let holidays = holidays.iter().map(|day| day.parse().unwrap()).collect();
        let clock = breach_clock(aware.parse().unwrap(), &zone, &holidays).unwrap();
        (clock.strict.to_string(), clock.long.to_string())
    }

    #[test]
    fn both_readings() {
        // A Monday: Tuesday and Wednesday are within, and only the hour of awareness is left out.
        let monday = ends("2026-11-23T10:20:30Z", &[]);
        assert_eq!(monday, ("2026-11-26T10:20:30Z".to_owned(), "2026-11-26T11:00:00Z".to_owned()));
        // On the stroke of an hour the hour that begins is that of awareness.
        assert_eq!(ends("2026-11-23T10:00:00Z", &[]).1, "2026-11-26T11:00:00Z");
        // A Friday evening: Monday and Tuesday are the two working days.
        let friday = ends("2026-11-20T18:00:00Z", &[]);
        assert_eq!(friday, ("2026-11-23T18:00:00Z".to_owned(), "2026-11-24T23:00:00Z".to_owned()));
        // With Monday a holiday it is Wednesday's end.
        assert_eq!(ends("2026-11-20T18:00:00Z", &["2026-11-23"]).1, "2026-11-25T23:00:00Z");
        // The clocks go forward, and 72 hours stay 72 hours.
        assert_eq!(ends("2026-03-27T10:00:00Z", &[]).0, "2026-03-30T10:00:00Z");
    }
}
