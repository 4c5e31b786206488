//! What the server's catalogue tells of one table: its size, columns, indexes and partitions.

use super::session::Session;
use crate::collect::answer::{Row, clean, text};
use crate::collect::census::{Census, table_name};
use crate::model::retention::expression::literal;
use crate::model::retention::{DataSet, Dialect, Expression, TimestampType};
use crate::model::{Fact, Reason, Trouble};
use std::collections::BTreeMap;
use std::time::Duration;

const INTEGERS: [&str; 5] = ["tinyint", "smallint", "mediumint", "int", "bigint"];
const TEXTS: [&str; 6] = ["char", "varchar", "tinytext", "text", "mediumtext", "longtext"];

/// One table.
#[derive(Debug)]
pub struct Table {
    /// Its bytes, by the server's estimate.
    pub bytes: u64,
    /// Its rows, by the server's estimate.
    pub rows: Fact<u64>,
    /// The types of its columns, by their names in lower case.
    pub columns: BTreeMap<String, String>,
    /// Indexes that begin with a column: their names and that column in lower case.
    pub indexes: Vec<(String, String)>,
    /// The bytes of its partitions.
    pub partitions: BTreeMap<String, u64>,
    /// The column that is its whole primary key, where it is a whole number.
    pub key: Option<String>,
}

impl Table {
    /// Reads the catalogue.
    pub async fn read(session: &Session<'_>, (schema, name): (&str, &str), time: Duration) -> Result<Table, Trouble> {
        let of = format!("TABLE_SCHEMA = {} AND TABLE_NAME = {}", literal(schema), literal(name));
        let about = format!(
            "SELECT TABLE_TYPE, COALESCE(DATA_LENGTH, 0), TABLE_ROWS FROM information_schema.TABLES WHERE {of} LIMIT 1"
        );
        let Some(about) = session.within(&about, time).await?.rows.into_iter().next() else {
            let right = format!("SELECT ON {}.{}", Dialect::Mysql.quote(schema), Dialect::Mysql.quote(name));
            let words = format!("no such table, or the audit account has no right on it; {}", session.grant(&right));
            return Err(Trouble::new(Reason::Unsupported, words));
        };
        match text(&about, 0)?.as_str() {
            "BASE TABLE" => {}
            "SYSTEM VERSIONED" => {
                let words = "a system-versioned table keeps every row that was deleted, and these are not measured";
                return Err(Trouble::new(Reason::Unsupported, words));
            }
            _ => return Err(Trouble::new(Reason::Unsupported, "only tables are measured")),
        }
        let number = |place: usize| about.get(place).and_then(Option::as_deref).and_then(|text| text.parse().ok());
        let mut table = Table {
            bytes: number(1).ok_or_else(no_number)?,
            rows: match number(2) {
                None | Some(0) => Fact::unknown("the server has no estimate of the table's rows"),
                Some(rows) => Fact::Known(rows),
            },
            columns: BTreeMap::new(),
            indexes: Vec::new(),
            partitions: BTreeMap::new(),
            key: None,
        };
        table.read_columns(session, &of, time).await?;
        table.read_indexes(session, &of, time).await?;
        table.read_partitions(session, &of, time).await?;
        Ok(table)
    }

    async fn read_columns(&mut self, session: &Session<'_>, of: &str, time: Duration) -> Result<(), Trouble> {
        let sql = format!("SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS WHERE {of}");
        for row in session.within(&sql, time).await?.rows {
            self.columns.insert(text(&row, 0)?.to_lowercase(), text(&row, 1)?.to_lowercase());
        }
        Ok(())
    }

    /// Indexes of whole columns, in an order, that the server may use.
    async fn read_indexes(&mut self, session: &Session<'_>, of: &str, time: Duration) -> Result<(), Trouble> {
        let usable = if session.mariadb { "IGNORED = 'NO'" } else { "IS_VISIBLE = 'YES'" };
        let ask = |usable: &str| {
            format!(
                "SELECT INDEX_NAME, COLUMN_NAME, SEQ_IN_INDEX FROM information_schema.STATISTICS WHERE {of} \
                 AND SUB_PART IS NULL AND INDEX_TYPE = 'BTREE' AND COLUMN_NAME IS NOT NULL AND {usable} \
                 ORDER BY INDEX_NAME, SEQ_IN_INDEX"
            )
        };
        let rows = match session.within(&ask(usable), time).await {
            // Versions without the column use every index that there is.
            Err(trouble) if trouble.reason == Reason::Unsupported => session.within(&ask("TRUE"), time).await?.rows,
            other => other?.rows,
        };
        let cells = |row: &Row| Ok::<_, Trouble>((text(row, 0)?, text(row, 1)?, text(row, 2)?));
        let rows = rows.iter().map(cells).collect::<Result<Vec<_>, _>>()?;
        let leading = rows.iter().filter(|(.., place)| place == "1");
        self.indexes = leading.map(|(index, column, _)| (index.clone(), column.to_lowercase())).collect();
        let primary: Vec<&String> =
            rows.iter().filter(|(index, ..)| index == "PRIMARY").map(|(_, column, _)| column).collect();
        self.key = match primary.as_slice() {
            [only] if self.is_of(only, &INTEGERS) => Some((*only).clone()),
            _ => None,
        };
        Ok(())
    }

