//! Who may issue certificates (RFC 8659): the records of the name, or of the first name above it that has some.

use super::resolver::Resolver;
use crate::model::dns::Caa as Facts;
use crate::model::tls::Certificates;
use crate::model::{Fact, Observation, ObservationStatus, Reason, Trouble};
use crate::wire::dns::Name;
use crate::wire::dns::record::{self, Caa};

/// Tags whose meaning is known.
const KNOWN: [&str; 7] = ["issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"];

/// Words in the name of an issuer, and the domains by which CAA records name it.
const ISSUERS: &[(&str, &[&str])] = &[
    ("let's encrypt", &["letsencrypt.org"]),
    ("google trust services", &["pki.goog", "google.com"]),
    ("amazon", &["amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"]),
    ("digicert", &["digicert.com", "www.digicert.com", "digicert.ne.jp"]),
    ("thawte", &["digicert.com", "thawte.com"]),
    ("geotrust", &["digicert.com", "geotrust.com"]),
    ("rapidssl", &["digicert.com", "rapidssl.com"]),
    ("sectigo", &["sectigo.com", "comodoca.com", "comodo.com", "usertrust.com"]),
    ("zerossl", &["sectigo.com", "zerossl.com"]),
    ("globalsign", &["globalsign.com"]),
    ("godaddy", &["godaddy.com", "starfieldtech.com"]),
    ("starfield", &["starfieldtech.com", "godaddy.com"]),
    ("entrust", &["entrust.net", "affirmtrust.com"]),
    ("ssl.com", &["ssl.com"]),
    ("ssl corporation", &["ssl.com"]),
    ("buypass", &["buypass.com", "buypass.no"]),
    ("microsoft", &["microsoft.com"]),
    ("swisssign", &["swisssign.com"]),
    ("actalis", &["actalis.it"]),
    ("certum", &["certum.pl"]),
    ("unizeto", &["certum.pl"]),
    ("d-trust", &["d-trust.net"]),
    ("telesec", &["telesec.de"]),
    ("harica", &["harica.gr"]),
];

/// Looks for the relevant set of records, from the name upwards. The root has none.
pub async fn look(resolver: &Resolver<'_>, name: &Name, earlier: &[Observation]) -> Result<Facts, Trouble> {
    let mut at = Some(name.clone());
    while let Some(here) = at.filter(|name| !name.is_empty()) {
        // Aliases are followed for each name, and the climb goes on from the name itself.
        let found = resolver.find(&here, record::CAA).await?;
        if here == *name && !found.exists {
            // A name that is known to this machine alone: nothing follows from the names above it.
            return Err(Trouble::new(Reason::Unreachable, format!("the DNS knows no name {name}")));
        }
        if !found.records.is_empty() {
            let records: Vec<Option<Caa>> = found.records.iter().map(|record| Caa::read(&record.data)).collect();
            return Ok(facts(&here, &records, &issuers(earlier)));
        }
        at = here.parent();
    }
    Ok(facts(&Name::root(), &[], &issuers(earlier)))
}

/// The issuers of the certificates in use, as their names are written.
fn issuers(earlier: &[Observation]) -> Fact<Vec<String>> {
    let mut names = Vec::new();
    for seen in earlier.iter().filter(|seen| seen.kind == "tls.certificates") {
        let certificates = seen.read::<Certificates>();
        let (ObservationStatus::Complete | ObservationStatus::Partial, Ok(certificates)) = (seen.status, certificates)
        else {
            return Fact::unknown("the certificate in use was not seen");
        };
        names.extend(certificates.deployments.into_iter().map(|deployment| deployment.leaf.issuer));
    }
    names.sort();
    names.dedup();
    if names.is_empty() { Fact::unknown("the certificate in use was not seen") } else { names.into() }
}

