//! Predicates over one expression that dates rows, in the SQL of one database.

use crate::model::retention::expression::literal;
use crate::model::retention::{Bound, Dialect, TimestampType, Zone};
use jiff::Timestamp;

/// A date expression in one dialect.
pub struct Dated {
    /// The expression.
    pub sql: String,
    /// How its values tell the time.
    pub kind: TimestampType,
    /// Which database reads it.
    pub dialect: Dialect,
}

impl Dated {
    /// A value as a literal of the column's type.
    fn value(&self, bound: &Bound) -> String {
        let text = match bound {
            Bound::Integer(number) => return number.to_string(),
            Bound::Text(text) => literal(text),
        };
        match (self.dialect, self.kind) {
            (Dialect::Postgres, TimestampType::Timestamptz | TimestampType::Expr) => format!("{text}::timestamptz"),
            (Dialect::Postgres, TimestampType::Timestamp) => format!("{text}::timestamp"),
            (Dialect::Postgres, TimestampType::Date) => format!("{text}::date"),
            (Dialect::Postgres, TimestampType::Uuidv7) => format!("{text}::uuid"),
            // Text is compared by its bytes, whatever the order of the column's language.
            (Dialect::Postgres, _) => format!("{text} COLLATE \"C\""),
            (Dialect::Sqlite, _) => format!("{text} COLLATE BINARY"),
            // The session's zone is UTC, in which the bound is written.
            (Dialect::Mysql, TimestampType::Timestamptz | TimestampType::Timestamp | TimestampType::Expr) => {
                format!("TIMESTAMP{}", text.replace("+00'", "'"))
            }
            (Dialect::Mysql, TimestampType::Date) => format!("DATE{text}"),
            // The one whose letters differ by case alone. The others sort alike in the order of every language, and
            // a bare text keeps the column's index of use.
            (Dialect::Mysql, TimestampType::Ksuid) => format!("{text} COLLATE utf8mb4_bin"),
            (Dialect::Mysql, _) => text,
        }
    }

    fn text(&self, text: &str) -> String {
        self.value(&Bound::Text(text.to_owned()))
    }

    /// What is less than the bound.
    pub fn before(&self, bound: &Bound) -> String {
        format!("{} < {}", self.sql, self.value(bound))
    }

    /// What is not less than the bound.
    pub fn from(&self, bound: &Bound) -> String {
        format!("{} >= {}", self.sql, self.value(bound))
    }

    /// True where the value tells a time; never unknown where there is a value.
    pub fn is_dated(&self) -> String {
        let mut conditions = vec![format!("{} IS NOT NULL", self.sql)];
        conditions.extend(self.shape().map(|(shape, ..)| shape));
        conditions.extend(self.sentinels().into_iter().map(|(_, sentinel)| format!("NOT {sentinel}")));
        format!("({})", conditions.join(" AND "))
    }

    /// Dates that stand for none. No value is in two of them.
    pub fn sentinels(&self) -> Vec<(&'static str, String)> {
        let sql = &self.sql;
        let instant = |second: i64| Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
        let bound = |second: i64| {
            let instant = instant(second);
            let day = Zone::utc().rules().to_datetime(instant).date();
            self.value(&self.kind.bound(instant, day, &Zone::utc()))
        };
        // 9999-12-30 and 0001-01-03 in UTC: the last and the first day are near them in every zone.
        let (far, near) = (bound(253_402_128_000), bound(-62_135_424_000));
        let shaped = |condition: String| match self.shape() {
            Some((shape, ..)) => format!("({condition} AND {shape})"),
            None => format!("({condition})"),
        };
        match (self.kind, self.dialect) {
            (TimestampType::Snowflake(_), _) => vec![("0", format!("({sql} <= 0)"))],
            (kind, _) if kind.is_id() => {
                let epoch = if kind == TimestampType::Ksuid { 1_400_000_000 } else { 0 };
                vec![("0", shaped(format!("{sql} < {}", bound(epoch + 1))))]
            }
            (TimestampType::EpochNs, _) => vec![("1970-01-01", shaped(format!("{sql} = 0")))],
            (kind, _) if kind.is_number() => vec![
                ("1970-01-01", shaped(format!("{sql} = 0"))),
                ("9999-12-31", shaped(format!("{sql} >= {far}"))),
                ("0001-01-01", shaped(format!("{sql} < {near}"))),
            ],
            // A column of MySQL's type TIMESTAMP holds 1970 to 2038, and nought.
            (TimestampType::Timestamptz | TimestampType::Expr, Dialect::Mysql) => vec![
                ("0000-00-00", format!("({sql} = 0)")),
                ("1970-01-01", format!("({sql} < {} AND {sql} <> 0)", bound(86_400))),
                ("2038-01-19", format!("({sql} >= {})", bound(2_147_472_000))),
            ],
            (TimestampType::Timestamp | TimestampType::Date, Dialect::Mysql) => vec![
                ("0000-00-00", format!("({sql} < {})", bound(-62_135_596_800))),
                ("0001-01-01", format!("({sql} >= {} AND {sql} < {near})", bound(-62_135_596_800))),
                ("1970-01-01", format!("({sql} = {})", bound(0))),
                ("9999-12-31", format!("({sql} >= {far})")),
            ],
            (kind, Dialect::Postgres) if kind != TimestampType::Iso8601UtcText => vec![
                ("infinity", format!("({sql} = {})", self.text("infinity"))),
                ("-infinity", format!("({sql} = {})", self.text("-infinity"))),
                ("1970-01-01", format!("({sql} = {})", bound(0))),
                ("9999-12-31", format!("({sql} >= {far} AND {sql} < {})", self.text("infinity"))),
                ("0001-01-01", format!("({sql} < {near} AND {sql} > {})", self.text("-infinity"))),
            ],
            _ => {
                let zero = ["1970-01-01T00:00:00", "1970-01-01 00:00:00", "1970-01-01"];
                let zero = zero[usize::from(self.kind == TimestampType::Timestamp)
                    + 2 * usize::from(self.kind == TimestampType::Date)];
                let ends = ["", "Z", ".0Z", ".000Z", ".000000Z", ".0", ".000", ".000000"];
                let zeros: Vec<String> = ends.iter().map(|end| literal(&format!("{zero}{end}"))).collect();
                vec![
                    ("1970-01-01", format!("({sql} IN ({}))", zeros.join(", "))),
                    ("9999-12-31", shaped(format!("{sql} >= {far}"))),
                    ("0000-00-00", shaped(format!("{sql} < {}", self.text("0001")))),
                    ("0001-01-01", shaped(format!("{sql} >= {} AND {sql} < {near}", self.text("0001")))),
                ]
            }
        }
    }

