//! One run, judged: what is stored, reported and gated.

use super::baseline::Known;
use super::policy::Judging;
use super::{CheckResult, ControlResult, Finding, Observation, Reason, Target};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The program that looked and judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `probity`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// When, by whom and on what ground a run was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Time and a digest of the evidence, for example `2026-11-23T13-40-05Z-7f3a90c1`.
    pub id: String,
    /// When looking began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// When looking ended; judging takes this instant for the present.
    #[schemars(with = "String")]
    pub ended: Timestamp,
    /// `manual`, `ci` or `schedule`.
    pub trigger: String,
    /// Who ran it: a user's or a CI principal's name.
    pub principal: String,
    /// The machine it ran on.
    pub host: String,
    /// The program.
    pub tool: Tool,
    /// The organisation the run is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// Digest of the configuration.
    pub config_digest: String,
    /// True when the user stopped it.
    #[serde(default)]
    pub interrupted: bool,
}

/// The form of the file that `collect` writes.
pub const EVIDENCE_SCHEMA: &str = "probity.observations/1";

/// The observations of one run with all that is needed to judge them again: the file that `collect` writes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// `probity.observations/1`.
    pub schema: String,
    /// The run.
    pub run: Run,
    /// What was to be looked at.
    pub targets: Vec<Target>,
    /// What the user decided about judging.
    pub judging: Judging,
    /// What was seen.
    pub observations: Vec<Observation>,
}

/// Something that was not evaluated, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct BlindSpot {
    /// The target's id.
    pub target: String,
    /// The address and port, or empty.
    pub part: String,
    /// Why it was not evaluated.
    pub reason: String,
    /// The checks that wait on it.
    pub checks: Vec<String>,
    /// What would bring the evidence.
    pub remedy: String,
    /// The class of the trouble behind it, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Reason>,
}

/// Where the gate ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// Exit 0.
    Passed,
    /// Exit 1.
    Failed,
    /// Exit 3.
    Inconclusive,
    /// Exit 4: only waived failures, which the caller does not allow.
    Waived,
    /// Exit 130.
    Interrupted,
}

impl Gate {
    /// The word used in every output.
    pub fn word(self) -> &'static str {
        match self {
            Gate::Passed => "passed",
            Gate::Failed => "failed",
            Gate::Inconclusive => "inconclusive",
            Gate::Waived => "waived",
            Gate::Interrupted => "interrupted",
        }
    }
}

/// Why a verdict is not conclusive, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// What was not evaluated and why, in words.
    pub text: String,
    /// What to do.
    pub remedy: Remedy,
}

/// What would settle a cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Remedy {
    /// The lines of `probity.yaml` that would accept it.
    Accept(String),
    /// The command or statement that would bring the evidence.
    Command(String),
}

impl Remedy {
    /// How many of the lines that accept something are the keys above the list.
    pub const KEYS_ABOVE: usize = 2;

    /// The lines of `probity.yaml`, where that is what settles it.
    pub fn lines(&self) -> Option<&str> {
        match self {
            Remedy::Accept(lines) => Some(lines),
            Remedy::Command(_) => None,
        }
    }

    /// The command, where that is what settles it.
    pub fn command(&self) -> Option<&str> {
        match self {
            Remedy::Accept(_) => None,
            Remedy::Command(command) => Some(command),
        }
    }
}

/// The gate's decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// The process's exit code.
    pub exit: u8,
    /// Where the gate ended.
    pub gate: Gate,
    /// In words.
    pub reason: String,
    /// Why it is not conclusive, where it is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// What the gate accepted or ignored and a reader should know, such as an allowance that nothing needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the run is beside a baseline, where one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
}

/// A run beside a baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Beside {
    /// The run that the baseline was taken from.
    pub run: String,
    /// Fingerprints of open findings that the baseline does not know, or knows as less grave.
    pub new: Vec<String>,
    /// Failures of the baseline that were judged again and are gone.
    pub fixed: Vec<Known>,
    /// Failures of the baseline of which this run says nothing certain: not judged, waived, or out of its scope.
    pub unsettled: Vec<Known>,
}

/// One run, judged. The gate decides on it, and its [`Verdict`] stands beside it, since it hangs on options.
#[derive(Clone)]
pub struct Assessment {
    /// The run.
    pub run: Run,
    /// What was looked at.
    pub targets: Vec<Target>,
    /// What the user decided about judging.
    pub judging: Judging,
    /// What was seen and derived.
    pub observations: Vec<Observation>,
    /// Every result, in the order of check, target, part and item.
    pub results: Vec<CheckResult>,
    /// Every failure and every waiver that is expired or matches nothing.
    pub findings: Vec<Finding>,
    /// The roll-up.
    pub controls: Vec<ControlResult>,
    /// What was not evaluated and why.
    pub blind_spots: Vec<BlindSpot>,
    /// Digest of all checks as they were.
    pub catalogue_digest: String,
}
