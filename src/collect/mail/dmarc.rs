//! DMARC (RFC 7489): the record of a domain, or of its organisational domain.

use super::{below, texts_at};
use crate::collect::dns::resolver::Resolver;
use crate::model::Trouble;
use crate::model::mail::Dmarc as Facts;
use crate::model::mail::dmarc::{is_record, parse};
use crate::wire::dns::Name;

/// Looks for the record, and whether those that it sends reports to want them.
pub async fn look(resolver: &Resolver<'_>, domain: &Name) -> Result<Facts, Trouble> {
    let own = records(resolver, domain).await?;
    let above = organisation(domain);
    let (at, records) = match (own.is_empty(), &above) {
        (true, Some(above)) if above != domain => (above.clone(), records(resolver, above).await?),
        _ => (domain.clone(), own),
    };
    let mut facts = Facts { present: !records.is_empty(), ..Facts::default() };
    if facts.present {
        facts.found_at = at.to_string();
    }
    let record = match records.as_slice() {
        [] => return Ok(facts),
        [text] => parse(text),
        several => Err(format!("there are {} records", several.len())),
    };
    let record = match record {
        Ok(record) => record,
        Err(why) => {
            facts.why = why;
            return Ok(facts);
        }
    };
    facts.valid = true;
    facts.policy = if at == *domain { record.policy } else { record.subdomain_policy.clone() };
    facts.subdomain_policy = record.subdomain_policy;
    facts.percent = record.percent;
    facts.reports = !record.destinations.is_empty();
    facts.strict_dkim = record.strict_dkim;
    facts.strict_spf = record.strict_spf;
    for target in record.destinations.iter().filter_map(|domain| Name::parse(domain)).take(10) {
        if organisation(&target) != above && !wants(resolver, &at, &target).await? {
            facts.unauthorised.push(target.to_string());
        }
    }
    Ok(facts)
}

async fn records(resolver: &Resolver<'_>, domain: &Name) -> Result<Vec<String>, Trouble> {
    let texts = texts_at(resolver, &below("_dmarc", domain)?).await?;
    Ok(texts.into_iter().filter(|text| is_record(text)).collect())
}

/// The domain that an organisation has registered.
fn organisation(domain: &Name) -> Option<Name> {
    psl::domain_str(&domain.to_string()).and_then(Name::parse)
}

/// Whether another domain says that it takes the reports of this one (section 7.1).
async fn wants(resolver: &Resolver<'_>, domain: &Name, target: &Name) -> Result<bool, Trouble> {
    let Some(name) = Name::parse(&format!("{domain}._report._dmarc.{target}")) else { return Ok(false) };
    Ok(texts_at(resolver, &name).await?.iter().any(|text| is_record(text)))
}
