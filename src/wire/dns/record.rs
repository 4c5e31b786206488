//! Records of DNS and what is in them.

use super::{Name, Reader};
use crate::wire::WireError;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 address.
pub const A: u16 = 1;
/// A server of a zone.
pub const NS: u16 = 2;
/// Another name.
pub const CNAME: u16 = 5;
/// The start of a zone.
pub const SOA: u16 = 6;
/// A mail exchanger.
pub const MX: u16 = 15;
/// Text.
pub const TXT: u16 = 16;
/// An IPv6 address.
pub const AAAA: u16 = 28;
/// Another name for a subtree.
pub const DNAME: u16 = 39;
/// The digest of a child's key.
pub const DS: u16 = 43;
/// A signature.
pub const RRSIG: u16 = 46;
/// A gap between names.
pub const NSEC: u16 = 47;
/// A key.
pub const DNSKEY: u16 = 48;
/// A gap between hashes of names.
pub const NSEC3: u16 = 50;
/// The parameters of those hashes.
pub const NSEC3PARAM: u16 = 51;
/// A certificate's association.
pub const TLSA: u16 = 52;
/// Who may issue certificates.
pub const CAA: u16 = 257;

/// A record. Names in its data are uncompressed and in lower case where its kind is an old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub name: Name,
    /// Its kind.
    pub kind: u16,
    /// 1 for the Internet.
    pub class: u16,
    /// How long it may be kept.
    pub ttl: u32,
    /// Its data.
    pub data: Vec<u8>,
}

impl Record {
    /// Its data in canonical form.
    pub fn canonical(&self) -> &[u8] {
        &self.data
    }
}

/// Data with its names uncompressed and in lower case (RFC 4034 section 6.2).
pub(super) fn expanded(kind: u16, message: &[u8], start: usize, data: &[u8]) -> Result<Vec<u8>, WireError> {
    let (before, names) = match kind {
        NS | CNAME | 12 | DNAME => (0, 1),
        MX => (2, 1),
        33 => (6, 1),
        SOA => (0, 2),
        _ => return Ok(data.to_vec()),
    };
    let end = start.saturating_add(data.len());
    let mut bytes = data.get(..before).ok_or(WireError::Malformed("DNS record"))?.to_vec();
    let mut at = start.saturating_add(before);
    for _ in 0..names {
        let (name, after) = Name::read(message, at)?;
        bytes.extend(name.canonical());
        at = after;
    }
    if at > end {
        return Err(WireError::Malformed("DNS record"));
    }
    bytes.extend(message.get(at..end).unwrap_or_default());
    Ok(bytes)
}

/// The name that a CNAME, NS or DNAME leads to.
pub fn target(record: &Record) -> Option<Name> {
    Name::read(&record.data, 0).ok().map(|(name, _)| name)
}

/// The address of an A or AAAA record.
pub fn address(record: &Record) -> Option<IpAddr> {
    match record.kind {
        A => <[u8; 4]>::try_from(record.data.as_slice()).ok().map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes))),
        AAAA => <[u8; 16]>::try_from(record.data.as_slice()).ok().map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes))),
        _ => None,
    }
}

/// The strings of a TXT record put together. `None` where its lengths do not add up.
pub fn text(data: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some((&length, after)) = rest.split_first() {
        let (part, after) = after.split_at_checked(usize::from(length))?;
        bytes.extend(part);
        rest = after;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn reader(data: &[u8]) -> Reader<'_> {
    Reader { bytes: data, at: 0 }
}

/// Who may issue certificates (RFC 8659).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caa {
    /// Who does not know the tag must not issue.
    pub critical: bool,
    /// In lower case.
    pub tag: String,
    /// Its value.
    pub value: String,
}

impl Caa {
    /// Reads the data of a record.
    pub fn read(data: &[u8]) -> Option<Caa> {
        let (&flags, rest) = data.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let (tag, value) = rest.split_at_checked(usize::from(length))?;
        let fits = !tag.is_empty() && tag.iter().all(u8::is_ascii_alphanumeric);
        fits.then(|| Caa {
            critical: flags & 0x80 != 0,
            tag: String::from_utf8_lossy(tag).to_ascii_lowercase(),
            value: String::from_utf8_lossy(value).into_owned(),
        })
    }
}

