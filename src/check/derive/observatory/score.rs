//! The twelve tests' modifiers, and the score and letter that they add up to.

use super::{Observatory, Site, csp, field};
use crate::model::http::ObservatoryTest;

/// From this score on, bonuses count.
const BONUS: i32 = 90;

/// The tests that version 6 of the algorithm added.
const NEW_IN_6: [&str; 2] = ["cross-origin-embedder-policy", "cross-origin-opener-policy"];

/// The results of every test: what each adds, and whether it passes.
const RESULTS: &[(&str, i32, bool)] = &[
    ("csp-implemented-with-no-unsafe-default-src-none", 10, true),
    ("csp-implemented-with-no-unsafe", 5, true),
    ("csp-implemented-but-duplicate-directives", 0, true),
    ("csp-implemented-with-unsafe-inline-in-style-src-only", 0, true),
    ("csp-implemented-with-insecure-scheme-in-passive-content-only", -10, true),
    ("csp-implemented-with-unsafe-eval", -10, false),
    ("csp-implemented-with-unsafe-inline", -20, false),
    ("csp-implemented-with-insecure-scheme", -20, false),
    ("csp-header-invalid", -25, false),
    ("csp-not-implemented", -25, false),
    ("csp-not-implemented-but-reporting-enabled", -25, false),
    ("cookies-secure-with-httponly-sessions-and-samesite", 5, true),
    ("cookies-secure-with-httponly-sessions", 0, true),
    ("cookies-not-found", 0, true),
    ("cookies-without-secure-flag-but-protected-by-hsts", -5, false),
    ("cookies-session-without-secure-flag-but-protected-by-hsts", -10, false),
    ("cookies-without-secure-flag", -20, false),
    ("cookies-samesite-flag-invalid", -20, false),
    ("cookies-anticsrf-without-samesite-flag", -20, false),
    ("cookies-session-without-httponly-flag", -30, false),
    ("cookies-session-without-secure-flag", -40, false),
    ("cross-origin-resource-sharing-not-implemented", 0, true),
    ("cross-origin-resource-sharing-implemented-with-public-access", 0, true),
    ("cross-origin-resource-sharing-implemented-with-restricted-access", 0, true),
    ("cross-origin-resource-sharing-implemented-with-universal-access", -50, false),
    ("redirection-all-redirects-preloaded", 0, true),
    ("redirection-to-https", 0, true),
    ("redirection-not-needed-no-http", 0, true),
    ("redirection-off-host-from-http", -5, false),
    ("redirection-not-to-https-on-initial-redirection", -10, false),
    ("redirection-not-to-https", -20, false),
    ("redirection-missing", -20, false),
    ("redirection-invalid-cert", -20, false),
    ("referrer-policy-private", 5, true),
    ("referrer-policy-not-implemented", 0, true),
    ("referrer-policy-unsafe", -5, false),
    ("referrer-policy-header-invalid", -5, false),
    ("hsts-preloaded", 5, true),
    ("hsts-implemented-max-age-at-least-six-months", 0, true),
    ("hsts-implemented-max-age-less-than-six-months", -10, false),
    ("hsts-not-implemented", -20, false),
    ("hsts-header-invalid", -20, false),
    ("hsts-invalid-cert", -20, false),
    ("sri-implemented-and-all-scripts-loaded-securely", 5, true),
    ("sri-implemented-and-external-scripts-loaded-securely", 5, true),
    ("sri-not-implemented-response-not-html", 0, true),
    ("sri-not-implemented-but-no-scripts-loaded", 0, true),
    ("sri-not-implemented-but-all-scripts-loaded-from-secure-origin", 0, true),
    ("sri-not-implemented-but-external-scripts-loaded-securely", -5, false),
    ("sri-implemented-but-external-scripts-not-loaded-securely", -20, false),
    ("sri-not-implemented-and-external-scripts-not-loaded-securely", -50, false),
    ("x-content-type-options-nosniff", 0, true),
    ("x-content-type-options-not-implemented", -5, false),
    ("x-content-type-options-header-invalid", -5, false),
    ("x-frame-options-implemented-via-csp", 5, true),
    ("x-frame-options-sameorigin-or-deny", 5, true),
    ("x-frame-options-allow-from-origin", 0, true),
    ("x-frame-options-not-implemented", -20, false),
    ("x-frame-options-header-invalid", -20, false),
    ("corp-implemented-with-same-origin", 10, true),
    ("corp-implemented-with-same-site", 10, true),
    ("corp-not-implemented", 0, true),
    ("corp-implemented-with-cross-origin", 0, true),
    ("corp-header-invalid", -5, false),
    ("coep-implemented-with-require-corp", 10, true),
    ("coep-implemented-with-credentialless", 10, true),
    ("coep-not-implemented", 0, true),
    ("coep-implemented-with-unsafe-none", 0, true),
    ("coep-header-invalid", -5, false),
    ("coop-implemented-with-same-origin", 10, true),
    ("coop-implemented-with-same-origin-allow-popups", 10, true),
    ("coop-implemented-with-noopener-allow-popups", 10, true),
    ("coop-not-implemented", 0, true),
    ("coop-implemented-with-unsafe-none", 0, true),
    ("coop-header-invalid", -5, false),
];