    async fn read_partitions(&mut self, session: &Session<'_>, of: &str, time: Duration) -> Result<(), Trouble> {
        let sql = format!(
            "SELECT CONCAT_WS('_', PARTITION_NAME, SUBPARTITION_NAME), COALESCE(DATA_LENGTH, 0) \
             FROM information_schema.PARTITIONS WHERE {of} AND PARTITION_NAME IS NOT NULL"
        );
        for row in session.within(&sql, time).await?.rows {
            self.partitions.insert(text(&row, 0)?, text(&row, 1)?.parse().map_err(|_| no_number())?);
        }
        Ok(())
    }

    fn is_of(&self, column: &str, types: &[&str]) -> bool {
        self.columns.get(&column.to_lowercase()).is_some_and(|kind| types.contains(&kind.as_str()))
    }

    /// Whether a column holds whole numbers.
    pub fn is_whole_number(&self, column: &str) -> bool {
        self.is_of(column, &INTEGERS)
    }

    /// What the values of a column are compared as: numbers, texts, or its own type.
    pub fn kind_of_value(&self, column: &str) -> Option<&str> {
        let kind = self.columns.get(&column.to_lowercase())?;
        Some(match kind.as_str() {
            number if INTEGERS.contains(&number) => "number",
            text if TEXTS.contains(&text) => "text",
            other => other,
        })
    }

    /// The table as it is to be read: by those of its indexes that begin with a column that dates rows.
    pub fn by_index(&self, census: &Census<'_>) -> Option<String> {
        let dates: Vec<String> =
            census.date_columns(Dialect::Mysql).iter().map(|column| column.to_lowercase()).collect();
        let names: Vec<String> = self
            .indexes
            .iter()
            .filter(|(_, column)| dates.contains(column))
            .map(|(index, _)| Dialect::Mysql.quote(index))
            .collect();
        (!names.is_empty()).then(|| format!("{} FORCE INDEX ({})", census.table, names.join(", ")))
    }

    /// Whether what dates rows has the type that the schedule says. MySQL compares whatever it is given, and finds
    /// nothing where a date meets a number.
    ///
    /// # Errors
    /// In words, where it has not.
    pub fn fits(&self, set: &DataSet) -> Result<(), Trouble> {
        let unfit = |words: String| Err(Trouble::new(Reason::Unsupported, words));
        let Some(time) = &set.timestamp else { return unfit("nothing dates a row".to_owned()) };
        let types: &[&str] = match time.kind {
            TimestampType::Timestamptz | TimestampType::Expr => &["timestamp"],
            TimestampType::Timestamp => &["datetime"],
            TimestampType::Date => &["date", "datetime"],
            kind if kind.is_number() => &INTEGERS,
            _ => &TEXTS,
        };
        let expressions = [Some(&time.expr), time.fallback.as_ref(), set.soft_delete.as_ref().map(|soft| &soft.expr)];
        for expression in expressions.into_iter().flatten() {
            if !expression.picks_a_column() {
                return unfit(
                    "in this store rows are dated by columns, or by coalesce, greatest, least or nullif of columns: \
                     the type of anything else is not known before it is read"
                        .to_owned(),
                );
            }
            self.has_types(expression, types, time.kind)?;
        }
        Ok(())
    }

    fn has_types(&self, expression: &Expression, types: &[&str], kind: TimestampType) -> Result<(), Trouble> {
        for column in expression.columns(Dialect::Mysql) {
            match self.columns.get(&column.to_lowercase()) {
                None => {
                    let words = "the table has no column of a name that the schedule gives, or the audit account has no \
                                 right on it";
                    return Err(Trouble::new(Reason::Unsupported, words));
                }
                Some(found) if !types.contains(&found.as_str()) => {
                    let words = format!(
                        "the schedule's expressions or types do not fit the table: the type {kind} goes with a column \
                         of type {}, and `{}` is of type {}",
                        types.join(" or "),
                        clean(&column),
                        clean(found)
                    );
                    return Err(Trouble::new(Reason::Unsupported, words));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// The schema and the name of a set's table.
pub fn place(set: &DataSet, default_schema: &str) -> Result<(String, String), Trouble> {
    let names = table_name(&set.object).map_err(|reason| Trouble::new(Reason::Unsupported, reason))?;
    match names.as_slice() {
        [schema, name] => Ok((schema.clone(), name.clone())),
        [name] if !default_schema.is_empty() => Ok((default_schema.to_owned(), name.clone())),
        _ => Err(Trouble::new(
            Reason::Unsupported,
            "the table is to be named with its schema, as `schema.name`, or the target with its `database`",
        )),
    }
}

/// An answer that should hold a number.
pub fn no_number() -> Trouble {
    Trouble::new(Reason::ProtocolViolation, "the server's counts are not numbers")
}
