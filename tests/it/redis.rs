//! Redis: real servers in three postures, and what is left where evidence is missing.

use crate::support::redis::{PASSWORD, Posture, RIGHTS, Redis as Server};
use crate::support::store::{Look, assert_outside, known, of, read, sign, text};
use crate::support::tls::scripted;
use probity::collect::redis::Redis;
use probity::collect::redis::keys::Effort;
use probity::model::database::{AtRest, Audit, Auth, Backup, Transport};
use probity::model::retention::Retention;
use probity::model::target::Engine;
use probity::model::{ObservationStatus, Reason, Status};
use std::io::{Read as _, Write as _};
use std::time::Duration;

fn look(server: &Server, user: &str) -> Look {
    Look::new(Engine::Redis, server.port, user, PASSWORD).trusting(server.ca())
}

fn nobody(port: u16) -> Look {
    let mut look = Look::new(Engine::Redis, port, "", "");
    look.target.connection.user = None;
    look
}

#[test]
fn a_server_as_it_comes_is_open_to_everybody() {
    let Some(server) = Server::start(Posture::Plain) else { return };
    let look = nobody(server.port);
    let seen = look.run(&Redis::default());
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.tls_offered, &transport.plaintext_login), (&known(&false), &text("accepted")));
    assert_eq!((&transport.ssl_setting, &transport.remote_sessions), (&text("off"), &known(&0)));
    let auth: Auth = read(&seen, "db.auth");
    assert_eq!(auth.accounts_without_password, known(&1));
    let default = &auth.default_accounts.known().unwrap()[0];
    assert_eq!((default.login, &default.open, &default.remote), (true, &known(&true), &known(&false)));
    assert_eq!(sign(&auth.reach, "clients of other machines without a password"), &known(&true));
    let rest: AtRest = read(&seen, "db.at_rest");
    assert!(rest.applicable && rest.layers[0].encrypted.known().is_none());
    let backup: Backup = read(&seen, "db.backup");
    assert!(backup.means[0].age_s.known().is_none(), "the start of the server is no snapshot: {:?}", backup.means[0]);

    let verdicts = look.judge(&seen);
    let status = |key: &str| verdicts.get(key).unwrap_or_else(|| panic!("{key} in {verdicts:?}")).0;
    for (key, wanted) in [
        ("db.in_transit offer of TLS", Status::Fail),
        ("db.in_transit own session", Status::Fail),
        ("db.in_transit.enforced login tried without TLS", Status::Fail),
        ("db.in_transit.enforced rules for other machines", Status::Pass),
        ("db.in_transit.protocols", Status::NotEvaluated),
        ("db.auth.methods default", Status::Fail),
        ("db.auth.default_accounts default", Status::Fail),
        ("db.auth.public_grants", Status::Fail),
        ("db.at_rest", Status::NotEvaluated),
        ("db.audit_log new sessions", Status::Fail),
        ("db.backup.exists snapshots", Status::NotEvaluated),
    ] {
        assert_eq!(status(key), wanted, "{key}");
    }
    // A snapshot that was really made counts.
    server.run("SET a 1\nSAVE");
    let backup: Backup = read(&look.run(&Redis::default()), "db.backup");
    assert!(backup.means[0].age_s.known().is_some_and(|age| (0..600).contains(age)), "{:?}", backup.means[0]);
    assert_eq!(backup.means[0].last_failed, known(&false));
}

#[test]
fn one_password_for_all_is_a_proof_and_an_administrator() {
    let Some(server) = Server::start(Posture::Mixed) else { return };
    let mut look = look(&server, "");
    look.target.connection.user = None;
    let seen = look.run(&Redis::default());
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.tls_offered, &transport.certificate_verified), (&known(&true), &known(&true)));
    assert_eq!((&transport.min_protocol, &transport.max_protocol), (&text("TLSv1.2"), &text("TLSv1.3")));
    assert_eq!(&transport.plaintext_login, &text("refused"));
    let auth: Auth = read(&seen, "db.auth");
    assert_eq!(auth.login_superusers, known(&vec!["default".to_owned()]));
    assert_eq!(auth.default_accounts.known().unwrap()[0].open, known(&false));
    let rest: AtRest = read(&seen, "db.at_rest");
    let kinds: Vec<&str> = rest.files.iter().map(|file| file.kind.as_str()).collect();
    assert_eq!(kinds, ["journal"], "no snapshots, but a log");

    // The port in clear of the same server: the password goes over it, since it does not leave this machine.
    let mut clear = Look::new(Engine::Redis, server.plain, "", PASSWORD);
    clear.target.connection.user = None;
    let seen = clear.run(&Redis::default());
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.tls_offered, &transport.plaintext_login), (&known(&false), &text("asked")));
    assert_eq!(clear.judge(&seen)["db.in_transit.enforced login tried without TLS"].0, Status::Fail);
    // To another machine it does not go.
    clear.address = "192.0.2.7".parse().unwrap();
    assert_outside(&clear.run(&Redis::default()), Reason::Unsupported);
}

