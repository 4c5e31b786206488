//! The facts about a target that a reader wants first, in words, for terminal and page alike.

use super::index::Index;
use crate::finding::fingerprint;
use crate::model::erasure::Erased;
use crate::model::erasure::found::TraceRow;
use crate::model::grade::Grade;
use crate::model::observation::ObservationStatus;
use crate::model::requests::Dsar;
use crate::model::tls::{Certificates, Clients, Groups, Protocols, Suites};
use crate::model::tls_policy::{Policies, PolicyResult};
use crate::model::{Assessment, CheckResult, FindingState, Status, Target, dns, mail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;

/// The letters of a grade, best first.
pub(super) const LETTERS: &[&str] = &["A+", "A", "A-", "B", "C", "D", "E", "F", "T", "M"];
/// Rules of a policy that are named before the rest is counted.
const MAX_RULES: usize = 4;

/// How a result reads, with waived failures apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Shown with ▲.
    Fail,
    /// Shown with ◌.
    Open,
    /// Shown with ◇.
    Waived,
    /// Shown with ●.
    Pass,
    /// Shown with ▫.
    NotApplicable,
}

/// How many results read how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Failures that no waiver covers.
    pub failed: usize,
    /// Results that could not be judged.
    pub open: usize,
    /// Failures that a waiver covers.
    pub waived: usize,
    /// Passes.
    pub passed: usize,
    /// Results of checks that do not apply.
    pub not_applicable: usize,
}

impl Counts {
    /// Adds one.
    pub fn add(&mut self, mark: Mark) {
        match mark {
            Mark::Fail => self.failed += 1,
            Mark::Open => self.open += 1,
            Mark::Waived => self.waived += 1,
            Mark::Pass => self.passed += 1,
            Mark::NotApplicable => self.not_applicable += 1,
        }
    }

    /// All that bears on a verdict: what does not apply is left out.
    pub fn total(&self) -> usize {
        self.failed + self.open + self.waived + self.passed
    }

    /// The worst mark among them.
    pub fn worst(&self) -> Option<Mark> {
        let all = [
            (self.failed, Mark::Fail),
            (self.open, Mark::Open),
            (self.waived, Mark::Waived),
            (self.passed, Mark::Pass),
            (self.not_applicable, Mark::NotApplicable),
        ];
        all.into_iter().find(|(n, _)| *n > 0).map(|(_, mark)| mark)
    }
}

/// The marks of all results of an assessment.
pub struct Marks(BTreeSet<String>);

impl Marks {
    /// Looks up which failures are waived.
    pub fn new(assessment: &Assessment) -> Marks {
        let waived = assessment.findings.iter().filter(|finding| finding.state == FindingState::Waived);
        Marks(waived.map(|finding| finding.fingerprint.clone()).collect())
    }

    /// How a result reads.
    pub fn of(&self, result: &CheckResult) -> Mark {
        match result.status {
            Status::Pass => Mark::Pass,
            Status::NotApplicable => Mark::NotApplicable,
            Status::Fail => {
                let print = fingerprint(&result.check, &result.target, &result.part, &result.item);
                if self.0.contains(&print) { Mark::Waived } else { Mark::Fail }
            }
            Status::Error | Status::NotEvaluated | Status::NeedsReview => Mark::Open,
        }
    }

    /// How these results read together.
    pub fn count<'a>(&self, results: impl Iterator<Item = &'a CheckResult>) -> Counts {
        let mut counts = Counts::default();
        results.for_each(|result| counts.add(self.of(result)));
        counts
    }
}

/// The facts of one target.
pub struct Summary {
    /// How its results read.
    pub counts: Counts,
    /// The worst grade of its addresses.
    pub grade: Option<Grade>,
    /// Days until the first certificate ends.
    pub days_left: Option<i64>,
    /// Each part, in words; for targets without parts one with an empty name.
    pub parts: Vec<(String, Vec<String>)>,
}

