//! Measuring the data sets of a PostgreSQL database, without hurting it.
//!
//! Every statement has a transaction of its own, for reading only, with a time after which the server stops it and a
//! short patience for locks. What is asked is a count or an oldest date.

use super::expiry::Means;
use super::rights;
use crate::collect::census::{Census, Counted, Meter, Outcome, Topic, rule_of_three, table_name, unmeasured};
use crate::collect::declared;
use crate::model::retention::expression::literal;
use crate::model::retention::{
    DataSet, Dialect, Inventory, Measured, Object, Retention, Sampled, Schedule, Strategy, StrategyWish,
};
use crate::model::{Fact, Reason, Trouble};
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

/// The size of a page where the server does not say.
const PAGE: u64 = 8192;
/// How many pages a sample draws at the most.
const SAMPLE_PAGES: u64 = 1000;
/// Where policies of rows may hide some: no grant shows them.
const POLICIES: &str = "row security hides rows from the audit role";
/// The most columns whose names are read.
const MOST_COLUMNS: usize = 20_000;

/// A row as texts.
pub(super) type Row = Vec<Option<String>>;

/// How much a measuring may cost; tests make it smaller.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Bytes of a table that is read whole.
    pub small_table: u64,
    /// The highest cost of a plan, in the server's own unit.
    pub max_cost: f64,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { small_table: 64 << 20, max_cost: 1e6 }
    }
}

/// Measures every data set that the schedule names for this store.
pub async fn measure(client: &Client, schedule: &Schedule, store: &str, as_of: Timestamp) -> Retention {
    measure_with(client, schedule, store, as_of, Effort::default()).await
}

/// The same with this effort.
pub async fn measure_with(
    client: &Client,
    schedule: &Schedule,
    store: &str,
    as_of: Timestamp,
    effort: Effort,
) -> Retention {
    let guard = Guard::new(client);
    let about = "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint, current_setting('server_version'), \
                 pg_is_in_recovery()";
    let server = guard.row(about, Duration::from_secs(5), Scans::Allowed).await;
    let told = |place: usize| match &server {
        Ok(row) => row.get(place).cloned().flatten().ok_or_else(|| "the server did not tell".to_owned()),
        Err(trouble) => Err(trouble.to_string()),
    };
    let skew = told(0).and_then(|clock| clock.parse::<i64>().map_err(|_| "the server's clock is no number".to_owned()));
    let skew = skew.map_or_else(Fact::unknown, |clock| Fact::Known(clock.saturating_sub(as_of.as_second())));
    let version = told(1).map_or_else(Fact::unknown, |version| {
        Fact::Known(version.chars().filter(|letter| !letter.is_control()).take(60).collect())
    });
    let mut notes = Vec::new();
    let tolerance = schedule.clock_skew_tolerance.time().as_secs();
    if skew.known().is_some_and(|skew| skew.unsigned_abs() > tolerance) {
        notes.push("the server's clock differs by more than the tolerance; the scanner's was used".to_owned());
    }
    if told(2).is_ok_and(|standby| standby == "t") {
        notes.push("measured on a standby: it proves the primary only up to what it has replayed".to_owned());
    }
    let mut measured = Vec::new();
    let mut mechanisms = Vec::new();
    let means = Means::read(&guard).await;
    for set in schedule.sets_of(store) {
        mechanisms.push(means.of(&guard, set, as_of).await);
        let mut facts = one(client, schedule, set, as_of, effort).await;
        facts.notes.extend(notes.iter().cloned());
        measured.push(facts);
    }
    declared::retention(schedule, store, as_of, (measured, mechanisms), skew, version)
}

