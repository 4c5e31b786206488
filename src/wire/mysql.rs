//! The protocol of MySQL and MariaDB: packets, the greeting, the login, and the answers to a query as texts.
//!
//! Words of the server's are read where they name a thing; the text of its errors, which can hold values, never is.

use super::WireError;
use super::cursor::Reader;

/// The protocol of version 4.1 and later.
const PROTOCOL_41: u32 = 0x0200;
/// TLS is offered, or asked for.
pub const CLIENT_SSL: u32 = 0x0800;
/// Proofs of 20 bytes, and plugins that make them.
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x0008_0000;
/// What we can: the flags that MySQL wants of every client, and nothing more, so that an answer has one form.
const FLAGS: u32 = 1 | PROTOCOL_41 | 0x2000 | SECURE_CONNECTION | PLUGIN_AUTH;
/// The largest packet that we take, as we tell the server.
const LARGEST: u32 = 1 << 20;
/// utf8mb4_general_ci, which both servers have.
const CHARSET: u8 = 45;

/// What a server says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// It greets.
    Greeting(Greeting),
    /// It sends away.
    Error(Problem),
}

/// The greeting of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The version without the prefix by which MariaDB pleases old clients.
    pub version: String,
    /// It is MariaDB.
    pub mariadb: bool,
    /// The number of the session.
    pub thread: u32,
    /// What the server can.
    pub capabilities: u32,
    /// How accounts prove themselves where nothing else is said.
    pub plugin: String,
    /// What a proof is made with.
    pub nonce: Vec<u8>,
}

impl Greeting {
    /// Whether TLS is offered.
    pub fn offers_tls(&self) -> bool {
        self.capabilities & CLIENT_SSL != 0
    }
}

/// An error of the server's, without its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Its number.
    pub code: u16,
}

/// An answer to a login or to a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done.
    Ok,
    /// Refused.
    Error(Problem),
    /// The account proves itself in another way.
    Switch {
        /// Which.
        plugin: String,
        /// What the proof is made with.
        nonce: Vec<u8>,
    },
    /// The proof goes on.
    More(Vec<u8>),
    /// Rows with so many columns follow, after the columns themselves.
    Columns(usize),
    /// The server wants a file of ours.
    File,
}

/// What follows the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A row of texts.
    Row(Vec<Option<String>>),
    /// No more rows, and so many warnings.
    End(u16),
    /// The server broke off.
    Error(Problem),
}

/// The length and the number that the head of a packet tells.
pub fn head(head: [u8; 4]) -> (usize, u8) {
    let [low, middle, high, number] = head;
    (usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16, number)
}

/// A packet of this number; longer bodies than one packet holds are not ours to send.
pub fn packet(number: u8, body: &[u8]) -> Result<Vec<u8>, WireError> {
    let length = u32::try_from(body.len()).ok().filter(|length| *length <= LARGEST);
    let [low, middle, high, _] = length.ok_or(WireError::TooLarge("packet of MySQL"))?.to_le_bytes();
    let mut packet = vec![low, middle, high, number];
    packet.extend_from_slice(body);
    Ok(packet)
}

/// Reads the first packet of a server.
///
/// # Errors
/// Where it is not one of MySQL's.
pub fn first(body: &[u8]) -> Result<First, WireError> {
    let mut reader = Reader::new(body, "greeting of MySQL");
    match reader.u8()? {
        0xFF => Ok(First::Error(problem(&mut reader)?)),
        0x0A => greeting(&mut reader).map(First::Greeting),
        _ => Err(reader.malformed()),
    }
}

fn greeting(reader: &mut Reader<'_>) -> Result<Greeting, WireError> {
    let version = text(reader)?;
    let thread = u32::from_le_bytes(reader.array()?);
    let mut nonce = reader.take(8)?.to_vec();
    reader.take(1)?;
    let mut capabilities = u32::from(u16::from_le_bytes(reader.array()?));
    let mut plugin = String::new();
    if !reader.rest().is_empty() {
        reader.take(3)?;
        capabilities |= u32::from(u16::from_le_bytes(reader.array()?)) << 16;
        let length = usize::from(reader.u8()?);
        reader.take(10)?;
        let rest = reader.take(length.saturating_sub(8).max(13).min(reader.rest().len()))?;
        // The last of these bytes is a zero that belongs to no nonce.
        nonce.extend_from_slice(rest.strip_suffix(&[0]).unwrap_or(rest));
        if capabilities & PLUGIN_AUTH != 0 {
            plugin = lossy(reader.rest().split(|byte| *byte == 0).next().unwrap_or_default());
        }
    }
    if capabilities & PROTOCOL_41 == 0 || capabilities & SECURE_CONNECTION == 0 {
        return Err(WireError::Malformed("greeting of MySQL: older than version 4.1"));
    }
    let mariadb = version.to_ascii_lowercase().contains("mariadb");
    let version = version.strip_prefix("5.5.5-").filter(|_| mariadb).unwrap_or(&version).to_owned();
    Ok(Greeting { version, mariadb, thread, capabilities, plugin, nonce })
}

