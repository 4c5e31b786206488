//! The vectors of the score, and each test's results.

use super::score::{letter, observatory};
use super::{Site, field};
use crate::model::http::{Cookie, Observatory, Script};

/// Nothing set, a redirect to https, no cookies, no scripts.
fn bare() -> Site {
    let mut site = Site::default();
    site.page.applicable = true;
    site.page.html = true;
    site.cors.allow_origin = "absent".to_owned();
    site.plain.looked = true;
    site.plain.answered = true;
    site.plain.same_host = true;
    site.plain.hops = vec!["https://shop.example/".to_owned()];
    site
}

fn with(mut site: Site, fields: &[(&str, &str)]) -> Site {
    for (name, value) in fields {
        site.page.fields.entry((*name).to_owned()).or_default().push((*value).to_owned());
    }
    site
}

fn better() -> Site {
    with(
        bare(),
        &[
            ("strict-transport-security", "max-age=31536000"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
        ],
    )
}

fn best() -> Site {
    let policy = "default-src 'none'; frame-ancestors 'none'";
    with(better(), &[("content-security-policy", policy), ("referrer-policy", "no-referrer")])
}

fn result<'a>(facts: &'a Observatory, test: &str) -> &'a str {
    &facts.tests.iter().find(|seen| seen.name == test).unwrap().result
}

fn cookie(name: &str, secure: bool, http_only: bool, same_site: &str) -> Cookie {
    Cookie { name: name.to_owned(), secure, http_only, same_site: same_site.to_owned(), ..Cookie::default() }
}

#[test]
fn the_vectors_of_the_specification() {
    let mut without = best();
    without.page.fields.remove("strict-transport-security");
    let mut short = without.clone();
    short = with(short, &[("strict-transport-security", "max-age=86400")]);
    let mut open = best();
    open.cors.allow_origin = "reflected".to_owned();
    open.cors.credentials = true;
    let mut session = without.clone();
    session.cookies.cookies = vec![cookie("session", false, true, "lax")];
    for (name, site, score, letter) in [
        ("a", bare(), 30, "D"),
        ("b", better(), 75, "B"),
        ("c", best(), 120, "A+"),
        ("d", short, 110, "A+"),
        ("e", without, 80, "B+"),
        ("f", open, 50, "C"),
        ("g", session, 40, "D+"),
    ] {
        let facts = observatory(&site);
        assert_eq!((facts.score, facts.letter.as_str()), (score, letter), "{name}: {:?}", facts.tests);
        assert_eq!(facts.score, facts.score_5, "{name}: nothing of version 6 is set");
        assert_eq!(facts.tests.len(), 12);
    }
}

#[test]
fn version_six_adds_two_tests() {
    let site = with(
        best(),
        &[
            ("cross-origin-opener-policy", "same-origin; report-to=\"x\""),
            ("cross-origin-embedder-policy", "require-corp"),
        ],
    );
    let facts = observatory(&site);
    assert_eq!((facts.score, facts.score_5), (140, 120));
    let twice = with(site, &[("cross-origin-opener-policy", "same-origin")]);
    assert_eq!(result(&observatory(&twice), "cross-origin-opener-policy"), "coop-header-invalid");
}

#[test]
fn letters_follow_the_table() {
    for (score, expected) in [
        (135, "A+"),
        (100, "A+"),
        (99, "A"),
        (95, "A"),
        (90, "A"),
        (89, "A-"),
        (85, "A-"),
        (80, "B+"),
        (79, "B"),
        (70, "B"),
        (65, "B-"),
        (60, "C+"),
        (55, "C"),
        (50, "C"),
        (45, "C-"),
        (40, "D+"),
        (35, "D"),
        (30, "D"),
        (25, "D-"),
        (24, "F"),
        (0, "F"),
    ] {
        assert_eq!(letter(score), expected, "{score}");
    }
}

