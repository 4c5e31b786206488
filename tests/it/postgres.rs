//! PostgreSQL in three postures.

use crate::support::postgres::{PASSWORD, Postgres, Posture};
use crate::support::store::{Loopback, Names, Zeros};
use probity::catalogue::Catalogue;
use probity::check::{Case, Engine, derive};
use probity::collect::postgres::Postgres as Collects;
use probity::collect::{CollectContext, Collector, Documents, Job, Limits, Silent};
use probity::model::database::{AtRest, Audit, Auth, Backup, Sign, Transport};
use probity::model::policy::Judging;
use probity::model::retention::{Inventory, Retention, Schedule};
use probity::model::target::Engine as DatabaseEngine;
use probity::model::{
    Clock as _, Fact, FixedClock, Observation, ObservationStatus, Reason, SecretRef, Severity, Status, SystemClock,
    Target, TargetKind,
};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// One look by the collector, and how long it took.
struct Look {
    target: Target,
    address: IpAddr,
    cancel: CancellationToken,
    schedule: Option<Schedule>,
}

impl Look {
    fn new(port: u16, user: &str, password: &str) -> Look {
        let mut target = Target::new("db", TargetKind::Database, format!("127.0.0.1:{port}"));
        target.engine = Some(DatabaseEngine::Postgresql);
        target.connection.host = "127.0.0.1".to_owned();
        target.connection.port = port;
        target.connection.user = Some(user.to_owned());
        target.connection.database = Some("postgres".to_owned());
        target.connection.password = Some(SecretRef::Env(password.to_owned()));
        Look { target, address: IpAddr::V4(Ipv4Addr::LOCALHOST), cancel: CancellationToken::new(), schedule: None }
    }

    fn trusting(mut self, file: PathBuf) -> Look {
        self.target.connection.ca_files = vec![file];
        self
    }

    fn run(&self) -> Vec<Observation> {
        let seen = self.run_at(vec![SocketAddr::new(self.address, self.target.connection.port)]);
        let mut kinds: Vec<&str> = seen.iter().map(|observation| observation.kind.as_str()).collect();
        let mut promised = Collects.yields().to_vec();
        kinds.sort_unstable();
        promised.sort_unstable();
        assert_eq!(kinds, promised, "one observation of each kind, failed ones included");
        assert!(seen.iter().all(|observation| observation.part.is_empty()));
        seen
    }

    /// A look at a name with these addresses.
    fn run_at(&self, addresses: Vec<SocketAddr>) -> Vec<Observation> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let cx = CollectContext {
            clock: Arc::new(SystemClock),
            dial: Arc::new(Loopback),
            random: Arc::new(Zeros),
            progress: Arc::new(Silent),
            secrets: Arc::new(Names),
            cancel: self.cancel.clone(),
            limits: Limits::default(),
            documents: Arc::new(Documents { retention: self.schedule.clone(), register: None, ..Documents::default() }),
            halfway: Arc::default(),
        };
        let job = Job { target: self.target.clone(), addresses, earlier: Vec::new() };
        let collector = Collects;
        assert!(collector.accepts(&job.target));
        let seen = runtime.block_on(collector.collect(&job, &cx));
        if let Some(SecretRef::Env(password)) = &self.target.connection.password {
            let json = serde_json::to_string(&seen).unwrap();
            assert!(!json.contains(password.as_str()), "the password stands in the evidence");
        }
        seen
    }
}

fn of<'a>(seen: &'a [Observation], kind: &str) -> &'a Observation {
    seen.iter().find(|observation| observation.kind == kind).unwrap()
}

fn read<T: serde::de::DeserializeOwned>(seen: &[Observation], kind: &str) -> T {
    let observation = of(seen, kind);
    assert_eq!(observation.status, ObservationStatus::Complete, "{kind}: {:?}", observation.trouble);
    observation.read().unwrap()
}

fn known<T: Clone>(value: &T) -> Fact<T> {
    Fact::Known(value.clone())
}

fn text(value: &str) -> Fact<String> {
    Fact::Known(value.to_owned())
}

fn sign<'a>(signs: &'a [Sign], name: &str) -> &'a Fact<bool> {
    &signs.iter().find(|sign| sign.name == name).unwrap().yes
}

/// Every kind that needs a login failed for this reason.
fn assert_outside(seen: &[Observation], reason: Reason) {
    for kind in ["data.inventory", "data.retention", "db.auth", "db.audit", "db.at_rest"] {
        let observation = of(seen, kind);
        assert_eq!(observation.status, ObservationStatus::Failed, "{kind}");
        assert_eq!(observation.trouble.as_ref().unwrap().reason, reason, "{kind}: {:?}", observation.trouble);
        assert!(observation.data.is_empty());
    }
}

