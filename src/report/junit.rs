//! JUnit XML: one suite a target, one case a check and item.
//!
//! What could not be judged is an `<error>` whose type is the status (`not-evaluated`, `needs-review`, `error`): a
//! skipped case is green in most systems, and missing evidence is not. Waived failures and what does not apply are
//! `<skipped>`, with the reason.

use super::index::Index;
use super::text::{clip, counted, escape, value};
use super::{Context, RenderError, acceptance};
use crate::finding::WAIVERS;
use crate::model::{Assessment, CheckResult, Finding, Status, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;

/// The longest text of one case.
const MAX_TEXT: usize = 4000;

pub(super) fn render(
    assessment: &Assessment,
    verdict: &Verdict,
    context: &Context<'_>,
) -> Result<Vec<u8>, RenderError> {
    let index = Index::new(assessment);
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    let suite = |id: &str| TestSuite::new(&*escape(id));
    for target in &assessment.targets {
        let entry = suites.entry(&target.id).or_insert_with(|| suite(&target.id));
        entry.add_property(("kind", target.kind.word()));
        entry.add_property(("address", &*escape(&target.address)));
    }
    for result in &assessment.results {
        let entry = suites.entry(&result.target).or_insert_with(|| suite(&result.target));
        entry.add_test_case(case(result, &index, context));
    }
    for finding in assessment.findings.iter().filter(|finding| finding.check == WAIVERS) {
        let entry = suites.entry(&finding.target).or_insert_with(|| suite(&finding.target));
        entry.add_test_case(waiver_case(finding));
    }
    let unseen = assessment.blind_spots.iter().filter(|spot| spot.checks.is_empty());
    for spot in unseen {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type(Status::NotEvaluated.word()).set_message(line(&spot.reason));
        let mut case = TestCase::new("nothing looked at it", status);
        case.set_classname(&*escape(&spot.target));
        suites.entry(&spot.target).or_insert_with(|| suite(&spot.target)).add_test_case(case);
    }
    let mut report = Report::new("probity");
    report.add_test_suites(suites.into_values());
    let mut bytes = Vec::new();
    report.serialize(&mut bytes)?;
    let verdict = format!("<!-- {} · exit {} -->\n", comment(&verdict.reason), verdict.exit);
    bytes.extend_from_slice(verdict.as_bytes());
    Ok(bytes)
}

fn case(result: &CheckResult, index: &Index<'_>, context: &Context<'_>) -> TestCase {
    let name = match result.item.as_str() {
        "" => result.check.clone(),
        item => format!("{} [{}]", result.check, line(item)),
    };
    let mut case = TestCase::new(name, status(result, index, context));
    let place = if result.part.is_empty() { &result.target } else { &result.part };
    case.set_classname(&*escape(place));
    case.add_property(("severity", result.severity.word()));
    case.add_property(("status", result.status.word()));
    for id in &result.observations {
        case.add_property(("evidence", &*escape(id)));
    }
    case
}

fn status(result: &CheckResult, index: &Index<'_>, context: &Context<'_>) -> TestCaseStatus {
    let mut status = match result.status {
        Status::Pass => return TestCaseStatus::success(),
        Status::NotApplicable => TestCaseStatus::skipped(),
        Status::Fail => match waived(result, index) {
            Some(by) => {
                let mut status = TestCaseStatus::skipped();
                status.set_type("waived").set_message(line(&format!("waived by {by}")));
                status.set_description(body(result, context));
                return status;
            }
            None => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_type(result.severity.word());
                status.set_description(body(result, context));
                status
            }
        },
        Status::Error | Status::NotEvaluated | Status::NeedsReview => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type(result.status.word());
            status
        }
    };
    status.set_message(line(&result.reason));
    status
}

/// What covers a failure.
fn waived(result: &CheckResult, index: &Index<'_>) -> Option<String> {
    acceptance(index.finding(result)?, index.assessment)
}

fn waiver_case(finding: &Finding) -> TestCase {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(finding.severity.word()).set_message(line(&finding.reason));
    let mut case = TestCase::new(format!("{} [{}]", finding.check, line(&finding.item)), status);
    case.set_classname(&*escape(&finding.target));
    case
}

fn body(result: &CheckResult, context: &Context<'_>) -> String {
    let mut lines = vec![
        format!("expected: {}", value(&result.expected)),
        format!("actual:   {}", value(&result.actual)),
        format!("where:    {} {} {}", result.target, result.part, result.item),
    ];
    if let Some(check) = context.checks.get(&result.check) {
        lines.push(format!("wanted:   {}", check.title));
        // Of the lines here, these alone may be more than one.
        lines.extend(format!("mend:     {}", check.docs.remediation.trim()).lines().map(str::to_owned));
    }
    lines.push(format!("rests on: {}", counted(result.observations.len(), "record", "records")));
    let harmless: Vec<_> = lines.iter().map(|line| escape(line)).collect();
    clip(&harmless.join("\n"), MAX_TEXT).into_owned()
}

fn line(text: &str) -> String {
    escape(&clip(text, MAX_TEXT)).into_owned()
}

/// A text inside an XML comment, which may not hold two hyphens in a row.
fn comment(text: &str) -> String {
    line(text).replace("--", "- -")
}