/// The tables by their names, without a look at any row. The catalogue shows them to every role.
///
/// # Errors
/// Where the catalogue cannot be read.
pub async fn inventory(
    client: &Client,
    schedule: &Schedule,
    store: &str,
) -> Result<(Inventory, Option<Trouble>), Trouble> {
    let sql = format!(
        "SELECT n.nspname, c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relkind IN ('r', 'p', 'm', 'f') AND NOT c.relispartition AND n.nspname !~ '^pg_' \
         AND n.nspname <> 'information_schema' ORDER BY 1, 2, a.attnum LIMIT {}",
        MOST_COLUMNS + 1
    );
    let rows = Guard::new(client).rows(&sql, Duration::from_secs(5), Scans::Allowed).await?;
    let cut = (rows.len() > MOST_COLUMNS)
        .then(|| Trouble::new(Reason::TooLarge, "the database has more columns than are read"));
    let mut columns: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for row in rows {
        let mut row = row.into_iter();
        if let (Some(Some(schema)), Some(Some(table))) = (row.next(), row.next()) {
            columns.entry((schema, table)).or_default().extend(row.next().flatten());
        }
    }
    let tables = columns
        .iter()
        .map(|((schema, table), columns)| declared::table(schedule, store, (schema, table), "public", columns));
    Ok((Inventory { tables: tables.collect() }, cut))
}

async fn one(client: &Client, schedule: &Schedule, set: &DataSet, as_of: Timestamp, effort: Effort) -> Measured {
    match Census::new(schedule, set, Dialect::Postgres, as_of) {
        Ok(census) => {
            let guard = Guard::new(client);
            let measuring = Measuring { guard: &guard, census: &census, set, effort };
            let outcome = measuring.run().await.map_err(|trouble| match trouble.reason {
                Reason::PermissionDenied if trouble.detail != POLICIES => missing(&trouble, set),
                _ => trouble.to_string(),
            });
            Measured { cost: guard.meter.cost(), ..census.measured(outcome) }
        }
        Err(reason) => unmeasured(set, &schedule.time_zone, as_of, &reason),
    }
}

/// A refusal, with the rights that end it.
fn missing(trouble: &Trouble, set: &DataSet) -> String {
    let rights = rights::of_set(set, false).into_iter().map(|right| format!("GRANT {right} TO it")).collect::<Vec<_>>();
    match rights.is_empty() {
        true => trouble.to_string(),
        false => format!("{trouble}; {} would show it", rights.join(" and ")),
    }
}

/// Whether the server may choose to read a table from end to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scans {
    /// It may.
    Allowed,
    /// Only where nothing else can be done.
    Off,
}

/// Runs one statement in a transaction that can do nothing but read, and not for long.
pub(super) struct Guard<'a> {
    client: &'a Client,
    meter: Meter,
}

