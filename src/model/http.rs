//! Facts about HTTP: the data of the `http.*` observation kinds.

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `http.plain`: what answers without TLS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plain {
    /// There is a port to look at: 80 beside 443, or the one the target names.
    pub looked: bool,
    /// The port looked at, or 0.
    pub port: u16,
    /// Something answered with HTTP.
    pub answered: bool,
    /// The status of the first answer, or 0.
    pub status: u16,
    /// Its `Location`, or empty.
    pub location: String,
    /// It redirects to https at once.
    pub to_https: bool,
    /// The first redirect keeps the host.
    pub same_host: bool,
    /// It redirects for good (301 or 308).
    pub permanent: bool,
    /// Bytes of the body, up to the limit.
    pub body_bytes: u64,
    /// It sends content: anything but a redirect to https.
    pub content: bool,
    /// It sends Strict-Transport-Security in clear, where it has no effect.
    pub hsts_over_http: bool,
    /// The chain of redirects, at most 20.
    pub hops: Vec<String>,
    /// It offers to go on with TLS on the same connection (RFC 2817).
    #[serde(default)]
    pub tls_upgrade: Fact<bool>,
    /// A certificate on the chain had an error.
    pub certificate_error: bool,
}

/// `http.hsts`: Strict-Transport-Security (RFC 6797).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hsts {
    /// The endpoint serves HTTP: false behind an upgrade of another protocol, where nothing below was looked at.
    pub applicable: bool,
    /// A header was sent over TLS.
    pub present: bool,
    /// `absent`, `invalid`, `disabled`, `short`, `long`.
    pub status: String,
    /// Why it is invalid; else empty.
    pub why: String,
    /// Seconds; 0 where there is no valid header.
    pub max_age: u64,
    /// The directive is there.
    pub include_subdomains: bool,
    /// The directive is there.
    pub preload: bool,
    /// The header came more than once.
    pub multiple: bool,
    /// White space stands round `=`.
    pub whitespace: bool,
    /// The host is an IP address, which never gets HSTS.
    pub ip_host: bool,
    /// The connection had a certificate error, so that a browser ignores the header.
    pub certificate_error: bool,
    /// A value stands in quotes, which browsers read and the preload list does not.
    #[serde(default)]
    pub quoted: bool,
    /// The list of browsers holds the host.
    pub preloaded: Fact<bool>,
    /// Digest of the copy of the list that was looked at; `unreadable`, or empty where none was given.
    #[serde(default)]
    pub preload_list: String,
    /// Conditions of the preload list that do not hold.
    pub preload_obstacles: Vec<Obstacle>,
}

/// A condition of the preload list that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Obstacle {
    /// Its code, as hstspreload.org has it, for example `preload.header.no_preload`.
    pub code: String,
    /// What is amiss, in words.
    pub words: String,
}

/// `http.headers`: the security headers of the final answer over https.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Headers {
    /// The endpoint serves HTTP: false behind an upgrade of another protocol, where nothing below was looked at.
    pub applicable: bool,
    /// Status of the final answer.
    pub status: u16,
    /// The final address, without its query.
    pub url: String,
    /// Content-Security-Policy.
    pub csp: Csp,
    /// X-Content-Type-Options is exactly `nosniff`.
    pub nosniff: bool,
    /// `deny`, `sameorigin`, `allow-from`, `invalid`, `absent`.
    pub frame_options: String,
    /// Framing is limited by X-Frame-Options or by frame-ancestors.
    pub framing_limited: bool,
    /// The last valid token of Referrer-Policy, `invalid` or `absent`.
    pub referrer_policy: String,
    /// Permissions-Policy is sent.
    pub permissions_policy: bool,
    /// Cross-Origin-Opener-Policy, or `absent`.
    pub coop: String,
    /// Cross-Origin-Embedder-Policy, or `absent`.
    pub coep: String,
    /// Cross-Origin-Resource-Policy, or `absent`.
    pub corp: String,
    /// Public-Key-Pins: `absent`, `valid` or `invalid`.
    pub hpkp: String,
    /// Text was sent compressed when that was asked for.
    #[serde(default)]
    pub compressed_text: Fact<bool>,
    /// Headers that give away version numbers, by name.
    pub version_leaks: Vec<String>,
    /// Headers that browsers no longer honour, by name.
    pub deprecated: Vec<String>,
}

/// Content-Security-Policy in short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Csp {
    /// An enforcing policy is sent.
    pub present: bool,
    /// Only a report-only policy is sent.
    pub report_only: bool,
    /// It does not parse.
    pub invalid: bool,
    /// Scripts may be inline, without nonce or hash.
    pub unsafe_inline: bool,
    /// `unsafe-eval` is allowed to scripts.
    pub unsafe_eval: bool,
    /// Scripts or objects may come from anywhere.
    pub wildcard: bool,
    /// Sources over plain http are allowed.
    pub http_source: bool,
    /// Framing is limited by frame-ancestors.
    pub frame_ancestors: bool,
    /// base-uri is limited.
    pub base_uri: bool,
    /// object-src or default-src limits plugins.
    pub object_src: bool,
}

/// `http.cookies`: cookies set on the way, by name and flags; never their values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cookies {
    /// The endpoint serves HTTP: false behind an upgrade of another protocol, where nothing below was looked at.
    pub applicable: bool,
    /// The cookies.
    pub cookies: Vec<Cookie>,
}

