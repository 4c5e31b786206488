//! Failures as findings: fingerprints, and the waivers that cover them. Does no I/O and knows no clock.

mod standing;

use crate::model::{CheckResult, Finding, FindingState, Severity, Status, Waiver, digest};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
pub use standing::{Named, Standing, standing};

/// The id under which a waiver itself is found wanting.
pub const WAIVERS: &str = "probity.waivers";

/// The findings of one run: every failure, covered by a waiver or not, and every waiver that is past its last day or
/// covers nothing. Ordered by check, target, part and item.
///
/// Without a history the first and the last sight are the instant of judgement.
pub fn track(results: &[CheckResult], waivers: &[Waiver], as_of: Timestamp) -> Vec<Finding> {
    let today = utc_date(as_of);
    let failures = results.iter().filter(|result| result.status == Status::Fail);
    let mut findings: Vec<Finding> = failures.map(|result| of_failure(result, waivers, today, as_of)).collect();
    findings.extend(waivers.iter().filter_map(|waiver| of_waiver(waiver, results, today, as_of)));
    findings.sort_by(|a, b| key(a).cmp(&key(b)));
    findings
}

/// The identity of a finding over runs: SHA-256 of the canonical JSON of check, target, part and item.
pub fn fingerprint(check: &str, target: &str, part: &str, item: &str) -> String {
    // Four strings always serialise; an array keeps `a` + `bc` apart from `ab` + `c`.
    digest::sha256(digest::canonical(&[check, target, part, item]).unwrap_or_default().as_bytes())
}

/// The date in UTC by which waivers and allowances are judged.
pub fn utc_date(instant: Timestamp) -> Date {
    instant.to_zoned(TimeZone::UTC).date()
}

fn key(finding: &Finding) -> (&str, &str, &str, &str) {
    (&finding.check, &finding.target, &finding.part, &finding.item)
}

fn of_failure(result: &CheckResult, waivers: &[Waiver], today: Date, as_of: Timestamp) -> Finding {
    let waiver = waivers.iter().find(|waiver| in_force(waiver, today) && covers(waiver, result));
    Finding {
        fingerprint: fingerprint(&result.check, &result.target, &result.part, &result.item),
        check: result.check.clone(),
        target: result.target.clone(),
        part: result.part.clone(),
        item: result.item.clone(),
        severity: result.severity,
        state: if waiver.is_some() || result.accepted { FindingState::Waived } else { FindingState::Open },
        reason: result.reason.clone(),
        first_seen: as_of,
        last_seen: as_of,
        waiver: waiver.map(|waiver| waiver.id.clone()),
    }
}

fn of_waiver(waiver: &Waiver, results: &[CheckResult], today: Date, as_of: Timestamp) -> Option<Finding> {
    let reason = if waiver.expires < today {
        format!("waiver {} ended on {}; it covers nothing any more", waiver.id, waiver.expires)
    } else if in_force(waiver, today) && !results.iter().any(|result| may_cover(waiver, result)) {
        let item = waiver.item.as_ref().map(|item| format!(", item {item}")).unwrap_or_default();
        format!("waiver {} matches no failure of {} at {}{item}", waiver.id, waiver.check, waiver.target)
    } else {
        return None;
    };
    Some(Finding {
        fingerprint: fingerprint(WAIVERS, &waiver.target, "", &waiver.id),
        check: WAIVERS.to_owned(),
        target: waiver.target.clone(),
        part: String::new(),
        item: waiver.id.clone(),
        severity: Severity::Medium,
        state: FindingState::Open,
        reason,
        first_seen: as_of,
        last_seen: as_of,
        waiver: Some(waiver.id.clone()),
    })
}

fn in_force(waiver: &Waiver, today: Date) -> bool {
    waiver.created <= today && today <= waiver.expires
}

fn covers(waiver: &Waiver, result: &CheckResult) -> bool {
    waiver.check == result.check
        && waiver.target == result.target
        && waiver.item.as_ref().is_none_or(|item| *item == result.item)
}

