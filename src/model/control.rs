//! Frameworks, their controls, and what the evidence says of each.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A control framework: titles are our own short paraphrases.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    /// For example `soc2`.
    pub id: String,
    /// For people.
    pub name: String,
    /// Which edition the identifiers are of.
    pub edition: String,
    /// Control id to title.
    pub controls: BTreeMap<String, String>,
    /// Check id to the controls it gives evidence for.
    pub checks: BTreeMap<String, Vec<Support>>,
}

/// That a check gives evidence for a control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Support {
    /// The control's id in its framework, for example `CC6.7`.
    pub control: String,
    /// How far.
    #[serde(default)]
    pub relation: Relation,
}

/// How far a check supports a control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// It is evidence for the control.
    #[default]
    Supports,
    /// It is evidence for a part of the control.
    Partly,
}

/// A control, named over frameworks as `soc2:CC6.7`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Control {
    /// For example `soc2:CC6.7`.
    pub id: String,
    /// For example `soc2`.
    pub framework: String,
    /// Our paraphrase.
    pub title: String,
}

/// What the evidence says of a control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ControlStatus {
    /// Every result that bears on it is a pass.
    Satisfied,
    /// A result that bears on it is a fail, waived or not.
    NotSatisfied,
    /// Nothing fails, and something could not be judged.
    Indeterminate,
    /// No result bears on it.
    NotAssessed,
}

/// The roll-up of one control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ControlResult {
    /// The control.
    pub control: Control,
    /// What the evidence says.
    pub status: ControlStatus,
    /// Fingerprints of the findings against it.
    pub findings: Vec<String>,
    /// How many results bear on it, by status.
    pub coverage: Coverage,
    /// The checks that bear on it in this run.
    pub checks: Vec<String>,
    /// Whether one of them is evidence for the whole control, or all only for a part.
    pub relation: Relation,
}

/// Counts with their denominator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Results that passed.
    pub passed: u32,
    /// Results that failed.
    pub failed: u32,
    /// Results that could not be judged.
    pub open: u32,
    /// All of these together; not-applicable results are left out.
    pub total: u32,
}

impl ControlStatus {
    /// The word used in every output, for example `not-satisfied`.
    pub fn word(self) -> &'static str {
        match self {
            ControlStatus::Satisfied => "satisfied",
            ControlStatus::NotSatisfied => "not-satisfied",
            ControlStatus::Indeterminate => "indeterminate",
            ControlStatus::NotAssessed => "not-assessed",
        }
    }
}
