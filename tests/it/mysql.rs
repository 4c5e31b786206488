//! MySQL 8, of which no server is to be had here: its answers as the manual has them, by a scripted server.

use crate::support::mysql8::{Answer, Mysql8, PASSWORD, Script, rows};
use crate::support::store::{Look, assert_outside, known, of, read, sign, text};
use probity::collect::mysql::Mysql;
use probity::collect::mysql::retention::Effort;
use probity::model::database::{AtRest, Audit, Auth, Transport};
use probity::model::retention::{Retention, Strategy};
use probity::model::target::Engine;
use probity::model::{Clock as _, Fact, FixedClock, Observation, Reason, Status, SystemClock};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands in the history of MySQL Enterprise Backup: a whole copy so many seconds ago, and whether the latest try failed.
fn copied(ago: i64, failed: &str) -> Answer {
    rows(&[&[&(SystemClock.now().as_second() - ago).to_string(), failed]])
}

/// A server of which everything is well.
fn good() -> Script {
    vec![
        ("SELECT CONNECTION_ID()", rows(&[&["8", "auditor@%"]])),
        (
            "SHOW GLOBAL VARIABLES",
            rows(&[
                &["have_ssl", "YES"],
                &["tls_version", "TLSv1.2,TLSv1.3"],
                &["require_secure_transport", "ON"],
                &["authentication_policy", "*,,"],
                &["default_authentication_plugin", "caching_sha2_password"],
                &["hostname", "db1"],
                &["performance_schema", "ON"],
                &["innodb_redo_log_encrypt", "ON"],
                &["innodb_undo_log_encrypt", "ON"],
                &["binlog_encryption", "ON"],
                &["log_bin", "ON"],
                &["encrypt_tmp_files", "ON"],
                &["innodb_temp_tablespace_encrypt", "ON"],
                &["general_log", "OFF"],
                &["log_output", "FILE"],
                &["audit_log_policy", "ALL"],
                &["audit_log_file", "audit.log"],
                &["local_infile", "OFF"],
                &["secure_file_priv", "-"],
                &["event_scheduler", "ON"],
                &["partial_revokes", "OFF"],
            ]),
        ),
        (
            "FROM mysql.user",
            rows(&[
                &["app", "%", "caching_sha2_password", "0", "1", "0", "0", "0", "0"],
                &["auditor", "%", "caching_sha2_password", "0", "0", "0", "0", "0", "0"],
                &["mysql.sys", "localhost", "caching_sha2_password", "0", "0", "1", "0", "0", "0"],
                &["root", "localhost", "auth_socket", "1", "0", "0", "1", "1", "1"],
            ]),
        ),
        ("FROM mysql.backup_history", copied(3600, "0")),
        ("LIKE 'Ssl_version'", rows(&[&["Ssl_version", "TLSv1.3"]])),
        ("SUBSTRING_INDEX(USER()", rows(&[&["10.0.0.9"]])),
        ("performance_schema.threads", rows(&[&["0", "3", "0"]])),
        ("FROM mysql.db", rows(&[])),
        ("FROM mysql.tables_priv", rows(&[])),
        ("FROM mysql.procs_priv", rows(&[])),
        ("'%audit%' ORDER BY 1", rows(&[&["audit_log"]])),
        (
            "information_schema.INNODB_TABLESPACES ",
            rows(&[&["system", "0", "1", "innodb_system"], &["table", "7", "0", "-"], &["undo", "2", "0", "-"]]),
        ),
        ("SELECT UPPER(ENGINE)", rows(&[&["INNODB", "6"]])),
        ("'REFERENCES')", rows(&[&["1"]])),
        (
            "keyring_component_status",
            rows(&[&["Component_name", "component_keyring_kmip"], &["Component_status", "Active"]]),
        ),
        ("SHOW BINARY LOGS", rows(&[&["binlog.000001", "180", "Yes"], &["binlog.000002", "900", "Yes"]])),
    ]
}

