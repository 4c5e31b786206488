//! The security headers of the final answer, and the cookies set on the way.

use super::client::Response;
use super::csp;
use crate::model::http::{Cookie, Cookies, Headers};
use crate::model::{Fact, Trouble};
use jiff::Timestamp;

/// At most this many cookies are kept.
const COOKIES: usize = 100;

/// Reads the security headers of the final response. Whether text comes compressed is for [`coding`] to say.
pub fn read(response: &Response) -> Headers {
    let csp = csp::read(&response.all("content-security-policy"), &response.all("content-security-policy-report-only"));
    let frame_options = frame_options(response);
    let framing_limited = csp.frame_ancestors || matches!(frame_options, "deny" | "sameorigin");
    let mut url = response.url.clone();
    url.set_query(None);
    url.set_fragment(None);
    Headers {
        applicable: true,
        status: response.status,
        url: url.to_string(),
        csp,
        nosniff: response.first("x-content-type-options").is_some_and(|v| v.trim().eq_ignore_ascii_case("nosniff")),
        frame_options: frame_options.to_owned(),
        framing_limited,
        referrer_policy: referrer_policy(response),
        permissions_policy: response.first("permissions-policy").is_some(),
        coop: token(response, "cross-origin-opener-policy"),
        coep: token(response, "cross-origin-embedder-policy"),
        corp: token(response, "cross-origin-resource-policy"),
        hpkp: hpkp(response).to_owned(),
        compressed_text: Fact::unknown("no answer in another coding was asked for"),
        version_leaks: version_leaks(response),
        deprecated: deprecated(response),
    }
}

/// Whether text comes compressed, from the answer to a request that allows it.
pub fn coding(answer: &Result<Response, Trouble>) -> Fact<bool> {
    match answer {
        Ok(answer) => Fact::Known(compressed_text(answer)),
        Err(trouble) => Fact::unknown(trouble.detail.clone()),
    }
}

/// Whether text came in one of the codings that were asked for (BREACH).
fn compressed_text(response: &Response) -> bool {
    let coding = response.first("content-encoding").unwrap_or_default().trim().to_ascii_lowercase();
    let media = response.first("content-type").unwrap_or_default().to_ascii_lowercase();
    let text = ["text/", "application/json", "application/javascript", "application/xml", "application/xhtml"];
    // A browser takes what names no type for text if it looks like some.
    let is_text = media.trim().is_empty() || text.iter().any(|start| media.trim_start().starts_with(start));
    !coding.is_empty() && coding != "identity" && is_text
}

fn frame_options(response: &Response) -> &'static str {
    match response.first("x-frame-options").map(|v| v.trim().to_ascii_lowercase()) {
        None => "absent",
        Some(value) if value == "deny" => "deny",
        Some(value) if value == "sameorigin" => "sameorigin",
        Some(value) if value.starts_with("allow-from") => "allow-from",
        Some(_) => "invalid",
    }
}

/// The last valid token counts (Referrer Policy, section 4.1).
fn referrer_policy(response: &Response) -> String {
    const VALID: [&str; 8] = [
        "no-referrer",
        "no-referrer-when-downgrade",
        "same-origin",
        "origin",
        "strict-origin",
        "origin-when-cross-origin",
        "strict-origin-when-cross-origin",
        "unsafe-url",
    ];
    let fields = response.all("referrer-policy");
    let words: Vec<String> =
        fields.iter().flat_map(|field| field.split(',')).map(|word| word.trim().to_ascii_lowercase()).collect();
    match words.iter().rev().find(|word| VALID.contains(&word.as_str())) {
        Some(word) => word.clone(),
        None if fields.is_empty() => "absent".to_owned(),
        None => "invalid".to_owned(),
    }
}

/// The token of a structured field of one item (RFC 8941); parameters are ignored.
fn token(response: &Response, name: &str) -> String {
    let fields = response.all(name);
    match fields.as_slice() {
        [] => "absent".to_owned(),
        [field] => {
            let word = field.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let valid =
                !word.is_empty() && word.len() <= 40 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            if valid { word } else { "invalid".to_owned() }
        }
        _ => "invalid".to_owned(),
    }
}

/// Public-Key-Pins needs two pins and a max-age (RFC 7469 section 2.1).
fn hpkp(response: &Response) -> &'static str {
    match response.first("public-key-pins") {
        None => "absent",
        Some(field) => {
            let names: Vec<String> = field
                .split(';')
                .filter_map(|part| part.split_once('='))
                .map(|(n, _)| n.trim().to_ascii_lowercase())
                .collect();
            let pins = names.iter().filter(|name| *name == "pin-sha256").count();
            if pins >= 2 && names.iter().any(|name| name == "max-age") { "valid" } else { "invalid" }
        }
    }
}

