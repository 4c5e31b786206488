//! What a mechanism is worth for a transfer on a day: one pure function over the law tables.

pub mod law;

use super::day::{has_aged, next};
use crate::model::register::transfer::{DpfStatus, ImporterLaw, Party, Tia, TiaOutcome};
use crate::model::register::{Country, Mechanism, Regime, Transfer};
use jiff::civil::Date;
use law::{Adequacy, Cap, Instrument, Law, Need, Scope};

/// The day on which the Court asked for an assessment of each case (C-311/18).
pub const ASSESSMENT_SINCE: Date = jiff::civil::date(2020, 7, 16);

/// What a mechanism is worth, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It carries nothing.
    Invalid,
    /// A fact is absent.
    Unknown,
    /// It carries the transfer once something is mended.
    Conditional,
    /// It carries the transfer.
    Valid,
}

impl Standing {
    /// The word used in reasons.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Invalid => "invalid",
            Standing::Unknown => "unknown",
            Standing::Conditional => "conditional",
            Standing::Valid => "valid",
        }
    }
}

/// What a mechanism is worth, and what decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What it is worth.
    pub standing: Standing,
    /// The adequacy row or the step that decided; nothing where no row speaks of the country.
    pub why: Option<String>,
    /// The act relied on, where one was found.
    pub act: String,
    /// In words: which fact and which article or act.
    pub reason: String,
}

/// What `eval` reads beside the transfer and its mechanism.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The law tables.
    pub law: &'a Law,
    /// The day.
    pub as_of: Date,
    /// Months that a transfer impact assessment counts.
    pub tia_max_months: u32,
    /// Whether data of our employees or candidates is sent.
    pub human_resources: bool,
}

/// What this mechanism is worth for this transfer on this day.
pub fn eval(mechanism: &Mechanism, transfer: &Transfer, case: &Case<'_>) -> Verdict {
    let (Some(regime), Some(country)) = (transfer.regime, &transfer.to_country) else {
        return verdict(Standing::Unknown, "transfer", "", "the transfer names no regime or no country");
    };
    match mechanism.kind.as_str() {
        "adequacy" => adequacy(mechanism, regime, country, case),
        "safe_harbour" | "privacy_shield" => programme(mechanism, regime, country, case),
        id => match case.law.instrument(id) {
            Some(instrument) => instrument_verdict(instrument, mechanism, transfer, regime, case),
            None => {
                let name: String = id.chars().take(40).collect();
                verdict(Standing::Unknown, "type", "", format!("the law tables know no mechanism {name:?}"))
            }
        },
    }
}

fn verdict(standing: Standing, why: &str, act: &str, reason: impl Into<String>) -> Verdict {
    Verdict { standing, why: Some(why.to_owned()), act: act.to_owned(), reason: reason.into() }
}

/// A decision of adequacy: the best of the rows in force, or the last that was ended.
fn adequacy(mechanism: &Mechanism, regime: Regime, country: &Country, case: &Case<'_>) -> Verdict {
    let rows = || case.law.adequacy_of(regime, country);
    let in_force = rows().filter(|row| row.is_in_force(case.as_of));
    // The first of equals, so that the order of the tables decides.
    let best = in_force
        .map(|row| row_verdict(row, mechanism, regime, country, case))
        .reduce(|best, other| if other.standing > best.standing { other } else { best });
    if let Some(best) = best {
        return best;
    }
    match rows().filter(|row| is_ended(row, case.as_of)).max_by_key(|row| row.ended_on) {
        Some(row) => ended_verdict(row),
        None => Verdict {
            standing: Standing::Invalid,
            why: None,
            act: String::new(),
            reason: format!("no adequacy decision about {country} is in force under {}", regime.word()),
        },
    }
}

/// The row that was ended last under this law, or under that of the EU where this one never had one.
fn last_ended<'a>(regime: Regime, country: &'a Country, case: &Case<'a>) -> Option<&'a Adequacy> {
    [regime, Regime::Eu].into_iter().find_map(|regime| {
        case.law.adequacy_of(regime, country).filter(|row| is_ended(row, case.as_of)).max_by_key(|row| row.ended_on)
    })
}

