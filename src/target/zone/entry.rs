//! The entries of a master file: words between blanks, with quotations, escapes, comments and brackets.

use std::ops::Range;

/// The most words of an entry that are kept; the longest record that is looked into has eight.
const KEPT: usize = 8;

/// A word where it stands, escapes and all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// What stands there.
    pub text: &'a str,
    /// Where.
    pub span: Range<usize>,
}

/// One record or directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// It begins with a blank: its owner is that of the record before.
    pub blank: bool,
    /// Its first words.
    pub words: Vec<Word<'a>>,
}

/// A mistake and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

impl Fault {
    /// A mistake at a place.
    pub fn new(span: &Range<usize>, message: impl Into<String>, help: &'static str) -> Fault {
        Fault { span: span.clone(), message: message.into(), help }
    }
}

/// Reads entry by entry. After a mistake it goes on with the next line.
pub struct Entries<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Entries<'a> {
    /// Reads a text from its beginning.
    pub fn new(text: &'a str) -> Entries<'a> {
        Entries { text, at: if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 } }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// To the end of the line, without the line feed.
    fn skip_line(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    }

    fn quotation(&mut self) -> Result<Word<'a>, Fault> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break self.at += 1,
                Some(b'\\') => self.at += 2,
                Some(b'\n') | None => {
                    self.at = self.at.min(self.text.len());
                    let help = "close it with a quotation mark; one within it is written \\\"";
                    return Err(Fault::new(&(start..start + 1), "the quotation is not closed on its line", help));
                }
                Some(_) => self.at += 1,
            }
        }
        Ok(self.word(start))
    }

    fn plain(&mut self) -> Word<'a> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'(' | b')' | b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.word(start)
    }

    fn word(&mut self, start: usize) -> Word<'a> {
        // An escape may reach beyond the end, or into a character of several bytes.
        let mut end = self.at.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        self.at = end;
        Word { text: self.text.get(start..end).unwrap_or_default(), span: start..end }
    }

    fn entry(&mut self) -> Result<Entry<'a>, Fault> {
        let mut entry = Entry { blank: matches!(self.peek(), Some(b' ' | b'\t')), words: Vec::new() };
        let mut brackets = Vec::new();
        while let Some(byte) = self.peek() {
            let word = match byte {
                b'\n' if brackets.is_empty() => break,
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.at += 1;
                    continue;
                }
                b';' => {
                    self.skip_line();
                    continue;
                }
                b'(' => {
                    // Brackets within brackets mean nothing more.
                    if brackets.len() < 2 {
                        brackets.push(self.at);
                    } else {
                        return Err(self.bracket("brackets are not nested so deep"));
                    }
                    self.at += 1;
                    continue;
                }
                b')' if brackets.pop().is_none() => return Err(self.bracket("this bracket was not opened")),
                b')' => {
                    self.at += 1;
                    continue;
                }
                b'"' => self.quotation()?,
                _ => self.plain(),
            };
            if entry.words.len() < KEPT {
                entry.words.push(word);
            }
        }
        match brackets.first() {
            Some(&at) => Err(Fault::new(&(at..at + 1), "this bracket is not closed", BRACKETS)),
            None => Ok(entry),
        }
    }

    fn bracket(&self, message: &str) -> Fault {
        Fault::new(&(self.at..self.at + 1), message, BRACKETS)
    }
}

const BRACKETS: &str = "a record of several lines stands between ( and )";

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.text.len() {
            let entry = self.entry();
            if entry.is_err() {
                self.skip_line();
            }
            // The line feed.
            self.at += 1;
            match entry {
                Ok(entry) if entry.words.is_empty() => {}
                other => return Some(other),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<&str>> {
        Entries::new(text).map(|entry| entry.unwrap().words.iter().map(|word| word.text).collect()).collect()
    }

    #[test]
    fn words_quotations_comments_and_brackets_are_told_apart() {
        let text = "\u{feff}; head\r\n@ SOA a b (1 ; serial\n 2\n\t3 )\r\n\n  \nx TXT \"a;b (c\" \"d\\\"e\"\"f\" a\\;b;c\nlast";
        let expected: [&[&str]; 3] = [
            &["@", "SOA", "a", "b", "1", "2", "3"],
            &["x", "TXT", "\"a;b (c\"", "\"d\\\"e\"", "\"f\"", "a\\;b"],
            &["last"],
        ];
        assert_eq!(words(text), expected);
    }

    #[test]
    fn a_blank_at_the_beginning_is_noted() {
        let blank: Vec<bool> = Entries::new("a A\n\tA\n A\nb A").map(|entry| entry.unwrap().blank).collect();
        assert_eq!(blank, [false, true, true, false]);
    }

    #[test]
    fn mistakes_have_their_place_and_the_next_line_is_read() {
        for (text, at, words) in [
            ("a TXT \"x\nb A 1", 6, "quotation"),
            ("a ) A\nb A 1", 2, "not opened"),
            ("a ( A\nb A 1", 2, "not closed"),
            ("a \"\\", 2, "quotation"),
            ("a \\é", 2, ""),
        ] {
            let faults: Vec<Fault> = Entries::new(text).filter_map(Result::err).collect();
            assert_eq!(faults.first().map(|fault| fault.span.start), (!words.is_empty()).then_some(at), "{text}");
            assert!(faults.iter().all(|fault| fault.message.contains(words)), "{faults:?}");
        }
        assert_eq!(Entries::new("a ) A\nb A 1").filter(Result::is_ok).count(), 1);
    }
}
