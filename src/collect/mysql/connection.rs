//! One connection to a server of MySQL or MariaDB: packets in turn, within bounds.
//!
//! What a server may send is bounded in each packet and in all. It is never given a file, whatever it asks for.

use super::proof::{self, Proof};
use crate::collect::answer::Row;
use crate::model::{Reason, Trouble};
use crate::net::Stream;
use crate::wire::WireError;
use crate::wire::mysql::{self as wire, First, Greeting, Line, Problem, Reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The most bytes that one connection may receive.
const SESSION: usize = 12 * 1024 * 1024;
/// The largest packet that is taken.
const PACKET: usize = 1024 * 1024;
/// The largest packet before the login is done.
const LOGIN_PACKET: usize = 4096;
/// The most rows that are taken of one answer.
pub const ROWS: usize = 20_001;
/// The most steps of a login.
const STEPS: usize = 6;

/// What came of a step.
#[derive(Debug)]
pub enum Fault {
    /// The server refused.
    Server(Problem),
    /// The connection broke.
    Broken(std::io::ErrorKind),
    /// The server broke the rules of its protocol.
    Rules,
    /// The server sent too much.
    Excess,
    /// The account proves itself in a way that is not to be had here, in words.
    Way(String),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::Broken(error.kind())
    }
}

impl From<WireError> for Fault {
    fn from(error: WireError) -> Fault {
        match error {
            WireError::TooLarge(_) => Fault::Excess,
            _ => Fault::Rules,
        }
    }
}

/// The answer to a query.
#[derive(Debug, Default)]
pub struct Answer {
    /// The rows.
    pub rows: Vec<Row>,
    /// How many warnings the server has: it goes on where a value does not fit, and warns.
    pub warnings: u16,
}

/// Who logs in.
pub struct Login<'a> {
    /// The user.
    pub user: &'a str,
    /// The password.
    pub password: &'a str,
    /// The connection is inside TLS with a server that is known to be the right one.
    pub secure: bool,
}

/// A connection whose server waits, or is about to speak.
pub struct Connection {
    stream: Box<dyn Stream>,
    number: u8,
    received: usize,
    most: usize,
}

impl Connection {
    /// A connection on which nothing was said yet.
    pub fn new(stream: Box<dyn Stream>) -> Connection {
        Connection { stream, number: 0, received: 0, most: LOGIN_PACKET }
    }

    /// Reads what the server says first.
    pub async fn greeting(&mut self) -> Result<Greeting, Fault> {
        match wire::first(&self.read().await?)? {
            First::Greeting(greeting) => Ok(greeting),
            First::Error(problem) => Err(Fault::Server(problem)),
        }
    }

    /// Asks for TLS, after which the stream is the handshake's.
    pub async fn ask_for_tls(mut self) -> Result<Box<dyn Stream>, Fault> {
        self.write(&wire::tls_request()).await?;
        Ok(self.stream)
    }

    /// The connection inside TLS that was asked for on another one.
    pub fn inside(stream: Box<dyn Stream>) -> Connection {
        Connection { number: 2, ..Connection::new(stream) }
    }

    /// Says who we are without any proof, and gives the first answer.
    pub async fn knock(&mut self, user: &str, plugin: &str) -> Result<Reply, Fault> {
        self.write(&wire::login(user, plugin, &[], false)?).await?;
        Ok(wire::login_reply(&self.read().await?)?)
    }

    /// Logs in.
    pub async fn log_in(&mut self, greeting: &Greeting, login: &Login<'_>, tls: bool) -> Result<(), Fault> {
        let password = login.password.as_bytes();
        // The first guess is the server's own; another way is told by a switch. A password goes out on a switch alone.
        let mut plugin = greeting.plugin.clone();
        let first = match proof::of(&plugin, password, &greeting.nonce) {
            Proof::Bytes(bytes) => bytes,
            Proof::Clear | Proof::Unknown => {
                plugin = "mysql_native_password".to_owned();
                Vec::new()
            }
        };
        self.write(&wire::login(login.user, &plugin, &first, tls)?).await?;
        for _ in 0..STEPS {
            match wire::login_reply(&self.read().await?)? {
                Reply::Ok => {
                    self.most = PACKET;
                    return Ok(());
                }
                Reply::Error(problem) => return Err(Fault::Server(problem)),
                Reply::Switch { plugin: other, nonce } => {
                    plugin = other;
                    let answer = match proof::of(&plugin, password, &nonce) {
                        Proof::Bytes(bytes) => bytes,
                        Proof::Clear => in_clear(login, &plugin)?,
                        Proof::Unknown => return Err(unknown(&plugin)),
                    };
                    self.write(&answer).await?;
                }
                // The server knows the proof already, and is about to say so.
                Reply::More(more) if plugin == "caching_sha2_password" && more == [3] => {}
                Reply::More(more) if plugin == "caching_sha2_password" && more == [4] => {
                    self.write(&in_clear(login, &plugin)?).await?;
                }
                Reply::More(_) | Reply::Columns(_) | Reply::File => return Err(Fault::Rules),
            }
        }
        Err(Fault::Rules)
    }

