//! The TLS collector against real servers.

use crate::support::proxy::Proxy;
use crate::support::{Scratch, Server, free_port, program};
use probity::collect::{CollectContext, Collector, Documents, Job, Limits, Secret, Secrets, Silent, tls::Tls};
use probity::model::tls::{Certificates, Dh, Features, Groups, Protocols, Suites};
use probity::model::{Fact, Observation, ObservationStatus, Reason, SecretRef, SystemClock, Target, TargetKind};
use probity::net::{SystemRandom, TcpDial};
use probity::wire::record::{self, Event, HANDSHAKE, RecordReader};
use probity::wire::{ClientHello, ServerHello, certificate};
use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

struct NoSecrets;

impl Secrets for NoSecrets {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Err("none".into())
    }
}

fn context() -> CollectContext {
    CollectContext {
        clock: Arc::new(SystemClock),
        dial: Arc::new(TcpDial),
        random: Arc::new(SystemRandom),
        progress: Arc::new(Silent),
        secrets: Arc::new(NoSecrets),
        cancel: Default::default(),
        limits: Limits::default(),
        documents: Arc::new(Documents::default()),
    }
}

/// The observations of one look.
struct Seen {
    observations: Vec<Observation>,
    time: Duration,
}

impl Seen {
    fn of(&self, kind: &str) -> &Observation {
        let mut found = self.observations.iter().filter(|observation| observation.kind == kind);
        let observation = found.next().unwrap_or_else(|| panic!("no {kind}"));
        assert!(found.next().is_none(), "two of {kind}");
        observation
    }

    fn read<T: serde::de::DeserializeOwned>(&self, kind: &str) -> T {
        let observation = self.of(kind);
        assert_eq!(
            observation.status,
            ObservationStatus::Complete,
            "{kind}: {:?} {:?}",
            observation.trouble,
            observation.transcript
        );
        observation.read().unwrap()
    }

    fn protocols(&self) -> Vec<String> {
        self.read::<Protocols>("tls.protocols").offered.into_iter().map(|offered| offered.name).collect()
    }

    fn suites(&self, protocol: &str) -> BTreeSet<String> {
        let suites: Suites = self.read("tls.suites");
        suites.suites.into_iter().filter(|suite| suite.protocol == protocol).map(|suite| suite.openssl_name).collect()
    }

    /// All kinds failed, for the same reason.
    fn trouble(&self) -> (Reason, String) {
        assert_eq!(self.observations.len(), Tls.yields().len());
        for observation in &self.observations {
            assert_eq!(observation.status, ObservationStatus::Failed, "{observation:?}");
            assert!(observation.data.is_empty());
        }
        let trouble = self.observations[0].trouble.clone().unwrap();
        (trouble.reason, trouble.detail)
    }
}

fn look_with(target: Target, address: SocketAddr, cx: &CollectContext) -> Seen {
    let job = Job { target, addresses: vec![address], earlier: Vec::new() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let begin = Instant::now();
    let observations = runtime.block_on(Tls.collect(&job, cx));
    let seen = Seen { observations, time: begin.elapsed() };
    for observation in &seen.observations {
        assert_eq!(observation.part, address.to_string());
        assert_eq!(observation.id, observation.content_id());
    }
    seen
}

fn target(address: SocketAddr) -> Target {
    let mut target = Target::new("shop", TargetKind::Endpoint, address.to_string());
    target.connection.host = "shop.example".into();
    target.connection.port = address.port();
    target
}

fn look(address: SocketAddr) -> Seen {
    look_with(target(address), address, &context())
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn openssl(arguments: &[&str]) -> bool {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    true
}

/// A key and a self-signed certificate for shop.example.
fn pair(scratch: &Scratch, kind: &str) -> (PathBuf, PathBuf) {
    let key = scratch.path().join(format!("{kind}.key"));
    let pem = scratch.path().join(format!("{kind}.pem"));
    let generate: &[&str] = match kind {
        "rsa" => &["-newkey", "rsa:2048"],
        "ecdsa" => &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
        other => panic!("{other}"),
    };
    let mut arguments = vec!["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=shop.example"];
    arguments.extend(["-addext", "subjectAltName=DNS:shop.example"]);
    arguments.extend(generate);
    arguments.extend(["-keyout", key.to_str().unwrap(), "-out", pem.to_str().unwrap()]);
    openssl(&arguments);
    (key, pem)
}

/// An nginx with these lines in its server block.
fn nginx(scratch: &Scratch, lines: &str) -> Option<(Server, u16)> {
    let nginx = program("nginx")?;
    let (key, pem) = pair(scratch, "rsa");
    let port = free_port();
    let folder = scratch.path().display();
    let configuration = format!(
        "daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
         events {{}}
         http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
           fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
           server {{ listen 127.0.0.1:{port} ssl http2; server_name shop.example;
             ssl_certificate {}; ssl_certificate_key {}; {lines} }} }}",
        pem.display(),
        key.display()
    );
    let file = scratch.write("nginx.conf", configuration);
    let mut command = Command::new(nginx);
    command.arg("-c").arg(file).arg("-p").arg(scratch.path()).arg("-e").arg(scratch.path().join("error.log"));
    Some((Server::start(&mut command, port), port))
}

