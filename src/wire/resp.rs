//! The protocol of Redis and Valkey in the form that every version speaks unasked (RESP2): commands out, values in.
//!
//! The words of an error are read where they name its kind; what follows them, which can hold values, never is.

use super::WireError;

/// The deepest nesting that is taken.
const DEPTH: usize = 8;
/// The most values of one answer.
const VALUES: usize = 200_000;
/// The longest line: a status, an error or a number.
const LINE: usize = 4096;
/// The longest text.
const TEXT: usize = 4 << 20;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A status or a text.
    Text(Vec<u8>),
    /// An error, by its first word: `NOPERM`, `WRONGPASS`, `ERR`, ….
    Error(Problem),
    /// A number.
    Number(i64),
    /// Nothing.
    Null,
    /// Values in their order.
    List(Vec<Value>),
}

/// What an error says, without what it says it of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A login is asked for.
    NoAuth,
    /// The user or the password is not accepted.
    WrongPass,
    /// The account may not run this.
    NoPermission,
    /// Protected mode: clients of other machines are sent away.
    Protected,
    /// There is no such command or subcommand.
    UnknownCommand,
    /// No connection is left.
    Full,
    /// The server cannot answer now: it loads, is busy, or has lost its source.
    Busy,
    /// Another error.
    Other,
}

impl Problem {
    fn of(line: &[u8]) -> Problem {
        let is = |words: &[u8]| line.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words));
        match () {
            () if is(b"NOAUTH") => Problem::NoAuth,
            () if is(b"WRONGPASS") || is(b"ERR invalid password") || is(b"ERR Client sent AUTH") => Problem::WrongPass,
            // Versions 6 and later say so where the account `default` has no password to compare with.
            () if is(b"ERR AUTH <password> called without any password") => Problem::WrongPass,
            () if is(b"NOPERM") => Problem::NoPermission,
            () if is(b"DENIED") => Problem::Protected,
            () if is(b"ERR unknown command") || is(b"ERR unknown subcommand") => Problem::UnknownCommand,
            () if is(b"ERR max number of clients") => Problem::Full,
            () if is(b"LOADING") || is(b"BUSY") || is(b"MASTERDOWN") || is(b"CLUSTERDOWN") => Problem::Busy,
            () => Problem::Other,
        }
    }
}

/// A command as a server reads it.
pub fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n", word.len()).into_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Puts values together from bytes in pieces.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    at: usize,
    open: Vec<(usize, Vec<Value>)>,
    values: usize,
}

