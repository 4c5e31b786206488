//! The functions of the rule language: those of CEL that a rule may call, and our own few, each with its examples.
//!
//! A function that is not listed here is refused when a check is loaded.

use cel::{Context, ExecutionError, Value};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use std::sync::Arc;

/// A function that a rule may call.
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub form: &'static str,
    /// What it gives.
    pub gives: &'static str,
    /// Expressions that hold: they are its documentation and its test.
    pub examples: &'static [&'static str],
}

/// Every function, in the order of the documentation: our own first, then those of CEL.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "rank",
        form: "rank(word)",
        gives: "the place of a word in its order: protocols `SSLv2` < … < `TLSv1.3`, grades `T` < `M` < `F` < … < `A+`, \
                severities `info` < … < `critical`; any other word is an error",
        examples: &[
            "rank('TLSv1.2') >= rank('TLSv1.0')",
            "rank('A-') < rank('A') && rank('A') < rank('A+')",
            "rank('T') < rank('M') && rank('M') < rank('F')",
            "rank('critical') > rank('high')",
        ],
    },
    Function {
        name: "days",
        form: "days(a, b)",
        gives: "whole days from `a` to `b`, two ISO dates or RFC 3339 times; negative where `b` is earlier",
        examples: &[
            "days('2026-01-01', '2026-01-31') == 30",
            "days('2026-03-01T12:00:00Z', '2026-03-02T11:59:59Z') == 0",
            "days('2026-03-02', '2026-03-01') == -1",
        ],
    },
    Function {
        name: "months_before",
        form: "months_before(date, n)",
        gives: "the ISO date `n` calendar months before a date; the last day of the month where the day does not exist",
        examples: &["months_before('2026-05-31', 9) == '2025-08-31'", "months_before('2026-03-31', 1) == '2026-02-28'"],
    },
    Function {
        name: "matches_host",
        form: "matches_host(pattern, host)",
        gives: "whether a certificate's name is for a host (RFC 9525): `*` stands for the whole first label only",
        examples: &[
            "matches_host('*.example.org', 'WWW.example.org')",
            "!matches_host('*.example.org', 'example.org')",
            "!matches_host('*.example.org', 'a.b.example.org')",
            "!matches_host('w*.example.org', 'www.example.org')",
        ],
    },
    Function {
        name: "join",
        form: "join(list, separator)",
        gives: "the members of a list as one text, for `expected` and `actual`",
        examples: &["join(['a', 'b'], ', ') == 'a, b'", "join([1, 2], '+') == '1+2'", "join([], ', ') == ''"],
    },
    Function {
        name: "size",
        form: "size(x)",
        gives: "how many members or characters",
        examples: &["size([1, 2]) == 2", "size('abc') == 3"],
    },
    Function {
        name: "contains",
        form: "text.contains(part)",
        gives: "whether a text holds another; for lists write `x in list`",
        examples: &["'abc'.contains('b')", "'b' in ['a', 'b']"],
    },
    Function {
        name: "startsWith",
        form: "text.startsWith(part)",
        gives: "whether a text begins with another",
        examples: &["'sha256'.startsWith('sha')"],
    },
    Function {
        name: "endsWith",
        form: "text.endsWith(part)",
        gives: "whether a text ends with another",
        examples: &["'a.example'.endsWith('.example')"],
    },
    Function {
        name: "string",
        form: "string(x)",
        gives: "a number or truth value as text",
        examples: &["string(112) == '112'", "string(true) == 'true'"],
    },
    Function {
        name: "int",
        form: "int(x)",
        gives: "a number or text as a whole number",
        examples: &["int('14') == 14", "int(2.9) == 2"],
    },
    Function {
        name: "double",
        form: "double(x)",
        gives: "a number or text as a fraction",
        examples: &["double(2) == 2.0"],
    },
];

/// Operators, as CEL names them in a parsed expression. An index is judged apart.
pub(super) const OPERATORS: &[&str] = &[
    "_?_:_",
    "_&&_",
    "_||_",
    "!_",
    "_-_",
    "_+_",
    "_*_",
    "_/_",
    "_%_",
    "_==_",
    "_!=_",
    "_>=_",
    "_<=_",
    "_>_",
    "_<_",
    "-_",
    "@in",
    "@not_strictly_false",
];

const PROTOCOLS: &[&str] = &["SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"];
const GRADES: &[&str] = &["T", "M", "F", "E", "D", "C", "B", "A-", "A", "A+"];
const SEVERITIES: &[&str] = &["info", "low", "medium", "high", "critical"];

/// Whether a rule may call this function.
pub(super) fn is_known(name: &str) -> bool {
    OPERATORS.contains(&name) || FUNCTIONS.iter().any(|function| function.name == name)
}

