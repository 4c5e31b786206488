//! ClickHouse: the real server of Debian, which is of 2018, and a scripted one that answers as today's do.

use crate::support::clickhouse::{Answer, Clickhouse as Server, PASSWORD, Script, Scripted};
use crate::support::store::{Look, assert_outside, known, of, read, sign, text};
use crate::support::tls::scripted;
use probity::collect::clickhouse::Clickhouse;
use probity::model::database::{AtRest, Audit, Auth, Backup, Transport};
use probity::model::target::Engine;
use probity::model::{ObservationStatus, Reason, Status};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

fn look(port: u16, ca: PathBuf, password: &str) -> Look {
    Look::new(Engine::Clickhouse, port, "auditor", password).trusting(ca)
}

fn nobody(port: u16) -> Look {
    let mut look = Look::new(Engine::Clickhouse, port, "", "");
    look.target.connection.user = None;
    look
}

#[test]
fn a_real_server_of_2018_shows_its_transport_and_leaves_the_rest_open() {
    let Some(server) = Server::start() else { return };
    let inside = look(server.secure, server.ca(), PASSWORD);
    let seen = inside.run(&Clickhouse);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.tls_offered, &transport.certificate_verified), (&known(&true), &known(&true)));
    assert_eq!(&transport.plaintext_login, &text("refused"), "the port of HTTPS takes nothing else");
    assert!(sign(&transport.plaintext, "ports without TLS").reason().unwrap().contains("does not tell"));
    // It has no system.users, system.disks or system.backups: unknown, each with the reason.
    for kind in ["db.at_rest", "db.backup"] {
        assert_eq!(of(&seen, kind).trouble.as_ref().unwrap().reason, Reason::Unsupported, "{kind}");
    }
    let auth: Auth = read(&seen, "db.auth");
    assert!(auth.methods.reason().unwrap().contains("system.users"), "{:?}", auth.methods);
    let audit: Audit = read(&seen, "db.audit");
    assert!(audit.server_version.known().unwrap().starts_with("ClickHouse 18."));
    for (key, (status, _)) in inside.judge(&seen) {
        let shown = key.starts_with("db.in_transit o") || key == "db.in_transit.enforced login tried without TLS";
        assert!(status == if shown { Status::Pass } else { Status::NotEvaluated }, "{key} is {status:?}");
    }

    // The port in clear of the same server: everybody is the account default.
    let open = nobody(server.plain);
    let seen = open.run(&Clickhouse);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.tls_offered, &transport.plaintext_login), (&known(&false), &text("accepted")));
    assert_eq!(open.judge(&seen)["db.in_transit.enforced login tried without TLS"].0, Status::Fail);
    let wrong = look(server.secure, server.ca(), "wrong-2290");
    assert_outside(&wrong.run(&Clickhouse), Reason::AuthenticationFailed);
}

