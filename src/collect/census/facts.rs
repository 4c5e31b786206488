//! What an outcome means: the facts about a data set.

use super::{Census, Counted, Outcome, Topic};
use crate::model::Fact;
use crate::model::retention::{Cost, Cutoff, DataSet, Measured, Sampled, Sentinel, Strategy, Zone};
use jiff::Timestamp;

impl Census<'_> {
    /// The facts of an outcome, or of none for a reason.
    pub fn measured(&self, outcome: Result<Outcome, String>) -> Measured {
        let mut facts = unmeasured(self.set, &self.cutoff.zone, self.cutoff.as_of, "not measured");
        facts.notes = self.notes.clone();
        match outcome {
            Ok(outcome) => self.fill(&mut facts, &outcome),
            Err(reason) => blank(&mut facts, &reason),
        }
        facts
    }

    fn fill(&self, facts: &mut Measured, outcome: &Outcome) {
        facts.strategy = outcome.strategy;
        facts.total_estimate = outcome.total.clone();
        facts.query = outcome.query.clone();
        facts.plan = outcome.plan.clone();
        facts.exact = outcome.sampled.is_none();
        let sampled = outcome.sampled.clone().unwrap_or_default();
        let clean = outcome.sampled.is_some() && sampled.violating == 0;
        let accept = self.set.measure.accept_rate.unwrap_or(0.0);
        facts.accepted_by_sample =
            clean && sampled.rate_bound_ppm > 0 && sampled.rate_bound_ppm as f64 <= accept * 1_000_000.0;
        let of = |topic: Topic| self.fact(outcome.counts.get(&topic), outcome, facts.accepted_by_sample);
        let absent = |topic: &Topic| !self.questions.iter().any(|question| question.topic == *topic);
        let none_or = |topic: Topic| if absent(&topic) { Fact::Known(0) } else { of(topic) };
        let (violating, held) = (of(Topic::Violating), of(Topic::Held));
        let (undatable, future) = (of(Topic::Undatable), of(Topic::Future));
        facts.soft_deleted = none_or(Topic::SoftDeleted);
        facts.fallback_dated = none_or(Topic::FallbackDated);
        facts.capped = outcome.counts.get(&Topic::Violating).is_some_and(|counted| counted.capped);
        facts.sentinels = outcome
            .counts
            .iter()
            .filter_map(|(topic, counted)| match topic {
                Topic::Sentinel(value) if counted.rows > 0 => {
                    Some(Sentinel { value: (*value).to_owned(), rows: counted.rows })
                }
                _ => None,
            })
            .collect();
        (facts.violating, facts.held, facts.undatable, facts.future) = (violating, held, undatable, future);
        if self.unmatched_hold && facts.violating.known().is_some_and(|rows| *rows > 0) {
            facts.violating = Fact::unknown("rows are past their time, and a hold by a list of subjects may keep them");
        }
        self.date(facts, outcome);
        facts.summary = summary(facts, &sampled);
        facts.sampled = sampled;
    }

    fn fact(&self, counted: Option<&Counted>, outcome: &Outcome, accepted: bool) -> Fact<u64> {
        let Some(counted) = counted else { return Fact::unknown("not counted") };
        match (&counted.blind, &outcome.sampled) {
            (Some(reason), _) if counted.rows == 0 => Fact::unknown(reason),
            (_, Some(sampled)) if counted.rows == 0 && !accepted => Fact::unknown(bound_words(sampled)),
            _ => Fact::Known(counted.rows),
        }
    }

    /// The oldest day, by how much it is past its time, and what that weighs.
    fn date(&self, facts: &mut Measured, outcome: &Outcome) {
        let days: Vec<_> = self
            .oldest
            .iter()
            .zip(&outcome.oldest)
            .filter_map(|(oldest, value)| {
                let day = self.kind.day_of(value.as_deref()?, &self.column, &self.cutoff.zone)?;
                let cutoff = if oldest.soft { self.soft.as_ref()? } else { &self.cutoff };
                Some((cutoff.overdue_days(day), day, cutoff))
            })
            .collect();
        let readable = outcome.oldest.len() == self.oldest.len()
            && days.len() == outcome.oldest.iter().filter(|value| value.is_some()).count();
        let violated = facts.violating.known().is_some_and(|rows| *rows > 0);
        if violated && days.iter().any(|(_, day, cutoff)| cutoff.is_far_overdue(*day)) {
            facts.severity = if facts.sensitive { "critical" } else { "high" }.to_owned();
        }
        let oldest = days.iter().map(|(_, day, _)| *day).min();
        match (outcome.strategy, readable, oldest) {
            (Strategy::Sample, ..) => {
                facts.oldest_day = Fact::unknown("a sample does not show the oldest row");
                facts.overdue_days = Fact::unknown("a sample does not show the oldest row");
            }
            (_, true, Some(oldest)) => {
                facts.oldest_day = Fact::Known(oldest.to_string());
                facts.overdue_days = Fact::Known(days.iter().map(|(overdue, ..)| *overdue).max().unwrap_or(0));
            }
            (_, true, None) => {
                facts.oldest_day = Fact::unknown("no row can be dated");
                facts.overdue_days = Fact::Known(0);
            }
            _ => {
                facts.oldest_day = Fact::unknown("the oldest row was not found");
                facts.overdue_days = Fact::unknown("the oldest row was not found");
            }
        }
    }
}

