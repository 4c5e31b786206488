//! Every rule once broken, once held, once unknown, and the vectors of the specification.

use super::*;
use crate::check::derive::table;
use crate::model::register::{Outcome, Register};
use serde_json::json;

fn law() -> Law {
    Law::load().unwrap()
}

fn defaults() -> VendorPolicy {
    table::read("profiles/vendor.yaml").unwrap()
}

fn judged(register: Value, as_of: &str) -> Vec<Row> {
    let register: Register = serde_json::from_value(register).unwrap();
    let (law, policy) = (law(), defaults());
    let as_of = as_of.parse().unwrap();
    let situation = Situation { law: &law, policy: &policy, organisation: &register.organisation, as_of };
    let (rows, _) = judge(&register, &situation);
    let keys: BTreeSet<_> = rows.iter().map(|row| &row.key).collect();
    assert_eq!(keys.len(), rows.len(), "keys are unique");
    rows
}

/// One vendor of a processor under all three regimes, with these fields beside the usual ones.
fn vendor(fields: Value) -> Value {
    let mut vendor = json!({
        "id": "acme", "name": "Acme", "status": "active", "role": "sub_processor", "personal_data": true,
        "data_categories": ["contact"], "subject_categories": ["customer"], "criticality": "high",
        "locations": [{"country": "DE", "purpose": "storage"}]
    });
    for (name, value) in fields.as_object().unwrap() {
        vendor[name] = value.clone();
    }
    json!({"organisation": {"exporter_regimes": ["eu"]}, "vendors": [vendor]})
}

/// How a rule ended for a register of one vendor; nothing where it was not asked.
fn end(register: &Value, as_of: &str, rule: &str) -> Option<(Outcome, Severity)> {
    let rows = judged(register.clone(), as_of);
    let row = rows.iter().find(|row| row.rule == rule)?;
    Some((row.result, row.severity))
}

fn assert_end(fields: Value, rule: &str, want: Option<(Outcome, Severity)>) {
    let register = vendor(fields.clone());
    assert_eq!(end(&register, "2026-11-23", rule), want, "{rule} of {fields}");
}

fn signed(fields: Value) -> Value {
    let mut dpa = json!({
        "status": "signed_by_both", "signed_on": "2025-01-10", "counter_signed_on": "2025-01-12",
        "last_reviewed_on": "2026-01-12", "document_evidence": "sha256:00", "clauses": {}
    });
    for (name, value) in fields.as_object().unwrap() {
        dpa[name] = value.clone();
    }
    json!({ "dpa": dpa })
}

use Outcome::{Fail, Info, NotApplicable, Pass, Unknown, Warn};
use Severity::{Critical, High, Low, Medium};

#[test]
fn vectors_of_the_specification() {
    let text = include_str!("../../../../tests/vectors/vendor.json");
    let vectors: Vec<Value> = serde_json::from_str(text).unwrap();
    let mut asserted = 0;
    for vector in vectors.iter().filter(|vector| vector.get("vendor").is_some()) {
        let register = json!({
            "organisation": vector.get("organisation").cloned().unwrap_or(json!({})),
            "vendors": [vector["vendor"]]
        });
        for want in vector["expect"].as_array().unwrap() {
            let rule = want["rule"].as_str().unwrap();
            if judgement::check_of(rule).is_empty() {
                continue;
            }
            asserted += 1;
            let (outcome, severity) = end(&register, vector["as_of"].as_str().unwrap(), rule).unwrap();
            assert_eq!(outcome.word(), want["result"], "{} {rule}", vector["id"]);
            if let Some(wanted) = want.get("severity") {
                assert_eq!(severity.word(), wanted, "{} {rule}", vector["id"]);
            }
        }
    }
    assert_eq!(asserted, 16, "every vector of a rule that is judged");
}

#[test]
fn an_absent_agreement_fails_only_where_someone_has_looked() {
    assert_end(json!({}), "vendor.dpa.missing", Some((Unknown, Critical)));
    let reviewed = json!({"security_review": {"last_on": "2026-01-01", "outcome": "accepted"}});
    assert_end(reviewed, "vendor.dpa.missing", Some((Fail, Critical)));
    assert_end(signed(json!({})), "vendor.dpa.missing", Some((Pass, Critical)));
}

