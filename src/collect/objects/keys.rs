//! How long objects lie in a bucket: those whose names begin as the retention schedule says, listed within a budget, and the
//! rules that end them.
//!
//! An object's name can hold a person's data: it is sent back to the store for the next page and kept nowhere. What the
//! store knows of an object's age is when it was uploaded.

use crate::collect::answer::clean;
use crate::collect::aws::{Client, Texts};
use crate::collect::census::unmeasured;
use crate::collect::declared;
use crate::model::bucket::{Bucket, Expiry};
use crate::model::retention::{
    Action, Anchor, Cutoff, DataSet, Measured, MechanismFacts, MechanismKind, Object, Retention, Sampled, Schedule,
    Strategy,
};
use crate::model::{Fact, Reason, Trouble};
use jiff::Timestamp;

/// How much a walk over objects may cost; tests make it smaller.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// The most pages that are listed for one data set.
    pub pages: usize,
    /// How many objects a page has.
    pub page: usize,
}

impl Default for Effort {
    fn default() -> Effort {
        Effort { pages: 20, page: 1000 }
    }
}

/// What a walk found.
#[derive(Default)]
struct Found {
    objects: u64,
    /// Uploaded before the cutoff.
    past: u64,
    oldest: Option<Timestamp>,
    /// Why there may be further objects, where there may.
    cut: Option<String>,
}

/// Measures every data set that the schedule names for this bucket.
pub async fn measure(
    client: &Client<'_>,
    bucket: &str,
    schedule: &Schedule,
    (store, as_of): (&str, Timestamp),
    effort: Effort,
    facts: &Bucket,
) -> Retention {
    let (mut measured, mut mechanisms) = (Vec::new(), Vec::new());
    for set in schedule.sets_of(store) {
        let cutoff = Cutoff::new(as_of, &schedule.time_zone, &set.max_age, &set.grace);
        let found = match (&set.object, &cutoff) {
            (Object::Prefix(prefix), Ok(cutoff)) => {
                walk(client, bucket, prefix, cutoff.instant, effort).await.map_err(|trouble| trouble.to_string())
            }
            (_, Err(error)) => Err(error.to_string()),
            _ => Err("only objects are measured in this store: declare `object: { prefix: \"…\" }`".to_owned()),
        };
        measured.push(counted(schedule, set, as_of, &found, cutoff.as_ref().ok(), facts));
        mechanisms.push(means(set, as_of, cutoff.as_ref().ok(), facts));
    }
    let skew = Fact::unknown("the store's clock was not compared");
    let version = Fact::unknown("an object store tells no version");
    declared::retention(schedule, store, as_of, (measured, mechanisms), skew, version)
}

async fn walk(
    client: &Client<'_>,
    bucket: &str,
    prefix: &str,
    cutoff: Timestamp,
    effort: Effort,
) -> Result<Found, Trouble> {
    let strange = || Trouble::new(Reason::ProtocolViolation, "a list of objects is not of its form");
    let number = effort.page.to_string();
    let mut found = Found::default();
    let mut after: Option<String> = None;
    for page in 0.. {
        if page >= effort.pages {
            found.cut = Some(format!("the walk ended after {} objects, at the end of its budget", found.objects));
            break;
        }
        let mut query = vec![("list-type", "2"), ("max-keys", number.as_str()), ("prefix", prefix)];
        query.extend(after.as_deref().map(|after| ("continuation-token", after)));
        let answer = client.get(bucket, &query).await?.good("s3:ListBucket")?;
        let texts = Texts::read(&answer.body)?;
        for time in texts.all("ListBucketResult/Contents/LastModified") {
            let at: Timestamp = time.parse().map_err(|_| strange())?;
            found.objects += 1;
            found.past += u64::from(at < cutoff);
            found.oldest = Some(found.oldest.map_or(at, |oldest| oldest.min(at)));
        }
        match (texts.first("ListBucketResult/IsTruncated"), texts.first("ListBucketResult/NextContinuationToken")) {
            (Some("false"), _) => break,
            (Some("true"), Some(next)) => after = Some(next.to_owned()),
            _ => return Err(strange()),
        }
    }
    Ok(found)
}