impl Summary {
    /// Reads the observations of a target.
    pub fn new(index: &Index<'_>, target: &Target, marks: &Marks) -> Summary {
        let names = index.parts(&target.id);
        let all = |part: &str| Facts { index, target: &target.id, part: part.to_owned() };
        let grades = names.iter().filter_map(|part| all(part).read::<Grade>("tls.grade"));
        let days = names.iter().filter_map(|part| all(part).read::<Certificates>("tls.certificates"));
        let days = days.flat_map(|seen| seen.deployments.into_iter().map(|deployment| deployment.days_left));
        let parts = names.iter().map(|part| ((*part).to_owned(), all(part).words()));
        Summary {
            counts: marks.count(index.results(&target.id).iter().copied()),
            grade: grades.max_by_key(rank),
            days_left: days.min(),
            parts: parts.filter(|(_, words)| !words.is_empty()).collect(),
        }
    }
}

/// The place of a grade among the letters; an unknown letter is the worst.
fn rank(grade: &Grade) -> usize {
    let letter = grade.letter.as_deref();
    letter.and_then(|letter| LETTERS.iter().position(|known| *known == letter)).unwrap_or(LETTERS.len())
}

/// The letter in words, with what limits it.
pub fn grade_words(grade: &Grade) -> (String, String) {
    let letter = match &grade.letter {
        Some(letter) if grade.provisional => format!("{letter} at best"),
        Some(letter) => letter.clone(),
        None => "unknown".to_owned(),
    };
    // A certificate that is not trusted decides the letter alone, whatever else would limit it.
    let untrusted = matches!(grade.letter.as_deref(), Some("T" | "M"));
    let why = if let Some(note) = grade.trust.first().filter(|_| untrusted) {
        format!("{} ({})", note.reason, note.code)
    } else if let Some(cap) = grade.caps.first() {
        format!("capped: {} ({})", cap.reason, cap.code)
    } else if let Some(note) = grade.trust.first().or(grade.warnings.first()) {
        format!("{} ({})", note.reason, note.code)
    } else if !grade.incomplete.is_empty() {
        grade.missing()
    } else {
        String::new()
    };
    (letter, why)
}

/// What a result says: what was seen and what was expected, each once.
pub struct Told {
    /// What was seen, in words; empty where the result says nothing of it.
    pub seen: String,
    /// What was expected; empty where the check does not say.
    pub expected: String,
}

/// What was seen and what was expected.
pub fn told(result: &CheckResult) -> Told {
    let expected = super::text::value(&result.expected);
    let actual = super::text::value(&result.actual);
    // Words that are only the two values put together say nothing more than these.
    let made = result.reason.is_empty() || result.reason.starts_with("seen ");
    let seen = if made && !actual.is_empty() { actual } else { result.reason.clone() };
    Told { seen, expected }
}

/// The item of a result as a reader would name it, without what the words beside it begin with.
pub fn item_words(index: &Index<'_>, result: &CheckResult, beside: &str) -> String {
    if let Some(subject) = certificate(index, result) {
        return subject;
    }
    // The catalogue's own codes tell items apart, and nothing to a reader.
    let family = result.check.split('.').next().map(|family| format!("{family}.")).unwrap_or_default();
    let words = result.item.split(' ').filter(|word| !word.starts_with(&family) && !beside.starts_with(word));
    words.collect::<Vec<_>>().join(" ")
}

/// A certificate by its subject and the first digits of its digest, where the item is the digest of one.
fn certificate(index: &Index<'_>, result: &CheckResult) -> Option<String> {
    let digits = result.item.get(..12).filter(|_| result.item.len() == 64)?;
    if !result.item.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let facts = Facts { index, target: &result.target, part: result.part.clone() };
    let seen = facts.read::<Certificates>("tls.certificates");
    let mut deployments = seen.into_iter().flat_map(|seen| seen.deployments);
    let subject = deployments.find(|one| one.id == result.item).map(|one| one.leaf.subject).unwrap_or_default();
    let subject = super::text::clip(&subject, 60);
    Some(format!("certificate {digits}… {subject}").trim_end().to_owned())
}

/// The observations of one part.
pub struct Facts<'a> {
    /// The run, ready to be looked up in.
    pub index: &'a Index<'a>,
    /// The target's id.
    pub target: &'a str,
    /// The part.
    pub part: String,
}

