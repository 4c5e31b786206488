//! Derives the tests of every erasure from the ledger and from what each store holds.

use super::day::days_between;
use super::vendors::derived;
use super::{Derivation, Inputs};
use crate::model::erasure::found::{BackupRow, EntryRow, GraphRow, PathRow, RecipientRow, TraceRow};
use crate::model::erasure::ledger::EntryFacts;
use crate::model::erasure::{EdgeTraces, Erased, LedgerFacts, SetFacts, SetTraces, Subjects};
use crate::model::retention::Period;
use crate::model::{Fact, Observation, ObservationStatus, Reason, Trouble};
use jiff::Span;
use jiff::civil::Date;
use std::collections::{BTreeMap, BTreeSet};

/// Gives `data.erasure` for every ledger.
pub const ERASURE: Derivation = Derivation { id: "data.erasure", yields: &["data.erasure"], derive };

/// References that are named in one row.
const MAX_REFS: usize = 10;

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    let of = |kind: &'static str| inputs.observations.iter().filter(move |observation| observation.kind == kind);
    let one = |seen: &Observation| {
        let ledger: Option<LedgerFacts> = seen.read().ok();
        let stores: BTreeSet<&str> =
            ledger.iter().flat_map(|ledger| &ledger.sets).map(|set| set.store.as_str()).collect();
        let looks: Vec<&Observation> =
            of("data.subjects").filter(|look| stores.contains(look.target.as_str())).collect();
        derived("data.erasure", seen, &looks, || {
            let ledger: LedgerFacts =
                seen.read().map_err(|_| Trouble::new(Reason::Internal, "the recorded ledger is not of its form"))?;
            let today =
                ledger.as_of_day.parse().map_err(|_| Trouble::new(Reason::Internal, "the ledger has no day"))?;
            Ok(judge(&ledger, &Stores::new(&looks), today))
        })
    };
    of("data.ledger").map(one).collect()
}

/// What each store holds, or why that is not known.
pub struct Stores(BTreeMap<String, Result<Subjects, String>>);

impl Stores {
    /// From the looks at them. Of several parts of a store the first that was seen counts.
    pub fn new(looks: &[&Observation]) -> Stores {
        let mut stores: BTreeMap<String, Result<Subjects, String>> = BTreeMap::new();
        for look in looks {
            let held = match look.status {
                ObservationStatus::Failed => Err(look.trouble.as_ref().map(ToString::to_string).unwrap_or_default()),
                _ => look.read::<Subjects>().map_err(|_| "the recorded look is not of its form".to_owned()),
            };
            let known = stores.entry(look.target.clone()).or_insert_with(|| held.clone());
            if known.is_err() && held.is_ok() {
                *known = held;
            }
        }
        Stores(stores)
    }

    /// What a store holds.
    pub fn get(&self, store: &str) -> Result<&Subjects, String> {
        match self.0.get(store) {
            Some(Ok(subjects)) => Ok(subjects),
            Some(Err(why)) => Err(why.clone()),
            None => Err(format!("nothing looked for persons in `{store}`")),
        }
    }
}

/// Every test.
pub fn judge(ledger: &LedgerFacts, stores: &Stores, today: Date) -> Erased {
    let done: Vec<(&EntryFacts, Date)> = ledger
        .entries
        .iter()
        .filter(|entry| matches!(entry.outcome.as_str(), "erased" | "partial"))
        .filter_map(|entry| Some((entry, entry.completed_on.parse().ok()?)))
        .collect();
    let keyed = ledger.sets.iter().filter(|set| !set.namespace.is_empty());
    let traces: Vec<(&SetFacts, Result<SetTraces, String>)> = keyed.map(|set| (set, traces(set, stores))).collect();
    Erased {
        as_of_day: today.to_string(),
        entries: ledger.entries.iter().map(|entry| self::entry(entry, today)).collect(),
        residual: traces.iter().map(|(set, seen)| residual(set, seen)).collect(),
        reappeared: traces.iter().map(|(set, seen)| reappeared(set, seen)).collect(),
        orphans: orphans(ledger, stores),
        graph: graph(ledger, stores),
        suppression: ["import", "restore"].map(|path| suppression(ledger, path)).into(),
        recipients: recipients(ledger, &done),
        backups: backups(ledger, &done, today),
    }
}