impl<'a> Guard<'a> {
    /// Guards this client.
    pub(super) fn new(client: &'a Client) -> Guard<'a> {
        Guard { client, meter: Meter::new("pages") }
    }

    /// The rows of an answer.
    pub(super) async fn rows(&self, sql: &str, timeout: Duration, scans: Scans) -> Result<Vec<Row>, Trouble> {
        self.within(timeout, scans, self.read(sql)).await
    }

    /// The same, with a count of the pages of this table that it read.
    async fn metered(&self, sql: &str, timeout: Duration, scans: Scans, table: &Table) -> Result<Option<Row>, Trouble> {
        let pages = table.pages_read();
        let asking = async {
            // The server counts on across transactions until it sums up, which it does between two of them alone.
            let before = self.read(&pages).await?;
            let rows = self.read(sql).await?;
            let after = self.read(&pages).await.map(|after| number(&after).zip(number(&before)));
            let read = after.ok().flatten().map(|(after, before)| after.saturating_sub(before));
            self.meter.read(read.ok_or_else(|| "the server does not tell how many pages it read".to_owned()));
            Ok(rows)
        };
        Ok(self.within(timeout, scans, asking).await?.into_iter().next())
    }

    async fn metered_row(&self, sql: &str, timeout: Duration, scans: Scans, table: &Table) -> Result<Row, Trouble> {
        let row = self.metered(sql, timeout, scans, table).await?;
        row.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "a statement that gives one row gave none"))
    }

    async fn read(&self, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
        self.meter.asked(1);
        let stream = self.client.simple_query_raw(sql).await?;
        let mut stream = std::pin::pin!(stream);
        let mut rows: Vec<Row> = Vec::new();
        while let Some(message) = stream.try_next().await? {
            if let SimpleQueryMessage::Row(row) = message
                && rows.len() <= MOST_COLUMNS
            {
                let text = |place| row.try_get(place).map(|text: Option<&str>| text.map(str::to_owned));
                rows.push((0..row.len()).map(text).collect::<Result<Row, _>>()?);
            }
        }
        Ok(rows)
    }

    /// Two texts of each row of an answer, to a statement with a secret and a list: neither stands in the statement,
    /// which a server may log.
    pub(super) async fn pairs(
        &self,
        sql: &str,
        secret: &[u8],
        list: &[&str],
        timeout: Duration,
    ) -> Result<Vec<(String, Option<String>)>, Trouble> {
        let asking = async {
            let rows = self.client.query(sql, &[&secret, &list]).await?;
            rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
        };
        self.within(timeout, Scans::Allowed, asking).await
    }

    /// Asks inside of a transaction that can do nothing but read, and not for long.
    async fn within<T>(
        &self,
        timeout: Duration,
        scans: Scans,
        asking: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Trouble> {
        // Row security would hide rows in silence, so that it is to be an error instead.
        let mut begin = format!(
            "BEGIN TRANSACTION READ ONLY; SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = 200; \
             SET LOCAL idle_in_transaction_session_timeout = 10000; SET LOCAL max_parallel_workers_per_gather = 0; \
             SET LOCAL application_name = 'probity'; SET LOCAL search_path = pg_catalog, pg_temp; \
             SET LOCAL row_security = off; SET LOCAL standard_conforming_strings = on; SET LOCAL TimeZone = 'UTC'; \
             SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL jit = off",
            timeout.as_millis()
        );
        if scans == Scans::Off {
            begin.push_str("; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off");
        }
        let run = async {
            self.client.batch_execute(&begin).await?;
            asking.await
        };
        // The server stops the statement; our own clock is for a server that does not answer any more.
        let late = || Trouble::new(Reason::TimedOut, "the server did not answer in time");
        let answer = tokio::time::timeout(timeout + Duration::from_secs(2), run).await;
        let ended = tokio::time::timeout(Duration::from_secs(2), self.client.batch_execute("ROLLBACK")).await;
        let rows = answer.map_err(|_| late())?.map_err(|error| trouble(&error))?;
        ended.map_err(|_| late())?.map_err(|error| trouble(&error))?;
        Ok(rows)
    }

    pub(super) async fn row(&self, sql: &str, timeout: Duration, scans: Scans) -> Result<Row, Trouble> {
        let first = self.rows(sql, timeout, scans).await?.into_iter().next();
        first.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "a statement that gives one row gave none"))
    }

    /// What the catalogue tells of a table whose rows this role can see.
    pub(super) async fn table(&self, object: &Object, timeout: Duration) -> Result<Table, Trouble> {
        let names = table_name(object).map_err(|reason| Trouble::new(Reason::Unsupported, reason))?;
        let [schema, name] = names.as_slice() else {
            return Err(Trouble::new(
                Reason::Unsupported,
                "the table is to be named with its schema, as `schema.name`",
            ));
        };
        let sql = format!(
            "SELECT c.oid, c.relkind, row_security_active(c.oid) FROM pg_class c JOIN pg_namespace n \
             ON n.oid = c.relnamespace WHERE n.nspname = {} AND c.relname = {}",
            literal(schema),
            literal(name)
        );
        let found = self.rows(&sql, timeout, Scans::Allowed).await?.into_iter().next();
        let Some([Some(oid), Some(kind), Some(hidden)]) = found.as_deref() else {
            return Err(Trouble::new(Reason::Unsupported, "no such table"));
        };
        if !matches!(kind.as_str(), "r" | "p" | "m") {
            return Err(Trouble::new(Reason::Unsupported, "only tables and materialised views are measured"));
        }
        if hidden == "t" {
            return Err(Trouble::new(Reason::PermissionDenied, POLICIES));
        }
        let oid: u32 = oid.parse().map_err(|_| Trouble::new(Reason::ProtocolViolation, "an object id is no number"))?;
        self.size(oid, timeout).await
    }

    async fn size(&self, oid: u32, timeout: Duration) -> Result<Table, Trouble> {
        let sql = format!(
            "WITH RECURSIVE tree (oid) AS (SELECT {oid}::oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree t \
             ON i.inhparent = t.oid) SELECT coalesce(sum(pg_relation_size(c.oid)), 0)::bigint, \
             coalesce(sum(c.reltuples) FILTER (WHERE c.relkind <> 'p'), 0)::bigint, \
             coalesce(bool_or(c.reltuples < 0 AND c.relkind <> 'p'), false), \
             coalesce(bool_or(c.relkind = 'f'), false), current_setting('block_size') \
             FROM tree t JOIN pg_class c ON c.oid = t.oid"
        );
        let row = self.row(&sql, timeout, Scans::Allowed).await?;
        let [Some(bytes), Some(rows), Some(unknown), Some(foreign), Some(page)] = row.as_slice() else {
            return Err(Trouble::new(Reason::ProtocolViolation, "the size of a table is missing"));
        };
        if foreign == "t" {
            return Err(Trouble::new(Reason::Unsupported, "a partition is in another database"));
        }
        let bytes: u64 =
            bytes.parse().map_err(|_| Trouble::new(Reason::ProtocolViolation, "the size of a table is no number"))?;
        let rows = match rows.parse() {
            Ok(rows) if unknown == "f" => Fact::Known(rows),
            _ => Fact::unknown("the table was never analysed"),
        };
        let page = page.parse::<u64>().ok().filter(|page| *page > 0).unwrap_or(PAGE);
        Ok(Table { oid, bytes, pages: bytes.div_ceil(page), page, rows })
    }

    /// The steps of the plan, if it reads by an index and costs little.
    pub(super) async fn plan(
        &self,
        sql: &str,
        bounded: bool,
        timeout: Duration,
        effort: Effort,
    ) -> Result<Option<String>, Trouble> {
        let row = self.rows(&format!("EXPLAIN (FORMAT JSON) {sql}"), timeout, Scans::Off).await?;
        let text: String = row.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
        let plan: serde_json::Value = serde_json::from_str(&text)
            .map_err(|_| Trouble::new(Reason::ProtocolViolation, "the server's plan is not JSON"))?;
        let root = &plan[0]["Plan"];
        let cheap = root["Total Cost"].as_f64().is_some_and(|cost| cost <= effort.max_cost);
        let mut steps = Vec::new();
        let indexed = walk(root, bounded, &mut steps);
        Ok((cheap && indexed).then(|| steps.join("; ").chars().take(400).collect()))
    }
}

