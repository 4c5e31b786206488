//! The rules of the register itself (`vendor.register`): complete, without duplicates, exceptions in date.

use super::judgement::{Judged, Judgement};
use super::{Situation, outside};
use crate::model::Severity::{Low, Medium};
use crate::model::register::agreement::Authorisation;
use crate::model::register::{Country, Dpa, DpaStatus, Organisation, Outcome, Register, Vendor, VendorRole};
use std::collections::BTreeMap;

/// The checks of this table.
pub const CHECKS: &[&str] = &["vendor.register"];

/// The organisation's name in rows; no vendor can have it as its id.
pub const ORGANISATION: &str = "(organisation)";

/// Judges the organisation's own entry.
pub fn organisation(organisation: &Organisation) -> Judgement {
    let mut missing = Vec::new();
    let mut want = |name: &'static str, there: bool| {
        if !there {
            missing.push(name.to_owned());
        }
    };
    want("name", written(organisation.name.as_ref()));
    want("role", organisation.role.as_ref().is_some_and(|roles| !roles.is_empty()));
    want("exporter_regimes", organisation.exporter_regimes.is_some());
    want("country", organisation.country.is_some());
    want("dpo.required", organisation.dpo.as_ref().is_some_and(|dpo| dpo.required.is_some()));
    incomplete(ORGANISATION, missing)
}

/// Judges one vendor's entry.
pub fn judge(subject: &str, vendor: &Vendor, twins: &Twins, situation: &Situation<'_>) -> Judged {
    let mut judgements = vec![incomplete(subject, missing(vendor, situation)), twins.judge(subject)];
    judgements.extend(exceptions(subject, vendor, situation));
    Judged { judgements, otherwise: (Outcome::Unknown, "not judged".to_owned()), notes: Vec::new() }
}

fn incomplete(subject: &str, missing: Vec<String>) -> Judgement {
    let rule = "vendor.register.incomplete";
    if missing.is_empty() {
        return Judgement::new(rule, Outcome::Pass, Low, format!("{subject}: every required field is recorded"));
    }
    Judgement::new(rule, Outcome::Fail, Low, format!("{subject}: required and not recorded: {}", missing.join(", ")))
}

fn written(text: Option<&String>) -> bool {
    text.is_some_and(|text| !text.trim().is_empty())
}

/// The fields that are required of this vendor and absent, in the order of the tables.
fn missing(vendor: &Vendor, situation: &Situation<'_>) -> Vec<String> {
    let processor = matches!(vendor.role, Some(VendorRole::Processor | VendorRole::SubProcessor));
    let handles = vendor.personal_data == Some(true);
    let outside = is_outside_every_area(vendor, situation);
    let general = vendor.dpa.as_ref().is_some_and(|dpa| dpa.authorisation == Some(Authorisation::General));
    let rows = [
        ("name", true, written(vendor.name.as_ref())),
        ("status", true, vendor.status.is_some()),
        ("role", true, vendor.role.is_some()),
        ("service", true, written(vendor.service.as_ref())),
        ("criticality", true, vendor.criticality.is_some()),
        ("owner", true, vendor.owner.given()),
        ("contacts", vendor.role.is_some_and(|role| role != VendorRole::None), vendor.contacts.is_some()),
        ("personal_data", true, vendor.personal_data.is_some()),
        ("data_categories", handles, vendor.data_categories.as_ref().is_some_and(|set| !set.is_empty())),
        ("subject_categories", handles, vendor.subject_categories.as_ref().is_some_and(|set| !set.is_empty())),
        ("locations", handles, vendor.locations.as_ref().is_some_and(|list| !list.is_empty())),
        ("dpa", processor, vendor.dpa.is_some()),
        ("transfers", outside, vendor.transfers.is_some()),
        ("subprocessors", processor, vendor.subprocessors.is_some()),
        ("subprocessor_notice_days", processor && general, vendor.subprocessor_notice_days.is_some()),
        ("breach_notice_hours", processor, vendor.breach_notice_hours.is_some()),
        ("exit", processor, vendor.exit.is_some()),
        ("security_review", handles, vendor.security_review.is_some()),
    ];
    let mut missing: Vec<String> =
        rows.into_iter().filter(|(_, asked, there)| *asked && !there).map(|(name, ..)| name.to_owned()).collect();
    if let Some(dpa) = &vendor.dpa {
        missing.extend(missing_in_dpa(dpa).map(|name| format!("dpa.{name}")));
    }
    missing.extend(missing_in_lists(vendor));
    missing
}

/// Whether a place lies outside the free area of every law that applies: then the transfers must be listed.
fn is_outside_every_area(vendor: &Vendor, situation: &Situation<'_>) -> bool {
    let laws = situation.regimes().len();
    let mut restricted: BTreeMap<Country, usize> = BTreeMap::new();
    for (_, country) in outside(vendor, situation).into_iter().flatten() {
        *restricted.entry(country).or_default() += 1;
    }
    restricted.values().any(|count| *count == laws)
}

