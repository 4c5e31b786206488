//! The collector of what the DNS says of an endpoint's name: who may issue certificates for it, whether its answers are
//! signed, and which certificates it vouches for.
//!
//! An address without a name asks nothing of any resolver.

mod caa;
pub(super) mod chain;
mod denial;
mod dnssec;
pub(super) mod resolver;
pub(super) mod signature;
pub(super) mod tlsa;

use super::{CollectContext, Collecting, Collector, Job};
use crate::model::dns::{Anchor, Caa, Dnssec, Tlsa};
use crate::model::{Fact, Observation, Reason, Target, TargetKind, Trouble};
use crate::wire::dns::Name;
use chain::Walker;
use resolver::Resolver;
use serde::Serialize;
use std::net::IpAddr;

const ID: &str = "dns";
const KINDS: &[&str] = &["dns.caa", "dns.dnssec", "dns.tlsa"];

/// Suffixes that stand outside the public DNS (RFC 6761, RFC 6762, RFC 8375, RFC 7686).
const PRIVATE: [&str; 5] = ["localhost", "local", "internal", "home.arpa", "onion"];

/// Looks at the name of an endpoint.
pub struct Dns;

impl Collector for Dns {
    fn id(&self) -> &'static str {
        ID
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Endpoint
    }

    fn yields(&self) -> &'static [&'static str] {
        KINDS
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let recorder = Recorder { target: &job.target, collector: ID, now: cx.clock.now() };
            let Some(name) = public_name(&job.target.connection.host) else { return recorder.without_name() };
            let resolver = match Resolver::new(&cx.documents.dns, cx.dial.as_ref(), cx.random.as_ref()) {
                Ok(resolver) => resolver,
                Err(trouble) => return recorder.all_failed(KINDS, &trouble),
            };
            cx.progress.step(&job.target.id, "", 0, 3, "dns");
            let anchors = anchors(cx);
            let walker = Walker { resolver: &resolver, anchors: &anchors, now: recorder.now };
            let look = look(&walker, &name, job, &recorder);
            let seen = tokio::select! {
                seen = look => seen,
                () = cx.cancel.cancelled() => {
                    recorder.all_failed(KINDS, &Trouble::new(Reason::Interrupted, "the run was stopped"))
                }
            };
            cx.progress.step(&job.target.id, "", 3, 3, "dns");
            seen
        })
    }
}

async fn look(walker: &Walker<'_>, name: &Name, job: &Job, recorder: &Recorder<'_>) -> Vec<Observation> {
    // One after the other: the first finds out whether there is a resolver at all.
    let caa = caa::look(walker.resolver, name, &job.earlier).await;
    let dnssec = dnssec::look(walker, name).await;
    let port = job.target.connection.port;
    let mail = job.target.connection.starttls.as_deref() == Some("smtp");
    let tlsa = tlsa::look(walker, name, port, mail, &job.earlier).await;
    vec![recorder.record("dns.caa", caa), recorder.record("dns.dnssec", dnssec), recorder.record("dns.tlsa", tlsa)]
}

/// Where trust starts: the user's anchors, or those of the public root.
pub(super) fn anchors(cx: &CollectContext) -> Vec<Anchor> {
    let own = &cx.documents.dns.anchors;
    if own.is_empty() { Anchor::public() } else { own.clone() }
}

/// The name of a host in the public DNS; `None` for addresses and for names that no public server knows.
fn public_name(host: &str) -> Option<Name> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let private = PRIVATE.iter().any(|suffix| host == *suffix || host.ends_with(&format!(".{suffix}")));
    if host.parse::<IpAddr>().is_ok() || !host.contains('.') || private {
        return None;
    }
    Name::parse(&host)
}

/// Records what was seen of a name: one thing, whatever its addresses.
pub(super) struct Recorder<'a> {
    pub(super) target: &'a Target,
    pub(super) collector: &'static str,
    pub(super) now: jiff::Timestamp,
}

impl Recorder<'_> {
    pub(super) fn record<T: Serialize>(&self, kind: &str, seen: Result<T, Trouble>) -> Observation {
        match seen {
            Ok(data) => Observation::complete(kind, &self.target.id, "", self.collector, self.now, &data)
                .unwrap_or_else(|error| self.failed(kind, Trouble::new(Reason::Internal, error.to_string()))),
            Err(trouble) => self.failed(kind, trouble),
        }
    }

    fn failed(&self, kind: &str, trouble: Trouble) -> Observation {
        Observation::failed(kind, &self.target.id, "", self.collector, self.now, trouble)
    }

    pub(super) fn all_failed(&self, kinds: &[&str], trouble: &Trouble) -> Vec<Observation> {
        kinds.iter().map(|kind| self.failed(kind, trouble.clone())).collect()
    }

    /// There is no name to look at.
    fn without_name(&self) -> Vec<Observation> {
        let why = "the target has no name in the public DNS";
        let caa = Caa { current_issuer: Fact::unknown(why), allows_current: Fact::unknown(why), ..Caa::default() };
        let dnssec = Dnssec { status: "insecure".to_owned(), ..Dnssec::default() };
        let tlsa = Tlsa { matches: Fact::unknown(why), ..Tlsa::default() };
        vec![self.record("dns.caa", Ok(caa)), self.record("dns.dnssec", Ok(dnssec)), self.record("dns.tlsa", Ok(tlsa))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_public_dns_are_asked_for() {
        for host in ["127.0.0.1", "::1", "localhost", "db", "a.localhost", "printer.local", "x.internal", "a.home.arpa"]
        {
            assert_eq!(public_name(host), None, "{host}");
        }
        assert_eq!(public_name("Shop.Example.").unwrap().to_string(), "shop.example");
        assert!(public_name("notlocal.example").is_some());
    }
}
