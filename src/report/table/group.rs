//! What is not all right, by check: each place once, items of the same fault together.

use crate::finding::WAIVERS;
use crate::model::{Assessment, BlindSpot, CheckResult, Severity, Status, TargetKind};
use crate::report::controls_of_checks;
use crate::report::index::Index;
use crate::report::summary::{Mark, Marks, Told, item_words, told};
use crate::report::text::{counted, shown};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Lines of one check at one target that are shown before the rest is counted.
const MAX_LINES: usize = 3;
/// Items of one line, and checks of one heading, that are named before the rest is counted.
const MAX_NAMES: usize = 3;
/// Blind spots shown before the rest is counted.
const MAX_SPOTS: usize = 12;
/// Controls named beside a check.
const MAX_CONTROLS: usize = 4;

/// A heading with its lines.
pub(super) struct Group {
    /// How it is marked, in a word.
    pub mark: &'static str,
    /// The colour of the mark, as a terminal takes it.
    pub colour: &'static str,
    /// The severity in a word, or nothing.
    pub severity: &'static str,
    /// The check or checks.
    pub checks: String,
    /// The first of them, which can be asked about.
    pub first: Option<String>,
    /// The controls that they bear on.
    pub controls: String,
    /// Where, and what was seen.
    pub lines: Vec<String>,
}

/// Open failures by severity, what could not be judged, waived failures and waivers that are wrong themselves; and
/// where all is wanted, passes and what does not apply.
pub(super) fn groups(index: &Index<'_>, marks: &Marks, verbose: bool) -> Vec<Group> {
    let assessment = index.assessment;
    let mut groups = judged(index, marks, Mark::Fail, verbose);
    groups.extend(open(assessment, verbose));
    groups.extend(judged(index, marks, Mark::Waived, verbose));
    groups.extend(assessment.findings.iter().filter(|finding| finding.check == WAIVERS).map(|finding| Group {
        mark: "FAIL",
        colour: "31",
        severity: finding.severity.word(),
        checks: finding.check.clone(),
        first: Some(finding.check.clone()),
        controls: String::new(),
        lines: vec![format!("{}: {}", shown(&finding.target), shown(&finding.reason))],
    }));
    if verbose {
        groups.extend(judged(index, marks, Mark::Pass, verbose));
        groups.extend(judged(index, marks, Mark::NotApplicable, verbose));
    }
    groups
}

fn sign(mark: Mark) -> (&'static str, &'static str) {
    match mark {
        Mark::Fail => ("FAIL", "31"),
        Mark::Open => ("????", "33"),
        Mark::Waived => ("WAIV", "33"),
        Mark::Pass => ("pass", "34"),
        Mark::NotApplicable => ("n/a ", "2"),
    }
}

/// The results that read like this, a group for each check and severity.
fn judged(index: &Index<'_>, marks: &Marks, mark: Mark, verbose: bool) -> Vec<Group> {
    let assessment = index.assessment;
    let controls = controls_of_checks(assessment);
    let places = Places::new(assessment);
    let mut checks: BTreeMap<(Reverse<Severity>, &str), Vec<&CheckResult>> = BTreeMap::new();
    for result in assessment.results.iter().filter(|result| marks.of(result) == mark) {
        checks.entry((Reverse(result.severity), &result.check)).or_default().push(result);
    }
    let (sign, colour) = sign(mark);
    let groups = checks.into_iter().map(|((Reverse(severity), check), results)| Group {
        mark: sign,
        colour,
        severity: if mark == Mark::NotApplicable { "" } else { severity.word() },
        checks: check.to_owned(),
        first: Some(check.to_owned()),
        controls: short(controls.get(check)),
        lines: lines(index, &results, &places, verbose),
    });
    groups.collect()
}

/// A fault at a place, and what it was seen on.
struct Fault<'a> {
    target: &'a str,
    place: String,
    seen: String,
    expected: String,
    items: Vec<String>,
}