/// A certificate's association (RFC 6698).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// 0 PKIX-TA, 1 PKIX-EE, 2 DANE-TA, 3 DANE-EE.
    pub usage: u8,
    /// 0 the certificate, 1 its key.
    pub selector: u8,
    /// 0 whole, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// What is matched.
    pub data: Vec<u8>,
}

impl Tlsa {
    /// Reads the data of a record.
    pub fn read(data: &[u8]) -> Option<Tlsa> {
        match data {
            [usage, selector, matching, data @ ..] => {
                Some(Tlsa { usage: *usage, selector: *selector, matching: *matching, data: data.to_vec() })
            }
            _ => None,
        }
    }
}

/// A mail exchanger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mx {
    /// The lowest is tried first.
    pub preference: u16,
    /// The host; the root where the domain takes no mail.
    pub host: Name,
}

impl Mx {
    /// Reads the data of a record.
    pub fn read(data: &[u8]) -> Option<Mx> {
        let mut reader = reader(data);
        Some(Mx { preference: reader.u16().ok()?, host: reader.name().ok()? })
    }
}

/// The digest of a child's key (RFC 4034 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ds {
    /// Which key.
    pub key_tag: u16,
    /// The key's algorithm.
    pub algorithm: u8,
    /// 1 SHA-1, 2 SHA-256, 4 SHA-384.
    pub digest_type: u8,
    /// The digest.
    pub digest: Vec<u8>,
}

impl Ds {
    /// Reads the data of a record.
    pub fn read(data: &[u8]) -> Option<Ds> {
        match data {
            [a, b, algorithm, digest_type, digest @ ..] => Some(Ds {
                key_tag: u16::from_be_bytes([*a, *b]),
                algorithm: *algorithm,
                digest_type: *digest_type,
                digest: digest.to_vec(),
            }),
            _ => None,
        }
    }
}

/// A key of a zone (RFC 4034 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dnskey {
    /// Bit 8 zone key, bit 15 entry point, bit 0x80 revoked.
    pub flags: u16,
    /// Its algorithm.
    pub algorithm: u8,
    /// The key.
    pub key: Vec<u8>,
    /// Its number, which need not be unique.
    pub tag: u16,
}

impl Dnskey {
    /// Reads the data of a record.
    pub fn read(data: &[u8]) -> Option<Dnskey> {
        match data {
            [a, b, 3, algorithm, key @ ..] => Some(Dnskey {
                flags: u16::from_be_bytes([*a, *b]),
                algorithm: *algorithm,
                key: key.to_vec(),
                tag: tag(data),
            }),
            _ => None,
        }
    }

    /// A key that signs a zone and is not revoked.
    pub fn signs_zones(&self) -> bool {
        self.flags & 0x0100 != 0 && self.flags & 0x0080 == 0
    }
}

/// The number of a key (RFC 4034 appendix B).
fn tag(data: &[u8]) -> u16 {
    let sum: u64 =
        data.iter().enumerate().map(|(n, &byte)| u64::from(byte) << if n.is_multiple_of(2) { 8 } else { 0 }).sum();
    ((sum + (sum >> 16)) & 0xFFFF) as u16
}

/// A signature over records of one name and kind (RFC 4034 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrsig {
    /// The kind of record that it signs.
    pub covered: u16,
    /// Its algorithm.
    pub algorithm: u8,
    /// Labels of the name that was signed; fewer than the owner has where a wildcard was.
    pub labels: u8,
    /// The TTL that was signed.
    pub ttl: u32,
    /// Seconds of Unix time, in serial arithmetic.
    pub expires: u32,
    /// Seconds of Unix time, in serial arithmetic.
    pub begins: u32,
    /// Which key.
    pub key_tag: u16,
    /// Whose key: the zone.
    pub signer: Name,
    /// The signature.
    pub signature: Vec<u8>,
    /// What of the record is signed itself.
    pub head: Vec<u8>,
}

impl Rrsig {
    /// Reads the data of a record.
    pub fn read(data: &[u8]) -> Option<Rrsig> {
        let mut reader = reader(data);
        let covered = reader.u16().ok()?;
        let &[algorithm, labels] = reader.take(2).ok()? else { return None };
        let (ttl, expires, begins) = (reader.u32().ok()?, reader.u32().ok()?, reader.u32().ok()?);
        let key_tag = reader.u16().ok()?;
        let mut head = data.get(..18)?.to_vec();
        let signer = reader.name().ok()?;
        head.extend(signer.canonical());
        let signature = data.get(reader.at..)?.to_vec();
        Some(Rrsig { covered, algorithm, labels, ttl, expires, begins, key_tag, signer, signature, head })
    }
}

