//! The questions that a measuring asks about a data set, and what their answers mean, whatever the database.
//!
//! Every answer is a count or the oldest date: no value of a person is ever selected.

use crate::model::Fact;
use crate::model::retention::expression::{literal, quote};
use crate::model::retention::{
    Action, Bound, Cutoff, DataSet, Dialect, Expression, Measured, Object, Sampled, Schedule, Scope, Sentinel,
    Strategy, TimestampType, Zone,
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// What is counted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// Rows past their time.
    Violating,
    /// Those of them that are marked as deleted.
    SoftDeleted,
    /// Rows past their time that a hold keeps.
    Held,
    /// Rows that cannot be dated.
    Undatable,
    /// Rows with this date that stands for none.
    Sentinel(&'static str),
    /// Rows dated in the future.
    Future,
    /// Rows that the second expression dates.
    FallbackDated,
}

/// One count: the rows for which any of the predicates is true. No row is in two of them.
#[derive(Clone, Debug)]
pub struct Question {
    /// What is counted.
    pub topic: Topic,
    /// The predicates.
    pub predicates: Vec<String>,
    /// Predicates in the place of those, where only an index is read.
    pub by_index: Vec<String>,
    /// Why those do not find every row.
    pub blind: Option<&'static str>,
}

/// The oldest row of those dated by one expression.
#[derive(Clone, Debug)]
pub struct Oldest {
    /// What is selected: the date, or the part of an id that tells it.
    pub projection: String,
    /// What it is ordered by.
    pub order: String,
    /// Of which rows.
    pub predicate: String,
    soft: bool,
}

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

/// A count as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// How many.
    pub rows: u64,
    /// There may be more.
    pub capped: bool,
    /// Why rows may have been missed.
    pub blind: Option<String>,
}

/// What a measuring gave.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it was done.
    pub strategy: Strategy,
    /// The counts.
    pub counts: BTreeMap<Topic, Counted>,
    /// The oldest date of each entry in [`Census::oldest`].
    pub oldest: Vec<Option<String>>,
    /// Rows of the object.
    pub total: Fact<u64>,
    /// The sample, where one was drawn.
    pub sampled: Option<Sampled>,
    /// The query that counted.
    pub query: String,
    /// How it was run.
    pub plan: String,
}

/// A date expression in one dialect.
struct Dated {
    sql: String,
    kind: TimestampType,
    dialect: Dialect,
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
        let table = table_name(&set.object)?.iter().map(|part| quote(part)).collect::<Vec<_>>().join(".");
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

    /// One statement that answers everything by reading every row: the counts, the members, the oldest dates, and
    /// what else is asked.
    pub fn whole(&self, from: &str, more: &[&str]) -> String {
        let counts = self
            .questions
            .iter()
            .map(|question| format!("count(*) FILTER (WHERE {})", question.predicates.join(" OR ")));
        let members = format!("count(*) FILTER (WHERE {})", self.members);
        let oldest =
            self.oldest.iter().map(|oldest| format!("min({}) FILTER (WHERE {})", oldest.projection, oldest.predicate));
        let columns: Vec<String> =
            counts.chain([members]).chain(oldest).chain(more.iter().map(|more| (*more).to_owned())).collect();
        format!("SELECT {} FROM {from}", columns.join(", "))
    }

    /// The answer to [`Census::whole`]: the counts, the members, the oldest dates.
    pub fn read_whole(&self, row: &[Option<String>]) -> Option<(BTreeMap<Topic, Counted>, u64, Vec<Option<String>>)> {
        let number = |place: usize| row.get(place)?.as_deref()?.parse::<u64>().ok();
        let mut counts = BTreeMap::new();
        for (place, question) in self.questions.iter().enumerate() {
            counts.insert(question.topic.clone(), Counted { rows: number(place)?, ..Counted::default() });
        }
        let members = number(self.questions.len())?;
        let oldest = row.get(self.questions.len() + 1..)?.get(..self.oldest.len())?.to_vec();
        Some((counts, members, oldest))
    }

