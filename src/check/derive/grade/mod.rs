//! Derives the grade of an endpoint by the SSL Labs rating guide, revision 2009r.
//!
//! The order is the guide's: letter of the total, lowest cap, warnings, conditions of A+, trust. Every rule that fires
//! is listed, even when a harsher one decides. A needed fact that is unknown makes the grade provisional: the letter
//! is then an upper bound.

mod caps;
pub mod facts;
mod rules;

use super::{Derivation, Inputs};
use crate::model::grade::{Cap, Grade, Note, Score};
use crate::model::{Observation, ObservationStatus, Reason, Target, Trouble};
use facts::{Facts, Service};
use rules::Rules;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The derivation of `tls.grade`.
pub const GRADE: Derivation = Derivation { id: "tls.grade", yields: &["tls.grade"], derive };

static RULES: LazyLock<Result<Rules, String>> = LazyLock::new(|| {
    let bytes = crate::catalogue::file("profiles/grade.yaml").ok_or("profiles/grade.yaml is missing")?;
    let text = std::str::from_utf8(&bytes).map_err(|error| error.to_string())?;
    serde_yaml::from_str(text).map_err(|error| error.to_string())
});

fn derive(inputs: &Inputs<'_>) -> Vec<Observation> {
    // By target and part, so that many targets are not looked for in the observations of all.
    let mut seen: BTreeMap<&str, BTreeMap<&str, Vec<&Observation>>> = BTreeMap::new();
    for observation in inputs.observations {
        let parts = seen.entry(&observation.target).or_default();
        parts.entry(&observation.part).or_default().push(observation);
    }
    let mut grades = Vec::new();
    for target in inputs.targets {
        for (part, observations) in seen.get(target.id.as_str()).into_iter().flatten() {
            if observations.iter().any(|observation| observation.kind == "tls.protocols") {
                grades.push(one(inputs, target, part, observations));
            }
        }
    }
    grades
}

fn one(inputs: &Inputs<'_>, target: &Target, part: &str, observations: &[&Observation]) -> Observation {
    let facts = Facts::gather(target, observations);
    let failed = |trouble: Trouble| {
        Observation::failed("tls.grade", &target.id, part, "tls.grade", inputs.as_of, trouble)
            .from_inputs(facts.inputs())
    };
    let rules = match RULES.as_ref() {
        Ok(rules) => rules,
        Err(error) => return failed(Trouble::new(Reason::Internal, error.clone())),
    };
    if facts.protocols.is_none() {
        // What kept the versions from being seen keeps the grade from being known, in the same words.
        let trouble = facts.gaps.iter().find(|(kind, _)| kind == "tls.protocols").map(|(_, trouble)| trouble.clone());
        return failed(trouble.unwrap_or_else(|| Trouble::new(Reason::Internal, "tls.protocols cannot be read")));
    }
    let grade = grade(&facts, rules);
    let (letter, provisional) = (grade.letter.is_some(), grade.provisional);
    let detail = format!("the letter is an upper bound, given {}", grade.missing());
    let made = Observation::complete("tls.grade", &target.id, part, "tls.grade", inputs.as_of, &grade);
    match made {
        Err(error) => failed(Trouble::new(Reason::Internal, error.to_string())),
        Ok(observation) => {
            let mut observation = observation.from_inputs(facts.inputs());
            if provisional {
                observation = observation.partial(Trouble::new(Reason::Unsupported, detail));
            }
            if !letter {
                // Without a letter there is nothing to judge; the scores stay in view.
                observation.status = ObservationStatus::Failed;
            }
            observation.sealed()
        }
    }
}

/// The grade of these facts.
pub fn grade(facts: &Facts, rules: &Rules) -> Grade {
    let incomplete = incomplete(facts);
    let provisional = !incomplete.is_empty();
    let score = score(facts, rules);
    let caps = caps(facts, rules);
    let warnings = warnings(facts);
    let trust = trust(facts);
    let not_plus = not_plus(facts, rules, provisional);

    let mut letter = rules.letter(score.total).to_owned();
    if score.protocol == 0.0 || score.key_exchange == 0.0 || score.cipher == 0.0 {
        "F".clone_into(&mut letter);
    }
    for cap in &caps {
        // Letters without a sign order by the alphabet: F is worse than B.
        if cap.limit > letter {
            letter.clone_from(&cap.limit);
        }
    }
    if letter == "A" && caps.is_empty() {
        if !warnings.is_empty() {
            "A-".clone_into(&mut letter);
        } else if not_plus.is_empty() {
            "A+".clone_into(&mut letter);
        }
    }
    let known = gradable(facts);
    let ignoring = known.then(|| letter.clone());
    let overridden = if trust.iter().any(|note| note.code.starts_with("T_") && !FINDINGS.contains(&&*note.code)) {
        "T".to_owned()
    } else if trust.iter().any(|note| note.code == "M_NAME_MISMATCH") {
        "M".to_owned()
    } else {
        letter
    };
    Grade {
        letter: known.then_some(overridden),
        letter_ignoring_trust: ignoring,
        score,
        provisional,
        incomplete,
        caps,
        warnings,
        not_plus,
        trust,
        findings: findings(facts),
        rules_version: rules.rules_version.clone(),
    }
}

