//! What people may write into a schedule or a ledger, tried as a way into the database: refused as it is read, or sent
//! as a name or a text and nothing else.

use crate::support::Scratch;
use probity::collect::sqlite::{Store, retention as sqlite};
use probity::model::Fact;
use probity::model::erasure::Ledger;
use probity::model::retention::{Retention, Schedule};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// None of these is one expression over columns.
const EXPRESSIONS: &[&str] = &[
    "seen; DROP TABLE victim",
    "seen); DROP TABLE victim; --",
    "seen -- ",
    "seen /* hidden */",
    "seen # hidden",
    "seen /*!50000 UNION SELECT 1 */",
    "seen, pg_sleep(9)",
    "seen FROM victim",
    "seen UNION SELECT password FROM users",
    "seen UNION ALL SELECT 1",
    "seen INTO OUTFILE '/tmp/x'",
    "seen LIMIT 1",
    "seen ORDER BY 1",
    "seen FOR UPDATE",
    "seen COLLATE \"C\"",
    "(SELECT max(seen) FROM victim)",
    "seen = (SELECT 1)",
    "seen IN (SELECT seen FROM victim)",
    "EXISTS (SELECT 1 FROM victim)",
    "seen > ALL (SELECT 1)",
    "pg_sleep(9)",
    "sleep(9)",
    "benchmark(100000000, md5('a'))",
    "randomblob(1000000000)",
    "load_extension('x')",
    "load_file('/etc/passwd')",
    "readfile('/etc/passwd')",
    "pg_read_file('/etc/passwd')",
    "pg_terminate_backend(1)",
    "lo_import('/etc/passwd')",
    "dblink('host=other', 'SELECT 1')",
    "set_config('statement_timeout', '0', false)",
    "nextval('victim_id_seq')",
    "current_setting('data_directory')",
    "current_user",
    "version()",
    "now()",
    "random()",
    "@@version",
    "@a := 1",
    "seen = 'now'::timestamptz",
    "seen = $1",
    "seen = ?",
    "seen = :name",
    "seen = E'a\\'; DROP TABLE victim; --'",
    "seen = 'a\\'; DROP TABLE victim; --'",
    "seen = $$a$$",
    "seen = U&'\\0027'",
    "seen = X'27'",
    "seen = 'a'; DELETE FROM victim WHERE 'a' = 'a'",
    "`seen`",
    "[seen]",
    "\"seen\"\"; DROP TABLE victim; --\"",
    "\"seen; DROP TABLE victim\"",
    "victim.seen",
    "public.victim.seen",
    "*",
    "victim.*",
    "count(*)",
    "max(seen) OVER ()",
    "coalesce(seen, (SELECT 1))",
    "lower(DISTINCT email)",
    "CASE WHEN pg_sleep(9) IS NULL THEN 1 END",
    "ARRAY[seen]",
    "ROW(seen)",
    "seen::regclass",
    "CAST(seen AS xml)",
    "seen OPERATOR(pg_catalog.+) 1",
    "email ~ '(a+)+$'",
    "email REGEXP 'a'",
    "email MATCH 'a'",
    "INTERVAL '1' DAY",
    "seen AT TIME ZONE 'UTC'",
    "seen\u{0}",
    "\u{ff02}seen\u{ff02}",
    "",
];

/// Names of tables, none of which is there. `~` is the schema.
const TABLES: &[&str] = &[
    "~victim; DROP TABLE victim",
    "~victim\"; DROP TABLE victim; --",
    "~victim`; DROP TABLE victim; -- ",
    "~victim'; DROP TABLE victim; --",
    "~victim'); DROP TABLE victim; --",
    "~victim' OR '1'='1",
    "~victim\" WHERE 1=1 OR \"\"=\"",
    "~victim\\",
    "~victim\\'; DROP TABLE victim; #",
    "~victim--",
    "~victim /*",
    "~victim WHERE 1=1",
    "~victim, victim",
    "~victim UNION SELECT 1",
    "~(SELECT 1)",
    "~\"victim\"",
    "~`victim`",
    "~[victim]",
    "~$$victim$$",
    "~E'victim'",
    "~pg_sleep(9)",
    "~generate_series(1, 1000000000)",
    "~%",
    "~*",
    "~victim\n",
    "~victim\u{0}",
    "~victim\u{2028}",
    "~\u{ff02}victim\u{ff02}",
    "a.b.c",
    "~",
    ".",
    ".victim",
    "\".victim",
    "'.victim",
    "",
];

