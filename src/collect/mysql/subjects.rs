//! Looking for persons on a MySQL or MariaDB server: the erased, rows without the row they belong to, and the one person
//! whose export is looked at.
//!
//! The server has no keyed digest, and one that is put together of its functions would carry the secret in a statement,
//! which servers log. So the keys come here page by page, are hashed, and are dropped.

use super::plan::{Reading, judge};
use super::retention::Effort;
use super::session::{QUERY, Session};
use super::settings::Settings;
use super::spaces::sees_all;
use super::table::{Table, no_number, place};
use super::{Mysql, arrive, log_in, reopen};
use crate::collect::answer::{Row, text};
use crate::collect::drill::first;
use crate::collect::server::Look;
use crate::collect::traces::{
    Edge, Erased, Hasher, Looked, MAX_HITS, Person, Place, Search, Side, Wanted, declared, set_of,
};
use crate::collect::{CollectContext, Job};
use crate::model::erasure::{EdgeTraces, Presence, SetTraces, Subjects};
use crate::model::retention::expression::literal;
use crate::model::retention::{DataSet, Dialect};
use crate::model::{Fact, Reason, Trouble};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The most keys that are read at once, and of one set.
const PAGE: usize = 10_000;
const MAX_KEYS: usize = 100_000;
/// The most bytes of keys that are read of all sets: what a session may receive has an end.
const MAX_BYTES: usize = 6 << 20;
/// Where the count of orphans stops.
const LIMIT: u64 = 1000;
/// The most columns of foreign keys that are read.
const MAX_COLUMNS: usize = 2_000;
/// Types whose values have no text that a person's key could be.
const WITHOUT_TEXT: [&str; 9] =
    ["binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bit", "float", "double"];

/// Looks for everybody who is wanted.
pub(super) async fn find(
    session: &Session<'_>,
    settings: &Result<Settings, Trouble>,
    wanted: &Wanted,
    (store, default_schema): (&str, &str),
    effort: Effort,
) -> Subjects {
    let bytes = AtomicUsize::new(MAX_BYTES);
    let finder = Finder { session, settings, wanted, store, default_schema, effort, bytes };
    let mut found = Subjects::default();
    if let Some(person) = &wanted.person {
        for set in wanted.sets_of_person(store, person) {
            let rows = finder.presence(set, person).await;
            let capped = rows.as_ref().is_ok_and(|rows| *rows >= u64::from(set.measure.limit));
            let rows = rows.map_or_else(|trouble| Fact::unknown(finder.words(set, &trouble)), Fact::Known);
            found.present.push(Presence { key: set.id.to_string(), rows, capped });
        }
    }
    if let Some(erased) = &wanted.erased {
        found.edges = finder.edges().await;
        for set in wanted.sets(store) {
            found.sets.push(finder.traces(set, erased).await);
        }
    }
    found
}

/// Looks for these persons and for nothing else, at the first address that answers.
pub async fn persons(job: &Job, cx: &CollectContext, wanted: &[Wanted]) -> Result<Vec<Presence>, Trouble> {
    let effort = Effort::default();
    let look = Look::of::<Mysql>(&job.target, cx);
    let meet = |address: SocketAddr| {
        let look = &look;
        async move { Ok((address, arrive(look, address).await?)) }
    };
    let (address, (greeting, entry)) = first(job.addresses.iter().copied().map(meet)).await?;
    let tls = greeting.session.is_ok();
    let reopen = || reopen(&look, address, tls);
    let session = log_in(&look, entry?, &reopen).await?;
    let settings = Settings::read(&session).await;
    let place = (job.target.id.as_str(), job.target.connection.database.as_deref().unwrap_or_default());
    let seen = tokio::time::timeout(cx.limits.target_time, async {
        let mut seen = Vec::new();
        for one in wanted {
            seen.extend(find(&session, &settings, one, place, effort).await.present);
        }
        seen
    });
    let seen = seen.await;
    if seen.is_err() {
        session.abandon().await;
    }
    session.close().await;
    seen.map_err(|_| Trouble::new(Reason::TimedOut, "the look for persons took longer than a target may"))
}

struct Finder<'a, 's> {
    session: &'a Session<'s>,
    settings: &'a Result<Settings, Trouble>,
    wanted: &'a Wanted,
    store: &'a str,
    default_schema: &'a str,
    effort: Effort,
    /// Bytes of keys that may still be read.
    bytes: AtomicUsize,
}