#[test]
fn execution_needs_its_dates() {
    assert_end(signed(json!({})), "vendor.dpa.ok", Some((Pass, Critical)));
    assert_end(signed(json!({"counter_signed_on": null})), "vendor.dpa.ok", Some((Unknown, Critical)));
    assert_end(signed(json!({"status": null})), "vendor.dpa.ok", Some((Unknown, Critical)));
    assert_end(signed(json!({"effective_on": "2027-01-01"})), "vendor.dpa.future", Some((Fail, High)));
    assert_end(signed(json!({"effective_on": "2027-01-01"})), "vendor.dpa.ok", None);
    assert_end(signed(json!({"expires_on": "2026-11-22"})), "vendor.dpa.ok", None);
    assert_end(signed(json!({"status": "sent"})), "vendor.dpa.unsigned", Some((Fail, Critical)));
}

#[test]
fn notice_of_an_end_starts_on_its_day() {
    assert_end(signed(json!({"expires_on": "2027-01-22"})), "vendor.dpa.expiring", Some((Warn, Medium)));
    assert_end(signed(json!({"expires_on": "2027-01-23"})), "vendor.dpa.expiring", Some((Pass, Medium)));
    assert_end(signed(json!({})), "vendor.dpa.expiring", None);
}

#[test]
fn documents_clauses_and_reviews() {
    assert_end(signed(json!({"document_evidence": null})), "vendor.dpa.undocumented", Some((Warn, Medium)));
    assert_end(signed(json!({})), "vendor.dpa.undocumented", Some((Pass, Medium)));
    let all: serde_json::Map<_, _> =
        crate::model::register::Clause::ALL.iter().map(|clause| (clause.word().to_owned(), json!("yes"))).collect();
    assert_end(signed(json!({"clauses": all})), "vendor.dpa.clauses.missing", Some((Pass, High)));
    assert_end(signed(json!({"clauses": all})), "vendor.dpa.clauses.unknown", Some((Pass, High)));
    let mut most = all.clone();
    most.insert("audit".to_owned(), json!("no"));
    assert_end(signed(json!({"clauses": most})), "vendor.dpa.clauses.missing", Some((Fail, High)));
    most.remove("audit");
    assert_end(signed(json!({"clauses": most})), "vendor.dpa.clauses.missing", None);
    assert_end(signed(json!({"clauses": most})), "vendor.dpa.clauses.unknown", Some((Unknown, High)));
    let later = json!({"last_reviewed_on": "2027-01-12"});
    assert_end(signed(later), "vendor.dpa.review.overdue", Some((Fail, Medium)));
    let open = json!({"dpa": {"status": "draft"}});
    assert_end(open, "vendor.dpa.review.overdue", Some((NotApplicable, Medium)));
}

#[test]
fn grave_data_needs_security_terms() {
    let mut fields = signed(json!({"clauses": {"security": "yes"}}));
    assert_end(fields.clone(), "vendor.dpa.sensitive", Some((NotApplicable, High)));
    fields["data_categories"] = json!(["special.health"]);
    assert_end(fields.clone(), "vendor.dpa.sensitive", Some((Pass, High)));
    fields["dpa"]["clauses"] = json!({});
    assert_end(fields.clone(), "vendor.dpa.sensitive", Some((Fail, High)));
    fields["data_categories"] = json!(null);
    assert_end(fields, "vendor.dpa.sensitive", Some((Unknown, High)));
}

