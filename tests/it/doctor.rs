//! `probity doctor`: what it says is missing is what a scan would miss, and what it says to do mends it.

use crate::support::mariadb::{self, Mariadb};
use crate::support::postgres::{Postgres, Posture};
use crate::support::{Scratch, free_port, probity};
use serde_json::Value;

const SECRET: &str = "doctor-6b0e-role";

const SETS: &str = "
retention:
  time_zone: UTC
  data_sets:
    - { id: visitors, store: db, object: { table: app.visitors }, kind: primary, data_categories: [contact], subject_categories: [visitor],
        timestamp: { expr: seen, type: timestamptz }, anchor: created, max_age: 9 months, filter: kind = 'visitor',
        legal_basis: { article: '6(1)(f)', purpose: support }, action: delete, mechanism: { type: manual } }
";

fn run(scratch: &Scratch, more: &[&str]) -> (i32, String, String) {
    let mut command = probity();
    command.current_dir(scratch.path()).env("PROBITY_DOCTOR", SECRET).arg("doctor").arg("-q").args(more);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert!(!out.contains(SECRET) && !errors.contains(SECRET), "the password is shown");
    (output.status.code().unwrap(), out, errors)
}

/// What it says of the first target, and to do: each problem in one line.
fn problems(scratch: &Scratch) -> (i32, Vec<String>) {
    let (code, out, errors) = run(scratch, &["-o", "json"]);
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{errors}"));
    assert_eq!(told["schema"], "probity.doctor/1");
    let problems = told["targets"][0]["problems"].as_array().unwrap();
    let line = |one: &Value| format!("{} -> {}", one["what"].as_str().unwrap(), one["act"].as_str().unwrap());
    (code, problems.iter().map(line).collect())
}

fn configuration(scratch: &Scratch, engine: &str, port: u16, ca: &std::path::Path) {
    let target = format!(
        "targets:\n  - {{ id: db, kind: database, engine: {engine}, address: '127.0.0.1:{port}', database: postgres,\n      \
         credentials: {{ user: auditor, password: 'env:PROBITY_DOCTOR' }}, tls: {{ ca: '{}' }} }}\n",
        ca.display()
    );
    scratch.write("probity.yaml", target + SETS);
}

#[test]
fn the_script_for_postgresql_gives_what_a_scan_needs_and_each_right_is_missed_by_name() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let scratch = Scratch::new("doctor-postgres");
    configuration(&scratch, "postgresql", postgres.port, &postgres.ca());
    postgres.sql(
        "postgres",
        "CREATE SCHEMA app; CREATE TABLE app.visitors (id int, seen timestamptz, kind text, email text); \
         INSERT INTO app.visitors VALUES (1, now(), 'visitor', 'a@b.example')",
    );
    let before = problems(&scratch);
    assert!(before.0 == 1 && before.1[0].contains("password"), "nobody may log in: {before:?}");

    let (code, script, _) = run(&scratch, &["--grants", "db"]);
    assert_eq!(code, 0);
    assert!(script.contains("GRANT SELECT (\"kind\", \"seen\") ON \"app\".\"visitors\" TO auditor;"), "{script}");
    assert!(!script.contains("email") && !script.contains("SUPERUSER"), "{script}");
    postgres.sql("postgres", &script.replace("a long random one", SECRET));
    let (_, whole) = problems(&scratch);
    let denied = |all: &[String]| all.iter().filter(|one| one.contains("GRANT")).cloned().collect::<Vec<_>>();
    assert_eq!(denied(&whole), Vec::<String>::new(), "{whole:#?}");
    assert!(!whole.iter().any(|one| one.contains("app.visitors")), "{whole:#?}");

    for (right, back, named) in [
        ("pg_read_all_settings FROM", "pg_read_all_settings TO", "pg_read_all_settings"),
        ("pg_read_all_stats FROM", "pg_read_all_stats TO", "pg_read_all_stats"),
        ("SELECT ON pg_hba_file_rules FROM", "SELECT ON pg_hba_file_rules TO", "SELECT ON pg_hba_file_rules"),
        (
            "EXECUTE ON FUNCTION pg_hba_file_rules() FROM",
            "EXECUTE ON FUNCTION pg_hba_file_rules() TO",
            "EXECUTE ON FUNCTION pg_hba_file_rules()",
        ),
        ("EXECUTE ON FUNCTION pg_stat_file(text) FROM", "EXECUTE ON FUNCTION pg_stat_file(text) TO", "pg_stat_file"),
        (
            "SELECT (seen) ON app.visitors FROM",
            "SELECT (seen) ON app.visitors TO",
            "-> GRANT USAGE ON SCHEMA \"app\" TO \"auditor\";\nGRANT SELECT (\"kind\", \"seen\")",
        ),
        ("USAGE ON SCHEMA app FROM", "USAGE ON SCHEMA app TO", "app"),
    ] {
        postgres.sql("postgres", &format!("REVOKE {right} auditor"));
        let (code, found) = problems(&scratch);
        let new: Vec<&String> = found.iter().filter(|one| !whole.contains(one)).collect();
        assert_eq!(code, 1);
        assert!(!new.is_empty() && new.iter().any(|one| one.contains(named)), "{right}: {new:#?}");
        postgres.sql("postgres", &format!("GRANT {back} auditor"));
        assert_eq!(problems(&scratch).1, whole, "{right} given back");
    }
}

