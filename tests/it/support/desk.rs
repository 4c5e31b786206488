//! A folder in which `openssl` makes the certificates and OCSP responses that no library would.

#![expect(clippy::unwrap_used, reason = "what a test sets up must succeed")]

use super::{Scratch, program};
use probity::collect::tls::certificate::{Anchors, analyse};
use probity::model::tls::Deployment;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::path::Path;
use std::process::Command;

/// The name that the certificates are for.
pub const HOST: &str = "www.example.test";
/// Makes an elliptic key.
pub const EC: &str = "ecparam -genkey -noout -name prime256v1";
/// Makes an RSA key.
pub const RSA: &str = "genrsa 2048";

/// A folder in which `openssl` works.
pub struct Desk(Scratch);

impl Desk {
    /// Nothing where `openssl` is absent.
    pub fn new(name: &str) -> Option<Desk> {
        program("openssl")?;
        let desk = Desk(Scratch::new(name));
        desk.0.write("ca.ext", "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n");
        desk.0.write("server.ext", format!("subjectAltName=DNS:{HOST}\nextendedKeyUsage=serverAuth\n"));
        desk.0.write("ocsp.ext", "extendedKeyUsage=OCSPSigning\n");
        desk.0.write("none.ext", "");
        Some(desk)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Runs `openssl` with these words, which must succeed.
    pub fn run(&self, command: &str) {
        let output =
            Command::new("openssl").args(command.split_whitespace()).current_dir(self.path()).output().unwrap();
        assert!(output.status.success(), "openssl {command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// A key by this command, whose options come before its operand.
    pub fn key(&self, name: &str, command: &str) {
        let (program, rest) = command.split_once(' ').unwrap();
        self.run(&format!("{program} -out {name}.key {rest}"));
    }

    /// A key and a root.
    pub fn root(&self, name: &str, key: &str, sign: &str) {
        self.key(name, key);
        self.run(&format!("req -new -x509 -days 30 -key {name}.key -subj /CN={name} -out {name}.pem {sign}"));
    }

    /// A key and a certificate by this issuer.
    pub fn issue(&self, name: &str, issuer: &str, key: &str, sign: &str) {
        self.key(name, key);
        self.run(&format!("req -new -key {name}.key -subj /CN={name} -out {name}.csr"));
        self.run(&format!(
            "x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -days 20 -out {name}.pem {sign}"
        ));
    }

    /// A certificate's bytes.
    pub fn der(&self, name: &str) -> Vec<u8> {
        CertificateDer::from_pem_file(self.path().join(format!("{name}.pem"))).unwrap().to_vec()
    }

    /// What the chain of these certificates is worth with this anchor.
    pub fn judge(&self, chain: &[&str], anchor: &str) -> Deployment {
        let chain: Vec<_> = chain.iter().map(|name| self.der(name)).collect();
        let anchors = Anchors::new(&[self.path().join(format!("{anchor}.pem"))]).unwrap();
        analyse(&chain, vec!["TLSv1.2".to_owned()], None, HOST, &anchors, jiff::Timestamp::now())
    }

    /// The staple of this certificate, made by the responder with these options.
    pub fn staple(&self, leaf: &str, status: &str, id: &str, responder: &str) -> Vec<u8> {
        let serial = Command::new("openssl")
            .args(["x509", "-noout", "-serial", "-in", &format!("{leaf}.pem")])
            .current_dir(self.path())
            .output()
            .unwrap();
        let serial = String::from_utf8(serial.stdout).unwrap().trim().trim_start_matches("serial=").to_owned();
        let revoked = if status == "R" { "250101000000Z,keyCompromise" } else { "" };
        let index = if status.is_empty() {
            String::new()
        } else {
            format!("{status}\t490101000000Z\t{revoked}\t{serial}\tunknown\t/CN={leaf}\n")
        };
        self.0.write("index.txt", index);
        self.run(&format!("ocsp {id} -issuer ca.pem -cert {leaf}.pem -no_nonce -reqout request.der"));
        self.run(&format!("ocsp -index index.txt -CA ca.pem -reqin request.der -respout response.der {responder}"));
        std::fs::read(self.path().join("response.der")).unwrap()
    }

    /// What a staple of this certificate says after so many days.
    pub fn stapled(&self, leaf: &str, staple: &[u8], days: i64) -> String {
        let anchors = Anchors::new(&[self.path().join("ca.pem")]).unwrap();
        let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        let seen = analyse(&[self.der(leaf)], vec![], Some(staple), HOST, &anchors, now);
        seen.staple.known().cloned().unwrap_or_else(|| "?".to_owned())
    }
}
