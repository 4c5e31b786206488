//! Measuring the data sets of a MySQL or MariaDB server, without hurting it.
//!
//! The session can do nothing but read, and every statement is a transaction of its own, with a time after which the
//! server stops it and a short patience for locks. What is asked is a count or an oldest date. The server goes on where
//! a value does not fit its type and warns alone, so that a count with a warning is not taken.

use super::connection::Answer;
use super::expiry::Means;
use super::plan::{Reading, judge};
use super::session::Session;
use super::settings::Settings;
use super::spaces::{OWN_SCHEMAS, sees_all};
use super::table::{Table, no_number, place};
use crate::collect::answer::{Row, text};
use crate::collect::census::{Census, Counted, Meter, Outcome, TRIES, Topic, draws, enough, rule_of_three, unmeasured};
use crate::collect::declared;
use crate::model::retention::{
    DataSet, Dialect, Inventory, Measured, Retention, Sampled, Schedule, Strategy, StrategyWish,
};
use crate::model::{Fact, Reason, Trouble};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many numbers a sample tries at once.
const AT_ONCE: usize = 1000;
/// The most columns whose names are read.
const MOST_COLUMNS: usize = 20_000;

/// How much a measuring may cost; tests make it smaller.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Bytes of a table, or of partitions, that are read whole.
    pub small_table: u64,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { small_table: 64 << 20 }
    }
}

/// What is measured, and when.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The store, as the schedule names it.
    pub store: &'a str,
    /// The schema of a table that is named without one; empty for none.
    pub default_schema: &'a str,
    /// The instant of the run.
    pub as_of: Timestamp,
}

/// Measures every data set that the schedule names for this store, with this effort.
pub(super) async fn measure(
    session: &Session<'_>,
    settings: &Result<Settings, Trouble>,
    schedule: &Schedule,
    at: Place<'_>,
    effort: Effort,
) -> Retention {
    let about = session.row("SELECT UNIX_TIMESTAMP(), @@global.read_only").await;
    let clock = about.as_ref().map_err(Trouble::clone).and_then(|row| text(row, 0));
    let clock = clock.and_then(|clock| clock.parse::<i64>().map_err(|_| no_number()));
    let skew = match clock {
        Ok(clock) => Fact::Known(clock.saturating_sub(at.as_of.as_second())),
        Err(trouble) => Fact::unknown(trouble.to_string()),
    };
    let mut notes = Vec::new();
    let tolerance = schedule.clock_skew_tolerance.time().as_secs();
    if skew.known().is_some_and(|skew| skew.unsigned_abs() > tolerance) {
        notes.push("the server's clock differs by more than the tolerance; the scanner's was used".to_owned());
    }
    if about.is_ok_and(|row| text(&row, 1).is_ok_and(|read_only| read_only != "0")) {
        notes.push(
            "the server takes no writes: where it is a replica, it proves its source only up to what it has \
                    replayed"
                .to_owned(),
        );
    }
    let means = Means::read(session, settings).await;
    let (mut measured, mut mechanisms) = (Vec::new(), Vec::new());
    for set in schedule.sets_of(at.store) {
        let mut facts = one(session, schedule, set, at, effort).await;
        mechanisms.push(means.of(set, at, &facts));
        facts.notes.extend(notes.iter().cloned());
        measured.push(facts);
    }
    let version = Fact::Known(session.version.clone());
    declared::retention(schedule, at.store, at.as_of, (measured, mechanisms), skew, version)
}

