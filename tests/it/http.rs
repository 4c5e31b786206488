//! The HTTP collector against a real nginx, and against peers that misbehave.

use crate::support::{Scratch, Server, free_port, program};
use probity::collect::http::Http;
use probity::collect::{CollectContext, Collector as _, Documents, Job, Limits, Secret, Secrets, Silent};
use probity::model::{FixedClock, Observation, ObservationStatus, Reason, SecretRef, Target, TargetKind};
use probity::net::{SeededRandom, TcpDial};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

const HOST: &str = "shop.example";

/// An nginx with one server over TLS and one in clear.
struct Site {
    _server: Server,
    _scratch: Scratch,
    authority: PathBuf,
    secure: u16,
    plain: u16,
}

impl Site {
    /// Starts it with these lines in its two server blocks. `HTTPS` and `HTTP` in them stand for the ports.
    fn start(name: &str, secure_lines: &str, plain_lines: &str) -> Option<Site> {
        let nginx = program("nginx")?;
        let scratch = Scratch::new(name);
        let (secure, plain) = (free_port(), free_port());
        let authority = certificates(&scratch);
        let folder = scratch.path().display();
        let text = format!(
            "daemon off; pid {folder}/pid; worker_processes 1; events {{}}
             http {{ access_log off; default_type text/html; server_tokens off;
               client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
               fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
               server {{ listen 127.0.0.1:{secure} ssl; server_name {HOST};
                 ssl_certificate {folder}/leaf.pem; ssl_certificate_key {folder}/leaf.key; {secure_lines} }}
               server {{ listen 127.0.0.1:{plain}; server_name {HOST}; {plain_lines} }} }}"
        );
        let text = text.replace("HTTPS", &secure.to_string()).replace("HTTP", &plain.to_string());
        let file = scratch.write("nginx.conf", text);
        let mut command = Command::new(nginx);
        command.arg("-c").arg(file).arg("-p").arg(scratch.path()).arg("-e").arg(scratch.path().join("error.log"));
        let server = Server::start(&mut command, secure).and_port(plain);
        Some(Site { _server: server, _scratch: scratch, authority, secure, plain })
    }

    fn look(&self) -> Vec<Observation> {
        look(self.secure, Some(self.plain), vec![self.authority.clone()])
    }
}

/// An authority and a leaf for the host; gives the authority's file.
fn certificates(scratch: &Scratch) -> PathBuf {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![HOST.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    scratch.write("leaf.pem", leaf.pem());
    scratch.write("leaf.key", key.serialize_pem());
    scratch.write("ca.pem", authority.pem())
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn read(&self, _: &SecretRef) -> Result<Secret, String> {
        Err("there are no secrets here".to_owned())
    }
}

fn look(port: u16, plain: Option<u16>, authorities: Vec<PathBuf>) -> Vec<Observation> {
    look_with(port, plain, authorities, None)
}

fn look_with(port: u16, plain: Option<u16>, authorities: Vec<PathBuf>, list: Option<PathBuf>) -> Vec<Observation> {
    let mut target = Target::new("shop", TargetKind::Endpoint, format!("{HOST}:{port}"));
    target.connection.host = HOST.to_owned();
    target.connection.port = port;
    target.connection.http_port = plain;
    target.connection.ca_files = authorities;
    target.connection.hsts_preload_list = list;
    let addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
    let job = Job { target, addresses, earlier: Vec::new() };
    let cx = CollectContext {
        clock: Arc::new(FixedClock("2026-11-23T12:00:00Z".parse().unwrap())),
        dial: Arc::new(TcpDial),
        random: Arc::new(SeededRandom::new(1)),
        progress: Arc::new(Silent),
        secrets: Arc::new(NoSecrets),
        cancel: tokio_util::sync::CancellationToken::new(),
        limits: Limits::default(),
        documents: Arc::new(Documents::default()),
        halfway: Arc::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let seen = runtime.block_on(Http.collect(&job, &cx));
    let mut kinds: Vec<&str> = seen.iter().map(|observation| observation.kind.as_str()).collect();
    kinds.sort_unstable();
    let all =
        ["http.cookies", "http.cors", "http.headers", "http.hsts", "http.page", "http.plain", "http.security_txt"];
    assert_eq!(kinds, all);
    seen
}

fn of<'a>(seen: &'a [Observation], kind: &str) -> &'a Observation {
    seen.iter().find(|observation| observation.kind == kind).unwrap()
}

