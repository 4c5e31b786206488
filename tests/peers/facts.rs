//! Facts about a server in one form, whoever says them, and how two sayings differ.

use std::collections::{BTreeMap, BTreeSet};

/// The versions, oldest first.
pub const PROTOCOLS: [&str; 6] = ["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"];

/// What somebody says of a server, by the name of the fact. What is absent, they do not say.
pub type Facts = BTreeMap<String, Value>;

/// What is said of one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A word or a number.
    Word(String),
    /// Suites or groups.
    Set(BTreeSet<String>),
    /// It was asked for and could not be told, for this reason.
    Unknown(String),
}

impl From<&str> for Value {
    fn from(word: &str) -> Value {
        Value::Word(word.to_owned())
    }
}

impl From<String> for Value {
    fn from(word: String) -> Value {
        Value::Word(word)
    }
}

impl From<BTreeSet<String>> for Value {
    fn from(set: BTreeSet<String>) -> Value {
        Value::Set(set)
    }
}

/// `yes` or `no`.
pub fn said(yes: bool) -> Value {
    if yes { "yes" } else { "no" }.into()
}

/// The fact that holds the suites of a version.
pub fn suites_of(protocol: &str) -> String {
    format!("suites {protocol}")
}

impl Value {
    /// In a cell of a table.
    pub fn short(&self) -> String {
        match self {
            Value::Word(word) => word.clone(),
            Value::Set(set) if set.len() > 4 => format!("{} of them", set.len()),
            Value::Set(set) if set.is_empty() => "none".to_owned(),
            Value::Set(set) => set.iter().cloned().collect::<Vec<_>>().join(" "),
            Value::Unknown(_) => "unknown".to_owned(),
        }
    }

    /// How this saying differs from the truth, in few words; none where it does not.
    pub fn differs(&self, truth: &Value) -> Option<String> {
        match (self, truth) {
            (one, other) if one == other => None,
            (Value::Set(said), Value::Set(true_ones)) => {
                let parts = [("lacks", true_ones - said), ("adds", said - true_ones)];
                let parts = parts.into_iter().filter(|(_, set)| !set.is_empty());
                let told = parts.map(|(word, set)| match set.len() {
                    1..=3 => format!("{word} {}", set.into_iter().collect::<Vec<_>>().join(" ")),
                    count => format!("{word} {count}"),
                });
                Some(told.collect::<Vec<_>>().join("; "))
            }
            (one, _) => Some(one.short()),
        }
    }
}