/// Everything that can be set right is; the clock of the answers is that of the test.
fn strict(now: &'static str) -> Script {
    let rows = |rows: &[&[&'static str]]| Answer::Rows(rows.iter().map(|row| row.to_vec()).collect());
    Script::from([
        ("anonymous", Answer::Exception(516)),
        ("system.functions", rows(&[&["1"]])),
        ("getServerPort", Answer::Exception(170)),
        ("getServerPort('https_port')", rows(&[&["8443"]])),
        ("system.replicas", rows(&[&["0"]])),
        (
            "FROM system.users",
            rows(&[&["app", "['bcrypt_password']", "::/0", ""], &["keeper", "bcrypt_password", "::1", ""]]),
        ),
        ("FROM system.grants", rows(&[&["keeper", "-", "ALL"], &["app", "-", "SELECT"]])),
        ("FROM system.role_grants", rows(&[])),
        ("FROM system.disks", rows(&[&["default", "0", "/var/lib/clickhouse/"], &["safe", "1", "/srv/safe/"]])),
        ("FROM system.parts", rows(&[&["safe", "1000"]])),
        ("SHOW GRANTS", rows(&[&["GRANT SHOW TABLES, SHOW ACCESS ON *.* TO auditor"]])),
        ("FROM system.backups", rows(&[&[now, "-"]])),
        ("FROM system.tables", rows(&[&["query_log"], &["session_log"]])),
        ("FROM system.query_log", rows(&[&[now]])),
        ("FROM system.session_log", rows(&[&[now]])),
        ("SELECT version()", rows(&[&["24.8.4.13"]])),
    ])
}

fn now() -> &'static str {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    String::leak(now.to_string())
}

#[test]
fn a_server_of_which_everything_is_well_passes_what_can_be_shown() {
    let server = Scripted::start(false, strict(now()));
    let look = look(server.port, server.ca(), PASSWORD);
    let seen = look.run(&Clickhouse);
    for kind in ["db.transport", "db.auth", "db.at_rest", "db.audit", "db.backup"] {
        assert_eq!(of(&seen, kind).status, ObservationStatus::Complete, "{kind}: {:?}", of(&seen, kind).trouble);
    }
    let auth: Auth = read(&seen, "db.auth");
    assert_eq!(auth.login_superusers, known(&vec!["keeper".to_owned()]));
    let verdicts = look.judge(&seen);
    // What nobody can set right: the server tells neither its versions of TLS, nor its cipher, nor its temporary files.
    let unshown = ["db.in_transit.protocols", "db.at_rest.algorithm", "db.at_rest.temp", "db.at_rest.logs"];
    for (key, (status, _)) in &verdicts {
        let beyond = unshown.iter().any(|start| key.starts_with(start));
        let fine = matches!(status, Status::Pass | Status::NotApplicable);
        assert!(fine || beyond, "{key} is {status:?}");
    }
    assert_eq!(verdicts["db.at_rest"].0, Status::Pass);
    assert_eq!(verdicts["db.in_transit.enforced ports without TLS"].0, Status::Pass);
    assert_eq!(verdicts["db.backup.exists BACKUP"].0, Status::Pass);
}

#[test]
fn a_server_that_is_set_up_badly_fails() {
    let rows = |rows: &[&[&'static str]]| Answer::Rows(rows.iter().map(|row| row.to_vec()).collect());
    let mut script = strict("1000");
    script.insert("anonymous", Answer::Raw(200, "1\n".to_owned()));
    script.insert("getServerPort('http_port')", rows(&[&["8123"]]));
    script.insert(
        "FROM system.users",
        rows(&[&["default", "no_password", "::/0", ""], &["app", "plaintext_password", "::/0", ""]]),
    );
    script.insert("FROM system.parts", rows(&[&["safe", "1000"], &["default", "1"]]));
    script.insert("FROM system.tables", rows(&[&["query_log"]]));
    let server = Scripted::start(true, script);
    let look = look(server.port, server.ca(), PASSWORD);
    let seen = look.run(&Clickhouse);
    let backup: Backup = read(&seen, "db.backup");
    assert!(backup.means[0].age_s.known().is_some());
    let verdicts = look.judge(&seen);
    for (key, wanted) in [
        ("db.in_transit.enforced login tried without TLS", Status::Fail),
        ("db.in_transit.enforced ports without TLS", Status::Fail),
        ("db.auth.methods default", Status::Fail),
        ("db.auth.methods app", Status::Fail),
        ("db.auth.default_accounts default", Status::Fail),
        ("db.auth.public_grants", Status::Fail),
        ("db.auth.password_hash stored passwords", Status::Fail),
        // The disk below may be encrypted, which the server cannot tell.
        ("db.at_rest", Status::NotEvaluated),
        ("db.audit_log new sessions", Status::Fail),
        ("db.audit_log changes of definitions", Status::Fail),
        ("db.backup.exists BACKUP", Status::Fail),
    ] {
        let status = verdicts.get(key).unwrap_or_else(|| panic!("{key} in {verdicts:?}")).0;
        assert_eq!(status, wanted, "{key}");
    }
}

#[test]
fn without_rights_nothing_is_taken_for_well() {
    let code = |words: &str| if words == "anonymous" { 516 } else { 497 };
    let script = strict("1000").into_keys().map(|words| (words, Answer::Exception(code(words)))).collect();
    let server = Scripted::start(false, script);
    let inside = look(server.port, server.ca(), PASSWORD);
    let seen = inside.run(&Clickhouse);
    for kind in ["db.at_rest", "db.audit", "db.backup"] {
        assert_eq!(of(&seen, kind).trouble.as_ref().unwrap().reason, Reason::PermissionDenied, "{kind}");
    }
    let auth: Auth = read(&seen, "db.auth");
    assert!(auth.methods.reason().unwrap().contains("GRANT SHOW ACCESS ON *.* TO auditor"));
    assert!(!serde_json::to_string(&seen).unwrap().contains("alice"), "the server's words stand in the evidence");
    for (key, (status, _)) in inside.judge(&seen) {
        let shown = key.starts_with("db.in_transit o") || key == "db.in_transit.enforced login tried without TLS";
        assert!(status == Status::NotEvaluated || shown, "{key} is {status:?}");
    }

    // Tables that the account may not see would be left out of the sum.
    let mut script = strict(now());
    script.insert("SHOW GRANTS", Answer::Rows(vec![vec!["GRANT SHOW ACCESS ON *.* TO auditor"]]));
    let server = Scripted::start(false, script);
    let look = look(server.port, server.ca(), PASSWORD);
    let seen = look.run(&Clickhouse);
    let rest: AtRest = read(&seen, "db.at_rest");
    assert!(rest.layers[0].encrypted.reason().unwrap().contains("GRANT SHOW TABLES ON *.*"));
    assert_eq!(look.judge(&seen)["db.at_rest"].0, Status::NotEvaluated);
}

#[test]
fn a_server_that_falls_silent_floods_or_dies_leaves_no_facts() {
    for (answer, reason) in [
        (Answer::Silence, Reason::TimedOut),
        (Answer::End, Reason::Refused),
        (Answer::Endless, Reason::TooLarge),
        (Answer::Exception(159), Reason::TimedOut),
        (Answer::Raw(200, "{\"data\": [[\"default\"".to_owned()), Reason::ProtocolViolation),
        (Answer::Raw(200, "{\"data\": [[\"default\"]]}".to_owned()), Reason::ProtocolViolation),
        (Answer::Raw(503, "no upstream".to_owned()), Reason::ProtocolViolation),
    ] {
        let mut script = strict(now());
        script.insert("FROM system.disks", answer.clone());
        let server = Scripted::start(false, script);
        let look = look(server.port, server.ca(), PASSWORD);
        let seen = look.run(&Clickhouse);
        assert_eq!(of(&seen, "db.at_rest").trouble.as_ref().unwrap().reason, reason, "{answer:?}");
        assert_eq!(look.judge(&seen)["db.at_rest"].0, Status::NotEvaluated, "{answer:?}");
    }
}

#[test]
fn a_stranger_and_no_server_are_told_apart() {
    let server = Scripted::start(false, strict("1000"));
    assert_outside(&look(server.port, server.ca(), "").run(&Clickhouse), Reason::AuthenticationFailed);
    let untrusting = Look::new(Engine::Clickhouse, server.port, "auditor", PASSWORD);
    assert_outside(&untrusting.run(&Clickhouse), Reason::HandshakeRejected);
    let closed = nobody(crate::support::free_port()).run(&Clickhouse);
    assert!(closed.iter().all(|seen| seen.trouble.as_ref().is_some_and(|trouble| trouble.reason == Reason::Refused)));

    let garbage = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
    });
    let seen = nobody(garbage.port()).run(&Clickhouse);
    assert!(seen.iter().all(|seen| seen.status == ObservationStatus::Failed), "{seen:?}");

    // To another machine no password goes in clear.
    let Some(real) = Server::start() else { return };
    let mut far = look(real.plain, real.ca(), PASSWORD);
    far.address = "192.0.2.7".parse().unwrap();
    assert_outside(&far.run(&Clickhouse), Reason::Unsupported);
}
