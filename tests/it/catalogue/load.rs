//! Much evidence, and evidence of any form.

use super::*;
use proptest::prelude::*;
use serde_json::Map;
use std::time::{Duration, Instant};

#[test]
fn a_peer_cannot_steer_the_terminal_through_a_reason() {
    let names = json!({"server_name": "a", "anchors": "m", "deployments": [
        {"id": "aa", "name_matches": false, "leaf": {"names": ["\u{1b}[2Jevil", "x".repeat(9_000)]}},
    ]});
    let results = judge(&built_in(), "tls.certificate.hostname", &[seen("tls.certificates", "", &names)]);
    assert_eq!(results[0].status, Status::Fail);
    assert!(!results[0].reason.contains('\u{1b}') && results[0].reason.len() < 2_000);
    assert!(results[0].actual.to_string().len() < 4_000);
}

#[test]
fn a_thousand_targets_are_judged_in_seconds() {
    let catalogue = built_in();
    let engine = Engine::new(&catalogue, &Judging::default()).unwrap();
    let targets: Vec<Target> =
        (0..1000).map(|n| Target::new(format!("h{n}:443"), TargetKind::Endpoint, format!("h{n}:443"))).collect();
    let data = offered(&["TLSv1.2", "TLSv1.3"]);
    let look = |target: &Target| Observation::complete("tls.protocols", &target.id, "", "test", noon(), &data).unwrap();
    let observations: Vec<Observation> = targets.iter().map(look).collect();
    let started = Instant::now();
    let results = engine.judge(&Case { targets: &targets, observations: &observations, as_of: noon() });
    assert!(results.len() >= 1000 * 15);
    // A debug build on a busy machine is many times slower than what people run.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

/// Any JSON value, with the words that the engine looks for among the others.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,8}".prop_map(Value::from),
        Just(json!({"unknown": "why"})),
        Just(json!("TLSv1.2")),
    ];
    let names = prop_oneof![Just("name".to_owned()), Just("id".to_owned()), Just("unknown".to_owned()), "[a-z_]{1,8}"];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(names.clone(), inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// Data of the form of a kind in most places, and of any form in others.
fn any_data(kind: &str) -> impl Strategy<Value = Map<String, Value>> + use<> {
    let schema = (probity::model::kind::find(kind).unwrap().schema)();
    let names: Vec<String> = schema.as_value()["properties"].as_object().unwrap().keys().cloned().collect();
    prop::collection::btree_map(prop::sample::select(names), any_value(), 0..12)
        .prop_map(|map| map.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_evidence_makes_the_engine_panic_or_lose_a_check(
        protocols in any_data("tls.protocols"),
        suites in any_data("tls.suites"),
        certificates in any_data("tls.certificates"),
        features in any_data("tls.features"),
        groups in any_data("tls.groups"),
        dh in any_data("tls.dh"),
        grade in any_data("tls.grade"),
        plain in any_data("http.plain"),
        upgrade in any_data("tls.upgrade"),
        cut in any::<bool>(),
    ) {
        let kinds = [
            ("tls.protocols", protocols), ("tls.suites", suites), ("tls.certificates", certificates),
            ("tls.features", features), ("tls.groups", groups), ("tls.dh", dh), ("tls.grade", grade), ("http.plain", plain),
            ("tls.upgrade", upgrade),
        ];
        let observations: Vec<Observation> = kinds
            .into_iter()
            .map(|(kind, data)| seen(kind, "", &Value::Object(data)))
            .map(|observation| if cut { partial(observation) } else { observation })
            .collect();
        let engine = ENGINE.with(Clone::clone);
        let mut asked = endpoint();
        asked.connection.starttls = Some("smtp".to_owned());
        let results = engine.judge(&Case { targets: &[asked], observations: &observations, as_of: noon() });
        for id in engine.enabled() {
            let judged: Vec<&CheckResult> = results.iter().filter(|result| result.check == id).collect();
            // Policies are judged only where one was chosen.
            let expected = id.starts_with("tls.") && !id.starts_with("tls.policy");
            prop_assert!(!expected || !judged.is_empty(), "{} is lost", id);
            for result in judged {
                prop_assert!(!result.reason.contains("fault of probity"), "{}: {}", id, result.reason);
                prop_assert!(!(cut && result.status == Status::Pass), "{} passed on partial evidence", id);
            }
        }
    }
}

thread_local! {
    static ENGINE: std::rc::Rc<Engine> = std::rc::Rc::new(Engine::new(&built_in(), &Judging::default()).unwrap());
}
