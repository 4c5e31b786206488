//! Answers of a server of databases: rows of texts, and the facts in them.

use crate::model::{Fact, Reason, Trouble};

/// A row: texts, or null.
pub type Row = Vec<Option<String>>;

/// A text of a row that may not be null.
pub fn text(row: &Row, index: usize) -> Result<String, Trouble> {
    row.get(index)
        .cloned()
        .flatten()
        .ok_or_else(|| Trouble::new(Reason::ProtocolViolation, "an answer lacks a value that it must have"))
}

/// A server's text as a fact: without control characters, and of bounded length.
pub fn clean(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// A number of a row.
pub fn number(row: &Row, index: usize) -> Result<u64, Trouble> {
    let text = text(row, index)?;
    text.parse().map_err(|_| Trouble::new(Reason::ProtocolViolation, "an answer has no number where one must be"))
}

/// A fact from an answer, or the reason why it is unknown with the grant that would show it.
pub fn fact<T>(answer: Result<T, Trouble>, grant: &str) -> Fact<T> {
    match answer {
        Ok(value) => Fact::Known(value),
        Err(trouble) if trouble.reason == Reason::PermissionDenied => Fact::unknown(format!("{trouble}; {grant}")),
        Err(trouble) => Fact::unknown(trouble.to_string()),
    }
}

/// The fact that follows from a fact.
pub fn map<T, U>(fact: &Fact<T>, follow: impl FnOnce(&T) -> U) -> Fact<U> {
    match fact {
        Fact::Known(value) => Fact::Known(follow(value)),
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    }
}
