//! Periods as policies write them: `9 months`, `1 year 6 months`, `P9M`.

use std::fmt;
use std::str::FromStr;

/// No period is longer than this many years, so that no calendar ends before it does.
const LONGEST_YEARS: u32 = 1000;

/// A length of time in the calendar, as it was written. A month is never turned into days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    months: u32,
    days: u32,
    hours: u32,
    text: String,
}

/// Slack for the job that deletes: a period that may be zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grace(Period);

/// Why a text is no period.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// There is nothing.
    #[error("a period is missing, for example `9 months`")]
    Empty,
    /// A period does not run backwards.
    #[error("a period cannot be negative")]
    Negative,
    /// A period is made of whole units.
    #[error("a period is made of whole numbers, for example `1 month 15 days`")]
    Fraction,
    /// A unit that is none.
    #[error("`{0}` is not a unit; the units are hours, days, weeks, months, quarters and years")]
    Unit(String),
    /// Neither form.
    #[error("`{0}` is not a period; write it as `9 months`, `1 year 6 months` or `P9M`")]
    Form(String),
    /// A unit twice, or out of order in the ISO form.
    #[error("`{0}` names a unit twice or out of order")]
    Order(String),
    /// Nothing may be kept no time at all.
    #[error("a period cannot be zero")]
    Zero,
    /// Hours are counted on the clock, the other units in the calendar.
    #[error("hours cannot be mixed with days, months or years")]
    Mixed,
    /// Longer than any duty.
    #[error("a period is at most {LONGEST_YEARS} years")]
    TooLong,
}

impl Period {
    /// Whole months, with quarters and years in them.
    pub fn months(&self) -> u32 {
        self.months
    }

    /// Whole days, with weeks in them.
    pub fn days(&self) -> u32 {
        self.days
    }

    /// Whole hours.
    pub fn hours(&self) -> u32 {
        self.hours
    }

    /// Whether it is counted on the clock and not in the calendar.
    pub fn by_the_hour(&self) -> bool {
        self.hours > 0
    }

    /// The days that it has at the most: a month counts 31, or as long as that many months can be.
    pub fn longest_days(&self) -> u64 {
        // No run of n months is longer than n times 31 days, and none of a year than 366.
        let (years, months) = (u64::from(self.months / 12), u64::from(self.months % 12));
        years * 366 + months * 31 + u64::from(self.days) + u64::from(self.hours.div_ceil(24))
    }

    /// The days that it has at the least.
    fn shortest_days(&self) -> u64 {
        let (years, months) = (u64::from(self.months / 12), u64::from(self.months % 12));
        years * 365 + months * 28 + u64::from(self.days) + u64::from(self.hours / 24)
    }

    /// True where it is surely longer than the other, whatever the calendar.
    pub fn exceeds(&self, other: &Period) -> bool {
        if self.days == other.days && self.hours == other.hours {
            return self.months > other.months;
        }
        self.shortest_days() > other.longest_days()
    }

    fn is_zero(&self) -> bool {
        self.months == 0 && self.days == 0 && self.hours == 0
    }

