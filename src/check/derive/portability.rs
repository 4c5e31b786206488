//! Derives how complete an export is, from what was read in it and from what each store holds of the person.

use super::erasure::Stores;
use super::vendors::derived;
use super::{Derivation, Inputs};
use crate::model::erasure::Presence;
use crate::model::portability::{ExportFacts, ForeignRow, Ported, PortedRow, SetInExport};
use crate::model::register::coverage::Ratio;
use crate::model::{Fact, Observation, Reason, Trouble};
use std::collections::BTreeMap;

/// Gives `data.portability` for every export.
pub const PORTABILITY: Derivation = Derivation { id: "data.portability", yields: &["data.portability"], derive };

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let of = |kind: &'static str| inputs.observations.iter().filter(move |observation| observation.kind == kind);
    let one = |seen: &Observation| {
        let export: Option<ExportFacts> = seen.read().ok();
        let stores: Vec<String> =
            export.into_iter().flat_map(|export| export.in_scope).map(|(_, store)| store).collect();
        let looks: Vec<&Observation> = of("data.subjects").filter(|look| stores.contains(&look.target)).collect();
        derived("data.portability", seen, &looks, || {
            let export: ExportFacts =
                seen.read().map_err(|_| Trouble::new(Reason::Internal, "the recorded export is not of its form"))?;
            Ok(judge(&export, &Stores::new(&looks)))
        })
    };
    of("data.export").map(one).collect()
}

/// The export against the stores.
pub fn judge(export: &ExportFacts, stores: &Stores) -> Ported {
    let in_scope = export.in_scope.iter().filter(|(set, _)| !export.left_out.contains(set));
    let mut exercised = 0;
    // The first thing that could not be read, and whether a set is known not to be exercised.
    let (mut open, mut untried) = (None, false);
    let sets: Vec<PortedRow> = in_scope
        .map(|(set, store)| {
            let parts: Vec<&SetInExport> = export.sets.iter().filter(|part| part.key == *set).collect();
            let (row, is_exercised) = row(set, presence(set, store, stores), &parts);
            exercised += u64::from(is_exercised == Some(true));
            untried |= is_exercised == Some(false);
            open = open.take().or_else(|| row.complete.reason().filter(|_| is_exercised.is_none()).map(str::to_owned));
            row
        })
        .collect();
    let all = u64::try_from(sets.len()).unwrap_or(u64::MAX);
    let unread = export.files.iter().find(|file| file.readable.known() != Some(&true));
    let found = u64::try_from(export.secrets.len()).unwrap_or(u64::MAX);
    let secrets = match unread {
        Some(file) if found == 0 => Fact::unknown(format!("{} was not read to its end: {}", file.key, file.summary)),
        None if export.files.is_empty() => Fact::unknown("the export holds no file"),
        _ => Fact::Known(found),
    };
    Ported {
        sets,
        formats: export.files.clone(),
        foreign: foreign(export),
        secrets,
        secret_fields: export.secrets.iter().map(|field| field.key.clone()).take(20).collect(),
        in_scope: all,
        // A set that was not read may be exercised; one that is known not to be settles it.
        exercised: match &open {
            Some(why) if !untried => Fact::unknown(why),
            _ => Fact::Known(exercised),
        },
        coverage: format!(
            "{exercised} of {all} data sets in scope are exercised ({} per cent)",
            Ratio::new(exercised, all).text
        ),
    }
}

/// Records of others, by data set: the parts of a set together.
fn foreign(export: &ExportFacts) -> Vec<ForeignRow> {
    let mut rows: BTreeMap<&str, Fact<u64>> = BTreeMap::new();
    for part in &export.sets {
        let joined = match (rows.get(part.key.as_str()), &part.foreign) {
            (None, seen) => seen.clone(),
            (Some(Fact::Known(one)), Fact::Known(other)) => Fact::Known(one + other),
            // What was seen of others counts, whatever else was not read.
            (Some(Fact::Known(one)), Fact::Unknown(_)) if *one > 0 => Fact::Known(*one),
            (Some(Fact::Unknown(_)), Fact::Known(other)) if *other > 0 => Fact::Known(*other),
            (Some(known @ Fact::Unknown(_)), _) => known.clone(),
            (_, seen) => seen.clone(),
        };
        rows.insert(&part.key, joined);
    }
    rows.into_iter().map(|(key, records)| ForeignRow { key: key.to_owned(), records }).collect()
}

fn presence(set: &str, store: &str, stores: &Stores) -> Result<Presence, String> {
    let found = stores.get(store)?.present.iter().find(|seen| seen.key == set);
    found.cloned().ok_or_else(|| "the look at its store does not name it".to_owned())
}

