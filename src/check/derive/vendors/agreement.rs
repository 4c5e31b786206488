//! The rules of the data processing agreement (`vendor.dpa`, `vendor.dpa.clauses`, `vendor.dpa.review`).

use super::judgement::{Judged, Judgement, gate};
use super::{Situation, is_in_use, is_processor};
use crate::check::derive::day::{days_between, has_aged};
use crate::model::Severity::{self, Critical, High, Low, Medium};
use crate::model::register::agreement::Answer;
use crate::model::register::{Clause, Dpa, DpaStatus, Outcome, Vendor, VendorRole};
use jiff::civil::Date;
use std::collections::BTreeSet;

/// The checks of this table.
pub const CHECKS: &[&str] = &["vendor.dpa", "vendor.dpa.clauses", "vendor.dpa.review"];

/// Clauses without which an agreement is critically short.
const GRAVE_CLAUSES: [Clause; 4] = [Clause::Instructions, Clause::Security, Clause::Deletion, Clause::Subprocessing];

/// Judges the agreement of a vendor.
pub fn judge(subject: &str, vendor: &Vendor, situation: &Situation<'_>) -> Judged {
    let since = situation.gdpr_since();
    let not_in_force = format!("not in force on {}", situation.as_of);
    let concerned = gate(&[
        (Some(situation.as_of >= since), "", &not_in_force),
        (is_in_use(vendor), "the status is not recorded", "the vendor is not in use"),
    ]);
    if let Err(judged) = concerned {
        return judged;
    }
    let mut judgements = Vec::new();
    judgements.extend(role_none(subject, vendor));
    judgements.extend(controller_terms(subject, vendor));
    let mut judged = match gate(&[
        (
            is_processor(vendor),
            "the role is not recorded",
            "the vendor is no processor, so Art. 28 asks for no agreement",
        ),
        (vendor.personal_data, "whether it handles personal data is not recorded", "it handles no personal data"),
    ]) {
        Err(judged) => judged,
        Ok(()) => {
            judgements.extend(processor(subject, vendor, situation));
            Judged::not_applicable("no rule concerns the vendor")
        }
    };
    judged.judgements = judgements;
    judged
}

/// A rule that was tested: broken with this outcome, or passed.
fn test(rule: &'static str, broken: bool, ends: (Outcome, Severity), if_broken: String, if_held: String) -> Judgement {
    let (outcome, reason) = if broken { (ends.0, if_broken) } else { (Outcome::Pass, if_held) };
    Judgement::new(rule, outcome, ends.1, reason)
}

fn categories(vendor: &Vendor) -> String {
    let words: Vec<_> = vendor.data_categories.iter().flatten().map(|category| category.word()).collect();
    if words.is_empty() { "personal data".to_owned() } else { words.join(", ") }
}

fn role_none(subject: &str, vendor: &Vendor) -> Option<Judgement> {
    if vendor.role != Some(VendorRole::None) {
        return None;
    }
    let listed = vendor.data_categories.as_ref().is_some_and(|categories| !categories.is_empty());
    let rule = "vendor.dpa.role_none";
    Some(match vendor.personal_data {
        None if !listed => {
            let reason = format!("{subject}: whether it handles personal data is not recorded");
            Judgement::new(rule, Outcome::Unknown, Medium, reason)
        }
        personal_data => test(
            rule,
            listed || personal_data == Some(true),
            (Outcome::Fail, Medium),
            format!("{subject}: declared to hold no personal data, yet lists {}", categories(vendor)),
            format!("{subject}: declared to hold no personal data, and lists none"),
        ),
    })
}

fn controller_terms(subject: &str, vendor: &Vendor) -> Option<Judgement> {
    let needs = match vendor.role? {
        VendorRole::Controller => "controller-to-controller terms",
        VendorRole::JointController => "an Art. 26 arrangement",
        _ => return None,
    };
    vendor.dpa.as_ref()?;
    let role = vendor.role?.word();
    let reason = format!("{subject}: acts as {role}; needs {needs}, not a processor agreement");
    Some(Judgement::new("vendor.dpa.controller_terms", Outcome::Warn, Low, reason))
}

/// What is known of the execution of an agreement.
enum Execution {
    /// Not executed.
    Open,
    /// Executed, on a day that is not recorded.
    Undated,
    /// Executed, with effect from this day.
    From(Date),
}

fn execution(dpa: &Dpa) -> Execution {
    let signed = match dpa.status {
        Some(DpaStatus::SignedByBoth) => {
            dpa.signed_on.zip(dpa.counter_signed_on).map(|(ours, theirs)| ours.max(theirs))
        }
        Some(DpaStatus::IncorporatedByTerms) => dpa.signed_on,
        _ => return Execution::Open,
    };
    match signed {
        Some(signed) => Execution::From(dpa.effective_on.map_or(signed, |effective| effective.max(signed))),
        None => Execution::Undated,
    }
}

