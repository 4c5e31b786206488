//! The chain of trust from the root down to the zone of a name (RFC 4035 section 5).

use super::denial::{self, Denial};
use super::resolver::{Answer, Resolver};
use super::signature::{self, Signed, Zone, verify};
use crate::model::dns::Anchor;
use crate::model::{Reason, Trouble};
use crate::wire::dns::record::{self, Dnskey, Ds};
use crate::wire::dns::{Name, Record};
use jiff::Timestamp;

/// Where the chain of trust to a name leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Down to the zone that the name is in.
    Secure(Secure),
    /// It ends without fault before that.
    Insecure {
        /// The first zone without trust.
        zone: Name,
        /// Why.
        why: String,
    },
    /// Something on the way is signed wrongly.
    Bogus(String),
}

/// A zone that the chain leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secure {
    /// The zone with its keys.
    pub zone: Zone,
    /// The digests by which its parent vouches for it.
    pub digests: Vec<Ds>,
    /// When the signature over its keys ends.
    pub expires: Timestamp,
}

/// What one step down the tree leads to.
enum Step {
    /// The child is a zone of its own.
    Down(Secure),
    /// It is none: the same zone goes on.
    Same,
    /// Nothing exists below.
    End,
    /// The chain ends here.
    Stop(Standing),
}

/// Walks chains of trust.
pub struct Walker<'a> {
    /// Whom it asks.
    pub resolver: &'a Resolver<'a>,
    /// Where trust starts.
    pub anchors: &'a [Anchor],
    /// The time as of which signatures are to hold.
    pub now: Timestamp,
}

impl Walker<'_> {
    /// The chain to the zone of a name.
    ///
    /// # Errors
    /// When a question stays unanswered, or the resolver passes on no signatures: nothing follows from that.
    pub async fn walk(&self, name: &Name) -> Result<Standing, Trouble> {
        let mut at = self.root().await?;
        for labels in 1..=name.len() {
            match self.step(&at, &name.last(labels)).await? {
                Step::Down(below) => at = below,
                Step::Same => {}
                Step::End => break,
                Step::Stop(standing) => return Ok(standing),
            }
        }
        Ok(Standing::Secure(at))
    }

    /// The root with its keys. Where they do not fit the anchor, the resolver is to blame, not the domain.
    async fn root(&self) -> Result<Secure, Trouble> {
        let root = Name::root();
        let answer = self.resolver.ask(&root, record::DNSKEY).await?;
        let digests: Vec<Ds> = self
            .anchors
            .iter()
            .map(|anchor| Ds {
                key_tag: anchor.key_tag,
                algorithm: anchor.algorithm,
                digest_type: anchor.digest_type,
                digest: anchor.digest.clone(),
            })
            .collect();
        if !answer.answers.iter().any(|record| record.kind == record::RRSIG) {
            let detail = "the resolver passes on no signatures, so that nothing can be verified";
            return Err(Trouble::new(Reason::Unsupported, detail));
        }
        keys(&root, &answer, digests, self.now).map_err(|why| {
            Trouble::new(Reason::ProtocolViolation, format!("the root's keys do not fit the trust anchor: {why}"))
        })
    }

    async fn step(&self, at: &Secure, child: &Name) -> Result<Step, Trouble> {
        let answer = self.resolver.ask(child, record::DS).await?;
        let records = answer.of(child, record::DS);
        if records.is_empty() {
            return Ok(self.without_digest(at, child, &answer));
        }
        if let Err(why) = verify(&records, &answer.answers, &at.zone, self.now) {
            return Ok(Step::Stop(Standing::Bogus(why)));
        }
        let digests: Vec<Ds> = records.iter().filter_map(|record| Ds::read(&record.data)).collect();
        let usable: Vec<Ds> = digests
            .iter()
            .filter(|ds| signature::is_known(ds.algorithm) && matches!(ds.digest_type, 1 | 2 | 4))
            .cloned()
            .collect();
        if usable.is_empty() {
            if digests.iter().any(|ds| matches!(ds.algorithm, 12 | 16 | 17 | 23)) {
                let detail = format!("the algorithm of the zone {child} cannot be checked here");
                return Err(Trouble::new(Reason::Unsupported, detail));
            }
            let why = format!("the zone {child} is signed with algorithms that nobody supports");
            return Ok(Step::Stop(Standing::Insecure { zone: child.clone(), why }));
        }
        let answer = self.resolver.ask(child, record::DNSKEY).await?;
        Ok(match keys(child, &answer, usable, self.now) {
            Ok(below) => Step::Down(Secure { digests, ..below }),
            Err(why) => Step::Stop(Standing::Bogus(why)),
        })
    }

    /// What it means that a parent has no digest for a name.
    fn without_digest(&self, at: &Secure, child: &Name, answer: &Answer) -> Step {
        let alias = answer.of(child, record::CNAME);
        if !alias.is_empty() {
            // Where an alias stands there is no zone.
            return match verify(&alias, &answer.answers, &at.zone, self.now) {
                Ok(_) => Step::Same,
                Err(why) => Step::Stop(Standing::Bogus(why)),
            };
        }
        let insecure = |why: String| Step::Stop(Standing::Insecure { zone: child.clone(), why });
        match denial::prove(&answer.authorities, child, &at.zone, self.now) {
            Ok(Denial::Kinds(kinds)) if kinds.contains(&record::DS) => {
                Step::Stop(Standing::Bogus(format!("the digest for {child} is held back")))
            }
            Ok(Denial::Kinds(kinds)) if kinds.contains(&record::NS) && !kinds.contains(&record::SOA) => {
                insecure(format!("the zone {} has no digest for {child}", at.zone.name))
            }
            Ok(Denial::Kinds(_) | Denial::Between) => Step::Same,
            Ok(Denial::Absent) => Step::End,
            Ok(Denial::OptOut) => insecure(format!("the zone {} leaves {child} out of its proofs", at.zone.name)),
            Ok(Denial::TooManyRounds) => {
                insecure(format!("the proofs of the zone {} take more rounds than resolvers compute", at.zone.name))
            }
            Err(why) => Step::Stop(Standing::Bogus(why)),
        }
    }
}