/// Trust codes that are findings and leave the letter alone.
const FINDINGS: &[&str] = &["T_BAD_VALIDITY", "T_CT"];

/// A certificate of the path is revoked.
const REVOKED: &str = "T_REVOKED";

/// Protocols and certificates must be known for any letter at all.
fn gradable(facts: &Facts) -> bool {
    let protocols = facts.protocols.as_ref().is_some_and(|p| p.unknown.is_empty() && !p.offered.is_empty());
    let deployments = facts.certificates.as_ref().map_or(&[][..], |c| &c.deployments);
    let anonymous =
        facts.suites.as_ref().is_some_and(|s| !s.suites.is_empty() && s.suites.iter().all(|s| s.auth == "anon"));
    protocols && (anonymous || (!deployments.is_empty() && deployments.iter().all(|d| d.trust.known().is_some())))
}

fn score(facts: &Facts, rules: &Rules) -> Score {
    let offered = facts.protocols.iter().flat_map(|p| &p.offered);
    let versions: Vec<f64> = offered.filter_map(|o| rules.protocols.get(&o.name).copied()).collect();
    let suites = || facts.suites.iter().flat_map(|s| &s.suites);
    let strengths = suites().filter_map(|s| if s.auth == "anon" { Some(0) } else { s.strength.known().copied() });
    let exchanges: Vec<f64> = strengths.map(|bits| Rules::step(&rules.key_exchange, bits)).collect();
    let ciphers: Vec<f64> = suites().map(|s| Rules::step(&rules.cipher, s.bits)).collect();
    let protocol = middle(&versions);
    let key_exchange = exchanges.iter().copied().reduce(f64::min).unwrap_or(0.0);
    let cipher = middle(&ciphers);
    let weights = &rules.weights;
    let zero = protocol == 0.0 || key_exchange == 0.0 || cipher == 0.0;
    let weighted = weights.protocol * protocol + weights.key_exchange * key_exchange + weights.cipher * cipher;
    Score { protocol, key_exchange, cipher, total: if zero { 0.0 } else { weighted / 100.0 } }
}

/// The mean of the best and the worst.
fn middle(scores: &[f64]) -> f64 {
    let best = scores.iter().copied().reduce(f64::max).unwrap_or(0.0);
    let worst = scores.iter().copied().reduce(f64::min).unwrap_or(0.0);
    (best + worst) / 2.0
}

fn caps(facts: &Facts, rules: &Rules) -> Vec<Cap> {
    let fired = caps::fired(facts);
    let mut caps = Vec::new();
    for rule in &rules.caps {
        let mut reasons: Vec<&str> = Vec::new();
        let mut kinds: Vec<&str> = Vec::new();
        for (_, reason, basis) in fired.iter().filter(|(code, ..)| *code == rule.code) {
            if !reasons.contains(&reason.as_str()) {
                reasons.push(reason);
            }
            kinds.extend(basis.iter());
        }
        if !reasons.is_empty() {
            caps.push(Cap {
                code: rule.code.clone(),
                limit: rule.limit.clone(),
                reason: reasons.join("; "),
                observations: facts.cite(&kinds),
            });
        }
    }
    caps
}

fn note(facts: &Facts, code: &str, reason: impl Into<String>, kinds: &[&str]) -> Note {
    Note { code: code.to_owned(), reason: reason.into(), observations: facts.cite(kinds) }
}

fn warnings(facts: &Facts) -> Vec<Note> {
    let mut notes = Vec::new();
    let protocols_known = facts.protocols.as_ref().is_some_and(|p| p.unknown.iter().all(|name| name != "TLSv1.3"));
    if protocols_known && !facts.offers("TLSv1.3") {
        notes.push(note(facts, "WARN_NO_TLS13", "TLSv1.3 is not offered", &["tls.protocols"]));
    }
    if facts.service == Service::Https {
        match facts.hsts.as_ref().map(|hsts| (hsts.status.as_str(), hsts.why.as_str())) {
            Some(("disabled", _)) => {
                notes.push(note(facts, "WARN_HSTS_DISABLED", "HSTS is sent with max-age 0", &["http.hsts"]));
            }
            Some(("invalid", why)) => {
                let reason = format!("the HSTS header is invalid: {why}");
                notes.push(note(facts, "WARN_HSTS_INVALID", reason, &["http.hsts"]));
            }
            _ => {}
        }
    }
    let secure = facts.features.as_ref().and_then(|f| f.secure_renegotiation.known());
    if facts.offers_legacy_handshake() && secure.is_some_and(|word| word == "no") {
        let reason = "secure renegotiation (RFC 5746) is not supported";
        notes.push(note(facts, "WARN_NO_SECURE_RENEG", reason, &["tls.features"]));
    }
    notes
}