    fn read(text: &str) -> Result<Period, PeriodError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(PeriodError::Empty);
        }
        if trimmed.contains('-') {
            return Err(PeriodError::Negative);
        }
        if trimmed.contains(['.', ',']) {
            return Err(PeriodError::Fraction);
        }
        let parts = match trimmed.strip_prefix('P') {
            Some(rest) => iso(trimmed, rest)?,
            None => words(trimmed)?,
        };
        Period::sum(trimmed, &parts)
    }

    fn sum(text: &str, parts: &[(u32, Unit)]) -> Result<Period, PeriodError> {
        let (mut months, mut days, mut hours) = (0u32, 0u32, 0u32);
        for (index, (number, unit)) in parts.iter().enumerate() {
            if parts.iter().skip(index + 1).any(|(_, other)| other == unit) {
                return Err(PeriodError::Order(text.to_owned()));
            }
            let (total, factor, most) = match unit {
                Unit::Hour => (&mut hours, 1, LONGEST_YEARS * 366 * 24),
                Unit::Day => (&mut days, 1, LONGEST_YEARS * 366),
                Unit::Week => (&mut days, 7, LONGEST_YEARS * 366),
                Unit::Month => (&mut months, 1, LONGEST_YEARS * 12),
                Unit::Quarter => (&mut months, 3, LONGEST_YEARS * 12),
                Unit::Year => (&mut months, 12, LONGEST_YEARS * 12),
            };
            *total = number
                .checked_mul(factor)
                .and_then(|part| part.checked_add(*total))
                .filter(|sum| *sum <= most)
                .ok_or(PeriodError::TooLong)?;
        }
        // A zero beside the hours is still a mixture: the writer did not choose between clock and calendar.
        let by_hour = parts.iter().any(|(_, unit)| *unit == Unit::Hour);
        if by_hour && parts.len() > 1 {
            return Err(PeriodError::Mixed);
        }
        Ok(Period { months, days, hours, text: text.to_owned() })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

/// `N unit {N unit}`.
fn words(text: &str) -> Result<Vec<(u32, Unit)>, PeriodError> {
    let mut parts = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(number) = words.next() {
        let number = whole(text, number)?;
        let word = words.next().ok_or_else(|| PeriodError::Form(text.to_owned()))?;
        let unit = match word.strip_suffix('s').unwrap_or(word) {
            "hour" => Unit::Hour,
            "day" => Unit::Day,
            "week" => Unit::Week,
            "month" => Unit::Month,
            "quarter" => Unit::Quarter,
            "year" => Unit::Year,
            _ => return Err(PeriodError::Unit(word.chars().take(40).collect())),
        };
        parts.push((number, unit));
    }
    Ok(parts)
}

/// `PnYnMnWnDTnH` without its `P`.
fn iso(text: &str, rest: &str) -> Result<Vec<(u32, Unit)>, PeriodError> {
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return Err(PeriodError::Form(text.to_owned())),
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    let date_units = [('Y', Unit::Year), ('M', Unit::Month), ('W', Unit::Week), ('D', Unit::Day)];
    let mut parts = iso_parts(text, date, &date_units)?;
    parts.extend(iso_parts(text, time, &[('H', Unit::Hour)])?);
    if parts.is_empty() { Err(PeriodError::Form(text.to_owned())) } else { Ok(parts) }
}

fn iso_parts(text: &str, mut rest: &str, units: &[(char, Unit)]) -> Result<Vec<(u32, Unit)>, PeriodError> {
    let mut parts = Vec::new();
    let mut left = units;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(|| PeriodError::Form(text.to_owned()))?;
        let (number, tail) = rest.split_at(end);
        let mut letters = tail.chars();
        let letter = letters.next().unwrap_or_default();
        let place = units.iter().position(|(name, _)| *name == letter);
        let place = place.ok_or_else(|| PeriodError::Form(text.to_owned()))?;
        let skipped = units.len() - left.len();
        if place < skipped {
            return Err(PeriodError::Order(text.to_owned()));
        }
        let unit = units.get(place).map(|(_, unit)| *unit).ok_or_else(|| PeriodError::Form(text.to_owned()))?;
        parts.push((whole(text, number)?, unit));
        left = units.get(place + 1..).unwrap_or_default();
        rest = letters.as_str();
    }
    Ok(parts)
}

fn whole(text: &str, digits: &str) -> Result<u32, PeriodError> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PeriodError::Form(text.chars().take(80).collect()));
    }
    digits.parse().map_err(|_| PeriodError::TooLong)
}

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Period, PeriodError> {
        let period = Period::read(text)?;
        if period.is_zero() { Err(PeriodError::Zero) } else { Ok(period) }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Grace {
    /// The period; zero where no grace is given.
    pub fn period(&self) -> &Period {
        &self.0
    }

    /// Whether there is none.
    pub fn is_zero(&self) -> bool {
        self.0.is_zero()
    }
}

impl Default for Grace {
    fn default() -> Grace {
        Grace(Period { months: 0, days: 0, hours: 0, text: "0 days".to_owned() })
    }
}

impl FromStr for Grace {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Grace, PeriodError> {
        Period::read(text).map(Grace)
    }
}

impl fmt::Display for Grace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

super::word::written!(Period, Grace);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_do_not_mix() {
        for text in ["1 day 2 hours", "2 hours 1 day", "P1DT2H", "0 days 2 hours", "P0DT2H"] {
            assert_eq!(text.parse::<Period>(), Err(PeriodError::Mixed), "{text}");
        }
    }

    #[test]
    fn refused() {
        let bad = [
            "0 days",
            "0 hours",
            "P0D",
            "-1 day",
            "1 -day",
            "1.5 months",
            "1,5 months",
            "9m",
            "",
            " ",
            "1 fortnight",
            "months",
            "9",
            "9 9 months",
            "P",
            "PT",
            "P9",
            "P1M1Y",
            "PT1M",
            "P1D2D",
            "1 day 1 day",
            "99999999999 days",
            "400000 days",
            "+1 day",
            "1 Day",
            "P1.5M",
            "1 days s",
            "١ day",
            "1001 years",
            "p9m",
            "PT1H1H",
        ];
        for text in bad {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    #[test]
    fn grace_may_be_zero() {
        assert!("0 days".parse::<Grace>().unwrap().is_zero());
        assert_eq!("2 weeks".parse::<Grace>().unwrap().period().days(), 14);
        assert!("-1 day".parse::<Grace>().is_err());
    }

    #[test]
    fn lengths() {
        let period = |text: &str| text.parse::<Period>().unwrap();
        assert_eq!(period("3 months").longest_days(), 93);
        assert_eq!(period("25 hours").longest_days(), 2);
        assert!(period("2 years").exceeds(&period("9 months")));
        assert!(!period("1 month").exceeds(&period("30 days")));
        assert!(!period("9 months").exceeds(&period("9 months")));
    }
}
