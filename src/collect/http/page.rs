//! The final page: fields and `meta` elements that browsers read for safety, its scripts, and what it loads in plaintext.

use super::client::Response;
use crate::model::http::{Cors, Page, Plaintext, Resource, Script};
use crate::wire::html::{self, Tag};
use std::collections::BTreeMap;
use url::Url;

/// The origin that we claim to be; no browser has it.
pub const ORIGIN: &str = "https://probity.invalid";

/// The most scripts, and the most resources in plaintext, that are kept.
const KEPT: usize = 500;

/// Fields that are kept.
const FIELDS: [&str; 9] = [
    "content-security-policy",
    "content-security-policy-report-only",
    "cross-origin-embedder-policy",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "referrer-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
];

/// Reads the final answer; and whether there was more than is kept.
pub fn read(response: &Response) -> (Page, bool) {
    let media = response.first("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    let html = ["text/html", "application/xhtml+xml"].iter().any(|known| media.trim().eq_ignore_ascii_case(known));
    let mut page = Page { applicable: true, url: super::redacted(&response.url), html, ..Page::default() };
    for name in FIELDS {
        let values: Vec<String> = response.all(name).iter().map(|value| kept(name, value)).collect();
        if !values.is_empty() {
            page.fields.insert(name.to_owned(), values);
        }
    }
    if !html {
        return (page, false);
    }
    let (tags, mut cut) = html::read(&response.body);
    // A page longer than what is read may load more.
    cut |= response.body_bytes >= super::client::BODY as u64;
    let base = base(&tags, &response.url);
    for tag in &tags {
        metadata(tag, &mut page.meta);
        if let Some(script) = script(tag, &base, &response.url) {
            page.scripts.push(script);
        }
        for (url, active) in loaded(tag, &base) {
            if url.scheme() == "http" {
                let source = super::redacted(&url);
                page.plaintext.push(Plaintext { element: tag.name.clone(), source, active });
            }
            // Where a form leads is not loaded.
            let other = foreign(tag, &url, &response.url);
            page.foreign.extend(other.filter(|_| tag.name != "form"));
        }
    }
    page.plaintext.sort();
    page.plaintext.dedup();
    page.foreign.sort();
    page.foreign.dedup_by(|a, b| (&a.element, &a.host) == (&b.element, &b.host));
    cut |= page.scripts.len() > KEPT || page.plaintext.len() > KEPT || page.foreign.len() > KEPT;
    page.scripts.truncate(KEPT);
    page.plaintext.truncate(KEPT);
    page.foreign.truncate(KEPT);
    (page, cut)
}

/// Where relative addresses start.
fn base(tags: &[Tag], url: &Url) -> Url {
    let base = tags.iter().find(|tag| tag.name == "base").and_then(|tag| tag.attribute("href"));
    base.and_then(|href| url.join(href).ok()).unwrap_or_else(|| url.clone())
}

/// What a `meta` element says in the place of a field.
fn metadata(tag: &Tag, meta: &mut BTreeMap<String, Vec<String>>) {
    let Some(content) = tag.attribute("content").filter(|_| tag.name == "meta") else { return };
    let equivalent = tag.attribute("http-equiv").map(|name| name.trim().to_ascii_lowercase());
    let referrer = tag.attribute("name").filter(|name| name.trim().eq_ignore_ascii_case("referrer"));
    let name = match equivalent.as_deref() {
        Some(name @ ("content-security-policy" | "cross-origin-resource-policy" | "referrer-policy")) => name,
        _ if referrer.is_some() => "referrer-policy",
        _ => return,
    };
    let values = meta.entry(name.to_owned()).or_default();
    if values.len() < 100 {
        values.push(kept(name, content));
    }
}

/// A value as it is kept. Addresses of reports may hold a key: only their hosts are.
fn kept(name: &str, value: &str) -> String {
    if !name.starts_with("content-security-policy") {
        return value.chars().take(2_048).collect();
    }
    let policies = value.split(',').map(|policy| {
        let directives: Vec<String> = policy.split(';').map(directive).collect();
        directives.join(";")
    });
    policies.collect::<Vec<_>>().join(",")
}

fn directive(text: &str) -> String {
    let mut words = text.split_ascii_whitespace();
    let Some(name) = words.next() else { return text.to_owned() };
    if !name.eq_ignore_ascii_case("report-uri") {
        return text.to_owned();
    }
    let hosts = words.map(|word| match Url::parse(word) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => "/".to_owned(),
    });
    let all: Vec<String> = [name.to_owned()].into_iter().chain(hosts).collect();
    all.join(" ")
}