fn not_plus(facts: &Facts, rules: &Rules, provisional: bool) -> Vec<Note> {
    let mut notes = Vec::new();
    if facts.service == Service::Https {
        match facts.hsts.as_ref().map(|hsts| (hsts.status.as_str(), hsts.max_age)) {
            Some(("absent", _)) => notes.push(note(facts, "NOPLUS_HSTS_ABSENT", "HSTS is not sent", &["http.hsts"])),
            Some(("short" | "long", age)) if age < rules.hsts_long => {
                let reason = format!("HSTS max-age {age} is under {} seconds", rules.hsts_long);
                notes.push(note(facts, "NOPLUS_HSTS_SHORT", reason, &["http.hsts"]));
            }
            _ => {}
        }
    }
    if facts.headers.as_ref().is_some_and(|headers| headers.hpkp == "invalid") {
        let reason = "the Public-Key-Pins header is invalid";
        notes.push(note(facts, "NOPLUS_HPKP_INVALID", reason, &["http.headers"]));
    }
    let extra_sha1 = facts.certificates.iter().flat_map(|c| &c.deployments).any(|d| sha1(d) == Some(Sha1::OnlyBeside));
    if extra_sha1 {
        let reason = "a certificate that was sent is signed with SHA-1";
        notes.push(note(facts, "NOPLUS_SHA1", reason, &["tls.certificates"]));
    }
    if provisional {
        notes.push(note(facts, "NOPLUS_PROVISIONAL", "a fact that the grade needs is unknown", &[]));
    }
    if facts.service == Service::Opportunistic {
        let reason = "TLS starts after an upgrade of another protocol";
        notes.push(note(facts, "NOPLUS_OPPORTUNISTIC", reason, &[]));
    }
    if facts.service != Service::Https {
        notes.push(note(facts, "NOPLUS_SERVICE", "the service is not HTTPS", &[]));
    }
    notes
}

/// Where a SHA-1 signature stands in a deployment.
#[derive(PartialEq)]
enum Sha1 {
    /// On the leaf or an intermediate.
    OnPath,
    /// Only on a leaf that is itself an anchor of the user's.
    OnlyBeside,
}

fn sha1(deployment: &crate::model::tls::Deployment) -> Option<Sha1> {
    let anchored_leaf = deployment.leaf.self_signed && deployment.trust.known().is_some_and(|trust| trust == "trusted");
    let weak =
        deployment.chain.iter().enumerate().any(|(n, link)| {
            (n == 0 && !anchored_leaf || link.subject != link.issuer) && link.signature_hash == "sha1"
        });
    match weak {
        true => Some(Sha1::OnPath),
        false if deployment.leaf.signature_hash == "sha1" => Some(Sha1::OnlyBeside),
        false => None,
    }
}

fn trust(facts: &Facts) -> Vec<Note> {
    let mut notes: Vec<Note> = Vec::new();
    let mut add = |code: &str, mut reason: String| {
        if facts.relay {
            reason += "; servers that send mail seldom verify this unless DANE or MTA-STS tells them to";
        }
        if !notes.iter().any(|note| note.code == code) {
            let kinds =
                if code == REVOKED { &["tls.certificates", "tls.revocation"][..] } else { &["tls.certificates"] };
            notes.push(note(facts, code, reason, kinds));
        }
    };
    let rows = facts.revocation.iter().flat_map(|seen| &seen.certificates);
    for row in rows.filter(|row| row.status.known().is_some_and(|word| word == "revoked")) {
        let what = if row.place == 0 { "the certificate" } else { "an intermediate certificate" };
        add(REVOKED, format!("{what} is revoked ({}, by {}): {}", row.reason, row.source, row.subject));
    }
    for deployment in facts.certificates.iter().flat_map(|c| &c.deployments) {
        let because = |what: &str| match deployment.trust_detail.as_str() {
            "" => what.to_owned(),
            detail => format!("{what}: {detail}"),
        };
        match deployment.trust.known().map(String::as_str) {
            Some("untrusted") => add("T_UNTRUSTED", because("no path to a trusted anchor")),
            Some("self-signed") => add("T_SELF_SIGNED", "the certificate signs itself and is no anchor".to_owned()),
            Some("expired") => add("T_EXPIRED", because("a certificate on the path is past its end")),
            Some("not-yet-valid") => add("T_NOT_YET_VALID", because("a certificate on the path is not yet valid")),
            Some("not-for-server") => add("T_NOT_FOR_SERVER", because("the certificate is not for a server")),
            _ => {}
        }
        if deployment.staple.known().is_some_and(|word| word == "revoked") {
            add(REVOKED, "the stapled OCSP answer says revoked".to_owned());
        }
        if sha1(deployment) == Some(Sha1::OnPath) {
            add("T_SHA1", "a certificate on the path is signed with SHA-1".to_owned());
        }
        if !deployment.name_matches {
            add("M_NAME_MISMATCH", "the certificate does not name the host".to_owned());
        }
    }
    notes
}

