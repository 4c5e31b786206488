//! Old and new TLS servers: Node.js with the OpenSSL of its day, as `tests/lab` brings it.

use super::tls::openssl;
use super::{Scratch, Server, free_port, skip};
use std::path::{Path, PathBuf};
use std::process::Command;

/// OpenSSL 1.0.0f: early ChangeCipherSpec is accepted; SSLv2, SSLv3 and TLS 1.0.
pub const OPENSSL_1_0_0F: &str = "0.8.6";
/// OpenSSL 1.0.0m: the same with early ChangeCipherSpec refused.
pub const OPENSSL_1_0_0M: &str = "0.8.28";
/// OpenSSL 1.0.1e: Heartbleed; SSLv2 to TLS 1.2, export suites.
pub const OPENSSL_1_0_1E: &str = "0.10.0";
/// OpenSSL 1.0.1e by its name, without Heartbleed.
pub const OPENSSL_1_0_1E_MENDED: &str = "0.10.26";
/// OpenSSL 1.0.2o: DHE parameters of any size, anonymous suites, RC4, 3DES.
pub const OPENSSL_1_0_2O: &str = "4.9.1";
/// OpenSSL 1.1.1k: TLS 1.0 to TLS 1.3.
pub const OPENSSL_1_1_1K: &str = "10.24.1";
/// OpenSSL 3.5: post-quantum groups.
pub const OPENSSL_3_5: &str = "24.21.0";

/// The prime of 1024 bits that most servers of their time shared (RFC 2409, section 6.2).
pub const OAKLEY_1024: &str = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74\
    020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437\
    4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
    EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF";

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cipher string; empty leaves it to the server.
    pub ciphers: &'static str,
    /// `rsa:512`, `rsa:1024`, `rsa:2048` or `ec`.
    pub key: &'static str,
    /// A second key of another kind, for a certificate beside the first.
    pub second_key: Option<&'static str>,
    /// `minVersion` and `maxVersion`, from 10 on: for example `TLSv1` and `TLSv1.3`.
    pub versions: Option<(&'static str, &'static str)>,
    /// The client's order of suites counts, and not the server's.
    pub client_order: bool,
    /// The prime of the finite field in hexadecimal, from 0.12 on; the generator is 2.
    pub prime: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Options { ciphers: "", key: "rsa:2048", second_key: None, versions: None, client_order: false, prime: None }
    }
}

/// Everything that an old server can.
pub const EVERY_CIPHER: &str = "ALL:COMPLEMENTOFALL:eNULL:aNULL:EXP";

/// Starts an HTTPS server of this version of Node.js on a free port. `None` where the lab lacks it.
pub fn node(scratch: &Scratch, version: &str, options: &Options) -> Option<(Server, u16)> {
    let program = program(version)?;
    let port = free_port();
    let pairs = std::iter::once(options.key).chain(options.second_key).map(|kind| pair(scratch, kind));
    let (keys, pems): (Vec<PathBuf>, Vec<PathBuf>) = pairs.unzip();
    let mut settings = serde_json::json!({ "port": port, "key": keys, "cert": pems });
    if let ([key], [pem]) = (keys.as_slice(), pems.as_slice()) {
        // The oldest take no lists.
        settings["key"] = key.to_str().unwrap().into();
        settings["cert"] = pem.to_str().unwrap().into();
    }
    if !options.ciphers.is_empty() {
        settings["ciphers"] = options.ciphers.into();
    }
    if let Some((least, most)) = options.versions {
        settings["minVersion"] = least.into();
        settings["maxVersion"] = most.into();
    }
    if options.client_order {
        settings["honorCipherOrder"] = false.into();
    }
    if let Some(prime) = options.prime {
        settings["dhparam"] = dhparam(scratch, prime).to_str().unwrap().into();
    }
    let settings = scratch.write("node.json", settings.to_string());
    let script = scratch.write("server.js", SCRIPT);
    let mut command = Command::new(program);
    command.arg(script).arg(settings);
    Some((Server::start(&mut command, port), port))
}

/// The oldest of them know ECMAScript 5 alone, and some end at a broken connection that nobody caught.
const SCRIPT: &str = "
var https = require('https'), fs = require('fs');
var options = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
['key', 'cert', 'dhparam'].forEach(function (name) {
  var file = options[name];
  if (file) options[name] = Array.isArray(file) ? file.map(function (one) { return fs.readFileSync(one); }) : fs.readFileSync(file);
});
process.on('uncaughtException', function () {});
https.createServer(options, function (request, answer) {
  answer.writeHead(200, { 'Content-Type': 'text/plain' });
  answer.end('ok');
}).listen(options.port, '127.0.0.1');
";

/// Its program, where the lab has it; in CI it must.
pub fn program(version: &str) -> Option<PathBuf> {
    let lab = std::env::var_os("PROBITY_LAB")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/lab"), PathBuf::from);
    let program = lab.join(format!("node-{version}"));
    if program.is_file() {
        return Some(program);
    }
    skip(&format!("Node.js {version} (see tests/lab)"));
    None
}

/// A key in the form that the oldest can read, and its certificate for shop.example.
fn pair(scratch: &Scratch, kind: &str) -> (PathBuf, PathBuf) {
    let name = kind.replace(':', "-");
    let path = |end: &str| scratch.path().join(format!("{name}.{end}"));
    let (made, key, pem) = (path("made"), path("key"), path("pem"));
    let generate: &[&str] = match kind {
        "ec" => &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
        rsa => &["-newkey", rsa],
    };
    let mut arguments = vec!["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=shop.example"];
    arguments.extend(["-addext", "subjectAltName=DNS:shop.example"]);
    arguments.extend(generate);
    arguments.extend(["-keyout", made.to_str().unwrap(), "-out", pem.to_str().unwrap()]);
    openssl(&arguments);
    openssl(&["pkey", "-traditional", "-in", made.to_str().unwrap(), "-out", key.to_str().unwrap()]);
    (key, pem)
}

fn dhparam(scratch: &Scratch, prime: &str) -> PathBuf {
    let form = format!("asn1 = SEQUENCE:field\n[field]\np = INTEGER:0x{prime}\ng = INTEGER:2\n");
    let form = scratch.write("dh.form", form);
    let path = |name: &str| scratch.path().join(name);
    let (der, pem) = (path("dh.der"), path("dh.pem"));
    openssl(&["asn1parse", "-noout", "-genconf", form.to_str().unwrap(), "-out", der.to_str().unwrap()]);
    openssl(&["dhparam", "-inform", "DER", "-in", der.to_str().unwrap(), "-out", pem.to_str().unwrap()]);
    pem
}