/// The tables by their names, without a look at any row.
///
/// # Errors
/// Where the catalogue cannot be read.
pub(super) async fn inventory(
    session: &Session<'_>,
    settings: &Result<Settings, Trouble>,
    schedule: &Schedule,
    (store, default_schema): (&str, &str),
) -> Result<(Inventory, Option<Trouble>), Trouble> {
    let sql = format!(
        "SELECT t.TABLE_SCHEMA, t.TABLE_NAME, c.COLUMN_NAME FROM information_schema.TABLES t \
         LEFT JOIN information_schema.COLUMNS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME \
         WHERE t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND t.TABLE_SCHEMA NOT IN {OWN_SCHEMAS} \
         ORDER BY 1, 2, c.ORDINAL_POSITION LIMIT {}",
        MOST_COLUMNS + 1
    );
    let rows = session.rows(&sql).await?;
    // A table on which the account has no right is not shown at all.
    let cut = match sees_all(session, settings).await {
        _ if rows.len() > MOST_COLUMNS => {
            Some(Trouble::new(Reason::TooLarge, "the server has more columns than are read"))
        }
        Ok(true) => None,
        Ok(false) => Some(Trouble::new(
            Reason::PermissionDenied,
            format!(
                "tables on which the audit account has no right are not shown to it; {}, and no row",
                session.grant("REFERENCES ON *.*")
            ),
        )),
        Err(trouble) => Some(trouble),
    };
    let mut columns: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for row in rows {
        let mut row = row.into_iter();
        if let (Some(Some(schema)), Some(Some(table))) = (row.next(), row.next()) {
            columns.entry((schema, table)).or_default().extend(row.next().flatten());
        }
    }
    let tables = columns
        .iter()
        .map(|((schema, table), columns)| declared::table(schedule, store, (schema, table), default_schema, columns));
    Ok((Inventory { tables: tables.collect() }, cut))
}

async fn one(session: &Session<'_>, schedule: &Schedule, set: &DataSet, at: Place<'_>, effort: Effort) -> Measured {
    match Census::new(schedule, set, Dialect::Mysql, at.as_of) {
        Ok(mut census) => {
            // A name without a schema is read in the one of the target, since the session has none.
            if let Ok((schema, name)) = place(set, at.default_schema) {
                census.table = format!("{}.{}", Dialect::Mysql.quote(&schema), Dialect::Mysql.quote(&name));
            }
            let measuring = Measuring { session, census: &census, set, effort, meter: Meter::new("rows") };
            let outcome = measuring.run(at.default_schema).await.map_err(|trouble| measuring.words(&trouble));
            Measured { cost: measuring.meter.cost(), ..census.measured(outcome) }
        }
        Err(reason) => unmeasured(set, &schedule.time_zone, at.as_of, &reason),
    }
}

/// One data set and the server that holds it.
struct Measuring<'a, 's> {
    session: &'a Session<'s>,
    census: &'a Census<'a>,
    set: &'a DataSet,
    effort: Effort,
    meter: Meter,
}

impl Measuring<'_, '_> {
    async fn run(&self, default_schema: &str) -> Result<Outcome, Trouble> {
        let (schema, name) = place(self.set, default_schema)?;
        let table = Table::read(self.session, (&schema, &name), self.timeout()).await?;
        table.fits(self.set)?;
        let before = self.rows_read().await;
        let outcome = self.choose(&table).await;
        // Asked after a statement that was given up, the session has no answer any more.
        let after = self.rows_read().await;
        let read = before.and_then(|before| Ok(after?.saturating_sub(before)));
        self.meter.read(read.map_err(|trouble| format!("the server does not tell how many rows it read: {trouble}")));
        outcome
    }

    /// Rows and entries of indexes that the engines have handed over in this session. The question itself is not counted.
    async fn rows_read(&self) -> Result<u64, Trouble> {
        let rows = self.session.within("SHOW SESSION STATUS LIKE 'Handler_read_%'", self.timeout()).await?.rows;
        let number = |row: &Row| text(row, 1)?.parse::<u64>().map_err(|_| no_number());
        let counts = rows.iter().map(number).collect::<Result<Vec<u64>, Trouble>>()?;
        if counts.is_empty() {
            Err(no_number())
        } else {
            Ok(counts.iter().fold(0, |sum, more| sum.saturating_add(*more)))
        }
    }

