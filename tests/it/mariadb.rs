//! MariaDB in three postures, and what stands in the way of looking at it.

use crate::support::mariadb::{Mariadb, PASSWORD, Posture, cutting};
use crate::support::store::{Look, assert_outside, known, of, read, sign, text};
use probity::collect::Collector as _;
use probity::collect::mysql::Mysql;
use probity::collect::mysql::retention::Effort;
use probity::model::database::{AtRest, Audit, Auth, Backup, Transport};
use probity::model::retention::{Inventory, Measured, Retention, Strategy};
use probity::model::target::Engine;
use probity::model::{Fact, FixedClock, Observation, ObservationStatus, Reason, Severity, Status};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn look(mariadb: &Mariadb) -> Look {
    Look::new(Engine::Mariadb, mariadb.port, "auditor", PASSWORD)
}

fn run(look: &Look) -> Vec<Observation> {
    look.run(&Mysql::default())
}

/// The state of each kind of file.
fn files(seen: &[Observation]) -> BTreeMap<String, Option<String>> {
    let rest: AtRest = read(seen, "db.at_rest");
    rest.files.iter().map(|file| (file.kind.clone(), file.state.known().cloned())).collect()
}

#[test]
fn a_server_as_an_installation_leaves_it() {
    let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
    let look = Look::new(Engine::Mariadb, mariadb.port, "root", "");
    let seen = run(&look);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((transport.tls_offered, transport.ssl_setting), (known(&false), text("off")));
    assert!(transport.min_protocol.reason().unwrap().contains("TLS is off"));
    assert_eq!(transport.plaintext_login, text("asked"));
    assert_eq!(sign(&transport.plaintext, "login tried without TLS"), &known(&true));
    let auth: Auth = read(&seen, "db.auth");
    let open: Vec<String> = auth.methods.known().unwrap().iter().map(|one| one.rule.clone()).collect();
    assert!(open.contains(&"root@localhost".to_owned()) && open.contains(&"@localhost".to_owned()), "{open:?}");
    assert!(!open.contains(&"mariadb.sys@localhost".to_owned()), "it is locked");
    assert_eq!(auth.public_create, known(&true));
    let grants: Vec<String> = auth.public_grants.known().unwrap().iter().map(|one| one.object.clone()).collect();
    assert_eq!(grants, ["database test", r"database test\_%"]);
    let audit: Audit = read(&seen, "db.audit");
    assert_eq!((audit.connections, audit.extension), (known(&false), known(&false)));
    assert!(files(&seen).values().all(|state| !matches!(state.as_deref(), Some("encrypted" | "plain"))), "{seen:?}");
    let verdicts = look.judge(&seen);
    for (item, severity) in [
        ("db.in_transit offer of TLS", Severity::High),
        ("db.in_transit own session", Severity::High),
        ("db.in_transit.enforced login tried without TLS", Severity::High),
        ("db.in_transit.enforced rules for other machines", Severity::High),
        ("db.auth.methods @localhost", Severity::Medium),
        ("db.auth.methods root@localhost", Severity::Medium),
        ("db.auth.methods auditor@%", Severity::Medium),
        ("db.auth.default_accounts root@localhost", Severity::High),
        ("db.auth.default_accounts @localhost", Severity::High),
        ("db.auth.public_grants", Severity::Medium),
        ("db.auth.reach files of clients", Severity::Low),
        ("db.auth.reach files of the server", Severity::Low),
        ("db.audit_log new sessions", Severity::Medium),
        ("db.audit_log a place for the log", Severity::Medium),
    ] {
        assert_eq!(verdicts.get(item), Some(&(Status::Fail, severity)), "{item}: {verdicts:#?}");
    }
    for item in ["db.in_transit.protocols", "db.at_rest", "db.at_rest.algorithm", "db.at_rest.logs redo log"] {
        assert_eq!(verdicts[item].0, Status::NotEvaluated, "{item}");
    }
    assert_eq!(mariadb.sql("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE HOST LIKE '%:%'"), "0");
}

#[test]
fn a_server_with_tls_that_accepts_a_login_without() {
    let Some(mariadb) = Mariadb::start(Posture::Mixed) else { return };
    mariadb.grant_all();
    let look = look(&mariadb).trusting(mariadb.ca());
    let seen = run(&look);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((transport.tls_offered.clone(), transport.certificate_verified.clone()), (known(&true), known(&true)));
    assert_eq!(transport.session.known().unwrap().protocol, "TLSv1.3");
    assert_eq!(transport.plaintext_login, text("asked"));
    assert_eq!(sign(&transport.encryption, "own session"), &known(&true));
    let hidden = sign(&transport.encryption, "sessions of other machines");
    assert!(hidden.reason().unwrap().contains("performance_schema is off"), "{hidden:?}");
    assert_eq!(sign(&transport.plaintext, "rules for other machines"), &known(&true));
    assert_eq!(sign(&transport.plaintext, "login tried without TLS"), &known(&true));
    mariadb.assert_gone();
    // With TLS asked of every account, the rule of the server is not needed.
    mariadb.sql("ALTER USER auditor@'%' REQUIRE SSL; DELETE FROM mysql.global_priv WHERE Host NOT IN ('%', 'localhost', '127.0.0.1', '::1', '') OR User = ''; FLUSH PRIVILEGES");
    let transport: Transport = read(&run(&look), "db.transport");
    assert_eq!(sign(&transport.plaintext, "login tried without TLS"), &known(&false), "{transport:?}");
    assert_eq!(sign(&transport.plaintext, "rules for other machines"), &known(&false), "{transport:?}");
}