fn entry(entry: &EntryFacts, today: Date) -> EntryRow {
    let (due, completed) = (entry.due_on.parse::<Date>(), entry.completed_on.parse::<Date>().ok());
    let due = due.unwrap_or(today);
    let ended = completed.unwrap_or(today);
    let late = days_between(due, ended).max(0);
    let (state, holds, words) = match (completed, entry.outcome.as_str()) {
        (Some(day), "refused") if entry.grounds.is_empty() => {
            ("refused", false, format!("refused on {day} without a ground"))
        }
        (Some(day), "refused") => ("refused", late == 0, format!("refused on {day}: {}", entry.grounds.join(", "))),
        (Some(day), "partial") if entry.grounds.is_empty() => {
            ("done", false, format!("done in part on {day}, and no ground says what was kept"))
        }
        (Some(day), _) if late > 0 => ("late", false, format!("done on {day}, {late} days after {due}")),
        (Some(day), _) => ("done", true, format!("done on {day}, due on {due}")),
        (None, _) if late > 0 => ("overdue", false, format!("not done, and {late} days over {due}")),
        (None, _) => ("open", true, format!("open, and due on {due}")),
    };
    EntryRow { key: entry.key.clone(), judged: state != "open", holds, state: state.to_owned(), reason: words }
}

/// What was found of the erased in a set, or why that is not known.
fn traces(set: &SetFacts, stores: &Stores) -> Result<SetTraces, String> {
    let found = stores.get(&set.store)?.sets.iter().find(|seen| seen.key == set.key);
    found.cloned().ok_or_else(|| "the look at its store does not name it".to_owned())
}

fn at_least(capped: bool) -> &'static str {
    if capped { "at least " } else { "" }
}

fn residual(set: &SetFacts, seen: &Result<SetTraces, String>) -> TraceRow {
    trace(set, seen, |seen| (&seen.residual, &seen.residual_refs), "left of")
}

fn reappeared(set: &SetFacts, seen: &Result<SetTraces, String>) -> TraceRow {
    trace(set, seen, |seen| (&seen.reappeared, &seen.reappeared_refs), "made after")
}

fn trace(
    set: &SetFacts,
    seen: &Result<SetTraces, String>,
    part: impl Fn(&SetTraces) -> (&Fact<u64>, &Vec<String>),
    words: &str,
) -> TraceRow {
    let (rows, summary) = match seen {
        Err(why) => (Fact::unknown(why.clone()), why.clone()),
        Ok(seen) => {
            let (rows, refs) = part(seen);
            let summary = match rows.known() {
                Some(0) => format!("0 rows {words} {} erasures; {}", seen.entries, seen.how),
                Some(count) => {
                    let refs: Vec<&str> = refs.iter().take(MAX_REFS).map(String::as_str).collect();
                    format!("{}{count} rows {words} {}", at_least(seen.capped), refs.join(", "))
                }
                None => rows.reason().unwrap_or_default().to_owned(),
            };
            let kept = if seen.excepted > 0 {
                format!("; {} rows are kept on a ground", seen.excepted)
            } else {
                String::new()
            };
            (rows.clone(), summary + &kept)
        }
    };
    TraceRow { key: set.key.clone(), rows, severity: "high".to_owned(), summary }
}

/// Every edge that any store tells, and those that were declared and not looked at.
fn orphans(ledger: &LedgerFacts, stores: &Stores) -> Vec<TraceRow> {
    let mut rows = BTreeMap::new();
    let holds: BTreeSet<&str> = ledger.sets.iter().map(|set| set.store.as_str()).collect();
    for store in holds {
        match stores.get(store) {
            Ok(subjects) => {
                let several = ledger.sets.iter().any(|set| set.store != store);
                for edge in &subjects.edges {
                    let key = if several { format!("{store}: {}", edge.key) } else { edge.key.clone() };
                    rows.insert(key.clone(), orphan(key, edge));
                }
            }
            Err(why) => {
                let key = format!("{store}: every edge");
                rows.insert(
                    key.clone(),
                    TraceRow { key, rows: Fact::unknown(why.clone()), severity: "medium".to_owned(), summary: why },
                );
            }
        }
    }
    rows.into_values().collect()
}

fn orphan(key: String, edge: &EdgeTraces) -> TraceRow {
    let summary = match edge.orphans.known() {
        Some(rows) => format!(
            "{}{rows} rows of {} belong to no row of {}; {}",
            at_least(edge.capped),
            edge.child,
            edge.parent,
            edge.how
        ),
        None => edge.orphans.reason().unwrap_or_default().to_owned(),
    };
    let severity = if edge.sensitive { "high" } else { "medium" };
    TraceRow { key, rows: edge.orphans.clone(), severity: severity.to_owned(), summary }
}

