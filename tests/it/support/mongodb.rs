//! A scripted server that speaks as much of MongoDB's protocol as a look needs: OP_MSG over TLS or in clear, a login by
//! SCRAM-SHA-256 with a proof in both directions, and answers to commands by their names.

use super::Scratch;
use super::postgres::certificates;
use aws_lc_rs::{digest, hmac, pbkdf2};
use bson::{RawDocument, RawDocumentBuf, rawdoc};
use data_encoding::BASE64;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

/// The audit account's password.
pub const PASSWORD: &str = "scripted-51c7";
const NONCE: &str = "of-the-server";
const SALT: &[u8] = b"sixteen bytes !!";

/// What is answered to a command.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These fields, and that it went well.
    Fields(RawDocumentBuf),
    /// An error of this code.
    Error(i32),
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing, with the connection held open.
    Silence,
    /// Nothing, and the end of the connection.
    End,
}

/// Which command is answered how.
pub type Script = BTreeMap<&'static str, Answer>;

/// How the port is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// TLS alone.
    Tls,
    /// TLS, and in clear as well.
    Both,
    /// In clear alone.
    Clear,
}

/// A running server.
pub struct Mongodb {
    /// Its port on loopback.
    pub port: u16,
    scratch: Scratch,
}

struct Setting {
    tls: Arc<rustls::ServerConfig>,
    port: Port,
    login: bool,
    script: Script,
}

impl Mongodb {
    /// Starts a server that follows this script, with a login or open to everybody.
    pub fn start(port: Port, login: bool, script: Script) -> Mongodb {
        let scratch = Scratch::new("mongodb");
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
        let setting = Arc::new(Setting { tls: Arc::new(tls), port, login, script });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let setting = Arc::clone(&setting);
                std::thread::spawn(move || accept(stream, &setting));
            }
        });
        Mongodb { port, scratch }
    }

    /// The authority of its certificate.
    pub fn ca(&self) -> PathBuf {
        self.scratch.path().join("ca.pem")
    }
}

fn accept(mut stream: TcpStream, setting: &Setting) -> io::Result<()> {
    let mut first = [0];
    stream.peek(&mut first)?;
    match (first[0] == 0x16, setting.port) {
        (true, Port::Tls | Port::Both) => {
            let connection = rustls::ServerConnection::new(Arc::clone(&setting.tls)).unwrap();
            serve(&mut rustls::StreamOwned::new(connection, stream), setting)
        }
        (false, Port::Both | Port::Clear) => serve(&mut stream, setting),
        // As the real one does: it hangs up.
        _ => Ok(()),
    }
}

fn serve(stream: &mut (impl Read + Write), setting: &Setting) -> io::Result<()> {
    let mut inside = !setting.login;
    let mut scram = None;
    loop {
        let mut head = [0; 21];
        stream.read_exact(&mut head)?;
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        assert_eq!((word(12), word(16), head[20]), (2013, 0, 0), "OP_MSG with one document");
        let mut body = vec![0; usize::try_from(word(0)).unwrap() - 21];
        stream.read_exact(&mut body)?;
        let command = RawDocument::from_bytes(&body).unwrap();
        let (name, _) = command.iter().next().unwrap().unwrap();
        let name = name.as_str().to_owned();
        assert_eq!(command.get_str("$db").unwrap(), "admin");
        let answer = match (name.as_str(), setting.script.get(name.as_str())) {
            (_, Some(Answer::Silence)) => {
                // Until the other side gives up.
                let _ = stream.read(&mut [0]);
                return Ok(());
            }
            (_, Some(Answer::End)) => return Ok(()),
            (_, Some(Answer::Bytes(bytes))) => {
                stream.write_all(bytes)?;
                stream.flush()?;
                continue;
            }
            ("saslStart", _) => begin(command, &mut scram),
            ("saslContinue", _) => finish(command, scram.take(), &mut inside),
            ("hello" | "buildInfo", None) => rawdoc! { "ok": 1.0 },
            (_, _) if !inside => error(13),
            ("listDatabases", None) => rawdoc! { "databases": [], "ok": 1.0 },
            (_, Some(Answer::Fields(fields))) => {
                let mut fields = fields.clone();
                fields.append(bson::cstr!("ok"), 1.0);
                fields
            }
            (_, Some(Answer::Error(code))) => error(*code),
            (_, None) => error(59),
        };
        let message = probity::wire::op_msg::command(99, &answer);
        stream.write_all(&[&message[..8], &word(4).to_le_bytes(), &message[12..]].concat())?;
        stream.flush()?;
    }
}

fn error(code: i32) -> RawDocumentBuf {
    // The words of a real one can hold names and values.
    rawdoc! { "ok": 0.0, "code": code, "errmsg": "not for alice@shop.example", "codeName": "X" }
}

fn payload(command: &RawDocument) -> String {
    String::from_utf8(command.get_binary("payload").unwrap().bytes.to_vec()).unwrap()
}

fn answered(text: &str, done: bool) -> RawDocumentBuf {
    let payload = bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: text.as_bytes().to_vec() };
    rawdoc! { "conversationId": 1, "done": done, "payload": payload, "ok": 1.0 }
}

/// The messages so far, without what they are bound to.
fn begin(command: &RawDocument, scram: &mut Option<String>) -> RawDocumentBuf {
    assert_eq!(command.get_str("mechanism").unwrap(), "SCRAM-SHA-256");
    let first = payload(command);
    let bare = first.strip_prefix("n,,").unwrap();
    let (name, nonce) = bare.strip_prefix("n=").unwrap().split_once(",r=").unwrap();
    if name != "auditor" {
        return error(18);
    }
    let answer = format!("r={nonce}{NONCE},s={},i=15000", BASE64.encode(SALT));
    *scram = Some(format!("{bare},{answer}"));
    answered(&answer, false)
}

fn finish(command: &RawDocument, scram: Option<String>, inside: &mut bool) -> RawDocumentBuf {
    let last = payload(command);
    let Some(before) = scram else { return error(18) };
    let (bound, proof) = last.split_once(",p=").unwrap();
    let message = format!("{before},{bound}");
    let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec();
    let mut salted = [0; 32];
    let rounds = 15_000.try_into().unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, SALT, PASSWORD.as_bytes(), &mut salted);
    let stored = digest::digest(&digest::SHA256, &sign(&salted, b"Client Key")).as_ref().to_vec();
    let signature = sign(&stored, message.as_bytes());
    let key: Vec<u8> = BASE64.decode(proof.as_bytes()).unwrap().iter().zip(&signature).map(|(a, b)| a ^ b).collect();
    if digest::digest(&digest::SHA256, &key).as_ref() != stored {
        return error(18);
    }
    *inside = true;
    answered(&format!("v={}", BASE64.encode(&sign(&sign(&salted, b"Server Key"), message.as_bytes()))), true)
}
