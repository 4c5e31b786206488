//! The rules of transfers (`vendor.transfer` and its children): what each transfer of a vendor rests on.

use super::judgement::{Judged, Judgement, gate};
use super::{Situation, is_in_use, outside};
use crate::check::derive::day::{days_between, has_aged};
use crate::check::derive::transfers::adequacy::{is_ended, is_freshly_checked};
use crate::check::derive::transfers::instrument::{expected_module, known_tia, pair};
use crate::check::derive::transfers::law::{Adequacy, Instrument, Need};
use crate::check::derive::transfers::{ASSESSMENT_SINCE, Case, Standing, Verdict, eval};
use crate::model::Severity::{self, Critical, High, Info, Low, Medium};
use crate::model::personal::SubjectCategory;
use crate::model::register::rules::LawNote;
use crate::model::register::{Country, Mechanism, Outcome, Regime, Transfer, Vendor};
use std::collections::{BTreeMap, BTreeSet};

/// The checks of this table.
pub const CHECKS: &[&str] = &[
    "vendor.transfer",
    "vendor.transfer.dpf",
    "vendor.transfer.privacy_shield",
    "vendor.transfer.scc",
    "vendor.transfer.tia",
];

/// Days before the end of an adequacy decision from which it is named.
const ENDING_DAYS: i64 = 180;

/// Judges the transfers of a vendor.
pub fn judge(subject: &str, vendor: &Vendor, situation: &Situation<'_>) -> Judged {
    let concerned = gate(&[
        (is_in_use(vendor), "the status is not recorded", "the vendor is not in use"),
        (vendor.personal_data, "whether it handles personal data is not recorded", "it handles no personal data"),
    ]);
    if let Err(judged) = concerned {
        return judged;
    }
    let Some(stated) = &situation.organisation.exporter_regimes else {
        return Judged::unknown("which transfer laws apply is not recorded (organisation.exporter_regimes)");
    };
    let regimes = situation.regimes();
    if regimes.is_empty() {
        let why = if stated.is_empty() { "no transfer law applies" } else { "no transfer law was in force" };
        return Judged::not_applicable(format!("{why} on {}", situation.as_of));
    }
    let mut judged = Judged::not_applicable("no transfer rests on what this check is about");
    match outside(vendor, situation) {
        Some(places) => judged.judgements.extend(unmapped(subject, vendor, &places)),
        None => {
            let reason = format!("{subject}: not every place of storage and of access is recorded");
            judged.judgements.push(Judgement::new("vendor.transfer.unmapped", Outcome::Unknown, High, reason));
            // A place that is not recorded may rest on anything.
            judged.otherwise = (Outcome::Unknown, "not every place of storage and of access is recorded".to_owned());
        }
    }
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for transfer in vendor.transfers.iter().flatten() {
        if transfer.regime.is_some_and(|regime| !regimes.contains(&regime)) {
            continue;
        }
        if let Some((regime, country)) = transfer.regime.zip(transfer.to_country.as_ref())
            && situation.law.is_free(regime, country, situation.as_of)
        {
            continue;
        }
        let regime = transfer.regime.map_or("?", Regime::word);
        let country = transfer.to_country.as_ref().map_or("?", Country::code);
        let name = format!("{regime}:{country}");
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        let item = if *count == 1 { name } else { format!("{name}#{count}") };
        Entry { subject, item: &item, vendor, transfer, situation }.judge(&mut judged);
    }
    if judged.judgements.is_empty() {
        judged.otherwise.1 = "every recorded place lies where data moves without restriction".to_owned();
    }
    judged
}

/// Whether each place outside the free areas has an entry.
fn unmapped(subject: &str, vendor: &Vendor, places: &BTreeSet<(Regime, Country)>) -> Vec<Judgement> {
    let transfers = || vendor.transfers.iter().flatten();
    let vague = transfers().any(|transfer| transfer.regime.is_none() || transfer.to_country.is_none());
    let mapped: BTreeSet<_> =
        transfers().filter_map(|transfer| Some((transfer.regime?, transfer.to_country.clone()?))).collect();
    places
        .iter()
        .map(|place| {
            let (regime, country) = (place.0.word(), place.1.code());
            let (outcome, reason) = if mapped.contains(place) {
                (Outcome::Pass, format!("{subject}: the transfer to {country} is recorded under {regime}"))
            } else if vague {
                let reason =
                    format!("{subject}: a transfer is recorded without regime or country, perhaps to {country}");
                (Outcome::Unknown, reason)
            } else {
                let reason = format!("{subject}: data goes to {country}, no transfer recorded under {regime}");
                (Outcome::Fail, reason)
            };
            Judgement::new("vendor.transfer.unmapped", outcome, High, reason).of(&format!("{regime}:{country}"))
        })
        .collect()
}