/// No session of ours is left on the server.
fn assert_gone(postgres: &Postgres) {
    let end = Instant::now() + Duration::from_secs(5);
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'probity'";
    while postgres.sql("postgres", sql) != "0" {
        assert!(Instant::now() < end, "a session of the collector is still open");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The verdicts of the checks of databases on what was seen: `check item` to its status and severity.
fn judge(look: &Look, seen: &[Observation]) -> BTreeMap<String, (Status, Severity)> {
    let catalogue = Catalogue::built_in().unwrap_or_else(|_| panic!("the catalogue does not load"));
    let judging = Judging::default();
    let as_of = SystemClock.now();
    let targets = [look.target.clone()];
    let mut all = seen.to_vec();
    all.extend(derive::run(&targets, seen, &judging, &catalogue, as_of));
    let engine = Engine::new(&catalogue, &judging).unwrap_or_else(|_| panic!("the checks do not compile"));
    let results = engine.judge(&Case { targets: &targets, observations: &all, as_of });
    let of_databases = results.into_iter().filter(|result| result.check.starts_with("db."));
    of_databases
        .map(|result| {
            (format!("{} {}", result.check, result.item).trim_end().to_owned(), (result.status, result.severity))
        })
        .collect()
}

#[test]
fn a_server_without_tls_that_trusts_everybody() {
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    let look = Look::new(postgres.port, "postgres", PASSWORD);
    let seen = look.run();
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!(transport.tls_offered, known(&false));
    assert_eq!(transport.ssl_setting, text("off"));
    assert!(transport.min_protocol.reason().unwrap().contains("TLS is off"));
    assert_eq!(transport.plaintext_login, text("accepted"));
    assert_eq!(sign(&transport.encryption, "offer of TLS"), &known(&false));
    assert_eq!(sign(&transport.encryption, "own session"), &known(&false));
    assert_eq!(sign(&transport.plaintext, "login tried without TLS"), &known(&true));
    assert_eq!(sign(&transport.plaintext, "rules for other machines"), &known(&true));
    let auth: Auth = read(&seen, "db.auth");
    let methods = auth.methods.known().unwrap();
    assert_eq!(methods.len(), 2);
    assert!(methods.iter().all(|method| method.strength == "none" && method.weak == known(&true)));
    assert_eq!((methods[0].remote, methods[1].remote), (false, true));
    assert_eq!(auth.default_accounts.known().unwrap()[0].open, known(&true));
    let audit: Audit = read(&seen, "db.audit");
    assert_eq!(audit.connections, known(&false));
    assert_eq!(audit.statements, text("none"));
    assert_eq!(sign(&audit.logging, "changes of definitions"), &known(&false));
    assert_gone(&postgres);
    let verdicts = judge(&look, &seen);
    for (item, severity) in [
        ("db.in_transit offer of TLS", Severity::High),
        ("db.in_transit own session", Severity::High),
        ("db.in_transit.enforced login tried without TLS", Severity::High),
        ("db.in_transit.enforced rules for other machines", Severity::High),
        ("db.auth.methods local all all trust", Severity::Medium),
        ("db.auth.methods host all all all trust", Severity::Critical),
        ("db.auth.default_accounts postgres", Severity::Critical),
        ("db.audit_log new sessions", Severity::Medium),
        ("db.audit_log changes of definitions", Severity::Medium),
    ] {
        assert_eq!(verdicts.get(item), Some(&(Status::Fail, severity)), "{item}: {verdicts:#?}");
    }
    for item in ["db.in_transit.protocols", "db.at_rest", "db.at_rest.algorithm"] {
        assert_eq!(verdicts[item].0, Status::NotEvaluated, "{item}");
    }
}

#[test]
fn a_server_with_tls_that_accepts_a_login_without() {
    let Some(postgres) = Postgres::start(Posture::Mixed) else { return };
    postgres.sql(
        "postgres",
        "SET password_encryption = 'md5'; CREATE ROLE old LOGIN PASSWORD 'x'; CREATE ROLE boss SUPERUSER; \
         CREATE SCHEMA app; CREATE TABLE app.orders (id int); GRANT SELECT, INSERT ON app.orders TO PUBLIC; \
         GRANT CREATE ON SCHEMA public TO PUBLIC",
    );
    postgres.sql("postgres", &format!("SET password_encryption = 'md5'; ALTER ROLE postgres PASSWORD '{PASSWORD}'"));
    let look = Look::new(postgres.port, "postgres", PASSWORD).trusting(postgres.ca());
    let seen = look.run();
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!(transport.tls_offered, known(&true));
    assert_eq!(transport.certificate_verified, known(&true));
    assert_eq!(transport.session.known().unwrap().protocol, "TLSv1.3");
    assert_eq!(transport.min_protocol, text("TLSv1.2"));
    assert_eq!(transport.plaintext_login, text("accepted"));
    assert_eq!(sign(&transport.encryption, "own session"), &known(&true));
    // There is none but ours, which is on this machine: nothing is said about sessions of others.
    assert!(transport.encryption.iter().all(|sign| sign.name != "sessions of other machines"));
    assert_eq!((transport.plain_sessions, transport.remote_sessions), (known(&0), known(&0)));
    assert_eq!(sign(&transport.plaintext, "rules for other machines"), &known(&true));
    let auth: Auth = read(&seen, "db.auth");
    assert_eq!(auth.password_encryption, text("md5"));
    assert_eq!((auth.fast_hashes, auth.slow_hashes), (known(&2), known(&0)));
    assert_eq!(auth.superusers, known(&vec!["boss".to_owned(), "postgres".to_owned()]));
    assert_eq!(auth.login_superusers, known(&vec!["postgres".to_owned()]));
    assert_eq!(auth.public_create, known(&true));
    let grants = auth.public_grants.known().unwrap();
    let grants: Vec<_> = grants.iter().map(|grant| (grant.object.as_str(), grant.privileges.as_str())).collect();
    assert_eq!(grants, [("schema public", "CREATE"), ("table app.orders", "INSERT, SELECT")]);
    let methods = auth.methods.known().unwrap();
    assert_eq!(methods.iter().map(|method| method.strength.as_str()).collect::<Vec<_>>(), ["strong", "md5"]);
    assert_gone(&postgres);
    let verdicts = judge(&look, &seen);
    for (item, status) in [
        ("db.in_transit offer of TLS", Status::Pass),
        ("db.in_transit own session", Status::Pass),
        ("db.in_transit.enforced login tried without TLS", Status::Fail),
        ("db.in_transit.protocols", Status::Pass),
        ("db.auth.methods host all all all md5", Status::Fail),
        ("db.auth.password_hash new passwords", Status::Fail),
        ("db.auth.password_hash stored passwords", Status::Fail),
        ("db.auth.default_accounts postgres", Status::Pass),
        ("db.auth.public_grants", Status::Fail),
        ("db.auth.superusers", Status::Pass),
    ] {
        assert_eq!(verdicts.get(item).map(|verdict| verdict.0), Some(status), "{item}: {verdicts:#?}");
    }
}

#[test]
fn a_strict_server() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let look = Look::new(postgres.port, "postgres", PASSWORD).trusting(postgres.ca());
    let seen = look.run();
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!(transport.min_protocol, text("TLSv1.3"));
    assert_eq!(transport.plaintext_login, text("refused"));
    assert_eq!(sign(&transport.plaintext, "login tried without TLS"), &known(&false));
    assert_eq!(sign(&transport.plaintext, "rules for other machines"), &known(&false));
    let hba = transport.hba.known().unwrap();
    assert_eq!(hba.iter().map(|rule| rule.kind.as_str()).collect::<Vec<_>>(), ["local", "hostnossl", "hostssl"]);
    assert!(hba.iter().all(|rule| !rule.plaintext_possible));
    let auth: Auth = read(&seen, "db.auth");
    assert!(auth.methods.known().unwrap().iter().all(|method| method.weak == known(&false)));
    assert_eq!(auth.password_encryption, text("scram-sha-256"));
    assert_eq!((auth.fast_hashes, auth.slow_hashes), (known(&0), known(&1)));
    assert!(auth.password_storage.iter().all(|sign| sign.yes == known(&true)));
    assert_eq!((auth.public_create, auth.public_grants), (known(&false), known(&Vec::new())));
    let account = &auth.default_accounts.known().unwrap()[0];
    assert_eq!((account.name.as_str(), &account.open, &account.remote), ("postgres", &known(&false), &known(&true)));
    let audit: Audit = read(&seen, "db.audit");
    assert!(audit.logging.iter().all(|sign| sign.yes == known(&true)), "{:?}", audit.logging);
    if postgres.has_library("pgaudit") {
        assert_eq!((audit.extension, audit.extension_classes), (known(&true), text("ddl, role")));
    }
    let rest: AtRest = read(&seen, "db.at_rest");
    assert_eq!(rest.layers.len(), 1);
    assert!(rest.layers[0].encrypted.reason().unwrap().contains("no encryption of its own"));
    assert!(!rest.would_show.is_empty() && !rest.not_covered.is_empty());
    assert_gone(&postgres);
    let at_rest = |item: &str| matches!(item, "db.at_rest" | "db.at_rest.algorithm");
    for (item, (status, _)) in judge(&look, &seen) {
        let expected = match item.as_str() {
            // The server keeps no archive, and knows of no other copy.
            item if at_rest(item) || item.starts_with("db.backup") => Status::NotEvaluated,
            // Nothing of PostgreSQL's tells of these.
            "db.at_rest.logs" | "db.at_rest.temp" | "db.auth.reach" => Status::NotApplicable,
            _ => Status::Pass,
        };
        assert_eq!(status, expected, "{item}");
    }
}

#[test]
fn a_wrong_password_hides_what_is_inside_alone() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let look = Look::new(postgres.port, "postgres", "wrong-4b1d").trusting(postgres.ca());
    let seen = look.run();
    assert_outside(&seen, Reason::AuthenticationFailed);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((transport.tls_offered, transport.plaintext_login), (known(&true), text("refused")));
    assert!(transport.hba.reason().unwrap().contains("28P01"));
    assert_eq!(sign(&transport.encryption, "own session"), &known(&true));
    assert_gone(&postgres);
    let passed: Vec<String> = judge(&look, &seen)
        .into_iter()
        .filter(|(_, verdict)| verdict.0 == Status::Pass)
        .map(|(item, _)| item)
        .collect();
    assert_eq!(
        passed,
        ["db.in_transit offer of TLS", "db.in_transit own session", "db.in_transit.enforced login tried without TLS",]
    );
}