fn processor(subject: &str, vendor: &Vendor, situation: &Situation<'_>) -> Vec<Judgement> {
    // Where neither an agreement nor a review is recorded, nobody has looked yet.
    let nobody_looked = vendor.dpa.is_none() && vendor.security_review.is_none();
    let mut judgements = vec![sensitive(subject, vendor, nobody_looked)];
    let Some(dpa) = &vendor.dpa else {
        let missing = if nobody_looked { Outcome::Unknown } else { Outcome::Fail };
        let reason = format!("{subject}: no data processing agreement recorded (Art. 28(3))");
        judgements.push(Judgement::new("vendor.dpa.missing", missing, Critical, reason.clone()));
        judgements.push(Judgement::new("vendor.dpa.clauses.unknown", Outcome::Unknown, High, reason.clone()));
        judgements.push(Judgement::new("vendor.dpa.review.overdue", Outcome::Unknown, Medium, reason));
        return judgements;
    };
    let recorded = format!("{subject}: a data processing agreement is recorded");
    judgements.push(Judgement::new("vendor.dpa.missing", Outcome::Pass, Critical, recorded));
    judgements.extend(status(subject, vendor, dpa));
    if let Execution::From(from) = execution(dpa) {
        judgements.extend(executed(subject, dpa, from, situation));
    }
    judgements.extend(clauses(subject, dpa));
    judgements.push(review(subject, dpa, situation));
    judgements
}

/// The rules about how far the agreement got.
fn status(subject: &str, vendor: &Vendor, dpa: &Dpa) -> Vec<Judgement> {
    let Some(status) = dpa.status else {
        let reason = format!("{subject}: the status of the agreement is not recorded");
        return vec![Judgement::new("vendor.dpa.ok", Outcome::Unknown, Critical, reason)];
    };
    let word = status.word();
    let seen = format!("{subject}: agreement is {word}");
    let date = dpa.signed_on.map_or("a day not recorded".to_owned(), |day| day.to_string());
    let mut judgements = vec![
        test(
            "vendor.dpa.none",
            status == DpaStatus::None,
            (Outcome::Fail, Critical),
            format!("{subject}: processes {} with no data processing agreement", categories(vendor)),
            seen.clone(),
        ),
        test(
            "vendor.dpa.unsigned",
            matches!(status, DpaStatus::Draft | DpaStatus::Sent),
            (Outcome::Fail, Critical),
            format!("{subject}: agreement is {word}, not executed"),
            seen.clone(),
        ),
        test(
            "vendor.dpa.one_sided",
            status == DpaStatus::SignedByUs,
            (Outcome::Fail, High),
            format!("{subject}: signed by us on {date}, no counter-signature recorded"),
            seen,
        ),
    ];
    if status == DpaStatus::None {
        judgements.truncate(1);
    }
    if matches!(execution(dpa), Execution::Undated) {
        let reason = format!("{subject}: agreement is {word}, the day of execution is not recorded");
        judgements.push(Judgement::new("vendor.dpa.ok", Outcome::Unknown, Critical, reason));
    }
    judgements
}

/// The rules about an agreement that was executed.
fn executed(subject: &str, dpa: &Dpa, from: Date, situation: &Situation<'_>) -> Vec<Judgement> {
    let as_of = situation.as_of;
    let future = from > as_of;
    let mut judgements = vec![test(
        "vendor.dpa.future",
        future,
        (Outcome::Fail, High),
        format!("{subject}: agreement takes effect on {from}, after {as_of}"),
        format!("{subject}: agreement took effect on {from}"),
    )];
    if future {
        return judgements;
    }
    let expired = dpa.expires_on.filter(|last| *last < as_of);
    judgements.push(match expired {
        Some(last) => {
            let days = days_between(last, as_of);
            let reason = format!("{subject}: agreement ended on {last}, {days} days before {as_of}");
            Judgement::new("vendor.dpa.expired", Outcome::Fail, Critical, reason)
        }
        None => {
            let reason = format!("{subject}: agreement has not ended on {as_of}");
            Judgement::new("vendor.dpa.expired", Outcome::Pass, Critical, reason)
        }
    });
    if let Some(last) = dpa.expires_on.filter(|last| *last >= as_of) {
        judgements.push(test(
            "vendor.dpa.expiring",
            days_between(as_of, last) <= i64::from(situation.policy.expiry_notice_days),
            (Outcome::Warn, Medium),
            format!("{subject}: agreement ends on {last}"),
            format!("{subject}: agreement ends on {last}, not soon"),
        ));
    }
    judgements.push(test(
        "vendor.dpa.undocumented",
        dpa.document_evidence.is_none() && dpa.terms_url.is_none(),
        (Outcome::Warn, Medium),
        format!("{subject}: agreement asserted, no document on file"),
        format!("{subject}: a document of the agreement is on file"),
    ));
    judgements.extend(pre_gdpr(subject, dpa, situation));
    if expired.is_none() {
        let version = dpa.version.as_ref().or(dpa.terms_version.as_ref());
        let version: String = version.map(|text| text.chars().take(40).collect()).unwrap_or_default();
        let name = if version.is_empty() { "agreement".to_owned() } else { format!("agreement {version}") };
        let reason = format!("{subject}: {name} executed on {from}");
        judgements.push(Judgement::new("vendor.dpa.ok", Outcome::Pass, Critical, reason));
    }
    judgements
}

