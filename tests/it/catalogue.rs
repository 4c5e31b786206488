//! the checks as data: their form, their embedded tests, and the gates of the engine.

mod gates;
mod load;
mod refusal;

use crate::support::Scratch;
use jiff::Timestamp;
use probity::catalogue::{Catalogue, Problem, readme};
use probity::check::{self, Case, Engine};
use probity::model::policy::Judging;
use probity::model::trouble::Reason;
use probity::model::{CheckResult, Observation, Status, Target, TargetKind, Trouble};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const TARGET: &str = "shop.example:443";

fn built_in() -> Catalogue {
    Catalogue::built_in().unwrap_or_else(|problems| panic!("{}", lines(&problems)))
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn noon() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn endpoint() -> Target {
    Target::new(TARGET, TargetKind::Endpoint, TARGET)
}

fn seen(kind: &str, part: &str, data: &Value) -> Observation {
    Observation::complete(kind, TARGET, part, "test", noon(), data).unwrap()
}

fn failed(kind: &str, part: &str) -> Observation {
    let trouble = Trouble::new(Reason::TimedOut, "no answer within 10 s");
    Observation::failed(kind, TARGET, part, "test", noon(), trouble)
}

fn partial(observation: Observation) -> Observation {
    observation.partial(Trouble::new(Reason::TooLarge, "the list was cut"))
}

fn offered(names: &[&str]) -> Value {
    json!({"offered": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(), "unknown": []})
}

/// The results of one check of this catalogue.
fn judge(catalogue: &Catalogue, id: &str, observations: &[Observation]) -> Vec<CheckResult> {
    let engine =
        Engine::new(&catalogue.only(id), &Judging::default()).unwrap_or_else(|found| panic!("{}", lines(&found)));
    engine.judge(&Case { targets: &[endpoint()], observations, as_of: noon() })
}

/// A user's check over the protocols and features, with these lines put in the place of those with the same key.
fn user_check(changes: &[(&str, &str)]) -> String {
    let mut fields: Vec<(&str, String)> = [
        ("id", "own.example"),
        ("version", "1.0.0"),
        ("title", "An example of one's own"),
        ("kind", "machine"),
        ("severity", "medium"),
        ("subject", "endpoint"),
        ("needs", "[tls.protocols, tls.features]"),
        ("rule", "tls.features.alpn == 'h2'"),
        ("docs", "{ why: a, audit: b, remediation: c, does_not_establish: d }"),
    ]
    .map(|(key, value)| (key, value.to_owned()))
    .to_vec();
    fields.push((
        "tests",
        "[{name: a, expect: pass}, {name: b, expect: fail}, {name: c, expect: not-evaluated}]".to_owned(),
    ));
    for (key, value) in changes {
        match fields.iter_mut().find(|(known, _)| known == key) {
            Some(field) => field.1 = (*value).to_owned(),
            None => fields.push((key, (*value).to_owned())),
        }
    }
    fields.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

/// A catalogue with a user's check.
fn with(text: &str) -> Result<Catalogue, Vec<Problem>> {
    let folder = Scratch::new("own-checks");
    folder.write("own/example.yaml", text);
    Catalogue::with_folder(folder.path())
}

/// What the engine refuses in a check with these changes.
fn refused(changes: &[(&str, &str)]) -> Vec<Problem> {
    let catalogue = match with(&user_check(changes)) {
        Ok(catalogue) => catalogue.only("own.example"),
        Err(problems) => return problems,
    };
    Engine::new(&catalogue, &Judging::default()).err().unwrap_or_default()
}

fn own(changes: &[(&str, &str)], observations: &[Observation]) -> Vec<CheckResult> {
    let catalogue = with(&user_check(changes)).unwrap_or_else(|problems| panic!("{}", lines(&problems)));
    judge(&catalogue, "own.example", observations)
}

fn status(results: &[CheckResult]) -> Vec<(&str, Status)> {
    results.iter().map(|result| (result.item.as_str(), result.status)).collect()
}

#[test]
fn embedded_tests_of_every_check_pass() {
    let outcomes = check::test(&built_in(), None);
    let failed: Vec<String> = outcomes
        .iter()
        .filter_map(|outcome| Some(format!("{} ({}): {}", outcome.file, outcome.name, outcome.failure.as_ref()?)))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(outcomes.len() >= 3 * built_in().checks().len());
}

#[test]
fn embedded_test_that_expects_the_wrong_thing_fails() {
    let catalogue = with(&user_check(&[])).unwrap();
    let outcomes = check::test(&catalogue, Some("own.example"));
    assert_eq!(outcomes.len(), 3);
    // Without facts and trouble nothing is known: only the third expectation is met.
    assert_eq!(outcomes.iter().filter(|outcome| outcome.passed()).count(), 1);
}

#[test]
fn every_check_is_compiled_and_covers_pass_fail_and_not_evaluated() {
    let catalogue = built_in();
    assert!(catalogue.checks().len() >= 15);
    let engine = Engine::new(&catalogue, &Judging::default()).unwrap_or_else(|found| panic!("{}", lines(&found)));
    assert_eq!(engine.enabled().len(), catalogue.checks().len());
    for check in catalogue.checks().values() {
        for wanted in [Status::Pass, Status::Fail, Status::NotEvaluated] {
            assert!(check.tests.iter().any(|test| test.expect == wanted), "{} {}", check.id, wanted.word());
        }
    }
}

#[test]
fn every_file_below_checks_is_loaded() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("checks");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let shown = |path: &PathBuf| path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
    let files: Vec<String> = files.iter().map(shown).collect();
    assert_eq!(probity::catalogue::files(), files);
    let others = ["registries/", "profiles/", "controls/", "README.md"];
    let checks = files.iter().filter(|file| !others.iter().any(|other| file.starts_with(other)));
    let ids: Vec<String> = checks.map(|file| file.trim_end_matches(".yaml").replace('/', ".")).collect();
    let mut loaded: Vec<String> = built_in().checks().keys().cloned().collect();
    let mut ids = ids;
    ids.sort();
    loaded.sort();
    assert_eq!(ids, loaded);
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() { walk(&entry, files) } else { files.push(entry) }
    }
    files.sort_by_key(|path| path.to_string_lossy().into_owned());
}

