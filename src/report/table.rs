//! The terminal: targets, what is not all right (worst first), counts, blind spots, causes, and the verdict last.
//!
//! Colour is never alone: words and shapes carry every meaning. Text of strangers is escaped.

use super::summary::{Mark, Marks, Summary, grade_words};
use super::text::{counted, escape, shown, value, wrap};
use super::{Context, Detail, controls_of_checks};
use crate::finding::WAIVERS;
use crate::model::assessment::{Cause, Gate, Remedy};
use crate::model::{Assessment, CheckResult, Severity, Status, Verdict};
use comfy_table::{Cell, Color, ContentArrangement, Table, presets};
use std::collections::BTreeMap;

/// The fewest columns that are used.
const MIN_WIDTH: u16 = 60;
/// From here on, rows stand in columns; below, each takes two lines or more.
const COLUMNS_FROM: usize = 110;
/// Rows of one check at one target that are shown before the rest is counted.
const MAX_ROWS: usize = 3;
/// Blind spots and causes shown before the rest is counted.
const MAX_SPOTS: usize = 12;

/// What a reason says beside the kind of observation that is missing: one silent server leaves many kinds unseen.
fn trouble(reason: &str) -> &str {
    reason.strip_prefix("no evidence of ").and_then(|rest| rest.split_once(": ")).map_or(reason, |(_, trouble)| trouble)
}

/// One line of what is not all right.
struct Row {
    mark: &'static str,
    colour: Color,
    severity: &'static str,
    check: String,
    place: String,
    words: String,
    controls: String,
}

struct Page<'a> {
    assessment: &'a Assessment,
    verdict: &'a Verdict,
    context: &'a Context<'a>,
    marks: Marks,
    width: usize,
    out: String,
}

pub(super) fn render(assessment: &Assessment, verdict: &Verdict, context: &Context<'_>) -> String {
    let width = usize::from(context.width.max(MIN_WIDTH));
    let mut page = Page { assessment, verdict, context, marks: Marks::new(assessment), width, out: String::new() };
    if context.detail > Detail::Quiet {
        page.targets();
        page.rows();
        page.counts();
        page.blind_spots();
        page.causes();
    }
    page.verdict();
    page.out
}

