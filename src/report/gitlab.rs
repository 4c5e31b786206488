//! GitLab's code quality report: a list of failures, and of what could not be judged.
//!
//! An empty list reads as *no problem*, so whatever was not evaluated is in it, too.

use super::index::Index;
use super::text::{clip, escape, harmless_json};
use super::{RenderError, acceptance};
use crate::finding::fingerprint;
use crate::model::{Assessment, CheckResult, FindingState, Severity};
use serde::Serialize;

/// The longest description.
const MAX_TEXT: usize = 1000;
/// The name under which a target that nothing looked at is listed.
const UNSEEN: &str = "probity.not-evaluated";

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

pub(super) fn render(assessment: &Assessment) -> Result<Vec<u8>, RenderError> {
    let index = Index::new(assessment);
    let mut issues: Vec<Issue> = Vec::new();
    for finding in &assessment.findings {
        let waived = finding.state == FindingState::Waived;
        let accepted = acceptance(finding, assessment).map(|by| format!("; waived by {by}")).unwrap_or_default();
        issues.push(Issue {
            description: line(
                &place(&finding.target, &finding.part, &finding.item),
                &format!("{}{accepted}", finding.reason),
            ),
            check_name: finding.check.clone(),
            fingerprint: finding.fingerprint.clone(),
            severity: if waived { "info" } else { severity(finding.severity) },
            location: location(&index, &finding.target),
        });
    }
    issues
        .extend(assessment.results.iter().filter(|result| result.status.is_open()).map(|result| open(result, &index)));
    for spot in assessment.blind_spots.iter().filter(|spot| spot.checks.is_empty()) {
        issues.push(Issue {
            description: line(&place(&spot.target, &spot.part, ""), &format!("not evaluated: {}", spot.reason)),
            check_name: UNSEEN.to_owned(),
            fingerprint: fingerprint(UNSEEN, &spot.target, &spot.part, &spot.reason),
            severity: "major",
            location: location(&index, &spot.target),
        });
    }
    let mut text = harmless_json(&serde_json::to_string_pretty(&issues)?);
    text.push('\n');
    Ok(text.into_bytes())
}

fn open(result: &CheckResult, index: &Index<'_>) -> Issue {
    let words = format!("{}: {}", result.status.word(), result.reason);
    Issue {
        description: line(&place(&result.target, &result.part, &result.item), &words),
        check_name: result.check.clone(),
        fingerprint: fingerprint(&result.check, &result.target, &result.part, &result.item),
        severity: "minor",
        location: location(index, &result.target),
    }
}

fn place(target: &str, part: &str, item: &str) -> String {
    let words = [target, part, item].into_iter().filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

fn location(index: &Index<'_>, target: &str) -> Location {
    let declared = index.target(target).and_then(|target| target.declared.as_ref());
    // GitLab leaves out an issue without a file; a target named on the command line has none of its own.
    let (path, begin) = declared.map_or(("probity.yaml", 1), |place| (place.file.as_str(), place.line.max(1)));
    Location { path: escape(path.trim_start_matches("./")).into_owned(), lines: Lines { begin } }
}

fn line(place: &str, words: &str) -> String {
    escape(&clip(&format!("{place}: {words}"), MAX_TEXT)).into_owned()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "blocker",
        Severity::High => "critical",
        Severity::Medium => "major",
        Severity::Low => "minor",
        Severity::Info => "info",
    }
}
