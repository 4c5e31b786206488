//! Signatures over records (RFC 4034, RFC 4035 section 5.3) and digests of keys.

use crate::wire::dns::record::{Dnskey, Ds, Rrsig};
use crate::wire::dns::{Name, Record};
use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    self as aws, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use jiff::Timestamp;

/// The most signatures over one set, and the most keys of one number, that are tried: what is made to cost more is
/// made by an attacker.
const SIGNATURES: usize = 8;
const KEYS: usize = 4;

/// A zone with the keys that its parent vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Its name.
    pub name: Name,
    /// Its keys.
    pub keys: Vec<Dnskey>,
}

/// A set of records whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// When the signature ends.
    pub expires: Timestamp,
    /// The records came from a wildcard: the name under which it stands.
    pub wildcard: Option<Name>,
}

/// Whether this algorithm can be checked here.
pub fn is_known(algorithm: u8) -> bool {
    matches!(algorithm, 5 | 7 | 8 | 10 | 13 | 14 | 15)
}

/// Whether records of one name and kind are signed by a key of the zone, at this time.
///
/// # Errors
/// In words, why they are not.
pub fn verify(records: &[Record], signatures: &[Record], zone: &Zone, now: Timestamp) -> Result<Signed, String> {
    let Some(first) = records.first() else { return Err("there is nothing to verify".to_owned()) };
    let what = format!("{} {}", first.name, kind_word(first.kind));
    let over: Vec<Rrsig> = signatures
        .iter()
        .filter(|record| record.name == first.name)
        .filter_map(|record| Rrsig::read(&record.data))
        .filter(|signature| signature.covered == first.kind && signature.signer == zone.name)
        .collect();
    if over.is_empty() {
        return Err(format!("{what} has no signature by the zone {}", zone.name));
    }
    let mut why = format!("no key of the zone {} made the signature over {what}", zone.name);
    for signature in over.iter().take(SIGNATURES) {
        match in_time(signature, now) {
            Err(when) => why = format!("the signature over {what} {when}"),
            Ok(expires) => {
                let keys = zone.keys.iter().filter(|key| {
                    key.tag == signature.key_tag && key.algorithm == signature.algorithm && key.signs_zones()
                });
                for key in keys.take(KEYS) {
                    match message(records, signature).filter(|message| holds(key, message, &signature.signature)) {
                        Some(_) => return Ok(Signed { expires, wildcard: wildcard(first, signature) }),
                        None => why = format!("the signature over {what} does not hold"),
                    }
                }
            }
        }
    }
    Err(why)
}

/// When a signature ends, if it is valid now. Its times are 32 bits wide and go round (RFC 1982).
fn in_time(signature: &Rrsig, now: Timestamp) -> Result<Timestamp, String> {
    let seconds = now.as_second();
    let low = u32::try_from(seconds & 0xFFFF_FFFF).unwrap_or_default();
    // Taken as signed, the difference goes either way round.
    let left = i64::from(signature.expires.wrapping_sub(low).cast_signed());
    let since = i64::from(low.wrapping_sub(signature.begins).cast_signed());
    let at = |seconds: i64| Timestamp::from_second(seconds).unwrap_or(now);
    let expires = at(seconds.saturating_add(left));
    if left < 0 {
        return Err(format!("ended on {expires}"));
    }
    if since < 0 {
        return Err(format!("begins only on {}", at(seconds.saturating_sub(since))));
    }
    Ok(expires)
}

fn wildcard(record: &Record, signature: &Rrsig) -> Option<Name> {
    let labels = usize::from(signature.labels);
    (labels < record.name.len() && record.name.child("*").is_some()).then(|| record.name.last(labels))
}