/// A clean sample in words.
fn bound_words(sampled: &Sampled) -> String {
    let drawn = if sampled.unit == "pages" { sampled.pages } else { sampled.rows };
    if sampled.rate_bound_ppm == 0 {
        return format!("the sample drew no {}", sampled.unit);
    }
    format!(
        "none in a sample of {drawn} {}: at most {}.{:04} % of {} have one, at 95 % confidence",
        sampled.unit,
        sampled.rate_bound_ppm / 10_000,
        sampled.rate_bound_ppm % 10_000,
        sampled.unit
    )
}

/// The rule of three in parts of a million: what a clean sample of so many leaves open; 0 for no sample.
pub fn rule_of_three(drawn: u64) -> u64 {
    if drawn == 0 { 0 } else { (3_000_000u64.div_ceil(drawn)).clamp(1, 1_000_000) }
}

fn summary(facts: &Measured, sampled: &Sampled) -> String {
    match &facts.violating {
        Fact::Unknown(why) => why.unknown.clone(),
        Fact::Known(0) if facts.accepted_by_sample => format!("{}, which the schedule accepts", bound_words(sampled)),
        Fact::Known(0) if facts.total_estimate == Fact::Known(0) => "no rows".to_owned(),
        Fact::Known(rows) => {
            let at_least = if facts.capped || !facts.exact { "at least " } else { "" };
            let age = facts.overdue_days.known().filter(|days| **days > 0);
            let age = age.map(|days| format!(", the oldest by {days} days")).unwrap_or_default();
            let noun = if *rows == 1 { "row" } else { "rows" };
            format!("{at_least}{rows} {noun} past {}{age}", facts.max_age)
        }
    }
}

/// The facts of a set that was not measured.
pub fn unmeasured(set: &DataSet, zone: &Zone, as_of: Timestamp, reason: &str) -> Measured {
    let cutoff = Cutoff::new(as_of, zone, &set.max_age, &set.grace);
    let of = |read: fn(&Cutoff) -> String| cutoff.as_ref().map(read).unwrap_or_default();
    let basis = &set.legal_basis;
    let reference = set.mechanism.reference.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
    let mut facts = Measured {
        id: set.id.to_string(),
        object: set.object.name().to_owned(),
        anchor: set.anchor.word().to_owned(),
        max_age: set.max_age.to_string(),
        grace: set.grace.to_string(),
        time_zone: zone.to_string(),
        as_of_day: of(|cutoff| cutoff.today.to_string()),
        cutoff_day: of(|cutoff| cutoff.day.to_string()),
        cutoff_utc: of(|cutoff| cutoff.instant.to_string()),
        strategy: Strategy::None,
        exact: false,
        violating: Fact::Known(0),
        capped: false,
        severity: if set.is_sensitive() { "high" } else { "medium" }.to_owned(),
        sampled: Sampled::default(),
        accepted_by_sample: false,
        undatable: Fact::Known(0),
        sentinels: Vec::new(),
        future: Fact::Known(0),
        held: Fact::Known(0),
        soft_deleted: Fact::Known(0),
        fallback_dated: Fact::Known(0),
        oldest_day: Fact::unknown(reason),
        overdue_days: Fact::Known(0),
        total_estimate: Fact::Known(0),
        sensitive: set.is_sensitive(),
        action: set.action.word().to_owned(),
        legal_basis: format!("{}: {}", basis.article, basis.purpose),
        mechanism: format!("{}{reference}", set.mechanism.kind.word()),
        query: String::new(),
        plan: String::new(),
        cost: Cost::default(),
        notes: Vec::new(),
        summary: reason.to_owned(),
    };
    blank(&mut facts, reason);
    facts
}

/// Makes every count unknown for this reason.
fn blank(facts: &mut Measured, reason: &str) {
    for count in [
        &mut facts.violating,
        &mut facts.undatable,
        &mut facts.future,
        &mut facts.held,
        &mut facts.soft_deleted,
        &mut facts.fallback_dated,
        &mut facts.total_estimate,
    ] {
        *count = Fact::unknown(reason);
    }
    facts.oldest_day = Fact::unknown(reason);
    facts.overdue_days = Fact::unknown(reason);
    facts.summary = reason.to_owned();
}