fn missing_in_dpa(dpa: &Dpa) -> impl Iterator<Item = &'static str> {
    use DpaStatus::{IncorporatedByTerms, SignedByBoth, SignedByUs};
    let terms = dpa.status == Some(IncorporatedByTerms);
    [
        ("status", true, dpa.status.is_some()),
        (
            "signed_on",
            matches!(dpa.status, Some(SignedByUs | SignedByBoth | IncorporatedByTerms)),
            dpa.signed_on.is_some(),
        ),
        ("counter_signed_on", dpa.status == Some(SignedByBoth), dpa.counter_signed_on.is_some()),
        ("terms_url", terms, written(dpa.terms_url.as_ref())),
        ("terms_version", terms, written(dpa.terms_version.as_ref())),
    ]
    .into_iter()
    .filter(|(_, asked, there)| *asked && !there)
    .map(|(name, ..)| name)
}

/// What members of the vendor's lists lack. Of a long list only the first are named.
fn missing_in_lists(vendor: &Vendor) -> Vec<String> {
    let mut missing = Vec::new();
    for (n, location) in vendor.locations.iter().flatten().enumerate() {
        if location.country.is_none() {
            missing.push(format!("locations[{n}].country"));
        }
        if location.purpose.is_none() {
            missing.push(format!("locations[{n}].purpose"));
        }
    }
    for (n, transfer) in vendor.transfers.iter().flatten().enumerate() {
        let fields = [
            ("regime", transfer.regime.is_some()),
            ("from_country", transfer.from_country.is_some()),
            ("to_country", transfer.to_country.is_some()),
            ("exporter_role", transfer.exporter_role.is_some()),
            ("importer_role", transfer.importer_role.is_some()),
            ("mechanisms", transfer.mechanisms.is_some()),
        ];
        missing.extend(fields.iter().filter(|(_, there)| !there).map(|(name, _)| format!("transfers[{n}].{name}")));
    }
    for (n, exception) in vendor.exceptions.iter().enumerate() {
        let fields = [
            ("rule", written(exception.rule.as_ref())),
            ("reason", written(exception.reason.as_ref())),
            ("approved_by", exception.approved_by.given()),
            ("expires_on", exception.expires_on.is_some()),
        ];
        missing.extend(fields.iter().filter(|(_, there)| !there).map(|(name, _)| format!("exceptions[{n}].{name}")));
    }
    let more = missing.len().saturating_sub(20);
    missing.truncate(20);
    if more > 0 {
        missing.push(format!("and {more} more"));
    }
    missing
}

fn exceptions(subject: &str, vendor: &Vendor, situation: &Situation<'_>) -> Vec<Judgement> {
    let dated = vendor.exceptions.iter().enumerate().filter_map(|(n, exception)| Some((n, exception.expires_on?)));
    dated
        .map(|(n, last)| {
            let expired = last < situation.as_of;
            let reason = if expired {
                format!("{subject}: an exception ended on {last}; its rule applies again")
            } else {
                format!("{subject}: an exception is in date until {last}")
            };
            let outcome = if expired { Outcome::Fail } else { Outcome::Pass };
            Judgement::new("vendor.register.exception_expired", outcome, Medium, reason).of(&n.to_string())
        })
        .collect()
}

/// Which vendors share an id or a domain.
pub struct Twins(BTreeMap<String, Vec<String>>);

impl Twins {
    /// Finds them, in one walk over the register; each vendor goes by its subject.
    pub fn find(register: &Register, subjects: &[String]) -> Twins {
        let mut holders: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for (vendor, subject) in register.vendors.iter().zip(subjects) {
            let domains = vendor.domains.iter().map(|domain| domain.trim().trim_end_matches('.').to_lowercase());
            let mut marks: Vec<String> = domains.filter(|domain| !domain.is_empty()).collect();
            marks.sort();
            marks.dedup();
            // An id holds no dot and no colon, so the two kinds of mark cannot meet.
            marks.push(format!("id:{}", vendor.id));
            for mark in marks {
                holders.entry(mark).or_default().push(subject);
            }
        }
        let mut twins: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (mark, holders) in holders.into_iter().filter(|(_, holders)| holders.len() > 1) {
            let what = if mark.starts_with("id:") { "an id" } else { "a domain" };
            for (n, holder) in holders.iter().enumerate() {
                // Naming one other keeps the work linear where thousands share a mark.
                if let Some(other) = holders.get(if n == 0 { 1 } else { 0 }) {
                    twins.entry((*holder).clone()).or_default().push(format!("{what} with {other}"));
                }
            }
        }
        Twins(twins)
    }

    fn judge(&self, subject: &str) -> Judgement {
        let rule = "vendor.register.duplicate";
        match self.0.get(subject) {
            Some(shared) => {
                let named: Vec<_> = shared.iter().take(10).map(String::as_str).collect();
                Judgement::new(rule, Outcome::Fail, Low, format!("{subject}: shares {}", named.join(", ")))
            }
            None => Judgement::new(rule, Outcome::Pass, Low, format!("{subject}: shares no id and no domain")),
        }
    }
}