/// Words of a schedule that are no SQL, and what is refused as each.
const WORDS: &[(&str, &str)] = &[
    ("/time_zone", "UTC'; DROP TABLE victim; --"),
    ("/time_zone", "UTC' OR '1'='1"),
    ("/time_zone", "../../../etc/passwd"),
    ("/time_zone", "/etc/localtime"),
    ("/clock_skew_tolerance", "5m; DROP TABLE victim"),
    ("/data_sets/0/id", "a'; DROP TABLE victim; --"),
    ("/data_sets/0/id", "a\" OR 1=1"),
    ("/data_sets/0/timestamp/type", "timestamptz); DROP TABLE victim; --"),
    ("/data_sets/0/timestamp/column_time_zone", "UTC'; DROP TABLE victim; --"),
    ("/data_sets/0/subject_key/namespace", "email' OR '1'='1"),
    ("/data_sets/0/max_age", "9 months' OR '1'='1"),
    ("/data_sets/0/max_age", "9 months; DROP TABLE victim"),
    ("/data_sets/0/grace", "1 day'; --"),
    ("/data_sets/0/holds/0/id", "h'; DROP TABLE victim; --"),
    ("/data_sets/0/holds/0/from", "2026-01-01'; --"),
    ("/data_sets/0/holds/0/review_on", "2099-01-01' OR 1=1"),
    ("/data_sets/0/soft_delete/max_age", "1 day); --"),
    ("/data_sets/0/measure/timeout", "5s; SELECT pg_sleep(9)"),
    ("/data_sets/0/measure/limit", "1; DROP TABLE victim"),
    ("/data_sets/0/measure/accept_rate", "0.001) OR (1=1"),
    ("/data_sets/0/measure/strategy", "auto; --"),
    ("/data_sets/0/anchor", "created'; --"),
    ("/data_sets/0/action", "delete; DROP TABLE victim"),
    ("/data_sets/0/mechanism/type", "job'; --"),
    ("/edges/0/child", "rows'; --"),
    ("/edges/0/parent", "rows\" OR 1=1"),
];

/// The same of a ledger of erasures.
const LEDGER: &[(&str, &str)] = &[
    ("/key_check", "' OR '1'='1"),
    ("/entries/0/subject", "'; DROP TABLE victim; --"),
    ("/entries/0/subject/email", "' OR '1'='1"),
    ("/entries/0/subject/email", "%"),
    ("/entries/0/subject/email", "0123456789abcdef'; DROP TABLE victim; --"),
    ("/entries/0/requested_on", "2026-01-01'; --"),
    ("/entries/0/completed_on", "2026-01-01' OR 1=1"),
    ("/entries/0/outcome", "erased'; --"),
    ("/entries/0/exceptions/0/data_set", "rows'; DROP TABLE victim; --"),
    ("/entries/0/exceptions/0/until", "2099-01-01'; --"),
];

/// Where an expression may stand.
const PLACES: &[&str] = &[
    "/data_sets/0/timestamp/expr",
    "/data_sets/0/timestamp/fallback",
    "/data_sets/0/filter",
    "/data_sets/0/subject_key/expr",
    "/data_sets/0/personal_columns/0/expr",
    "/data_sets/0/soft_delete/expr",
    "/data_sets/0/holds/0/scope/predicate",
    "/edges/0/child_key",
    "/edges/0/parent_key",
];

fn whole() -> Value {
    json!({
        "time_zone": "UTC", "clock_skew_tolerance": "5m",
        "edges": [{ "child": "rows", "child_key": "id", "parent": "rows", "parent_key": "id" }],
        "data_sets": [{
            "id": "rows", "store": "db", "object": { "table": "victim" }, "kind": "primary", "data_categories": ["contact"],
            "subject_categories": ["visitor"], "anchor": "created", "max_age": "9 months", "grace": "1 day",
            "timestamp": { "expr": "seen", "type": "timestamp", "column_time_zone": "UTC", "fallback": "made" }, "filter": "id > 0",
            "subject_key": { "expr": "email", "namespace": "email" }, "personal_columns": [{ "expr": "email" }],
            "soft_delete": { "expr": "gone", "max_age": "1 day" },
            "holds": [{ "id": "h", "reason": "r", "authority": "a", "from": "2026-01-01", "review_on": "2099-01-01",
                "scope": { "predicate": "id = 1" } }],
            "measure": { "strategy": "auto", "limit": 1000, "timeout": "5s", "accept_rate": 0.001 },
            "legal_basis": { "article": "a", "purpose": "p" }, "action": "delete", "mechanism": { "type": "job" } }] })
}