fn pre_gdpr(subject: &str, dpa: &Dpa, situation: &Situation<'_>) -> Option<Judgement> {
    let (signed, since) = (dpa.signed_on?, situation.gdpr_since());
    let reviewed = known_review(dpa, situation.as_of).is_some_and(|day| day >= since);
    Some(test(
        "vendor.dpa.pre_gdpr",
        signed < since && !reviewed,
        (Outcome::Fail, High),
        format!("{subject}: agreement of {signed} predates the GDPR and was not reviewed since"),
        format!("{subject}: agreement of {signed} was signed or reviewed since the GDPR applies"),
    ))
}

/// The review that exists on this day: one made later is not known yet.
fn known_review(dpa: &Dpa, as_of: Date) -> Option<Date> {
    dpa.last_reviewed_on.filter(|day| *day <= as_of)
}

fn clauses(subject: &str, dpa: &Dpa) -> Vec<Judgement> {
    if matches!(dpa.status, None | Some(DpaStatus::None)) {
        let reason = format!("{subject}: there is no agreement whose clauses could be read");
        return vec![Judgement::new("vendor.dpa.clauses.unknown", Outcome::Unknown, High, reason)];
    }
    let answered = |wanted: Answer| -> BTreeSet<Clause> {
        let answer = |clause: &Clause| dpa.clauses.get(clause).copied().unwrap_or(Answer::Unknown);
        Clause::ALL.iter().copied().filter(|clause| answer(clause) == wanted).collect()
    };
    let (missing, unknown) = (answered(Answer::No), answered(Answer::Unknown));
    let names = |clauses: &BTreeSet<Clause>| clauses.iter().map(|clause| clause.word()).collect::<Vec<_>>().join(", ");
    let mut judgements = Vec::new();
    if !missing.is_empty() || unknown.is_empty() {
        let grave = GRAVE_CLAUSES.iter().any(|clause| missing.contains(clause));
        judgements.push(test(
            "vendor.dpa.clauses.missing",
            !missing.is_empty(),
            (Outcome::Fail, if grave { Critical } else { High }),
            format!("{subject}: agreement lacks {} (Art. 28(3))", names(&missing)),
            format!("{subject}: agreement carries every clause of Art. 28(3)"),
        ));
    }
    let count = Clause::ALL.len();
    judgements.push(test(
        "vendor.dpa.clauses.unknown",
        !unknown.is_empty(),
        (Outcome::Unknown, High),
        format!("{subject}: {} of {count} clauses not verified: {}", unknown.len(), names(&unknown)),
        format!("{subject}: {count} of {count} clauses verified"),
    ));
    judgements
}

fn review(subject: &str, dpa: &Dpa, situation: &Situation<'_>) -> Judgement {
    let rule = "vendor.dpa.review.overdue";
    let executed = match execution(dpa) {
        Execution::From(from) if from <= situation.as_of => from,
        Execution::From(_) | Execution::Open => {
            let reason = format!("{subject}: no agreement is in force that could be reviewed");
            return Judgement::new(rule, Outcome::NotApplicable, Medium, reason);
        }
        Execution::Undated => {
            let reason = format!("{subject}: the day of execution is not recorded");
            return Judgement::new(rule, Outcome::Unknown, Medium, reason);
        }
    };
    let last = known_review(dpa, situation.as_of).map_or(executed, |day| day.max(executed));
    let months = situation.policy.dpa_review_months;
    test(
        rule,
        has_aged(last, months, situation.as_of),
        (Outcome::Fail, Medium),
        format!("{subject}: last reviewed {last}, review due every {months} months"),
        format!("{subject}: last reviewed {last}"),
    )
}

fn sensitive(subject: &str, vendor: &Vendor, nobody_looked: bool) -> Judgement {
    let rule = "vendor.dpa.sensitive";
    let Some(held) = &vendor.data_categories else {
        let reason = format!("{subject}: the data categories are not recorded");
        return Judgement::new(rule, Outcome::Unknown, High, reason);
    };
    if !held.iter().any(|category| category.is_grave()) {
        let reason = format!("{subject}: no special-category data (Art. 9/10) is listed");
        return Judgement::new(rule, Outcome::NotApplicable, High, reason);
    }
    let answer = vendor.dpa.as_ref().and_then(|dpa| dpa.clauses.get(&Clause::Security));
    test(
        rule,
        answer != Some(&Answer::Yes),
        (if nobody_looked { Outcome::Unknown } else { Outcome::Fail }, High),
        format!("{subject}: special-category data (Art. 9/10) without verified security terms"),
        format!("{subject}: special-category data (Art. 9/10) with verified security terms"),
    )
}
