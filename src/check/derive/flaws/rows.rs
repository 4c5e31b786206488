//! The row of a flaw from what was seen of one endpoint.

use super::super::grade::facts::Facts;
use crate::model::Fact;
use crate::model::tls::{Suite, VulnerabilityTest as Row};

/// The row of this flaw.
pub fn row(name: &str, facts: &Facts) -> Row {
    if let Some(tested) = facts.flaws.iter().flat_map(|flaws| &flaws.tests).find(|test| test.name == name) {
        // What is not known of versions and suites may meet the precondition that nothing known meets.
        return match open(facts).filter(|_| !tested.applies) {
            Some(reason) => Row::unknown(name, reason),
            None => tested.clone(),
        };
    }
    match name {
        "poodle" => by_suite(name, facts, "CBC suites with SSLv3", |s| s.protocol == "SSLv3" && is_cbc(s)),
        "freak" => freak(facts),
        "logjam" => logjam(facts),
        "sweet32" => by_suite(name, facts, "suites with 64-bit blocks", |s| s.block_bits == 64),
        "rc4" => by_suite(name, facts, "RC4 suites", |s| s.enc.starts_with("RC4")),
        "beast" => beast(facts),
        "lucky13" => lucky13(facts),
        "crime" => crime(facts),
        "breach" => breach(facts),
        "null_cipher" => by_suite(name, facts, "suites without encryption", |s| s.bits == 0),
        "anonymous" => by_suite(name, facts, "anonymous suites", |s| s.auth == "anon"),
        "export" => by_suite(name, facts, "export suites", |s| s.export),
        "opossum" => opossum(facts),
        _ => untested(name, facts),
    }
}

/// Why there may be versions or suites that are not known.
fn open(facts: &Facts) -> Option<String> {
    let kind = ["tls.protocols", "tls.suites"].into_iter().find(|kind| !facts.whole(kind))?;
    Some(facts.gap(kind).to_string())
}

fn is_ssl2(suite: &Suite) -> bool {
    suite.protocol == "SSLv2"
}

fn is_cbc(suite: &Suite) -> bool {
    !suite.aead && suite.block_bits > 0 && !is_ssl2(suite)
}

fn is_cbc_of_tls(suite: &Suite) -> bool {
    is_cbc(suite) && suite.protocol.starts_with("TLS")
}

/// What a search among the accepted suites gave.
enum Search {
    /// Some, in words.
    Found(String),
    /// None, and all are known.
    None,
    /// None so far, and why there may be more.
    Open(String),
}

fn search(facts: &Facts, wanted: impl Fn(&Suite) -> bool) -> Search {
    let suites = facts.suites.iter().flat_map(|suites| &suites.suites);
    let found: Vec<String> = suites.filter(|s| wanted(s)).map(|s| format!("{} {}", s.protocol, s.name)).collect();
    match found.as_slice() {
        [] if facts.whole("tls.suites") => Search::None,
        [] => Search::Open(facts.gap("tls.suites").to_string()),
        [first] => Search::Found(first.clone()),
        [first, rest @ ..] => Search::Found(format!("{first} and {} more", rest.len())),
    }
}

fn by_suite(name: &str, facts: &Facts, what: &str, wanted: impl Fn(&Suite) -> bool) -> Row {
    match search(facts, wanted) {
        Search::Found(found) => Row::found(name, format!("{what} are accepted: {found}")),
        Search::None => Row::safe(name, format!("no {what} are accepted")),
        Search::Open(reason) => Row::unknown(name, reason),
    }
}

/// An export suite with RSA, or a short temporary key with a suite that may not have one.
fn freak(facts: &Facts) -> Row {
    let row = by_suite("freak", facts, "suites with export RSA", |s| s.export && s.kx == "RSA" && !is_ssl2(s));
    let keys = facts.features.iter().flat_map(|features| &features.temporary_rsa);
    let short = keys.filter(|key| !key.export && key.bits <= 512).min_by_key(|key| key.bits);
    match (row.vulnerable.known(), short) {
        (Some(true), _) | (_, None) => row,
        (_, Some(key)) => {
            let detail = format!("a temporary RSA key of {} bits comes with {} {}", key.bits, key.protocol, key.name);
            Row::found("freak", detail)
        }
    }
}

fn logjam(facts: &Facts) -> Row {
    const NAME: &str = "logjam";
    if let Search::Found(found) = search(facts, |s| s.export && s.kx == "DHE") {
        return Row::found(NAME, format!("suites with export DHE are accepted: {found}"));
    }
    let smallest = facts.dh.iter().flat_map(|dh| &dh.parameters).filter(|p| !p.export).min_by_key(|p| p.bits);
    if let Some(p) = smallest {
        if p.bits < 1024 {
            return Row::found(NAME, format!("DH parameters of {} bits", p.bits));
        }
        let weak = facts.dh.iter().flat_map(|dh| &dh.parameters).find(|p| p.bits == 1024 && !p.known.is_empty());
        if let Some(p) = weak {
            return Row::likely(NAME, format!("DH parameters of 1024 bits with a common prime: {}", p.known));
        }
    }
    match search(facts, |s| s.kx == "DHE") {
        Search::Open(reason) => Row::unknown(NAME, reason),
        Search::None => Row::inapplicable(NAME, "no DHE suite is accepted"),
        Search::Found(_) => match smallest {
            Some(p) if facts.whole("tls.dh") => Row::safe(NAME, format!("DH parameters have at least {} bits", p.bits)),
            _ => Row::unknown(NAME, facts.gap("tls.dh").to_string()),
        },
    }
}

