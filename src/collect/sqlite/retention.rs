//! Measuring the data sets of a file.

use super::Store;
use crate::collect::census::{
    Census, Counted, Meter, Outcome, TRIES, Topic, draws, enough, rule_of_three, table_name, unmeasured,
};
use crate::collect::declared;
use crate::model::retention::{DataSet, Dialect, Measured, Retention, Sampled, Schedule, Strategy, StrategyWish};
use crate::model::{Fact, Reason, Trouble};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// Files up to this size are read whole.
const SMALL: u64 = 64 << 20;
/// Tables with no more row ids than this are, too.
const SMALL_ROWS: u64 = 10_000;
/// Why no means is found in a file, and what would show it.
const NO_SCHEDULER: &str = "SQLite runs nothing by itself, so that the means is outside the file; the definition of the \
                            job in its scheduler, and the log of its last runs, would show it";

/// What counts as small; tests make it smaller.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Bytes of a file that is read whole.
    pub small_file: u64,
    /// Row ids of a table that is read whole.
    pub small_rows: u64,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { small_file: SMALL, small_rows: SMALL_ROWS }
    }
}

/// Measures every data set that the schedule names for this store.
pub fn measure(store: &mut Store, schedule: &Schedule, target: &str, as_of: Timestamp) -> Retention {
    measure_with(store, schedule, target, as_of, Effort::default())
}

/// The same with this effort.
pub fn measure_with(
    store: &mut Store,
    schedule: &Schedule,
    target: &str,
    as_of: Timestamp,
    effort: Effort,
) -> Retention {
    let sets = schedule.sets_of(target);
    let measured = sets.iter().map(|set| one(store, schedule, set, as_of, effort)).collect();
    // A file has no clock but its machine's.
    let version = Fact::Known(format!("SQLite {}", rusqlite::version()));
    let mechanisms = sets.iter().map(|set| declared::mechanism(set, NO_SCHEDULER)).collect();
    declared::retention(schedule, target, as_of, (measured, mechanisms), Fact::Known(0), version)
}

fn one(store: &Store, schedule: &Schedule, set: &DataSet, as_of: Timestamp, effort: Effort) -> Measured {
    match Census::new(schedule, set, Dialect::Sqlite, as_of) {
        Ok(census) => {
            let (meter, before) = (Meter::new("steps"), store.spent());
            let measuring = Measuring { store, census: &census, set, effort };
            let outcome = measuring.run();
            let after = store.spent();
            meter.asked(after.0.saturating_sub(before.0));
            // A statement that was stopped does not tell what it had done until then.
            meter.read(match &outcome {
                Ok(_) => Ok(after.1.saturating_sub(before.1)),
                Err(trouble) => Err(format!("the measuring did not come to its end: {trouble}")),
            });
            let outcome = outcome.map_err(|trouble| trouble.to_string());
            Measured { cost: meter.cost(), ..census.measured(outcome) }
        }
        Err(reason) => unmeasured(set, &schedule.time_zone, as_of, &reason),
    }
}

/// One data set and the file that holds it.
struct Measuring<'a> {
    store: &'a Store,
    census: &'a Census<'a>,
    set: &'a DataSet,
    effort: Effort,
}

/// What is known of a table before it is read.
struct Table {
    /// The table has row ids, and these are the least and the greatest.
    ids: Option<(i64, i64)>,
    small: bool,
}

