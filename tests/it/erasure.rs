//! Erasures, from the ledger that people write to what a scan says of it.

use crate::support::{Scratch, probity};
use probity::collect::traces::Hasher;
use serde_json::Value;
use std::collections::BTreeMap;

const KEY: &str = "a key of the tests alone";

/// The digest of a person's key, as the ledger holds it.
fn mark(person: &str) -> String {
    Hasher::new(KEY).of(person)
}

fn ledger() -> String {
    format!(
        "key_check: {}
entries:
  - {{ ref: E-1, subject: {{ email: {} }}, requested_on: 2026-01-01, due_on: 2026-02-01, completed_on: 2026-01-10, outcome: erased, confirmations: [{{ recipient: mailer, confirmed_on: 2026-01-11 }}] }}
  - {{ ref: E-2, subject: {{ email: {} }}, requested_on: 2026-01-01, due_on: 2026-02-01, completed_on: 2026-01-10, outcome: erased }}
  - {{ ref: E-3, subject: {{ email: {} }}, requested_on: 2026-01-01, due_on: 2026-02-01, completed_on: 2026-01-10, outcome: partial, exceptions: [{{ data_set: visitors, ground: '17(3)(b)', until: 2099-01-01 }}] }}
",
        mark("probity"),
        mark("ann@example.org"),
        mark("bob@example.org"),
        mark("eve@example.org")
    )
}

fn schedule(table: &str, kind: &str) -> String {
    let set = |id: &str, extra: &str| {
        format!(
            "    - {{ id: {id}, store: store, object: {{ table: {table}{id} }}, kind: primary, data_categories: [contact], \
             subject_categories: [visitor], timestamp: {{ expr: made_at, type: {kind} }}, anchor: created, max_age: 90 years, \
             legal_basis: {{ article: a, purpose: p }}, action: delete, mechanism: {{ type: job }}{extra} }}\n"
        )
    };
    let keyed = ", subject_key: { expr: email, namespace: email }";
    let copies = ", copies: [{ store: mailer, kind: vendor }, { store: tape, kind: backup, max_age: 35 days }]";
    format!(
        "retention:\n  edges: [{{ child: talks, child_key: visitor_id, parent: visitors, parent_key: id }}]\n  data_sets:\n{}{}{}",
        set("visitors", &format!("{keyed}{copies}")),
        set("talks", keyed),
        set("stray", keyed)
    )
}

const ERASURE: &str = "\
erasure:
  ledger: ledger.yaml
  key: env:PROBITY_TEST_LEDGER_KEY
  root: visitors
  suppression: { list: suppressed, checked_at: [import], attested_by: head of data, attested_on: 2026-06-01 }
";

/// Ann is still there, Bob came back, Eve is kept on a ground, and a talk has lost its visitor.
fn rows(made: &str) -> String {
    format!(
        "CREATE TABLE visitors (id INTEGER PRIMARY KEY, email TEXT, made_at {made});
         CREATE TABLE talks (visitor_id INTEGER, email TEXT, made_at {made});
         CREATE TABLE stray (email TEXT, made_at {made});
         INSERT INTO visitors VALUES (1, 'ann@example.org', '2025-05-05T00:00:00Z'), (2, 'bob@example.org', '2026-05-05T00:00:00Z'),
            (3, 'eve@example.org', '2025-05-05T00:00:00Z'), (4, 'zoe@example.org', '2025-05-05T00:00:00Z');
         INSERT INTO talks VALUES (4, 'zoe@example.org', '2025-05-05T00:00:00Z'), (77, 'zoe@example.org', '2025-05-05T00:00:00Z');
         INSERT INTO stray VALUES (NULL, '2025-05-05T00:00:00Z');"
    )
}

/// What a scan says: results by check and item, and the whole report.
fn scan(scratch: &Scratch, config: &str, key: Option<&str>) -> (BTreeMap<(String, String), String>, Value) {
    let file = scratch.write("probity.yaml", config);
    let report = scratch.path().join("report.json");
    let mut command = probity();
    command.args(["scan", "-c"]).arg(&file).args(["-o", &format!("json={}", report.display()), "-o", "table"]);
    if let Some(key) = key {
        command.env("PROBITY_TEST_LEDGER_KEY", key);
    }
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    let text = std::fs::read_to_string(&report).unwrap_or_else(|error| panic!("{error}: {words}"));
    for secret in [KEY, "@example.org", &mark("ann@example.org")] {
        assert!(!text.contains(secret) && !words.contains(secret), "{secret} is in {words}\n{text}");
    }
    let report: Value = serde_json::from_str(&text).unwrap();
    let word = |result: &Value, key: &str| result[key].as_str().unwrap_or_default().to_owned();
    let all = report["results"].as_array().unwrap().iter();
    let results = all.map(|result| ((word(result, "check"), word(result, "item")), word(result, "status")));
    (results.collect(), report)
}