impl Finder<'_, '_> {
    /// The erased in one set.
    async fn traces(&self, set: &DataSet, erased: &Erased) -> SetTraces {
        let mut search = Search::new(&self.wanted.schedule, set, &erased.entries, self.wanted.today);
        let outcome = if search.digests().is_empty() {
            Ok(Looked::default())
        } else {
            match &erased.hasher {
                Ok(hasher) => self.search(set, hasher, &mut search).await,
                Err(trouble) => Err(trouble.clone()),
            }
        };
        search.end(outcome.map_err(|trouble| Trouble::new(trouble.reason, self.detail(set, &trouble))))
    }

    /// The keys come here, are hashed, and are dropped.
    async fn search(&self, set: &DataSet, hasher: &Hasher, search: &mut Search<'_>) -> Result<Looked, Trouble> {
        let time = set.measure.timeout.time();
        let (place, table) = self.place(set, time).await?;
        let (mut rows, mut hits) = (0usize, 0usize);
        let mut after: Option<i128> = None;
        let blind = loop {
            let (sql, most) = match &table.key {
                Some(key) => (place.page(&Dialect::Mysql.quote(key), after, PAGE), PAGE),
                None => (place.stream(2 * PAGE + 1), 2 * PAGE + 1),
            };
            let page = self.rows(&sql, time).await?;
            rows += page.len();
            for row in &page {
                let mut values = row.iter().map(Option::as_deref);
                let Some(Some(key)) = values.next() else { continue };
                let digest = hasher.of(key);
                if search.wants(&digest) {
                    hits += 1;
                    search.meet(&digest, values.next().flatten());
                }
            }
            if page.len() < most {
                break None;
            }
            let read: usize = page.iter().flatten().flatten().map(|cell| cell.len() + 8).sum();
            let left = self.bytes.load(Ordering::Relaxed).saturating_sub(read);
            self.bytes.store(left, Ordering::Relaxed);
            after = page.last().and_then(|row| row.get(2)?.as_deref()?.parse().ok());
            if table.key.is_none() {
                break Some(format!(
                    "the set has more than {} rows and no whole number as its key to read on by",
                    2 * PAGE
                ));
            }
            if rows >= MAX_KEYS || left == 0 || hits > MAX_HITS || after.is_none() {
                break Some(format!("the set has more rows than the {rows} that were looked at"));
            }
        };
        Ok(Looked { how: format!("the keys of {rows} rows were read and hashed"), capped: hits > MAX_HITS, blind })
    }

    /// The place of a set that is a table, and what the catalogue tells of it.
    async fn place(&self, set: &DataSet, time: Duration) -> Result<(Place, Table), Trouble> {
        let unfit = |words: String| Trouble::new(Reason::Unsupported, words);
        let (schema, name) = place(set, self.default_schema)?;
        let table = Table::read(self.session, (&schema, &name), time).await?;
        let key = set.subject_key.as_ref().ok_or_else(|| unfit("nothing says whose row it is".to_owned()))?;
        for column in key.expr.columns(Dialect::Mysql) {
            let kind = table.columns.get(&column.to_lowercase());
            if kind.is_some_and(|kind| WITHOUT_TEXT.contains(&kind.as_str())) {
                return Err(unfit(
                    "the subject key is in a column of bytes or of inexact numbers, which has no text".to_owned(),
                ));
            }
        }
        let mut place = Place::new(set, Dialect::Mysql).map_err(unfit)?;
        place.table = format!("{}.{}", Dialect::Mysql.quote(&schema), Dialect::Mysql.quote(&name));
        Ok((place, table))
    }

    /// The rows of the one person.
    async fn presence(&self, set: &DataSet, person: &Person) -> Result<u64, Trouble> {
        let key = person.key.as_ref().map_err(Clone::clone)?;
        let time = set.measure.timeout.time();
        let (mut place, table) = self.place(set, time).await?;
        let limit = usize::try_from(set.measure.limit).unwrap_or(usize::MAX);
        let column = set.subject_key.as_ref().and_then(|key| key.expr.column(Dialect::Mysql));
        let numbers = column.is_some_and(|column| table.is_whole_number(&column));
        // What an index finds is compared once more by its letters: the server takes `Ann` for `ann`, and `17 b` for 17.
        let same = format!("CAST(CAST({} AS char) AS binary) = CAST({} AS binary)", place.key, literal(key));
        if numbers {
            let Some(number) = key.parse::<i64>().ok().filter(|number| number.to_string() == **key) else {
                return Ok(0);
            };
            place.members = format!("{} AND {same}", place.members);
            return self.count(&place.rows_of_number(number, limit), &table, time).await;
        }
        place.members = format!("{} AND {same}", place.members);
        self.count(&place.rows_of(key, limit), &table, time).await
    }

