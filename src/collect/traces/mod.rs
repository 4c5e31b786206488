//! Looking for persons in a data set: what is asked of a store, and what its answers mean, whatever the database.
//!
//! The keys of persons pass through here and are dropped; what stays is how many rows there were, and which erasures
//! they belong to.

mod edge;
mod hasher;
mod wanted;

pub use edge::{Edge, Side, declared, set_of};
pub use hasher::Hasher;
pub use wanted::{Erased, Person, Wanted};

use super::census::table_name;
use super::dated::Dated;
use crate::model::erasure::{Entry, SetTraces};
use crate::model::retention::expression::literal;
use crate::model::retention::{Anchor, DataSet, Dialect, Schedule, TimestampType, Zone};
use crate::model::{Fact, Trouble};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// References that are named of one set.
const MAX_REFS: usize = 20;
/// The most rows of erased persons that are looked at.
pub const MAX_HITS: usize = 10_000;

/// A data set and what is asked of it.
pub struct Place {
    /// The table's name in quotes, with its schema where one is given.
    pub table: String,
    /// What says whose row it is.
    pub key: String,
    /// Which rows belong to the set.
    pub members: String,
    /// What tells when a row was made, as text or number; `NULL` where nothing does.
    pub made: String,
    /// Which database reads it.
    pub dialect: Dialect,
}

impl Place {
    /// The place of a set with a subject key.
    ///
    /// # Errors
    /// In words, where the set cannot be looked through in this kind of database.
    pub fn new(set: &DataSet, dialect: Dialect) -> Result<Place, String> {
        let key = set.subject_key.as_ref().ok_or("nothing says whose row it is")?;
        let sql = |expression: &crate::model::retention::Expression| {
            expression.sql(dialect).map_err(|error| error.to_string())
        };
        let made = match &set.timestamp {
            Some(time) if tells_creation(set) => Dated { sql: sql(&time.expr)?, kind: time.kind, dialect }.projection(),
            _ => "NULL".to_owned(),
        };
        Ok(Place {
            table: table_name(&set.object)?.iter().map(|part| dialect.quote(part)).collect::<Vec<_>>().join("."),
            key: sql(&key.expr)?,
            members: match &set.filter {
                Some(filter) => format!("{} IS TRUE", sql(filter)?),
                None => "TRUE".to_owned(),
            },
            made,
            dialect,
        })
    }

    /// Every key, with when its row was made.
    pub fn stream(&self, limit: usize) -> String {
        let Place { table, key, members, made, dialect } = self;
        let text = dialect.text();
        format!(
            "SELECT CAST({key} AS {text}), CAST({made} AS {text}) FROM {table} WHERE {key} IS NOT NULL AND {members} LIMIT {limit}"
        )
    }

    /// The same in the order of a column of whole numbers that no two rows share, after this one, which stands third.
    pub fn page(&self, order: &str, after: Option<i128>, limit: usize) -> String {
        let Place { table, key, members, made, dialect } = self;
        let text = dialect.text();
        let after = after.map(|after| format!(" AND {order} > {after}")).unwrap_or_default();
        format!(
            "SELECT CAST({key} AS {text}), CAST({made} AS {text}), CAST({order} AS {text}) FROM {table} \
             WHERE {key} IS NOT NULL AND {members}{after} ORDER BY {order} LIMIT {limit}"
        )
    }

    /// How many rows one person has whose key is a number, at the most so many.
    pub fn rows_of_number(&self, person: i64, limit: usize) -> String {
        self.rows_equal(&person.to_string(), limit)
    }

    /// How many rows one person has, at the most so many.
    pub fn rows_of(&self, person: &str, limit: usize) -> String {
        self.rows_equal(&literal(person), limit)
    }

    fn rows_equal(&self, person: &str, limit: usize) -> String {
        let Place { table, key, members, .. } = self;
        format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {key} = {person} AND {members} LIMIT {limit}) q")
    }
}

/// Whether the date of a row is that of its making.
fn tells_creation(set: &DataSet) -> bool {
    set.anchor == Anchor::Created || set.timestamp.as_ref().is_some_and(|time| time.kind.proves_creation_only())
}

/// The search for the erased in one data set.
pub struct Search<'a> {
    set: &'a DataSet,
    zone: &'a Zone,
    column: Zone,
    kind: Option<TimestampType>,
    today: Date,
    wanted: BTreeMap<&'a str, &'a Entry>,
    found: Found,
}

#[derive(Default)]
struct Found {
    residual: u64,
    residual_refs: BTreeSet<String>,
    reappeared: u64,
    reappeared_refs: BTreeSet<String>,
    excepted: u64,
    /// Rows of persons who came back, whose age nothing tells.
    untold: u64,
}

