//! The embedded estate: the first thing that a newcomer runs must be a real run with real findings.

use crate::support::{Scratch, probity};
use serde_json::Value;

/// The statuses of a check on a target, over parts and items.
fn statuses<'a>(report: &'a Value, check: &str, target: &str) -> Vec<&'a str> {
    let results = report["results"].as_array().unwrap();
    let of = results.iter().filter(|r| r["check"] == check && r["target"] == target);
    of.map(|r| r["status"].as_str().unwrap()).collect()
}

fn data<'a>(report: &'a Value, kind: &str, target: &str) -> &'a Value {
    let observations = report["observations"].as_array().unwrap();
    let found = observations.iter().find(|o| o["kind"] == kind && o["target"] == target);
    &found.unwrap_or_else(|| panic!("no {kind} of {target}"))["data"]
}

#[test]
fn the_demo_looks_for_real_and_ends_at_the_gate() {
    let scratch = Scratch::new("demo");
    let (html, json) = (scratch.path().join("demo.html"), scratch.path().join("demo.json"));
    let run = probity()
        .current_dir(scratch.path())
        .arg("demo")
        .args(["-o", &format!("html={}", html.display()), "-o", &format!("json={}", json.display())])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&run.stdout);
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(1), "{shown}\n{said}");
    assert!(said.contains("demo.html"), "{said}");
    assert!(shown.trim_end().ends_with("exit 1"), "the verdict stands last: {shown}");
    assert!(std::fs::read_to_string(&html).unwrap().contains("quick-mailer"));

    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["verdict"]["exit"], 1);

    // The shop is as it should be, and every fact that its grade needs is known.
    let names = |target| {
        let offered = data(&report, "tls.protocols", target)["offered"].as_array().unwrap();
        offered.iter().map(|o| o["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("shop"), ["TLSv1.2", "TLSv1.3"]);
    assert_eq!(data(&report, "tls.grade", "shop")["letter"], "A+");
    assert_eq!(data(&report, "tls.grade", "shop")["provisional"], false);
    assert_eq!(statuses(&report, "tls.grade", "shop"), ["pass"]);
    for check in ["tls.protocols.legacy", "tls.certificate.chain", "tls.certificate.hostname", "http.hsts", "tls.only"]
    {
        let all = statuses(&report, check, "shop");
        assert!(!all.is_empty() && all.iter().all(|status| *status == "pass"), "{check}: {all:?}");
    }

    // The others have the flaws that they were given.
    assert_eq!(names("api"), ["TLSv1.2"]);
    assert_eq!(data(&report, "tls.grade", "api")["letter"], "M");
    assert_eq!(statuses(&report, "tls.only", "api"), ["fail"]);
    assert_eq!(names("kiosk"), ["TLSv1.0"]);
    let suites = data(&report, "tls.suites", "kiosk")["suites"].as_array().unwrap();
    let mut ids: Vec<&str> = suites.iter().map(|s| s["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["0x000A", "0x002F", "0x0035"]);
    assert_eq!(statuses(&report, "tls.protocols.legacy", "kiosk"), ["fail"]);
    assert_eq!(statuses(&report, "http.hsts", "kiosk"), ["not-evaluated"], "no HTTP client speaks TLS 1.0");

    // What stands between a host and the preload list is told in words.
    let results = report["results"].as_array().unwrap();
    let told: Vec<&Value> =
        results.iter().filter(|r| r["check"] == "http.hsts.preload" && r["status"] == "fail").collect();
    assert!(!told.is_empty());
    for result in told {
        let words = result["actual"].as_str().unwrap();
        assert!(words.contains(' ') && !words.contains("preload.") && !words.contains('_'), "{words}");
    }

    // Visitors unseen for more than nine months, and a vendor without an agreement.
    let sets = data(&report, "data.retention", "visitors_db")["data_sets"].as_array().unwrap();
    assert_eq!(sets[0]["violating"], 37);
    assert_eq!(statuses(&report, "data.retention", "visitors_db"), ["fail"]);
    assert_eq!(statuses(&report, "db.at_rest", "visitors_db"), ["fail"]);
    assert!(statuses(&report, "vendor.dpa", "vendors").contains(&"fail"));
}

#[test]
fn the_demo_leaves_nothing_behind() {
    let scratch = Scratch::new("demo-clean");
    let run = probity().current_dir(scratch.path()).env("TMPDIR", scratch.path()).arg("demo").output().unwrap();
    assert_eq!(run.status.code(), Some(1));
    let left: Vec<_> = std::fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["probity-demo.html"]);
}