    /// A count by an index, or in a small table.
    async fn count(&self, sql: &str, table: &Table, time: Duration) -> Result<u64, Trouble> {
        if table.bytes > self.effort.small_table {
            let plan = self.rows(&format!("EXPLAIN FORMAT=JSON {sql}"), time).await?;
            let text: String = plan.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
            let plan = serde_json::from_str(&text)
                .map_err(|_| Trouble::new(Reason::ProtocolViolation, "the server's plan is not JSON"))?;
            if judge(&plan, true, &table.partitions, self.effort.small_table) == Reading::All {
                let words = "no index on the key answers, and the table is too large to read whole";
                return Err(Trouble::new(Reason::Unsupported, words));
            }
        }
        first_number(&self.rows(sql, time).await?)
    }

    /// The rows of an answer in which nothing had to be bent to fit.
    async fn rows(&self, sql: &str, time: Duration) -> Result<Vec<Row>, Trouble> {
        let answer = self.session.within(sql, time).await?;
        match answer.warnings {
            0 => Ok(answer.rows),
            _ => Err(Trouble::new(
                Reason::Unsupported,
                "the schedule's expressions do not fit the table: the server warns of values that it bent",
            )),
        }
    }

    /// Rows without the row they belong to, along every edge.
    async fn edges(&self) -> Vec<EdgeTraces> {
        let (mut edges, mut found) = declared(&self.wanted.schedule, self.store, Dialect::Mysql);
        for edge in &mut edges {
            for side in [&mut edge.child, &mut edge.parent] {
                if side.table.len() == 1 && !self.default_schema.is_empty() {
                    side.table.insert(0, self.default_schema.to_owned());
                }
            }
        }
        match self.catalogue().await {
            Ok(more) => edges.extend(more),
            Err(trouble) => found.push(EdgeTraces {
                key: "(foreign keys)".to_owned(),
                source: "catalogue".to_owned(),
                child: String::new(),
                parent: String::new(),
                orphans: Fact::unknown(trouble.to_string()),
                capped: false,
                sensitive: false,
                how: String::new(),
            }),
        }
        for edge in &edges {
            found.push(edge.counted(self.orphans(edge).await, LIMIT));
        }
        found
    }

    async fn orphans(&self, edge: &Edge) -> Result<(u64, String), Trouble> {
        let unfit = |words: &str| Trouble::new(Reason::Unsupported, words);
        let (mut indexed, mut small) = (true, true);
        let mut kinds = Vec::new();
        for side in [&edge.child, &edge.parent] {
            let [schema, name] = side.table.as_slice() else {
                return Err(unfit("a table of the edge is not named with its schema"));
            };
            let table = Table::read(self.session, (schema, name), QUERY).await?;
            small &= table.bytes <= self.effort.small_table;
            let columns: Vec<String> = side.columns.iter().map(|column| column.to_lowercase()).collect();
            let leads = |column: &String| table.indexes.iter().any(|(_, leading)| leading == column);
            indexed &= columns.first().is_some_and(leads);
            kinds.push(
                columns.iter().map(|column| table.kind_of_value(column).map(str::to_owned)).collect::<Option<Vec<_>>>(),
            );
        }
        // The server compares a number with a text by guessing, and finds a parent that is none.
        match kinds.as_slice() {
            [Some(child), Some(parent)] if child == parent && !child.is_empty() => {}
            [Some(_), Some(_)] => return Err(unfit("the two sides of the edge are of different types")),
            _ => {
                return Err(unfit(
                    "the type of one side of the edge is not known: it must be a column that the account may read",
                ));
            }
        }
        if !small && !indexed {
            return Err(Trouble::new(
                Reason::Unsupported,
                "a table is too large to read whole, and the columns of the edge do not both lead an index",
            ));
        }
        let rows = first_number(&self.rows(&edge.count(LIMIT), QUERY).await?)?;
        Ok((rows, if indexed { "counted, with an index on both sides" } else { "counted, in small tables" }.to_owned()))
    }

