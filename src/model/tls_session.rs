//! Facts about the sessions of a TLS endpoint: the data of `tls.resumption` and `tls.renegotiation`.

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `tls.resumption`: which sessions go on in a later connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Resumption {
    /// By the id of a session, with TLS 1.2 or older: `yes`, `issued-not-resumed`, `no`, `not-applicable`.
    pub session_id: Fact<String>,
    /// By a ticket, with TLS 1.2 or older (RFC 5077): `yes`, `issued-not-resumed`, `no`, `not-applicable`.
    pub ticket: Fact<String>,
    /// The lifetime in seconds that such a ticket hints at; 0 where it hints at none, or there is no ticket.
    pub ticket_lifetime: Fact<u32>,
    /// By a ticket, with TLS 1.3: `yes`, `issued-not-resumed`, `no`, `not-applicable`.
    pub psk: Fact<String>,
    /// The longest lifetime in seconds of such a ticket; 0 where there is none. More than 604800 is forbidden.
    pub psk_lifetime: Fact<u32>,
    /// Whether a ticket of TLS 1.3 allows early data (0-RTT): `advertised`, `no`, `not-applicable`.
    pub early_data: Fact<String>,
    /// How many bytes of early data it allows.
    pub early_data_size: Fact<u32>,
    /// What came of early data that was sent, a request that changes nothing: `accepted`, `too-early` where the server
    /// answered with HTTP status 425, `refused`, `not-applicable` where no ticket allows any.
    #[serde(default)]
    pub early_data_sent: Fact<String>,
    /// Whether a ticket of TLS 1.3 is taken without a fresh key exchange: `yes`, `no`, `not-applicable` without tickets.
    #[serde(default)]
    pub psk_without_exchange: Fact<String>,
    /// Whether all tickets seen begin with the same sixteen bytes, as those made with one key do: `same`, `different`,
    /// `single` where one was seen, `not-applicable` where none was.
    pub ticket_key: Fact<String>,
    /// The SHA-256 of these bytes, to be compared with later looks: a key that stays for weeks shows. Empty where they
    /// are not the same.
    pub ticket_key_sha256: String,
}

/// `tls.renegotiation`: handshakes inside a session, asked for by the client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Renegotiation {
    /// TLS 1.2 or older is offered, SSLv2 aside, so that what follows has a meaning.
    pub legacy_handshake: Fact<bool>,
    /// With RFC 5746: `accepted`, `limited` where it is refused after some, `refused`, `ignored`, `not-applicable`.
    pub client_initiated: Fact<String>,
    /// How many were accepted in one session, at most three being asked for.
    pub accepted: u32,
    /// Without RFC 5746 (CVE-2009-3555): `yes`, `no`, `not-applicable`.
    pub insecure: Fact<String>,
}
