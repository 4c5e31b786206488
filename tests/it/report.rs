//! Every renderer on a rich, hostile, made-up assessment: snapshots, harmlessness, determinism, and third-party readers.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use crate::support::estate;
use probity::gate;
use probity::model::{Assessment, Check, Verdict};
use probity::report::{Context, Detail, Format, json, render};
use serde_json::Value;
use std::collections::BTreeMap;

/// Characters that a terminal or a reader must never get raw from a stranger.
fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

struct Made {
    assessment: Assessment,
    verdict: Verdict,
    checks: BTreeMap<String, Check>,
}

impl Made {
    fn new() -> Made {
        let assessment = estate::assessment();
        let verdict = gate::decide(&assessment, false);
        Made { assessment, verdict, checks: estate::checks() }
    }

    fn bytes(&self, format: Format, width: u16, colour: bool, detail: Detail) -> Vec<u8> {
        let context = Context { width, colour, detail, checks: &self.checks };
        render(format, &self.assessment, &self.verdict, &context).unwrap()
    }

    fn text(&self, format: Format) -> String {
        String::from_utf8(self.bytes(format, 120, false, Detail::Normal)).unwrap()
    }

    fn table(&self, width: u16, detail: Detail) -> String {
        String::from_utf8(self.bytes(Format::Table, width, false, detail)).unwrap()
    }
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../golden/estate");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn the_table_reads_as_it_did() {
    let made = Made::new();
    snapshot("table-120", &made.table(120, Detail::Normal));
    snapshot("table-60", &made.table(60, Detail::Normal));
    snapshot("table-quiet", &made.table(120, Detail::Quiet));
}

#[test]
fn the_table_keeps_its_width_and_ends_with_the_verdict() {
    let made = Made::new();
    for width in [40, 60, 61, 80, 109, 110, 120, 200] {
        let table = made.table(width, Detail::Verbose);
        for line in table.lines().filter(|line| !line.starts_with("          ")) {
            assert!(line.chars().count() <= usize::from(width.max(60)), "{width}: {line}");
        }
        let last = table.lines().last().unwrap();
        assert!(last.starts_with("  verdict: FAILED, 4 findings at or above high · exit 1"), "{last}");
    }
}

#[test]
fn an_inconclusive_run_ends_with_the_causes_and_what_settles_them() {
    let mut made = Made::new();
    made.assessment.results.retain(|result| result.status.word() != "fail");
    made.assessment.findings.clear();
    made.verdict = gate::decide(&made.assessment, false);
    let table = made.table(100, Detail::Normal);
    assert!(table.lines().last().unwrap().ends_with("exit 3"), "{table}");
    snapshot("table-inconclusive", &table);
}

#[test]
fn a_certificate_is_named_by_its_subject_and_the_record_keeps_its_digest() {
    let mut made = Made::new();
    let digest = "ab".repeat(32);
    let failed = made
        .assessment
        .results
        .iter_mut()
        .find(|result| result.check == "tls.protocols.legacy" && result.status == probity::model::Status::Fail)
        .unwrap();
    (failed.item, failed.reason) = (digest.clone(), "seen RSA 1024; expected RSA 2048".to_owned());
    (failed.actual, failed.expected) = ("RSA 1024".into(), "RSA 2048".into());
    let table = made.table(200, Detail::Normal);
    assert!(!table.contains(&digest), "{table}");
    let line =
        table.lines().find(|line| line.contains("certificate abababababab…")).unwrap_or_else(|| panic!("{table}"));
    assert!(line.contains("CN=") && line.ends_with(": RSA 1024; expected RSA 2048"), "{line}");
    assert!(made.text(Format::Json).contains(&digest));
}

#[test]
fn what_happened_many_times_is_said_once() {
    let mut made = Made::new();
    let reason = "accepts a suite without forward secrecy";
    for width in [60, 120] {
        let table = made.table(width, Detail::Normal).replace("\n        ", " ");
        assert_eq!(table.matches(reason).count(), 1, "{table}");
        assert!(table.contains("0xC002 and 6 more"), "{table}");
    }
    // A silence that many checks wait on is one row, and so is that of several targets.
    for spot in &mut made.assessment.blind_spots {
        (spot.reason, spot.remedy) = ("no answer within 10 s".to_owned(), "ask again".to_owned());
    }
    assert_eq!(made.table(120, Detail::Normal).matches("no answer within 10 s").count(), 1);
}

