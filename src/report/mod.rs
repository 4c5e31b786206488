//! An assessment as bytes: one file a format. Looks at nothing and judges nothing.
//!
//! Everything that a server, a file or a database said is a stranger's text: each format makes it harmless in its own
//! way, and [`text`] does so for terminals.

mod csv;
mod github;
mod gitlab;
mod html;
mod index;
pub mod json;
mod junit;
mod markdown;
mod oscal;
mod prometheus;
pub mod retention;
mod sarif;
mod sheet;
mod summary;
pub mod sweep;
mod table;
pub mod text;
mod xlsx;

use crate::model::{Assessment, Check, Finding, FindingState, Verdict, Waiver};
use std::collections::BTreeMap;

/// The forms in which an assessment can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// For a terminal.
    Table,
    /// The whole record, in a versioned form.
    Json,
    /// One file for people, which opens without a network.
    Html,
    /// For CI systems that show tests.
    Junit,
    /// For CI systems that show code scanning.
    Sarif,
    /// For a spreadsheet or a script: every result, a row each.
    Csv,
    /// The auditor's workbook.
    Xlsx,
    /// For a pull request or a step summary.
    Markdown,
    /// Annotations of GitHub Actions.
    Github,
    /// GitLab's code quality report.
    Gitlab,
    /// Assessment results of OSCAL.
    Oscal,
    /// Metrics for Prometheus' text file collector.
    Prometheus,
}

impl Format {
    /// Every format.
    pub const ALL: &[Format] = &[
        Format::Table,
        Format::Json,
        Format::Html,
        Format::Junit,
        Format::Sarif,
        Format::Csv,
        Format::Xlsx,
        Format::Markdown,
        Format::Github,
        Format::Gitlab,
        Format::Oscal,
        Format::Prometheus,
    ];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Format::Table => "table",
            Format::Json => "json",
            Format::Html => "html",
            Format::Junit => "junit",
            Format::Sarif => "sarif",
            Format::Csv => "csv",
            Format::Xlsx => "xlsx",
            Format::Markdown => "md",
            Format::Github => "github",
            Format::Gitlab => "gitlab",
            Format::Oscal => "oscal",
            Format::Prometheus => "prometheus",
        }
    }

    /// The format of this word.
    pub fn parse(word: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|format| format.word() == word)
    }
}

/// How much a terminal shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// The verdict line.
    Quiet,
    /// What is not all right.
    #[default]
    Normal,
    /// Passes, too.
    Verbose,
}

/// What a renderer needs beside the assessment.
pub struct Context<'a> {
    /// Columns of the terminal; at least 60 are used.
    pub width: u16,
    /// Whether colour may be used. It never carries a meaning alone.
    pub colour: bool,
    /// How much a terminal shows.
    pub detail: Detail,
    /// The checks by id: their titles and what people read about them.
    pub checks: &'a BTreeMap<String, Check>,
}

/// Why a report could not be made. All of these are faults of probity.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// A value has no form in JSON.
    #[error("write the report as JSON")]
    Json(#[from] serde_json::Error),
    /// The JUnit writer failed.
    #[error("write the report as JUnit XML")]
    Junit(#[from] quick_junit::SerializeError),
    /// The template failed.
    #[error("fill in the report's template")]
    Template(#[from] minijinja::Error),
    /// The writer of comma-separated values failed.
    #[error("write the report as CSV")]
    Csv(#[from] ::csv::Error),
    /// The writer of workbooks failed, for example since there are more rows than a sheet holds.
    #[error("write the report as a workbook")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
    /// Text could not be put together.
    #[error("write the report as text")]
    Text(#[from] std::fmt::Error),
    /// A file of `reports/` is not there.
    #[error("find the report file {0}")]
    Missing(&'static str),
}

/// Makes the report. The same assessment, verdict and context give the same bytes.
///
/// # Errors
/// When a template or a writer fails, which is a fault of probity.
pub fn render(
    format: Format,
    assessment: &Assessment,
    verdict: &Verdict,
    context: &Context<'_>,
) -> Result<Vec<u8>, RenderError> {
    match format {
        Format::Table => Ok(table::render(assessment, verdict, context).into_bytes()),
        Format::Json => json::render(assessment, verdict, context),
        Format::Html => html::render(assessment, verdict, context),
        Format::Junit => junit::render(assessment, verdict, context),
        Format::Sarif => sarif::render(assessment, verdict, context),
        Format::Csv => csv::render(assessment, context),
        Format::Xlsx => xlsx::render(assessment, verdict, context),
        Format::Markdown => markdown::render(assessment, verdict, context),
        Format::Github => github::render(assessment, verdict, context),
        Format::Gitlab => gitlab::render(assessment),
        Format::Oscal => oscal::render(assessment, verdict, context),
        Format::Prometheus => prometheus::render(assessment, verdict),
    }
}

/// The controls that each check bears on in this run, by their short ids.
fn controls_of_checks(assessment: &Assessment) -> BTreeMap<&str, Vec<&str>> {
    let mut controls: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for result in &assessment.controls {
        for check in &result.checks {
            controls.entry(check).or_default().push(&result.control.id);
        }
    }
    controls
}

/// Who accepts a failure and why, where a waiver or an exception in the evidence covers it.
fn acceptance(finding: &Finding, assessment: &Assessment) -> Option<String> {
    if finding.state != FindingState::Waived {
        return None;
    }
    let id = finding.waiver.as_deref();
    let waiver = assessment.judging.waivers.iter().find(|waiver| Some(waiver.id.as_str()) == id);
    Some(match waiver {
        Some(Waiver { id, reason, owner, approved_by, expires, .. }) => {
            format!("{id} until {expires}: {reason} (owner {owner}, approved by {approved_by})")
        }
        None => "an exception that the evidence records, named in the reason".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_word() {
        for format in Format::ALL {
            assert_eq!(Format::parse(format.word()), Some(*format));
        }
        assert_eq!(Format::parse("docx"), None);
    }
}
