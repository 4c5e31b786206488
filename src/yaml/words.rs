//! The YAML crate's errors in the words of the person who wrote the file.

use super::{Diagnostic, Document, MAX_ANCHORS, MAX_DEPTH, MAX_NODES, nearest};
use serde_yaml::{Error, Location, MessageFormatter as _, UserMessageFormatter};
use std::ops::Range;

/// The message, the label and the help of a mistake.
struct Words {
    message: String,
    label: Option<String>,
    help: Option<String>,
}

impl From<String> for Words {
    fn from(message: String) -> Words {
        Words { message, label: None, help: None }
    }
}

impl From<&str> for Words {
    fn from(message: &str) -> Words {
        message.to_owned().into()
    }
}

impl Words {
    fn help(mut self, help: impl Into<String>) -> Words {
        self.help = Some(help.into());
        self
    }
}

/// The diagnostic of an error in this document.
pub(super) fn diagnose(document: &Document, error: &Error) -> Diagnostic {
    let error_place = error.location().map(|location| place(document, &location));
    let error = innermost(error);
    let span = match (error, error_place) {
        (Error::SerdeMissingField { .. }, Some(span)) => Some(document.mapping(span.start).unwrap_or(span)),
        (Error::ExternalMessage { .. }, Some(span)) => Some(tab(document.text(), span.start).unwrap_or(span)),
        (_, span) => span,
    };
    let hidden = span.as_ref().is_some_and(|span| document.covers_hidden(span));
    let words = match error {
        // A message of the type's own may quote the value.
        Error::Message { .. } if hidden => Words::from("the value is not accepted here"),
        _ => words(document, error, span.as_ref()),
    };
    let mut diagnostic = match span {
        Some(span) => document.mistake(&span, words.message),
        None => Diagnostic::of_file(document.file(), words.message),
    };
    diagnostic.label = words.label;
    diagnostic.help = words.help;
    diagnostic
}

fn innermost(mut error: &Error) -> &Error {
    while let Error::AliasError { error: inner, .. } | Error::WithSnippet { error: inner, .. } = error {
        error = inner;
    }
    error
}

/// The bytes that an error means: the whole word where it stands at one.
fn place(document: &Document, location: &Location) -> Range<usize> {
    let text = document.text();
    let start = location.span().byte_offset().and_then(|at| usize::try_from(at).ok()).unwrap_or_else(|| {
        let line = usize::try_from(location.line()).unwrap_or(1).saturating_sub(1);
        let column = usize::try_from(location.column()).unwrap_or(1).saturating_sub(1);
        let line_start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
        let rest = text.get(line_start..).unwrap_or_default();
        line_start + rest.chars().take(column).map(char::len_utf8).sum::<usize>()
    });
    let start = start.min(text.len());
    if let Some(token) = document.token(start) {
        return token;
    }
    let length = location.span().byte_len().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    start..start.saturating_add(length).min(text.len())
}