#[test]
fn roles_decide_which_rules_concern_a_vendor() {
    let mut fields = signed(json!({}));
    fields["role"] = json!("controller");
    assert_end(fields.clone(), "vendor.dpa.controller_terms", Some((Warn, Low)));
    assert_end(fields.clone(), "vendor.dpa.ok", None);
    fields["role"] = json!("none");
    assert_end(fields.clone(), "vendor.dpa.role_none", Some((Fail, Medium)));
    fields["personal_data"] = json!(false);
    fields["data_categories"] = json!([]);
    assert_end(fields.clone(), "vendor.dpa.role_none", Some((Pass, Medium)));
    fields["personal_data"] = json!(null);
    assert_end(fields.clone(), "vendor.dpa.role_none", Some((Unknown, Medium)));
    fields["role"] = json!(null);
    assert_end(fields.clone(), "vendor.dpa", Some((Unknown, Severity::Info)));
    fields["status"] = json!("terminated");
    assert_end(fields.clone(), "vendor.dpa", Some((NotApplicable, Severity::Info)));
    let before = vendor(signed(json!({})));
    assert_eq!(end(&before, "2018-05-24", "vendor.dpa").unwrap().0, NotApplicable);
    assert_eq!(end(&before, "2018-05-24", "vendor.transfer").unwrap().0, NotApplicable);
}

fn to_us(mechanisms: Value) -> Value {
    json!({
        "locations": [{"country": "US", "purpose": "storage"}],
        "transfers": [{"regime": "eu", "from_country": "IE", "to_country": "US",
            "exporter_role": "p", "importer_role": "p", "mechanisms": mechanisms}]
    })
}

fn clauses(fields: Value) -> Value {
    let mut clauses = json!({"type": "scc_2021", "signed_on": "2023-02-01", "module": 3,
        "tia": {"done_on": "2026-03-01", "outcome": "adequate"}});
    for (name, value) in fields.as_object().unwrap() {
        clauses[name] = value.clone();
    }
    clauses
}

#[test]
fn a_place_outside_needs_an_entry() {
    let us = json!([{"country": "US", "purpose": "support"}]);
    assert_end(json!({"locations": us}), "vendor.transfer.unmapped", Some((Fail, High)));
    assert_end(json!({"locations": us, "transfers": [{}]}), "vendor.transfer.unmapped", Some((Unknown, High)));
    assert_end(to_us(json!([clauses(json!({}))])), "vendor.transfer.unmapped", Some((Pass, High)));
    assert_end(json!({"locations": null}), "vendor.transfer.unmapped", Some((Unknown, High)));
    assert_end(json!({"locations": null}), "vendor.transfer.scc", Some((Unknown, Severity::Info)));
    assert_end(json!({}), "vendor.transfer", Some((NotApplicable, Severity::Info)));
    let onward = json!({"onward_transfers": [{"country": "IN", "to": "a desk"}]});
    assert_end(onward, "vendor.transfer.unmapped", Some((Fail, High)));
    let mut register = vendor(to_us(json!([clauses(json!({}))])));
    register["organisation"] = json!({});
    assert_eq!(end(&register, "2026-11-23", "vendor.transfer").unwrap().0, Unknown);
}

#[test]
fn a_transfer_rests_on_something() {
    assert_end(to_us(json!([])), "vendor.transfer.none", Some((Fail, Critical)));
    assert_end(to_us(json!(null)), "vendor.transfer.ok", Some((Unknown, Critical)));
    assert_end(to_us(json!([clauses(json!({}))])), "vendor.transfer.ok", Some((Pass, Critical)));
    assert_end(
        to_us(json!([{"type": "bcr_p", "signed_on": "2023-01-01"}])),
        "vendor.transfer.ok",
        Some((Fail, Critical)),
    );
    assert_end(to_us(json!([{"type": "handshake"}])), "vendor.transfer.ok", Some((Unknown, Critical)));
}