#[test]
fn a_strict_server() {
    let Some(mariadb) = Mariadb::start(Posture::Strict) else { return };
    mariadb.grant_all();
    mariadb.sql(
        "CREATE DATABASE shop; CREATE TABLE shop.orders (id int PRIMARY KEY, note varchar(200)); \
         CREATE USER app@'%' IDENTIFIED VIA ed25519 USING PASSWORD('x'); \
         CREATE USER old@'%' IDENTIFIED BY 'x' ACCOUNT LOCK; CREATE ROLE clerk",
    );
    let canary = "CANARY-7d1e-IN-A-ROW";
    mariadb.sql(&format!(
        "INSERT INTO shop.orders VALUES (1, REPEAT('{canary}', 5)); FLUSH TABLES shop.orders FOR EXPORT"
    ));
    let encrypted = "SELECT COUNT(*) = 0 FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
                     WHERE MIN_KEY_VERSION = 0 OR ENCRYPTION_SCHEME = 0";
    mariadb.wait_for("encryption", encrypted);
    let look = look(&mariadb).trusting(mariadb.ca());
    let seen = run(&look);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((transport.min_protocol, transport.max_protocol), (text("TLSv1.2"), text("TLSv1.3")));
    assert_eq!(transport.plaintext_login, text("asked"), "MariaDB asks for the proof before it refuses");
    assert!(transport.plaintext.iter().all(|sign| sign.yes == known(&false)), "{:?}", transport.plaintext);
    assert_eq!((transport.plain_sessions, transport.remote_sessions), (known(&0), known(&0)));
    let auth: Auth = read(&seen, "db.auth");
    let methods: Vec<(&str, &str)> =
        auth.methods.known().unwrap().iter().map(|one| (one.rule.as_str(), one.strength.as_str())).collect();
    assert!(methods.contains(&("app@%", "strong")) && methods.contains(&("auditor@%", "sha1")), "{methods:?}");
    assert!(methods.iter().all(|(rule, _)| !rule.starts_with("old@") && !rule.starts_with("clerk")), "{methods:?}");
    assert_eq!((auth.accounts_without_password, auth.slow_hashes), (known(&0), known(&1)));
    assert_eq!(auth.login_superusers.known().unwrap().len(), 1);
    assert_eq!((auth.public_create, auth.public_grants), (known(&false), known(&Vec::new())));
    let audit: Audit = read(&seen, "db.audit");
    assert!(audit.logging.iter().all(|sign| sign.yes == known(&true)), "{:?}", audit.logging);
    assert_eq!((audit.extension, audit.statements), (known(&true), text("ddl")));
    let rest: AtRest = read(&seen, "db.at_rest");
    let layer = &rest.layers[0];
    assert_eq!((&layer.encrypted, &layer.algorithm, &layer.mode), (&known(&true), &text("AES"), &text("CBC")));
    assert!(layer.key_bits.reason().unwrap().contains("its owner can tell"));
    assert_eq!(layer.key_location, text("local_file"));
    let states = files(&seen);
    for kind in ["data", "redo log", "undo log", "binary log", "temp"] {
        assert_eq!(states[kind].as_deref(), Some("encrypted"), "{kind}: {:?}", rest.files);
    }
    assert_eq!(states["Aria log"], None);
    // What is said of the files is what they hold.
    for (folder, beginning) in [("shop", "orders.ibd"), ("", "ib_logfile0"), ("", "bin.0"), ("", "ibdata1")] {
        assert!(!mariadb.holds(folder, beginning, canary), "{beginning} holds the row as it is");
    }
    mariadb.assert_gone();
    for (item, (status, _)) in look.judge(&seen) {
        let expected = match item.as_str() {
            // Our own account proves itself by SHA-1, since this version has nothing better that we speak.
            "db.auth.methods auditor@%" | "db.auth.password_hash stored passwords" => Status::Fail,
            "db.at_rest.algorithm" | "db.at_rest.logs Aria log" => Status::NotEvaluated,
            // No program has written a history, and whether there is one our account may not know.
            _ if item.starts_with("db.backup.exists") => Status::NotEvaluated,
            _ => Status::Pass,
        };
        assert_eq!(status, expected, "{item}");
    }
}

#[test]
fn a_kind_of_file_left_plain_beside_encrypted_ones_stands_out() {
    let more = "innodb_encrypt_log=OFF\nencrypt_tmp_files=OFF\n";
    let Some(mariadb) = Mariadb::start_with(Posture::Strict, more) else { return };
    mariadb.grant_all();
    let canary = "CANARY-3b77-IN-A-ROW";
    mariadb.sql(&format!(
        "CREATE DATABASE shop; CREATE TABLE shop.orders (id int PRIMARY KEY, note varchar(200)); \
         CREATE TABLE shop.log (note varchar(200)) ENGINE=Aria TRANSACTIONAL=1; INSERT INTO shop.log VALUES ('{canary}'); \
         INSERT INTO shop.orders VALUES (1, REPEAT('{canary}', 5)); FLUSH TABLES; SET GLOBAL innodb_log_checkpoint_now=ON"
    ));
    let encrypted =
        "SELECT COUNT(*) = 0 FROM information_schema.INNODB_TABLESPACES_ENCRYPTION WHERE MIN_KEY_VERSION = 0";
    mariadb.wait_for("encryption", encrypted);
    let look = look(&mariadb).trusting(mariadb.ca());
    let seen = run(&look);
    let states = files(&seen);
    for (kind, state) in [
        ("data", "encrypted"),
        ("redo log", "plain"),
        ("Aria log", "plain"),
        ("temp", "plain"),
        ("binary log", "encrypted"),
    ] {
        assert_eq!(states[kind].as_deref(), Some(state), "{kind}");
    }
    assert!(mariadb.holds("", "ib_logfile0", canary) && mariadb.holds("", "aria_log.0", canary));
    assert!(!mariadb.holds("shop", "orders.ibd", canary) && !mariadb.holds("shop", "log.MAD", canary));
    let verdicts = look.judge(&seen);
    for item in ["db.at_rest", "db.at_rest.logs redo log", "db.at_rest.logs Aria log", "db.at_rest.temp temp"] {
        assert_eq!(verdicts[item].0, Status::Fail, "{item}: {verdicts:#?}");
    }
    assert_eq!(verdicts["db.at_rest.logs binary log"].0, Status::Pass);
    // A table of an engine without encryption is plain, whatever InnoDB does.
    mariadb.sql("CREATE TABLE shop.old (note varchar(200)) ENGINE=MyISAM");
    let rest: AtRest = read(&run(&look), "db.at_rest");
    assert_eq!((&rest.files[0].state, rest.layers[0].encrypted.clone()), (&text("plain"), known(&false)));
    assert!(rest.files[0].source.contains("MYISAM"), "{:?}", rest.files[0]);
}

