//! MongoDB: a scripted server in good and bad postures, and what is left where evidence is missing.

use crate::support::mongodb::{Answer, Mongodb as Server, PASSWORD, Port, Script};
use crate::support::store::{Look, assert_outside, known, of, read, sign, text};
use crate::support::tls::scripted;
use bson::{RawDocumentBuf, rawdoc};
use probity::collect::mongodb::Mongodb;
use probity::model::database::{AtRest, Audit, Auth, Transport};
use probity::model::target::Engine;
use probity::model::{ObservationStatus, Reason, Status};
use std::io::{Read as _, Write as _};

const INSIDE: [&str; 3] = ["db.auth", "db.at_rest", "db.audit"];

fn script(
    options: RawDocumentBuf,
    status: RawDocumentBuf,
    users: RawDocumentBuf,
    mechanisms: RawDocumentBuf,
) -> Script {
    Script::from([
        ("getCmdLineOpts", Answer::Fields(rawdoc! { "parsed": options })),
        ("serverStatus", Answer::Fields(status)),
        ("usersInfo", Answer::Fields(users)),
        ("getParameter", Answer::Fields(mechanisms)),
        ("buildInfo", Answer::Fields(rawdoc! { "version": "7.0.14" })),
    ])
}

/// Everything that can be set right is.
fn strict() -> Script {
    let options = rawdoc! {
        "net": { "tls": { "mode": "requireTLS", "disabledProtocols": "TLS1_0,TLS1_1" }, "bindIpAll": true },
        "security": { "authorization": "enabled", "enableEncryption": true },
        "auditLog": { "destination": "file", "path": "/var/log/mongodb/audit.bson" },
        "systemLog": { "destination": "file", "path": "/var/log/mongodb/mongod.log" },
        "storage": { "dbPath": "/srv/mongodb" }
    };
    let status = rawdoc! {
        "storageEngine": { "name": "wiredTiger", "persistent": true },
        "encryptionAtRest": { "encryptionEnabled": true, "encryptionCipherMode": "AES256-GCM", "encryptionKeyId": "key-1" },
        "transportSecurity": { "1.0": 0_i64, "1.1": 0_i64, "1.2": 4_i64, "1.3": 90_i64 }
    };
    let users = rawdoc! { "users": [
        { "user": "app", "db": "shop", "roles": [{ "role": "readWrite", "db": "shop" }], "mechanisms": ["SCRAM-SHA-256"] },
        { "user": "keeper", "db": "admin", "roles": [{ "role": "root", "db": "admin" }], "mechanisms": ["SCRAM-SHA-256"] },
        { "user": "CN=member", "db": "$external", "roles": [] }
    ] };
    let mechanisms =
        rawdoc! { "authenticationMechanisms": ["SCRAM-SHA-256", "MONGODB-X509"], "enableLocalhostAuthBypass": false };
    script(options, status, users, mechanisms)
}

/// A server as it comes, but for all machines.
fn loose() -> Script {
    let options = rawdoc! { "net": { "bindIp": "0.0.0.0" }, "systemLog": { "quiet": true } };
    let status = rawdoc! { "storageEngine": { "name": "wiredTiger", "persistent": true } };
    let mechanisms =
        rawdoc! { "authenticationMechanisms": ["SCRAM-SHA-1", "SCRAM-SHA-256"], "enableLocalhostAuthBypass": true };
    script(options, status, rawdoc! { "users": [] }, mechanisms)
}

fn look(server: &Server, password: &str) -> Look {
    Look::new(Engine::Mongodb, server.port, "auditor", password).trusting(server.ca())
}

fn nobody(port: u16) -> Look {
    let mut look = Look::new(Engine::Mongodb, port, "", "");
    look.target.connection.user = None;
    look
}

#[test]
fn a_server_of_which_everything_is_well_passes_what_can_be_shown() {
    let server = Server::start(Port::Tls, true, strict());
    let look = look(&server, PASSWORD);
    let seen = look.run(&Mongodb);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.tls_offered, &transport.certificate_verified), (&known(&true), &known(&true)));
    assert_eq!((&transport.min_protocol, &transport.plaintext_login), (&text("TLSv1.2"), &text("refused")));
    let auth: Auth = read(&seen, "db.auth");
    assert_eq!(auth.login_superusers, known(&vec!["keeper@admin".to_owned()]));
    assert_eq!((&auth.privileged, &auth.slow_hashes, &auth.fast_hashes), (&known(&Vec::new()), &known(&2), &known(&0)));
    let audit: Audit = read(&seen, "db.audit");
    assert_eq!((&audit.server_version, &audit.extension), (&text("MongoDB 7.0.14"), &known(&true)));
    let verdicts = look.judge(&seen);
    for (key, (status, _)) in &verdicts {
        // What nobody can set right: the server knows of no copy.
        let beyond = key.starts_with("db.backup.exists");
        let fine = matches!(status, Status::Pass | Status::NotApplicable);
        assert!(fine != beyond, "{key} is {status:?}");
    }
    assert_eq!(verdicts["db.at_rest"].0, Status::Pass);
    assert_eq!(verdicts["db.at_rest.algorithm"].0, Status::Pass);
    assert_eq!(verdicts["db.in_transit.enforced rules for other machines"].0, Status::Pass);
}

