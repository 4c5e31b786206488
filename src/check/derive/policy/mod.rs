//! Sets what an endpoint shows against the policies that a person chose, such as those of Mozilla or PCI DSS.
//!
//! A rule of a policy is judged by the engine as a check is, with the same gates: what is not known makes it unknown,
//! and a policy with an unknown rule that binds is undetermined, never met. Where no policy was chosen, nothing is given.

mod file;

pub use file::{Level, Policy, Rule, policies};

use super::{Derivation, Inputs};
use crate::check::{Case, Engine};
use crate::model::tls_policy::{Policies, PolicyResult, PolicyRule};
use crate::model::{Check, CheckResult, Fact, Observation, Reason, Status, Target, TargetKind, Trouble};
use crate::yaml::nearest;
use std::collections::{BTreeMap, BTreeSet};

/// Gives `tls.policy` for every address of an endpoint, where a policy was chosen.
pub const POLICY: Derivation = Derivation { id: KIND, yields: &[KIND], derive };

const KIND: &str = "tls.policy";
/// The most values that are listed against one rule.
const MAX_OFFENDING: usize = 100;

/// The policy of this name, or what may have been meant.
///
/// # Errors
/// When there is none, in words; or when the policies cannot be read, a fault of ours.
pub fn find(id: &str) -> Result<Policy, String> {
    let all = policies().map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    if let Some(policy) = all.iter().find(|policy| policy.id == id) {
        return Ok(policy.clone());
    }
    let names: Vec<&str> = all.iter().map(|policy| policy.id.as_str()).collect();
    let help = match nearest(id, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let plain: Vec<&str> = names.into_iter().filter(|name| !name.contains('@')).collect();
            format!("the policies are {}", plain.join(", "))
        }
    };
    Err(format!("there is no policy `{id}`; {help}"))
}

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let mut wanted: Vec<&String> = Vec::new();
    for id in &inputs.judging.policy.tls {
        if !wanted.contains(&id) {
            wanted.push(id);
        }
    }
    if wanted.is_empty() {
        return Vec::new();
    }
    let places = places(inputs);
    let judged = wanted.into_iter().map(|id| find(id)).collect::<Result<Vec<_>, _>>().and_then(|chosen| {
        let results = judge(inputs, &chosen)?;
        Ok((chosen, results))
    });
    let places = places.into_iter();
    match judged {
        Ok((chosen, results)) => places.map(|place| observation(inputs, &chosen, &results, place)).collect(),
        Err(why) => places
            .map(|(target, part)| {
                let trouble = Trouble::new(Reason::Internal, why.clone());
                Observation::failed(KIND, &target.id, part, KIND, inputs.as_of, trouble)
            })
            .collect(),
    }
}

/// The addresses of endpoints that were looked at.
fn places<'a>(inputs: &Inputs<'a>) -> Vec<(&'a Target, &'a str)> {
    let mut parts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for observation in inputs.observations.iter().filter(|observation| observation.kind == "tls.protocols") {
        parts.entry(&observation.target).or_default().insert(&observation.part);
    }
    let endpoints = inputs.targets.iter().filter(|target| target.kind == TargetKind::Endpoint);
    endpoints
        .flat_map(|target| parts.get(target.id.as_str()).into_iter().flatten().map(move |part| (target, *part)))
        .collect()
}

type Results = BTreeMap<(String, String, String), Vec<CheckResult>>;

/// Judges every rule, by rule, target and part.
fn judge(inputs: &Inputs<'_>, chosen: &[Policy]) -> Result<Results, String> {
    let rules = chosen.iter().flat_map(|policy| &policy.rules);
    let checks: Vec<Check> = rules.filter_map(|rule| rule.check.as_deref().ok().cloned()).collect();
    let engine = Engine::of(&checks)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
    let case = Case { targets: inputs.targets, observations: inputs.observations, as_of: inputs.as_of };
    let mut results = Results::new();
    for result in engine.judge(&case) {
        let place = (result.check.clone(), result.target.clone(), result.part.clone());
        results.entry(place).or_default().push(result);
    }
    Ok(results)
}

