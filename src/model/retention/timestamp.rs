//! What a cutoff is in each type of column, so that the column stays bare: `col < bound`.

use super::Zone;
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use std::fmt;
use std::str::FromStr;

/// How the values of a column tell the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// An instant.
    Timestamptz,
    /// A wall clock without a zone.
    Timestamp,
    /// A day in the calendar of the schedule.
    Date,
    /// Seconds since 1970.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// Microseconds since 1970.
    EpochUs,
    /// Nanoseconds since 1970.
    EpochNs,
    /// Text such as `2026-02-23T00:00:00Z`, with any number of decimals.
    Iso8601UtcText,
    /// A UUID of version 7.
    Uuidv7,
    /// A ULID.
    Ulid,
    /// A KSUID.
    Ksuid,
    /// An ObjectId in hexadecimal.
    Objectid,
    /// A snowflake whose clock starts at these milliseconds since 1970.
    Snowflake(i64),
    /// An instant that an expression gives.
    Expr,
}

/// A cutoff as a value of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A text.
    Text(String),
    /// A number.
    Integer(i64),
}

const WORDS: &[(&str, TimestampType)] = &[
    ("timestamptz", TimestampType::Timestamptz),
    ("timestamp", TimestampType::Timestamp),
    ("date", TimestampType::Date),
    ("epoch_s", TimestampType::EpochS),
    ("epoch_ms", TimestampType::EpochMs),
    ("epoch_us", TimestampType::EpochUs),
    ("epoch_ns", TimestampType::EpochNs),
    ("iso8601_utc_text", TimestampType::Iso8601UtcText),
    ("uuidv7", TimestampType::Uuidv7),
    ("ulid", TimestampType::Ulid),
    ("ksuid", TimestampType::Ksuid),
    ("objectid", TimestampType::Objectid),
    ("expr", TimestampType::Expr),
];

/// KSUIDs count seconds from 2014-05-13.
const KSUID_EPOCH: i64 = 1_400_000_000;
const CROCKFORD: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl TimestampType {
    /// Ids tell when a row was made and nothing later.
    pub fn proves_creation_only(self) -> bool {
        self.is_id()
    }

    /// Whether it is an id with the time in its first bits.
    pub fn is_id(self) -> bool {
        matches!(
            self,
            TimestampType::Uuidv7
                | TimestampType::Ulid
                | TimestampType::Ksuid
                | TimestampType::Objectid
                | TimestampType::Snowflake(_)
        )
    }

    /// Whether its values are numbers.
    pub fn is_number(self) -> bool {
        self.units_per_second().is_some() || matches!(self, TimestampType::Snowflake(_))
    }

    /// For the epoch types, how many units a second has.
    pub fn units_per_second(self) -> Option<i64> {
        match self {
            TimestampType::EpochS => Some(1),
            TimestampType::EpochMs => Some(1_000),
            TimestampType::EpochUs => Some(1_000_000),
            TimestampType::EpochNs => Some(1_000_000_000),
            _ => None,
        }
    }

    /// The least value at or after this instant: what is before it is less, and nothing else is.
    ///
    /// `day` is the instant's day in the calendar of the schedule, `column` the zone of a wall clock.
    pub fn bound(self, instant: Timestamp, day: Date, column: &Zone) -> Bound {
        let utc = Zone::utc().rules().to_datetime(instant);
        let millis = instant.as_millisecond();
        match self {
            TimestampType::Timestamptz | TimestampType::Expr => Bound::Text(format!("{}+00", wall(utc, ' '))),
            TimestampType::Timestamp => Bound::Text(wall(column.rules().to_datetime(instant), ' ')),
            TimestampType::Date => Bound::Text(day_text(day)),
            // Without the `Z`, so that a second sorts before its decimals and its `Z`: exact for every width.
            TimestampType::Iso8601UtcText => Bound::Text(wall(utc, 'T')),
            TimestampType::Uuidv7 => {
                let hex = format!("{:012x}", millis.clamp(0, (1 << 48) - 1));
                let (high, low) = hex.split_at(8);
                Bound::Text(format!("{high}-{low}-0000-0000-000000000000"))
            }
            TimestampType::Ulid => Bound::Text(format!("{}{}", ulid_time(millis), "0".repeat(16))),
            TimestampType::Ksuid => Bound::Text(ksuid_least(instant.as_second())),
            TimestampType::Objectid => {
                let seconds = instant.as_second().clamp(0, i64::from(u32::MAX));
                Bound::Text(format!("{seconds:08x}{}", "0".repeat(16)))
            }
            TimestampType::Snowflake(epoch) => {
                let since = millis.saturating_sub(epoch).clamp(0, (1 << 41) - 1);
                Bound::Integer(since << 22)
            }
            TimestampType::EpochS | TimestampType::EpochMs | TimestampType::EpochUs | TimestampType::EpochNs => {
                let units = self.units_per_second().unwrap_or(1);
                Bound::Integer(floor_units(instant, units))
            }
        }
    }

    /// The day in the calendar `zone` that a value as text tells; `None` where it tells none.
    ///
    /// Of an id only its beginning is needed: 13 characters of a UUID, 10 of a ULID, 8 of an ObjectId.
    pub fn day_of(self, value: &str, column: &Zone, zone: &Zone) -> Option<Date> {
        let local = |instant: Timestamp| zone.rules().to_datetime(instant).date();
        let instant = match self {
            TimestampType::Date => return value.get(..10)?.parse().ok(),
            TimestampType::Timestamp => {
                let wall: DateTime = value.get(..19)?.parse().ok()?;
                column.rules().to_ambiguous_zoned(wall).compatible().ok()?.timestamp()
            }
            TimestampType::Timestamptz | TimestampType::Expr | TimestampType::Iso8601UtcText => {
                let wall: DateTime = value.get(..19)?.parse().ok()?;
                Zone::utc().rules().to_ambiguous_zoned(wall).compatible().ok()?.timestamp()
            }
            TimestampType::Uuidv7 => {
                let hex: String = value.chars().filter(|c| *c != '-').take(12).collect();
                Timestamp::from_millisecond(i64::from_str_radix(&hex, 16).ok()?).ok()?
            }
            TimestampType::Ulid => {
                let mut digits = value.get(..10)?.bytes().map(|byte| CROCKFORD.iter().position(|c| *c == byte));
                let millis = digits.try_fold(0i64, |sum, digit| Some((sum << 5) | i64::try_from(digit?).ok()?))?;
                Timestamp::from_millisecond(millis).ok()?
            }
            TimestampType::Objectid => Timestamp::from_second(i64::from_str_radix(value.get(..8)?, 16).ok()?).ok()?,
            // The seconds of a KSUID are spread over its first digits, and the rest of it is the row's own.
            TimestampType::Ksuid => return None,
            TimestampType::Snowflake(epoch) => {
                let id: i64 = value.parse().ok()?;
                Timestamp::from_millisecond((id >> 22).checked_add(epoch)?).ok()?
            }
            TimestampType::EpochS | TimestampType::EpochMs | TimestampType::EpochUs | TimestampType::EpochNs => {
                // A real number is cut: the day is the same, or the one before a negative second.
                let whole = value.split_once('.').map_or(value, |(whole, _)| whole);
                let number: i64 = whole.parse().ok()?;
                let units = self.units_per_second()?;
                Timestamp::from_second(number.div_euclid(units)).ok()?
            }
        };
        Some(local(instant))
    }
}

