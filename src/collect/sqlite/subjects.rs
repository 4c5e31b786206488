//! Looking for persons in a file: the erased, rows without the row they belong to, and the one person whose export is
//! looked at. The keys are read here, hashed, and dropped.

use super::{Store, posture};
use crate::collect::traces::{Edge, Erased, Looked, MAX_HITS, Person, Place, Search, Side, Wanted, declared, set_of};
use crate::collect::{CollectContext, Job};
use crate::model::erasure::{EdgeTraces, Presence, SetTraces, Subjects};
use crate::model::retention::expression::{literal, quote};
use crate::model::retention::{DataSet, Dialect};
use crate::model::{Fact, Reason, Trouble};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The most keys that are read of one set.
const MAX_KEYS: usize = 5_000_000;
/// Where the count of orphans stops.
const LIMIT: u64 = 1000;
/// Time for a question about the schema, and for counting along an edge.
const TIME: Duration = Duration::from_secs(5);

/// Looks for everybody who is wanted.
pub fn find(store: &Store, wanted: &Wanted, target: &str) -> Subjects {
    let finder = Finder { store, wanted, target };
    let mut found = Subjects::default();
    if let Some(erased) = &wanted.erased {
        found.sets = wanted.sets(target).into_iter().map(|set| finder.traces(set, erased)).collect();
        found.edges = finder.edges();
    }
    if let Some(person) = &wanted.person {
        found.present =
            wanted.sets_of_person(target, person).into_iter().map(|set| finder.presence(set, person)).collect();
    }
    found
}

/// Looks for these persons and for nothing else.
pub async fn persons(job: &Job, cx: &CollectContext, wanted: &Arc<Vec<Wanted>>) -> Result<Vec<Presence>, Trouble> {
    let path = job.target.connection.path.clone().unwrap_or_else(|| PathBuf::from(&job.target.address));
    let (target, wanted) = (job.target.id.clone(), Arc::clone(wanted));
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let work = tokio::task::spawn_blocking(move || {
        let store = super::enter(&posture::read(&path), &path, told)?;
        Ok(wanted.iter().flat_map(|one| find(&store, one, &target).present).collect())
    });
    let seen = tokio::select! {
        seen = work => seen.unwrap_or_else(|_| Err(Trouble::new(Reason::Internal, "the thread that read the file broke"))),
        () = cx.cancel.cancelled() => Err(Trouble::new(Reason::Interrupted, "stopped by the user")),
        () = tokio::time::sleep(cx.limits.target_time) => {
            Err(Trouble::new(Reason::TimedOut, "the file was not read in time"))
        }
    };
    stop.store(true, Ordering::Relaxed);
    seen
}

struct Finder<'a> {
    store: &'a Store,
    wanted: &'a Wanted,
    target: &'a str,
}