/// Whether something ended the row, other than its own last day.
pub(super) fn is_ended(row: &Adequacy, as_of: Date) -> bool {
    row.ended_on.is_some_and(|ended| ended <= as_of)
}

fn ended_verdict(row: &Adequacy) -> Verdict {
    let by = row.ended_by.as_deref().unwrap_or("its end");
    verdict(Standing::Invalid, &row.id, &row.act, format!("{} was ended by {by}", row.act))
}

/// A programme that is named by its own word rather than as adequacy.
fn programme(mechanism: &Mechanism, regime: Regime, country: &Country, case: &Case<'_>) -> Verdict {
    let condition = format!("{}_listed", mechanism.kind);
    // The UK never had a programme of its own: the one of the EU applied there.
    let rows = [regime, Regime::Eu].into_iter().flat_map(|regime| case.law.adequacy_of(regime, country));
    let row = { rows }.find(|row| row.condition.as_deref() == Some(&condition));
    match row {
        Some(row) if row.is_in_force(case.as_of) => row_verdict(row, mechanism, regime, country, case),
        Some(row) if is_ended(row, case.as_of) => ended_verdict(row),
        _ => Verdict {
            standing: Standing::Invalid,
            why: None,
            act: String::new(),
            reason: format!("the programme has no effect for {country} under {}", regime.word()),
        },
    }
}

fn row_verdict(row: &Adequacy, mechanism: &Mechanism, regime: Regime, country: &Country, case: &Case<'_>) -> Verdict {
    let Some(condition) = row.condition.as_deref().filter(|_| row.scope == Scope::Conditional) else {
        return verdict(Standing::Valid, &row.id, &row.act, format!("{} is in force", row.act));
    };
    if is_on_ended_list_alone(mechanism, condition) {
        if let Some(other) = last_ended(regime, country, case) {
            return ended_verdict(other);
        }
    }
    match answer(condition, mechanism, case) {
        Some(true) => {
            verdict(Standing::Valid, &row.id, &row.act, format!("{} is in force and {condition} is met", row.act))
        }
        Some(false) => {
            verdict(Standing::Invalid, &row.id, &row.act, format!("{} asks for {condition}, which is not met", row.act))
        }
        None => match case.law.condition_defaults.get(condition) {
            Some(true) => verdict(
                Standing::Valid,
                &row.id,
                &row.act,
                format!("{} is in force; {condition} is assumed, the register does not answer it", row.act),
            ),
            Some(false) => verdict(
                Standing::Invalid,
                &row.id,
                &row.act,
                format!("{} asks for {condition}, which is assumed not to be met", row.act),
            ),
            None => verdict(
                Standing::Unknown,
                &row.id,
                &row.act,
                format!("{} asks for {condition}, which the register does not answer", row.act),
            ),
        },
    }
}

/// Whether the mechanism names only the ended programme's list, where its successor's is asked for.
fn is_on_ended_list_alone(mechanism: &Mechanism, condition: &str) -> bool {
    condition.starts_with("dpf_") && mechanism.listed == Some(true) && mechanism.dpf_status.is_none()
}

/// Whether a condition of an adequacy row is met, as far as the register says.
fn answer(condition: &str, mechanism: &Mechanism, case: &Case<'_>) -> Option<bool> {
    let stated = || mechanism.conditions.get(condition).copied();
    let subject_to = |law| mechanism.importer_subject_to.as_ref().map(|laws| laws.contains(&law)).or_else(stated);
    match condition {
        "safe_harbour_listed" | "privacy_shield_listed" => mechanism.listed.or_else(stated),
        "importer_subject_to_pipeda" => subject_to(ImporterLaw::Pipeda),
        "importer_subject_to_appi" => subject_to(ImporterLaw::Appi),
        "importer_subject_to_pipa" => subject_to(ImporterLaw::Pipa),
        "dpf_active" => all(&data_privacy_framework(mechanism, case)),
        "dpf_uk_extension_active" => {
            let [status, due, staff, fresh] = data_privacy_framework(mechanism, case);
            all(&[status, due, staff, fresh, mechanism.uk_extension])
        }
        "dpf_swiss_active" => {
            let [status, due, staff, fresh] = data_privacy_framework(mechanism, case);
            all(&[status, due, staff, fresh, mechanism.swiss])
        }
        _ => stated(),
    }
}

