//! Annotations of GitHub Actions: workflow commands on standard output, worst first, the verdict last.
//!
//! Every line begins with a command of ours, and within it a stranger's text is data: a line that began with his
//! words could set a variable or end the job. Markdown (`md`) is what a step summary takes.

use super::index::Index;
use super::text::{clip, escape};
use super::{Context, RenderError, acceptance};
use crate::model::{Assessment, FindingState, Severity, Verdict};
use std::collections::BTreeSet;

/// The longest message.
const MAX_TEXT: usize = 1000;

pub(super) fn render(
    assessment: &Assessment,
    verdict: &Verdict,
    context: &Context<'_>,
) -> Result<Vec<u8>, RenderError> {
    let index = Index::new(assessment);
    // Beside a baseline, what it knows is no error of this change.
    let new: Option<BTreeSet<&str>> =
        verdict.beside.as_ref().map(|beside| beside.new.iter().map(String::as_str).collect());
    let is_known = |print: &str| new.as_ref().is_some_and(|new| !new.contains(print));
    let mut lines: Vec<(u8, String)> = Vec::new();
    for finding in &assessment.findings {
        let (rank, level) = match (finding.state, finding.severity) {
            (FindingState::Waived, _) => (5, "notice"),
            _ if is_known(&finding.fingerprint) => (5, "notice"),
            (_, Severity::Critical) => (0, "error"),
            (_, Severity::High) => (1, "error"),
            (_, Severity::Medium) => (2, "warning"),
            (_, Severity::Low | Severity::Info) => (4, "notice"),
        };
        let title = context.checks.get(&finding.check).map_or(finding.check.as_str(), |check| &check.title);
        let accepted = acceptance(finding, assessment).map(|by| format!("; waived by {by}")).unwrap_or_default();
        let known = finding.state == FindingState::Open && is_known(&finding.fingerprint);
        let known = if known { ", known to the baseline" } else { "" };
        let words = [&finding.target, &finding.part, &finding.item].into_iter().filter(|word| !word.is_empty());
        let place = words.map(String::as_str).collect::<Vec<_>>().join(" ");
        let text =
            format!("{place}{known}: {}{accepted} ({}, {})", finding.reason, finding.check, finding.severity.word());
        lines.push((rank, command(level, title, &index, &finding.target, &text)));
    }
    for spot in &assessment.blind_spots {
        let place = if spot.part.is_empty() { &spot.target } else { &spot.part };
        let text = format!("{place}: {}; what would settle it: {}", spot.reason, spot.remedy);
        lines.push((3, command("warning", "not evaluated", &index, &spot.target, &text)));
    }
    lines.sort_by_key(|(rank, _)| *rank);
    let level = if verdict.exit == 0 { "notice" } else { "error" };
    let text = format!("{}, {} (exit {})", verdict.gate.word(), verdict.reason, verdict.exit);
    let last = command(level, "probity", &index, "", &text);
    let all: String = lines.into_iter().map(|(_, line)| line).chain([last]).collect();
    Ok(all.into_bytes())
}

fn command(level: &str, title: &str, index: &Index<'_>, target: &str, text: &str) -> String {
    let declared = index.target(target).and_then(|target| target.declared.as_ref());
    let place = declared.map(|place| {
        let file = place.file.trim_start_matches("./");
        format!("file={},line={},", property(file), place.line.max(1))
    });
    format!("::{level} {}title={}::{}\n", place.unwrap_or_default(), property(title), data(text))
}

/// The text of a command.
fn data(text: &str) -> String {
    escape(&clip(text, MAX_TEXT)).replace('%', "%25")
}

/// A property of a command, which a comma or a colon would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
