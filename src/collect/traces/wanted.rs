//! Whom a run looks for in the stores.

use super::Hasher;
use crate::collect::CollectContext;
use crate::model::erasure::{Entry, KEY_CHECK, today};
use crate::model::retention::{DataSet, Schedule, Slug};
use crate::model::{Reason, Trouble};
use jiff::civil::Date;
use zeroize::Zeroizing;

/// Whom a run looks for.
pub struct Wanted {
    /// The data sets.
    pub schedule: Schedule,
    /// The erased; `None` where no ledger is declared.
    pub erased: Option<Erased>,
    /// The one person whose export is looked at.
    pub person: Option<Person>,
    /// The day, in the schedule's calendar.
    pub today: Date,
}

/// The erased.
pub struct Erased {
    /// The ledger.
    pub entries: Vec<Entry>,
    /// Makes the digests, or why it cannot.
    pub hasher: Result<Hasher, Trouble>,
}

/// The one person whose export is looked at.
pub struct Person {
    /// What kind of key it is.
    pub namespace: String,
    /// The key, which is wiped when it is dropped; or why it cannot be had.
    pub key: Result<Zeroizing<String>, Trouble>,
}

impl Wanted {
    /// Whom the user's documents name.
    ///
    /// # Errors
    /// Where they name nobody.
    pub fn of(cx: &CollectContext) -> Result<Wanted, Trouble> {
        let documents = &cx.documents;
        if documents.erasure.is_none() && documents.portability.is_none() {
            return Err(Trouble::new(Reason::Unsupported, "neither a ledger of erasures nor an export is declared"));
        }
        let Some(schedule) = documents.retention.clone() else {
            return Err(Trouble::new(Reason::Unsupported, "there is no retention schedule"));
        };
        let read = |reference, what: &str| {
            cx.secrets
                .read(reference)
                .map_err(|why| Trouble::new(Reason::AuthenticationFailed, format!("{what} cannot be had: {why}")))
        };
        let erased = documents.erasure.as_ref().map(|erasure| Erased {
            entries: erasure.ledger.entries.clone(),
            hasher: read(&erasure.key, "the key of the ledger's digests").and_then(|secret| {
                let hasher = Hasher::new(&Zeroizing::new(secret.0));
                // With another key nobody would be found, which would look like an erasure.
                if hasher.of(KEY_CHECK) == erasure.ledger.key_check.as_str() {
                    return Ok(hasher);
                }
                let words = "the key is not the one that the ledger's digests were made with (its `key_check` differs)";
                Err(Trouble::new(Reason::AuthenticationFailed, words))
            }),
        });
        let person = documents.portability.as_ref().map(|export| Person {
            namespace: export.namespace.to_string(),
            key: read(&export.subject, "the person's key").map(|secret| Zeroizing::new(secret.0)),
        });
        let today = today(&schedule.time_zone, cx.clock.now());
        Ok(Wanted { schedule, erased, person, today })
    }

    /// One person alone, by this kind of key.
    pub fn person(schedule: &Schedule, namespace: &Slug, key: Zeroizing<String>, now: jiff::Timestamp) -> Wanted {
        Wanted {
            schedule: schedule.clone(),
            erased: None,
            person: Some(Person { namespace: namespace.to_string(), key: Ok(key) }),
            today: today(&schedule.time_zone, now),
        }
    }

    /// The sets of a store that say whose a row is, in the order of their ids.
    pub fn sets(&self, store: &str) -> Vec<&DataSet> {
        self.schedule.sets_of(store).into_iter().filter(|set| set.subject_key.is_some()).collect()
    }

    /// Those of them that know the one person by this kind of key.
    pub fn sets_of_person(&self, store: &str, person: &Person) -> Vec<&DataSet> {
        let knows =
            |set: &&DataSet| set.subject_key.as_ref().is_some_and(|key| key.namespace.as_str() == person.namespace);
        self.sets(store).into_iter().filter(knows).collect()
    }
}