#[test]
fn a_right_that_is_missing_is_named_and_hides_its_own_facts_alone() {
    let Some(mariadb) = Mariadb::start(Posture::Strict) else { return };
    mariadb.grant_all();
    let schedule = "data_sets: []\n";
    let look = look(&mariadb).trusting(mariadb.ca()).with(schedule);
    let unknown = |seen: &[Observation]| {
        let transport: Transport = read(seen, "db.transport");
        let auth: Auth = read(seen, "db.auth");
        let rest: AtRest = read(seen, "db.at_rest");
        let hidden = [
            ("methods", auth.methods.reason().map(str::to_owned)),
            ("grants", auth.public_grants.reason().map(str::to_owned)),
            ("sessions", transport.remote_sessions.reason().map(str::to_owned)),
            ("tables", rest.files[0].state.reason().map(str::to_owned)),
            ("inventory", of(seen, "data.inventory").trouble.as_ref().map(|trouble| trouble.detail.clone())),
        ];
        hidden.into_iter().filter_map(|(what, why)| Some((what, why?))).collect::<BTreeMap<_, _>>()
    };
    let seen = run(&look);
    assert_eq!(unknown(&seen), BTreeMap::new());
    for (right, hides) in [
        ("SELECT ON mysql.db", vec!["grants"]),
        ("SELECT ON mysql.tables_priv", vec!["grants"]),
        ("SELECT ON mysql.procs_priv", vec!["grants"]),
        ("PROCESS ON *.*", vec!["tables"]),
        ("REFERENCES ON *.*", vec!["inventory"]),
        ("SELECT (Host, User, Priv) ON mysql.global_priv", vec!["grants", "methods"]),
    ] {
        mariadb.sql(&format!("REVOKE {right} FROM auditor@'%'"));
        let seen = run(&look);
        let found = unknown(&seen);
        assert_eq!(found.keys().copied().collect::<Vec<_>>(), hides, "{right}: {found:?}");
        let object = right.rsplit(' ').next().unwrap();
        for why in found.values() {
            assert!(
                why.contains("GRANT ") && why.contains(object) && why.contains("TO 'auditor'@'%'"),
                "{right}: {why}"
            );
        }
        // Nothing that was hidden is taken for good.
        let item = match hides[hides.len() - 1] {
            "grants" => "db.auth.public_grants",
            "tables" => "db.at_rest",
            "methods" => "db.auth.methods",
            _ => "",
        };
        let verdict = look.judge(&seen).get(item).map(|verdict| verdict.0);
        assert!(item.is_empty() || verdict == Some(Status::NotEvaluated), "{right}: {item} {verdict:?}");
        mariadb.sql(&format!("GRANT {right} TO auditor@'%'"));
    }
    // In MariaDB everybody may look at the threads; the list of rights has it for MySQL.
    mariadb.assert_gone();
    // What README says is what was granted here.
    let readme = include_str!("../../README.md");
    for mariadb in [true, false] {
        for line in probity::collect::mysql::grants(mariadb, "'auditor'@'10.0.0.%'", &[], "", false) {
            assert!(readme.contains(&line), "README lacks {line}");
        }
    }
}

#[test]
fn a_wrong_password_and_a_server_that_is_not_trusted() {
    let Some(mariadb) = Mariadb::start(Posture::Strict) else { return };
    let wrong = Look::new(Engine::Mariadb, mariadb.port, "auditor", "wrong-5e0c").trusting(mariadb.ca());
    let seen = run(&wrong);
    assert_outside(&seen, Reason::AuthenticationFailed);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.tls_offered, &transport.plaintext_login), (&known(&true), &text("asked")));
    // Whether the server refuses in the end is not seen from outside: the trial proves nothing.
    assert_eq!(sign(&transport.plaintext, "login tried without TLS").known(), None);
    assert!(
        wrong
            .judge(&seen)
            .iter()
            .filter(|(item, _)| item.starts_with("db.auth"))
            .all(|(_, (status, _))| *status == Status::NotEvaluated)
    );
    let untrusted = look(&mariadb);
    let seen = run(&untrusted);
    assert_outside(&seen, Reason::HandshakeRejected);
    assert_eq!(read::<Transport>(&seen, "db.transport").certificate_verified, known(&false));
    let mut other_name = look(&mariadb).trusting(mariadb.ca());
    other_name.target.connection.server_name = Some("db.example".to_owned());
    assert_outside(&run(&other_name), Reason::HandshakeRejected);
    let pinned = look(&mariadb).trusting(mariadb.ca().with_file_name("server.pem"));
    assert_eq!(read::<Transport>(&run(&pinned), "db.transport").certificate_verified, known(&true));
    // An account that proves itself in a way that we do not speak says which would do.
    mariadb.sql("CREATE USER modern@'%' IDENTIFIED VIA ed25519 USING PASSWORD('x')");
    let modern = Look::new(Engine::Mariadb, mariadb.port, "modern", "x-4411").trusting(mariadb.ca());
    let seen = run(&modern);
    assert_outside(&seen, Reason::AuthenticationFailed);
    assert!(of(&seen, "db.auth").trouble.as_ref().unwrap().detail.contains("client_ed25519"), "{seen:?}");
    mariadb.assert_gone();
}