#[test]
fn each_missing_privilege_is_named_and_each_grant_helps() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    postgres.sql("postgres", "CREATE ROLE audit LOGIN PASSWORD 'plain-role-2c'");
    let look = Look::new(postgres.port, "audit", "plain-role-2c").trusting(postgres.ca());
    let seen = look.run();
    let transport: Transport = read(&seen, "db.transport");
    let auth: Auth = read(&seen, "db.auth");
    let audit: Audit = read(&seen, "db.audit");
    assert!(transport.plain_sessions.reason().unwrap().contains("GRANT pg_read_all_stats"));
    assert!(transport.hba.reason().unwrap().contains("GRANT EXECUTE ON FUNCTION pg_hba_file_rules()"));
    assert!(auth.methods.reason().unwrap().contains("GRANT SELECT ON pg_hba_file_rules"));
    // Reading them would hand out the hashes: no grant is proposed.
    let hashes = auth.fast_hashes.reason().unwrap();
    assert!(hashes.contains("superuser") && !hashes.contains("GRANT") && !hashes.contains("pg_authid"), "{hashes}");
    assert!(sign(&auth.password_storage, "stored passwords").known().is_none());
    assert_eq!(sign(&auth.password_storage, "new passwords"), &known(&true));
    assert!(auth.default_accounts.known().unwrap()[0].open.known().is_none());
    match audit.extension.reason() {
        Some(reason) => assert!(reason.contains("GRANT pg_read_all_settings")),
        // Where pgaudit is loaded, its own setting shows it to every role.
        None => assert_eq!(audit.extension, known(&true)),
    }
    assert_eq!(transport.plaintext_login, text("refused"));

    postgres.sql("postgres", "GRANT pg_read_all_stats TO audit");
    assert_eq!(read::<Transport>(&look.run(), "db.transport").plain_sessions, known(&0));
    postgres.sql("postgres", "GRANT pg_read_all_settings TO audit");
    assert!(read::<Audit>(&look.run(), "db.audit").extension.known().is_some());
    postgres.sql("postgres", "GRANT SELECT ON pg_hba_file_rules TO audit");
    assert!(read::<Transport>(&look.run(), "db.transport").hba.known().is_none());
    postgres.sql("postgres", "GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO audit");
    // The rules can be read, and nothing shows yet that they are those which the server loaded.
    let seen = look.run();
    let transport: Transport = read(&seen, "db.transport");
    let grant = "GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text) TO the audit role would show it";
    assert!(transport.hba.reason().unwrap().ends_with(grant), "{:?}", transport.hba);
    assert!(sign(&transport.plaintext, "rules for other machines").known().is_none());
    assert!(read::<Auth>(&seen, "db.auth").methods.known().is_none());
    assert_eq!(judge(&look, &seen)["db.in_transit.enforced rules for other machines"].0, Status::NotEvaluated);
    postgres.sql("postgres", "GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_file(text) TO audit");
    assert_eq!(read::<Transport>(&look.run(), "db.transport").hba.known().unwrap().len(), 3);
    // Without the setting the file is not found.
    postgres.sql("postgres", "REVOKE pg_read_all_settings FROM audit");
    let hba = read::<Transport>(&look.run(), "db.transport").hba;
    assert!(hba.reason().unwrap().contains("GRANT pg_read_all_settings (or pg_monitor) TO the audit role"), "{hba:?}");
    assert_gone(&postgres);
}

