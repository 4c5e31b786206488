//! How each test of the Observatory finds its result.

use super::Site;
use super::csp::Policy;
use crate::model::http::{Cookie, Script};

/// Tokens of Cross-Origin-Embedder-Policy.
pub const COEP: [&str; 3] = ["require-corp", "credentialless", "unsafe-none"];
/// Tokens of Cross-Origin-Opener-Policy.
pub const COOP: [&str; 4] = ["same-origin", "same-origin-allow-popups", "noopener-allow-popups", "unsafe-none"];

const CORP: [&str; 3] = ["same-origin", "same-site", "cross-origin"];
const SIX_MONTHS: u64 = 15_552_000;
const PRIVATE: [&str; 4] = ["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"];
const REVEALING: [&str; 4] = ["origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade"];

/// Content-Security-Policy.
pub fn csp(site: &Site, policy: &Policy) -> &'static str {
    match policy {
        Policy::Effective(effective) => effective.result(),
        Policy::Invalid => "csp-header-invalid",
        Policy::None if !site.field("content-security-policy-report-only").is_empty() => {
            "csp-not-implemented-but-reporting-enabled"
        }
        Policy::None => "csp-not-implemented",
    }
}

/// Cookies: the worst of them counts.
pub fn cookies(site: &Site, hsts: bool) -> &'static str {
    // In this order, the worst last.
    const BAD: [&str; 7] = [
        "cookies-without-secure-flag-but-protected-by-hsts",
        "cookies-without-secure-flag",
        "cookies-session-without-secure-flag-but-protected-by-hsts",
        "cookies-samesite-flag-invalid",
        "cookies-anticsrf-without-samesite-flag",
        "cookies-session-without-httponly-flag",
        "cookies-session-without-secure-flag",
    ];
    let ours = || site.cookies.cookies.iter().filter(|cookie| cookie.name != "heroku-session-affinity");
    let worst = ours().flat_map(|cookie| faults(cookie, hsts)).max();
    match worst.and_then(|at| BAD.get(at)) {
        Some(result) => result,
        None if ours().next().is_none() => "cookies-not-found",
        None if ours().all(|cookie| cookie.same_site != "absent") => {
            "cookies-secure-with-httponly-sessions-and-samesite"
        }
        None => "cookies-secure-with-httponly-sessions",
    }
}

/// What is bad about a cookie, by its place in the order.
fn faults(cookie: &Cookie, hsts: bool) -> Vec<usize> {
    let name = cookie.name.to_ascii_lowercase();
    let session = name.contains("login") || name.contains("sess");
    let anti_csrf = name.contains("csrf");
    let mut faults = Vec::new();
    match (cookie.secure, session, hsts) {
        (true, ..) => {}
        (false, false, true) => faults.push(0),
        (false, false, false) => faults.push(1),
        (false, true, true) => faults.push(2),
        (false, true, false) => faults.push(6),
    }
    if cookie.same_site == "invalid" || (cookie.same_site == "none" && !cookie.secure) {
        faults.push(3);
    }
    if anti_csrf && cookie.same_site == "absent" {
        faults.push(4);
    }
    if session && !cookie.http_only {
        faults.push(5);
    }
    faults
}

/// Cross-Origin-Resource-Sharing, with an origin that is nobody's.
pub fn cors(site: &Site) -> &'static str {
    match (site.cors.allow_origin.as_str(), site.cors.credentials) {
        ("absent", _) => "cross-origin-resource-sharing-not-implemented",
        ("any", _) => "cross-origin-resource-sharing-implemented-with-public-access",
        ("reflected", true) => "cross-origin-resource-sharing-implemented-with-universal-access",
        _ => "cross-origin-resource-sharing-implemented-with-restricted-access",
    }
}

/// The way from plain HTTP.
pub fn redirection(site: &Site) -> &'static str {
    let plain = &site.plain;
    let https = |url: &String| url.starts_with("https:");
    let Some((first, last)) = plain.hops.first().zip(plain.hops.last()) else {
        return if plain.answered { "redirection-missing" } else { "redirection-not-needed-no-http" };
    };
    if !plain.answered {
        "redirection-not-needed-no-http"
    } else if plain.certificate_error {
        "redirection-invalid-cert"
    } else if site.hsts.preloaded.known() == Some(&true) && plain.same_host && plain.hops.len() == 1 {
        "redirection-all-redirects-preloaded"
    } else if !https(last) {
        "redirection-not-to-https"
    } else if !https(first) {
        "redirection-not-to-https-on-initial-redirection"
    } else if !plain.same_host {
        "redirection-off-host-from-http"
    } else {
        "redirection-to-https"
    }
}

/// Referrer-Policy: of the header's and then the markup's tokens the last valid one.
pub fn referrer(site: &Site) -> &'static str {
    let values = || site.field("referrer-policy").iter().chain(site.meta("referrer-policy"));
    if values().next().is_none() {
        return "referrer-policy-not-implemented";
    }
    let words: Vec<String> =
        values().flat_map(|value| value.split(',')).map(|word| word.trim().to_ascii_lowercase()).collect();
    let known = |word: &&String| PRIVATE.contains(&word.as_str()) || REVEALING.contains(&word.as_str());
    match words.iter().rev().find(known) {
        Some(word) if PRIVATE.contains(&word.as_str()) => "referrer-policy-private",
        Some(_) => "referrer-policy-unsafe",
        None => "referrer-policy-header-invalid",
    }
}