/// What was signed: the head of the signature, then the records in canonical order. `None` where it cannot have been.
fn message(records: &[Record], signature: &Rrsig) -> Option<Vec<u8>> {
    let first = records.first()?;
    let labels = usize::from(signature.labels);
    let own = first.name.len();
    let owner = match labels.cmp(&own) {
        std::cmp::Ordering::Equal => first.name.canonical(),
        std::cmp::Ordering::Less => first.name.last(labels).child("*")?.canonical(),
        std::cmp::Ordering::Greater => return None,
    };
    let mut data: Vec<&[u8]> = records.iter().map(Record::canonical).collect();
    data.sort_unstable();
    data.dedup();
    let mut message = signature.head.clone();
    for data in data {
        message.extend(&owner);
        message.extend(first.kind.to_be_bytes());
        message.extend(first.class.to_be_bytes());
        message.extend(signature.ttl.to_be_bytes());
        message.extend(u16::try_from(data.len()).ok()?.to_be_bytes());
        message.extend(data);
    }
    Some(message)
}

fn holds(key: &Dnskey, message: &[u8], signature: &[u8]) -> bool {
    let curve = |algorithm: &'static dyn VerificationAlgorithm, key: &[u8]| {
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
    };
    // A point is written without the mark of its form.
    let point = || [&[4], key.key.as_slice()].concat();
    match key.algorithm {
        5 | 7 => rsa(&key.key, &aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, message, signature),
        8 => rsa(&key.key, &aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, message, signature),
        10 => rsa(&key.key, &aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, message, signature),
        13 => curve(&aws::ECDSA_P256_SHA256_FIXED, &point()),
        14 => curve(&aws::ECDSA_P384_SHA384_FIXED, &point()),
        15 => curve(&aws::ED25519, &key.key),
        _ => false,
    }
}

fn rsa(key: &[u8], parameters: &RsaParameters, message: &[u8], signature: &[u8]) -> bool {
    let Some((e, n)) = rsa_parts(key) else { return false };
    RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
}

/// Exponent and modulus (RFC 3110 section 2), without leading zeros.
fn rsa_parts(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match key {
        [0, high, low, rest @ ..] => (usize::from(u16::from_be_bytes([*high, *low])), rest),
        [length, rest @ ..] => (usize::from(*length), rest),
        [] => return None,
    };
    let (e, n) = rest.split_at_checked(length)?;
    let bare = |number: &'_ [u8]| number.iter().take_while(|byte| **byte == 0).count();
    Some((e.get(bare(e)..)?, n.get(bare(n)..)?))
}

/// The size of an RSA key in bits.
pub fn rsa_bits(key: &Dnskey) -> Option<usize> {
    if !matches!(key.algorithm, 1 | 5 | 7 | 8 | 10) {
        return None;
    }
    let (_, n) = rsa_parts(&key.key)?;
    let first = n.first()?;
    Some(n.len() * 8 - usize::try_from(first.leading_zeros()).unwrap_or_default())
}

/// Whether a digest is that of a key, whose record this is.
pub fn is_digest_of(ds: &Ds, key: &Record) -> bool {
    let algorithm = match ds.digest_type {
        1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        2 => &digest::SHA256,
        4 => &digest::SHA384,
        _ => return false,
    };
    let Some(read) = Dnskey::read(&key.data) else { return false };
    let message = [key.name.canonical().as_slice(), &key.data].concat();
    read.tag == ds.key_tag
        && read.algorithm == ds.algorithm
        && digest::digest(algorithm, &message).as_ref() == ds.digest.as_slice()
}

