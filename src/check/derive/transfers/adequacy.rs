//! Adequacy: the decision that is in force, its condition, or what ended it.

use super::law::{Adequacy, Scope};
use super::{Case, Standing, Verdict, verdict};
use crate::check::derive::day::has_aged;
use crate::model::register::transfer::{DpfStatus, ImporterLaw};
use crate::model::register::{Country, Mechanism, Regime};
use jiff::civil::Date;

/// A decision of adequacy: the best of the rows in force, or the last that was ended.
pub(super) fn judge(mechanism: &Mechanism, regime: Regime, country: &Country, case: &Case<'_>) -> Verdict {
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
pub fn is_ended(row: &Adequacy, as_of: Date) -> bool {
    row.ended_on.is_some_and(|ended| ended <= as_of)
}

fn ended_verdict(row: &Adequacy) -> Verdict {
    let by = row.ended_by.as_deref().unwrap_or("its end");
    verdict(Standing::Invalid, &row.id, &row.act, format!("{} was ended by {by}", row.act))
}

/// A programme that is named by its own word rather than as adequacy.
pub(super) fn programme(mechanism: &Mechanism, regime: Regime, country: &Country, case: &Case<'_>) -> Verdict {
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
    if is_on_ended_list_alone(mechanism, condition)
        && let Some(other) = last_ended(regime, country, case)
    {
        return ended_verdict(other);
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
    let staff = match case.human_resources {
        Some(false) => Some(true),
        Some(true) => mechanism.dpf_covers_hr,
        // Whose data is sent is not recorded: only a certification that covers staff is enough.
        None => mechanism.dpf_covers_hr.filter(|covers| *covers),
    };
    [status, Some(renewed), staff, is_freshly_checked(mechanism, case.as_of).then_some(true)]
}

/// Whether someone looked at the list in the twelve months before this day.
pub fn is_freshly_checked(mechanism: &Mechanism, as_of: Date) -> bool {
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
