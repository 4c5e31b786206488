//! Content-Security-Policy as the Observatory judges it: stricter than a browser in places, laxer in others.

use std::collections::{BTreeMap, BTreeSet};

/// The shortest policy that means anything.
const SHORTEST: usize = 6;
const BROAD: [&str; 8] = ["ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"];
const UNSAFE: [&str; 2] = ["'unsafe-inline'", "data:"];
const SECRETS: [&str; 4] = ["'nonce-", "'sha256-", "'sha384-", "'sha512-"];
/// Directives that a page's markup cannot set.
const HEADER_ONLY: [&str; 3] = ["frame-ancestors", "report-uri", "sandbox"];
const PASSIVE: [&str; 2] = ["img-src", "media-src"];

/// What the policies of a page come to.
#[derive(Debug, PartialEq, Eq)]
pub enum Policy {
    /// There is none.
    None,
    /// One of them is not valid.
    Invalid,
    /// Their common directives.
    Effective(Effective),
}

/// The directives that are left when all policies are laid over each other.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effective {
    directives: BTreeMap<String, BTreeSet<String>>,
    /// Framing is limited by a header.
    pub frame_ancestors: bool,
    repeated_report: bool,
}

/// One policy: directives with their sources, and whether one of reports was repeated. `None` where it is not valid.
fn parse(text: &str) -> Option<(BTreeMap<String, BTreeSet<String>>, bool)> {
    if text.len() < SHORTEST {
        return None;
    }
    let mut directives = BTreeMap::new();
    let mut repeated = false;
    for part in text.split(';') {
        let mut words = part.split_ascii_whitespace().map(str::to_ascii_lowercase);
        let Some(name) = words.next() else { continue };
        let mut sources: BTreeSet<String> = words.collect();
        if directives.contains_key(&name) {
            if !name.starts_with("report-") {
                return None;
            }
            repeated = true;
            continue;
        }
        if sources.is_empty() && name.ends_with("-src") {
            sources.insert("'none'".to_owned());
        }
        directives.insert(name, sources);
    }
    Some((directives, repeated))
}

/// Reads the policies of the header fields and of `meta` elements.
pub fn read(fields: &[String], meta: &[String]) -> Policy {
    let of = |values: &[String], from_meta: bool| -> Vec<(String, bool)> {
        let policies = values.iter().flat_map(|value| value.split(','));
        policies.map(|policy| (policy.trim().to_owned(), from_meta)).collect()
    };
    let texts: Vec<(String, bool)> = of(fields, false).into_iter().chain(of(meta, true)).collect();
    if texts.is_empty() {
        return Policy::None;
    }
    let mut lists: BTreeMap<String, Vec<BTreeSet<String>>> = BTreeMap::new();
    let mut effective = Effective::default();
    for (text, from_meta) in &texts {
        let Some((directives, repeated)) = parse(text) else { return Policy::Invalid };
        effective.repeated_report |= repeated;
        for (name, sources) in directives {
            if *from_meta && HEADER_ONLY.contains(&name.as_str()) {
                continue;
            }
            effective.frame_ancestors |= name == "frame-ancestors";
            lists.entry(name).or_default().push(without_longer(sources));
        }
    }
    if lists.is_empty() {
        return Policy::None;
    }
    for (name, lists) in lists {
        effective.directives.insert(name, common(&lists));
    }
    match effective.trusts_blindly() {
        true => Policy::Invalid,
        false => Policy::Effective(effective),
    }
}

/// Drops a source that has another one as its beginning.
fn without_longer(sources: BTreeSet<String>) -> BTreeSet<String> {
    let is_longer = |source: &String| sources.iter().any(|other| other != source && source.starts_with(other.as_str()));
    sources.iter().filter(|source| !is_longer(source)).cloned().collect()
}

/// What survives of a directive: of one list everything, of several what stands in a later one as well.
fn common(lists: &[BTreeSet<String>]) -> BTreeSet<String> {
    if let [only] = lists {
        return only.clone();
    }
    let mut kept = BTreeSet::new();
    for (n, list) in lists.iter().enumerate() {
        let later = lists.iter().skip(n + 1);
        kept.extend(list.iter().filter(|source| later.clone().any(|other| other.contains(*source))).cloned());
    }
    if kept.is_empty() {
        kept.insert("'none'".to_owned());
    }
    kept
}

fn holds_secret(sources: &BTreeSet<String>) -> bool {
    sources.iter().any(|source| SECRETS.iter().any(|secret| source.starts_with(secret)))
}

fn any_of(sources: &BTreeSet<String>, of: &[&str]) -> bool {
    sources.iter().any(|source| of.contains(&source.as_str()))
}

fn is_plaintext(source: &str) -> bool {
    source.starts_with("http:") || source.starts_with("ftp:")
}

impl Effective {
    /// The sources of a fetch directive, which falls back to default-src and then to everything.
    fn sources(&self, name: &str) -> BTreeSet<String> {
        let found = self.directives.get(name).or_else(|| self.directives.get("default-src"));
        found.cloned().unwrap_or_else(|| BTreeSet::from(["*".to_owned()]))
    }

    /// `'strict-dynamic'` has a meaning beside a nonce or hash only.
    fn trusts_blindly(&self) -> bool {
        let script = self.sources("script-src");
        script.contains("'strict-dynamic'") && !holds_secret(&script)
    }