/// A cookie's flags.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// The name looks like a session's.
    pub session: bool,
    /// Secure.
    pub secure: bool,
    /// HttpOnly.
    pub http_only: bool,
    /// `strict`, `lax`, `none`, `invalid`, `absent`.
    pub same_site: String,
    /// What a name that begins with `__Secure-` or `__Host-` promises holds; true for every other name.
    pub prefix_valid: bool,
    /// Domain widens it beyond the host that set it.
    pub broad_domain: bool,
    /// Whole days that it is kept; 0 where it ends with the session.
    pub days: u64,
}

/// `http.security_txt` (RFC 9116).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SecurityTxt {
    /// The endpoint serves HTTP: false behind an upgrade of another protocol, where nothing below was looked at.
    pub applicable: bool,
    /// The file is there.
    pub present: bool,
    /// `absent`, `invalid`, `expired`, `valid`.
    pub status: String,
    /// Why it is invalid; else empty.
    pub why: String,
    /// Where it was found, or empty.
    pub url: String,
    /// RFC 3339, or empty.
    pub expires: String,
    /// How many contacts it gives.
    pub contacts: u32,
}

/// `http.page`: the final answer over https, as far as browsers' rules of safety read it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The endpoint serves HTTP: false behind an upgrade of another protocol, where nothing below was looked at.
    pub applicable: bool,
    /// The final address, without its query.
    pub url: String,
    /// The media type says that it is a page.
    pub html: bool,
    /// Header fields that browsers read for safety, by name in lower case; addresses of reports without their paths.
    pub fields: BTreeMap<String, Vec<String>>,
    /// The same of the page's `meta` elements.
    pub meta: BTreeMap<String, Vec<String>>,
    /// Scripts with a source.
    pub scripts: Vec<Script>,
    /// What the page loads in plaintext.
    pub plaintext: Vec<Plaintext>,
    /// What it loads from hosts of other registrable domains, one of each element and host.
    #[serde(default)]
    pub foreign: Vec<Resource>,
}

/// Something that a page loads from another domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Resource {
    /// The element that loads it.
    pub element: String,
    /// The host.
    pub host: String,
    /// Where from, without its query.
    pub source: String,
}

/// `http.third_parties`: the hosts of others that a page loads from, held against the vendor register.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThirdParties {
    /// The endpoint serves HTTP: false behind an upgrade of another protocol, where nothing below was looked at.
    pub applicable: bool,
    /// Each host once, in the order of names.
    pub hosts: Vec<ThirdParty>,
}

/// A host of another's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ThirdParty {
    /// The host.
    pub host: String,
    /// The elements that load from it.
    pub elements: Vec<String>,
    /// Whose it is, where that is recognised; else empty.
    pub recognised: String,
    /// A vendor of the register that is not terminated stands for it.
    pub declared: Fact<bool>,
    /// That vendor, or empty.
    pub vendor: String,
    /// The register says that its vendor is terminated.
    pub ended: bool,
}

/// `http.consent`: what a first visit brings before anybody has agreed to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Consent {
    /// The endpoint serves HTTP: false behind an upgrade of another protocol, where nothing below was looked at.
    pub applicable: bool,
    /// Each cookie, and scripts of those who follow people where no cookie of theirs was seen.
    pub items: Vec<ConsentItem>,
}

/// A cookie or a script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsentItem {
    /// `cookie` or `script`.
    pub what: String,
    /// The name of the cookie, or the host of the script.
    pub name: String,
    /// Whose it is, where that is recognised; else empty.
    pub recognised: String,
    /// It is not of those who follow people. Not known of what nobody recognises, and of scripts.
    pub harmless: Fact<bool>,
    /// Whole days that a cookie is kept; 0 where it ends with the session.
    pub days: u64,
}

/// A script with a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Script {
    /// Where from, without its query; as written where it names no host.
    pub source: String,
    /// It has an `integrity` attribute.
    pub integrity: bool,
    /// It names no host.
    pub relative: bool,
    /// It names no scheme, but a host.
    pub schemeless: bool,
    /// It comes over https.
    pub secure: bool,
    /// The same registrable domain as the page's.
    pub same_site: bool,
}

/// A sub-resource that is loaded in plaintext.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Plaintext {
    /// The element that loads it.
    pub element: String,
    /// Where from, without its query.
    pub source: String,
    /// It can change the page: a script, a frame, a style sheet, an object.
    pub active: bool,
}

/// `http.cors`: what the final page lets a foreign origin read, as an OPTIONS request with an origin of ours tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cors {
    /// The endpoint serves HTTP: false behind an upgrade of another protocol, where nothing below was looked at.
    pub applicable: bool,
    /// Status of the answer.
    pub status: u16,
    /// Access-Control-Allow-Origin: `absent`, `any`, `reflected` (the origin that we sent), `null`, `other`.
    pub allow_origin: String,
    /// Access-Control-Allow-Credentials is `true`.
    pub credentials: bool,
}

/// `http.observatory`: the score after MDN HTTP Observatory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observatory {
    /// The endpoint serves HTTP: false behind an upgrade of another protocol, where nothing below was looked at.
    pub applicable: bool,
    /// The score by version 6 of the algorithm, of twelve tests.
    pub score: u32,
    /// Its letter.
    pub letter: String,
    /// The score by version 5, without the tests of opener and embedder policies.
    pub score_5: u32,
    /// Its letter.
    pub letter_5: String,
    /// Each test, in the order of their names.
    pub tests: Vec<ObservatoryTest>,
    /// What was taken for given, since it was not to be seen.
    pub assumed: Vec<String>,
}

/// A test of the score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ObservatoryTest {
    /// For example `content-security-policy`.
    pub name: String,
    /// For example `csp-not-implemented`.
    pub result: String,
    /// What it adds.
    pub modifier: i32,
    /// It counts as passed.
    pub pass: bool,
}
