//! Blind spots: what was not evaluated, why, and what would bring the evidence.

use crate::model::assessment::BlindSpot;
use crate::model::target::TargetKind;
use crate::model::{CheckResult, Observation, Reason, Status, Target, Trouble};
use std::collections::{BTreeMap, BTreeSet};

/// What ties open results together: the same place, and the same reason.
type Group = (String, String, String, Option<Reason>, bool);

/// Everything that was not evaluated, grouped by target, part and reason, and every target that nobody looked at.
pub fn blind_spots(results: &[CheckResult], observations: &[Observation], targets: &[Target]) -> Vec<BlindSpot> {
    let by_id: BTreeMap<&str, &Observation> = observations.iter().map(|seen| (seen.id.as_str(), seen)).collect();
    let kinds: BTreeMap<&str, TargetKind> = targets.iter().map(|target| (target.id.as_str(), target.kind)).collect();
    let mut troubled: BTreeMap<&str, Vec<&Observation>> = BTreeMap::new();
    for seen in observations.iter().filter(|seen| seen.trouble.is_some()) {
        troubled.entry(&seen.target).or_default().push(seen);
    }
    let mut groups: BTreeMap<Group, BTreeSet<String>> = BTreeMap::new();
    for result in results.iter().filter(|result| result.status.is_open()) {
        let (reason, trouble) = match trouble_of(result, &by_id, troubled.get(result.target.as_str())) {
            Some(trouble) if !trouble.detail.is_empty() => (trouble.detail, Some(trouble.reason)),
            Some(trouble) => (trouble.to_string(), Some(trouble.reason)),
            None => plain(&result.reason),
        };
        let review = result.status == Status::NeedsReview;
        let group = (result.target.clone(), result.part.clone(), reason, trouble, review);
        groups.entry(group).or_default().insert(result.check.clone());
    }
    let mut spots: Vec<BlindSpot> = groups
        .into_iter()
        .map(|((target, part, reason, trouble, review), checks)| {
            let remedy = if review {
                "a person reads the evidence and records a decision".to_owned()
            } else {
                remedy(trouble, kinds.get(target.as_str()).copied(), &checks, &reason)
            };
            BlindSpot { target, part, reason, checks: checks.into_iter().collect(), remedy, trouble }
        })
        .collect();
    let seen = observations.iter().map(|seen| seen.target.as_str());
    let seen: BTreeSet<&str> = seen.chain(results.iter().map(|result| result.target.as_str())).collect();
    spots.extend(targets.iter().filter(|target| !seen.contains(target.id.as_str())).map(unseen));
    spots.sort();
    spots
}

/// A declared target of which there is neither an observation nor a result.
fn unseen(target: &Target) -> BlindSpot {
    BlindSpot {
        target: target.id.clone(),
        part: String::new(),
        reason: format!(
            "declared, and nothing looked at it: no collector is for this kind of target ({})",
            target.kind.word()
        ),
        checks: Vec::new(),
        remedy: "take it out of the scope, or gather its evidence by other means and say so in an allowance".to_owned(),
        trouble: None,
    }
}

/// The trouble behind an open result: of an observation that it cites, or of one of its target whose words it repeats.
fn trouble_of(
    result: &CheckResult,
    by_id: &BTreeMap<&str, &Observation>,
    troubled: Option<&Vec<&Observation>>,
) -> Option<Trouble> {
    if result.status != Status::NotEvaluated {
        return None;
    }
    let told = |trouble: &&Trouble| !trouble.detail.is_empty() && result.reason.contains(trouble.detail.as_str());
    let cited: Vec<&Trouble> =
        result.observations.iter().filter_map(|id| by_id.get(id.as_str())?.trouble.as_ref()).collect();
    let same = cited.windows(2).all(|pair| pair.first() == pair.last());
    // Where the result does not say which trouble it means, only a single one can be meant.
    let single = cited.first().filter(|_| same && cited.len() == result.observations.len());
    if let Some(trouble) = cited.iter().find(|trouble| told(trouble)).or(single) {
        return Some((*trouble).clone());
    }
    let near = troubled.into_iter().flatten();
    near.filter(|seen| seen.part == result.part || seen.part.is_empty())
        .filter_map(|seen| seen.trouble.as_ref())
        .find(told)
        .cloned()
}

