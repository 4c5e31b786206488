//! `tls.grade`: the derived grade by the SSL Labs rating guide, 2009r.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The grade of one endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grade {
    /// `A+`, `A`, `A-`, `B` … `F`, `T`, `M`, or null where protocols or certificates are unknown.
    pub letter: Option<String>,
    /// The letter that the configuration alone would get.
    pub letter_ignoring_trust: Option<String>,
    /// The category scores.
    pub score: Score,
    /// A needed fact is unknown: the letter is an upper bound.
    pub provisional: bool,
    /// The facts that are unknown.
    pub incomplete: Vec<String>,
    /// What limits the letter.
    pub caps: Vec<Cap>,
    /// What makes A an A-.
    pub warnings: Vec<Note>,
    /// What keeps A from A+.
    pub not_plus: Vec<Note>,
    /// What overrides the letter with T or M, and trust findings.
    pub trust: Vec<Note>,
    /// Findings without effect on the letter.
    pub findings: Vec<Note>,
    /// The revision of the guide and of our reading of it.
    pub rules_version: String,
}

/// The category scores, each with at most two decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Protocol support, 0 to 100.
    pub protocol: f64,
    /// Key exchange, 0 to 100.
    pub key_exchange: f64,
    /// Cipher strength, 0 to 100.
    pub cipher: f64,
    /// The weighted total, 0 to 100.
    pub total: f64,
}

/// A limit on the letter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cap {
    /// For example `CAP_TLS10`.
    pub code: String,
    /// The best letter still possible.
    pub limit: String,
    /// In words.
    pub reason: String,
    /// The observations it rests on.
    pub observations: Vec<String>,
}

/// A reason code in words.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// For example `WARN_NO_TLS13`.
    pub code: String,
    /// In words.
    pub reason: String,
    /// The observations it rests on.
    pub observations: Vec<String>,
}
