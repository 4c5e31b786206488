//! moto, an emulator of Amazon's interfaces: it shows their shapes, and not how Amazon's own services behave.

use super::{Scratch, Server, free_port, skip};
use probity::collect::{Secret, Secrets};
use probity::model::{SecretRef, Target};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The key that requests of tests are signed with.
pub const SECRET: &str = "secret-77f1-signing";

/// Gives that key.
pub struct Keyed;

impl Secrets for Keyed {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Ok(Secret(SECRET.to_owned()))
    }
}

/// The target at this endpoint, asked with signed requests.
pub fn signed(mut target: Target, endpoint: &str) -> Target {
    target.connection.endpoint = Some(endpoint.to_owned());
    target.connection.region = Some("eu-west-1".to_owned());
    target.connection.user = Some("AKIDEXAMPLE".to_owned());
    target.connection.password = SecretRef::parse("env:NONE");
    target
}

/// A running emulator.
pub struct Moto {
    _server: Server,
    _scratch: Scratch,
    /// Its port.
    pub port: u16,
}

impl Moto {
    /// Starts one, or says that it is not installed.
    pub fn start() -> Option<Moto> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/moto/bin/moto_server");
        let program = std::env::var_os("PROBITY_MOTO").map_or(program, PathBuf::from);
        if !program.is_file() {
            skip("moto (see tests/run)");
            return None;
        }
        let scratch = Scratch::new("moto");
        let port = free_port();
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]).current_dir(scratch.path());
        // An account begins empty.
        command.env("MOTO_EC2_LOAD_DEFAULT_AMIS", "false");
        Some(Moto { _server: Server::start(&mut command, port), _scratch: scratch, port })
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends a request to the store.
    pub fn send(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) {
        self.ask("s3", method, path, fields, body);
    }

    /// Asks a service by a form.
    pub fn form(&self, service: &str, body: &str) -> String {
        let fields = [("Content-Type", "application/x-www-form-urlencoded")];
        self.ask(service, "POST", "/", &fields, body)
    }

    /// Asks a service by JSON.
    pub fn json(&self, service: &str, action: &str, body: &str) -> serde_json::Value {
        let fields = [("Content-Type", "application/x-amz-json-1.1"), ("X-Amz-Target", action)];
        let told = self.ask(service, "POST", "/", &fields, body);
        serde_json::from_str(&told).unwrap_or_default()
    }

    /// Sends a request to a service, and gives the body of the answer.
    fn ask(&self, service: &str, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=setup/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: {authorization}\r\nConnection: close\r\n\
             Content-Length: {}\r\n{fields}\r\n{body}",
            self.port,
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        let status: u16 = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        assert!((200..300).contains(&status), "{service} {method} {path} {body}: {text}");
        text.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
    }
}