impl Facts<'_> {
    /// The facts of a kind, where something was seen and has the form of this type.
    pub fn read<T: DeserializeOwned>(&self, kind: &str) -> Option<T> {
        let mut all = self.index.observations(self.target).iter();
        let seen =
            all.find(|seen| seen.kind == kind && seen.part == self.part && seen.status != ObservationStatus::Failed)?;
        seen.read().ok()
    }

    /// The facts of a kind as they are written.
    pub fn data(&self, kind: &str) -> Option<Value> {
        self.read(kind)
    }

    /// What a reader wants first of this part.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(protocols) = self.read::<Protocols>("tls.protocols") {
            words.push(protocol_words(&protocols));
        }
        if let Some(suites) = self.read::<Suites>("tls.suites") {
            let ids: BTreeSet<&str> = suites.suites.iter().map(|suite| suite.id.as_str()).collect();
            words.push(super::text::counted(ids.len(), "suite", "suites"));
        }
        if let Some(leaf) =
            self.read::<Certificates>("tls.certificates").and_then(|seen| seen.deployments.into_iter().next())
        {
            let day = leaf.leaf.not_after.get(..10).unwrap_or(&leaf.leaf.not_after).to_owned();
            words.push(format!("{}-{} until {day}", leaf.leaf.key_type, leaf.leaf.key_bits));
        }
        if let Some(groups) = self.read::<Groups>("tls.groups") {
            let best = groups.groups.iter().find(|group| group.pq).or(groups.groups.first());
            words.extend(best.map(|group| group.name.clone()));
        }
        words.extend(self.read::<Clients>("tls.clients").map(|seen| client_words(&seen)));
        if let Some(seen) = self.read::<Policies>("tls.policy") {
            words.extend(seen.policies.iter().map(policy_words));
        }
        if let Some(transport) = self.data("db.transport").filter(|facts| facts["applicable"] == true) {
            words.push(answer(&transport["tls_offered"], "offers TLS", "offers no TLS", "TLS not known"));
            words.push(match transport["plaintext_login"].as_str() {
                Some("refused") => "refuses plaintext".to_owned(),
                Some("accepted") => "accepts plaintext".to_owned(),
                _ => "plaintext not known".to_owned(),
            });
        }
        if let Some(encryption) = self.data("db.encryption").filter(|facts| facts["applicable"] == true) {
            words.push(answer(&encryption["encrypted"], "encrypted at rest", "plain at rest", "at rest not known"));
        }
        if let Some(coverage) = self.data("vendor.coverage") {
            words.push(super::text::counted(count(&coverage["population"]), "vendor", "vendors"));
            for dimension in coverage["dimensions"].as_array().into_iter().flatten().take(6) {
                let ratio = &dimension["by_vendor"];
                let name = dimension["dimension"].as_str().unwrap_or_default();
                words.push(format!("{name} {} of {}", count(&ratio["numerator"]), count(&ratio["denominator"])));
            }
        }
        words.extend(self.read::<Erased>("data.erasure").map(|seen| erasure_words(&seen)));
        if let Some(dsar) = self.read::<Dsar>("data.dsar") {
            words.push(request_words(&dsar));
        }
        words.extend(self.name_words());
        words
    }

    /// What is known of a name and of a domain's mail.
    fn name_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if let Some(caa) = self.read::<dns::Caa>("dns.caa").filter(|caa| caa.applicable) {
            let who = match (caa.limits, caa.issuers.is_empty()) {
                (false, _) => "for everybody".to_owned(),
                (true, true) => "for nobody".to_owned(),
                (true, false) => caa.issuers.join(" "),
            };
            words.push(format!("CAA {who}"));
        }
        if let Some(dnssec) = self.read::<dns::Dnssec>("dns.dnssec").filter(|dnssec| dnssec.applicable) {
            words.push(format!("DNSSEC {}", dnssec.status));
        }
        if let Some(spf) = self.read::<mail::Spf>("mail.spf") {
            words.push(match (spf.present, spf.valid) {
                (false, _) => "no SPF".to_owned(),
                (true, false) => "SPF not valid".to_owned(),
                (true, true) if spf.all == "none" => "SPF without all".to_owned(),
                (true, true) => format!("SPF {}all", spf.all),
            });
        }
        if let Some(dmarc) = self.read::<mail::Dmarc>("mail.dmarc") {
            words.push(match (dmarc.present, dmarc.valid) {
                (false, _) => "no DMARC".to_owned(),
                (true, false) => "DMARC not valid".to_owned(),
                (true, true) => format!("DMARC {}", dmarc.policy),
            });
        }
        if let Some(sts) = self.read::<mail::MtaSts>("mail.mta_sts").filter(|sts| sts.applicable) {
            words.push(match (sts.present, sts.valid) {
                (false, _) => "no MTA-STS".to_owned(),
                (true, false) => "MTA-STS not valid".to_owned(),
                (true, true) => format!("MTA-STS {}", sts.mode),
            });
        }
        words
    }
}