#[test]
fn void_frameworks_are_named() {
    let listed = to_us(json!([{"type": "adequacy", "listed": true}]));
    assert_end(listed.clone(), "vendor.transfer.privacy_shield", Some((Fail, Critical)));
    assert_end(listed.clone(), "vendor.transfer.ok", Some((Fail, Critical)));
    assert_eq!(end(&vendor(listed), "2020-07-15", "vendor.transfer.privacy_shield"), Some((Pass, Critical)));
    let harbour = to_us(json!([{"type": "safe_harbour"}]));
    assert_end(harbour.clone(), "vendor.transfer.safe_harbour", Some((Fail, Critical)));
    assert_end(harbour, "vendor.transfer.privacy_shield", Some((Pass, Critical)));
    // Where clauses carry the transfer, the old certificate is only worth knowing.
    let both = to_us(json!([{"type": "adequacy", "listed": true}, clauses(json!({}))]));
    let rows = judged(vendor(both), "2026-11-23");
    let shield: Vec<_> = rows.iter().filter(|row| row.rule == "vendor.transfer.privacy_shield").collect();
    assert_eq!(shield.iter().map(|row| row.result).collect::<Vec<_>>(), [Info, Pass]);
}

#[test]
fn clause_sets_have_their_time_and_module() {
    let old = json!({"type": "scc_2010", "signed_on": "2019-05-01", "processing_unchanged": true});
    let mut fields = to_us(json!([old]));
    fields["transfers"][0]["exporter_role"] = json!("c");
    let register = vendor(fields.clone());
    assert_eq!(end(&register, "2022-06-01", "vendor.transfer.scc.legacy_aging"), Some((Warn, High)));
    assert_eq!(end(&register, "2022-06-01", "vendor.transfer.ok"), Some((Pass, Critical)));
    assert_eq!(end(&register, "2022-12-28", "vendor.transfer.scc.legacy_expired"), Some((Fail, Critical)));
    fields["transfers"][0]["mechanisms"][0]["signed_on"] = json!("2021-09-27");
    assert_eq!(end(&vendor(fields), "2022-06-01", "vendor.transfer.scc.legacy_new"), Some((Fail, Critical)));
    assert_end(to_us(json!([clauses(json!({}))])), "vendor.transfer.scc.module", Some((Pass, High)));
    assert_end(to_us(json!([clauses(json!({"module": 2}))])), "vendor.transfer.scc.module", Some((Fail, High)));
    assert_end(to_us(json!([clauses(json!({"module": 2}))])), "vendor.transfer.ok", Some((Fail, High)));
    let in_scope = clauses(json!({"importer_subject_to": ["gdpr_3_2"]}));
    assert_end(to_us(json!([in_scope])), "vendor.transfer.scc.importer_in_scope", Some((Warn, Low)));
}

#[test]
fn assessments_are_there_and_fresh() {
    assert_end(to_us(json!([clauses(json!({"tia": null}))])), "vendor.transfer.tia.missing", Some((Fail, High)));
    let old = clauses(json!({"tia": {"done_on": "2024-11-23", "outcome": "adequate"}}));
    assert_end(to_us(json!([old])), "vendor.transfer.tia.stale", Some((Warn, Medium)));
    let undated = clauses(json!({"tia": {"outcome": "adequate"}}));
    assert_end(to_us(json!([undated])), "vendor.transfer.tia.stale", Some((Unknown, Medium)));
    assert_end(to_us(json!([clauses(json!({}))])), "vendor.transfer.tia.stale", Some((Pass, Medium)));
    let refused = clauses(json!({"tia": {"done_on": "2026-03-01", "outcome": "not_adequate"}}));
    assert_end(to_us(json!([refused])), "vendor.transfer.ok", Some((Fail, Critical)));
}

#[test]
fn the_framework_of_today_is_checked() {
    let dpf = |fields: Value| {
        let mut dpf = json!({"type": "adequacy", "dpf_status": "active", "dpf_checked_on": "2026-10-01"});
        dpf.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        to_us(json!([dpf]))
    };
    assert_end(dpf(json!({})), "vendor.transfer.dpf", Some((Pass, Critical)));
    assert_end(dpf(json!({})), "vendor.transfer.dpf_fallback", Some((Info, Severity::Info)));
    let mut nobody = dpf(json!({}));
    nobody["subject_categories"] = json!(null);
    assert_end(nobody, "vendor.transfer.dpf", Some((Unknown, Critical)));
    assert_end(dpf(json!({"dpf_status": "withdrawn"})), "vendor.transfer.dpf", Some((Fail, Critical)));
    let stale = dpf(json!({"dpf_checked_on": "2025-11-23"}));
    assert_end(stale.clone(), "vendor.transfer.dpf_unchecked", Some((Unknown, High)));
    assert_end(stale, "vendor.transfer.dpf", Some((Unknown, Critical)));
}