fn observation(inputs: &Inputs<'_>, chosen: &[Policy], results: &Results, place: (&Target, &str)) -> Observation {
    let (target, part) = place;
    let mut policies = Policies::default();
    let mut cited = BTreeSet::new();
    for policy in chosen {
        let mut rows = Vec::new();
        for rule in &policy.rules {
            let found = |part: &str| {
                let id = rule.check.as_ref().ok()?.id.clone();
                results.get(&(id, target.id.clone(), part.to_owned()))
            };
            // What was seen without an address serves them all.
            let found = found(part).or_else(|| found("")).map(Vec::as_slice).unwrap_or_default();
            cited.extend(found.iter().flat_map(|result| result.observations.iter().cloned()));
            rows.push(row(policy, rule, found));
        }
        policies.policies.push(summed(policy, &rows));
        policies.rules.extend(rows);
    }
    Observation::complete(KIND, &target.id, part, KIND, inputs.as_of, &policies)
        .unwrap_or_else(|error| {
            let trouble = Trouble::new(Reason::Internal, error.to_string());
            Observation::failed(KIND, &target.id, part, KIND, inputs.as_of, trouble)
        })
        .from_inputs(cited.into_iter().collect())
}

/// One rule from the results of its items: one breach breaks it, one that is not known leaves it unknown.
fn row(policy: &Policy, rule: &Rule, results: &[CheckResult]) -> PolicyRule {
    let written = &rule.written;
    let of = |status: &[Status]| {
        let status = status.to_vec();
        results.iter().filter(move |result| status.contains(&result.status))
    };
    let unclear = of(&[Status::NotEvaluated, Status::Error, Status::NeedsReview]).next();
    let (result, holds, reason) = if of(&[Status::Fail]).next().is_some() {
        ("broken", Fact::Known(false), format!("it does not hold that: {}", written.title))
    } else if let Some(unclear) = unclear {
        ("unknown", Fact::unknown(unclear.reason.clone()), unclear.reason.clone())
    } else if of(&[Status::Pass]).next().is_some() {
        ("holds", Fact::Known(true), format!("it holds that: {}", written.title))
    } else if let Some(first) = results.first() {
        ("not-applicable", Fact::Known(true), first.reason.clone())
    } else {
        let why = match &rule.check {
            Err(why) => why.clone(),
            Ok(_) => "nothing was seen of it".to_owned(),
        };
        ("unknown", Fact::unknown(why.clone()), why)
    };
    let offending: Vec<String> = of(&[Status::Fail]).take(MAX_OFFENDING).map(offence).collect();
    let reason = if offending.is_empty() { reason } else { format!("{reason}; seen: {}", offending.join(", ")) };
    PolicyRule {
        policy: policy.id.clone(),
        id: written.id.clone(),
        title: written.title.clone(),
        level: written.level.word().to_owned(),
        severity: written.level.severity().word().to_owned(),
        result: result.to_owned(),
        applies: result != "not-applicable",
        holds,
        offending,
        reason,
        reference: written.reference.clone(),
        verified: written.verified,
    }
}

/// What breaks a rule: the item, and what was seen of it.
fn offence(result: &CheckResult) -> String {
    let seen = match &result.actual {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match (result.item.is_empty(), seen.is_empty()) {
        (true, true) => "the endpoint".to_owned(),
        (true, false) => seen,
        (false, true) => result.item.clone(),
        (false, false) => format!("{}: {seen}", result.item),
    }
}

/// The result of a policy from its rules.
fn summed(policy: &Policy, rows: &[PolicyRule]) -> PolicyResult {
    let ids = |level: Level, result: &str| -> Vec<String> {
        let rows = rows.iter().filter(|row| row.level == level.word() && row.result == result);
        rows.map(|row| row.id.clone()).collect()
    };
    let (broken, unknown) = (ids(Level::Must, "broken"), ids(Level::Must, "unknown"));
    let holds = rows.iter().any(|row| row.level == Level::Must.word() && row.result == "holds");
    let (result, met, because) = if !broken.is_empty() {
        ("not_met", Fact::Known(false), broken)
    } else if !unknown.is_empty() || !holds {
        let why = format!("not known: {}", unknown.join(", "));
        ("undetermined", Fact::unknown(why), unknown)
    } else {
        ("met", Fact::Known(true), Vec::new())
    };
    PolicyResult {
        id: policy.id.clone(),
        title: policy.title.clone(),
        edition: policy.edition.clone(),
        result: result.to_owned(),
        met,
        because,
        warnings: ids(Level::Should, "broken"),
    }
}

#[cfg(test)]
mod tests;
