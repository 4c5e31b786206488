//! Brings runs into the store, and judges again what lies there.

use super::judge;
use crate::catalogue::{Catalogue, is_table};
use crate::control;
use crate::gate;
use crate::model::assessment::{Gate, Verdict};
use crate::model::observation::Method;
use crate::model::{Assessment, CheckResult, Framework, digest};
use crate::net::Random;
use crate::store::key::Signer;
use crate::store::{Closing, Recalled, Store, StoreError, Stored};
use crate::yaml::Diagnostic;
use data_encoding::HEXLOWER;
use std::collections::BTreeMap;

/// The most differences that are named.
const NAMED: usize = 20;

/// Adds a judged run to a store.
///
/// # Errors
/// When the store does not take it.
pub fn keep(
    store: &Store,
    assessment: &Assessment,
    verdict: &Verdict,
    catalogue: &Catalogue,
    random: &dyn Random,
    signer: Option<&Signer>,
) -> Result<Stored, StoreError> {
    let who = format!("{} at {}, run {}", assessment.run.principal, assessment.run.host, assessment.run.id);
    let mut salt = [0; 32];
    random.fill(&mut salt);
    let catalogue = catalogue.texts();
    store.writer(&who)?.append(&Closing { assessment, verdict, catalogue: &catalogue, salt, signer })
}

/// What judging again gave.
#[derive(Debug, PartialEq, Eq)]
pub struct Again {
    /// Results that were compared.
    pub results: usize,
    /// In words; none where all is as it was.
    pub differences: Vec<String>,
    /// Tables of this version that are not those of the run, and on which its results may hang.
    pub tables: Vec<String>,
}

/// Judges a stored run again with the checks that are stored with it, and compares every result byte for byte.
///
/// # Errors
/// When the stored checks cannot be used.
pub fn again(recalled: &Recalled) -> Result<Again, Vec<Diagnostic>> {
    let catalogue = Catalogue::from_texts(&recalled.catalogue)?;
    let present = catalogue.texts();
    let stored = &recalled.catalogue;
    let tables = stored.iter().filter(|(name, text)| is_table(name) && present.get(*name) != Some(*text));
    let tables: Vec<String> = tables.map(|(name, _)| name.clone()).collect();
    let assessment = judge(recalled.evidence.clone(), &catalogue)?;
    let mut differences = Vec::new();
    let mut differ = |words: String| {
        if differences.len() < NAMED {
            differences.push(words);
        }
    };
    if HEXLOWER.encode(&recalled.root) != recalled.manifest.records.root {
        differ("the records are not those that the run commits to".to_owned());
    }
    if catalogue.digest() != recalled.manifest.catalogue.digest {
        differ("the checks are not those that the run names".to_owned());
    }
    let seen = |ids: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        let mut ids: Vec<String> = ids.map(str::to_owned).collect();
        ids.sort();
        ids
    };
    let derived = assessment.observations.iter().filter(|seen| seen.method == Method::Derived);
    if seen(&mut derived.map(|one| one.id.as_str())) != seen(&mut recalled.derived.iter().map(|one| one.id.as_str())) {
        differ("what is derived from the records is not what was derived then".to_owned());
    }
    let (before, after) = (by_place(&recalled.results), by_place(&assessment.results));
    for (place, was) in &before {
        match after.get(place) {
            Some(is) if digest::canonical(is).ok() == digest::canonical(was).ok() => {}
            Some(is) => differ(format!("{}: was {}, is {}", words(was), was.status.word(), is.status.word())),
            None => differ(format!("{}: was {}, is no more", words(was), was.status.word())),
        }
    }
    for (_, is) in after.iter().filter(|(place, _)| !before.contains_key(*place)) {
        differ(format!("{}: was not there, is {}", words(is), is.status.word()));
    }
    let was = recalled.manifest.verdict.gate;
    let is = gate::decide(&assessment, was == Gate::Waived).gate;
    if was != is {
        differ(format!("the gate: was {}, is {}", was.word(), is.word()));
    }
    Ok(Again { results: before.len(), differences, tables })
}

type Place<'a> = (&'a str, &'a str, &'a str, &'a str);

fn by_place(results: &[CheckResult]) -> BTreeMap<Place<'_>, &CheckResult> {
    results.iter().map(|result| ((&*result.check, &*result.target, &*result.part, &*result.item), result)).collect()
}

fn words(result: &CheckResult) -> String {
    let parts = [&result.check, &result.target, &result.part, &result.item];
    let parts: Vec<&str> = parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// The assessment of a stored run as it was judged then, and the catalogue that judged it.
///
/// # Errors
/// When the stored checks cannot be used.
pub fn assessment(recalled: Recalled) -> Result<(Assessment, Catalogue), Vec<Diagnostic>> {
    let catalogue = Catalogue::from_texts(&recalled.catalogue)?;
    let known = catalogue.frameworks();
    let wanted = &recalled.evidence.judging.policy.frameworks;
    let frameworks: Vec<&Framework> = wanted.iter().filter_map(|id| known.get(id)).collect();
    let digest = recalled.manifest.catalogue.digest.clone();
    let assessment = control::assess(recalled.evidence, recalled.derived, recalled.results, &frameworks, &digest);
    Ok((assessment, catalogue))
}