/// One data set and the server that holds it.
struct Measuring<'a> {
    guard: &'a Guard<'a>,
    census: &'a Census<'a>,
    set: &'a DataSet,
    effort: Effort,
}

/// What the catalogue tells of a table.
pub(super) struct Table {
    oid: u32,
    /// Its bytes, with those of its partitions.
    pub(super) bytes: u64,
    pages: u64,
    page: u64,
    rows: Fact<u64>,
}

impl Table {
    fn is_small(&self, effort: Effort) -> bool {
        self.bytes <= effort.small_table
    }

    /// Asks how many pages of the table, its partitions and their indexes this session has fetched.
    fn pages_read(&self) -> String {
        format!(
            "WITH RECURSIVE tree (oid) AS (SELECT {}::oid UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree t \
             ON i.inhparent = t.oid) SELECT coalesce(sum(pg_stat_get_xact_blocks_fetched(r.oid)), 0)::bigint FROM \
             (SELECT oid FROM tree UNION SELECT x.indexrelid FROM pg_index x JOIN tree t ON x.indrelid = t.oid) r",
            self.oid
        )
    }
}

impl Measuring<'_> {
    async fn run(&self) -> Result<Outcome, Trouble> {
        let table = self.table().await?;
        let wish = self.set.measure.strategy;
        match wish {
            StrategyWish::Partitions | StrategyWish::Metadata => {
                return Err(Trouble::new(Reason::Unsupported, "this build does not measure by partitions or metadata"));
            }
            StrategyWish::Exact => return self.whole(&table).await,
            StrategyWish::Sample => return self.sample(&table).await,
            StrategyWish::Auto | StrategyWish::Bounded => {}
        }
        if let Some(outcome) = self.by_index(&table).await? {
            return Ok(outcome);
        }
        match wish {
            StrategyWish::Auto if table.is_small(self.effort) => self.whole(&table).await,
            StrategyWish::Auto => self.sample(&table).await,
            _ => Err(Trouble::new(Reason::Unsupported, "no index answers, and only an index may be used")),
        }
    }

    fn timeout(&self) -> Duration {
        self.set.measure.timeout.time()
    }

    async fn table(&self) -> Result<Table, Trouble> {
        self.guard.table(&self.set.object, self.timeout()).await
    }

    /// Every row.
    async fn whole(&self, table: &Table) -> Result<Outcome, Trouble> {
        let query = self.census.whole(&self.census.table, &[]);
        let row = self.guard.metered_row(&query, self.timeout(), Scans::Allowed, table).await?;
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

    /// By an index, or nothing where one of the questions about violations is answered by none.
    async fn by_index(&self, table: &Table) -> Result<Option<Outcome>, Trouble> {
        let mut counts = BTreeMap::new();
        let (mut query, mut plan) = (String::new(), String::new());
        for question in &self.census.questions {
            let mut counted = Counted { blind: question.blind.map(str::to_owned), ..Counted::default() };
            let essential = question.topic == Topic::Violating;
            for predicate in &question.by_index {
                let sql = self.census.bounded(predicate);
                let seen = self.plan(&sql, true).await?;
                let scans = match &seen {
                    Some(_) => Scans::Off,
                    None if essential => return Ok(None),
                    None if table.is_small(self.effort) => Scans::Allowed,
                    None => {
                        counted.blind =
                            Some("no index answers this, and the table is too large to read whole".to_owned());
                        continue;
                    }
                };
                let row = self.guard.metered_row(&sql, self.timeout(), scans, table).await;
                let rows = row.and_then(|row| {
                    row.first().cloned().flatten().and_then(|rows| rows.parse::<u64>().ok()).ok_or_else(no_number)
                });
                match rows {
                    Ok(rows) => {
                        counted.rows = counted.rows.saturating_add(rows);
                        counted.capped |= rows >= self.census.limit();
                    }
                    Err(trouble) if essential => return Err(trouble),
                    Err(trouble) => counted.blind = Some(trouble.to_string()),
                }
                if essential && query.is_empty() {
                    (query, plan) = (sql, seen.unwrap_or_default());
                }
            }
            counts.insert(question.topic.clone(), counted);
        }
        let oldest = self.oldest(table).await;
        let total = table.rows.clone();
        Ok(Some(Outcome { strategy: Strategy::Index, counts, oldest, total, sampled: None, query, plan }))
    }

    /// The oldest row of each group; a short list says that one was not found.
    async fn oldest(&self, table: &Table) -> Vec<Option<String>> {
        let mut found = Vec::new();
        for oldest in &self.census.oldest {
            let sql = self.census.first(oldest);
            if !matches!(self.plan(&sql, false).await, Ok(Some(_))) {
                continue;
            }
            if let Ok(row) = self.guard.metered(&sql, self.timeout(), Scans::Off, table).await {
                found.push(row.and_then(|row| row.into_iter().next()).flatten());
            }
        }
        found
    }

    async fn plan(&self, sql: &str, bounded: bool) -> Result<Option<String>, Trouble> {
        self.guard.plan(sql, bounded, self.timeout(), self.effort).await
    }

    /// Pages by chance, and the rows in them: rows of one page are alike, so that pages are what is counted.
    async fn sample(&self, table: &Table) -> Result<Outcome, Trouble> {
        let percent = match table.pages {
            0 => 100.0,
            pages => (100.0 * SAMPLE_PAGES as f64 / pages as f64).min(100.0),
        };
        // The same seed for the same set: a run can be repeated.
        let seed = self.set.id.as_str().bytes().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        let from = format!("{} TABLESAMPLE SYSTEM ({percent:.6}) REPEATABLE ({seed})", self.census.table);
        let pages = "count(DISTINCT tableoid::text || ' ' || split_part(ctid::text, ',', 1))";
        let mut query = self.census.whole(&from, &["count(*)", pages]);
        let mut answer = self.guard.metered_row(&query, self.timeout(), Scans::Allowed, table).await;
        let by_column = answer.as_ref().is_err_and(|trouble| trouble.reason == Reason::PermissionDenied);
        if by_column {
            // A role with rights on single columns may not see the place of a row. So many rows fill at least so
            // many pages: an entry takes 28 bytes and more.
            let least = format!("ceil(count(*) / {}::numeric)::bigint", (table.page / 28).max(1));
            query = self.census.whole(&from, &["count(*)", &least]);
            answer = self.guard.metered_row(&query, self.timeout(), Scans::Allowed, table).await;
        }
        let row = answer?;
        let (mut counts, _, oldest) = self.census.read_whole(&row).ok_or_else(no_number)?;
        let mut last = row.iter().rev().map(|text| text.as_deref().and_then(|text| text.parse::<u64>().ok()));
        let (Some(Some(pages)), Some(Some(rows))) = (last.next(), last.next()) else { return Err(no_number()) };
        for counted in counts.values_mut() {
            counted.capped = counted.rows > 0;
        }
        let violating = counts.get(&Topic::Violating).map_or(0, |counted| counted.rows);
        let sampled =
            Sampled { unit: "pages".to_owned(), pages, rows, violating, rate_bound_ppm: rule_of_three(pages) };
        Ok(Outcome {
            strategy: Strategy::Sample,
            counts,
            oldest,
            total: table.rows.clone(),
            sampled: Some(sampled),
            query,
            plan: format!("{}{pages} of {} pages were drawn", if by_column { "at least " } else { "" }, table.pages),
        })
    }
}

