//! How long keys live: those that a pattern of the retention schedule names, walked over within a budget.
//!
//! A key's name can hold a person's data: it is sent back to the server and kept nowhere. What the server knows of a key's
//! age is how long nobody used it. That can show that it is past its time and never that it is not, so that the time to
//! live of every key, which ends it by itself, is what shows that keys expire.

use super::session::{Session, refusal};
use super::settings::strange;
use crate::collect::answer::clean;
use crate::collect::census::{rule_of_three, unmeasured};
use crate::collect::declared;
use crate::model::retention::{
    Action, Anchor, Cutoff, DataSet, Measured, MechanismFacts, MechanismKind, Object, Retention, Sampled, Schedule,
    Strategy,
};
use crate::model::{Fact, Reason, Trouble};
use crate::wire::resp::{Problem, Value};
use jiff::Timestamp;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;
use tokio::time::Instant;

/// How many keys the server is asked to walk over at once.
const STEP: &[u8] = b"100";
/// The pause after each step, for everybody else's commands.
const PAUSE: Duration = Duration::from_millis(2);

/// How much a walk over keys may cost; tests make it smaller.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The most keys of one pattern that are looked at.
    pub keys: usize,
    /// The longest walk for one pattern.
    pub time: Duration,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { keys: 20_000, time: Duration::from_secs(15) }
    }
}

/// What a walk found.
#[derive(Default)]
struct Found {
    keys: u64,
    /// Keys that never end.
    endless: u64,
    /// Keys that end later than they may.
    late: u64,
    /// Keys that nobody used for longer than they may be kept.
    idle: u64,
    /// The longest of these, in seconds.
    idlest: i64,
    /// Why idleness is not known, where it is not.
    untold: Option<String>,
    /// Why there may be further keys, where there may.
    cut: Option<String>,
}

/// Measures every data set that the schedule names for this store.
pub async fn measure(
    session: &Session<'_>,
    schedule: &Schedule,
    (store, as_of): (&str, Timestamp),
    effort: Effort,
    (version, clustered): (Fact<String>, bool),
) -> Retention {
    let (mut measured, mut mechanisms) = (Vec::new(), Vec::new());
    for set in schedule.sets_of(store) {
        let cutoff =
            Cutoff::new(as_of, &schedule.time_zone, &set.max_age, &set.grace).map_err(|error| error.to_string());
        let found = match (&set.object, &cutoff) {
            (Object::KeyPattern(pattern), Ok(cutoff)) => {
                let longest = as_of.as_second().saturating_sub(cutoff.instant.as_second());
                let mut found = walk(session, pattern, longest, effort).await;
                if let (Ok(found), true) = (&mut found, clustered) {
                    found.cut.get_or_insert_with(|| "a server of a cluster has a part of the keys alone".to_owned());
                }
                found.map_err(|trouble| trouble.to_string())
            }
            (_, Err(why)) => Err(why.clone()),
            _ => Err("only keys are measured in this store: declare `object: { key_pattern: \"…\" }`".to_owned()),
        };
        measured.push(counted(schedule, set, as_of, &found, cutoff.as_ref().ok()));
        mechanisms.push(means(set, &found));
    }
    let skew = match session.value(vec![b"TIME"], "TIME").await {
        Ok(Value::List(parts)) => match parts.first() {
            Some(Value::Text(second)) => {
                match std::str::from_utf8(second).ok().and_then(|text| text.parse::<i64>().ok()) {
                    Some(second) => Fact::Known(second.saturating_sub(as_of.as_second())),
                    None => Fact::unknown(strange("TIME").to_string()),
                }
            }
            _ => Fact::unknown(strange("TIME").to_string()),
        },
        Ok(_) => Fact::unknown(strange("TIME").to_string()),
        Err(trouble) => session.fact(Err(trouble), "time"),
    };
    declared::retention(schedule, store, as_of, (measured, mechanisms), skew, version)
}

