//! What an assessment holds by what it is looked up by, so that no renderer walks all of it for each target or result.

use crate::finding::fingerprint;
use crate::model::{Assessment, CheckResult, Finding, Observation, Target};
use std::collections::BTreeMap;

/// The ways into an assessment. Each keeps the order of the assessment, and the first of what is there twice.
pub struct Index<'a> {
    /// The run.
    pub assessment: &'a Assessment,
    targets: BTreeMap<&'a str, &'a Target>,
    results: BTreeMap<&'a str, Vec<&'a CheckResult>>,
    observations: BTreeMap<&'a str, Vec<&'a Observation>>,
    findings: BTreeMap<&'a str, &'a Finding>,
}

impl<'a> Index<'a> {
    /// Walks the assessment once.
    pub fn new(assessment: &'a Assessment) -> Index<'a> {
        let mut targets = BTreeMap::new();
        for target in &assessment.targets {
            targets.entry(target.id.as_str()).or_insert(target);
        }
        let mut results: BTreeMap<&str, Vec<&CheckResult>> = BTreeMap::new();
        for result in &assessment.results {
            results.entry(&result.target).or_default().push(result);
        }
        let mut observations: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
        for seen in &assessment.observations {
            observations.entry(&seen.target).or_default().push(seen);
        }
        let mut findings = BTreeMap::new();
        for finding in &assessment.findings {
            findings.entry(finding.fingerprint.as_str()).or_insert(finding);
        }
        Index { assessment, targets, results, observations, findings }
    }

    /// The target of this id.
    pub fn target(&self, id: &str) -> Option<&'a Target> {
        self.targets.get(id).copied()
    }

    /// What was judged of a target.
    pub fn results(&self, target: &str) -> &[&'a CheckResult] {
        self.results.get(target).map(Vec::as_slice).unwrap_or_default()
    }

    /// What was seen of a target.
    pub fn observations(&self, target: &str) -> &[&'a Observation] {
        self.observations.get(target).map(Vec::as_slice).unwrap_or_default()
    }

    /// The parts of a target of which anything was seen, in order, each once.
    pub fn parts(&self, target: &str) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.observations(target).iter().map(|seen| seen.part.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The finding that a result became.
    pub fn finding(&self, result: &CheckResult) -> Option<&'a Finding> {
        let print = fingerprint(&result.check, &result.target, &result.part, &result.item);
        self.findings.get(print.as_str()).copied()
    }

    /// The result that became this finding.
    pub fn result(&self, finding: &Finding) -> Option<&'a CheckResult> {
        let same = |result: &&&CheckResult| {
            (&result.check, &result.part, &result.item) == (&finding.check, &finding.part, &finding.item)
        };
        self.results(&finding.target).iter().find(same).copied()
    }
}