#[test]
fn the_worst_cookie_counts() {
    let of = |cookies: Vec<Cookie>, hsts: bool| {
        let mut site = bare();
        site.cookies.cookies = cookies;
        field::cookies(&site, hsts).trim_start_matches("cookies-").to_owned()
    };
    for (name, secure, http_only, same_site, hsts, expected) in [
        ("a", true, false, "lax", true, "secure-with-httponly-sessions-and-samesite"),
        ("a", true, false, "absent", true, "secure-with-httponly-sessions"),
        ("a", false, false, "lax", true, "without-secure-flag-but-protected-by-hsts"),
        ("a", false, false, "lax", false, "without-secure-flag"),
        ("PHPSESSID", false, true, "lax", true, "session-without-secure-flag-but-protected-by-hsts"),
        ("PHPSESSID", false, true, "lax", false, "session-without-secure-flag"),
        ("login", true, false, "lax", true, "session-without-httponly-flag"),
        ("a", true, true, "invalid", true, "samesite-flag-invalid"),
        ("a", false, true, "none", true, "samesite-flag-invalid"),
        ("XCSRF", true, true, "absent", true, "anticsrf-without-samesite-flag"),
        ("heroku-session-affinity", false, false, "absent", false, "not-found"),
    ] {
        assert_eq!(of(vec![cookie(name, secure, http_only, same_site)], hsts), expected, "{name}");
    }
    let two = vec![cookie("a", false, true, "lax"), cookie("sess", true, false, "lax")];
    assert_eq!(of(two, false), "session-without-httponly-flag");
}

#[test]
fn the_way_from_plain_http_is_judged() {
    let of = |answered: bool, hops: &[&str], same_host: bool, error: bool| {
        let mut site = bare();
        site.plain.answered = answered;
        site.plain.hops = hops.iter().map(|hop| (*hop).to_owned()).collect();
        site.plain.same_host = same_host;
        site.plain.certificate_error = error;
        field::redirection(&site).trim_start_matches("redirection-")
    };
    assert_eq!(of(false, &[], false, false), "not-needed-no-http");
    assert_eq!(of(true, &[], false, false), "missing");
    assert_eq!(of(true, &["https://a.example/"], true, false), "to-https");
    assert_eq!(of(true, &["https://b.example/"], false, false), "off-host-from-http");
    assert_eq!(of(true, &["http://a.example/x"], true, false), "not-to-https");
    assert_eq!(
        of(true, &["http://a.example/x", "https://a.example/"], true, false),
        "not-to-https-on-initial-redirection"
    );
    assert_eq!(of(true, &["https://a.example/"], true, true), "invalid-cert");
}

#[test]
fn scripts_replace_each_other_in_their_order() {
    let of = |scripts: &[(bool, bool, bool, bool)]| {
        let mut site = bare();
        site.page.scripts = scripts
            .iter()
            .map(|&(relative, same_site, secure, integrity)| Script {
                relative,
                same_site,
                secure,
                integrity,
                ..Script::default()
            })
            .collect();
        field::scripts(&site).trim_start_matches("sri-")
    };
    assert_eq!(of(&[]), "not-implemented-but-no-scripts-loaded");
    let (own, own_with) = ((true, true, true, false), (true, true, true, true));
    let (foreign, foreign_with) = ((false, false, true, false), (false, false, true, true));
    let (clear, clear_with) = ((false, false, false, false), (false, false, false, true));
    assert_eq!(of(&[own]), "not-implemented-but-all-scripts-loaded-from-secure-origin");
    assert_eq!(of(&[own_with]), "implemented-and-all-scripts-loaded-securely");
    assert_eq!(of(&[own_with, foreign_with]), "implemented-and-external-scripts-loaded-securely");
    assert_eq!(of(&[foreign_with, clear_with]), "implemented-but-external-scripts-not-loaded-securely");
    assert_eq!(
        of(&[clear_with, foreign]),
        "not-implemented-but-external-scripts-loaded-securely",
        "kept for compatibility"
    );
    assert_eq!(of(&[clear, foreign]), "not-implemented-and-external-scripts-not-loaded-securely");
    let mut site = bare();
    site.page.scripts = vec![Script { schemeless: true, same_site: true, secure: true, ..Script::default() }];
    assert_eq!(field::scripts(&site), "sri-not-implemented-and-external-scripts-not-loaded-securely");
    site.page.html = false;
    assert_eq!(field::scripts(&site), "sri-not-implemented-response-not-html");
}

