//! The collector of requests of data subjects: what the user wrote, bounded, and without a word about a person.

use super::{CollectContext, Collecting, Collector, Job};
use crate::model::requests::Requests;
use crate::model::{Method, Observation, Reason, Target, TargetKind, Trouble};
use jiff::Timestamp;

/// The kind it records.
const KIND: &str = "data.requests";
/// The most requests, and the most breaches.
const MAX_REQUESTS: usize = 20_000;
/// The most calendars, and the most days of one.
const MAX_DAYS: usize = 2_000;
/// What is kept of a free text: that there is one.
const GIVEN: &str = "given";

/// Reads the requests that the user gave.
pub struct RequestsCollector;

impl Collector for RequestsCollector {
    fn id(&self) -> &'static str {
        "requests"
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Requests
    }

    fn yields(&self) -> &'static [&'static str] {
        &[KIND]
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move { vec![observe(&job.target.id, cx.documents.requests.as_ref(), cx.clock.now())] })
    }
}

/// The observation of a file of requests. An empty one is complete: that it lists none is a fact.
pub fn observe(target: &str, requests: Option<&Requests>, now: Timestamp) -> Observation {
    let failed = |trouble| Observation::failed(KIND, target, "", "requests", now, trouble).by(Method::Examine);
    let Some(requests) = requests else {
        return failed(Trouble::new(Reason::Unreachable, "no file of requests was given"));
    };
    if requests.requests.len().max(requests.breaches.len()) > MAX_REQUESTS {
        return failed(Trouble::new(Reason::TooLarge, format!("the file has more than {MAX_REQUESTS} requests")));
    }
    let days = requests.calendars.values().map(std::collections::BTreeSet::len).max().unwrap_or_default();
    if requests.calendars.len().max(days) > MAX_DAYS {
        return failed(Trouble::new(Reason::TooLarge, format!("a calendar has more than {MAX_DAYS} days")));
    }
    Observation::complete(KIND, target, "", "requests", now, &without_words(requests))
        .map(|observation| observation.by(Method::Examine))
        .unwrap_or_else(|error| failed(Trouble::new(Reason::Internal, error.to_string())))
}

/// The same without free texts: whoever writes a reason may name a person in it.
fn without_words(requests: &Requests) -> Requests {
    let given = |text: &mut Option<String>| {
        *text = text.take().filter(|text| !text.trim().is_empty()).map(|_| GIVEN.to_owned());
    };
    let mut kept = requests.clone();
    for request in &mut kept.requests {
        given(&mut request.extension_reason);
        given(&mut request.refusal_reason);
    }
    for breach in &mut kept.breaches {
        given(&mut breach.delay_reason);
        given(&mut breach.no_risk_reason);
    }
    for procedure in kept.procedures.iter_mut().flat_map(|all| all.values_mut()) {
        procedure.document = if procedure.document.trim().is_empty() { String::new() } else { GIVEN.to_owned() };
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ObservationStatus;
    use serde_json::json;

    #[test]
    fn requests_that_were_not_given_are_a_failed_look() {
        assert!(RequestsCollector.accepts(&Target::new("requests", TargetKind::Requests, "requests.yaml")));
        assert!(!RequestsCollector.accepts(&Target::new("vendors", TargetKind::Register, "register.yaml")));
        let seen = observe("requests", None, Timestamp::UNIX_EPOCH);
        assert_eq!(seen.status, ObservationStatus::Failed);
        assert_eq!(seen.trouble.unwrap().reason, Reason::Unreachable);
    }

    #[test]
    fn no_word_about_a_person_is_kept() {
        let requests: Requests = serde_json::from_value(json!({
            "procedures": { "access": { "document": "how Ann Example does it" } },
            "requests": [{ "id": "r-1", "right": "access", "received_on": "2026-03-05", "channel": "email",
                "regime": "eu", "completed_on": "2026-03-09", "outcome": "refused",
                "refusal_reason": "Bob Example asks every week", "extension_reason": "Carol was ill" }],
            "breaches": [{ "id": "b-1", "aware_at": "2026-03-05T10:00:00Z", "delay_reason": "Dan slept" }]
        }))
        .unwrap();
        let seen = observe("requests", Some(&requests), Timestamp::UNIX_EPOCH);
        let text = serde_json::to_string(&seen).unwrap();
        for person in ["Ann", "Bob", "Carol", "Dan"] {
            assert!(!text.contains(person), "{person} in {text}");
        }
        let read: Requests = seen.read().unwrap();
        assert_eq!(read.requests[0].refusal_reason.as_deref(), Some("given"));
    }

    #[test]
    fn too_much_is_refused_and_not_cut() {
        let one =
            json!({ "id": "r-1", "right": "access", "received_on": "2026-03-05", "channel": "email", "regime": "eu" });
        let mut requests: Requests = serde_json::from_value(json!({ "requests": [one] })).unwrap();
        requests.requests = vec![requests.requests[0].clone(); MAX_REQUESTS + 1];
        let seen = observe("requests", Some(&requests), Timestamp::UNIX_EPOCH);
        assert_eq!(seen.trouble.unwrap().reason, Reason::TooLarge);
    }
}