/// One recorded transfer of a vendor.
struct Entry<'a> {
    subject: &'a str,
    item: &'a str,
    vendor: &'a Vendor,
    transfer: &'a Transfer,
    situation: &'a Situation<'a>,
}

impl Entry<'_> {
    /// The transfer rests on its best mechanism, of equals on the one with the lightest faults; what is wrong with
    /// the others is information.
    fn judge(&self, judged: &mut Judged) {
        let Some(mechanisms) = &self.transfer.mechanisms else {
            let reason = self.say("what the transfer rests on is not recorded");
            judged.judgements.push(self.one("vendor.transfer.ok", Outcome::Unknown, Critical, reason));
            judged.otherwise = (Outcome::Unknown, "what a transfer rests on is not recorded".to_owned());
            return;
        };
        let country = self.transfer.to_country.as_ref().map_or("a country not recorded", Country::code);
        if mechanisms.is_empty() {
            let reason = self.say(&format!("transfer to {country} rests on no mechanism (Art. 44)"));
            judged.judgements.push(self.one("vendor.transfer.none", Outcome::Fail, Critical, reason));
            return;
        }
        let case = self.case();
        let judged_mechanisms: Vec<(Verdict, Vec<Judgement>)> = mechanisms
            .iter()
            .map(|mechanism| {
                let verdict = eval(mechanism, self.transfer, &case);
                let judgements = self.mechanism(mechanism, &verdict, mechanisms.len() == 1);
                (verdict, judgements)
            })
            .collect();
        let rank = |(verdict, judgements): &(Verdict, Vec<Judgement>)| {
            (verdict.standing, std::cmp::Reverse(worst(judgements)))
        };
        let best = judged_mechanisms.iter().map(rank).max();
        let best = judged_mechanisms.iter().position(|mechanism| Some(rank(mechanism)) == best).unwrap_or_default();
        let reason = self.say(&format!("the transfer to {country} names what it rests on"));
        judged.judgements.push(self.one("vendor.transfer.none", Outcome::Pass, Critical, reason));
        for (n, (mechanism, (verdict, judgements))) in mechanisms.iter().zip(judged_mechanisms).enumerate() {
            judged.notes.extend(self.note(&verdict));
            if n == best {
                judged.judgements.push(self.carried(country, mechanism, &verdict, &judgements));
                judged.judgements.extend(judgements);
            } else {
                let aside = judgements.into_iter().filter(|judgement| judgement.outcome != Outcome::Pass);
                judged.judgements.extend(aside.map(|judgement| Judgement {
                    outcome: Outcome::Info,
                    item: format!("{}/{n}", self.item),
                    reason: format!("{}; the transfer does not rest on it", judgement.reason),
                    ..judgement
                }));
            }
        }
    }

    fn case(&self) -> Case<'_> {
        let staff = [SubjectCategory::Employee, SubjectCategory::Candidate];
        let subjects = self.vendor.subject_categories.as_ref();
        Case {
            law: self.situation.law,
            as_of: self.situation.as_of,
            tia_max_months: self.situation.policy.tia_max_months,
            human_resources: subjects.map(|subjects| staff.iter().any(|staff| subjects.contains(staff))),
        }
    }

    fn say(&self, text: &str) -> String {
        format!("{}: {text}", self.subject)
    }

    fn one(&self, rule: &'static str, outcome: Outcome, severity: Severity, reason: String) -> Judgement {
        Judgement::new(rule, outcome, severity, reason).of(self.item)
    }

    /// The row about the transfer as a whole. Where a rule already says what is wrong, it is as severe as that.
    fn carried(&self, country: &str, mechanism: &Mechanism, verdict: &Verdict, others: &[Judgement]) -> Judgement {
        let said = worst(others);
        let name: String = mechanism.kind.chars().take(40).collect();
        let reason = format!("{}: {country} under {name}: {}", self.subject, verdict.reason);
        let rule = "vendor.transfer.ok";
        match verdict.standing {
            Standing::Valid => {
                let reason = format!("{}: {country} under {name} ({})", self.subject, verdict.act);
                let assumed =
                    if verdict.reason.contains("assumed") { format!("; {}", verdict.reason) } else { String::new() };
                self.one(rule, Outcome::Pass, Critical, reason + &assumed)
            }
            Standing::Conditional => self.one(rule, Outcome::Warn, said.unwrap_or(Medium), reason),
            Standing::Unknown => self.one(rule, Outcome::Unknown, Critical, reason),
            Standing::Invalid => {
                // An assessment that is missing besides does not say why nothing carries the transfer.
                let fails = |other: &&Judgement| {
                    other.outcome == Outcome::Fail && !other.rule.starts_with("vendor.transfer.tia.")
                };
                let said = others.iter().filter(fails).map(|other| other.severity).max();
                self.one(rule, Outcome::Fail, said.unwrap_or(Critical), reason)
            }
        }
    }

    fn note(&self, verdict: &Verdict) -> Option<LawNote> {
        let row = self.situation.law.adequacy_row(verdict.why.as_deref()?)?;
        let note = row.note.as_deref().unwrap_or("confirm before relying on it");
        row.verify.then(|| LawNote { entry: row.id.clone(), note: note.to_owned() })
    }

    /// What the rules say of one mechanism.
    fn mechanism(&self, mechanism: &Mechanism, verdict: &Verdict, only: bool) -> Vec<Judgement> {
        let law = self.situation.law;
        let mut judgements = Vec::new();
        let row = verdict.why.as_deref().and_then(|why| law.adequacy_row(why));
        let void = row.filter(|row| is_ended(row, self.situation.as_of));
        judgements.extend(self.programmes(void));
        if let Some(row) = row.filter(|_| void.is_none()) {
            judgements.extend(self.data_privacy_framework(mechanism, row, verdict, only));
            judgements.extend(self.adequacy_ending(row));
        }
        if let Some(instrument) = law.instrument(&mechanism.kind) {
            judgements.extend(self.foreign(instrument, verdict));
            if verdict.why.as_deref() != Some("regime") {
                judgements.extend(self.legacy(instrument, mechanism, verdict));
                judgements.extend(self.module(instrument, mechanism, verdict));
                judgements.extend(self.assessment(instrument, mechanism));
            }
            if verdict.why.as_deref() == Some("importer_in_scope") {
                let rule = "vendor.transfer.scc.importer_in_scope";
                judgements.push(self.one(rule, Outcome::Warn, Low, self.say(&verdict.reason)));
            }
            if verdict.why.as_deref() == Some("derogation") {
                let reason = self.say("routine transfer on an Art. 49 derogation");
                judgements.push(self.one("vendor.transfer.derogation", Outcome::Warn, High, reason));
            }
        }
        judgements
    }

    /// The ended programmes; that nothing rests on one is said of every transfer.
    fn programmes(&self, void: Option<&Adequacy>) -> Vec<Judgement> {
        let listed = void.and_then(|row| row.condition.as_deref().zip(row.ended_on));
        let shield = "vendor.transfer.privacy_shield";
        let held = || self.one(shield, Outcome::Pass, Critical, self.say("does not rest on a void framework"));
        match listed {
            Some(("privacy_shield_listed", ended)) => {
                let reason = self.say(&format!("relies on Privacy Shield, void since {ended}"));
                vec![self.one(shield, Outcome::Fail, Critical, reason)]
            }
            Some(("safe_harbour_listed", ended)) => {
                let reason = self.say(&format!("relies on Safe Harbor, void since {ended} (C-362/14)"));
                vec![self.one("vendor.transfer.safe_harbour", Outcome::Fail, Critical, reason), held()]
            }
            _ => vec![held()],
        }
    }

    fn data_privacy_framework(
        &self,
        mechanism: &Mechanism,
        row: &Adequacy,
        verdict: &Verdict,
        only: bool,
    ) -> Vec<Judgement> {
        if !row.condition.as_deref().is_some_and(|condition| condition.starts_with("dpf_")) {
            return Vec::new();
        }
        let checked = mechanism.dpf_checked_on.map_or("a day not recorded".to_owned(), |day| day.to_string());
        let (outcome, reason) = match verdict.standing {
            Standing::Valid => (Outcome::Pass, format!("on the DPF list as of {checked}")),
            Standing::Invalid => (Outcome::Fail, format!("not on the DPF list as of {checked}: {}", verdict.reason)),
            Standing::Unknown | Standing::Conditional => (Outcome::Unknown, verdict.reason.clone()),
        };
        let mut judgements = vec![self.one("vendor.transfer.dpf", outcome, Critical, self.say(&reason))];
        if outcome == Outcome::Unknown && !is_freshly_checked(mechanism, self.situation.as_of) {
            let reason = self.say(&format!("DPF status last checked {checked}"));
            judgements.push(self.one("vendor.transfer.dpf_unchecked", Outcome::Unknown, High, reason));
        }
        if only {
            let reason = self.say("DPF with no fallback clauses");
            judgements.push(self.one("vendor.transfer.dpf_fallback", Outcome::Info, Info, reason));
        }
        judgements
    }

    fn adequacy_ending(&self, row: &Adequacy) -> Option<Judgement> {
        let last = row.to?;
        let country = self.transfer.to_country.as_ref()?;
        let soon = days_between(self.situation.as_of, last) <= ENDING_DAYS;
        let (outcome, when) = if soon { (Outcome::Warn, "") } else { (Outcome::Pass, ", not soon") };
        let reason = self.say(&format!("{country}: adequacy ends on {last}{when}"));
        Some(self.one("vendor.transfer.adequacy_ending", outcome, Medium, reason))
    }

    /// Clauses of the EU where the UK or Switzerland asks for its own.
    fn foreign(&self, instrument: &Instrument, verdict: &Verdict) -> Option<Judgement> {
        let clauses = instrument.id.starts_with("scc_");
        match (self.transfer.regime?, verdict.why.as_deref()?) {
            (Regime::Uk, "regime") if clauses => {
                let reason = self.say("UK data on EU clauses without the UK Addendum or IDTA");
                Some(self.one("vendor.transfer.uk", Outcome::Fail, Critical, reason))
            }
            (Regime::Ch, "regime" | "swiss_adaptations") if clauses => {
                let reason = self.say("Swiss data on EU clauses without the FDPIC adaptations");
                Some(self.one("vendor.transfer.ch", Outcome::Fail, High, reason))
            }
            _ => None,
        }
    }

    fn legacy(&self, instrument: &Instrument, mechanism: &Mechanism, verdict: &Verdict) -> Option<Judgement> {
        let valid_to = instrument.valid_to?;
        let signed = mechanism.signed_on?;
        let (rule, outcome, severity, reason) = match (verdict.why.as_deref()?, verdict.standing) {
            ("signable", _) => {
                let reason = format!("legacy clauses signed on {signed}, after they were repealed");
                ("vendor.transfer.scc.legacy_new", Outcome::Fail, Critical, reason)
            }
            ("expired", _) => {
                let reason = format!("legacy clauses of {signed} stopped being valid after {valid_to}");
                ("vendor.transfer.scc.legacy_expired", Outcome::Fail, Critical, reason)
            }
            (_, Standing::Valid | Standing::Conditional) => {
                let reason = format!("legacy clauses must be replaced by {valid_to}");
                ("vendor.transfer.scc.legacy_aging", Outcome::Warn, High, reason)
            }
            _ => return None,
        };
        Some(self.one(rule, outcome, severity, self.say(&reason)))
    }

    fn module(&self, instrument: &Instrument, mechanism: &Mechanism, verdict: &Verdict) -> Option<Judgement> {
        if !instrument.id.contains("scc") {
            return None;
        }
        let rule = "vendor.transfer.scc.module";
        let pair = pair(self.transfer);
        match (verdict.why.as_deref()?, verdict.standing) {
            ("module", _) => {
                let signed: BTreeSet<u8> =
                    mechanism.module.into_iter().chain(mechanism.modules.iter().flatten().copied()).collect();
                let signed = signed.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
                let signed = if signed.is_empty() { "none recorded".to_owned() } else { signed };
                let pair = pair?;
                let expected = expected_module(instrument, &pair).map_or("another set".to_owned(), |n| n.to_string());
                let roles = pair.replace('2', "→");
                let reason = self.say(&format!("module {signed} does not fit {roles}; expected {expected}"));
                Some(self.one(rule, Outcome::Fail, High, reason))
            }
            ("roles", _) => Some(self.one(rule, Outcome::Unknown, High, self.say(&verdict.reason))),
            (_, Standing::Valid | Standing::Conditional) => {
                Some(self.one(rule, Outcome::Pass, High, self.say("clause set and module fit the roles")))
            }
            _ => None,
        }
    }

    fn assessment(&self, instrument: &Instrument, mechanism: &Mechanism) -> Vec<Judgement> {
        let as_of = self.situation.as_of;
        if !instrument.needs.contains(&Need::Tia) || as_of < ASSESSMENT_SINCE {
            return Vec::new();
        }
        let Some(tia) = known_tia(mechanism, as_of) else {
            let reason = self.say("clauses without a transfer impact assessment (C-311/18; clause 14)");
            return vec![self.one("vendor.transfer.tia.missing", Outcome::Fail, High, reason)];
        };
        let recorded = self.say("a transfer impact assessment is recorded");
        let stale = "vendor.transfer.tia.stale";
        let age = match tia.done_on {
            None => {
                let reason = self.say("the day of the transfer impact assessment is not recorded");
                self.one(stale, Outcome::Unknown, Medium, reason)
            }
            Some(done) => {
                let old = has_aged(done, self.situation.policy.tia_max_months, as_of) || done < ASSESSMENT_SINCE;
                let reason = self.say(&format!("transfer impact assessment of {done}"));
                self.one(stale, if old { Outcome::Warn } else { Outcome::Pass }, Medium, reason)
            }
        };
        vec![self.one("vendor.transfer.tia.missing", Outcome::Pass, High, recorded), age]
    }
}

/// The highest severity among what is broken.
fn worst(judgements: &[Judgement]) -> Option<Severity> {
    let broken = judgements.iter().filter(|judgement| matches!(judgement.outcome, Outcome::Fail | Outcome::Warn));
    broken.map(|judgement| judgement.severity).max()
}
