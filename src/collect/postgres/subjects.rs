//! Looking for persons in a PostgreSQL database: the erased, rows without the row they belong to, and the one person
//! whose export is looked at.
//!
//! Where pgcrypto is installed, the server makes the digests, and no key of a person leaves it. Where it is not, the
//! keys of a table with few rows are read, hashed here and dropped.

use super::limit::Limit;
use super::retention::{Effort, Guard, Scans};
use super::{Postgres, arrive, log_in, reopen};
use crate::collect::drill::first;
use crate::collect::server::Look;
use crate::collect::traces::{
    Edge, Erased, Hasher, Looked, MAX_HITS, Person, Place, Search, Side, Wanted, declared, set_of,
};
use crate::collect::{CollectContext, Job};
use crate::model::erasure::{EdgeTraces, Presence, SetTraces, Subjects};
use crate::model::retention::expression::{literal, quote};
use crate::model::retention::{DataSet, Dialect, Object};
use crate::model::{Fact, Reason, Trouble};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio_postgres::Client;

/// The most keys that are read where the server cannot hash.
const MAX_KEYS: usize = 20_000;
/// Time for a question to the catalogue.
const CATALOGUE: Duration = Duration::from_secs(5);
/// The most columns of foreign keys that are read.
const MAX_COLUMNS: usize = 2_000;

/// Looks for everybody who is wanted.
pub async fn find(client: &Client, wanted: &Wanted, store: &str) -> Subjects {
    let finder = Finder { guard: Guard::new(client), wanted, store, effort: Effort::default() };
    let mut found = Subjects::default();
    if let Some(erased) = &wanted.erased {
        let crypto = finder.crypto().await;
        for set in wanted.sets(store) {
            found.sets.push(finder.traces(set, erased, &crypto).await);
        }
        found.edges = finder.edges().await;
    }
    if let Some(person) = &wanted.person {
        for set in wanted.sets_of_person(store, person) {
            let (rows, capped) = finder.presence(set, person).await;
            found.present.push(Presence { key: set.id.to_string(), rows, capped });
        }
    }
    found
}

/// Looks for these persons and for nothing else, at the first address that answers.
pub async fn persons(job: &Job, cx: &CollectContext, wanted: &[Wanted]) -> Result<Vec<Presence>, Trouble> {
    let look = Look::of::<Postgres>(&job.target, cx);
    let meet = |address: SocketAddr| {
        let look = &look;
        async move { Ok((address, arrive(look, address).await?)) }
    };
    let (address, (greeting, entry)) = first(job.addresses.iter().copied().map(meet)).await?;
    let tls = greeting.session.is_ok();
    let reopen = || reopen(&look, address, tls);
    let session = log_in(&look, entry?, &reopen).await?;
    let limit = Limit::new(cx.limits.target_time, "the look for persons");
    let seen = session.bounded(limit, async {
        let mut seen = Vec::new();
        for one in wanted {
            seen.extend(find(&session.client, one, &job.target.id).await.present);
        }
        seen
    });
    let seen = seen.await;
    session.close().await;
    seen
}

struct Finder<'a> {
    guard: Guard<'a>,
    wanted: &'a Wanted,
    store: &'a str,
    effort: Effort,
}

