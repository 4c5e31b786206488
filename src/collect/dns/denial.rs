//! Proofs that a name, or a kind of record at it, is not there (RFC 4034 section 4, RFC 5155).

use super::signature::{Zone, verify};
use crate::wire::dns::record::{self, Nsec, Nsec3};
use crate::wire::dns::{Name, Record};
use aws_lc_rs::digest;
use data_encoding::BASE32_DNSSEC;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// More rounds of the hash than this are not computed; resolvers take such a zone as unsigned (RFC 9276 section 3.2).
const ROUNDS: u16 = 150;
/// The most gaps of one answer that are looked at.
const GAPS: usize = 12;

/// What is proved of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// It exists, with these kinds of records alone.
    Kinds(BTreeSet<u16>),
    /// It does not exist itself, but names below it do.
    Between,
    /// It does not exist, and nothing below it.
    Absent,
    /// It stands in a gap in which delegations without keys may stand.
    OptOut,
    /// The proof needs more rounds of the hash than anybody computes.
    TooManyRounds,
}

/// What the authority section of an answer proves of a name.
///
/// # Errors
/// In words, when it proves nothing.
pub fn prove(authorities: &[Record], name: &Name, zone: &Zone, now: Timestamp) -> Result<Denial, String> {
    let signatures: Vec<Record> = authorities.iter().filter(|record| record.kind == record::RRSIG).cloned().collect();
    let mut why = format!("there is no proof by the zone {} of what {name} has", zone.name);
    let mut proved = None;
    let gaps = authorities.iter().filter(|record| matches!(record.kind, record::NSEC | record::NSEC3));
    for gap in gaps.filter(|gap| gap.name.is_within(&zone.name)).take(GAPS) {
        let denial = if gap.kind == record::NSEC { nsec(gap, name) } else { nsec3(gap, name, zone) };
        let Some(denial) = denial else { continue };
        match verify(std::slice::from_ref(gap), &signatures, zone, now) {
            // The name itself is the strongest proof.
            Ok(_) if matches!(denial, Denial::Kinds(_)) => return Ok(denial),
            Ok(_) => proved = Some(denial),
            Err(fault) => why = fault,
        }
    }
    proved.ok_or(why)
}

fn nsec(gap: &Record, name: &Name) -> Option<Denial> {
    let read = Nsec::read(&gap.data)?;
    if gap.name == *name {
        return Some(Denial::Kinds(read.kinds));
    }
    // A gap of the parent's at a delegation says nothing of names below it (RFC 6840 section 4.1).
    let delegates = read.kinds.contains(&record::NS) && !read.kinds.contains(&record::SOA);
    if name.is_within(&gap.name) && (delegates || read.kinds.contains(&record::DNAME)) {
        return None;
    }
    let (owner, next, at) = (gap.name.order(), read.next.order(), name.order());
    let after = owner < at;
    // The last gap leads back to the zone's own name.
    let covers = after && (at < next || next <= owner);
    covers.then(|| if read.next.is_within(name) { Denial::Between } else { Denial::Absent })
}

fn nsec3(gap: &Record, name: &Name, zone: &Zone) -> Option<Denial> {
    let read = Nsec3::read(&gap.data)?;
    if read.hash != 1 || gap.name.parent()? != zone.name {
        return None;
    }
    if read.iterations > ROUNDS {
        return Some(Denial::TooManyRounds);
    }
    let owner = BASE32_DNSSEC.decode(gap.name.order().last()?).ok()?;
    let covers = |hash: &[u8]| {
        let (hash, owner, next) = (hash, owner.as_slice(), read.next.as_slice());
        if owner < next { owner < hash && hash < next } else { hash > owner || hash < next }
    };
    if hash(name, &read) == owner {
        return Some(Denial::Kinds(read.kinds));
    }
    // The gap may hold the name itself, or the first name above it that does not exist.
    let mut at = name.clone();
    while at.len() > zone.name.len() {
        if covers(&hash(&at, &read)) {
            return Some(if read.opt_out { Denial::OptOut } else { Denial::Absent });
        }
        at = at.parent()?;
    }
    None
}

/// The hash of a name (RFC 5155 section 5).
fn hash(name: &Name, gap: &Nsec3) -> Vec<u8> {
    let mut hash = name.canonical();
    for _ in 0..=gap.iterations {
        hash.extend(&gap.salt);
        hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &hash).as_ref().to_vec();
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn the_hash_of_the_published_example() {
        // RFC 5155 appendix A: salt aabbccdd, 12 rounds.
        let gap = Nsec3 {
            hash: 1,
            opt_out: true,
            iterations: 12,
            salt: vec![0xAA, 0xBB, 0xCC, 0xDD],
            next: vec![],
            kinds: BTreeSet::new(),
        };
        assert_eq!(hash(&name("example"), &gap), BASE32_DNSSEC.decode(b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom").unwrap());
        assert_eq!(hash(&name("a.example"), &gap), BASE32_DNSSEC.decode(b"35mthgpgcu1qg68fab165klnsnk3dpvl").unwrap());
    }

    #[test]
    fn gaps_between_names_are_told_apart() {
        let gap = |owner: &str, next: &str, kinds: &[u8]| Record {
            name: name(owner),
            kind: record::NSEC,
            class: 1,
            ttl: 0,
            data: [name(next).canonical(), kinds.to_vec()].concat(),
        };
        let host = [0, 1, 0x40];
        let delegation = [0, 1, 0x20];
        assert!(matches!(nsec(&gap("b.example", "d.example", &host), &name("b.example")), Some(Denial::Kinds(_))));
        assert_eq!(nsec(&gap("b.example", "d.example", &host), &name("c.example")), Some(Denial::Absent));
        assert_eq!(nsec(&gap("b.example", "x.c.example", &host), &name("c.example")), Some(Denial::Between));
        assert_eq!(nsec(&gap("b.example", "d.example", &host), &name("e.example")), None);
        assert_eq!(nsec(&gap("d.example", "example", &host), &name("e.example")), Some(Denial::Absent), "the last gap");
        assert_eq!(nsec(&gap("b.example", "d.example", &delegation), &name("x.b.example")), None, "below a delegation");
    }
}
