//! Lines, and replies made of them.

use super::super::WireError;

/// A reply of lines that begin with a number.
pub struct Coded<'a> {
    /// The number.
    pub code: u16,
    /// What follows it, line by line.
    pub lines: Vec<&'a [u8]>,
    /// How many bytes it takes.
    pub length: usize,
}

/// The whole lines, without their ends, each with the number of bytes up to and with its end.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], usize)> {
    let mut end = 0;
    bytes.split_inclusive(|byte| *byte == b'\n').filter_map(move |line| {
        end += line.len();
        let text = line.strip_suffix(b"\n")?;
        Some((text.strip_suffix(b"\r").unwrap_or(text), end))
    })
}

/// The words of a line.
pub fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// Whether a word is this one, in capitals or not.
pub fn is(word: &[u8], other: &str) -> bool {
    word.eq_ignore_ascii_case(other.as_bytes())
}

/// Whether a line begins with this, in capitals or not.
pub fn begins(line: &[u8], start: &str) -> bool {
    line.get(..start.len()).is_some_and(|begin| is(begin, start))
}

/// Whether bytes hold these.
pub fn holds(bytes: &[u8], what: &str) -> bool {
    find(bytes, what).is_some()
}

/// Where these bytes begin.
pub fn find(bytes: &[u8], what: &str) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what.as_bytes())
}

/// The number at the front of a line, and whether it is a last line.
fn code(line: &[u8]) -> Option<(u16, bool)> {
    let digits = line.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let number = digits.iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    match line.get(3) {
        None | Some(b' ') => Some((number, true)),
        Some(b'-') => Some((number, false)),
        Some(_) => None,
    }
}

/// A reply whose last line has the number of its first one, and a space behind it.
///
/// # Errors
/// When the first line has no number.
pub fn coded(bytes: &[u8]) -> Result<Option<Coded<'_>>, WireError> {
    let mut first = None;
    let mut texts = Vec::new();
    for (line, end) in lines(bytes) {
        let this = code(line);
        texts.push(line.get(4..).unwrap_or_default());
        let number = match (first, this) {
            (None, None) => return Err(not_a_reply()),
            (None, Some((number, _))) => number,
            (Some(number), _) => number,
        };
        if this == Some((number, true)) {
            return Ok(Some(Coded { code: number, lines: texts, length: end }));
        }
        first = Some(number);
    }
    Ok(None)
}

/// The lines up to one with nothing but a dot, and how many bytes they take with it.
pub fn dotted(bytes: &[u8]) -> Option<(Vec<&[u8]>, usize)> {
    let mut texts = Vec::new();
    for (line, end) in lines(bytes) {
        if line == b"." {
            return Some((texts, end));
        }
        texts.push(line);
    }
    None
}

/// What came is no reply of the protocol.
pub fn not_a_reply() -> WireError {
    WireError::Malformed("answer in the dialogue before TLS")
}