#[test]
fn a_server_of_which_everything_is_well_passes_what_can_be_shown() {
    let Some(server) = Server::start(Posture::Strict) else { return };
    let look = look(&server, "auditor");
    let seen = look.run(&Redis::default());
    for kind in ["db.transport", "db.auth", "db.at_rest", "db.audit", "db.backup"] {
        assert_eq!(of(&seen, kind).status, ObservationStatus::Complete, "{kind}: {:?}", of(&seen, kind).trouble);
    }
    let auth: Auth = read(&seen, "db.auth");
    assert_eq!(auth.login_superusers, known(&vec!["root".to_owned()]));
    assert_eq!((&auth.privileged, &auth.fast_hashes), (&known(&Vec::new()), &known(&3)));
    assert!(!auth.default_accounts.known().unwrap()[0].login);
    let json = serde_json::to_string(&seen).unwrap();
    assert!(!json.contains("root-11f0") && !json.contains("app-8c11"), "a password stands in the evidence");

    let verdicts = look.judge(&seen);
    // What nobody can set right: there is no other hash and no log of audits, and the server cannot see its disk.
    let unshown = ["db.auth.password_hash", "db.audit_log changes", "db.at_rest", "db.backup.exists"];
    for (key, (status, _)) in &verdicts {
        let beyond = unshown.iter().any(|start| key.starts_with(start));
        let fine = matches!(status, Status::Pass | Status::NotApplicable);
        // It keeps no journal, and so none in clear.
        let absent = matches!(key.as_str(), "db.at_rest.temp" | "db.at_rest.logs journal");
        assert!(fine != beyond || absent, "{key} is {status:?}");
    }
    assert_eq!(verdicts["db.in_transit.enforced rules for other machines"].0, Status::Pass);
    assert_eq!(verdicts["db.in_transit.protocols"].0, Status::Pass);

    // Rights beyond its keys are seen in an account of an application.
    server.run("ACL SETUSER app +flushall\nACL SETUSER auditor +config");
    let auth: Auth = read(&look.run(&Redis::default()), "db.auth");
    assert_eq!(auth.privileged, known(&vec!["app".to_owned(), "auditor".to_owned()]));
}

#[test]
fn without_rights_nothing_is_taken_for_well() {
    let Some(server) = Server::start(Posture::Strict) else { return };
    server.run("ACL SETUSER auditor -@all +ping");
    let look = look(&server, "auditor");
    let seen = look.run(&Redis::default());
    for kind in ["db.at_rest", "db.audit", "db.backup"] {
        let trouble = of(&seen, kind).trouble.as_ref().unwrap();
        assert_eq!(trouble.reason, Reason::PermissionDenied, "{kind}");
    }
    let auth: Auth = read(&seen, "db.auth");
    assert!(auth.methods.reason().unwrap().contains("ACL SETUSER auditor +acl|list"), "{:?}", auth.methods);
    let transport: Transport = read(&seen, "db.transport");
    assert!(sign(&transport.plaintext, "rules for other machines").reason().unwrap().contains("+config|get"));
    assert!(transport.min_protocol.known().is_none());
    for (key, (status, _)) in look.judge(&seen) {
        // What was seen with the session itself stands.
        let shown = key.starts_with("db.in_transit o") || key == "db.in_transit.enforced login tried without TLS";
        assert!(status == Status::NotEvaluated || shown, "{key} is {status:?}");
    }
    // Each right by itself brings what it stands for.
    server.run("ACL SETUSER auditor +info");
    let seen = look.run(&Redis::default());
    assert_eq!(of(&seen, "db.backup").status, ObservationStatus::Complete);
    assert_eq!(of(&seen, "db.audit").status, ObservationStatus::Failed);
    let audit = |seen| read::<Audit>(seen, "db.audit");
    server.run(&format!("ACL SETUSER auditor {RIGHTS}"));
    assert_eq!(audit(&look.run(&Redis::default())).connections, known(&true));
}