fn with(mut whole: Value, place: &str, value: &str) -> Value {
    *whole.pointer_mut(place).unwrap_or_else(|| panic!("{place}")) = json!(value);
    whole
}

#[test]
fn what_is_no_expression_is_refused_wherever_one_stands() {
    assert!(EXPRESSIONS.len() >= 40);
    serde_json::from_value::<Schedule>(whole()).unwrap();
    for place in PLACES {
        for attempt in EXPRESSIONS {
            let read = serde_json::from_value::<Schedule>(with(whole(), place, attempt));
            assert!(read.is_err(), "{attempt:?} as {place}");
        }
    }
}

#[test]
fn what_is_no_word_is_refused_in_schedules_and_ledgers() {
    for (place, attempt) in WORDS {
        let read = serde_json::from_value::<Schedule>(with(whole(), place, attempt));
        assert!(read.is_err(), "{attempt:?} as {place}");
    }
    let mark = probity::collect::traces::Hasher::new("a key").of("probity");
    let ledger = json!({ "key_check": mark, "entries": [{ "ref": "E-1", "subject": { "email": mark },
        "requested_on": "2026-01-01", "due_on": "2026-02-01", "completed_on": "2026-01-10", "outcome": "partial",
        "exceptions": [{ "data_set": "rows", "ground": "17(3)(b)", "until": "2099-01-01" }] }] });
    serde_json::from_value::<Ledger>(ledger.clone()).unwrap();
    for (place, attempt) in LEDGER {
        assert!(
            serde_json::from_value::<Ledger>(with(ledger.clone(), place, attempt)).is_err(),
            "{attempt:?} as {place}"
        );
    }
    let mut named = ledger;
    named["entries"][0]["subject"] = json!({ "email' OR '1'='1": mark });
    assert!(serde_json::from_value::<Ledger>(named).is_err(), "a kind of key is a word");
}

/// A set of this table, with this filter.
fn set(id: &str, table: &str, kind: &str, filter: Option<&str>) -> Value {
    let mut set = json!({
        "id": id, "store": "db", "object": { "table": table }, "kind": "primary", "data_categories": ["contact"],
        "subject_categories": ["visitor"], "anchor": "created", "max_age": "9 months",
        "timestamp": { "expr": "seen", "type": kind, "column_time_zone": "UTC" },
        "legal_basis": { "article": "a", "purpose": "p" }, "action": "delete", "mechanism": { "type": "job" } });
    if let Some(filter) = filter {
        set["filter"] = json!(filter);
    }
    set
}

/// A name that is legal, and looks like an attempt.
const ODD: &str = "odd\"`'); DROP TABLE victim; -- x";
/// Texts that look like attempts and are compared as texts: one that no row has, and one that no row lacks.
const TEXTS: &[(&str, u64)] = &[
    ("email = 'x''; DROP TABLE victim; --'", 0),
    ("email = '''); DROP TABLE victim; --'", 0),
    ("email = '\" OR \"\"=\"'", 0),
    ("email = 'x'' OR ''1''=''1'", 0),
    ("email = '/*' OR email = '*/'", 0),
    ("email LIKE '%''%' OR email LIKE '$1;%'", 0),
    ("email <> 'x''; DROP TABLE victim; --'", 1),
];

/// The schedule with every attempt that can be read, and what is to come of it in this store.
fn attempts(schema: &str, kind: &str) -> (Schedule, Vec<(String, Option<u64>)>) {
    let (mut sets, mut expected) = (Vec::new(), Vec::new());
    let mut add = |table: String, filter: Option<&str>, count: Option<u64>| {
        let one = set(&format!("s{:03}", sets.len()), &table, kind, filter);
        if serde_json::from_value::<Schedule>(json!({ "data_sets": [one] })).is_ok() {
            sets.push(one);
            expected.push((format!("{table:?} {filter:?}"), count));
        } else {
            assert!(count.is_none(), "{table:?} {filter:?} is refused");
        }
    };
    TABLES.iter().for_each(|table| add(table.replace('~', schema), None, None));
    TEXTS.iter().for_each(|(filter, count)| add(format!("{schema}victim"), Some(filter), Some(*count)));
    add(format!("{schema}{ODD}"), None, Some(2));
    (serde_json::from_value(json!({ "data_sets": sets })).unwrap(), expected)
}

