//! What an address agrees to beside versions, suites and groups: extensions, sessions, keys; and what is known of the
//! revocation of its certificates.

use crate::model::Fact;
use crate::model::revocation::CertificateStatus;
use crate::model::tls::{Dh, Features, Groups};
use crate::model::tls_session::Resumption;
use crate::report::summary::Facts;

/// A row for each fact; none where nothing was looked at.
pub fn rows(facts: &Facts<'_>) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(features) = facts.read::<Features>("tls.features") {
        rows.push(("Extended master secret", word(&features.extended_master_secret)));
        rows.push(("Encrypt-then-MAC", word(&features.encrypt_then_mac)));
        rows.push(("Truncated HMAC", word(&features.truncated_hmac)));
        let keys =
            features.temporary_rsa.iter().map(|key| format!("{} bits with {} {}", key.bits, key.protocol, key.name));
        let keys: Vec<String> = keys.collect();
        if !keys.is_empty() {
            rows.push(("Temporary RSA keys", keys.join("; ")));
        }
    }
    if let Some(true) = facts.read::<Groups>("tls.groups").and_then(|groups| groups.point_reused.known().copied()) {
        rows.push(("Key exchange", "a point of the server was seen in two connections".to_owned()));
    }
    if let Some(dh) = facts.read::<Dh>("tls.dh").filter(|dh| dh.used == Fact::Known(true)) {
        let seen = if dh.named_seen.is_empty() { String::new() } else { format!(": {}", dh.named_seen.join(", ")) };
        rows.push(("Finite-field groups named by the client", word(&dh.named_groups) + &seen));
    }
    if let Some(sessions) = facts.read::<Resumption>("tls.resumption") {
        rows.push(("Resumption by session id", word(&sessions.session_id)));
        rows.push(("Resumption by ticket", word(&sessions.ticket)));
        rows.push(("Resumption with TLS 1.3", word(&sessions.psk)));
        rows.push(("The same without a key exchange", word(&sessions.psk_without_exchange)));
        rows.push(("Early data (0-RTT) allowed", word(&sessions.early_data)));
        if sessions.early_data.known().is_some_and(|word| word == "advertised") {
            rows.push(("Early data that was sent", word(&sessions.early_data_sent)));
        }
    }
    rows
}

/// What is known of the revocation of one certificate, in words; empty where nobody looked.
pub fn revocation(row: &CertificateStatus) -> String {
    match (&row.status, row.looked) {
        (Fact::Known(word), _) if word == "revoked" => {
            format!("revoked ({}) since {}, by {}", row.reason, row.revoked_at, row.source)
        }
        (Fact::Known(_), _) => format!("not revoked, by {}", row.source),
        (Fact::Unknown(why), true) => format!("revocation not known: {}", why.unknown),
        (Fact::Unknown(_), false) => String::new(),
    }
}

fn word(fact: &Fact<String>) -> String {
    match fact {
        Fact::Known(word) => word.replace('-', " "),
        Fact::Unknown(why) => format!("not known: {}", why.unknown),
    }
}
