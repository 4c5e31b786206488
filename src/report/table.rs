//! The terminal: targets, what is not all right (worst first), what could not be judged and what would settle it,
//! counts, and the verdict last.
//!
//! Colour is never alone: words and shapes carry every meaning. Text of strangers is escaped.

mod group;

use super::index::Index;
use super::summary::{Counts, Marks, Summary, grade_words};
use super::text::{escape, shown, wrap};
use super::{Context, Detail};
use crate::finding::WAIVERS;
use crate::model::assessment::{Gate, Remedy};
use crate::model::{Assessment, Verdict};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use group::Group;
use std::cmp::Reverse;

/// The fewest columns that are used.
const MIN_WIDTH: u16 = 60;
/// Targets in the overview before the rest is counted.
const MAX_TARGETS: usize = 40;
/// Causes shown before the rest is counted.
const MAX_CAUSES: usize = 12;
/// Where the words of a row begin.
const INDENT: usize = 8;

struct Page<'a> {
    assessment: &'a Assessment,
    verdict: &'a Verdict,
    context: &'a Context<'a>,
    index: Index<'a>,
    marks: Marks,
    width: usize,
    out: String,
}

pub(super) fn render(assessment: &Assessment, verdict: &Verdict, context: &Context<'_>) -> String {
    let width = usize::from(context.width.max(MIN_WIDTH));
    let (index, marks) = (Index::new(assessment), Marks::new(assessment));
    let mut page = Page { assessment, verdict, context, index, marks, width, out: String::new() };
    if context.detail > Detail::Quiet {
        page.targets();
        let groups = group::groups(&page.index, &page.marks, context.detail == Detail::Verbose);
        page.rows(&groups);
        page.overview();
        page.counts(&groups);
        page.remedies();
        page.notes();
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
            let summary = Summary::new(&self.index, target, &self.marks);
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
            // What is known of the whole target, beside its addresses, is of what the target is.
            let many = summary.parts.len() > 1;
            let label = |part: &str| if part.is_empty() && many { target.kind.word().to_owned() } else { shown(part) };
            let longest = summary.parts.iter().map(|(part, _)| label(part).chars().count()).max().unwrap_or_default();
            let longest = longest.min(30);
            for (n, (part, words)) in summary.parts.iter().enumerate() {
                let branch = if n == last { "└" } else { "├" };
                let words: Vec<String> = words.iter().map(|word| shown(word)).collect();
                let lead = format!("  {branch} {:<longest$}", label(part));
                let indent = lead.chars().count() + if longest > 0 { 2 } else { 0 };
                self.wrapped(&lead, indent, &words.join("   "));
            }
            self.line("");
        }
    }

    fn rows(&mut self, groups: &[Group]) {
        for group in groups {
            let mark = self.paint(group.mark, group.colour);
            let controls = if group.controls.is_empty() { String::new() } else { format!("  [{}]", group.controls) };
            let heading = format!("{:<8} {}{controls}", group.severity, group.checks);
            for (n, line) in wrap(&heading, self.width.saturating_sub(INDENT)).iter().enumerate() {
                let lead = if n == 0 { format!("  {mark}  ") } else { " ".repeat(INDENT) };
                self.line(&format!("{lead}{line}"));
            }
            group.lines.iter().for_each(|line| self.wrapped("", INDENT, line));
        }
        if !groups.is_empty() {
            self.line("");
        }
    }

    /// How the results of each target read, worst first, where there are several targets.
    fn overview(&mut self) {
        let assessment = self.assessment;
        if assessment.targets.len() < 2 {
            return;
        }
        let mut rows: Vec<(Counts, &str)> = assessment
            .targets
            .iter()
            .map(|target| {
                let own = self.index.results(&target.id).iter();
                (self.marks.count(own.copied()), target.id.as_str())
            })
            .collect();
        rows.sort_by_key(|(counts, id)| (Reverse(counts.failed), Reverse(counts.open), *id));
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
        table.force_no_tty().set_width(u16::try_from(self.width - 2).unwrap_or(u16::MAX));
        table.set_header(["target", "failed", "not judged", "waived", "passed", "n/a"]);
        for (counts, id) in rows.iter().take(MAX_TARGETS) {
            let numbers = [counts.failed, counts.open, counts.waived, counts.passed, counts.not_applicable];
            let cells = numbers.iter().map(|n| Cell::new(n).set_alignment(CellAlignment::Right));
            table.add_row([Cell::new(shown(id))].into_iter().chain(cells).collect::<Vec<_>>());
        }
        let lines: Vec<String> = table.lines().collect();
        lines.iter().for_each(|line| self.line(&format!("  {line}")));
        if let Some(more) = rows.len().checked_sub(MAX_TARGETS).filter(|more| *more > 0) {
            self.wrapped("", 2, &format!("… and {more} more targets; the other reports hold them all"));
        }
        self.line("");
    }

    fn counts(&mut self, groups: &[Group]) {
        let counts = self.marks.count(self.assessment.results.iter());
        let mut words = format!(
            "{} passed · {} failed · {} not evaluated · {} waived",
            counts.passed, counts.failed, counts.open, counts.waived
        );
        if counts.not_applicable > 0 {
            words.push_str(&format!(" · {} not applicable", counts.not_applicable));
        }
        self.wrapped("", 2, &words);
        let worst = groups.iter().filter(|group| group.mark != "pass").find_map(|group| group.first.as_ref());
        if let Some(check) = worst.filter(|check| *check != WAIVERS) {
            let check = check.clone();
            self.wrapped("", 2, &format!("probity check show {check}  explains and fixes"));
        }
        self.line("");
    }

    /// What settles what is open. A failed run has something to mend first, and stays without.
    fn remedies(&mut self) {
        if self.verdict.gate != Gate::Inconclusive {
            return;
        }
        let verdict = self.verdict;
        let shown = || verdict.causes.iter().take(MAX_CAUSES);
        let mut commands: Vec<&str> = shown().filter_map(|cause| cause.remedy.command()).collect();
        commands.dedup();
        let accepted: Vec<&str> = shown().filter_map(|cause| cause.remedy.lines()).collect();
        if !commands.is_empty() {
            self.wrapped("", 2, "to bring the evidence:");
            commands.iter().flat_map(|command| command.lines()).for_each(|line| self.literal(line));
        }
        if !accepted.is_empty() {
            self.wrapped("", 2, "to accept for a time what stays open, write into probity.yaml, with your reasons:");
            for (n, lines) in accepted.iter().enumerate() {
                // The keys above the list stand once.
                let above = if n == 0 { 0 } else { Remedy::KEYS_ABOVE };
                lines.lines().skip(above).for_each(|line| self.literal(line));
            }
        }
        if let Some(more) = verdict.causes.len().checked_sub(MAX_CAUSES).filter(|more| *more > 0) {
            self.wrapped("", 2, &format!("… and {more} more; the JSON report lists them all"));
        }
        if !verdict.causes.is_empty() {
            self.line("");
        }
    }

    /// A line to be copied, which is never broken.
    fn literal(&mut self, line: &str) {
        self.line(&format!("          {}", escape(line)));
    }

    fn notes(&mut self) {
        let verdict = self.verdict;
        for note in &verdict.notes {
            self.wrapped("  note:", INDENT, &shown(note));
        }
        if !verdict.notes.is_empty() {
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