    async fn choose(&self, table: &Table) -> Result<Outcome, Trouble> {
        let wish = self.set.measure.strategy;
        match wish {
            StrategyWish::Metadata => {
                return Err(Trouble::new(Reason::Unsupported, "this store has no metadata about ages"));
            }
            StrategyWish::Exact => return self.whole().await,
            StrategyWish::Sample => return self.sample(table).await,
            StrategyWish::Auto | StrategyWish::Bounded | StrategyWish::Partitions => {}
        }
        if let Some(outcome) = self.in_part(table).await? {
            return Ok(outcome);
        }
        match wish {
            StrategyWish::Auto if table.bytes <= self.effort.small_table => self.whole().await,
            StrategyWish::Auto => self.sample(table).await,
            _ => Err(Trouble::new(
                Reason::Unsupported,
                "no index and no small partition answers, and nothing else may be read",
            )),
        }
    }

    fn timeout(&self) -> Duration {
        self.set.measure.timeout.time()
    }

    /// A trouble in words, with the right that would mend it where one is missing.
    fn words(&self, trouble: &Trouble) -> String {
        match trouble.reason {
            Reason::PermissionDenied => {
                format!("{trouble}; {}", self.session.grant(&format!("SELECT ON {}", self.census.table)))
            }
            _ => trouble.to_string(),
        }
    }

    async fn ask(&self, sql: &str) -> Result<Answer, Trouble> {
        self.meter.asked(1);
        self.session.within(sql, self.timeout()).await
    }