/// What makes a certification under the Data Privacy Framework count: status, renewal, kind of data, a fresh look.
fn data_privacy_framework(mechanism: &Mechanism, case: &Case<'_>) -> [Option<bool>; 4] {
    let status = match mechanism.dpf_status {
        Some(DpfStatus::Active) => Some(true),
        Some(DpfStatus::Inactive | DpfStatus::Withdrawn) => Some(false),
        Some(DpfStatus::Unknown) | None => None,
    };
    let renewed = mechanism.dpf_next_certification_due.is_none_or(|due| due >= case.as_of);
    let staff = if case.human_resources { mechanism.dpf_covers_hr } else { Some(true) };
    [status, Some(renewed), staff, is_freshly_checked(mechanism, case.as_of).then_some(true)]
}

/// Whether someone looked at the list in the twelve months before this day.
pub(super) fn is_freshly_checked(mechanism: &Mechanism, as_of: Date) -> bool {
    mechanism.dpf_checked_on.is_some_and(|checked| checked <= as_of && !has_aged(checked, 12, as_of))
}

/// The three-valued "and": one "no" decides, then one absent answer.
fn all(answers: &[Option<bool>]) -> Option<bool> {
    if answers.contains(&Some(false)) {
        Some(false)
    } else if answers.contains(&None) {
        None
    } else {
        Some(true)
    }
}

/// A transfer tool: the steps of the specification, each of which may decide.
fn instrument_verdict(
    instrument: &Instrument,
    mechanism: &Mechanism,
    transfer: &Transfer,
    regime: Regime,
    case: &Case<'_>,
) -> Verdict {
    let act = instrument.act.as_str();
    let instrument = match serving(instrument, mechanism, regime, case.law) {
        Some(serving) => serving,
        None => return verdict(Standing::Invalid, "regime", act, foreign_reason(instrument, regime)),
    };
    if let Some(decided) = signature(instrument, mechanism, case.as_of) {
        return decided;
    }
    if instrument.condition.as_deref() == Some("processing_unchanged") {
        match mechanism.processing_unchanged {
            Some(true) => {}
            Some(false) => {
                let reason = "the processing changed, so the legacy clauses no longer carry it";
                return verdict(Standing::Invalid, "processing_changed", act, reason);
            }
            None => {
                let reason = "whether the processing stayed unchanged is not recorded";
                return verdict(Standing::Unknown, "processing_unchanged", act, reason);
            }
        }
    }
    if let Some(decided) = roles(instrument, mechanism, transfer) {
        return decided;
    }
    if let Some(decided) = needs(instrument, mechanism) {
        return decided;
    }
    if instrument.needs.contains(&Need::Tia) && case.as_of >= ASSESSMENT_SINCE {
        if let Some(decided) = assessment(act, mechanism, case) {
            return decided;
        }
    }
    if instrument.result_cap == Some(Cap::Conditional) {
        let why = if instrument.id == "derogation_49" { "derogation" } else { "result_cap" };
        return verdict(Standing::Conditional, why, act, format!("{act} is for exceptional use only"));
    }
    let in_scope = mechanism.importer_subject_to.as_ref().is_some_and(|laws| laws.contains(&ImporterLaw::Gdpr32));
    if mechanism.kind == "scc_2021" && in_scope {
        let reason = "the importer is itself subject to the GDPR (Art. 3(2)), for which the set was not written \
                      (recital 7 of (EU) 2021/914)";
        return verdict(Standing::Conditional, "importer_in_scope", act, reason);
    }
    verdict(Standing::Valid, "ok", act, format!("{act} is signed and in force"))
}

/// The instrument of this regime that the mechanism is: EU clauses with Swiss adaptations serve as the Swiss set.
fn serving<'a>(
    instrument: &'a Instrument,
    mechanism: &Mechanism,
    regime: Regime,
    law: &'a Law,
) -> Option<&'a Instrument> {
    if instrument.regime == regime {
        return Some(instrument);
    }
    let adapted = regime == Regime::Ch && instrument.id == "scc_2021" && mechanism.swiss_adaptations == Some(true);
    if adapted { law.instrument("scc_2021_ch") } else { None }
}