#[test]
fn colour_is_never_alone() {
    let made = Made::new();
    for width in [80, 140] {
        let plain = made.table(width, Detail::Verbose);
        let coloured = String::from_utf8(made.bytes(Format::Table, width, true, Detail::Verbose)).unwrap();
        assert!(coloured.contains('\u{1b}'));
        let mut bare = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            bare.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        bare.push_str(rest);
        let trimmed = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
        assert_eq!(trimmed(&bare), trimmed(&plain));
    }
}

#[test]
fn the_record_reads_as_it_did_and_fits_its_schema() {
    let made = Made::new();
    let text = made.text(Format::Json);
    let mut record: Value = serde_json::from_str(&text).unwrap();
    let validator = jsonschema::validator_for(&json::schema()).unwrap();
    let errors: Vec<String> = validator.iter_errors(&record).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    for key in ["schema", "run", "verdict", "targets", "observations", "results", "findings", "controls", "blind_spots"]
    {
        assert!(record.get(key).is_some(), "{key}");
    }
    assert_eq!(record["verdict"]["exit"], 1);
    let document: json::Document = serde_json::from_str(&text).unwrap();
    let hostile =
        |check: &str| document.results.iter().any(|result| result.check == check && result.actual == estate::HOSTILE);
    assert!(hostile("vendor.dpa"), "the record keeps what was seen, letter by letter");
    assert_eq!(document.results.len(), made.assessment.results.len());
    record["observations"][0]["status"] = "perfect".into();
    assert!(!validator.is_valid(&record), "the schema lets a wrong status through");
    // The text of a million letters is shortened here alone: the record itself keeps it.
    let long = "x".repeat(1 << 20);
    assert!(text.contains(&long));
    snapshot("record", &text.replace(&long, "x…").replace(&"y".repeat(1 << 20), "y…"));
}

