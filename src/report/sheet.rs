//! An assessment as tables of text: what the spreadsheet and the comma-separated file are written from.

use super::index::Index;
use super::summary::{Mark, Marks};
use super::text::{clip, escape, value};
use super::{Context, acceptance, controls_of_checks};
use crate::finding::WAIVERS;
use crate::model::{Assessment, CheckResult, FindingState, Status, Verdict};

/// The longest text of one cell; a spreadsheet takes 32767, and escaping may make a letter into ten.
const MAX_TEXT: usize = 2000;
/// The most digests named in one cell.
const MAX_DIGESTS: usize = 24;

/// One table. Every cell is text on one line, bounded and without control characters.
pub struct Sheet {
    /// What a spreadsheet's tab says; at most 31 letters.
    pub name: &'static str,
    /// The names of the columns.
    pub head: &'static [&'static str],
    /// As many cells each as there are columns.
    pub rows: Vec<Vec<String>>,
}

/// All tables, in the order in which an auditor reads them.
pub fn all(assessment: &Assessment, verdict: &Verdict, context: &Context<'_>) -> Vec<Sheet> {
    vec![
        run(assessment, verdict),
        blind_spots(assessment),
        population(assessment),
        results(assessment, context),
        exceptions(assessment),
        controls(assessment),
        evidence(assessment),
    ]
}

fn run(assessment: &Assessment, verdict: &Verdict) -> Sheet {
    let run = &assessment.run;
    let counts = Marks::new(assessment).count(assessment.results.iter());
    let pairs = [
        ("verdict", verdict.gate.word().to_owned()),
        ("exit code", verdict.exit.to_string()),
        ("reason", verdict.reason.clone()),
        ("run", run.id.clone()),
        ("organisation", run.organisation.clone().unwrap_or_default()),
        ("started", run.started.to_string()),
        ("ended", run.ended.to_string()),
        ("interrupted", if run.interrupted { "yes" } else { "no" }.to_owned()),
        ("trigger", run.trigger.clone()),
        ("principal", run.principal.clone()),
        ("host", run.host.clone()),
        ("tool", format!("{} {}", run.tool.name, run.tool.version)),
        ("configuration digest", run.config_digest.clone()),
        ("catalogue digest", assessment.catalogue_digest.clone()),
        ("targets in scope", assessment.targets.len().to_string()),
        ("results that bear on the verdict", counts.total().to_string()),
        ("failed", counts.failed.to_string()),
        ("not evaluated", counts.open.to_string()),
        ("failed and waived", counts.waived.to_string()),
        ("passed", counts.passed.to_string()),
        ("not applicable", counts.not_applicable.to_string()),
        ("blind spots", assessment.blind_spots.len().to_string()),
    ];
    let rows = pairs.iter().map(|(name, words)| vec![(*name).to_owned(), cell(words)]).collect();
    Sheet { name: "Run", head: &["field", "value"], rows }
}

fn blind_spots(assessment: &Assessment) -> Sheet {
    let row = |spot: &crate::model::BlindSpot| {
        let checks = some(&spot.checks);
        [&spot.target, &spot.part, &spot.reason, &checks, &spot.remedy].map(|words| cell(words)).to_vec()
    };
    Sheet {
        name: "Blind spots",
        head: &["target", "part", "reason", "checks that wait", "what would settle it"],
        rows: assessment.blind_spots.iter().map(row).collect(),
    }
}

fn population(assessment: &Assessment) -> Sheet {
    let (index, marks) = (Index::new(assessment), Marks::new(assessment));
    let rows = assessment.targets.iter().map(|target| {
        let counts = marks.count(index.results(&target.id).iter().copied());
        let declared = target.declared.as_ref().map(|place| format!("{}:{}", place.file, place.line));
        let words = [
            target.id.as_str(),
            target.kind.word(),
            &target.address,
            target.owner.as_deref().unwrap_or_default(),
            target.environment.as_deref().unwrap_or_default(),
            declared.as_deref().unwrap_or_default(),
        ];
        let numbers = [
            index.observations(&target.id).len(),
            counts.failed,
            counts.open,
            counts.waived,
            counts.passed,
            counts.not_applicable,
        ];
        words.iter().map(|words| cell(words)).chain(numbers.iter().map(usize::to_string)).collect()
    });
    Sheet {
        name: "Population",
        head: &[
            "target",
            "kind",
            "address",
            "owner",
            "environment",
            "declared at",
            "observations",
            "failed",
            "not evaluated",
            "waived",
            "passed",
            "not applicable",
        ],
        rows: rows.collect(),
    }
}

