//! What the engine refuses when it is made: paths, guards, overlays.

use super::*;
use probity::model::Severity;
use probity::model::policy::Overlay;
use std::collections::BTreeMap;

#[test]
fn a_typo_in_a_path_is_refused_with_line_and_caret() {
    let text = user_check(&[("rule", "tls.features.aplan == 'h2'")]);
    let problems = refused(&[("rule", "tls.features.aplan == 'h2'")]);
    let [problem] = problems.as_slice() else { panic!("{}", lines(&problems)) };
    assert_eq!(problem.message, "`tls.features` has no field `aplan`");
    assert_eq!(problem.help.as_deref(), Some("did you mean `alpn`?"));
    assert!(problem.file.ends_with("own/example.yaml"), "{}", problem.file);
    let line = text.lines().position(|line| line.starts_with("rule:")).unwrap() + 1;
    assert_eq!(problem.line as usize, line);
    assert_eq!(problem.column as usize, "rule: tls.features.".len() + 1);
    assert_eq!(&problem.source[problem.span.clone().unwrap()], "aplan");
}

#[test]
fn a_typo_is_found_in_folded_and_quoted_expressions() {
    for rule in
        [">-\n  tls.features.alpn == 'h2'\n  && tls.features.hartbeat == 'no'", "\"tls.features.hartbeat == 'no'\""]
    {
        let problems = refused(&[("rule", rule)]);
        let [problem] = problems.as_slice() else { panic!("{}", lines(&problems)) };
        assert_eq!(&problem.source[problem.span.clone().unwrap()], "hartbeat");
    }
}

#[test]
fn a_typo_within_a_loop_or_an_item_is_refused() {
    let cases = [
        ("tls.protocols.offered.all(one, one.nam == 'x')", "`tls.protocols.offered[]` has no field `nam`"),
        ("tls.protocols.offered.filter(x, x.name != '').exists(y, y.nme == '')", "has no field `nme`"),
        ("tls.protocols.offered.map(x, {'a': x.name}).all(y, y.b == '')", "has no field `b`"),
        ("(tls.protocols.offered + tls.protocols.proofs).all(y, y.b == '')", "has no field `b`"),
        ("tls.protocols.offered.name == ''", "`tls.protocols.offered` has no field `name`"),
        ("tls.features.alpn.unknown == ''", "`tls.features.alpn` has no field `unknown`"),
    ];
    for (rule, message) in cases {
        let problems = refused(&[("rule", &format!("\"{rule}\""))]);
        assert!(problems.len() == 1 && problems[0].message.contains(message), "{rule}: {}", lines(&problems));
    }
    let problems =
        refused(&[("each", "tls.protocols.offered"), ("key", "item.name"), ("rule", "item.naem == 'TLSv1.3'")]);
    assert!(problems.len() == 1 && problems[0].message.contains("`item` has no field `naem`"), "{}", lines(&problems));
}

#[test]
fn each_guard_refuses() {
    let deep = format!("{}true{}", "(".repeat(17), ")".repeat(17));
    let choices = "true ? ".repeat(17) + "true" + &" : true".repeat(17);
    let long = format!("tls.features.alpn == '{}'", "x".repeat(5_000));
    let cases = [
        (long.as_str(), "at most 4096 bytes"),
        (&deep, "at most 16 levels"),
        (&choices, "at most 16 levels"),
        (
            "tls.protocols.offered.all(a, tls.protocols.offered.all(b, tls.protocols.offered.all(c, true)))",
            "at most 2 of",
        ),
        ("frobnicate(tls.features.alpn)", "unknown function `frobnicate`"),
        ("tls.features.alpn.matches('h.*')", "unknown function `matches`"),
        ("has(tls.features.alpn)", "`has()`"),
        ("tls.protocols.offered[size(tls.protocols.refused)].name == ''", "a computed index"),
        ("tls.protocols[tls.features.alpn] == ''", "a computed index"),
        ("tls.suites.suites.all(s, s.pfs)", "`tls.suites` is not in `needs`"),
        ("unheard.of == 1", "unknown name `unheard.of`"),
        ("item.name == ''", "there is no `item` here"),
        ("params.oldest == ''", "unknown parameter `oldest`"),
        ("params == ''", "`params.NAME`"),
        ("tls.features.alpn ==", "does not parse"),
        ("tls.features.alpn == 'a\\n'", "a backslash"),
        ("tls.features.alpn.all(x, true)", "only a list can be gone over"),
        ("b'abc' == b'abc'", "this form of value"),
        ("tls.features.?alpn == 'h2'", "does not parse"),
    ];
    for (rule, message) in cases {
        let quoted = format!("\"{}\"", rule.replace('\\', "\\\\").replace('"', "\\\""));
        let problems = refused(&[("rule", &quoted)]);
        assert!(problems.len() == 1 && problems[0].message.contains(message), "{rule}: {}", lines(&problems));
        assert!(problems[0].line > 0, "{rule}: no place");
    }
    let problems = refused(&[("each", "tls.features.alpn"), ("key", "'a'")]);
    assert!(problems.iter().any(|problem| problem.message.contains("`each` gives no list")), "{}", lines(&problems));
}

