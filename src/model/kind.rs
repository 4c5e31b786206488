//! The observation kinds and the form of their data.

use super::{
    bucket, cloud, database, dns, erasure, grade, host, http, mail, portability, proof, register, requests, retention,
    revocation, shape, tls, tls_policy, tls_reverification, tls_session, transparency,
};
use schemars::{Schema, schema_for};

/// An observation kind: its id and the JSON Schema of its data.
pub struct Kind {
    /// For example `tls.protocols`.
    pub id: &'static str,
    /// Makes the schema of `data` from the Rust type.
    pub schema: fn() -> Schema,
}

/// Every kind, in the order of their ids.
pub const KINDS: &[Kind] = &[
    Kind { id: "data.drill", schema: || schema_for!(erasure::Drill) },
    Kind { id: "data.dsar", schema: || schema_for!(requests::Dsar) },
    Kind { id: "data.erasure", schema: || schema_for!(erasure::Erased) },
    Kind { id: "data.export", schema: || schema_for!(portability::ExportFacts) },
    Kind { id: "data.inventory", schema: || schema_for!(retention::Inventory) },
    Kind { id: "data.ledger", schema: || schema_for!(erasure::LedgerFacts) },
    Kind { id: "data.portability", schema: || schema_for!(portability::Ported) },
    Kind { id: "data.requests", schema: || schema_for!(requests::Requests) },
    Kind { id: "data.retention", schema: || schema_for!(retention::Retention) },
    Kind { id: "data.subjects", schema: || schema_for!(erasure::Subjects) },
    Kind { id: "db.at_rest", schema: || schema_for!(database::AtRest) },
    Kind { id: "db.audit", schema: || schema_for!(database::Audit) },
    Kind { id: "db.auth", schema: || schema_for!(database::Auth) },
    Kind { id: "db.backup", schema: || schema_for!(database::Backup) },
    Kind { id: "db.encryption", schema: || schema_for!(database::Encryption) },
    Kind { id: "db.exposure", schema: || schema_for!(cloud::Exposure) },
    Kind { id: "db.files", schema: || schema_for!(host::Files) },
    Kind { id: "db.proof", schema: || schema_for!(proof::Proof) },
    Kind { id: "db.transport", schema: || schema_for!(database::Transport) },
    Kind { id: "dns.caa", schema: || schema_for!(dns::Caa) },
    Kind { id: "dns.dnssec", schema: || schema_for!(dns::Dnssec) },
    Kind { id: "dns.tlsa", schema: || schema_for!(dns::Tlsa) },
    Kind { id: "host.disk", schema: || schema_for!(host::Disk) },
    Kind { id: "http.consent", schema: || schema_for!(http::Consent) },
    Kind { id: "http.cookies", schema: || schema_for!(http::Cookies) },
    Kind { id: "http.cors", schema: || schema_for!(http::Cors) },
    Kind { id: "http.headers", schema: || schema_for!(http::Headers) },
    Kind { id: "http.hsts", schema: || schema_for!(http::Hsts) },
    Kind { id: "http.observatory", schema: || schema_for!(http::Observatory) },
    Kind { id: "http.page", schema: || schema_for!(http::Page) },
    Kind { id: "http.plain", schema: || schema_for!(http::Plain) },
    Kind { id: "http.security_txt", schema: || schema_for!(http::SecurityTxt) },
    Kind { id: "http.third_parties", schema: || schema_for!(http::ThirdParties) },
    Kind { id: "mail.dkim", schema: || schema_for!(mail::Dkim) },
    Kind { id: "mail.dmarc", schema: || schema_for!(mail::Dmarc) },
    Kind { id: "mail.exchangers", schema: || schema_for!(mail::Exchangers) },
    Kind { id: "mail.mta_sts", schema: || schema_for!(mail::MtaSts) },
    Kind { id: "mail.mx", schema: || schema_for!(mail::Mx) },
    Kind { id: "mail.spf", schema: || schema_for!(mail::Spf) },
    Kind { id: "mail.tls_rpt", schema: || schema_for!(mail::TlsRpt) },
    Kind { id: "store.keys", schema: || schema_for!(cloud::Keys) },
    Kind { id: "store.object", schema: || schema_for!(bucket::Bucket) },
    Kind { id: "store.snapshots", schema: || schema_for!(cloud::Snapshots) },
    Kind { id: "store.volumes", schema: || schema_for!(cloud::Volumes) },
    Kind { id: "tls.alpn", schema: || schema_for!(shape::ApplicationProtocols) },
    Kind { id: "tls.certificates", schema: || schema_for!(tls::Certificates) },
    Kind { id: "tls.clients", schema: || schema_for!(tls::Clients) },
    Kind { id: "tls.clients.live", schema: || schema_for!(tls::Clients) },
    Kind { id: "tls.ct", schema: || schema_for!(transparency::Transparency) },
    Kind { id: "tls.dh", schema: || schema_for!(tls::Dh) },
    Kind { id: "tls.features", schema: || schema_for!(tls::Features) },
    Kind { id: "tls.flaws", schema: || schema_for!(tls::Flaws) },
    Kind { id: "tls.grade", schema: || schema_for!(grade::Grade) },
    Kind { id: "tls.groups", schema: || schema_for!(tls::Groups) },
    Kind { id: "tls.intolerance", schema: || schema_for!(shape::Intolerance) },
    Kind { id: "tls.names", schema: || schema_for!(shape::ServerNames) },
    Kind { id: "tls.policy", schema: || schema_for!(tls_policy::Policies) },
    Kind { id: "tls.protocols", schema: || schema_for!(tls::Protocols) },
    Kind { id: "tls.renegotiation", schema: || schema_for!(tls_session::Renegotiation) },
    Kind { id: "tls.resumption", schema: || schema_for!(tls_session::Resumption) },
    Kind { id: "tls.reverification", schema: || schema_for!(tls_reverification::Reverification) },
    Kind { id: "tls.revocation", schema: || schema_for!(revocation::Revocation) },
    Kind { id: "tls.signatures", schema: || schema_for!(shape::Signatures) },
    Kind { id: "tls.suites", schema: || schema_for!(tls::Suites) },
    Kind { id: "tls.upgrade", schema: || schema_for!(tls::Upgrade) },
    Kind { id: "tls.vulnerabilities", schema: || schema_for!(tls::Vulnerabilities) },
    Kind { id: "vendor.coverage", schema: || schema_for!(register::Coverage) },
    Kind { id: "vendor.register", schema: || schema_for!(register::Register) },
    Kind { id: "vendor.rules", schema: || schema_for!(register::Rules) },
];

/// The kind of this id.
pub fn find(id: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_sorted_and_unique() {
        let ids: Vec<_> = KINDS.iter().map(|kind| kind.id).collect();
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ids, sorted);
    }

    #[test]
    fn every_schema_is_an_object() {
        for kind in KINDS {
            let schema = serde_json::to_value((kind.schema)()).unwrap();
            assert_eq!(schema["type"], "object", "{}", kind.id);
        }
    }
}
