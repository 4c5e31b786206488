//! Reports for spreadsheets, pull requests and metrics, read back the way their readers do.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use crate::support::{Scratch, estate, skip};
use calamine::{Data, Reader as _, Xlsx};
use probity::finding::{WAIVERS, fingerprint};
use probity::gate;
use probity::model::baseline::{Baseline, Known};
use probity::model::{Assessment, Finding, FindingState, Severity, Status};
use probity::report::{Context, Detail, Format, render};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Cursor;

fn bytes_of(assessment: &Assessment, format: Format) -> Vec<u8> {
    let checks = estate::checks();
    let context = Context { width: 120, colour: false, detail: Detail::Normal, checks: &checks };
    render(format, assessment, &gate::decide(assessment, false), &context).unwrap()
}

fn text(format: Format) -> String {
    String::from_utf8(bytes_of(&estate::assessment(), format)).unwrap()
}

/// An assessment in which every text that a stranger may write is a formula.
fn of_formulas() -> Assessment {
    let mut made = estate::assessment();
    for (n, result) in made.results.iter_mut().enumerate() {
        let formula = ["=cmd|'/C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1"][n % 8];
        (result.item, result.reason) = (formula.to_owned(), formula.to_owned());
        (result.actual, result.expected) = (formula.into(), formula.into());
    }
    made
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden/estate");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// Results, waivers that are wanting, and targets that nothing looked at.
fn rows_wanted(made: &Assessment) -> usize {
    made.results.len()
        + made.findings.iter().filter(|finding| finding.check == WAIVERS).count()
        + made.blind_spots.iter().filter(|spot| spot.checks.is_empty()).count()
}

#[test]
fn the_csv_has_a_row_for_every_result_and_reads_as_it_did() {
    let text = text(Format::Csv);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(&reader.headers().unwrap()[4], "status");
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let made = estate::assessment();
    assert_eq!(rows.len(), rows_wanted(&made));
    let passed = made.results.iter().filter(|result| result.status.word() == "pass").count();
    assert_eq!(rows.iter().filter(|row| &row[4] == "pass").count(), passed);
    assert_eq!(rows.iter().filter(|row| &row[4] == "fail (waived)").count(), 1);
    snapshot("csv", &text.replace("\r\n", "\n"));
}

#[test]
fn no_cell_of_the_csv_is_a_formula() {
    let bytes = bytes_of(&of_formulas(), Format::Csv);
    let mut neutralised = 0;
    for row in csv::Reader::from_reader(bytes.as_slice()).records() {
        for cell in &row.unwrap() {
            assert!(!cell.trim_start().starts_with(['=', '+', '-', '@']), "{cell:?}");
            assert!(!cell.contains(['\t', '\r', '\n']), "{cell:?}");
            neutralised += usize::from(cell.starts_with("'="));
        }
    }
    assert!(neutralised > 0);
}

#[test]
fn the_workbook_holds_every_row_as_text_and_no_formula() {
    let made = of_formulas();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes_of(&made, Format::Xlsx))).unwrap();
    let names = ["Run", "Blind spots", "Population", "Results", "Exceptions", "Controls", "Evidence"];
    assert_eq!(book.sheet_names(), names);
    for name in names {
        let formulas = book.worksheet_formula(name).unwrap();
        assert!(formulas.used_cells().all(|(_, _, formula)| formula.is_empty()), "{name}");
        let cells = book.worksheet_range(name).unwrap();
        assert!(cells.used_cells().all(|(_, _, cell)| matches!(cell, Data::String(_))), "{name}");
        let rows = match name {
            "Blind spots" => made.blind_spots.len(),
            "Population" => made.targets.len(),
            "Results" => rows_wanted(&made),
            "Exceptions" => made.findings.len(),
            "Controls" => made.controls.len(),
            "Evidence" => made.observations.len(),
            _ => cells.height() - 1,
        };
        assert_eq!(cells.height(), rows + 1, "{name}");
    }
    let results = book.worksheet_range("Results").unwrap();
    // To the spreadsheet it is a string, so it stands as it was seen.
    assert!(results.used_cells().any(|(_, _, cell)| *cell == Data::String("=cmd|'/C calc'!A0".to_owned())));
    let run = book.worksheet_range("Run").unwrap();
    assert_eq!(run.get_value((1, 1)), Some(&Data::String("failed".to_owned())));
}

