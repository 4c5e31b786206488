//! Content-Security-Policy in short, after CSP Level 3: the first occurrence of a directive counts, and several policies
//! all apply, so that a danger is there only when every policy allows it.

use crate::model::http::Csp;

/// One policy: directives in order, names and keywords in lower case.
struct Policy(Vec<(String, Vec<String>)>);

/// Reads the enforcing and the report-only fields.
pub fn read(enforcing: &[&str], report_only: &[&str]) -> Csp {
    let policies: Vec<Policy> = enforcing.iter().flat_map(|field| field.split(',')).filter_map(parse).collect();
    let sent = !enforcing.is_empty();
    if policies.is_empty() {
        return Csp { invalid: sent, report_only: !sent && !report_only.is_empty(), ..Csp::default() };
    }
    let every = |test: fn(&Policy) -> bool| policies.iter().all(test);
    let some = |test: fn(&Policy) -> bool| policies.iter().any(test);
    Csp {
        present: true,
        report_only: false,
        invalid: false,
        unsafe_inline: every(Policy::unsafe_inline),
        unsafe_eval: every(|p| p.sources("script-src").is_none_or(|s| s.iter().any(|v| v == "'unsafe-eval'"))),
        wildcard: every(Policy::wildcard),
        http_source: every(|p| p.0.iter().flat_map(|(_, v)| v).any(|v| v.starts_with("http:"))),
        frame_ancestors: some(|p| p.get("frame-ancestors").is_some_and(|s| !s.iter().any(|v| is_anything(v)))),
        base_uri: some(|p| p.get("base-uri").is_some_and(|s| !s.iter().any(|v| is_anything(v)))),
        object_src: some(|p| p.sources("object-src").is_some_and(|s| !s.iter().any(|v| is_anything(v)))),
    }
}

fn parse(text: &str) -> Option<Policy> {
    let mut directives: Vec<(String, Vec<String>)> = Vec::new();
    for directive in text.split(';').take(100) {
        let mut words = directive.split_ascii_whitespace().map(str::to_ascii_lowercase);
        let Some(name) = words.next() else { continue };
        if !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
            continue;
        }
        if !directives.iter().any(|(seen, _)| *seen == name) {
            directives.push((name, words.take(500).collect()));
        }
    }
    (!directives.is_empty()).then_some(Policy(directives))
}

fn is_anything(source: &str) -> bool {
    ["*", "http:", "https:", "http://*", "https://*", "data:"].contains(&source)
}

impl Policy {
    fn get(&self, name: &str) -> Option<&[String]> {
        self.0.iter().find(|(seen, _)| seen == name).map(|(_, values)| values.as_slice())
    }

    /// The sources of a fetch directive, which falls back to default-src.
    fn sources(&self, name: &str) -> Option<&[String]> {
        self.get(name).or_else(|| self.get("default-src"))
    }

    /// Inline scripts run: the keyword stands without a nonce or hash, or scripts are not limited at all.
    fn unsafe_inline(&self) -> bool {
        self.sources("script-src").is_none_or(|sources| {
            let guarded = sources.iter().any(|v| {
                v.starts_with("'nonce-")
                    || v.starts_with("'sha256-")
                    || v.starts_with("'sha384-")
                    || v.starts_with("'sha512-")
            });
            sources.iter().any(|v| v == "'unsafe-inline'") && !guarded
        })
    }

    /// Scripts or plugins may come from anywhere.
    fn wildcard(&self) -> bool {
        let open = |name: &str| {
            self.sources(name).is_none_or(|sources| {
                let strict = sources.iter().any(|v| v == "'strict-dynamic'");
                sources.iter().any(|v| is_anything(v)) && !(strict && name == "script-src")
            })
        };
        open("script-src") || open("object-src")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strict_policy_has_no_weakness() {
        let csp = read(
            &["default-src 'none'; script-src 'nonce-abc' 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"],
            &[],
        );
        assert!(csp.present && csp.base_uri && csp.frame_ancestors && csp.object_src);
        assert!(!csp.unsafe_inline && !csp.unsafe_eval && !csp.wildcard && !csp.http_source);
    }

    #[test]
    fn weaknesses_are_seen() {
        assert!(read(&["script-src 'self' 'unsafe-inline'"], &[]).unsafe_inline);
        assert!(read(&["upgrade-insecure-requests"], &[]).unsafe_inline);
        assert!(read(&["default-src 'self' 'unsafe-eval'"], &[]).unsafe_eval);
        assert!(read(&["default-src https:"], &[]).wildcard);
        assert!(read(&["script-src 'none'"], &[]).wildcard, "plugins are not limited");
        assert!(read(&["default-src 'self'; img-src http://a.example"], &[]).http_source);
    }

    #[test]
    fn the_first_directive_counts_and_every_policy_applies() {
        assert!(read(&["script-src 'unsafe-inline'; script-src 'none'; object-src 'none'"], &[]).unsafe_inline);
        assert!(!read(&["script-src 'unsafe-inline'", "script-src 'self'"], &[]).unsafe_inline);
        assert!(!read(&["script-src 'unsafe-inline', script-src 'self'"], &[]).unsafe_inline);
    }

    #[test]
    fn absence_report_only_and_nonsense_are_told_apart() {
        assert_eq!(read(&[], &[]), Csp::default());
        assert!(read(&[], &["default-src 'self'"]).report_only);
        let csp = read(&[";;,"], &[]);
        assert!(csp.invalid && !csp.present);
    }
}
