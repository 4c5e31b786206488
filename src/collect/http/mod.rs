//! The collector of HTTP over an endpoint: what answers in clear, HSTS, headers, cookies, the
//! page, what foreign origins may read, security.txt.

pub(super) mod client;
mod connection;
mod csp;
mod headers;
mod hsts;
mod page;
mod preload;
mod security_txt;

use super::witness::Authorities;
use super::{CollectContext, Collecting, Collector, Job};
use crate::model::http::{Cookies, Cors, Headers, Hsts, Page, Plain, SecurityTxt};
use crate::model::{Exchange, Fact, Observation, ObservationStatus, Reason, Target, TargetKind, Trouble};
use client::{Bodies, Client, Response, Way, url};
use serde::Serialize;
use std::net::SocketAddr;

const ID: &str = "http";
const KINDS: &[&str] =
    &["http.plain", "http.hsts", "http.headers", "http.cookies", "http.page", "http.cors", "http.security_txt"];

/// Looks at HTTP on each address of an endpoint.
pub struct Http;

impl Collector for Http {
    fn id(&self) -> &'static str {
        ID
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Endpoint
    }

    fn yields(&self) -> &'static [&'static str] {
        KINDS
    }

    fn follows(&self) -> Option<&'static str> {
        Some("tls")
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let looks = job.addresses.iter().map(|&address| look(job, cx, address));
            futures_util::future::join_all(looks).await.into_iter().flatten().collect()
        })
    }
}

/// Reads arbitrary bytes as an answer, fields and then a body, in every way we read one: the entry of the fuzzer.
pub fn fuzz(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned())).collect();
    let Some(url) = url("https", "shop.example", 443, "/") else { return };
    let status = if data.len().is_multiple_of(2) { 200 } else { 301 };
    let answer = Response { url, status, fields, body: body.to_owned(), body_bytes: body.len() as u64 };
    let facts = hsts::read(&answer.all("strict-transport-security"), false, false);
    let _ = preload::obstacles("shop.example", &facts, &answer, std::slice::from_ref(&answer));
    let _ = (headers::read(&answer), answer.location().as_ref().map(redacted));
    let _ = headers::cookies(&[&answer], jiff::Timestamp::UNIX_EPOCH);
    let _ = (page::read(&answer), page::cors(&answer));
    let media = answer.first("content-type").unwrap_or("text/plain");
    let _ = security_txt::read("", media, body, jiff::Timestamp::UNIX_EPOCH);
}

/// Records what is seen of one address.
struct Recorder<'a> {
    target: &'a Target,
    part: String,
    now: jiff::Timestamp,
}

impl Recorder<'_> {
    fn complete<T: Serialize>(&self, kind: &str, data: &T) -> Observation {
        Observation::complete(kind, &self.target.id, &self.part, ID, self.now, data)
            .unwrap_or_else(|error| self.failed(kind, Trouble::new(Reason::Internal, error.to_string())))
    }

    fn failed(&self, kind: &str, trouble: Trouble) -> Observation {
        Observation::failed(kind, &self.target.id, &self.part, ID, self.now, trouble)
    }

    fn all_failed(&self, trouble: &Trouble) -> Vec<Observation> {
        KINDS.iter().map(|kind| self.failed(kind, trouble.clone())).collect()
    }

    /// The endpoint speaks another protocol before TLS: HTTP is not to be looked for.
    fn inapplicable(&self) -> Vec<Observation> {
        vec![
            self.complete("http.plain", &Plain::default()),
            self.complete("http.hsts", &Hsts { status: "absent".to_owned(), ..Hsts::default() }),
            self.complete("http.headers", &Headers::default()),
            self.complete("http.cookies", &Cookies::default()),
            self.complete("http.page", &Page::default()),
            self.complete("http.cors", &Cors { allow_origin: "absent".to_owned(), ..Cors::default() }),
            self.complete("http.security_txt", &SecurityTxt::default()),
        ]
    }
}