    /// A count that stops at the limit.
    pub fn bounded(&self, predicate: &str) -> String {
        let limit = self.limit();
        format!("SELECT count(*) FROM (SELECT 1 FROM {} WHERE {predicate} LIMIT {limit}) q", self.table)
    }

    /// The oldest row, by an index.
    pub fn first(&self, oldest: &Oldest) -> String {
        let Oldest { projection, order, predicate, .. } = oldest;
        format!("SELECT {projection} FROM {} WHERE {predicate} ORDER BY {order} LIMIT 1", self.table)
    }

    /// Where a count stops.
    pub fn limit(&self) -> u64 {
        self.set.measure.limit.into()
    }

    /// The facts of an outcome, or of none for a reason.
    pub fn measured(&self, outcome: Result<Outcome, String>) -> Measured {
        let mut facts = unmeasured(self.set, &self.cutoff.zone, self.cutoff.as_of, "not measured");
        facts.notes = self.notes.clone();
        match outcome {
            Ok(outcome) => self.fill(&mut facts, &outcome),
            Err(reason) => blank(&mut facts, &reason),
        }
        facts
    }

    fn fill(&self, facts: &mut Measured, outcome: &Outcome) {
        facts.strategy = outcome.strategy;
        facts.total_estimate = outcome.total.clone();
        facts.query = outcome.query.clone();
        facts.plan = outcome.plan.clone();
        facts.exact = outcome.sampled.is_none();
        let sampled = outcome.sampled.clone().unwrap_or_default();
        let clean = outcome.sampled.is_some() && sampled.violating == 0;
        let accept = self.set.measure.accept_rate.unwrap_or(0.0);
        facts.accepted_by_sample =
            clean && sampled.rate_bound_ppm > 0 && sampled.rate_bound_ppm as f64 <= accept * 1_000_000.0;
        let of = |topic: Topic| self.fact(outcome.counts.get(&topic), outcome, facts.accepted_by_sample);
        let absent = |topic: &Topic| !self.questions.iter().any(|question| question.topic == *topic);
        let none_or = |topic: Topic| if absent(&topic) { Fact::Known(0) } else { of(topic) };
        let (violating, held) = (of(Topic::Violating), of(Topic::Held));
        let (undatable, future) = (of(Topic::Undatable), of(Topic::Future));
        facts.soft_deleted = none_or(Topic::SoftDeleted);
        facts.fallback_dated = none_or(Topic::FallbackDated);
        facts.capped = outcome.counts.get(&Topic::Violating).is_some_and(|counted| counted.capped);
        facts.sentinels = outcome
            .counts
            .iter()
            .filter_map(|(topic, counted)| match topic {
                Topic::Sentinel(value) if counted.rows > 0 => {
                    Some(Sentinel { value: (*value).to_owned(), rows: counted.rows })
                }
                _ => None,
            })
            .collect();
        (facts.violating, facts.held, facts.undatable, facts.future) = (violating, held, undatable, future);
        if self.unmatched_hold && facts.violating.known().is_some_and(|rows| *rows > 0) {
            facts.violating = Fact::unknown("rows are past their time, and a hold by a list of subjects may keep them");
        }
        self.date(facts, outcome);
        facts.summary = summary(facts, &sampled);
        facts.sampled = sampled;
    }

    fn fact(&self, counted: Option<&Counted>, outcome: &Outcome, accepted: bool) -> Fact<u64> {
        let Some(counted) = counted else { return Fact::unknown("not counted") };
        match (&counted.blind, &outcome.sampled) {
            (Some(reason), _) if counted.rows == 0 => Fact::unknown(reason),
            (_, Some(sampled)) if counted.rows == 0 && !accepted => Fact::unknown(bound_words(sampled)),
            _ => Fact::Known(counted.rows),
        }
    }