/// The request for TLS.
pub fn tls_request() -> Vec<u8> {
    let mut body = (FLAGS | CLIENT_SSL).to_le_bytes().to_vec();
    body.extend_from_slice(&LARGEST.to_le_bytes());
    body.push(CHARSET);
    body.resize(32, 0);
    body
}

/// The login of this user with this proof; `tls` where the session is inside TLS.
///
/// # Errors
/// Where the name cannot be said.
pub fn login(user: &str, plugin: &str, proof: &[u8], tls: bool) -> Result<Vec<u8>, WireError> {
    let mut body = tls_request();
    if !tls && let Some(flags) = body.first_chunk_mut::<4>() {
        *flags = FLAGS.to_le_bytes();
    }
    if user.contains('\0') || user.len() > 320 {
        return Err(WireError::Malformed("name of a user"));
    }
    body.extend_from_slice(user.as_bytes());
    body.push(0);
    body.push(u8::try_from(proof.len()).map_err(|_| WireError::TooLarge("proof"))?);
    body.extend_from_slice(proof);
    body.extend_from_slice(plugin.as_bytes());
    body.push(0);
    Ok(body)
}

/// Reads an answer to a login.
///
/// # Errors
/// Where it is none.
pub fn login_reply(body: &[u8]) -> Result<Reply, WireError> {
    let mut reader = Reader::new(body, "answer to a login of MySQL");
    match reader.u8()? {
        0x00 => Ok(Reply::Ok),
        0x01 => Ok(Reply::More(reader.rest().to_vec())),
        0xFF => Ok(Reply::Error(problem(&mut reader)?)),
        // A lone byte asks for the oldest proof there is.
        0xFE if reader.rest().is_empty() => {
            Ok(Reply::Switch { plugin: "mysql_old_password".to_owned(), nonce: Vec::new() })
        }
        0xFE => {
            let plugin = text(&mut reader)?;
            let nonce = reader.rest();
            Ok(Reply::Switch { plugin, nonce: nonce.strip_suffix(&[0]).unwrap_or(nonce).to_vec() })
        }
        _ => Err(reader.malformed()),
    }
}

/// Reads the first packet of an answer to a query.
///
/// # Errors
/// Where it is none.
pub fn query_reply(body: &[u8]) -> Result<Reply, WireError> {
    let mut reader = Reader::new(body, "answer to a query of MySQL");
    match body.first() {
        Some(0x00) => Ok(Reply::Ok),
        Some(0xFB) => Ok(Reply::File),
        Some(0xFF) => {
            reader.u8()?;
            Ok(Reply::Error(problem(&mut reader)?))
        }
        _ => match length(&mut reader)? {
            Some(columns @ 1..=4096) if reader.rest().is_empty() => {
                Ok(Reply::Columns(usize::try_from(columns).unwrap_or_default()))
            }
            _ => Err(reader.malformed()),
        },
    }
}

/// Whether a packet ends a list.
pub fn is_end(body: &[u8]) -> bool {
    body.first() == Some(&0xFE) && body.len() < 9
}

/// Reads what follows the columns.
///
/// # Errors
/// Where it is no row of so many columns.
pub fn line(body: &[u8], columns: usize) -> Result<Line, WireError> {
    let mut reader = Reader::new(body, "row of MySQL");
    match body.first() {
        Some(0xFF) => {
            reader.u8()?;
            return Ok(Line::Error(problem(&mut reader)?));
        }
        Some(0xFE) if is_end(body) => {
            reader.u8()?;
            return Ok(Line::End(u16::from_le_bytes(reader.array()?)));
        }
        _ => {}
    }
    let mut row = Vec::with_capacity(columns.min(64));
    for _ in 0..columns {
        let text = match length(&mut reader)? {
            Some(length) => {
                let length = usize::try_from(length).map_err(|_| reader.malformed())?;
                Some(lossy(reader.take(length)?))
            }
            None => None,
        };
        row.push(text);
    }
    if reader.rest().is_empty() { Ok(Line::Row(row)) } else { Err(reader.malformed()) }
}

/// A length of one to nine bytes, or none for NULL.
fn length(reader: &mut Reader<'_>) -> Result<Option<u64>, WireError> {
    Ok(match reader.u8()? {
        0xFB => None,
        0xFC => Some(u16::from_le_bytes(reader.array()?).into()),
        0xFD => {
            let [low, middle, high] = reader.array()?;
            Some(u32::from_le_bytes([low, middle, high, 0]).into())
        }
        0xFE => Some(u64::from_le_bytes(reader.array()?)),
        0xFF => return Err(reader.malformed()),
        small => Some(small.into()),
    })
}

