//! Markdown for a pull request or a step summary: verdict, failures, blind spots, waived failures, and beside a baseline
//! what is new and what is fixed; all in under 60 lines.
//!
//! A stranger's text stands in `<code>`, with every sign that Markdown knows as a character reference: it makes no
//! markup, no link and no picture, and mentions nobody.

use super::index::Index;
use super::summary::Marks;
use super::text::{clip, counted, escape};
use super::{Context, RenderError, acceptance};
use crate::model::baseline::Known;
use crate::model::{Assessment, Finding, FindingState, Verdict};
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The most rows of each of the three tables.
const MAX_ROWS: usize = 9;
/// The longest text of one cell.
const MAX_TEXT: usize = 300;

pub(super) fn render(
    assessment: &Assessment,
    verdict: &Verdict,
    context: &Context<'_>,
) -> Result<Vec<u8>, RenderError> {
    let index = Index::new(assessment);
    let counts = Marks::new(assessment).count(assessment.results.iter());
    let mut out = String::new();
    let word = verdict.gate.word();
    writeln!(out, "## probity: {word} (exit {})\n\n{}\n", verdict.exit, code(&verdict.reason))?;
    let targets = counted(assessment.targets.len(), "target", "targets");
    writeln!(
        out,
        "{targets}: {} failed, {} not evaluated, {} waived, {} passed, of {}; {} not applicable.\n",
        counts.failed,
        counts.open,
        counts.waived,
        counts.passed,
        counted(counts.total(), "result", "results"),
        counts.not_applicable
    )?;
    let (mut open, waived): (Vec<&Finding>, Vec<&Finding>) =
        assessment.findings.iter().partition(|finding| finding.state == FindingState::Open);
    open.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let row = |finding: &Finding| {
        let title = context.checks.get(&finding.check).map(|check| check.title.as_str()).unwrap_or_default();
        let wanted =
            if title.is_empty() { code(&finding.check) } else { format!("{}<br>{title}", code(&finding.check)) };
        let place = place(finding, &index);
        format!("| {} | {place} | {wanted} | {} |", finding.severity.word(), code(&finding.reason))
    };
    let head = "| severity | where | check | seen |\n|---|---|---|---|";
    match &verdict.beside {
        None => table(&mut out, "Failed", head, open.into_iter().map(row).collect())?,
        Some(beside) => {
            let new: BTreeSet<&str> = beside.new.iter().map(String::as_str).collect();
            let is_new = |finding: &&Finding| new.contains(finding.fingerprint.as_str());
            let known = counted(open.len() - new.len(), "failure", "failures");
            writeln!(out, "The baseline of {} knows {known} more.\n", code(&beside.run))?;
            let rows = open.into_iter().filter(is_new).map(row).collect();
            table(&mut out, "New since the baseline", head, rows)?;
            let gone = |known: &Known, how| {
                let words = [&known.target, &known.part, &known.item].into_iter().filter(|word| !word.is_empty());
                let place = words.map(|word| code(word)).collect::<Vec<_>>().join(" ");
                format!("| {how} | {} | {place} | {} |", known.severity.word(), code(&known.check))
            };
            let fixed = beside.fixed.iter().map(|known| gone(known, "fixed"));
            let unsettled = beside.unsettled.iter().map(|known| gone(known, "not judged again, or waived"));
            let head = "| | severity | where | check |\n|---|---|---|---|";
            table(&mut out, "Fixed since the baseline, or not settled", head, fixed.chain(unsettled).collect())?;
        }
    }
    let spots = assessment.blind_spots.iter().map(|spot| {
        let checks = match spot.checks.len() {
            0 => "all".to_owned(),
            n => n.to_string(),
        };
        let name = if spot.part.is_empty() { &spot.target } else { &spot.part };
        format!("| {} | {} | {checks} | {} |", code(name), code(&spot.reason), code(&spot.remedy))
    });
    table(
        &mut out,
        "Not evaluated",
        "| where | why | checks that wait | what would settle it |\n|---|---|---|---|",
        spots.collect(),
    )?;
    // Beside a baseline the reader asks what changed; how many are waived stands above.
    if verdict.beside.is_none() {
        let waived = waived.iter().map(|finding| {
            let by = acceptance(finding, assessment).unwrap_or_default();
            format!("| {} | {} | {} |", place(finding, &index), code(&finding.check), code(&by))
        });
        table(&mut out, "Failed and waived", "| where | check | by |\n|---|---|---|", waived.collect())?;
    }
    writeln!(out, "Run {}, {} {}.", code(&assessment.run.id), assessment.run.tool.name, assessment.run.tool.version)?;
    Ok(out.into_bytes())
}

fn table(out: &mut String, title: &str, head: &str, rows: Vec<String>) -> std::fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "### {title} ({})\n\n{head}", rows.len())?;
    rows.iter().take(MAX_ROWS).try_for_each(|row| writeln!(out, "{row}"))?;
    match rows.len().saturating_sub(MAX_ROWS) {
        0 => writeln!(out),
        more => writeln!(out, "\nand {more} more\n"),
    }
}

fn place(finding: &Finding, index: &Index<'_>) -> String {
    let address = index.target(&finding.target).map_or("", |target| &target.address);
    let part = if finding.part.is_empty() { address } else { &finding.part };
    let words = [finding.target.as_str(), part, &finding.item];
    let mut all: Vec<String> = Vec::new();
    for word in words.into_iter().filter(|word| !word.is_empty()).map(code) {
        if !all.contains(&word) {
            all.push(word);
        }
    }
    all.join(" ")
}

/// A stranger's text: inside `<code>`, where names mention nobody, and with nothing in it that Markdown reads.
fn code(text: &str) -> String {
    let text = escape(&clip(text, MAX_TEXT)).into_owned();
    if text.is_empty() {
        return String::new();
    }
    let mut out = String::from("<code>");
    for c in text.chars() {
        match c {
            // A dot is harmless but for an address that begins with `www.`.
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("&#46;"),
            '.' | ',' | '-' | ';' | '(' | ')' | '/' | '+' | '=' | '%' | '?' => out.push(c),
            c if c.is_ascii_punctuation() => out.push_str(&format!("&#{};", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push_str("</code>");
    out
}

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn a_strangers_text_makes_no_markup_and_mentions_nobody() {
        let made = code("</code>[a](http://b) ![c](d) `e` *f* | @g #1 www.h.example \\");
        let inner = made.strip_prefix("<code>").and_then(|rest| rest.strip_suffix("</code>")).unwrap_or_default();
        assert!(!inner.contains(['<', '>', '[', ']', '!', '`', '*', '|', '@', '\\', ':']), "{inner}");
        assert!(!inner.contains("www."), "{inner}");
        assert_eq!(code("TLSv1.0, TLSv1.1"), "<code>TLSv1.0, TLSv1.1</code>");
    }
}
