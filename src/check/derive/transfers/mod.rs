//! What a mechanism is worth for a transfer on a day: one pure function over the law tables.

pub mod adequacy;
pub mod instrument;
pub mod law;

use crate::model::register::{Mechanism, Transfer};
use jiff::civil::Date;
use law::Law;

/// The day on which the Court asked for an assessment of each case (C-311/18).
pub const ASSESSMENT_SINCE: Date = jiff::civil::date(2020, 7, 16);

/// What a mechanism is worth, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It carries nothing.
    Invalid,
    /// A fact is absent.
    Unknown,
    /// It carries the transfer once something is mended.
    Conditional,
    /// It carries the transfer.
    Valid,
}

impl Standing {
    /// The word used in reasons.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Invalid => "invalid",
            Standing::Unknown => "unknown",
            Standing::Conditional => "conditional",
            Standing::Valid => "valid",
        }
    }
}

/// What a mechanism is worth, and what decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it is worth.
    pub standing: Standing,
    /// The adequacy row or the step that decided; nothing where no row speaks of the country.
    pub why: Option<String>,
    /// The act relied on, where one was found.
    pub act: String,
    /// In words: which fact and which article or act.
    pub reason: String,
}

/// What `eval` reads beside the transfer and its mechanism.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The law tables.
    pub law: &'a Law,
    /// The day.
    pub as_of: Date,
    /// Months that a transfer impact assessment counts.
    pub tia_max_months: u32,
    /// Whether data of our employees or candidates is sent, where that is recorded.
    pub human_resources: Option<bool>,
}

/// What this mechanism is worth for this transfer on this day.
pub fn eval(mechanism: &Mechanism, transfer: &Transfer, case: &Case<'_>) -> Verdict {
    let (Some(regime), Some(country)) = (transfer.regime, &transfer.to_country) else {
        return verdict(Standing::Unknown, "transfer", "", "the transfer names no regime or no country");
    };
    match mechanism.kind.as_str() {
        "adequacy" => adequacy::judge(mechanism, regime, country, case),
        "safe_harbour" | "privacy_shield" => adequacy::programme(mechanism, regime, country, case),
        id => match case.law.instrument(id) {
            Some(tool) => instrument::judge(tool, mechanism, transfer, regime, case),
            None => {
                let name: String = id.chars().take(40).collect();
                verdict(Standing::Unknown, "type", "", format!("the law tables know no mechanism {name:?}"))
            }
        },
    }
}

fn verdict(standing: Standing, why: &str, act: &str, reason: impl Into<String>) -> Verdict {
    Verdict { standing, why: Some(why.to_owned()), act: act.to_owned(), reason: reason.into() }
}

#[cfg(test)]
mod tests;
