//! The collector of the ledger of erasures: what the user wrote, bounded, and without a digest of anybody.

use super::{CollectContext, Collecting, Collector, Job};
use crate::model::erasure::{Erasure, LedgerFacts};
use crate::model::retention::Schedule;
use crate::model::{Method, Observation, Reason, Target, TargetKind, Trouble};
use jiff::Timestamp;

/// The kind it records.
const KIND: &str = "data.ledger";
/// The most erasures of a ledger.
const MAX_ENTRIES: usize = 20_000;

/// Reads the ledger that the user gave.
pub struct ErasureCollector;

impl Collector for ErasureCollector {
    fn id(&self) -> &'static str {
        "erasure"
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Erasure
    }

    fn yields(&self) -> &'static [&'static str] {
        &[KIND]
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        let documents = &cx.documents;
        let made = observe(&job.target.id, documents.erasure.as_ref(), documents.retention.as_ref(), cx.clock.now());
        Box::pin(async move { vec![made] })
    }
}

/// The observation of a ledger. An empty one is complete: that it lists no erasure is a fact.
pub fn observe(target: &str, erasure: Option<&Erasure>, schedule: Option<&Schedule>, now: Timestamp) -> Observation {
    let failed = |trouble| Observation::failed(KIND, target, "", "erasure", now, trouble).by(Method::Examine);
    let Some(erasure) = erasure else {
        return failed(Trouble::new(Reason::Unreachable, "no ledger of erasures was given"));
    };
    let Some(schedule) = schedule else {
        return failed(Trouble::new(
            Reason::Unsupported,
            "there is no retention schedule, so that no data set is known",
        ));
    };
    if erasure.ledger.entries.len() > MAX_ENTRIES {
        return failed(Trouble::new(Reason::TooLarge, format!("the ledger has more than {MAX_ENTRIES} entries")));
    }
    Observation::complete(KIND, target, "", "erasure", now, &LedgerFacts::new(erasure, schedule, now))
        .map(|observation| observation.by(Method::Examine))
        .unwrap_or_else(|error| failed(Trouble::new(Reason::Internal, error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::erasure::{Graph, Ledger, Mark};
    use crate::model::{ObservationStatus, SecretRef};
    use serde_json::json;

    fn erasure(count: usize) -> Erasure {
        let entry = json!({ "ref": "E-1", "subject": { "email": "ab".repeat(32) }, "requested_on": "2026-01-01",
            "due_on": "2026-02-01" });
        let entry = serde_json::from_value(entry).unwrap();
        Erasure {
            key: SecretRef::Env("KEY".to_owned()),
            ledger: Ledger { key_check: Mark::parse(&"cd".repeat(32)).unwrap(), entries: vec![entry; count] },
            graph: Graph::default(),
            suppression: None,
        }
    }

    #[test]
    fn without_a_ledger_or_a_schedule_nothing_was_seen() {
        let schedule: Schedule = serde_json::from_value(json!({})).unwrap();
        assert!(ErasureCollector.accepts(&Target::new("erasure", TargetKind::Erasure, "ledger.yaml")));
        let none = observe("erasure", None, Some(&schedule), Timestamp::UNIX_EPOCH);
        assert_eq!(none.trouble.unwrap().reason, Reason::Unreachable);
        let none = observe("erasure", Some(&erasure(1)), None, Timestamp::UNIX_EPOCH);
        assert_eq!(none.trouble.unwrap().reason, Reason::Unsupported);
        let many = observe("erasure", Some(&erasure(MAX_ENTRIES + 1)), Some(&schedule), Timestamp::UNIX_EPOCH);
        assert_eq!(many.trouble.unwrap().reason, Reason::TooLarge);
    }

    #[test]
    fn no_digest_reaches_the_observation() {
        let schedule: Schedule = serde_json::from_value(json!({})).unwrap();
        let seen = observe("erasure", Some(&erasure(1)), Some(&schedule), Timestamp::UNIX_EPOCH);
        assert_eq!(seen.status, ObservationStatus::Complete);
        assert!(!serde_json::to_string(&seen).unwrap().contains("abab"));
    }
}
