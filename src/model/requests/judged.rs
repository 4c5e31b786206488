//! The data of the kind `data.dsar`: every clock as it stands, and how the requests of a year went.

use super::clock::{Clock, Extension, Start, clock, days_between};
use super::{Breach, Outcome, Request, Requests, Right, breach_clock};
use crate::model::Fact;
use crate::model::register::coverage::Ratio;
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// An open request that is due within so many days is worth a warning.
const SOON_DAYS: i64 = 7;
/// An answer that is later than so many days weighs more.
const FAR_LATE_DAYS: i64 = 30;

/// `data.dsar`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dsar {
    /// The day of judgement in the file's calendar.
    pub as_of_day: String,
    /// The calendar.
    pub time_zone: String,
    /// The clock of each request.
    pub requests: Vec<ClockRow>,
    /// The procedure of each right, and how the requests of the last 12 months went.
    pub coverage: Vec<CoverageRow>,
    /// The clock of each breach.
    pub breaches: Vec<BreachRow>,
}

/// The clock of one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockRow {
    /// The request's id.
    pub key: String,
    /// Which right.
    pub right: String,
    /// Whose law.
    pub regime: String,
    /// The day on which it came.
    pub received_on: String,
    /// The day from which months are counted.
    pub start_day: Fact<String>,
    /// One month after the start.
    pub due: Fact<String>,
    /// Three months after the start.
    pub extended_due: Fact<String>,
    /// The one of the two that counts.
    pub effective_due: Fact<String>,
    /// The day of the internal target of 28 days.
    pub internal_due: Fact<String>,
    /// `none`, `valid`, `late` or `incomplete`.
    pub extension: String,
    /// The day of the answer; empty while there is none.
    pub completed_on: String,
    /// The day of judgement.
    pub as_of_day: String,
    /// Days after the day that counts; 0 where it is not over.
    pub late_days: i64,
    /// Days for which the clock stood still.
    pub paused_days: i64,
    /// `answered`, `late`, `overdue`, `due soon`, `open`, `paused` or `waiting`.
    pub state: String,
    /// There is something to judge: an open request in good time is not.
    pub judged: bool,
    /// The request is handled as it must be.
    pub holds: Fact<bool>,
    /// What it weighs where it is not.
    pub severity: String,
    /// All of it in words.
    pub reason: String,
}

/// How one right is prepared for, or how the requests of the last 12 months went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoverageRow {
    /// `procedure:access` and the like, or `requests`.
    pub key: String,
    /// A document is named; true for the row of the requests.
    pub documented: Fact<bool>,
    /// Requests that came.
    pub received: u64,
    /// Those of them that were answered, or whose time is over; unknown where there is none.
    pub judged: Fact<u64>,
    /// Those answered in time.
    pub on_time: u64,
    /// Per cent with one decimal.
    pub on_time_text: String,
    /// Half of the answered ones took no longer than so many days after the receipt.
    pub median_days: Fact<String>,
    /// It in words.
    pub summary: String,
}

/// The clock of one breach.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BreachRow {
    /// The breach's id.
    pub key: String,
    /// The instant of awareness.
    pub aware_at: String,
    /// 72 hours later on the clock.
    pub strict_due: Fact<String>,
    /// The end by the rules for periods, with two working days.
    pub long_due: Fact<String>,
    /// The instant at which the authority was told; empty while it was not.
    pub notified_at: String,
    /// There is something to judge: a period that runs is not, nor a breach that is recorded as no risk.
    pub judged: bool,
    /// The authority was told in time.
    pub holds: Fact<bool>,
    /// `review` where it depends on the reading; else empty.
    pub result: String,
    /// What it weighs where it was not.
    pub severity: String,
    /// All of it in words, with both ends.
    pub reason: String,
}

