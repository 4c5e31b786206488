//! The collector of SQLite files, on real files.

use crate::support::Scratch;
use probity::collect::sqlite::retention::{Effort, measure_with};
use probity::collect::sqlite::{Sqlite, Store};
use probity::collect::{CollectContext, Collector as _, Documents, Job, Limits, Secret, Secrets, Silent};
use probity::model::database::AtRest;
use probity::model::retention::{Inventory, Measured, Retention, Schedule, Strategy};
use probity::model::target::Engine;
use probity::model::{
    Fact, FixedClock, Observation, ObservationStatus, Reason, SecretRef, Target, TargetKind, Trouble,
};
use rusqlite::Connection;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const AS_OF: &str = "2026-11-23T12:00:00Z";

struct Nothing;

impl probity::net::Dial for Nothing {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> probity::net::Dialing<'a, Vec<SocketAddr>> {
        Box::pin(async { panic!("a file needs no network") })
    }
    fn connect(&self, _: SocketAddr, _: Duration) -> probity::net::Dialing<'_, Box<dyn probity::net::Stream>> {
        Box::pin(async { panic!("a file needs no network") })
    }
}

impl probity::net::Random for Nothing {
    fn fill(&self, _: &mut [u8]) {}
}

impl Secrets for Nothing {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Err("there is none".to_owned())
    }
}

fn collect(path: &Path, schedule: Option<Schedule>) -> Vec<Observation> {
    collect_within(path, schedule, Limits::default())
}

fn collect_within(path: &Path, schedule: Option<Schedule>, limits: Limits) -> Vec<Observation> {
    let context = CollectContext {
        clock: Arc::new(FixedClock(AS_OF.parse().unwrap())),
        dial: Arc::new(Nothing),
        random: Arc::new(Nothing),
        progress: Arc::new(Silent),
        secrets: Arc::new(Nothing),
        cancel: tokio_util::sync::CancellationToken::new(),
        limits,
        documents: Arc::new(Documents { retention: schedule, register: None, ..Documents::default() }),
        halfway: Arc::default(),
    };
    let mut target = Target::new("archive", TargetKind::File, path.display().to_string());
    target.engine = Some(Engine::Sqlite);
    assert!(Sqlite.accepts(&target));
    let job = Job { target, addresses: Vec::new(), earlier: Vec::new() };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let observations = runtime.block_on(Sqlite.collect(&job, &context));
    let kinds: Vec<&str> = observations.iter().map(|observation| observation.kind.as_str()).collect();
    assert_eq!(kinds, Sqlite.yields(), "one of each kind, whatever happens");
    observations
}

fn find<'a>(observations: &'a [Observation], kind: &str) -> &'a Observation {
    observations.iter().find(|observation| observation.kind == kind).unwrap()
}

fn trouble(path: &Path) -> Trouble {
    let observations = collect(path, Some(schedule("")));
    for observation in &observations {
        assert_eq!(observation.status, ObservationStatus::Failed, "{}", observation.kind);
    }
    observations[0].trouble.clone().unwrap()
}

