//! Rolls results up to controls, says what was not looked at, and puts the assessment together. Does no I/O.

mod blind;

pub use blind::blind_spots;

use crate::finding;
use crate::model::assessment::{Assessment, Evidence};
use crate::model::control::{Control, ControlResult, ControlStatus, Coverage, Framework, Relation, Support};
use crate::model::{CheckResult, Finding, Observation, Status};
use std::collections::BTreeSet;

/// Puts one run together: judged as of the instant at which looking ended.
///
/// The gate's verdict stands beside the assessment, since it hangs on options of the caller.
pub fn assess(
    evidence: Evidence,
    derived: Vec<Observation>,
    mut results: Vec<CheckResult>,
    frameworks: &[&Framework],
    catalogue_digest: &str,
) -> Assessment {
    let Evidence { run, targets, judging, mut observations, .. } = evidence;
    observations.extend(derived);
    observations.sort_by(|a, b| (&a.target, &a.part, &a.kind, &a.id).cmp(&(&b.target, &b.part, &b.kind, &b.id)));
    results.sort_by(|a, b| place(a).cmp(&place(b)));
    let findings = finding::track(&results, &judging.waivers, run.ended);
    let controls = roll_up(&results, &findings, frameworks);
    let blind_spots = blind_spots(&results, &observations, &targets);
    let catalogue_digest = catalogue_digest.to_owned();
    Assessment { run, targets, judging, observations, results, findings, controls, blind_spots, catalogue_digest }
}

fn place(result: &CheckResult) -> (&str, &str, &str, &str) {
    (&result.check, &result.target, &result.part, &result.item)
}

/// What the results say of every control of these frameworks, in their order.
///
/// A failure counts against a control whether it is waived or not; what does not apply is left out. A pass with a
/// relaxed parameter supports nothing, while a failure in spite of one still counts.
pub fn roll_up(results: &[CheckResult], findings: &[Finding], frameworks: &[&Framework]) -> Vec<ControlResult> {
    let prints: BTreeSet<&str> = findings.iter().map(|finding| finding.fingerprint.as_str()).collect();
    let mut controls = Vec::new();
    for framework in frameworks {
        for (id, title) in &framework.controls {
            let control =
                Control { id: format!("{}:{id}", framework.id), framework: framework.id.clone(), title: title.clone() };
            controls.push(of_control(control, id, framework, results, &prints));
        }
    }
    controls
}