const MODERN: &str = "ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305;";

#[test]
fn a_modern_nginx_is_seen_as_it_is_configured() {
    let scratch = Scratch::new("tls-modern");
    let Some((_server, port)) = nginx(&scratch, MODERN) else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = look(proxy.address());
    assert_eq!(seen.protocols(), ["TLSv1.2", "TLSv1.3"]);
    let expected = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305"];
    assert_eq!(seen.suites("TLSv1.2"), expected.map(String::from).into());
    let expected = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"];
    assert_eq!(seen.suites("TLSv1.3"), expected.map(String::from).into());
    eprintln!("nginx 3+3: {} hellos, {} connections, {:?}", proxy.hellos(), proxy.connections(), seen.time);
    assert!(proxy.hellos() <= 35, "{} hellos", proxy.hellos());
    let suites: Suites = seen.read("tls.suites");
    for order in &suites.order {
        assert_eq!(order.preference, Fact::Known("server".into()), "{order:?}");
    }
    assert_eq!(suites.order[0].ids, ["0xC02F", "0xC030", "0xCCA8"]);
    assert_eq!(suites.order[0].chacha_priority, Fact::Known("no".into()));
    let certificates: Certificates = seen.read("tls.certificates");
    assert_eq!(certificates.deployments.len(), 1);
    assert_eq!(certificates.deployments[0].protocols, ["TLSv1.2", "TLSv1.3"]);
    assert_eq!(certificates.deployments[0].trust, Fact::Known("self-signed".into()));
    let features: Features = seen.read("tls.features");
    assert_eq!(features.alpn, Fact::Known("h2".into()));
    assert_eq!(features.ocsp_stapling, Fact::Known("no".into()));
}

/// An HAProxy with an RSA and an ECDSA certificate: nine suites of TLS 1.2 and three of TLS 1.3.
fn haproxy(scratch: &Scratch, options: &str) -> Option<(Server, u16)> {
    let haproxy = program("haproxy")?;
    let mut files = Vec::new();
    for kind in ["rsa", "ecdsa"] {
        let (key, pem) = pair(scratch, kind);
        let both = [std::fs::read(pem).unwrap(), std::fs::read(key).unwrap()].concat();
        files.push(scratch.write(&format!("{kind}.both.pem"), both));
    }
    let port = free_port();
    let configuration = format!(
        "global
           ssl-default-bind-options {options} ssl-min-ver TLSv1.2
           tune.ssl.default-dh-param 2048
         defaults
           mode http
           timeout client 5s
           timeout server 5s
           timeout connect 5s
         frontend f
           bind 127.0.0.1:{port} ssl crt {} crt {} ciphers {}
           http-request return status 200\n",
        files[0].display(),
        files[1].display(),
        HAPROXY_SUITES.join(":")
    );
    let file = scratch.write("haproxy.cfg", configuration);
    let mut command = Command::new(haproxy);
    command.arg("-db").arg("-f").arg(file);
    Some((Server::start(&mut command, port), port))
}

const HAPROXY_SUITES: [&str; 9] = [
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "DHE-RSA-AES128-GCM-SHA256",
    "DHE-RSA-AES256-GCM-SHA384",
    "DHE-RSA-CHACHA20-POLY1305",
];