#[test]
fn a_wrong_password_a_stranger_and_no_server_are_told_apart() {
    let Some(server) = Server::start(Posture::Strict) else { return };
    let wrong = Look::new(Engine::Redis, server.port, "auditor", "wrong-99").trusting(server.ca());
    let seen = wrong.run(&Redis::default());
    assert_outside(&seen, Reason::AuthenticationFailed);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!(&transport.tls_offered, &known(&true));

    let untrusting = Look::new(Engine::Redis, server.port, "auditor", PASSWORD);
    let seen = untrusting.run(&Redis::default());
    assert_outside(&seen, Reason::HandshakeRejected);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!(&transport.certificate_verified, &known(&false));

    let nameless = Look::new(Engine::Redis, server.port, "auditor", "").trusting(server.ca());
    assert_outside(&nameless.run(&Redis::default()), Reason::AuthenticationFailed);

    let closed = Look::new(Engine::Redis, crate::support::free_port(), "auditor", PASSWORD);
    let seen = closed.run(&Redis::default());
    assert_outside(&seen, Reason::Refused);
    assert_eq!(of(&seen, "db.transport").status, ObservationStatus::Failed);
}

/// A server in clear that answers each read with these bytes.
fn answering(first: &'static [u8], later: &'static [u8]) -> u16 {
    scripted(move |mut stream| {
        let mut buffer = [0; 4096];
        let mut answer = first;
        while let Ok(1..) = stream.read(&mut buffer) {
            // A hello of TLS gets what a server of Redis says to it.
            let hello = buffer[0] == 0x16;
            if stream.write_all(if hello { b"-ERR unknown command\r\n" } else { answer }).is_err() || hello {
                break;
            }
            answer = later;
        }
    })
    .port()
}

#[test]
fn bytes_of_no_redis_are_a_trouble_and_no_answer() {
    let garbage = nobody(answering(b"220 mail.example ESMTP\r\n", b"")).run(&Redis::default());
    assert!(garbage.iter().all(|seen| seen.status == ObservationStatus::Failed), "{garbage:?}");
    for later in [
        b"*3\r\n$1\r\na\r\n:1\r\n$-1\r\n".as_slice(),
        b"$99999999\r\n",
        b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        b"\x00\x01",
    ] {
        let port = answering(b"+PONG\r\n", later);
        let seen = nobody(port).run(&Redis::default());
        let transport: Transport = read(&seen, "db.transport");
        assert_eq!(&transport.plaintext_login, &text("accepted"));
        for kind in ["db.at_rest", "db.audit", "db.backup", "data.retention"] {
            assert_eq!(of(&seen, kind).status, ObservationStatus::Failed, "{kind}: {later:?}");
        }
    }
    // Nobody else's connection is left: that is no refusal of logins in clear.
    let full = nobody(answering(b"-ERR max number of clients reached\r\n", b"")).run(&Redis::default());
    assert!(full.iter().all(|seen| seen.trouble.as_ref().is_some_and(|trouble| trouble.reason == Reason::Refused)));
}

/// A server in clear that answers a PING, and then does this.
fn then(act: fn(&mut std::net::TcpStream)) -> u16 {
    scripted(move |mut stream| {
        let mut buffer = [0; 4096];
        if stream.read(&mut buffer).is_ok_and(|count| count > 0 && buffer[0] != 0x16) {
            let _ = stream.write_all(b"+PONG\r\n");
            // The knock ends here; the session asks on.
            if stream.read(&mut buffer).is_ok_and(|count| count > 0) {
                act(&mut stream);
            }
        }
    })
    .port()
}