/// The keys of a zone, if one of them has one of these digests and signs them all.
fn keys(name: &Name, answer: &Answer, digests: Vec<Ds>, now: Timestamp) -> Result<Secure, String> {
    let records = answer.of(name, record::DNSKEY);
    if records.is_empty() {
        return Err(format!("the zone {name} shows no keys"));
    }
    let trusted = |record: &&Record| digests.iter().any(|ds| signature::is_digest_of(ds, record));
    let entry: Vec<Dnskey> = records.iter().filter(trusted).filter_map(|record| Dnskey::read(&record.data)).collect();
    if entry.is_empty() {
        return Err(format!("no key of the zone {name} has a digest that its parent holds"));
    }
    let Signed { expires, .. } = verify(&records, &answer.answers, &Zone { name: name.clone(), keys: entry }, now)?;
    let keys = records.iter().filter_map(|record| Dnskey::read(&record.data)).collect();
    Ok(Secure { zone: Zone { name: name.clone(), keys }, digests, expires })
}

/// Whether records that were found are signed by this zone, an expansion of a wildcard proved as well.
///
/// # Errors
/// In words, why they are not.
pub fn verify_found(records: &[Record], answer: &Answer, zone: &Zone, now: Timestamp) -> Result<Signed, String> {
    if let Some(above) = renamed(records, answer) {
        // An alias that follows from one for the whole subtree has no signature of its own (RFC 6672 section 5.3.1).
        return verify(&answer.of(&above, record::DNAME), &answer.answers, zone, now);
    }
    let signed = verify(records, &answer.answers, zone, now)?;
    if let (Some(closest), Some(first)) = (&signed.wildcard, records.first()) {
        // The name next below the one under which the wildcard stands must not exist itself.
        let next = first.name.last(closest.len() + 1);
        match denial::prove(&answer.authorities, &next, zone, now)? {
            Denial::Absent | Denial::OptOut => {}
            _ => return Err(format!("{} is taken from a wildcard without a proof", first.name)),
        }
    }
    Ok(signed)
}

/// The name above an alias whose subtree is renamed as a whole.
fn renamed(records: &[Record], answer: &Answer) -> Option<Name> {
    let alias = records.first().filter(|record| record.kind == record::CNAME)?;
    let own = answer.answers.iter().any(|record| record.kind == record::RRSIG && record.name == alias.name);
    let above = answer
        .answers
        .iter()
        .find(|record| record.kind == record::DNAME && alias.name.is_within(&record.name) && alias.name != record.name);
    above.filter(|_| !own).map(|record| record.name.clone())
}
