//! The questions that a measuring asks about a data set, and what their answers mean, whatever the database.
//!
//! Every answer is a count or the oldest date: no value of a person is ever selected.

mod draw;
mod facts;
mod meter;
mod outcome;
mod question;

use super::dated::Dated;
use crate::model::retention::expression::literal;
use crate::model::retention::{
    Action, Cutoff, DataSet, Dialect, Expression, Object, Schedule, Scope, TimestampType, Zone,
};
pub use draw::{TRIES, draws, enough};
pub use facts::{rule_of_three, unmeasured};
use jiff::{SignedDuration, Timestamp};
pub use meter::Meter;
pub use outcome::{Counted, Outcome, Whole};
pub use question::{Oldest, Question, Topic};
use std::collections::BTreeMap;

/// The questions about one data set.
pub struct Census<'a> {
    set: &'a DataSet,
    cutoff: Cutoff,
    soft: Option<Cutoff>,
    kind: TimestampType,
    column: Zone,
    /// The table's name in quotes, with its schema where one is given.
    pub table: String,
    /// Which rows belong to the set.
    pub members: String,
    /// The counts.
    pub questions: Vec<Question>,
    /// The oldest rows.
    pub oldest: Vec<Oldest>,
    /// The bare column that dates the rows, if it is one.
    pub date_column: Option<String>,
    notes: Vec<String>,
    unmatched_hold: bool,
}

/// `schema.name` or `name`, quoted part by part.
pub fn table_name(object: &Object) -> Result<Vec<String>, String> {
    let Object::Table(name) = object else { return Err("only tables can be measured in this store".to_owned()) };
    let parts: Vec<String> = name.split('.').map(str::to_owned).collect();
    let fits = |part: &String| !part.is_empty() && part.len() <= 128 && !part.chars().any(char::is_control);
    if parts.len() <= 2 && parts.iter().all(fits) { Ok(parts) } else { Err(format!("`{name}` names no table")) }
}