/// Every result, every waiver that is itself wanting, and every target that nothing looked at: the last are *not
/// evaluated*, since a list without them would read as if they were not in scope.
pub fn results(assessment: &Assessment, context: &Context<'_>) -> Sheet {
    let (index, marks) = (Index::new(assessment), Marks::new(assessment));
    let (controls, none) = (controls_of_checks(assessment), Vec::new());
    let row = |result: &CheckResult| {
        let title = context.checks.get(&result.check).map(|check| check.title.as_str()).unwrap_or_default();
        let finding = index.finding(result);
        let accepted = finding.and_then(|finding| acceptance(finding, assessment)).unwrap_or_default();
        let status = if marks.of(result) == Mark::Waived { "fail (waived)" } else { result.status.word() };
        let controls = controls.get(result.check.as_str()).unwrap_or(&none).join(", ");
        let (expected, actual) = (value(&result.expected), value(&result.actual));
        let evidence = some(&result.observations);
        let words = [
            result.target.as_str(),
            &result.part,
            &result.check,
            &result.item,
            status,
            result.severity.word(),
            &result.reason,
            &expected,
            &actual,
            &accepted,
            title,
            &controls,
            &result.version,
            &result.digest,
            &evidence,
        ];
        words.map(cell).to_vec()
    };
    let mut rows: Vec<Vec<String>> = assessment.results.iter().map(row).collect();
    let mut add = |target: &str, part: &str, check: &str, item: &str, status: &str, severity: &str, reason: &str| {
        let mut row = [target, part, check, item, status, severity, reason].map(cell).to_vec();
        row.resize(RESULT_HEAD.len(), String::new());
        rows.push(row);
    };
    for finding in assessment.findings.iter().filter(|finding| finding.check == WAIVERS) {
        let (status, severity) = (Status::Fail.word(), finding.severity.word());
        add(&finding.target, &finding.part, &finding.check, &finding.item, status, severity, &finding.reason);
    }
    for spot in assessment.blind_spots.iter().filter(|spot| spot.checks.is_empty()) {
        add(&spot.target, &spot.part, "", "", Status::NotEvaluated.word(), "", &spot.reason);
    }
    Sheet { name: "Results", head: RESULT_HEAD, rows }
}

const RESULT_HEAD: &[&str] = &[
    "target",
    "part",
    "check",
    "item",
    "status",
    "severity",
    "reason",
    "expected",
    "actual",
    "accepted by",
    "the check wants",
    "controls",
    "check version",
    "check digest",
    "evidence",
];

fn exceptions(assessment: &Assessment) -> Sheet {
    let rows = assessment.findings.iter().map(|finding| {
        let state = if finding.state == FindingState::Waived { "waived" } else { "open" };
        let accepted = acceptance(finding, assessment).unwrap_or_default();
        let (first, last) = (finding.first_seen.to_string(), finding.last_seen.to_string());
        let words = [
            finding.severity.word(),
            state,
            &finding.target,
            &finding.part,
            &finding.check,
            &finding.item,
            &finding.reason,
            &first,
            &last,
            &accepted,
            &finding.fingerprint,
        ];
        words.map(cell).to_vec()
    });
    Sheet {
        name: "Exceptions",
        head: &[
            "severity",
            "state",
            "target",
            "part",
            "check",
            "item",
            "reason",
            "first seen",
            "last seen",
            "accepted by",
            "fingerprint",
        ],
        rows: rows.collect(),
    }
}

fn controls(assessment: &Assessment) -> Sheet {
    let rows = assessment.controls.iter().map(|row| {
        let of = row.coverage;
        let numbers = [of.passed, of.failed, of.open, of.total].map(|n| n.to_string());
        let checks = some(&row.checks);
        let words = [row.control.id.as_str(), &row.control.title, row.status.word()].map(cell);
        words.into_iter().chain(numbers).chain([cell(&checks)]).collect()
    });
    Sheet {
        name: "Controls",
        head: &["control", "title", "status", "passed", "failed", "not evaluated", "results", "checks"],
        rows: rows.collect(),
    }
}

fn evidence(assessment: &Assessment) -> Sheet {
    let rows = assessment.observations.iter().map(|seen| {
        let word = |value: serde_json::Result<serde_json::Value>| value.map(|word| self::value(&word));
        let method = word(serde_json::to_value(seen.method)).unwrap_or_default();
        let status = word(serde_json::to_value(seen.status)).unwrap_or_default();
        let collected = seen.collected.to_string();
        let expires = seen.expires.map(|instant| instant.to_string()).unwrap_or_default();
        let trouble = seen.trouble.as_ref().map(|trouble| trouble.to_string()).unwrap_or_default();
        let words = [
            seen.id.as_str(),
            &seen.kind,
            &seen.target,
            &seen.part,
            &seen.collector,
            &method,
            &status,
            &collected,
            &expires,
            &trouble,
        ];
        words.map(cell).to_vec()
    });
    Sheet {
        name: "Evidence",
        head: &["digest", "kind", "target", "part", "collector", "method", "status", "collected", "expires", "trouble"],
        rows: rows.collect(),
    }
}

/// A list in one cell, with its length where it is cut.
fn some(all: &[String]) -> String {
    let mut words: Vec<&str> = all.iter().take(MAX_DIGESTS).map(String::as_str).collect();
    let more = format!("… {} in all", all.len());
    words.extend((all.len() > MAX_DIGESTS).then_some(more.as_str()));
    words.join(" ")
}

fn cell(text: &str) -> String {
    escape(&clip(text, MAX_TEXT)).into_owned()
}