#[test]
fn the_script_for_mariadb_gives_what_a_scan_needs() {
    let Some(mariadb) = Mariadb::start(mariadb::Posture::Strict) else { return };
    let scratch = Scratch::new("doctor-mariadb");
    configuration(&scratch, "mariadb", mariadb.port, &mariadb.ca());
    mariadb.sql(
        "DROP USER auditor@'%'; CREATE DATABASE app; USE app; \
         CREATE TABLE visitors (id int primary key, seen timestamp, kind varchar(20), email varchar(80)); \
         INSERT INTO visitors VALUES (1, now(), 'visitor', 'a@b.example')",
    );
    let (code, script, errors) = run(&scratch, &["--grants", "db"]);
    assert_eq!(code, 0, "{errors}");
    assert!(script.contains("GRANT SELECT (`kind`, `seen`) ON `app`.`visitors` TO 'auditor'@'%';"), "{script}");
    mariadb.sql(&script.replace("a long random one", SECRET));
    // The schedule names a type of PostgreSQL's.
    let file = std::fs::read_to_string(scratch.path().join("probity.yaml")).unwrap();
    scratch
        .write("probity.yaml", file.replace("timestamptz", "timestamp").replace("database: postgres", "database: app"));
    let (_, whole) = problems(&scratch);
    assert!(!whole.iter().any(|one| one.contains("GRANT") && !one.contains("_history")), "{whole:#?}");
    mariadb.sql("REVOKE PROCESS ON *.* FROM auditor@'%'");
    let (code, found) = problems(&scratch);
    assert!(code == 1 && found.iter().any(|one| one.contains("-> GRANT PROCESS ON *.* TO")), "{found:#?}");
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let scratch = Scratch::new("doctor-absent");
    let port = free_port();
    let password = scratch.write("password", "pw-2201");
    std::fs::set_permissions(&password, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let target = |id: &str, secret: &str| {
        format!(
            "  - {{ id: {id}, kind: database, engine: redis, address: '127.0.0.1:{port}', credentials: {{ user: a, password: '{secret}' }} }}\n"
        )
    };
    let all = [
        target("unset", "env:PROBITY_NOT_SET_ANYWHERE"),
        target("open", "file:password"),
        target("broken", "exec:exit 3"),
        "  - { id: file, kind: file, engine: sqlite, address: gone.sqlite }\n".to_owned(),
    ];
    scratch.write("probity.yaml", format!("targets:\n{}", all.concat()));
    let (code, out, errors) = run(&scratch, &[]);
    assert_eq!(code, 1, "{errors}");
    for words in [
        "the environment variable PROBITY_NOT_SET_ANYWHERE is not set",
        "→ set PROBITY_NOT_SET_ANYWHERE where probity runs",
        "others on this machine may read",
        "→ chmod 600 '",
        "→ run the command by hand",
        "→ start the service, or open the port",
        "→ give the path of the file as this machine sees it",
        "things to do before a scan can judge everything",
    ] {
        assert!(out.contains(words), "{words} is not in\n{out}");
    }
    assert!(!out.contains("pw-2201"));
    // One target by its id; another id is a mistake.
    let (code, out, _) = run(&scratch, &["file"]);
    assert!(code == 1 && !out.contains("unset"), "{out}");
    let (code, _, errors) = run(&scratch, &["fil"]);
    assert!(code == 2 && errors.contains("there is no target `fil`"), "{errors}");
    let (code, _, errors) = run(&scratch, &["--grants", "file"]);
    assert!(code == 2 && errors.contains("a file has no accounts"), "{errors}");
}

#[test]
fn a_file_that_is_all_there_is_well_and_a_store_that_is_held_is_not() {
    let scratch = Scratch::new("doctor-well");
    let sets =
        SETS.replace("app.visitors", "visitors").replace("timestamptz", "epoch_s").replace("store: db", "store: app");
    scratch.write(
        "probity.yaml",
        format!("targets:\n  - {{ id: app, kind: file, engine: sqlite, address: app.sqlite }}\n{sets}"),
    );
    let connection = rusqlite::Connection::open(scratch.path().join("app.sqlite")).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE visitors (id INTEGER PRIMARY KEY, seen INTEGER, kind TEXT);
             INSERT INTO visitors VALUES (1, unixepoch(), 'visitor')",
        )
        .unwrap();
    // What the policy accepts as open is no problem.
    let file = std::fs::read_to_string(scratch.path().join("probity.yaml")).unwrap();
    let (code, before) = problems(&scratch);
    assert!(code == 1 && !before.is_empty(), "{before:?}");
    let accepted = "policy: { allow_inconclusive: [{ target: app, reason: a test }] }\n";
    scratch.write("probity.yaml", file + accepted);
    let (code, before) = problems(&scratch);
    assert_eq!((code, before.len()), (0, 0), "{before:?}");
    let store = probity::store::Store::open_or_make(&scratch.path().join(".probity"), "doctor.example").unwrap();
    let (code, out, _) = run(&scratch, &["-o", "json"]);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["store"]["problems"].as_array().unwrap().len(), 0, "{out}");
    assert_eq!(code, 0, "{out}");
    let held = store.writer("another run").unwrap();
    let (code, out, _) = run(&scratch, &[]);
    assert!(code == 1 && out.contains("another run") && out.contains("→ wait until the other run has ended"), "{out}");
    drop(held);
}
