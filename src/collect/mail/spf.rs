//! SPF (RFC 7208): the record, and what its evaluation would ask of the DNS.

use super::texts_at;
use crate::collect::dns::resolver::Resolver;
use crate::model::Trouble;
use crate::model::mail::Spf as Facts;
use crate::model::mail::spf::{Mechanism, Record, is_record, parse};
use crate::wire::dns::Name;
use crate::wire::dns::record;

/// Limits of RFC 7208 section 4.6.4.
const LOOKUPS: u32 = 10;
const VOID: u32 = 2;
const NAMES: usize = 10;

/// Reads the record of a domain and all that it includes.
pub async fn look(resolver: &Resolver<'_>, domain: &Name) -> Result<Facts, Trouble> {
    let mut facts = Facts { all: "none".to_owned(), ..Facts::default() };
    let mut records: Vec<String> =
        texts_at(resolver, domain).await?.into_iter().filter(|text| is_record(text)).collect();
    facts.present = !records.is_empty();
    let record = match (records.pop(), records.len()) {
        (None, _) => return Ok(facts),
        (Some(record), 0) => record,
        (Some(_), more) => {
            facts.why = format!("there are {} records", more + 1);
            return Ok(facts);
        }
    };
    let mut walk = Walk { resolver, facts, fault: None };
    walk.whole(domain, &record).await?;
    let mut facts = walk.facts;
    facts.valid = walk.fault.is_none();
    facts.why = walk.fault.unwrap_or_default();
    Ok(facts)
}

/// A record that is still to be read.
struct Open {
    domain: Name,
    text: String,
    /// What it says of everybody else holds for the whole: it is the first one, or one that it hands over to.
    decides: bool,
    /// The domains that led here.
    path: Vec<Name>,
}

/// The walk through a record and those that it includes.
struct Walk<'a> {
    resolver: &'a Resolver<'a>,
    facts: Facts,
    /// Where a receiver gives up.
    fault: Option<String>,
}

impl Walk<'_> {
    async fn whole(&mut self, domain: &Name, text: &str) -> Result<(), Trouble> {
        let mut open =
            vec![Open { domain: domain.clone(), text: text.to_owned(), decides: true, path: vec![domain.clone()] }];
        while let Some(next) = open.pop() {
            let record = match parse(&next.text) {
                Ok(record) => record,
                Err(why) => {
                    self.give_up(format!("{}: {why}", next.domain));
                    return Ok(());
                }
            };
            if let Some(sign) = record.all.filter(|_| next.decides) {
                self.facts.all = sign.to_string();
            }
            let found = self.record(&next, &record).await?;
            if self.fault.is_some() {
                return Ok(());
            }
            open.extend(found);
        }
        Ok(())
    }

    /// Counts what one record asks, and gives the records that it leads to.
    async fn record(&mut self, at: &Open, record: &Record) -> Result<Vec<Open>, Trouble> {
        let mut found = Vec::new();
        for mechanism in &record.mechanisms {
            self.facts.lookups += 1;
            self.facts.ptr |= mechanism.name == "ptr";
            if self.facts.lookups > LOOKUPS {
                self.give_up(format!("more than {LOOKUPS} terms ask the DNS"));
                return Ok(found);
            }
            if mechanism.is_macro() {
                // Another name for each message: it is counted, and cannot be asked for.
                continue;
            }
            let name = match mechanism.domain.as_str() {
                "" => Some(at.domain.clone()),
                domain => Name::parse(domain),
            };
            let Some(name) = name else {
                self.give_up(format!("{} names no domain", mechanism.name));
                return Ok(found);
            };
            if mechanism.name == "include" {
                found.extend(self.lead(at, name, "include").await?);
            } else {
                self.ask(mechanism, &name).await?;
            }
            if self.fault.is_some() {
                return Ok(found);
            }
        }
        if let Some(domain) = record.redirect.as_deref().filter(|domain| !domain.contains('%')) {
            self.facts.lookups += 1;
            if self.facts.lookups > LOOKUPS {
                self.give_up(format!("more than {LOOKUPS} terms ask the DNS"));
            } else if let Some(name) = Name::parse(domain) {
                found.extend(self.lead(at, name, "redirect").await?);
            } else {
                self.give_up("redirect names no domain".to_owned());
            }
        }
        Ok(found)
    }

    /// The record of a domain that another one leads to.
    async fn lead(&mut self, at: &Open, domain: Name, word: &str) -> Result<Option<Open>, Trouble> {
        if at.path.contains(&domain) {
            // A receiver that follows a circle runs into the limit.
            self.give_up(format!("{word} leads back to {domain}"));
            return Ok(None);
        }
        let texts: Vec<String> =
            texts_at(self.resolver, &domain).await?.into_iter().filter(|text| is_record(text)).collect();
        match texts.as_slice() {
            [text] => {
                let mut path = at.path.clone();
                path.push(domain.clone());
                let decides = at.decides && word == "redirect";
                Ok(Some(Open { domain, text: text.clone(), decides, path }))
            }
            [] => {
                self.give_up(format!("{word}: {domain} has no record"));
                Ok(None)
            }
            _ => {
                self.give_up(format!("{word}: {domain} has {} records", texts.len()));
                Ok(None)
            }
        }
    }

    /// Asks what a mechanism asks, to see whether it finds anything.
    async fn ask(&mut self, mechanism: &Mechanism, name: &Name) -> Result<(), Trouble> {
        let kinds: &[u16] = match mechanism.name.as_str() {
            "mx" => &[record::MX],
            "a" => &[record::A, record::AAAA],
            "exists" => &[record::A],
            // Its names depend on who sends.
            _ => return Ok(()),
        };
        let mut records = 0;
        for &kind in kinds {
            records += self.resolver.find(name, kind).await?.records.len();
        }
        if records == 0 {
            self.facts.void_lookups += 1;
            if self.facts.void_lookups > VOID {
                self.give_up(format!("more than {VOID} terms find nothing"));
            }
        }
        if mechanism.name == "mx" && records > NAMES {
            self.give_up(format!("mx: {name} names more than {NAMES} mail exchangers"));
        }
        Ok(())
    }

    fn give_up(&mut self, why: String) {
        self.fault.get_or_insert(why);
    }
}