#[test]
fn the_grants_of_the_readme_give_every_answer_but_the_hashes() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let readme = include_str!("../../README.md");
    let script = readme.split("```sql\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(!script.contains("pg_authid"), "no auditor needs the hashes");
    postgres.sql("postgres", "CREATE TABLE visitors (seen timestamptz)");
    postgres.sql("postgres", &script.replace("a long random one", "granted-role-5e"));
    let look = Look::new(postgres.port, "auditor", "granted-role-5e").trusting(postgres.ca());
    let seen = look.run();
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((transport.hba.known().unwrap().len(), transport.plain_sessions), (3, known(&0)));
    let audit: Audit = read(&seen, "db.audit");
    assert!(audit.extension.known().is_some() && audit.logging.iter().all(|sign| sign.yes.known().is_some()));
    let open: Vec<String> = judge(&look, &seen)
        .into_iter()
        // Of the disk and of copies, a server without an archive tells nothing to anybody.
        .filter(|(item, verdict)| {
            verdict.0 == Status::NotEvaluated && !item.starts_with("db.at_rest") && !item.starts_with("db.backup")
        })
        .map(|(item, _)| item)
        .collect();
    assert_eq!(open, ["db.auth.password_hash stored passwords"]);
}

#[test]
fn rules_in_a_file_that_no_grant_shows_are_unknown() {
    let Some(postgres) = Postgres::start_with_rules_elsewhere(Posture::Strict) else { return };
    postgres.sql(
        "postgres",
        "CREATE ROLE audit LOGIN PASSWORD 'plain-role-2c'; GRANT pg_monitor TO audit; \
         GRANT SELECT ON pg_hba_file_rules TO audit; GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO audit; \
         GRANT EXECUTE ON FUNCTION pg_stat_file(text) TO audit",
    );
    let look = Look::new(postgres.port, "audit", "plain-role-2c").trusting(postgres.ca());
    let hba = read::<Transport>(&look.run(), "db.transport").hba;
    let reason = hba.reason().unwrap();
    assert!(reason.contains("outside the server's own folder") && reason.contains("superuser"), "{hba:?}");
    assert!(!reason.contains("GRANT"), "no grant is proposed that hands out every file: {reason}");
    let boss = Look::new(postgres.port, "postgres", PASSWORD).trusting(postgres.ca());
    assert_eq!(read::<Transport>(&boss.run(), "db.transport").hba.known().unwrap().len(), 3);
}

