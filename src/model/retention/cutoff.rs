//! The cutoff: the first day that a row may still be of.

use super::{Grace, Period, Zone};
use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};

/// From when on rows may still be there, on one day in one calendar.
///
/// A row of day `d` may exist through the whole of day `E(d) = (d + months) + days`, where a month later is the
/// same day of the month or its last one. Rows of days before [`Cutoff::day`] are exactly those past it.
/// Periods in hours run on the clock instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Cutoff {
    /// When it is looked at, in whole seconds.
    pub as_of: Timestamp,
    /// The calendar.
    pub zone: Zone,
    /// The day of `as_of` in the calendar.
    pub today: Date,
    /// The first day that is not past its time.
    pub day: Date,
    /// The first instant that is not past its time.
    pub instant: Timestamp,
    /// The allowed age, with grace.
    allowed: Age,
    /// The allowed age alone.
    age: Age,
}

/// The parts of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Age {
    months: i64,
    days: i64,
    hours: i64,
}

/// The calendar has no such day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the calendar does not reach that far")]
pub struct OutOfRange;

impl Age {
    fn of(period: &Period) -> Age {
        Age { months: period.months().into(), days: period.days().into(), hours: period.hours().into() }
    }

    fn plus(self, other: Age) -> Age {
        Age { months: self.months + other.months, days: self.days + other.days, hours: self.hours + other.hours }
    }

    /// Months first, then days.
    fn after(self, day: Date) -> Result<Date, OutOfRange> {
        shift(shift(day, self.months, 0)?, 0, self.days)
    }
}

/// Adds months, clamped to the last day of the month, or days.
fn shift(day: Date, months: i64, days: i64) -> Result<Date, OutOfRange> {
    let span = Span::new().try_months(months).and_then(|span| span.try_days(days)).map_err(|_| OutOfRange)?;
    day.checked_add(span).map_err(|_| OutOfRange)
}