#[test]
fn a_haproxy_with_two_certificates_hides_no_suite() {
    for options in ["prefer-client-ciphers", ""] {
        let scratch = Scratch::new("tls-haproxy");
        let Some((_server, port)) = haproxy(&scratch, options) else { return };
        let proxy = Proxy::start(port, Duration::ZERO);
        let seen = look(proxy.address());
        assert_eq!(seen.suites("TLSv1.2"), HAPROXY_SUITES.map(String::from).into());
        assert_eq!(seen.suites("TLSv1.3").len(), 3);
        let certificates: Certificates = seen.read("tls.certificates");
        let keys: BTreeSet<_> = certificates.deployments.iter().map(|one| one.leaf.key_type.as_str()).collect();
        assert_eq!(keys, ["EC", "RSA"].into());
        for deployment in &certificates.deployments {
            assert_eq!(deployment.protocols, ["TLSv1.2", "TLSv1.3"]);
        }
        let dh: Dh = seen.read("tls.dh");
        assert!(dh.used);
        assert!(dh.parameters.iter().all(|set| set.bits >= 2048), "{dh:?}");
        eprintln!("haproxy 9+3 {options}: {} hellos, {:?}", proxy.hellos(), seen.time);
        let suites: Suites = seen.read("tls.suites");
        let order = suites.order.iter().find(|order| order.protocol == "TLSv1.2").unwrap();
        if options.is_empty() {
            assert_eq!(order.preference, Fact::Known("server".into()));
            let place = |name: &str| {
                let id = &suites.suites.iter().find(|suite| suite.openssl_name == name).unwrap().id;
                order.ids.iter().position(|other| other == id).unwrap()
            };
            // Of each certificate's suites, in the order of the configuration.
            for kind in ["ECDHE-ECDSA", "-RSA-"] {
                let places: Vec<_> =
                    HAPROXY_SUITES.iter().filter(|name| name.contains(kind)).map(|n| place(n)).collect();
                assert!(places.is_sorted(), "{places:?}");
            }
        } else {
            assert_eq!(order.preference, Fact::Known("client".into()));
            assert!(proxy.hellos() <= 35, "{} hellos", proxy.hellos());
        }
    }
}

#[test]
fn a_long_way_is_gone_few_times() {
    for server in ["nginx", "haproxy"] {
        let scratch = Scratch::new("tls-far");
        let started = match server {
            "nginx" => nginx(&scratch, MODERN),
            _ => haproxy(&scratch, "prefer-client-ciphers"),
        };
        let Some((_server, port)) = started else { return };
        let proxy = Proxy::start(port, Duration::from_millis(100));
        let seen = look(proxy.address());
        eprintln!("{server} at 100 ms: {} hellos, {:?}, at most {} open", proxy.hellos(), seen.time, proxy.most_open());
        if std::env::var_os("SHOW").is_some() {
            for exchange in &seen.of("tls.protocols").transcript {
                eprintln!("{} => {}", exchange.sent, exchange.received);
            }
        }
    }
}

/// The suites that a cipher string of OpenSSL stands for, by name.
fn openssl_suites(string: &str, version: &str) -> BTreeSet<String> {
    let output = Command::new("openssl").args(["ciphers", "-s", version, string]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().split(':').filter(|name| !name.starts_with("TLS_")).map(str::to_owned).collect()
}

/// Whether `openssl s_client` connects with this version and suite: the ground truth, suite by suite.
fn client_connects(port: u16, version: &str, suite: &str) -> bool {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &format!("127.0.0.1:{port}"), version, "-cipher"]);
    command.arg(format!("{suite}:@SECLEVEL=0")).stdin(std::process::Stdio::null());
    let output = command.output().unwrap();
    String::from_utf8_lossy(&output.stdout).contains(&format!("Cipher    : {suite}"))
}

