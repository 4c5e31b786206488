//! ClickHouse: the real server of Debian, which is of 2018, and a scripted one that answers as today's do.

use super::postgres::certificates;
use super::{Scratch, Server, free_port, program};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The audit account's password.
pub const PASSWORD: &str = "sesame-93a0-clickhouse";

/// A real server, with `auditor` beside an account `default` that needs no password.
pub struct Clickhouse {
    _server: Server,
    scratch: Scratch,
    /// The port of HTTPS.
    pub secure: u16,
    /// The port of HTTP.
    pub plain: u16,
}

impl Clickhouse {
    /// Starts a server, or says that ClickHouse is not installed.
    pub fn start() -> Option<Clickhouse> {
        let daemon = program("clickhouse-server")?;
        let scratch = Scratch::new("clickhouse");
        certificates(&scratch);
        let folder = scratch.path().display();
        let (secure, plain, native) = (free_port(), free_port(), free_port());
        let config = format!(
            "<yandex><logger><level>warning</level><log>{folder}/log</log><errorlog>{folder}/errors</errorlog></logger>\
             <http_port>{plain}</http_port><https_port>{secure}</https_port><tcp_port>{native}</tcp_port>\
             <listen_host>127.0.0.1</listen_host><openSSL><server><certificateFile>{folder}/server.pem</certificateFile>\
             <privateKeyFile>{folder}/server.key</privateKeyFile><verificationMode>none</verificationMode>\
             <disableProtocols>sslv2,sslv3,tlsv1,tlsv1_1</disableProtocols></server></openSSL>\
             <path>{folder}/data/</path><tmp_path>{folder}/tmp/</tmp_path><users_config>users.xml</users_config>\
             <default_profile>default</default_profile><default_database>default</default_database>\
             <mark_cache_size>5368709</mark_cache_size></yandex>"
        );
        let hash: String = Sha256::digest(PASSWORD).iter().map(|byte| format!("{byte:02x}")).collect();
        let user = |name: &str, password: &str, profile: &str| {
            format!(
                "<{name}>{password}<networks><ip>::/0</ip></networks><profile>{profile}</profile><quota>default</quota></{name}>"
            )
        };
        let users = format!(
            "<yandex><profiles><default></default><only_read><readonly>1</readonly></only_read></profiles>\
             <quotas><default></default></quotas><users>{}{}</users></yandex>",
            user("default", "<password></password>", "default"),
            user("auditor", &format!("<password_sha256_hex>{hash}</password_sha256_hex>"), "only_read"),
        );
        scratch.write("users.xml", users);
        let config = scratch.write("config.xml", config);
        let mut command = Command::new(daemon);
        command.arg(format!("--config-file={}", config.display())).current_dir(scratch.path());
        let server = Server::start(command.stdout(Stdio::null()), secure);
        Some(Clickhouse { _server: server, scratch, secure, plain })
    }

    /// The authority of the server's certificate.
    pub fn ca(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }
}

/// What is answered to a query.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These rows; `-` is null.
    Rows(Vec<Vec<&'static str>>),
    /// An exception of this number.
    Exception(u32),
    /// This status, and this body.
    Raw(u16, String),
    /// Nothing, with the connection held open.
    Silence,
    /// A body without an end.
    Endless,
    /// Nothing, and the end of the connection.
    End,
}

/// Which query is answered how, by words that stand in it: the longest that do.
pub type Script = BTreeMap<&'static str, Answer>;

/// A scripted server that speaks TLS, and in clear where it is said.
pub struct Scripted {
    /// Its port on loopback.
    pub port: u16,
    scratch: Scratch,
}

struct Setting {
    tls: Arc<rustls::ServerConfig>,
    clear: bool,
    script: Script,
}

impl Scripted {
    /// Starts a server that follows this script.
    pub fn start(clear: bool, script: Script) -> Scripted {
        let scratch = Scratch::new("clickhouse-scripted");
        certificates(&scratch);
        let file = |name: &str| scratch.path().join(name);
        let certificate = CertificateDer::from_pem_file(file("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let setting = Arc::new(Setting { tls: Arc::new(tls), clear, script });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let setting = Arc::clone(&setting);
                std::thread::spawn(move || accept(stream, &setting));
            }
        });
        Scripted { port, scratch }
    }

    /// The authority of its certificate.
    pub fn ca(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }
}

fn accept(stream: TcpStream, setting: &Setting) -> io::Result<()> {
    let mut first = [0];
    stream.peek(&mut first)?;
    match first[0] == 0x16 {
        true => {
            let connection = rustls::ServerConnection::new(Arc::clone(&setting.tls)).unwrap();
            serve(rustls::StreamOwned::new(connection, stream), setting)
        }
        false if setting.clear => serve(stream, setting),
        // What a server says that takes TLS alone: an alert.
        false => (&stream).write_all(b"\x15\x03\x01\0\x02\x02\x46"),
    }
}

fn serve(stream: impl Read + Write, setting: &Setting) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut query, mut password, mut user) = (String::new(), String::new(), String::new());
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            if let Some(rest) = line.strip_prefix("GET /?query=") {
                let path = rest.strip_suffix(" HTTP/1.1").unwrap();
                query = url::form_urlencoded::parse(format!("q={path}").as_bytes()).next().unwrap().1.into_owned();
            }
            let field =
                |name: &str| line.to_ascii_lowercase().starts_with(name).then(|| line[name.len()..].trim().to_owned());
            password = field("x-clickhouse-key:").unwrap_or(password);
            user = field("x-clickhouse-user:").unwrap_or(user);
            if line.is_empty() {
                break;
            }
        }
        assert!(!query.is_empty(), "something other than a query");
        let found =
            setting.script.iter().filter(|(words, _)| query.contains(**words)).max_by_key(|(words, _)| words.len());
        let answer = match found {
            _ if user.is_empty() && setting.script.contains_key("anonymous") => setting.script["anonymous"].clone(),
            _ if !user.is_empty() && (user != "auditor" || password != PASSWORD) => Answer::Exception(516),
            _ if query.starts_with("SELECT toString(1)") => Answer::Rows(vec![vec!["1"]]),
            Some((_, answer)) => answer.clone(),
            None => Answer::Exception(60),
        };
        let (status, code, body) = match answer {
            Answer::Rows(rows) => (200, None, json(&rows)),
            Answer::Exception(code) => {
                (500, Some(code), format!("Code: {code}. DB::Exception: for alice@shop.example"))
            }
            Answer::Raw(status, body) => (status, None, body),
            Answer::Silence => {
                let _ = stream.read(&mut [0]);
                return Ok(());
            }
            Answer::End => return Ok(()),
            Answer::Endless => {
                stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
                loop {
                    stream.get_mut().write_all(&[b"1000\r\n".as_slice(), &[b' '; 4096], b"\r\n"].concat())?;
                }
            }
        };
        let code = code.map(|code| format!("X-ClickHouse-Exception-Code: {code}\r\n")).unwrap_or_default();
        let head = format!("HTTP/1.1 {status} X\r\n{code}content-length: {}\r\n\r\n", body.len());
        stream.get_mut().write_all(format!("{head}{body}").as_bytes())?;
        stream.get_mut().flush()?;
    }
}

fn json(rows: &[Vec<&str>]) -> String {
    let cell = |cell: &&str| if *cell == "-" { serde_json::Value::Null } else { (*cell).into() };
    let rows: Vec<Vec<serde_json::Value>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    serde_json::json!({ "meta": [], "data": rows, "rows": rows.len() }).to_string()
}