    /// Asks a query, and takes the answer as texts.
    pub async fn query(&mut self, sql: &str) -> Result<Answer, Fault> {
        self.number = 0;
        self.write(&[&[3], sql.as_bytes()].concat()).await?;
        let columns = match wire::query_reply(&self.read().await?)? {
            Reply::Columns(columns) => columns,
            Reply::Ok => return Ok(Answer::default()),
            Reply::Error(problem) => return Err(Fault::Server(problem)),
            Reply::File | Reply::Switch { .. } | Reply::More(_) => return Err(Fault::Rules),
        };
        for _ in 0..columns {
            self.read().await?;
        }
        if !wire::is_end(&self.read().await?) {
            return Err(Fault::Rules);
        }
        let mut answer = Answer::default();
        loop {
            match wire::line(&self.read().await?, columns)? {
                Line::Row(_) if answer.rows.len() >= ROWS => return Err(Fault::Excess),
                Line::Row(row) => answer.rows.push(row),
                Line::Error(problem) => return Err(Fault::Server(problem)),
                Line::End(warnings) => {
                    answer.warnings = warnings;
                    return Ok(answer);
                }
            }
        }
    }

    /// Says farewell and closes the connection.
    pub async fn quit(mut self) {
        self.number = 0;
        let _ = self.write(&[1]).await;
        let _ = self.stream.shutdown().await;
        // The server ends the session when it reads this, and closes its end.
        let _ = self.stream.read(&mut [0; 64]).await;
    }

    /// Closes the connection without a word.
    pub async fn hang_up(mut self) {
        let _ = self.stream.shutdown().await;
    }

    async fn read(&mut self) -> Result<Vec<u8>, Fault> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await?;
        let (length, number) = wire::head(head);
        self.received = self.received.saturating_add(length).saturating_add(head.len());
        if length > self.most || self.received > SESSION {
            return Err(Fault::Excess);
        }
        if number != self.number {
            return Err(Fault::Rules);
        }
        self.number = self.number.wrapping_add(1);
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(body)
    }

    async fn write(&mut self, body: &[u8]) -> Result<(), Fault> {
        let packet = wire::packet(self.number, body)?;
        self.number = self.number.wrapping_add(1);
        self.stream.write_all(&packet).await?;
        self.stream.flush().await?;
        Ok(())
    }
}

fn in_clear(login: &Login<'_>, plugin: &str) -> Result<Vec<u8>, Fault> {
    match login.secure {
        true => Ok(proof::clear(login.password.as_bytes())),
        false => Err(Fault::Way(format!("the server asks for the password in clear ({plugin}), and there is no TLS"))),
    }
}

fn unknown(plugin: &str) -> Fault {
    let plugin: String = plugin.chars().filter(|letter| !letter.is_control()).take(40).collect();
    Fault::Way(format!(
        "the account proves itself by {plugin}, which is not supported; an audit account by caching_sha2_password or \
         mysql_native_password is"
    ))
}

/// What a fault means at this place.
pub fn trouble(fault: &Fault, place: &str) -> Trouble {
    match fault {
        Fault::Broken(std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset) => {
            Trouble::new(Reason::Refused, format!("the server closed the connection at {place}"))
        }
        Fault::Broken(kind) => Trouble::new(Reason::Refused, format!("the connection broke at {place}: {kind}")),
        Fault::Rules => {
            Trouble::new(Reason::ProtocolViolation, format!("the server does not speak MySQL's protocol at {place}"))
        }
        Fault::Excess => Trouble::new(Reason::TooLarge, format!("the server sent more than is taken at {place}")),
        Fault::Way(words) => Trouble::new(Reason::AuthenticationFailed, words.clone()),
        Fault::Server(problem) => refusal(problem.code, place),
    }
}