    /// The only row of a count, where nothing in it had to be bent to fit.
    async fn row(&self, sql: &str) -> Result<Row, Trouble> {
        let answer = self.ask(sql).await?;
        if answer.warnings > 0 {
            return Err(Trouble::new(
                Reason::Unsupported,
                "the schedule's expressions or types do not fit the table: the server warns of values that it bent",
            ));
        }
        let row = answer.rows.into_iter().next();
        row.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "a statement that gives one row gave none"))
    }

    /// Every row.
    async fn whole(&self) -> Result<Outcome, Trouble> {
        let query = self.census.whole(&self.census.table, &[]);
        let row = self.row(&query).await?;
        let (counts, members, oldest) = self.census.read_whole(&row).ok_or_else(no_number)?;
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

    /// By an index or a few partitions, or nothing where a question about violations is answered by neither.
    async fn in_part(&self, table: &Table) -> Result<Option<Outcome>, Trouble> {
        let from = match table.by_index(self.census) {
            Some(from) => from,
            None if !table.partitions.is_empty() => self.census.table.clone(),
            None => return Ok(None),
        };
        let mut counts = BTreeMap::new();
        let (mut query, mut plan) = (String::new(), String::new());
        let mut strategy = Strategy::Index;
        for question in &self.census.questions {
            let mut counted = Counted { blind: question.blind.map(str::to_owned), ..Counted::default() };
            let essential = question.topic == Topic::Violating;
            for predicate in &question.by_index {
                let sql = self.census.bounded_in(&from, predicate);
                let steps = match self.plan(&sql, true, table).await? {
                    Reading::Index(steps) => steps,
                    Reading::Partitions(steps) => {
                        strategy = Strategy::Partitions;
                        steps
                    }
                    Reading::All if essential => return Ok(None),
                    Reading::All if table.bytes <= self.effort.small_table => "every row was read".to_owned(),
                    Reading::All => {
                        counted.blind =
                            Some("no index answers this, and the table is too large to read whole".to_owned());
                        continue;
                    }
                };
                match self.row(&sql).await.and_then(|row| first_number(&row)) {
                    Ok(rows) => {
                        counted.rows = counted.rows.saturating_add(rows);
                        counted.capped |= rows >= self.census.limit();
                    }
                    Err(trouble) if essential => return Err(trouble),
                    Err(trouble) => counted.blind = Some(trouble.to_string()),
                }
                if essential && query.is_empty() {
                    (query, plan) = (sql, steps);
                }
            }
            counts.insert(question.topic.clone(), counted);
        }
        let oldest = self.oldest(&from, table).await;
        let total = table.rows.clone();
        Ok(Some(Outcome { strategy, counts, oldest, total, sampled: None, query, plan }))
    }

    /// The oldest row of each group; a short list says that one was not found.
    async fn oldest(&self, from: &str, table: &Table) -> Vec<Option<String>> {
        let mut found = Vec::new();
        for oldest in &self.census.oldest {
            let sql = self.census.first_in(from, oldest);
            if !matches!(self.plan(&sql, false, table).await, Ok(Reading::Index(_))) {
                continue;
            }
            if let Ok(answer) = self.ask(&sql).await {
                found.push(answer.rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten());
            }
        }
        found
    }

    /// How the server would read.
    async fn plan(&self, sql: &str, bounded: bool, table: &Table) -> Result<Reading, Trouble> {
        let answer = self.ask(&format!("EXPLAIN FORMAT=JSON {sql}")).await?;
        let text: String = answer.rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
        let plan = serde_json::from_str(&text)
            .map_err(|_| Trouble::new(Reason::ProtocolViolation, "the server's plan is not JSON"))?;
        Ok(judge(&plan, bounded, &table.partitions, self.effort.small_table))
    }

    /// Rows drawn one by one: keys by chance, of which those that exist are each as likely as any other.
    async fn sample(&self, table: &Table) -> Result<Outcome, Trouble> {
        let Some(key) = table.key.as_ref().map(|key| Dialect::Mysql.quote(key)) else {
            return Err(Trouble::new(
                Reason::Unsupported,
                "the table is too large to read whole, no index answers, and it has no whole number as its key to draw by",
            ));
        };
        let ends = self.row(&format!("SELECT MIN({key}), MAX({key}) FROM {}", self.census.table)).await?;
        let end = |place: usize| ends.get(place).cloned().flatten().and_then(|end| end.parse::<i64>().ok());
        let (Some(least), Some(greatest)) = (end(0), end(1)) else { return self.whole().await };
        let from = format!("{} FORCE INDEX (PRIMARY)", self.census.table);
        let all = self.census.whole(&from, &["count(*)"]);
        // A key that is drawn twice is one row. The order stays that of chance, since the drawing ends with enough rows.
        let mut known = BTreeSet::new();
        let keys: Vec<i64> =
            draws(&self.set.id.to_string(), least, greatest).take(TRIES).filter(|key| known.insert(*key)).collect();
        let enough = enough(self.set.measure.accept_rate);
        let mut counts: BTreeMap<Topic, Counted> = BTreeMap::new();
        let mut drawn = 0u64;
        for some in keys.chunks(AT_ONCE) {
            if drawn >= enough {
                break;
            }
            let list: Vec<String> = some.iter().map(i64::to_string).collect();
            let row = self.row(&format!("{all} WHERE {key} IN ({})", list.join(", "))).await?;
            let (found, ..) = self.census.read_whole(&row).ok_or_else(no_number)?;
            for (topic, counted) in found {
                let sum = counts.entry(topic).or_default();
                sum.rows = sum.rows.saturating_add(counted.rows);
                sum.capped = sum.rows > 0;
            }
            let rows = row.last().cloned().flatten().and_then(|rows| rows.parse::<u64>().ok());
            drawn = drawn.saturating_add(rows.ok_or_else(no_number)?);
        }
        let violating = counts.get(&Topic::Violating).map_or(0, |counted| counted.rows);
        let sampled =
            Sampled { unit: "rows".to_owned(), pages: 0, rows: drawn, violating, rate_bound_ppm: rule_of_three(drawn) };
        Ok(Outcome {
            strategy: Strategy::Sample,
            counts,
            oldest: Vec::new(),
            total: table.rows.clone(),
            sampled: Some(sampled),
            query: format!("{all} WHERE {key} IN (...)"),
            plan: format!("keys were drawn between {least} and {greatest}, and {drawn} of them are rows"),
        })
    }
}

fn first_number(row: &Row) -> Result<u64, Trouble> {
    row.first().cloned().flatten().and_then(|rows| rows.parse::<u64>().ok()).ok_or_else(no_number)
}