fn words(document: &Document, error: &Error, span: Option<&Range<usize>>) -> Words {
    match error {
        Error::SerdeUnknownField { field, expected, .. } => unknown("key", field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => unknown("word", variant, expected),
        Error::SerdeMissingField { field, .. } => Words {
            label: Some("in the mapping that starts here".to_owned()),
            ..Words::from(format!("missing key `{field}`")).help(format!("add  {field}:  with its value"))
        },
        Error::DuplicateMappingKey { key, .. } => Words {
            label: Some("the second one".to_owned()),
            ..match key {
                Some(key) => Words::from(format!("repeated key `{}`", cut(key))),
                None => Words::from("repeated key"),
            }
        }
        .help("a key may stand once in a mapping: join the two, or take one out"),
        Error::SerdeInvalidType { unexpected, expected, .. } => mismatch(unexpected, expected),
        Error::SerdeInvalidValue { unexpected, expected, .. } => mismatch(unexpected, expected),
        Error::SerdeInvalidLength { len, expected, .. } => {
            format!("{len} items, but expected {}", noun(expected)).into()
        }
        Error::Unexpected { expected, .. } => form(&noun(expected), ""),
        Error::InvalidScalar { ty, .. } => form(&noun(ty), ""),
        Error::UnsupportedTag { tag, .. } => {
            Words::from(format!("the tag `{}` is not read", cut(tag))).help("write the value itself, without a tag")
        }
        Error::InvalidBooleanStrict { .. } => Words::from("expected true or false").help("write  true  or  false"),
        Error::NullIntoString { .. } => {
            Words::from("expected a text, found nothing").help("write a value after the colon")
        }
        Error::Message { msg, .. } | Error::SerdeVariantId { msg, .. } => custom(msg),
        Error::ExternalMessage { .. } => syntax(document, error, span),
        Error::MultipleDocuments { .. } => {
            Words::from("a second document starts here").help("write one document a file")
        }
        Error::MergeKeyNotAllowed { .. } => Words::from("merge keys (`<<`) are not read").help("write the keys out"),
        Error::Eof { .. } => "the file is empty".into(),
        Error::Budget { .. }
        | Error::AliasReplayCounterOverflow { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => limit(error),
        other => UserMessageFormatter.format_message(other).into_owned().into(),
    }
}

fn unknown(what: &str, word: &str, expected: &[&'static str]) -> Words {
    let label = match nearest(word, expected.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "not known here".to_owned(),
    };
    let known = expected.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let help = match expected {
        [] => format!("no {what} may stand here"),
        [_] => format!("only {known} may stand here"),
        _ => format!("known {what}s here: {known}"),
    };
    Words { message: format!("unknown {what} `{}`", cut(word)), label: Some(label), help: Some(help) }
}

fn mismatch(unexpected: &str, expected: &str) -> Words {
    // The value itself is left out: it stands under the caret, unless it is a secret.
    let found = match unexpected.split([' ', '`']).next().unwrap_or_default() {
        "string" => "a text",
        "integer" => "a whole number",
        "floating" => "a number",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "a mapping",
        "unit" | "null" | "Option" => "nothing",
        _ => "something else",
    };
    form(&noun(expected), &format!(", found {found}"))
}

/// What was expected, with how it is written where that is no matter of course.
fn form(expected: &str, found: &str) -> Words {
    let words = Words::from(format!("expected {expected}{found}"));
    match expected {
        "a list" => words.help("write a list in brackets, or a line that starts with `- ` for each item"),
        "a mapping" => words.help("write keys with their values, for example  { key: value }"),
        _ => words,
    }
}

/// What serde or the YAML crate expected, in plain words.
fn noun(expected: &str) -> String {
    match expected {
        "string scalar" | "a string" | "string" => "a text".to_owned(),
        "sequence start" | "a sequence" => "a list".to_owned(),
        "mapping start" | "a map" | "mapping" => "a mapping".to_owned(),
        "boolean" | "a boolean" => "true or false".to_owned(),
        "floating point" | "f64" => "a number".to_owned(),
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65535".to_owned(),
        "u32" | "u64" | "usize" => "a whole number, not below zero".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        other if other.starts_with("struct ") => "a mapping".to_owned(),
        other if other.starts_with("enum ") || other.starts_with("variant ") => "one of the known words".to_owned(),
        other => cut(other),
    }
}

/// A message of the type's own, of which the help is guessed.
fn custom(message: &str) -> Words {
    let words = Words::from(cut(message));
    let date = ["date", "day", "month"].iter().any(|noun| message.contains(noun)) && !message.contains("type of time");
    match date && !message.contains("help") {
        true => words.help("write a date that exists as year, month and day, for example  2026-11-23"),
        false => words,
    }
}

/// The tab that indents the line of this byte or the next line, which a parser finds out too late.
fn tab(text: &str, offset: usize) -> Option<Range<usize>> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |at| at + 1);
    let mut line_start = start;
    for line in text.get(start..)?.split_inclusive('\n').take(2) {
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if let Some(at) = line.get(..indent).and_then(|indent| indent.find('\t')) {
            return Some(line_start + at..line_start + at + 1);
        }
        line_start += line.len();
    }
    None
}

fn syntax(document: &Document, error: &Error, span: Option<&Range<usize>>) -> Words {
    let reason = UserMessageFormatter.format_message(error).into_owned();
    let words = Words::from(format!("this is not YAML: {}", cut(&reason)));
    let text = document.text();
    let at = span.map_or(0, |span| span.start);
    let line_start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |n| n + 1);
    let line = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    if tab(text, at).is_some() || reason.contains("tab") {
        words.help("indent with spaces: YAML does not allow a tab there")
    } else if line.contains(": ") && !line.contains(['"', '\'']) {
        words.help("look at the indentation and the brackets, and put a text that holds `: ` or ` #` in quotes")
    } else {
        words.help("look at the indentation, the brackets and the quotes up to here")
    }
}

fn limit(error: &Error) -> Words {
    use serde_yaml::budget::BudgetBreach;
    match error {
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            format!("nested deeper than {MAX_DEPTH} levels").into()
        }
        Error::Budget { breach: BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. }, .. } => {
            Words::from(format!("more than {MAX_NODES} values in one file, counting what aliases repeat"))
                .help("split the file, and write values out instead of repeating them by alias")
        }
        Error::Budget { breach: BudgetBreach::Documents { .. }, .. } => {
            Words::from("a second document starts here").help("write one document a file")
        }
        Error::Budget { breach: BudgetBreach::ScalarBytes { .. }, .. } => "the texts in the file are too long".into(),
        _ => Words::from(format!(
            "more aliases than are read (at most {MAX_ANCHORS} anchors and aliases, without growth)"
        ))
        .help("write the values out instead of repeating them by alias"),
    }
}

/// A text on one line and of bounded length, fit for a message.
fn cut(text: &str) -> String {
    const LONGEST: usize = 160;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if line.chars().count() < text.chars().count() { line + "…" } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_for_dates_is_given_for_dates_alone() {
        assert!(custom("`2026-02-30` is no day of the calendar").help.is_some());
        assert_eq!(custom("this is not a type of time; they are timestamptz, date").help, None);
    }
}