/// The days from one day to another.
fn days_between(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

impl Cutoff {
    /// The cutoff of a period and its grace.
    ///
    /// # Errors
    /// Where the calendar does not reach that far.
    pub fn new(as_of: Timestamp, zone: &Zone, max_age: &Period, grace: &Grace) -> Result<Cutoff, OutOfRange> {
        // In whole seconds, every type of column has an exact bound.
        let as_of = Timestamp::from_second(as_of.as_second()).map_err(|_| OutOfRange)?;
        let age = Age::of(max_age);
        let allowed = age.plus(Age::of(grace.period()));
        let today = zone.rules().to_datetime(as_of).date();
        let (day, instant) = if max_age.by_the_hour() {
            let instant = as_of.checked_sub(SignedDuration::from_hours(allowed.hours)).map_err(|_| OutOfRange)?;
            (zone.rules().to_datetime(instant).date(), instant)
        } else {
            let day = first_day(today, allowed)?;
            // A midnight that does not exist gives the first instant after it, and one that exists twice the earlier.
            let start = zone.rules().to_ambiguous_zoned(day.at(0, 0, 0, 0)).compatible().map_err(|_| OutOfRange)?;
            (day, start.timestamp())
        };
        Ok(Cutoff { as_of, zone: zone.clone(), today, day, instant, allowed, age })
    }

    /// The last day on which a row of this day may exist.
    ///
    /// # Errors
    /// Where the calendar does not reach that far.
    pub fn last_good_day(&self, day: Date) -> Result<Date, OutOfRange> {
        // The hours of a short period do not leave the day behind, as far as days are told.
        self.allowed.after(day)
    }

    /// By how many days a row of this day is past its time; 0 where it is not.
    pub fn overdue_days(&self, day: Date) -> i64 {
        if day >= self.day {
            return 0;
        }
        if self.allowed.hours > 0 {
            return days_between(day, self.day);
        }
        // A day without an end in the calendar cannot be past its time.
        self.last_good_day(day).map_or(0, |last| days_between(last, self.today).max(0))
    }

    /// Whether a row of this day is past its time by at least twice the allowed age.
    pub fn is_far_overdue(&self, day: Date) -> bool {
        if self.allowed.hours > 0 {
            return self.overdue_days(day) * 24 >= 2 * self.age.hours;
        }
        let twice = Age { months: 2 * self.age.months, days: 2 * self.age.days, hours: 0 };
        let end = self.last_good_day(day).and_then(|last| twice.after(last));
        self.overdue_days(day) > 0 && end.is_ok_and(|end| self.today >= end)
    }
}

/// The least day `d` with `E(d) >= today`.
fn first_day(today: Date, allowed: Age) -> Result<Date, OutOfRange> {
    let mut day = shift(shift(today, 0, -allowed.days)?, -allowed.months, 0)?;
    while allowed.after(day)? < today {
        day = day.tomorrow().map_err(|_| OutOfRange)?;
    }
    loop {
        let before = day.yesterday().map_err(|_| OutOfRange)?;
        if allowed.after(before)? < today {
            return Ok(day);
        }
        day = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    const VECTORS: &str = include_str!("../../../tests/golden/retention.json");

    fn text<'a>(value: &'a Value, key: &str) -> &'a str {
        value[key].as_str().unwrap()
    }

    #[test]
    fn vectors_of_the_cutoff() {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let cases = vectors["cutoff"].as_array().unwrap();
        assert!(cases.len() >= 15);
        for case in cases {
            let id = text(case, "id");
            let zone: Zone = text(case, "time_zone").parse().unwrap();
            let grace: Grace = format!("{} days", case["grace_days"]).parse().unwrap();
            let age = text(case, "max_age").parse().unwrap();
            let cutoff = Cutoff::new(text(case, "as_of").parse().unwrap(), &zone, &age, &grace).unwrap();
            assert_eq!(cutoff.today.to_string(), text(case, "local_date"), "{id}");
            assert_eq!(cutoff.day.to_string(), text(case, "cutoff_day"), "{id}");
            assert_eq!(cutoff.instant.to_string(), text(case, "cutoff_utc"), "{id}");
            for row in case["rows"].as_array().unwrap() {
                let instant: Timestamp = text(row, "ts").parse().unwrap();
                let day = zone.rules().to_datetime(instant).date();
                assert_eq!(cutoff.last_good_day(day).unwrap().to_string(), text(row, "last_good_day"), "{id} {row}");
                assert_eq!(instant < cutoff.instant, row["violation"].as_bool().unwrap(), "{id} {row}");
                assert_eq!(cutoff.overdue_days(day), row["overdue_days"].as_i64().unwrap(), "{id} {row}");
            }
        }
    }

    #[test]
    fn vectors_of_the_periods() {
        let vectors: Value = serde_json::from_str(VECTORS).unwrap();
        let cases = vectors["periods"].as_array().unwrap();
        assert!(cases.len() >= 15);
        for case in cases {
            let period = text(case, "text").parse::<Period>();
            assert_eq!(period.is_ok(), case["ok"].as_bool().unwrap(), "{case}");
            if let Ok(period) = period {
                let parts = [period.months(), period.days(), period.hours()];
                assert_eq!(parts.map(u64::from), ["months", "days", "hours"].map(|key| case[key].as_u64().unwrap()));
            }
        }
    }

    #[test]
    fn hours_run_on_the_clock() {
        // The clocks go forward in this night, and 72 hours stay 72 hours.
        let zone: Zone = "Europe/Berlin".parse().unwrap();
        let as_of = "2026-03-30T10:00:00Z".parse().unwrap();
        let cutoff = Cutoff::new(as_of, &zone, &"72 hours".parse().unwrap(), &"6 hours".parse().unwrap()).unwrap();
        assert_eq!(cutoff.instant.to_string(), "2026-03-27T04:00:00Z");
        assert_eq!(cutoff.day.to_string(), "2026-03-27");
        assert_eq!(cutoff.overdue_days("2026-03-25".parse().unwrap()), 2);
        assert!(!cutoff.is_far_overdue("2026-03-25".parse().unwrap()));
        assert!(cutoff.is_far_overdue("2026-03-21".parse().unwrap()));
    }

    #[test]
    fn far_overdue_is_counted_in_the_calendar() {
        let cutoff = |as_of: &str| {
            let as_of = as_of.parse().unwrap();
            Cutoff::new(as_of, &Zone::utc(), &"9 months".parse().unwrap(), &Grace::default()).unwrap()
        };
        let day: Date = "2024-01-31".parse().unwrap();
        // The row may exist until 2024-10-31, and eighteen months later it is 2026-04-30.
        assert!(!cutoff("2026-04-29T12:00:00Z").is_far_overdue(day));
        assert!(cutoff("2026-04-30T12:00:00Z").is_far_overdue(day));
    }

    /// Zones of every sort, except those whose clocks once went back over midnight into the day before: there a
    /// day is not one stretch of time.
    const ZONES: &[&str] = &[
        "UTC",
        "Europe/Dublin",
        "Europe/Berlin",
        "America/Los_Angeles",
        "America/Havana",
        "Asia/Beirut",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Kiritimati",
        "Pacific/Chatham",
        "Pacific/Apia",
    ];

    fn periods() -> impl Strategy<Value = String> {
        prop_oneof![
            (1u32..40).prop_map(|n| format!("{n} months")),
            (1u32..800).prop_map(|n| format!("{n} days")),
            (1u32..10).prop_map(|n| format!("{n} years")),
            (0u32..30, 0u32..60)
                .prop_filter("zero", |(m, d)| m + d > 0)
                .prop_map(|(m, d)| format!("{m} months {d} days")),
            (1u32..3000).prop_map(|n| format!("{n} hours")),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn the_cutoff_is_what_brute_force_finds(
            second in 1_000_000_000i64..2_500_000_000, zone in 0..ZONES.len(), age in periods(), grace in 0u32..32,
            jitter in -300_000i64..300_000,
        ) {
            let as_of = Timestamp::from_second(second).unwrap();
            let zone: Zone = ZONES[zone].parse().unwrap();
            let age: Period = age.parse().unwrap();
            let unit = if age.by_the_hour() { "hours" } else { "days" };
            let grace: Grace = format!("{grace} {unit}").parse().unwrap();
            let cutoff = Cutoff::new(as_of, &zone, &age, &grace).unwrap();
            let row = Timestamp::from_second(cutoff.instant.as_second() + jitter).unwrap();
            let day = zone.rules().to_datetime(row).date();
            if age.by_the_hour() {
                let allowed = i64::from(age.hours() + grace.period().hours()) * 3600;
                prop_assert_eq!(row < cutoff.instant, row.as_second() + allowed < second);
            } else {
                let months = age.months() + grace.period().months();
                let days = age.days() + grace.period().days();
                let last = brute_end(day, months, days);
                let today = zone.rules().to_datetime(as_of).date();
                prop_assert_eq!(row < cutoff.instant, today > last, "{} {}", row, cutoff.instant);
                prop_assert_eq!(day < cutoff.day, today > last);
                prop_assert_eq!(cutoff.overdue_days(day) > 0, today > last);
            }
        }
    }

    /// The end of a row's time, counted a month and a day at a time.
    fn brute_end(day: Date, months: u32, days: u32) -> Date {
        let (mut year, mut month) = (day.year(), day.month());
        for _ in 0..months {
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
        let mut date_day = day.day();
        let mut end = loop {
            match Date::new(year, month, date_day) {
                Ok(date) => break date,
                Err(_) => date_day -= 1,
            }
        };
        for _ in 0..days {
            end = end.tomorrow().unwrap();
        }
        end
    }
}
