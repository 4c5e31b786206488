//! A scripted server that speaks as much of MySQL 8's protocol as a look needs: the greeting, TLS, a login by
//! caching_sha2_password in full, and answers to queries by what stands in them.

use super::Scratch;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The audit account's password.
pub const PASSWORD: &str = "scripted-8e41";

/// What is answered to a query.
#[derive(Clone, Debug)]
pub enum Answer {
    /// These rows.
    Rows(Vec<Vec<Option<String>>>),
    /// This error.
    Error(u16),
}

/// Rows of cells; `-` is NULL.
pub fn rows(rows: &[&[&str]]) -> Answer {
    let cell = |cell: &&str| (*cell != "-").then(|| (*cell).to_owned());
    Answer::Rows(rows.iter().map(|row| row.iter().map(cell).collect()).collect())
}

/// Which queries are answered how: the first whose words stand in the query.
pub type Script = Vec<(&'static str, Answer)>;

/// A running server.
pub struct Mysql8 {
    /// Its port on loopback.
    pub port: u16,
    scratch: Scratch,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Mysql8 {
    /// Starts a server that follows this script; `refuses` where it says so to a login without TLS at once.
    pub fn start(script: Script, refuses: bool) -> Mysql8 {
        let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let scratch = Scratch::new("mysql8");
        scratch.write("server.pem", key.cert.pem());
        let private = rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![key.cert.der().clone()], private)
            .unwrap();
        let (config, script) = (Arc::new(config), Arc::new(script));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, script, kept) = (Arc::clone(&config), Arc::clone(&script), Arc::clone(&kept));
                std::thread::spawn(move || serve(stream, config, &script, &kept, refuses));
            }
        });
        Mysql8 { port, scratch, asked }
    }

    /// Its certificate.
    pub fn certificate(&self) -> PathBuf {
        self.scratch.path().join("server.pem")
    }

    /// What was asked, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

const GREETING: &[u8] =
    b"\x0a8.0.40\0\x08\0\0\0abcdefgh\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0\
                          caching_sha2_password\0";

fn send(stream: &mut impl Write, number: &mut u8, body: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    stream.write_all(&[&length[..3], &[*number], body].concat())?;
    *number = number.wrapping_add(1);
    stream.flush()
}

fn receive(stream: &mut impl Read, number: &mut u8) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let mut body = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16];
    stream.read_exact(&mut body)?;
    *number = head[3].wrapping_add(1);
    Ok(body)
}

fn serve(
    mut stream: TcpStream,
    config: Arc<rustls::ServerConfig>,
    script: &Script,
    asked: &Mutex<Vec<String>>,
    refuses: bool,
) -> std::io::Result<()> {
    let mut number = 0;
    send(&mut stream, &mut number, GREETING)?;
    let request = receive(&mut stream, &mut number)?;
    if request.len() > 32 {
        let answer: &[u8] =
            if refuses { b"\xff\x57\x0c#HY000no" } else { b"\xfecaching_sha2_password\0abcdefghijklmnopqrst\0" };
        send(&mut stream, &mut number, answer)?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest)?;
        assert!(rest.is_empty(), "something was sent in clear: {rest:?}");
        return Ok(());
    }
    let mut tls = rustls::ServerConnection::new(config).unwrap();
    let mut stream = rustls::Stream::new(&mut tls, &mut stream);
    let login = receive(&mut stream, &mut number)?;
    assert!(login[32..].starts_with(b"auditor\0\x20"), "the name and a proof of 32 bytes");
    // The proof is not known yet, and the password itself is wanted.
    send(&mut stream, &mut number, b"\x01\x04")?;
    let password = receive(&mut stream, &mut number)?;
    if password != [PASSWORD.as_bytes(), &[0]].concat() {
        return send(&mut stream, &mut number, b"\xff\x15\x04#28000no");
    }
    send(&mut stream, &mut number, b"\0\0\0\x02\0\0\0")?;
    loop {
        let query = receive(&mut stream, &mut number)?;
        if query.first() != Some(&3) {
            return Ok(());
        }
        let query = String::from_utf8(query[1..].to_vec()).unwrap();
        asked.lock().unwrap().push(query.clone());
        let found = script.iter().find(|(words, _)| query.contains(words));
        match found.map(|(_, answer)| answer) {
            Some(Answer::Rows(rows)) => result(&mut stream, &mut number, rows)?,
            Some(Answer::Error(code)) => error(&mut stream, &mut number, *code)?,
            None if query.starts_with("SET ") => send(&mut stream, &mut number, b"\0\0\0\x02\0\0\0")?,
            None => error(&mut stream, &mut number, 1064)?,
        }
    }
}

fn error(stream: &mut impl Write, number: &mut u8, code: u16) -> std::io::Result<()> {
    let [low, high] = code.to_le_bytes();
    send(stream, number, &[&[0xFF, low, high][..], b"#42000refused"].concat())
}

fn result(stream: &mut impl Write, number: &mut u8, rows: &[Vec<Option<String>>]) -> std::io::Result<()> {
    let columns = rows.first().map_or(1, Vec::len);
    send(stream, number, &[u8::try_from(columns).unwrap()])?;
    for _ in 0..columns {
        send(stream, number, b"\x03def\0\0\0\x01a\0\x0c\x2d\0\0\x01\0\0\xfd\0\0\0\0\0")?;
    }
    send(stream, number, b"\xfe\0\0\x02\0")?;
    for row in rows {
        let mut body = Vec::new();
        for cell in row {
            match cell {
                None => body.push(0xFB),
                Some(text) if text.len() < 251 => {
                    body.push(u8::try_from(text.len()).unwrap());
                    body.extend(text.as_bytes());
                }
                Some(text) => {
                    body.push(0xFC);
                    body.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
                    body.extend(text.as_bytes());
                }
            }
        }
        send(stream, number, &body)?;
    }
    send(stream, number, b"\xfe\0\0\x02\0")
}
