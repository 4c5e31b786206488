//! What the rules of a vendor rest on: the sources of the fields that a check reads, the weakest first.

use crate::model::Fact;
use crate::model::register::{FieldSource, Provenance, Row, Vendor};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The fields of a vendor that each check reads. Whether a field is recorded at all (`vendor.register`) rests on none.
const FIELDS: &[(&str, &[&str])] = &[
    ("vendor.dpa", &["status", "role", "personal_data", "data_categories", "dpa"]),
    ("vendor.dpa.clauses", &["status", "role", "personal_data", "data_categories", "dpa"]),
    ("vendor.dpa.review", &["status", "role", "personal_data", "dpa"]),
    ("vendor.transfer", TRANSFER),
    ("vendor.transfer.dpf", TRANSFER),
    ("vendor.transfer.privacy_shield", TRANSFER),
    ("vendor.transfer.scc", TRANSFER),
    ("vendor.transfer.tia", TRANSFER),
];

const TRANSFER: &[&str] =
    &["status", "role", "personal_data", "subject_categories", "locations", "onward_transfers", "transfers"];

/// Says in each row what it rests on. Where no field that a check reads says where it comes from, all of them are the
/// owner's word, and nothing is said.
pub fn say(rows: &mut [Row], vendor: &Vendor) {
    if vendor.provenance.is_empty() {
        return;
    }
    let Ok(written) = serde_json::to_value(vendor) else { return };
    for row in rows.iter_mut().filter(|row| row.applies) {
        let Some((_, fields)) = FIELDS.iter().find(|(check, _)| *check == row.check) else { continue };
        let used = used(&written, fields, &vendor.provenance);
        let Some((weakest, _)) = used.first_key_value() else { continue };
        if used.len() == 1 && *weakest == FieldSource::Attestation {
            continue;
        }
        row.weakest_source = Some(*weakest);
        row.reason.push_str(&format!("; {}", words(&used)));
        if row.holds.known().is_none() {
            row.holds = Fact::unknown(row.reason.clone());
        }
    }
}

/// The recorded fields among these, by their source.
fn used<'f>(
    vendor: &Value,
    fields: &[&'f str],
    sources: &BTreeMap<String, Provenance>,
) -> BTreeMap<FieldSource, BTreeSet<&'f str>> {
    let mut used: BTreeMap<FieldSource, BTreeSet<&str>> = BTreeMap::new();
    for &field in fields {
        let mut found = BTreeSet::new();
        let value = vendor.get(field).unwrap_or(&Value::Null);
        collect(value, &mut field.to_owned(), FieldSource::Attestation, sources, &mut found);
        for source in found {
            used.entry(source).or_default().insert(field);
        }
    }
    used
}

/// The sources of everything that is recorded here: of its own, or of what it is part of.
fn collect(
    value: &Value,
    path: &mut String,
    inherited: FieldSource,
    sources: &BTreeMap<String, Provenance>,
    found: &mut BTreeSet<FieldSource>,
) {
    let own = sources.get(path.as_str()).map(|provenance| provenance.source);
    let source = own.unwrap_or(inherited);
    let length = path.len();
    let mut below = |name: &str, inner: &Value| {
        path.push('.');
        path.push_str(name);
        collect(inner, path, source, sources, found);
        path.truncate(length);
    };
    match value {
        Value::Null => {}
        Value::Object(members) => members.iter().for_each(|(name, inner)| below(name, inner)),
        Value::Array(items) => items.iter().enumerate().for_each(|(index, inner)| below(&index.to_string(), inner)),
        _ => {
            found.insert(source);
        }
    }
    // A list that is empty is an answer too, where it says where it comes from.
    found.extend(own.filter(|_| value.as_array().is_some_and(Vec::is_empty)));
}

fn words(used: &BTreeMap<FieldSource, BTreeSet<&str>>) -> String {
    let one = |(source, fields): (&FieldSource, &BTreeSet<&str>)| {
        format!("{} ({})", source.word(), fields.iter().copied().collect::<Vec<_>>().join(", "))
    };
    let mut sources = used.iter().map(one);
    let weakest = sources.next().unwrap_or_default();
    let others = sources.collect::<Vec<_>>().join(", ");
    if others.is_empty() {
        format!("rests on {weakest}")
    } else {
        format!("rests at its weakest on {weakest}; also {others}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::derive::vendors::judgement::CHECKS;
    use serde_json::json;

    #[test]
    fn every_check_of_the_tables_says_what_it_reads() {
        let known: BTreeSet<&str> = FIELDS.iter().map(|(check, _)| *check).chain(["vendor.register"]).collect();
        assert_eq!(known, CHECKS.iter().copied().collect());
        let vendor = serde_json::to_value(Vendor::new("acme")).unwrap();
        for field in FIELDS.iter().flat_map(|(_, fields)| *fields) {
            assert!(vendor.get(*field).is_some(), "{field} is no field of a vendor");
        }
    }

    #[test]
    fn a_field_has_its_own_source_before_that_of_what_it_is_part_of() {
        let source = |source| Provenance { source, evidence: Vec::new(), observed_on: None };
        let sources = BTreeMap::from([
            ("dpa".to_owned(), source(FieldSource::Document)),
            ("dpa.version".to_owned(), source(FieldSource::Discovered)),
            ("role".to_owned(), source(FieldSource::ControlPlane)),
        ]);
        let vendor = json!({"role": "processor", "dpa": {"status": "draft", "version": "2"}, "status": null});
        let found = used(&vendor, &["status", "role", "dpa"], &sources);
        assert_eq!(
            words(&found),
            "rests at its weakest on discovered (dpa); also document (dpa), control_plane (role)"
        );
        let vendor = json!({"role": "processor", "dpa": {"version": "2"}, "status": "active"});
        let found = used(&vendor, &["status", "role"], &sources);
        assert_eq!(words(&found), "rests at its weakest on attestation (status); also control_plane (role)");
        assert_eq!(words(&used(&vendor, &["role"], &sources)), "rests on control_plane (role)");
    }
}
