//! Why a verdict is not conclusive: a cause for each blind spot that nobody accepted, with what would settle it.

use super::{Open, is_accepted, weigh};
use crate::finding::utc_date;
use crate::model::assessment::{Assessment, BlindSpot, Cause, Remedy};
use crate::model::target::Engine;
use crate::model::{Reason, Target};
use jiff::ToSpan as _;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// Days for which the proposed allowance holds; a year is the most that is good practice.
const ALLOWANCE_DAYS: i64 = 90;
/// Names of checks shown in one cause.
const MAX_CHECKS: usize = 3;

/// What ties blind spots of one target together: the addresses of one name, for example, all without an answer.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    target: String,
    reason: String,
    trouble: Option<Reason>,
}

/// A cause for each target and reason that is open and not accepted. Ten checks of one trouble give one cause.
pub(super) fn causes(assessment: &Assessment, today: Date) -> Vec<Cause> {
    let mut groups: BTreeMap<Group, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for spot in &assessment.blind_spots {
        let Some(checks) = refused(assessment, spot, today) else { continue };
        let group = Group { target: spot.target.clone(), reason: spot.reason.clone(), trouble: spot.trouble };
        let (parts, names) = groups.entry(group).or_default();
        parts.insert(spot.part.clone());
        names.extend(checks);
    }
    let targets: BTreeMap<&str, &Target> = assessment.targets.iter().rev().map(|it| (it.id.as_str(), it)).collect();
    let mut open: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for result in assessment.results.iter().filter(|result| result.status.is_open()) {
        open.entry(&result.target).or_default().insert(&result.check);
    }
    let mut causes: Vec<Cause> = groups
        .into_iter()
        .map(|(group, (parts, checks))| {
            let target = targets.get(group.target.as_str()).copied();
            // Where these are all that is open about the target, one line can accept them.
            let mut here = open.get(group.target.as_str()).into_iter().flatten();
            let all = here.all(|check| checks.contains(*check));
            Cause { text: words(&group, &parts, &checks), remedy: remedy(&group, &checks, all, target, today) }
        })
        .collect();
    let Open { total, .. } = weigh(assessment, today);
    if total == 0 && causes.is_empty() {
        let text = "no check gave a result: the scope is empty, or every check is switched off".to_owned();
        causes.push(Cause { text, remedy: Remedy::Command("probity scan HOST".to_owned()) });
    }
    causes
}

/// The checks of a blind spot that no allowance accepts as of the run's end; `None` where all is accepted.
pub fn unaccepted(assessment: &Assessment, spot: &BlindSpot) -> Option<Vec<String>> {
    refused(assessment, spot, utc_date(assessment.run.ended))
}

fn refused(assessment: &Assessment, spot: &BlindSpot, today: Date) -> Option<Vec<String>> {
    if spot.checks.is_empty() {
        return (!is_accepted(assessment, &spot.target, None, today)).then(Vec::new);
    }
    let open = spot.checks.iter().filter(|check| !is_accepted(assessment, &spot.target, Some(check), today));
    let open: Vec<String> = open.cloned().collect();
    (!open.is_empty()).then_some(open)
}

fn words(group: &Group, parts: &BTreeSet<String>, checks: &BTreeSet<String>) -> String {
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let place = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    let names: Vec<&str> = checks.iter().map(String::as_str).collect();
    let waiting = match names.as_slice() {
        [] => String::new(),
        few if few.len() <= MAX_CHECKS => format!("; {} cannot be judged", few.join(", ")),
        many => format!("; {} checks cannot be judged", many.len()),
    };
    format!("{}{place}: {}{waiting}", group.target, group.reason)
}

fn remedy(group: &Group, checks: &BTreeSet<String>, all: bool, target: Option<&Target>, today: Date) -> Remedy {
    if let Some(command) = command(&group.reason, group.trouble, target) {
        return Remedy::Command(command);
    }
    let expires = today.checked_add(ALLOWANCE_DAYS.days()).unwrap_or(today);
    let mut lines = String::from("policy:\n  allow_inconclusive:\n");
    // A check by name is the narrower allowance, and is proposed where it takes few lines.
    let narrow: Vec<Option<&String>> = match checks.len() {
        1..=MAX_CHECKS => checks.iter().map(Some).collect(),
        _ if all => vec![None],
        _ => checks.iter().map(Some).collect(),
    };
    for check in narrow {
        lines.push_str(&format!("    - target: {}\n", scalar(&group.target)));
        if let Some(check) = check {
            lines.push_str(&format!("      check: {}\n", scalar(check)));
        }
        lines.push_str("      reason: say why this may stay open\n");
        lines.push_str(&format!("      expires: {expires}\n"));
    }
    Remedy::Accept(lines)
}

/// The statement or command that brings the evidence which this reason tells is missing, where one is known.
pub fn command(reason: &str, trouble: Option<Reason>, target: Option<&Target>) -> Option<String> {
    let target = target?;
    let user = target.connection.user.as_deref().unwrap_or("auditor");
    let user = format!("\"{}\"", user.replace('"', "\"\""));
    // A collector that knows the missing right names it in its reason.
    let postgres = target.engine == Some(Engine::Postgresql);
    let rights = reason.find("GRANT ").filter(|_| postgres);
    if let Some(rights) = rights.and_then(|start| reason.get(start..)) {
        let end =
            [";", " would show", " (or "].iter().filter_map(|mark| rights.find(mark)).min().unwrap_or(rights.len());
        let rights = rights.get(..end)?.split(" and GRANT ").map(|right| {
            let right = right.trim_start_matches("GRANT ");
            let right = right.split(" TO ").next().unwrap_or(right);
            format!("GRANT {right} TO {user};")
        });
        return Some(rights.collect::<Vec<_>>().join("\n"));
    }
    // MySQL's collector names the account as well, whose host part stands nowhere else.
    if target.engine.is_some_and(Engine::speaks_mysql)
        && let Some(right) = mysql_right(reason)
    {
        return Some(right);
    }
    match trouble? {
        Reason::PermissionDenied if target.engine == Some(Engine::Sqlite) => {
            Some(format!("chmod u+r {}", shell(&target.address)))
        }
        _ => None,
    }
}

/// The whole statement in a reason of MySQL's collector.
fn mysql_right(reason: &str) -> Option<String> {
    let right = reason.get(reason.find("GRANT ")?..)?;
    let right = right.get(..right.find(" would show")?)?;
    right.contains(" TO '").then(|| format!("{right};"))
}

/// A text as a YAML scalar: plain where nothing in it has a meaning of its own.
fn scalar(text: &str) -> String {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c))
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"].contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