#[test]
fn a_name_with_several_addresses_is_entered_once() {
    let Some(mariadb) = Mariadb::start(Posture::Mixed) else { return };
    mariadb.grant_all();
    let look = look(&mariadb).trusting(mariadb.ca());
    let closed = SocketAddr::from(([127, 0, 0, 1], crate::support::free_port()));
    let (first, second) =
        (SocketAddr::from(([127, 0, 0, 1], mariadb.port)), SocketAddr::from(([127, 0, 0, 2], mariadb.port)));
    let seen = look.run_at(&Mysql::default(), vec![closed, first, second]);
    assert_eq!(seen.len(), 3 * Mysql::default().yields().len());
    let state = |kind: &str, address: SocketAddr| {
        let one = seen.iter().find(|one| one.kind == kind && one.part == address.to_string()).unwrap();
        (one.status, one.trouble.as_ref().map(|trouble| trouble.reason))
    };
    assert_eq!(state("db.auth", first).0, ObservationStatus::Complete);
    assert_eq!(state("db.transport", second).0, ObservationStatus::Complete);
    assert_eq!(state("db.auth", second), (ObservationStatus::Failed, Some(Reason::Unsupported)));
    assert_eq!(state("db.transport", closed), (ObservationStatus::Failed, Some(Reason::Refused)));
    mariadb.assert_gone();
}

/// A schedule with one set of this store.
fn schedule(table: &str, timestamp: &str, more: &str) -> String {
    format!(
        "data_sets: [{{id: rows, store: db, object: {{table: {table}}}, kind: primary, \
         data_categories: [special.health], subject_categories: [visitor], timestamp: {{{timestamp}}}, \
         anchor: created, max_age: 9 months, legal_basis: {{article: a, purpose: p}}, action: delete, \
         mechanism: {{type: job}}{more}}}]"
    )
}

const AS_OF: &str = "2026-11-23T12:00:00Z";
/// So little is small that nothing is read whole.
const LARGE: Effort = Effort { small_table: 0 };

fn measuring(mariadb: &Mariadb, schedule: &str) -> Look {
    let mut look = look(mariadb).with(schedule);
    look.clock = Arc::new(FixedClock(AS_OF.parse().unwrap()));
    look
}

fn measured(mariadb: &Mariadb, schedule: &str, effort: Effort) -> Measured {
    let seen = measuring(mariadb, schedule).run(&Mysql { effort });
    let mut retention: Retention = read(&seen, "data.retention");
    assert!(retention.server_version.known().unwrap().contains("MariaDB"));
    assert!(!serde_json::to_string(&seen).unwrap().contains("example.org"), "a person's data stands in the evidence");
    retention.data_sets.remove(0)
}

const ROWS: &str = "CREATE DATABASE app; USE app; SET time_zone = '+00:00'; SET sql_mode = '';
    CREATE TABLE visitors (id bigint AUTO_INCREMENT PRIMARY KEY, seen datetime NULL, made datetime NULL, gone datetime NULL,
        email varchar(80), keep_it int, KEY visitors_seen (seen));
    INSERT INTO visitors (seen, email) SELECT '2026-02-23' + INTERVAL seq SECOND, 'someone@example.org' FROM seq_0_to_20000;
    CREATE TABLE heap (seen timestamp NULL, n int PRIMARY KEY);
    INSERT INTO heap SELECT '2026-02-23' + INTERVAL seq SECOND, seq FROM seq_0_to_20000;
    CREATE TABLE bare (seen datetime); INSERT INTO bare VALUES ('2026-02-23');
    CREATE TABLE texts (seen varchar(40)); INSERT INTO texts VALUES ('2026-02-23T00:00:00Z'), ('2026-02-22T23:59:59.5Z'),
        ('2020-01-01 00:00:00'), ('');
    CREATE TABLE ids (seen char(36)); INSERT INTO ids VALUES ('019c87cb-b400-7000-8000-000000000000'),
        ('019c87cb-b3ff-7fff-8fff-ffffffffffff'), ('99999999-0000-4000-8000-000000000000');
    CREATE TABLE days (seen date, at datetime, epoch bigint, stamp timestamp NULL); INSERT INTO days VALUES
        ('2026-02-23', '2026-02-23 01:00:00', 1771804800, '2026-02-23'),
        ('2026-02-22', '2026-02-23 00:59:59', 1771804799, '2026-02-22 23:59:59'), (NULL, NULL, NULL, NULL),
        ('0000-00-00', '0000-00-00', 0, '0000-00-00');
    CREATE TABLE parts (seen date, n int) PARTITION BY RANGE COLUMNS (seen) (PARTITION p2024 VALUES LESS THAN ('2025-01-01'),
        PARTITION p2025 VALUES LESS THAN ('2026-03-01'), PARTITION p2026 VALUES LESS THAN (MAXVALUE));
    INSERT INTO parts VALUES ('2024-05-05', 1), ('2026-02-22', 1), ('2026-02-23', 1), ('2026-10-10', 1);
    CREATE TABLE history (seen datetime) WITH SYSTEM VERSIONING; CREATE VIEW looks AS SELECT seen FROM visitors;
    CREATE SEQUENCE numbers;
    ANALYZE TABLE visitors, heap, parts;
    GRANT SELECT (id, seen, made, gone, keep_it) ON app.visitors TO auditor@'%';
    GRANT SELECT ON app.heap TO auditor@'%'; GRANT SELECT ON app.parts TO auditor@'%'; GRANT SELECT ON app.bare TO auditor@'%';
    GRANT SELECT ON app.texts TO auditor@'%'; GRANT SELECT ON app.ids TO auditor@'%'; GRANT SELECT ON app.days TO auditor@'%';
    GRANT SELECT ON app.history TO auditor@'%'; GRANT SELECT ON app.looks TO auditor@'%'";