#[test]
fn a_weak_nginx_is_seen_suite_by_suite() {
    let scratch = Scratch::new("tls-weak");
    if program("openssl").is_none() {
        return;
    }
    let dh = scratch.path().join("dh.pem");
    openssl(&["dhparam", "-out", dh.to_str().unwrap(), "-dsaparam", "1024"]);
    let weak = "ALL:COMPLEMENTOFALL:eNULL:aNULL:@SECLEVEL=0";
    let lines = format!("ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers {weak}; ssl_dhparam {};", dh.display());
    let Some((_server, port)) = nginx(&scratch, &lines) else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = look(proxy.address());
    eprintln!("nginx weak: {} hellos, {:?}", proxy.hellos(), seen.time);
    assert_eq!(seen.protocols(), ["TLSv1.0", "TLSv1.1", "TLSv1.2"]);
    let candidates = openssl_suites(weak, "-tls1_2");
    for (protocol, flag) in [("TLSv1.0", "-tls1"), ("TLSv1.2", "-tls1_2")] {
        let found = seen.suites(protocol);
        // What needs another certificate or a shared key is not asked of the other client: it takes long, and fails.
        let certified = candidates.iter().filter(|name| !name.contains("PSK") && !name.contains("ECDSA"));
        let truth: BTreeSet<String> = certified.filter(|name| client_connects(port, flag, name)).cloned().collect();
        assert!(truth.len() >= 20, "{truth:?}");
        assert_eq!(found, truth, "{protocol}");
    }
    let dh: Dh = seen.read("tls.dh");
    assert!(dh.used);
    assert_eq!(dh.parameters[0].bits, 1024);
    let features: Features = seen.read("tls.features");
    assert_eq!(features.encrypt_then_mac, Fact::Known("yes".into()));
    assert_eq!(features.compression, Fact::Known("none".into()));
    let suites: Suites = seen.read("tls.suites");
    let anonymous = suites.suites.iter().find(|suite| suite.openssl_name == "ADH-AES128-SHA").unwrap();
    assert_eq!((anonymous.class.as_str(), &anonymous.strength), ("anon", &Fact::Known(1024)));
    let rsa = suites.suites.iter().find(|suite| suite.openssl_name == "AES128-SHA").unwrap();
    assert_eq!((rsa.block_bits, &rsa.strength), (128, &Fact::Known(2048)));
    let far = Proxy::start(port, Duration::from_millis(100));
    let seen = look(far.address());
    eprintln!("nginx weak at 100 ms: {} hellos, {:?}", far.hellos(), seen.time);
    assert_eq!(seen.suites("TLSv1.2").len(), suites.suites.iter().filter(|suite| suite.protocol == "TLSv1.2").count());
}

/// An `openssl s_server` with these arguments.
fn s_server(scratch: &Scratch, kind: &str, arguments: &[&str]) -> Option<(Server, u16)> {
    let openssl = program("openssl")?;
    let (key, pem) = pair(scratch, kind);
    let port = free_port();
    let mut command = Command::new(openssl);
    command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-key"]);
    command.arg(key).arg("-cert").arg(pem).args(arguments);
    Some((Server::start(&mut command, port), port))
}

#[test]
fn the_reference_answers_of_a_current_stack() {
    let scratch = Scratch::new("tls-reference");
    let Some((_server, port)) = s_server(&scratch, "rsa", &[]) else { return };
    let seen = look(loopback(port));
    assert_eq!(seen.protocols(), ["TLSv1.2", "TLSv1.3"]);
    let groups: Groups = seen.read("tls.groups");
    let ids: Vec<_> = groups.groups.iter().map(|group| group.id.as_str()).collect();
    assert_eq!(ids[..7], ["0x001D", "0x0017", "0x001E", "0x0019", "0x0018", "0x0100", "0x0101"]);
    assert_eq!(groups.order, Fact::Known("server".into()));
    let suites: Suites = seen.read("tls.suites");
    let order = suites.order.iter().find(|order| order.protocol == "TLSv1.3").unwrap();
    assert_eq!(order.ids, ["0x1301", "0x1302", "0x1303"]);
    assert_eq!(order.preference, Fact::Known("client".into()));
    let protocols: Protocols = seen.read("tls.protocols");
    assert_eq!(protocols.downgrade_sentinel, Fact::Known("yes".into()));
    assert_eq!(protocols.fallback_scsv, Fact::Known("yes".into()));
    let proof = |name: &str| protocols.proofs.iter().find(|proof| proof.name == name).unwrap();
    assert_eq!(proof("SSLv2").seen, "alert protocol_version");
    assert!(proof("SSLv3").seen.starts_with("alert handshake_failure"));
    // At its security level this stack answers old hellos with alert 80, which is not definite: twice, and the control
    // probe after it, make it a refusal that is inferred.
    for (name, confidence) in [("SSLv2", "proven"), ("SSLv3", "proven"), ("TLSv1.0", "inferred"), ("TLSv1.3", "proven")]
    {
        assert_eq!(proof(name).confidence, confidence, "{name}");
    }
    let features: Features = seen.read("tls.features");
    assert_eq!(features.secure_renegotiation, Fact::Known("yes".into()));
    assert_eq!(features.extended_master_secret, Fact::Known("yes".into()));
    assert_eq!(features.session_tickets, Fact::Known("yes".into()));
    assert_eq!(features.heartbeat, Fact::Known("no".into()));
    assert_eq!(features.client_certificate, Fact::Known(false));
}