    /// The oldest day, by how much it is past its time, and what that weighs.
    fn date(&self, facts: &mut Measured, outcome: &Outcome) {
        let days: Vec<_> = self
            .oldest
            .iter()
            .zip(&outcome.oldest)
            .filter_map(|(oldest, value)| {
                let day = self.kind.day_of(value.as_deref()?, &self.column, &self.cutoff.zone)?;
                let cutoff = if oldest.soft { self.soft.as_ref()? } else { &self.cutoff };
                Some((cutoff.overdue_days(day), day, cutoff))
            })
            .collect();
        let readable = outcome.oldest.len() == self.oldest.len()
            && days.len() == outcome.oldest.iter().filter(|value| value.is_some()).count();
        let violated = facts.violating.known().is_some_and(|rows| *rows > 0);
        if violated && days.iter().any(|(_, day, cutoff)| cutoff.is_far_overdue(*day)) {
            facts.severity = if facts.sensitive { "critical" } else { "high" }.to_owned();
        }
        let oldest = days.iter().map(|(_, day, _)| *day).min();
        match (outcome.strategy, readable, oldest) {
            (Strategy::Sample, ..) => {
                facts.oldest_day = Fact::unknown("a sample does not show the oldest row");
                facts.overdue_days = Fact::unknown("a sample does not show the oldest row");
            }
            (_, true, Some(oldest)) => {
                facts.oldest_day = Fact::Known(oldest.to_string());
                facts.overdue_days = Fact::Known(days.iter().map(|(overdue, ..)| *overdue).max().unwrap_or(0));
            }
            (_, true, None) => {
                facts.oldest_day = Fact::unknown("no row can be dated");
                facts.overdue_days = Fact::Known(0);
            }
            _ => {
                facts.oldest_day = Fact::unknown("the oldest row was not found");
                facts.overdue_days = Fact::unknown("the oldest row was not found");
            }
        }
    }
}

/// A clean sample in words.
fn bound_words(sampled: &Sampled) -> String {
    let drawn = if sampled.unit == "pages" { sampled.pages } else { sampled.rows };
    if sampled.rate_bound_ppm == 0 {
        return format!("the sample drew no {}", sampled.unit);
    }
    format!(
        "none in a sample of {drawn} {}: at most {}.{:04} % of {} have one, at 95 % confidence",
        sampled.unit,
        sampled.rate_bound_ppm / 10_000,
        sampled.rate_bound_ppm % 10_000,
        sampled.unit
    )
}

/// The rule of three in parts of a million: what a clean sample of so many leaves open; 0 for no sample.
pub fn rule_of_three(drawn: u64) -> u64 {
    if drawn == 0 { 0 } else { (3_000_000u64.div_ceil(drawn)).clamp(1, 1_000_000) }
}

fn summary(facts: &Measured, sampled: &Sampled) -> String {
    match &facts.violating {
        Fact::Unknown(why) => why.unknown.clone(),
        Fact::Known(0) if facts.accepted_by_sample => format!("{}, which the schedule accepts", bound_words(sampled)),
        Fact::Known(0) if facts.total_estimate == Fact::Known(0) => "no rows".to_owned(),
        Fact::Known(rows) => {
            let at_least = if facts.capped || !facts.exact { "at least " } else { "" };
            let age = facts.overdue_days.known().filter(|days| **days > 0);
            let age = age.map(|days| format!(", the oldest by {days} days")).unwrap_or_default();
            let noun = if *rows == 1 { "row" } else { "rows" };
            format!("{at_least}{rows} {noun} past {}{age}", facts.max_age)
        }
    }
}

