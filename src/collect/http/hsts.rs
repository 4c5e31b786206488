//! Strict-Transport-Security, read as RFC 6797 sections 6.1 and 8.1 say.

use crate::model::Fact;
use crate::model::http::Hsts;

/// Seconds from which a policy counts as long: 180 days.
pub const LONG: u64 = 15_552_000;

/// Reads the fields of a response over TLS, in their order. Only the first is processed (section 8.1).
pub fn read(fields: &[&str], ip_host: bool, certificate_error: bool) -> Hsts {
    let mut facts = Hsts {
        applicable: true,
        present: !fields.is_empty(),
        status: "absent".to_owned(),
        multiple: fields.len() > 1,
        ip_host,
        certificate_error,
        preloaded: Fact::unknown("no copy of the preload list was given (hsts_preload_list)"),
        ..Hsts::default()
    };
    let Some(field) = fields.first() else { return facts };
    match parse(field) {
        Err(why) => {
            "invalid".clone_into(&mut facts.status);
            facts.why = why;
        }
        Ok(policy) => {
            let status = match policy.max_age {
                0 => "disabled",
                age if age < LONG => "short",
                _ => "long",
            };
            status.clone_into(&mut facts.status);
            facts.max_age = policy.max_age;
            facts.include_subdomains = policy.include_subdomains;
            facts.preload = policy.preload;
            facts.whitespace = policy.whitespace;
            facts.quoted = policy.quoted;
        }
    }
    facts
}

#[derive(Default)]
struct Policy {
    max_age: u64,
    include_subdomains: bool,
    preload: bool,
    whitespace: bool,
    quoted: bool,
}

/// Parses one field value. The error says why a browser ignores it.
fn parse(field: &str) -> Result<Policy, String> {
    let mut policy = Policy::default();
    let mut max_age = None;
    let mut seen: Vec<String> = Vec::new();
    let mut rest = field;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(after) = rest.strip_prefix(';') {
            rest = after;
            continue;
        }
        if rest.is_empty() {
            break;
        }
        let (name, after) = token(rest)?;
        let name = name.to_ascii_lowercase();
        let spaced = after.trim_start_matches([' ', '\t']);
        let (value, after) = match spaced.strip_prefix('=') {
            None => (None, after),
            Some(text) => {
                let trimmed = text.trim_start_matches([' ', '\t']);
                policy.whitespace |= spaced.len() != after.len() || trimmed.len() != text.len();
                policy.quoted |= trimmed.starts_with('"');
                let (value, after) = value(trimmed)?;
                (Some(value), after)
            }
        };
        if seen.contains(&name) {
            return Err(format!("the directive {name} occurs twice"));
        }
        match (name.as_str(), value) {
            ("max-age", Some(text)) => max_age = Some(seconds(&text)?),
            ("max-age", None) => return Err("max-age has no value".to_owned()),
            ("includesubdomains", None) => policy.include_subdomains = true,
            ("includesubdomains", Some(_)) => return Err("includeSubDomains takes no value".to_owned()),
            ("preload", None) => policy.preload = true,
            _ => {}
        }
        seen.push(name);
        rest = after.trim_start_matches([' ', '\t']);
        if !rest.is_empty() && !rest.starts_with(';') {
            return Err("text follows a directive without a semicolon".to_owned());
        }
    }
    policy.max_age = max_age.ok_or("max-age is missing")?;
    Ok(policy)
}

/// A token (RFC 9110 section 5.6.2) and what follows it.
fn token(text: &str) -> Result<(&str, &str), String> {
    let end = text.find(|c: char| !is_token(c)).unwrap_or(text.len());
    match text.split_at_checked(end) {
        Some((token, rest)) if !token.is_empty() => Ok((token, rest)),
        _ => Err("a directive does not start with a token".to_owned()),
    }
}

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

/// A token or a quoted string, without its quotes, and what follows it.
fn value(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(token, rest)| (token.to_owned(), rest)).map_err(|_| "a value is empty".to_owned());
    };
    let mut out = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((out, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => out.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => out.push(c),
        }
    }
    Err("a quoted value has no end".to_owned())
}

fn seconds(text: &str) -> Result<u64, String> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err("max-age is not a whole number of seconds".to_owned());
    }
    // RFC 6797 sets no upper limit; what no number of ours holds is clamped.
    Ok(text.parse::<u64>().map_or(i64::MAX as u64, |n| n.min(i64::MAX as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(fields: &[&str]) -> (String, u64, bool, bool) {
        let facts = read(fields, false, false);
        (facts.status, facts.max_age, facts.include_subdomains, facts.preload)
    }

    #[test]
    fn the_vectors_of_the_specification() {
        let long = |age, subdomains, preload| ("long".to_owned(), age, subdomains, preload);
        assert_eq!(status(&["max-age=31536000"]), long(31_536_000, false, false));
        assert_eq!(status(&["max-age=\"31536000\"; includeSubDomains"]), long(31_536_000, true, false));
        assert_eq!(status(&["MAX-AGE=31536000 ; INCLUDESUBDOMAINS;; preload"]), long(31_536_000, true, true));
        assert_eq!(status(&[";max-age=15552000"]), long(15_552_000, false, false));
        assert_eq!(status(&["max-age=15551999"]).0, "short");
        assert_eq!(status(&["max-age=0"]).0, "disabled");
        assert_eq!(status(&["max-age=0; includeSubDomains"]), ("disabled".to_owned(), 0, true, false));
        assert_eq!(status(&["max-age=31536000; foo=bar; baz"]), long(31_536_000, false, false));
        assert_eq!(status(&["max-age=31536000; foo=\"a;b\""]), long(31_536_000, false, false));
        assert_eq!(status(&["max-age = 31536000"]), long(31_536_000, false, false));
        assert!(read(&["max-age = 31536000"], false, false).whitespace);
        assert!(!read(&["max-age=31536000"], false, false).whitespace);
        let two = read(&["max-age=0", "max-age=31536000"], false, false);
        assert_eq!((two.status.as_str(), two.multiple), ("disabled", true));
        assert_eq!(status(&[]).0, "absent");
    }

    #[test]
    fn the_invalid_vectors_are_invalid_and_say_why() {
        for field in [
            "includeSubDomains",
            "max-age=",
            "max-age",
            "max-age=-1",
            "max-age=1.5",
            "max-age=1 year",
            "max-age=31536000; max-age=0",
            "max-age=31536000; includeSubDomains=1",
            "max-age=31536000, max-age=0",
            "max-age=\"31536000",
            "=1; max-age=1",
            "",
        ] {
            let facts = read(&[field], false, false);
            assert_eq!(facts.status, "invalid", "{field}");
            assert!(!facts.why.is_empty(), "{field}");
        }
    }

    #[test]
    fn a_number_too_large_is_clamped() {
        assert_eq!(status(&["max-age=99999999999999999999999"]).1, i64::MAX as u64);
    }
}
