//! The gates that stand outside the expressions.

use super::*;
use probity::model::Severity;
use std::time::{Duration, Instant};

#[test]
fn missing_failed_and_expired_evidence_is_not_evaluated() {
    let catalogue = built_in();
    let id = "tls.protocols.legacy";
    let nothing = judge(&catalogue, id, &[]);
    assert_eq!(status(&nothing), [("", Status::NotEvaluated)]);
    assert_eq!(nothing[0].reason, "there is no observation of tls.protocols");
    let failed = judge(&catalogue, id, &[failed("tls.protocols", "")]);
    assert_eq!(status(&failed), [("", Status::NotEvaluated)]);
    assert_eq!(failed[0].reason, "no evidence of tls.protocols: no answer within 10 s (timed-out)");
    let mut old = seen("tls.protocols", "", &offered(&["TLSv1.3"]));
    old.expires = Some(noon());
    let old = judge(&catalogue, id, &[old.sealed()]);
    assert_eq!(status(&old), [("", Status::NotEvaluated)]);
    assert!(old[0].reason.contains("expired"), "{}", old[0].reason);
}

#[test]
fn results_state_check_evidence_and_both_values() {
    let observation = seen("tls.protocols", "203.0.113.7:443", &offered(&["TLSv1.0", "TLSv1.2"]));
    let results = judge(&built_in(), "tls.protocols.legacy", std::slice::from_ref(&observation));
    assert_eq!(status(&results), [("TLSv1.0", Status::Fail), ("TLSv1.2", Status::Pass)]);
    let fail = &results[0];
    assert_eq!(fail.reason, "seen TLSv1.0; expected TLSv1.2 or newer");
    assert_eq!((&fail.actual, &fail.expected), (&json!("TLSv1.0"), &json!("TLSv1.2 or newer")));
    assert_eq!((fail.target.as_str(), fail.part.as_str()), (TARGET, "203.0.113.7:443"));
    assert_eq!(fail.observations, [observation.id]);
    assert_eq!((fail.origin.as_str(), fail.severity), ("built-in", Severity::High));
    assert_eq!(fail.digest.len(), 64);
    assert!(fail.relaxed.is_empty());
}

#[test]
fn parts_are_judged_apart_and_a_look_without_part_serves_them_all() {
    let plain = json!({"looked": true, "port": 80, "answered": true, "status": 200, "location": "", "content": true});
    let observations = [
        seen("tls.protocols", "203.0.113.7:443", &offered(&["TLSv1.3"])),
        failed("tls.protocols", "203.0.113.8:443"),
        seen("http.plain", "", &plain),
    ];
    let results = judge(&built_in(), "tls.only", &observations);
    let parts: Vec<_> = results.iter().map(|result| (result.part.as_str(), result.status)).collect();
    assert_eq!(parts, [("203.0.113.7:443", Status::Fail), ("203.0.113.8:443", Status::NotEvaluated)]);
}

#[test]
fn the_latest_of_several_looks_counts_in_any_order() {
    let mut old = seen("tls.protocols", "", &offered(&["TLSv1.0"]));
    old.collected = "2026-11-24T12:00:00Z".parse().unwrap();
    let (old, new) = (old.sealed(), seen("tls.protocols", "", &offered(&["TLSv1.3"])));
    let id = "tls.protocols.legacy";
    let forwards = judge(&built_in(), id, &[old.clone(), new.clone()]);
    assert_eq!(forwards, judge(&built_in(), id, &[new, old]));
    assert_eq!(status(&forwards), [("TLSv1.3", Status::Pass)]);
}