impl ClockRow {
    /// The row of a request on this day.
    pub fn new(request: &Request, holidays: Option<&BTreeSet<Date>>, as_of: Date) -> ClockRow {
        let text = |day: Date| Fact::Known(day.to_string());
        let unknown = || Fact::unknown("the calendar does not reach that far");
        let mut row = ClockRow {
            key: request.id.clone(),
            right: request.right.word().to_owned(),
            regime: request.regime.word().to_owned(),
            received_on: request.received_on.to_string(),
            start_day: unknown(),
            due: unknown(),
            extended_due: unknown(),
            effective_due: unknown(),
            internal_due: unknown(),
            extension: Extension::None.word().to_owned(),
            completed_on: request.completed_on.map(|day| day.to_string()).unwrap_or_default(),
            as_of_day: as_of.to_string(),
            late_days: 0,
            paused_days: 0,
            state: "waiting".to_owned(),
            judged: true,
            holds: Fact::unknown("the calendar does not reach that far"),
            severity: "medium".to_owned(),
            reason: String::new(),
        };
        if request.received_on > as_of || request.completed_on.is_some_and(|day| day > as_of) {
            row.holds = Fact::unknown("a day of this request lies in the future");
            return row;
        }
        let Ok(clock) = clock(request, holidays, as_of) else { return row };
        row.extension = clock.extension.word().to_owned();
        row.paused_days = clock.paused_days;
        if let Start::Waiting(_) = clock.start {
            let why = "proof of identity, or a fee, was asked for and is not there, so the clock has not started";
            for day in
                [&mut row.start_day, &mut row.due, &mut row.extended_due, &mut row.effective_due, &mut row.internal_due]
            {
                *day = Fact::unknown(why);
            }
            row.holds = Fact::unknown(why);
            return row;
        }
        row.start_day = text(clock.start.day());
        row.due = text(clock.due);
        row.extended_due = text(clock.extended_due);
        row.effective_due = text(clock.effective_due);
        row.internal_due = text(clock.internal);
        row.judge(request, &clock, as_of);
        row
    }

    fn judge(&mut self, request: &Request, clock: &Clock, as_of: Date) {
        let due = clock.effective_due;
        let ended = request.completed_on.unwrap_or(as_of);
        let over = days_between(due, ended).max(0);
        let mut faults: Vec<(&str, String)> = Vec::new();
        // While the clock stands still the due day moves with the present, and is not to be feared.
        let (state, words) = match request.completed_on {
            Some(day) if over == 0 => ("answered", format!("answered on {day}, due on {due}")),
            Some(day) => {
                let weight = if over > FAR_LATE_DAYS { "high" } else { "medium" };
                faults.push((weight, format!("{over} days late")));
                ("late", format!("answered on {day}, due on {due}"))
            }
            None if over > 0 => {
                faults.push(("high", format!("{over} days over its time and not answered")));
                ("overdue", format!("due on {due}"))
            }
            None if clock.is_paused => ("paused", format!("the clock stands still; due on {due} as things stand")),
            None if days_between(as_of, due) <= SOON_DAYS => {
                faults.push(("low", "due within a week and not answered".to_owned()));
                ("due soon", format!("due on {due}"))
            }
            None => ("open", format!("open, and due on {due}")),
        };
        self.late_days = over;
        match clock.extension {
            Extension::Late => {
                faults.push((
                    "medium",
                    "the person was told of the extension when the time was over, so it does not count".to_owned(),
                ));
            }
            Extension::Incomplete if over > 0 => {
                let words = "the extension does not count without its reason and the day on which the person was told";
                faults.push(("low", words.to_owned()));
            }
            _ => {}
        }
        if request.outcome == Some(Outcome::Refused) {
            let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
            if !given(&request.refusal_reason) {
                faults.push(("medium", "refused without a reason".to_owned()));
            }
            if request.complaint_info_given != Some(true) {
                faults.push(("medium", "refused without word of the authority and the courts".to_owned()));
            }
        }
        let weight = |fault: &&(&str, String)| ["low", "medium", "high"].iter().position(|word| *word == fault.0);
        if let Some((worst, _)) = faults.iter().max_by_key(weight) {
            self.severity = (*worst).to_owned();
        }
        self.state = state.to_owned();
        self.judged = !faults.is_empty() || !matches!(state, "open" | "paused");
        self.holds = Fact::Known(faults.is_empty());
        let words = std::iter::once(words).chain(faults.into_iter().map(|(_, fault)| fault));
        self.reason = words.chain(clock.notes.iter().cloned()).collect::<Vec<_>>().join("; ");
    }
}

impl CoverageRow {
    /// A row for each right, and one for the requests.
    pub fn all(requests: &Requests, rows: &[ClockRow], as_of: Date) -> Vec<CoverageRow> {
        let mut all: Vec<CoverageRow> =
            Right::ALL.iter().map(|right| CoverageRow::procedure(requests, *right)).collect();
        all.push(CoverageRow::year(requests, rows, as_of));
        all
    }

    fn procedure(requests: &Requests, right: Right) -> CoverageRow {
        let documented = match &requests.procedures {
            None => Fact::unknown("the file says nothing of procedures"),
            Some(all) => Fact::Known(all.get(&right).is_some_and(|procedure| !procedure.document.trim().is_empty())),
        };
        let summary = match documented.known() {
            Some(true) => "a document is named",
            Some(false) => "no document is named",
            None => "nothing is said of procedures",
        };
        CoverageRow {
            key: format!("procedure:{}", right.word()),
            documented,
            received: 0,
            judged: Fact::Known(0),
            on_time: 0,
            on_time_text: Ratio::new(0, 0).text,
            median_days: Fact::unknown("this row is about a document"),
            summary: summary.to_owned(),
        }
    }