fn foreign_reason(instrument: &Instrument, regime: Regime) -> String {
    let wanted = match regime {
        Regime::Eu => "a tool of Art. 46 GDPR",
        Regime::Uk => "the UK Addendum or the IDTA",
        Regime::Ch => "the adaptations of the FDPIC",
    };
    format!("{} is no tool of {} law; {wanted} is missing", instrument.act, regime.word())
}

/// Steps a to c: signed, at a time when the tool could be signed, and not past its last day.
fn signature(instrument: &Instrument, mechanism: &Mechanism, as_of: Date) -> Option<Verdict> {
    let act = instrument.act.as_str();
    let Some(signed) = mechanism.signed_on else {
        return Some(verdict(Standing::Unknown, "signed_on", act, "the day of signature is not recorded"));
    };
    if signed > as_of {
        return Some(verdict(Standing::Invalid, "not_yet", act, format!("signed on {signed}, after {as_of}")));
    }
    let early = instrument.signable_from.is_some_and(|from| signed < from);
    let late = instrument.signable_to.is_some_and(|to| signed > to);
    if early || late {
        let reason = format!("{act} was not usable for contracts signed on {signed}");
        return Some(verdict(Standing::Invalid, "signable", act, reason));
    }
    let ended = instrument.valid_to.filter(|last| *last < as_of)?;
    Some(verdict(Standing::Invalid, "expired", act, format!("{act} is no longer valid since {}", next(ended))))
}

/// Step e, and the module of step f: the tool must be for this pair of roles.
fn roles(instrument: &Instrument, mechanism: &Mechanism, transfer: &Transfer) -> Option<Verdict> {
    let act = instrument.act.as_str();
    let Some(pair) = pair(transfer) else {
        let any = instrument.modules.is_empty() && instrument.pairs.iter().any(|pair| pair == "any");
        return (!any).then(|| verdict(Standing::Unknown, "roles", act, "the roles of the transfer are not recorded"));
    };
    if instrument.modules.is_empty() {
        let fits = instrument.pairs.iter().any(|allowed| allowed == "any" || *allowed == pair);
        return (!fits).then(|| verdict(Standing::Invalid, "module", act, format!("{act} is not written for {pair}")));
    }
    let signed: Vec<u8> = mechanism.module.iter().chain(mechanism.modules.iter().flatten()).copied().collect();
    if signed.iter().any(|module| instrument.modules.get(module) == Some(&pair)) {
        return None;
    }
    let expected = expected_module(instrument, &pair).map_or("none".to_owned(), |module| module.to_string());
    let reason = if signed.is_empty() {
        format!("no module is recorded; {pair} asks for module {expected}")
    } else {
        format!("the module signed does not fit {pair}; expected {expected}")
    };
    Some(verdict(Standing::Invalid, "module", act, reason))
}

/// The pair of roles, for example `c2p`.
pub(super) fn pair(transfer: &Transfer) -> Option<String> {
    let (exporter, importer): (Party, Party) = (transfer.exporter_role?, transfer.importer_role?);
    Some(format!("{}2{}", exporter.word(), importer.word()))
}

/// The module for a pair of roles.
pub(super) fn expected_module(instrument: &Instrument, pair: &str) -> Option<u8> {
    instrument.modules.iter().find(|(_, fits)| *fits == pair).map(|(module, _)| *module)
}

/// Step f: what must stand beside the tool, the assessment apart.
fn needs(instrument: &Instrument, mechanism: &Mechanism) -> Option<Verdict> {
    let written = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
    let (why, reason) = instrument.needs.iter().find_map(|need| match need {
        Need::ApprovalRef if !written(&mechanism.approval_ref) => {
            Some(("approval_ref", "the authority's approval is not recorded"))
        }
        Need::BaseScc2021 if mechanism.base_scc_2021 != Some(true) => {
            Some(("base_scc_2021", "the 2021 clauses below the addendum are not recorded"))
        }
        Need::SwissAdaptations if mechanism.swiss_adaptations != Some(true) => {
            Some(("swiss_adaptations", "the adaptations of the FDPIC are not recorded"))
        }
        Need::DerogationGround if !written(&mechanism.derogation_ground) => {
            Some(("derogation_ground", "no ground of Art. 49 is recorded"))
        }
        _ => None,
    })?;
    Some(verdict(Standing::Invalid, why, &instrument.act, reason))
}

