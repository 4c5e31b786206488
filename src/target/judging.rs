//! What policy, overlays and waivers must hold to.

use super::suggest;
use crate::model::policy::Judging;
use crate::model::{Target, Waiver};
use crate::yaml::{Diagnostic, Spot};
use jiff::ToSpan as _;
use std::collections::BTreeMap;

/// Mistakes, and hints, that need no catalogue.
pub(super) fn mistakes(judging: &Judging, targets: &[Target], root: &Spot<'_>) -> (Vec<Diagnostic>, Vec<Diagnostic>) {
    let ids: Vec<&str> = targets.iter().map(|target| target.id.as_str()).collect();
    let mut mistakes = Vec::new();
    let mut hints = Vec::new();
    policy(judging, &ids, &root.key("policy"), &mut mistakes);
    for (check, overlay) in &judging.checks {
        let spot = root.key("checks").key(check);
        if overlay.enabled == Some(false) && blank(overlay.reason.as_deref()) {
            let mistake = spot.key("enabled").mistake_in_key(format!("`{check}` is off without a reason"));
            mistakes.push(mistake.help("say why, for example  reason: published on the corporate site"));
        }
    }
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for (waiver, spot) in judging.waivers.iter().zip(root.key("waivers").items()) {
        if let Some(first) = seen.insert(&waiver.id, spot.key("id").line()) {
            let mistake = spot.key("id").mistake(format!("repeated waiver id `{}`", waiver.id));
            mistakes
                .push(mistake.label(format!("first used on line {first}")).help("give each waiver an id of its own"));
        }
        filled(waiver, &spot, &mut mistakes);
        dates(waiver, &spot, &mut mistakes);
        if !ids.contains(&waiver.target.as_str()) {
            let hint = spot.key("target").mistake(format!("waiver `{}` is for no declared target", waiver.id));
            hints.push(
                suggest(hint, &waiver.target, &ids).help("a waiver that matches nothing is reported as a finding"),
            );
        }
    }
    (mistakes, hints)
}

fn policy(judging: &Judging, ids: &[&str], spot: &Spot<'_>, mistakes: &mut Vec<Diagnostic>) {
    if judging.policy.min_coverage > 100 {
        let mistake = spot.key("min_coverage").mistake("the coverage is above 100 per cent");
        mistakes.push(mistake.help("write a whole number from 0 to 100"));
    }
    for (allowance, spot) in judging.policy.allow_inconclusive.iter().zip(spot.key("allow_inconclusive").items()) {
        if blank(Some(&allowance.reason)) {
            mistakes.push(spot.key("reason").mistake_in_key("the reason is empty").help("say why it is accepted"));
        }
        if !ids.contains(&allowance.target.as_str()) {
            let mistake = spot.key("target").mistake(format!("`{}` is no declared target", allowance.target));
            mistakes.push(suggest(mistake, &allowance.target, ids));
        }
    }
}

fn blank(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.trim().is_empty())
}

fn filled(waiver: &Waiver, spot: &Spot<'_>, mistakes: &mut Vec<Diagnostic>) {
    let texts = [
        ("id", &waiver.id),
        ("check", &waiver.check),
        ("target", &waiver.target),
        ("reason", &waiver.reason),
        ("owner", &waiver.owner),
        ("approved_by", &waiver.approved_by),
    ];
    for (key, text) in texts {
        if blank(Some(text)) {
            let mistake = spot.key(key).mistake_in_key(format!("the waiver's `{key}` is empty"));
            mistakes.push(mistake.help("a waiver says what is accepted, why, and by whom"));
        }
    }
}

fn dates(waiver: &Waiver, spot: &Spot<'_>, mistakes: &mut Vec<Diagnostic>) {
    let expires = spot.key("expires");
    if waiver.expires < waiver.created {
        let mistake = expires.mistake("the waiver expires before it was created");
        mistakes.push(mistake.label(format!("created on {}", waiver.created)));
        return;
    }
    // At the end of the calendar no date is a year later, so nothing can be too late.
    let Ok(latest) = waiver.created.checked_add(1.year()) else { return };
    if waiver.expires > latest {
        let mistake = expires.mistake("the waiver lasts longer than a year");
        let help = format!("write {latest} or earlier, and renew the waiver when it is looked at again");
        mistakes.push(mistake.label(format!("created on {}", waiver.created)).help(help));
    }
}

/// Names of checks and frameworks that the catalogue does not have.
pub(super) fn unknown_names(
    judging: &Judging,
    root: &Spot<'_>,
    checks: &[&str],
    frameworks: &[&str],
) -> Vec<Diagnostic> {
    let mut mistakes = Vec::new();
    let mut look = |name: &str, known: &[&str], what: &str, mistake: &dyn Fn(String) -> Diagnostic| {
        if !known.contains(&name) {
            mistakes.push(suggest(mistake(format!("there is no {what} `{name}`")), name, known));
        }
    };
    for id in judging.checks.keys() {
        let spot = root.key("checks").key(id);
        look(id, checks, "check", &|message| spot.mistake_in_key(message));
    }
    for (waiver, spot) in judging.waivers.iter().zip(root.key("waivers").items()) {
        look(&waiver.check, checks, "check", &|message| spot.key("check").mistake(message));
    }
    let policy = root.key("policy");
    let allowances = judging.policy.allow_inconclusive.iter().zip(policy.key("allow_inconclusive").items());
    for (allowance, spot) in allowances {
        if let Some(check) = &allowance.check {
            look(check, checks, "check", &|message| spot.key("check").mistake(message));
        }
    }
    // The frameworks of the default are not written anywhere, and are the catalogue's own affair.
    for (framework, spot) in judging.policy.frameworks.iter().zip(policy.key("frameworks").items()) {
        look(framework, frameworks, "framework", &|message| spot.mistake(message));
    }
    mistakes
}