#[test]
fn the_summary_is_short_reads_as_it_did_and_holds_no_markup_of_strangers() {
    let text = text(Format::Markdown);
    assert!(text.lines().count() < 60, "{}", text.lines().count());
    assert!(text.starts_with("## probity: failed (exit 1)"), "{text}");
    assert!(text.contains("### Not evaluated"));
    assert!(!text.contains("<script") && !text.contains("]("), "{text}");
    snapshot("summary", &text);
}

#[test]
fn beside_a_baseline_only_what_is_new_stands_out() {
    let made = estate::assessment();
    let open = |finding: &&Finding| finding.state == FindingState::Open;
    let all = Baseline::of("2026-11-01-a", made.run.ended, &made.findings);
    // One is new; of those that are no more, one is fixed and the other's target is not looked at any more.
    let mut baseline = all.clone();
    let new = baseline.findings.remove(0);
    let judged = made.results.iter().find(|result| result.status == Status::Pass).unwrap();
    let mut gone = |target: &str, item: &str| {
        let fingerprint = fingerprint(&judged.check, target, &judged.part, item);
        let (check, part) = (judged.check.clone(), judged.part.clone());
        let (target, item) = (target.to_owned(), item.to_owned());
        baseline.findings.push(Known { fingerprint, check, target, part, item, severity: Severity::High });
    };
    gone(&judged.target, "gone <i>");
    gone("elsewhere", "");
    let verdict = gate::decide_against(&made, false, Some(&baseline));
    let beside = verdict.beside.as_ref().unwrap();
    assert_eq!(
        (beside.new.as_slice(), beside.fixed.len(), beside.unsettled.len()),
        ([new.fingerprint].as_slice(), 1, 1)
    );
    let checks = estate::checks();
    let context = Context { width: 120, colour: false, detail: Detail::Normal, checks: &checks };
    let text = |format| String::from_utf8(render(format, &made, &verdict, &context).unwrap()).unwrap();
    let summary = text(Format::Markdown);
    assert!(summary.contains("### New since the baseline (1)"), "{summary}");
    assert!(summary.contains("### Fixed since the baseline, or not settled (2)"), "{summary}");
    assert!(summary.contains("| not judged again, or waived | high | <code>elsewhere</code>"), "{summary}");
    assert!(!summary.contains("### Failed") && !summary.contains("<i>"), "{summary}");
    snapshot("summary_beside_a_baseline", &summary);
    let lines = text(Format::Github);
    let known = lines.lines().filter(|line| line.contains(", known to the baseline: ")).count();
    assert_eq!(known, made.findings.iter().filter(open).count() - 1);
    assert!(
        lines.lines().filter(|line| line.contains(", known to the")).all(|line| line.starts_with("::notice ")),
        "{lines}"
    );
}

#[test]
fn a_summary_of_very_much_stays_short() {
    let mut made = estate::assessment();
    made.findings = made.findings.iter().cycle().take(500).cloned().collect();
    made.blind_spots = made.blind_spots.iter().cycle().take(500).cloned().collect();
    let checks = estate::checks();
    let context = Context { width: 120, colour: false, detail: Detail::Normal, checks: &checks };
    let mut baseline = Baseline::of("r", made.run.ended, &[]);
    baseline.findings = Baseline::of("r", made.run.ended, &made.findings).findings;
    baseline.findings.iter_mut().for_each(|known| known.fingerprint.push('0'));
    for baseline in [None, Some(&baseline)] {
        let verdict = gate::decide_against(&made, false, baseline);
        let bytes = render(Format::Markdown, &made, &verdict, &context).unwrap();
        let lines = String::from_utf8(bytes).unwrap().lines().count();
        assert!((40..60).contains(&lines), "{lines} lines");
    }
}

