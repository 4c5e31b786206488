//! Derives the vendor rules: every rule of the vendor tables, judged on one day.

pub mod agreement;
pub mod carriage;
pub mod completeness;
pub mod judgement;
pub mod source;

use super::day::day_in;
use super::transfers::law::Law;
use super::{Inputs, table};
use crate::model::register::policy::PolicyOverride;
use crate::model::register::rules::LawNote;
use crate::model::register::{
    Country, Organisation, Outcome, Regime, Register, Row, Rules, Vendor, VendorPolicy, VendorRole, VendorStatus,
};
use crate::model::{Observation, ObservationStatus, Reason, Severity, Trouble};
use jiff::civil::Date;
use judgement::Judgement;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What every rule reads beside the vendor.
pub struct Situation<'a> {
    /// The law tables.
    pub law: &'a Law,
    /// The limits.
    pub policy: &'a VendorPolicy,
    /// Who keeps the register.
    pub organisation: &'a Organisation,
    /// The day of judgement.
    pub as_of: Date,
}

impl Situation<'_> {
    /// The first day of the GDPR.
    pub fn gdpr_since(&self) -> Date {
        self.law.regimes.get(&Regime::Eu).map_or(Date::MIN, |law| law.from)
    }

    /// The transfer laws that apply and are in force; none where the register does not say which.
    pub fn regimes(&self) -> BTreeSet<Regime> {
        let in_force = |regime: &Regime| self.law.regimes.get(regime).is_some_and(|law| law.from <= self.as_of);
        self.organisation.exporter_regimes.iter().flatten().copied().filter(in_force).collect()
    }
}

/// Whether the vendor is in use: active, or suspended and still holding data.
fn is_in_use(vendor: &Vendor) -> Option<bool> {
    Some(matches!(vendor.status?, VendorStatus::Active | VendorStatus::Suspended))
}

/// Whether the vendor processes for someone else.
fn is_processor(vendor: &Vendor) -> Option<bool> {
    Some(matches!(vendor.role?, VendorRole::Processor | VendorRole::SubProcessor))
}

/// Every place where a transfer law restricts the vendor; nothing where a place is not recorded.
fn outside(vendor: &Vendor, situation: &Situation<'_>) -> Option<BTreeSet<(Regime, Country)>> {
    let stored = vendor.locations.as_ref().filter(|locations| !locations.is_empty())?;
    let stored = stored.iter().map(|location| &location.country);
    let onward = vendor.onward_transfers.iter().map(|onward| &onward.country);
    let countries = stored.chain(onward).cloned().collect::<Option<BTreeSet<Country>>>()?;
    let mut places = BTreeSet::new();
    for regime in situation.regimes() {
        let restricted = countries.iter().filter(|country| !situation.law.is_free(regime, country, situation.as_of));
        places.extend(restricted.map(|country| (regime, country.clone())));
    }
    Some(places)
}

/// The name of each vendor in rows: its id, with a number where the id is used again.
pub fn subjects(register: &Register) -> Vec<String> {
    let mut used: BTreeMap<&str, u32> = BTreeMap::new();
    let name = |vendor: &'_ Vendor, count: u32| {
        if count == 1 { vendor.id.clone() } else { format!("{}#{count}", vendor.id) }
    };
    register
        .vendors
        .iter()
        .map(|vendor| {
            let count = used.entry(&vendor.id).or_default();
            *count += 1;
            name(vendor, *count)
        })
        .collect()
}