fn script(tag: &Tag, base: &Url, page: &Url) -> Option<Script> {
    let source = tag.attribute("src").filter(|_| tag.name == "script")?.trim();
    let url = base.join(source).ok();
    let schemeless = source.starts_with("//");
    let relative = !schemeless && Url::parse(source).is_err();
    // A base of another host makes even a relative source foreign.
    let relative = relative && base.host_str() == page.host_str();
    let scheme = url.as_ref().map(Url::scheme).unwrap_or_default();
    Some(Script {
        source: url.as_ref().map_or_else(|| source.chars().take(200).collect(), super::redacted),
        integrity: tag.attribute("integrity").is_some_and(|value| !value.trim().is_empty()),
        relative,
        schemeless,
        secure: scheme == "https",
        same_site: url.as_ref().is_some_and(|url| same_site(url, page)),
    })
}

fn same_site(one: &Url, other: &Url) -> bool {
    let domain = |url: &Url| {
        let host = url.host_str()?.to_ascii_lowercase();
        Some(psl::domain_str(&host).map(str::to_owned).unwrap_or(host))
    };
    domain(one).is_some() && domain(one) == domain(other)
}

fn foreign(tag: &Tag, url: &Url, page: &Url) -> Option<Resource> {
    let host = url.host_str().filter(|_| matches!(url.scheme(), "http" | "https") && !same_site(url, page))?;
    Some(Resource { element: tag.name.clone(), host: host.to_ascii_lowercase(), source: super::redacted(url) })
}

