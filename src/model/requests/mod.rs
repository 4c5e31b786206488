//! Requests of data subjects: what a person writes down about each, and the clocks that they start.
//!
//! A request is known by its id alone. Nothing here has room for a name.

pub mod breach;
pub mod clock;
pub mod judged;

pub use breach::{BreachClock, breach_clock};
pub use clock::{Clock, Extension, Start, clock};
pub use judged::{BreachRow, ClockRow, CoverageRow, Dsar};

use super::retention::{Slug, Zone};
use super::words::words;
use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// `data.requests`: the requests, the calendars, the procedures and the breaches of personal data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requests {
    /// The calendar in which days are counted.
    #[serde(default)]
    pub time_zone: Zone,
    /// Public holidays, by the name of the calendar.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Vec<String>>")]
    pub calendars: BTreeMap<Slug, BTreeSet<Date>>,
    /// Where the procedure for each right is written down; absent where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub procedures: Option<BTreeMap<Right, Procedure>>,
    /// The requests.
    #[serde(default)]
    pub requests: Vec<Request>,
    /// Breaches of personal data.
    #[serde(default)]
    pub breaches: Vec<Breach>,
}

/// One request. Free texts are forgotten as they are recorded: only that they were given is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The number of the ticket: no name.
    pub id: String,
    /// Which right.
    pub right: Right,
    /// The local day on which it came.
    #[schemars(with = "String")]
    pub received_on: Date,
    /// How it came, for example `email`.
    pub channel: Slug,
    /// Whose law.
    pub regime: Law,
    /// When proof of identity was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub identity_asked_on: Option<Date>,
    /// When it was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub identity_confirmed_on: Option<Date>,
    /// When a fee was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub fee_asked_on: Option<Date>,
    /// When it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub fee_paid_on: Option<Date>,
    /// When it was asked what is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub clarification_asked_on: Option<Date>,
    /// When that was clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub clarified_on: Option<Date>,
    /// When it was decided to take longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub extended_on: Option<Date>,
    /// Why it takes longer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension_reason: Option<String>,
    /// When the person was told so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub extension_notified_on: Option<Date>,
    /// When it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub completed_on: Option<Date>,
    /// How it was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal_reason: Option<String>,
    /// The person was told of the authority and the courts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complaint_info_given: Option<bool>,
    /// The calendar of public holidays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_calendar: Option<Slug>,
}

/// Where a procedure is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Procedure {
    /// The document.
    pub document: String,
}

/// One breach of personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Breach {
    /// The number of the case: no name.
    pub id: String,
    /// The instant at which one became aware of it.
    #[schemars(with = "String")]
    pub aware_at: Timestamp,
    /// The instant at which the authority was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub notified_at: Option<Timestamp>,
    /// Why the authority was told late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_reason: Option<String>,
    /// Why the authority need not be told: the breach is unlikely to be a risk for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_risk_reason: Option<String>,
    /// The calendar of public holidays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_calendar: Option<Slug>,
}

words! {
    /// A right of a data subject.
    Right {
        /// Art. 15.
        Access = "access",
        /// Art. 16.
        Rectification = "rectification",
        /// Art. 17.
        Erasure = "erasure",
        /// Art. 18.
        Restriction = "restriction",
        /// Art. 20.
        Portability = "portability",
        /// Art. 21.
        Objection = "objection",
        /// Art. 22.
        AutomatedDecision = "automated_decision",
    }
    /// Whose law a request falls under.
    Law {
        /// The General Data Protection Regulation of the Union.
        Eu = "eu",
        /// The law of the United Kingdom.
        Uk = "uk",
    }
    /// How a request was answered.
    Outcome {
        /// Wholly done.
        Done = "done",
        /// Refused.
        Refused = "refused",
        /// Done in part.
        Partial = "partial",
    }
}

/// A mistake in what was written, by its place: `requests` or `breaches`, the index, the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The list.
    pub list: &'static str,
    /// The place in it.
    pub index: usize,
    /// The key.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: &'static str,
}

/// Words in the name of a key that would hold a person's data.
const PERSONAL: &[&str] = &[
    "name",
    "surname",
    "firstname",
    "lastname",
    "email",
    "mail",
    "phone",
    "mobile",
    "address",
    "birth",
    "birthday",
    "dob",
    "subject",
    "person",
    "customer",
    "requester",
    "requestor",
    "user",
    "contact",
    "iban",
    "passport",
    "ssn",
    "note",
    "notes",
    "comment",
    "description",
];

/// Whether a key's name says that it would hold a person's data.
pub fn names_person(key: &str) -> bool {
    key.split(['_', '-', ' ']).any(|word| PERSONAL.contains(&word.to_ascii_lowercase().as_str()))
}