#[test]
fn other_regimes_ask_for_their_own_tools() {
    let under = |regime: &str, mechanism: Value| {
        let mut fields = to_us(json!([mechanism]));
        fields["transfers"][0]["regime"] = json!(regime);
        let mut register = vendor(fields);
        register["organisation"]["exporter_regimes"] = json!([regime]);
        register
    };
    let day = "2026-11-23";
    assert_eq!(end(&under("uk", clauses(json!({}))), day, "vendor.transfer.uk"), Some((Fail, Critical)));
    assert_eq!(end(&under("ch", clauses(json!({}))), day, "vendor.transfer.ch"), Some((Fail, High)));
    let adapted = clauses(json!({"swiss_adaptations": true}));
    assert_eq!(end(&under("ch", adapted), day, "vendor.transfer.ok"), Some((Pass, Critical)));
}

#[test]
fn endings_and_derogations_are_warned_of() {
    let mut fields = to_us(json!([{"type": "adequacy"}]));
    fields["locations"][0]["country"] = json!("GB");
    fields["transfers"][0]["to_country"] = json!("GB");
    let register = vendor(fields);
    assert_eq!(end(&register, "2026-11-23", "vendor.transfer.adequacy_ending"), Some((Pass, Medium)));
    assert_eq!(end(&register, "2031-07-01", "vendor.transfer.adequacy_ending"), Some((Warn, Medium)));
    let rare = json!({"type": "derogation_49", "signed_on": "2025-01-01", "derogation_ground": "49(1)(b)"});
    assert_end(to_us(json!([rare])), "vendor.transfer.derogation", Some((Warn, High)));
    assert_end(to_us(json!([rare])), "vendor.transfer.ok", Some((Warn, High)));
}

#[test]
fn an_exception_accepts_and_still_lists() {
    let exception =
        |last: &str| json!([{"rule": "vendor.dpa.none", "reason": "pilot", "approved_by": true, "expires_on": last}]);
    let fields = |last: &str| json!({"dpa": {"status": "none"}, "exceptions": exception(last)});
    let find = |fields: Value, rule: &str| {
        judged(vendor(fields), "2026-11-23").into_iter().find(|row| row.rule == rule).unwrap()
    };
    let row = find(fields("2026-11-23"), "vendor.dpa.none");
    assert_eq!((row.result, row.accepted, row.holds.known()), (Fail, true, Some(&false)));
    assert!(row.reason.contains("until 2026-11-23"));
    let row = find(fields("2026-11-22"), "vendor.dpa.none");
    assert_eq!((row.result, row.accepted), (Fail, false));
    assert_end(fields("2026-11-22"), "vendor.register.exception_expired", Some((Fail, Medium)));
    assert_end(fields("2026-11-23"), "vendor.register.exception_expired", Some((Pass, Medium)));
    let mut unapproved = fields("2026-11-23");
    unapproved["exceptions"][0]["approved_by"] = json!("");
    assert!(!find(unapproved, "vendor.dpa.none").accepted);
}

#[test]
fn incomplete_entries_list_their_fields() {
    let rows = judged(json!({"vendors": [{"id": "acme"}]}), "2026-11-23");
    let rows: Vec<_> = rows.iter().filter(|row| row.rule == "vendor.register.incomplete").collect();
    assert_eq!(rows.iter().map(|row| row.result).collect::<Vec<_>>(), [Fail, Fail]);
    assert!(rows[0].reason.contains("exporter_regimes"));
    assert!(
        rows[1].reason.ends_with("name, status, role, service, criticality, owner, personal_data"),
        "{}",
        rows[1].reason
    );
    let none = judged(json!({}), "2026-11-23");
    assert_eq!(none.iter().map(|row| row.result).collect::<Vec<_>>(), [Fail, Unknown]);
}