#[test]
fn every_line_for_github_is_a_command_of_ours() {
    let text = text(Format::Github);
    let line = |line: &str| ["::error ", "::warning ", "::notice "].iter().any(|begin| line.starts_with(begin));
    assert!(text.lines().all(line), "{text}");
    assert!(text.lines().last().unwrap().starts_with("::error title=probity::failed, "), "{text}");
    let made = estate::assessment();
    assert_eq!(text.lines().count(), made.findings.len() + made.blind_spots.len() + 1);
    assert!(text.contains("file=audit files/probity.yaml,line=5,"), "{text}");
    // A name may not end a property, nor a percent sign stand for a line break.
    let mut hostile = made;
    hostile.results.clear();
    hostile.blind_spots.clear();
    hostile.findings.truncate(1);
    hostile.findings[0].reason = "x%0A::set-env name=PATH::/tmp\n::stop-commands::y".to_owned();
    hostile.targets[0].declared.as_mut().unwrap().file = "a,title=b::c".to_owned();
    hostile.findings[0].target = hostile.targets[0].id.clone();
    let bytes = String::from_utf8(bytes_of(&hostile, Format::Github)).unwrap();
    assert_eq!(bytes.lines().count(), 2, "{bytes}");
    assert!(bytes.contains("x%250A::set-env"), "{bytes}");
    assert!(bytes.contains("file=a%2Ctitle=b%3A%3Ac,line=5,"), "{bytes}");
    snapshot("annotations", &text);
}

#[test]
fn the_code_quality_report_lists_what_was_not_evaluated_and_each_once() {
    let text = text(Format::Gitlab);
    let issues: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut prints = BTreeSet::new();
    for issue in &issues {
        assert!(prints.insert(issue["fingerprint"].as_str().unwrap().to_owned()), "{issue}");
        assert!(["info", "minor", "major", "critical", "blocker"].contains(&issue["severity"].as_str().unwrap()));
        let path = issue["location"]["path"].as_str().unwrap();
        assert!(!path.starts_with("./") && issue["location"]["lines"]["begin"].as_u64().unwrap() > 0, "{issue}");
        assert!(
            !issue["description"].as_str().unwrap().is_empty() && !issue["check_name"].as_str().unwrap().is_empty()
        );
    }
    let made = estate::assessment();
    let open = made.results.iter().filter(|result| result.status.is_open()).count();
    let unseen = made.blind_spots.iter().filter(|spot| spot.checks.is_empty()).count();
    assert!(open > 0);
    assert_eq!(issues.len(), made.findings.len() + open + unseen);
    snapshot("quality", &text);
}