    /// Whether a value has the form of its type, where the database does not see to that: the predicate, the
    /// ranges of an index that hold only values without it, and why there may be others elsewhere.
    pub fn shape(&self) -> Option<(String, Vec<String>, Option<&'static str>)> {
        const BLIND: &str = "the index does not show texts that are no dates of the declared form";
        let sql = &self.sql;
        match self.dialect {
            Dialect::Postgres | Dialect::Mysql => {
                let pattern = match self.kind {
                    TimestampType::Iso8601UtcText => {
                        "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?Z$"
                    }
                    TimestampType::Uuidv7 => "^[0-9a-f]{8}-[0-9a-f]{4}-7",
                    TimestampType::Ulid => "^[0-7][0-9A-HJKMNP-TV-Z]{25}$",
                    TimestampType::Ksuid => "^[0-9A-Za-z]{27}$",
                    TimestampType::Objectid => "^[0-9a-f]{24}$",
                    _ => return None,
                };
                let pattern = literal(pattern);
                let shape = match self.dialect {
                    Dialect::Mysql => format!("(CAST({sql} AS char) COLLATE utf8mb4_bin REGEXP {pattern})"),
                    _ => format!("(CAST({sql} AS text) COLLATE \"C\" ~ {pattern})"),
                };
                Some((shape, Vec::new(), Some(BLIND)))
            }
            Dialect::Sqlite if self.kind.is_number() => {
                let shape = format!("(typeof({sql}) IN ('integer', 'real'))");
                // Numbers come before texts, and texts before blobs.
                Some((shape, vec![format!("{sql} >= '' COLLATE BINARY")], None))
            }
            Dialect::Sqlite => {
                let text = format!("typeof({sql}) = 'text'");
                let glob = |pattern: &str| {
                    let pattern = pattern.replace('d', "[0-9]").replace('x', "[0-9a-f]").replace('k', "[0-9A-Z]");
                    format!("{sql} GLOB {}", literal(&pattern.replace('w', "[0-9A-Za-z]")))
                };
                let shape = match self.kind {
                    TimestampType::Iso8601UtcText => {
                        let decimals = glob("dddd-dd-ddTdd:dd:dd.d*Z");
                        let digits = format!("rtrim(substr({sql}, 21), 'Z') NOT GLOB '*[^0-9]*'");
                        format!("({} OR ({decimals} AND {digits}))", glob("dddd-dd-ddTdd:dd:ddZ"))
                    }
                    TimestampType::Timestamp => {
                        let decimals = glob("dddd-dd-dd dd:dd:dd.d*");
                        let digits = format!("substr({sql}, 21) NOT GLOB '*[^0-9]*'");
                        format!("({} OR ({decimals} AND {digits}))", glob("dddd-dd-dd dd:dd:dd"))
                    }
                    TimestampType::Uuidv7 => glob("xxxxxxxx-xxxx-7xxx-xxxx-xxxxxxxxxxxx"),
                    TimestampType::Ulid => glob(&"k".repeat(26)),
                    TimestampType::Ksuid => glob(&"w".repeat(27)),
                    TimestampType::Objectid => glob(&"x".repeat(24)),
                    _ => glob("dddd-dd-dd"),
                };
                let ranges = vec![format!("{sql} < '' COLLATE BINARY"), format!("{sql} >= x''")];
                Some((format!("({text} AND {shape})"), ranges, Some(BLIND)))
            }
        }
    }

    /// The date itself as text, or of an id only the part that tells the time.
    pub fn projection(&self) -> String {
        let sql = &self.sql;
        let begin = match self.kind {
            TimestampType::Ksuid => return "NULL".to_owned(),
            TimestampType::Uuidv7 => 13,
            TimestampType::Ulid => 10,
            TimestampType::Objectid => 8,
            _ if self.dialect == Dialect::Sqlite => return sql.clone(),
            TimestampType::Iso8601UtcText => 20,
            _ => return sql.clone(),
        };
        match self.dialect {
            Dialect::Postgres => format!("left(CAST({sql} AS text), {begin}) COLLATE \"C\""),
            Dialect::Sqlite => format!("substr({sql}, 1, {begin})"),
            Dialect::Mysql => format!("left(CAST({sql} AS char), {begin})"),
        }
    }
}
