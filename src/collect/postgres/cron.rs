//! When a job of pg_cron was due, from its schedule of five fields or of seconds.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan as _, tz::TimeZone};

/// How many days back a time is looked for: a schedule of 29 February is due every eight years at the worst.
const DAYS: usize = 366 * 17;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The instant at which the job was due for the last time but one, in this zone; nothing where the schedule is not one
/// that tells it. A job that keeps to its schedule has succeeded since then.
pub(super) fn last_but_one(schedule: &str, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let schedule = schedule.trim().to_ascii_lowercase();
    if let Some(number) = schedule.strip_suffix("seconds").or_else(|| schedule.strip_suffix("second")) {
        let seconds = number.trim().parse::<i64>().ok().filter(|seconds| (1..=86_400).contains(seconds))?;
        return now.checked_sub(SignedDuration::from_secs(2 * seconds)).ok();
    }
    let fields = match schedule.as_str() {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        other => other,
    };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
    let times = Times {
        minutes: field(minute, 0, 59, &[])?,
        hours: field(hour, 0, 23, &[])?,
        days: field(day, 1, 31, &[])?,
        months: field(month, 1, 12, &MONTHS)?,
        weekdays: field(weekday, 0, 7, &WEEKDAYS)?,
        either: !day.starts_with('*') && !weekday.starts_with('*'),
    };
    times.before(zone, now, 2)
}

/// The minutes at which a job is due.
struct Times {
    minutes: Vec<i8>,
    hours: Vec<i8>,
    days: Vec<i8>,
    months: Vec<i8>,
    weekdays: Vec<i8>,
    /// Both kinds of days are restricted, and then either of them will do.
    either: bool,
}

impl Times {
    fn has(&self, date: Date) -> bool {
        let of_week = date.weekday().to_sunday_zero_offset();
        let weekday = self.weekdays.contains(&of_week) || (of_week == 0 && self.weekdays.contains(&7));
        let day = self.days.contains(&date.day());
        self.months.contains(&date.month()) && if self.either { day || weekday } else { day && weekday }
    }

    /// The time that is so many times before now.
    fn before(&self, zone: &TimeZone, now: Timestamp, count: usize) -> Option<Timestamp> {
        let mut date = zone.to_datetime(now).date();
        let mut seen = 0;
        for _ in 0..DAYS {
            if self.has(date) {
                for (hour, minute) in
                    self.hours.iter().rev().flat_map(|h| self.minutes.iter().rev().map(move |m| (*h, *m)))
                {
                    let due = date.at(hour, minute, 0, 0).to_zoned(zone.clone()).ok()?.timestamp();
                    seen += usize::from(due <= now);
                    if seen == count {
                        return Some(due);
                    }
                }
            }
            date = date.checked_sub(1.day()).ok()?;
        }
        None
    }
}

/// The numbers of a field: `*`, `5`, `1-5`, names, lists of these, each with a step.
fn field(text: &str, least: i8, most: i8, names: &[&str]) -> Option<Vec<i8>> {
    let number = |word: &str| {
        let named = names.iter().position(|name| *name == word).and_then(|place| i8::try_from(place).ok());
        let value = named.map(|place| place + least).or_else(|| word.parse().ok());
        value.filter(|value| (least..=most).contains(value))
    };
    let mut found = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<usize>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (least, most),
            (_, Some((from, to))) => (number(from)?, number(to)?),
            // Cron takes a step behind a single number for that number alone, or for all from there on: not told.
            _ if step != 1 => return None,
            _ => (number(range)?, number(range)?),
        };
        found.extend((from..=to).step_by(step));
    }
    found.sort_unstable();
    found.dedup();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(schedule: &str, now: &str) -> Option<String> {
        last_but_one(schedule, &TimeZone::UTC, now.parse().unwrap()).map(|due| due.to_string())
    }

    #[test]
    fn the_last_time_but_one() {
        // 2026-11-23 is a Monday.
        let now = "2026-11-23T12:00:00Z";
        for (schedule, expected) in [
            ("* * * * *", "2026-11-23T11:59:00Z"),
            ("*/15 * * * *", "2026-11-23T11:45:00Z"),
            ("15 3 * * *", "2026-11-22T03:15:00Z"),
            ("0 12 * * *", "2026-11-22T12:00:00Z"),
            ("1 12 * * *", "2026-11-21T12:01:00Z"),
            ("30 4 * * 1-5", "2026-11-20T04:30:00Z"),
            ("30 4 * * sun", "2026-11-15T04:30:00Z"),
            ("30 4 * * 7", "2026-11-15T04:30:00Z"),
            ("0 0 1,15 * *", "2026-11-01T00:00:00Z"),
            ("0 0 13 * fri", "2026-11-13T00:00:00Z"),
            ("0 0 29 feb *", "2020-02-29T00:00:00Z"),
            ("@daily", "2026-11-22T00:00:00Z"),
            ("@Monthly", "2026-10-01T00:00:00Z"),
            ("30 seconds", "2026-11-23T11:59:00Z"),
        ] {
            assert_eq!(due(schedule, now).as_deref(), Some(expected), "{schedule}");
        }
    }

    #[test]
    fn what_tells_no_time() {
        for schedule in
            ["", "@reboot", "* * * *", "61 * * * *", "5-1 * * * *", "*/0 * * * *", "5/2 * * * *", "0 0 30 2 *"]
        {
            assert_eq!(due(schedule, "2026-11-23T12:00:00Z"), None, "{schedule}");
        }
    }
}