    fn year(requests: &Requests, rows: &[ClockRow], as_of: Date) -> CoverageRow {
        let since = as_of.checked_sub(Span::new().months(12)).unwrap_or(Date::MIN);
        let year = requests
            .requests
            .iter()
            .zip(rows)
            .filter(|(request, _)| since < request.received_on && request.received_on <= as_of);
        let (mut received, mut judged, mut on_time, mut days) = (0u64, 0u64, 0u64, Vec::new());
        for (request, row) in year {
            received += 1;
            judged += u64::from(matches!(row.state.as_str(), "answered" | "late" | "overdue"));
            on_time += u64::from(row.state == "answered");
            days.extend(request.completed_on.map(|day| days_between(request.received_on, day)));
        }
        let ratio = Ratio::new(on_time, judged);
        let none = if received == 0 {
            "no request of the last 12 months is recorded"
        } else {
            "no request of the last 12 months is answered or due"
        };
        let median_days = median(days).map_or_else(|| Fact::unknown("none was answered"), Fact::Known);
        let half = median_days.known().map(|days| format!(", half of them within {days} days")).unwrap_or_default();
        CoverageRow {
            key: "requests".to_owned(),
            documented: Fact::Known(true),
            received,
            judged: if judged == 0 { Fact::unknown(none) } else { Fact::Known(judged) },
            on_time,
            summary: format!(
                "{received} came in 12 months; {on_time} of {judged} in time ({} per cent){half}",
                ratio.text
            ),
            on_time_text: ratio.text,
            median_days,
        }
    }
}

/// The middle one, or half-way between the two in the middle.
fn median(mut days: Vec<i64>) -> Option<String> {
    days.sort_unstable();
    let upper = *days.get(days.len() / 2)?;
    let lower = *days.get((days.len() - 1) / 2)?;
    let sum = lower + upper;
    Some(if sum % 2 == 0 { (sum / 2).to_string() } else { format!("{}.5", sum / 2) })
}

impl BreachRow {
    /// The row of a breach at this instant.
    pub fn new(breach: &Breach, requests: &Requests, as_of: Timestamp) -> BreachRow {
        let named = requests.holidays(breach.country_calendar.as_ref());
        let none = BTreeSet::new();
        let clock = breach_clock(breach.aware_at, &requests.time_zone, named.unwrap_or(&none));
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let mut row = BreachRow {
            key: breach.id.clone(),
            aware_at: breach.aware_at.to_string(),
            strict_due: Fact::unknown("the calendar does not reach that far"),
            long_due: Fact::unknown("the calendar does not reach that far"),
            notified_at: breach.notified_at.map(|told| told.to_string()).unwrap_or_default(),
            judged: true,
            holds: Fact::unknown("the calendar does not reach that far"),
            result: String::new(),
            severity: "high".to_owned(),
            reason: String::new(),
        };
        let Ok(clock) = clock else { return row };
        row.strict_due = Fact::Known(clock.strict.to_string());
        row.long_due = Fact::Known(clock.long.to_string());
        if breach.aware_at > as_of || breach.notified_at.is_some_and(|told| told > as_of) {
            row.holds = Fact::unknown("an instant of this breach lies in the future");
            return row;
        }
        let ended = breach.notified_at.unwrap_or(as_of);
        let words = match breach.notified_at {
            Some(told) => format!("the authority was told at {told}"),
            None if given(&breach.no_risk_reason) => {
                "recorded as unlikely to be a risk for people, so nobody was told".to_owned()
            }
            None => "the authority has not been told".to_owned(),
        };
        if breach.notified_at.is_none() && (given(&breach.no_risk_reason) || as_of <= clock.strict) {
            row.judged = false;
        }
        row.holds = Fact::Known(ended <= clock.strict);
        if ended > clock.strict && ended <= clock.long {
            "review".clone_into(&mut row.result);
        }
        let mut reason = format!(
            "{words}; 72 hours on the clock end at {}, and by the rules for periods, with two working days, at {}",
            clock.strict, clock.long
        );
        if ended > clock.long && breach.notified_at.is_some() && given(&breach.delay_reason) {
            "medium".clone_into(&mut row.severity);
            reason.push_str("; the delay was explained");
        }
        if named.is_none() {
            reason.push_str("; no calendar of public holidays is named: only weekends count");
        }
        row.reason = reason;
        row
    }
}
