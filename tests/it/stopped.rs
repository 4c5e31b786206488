//! The whole command against databases that keep it waiting: a table that is locked, and counting that Ctrl-C ends.
//!
//! What is slow here is slow for longer than any test lasts, on any machine: it sleeps, or works for hours.

use crate::support::postgres::{PASSWORD, Postgres, Posture};
use crate::support::{Scratch, signal};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The most that a test waits for something which takes a moment.
const PATIENCE: Duration = Duration::from_secs(60);

/// One data set of a schedule, whose rows are all counted.
fn set(id: &str, store: &str, table: &str, timestamp: &str, more: &str) -> String {
    format!(
        "    - id: {id}\n      store: {store}\n      object: {{table: {table}}}\n      kind: primary\n      \
         data_categories: [contact]\n      subject_categories: [visitor]\n      timestamp: {{{timestamp}}}\n      \
         anchor: created\n      max_age: 9 months\n      legal_basis: {{article: '6(1)(f)', purpose: support}}\n      \
         action: delete\n      mechanism: {{type: job}}\n      measure: {{timeout: 5m, strategy: exact}}\n{more}"
    )
}

/// A scan that runs.
struct Scan {
    child: Child,
    report: PathBuf,
}

impl Scan {
    fn start(scratch: &Scratch, target: &str, sets: &str) -> Scan {
        scratch.write("retention.yaml", format!("retention:\n  time_zone: UTC\n  data_sets:\n{sets}"));
        let file =
            scratch.write("probity.yaml", format!("targets:\n  - {target}\nretention: {{ file: retention.yaml }}\n"));
        let report = scratch.path().join("report.json");
        let child = Command::new(env!("CARGO_BIN_EXE_probity"))
            .env_clear()
            .env("PROBITY_TEST_PASSWORD", PASSWORD)
            .arg("scan")
            .arg("-c")
            .arg(file)
            .args(["--fail-on", "critical", "-o", &format!("json={}", report.display())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Scan { child, report }
    }

    fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait("the scan to end", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }

    fn report(&self) -> Value {
        serde_json::from_slice(&std::fs::read(&self.report).unwrap()).unwrap()
    }
}

impl Drop for Scan {
    fn drop(&mut self) {
        // A test that failed leaves no scan behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The observation of this kind.
fn seen<'a>(report: &'a Value, kind: &str) -> &'a Value {
    report["observations"].as_array().unwrap().iter().find(|seen| seen["kind"] == kind).unwrap()
}

/// The status and the reason of the result for this data set.
fn result<'a>(report: &'a Value, item: &str) -> (&'a str, &'a str) {
    let results = report["results"].as_array().unwrap();
    let found = results.iter().find(|result| result["check"] == "data.retention" && result["item"] == item).unwrap();
    (found["status"].as_str().unwrap(), found["reason"].as_str().unwrap())
}

fn target(postgres: &Postgres) -> String {
    format!(
        "{{ id: db, kind: database, engine: postgresql, address: '127.0.0.1:{}', database: postgres, \
         credentials: {{ user: postgres, password: 'env:PROBITY_TEST_PASSWORD' }}, tls: {{ ca: '{}' }} }}",
        postgres.port,
        postgres.ca().display()
    )
}

/// How many sessions of ours the server has.
fn sessions(postgres: &Postgres) -> String {
    postgres.sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'probity'")
}

#[test]
fn a_locked_table_is_not_evaluated_and_the_rest_is() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let scratch = Scratch::new("stopped-lock");
    postgres.sql(
        "postgres",
        "CREATE TABLE held (seen timestamptz); INSERT INTO held VALUES ('2001-01-01'); \
         CREATE TABLE free (seen timestamptz); INSERT INTO free VALUES (now())",
    );
    // It holds the table until long after the scan has to end.
    let lock = "BEGIN; LOCK TABLE held IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(600)";
    let mut holder = postgres.session(lock);
    let held = "SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass AND granted";
    wait("the lock", || postgres.sql("postgres", held) == "1");
    let time = "expr: seen, type: timestamptz";
    let sets = set("held", "db", "public.held", time, "") + &set("free", "db", "public.free", time, "");
    let mut scan = Scan::start(&scratch, &target(&postgres), &sets);
    let status = scan.end();
    assert_eq!(postgres.sql("postgres", held), "1", "the scan did not wait for the lock to be given back");
    assert_eq!(status.code(), Some(3), "what was not seen is no pass, and no failure either");
    let report = scan.report();
    let (held, why) = result(&report, "held");
    assert_eq!(held, "not-evaluated");
    assert!(why.contains("locked by another session"), "{why}");
    assert_eq!(result(&report, "free").0, "pass");
    wait("our session to be gone, and with it every lock", || sessions(&postgres) == "0");
    let queue = "SELECT count(*) FROM pg_locks WHERE relation = 'held'::regclass AND NOT granted";
    assert_eq!(postgres.sql("postgres", queue), "0");
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn ctrl_c_while_postgresql_counts_ends_its_query_as_well() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let scratch = Scratch::new("stopped-postgres");
    // To compare a value of this type with a text takes ten minutes.
    postgres.sql(
        "postgres",
        "CREATE TYPE slow; \
         CREATE FUNCTION slow_in(cstring) RETURNS slow LANGUAGE internal IMMUTABLE STRICT AS 'textin'; \
         CREATE FUNCTION slow_out(slow) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout'; \
         CREATE TYPE slow (INPUT = slow_in, OUTPUT = slow_out, LIKE = text); \
         CREATE FUNCTION slow_text(slow) RETURNS text LANGUAGE sql VOLATILE AS $$SELECT 'a'::text FROM pg_sleep(600)$$; \
         CREATE CAST (slow AS text) WITH FUNCTION slow_text(slow) AS IMPLICIT; \
         CREATE TABLE visitors (seen timestamptz, kind slow); INSERT INTO visitors VALUES ('2001-01-01', 'a')",
    );
    let more = "      filter: kind = 'a'\n";
    let sets = set("visitors", "db", "public.visitors", "expr: seen, type: timestamptz", more);
    let mut scan = Scan::start(&scratch, &target(&postgres), &sets);
    let counting =
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'probity' AND wait_event = 'PgSleep'";
    wait("the count to begin", || postgres.sql("postgres", counting) == "1");
    assert!(signal(scan.child.id(), "INT"));
    assert_eq!(scan.end().code(), Some(130));
    // The server would go on for minutes, were it not told.
    wait("the server to give up the count", || sessions(&postgres) == "0");
    let report = scan.report();
    assert_eq!(report["run"]["interrupted"], true);
    for kind in ["db.transport", "db.auth", "db.audit", "db.at_rest"] {
        assert_eq!(seen(&report, kind)["status"], "complete", "{kind} was complete before");
    }
    for kind in ["data.inventory", "data.retention"] {
        assert_eq!(seen(&report, kind)["trouble"]["reason"], "interrupted", "{kind}");
    }
}

