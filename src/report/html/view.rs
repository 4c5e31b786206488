//! What the page shows, as plain values: the template lays it out and decides nothing.

use super::detail::{Detail, detail};
use super::matrix::{Matrix, matrices};
use crate::finding::WAIVERS;
use crate::model::{Assessment, Check, Finding, FindingState, Gate, Severity, Verdict, digest};
use crate::report::index::Index;
use crate::report::summary::{Counts, Mark, Marks, Summary, Told, grade_words, item_words, told};
use crate::report::text::{clip, counted, value};
use crate::report::{Context, acceptance, controls_of_checks};
use serde::Serialize;
use std::collections::BTreeMap;

/// Findings of one check that are shown; the record has all.
const MAX_ROWS: usize = 150;
/// Blocks of a status bar that are drawn one by one; a longer bar is drawn by shares.
const MAX_BLOCKS: usize = 44;

/// Checks that wait on one reason and are named; the details of the target name all.
const MAX_WAITING: usize = 5;

/// The whole page.
#[derive(Serialize)]
pub struct Page {
    cover: Cover,
    blind_spots: Vec<Blind>,
    glance: Vec<Glance>,
    matrices: Vec<Matrix>,
    findings: Vec<Card>,
    details: Vec<Detail>,
    method: Method,
    evidence: Vec<Record>,
}

#[derive(Serialize)]
struct Cover {
    organisation: String,
    scope: String,
    instant: String,
    started: String,
    verdict: &'static str,
    gate: &'static str,
    reason: String,
    exit: u8,
    judged: usize,
    total: usize,
    counts: Counts,
    run: String,
    trigger: String,
    principal: String,
    host: String,
    tool: String,
    record: String,
    config: String,
    catalogue: String,
    notes: Vec<String>,
    interrupted: bool,
}

#[derive(Serialize)]
struct Blind {
    /// Targets with their parts.
    places: Vec<(String, String)>,
    reason: String,
    remedy: String,
    checks: Vec<String>,
    more: usize,
}

#[derive(Serialize)]
struct Glance {
    anchor: String,
    id: String,
    kind: &'static str,
    address: String,
    owner: String,
    ring: Option<Ring>,
    blocks: Blocks,
    oldest: String,
    days_left: Option<i64>,
}

/// A grade as a letter in a ring, whose arc is the score.
#[derive(Serialize)]
pub struct Ring {
    /// The letter, or a question mark.
    pub letter: String,
    /// 0 to 100.
    pub score: f64,
    /// The letter in words.
    pub words: String,
    /// What limits it.
    pub why: String,
}

/// A bar of status blocks.
#[derive(Serialize)]
struct Blocks {
    counts: Counts,
    total: usize,
    width: f64,
    shapes: Vec<Shape>,
}

/// The blocks of one status, as one path: the height tells the status apart without colour.
#[derive(Serialize)]
struct Shape {
    mark: Mark,
    path: String,
}

#[derive(Serialize)]
struct Card {
    check: String,
    title: String,
    severity: &'static str,
    waived: bool,
    held: usize,
    total: usize,
    controls: Vec<String>,
    rows: Vec<Row>,
    more: usize,
    why: String,
    audit: Vec<String>,
    remediation: Vec<String>,
    references: Vec<String>,
}

#[derive(Serialize)]
struct Row {
    anchors: Vec<String>,
    severity: &'static str,
    target: String,
    part: String,
    items: Vec<String>,
    reason: String,
    expected: String,
    actual: String,
    since: String,
    waiver: String,
    evidence: Vec<String>,
}

#[derive(Serialize)]
struct Method {
    population: Vec<(String, usize)>,
    fail_on: &'static str,
    min_coverage: u8,
    allowances: Vec<String>,
    waivers: Vec<String>,
    relaxed: Vec<String>,
    checks: Vec<Ran>,
}

#[derive(Serialize)]
struct Ran {
    id: String,
    version: String,
    title: String,
    results: usize,
    limits: String,
}

#[derive(Serialize)]
struct Record {
    id: String,
    kind: String,
    target: String,
    part: String,
    method: String,
    status: String,
    collected: String,
    bytes: usize,
}