/// The facts of a set that was not measured.
pub fn unmeasured(set: &DataSet, zone: &Zone, as_of: Timestamp, reason: &str) -> Measured {
    let cutoff = Cutoff::new(as_of, zone, &set.max_age, &set.grace);
    let of = |read: fn(&Cutoff) -> String| cutoff.as_ref().map(read).unwrap_or_default();
    let basis = &set.legal_basis;
    let reference = set.mechanism.reference.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let mut facts = Measured {
        id: set.id.to_string(),
        object: set.object.name().to_owned(),
        anchor: set.anchor.word().to_owned(),
        max_age: set.max_age.to_string(),
        grace: set.grace.to_string(),
        time_zone: zone.to_string(),
        as_of_day: of(|cutoff| cutoff.today.to_string()),
        cutoff_day: of(|cutoff| cutoff.day.to_string()),
        cutoff_utc: of(|cutoff| cutoff.instant.to_string()),
        strategy: Strategy::None,
        exact: false,
        violating: Fact::Known(0),
        capped: false,
        severity: if set.is_sensitive() { "high" } else { "medium" }.to_owned(),
        sampled: Sampled::default(),
        accepted_by_sample: false,
        undatable: Fact::Known(0),
        sentinels: Vec::new(),
        future: Fact::Known(0),
        held: Fact::Known(0),
        soft_deleted: Fact::Known(0),
        fallback_dated: Fact::Known(0),
        oldest_day: Fact::unknown(reason),
        overdue_days: Fact::Known(0),
        total_estimate: Fact::Known(0),
        sensitive: set.is_sensitive(),
        action: set.action.word().to_owned(),
        legal_basis: format!("{}: {}", basis.article, basis.purpose),
        mechanism: format!("{}{reference}", set.mechanism.kind.word()),
        query: String::new(),
        plan: String::new(),
        notes: Vec::new(),
        summary: reason.to_owned(),
    };
    blank(&mut facts, reason);
    facts
}

/// Makes every count unknown for this reason.
fn blank(facts: &mut Measured, reason: &str) {
    for count in [
        &mut facts.violating,
        &mut facts.undatable,
        &mut facts.future,
        &mut facts.held,
        &mut facts.soft_deleted,
        &mut facts.fallback_dated,
        &mut facts.total_estimate,
    ] {
        *count = Fact::unknown(reason);
    }
    facts.oldest_day = Fact::unknown(reason);
    facts.overdue_days = Fact::unknown(reason);
    facts.summary = reason.to_owned();
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
                format!("({sql} IS NOT NULL AND NOT (CAST({sql} AS text) LIKE {pattern} ESCAPE '!'))")
            }
        });
    }
    Ok(format!("({})", filled.join(" OR ")))
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
        }
    }

    fn text(&self, text: &str) -> String {
        self.value(&Bound::Text(text.to_owned()))
    }

    fn before(&self, bound: &Bound) -> String {
        format!("{} < {}", self.sql, self.value(bound))
    }

    fn from(&self, bound: &Bound) -> String {
        format!("{} >= {}", self.sql, self.value(bound))
    }

    /// True where the value tells a time; never unknown where there is a value.
    fn is_dated(&self) -> String {
        let mut conditions = vec![format!("{} IS NOT NULL", self.sql)];
        conditions.extend(self.shape().map(|(shape, ..)| shape));
        conditions.extend(self.sentinels().into_iter().map(|(_, sentinel)| format!("NOT {sentinel}")));
        format!("({})", conditions.join(" AND "))
    }

    /// Dates that stand for none. No value is in two of them.
    fn sentinels(&self) -> Vec<(&'static str, String)> {
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
    fn shape(&self) -> Option<(String, Vec<String>, Option<&'static str>)> {
        const BLIND: &str = "the index does not show texts that are no dates of the declared form";
        let sql = &self.sql;
        match self.dialect {
            Dialect::Postgres => {
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
                Some((format!("(CAST({sql} AS text) COLLATE \"C\" ~ {})", literal(pattern)), Vec::new(), Some(BLIND)))
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
    fn projection(&self) -> String {
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
        }
    }
}
