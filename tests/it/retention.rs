//! Retention: the schedule as people write it, and measuring on real databases.

use probity::model::retention::Schedule;

#[derive(serde::Deserialize)]
struct File {
    retention: Schedule,
}

const EXAMPLE: &str = include_str!("../golden/schedule/retention.yaml");

fn read(yaml: &str) -> Result<Schedule, String> {
    serde_yaml::from_str::<File>(yaml).map(|file| file.retention).map_err(|error| error.to_string())
}

#[test]
fn the_example_is_read_and_written_back() {
    let schedule = read(EXAMPLE).unwrap();
    assert_eq!(schedule.data_sets.len(), 2);
    let again: Schedule = serde_json::from_value(serde_json::to_value(&schedule).unwrap()).unwrap();
    assert_eq!(again, schedule);
}

#[test]
fn mistakes_are_told_with_their_line() {
    for (from, to, line, words) in [
        ("max_age: 9 months", "max_age: 9m", 13, "`9m` is not a period"),
        ("max_age: 9 months", "max_age: -1 day", 13, "negative"),
        ("max_age: 9 months", "max_age: 0 days", 13, "zero"),
        ("max_age: 9 months", "max_days: 270", 13, "unknown field `max_days`"),
        ("expr: last_seen_at", "expr: now()", 11, "`now`"),
        ("type: timestamptz, fallback", "type: datetime, fallback", 11, "not a type of time"),
        ("time_zone: UTC", "time_zone: Mars/Olympus", 2, "time zone"),
        ("behavioural]", "behaviour]", 9, "`behaviour`, expected one of identity, contact"),
        ("clock_skew_tolerance: 5m", "clock_skew_tolerance: 5 fortnights", 3, "whole number"),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        let error = read(&EXAMPLE.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(words), "{to}: {error}");
        assert!(error.contains(&format!("line {line}")) || error.contains(&format!("{line} |")), "{to}: {error}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for (from, to, words) in [
        ("grace: 1 day", "grace: 1 hour", "both in hours"),
        ("grace: 1 day", "grace: 2 months", "grace_reason"),
        ("grace: 1 day", "minimum_age: 2 years", "longer than `max_age`"),
        ("      timestamp: {expr: last_seen_at, type: timestamptz, fallback: created_at}\n", "", "no `timestamp`"),
        ("type: timestamptz, fallback: created_at", "type: uuidv7", "cannot date `last_seen`"),
        ("id: conversations", "id: visitors", "two data sets"),
        ("child: conversations", "child: talks", "`talks` is not the id"),
        ("from: 2026-03-01", "from: 2026-03-01, to: 2026-01-01", "ends before it begins"),
        ("authority: legal", "authority: ''", "empty"),
        ("kind: primary", "kind: derived", "derived_from"),
        ("mechanism: {type: job, ref: expire_visitors}", "mechanism: {type: job}\n      measure: {timeout: 1h}", "5m"),
        (
            "mechanism: {type: job, ref: expire_visitors}",
            "mechanism: {type: job}\n      measure: {limit: 0}",
            "1000000",
        ),
        (
            "mechanism: {type: job, ref: expire_visitors}",
            "mechanism: {type: job}\n      measure: {accept_rate: 1}",
            "0.1",
        ),
    ] {
        assert!(EXAMPLE.contains(from), "{from}");
        let error = read(&EXAMPLE.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(words), "{to}: {error}");
    }
}

mod brute {
    //! The exact strategies against a count by hand, on random rows.

    use crate::support::Scratch;
    use jiff::civil::Date;
    use jiff::{Span, Timestamp};
    use probity::collect::sqlite::Store;
    use probity::collect::sqlite::retention::{Effort, measure_with};
    use probity::model::Fact;
    use probity::model::retention::{Schedule, Strategy as Way, Zone};
    use proptest::prelude::*;
    use std::sync::Arc;

    const ZONES: &[&str] = &["UTC", "Europe/Dublin", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati"];

    fn is_past(row: i64, as_of: i64, zone: &Zone, months: i64, days: i64) -> bool {
        let day = |second: i64| zone.rules().to_datetime(Timestamp::from_second(second).unwrap()).date();
        let end: Date = day(row).checked_add(Span::new().months(months)).unwrap();
        day(as_of) > end.checked_add(Span::new().days(days)).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn exact_strategies_count_what_brute_force_counts(
            as_of in 1_600_000_000i64..1_800_000_000, zone in 0..ZONES.len(), months in 0i64..14, days in 1i64..40,
            grace in 0i64..5, rows in proptest::collection::vec((0i64..500 * 86_400, 0u8..3, any::<bool>()), 0..60),
            kind in 0usize..3,
        ) {
            let scratch = Scratch::new("brute");
            let path = scratch.path().join("data.sqlite");
            let connection = rusqlite::Connection::open(&path).unwrap();
            connection.execute_batch("CREATE TABLE t (seen, kind, keep); CREATE INDEX i ON t (seen)").unwrap();
            let kinds = ["epoch_s", "epoch_ms", "iso8601_utc_text"];
            for (age, kind_of_row, keep) in &rows {
                let second = as_of - age;
                let value = match kinds[kind] {
                    "epoch_s" => second.to_string(),
                    "epoch_ms" => (second * 1000 + 999).to_string(),
                    _ => format!("'{}'", Timestamp::from_second(second).unwrap()),
                };
                let sql = format!("INSERT INTO t VALUES ({value}, {kind_of_row}, {keep})");
                connection.execute_batch(&sql).unwrap();
            }
            let schedule: Schedule = serde_yaml::from_str(&format!(
                "time_zone: {}\ndata_sets: [{{id: t, store: s, object: {{table: t}}, kind: primary, \
                 data_categories: [contact], subject_categories: [visitor], timestamp: {{expr: seen, type: {}}}, \
                 anchor: created, max_age: {months} months {days} days, grace: {grace} days, filter: kind < 2, \
                 legal_basis: {{article: a, purpose: p}}, action: delete, mechanism: {{type: job}}, \
                 holds: [{{id: h, reason: r, authority: a, from: 2000-01-01, review_on: 2100-01-01, \
                 scope: {{predicate: keep AND kind = 1}}}}]}}]",
                ZONES[zone], kinds[kind]
            )).unwrap();
            let zone: Zone = ZONES[zone].parse().unwrap();
            let past = |held: bool| rows.iter().filter(|(age, kind, keep)| {
                *kind < 2 && (*keep && *kind == 1) == held && is_past(as_of - age, as_of, &zone, months, days + grace)
            }).count() as u64;
            for (effort, way) in [(Effort::default(), Way::SmallTable), (Effort { small_file: 0, small_rows: 0 }, Way::Index)] {
                let mut store = Store::open(&path, Arc::default()).unwrap();
                let as_of = Timestamp::from_second(as_of).unwrap();
                let found = measure_with(&mut store, &schedule, "s", as_of, effort).data_sets.remove(0);
                if rows.is_empty() {
                    continue;
                }
                prop_assert_eq!(found.strategy, way);
                prop_assert_eq!(&found.violating, &Fact::Known(past(false)), "{:?}", found);
                prop_assert_eq!(&found.held, &Fact::Known(past(true)), "{:?}", found);
                prop_assert_eq!(found.overdue_days.known().unwrap() > &0, past(false) > 0, "{:?}", found);
            }
        }
    }
}

#[cfg(feature = "postgres")]
mod server {
    //! A real PostgreSQL server.

    use crate::support::postgres::{PASSWORD, Postgres, Posture};
    use probity::collect::postgres::retention::{Effort, inventory, measure_with};
    use probity::model::Fact;
    use probity::model::retention::{Measured, MechanismFacts, Schedule, Strategy};
    use tokio_postgres::{Client, NoTls};

    const AS_OF: &str = "2026-11-23T12:00:00Z";
    /// So little is small that nothing is read whole.
    const LARGE: Effort = Effort { small_table: 0, max_cost: 1e6 };

    async fn connect(postgres: &Postgres, user: &str) -> Client {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(postgres.port).user(user).password(PASSWORD).dbname("postgres");
        let (client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    fn schedule(table: &str, timestamp: &str, more: &str) -> Schedule {
        let yaml = format!(
            "data_sets: [{{id: rows, store: pg, object: {{table: {table}}}, kind: primary, \
             data_categories: [special.health], subject_categories: [visitor], timestamp: {{{timestamp}}}, \
             anchor: created, max_age: 9 months, legal_basis: {{article: a, purpose: p}}, action: delete, \
             mechanism: {{type: job}}{more}}}]"
        );
        serde_yaml::from_str(&yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
    }

    async fn measure(client: &Client, schedule: &Schedule, effort: Effort) -> Measured {
        let mut retention = measure_with(client, schedule, "pg", AS_OF.parse().unwrap(), effort).await;
        assert!(retention.server_version.known().is_some());
        let state = client.query_one("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in%'", &[]);
        assert_eq!(state.await.unwrap().get::<_, i64>(0), 0, "no transaction is left open");
        retention.data_sets.remove(0)
    }

    const ROWS: &str = "
        CREATE TABLE visitors (id bigserial, seen timestamptz, made timestamptz, gone timestamptz, email text, keep int);
        INSERT INTO visitors (seen) SELECT '2026-02-23 00:00:00+00'::timestamptz + n * interval '1 second'
            FROM generate_series(0, 20000) n;
        CREATE INDEX visitors_seen ON visitors (seen);
        CREATE TABLE heap AS SELECT seen FROM visitors;
        CREATE TABLE texts AS SELECT to_char(seen AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS seen FROM visitors;
        CREATE TABLE ids AS SELECT '019c87cb-b400-7000-8000-000000000000'::uuid AS seen;
        CREATE TABLE days (seen date, at timestamp);
        CREATE TABLE parts (seen timestamptz) PARTITION BY RANGE (seen);
        CREATE TABLE parts_old PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2026-01-01');
        CREATE TABLE parts_new PARTITION OF parts DEFAULT;
        CREATE VIEW looks AS SELECT seen FROM visitors;
        CREATE ROLE auditor LOGIN;
        GRANT SELECT (seen, made, gone, keep) ON visitors TO auditor;
        GRANT SELECT ON heap, parts TO auditor;
        ANALYZE;";

    #[test]
    fn a_postgresql_server_is_measured() {
        let Some(postgres) = Postgres::start(Posture::Plain) else { return };
        postgres.sql("postgres", ROWS);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = connect(&postgres, "auditor").await;
            index(&postgres, &client).await;
            small(&postgres, &client).await;
            sample(&postgres, &client).await;
            types(&postgres).await;
            troubles(&postgres, &client).await;
            names(&client).await;
        });
    }

    /// What was found of the means that this schedule declares.
    async fn means(client: &Client, mechanism: &str, now: jiff::Timestamp) -> MechanismFacts {
        let mut schedule = schedule("public.visitors", "expr: seen, type: timestamptz", "");
        schedule.data_sets[0].mechanism = serde_yaml::from_str(mechanism).unwrap();
        let mut retention = measure_with(client, &schedule, "pg", now, Effort::default()).await;
        retention.mechanisms.remove(0)
    }

    #[test]
    fn jobs_of_pg_cron_are_read() {
        let Some(postgres) = Postgres::start_with_cron() else { return };
        postgres.sql(
            "postgres",
            "CREATE TABLE visitors (seen timestamptz); CREATE ROLE auditor LOGIN; GRANT SELECT ON visitors TO auditor;
             SELECT cron.schedule('expire', '* * * * *', $$DELETE FROM visitors WHERE seen < now() - interval '9 months'$$);
             SELECT cron.schedule('broken', '* * * * *', 'DELETE FROM nowhere');
             SELECT cron.schedule('off', '* * * * *', 'DELETE FROM visitors');
             SELECT cron.alter_job(jobid, active := false) FROM cron.job WHERE jobname = 'off';
             SELECT cron.schedule('yearly', '0 0 1 1 *', 'SELECT 1')",
        );
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = connect(&postgres, "postgres").await;
            let auditor = connect(&postgres, "auditor").await;
            let found = means(&auditor, "{type: job, ref: expire}", jiff::Timestamp::now()).await;
            assert!(found.found.reason().unwrap().contains("GRANT USAGE ON SCHEMA cron"), "{found:?}");
            postgres.sql("postgres", "GRANT USAGE ON SCHEMA cron TO auditor");
            let found = means(&auditor, "{type: job, ref: expire}", jiff::Timestamp::now()).await;
            assert!(found.found.reason().unwrap().contains("row security"), "hidden is not absent: {found:?}");
            // The jobs are due every minute.
            let ended =
                "SELECT count(DISTINCT jobid) FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')";
            let end = std::time::Instant::now() + std::time::Duration::from_secs(90);
            while postgres.sql("postgres", ended) != "2" {
                assert!(std::time::Instant::now() < end, "the jobs did not run");
                tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            }
            let now = jiff::Timestamp::now();
            for (mechanism, enabled, effective) in [
                ("{type: job, ref: expire}", true, Some(true)),
                ("{type: job}", true, Some(true)),
                ("{type: partition_drop, ref: elsewhere}", true, Some(true)),
                ("{type: job, ref: broken}", true, Some(false)),
                ("{type: job, ref: 'off'}", false, Some(false)),
                ("{type: job, ref: yearly}", true, None),
            ] {
                let found = means(&client, mechanism, now).await;
                assert_eq!((&found.found, &found.enabled), (&Fact::Known(true), &Fact::Known(enabled)), "{found:?}");
                assert_eq!(found.effective.known().copied(), effective, "{mechanism} {found:?}");
                assert!(!found.seen.to_lowercase().contains("delete"), "a command is never kept");
            }
            let later = now.checked_add(jiff::SignedDuration::from_mins(3)).unwrap();
            assert_eq!(means(&client, "{type: job, ref: expire}", later).await.effective, Fact::Known(false));
            postgres.sql("postgres", "INSERT INTO visitors VALUES ('2020-01-01')");
            let found = means(&client, "{type: job, ref: broken}", now).await;
            assert!(found.contradicted && found.seen.contains("rows past their time"), "{found:?}");
        });
    }

    async fn index(postgres: &Postgres, client: &Client) {
        let plain = schedule("public.visitors", "expr: seen, type: timestamptz", "");
        let found = measure(client, &plain, LARGE).await;
        assert_eq!((found.strategy, &found.violating), (Strategy::Index, &Fact::Known(0)), "{found:?}");
        assert_eq!((found.undatable, found.future, found.held), (Fact::Known(0), Fact::Known(0), Fact::Known(0)));
        assert!(found.plan.contains("visitors_seen"), "{}", found.plan);
        assert!(found.query.contains("'2026-02-23 00:00:00+00'::timestamptz"), "{}", found.query);
        postgres.sql(
            "postgres",
            "INSERT INTO visitors (seen) SELECT '2024-01-01'::timestamptz + n * interval '1 minute' FROM generate_series(1, 1500) n;
             INSERT INTO visitors (seen) VALUES (NULL), ('infinity'), ('-infinity'), ('9999-12-31'), ('1970-01-01 00:00Z'), ('2031-01-01');
             INSERT INTO visitors (seen, keep) VALUES ('2023-01-01', 42); ANALYZE visitors",
        );
        let found = measure(client, &plain, LARGE).await;
        assert_eq!((&found.violating, found.capped), (&Fact::Known(1000), true), "{found:?}");
        assert_eq!((&found.undatable, &found.future), (&Fact::Known(5), &Fact::Known(1)), "{found:?}");
        assert_eq!(found.sentinels.len(), 4);
        assert_eq!(found.oldest_day, Fact::Known("2023-01-01".to_owned()));
        assert_eq!(found.severity, "critical", "health data, and more than twice the age");
        let hold = ", measure: {limit: 5000}, holds: [{id: h, reason: r, authority: a, from: 2026-01-01, \
                    review_on: 2027-01-01, scope: {predicate: keep = 42}}]";
        let found = measure(client, &schedule("public.visitors", "expr: seen, type: timestamptz", hold), LARGE).await;
        assert_eq!((&found.violating, &found.held, found.capped), (&Fact::Known(1500), &Fact::Known(1), false));
        assert_eq!(found.oldest_day, Fact::Known("2024-01-01".to_owned()));
        // An expression without an index of its own leaves a sample.
        let expression = schedule("public.visitors", "expr: 'coalesce(seen, made)', type: expr", "");
        assert_eq!(measure(client, &expression, LARGE).await.strategy, Strategy::Sample);
    }

    async fn small(postgres: &Postgres, client: &Client) {
        let heap = schedule("public.heap", "expr: seen, type: timestamptz", "");
        let found = measure(client, &heap, Effort::default()).await;
        assert_eq!((found.strategy, &found.violating), (Strategy::SmallTable, &Fact::Known(0)), "{found:?}");
        assert_eq!(found.oldest_day, Fact::Known("2026-02-23".to_owned()));
        postgres.sql("postgres", "INSERT INTO parts VALUES ('2025-12-31'), ('2026-02-22'), ('2026-02-23')");
        let parts = schedule("public.parts", "expr: seen, type: timestamptz", "");
        assert_eq!(measure(client, &parts, Effort::default()).await.violating, Fact::Known(2));
        let fallback = ", soft_delete: {expr: gone, max_age: 30 days}";
        let found = schedule("public.visitors", "expr: seen, type: timestamptz, fallback: made", fallback);
        let found = measure(client, &found, Effort::default()).await;
        assert_eq!(found.soft_deleted, Fact::Known(0), "{found:?}");
        assert!(found.violating.known().is_some_and(|rows| *rows >= 1000), "{found:?}");
    }

    async fn sample(postgres: &Postgres, client: &Client) {
        let heap = schedule("public.heap", "expr: seen, type: timestamptz", "");
        let found = measure(client, &heap, LARGE).await;
        assert_eq!(found.strategy, Strategy::Sample);
        assert!(found.violating.reason().unwrap().contains("pages"), "{:?}", found.violating);
        assert!(found.sampled.pages > 50 && found.sampled.rows == 20_001, "{:?}", found.sampled);
        let accept = schedule("public.heap", "expr: seen, type: timestamptz", ", measure: {accept_rate: 0.1}");
        let found = measure(client, &accept, LARGE).await;
        assert_eq!((found.violating, found.accepted_by_sample), (Fact::Known(0), true));
        postgres.sql("postgres", "INSERT INTO heap VALUES ('2020-01-01')");
        let found = measure(client, &accept, LARGE).await;
        assert_eq!((found.violating, found.capped, found.accepted_by_sample), (Fact::Known(1), true, false));
        assert!(found.summary.starts_with("at least 1 row past"), "{}", found.summary);
    }

    async fn types(postgres: &Postgres) {
        let client = connect(postgres, "postgres").await;
        postgres.sql(
            "postgres",
            "INSERT INTO days VALUES ('2026-02-23', '2026-02-23 01:00:00'), ('2026-02-22', '2026-02-23 00:59:59'), (NULL, NULL);
             INSERT INTO texts VALUES ('2026-02-22T23:59:59.5Z'), ('2020-01-01 00:00:00'), ('');
             INSERT INTO ids VALUES ('019c87cb-b3ff-7fff-8fff-ffffffffffff'), ('99999999-0000-4000-8000-000000000000')",
        );
        for (table, timestamp, undatable) in [
            ("public.days", "expr: seen, type: date", 1),
            ("public.days", "expr: at, type: timestamp, column_time_zone: Europe/Berlin", 1),
            ("public.texts", "expr: seen, type: iso8601_utc_text", 2),
            ("public.ids", "expr: seen, type: uuidv7", 1),
        ] {
            let found = measure(&client, &schedule(table, timestamp, ""), Effort::default()).await;
            assert_eq!((&found.violating, &found.undatable), (&Fact::Known(1), &Fact::Known(undatable)), "{found:?}");
            assert_eq!(found.oldest_day, Fact::Known("2026-02-22".to_owned()), "{found:?}");
        }
    }

    async fn troubles(postgres: &Postgres, client: &Client) {
        let seen = "expr: seen, type: timestamptz";
        for (table, timestamp, words) in [
            ("public.nowhere", seen, "no such table"),
            ("visitors", seen, "with its schema"),
            ("public.looks", seen, "only tables"),
            ("public.texts", "expr: seen, type: iso8601_utc_text", "may not read"),
            ("public.visitors", "expr: email, type: iso8601_utc_text", "may not read"),
            ("public.heap", "expr: lost, type: timestamptz", "no column"),
            ("public.heap", "expr: seen, type: epoch_s", "do not fit"),
        ] {
            let found = measure(client, &schedule(table, timestamp, ""), Effort::default()).await;
            assert!(found.violating.reason().unwrap_or_default().contains(words), "{table} {found:?}");
            assert!(found.undatable.known().is_none() && found.future.known().is_none());
        }
        // Another session holds the table: the measuring gives up soon, leaves no lock, and the rest goes on.
        let other = connect(postgres, "postgres").await;
        other.batch_execute("BEGIN; LOCK TABLE heap IN ACCESS EXCLUSIVE MODE").await.unwrap();
        let started = std::time::Instant::now();
        let heap = schedule("public.heap", seen, "");
        let found = measure_locked(client, &heap).await;
        assert!(found.violating.reason().unwrap().contains("locked"), "{found:?}");
        assert!(started.elapsed() < std::time::Duration::from_secs(10));
        let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                       WHERE l.relation = 'heap'::regclass AND a.usename = 'auditor'";
        assert_eq!(other.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0), 0);
        other.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(measure(client, &heap, Effort::default()).await.violating, Fact::Known(1));
        // Row security hides rows, which must not look like their absence.
        postgres.sql("postgres", "ALTER TABLE heap ENABLE ROW LEVEL SECURITY");
        let found = measure(client, &heap, Effort::default()).await;
        assert!(found.violating.reason().unwrap().contains("row security"), "{found:?}");
        // A row that takes its time: the server stops the statement.
        postgres.sql(
            "postgres",
            "CREATE TABLE slow AS SELECT '2020-01-01'::timestamptz AS seen, repeat('a', 100) AS t FROM generate_series(1, 400000);
             GRANT SELECT ON slow TO auditor",
        );
        // So many patterns, each tried at every row, take many times the second that is allowed.
        let patterns: Vec<String> = (0..24).map(|n| format!("t LIKE '%a%a%a%a%a%a%a%a%a%a%b{n}'")).collect();
        let filter = format!(", measure: {{timeout: 1s, strategy: exact}}, filter: \"{}\"", patterns.join(" OR "));
        let found = measure(client, &schedule("public.slow", seen, &filter), Effort::default()).await;
        assert!(found.violating.reason().unwrap_or_default().contains("too long"), "{found:?}");
    }

    /// While another session is inside a transaction on purpose.
    async fn measure_locked(client: &Client, schedule: &Schedule) -> Measured {
        measure_with(client, schedule, "pg", AS_OF.parse().unwrap(), Effort::default()).await.data_sets.remove(0)
    }

    async fn names(client: &Client) {
        let schedule = schedule("public.visitors", "expr: seen, type: timestamptz", "");
        let (inventory, cut) = inventory(client, &schedule, "pg").await.unwrap();
        assert!(cut.is_none());
        let visitors = inventory.tables.iter().find(|table| table.name == "visitors").unwrap();
        assert_eq!(visitors.personal_columns, ["email"]);
        assert!(visitors.scheduled && visitors.personal);
        assert!(
            inventory.tables.iter().all(|table| !table.name.starts_with("parts_")),
            "partitions are part of theirs"
        );
    }
}
