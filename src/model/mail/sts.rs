//! The texts of MTA-STS (RFC 8461) and of reports about TLS (RFC 8460).

/// The most seconds that a policy may be kept.
const LONGEST: u64 = 31_557_600;

/// A policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `enforce`, `testing`, `none`.
    pub mode: String,
    /// Seconds for which it is kept.
    pub max_age: u64,
    /// Patterns of mail exchangers.
    pub patterns: Vec<String>,
}

/// Whether a text is meant as a record of MTA-STS.
pub fn is_record(text: &str) -> bool {
    text.starts_with("v=STSv1")
}

/// The id in a record.
///
/// # Errors
/// In words, where a sender would not look for a policy.
pub fn id(text: &str) -> Result<String, String> {
    let tags = super::tags(text);
    if tags.first() != Some(&("v".to_owned(), "STSv1")) {
        return Err("the record does not begin with v=STSv1".to_owned());
    }
    match tags.iter().find(|(name, _)| name == "id") {
        Some((_, id)) if (1..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Ok((*id).to_owned())
        }
        Some(_) => Err("the id is not of 1 to 32 letters and digits".to_owned()),
        None => Err("the record has no id".to_owned()),
    }
}

/// Reads a policy. Of a key that occurs twice, other than `mx`, the first counts.
///
/// # Errors
/// In words, where a sender would not take it.
pub fn policy(text: &str) -> Result<Policy, String> {
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()).take(1_000) {
        let (name, value) = line.split_once(':').ok_or("the policy has a line without a colon")?;
        lines.push((name.trim().to_ascii_lowercase(), value.trim()));
    }
    let find = |name: &str| lines.iter().find(|(seen, _)| seen == name).map(|(_, value)| *value);
    if find("version") != Some("STSv1") {
        return Err("the policy's version is not STSv1".to_owned());
    }
    let mode = find("mode").unwrap_or_default();
    if !["enforce", "testing", "none"].contains(&mode) {
        return Err("the policy's mode is neither enforce, testing nor none".to_owned());
    }
    let age = find("max_age").filter(|age| !age.is_empty() && age.bytes().all(|byte| byte.is_ascii_digit()));
    let max_age = age.and_then(|age| age.parse().ok()).filter(|age| *age <= LONGEST);
    let max_age = max_age.ok_or("the policy's max_age is no number of at most a year")?;
    let mut patterns = Vec::new();
    for (_, pattern) in lines.iter().filter(|(name, _)| name == "mx") {
        let plain = pattern.strip_prefix("*.").unwrap_or(pattern);
        if plain.is_empty() || plain.len() > 253 || plain.contains(['*', ' ']) || !plain.is_ascii() {
            return Err("a pattern of the policy is no name".to_owned());
        }
        patterns.push(pattern.to_ascii_lowercase());
    }
    if patterns.is_empty() && mode != "none" {
        return Err("the policy names no mail exchanger".to_owned());
    }
    Ok(Policy { mode: mode.to_owned(), max_age, patterns })
}

/// Whether a pattern is for a host: `*` stands for the left-most label alone.
pub fn matches(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    match pattern.strip_prefix("*.") {
        Some(rest) => {
            host.split_once('.').is_some_and(|(label, after)| !label.is_empty() && after.eq_ignore_ascii_case(rest))
        }
        None => pattern.eq_ignore_ascii_case(host),
    }
}

/// Whether a text is meant as a record of reports.
pub fn is_report_record(text: &str) -> bool {
    text.starts_with("v=TLSRPTv1")
}

/// How many places a record of reports names.
///
/// # Errors
/// In words, where nobody would report.
pub fn reports(text: &str) -> Result<u32, String> {
    let tags = super::tags(text);
    if tags.first() != Some(&("v".to_owned(), "TLSRPTv1")) {
        return Err("the record does not begin with v=TLSRPTv1".to_owned());
    }
    let (_, places) = tags.iter().find(|(name, _)| name == "rua").ok_or("the record names no place to report to")?;
    let mut count = 0;
    for place in places.split(',').take(100) {
        let place = place.trim().to_ascii_lowercase();
        let named = place.strip_prefix("mailto:").is_some_and(|address| address.contains('@'))
            || place.strip_prefix("https://").is_some_and(|rest| !rest.is_empty());
        if !named {
            return Err("a place to report to is neither a mailto nor an https address".to_owned());
        }
        count += 1;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "version: STSv1\r\nmode: enforce\r\nmx: mx1.shop.example\r\nmx: *.mail.example\r\nmax_age: 604800\r\n";

    #[test]
    fn records_and_policies_are_read() {
        assert_eq!(id("v=STSv1; id=20261125T0;").unwrap(), "20261125T0");
        for text in
            ["v=STSv1", "v=STSv1; id=", "v=STSv1; id=a-b", "id=1; v=STSv1", &format!("v=STSv1; id={}", "1".repeat(33))]
        {
            assert!(id(text).is_err(), "{text}");
        }
        let read = policy(GOOD).unwrap();
        assert_eq!((read.mode.as_str(), read.max_age), ("enforce", 604_800));
        assert_eq!(read.patterns, ["mx1.shop.example", "*.mail.example"]);
        assert!(policy("version: STSv1\nmode: none\nmax_age: 0").unwrap().patterns.is_empty());
    }

    #[test]
    fn faults_of_a_policy_are_told() {
        for (from, to) in [
            ("STSv1", "STSv2"),
            ("enforce", "Enforce"),
            ("604800", "31557601"),
            ("604800", "+1"),
            ("604800", ""),
            ("mx: mx1.shop.example", "mx1"),
            ("*.mail.example", "mail.*.example"),
            ("*.mail.example", ""),
        ] {
            assert!(policy(&GOOD.replace(from, to)).is_err(), "{to}");
        }
        assert!(policy("version: STSv1\nmode: testing\nmax_age: 1").is_err(), "no mail exchanger");
    }

    #[test]
    fn patterns_match_one_label() {
        assert!(matches("mx1.shop.example", "MX1.shop.example."));
        assert!(matches("*.shop.example", "mx1.shop.example"));
        assert!(!matches("*.shop.example", "a.mx1.shop.example") && !matches("*.shop.example", "shop.example"));
    }

    #[test]
    fn places_for_reports_are_counted() {
        assert_eq!(reports("v=TLSRPTv1; rua=mailto:a@b.example,https://r.example/x"), Ok(2));
        for text in ["v=TLSRPTv1", "v=TLSRPTv1; rua=", "v=TLSRPTv1; rua=http://a", "rua=mailto:a@b; v=TLSRPTv1"] {
            assert!(reports(text).is_err(), "{text}");
        }
    }
}
