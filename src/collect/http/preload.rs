//! The list of hosts that browsers reach over HTTPS alone: what it asks of a host (hstspreload.org), and whether a copy of
//! it holds one.

use super::client::Response;
use crate::model::http::{Hsts, Obstacle};
use crate::model::{Reason, Trouble, digest};
use serde::Deserialize;
use std::borrow::Cow;
use std::io::Read as _;
use std::path::Path;

/// What the list asks for.
const AGE: u64 = 31_536_000;
/// Largest copy of the list that is read; that of 2026 has 20 MiB.
const BYTES: u64 = 128 * 1024 * 1024;

/// The conditions of the preload list that the host's own answers do not meet.
///
/// `plain` are the answers from `http://host`, `first` is the first answer from `https://host`.
pub fn obstacles(host: &str, facts: &Hsts, first: &Response, plain: &[Response]) -> Vec<Obstacle> {
    let mut obstacles = Vec::new();
    let mut add = |code: &str, words: &str| {
        obstacles.push(Obstacle { code: format!("preload.{code}"), words: words.to_owned() });
    };
    match psl::domain_str(host) {
        None => add("domain.public_suffix", "the host is a public suffix, below which others register names"),
        Some(domain) if !domain.eq_ignore_ascii_case(host) => {
            add("domain.subdomain", "the host is a subdomain, and the list takes registrable domains alone")
        }
        Some(_) => {}
    }
    if facts.certificate_error {
        add("tls.chain", "the certificate is not trusted");
    }
    if !facts.present && first.location().is_some() {
        add("redirect.no_hsts_on_first", "the first answer over HTTPS redirects without an HSTS header");
    } else if !facts.present || facts.status == "invalid" || facts.quoted {
        add("header.max_age_missing", "no HSTS header is sent whose max-age is a plain number");
    } else {
        if facts.max_age < AGE {
            add("header.max_age_low", "max-age is less than a year (31536000 s)");
        }
        if !facts.include_subdomains {
            add("header.no_subdomains", "the directive includeSubDomains is missing");
        }
        if !facts.preload {
            add("header.no_preload", "the directive preload is missing");
        }
    }
    if facts.multiple {
        add("header.multiple", "the header is sent more than once");
    }
    if let Some(redirect) = plain.first() {
        let to = redirect.location();
        let secure = to.as_ref().is_some_and(|url| url.scheme() == "https");
        if !secure {
            add("redirect.not_https_first", "plain HTTP answers without a redirect to HTTPS");
        } else if to.is_some_and(|url| url.host_str() != redirect.url.host_str()) {
            add("redirect.www_first", "plain HTTP redirects to another host before the same one over HTTPS");
        }
        if plain.len() > 4 {
            add("redirect.too_many", "plain HTTP goes through too many redirects");
        }
    }
    if first.location().is_some_and(|url| url.scheme() == "http") {
        add("redirect.insecure_later", "HTTPS redirects back to plain HTTP");
    }
    obstacles
}

/// Whether a copy of the list holds the host, and the copy's digest.
#[derive(Debug)]
pub struct Entry {
    /// The host is held, by its own name or by a parent that includes its subdomains.
    pub held: bool,
    /// `sha256:` and the digest of the file.
    pub digest: String,
}

/// Looks a host up in a copy of Chromium's `transport_security_state_static.json`: JSON with lines of comments.
///
/// # Errors
/// When the file cannot be read, is too large, is not such a list, or holds nothing.
pub fn look_up(file: &Path, host: &str) -> Result<Entry, Trouble> {
    let wrong = |reason, why: String| Trouble::new(reason, format!("{}: {why}", file.display()));
    let unreadable = |error: std::io::Error| wrong(Reason::Unreachable, error.to_string());
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > BYTES {
        return Err(wrong(Reason::TooLarge, "the preload list is too large".to_owned()));
    }
    let held = holds(&text, host).map_err(|why| wrong(Reason::ProtocolViolation, why))?;
    Ok(Entry { held, digest: format!("sha256:{}", digest::sha256(text.as_bytes())) })
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    entries: Vec<Listed<'a>>,
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    mode: Cow<'a, str>,
    #[serde(default)]
    include_subdomains: bool,
}