#[test]
fn every_mapping_names_a_check_and_every_check_is_mapped() {
    let catalogue = built_in();
    assert_eq!(
        catalogue.frameworks().keys().map(String::as_str).collect::<Vec<_>>(),
        ["ccm", "dora", "gdpr", "hipaa", "iso27001", "nis2", "nist80053", "pci", "soc2"]
    );
    let mut missing = BTreeSet::new();
    for framework in catalogue.frameworks().values() {
        assert!(!framework.controls.is_empty() && !framework.checks.is_empty(), "{}", framework.id);
        missing.extend(framework.checks.keys().filter(|id| catalogue.check(id).is_none()));
    }
    assert!(missing.is_empty(), "mapped, yet there is no such check: {missing:?}");
    for id in catalogue.checks().keys() {
        assert!(catalogue.frameworks()["soc2"].checks.contains_key(id), "{id} is evidence for no criterion");
    }
    assert_eq!(catalogue.controls_of("tls.pfs").iter().filter(|control| *control == "soc2:CC6.7").count(), 1);
}

#[test]
fn readme_is_fresh() {
    let page = readme(&built_in(), &check::functions());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("checks/README.md");
    if std::env::var_os("PROBITY_UPDATE").is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "checks/README.md is stale: run `PROBITY_UPDATE=1 cargo test --test it readme_is_fresh`");
}

#[test]
fn form_of_a_check_is_asked() {
    let cases = [
        ("id", "Own.Example", "an id is"),
        ("id", "own.other", "is the file own/other.yaml"),
        ("id", "tls.pfs", "belongs to another check"),
        ("version", "1.0", "three numbers"),
        ("title", "''", "a title has"),
        ("title", &"x".repeat(76), "a title has"),
        ("needs", "[]", "at least one observation kind"),
        ("needs", "[tls.protocol]", "there is no observation kind `tls.protocol`"),
        ("each", "tls.protocols.offered", "`each` needs a `key`"),
        ("key", "'a'", "`key` without `each`"),
        ("docs", "{ why: '', audit: b, remediation: c, does_not_establish: d }", "`why` is empty"),
        ("tests", "[{name: a, expect: pass}, {name: b, expect: fail}]", "no test expects `not-evaluated`"),
        ("params", "{ a: { type: integer, default: x } }", "`x` is not a whole number"),
        ("params", "{ a: { type: string, enum: [b], default: c } }", "`c` is not one of b"),
        ("severity", "urgent", "urgent"),
        ("ruel", "true", "ruel"),
    ];
    for (key, value, message) in cases {
        let problems = with(&user_check(&[(key, value)])).err().unwrap_or_default();
        assert!(problems.iter().any(|problem| problem.to_string().contains(message)), "{key}: {}", lines(&problems));
    }
}

#[test]
fn a_folder_without_checks_is_refused() {
    let folder = Scratch::new("no-checks");
    let problems = Catalogue::with_folder(folder.path()).unwrap_err();
    assert!(problems[0].message.contains("holds no check"), "{}", lines(&problems));
    assert!(Catalogue::with_folder(&folder.path().join("none")).is_err());
    folder.write("own/example.yml", user_check(&[]));
    let problems = Catalogue::with_folder(folder.path()).unwrap_err();
    assert!(problems[0].message.contains("ends in `.yaml`"), "{}", lines(&problems));
}
