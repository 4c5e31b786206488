//! Decides whether a run passes: the exit code, the verdict in words, and what would settle what is open.
//! Decides only; it prints nothing.

mod cause;

use crate::finding::{WAIVERS, utc_date};
use crate::model::assessment::{Assessment, Beside, Gate, Verdict};
use crate::model::baseline::Baseline;
use crate::model::policy::Allowance;
use crate::model::{CheckResult, FindingState, Severity, Status};
use cause::causes;
pub use cause::{command, unaccepted};
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// The exit codes of the command, frozen by a test. Precedence among those of the gate: 1, 3, 4, 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The gate passed and the scope is fully evaluated; waived failures are allowed, counted and printed.
    Passed = 0,
    /// At least one failure at or above the policy's severity that no waiver covers.
    Failed = 1,
    /// A mistake in usage, configuration or catalogue, or a fault of probity itself. It comes before all others.
    Usage = 2,
    /// Something in scope could not be judged, and no allowance accepts that.
    Inconclusive = 3,
    /// Only waived failures, and the caller asked for waived failures to fail.
    Waived = 4,
    /// `verify`: tampered, a bad signature, a broken chain, or judging again differs.
    Tampered = 5,
    /// `verify`: a required signature or timestamp is absent.
    Unsigned = 6,
    /// The user stopped the run; what was collected is kept as an incomplete run.
    Interrupted = 130,
}

impl Exit {
    /// The number that the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// The open results that an allowance accepts, and those that none does.
struct Open<'a> {
    refused: Vec<&'a CheckResult>,
    accepted: usize,
    judged: usize,
    total: usize,
    /// In scope, with no result that says pass or fail, and without an allowance.
    unjudged: Vec<&'a str>,
}

/// The gate's decision on a run. With `waived_fail`, failures that a waiver covers do not pass.
pub fn decide(assessment: &Assessment, waived_fail: bool) -> Verdict {
    decide_against(assessment, waived_fail, None)
}

/// The gate's decision on a run, in which failures that the baseline knows do not count. What could not be judged counts as
/// ever: no baseline knows what it hides.
pub fn decide_against(assessment: &Assessment, waived_fail: bool, baseline: Option<&Baseline>) -> Verdict {
    let policy = &assessment.judging.policy;
    let today = utc_date(assessment.run.ended);
    let grave = |state| {
        let all = assessment.findings.iter();
        all.filter(|finding| finding.state == state && finding.severity >= policy.fail_on)
            .filter(|finding| !baseline.is_some_and(|baseline| baseline.knows(finding)))
            .count()
    };
    let failed = grave(FindingState::Open);
    let waived = assessment.findings.iter().filter(|finding| finding.state == FindingState::Waived).count();
    let open = weigh(assessment, today);
    let covered = (open.judged + open.accepted) * 100 >= usize::from(policy.min_coverage.min(100)) * open.total;
    let inconclusive = !covered || !open.unjudged.is_empty() || open.total == 0;
    let (exit, gate, reason) = if assessment.run.interrupted {
        (Exit::Interrupted, Gate::Interrupted, "the run was stopped before its end".to_owned())
    } else if failed > 0 {
        (Exit::Failed, Gate::Failed, failure_words(failed, policy.fail_on))
    } else if inconclusive {
        (Exit::Inconclusive, Gate::Inconclusive, inconclusive_words(&open, policy.min_coverage))
    } else if waived_fail && waived > 0 {
        (Exit::Waived, Gate::Waived, format!("{} covered by a waiver", counted(waived, "failure is", "failures are")))
    } else {
        (Exit::Passed, Gate::Passed, passed_words(&open, policy.fail_on, waived))
    };
    let causes = if inconclusive { causes(assessment, today) } else { Vec::new() };
    let mut notes = notes(assessment, today);
    let beside = baseline.map(|baseline| compare(assessment, baseline));
    notes.extend(beside.iter().map(|beside| beside_words(assessment, beside)));
    Verdict { exit: exit.code(), gate, reason, causes, notes, beside }
}

/// The run beside the baseline. What was not judged again is not taken for mended.
fn compare(assessment: &Assessment, baseline: &Baseline) -> Beside {
    let now: BTreeMap<&str, FindingState> =
        assessment.findings.iter().map(|finding| (finding.fingerprint.as_str(), finding.state)).collect();
    let open = assessment.findings.iter().filter(|finding| finding.state == FindingState::Open);
    let new = open.filter(|finding| !baseline.knows(finding)).map(|finding| finding.fingerprint.clone()).collect();
    // Places of which something was judged, and whether all of it was.
    let mut judged: BTreeMap<(&str, &str, &str), bool> = BTreeMap::new();
    for result in assessment.results.iter().filter(|result| result.status != Status::NotApplicable) {
        let whole = judged.entry((&result.check, &result.target, &result.part)).or_insert(true);
        *whole &= !result.status.is_open();
    }
    let gone =
        baseline.findings.iter().filter(|known| now.get(known.fingerprint.as_str()) != Some(&FindingState::Open));
    let (fixed, unsettled) = gone.cloned().partition(|known| {
        let place = (known.check.as_str(), known.target.as_str(), known.part.as_str());
        // A waiver is found wanting without a result of its own.
        let settled = known.check == WAIVERS || judged.get(&place).copied().unwrap_or(false);
        settled && !now.contains_key(known.fingerprint.as_str())
    });
    Beside { run: baseline.run.clone(), new, fixed, unsettled }
}

