//! `tls.features`: what rode along with the loops.

use super::facts::{Data, Facts, OLDER};
use super::ledger::{Accepted, Tally};
use crate::catalogue::registry;
use crate::model::Fact;
use crate::model::tls::{Features, TemporaryKey};
use crate::wire::Version;
use crate::wire::hello::LZS;
use std::collections::{BTreeMap, BTreeSet};

impl Facts {
    /// `tls.features`.
    pub fn features(&self) -> Data<Features> {
        let legacy =
            self.ledger.versions().into_iter().any(|version| Version::Ssl2 < version && version < Version::Tls13);
        let ride = &self.ledger.ride;
        let open = if legacy { None } else { self.open_older() };
        let word = |tally: Tally| match (legacy, tally) {
            (false, _) => match &open {
                Some(trouble) => Fact::unknown(trouble.detail.clone()),
                None => Fact::Known("not-applicable".to_owned()),
            },
            (true, Tally { yes: 0, no: 0, .. }) => Fact::unknown("no full hello was answered"),
            (true, Tally { yes: 0, .. }) => Fact::Known("no".to_owned()),
            (true, _) => Fact::Known("yes".to_owned()),
        };
        // The one bad answer counts here: a machine that lacks it can be reached.
        let renegotiation = match (legacy, ride.renegotiation) {
            (true, Tally { yes, no, .. }) if yes > 0 && no > 0 => Fact::unknown("inconsistent answers"),
            (_, tally) => word(tally),
        };
        let only_modern = || "with TLS 1.3 it is encrypted, and was not read";
        let flag = |tally: Tally| match tally {
            Tally { yes: 0, no: 0, .. } => Fact::unknown(only_modern()),
            Tally { yes, .. } => Fact::Known(yes > 0),
        };
        let cbc = legacy && (ride.encrypt_then_mac.yes + ride.encrypt_then_mac.no > 0 || self.has_cbc());
        let mut data = Features {
            legacy_handshake: match &open {
                Some(trouble) => Fact::unknown(trouble.detail.clone()),
                None => Fact::Known(legacy),
            },
            secure_renegotiation: renegotiation,
            extended_master_secret: word(ride.master_secret),
            encrypt_then_mac: match (cbc || open.is_some(), self.open_of(&OLDER)) {
                (true, _) => word(ride.encrypt_then_mac),
                (false, Some(trouble)) => Fact::unknown(trouble.detail),
                (false, None) => Fact::Known("not-applicable".to_owned()),
            },
            session_tickets: word(ride.tickets),
            session_id: match (word(ride.session_id), self.undecided()) {
                // A version may have them where another has tickets instead.
                (Fact::Known(no), Some(trouble)) if no == "no" => Fact::unknown(trouble.detail),
                (fact, _) => fact,
            },
            heartbeat: word(ride.heartbeat),
            truncated_hmac: word(ride.truncated),
            temporary_rsa: self.temporary(),
            compression: match (legacy, ride.compression) {
                (true, Tally { yes: 0, no: 0, .. }) => Fact::unknown("compression was not offered"),
                (true, Tally { yes: 1.., .. }) => {
                    Fact::Known(if ride.method == LZS { "lzs" } else { "deflate" }.to_owned())
                }
                _ => open
                    .as_ref()
                    .map_or_else(|| Fact::Known("none".to_owned()), |trouble| Fact::unknown(trouble.detail.clone())),
            },
            alpn: self.alpn(),
            ocsp_stapling: self.stapling(),
            sct_extension: flag(ride.sct),
            client_certificate: flag(ride.request),
            connections: BTreeMap::new(),
        };
        data.connections = self.of_features(&data);
        (data, open)
    }

    fn temporary(&self) -> Vec<TemporaryKey> {
        let key = |(version, suite, bits): &(Version, u16, u32)| {
            let row = registry::suite(u32::from(*suite), false);
            let id = format!("0x{suite:04X}");
            TemporaryKey {
                protocol: version.name().to_owned(),
                name: row.map_or_else(|| id.clone(), |row| row.name.clone()),
                suite: id,
                export: row.is_some_and(|row| row.export),
                bits: *bits,
            }
        };
        self.ledger.temporary.iter().map(key).collect()
    }

    fn has_cbc(&self) -> bool {
        let cbc = |accepted: &Accepted| {
            accepted.version > Version::Ssl3
                && registry::suite(accepted.suite, false).is_some_and(|row| row.enc.ends_with("-CBC"))
        };
        self.ledger.suites.iter().any(cbc)
    }

    fn alpn(&self) -> Fact<String> {
        let words: BTreeSet<&String> = self.look.alpn.iter().chain(&self.ledger.ride.alpn).collect();
        match words.iter().find(|word| !word.is_empty()) {
            Some(word) => Fact::Known((**word).clone()),
            None if words.is_empty() => Fact::unknown("no hello with application protocols was answered"),
            None => Fact::Known("none".to_owned()),
        }
    }

    fn stapling(&self) -> Fact<String> {
        let stapled = self.ledger.chains.values().any(|chain| chain.staple.is_some());
        match (stapled, self.ledger.ride.staple.no > 0 || self.look.shown) {
            (true, _) => Fact::Known("yes".to_owned()),
            (false, true) => Fact::Known("no".to_owned()),
            (false, false) => Fact::unknown("no certificate was served to a hello that asked for a staple"),
        }
    }
}