#[test]
fn each_address_of_a_name_is_an_item_of_its_own() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let look = Look::new(postgres.port, "postgres", PASSWORD).trusting(postgres.ca());
    let port = postgres.port;
    let closed = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 9), crate::support::free_port()));
    let first = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let second = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), port));
    let seen = look.run_at(vec![closed, first, second]);
    let at = |kind: &str, address: SocketAddr| {
        let mut found = seen.iter().filter(|seen| seen.kind == kind && seen.part == address.to_string());
        let observation = found.next().unwrap_or_else(|| panic!("{kind} of {address} is missing"));
        assert!(found.next().is_none());
        observation
    };
    assert!(seen.iter().all(|seen| !seen.part.is_empty()));
    for kind in ["db.auth", "db.audit", "db.at_rest", "db.transport", "data.inventory", "data.retention"] {
        assert_eq!(at(kind, closed).trouble.as_ref().unwrap().reason, Reason::Refused, "{kind}");
    }
    assert_eq!(at("db.auth", first).status, ObservationStatus::Complete);
    // The greeting costs no login, so that it is looked at everywhere.
    let transport: Transport = at("db.transport", second).read().unwrap();
    assert_eq!((&transport.tls_offered, &transport.plaintext_login), (&known(&true), &text("refused")));
    assert!(transport.hba.known().is_none());
    for kind in ["db.auth", "db.audit", "db.at_rest", "data.inventory", "data.retention"] {
        let trouble = at(kind, second).trouble.as_ref().unwrap();
        assert!(trouble.detail.contains(&first.to_string()), "{kind}: {trouble}");
        assert!(trouble.detail.contains("target of its own"), "{kind}: {trouble}");
    }
    let catalogue = Catalogue::built_in().unwrap_or_else(|_| panic!("the catalogue does not load"));
    let judging = Judging::default();
    let engine = Engine::new(&catalogue, &judging).unwrap_or_else(|_| panic!("the checks do not compile"));
    let targets = [look.target.clone()];
    let results = engine.judge(&Case { targets: &targets, observations: &seen, as_of: SystemClock.now() });
    let status = |check: &str, address: SocketAddr| {
        let of = |result: &&probity::model::CheckResult| result.check == check && result.part == address.to_string();
        results.iter().filter(of).map(|result| result.status).collect::<Vec<_>>()
    };
    assert_eq!(status("db.auth.superusers", first), [Status::Pass]);
    assert_eq!(status("db.auth.superusers", second), [Status::NotEvaluated]);
    assert_eq!(status("db.auth.superusers", closed), [Status::NotEvaluated]);
    // The offer and our own session are seen there, and the sessions of others are not.
    assert_eq!(status("db.in_transit", second), [Status::Pass, Status::Pass, Status::NotEvaluated]);
    let spots = probity::control::blind_spots(&results, &seen, &targets);
    let told = |address: SocketAddr| spots.iter().any(|spot| spot.part == address.to_string());
    assert!(told(closed) && told(second), "{spots:#?}");
    assert_gone(&postgres);
}

#[test]
fn rules_that_are_not_what_runs_are_unknown() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let look = Look::new(postgres.port, "postgres", PASSWORD).trusting(postgres.ca());
    // Maybe in the second in which the server loaded its own, which its clock of files cannot tell apart.
    let file = postgres.data().join("pg_hba.conf");
    std::fs::write(&file, "local all all peer\nhostssl all all all scram-sha-256\n").unwrap();
    let hba = read::<Transport>(&look.run(), "db.transport").hba;
    assert!(hba.reason().unwrap().contains("changed after"), "{hba:?}");
    // An older file in its place is a change as well, although nothing was written since the server loaded its own.
    postgres.set_hba("local all all peer\nhostssl all all all scram-sha-256\n");
    assert!(read::<Transport>(&look.run(), "db.transport").hba.known().is_some());
    let older = file.with_file_name("older.conf");
    std::fs::write(&older, "local all all peer\nhostssl all all all cert\n").unwrap();
    let before = std::time::SystemTime::now() - Duration::from_secs(86_400);
    std::fs::File::options().write(true).open(&older).unwrap().set_modified(before).unwrap();
    std::fs::rename(&older, &file).unwrap();
    let hba = read::<Transport>(&look.run(), "db.transport").hba;
    assert!(hba.reason().unwrap().contains("changed after"), "{hba:?}");
    postgres.set_hba("local all all peer\nhostssl all all all scram-sha-256\nhost all all nonsense/99 md5\n");
    let hba = read::<Transport>(&look.run(), "db.transport").hba;
    assert!(hba.reason().unwrap().contains("line 3"), "{hba:?}");
}