/// Letters by the lowest score that gives them.
const LETTERS: &[(u32, &str)] = &[
    (100, "A+"),
    (90, "A"),
    (85, "A-"),
    (80, "B+"),
    (70, "B"),
    (65, "B-"),
    (60, "C+"),
    (50, "C"),
    (45, "C-"),
    (40, "D+"),
    (30, "D"),
    (25, "D-"),
];

/// The score of a site.
pub fn observatory(site: &Site) -> Observatory {
    if !site.page.applicable {
        return Observatory { letter: "F".to_owned(), letter_5: "F".to_owned(), ..Observatory::default() };
    }
    let tests = tests(site);
    let score = add(&tests);
    let old: Vec<ObservatoryTest> =
        tests.iter().filter(|test| !NEW_IN_6.contains(&test.name.as_str())).cloned().collect();
    let score_5 = add(&old);
    Observatory {
        applicable: true,
        score,
        letter: letter(score).to_owned(),
        score_5,
        letter_5: letter(score_5).to_owned(),
        tests,
        assumed: site.assumed(),
    }
}

fn tests(site: &Site) -> Vec<ObservatoryTest> {
    let policy = csp::read(site.field("content-security-policy"), site.meta("content-security-policy"));
    let hsts = field::hsts(site);
    let results: [(&str, String); 12] = [
        ("content-security-policy", field::csp(site, &policy).to_owned()),
        ("cookies", field::cookies(site, passes(hsts)).to_owned()),
        ("cross-origin-embedder-policy", field::item(site, "cross-origin-embedder-policy", "coep", &field::COEP)),
        ("cross-origin-opener-policy", field::item(site, "cross-origin-opener-policy", "coop", &field::COOP)),
        ("cross-origin-resource-policy", field::corp(site)),
        ("cross-origin-resource-sharing", field::cors(site).to_owned()),
        ("redirection", field::redirection(site).to_owned()),
        ("referrer-policy", field::referrer(site).to_owned()),
        ("strict-transport-security", hsts.to_owned()),
        ("subresource-integrity", field::scripts(site).to_owned()),
        ("x-content-type-options", field::sniffing(site).to_owned()),
        ("x-frame-options", field::framing(site, &policy).to_owned()),
    ];
    let test = |(name, result): (&str, String)| {
        let (modifier, pass) = worth(&result);
        ObservatoryTest { name: name.to_owned(), result, modifier, pass }
    };
    results.into_iter().map(test).collect()
}

/// What a result adds, and whether it passes. Every result that is given stands in the table (tested).
fn worth(result: &str) -> (i32, bool) {
    RESULTS.iter().find(|(name, ..)| *name == result).map_or((-50, false), |(_, modifier, pass)| (*modifier, *pass))
}

fn passes(result: &str) -> bool {
    worth(result).1
}

fn add(tests: &[ObservatoryTest]) -> u32 {
    let (bad, all) =
        tests.iter().fold((100, 100), |(bad, all), test| (bad + test.modifier.min(0), all + test.modifier));
    let score = if bad >= BONUS { all } else { bad };
    u32::try_from(score).unwrap_or(0)
}

/// The letter of a score.
pub fn letter(score: u32) -> &'static str {
    LETTERS.iter().find(|(lowest, _)| score >= *lowest).map_or("F", |(_, letter)| letter)
}