#[test]
fn sixty_one_suites_of_a_server_that_allows_all() {
    let scratch = Scratch::new("tls-all");
    let all = ["-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0", "-tls1_2"];
    let Some((_server, port)) = s_server(&scratch, "rsa", &all) else { return };
    let proxy = Proxy::start(port, Duration::ZERO);
    let seen = look(proxy.address());
    eprintln!("s_server ALL: {} hellos, {:?}", proxy.hellos(), seen.time);
    assert_eq!(seen.suites("TLSv1.2").len(), 61, "{:?}", seen.suites("TLSv1.2"));
    let protocols: Protocols = seen.read("tls.protocols");
    assert_eq!(protocols.fallback_scsv, Fact::Known("not-applicable".into()));
    assert_eq!(protocols.downgrade_sentinel, Fact::Known("not-applicable".into()));
}

#[test]
fn single_switches_show_in_single_facts() {
    let scratch = Scratch::new("tls-switches");
    let Some((old, port)) = s_server(&scratch, "rsa", &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]) else { return };
    let seen = look(loopback(port));
    assert_eq!(seen.protocols(), ["TLSv1.1"]);
    drop(old);
    let (asking, port) = s_server(&scratch, "ecdsa", &["-no_ticket", "-verify", "1", "-named_curve", "P-256"]).unwrap();
    let seen = look(loopback(port));
    let features: Features = seen.read("tls.features");
    assert_eq!(features.session_tickets, Fact::Known("no".into()));
    assert_eq!(features.client_certificate, Fact::Known(true));
    let certificates: Certificates = seen.read("tls.certificates");
    assert_eq!(certificates.deployments.len(), 1);
    assert_eq!(certificates.deployments[0].leaf.key_type, "EC");
    let suites: Suites = seen.read("tls.suites");
    assert!(suites.suites.iter().all(|suite| suite.strength == Fact::Known(3072)), "{:?}", suites.suites);
    drop(asking);
    let (preferring, port) = s_server(&scratch, "rsa", &["-serverpref", "-tls1_3", "-groups", "P-384:X25519"]).unwrap();
    let seen = look(loopback(port));
    assert_eq!(seen.protocols(), ["TLSv1.3"]);
    let groups: Groups = seen.read("tls.groups");
    assert_eq!(groups.groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>(), ["secp384r1", "x25519"]);
    let features: Features = seen.read("tls.features");
    assert!(!features.legacy_handshake);
    assert_eq!(features.secure_renegotiation, Fact::Known("not-applicable".into()));
    drop(preferring);
}