/// A schedule of one data set `rows` with these further lines.
fn schedule(lines: &str) -> Schedule {
    let timestamp = if lines.contains("timestamp:") { "" } else { "    timestamp: {expr: seen, type: epoch_s}\n" };
    let indented: String = lines.lines().map(|line| format!("    {}\n", line.trim())).collect();
    let yaml = format!(
        "data_sets:\n  - id: rows\n    store: archive\n    object: {{table: t}}\n    kind: primary\n    \
         data_categories: [contact]\n    subject_categories: [visitor]\n    anchor: created\n    max_age: 9 months\n    \
         legal_basis: {{article: '6(1)(f)', purpose: support}}\n    action: {}\n    mechanism: {{type: job}}\n\
         {timestamp}{indented}",
        if lines.contains("anonymise") { "anonymise" } else { "delete" }
    );
    serde_yaml::from_str(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

fn file(scratch: &Scratch, sql: &str) -> PathBuf {
    let path = scratch.path().join("data.sqlite");
    let _ = std::fs::remove_file(&path);
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    path
}

fn measure(path: &Path, schedule: &Schedule, effort: Effort) -> Measured {
    let mut store = Store::open(path, Arc::default()).unwrap();
    let mut retention = measure_with(&mut store, schedule, "archive", AS_OF.parse().unwrap(), effort);
    assert_eq!(retention.data_sets.len(), 1);
    retention.data_sets.remove(0)
}

/// So little is small that nothing is read whole.
const LARGE: Effort = Effort { small_file: 0, small_rows: 0 };

// 2026-02-23T00:00:00Z is the cutoff of nine months.
const CUTOFF: i64 = 1_771_804_800;

#[test]
fn every_row_of_a_small_table_is_counted_in_its_kind() {
    let scratch = Scratch::new("sqlite-small");
    let late = CUTOFF + 400 * 86_400;
    let path = file(
        &scratch,
        &format!(
            "CREATE TABLE t (seen, made, gone, kind, keep);
             INSERT INTO t (seen, kind) VALUES ({CUTOFF}, 'a'), ({CUTOFF} - 1, 'a'), ({CUTOFF} - 86400, 'a');
             INSERT INTO t (seen, kind) VALUES ({CUTOFF} - 1, 'other'), (NULL, 'other');
             INSERT INTO t (seen, made, kind) VALUES (NULL, {CUTOFF} - 1, 'a'), (NULL, {CUTOFF}, 'a'), (NULL, NULL, 'a');
             INSERT INTO t (seen, kind) VALUES (0, 'a'), (253402214400, 'a'), ('yesterday', 'a'), (x'00', 'a');
             INSERT INTO t (seen, kind) VALUES ({late}, 'a');
             INSERT INTO t (seen, kind, keep) VALUES ({CUTOFF} - 5, 'a', 42);
             INSERT INTO t (seen, kind, gone) VALUES (1, 'a', {CUTOFF}), (1, 'a', 1795400000);"
        ),
    );
    let schedule = schedule(
        "timestamp: {expr: seen, type: epoch_s, fallback: made}
         filter: kind = 'a'
         soft_delete: {expr: gone, max_age: 30 days}
         holds: [{id: case, reason: r, authority: legal, from: 2026-03-01, review_on: 2027-03-01, scope: {predicate: keep = 42}}]",
    );
    let found = measure(&path, &schedule, Effort::default());
    assert_eq!(found.strategy, Strategy::SmallTable);
    assert!(found.exact);
    // Two by the first expression, one by the second, one marked as deleted long ago.
    assert_eq!(found.violating, Fact::Known(4), "{found:?}");
    assert_eq!(found.soft_deleted, Fact::Known(1));
    assert_eq!(found.fallback_dated, Fact::Known(2));
    assert_eq!(found.held, Fact::Known(1));
    assert_eq!(found.undatable, Fact::Known(5));
    assert_eq!(found.future, Fact::Known(1));
    let sentinels: Vec<_> = found.sentinels.iter().map(|sentinel| (sentinel.value.as_str(), sentinel.rows)).collect();
    assert_eq!(sentinels, [("1970-01-01", 1), ("9999-12-31", 1)]);
    assert_eq!(found.cutoff_utc, "2026-02-23T00:00:00Z");
    assert_eq!(found.oldest_day, Fact::Known("2026-02-22".to_owned()));
    // The row marked as deleted on 2026-02-23 could stay until 2026-03-25.
    assert_eq!(found.overdue_days, Fact::Known(243));
    assert_eq!(found.severity, "high", "that is more than twice its 30 days");
}

#[test]
fn the_cutoff_itself_is_good_in_every_type_of_column() {
    let scratch = Scratch::new("sqlite-types");
    for (kind, good, bad) in [
        ("epoch_s", "1771804800", "1771804799"),
        ("epoch_ms", "1771804800000", "1771804799999"),
        ("epoch_us", "1771804800000000", "1771804799999999"),
        ("epoch_ns", "1771804800000000000", "1771804799999999999"),
        ("iso8601_utc_text", "'2026-02-23T00:00:00Z'", "'2026-02-22T23:59:59Z'"),
        ("iso8601_utc_text", "'2026-02-23T00:00:00.000Z'", "'2026-02-22T23:59:59.999999Z'"),
        ("timestamp", "'2026-02-23 00:00:00'", "'2026-02-22 23:59:59.9'"),
        ("date", "'2026-02-23'", "'2026-02-22'"),
        ("uuidv7", "'019c87cb-b400-7000-8000-000000000000'", "'019c87cb-b3ff-7fff-8fff-ffffffffffff'"),
        ("objectid", "'699b98800000000000000000'", "'699b987fffffffffffffffff'"),
    ] {
        let path = file(
            &scratch,
            &format!("CREATE TABLE t (seen); CREATE INDEX i ON t (seen); INSERT INTO t VALUES ({good}), ({good})"),
        );
        let schedule = schedule(&format!("timestamp: {{expr: seen, type: {kind}}}"));
        for effort in [Effort::default(), LARGE] {
            let found = measure(&path, &schedule, effort);
            assert_eq!(found.violating, Fact::Known(0), "{kind} {good} {found:?}");
        }
        Connection::open(&path).unwrap().execute_batch(&format!("INSERT INTO t VALUES ({bad})")).unwrap();
        for effort in [Effort::default(), LARGE] {
            let found = measure(&path, &schedule, effort);
            assert_eq!(found.violating, Fact::Known(1), "{kind} {bad} {found:?}");
            assert_eq!(found.overdue_days, Fact::Known(1), "{kind}");
        }
    }
}

#[test]
fn a_text_of_another_form_cannot_be_dated() {
    let scratch = Scratch::new("sqlite-forms");
    let sql = "CREATE TABLE t (seen); CREATE INDEX i ON t (seen);
        INSERT INTO t VALUES ('2020-01-01 00:00:00'), ('01/02/2020'), (''), ('2026-10-10T00:00:00+02:00'), (17), ('0000-00-00T00:00:00Z')";
    let path = file(&scratch, sql);
    let schedule = schedule("timestamp: {expr: seen, type: iso8601_utc_text}");
    let found = measure(&path, &schedule, Effort::default());
    assert_eq!((found.violating, found.undatable), (Fact::Known(0), Fact::Known(6)));
    assert_eq!(found.sentinels[0].value, "0000-00-00");
    let path = file(&scratch, "CREATE TABLE t (seen); CREATE INDEX i ON t (seen); INSERT INTO t VALUES ('01/02/2020')");
    let found = measure(&path, &schedule, LARGE);
    assert!(found.undatable.known().is_none(), "an index does not show such a text: {found:?}");
}

#[test]
fn an_anonymised_row_is_no_violation_and_a_hashed_one_is() {
    let scratch = Scratch::new("sqlite-anonymise");
    let path = file(
        &scratch,
        "CREATE TABLE t (seen, who, mail);
         INSERT INTO t VALUES (1000, NULL, NULL), (1000, NULL, 'removed-7'), (1000, 'd41d8cd98f', NULL), (1000, NULL, 'a@b.example')",
    );
    let schedule = schedule(
        "subject_key: {expr: who, namespace: visitor_id}
         personal_columns: [{expr: mail, anonymised_as: 'removed-*'}]
         # action: anonymise",
    );
    assert_eq!(measure(&path, &schedule, Effort::default()).violating, Fact::Known(2));
}

fn many(index: &str) -> String {
    format!(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, seen, gone); {index}
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
         INSERT INTO t (seen) SELECT {CUTOFF} + i FROM n;"
    )
}

#[test]
fn a_large_table_is_measured_by_its_index() {
    let scratch = Scratch::new("sqlite-index");
    let path = file(&scratch, &many("CREATE INDEX i ON t (seen);"));
    let found = measure(&path, &schedule(""), LARGE);
    assert_eq!((found.strategy, &found.violating), (Strategy::Index, &Fact::Known(0)), "{found:?}");
    assert_eq!((found.undatable, found.future), (Fact::Known(0), Fact::Known(0)));
    assert!(found.plan.contains("USING") && found.query.contains("1771804800"), "{} {}", found.plan, found.query);
    let more = format!(
        "UPDATE t SET seen = {CUTOFF} - 86400 * 600 WHERE id <= 1500; UPDATE t SET seen = NULL WHERE id = 2000"
    );
    Connection::open(&path).unwrap().execute_batch(&more).unwrap();
    let found = measure(&path, &schedule(""), LARGE);
    assert_eq!((found.violating, found.capped), (Fact::Known(1000), true));
    assert_eq!(found.undatable, Fact::Known(1));
    // 2024-07-03 and nine months is 2025-04-03.
    assert_eq!(found.overdue_days, Fact::Known(599));
    assert!(found.summary.starts_with("at least 1000 rows past 9 months"), "{}", found.summary);
    let found = measure(&path, &schedule("measure: {limit: 5000}"), LARGE);
    assert_eq!((found.violating, found.capped), (Fact::Known(1500), false));
}

#[test]
fn without_an_index_a_sample_is_drawn_and_never_passes_by_itself() {
    let scratch = Scratch::new("sqlite-sample");
    for index in ["", "CREATE INDEX i ON t (seen) WHERE gone IS NULL;", "CREATE INDEX i ON t (gone, seen);"] {
        let path = file(&scratch, &many(index));
        let found = measure(&path, &schedule(""), LARGE);
        assert_eq!(found.strategy, Strategy::Sample, "{index} {found:?}");
        assert!(found.violating.reason().unwrap().contains("95 %"), "{:?}", found.violating);
        assert_eq!(found.sampled.rows, 3000, "every row id exists, and so many are enough");
        assert_eq!(found.sampled.rate_bound_ppm, 1000);
        let found = measure(&path, &schedule("measure: {accept_rate: 0.001}"), LARGE);
        assert_eq!((found.violating, found.accepted_by_sample, found.exact), (Fact::Known(0), true, false));
        let found = measure(&path, &schedule("measure: {accept_rate: 0.0002}"), LARGE);
        assert_eq!((found.violating, found.sampled.rows), (Fact::Known(0), 15_000), "who accepts less is drawn more");
        let found = measure(&path, &schedule("measure: {accept_rate: 0.0001}"), LARGE);
        assert!(found.violating.known().is_none());
        Connection::open(&path).unwrap().execute_batch("UPDATE t SET seen = 5 WHERE id % 10 = 0").unwrap();
        let found = measure(&path, &schedule(""), LARGE);
        assert!(*found.violating.known().unwrap() > 200 && found.capped, "{found:?}");
        let found = measure(&path, &schedule("measure: {strategy: bounded}"), LARGE);
        assert!(found.violating.known().is_none());
    }
}

#[test]
fn what_cannot_be_measured_is_unknown_with_its_reason() {
    let scratch = Scratch::new("sqlite-unknown");
    let path = file(
        &scratch,
        "CREATE TABLE u (seen); CREATE TABLE w (k PRIMARY KEY, seen) WITHOUT ROWID; CREATE VIEW v AS SELECT 1 AS seen",
    );
    let unknown = |lines: &str, table: &str, words: &str| {
        let mut schedule = schedule(lines);
        schedule.data_sets[0].object = probity::model::retention::Object::Table(table.to_owned());
        let found = measure(&path, &schedule, LARGE);
        let reason = found.violating.reason().unwrap_or_else(|| panic!("{found:?}"));
        assert!(reason.contains(words), "{reason}");
        for fact in [&found.undatable, &found.future, &found.held, &found.total_estimate] {
            assert!(fact.known().is_none());
        }
    };
    unknown("", "t", "no such table");
    unknown("", "v", "a view is not measured");
    unknown("", "other.t", "no schema but `main`");
    unknown("", "w", "no row ids");
    unknown("timestamp: {expr: lost, type: epoch_s}\nmeasure: {strategy: exact}", "u", "no such column");
    unknown("timestamp: {expr: seen, type: timestamptz}", "u", "no type timestamptz");
    unknown("timestamp: {expr: seen, type: expr}", "u", "declare the type");
    unknown("measure: {replica: other}", "u", "`other`");
    unknown("measure: {strategy: partitions}", "u", "partitions");
}

#[test]
fn a_hold_by_a_list_leaves_violations_open() {
    let scratch = Scratch::new("sqlite-hold");
    let path = file(&scratch, "CREATE TABLE t (seen); INSERT INTO t VALUES (5)");
    let hold = |to: &str| {
        format!(
            "holds: [{{id: h, reason: r, authority: a, from: 2026-01-01, {to}review_on: 2026-06-01, scope: {{subjects: list}}}}]"
        )
    };
    assert!(measure(&path, &schedule(&hold("")), Effort::default()).violating.known().is_none());
    let ended = measure(&path, &schedule(&hold("to: 2026-11-22, ")), Effort::default());
    assert_eq!(ended.violating, Fact::Known(1), "a hold that is over keeps nothing");
}

#[test]
fn a_statement_that_takes_too_long_is_stopped() {
    let scratch = Scratch::new("sqlite-slow");
    let path = file(&scratch, &many(""));
    let store = Store::open(&path, Arc::default()).unwrap();
    let started = std::time::Instant::now();
    let error = store.rows("SELECT count(*) FROM t a, t b, t c", Duration::from_millis(200)).unwrap_err();
    assert_eq!(error.reason, Reason::TimedOut);
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(store.rows("SELECT 1", Duration::from_secs(5)).is_ok(), "the next one has its own time");
    assert!(store.rows("DELETE FROM t", Duration::from_secs(5)).is_err(), "nothing is written");
}

#[test]
fn a_whole_look_at_a_plain_file() {
    let scratch = Scratch::new("sqlite-look");
    let sql = "PRAGMA journal_mode = WAL; CREATE TABLE t (seen, email); CREATE TABLE people (user_id, note);
               CREATE TABLE plain (a); CREATE TABLE old (phone); INSERT INTO t VALUES (5, 'x@example.org')";
    let path = file(&scratch, sql);
    let mut schedule = schedule(
        "holds: [{id: h, reason: r, authority: a, from: 2026-01-01, review_on: 2026-06-01, scope: {predicate: seen = 7}}]
         copies: [{store: tape, kind: backup, max_age: 35 days}, {store: lost, kind: backup}]",
    );
    let exempt = r#"[{"store": "archive", "object": {"table": "main.old"}, "reason": "test data"}]"#;
    schedule.exempt = serde_json::from_str(exempt).unwrap();
    let observations = collect(&path, Some(schedule));
    // Nobody is looked for where nobody is named.
    assert_eq!(find(&observations, "data.subjects").trouble.as_ref().unwrap().reason, Reason::Unsupported);
    let others = observations.iter().filter(|observation| observation.kind != "data.subjects");
    assert!(others.clone().all(|observation| observation.status == ObservationStatus::Complete));
    let text = serde_json::to_string(&observations).unwrap();
    assert!(!text.contains("x@example.org"), "no value of a person is kept");
    let rest: AtRest = find(&observations, "db.at_rest").read().unwrap();
    assert_eq!(rest.layers[0].encrypted, Fact::Known(false));
    assert_eq!((rest.layers[0].level, rest.files[0].state.clone()), (5, Fact::Known("plain".to_owned())));
    for kind in ["db.transport", "db.auth", "db.audit"] {
        assert_eq!(find(&observations, kind).data["applicable"], false, "{kind}");
    }
    let inventory: Inventory = find(&observations, "data.inventory").read().unwrap();
    let tables: Vec<_> =
        inventory.tables.iter().map(|t| (t.name.as_str(), t.personal, t.scheduled, t.exempt.as_str())).collect();
    let expected = [
        ("old", true, false, "test data"),
        ("people", true, false, ""),
        ("plain", false, false, ""),
        ("t", true, true, ""),
    ];
    assert_eq!(tables, expected);
    let retention: Retention = find(&observations, "data.retention").read().unwrap();
    assert_eq!(retention.data_sets[0].violating, Fact::Known(1));
    assert!(retention.holds[0].review_overdue && retention.holds[0].key == "rows/h");
    let backups: Vec<_> = retention.backups.iter().map(|b| (b.key.as_str(), b.longest_days)).collect();
    assert_eq!(backups, [("rows/tape", 35), ("rows/lost", 0)]);
    assert_eq!(retention.backups[1].declared, Fact::Known(false));
    for observation in others {
        let schema = serde_json::to_value((probity::model::kind::find(&observation.kind).unwrap().schema)()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let data = serde_json::Value::Object(observation.data.clone());
        assert!(validator.is_valid(&data), "{}", observation.kind);
    }
}

#[test]
fn the_log_beside_the_file_is_looked_at_too() {
    let scratch = Scratch::new("sqlite-wal");
    let path = scratch.path().join("data.sqlite");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (seen); INSERT INTO t VALUES (5)").unwrap();
    let observations = collect(&path, Some(schedule("")));
    let rest: AtRest = find(&observations, "db.at_rest").read().unwrap();
    assert_eq!((rest.files[1].kind.as_str(), &rest.files[1].state), ("wal", &Fact::Known("plain".to_owned())));
    assert_eq!(rest.files[2].state, Fact::Known("absent".to_owned()));
    let retention: Retention = find(&observations, "data.retention").read().unwrap();
    assert_eq!(retention.data_sets[0].violating, Fact::Known(1), "what is only in the log is read");
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 7u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn an_encrypted_file_is_told_and_not_read() {
    let scratch = Scratch::new("sqlite-encrypted");
    let path = scratch.write("secret.sqlite", noise(16_384));
    let observations = collect(&path, Some(schedule("")));
    let rest: AtRest = find(&observations, "db.at_rest").read().unwrap();
    assert_eq!((&rest.layers[0].encrypted, rest.layers[0].level), (&Fact::Known(true), 2));
    assert!(rest.layers[0].algorithm.known().is_none());
    assert_eq!(find(&observations, "data.retention").trouble.as_ref().unwrap().reason, Reason::Unsupported);
    // The header may be left readable.
    let mut bytes = noise(16_384);
    bytes[..32].copy_from_slice(b"SQLite format 3\0\x10\0\x01\x01\x50\x40\x20\x20\0\0\0\x01\0\0\0\x04");
    let observations = collect(&scratch.write("header.sqlite", bytes), Some(schedule("")));
    let rest: AtRest = find(&observations, "db.at_rest").read().unwrap();
    assert_eq!(rest.layers[0].encrypted, Fact::Known(true));
}

#[test]
fn what_is_no_database_is_told_apart() {
    let scratch = Scratch::new("sqlite-trouble");
    assert_eq!(trouble(&scratch.path().join("absent.sqlite")).reason, Reason::Unreachable);
    assert_eq!(trouble(scratch.path()).reason, Reason::ProtocolViolation);
    assert_eq!(trouble(&scratch.write("text.sqlite", "hello ".repeat(5000))).reason, Reason::ProtocolViolation);
    assert_eq!(trouble(&scratch.write("short.sqlite", "hello")).reason, Reason::ProtocolViolation);
    let mut zip = noise(20_000);
    zip[..4].copy_from_slice(b"PK\x03\x04");
    assert_eq!(trouble(&scratch.write("zip.sqlite", zip)).reason, Reason::ProtocolViolation);
    let mut damaged = vec![0; 8192];
    damaged[..16].copy_from_slice(b"SQLite format 3\0");
    assert_eq!(trouble(&scratch.write("damaged.sqlite", damaged)).reason, Reason::ProtocolViolation);
}

#[test]
fn an_empty_file_proves_nothing() {
    let scratch = Scratch::new("sqlite-empty");
    let observations = collect(&scratch.write("empty.sqlite", ""), Some(schedule("")));
    let rest: AtRest = find(&observations, "db.at_rest").read().unwrap();
    assert!(rest.layers[0].encrypted.known().is_none());
    let retention: Retention = find(&observations, "data.retention").read().unwrap();
    assert!(retention.data_sets[0].violating.known().is_none());
}

#[test]
fn a_corrupt_table_is_not_evaluated() {
    let scratch = Scratch::new("sqlite-corrupt");
    let path = file(&scratch, &many(""));
    let mut bytes = std::fs::read(&path).unwrap();
    for byte in bytes.iter_mut().skip(4096) {
        *byte = 0xAA;
    }
    std::fs::write(&path, bytes).unwrap();
    let observations = collect(&path, Some(schedule("")));
    let retention: Retention = find(&observations, "data.retention").read().unwrap();
    assert!(retention.data_sets[0].violating.reason().unwrap().contains("corrupt"), "{:?}", retention.data_sets[0]);
}

#[test]
fn what_was_complete_before_the_deadline_is_kept() {
    let scratch = Scratch::new("sqlite-cut");
    let sql = "CREATE TABLE t (seen, t); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 300000) \
               INSERT INTO t SELECT i, hex(zeroblob(50)) FROM n";
    let path = file(&scratch, sql);
    let patterns: Vec<String> = (0..24).map(|n| format!("t LIKE '%0%0%0%0%0%0%0%0%0%0%1{n}'")).collect();
    let slow = format!("filter: \"{}\"\nmeasure: {{timeout: 60s, strategy: exact}}", patterns.join(" OR "));
    let limits = Limits { target_time: Duration::from_millis(700), ..Limits::default() };
    let seen = collect_within(&path, Some(schedule(&slow)), limits);
    assert_eq!(find(&seen, "data.retention").trouble.as_ref().unwrap().reason, Reason::TimedOut);
    let late = ["data.retention", "data.subjects"];
    for observation in seen.iter().filter(|observation| !late.contains(&observation.kind.as_str())) {
        assert_eq!(observation.status, ObservationStatus::Complete, "{}", observation.kind);
    }
}

#[test]
fn no_means_is_found_in_a_file() {
    let scratch = Scratch::new("sqlite-means");
    let path = file(&scratch, "CREATE TABLE t (seen); INSERT INTO t VALUES (5)");
    let retention: Retention = find(&collect(&path, Some(schedule(""))), "data.retention").read().unwrap();
    let means = &retention.mechanisms[0];
    assert!(means.found.reason().unwrap().contains("scheduler") && means.contradicted, "{means:?}");
}