#[test]
fn junit_reads_as_it_did_and_passes_nothing_in_silence() {
    let made = Made::new();
    let text = made.text(Format::Junit);
    let report = quick_junit::Report::deserialize_from_str(&text).unwrap();
    assert_eq!(report.test_suites.len(), made.assessment.targets.len());
    let mut green = 0;
    for suite in &report.test_suites {
        for case in &suite.test_cases {
            green += usize::from(matches!(case.status, quick_junit::TestCaseStatus::Success { .. }));
        }
    }
    let passed = made.assessment.results.iter().filter(|result| result.status.word() == "pass").count();
    assert_eq!(green, passed);
    assert!(
        text.contains(r#"<error message="not evaluated: no OCSP answer within 10 s" type="not-evaluated""#),
        "{text}"
    );
    assert!(text.contains("waived by W-1 until 2027-03-31"));
    assert!(text.contains("expected: TLSv1.2 or newer"));
    assert!(text.len() < 200_000, "{}", text.len());
    snapshot("junit", &text);
}

#[test]
fn sarif_reads_as_it_did_and_by_a_third_partys_types() {
    use serde_sarif::sarif::{ResultKind, ResultLevel, Sarif};
    let made = Made::new();
    let text = made.text(Format::Sarif);
    let sarif: Sarif = serde_json::from_str(&text).unwrap();
    let run = &sarif.runs[0];
    let rules = run.tool.driver.rules.as_ref().unwrap();
    let results = run.results.as_ref().unwrap();
    let ended = 1;
    assert_eq!(results.len(), made.assessment.results.len() + ended);
    for result in results {
        let index = usize::try_from(result.rule_index.unwrap()).unwrap();
        assert_eq!(Some(&rules[index].id), result.rule_id.as_ref());
        let failed = result.kind == Some(ResultKind::Fail);
        assert_eq!(failed, result.level != Some(ResultLevel::None), "a level other than none is for failures only");
    }
    let suppressed = results.iter().filter(|result| result.suppressions.as_ref().is_some_and(|all| !all.is_empty()));
    assert_eq!(suppressed.count(), 1);
    let record: Value = serde_json::from_str(&text).unwrap();
    let place = &record["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert!(text.contains("audit%20files/probity.yaml"), "{place}");
    assert!(text.len() < 200_000, "{}", text.len());
    snapshot("sarif", &text);
}

#[test]
fn nothing_harmful_is_left_in_any_text_for_people() {
    let made = Made::new();
    let plain = [Format::Table, Format::Html, Format::Junit, Format::Markdown, Format::Github, Format::Prometheus];
    for format in plain {
        let text = String::from_utf8(made.bytes(format, 100, false, Detail::Verbose)).unwrap();
        let left: Vec<char> = text.chars().filter(|c| is_harmful(*c)).collect();
        assert!(left.is_empty(), "{format:?}: {left:?}");
    }
    for format in [Format::Html, Format::Junit] {
        assert!(!made.text(format).contains("<script"), "{format:?}");
    }
    for format in [Format::Json, Format::Sarif, Format::Gitlab] {
        let text = made.text(format);
        assert!(!text.chars().any(is_harmful), "{format:?}");
    }
}

/// Every text in a JSON value.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(members) => members.iter().for_each(|member| texts(member, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}

/// A stranger's line break must not put his words where a line of ours begins: a formula, a verdict, a passed test.
#[test]
fn a_line_break_of_a_stranger_is_shown_and_never_made() {
    let made = Made::new();
    for format in [Format::Table, Format::Html, Format::Junit] {
        let text = String::from_utf8(made.bytes(format, 100, false, Detail::Verbose)).unwrap();
        let begun = text.lines().find(|line| line.trim_start().starts_with("=cmd()"));
        assert_eq!(begun, None, "{format:?}");
        // Wrapped in a narrow terminal, the words may be cut anywhere.
        let whole = String::from_utf8(made.bytes(format, 2000, false, Detail::Verbose)).unwrap();
        assert!(whole.contains(r"\n=cmd()\r\n\t=cmd()\u{2028}=cmd()\u{0}"), "{format:?}");
    }
    let sarif: Value = serde_json::from_str(&made.text(Format::Sarif)).unwrap();
    let mut shown = Vec::new();
    texts(&sarif["runs"][0]["results"], &mut shown);
    let raw: Vec<&&str> = shown.iter().filter(|text| text.contains('\n') || text.chars().any(is_harmful)).collect();
    assert!(raw.is_empty(), "{raw:?}");
    assert!(shown.iter().any(|text| text.contains(r"\n=cmd()\r\n\t=cmd()")));
    // The record keeps every letter, as data; its file stays harmless to look at.
    let record = made.text(Format::Json);
    assert!(record.contains(r"\n=cmd()\r\n\t=cmd()\u2028=cmd()\u0000"));
    let record: Value = serde_json::from_str(&record).unwrap();
    let mut kept = Vec::new();
    texts(&record["results"], &mut kept);
    assert!(kept.contains(&estate::HOSTILE));
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let (one, two) = (Made::new(), Made::new());
    for format in Format::ALL {
        let bytes = |made: &Made| made.bytes(*format, 120, false, Detail::Normal);
        assert!(bytes(&one) == bytes(&two), "{format:?}");
    }
}

#[test]
fn no_report_uses_the_word_that_only_an_auditor_may_use() {
    let made = Made::new();
    for format in Format::ALL {
        let bytes = made.bytes(*format, 120, false, Detail::Verbose);
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!text.contains("compliant"), "{format:?}");
    }
}

#[test]
fn the_page_reads_as_it_did_and_asks_for_nothing_from_outside() {
    let made = Made::new();
    let page = made.text(Format::Html);
    for needle in ["<script", "javascript:", "src=", "@import", "url(", " style=", " onclick"] {
        assert!(!page.contains(needle), "{needle}");
    }
    let outside: Vec<&str> =
        page.match_indices("http").map(|(at, _)| &page[at - 6..at]).filter(|before| before.contains('=')).collect();
    assert!(outside.iter().all(|before| before.ends_with("meta ")), "{outside:?}");
    assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    assert!(page.contains("&lt;script&gt;"));
    snapshot("page", &page);
}

#[test]
fn the_pages_policy_allows_its_own_style_sheet() {
    use sha2::Digest as _;
    let page = Made::new().text(Format::Html);
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hex: String = sha2::Sha256::digest(style.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let coded = page.split_once("sha256-").unwrap().1.split_once('\'').unwrap().0;
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: String =
        coded.trim_end_matches('=').chars().map(|c| format!("{:06b}", letters.find(c).unwrap())).collect();
    let decoded: String =
        (0..32).map(|n| format!("{:02x}", u8::from_str_radix(&bits[n * 8..n * 8 + 8], 2).unwrap())).collect();
    assert_eq!(hex, decoded);
}

#[test]
fn every_link_in_the_page_leads_somewhere_and_every_anchor_is_single() {
    let page = Made::new().text(Format::Html);
    let after = |mark: &str| -> Vec<String> {
        page.split(mark).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let anchors = after(" id=\"");
    for link in after("href=\"#") {
        assert!(anchors.contains(&link), "#{link}");
    }
    for anchor in &anchors {
        assert_eq!(anchors.iter().filter(|other| *other == anchor).count(), 1, "{anchor}");
    }
}

#[test]
fn every_picture_has_a_title_and_a_description() {
    let page = Made::new().text(Format::Html);
    let pictures = page.matches("<svg").count();
    assert!(pictures > 20, "{pictures}");
    assert_eq!(pictures, page.matches("<title>").count() - 1);
    assert_eq!(pictures, page.matches("<desc>").count());
}

#[test]
fn a_hundred_targets_fit_in_two_megabytes() {
    let mut made = Made::new();
    // One text of a million letters is the subject of other tests.
    made.assessment.results.retain(|result| result.item != "TLSv1.0 0x000A");
    made.assessment.findings.retain(|finding| finding.item != "TLSv1.0 0x000A");
    let one = made.assessment.clone();
    for n in 1..100 {
        let renamed = |id: &str| format!("{id}-{n}");
        let mut target = one.targets[0].clone();
        target.id = renamed(&target.id);
        made.assessment.targets.push(target);
        let shop = |id: &str| id == "shop.example";
        made.assessment.observations.extend(one.observations.iter().filter(|seen| shop(&seen.target)).map(|seen| {
            let mut seen = seen.clone();
            seen.target = renamed(&seen.target);
            seen.sealed()
        }));
        made.assessment.results.extend(one.results.iter().filter(|result| shop(&result.target)).map(|result| {
            let mut result = result.clone();
            result.target = renamed(&result.target);
            result
        }));
        made.assessment.findings.extend(one.findings.iter().filter(|finding| shop(&finding.target)).map(|finding| {
            let mut finding = finding.clone();
            finding.target = renamed(&finding.target);
            finding.fingerprint =
                probity::finding::fingerprint(&finding.check, &finding.target, &finding.part, &finding.item);
            finding
        }));
    }
    let bytes = made.bytes(Format::Html, 80, false, Detail::Normal).len();
    assert!(bytes < 2_000_000, "{bytes}");
}

#[test]
fn every_record_is_named_by_the_digest_that_public_tools_compute() {
    let made = Made::new();
    let record: Value = serde_json::from_str(&made.text(Format::Json)).unwrap();
    for seen in record["observations"].as_array().unwrap() {
        let mut bare = seen.as_object().unwrap().clone();
        let id = bare.remove("id").unwrap();
        assert_eq!(id, probity::model::digest::of(&Value::Object(bare)).unwrap());
    }
}

/// Writes the page where a person can look at it; nothing is judged here.
#[test]
#[ignore = "a person looks at what it writes"]
fn write_the_page() {
    let folder = std::path::PathBuf::from(std::env::var("PROBITY_PAGES").unwrap());
    let made = Made::new();
    for (format, name) in [
        (Format::Html, "page.html"),
        (Format::Json, "record.json"),
        (Format::Sarif, "run.sarif"),
        (Format::Junit, "run.xml"),
        (Format::Csv, "results.csv"),
        (Format::Xlsx, "report.xlsx"),
        (Format::Markdown, "summary.md"),
        (Format::Github, "annotations.txt"),
        (Format::Gitlab, "quality.json"),
        (Format::Prometheus, "probity.prom"),
    ] {
        std::fs::write(folder.join(name), made.bytes(format, 120, false, Detail::Normal)).unwrap();
    }
}