#[test]
fn shared_ids_and_domains_are_named() {
    let one = |id: &str, domains: Value| json!({"id": id, "domains": domains});
    let register = json!({"vendors": [
        one("acme", json!(["acme.example", "acme.example"])), one("acme", json!([])), one("apex", json!(["ACME.example."])),
        one("alone", json!(["alone.example"]))
    ]});
    let rows = judged(register, "2026-11-23");
    let seen: Vec<_> = rows.iter().filter(|row| row.rule == "vendor.register.duplicate").collect();
    assert_eq!(seen.iter().map(|row| row.subject.as_str()).collect::<Vec<_>>(), ["acme", "acme#2", "apex", "alone"]);
    assert_eq!(seen.iter().map(|row| row.result).collect::<Vec<_>>(), [Fail, Fail, Fail, Pass]);
    assert_eq!(seen[2].reason, "apex: shares a domain with acme");
}

#[test]
fn limits_that_differ_are_shown_and_wrong_ones_refused() {
    let register: Register =
        serde_json::from_value(json!({"policy": {"vendor": {"dpa_review_months": 6, "tia_max_months": 24}}})).unwrap();
    let configured: BTreeMap<String, Value> =
        [("dpa_review_months".to_owned(), json!(18)), ("security_review_months".to_owned(), json!({"low": 24}))].into();
    let (limits, overrides) = policy(&register, &configured).unwrap();
    assert_eq!((limits.dpa_review_months, limits.security_review_months.low), (18, 24));
    assert_eq!(limits.security_review_months.high, 12);
    let names: Vec<_> = overrides.iter().map(|limit| limit.name.as_str()).collect();
    assert_eq!(names, ["dpa_review_months", "security_review_months"]);
    for (name, value) in [("dpa_month", json!(1)), ("tia_max_months", json!("two")), ("tia_max_months", json!(-1))] {
        assert!(policy(&register, &[(name.to_owned(), value)].into()).is_err(), "{name}");
    }
}

#[test]
fn thousands_of_vendors_take_linear_time_and_give_the_same_bytes() {
    let make = |count: usize| -> Register {
        let mut template = vendor(to_us(json!([clauses(json!({})), {"type": "adequacy", "listed": true}])));
        template["vendors"][0]["domains"] = json!(["shared.example"]);
        let one: Register = serde_json::from_value(template).unwrap();
        let vendors = vec![one.vendors[0].clone(); count];
        Register { vendors, ..one }
    };
    let (law, policy) = (law(), defaults());
    let run = |register: &Register| {
        let as_of = "2026-11-23".parse().unwrap();
        let situation = Situation { law: &law, policy: &policy, organisation: &register.organisation, as_of };
        let start = std::time::Instant::now();
        let rows = judge(register, &situation).0;
        (start.elapsed(), rows)
    };
    let (large, small) = (make(5_000), make(500));
    let (_, warm) = run(&small);
    let (few, _) = run(&small);
    let (many, rows) = run(&large);
    assert_eq!(rows.len() - 1, (warm.len() - 1) * 10);
    // Ten times the vendors; quadratic work would take a hundred times as long.
    assert!(many < few * 50 + std::time::Duration::from_millis(200), "{few:?} {many:?}");
    let bytes = |rows: &[Row]| serde_json::to_string(rows).unwrap();
    assert_eq!(bytes(&run(&small).1), bytes(&warm));
}

/// Every path of a value: names of fields and numbers of members.
fn paths(value: &Value) -> Vec<String> {
    let below = |step: String, value: &Value| {
        let deeper = paths(value).into_iter().map(|path| format!("{step}{path}")).collect::<Vec<_>>();
        std::iter::once(step.clone()).chain(deeper).collect::<Vec<_>>()
    };
    match value {
        Value::Object(map) => map.iter().flat_map(|(name, value)| below(format!("/{name}"), value)).collect(),
        Value::Array(list) => list.iter().enumerate().flat_map(|(n, value)| below(format!("/{n}"), value)).collect(),
        _ => Vec::new(),
    }
}

