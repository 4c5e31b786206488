//! The servers that are looked at, each in a posture of its own.

use crate::support::lab::{self, EVERY_CIPHER, OAKLEY_1024, Options};
use crate::support::postgres::{Postgres, Posture};
use crate::support::services::{self, Services};
use crate::support::tls::{self, openssl};
use crate::support::{Scratch, Server, free_port, program, skip};
use std::any::Any;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A server of the lab: its name, and how it is started.
pub struct Entry {
    /// Its name in the tables and in what is written down.
    pub name: &'static str,
    /// Starts it, or says that it is not to be had.
    pub start: fn(&Scratch) -> Option<Running>,
}

/// Servers that testssl.sh does not look at where CI is set, and why: it is by far the slowest.
pub const TOO_LONG: [(&str, &str); 3] = [
    ("openssl-1.0.0m", "it would say of it what it says of openssl-1.0.0f"),
    ("openssl-1.0.1e-mended", "it would say of it what it says of openssl-1.0.1e"),
    ("openssl-1.1.1k", "its 35 suites with three versions take it the longest of all, and it is right about them"),
];

/// A server that runs.
pub struct Running {
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// The name that it is asked by.
    pub host: &'static str,
    /// The word of the protocol in which TLS is asked for; none where TLS comes first.
    pub word: Option<&'static str>,
    /// The authority that is given along, where it has one.
    pub anchor: Option<PathBuf>,
    /// The kinds of key of its certificates, as it is configured.
    pub keys: &'static str,
    /// An early ChangeCipherSpec is accepted, by the version of its library (see `truth::SOURCES`).
    pub early_ccs: bool,
    _process: Box<dyn Any + Send>,
}

impl Running {
    fn https(port: u16, keys: &'static str, process: impl Any + Send) -> Running {
        let process = Box::new(process);
        Running { port, host: "localhost", word: None, anchor: None, keys, early_ccs: false, _process: process }
    }

    fn service(services: Services) -> Running {
        let (word, port) = services.ports[0];
        Running { word: Some(word), ..Running::https(port, "RSA 2048", services) }
    }

    fn trusted(self, anchor: PathBuf) -> Running {
        Running { anchor: Some(anchor), ..self }
    }
}

/// All of them.
pub const LAB: &[Entry] = &[
    Entry { name: "openssl-1.0.0f", start: openssl_1_0_0f },
    Entry { name: "openssl-1.0.0m", start: openssl_1_0_0m },
    Entry { name: "openssl-1.0.1e", start: openssl_1_0_1e },
    Entry { name: "openssl-1.0.1e-mended", start: openssl_1_0_1e_mended },
    Entry { name: "openssl-1.0.2o", start: openssl_1_0_2o },
    Entry { name: "openssl-1.1.1k", start: openssl_1_1_1k },
    Entry { name: "openssl-3.0-s_server", start: s_server },
    Entry { name: "openssl-3.0-nginx", start: nginx },
    Entry { name: "openssl-3.5", start: openssl_3_5 },
    Entry { name: "jsse", start: jsse },
    Entry { name: "haproxy", start: haproxy },
    Entry { name: "dovecot", start: |scratch| services::dovecot(scratch).map(Running::service) },
    Entry { name: "slapd-gnutls", start: |scratch| services::slapd(scratch).map(Running::service) },
    Entry { name: "postgresql", start: postgresql },
    Entry { name: "mariadb", start: |scratch| services::mariadb(scratch, &[]).map(Running::service) },
];

/// An old server, by its version of Node.js.
fn old(scratch: &Scratch, version: &str, keys: &'static str, options: &Options) -> Option<Running> {
    lab::node(scratch, version, options).map(|(server, port)| Running::https(port, keys, server))
}

fn openssl_1_0_0f(scratch: &Scratch) -> Option<Running> {
    let options = Options { ciphers: EVERY_CIPHER, key: "rsa:512", ..Options::default() };
    let running = old(scratch, lab::OPENSSL_1_0_0F, "RSA 512", &options)?;
    Some(Running { early_ccs: true, ..running })
}

fn openssl_1_0_0m(scratch: &Scratch) -> Option<Running> {
    let options = Options { ciphers: "AES128-SHA:AES256-SHA:DES-CBC3-SHA", ..Options::default() };
    old(scratch, lab::OPENSSL_1_0_0M, "RSA 2048", &options)
}

fn openssl_1_0_1e(scratch: &Scratch) -> Option<Running> {
    let options = Options { ciphers: EVERY_CIPHER, ..Options::default() };
    let running = old(scratch, lab::OPENSSL_1_0_1E, "RSA 2048", &options)?;
    Some(Running { early_ccs: true, ..running })
}

fn openssl_1_0_1e_mended(scratch: &Scratch) -> Option<Running> {
    let running = old(scratch, lab::OPENSSL_1_0_1E_MENDED, "RSA 2048", &Options::default())?;
    Some(Running { early_ccs: true, ..running })
}

fn openssl_1_0_2o(scratch: &Scratch) -> Option<Running> {
    let ciphers = "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256:ADH-AES128-SHA:AECDH-AES128-SHA:\
                   ECDHE-RSA-RC4-SHA:RC4-SHA:DES-CBC3-SHA:NULL-SHA";
    let options = Options { ciphers, prime: Some(OAKLEY_1024), ..Options::default() };
    old(scratch, lab::OPENSSL_1_0_2O, "RSA 2048", &options)
}

fn openssl_1_1_1k(scratch: &Scratch) -> Option<Running> {
    let ciphers = "ALL:COMPLEMENTOFALL:@SECLEVEL=0";
    let options = Options { ciphers, versions: Some(("TLSv1", "TLSv1.2")), ..Options::default() };
    old(scratch, lab::OPENSSL_1_1_1K, "RSA 2048", &options)
}