#[test]
fn strict_transport_security_is_read_leniently() {
    for (value, expected) in [
        ("max-age=15552000", "implemented-max-age-at-least-six-months"),
        ("max-age=15551999", "implemented-max-age-less-than-six-months"),
        ("includeSubDomains; MAX-AGE=31536000x", "implemented-max-age-at-least-six-months"),
        ("max-age=31536000, max-age=0", "header-invalid"),
        ("includeSubDomains", "header-invalid"),
        ("max-age=", "header-invalid"),
    ] {
        let site = with(bare(), &[("strict-transport-security", value)]);
        assert_eq!(field::hsts(&site).trim_start_matches("hsts-"), expected, "{value}");
    }
    let mut site = better();
    site.hsts.certificate_error = true;
    assert_eq!(field::hsts(&site), "hsts-invalid-cert");
    site.hsts.preloaded = true.into();
    assert_eq!(field::hsts(&site), "hsts-preloaded");
}

#[test]
fn the_other_fields_are_told_apart() {
    let facts = |fields: &[(&str, &str)]| observatory(&with(bare(), fields));
    for (name, value, expected) in [
        ("referrer-policy", "no-referrer, nonsense", "referrer-policy-private"),
        ("referrer-policy", "no-referrer, unsafe-url", "referrer-policy-unsafe"),
        ("referrer-policy", "nonsense", "referrer-policy-header-invalid"),
        ("x-content-type-options", " NoSniff", "x-content-type-options-nosniff"),
        ("x-content-type-options", "sniff", "x-content-type-options-header-invalid"),
        ("x-frame-options", "SameOrigin", "x-frame-options-sameorigin-or-deny"),
        ("x-frame-options", "ALLOW-FROM https://a.example", "x-frame-options-allow-from-origin"),
        ("x-frame-options", "allowall", "x-frame-options-header-invalid"),
        ("cross-origin-resource-policy", "same-site", "corp-implemented-with-same-site"),
        ("cross-origin-resource-policy", "same-site; x", "corp-header-invalid"),
        ("cross-origin-embedder-policy", "credentialless; a=1", "coep-implemented-with-credentialless"),
        ("cross-origin-opener-policy", "noopener-allow-popups", "coop-implemented-with-noopener-allow-popups"),
    ] {
        assert_eq!(result(&facts(&[(name, value)]), name), expected, "{value}");
    }
    let report = facts(&[("content-security-policy-report-only", "default-src 'none'")]);
    assert_eq!(result(&report, "content-security-policy"), "csp-not-implemented-but-reporting-enabled");
    assert!(report.assumed.iter().any(|words| words.contains("preload list")));
}

#[test]
fn every_result_that_can_be_given_has_its_worth() {
    let code = concat!(include_str!("field.rs"), include_str!("csp.rs"));
    let table = include_str!("score.rs");
    let prefixes = [
        "csp-",
        "cookies-",
        "cross-origin-resource-sharing-",
        "redirection-",
        "referrer-policy-",
        "hsts-",
        "sri-",
        "x-",
    ];
    let given =
        code.split('"').filter(|word| prefixes.iter().any(|prefix| word.starts_with(prefix)) && !word.contains(' '));
    let fields = ["x-content-type-options", "x-frame-options"];
    for word in given.filter(|word| !fields.contains(word) && !word.ends_with('-')) {
        assert!(table.contains(&format!("(\"{word}\"")), "{word}");
    }
}