/// Everything that the page shows.
pub fn page(assessment: &Assessment, verdict: &Verdict, context: &Context<'_>, record: String) -> Page {
    let (index, marks) = (Index::new(assessment), Marks::new(assessment));
    Page {
        cover: cover(assessment, verdict, &marks, record),
        blind_spots: blind(assessment),
        glance: glance(&index, &marks),
        matrices: matrices(&index, &marks),
        findings: cards(&index, context),
        details: assessment.targets.iter().enumerate().map(|(n, target)| detail(&index, target, n, &marks)).collect(),
        method: method(assessment, context),
        evidence: assessment.observations.iter().map(evidence).collect(),
    }
}

/// The anchor of a finding's row.
pub fn anchor(fingerprint: &str) -> String {
    format!("f-{}", fingerprint.get(..16).unwrap_or(fingerprint))
}

/// `2026-11-23 13:40 UTC`.
fn moment(instant: jiff::Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn cover(assessment: &Assessment, verdict: &Verdict, marks: &Marks, record: String) -> Cover {
    let run = &assessment.run;
    let counts = marks.count(assessment.results.iter());
    Cover {
        organisation: run.organisation.clone().unwrap_or_default(),
        scope: scope(assessment),
        instant: moment(run.ended),
        started: moment(run.started),
        verdict: match verdict.gate {
            Gate::Passed => "Passed",
            Gate::Failed => "Failed",
            Gate::Inconclusive => "Inconclusive",
            Gate::Waived => "Only waived failures",
            Gate::Interrupted => "Interrupted",
        },
        gate: verdict.gate.word(),
        reason: verdict.reason.clone(),
        exit: verdict.exit,
        judged: counts.total() - counts.open,
        total: counts.total(),
        counts,
        run: run.id.clone(),
        trigger: run.trigger.clone(),
        principal: run.principal.clone(),
        host: run.host.clone(),
        tool: format!("{} {}", run.tool.name, run.tool.version),
        record,
        config: run.config_digest.clone(),
        catalogue: assessment.catalogue_digest.clone(),
        notes: verdict.notes.clone(),
        interrupted: run.interrupted,
    }
}

fn population(assessment: &Assessment) -> Vec<(String, usize)> {
    let mut kinds: BTreeMap<_, usize> = BTreeMap::new();
    assessment.targets.iter().for_each(|target| *kinds.entry(target.kind).or_default() += 1);
    kinds.into_iter().map(|(kind, n)| (kind.word().to_owned(), n)).collect()
}

fn scope(assessment: &Assessment) -> String {
    let kinds: Vec<String> = population(assessment)
        .into_iter()
        .map(|(kind, n)| match kind.as_str() {
            "objects" => counted(n, "object store", "object stores"),
            kind => counted(n, kind, &format!("{kind}s")),
        })
        .collect();
    let kinds = match kinds.as_slice() {
        [] => "no target".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    };
    let mut checks: Vec<&str> = assessment.results.iter().map(|result| result.check.as_str()).collect();
    checks.sort_unstable();
    checks.dedup();
    let checks = counted(checks.len(), "check", "checks");
    format!("{kinds}, judged by {checks} with {}.", counted(assessment.results.len(), "result", "results"))
}

/// What was not evaluated, each reason once with every place where it was met.
fn blind(assessment: &Assessment) -> Vec<Blind> {
    let mut all: Vec<Blind> = Vec::new();
    let mut met: BTreeMap<_, usize> = BTreeMap::new();
    for spot in &assessment.blind_spots {
        let crate::model::BlindSpot { target, part, reason, mut checks, remedy, .. } = spot.clone();
        let reason = clip(&reason, 500).into_owned();
        let more = if checks.len() > MAX_WAITING + 1 { checks.len() - MAX_WAITING } else { 0 };
        checks.truncate(checks.len() - more);
        let n = *met.entry((reason.clone(), remedy.clone(), checks.clone(), more)).or_insert(all.len());
        match all.get_mut(n) {
            Some(same) => same.places.push((target, part)),
            None => all.push(Blind { places: vec![(target, part)], reason, remedy, checks, more }),
        }
    }
    all
}

fn glance(index: &Index<'_>, marks: &Marks) -> Vec<Glance> {
    let mut oldest: BTreeMap<&str, jiff::Timestamp> = BTreeMap::new();
    let open = |finding: &&Finding| finding.state == FindingState::Open && finding.check != WAIVERS;
    for finding in index.assessment.findings.iter().filter(open) {
        let first = oldest.entry(&finding.target).or_insert(finding.first_seen);
        *first = finding.first_seen.min(*first);
    }
    let rows = index.assessment.targets.iter().enumerate().map(|(n, target)| {
        let summary = Summary::new(index, target, marks);
        let oldest = oldest.get(target.id.as_str());
        Glance {
            anchor: format!("t-{n}"),
            id: target.id.clone(),
            kind: target.kind.word(),
            address: target.address.clone(),
            owner: target.owner.clone().unwrap_or_default(),
            ring: summary.grade.as_ref().map(ring),
            blocks: blocks(summary.counts),
            oldest: oldest.map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default(),
            days_left: summary.days_left,
        }
    });
    rows.collect()
}

/// A grade as a ring.
pub fn ring(grade: &crate::model::grade::Grade) -> Ring {
    let (words, why) = grade_words(grade);
    let letter = grade.letter.clone().unwrap_or_else(|| "?".to_owned());
    Ring { letter, score: grade.score.total.clamp(0.0, 100.0), words, why }
}

fn blocks(counts: Counts) -> Blocks {
    let all = [
        (counts.failed, Mark::Fail),
        (counts.open, Mark::Open),
        (counts.waived, Mark::Waived),
        (counts.passed, Mark::Pass),
    ];
    let total = counts.total();
    let single = total <= MAX_BLOCKS;
    let mut shapes = Vec::new();
    let mut x = 0.0;
    for (n, mark) in all.into_iter().filter(|(n, _)| *n > 0) {
        let height = match mark {
            Mark::Fail => 18,
            Mark::Pass => 12,
            _ => 7,
        };
        let (pieces, width) = if single { (n, 5.0) } else { (1, round((n as f64 / total as f64 * 250.0).max(2.0))) };
        let mut path = String::new();
        for _ in 0..pieces {
            path.push_str(&format!("M{} 18v-{height}h{width}v{height}z", round(x)));
            x += width + if single { 1.0 } else { 2.0 };
        }
        shapes.push(Shape { mark, path });
    }
    Blocks { counts, total, width: round(x.max(4.0)), shapes }
}

/// One decimal is enough for a drawing.
pub fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

fn cards(index: &Index<'_>, context: &Context<'_>) -> Vec<Card> {
    let assessment = index.assessment;
    let mut groups: BTreeMap<(&str, bool), Vec<&Finding>> = BTreeMap::new();
    for finding in &assessment.findings {
        groups.entry((&finding.check, finding.state == FindingState::Waived)).or_default().push(finding);
    }
    let controls = controls_of_checks(assessment);
    let mut cards: Vec<(std::cmp::Reverse<Severity>, Card)> = Vec::new();
    for ((id, waived), mut findings) in groups {
        findings.sort_by_key(|finding| {
            (std::cmp::Reverse(finding.severity), &finding.target, &finding.part, &finding.item)
        });
        let worst = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Info);
        let check = context.checks.get(id);
        let titled = |check: &Check| flowing(&check.title);
        let own = if id == WAIVERS { "Every waiver is in force and covers a failure" } else { id };
        let docs = check.map(|check| &check.docs);
        let card = Card {
            check: id.to_owned(),
            title: check.map_or_else(|| own.to_owned(), titled),
            severity: worst.word(),
            waived,
            held: findings.len(),
            total: assessment.results.iter().filter(|result| result.check == id).count(),
            controls: controls.get(id).into_iter().flatten().map(|id| (*id).to_owned()).collect(),
            more: findings.len().saturating_sub(MAX_ROWS),
            rows: merged(findings.into_iter().take(MAX_ROWS).map(|finding| row(finding, index))),
            why: docs.map(|docs| flowing(&docs.why)).unwrap_or_default(),
            audit: docs.map(|docs| lines(&docs.audit)).unwrap_or_default(),
            remediation: docs.map(|docs| lines(&docs.remediation)).unwrap_or_default(),
            references: docs.map(|docs| docs.references.clone()).unwrap_or_default(),
        };
        cards.push((std::cmp::Reverse(worst), card));
    }
    cards.sort_by(|(a, one), (b, two)| (one.waived, a, &one.check).cmp(&(two.waived, b, &two.check)));
    cards.into_iter().map(|(_, card)| card).collect()
}