fn of_control(
    control: Control,
    id: &str,
    framework: &Framework,
    results: &[CheckResult],
    prints: &BTreeSet<&str>,
) -> ControlResult {
    let support =
        |check: &str| -> Option<&Support> { framework.checks.get(check)?.iter().find(|support| support.control == id) };
    let mut coverage = Coverage::default();
    let mut checks: Vec<String> = Vec::new();
    let mut fingerprints = Vec::new();
    let mut relation = Relation::Partly;
    for result in results {
        let Some(support) = support(&result.check) else { continue };
        match result.status {
            Status::NotApplicable => continue,
            Status::Pass if !result.relaxed.is_empty() => continue,
            Status::Pass => coverage.passed += 1,
            Status::Fail => coverage.failed += 1,
            Status::Error | Status::NotEvaluated | Status::NeedsReview => coverage.open += 1,
        }
        coverage.total += 1;
        if support.relation == Relation::Supports {
            relation = Relation::Supports;
        }
        if checks.last() != Some(&result.check) {
            checks.push(result.check.clone());
        }
        if result.status == Status::Fail {
            fingerprints.push(finding::fingerprint(&result.check, &result.target, &result.part, &result.item));
        }
    }
    checks.sort();
    checks.dedup();
    // A fingerprint is named only where its finding stands in the assessment.
    fingerprints.retain(|print| prints.contains(print.as_str()));
    let status = match coverage {
        Coverage { failed: 1.., .. } => ControlStatus::NotSatisfied,
        Coverage { open: 1.., .. } => ControlStatus::Indeterminate,
        Coverage { passed: 1.., .. } => ControlStatus::Satisfied,
        _ => ControlStatus::NotAssessed,
    };
    ControlResult { control, status, findings: fingerprints, coverage, checks, relation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;
    use crate::model::finding::{FindingState, Waiver};
    use serde_json::{Value, json};

    fn framework() -> Framework {
        serde_json::from_value(json!({
            "id": "soc2", "name": "SOC 2", "edition": "2017",
            "controls": {"CC6.1": "Access", "CC6.7": "Data in motion", "CC9.2": "Vendors"},
            "checks": {
                "tls.a": [{"control": "CC6.7"}, {"control": "CC6.1", "relation": "partly"}],
                "tls.b": [{"control": "CC6.7"}],
            },
        }))
        .unwrap()
    }

    fn result(check: &str, status: Status, relaxed: bool) -> CheckResult {
        CheckResult {
            check: check.to_owned(),
            version: "1.0.0".to_owned(),
            origin: "built-in".to_owned(),
            digest: String::new(),
            target: "shop".to_owned(),
            part: String::new(),
            item: String::new(),
            status,
            severity: Severity::High,
            reason: String::new(),
            expected: Value::Null,
            actual: Value::Null,
            observations: Vec::new(),
            relaxed: if relaxed { vec!["oldest".to_owned()] } else { Vec::new() },
            accepted: false,
        }
    }

    fn status(results: &[CheckResult], control: &str) -> ControlStatus {
        let framework = framework();
        let controls = roll_up(results, &[], &[&framework]);
        controls.into_iter().find(|entry| entry.control.id == control).unwrap().status
    }

    #[test]
    fn the_worst_result_that_bears_on_a_control_decides() {
        use ControlStatus::{Indeterminate, NotAssessed, NotSatisfied, Satisfied};
        let cases = [
            (Status::Pass, Status::Pass, Satisfied),
            (Status::Pass, Status::Fail, NotSatisfied),
            (Status::NotEvaluated, Status::Fail, NotSatisfied),
            (Status::Pass, Status::NotEvaluated, Indeterminate),
            (Status::Pass, Status::NeedsReview, Indeterminate),
            (Status::Pass, Status::Error, Indeterminate),
            (Status::Pass, Status::NotApplicable, Satisfied),
            (Status::NotApplicable, Status::NotApplicable, NotAssessed),
        ];
        for (a, b, want) in cases {
            let results = [result("tls.a", a, false), result("tls.b", b, false)];
            assert_eq!(status(&results, "soc2:CC6.7"), want, "{a:?} {b:?}");
        }
        assert_eq!(status(&[result("tls.a", Status::Pass, false)], "soc2:CC9.2"), NotAssessed);
    }

    #[test]
    fn a_relaxed_pass_supports_nothing_and_a_relaxed_failure_counts() {
        assert_eq!(status(&[result("tls.a", Status::Pass, true)], "soc2:CC6.7"), ControlStatus::NotAssessed);
        assert_eq!(status(&[result("tls.a", Status::Fail, true)], "soc2:CC6.7"), ControlStatus::NotSatisfied);
    }

    #[test]
    fn a_waived_failure_leaves_the_control_not_satisfied() {
        let waiver = Waiver {
            id: "W-1".to_owned(),
            check: "tls.a".to_owned(),
            target: "shop".to_owned(),
            item: None,
            reason: "known".to_owned(),
            owner: "platform".to_owned(),
            approved_by: "security".to_owned(),
            created: "2026-01-01".parse().unwrap(),
            expires: "2026-12-31".parse().unwrap(),
        };
        let results = [result("tls.a", Status::Fail, false)];
        let findings = finding::track(&results, &[waiver], "2026-11-25T00:00:00Z".parse().unwrap());
        assert_eq!(findings[0].state, FindingState::Waived);
        let framework = framework();
        let controls = roll_up(&results, &findings, &[&framework]);
        let control = controls.iter().find(|entry| entry.control.id == "soc2:CC6.7").unwrap();
        assert_eq!(control.status, ControlStatus::NotSatisfied);
        assert_eq!(control.findings, [findings[0].fingerprint.clone()]);
        assert_eq!(control.coverage, Coverage { passed: 0, failed: 1, open: 0, total: 1 });
        let partly = controls.iter().find(|entry| entry.control.id == "soc2:CC6.1").unwrap();
        assert_eq!(partly.relation, Relation::Partly);
    }
}