impl<'a> Search<'a> {
    /// The search for every erasure that is done and names a person by the set's kind of key.
    pub fn new(schedule: &'a Schedule, set: &'a DataSet, entries: &'a [Entry], today: Date) -> Search<'a> {
        let namespace = set.subject_key.as_ref().map(|key| &key.namespace);
        let done = entries.iter().filter(|entry| entry.is_done(today));
        let wanted = done.filter_map(|entry| Some((entry.subject.get(namespace?)?.as_str(), entry)));
        // Of two erasures of one person the later counts: the first may have been followed by a new registration.
        let mut newest: BTreeMap<&str, &Entry> = BTreeMap::new();
        for (digest, entry) in wanted {
            let known = newest.entry(digest).or_insert(entry);
            if entry.completed_on > known.completed_on {
                *known = entry;
            }
        }
        let time = set.timestamp.as_ref();
        Search {
            set,
            zone: &schedule.time_zone,
            column: time.and_then(|time| time.column_time_zone.clone()).unwrap_or_default(),
            kind: time.map(|time| time.kind),
            today,
            wanted: newest,
            found: Found::default(),
        }
    }

    /// The digests that are looked for.
    pub fn digests(&self) -> Vec<&'a str> {
        self.wanted.keys().copied().collect()
    }

    /// Whether this digest is looked for.
    pub fn wants(&self, digest: &str) -> bool {
        self.wanted.contains_key(digest)
    }

    /// Takes a row of this digest, with when it was made.
    pub fn meet(&mut self, digest: &str, made: Option<&str>) {
        let Some(entry) = self.wanted.get(digest) else { return };
        if entry.is_excepted(&self.set.id, self.today) {
            self.found.excepted += 1;
            return;
        }
        let made = made.zip(self.kind).and_then(|(made, kind)| kind.day_of(made, &self.column, self.zone));
        let newer = made.zip(entry.completed_on).is_some_and(|(made, erased)| made > erased);
        match (entry.re_registered_on, made) {
            // The person came back of their own will, and the row is of after that.
            (Some(back), Some(made)) if made >= back => {}
            (Some(_), None) => self.found.untold += 1,
            _ if newer => {
                self.found.reappeared += 1;
                self.found.reappeared_refs.insert(entry.reference.clone());
            }
            _ => {
                self.found.residual += 1;
                self.found.residual_refs.insert(entry.reference.clone());
            }
        }
    }

    /// What was found, or why it was not looked for.
    pub fn end(self, outcome: Result<Looked, Trouble>) -> SetTraces {
        let refs = |refs: BTreeSet<String>| refs.into_iter().take(MAX_REFS).collect();
        let entries = u64::try_from(self.wanted.len()).unwrap_or(u64::MAX);
        let Found { residual, residual_refs, reappeared, reappeared_refs, excepted, untold } = self.found;
        let (looked, trouble) = match outcome {
            Ok(looked) => (looked, None),
            Err(trouble) => (Looked::default(), Some(trouble.to_string())),
        };
        let why = if entries == 0 {
            Some("no erasure that is done names a person by this kind of key".to_owned())
        } else {
            trouble.or(looked.blind)
        };
        // What was found proves itself; that nothing more is there is shown by a whole look alone.
        let count = |rows: u64, also: Option<&str>| match (&why, also) {
            (Some(why), _) if rows == 0 => Fact::unknown(why.clone()),
            (None, Some(also)) if rows == 0 => Fact::unknown(also),
            _ => Fact::Known(rows),
        };
        let untold =
            (untold > 0).then_some("rows of persons who came back are there, and nothing tells when they were made");
        let undated = (self.kind.is_none() || !tells_creation(self.set)).then_some(
            "nothing tells when a row was made, so that one that came back is not told from one that was left",
        );
        SetTraces {
            key: self.set.id.to_string(),
            entries,
            residual: count(residual, untold),
            residual_refs: refs(residual_refs),
            reappeared: count(reappeared, untold.or(undated.filter(|_| residual > 0))),
            reappeared_refs: refs(reappeared_refs),
            excepted,
            capped: looked.capped,
            how: looked.how,
        }
    }
}

/// How a set was looked through.
#[derive(Clone, Debug, Default)]
pub struct Looked {
    /// In words.
    pub how: String,
    /// There may be more rows of the erased than were taken.
    pub capped: bool,
    /// Why rows may have been missed.
    pub blind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schedule(anchor: &str) -> Schedule {
        serde_json::from_value(json!({ "data_sets": [{
            "id": "visitors", "store": "s", "object": { "table": "visitors" }, "kind": "primary",
            "data_categories": ["contact"], "subject_categories": ["visitor"], "anchor": anchor, "max_age": "9 months",
            "timestamp": { "expr": "made_at", "type": "iso8601_utc_text" },
            "subject_key": { "expr": "email", "namespace": "email" }, "action": "delete",
            "legal_basis": { "article": "a", "purpose": "p" }, "mechanism": { "type": "job" },
        }] }))
        .unwrap()
    }

