//! The collector of what a domain says about its mail: where it takes it, who may send it, and what holds senders to
//! TLS. Nearly everything is asked of a resolver; the policy of MTA-STS is fetched over https, and the mail exchangers are
//! asked for TLS.

mod dkim;
mod dmarc;
mod exchangers;
mod spf;
mod sts;

use super::dns::chain::Walker;
use super::dns::resolver::Resolver;
use super::dns::{Recorder, anchors};
use super::{CollectContext, Collecting, Collector, Job};
use crate::model::mail::{Mx, TlsRpt, sts as texts};
use crate::model::{Observation, Reason, Target, TargetKind, Trouble};
use crate::wire::dns::Name;
use crate::wire::dns::record;

const ID: &str = "mail";
const KINDS: &[&str] =
    &["mail.mx", "mail.spf", "mail.dkim", "mail.dmarc", "mail.mta_sts", "mail.tls_rpt", "mail.exchangers"];

/// The most mail exchangers that are looked at.
const EXCHANGERS: usize = 10;

/// Looks at the mail of a domain.
pub struct Mail {
    /// The port of https, at which the policy of MTA-STS is published; another one is for tests.
    pub https_port: u16,
    /// The port at which the mail exchangers take mail; another one is for tests.
    pub smtp_port: u16,
}

impl Default for Mail {
    fn default() -> Mail {
        Mail { https_port: 443, smtp_port: sts::MAIL }
    }
}

impl Collector for Mail {
    fn id(&self) -> &'static str {
        ID
    }

    fn accepts(&self, target: &Target) -> bool {
        target.kind == TargetKind::Domain
    }

    fn yields(&self) -> &'static [&'static str] {
        KINDS
    }

    fn collect<'a>(&'a self, job: &'a Job, cx: &'a CollectContext) -> Collecting<'a> {
        Box::pin(async move {
            let recorder = Recorder { target: &job.target, collector: ID, now: cx.clock.now() };
            let look = self.look(&job.target, cx, &recorder);
            cx.progress.step(&job.target.id, "", 0, 5, "mail");
            let seen = tokio::select! {
                seen = look => seen,
                () = cx.cancel.cancelled() => Err(Trouble::new(Reason::Interrupted, "the run was stopped")),
            };
            cx.progress.step(&job.target.id, "", 5, 5, "mail");
            seen.unwrap_or_else(|trouble| recorder.all_failed(KINDS, &trouble))
        })
    }
}

impl Mail {
    async fn look(
        &self,
        target: &Target,
        cx: &CollectContext,
        recorder: &Recorder<'_>,
    ) -> Result<Vec<Observation>, Trouble> {
        let domain = Name::parse(&target.connection.host)
            .filter(|name| !name.is_empty())
            .ok_or_else(|| Trouble::new(Reason::Unsupported, "this is not the name of a domain"))?;
        let resolver = Resolver::new(&cx.documents.dns, cx.dial.as_ref(), cx.random.as_ref())?;
        // A domain that does not exist says nothing about its mail: that must not read as good or bad.
        let start = resolver.ask(&domain, record::SOA).await?;
        if !start.exists {
            return Err(Trouble::new(Reason::Unreachable, format!("the domain {domain} does not exist")));
        }
        let anchors = anchors(cx);
        let walker = Walker { resolver: &resolver, anchors: &anchors, now: recorder.now };
        let mx = hosts(&resolver, &domain).await;
        let spf = spf::look(&resolver, &domain).await;
        let dkim = dkim::look(&resolver, &domain, &target.connection.dkim_selectors).await;
        let dmarc = dmarc::look(&resolver, &domain).await;
        let (sts, reports) = match &mx {
            Ok(mx) => {
                let place = sts::Place { target, port: self.https_port, dial: &cx.dial };
                (sts::look(&walker, &domain, mx, &place).await, reports(&resolver, &domain, mx).await)
            }
            Err(trouble) => (Err(trouble.clone()), Err(trouble.clone())),
        };
        let around = exchangers::Surroundings { target, port: self.smtp_port, cx };
        let (doors, exchanges) = match &mx {
            Ok(mx) => match exchangers::look(&walker, &domain, mx, &sts, &around).await {
                Ok((doors, exchanges)) => (Ok(doors), exchanges),
                Err(trouble) => (Err(trouble), Vec::new()),
            },
            Err(trouble) => (Err(trouble.clone()), Vec::new()),
        };
        Ok(vec![
            recorder.record("mail.mx", mx),
            recorder.record("mail.spf", spf),
            recorder.record("mail.dkim", dkim),
            recorder.record("mail.dmarc", dmarc),
            recorder.record("mail.mta_sts", sts),
            recorder.record("mail.tls_rpt", reports),
            recorder.record("mail.exchangers", doors).with_transcript(exchanges),
        ])
    }
}

/// Where a domain takes mail.
async fn hosts(resolver: &Resolver<'_>, domain: &Name) -> Result<Mx, Trouble> {
    let found = resolver.find(domain, record::MX).await?;
    let mut records: Vec<record::Mx> =
        found.records.iter().filter_map(|record| record::Mx::read(&record.data)).collect();
    records.sort();
    if records.len() > EXCHANGERS {
        let detail = format!("the domain names more than {EXCHANGERS} mail exchangers");
        return Err(Trouble::new(Reason::TooLarge, detail));
    }
    if records.iter().any(|mx| mx.host.is_empty()) {
        return Ok(Mx { present: true, null: true, hosts: Vec::new() });
    }
    let hosts = match records.is_empty() {
        true => vec![domain.to_string()],
        false => records.iter().map(|mx| mx.host.to_string()).collect(),
    };
    Ok(Mx { present: !records.is_empty(), null: false, hosts })
}

/// The texts at a name; none where it has none.
async fn texts_at(resolver: &Resolver<'_>, name: &Name) -> Result<Vec<String>, Trouble> {
    let found = resolver.find(name, record::TXT).await?;
    Ok(found.records.iter().filter_map(|record| record::text(&record.data)).collect())
}

/// The name of a label below a domain.
fn below(label: &str, domain: &Name) -> Result<Name, Trouble> {
    domain.child(label).ok_or_else(|| Trouble::new(Reason::Unsupported, "the domain's name is too long"))
}

/// Where failures of TLS are reported to.
async fn reports(resolver: &Resolver<'_>, domain: &Name, mx: &Mx) -> Result<TlsRpt, Trouble> {
    if mx.null {
        return Ok(TlsRpt::default());
    }
    let name = below("_smtp", &below_tls(domain)?)?;
    let texts = texts_at(resolver, &name).await?;
    let records: Vec<&String> = texts.iter().filter(|text| texts::is_report_record(text)).collect();
    let mut facts = TlsRpt { applicable: true, present: !records.is_empty(), ..TlsRpt::default() };
    match records.as_slice() {
        [] => {}
        [record] => match texts::reports(record) {
            Ok(destinations) => (facts.valid, facts.destinations) = (true, destinations),
            Err(why) => facts.why = why,
        },
        several => facts.why = format!("there are {} records", several.len()),
    }
    Ok(facts)
}

fn below_tls(domain: &Name) -> Result<Name, Trouble> {
    below("_tls", domain)
}
