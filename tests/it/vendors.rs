//! The vendor register, from the file that people write to the results of the checks.

use jiff::Timestamp;
use probity::catalogue::Catalogue;
use probity::check::{Case, Engine, derive};
use probity::collect::register::observe;
use probity::model::policy::Judging;
use probity::model::register::{Coverage, Register, Rules};
use probity::model::{CheckResult, FindingState, Observation, ObservationStatus, Status, Target, TargetKind};
use std::collections::BTreeMap;

const EXAMPLE: &str = include_str!("../vectors/register.yaml");

fn now() -> Timestamp {
    "2026-11-25T12:00:00Z".parse().unwrap()
}

fn register(text: &str) -> Register {
    match probity::yaml::read("register.yaml", text) {
        Ok(register) => register,
        Err(errors) => panic!("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

/// Everything that follows from a register: the observations, recorded and derived, and the results.
fn judge(register: Option<&Register>, judging: &Judging) -> (Vec<Observation>, Vec<CheckResult>) {
    let catalogue = Catalogue::built_in().unwrap();
    let targets = [Target::new("register", TargetKind::Register, "register.yaml")];
    let mut observations = vec![observe("register", register, now())];
    observations.extend(derive::run(&targets, &observations, judging, &catalogue, now()));
    let engine = Engine::new(&catalogue, judging).unwrap();
    let results = engine.judge(&Case { targets: &targets, observations: &observations, as_of: now() });
    (observations, results)
}

fn data<T: serde::de::DeserializeOwned>(observations: &[Observation], kind: &str) -> T {
    observations.iter().find(|observation| observation.kind == kind).unwrap().read().unwrap()
}

/// The statuses of a check's results, by item.
fn statuses<'a>(results: &'a [CheckResult], check: &str) -> BTreeMap<&'a str, Status> {
    results.iter().filter(|result| result.check == check).map(|result| (result.item.as_str(), result.status)).collect()
}

const CHECKS: [&str; 10] = [
    "vendor.coverage",
    "vendor.dpa",
    "vendor.dpa.clauses",
    "vendor.dpa.review",
    "vendor.register",
    "vendor.transfer",
    "vendor.transfer.dpf",
    "vendor.transfer.privacy_shield",
    "vendor.transfer.scc",
    "vendor.transfer.tia",
];

#[test]
fn the_example_ends_as_a_person_would_judge_it() {
    let (observations, results) = judge(Some(&register(EXAMPLE)), &Judging::default());
    assert_eq!(observations.iter().map(|seen| seen.status).collect::<Vec<_>>(), [ObservationStatus::Complete; 3]);
    assert!(results.iter().all(|result| result.status != Status::Error), "{results:#?}");
    let at = |check: &str, item: &str| statuses(&results, check).get(item).copied();
    assert_eq!(at("vendor.dpa", "aws vendor.dpa.ok"), Some(Status::Pass));
    assert_eq!(at("vendor.dpa", "aws vendor.dpa.sensitive"), Some(Status::Pass));
    assert_eq!(at("vendor.dpa.clauses", "aws vendor.dpa.clauses.unknown"), Some(Status::Pass));
    assert_eq!(at("vendor.dpa.review", "aws vendor.dpa.review.overdue"), Some(Status::Pass));
    assert_eq!(at("vendor.register", "aws vendor.register.incomplete"), Some(Status::Pass));
    for regime in ["eu", "uk", "ch"] {
        assert_eq!(at("vendor.transfer", &format!("aws vendor.transfer.ok {regime}:US")), Some(Status::Pass));
    }
    // The UK and Switzerland restrict what goes to Ireland only by their own lists, and nothing is recorded for that.
    assert_eq!(at("vendor.transfer", "aws vendor.transfer.unmapped uk:IE"), Some(Status::Fail));
    assert_eq!(at("vendor.dpa", "old-mailer vendor.dpa.one_sided"), Some(Status::Fail));
    assert_eq!(at("vendor.dpa.clauses", "old-mailer vendor.dpa.clauses.unknown"), Some(Status::NotEvaluated));
    assert_eq!(
        at("vendor.transfer.privacy_shield", "old-mailer vendor.transfer.privacy_shield eu:US"),
        Some(Status::Fail)
    );
    assert_eq!(at("vendor.transfer", "old-mailer vendor.transfer.unmapped uk:US"), Some(Status::Fail));
    assert_eq!(at("vendor.transfer.scc", "old-mailer vendor.transfer.scc"), Some(Status::NotApplicable));
    assert_eq!(at("vendor.coverage", "dpa"), Some(Status::Fail));
    let one_sided = results.iter().find(|result| result.item == "old-mailer vendor.dpa.one_sided").unwrap();
    assert_eq!(one_sided.reason, "old-mailer: signed by us on 2019-05-01, no counter-signature recorded");
    assert_eq!(one_sided.severity.word(), "high");
}

#[test]
fn the_example_is_half_covered() {
    let (observations, _) = judge(Some(&register(EXAMPLE)), &Judging::default());
    let rules: Rules = data(&observations, "vendor.rules");
    assert_eq!(rules.law_data_version, "2026-11-23");
    assert_eq!(rules.as_of.to_string(), "2026-11-25");
    assert_eq!(rules.law_notes.iter().map(|note| note.entry.as_str()).collect::<Vec<_>>(), ["eu-us-dpf"]);
    assert!(rules.policy_overrides.is_empty(), "the example repeats the defaults");
    let coverage: Coverage = data(&observations, "vendor.coverage");
    let dpa = &coverage.dimensions[0];
    assert_eq!((dpa.by_vendor.numerator, dpa.by_vendor.denominator, dpa.by_vendor.text.as_str()), (1, 2, "50.0"));
    assert_eq!(dpa.by_volume.ratio.known(), None, "one of two vendors has no estimate");
    assert_eq!(dpa.headline_sensitive.as_ref().unwrap().category, "phi");
    assert_eq!(coverage.not_judged, ["flowdown", "assurance", "exit"]);
}

#[test]
fn no_address_of_a_person_is_kept() {
    let (observations, results) = judge(Some(&register(EXAMPLE)), &Judging::default());
    let text = serde_json::to_string(&(observations, results)).unwrap();
    assert!(EXAMPLE.contains("privacy@example.net"));
    assert!(!text.contains('@'));
}

#[test]
fn a_register_that_is_absent_or_empty_passes_nothing() {
    for (register, reason) in [(None, "no vendor register was given"), (Some(Register::default()), "")] {
        let (_, results) = judge(register.as_ref(), &Judging::default());
        for check in CHECKS {
            let ends: Vec<_> = results.iter().filter(|result| result.check == check).collect();
            assert!(!ends.is_empty(), "{check}");
            for end in ends {
                assert!(matches!(end.status, Status::NotEvaluated | Status::Fail), "{check} {end:?}");
                assert!(end.reason.contains(reason), "{}", end.reason);
            }
        }
    }
}

#[test]
fn judging_twice_gives_the_same_bytes() {
    let bytes = || serde_json::to_string(&judge(Some(&register(EXAMPLE)), &Judging::default())).unwrap();
    assert_eq!(bytes(), bytes());
}

#[test]
fn limits_of_the_policy_move_the_verdict_and_are_shown() {
    let judging: Judging = serde_json::from_value(serde_json::json!({
        "policy": {"vendor": {"dpa_review_months": 3}}
    }))
    .unwrap();
    let (observations, results) = judge(Some(&register(EXAMPLE)), &judging);
    let review = statuses(&results, "vendor.dpa.review");
    assert_eq!(review["aws vendor.dpa.review.overdue"], Status::Fail);
    let rules: Rules = data(&observations, "vendor.rules");
    assert_eq!(rules.policy_overrides[0].name, "dpa_review_months");
    let judging: Judging =
        serde_json::from_value(serde_json::json!({"policy": {"vendor": {"dpa_review_month": 3}}})).unwrap();
    let (_, results) = judge(Some(&register(EXAMPLE)), &judging);
    let ours = results.iter().filter(|result| result.check.starts_with("vendor."));
    assert!(ours.clone().count() > 0);
    for result in ours {
        assert_eq!(result.status, Status::NotEvaluated, "{result:?}");
        assert!(result.reason.contains("policy.vendor has no limit of this name"), "{}", result.reason);
    }
}

#[test]
fn truth_values_are_no_answers_about_clauses() {
    let text = "vendors: [{ id: acme, dpa: { clauses: { scope: true } } }]";
    assert!(probity::yaml::read::<Register>("register.yaml", text).is_err());
    let text = "vendors: [{ id: acme, dpa: { clauses: { scope: yes, audit: \"no\" } } }]";
    assert!(probity::yaml::read::<Register>("register.yaml", text).is_ok());
}

#[test]
fn an_exception_of_the_register_covers_a_failure_and_does_not_hide_it() {
    let text = |exceptions: &str| {
        format!(
            "organisation: {{ name: A, role: [processor], exporter_regimes: [eu], country: IE, dpo: {{ required: false }} }}
vendors:
  - {{ id: mailer, name: Mailer, status: active, role: sub_processor, service: e-mail, criticality: low, owner: o,
      personal_data: true, data_categories: [contact], subject_categories: [contact],
      locations: [{{ country: IE, purpose: storage }}], dpa: {{ status: none }}{exceptions} }}
"
        )
    };
    let states = |exceptions: &str| {
        let (_, results) = judge(Some(&register(&text(exceptions))), &Judging::default());
        let none = results.into_iter().filter(|r| r.check == "vendor.dpa" && r.status == Status::Fail);
        let findings = probity::finding::track(&none.collect::<Vec<_>>(), &[], now());
        findings.into_iter().map(|finding| finding.state).collect::<Vec<_>>()
    };
    assert_eq!(states(""), [FindingState::Open]);
    let exception = |until: &str| {
        format!(", exceptions: [{{ rule: vendor.dpa.none, reason: moving away, approved_by: b, expires_on: {until} }}]")
    };
    assert_eq!(states(&exception("2099-12-31")), [FindingState::Waived]);
    assert_eq!(states(&exception("2001-12-31")), [FindingState::Open]);
}

/// The example's vendors over and over, each with an id of its own.
fn many(vendors: usize) -> String {
    let (head, list) = EXAMPLE.split_once("vendors:\n").unwrap();
    let full = list.split("  - id: ").find(|vendor| vendor.starts_with("aws")).unwrap();
    let mut text = format!("{head}vendors:\n");
    for n in 0..vendors {
        text.push_str(&format!("  - id: aws-{n}{}", full.strip_prefix("aws").unwrap()));
    }
    text
}

#[test]
fn a_register_of_two_thousand_full_vendors_is_read() {
    let scratch = crate::support::Scratch::new("vendors-many");
    let many = many(2000);
    assert!(many.len() > 4 << 20, "{} bytes", many.len());
    scratch.write("register.yaml", &many);
    let file = scratch.write("probity.yaml", "targets: []\nvendors: { file: register.yaml }\n");
    let loaded = probity::target::load(&file);
    let config =
        loaded.unwrap_or_else(|errors| panic!("{}", errors.iter().map(ToString::to_string).collect::<String>()));
    assert_eq!(config.register.unwrap().vendors.len(), 2000);
}

/// The register of a configuration whose vendors stand in a file of their own.
fn loaded(name: &str, register: &str) -> (Register, String) {
    let scratch = crate::support::Scratch::new(name);
    scratch.write("register.yaml", register);
    let file = scratch.write("probity.yaml", "targets: []\nvendors: { file: register.yaml }\n");
    let loaded = probity::target::load(&file);
    let config =
        loaded.unwrap_or_else(|errors| panic!("{}", errors.iter().map(ToString::to_string).collect::<String>()));
    let digest = config.digest;
    (config.register.unwrap(), digest)
}

const SOURCED: &str = "
organisation: { name: A, role: [controller], exporter_regimes: [eu], country: IE, dpo: { required: false } }
vendors:
  - id: mailer
    status: active
    role: { value: processor, source: document }
    personal_data: true
    data_categories: [contact]
    dpa:
      source: document
      evidence: [dpa-mailer.pdf]
      observed_on: 2026-02-03
      value:
        status: signed_by_both
        version: 2.1
        signed_on: 2025-01-12
        counter_signed_on:
          value: 2025-01-14
          source: control_plane
  - { id: plain, status: active, role: processor, personal_data: true, dpa: { status: none } }
";

#[test]
fn a_verdict_says_the_weakest_source_it_rests_on() {
    let (register, digest) = loaded("vendors-sources", SOURCED);
    let mailer = &register.vendors[0];
    let sources: Vec<_> = mailer.provenance.iter().map(|(path, it)| (path.as_str(), it.source.word())).collect();
    let expected = [("dpa", "document"), ("dpa.counter_signed_on", "control_plane"), ("role", "document")];
    assert_eq!(sources, expected);
    assert_eq!(mailer.provenance["dpa"].evidence, ["dpa-mailer.pdf"]);
    assert_eq!(mailer.dpa.as_ref().unwrap().version.as_deref(), Some("2.1"));
    assert!(register.vendors[1].provenance.is_empty());

    let (observations, results) = judge(Some(&register), &Judging::default());
    let found = results.iter().find(|result| result.item == "mailer vendor.dpa.ok").unwrap();
    assert_eq!(found.status, Status::Pass, "{found:?}");
    let rules: Rules = data(&observations, "vendor.rules");
    let row = rules.rows.iter().find(|row| row.key == "mailer vendor.dpa.ok").unwrap();
    let ending = "; rests at its weakest on attestation (data_categories, personal_data, status); also document (dpa, role), control_plane (dpa)";
    assert!(row.reason.ends_with(ending), "{}", row.reason);
    assert!(found.reason.ends_with(ending), "{}", found.reason);
    assert_eq!(row.weakest_source.map(|source| source.word()), Some("attestation"));
    let plain = rules.rows.iter().filter(|row| row.subject == "plain");
    assert!(plain.clone().count() > 0);
    for row in plain {
        assert!(row.weakest_source.is_none() && !row.reason.contains("rests"), "{row:?}");
    }

    // What a source says belongs to what was judged.
    let (_, other) = loaded("vendors-sources-other", &SOURCED.replace("2026-02-03", "2026-02-04"));
    assert_ne!(digest, other);
}

#[test]
fn a_field_with_its_source_is_judged_as_the_plain_field() {
    let plain = SOURCED
        .split("    dpa:\n")
        .next()
        .unwrap()
        .replace("{ value: processor, source: document }", "processor")
        + "    dpa: { status: signed_by_both, version: 2.1, signed_on: 2025-01-12, counter_signed_on: 2025-01-14 }\n"
        + "  - { id: plain, status: active, role: processor, personal_data: true, dpa: { status: none } }\n";
    let (plain, _) = loaded("vendors-sources-plain", &plain);
    let (mut sourced, _) = loaded("vendors-sources-same", SOURCED);
    assert_ne!(plain, sourced);
    sourced.vendors[0].provenance.clear();
    assert_eq!(plain, sourced);
}

#[test]
fn the_schema_takes_both_forms_of_a_field() {
    let validator = jsonschema::draft202012::new(&probity::target::schema()).unwrap();
    // A version without quotes is a number to a schema, in either form of the field.
    let quoted = SOURCED.replace("2.1", "\"2.1\"");
    let example: serde_json::Value = probity::yaml::read("register.yaml", &quoted).unwrap();
    let whole = |register: &serde_json::Value| serde_json::json!({ "targets": [], "vendors": register });
    let mistakes: Vec<String> = validator.iter_errors(&whole(&example)).map(|error| error.to_string()).collect();
    assert!(mistakes.is_empty(), "{mistakes:#?}");
    for (pointer, value) in [
        ("/vendors/0/role", serde_json::json!({ "value": "processor", "source": "hearsay" })),
        ("/vendors/0/role", serde_json::json!({ "value": "procesor", "source": "document" })),
        ("/vendors/0/role", serde_json::json!({ "source": "document" })),
        ("/vendors/0/role", serde_json::json!({ "value": "processor", "source": "document", "by": "me" })),
    ] {
        let mut bad = example.clone();
        *bad.pointer_mut(pointer).unwrap() = value.clone();
        assert!(!validator.is_valid(&whole(&bad)), "{value}");
    }
}