fn problem(reader: &mut Reader<'_>) -> Result<Problem, WireError> {
    Ok(Problem { code: u16::from_le_bytes(reader.array()?) })
}

/// A text that a zero ends.
fn text(reader: &mut Reader<'_>) -> Result<String, WireError> {
    let length = reader.rest().iter().position(|byte| *byte == 0).ok_or_else(|| reader.malformed())?;
    let text = lossy(reader.take(length)?);
    reader.take(1)?;
    Ok(text)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of MariaDB 10.11, as it came from a server.
    const MARIADB: &[u8] = b"\x0a5.5.5-10.11.19-MariaDB-0+deb12u1-log\x00\x0b\x00\x00\x00&J$p,'}d\x00\xfe\xff\x08\x02\
        \x00\xff\x81\x15\x00\x00\x00\x00\x00\x00\x1d\x00\x00\x00[{yo@2u{+_}x\x00mysql_native_password\x00";

    fn greeted(body: &[u8]) -> Greeting {
        match first(body).unwrap() {
            First::Greeting(greeting) => greeting,
            First::Error(problem) => panic!("{problem:?}"),
        }
    }

    #[test]
    fn a_greeting_of_mariadb() {
        let greeting = greeted(MARIADB);
        assert_eq!(greeting.version, "10.11.19-MariaDB-0+deb12u1-log");
        assert!(greeting.mariadb && greeting.offers_tls());
        assert_eq!((greeting.thread, greeting.plugin.as_str()), (11, "mysql_native_password"));
        assert_eq!(greeting.nonce, b"&J$p,'}d[{yo@2u{+_}x");
    }

    #[test]
    fn every_cut_of_a_greeting_is_an_error_or_shorter() {
        for end in 0..MARIADB.len() {
            let _ = first(&MARIADB[..end]);
        }
        assert_eq!(first(b"\xff\x10\x04#08004Too many").unwrap(), First::Error(Problem { code: 1040 }));
        assert!(first(b"SSH-2.0-OpenSSH").is_err());
        assert!(first(b"").is_err());
    }

    #[test]
    fn the_login_has_its_fields_where_they_belong() {
        let body = login("audit", "mysql_native_password", &[7; 20], false).unwrap();
        assert_eq!(&body[..4], &FLAGS.to_le_bytes());
        assert_eq!(&body[32..39], b"audit\0\x14");
        assert!(body.ends_with(b"mysql_native_password\0"));
        assert_eq!(&login("a", "p", &[], true).unwrap()[..4], &(FLAGS | CLIENT_SSL).to_le_bytes());
        assert!(login("a\0b", "p", &[], true).is_err());
        assert!(login("a", "p", &[0; 300], true).is_err());
        assert_eq!(packet(3, b"abc").unwrap(), b"\x03\0\0\x03abc");
        assert_eq!(head([3, 0, 0, 3]), (3, 3));
    }

    #[test]
    fn answers_to_a_login() {
        assert_eq!(login_reply(b"\0\0\0\x02\0\0\0").unwrap(), Reply::Ok);
        assert_eq!(login_reply(b"\xff\x15\x04#28000no").unwrap(), Reply::Error(Problem { code: 1045 }));
        let switch = Reply::Switch { plugin: "caching_sha2_password".into(), nonce: b"abc".to_vec() };
        assert_eq!(login_reply(b"\xfecaching_sha2_password\0abc\0").unwrap(), switch);
        assert_eq!(login_reply(b"\x01\x04").unwrap(), Reply::More(vec![4]));
        assert!(matches!(login_reply(b"\xfe").unwrap(), Reply::Switch { .. }));
        assert!(login_reply(b"\x77").is_err() && login_reply(b"").is_err() && login_reply(b"\xfeabc").is_err());
    }

    #[test]
    fn rows_are_texts_or_null() {
        assert_eq!(query_reply(b"\x02").unwrap(), Reply::Columns(2));
        assert_eq!(query_reply(b"\xfb/etc/passwd").unwrap(), Reply::File);
        assert!(query_reply(b"\xfd\xff\xff\xff").is_err());
        let row = Line::Row(vec![Some("ab".into()), None]);
        assert_eq!(line(b"\x02ab\xfb", 2).unwrap(), row);
        assert_eq!(line(b"\xfe\x03\0\x02\0", 2).unwrap(), Line::End(3));
        assert_eq!(line(b"\xff\xb1\x07#70100", 2).unwrap(), Line::Error(Problem { code: 1969 }));
        for bad in [b"\x05ab".as_slice(), b"\x02ab", b"\x02abc\xfb", b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\0", b""] {
            assert!(line(bad, 2).is_err(), "{bad:?}");
        }
    }
}
