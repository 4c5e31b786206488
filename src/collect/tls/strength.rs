//! The strength of a suite: its key exchange in RSA-equivalent bits, and the size of its blocks.

use super::facts::Facts;
use super::ledger::Accepted;
use crate::catalogue::registry;
use crate::model::Fact;
use crate::wire::Version;

/// Strength of a key exchange with a shared key alone (a decision of the grade's).
const PSK: u32 = 3_072;
/// Strength of an export suite, whatever the certificate.
const EXPORT: u32 = 512;

impl Facts {
    /// The group or finite field used when all were offered, by name.
    pub(super) fn group_name(&self, accepted: &Accepted) -> String {
        if let Some(group) = self.group_of(accepted) {
            return registry::group(group).map_or_else(|| format!("0x{group:04X}"), |row| row.name.clone());
        }
        let smallest = self
            .ledger
            .fields
            .iter()
            .filter(|field| u32::from(field.suite) == accepted.suite && field.version == accepted.version);
        let smallest = smallest.filter_map(|field| self.primes.get(&field.p)).min_by_key(|facts| facts.bits);
        match smallest {
            Some(facts) if !facts.known.is_empty() => facts.known.clone(),
            Some(facts) => format!("dh-{}", facts.bits),
            None => String::new(),
        }
    }

    /// The group that the server chose when all were offered. In TLS 1.3 that is the first answer's, whatever suite
    /// it came with: later ones lacked it.
    fn group_of(&self, accepted: &Accepted) -> Option<u16> {
        match (accepted.version, &self.look.modern) {
            (Version::Tls13, Some(modern)) => modern.groups.accepted.first().copied(),
            _ => accepted.group,
        }
    }

    /// Strength in RSA-equivalent bits (tls-grade 2.2).
    pub(super) fn strength(&self, accepted: &Accepted, row: &registry::Suite) -> Fact<u32> {
        if row.export {
            return Fact::Known(EXPORT);
        }
        let group = || -> Fact<u32> {
            match self.group_of(accepted).and_then(registry::group) {
                Some(row) if row.rsa_equiv_bits > 0 => Fact::Known(row.rsa_equiv_bits),
                _ => Fact::unknown("the group was not seen"),
            }
        };
        let field = || accepted.field_bits.map_or_else(|| Fact::unknown("no parameters were seen"), Fact::Known);
        match (row.kx.as_str(), row.auth.as_str()) {
            ("NULL", _) => Fact::Known(0),
            ("any", _) => least(group(), self.key(accepted)),
            ("ECDHE", "anon") => group(),
            ("DHE", "anon") => field(),
            ("ECDHE", "PSK") => least(group(), Fact::Known(PSK)),
            ("DHE", "PSK") => least(field(), Fact::Known(PSK)),
            ("PSK", _) => Fact::Known(PSK),
            ("ECDHE", _) => least(group(), self.key(accepted)),
            ("DHE", _) => least(field(), self.key(accepted)),
            ("RSA", _) => least(self.key(accepted), self.temporary_bits(accepted)),
            ("DH" | "ECDH" | "GOST" | "ECC-SM2", _) => self.key(accepted),
            (other, _) => Fact::unknown(format!("no rule for the strength of the key exchange {other}")),
        }
    }

    /// The size of a temporary RSA key that came in the place of the certificate's; no limit where none came.
    fn temporary_bits(&self, accepted: &Accepted) -> Fact<u32> {
        let of = |(version, suite, _): &&(Version, u16, u32)| {
            *version == accepted.version && u32::from(*suite) == accepted.suite
        };
        Fact::Known(self.ledger.temporary.iter().filter(of).map(|(_, _, bits)| *bits).min().unwrap_or(u32::MAX))
    }

    /// The strength of the certificate's key; of the weakest one in TLS 1.3, where it does not come with the suite.
    fn key(&self, accepted: &Accepted) -> Fact<u32> {
        let strength = match (accepted.version, &accepted.leaf) {
            // One that was not seen may be weaker.
            (Version::Tls13, _)
                if self.look.unseen.is_empty() && !(self.look.absent_inferred && self.doubt.is_some()) =>
            {
                let modern = self.ledger.chains.iter().filter(|(_, chain)| chain.versions.contains(&Version::Tls13));
                modern.map(|(id, _)| self.keys.get(id).map(|key| key.strength)).min().flatten()
            }
            (Version::Tls13, _) => None,
            (_, Some(leaf)) => self.keys.get(leaf).map(|key| key.strength),
            (_, None) => None,
        };
        strength.map_or_else(|| Fact::unknown("the key of the certificate was not seen"), Fact::Known)
    }
}

fn least(one: Fact<u32>, other: Fact<u32>) -> Fact<u32> {
    match (one, other) {
        (Fact::Known(one), Fact::Known(other)) => Fact::Known(one.min(other)),
        (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => Fact::Unknown(why),
    }
}

/// Block size in bits; 0 for stream ciphers and authenticated encryption. GOST 28147 and Magma have blocks of 64
/// bits in every mode.
pub(super) fn block_bits(enc: &str) -> u32 {
    const SHORT: [&str; 7] = ["3DES", "DES", "IDEA", "RC2", "GOST28147", "MAGMA", "SKIPJACK"];
    match enc {
        _ if SHORT.iter().any(|name| enc.starts_with(name)) => 64,
        _ if enc.ends_with("-CBC") => 128,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_64_bits_are_told_from_others() {
        for enc in ["3DES-CBC", "DES-CBC", "DES40-CBC", "IDEA-CBC", "RC2-CBC", "GOST28147-CNT", "MAGMA-MGM"] {
            assert_eq!(block_bits(enc), 64, "{enc}");
        }
        for enc in ["AES-CBC", "CAMELLIA-CBC", "SEED-CBC"] {
            assert_eq!(block_bits(enc), 128, "{enc}");
        }
        for enc in ["AES-GCM", "CHACHA20-POLY1305", "RC4", "NULL", "AES-CCM-8"] {
            assert_eq!(block_bits(enc), 0, "{enc}");
        }
    }

    #[test]
    fn the_weaker_half_decides_and_an_unknown_half_spoils() {
        assert_eq!(least(Fact::Known(3072), Fact::Known(2048)), Fact::Known(2048));
        assert!(least(Fact::Known(3072), Fact::unknown("no")).known().is_none());
    }
}
