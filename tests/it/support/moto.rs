//! moto, an emulator of Amazon's interfaces: it shows their shapes, and not how Amazon's own services behave.

use super::{Scratch, Server, free_port, skip};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

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
        Some(Moto { _server: Server::start(&mut command, port), _scratch: scratch, port })
    }

    /// Its address.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends a request to the store, and gives the status.
    pub fn send(&self, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let authorization =
            "AWS4-HMAC-SHA256 Credential=setup/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=0";
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
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        assert!((200..300).contains(&status), "{method} {path}: {text}");
        status
    }
}