/// Strict-Transport-Security, read leniently: for the score only.
pub fn hsts(site: &Site) -> &'static str {
    if site.hsts.preloaded.known() == Some(&true) {
        return "hsts-preloaded";
    }
    if site.hsts.certificate_error {
        return "hsts-invalid-cert";
    }
    let Some(value) = site.field("strict-transport-security").first() else { return "hsts-not-implemented" };
    let value: String = value.chars().take(1_024).collect::<String>().to_ascii_lowercase();
    let age = value.split(';').find_map(|part| part.trim().strip_prefix("max-age=").and_then(leading_number));
    match age {
        _ if value.contains(',') => "hsts-header-invalid",
        None => "hsts-header-invalid",
        Some(age) if age >= SIX_MONTHS => "hsts-implemented-max-age-at-least-six-months",
        Some(_) => "hsts-implemented-max-age-less-than-six-months",
    }
}

fn leading_number(text: &str) -> Option<u64> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    if digits.is_empty() { None } else { Some(digits.parse().unwrap_or(u64::MAX)) }
}

/// Subresource integrity. A later place in the order replaces an earlier one, whatever it adds.
pub fn scripts(site: &Site) -> &'static str {
    const ORDER: [&str; 5] = [
        "sri-implemented-and-all-scripts-loaded-securely",
        "sri-implemented-and-external-scripts-loaded-securely",
        "sri-implemented-but-external-scripts-not-loaded-securely",
        "sri-not-implemented-but-external-scripts-loaded-securely",
        "sri-not-implemented-and-external-scripts-not-loaded-securely",
    ];
    if !site.page.html {
        return "sri-not-implemented-response-not-html";
    }
    if site.page.scripts.is_empty() {
        return "sri-not-implemented-but-no-scripts-loaded";
    }
    let worst = site.page.scripts.iter().filter_map(integrity).max();
    let worst = worst.and_then(|at| ORDER.get(at)).copied();
    worst.unwrap_or("sri-not-implemented-but-all-scripts-loaded-from-secure-origin")
}

/// The place of one script in the order, if it has one.
fn integrity(script: &Script) -> Option<usize> {
    let own = !script.schemeless && (script.relative || script.same_site);
    // A source without a scheme is never taken for a secure one.
    let secure = script.secure && !script.schemeless;
    match (own, script.integrity, secure) {
        (true, true, true) => Some(0),
        (true, ..) => None,
        (false, true, true) => Some(1),
        (false, true, false) => Some(2),
        (false, false, true) => Some(3),
        (false, false, false) => Some(4),
    }
}

/// X-Content-Type-Options.
pub fn sniffing(site: &Site) -> &'static str {
    match site.field("x-content-type-options").first() {
        None => "x-content-type-options-not-implemented",
        Some(value) if value.trim().eq_ignore_ascii_case("nosniff") => "x-content-type-options-nosniff",
        Some(_) => "x-content-type-options-header-invalid",
    }
}

/// X-Frame-Options, or frame-ancestors in its place.
pub fn framing(site: &Site, policy: &Policy) -> &'static str {
    if matches!(policy, Policy::Effective(effective) if effective.frame_ancestors) {
        return "x-frame-options-implemented-via-csp";
    }
    match site.field("x-frame-options").first().map(|value| value.trim().to_ascii_lowercase()) {
        None => "x-frame-options-not-implemented",
        Some(value) if value == "deny" || value == "sameorigin" => "x-frame-options-sameorigin-or-deny",
        Some(value) if value.starts_with("allow-from") => "x-frame-options-allow-from-origin",
        Some(_) => "x-frame-options-header-invalid",
    }
}

/// Cross-Origin-Resource-Policy: the header, else the last `meta`.
pub fn corp(site: &Site) -> String {
    let name = "cross-origin-resource-policy";
    let value = site.field(name).first().or_else(|| site.meta(name).last());
    named("corp", value.map(|value| value.trim().to_ascii_lowercase()), &CORP)
}

/// A structured field of one item, parameters aside. Two fields are none.
pub fn item(site: &Site, name: &str, short: &str, tokens: &[&str]) -> String {
    match site.field(name) {
        [] => named(short, None, tokens),
        [value] => named(short, Some(value.split(';').next().unwrap_or_default().trim().to_owned()), tokens),
        _ => named(short, Some(String::new()), tokens),
    }
}

fn named(short: &str, value: Option<String>, tokens: &[&str]) -> String {
    match value {
        None => format!("{short}-not-implemented"),
        Some(value) if tokens.contains(&value.as_str()) => format!("{short}-implemented-with-{value}"),
        Some(_) => format!("{short}-header-invalid"),
    }
}
