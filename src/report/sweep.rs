//! The lines of a sweep: a header, then one line of JSON a target, each whole in itself.

use super::summary::LETTERS;
use crate::model::assessment::Evidence;
use crate::model::grade::Grade;
use crate::model::tls_reverification::Reverification;
use crate::model::{Assessment, Fact, Observation, Severity, Status, Verdict};
use serde::{Deserialize, Serialize};

/// The version of this form. A field may be added under the same number, never changed or removed.
pub const SCHEMA: &str = "probity.sweep/1";

/// The first line: what the sweep is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// `probity.sweep/1`.
    pub schema: String,
    /// How many endpoints are to be looked at.
    pub endpoints: u64,
    /// Digest of the list, so that a sweep is not resumed with another.
    pub list: String,
}

/// What was seen of one target, and what it was judged to be.
#[derive(Serialize, Deserialize)]
pub struct Line {
    /// `probity.sweep/1`.
    pub schema: String,
    /// The target's id.
    pub target: String,
    /// The judgement; absent where only facts were wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judgement: Option<Judgement>,
    /// How it compares with an earlier look; present where that was asked, and then nothing else was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverification: Option<Comparison>,
    /// What it rests on, in the form that `collect` writes.
    pub evidence: Evidence,
}

/// How a target compares with an earlier look.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// `unchanged`, `changed`, or `unknown` where an answer is not known and none differs.
    pub result: String,
    /// The answers that differ or are not known, in words.
    pub differences: Vec<String>,
}

impl Comparison {
    /// From the observations of one target. An address that could not be asked is not known to be unchanged.
    pub fn of(observations: &[Observation]) -> Comparison {
        let (mut changed, mut open) = (false, observations.is_empty());
        let mut differences = Vec::new();
        for observation in observations {
            let Ok(seen) = observation.read::<Reverification>() else {
                open = true;
                let words = observation.trouble.as_ref().map(ToString::to_string).unwrap_or_default();
                differences.push(format!("{}: {words}", observation.part));
                continue;
            };
            changed |= seen.unchanged == Fact::Known(false);
            open |= seen.unchanged.known().is_none();
            for question in seen.questions.iter().filter(|question| question.same != Fact::Known(true)) {
                let answer = match &question.seen {
                    Fact::Known(answer) => answer.as_str(),
                    unknown @ Fact::Unknown(_) => unknown.reason().unwrap_or_default(),
                };
                let words =
                    format!("{}: {}: seen {answer}; expected {}", observation.part, question.name, question.expected);
                differences.push(words);
            }
        }
        let result = match (changed, open) {
            (true, _) => "changed",
            (false, true) => "unknown",
            (false, false) => "unchanged",
        };
        Comparison { result: result.to_owned(), differences }
    }
}

/// What a target was judged to be.
#[derive(Serialize, Deserialize)]
pub struct Judgement {
    /// The exit code that a scan of this target alone would have.
    pub exit: u8,
    /// In words.
    pub reason: String,
    /// The worst grade of its addresses, where each has one.
    pub grade: Option<String>,
    /// Something that the grade waits on is not known.
    pub provisional: bool,
    /// The failures.
    pub failed: Vec<Failure>,
    /// Results that could not be judged.
    pub not_evaluated: usize,
}

/// A failure.
#[derive(Serialize, Deserialize)]
pub struct Failure {
    /// The check.
    pub check: String,
    /// The address and port.
    pub part: String,
    /// What failed, where the check looks at several things.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub item: String,
    /// How grave it is.
    pub severity: Severity,
    /// In words.
    pub reason: String,
}

impl Judgement {
    /// From an assessment of one target.
    pub fn of(assessment: &Assessment, verdict: &Verdict) -> Judgement {
        let observations = assessment.observations.iter().filter(|observation| observation.kind == "tls.grade");
        let grades: Vec<Option<Grade>> = observations.map(|observation| observation.read().ok()).collect();
        let letters: Option<Vec<&str>> =
            grades.iter().map(|grade| grade.as_ref().and_then(|grade| grade.letter.as_deref())).collect();
        let worst = letters.and_then(|letters| {
            letters.into_iter().max_by_key(|letter| LETTERS.iter().position(|known| known == letter))
        });
        let of = |status: Status| assessment.results.iter().filter(move |result| result.status == status);
        Judgement {
            exit: verdict.exit,
            reason: verdict.reason.clone(),
            grade: worst.map(str::to_owned),
            provisional: grades.iter().flatten().any(|grade| grade.provisional),
            failed: of(Status::Fail)
                .map(|result| Failure {
                    check: result.check.clone(),
                    part: result.part.clone(),
                    item: result.item.clone(),
                    severity: result.severity,
                    reason: result.reason.clone(),
                })
                .collect(),
            not_evaluated: of(Status::NotEvaluated).count() + of(Status::Error).count(),
        }
    }
}

/// A line of the file, its end included.
///
/// # Errors
/// When a value does not serialise: a fault of our types.
pub fn line<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
