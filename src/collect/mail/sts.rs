//! What holds senders to TLS: MTA-STS (RFC 8461), or records that the DNS signs for each mail exchanger (RFC 7672).

use super::{below, texts_at};
use crate::collect::dns::chain::Walker;
use crate::collect::dns::tlsa;
use crate::collect::http::client::{Bodies, Client, Response};
use crate::collect::witness::Authorities;
use crate::model::mail::sts::{self, Policy};
use crate::model::mail::{MtaSts as Facts, Mx};
use crate::model::{Fact, Reason, Target, Trouble};
use crate::net::Dial;
use crate::wire::dns::Name;
use crate::wire::dns::record::{self, Tlsa};
use std::net::SocketAddr;
use std::sync::Arc;

/// The port at which exchangers take mail from each other, for which the DNS vouches.
pub const MAIL: u16 = 25;
/// The most bytes of a policy.
const POLICY: usize = 64 * 1024;

/// Where the policy is fetched, and whom its certificate may come from.
pub struct Place<'a> {
    pub target: &'a Target,
    pub port: u16,
    pub dial: &'a Arc<dyn Dial>,
}

/// Looks at both ways of holding senders to TLS.
pub async fn look(walker: &Walker<'_>, domain: &Name, mx: &Mx, place: &Place<'_>) -> Result<Facts, Trouble> {
    if mx.null {
        let why = "the domain takes no mail";
        return Ok(Facts { without_dane: Fact::unknown(why), enforced: Fact::unknown(why), ..Facts::default() });
    }
    let mut facts = Facts { applicable: true, ..Facts::default() };
    facts.without_dane = match without_dane(walker, domain, mx).await {
        Ok(hosts) => hosts.into(),
        Err(trouble) => Fact::unknown(trouble.to_string()),
    };
    let read = policy(walker, domain, place, &mut facts).await;
    match read {
        // Where the DNS vouches for every mail exchanger, nothing depends on the policy.
        Err(trouble) if !facts.without_dane.known().is_some_and(Vec::is_empty) => return Err(trouble),
        Err(trouble) => facts.why = trouble.to_string(),
        Ok(Err(why)) => facts.why = why,
        Ok(Ok(policy)) => {
            facts.valid = true;
            facts.mode = policy.mode;
            facts.max_age = policy.max_age;
            let listed = |host: &&String| !policy.patterns.iter().any(|pattern| sts::matches(pattern, host));
            facts.unlisted = mx.hosts.iter().filter(listed).cloned().collect();
            facts.patterns = policy.patterns.into_iter().take(100).collect();
        }
    }
    let held = facts.valid && facts.mode == "enforce" && facts.unlisted.is_empty();
    facts.enforced = match (&facts.without_dane, held) {
        (_, true) => true.into(),
        (Fact::Known(hosts), false) => hosts.is_empty().into(),
        (Fact::Unknown(why), false) => Fact::unknown(why.unknown.clone()),
    };
    Ok(facts)
}

/// Mail exchangers for which the DNS does not vouch. The list of exchangers must be signed itself.
async fn without_dane(walker: &Walker<'_>, domain: &Name, mx: &Mx) -> Result<Vec<String>, Trouble> {
    let listed = !mx.present || tlsa::trusted(walker, domain, record::MX).await?.is_ok();
    let mut without = Vec::new();
    for host in &mx.hosts {
        let vouched = match Name::parse(host).filter(|_| listed) {
            Some(name) => vouched(walker, &name).await?,
            None => false,
        };
        if !vouched {
            without.push(host.clone());
        }
    }
    Ok(without)
}

async fn vouched(walker: &Walker<'_>, host: &Name) -> Result<bool, Trouble> {
    let (_, found, why) = tlsa::secured(walker, host, MAIL).await?;
    let mut records = found.records.iter().filter_map(|record| Tlsa::read(&record.data));
    Ok(why.is_empty() && records.any(|record| tlsa::is_usable(&record, true)))
}

/// The policy, or why senders would not take it. An answer that could not be had is a trouble.
async fn policy(
    walker: &Walker<'_>,
    domain: &Name,
    place: &Place<'_>,
    facts: &mut Facts,
) -> Result<Result<Policy, String>, Trouble> {
    let texts = texts_at(walker.resolver, &below("_mta-sts", domain)?).await?;
    let records: Vec<&String> = texts.iter().filter(|text| sts::is_record(text)).collect();
    facts.present = !records.is_empty();
    let checked = match records.as_slice() {
        [] => Err(String::new()),
        [record] => sts::id(record),
        several => Err(format!("there are {} records", several.len())),
    };
    if let Err(why) = checked {
        return Ok(Err(why));
    }
    let host = below("mta-sts", domain)?;
    let mut addresses = walker.resolver.find(&host, record::A).await?.records;
    addresses.extend(walker.resolver.find(&host, record::AAAA).await?.records);
    let Some(ip) = addresses.iter().find_map(record::address) else {
        return Ok(Err(format!("{host}, where the policy is to be, has no address")));
    };
    let authorities = Authorities::new(&place.target.connection.ca_files)?;
    let client = Client::new(&host.to_string(), SocketAddr::new(ip, place.port), &authorities, walker.now, place.dial)?;
    let url = crate::collect::http::client::url("https", &host.to_string(), place.port, "/.well-known/mta-sts.txt")
        .ok_or_else(|| Trouble::new(Reason::Unsupported, "the domain is no part of an address"))?;
    let answer = client.get(url, Bodies::Last).await?;
    if let Some(fault) = client.certificate_error() {
        return Ok(Err(format!("the server of the policy is not to be trusted: {fault}")));
    }
    taken(&answer)
}

fn taken(answer: &Response) -> Result<Result<Policy, String>, Trouble> {
    let media = answer.first("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match answer.status {
        200 if !media.eq_ignore_ascii_case("text/plain") => {
            Ok(Err("the policy is not served as text/plain".to_owned()))
        }
        200 if answer.body.len() > POLICY => Ok(Err("the policy is larger than 64 KiB".to_owned())),
        200 => Ok(sts::policy(&answer.body)),
        status @ 500..=599 => {
            Err(Trouble::new(Reason::Unsupported, format!("the server of the policy answered {status}")))
        }
        status @ 300..=399 => Ok(Err(format!("the address of the policy redirects (status {status})"))),
        status => Ok(Err(format!("the address of the policy answers with status {status}"))),
    }
}