/// Whether somebody reads this file as a database.
fn is_read(path: &Path) -> bool {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.busy_timeout(Duration::ZERO).unwrap();
    connection.execute_batch("BEGIN EXCLUSIVE; ROLLBACK").is_err()
}

#[test]
fn ctrl_c_while_sqlite_scans_ends_at_once() {
    let scratch = Scratch::new("stopped-sqlite");
    let path = scratch.path().join("data.sqlite");
    // Every row makes a text of megabytes anew: milliseconds of work, a hundred thousand times.
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, seen INTEGER); \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
             INSERT INTO t (id, seen) SELECT i, 1 FROM n; \
             ALTER TABLE t ADD COLUMN kind TEXT AS (substr(hex(zeroblob(4000000 + id % 7)), 1, 1)) VIRTUAL",
        )
        .unwrap();
    let target = format!("{{ id: archive, kind: file, engine: sqlite, address: '{}' }}", path.display());
    let sets = set("rows", "archive", "t", "expr: seen, type: epoch_s", "      filter: kind = '0'\n");
    let mut scan = Scan::start(&scratch, &target, &sets);
    // Other statements read for an instant; only the scan reads on and on.
    let mut in_a_row = 0;
    wait("the scan to begin", || {
        in_a_row = if is_read(&path) { in_a_row + 1 } else { 0 };
        in_a_row == 10
    });
    assert!(signal(scan.child.id(), "INT"));
    assert_eq!(scan.end().code(), Some(130));
    let report = scan.report();
    assert_eq!(report["run"]["interrupted"], true);
    assert_eq!(seen(&report, "db.at_rest")["status"], "complete");
    assert_eq!(seen(&report, "data.inventory")["status"], "complete");
    assert_eq!(seen(&report, "data.retention")["trouble"]["reason"], "interrupted");
}
