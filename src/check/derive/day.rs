//! Arithmetic on calendar days: ages in whole months, clamped to the end of a month.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Whether this many whole months have passed since a day: twelve months after 2025-02-28 is 2026-02-28.
pub fn has_aged(since: Date, months: u32, as_of: Date) -> bool {
    let due = Span::new().try_months(months).and_then(|span| since.checked_add(span));
    // A day beyond the calendar never comes.
    due.is_ok_and(|due| due <= as_of)
}

/// The day after.
pub fn next(day: Date) -> Date {
    day.tomorrow().unwrap_or(day)
}

/// Days from one day to another; negative where the second is earlier.
pub fn days_between(from: Date, to: Date) -> i64 {
    from.until(to).map_or(0, |span| i64::from(span.get_days()))
}

/// The day of an instant in a zone of the IANA database; UTC where none is named.
pub fn day_in(as_of: Timestamp, zone: Option<&str>) -> Date {
    let zone = zone.and_then(|name| TimeZone::get(name).ok()).unwrap_or(TimeZone::UTC);
    as_of.to_zoned(zone).date()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn months_are_whole_and_clamped() {
        for (since, months, as_of, aged) in [
            (date(2025, 2, 28), 12, date(2026, 2, 27), false),
            (date(2025, 2, 28), 12, date(2026, 2, 28), true),
            (date(2024, 2, 29), 12, date(2025, 2, 28), true),
            (date(2025, 8, 31), 1, date(2025, 9, 30), true),
            (date(2025, 8, 31), 1, date(2025, 9, 29), false),
            (date(2026, 1, 1), 12, date(2025, 1, 1), false),
            (date(2026, 1, 1), u32::MAX, date(9999, 1, 1), false),
        ] {
            assert_eq!(has_aged(since, months, as_of), aged, "{since} {months} {as_of}");
        }
    }

    #[test]
    fn days_are_counted_both_ways() {
        assert_eq!(days_between(date(2026, 2, 28), date(2026, 3, 1)), 1);
        assert_eq!(days_between(date(2026, 3, 1), date(2024, 3, 1)), -730);
    }

    #[test]
    fn the_day_is_that_of_the_zone() {
        let late: Timestamp = "2026-11-25T23:30:00Z".parse().unwrap();
        assert_eq!(day_in(late, None), date(2026, 11, 25));
        assert_eq!(day_in(late, Some("Europe/Berlin")), date(2026, 11, 26));
    }
}
