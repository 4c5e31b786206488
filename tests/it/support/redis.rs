//! A real server of Redis on loopback, in a posture.

use super::postgres::certificates;
use super::{Scratch, Server, free_port, program};
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The audit account's password. No other text of the tests holds it.
pub const PASSWORD: &str = "sesame-4d71-redis";
/// What the audit account may run, as README proposes it.
pub const RIGHTS: &str =
    "-@all +ping +info +config|get +acl|list +client|list +time +select +scan +ttl +object|idletime ~*";

/// How the server is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posture {
    /// As it comes: no TLS, no password, snapshots.
    Plain,
    /// TLS beside a port in clear; one password for all, and a log.
    Mixed,
    /// TLS alone; the first account is off, and every other may do what it must.
    Strict,
}

/// A running server with a folder of its own.
pub struct Redis {
    _server: Server,
    scratch: Scratch,
    /// The port that is looked at: of TLS, where there is one.
    pub port: u16,
    /// The port in clear, where there is one.
    pub plain: u16,
    posture: Posture,
}

impl Redis {
    /// Starts a server, or says that Redis is not installed.
    pub fn start(posture: Posture) -> Option<Redis> {
        let daemon = program("redis-server")?;
        program("redis-cli")?;
        let scratch = Scratch::new("redis");
        certificates(&scratch);
        let folder = scratch.path().display();
        let (port, plain) = (free_port(), free_port());
        let tls = format!(
            "tls-port {port}\ntls-cert-file {folder}/server.pem\ntls-key-file {folder}/server.key\n\
             tls-ca-cert-file {folder}/ca.pem\ntls-auth-clients no\n"
        );
        let own = match posture {
            Posture::Plain => format!("port {port}\nsave 3600 1\n"),
            Posture::Mixed => {
                format!("{tls}port {plain}\nrequirepass {PASSWORD}\nappendonly yes\nsave \"\"\nloglevel verbose\n")
            }
            Posture::Strict => format!(
                "{tls}port 0\ntls-protocols \"TLSv1.3\"\ntls-replication yes\nsave 60 1\nlogfile {folder}/log\n\
                 loglevel verbose\nuser default off\nuser auditor on >{PASSWORD} {RIGHTS}\n\
                 user app on >app-8c11-one ~app:* -@all +@read +@write -@dangerous\n\
                 user root on >root-11f0-one ~* &* +@all\n"
            ),
        };
        let settings = format!("{own}bind 127.0.0.1\ndir {folder}\ndaemonize no\n");
        let file = scratch.write("redis.conf", settings);
        let server = Server::start(Command::new(daemon).arg(file), port);
        Some(Redis { _server: server, scratch, port, plain, posture })
    }

    /// The authority of the server's certificate.
    pub fn ca(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }

    /// Runs commands of an administrator's, a line each, and gives what is printed.
    pub fn run(&self, commands: &str) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string(), "--no-auth-warning"]);
        match self.posture {
            Posture::Plain => {}
            Posture::Mixed => _ = command.args(["--tls", "-a", PASSWORD, "--cacert"]).arg(self.ca()),
            Posture::Strict => {
                _ = command.args(["--tls", "--user", "root", "--pass", "root-11f0-one", "--cacert"]).arg(self.ca());
            }
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{commands}\n").as_bytes()).unwrap();
        let mut text = String::new();
        child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(child.wait().unwrap().success(), "{commands}: {text}");
        text.trim_end().to_owned()
    }
}