/// Whether each set with persons is reached from the persons themselves, along declared edges and foreign keys.
fn graph(ledger: &LedgerFacts, stores: &Stores) -> Vec<GraphRow> {
    let mut unseen: Vec<String> = Vec::new();
    let mut parents: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (child, parent) in &ledger.edges {
        parents.entry(child).or_default().insert(parent);
    }
    let holds: BTreeSet<&str> = ledger.sets.iter().map(|set| set.store.as_str()).collect();
    for store in holds {
        match stores.get(store) {
            Ok(subjects) => {
                for edge in &subjects.edges {
                    parents.entry(&edge.child).or_default().insert(&edge.parent);
                    // The foreign keys of this store were not read.
                    if edge.child.is_empty() {
                        unseen.extend(edge.orphans.reason().map(str::to_owned));
                    }
                }
            }
            Err(why) => unseen.push(why),
        }
    }
    let keyed = ledger.sets.iter().filter(|set| !set.namespace.is_empty());
    keyed
        .map(|set| {
            let (mapped, how) = if ledger.root.is_empty() {
                (
                    Fact::unknown("`erasure.root` names no data set that holds the persons"),
                    "no root is named".to_owned(),
                )
            } else if set.key == ledger.root {
                (Fact::Known(true), "it holds the persons".to_owned())
            } else if ledger.independent.contains(&set.key) {
                (Fact::Known(true), "declared independent, with a reason".to_owned())
            } else if reaches(&set.key, &ledger.root, &parents) {
                (Fact::Known(true), format!("edges lead to {}", ledger.root))
            } else if let Some(why) = unseen.first() {
                (
                    Fact::unknown(format!(
                        "no declared edge leads to {}, and foreign keys were not read: {why}",
                        ledger.root
                    )),
                    why.clone(),
                )
            } else {
                (Fact::Known(false), format!("no edge leads to {}", ledger.root))
            };
            GraphRow { key: set.key.clone(), mapped, how }
        })
        .collect()
}

fn reaches(from: &str, root: &str, parents: &BTreeMap<&str, BTreeSet<&str>>) -> bool {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open = vec![from];
    while let Some(place) = open.pop() {
        if place == root {
            return true;
        }
        if seen.insert(place) {
            open.extend(parents.get(place).into_iter().flatten().copied());
        }
    }
    false
}

fn suppression(ledger: &LedgerFacts, path: &str) -> PathRow {
    let (named, attested_on, result, summary) = match &ledger.suppression {
        None => {
            (false, String::new(), "review", "nobody has stated that the list of the erased is looked at".to_owned())
        }
        Some(stated) => {
            let named = stated.checked_at.iter().any(|word| word == path);
            let words = if named { "states" } else { "does not state" };
            (
                named,
                stated.attested_on.clone(),
                "",
                format!("the statement of {} {words} that the list is looked at", stated.attested_on),
            )
        }
    };
    PathRow { key: path.to_owned(), named, attested_on, result: result.to_owned(), summary }
}

/// What the recipients of each set said of every erasure that concerns it.
fn recipients(ledger: &LedgerFacts, done: &[(&EntryFacts, Date)]) -> Vec<RecipientRow> {
    let mut namespaces: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for set in &ledger.sets {
        for recipient in &set.recipients {
            namespaces.entry(recipient).or_default().insert(&set.namespace);
        }
    }
    namespaces
        .into_iter()
        .map(|(recipient, namespaces)| {
            let concerned: Vec<&(&EntryFacts, Date)> = done
                .iter()
                // Of a set without a kind of key it is not known whom it holds: every erasure concerns it.
                .filter(|(entry, _)| {
                    namespaces.contains("") || entry.namespaces.iter().any(|it| namespaces.contains(it.as_str()))
                })
                .collect();
            let (mut early, mut missing) = (Vec::new(), Vec::new());
            for (entry, completed) in &concerned {
                let days = entry.confirmations.iter().filter(|(name, _)| name == recipient);
                let last = days.filter_map(|(_, day)| day.parse::<Date>().ok()).max();
                match last {
                    Some(day) if day >= *completed => {}
                    Some(_) => early.push(entry.key.as_str()),
                    None => missing.push(entry.key.as_str()),
                }
            }
            let some = |refs: &[&str]| refs.iter().take(MAX_REFS).copied().collect::<Vec<_>>().join(", ");
            let confirmed = if !early.is_empty() {
                Fact::Known(false)
            } else if concerned.is_empty() {
                Fact::unknown("no erasure that is done concerns this recipient")
            } else if !missing.is_empty() {
                Fact::unknown(format!("no word from this recipient about {}", some(&missing)))
            } else {
                Fact::Known(true)
            };
            let summary = if early.is_empty() {
                format!("{} of {} erasures confirmed", concerned.len() - missing.len(), concerned.len())
            } else {
                format!("confirmed before it was done: {}", some(&early))
            };
            RecipientRow { key: recipient.to_owned(), confirmed, summary }
        })
        .collect()
}

