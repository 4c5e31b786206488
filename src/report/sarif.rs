//! SARIF 2.1.0: rules for all checks that ran, and a result for every judgement, passes included.
//!
//! A waived failure is a result with an accepted suppression. Its place is the line of `probity.yaml` that declares the
//! target, and a logical location where there is no such file.

use super::index::Index;
use super::text::{clip, escape, harmless_json, value};
use super::{Context, RenderError, acceptance, controls_of_checks};
use crate::finding::{WAIVERS, fingerprint};
use crate::model::{Assessment, Check, CheckResult, Finding, Gate, Severity, Status, Target, Verdict};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The longest message.
const MAX_TEXT: usize = 2000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    automation_details: AutomationDetails,
    invocations: [Invocation; 1],
    column_kind: &'static str,
    results: Vec<SarifResult>,
    properties: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AutomationDetails {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: String,
    semantic_version: String,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    exit_code: u8,
    exit_code_description: String,
    start_time_utc: String,
    end_time_utc: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    short_description: Message,
    full_description: Message,
    help: Help,
    default_configuration: Configuration,
    properties: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
struct Help {
    text: String,
    markdown: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: String,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    partial_fingerprints: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    suppressions: Vec<Suppression>,
    properties: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<PhysicalLocation>,
    logical_locations: [LogicalLocation; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    region: Region,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
    justification: String,
}

pub(super) fn render(
    assessment: &Assessment,
    verdict: &Verdict,
    context: &Context<'_>,
) -> Result<Vec<u8>, RenderError> {
    let rules = rules(assessment, context);
    let place = |id: &str| rules.iter().position(|rule| rule.id == id).unwrap_or_default();
    let index = Index::new(assessment);
    let mut results: Vec<SarifResult> = Vec::new();
    for result in &assessment.results {
        results.push(of_result(result, place(&result.check), &index));
    }
    for finding in assessment.findings.iter().filter(|finding| finding.check == WAIVERS) {
        results.push(of_waiver(finding, place(WAIVERS), &index));
    }
    let run = &assessment.run;
    let log = Log {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: [Run {
            automation_details: AutomationDetails { id: format!("probity/{}", run.id) },
            invocations: [Invocation {
                execution_successful: verdict.gate != Gate::Interrupted,
                exit_code: verdict.exit,
                exit_code_description: plain(&verdict.reason),
                start_time_utc: run.started.to_string(),
                end_time_utc: run.ended.to_string(),
            }],
            column_kind: "utf16CodeUnits",
            results,
            properties: json!({
                "verdict": verdict.gate.word(),
                "catalogueDigest": assessment.catalogue_digest,
                "configDigest": run.config_digest,
                "blindSpots": assessment.blind_spots.len(),
            }),
            tool: Tool {
                driver: Driver { name: run.tool.name.clone(), semantic_version: run.tool.version.clone(), rules },
            },
        }],
    };
    let mut text = harmless_json(&serde_json::to_string_pretty(&log)?);
    text.push('\n');
    Ok(text.into_bytes())
}

fn rules(assessment: &Assessment, context: &Context<'_>) -> Vec<Rule> {
    let controls = controls_of_checks(assessment);
    let mut severities: BTreeMap<&str, Severity> = BTreeMap::new();
    let judged = assessment.results.iter().map(|result| (result.check.as_str(), result.severity));
    let waivers = assessment.findings.iter().filter(|finding| finding.check == WAIVERS);
    for (id, severity) in judged.chain(waivers.map(|finding| (finding.check.as_str(), finding.severity))) {
        let worst = severities.entry(id).or_insert(severity);
        *worst = severity.max(*worst);
    }
    let none = Vec::new();
    let all = severities.into_iter();
    all.map(|(id, severity)| rule(id, severity, context.checks.get(id), controls.get(id).unwrap_or(&none))).collect()
}

fn rule(id: &str, severity: Severity, check: Option<&Check>, controls: &[&str]) -> Rule {
    let tags: Vec<&str> = controls.iter().copied().chain(["security"]).collect();
    let severity = check.map_or(severity, |check| check.severity);
    let (title, why, help) = match check {
        Some(check) => (check.title.clone(), check.docs.why.clone(), help(check)),
        None if id == WAIVERS => {
            let why = "A waiver that ended or matches no failure hides what is accepted and by whom.";
            let title = "Every waiver is in force and covers a failure";
            let help =
                Help { text: why.to_owned(), markdown: format!("{why} Renew it with a new approval, or remove it.") };
            (title.to_owned(), why.to_owned(), help)
        }
        None => (id.to_owned(), id.to_owned(), Help { text: id.to_owned(), markdown: format!("`{id}`") }),
    };
    Rule {
        id: id.to_owned(),
        short_description: Message { text: plain(&title) },
        full_description: Message { text: plain(why.trim()) },
        help,
        default_configuration: Configuration { level: level(severity) },
        properties: json!({
            "tags": tags,
            "security-severity": score(severity),
            "version": check.map(|check| check.version.as_str()),
        }),
    }
}

fn help(check: &Check) -> Help {
    let docs = &check.docs;
    let sections = [
        ("Why", &docs.why),
        ("How to mend it", &docs.remediation),
        ("How an auditor repeats it", &docs.audit),
        ("What a pass does not establish", &docs.does_not_establish),
    ];
    let mut markdown = format!("# {}\n", check.title);
    let mut text = format!("{}\n", check.title);
    for (heading, words) in sections {
        markdown.push_str(&format!("\n## {heading}\n\n{}\n", words.trim()));
        text.push_str(&format!("\n{heading}: {}\n", words.trim()));
    }
    if !docs.references.is_empty() {
        markdown.push_str(&format!("\nReferences: {}\n", docs.references.join(", ")));
    }
    Help { text, markdown }
}

fn of_result(result: &CheckResult, rule_index: usize, index: &Index<'_>) -> SarifResult {
    let print = fingerprint(&result.check, &result.target, &result.part, &result.item);
    let finding = index.finding(result);
    let (kind, level) = match result.status {
        Status::Pass => ("pass", "none"),
        Status::Fail => ("fail", level(result.severity)),
        Status::Error | Status::NotEvaluated => ("open", "none"),
        Status::NotApplicable => ("notApplicable", "none"),
        Status::NeedsReview => ("review", "none"),
    };
    SarifResult {
        rule_id: result.check.clone(),
        rule_index,
        kind,
        level,
        message: Message { text: plain(&sentence(result)) },
        locations: [location(index, &result.target, &result.part, &result.item)],
        partial_fingerprints: BTreeMap::from([("probity/v1", print)]),
        suppressions: finding.and_then(|finding| suppression(finding, index.assessment)).into_iter().collect(),
        properties: json!({
            "status": result.status.word(),
            "severity": result.severity.word(),
            "target": escape(&result.target),
            "part": escape(&result.part),
            "item": line(&result.item),
            "expected": escape(&value(&result.expected)),
            "actual": escape(&value(&result.actual)),
            "observations": result.observations,
            "checkVersion": result.version,
        }),
    }
}

fn of_waiver(finding: &Finding, rule_index: usize, index: &Index<'_>) -> SarifResult {
    SarifResult {
        rule_id: finding.check.clone(),
        rule_index,
        kind: "fail",
        level: level(finding.severity),
        message: Message { text: plain(&finding.reason) },
        locations: [location(index, &finding.target, &finding.part, &finding.item)],
        partial_fingerprints: BTreeMap::from([("probity/v1", finding.fingerprint.clone())]),
        suppressions: Vec::new(),
        properties: json!({ "severity": finding.severity.word(), "target": escape(&finding.target), "item": line(&finding.item) }),
    }
}

fn sentence(result: &CheckResult) -> String {
    if result.reason.is_empty() {
        format!("{}: {}", result.target, result.status.word())
    } else {
        result.reason.clone()
    }
}

fn suppression(finding: &Finding, assessment: &Assessment) -> Option<Suppression> {
    let justification = acceptance(finding, assessment)?;
    Some(Suppression { kind: "external", status: "accepted", justification: line(&justification) })
}

fn location(index: &Index<'_>, target: &str, part: &str, item: &str) -> Location {
    let place = index.target(target).and_then(declared);
    let name = line(target);
    let words = [target, part, item].into_iter().filter(|word| !word.is_empty());
    let path: Vec<_> = words.map(|word| escape(&clip(word, 300)).into_owned()).collect();
    Location {
        physical_location: place,
        logical_locations: [LogicalLocation { name, fully_qualified_name: path.join("/"), kind: "resource" }],
    }
}

fn declared(target: &Target) -> Option<PhysicalLocation> {
    let place = target.declared.as_ref()?;
    let region = Region { start_line: place.line.max(1) };
    Some(PhysicalLocation { artifact_location: ArtifactLocation { uri: uri(&place.file) }, region })
}

/// A path as a URI reference: what is neither unreserved nor a slash is written in per cent.
fn uri(path: &str) -> String {
    let mut out = String::new();
    for byte in path.trim_start_matches("./").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The number that code scanning sorts by.
fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "0.0",
    }
}

/// A stranger's text on one line, bounded.
fn line(text: &str) -> String {
    escape(&clip(text, MAX_TEXT)).into_owned()
}

/// A stranger's text as plain message text, in which SARIF gives a meaning to braces and to `[words](link)`.
fn plain(text: &str) -> String {
    let mut text = line(text);
    if text.contains("](") {
        text = text.replace('[', "\\[").replace(']', "\\]");
    }
    text.replace('{', "{{").replace('}', "}}")
}
