//! An authority of the tests: certificates that name a responder or a list, `openssl ocsp` as the responder, and lists.

use super::tls::openssl;
use super::{Scratch, Server, free_port, program};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Who signs answers.
#[derive(Clone, Copy)]
pub enum Signer {
    /// The authority itself.
    Authority,
    /// A responder with a certificate of the authority for this purpose.
    Delegate,
    /// A responder whose certificate is not for this purpose.
    Nobody,
}

/// A root and what it issues.
pub struct Authority<'a> {
    scratch: &'a Scratch,
    name: String,
}

impl<'a> Authority<'a> {
    /// A new root. `None` where openssl is not there.
    pub fn new(scratch: &'a Scratch) -> Option<Authority<'a>> {
        program("openssl")?;
        let authority = Authority { scratch, name: "root".to_owned() };
        let (key, pem) = (authority.path("root.key"), authority.path("root.pem"));
        let (key, pem) = (key.to_str().unwrap(), pem.to_str().unwrap());
        let mut arguments = vec!["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=Root", "-newkey", "ec"];
        arguments.extend([
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ]);
        arguments.extend(["-keyout", key, "-out", pem]);
        openssl(&arguments);
        Some(authority)
    }

    /// The certificate of the authority.
    pub fn pem(&self) -> PathBuf {
        self.path(&format!("{}.pem", self.name))
    }

    /// A certificate with these lines of extensions; key and certificate are named so.
    pub fn issue(&self, name: &str, serial: u32, extensions: &str) -> (PathBuf, PathBuf) {
        let (key, pem, request) =
            (self.path(&format!("{name}.key")), self.path(&format!("{name}.pem")), self.path("csr"));
        let lines = self.scratch.write(&format!("{name}.ext"), extensions);
        let mut arguments = vec!["req", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj"];
        let subject = format!("/CN={name}");
        arguments.extend([&*subject, "-keyout", key.to_str().unwrap(), "-out", request.to_str().unwrap()]);
        openssl(&arguments);
        let (own, own_key) = (self.pem(), self.path(&format!("{}.key", self.name)));
        let serial = serial.to_string();
        let mut arguments = vec!["x509", "-req", "-days", "20", "-in", request.to_str().unwrap(), "-CA"];
        arguments.extend([own.to_str().unwrap(), "-CAkey", own_key.to_str().unwrap(), "-set_serial", &serial]);
        arguments.extend(["-extfile", lines.to_str().unwrap(), "-out", pem.to_str().unwrap()]);
        openssl(&arguments);
        (key, pem)
    }

    /// A certificate for shop.example that names this responder and this list, where there is one.
    pub fn leaf(&self, serial: u32, responder: Option<&str>, list: Option<&str>) -> (PathBuf, PathBuf) {
        let mut lines = "subjectAltName=DNS:shop.example\nextendedKeyUsage=serverAuth\n".to_owned();
        lines += &responder.map(|address| format!("authorityInfoAccess=OCSP;URI:{address}\n")).unwrap_or_default();
        lines += &list.map(|address| format!("crlDistributionPoints=URI:{address}\n")).unwrap_or_default();
        self.issue(&format!("leaf{serial}"), serial, &lines)
    }

    /// An authority below this one, whose certificate names this list.
    pub fn below(&self, name: &str, serial: u32, list: &str) -> Authority<'a> {
        let lines = format!(
            "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\ncrlDistributionPoints=URI:{list}\n"
        );
        self.issue(name, serial, &lines);
        Authority { scratch: self.scratch, name: name.to_owned() }
    }

    /// The file in which the authority keeps what it issued: good ones, and revoked ones with their reasons.
    fn index(&self, good: &[u32], revoked: &[(u32, &str)]) -> PathBuf {
        let mut text = String::new();
        for serial in good {
            text += &format!("V\t400101000000Z\t\t{serial:02X}\tunknown\t/CN={serial}\n");
        }
        for (serial, reason) in revoked {
            text += &format!("R\t400101000000Z\t260101000000Z,{reason}\t{serial:02X}\tunknown\t/CN={serial}\n");
        }
        self.scratch.write(&format!("{}.index", self.name), text)
    }

    /// A responder that answers on this port.
    pub fn responder(&self, port: u16, signer: Signer, good: &[u32], revoked: &[(u32, &str)]) -> Server {
        let (key, pem) = match signer {
            Signer::Authority => (self.path(&format!("{}.key", self.name)), self.pem()),
            Signer::Delegate => self.issue("delegate", 900, "extendedKeyUsage=OCSPSigning\n"),
            Signer::Nobody => self.issue("nobody", 901, "extendedKeyUsage=serverAuth\n"),
        };
        let mut command = Command::new("openssl");
        command.arg("ocsp").arg("-index").arg(self.index(good, revoked)).args(["-port", &port.to_string()]);
        command.arg("-rsigner").arg(pem).arg("-rkey").arg(key).arg("-CA").arg(self.pem());
        command.args(["-ndays", "1", "-ignore_err", "-rmd", "sha256"]);
        Server::start_unasked(&mut command, port)
    }

    /// The file of a response about this certificate, signed by the authority.
    pub fn response(&self, pem: &Path, good: &[u32], revoked: &[(u32, &str)]) -> PathBuf {
        let (own, key, index) = (self.pem(), self.path(&format!("{}.key", self.name)), self.index(good, revoked));
        let (own, key) = (own.to_str().unwrap(), key.to_str().unwrap());
        let (request, response) = (self.path("request.der"), self.path("response.der"));
        let (request, answer) = (request.to_str().unwrap(), response.to_str().unwrap());
        openssl(&["ocsp", "-issuer", own, "-cert", pem.to_str().unwrap(), "-reqout", request]);
        let mut arguments = vec!["ocsp", "-index", index.to_str().unwrap(), "-CA", own, "-rsigner", own, "-rkey", key];
        arguments.extend(["-ndays", "1", "-reqin", request, "-respout", answer]);
        openssl(&arguments);
        response
    }

    /// A list in DER; `more` are lines of its extensions.
    pub fn list(&self, revoked: &[(u32, &str)], more: &str) -> Vec<u8> {
        let index = self.index(&[], revoked);
        let extensions = if more.is_empty() { "" } else { "crl_extensions = more" };
        let configuration = format!(
            "[ca]\ndefault_ca = own\n[own]\ndatabase = {}\ndefault_md = sha256\ndefault_crl_days = 1\n{extensions}\n\
             [more]\n{more}\n",
            index.display()
        );
        let configuration = self.scratch.write("ca.conf", configuration);
        let (pem, der) = (self.path("list.pem"), self.path("list.der"));
        let (own, key) = (self.pem(), self.path(&format!("{}.key", self.name)));
        let (pem, der) = (pem.to_str().unwrap(), der.to_str().unwrap());
        let mut arguments = vec!["ca", "-gencrl", "-config", configuration.to_str().unwrap(), "-cert"];
        arguments.extend([own.to_str().unwrap(), "-keyfile", key.to_str().unwrap(), "-out", pem]);
        openssl(&arguments);
        openssl(&["crl", "-in", pem, "-outform", "DER", "-out", der]);
        std::fs::read(der).unwrap()
    }

    fn path(&self, file: &str) -> PathBuf {
        self.scratch.path().join(file)
    }
}

/// A small HTTP server that gives these bytes whatever it is asked.
pub struct Page {
    /// Where it is.
    pub address: SocketAddr,
    asked: Arc<AtomicU32>,
}

impl Page {
    /// With this head, which has no length, and this body.
    pub fn new(head: impl Into<String>, body: Vec<u8>) -> Page {
        Page::at(free_port(), head, body)
    }

    /// The same on this port.
    pub fn at(port: u16, head: impl Into<String>, body: Vec<u8>) -> Page {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, counted) = (Arc::new(AtomicU32::new(0)), head.into());
        let count = Arc::clone(&asked);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::Relaxed);
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = stream.read(&mut [0; 4096]);
                let head = format!("{counted}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
            }
        });
        Page { address, asked }
    }

    /// With status 200.
    pub fn of(body: Vec<u8>) -> Page {
        Page::new("HTTP/1.1 200 OK", body)
    }

    /// How often it was asked.
    pub fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Its address as a certificate names it.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}