#[test]
fn a_server_as_it_comes_is_open_to_everybody() {
    let server = Server::start(Port::Clear, false, loose());
    let look = nobody(server.port);
    let seen = look.run(&Mongodb);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.tls_offered, &transport.plaintext_login), (&known(&false), &text("accepted")));
    let rest: AtRest = read(&seen, "db.at_rest");
    assert!(rest.layers[0].encrypted.known().is_none());
    let verdicts = look.judge(&seen);
    let status = |key: &str| verdicts.get(key).unwrap_or_else(|| panic!("{key} in {verdicts:?}")).0;
    for (key, wanted) in [
        ("db.in_transit offer of TLS", Status::Fail),
        ("db.in_transit.enforced login tried without TLS", Status::Fail),
        ("db.in_transit.enforced rules for other machines", Status::Fail),
        ("db.auth.methods everybody, without a login", Status::Fail),
        ("db.auth.default_accounts everybody, without a login", Status::Fail),
        ("db.auth.public_grants", Status::Fail),
        ("db.auth.reach an account made from the server's machine without a login", Status::Fail),
        ("db.at_rest", Status::NotEvaluated),
        ("db.audit_log new sessions", Status::Fail),
        ("db.audit_log changes of definitions", Status::Fail),
        ("db.backup.exists copies by other programs", Status::NotEvaluated),
    ] {
        assert_eq!(status(key), wanted, "{key}");
    }
}

#[test]
fn tls_beside_clear_is_a_way_in_and_sha1_is_weak() {
    let mut script = loose();
    let users = rawdoc! { "users": [{
        "user": "app", "db": "shop", "roles": [{ "role": "ours", "db": "admin" }], "mechanisms": ["SCRAM-SHA-1", "SCRAM-SHA-256"]
    }] };
    script.insert("usersInfo", Answer::Fields(users));
    script.insert(
        "rolesInfo",
        Answer::Fields(rawdoc! { "roles": [{
            "role": "ours", "db": "admin", "inheritedRoles": [],
            "inheritedPrivileges": [{ "resource": { "db": "", "collection": "" }, "actions": ["grantRole"] }]
        }] }),
    );
    let server = Server::start(Port::Both, true, script);
    let look = look(&server, PASSWORD);
    let seen = look.run(&Mongodb);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((&transport.tls_offered, &transport.plaintext_login), (&known(&true), &text("asked")));
    let auth: Auth = read(&seen, "db.auth");
    assert_eq!(auth.superusers, known(&vec!["app@shop".to_owned()]), "who may grant roles has every role");
    let verdicts = look.judge(&seen);
    assert_eq!(verdicts["db.auth.methods app@shop"].0, Status::Fail);
    assert_eq!(verdicts["db.in_transit.enforced login tried without TLS"].0, Status::Fail);
    assert_eq!(verdicts["db.auth.default_accounts everybody, without a login"].0, Status::Pass);
}

#[test]
fn without_rights_nothing_is_taken_for_well() {
    let script = ["getCmdLineOpts", "serverStatus", "usersInfo", "getParameter", "buildInfo"];
    let script = script.into_iter().map(|name| (name, Answer::Error(13))).collect();
    let server = Server::start(Port::Tls, true, script);
    let look = look(&server, PASSWORD);
    let seen = look.run(&Mongodb);
    for kind in ["db.at_rest", "db.audit"] {
        let trouble = of(&seen, kind).trouble.as_ref().unwrap();
        assert_eq!(trouble.reason, Reason::PermissionDenied, "{kind}");
        assert!(trouble.detail.contains("clusterMonitor"), "{}", trouble.detail);
    }
    let auth: Auth = read(&seen, "db.auth");
    assert!(auth.methods.reason().unwrap().contains("viewUser"));
    let transport: Transport = read(&seen, "db.transport");
    assert!(sign(&transport.plaintext, "rules for other machines").known().is_none());
    assert!(!serde_json::to_string(&seen).unwrap().contains("alice"), "the server's words stand in the evidence");
    for (key, (status, _)) in look.judge(&seen) {
        // What was seen without any right stands: the session, and that a login is asked for.
        let shown = key.starts_with("db.in_transit o")
            || key == "db.in_transit.enforced login tried without TLS"
            || key == "db.auth.default_accounts everybody, without a login"
            || key == "db.auth.public_grants";
        assert!(status == Status::NotEvaluated || shown, "{key} is {status:?}");
    }
}