async fn look(job: &Job, cx: &CollectContext, address: SocketAddr) -> Vec<Observation> {
    let target = &job.target;
    let recorder = Recorder { target, part: address.to_string(), now: cx.clock.now() };
    if target.connection.starttls.is_some() || target.connection.service.is_some() {
        return recorder.inapplicable();
    }
    let handshake = job.earlier.iter().find(|o| o.part == recorder.part && o.kind == "tls.protocols");
    if let Some(trouble) = handshake.filter(|o| o.status == ObservationStatus::Failed).and_then(|o| o.trouble.clone()) {
        return recorder.all_failed(&trouble);
    }
    let host = target.connection.server_name.as_deref().unwrap_or(&target.connection.host);
    let authorities = match Authorities::new(&target.connection.ca_files) {
        Ok(authorities) => authorities,
        Err(trouble) => return recorder.all_failed(&trouble),
    };
    let client = match Client::new(host, address, &authorities, recorder.now, &cx.dial) {
        Ok(client) => client,
        Err(trouble) => return recorder.all_failed(&trouble),
    };
    // Plain HTTP has a client of its own, so that a certificate error there does not spoil the facts of HTTPS.
    let plain_client = match Client::new(host, address, &authorities, recorder.now, &cx.dial) {
        Ok(client) => client,
        Err(trouble) => return recorder.all_failed(&trouble),
    };
    cx.progress.step(&target.id, &recorder.part, 0, 3, "http");
    let work = async {
        tokio::join!(
            site(&client, host, address.port()),
            plain(&plain_client, host, plain_port(target)),
            security_txt(&client, host, address.port(), recorder.now),
        )
    };
    let (secure, (plain_way, plain_facts), contact) = tokio::select! {
        seen = work => seen,
        () = cx.cancel.cancelled() => {
            return recorder.all_failed(&Trouble::new(Reason::Interrupted, "the run was stopped"));
        }
    };
    cx.progress.step(&target.id, &recorder.part, 3, 3, "http");

    let mut observations = vec![match plain_facts {
        Ok(facts) => recorder.complete("http.plain", &facts).with_transcript(transcript(&plain_way)),
        Err(trouble) => recorder.failed("http.plain", trouble),
    }];
    observations.extend(over_tls(&recorder, host, &client, &secure, &plain_way));
    observations.push(match contact {
        Ok(facts) => recorder.complete("http.security_txt", &facts),
        Err(trouble) => recorder.failed("http.security_txt", trouble),
    });
    observations
}

async fn follow(client: &Client, start: Option<url::Url>, bodies: Bodies) -> Way {
    match start {
        Some(url) => client.follow(url, bodies).await,
        None => Way {
            trouble: Some(Trouble::new(Reason::Unsupported, "the host is no part of an address")),
            ..Way::default()
        },
    }
}

/// What was asked of the site over https.
struct Seen {
    /// From the start page to the final one.
    way: Way,
    /// `/robots.txt`, which is asked for its cookies alone.
    robots: Result<Response, Trouble>,
    /// The answer to a foreign origin at the final address.
    foreign: Result<Response, Trouble>,
    /// The final address once more, in whatever coding the server likes.
    coded: Result<Response, Trouble>,
}

async fn site(client: &Client, host: &str, port: u16) -> Seen {
    let way = follow(client, url("https", host, port, "/"), Bodies::Last).await;
    let last = way.responses.iter().rfind(|response| response.url.scheme() == "https");
    let Some(last) = last.filter(|last| way.trouble.is_none() && shows_the_site(last.status)) else {
        let trouble = way.trouble.clone().unwrap_or_else(|| Trouble::new(Reason::Unsupported, "the site was not seen"));
        return Seen { way, robots: Err(trouble.clone()), foreign: Err(trouble.clone()), coded: Err(trouble) };
    };
    let robots = async {
        match url("https", host, port, "/robots.txt") {
            Some(url) => client.get(url, Bodies::Counted).await,
            None => Err(Trouble::new(Reason::Unsupported, "the host is no part of an address")),
        }
    };
    let foreign = client.options(last.url.clone(), page::ORIGIN);
    // The page itself was asked for as it is, since its tags are read.
    let (robots, foreign, coded) = tokio::join!(robots, foreign, client.get(last.url.clone(), Bodies::Counted));
    Seen { way, robots, foreign, coded }
}

/// HSTS of the first answer, headers and page of the last, cookies of all.
fn over_tls(recorder: &Recorder<'_>, host: &str, client: &Client, seen: &Seen, plain: &Way) -> Vec<Observation> {
    const OF_THE_LAST: [&str; 4] = ["http.headers", "http.cookies", "http.page", "http.cors"];
    let secure = &seen.way;
    let https: Vec<&Response> = secure.responses.iter().filter(|r| r.url.scheme() == "https").collect();
    let (Some(&first), Some(&last)) = (https.first(), https.last()) else {
        let trouble =
            secure.trouble.clone().unwrap_or_else(|| Trouble::new(Reason::ProtocolViolation, "no answer over https"));
        let kinds = ["http.hsts"].into_iter().chain(OF_THE_LAST);
        return kinds.map(|kind| recorder.failed(kind, trouble.clone())).collect();
    };
    let certificate_error = client.certificate_error().is_some();
    let mut facts = hsts::read(&first.all("strict-transport-security"), client::is_ip(&first.url), certificate_error);
    facts.preload_obstacles = preload::obstacles(host, &facts, first, &plain.responses);
    if let Some(file) = &recorder.target.connection.hsts_preload_list {
        match preload::look_up(file, host) {
            Ok(entry) => (facts.preloaded, facts.preload_list) = (Fact::Known(entry.held), entry.digest),
            Err(trouble) => {
                "unreadable".clone_into(&mut facts.preload_list);
                facts.preloaded = Fact::unknown(trouble.detail);
            }
        }
    }
    let exchanges = transcript(secure);
    let hsts = recorder.complete("http.hsts", &facts);
    let rest: Vec<Observation> = match &secure.trouble {
        // The way of redirects broke before its end: the final answer was not seen.
        Some(trouble) => OF_THE_LAST.map(|kind| recorder.failed(kind, trouble.clone())).into(),
        None if !shows_the_site(last.status) => {
            let trouble = Trouble::new(Reason::Unsupported, format!("the server answered {}", last.status));
            OF_THE_LAST.map(|kind| recorder.failed(kind, trouble.clone())).into()
        }
        None => of_the_last(recorder, &https, last, seen),
    };
    [hsts].into_iter().chain(rest).map(|seen| seen.with_transcript(exchanges.clone())).collect()
}