#[test]
fn rows_past_their_time_are_counted() {
    let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
    mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES");
    mariadb.sql(ROWS);
    by_index(&mariadb);
    small_sampled_and_partitioned(&mariadb);
    types(&mariadb);
    troubles(&mariadb);
    names(&mariadb);
    mariadb.assert_gone();
}

fn by_index(mariadb: &Mariadb) {
    let plain = schedule("app.visitors", "expr: seen, type: timestamp, column_time_zone: UTC", "");
    let found = measured(mariadb, &plain, LARGE);
    assert_eq!((found.strategy, &found.violating), (Strategy::Index, &known(&0)), "{found:?}");
    assert_eq!((&found.undatable, &found.future, &found.held), (&known(&0), &known(&0), &known(&0)), "{found:?}");
    assert!(found.plan.contains("range by visitors_seen"), "{}", found.plan);
    assert!(found.query.contains("TIMESTAMP'2026-02-23 00:00:00'"), "{}", found.query);
    mariadb.sql(
        "SET sql_mode = ''; USE app; INSERT INTO visitors (seen) SELECT '2024-01-01' + INTERVAL seq MINUTE FROM seq_1_to_1500;
         INSERT INTO visitors (seen) VALUES (NULL), ('9999-12-31'), ('1970-01-01'), ('0000-00-00'), ('0001-01-01'), ('2031-01-01');
         INSERT INTO visitors (seen, keep_it) VALUES ('2023-01-01', 42)",
    );
    let found = measured(mariadb, &plain, LARGE);
    assert_eq!((&found.violating, found.capped), (&known(&1000), true), "{found:?}");
    assert_eq!((&found.undatable, &found.future), (&known(&5), &known(&1)), "{found:?}");
    assert_eq!(found.sentinels.len(), 4, "{:?}", found.sentinels);
    assert_eq!((&found.oldest_day, found.severity.as_str()), (&text("2023-01-01"), "critical"), "{found:?}");
    let hold = ", measure: {limit: 5000}, holds: [{id: h, reason: r, authority: a, from: 2026-01-01, review_on: 2027-01-01, \
                scope: {predicate: keep_it = 42}}]";
    let held = schedule("app.visitors", "expr: seen, type: timestamp, column_time_zone: UTC", hold);
    let found = measured(mariadb, &held, LARGE);
    assert_eq!((&found.violating, &found.held, found.capped), (&known(&1500), &known(&1), false), "{found:?}");
    assert_eq!(found.oldest_day, text("2024-01-01"));
    // What no index answers leaves a sample by the key.
    let picked = schedule("app.visitors", "expr: 'coalesce(seen, made)', type: timestamp", "");
    assert_eq!(measured(mariadb, &picked, LARGE).strategy, Strategy::Sample);
}

fn small_sampled_and_partitioned(mariadb: &Mariadb) {
    let heap = schedule("app.heap", "expr: seen, type: timestamptz", "");
    let found = measured(mariadb, &heap, Effort::default());
    assert_eq!((found.strategy, &found.violating), (Strategy::SmallTable, &known(&0)), "{found:?}");
    assert_eq!(found.oldest_day, text("2026-02-23"));
    let found = measured(mariadb, &heap, LARGE);
    assert_eq!(found.strategy, Strategy::Sample);
    assert!(found.violating.reason().unwrap().contains("none in a sample"), "{found:?}");
    assert!((3000..4000).contains(&found.sampled.rows), "{:?}", found.sampled);
    let accept = schedule("app.heap", "expr: seen, type: timestamptz", ", measure: {accept_rate: 0.001}");
    let found = measured(mariadb, &accept, LARGE);
    assert_eq!((&found.violating, found.accepted_by_sample), (&known(&0), true), "{found:?}");
    mariadb.sql("UPDATE app.heap SET seen = '2020-01-01' WHERE n < 5000");
    let found = measured(mariadb, &accept, LARGE);
    assert!(found.violating.known().is_some_and(|rows| *rows > 500) && found.capped, "{found:?}");
    mariadb.sql("UPDATE app.heap SET seen = '2026-03-01' WHERE n < 5000");
    // Without a key there is nothing to draw by, and no table is read whole that is large.
    let bare = schedule("app.bare", "expr: seen, type: timestamp", "");
    assert!(measured(mariadb, &bare, LARGE).violating.reason().unwrap().contains("key to draw by"));
    let parts = schedule("app.parts", "expr: seen, type: date", ", measure: {strategy: partitions}");
    let small = Effort { small_table: 40_000 };
    let found = measured(mariadb, &parts, small);
    assert_eq!((found.strategy, &found.violating), (Strategy::Partitions, &known(&2)), "{found:?}");
    assert!(found.plan.contains("of 3 partitions p2024, p2025 alone"), "{}", found.plan);
    let found = measured(mariadb, &parts, LARGE);
    assert!(found.violating.reason().unwrap().contains("no small partition"), "{found:?}");
}

fn types(mariadb: &Mariadb) {
    for (table, timestamp, undatable) in [
        ("app.days", "expr: seen, type: date", 2),
        ("app.days", "expr: at, type: timestamp, column_time_zone: Europe/Berlin", 2),
        ("app.days", "expr: epoch, type: epoch_s", 2),
        ("app.days", "expr: stamp, type: timestamptz", 2),
        ("app.texts", "expr: seen, type: iso8601_utc_text", 2),
        ("app.ids", "expr: seen, type: uuidv7", 1),
    ] {
        let found = measured(mariadb, &schedule(table, timestamp, ""), Effort::default());
        assert_eq!((&found.violating, &found.undatable), (&known(&1), &known(&undatable)), "{found:?}");
        assert_eq!(found.oldest_day, text("2026-02-22"), "{found:?}");
    }
}