fn lines(index: &Index<'_>, results: &[&CheckResult], places: &Places<'_>, verbose: bool) -> Vec<String> {
    let mut faults: Vec<Fault<'_>> = Vec::new();
    let mut met: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for result in results {
        let place = places.of(&result.target, &result.part);
        let Told { seen, expected } = told(result);
        let seen = seen.strip_prefix(&format!("{}: ", result.target)).map(str::to_owned).unwrap_or(seen);
        let item = item_words(index, result, &seen);
        let n = *met.entry((place.clone(), seen.clone(), expected.clone())).or_insert(faults.len());
        match faults.get_mut(n) {
            Some(fault) => fault.items.extend((!item.is_empty()).then_some(item)),
            None => faults.push(Fault {
                target: &result.target,
                place,
                seen,
                expected,
                items: Some(item).filter(|item| !item.is_empty()).into_iter().collect(),
            }),
        }
    }
    // What all have in common is said once.
    let wanted: BTreeSet<&str> = faults.iter().map(|fault| fault.expected.as_str()).collect();
    let common = wanted.first().filter(|_| wanted.len() == 1).map(|expected| (*expected).to_owned());
    let mut lines = Vec::new();
    let mut shown_at: BTreeMap<&str, usize> = BTreeMap::new();
    for fault in &faults {
        let n = shown_at.entry(fault.target).or_default();
        *n += 1;
        if verbose || *n <= MAX_LINES {
            lines.push(line(fault, common.is_none(), verbose));
        }
    }
    let cut = shown_at.into_iter().filter(|(_, n)| !verbose && *n > MAX_LINES);
    lines.extend(cut.map(|(target, n)| format!("… {} more at {}; -v shows them", n - MAX_LINES, shown(target))));
    lines.extend(
        common.filter(|expected| !expected.is_empty()).map(|expected| format!("expected {}", shown(&expected))),
    );
    lines
}

fn line(fault: &Fault<'_>, tell_expected: bool, verbose: bool) -> String {
    let mut words = shown(&fault.place);
    match fault.items.as_slice() {
        [] => words.push_str(&format!(": {}", shown(&fault.seen))),
        [item] if fault.seen.is_empty() => words.push_str(&format!(" {}", shown(item))),
        [item] => words.push_str(&format!(" {}: {}", shown(item), shown(&fault.seen))),
        items => {
            let most = if verbose { items.len() } else { MAX_NAMES };
            words.push_str(&format!(": {}: {}", shown(&fault.seen), names(items.iter().map(String::as_str), most)));
        }
    }
    if tell_expected && !fault.expected.is_empty() {
        words.push_str(&format!("; expected {}", shown(&fault.expected)));
    }
    words
}