fn filled(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, filled(value))).collect()
        }
        Value::Array(list) => list.into_iter().map(filled).collect(),
        other => other,
    }
}

fn without(value: &Value, path: &str) -> Value {
    let mut value = value.clone();
    let (parent, last) = path.rsplit_once('/').unwrap();
    match value.pointer_mut(parent) {
        Some(Value::Object(map)) => drop(map.remove(last)),
        Some(Value::Array(list)) => drop(list.remove(last.parse().unwrap())),
        other => panic!("{other:?}"),
    }
    value
}

/// What coverage of agreements and transfers does not rest on in the example: fields of other rules, members whose
/// loss only narrows what is asked, and the two mechanisms of which either carries the transfer.
const IDLE: &[&str] = &[
    "/organisation/exporter_regimes/",
    "/vendors/0/breach_notice_hours",
    "/vendors/0/certifications",
    "/vendors/0/contacts",
    "/vendors/0/criticality",
    "/vendors/0/data_categories/",
    "/vendors/0/domains",
    "/vendors/0/dpa/authorisation",
    "/vendors/0/dpa/terms_version",
    "/vendors/0/exceptions",
    "/vendors/0/exit",
    "/vendors/0/locations/0/purpose",
    "/vendors/0/name",
    "/vendors/0/notes",
    "/vendors/0/onward_transfers",
    "/vendors/0/owner",
    "/vendors/0/pentest",
    "/vendors/0/records_estimate",
    "/vendors/0/security_review",
    "/vendors/0/service",
    "/vendors/0/subject_categories",
    "/vendors/0/subprocessor",
    "/vendors/0/transfers/0/exporter_role",
    "/vendors/0/transfers/0/from_country",
    "/vendors/0/transfers/0/importer_role",
    "/vendors/0/transfers/0/mechanisms/",
    "/vendors/0/transfers/1/exporter_role",
    "/vendors/0/transfers/1/from_country",
    "/vendors/0/transfers/1/importer_role",
    "/vendors/0/transfers/1/mechanisms/0/conditions",
    "/vendors/0/transfers/1/mechanisms/0/tia/measures",
    "/vendors/0/transfers/2/from_country",
    "/vendors/0/transfers/2/mechanisms/0/conditions",
    "/vendors/0/transfers/2/mechanisms/0/tia/measures",
];

#[test]
fn what_is_left_out_never_covers() {
    let example: Value = serde_json::to_value(
        crate::yaml::read::<Register>("register.yaml", include_str!("../../../../tests/vectors/register.yaml"))
            .unwrap(),
    )
    .unwrap();
    let mut base =
        json!({"organisation": {"exporter_regimes": ["eu", "uk", "ch"]}, "vendors": [example["vendors"][0]]});
    base["vendors"][0]["locations"] = json!([{"country": "US", "purpose": "storage"}]);
    let base: Register = serde_json::from_value(base).unwrap();
    // What the collector records is the register as it serialises, without empty fields.
    let base = filled(serde_json::to_value(&base).unwrap());
    let (law, policy) = (law(), defaults());
    let states = |value: &Value| {
        let register: Register = serde_json::from_value(value.clone()).ok()?;
        let as_of = "2026-11-25".parse().unwrap();
        let situation = Situation { law: &law, policy: &policy, organisation: &register.organisation, as_of };
        let (rows, law_notes) = judge(&register, &situation);
        let rules = Rules { as_of, law_data_version: String::new(), law_notes, policy_overrides: Vec::new(), rows };
        Some(crate::check::derive::coverage::measure(&register, &rules).vendors.first()?.overall)
    };
    use crate::model::register::coverage::CoverageState::Covered;
    assert_eq!(states(&base), Some(Covered));
    let mut asked = 0;
    for path in paths(&base) {
        let idle = IDLE.iter().any(|idle| path.starts_with(idle));
        asked += usize::from(!idle);
        assert!(idle || states(&without(&base, &path)) != Some(Covered), "covered without {path}");
    }
    assert!(asked > 45, "{asked}");
}