/// Walks over the keys of a pattern.
async fn walk(session: &Session<'_>, pattern: &str, longest: i64, effort: Effort) -> Result<Found, Trouble> {
    let mut found = Found::default();
    let mut cursor = b"0".to_vec();
    // A walk may show a key twice.
    let mut met = HashSet::new();
    let end = Instant::now() + effort.time;
    loop {
        let scan = vec![b"SCAN".as_slice(), &cursor, b"MATCH", pattern.as_bytes(), b"COUNT", STEP];
        let (next, keys) =
            step(session.value(scan, "SCAN").await.map_err(|trouble| granted(session, trouble, "scan"))?)?;
        let fresh: Vec<Vec<u8>> = keys.into_iter().filter(|key| met.insert(digest(key))).collect();
        look(session, &fresh, longest, &mut found).await?;
        if next == b"0" {
            return Ok(found);
        }
        if met.len() >= effort.keys || Instant::now() >= end {
            found.cut = Some(format!("the walk ended after {} keys, at the end of its budget", met.len()));
            return Ok(found);
        }
        cursor = next;
        tokio::time::sleep(PAUSE).await;
    }
}

fn digest(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The next cursor and the keys of one step.
fn step(answer: Value) -> Result<(Vec<u8>, Vec<Vec<u8>>), Trouble> {
    let Value::List(parts) = answer else { return Err(strange("SCAN")) };
    let [Value::Text(cursor), Value::List(keys)] = parts.as_slice() else { return Err(strange("SCAN")) };
    let key = |key: &Value| match key {
        Value::Text(key) => Ok(key.clone()),
        _ => Err(strange("SCAN")),
    };
    Ok((cursor.clone(), keys.iter().map(key).collect::<Result<_, _>>()?))
}

/// Looks at what remains of these keys, and at how long nobody used them.
async fn look(session: &Session<'_>, keys: &[Vec<u8>], longest: i64, found: &mut Found) -> Result<(), Trouble> {
    if keys.is_empty() {
        return Ok(());
    }
    let commands: Vec<Vec<&[u8]>> = keys
        .iter()
        .flat_map(|key| [vec![b"TTL".as_slice(), key], vec![b"OBJECT".as_slice(), b"IDLETIME", key]])
        .collect();
    let answers = session.ask(&commands).await?;
    for pair in answers.chunks_exact(2) {
        match pair {
            // It ended while we looked.
            [Value::Number(-2), _] | [_, Value::Null] => {}
            [Value::Number(left), idle] => {
                found.keys += 1;
                found.endless += u64::from(*left < 0);
                found.late += u64::from(*left > longest);
                match idle {
                    Value::Number(idle) => {
                        found.idle += u64::from(*idle > longest);
                        found.idlest = found.idlest.max(*idle);
                    }
                    Value::Error(problem) => {
                        let why = match problem {
                            Problem::Other => {
                                "the server keeps no idle time under its policy of eviction (LFU)".to_owned()
                            }
                            problem => {
                                granted(session, refusal(*problem, "OBJECT IDLETIME"), "object|idletime").to_string()
                            }
                        };
                        found.untold = Some(why);
                    }
                    _ => return Err(strange("OBJECT IDLETIME")),
                }
            }
            [Value::Error(problem), _] => return Err(granted(session, refusal(*problem, "TTL"), "ttl")),
            _ => return Err(strange("TTL")),
        }
    }
    Ok(())
}

fn granted(session: &Session<'_>, trouble: Trouble, right: &str) -> Trouble {
    match trouble.reason {
        Reason::PermissionDenied => {
            Trouble::new(trouble.reason, format!("{}; {}", trouble.detail, session.grant(right)))
        }
        _ => trouble,
    }
}

/// What the idle times show: keys that are surely past their time, and never that there are none.
fn counted(
    schedule: &Schedule,
    set: &DataSet,
    as_of: Timestamp,
    found: &Result<Found, String>,
    cutoff: Option<&Cutoff>,
) -> Measured {
    let mut facts = unmeasured(set, &schedule.time_zone, as_of, "not measured");
    let today = schedule.time_zone.rules().to_datetime(as_of).date();
    let blind = |why: &str| Fact::unknown(why);
    let found = match found {
        Ok(found) => found,
        Err(why) => {
            (facts.violating, facts.summary) = (blind(why), format!("not measured: {why}"));
            return facts;
        }
    };
    facts.exact = found.cut.is_none();
    facts.strategy = if facts.exact { Strategy::SmallTable } else { Strategy::Sample };
    facts.total_estimate = match &found.cut {
        None => Fact::Known(found.keys),
        Some(why) => blind(why),
    };
    if !facts.exact {
        facts.sampled =
            Sampled { unit: "rows".to_owned(), pages: 0, rows: found.keys, violating: found.idle, rate_bound_ppm: 0 };
    }
    facts.query =
        format!("SCAN MATCH {} COUNT 100, then TTL and OBJECT IDLETIME of each key", clean(set.object.name()));
    facts.plan = match &found.cut {
        None => format!("{} keys, all that there are", found.keys),
        Some(why) => format!("{} keys; {why}", found.keys),
    };
    let unfit = if set.filter.is_some() {
        Some("a filter over columns does not fit keys")
    } else if set.holds.iter().any(|hold| hold.in_force(today)) {
        Some("a hold is in force, and which keys it keeps cannot be told")
    } else if !matches!(set.anchor, Anchor::Created | Anchor::LastSeen | Anchor::LastModified) {
        Some("how long a key was not used says nothing of this anchor")
    } else if !matches!(set.action, Action::Delete | Action::CryptoShred | Action::Archive) {
        Some("whether what is left of a key is anonymous cannot be told")
    } else {
        None
    };
    facts.violating = match (unfit, found.idle, &found.untold) {
        (Some(why), ..) => blind(why),
        (None, 1.., _) => Fact::Known(found.idle),
        (None, 0, Some(why)) => blind(why),
        (None, 0, None) => {
            blind("no key was unused for longer, but when a key was made or filled the server does not tell")
        }
    };
    facts.capped = !facts.exact && found.idle > 0;
    let violated = facts.violating.known().is_some();
    if let (true, Some(cutoff)) = (violated, cutoff)
        && let Ok(day) = as_of.checked_sub(jiff::SignedDuration::from_secs(found.idlest))
    {
        let day = schedule.time_zone.rules().to_datetime(day).date();
        facts.overdue_days = Fact::Known(cutoff.overdue_days(day));
        facts.oldest_day = Fact::Known(day.to_string());
        if cutoff.is_far_overdue(day) {
            facts.severity = if facts.sensitive { "critical" } else { "high" }.to_owned();
        }
    }
    facts.summary = match &facts.violating {
        Fact::Known(keys) => format!(
            "{}{keys} keys were not used for longer than {}",
            if facts.capped { "at least " } else { "" },
            set.max_age
        ),
        Fact::Unknown(why) => why.unknown.clone(),
    };
    facts
}

/// What the times to live show.
fn means(set: &DataSet, found: &Result<Found, String>) -> MechanismFacts {
    match set.mechanism.kind {
        MechanismKind::TtlIndex => {}
        MechanismKind::Manual => return declared::mechanism(set, ""),
        other => {
            let words = format!("keys end by their own time to live (`type: ttl_index`), not by {}", other.word());
            return declared::mechanism(set, words);
        }
    }
    let found = match found {
        Ok(found) if found.keys > 0 => found,
        Ok(_) => return declared::mechanism(set, "no key matches the pattern, so that no time to live was seen"),
        Err(why) => return declared::mechanism(set, why),
    };
    let bad = found.endless + found.late;
    let effective = match (bad, &found.cut) {
        (0, None) => Fact::Known(true),
        (0, Some(cut)) => {
            let bound = rule_of_three(found.keys);
            let part = format!("{}.{:04} %", bound / 10_000, bound % 10_000);
            Fact::unknown(format!(
                "{cut}: none of {} keys lives too long, at most {part} at 95 % confidence",
                found.keys
            ))
        }
        _ => Fact::Known(false),
    };
    let also = found.cut.as_ref().map(|cut| format!("; {cut}")).unwrap_or_default();
    MechanismFacts {
        found: Fact::Known(found.endless < found.keys),
        enabled: Fact::Known(found.endless < found.keys),
        last_success: Fact::unknown("the server does not record when it last ended a key"),
        effective,
        seen: format!(
            "of {} keys {} have no time to live, and {} live for longer than {} from now{also}",
            found.keys, found.endless, found.late, set.max_age
        ),
        ..declared::mechanism(set, "")
    }
}