#[test]
fn a_wrong_password_a_stranger_and_no_server_are_told_apart() {
    let server = Server::start(Port::Tls, true, strict());
    assert_outside(&look(&server, "wrong-7711").run(&Mongodb), Reason::AuthenticationFailed);
    assert_outside(&look(&server, "").run(&Mongodb), Reason::AuthenticationFailed);
    let mut unknown = look(&server, PASSWORD);
    unknown.target.connection.user = Some("nobody".to_owned());
    assert_outside(&unknown.run(&Mongodb), Reason::AuthenticationFailed);

    let untrusting = Look::new(Engine::Mongodb, server.port, "auditor", PASSWORD);
    let seen = untrusting.run(&Mongodb);
    assert_outside(&seen, Reason::HandshakeRejected);
    assert_eq!(&read::<Transport>(&seen, "db.transport").certificate_verified, &known(&false));

    let closed = Look::new(Engine::Mongodb, crate::support::free_port(), "auditor", PASSWORD);
    let seen = closed.run(&Mongodb);
    assert_outside(&seen, Reason::Refused);
    assert_eq!(of(&seen, "db.transport").status, ObservationStatus::Failed);

    // To another machine no password goes in clear.
    let clear = Server::start(Port::Clear, true, strict());
    let mut far = look(&clear, PASSWORD);
    far.address = "192.0.2.7".parse().unwrap();
    assert_outside(&far.run(&Mongodb), Reason::Unsupported);
}

#[test]
fn a_server_that_falls_silent_floods_or_dies_leaves_no_facts() {
    let endless: Vec<u8> = [&0x7fff_ffff_u32.to_le_bytes()[..], &[0; 8], &2013_u32.to_le_bytes(), &[0; 64]].concat();
    let stray = probity::wire::op_msg::command(7, &rawdoc! { "ok": 1.0 });
    for (answer, reason) in [
        (Answer::Silence, Reason::TimedOut),
        (Answer::End, Reason::Refused),
        (Answer::Bytes(endless), Reason::TooLarge),
        (Answer::Bytes(b"HTTP/1.1 400 Bad Request\r\n".to_vec()), Reason::ProtocolViolation),
        // An answer to another question than ours.
        (Answer::Bytes(stray), Reason::ProtocolViolation),
        (Answer::Error(50), Reason::TimedOut),
        (Answer::Fields(rawdoc! { "parsed": 7 }), Reason::ProtocolViolation),
    ] {
        let mut script = strict();
        script.insert("getCmdLineOpts", answer.clone());
        let server = Server::start(Port::Tls, true, script);
        let look = look(&server, PASSWORD);
        let seen = look.run(&Mongodb);
        let transport: Transport = read(&seen, "db.transport");
        let why = sign(&transport.plaintext, "rules for other machines").reason().unwrap().to_owned();
        assert!(!why.is_empty() && transport.min_protocol.known().is_none(), "{answer:?}: {why}");
        if let Some(trouble) = &of(&seen, "db.audit").trouble {
            assert_eq!(trouble.reason, reason, "{answer:?}");
        }
        let verdicts = look.judge(&seen);
        for key in ["db.in_transit.enforced rules for other machines", "db.in_transit.protocols"] {
            assert_eq!(verdicts[key].0, Status::NotEvaluated, "{key} after {answer:?}");
        }
        for (key, (status, _)) in verdicts.iter().filter(|(key, _)| key.starts_with("db.audit_log")) {
            assert_eq!(*status, Status::NotEvaluated, "{key} after {answer:?}");
        }
    }
}

#[test]
fn bytes_of_no_mongodb_are_a_trouble_and_no_answer() {
    let garbage = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
    });
    let seen = nobody(garbage.port()).run(&Mongodb);
    assert!(seen.iter().all(|seen| seen.status == ObservationStatus::Failed), "{seen:?}");
    for kind in INSIDE {
        assert_eq!(of(&seen, kind).trouble.as_ref().unwrap().reason, Reason::ProtocolViolation);
    }
}
