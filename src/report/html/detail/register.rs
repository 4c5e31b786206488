//! The vendor register: coverage as bars, each with its numerator and denominator.

use crate::report::summary::Facts;
use crate::report::text::value;
use serde::Serialize;
use serde_json::Value;

/// Vendors in the table; the record has all.
const MAX_VENDORS: usize = 300;

/// Coverage of the vendors.
#[derive(Serialize)]
pub struct Vendors {
    population: u64,
    dimensions: Vec<Dimension>,
    names: Vec<String>,
    vendors: Vec<Vendor>,
    more: usize,
    not_judged: Vec<String>,
}

#[derive(Serialize)]
struct Dimension {
    name: String,
    bars: Vec<Bar>,
    excluded: Vec<String>,
}

/// A bar of counts.
#[derive(Serialize)]
struct Bar {
    name: String,
    numerator: u64,
    denominator: u64,
    text: String,
    width: f64,
    unknown: String,
}

#[derive(Serialize)]
struct Vendor {
    id: String,
    overall: String,
    mark: &'static str,
    states: Vec<(String, &'static str)>,
}

/// What is shown of a register; `None` where no coverage was derived from it.
pub fn vendors(facts: &Facts<'_>) -> Option<Vendors> {
    let seen = facts.data("vendor.coverage")?;
    let dimensions: Vec<&Value> = seen["dimensions"].as_array()?.iter().take(12).collect();
    let names: Vec<String> = dimensions.iter().map(|dimension| value(&dimension["dimension"])).collect();
    let all = seen["vendors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let vendors = all.iter().take(MAX_VENDORS).map(|vendor| {
        let overall = words(&vendor["overall"]);
        let state = |name: &String| {
            let word = words(&vendor["states"][name.as_str()]);
            let mark = mark(&word);
            (word, mark)
        };
        Vendor { id: value(&vendor["id"]), mark: mark(&overall), overall, states: names.iter().map(state).collect() }
    });
    let not_judged = seen["not_judged"].as_array().into_iter().flatten();
    Some(Vendors {
        population: seen["population"].as_u64().unwrap_or_default(),
        dimensions: dimensions.iter().map(|dimension| self::dimension(dimension)).collect(),
        vendors: vendors.collect(),
        more: all.len().saturating_sub(MAX_VENDORS),
        not_judged: not_judged.map(value).collect(),
        names,
    })
}

fn dimension(seen: &Value) -> Dimension {
    let mut bars = vec![bar("vendors", &seen["by_vendor"]), bar("data subjects", &seen["by_volume"]["ratio"])];
    let categories = seen["by_category"].as_object().into_iter().flatten();
    bars.extend(categories.take(24).map(|(name, ratio)| bar(name, ratio)));
    let excluded = seen["by_volume"]["excluded"].as_array().into_iter().flatten();
    Dimension { name: value(&seen["dimension"]), bars, excluded: excluded.take(20).map(value).collect() }
}

fn bar(name: &str, ratio: &Value) -> Bar {
    let (numerator, denominator) = (ratio["numerator"].as_u64(), ratio["denominator"].as_u64());
    let (numerator, denominator) = (numerator.unwrap_or_default(), denominator.unwrap_or_default());
    let share = if denominator == 0 { 0.0 } else { numerator as f64 / denominator as f64 };
    Bar {
        name: name.replace('_', " "),
        numerator,
        denominator,
        text: value(&ratio["text"]),
        width: super::super::view::round(share.clamp(0.0, 1.0) * 200.0),
        unknown: ratio["unknown"].as_str().unwrap_or_default().to_owned(),
    }
}

fn words(state: &Value) -> String {
    state.as_str().unwrap_or("unknown").replace('_', " ")
}

fn mark(state: &str) -> &'static str {
    match state {
        "covered" => "pass",
        "partial" => "waived",
        "uncovered" => "fail",
        "not applicable" => "not-applicable",
        _ => "open",
    }
}