    fn entry(reference: &str, digit: &str, more: serde_json::Value) -> Entry {
        let mut entry = json!({ "ref": reference, "subject": { "email": digit.repeat(64) }, "requested_on": "2026-01-01",
            "due_on": "2026-02-01", "completed_on": "2026-01-10", "outcome": "erased" });
        for (key, value) in more.as_object().unwrap() {
            entry[key] = value.clone();
        }
        serde_json::from_value(entry).unwrap()
    }

    fn look(
        anchor: &str,
        entries: &[Entry],
        rows: &[(&str, Option<&str>)],
        outcome: Result<Looked, Trouble>,
    ) -> SetTraces {
        let schedule = schedule(anchor);
        let today = "2026-11-25".parse().unwrap();
        let mut search = Search::new(&schedule, &schedule.data_sets[0], entries, today);
        for (digit, made) in rows {
            search.meet(&digit.repeat(64), *made);
        }
        search.end(outcome)
    }

    #[test]
    fn what_was_left_and_what_came_back_are_told_apart() {
        let entries = [
            entry("E-1", "1", json!({})),
            entry(
                "E-2",
                "2",
                json!({ "exceptions": [{ "data_set": "visitors", "ground": "17(3)(b)", "until": "2027-01-01" }] }),
            ),
            entry(
                "E-3",
                "3",
                json!({ "exceptions": [{ "data_set": "visitors", "ground": "17(3)(b)", "until": "2026-11-24" }] }),
            ),
            entry("E-4", "4", json!({ "re_registered_on": "2026-03-01" })),
            entry("E-5", "5", json!({ "outcome": "refused" })),
        ];
        let rows = [
            ("1", Some("2025-05-05T00:00:00Z")),
            ("1", Some("2026-05-05T00:00:00Z")),
            ("2", Some("2025-05-05T00:00:00Z")),
            ("3", None),
            ("4", Some("2026-03-01T10:00:00Z")),
            ("4", Some("2026-02-01T10:00:00Z")),
            ("5", Some("2025-05-05T00:00:00Z")),
            ("9", Some("2025-05-05T00:00:00Z")),
        ];
        let seen = look("created", &entries, &rows, Ok(Looked::default()));
        assert_eq!(
            (seen.entries, &seen.residual, &seen.reappeared, seen.excepted),
            (4, &Fact::Known(2), &Fact::Known(2), 1)
        );
        assert_eq!(seen.residual_refs, ["E-1", "E-3"]);
        assert_eq!(seen.reappeared_refs, ["E-1", "E-4"]);
    }

    #[test]
    fn nothing_found_is_known_only_after_a_whole_look() {
        let entries = [entry("E-1", "1", json!({}))];
        let late = || Err(Trouble::new(crate::model::Reason::TimedOut, "too slow"));
        assert_eq!(look("created", &entries, &[], Ok(Looked::default())).residual, Fact::Known(0));
        assert_eq!(look("created", &entries, &[], late()).residual.known(), None);
        assert_eq!(look("created", &entries, &[("1", None)], late()).residual, Fact::Known(1));
        let blind = Looked { blind: Some("too many rows".to_owned()), ..Looked::default() };
        assert_eq!(look("created", &entries, &[], Ok(blind)).residual.known(), None);
        assert_eq!(look("created", &[], &[], Ok(Looked::default())).residual.known(), None, "nobody was looked for");
    }

    #[test]
    fn rows_without_a_day_of_making_are_left_and_not_back() {
        let entries = [entry("E-1", "1", json!({})), entry("E-4", "4", json!({ "re_registered_on": "2026-03-01" }))];
        // A row that was last seen after the erasure may have been there all the time; Place selects no date of it.
        let seen = look("last_seen", &entries, &[("1", None)], Ok(Looked::default()));
        assert_eq!((&seen.residual, seen.reappeared.known()), (&Fact::Known(1), None));
        let seen = look("last_seen", &entries, &[("4", None)], Ok(Looked::default()));
        assert_eq!((seen.residual.known(), seen.reappeared.known()), (None, None));
    }

    #[test]
    fn statements_name_columns_in_quotes_and_persons_as_texts() {
        let schedule = schedule("created");
        let place = Place::new(&schedule.data_sets[0], Dialect::Sqlite).unwrap();
        assert_eq!(
            place.stream(5),
            "SELECT CAST(\"email\" AS text), CAST(\"made_at\" AS text) FROM \"visitors\" WHERE \"email\" IS NOT NULL AND TRUE LIMIT 5"
        );
        assert!(place.rows_of("o'neill", 7).contains("\"email\" = 'o''neill'"));
    }
}