#[test]
fn a_postgresql_is_asked_for_tls_before_the_hello() {
    let scratch = Scratch::new("tls-postgresql");
    let (Some(initdb), Some(postgres)) = (program("initdb"), program("postgres")) else { return };
    let data = scratch.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let (key, pem) = pair(&scratch, "rsa");
    // The server refuses to run as root, and wants its key and data for itself.
    let user = |program: &PathBuf| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups"]).arg(program);
        command
    };
    for path in [scratch.path(), &data, &key, &pem] {
        assert!(Command::new("chown").arg("postgres:postgres").arg(path).status().unwrap().success());
    }
    assert!(Command::new("chmod").arg("600").arg(&key).status().unwrap().success());
    let output = user(&initdb).arg("-D").arg(&data).args(["--no-sync", "-A", "trust"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for ssl in [true, false] {
        let port = free_port();
        let mut command = user(&postgres);
        command.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-k", "", "-F", "-p", &port.to_string()]);
        if ssl {
            for setting in
                ["ssl=on".into(), format!("ssl_key_file={}", key.display()), format!("ssl_cert_file={}", pem.display())]
            {
                command.arg("-c").arg(setting);
            }
        }
        let server = Server::start(&mut command, port);
        let mut database = target(loopback(port));
        database.kind = TargetKind::Database;
        database.engine = Some(probity::model::target::Engine::Postgresql);
        let mut endpoint = target(loopback(port));
        endpoint.connection.starttls = Some("postgresql".into());
        for target in [database, endpoint] {
            // A server that is still starting answers the first requests with an error.
            let seen = (0..20).map(|_| look_with(target.clone(), loopback(port), &context())).find(|seen| {
                let starting =
                    seen.observations[0].trouble.as_ref().is_some_and(|trouble| trouble.reason == Reason::Refused);
                if starting {
                    std::thread::sleep(Duration::from_millis(100));
                }
                !starting
            });
            let seen = seen.unwrap();
            if ssl {
                assert_eq!(seen.protocols(), ["TLSv1.2", "TLSv1.3"]);
                let certificates: Certificates = seen.read("tls.certificates");
                assert_eq!(certificates.deployments.len(), 1);
                assert!(certificates.deployments[0].name_matches);
            } else {
                let (reason, detail) = seen.trouble();
                assert_eq!(reason, Reason::Unsupported);
                assert!(detail.contains("TLS is off"), "{detail}");
            }
        }
        drop(server);
    }
}

/// A server that treats every connection like this.
fn scripted(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// The hello of a client, if it is one of SSLv3 or newer.
fn read_hello(stream: &mut TcpStream) -> Option<ClientHello> {
    let mut reader = RecordReader::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).ok().filter(|count| *count > 0)?;
        reader.push(&buffer[..count]).ok()?;
        if let Some(Event::Message(1, body)) = reader.event().ok()? {
            return ClientHello::parse(&body).ok();
        }
    }
}

/// A ServerHello of TLS 1.2 that chooses the last suite of the hello.
fn server_hello(hello: &ClientHello) -> ServerHello {
    ServerHello {
        version: 0x0303,
        random: [7; 32],
        session_id: Vec::new(),
        suite: *hello.suites.last().unwrap(),
        compression: 0,
        extensions: Vec::new(),
    }
}

fn expect_failed(address: SocketAddr, reason: Reason, words: &str, within: u64) {
    let seen = look(address);
    let (found, detail) = seen.trouble();
    assert_eq!(found, reason, "{detail}");
    assert!(detail.contains(words), "{detail}");
    assert!(seen.time < Duration::from_secs(within), "{:?}", seen.time);
}

#[test]
fn a_server_that_says_nothing_is_silent_and_not_secure() {
    let address = scripted(|mut stream| while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {});
    expect_failed(address, Reason::TimedOut, "no answer in time", 15);
}

#[test]
fn a_server_that_closes_after_each_hello_proves_nothing() {
    let address = scripted(|mut stream| drop(stream.read(&mut [0; 4096])));
    expect_failed(address, Reason::HandshakeRejected, "each of four first hellos", 10);
    let refusing = free_port();
    expect_failed(loopback(refusing), Reason::Refused, "refuses", 10);
}

#[test]
fn plain_http_on_the_port_of_tls_is_named() {
    let address = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    expect_failed(address, Reason::ProtocolViolation, "speaks plain HTTP", 10);
}

#[test]
fn garbage_is_no_tls() {
    let address = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&[0x42; 300]);
    });
    expect_failed(address, Reason::ProtocolViolation, "does not speak TLS", 10);
}

#[test]
fn endless_data_is_cut_off() {
    for block in [
        vec![0u8; 65536],
        record::write(HANDSHAKE, 0x0303, &[0; 4]).repeat(1000),
        record::write(21, 0x0303, &[1, 112]).repeat(1000),
    ] {
        let address = scripted(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            while stream.write_all(&block).is_ok() {}
        });
        let seen = look(address);
        let (reason, detail) = seen.trouble();
        assert!(matches!(reason, Reason::TooLarge | Reason::ProtocolViolation), "{reason:?} {detail}");
        assert!(seen.time < Duration::from_secs(10));
    }
}