    fn scripts(&self) -> BTreeSet<String> {
        let mut script = self.sources("script-src");
        if holds_secret(&script) {
            script.remove("'unsafe-inline'");
            if script.contains("'strict-dynamic'") {
                script.retain(|source| !BROAD.contains(&source.as_str()) && source != "'self'");
            }
        }
        script
    }

    fn styles(&self) -> BTreeSet<String> {
        let mut style = self.sources("style-src");
        if holds_secret(&style) {
            style.remove("'unsafe-inline'");
        }
        style
    }

    /// The result of the test, for a site over https.
    pub fn result(&self) -> &'static str {
        let (script, style, object) = (self.scripts(), self.styles(), self.sources("object-src"));
        if any_of(&script, &BROAD) || any_of(&script, &UNSAFE) || any_of(&object, &BROAD) {
            return "csp-implemented-with-unsafe-inline";
        }
        let active = self.directives.iter().filter(|(name, _)| !PASSIVE.contains(&name.as_str()));
        let mut active = active.flat_map(|(name, sources)| if name == "script-src" { &script } else { sources });
        if active.any(|source| is_plaintext(source)) {
            return "csp-implemented-with-insecure-scheme";
        }
        if [&script, &style].iter().any(|sources| sources.contains("'unsafe-eval'")) {
            return "csp-implemented-with-unsafe-eval";
        }
        if PASSIVE.iter().any(|name| self.sources(name).iter().any(|source| is_plaintext(source))) {
            return "csp-implemented-with-insecure-scheme-in-passive-content-only";
        }
        let result = if any_of(&style, &BROAD) || any_of(&style, &UNSAFE) {
            "csp-implemented-with-unsafe-inline-in-style-src-only"
        } else if self.directives.get("default-src").is_some_and(|sources| sources.iter().eq(["'none'"])) {
            "csp-implemented-with-no-unsafe-default-src-none"
        } else {
            "csp-implemented-with-no-unsafe"
        };
        if self.repeated_report { "csp-implemented-but-duplicate-directives" } else { result }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(fields: &[&str], meta: &[&str]) -> &'static str {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        match read(&owned(fields), &owned(meta)) {
            Policy::None => "none",
            Policy::Invalid => "invalid",
            Policy::Effective(effective) => effective.result().trim_start_matches("csp-implemented-"),
        }
    }

    #[test]
    fn the_vectors_of_the_specification() {
        for (policy, expected) in [
            ("default-src 'none'", "with-no-unsafe-default-src-none"),
            (
                "default-src 'none'; script-src 'strict-dynamic' 'nonce-abc123' 'unsafe-inline'",
                "with-no-unsafe-default-src-none",
            ),
            ("default-src https://mozilla.org", "with-no-unsafe"),
            (
                "object-src 'none'; script-src 'strict-dynamic' 'nonce-abc' 'unsafe-inline'; style-src 'none'",
                "with-no-unsafe",
            ),
            ("default-src 'none'; style-src data:", "with-unsafe-inline-in-style-src-only"),
            ("default-src 'none'; img-src http://mozilla.org", "with-insecure-scheme-in-passive-content-only"),
            ("default-src 'none'; script-src 'unsafe-eval'", "with-unsafe-eval"),
            ("default-src http://mozilla.org", "with-insecure-scheme"),
            ("upgrade-insecure-requests", "with-unsafe-inline"),
            ("script-src 'none'", "with-unsafe-inline"),
            ("default-src *; script-src *; object-src 'none'", "with-unsafe-inline"),
            ("default-src 'none'; default-src 'none'", "invalid"),
            ("default-src 'none'; script-src 'strict-dynamic'", "invalid"),
            ("defa", "invalid"),
        ] {
            assert_eq!(result(&[policy], &[]), expected, "{policy}");
        }
    }

    #[test]
    fn several_policies_leave_what_they_have_in_common() {
        assert_eq!(
            result(&["script-src 'unsafe-inline'; object-src 'none'", "script-src 'self'"], &[]),
            "with-unsafe-inline-in-style-src-only"
        );
        assert_eq!(result(&["default-src 'self' https:, default-src https:"], &[]), "with-unsafe-inline");
        assert_eq!(result(&["default-src 'self'"], &["default-src 'none'"]), "with-no-unsafe-default-src-none");
        assert_eq!(result(&[], &["default-src 'none'"]), "with-no-unsafe-default-src-none");
        assert_eq!(result(&[], &[]), "none");
        assert_eq!(result(&[], &["frame-ancestors 'none'"]), "none");
    }

    #[test]
    fn framing_is_limited_by_a_header_alone() {
        let framed = |fields: &[String], meta: &[String]| match read(fields, meta) {
            Policy::Effective(effective) => effective.frame_ancestors,
            _ => false,
        };
        let policy = ["default-src 'none'; frame-ancestors 'none'".to_owned()];
        assert!(framed(&policy, &[]) && !framed(&[], &policy));
    }

    #[test]
    fn a_repeated_report_is_told_and_a_source_with_a_shorter_one_is_dropped() {
        let twice = "default-src 'none'; report-uri /; report-uri /";
        assert_eq!(result(&[twice], &[]), "but-duplicate-directives");
        let sources = without_longer(BTreeSet::from(["https://a.example".into(), "https://a.example/x".into()]));
        assert_eq!(sources.len(), 1);
        assert_eq!(result(&["default-src"], &[]), "with-no-unsafe-default-src-none", "an empty list allows nothing");
    }
}