/// Step g: the transfer impact assessment.
fn assessment(act: &str, mechanism: &Mechanism, case: &Case<'_>) -> Option<Verdict> {
    let conditional = |why, reason: String| Some(verdict(Standing::Conditional, why, act, reason));
    let Some(tia) = known_tia(mechanism, case.as_of) else {
        return conditional("tia_missing", "no transfer impact assessment is recorded (C-311/18)".to_owned());
    };
    if tia.outcome == Some(TiaOutcome::NotAdequate) {
        let reason = "the transfer impact assessment found no adequate protection";
        return Some(verdict(Standing::Invalid, "tia_not_adequate", act, reason));
    }
    let Some(done) = tia.done_on else {
        return conditional("tia_stale", "the day of the transfer impact assessment is not recorded".to_owned());
    };
    if has_aged(done, case.tia_max_months, case.as_of) {
        return conditional("tia_stale", format!("the transfer impact assessment of {done} is out of date"));
    }
    if mechanism.signed_on.is_some_and(|signed| signed < ASSESSMENT_SINCE) && done < ASSESSMENT_SINCE {
        return conditional("tia_before_ruling", format!("the assessment of {done} is older than C-311/18"));
    }
    match tia.outcome {
        None => conditional("tia_outcome", "the outcome of the transfer impact assessment is not recorded".to_owned()),
        Some(TiaOutcome::Supplementary) if tia.measures.is_empty() => {
            conditional("tia_measures", "the assessment asks for measures, and none is recorded".to_owned())
        }
        Some(_) => None,
    }
}