/// The facts of a kind that was seen wholly.
fn facts(seen: &[Observation], kind: &str) -> Value {
    let observation = of(seen, kind);
    assert_eq!(observation.status, ObservationStatus::Complete, "{kind}: {:?}", observation.trouble);
    Value::Object(observation.data.clone())
}

/// The reason for which nothing was seen of a kind.
fn reason(seen: &[Observation], kind: &str) -> Reason {
    let observation = of(seen, kind);
    assert_eq!(observation.status, ObservationStatus::Failed, "{kind}");
    assert!(observation.data.is_empty(), "{kind} failed and has facts");
    observation.trouble.as_ref().unwrap().reason
}

fn assert_facts(facts: &Value, expected: &[(&str, Value)]) {
    for (name, value) in expected {
        assert_eq!(&facts[*name], value, "{name} in {facts}");
    }
}

#[test]
fn a_copy_of_the_preload_list_is_looked_at() {
    let header = r#"location / { add_header Strict-Transport-Security "max-age=\"63072000\"; preload" always; return 200 "ok"; }"#;
    let Some(site) = Site::start("http-preload", header, "return 301 https://$host:HTTPS$request_uri;") else { return };
    let scratch = Scratch::new("http-preload-list");
    let entry = |name: &str| {
        format!(
            r#"// a comment
{{ "entries": [ {{ "name": "{name}", "mode": "force-https", "include_subdomains": true }} ] }}"#
        )
    };
    for (name, held) in [(HOST, true), ("example", true), ("other.example", false)] {
        let list = scratch.write("list.json", entry(name));
        let seen = look_with(site.secure, Some(site.plain), vec![site.authority.clone()], Some(list));
        let hsts = facts(&seen, "http.hsts");
        assert_facts(&hsts, &[("preloaded", json!(held)), ("quoted", json!(true))]);
        assert!(hsts["preload_list"].as_str().unwrap().starts_with("sha256:"));
    }
    let list = scratch.write("list.json", "no list");
    let seen = look_with(site.secure, Some(site.plain), vec![site.authority.clone()], Some(list));
    let hsts = facts(&seen, "http.hsts");
    assert_facts(&hsts, &[("preload_list", json!("unreadable"))]);
    assert!(hsts["preloaded"]["unknown"].as_str().unwrap().contains("not a preload list"));
    let hsts = facts(&site.look(), "http.hsts");
    assert!(hsts["preloaded"]["unknown"].as_str().unwrap().contains("hsts_preload_list"));
}

