//! The proof on a MariaDB server: each kind of file plain where it is, and without the value where it is encrypted.

use super::{Proof, Scratch, known, part, probity, prove, result, skip};
use crate::support::mariadb::{Mariadb, PASSWORD, Posture};
use probity::model::Fact;
use serde_json::Value;

fn configuration(mariadb: &Mariadb, scratch: &Scratch, tls: &str) -> String {
    let password = scratch.write("password", PASSWORD);
    format!(
        "targets:\n  - {{ id: db, kind: database, engine: mariadb, address: \"127.0.0.1:{}\", credentials: {{ user: auditor, \
         password: \"file:{}\" }}{tls} }}\n",
        mariadb.port,
        password.display()
    )
}

fn rights(mariadb: &Mariadb) {
    mariadb.sql(
        "DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES; \
         GRANT CREATE, DROP, INSERT, SELECT, LOCK TABLES, CREATE TEMPORARY TABLES ON `probity\\_canary\\_%`.* TO auditor@'%'; \
         GRANT RELOAD ON *.* TO auditor@'%'",
    );
}

/// The proof of this server, which must leave nothing behind.
fn shown(mariadb: &Mariadb, scratch: &Scratch, tls: &str) -> Option<Proof> {
    rights(mariadb);
    let (code, words, record) = prove(scratch, &configuration(mariadb, scratch, tls), "db", &[]);
    if words.contains("may not be read") || words.contains("cannot be read") {
        skip("leave to read the server's files");
        return None;
    }
    assert_eq!(code, 0, "{words}");
    assert_eq!(mariadb.sql("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'probity%'"), "0");
    mariadb.assert_gone();
    let record: Value = record.unwrap();
    let proof = super::proof(&record);
    assert!(proof.control && proof.removed == Fact::Known(true), "{proof:?}");
    assert!(proof.left.iter().any(|what| what.contains("redo log")), "{proof:?}");
    Some(proof)
}

#[test]
fn a_plain_server_shows_the_value_in_every_kind_of_file() {
    let Some(mariadb) = Mariadb::start_with(Posture::Plain, "log_bin=bin\nserver_id=1\n") else { return };
    let scratch = Scratch::new("proof-mariadb-plain");
    let Some(proof) = shown(&mariadb, &scratch, "") else { return };
    for kind in ["data", "data of Aria", "redo log", "binary log", "Aria log"] {
        assert_eq!(part(&proof, kind).state, known("plain"), "{kind}: {proof:#?}");
    }
    let temporary = part(&proof, "temp");
    assert!(temporary.state == known("plain") || !sees_open_files(&mariadb), "{temporary:?}");
}

/// Temporary files have no name; only the same user or root sees them.
fn sees_open_files(mariadb: &Mariadb) -> bool {
    std::fs::read_dir(format!("/proc/{}/fd", mariadb.process())).is_ok_and(|mut all| all.next().is_some())
}

#[test]
fn a_strict_server_hides_it_wherever_it_can() {
    let Some(mariadb) = Mariadb::start(Posture::Strict) else { return };
    let scratch = Scratch::new("proof-mariadb-strict");
    let encrypted = "SELECT COUNT(*) = 0 FROM information_schema.INNODB_TABLESPACES_ENCRYPTION \
                     WHERE MIN_KEY_VERSION = 0 OR ENCRYPTION_SCHEME = 0";
    mariadb.wait_for("encryption", encrypted);
    let tls = format!(", tls: {{ ca: {} }}", mariadb.ca().display());
    let Some(proof) = shown(&mariadb, &scratch, &tls) else { return };
    for kind in ["data", "data of Aria", "redo log", "binary log"] {
        let part = part(&proof, kind);
        assert_eq!((&part.found, &part.state), (&Fact::Known(false), &known("encrypted")), "{kind}: {proof:#?}");
    }
    assert_ne!(part(&proof, "temp").found, Fact::Known(true), "{proof:?}");
    // No switch of MariaDB's encrypts the log of Aria: whoever has tables of Aria is told so.
    assert_eq!(part(&proof, "Aria log").state, known("plain"));
    // Joined to a look, the log that is plain is a finding, and the tables are shown by their bytes.
    mariadb.sql("GRANT PROCESS ON *.* TO auditor@'%'");
    let file = scratch.path().join("proof.json");
    let report = scratch.path().join("report.json");
    let mut command = probity();
    command.args(["scan", "-q", "-c"]).arg(scratch.path().join("probity.yaml")).arg("--proof").arg(file);
    let ran = command.arg("-o").arg(format!("json={}", report.display())).output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{}", String::from_utf8_lossy(&ran.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
    let (status, words) = result(&report, "db.at_rest");
    assert!(status == "fail" && words.contains("Aria log"), "{status}: {words}");
}

#[test]
fn logs_left_plain_beside_encrypted_tables_are_found_out() {
    let more = "innodb_encrypt_log=OFF\nencrypt_binlog=OFF\nencrypt_tmp_files=OFF\naria_encrypt_tables=OFF\n";
    let Some(mariadb) = Mariadb::start_with(Posture::Strict, more) else { return };
    let scratch = Scratch::new("proof-mariadb-logs");
    let tls = format!(", tls: {{ ca: {} }}", mariadb.ca().display());
    let Some(proof) = shown(&mariadb, &scratch, &tls) else { return };
    assert_eq!(part(&proof, "data").found, Fact::Known(false), "{proof:#?}");
    for kind in ["data of Aria", "redo log", "binary log", "Aria log"] {
        assert_eq!(part(&proof, kind).state, known("plain"), "{kind}: {proof:#?}");
    }
}

#[test]
fn a_dry_run_and_a_missing_right_write_nothing() {
    let Some(mariadb) = Mariadb::start(Posture::Plain) else { return };
    mariadb.sql("DELETE FROM mysql.global_priv WHERE User = ''; FLUSH PRIVILEGES");
    let scratch = Scratch::new("proof-mariadb-dry");
    let configuration = configuration(&mariadb, &scratch, "");
    let (code, words, record) = prove(&scratch, &configuration, "db", &["--dry-run"]);
    assert!(code == 0 && record.is_none() && words.contains("nothing was done"), "{words}");
    assert!(words.contains("redo, undo, binary and Aria logs") && words.contains("replicas"), "{words}");
    let (code, words, record) = prove(&scratch, &configuration, "db", &[]);
    assert_eq!((code, record.unwrap()["observations"][0]["status"].as_str()), (3, Some("failed")), "{words}");
    assert!(words.contains("GRANT CREATE, DROP"), "{words}");
    // The data of another machine: what was made is taken out again.
    rights(&mariadb);
    let elsewhere = scratch.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let (code, words, _) = prove(&scratch, &configuration, "db", &["--data", elsewhere.to_str().unwrap()]);
    assert!(code == 3 && words.contains("--data"), "{words}");
    // Half of the rights: the database is made, and nothing of it stays.
    mariadb.sql("REVOKE RELOAD ON *.* FROM auditor@'%'");
    let (code, words, _) = prove(&scratch, &configuration, "db", &[]);
    assert!(code == 3, "{words}");
    assert_eq!(mariadb.sql("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'probity%'"), "0");
    mariadb.assert_gone();
}
