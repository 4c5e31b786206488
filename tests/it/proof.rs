//! The proof on the disk: a value that is written, searched for and taken out again, on real files and servers.

#[cfg(feature = "mysql")]
mod mariadb;

use crate::support::machine::Volume;
use crate::support::postgres::{PASSWORD, Postgres, Posture};
use crate::support::{Scratch, note_skip, probity, program, signal};
use probity::catalogue::Catalogue;
use probity::check::derive;
use probity::collect::proof::{Canary, Search, layout};
use probity::model::Fact;
use probity::model::database::Encryption;
use probity::model::proof::{Proof, Searched};
use probity::net::SeededRandom;
use rusqlite::Connection;
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

const KEY: &str = "correct 'horse' battery";

/// Runs `prove at-rest` on a target of this configuration; its exit code, its words, and the record.
fn prove(scratch: &Scratch, configuration: &str, target: &str, more: &[&str]) -> (i32, String, Option<Value>) {
    let file = scratch.write("probity.yaml", configuration);
    let record = scratch.path().join("proof.json");
    let _ = std::fs::remove_file(&record);
    let mut command = probity();
    command.env("PROBITY_PG", PASSWORD).env("PROBITY_KEY", KEY).env("PROBITY_OTHER", "another");
    command.args(["prove", "at-rest", "-c"]).arg(file).args(["-t", target, "-o"]);
    let ran = command.arg(format!("json={}", record.display())).args(more).output().unwrap();
    let words = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    let text = std::fs::read_to_string(&record).ok();
    for text in text.iter().chain([&words]) {
        assert!(!holds_value(text), "the value is in {text}");
        assert!(!text.contains(PASSWORD) && !text.contains("battery"), "a secret is in {text}");
    }
    (ran.status.code().unwrap(), words, text.map(|text| serde_json::from_str(&text).unwrap()))
}

/// More hexadecimal digits in a row than a digest has.
fn holds_value(text: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_hexdigit()).any(|run| run.len() > 64)
}

fn proof(record: &Value) -> Proof {
    serde_json::from_value(record["observations"][0]["data"].clone()).unwrap()
}

fn part<'a>(proof: &'a Proof, kind: &str) -> &'a Searched {
    proof.searched.iter().find(|part| part.kind == kind).unwrap_or_else(|| panic!("no {kind} in {proof:?}"))
}

fn known(word: &str) -> Fact<String> {
    Fact::Known(word.to_owned())
}

fn plain(path: &Path, mode: &str) {
    let sql = format!("PRAGMA journal_mode = {mode}; CREATE TABLE t (a); INSERT INTO t VALUES (hex(zeroblob(9000)))");
    Connection::open(path).unwrap().execute_batch(&sql).unwrap();
}