#[test]
fn an_unknown_fact_spoils_only_what_reads_it() {
    let features = json!({
        "legacy_handshake": true, "alpn": "h2",
        "compression": {"unknown": "the server closed"}, "heartbeat": "no",
    });
    let evidence = [seen("tls.protocols", "", &offered(&["TLSv1.3"])), seen("tls.features", "", &features)];
    assert_eq!(status(&own(&[], &evidence)), [("", Status::Pass)]);
    // In CEL alone `missing || true` is true, and so is an unknown fact that differs from everything.
    for rule in
        ["tls.features.compression != 'DEFLATE'", "tls.features.compression == 'x' || tls.features.alpn == 'h2'"]
    {
        let results = own(&[("rule", rule)], &evidence);
        assert_eq!(status(&results), [("", Status::NotEvaluated)], "{rule}");
        assert_eq!(results[0].reason, "the server closed");
    }
    // A field that the evidence does not hold is no answer either, and neither is null.
    let absent = own(&[("rule", "tls.features.session_id != 'yes'")], &evidence);
    assert_eq!(status(&absent), [("", Status::NotEvaluated)]);
    let shown = own(&[("actual", "tls.features.compression")], &evidence);
    assert_eq!((shown[0].status, &shown[0].actual), (Status::Pass, &Value::Null));
    assert!(shown[0].reason.contains("the server closed"), "{}", shown[0].reason);
}

#[test]
fn unknown_members_and_items_are_not_evaluated() {
    let deployments = json!({"server_name": "a", "anchors": "m", "deployments": [
        {"id": "aa", "trust": "trusted", "trust_detail": ""},
        {"id": "bb", "trust": {"unknown": "no anchor set"}, "trust_detail": ""},
    ]});
    let results = judge(&built_in(), "tls.certificate.chain", &[seen("tls.certificates", "", &deployments)]);
    assert_eq!(status(&results), [("aa", Status::Pass), ("bb", Status::NotEvaluated)]);
    let changes =
        [("needs", "[tls.certificates]"), ("rule", "tls.certificates.deployments.exists(d, d.trust == 'trusted')")];
    let whole = own(&changes, &[seen("tls.certificates", "", &deployments)]);
    assert_eq!(status(&whole), [("", Status::NotEvaluated)]);
}

#[test]
fn an_unknown_fact_in_applies_or_each_is_not_evaluated() {
    let features = json!({"legacy_handshake": {"unknown": "no hello"}, "alpn": "h2"});
    let protocols = json!({"offered": {"unknown": "no hello"}});
    let evidence = [seen("tls.protocols", "", &protocols), seen("tls.features", "", &features)];
    let applies = ("applies", "{ when: tls.features.legacy_handshake, otherwise: never }");
    assert_eq!(status(&own(&[applies], &evidence)), [("", Status::NotEvaluated)]);
    let each = [("each", "tls.protocols.offered"), ("key", "item.name"), ("rule", "true")];
    assert_eq!(status(&own(&each, &evidence)), [("", Status::NotEvaluated)]);
}

#[test]
fn partial_evidence_proves_a_fail_and_never_a_pass() {
    let observation = partial(seen("tls.protocols", "", &offered(&["TLSv1.0", "TLSv1.3"])));
    let results = judge(&built_in(), "tls.protocols.legacy", &[observation]);
    assert_eq!(status(&results), [("TLSv1.0", Status::Fail), ("TLSv1.3", Status::NotEvaluated)]);
    assert!(results[1].reason.contains("the list was cut"), "{}", results[1].reason);
}

#[test]
fn partial_evidence_does_not_make_a_check_not_applicable() {
    let applies = ("applies", "{ when: 'size(tls.protocols.offered) > 1', otherwise: there is one }");
    let features = seen("tls.features", "", &json!({"alpn": "h2"}));
    let one = seen("tls.protocols", "", &offered(&["TLSv1.3"]));
    assert_eq!(status(&own(&[applies], &[one.clone(), features.clone()])), [("", Status::NotApplicable)]);
    assert_eq!(status(&own(&[applies], &[partial(one), features])), [("", Status::NotEvaluated)]);
}

#[test]
fn an_empty_population_is_not_evaluated_unless_the_check_says_so() {
    let evidence = [seen("tls.protocols", "", &offered(&[])), seen("tls.features", "", &json!({}))];
    let each = [("each", "tls.protocols.offered"), ("key", "item.name"), ("rule", "item.name != ''")];
    assert_eq!(status(&own(&each, &evidence)), [("", Status::NotEvaluated)]);
    let on_empty = ("on_empty", "{ status: pass, why: nothing is offered }");
    let results = own(&[each[0], each[1], each[2], on_empty], &evidence);
    assert_eq!(status(&results), [("", Status::Pass)]);
    assert_eq!(results[0].reason, "nothing is offered");
    let cut = [partial(evidence[0].clone()), evidence[1].clone()];
    assert_eq!(status(&own(&[each[0], each[1], each[2], on_empty], &cut)), [("", Status::NotEvaluated)]);
}

