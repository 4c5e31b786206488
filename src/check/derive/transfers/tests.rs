//! The vectors of the specification, and what they leave open.

use super::*;
use crate::model::register::transfer::DpfStatus;
use crate::model::register::{Country, Regime};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Vector {
    id: String,
    as_of: Date,
    transfer: Transfer,
    mechanism: Mechanism,
    expect: String,
    why: Option<String>,
}

fn judge(as_of: &str, transfer: serde_json::Value, mechanism: serde_json::Value) -> Verdict {
    let law = Law::load().unwrap();
    let case = Case { law: &law, as_of: as_of.parse().unwrap(), tia_max_months: 24, human_resources: Some(false) };
    eval(&serde_json::from_value(mechanism).unwrap(), &serde_json::from_value(transfer).unwrap(), &case)
}

#[test]
fn vectors() {
    let law = Law::load().unwrap();
    let text = include_str!("../../../../tests/vectors/transfer.json");
    let vectors: Vec<Vector> = serde_json::from_str(text).unwrap();
    assert_eq!(vectors.len(), 59);
    for vector in vectors {
        let case = Case { law: &law, as_of: vector.as_of, tia_max_months: 24, human_resources: Some(false) };
        let seen = eval(&vector.mechanism, &vector.transfer, &case);
        assert_eq!((seen.standing.word(), &seen.why), (vector.expect.as_str(), &vector.why), "{}", vector.id);
    }
}

#[test]
fn absent_facts_are_unknown_and_never_valid() {
    let us = json!({"regime": "eu", "to_country": "US", "exporter_role": "c", "importer_role": "p"});
    for (mechanism, why) in [
        (json!({"type": "adequacy"}), "eu-us-dpf"),
        (json!({"type": "adequacy", "dpf_status": "active"}), "eu-us-dpf"),
        (json!({"type": "adequacy", "dpf_status": "active", "dpf_checked_on": "2026-12-01"}), "eu-us-dpf"),
        (json!({"type": "scc_2021"}), "signed_on"),
        (json!({"type": "scc"}), "type"),
    ] {
        let seen = judge("2026-11-23", us.clone(), mechanism.clone());
        assert_eq!((seen.standing, seen.why.as_deref()), (Standing::Unknown, Some(why)), "{mechanism}");
    }
    let seen = judge("2026-11-23", json!({}), json!({"type": "adequacy"}));
    assert_eq!(seen.standing, Standing::Unknown);
    let roles = json!({"regime": "eu", "to_country": "US"});
    let seen = judge("2026-11-23", roles, json!({"type": "scc_2021", "signed_on": "2022-01-01", "module": 2}));
    assert_eq!((seen.standing, seen.why.as_deref()), (Standing::Unknown, Some("roles")));
}

#[test]
fn a_listing_of_the_ended_programme_names_its_end() {
    let us = json!({"regime": "eu", "to_country": "US", "exporter_role": "p", "importer_role": "p"});
    for mechanism in [json!({"type": "adequacy", "listed": true}), json!({"type": "privacy_shield"})] {
        let seen = judge("2026-11-23", us.clone(), mechanism);
        assert_eq!((seen.standing, seen.why.as_deref()), (Standing::Invalid, Some("eu-us-privacy-shield")));
    }
}

#[test]
fn data_of_staff_needs_a_certification_that_covers_it() {
    let law = Law::load().unwrap();
    let day = "2026-11-23".parse().unwrap();
    let case = Case { law: &law, as_of: day, tia_max_months: 24, human_resources: Some(true) };
    let transfer = serde_json::from_value(json!({"regime": "eu", "to_country": "US"})).unwrap();
    for (covers, standing) in
        [(Some(true), Standing::Valid), (Some(false), Standing::Invalid), (None, Standing::Unknown)]
    {
        let mechanism = Mechanism {
            kind: "adequacy".to_owned(),
            dpf_status: Some(DpfStatus::Active),
            dpf_checked_on: Some(day),
            dpf_covers_hr: covers,
            ..Mechanism::default()
        };
        assert_eq!(eval(&mechanism, &transfer, &case).standing, standing);
    }
}

#[test]
fn eu_clauses_with_swiss_adaptations_serve_switzerland() {
    let ch = json!({"regime": "ch", "to_country": "US", "exporter_role": "c", "importer_role": "p"});
    let tia = json!({"done_on": "2026-03-01", "outcome": "adequate"});
    let mut clauses = json!({"type": "scc_2021", "signed_on": "2023-02-01", "module": 2, "tia": tia});
    assert_eq!(judge("2026-11-23", ch.clone(), clauses.clone()).why.as_deref(), Some("regime"));
    clauses["swiss_adaptations"] = json!(true);
    assert_eq!(judge("2026-11-23", ch, clauses).standing, Standing::Valid);
}

#[test]
fn measures_and_outcome_of_an_assessment_count() {
    let us = json!({"regime": "eu", "to_country": "US", "exporter_role": "c", "importer_role": "p"});
    for (tia, why) in [
        (json!({"done_on": "2026-03-01"}), "tia_outcome"),
        (json!({"outcome": "adequate"}), "tia_stale"),
        (json!({"done_on": "2026-03-01", "outcome": "supplementary"}), "tia_measures"),
        (json!({"done_on": "2027-03-01", "outcome": "adequate"}), "tia_missing"),
    ] {
        let clauses = json!({"type": "scc_2021", "signed_on": "2023-02-01", "module": 2, "tia": tia});
        let seen = judge("2026-11-23", us.clone(), clauses);
        assert_eq!((seen.standing, seen.why.as_deref()), (Standing::Conditional, Some(why)), "{tia}");
    }
}

#[test]
fn a_free_area_keeps_a_former_member_to_its_last_day() {
    let law = Law::load().unwrap();
    let gb = Country::new("GB").unwrap();
    assert!(law.is_free(Regime::Eu, &gb, "2020-12-31".parse().unwrap()));
    assert!(!law.is_free(Regime::Eu, &gb, "2021-01-01".parse().unwrap()));
    assert!(law.is_free(Regime::Eu, &Country::new("NO").unwrap(), "2026-11-23".parse().unwrap()));
}