impl Finder<'_> {
    /// The schema of pgcrypto, where it is installed.
    async fn crypto(&self) -> Option<String> {
        let sql = "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
                   WHERE e.extname = 'pgcrypto' AND has_schema_privilege(n.oid, 'USAGE')";
        self.guard.rows(sql, CATALOGUE, Scans::Allowed).await.ok()?.into_iter().next()?.into_iter().next()?
    }

    /// The erased in one set.
    async fn traces(&self, set: &DataSet, erased: &Erased, crypto: &Option<String>) -> SetTraces {
        let mut search = Search::new(&self.wanted.schedule, set, &erased.entries, self.wanted.today);
        let outcome = if search.digests().is_empty() {
            Ok(Looked::default())
        } else {
            match (&erased.hasher, Place::new(set, Dialect::Postgres)) {
                (Err(trouble), _) => Err(trouble.clone()),
                (_, Err(why)) => Err(Trouble::new(Reason::Unsupported, why)),
                (Ok(hasher), Ok(place)) => self.search(set, &place, hasher, crypto, &mut search).await,
            }
        };
        search.end(outcome)
    }

    async fn search(
        &self,
        set: &DataSet,
        place: &Place,
        hasher: &Hasher,
        crypto: &Option<String>,
        search: &mut Search<'_>,
    ) -> Result<Looked, Trouble> {
        let timeout = set.measure.timeout.time();
        let table = self.guard.table(&set.object, timeout).await?;
        match crypto {
            Some(schema) if table.bytes <= self.effort.small_table => {
                self.hashed(place, hasher, schema, search, timeout).await
            }
            Some(_) => Err(Trouble::new(
                Reason::TooLarge,
                format!(
                    "the table is larger than {} MiB, and every key of it would have to be hashed",
                    self.effort.small_table >> 20
                ),
            )),
            None => self.streamed(place, hasher, search, timeout).await,
        }
    }

    /// The server makes the digests, and tells the rows whose digest is wanted.
    async fn hashed(
        &self,
        place: &Place,
        hasher: &Hasher,
        schema: &str,
        search: &mut Search<'_>,
        timeout: Duration,
    ) -> Result<Looked, Trouble> {
        let Place { table, key, members, made, .. } = place;
        let digest = format!(
            "encode({}.hmac(convert_to(CAST({key} AS text), 'UTF8'), $1::bytea, 'sha256'), 'hex')",
            quote(schema)
        );
        let sql = format!(
            "SELECT h, made FROM (SELECT {digest} AS h, CAST({made} AS text) AS made FROM {table} \
             WHERE {key} IS NOT NULL AND {members}) q WHERE h = ANY($2::text[]) LIMIT {}",
            MAX_HITS + 1
        );
        let digests = search.digests();
        let rows = self.guard.pairs(&sql, hasher.key(), &digests, timeout).await?;
        for (digest, made) in &rows {
            search.meet(digest, made.as_deref());
        }
        Ok(Looked {
            how: "the server hashed the key of every row (pgcrypto)".to_owned(),
            capped: rows.len() > MAX_HITS,
            blind: None,
        })
    }

    /// The keys come here, are hashed, and are dropped.
    async fn streamed(
        &self,
        place: &Place,
        hasher: &Hasher,
        search: &mut Search<'_>,
        timeout: Duration,
    ) -> Result<Looked, Trouble> {
        let rows = self.guard.rows(&place.stream(MAX_KEYS + 1), timeout, Scans::Allowed).await?;
        let many = rows.len() > MAX_KEYS;
        for row in &rows {
            let mut values = row.iter().map(Option::as_deref);
            if let Some(Some(key)) = values.next() {
                search.meet(&hasher.of(key), values.next().flatten());
            }
        }
        let blind = many.then(|| {
            format!("the set has more than {MAX_KEYS} rows, of which so many were looked at; CREATE EXTENSION pgcrypto lets the server hash")
        });
        Ok(Looked { how: format!("the keys of {} rows were read and hashed", rows.len()), capped: many, blind })
    }

    /// The rows of the one person.
    async fn presence(&self, set: &DataSet, person: &Person) -> (Fact<u64>, bool) {
        let limit = usize::try_from(set.measure.limit).unwrap_or(usize::MAX);
        let count = async {
            let key = person.key.as_ref().map_err(Clone::clone)?;
            let place = Place::new(set, Dialect::Postgres).map_err(|why| Trouble::new(Reason::Unsupported, why))?;
            let timeout = set.measure.timeout.time();
            let table = self.guard.table(&set.object, timeout).await?;
            let sql = place.rows_of(key, limit);
            let scans = match self.guard.plan(&sql, true, timeout, self.effort).await? {
                Some(_) => Scans::Off,
                None if table.bytes <= self.effort.small_table => Scans::Allowed,
                None => {
                    return Err(Trouble::new(
                        Reason::Unsupported,
                        "no index on the key answers, and the table is too large to read whole",
                    ));
                }
            };
            number(self.guard.row(&sql, timeout, scans).await?)
        };
        match count.await {
            Ok(rows) => (Fact::Known(rows), rows >= u64::from(set.measure.limit)),
            Err(trouble) => (Fact::unknown(trouble.to_string()), false),
        }
    }

    /// Rows without the row they belong to, along every edge.
    async fn edges(&self) -> Vec<EdgeTraces> {
        let (mut edges, mut found) = declared(&self.wanted.schedule, self.store, Dialect::Postgres);
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
            let counted = match edge.proof.is_empty() {
                true => self.orphans(edge).await,
                false => Ok((0, edge.proof.clone())),
            };
            found.push(edge.counted(counted, LIMIT));
        }
        found
    }

    async fn orphans(&self, edge: &Edge) -> Result<(u64, String), Trouble> {
        let mut indexed = true;
        let mut small = true;
        for side in [&edge.child, &edge.parent] {
            let table = self.guard.table(&Object::Table(side.table.join(".")), CATALOGUE).await?;
            small &= table.bytes <= self.effort.small_table;
            indexed &= self.is_indexed(side).await?;
        }
        if !small && !indexed {
            return Err(Trouble::new(
                Reason::Unsupported,
                "a table is too large to read whole, and the columns of the edge do not both lead an index",
            ));
        }
        let rows = number(self.guard.row(&edge.count(LIMIT), CATALOGUE, Scans::Allowed).await?)?;
        Ok((rows, if indexed { "counted, with an index on both sides" } else { "counted, in small tables" }.to_owned()))
    }

    /// Whether a whole index begins with the column.
    async fn is_indexed(&self, side: &Side) -> Result<bool, Trouble> {
        let (Some(column), [schema, table]) = (side.column(), side.table.as_slice()) else { return Ok(false) };
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n \
             ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] \
             WHERE n.nspname = {} AND c.relname = {} AND a.attname = {} AND i.indisvalid AND i.indisready \
             AND i.indpred IS NULL)",
            literal(schema),
            literal(table),
            literal(column)
        );
        let row = self.guard.row(&sql, CATALOGUE, Scans::Allowed).await?;
        Ok(row.first().is_some_and(|answer| answer.as_deref() == Some("t")))
    }

    /// The foreign keys of the catalogue that touch a table of the schedule.
    async fn catalogue(&self) -> Result<Vec<Edge>, Trouble> {
        let sql = format!(
            "SELECT k.oid, k.conname, cn.nspname, c.relname, pn.nspname, p.relname, k.convalidated, \
             EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled NOT IN ('O', 'A')), \
             ca.attname, pa.attname FROM pg_constraint k \
             JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace \
             JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace \
             CROSS JOIN LATERAL unnest(k.conkey, k.confkey) WITH ORDINALITY AS pair (below, above, n) \
             JOIN pg_attribute ca ON ca.attrelid = k.conrelid AND ca.attnum = pair.below \
             JOIN pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = pair.above \
             WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY cn.nspname, c.relname, k.conname, k.oid, pair.n LIMIT {}",
            MAX_COLUMNS + 1
        );
        let rows = self.guard.rows(&sql, CATALOGUE, Scans::Allowed).await?;
        if rows.len() > MAX_COLUMNS {
            return Err(Trouble::new(Reason::TooLarge, "the database has more foreign keys than are read"));
        }
        let mut keys: BTreeMap<(String, String), Vec<Vec<String>>> = BTreeMap::new();
        for row in rows {
            let row: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
            if let [oid, _, schema, table, ..] = row.as_slice() {
                keys.entry((format!("{schema}.{table}"), oid.clone())).or_default().push(row);
            }
        }
        Ok(keys.into_values().filter_map(|rows| self.foreign_key(&rows)).collect())
    }

    fn foreign_key(&self, rows: &[Vec<String>]) -> Option<Edge> {
        let [_, name, child_schema, child, parent_schema, parent, validated, disabled, ..] = rows.first()?.as_slice()
        else {
            return None;
        };
        let set = |schema: &str, table: &str| set_of(&self.wanted.schedule, self.store, (schema, table), "public");
        let (below, above) = (set(child_schema, child), set(parent_schema, parent));
        if below.is_none() && above.is_none() {
            return None;
        }
        let columns = |place: usize| rows.iter().filter_map(|row| row.get(place).cloned()).collect::<Vec<_>>();
        let side = |set: Option<&DataSet>, schema: &String, table: &String, columns: Vec<String>| Side {
            name: set.map_or_else(|| format!("{schema}.{table}"), |set| set.id.to_string()),
            table: vec![schema.clone(), table.clone()],
            keys: columns.iter().map(|column| quote(column)).collect(),
            columns,
            members: "TRUE".to_owned(),
        };
        let proven = validated == "t" && disabled == "f";
        Some(Edge {
            key: format!("{child_schema}.{child} {name}")
                .chars()
                .filter(|letter| !letter.is_control())
                .take(200)
                .collect(),
            source: "catalogue",
            child: side(below, child_schema, child, columns(8)),
            parent: side(above, parent_schema, parent, columns(9)),
            sensitive: below.is_some_and(DataSet::is_sensitive),
            dialect: Dialect::Postgres,
            proof: if proven { "a validated foreign key, whose triggers are on".to_owned() } else { String::new() },
        })
    }
}

/// Where the count of orphans stops.
const LIMIT: u64 = 1000;

fn number(row: Vec<Option<String>>) -> Result<u64, Trouble> {
    let number = row.into_iter().next().flatten().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "the server's counts are not numbers"))
}