fn expect(results: &BTreeMap<(String, String), String>, wanted: &[(&str, &str, &str)]) {
    for (check, item, status) in wanted {
        let seen = results.get(&((*check).to_owned(), (*item).to_owned())).map(String::as_str);
        assert_eq!(seen, Some(*status), "{check} {item} in {results:#?}");
    }
}

/// What both stores show of the same rows.
const WANTED: &[(&str, &str, &str)] = &[
    ("data.erasure", "E-1", "pass"),
    ("data.erasure", "E-3", "pass"),
    ("data.erasure.residual", "visitors", "fail"),
    ("data.erasure.residual", "talks", "pass"),
    ("data.erasure.reappeared", "visitors", "fail"),
    ("data.erasure.reappeared", "talks", "pass"),
    ("data.erasure.orphans", "talks.visitor_id -> visitors.id", "fail"),
    ("data.erasure.unmapped", "visitors", "pass"),
    ("data.erasure.unmapped", "talks", "pass"),
    ("data.erasure.unmapped", "stray", "fail"),
    ("data.erasure.suppression", "import", "pass"),
    ("data.erasure.suppression", "restore", "fail"),
    ("data.erasure.recipients", "mailer", "not-evaluated"),
    ("data.erasure.backups", "visitors/tape", "pass"),
    ("data.erasure.backups", "talks", "not-evaluated"),
];

fn sqlite(name: &str, more: &str) -> (Scratch, String) {
    let scratch = Scratch::new(name);
    let database = rusqlite::Connection::open(scratch.path().join("data.sqlite")).unwrap();
    database.execute_batch(&rows("TEXT")).unwrap();
    database.execute_batch(more).unwrap();
    scratch.write("ledger.yaml", ledger());
    let target = "targets: [{ id: store, kind: file, engine: sqlite, address: data.sqlite }]\n";
    let config = format!("{target}{}{ERASURE}", schedule("", "iso8601_utc_text"));
    (scratch, config)
}

#[test]
fn a_file_is_searched_for_the_erased() {
    let (scratch, config) = sqlite("erasure", "CREATE TABLE orders (talk INTEGER REFERENCES visitors)");
    let (results, report) = scan(&scratch, &config, Some(KEY));
    expect(&results, WANTED);
    expect(&results, &[("data.erasure.orphans", "orders.talk -> visitors.id", "pass")]);
    let seen = report["observations"].as_array().unwrap().iter().find(|seen| seen["kind"] == "data.subjects").unwrap();
    let visitors = seen["data"]["sets"].as_array().unwrap().iter().find(|set| set["key"] == "visitors").unwrap();
    assert_eq!(visitors["residual"], 1);
    assert_eq!(visitors["residual_refs"], serde_json::json!(["E-1"]));
    assert_eq!(visitors["reappeared_refs"], serde_json::json!(["E-2"]));
    assert_eq!((&visitors["excepted"], &visitors["entries"]), (&Value::from(1), &Value::from(3)));
}

#[test]
fn without_the_key_or_the_file_nothing_passes() {
    let (scratch, config) = sqlite("erasure-no-key", "");
    let (results, _) = scan(&scratch, &config, None);
    for set in ["visitors", "talks", "stray"] {
        expect(
            &results,
            &[("data.erasure.residual", set, "not-evaluated"), ("data.erasure.reappeared", set, "not-evaluated")],
        );
    }
    // With another key nobody would be found: that must not look like an erasure.
    let (results, report) = scan(&scratch, &config, Some("another key"));
    expect(&results, &[("data.erasure.residual", "talks", "not-evaluated")]);
    assert!(report.to_string().contains("key_check"));
    std::fs::remove_file(scratch.path().join("data.sqlite")).unwrap();
    let (results, _) = scan(&scratch, &config, Some(KEY));
    expect(
        &results,
        &[
            ("data.erasure.residual", "visitors", "not-evaluated"),
            ("data.erasure.orphans", "store: every edge", "not-evaluated"),
            ("data.erasure.unmapped", "stray", "not-evaluated"),
            ("data.erasure.unmapped", "talks", "pass"),
        ],
    );
}

#[test]
fn an_empty_ledger_is_no_pass() {
    let (scratch, config) = sqlite("erasure-empty", "");
    scratch.write("ledger.yaml", format!("key_check: {}\nentries: []\n", mark("probity")));
    let (results, _) = scan(&scratch, &config, Some(KEY));
    expect(
        &results,
        &[
            ("data.erasure", "", "not-evaluated"),
            ("data.erasure.residual", "visitors", "not-evaluated"),
            ("data.erasure.recipients", "mailer", "not-evaluated"),
            ("data.erasure.backups", "visitors/tape", "not-evaluated"),
        ],
    );
}