/// A gap between names (RFC 4034 section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nsec {
    /// The next name.
    pub next: Name,
    /// Kinds of records that its owner has.
    pub kinds: BTreeSet<u16>,
}

impl Nsec {
    /// Reads the data of a record.
    pub fn read(data: &[u8]) -> Option<Nsec> {
        let mut reader = reader(data);
        let next = reader.name().ok()?;
        Some(Nsec { next, kinds: kinds(data.get(reader.at..)?)? })
    }
}

/// A gap between hashes of names (RFC 5155).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nsec3 {
    /// 1 for SHA-1; there is no other.
    pub hash: u8,
    /// Delegations without keys may stand in the gap.
    pub opt_out: bool,
    /// How often the hash is taken again.
    pub iterations: u16,
    /// What it is taken with.
    pub salt: Vec<u8>,
    /// The next hash.
    pub next: Vec<u8>,
    /// Kinds of records that its owner has.
    pub kinds: BTreeSet<u16>,
}

impl Nsec3 {
    /// Reads the data of a record.
    pub fn read(data: &[u8]) -> Option<Nsec3> {
        let mut reader = reader(data);
        let &[hash, flags] = reader.take(2).ok()? else { return None };
        let iterations = reader.u16().ok()?;
        let length = usize::from(*reader.take(1).ok()?.first()?);
        let salt = reader.take(length).ok()?.to_vec();
        let length = usize::from(*reader.take(1).ok()?.first()?);
        let next = reader.take(length).ok()?.to_vec();
        let kinds = kinds(data.get(reader.at..)?)?;
        Some(Nsec3 { hash, opt_out: flags & 1 != 0, iterations, salt, next, kinds })
    }
}

/// A list of kinds as blocks of bits.
fn kinds(data: &[u8]) -> Option<BTreeSet<u16>> {
    let mut kinds = BTreeSet::new();
    let mut rest = data;
    while let [block, length, after @ ..] = rest {
        let (bits, after) = after.split_at_checked(usize::from(*length))?;
        for (n, byte) in bits.iter().enumerate().take(32) {
            let set = (0..8_u16).filter(|bit| byte & (0x80 >> bit) != 0);
            let first = u16::from(*block) << 8 | u16::try_from(n * 8).unwrap_or_default();
            kinds.extend(set.map(|bit| first + bit));
        }
        rest = after;
    }
    rest.is_empty().then_some(kinds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read() {
        let caa = Caa::read(b"\x80\x05ISSUEca.example; a=1").unwrap();
        assert_eq!((caa.critical, caa.tag.as_str(), caa.value.as_str()), (true, "issue", "ca.example; a=1"));
        assert!(Caa::read(b"\x00\x00x").is_none() && Caa::read(b"\x00\x09issue").is_none() && Caa::read(b"").is_none());
        assert_eq!(text(b"\x03abc\x02de").as_deref(), Some("abcde"));
        assert!(text(b"\x04abc").is_none());
        assert_eq!(Mx::read(b"\x00\x0a\x02mx\x00").unwrap().host.to_string(), "mx");
        assert!(Mx::read(b"\x00\x00\x00").unwrap().host.is_empty());
        assert_eq!(Tlsa::read(&[3, 1, 1, 9]).unwrap().data, [9]);
    }

    #[test]
    fn the_kinds_of_a_gap_are_read() {
        // The example of RFC 4034 section 4.3: A MX RRSIG NSEC TYPE1234.
        let mut data = b"\x04host\x07example\x03com\x00\x00\x06\x40\x01\x00\x00\x00\x03\x04\x1b".to_vec();
        data.extend([0; 26]);
        data.push(0x20);
        let nsec = Nsec::read(&data).unwrap();
        assert_eq!(nsec.next.to_string(), "host.example.com");
        assert_eq!(nsec.kinds.into_iter().collect::<Vec<_>>(), [A, MX, RRSIG, NSEC, 1234]);
    }

    #[test]
    fn a_key_has_the_number_that_others_give_it() {
        let key = Dnskey::read(&[1, 1, 3, 8, 0xFF, 0xFF, 0xFF]).unwrap();
        assert_eq!((key.tag, key.signs_zones()), (0x030A, true));
        assert!(Dnskey::read(&[1, 1, 2, 8]).is_none(), "the protocol is always 3");
    }
}
