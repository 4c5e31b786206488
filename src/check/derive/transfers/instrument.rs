//! Transfer tools: the steps of the specification, each of which may decide.

use super::law::{Cap, Instrument, Law, Need};
use super::{ASSESSMENT_SINCE, Case, Standing, Verdict, verdict};
use crate::check::derive::day::{has_aged, next};
use crate::model::register::transfer::{ImporterLaw, Party, Tia, TiaOutcome};
use crate::model::register::{Mechanism, Regime, Transfer};
use jiff::civil::Date;

/// A transfer tool: the steps of the specification, each of which may decide.
pub(super) fn judge(
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
    if instrument.needs.contains(&Need::Tia)
        && case.as_of >= ASSESSMENT_SINCE
        && let Some(decided) = assessment(act, mechanism, case)
    {
        return decided;
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
pub fn pair(transfer: &Transfer) -> Option<String> {
    let (exporter, importer): (Party, Party) = (transfer.exporter_role?, transfer.importer_role?);
    Some(format!("{}2{}", exporter.word(), importer.word()))
}

/// The module for a pair of roles.
pub fn expected_module(instrument: &Instrument, pair: &str) -> Option<u8> {
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
pub fn known_tia(mechanism: &Mechanism, as_of: Date) -> Option<&Tia> {
    mechanism.tia.as_ref().filter(|tia| tia.done_on.is_none_or(|done| done <= as_of))
}
