//! Derives the coverage of the vendor base from the judged vendor rules.

use super::Inputs;
use super::vendors::{carriage, derived, subjects};
use crate::model::personal::DataCategory;
use crate::model::register::coverage::{
    CategoryRatio, Coverage, CoverageState, DimensionCoverage, Ratio, VendorCoverage, Volume,
};
use crate::model::register::{Outcome, Register, Row, Rules, Vendor, VendorRole, VendorStatus};
use crate::model::{Fact, Observation, Reason, Severity, Trouble};
use std::collections::{BTreeMap, BTreeSet};

/// The dimensions whose rules are judged, each with its checks.
const DIMENSIONS: &[(&str, &[&str])] = &[
    ("dpa", &["vendor.dpa", "vendor.dpa.review"]),
    ("clauses", &["vendor.dpa.clauses"]),
    ("transfer", carriage::CHECKS),
];

/// The dimensions whose rules are not judged.
const NOT_JUDGED: &[&str] = &["flowdown", "assurance", "exit"];

/// One vendor as a dimension counts it.
pub struct Counted<'a> {
    /// Its name in rows.
    pub id: &'a str,
    /// Its state in the dimension.
    pub state: CoverageState,
    /// What it holds.
    pub categories: BTreeSet<DataCategory>,
    /// How many data subjects.
    pub records: Option<u64>,
}

/// `vendor.coverage` of every register that was read.
pub fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let of = |kind: &'static str| inputs.observations.iter().filter(move |observation| observation.kind == kind);
    of("vendor.rules")
        .map(|rules| {
            let register = of("vendor.register").find(|register| rules.inputs.contains(&register.id));
            let also: Vec<&Observation> = register.into_iter().collect();
            derived("vendor.coverage", rules, &also, || coverage(rules, register))
        })
        .collect()
}

fn coverage(rules: &Observation, register: Option<&Observation>) -> Result<Coverage, Trouble> {
    let broken = |_| Trouble::new(Reason::Internal, "a recorded register or its rules are not of their form");
    let rules: Rules = rules.read().map_err(broken)?;
    let register = register.ok_or_else(|| Trouble::new(Reason::Internal, "the register of the rules is not there"))?;
    let register: Register = register.read().map_err(broken)?;
    if register.vendors.is_empty() {
        return Err(Trouble::new(Reason::Unsupported, "the register lists no vendor"));
    }
    Ok(measure(&register, &rules))
}

/// The numbers of a register whose rules are judged.
pub fn measure(register: &Register, rules: &Rules) -> Coverage {
    let mut rows: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in &rules.rows {
        rows.entry(&row.subject).or_default().push(row);
    }
    let subjects = subjects(register);
    let mut counted: Vec<Vec<Counted<'_>>> = DIMENSIONS.iter().map(|_| Vec::new()).collect();
    let mut vendors = Vec::new();
    for (vendor, id) in register.vendors.iter().zip(&subjects).filter(|(vendor, _)| is_counted(vendor)) {
        let rows = rows.get(id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut states = BTreeMap::new();
        for ((dimension, checks), counted) in DIMENSIONS.iter().zip(&mut counted) {
            let state = state(rows.iter().copied().filter(|row| checks.contains(&row.check.as_str())));
            states.insert((*dimension).to_owned(), state);
            let categories = vendor.data_categories.clone().unwrap_or_default();
            counted.push(Counted { id, state, categories, records: vendor.records_estimate });
        }
        let overall = states.values().copied().max().unwrap_or(CoverageState::Unknown);
        vendors.push(VendorCoverage { id: id.clone(), overall, states });
    }
    Coverage {
        as_of: rules.as_of,
        law_data_version: rules.law_data_version.clone(),
        policy_overrides: rules.policy_overrides.clone(),
        population: vendors.len() as u64,
        dimensions: DIMENSIONS.iter().zip(&counted).map(|((name, _), counted)| dimension(name, counted)).collect(),
        not_judged: NOT_JUDGED.iter().map(|&name| name.to_owned()).collect(),
        vendors,
    }
}

/// Whether a vendor belongs to the population. One whose status, data or role is not recorded does: it may.
fn is_counted(vendor: &Vendor) -> bool {
    !matches!(vendor.status, Some(VendorStatus::Proposed | VendorStatus::Terminated))
        && vendor.personal_data != Some(false)
        && vendor.role != Some(VendorRole::Controller)
}

/// The state that the rows of a dimension give a vendor. An accepted failure is still one.
fn state<'a>(rows: impl Iterator<Item = &'a Row>) -> CoverageState {
    let rows: Vec<&Row> = rows.filter(|row| row.applies).collect();
    let any = |holds: fn(&Row) -> bool| rows.iter().any(|row| holds(row));
    if any(|row| row.result == Outcome::Fail && row.severity >= Severity::High) {
        CoverageState::Uncovered
    } else if any(|row| row.result == Outcome::Fail) {
        CoverageState::Partial
    } else if any(|row| matches!(row.result, Outcome::Unknown | Outcome::Review)) {
        // Nothing fails, and a needed fact is absent: that is worse than a warning.
        CoverageState::Unknown
    } else if any(|row| row.result == Outcome::Warn) {
        CoverageState::Partial
    } else if rows.is_empty() {
        CoverageState::NotApplicable
    } else {
        CoverageState::Covered
    }
}

