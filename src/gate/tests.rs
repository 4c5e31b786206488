use super::*;
use crate::control::assess;
use crate::model::assessment::{Evidence, Remedy, Run, Tool};
use crate::model::finding::Waiver;
use crate::model::policy::Judging;
use crate::model::target::{Engine, TargetKind};
use crate::model::{Observation, Reason, Target, Trouble};
use serde_json::Value;

const CHECK: &str = "tls.protocols.legacy";

fn result(check: &str, target: &str, status: Status, severity: Severity) -> CheckResult {
    CheckResult {
        check: check.to_owned(),
        version: "1.0.0".to_owned(),
        origin: "built-in".to_owned(),
        digest: String::new(),
        target: target.to_owned(),
        part: String::new(),
        item: String::new(),
        status,
        severity,
        reason: "no answer within 10 s".to_owned(),
        expected: Value::Null,
        actual: Value::Null,
        observations: Vec::new(),
        relaxed: Vec::new(),
        accepted: false,
    }
}

fn run(judging: Judging, results: Vec<CheckResult>, observations: Vec<Observation>) -> Assessment {
    let ended = "2026-11-25T10:00:00Z".parse().unwrap();
    let mut database = Target::new("main_pg", TargetKind::Database, "db:5432");
    database.engine = Some(Engine::Postgresql);
    let wanted: Vec<&str> = results.iter().map(|result| result.target.as_str()).collect();
    let mut targets = vec![Target::new("shop", TargetKind::Endpoint, "shop:443"), database];
    targets.retain(|target| wanted.contains(&target.id.as_str()));
    let run = Run {
        id: "r".to_owned(),
        started: ended,
        ended,
        trigger: "manual".to_owned(),
        principal: "tester".to_owned(),
        host: "here".to_owned(),
        tool: Tool { name: "probity".to_owned(), version: "0.1.0".to_owned() },
        organisation: None,
        config_digest: String::new(),
        interrupted: false,
    };
    let evidence = Evidence { schema: String::new(), run, targets, judging, observations };
    assess(evidence, Vec::new(), results, &[], "")
}

fn waiver() -> Waiver {
    Waiver {
        id: "W-1".to_owned(),
        check: CHECK.to_owned(),
        target: "shop".to_owned(),
        item: None,
        reason: "known".to_owned(),
        owner: "platform".to_owned(),
        approved_by: "security".to_owned(),
        created: "2026-01-01".parse().unwrap(),
        expires: "2026-12-31".parse().unwrap(),
    }
}

fn allowance(check: Option<&str>, expires: Option<&str>) -> Allowance {
    Allowance {
        target: "shop".to_owned(),
        check: check.map(str::to_owned),
        reason: "known".to_owned(),
        expires: expires.map(|date| date.parse().unwrap()),
    }
}

fn allowing(allowance: Allowance) -> Judging {
    let mut judging = Judging::default();
    judging.policy.allow_inconclusive.push(allowance);
    judging
}

#[test]
fn exit_codes_are_frozen() {
    let codes = [
        (Exit::Passed, 0),
        (Exit::Failed, 1),
        (Exit::Usage, 2),
        (Exit::Inconclusive, 3),
        (Exit::Waived, 4),
        (Exit::Tampered, 5),
        (Exit::Unsigned, 6),
        (Exit::Interrupted, 130),
    ];
    for (exit, code) in codes {
        assert_eq!(exit.code(), code, "{exit:?}");
    }
}

#[test]
fn precedence_is_failed_then_inconclusive_then_waived() {
    let pass = || result("tls.a", "shop", Status::Pass, Severity::High);
    let fail = || result(CHECK, "shop", Status::Fail, Severity::High);
    let open = || result("tls.b", "shop", Status::NotEvaluated, Severity::High);
    let waived = || Judging { waivers: vec![waiver()], ..Judging::default() };
    let code = |judging, results, waived_fail| decide(&run(judging, results, Vec::new()), waived_fail).exit;
    assert_eq!(code(Judging::default(), vec![pass()], false), 0);
    assert_eq!(code(Judging::default(), vec![pass(), fail(), open()], true), 1);
    assert_eq!(code(waived(), vec![pass(), fail(), open()], true), 3);
    assert_eq!(code(waived(), vec![pass(), fail()], true), 4);
    assert_eq!(code(waived(), vec![pass(), fail()], false), 0);
    let mut stopped = run(Judging::default(), vec![fail()], Vec::new());
    stopped.run.interrupted = true;
    assert_eq!(decide(&stopped, false).exit, 130);
}