fn holds(text: &str, host: &str) -> Result<bool, String> {
    let lines = text.lines().map(|line| if line.trim_start().starts_with("//") { "" } else { line });
    let json = lines.collect::<Vec<&str>>().join("\n");
    let list: List<'_> = serde_json::from_str(&json).map_err(|error| format!("it is not a preload list: {error}"))?;
    if list.entries.is_empty() {
        return Err("it holds no host".to_owned());
    }
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    Ok(list.entries.iter().filter(|entry| entry.mode == "force-https").any(|entry| {
        let below = host.strip_suffix(&*entry.name).is_some_and(|rest| rest.ends_with('.'));
        entry.name == host || (entry.include_subdomains && below)
    }))
}

#[cfg(test)]
mod tests {
    use super::super::hsts;
    use super::*;

    #[test]
    fn an_obstacle_is_told_in_words() {
        let url = url::Url::parse("https://shop.example/").unwrap();
        let fields = vec![("strict-transport-security".to_owned(), "max-age=300".to_owned())];
        let answer = Response { url, status: 200, fields, body: String::new(), body_bytes: 0 };
        let facts = hsts::read(&["max-age=300"], false, true);
        let obstacles = obstacles("www.shop.example", &facts, &answer, &[]);
        let codes: Vec<&str> = obstacles.iter().map(|obstacle| obstacle.code.as_str()).collect();
        assert_eq!(
            codes,
            [
                "preload.domain.subdomain",
                "preload.tls.chain",
                "preload.header.max_age_low",
                "preload.header.no_subdomains",
                "preload.header.no_preload",
            ]
        );
        assert!(obstacles.iter().all(|obstacle| obstacle.words.contains(' ') && !obstacle.words.contains('_')));
        assert_eq!(obstacles[2].words, "max-age is less than a year (31536000 s)");
    }

    #[test]
    fn a_list_holds_names_and_what_is_below_them() {
        let list = r#"// Copyright
{ "pinsets": [],
  // hosts
  "entries": [
    { "name": "shop.example", "policy": "custom", "mode": "force-https", "include_subdomains": true },
    { "name": "alone.example", "mode": "force-https" },
    { "name": "pinned.example", "include_subdomains": true } ] }"#;
        let cases = [
            ("shop.example", true),
            ("SHOP.example.", true),
            ("www.shop.example", true),
            ("notshop.example", false),
            ("alone.example", true),
            ("www.alone.example", false),
            ("pinned.example", false),
            ("example", false),
        ];
        for (host, held) in cases {
            assert_eq!(holds(list, host), Ok(held), "{host}");
        }
        assert!(holds("{ \"entries\": [] }", "shop.example").is_err());
        assert!(holds("not a list", "shop.example").unwrap_err().contains("line 1"));
    }

    #[test]
    fn a_number_in_quotes_is_none_that_the_list_takes() {
        let facts = hsts::read(&["max-age=\"63072000\"; includeSubDomains; preload"], false, false);
        let url = url::Url::parse("https://shop.example/").unwrap();
        let answer = Response { url, status: 200, fields: Vec::new(), body: String::new(), body_bytes: 0 };
        assert_eq!(facts.status, "long");
        let obstacles = obstacles("shop.example", &facts, &answer, &[]);
        assert_eq!(obstacles.first().map(|one| one.code.as_str()), Some("preload.header.max_age_missing"));
        let answer = Response {
            status: 301,
            fields: vec![("location".to_owned(), "https://shop.example/a".to_owned())],
            ..answer
        };
        let obstacles = super::obstacles("shop.example", &hsts::read(&[], false, false), &answer, &[]);
        assert_eq!(obstacles.first().map(|one| one.code.as_str()), Some("preload.redirect.no_hsts_on_first"));
    }
}