/// The same server as few would want it.
fn bad() -> Script {
    let mut script = good();
    replace(
        &mut script,
        "FROM mysql.user",
        rows(&[
            &["", "localhost", "caching_sha2_password", "1", "0", "0", "0", "0", "0"],
            &["auditor", "%", "mysql_native_password", "0", "0", "0", "0", "0", "0"],
            &["root", "%", "mysql_native_password", "1", "0", "0", "1", "1", "1"],
        ]),
    );
    replace(
        &mut script,
        "information_schema.INNODB_TABLESPACES ",
        rows(&[
            &["system", "0", "1", "innodb_system"],
            &["table", "7", "2", "shop/plain"],
            &["undo", "0", "2", "innodb_undo_001"],
        ]),
    );
    replace(
        &mut script,
        "SHOW BINARY LOGS",
        rows(&[&["binlog.000001", "180", "No"], &["binlog.000002", "900", "Yes"]]),
    );
    replace(&mut script, "FROM mysql.db", rows(&[&["database test", "SELECT, CREATE"]]));
    replace(&mut script, "performance_schema.threads", rows(&[&["2", "3", "0"]]));
    let Answer::Rows(variables) = &mut script[1].1 else { panic!() };
    for (name, value) in [
        ("tls_version", "TLSv1,TLSv1.2"),
        ("require_secure_transport", "OFF"),
        ("authentication_policy", "mysql_native_password,,"),
        ("innodb_redo_log_encrypt", "OFF"),
        ("audit_log_policy", "NONE"),
        ("local_infile", "ON"),
    ] {
        let variable = variables.iter_mut().find(|row| row[0].as_deref() == Some(name)).unwrap();
        variable[1] = Some(value.to_owned());
    }
    script
}

fn replace(script: &mut Script, words: &str, answer: Answer) {
    let entry = script.iter_mut().find(|(own, _)| *own == words).unwrap();
    entry.1 = answer;
}

fn look(server: &Mysql8) -> Look {
    Look::new(Engine::Mysql, server.port, "auditor", PASSWORD).trusting(server.certificate())
}

fn files(seen: &[Observation]) -> BTreeMap<String, Option<String>> {
    let rest: AtRest = read(seen, "db.at_rest");
    rest.files.iter().map(|file| (file.kind.clone(), file.state.known().cloned())).collect()
}

#[test]
fn a_server_of_which_everything_is_well() {
    let server = Mysql8::start(good(), true);
    let look = look(&server);
    let seen = look.run(&Mysql::default());
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.min_protocol, &transport.plaintext_login), (&text("TLSv1.2"), &text("refused")));
    assert_eq!((&transport.plain_sessions, &transport.remote_sessions), (&known(&0), &known(&3)));
    let auth: Auth = read(&seen, "db.auth");
    assert_eq!(auth.login_superusers, known(&vec!["root@localhost".to_owned()]));
    assert_eq!((auth.slow_hashes, auth.fast_hashes), (known(&3), known(&0)));
    let rest: AtRest = read(&seen, "db.at_rest");
    let layer = &rest.layers[0];
    assert_eq!((&layer.algorithm, &layer.key_bits, &layer.mode), (&text("AES"), &known(&256), &text("CBC")));
    assert_eq!(layer.key_location, text("kms"));
    assert!(rest.not_covered.iter().any(|what| what.contains("system tablespace")), "{:?}", rest.not_covered);
    assert!(files(&seen).values().all(|state| state.as_deref() == Some("encrypted")), "{:?}", rest.files);
    for (item, (status, _)) in look.judge(&seen) {
        // CBC without integrity is told, and no more.
        let expected = if item == "db.at_rest.algorithm" { Status::Fail } else { Status::Pass };
        assert_eq!(status, expected, "{item}");
    }
    let asked = server.asked();
    assert!(asked.iter().any(|query| query == "SET SESSION max_execution_time = 5000"), "{asked:?}");
    assert!(asked[0].contains("READ ONLY"), "{asked:?}");
}

#[test]
fn a_server_as_few_would_want_it() {
    let server = Mysql8::start(bad(), false);
    let look = look(&server);
    let seen = look.run(&Mysql::default());
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.min_protocol, &transport.plaintext_login), (&text("TLSv1.0"), &text("asked")));
    assert_eq!(sign(&transport.plaintext, "rules for other machines"), &known(&true));
    assert!(transport.plaintext[1].seen.contains("auditor@%, root@%"), "{:?}", transport.plaintext);
    let states = files(&seen);
    for kind in ["data", "redo log", "undo log", "binary log"] {
        assert_eq!(states[kind].as_deref(), Some("plain"), "{kind}");
    }
    let rest: AtRest = read(&seen, "db.at_rest");
    assert!(rest.layers[0].scope.contains("7 of 9 tablespaces (not shop/plain)"), "{:?}", rest.layers);
    let verdicts = look.judge(&seen);
    for item in FAULTS {
        assert_eq!(verdicts.get(item).map(|verdict| verdict.0), Some(Status::Fail), "{item}: {verdicts:#?}");
    }
}

const FAULTS: [&str; 18] = [
    "db.in_transit sessions of other machines",
    "db.in_transit.enforced login tried without TLS",
    "db.in_transit.enforced rules for other machines",
    "db.in_transit.protocols",
    "db.at_rest",
    "db.at_rest.logs redo log",
    "db.at_rest.logs undo log",
    "db.at_rest.logs binary log",
    "db.auth.methods @localhost",
    "db.auth.methods auditor@%",
    "db.auth.methods root@%",
    "db.auth.default_accounts @localhost",
    "db.auth.default_accounts root@%",
    "db.auth.password_hash new passwords",
    "db.auth.password_hash stored passwords",
    "db.auth.public_grants",
    "db.auth.reach files of clients",
    "db.audit_log new sessions",
];

