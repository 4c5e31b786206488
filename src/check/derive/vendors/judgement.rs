//! A judged rule before it becomes a row, and which check a rule belongs to.

use crate::model::register::agreement::Exception;
use crate::model::register::rules::LawNote;
use crate::model::register::{Outcome, Row};
use crate::model::{Fact, Severity};
use jiff::civil::Date;

/// The checks whose rules are judged. A rule belongs to the longest id that is a dotted prefix of its own.
pub const CHECKS: &[&str] = &[
    "vendor.dpa",
    "vendor.dpa.clauses",
    "vendor.dpa.review",
    "vendor.register",
    "vendor.transfer",
    "vendor.transfer.dpf",
    "vendor.transfer.privacy_shield",
    "vendor.transfer.scc",
    "vendor.transfer.tia",
];

/// The check that a rule belongs to.
pub fn check_of(rule: &str) -> &'static str {
    let fits = |check: &&str| rule.strip_prefix(*check).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    CHECKS.iter().copied().filter(fits).max_by_key(|check| check.len()).unwrap_or_default()
}

/// A rule judged for one vendor, or for one item of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The rule's id.
    pub rule: &'static str,
    /// Tells apart what one rule says of several things of a vendor; empty where there is one.
    pub item: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How much a failure matters.
    pub severity: Severity,
    /// Which fact and which article.
    pub reason: String,
}

impl Judgement {
    /// A judgement about the vendor as a whole.
    pub fn new(rule: &'static str, outcome: Outcome, severity: Severity, reason: impl Into<String>) -> Judgement {
        Judgement { rule, item: String::new(), outcome, severity, reason: reason.into() }
    }

    /// The same about one item.
    #[must_use]
    pub fn of(mut self, item: &str) -> Judgement {
        item.clone_into(&mut self.item);
        self
    }
}

/// Everything that one table says about a vendor.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The rules that concerned the vendor.
    pub judgements: Vec<Judgement>,
    /// What is said of a check of which no rule concerned the vendor.
    pub otherwise: (Outcome, String),
    /// What must be confirmed of the law tables.
    pub notes: Vec<LawNote>,
}

impl Judged {
    /// Nothing concerned the vendor, for this reason.
    pub fn not_applicable(reason: impl Into<String>) -> Judged {
        Judged { judgements: Vec::new(), otherwise: (Outcome::NotApplicable, reason.into()), notes: Vec::new() }
    }

    /// Nothing can be said, for this reason.
    pub fn unknown(reason: impl Into<String>) -> Judged {
        Judged { judgements: Vec::new(), otherwise: (Outcome::Unknown, reason.into()), notes: Vec::new() }
    }
}

/// The rows of a vendor for these checks: one for each judgement, and one for each check without any.
pub fn rows(subject: &str, checks: &[&'static str], judged: &Judged, exceptions: &[Exception], day: Date) -> Vec<Row> {
    let mut rows: Vec<Row> =
        judged.judgements.iter().map(|judgement| row(subject, judgement, exceptions, day)).collect();
    for &check in checks {
        if !rows.iter().any(|row| row.check == check) {
            let (outcome, reason) = &judged.otherwise;
            let reason = format!("{subject}: {reason}");
            rows.push(row(subject, &Judgement::new(check, *outcome, Severity::Info, reason), &[], day));
        }
    }
    rows
}

fn row(subject: &str, judgement: &Judgement, exceptions: &[Exception], day: Date) -> Row {
    let broken = matches!(judgement.outcome, Outcome::Fail | Outcome::Warn);
    let accepts =
        |exception: &&Exception| exception.rule.as_deref() == Some(judgement.rule) && is_in_force(exception, day);
    let exception = if broken { exceptions.iter().find(accepts) } else { None };
    let mut reason = judgement.reason.clone();
    if let Some(until) = exception.and_then(|exception| exception.expires_on) {
        reason.push_str(&format!("; accepted by an exception until {until}"));
    }
    let key = [subject, judgement.rule, &judgement.item];
    Row {
        check: check_of(judgement.rule).to_owned(),
        rule: judgement.rule.to_owned(),
        subject: subject.to_owned(),
        key: key.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
        applies: judgement.outcome != Outcome::NotApplicable,
        holds: match judgement.outcome {
            Outcome::Pass | Outcome::Info => Fact::Known(true),
            Outcome::Fail | Outcome::Warn => Fact::Known(false),
            Outcome::Unknown | Outcome::NotApplicable | Outcome::Review => Fact::unknown(reason.clone()),
        },
        result: judgement.outcome,
        severity: judgement.severity,
        reason,
        accepted: exception.is_some(),
        weakest_source: None,
    }
}

/// Whether an exception counts on a day: it has a reason, an approval and a last day that is not past.
pub fn is_in_force(exception: &Exception, day: Date) -> bool {
    let reasoned = exception.reason.as_deref().is_some_and(|reason| !reason.trim().is_empty());
    reasoned && exception.approved_by.given() && exception.expires_on.is_some_and(|last| day <= last)
}

/// Whether the facts that a table asks for hold: one "no" decides, then one absent fact.
pub fn gate(conditions: &[(Option<bool>, &str, &str)]) -> Result<(), Judged> {
    if let Some((_, _, not)) = conditions.iter().find(|(answer, ..)| *answer == Some(false)) {
        return Err(Judged::not_applicable(*not));
    }
    match conditions.iter().find(|(answer, ..)| answer.is_none()) {
        Some((_, absent, _)) => Err(Judged::unknown(*absent)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_belongs_to_the_longest_dotted_prefix() {
        for (rule, check) in [
            ("vendor.dpa.none", "vendor.dpa"),
            ("vendor.dpa.clauses.missing", "vendor.dpa.clauses"),
            ("vendor.dpa.review.overdue", "vendor.dpa.review"),
            ("vendor.transfer.dpf", "vendor.transfer.dpf"),
            ("vendor.transfer.dpf_unchecked", "vendor.transfer"),
            ("vendor.transfer.scc.module", "vendor.transfer.scc"),
            ("vendor.register.duplicate", "vendor.register"),
            ("vendor.elsewhere", ""),
        ] {
            assert_eq!(check_of(rule), check, "{rule}");
        }
    }

    #[test]
    fn one_no_decides_before_an_absent_fact() {
        let no = gate(&[(None, "a is absent", ""), (Some(false), "", "b is not so")]).unwrap_err();
        assert_eq!(no.otherwise, (Outcome::NotApplicable, "b is not so".to_owned()));
        let absent = gate(&[(Some(true), "", ""), (None, "a is absent", "")]).unwrap_err();
        assert_eq!(absent.otherwise, (Outcome::Unknown, "a is absent".to_owned()));
        assert!(gate(&[(Some(true), "", "")]).is_ok());
    }
}