#[test]
fn a_careful_site_is_seen_as_it_is() {
    let secure = r#"
        add_header Strict-Transport-Security "max-age=63072000; includeSubDomains; preload" always;
        add_header Content-Security-Policy "default-src 'self'; frame-ancestors 'none'; base-uri 'none'" always;
        add_header X-Content-Type-Options nosniff always;
        add_header Referrer-Policy no-referrer always;
        add_header Set-Cookie "session=secret-value; Path=/; Secure; HttpOnly; SameSite=Lax";
        add_header Set-Cookie "theme=dark; Path=/";
        location = /.well-known/security.txt { default_type text/plain;
            return 200 "Contact: mailto:security@shop.example\nExpires: 2027-05-01T00:00:00Z\n"; }
        location / { return 200 "hello"; }"#;
    let plain = "return 301 https://shop.example:HTTPS$request_uri;";
    let Some(site) = Site::start("http-careful", secure, plain) else { return };
    let seen = site.look();

    let hsts = facts(&seen, "http.hsts");
    assert_facts(&hsts, &[("present", json!(true)), ("status", json!("long")), ("max_age", json!(63_072_000))]);
    assert_facts(&hsts, &[("include_subdomains", json!(true)), ("preload", json!(true)), ("multiple", json!(false))]);
    assert_facts(&hsts, &[("certificate_error", json!(false)), ("ip_host", json!(false))]);

    let plain = facts(&seen, "http.plain");
    assert_facts(&plain, &[("looked", json!(true)), ("answered", json!(true)), ("status", json!(301))]);
    assert_facts(&plain, &[("to_https", json!(true)), ("same_host", json!(true)), ("permanent", json!(true))]);
    assert_facts(&plain, &[("content", json!(false)), ("port", json!(site.plain)), ("tls_upgrade", json!(false))]);

    let headers = facts(&seen, "http.headers");
    assert_facts(&headers, &[("status", json!(200)), ("nosniff", json!(true)), ("framing_limited", json!(true))]);
    assert_facts(&headers, &[("referrer_policy", json!("no-referrer")), ("version_leaks", json!([]))]);
    assert_facts(&headers, &[("compressed_text", json!(false))]);
    assert_facts(&headers["csp"], &[("present", json!(true)), ("unsafe_inline", json!(false))]);

    let cookies = facts(&seen, "http.cookies");
    let cookie =
        |name: &str| cookies["cookies"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap().clone();
    assert_facts(
        &cookie("session"),
        &[("secure", json!(true)), ("http_only", json!(true)), ("same_site", json!("lax"))],
    );
    assert_facts(&cookie("theme"), &[("secure", json!(false)), ("http_only", json!(false))]);
    let everything = serde_json::to_string(&seen).unwrap();
    assert!(!everything.contains("secret-value") && !everything.contains("dark"), "the value of a cookie was kept");

    let contact = facts(&seen, "http.security_txt");
    assert_facts(&contact, &[("present", json!(true)), ("status", json!("valid")), ("contacts", json!(1))]);
}

#[test]
fn a_careless_site_is_seen_as_it_is() {
    let secure = r#"server_tokens on; location / { return 200 "hello"; }
        location = /.well-known/security.txt { return 404; } location = /security.txt { return 404; }"#;
    let Some(site) = Site::start("http-careless", secure, r#"location / { return 200 "in clear"; }"#) else { return };
    let seen = site.look();
    assert_facts(&facts(&seen, "http.hsts"), &[("present", json!(false)), ("status", json!("absent"))]);
    let plain = facts(&seen, "http.plain");
    assert_facts(&plain, &[("answered", json!(true)), ("content", json!(true)), ("to_https", json!(false))]);
    assert_facts(&plain, &[("body_bytes", json!(8)), ("status", json!(200))]);
    let headers = facts(&seen, "http.headers");
    assert_facts(&headers, &[("nosniff", json!(false)), ("frame_options", json!("absent"))]);
    assert_eq!(headers["version_leaks"], json!(["server"]), "nginx tells its version");
    assert_facts(&facts(&seen, "http.cookies"), &[("cookies", json!([]))]);
    assert_facts(&facts(&seen, "http.security_txt"), &[("present", json!(false)), ("status", json!("absent"))]);
}

/// The score that follows from what was seen.
fn observatory(seen: &[Observation]) -> Observation {
    let catalogue = probity::catalogue::Catalogue::built_in().unwrap_or_else(|_| panic!("the catalogue does not load"));
    let as_of = "2026-11-23T12:00:00Z".parse().unwrap();
    let derived = probity::check::derive::run(&[], seen, &Default::default(), &catalogue, as_of);
    derived.into_iter().find(|derived| derived.kind == "http.observatory").unwrap()
}

#[test]
fn a_page_is_scored_as_the_observatory_does() {
    let page = r#"<script src=https://cdn.example/a.js></script><img src=http://img.example/a.png>"#;
    let secure = format!(
        r#"add_header Strict-Transport-Security "max-age=31536000" always;
        add_header X-Content-Type-Options nosniff always;
        add_header X-Frame-Options DENY always;
        location = /robots.txt {{ add_header Set-Cookie "csrftoken=1; Secure"; return 200 ""; }}
        location / {{
          if ($request_method = OPTIONS) {{
            add_header Access-Control-Allow-Origin $http_origin; add_header Access-Control-Allow-Credentials true;
            return 204; }}
          return 200 "{page}"; }}"#
    );
    let Some(site) = Site::start("http-score", &secure, "return 301 https://shop.example:HTTPS/;") else { return };
    let seen = site.look();
    let page = facts(&seen, "http.page");
    assert_eq!(page["html"], true);
    assert_eq!(page["scripts"][0]["source"], "https://cdn.example/a.js");
    assert_eq!(page["plaintext"], json!([{ "element": "img", "source": "http://img.example/a.png", "active": false }]));
    assert_facts(&facts(&seen, "http.cors"), &[("allow_origin", json!("reflected")), ("credentials", json!(true))]);
    assert_eq!(facts(&seen, "http.cookies")["cookies"][0]["name"], "csrftoken", "the cookie of robots.txt");

    let score = observatory(&seen);
    assert_eq!(score.status, ObservationStatus::Complete, "{:?}", score.trouble);
    let result = |name: &str| {
        let tests = score.data["tests"].as_array().unwrap();
        tests.iter().find(|test| test["name"] == name).unwrap()["result"].as_str().unwrap().to_owned()
    };
    assert_eq!(result("content-security-policy"), "csp-not-implemented");
    assert_eq!(result("cookies"), "cookies-anticsrf-without-samesite-flag");
    assert_eq!(
        result("cross-origin-resource-sharing"),
        "cross-origin-resource-sharing-implemented-with-universal-access"
    );
    assert_eq!(result("redirection"), "redirection-to-https");
    assert_eq!(result("strict-transport-security"), "hsts-implemented-max-age-at-least-six-months");
    assert_eq!(result("subresource-integrity"), "sri-not-implemented-but-external-scripts-loaded-securely");
    // 100 - 25 - 20 - 50 - 5; no bonus below 90.
    assert_eq!((score.data["score"].as_u64(), score.data["letter"].as_str()), (Some(0), Some("F")));
}

#[test]
fn what_was_not_seen_gives_no_score() {
    let Some(site) = Site::start("http-unscored", "return 503;", "return 404;") else { return };
    let score = observatory(&site.look());
    assert_eq!(score.status, ObservationStatus::Failed);
    assert_eq!(score.trouble.unwrap().reason, Reason::Unsupported);
}

#[test]
fn compressed_text_and_an_upgrade_to_tls_in_clear_are_seen() {
    let secure = r#"gzip on; gzip_min_length 1; gzip_types text/plain; location / { default_type text/plain; return 200 "hello hello"; }"#;
    let plain =
        r#"location / { add_header Upgrade "h2c, TLS/1.2"; add_header Connection Upgrade; return 200 "in clear"; }"#;
    let Some(site) = Site::start("http-flaws", secure, plain) else { return };
    let seen = site.look();
    assert_facts(&facts(&seen, "http.headers"), &[("compressed_text", json!(true))]);
    assert_facts(&facts(&seen, "http.plain"), &[("tls_upgrade", json!(true)), ("answered", json!(true))]);
}

#[test]
fn of_two_policies_the_first_counts_and_both_are_told() {
    let secure = r#"add_header Strict-Transport-Security "max-age=300";
        add_header Strict-Transport-Security "max-age=63072000"; location / { return 200 "x"; }"#;
    let Some(site) = Site::start("http-twice", secure, "return 302 https://shop.example:HTTPS/;") else { return };
    let seen = site.look();
    let hsts = facts(&seen, "http.hsts");
    assert_facts(&hsts, &[("multiple", json!(true)), ("max_age", json!(300)), ("status", json!("short"))]);
    assert_facts(&facts(&seen, "http.plain"), &[("permanent", json!(false)), ("to_https", json!(true))]);
}

#[test]
fn a_certificate_error_is_told_beside_what_was_read_over_it() {
    let secure = r#"add_header Strict-Transport-Security "max-age=63072000"; location / { return 200 "x"; }"#;
    let Some(site) = Site::start("http-untrusted", secure, "return 301 https://shop.example:HTTPS/;") else { return };
    let seen = look(site.secure, Some(site.plain), Vec::new());
    let hsts = facts(&seen, "http.hsts");
    assert_facts(&hsts, &[("certificate_error", json!(true)), ("present", json!(true))]);
}

#[test]
fn an_expired_contact_is_expired_and_an_unclear_answer_is_no_absence() {
    let file = r#"location = /.well-known/security.txt { default_type text/plain;
        return 200 "Contact: https://shop.example/report\nExpires: 2026-01-01T00:00:00Z\n"; }
        location / { return 200 "x"; }"#;
    let Some(site) = Site::start("http-expired", file, "return 404;") else { return };
    let contact = facts(&site.look(), "http.security_txt");
    assert_facts(&contact, &[("present", json!(true)), ("status", json!("expired"))]);

    let closed = "location ~ security.txt { return 403; } location / { return 200 x; }";
    let Some(site) = Site::start("http-forbidden", closed, "return 404;") else { return };
    assert_eq!(reason(&site.look(), "http.security_txt"), Reason::Unsupported);
}

#[test]
fn a_fault_of_the_server_says_nothing_about_its_headers() {
    let Some(site) = Site::start("http-fault", "location / { return 503; }", "return 404;") else { return };
    let seen = site.look();
    assert_eq!(reason(&seen, "http.headers"), Reason::Unsupported);
    assert_eq!(reason(&seen, "http.cookies"), Reason::Unsupported);
}

#[test]
fn a_page_that_is_not_the_site_sets_no_cookies_and_proves_nothing() {
    // The headers are good, and no cookie is set: neither is the site's doing.
    let always = r#"add_header X-Content-Type-Options nosniff always; add_header X-Frame-Options DENY always;"#;
    for status in [404, 429] {
        let secure = format!("{always} location / {{ return {status}; }}");
        let Some(site) = Site::start("http-elsewhere", &secure, "return 404;") else { return };
        let seen = site.look();
        assert_eq!(reason(&seen, "http.headers"), Reason::Unsupported, "{status}");
        assert_eq!(reason(&seen, "http.cookies"), Reason::Unsupported, "{status}");
    }
}

#[test]
fn a_flood_of_fields_is_refused() {
    let many: String = (0..400).map(|n| format!("add_header X-Flood-{n} {n};")).collect();
    let secure = format!("{many} location / {{ return 200 x; }}");
    let Some(site) = Site::start("http-flood", &secure, "return 404;") else { return };
    let seen = site.look();
    for kind in ["http.hsts", "http.headers", "http.cookies"] {
        assert!(matches!(reason(&seen, kind), Reason::TooLarge | Reason::ProtocolViolation), "{:?}", of(&seen, kind));
    }
}

#[test]
fn an_endless_redirect_is_left() {
    let secure = r#"add_header Strict-Transport-Security "max-age=63072000" always; return 302 /again;"#;
    let Some(site) = Site::start("http-loop", secure, "return 302 http://shop.example:HTTP/again;") else { return };
    let seen = site.look();
    assert_eq!(reason(&seen, "http.headers"), Reason::TooLarge);
    assert_eq!(reason(&seen, "http.cookies"), Reason::TooLarge);
    // The first answer was seen, and it is the one that counts for these.
    assert_facts(&facts(&seen, "http.hsts"), &[("present", json!(true))]);
    assert_facts(&facts(&seen, "http.plain"), &[("answered", json!(true)), ("to_https", json!(false))]);
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    // Another host's name would lead to this listener, if it were asked for.
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    other.set_nonblocking(true).unwrap();
    let port = other.local_addr().unwrap().port();
    let secure = format!("return 302 https://127.0.0.1:{port}/;");
    let plain = format!("return 301 http://localhost:{port}/;");
    let Some(site) = Site::start("http-elsewhere", &secure, &plain) else { return };
    let seen = site.look();
    assert_facts(&facts(&seen, "http.headers"), &[("status", json!(302))]);
    let plain = facts(&seen, "http.plain");
    assert_facts(&plain, &[("same_host", json!(false)), ("to_https", json!(false)), ("content", json!(true))]);
    assert!(other.accept().is_err(), "a peer led us to a host that nobody asked about");
}

#[test]
fn a_refused_port_is_an_answer_and_a_silent_one_is_none() {
    let Some(site) = Site::start("http-closed", "location / { return 200 x; }", "return 404;") else { return };
    let seen = look(site.secure, Some(free_port()), vec![site.authority.clone()]);
    assert_facts(&facts(&seen, "http.plain"), &[("looked", json!(true)), ("answered", json!(false))]);

    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let seen = look(site.secure, Some(port), vec![site.authority.clone()]);
    assert_eq!(reason(&seen, "http.plain"), Reason::TimedOut);
    assert_facts(&facts(&seen, "http.headers"), &[("status", json!(200))]);
}

#[test]
fn a_port_that_nobody_named_is_not_looked_at() {
    let Some(site) = Site::start("http-unnamed", "location / { return 200 x; }", "return 404;") else { return };
    let seen = look(site.secure, None, vec![site.authority.clone()]);
    assert_facts(&facts(&seen, "http.plain"), &[("looked", json!(false)), ("answered", json!(false))]);
}

#[test]
fn nothing_that_answers_is_no_absence_of_anything() {
    let seen = look(free_port(), None, Vec::new());
    for kind in ["http.hsts", "http.headers", "http.cookies", "http.security_txt"] {
        assert_eq!(reason(&seen, kind), Reason::Refused);
    }
}

#[test]
fn an_authority_that_cannot_be_read_fails_everything() {
    let seen = look(free_port(), None, vec![PathBuf::from("/nonexistent/ca.pem")]);
    for kind in ["http.plain", "http.hsts", "http.headers", "http.cookies", "http.security_txt"] {
        assert_eq!(reason(&seen, kind), Reason::Unreachable);
    }
}