fn wall(time: DateTime, separator: char) -> String {
    format!("{}{separator}{:02}:{:02}:{:02}", day_text(time.date()), time.hour(), time.minute(), time.second())
}

fn day_text(day: Date) -> String {
    // Years before the first have no form here; nothing is older than that.
    format!("{:04}-{:02}-{:02}", day.year().max(1), day.month(), day.day())
}

fn floor_units(instant: Timestamp, units: i64) -> i64 {
    let since: SignedDuration = instant.as_duration();
    let floor = since.as_nanos().div_euclid(i128::from(1_000_000_000 / units));
    i64::try_from(floor).unwrap_or(if floor < 0 { i64::MIN } else { i64::MAX })
}

fn ulid_time(millis: i64) -> String {
    let millis = millis.clamp(0, (1 << 48) - 1);
    (0..10)
        .rev()
        .map(|place| {
            let digit = usize::try_from((millis >> (place * 5)) & 31).unwrap_or_default();
            CROCKFORD.get(digit).copied().map_or('0', char::from)
        })
        .collect()
}

/// The base-62 form of the seconds followed by 128 zero bits, in 27 digits.
fn ksuid_least(second: i64) -> String {
    let seconds = u32::try_from(second.saturating_sub(KSUID_EPOCH).max(0)).unwrap_or(u32::MAX);
    let mut number = [seconds, 0, 0, 0, 0];
    let mut digits = [b'0'; 27];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0u64;
        for word in &mut number {
            let value = (rest << 32) | u64::from(*word);
            *word = u32::try_from(value / 62).unwrap_or_default();
            rest = value % 62;
        }
        let place = usize::try_from(rest).unwrap_or_default();
        *digit = BASE62.get(place).copied().unwrap_or(b'0');
    }
    digits.iter().copied().map(char::from).collect()
}

impl FromStr for TimestampType {
    type Err = String;

