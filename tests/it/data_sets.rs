//! `probity retention`: what it shows of each data set, from a look and from a file, and how it ends.

use crate::support::{Scratch, estate, probity};
use probity::gate;
use probity::model::{Assessment, Observation};
use probity::report::{Format, retention};
use serde_json::{Value, json};

fn set(id: &str, more: Value) -> Value {
    let mut set = json!({
        "id": id, "object": format!("public.{id}"), "anchor": "last_seen", "max_age": "9 months", "grace": "0",
        "time_zone": "Europe/Dublin", "as_of_day": "2026-11-23", "cutoff_day": "2026-02-23",
        "cutoff_utc": "2026-02-23T00:00:00Z", "strategy": "index", "exact": true, "violating": 0, "capped": false,
        "severity": "medium", "sampled": { "unit": "", "pages": 0, "rows": 0, "violating": 0, "rate_bound_ppm": 0 },
        "accepted_by_sample": false, "undatable": 0, "sentinels": [], "future": 0, "held": 0, "soft_deleted": 0,
        "fallback_dated": 0, "oldest_day": "2026-02-23", "overdue_days": 0, "total_estimate": 210_000,
        "sensitive": false, "action": "delete", "legal_basis": "6(1)(f): analytics", "mechanism": "job expire",
        "query": "SELECT 1", "plan": "Index Scan", "notes": [], "summary": "0 rows past 9 months",
        "cost": { "read": 31, "unit": "pages", "statements": 22, "milliseconds": 18 } });
    for (key, value) in more.as_object().unwrap() {
        set[key] = value.clone();
    }
    set
}

fn means(key: &str, found: Value, effective: Value, seen: &str) -> Value {
    json!({ "key": key, "declared": "job", "reference": "expire", "found": found, "enabled": found, "last_success":
        { "unknown": "not told" }, "effective": effective, "contradicted": false, "result": "", "seen": seen })
}

/// The estate, whose database was measured in every way.
fn assessment() -> Assessment {
    let mut assessment = estate::assessment();
    let facts = json!({
        "data_sets": [
            set("visitors", json!({ "violating": 1000, "capped": true, "held": 12, "oldest_day": "2025-01-01",
                "overdue_days": 418, "future": 3, "summary": "at least 1000 rows past 9 months, the oldest by 418 days" })),
            set("conversations", json!({ "max_age": "24 months", "grace": "1 day" })),
            set("sessions", json!({ "strategy": "sample", "exact": false, "violating":
                { "unknown": "none in a sample of 1000 pages: at most 0.3000 % of pages have one, at 95 % confidence" },
                "undatable": { "unknown": "a sample" }, "oldest_day": { "unknown": "a sample does not show the oldest row" },
                "sampled": { "unit": "pages", "pages": 1000, "rows": 60_000, "violating": 0, "rate_bound_ppm": 3000 } })),
            set("events\u{1b}[31m", json!({ "strategy": "none", "exact": false,
                "violating": { "unknown": "permission-denied: the audit role may not read this table, SQLSTATE 42501" },
                "undatable": { "unknown": "denied" }, "oldest_day": { "unknown": "denied" },
                "notes": ["the server's clock differs by more than the tolerance; the scanner's was used"],
                "cost": { "read": { "unknown": "no row was read" }, "unit": "pages", "statements": 3, "milliseconds": 2 } })),
        ],
        "mechanisms": [
            means("visitors", json!(true), json!(false), "pg_cron has the job expire, due by `0 3 * * *`; it is off"),
            means("conversations", json!(true), json!(true), "pg_cron has the job expire; last success 2026-11-23T03:00:01Z"),
            means("sessions", json!({ "unknown": "outside" }), json!({ "unknown": "outside" }), "this database has no pg_cron"),
        ],
        "holds": [], "backups": [], "skew_s": 0, "server_version": "15.14", "tz_version": "2026b" });
    let table = |name: &str, personal: bool, scheduled: bool, exempt: &str| {
        json!({ "name": name, "personal_columns": if personal { vec!["email"] } else { vec![] }, "personal": personal,
            "scheduled": scheduled, "exempt": exempt })
    };
    let inventory = json!({ "tables": [
        table("visitors", true, true, ""), table("leads", true, false, ""), table("staff", true, false, "a contract"),
        table("prices", false, false, "") ] });
    let made = |kind: &str, facts: &Value| {
        Observation::complete(kind, "main_pg", "", "postgres", assessment.run.ended, facts).unwrap()
    };
    let seen = [made("data.retention", &facts), made("data.inventory", &inventory)];
    assessment.observations.retain(|one| !one.kind.starts_with("data."));
    assessment.observations.extend(seen);
    assessment.results.retain(|result| result.check.starts_with(retention::FAMILY));
    assessment.findings.retain(|finding| finding.check.starts_with(retention::FAMILY));
    assessment.blind_spots.clear();
    assessment.targets.retain(|target| target.id == "main_pg");
    assessment
}

fn page(format: Format, width: u16) -> String {
    let assessment = assessment();
    let verdict = gate::decide(&assessment, false);
    String::from_utf8(retention::render(&assessment, &verdict, format, width).unwrap()).unwrap()
}

