//! A mistake of the person who wrote a file: the thing, the place, the reason, the next step.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A mistake in what a person wrote. `cli` renders it with the lines around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file as the user named it.
    pub file: String,
    /// The text of the file, in which secrets are hidden; empty where there is none.
    pub source: Arc<str>,
    /// One-based line, or 0 where the mistake has no place in the text.
    pub line: u32,
    /// One-based column in characters, or 0.
    pub column: u32,
    /// The bytes of `source` that are meant.
    pub span: Option<Range<usize>>,
    /// What is wrong, as a lowercase fragment.
    pub message: String,
    /// What stands under the caret.
    pub label: Option<String>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake about a whole file, or about something that is in no file.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            file: file.into(),
            source: Arc::from(""),
            line: 0,
            column: 0,
            span: None,
            message: message.into(),
            label: None,
            help: None,
        }
    }

    /// A mistake at these bytes of a text.
    pub fn at(file: impl Into<String>, source: Arc<str>, span: Range<usize>, message: impl Into<String>) -> Diagnostic {
        let start = boundary(&source, span.start);
        let end = boundary(&source, span.end.max(start));
        let before = source.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        Diagnostic {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: u32::try_from(column).unwrap_or(u32::MAX),
            span: Some(start..end),
            source,
            ..Diagnostic::of_file(file, message)
        }
    }

    /// Says something under the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = Some(label.into());
        self
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }
}

/// The nearest character boundary at or before this offset.
fn boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.message)?,
            line => write!(f, "{}:{line}:{}: {}", self.file, self.column, self.message)?,
        }
        if let Some(label) = &self.label {
            write!(f, " ({label})")?;
        }
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Diagnostic {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_counts_lines_and_characters_from_one() {
        let source: Arc<str> = Arc::from("a: é\nbé: wrong\n");
        let start = source.find("wrong").unwrap();
        let found = Diagnostic::at("x.yaml", source, start..start + 5, "no good").label("here").help("mend it");
        assert_eq!((found.line, found.column), (2, 5));
        assert_eq!(found.to_string(), "x.yaml:2:5: no good (here); mend it");
    }

    #[test]
    fn place_beyond_the_text_or_inside_a_character_is_moved_to_a_boundary() {
        let source: Arc<str> = Arc::from("é");
        assert_eq!(Diagnostic::at("x", source.clone(), 1..9, "m").span, Some(0..2));
        assert_eq!(Diagnostic::at("x", source, 7..3, "m").span, Some(2..2));
    }
}