/// A result that could not be judged may hide the very failure that the waiver is about, so it keeps the waiver from
/// being called unmatched. Such a result may lack an item, since its population was not seen.
fn may_cover(waiver: &Waiver, result: &CheckResult) -> bool {
    let same = waiver.check == result.check && waiver.target == result.target;
    match result.status {
        Status::Fail => covers(waiver, result),
        status if status.is_open() => same && (result.item.is_empty() || covers(waiver, result)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    pub(super) fn result(check: &str, item: &str, status: Status) -> CheckResult {
        CheckResult {
            check: check.to_owned(),
            version: "1.0.0".to_owned(),
            origin: "built-in".to_owned(),
            digest: String::new(),
            target: "shop".to_owned(),
            part: "192.0.2.1:443".to_owned(),
            item: item.to_owned(),
            status,
            severity: Severity::High,
            reason: "offers TLSv1.0".to_owned(),
            expected: Value::Null,
            actual: Value::Null,
            observations: vec!["sha256:00".to_owned()],
            relaxed: Vec::new(),
            accepted: false,
        }
    }

    pub(super) fn waiver(item: Option<&str>, created: &str, expires: &str) -> Waiver {
        Waiver {
            id: "W-1".to_owned(),
            check: "tls.protocols.legacy".to_owned(),
            target: "shop".to_owned(),
            item: item.map(str::to_owned),
            reason: "old terminals".to_owned(),
            owner: "platform".to_owned(),
            approved_by: "security".to_owned(),
            created: created.parse().unwrap(),
            expires: expires.parse().unwrap(),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_fingerprint_is_that_of_the_canonical_array() {
        // printf '["a","b","c","d"]' | sha256sum
        let want = digest::sha256(br#"["a","b","c","d"]"#);
        assert_eq!(fingerprint("a", "b", "c", "d"), want);
        assert_ne!(fingerprint("ab", "c", "", ""), fingerprint("a", "bc", "", ""));
    }

    #[test]
    fn a_waiver_holds_from_its_first_through_its_last_day_in_utc() {
        let results = [result("tls.protocols.legacy", "TLSv1.0", Status::Fail)];
        let waivers = [waiver(None, "2026-11-01", "2026-11-25")];
        let state = |instant| track(&results, &waivers, at(instant));
        assert_eq!(state("2026-11-01T00:00:00Z")[0].state, FindingState::Waived);
        assert_eq!(state("2026-11-25T23:59:59Z")[0].state, FindingState::Waived);
        let before = state("2026-10-31T23:59:59Z");
        assert_eq!((before.len(), before[0].state), (1, FindingState::Open));
        let after = state("2026-11-26T00:00:00Z");
        let wanting = after.iter().find(|finding| finding.check == WAIVERS).unwrap();
        assert_eq!(wanting.severity, Severity::Medium);
        assert!(wanting.reason.contains("ended on 2026-11-25"), "{}", wanting.reason);
        let failure = after.iter().find(|finding| finding.check != WAIVERS).unwrap();
        assert_eq!((failure.state, &failure.waiver), (FindingState::Open, &None));
    }

    #[test]
    fn a_waiver_of_one_item_covers_no_other() {
        let results = [
            result("tls.protocols.legacy", "TLSv1.0", Status::Fail),
            result("tls.protocols.legacy", "TLSv1.1", Status::Fail),
        ];
        let findings =
            track(&results, &[waiver(Some("TLSv1.1"), "2026-11-01", "2027-03-31")], at("2026-11-25T10:00:00Z"));
        let states: Vec<_> = findings.iter().map(|finding| (finding.item.as_str(), finding.state)).collect();
        assert_eq!(states, [("TLSv1.0", FindingState::Open), ("TLSv1.1", FindingState::Waived)]);
    }

    #[test]
    fn a_waiver_that_matches_nothing_is_a_finding_unless_the_check_is_open() {
        let waivers = [waiver(Some("TLSv1.0"), "2026-11-01", "2027-03-31")];
        let as_of = at("2026-11-25T10:00:00Z");
        let passed = track(&[result("tls.protocols.legacy", "TLSv1.0", Status::Pass)], &waivers, as_of);
        assert_eq!(passed.len(), 1);
        assert!(passed[0].reason.contains("matches no failure"), "{}", passed[0].reason);
        assert!(track(&[result("tls.protocols.legacy", "", Status::NotEvaluated)], &waivers, as_of).is_empty());
        assert_eq!(track(&[result("tls.grade", "", Status::Fail)], &waivers, as_of).len(), 2);
    }
}
