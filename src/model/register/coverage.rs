//! The data of the kind `vendor.coverage`: how much of the vendor base the agreements cover.

use super::policy::PolicyOverride;
use crate::model::Fact;
use crate::model::words::words;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `vendor.coverage`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// The day of judgement, in the organisation's time zone.
    #[schemars(with = "String")]
    pub as_of: Date,
    /// The version of the law tables used.
    pub law_data_version: String,
    /// Limits that differ from their defaults.
    pub policy_overrides: Vec<PolicyOverride>,
    /// How many vendors are counted.
    pub population: u64,
    /// The dimensions, each with its numbers.
    pub dimensions: Vec<DimensionCoverage>,
    /// Dimensions whose rules are not judged: nothing is said about them.
    pub not_judged: Vec<String>,
    /// Each counted vendor.
    pub vendors: Vec<VendorCoverage>,
}

/// The numbers of one dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DimensionCoverage {
    /// For example `dpa`.
    pub dimension: String,
    /// Vendors of each state.
    pub covered: u64,
    /// Vendors of each state.
    pub partial: u64,
    /// Vendors of each state.
    pub uncovered: u64,
    /// Vendors of each state.
    pub unknown: u64,
    /// Vendors that no rule of it concerns; not in the denominator.
    pub not_applicable: u64,
    /// All but those that are not applicable.
    pub denominator: u64,
    /// Covered vendors: the headline.
    pub by_vendor: Ratio,
    /// Covered and half of the partly covered vendors, over the denominator, for example `2.5/5`; never the headline.
    pub effective: String,
    /// Vendors of which too little is known.
    pub unknown_share: Ratio,
    /// Covered vendors that hold a category.
    pub by_category: BTreeMap<String, Ratio>,
    /// The lowest of the sensitive categories.
    pub headline_sensitive: Option<CategoryRatio>,
    /// Data subjects at covered vendors.
    pub by_volume: Volume,
    /// Weight of covered vendors.
    pub by_weight: Ratio,
}

/// A ratio of whole numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ratio {
    /// Above the line.
    pub numerator: u64,
    /// Below the line.
    pub denominator: u64,
    /// Per cent with one decimal, or `n/a` for an empty set. It says 100.0 only for the whole.
    pub text: String,
}

/// The ratio of one category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CategoryRatio {
    /// The category.
    pub category: String,
    /// Its ratio.
    pub ratio: Ratio,
}

/// The ratio of data subjects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Volume {
    /// The ratio; unknown where too many vendors have no estimate.
    pub ratio: Fact<Ratio>,
    /// Vendors without an estimate: not counted.
    pub excluded: Vec<String>,
    /// Their share.
    pub excluded_share: Ratio,
}

/// One counted vendor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VendorCoverage {
    /// The vendor's id, as in the rows of `vendor.rules`.
    pub id: String,
    /// The worst of its dimensions.
    pub overall: CoverageState,
    /// Its state in each dimension.
    pub states: BTreeMap<String, CoverageState>,
}

words! {
    /// How far a vendor is covered, best first.
    CoverageState {
        /// No rule of the dimension concerns it.
        NotApplicable = "not_applicable",
        /// Every rule that concerns it holds.
        Covered = "covered",
        /// Something is to be mended.
        Partial = "partial",
        /// A needed fact is absent.
        Unknown = "unknown",
        /// A rule of high severity is broken.
        Uncovered = "uncovered",
    }
}

impl Ratio {
    /// This ratio with its text.
    pub fn new(numerator: u64, denominator: u64) -> Ratio {
        Ratio { numerator, denominator, text: per_cent(numerator, denominator) }
    }

    /// Whether this ratio is below the other, exactly.
    pub fn is_below(&self, other: &Ratio) -> bool {
        u128::from(self.numerator) * u128::from(other.denominator)
            < u128::from(other.numerator) * u128::from(self.denominator)
    }
}

/// Per cent with one decimal, half up; the whole is never claimed of a part.
fn per_cent(numerator: u64, denominator: u64) -> String {
    if denominator == 0 {
        return "n/a".to_owned();
    }
    let (n, d) = (u128::from(numerator), u128::from(denominator));
    let mut tenths = (n * 2000 + d) / (2 * d);
    if n < d {
        tenths = tenths.min(999);
    }
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_cent_is_exact_and_never_rounds_up_to_the_whole() {
        for (n, d, text) in [
            (0, 0, "n/a"),
            (0, 7, "0.0"),
            (2, 5, "40.0"),
            (2, 3, "66.7"),
            (1200, 2050, "58.5"),
            (9_999, 10_000, "99.9"),
            (7, 7, "100.0"),
            (u64::MAX, u64::MAX, "100.0"),
            (u64::MAX - 1, u64::MAX, "99.9"),
        ] {
            assert_eq!(per_cent(n, d), text, "{n}/{d}");
        }
    }
}