#[cfg(feature = "postgres")]
mod server {
    use super::*;
    use crate::support::postgres::{Postgres, Posture};

    fn config(postgres: &Postgres, user: &str) -> String {
        format!(
            "targets:\n  - {{ id: store, kind: database, engine: postgresql, address: '127.0.0.1:{}', database: postgres, \
             credentials: {{ user: {user} }} }}\n{}{ERASURE}",
            postgres.port,
            schedule("public.", "timestamptz")
        )
    }

    #[test]
    fn a_server_is_searched_with_and_without_pgcrypto() {
        let Some(postgres) = Postgres::start(Posture::Plain) else { return };
        let scratch = Scratch::new("erasure-pg");
        scratch.write("ledger.yaml", ledger());
        postgres.sql("postgres", &rows("timestamptz"));
        postgres.sql(
            "postgres",
            "CREATE TABLE good (v int REFERENCES visitors); CREATE TABLE loose (v int); INSERT INTO loose VALUES (99);
             ALTER TABLE loose ADD CONSTRAINT loose_v FOREIGN KEY (v) REFERENCES visitors NOT VALID;
             CREATE ROLE narrow LOGIN;",
        );
        let how = |report: &Value| {
            let seen = report["observations"].as_array().unwrap().iter().find(|seen| seen["kind"] == "data.subjects");
            let sets = seen.unwrap()["data"]["sets"].as_array().unwrap().clone();
            sets.iter().find(|set| set["key"] == "visitors").unwrap()["how"].as_str().unwrap().to_owned()
        };
        let keys = [
            ("data.erasure.orphans", "public.good good_v_fkey", "pass"),
            ("data.erasure.orphans", "public.loose loose_v", "fail"),
        ];
        let (results, report) = scan(&scratch, &config(&postgres, "postgres"), Some(KEY));
        expect(&results, WANTED);
        expect(&results, &keys);
        assert!(how(&report).contains("were read and hashed"), "{}", how(&report));
        if postgres.has_library("pgcrypto") {
            postgres.sql("postgres", "CREATE EXTENSION pgcrypto");
            let (results, report) = scan(&scratch, &config(&postgres, "postgres"), Some(KEY));
            expect(&results, WANTED);
            assert!(how(&report).contains("the server hashed"), "{}", how(&report));
        }
        // A disabled trigger leaves a validated constraint without force: it is counted, and proves nothing by itself.
        postgres.sql("postgres", "ALTER TABLE good DISABLE TRIGGER ALL; INSERT INTO good VALUES (5555)");
        let (results, _) = scan(&scratch, &config(&postgres, "postgres"), Some(KEY));
        expect(&results, &[("data.erasure.orphans", "public.good good_v_fkey", "fail")]);
        // A role that may read nothing proves nothing.
        let (results, report) = scan(&scratch, &config(&postgres, "narrow"), Some(KEY));
        expect(
            &results,
            &[
                ("data.erasure.residual", "visitors", "not-evaluated"),
                ("data.erasure.reappeared", "talks", "not-evaluated"),
                ("data.erasure.orphans", "talks.visitor_id -> visitors.id", "not-evaluated"),
            ],
        );
        assert!(report.to_string().contains("may not read"));
    }
}

#[cfg(feature = "mysql")]
mod mariadb {
    use super::*;
    use crate::support::mariadb::{Mariadb, PASSWORD, Posture};

    fn config(mariadb: &Mariadb) -> String {
        format!(
            "targets:\n  - {{ id: store, kind: database, engine: mariadb, address: '127.0.0.1:{}', database: app, \
             credentials: {{ user: auditor, password: 'env:PROBITY_TEST_DB' }} }}\n{}{ERASURE}",
            mariadb.port,
            schedule("", "timestamp")
        )
    }

    /// The same rows, in MariaDB's words.
    fn tables() -> String {
        let rows = rows("DATETIME").replace("INTEGER PRIMARY KEY", "INT PRIMARY KEY").replace("INTEGER", "INT");
        format!(
            "CREATE DATABASE app; USE app; {}",
            rows.replace("T00:00:00Z", " 00:00:00").replace("email TEXT", "email VARCHAR(80)")
        )
    }

    fn traces(report: &Value, set: &str) -> Value {
        let seen = report["observations"].as_array().unwrap().iter().find(|seen| seen["kind"] == "data.subjects");
        let sets = seen.unwrap()["data"]["sets"].as_array().unwrap().clone();
        sets.iter().find(|one| one["key"] == set).unwrap().clone()
    }

    fn look(scratch: &Scratch, mariadb: &Mariadb, config: &str) -> (BTreeMap<(String, String), String>, Value) {
        // The password reaches the child by its own environment.
        let config =
            config.replace("env:PROBITY_TEST_DB", &format!("file:{}", scratch.write("pw", PASSWORD).display()));
        let seen = scan(scratch, &config, Some(KEY));
        mariadb.assert_gone();
        seen
    }

