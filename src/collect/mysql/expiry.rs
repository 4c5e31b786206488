//! The automatic means by which rows expire: events of the server's own scheduler.
//!
//! The body of an event is read to see which table it is about, and is never kept: it can hold anything.

use super::retention::Place;
use super::session::Session;
use super::settings::Settings;
use super::table::place;
use crate::collect::answer::{Row, clean, number};
use crate::collect::command::expires;
use crate::collect::declared;
use crate::model::retention::{DataSet, Measured, MechanismFacts, MechanismKind};
use crate::model::{Fact, Trouble};
use jiff::{SignedDuration, Timestamp};

/// The most events that are read.
const EVENTS: usize = 1000;

/// What the server has that makes rows expire.
pub(super) struct Means(Result<Scheduler, String>);

/// The events that the account sees.
struct Scheduler {
    is_on: Fact<bool>,
    events: Vec<Event>,
    /// Why there may be more, with what would show them.
    hidden: Option<String>,
}

struct Event {
    schema: String,
    name: String,
    status: String,
    /// Its interval, or none for an event that runs once.
    interval: Option<(String, String)>,
    /// When it last began.
    began: Option<Timestamp>,
    body: String,
}

impl Means {
    /// Reads the events.
    pub(super) async fn read(session: &Session<'_>, settings: &Result<Settings, Trouble>) -> Means {
        Means(Scheduler::read(session, settings).await)
    }

    /// What there is for this set, of which so much was measured.
    pub(super) fn of(&self, set: &DataSet, at: Place<'_>, measured: &Measured) -> MechanismFacts {
        match set.mechanism.kind {
            MechanismKind::Manual => return declared::mechanism(set, ""),
            MechanismKind::Job | MechanismKind::PartitionDrop => {}
            other => {
                return declared::mechanism(set, format!("this store has no means of the kind {}", other.word()));
            }
        }
        let Ok((schema, table)) = place(set, at.default_schema) else {
            return declared::mechanism(set, "the object is not a table that is named with its schema");
        };
        let scheduler = match &self.0 {
            Ok(scheduler) => scheduler,
            Err(why) => return declared::mechanism(set, why),
        };
        match scheduler.event_of(set, &schema, &table) {
            Some(event) => scheduler.facts(set, event, at.as_of, measured),
            None => declared::mechanism(set, scheduler.absence(set)),
        }
    }
}

impl Scheduler {
    async fn read(session: &Session<'_>, settings: &Result<Settings, Trouble>) -> Result<Scheduler, String> {
        let is_on = match settings {
            Ok(settings) => settings.switch("event_scheduler"),
            Err(trouble) => Fact::unknown(trouble.to_string()),
        };
        // MariaDB's own table shows every event in UTC, to whoever may read it, and lets nobody change one.
        if session.mariadb {
            let sql = format!(
                "SELECT db, name, status, interval_value, interval_field, UNIX_TIMESTAMP(last_executed), \
                 LEFT(CONVERT(body USING utf8mb4), 20000) FROM mysql.event ORDER BY db, name LIMIT {}",
                EVENTS + 1
            );
            let right = session.grant("SELECT ON mysql.event");
            let rows =
                session.rows(&sql).await.map_err(|trouble| format!("events were not read: {trouble}; {right}"))?;
            return Ok(Scheduler::of(is_on, &rows, None));
        }
        let sql = format!(
            "SELECT EVENT_SCHEMA, EVENT_NAME, STATUS, INTERVAL_VALUE, INTERVAL_FIELD, \
             UNIX_TIMESTAMP(CONVERT_TZ(LAST_EXECUTED, TIME_ZONE, '+00:00')), LEFT(EVENT_DEFINITION, 20000) \
             FROM information_schema.EVENTS ORDER BY 1, 2 LIMIT {}",
            EVENTS + 1
        );
        let rows = session.rows(&sql).await.map_err(|trouble| format!("events were not read: {trouble}"))?;
        let all = format!(
            "SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'EVENT' AND GRANTEE = {}",
            crate::model::retention::expression::literal(&session.account)
        );
        let sees_all = session.row(&all).await.and_then(|row| number(&row, 0)).is_ok_and(|rights| rights > 0);
        let hidden = (!sees_all).then(|| {
            "MySQL shows events to whoever has the right EVENT on their schema, which also lets one change them; the \
             definition of the event as its owner shows it would do"
                .to_owned()
        });
        Ok(Scheduler::of(is_on, &rows, hidden))
    }