/// The lines of a text of our own, such as commands.
fn lines(text: &str) -> Vec<String> {
    text.trim().lines().map(str::to_owned).collect()
}

/// A text of our own, whose line breaks mean no more than a space.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn row(finding: &Finding, index: &Index<'_>) -> Row {
    let result = index.result(finding);
    let Told { seen, expected } =
        result.map_or_else(|| Told { seen: finding.reason.clone(), expected: String::new() }, told);
    // Where an item was judged by a derivation, the value is only its verdict, and the words say why.
    let actual = result.map(|result| value(&result.actual)).filter(|actual| actual != "fail").unwrap_or_default();
    let item = result.map_or_else(|| finding.item.clone(), |result| item_words(index, result, &seen));
    Row {
        anchors: vec![anchor(&finding.fingerprint)],
        severity: finding.severity.word(),
        target: finding.target.clone(),
        part: finding.part.clone(),
        items: Some(item).filter(|item| !item.is_empty()).into_iter().collect(),
        // What the values say already is not said again in words.
        reason: if seen == actual { String::new() } else { clip(&seen, 500).into_owned() },
        expected,
        actual,
        since: finding.first_seen.strftime("%Y-%m-%d").to_string(),
        waiver: acceptance(finding, index.assessment).unwrap_or_default(),
        evidence: result
            .map(|result| result.observations.iter().take(4).map(|id| short(id)).collect())
            .unwrap_or_default(),
    }
}

