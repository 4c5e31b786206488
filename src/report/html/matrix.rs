//! The control matrix: criteria down, targets across, the worst status in each cell, counts at each edge.

use super::view::anchor;
use crate::finding::fingerprint;
use crate::model::control::Relation;
use crate::model::{CheckResult, ControlResult, ControlStatus, Status};
use crate::report::index::Index;
use crate::report::summary::{Counts, Mark, Marks};
use serde::Serialize;

/// Targets across one matrix: what still fits on a page of paper.
const MAX_COLUMNS: usize = 8;

/// A framework's controls over some of the targets.
#[derive(Serialize)]
pub struct Matrix {
    framework: String,
    part: usize,
    parts: usize,
    columns: Vec<Column>,
    rows: Vec<Line>,
    not_assessed: Vec<(String, String)>,
    assessed: usize,
    controls: usize,
}

#[derive(Serialize)]
struct Column {
    id: String,
    anchor: String,
    passed: usize,
    total: usize,
}

#[derive(Serialize)]
struct Line {
    id: String,
    title: String,
    status: &'static str,
    partly: bool,
    passed: u32,
    total: u32,
    cells: Vec<Option<Cell>>,
}

#[derive(Serialize)]
struct Cell {
    mark: Mark,
    passed: usize,
    total: usize,
    link: String,
}

/// One matrix for each framework, or several where there are many targets.
pub fn matrices(index: &Index<'_>, marks: &Marks) -> Vec<Matrix> {
    let assessment = index.assessment;
    let mut frameworks: Vec<&str> = Vec::new();
    for result in &assessment.controls {
        if !frameworks.contains(&result.control.framework.as_str()) {
            frameworks.push(&result.control.framework);
        }
    }
    let targets: Vec<(usize, &str)> = assessment.targets.iter().map(|target| target.id.as_str()).enumerate().collect();
    let parts = targets.chunks(MAX_COLUMNS).count();
    let mut matrices = Vec::new();
    for framework in frameworks {
        let controls: Vec<&ControlResult> =
            assessment.controls.iter().filter(|result| result.control.framework == framework).collect();
        for (part, targets) in targets.chunks(MAX_COLUMNS).enumerate() {
            matrices.push(matrix(index, marks, framework, &controls, targets, (part + 1, parts)));
        }
    }
    matrices
}

fn matrix(
    index: &Index<'_>,
    marks: &Marks,
    framework: &str,
    controls: &[&ControlResult],
    targets: &[(usize, &str)],
    (part, parts): (usize, usize),
) -> Matrix {
    let assessed = |result: &&&ControlResult| result.status != ControlStatus::NotAssessed;
    let rows: Vec<Line> = controls
        .iter()
        .filter(assessed)
        .map(|result| Line {
            id: short(&result.control.id).to_owned(),
            title: result.control.title.clone(),
            status: result.status.word(),
            partly: result.relation == Relation::Partly,
            passed: result.coverage.passed,
            total: result.coverage.total,
            cells: targets.iter().map(|(n, target)| cell(index, marks, result, *n, target)).collect(),
        })
        .collect();
    let not_assessed = controls.iter().filter(|result| result.status == ControlStatus::NotAssessed);
    let mapped: Vec<&str> = controls.iter().flat_map(|result| result.checks.iter().map(String::as_str)).collect();
    let columns = targets.iter().map(|(n, id)| {
        let results = index.results(id).iter().copied();
        let counts =
            marks.count(results.filter(|result| mapped.contains(&result.check.as_str()) && counts_here(result)));
        Column { id: (*id).to_owned(), anchor: format!("t-{n}"), passed: counts.passed, total: counts.total() }
    });
    Matrix {
        framework: name(framework).to_owned(),
        part,
        parts,
        columns: columns.collect(),
        assessed: rows.len(),
        rows,
        not_assessed: not_assessed
            .map(|result| (short(&result.control.id).to_owned(), result.control.title.clone()))
            .collect(),
        controls: controls.len(),
    }
}

/// Whether a result bears on controls at all: a relaxed pass supports nothing, and what does not apply is left out.
fn counts_here(result: &CheckResult) -> bool {
    match result.status {
        Status::NotApplicable => false,
        Status::Pass => result.relaxed.is_empty(),
        _ => true,
    }
}

fn cell(index: &Index<'_>, marks: &Marks, control: &ControlResult, n: usize, target: &str) -> Option<Cell> {
    let all = index.results(target).iter().copied();
    let here: Vec<&CheckResult> =
        all.filter(|result| control.checks.contains(&result.check) && counts_here(result)).collect();
    let counts: Counts = marks.count(here.iter().copied());
    let mark = counts.worst()?;
    let worst = here.iter().find(|result| marks.of(result) == mark && result.status == Status::Fail);
    let link = match worst {
        Some(result) => anchor(&fingerprint(&result.check, &result.target, &result.part, &result.item)),
        None => format!("t-{n}"),
    };
    Some(Cell { mark, passed: counts.passed, total: counts.total(), link })
}

fn short(id: &str) -> &str {
    id.split_once(':').map_or(id, |(_, short)| short)
}

/// A framework as people name it.
fn name(framework: &str) -> &str {
    match framework {
        "soc2" => "SOC 2",
        "gdpr" => "GDPR",
        "iso27001" => "ISO/IEC 27001",
        "pci" => "PCI DSS",
        "hipaa" => "HIPAA",
        "nis2" => "NIS 2",
        "dora" => "DORA",
        "ccm" => "CSA CCM",
        "nist80053" => "NIST SP 800-53",
        other => other,
    }
}