#[test]
fn a_server_that_is_not_trusted_gets_no_password() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let seen = Look::new(postgres.port, "postgres", PASSWORD).run();
    assert_outside(&seen, Reason::HandshakeRejected);
    let transport: Transport = read(&seen, "db.transport");
    assert_eq!((transport.tls_offered, transport.certificate_verified), (known(&true), known(&false)));
    assert!(transport.hba.reason().unwrap().contains("password was not sent"));
    let mut other_name = Look::new(postgres.port, "postgres", PASSWORD).trusting(postgres.ca());
    other_name.target.connection.server_name = Some("db.example".to_owned());
    assert_outside(&other_name.run(), Reason::HandshakeRejected);
}

#[test]
fn a_leaf_that_the_user_named_is_trusted_for_its_name() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let leaf = postgres.ca().with_file_name("server.pem");
    let look = Look::new(postgres.port, "postgres", PASSWORD).trusting(leaf);
    assert_eq!(read::<Transport>(&look.run(), "db.transport").certificate_verified, known(&true));
    let mut other_name = look;
    other_name.target.connection.server_name = Some("db.example".to_owned());
    assert_outside(&other_name.run(), Reason::HandshakeRejected);
}

#[test]
fn a_run_that_is_stopped_says_so() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let look = Look::new(postgres.port, "postgres", PASSWORD).trusting(postgres.ca());
    look.cancel.cancel();
    for observation in look.run() {
        assert_eq!(observation.trouble.unwrap().reason, Reason::Interrupted);
    }
    assert_gone(&postgres);
}

#[test]
fn a_server_that_is_gone_is_refused() {
    let Some(mut postgres) = Postgres::start(Posture::Plain) else { return };
    postgres.crash();
    for observation in Look::new(postgres.port, "postgres", PASSWORD).run() {
        assert_eq!(observation.trouble.unwrap().reason, Reason::Refused);
    }
}

#[test]
fn what_the_schedule_names_is_measured() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    postgres.sql(
        "postgres",
        "CREATE TABLE visitors (email text, seen timestamptz); CREATE INDEX ON visitors (seen); \
         INSERT INTO visitors VALUES ('someone@example.org', '2019-01-01'), ('other@example.org', now())",
    );
    let mut look = Look::new(postgres.port, "postgres", PASSWORD).trusting(postgres.ca());
    for kind in ["data.inventory", "data.retention"] {
        assert_eq!(of(&look.run(), kind).trouble.as_ref().unwrap().reason, Reason::Unsupported, "without a schedule");
    }
    let yaml = "data_sets: [{id: rows, store: db, object: {table: public.visitors}, kind: primary, \
                data_categories: [contact], subject_categories: [visitor], timestamp: {expr: seen, type: timestamptz}, \
                anchor: created, max_age: 9 months, legal_basis: {article: a, purpose: p}, action: delete, \
                mechanism: {type: job}}]";
    look.schedule = Some(serde_yaml::from_str(yaml).unwrap());
    let seen = look.run();
    let retention: Retention = read(&seen, "data.retention");
    assert_eq!(retention.data_sets[0].violating, known(&1), "{:?}", retention.data_sets);
    let inventory: Inventory = read(&seen, "data.inventory");
    assert_eq!(inventory.tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["visitors"]);
    assert!(!serde_json::to_string(&seen).unwrap().contains("example.org"), "a person's data stands in the evidence");
    assert_gone(&postgres);
}

/// What a scripted server does with a login that arrives.
#[derive(Clone, Copy)]
enum Script {
    /// Never answers the start of a session.
    Hang,
    /// Lets everybody in, and never answers a query.
    HangInQuery,
    /// Lets everybody in, and breaks off in the middle of the first answer.
    BreakInQuery,
    /// Asks for SCRAM with more rounds than anybody has time for.
    Costly,
    /// Asks for the password in clear.
    AskClear,
    /// Answers with bytes that mean nothing.
    Noise,
}

/// A server that refuses TLS and follows a script; it keeps every byte that came after the start of a session.
struct Scripted {
    port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Scripted {
    fn start(script: Script) -> Scripted {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&heard);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || {
                    let _ = serve(stream, script, &kept);
                });
            }
        });
        Scripted { port, heard }
    }
}