fn of_the_last(recorder: &Recorder<'_>, https: &[&Response], last: &Response, seen: &Seen) -> Vec<Observation> {
    let (page, page_cut) = page::read(last);
    let mut answers = https.to_vec();
    answers.extend(seen.robots.as_ref().ok());
    let (cookies, cut) = headers::cookies(&answers, recorder.now);
    let mut jar = recorder.complete("http.cookies", &cookies);
    if cut {
        jar = jar.partial(Trouble::new(Reason::TooLarge, "more cookies were set than are kept"));
    } else if let Err(trouble) = &seen.robots {
        jar = jar.partial(Trouble::new(trouble.reason, format!("/robots.txt, which may set one: {}", trouble.detail)));
    }
    let mut page = recorder.complete("http.page", &page);
    if page_cut {
        page = page.partial(Trouble::new(Reason::TooLarge, "the page is larger than what is read of one"));
    }
    let foreign = match &seen.foreign {
        Ok(answer) => recorder.complete("http.cors", &page::cors(answer)),
        Err(trouble) => recorder.failed("http.cors", trouble.clone()),
    };
    let headers = Headers { compressed_text: headers::coding(&seen.coded), ..headers::read(last) };
    vec![recorder.complete("http.headers", &headers), jar, page, foreign]
}

/// Whether an answer comes from the site itself. A page that says not found, or too many requests, sets no cookies and
/// may have headers of its own: nothing of the site follows from it.
fn shows_the_site(status: u16) -> bool {
    matches!(status, 200..=399 | 401 | 403)
}

/// Where plain HTTP is looked for: 80 beside 443, or the port that the target names.
fn plain_port(target: &Target) -> Option<u16> {
    target.connection.http_port.or_else(|| (target.connection.port == 443).then_some(80))
}

/// What answers in clear. A refused connection is an answer: nothing is there.
async fn plain(client: &Client, host: &str, port: Option<u16>) -> (Way, Result<Plain, Trouble>) {
    let Some(port) = port else { return (Way::default(), Ok(Plain::default())) };
    let mut way = follow(client, url("http", host, port, "/"), Bodies::Counted).await;
    let mut facts = Plain { looked: true, port, ..Plain::default() };
    let Some(first) = way.responses.first() else {
        let trouble = way.trouble.take().unwrap_or_else(|| Trouble::new(Reason::Internal, "no answer and no trouble"));
        let refused = trouble.reason == Reason::Refused;
        return (way, if refused { Ok(facts) } else { Err(trouble) });
    };
    let to = first.location();
    facts.tls_upgrade = match client.offers_tls(first.url.clone()).await {
        Ok(offers) => Fact::Known(offers),
        Err(trouble) => Fact::unknown(trouble.to_string()),
    };
    facts.answered = true;
    facts.status = first.status;
    facts.location = to.as_ref().map(redacted).unwrap_or_default();
    facts.to_https = to.as_ref().is_some_and(|url| url.scheme() == "https");
    facts.same_host = to.as_ref().is_some_and(|url| url.host_str() == first.url.host_str());
    facts.permanent = matches!(first.status, 301 | 308);
    facts.body_bytes = first.body_bytes;
    facts.content = !facts.to_https;
    facts.hsts_over_http = first.first("strict-transport-security").is_some();
    facts.hops = way.responses.iter().filter_map(Response::location).map(|url| redacted(&url)).collect();
    facts.certificate_error = client.saw_bad_certificate();
    (way, Ok(facts))
}

/// An address without user, query and fragment, which may hold a secret.
fn redacted(url: &url::Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().chars().take(500).collect()
}

async fn security_txt(client: &Client, host: &str, port: u16, now: jiff::Timestamp) -> Result<SecurityTxt, Trouble> {
    let mut unclear = None;
    for path in ["/.well-known/security.txt", "/security.txt"] {
        let way = follow(client, url("https", host, port, path), Bodies::Last).await;
        if let Some(trouble) = way.trouble {
            return Err(trouble);
        }
        let Some(last) = way.responses.last() else { continue };
        match last.status {
            200 => {
                let content_type = last.first("content-type").unwrap_or_default();
                return Ok(security_txt::read(&redacted(&last.url), content_type, &last.body, now));
            }
            404 | 410 => {}
            // A redirect out of the scope, a refusal or a fault says nothing about the file.
            status => unclear = Some(Trouble::new(Reason::Unsupported, format!("{path} answered {status}"))),
        }
    }
    unclear.map_or_else(|| Ok(security_txt::absent()), Err)
}

fn transcript(way: &Way) -> Vec<Exchange> {
    way.responses
        .iter()
        .map(|r| Exchange { sent: format!("GET {}", redacted(&r.url)), received: format!("status {}", r.status) })
        .collect()
}