fn beast(facts: &Facts) -> Row {
    let row = by_suite("beast", facts, "CBC suites with SSLv3 or TLSv1.0", |s| {
        is_cbc(s) && matches!(s.protocol.as_str(), "SSLv3" | "TLSv1.0")
    });
    let newer = ["TLSv1.1", "TLSv1.2", "TLSv1.3"].iter().any(|version| facts.offers(version));
    match row.vulnerable {
        Fact::Known(true) if newer => {
            Row { detail: format!("{}; clients that can use a newer version", row.detail), ..row }
        }
        _ => row,
    }
}

/// Timing is not measured: a CBC suite without encrypt-then-MAC leaves the question open.
fn lucky13(facts: &Facts) -> Row {
    const NAME: &str = "lucky13";
    match search(facts, is_cbc) {
        Search::None => Row::inapplicable(NAME, "no CBC suite is accepted"),
        Search::Open(reason) => Row::unknown(NAME, reason),
        Search::Found(found) => {
            let protected = facts.features.as_ref().and_then(|f| f.encrypt_then_mac.known());
            let only_tls = matches!(search(facts, |s| is_cbc(s) && s.protocol == "SSLv3"), Search::None);
            if only_tls && protected.is_some_and(|word| word == "yes") {
                return Row::safe(NAME, "encrypt-then-MAC is used with CBC suites");
            }
            let detail = format!("CBC suites without encrypt-then-MAC are accepted ({found}); timing is not measured");
            Row::potential(NAME, detail)
        }
    }
}

fn crime(facts: &Facts) -> Row {
    const NAME: &str = "crime";
    let Some(features) = &facts.features else { return Row::unknown(NAME, facts.gap("tls.features").to_string()) };
    match &features.compression {
        Fact::Unknown(why) => Row::unknown(NAME, why.unknown.clone()),
        Fact::Known(_) if features.legacy_handshake == Fact::Known(false) => {
            Row::inapplicable(NAME, "TLS 1.3 has no compression")
        }
        Fact::Known(method) if method == "none" => Row::safe(NAME, "compression was offered and not chosen"),
        Fact::Known(method) => Row::found(NAME, format!("TLS compression is accepted: {method}")),
    }
}

fn breach(facts: &Facts) -> Row {
    const NAME: &str = "breach";
    let Some(headers) = &facts.headers else {
        return match facts.is_http() {
            true => Row::unknown(NAME, facts.gap("http.headers").to_string()),
            false => Row::inapplicable(NAME, "the service is not HTTP"),
        };
    };
    match &headers.compressed_text {
        _ if !headers.applicable => Row::inapplicable(NAME, "the service is not HTTP"),
        Fact::Unknown(why) => Row::unknown(NAME, why.unknown.clone()),
        Fact::Known(false) => Row::safe(NAME, "the page was sent without compression"),
        Fact::Known(true) => {
            Row::potential(NAME, "the page was sent compressed; whether it repeats what a request holds is not tested")
        }
    }
}

fn opossum(facts: &Facts) -> Row {
    const NAME: &str = "opossum";
    let Some(plain) = &facts.plain else {
        return match facts.is_http() {
            true => Row::unknown(NAME, facts.gap("http.plain").to_string()),
            false => Row::inapplicable(NAME, "the service is not HTTP"),
        };
    };
    match &plain.tls_upgrade {
        _ if !plain.looked => Row::inapplicable(NAME, "no port of plain HTTP goes with this endpoint"),
        _ if !plain.answered => Row::inapplicable(NAME, format!("nothing answers in clear on port {}", plain.port)),
        Fact::Unknown(why) => Row::unknown(NAME, why.unknown.clone()),
        Fact::Known(true) => {
            Row::found(NAME, format!("plain HTTP on port {} offers an upgrade to TLS (RFC 2817)", plain.port))
        }
        Fact::Known(false) => Row::safe(NAME, format!("plain HTTP on port {} offers no upgrade to TLS", plain.port)),
    }
}

/// A flaw that only an active test can show, and that was not tested for: what is known of its precondition.
fn untested(name: &str, facts: &Facts) -> Row {
    let older = ["SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2"].iter().any(|version| facts.offers(version));
    if !older && facts.whole("tls.protocols") {
        return Row::inapplicable(name, "no version from SSLv3 to TLSv1.2 is offered");
    }
    let cbc = matches!(
        name,
        "poodle_tls"
            | "zombie_poodle"
            | "goldendoodle"
            | "zero_length"
            | "sleeping_poodle"
            | "cbc_oracle_other"
            | "cve_2016_2107"
    );
    if cbc && matches!(search(facts, is_cbc_of_tls), Search::None) {
        return Row::inapplicable(name, "no CBC suite is accepted with TLS");
    }
    let tickets = facts.features.as_ref().and_then(|features| features.session_tickets.known());
    if name == "ticketbleed" && tickets.is_some_and(|word| word != "yes") {
        return Row::inapplicable(name, "no session tickets are issued with TLSv1.2 or older");
    }
    match facts.gap_of("tls.flaws") {
        Some(trouble) => Row::unknown(name, trouble.to_string()),
        None => Row::unknown(name, "not tested for"),
    }
}