/// The numbers of one dimension.
pub fn dimension(name: &str, vendors: &[Counted<'_>]) -> DimensionCoverage {
    let count = |state| vendors.iter().filter(|vendor| vendor.state == state).count() as u64;
    let concerned: Vec<_> = vendors.iter().filter(|vendor| vendor.state != CoverageState::NotApplicable).collect();
    let denominator = concerned.len() as u64;
    let (covered, partial) = (count(CoverageState::Covered), count(CoverageState::Partial));
    let by_category = by_category(&concerned);
    let weight = |vendors: &[&Counted<'_>]| vendors.iter().map(|vendor| weight(vendor)).sum::<u64>();
    let well: Vec<_> = concerned.iter().copied().filter(|vendor| vendor.state == CoverageState::Covered).collect();
    DimensionCoverage {
        dimension: name.to_owned(),
        covered,
        partial,
        uncovered: count(CoverageState::Uncovered),
        unknown: count(CoverageState::Unknown),
        not_applicable: count(CoverageState::NotApplicable),
        denominator,
        by_vendor: Ratio::new(covered, denominator),
        effective: effective(covered, partial, denominator),
        unknown_share: Ratio::new(count(CoverageState::Unknown), denominator),
        headline_sensitive: headline(&by_category),
        by_category: by_category.into_iter().map(|(category, ratio)| (category.word().to_owned(), ratio)).collect(),
        by_volume: by_volume(&concerned, &well),
        by_weight: Ratio::new(weight(&well), weight(&concerned)),
    }
}

fn effective(covered: u64, partial: u64, denominator: u64) -> String {
    if denominator == 0 {
        return "n/a".to_owned();
    }
    let halves = 2 * covered + partial;
    format!("{}{}/{denominator}", halves / 2, if halves % 2 == 1 { ".5" } else { "" })
}

/// The weight of a vendor: that of its gravest category, and one where none is recorded.
fn weight(vendor: &Counted<'_>) -> u64 {
    vendor.categories.iter().map(|category| category.weight()).max().unwrap_or(1)
}

fn by_category(vendors: &[&Counted<'_>]) -> BTreeMap<DataCategory, Ratio> {
    let mut counts: BTreeMap<DataCategory, (u64, u64)> = BTreeMap::new();
    for vendor in vendors {
        for category in &vendor.categories {
            let (covered, all) = counts.entry(*category).or_default();
            *covered += u64::from(vendor.state == CoverageState::Covered);
            *all += 1;
        }
    }
    counts.into_iter().map(|(category, (covered, all))| (category, Ratio::new(covered, all))).collect()
}

/// The lowest ratio of the sensitive categories; of equals the first in the order of the specification.
fn headline(by_category: &BTreeMap<DataCategory, Ratio>) -> Option<CategoryRatio> {
    let sensitive = by_category.iter().filter(|(category, _)| category.is_sensitive());
    let lowest = sensitive.reduce(|lowest, other| if other.1.is_below(lowest.1) { other } else { lowest })?;
    Some(CategoryRatio { category: lowest.0.word().to_owned(), ratio: lowest.1.clone() })
}

fn by_volume(concerned: &[&Counted<'_>], covered: &[&Counted<'_>]) -> Volume {
    let sum =
        |vendors: &[&Counted<'_>]| vendors.iter().filter_map(|vendor| vendor.records).fold(0, u64::saturating_add);
    let excluded: Vec<String> =
        concerned.iter().filter(|vendor| vendor.records.is_none()).map(|vendor| vendor.id.to_owned()).collect();
    let excluded_share = Ratio::new(excluded.len() as u64, concerned.len() as u64);
    // More than a fifth without an estimate, exactly.
    let ratio = if excluded.len() * 5 > concerned.len() {
        Fact::unknown(format!("{} of {} vendors have no estimate", excluded.len(), concerned.len()))
    } else {
        Fact::Known(Ratio::new(sum(covered), sum(concerned)))
    };
    Volume { ratio, excluded, excluded_share }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::{Value, json};

    #[derive(Deserialize)]
    struct Member {
        id: String,
        state: CoverageState,
        data_categories: BTreeSet<DataCategory>,
        records_estimate: Option<u64>,
    }

    fn counted(members: &[Member]) -> Vec<Counted<'_>> {
        let count = |member: &'_ Member| (member.state, member.data_categories.clone(), member.records_estimate);
        members
            .iter()
            .map(|member| {
                let (state, categories, records) = count(member);
                Counted { id: &member.id, state, categories, records }
            })
            .collect()
    }

    #[test]
    fn vector() {
        let text = include_str!("../../../tests/vectors/coverage.json");
        let vector: Value = serde_json::from_str(text).unwrap();
        let members: Vec<Member> = serde_json::from_value(vector["population"].clone()).unwrap();
        let seen = dimension("dpa", &counted(&members));
        let want = &vector["expect"];
        let pair = |ratio: &Ratio| json!({"n": ratio.numerator, "d": ratio.denominator});
        assert_eq!(pair(&seen.by_vendor), json!({"n": want["by_vendor"]["n"], "d": want["by_vendor"]["d"]}));
        assert_eq!(seen.by_vendor.text, want["by_vendor"]["pct"]);
        assert_eq!(seen.effective, want["effective"]["value"]);
        assert_eq!(pair(&seen.unknown_share), want["unknown_share"]);
        let categories: Value = seen
            .by_category
            .iter()
            .map(|(name, ratio)| (name.clone(), pair(ratio)))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert_eq!(categories, want["by_category"]);
        let headline = seen.headline_sensitive.unwrap();
        assert_eq!(headline.category, want["headline_sensitive"]["category"]);
        assert_eq!((headline.ratio.numerator, headline.ratio.denominator), (1, 2));
        let volume = seen.by_volume.ratio.known().unwrap();
        assert_eq!((volume.numerator, volume.denominator), (1200, 2050));
        assert_eq!(volume.text, want["by_volume"]["result"]);
        assert_eq!(json!(seen.by_volume.excluded), want["by_volume"]["excluded"]);
        assert_eq!(seen.by_volume.excluded_share.text, want["by_volume"]["excluded_share"]);
        assert_eq!((seen.by_weight.numerator, seen.by_weight.denominator), (6, 15));
        assert_eq!(seen.by_weight.text, want["by_weight"]["pct"]);
        assert!(seen.by_vendor.numerator * 100 < 100 * seen.by_vendor.denominator, "the gate at 100 fails");
    }

    #[test]
    fn an_empty_set_has_no_ratio() {
        let seen = dimension("dpa", &[]);
        assert_eq!(seen.by_vendor.text, "n/a");
        assert_eq!(seen.effective, "n/a");
        assert_eq!(seen.headline_sensitive, None);
    }

    #[test]
    fn volume_is_unknown_above_a_fifth_without_estimate() {
        let member = |records_estimate| Member {
            id: "a".to_owned(),
            state: CoverageState::Covered,
            data_categories: BTreeSet::new(),
            records_estimate,
        };
        let members: Vec<_> = [Some(1), Some(1), Some(1), None].into_iter().map(member).collect();
        assert_eq!(dimension("dpa", &counted(&members)).by_volume.ratio.known(), None);
    }
}
