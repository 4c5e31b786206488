//! Certificates that the DNS vouches for (RFC 6698, RFC 7671, RFC 7672).

use super::chain::{Standing, Walker, verify_found};
use super::resolver::Found;
use crate::model::dns::{Association, Tlsa as Facts};
use crate::model::tls::{Certificates, ChainLink, Deployment};
use crate::model::{Fact, Observation, ObservationStatus, Trouble, digest};
use crate::wire::dns::Name;
use crate::wire::dns::record::{self, Tlsa};

/// The most records that are looked at.
const RECORDS: usize = 50;

/// Looks for the records of a port, and compares them with the certificates that were seen.
pub async fn look(
    walker: &Walker<'_>,
    host: &Name,
    port: u16,
    mail: bool,
    earlier: &[Observation],
) -> Result<Facts, Trouble> {
    compared(walker, host, port, mail, &deployments(earlier)).await
}

/// The records of a port, compared with these certificates.
///
/// # Errors
/// When the records, or what vouches for them, cannot be had.
pub async fn compared(
    walker: &Walker<'_>,
    host: &Name,
    port: u16,
    mail: bool,
    shown: &Fact<Vec<Deployment>>,
) -> Result<Facts, Trouble> {
    let (name, found, why) = secured(walker, host, port).await?;
    let records: Vec<Option<Tlsa>> =
        found.records.iter().take(RECORDS).map(|record| Tlsa::read(&record.data)).collect();
    let none = Fact::unknown("there are no records to compare");
    let (associations, matches) = if records.is_empty() { (Vec::new(), none) } else { judge(&records, mail, shown) };
    Ok(Facts {
        applicable: true,
        name,
        present: !records.is_empty(),
        secure: !records.is_empty() && why.is_empty(),
        why,
        records: associations,
        matches,
    })
}

/// The records of a host's port, and why they are not to be trusted, if they are not.
pub async fn secured(walker: &Walker<'_>, host: &Name, port: u16) -> Result<(String, Found, String), Trouble> {
    let name = host.child("_tcp").and_then(|name| name.child(&format!("_{port}")));
    let name = name
        .ok_or_else(|| Trouble::new(crate::model::Reason::Unsupported, "the name is too long for records of a port"))?;
    let found = walker.resolver.find(&name, record::TLSA).await?;
    if found.records.is_empty() {
        return Ok((name.to_string(), found, String::new()));
    }
    let mut why = String::new();
    for at in &found.aliases {
        let kind = if *at == found.name { record::TLSA } else { record::CNAME };
        if let Err(fault) = trusted(walker, at, kind).await? {
            why = fault;
            break;
        }
    }
    Ok((name.to_string(), found, why))
}

/// Whether the records of this name and kind are signed, from the root down.
///
/// # Errors
/// The outer one when it cannot be told, the inner one when they are not, in words.
pub async fn trusted(walker: &Walker<'_>, name: &Name, kind: u16) -> Result<Result<(), String>, Trouble> {
    let secure = match walker.walk(name).await? {
        Standing::Secure(secure) => secure,
        Standing::Insecure { why, .. } | Standing::Bogus(why) => return Ok(Err(why)),
    };
    let answer = walker.resolver.ask(name, kind).await?;
    let records = answer.of(name, kind);
    Ok(verify_found(&records, &answer, &secure.zone, walker.now).map(|_| ()))
}

/// The certificates in use, on every address.
fn deployments(earlier: &[Observation]) -> Fact<Vec<Deployment>> {
    let mut deployments = Vec::new();
    for seen in earlier.iter().filter(|seen| seen.kind == "tls.certificates") {
        match (seen.status, seen.read::<Certificates>()) {
            (ObservationStatus::Complete, Ok(certificates)) => deployments.extend(certificates.deployments),
            _ => return Fact::unknown("not every certificate in use was seen"),
        }
    }
    if deployments.is_empty() { Fact::unknown("no certificate in use was seen") } else { deployments.into() }
}

fn judge(records: &[Option<Tlsa>], mail: bool, deployments: &Fact<Vec<Deployment>>) -> (Vec<Association>, Fact<bool>) {
    let known = deployments.known().map_or(&[][..], Vec::as_slice);
    let verdicts: Vec<Vec<Match>> =
        known.iter().map(|seen| records.iter().map(|record| compare(record.as_ref(), mail, seen)).collect()).collect();
    let mut associations = Vec::new();
    for (n, record) in records.iter().enumerate() {
        let Some(tlsa) = record else { continue };
        let of = verdicts.iter().filter_map(|verdicts| verdicts.get(n).copied());
        let best = of.max().unwrap_or(if is_usable(tlsa, mail) { Match::Unknown } else { Match::Unusable });
        let (usage, selector, matching) = (tlsa.usage, tlsa.selector, tlsa.matching);
        associations.push(Association { usage, selector, matching, result: best.word().to_owned() });
    }
    associations.sort();
    let matches = match deployments {
        Fact::Unknown(why) => Fact::unknown(why.unknown.clone()),
        Fact::Known(_) => {
            // Every certificate must fit one of the records.
            let best = verdicts.iter().map(|of| of.iter().max().copied().unwrap_or(Match::Unusable)).min();
            match best {
                Some(Match::Yes) => true.into(),
                Some(Match::Unknown) => Fact::unknown("a record is of a form that was not compared"),
                Some(Match::No) => false.into(),
                _ => Fact::unknown("no record is of a form that can be used"),
            }
        }
    };
    (associations, matches)
}

/// How a record fits a certificate, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Match {
    Unusable,
    No,
    Unknown,
    Yes,
}

impl Match {
    fn word(self) -> &'static str {
        match self {
            Match::Unusable => "unusable",
            Match::No => "mismatch",
            Match::Unknown => "unknown",
            Match::Yes => "match",
        }
    }
}

/// Mail uses the records that need no public authority alone (RFC 7672 section 3.1).
pub fn is_usable(record: &Tlsa, mail: bool) -> bool {
    let length = match record.matching {
        1 => record.data.len() == 32,
        2 => record.data.len() == 64,
        0 => !record.data.is_empty(),
        _ => false,
    };
    length && record.selector <= 1 && record.usage <= 3 && (!mail || record.usage >= 2)
}

fn compare(record: Option<&Tlsa>, mail: bool, seen: &Deployment) -> Match {
    let Some(record) = record.filter(|record| is_usable(record, mail)) else { return Match::Unusable };
    // A digest of the whole serves where the whole is given.
    let wanted = match record.matching {
        0 => digest::sha256(&record.data),
        1 => record.data.iter().map(|byte| format!("{byte:02x}")).collect(),
        _ => return Match::Unknown,
    };
    let own = |link: &ChainLink| if record.selector == 0 { link.sha256.clone() } else { link.key_sha256.clone() };
    if seen.chain.iter().any(|link| own(link).is_empty()) {
        return Match::Unknown;
    }
    let end_entity = record.usage % 2 == 1;
    let mut links = seen.chain.iter().enumerate().filter(|(n, _)| !end_entity || *n == 0);
    if !links.any(|(_, link)| own(link).eq_ignore_ascii_case(&wanted)) {
        return Match::No;
    }
    // Usages 0 and 1 ask for a public authority besides; 2 asks for the name.
    match (record.usage, seen.trust.known()) {
        (3, _) => Match::Yes,
        (2, _) if seen.name_matches => Match::Yes,
        (2, _) => Match::No,
        (_, Some(trust)) if trust == "trusted" && seen.name_matches => Match::Yes,
        (_, Some(_)) => Match::No,
        (_, None) => Match::Unknown,
    }
}