fn scan(scratch: &Scratch, more: &[&str]) -> Value {
    let report = scratch.path().join("report.json");
    let mut command = probity();
    command.args(["scan", "-q", "-c"]).arg(scratch.path().join("probity.yaml"));
    let ran = command.args(more).arg("-o").arg(format!("json={}", report.display())).output().unwrap();
    assert_ne!(ran.status.code(), Some(2), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap()
}

fn result(report: &Value, check: &str) -> (String, String) {
    let all = report["results"].as_array().unwrap();
    let one = all.iter().find(|result| result["check"] == check).unwrap();
    let words =
        format!("{} {}", one["actual"].as_str().unwrap_or_default(), one["reason"].as_str().unwrap_or_default());
    (one["status"].as_str().unwrap().to_owned(), words)
}

const ARCHIVE: &str = "targets:\n  - { id: archive, kind: file, engine: sqlite, address: data.sqlite }\n";

#[test]
fn a_plain_file_and_its_logs_are_found_out_and_left_as_they_were() {
    for (mode, log) in [("DELETE", "journal"), ("WAL", "wal")] {
        let scratch = Scratch::new("proof-plain");
        let path = scratch.path().join("data.sqlite");
        plain(&path, mode);
        let (code, words, record) = prove(&scratch, ARCHIVE, "archive", &[]);
        assert_eq!(code, 0, "{words}");
        let proof = proof(&record.unwrap());
        assert!(proof.control && proof.removed == Fact::Known(true), "{proof:?}");
        let data = part(&proof, "data");
        assert_eq!((&data.state, &data.forms), (&known("plain"), &vec!["raw".to_owned(), "utf-8".to_owned()]));
        assert_eq!((data.headers.as_slice(), data.files), (["SQLite".to_owned()].as_slice(), 1));
        assert_eq!(part(&proof, log).state, known("plain"), "{mode}");
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'probity%'";
        let count: i64 = Connection::open(&path).unwrap().query_row(tables, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 0);
    }
}

#[test]
fn what_would_be_done_is_said_and_not_done() {
    let scratch = Scratch::new("proof-dry");
    let path = scratch.path().join("data.sqlite");
    plain(&path, "DELETE");
    let before = std::fs::read(&path).unwrap();
    let (code, words, record) = prove(&scratch, ARCHIVE, "archive", &["--dry-run"]);
    assert_eq!((code, record), (0, None));
    assert!(words.contains("data.sqlite-wal") && words.contains("nothing was done"), "{words}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 2, "the file and the configuration");
    let (code, words, _) = prove(&scratch, ARCHIVE, "archiv", &["--dry-run"]);
    assert!(code == 2 && words.contains("declares no target"), "{words}");
}

/// A database that SQLCipher encrypts.
fn ciphered(scratch: &Scratch) -> Option<PathBuf> {
    let sqlcipher = program("sqlcipher")?;
    let path = scratch.path().join("data.sqlite");
    let mut child = Command::new(sqlcipher).arg(&path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let sql = format!(
        "PRAGMA key = '{}';\nCREATE TABLE t (a);\nINSERT INTO t VALUES (hex(zeroblob(30000)));\n",
        KEY.replace('\'', "''")
    );
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    Some(path)
}

fn keyed(variable: &str) -> String {
    ARCHIVE.replace(" }", &format!(", credentials: {{ password: \"env:{variable}\" }} }}"))
}

#[test]
fn a_file_of_sqlcipher_is_shown_to_be_encrypted_by_its_bytes() {
    let scratch = Scratch::new("proof-cipher");
    if ciphered(&scratch).is_none() {
        return;
    }
    let (code, words, record) = prove(&scratch, &keyed("PROBITY_KEY"), "archive", &[]);
    assert_eq!(code, 0, "{words}");
    let proof = proof(&record.unwrap());
    let data = part(&proof, "data");
    assert_eq!((&data.state, &data.found), (&known("encrypted"), &Fact::Known(false)), "{data:?}");
    assert!(data.blocks > 10 && proof.removed == Fact::Known(true), "{proof:?}");
    assert_ne!(part(&proof, "journal").state, known("plain"));
    let without = scan(&scratch, &[]);
    assert!(result(&without, "db.at_rest").1.contains("strength 2/5"), "{:?}", result(&without, "db.at_rest"));
    let file = scratch.path().join("proof.json");
    let joined = scan(&scratch, &["--proof", file.to_str().unwrap()]);
    let (status, words) = result(&joined, "db.at_rest");
    assert!(status == "pass" && words.contains("strength 5/5"), "{status} {words}");
    assert_eq!(result(&joined, "db.at_rest.algorithm").0, "not-evaluated", "bytes say nothing of the algorithm");
}

#[test]
fn without_its_key_a_file_is_not_written_and_nothing_is_shown() {
    let scratch = Scratch::new("proof-key");
    let Some(path) = ciphered(&scratch) else { return };
    let before = std::fs::read(&path).unwrap();
    for configuration in [ARCHIVE.to_owned(), keyed("PROBITY_OTHER"), keyed("PROBITY_NOT_SET")] {
        let (code, words, record) = prove(&scratch, &configuration, "archive", &[]);
        assert_eq!((code, record.unwrap()["observations"][0]["status"].as_str()), (3, Some("failed")), "{words}");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_proof_is_taken_whole_for_its_own_target_and_only_while_it_is_new() {
    let scratch = Scratch::new("proof-join");
    plain(&scratch.path().join("data.sqlite"), "DELETE");
    let (_, _, record) = prove(&scratch, ARCHIVE, "archive", &[]);
    let record = record.unwrap();
    let observations = scratch.path().join("obs.json");
    let mut command = probity();
    command.args(["collect", "-q", "-c"]).arg(scratch.path().join("probity.yaml"));
    assert!(command.arg("-o").arg(format!("json={}", observations.display())).output().unwrap().status.success());
    let evaluate = |proof: &Path| {
        let ran = probity().arg("evaluate").arg(&observations).arg("--proof").arg(proof).output().unwrap();
        (ran.status.code().unwrap(), String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned())
    };
    let (code, words) = evaluate(&scratch.path().join("proof.json"));
    assert!(code == 1 && words.contains("db.at_rest"), "{words}");
    let changed = record.to_string().replace("\"plain\"", "\"encrypted\"");
    let (code, words) = evaluate(&scratch.write("changed.json", changed));
    assert!(code == 2 && words.contains("changed after it was sealed"), "{words}");
    let (code, words) = evaluate(&observations);
    assert!(code == 2 && words.contains("holds no proof"), "{words}");

    let evidence = probity::worker::read_evidence(&serde_json::to_vec(&record).unwrap()).unwrap();
    let catalogue = Catalogue::built_in().unwrap_or_else(|_| panic!("the catalogue does not load"));
    let state = |days: i64| -> Encryption {
        let as_of = evidence.run.ended.checked_add(jiff::SignedDuration::from_hours(24 * days)).unwrap();
        let derived = derive::run(&evidence.targets, &evidence.observations, &evidence.judging, &catalogue, as_of);
        derived.iter().find(|seen| seen.kind == "db.encryption").unwrap().read().unwrap()
    };
    assert_eq!((state(89).encrypted, state(89).level), (Fact::Known(false), 5));
    let old = state(91);
    assert!(old.encrypted.known().is_none() && old.facts[0].contains("too old"), "{old:?}");
    let kinds: Vec<_> = state(1).kinds.iter().map(|kind| (kind.name.clone(), kind.is_log)).collect();
    assert_eq!(kinds, [("data".to_owned(), false), ("journal".to_owned(), true)]);
}

#[test]
fn the_bytes_below_a_folder_that_ext4_encrypts_do_not_hold_the_value() {
    let Some(volume) = Volume::new("proof-device") else { return };
    let (secret, open) = (volume.folder("secret"), volume.folder("open"));
    if !volume.encrypt(&secret) {
        return;
    }
    let image = volume.image();
    for (folder, found) in [(open, true), (secret, false)] {
        let scratch = Scratch::new("proof-below");
        let path = folder.join("data.sqlite");
        plain(&path, "DELETE");
        let configuration = ARCHIVE.replace("data.sqlite", path.to_str().unwrap());
        let (code, words, record) = prove(&scratch, &configuration, "archive", &["--device", image.to_str().unwrap()]);
        assert_eq!(code, 0, "{words}");
        let proof = proof(&record.unwrap());
        assert_eq!(part(&proof, "data").state, known("plain"), "as long as it is mounted");
        let device = part(&proof, "device");
        assert_eq!(device.found, Fact::Known(found), "{device:?}");
        assert_eq!(device.state == known("plain"), found, "{device:?}");
    }
}

#[test]
fn what_was_written_is_taken_out_where_the_user_stops_the_search() {
    let scratch = Scratch::new("proof-stop");
    let path = scratch.path().join("data.sqlite");
    plain(&path, "DELETE");
    let device = scratch.path().join("device");
    std::fs::File::create(&device).unwrap().set_len(1 << 40).unwrap();
    let file = scratch.write("probity.yaml", ARCHIVE);
    let record = scratch.path().join("proof.json");
    let mut command = Command::new(env!("CARGO_BIN_EXE_probity"));
    command.args(["prove", "at-rest", "-q", "-t", "archive", "-c"]).arg(file).arg("--device").arg(&device);
    command.arg("-o").arg(format!("json={}", record.display())).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let count = || -> i64 {
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'probity%'";
        Connection::open(&path).and_then(|it| it.query_row(tables, [], |row| row.get(0))).unwrap_or(-1)
    };
    let end = Instant::now() + Duration::from_secs(60);
    while count() != 1 {
        assert!(Instant::now() < end && child.try_wait().unwrap().is_none(), "the value was never written");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(signal(child.id(), "INT"));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(count(), 0);
    let record: Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    let proof = proof(&record);
    assert_eq!(proof.removed, Fact::Known(true));
    assert!(proof.searched.iter().any(|part| part.state.known().is_none()), "what was not searched is not known");
}

fn server(port: u16, user: &str) -> String {
    format!(
        "targets:\n  - {{ id: pg, kind: database, engine: postgresql, address: \"127.0.0.1:{port}\", database: postgres, \
         credentials: {{ user: {user}, password: \"env:PROBITY_PG\" }} }}\n"
    )
}

#[test]
fn a_servers_tables_log_and_temporary_files_are_found_out() {
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    let scratch = Scratch::new("proof-postgres");
    let (code, words, record) = prove(&scratch, &server(postgres.port, "postgres"), "pg", &[]);
    if words.contains("may not be read") || words.contains("cannot be read") {
        return skip("leave to read the server's files");
    }
    assert_eq!(code, 0, "{words}");
    let proof = proof(&record.unwrap());
    for kind in ["data", "wal", "temp"] {
        assert_eq!(part(&proof, kind).state, known("plain"), "{kind}: {proof:?}");
    }
    assert!(proof.control && proof.removed == Fact::Known(true), "{proof:?}");
    assert!(part(&proof, "data").headers.contains(&"a page of PostgreSQL".to_owned()));
    assert!(proof.left.iter().any(|what| what.contains("pg_wal")));
    let schemas = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'probity%'";
    assert_eq!(postgres.sql("postgres", schemas), "0");
    // Another server's folder is not searched for this one's value.
    let Some(other) = Postgres::start(Posture::Plain) else { return };
    let data = other.data();
    let (code, words, _) =
        prove(&scratch, &server(postgres.port, "postgres"), "pg", &["--data", data.to_str().unwrap()]);
    assert!(code == 3 && words.contains("another server"), "{words}");
    assert_eq!(postgres.sql("postgres", schemas), "0");
}

#[test]
fn a_role_without_the_right_to_write_is_told_what_it_lacks() {
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    let scratch = Scratch::new("proof-role");
    postgres.sql(
        "postgres",
        &format!("CREATE ROLE auditor LOGIN PASSWORD '{PASSWORD}'; GRANT pg_read_all_settings TO auditor"),
    );
    let (code, words, record) = prove(&scratch, &server(postgres.port, "auditor"), "pg", &[]);
    if words.contains("cannot be read") {
        return skip("leave to read the server's files");
    }
    assert_eq!((code, record.unwrap()["observations"][0]["status"].as_str()), (3, Some("failed")));
    assert!(words.contains("GRANT CREATE ON DATABASE"), "{words}");
}

fn skip(lacking: &str) {
    eprintln!("skipped: {lacking} is lacking");
    note_skip(lacking);
}

/// MariaDB's own program writes the value; the tables are encrypted and the log is not.
#[test]
fn a_plain_redo_log_beside_encrypted_tables_is_found_out() {
    let Some(mariadbd) = program("mariadbd") else { return };
    let scratch = Scratch::new("proof-mariadb");
    let data = scratch.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let keys = scratch.write("keys", format!("1;{}\n", "a7".repeat(32)));
    let canary = Canary::new(&SeededRandom::new(77));
    let text = canary.text();
    let mut command = Command::new(mariadbd);
    command.args(["--no-defaults", "--bootstrap", "--user=root", "--skip-log-error"]);
    command.arg(format!("--datadir={}", data.display()));
    command.args(["--plugin-load-add=file_key_management", "--innodb-encrypt-tables=ON", "--innodb-encrypt-log=OFF"]);
    command.arg(format!("--loose-file-key-management-filename={}", keys.display()));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let sql = format!(
        "CREATE DATABASE app;\nCREATE TABLE app.t (t TEXT, b BLOB) ENGINE=InnoDB ENCRYPTED=YES;\n\
         INSERT INTO app.t VALUES ('{text}', x'{text}');\nSET GLOBAL innodb_fast_shutdown = 0;\n"
    );
    child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if error.contains("file_key_management") && !data.join("app/t.ibd").exists() {
        return skip("MariaDB's file_key_management");
    }
    let stop = AtomicBool::new(false);
    let search = Search::new(&canary, scratch.path(), &stop).unwrap();
    let parts = layout::parts(&data, layout::mariadb, &[]).unwrap();
    let seen: Vec<Searched> = parts.iter().map(|part| search.part(part)).collect();
    let of = |kind: &str| {
        seen.iter().find(|part| part.kind == kind).unwrap_or_else(|| panic!("no {kind}: {seen:?} {error}"))
    };
    assert_eq!(of("redo log").state, known("plain"), "{seen:?} {error}");
    let table = probity::collect::proof::Part {
        kind: "data".to_owned(),
        files: vec![data.join("app/t.ibd")],
        folder: data.clone(),
        ..Default::default()
    };
    let table = search.part(&table);
    assert_eq!(table.found, Fact::Known(false), "{table:?}");
}