#[test]
fn a_certificate_of_16_megabytes_is_not_read() {
    let address = scripted(|mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let _ = stream.write_all(&record::write(HANDSHAKE, 0x0303, &server_hello(&hello).to_message()));
        let _ = stream.write_all(&record::write(HANDSHAKE, 0x0303, &[11, 0xFF, 0xFF, 0xFF]));
        while stream.write_all(&record::write(HANDSHAKE, 0x0303, &[0x30; 16_000])).is_ok() {}
    });
    expect_failed(address, Reason::TooLarge, "handshake message", 10);
}

#[test]
fn records_of_one_byte_come_to_an_end() {
    let address = scripted(|mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let messages = [server_hello(&hello).to_message(), certificate::write_chain(&[vec![0x30; 2000]])].concat();
        for byte in messages {
            if stream.write_all(&record::write(HANDSHAKE, 0x0303, &[byte])).is_err() {
                return;
            }
        }
    });
    expect_failed(address, Reason::TooLarge, "number of records", 10);
}

#[test]
fn a_slow_drip_is_bounded() {
    let address = scripted(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        for byte in record::write(HANDSHAKE, 0x0303, &[0; 2000]) {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    expect_failed(address, Reason::TimedOut, "no whole answer in time", 31);
}

#[test]
fn an_answer_to_another_question_is_no_support() {
    let address = scripted(|mut stream| {
        let Some(hello) = read_hello(&mut stream) else { return };
        let lie = ServerHello { suite: 0x4242, ..server_hello(&hello) };
        let _ = stream.write_all(&record::write(HANDSHAKE, 0x0303, &lie.to_message()));
    });
    expect_failed(address, Reason::ProtocolViolation, "0x4242, which was not offered", 10);
}

#[test]
fn a_server_that_dies_leaves_the_rest_unknown() {
    let alive = std::sync::atomic::AtomicI32::new(9);
    let address = scripted(move |mut stream| {
        if alive.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) <= 0 {
            return;
        }
        let Some(hello) = read_hello(&mut stream) else { return };
        let answer = match hello.version {
            0x0303 => {
                let flight =
                    [server_hello(&hello).to_message(), certificate::write_chain(&[vec![0x30, 0]]), vec![14, 0, 0, 0]];
                record::write(HANDSHAKE, 0x0303, &flight.concat())
            }
            _ => record::write(21, 0x0301, &[2, 70]),
        };
        let _ = stream.write_all(&answer);
        let _ = stream.read(&mut [0; 4096]);
    });
    let cx =
        CollectContext { limits: Limits { target_time: Duration::from_secs(8), ..Limits::default() }, ..context() };
    let seen = look_with(target(address), address, &cx);
    assert!(seen.time < Duration::from_secs(12), "{:?}", seen.time);
    let protocols = seen.of("tls.protocols");
    let data: Protocols = protocols.read().unwrap();
    assert!(data.offered.iter().any(|offered| offered.name == "TLSv1.2"), "{data:?}");
    assert!(!data.refused.contains(&"SSLv2".to_owned()), "silence after its death is no refusal: {data:?}");
    let suites = seen.of("tls.suites");
    assert_eq!(suites.status, ObservationStatus::Partial);
    assert!(!suites.read::<Suites>().unwrap().incomplete.is_empty());
}

#[test]
fn a_run_that_is_stopped_ends_at_once_and_says_so() {
    let address = scripted(|mut stream| while matches!(stream.read(&mut [0; 4096]), Ok(1..)) {});
    let cx = context();
    let cancel = cx.cancel.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        cancel.cancel();
    });
    let seen = look_with(target(address), address, &cx);
    assert_eq!(seen.trouble().0, Reason::Interrupted);
    assert!(seen.time < Duration::from_secs(3));
}

#[test]
fn an_upgrade_that_is_not_spoken_is_unsupported() {
    let mut target = target(loopback(free_port()));
    target.connection.starttls = Some("smtp".into());
    let address = loopback(target.connection.port);
    let (reason, detail) = look_with(target, address, &context()).trouble();
    assert_eq!(reason, Reason::Unsupported);
    assert!(detail.contains("smtp"));
}