#[test]
fn no_refused_query_turns_a_fault_into_a_pass() {
    let script = bad();
    for (refused, _) in &script {
        for code in [1142, 1969, 1053] {
            // Not every code with every query: each pair costs a look.
            if (refused.len() + usize::from(code)) % 3 != 0 {
                continue;
            }
            let mut script = script.clone();
            replace(&mut script, refused, Answer::Error(code));
            let server = Mysql8::start(script, false);
            let look = look(&server);
            let verdicts = look.judge(&look.run(&Mysql::default()));
            for item in FAULTS {
                let status = verdicts.get(item).map(|verdict| verdict.0);
                assert_ne!(status, Some(Status::Pass), "{item} with {code} for {refused}");
            }
        }
    }
}

#[test]
fn nothing_is_encrypted_is_not_known_to_be_plain() {
    let mut script = bad();
    replace(
        &mut script,
        "information_schema.INNODB_TABLESPACES ",
        rows(&[
            &["system", "0", "1", "innodb_system"],
            &["table", "0", "9", "mysql"],
            &["undo", "0", "2", "innodb_undo_001"],
        ]),
    );
    let server = Mysql8::start(script, false);
    let look = look(&server);
    let seen = look.run(&Mysql::default());
    let rest: AtRest = read(&seen, "db.at_rest");
    assert!(rest.files[0].state.reason().unwrap().contains("disk below"), "{:?}", rest.files);
    assert_eq!(look.judge(&seen)["db.at_rest"].0, Status::NotEvaluated);
}

#[test]
fn filters_of_the_audit_log_and_a_hidden_list_of_components_are_unknown() {
    let mut script = good();
    let Answer::Rows(variables) = &mut script[1].1 else { panic!() };
    variables.retain(|row| !row[0].as_deref().unwrap().starts_with("audit_log"));
    replace(&mut script, "'%audit%' ORDER BY 1", rows(&[]));
    script.insert(0, ("FROM mysql.component", Answer::Error(1142)));
    let server = Mysql8::start(script.clone(), true);
    let audit: Audit = read(&look(&server).run(&Mysql::default()), "db.audit");
    assert!(
        audit.extension.reason().unwrap().contains("GRANT SELECT ON mysql.component TO 'auditor'@'%'"),
        "{audit:?}"
    );
    assert!(audit.logging.iter().all(|sign| sign.yes.known().is_none()));
    script[0].1 = rows(&[&["file://component_audit_log_filter"]]);
    let server = Mysql8::start(script, true);
    let audit: Audit = read(&look(&server).run(&Mysql::default()), "db.audit");
    assert_eq!(audit.extension, known(&true));
    assert!(audit.logging.iter().all(|sign| sign.yes.known().is_none()), "{audit:?}");
}

#[test]
fn a_password_that_is_wrong_is_told_from_a_server_that_is() {
    let server = Mysql8::start(good(), true);
    let wrong = Look::new(Engine::Mysql, server.port, "auditor", "other-77c0").trusting(server.certificate());
    assert_outside(&wrong.run(&Mysql::default()), Reason::AuthenticationFailed);
    let untrusted = Look::new(Engine::Mysql, server.port, "auditor", PASSWORD);
    let seen = untrusted.run(&Mysql::default());
    assert_outside(&seen, Reason::HandshakeRejected);
    assert!(server.asked().is_empty(), "nothing was asked");
}

const PLAN: &str = r#"{"query_block": {"select_id": 1, "table": {"table_name": "q", "access_type": "ALL",
    "materialized_from_subquery": {"using_temporary_table": true, "query_block": {"select_id": 2, "table":
    {"table_name": "visitors", "access_type": "range", "key": "seen_at"}}}}}}"#;