impl Page<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// A text that continues, indented, where it is wider than the page.
    fn wrapped(&mut self, first: &str, indent: usize, text: &str) {
        let room = self.width.saturating_sub(indent).max(20);
        for (n, line) in wrap(text, room).iter().enumerate() {
            let lead = if n == 0 { format!("{first:<indent$}") } else { " ".repeat(indent) };
            self.line(&format!("{lead}{line}"));
        }
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.context.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn targets(&mut self) {
        let assessment = self.assessment;
        for target in &assessment.targets {
            let summary = Summary::new(assessment, target, &self.marks);
            let name = self.paint(&shown(&target.id), "1");
            match &summary.grade {
                Some(grade) => {
                    let (letter, why) = grade_words(grade);
                    let used = target.id.chars().count().max(32) + letter.chars().count() + 13;
                    let gap = " ".repeat(34_usize.saturating_sub(target.id.chars().count()).max(2));
                    let why = shown(&why);
                    let fits = used + why.chars().count() <= self.width;
                    let tail = if fits { format!("   {why}") } else { String::new() };
                    self.line(&format!("  {name}{gap}grade {}{tail}", self.paint(&letter, "1")));
                    if !fits {
                        self.wrapped("", 4, &why);
                    }
                }
                None => self.line(&format!("  {name}  {}", target.kind.word())),
            }
            let last = summary.parts.len().saturating_sub(1);
            let longest = summary.parts.iter().map(|(part, _)| part.chars().count()).max().unwrap_or_default().min(30);
            for (n, (part, words)) in summary.parts.iter().enumerate() {
                let branch = if n == last { "└" } else { "├" };
                let words: Vec<String> = words.iter().map(|word| shown(word)).collect();
                let lead = format!("  {branch} {:<longest$}", shown(part));
                let indent = lead.chars().count() + if longest > 0 { 2 } else { 0 };
                self.wrapped(&lead, indent, &words.join("   "));
            }
            self.line("");
        }
    }

    fn rows(&mut self) {
        let rows = self.collect();
        if rows.is_empty() {
            return;
        }
        if self.width >= COLUMNS_FROM {
            self.columns(&rows);
        } else {
            for row in &rows {
                let mark = self.paint(row.mark, code(row.colour));
                if !row.check.is_empty() {
                    self.line(&format!("  {mark}  {:<8} {}", row.severity, row.check));
                }
                let tail = if row.controls.is_empty() { String::new() } else { format!("  [{}]", row.controls) };
                let words = [row.place.as_str(), row.words.as_str()].into_iter().filter(|word| !word.is_empty());
                self.wrapped("", 8, &format!("{}{tail}", words.collect::<Vec<_>>().join(": ")));
            }
        }
        self.line("");
    }

    fn columns(&mut self, rows: &[Row]) {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.force_no_tty().set_width(u16::try_from(self.width).unwrap_or(u16::MAX));
        if self.context.colour {
            table.enforce_styling();
        }
        for row in rows {
            let mark = Cell::new(format!(" {}", row.mark));
            let mark = if self.context.colour { mark.fg(row.colour) } else { mark };
            let words = [row.severity, &row.check, &row.place, &row.words, &row.controls];
            table.add_row([mark].into_iter().chain(words.iter().map(Cell::new)).collect::<Vec<_>>());
        }
        let lines: Vec<String> = table.lines().collect();
        lines.iter().for_each(|line| self.line(line));
    }

    /// The rows, worst first: open failures by severity, then what could not be judged, then waived failures.
    fn collect(&self) -> Vec<Row> {
        let controls = controls_of_checks(self.assessment);
        let mut results: Vec<(Mark, &CheckResult)> =
            self.assessment.results.iter().map(|result| (self.marks.of(result), result)).collect();
        let verbose = self.context.detail == Detail::Verbose;
        results.retain(|(mark, _)| verbose || matches!(mark, Mark::Fail | Mark::Open | Mark::Waived));
        results.sort_by_key(|(mark, result)| {
            (*mark, std::cmp::Reverse(result.severity), &result.check, &result.target, &result.part, &result.item)
        });
        let mut waiting: BTreeMap<(&str, &str, &str), usize> = BTreeMap::new();
        if !verbose {
            // Ten checks that wait on one answer are one row: the first, with the number of the others.
            results.retain(|(mark, result)| {
                let n = waiting.entry((&result.target, &result.part, trouble(&result.reason))).or_default();
                *n += usize::from(*mark == Mark::Open);
                *mark != Mark::Open || *n == 1
            });
        }
        let mut rows = Vec::new();
        let mut seen: BTreeMap<Group<'_>, usize> = BTreeMap::new();
        let mut last: Option<Group<'_>> = None;
        for (mark, result) in results {
            let key = group(mark, result);
            if last.is_some_and(|last| last != key) {
                rows.extend(last.and_then(|last| rest(last, &seen)));
            }
            let n = seen.entry(key).or_default();
            *n += 1;
            if *n <= MAX_ROWS || verbose {
                let mut row = row(mark, result, controls.get(result.check.as_str()));
                let others =
                    waiting.get(&(result.target.as_str(), &result.part, trouble(&result.reason))).copied().unwrap_or(0);
                if mark == Mark::Open && others > 1 {
                    let others = counted(others - 1, "more check waits", "more checks wait");
                    row.words.push_str(&format!("; {others} on this"));
                }
                rows.push(row);
                last = if verbose { None } else { Some(key) };
            }
        }
        rows.extend(last.and_then(|last| rest(last, &seen)));
        rows.extend(self.assessment.findings.iter().filter(|finding| finding.check == WAIVERS).map(|finding| Row {
            mark: "FAIL",
            colour: Color::Red,
            severity: finding.severity.word(),
            check: finding.check.clone(),
            place: shown(&finding.target),
            words: shown(&finding.reason),
            controls: String::new(),
        }));
        rows
    }

    fn counts(&mut self) {
        let counts = self.marks.count(self.assessment.results.iter());
        let mut words = format!(
            "  {} passed · {} failed · {} not evaluated · {} waived",
            counts.passed, counts.failed, counts.open, counts.waived
        );
        if counts.not_applicable > 0 {
            words.push_str(&format!(" · {} not applicable", counts.not_applicable));
        }
        let worst = self.collect().into_iter().find(|row| !row.check.is_empty() && row.check != WAIVERS);
        self.wrapped("", 2, words.trim_start());
        if let Some(row) = worst.filter(|row| row.mark != "pass") {
            self.wrapped("", 2, &format!("probity check show {}  explains and fixes", row.check));
        }
        self.line("");
    }

    fn blind_spots(&mut self) {
        let spots = &self.assessment.blind_spots;
        if spots.is_empty() {
            return;
        }
        self.line(&format!("  not evaluated ({}):", counted(spots.len(), "blind spot", "blind spots")));
        for spot in spots.iter().take(MAX_SPOTS) {
            let place = if spot.part.is_empty() { &spot.target } else { &spot.part };
            let checks = match spot.checks.len() {
                0 => String::new(),
                n => format!(", {} waiting", counted(n, "check", "checks")),
            };
            self.wrapped("  ◌", 4, &format!("{}: {}{checks}", shown(place), shown(&spot.reason)));
            self.wrapped("", 6, &format!("to see it: {}", shown(&spot.remedy)));
        }
        if spots.len() > MAX_SPOTS {
            self.line(&format!("    … {} more; every report lists them all", spots.len() - MAX_SPOTS));
        }
        self.line("");
    }

    fn causes(&mut self) {
        // A failed run has something to mend first; its blind spots stand above.
        let wanted = self.verdict.gate == Gate::Inconclusive;
        let causes: Vec<Cause> = if wanted { self.verdict.causes.clone() } else { Vec::new() };
        for cause in causes.iter().take(MAX_SPOTS) {
            self.wrapped("  open:", 8, &shown(&cause.text));
            match &cause.remedy {
                Remedy::Accept(lines) => {
                    self.line("        to accept it until then, in probity.yaml:");
                    lines.lines().for_each(|line| self.line(&format!("          {}", escape(line))));
                }
                Remedy::Command(command) => {
                    self.line("        to bring the evidence:");
                    command.lines().for_each(|line| self.line(&format!("          {}", escape(line))));
                }
            }
        }
        if causes.len() > MAX_SPOTS {
            self.line(&format!("  … {} more causes; the JSON report lists them all", causes.len() - MAX_SPOTS));
        }
        if !causes.is_empty() {
            self.line("");
        }
        for note in &self.verdict.notes.clone() {
            self.wrapped("  note:", 8, &shown(note));
        }
        if !self.verdict.notes.is_empty() {
            self.line("");
        }
    }

    fn verdict(&mut self) {
        let verdict = self.verdict;
        let code = match verdict.gate {
            Gate::Passed => "1;34",
            Gate::Failed => "1;31",
            Gate::Inconclusive | Gate::Interrupted | Gate::Waived => "1;33",
        };
        let word = self.paint(&verdict.gate.word().to_uppercase(), code);
        self.line(&format!("  verdict: {word}, {} · exit {}", shown(&verdict.reason), verdict.exit));
    }
}