    fn from_str(text: &str) -> Result<TimestampType, String> {
        if let Some((_, kind)) = WORDS.iter().find(|(word, _)| *word == text) {
            return Ok(*kind);
        }
        let epoch = text.strip_prefix("snowflake(").and_then(|rest| rest.strip_suffix(')'));
        match epoch.map(str::parse::<i64>) {
            Some(Ok(epoch)) if (0..=4_102_444_800_000).contains(&epoch) => Ok(TimestampType::Snowflake(epoch)),
            Some(_) => Err("the epoch of a snowflake is in milliseconds since 1970, for example \
                            `snowflake(1288834974657)`"
                .to_owned()),
            None => {
                let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
                Err(format!("this is not a type of time; they are {} and snowflake(EPOCH_MS)", words.join(", ")))
            }
        }
    }
}

impl fmt::Display for TimestampType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimestampType::Snowflake(epoch) => write!(f, "snowflake({epoch})"),
            kind => {
                let word = WORDS.iter().find(|(_, other)| other == kind).map(|(word, _)| *word);
                f.write_str(word.unwrap_or_default())
            }
        }
    }
}

super::word::written!(TimestampType);

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(kind: &str, instant: &str) -> String {
        let instant: Timestamp = instant.parse().unwrap();
        let dublin: Zone = "Europe/Dublin".parse().unwrap();
        let day = dublin.rules().to_datetime(instant).date();
        match kind.parse::<TimestampType>().unwrap().bound(instant, day, &dublin) {
            Bound::Text(text) => text,
            Bound::Integer(number) => number.to_string(),
        }
    }

    #[test]
    fn bounds_of_each_type() {
        let instant = "2025-09-15T23:00:00Z";
        for (kind, expected) in [
            ("timestamptz", "2025-09-15 23:00:00+00"),
            ("expr", "2025-09-15 23:00:00+00"),
            ("timestamp", "2025-09-16 00:00:00"),
            ("date", "2025-09-16"),
            ("epoch_s", "1757977200"),
            ("epoch_ms", "1757977200000"),
            ("epoch_us", "1757977200000000"),
            ("epoch_ns", "1757977200000000000"),
            ("iso8601_utc_text", "2025-09-15T23:00:00"),
            ("uuidv7", "01994f9b-4580-0000-0000-000000000000"),
            ("ulid", "01K57SPHC00000000000000000"),
            ("objectid", "68c89a700000000000000000"),
            ("snowflake(1288834974657)", "1967725112325046272"),
        ] {
            assert_eq!(bound(kind, instant), expected, "{kind}");
        }
    }

    #[test]
    fn ksuid_bounds_are_known_and_ordered() {
        // The example of the format's own description: 107608047 seconds after its epoch.
        assert_eq!(bound("ksuid", "2014-05-13T16:53:20Z"), "0".repeat(27));
        let known = "0ujtsYcgvSTl8PAuAdqWYSMnLOv";
        let at = bound("ksuid", "2017-10-10T04:00:47Z");
        let next = bound("ksuid", "2017-10-10T04:00:48Z");
        assert!(at.as_str() <= known && known < next.as_str(), "{at} {next}");
    }

    #[test]
    fn before_the_epoch_no_id_is_less() {
        assert_eq!(bound("uuidv7", "1969-12-31T23:59:59Z"), "00000000-0000-0000-0000-000000000000");
        assert_eq!(bound("snowflake(1288834974657)", "2000-01-01T00:00:00Z"), "0");
        assert_eq!(bound("epoch_s", "1969-12-31T23:59:59Z"), "-1");
    }

    #[test]
    fn days_come_back() {
        let dublin: Zone = "Europe/Dublin".parse().unwrap();
        let instant: Timestamp = "2025-09-15T23:00:00Z".parse().unwrap();
        let day = dublin.rules().to_datetime(instant).date();
        let kinds = WORDS.iter().map(|(_, kind)| *kind).chain([TimestampType::Snowflake(1_288_834_974_657)]);
        for kind in kinds.filter(|kind| *kind != TimestampType::Ksuid) {
            let text = match kind.bound(instant, day, &dublin) {
                Bound::Text(text) => text,
                // The time part of a snowflake's bound is whole milliseconds, so it comes back as it was.
                Bound::Integer(number) => number.to_string(),
            };
            assert_eq!(kind.day_of(&text, &dublin, &dublin), Some(day), "{kind}");
            assert_eq!(kind.day_of("", &dublin, &dublin), None, "{kind}");
            assert_eq!(kind.day_of("é", &dublin, &dublin), None, "{kind}");
        }
    }

    #[test]
    fn words_come_back() {
        for (word, kind) in WORDS {
            assert_eq!(kind.to_string(), *word);
        }
        assert_eq!("snowflake(5)".parse::<TimestampType>().unwrap().to_string(), "snowflake(5)");
        for bad in ["", "datetime", "snowflake", "snowflake()", "snowflake(-1)", "snowflake(x)", "TIMESTAMPTZ"] {
            assert!(bad.parse::<TimestampType>().is_err(), "{bad}");
        }
    }
}