fn facts(at: &Name, records: &[Option<Caa>], in_use: &Fact<Vec<String>>) -> Facts {
    let read = || records.iter().flatten();
    let of = |tag: &'static str| read().filter(move |caa| caa.tag == tag);
    let domain = |caa: &Caa| caa.value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let names = |tag| {
        let mut names: Vec<String> = of(tag).map(domain).filter(|name| !name.is_empty()).collect();
        names.sort();
        names.dedup();
        names
    };
    // What cannot be read may be critical, and an authority must then refuse as well.
    let unknown_critical = records.iter().any(|caa| match caa {
        Some(caa) => caa.critical && !KNOWN.contains(&caa.tag.as_str()),
        None => true,
    });
    let limits = of("issue").next().is_some();
    let issuers = if unknown_critical { Vec::new() } else { names("issue") };
    let wildcards = of("issuewild").next().is_some();
    let wildcard_issuers = match (unknown_critical, wildcards) {
        (true, _) => Vec::new(),
        (false, true) => names("issuewild"),
        (false, false) => issuers.clone(),
    };
    let parameters = |caa: &Caa| {
        let value = caa.value.to_ascii_lowercase();
        value
            .split(';')
            .skip(1)
            .any(|part| ["accounturi", "validationmethods"].iter().any(|name| part.trim_start().starts_with(name)))
    };
    let current = current(in_use);
    let allows_current = match (&current, limits || unknown_critical) {
        (_, false) => true.into(),
        (Fact::Known(domains), true) => domains.iter().all(|own| own.iter().any(|name| issuers.contains(name))).into(),
        (Fact::Unknown(why), true) => Fact::unknown(why.unknown.clone()),
    };
    let current_issuer = match &current {
        Fact::Known(domains) => {
            let first = domains.iter().filter_map(|own| own.first().cloned());
            first.collect::<Vec<_>>().join(", ").into()
        }
        Fact::Unknown(why) => Fact::unknown(why.unknown.clone()),
    };
    Facts {
        applicable: true,
        present: !records.is_empty(),
        found_at: if records.is_empty() { String::new() } else { at.to_string() },
        limits: limits || unknown_critical,
        bound: of("issue").next().is_some() && of("issue").all(parameters),
        issuers,
        wildcard_issuers,
        unknown_critical,
        reports: of("iodef").next().is_some(),
        current_issuer,
        allows_current,
    }
}

/// The domains of each issuer in use.
fn current(in_use: &Fact<Vec<String>>) -> Fact<Vec<Vec<String>>> {
    let names = match in_use {
        Fact::Known(names) => names,
        Fact::Unknown(why) => return Fact::unknown(why.unknown.clone()),
    };
    let mut domains = Vec::new();
    for name in names {
        let lower = name.to_ascii_lowercase();
        let Some((_, own)) = ISSUERS.iter().find(|(words, _)| lower.contains(words)) else {
            return Fact::unknown("the domain by which the issuer in use is named is not known");
        };
        domains.push(own.iter().map(|domain| (*domain).to_owned()).collect());
    }
    domains.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(records: &[(&str, bool, &str)], issuer: &str) -> Facts {
        let records: Vec<_> = records
            .iter()
            .map(|(tag, critical, value)| Some(Caa { critical: *critical, tag: (*tag).into(), value: (*value).into() }))
            .collect();
        facts(&Name::parse("shop.example").unwrap(), &records, &vec![issuer.to_owned()].into())
    }

    #[test]
    fn the_vectors_of_the_specification() {
        let facts =
            judged(&[("issue", false, "letsencrypt.org"), ("issuewild", false, ";")], "CN=R11, O=Let's Encrypt");
        assert_eq!(facts.issuers, ["letsencrypt.org"]);
        assert!(facts.limits && facts.wildcard_issuers.is_empty());
        assert_eq!(facts.allows_current, true.into());
        let nobody = judged(&[("issue", false, "letsencrypt.org"), ("tbs", true, "x")], "O=Let's Encrypt");
        assert!(nobody.unknown_critical && nobody.issuers.is_empty());
        assert_eq!(nobody.allows_current, false.into());
    }

    #[test]
    fn limits_are_told_from_contacts() {
        assert!(!judged(&[("iodef", false, "mailto:a@b.example")], "O=Amazon").limits);
        let nobody = judged(&[("issue", false, ";")], "O=Amazon");
        assert!(nobody.limits && nobody.issuers.is_empty() && nobody.wildcard_issuers.is_empty());
        let bound = judged(
            &[("issue", false, "ca.example; accounturi=https://a.example/1; validationmethods=dns-01")],
            "O=Own",
        );
        assert!(bound.bound && bound.issuers == ["ca.example"]);
        assert!(bound.allows_current.known().is_none(), "an issuer without a known domain");
        let odd = facts(&Name::root(), &[None], &Fact::unknown("not seen"));
        assert!(odd.present && odd.limits && odd.issuers.is_empty());
    }
}
