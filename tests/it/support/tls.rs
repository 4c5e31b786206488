//! Looks by the TLS collector, and the servers it looks at.

use super::{Scratch, Server, free_port, program};
use probity::collect::{CollectContext, Collector, Documents, Job, Limits, Secret, Secrets, Silent, tls::Tls};
use probity::model::target::{Depth, Profile};
use probity::model::tls::{Protocols, Suites};
use probity::model::{Observation, ObservationStatus, Reason, SecretRef, SystemClock, Target, TargetKind};
use probity::net::{SystemRandom, TcpDial};
use std::collections::BTreeSet;
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

/// Everything is asked.
pub fn full() -> CollectContext {
    CollectContext { limits: Limits::default(), ..context() }
}

/// What the grade needs is asked.
pub fn context() -> CollectContext {
    CollectContext {
        clock: Arc::new(SystemClock),
        dial: Arc::new(TcpDial),
        random: Arc::new(SystemRandom),
        progress: Arc::new(Silent),
        secrets: Arc::new(NoSecrets),
        cancel: Default::default(),
        limits: Limits { depth: Depth { profile: Profile::Quick, ..Depth::default() }, ..Limits::default() },
        documents: Arc::new(Documents::default()),
        halfway: Arc::default(),
    }
}

/// The observations of one look.
pub struct Seen {
    pub observations: Vec<Observation>,
    pub time: Duration,
}

impl Seen {
    pub fn of(&self, kind: &str) -> &Observation {
        let mut found = self.observations.iter().filter(|observation| observation.kind == kind);
        let observation = found.next().unwrap_or_else(|| panic!("no {kind}"));
        assert!(found.next().is_none(), "two of {kind}");
        observation
    }

    pub fn read<T: serde::de::DeserializeOwned>(&self, kind: &str) -> T {
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

    pub fn protocols(&self) -> Vec<String> {
        self.read::<Protocols>("tls.protocols").offered.into_iter().map(|offered| offered.name).collect()
    }

    pub fn suites(&self, protocol: &str) -> BTreeSet<String> {
        let suites: Suites = self.read("tls.suites");
        suites.suites.into_iter().filter(|suite| suite.protocol == protocol).map(|suite| suite.openssl_name).collect()
    }

    /// All kinds failed, for the same reason.
    pub fn trouble(&self) -> (Reason, String) {
        assert_eq!(self.observations.len(), Tls.yields().len());
        for observation in &self.observations {
            assert_eq!(observation.status, ObservationStatus::Failed, "{observation:?}");
            assert!(observation.data.is_empty());
        }
        let trouble = self.observations[0].trouble.clone().unwrap();
        (trouble.reason, trouble.detail)
    }
}

pub fn look_with(target: Target, address: SocketAddr, cx: &CollectContext) -> Seen {
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

pub fn target(address: SocketAddr) -> Target {
    let mut target = Target::new("shop", TargetKind::Endpoint, address.to_string());
    target.connection.host = "shop.example".into();
    target.connection.port = address.port();
    target
}

pub fn look(address: SocketAddr) -> Seen {
    look_with(target(address), address, &context())
}

/// A context for the enumeration alone, without the stages that follow it.
pub fn enumeration() -> CollectContext {
    let depth = Depth { profile: Profile::Quick, intrusive: false };
    CollectContext { limits: Limits { depth, ..Limits::default() }, ..context() }
}

/// The enumeration alone: what is counted is its cost.
pub fn enumerate(address: SocketAddr) -> Seen {
    look_with(target(address), address, &enumeration())
}

pub fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

pub fn openssl(arguments: &[&str]) -> bool {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    true
}

/// A key and a self-signed certificate for shop.example.
pub fn pair(scratch: &Scratch, kind: &str) -> (PathBuf, PathBuf) {
    pair_for(scratch, kind, "shop.example")
}

/// The same for another name.
fn pair_for(scratch: &Scratch, kind: &str, name: &str) -> (PathBuf, PathBuf) {
    let key = scratch.path().join(format!("{kind}.key"));
    let pem = scratch.path().join(format!("{kind}.pem"));
    let generate: &[&str] = match kind {
        "rsa" => &["-newkey", "rsa:2048"],
        "ecdsa" => &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
        "rsa-pss" => &["-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"],
        "ed25519" | "ed448" => &["-newkey", kind],
        other => panic!("{other}"),
    };
    let (subject, names) = (format!("/CN={name}"), format!("subjectAltName=DNS:{name}"));
    let mut arguments = vec!["req", "-x509", "-nodes", "-days", "30", "-subj", &subject, "-addext", &names];
    arguments.extend(generate);
    arguments.extend(["-keyout", key.to_str().unwrap(), "-out", pem.to_str().unwrap()]);
    openssl(&arguments);
    (key, pem)
}

/// An nginx with these lines in its server block.
pub fn nginx(scratch: &Scratch, lines: &str) -> Option<(Server, u16)> {
    let nginx = program("nginx")?;
    let (key, pem) = pair(scratch, "rsa");
    let port = free_port();
    let folder = scratch.path().display();
    let configuration = format!(
        "daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
         events {{ worker_connections 8192; }}
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

/// An HAProxy with an RSA and an ECDSA certificate: nine suites of TLS 1.2 and three of TLS 1.3.
pub fn haproxy(scratch: &Scratch, options: &str) -> Option<(Server, u16)> {
    haproxy_for(scratch, options, "shop.example")
}

/// The same with certificates for another name.
pub fn haproxy_for(scratch: &Scratch, options: &str, name: &str) -> Option<(Server, u16)> {
    let haproxy = program("haproxy")?;
    let mut files = Vec::new();
    for kind in ["rsa", "ecdsa"] {
        let (key, pem) = pair_for(scratch, kind, name);
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

/// Its suites of TLS 1.2.
pub const HAPROXY_SUITES: [&str; 9] = [
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

/// An `openssl s_server` with these arguments.
pub fn s_server(scratch: &Scratch, kind: &str, arguments: &[&str]) -> Option<(Server, u16)> {
    let openssl = program("openssl")?;
    let (key, pem) = pair(scratch, kind);
    let port = free_port();
    let mut command = Command::new(openssl);
    command.args(["s_server", "-quiet", "-accept", &format!("127.0.0.1:{port}"), "-key"]);
    command.arg(key).arg("-cert").arg(pem).args(arguments);
    Some((Server::start(&mut command, port), port))
}

/// A server that treats every connection like this.
pub fn scripted(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
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