fn assert_harmless(found: &Retention, expected: &[(String, Option<u64>)], since: Instant) {
    assert_eq!(found.data_sets.len(), expected.len());
    for (measured, (attempt, count)) in found.data_sets.iter().zip(expected) {
        match count {
            Some(count) => assert_eq!(measured.violating, Fact::Known(*count), "{attempt}: {measured:?}"),
            None => assert!(measured.violating.reason().is_some(), "{attempt}: {measured:?}"),
        }
    }
    assert!(since.elapsed() < Duration::from_secs(60), "something slept");
}

const AS_OF: &str = "2026-11-23T12:00:00Z";

#[test]
fn names_and_texts_do_nothing_in_sqlite() {
    let scratch = Scratch::new("injection");
    let path = scratch.path().join("data.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    let odd = ODD.replace('"', "\"\"");
    connection
        .execute_batch(&format!(
            "CREATE TABLE victim (seen TEXT, email TEXT); INSERT INTO victim VALUES ('2020-01-01 00:00:00', 'a');
             CREATE TABLE \"{odd}\" (seen TEXT); INSERT INTO \"{odd}\" VALUES ('2020-01-01 00:00:00'), ('2020-01-01 00:00:00')"
        ))
        .unwrap();
    let tables = || -> (u64, u64) {
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs();
        (count("SELECT count(*) FROM sqlite_schema"), count("SELECT count(*) FROM victim"))
    };
    let (schedule, expected) = attempts("", "timestamp");
    let begun = Instant::now();
    let mut store = Store::open(&path, Arc::default()).unwrap();
    let found = sqlite::measure_with(&mut store, &schedule, "db", AS_OF.parse().unwrap(), sqlite::Effort::default());
    assert_harmless(&found, &expected, begun);
    assert_eq!(tables(), (2, 1));
}

#[cfg(feature = "postgres")]
#[test]
fn names_and_texts_do_nothing_in_postgresql() {
    use crate::support::postgres::{PASSWORD, Postgres, Posture};
    use probity::collect::postgres::retention::{Effort, measure_with};
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    let odd = ODD.replace('"', "\"\"");
    postgres.sql(
        "postgres",
        &format!(
            "CREATE TABLE victim (seen timestamp, email text); INSERT INTO victim VALUES ('2020-01-01', 'a');
             CREATE TABLE \"{odd}\" (seen timestamp); INSERT INTO \"{odd}\" VALUES ('2020-01-01'), ('2020-01-01')"
        ),
    );
    let (schedule, expected) = attempts("public.", "timestamp");
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // The superuser: nothing but the session and the quotes is in the way.
    let found = runtime.block_on(async {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(postgres.port).user("postgres").password(PASSWORD).dbname("postgres");
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        measure_with(&client, &schedule, "db", AS_OF.parse().unwrap(), Effort::default()).await
    });
    assert_harmless(&found, &expected, begun);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(postgres.sql("postgres", tables), "2");
    assert_eq!(postgres.sql("postgres", "SELECT count(*) FROM victim"), "1");
}

#[cfg(feature = "mysql")]
#[test]
fn names_and_texts_do_nothing_in_mariadb() {
    use crate::support::mariadb::{Mariadb, PASSWORD, Posture};
    use crate::support::store::{Look, read};
    use probity::collect::mysql::Mysql;
    use probity::model::FixedClock;
    use probity::model::target::Engine;
    let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
    let odd = ODD.replace('`', "``");
    mariadb.sql(&format!(
        "DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES; GRANT ALL ON *.* TO auditor@'%';
         CREATE DATABASE app; USE app; CREATE TABLE victim (seen datetime, email varchar(80));
         INSERT INTO victim VALUES ('2020-01-01', 'a'); CREATE TABLE `{odd}` (seen datetime);
         INSERT INTO `{odd}` VALUES ('2020-01-01'), ('2020-01-01')"
    ));
    let (schedule, expected) = attempts("app.", "timestamp");
    let mut look = Look::new(Engine::Mariadb, mariadb.port, "auditor", PASSWORD);
    look.schedule = Some(schedule);
    look.clock = Arc::new(FixedClock(AS_OF.parse().unwrap()));
    let begun = Instant::now();
    let found: Retention = read(&look.run(&Mysql::default()), "data.retention");
    assert_harmless(&found, &expected, begun);
    let tables = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'app'";
    assert_eq!(mariadb.sql(tables), "2");
    assert_eq!(mariadb.sql("SELECT COUNT(*) FROM app.victim"), "1");
}