/// `a, b and 3 more`.
fn names<'a>(all: impl Iterator<Item = &'a str>, most: usize) -> String {
    let all: Vec<&str> = all.collect();
    let named: Vec<String> = all.iter().take(most).map(|name| shown(name)).collect();
    match all.len().saturating_sub(most) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// What could not be judged, a group for each reason, wherever it was met.
fn open(assessment: &Assessment, verbose: bool) -> Vec<Group> {
    let places = Places::new(assessment);
    let controls = controls_of_checks(assessment);
    let mut open = Open::new();
    for (n, result) in assessment.results.iter().enumerate().filter(|(_, result)| result.status.is_open()) {
        open.entry((&result.target, &result.part)).or_default().push((n, result));
    }
    let mut reasons: BTreeMap<(&str, &str), Vec<&BlindSpot>> = BTreeMap::new();
    for spot in &assessment.blind_spots {
        reasons.entry((&spot.reason, &spot.remedy)).or_default().push(spot);
    }
    let mut groups: Vec<(Reverse<Option<Severity>>, Group)> = reasons
        .into_iter()
        .map(|((reason, remedy), spots)| {
            let waiting: BTreeSet<&str> = spots.iter().flat_map(|spot| &spot.checks).map(String::as_str).collect();
            let results = behind(&open, &spots);
            let worst = results.first();
            let mut checks: Vec<&str> = results.iter().map(|result| result.check.as_str()).collect();
            let mut seen = BTreeSet::new();
            checks.retain(|check| waiting.contains(check) && seen.insert(*check));
            let mut at: Vec<String> = spots.iter().map(|spot| places.of(&spot.target, &spot.part)).collect();
            at.dedup();
            let most = if verbose { usize::MAX } else { MAX_NAMES };
            let told: BTreeSet<&str> = checks.iter().flat_map(|check| controls.get(check)).flatten().copied().collect();
            let group = Group {
                mark: match worst.map(|result| result.status) {
                    Some(Status::NeedsReview) => "REVW",
                    Some(Status::Error) => "ERR ",
                    _ => "????",
                },
                colour: sign(Mark::Open).1,
                severity: worst.map(|result| result.severity.word()).unwrap_or_default(),
                checks: if checks.is_empty() {
                    "every check".to_owned()
                } else {
                    names(checks.iter().copied(), MAX_NAMES)
                },
                first: checks.first().map(|check| (*check).to_owned()),
                controls: short(Some(&told.into_iter().collect())),
                lines: vec![
                    format!("{}: {}", names(at.iter().map(String::as_str), most), shown(reason)),
                    format!("to see it: {}", shown(remedy)),
                ],
            };
            (Reverse(worst.map(|result| result.severity)), group)
        })
        .collect();
    groups.sort_by(|(a, one), (b, two)| (a, &one.checks, &one.lines).cmp(&(b, &two.checks, &two.lines)));
    let mut groups = together(groups);
    let more = groups.len().saturating_sub(MAX_SPOTS);
    if more > 0 && !verbose {
        groups.truncate(MAX_SPOTS);
        let words = counted(more, "more reason", "more reasons");
        if let Some(last) = groups.last_mut() {
            last.lines.push(format!("… {words} why something was not evaluated; -v and every report show them"));
        }
    }
    groups
}

/// Groups of the same checks that one remedy settles are one group, with a line for each reason.
fn together(groups: Vec<(Reverse<Option<Severity>>, Group)>) -> Vec<Group> {
    let mut merged: Vec<Group> = Vec::new();
    for (_, group) in groups {
        let same = |last: &&mut Group| {
            (last.mark, last.severity, &last.checks) == (group.mark, group.severity, &group.checks)
                && last.lines.last() == group.lines.last()
        };
        match merged.last_mut().filter(same) {
            Some(last) => {
                let place = last.lines.len().saturating_sub(1);
                last.lines.splice(place..place, group.lines.into_iter().take(1));
            }
            None => merged.push(group),
        }
    }
    merged
}

/// Open results by target and part, each with its place in the assessment.
type Open<'a> = BTreeMap<(&'a str, &'a str), Vec<(usize, &'a CheckResult)>>;

/// The open results that these blind spots name, each once, the gravest first.
fn behind<'a>(open: &Open<'a>, spots: &[&BlindSpot]) -> Vec<&'a CheckResult> {
    let named = spots.iter().flat_map(|spot| {
        let here = open.get(&(spot.target.as_str(), spot.part.as_str())).into_iter().flatten();
        here.filter(|(_, result)| spot.checks.contains(&result.check)).copied()
    });
    let mut named: Vec<(usize, &CheckResult)> = named.collect();
    named.sort_by_key(|(n, result)| (Reverse(result.severity), &result.check, *n));
    named.dedup_by_key(|(n, _)| *n);
    named.into_iter().map(|(_, result)| result).collect()
}

/// The controls that a reader looks up first: those of SOC 2 by their number, or others with their framework.
fn short(controls: Option<&Vec<&str>>) -> String {
    let all = || controls.into_iter().flatten().copied();
    let soc2: Vec<&str> = all().filter_map(|id| id.strip_prefix("soc2:")).collect();
    let others = if soc2.is_empty() { all().collect() } else { Vec::new() };
    soc2.into_iter().chain(others).take(MAX_CONTROLS).collect::<Vec<_>>().join(" ")
}

/// How places are named: by the target, and by the address only where the target has several.
struct Places<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Places<'a> {
    fn new(assessment: &'a Assessment) -> Places<'a> {
        let mut parts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for seen in assessment.observations.iter().filter(|seen| !seen.part.is_empty()) {
            parts.entry(&seen.target).or_default().insert(&seen.part);
        }
        // The parts of an account are its databases, and the account's name tells none of them.
        for target in assessment.targets.iter().filter(|target| target.kind == TargetKind::Cloud) {
            parts.entry(&target.id).or_default().insert("");
        }
        Places(parts)
    }

    fn of(&self, target: &str, part: &str) -> String {
        let several = self.0.get(target).is_some_and(|parts| parts.len() > 1);
        if part.is_empty() || !several { target.to_owned() } else { format!("{target} {part}") }
    }
}