/// What the times of upload show.
fn counted(
    schedule: &Schedule,
    set: &DataSet,
    as_of: Timestamp,
    found: &Result<Found, String>,
    cutoff: Option<&Cutoff>,
    bucket: &Bucket,
) -> Measured {
    let mut facts = unmeasured(set, &schedule.time_zone, as_of, "not measured");
    let today = schedule.time_zone.rules().to_datetime(as_of).date();
    let found = match found {
        Ok(found) => found,
        Err(why) => {
            (facts.violating, facts.summary) = (Fact::unknown(why), format!("not measured: {why}"));
            return facts;
        }
    };
    facts.exact = found.cut.is_none();
    facts.strategy = if facts.exact { Strategy::SmallTable } else { Strategy::Sample };
    facts.total_estimate = match &found.cut {
        None => Fact::Known(found.objects),
        Some(why) => Fact::unknown(why),
    };
    if !facts.exact {
        facts.sampled = Sampled {
            unit: "rows".to_owned(),
            pages: 0,
            rows: found.objects,
            violating: found.past,
            rate_bound_ppm: 0,
        };
    }
    facts.query = format!("ListObjectsV2 with the prefix {}", clean(set.object.name()));
    facts.plan = match &found.cut {
        None => format!("{} objects, all that there are", found.objects),
        Some(why) => why.clone(),
    };
    // Older versions and marks of deletion are in no such list.
    let versions = match bucket.versioning.known().map(String::as_str) {
        Some("never") => None,
        Some(_) => {
            Some("no object that is listed is past its time, and older versions, which are kept, are not listed")
        }
        None => Some("no object that is listed is past its time, and whether older versions are kept is not known"),
    };
    let unfit = if set.filter.is_some() {
        Some("a filter over columns does not fit objects")
    } else if set.holds.iter().any(|hold| hold.in_force(today)) {
        Some("a hold is in force, and which objects it keeps cannot be told")
    } else if !matches!(set.anchor, Anchor::Created | Anchor::LastModified) {
        Some("when an object was uploaded says nothing of this anchor")
    } else if !matches!(set.action, Action::Delete | Action::CryptoShred | Action::Archive) {
        Some("whether what is left of an object is anonymous cannot be told")
    } else {
        None
    };
    facts.violating = match (unfit, found.past, &found.cut, versions) {
        (Some(why), ..) => Fact::unknown(why),
        (None, 1.., ..) => Fact::Known(found.past),
        (None, 0, Some(why), _) => Fact::unknown(format!("none of {} objects is past its time; {why}", found.objects)),
        (None, 0, None, Some(why)) => Fact::unknown(why),
        (None, 0, None, None) => Fact::Known(0),
    };
    facts.capped = !facts.exact && found.past > 0;
    if let (Some(_), Some(cutoff), Some(oldest)) = (facts.violating.known(), cutoff, found.oldest) {
        let day = schedule.time_zone.rules().to_datetime(oldest).date();
        facts.oldest_day = Fact::Known(day.to_string());
        facts.overdue_days = Fact::Known(cutoff.overdue_days(day));
        if found.past > 0 && cutoff.is_far_overdue(day) {
            facts.severity = if facts.sensitive { "critical" } else { "high" }.to_owned();
        }
    }
    facts.summary = match &facts.violating {
        Fact::Known(objects) => {
            let least = if facts.capped { "at least " } else { "" };
            format!("{least}{objects} objects were uploaded longer than {} ago", set.max_age)
        }
        Fact::Unknown(why) => why.unknown.clone(),
    };
    facts
}

/// What the bucket's rules show.
fn means(set: &DataSet, as_of: Timestamp, cutoff: Option<&Cutoff>, bucket: &Bucket) -> MechanismFacts {
    match set.mechanism.kind {
        MechanismKind::LifecycleRule => {}
        MechanismKind::Manual => return declared::mechanism(set, ""),
        other => {
            let words =
                format!("objects are ended by rules of the bucket (`type: lifecycle_rule`), not by {}", other.word());
            return declared::mechanism(set, words);
        }
    }
    let (rules, cutoff) = match (&bucket.lifecycle, cutoff) {
        (Fact::Known(rules), Some(cutoff)) => (rules, cutoff),
        (Fact::Unknown(why), _) => return declared::mechanism(set, &why.unknown),
        (_, None) => return declared::mechanism(set, "the age that the schedule allows could not be computed"),
    };
    let prefix = set.object.name();
    let longest = as_of.as_second().saturating_sub(cutoff.instant.as_second()) / 86_400;
    let longest = u64::try_from(longest).unwrap_or_default();
    let about =
        |rule: &&Expiry| prefix.starts_with(&rule.prefix) && (rule.days.is_some() || rule.noncurrent_days.is_some());
    let meant: Vec<&Expiry> = rules.iter().filter(about).collect();
    let whole = || meant.iter().filter(|rule| rule.whole);
    let current = whole().any(|rule| rule.days.is_some_and(|days| days <= longest));
    // An older version begins to age on the day on which a newer one took its place, at the latest at the current one's end.
    let days = whole().filter_map(|rule| rule.days).min().unwrap_or_default();
    let older = whole().any(|rule| rule.noncurrent_days.is_some_and(|more| days.saturating_add(more) <= longest));
    let effective = match bucket.versioning.known().map(String::as_str) {
        Some("never") => Fact::Known(current),
        Some(_) => Fact::Known(current && older),
        None if current && older => Fact::Known(true),
        None if !current => Fact::Known(false),
        None => Fact::unknown("whether older versions are kept is not known"),
    };
    let words: Vec<String> = meant
        .iter()
        .map(|rule| {
            let days = |days: Option<u64>| days.map_or_else(|| "never".to_owned(), |days| format!("after {days} days"));
            let off = if rule.whole { "" } else { " (off, or not for all objects)" };
            format!(
                "{}{off}: objects end {}, older versions {}",
                clean(&rule.id),
                days(rule.days),
                days(rule.noncurrent_days)
            )
        })
        .collect();
    MechanismFacts {
        found: Fact::Known(!meant.is_empty()),
        enabled: Fact::Known(whole().next().is_some()),
        last_success: Fact::unknown("the store does not record when a rule last ended an object"),
        effective,
        seen: match words.is_empty() {
            true => "the bucket has no rule that ends these objects".to_owned(),
            false => words.join("; "),
        },
        ..declared::mechanism(set, "")
    }
}