    #[test]
    fn a_server_is_searched_page_by_page() {
        let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
        mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES");
        mariadb.sql(&tables());
        mariadb.sql(
            "USE app; CREATE TABLE good (v INT, FOREIGN KEY (v) REFERENCES visitors (id)) ENGINE = InnoDB; \
             CREATE TABLE loose (v INT, CONSTRAINT loose_v FOREIGN KEY (v) REFERENCES visitors (id)) ENGINE = InnoDB; \
             SET foreign_key_checks = 0; INSERT INTO loose VALUES (99); \
             GRANT SELECT ON app.* TO auditor@'%'; GRANT PROCESS, REFERENCES ON *.* TO auditor@'%'",
        );
        let scratch = Scratch::new("erasure-mariadb");
        scratch.write("ledger.yaml", ledger());
        let (results, report) = look(&scratch, &mariadb, &config(&mariadb));
        expect(&results, WANTED);
        expect(
            &results,
            &[
                ("data.erasure.orphans", "app.good good_ibfk_1", "pass"),
                ("data.erasure.orphans", "app.loose loose_v", "fail"),
            ],
        );
        let visitors = traces(&report, "visitors");
        assert_eq!(
            (&visitors["residual_refs"], &visitors["reappeared_refs"]),
            (&serde_json::json!(["E-1"]), &serde_json::json!(["E-2"]))
        );
        // Ann is behind more rows than one page holds, and is found all the same; letters of another case are another person.
        mariadb.sql(
            "USE app; DELETE FROM visitors WHERE id = 1; INSERT INTO visitors SELECT 100 + seq, CONCAT('p', seq, '@example.org'), \
             '2025-05-05' FROM seq_1_to_25000; INSERT INTO visitors VALUES (90000, 'ann@example.org', '2025-05-05'), \
             (90001, 'ANN@example.org', '2025-05-05')",
        );
        let (_, report) = look(&scratch, &mariadb, &config(&mariadb));
        let visitors = traces(&report, "visitors");
        assert_eq!(visitors["residual"], 1, "{visitors}");
        assert!(visitors["how"].as_str().unwrap().contains("25005"), "{visitors}");
        // Two sides that are compared by guessing are not counted.
        mariadb.sql("USE app; ALTER TABLE talks MODIFY visitor_id VARCHAR(20)");
        let (results, report) = look(&scratch, &mariadb, &config(&mariadb));
        expect(&results, &[("data.erasure.orphans", "talks.visitor_id -> visitors.id", "not-evaluated")]);
        assert!(report.to_string().contains("different types"));
    }

    #[test]
    fn what_cannot_be_read_whole_is_no_erasure() {
        let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
        mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES");
        mariadb.sql(&tables());
        let scratch = Scratch::new("erasure-mariadb-less");
        scratch.write("ledger.yaml", ledger());
        let open = |results: &BTreeMap<(String, String), String>, sets: &[&str]| {
            for set in sets {
                expect(results, &[("data.erasure.residual", set, "not-evaluated")]);
            }
        };
        // No right at all, then a right on one column alone.
        let (results, report) = look(&scratch, &mariadb, &config(&mariadb));
        open(&results, &["visitors", "talks", "stray"]);
        expect(&results, &[("data.erasure.orphans", "talks.visitor_id -> visitors.id", "not-evaluated")]);
        assert!(report.to_string().contains("GRANT SELECT ON"), "the right that would show it is named");
        mariadb.sql("GRANT SELECT (email) ON app.talks TO auditor@'%'");
        open(&look(&scratch, &mariadb, &config(&mariadb)).0, &["visitors", "talks", "stray"]);
        mariadb.sql("GRANT SELECT ON app.* TO auditor@'%'; USE app; ALTER TABLE talks MODIFY email VARBINARY(80)");
        let (results, report) = look(&scratch, &mariadb, &config(&mariadb));
        open(&results, &["talks"]);
        assert!(traces(&report, "talks").to_string().contains("column of bytes"));
        // Foreign keys that the account does not see may be there.
        expect(&results, &[("data.erasure.orphans", "(foreign keys)", "not-evaluated")]);
        // More rows than are read, and no key to read on by.
        mariadb.sql(
            "USE app; INSERT INTO stray SELECT CONCAT('p', seq, '@example.org'), '2025-05-05' FROM seq_1_to_25000",
        );
        let (results, report) = look(&scratch, &mariadb, &config(&mariadb));
        open(&results, &["stray"]);
        assert!(traces(&report, "stray").to_string().contains("more than 20000 rows"), "{}", traces(&report, "stray"));
    }
}