/// What the baseline left out, and what of it is no more.
fn beside_words(assessment: &Assessment, beside: &Beside) -> String {
    let open = assessment.findings.iter().filter(|finding| finding.state == FindingState::Open).count();
    let (fixed, unsettled) = (beside.fixed.len(), beside.unsettled.len());
    let mut words = format!(
        "the baseline of {} leaves out {}, and {} in it {} fixed",
        beside.run,
        counted(open - beside.new.len(), "failure", "failures"),
        counted(fixed, "failure", "failures"),
        if fixed == 1 { "is" } else { "are" },
    );
    if unsettled > 0 {
        let are = if unsettled == 1 { "is" } else { "are" };
        words.push_str(&format!("; {unsettled} {are} waived now, not judged again or out of scope"));
    }
    words
}

/// Whether an allowance in force accepts that this check of this target stays open.
fn accepts(allowance: &Allowance, target: &str, check: Option<&str>, today: Date) -> bool {
    allowance.target == target
        && allowance.expires.is_none_or(|last| today <= last)
        && allowance.check.as_deref().is_none_or(|only| check == Some(only))
}

fn is_accepted(assessment: &Assessment, target: &str, check: Option<&str>, today: Date) -> bool {
    let allowances = &assessment.judging.policy.allow_inconclusive;
    allowances.iter().any(|allowance| accepts(allowance, target, check, today))
}

fn weigh(assessment: &Assessment, today: Date) -> Open<'_> {
    let accepted = |result: &&CheckResult| is_accepted(assessment, &result.target, Some(&result.check), today);
    let counted = || assessment.results.iter().filter(|result| result.status != Status::NotApplicable);
    let (accepted, refused): (Vec<_>, Vec<_>) = counted().filter(|result| result.status.is_open()).partition(accepted);
    let judged = assessment.results.iter().filter(|result| !result.status.is_open());
    let judged: BTreeSet<&str> = judged.map(|result| result.target.as_str()).collect();
    let unjudged = assessment.targets.iter().map(|target| target.id.as_str());
    let unjudged = unjudged.filter(|id| !judged.contains(id) && !wholly_accepted(assessment, id, today)).collect();
    let total = counted().count();
    Open { judged: total - accepted.len() - refused.len(), refused, accepted: accepted.len(), total, unjudged }
}

/// Whether everything open about a target, down to its never having been looked at, is accepted.
fn wholly_accepted(assessment: &Assessment, target: &str, today: Date) -> bool {
    if is_accepted(assessment, target, None, today) {
        return true;
    }
    let mut open = assessment.results.iter().filter(|result| result.target == target).peekable();
    open.peek().is_some() && open.all(|result| is_accepted(assessment, target, Some(&result.check), today))
}

/// Allowances that are past their last day, or that nothing needs.
fn notes(assessment: &Assessment, today: Date) -> Vec<String> {
    let mut notes = Vec::new();
    for allowance in &assessment.judging.policy.allow_inconclusive {
        let what = match &allowance.check {
            Some(check) => format!("the allowance for {check} at {}", allowance.target),
            None => format!("the allowance for {}", allowance.target),
        };
        let open = |result: &CheckResult| {
            result.status.is_open() && accepts(allowance, &result.target, Some(&result.check), today)
        };
        let unseen =
            |spot: &crate::model::BlindSpot| spot.checks.is_empty() && accepts(allowance, &spot.target, None, today);
        if let Some(last) = allowance.expires.filter(|last| *last < today) {
            notes.push(format!("{what} ended on {last} and counts no more"));
        } else if !assessment.results.iter().any(open) && !assessment.blind_spots.iter().any(unseen) {
            notes.push(format!("{what} is not needed: nothing it names is open"));
        }
    }
    notes
}

fn failure_words(failed: usize, fail_on: Severity) -> String {
    match fail_on {
        Severity::Info => counted(failed, "finding", "findings"),
        Severity::Critical => counted(failed, "critical finding", "critical findings"),
        severity => format!("{} at or above {}", counted(failed, "finding", "findings"), severity.word()),
    }
}

fn inconclusive_words(open: &Open<'_>, min_coverage: u8) -> String {
    if open.total == 0 {
        return "nothing was evaluated".to_owned();
    }
    let mut words = Vec::new();
    if !open.refused.is_empty() {
        words.push(format!("{} of {} results could not be judged", open.refused.len(), open.total));
    }
    if !open.unjudged.is_empty() {
        words.push(format!("nothing could be judged at {}", counted(open.unjudged.len(), "target", "targets")));
    }
    if min_coverage < 100 && (open.judged + open.accepted) * 100 < usize::from(min_coverage) * open.total {
        words.push(format!("at least {min_coverage} % of {} are required", open.total));
    }
    words.join(", ")
}

fn passed_words(open: &Open<'_>, fail_on: Severity, waived: usize) -> String {
    let mut words = match fail_on {
        Severity::Info => "no open finding".to_owned(),
        severity => format!("no open finding at or above {}", severity.word()),
    };
    words.push_str(&format!(", {} of {} results judged", open.judged, open.total));
    if open.accepted > 0 {
        words.push_str(&format!(", {} open and accepted", open.accepted));
    }
    if !open.refused.is_empty() {
        words.push_str(&format!(", {} open within the allowed share", open.refused.len()));
    }
    if waived > 0 {
        words.push_str(&format!(", {waived} waived"));
    }
    words
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

#[cfg(test)]
mod tests;
