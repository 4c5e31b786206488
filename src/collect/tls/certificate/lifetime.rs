//! How long a publicly trusted certificate may live, by the table in `checks/profiles/certificate.yaml`.

use crate::model::Fact;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::sync::LazyLock;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    lifetime: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    from: Date,
    days: i64,
}

static TABLE: LazyLock<Result<Table, String>> = LazyLock::new(|| {
    let bytes = crate::catalogue::file("profiles/certificate.yaml").ok_or("profiles/certificate.yaml is missing")?;
    let text = std::str::from_utf8(&bytes).map_err(|error| error.to_string())?;
    serde_yaml::from_str(text).map_err(|error| error.to_string())
});

/// The limit for a certificate whose validity begins at this second.
pub(super) fn limit(not_before: i64) -> Fact<i64> {
    let table = match &*TABLE {
        Ok(table) => table,
        Err(why) => return Fact::unknown(why.clone()),
    };
    let Ok(begin) = jiff::Timestamp::from_second(not_before) else {
        return Fact::unknown("the validity begins beyond any calendar");
    };
    let day = begin.to_zoned(TimeZone::UTC).date();
    match table.lifetime.iter().rfind(|row| row.from <= day) {
        Some(row) => Fact::Known(row.days),
        None => Fact::unknown("no limit is known for this date of issue"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_that_of_the_date_of_issue() {
        for (day, days) in [
            ("2019-01-01", 825),
            ("2020-08-31", 825),
            ("2020-09-01", 398),
            ("2026-03-14", 398),
            ("2026-03-15", 200),
            ("2027-03-15", 100),
            ("2029-03-15", 47),
            ("2035-01-01", 47),
        ] {
            let time: jiff::Timestamp = format!("{day}T00:00:00Z").parse().unwrap();
            assert_eq!(limit(time.as_second()), Fact::Known(days), "{day}");
        }
        assert!(limit(i64::MAX).known().is_none());
        assert!(limit(-1).known().is_none());
    }
}