#[test]
fn every_open_status_is_inconclusive_and_so_is_an_empty_run() {
    for status in [Status::NotEvaluated, Status::NeedsReview, Status::Error] {
        let results =
            vec![result("tls.a", "shop", Status::Pass, Severity::Low), result("tls.b", "shop", status, Severity::Info)];
        assert_eq!(decide(&run(Judging::default(), results, Vec::new()), false).exit, 3, "{status:?}");
    }
    assert_eq!(decide(&run(Judging::default(), Vec::new(), Vec::new()), false).exit, 3);
    let inapplicable = vec![result("tls.a", "shop", Status::NotApplicable, Severity::Low)];
    assert_eq!(decide(&run(Judging::default(), inapplicable, Vec::new()), false).exit, 3);
}

#[test]
fn a_failure_below_the_policys_severity_does_not_fail() {
    let results = || vec![result(CHECK, "shop", Status::Fail, Severity::Medium)];
    assert_eq!(decide(&run(Judging::default(), results(), Vec::new()), false).exit, 0);
    let mut judging = Judging::default();
    judging.policy.fail_on = Severity::Medium;
    assert_eq!(decide(&run(judging, results(), Vec::new()), false).exit, 1);
}

#[test]
fn an_allowance_accepts_what_it_names_until_its_last_day() {
    let results = || {
        vec![
            result("tls.a", "shop", Status::Pass, Severity::High),
            result("tls.b", "shop", Status::NotEvaluated, Severity::High),
        ]
    };
    let exit = |allowed| decide(&run(allowing(allowed), results(), Vec::new()), false).exit;
    assert_eq!(exit(allowance(None, None)), 0);
    assert_eq!(exit(allowance(Some("tls.b"), Some("2026-11-25"))), 0);
    assert_eq!(exit(allowance(Some("tls.b"), Some("2026-11-24"))), 3);
    assert_eq!(exit(allowance(Some("tls.other"), None)), 3);
    let expired = decide(&run(allowing(allowance(None, Some("2026-11-24"))), results(), Vec::new()), false);
    assert_eq!(expired.notes, ["the allowance for shop ended on 2026-11-24 and counts no more"]);
}

#[test]
fn an_allowance_that_nothing_needs_is_reported() {
    let results = vec![result("tls.a", "shop", Status::Pass, Severity::High)];
    let verdict = decide(&run(allowing(allowance(Some("tls.a"), None)), results, Vec::new()), false);
    assert_eq!(verdict.exit, 0);
    assert_eq!(verdict.notes, ["the allowance for tls.a at shop is not needed: nothing it names is open"]);
}

#[test]
fn min_coverage_bears_open_results_but_never_a_target_without_any() {
    let mut results: Vec<CheckResult> =
        (0..9).map(|n| result(&format!("tls.a{n}"), "shop", Status::Pass, Severity::High)).collect();
    results.push(result("tls.b", "shop", Status::NotEvaluated, Severity::High));
    let judging = |share| {
        let mut judging = Judging::default();
        judging.policy.min_coverage = share;
        judging
    };
    assert_eq!(decide(&run(judging(90), results.clone(), Vec::new()), false).exit, 0);
    let short = decide(&run(judging(91), results.clone(), Vec::new()), false);
    assert_eq!(short.exit, 3);
    assert_eq!(short.reason, "1 of 10 results could not be judged, at least 91 % of 10 are required");
    results.push(result("db.x", "main_pg", Status::NotEvaluated, Severity::Low));
    assert_eq!(decide(&run(judging(0), results, Vec::new()), false).exit, 3);
}

#[test]
fn ten_open_checks_of_one_target_are_one_cause_with_the_lines_that_accept_it() {
    let at = "2026-11-25T10:00:00Z".parse().unwrap();
    let trouble = Trouble::new(Reason::TimedOut, "no answer within 10 s");
    let seen = Observation::failed("tls.protocols", "shop", "", "tls", at, trouble);
    let results = (0..10).map(|n| result(&format!("tls.a{n}"), "shop", Status::NotEvaluated, Severity::High)).collect();
    let verdict = decide(&run(Judging::default(), results, vec![seen]), false);
    assert_eq!(verdict.causes.len(), 1);
    assert_eq!(verdict.causes[0].text, "shop: no answer within 10 s; 10 checks cannot be judged");
    let lines = "policy:\n  allow_inconclusive:\n    - target: shop\n      reason: say why this may stay open\n      \
                 expires: 2027-02-23\n";
    assert_eq!(verdict.causes[0].remedy, Remedy::Accept(lines.to_owned()));
}