/// The facts that the grade needs and that are unknown.
fn incomplete(facts: &Facts) -> Vec<String> {
    let mut missing = Vec::new();
    let mut need = |known: bool, name: &str| {
        if !known {
            missing.push(name.to_owned());
        }
    };
    let suites = || facts.suites.iter().flat_map(|s| &s.suites);
    let legacy = facts.offers_legacy_handshake();
    need(facts.whole("tls.protocols"), "protocols");
    need(facts.whole("tls.suites") && suites().all(|s| s.strength.known().is_some()), "suites");
    need(facts.whole("tls.certificates") && gradable(facts), "certificates");
    let feature = |read: fn(&crate::model::tls::Features) -> bool| facts.features.as_ref().is_some_and(read);
    need(!legacy || feature(|f| f.secure_renegotiation.known().is_some()), "secure_renegotiation");
    need(!legacy || feature(|f| f.compression.known().is_some()), "compression");
    if legacy {
        for name in ["insecure_renegotiation", "heartbleed", "ccs"] {
            need(facts.vulnerable(name).is_some(), name);
        }
        if suites().any(|s| s.kx == "RSA" && s.protocol != "SSLv2") {
            need(facts.vulnerable("robot").is_some(), "robot");
        }
        if suites().any(|s| s.protocol.starts_with("TLS") && !s.aead && s.block_bits > 0) {
            for name in ["poodle_tls", "zombie_poodle", "goldendoodle", "zero_length", "sleeping_poodle"] {
                need(facts.vulnerable(name).is_some(), name);
            }
            need(facts.vulnerable("cve_2016_2107").is_some(), "cve_2016_2107");
        }
        if !feature(|f| f.session_tickets.known().is_some_and(|word| word != "yes")) {
            need(facts.vulnerable("ticketbleed").is_some(), "ticketbleed");
        }
    }
    if suites().any(|s| s.kx == "DHE") {
        need(facts.whole("tls.dh"), "dh");
    }
    need(clients_known(facts), "client_simulation");
    if facts.service == Service::Https {
        need(facts.hsts.is_some(), "hsts");
    }
    missing
}

/// Whether the rows that a cap may rest on are known: those of the reference browsers, and every row where a suite is
/// accepted that no client of today should end up with.
fn clients_known(facts: &Facts) -> bool {
    let doubtful = facts.suites.iter().flat_map(|s| &s.suites).any(|suite| {
        let modern = ["TLSv1.1", "TLSv1.2", "TLSv1.3"].contains(&suite.protocol.as_str());
        modern && (suite.enc.starts_with("RC4") || suite.block_bits == 64)
    });
    facts.clients.as_ref().is_some_and(|seen| {
        let rows = || seen.clients.iter().filter(|client| client.reference || doubtful);
        seen.clients.iter().any(|client| client.reference) && rows().all(|client| client.connects.known().is_some())
    })
}

/// Facts worth showing that leave the letter alone.
fn findings(facts: &Facts) -> Vec<Note> {
    let mut notes = Vec::new();
    let suites = || facts.suites.iter().flat_map(|s| &s.suites);
    if suites().any(|s| s.block_bits == 64) {
        let reason = "a suite with a 64-bit block cipher is accepted (SWEET32)";
        notes.push(note(facts, "sweet32", reason, &["tls.suites"]));
    }
    if facts
        .certificates
        .iter()
        .flat_map(|c| &c.deployments)
        .any(|d| d.must_staple && d.staple.known().is_some_and(|s| s != "good"))
    {
        let reason = "the certificate demands a staple, and none that is good was sent";
        notes.push(note(facts, "must_staple", reason, &["tls.certificates"]));
    }
    notes
}

#[cfg(test)]
mod tests;