/// What an element loads or leads to, and whether that can change the page.
fn loaded(tag: &Tag, base: &Url) -> Vec<(Url, bool)> {
    let rel = tag.attribute("rel").unwrap_or_default().to_ascii_lowercase();
    let is = |words: &[&str]| rel.split_ascii_whitespace().any(|word| words.contains(&word));
    let (names, active): (&[&str], bool) = match tag.name.as_str() {
        "script" | "iframe" | "embed" | "frame" => (&["src"], true),
        "object" => (&["data"], true),
        "link" if is(&["stylesheet", "modulepreload"]) => (&["href"], true),
        "link" if is(&["icon", "preload", "prefetch", "manifest", "apple-touch-icon"]) => (&["href"], false),
        "form" => (&["action"], true),
        "img" | "audio" | "source" | "track" => (&["src", "srcset"], false),
        "video" => (&["src", "poster"], false),
        "input" => (&["src"], false),
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    for name in names {
        let Some(value) = tag.attribute(name) else { continue };
        let sources: Vec<&str> = match *name {
            "srcset" => value.split(',').filter_map(|part| part.split_ascii_whitespace().next()).collect(),
            _ => vec![value.trim()],
        };
        found.extend(
            sources.into_iter().take(KEPT).filter_map(|source| base.join(source).ok()).map(|url| (url, active)),
        );
    }
    found
}

/// Reads the answer to an OPTIONS request with our origin.
pub fn cors(response: &Response) -> Cors {
    let allow_origin = match response.first("access-control-allow-origin").map(str::trim) {
        None => "absent",
        Some("*") => "any",
        Some("null") => "null",
        Some(origin) if origin == ORIGIN => "reflected",
        Some(_) => "other",
    };
    let credentials = response.first("access-control-allow-credentials").is_some_and(|value| value.trim() == "true");
    Cors { applicable: true, status: response.status, allow_origin: allow_origin.to_owned(), credentials }
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::response;
    use super::*;

    fn page(body: &str) -> Page {
        let mut answer =
            response("https://www.shop.example/a/?token=1", 200, &[("Content-Type", "text/html; charset=x")]);
        body.clone_into(&mut answer.body);
        read(&answer).0
    }

    #[test]
    fn scripts_are_told_apart_by_where_they_come_from() {
        let page = page(
            "<script src=b.js></script><script src='//cdn.shop.example/c.js'></script>
             <script src='https://cdn.shop.example/d.js?key=1' integrity=sha384-x></script>
             <script src='http://other.example/e.js'></script><script>inline()</script>",
        );
        let seen: Vec<_> = page
            .scripts
            .iter()
            .map(|s| (s.source.as_str(), s.relative, s.schemeless, s.secure, s.same_site, s.integrity))
            .collect();
        assert_eq!(
            seen,
            [
                ("https://www.shop.example/a/b.js", true, false, true, true, false),
                ("https://cdn.shop.example/c.js", false, true, true, true, false),
                ("https://cdn.shop.example/d.js", false, false, true, true, true),
                ("http://other.example/e.js", false, false, false, false, false),
            ]
        );
        let sources: Vec<_> = page.plaintext.iter().map(|p| (p.element.as_str(), p.active)).collect();
        assert_eq!(sources, [("script", true)]);
    }

    #[test]
    fn what_is_loaded_in_plaintext_is_active_or_passive() {
        let page = page(
            "<img src=http://a.example/a.png><img srcset='https://a.example/b 1x, http://a.example/c 2x'>
             <link rel='preload stylesheet' href=http://a.example/d.css><link rel=canonical href=http://a.example/>
             <a href=http://a.example/></a><iframe src='http://a.example/f'></iframe><img src=/local>",
        );
        let seen: Vec<_> = page.plaintext.iter().map(|p| (p.element.as_str(), p.source.as_str(), p.active)).collect();
        assert_eq!(
            seen,
            [
                ("iframe", "http://a.example/f", true),
                ("img", "http://a.example/a.png", false),
                ("img", "http://a.example/c", false),
                ("link", "http://a.example/d.css", true),
            ]
        );
    }

    #[test]
    fn what_comes_from_other_domains_is_listed_once_for_each_element_and_host() {
        let page = page(
            "<script src=/own.js></script><script src=https://cdn.shop.example/b.js></script>
             <script src='https://js.other.example/a.js?key=1'></script><script src=https://js.other.example/b.js></script>
             <img src=//img.other.example/x.png><link rel=icon href=https://icon.example/i.png>
             <form action=https://form.example/></form><a href=https://link.example/>x</a><img src=data:image/png,x>",
        );
        let seen: Vec<_> =
            page.foreign.iter().map(|r| (r.element.as_str(), r.host.as_str(), r.source.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("img", "img.other.example", "https://img.other.example/x.png"),
                ("link", "icon.example", "https://icon.example/i.png"),
                ("script", "js.other.example", "https://js.other.example/a.js"),
            ]
        );
    }

    #[test]
    fn a_base_changes_where_relative_sources_lead() {
        let page = page("<base href='http://other.example/'><script src=a.js></script>");
        assert!(!page.scripts[0].relative && !page.scripts[0].secure && !page.scripts[0].same_site);
        assert_eq!(page.plaintext.len(), 1);
    }

    #[test]
    fn policies_keep_no_address_of_a_report() {
        let mut answer = response(
            "https://shop.example/",
            200,
            &[
                ("Content-Type", "text/html"),
                ("Content-Security-Policy", "default-src 'none'; report-uri https://r.example/k3y?t=s3cret /p3y"),
            ],
        );
        answer.body =
            "<meta http-equiv=Content-Security-Policy content=\"img-src 'self'\"><meta name=referrer content=origin>"
                .into();
        let (page, cut) = read(&answer);
        assert!(!cut);
        assert_eq!(page.fields["content-security-policy"], ["default-src 'none';report-uri https://r.example /"]);
        assert_eq!(page.meta["content-security-policy"], ["img-src 'self'"]);
        assert_eq!(page.meta["referrer-policy"], ["origin"]);
        assert!(page.fields.len() == 1 && page.url == "https://shop.example/");
    }

    #[test]
    fn the_answer_to_a_foreign_origin_is_read() {
        let origin = |value: &str, credentials: &str| {
            let fields = [("Access-Control-Allow-Origin", value), ("Access-Control-Allow-Credentials", credentials)];
            let cors = cors(&response("https://shop.example/", 204, &fields));
            (cors.allow_origin, cors.credentials)
        };
        assert_eq!(origin("*", "false"), ("any".to_owned(), false));
        assert_eq!(origin(ORIGIN, "true"), ("reflected".to_owned(), true));
        assert_eq!(origin("null", "true"), ("null".to_owned(), true));
        assert_eq!(origin("https://shop.example", "True"), ("other".to_owned(), false));
        assert_eq!(cors(&response("https://shop.example/", 204, &[])).allow_origin, "absent");
    }
}
