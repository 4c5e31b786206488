//! The text of an SPF record (RFC 7208 section 4.6).

/// The most terms of a record that are read.
const TERMS: usize = 200;

/// A record, as far as what it asks of the DNS and says of everybody else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Its mechanisms in their order, up to `all`, behind which nothing is reached.
    pub mechanisms: Vec<Mechanism>,
    /// The sign of `all`.
    pub all: Option<char>,
    /// Where to go on, where there is no `all`.
    pub redirect: Option<String>,
}

/// A mechanism that asks the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mechanism {
    /// `include`, `a`, `mx`, `ptr`, `exists`.
    pub name: String,
    /// The domain in it; empty for the current one.
    pub domain: String,
}

impl Mechanism {
    /// Its domain holds a macro, so that it is another one for each message.
    pub fn is_macro(&self) -> bool {
        self.domain.contains('%')
    }
}

/// Whether a text is meant as an SPF record.
pub fn is_record(text: &str) -> bool {
    let start = text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("v=spf1"));
    start && text.get(6..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Reads a record.
///
/// # Errors
/// In words, where a receiver would give up.
pub fn parse(text: &str) -> Result<Record, String> {
    if !is_record(text) {
        return Err("the record does not begin with v=spf1".to_owned());
    }
    let mut record = Record::default();
    let mut expanded = false;
    for (n, term) in text.split(' ').filter(|term| !term.is_empty()).skip(1).enumerate() {
        if n >= TERMS {
            return Err(format!("the record has more than {TERMS} terms"));
        }
        let modifier = term.split_once('=').filter(|(name, _)| is_name(name));
        if let Some((name, value)) = modifier {
            match name.to_ascii_lowercase().as_str() {
                "redirect" if record.redirect.is_some() => return Err("redirect occurs twice".to_owned()),
                "redirect" => record.redirect = Some(domain(value)?),
                "exp" if expanded => return Err("exp occurs twice".to_owned()),
                "exp" => expanded = true,
                _ => {}
            }
            continue;
        }
        let mechanism = term.strip_prefix(['+', '-', '~', '?']).unwrap_or(term);
        let sign = if mechanism.len() == term.len() { '+' } else { term.chars().next().unwrap_or('+') };
        read(mechanism, sign, &mut record)?;
    }
    if record.all.is_some() {
        // It is never reached.
        record.redirect = None;
    }
    Ok(record)
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn read(mechanism: &str, sign: char, record: &mut Record) -> Result<(), String> {
    let end = mechanism.find([':', '/']).unwrap_or(mechanism.len());
    let (name, rest) = mechanism.split_at_checked(end).unwrap_or((mechanism, ""));
    let name = name.to_ascii_lowercase();
    let value = rest.strip_prefix(':');
    // Of `a` and `mx` a length of prefix may follow the domain.
    let spec = value.map(|value| value.split('/').next().unwrap_or_default());
    let spec = match (name.as_str(), spec, value) {
        ("all", None, _) if rest.is_empty() => {
            record.all.get_or_insert(sign);
            return Ok(());
        }
        ("ip4", _, Some(value)) if is_network(value, 32, |text| text.parse::<std::net::Ipv4Addr>().is_ok()) => {
            return Ok(());
        }
        ("ip6", _, Some(value)) if is_network(value, 128, |text| text.parse::<std::net::Ipv6Addr>().is_ok()) => {
            return Ok(());
        }
        ("include" | "exists", _, Some(value)) => domain(value)?,
        ("a" | "mx", spec, _) => {
            let lengths = rest.split_once('/').map_or("", |(_, lengths)| lengths);
            if !lengths.bytes().all(|byte| byte.is_ascii_digit() || byte == b'/') {
                return Err(format!("`{}` is no term", shown(mechanism)));
            }
            spec.map_or(Ok(String::new()), domain)?
        }
        ("ptr", spec, _) => spec.map_or(Ok(String::new()), domain)?,
        _ => return Err(format!("`{}` is no term", shown(mechanism))),
    };
    if record.all.is_none() {
        record.mechanisms.push(Mechanism { name, domain: spec });
    }
    Ok(())
}

fn is_network(text: &str, longest: u32, is_address: fn(&str) -> bool) -> bool {
    let (address, length) = text.split_once('/').map_or((text, None), |(address, length)| (address, Some(length)));
    is_address(address) && length.is_none_or(|length| length.parse::<u32>().is_ok_and(|length| length <= longest))
}

fn domain(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.len() <= 253 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(text.to_ascii_lowercase()) } else { Err("a term names no domain".to_owned()) }
}

fn shown(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        let record =
            parse("V=SPF1 ip4:192.0.2.0/24 ip6:2001:db8::/32 a mx/24 a:b.example/24//64 include:_spf.example -all mx")
                .unwrap();
        let seen: Vec<_> = record.mechanisms.iter().map(|m| (m.name.as_str(), m.domain.as_str())).collect();
        assert_eq!(seen, [("a", ""), ("mx", ""), ("a", "b.example"), ("include", "_spf.example")]);
        assert_eq!((record.all, record.redirect), (Some('-'), None));
        assert_eq!(parse("v=spf1 all").unwrap().all, Some('+'));
        assert_eq!(parse("v=spf1").unwrap(), Record::default());
        assert_eq!(
            parse("v=spf1 redirect=b.example exp=e.example x-y=1").unwrap().redirect.as_deref(),
            Some("b.example")
        );
        assert_eq!(parse("v=spf1 redirect=b.example ?all").unwrap().redirect, None);
        assert!(parse("v=spf1 exists:%{i}.b.example").unwrap().mechanisms[0].is_macro());
    }

    #[test]
    fn faults_are_told() {
        for text in [
            "v=spf10 -all",
            "v=spf1 -any",
            "v=spf1 include",
            "v=spf1 include:",
            "v=spf1 ip4:192.0.2.1/33",
            "v=spf1 ip4:x",
            "v=spf1 ip6:192.0.2.1",
            "v=spf1 redirect=a redirect=b",
            "v=spf1 all:x",
            "v=spf1 a/x",
            "v=spf1 \u{e9}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!("v=spf1{}", " a".repeat(300))).is_err());
    }
}