/// The assessment that exists on this day: one made later is not known yet.
pub(super) fn known_tia(mechanism: &Mechanism, as_of: Date) -> Option<&Tia> {
    mechanism.tia.as_ref().filter(|tia| tia.done_on.is_none_or(|done| done <= as_of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde_json::json;

    #[derive(Deserialize)]
    struct Vector {
        id: String,
        as_of: Date,
        transfer: Transfer,
        mechanism: Mechanism,
        expect: String,
        why: Option<String>,
    }

    fn judge(as_of: &str, transfer: serde_json::Value, mechanism: serde_json::Value) -> Verdict {
        let law = Law::load().unwrap();
        let case = Case { law: &law, as_of: as_of.parse().unwrap(), tia_max_months: 24, human_resources: false };
        eval(&serde_json::from_value(mechanism).unwrap(), &serde_json::from_value(transfer).unwrap(), &case)
    }

    #[test]
    fn vectors() {
        let law = Law::load().unwrap();
        let text = include_str!("../../../../tests/vectors/transfer.json");
        let vectors: Vec<Vector> = serde_json::from_str(text).unwrap();
        assert_eq!(vectors.len(), 59);
        for vector in vectors {
            let case = Case { law: &law, as_of: vector.as_of, tia_max_months: 24, human_resources: false };
            let seen = eval(&vector.mechanism, &vector.transfer, &case);
            assert_eq!((seen.standing.word(), &seen.why), (vector.expect.as_str(), &vector.why), "{}", vector.id);
        }
    }

    #[test]
    fn absent_facts_are_unknown_and_never_valid() {
        let us = json!({"regime": "eu", "to_country": "US", "exporter_role": "c", "importer_role": "p"});
        for (mechanism, why) in [
            (json!({"type": "adequacy"}), "eu-us-dpf"),
            (json!({"type": "adequacy", "dpf_status": "active"}), "eu-us-dpf"),
            (json!({"type": "adequacy", "dpf_status": "active", "dpf_checked_on": "2026-12-01"}), "eu-us-dpf"),
            (json!({"type": "scc_2021"}), "signed_on"),
            (json!({"type": "scc"}), "type"),
        ] {
            let seen = judge("2026-11-23", us.clone(), mechanism.clone());
            assert_eq!((seen.standing, seen.why.as_deref()), (Standing::Unknown, Some(why)), "{mechanism}");
        }
        let seen = judge("2026-11-23", json!({}), json!({"type": "adequacy"}));
        assert_eq!(seen.standing, Standing::Unknown);
        let roles = json!({"regime": "eu", "to_country": "US"});
        let seen = judge("2026-11-23", roles, json!({"type": "scc_2021", "signed_on": "2022-01-01", "module": 2}));
        assert_eq!((seen.standing, seen.why.as_deref()), (Standing::Unknown, Some("roles")));
    }

    #[test]
    fn a_listing_of_the_ended_programme_names_its_end() {
        let us = json!({"regime": "eu", "to_country": "US", "exporter_role": "p", "importer_role": "p"});
        for mechanism in [json!({"type": "adequacy", "listed": true}), json!({"type": "privacy_shield"})] {
            let seen = judge("2026-11-23", us.clone(), mechanism);
            assert_eq!((seen.standing, seen.why.as_deref()), (Standing::Invalid, Some("eu-us-privacy-shield")));
        }
    }

    #[test]
    fn data_of_staff_needs_a_certification_that_covers_it() {
        let law = Law::load().unwrap();
        let day = "2026-11-23".parse().unwrap();
        let case = Case { law: &law, as_of: day, tia_max_months: 24, human_resources: true };
        let transfer = serde_json::from_value(json!({"regime": "eu", "to_country": "US"})).unwrap();
        for (covers, standing) in
            [(Some(true), Standing::Valid), (Some(false), Standing::Invalid), (None, Standing::Unknown)]
        {
            let mechanism = Mechanism {
                kind: "adequacy".to_owned(),
                dpf_status: Some(DpfStatus::Active),
                dpf_checked_on: Some(day),
                dpf_covers_hr: covers,
                ..Mechanism::default()
            };
            assert_eq!(eval(&mechanism, &transfer, &case).standing, standing);
        }
    }

    #[test]
    fn eu_clauses_with_swiss_adaptations_serve_switzerland() {
        let ch = json!({"regime": "ch", "to_country": "US", "exporter_role": "c", "importer_role": "p"});
        let tia = json!({"done_on": "2026-03-01", "outcome": "adequate"});
        let mut clauses = json!({"type": "scc_2021", "signed_on": "2023-02-01", "module": 2, "tia": tia});
        assert_eq!(judge("2026-11-23", ch.clone(), clauses.clone()).why.as_deref(), Some("regime"));
        clauses["swiss_adaptations"] = json!(true);
        assert_eq!(judge("2026-11-23", ch, clauses).standing, Standing::Valid);
    }

    #[test]
    fn measures_and_outcome_of_an_assessment_count() {
        let us = json!({"regime": "eu", "to_country": "US", "exporter_role": "c", "importer_role": "p"});
        for (tia, why) in [
            (json!({"done_on": "2026-03-01"}), "tia_outcome"),
            (json!({"outcome": "adequate"}), "tia_stale"),
            (json!({"done_on": "2026-03-01", "outcome": "supplementary"}), "tia_measures"),
            (json!({"done_on": "2027-03-01", "outcome": "adequate"}), "tia_missing"),
        ] {
            let clauses = json!({"type": "scc_2021", "signed_on": "2023-02-01", "module": 2, "tia": tia});
            let seen = judge("2026-11-23", us.clone(), clauses);
            assert_eq!((seen.standing, seen.why.as_deref()), (Standing::Conditional, Some(why)), "{tia}");
        }
    }

    #[test]
    fn a_free_area_keeps_a_former_member_to_its_last_day() {
        let law = Law::load().unwrap();
        let gb = Country::new("GB").unwrap();
        assert!(law.is_free(Regime::Eu, &gb, "2020-12-31".parse().unwrap()));
        assert!(!law.is_free(Regime::Eu, &gb, "2021-01-01".parse().unwrap()));
        assert!(law.is_free(Regime::Eu, &Country::new("NO").unwrap(), "2026-11-23".parse().unwrap()));
    }
}
