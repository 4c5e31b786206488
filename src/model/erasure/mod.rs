//! Erasures: the ledger of those that were done, what is looked for, and what was found.
//!
//! The ledger holds keyed digests alone, so that it is no list of the erased itself.

pub mod drill;
pub mod found;
pub mod ledger;

pub use drill::{Drill, DrilledSet};
pub use found::{EdgeTraces, Erased, Presence, SetTraces, Subjects};
pub use ledger::{LedgerFacts, SetFacts};

use super::SecretRef;
use super::retention::{Slug, Zone};
use super::words::words;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What is said of erasures in the configuration, with the ledger that it names.
#[derive(Clone)]
pub struct Erasure {
    /// Where the key of the digests is to be had.
    pub key: SecretRef,
    /// The ledger.
    pub ledger: Ledger,
    /// How the data sets hang together.
    pub graph: Graph,
    /// What is said of the list that keeps the erased from coming back.
    pub suppression: Option<Suppression>,
}

/// How the data sets hang together, beyond the edges of the retention schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    /// The data set that holds the persons themselves.
    pub root: Option<Slug>,
    /// Data sets that need no edge to it, each with a reason.
    pub independent: Vec<Independent>,
}

/// A data set that needs no edge to the persons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Independent {
    /// The data set.
    pub data_set: Slug,
    /// Why.
    pub reason: String,
}

/// What somebody states about the list that keeps the erased from coming back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// Where the list is kept.
    pub list: String,
    /// The paths on which it is looked at.
    pub checked_at: BTreeSet<SuppressedPath>,
    /// The role that states it.
    pub attested_by: String,
    /// When.
    #[schemars(with = "String")]
    pub attested_on: Date,
}

/// A ledger of erasures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// The digest of the text `probity` under the key of this ledger: it shows that a key is the right one.
    pub key_check: Mark,
    /// The erasures.
    #[serde(default)]
    pub entries: Vec<Entry>,
}

/// One request of erasure and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The number of the ticket: no name.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The keyed digest of the person's key, by the kind of key.
    pub subject: BTreeMap<Slug, Mark>,
    /// When it was asked for.
    #[schemars(with = "String")]
    pub requested_on: Date,
    /// When the identity was clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub verified_on: Option<Date>,
    /// By when it must be done.
    #[schemars(with = "String")]
    pub due_on: Date,
    /// When it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub completed_on: Option<Date>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What was kept all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<Exception>,
    /// When the person came back of their own will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub re_registered_on: Option<Date>,
    /// Which recipients said that they erased it, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmations: Vec<Confirmation>,
}

/// Rows that were kept all the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The data set.
    pub data_set: Slug,
    /// The article, for example `17(3)(b)`.
    pub ground: String,
    /// The last day.
    #[schemars(with = "String")]
    pub until: Date,
}

/// A recipient's word that it erased the person, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The recipient, by the name of its copy in the retention schedule.
    pub recipient: String,
    /// When.
    #[schemars(with = "String")]
    pub confirmed_on: Date,
}

words! {
    /// What came of a request of erasure.
    Outcome {
        /// Everything was erased, but for what the exceptions name.
        Erased = "erased",
        /// Nothing was.
        Refused = "refused",
        /// Some of it was.
        Partial = "partial",
    }
    /// A path by which data comes in.
    SuppressedPath {
        /// Files and feeds of others.
        Import = "import",
        /// Backups.
        Restore = "restore",
    }
}

/// A keyed digest: HMAC-SHA-256 in 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Mark(#[schemars(regex(pattern = r"^[0-9a-f]{64}$"))] String);

impl Mark {
    /// Reads a digest.
    pub fn parse(text: &str) -> Option<Mark> {
        let fits = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        fits.then(|| Mark(text.to_owned()))
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mark, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text is not repeated: whoever errs here may have written the person's key itself.
        Mark::parse(&text).ok_or_else(|| {
            serde::de::Error::custom(
                "a subject is written as HMAC-SHA-256 of its key, in 64 lower-case hexadecimal digits, and never in clear",
            )
        })
    }
}

/// The text whose digest shows that a key is the right one.
pub const KEY_CHECK: &str = "probity";

impl Entry {
    /// It was done by this day, so that nothing may be left.
    pub fn is_done(&self, today: Date) -> bool {
        self.completed_on.is_some_and(|day| day <= today)
            && matches!(self.outcome, Some(Outcome::Erased | Outcome::Partial))
    }

    /// Rows of this set may still be there on this day.
    pub fn is_excepted(&self, set: &Slug, today: Date) -> bool {
        self.exceptions.iter().any(|exception| exception.data_set == *set && today <= exception.until)
    }

    /// The first thing that does not fit together: its key, what is wrong, what to write instead.
    pub fn misfit(&self) -> Option<(&'static str, String, &'static str)> {
        if !super::requests::is_number_of_ticket(&self.reference) {
            return Some((
                "ref",
                "the reference is not the number of a ticket".to_owned(),
                "write letters, digits, `-_./#:`, with at least one digit and no name, for example  E-2026-17",
            ));
        }
        if self.subject.is_empty() {
            return Some((
                "subject",
                "no digest is given".to_owned(),
                "write one a kind of key, for example  { user_id: HMAC }",
            ));
        }
        let after = [
            ("verified_on", self.verified_on, self.requested_on),
            ("due_on", Some(self.due_on), self.requested_on),
            ("completed_on", self.completed_on, self.requested_on),
            ("re_registered_on", self.re_registered_on, self.completed_on.unwrap_or(self.requested_on)),
        ];
        if let Some((key, ..)) = after.iter().find(|(_, day, before)| day.is_some_and(|day| day < *before)) {
            return Some((key, "this day is before the one that it follows".to_owned(), "mend one of the two days"));
        }
        match (self.completed_on, self.outcome) {
            (Some(_), None) => Some((
                "completed_on",
                "`outcome` is missing beside it".to_owned(),
                "write  outcome: erased, refused or partial",
            )),
            (None, Some(_)) => Some(("outcome", "`completed_on` is missing beside it".to_owned(), "write the day")),
            _ => None,
        }
    }
}

/// The calendar day of now in a zone.
pub fn today(zone: &Zone, as_of: jiff::Timestamp) -> Date {
    zone.rules().to_datetime(as_of).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_clear_is_refused_and_not_repeated() {
        let error = serde_json::from_str::<Mark>("\"ann@example.org\"").unwrap_err().to_string();
        assert!(error.contains("HMAC-SHA-256") && !error.contains("ann@"), "{error}");
        assert!(Mark::parse(&"0f".repeat(32)).is_some());
        for bad in ["", &"0F".repeat(32), &"0f".repeat(31), &"0g".repeat(32)] {
            assert_eq!(Mark::parse(bad), None, "{bad}");
        }
    }
}