/// Whether a text can be the number of a ticket, and cannot well be a name or an address.
pub fn is_number_of_ticket(id: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '#' | ':');
    (1..=64).contains(&id.len()) && id.chars().all(fits) && id.chars().any(|c| c.is_ascii_digit())
}

const ID_HELP: &str = "write the number of the ticket, for example  DSR-2026-17: letters, digits, `-_./#:`, with at least one digit and no name";

impl Requests {
    /// The holidays of a calendar; `None` where none is named.
    pub fn holidays(&self, calendar: Option<&Slug>) -> Option<&BTreeSet<Date>> {
        self.calendars.get(calendar?)
    }

    /// Everything that does not fit together.
    pub fn misfits(&self) -> Vec<Misfit> {
        let mut misfits = Vec::new();
        let mut ids = BTreeSet::new();
        for (index, request) in self.requests.iter().enumerate() {
            let mut found = request.misfits();
            found.extend(self.id_and_calendar(&request.id, request.country_calendar.as_ref(), &mut ids));
            misfits.extend(found.into_iter().map(|(key, message, help)| Misfit {
                list: "requests",
                index,
                key,
                message,
                help,
            }));
        }
        let mut ids = BTreeSet::new();
        for (index, breach) in self.breaches.iter().enumerate() {
            let mut found = self.id_and_calendar(&breach.id, breach.country_calendar.as_ref(), &mut ids);
            if breach.notified_at.is_some_and(|told| told < breach.aware_at) {
                let message = "the authority was told before anybody was aware".to_owned();
                found.push(("notified_at", message, "mend one of the two instants"));
            }
            misfits.extend(found.into_iter().map(|(key, message, help)| Misfit {
                list: "breaches",
                index,
                key,
                message,
                help,
            }));
        }
        misfits
    }

    fn id_and_calendar<'a>(
        &self,
        id: &'a str,
        calendar: Option<&Slug>,
        ids: &mut BTreeSet<&'a str>,
    ) -> Vec<(&'static str, String, &'static str)> {
        let mut found = Vec::new();
        if !is_number_of_ticket(id) {
            found.push(("id", "the id is not the number of a ticket".to_owned(), ID_HELP));
        }
        if !ids.insert(id) {
            found.push(("id", "the id is used twice".to_owned(), "give each its own id"));
        }
        if let Some(calendar) = calendar.filter(|name| !self.calendars.contains_key(name)) {
            let message = format!("`{calendar}` is no calendar of this file");
            found.push((
                "country_calendar",
                message,
                "list its public holidays, for example  calendars: { ie: [2026-04-06] }",
            ));
        }
        found
    }
}

impl Request {
    /// What does not fit together, by its key.
    fn misfits(&self) -> Vec<(&'static str, String, &'static str)> {
        let mut found = Vec::new();
        let later = [
            ("identity_asked_on", self.identity_asked_on, "received_on", Some(self.received_on)),
            ("identity_confirmed_on", self.identity_confirmed_on, "identity_asked_on", self.identity_asked_on),
            ("fee_asked_on", self.fee_asked_on, "received_on", Some(self.received_on)),
            ("fee_paid_on", self.fee_paid_on, "fee_asked_on", self.fee_asked_on),
            ("clarification_asked_on", self.clarification_asked_on, "received_on", Some(self.received_on)),
            ("clarified_on", self.clarified_on, "clarification_asked_on", self.clarification_asked_on),
            ("extended_on", self.extended_on, "received_on", Some(self.received_on)),
            ("extension_notified_on", self.extension_notified_on, "received_on", Some(self.received_on)),
            ("completed_on", self.completed_on, "received_on", Some(self.received_on)),
        ];
        for (key, day, other, before) in later {
            match (day, before) {
                (Some(day), Some(before)) if day < before => {
                    found.push((key, format!("this day is before `{other}`"), "mend one of the two days"));
                }
                // Without the first of the two it cannot be told whether the asking was in time.
                (Some(_), None) => {
                    found.push((key, format!("`{other}` is missing beside it"), "write both days, or neither"));
                }
                _ => {}
            }
        }
        match (self.completed_on, self.outcome) {
            (Some(_), None) => {
                found.push((
                    "completed_on",
                    "`outcome` is missing beside it".to_owned(),
                    "write  outcome: done, refused or partial",
                ));
            }
            (None, Some(_)) => {
                found.push((
                    "outcome",
                    "`completed_on` is missing beside it".to_owned(),
                    "write the day of the answer",
                ));
            }
            _ => {}
        }
        found
    }
}