fn troubles(mariadb: &Mariadb) {
    let seen = "expr: seen, type: timestamp";
    for (table, timestamp, more, words) in [
        ("app.nowhere", seen, "", "no such table"),
        ("visitors", seen, "", "with its schema"),
        ("app.looks", seen, "", "only tables"),
        ("app.numbers", seen, "", "no such table"),
        ("app.history", seen, "", "system-versioned"),
        ("app.visitors", "expr: lost, type: timestamp", "", "no column"),
        ("app.visitors", "expr: email, type: iso8601_utc_text", "", "no column"),
        ("app.visitors", seen, ", filter: \"email = 'a'\"", "may not read"),
        // A date compared with a number finds nothing at all, in silence.
        ("app.visitors", "expr: seen, type: epoch_s", "", "do not fit"),
        ("app.heap", seen, "", "do not fit"),
        ("app.texts", "expr: seen, type: date", "", "do not fit"),
        ("app.heap", "expr: seen + 1, type: timestamptz", "", "its type"),
        // A number compared with a word is compared with nought, with a warning alone.
        ("app.visitors", seen, ", filter: \"keep_it = 'yes'\"", "do not fit"),
    ] {
        let words = if words == "its type" { "the type of anything else" } else { words };
        let found = measured(mariadb, &schedule(table, timestamp, more), Effort::default());
        assert!(found.violating.reason().unwrap_or_default().contains(words), "{table} {timestamp} {found:?}");
        assert!(found.undatable.known().is_none() && found.future.known().is_none());
    }
    // Another session holds the table: the measuring gives up soon, leaves no lock, and the rest goes on.
    let mut holder = mariadb.session("LOCK TABLES app.heap WRITE; SELECT SLEEP(60)");
    mariadb.wait_for("the lock", "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'");
    let heap = schedule("app.heap", "expr: seen, type: timestamptz", "");
    let started = Instant::now();
    let found = measured(mariadb, &heap, Effort::default());
    assert!(found.violating.reason().unwrap().contains("locked"), "{found:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    mariadb.assert_gone();
    holder.kill().unwrap();
    holder.wait().unwrap();
    mariadb
        .sql("SELECT CONCAT('KILL ', ID) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SELECT SLEEP%'")
        .lines()
        .for_each(|kill| drop(mariadb.sql(kill)));
    assert_eq!(measured(mariadb, &heap, Effort::default()).violating, known(&0));
    // A row that takes its time: the server stops the statement.
    mariadb.sql(SLOW);
    let started = Instant::now();
    let found = measured(mariadb, &slow("1s"), Effort::default());
    assert!(found.violating.reason().unwrap_or_default().contains("too long"), "{found:?}");
    assert!(started.elapsed() < Duration::from_secs(20));
    // The session can do nothing but read, whatever the account may.
    assert_eq!(mariadb.sql("SELECT COUNT(*) FROM app.heap"), "20001");
}

const SLOW: &str = "USE app; CREATE TABLE slow (seen datetime, t varchar(200)); GRANT SELECT ON app.slow TO auditor@'%'; \
                    INSERT INTO slow SELECT '2020-01-01', REPEAT('a', 150) FROM seq_1_to_800000";

/// A set whose every row is tried against many patterns, for this time at the most.
fn slow(timeout: &str) -> String {
    let patterns: Vec<String> = (0..24).map(|n| format!("t LIKE '%a%a%b{n}'")).collect();
    let more = format!(", measure: {{timeout: {timeout}, strategy: exact}}, filter: \"{}\"", patterns.join(" OR "));
    schedule("app.slow", "expr: seen, type: timestamp", &more)
}

fn names(mariadb: &Mariadb) {
    let plain = schedule("app.visitors", "expr: seen, type: timestamp", "");
    let seen = run(&measuring(mariadb, &plain));
    let inventory = of(&seen, "data.inventory");
    assert_eq!(inventory.status, ObservationStatus::Partial, "tables without a right are not shown");
    let trouble = inventory.trouble.as_ref().unwrap();
    assert!(trouble.detail.contains("GRANT REFERENCES ON *.* TO 'auditor'@'%'"), "{trouble}");
    mariadb.sql("GRANT REFERENCES ON *.* TO auditor@'%'");
    let mut look = measuring(mariadb, &schedule("visitors", "expr: seen, type: timestamp", ""));
    look.target.connection.database = Some("app".to_owned());
    let seen = run(&look);
    let inventory: Inventory = read(&seen, "data.inventory");
    let visitors = inventory.tables.iter().find(|table| table.name == "visitors").unwrap();
    assert!(visitors.personal_columns.contains(&"email".to_owned()) && visitors.scheduled, "{visitors:?}");
    assert!(inventory.tables.iter().any(|table| table.name == "slow") && inventory.tables.len() == 9, "{inventory:?}");
    let retention: Retention = read(&seen, "data.retention");
    assert!(retention.data_sets[0].violating.known().is_some(), "a name without a schema is of the target's");
}

#[test]
fn events_are_read_as_the_means() {
    let Some(mariadb) = Mariadb::start_with(Posture::Plain, "event_scheduler=ON\n") else { return };
    mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES");
    mariadb.sql(
        "CREATE DATABASE app; USE app; CREATE TABLE visitors (seen datetime); GRANT SELECT ON app.visitors TO auditor@'%'; \
         CREATE EVENT expire ON SCHEDULE EVERY 1 SECOND DO DELETE FROM visitors WHERE seen < NOW() - INTERVAL 9 MONTH; \
         CREATE EVENT off_now ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM visitors; \
         CREATE EVENT slowly ON SCHEDULE EVERY 1 DAY STARTS NOW() + INTERVAL 1 DAY DO SELECT 1",
    );
    let means = |mechanism: &str, clock: jiff::Timestamp| {
        let yaml = schedule("app.visitors", "expr: seen, type: timestamp", "").replace("{type: job}", mechanism);
        let mut look = look(&mariadb).with(&yaml);
        look.clock = Arc::new(FixedClock(clock));
        let mut retention: Retention = read(&run(&look), "data.retention");
        retention.mechanisms.remove(0)
    };
    let found = means("{type: job, ref: expire}", jiff::Timestamp::now());
    assert!(found.found.reason().unwrap().contains("GRANT SELECT ON mysql.event TO 'auditor'@'%'"), "{found:?}");
    mariadb.grant_all();
    mariadb.wait_for("the event", "SELECT COUNT(*) FROM mysql.event WHERE last_executed IS NOT NULL");
    let hour = jiff::SignedDuration::from_hours(1);
    for (mechanism, enabled, effective) in [
        ("{type: job}", true, Some(true)),
        ("{type: job, ref: app.expire}", true, Some(true)),
        ("{type: job, ref: off_now}", false, Some(false)),
        ("{type: job, ref: slowly}", true, None),
    ] {
        let found = means(mechanism, jiff::Timestamp::now());
        assert_eq!((&found.found, &found.enabled), (&known(&true), &known(&enabled)), "{found:?}");
        assert_eq!(found.effective.known().copied(), effective, "{mechanism} {found:?}");
        assert!(!found.seen.to_lowercase().contains("delete"), "a body is never kept");
    }
    let later = jiff::Timestamp::now().checked_add(hour).unwrap();
    assert_eq!(means("{type: job, ref: expire}", later).effective, known(&false));
    mariadb.sql("SET GLOBAL event_scheduler = OFF; INSERT INTO app.visitors VALUES ('2019-01-01')");
    let found = means("{type: job, ref: expire}", jiff::Timestamp::now());
    assert_eq!(
        (&found.enabled, &found.effective, found.contradicted),
        (&known(&false), &known(&false), true),
        "{found:?}"
    );
}

#[test]
fn a_run_that_is_stopped_leaves_no_statement_behind() {
    let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
    mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES; CREATE DATABASE app");
    mariadb.sql(SLOW);
    let look = measuring(&mariadb, &slow("5m"));
    let (cancel, begin) = (look.cancel.clone(), Instant::now());
    let seen = std::thread::scope(|scope| {
        let looking = scope.spawn(|| run(&look));
        let running =
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'auditor' AND INFO LIKE '%app%slow%'";
        mariadb.wait_for("the count", running);
        cancel.cancel();
        let seen = looking.join().unwrap();
        // The server was told to stop: it would go on for minutes.
        assert_eq!(mariadb.sql(running), "0", "{:?}", begin.elapsed());
        seen
    });
    mariadb.assert_gone();
    assert_eq!(of(&seen, "data.retention").trouble.as_ref().unwrap().reason, Reason::Interrupted);
    let before = look;
    before.cancel.cancel();
    for observation in run(&before) {
        assert_eq!(observation.trouble.unwrap().reason, Reason::Interrupted);
    }
    mariadb.assert_gone();
}

#[test]
fn a_server_that_is_killed_in_the_middle_of_a_count() {
    let Some(mut mariadb) = Mariadb::start(Posture::Plain) else { return };
    mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES; CREATE DATABASE app");
    mariadb.grant_all();
    mariadb.sql(SLOW);
    let look = measuring(&mariadb, &slow("1m"));
    let seen = std::thread::scope(|scope| {
        let looking = scope.spawn(|| run(&look));
        let running =
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'auditor' AND INFO LIKE '%app%slow%'";
        mariadb.wait_for("the count", running);
        mariadb.crash();
        looking.join().unwrap()
    });
    // What was seen before stays; what was asked then is unknown.
    let retention: Retention = read(&seen, "data.retention");
    let violating = &retention.data_sets[0].violating;
    assert!(violating.reason().unwrap().contains("connection"), "{violating:?}");
    assert!(read::<Auth>(&seen, "db.auth").methods.known().is_some());
    for observation in run(&look) {
        assert_eq!(observation.trouble.unwrap().reason, Reason::Refused);
    }
}

#[test]
fn a_connection_that_is_cut_anywhere_leaves_nothing_known_by_guess() {
    let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
    mariadb.grant_all();
    mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES");
    let whole = run(&look(&mariadb));
    let full: Auth = read(&whole, "db.auth");
    for after in [0, 3, 50, 110, 125, 160, 300, 700, 1500, 2500, 4000, 6000, 9000] {
        let port = cutting(mariadb.port, after);
        let seen = run(&Look::new(Engine::Mariadb, port, "auditor", PASSWORD));
        let auth = of(&seen, "db.auth");
        if auth.status == ObservationStatus::Failed {
            assert!(auth.data.is_empty());
        } else {
            let auth: Auth = auth.read().unwrap();
            // Each fact is what it is, or it is unknown.
            assert!(auth.methods.known().is_none() || auth.methods == full.methods, "{after}");
            assert!(auth.public_grants.known().is_none() || auth.public_grants == full.public_grants, "{after}");
        }
        if after < 9000 {
            let rest = of(&seen, "db.at_rest");
            assert!(
                rest.status == ObservationStatus::Failed
                    || rest.read::<AtRest>().unwrap().layers.iter().all(|layer| layer.encrypted.known().is_none())
            );
        }
    }
    mariadb.assert_gone();
}

mod brute {
    //! The exact strategies against a count by hand, on random rows.

    use super::{Arc, Fact, FixedClock, Look, Mariadb, Mysql, PASSWORD, Posture, Retention, read};
    use jiff::civil::Date;
    use jiff::{Span, Timestamp};
    use probity::collect::mysql::retention::Effort;
    use probity::model::retention::{Strategy as Way, Zone};
    use probity::model::target::Engine;
    use proptest::prelude::*;

    const ZONES: &[&str] = &["UTC", "Europe/Dublin", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati"];

    fn is_past(row: i64, as_of: i64, zone: &Zone, months: i64, days: i64) -> bool {
        let day = |second: i64| zone.rules().to_datetime(Timestamp::from_second(second).unwrap()).date();
        let end: Date = day(row).checked_add(Span::new().months(months)).unwrap();
        day(as_of) > end.checked_add(Span::new().days(days)).unwrap()
    }

    #[test]
    fn exact_strategies_count_what_brute_force_counts() {
        let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
        mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES; CREATE DATABASE app");
        let strategy = (
            1_600_000_000i64..1_800_000_000,
            0..ZONES.len(),
            (0i64..14, 1i64..40, 0i64..5),
            proptest::collection::vec((0i64..500 * 86_400, 0u8..3, any::<bool>()), 1..60),
            0usize..4,
        );
        let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(15)
        });
        let outcome = runner.run(&strategy, |(as_of, zone, (months, days, grace), rows, kind)| {
            let (types, column) = [
                ("epoch_ms", "bigint"),
                ("iso8601_utc_text", "varchar(40)"),
                ("timestamptz", "timestamp NULL"),
                ("timestamp, column_time_zone: UTC", "datetime"),
            ][kind];
            let values: Vec<String> = rows
                .iter()
                .map(|(age, kind_of_row, keep)| {
                    let instant = Timestamp::from_second(as_of - age).unwrap();
                    let value = match column {
                        "bigint" => ((as_of - age) * 1000 + 999).to_string(),
                        "varchar(40)" => format!("'{instant}'"),
                        _ => format!("'{}'", instant.strftime("%F %T")),
                    };
                    format!("({value}, {kind_of_row}, {keep})")
                })
                .collect();
            mariadb.sql(&format!(
                "SET time_zone = '+00:00'; USE app; CREATE OR REPLACE TABLE t (seen {column}, kind int, keep_it bool, KEY (seen)); \
                 INSERT INTO t VALUES {}; GRANT SELECT ON app.t TO auditor@'%'",
                values.join(", ")
            ));
            let yaml = format!(
                "time_zone: {}\ndata_sets: [{{id: t, store: db, object: {{table: app.t}}, kind: primary, \
                 data_categories: [contact], subject_categories: [visitor], timestamp: {{expr: seen, type: {types}}}, \
                 anchor: created, max_age: {months} months {days} days, grace: {grace} days, filter: kind < 2, \
                 legal_basis: {{article: a, purpose: p}}, action: delete, mechanism: {{type: job}}, \
                 holds: [{{id: h, reason: r, authority: a, from: 2000-01-01, review_on: 2100-01-01, \
                 scope: {{predicate: keep_it AND kind = 1}}}}]}}]",
                ZONES[zone]
            );
            let zone: Zone = ZONES[zone].parse().unwrap();
            let past = |held: bool| {
                let is_one = |(age, kind, keep): &&(i64, u8, bool)| {
                    *kind < 2 && (*keep && *kind == 1) == held && is_past(as_of - age, as_of, &zone, months, days + grace)
                };
                rows.iter().filter(is_one).count() as u64
            };
            let exact = yaml.replace("action: delete", "action: delete, measure: {strategy: exact}");
            for (yaml, way) in [(&yaml, Way::Index), (&exact, Way::SmallTable)] {
                let mut look = Look::new(Engine::Mysql, mariadb.port, "auditor", PASSWORD).with(yaml);
                look.clock = Arc::new(FixedClock(Timestamp::from_second(as_of).unwrap()));
                let seen = look.run(&Mysql { effort: Effort { small_table: 0 } });
                let found = read::<Retention>(&seen, "data.retention").data_sets.remove(0);
                prop_assert_eq!(found.strategy, way);
                prop_assert_eq!(&found.violating, &Fact::Known(past(false)), "{:?}", found);
                prop_assert_eq!(&found.held, &Fact::Known(past(true)), "{:?}", found);
                prop_assert_eq!(found.overdue_days.known().unwrap() > &0, past(false) > 0, "{:?}", found);
            }
            Ok(())
        });
        outcome.unwrap_or_else(|error| panic!("{error}"));
        mariadb.assert_gone();
    }
}