impl Reader {
    /// Nothing is read yet.
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Takes further bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.at.min(self.buffer.len()));
        self.at = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole value, where it is here.
    ///
    /// # Errors
    /// Where the bytes are none of this protocol, or go beyond a limit.
    pub fn value(&mut self) -> Result<Option<Value>, WireError> {
        loop {
            let Some(mut value) = self.single()? else { return Ok(None) };
            loop {
                match self.open.last_mut() {
                    None => {
                        self.values = 0;
                        return Ok(Some(value));
                    }
                    Some((left, values)) => {
                        values.push(value);
                        *left = left.saturating_sub(1);
                        if *left > 0 {
                            break;
                        }
                        value = Value::List(self.open.pop().map(|(_, values)| values).unwrap_or_default());
                    }
                }
            }
        }
    }

    /// The next value that holds no further ones; lists are opened on the way.
    fn single(&mut self) -> Result<Option<Value>, WireError> {
        const WHAT: &str = "answer of Redis";
        loop {
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            let Some(end) = rest.iter().take(LINE).position(|byte| *byte == b'\n') else {
                return if rest.len() >= LINE { Err(WireError::TooLarge("line of Redis")) } else { Ok(None) };
            };
            let line = rest.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(WireError::Malformed(WHAT))?;
            let (kind, body) = line.split_first().ok_or(WireError::Malformed(WHAT))?;
            let number = || {
                let text = std::str::from_utf8(body).map_err(|_| WireError::Malformed(WHAT))?;
                text.parse::<i64>().map_err(|_| WireError::Malformed(WHAT))
            };
            let value = match kind {
                b'+' => Value::Text(body.to_vec()),
                b'-' => Value::Error(Problem::of(body)),
                b':' => Value::Number(number()?),
                b'$' | b'*' if number()? == -1 => Value::Null,
                b'$' => {
                    let length = usize::try_from(number()?).map_err(|_| WireError::Malformed(WHAT))?;
                    if length > TEXT {
                        return Err(WireError::TooLarge("text of Redis"));
                    }
                    let Some(text) = rest.get(end + 1..end + 3 + length) else { return Ok(None) };
                    let text = text.strip_suffix(b"\r\n").ok_or(WireError::Malformed(WHAT))?.to_vec();
                    self.at += end + 3 + length;
                    return self.counted(Value::Text(text)).map(Some);
                }
                b'*' => {
                    let count = usize::try_from(number()?).map_err(|_| WireError::Malformed(WHAT))?;
                    if count > VALUES || self.open.len() >= DEPTH {
                        return Err(WireError::TooLarge("list of Redis"));
                    }
                    self.at += end + 1;
                    if count == 0 {
                        return self.counted(Value::List(Vec::new())).map(Some);
                    }
                    self.open.push((count, Vec::new()));
                    continue;
                }
                _ => return Err(WireError::Malformed(WHAT)),
            };
            self.at += end + 1;
            return self.counted(value).map(Some);
        }
    }

    fn counted(&mut self, value: Value) -> Result<Value, WireError> {
        self.values += 1;
        if self.values > VALUES { Err(WireError::TooLarge("answer of Redis")) } else { Ok(value) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<Value>, WireError> {
        let mut reader = Reader::new();
        let mut last = Ok(None);
        // Byte by byte, so that every border is met.
        for byte in bytes {
            reader.push(&[*byte]);
            last = reader.value();
            if !matches!(last, Ok(None)) {
                break;
            }
        }
        last
    }

    #[test]
    fn values_come_together_from_single_bytes() {
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        assert_eq!(read(b"+PONG\r\n"), Ok(Some(text("PONG"))));
        assert_eq!(read(b"$5\r\na\r\nbc\r\n"), Ok(Some(text("a\r\nbc"))));
        assert_eq!(read(b"$-1\r\n"), Ok(Some(Value::Null)));
        assert_eq!(read(b":-2\r\n"), Ok(Some(Value::Number(-2))));
        assert_eq!(read(b"*0\r\n"), Ok(Some(Value::List(vec![]))));
        let nested = Value::List(vec![text("0"), Value::List(vec![text("a"), Value::Null]), Value::List(vec![])]);
        assert_eq!(read(b"*3\r\n$1\r\n0\r\n*2\r\n+a\r\n*-1\r\n*0\r\n"), Ok(Some(nested)));
        assert_eq!(read(b"*2\r\n+a\r\n"), Ok(None));
    }

    #[test]
    fn errors_are_told_by_their_kind_alone() {
        for (line, problem) in [
            ("NOAUTH Authentication required.", Problem::NoAuth),
            ("WRONGPASS invalid username-password pair", Problem::WrongPass),
            ("NOPERM User x has no permissions", Problem::NoPermission),
            ("DENIED Redis is running in protected mode", Problem::Protected),
            ("ERR unknown command 'CONFIG'", Problem::UnknownCommand),
            ("ERR something of alice", Problem::Other),
        ] {
            assert_eq!(read(format!("-{line}\r\n").as_bytes()), Ok(Some(Value::Error(problem))));
        }
    }

    #[test]
    fn what_is_no_redis_or_too_much_is_an_error() {
        for bytes in [
            b"HTTP/1.1 400 Bad Request\r\n".as_slice(),
            b"+a\n",
            b"$x\r\n",
            b"$-2\r\n",
            b"*99999999999\r\n",
            b"$999999999\r\n",
            b"$1\r\nabc",
            b"\r\n",
            b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
        assert!(read(&[b'+'; LINE + 1]).is_err());
    }

    #[test]
    fn a_command_is_written_with_its_lengths() {
        assert_eq!(command(&[b"GET", b"a b"]), b"*2\r\n$3\r\nGET\r\n$3\r\na b\r\n");
    }
}