fn row(mark: Mark, result: &CheckResult, controls: Option<&Vec<&str>>) -> Row {
    let (sign, colour) = match (mark, result.status) {
        (Mark::Fail, _) => ("FAIL", Color::Red),
        (Mark::Open, Status::NeedsReview) => ("REVW", Color::Yellow),
        (Mark::Open, Status::Error) => ("ERR ", Color::Yellow),
        (Mark::Open, _) => ("????", Color::Yellow),
        (Mark::Waived, _) => ("WAIV", Color::DarkYellow),
        (Mark::Pass, _) => ("pass", Color::Blue),
        (Mark::NotApplicable, _) => ("n/a ", Color::DarkGrey),
    };
    let place = match (result.part.as_str(), result.item.as_str()) {
        ("", "") => shown(&result.target),
        (part, "") => shown(part),
        ("", item) => format!("{} {}", shown(&result.target), shown(item)),
        (part, item) => format!("{} {}", shown(part), shown(item)),
    };
    let short = controls.into_iter().flatten().map(|id| id.split_once(':').map_or(*id, |(_, short)| short));
    let short: Vec<&str> = short.take(4).collect();
    Row {
        mark: sign,
        colour,
        severity: severity(mark, result.severity),
        check: result.check.clone(),
        place,
        words: words(result),
        controls: short.join(" "),
    }
}

fn severity(mark: Mark, severity: Severity) -> &'static str {
    if mark == Mark::NotApplicable { "" } else { severity.word() }
}

fn words(result: &CheckResult) -> String {
    if !result.reason.is_empty() {
        // The mark says so already.
        let reason = result.reason.strip_prefix("not evaluated: ").unwrap_or(&result.reason);
        let reason = shown(reason.strip_prefix("not evaluated because ").unwrap_or(reason));
        let expected = escape(&value(&result.expected)).into_owned();
        let told = expected.is_empty() || reason.contains("expected") || result.status != Status::Fail;
        return if told { reason } else { format!("{reason}; expected {expected}") };
    }
    match (value(&result.actual), value(&result.expected)) {
        (actual, expected) if expected.is_empty() => escape(&actual).into_owned(),
        (actual, expected) => format!("{}; expected {}", escape(&actual), escape(&expected)),
    }
}

/// What ties rows together, so that a long row of the same is cut: failures of one check at one target.
type Group<'a> = (Mark, &'a str, &'a str);

fn group(mark: Mark, result: &CheckResult) -> Group<'_> {
    (mark, &result.check, &result.target)
}

/// How many rows of a check at a target are not shown.
fn rest(key: Group<'_>, seen: &BTreeMap<Group<'_>, usize>) -> Option<Row> {
    let more = seen.get(&key)?.checked_sub(MAX_ROWS).filter(|more| *more > 0)?;
    Some(Row {
        mark: "    ",
        colour: Color::Reset,
        severity: "",
        check: String::new(),
        place: String::new(),
        words: format!("… {more} more of {} at {}; -v shows them", key.1, shown(key.2)),
        controls: String::new(),
    })
}

fn code(colour: Color) -> &'static str {
    match colour {
        Color::Red => "31",
        Color::Yellow => "33",
        Color::DarkYellow => "33",
        Color::Blue => "34",
        _ => "2",
    }
}
