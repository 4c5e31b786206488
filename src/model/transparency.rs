//! Facts about certificate transparency: the data of `tls.ct`.

use super::Fact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `tls.ct`: whether logs that anybody can read have seen the certificates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transparency {
    /// One for each different leaf.
    pub deployments: Vec<TransparentDeployment>,
    /// A list of logs was given.
    pub looked: bool,
    /// The date of the list of logs that judged; unknown with `log_list_absent`, `log_list_stale` or what is wrong
    /// with the file.
    pub log_list: Fact<String>,
}

/// The timestamps of one certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TransparentDeployment {
    /// SHA-256 of the leaf.
    pub id: String,
    /// It is trusted by an anchor that everybody has; certificates of one's own authority need no log.
    pub public: Fact<bool>,
    /// Every timestamp that came.
    pub timestamps: Vec<LoggedTimestamp>,
    /// The timestamps are enough for the browsers' rules.
    pub satisfied: Fact<bool>,
    /// Why they are not, or what they rest on.
    pub detail: String,
}

/// A signed certificate timestamp.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoggedTimestamp {
    /// How it came: `certificate`, `handshake` or `ocsp`.
    pub source: String,
    /// SHA-256 of the log's key, hexadecimal.
    pub log_id: String,
    /// The log's name in the list, or empty.
    pub log: String,
    /// Who runs the log, or empty.
    pub operator: String,
    /// The state of the log in the list, for example `usable`, or empty.
    pub state: String,
    /// RFC 3339.
    pub timestamp: String,
    /// The log's signature over this certificate is genuine.
    pub genuine: Fact<bool>,
}