/// The table as mariadb-backup makes it with `--history`, filled by the test.
#[test]
fn copies_are_told_by_the_history_of_the_program_that_made_them() {
    let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
    let root = Look::new(Engine::Mariadb, mariadb.port, "root", "");
    let status = |look: &Look, name: &str| {
        let verdicts = look.judge(&run(look));
        verdicts.get(&format!("db.backup.exists {name}")).unwrap_or_else(|| panic!("{name} in {verdicts:#?}")).0
    };
    assert_eq!(status(&root, "history of copies"), Status::NotEvaluated, "there is no table");
    mariadb.sql(
        "CREATE TABLE mysql.mariadb_backup_history (uuid varchar(40) NOT NULL PRIMARY KEY, name varchar(255), \
         start_time timestamp NULL, end_time timestamp NULL, partial enum('Y', 'N'))",
    );
    assert_eq!(status(&root, "mariadb-backup"), Status::NotEvaluated, "it is empty");
    mariadb.sql("INSERT INTO mysql.mariadb_backup_history VALUES ('a', 'x', NOW(), NOW() - INTERVAL 3 DAY, 'N')");
    assert_eq!(status(&root, "mariadb-backup"), Status::Fail, "three days are too long");
    mariadb.sql("INSERT INTO mysql.mariadb_backup_history VALUES ('b', 'x', NOW(), NOW(), 'Y')");
    assert_eq!(status(&root, "mariadb-backup"), Status::Fail, "a part of a store is no copy of it");
    mariadb.sql("INSERT INTO mysql.mariadb_backup_history VALUES ('c', 'x', NOW(), NOW() - INTERVAL 1 HOUR, 'N')");
    assert_eq!(status(&root, "mariadb-backup"), Status::Pass);
    let auditor = Look::new(Engine::Mariadb, mariadb.port, "auditor", "");
    let means = read::<Backup>(&run(&auditor), "db.backup").means;
    assert!(means.iter().any(|one| one.seen.contains("GRANT SELECT ON mysql.mariadb_backup_history")), "{means:?}");
    assert_eq!(status(&auditor, "mariadb-backup"), Status::NotEvaluated, "it may not be read");
}