impl Finder<'_> {
    fn traces(&self, set: &DataSet, erased: &Erased) -> SetTraces {
        let mut search = Search::new(&self.wanted.schedule, set, &erased.entries, self.wanted.today);
        let outcome =
            if search.digests().is_empty() { Ok(Looked::default()) } else { self.search(set, erased, &mut search) };
        search.end(outcome)
    }

    fn search(&self, set: &DataSet, erased: &Erased, search: &mut Search<'_>) -> Result<Looked, Trouble> {
        let hasher = erased.hasher.as_ref().map_err(Clone::clone)?;
        let place = self.place(set)?;
        let (mut rows, mut hits) = (0usize, 0usize);
        self.store.each(&place.stream(MAX_KEYS + 1), set.measure.timeout.time(), &mut |row| {
            rows += 1;
            let mut values = row.iter().map(Option::as_deref);
            if let Some(Some(key)) = values.next() {
                let digest = hasher.of(key);
                if search.wants(&digest) {
                    hits += 1;
                    search.meet(&digest, values.next().flatten());
                }
            }
            hits <= MAX_HITS
        })?;
        let blind = (rows > MAX_KEYS)
            .then(|| format!("the set has more than {MAX_KEYS} rows, of which so many were looked at"));
        Ok(Looked { how: format!("the keys of {rows} rows were read and hashed"), capped: hits > MAX_HITS, blind })
    }

    /// The place of a set that is a table of its own.
    fn place(&self, set: &DataSet) -> Result<Place, Trouble> {
        let place = Place::new(set, Dialect::Sqlite).map_err(|why| Trouble::new(Reason::Unsupported, why))?;
        let name = set.object.name();
        self.is_table(name.strip_prefix("main.").unwrap_or(name))?;
        Ok(place)
    }

    /// A view or a virtual table can run anything, and what it shows is not what is stored.
    fn is_table(&self, name: &str) -> Result<(), Trouble> {
        let sql = format!(
            "SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = {} COLLATE NOCASE",
            literal(name)
        );
        match self.store.rows(&sql, TIME)?.first().and_then(|row| row.first()).cloned().flatten().as_deref() {
            Some("table") => Ok(()),
            Some(kind) => {
                let kind: String = kind.chars().filter(|letter| letter.is_ascii_alphabetic()).take(20).collect();
                Err(Trouble::new(Reason::Unsupported, format!("a {kind} is not looked through, only a table is")))
            }
            None => Err(Trouble::new(Reason::Unsupported, "no such table")),
        }
    }

    fn presence(&self, set: &DataSet, person: &Person) -> Presence {
        let limit = u64::from(set.measure.limit);
        let count = || {
            let key = person.key.as_ref().map_err(Clone::clone)?;
            let place = self.place(set)?;
            // A number in a column without a type is no text, so both are compared as texts.
            let place = Place { key: format!("CAST({} AS text)", place.key), ..place };
            let sql = place.rows_of(key, usize::try_from(limit).unwrap_or(usize::MAX));
            self.count(&sql, set.measure.timeout.time())
        };
        let rows: Result<u64, Trouble> = count();
        let capped = rows.as_ref().is_ok_and(|rows| *rows >= limit);
        Presence {
            key: set.id.to_string(),
            rows: rows.map_or_else(|trouble| Fact::unknown(trouble.to_string()), Fact::Known),
            capped,
        }
    }

    fn count(&self, sql: &str, time: Duration) -> Result<u64, Trouble> {
        let row = self.store.row(sql, time)?;
        let number = row.into_iter().next().flatten().and_then(|text| text.parse().ok());
        number.ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "the count is not a number"))
    }

    fn edges(&self) -> Vec<EdgeTraces> {
        let (mut edges, mut found) = declared(&self.wanted.schedule, self.target, Dialect::Sqlite);
        match self.catalogue() {
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
            let count = || {
                for side in [&edge.child, &edge.parent] {
                    self.is_table(side.table.last().map(String::as_str).unwrap_or_default())?;
                }
                // The file is on this machine: the time alone bounds what is read.
                Ok((self.count(&edge.count(LIMIT), TIME)?, "counted within 5 s".to_owned()))
            };
            found.push(edge.counted(count(), LIMIT));
        }
        found
    }

    /// The foreign keys that touch a table of the schedule. SQLite keeps to them only where a connection asks for it, so
    /// that none of them proves anything.
    fn catalogue(&self) -> Result<Vec<Edge>, Trouble> {
        let sql = "SELECT m.name, f.id, f.\"table\", f.\"from\", f.\"to\" FROM sqlite_schema m \
                   JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq";
        let mut keys: BTreeMap<(String, String), Vec<Vec<Option<String>>>> = BTreeMap::new();
        for row in self.store.rows(sql, TIME)? {
            if let [Some(table), Some(id), ..] = row.as_slice() {
                keys.entry((table.clone(), id.clone())).or_default().push(row);
            }
        }
        let mut edges = Vec::new();
        for rows in keys.into_values() {
            edges.extend(self.foreign_key(&rows)?);
        }
        Ok(edges)
    }

    fn foreign_key(&self, rows: &[Vec<Option<String>>]) -> Result<Option<Edge>, Trouble> {
        let Some([Some(child), _, Some(parent), ..]) = rows.first().map(Vec::as_slice) else { return Ok(None) };
        let set = |table: &str| set_of(&self.wanted.schedule, self.target, ("main", table), "main");
        let (below, above) = (set(child), set(parent));
        if below.is_none() && above.is_none() {
            return Ok(None);
        }
        let columns =
            |place: usize| rows.iter().map(|row| row.get(place).cloned().flatten()).collect::<Option<Vec<String>>>();
        let Some(of_child) = columns(3) else { return Ok(None) };
        // Without a column the parent's primary key is meant.
        let of_parent = match columns(4) {
            Some(columns) => columns,
            None => {
                let sql = format!("SELECT name FROM pragma_table_info({}) WHERE pk > 0 ORDER BY pk", literal(parent));
                self.store.rows(&sql, TIME)?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
            }
        };
        let side = |set: Option<&DataSet>, table: &String, columns: &[String]| Side {
            name: set.map_or_else(|| table.clone(), |set| set.id.to_string()),
            table: vec![table.clone()],
            keys: columns.iter().map(|column| quote(column)).collect(),
            columns: Vec::new(),
            members: "TRUE".to_owned(),
        };
        if of_child.len() != of_parent.len() {
            return Err(Trouble::new(Reason::Unsupported, "a foreign key does not fit its parent's columns"));
        }
        let key = format!("{child}.{} -> {parent}.{}", of_child.join(","), of_parent.join(","));
        Ok(Some(Edge {
            key: key.chars().filter(|letter| !letter.is_control()).take(200).collect(),
            source: "catalogue",
            child: side(below, child, &of_child),
            parent: side(above, parent, &of_parent),
            sensitive: below.is_some_and(DataSet::is_sensitive),
            dialect: Dialect::Sqlite,
            proof: String::new(),
        }))
    }
}