#[test]
fn a_missing_right_is_answered_with_the_grant() {
    let at = "2026-11-25T10:00:00Z".parse().unwrap();
    let mut open = result("db.auth", "main_pg", Status::NotEvaluated, Severity::High);
    let denied = |detail| {
        Observation::failed("db.auth", "main_pg", "", "postgres", at, Trouble::new(Reason::PermissionDenied, detail))
    };
    let seen = denied("may not read the hashes; a superuser may");
    open.observations = vec![seen.id.clone()];
    let verdict = decide(&run(Judging::default(), vec![open.clone()], vec![seen]), false);
    // A right that nobody named is not guessed.
    assert!(matches!(verdict.causes[0].remedy, Remedy::Accept(_)), "{:?}", verdict.causes[0].remedy);
    for (detail, command) in [
        ("may not read: GRANT SELECT ON rules TO auditor;", "GRANT SELECT ON rules TO \"auditor\";"),
        (
            "may not; GRANT SELECT ON rules TO the audit role and GRANT EXECUTE ON FUNCTION rules() TO it would show it",
            "GRANT SELECT ON rules TO \"auditor\";\nGRANT EXECUTE ON FUNCTION rules() TO \"auditor\";",
        ),
    ] {
        let seen = denied(detail);
        open.observations = vec![seen.id.clone()];
        let verdict = decide(&run(Judging::default(), vec![open.clone()], vec![seen]), false);
        assert_eq!(verdict.causes[0].remedy, Remedy::Command(command.to_owned()));
    }
}

#[test]
fn a_baseline_leaves_out_what_it_knows_and_nothing_else() {
    let failed = |target, severity| result(CHECK, target, Status::Fail, severity);
    let before = run(Judging::default(), vec![failed("shop", Severity::High)], Vec::new());
    let baseline = Baseline::of("r", before.run.ended, &before.findings);
    let exit = |results| decide_against(&run(Judging::default(), results, Vec::new()), false, Some(&baseline)).exit;
    assert_eq!(exit(vec![failed("shop", Severity::High)]), 0);
    assert_eq!(exit(vec![failed("shop", Severity::Critical)]), 1, "graver than it was");
    assert_eq!(exit(vec![failed("shop", Severity::High), failed("main_pg", Severity::High)]), 1, "a new one");
    let open = result("tls.a", "shop", Status::NotEvaluated, Severity::High);
    assert_eq!(exit(vec![failed("shop", Severity::High), open]), 3, "no baseline knows what is not evaluated");
    let fixed = run(Judging::default(), vec![result(CHECK, "shop", Status::Pass, Severity::High)], Vec::new());
    let verdict = decide_against(&fixed, false, Some(&baseline));
    assert!(verdict.notes.iter().any(|note| note.contains("1 failure in it is fixed")), "{:?}", verdict.notes);
}

#[test]
fn what_was_not_judged_again_is_not_fixed() {
    let failed =
        |item: &str| CheckResult { item: item.to_owned(), ..result(CHECK, "shop", Status::Fail, Severity::High) };
    let of = |results| run(Judging::default(), results, Vec::new());
    let before = of(vec![failed("a"), failed("b")]);
    let baseline = Baseline::of("r", before.run.ended, &before.findings);
    let beside = |assessment: &Assessment| decide_against(assessment, false, Some(&baseline)).beside.unwrap();
    let sizes = |beside: &Beside| (beside.new.len(), beside.fixed.len(), beside.unsettled.len());
    assert_eq!(sizes(&beside(&before)), (0, 0, 0));
    assert_eq!(sizes(&beside(&of(vec![failed("b"), failed("c")]))), (1, 1, 0));
    let open = result(CHECK, "shop", Status::NotEvaluated, Severity::High);
    assert_eq!(sizes(&beside(&of(vec![open.clone()]))), (0, 0, 2), "nothing was seen");
    assert_eq!(sizes(&beside(&of(vec![failed("b"), open]))), (0, 0, 1), "a part was not seen");
    assert_eq!(sizes(&beside(&of(Vec::new()))), (0, 0, 2), "out of scope");
    let mut waived = of(vec![failed("a"), failed("b")]);
    waived.findings.iter_mut().for_each(|finding| finding.state = FindingState::Waived);
    let seen = beside(&waived);
    assert_eq!(sizes(&seen), (0, 0, 2), "a waived failure is still one");
    assert_eq!(decide(&before, false).beside, None, "without a baseline nothing is compared");
}
