//! Measuring on a real PostgreSQL: the exact strategies against a count by hand, and everything that can go wrong under way.

use crate::support::mariadb::cutting;
use crate::support::postgres::{PASSWORD, Postgres, Posture};
use crate::support::store::{Look, read};
use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};
use probity::collect::postgres::Postgres as Collects;
use probity::collect::postgres::retention::{Effort, measure_with};
use probity::model::retention::{Measured, Retention, Schedule, Strategy as Way, Zone};
use probity::model::target::Engine;
use probity::model::{Fact, FixedClock, ObservationStatus, Reason};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ZONES: &[&str] = &["UTC", "Europe/Dublin", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati"];

fn day(second: i64, zone: &Zone) -> Date {
    zone.rules().to_datetime(Timestamp::from_second(second).unwrap()).date()
}

fn is_past(row: i64, as_of: i64, zone: &Zone, months: i64, days: i64) -> bool {
    let end = day(row, zone).checked_add(Span::new().months(months)).unwrap();
    day(as_of, zone) > end.checked_add(Span::new().days(days)).unwrap()
}

fn yaml(more: &str) -> String {
    format!(
        "data_sets: [{{id: rows, store: db, object: {{table: public.t}}, kind: primary, data_categories: [contact], \
         subject_categories: [visitor], anchor: created, legal_basis: {{article: a, purpose: p}}, action: delete, \
         mechanism: {{type: job}}, {more}}}]"
    )
}

#[test]
fn exact_strategies_count_what_brute_force_counts() {
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let client = runtime.block_on(async {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(postgres.port).user("postgres").password(PASSWORD).dbname("postgres");
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    });
    let strategy = (
        1_600_000_000i64..1_800_000_000,
        0..ZONES.len(),
        (0i64..14, 1i64..40, 0i64..5),
        proptest::collection::vec((0i64..500 * 86_400, 0u8..3, any::<bool>()), 1..60),
        0usize..5,
    );
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(40)
    });
    let outcome = runner.run(&strategy, |(as_of, zone, (months, days, grace), rows, kind)| {
        let name = ZONES[zone];
        let zone: Zone = name.parse().unwrap();
        let (types, column) = [
            ("timestamptz", "timestamptz"),
            ("timestamp, column_time_zone: UTC", "timestamp"),
            ("epoch_ms", "bigint"),
            ("iso8601_utc_text", "text"),
            ("date", "date"),
        ][kind];
        let values: Vec<String> = rows
            .iter()
            .map(|(age, kind_of_row, keep)| {
                let instant = Timestamp::from_second(as_of - age).unwrap();
                let value = match column {
                    "bigint" => ((as_of - age) * 1000 + 999).to_string(),
                    "date" => format!("'{}'", day(as_of - age, &zone)),
                    "timestamp" => format!("'{}'", instant.strftime("%F %T")),
                    _ => format!("'{instant}'"),
                };
                format!("({value}, {kind_of_row}, {keep})")
            })
            .collect();
        let sql = format!(
            "DROP TABLE IF EXISTS t; CREATE TABLE t (seen {column}, kind int, keep_it bool); CREATE INDEX ON t (seen); \
             INSERT INTO t VALUES {}; ANALYZE t",
            values.join(", ")
        );
        runtime.block_on(client.batch_execute(&sql)).unwrap();
        let past = |held: bool| {
            let is_one = |(age, kind, keep): &&(i64, u8, bool)| {
                *kind < 2 && (*keep && *kind == 1) == held && is_past(as_of - age, as_of, &zone, months, days + grace)
            };
            rows.iter().filter(is_one).count() as u64
        };
        for (wish, way) in [("auto", Way::Index), ("exact", Way::SmallTable)] {
            let text = yaml(&format!(
                "timestamp: {{expr: seen, type: {types}}}, max_age: {months} months {days} days, grace: {grace} days, \
                 filter: kind < 2, measure: {{strategy: {wish}}}, holds: [{{id: h, reason: r, authority: a, \
                 from: 2000-01-01, review_on: 2100-01-01, scope: {{predicate: keep_it AND kind = 1}}}}]"
            ));
            let schedule: Schedule = serde_yaml::from_str(&format!("time_zone: {name}\n{text}")).unwrap();
            let at = Timestamp::from_second(as_of).unwrap();
            let effort = Effort { small_table: 0, max_cost: 1e6 };
            let found = runtime.block_on(measure_with(&client, &schedule, "db", at, effort)).data_sets.remove(0);
            prop_assert_eq!(found.strategy, way, "{:?}", found);
            prop_assert_eq!(&found.violating, &Fact::Known(past(false)), "{:?}", found);
            prop_assert_eq!(&found.held, &Fact::Known(past(true)), "{:?}", found);
            prop_assert_eq!(found.overdue_days.known().unwrap() > &0, past(false) > 0, "{:?}", found);
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

const AS_OF: &str = "2026-11-23T12:00:00Z";
const SEEN: &str = "timestamp: {expr: seen, type: timestamptz}, max_age: 9 months";

fn look(port: u16, user: &str, more: &str) -> Look {
    let mut look = Look::new(Engine::Postgresql, port, user, PASSWORD).with(&yaml(more));
    look.target.connection.database = Some("postgres".to_owned());
    look.clock = Arc::new(FixedClock(AS_OF.parse().unwrap()));
    look
}

fn measured(port: u16, user: &str, more: &str) -> Measured {
    let seen = look(port, user, more).run(&Collects);
    assert!(!serde_json::to_string(&seen).unwrap().contains("example.org"), "a person's data stands in the evidence");
    read::<Retention>(&seen, "data.retention").data_sets.remove(0)
}

/// No session of ours is left, and no transaction.
fn assert_gone(postgres: &Postgres) {
    let end = Instant::now() + Duration::from_secs(10);
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
    while postgres.sql("postgres", sql) != "0" {
        assert!(Instant::now() < end, "a session is still open");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const ROWS: &str = "CREATE TABLE t (seen timestamptz, gone timestamptz, email text, keep_it int);
    INSERT INTO t SELECT '2020-01-01'::timestamptz + n * interval '1 day', NULL, 'someone@example.org', 0 FROM generate_series(1, 10) n;
    CREATE ROLE auditor LOGIN; GRANT SELECT ON t TO auditor; CREATE VIEW raises AS SELECT seen, 1 / keep_it AS n FROM t;
    GRANT SELECT ON raises TO auditor; CREATE MATERIALIZED VIEW copied AS SELECT * FROM t; GRANT SELECT ON copied TO auditor";

#[test]
fn a_row_that_raises_a_view_and_a_wrong_clock_are_told() {
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    postgres.sql("postgres", ROWS);
    assert_eq!(measured(postgres.port, "auditor", SEEN).violating, Fact::Known(10));
    // What a row makes fail is not evaluated, and the value in the server's words is a person's.
    for filter in ["1 / keep_it = 1", "email::integer = 1", "email::date = seen"] {
        let found = measured(postgres.port, "auditor", &format!("{SEEN}, filter: '{filter}'"));
        assert!(found.violating.reason().is_some(), "{filter}: {found:?}");
        assert!(found.oldest_day.known().is_none() && found.undatable.known().is_none(), "{filter}: {found:?}");
    }
    let view = |name: &str| {
        let text = yaml(SEEN).replace("public.t", name);
        let mut look = look(postgres.port, "auditor", SEEN);
        look.schedule = Some(serde_yaml::from_str(&text).unwrap());
        read::<Retention>(&look.run(&Collects), "data.retention").data_sets.remove(0)
    };
    let found = view("public.raises");
    assert!(found.violating.reason().unwrap().contains("only tables"), "{found:?}");
    assert_eq!(view("public.copied").violating, Fact::Known(10));
    // The scanner's clock decides, and a server that has another is told of.
    let far = Timestamp::now().checked_add(SignedDuration::from_hours(48)).unwrap();
    let mut ahead = look(postgres.port, "auditor", SEEN);
    ahead.clock = Arc::new(FixedClock(far));
    let found: Retention = read(&ahead.run(&Collects), "data.retention");
    assert!(found.skew_s.known().is_some_and(|skew| (-172_900..-172_000).contains(skew)), "{:?}", found.skew_s);
    assert!(found.data_sets[0].notes.iter().any(|note| note.contains("clock")), "{:?}", found.data_sets[0].notes);
    assert_gone(&postgres);
}

#[test]
fn each_right_that_is_taken_away_leaves_the_set_not_evaluated() {
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    postgres.sql("postgres", ROWS);
    let all = format!("{SEEN}, filter: keep_it = 0, soft_delete: {{expr: gone, max_age: 30 days}}");
    postgres.sql("postgres", "REVOKE SELECT ON t FROM auditor; GRANT SELECT (seen, gone, keep_it) ON t TO auditor");
    assert_eq!(measured(postgres.port, "auditor", &all).violating, Fact::Known(10), "no more is needed");
    for (take, give) in [
        ("REVOKE SELECT (seen) ON t FROM auditor", "GRANT SELECT (seen) ON t TO auditor"),
        ("REVOKE SELECT (keep_it) ON t FROM auditor", "GRANT SELECT (keep_it) ON t TO auditor"),
        ("REVOKE SELECT (gone) ON t FROM auditor", "GRANT SELECT (gone) ON t TO auditor"),
        ("REVOKE USAGE ON SCHEMA public FROM public", "GRANT USAGE ON SCHEMA public TO public"),
        ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "ALTER TABLE t DISABLE ROW LEVEL SECURITY"),
    ] {
        postgres.sql("postgres", take);
        let found = measured(postgres.port, "auditor", &all);
        let unknown = found.violating.reason().is_some() || found.soft_deleted.reason().is_some();
        assert!(unknown, "{take}: {found:?}");
        if !take.contains("gone") {
            assert!(found.violating.reason().is_some() && found.oldest_day.known().is_none(), "{take}: {found:?}");
        }
        postgres.sql("postgres", give);
        assert_eq!(measured(postgres.port, "auditor", &all).violating, Fact::Known(10), "{give}");
    }
    postgres.sql("postgres", "REVOKE CONNECT ON DATABASE postgres FROM public");
    let seen = look(postgres.port, "auditor", &all).run(&Collects);
    let retention = seen.iter().find(|one| one.kind == "data.retention").unwrap();
    assert_eq!(retention.status, ObservationStatus::Failed, "{retention:?}");
    assert!(retention.data.is_empty());
    assert_gone(&postgres);
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_count() {
    let Some(mut postgres) = Postgres::start(Posture::Plain) else { return };
    postgres.sql(
        "postgres",
        "CREATE TABLE t AS SELECT '2020-01-01'::timestamptz AS seen, repeat('a', 100) AS t FROM generate_series(1, 400000)",
    );
    let patterns: Vec<String> = (0..24).map(|n| format!("t LIKE '%a%a%a%a%a%a%a%a%a%a%b{n}'")).collect();
    let slow = format!("{SEEN}, measure: {{timeout: 1m, strategy: exact}}, filter: \"{}\"", patterns.join(" OR "));
    let looking = look(postgres.port, "postgres", &slow);
    let seen = std::thread::scope(|scope| {
        let run = scope.spawn(|| looking.run(&Collects));
        let end = Instant::now() + Duration::from_secs(60);
        let running = "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%a%a%a%b0%' \
                       AND query NOT LIKE '%EXPLAIN%' AND state = 'active'";
        while postgres.sql("postgres", running) == "0" {
            assert!(Instant::now() < end, "the count never ran");
            std::thread::sleep(Duration::from_millis(20));
        }
        postgres.crash();
        run.join().unwrap()
    });
    let retention = seen.iter().find(|one| one.kind == "data.retention").unwrap();
    if retention.status != ObservationStatus::Failed {
        let retention: Retention = read(&seen, "data.retention");
        let found = &retention.data_sets[0];
        assert!(found.violating.reason().is_some() && found.oldest_day.known().is_none(), "{found:?}");
    }
    for observation in looking.run(&Collects) {
        assert_eq!(observation.trouble.unwrap().reason, Reason::Refused);
    }
}

#[test]
fn a_connection_that_is_cut_anywhere_leaves_nothing_known_by_guess() {
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    postgres.sql("postgres", ROWS);
    let full = measured(postgres.port, "auditor", SEEN);
    let mut known = 0;
    for after in (0..40).map(|n| n * n * 24) {
        let port = cutting(postgres.port, after);
        let seen = look(port, "auditor", SEEN).run(&Collects);
        let retention = seen.iter().find(|one| one.kind == "data.retention").unwrap();
        if retention.status == ObservationStatus::Failed {
            assert!(retention.data.is_empty() && retention.trouble.is_some(), "{after}");
            continue;
        }
        let retention: Retention = read(&seen, "data.retention");
        let found = &retention.data_sets[0];
        assert!(found.violating.reason().is_some() || found.violating == full.violating, "{after}: {found:?}");
        assert!(found.oldest_day.reason().is_some() || found.oldest_day == full.oldest_day, "{after}: {found:?}");
        assert!(found.undatable.reason().is_some() || found.undatable == full.undatable, "{after}: {found:?}");
        known += usize::from(found.violating.known().is_some());
    }
    assert!(known < 40, "it was never cut before the count");
    assert_gone(&postgres);
}
