//! Whether what is said of a name is signed, and the signatures hold.

use super::chain::{Secure, Standing, Walker, verify_found};
use super::signature::{Signed, rsa_bits};
use crate::model::Trouble;
use crate::model::dns::Dnssec as Facts;
use crate::wire::dns::record::{self, Dnskey};
use crate::wire::dns::{Name, Record};
use jiff::Timestamp;

const DAY: i64 = 86_400;

/// Walks the chain to the name, and verifies its zone's start and its addresses.
pub async fn look(walker: &Walker<'_>, name: &Name) -> Result<Facts, Trouble> {
    let mut facts = Facts { applicable: true, ..Facts::default() };
    match walker.walk(name).await? {
        Standing::Insecure { zone, why } => {
            "insecure".clone_into(&mut facts.status);
            facts.zone = zone.to_string();
            facts.why = why;
            // Keys below a parent that does not vouch for them.
            let domain = psl::domain_str(&name.to_string()).and_then(Name::parse).unwrap_or(zone);
            let keys = walker.resolver.ask(&domain, record::DNSKEY).await?.of(&domain, record::DNSKEY);
            facts.signed = !keys.is_empty();
            facts.algorithms = algorithms(&keys);
        }
        Standing::Bogus(why) => {
            "bogus".clone_into(&mut facts.status);
            facts.signed = true;
            facts.why = why;
        }
        Standing::Secure(secure) => within(walker, name, &secure, &mut facts).await?,
    }
    Ok(facts)
}

async fn within(walker: &Walker<'_>, name: &Name, secure: &Secure, facts: &mut Facts) -> Result<(), Trouble> {
    let zone = &secure.zone;
    facts.zone = zone.name.to_string();
    facts.signed = true;
    "secure".clone_into(&mut facts.status);
    let keys = walker.resolver.ask(&zone.name, record::DNSKEY).await?.of(&zone.name, record::DNSKEY);
    facts.algorithms = algorithms(&keys);
    let parameters = walker.resolver.ask(&zone.name, record::NSEC3PARAM).await?.of(&zone.name, record::NSEC3PARAM);
    let rounds = parameters.iter().filter_map(|record| record.data.get(2..4)?.first_chunk::<2>().copied());
    facts.nsec3_iterations = rounds.map(|bytes| u32::from(u16::from_be_bytes(bytes))).max().unwrap_or(0);
    facts.weak = weak(secure, &keys, facts.nsec3_iterations);
    let mut expires = secure.expires;
    for (at, kind) in [(&zone.name, record::SOA), (name, record::A), (name, record::AAAA)] {
        match signed(walker, at, kind, secure).await? {
            None => {}
            Some(Ok(signed)) => expires = expires.min(signed.expires),
            Some(Err(why)) => {
                "bogus".clone_into(&mut facts.status);
                facts.why = why;
                return Ok(());
            }
        }
    }
    facts.expires = expires.to_string();
    facts.days_left = days(walker.now, expires);
    Ok(())
}

/// Whether the records of a name, or its alias, are signed. `None` where it has none of the kind.
async fn signed(
    walker: &Walker<'_>,
    name: &Name,
    kind: u16,
    secure: &Secure,
) -> Result<Option<Result<Signed, String>>, Trouble> {
    let answer = walker.resolver.ask(name, kind).await?;
    let records = match answer.of(name, kind) {
        records if records.is_empty() => answer.of(name, record::CNAME),
        records => records,
    };
    let verified = || verify_found(&records, &answer, &secure.zone, walker.now);
    Ok((!records.is_empty()).then(verified))
}

fn days(now: Timestamp, then: Timestamp) -> i64 {
    then.as_second().saturating_sub(now.as_second()).div_euclid(DAY)
}

fn algorithms(keys: &[Record]) -> Vec<String> {
    let mut numbers: Vec<u8> = keys.iter().filter_map(|key| Dnskey::read(&key.data)).map(|key| key.algorithm).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers.into_iter().map(algorithm).collect()
}

/// An algorithm by number and name (RFC 8624).
fn algorithm(number: u8) -> String {
    let name = match number {
        1 => "RSA/MD5",
        3 => "DSA/SHA-1",
        5 | 7 => "RSA/SHA-1",
        6 => "DSA/SHA-1 with NSEC3",
        8 => "RSA/SHA-256",
        10 => "RSA/SHA-512",
        12 => "GOST R 34.10-2001",
        13 => "ECDSA P-256",
        14 => "ECDSA P-384",
        15 => "Ed25519",
        16 => "Ed448",
        _ => "unknown",
    };
    format!("{number} {name}")
}

fn weak(secure: &Secure, keys: &[Record], rounds: u32) -> Vec<String> {
    let mut weak = Vec::new();
    for key in keys.iter().filter_map(|record| Dnskey::read(&record.data)) {
        if matches!(key.algorithm, 1 | 3 | 5 | 6 | 7 | 12) {
            weak.push(format!("keys of algorithm {}", algorithm(key.algorithm)));
        }
        // The key that signs the others has to last; one that signs records is changed often.
        let (least, what) = if key.flags & 1 != 0 { (2_048, "entry key") } else { (1_024, "zone key") };
        if let Some(bits) = rsa_bits(&key).filter(|bits| *bits < least) {
            weak.push(format!("an {what} of RSA with {bits} bits").replace("an zone", "a zone"));
        }
    }
    if secure.digests.iter().all(|ds| ds.digest_type == 1) {
        weak.push("a digest of SHA-1 alone at the parent".to_owned());
    }
    if rounds > 0 {
        weak.push(format!("{rounds} extra rounds of the hash in NSEC3"));
    }
    weak.sort();
    weak.dedup();
    weak
}