/// Adds our own functions.
///
/// # Errors
/// When CEL itself has a function of one of these names: a fault of ours.
pub(super) fn add_to(context: &mut Context<'_, '_>) -> Result<(), cel::DeclarationError> {
    context.add_function("rank", |word: Arc<String>| rank(&word))?;
    context.add_function("days", |a: Arc<String>, b: Arc<String>| days(&a, &b))?;
    context.add_function("months_before", |date: Arc<String>, months: i64| months_before(&date, months))?;
    context.add_function("matches_host", |pattern: Arc<String>, host: Arc<String>| matches_host(&pattern, &host))?;
    context.add_function("join", |list: Arc<Vec<Value>>, separator: Arc<String>| join(&list, &separator))
}

fn rank(word: &str) -> Result<i64, ExecutionError> {
    [PROTOCOLS, GRADES, SEVERITIES]
        .iter()
        .find_map(|order| order.iter().position(|known| *known == word))
        .and_then(|place| i64::try_from(place).ok())
        .ok_or_else(|| ExecutionError::function_error("rank", format!("'{word}' has no rank")))
}

fn days(a: &str, b: &str) -> Result<i64, ExecutionError> {
    let (a, b) = (instant("days", a)?, instant("days", b)?);
    Ok((b.as_second() - a.as_second()).div_euclid(24 * 60 * 60))
}

/// An instant: a date is its first moment in UTC.
fn instant(function: &str, text: &str) -> Result<Timestamp, ExecutionError> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    text.parse::<Date>()
        .and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC))
        .map(|zoned| zoned.timestamp())
        .map_err(|_| ExecutionError::function_error(function, format!("'{text}' is neither a date nor a time")))
}

fn months_before(date: &str, months: i64) -> Result<Value, ExecutionError> {
    let fault = |what: String| ExecutionError::function_error("months_before", what);
    let day = instant("months_before", date)?.to_zoned(jiff::tz::TimeZone::UTC).date();
    if !(0..=1200).contains(&months) {
        return Err(fault(format!("{months} months are out of range")));
    }
    day.checked_sub(months.months()).map(|day| Value::from(day.to_string())).map_err(|error| fault(error.to_string()))
}

fn matches_host(pattern: &str, host: &str) -> bool {
    let clean = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let (pattern, host) = (clean(pattern), clean(host));
    if pattern.is_empty() || host.is_empty() {
        return false;
    }
    if host.parse::<std::net::IpAddr>().is_ok() || !pattern.contains('*') {
        return pattern == host;
    }
    let Some(rest) = pattern.strip_prefix("*.") else { return false };
    // One label alone after the star would be a whole top-level domain.
    if rest.contains('*') || !rest.contains('.') {
        return false;
    }
    host.split_once('.').is_some_and(|(first, tail)| !first.is_empty() && tail == rest)
}

fn join(list: &[Value], separator: &str) -> Result<Value, ExecutionError> {
    let words: Result<Vec<String>, ExecutionError> = list
        .iter()
        .map(|member| match member {
            Value::String(text) => Ok(text.to_string()),
            Value::Int(whole) => Ok(whole.to_string()),
            Value::UInt(whole) => Ok(whole.to_string()),
            Value::Float(number) => Ok(number.to_string()),
            Value::Bool(truth) => Ok(truth.to_string()),
            _ => Err(ExecutionError::function_error("join", "a member is neither text, number nor truth value")),
        })
        .collect();
    Ok(Value::from(words?.join(separator)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(expression: &str) -> Result<Value, ExecutionError> {
        let mut context = Context::default();
        add_to(&mut context).unwrap();
        cel::Program::compile(expression).unwrap().execute(&context)
    }

    #[test]
    fn every_example_holds() {
        for function in FUNCTIONS {
            assert!(!function.examples.is_empty(), "{}", function.name);
            for example in function.examples {
                assert_eq!(evaluate(example), Ok(Value::Bool(true)), "{example}");
            }
        }
    }

    #[test]
    fn words_without_a_meaning_are_errors() {
        for expression in
            ["rank('TLS 1.2')", "rank(3)", "days('yesterday', '2026-01-01')", "months_before('2026-01-01', -1)"]
        {
            assert!(evaluate(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn a_star_never_stands_for_a_whole_domain() {
        for (pattern, host) in [("*", "a.b"), ("*.org", "a.org"), ("*.0.0.1", "127.0.0.1"), ("a.*.org", "a.b.org")] {
            assert!(!matches_host(pattern, host), "{pattern} {host}");
        }
        assert!(matches_host("Shop.Example.", "shop.example"));
    }
}