/// When each backup holds nothing of the erased any more.
fn backups(ledger: &LedgerFacts, done: &[(&EntryFacts, Date)], today: Date) -> Vec<BackupRow> {
    let mut rows = BTreeMap::new();
    for set in ledger.sets.iter().filter(|set| !set.namespace.is_empty()) {
        let last =
            done.iter().filter(|(entry, _)| entry.namespaces.contains(&set.namespace)).map(|(_, day)| *day).max();
        if set.backups.is_empty() {
            let why = "the data set declares no backup, and whether one is made was not seen";
            rows.insert(
                set.key.clone(),
                BackupRow {
                    key: set.key.clone(),
                    gone: Fact::unknown(why),
                    kept_days: 0,
                    gone_on: Fact::unknown(why),
                    summary: why.to_owned(),
                },
            );
        }
        for (store, max_age) in &set.backups {
            let key = format!("{}/{store}", set.key);
            rows.insert(key.clone(), backup(key, max_age, last, today));
        }
    }
    rows.into_values().collect()
}

fn backup(key: String, max_age: &str, last: Option<Date>, today: Date) -> BackupRow {
    let unknown = |why: &str| BackupRow {
        key: key.clone(),
        gone: Fact::unknown(why),
        kept_days: 0,
        gone_on: Fact::unknown(why),
        summary: why.to_owned(),
    };
    let Ok(age) = max_age.parse::<Period>() else { return unknown("how long a backup is kept is not declared") };
    let Some(last) = last else { return unknown("no erasure that is done concerns this data set") };
    // Hours are counted as the days that they begin.
    let days = i64::from(age.days()) + i64::from(age.hours().div_ceil(24));
    let end = Span::new()
        .try_months(age.months())
        .and_then(|months| last.checked_add(months))
        .and_then(|day| Span::new().try_days(days).and_then(|days| day.checked_add(days)));
    let Ok(end) = end else { return unknown("the calendar does not reach that far") };
    let gone = end < today;
    let summary = if gone {
        format!("the last of the erased left it on {end}")
    } else {
        format!("the last of the erased leaves it on {end}")
    };
    BackupRow {
        key,
        gone: Fact::Known(gone),
        kept_days: age.longest_days(),
        gone_on: Fact::Known(end.to_string()),
        summary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry_of(key: &str, completed: &str, outcome: &str) -> EntryFacts {
        EntryFacts {
            key: key.to_owned(),
            namespaces: vec!["email".to_owned()],
            due_on: "2026-02-01".to_owned(),
            completed_on: completed.to_owned(),
            outcome: outcome.to_owned(),
            grounds: Vec::new(),
            confirmations: Vec::new(),
        }
    }

    fn set(key: &str, store: &str) -> SetFacts {
        SetFacts {
            key: key.to_owned(),
            store: store.to_owned(),
            namespace: "email".to_owned(),
            sensitive: false,
            backups: Vec::new(),
            recipients: Vec::new(),
        }
    }

    fn ledger() -> LedgerFacts {
        LedgerFacts {
            as_of_day: "2026-11-25".to_owned(),
            time_zone: "UTC".to_owned(),
            entries: vec![entry_of("E-1", "2026-01-10", "erased")],
            sets: vec![set("talks", "pg"), set("visitors", "pg")],
            edges: vec![("talks".to_owned(), "visitors".to_owned())],
            root: "visitors".to_owned(),
            independent: Vec::new(),
            suppression: None,
        }
    }

    fn see(ledger: &LedgerFacts, stores: &[(&str, serde_json::Value)]) -> Erased {
        let looks: Vec<Observation> = stores
            .iter()
            .map(|(store, data)| {
                Observation::complete("data.subjects", store, "", "test", jiff::Timestamp::UNIX_EPOCH, data).unwrap()
            })
            .collect();
        judge(ledger, &Stores::new(&looks.iter().collect::<Vec<_>>()), "2026-11-25".parse().unwrap())
    }

    #[test]
    fn a_store_that_was_not_seen_proves_nothing() {
        let mut ledger = ledger();
        ledger.edges.clear();
        let seen = see(&ledger, &[]);
        assert!(
            seen.residual.iter().chain(&seen.reappeared).chain(&seen.orphans).all(|row| row.rows.known().is_none())
        );
        assert_eq!(seen.residual.len(), 2);
        let mapped: Vec<_> = seen.graph.iter().map(|row| row.mapped.known().copied()).collect();
        assert_eq!(mapped, [None, Some(true)], "an edge may stand in the catalogue that was not read");
        let failed = Observation::failed(
            "data.subjects",
            "pg",
            "",
            "test",
            jiff::Timestamp::UNIX_EPOCH,
            Trouble::new(Reason::TimedOut, "slow"),
        );
        let seen = judge(&ledger, &Stores::new(&[&failed]), "2026-11-25".parse().unwrap());
        assert!(seen.residual[0].rows.reason().unwrap().contains("slow"));
    }

    #[test]
    fn a_set_is_mapped_by_declared_edges_foreign_keys_or_a_reason() {
        let mut ledger = ledger();
        ledger.sets.push(set("orders", "pg"));
        ledger.sets.push(set("logs", "pg"));
        ledger.sets.push(set("stray", "pg"));
        ledger.independent.push("logs".to_owned());
        let edge = json!({ "key": "orders fk", "source": "catalogue", "child": "orders", "parent": "talks", "orphans": 0,
            "capped": false, "sensitive": false, "how": "" });
        let seen = see(&ledger, &[("pg", json!({ "sets": [], "edges": [edge], "present": [] }))]);
        let mapped: Vec<(&str, Option<bool>)> =
            seen.graph.iter().map(|row| (row.key.as_str(), row.mapped.known().copied())).collect();
        let want = [("talks", true), ("visitors", true), ("orders", true), ("logs", true), ("stray", false)];
        assert_eq!(mapped, want.map(|(key, mapped)| (key, Some(mapped))));
        ledger.root.clear();
        assert!(see(&ledger, &[]).graph.iter().all(|row| row.mapped.known().is_none()));
    }

    #[test]
    fn entries_are_held_to_their_day() {
        let today = "2026-11-25".parse().unwrap();
        let state = |completed: &str, outcome: &str, ground: &str| {
            let mut one = entry_of("E-1", completed, outcome);
            one.grounds.extend((!ground.is_empty()).then(|| ground.to_owned()));
            let row = entry(&one, today);
            (row.state, row.holds, row.judged)
        };
        assert_eq!(state("2026-02-01", "erased", ""), ("done".to_owned(), true, true));
        assert_eq!(state("2026-02-02", "erased", ""), ("late".to_owned(), false, true));
        assert_eq!(state("", "", ""), ("overdue".to_owned(), false, true));
        assert_eq!(state("2026-01-02", "refused", ""), ("refused".to_owned(), false, true));
        assert_eq!(state("2026-01-02", "refused", "17(3)(b)"), ("refused".to_owned(), true, true));
        assert_eq!(state("2026-01-02", "partial", ""), ("done".to_owned(), false, true));
        let mut open = entry_of("E-1", "", "");
        open.due_on = "2026-11-25".to_owned();
        assert!(!entry(&open, today).judged);
    }

    #[test]
    fn recipients_and_backups_follow_the_last_erasure() {
        let mut ledger = ledger();
        ledger.sets[1].recipients.push("mailer".to_owned());
        ledger.sets[1].backups.push(("tape".to_owned(), "1 month 5 days".to_owned()));
        ledger.sets[0].backups.push(("tape".to_owned(), "2 years".to_owned()));
        let seen = see(&ledger, &[]);
        assert_eq!(seen.recipients[0].confirmed.known(), None);
        let backups: Vec<_> = seen
            .backups
            .iter()
            .map(|row| (row.key.as_str(), row.gone_on.known().unwrap().as_str(), row.gone.known().copied()))
            .collect();
        assert_eq!(backups, [("talks/tape", "2028-01-10", Some(false)), ("visitors/tape", "2026-02-15", Some(true))]);
        ledger.entries[0].confirmations.push(("mailer".to_owned(), "2026-01-09".to_owned()));
        assert_eq!(see(&ledger, &[]).recipients[0].confirmed, Fact::Known(false));
        ledger.entries[0].confirmations.push(("mailer".to_owned(), "2026-01-10".to_owned()));
        assert_eq!(see(&ledger, &[]).recipients[0].confirmed, Fact::Known(true));
        ledger.sets[1].backups[0].1.clear();
        assert_eq!(see(&ledger, &[]).backups[1].gone.known(), None);
    }
}