/// The number that stands first in an answer.
fn number(rows: &[Row]) -> Option<u64> {
    rows.first()?.first()?.as_deref()?.parse().ok()
}

fn no_number() -> Trouble {
    Trouble::new(Reason::ProtocolViolation, "the server's counts are not numbers")
}

/// Whether every step reads by an index. A count must also be limited by it, or it would read all of it.
fn walk(step: &serde_json::Value, bounded: bool, steps: &mut Vec<String>) -> bool {
    let kind = step["Node Type"].as_str().unwrap_or_default();
    let fits = match kind {
        "Index Scan" | "Index Only Scan" => {
            let index = step["Index Name"].as_str().unwrap_or_default();
            steps.push(format!("{kind} using {}", index.chars().filter(|c| !c.is_control()).collect::<String>()));
            !bounded || step["Index Cond"].is_string()
        }
        "Aggregate" | "Limit" | "Append" | "Merge Append" | "Subquery Scan" | "Result" | "Sort"
        | "Incremental Sort" => true,
        _ => false,
    };
    let below = step["Plans"].as_array().map(Vec::as_slice).unwrap_or_default();
    fits && below.iter().all(|step| walk(step, bounded, steps))
}

/// What an error means, without the server's own words: they can hold values.
fn trouble(error: &tokio_postgres::Error) -> Trouble {
    let Some(code) = error.code() else {
        return Trouble::new(Reason::Refused, "the connection to the server broke");
    };
    let (reason, detail) = if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        (Reason::PermissionDenied, "the audit role may not read this table or its columns, or row security hides rows")
    } else if *code == SqlState::QUERY_CANCELED {
        (Reason::TimedOut, "the server stopped a statement that took too long")
    } else if *code == SqlState::LOCK_NOT_AVAILABLE {
        (Reason::TimedOut, "the table is locked by another session")
    } else if *code == SqlState::UNDEFINED_TABLE {
        (Reason::Unsupported, "no such table")
    } else if *code == SqlState::UNDEFINED_COLUMN {
        (Reason::Unsupported, "the table has no column of a name that the schedule gives")
    } else if code.code().starts_with("42") {
        (Reason::Unsupported, "the schedule's expressions or types do not fit the table")
    } else if code.code().starts_with("57P") {
        (Reason::Refused, "the server ended the session")
    } else {
        (Reason::Refused, "the server refused a statement")
    };
    let state: String = code.code().chars().take(5).collect();
    Trouble::new(reason, format!("{detail}, SQLSTATE {state}"))
}