impl<'a> Census<'a> {
    /// The questions about this set at this instant.
    ///
    /// # Errors
    /// In words, where the set cannot be measured in this kind of database.
    pub fn new(
        schedule: &Schedule,
        set: &'a DataSet,
        dialect: Dialect,
        as_of: Timestamp,
    ) -> Result<Census<'a>, String> {
        let time = set.timestamp.as_ref().ok_or("only the mechanism is declared, nothing dates a row")?;
        if time.kind == TimestampType::Timestamptz && dialect == Dialect::Sqlite {
            return Err(
                "SQLite has no type timestamptz: declare iso8601_utc_text, timestamp, date or an epoch".to_owned()
            );
        }
        if time.kind == TimestampType::Expr && dialect == Dialect::Sqlite {
            return Err("the type `expr` gives an instant, which SQLite does not have: declare the type of its values"
                .to_owned());
        }
        if let Some(replica) = &set.measure.replica {
            return Err(format!("the schedule wants it measured on `{replica}`, which is not this store"));
        }
        let out_of_range = |error: crate::model::retention::OutOfRange| error.to_string();
        let cutoff = Cutoff::new(as_of, &schedule.time_zone, &set.max_age, &set.grace).map_err(out_of_range)?;
        let soft = set.soft_delete.as_ref();
        let soft_cutoff = soft
            .map(|soft| Cutoff::new(as_of, &schedule.time_zone, &soft.max_age, &Default::default()))
            .transpose()
            .map_err(out_of_range)?;
        let mut notes = Vec::new();
        if time.kind == TimestampType::Timestamp && time.column_time_zone.is_none() {
            notes.push("no column_time_zone is declared: the wall clock was taken for UTC".to_owned());
        }
        let table = table_name(&set.object)?.iter().map(|part| dialect.quote(part)).collect::<Vec<_>>().join(".");
        let mut census = Census {
            set,
            cutoff,
            soft: soft_cutoff,
            kind: time.kind,
            column: time.column_time_zone.clone().unwrap_or_default(),
            table,
            members: "TRUE".to_owned(),
            questions: Vec::new(),
            oldest: Vec::new(),
            date_column: time.expr.column(dialect),
            notes,
            unmatched_hold: false,
        };
        let late =
            as_of.checked_add(SignedDuration::try_from(schedule.clock_skew_tolerance.time()).unwrap_or_default());
        census.ask(dialect, late.map_err(|error| error.to_string())?)?;
        Ok(census)
    }

    fn ask(&mut self, dialect: Dialect, late: Timestamp) -> Result<(), String> {
        let set = self.set;
        let time = set.timestamp.as_ref().ok_or("nothing dates a row")?;
        let sql = |expression: &Expression| expression.sql(dialect).map_err(|error| error.to_string());
        let column = self.column.clone();
        let dated =
            |expression: &Expression| Ok::<_, String>(Dated { sql: sql(expression)?, kind: time.kind, dialect });
        let main = dated(&time.expr)?;
        let fallback = time.fallback.as_ref().map(&dated).transpose()?;
        let soft = set.soft_delete.as_ref().map(|soft| dated(&soft.expr)).transpose()?;
        if let Some(filter) = &set.filter {
            self.members = format!("{} IS TRUE", sql(filter)?);
        }
        let live = soft.as_ref().map_or("TRUE".to_owned(), |soft| format!("{} IS NULL", soft.sql));
        let unclean = unclean(set, dialect)?;
        let (held, free) = self.holds(dialect)?;
        let zone = &self.cutoff.zone;
        let late_day = zone.rules().to_datetime(late).date().tomorrow().unwrap_or(jiff::civil::Date::MAX);
        // Dates are whole days: the first that is surely in the future is the one after the tolerance's.
        let late_bound =
            time.kind.bound(late.checked_add(SignedDuration::from_secs(1)).unwrap_or(late), late_day, &column);
        // The groups of rows, each dated by one expression.
        let mut groups = vec![(&main, format!("{} AND {live}", self.members), &self.cutoff, false)];
        if let Some(fallback) = &fallback {
            groups.push((
                fallback,
                format!("{} AND {live} AND {} IS NULL", self.members, main.sql),
                &self.cutoff,
                false,
            ));
        }
        if let (Some(soft), Some(cutoff)) = (&soft, &self.soft) {
            groups.push((soft, self.members.clone(), cutoff, true));
        }
        let mut found: BTreeMap<Topic, Question> = BTreeMap::new();
        let mut oldest = Vec::new();
        let mut add = |topic: Topic, predicate: String, by_index: Option<Vec<String>>, blind: Option<&'static str>| {
            let question = found.entry(topic.clone()).or_insert_with(|| Question {
                topic,
                predicates: Vec::new(),
                by_index: Vec::new(),
                blind: None,
            });
            question.by_index.extend(by_index.unwrap_or_else(|| vec![predicate.clone()]));
            question.predicates.push(predicate);
            question.blind = question.blind.or(blind);
        };
        for topic in [Topic::Violating, Topic::Held, Topic::Undatable, Topic::Future] {
            // Each topic is asked about, even where nothing can be in it.
            add(topic, "FALSE".to_owned(), Some(Vec::new()), None);
        }
        for (date, members, cutoff, is_soft) in groups {
            let bound = time.kind.bound(cutoff.instant, cutoff.day, &column);
            let past = format!("{} AND {} AND {members} AND {unclean}", date.before(&bound), date.is_dated());
            add(Topic::Violating, format!("({past} AND {free})"), None, None);
            if is_soft {
                add(Topic::SoftDeleted, format!("({past} AND {free})"), None, None);
            }
            if let Some(held) = &held {
                add(Topic::Held, format!("({past} AND {held})"), None, None);
            }
            let future = format!("({} AND {} AND {members})", date.from(&late_bound), date.is_dated());
            add(Topic::Future, future, None, None);
            for (name, sentinel) in date.sentinels() {
                let predicate = format!("({sentinel} AND {members} AND {unclean})");
                add(Topic::Sentinel(name), predicate.clone(), None, None);
                add(Topic::Undatable, predicate, None, None);
            }
            if let Some((shape, ranges, blind)) = date.shape() {
                let whole = format!("({} IS NOT NULL AND NOT {shape} AND {members} AND {unclean})", date.sql);
                let ranges = ranges.iter().map(|range| format!("({range} AND {members} AND {unclean})")).collect();
                add(Topic::Undatable, whole, Some(ranges), blind);
            }
            let predicate = format!("({} AND {members} AND {unclean} AND {free})", date.is_dated());
            oldest.push(Oldest { projection: date.projection(), order: date.sql.clone(), predicate, soft: is_soft });
        }
        let undated = fallback.as_ref().map_or(String::new(), |fallback| format!(" AND {} IS NULL", fallback.sql));
        let nothing = format!("({} IS NULL{undated} AND {} AND {live} AND {unclean})", main.sql, self.members);
        add(Topic::Undatable, nothing, None, None);
        if let Some(fallback) = &fallback {
            let by_second =
                format!("({} IS NULL AND {} AND {} AND {live})", main.sql, fallback.is_dated(), self.members);
            add(Topic::FallbackDated, by_second, None, None);
        }
        self.questions = found.into_values().collect();
        self.oldest = oldest;
        Ok(())
    }

    /// Predicates of the rows that a hold in force keeps, and of those that none keeps.
    fn holds(&mut self, dialect: Dialect) -> Result<(Option<String>, String), String> {
        let mut kept = Vec::new();
        for hold in self.set.holds.iter().filter(|hold| hold.in_force(self.cutoff.today)) {
            match &hold.scope {
                Scope::Predicate(predicate) => {
                    let sql = predicate.sql(dialect).map_err(|error| error.to_string())?;
                    kept.push(format!("({sql}) IS TRUE"));
                }
                Scope::Subjects(_) => self.unmatched_hold = true,
            }
        }
        if kept.is_empty() {
            return Ok((None, "TRUE".to_owned()));
        }
        let any = kept.join(" OR ");
        Ok((Some(format!("({any})")), format!("NOT ({any})")))
    }
}

/// A predicate of the rows that still hold a person: of those past their time, only these are too many.
fn unclean(set: &DataSet, dialect: Dialect) -> Result<String, String> {
    let key = set.subject_key.iter().map(|key| (&key.expr, &key.anonymised_as));
    let columns: Vec<_> = key.chain(set.personal_columns.iter().map(|c| (&c.expr, &c.anonymised_as))).collect();
    if set.action != Action::Anonymise || columns.is_empty() {
        return Ok("TRUE".to_owned());
    }
    let mut filled = Vec::new();
    for (expr, blank) in columns {
        let sql = expr.sql(dialect).map_err(|error| error.to_string())?;
        filled.push(match blank {
            None => format!("{sql} IS NOT NULL"),
            Some(blank) => {
                let escaped = blank.replace('!', "!!").replace('%', "!%").replace('_', "!_").replace('*', "%");
                let pattern = literal(&escaped);
                format!("({sql} IS NOT NULL AND NOT (CAST({sql} AS {}) LIKE {pattern} ESCAPE '!'))", dialect.text())
            }
        });
    }
    Ok(format!("({})", filled.join(" OR ")))
}