fn packet(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; (u32::from_be_bytes(length) as usize).saturating_sub(4).min(10_000)];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn serve(mut stream: TcpStream, script: Script, heard: &Mutex<Vec<u8>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut body = packet(&mut stream)?;
    if body == [0x04, 0xD2, 0x16, 0x2F] {
        if matches!(script, Script::Noise) {
            return stream.write_all(&[0x13, 0x37, 0, 255, 254, 7, 7, 7]);
        }
        stream.write_all(b"N")?;
        body = packet(&mut stream)?;
    }
    assert_eq!(&body[..4], [0, 3, 0, 0]);
    match script {
        Script::Hang | Script::Noise => {}
        Script::AskClear => stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3])?,
        Script::Costly => {
            stream.write_all(&[b'R', 0, 0, 0, 23, 0, 0, 0, 10])?;
            stream.write_all(b"SCRAM-SHA-256\0\0")?;
            let mut first = [0; 256];
            let got = stream.read(&mut first)?;
            let first = String::from_utf8_lossy(&first[..got]).into_owned();
            let nonce = first.rsplit("r=").next().unwrap_or_default();
            let challenge = format!("r={nonce}x,s=QSXCR+Q6sek8bf92,i=4294967295");
            stream.write_all(b"R")?;
            stream.write_all(&(challenge.len() as u32 + 8).to_be_bytes())?;
            stream.write_all(&[0, 0, 0, 11])?;
            stream.write_all(challenge.as_bytes())?;
        }
        Script::HangInQuery | Script::BreakInQuery => {
            stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 0, b'Z', 0, 0, 0, 5, b'I'])?;
            if matches!(script, Script::BreakInQuery) {
                let mut query = [0; 1];
                stream.read_exact(&mut query)?;
                // The head of an answer, and half of a row.
                return stream.write_all(b"T\0\0\0\x06\0\0D\0\0\0\x20\0\x02\0");
            }
        }
    }
    let mut buffer = [0; 4096];
    while let Ok(got) = stream.read(&mut buffer) {
        if got == 0 {
            break;
        }
        heard.lock().unwrap().extend_from_slice(&buffer[..got]);
    }
    Ok(())
}

fn look_at(script: Script) -> (Vec<Observation>, Duration, Scripted) {
    let server = Scripted::start(script);
    let begin = Instant::now();
    let seen = Look::new(server.port, "audit", "scripted-9e").run();
    (seen, begin.elapsed(), server)
}

#[test]
fn a_server_that_hangs_at_the_login_is_left_in_time() {
    let (seen, took, _) = look_at(Script::Hang);
    assert_outside(&seen, Reason::TimedOut);
    assert!(took < Duration::from_secs(25), "{took:?}");
    assert!(read::<Transport>(&seen, "db.transport").plaintext_login.known().is_none());
}

#[test]
fn a_server_that_hangs_in_a_query_is_left_in_time() {
    let (seen, took, _) = look_at(Script::HangInQuery);
    assert!(took < Duration::from_secs(25), "{took:?}");
    assert_eq!(of(&seen, "db.audit").trouble.as_ref().unwrap().reason, Reason::TimedOut);
    let auth: Auth = read(&seen, "db.auth");
    assert!(auth.superusers.known().is_none() && auth.fast_hashes.known().is_none() && auth.methods.known().is_none());
    let rest: AtRest = read(&seen, "db.at_rest");
    assert!(rest.layers.iter().all(|layer| layer.encrypted.known().is_none()));
}

#[test]
fn a_server_that_dies_in_a_query_leaves_nothing_known() {
    let (seen, took, _) = look_at(Script::BreakInQuery);
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(of(&seen, "db.audit").status, ObservationStatus::Failed);
    let auth: Auth = read(&seen, "db.auth");
    assert!(auth.superusers.known().is_none() && auth.public_grants.known().is_none());
    assert!(auth.public_create.known().is_none() && auth.password_encryption.known().is_none());
}

#[test]
fn a_challenge_of_endless_rounds_is_not_taken() {
    let (seen, took, _) = look_at(Script::Costly);
    assert_outside(&seen, Reason::TooLarge);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn noise_is_no_answer() {
    let (seen, _, _) = look_at(Script::Noise);
    for observation in &seen {
        assert_eq!(observation.status, ObservationStatus::Failed);
        assert_eq!(observation.trouble.as_ref().unwrap().reason, Reason::ProtocolViolation);
    }
}

#[test]
fn a_far_server_without_tls_gets_no_password() {
    let server = Scripted::start(Script::AskClear);
    let mut look = Look::new(server.port, "audit", "scripted-9e");
    look.address = "192.0.2.7".parse().unwrap();
    let seen = look.run();
    assert_outside(&seen, Reason::Unsupported);
    assert_eq!(read::<Transport>(&seen, "db.transport").plaintext_login, text("accepted"));
    std::thread::sleep(Duration::from_millis(200));
    // The farewell of the trial is all that came after the start of a session.
    assert_eq!(*server.heard.lock().unwrap(), [b'X', 0, 0, 0, 4]);
}

/// A server that takes TLS with a certificate of nobody's, and keeps what comes inside.
#[test]
fn an_impostor_hears_nothing_inside_tls() {
    let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private)
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let impostor = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        packet(&mut stream).unwrap();
        stream.write_all(b"S").unwrap();
        let mut tls = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut inside = Vec::new();
        let _ = rustls::Stream::new(&mut tls, &mut stream).read_to_end(&mut inside);
        (tls.is_handshaking(), inside)
    });
    let seen = Look::new(port, "audit", "impostor-3a").run();
    assert_outside(&seen, Reason::HandshakeRejected);
    assert_eq!(impostor.join().unwrap(), (false, Vec::new()), "the handshake ended, and nothing followed");
    assert_eq!(read::<Transport>(&seen, "db.transport").certificate_verified, known(&false));
}