#[test]
fn the_assessment_results_of_oscal_point_to_what_is_there() {
    let text = text(Format::Oscal);
    let whole: Value = serde_json::from_str(&text).unwrap();
    let whole = &whole["assessment-results"];
    let result = &whole["results"][0];
    let made = estate::assessment();
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let ids = |name: &str| -> BTreeSet<String> {
        list(result, name).iter().map(|one| one["uuid"].as_str().unwrap().to_owned()).collect()
    };
    let (observations, risks) = (ids("observations"), ids("risks"));
    assert_eq!((observations.len(), risks.len()), (made.observations.len(), made.findings.len()));
    let judged = made.controls.iter().filter(|one| one.status.word() != "not-assessed").count();
    assert_eq!(ids("findings").len(), judged);
    let resources: BTreeSet<String> = list(&whole["back-matter"], "resources")
        .iter()
        .map(|one| format!("#{}", one["uuid"].as_str().unwrap()))
        .collect();
    assert!(resources.contains(whole["import-ap"]["href"].as_str().unwrap()));
    for one in list(result, "observations") {
        assert!(resources.contains(one["relevant-evidence"][0]["href"].as_str().unwrap()));
        assert!(["TEST", "EXAMINE"].contains(&one["methods"][0].as_str().unwrap()));
    }
    let mut satisfied = 0;
    for one in list(result, "findings") {
        let status = &one["target"]["status"];
        satisfied += usize::from(status["state"] == "satisfied");
        assert!(status["state"] == "satisfied" || ["fail", "other"].contains(&status["reason"].as_str().unwrap()));
        for of in list(&one, "related-observations") {
            assert!(observations.contains(of["observation-uuid"].as_str().unwrap()));
        }
        for of in list(&one, "related-risks") {
            assert!(risks.contains(of["risk-uuid"].as_str().unwrap()));
        }
    }
    let wanted = made.controls.iter().filter(|one| one.status.word() == "satisfied").count();
    assert_eq!(satisfied, wanted, "nothing but a satisfied control is satisfied");
    assert!(result["remarks"].as_str().unwrap().contains("Not evaluated: db1"), "{}", result["remarks"]);
    // What is read as Markdown holds no element of a stranger's.
    for field in ["\"title\": ", "\"description\": ", "\"statement\": ", "\"remarks\": "] {
        let lines: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with(field)).collect();
        assert!(!lines.is_empty() && lines.iter().all(|line| !line.contains('<')), "{field}");
    }
    assert!(text.contains("&lt;script&gt;"), "the estate has one");
    snapshot("oscal", &text);
    judge_oscal(&text);
    let mut formulas = of_formulas();
    formulas.observations.iter_mut().for_each(|seen| seen.part = "\n a\tb ".to_owned());
    judge_oscal(&String::from_utf8(bytes_of(&formulas, Format::Oscal)).unwrap());
}

/// Has compliance-trestle, which knows OSCAL by its own, read it.
fn judge_oscal(text: &str) {
    let python = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/trestle/bin/python");
    let python = std::env::var_os("PROBITY_TRESTLE").map_or(python, std::path::PathBuf::from);
    if !python.is_file() {
        skip("compliance-trestle (see tests/run)");
        return;
    }
    let scratch = Scratch::new("oscal");
    let file = scratch.write("results.json", text);
    let script = "import sys, pathlib; from trestle.oscal.assessment_results import AssessmentResults as A; \
                  A.oscal_read(pathlib.Path(sys.argv[1])) or sys.exit('it read nothing')";
    let judged = std::process::Command::new(python).args(["-c", script]).arg(file).output().unwrap();
    assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stderr));
}

#[test]
fn the_metrics_say_the_verdict_and_count_every_result() {
    let text = text(Format::Prometheus);
    let mut seen = BTreeSet::new();
    let mut results = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(seen.insert(series), "{series} is there twice");
        let value: i64 = value.parse().unwrap();
        results += if series.starts_with("probity_results{") { value } else { 0 };
    }
    assert_eq!(usize::try_from(results).unwrap(), estate::assessment().results.len());
    assert!(
        text.contains("probity_verdict{gate=\"failed\"} 1\n") && text.contains("probity_verdict{gate=\"passed\"} 0\n")
    );
    assert!(text.contains("\nprobity_exit_code 1\n"));
    let mut hostile = estate::assessment();
    hostile.targets[0].id = "a\"} 0\nprobity_exit_code 0\\".to_owned();
    let text = String::from_utf8(bytes_of(&hostile, Format::Prometheus)).unwrap();
    assert!(text.contains(r#"target="a\"} 0\\nprobity_exit_code 0\\""#), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("probity_exit_code ")).count(), 1);
    snapshot("metrics", &text.replace(r#"a\"} 0\\nprobity_exit_code 0\\"#, "hostile"));
}