/// One data set, and whether both sides hold something of it, as far as that was read.
fn row(set: &str, held: Result<Presence, String>, parts: &[&SetInExport]) -> (PortedRow, Option<bool>) {
    let mut row = PortedRow {
        key: set.to_owned(),
        complete: Fact::Known(true),
        severity: "high".to_owned(),
        summary: String::new(),
    };
    let untold = |mut row: PortedRow, why: String| {
        row.summary.clone_from(&why);
        row.complete = Fact::unknown(why);
        (row, None)
    };
    let (rows, capped) = match held {
        Ok(Presence { rows: Fact::Known(rows), capped, .. }) => (rows, capped),
        Ok(Presence { rows: Fact::Unknown(unknown), .. }) => return untold(row, unknown.unknown),
        Err(why) => return untold(row, why),
    };
    let mut records = 0u64;
    for part in parts {
        match &part.records {
            Fact::Known(count) => records = records.saturating_add(*count),
            Fact::Unknown(unknown) => return untold(row, unknown.unknown.clone()),
        }
    }
    let tolerance = parts.iter().map(|part| part.tolerance).sum::<u64>();
    let least = if capped { "at least " } else { "" };
    row.summary = format!("{least}{rows} rows in the store, {records} records in the export");
    if parts.is_empty() {
        row.summary.push_str(", which maps nothing to this data set");
    }
    match (rows, records) {
        (0, 0) => {
            let why = "not exercised: neither the store nor the export holds anything of this person".to_owned();
            return (untold(row, why).0, Some(false));
        }
        (_, 0) => row.complete = Fact::Known(false),
        _ if capped && records >= rows => {
            let why = format!("the count in the store stopped at {rows}; {} is the limit of its measure", rows);
            return (PortedRow { complete: Fact::unknown(why), ..row }, Some(true));
        }
        _ if rows.abs_diff(records) > tolerance => {
            row.complete = Fact::Known(false);
            "low".clone_into(&mut row.severity);
        }
        _ => {}
    }
    (row, Some(rows > 0 && records > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn see(
        rows: serde_json::Value,
        capped: bool,
        records: serde_json::Value,
        tolerance: u64,
    ) -> (PortedRow, Option<u64>) {
        let export: ExportFacts = serde_json::from_value(json!({
            "files": [{ "key": "a.json", "format": "json", "readable": true, "records": 1, "summary": "" }],
            "sets": [{ "key": "orders", "records": records, "foreign": 0, "tolerance": tolerance }],
            "secrets": [], "scope": "art20", "in_scope": [["orders", "pg"]], "left_out": [],
        }))
        .unwrap();
        let held = json!({ "sets": [], "edges": [], "present": [{ "key": "orders", "rows": rows, "capped": capped }] });
        let look =
            Observation::complete("data.subjects", "pg", "", "test", jiff::Timestamp::UNIX_EPOCH, &held).unwrap();
        let mut ported = judge(&export, &Stores::new(&[&look]));
        (ported.sets.remove(0), ported.exercised.known().copied())
    }

    #[test]
    fn both_numbers_decide() {
        let held = |row: &(PortedRow, Option<u64>)| (row.0.complete.known().copied(), row.0.severity.clone(), row.1);
        assert_eq!(held(&see(json!(3), false, json!(3), 0)), (Some(true), "high".to_owned(), Some(1)));
        assert_eq!(held(&see(json!(3), false, json!(0), 9)), (Some(false), "high".to_owned(), Some(0)));
        assert_eq!(held(&see(json!(3), false, json!(2), 0)), (Some(false), "low".to_owned(), Some(1)));
        assert_eq!(held(&see(json!(3), false, json!(2), 1)), (Some(true), "high".to_owned(), Some(1)));
        assert_eq!(held(&see(json!(0), false, json!(2), 0)), (Some(false), "low".to_owned(), Some(0)));
        assert_eq!(see(json!(0), false, json!(0), 0).0.complete.known(), None, "not exercised");
        assert_eq!(see(json!(1000), true, json!(1200), 0).0.complete.known(), None, "the count stopped");
        assert_eq!(see(json!(0), false, json!(0), 0).1, Some(0), "that it was not tried is known");
        for (rows, records) in
            [(json!({ "unknown": "locked" }), json!(2)), (json!(2), json!({ "unknown": "not read" }))]
        {
            let (row, exercised) = see(rows, false, records, 0);
            assert_eq!((row.complete.known(), exercised), (None, None), "what was not read may be exercised");
        }
    }

    #[test]
    fn a_store_that_was_not_seen_and_a_file_that_was_not_read_prove_nothing() {
        let export: ExportFacts = serde_json::from_value(json!({
            "files": [{ "key": "a.json", "format": "json", "readable": false, "records": { "unknown": "x" }, "summary": "" }],
            "sets": [], "secrets": [], "scope": "art20", "in_scope": [["orders", "pg"]], "left_out": [],
        }))
        .unwrap();
        let ported = judge(&export, &Stores::new(&[]));
        assert_eq!(
            (ported.sets[0].complete.known(), ported.secrets.known(), ported.exercised.known()),
            (None, None, None)
        );
    }
}