#[test]
fn a_server_that_falls_silent_floods_or_dies_leaves_no_facts() {
    let silent = then(|stream| {
        let _ = stream.read(&mut [0; 1 << 16]);
        std::thread::sleep(Duration::from_secs(30));
    });
    let dying = then(|_| {});
    let endless = then(|stream| {
        // Answers of which each is within its limit, without an end.
        while stream.write_all(&[b"*1000\r\n".as_slice(), &b"$-1\r\n".repeat(1000)].concat()).is_ok() {}
    });
    let long = then(|stream| {
        let _ = stream.write_all(b"$4194304\r\n");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    for (port, reasons) in [
        (silent, [Reason::TimedOut, Reason::TimedOut]),
        (dying, [Reason::Refused, Reason::TimedOut]),
        (endless, [Reason::ProtocolViolation, Reason::ProtocolViolation]),
        (long, [Reason::ProtocolViolation, Reason::TooLarge]),
    ] {
        let look = nobody(port);
        let seen = look.run(&Redis::default());
        for kind in ["db.at_rest", "db.audit", "db.backup"] {
            let trouble = of(&seen, kind).trouble.as_ref().unwrap();
            let later = trouble.reason == Reason::TimedOut && trouble.detail.contains("never answered");
            assert!(reasons.contains(&trouble.reason) || later, "{kind}: {trouble:?}");
        }
        for (key, (status, _)) in look.judge(&seen) {
            // What the knock in clear showed stands.
            let shown = key.starts_with("db.in_transit o")
                || key == "db.in_transit.enforced login tried without TLS"
                || key == "db.auth.default_accounts default";
            assert!(status == Status::NotEvaluated || (shown && status == Status::Fail), "{key} is {status:?}");
        }
    }
}

const SCHEDULE: &str = "
data_sets:
  - id: sessions
    store: db
    object: { key_pattern: 'session:*' }
    kind: primary
    data_categories: [identity]
    subject_categories: [customer]
    anchor: last_seen
    max_age: 30 days
    legal_basis: { article: 6(1)(b), purpose: login }
    action: delete
    mechanism: { type: ttl_index, only: true }
";

fn retention(look: &Look, redis: &Redis) -> (Retention, Status, Status) {
    let seen = look.run(redis);
    let facts: Retention = read(&seen, "data.retention");
    let (rows, means) = (&facts.data_sets[0], &facts.mechanisms[0]);
    let status = |known: Option<bool>| match known {
        Some(true) => Status::Pass,
        Some(false) => Status::Fail,
        None => Status::NotEvaluated,
    };
    let rows = status(rows.violating.known().map(|rows| *rows == 0));
    let means = status(means.effective.known().map(|yes| *yes && means_found(&facts)));
    (facts, rows, means)
}

fn means_found(facts: &Retention) -> bool {
    facts.mechanisms[0].found == known(&true)
}

#[test]
fn keys_are_walked_over_by_pattern_and_never_named() {
    let Some(server) = Server::start(Posture::Plain) else { return };
    let look = nobody(server.port).with(SCHEDULE);
    let (redis, none) = (Redis::default(), Status::NotEvaluated);
    let (_, rows, means) = retention(&look, &redis);
    assert_eq!((rows, means), (none, none), "no key shows nothing");

    let many: Vec<String> = (0..500).map(|n| format!("SET session:{n} x EX 86400")).collect();
    server.run(&many.join("\n"));
    server.run("SET other:alice x");
    let (facts, rows, means) = retention(&look, &redis);
    assert_eq!((rows, means), (none, Status::Pass), "{:?}", facts.mechanisms);
    assert_eq!(facts.data_sets[0].total_estimate, known(&500));
    assert!(facts.skew_s.known().is_some_and(|skew| skew.abs() < 60));

    // With less effort the same keys show less.
    let little = Redis { effort: Effort { keys: 50, time: Duration::from_secs(10) } };
    let (facts, _, means) = retention(&look, &little);
    assert_eq!(means, none, "{:?}", facts.mechanisms);
    assert!(!facts.data_sets[0].exact);

    server.run("SET session:late x EX 8640000");
    assert_eq!(retention(&look, &redis).2, Status::Fail, "it lives for longer than it may");
    server.run("DEL session:late\nSET session:alice@shop.example x");
    let (facts, rows, means) = retention(&look, &redis);
    assert_eq!((rows, means), (none, Status::Fail));
    assert!(!serde_json::to_string(&facts).unwrap().contains("alice"), "a key's name stands in the evidence");

    // A key that nobody used for 90 days.
    server.run("DEL session:alice@shop.example\nRESTORE session:old 86400000 \"\\x00\\x01x\\x0a\\x00\\x22\\x80\\x86\\x5f\\xbd\\xe8\\x48\\xd0\" IDLETIME 7776000");
    let (facts, rows, means) = retention(&look, &redis);
    assert_eq!((rows, means), (Status::Fail, Status::Pass), "{:?}", facts.data_sets);
    assert!(facts.mechanisms[0].contradicted);
    assert!(facts.data_sets[0].overdue_days.known().is_some_and(|days| (58..=62).contains(days)));
}

#[test]
fn a_walk_that_may_not_be_made_shows_nothing() {
    let Some(server) = Server::start(Posture::Strict) else { return };
    let look = look(&server, "auditor").with(SCHEDULE);
    server.run("SET session:1 x EX 60\nACL SETUSER auditor -scan");
    let (facts, rows, means) = retention(&look, &Redis::default());
    assert_eq!((rows, means), (Status::NotEvaluated, Status::NotEvaluated));
    assert!(facts.data_sets[0].summary.contains("ACL SETUSER auditor +scan"), "{}", facts.data_sets[0].summary);
    server.run("ACL SETUSER auditor +scan -object");
    let (facts, rows, means) = retention(&look, &Redis::default());
    assert_eq!((rows, means), (Status::NotEvaluated, Status::Pass));
    assert!(facts.data_sets[0].summary.contains("+object|idletime"), "{}", facts.data_sets[0].summary);
}