/// Findings that differ in their item alone share a row.
fn merged(rows: impl Iterator<Item = Row>) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::new();
    for row in rows {
        let same = merged.iter_mut().find(|other| {
            !other.items.is_empty()
                && !row.items.is_empty()
                && (other.severity, &other.target, &other.part) == (row.severity, &row.target, &row.part)
                && (&other.reason, &other.expected, &other.actual) == (&row.reason, &row.expected, &row.actual)
                && (&other.since, &other.waiver, &other.evidence) == (&row.since, &row.waiver, &row.evidence)
        });
        match same {
            Some(other) => {
                other.items.extend(row.items);
                other.anchors.extend(row.anchors);
            }
            None => merged.push(row),
        }
    }
    merged
}

/// The first digits of a digest, which find its row in the evidence index.
fn short(id: &str) -> String {
    let digits = id.strip_prefix("sha256:").unwrap_or(id);
    digits.get(..12).unwrap_or(digits).to_owned()
}

fn method(assessment: &Assessment, context: &Context<'_>) -> Method {
    let policy = &assessment.judging.policy;
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut relaxed: BTreeMap<&str, &[String]> = BTreeMap::new();
    for result in &assessment.results {
        *counts.entry((&result.check, &result.version)).or_default() += 1;
        if !result.relaxed.is_empty() {
            relaxed.insert(&result.check, &result.relaxed);
        }
    }
    let until = |last: Option<jiff::civil::Date>| last.map(|last| format!(" until {last}")).unwrap_or_default();
    Method {
        population: population(assessment),
        fail_on: policy.fail_on.word(),
        min_coverage: policy.min_coverage,
        allowances: policy
            .allow_inconclusive
            .iter()
            .map(|allowed| {
                let check = allowed.check.as_deref().unwrap_or("every check");
                format!("{}, {check}{}: {}", allowed.target, until(allowed.expires), allowed.reason)
            })
            .collect(),
        waivers: assessment
            .judging
            .waivers
            .iter()
            .map(|waiver| {
                let term = format!("{} to {}", waiver.created, waiver.expires);
                format!("{}: {} at {}, {term}: {}", waiver.id, waiver.check, waiver.target, waiver.reason)
            })
            .collect(),
        relaxed: relaxed.into_iter().map(|(check, params)| format!("{check}: {}", params.join(", "))).collect(),
        checks: counts
            .into_iter()
            .map(|((id, version), results)| {
                let check = context.checks.get(id);
                Ran {
                    id: id.to_owned(),
                    version: version.to_owned(),
                    title: check.map(|check| flowing(&check.title)).unwrap_or_default(),
                    results,
                    limits: check.map(|check| flowing(&check.docs.does_not_establish)).unwrap_or_default(),
                }
            })
            .collect(),
    }
}

fn evidence(seen: &crate::model::Observation) -> Record {
    let word = |value: serde_json::Result<serde_json::Value>| match value {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    };
    Record {
        id: seen.id.strip_prefix("sha256:").unwrap_or(&seen.id).to_owned(),
        kind: seen.kind.clone(),
        target: seen.target.clone(),
        part: seen.part.clone(),
        method: word(serde_json::to_value(seen.method)),
        status: word(serde_json::to_value(seen.status)),
        collected: seen.collected.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        bytes: digest::canonical(&seen.data).map(|text| text.len()).unwrap_or_default(),
    }
}