    fn of(is_on: Fact<bool>, rows: &[Row], hidden: Option<String>) -> Scheduler {
        let cell = |row: &Row, place: usize| row.get(place).cloned().flatten();
        let event = |row: &Row| {
            Some(Event {
                schema: cell(row, 0)?,
                name: cell(row, 1)?,
                status: cell(row, 2)?.to_ascii_uppercase(),
                interval: cell(row, 3).zip(cell(row, 4)),
                began: cell(row, 5)
                    .and_then(|second| second.split('.').next()?.parse().ok())
                    .and_then(|second| Timestamp::from_second(second).ok()),
                body: cell(row, 6).unwrap_or_default(),
            })
        };
        let more = (rows.len() > EVENTS).then(|| format!("there are more than {EVENTS} events"));
        Scheduler { is_on, events: rows.iter().take(EVENTS).filter_map(event).collect(), hidden: hidden.or(more) }
    }

    /// The event of the declared name, else one that is on and whose body is about the table.
    fn event_of(&self, set: &DataSet, schema: &str, table: &str) -> Option<&Event> {
        let is_named = |event: &&Event, name: &str| {
            event.name.eq_ignore_ascii_case(name)
                || format!("{}.{}", event.schema, event.name).eq_ignore_ascii_case(name)
        };
        let named =
            set.mechanism.reference.as_ref().and_then(|name| self.events.iter().find(|one| is_named(one, name)));
        let about = || {
            self.events.iter().find(|event| {
                event.status == "ENABLED" && expires(&event.body, set.action, (schema, table), &event.schema)
            })
        };
        named.or_else(about)
    }

    fn absence(&self, set: &DataSet) -> String {
        let named = set.mechanism.reference.as_ref().map(|name| format!(" of the name {}", clean(name)));
        let event = named.unwrap_or_else(|| " that is on and whose body deletes from the table".to_owned());
        let hidden = self.hidden.as_ref().map(|why| format!(" among those that the audit account sees: {why}"));
        format!(
            "the server has no event{event}{}; a job outside the server would show in its own scheduler and log",
            hidden.unwrap_or_default()
        )
    }

    fn facts(&self, set: &DataSet, event: &Event, as_of: Timestamp, measured: &Measured) -> MechanismFacts {
        let every = event.interval.as_ref().map(|(value, unit)| format!("{} {}", clean(value), clean(unit)));
        let enabled = match (event.status.as_str(), &self.is_on) {
            (status, _) if status.contains("SIDE_DISABLED") => {
                Fact::unknown("the event came from another server and runs there")
            }
            ("ENABLED", Fact::Known(on)) => Fact::Known(*on),
            ("ENABLED", Fact::Unknown(why)) => Fact::Unknown(why.clone()),
            _ => Fact::Known(false),
        };
        let state = match &enabled {
            Fact::Known(true) => "it is on",
            Fact::Known(false) if event.status == "ENABLED" => "the scheduler of events is off",
            Fact::Known(false) => "it is off",
            Fact::Unknown(_) => "whether it runs here is not known",
        };
        let began = event.began.map_or("it never began".to_owned(), |at| format!("it last began at {at}"));
        let last_success = Fact::unknown("the server records when an event began, and not how it ended");
        let seen = format!(
            "the server has the event {}.{}, due {}; {state}; {began}, and how it ended is not recorded",
            clean(&event.schema),
            clean(&event.name),
            every.map_or("once".to_owned(), |every| format!("every {every}"))
        );
        let effective = match (&enabled, self.due(event, as_of), event.began) {
            (Fact::Known(false), ..) => Fact::Known(false),
            (Fact::Unknown(why), ..) => Fact::Unknown(why.clone()),
            (_, None, _) => Fact::unknown("its interval does not tell when it was due"),
            (_, _, None) => Fact::unknown("it never began"),
            (_, Some(due), Some(began)) if began < due => Fact::Known(false),
            // That it began in time says little; that no row is left past its time says that it works.
            _ if measured.violating == Fact::Known(0) && measured.exact => Fact::Known(true),
            _ if measured.violating.known().is_some_and(|rows| *rows > 0) => Fact::Known(false),
            _ => Fact::unknown("it began in time; how it ended is not recorded, and the rows were not counted"),
        };
        MechanismFacts {
            found: Fact::Known(true),
            enabled,
            last_success,
            effective,
            seen,
            ..declared::mechanism(set, "")
        }
    }

    /// Since when it must have begun, to have kept to its last interval but one.
    fn due(&self, event: &Event, as_of: Timestamp) -> Option<Timestamp> {
        let (value, unit) = event.interval.as_ref()?;
        let second: i64 = match unit.to_ascii_uppercase().as_str() {
            "SECOND" => 1,
            "MINUTE" => 60,
            "HOUR" => 3600,
            "DAY" => 86_400,
            "WEEK" => 7 * 86_400,
            "MONTH" => 31 * 86_400,
            "QUARTER" => 92 * 86_400,
            "YEAR" => 366 * 86_400,
            _ => return None,
        };
        let number: i64 = value.trim_matches('\'').parse().ok().filter(|number| *number > 0)?;
        as_of.checked_sub(SignedDuration::from_secs(number.checked_mul(second)?.checked_mul(2)?)).ok()
    }
}
