//! `tls.reverification`: whether a known endpoint still answers as it did. Never a full look.

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `tls.reverification`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reverification {
    /// When the full look that it is compared with was made; RFC 3339.
    pub seen: String,
    /// The ids of the observations that it is compared with.
    pub basis: Vec<String>,
    /// What was asked: a few hellos, which cannot show everything that a full look shows.
    pub questions: Vec<Question>,
    /// Every answer is as it was. Unknown where one is not known and none differs.
    pub unchanged: Fact<bool>,
    /// The connections that it took.
    pub connections: u32,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// What is asked, for example `first choice`.
    pub name: String,
    /// What the stored facts lead one to expect.
    pub expected: String,
    /// What was answered.
    pub seen: Fact<String>,
    /// Whether they are the same.
    pub same: Fact<bool>,
}