/// A reason without the words around it, and the class of trouble that it ends with.
fn plain(reason: &str) -> (String, Option<Reason>) {
    let words = ["not evaluated: ", "not evaluated because "].iter().find_map(|lead| reason.strip_prefix(lead));
    let words = words.unwrap_or(reason);
    // The class stands in brackets: at the end, or before what would show it.
    for (at, _) in words.match_indices(" (") {
        let Some((word, after)) = words.get(at + 2..).and_then(|rest| rest.split_once(')')) else { continue };
        let (Some(class), Some(before)) = (Reason::parse(word), words.get(..at)) else { continue };
        return (format!("{before}{after}"), Some(class));
    }
    (words.to_owned(), None)
}

/// What would bring the evidence, in words.
fn remedy(trouble: Option<Reason>, kind: Option<TargetKind>, checks: &BTreeSet<String>, reason: &str) -> String {
    let http = !checks.is_empty() && checks.iter().all(|check| check.starts_with("http."));
    let words = match trouble {
        // The resolver is the user's, not the target's.
        Some(_) if reason.contains("the resolver") => {
            "name a resolver that answers here and passes on signatures, by the key `dns` of probity.yaml, or look again"
        }
        Some(_) if reason.contains("the command that") => "mend the command, and make the drill again",
        Some(Reason::Unreachable) if matches!(kind, Some(TargetKind::File | TargetKind::Export)) => {
            "give the path of the file as this machine sees it"
        }
        Some(Reason::ProtocolViolation | Reason::TooLarge) if kind == Some(TargetKind::Export) => {
            "export it anew, or unpack it into a folder and name that"
        }
        Some(Reason::Unreachable) => "run from a network that reaches the target, or mend the name in probity.yaml",
        Some(Reason::Refused) => "start the service, or open the port for the machine that looks",
        Some(Reason::TimedOut) => "run again with a longer time limit, or from nearer to the target",
        Some(Reason::HandshakeRejected) if http => {
            "mend TLS first: the page is read as a browser of today would read it, over TLS 1.2 or 1.3 with current keys"
        }
        Some(Reason::HandshakeRejected) => "give the server name and the protocol before TLS that the target expects",
        Some(Reason::ProtocolViolation) => "give the right port and protocol; what answers there speaks another one",
        Some(Reason::TooLarge) => "raise the limit on what is read, or look at a smaller part",
        Some(Reason::AuthenticationFailed) if reason.contains("cannot be had") => {
            "give the run the secret that probity.yaml refers to"
        }
        Some(Reason::AuthenticationFailed) => "give credentials that the target accepts",
        Some(Reason::PermissionDenied) => "grant the reading role what the reason names",
        Some(Reason::Unsupported) if checks.iter().any(|check| check == "tls.grade") => {
            "these tests do not exist in this version yet; accept the provisional grade for a time, with a reason \
             (policy.allow_inconclusive), or test by other means"
        }
        Some(Reason::Unsupported) => {
            "mend what the reason names; where this version cannot look, gather the evidence by other means and accept \
             that for a time, with a reason (policy.allow_inconclusive)"
        }
        Some(Reason::Interrupted) => "let the run finish",
        Some(Reason::Internal) => "report the fault: it lies with probity, not with the target",
        None => {
            let check = checks.first().map_or("ID", String::as_str);
            return format!("do what the reason names; `probity check show {check}` says what is judged");
        }
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Severity;
    use serde_json::Value;

    fn open(check: &str, reason: &str, observations: Vec<String>) -> CheckResult {
        CheckResult {
            check: check.to_owned(),
            version: "1.0.0".to_owned(),
            origin: "built-in".to_owned(),
            digest: String::new(),
            target: "shop".to_owned(),
            part: "192.0.2.1:443".to_owned(),
            item: String::new(),
            status: Status::NotEvaluated,
            severity: Severity::High,
            reason: reason.to_owned(),
            expected: Value::Null,
            actual: Value::Null,
            observations,
            relaxed: Vec::new(),
            accepted: false,
        }
    }

    #[test]
    fn ten_checks_of_one_trouble_are_one_blind_spot() {
        let trouble = Trouble::new(Reason::TimedOut, "no answer within 10 s");
        let at = "2026-11-25T00:00:00Z".parse().unwrap();
        let failed = Observation::failed("tls.protocols", "shop", "192.0.2.1:443", "tls", at, trouble);
        let results: Vec<CheckResult> = (0..10)
            .map(|n| match n % 2 {
                0 => open(&format!("tls.c{n}"), "tls.protocols was not seen", vec![failed.id.clone()]),
                _ => open(&format!("tls.c{n}"), "not evaluated because no answer within 10 s", Vec::new()),
            })
            .collect();
        let targets = [Target::new("shop", TargetKind::Endpoint, "shop:443")];
        let spots = blind_spots(&results, &[failed], &targets);
        assert_eq!(spots.len(), 1);
        assert_eq!(spots[0].checks.len(), 10);
        assert_eq!(spots[0].reason, "no answer within 10 s");
        assert!(spots[0].remedy.contains("longer time limit"));
    }

    #[test]
    fn a_declared_target_that_nobody_looked_at_is_a_blind_spot() {
        let spots = blind_spots(&[], &[], &[Target::new("db1", TargetKind::Host, "db1")]);
        assert_eq!(spots.len(), 1);
        assert!(spots[0].reason.contains("nothing looked at it"));
    }

    #[test]
    fn the_words_around_a_reason_are_left_out() {
        assert_eq!(
            plain("not evaluated: no such table (unsupported)"),
            ("no such table".to_owned(), Some(Reason::Unsupported))
        );
        let told = "it may not read this (SQLSTATE 42501) (permission-denied); GRANT SELECT ON t would show it";
        let (words, class) = plain(told);
        assert_eq!(words, "it may not read this (SQLSTATE 42501); GRANT SELECT ON t would show it");
        assert_eq!(class, Some(Reason::PermissionDenied));
        assert_eq!(plain("a person (the owner)"), ("a person (the owner)".to_owned(), None));
    }

    #[test]
    fn a_remedy_says_what_a_reader_can_do() {
        let ask = |check: &str, trouble, reason: &str| remedy(trouble, None, &[check.to_owned()].into(), reason);
        assert!(ask("tls.grade", Some(Reason::Unsupported), "").contains("do not exist in this version"));
        assert!(ask("tls.grade", Some(Reason::Unsupported), "").contains("policy.allow_inconclusive"));
        assert!(ask("http.hsts", Some(Reason::HandshakeRejected), "").starts_with("mend TLS first"));
        assert!(ask("tls.pfs", Some(Reason::HandshakeRejected), "").contains("server name"));
        let silent = "the resolver gives no answer: no answer from 192.0.2.1:53 within 2 s";
        assert!(ask("dns.caa", Some(Reason::TimedOut), silent).contains("key `dns`"));
        assert!(ask("db.auth.methods", None, "").contains("probity check show db.auth.methods"));
        let failed = "the command that erases the person ended with exit status: 1";
        assert!(ask("data.erasure.drill", Some(Reason::Refused), failed).contains("mend the command"));
        let export = Some(TargetKind::Export);
        let broken = remedy(Some(Reason::ProtocolViolation), export, &BTreeSet::new(), "the archive is cut off");
        assert!(broken.contains("unpack it"));
    }
}