/// Every row of the register, in its order, and what must be confirmed of the law tables.
pub fn judge(register: &Register, situation: &Situation<'_>) -> (Vec<Row>, Vec<LawNote>) {
    let day = situation.as_of;
    let mut heads = vec![completeness::organisation(&register.organisation)];
    let mut rows = Vec::new();
    if register.vendors.is_empty() {
        let rule = "vendor.register.incomplete";
        heads.push(Judgement::new(rule, Outcome::Unknown, Severity::Low, "register: it lists no vendor").of("vendors"));
    }
    for head in heads {
        let judged = judgement::Judged { judgements: vec![head], ..judgement::Judged::not_applicable("") };
        rows.extend(judgement::rows(completeness::ORGANISATION, &[], &judged, &[], day));
    }
    let subjects = subjects(register);
    let twins = completeness::Twins::find(register, &subjects);
    let mut notes = BTreeSet::new();
    for (vendor, subject) in register.vendors.iter().zip(&subjects) {
        let first = rows.len();
        for (checks, judged) in [
            (completeness::CHECKS, completeness::judge(subject, vendor, &twins, situation)),
            (agreement::CHECKS, agreement::judge(subject, vendor, situation)),
            (carriage::CHECKS, carriage::judge(subject, vendor, situation)),
        ] {
            rows.extend(judgement::rows(subject, checks, &judged, &vendor.exceptions, day));
            notes.extend(judged.notes);
        }
        source::say(rows.get_mut(first..).unwrap_or_default(), vendor);
    }
    (rows, notes.into_iter().collect())
}

/// The limits in force: what `probity.yaml` says, before the register, before the defaults.
pub fn policy(
    register: &Register,
    configured: &BTreeMap<String, Value>,
) -> Result<(VendorPolicy, Vec<PolicyOverride>), String> {
    let defaults: VendorPolicy = table::read("profiles/vendor.yaml")?;
    let own = register.policy.as_ref().map(|policy| &policy.vendor);
    let sets: Vec<_> = own.into_iter().chain([configured]).collect();
    defaults.with(&sets)
}

/// `vendor.rules` of every register that was read.
pub fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let registers = inputs.observations.iter().filter(|observation| observation.kind == "vendor.register");
    registers.map(|seen| derived("vendor.rules", seen, &[], || rules(seen, inputs))).collect()
}

fn rules(seen: &Observation, inputs: &Inputs<'_>) -> Result<Rules, Trouble> {
    let broken = |detail: String| Trouble::new(Reason::Internal, detail);
    let register: Register = seen.read().map_err(|_| broken("the recorded register is not of its form".to_owned()))?;
    let law = Law::load().map_err(broken)?;
    let (policy, policy_overrides) =
        policy(&register, &inputs.judging.policy.vendor).map_err(|detail| Trouble::new(Reason::Unsupported, detail))?;
    let as_of = day_in(inputs.as_of, register.organisation.time_zone.as_deref());
    let situation = Situation { law: &law, policy: &policy, organisation: &register.organisation, as_of };
    let (rows, law_notes) = judge(&register, &situation);
    Ok(Rules { as_of, law_data_version: law.law_data_version.clone(), law_notes, policy_overrides, rows })
}

/// An observation derived from one that was seen: failed where that failed, partial where that was.
pub(in crate::check::derive) fn derived<T: serde::Serialize>(
    kind: &str,
    seen: &Observation,
    also: &[&Observation],
    make: impl FnOnce() -> Result<T, Trouble>,
) -> Observation {
    let inputs: Vec<String> = [seen].iter().chain(also).map(|observation| observation.id.clone()).collect();
    let failed = |trouble| Observation::failed(kind, &seen.target, &seen.part, kind, seen.collected, trouble);
    let unsaid = || Trouble::new(Reason::Internal, "no reason was recorded");
    let made = if seen.status == ObservationStatus::Failed {
        failed(seen.trouble.clone().unwrap_or_else(unsaid))
    } else {
        match make() {
            Err(trouble) => failed(trouble),
            Ok(data) => Observation::complete(kind, &seen.target, &seen.part, kind, seen.collected, &data)
                .unwrap_or_else(|error| failed(Trouble::new(Reason::Internal, error.to_string()))),
        }
    };
    let made = if made.status == ObservationStatus::Complete && seen.status == ObservationStatus::Partial {
        made.partial(seen.trouble.clone().unwrap_or_else(unsaid))
    } else {
        made
    };
    made.from_inputs(inputs)
}

#[cfg(test)]
mod tests;