#[test]
fn a_wide_expression_is_refused_rather_than_overflowing_the_stack() {
    let chain = format!("tls.features{}", ".a".repeat(1_900));
    let sum = format!("1{} == 0", "+1".repeat(2_000));
    let not = format!("{}true", "!".repeat(4_000));
    let minus = format!("{}1 == 1", "- ".repeat(2_000));
    for rule in [chain, sum, not, minus] {
        let problems = refused(&[("rule", &format!("\"{rule}\""))]);
        assert!(problems.len() <= 1, "{}", lines(&problems));
    }
}

fn overlay(id: &str, overlay: Overlay) -> Judging {
    Judging { checks: BTreeMap::from([(id.to_owned(), overlay)]), ..Judging::default() }
}

#[test]
fn overlays_change_severity_and_parameters_and_show_relaxations() {
    let catalogue = built_in();
    let params = BTreeMap::from([("oldest".to_owned(), json!("TLSv1.0"))]);
    let judging =
        overlay("tls.protocols.legacy", Overlay { params, severity: Some(Severity::Low), ..Overlay::default() });
    let engine = Engine::new(&catalogue.only("tls.protocols.legacy"), &judging).unwrap();
    let evidence = [seen("tls.protocols", "", &offered(&["TLSv1.0"]))];
    let results = engine.judge(&Case { targets: &[endpoint()], observations: &evidence, as_of: noon() });
    assert_eq!(status(&results), [("TLSv1.0", Status::Pass)]);
    assert_eq!(results[0].severity, Severity::Low);
    assert_eq!(results[0].relaxed, ["oldest: \"TLSv1.0\" instead of \"TLSv1.2\""]);
}

#[test]
fn overlays_of_what_there_is_not_are_refused() {
    let catalogue = built_in();
    let params =
        |name: &str, value: Value| Overlay { params: BTreeMap::from([(name.to_owned(), value)]), ..Overlay::default() };
    let cases = [
        ("tls.protocols.legcy", Overlay::default(), "there is no check"),
        ("tls.protocols.legacy", params("newest", json!("TLSv1.3")), "has no parameter"),
        ("tls.protocols.legacy", params("oldest", json!(12)), "is not a text"),
        ("tls.protocols.legacy", params("oldest", json!("TLSv2.0")), "is not one of"),
        ("tls.protocols.legacy", Overlay { enabled: Some(false), ..Overlay::default() }, "without a reason"),
    ];
    for (id, change, message) in cases {
        let problems = Engine::new(&catalogue, &overlay(id, change)).err().unwrap_or_default();
        assert!(problems.len() == 1 && problems[0].message.contains(message), "{id}: {}", lines(&problems));
    }
    let off = Overlay { enabled: Some(false), reason: Some("not ours".to_owned()), ..Overlay::default() };
    let engine = Engine::new(&catalogue, &overlay("tls.pfs", off)).unwrap();
    assert!(!engine.enabled().contains(&"tls.pfs"));
    assert_eq!(engine.disabled()["tls.pfs"], "not ours");
}
