//! Requests of data subjects, from the file that people write to what a scan says of it.

use crate::support::{Scratch, probity};
use serde_json::Value;

const REQUESTS: &str = "\
time_zone: Europe/Dublin
calendars: { ie: [2026-04-06] }
procedures: { access: { document: wiki/access }, erasure: { document: wiki/erasure } }
requests:
  - { id: r-1, right: access, received_on: 2026-03-05, channel: email, regime: eu, country_calendar: ie, completed_on: 2026-04-07, outcome: done }
  - { id: r-2, right: erasure, received_on: 2026-03-05, channel: portal, regime: eu, completed_on: 2026-06-30, outcome: refused, refusal_reason: 'Ann Example was rude' }
breaches:
  - { id: b-1, aware_at: '2026-11-20T18:00:00Z', notified_at: '2026-11-21T09:00:00Z' }
";

/// What a scan of these files says: the assessment, and the exit code.
fn scan(scratch: &Scratch, config: &str) -> (Value, i32) {
    let file = scratch.write("probity.yaml", config);
    let report = scratch.path().join("report.json");
    let page = scratch.path().join("report.html");
    let output = probity()
        .args(["scan", "-c"])
        .arg(&file)
        .args(["-o", &format!("json={}", report.display()), "-o", &format!("html={}", page.display())])
        .args(["-o", "table"])
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let text = std::fs::read_to_string(&report).unwrap_or_else(|error| panic!("{error}: {words}"));
    for written in [&text, &std::fs::read_to_string(&page).unwrap(), &words] {
        assert!(!written.contains("Ann Example"), "a person's name is in {written}");
    }
    assert!(words.contains("requests"), "{words}");
    (serde_json::from_str(&text).unwrap(), output.status.code().unwrap())
}

/// The results of a check, by item.
fn results(report: &Value, check: &str) -> Vec<(String, String)> {
    let all = report["results"].as_array().unwrap().iter().filter(|result| result["check"] == check);
    let text = |result: &Value, key: &str| result[key].as_str().unwrap_or_default().to_owned();
    all.map(|result| (text(result, "item"), text(result, "status"))).collect()
}

fn pair(item: &str, status: &str) -> (String, String) {
    (item.to_owned(), status.to_owned())
}

#[test]
fn a_scan_judges_the_clocks_of_a_file() {
    let scratch = Scratch::new("requests");
    scratch.write("requests.yaml", REQUESTS);
    let (report, exit) = scan(&scratch, "requests: { file: requests.yaml }\n");
    assert_eq!(exit, 1);
    assert_eq!(results(&report, "data.dsar.clock"), [pair("r-1", "pass"), pair("r-2", "fail")]);
    assert_eq!(results(&report, "data.breach.clock"), [pair("b-1", "pass")]);
    let coverage = results(&report, "data.dsar.coverage");
    assert_eq!(coverage.len(), 8);
    assert!(
        coverage.contains(&pair("procedure:access", "pass")) && coverage.contains(&pair("procedure:objection", "fail"))
    );
    let page = std::fs::read_to_string(scratch.path().join("report.html")).unwrap();
    assert!(
        page.contains("Clocks of 2 requests")
            && page.contains("Request r-2: received on 2026-03-05, due on 2026-04-06")
    );
}

#[test]
fn a_list_in_the_configuration_is_enough_and_an_empty_one_is_no_pass() {
    let scratch = Scratch::new("requests-inline");
    let (report, _) = scan(
        &scratch,
        "requests:\n  - { id: r-1, right: access, received_on: 2026-03-05, channel: email, regime: eu, completed_on: 2026-03-06, outcome: done }\n",
    );
    assert_eq!(results(&report, "data.dsar.clock"), [pair("r-1", "pass")]);
    let (report, exit) = scan(&scratch, "requests: []\n");
    assert_eq!(results(&report, "data.dsar.clock"), [pair("", "not-evaluated")]);
    assert!(results(&report, "data.dsar.coverage").iter().all(|(_, status)| status == "not-evaluated"));
    assert_eq!(results(&report, "data.breach.clock"), [pair("", "not-applicable")]);
    assert_ne!(exit, 0);
}
