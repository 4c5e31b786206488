//! Derives the clocks of requests and breaches from the file that lists them.

use super::vendors::derived;
use super::{Derivation, Inputs};
use crate::model::requests::{BreachRow, ClockRow, CoverageRow, Dsar, Requests};
use crate::model::{Observation, Reason, Trouble};
use jiff::Timestamp;

/// Gives `data.dsar` for every file of requests.
pub const REQUESTS: Derivation = Derivation { id: "data.dsar", yields: &["data.dsar"], derive };

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let files = inputs.observations.iter().filter(|observation| observation.kind == "data.requests");
    let one = |seen: &Observation| {
        derived("data.dsar", seen, &[], || {
            let requests: Requests = seen
                .read()
                .map_err(|_| Trouble::new(Reason::Internal, "the recorded requests are not of their form"))?;
            Ok(judge(&requests, inputs.as_of))
        })
    };
    files.map(one).collect()
}

/// Every clock at this instant.
pub fn judge(requests: &Requests, as_of: Timestamp) -> Dsar {
    let today = requests.time_zone.rules().to_datetime(as_of).date();
    let rows: Vec<ClockRow> = requests
        .requests
        .iter()
        .map(|request| ClockRow::new(request, requests.holidays(request.country_calendar.as_ref()), today))
        .collect();
    Dsar {
        as_of_day: today.to_string(),
        time_zone: requests.time_zone.to_string(),
        coverage: CoverageRow::all(requests, &rows, today),
        breaches: requests.breaches.iter().map(|breach| BreachRow::new(breach, requests, as_of)).collect(),
        requests: rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fact;
    use serde_json::json;

    fn see(requests: serde_json::Value) -> Dsar {
        judge(&serde_json::from_value(requests).unwrap(), "2026-11-25T12:00:00Z".parse().unwrap())
    }

    fn request(id: &str, received: &str, completed: &str) -> serde_json::Value {
        let mut request =
            json!({ "id": id, "right": "access", "received_on": received, "channel": "email", "regime": "eu" });
        if !completed.is_empty() {
            request["completed_on"] = json!(completed);
            request["outcome"] = json!("done");
        }
        request
    }

    fn year(dsar: &Dsar) -> &CoverageRow {
        dsar.coverage.iter().find(|row| row.key == "requests").unwrap()
    }

    #[test]
    fn none_is_unknown_and_no_pass() {
        let dsar = see(json!({}));
        assert_eq!(year(&dsar).judged.known(), None);
        assert!(dsar.coverage.iter().filter(|row| row.key != "requests").all(|row| row.documented.known().is_none()));
        // One that is older than a year says nothing of the year, and one that still has time says nothing yet.
        let dsar =
            see(json!({ "requests": [request("r-1", "2025-11-24", "2025-12-01"), request("r-2", "2026-11-20", "")] }));
        assert_eq!((year(&dsar).received, year(&dsar).judged.known()), (1, None));
    }

    #[test]
    fn the_year_is_counted() {
        let dsar = see(json!({ "requests": [
            request("r-1", "2026-01-05", "2026-01-15"), request("r-2", "2026-02-02", "2026-02-27"),
            request("r-3", "2026-03-02", "2026-06-01"), request("r-4", "2026-09-01", ""), request("r-5", "2026-11-24", ""),
        ], "procedures": { "access": { "document": "wiki/access" } } }));
        let year = year(&dsar);
        assert_eq!((year.received, &year.judged, year.on_time), (5, &Fact::Known(4), 2));
        assert_eq!((year.on_time_text.as_str(), year.median_days.known().map(String::as_str)), ("50.0", Some("25")));
        let states: Vec<(&str, &str)> =
            dsar.requests.iter().map(|row| (row.state.as_str(), row.severity.as_str())).collect();
        assert_eq!(
            states,
            [("answered", "medium"), ("answered", "medium"), ("late", "high"), ("overdue", "high"), ("open", "medium")]
        );
        assert!(!dsar.requests[4].judged);
        let documented: Vec<_> = dsar.coverage.iter().filter_map(|row| row.documented.known()).collect();
        assert_eq!(documented.iter().filter(|named| ***named).count(), 2);
        assert_eq!(documented.len(), 8);
    }

    #[test]
    fn a_refusal_needs_its_reason_and_word_of_the_authority() {
        let mut refused = request("r-1", "2026-10-01", "2026-10-05");
        refused["outcome"] = json!("refused");
        let row = |refused: &serde_json::Value| see(json!({ "requests": [refused] })).requests.remove(0);
        assert_eq!((row(&refused).holds, row(&refused).severity.as_str()), (Fact::Known(false), "medium"));
        refused["refusal_reason"] = json!("given");
        assert_eq!(row(&refused).holds, Fact::Known(false));
        refused["complaint_info_given"] = json!(true);
        assert_eq!(row(&refused).holds, Fact::Known(true));
    }

    #[test]
    fn a_breach_is_told_in_both_readings() {
        let breach = |told: &str, more: serde_json::Value| {
            let mut breach = json!({ "id": "b-1", "aware_at": "2026-11-20T18:00:00Z" });
            if !told.is_empty() {
                breach["notified_at"] = json!(told);
            }
            for (key, value) in more.as_object().unwrap() {
                breach[key] = value.clone();
            }
            let row = see(json!({ "time_zone": "Europe/Berlin", "breaches": [breach] })).breaches.remove(0);
            let told = row.reason.contains("2026-11-23T18:00:00Z") && row.reason.contains("2026-11-24T23:00:00Z");
            assert!(told || row.holds.known().is_none());
            row
        };
        let none = json!({});
        assert_eq!(breach("2026-11-23T17:00:00Z", none.clone()).holds, Fact::Known(true));
        let between = breach("2026-11-24T09:00:00Z", none.clone());
        assert_eq!((between.holds, between.result.as_str()), (Fact::Known(false), "review"));
        let late = breach("2026-11-25T09:00:00Z", none.clone());
        assert_eq!((late.holds, late.result.as_str(), late.severity.as_str()), (Fact::Known(false), "", "high"));
        assert_eq!(breach("2026-11-25T09:00:00Z", json!({ "delay_reason": "given" })).severity, "medium");
        assert_eq!(breach("", none).holds, Fact::Known(false));
        assert!(!breach("", json!({ "no_risk_reason": "given" })).judged);
        assert_eq!(breach("2026-11-26T09:00:00Z", json!({})).holds.known(), None, "it lies in the future");
    }
}