impl Measuring<'_> {
    fn run(&self) -> Result<Outcome, Trouble> {
        let table = self.table()?;
        let wish = self.set.measure.strategy;
        match wish {
            StrategyWish::Partitions | StrategyWish::Metadata => {
                return Err(Trouble::new(Reason::Unsupported, "SQLite has neither partitions nor metadata about ages"));
            }
            StrategyWish::Exact => return self.whole(),
            StrategyWish::Sample => return self.sample(&table),
            StrategyWish::Auto | StrategyWish::Bounded => {}
        }
        // Reading a small table whole costs less than asking its index several questions, and misses nothing.
        if table.small && wish == StrategyWish::Auto {
            return self.whole();
        }
        match self.by_index(&table)? {
            Some(outcome) => Ok(outcome),
            None if wish == StrategyWish::Auto => self.sample(&table),
            None => Err(Trouble::new(Reason::Unsupported, "no index answers, and only an index may be used")),
        }
    }

    fn timeout(&self) -> Duration {
        self.set.measure.timeout.time()
    }

    fn table(&self) -> Result<Table, Trouble> {
        let names = table_name(&self.set.object).map_err(|reason| Trouble::new(Reason::Unsupported, reason))?;
        let name = match names.as_slice() {
            [name] => name,
            [schema, name] if schema == "main" => name,
            _ => return Err(Trouble::new(Reason::Unsupported, "an SQLite file has no schema but `main`")),
        };
        let name = crate::model::retention::expression::literal(name);
        // A view or a virtual table can run anything, and what it shows is not what is stored.
        let sql =
            format!("SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = {name} COLLATE NOCASE");
        let rows = self.store.rows(&sql, self.timeout())?;
        let (kind, without) = match rows.first().map(Vec::as_slice) {
            Some([Some(kind), Some(without)]) => (kind.as_str(), without == "1"),
            _ => return Err(Trouble::new(Reason::Unsupported, "no such table")),
        };
        if kind != "table" {
            return Err(Trouble::new(Reason::Unsupported, format!("a {kind} is not measured, only a table is")));
        }
        let ids = if without { None } else { self.ids()? };
        let pages =
            self.store.row("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", self.timeout())?;
        let bytes = pages.first().cloned().flatten().and_then(|bytes| bytes.parse::<u64>().ok()).unwrap_or(u64::MAX);
        let span = ids.map(|(least, greatest)| greatest.abs_diff(least).saturating_add(1));
        let small = bytes <= self.effort.small_file || span.is_some_and(|span| span <= self.effort.small_rows);
        Ok(Table { ids, small })
    }

    fn ids(&self) -> Result<Option<(i64, i64)>, Trouble> {
        let table = &self.census.table;
        // Two statements: only so is each answered by one descent of the tree.
        let one = |end: &str| {
            let row = self.store.row(&format!("SELECT {end}(rowid) FROM {table}"), self.timeout())?;
            Ok::<_, Trouble>(row.first().cloned().flatten().and_then(|id| id.parse::<i64>().ok()))
        };
        Ok(one("min")?.zip(one("max")?))
    }

    /// Every row.
    fn whole(&self) -> Result<Outcome, Trouble> {
        let query = self.census.whole(&self.census.table, &[]);
        let row = self.store.row(&query, self.timeout())?;
        let read = self.census.read_whole(&row);
        let (counts, members, oldest) =
            read.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "the counts are not numbers"))?;
        Ok(Outcome {
            strategy: Strategy::SmallTable,
            counts,
            oldest,
            total: Fact::Known(members),
            sampled: None,
            query,
            plan: "every row was read".to_owned(),
        })
    }

    /// By an index, or nothing where one of the questions about violations is answered by none.
    fn by_index(&self, table: &Table) -> Result<Option<Outcome>, Trouble> {
        let mut counts = BTreeMap::new();
        let (mut query, mut plan) = (String::new(), String::new());
        for question in &self.census.questions {
            let mut counted = Counted { blind: question.blind.map(str::to_owned), ..Counted::default() };
            for predicate in &question.by_index {
                let sql = self.census.bounded(predicate);
                let Some(steps) = self.indexed(&sql)? else {
                    if question.topic == Topic::Violating {
                        return Ok(None);
                    }
                    counted.blind = Some("no index answers this, and the table is too large to read whole".to_owned());
                    continue;
                };
                let row = self.store.row(&sql, self.timeout());
                match row.map(|row| row.first().cloned().flatten().and_then(|rows| rows.parse::<u64>().ok())) {
                    Ok(Some(rows)) => {
                        counted.rows += rows;
                        counted.capped |= rows >= self.census.limit();
                    }
                    Ok(None) => counted.blind = Some("the count is not a number".to_owned()),
                    Err(trouble) if question.topic == Topic::Violating => return Err(trouble),
                    Err(trouble) => counted.blind = Some(trouble.to_string()),
                }
                if question.topic == Topic::Violating && query.is_empty() {
                    (query, plan) = (sql, steps);
                }
            }
            counts.insert(question.topic.clone(), counted);
        }
        let total = match table.ids {
            Some((least, greatest)) => Fact::Known(greatest.abs_diff(least).saturating_add(1)),
            None => Fact::unknown("the table has no row ids to estimate by"),
        };
        Ok(Some(Outcome {
            strategy: Strategy::Index,
            counts,
            oldest: self.oldest(),
            total,
            sampled: None,
            query,
            plan,
        }))
    }

    /// The oldest row of each group; a short list says that one was not found.
    fn oldest(&self) -> Vec<Option<String>> {
        let mut found = Vec::new();
        for oldest in &self.census.oldest {
            let sql = self.census.first(oldest);
            match self.indexed(&sql) {
                Ok(Some(_)) => {}
                _ => continue,
            }
            match self.store.rows(&sql, self.timeout()) {
                Ok(rows) => found.push(rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten()),
                Err(_) => continue,
            }
        }
        found
    }

    /// The steps of the plan, if it reads no table or index from end to end.
    fn indexed(&self, sql: &str) -> Result<Option<String>, Trouble> {
        let rows = self.store.rows(&format!("EXPLAIN QUERY PLAN {sql}"), self.timeout())?;
        let steps: Vec<String> = rows.into_iter().filter_map(|row| row.into_iter().nth(3).flatten()).collect();
        // The only scan that is no reading of the table is that of the counted sub-query.
        let scans =
            steps.iter().any(|step| step.starts_with("SCAN ") && step != "SCAN q" && step != "SCAN (subquery-1)");
        let searches = steps.iter().any(|step| step.starts_with("SEARCH "));
        Ok((searches && !scans).then(|| steps.join("; ").chars().take(400).collect()))
    }

    /// Rows drawn one by one: row ids by chance, of which those that exist are each as likely as any other.
    fn sample(&self, table: &Table) -> Result<Outcome, Trouble> {
        let Some((least, greatest)) = table.ids else {
            return Err(Trouble::new(
                Reason::Unsupported,
                "the table is too large to read whole, no index answers, and it has no row ids to draw by",
            ));
        };
        let columns: Vec<String> = self
            .census
            .questions
            .iter()
            .map(|question| format!("CASE WHEN {} THEN 1 ELSE 0 END", question.predicates.join(" OR ")))
            .collect();
        let query = format!("SELECT {} FROM {} WHERE rowid = ?1", columns.join(", "), self.census.table);
        let id = self.set.id.to_string();
        let ids = draws(&id, least, greatest).take(TRIES);
        let enough = usize::try_from(enough(self.set.measure.accept_rate)).unwrap_or(TRIES);
        let rows = self.store.look_up(&query, ids, enough, self.timeout())?;
        let mut counts = BTreeMap::new();
        for (place, question) in self.census.questions.iter().enumerate() {
            let hits = rows.iter().filter(|row| row.get(place).is_some_and(|hit| hit.as_deref() == Some("1"))).count();
            let rows = u64::try_from(hits).unwrap_or(u64::MAX);
            counts.insert(question.topic.clone(), Counted { rows, capped: rows > 0, blind: None });
        }
        let drawn = u64::try_from(rows.len()).unwrap_or(u64::MAX);
        let violating = counts.get(&Topic::Violating).map_or(0, |counted| counted.rows);
        let sampled =
            Sampled { unit: "rows".to_owned(), pages: 0, rows: drawn, violating, rate_bound_ppm: rule_of_three(drawn) };
        Ok(Outcome {
            strategy: Strategy::Sample,
            counts,
            oldest: Vec::new(),
            total: Fact::Known(greatest.abs_diff(least).saturating_add(1)),
            sampled: Some(sampled),
            query,
            plan: format!("row ids were drawn between {least} and {greatest}, and {drawn} of them are rows"),
        })
    }
}