/// What an error of the server's means. Its own words are left out: they can hold values and names.
fn refusal(code: u16, place: &str) -> Trouble {
    let (reason, words) = match code {
        1040 | 1203 | 1226 => (Reason::Refused, "the server has no connection left"),
        1129 => (Reason::Refused, "the server shuts this machine out after connections that broke off"),
        1130 => (Reason::AuthenticationFailed, "the server has no account for this machine"),
        1045 | 1698 if place == "the login" => {
            (Reason::AuthenticationFailed, "the server does not accept the user or the password")
        }
        3118 | 4151 => (Reason::AuthenticationFailed, "the account is locked"),
        1820 | 1862 => (Reason::AuthenticationFailed, "the account's password is to be changed first"),
        3159 => (Reason::AuthenticationFailed, "the server takes no login without TLS"),
        1044 | 1045 | 1142 | 1143 | 1227 | 1345 | 1370 | 1698 | 1724 => {
            (Reason::PermissionDenied, "the audit account may not read this")
        }
        1317 | 1969 | 3024 => (Reason::TimedOut, "the server stopped a query that took too long"),
        1205 | 1099 | 1100 | 3572 => (Reason::TimedOut, "what a query reads is locked by another session"),
        1146 | 1049 | 1109 => (Reason::Unsupported, "the server has no table of this name"),
        1054 => (Reason::Unsupported, "the table has no column of a name that was asked for"),
        1193 | 1064 | 1305 | 1630 | 1115 | 1273 | 1286 => {
            (Reason::Unsupported, "this version of the server does not have what was asked for")
        }
        1053 | 1927 | 1077 | 1079 => (Reason::Refused, "the server ended the session"),
        _ => (Reason::Refused, "the server refused a request"),
    };
    Trouble::new(reason, format!("{words} (error {code})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn served(packets: &[(u8, &[u8])]) -> Connection {
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        let bytes: Vec<u8> = packets.iter().flat_map(|(number, body)| wire::packet(*number, body).unwrap()).collect();
        tokio::spawn(async move {
            let _ = theirs.write_all(&bytes).await;
            let mut rest = Vec::new();
            let _ = theirs.read_to_end(&mut rest).await;
        });
        Connection::new(Box::new(ours))
    }

    #[test]
    fn an_answer_is_read_and_its_warnings_are_counted() {
        run(async {
            let mut connection = served(&[
                (1, b"\x01"),
                (2, b"\x03def"),
                (3, b"\xfe\0\0\x02\0"),
                (4, b"\x0242"),
                (5, b"\xfb"),
                (6, b"\xfe\x02\0\x02\0"),
            ]);
            let answer = connection.query("SELECT 42").await.unwrap();
            assert_eq!((answer.rows, answer.warnings), (vec![vec![Some("42".to_owned())], vec![None]], 2));
        });
    }

    #[test]
    fn a_server_gets_no_file_and_no_password_in_clear() {
        run(async {
            assert!(matches!(served(&[(1, b"\xfb/etc/passwd")]).query("SELECT 1").await, Err(Fault::Rules)));
            let greeting = Greeting {
                version: String::new(),
                mariadb: false,
                thread: 1,
                capabilities: 0,
                plugin: "caching_sha2_password".to_owned(),
                nonce: vec![7; 20],
            };
            for answer in [b"\x01\x04".as_slice(), b"\xfemysql_clear_password\0", b"\xfesha256_password\0abc\0"] {
                let login = Login { user: "a", password: "b", secure: false };
                let fault = served(&[(0, b""), (2, answer)]);
                let mut connection = fault;
                let _ = connection.read().await;
                let fault = connection.log_in(&greeting, &login, false).await.unwrap_err();
                assert!(matches!(&fault, Fault::Way(words) if words.contains("in clear")), "{fault:?}");
            }
        });
    }

    #[test]
    fn packets_out_of_turn_and_without_end_are_refused() {
        run(async {
            assert!(matches!(served(&[(7, b"\x01")]).query("SELECT 1").await, Err(Fault::Rules)));
            let (ours, mut theirs) = tokio::io::duplex(64);
            theirs.write_all(&[0xFF, 0xFF, 0xFF, 0]).await.unwrap();
            assert!(matches!(Connection::new(Box::new(ours)).greeting().await, Err(Fault::Excess)));
        });
    }
}
