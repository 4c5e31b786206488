//! Derives the score of a site after MDN HTTP Observatory, algorithms 5 and 6.
//!
//! The score is kept as compatible as can be, oddities included. Where it depends on what was not to be seen, such as a
//! browser's preload list, the worse case is taken and said.

mod csp;
mod field;
mod score;
#[cfg(test)]
mod tests;

use super::{Derivation, Inputs};
use crate::model::http::{Cookies, Cors, Hsts, Observatory, Page, Plain};
use crate::model::{Observation, ObservationStatus, Reason, Trouble};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// The derivation of `http.observatory`.
pub const OBSERVATORY: Derivation = Derivation { id: KIND, yields: &[KIND], derive };

const KIND: &str = "http.observatory";

/// What the score is made of.
#[derive(Clone, Default)]
pub struct Site {
    page: Page,
    cookies: Cookies,
    cors: Cors,
    hsts: Hsts,
    plain: Plain,
}

/// Observations of one part, by kind.
type Seen<'a> = BTreeMap<&'a str, &'a Observation>;

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let mut parts: BTreeMap<(&str, &str), Seen<'_>> = BTreeMap::new();
    for seen in inputs.observations.iter().filter(|seen| seen.kind.starts_with("http.")) {
        parts.entry((&seen.target, &seen.part)).or_default().insert(&seen.kind, seen);
    }
    // Without a page of this form, as in evidence of an older version, nothing is derived.
    let sites = parts.iter().filter(|(_, seen)| seen.contains_key("http.page"));
    sites.map(|((target, part), seen)| one(inputs, target, part, seen)).collect()
}

fn one(inputs: &Inputs<'_>, target: &str, part: &str, seen: &Seen<'_>) -> Observation {
    let mut ids: Vec<String> = seen.values().map(|observation| observation.id.clone()).collect();
    ids.sort();
    let mut cut = None;
    let derived = gather(seen, &mut cut).map(|site| score::observatory(&site));
    let failed = |trouble| Observation::failed(KIND, target, part, KIND, inputs.as_of, trouble);
    let observation = match derived {
        Ok(facts) => Observation::complete(KIND, target, part, KIND, inputs.as_of, &facts)
            .unwrap_or_else(|error| failed(Trouble::new(Reason::Internal, error.to_string()))),
        Err(trouble) => failed(trouble),
    };
    let observation = observation.from_inputs(ids);
    match cut {
        Some(trouble) if observation.status == ObservationStatus::Complete => observation.partial(trouble),
        _ => observation,
    }
}

fn gather(seen: &Seen<'_>, cut: &mut Option<Trouble>) -> Result<Site, Trouble> {
    Ok(Site {
        page: take(seen, "http.page", cut)?,
        cookies: take(seen, "http.cookies", cut)?,
        cors: take(seen, "http.cors", cut)?,
        hsts: take(seen, "http.hsts", cut)?,
        plain: take(seen, "http.plain", cut)?,
    })
}

/// The facts of a kind. What kept them from being seen keeps the score from being known.
fn take<T: DeserializeOwned>(seen: &Seen<'_>, kind: &str, cut: &mut Option<Trouble>) -> Result<T, Trouble> {
    let observation =
        seen.get(kind).ok_or_else(|| Trouble::new(Reason::Unsupported, format!("{kind} was not seen")))?;
    match observation.status {
        ObservationStatus::Failed => {
            return Err(observation.trouble.clone().unwrap_or_else(|| Trouble::new(Reason::Internal, kind)));
        }
        ObservationStatus::Partial => cut.clone_from(&observation.trouble),
        ObservationStatus::Complete => {}
    }
    observation.read().map_err(|_| Trouble::new(Reason::Internal, format!("{kind} is not of its form")))
}

impl Site {
    fn field(&self, name: &str) -> &[String] {
        self.page.fields.get(name).map_or(&[], Vec::as_slice)
    }

    fn meta(&self, name: &str) -> &[String] {
        self.page.meta.get(name).map_or(&[], Vec::as_slice)
    }

    /// What was taken for given.
    fn assumed(&self) -> Vec<String> {
        let mut assumed = Vec::new();
        if self.hsts.preloaded.known().is_none() {
            assumed.push("the host is in no preload list".to_owned());
        }
        if !self.plain.looked {
            assumed.push("nothing answers over plain HTTP, since no port of it is known".to_owned());
        }
        assumed
    }
}