#[test]
fn the_table_reads_as_it_did() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden/retention");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("table-120", page(Format::Table, 120)));
    for width in [40, 80, 200] {
        let table = page(Format::Table, width);
        assert!(table.lines().all(|line| line.chars().count() <= usize::from(width.max(80))), "{table}");
        assert!(!table.contains('\u{1b}'), "{table}");
    }
}

#[test]
fn machines_get_every_fact() {
    let json = page(Format::Json, 80);
    assert!(!json.contains('\u{1b}'));
    let page: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(page["schema"], "probity.retention/1");
    let store = &page["stores"][0];
    assert_eq!((&store["store"], &store["coverage"]["uncovered"]), (&json!("main_pg"), &json!(["leads"])));
    let first = &store["data_sets"][0];
    assert_eq!((&first["status"], &first["measured"]["violating"]), (&json!("fail"), &json!(1000)));
    assert_eq!(first["means"]["effective"], json!(false));
    assert_eq!(store["data_sets"][2]["status"], "not-evaluated", "nobody judged it");
    assert_eq!(store["data_sets"][3]["measured"]["cost"]["statements"], 3);
}

const SCHEDULE: &str = "\
retention:
  data_sets:
    - { id: visitors, store: shop, object: { table: visitors }, kind: primary, data_categories: [contact],
        subject_categories: [visitor], timestamp: { expr: seen, type: iso8601_utc_text }, anchor: last_seen, max_age: 9 months,
        legal_basis: { article: '6(1)(f)', purpose: analytics }, action: delete, mechanism: { type: job } }
";
const TARGET: &str = "targets: [{ id: shop, kind: file, engine: sqlite, address: data.sqlite }]\n";

fn run(scratch: &Scratch, arguments: &[&str]) -> (i32, String) {
    let ran = probity().current_dir(scratch.path()).env("COLUMNS", "160").args(arguments).output().unwrap();
    let words = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert!(!words.contains("someone@example.org"), "a person's data is shown: {words}");
    (ran.status.code().unwrap(), words)
}

fn shop(name: &str, seen: &str) -> Scratch {
    let scratch = Scratch::new(name);
    let sql = format!(
        "CREATE TABLE visitors (email, seen); CREATE TABLE leads (phone); \
         INSERT INTO visitors VALUES ('someone@example.org', '{seen}')"
    );
    rusqlite::Connection::open(scratch.path().join("data.sqlite")).unwrap().execute_batch(&sql).unwrap();
    scratch.write("probity.yaml", format!("{TARGET}{SCHEDULE}"));
    scratch
}

#[test]
fn a_look_and_a_file_of_evidence_show_the_same() {
    let scratch = shop("data-sets", "2020-05-05T00:00:00Z");
    let (code, words) = run(&scratch, &["retention"]);
    assert_eq!(code, 1, "{words}");
    for expected in
        ["9 months by last_seen", "fail: 1 row", "2020-05-05", "every row", "steps", "1 without a rule: leads"]
    {
        assert!(words.contains(expected), "{expected} is not in {words}");
    }
    assert_eq!(run(&scratch, &["collect", "-q", "-c", "probity.yaml", "-o", "json=obs.json"]).0, 0);
    let (code, words) = run(&scratch, &["retention", "obs.json", "-o", "json"]);
    let page: Value = serde_json::from_str(&words).unwrap();
    assert_eq!((code, &page["exit"]), (1, &json!(1)), "{page}");
    let measured = &page["stores"][0]["data_sets"][0]["measured"];
    assert_eq!((&measured["violating"], &measured["cost"]["unit"]), (&json!(1), &json!("steps")));
    assert!(measured["cost"]["read"].as_u64().unwrap() > 0);
    // A policy of today judges what was seen then.
    let off = "checks: { data.retention: { enabled: false, reason: judged elsewhere } }\n";
    scratch.write("later.yaml", format!("{TARGET}{SCHEDULE}{off}"));
    let (_, words) = run(&scratch, &["retention", "obs.json", "-c", "later.yaml", "-o", "json"]);
    assert!(
        serde_json::from_str::<Value>(&words).unwrap()["stores"][0]["data_sets"][0]["status"] == "not-evaluated",
        "{words}"
    );
}

#[test]
fn missing_evidence_is_no_pass_and_a_mistake_says_what_to_do() {
    let scratch = shop("data-sets-gone", "2999-05-05T00:00:00Z");
    std::fs::remove_file(scratch.path().join("data.sqlite")).unwrap();
    let (code, words) = run(&scratch, &["retention"]);
    assert!(code == 3 && words.contains("not evaluated"), "{code}: {words}");
    scratch.write("bare.yaml", TARGET);
    let (code, words) = run(&scratch, &["retention", "-c", "bare.yaml"]);
    assert!(code == 2 && words.contains("no retention schedule"), "{code}: {words}");
    let (code, words) = run(&scratch, &["retention", "-o", "html=x.html"]);
    assert!(code == 2 && words.contains("table or json"), "{code}: {words}");
    let (code, words) = run(&scratch, &["retention", "none.json"]);
    assert!(code == 2 && words.contains("cannot be read"), "{code}: {words}");
}
