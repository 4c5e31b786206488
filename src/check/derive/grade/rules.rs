//! The numbers of the rating guide, read from `checks/profiles/grade.yaml`.

use serde::Deserialize;
use std::collections::BTreeMap;

/// The rating guide's numbers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The revision.
    pub rules_version: String,
    /// Protocol name to score.
    pub protocols: BTreeMap<String, f64>,
    /// Steps by RSA-equivalent bits.
    pub key_exchange: Vec<Step>,
    /// Steps by nominal key length.
    pub cipher: Vec<Step>,
    /// Per cent of each category.
    pub weights: Weights,
    /// Letters, best first.
    pub letters: Vec<Letter>,
    /// Seconds from which HSTS is long.
    pub hsts_long: u64,
    /// Caps, harshest first.
    pub caps: Vec<CapRule>,
}

/// A score for values below a bound.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The bound; none on the last step.
    #[serde(default)]
    pub below: Option<u32>,
    /// The score.
    pub score: f64,
}

/// Per cent of each category.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Protocol support.
    pub protocol: f64,
    /// Key exchange.
    pub key_exchange: f64,
    /// Cipher strength.
    pub cipher: f64,
}

/// A letter and the total it starts at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    /// The least total.
    pub from: f64,
    /// The letter.
    pub letter: String,
}

/// A cap's limit.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CapRule {
    /// The code.
    pub code: String,
    /// The best letter still possible.
    pub limit: String,
}

impl Rules {
    /// The score of a value by steps.
    pub fn step(steps: &[Step], value: u32) -> f64 {
        steps.iter().find(|step| step.below.is_none_or(|below| value < below)).map_or(0.0, |step| step.score)
    }

    /// The letter of a total.
    pub fn letter(&self, total: f64) -> &str {
        self.letters.iter().find(|letter| total >= letter.from).map_or("F", |letter| &letter.letter)
    }
}
