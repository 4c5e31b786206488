//! What known clients end up with: computed from the other facts, or seen.

use crate::model::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `tls.clients` (computed) and `tls.clients.live` (seen): which handshake known clients end up with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Clients {
    /// One row a client.
    pub clients: Vec<SimulatedClient>,
    /// Where computed and seen rows differ: a fault of the computation, not of the server.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// What a known client ends up with. Where `connects` is unknown, so is all that follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimulatedClient {
    /// The client's id in the registry.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// A current browser: it counts for forward secrecy and AEAD.
    pub reference: bool,
    /// It can connect.
    pub connects: Fact<bool>,
    /// The version negotiated, or empty.
    pub protocol: String,
    /// The suite's id, or empty.
    pub suite: String,
    /// The suite's name, or empty.
    pub suite_name: String,
    /// The group, or the size of the finite field; empty where neither is used.
    pub group: Fact<String>,
    /// Strength of the key exchange in RSA-equivalent bits; 0 without a connection.
    pub strength: Fact<u32>,
    /// `yes`, `no`, or `not-applicable` without a connection.
    pub forward_secrecy: Fact<String>,
    /// Authenticated encryption: `yes`, `no`, or `not-applicable` without a connection.
    pub aead: Fact<String>,
    /// Why it cannot connect: `no_version`, `no_suite`, `dh_too_big`, `dh_too_small`, `cert_alg`, `sni_needed`, or
    /// `refused` where the server did not say; else empty.
    pub failure: String,
    /// The same in words; else empty.
    pub detail: String,
}

impl SimulatedClient {
    /// A row of which nothing is known yet.
    pub fn new(id: &str, name: &str, version: &str, reference: bool) -> SimulatedClient {
        SimulatedClient {
            id: id.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            reference,
            connects: Fact::default(),
            protocol: String::new(),
            suite: String::new(),
            suite_name: String::new(),
            group: Fact::default(),
            strength: Fact::default(),
            forward_secrecy: Fact::default(),
            aead: Fact::default(),
            failure: String::new(),
            detail: String::new(),
        }
    }

    /// The row where the end is not known, for this reason.
    pub fn unknown(self, reason: &str) -> SimulatedClient {
        SimulatedClient {
            connects: Fact::unknown(reason),
            group: Fact::unknown(reason),
            strength: Fact::unknown(reason),
            forward_secrecy: Fact::unknown(reason),
            aead: Fact::unknown(reason),
            ..self
        }
    }

    /// The row where the client cannot connect.
    pub fn failing(self, failure: &str, detail: impl Into<String>) -> SimulatedClient {
        let none = || Fact::Known("not-applicable".to_owned());
        SimulatedClient {
            connects: Fact::Known(false),
            group: Fact::Known(String::new()),
            strength: Fact::Known(0),
            forward_secrecy: none(),
            aead: none(),
            failure: failure.to_owned(),
            detail: detail.into(),
            ..self
        }
    }

    /// Name and version.
    pub fn label(&self) -> String {
        if self.version.is_empty() { self.name.clone() } else { format!("{} {}", self.name, self.version) }
    }
}