#[test]
fn a_broken_evaluation_is_an_error() {
    let evidence = [
        seen("tls.protocols", "", &offered(&["TLSv1.3", "TLSv1.3"])),
        seen("tls.features", "", &json!({"alpn": "h2", "legacy_handshake": "perhaps"})),
    ];
    for rule in
        ["rank(tls.features.alpn) > 0", "1 / 0 == 1", "size(tls.protocols.offered)", "tls.features.legacy_handshake"]
    {
        assert_eq!(status(&own(&[("rule", rule)], &evidence)), [("", Status::Error)], "{rule}");
    }
    let doubled = own(&[("each", "tls.protocols.offered"), ("key", "item.name"), ("rule", "true")], &evidence);
    assert_eq!(status(&doubled), [("TLSv1.3", Status::Pass), ("TLSv1.3#2", Status::Error)]);
    let severity = own(&[("severity_of", "tls.features.alpn")], &evidence);
    assert_eq!(status(&severity), [("", Status::Error)]);
}

#[test]
fn a_late_evaluation_is_an_error_and_the_others_go_on() {
    let names: Vec<String> = (0..1000).map(|n| format!("v{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let slow = "tls.protocols.offered.all(a, tls.protocols.offered.all(b, a.name != b.name + 'x'))";
    let catalogue = with(&user_check(&[("rule", slow), ("needs", "[tls.protocols]")])).unwrap();
    let engine = Engine::new(&catalogue, &Judging::default()).unwrap().with_deadline(Duration::from_millis(200));
    let evidence = [seen("tls.protocols", "", &offered(&names))];
    let started = Instant::now();
    let results = engine.judge(&Case { targets: &[endpoint()], observations: &evidence, as_of: noon() });
    assert!(started.elapsed() < Duration::from_secs(30));
    let own = results.iter().find(|result| result.check == "own.example").unwrap();
    assert_eq!(own.status, Status::Error);
    assert!(own.reason.contains("took longer"), "{}", own.reason);
    assert!(results.iter().any(|result| result.check == "tls.pfs"));
    assert!(results.iter().any(|result| result.check == "tls.protocols.modern"));
}

#[test]
fn rows_for_review_and_attestations_that_nobody_made_need_a_person() {
    let caps = json!({"letter": "A", "caps": [
        {"code": "a", "reason": "a lawyer must read it", "result": "review"},
        {"code": "b", "reason": "signed in 2025", "result": "pass"},
    ]});
    let changes =
        [("needs", "[tls.grade]"), ("each", "tls.grade.caps"), ("key", "item.code"), ("rule", "item.code == 'b'")];
    let results = own(&changes, &[seen("tls.grade", "", &caps)]);
    assert_eq!(status(&results), [("a", Status::NeedsReview), ("b", Status::Pass)]);
    assert_eq!(results[0].reason, "a lawyer must read it");
    assert_eq!(results[1].reason, "signed in 2025");
    let attestation = own(&[("kind", "attestation")], &[]);
    assert_eq!(status(&attestation), [("", Status::NeedsReview)]);
    let failed = own(&[("kind", "attestation")], &[failed("tls.protocols", ""), failed("tls.features", "")]);
    assert_eq!(status(&failed), [("", Status::NotEvaluated)]);
}

#[test]
fn otherwise_is_an_expression_where_it_is_one() {
    let evidence =
        [seen("tls.protocols", "", &offered(&["TLSv1.2"])), seen("tls.features", "", &json!({"alpn": "none"}))];
    let each = [("each", "tls.protocols.offered"), ("key", "item.name"), ("rule", "false")];
    for (otherwise, reason) in [("\"'only ' + item.name\"", "only TLSv1.2"), ("it is old", "it is old")] {
        let applies = format!("{{ when: item.name == 'TLSv1.3', otherwise: {otherwise} }}");
        let results = own(&[each[0], each[1], each[2], ("applies", &applies)], &evidence);
        assert_eq!(status(&results), [("TLSv1.2", Status::NotApplicable)]);
        assert_eq!(results[0].reason, reason);
    }
}
