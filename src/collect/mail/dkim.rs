//! DKIM (RFC 6376): the keys of the selectors that the user names. Selectors cannot be found out from outside.

use super::{below, texts_at};
use crate::collect::dns::resolver::Resolver;
use crate::model::Trouble;
use crate::model::mail::dkim::parse;
use crate::model::mail::{Dkim as Facts, Selector};
use crate::wire::dns::Name;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::{PublicKey, RSAPublicKey};
use x509_parser::x509::SubjectPublicKeyInfo;

/// Looks for the key of each selector.
pub async fn look(resolver: &Resolver<'_>, domain: &Name, selectors: &[String]) -> Result<Facts, Trouble> {
    let mut facts = Facts { named: !selectors.is_empty(), selectors: Vec::new() };
    let place = below("_domainkey", domain)?;
    for selector in selectors {
        // A selector may have several labels.
        let mut name = place.clone();
        for label in selector.rsplit('.') {
            name = below(label, &name)?;
        }
        let texts = texts_at(resolver, &name).await?;
        facts.selectors.push(read(selector, &texts));
    }
    facts.selectors.sort();
    facts.selectors.dedup();
    Ok(facts)
}

fn read(name: &str, texts: &[String]) -> Selector {
    let mut selector = Selector { name: name.to_owned(), present: !texts.is_empty(), ..Selector::default() };
    let record = match texts {
        [] => return selector,
        [text] => parse(text),
        several => Err(format!("there are {} records", several.len())),
    };
    let record = match record {
        Ok(record) => record,
        Err(why) => {
            selector.why = why;
            return selector;
        }
    };
    selector.revoked = record.key.is_empty();
    selector.testing = record.testing;
    let bits = match record.key_type.as_str() {
        _ if selector.revoked => Some(0),
        "ed25519" => (record.key.len() == 32).then_some(256),
        _ => rsa_bits(&record.key),
    };
    selector.key_type = record.key_type;
    match bits {
        Some(bits) => (selector.valid, selector.bits) = (true, bits),
        None => "the key cannot be read".clone_into(&mut selector.why),
    }
    selector
}

/// The size of an RSA key, which stands alone or with its algorithm (RFC 6376 erratum 3017).
fn rsa_bits(key: &[u8]) -> Option<u32> {
    if let Ok((_, info)) = SubjectPublicKeyInfo::from_der(key)
        && let Ok(PublicKey::RSA(rsa)) = info.parsed()
    {
        return u32::try_from(rsa.key_size()).ok();
    }
    RSAPublicKey::from_der(key).ok().and_then(|(_, rsa)| u32::try_from(rsa.key_size()).ok())
}
