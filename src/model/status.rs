//! The words a judgement ends in.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How one check ended for one item. Missing evidence is [`Status::NotEvaluated`], never a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The evidence is complete and the rule holds.
    Pass,
    /// The evidence shows the rule broken.
    Fail,
    /// The evaluation itself broke.
    Error,
    /// Evidence is absent, failed or expired.
    NotEvaluated,
    /// The check does not concern this target, for a stated reason.
    NotApplicable,
    /// A person must decide.
    NeedsReview,
}

impl Status {
    /// The word used in every output, for example `not-evaluated`.
    pub fn word(self) -> &'static str {
        match self {
            Status::Pass => "pass",
            Status::Fail => "fail",
            Status::Error => "error",
            Status::NotEvaluated => "not-evaluated",
            Status::NotApplicable => "not-applicable",
            Status::NeedsReview => "needs-review",
        }
    }

    /// True for the statuses that leave a verdict open: evidence is missing or a person must decide.
    pub fn is_open(self) -> bool {
        matches!(self, Status::Error | Status::NotEvaluated | Status::NeedsReview)
    }
}

/// How much a failure matters, least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Of little weight.
    Low,
    /// Of some weight.
    Medium,
    /// Of great weight.
    High,
    /// To be mended at once.
    Critical,
}

impl Severity {
    /// The word used in every output.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }

    /// The severity of this word, if it is one of the five.
    pub fn parse(word: &str) -> Option<Severity> {
        Some(match word {
            "info" => Severity::Info,
            "low" => Severity::Low,
            "medium" => Severity::Medium,
            "high" => Severity::High,
            "critical" => Severity::Critical,
            _ => return None,
        })
    }
}