/// `19 of 21 clients connect`, with what is not known.
fn client_words(seen: &Clients) -> String {
    let count = |end: Option<bool>| seen.clients.iter().filter(|row| row.connects.known().copied() == end).count();
    let words = format!("{} of {} clients connect", count(Some(true)), seen.clients.len());
    match count(None) {
        0 => words,
        open => format!("{words} ({open} not known)"),
    }
}

/// `3 erasures   12 rows left   0 orphans`, with what is not known said so.
fn erasure_words(seen: &Erased) -> String {
    let rows = |rows: &[TraceRow], words: &str| {
        let known: u64 = rows.iter().filter_map(|row| row.rows.known()).sum();
        match rows.iter().filter(|row| row.rows.known().is_none()).count() {
            0 => format!("{known} {words}"),
            open => format!("{known} {words} ({open} of {} not known)", rows.len()),
        }
    };
    let erasures = super::text::counted(seen.entries.len(), "erasure", "erasures");
    [erasures, rows(&seen.residual, "rows left"), rows(&seen.reappeared, "came back"), rows(&seen.orphans, "orphans")]
        .join(", ")
}

/// `5 requests: 2 answered, 1 late, 1 overdue, 1 open`.
fn request_words(seen: &Dsar) -> String {
    let words = super::text::counted(seen.requests.len(), "request", "requests");
    let mut states: Vec<(usize, &str)> = Vec::new();
    for state in ["answered", "late", "overdue", "due soon", "open", "paused", "waiting"] {
        let many = seen.requests.iter().filter(|row| row.state == state).count();
        states.extend((many > 0).then_some((many, state)));
    }
    let states: Vec<String> = states.iter().map(|(many, state)| format!("{many} {state}")).collect();
    if states.is_empty() { words } else { format!("{words}: {}", states.join(", ")) }
}

/// A policy and its result, with the rules that decide it: `pci: not met (PCI.versions, PCI.tls11)`.
fn policy_words(policy: &PolicyResult) -> String {
    let result = policy.result.replace('_', " ");
    if policy.because.is_empty() {
        return format!("{}: {result}", policy.id);
    }
    let named: Vec<&str> = policy.because.iter().take(MAX_RULES).map(String::as_str).collect();
    let more = policy.because.len().saturating_sub(MAX_RULES);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}: {result} ({}{more})", policy.id, named.join(", "))
}

fn count(value: &Value) -> usize {
    value.as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or_default()
}

fn answer(fact: &Value, yes: &str, no: &str, unknown: &str) -> String {
    match fact.as_bool() {
        Some(true) => yes,
        Some(false) => no,
        None => unknown,
    }
    .to_owned()
}

/// `TLS 1.2 1.3`, `SSLv3 TLS 1.0`, with what is not known said so.
fn protocol_words(protocols: &Protocols) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut tls = false;
    for offered in &protocols.offered {
        match offered.name.strip_prefix("TLSv") {
            Some(version) if tls => words.push(version.to_owned()),
            Some(version) => {
                tls = true;
                words.push(format!("TLS {version}"));
            }
            None => words.push(offered.name.clone()),
        }
    }
    if words.is_empty() {
        words.push("no version".to_owned());
    }
    if !protocols.unknown.is_empty() {
        words.push(format!("({} not known)", protocols.unknown.join(", ")));
    }
    words.join(" ")
}