#[test]
fn what_is_not_valid_yet_or_any_more_is_not_trusted() {
    let Some(postgres) = Postgres::start(Posture::Strict) else { return };
    let look = Look::new(postgres.port, "postgres", PASSWORD).trusting(postgres.ca());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let cx = CollectContext {
        clock: Arc::new(FixedClock("4200-01-01T00:00:00Z".parse().unwrap())),
        dial: Arc::new(Loopback),
        random: Arc::new(Zeros),
        progress: Arc::new(Silent),
        secrets: Arc::new(Names),
        cancel: CancellationToken::new(),
        limits: Limits::default(),
        documents: Arc::new(Documents::default()),
        halfway: Arc::default(),
    };
    let address = SocketAddr::new(look.address, postgres.port);
    let job = Job { target: look.target.clone(), addresses: vec![address], earlier: Vec::new() };
    let seen = runtime.block_on(Collects.collect(&job, &cx));
    assert_outside(&seen, Reason::HandshakeRejected);
}

/// Waits until the server's archiver has come so far.
fn archived(postgres: &Postgres, condition: &str) {
    let end = Instant::now() + Duration::from_secs(20);
    while postgres.sql("postgres", &format!("SELECT {condition} FROM pg_stat_archiver")) != "t" {
        assert!(Instant::now() < end, "never {condition}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn copies_are_told_by_the_archive_and_by_what_a_base_backup_leaves() {
    let settings = "archive_mode = on\narchive_command = 'true'\n";
    let Some(postgres) = Postgres::start_with(Posture::Plain, settings) else { return };
    let look = Look::new(postgres.port, "postgres", PASSWORD);
    let backup = || read::<Backup>(&look.run(), "db.backup").means;
    let statuses = || {
        let verdicts = judge(&look, &look.run());
        ["archive of the log", "base backup"].map(|name| verdicts[&format!("db.backup.exists {name}")].0)
    };
    assert!(backup().iter().all(|means| means.age_s.known().is_none()), "nothing was copied yet: {:?}", backup());
    assert_eq!(statuses(), [Status::NotEvaluated, Status::NotEvaluated]);

    postgres.sql("postgres", "CREATE TABLE a (n int); SELECT pg_switch_wal()");
    archived(&postgres, "last_archived_time IS NOT NULL");
    postgres.sql("postgres", "SELECT pg_backup_start('a', true); SELECT 1 FROM pg_backup_stop(false)");
    assert!(
        backup().iter().all(|means| means.age_s.known().is_some_and(|age| (-5..60).contains(age))),
        "{:?}",
        backup()
    );
    assert_eq!(statuses(), [Status::Pass, Status::Pass]);

    // A try that fails after the last success is told.
    postgres.sql("postgres", "ALTER SYSTEM SET archive_command = 'false'");
    postgres.sql("postgres", "SELECT pg_reload_conf()");
    std::thread::sleep(Duration::from_millis(1100));
    postgres.sql("postgres", "INSERT INTO a VALUES (1); SELECT pg_switch_wal()");
    archived(&postgres, "last_failed_time > last_archived_time");
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(backup()[0].last_failed, known(&true), "{:?}", backup());
    assert_eq!(statuses()[0], Status::Fail);

    // Who may not look into the folder of the log learns nothing of base backups, and what would show them.
    postgres.sql("postgres", "CREATE ROLE audit LOGIN PASSWORD 'plain-role-2c'");
    let audit = Look::new(postgres.port, "audit", "plain-role-2c");
    let seen = audit.run();
    let means = read::<Backup>(&seen, "db.backup").means;
    assert!(means[1].seen.contains("GRANT EXECUTE ON FUNCTION pg_ls_waldir()"), "{means:?}");
    assert_eq!(judge(&audit, &seen)["db.backup.exists base backup"].0, Status::NotEvaluated);
}

#[test]
fn a_server_without_an_archive_has_no_copy_that_it_knows_of() {
    let Some(postgres) = Postgres::start(Posture::Plain) else { return };
    let look = Look::new(postgres.port, "postgres", PASSWORD);
    postgres.sql("postgres", "SELECT pg_backup_start('a', true); SELECT 1 FROM pg_backup_stop(false)");
    let seen = look.run();
    let means = read::<Backup>(&seen, "db.backup").means;
    assert!(means[0].seen.contains("archive_mode is off"), "{means:?}");
    let verdicts = judge(&look, &seen);
    for name in ["archive of the log", "base backup"] {
        assert_eq!(verdicts[&format!("db.backup.exists {name}")].0, Status::NotEvaluated, "{name}");
    }
}