fn version_leaks(response: &Response) -> Vec<String> {
    ["server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "via", "x-generator"]
        .into_iter()
        .filter(|name| {
            let digits = |field: &&str| field.bytes().any(|b| b.is_ascii_digit());
            // "1.1 proxy" in Via names the version of HTTP, not of a product.
            response.all(name).iter().any(|field| digits(field) && (*name != "via" || field.contains('/')))
        })
        .map(str::to_owned)
        .collect()
}

fn deprecated(response: &Response) -> Vec<String> {
    let mut names: Vec<String> = ["public-key-pins", "public-key-pins-report-only", "expect-ct", "feature-policy"]
        .into_iter()
        .filter(|name| response.first(name).is_some())
        .map(str::to_owned)
        .collect();
    if response.first("x-xss-protection").is_some_and(|value| value.trim() != "0") {
        names.push("x-xss-protection".to_owned());
    }
    names
}

/// The cookies set by these responses, by names and flags, never values; and whether there were more than are kept.
pub fn cookies(responses: &[&Response], now: Timestamp) -> (Cookies, bool) {
    let mut cookies: Vec<Cookie> = Vec::new();
    let mut cut = false;
    let fields = responses
        .iter()
        .flat_map(|response| response.all("set-cookie").into_iter().map(move |field| (field, response)));
    for (field, response) in fields {
        let host = response.url.host_str().unwrap_or_default();
        let Some(cookie) = cookie(field, host, now).filter(|cookie| !cookies.contains(cookie)) else { continue };
        match cookies.len() < COOKIES {
            true => cookies.push(cookie),
            false => cut = true,
        }
    }
    cookies.sort_by(|a, b| a.name.cmp(&b.name));
    (Cookies { applicable: true, cookies }, cut)
}

fn cookie(field: &str, host: &str, now: Timestamp) -> Option<Cookie> {
    let mut parts = field.split(';');
    let name: String = parts.next()?.split('=').next()?.trim().chars().take(128).collect();
    if name.is_empty() {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let mut cookie = Cookie {
        session: ["sess", "login", "auth", "token", "sid"].iter().any(|word| lower.contains(word))
            && !lower.contains("csrf"),
        name,
        same_site: "absent".to_owned(),
        ..Cookie::default()
    };
    let (mut root_path, mut domain, mut age, mut expires) = (false, None, None, None);
    for attribute in parts {
        let (key, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let value = value.trim();
        match key.trim().to_ascii_lowercase().as_str() {
            "secure" => cookie.secure = true,
            "httponly" => cookie.http_only = true,
            "samesite" => {
                let value = value.to_ascii_lowercase();
                let known = matches!(value.as_str(), "strict" | "lax" | "none");
                cookie.same_site = if known { value } else { "invalid".to_owned() };
            }
            // Of each of these the last one counts.
            "path" => root_path = value == "/",
            "domain" => domain = Some(value.trim_start_matches('.')).filter(|value| !value.is_empty()),
            "max-age" => age = value.parse::<i64>().ok().or(age),
            "expires" => expires = seconds_until(value, now).or(expires),
            _ => {}
        }
    }
    // Max-Age goes before Expires; a negative one removes the cookie.
    cookie.days = age.or(expires).map_or(0, |seconds| u64::try_from(seconds / 86_400).unwrap_or_default());
    cookie.broad_domain = domain.is_some_and(|domain| !domain.eq_ignore_ascii_case(host));
    // A browser compares the prefixes without regard to case (RFC 6265bis section 4.1.3).
    cookie.prefix_valid = if lower.starts_with("__host-") {
        cookie.secure && root_path && domain.is_none()
    } else {
        cookie.secure || !lower.starts_with("__secure-")
    };
    Some(cookie)
}

/// Seconds from now to a date of HTTP.
fn seconds_until(text: &str, now: Timestamp) -> Option<i64> {
    // Old servers write hyphens in the date.
    let text = text.replace('-', " ");
    let date = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(&text).ok()?;
    Some(date.as_second().saturating_sub(now.as_second()))
}

#[cfg(test)]
mod tests {
    use super::super::client::tests::response;
    use super::*;

    #[test]
    fn the_good_headers_are_read() {
        let facts = read(&response(
            "https://a.example/?token=1",
            200,
            &[
                ("X-Content-Type-Options", " NoSniff "),
                ("X-Frame-Options", "SAMEORIGIN"),
                ("Referrer-Policy", "no-referrer, strict-origin-when-cross-origin, nonsense"),
                ("Cross-Origin-Opener-Policy", "same-origin; report-to=\"x\""),
                ("Server", "nginx"),
            ],
        ));
        assert!(facts.nosniff && facts.framing_limited);
        assert_eq!(facts.referrer_policy, "strict-origin-when-cross-origin");
        assert_eq!(facts.coop, "same-origin");
        assert_eq!((facts.coep.as_str(), facts.hpkp.as_str()), ("absent", "absent"));
        assert!(facts.version_leaks.is_empty() && facts.deprecated.is_empty());
        assert_eq!(facts.url, "https://a.example/", "the query may hold a secret");
    }

    #[test]
    fn the_bad_headers_are_told_apart() {
        let facts = read(&response(
            "https://a.example/",
            200,
            &[
                ("X-Content-Type-Options", "sniff"),
                ("X-Frame-Options", "ALLOWALL"),
                ("Referrer-Policy", "nonsense"),
                ("Cross-Origin-Opener-Policy", "same-origin"),
                ("Cross-Origin-Opener-Policy", "unsafe-none"),
                ("Server", "nginx/1.22.1"),
                ("Via", "1.1 proxy"),
                ("X-XSS-Protection", "1; mode=block"),
                ("Public-Key-Pins", "pin-sha256=\"a\"; max-age=5"),
            ],
        ));
        assert!(!facts.nosniff && !facts.framing_limited);
        assert_eq!(facts.frame_options, "invalid");
        assert_eq!(facts.referrer_policy, "invalid");
        assert_eq!(facts.coop, "invalid");
        assert_eq!(facts.hpkp, "invalid");
        assert_eq!(facts.version_leaks, ["server"]);
        assert_eq!(facts.deprecated, ["public-key-pins", "x-xss-protection"]);
    }

    fn now() -> Timestamp {
        "2026-11-25T00:00:00Z".parse().unwrap()
    }

    /// The cookies that these fields set at `a.example`.
    fn jar(fields: &[&str]) -> Cookies {
        let fields: Vec<(&str, &str)> = fields.iter().map(|field| ("Set-Cookie", *field)).collect();
        cookies(&[&response("https://a.example/", 200, &fields)], now()).0
    }

    #[test]
    fn prefixes_domains_and_lifetimes_are_read() {
        for (field, valid) in [
            ("__Host-a=1; Secure; Path=/", true),
            ("__Host-a=1; Secure", false),
            ("__Host-a=1; Path=/", false),
            ("__Host-a=1; Secure; Path=/; Domain=a.example", false),
            ("__host-a=1; Secure; Path=/x", false),
            ("__Secure-a=1; Secure", true),
            ("__SECURE-a=1", false),
            ("plain=1", true),
        ] {
            assert_eq!(jar(&[field]).cookies[0].prefix_valid, valid, "{field}");
        }
        for (field, days) in [
            ("a=1", 0),
            ("a=1; Max-Age=86400", 1),
            ("a=1; Max-Age=-5; Expires=Thu, 25 Nov 2027 00:00:00 GMT", 0),
            ("a=1; Expires=Thu, 25 Nov 2027 00:00:00 GMT", 365),
            ("a=1; Expires=Thu, 25-Nov-2027 00:00:00 GMT", 365),
            ("a=1; Expires=never", 0),
            ("a=1; Max-Age=34560001; Expires=never", 400),
        ] {
            assert_eq!(jar(&[field]).cookies[0].days, days, "{field}");
        }
        assert!(jar(&["a=1; Domain=.example"]).cookies[0].broad_domain);
        assert!(!jar(&["a=1; Domain=A.example"]).cookies[0].broad_domain);
    }

    #[test]
    fn cookies_keep_flags_and_never_values() {
        let facts =
            jar(&["sessionid=s3cret; Path=/; Secure; HttpOnly; SameSite=Lax", "theme=dark; SameSite=odd", "=nameless"]);
        assert_eq!(facts.cookies.len(), 2);
        let session = &facts.cookies[0];
        assert!(session.session && session.secure && session.http_only);
        assert_eq!(session.same_site, "lax");
        assert_eq!(facts.cookies[1].same_site, "invalid");
        assert!(!serde_json::to_string(&facts).unwrap().contains("s3cret"));
    }

    #[test]
    fn cookies_beyond_the_limit_are_told_of() {
        let fields: Vec<String> = (0..=COOKIES).map(|n| format!("c{n:03}=1; Secure")).collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|field| ("Set-Cookie", field.as_str())).collect();
        let (facts, cut) = cookies(&[&response("https://a.example/", 200, &fields)], now());
        assert!(cut && facts.cookies.len() == COOKIES);
        let (_, cut) = cookies(&[&response("https://a.example/", 200, &fields[..COOKIES])], now());
        assert!(!cut);
    }
}