#[test]
fn rows_are_counted_in_mysqls_own_words() {
    let mut script = vec![
        ("SELECT UNIX_TIMESTAMP(), @@global", rows(&[&["1795608000", "0"]])),
        (
            "FROM information_schema.EVENTS",
            rows(&[&["app", "expire", "ENABLED", "1", "DAY", "1795590000", "DELETE FROM visitors WHERE seen < 1"]]),
        ),
        ("= 'EVENT'", rows(&[&["1"]])),
        ("LEFT JOIN information_schema.COLUMNS", rows(&[&["app", "visitors", "email"], &["app", "visitors", "seen"]])),
        ("SELECT TABLE_TYPE", rows(&[&["BASE TABLE", "900000000", "12000000"]])),
        ("SELECT COLUMN_NAME, DATA_TYPE", rows(&[&["id", "bigint"], &["seen", "timestamp"], &["email", "varchar"]])),
        ("IS_VISIBLE = 'YES'", rows(&[&["PRIMARY", "id", "1"], &["seen_at", "seen", "1"]])),
        ("information_schema.PARTITIONS", rows(&[])),
        ("EXPLAIN FORMAT=JSON SELECT count", rows(&[&[PLAN]])),
        (
            "EXPLAIN FORMAT=JSON",
            rows(&[&[
                r#"{"query_block": {"table": {"table_name": "visitors", "access_type": "range", "key": "seen_at"}}}"#,
            ]]),
        ),
        ("ORDER BY `seen` LIMIT 1", rows(&[&["2025-01-01 10:00:00"]])),
        ("SELECT count(*) FROM (SELECT 1", rows(&[&["0"]])),
    ];
    script.extend(good());
    let server = Mysql8::start(script.clone(), true);
    let schedule = "data_sets: [{id: rows, store: db, object: {table: visitors}, kind: primary, data_categories: [contact], \
        subject_categories: [visitor], timestamp: {expr: seen, type: timestamptz}, anchor: created, max_age: 9 months, \
        legal_basis: {article: a, purpose: p}, action: delete, mechanism: {type: job}, measure: {timeout: 3s}}]";
    let looking = |server: &Mysql8| {
        let mut look = look(server).with(schedule);
        look.target.connection.database = Some("app".to_owned());
        look.clock = Arc::new(FixedClock("2026-11-25T12:00:00Z".parse().unwrap()));
        look.run(&Mysql { effort: Effort { small_table: 0 } })
    };
    let seen = looking(&server);
    let retention: Retention = read(&seen, "data.retention");
    let set = &retention.data_sets[0];
    assert!(set.query.contains("`seen` < TIMESTAMP'2026-02-25 00:00:00'"), "{set:?}");
    let asked = server.asked();
    assert!(asked.iter().any(|query| query == "SET SESSION max_execution_time = 3000"));
    assert!(asked.iter().any(|query| query.contains("`app`.`visitors` FORCE INDEX (`seen_at`)")), "{asked:?}");
    assert_eq!((set.strategy, &retention.skew_s), (Strategy::Index, &known(&0)));
    assert_eq!(retention.mechanisms[0].found, known(&true));
    // No row is past its time, so that an event that began in time counts as effective.
    assert_eq!((&set.violating, &retention.mechanisms[0].effective), (&known(&0), &known(&true)), "{retention:?}");
    // A plan that reads everything is not run: without a sample either, since the script tells of no keys.
    replace(
        &mut script,
        "EXPLAIN FORMAT=JSON SELECT count",
        rows(&[&[r#"{"query_block": {"table": {"table_name": "visitors", "access_type": "ALL"}}}"#]]),
    );
    let server = Mysql8::start(script, true);
    let retention: Retention = read(&looking(&server), "data.retention");
    assert!(matches!(retention.data_sets[0].violating, Fact::Unknown(_)), "{retention:?}");
    assert!(of(&looking(&server), "data.inventory").trouble.is_none());
    assert!(
        !server.asked().iter().any(|query| query.starts_with("SELECT count(*) FROM (SELECT 1")),
        "a large table was read"
    );
}

#[test]
fn copies_are_told_by_the_history_of_a_program_and_by_nothing_else() {
    for (answer, name, wanted) in [
        (copied(3600, "0"), "MySQL Enterprise Backup", Status::Pass),
        (copied(3600, "1"), "MySQL Enterprise Backup", Status::Fail),
        (copied(3 * 86_400, "0"), "MySQL Enterprise Backup", Status::Fail),
        (rows(&[&["-", "0"]]), "MySQL Enterprise Backup", Status::NotEvaluated),
        (rows(&[&["soon", "0"]]), "MySQL Enterprise Backup", Status::NotEvaluated),
        (rows(&[]), "MySQL Enterprise Backup", Status::NotEvaluated),
        (Answer::Error(1142), "MySQL Enterprise Backup", Status::NotEvaluated),
        (Answer::Error(1146), "history of copies", Status::NotEvaluated),
    ] {
        let mut script = good();
        let words = format!("{answer:?}");
        replace(&mut script, "FROM mysql.backup_history", answer);
        let server = Mysql8::start(script, true);
        let look = Look::new(Engine::Mysql, server.port, "auditor", PASSWORD).trusting(server.certificate());
        let verdicts = look.judge(&look.run(&Mysql::default()));
        assert_eq!(verdicts[&format!("db.backup.exists {name}")].0, wanted, "{words}");
    }
}