/// The name of a kind of record.
pub fn kind_word(kind: u16) -> &'static str {
    use crate::wire::dns::record as kinds;
    match kind {
        kinds::A => "A",
        kinds::NS => "NS",
        kinds::CNAME => "CNAME",
        kinds::SOA => "SOA",
        kinds::MX => "MX",
        kinds::TXT => "TXT",
        kinds::AAAA => "AAAA",
        kinds::DS => "DS",
        kinds::NSEC => "NSEC",
        kinds::DNSKEY => "DNSKEY",
        kinds::NSEC3 => "NSEC3",
        kinds::NSEC3PARAM => "NSEC3PARAM",
        kinds::TLSA => "TLSA",
        kinds::CAA => "CAA",
        _ => "record",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dns::Anchor;
    use crate::wire::dns::record;

    /// The key of the public root of 2017.
    const ROOT: &str = "030100 01acffb409bcc939f831f7a1e5ec88f7a59255ec53040be432027390a4ce896d6f9086f3c5e177fbfe118163aaec7a\
        f1462c47945944c4e2c026be5e98bbcded25978272e1e3e079c5094d573f0e83c92f02b32d3513b1550b826929c80dd0f92cac966d17769fd5\
        867b647c3f38029abdc48152eb8f207159ecc5d232c7c1537c79f4b7ac28ff11682f21681bf6d6aba555032bf6f9f036beb2aaa5b3778d6eeb\
        fba6bf9ea191be4ab0caea759e2f773a1f9029c73ecb8d5735b9321db085f1b8e2d8038fe2941992548cee0d67dd4547e11dd63af9c9fc1c54\
        66fb684cf009d7197c2cf79e792ab501e6a8a1ca519af2cb9b5f6367e94c0d47502451357be1b5";

    fn bytes(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn the_public_anchor_is_the_digest_of_the_roots_key() {
        let data = [&[1, 1, 3, 8][..], &bytes(ROOT)].concat();
        let record = Record { name: Name::root(), kind: record::DNSKEY, class: 1, ttl: 0, data };
        let key = Dnskey::read(&record.data).unwrap();
        assert_eq!((key.tag, rsa_bits(&key)), (20326, Some(2048)));
        let ds = |anchor: &Anchor| Ds {
            key_tag: anchor.key_tag,
            algorithm: anchor.algorithm,
            digest_type: anchor.digest_type,
            digest: anchor.digest.clone(),
        };
        let anchors = Anchor::public();
        assert!(is_digest_of(&ds(&anchors[0]), &record));
        assert!(!is_digest_of(&ds(&anchors[1]), &record));
    }

    /// The example of RFC 8080 section 6.1: an Ed25519 key and a signature over an MX record.
    #[test]
    fn a_published_signature_holds_until_it_ends() {
        let base64 = |text: &str| {
            let value = |c: char| {
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".find(c).unwrap_or(0) as u32
            };
            let bits = text.as_bytes().chunks(4).map(|four| four.iter().fold(0, |sum, &c| sum << 6 | value(c.into())));
            let mut bytes: Vec<u8> = bits.flat_map(|word| word.to_be_bytes()[1..].to_vec()).collect();
            bytes.truncate(bytes.len() - text.matches('=').count());
            bytes
        };
        let name = Name::parse("example.com").unwrap();
        let record = |kind, data| Record { name: name.clone(), kind, class: 1, ttl: 3600, data };
        let key = [vec![1, 1, 3, 15], base64("l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=")].concat();
        let mx = [vec![0, 10], Name::parse("mail.example.com").unwrap().canonical()].concat();
        let mut head = vec![0, 15, 15, 2];
        head.extend(3600_u32.to_be_bytes());
        head.extend(1_440_021_600_u32.to_be_bytes());
        head.extend(1_438_207_200_u32.to_be_bytes());
        head.extend(3613_u16.to_be_bytes());
        head.extend(name.canonical());
        head.extend(base64("oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg=="));
        let zone = Zone { name: name.clone(), keys: vec![Dnskey::read(&key).unwrap()] };
        let signatures = [record(record::RRSIG, head)];
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        let records = [record(record::MX, mx)];
        let signed = verify(&records, &signatures, &zone, at(1_439_000_000)).unwrap();
        assert_eq!((signed.expires, signed.wildcard), (at(1_440_021_600), None));
        let why = |at| verify(&records, &signatures, &zone, at).unwrap_err();
        assert!(why(at(1_440_021_601)).contains("ended on 2015-08-19"), "{}", why(at(1_440_021_601)));
        assert!(why(at(1_438_207_199)).contains("begins only"));
        let mut changed = records.clone();
        changed[0].data[1] = 11;
        assert!(verify(&changed, &signatures, &zone, at(1_439_000_000)).unwrap_err().contains("does not hold"));
    }
}