    /// The foreign keys that touch a table of the schedule. A session can switch them off, and what was there before them
    /// stays, so that none of them proves anything.
    async fn catalogue(&self) -> Result<Vec<Edge>, Trouble> {
        let schemas: BTreeSet<String> = (self.wanted.schedule.sets_of(self.store).iter())
            .filter_map(|set| place(set, self.default_schema).ok())
            .map(|(schema, _)| literal(&schema))
            .collect();
        if schemas.is_empty() {
            return Ok(Vec::new());
        }
        let schemas = schemas.into_iter().collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT TABLE_SCHEMA, TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME, \
             REFERENCED_COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL \
             AND (TABLE_SCHEMA IN ({schemas}) OR REFERENCED_TABLE_SCHEMA IN ({schemas})) \
             ORDER BY 1, 2, 3, ORDINAL_POSITION LIMIT {}",
            MAX_COLUMNS + 1
        );
        let rows = self.session.within(&sql, QUERY).await?.rows;
        if rows.len() > MAX_COLUMNS {
            return Err(Trouble::new(Reason::TooLarge, "the server has more foreign keys than are read"));
        }
        if !sees_all(self.session, self.settings).await? {
            let words = "foreign keys of tables on which the audit account has no right are not shown to it";
            let grant = self.session.grant("REFERENCES ON *.*");
            return Err(Trouble::new(Reason::PermissionDenied, format!("{words}; {grant}")));
        }
        let mut keys: BTreeMap<[String; 3], Vec<Row>> = BTreeMap::new();
        for row in rows {
            keys.entry([text(&row, 0)?, text(&row, 1)?, text(&row, 2)?]).or_default().push(row);
        }
        let mut edges = Vec::new();
        for (name, rows) in keys {
            edges.extend(self.foreign_key(&name, &rows)?);
        }
        Ok(edges)
    }

    fn foreign_key(&self, [schema, child, name]: &[String; 3], rows: &[Row]) -> Result<Option<Edge>, Trouble> {
        let Some(first) = rows.first() else { return Ok(None) };
        let (parent_schema, parent) = (text(first, 4)?, text(first, 5)?);
        let set =
            |schema: &str, table: &str| set_of(&self.wanted.schedule, self.store, (schema, table), self.default_schema);
        let (below, above) = (set(schema, child), set(&parent_schema, &parent));
        if below.is_none() && above.is_none() {
            return Ok(None);
        }
        let columns = |place: usize| rows.iter().map(|row| text(row, place)).collect::<Result<Vec<_>, _>>();
        let side = |set: Option<&DataSet>, schema: &str, table: &str, columns: Vec<String>| Side {
            name: set.map_or_else(|| format!("{schema}.{table}"), |set| set.id.to_string()),
            table: vec![schema.to_owned(), table.to_owned()],
            keys: columns.iter().map(|column| Dialect::Mysql.quote(column)).collect(),
            columns,
            members: "TRUE".to_owned(),
        };
        let key = format!("{schema}.{child} {name}");
        Ok(Some(Edge {
            key: key.chars().filter(|letter| !letter.is_control()).take(200).collect(),
            source: "catalogue",
            child: side(below, schema, child, columns(3)?),
            parent: side(above, &parent_schema, &parent, columns(6)?),
            sensitive: below.is_some_and(DataSet::is_sensitive),
            proof: String::new(),
            dialect: Dialect::Mysql,
        }))
    }

    /// A trouble in words, with the right that would mend it where one is missing.
    fn words(&self, set: &DataSet, trouble: &Trouble) -> String {
        Trouble::new(trouble.reason, self.detail(set, trouble)).to_string()
    }

    fn detail(&self, set: &DataSet, trouble: &Trouble) -> String {
        match (trouble.reason, place(set, self.default_schema)) {
            (Reason::PermissionDenied, Ok((schema, name))) => {
                let table = format!("{}.{}", Dialect::Mysql.quote(&schema), Dialect::Mysql.quote(&name));
                format!("{}; {}", trouble.detail, self.session.grant(&format!("SELECT ON {table}")))
            }
            _ => trouble.detail.clone(),
        }
    }
}

fn first_number(rows: &[Row]) -> Result<u64, Trouble> {
    let first = rows.first().and_then(|row| row.first().cloned().flatten());
    first.and_then(|rows| rows.parse().ok()).ok_or_else(no_number)
}
