//! What a client refuses though its hello does not say so: old versions, small and large finite fields, SHA-1 chains.
//!
//! Each is tried against OpenSSL's own server, with a certificate that the client trusts.

use crate::Running;
use std::io::Read as _;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Sizes of finite fields that are tried.
const FIELDS: [u32; 9] = [512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192];
/// What the server is told for each version, oldest first.
const VERSIONS: [(&str, &str); 3] = [("0x0301", "-tls1"), ("0x0302", "-tls1_1"), ("0x0303", "-tls1_2")];

/// What a client takes.
#[derive(Default)]
pub struct Limits {
    /// The oldest version with which a handshake ended well.
    pub oldest: String,
    /// The smallest field; -1 where the smallest that was tried is taken.
    pub min_dh_bits: Option<i64>,
    /// The largest field; -1 where the largest that was tried is taken.
    pub max_dh_bits: Option<i64>,
    /// A chain with SHA-1 is refused.
    pub requires_sha2_cert: Option<u8>,
}

/// Certificates and fields for the servers, in a folder of their own.
pub struct Lab(PathBuf);

impl Lab {
    /// Makes what is not there yet.
    pub fn new(folder: &Path) -> Result<Lab, String> {
        let script = r#"set -e; mkdir -p "$1"; cd "$1"; test -e ready && exit 0
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj '/CN=capture ca' -sha256 2>/dev/null
printf 'subjectAltName=DNS:localhost\n' > san
openssl req -newkey rsa:2048 -nodes -keyout leaf.key -out leaf.csr -subj '/CN=localhost' 2>/dev/null
for hash in sha1 sha256; do openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $hash.pem -days 20 -$hash -extfile san 2>/dev/null; done
for bits in 512 768 1024; do openssl dhparam -out dh$bits.pem $bits 2>/dev/null; done
for bits in 1536 2048 3072 4096 6144 8192; do openssl genpkey -genparam -algorithm DH -pkeyopt group:modp_$bits -out dh$bits.pem; done
touch ready"#;
        let made = Command::new("sh").args(["-c", script, "sh"]).arg(folder).status();
        match made {
            Ok(status) if status.success() => Ok(Lab(folder.to_owned())),
            _ => Err("openssl cannot make the certificates of the lab".to_owned()),
        }
    }

    /// Tries everything with this client; chains only where it trusts the lab's anchor, and fields where it offers them.
    pub fn measure(&self, command: &[String], fields: bool, trusts: bool) -> Result<Limits, String> {
        let open = "ALL:@SECLEVEL=0";
        let mut limits = Limits::default();
        for (code, flag) in VERSIONS {
            if self.takes(command, "sha256", &[flag, "-cipher", open])? {
                code.clone_into(&mut limits.oldest);
                break;
            }
        }
        if trusts {
            let sha1 = self.takes(command, "sha1", &["-cipher", open])?;
            limits.requires_sha2_cert = Some(u8::from(!sha1));
        }
        if fields {
            let mut taken = Vec::new();
            for bits in FIELDS {
                let file = self.0.join(format!("dh{bits}.pem")).display().to_string();
                let flags = ["-tls1_2", "-cipher", "kDHE:@SECLEVEL=0", "-dhparam", &file];
                if self.takes(command, "sha256", &flags)? {
                    taken.push(bits);
                }
            }
            let bound =
                |bits: Option<&u32>, end: u32| bits.map(|bits| if *bits == end { -1 } else { i64::from(*bits) });
            limits.min_dh_bits = bound(taken.first(), FIELDS[0]);
            limits.max_dh_bits = bound(taken.last(), FIELDS[8]);
        }
        Ok(limits)
    }

    /// The command with the lab's files in it.
    pub fn command(&self, command: &[String]) -> Vec<String> {
        let ca = self.0.join("ca.pem").display().to_string();
        command.iter().map(|word| word.replace("{ca}", &ca)).collect()
    }

    /// Whether a handshake of the client with this server ends well.
    fn takes(&self, command: &[String], hash: &str, flags: &[&str]) -> Result<bool, String> {
        let port = free_port()?;
        let file = |name: &str| self.0.join(name).display().to_string();
        let server = Command::new("openssl")
            .args(["s_server", "-accept", &format!("127.0.0.1:{port}"), "-naccept", "1"])
            .args(["-cert", &file(&format!("{hash}.pem")), "-key", &file("leaf.key")])
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("openssl s_server: {error}"))?;
        let mut server = Running(server);
        std::thread::sleep(Duration::from_millis(250));
        let mut words = self.command(command).into_iter().map(|word| word.replace("{port}", &port.to_string()));
        let program = words.next().ok_or("the command of the client is empty")?;
        let client = Command::new(&program)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{program}: {error}"))?;
        let mut client = Running(client);
        let end = Instant::now() + Duration::from_secs(90);
        let mut said = Vec::new();
        let mut output = server.0.stdout.take().ok_or("no output of openssl s_server")?;
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                said.extend_from_slice(&buffer[..count]);
                if String::from_utf8_lossy(&said).contains("CIPHER is") {
                    return true;
                }
            }
            false
        });
        // The server ends after one connection, however that ends. Slow is not refused.
        let mut ended = false;
        while Instant::now() < end && !ended {
            std::thread::sleep(Duration::from_millis(10));
            ended = reader.is_finished() || !matches!(server.0.try_wait(), Ok(None));
        }
        client.end();
        server.end();
        let takes = reader.join().map_err(|_| "the reader of openssl s_server broke".to_owned())?;
        if ended { Ok(takes) } else { Err(format!("{program} neither connected nor gave up: {flags:?}")) }
    }
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    drop(listener);
    // Nobody else listens there.
    match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Err(format!("port {port} is taken")),
        Err(_) => Ok(port),
    }
}