/// It takes one connection at a time.
fn s_server(scratch: &Scratch) -> Option<Running> {
    let arguments = ["-www", "-tls1_2", "-no_ticket", "-cipher", "ECDHE+AESGCM"];
    let (server, port) = tls::s_server(scratch, "ecdsa", &arguments)?;
    Some(Running::https(port, "EC 256", server))
}

fn nginx(scratch: &Scratch) -> Option<Running> {
    let nginx = program("nginx")?;
    let made = Issued::new(scratch, &["-newkey", "rsa:2048"]);
    let port = free_port();
    let folder = scratch.path().display();
    let configuration = format!(
        "daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
         events {{}}
         http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
           fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
           server {{ listen 127.0.0.1:{port} ssl; server_name localhost;
             ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3;
             ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384; ssl_prefer_server_ciphers on;
             ssl_session_cache shared:peers:1m;
             add_header Strict-Transport-Security \"max-age=31536000\" always; location / {{ return 200 ok; }} }} }}",
        made.pem.display(),
        made.key.display()
    );
    let file = scratch.write("nginx.conf", configuration);
    let mut command = Command::new(nginx);
    command.arg("-c").arg(file).arg("-p").arg(scratch.path()).arg("-e").arg(scratch.path().join("error.log"));
    Some(Running::https(port, "RSA 2048", Server::start(&mut command, port)).trusted(made.authority))
}

/// The post-quantum one, as Node.js starts it without any option.
fn openssl_3_5(scratch: &Scratch) -> Option<Running> {
    let node = node_program(lab::OPENSSL_3_5)?;
    let made = Issued::new(scratch, &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    let port = free_port();
    let script = scratch.write(
        "server.js",
        "const fs = require('fs'), [, , key, cert, port] = process.argv;
         process.on('uncaughtException', () => {});
         require('https').createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, (request, answer) => {
           answer.end('ok');
         }).listen(+port, '127.0.0.1');",
    );
    let mut command = Command::new(node);
    command.arg(script).args([&made.key, &made.pem]).arg(port.to_string());
    Some(Running::https(port, "EC 256", Server::start(&mut command, port)).trusted(made.authority))
}

/// Java with the limits of its time lifted: TLS 1.0 to 1.3, and two export suites whose keys are made for it.
fn jsse(scratch: &Scratch) -> Option<Running> {
    let java = program("java")?;
    let made = Issued::new(scratch, &["-newkey", "rsa:2048"]);
    let store = scratch.path().join("store.p12");
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (key, pem, out) = (path(&made.key), path(&made.pem), path(&store));
    openssl(&["pkcs12", "-export", "-inkey", &key, "-in", &pem, "-out", &out, "-passout", "pass:peers-store"]);
    let port = free_port();
    let mut command = Command::new(java);
    command.arg("-Xmx128m").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/Jsse.java"));
    command.arg(&store).arg(port.to_string());
    Some(Running::https(port, "RSA 2048", Server::start(&mut command, port)).trusted(made.authority))
}

fn haproxy(scratch: &Scratch) -> Option<Running> {
    // Whoever asks by a name that its certificates do not have gets the first of them alone.
    let (server, port) = tls::haproxy_for(scratch, "prefer-client-ciphers", "localhost")?;
    Some(Running::https(port, "EC 256 + RSA 2048", server))
}

fn postgresql(_: &Scratch) -> Option<Running> {
    let postgres = Postgres::start(Posture::Mixed)?;
    let (port, anchor) = (postgres.port, postgres.ca());
    let running = Running::https(port, "EC 256", postgres).trusted(anchor);
    Some(Running { host: "127.0.0.1", word: Some("postgresql"), ..running })
}

/// The program of a version of Node.js, which is also a client of that OpenSSL.
pub fn node_program(version: &str) -> Option<PathBuf> {
    let lab = std::env::var_os("PROBITY_LAB")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lab"), PathBuf::from);
    let program = lab.join(format!("node-{version}"));
    let found = program.is_file().then_some(program);
    if found.is_none() {
        skip(&format!("Node.js {version} (see tests/lab)"));
    }
    found
}

/// An authority of its own, and a certificate of it for localhost.
struct Issued {
    authority: PathBuf,
    key: PathBuf,
    pem: PathBuf,
}

impl Issued {
    fn new(scratch: &Scratch, kind: &[&str]) -> Issued {
        let path = |name: &str| scratch.path().join(name).to_str().unwrap().to_owned();
        let (ca_key, ca, key, asked, pem) = (path("ca.key"), path("ca.pem"), path("key"), path("asked"), path("pem"));
        let mut authority = vec!["req", "-x509", "-nodes", "-days", "90", "-newkey", "rsa:2048"];
        authority.extend(["-subj", "/CN=Authority of the peers", "-keyout", &ca_key, "-out", &ca]);
        openssl(&authority);
        let mut request = vec!["req", "-new", "-nodes", "-subj", "/CN=localhost", "-keyout", &key, "-out", &asked];
        request.extend(kind);
        openssl(&request);
        let extensions = "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n";
        let extensions = path(scratch.write("extensions", extensions).file_name().unwrap().to_str().unwrap());
        let mut issue = vec!["x509", "-req", "-in", &asked, "-CA", &ca, "-CAkey", &ca_key, "-days", "90"];
        issue.extend(["-extfile", &extensions, "-out", &pem]);
        openssl(&issue);
        Issued { authority: ca.into(), key: key.into(), pem: pem.into() }
    }
}
