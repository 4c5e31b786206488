//! Facts about how a TLS endpoint takes hellos of an unusual shape: other signature schemes, names, application
//! protocols, and what clients of tomorrow will send.

use super::Fact;
use super::tls::Incomplete;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `tls.signatures`: with what the server signs its key exchange (TLS 1.2) or its handshake (TLS 1.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Signatures {
    /// Every scheme that the server chose when others were taken away.
    pub schemes: Vec<SignatureScheme>,
    /// The server signs with a scheme that was not offered.
    pub ignores_list: Fact<bool>,
    /// In TLS 1.3, a scheme is accepted that this tool cannot verify; which one is not told apart.
    pub others: Fact<bool>,
    /// Versions whose list was cut short.
    pub incomplete: Vec<Incomplete>,
}

/// A signature scheme of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SignatureScheme {
    /// `TLSv1.2` or `TLSv1.3`.
    pub protocol: String,
    /// `0x0804`.
    pub id: String,
    /// `rsa_pss_rsae_sha256`, or the id where there is none.
    pub name: String,
    /// The hash, or empty where the scheme has one of its own.
    pub hash: String,
    /// `rsa`, `ecdsa`, `ed25519`, …
    pub key_type: String,
    /// The registry's class: `recommended`, `secure`, `legacy`, `weak`.
    pub class: String,
}

/// `tls.names`: what the server shows under another name, or under none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerNames {
    /// The answer without a name: `same`, `other` or `refused`.
    pub without_name: Fact<String>,
    /// The answer to a name that cannot be known: `same`, `other` or `refused`.
    pub unknown_name: Fact<String>,
    /// Clients must send the name: without it the server refuses, or shows a certificate that is not for the name.
    pub required: Fact<bool>,
    /// A hello with an unknown name is refused.
    pub unknown_rejected: Fact<bool>,
    /// The certificate shown without a name, where it is another one; at most one.
    pub default_certificate: Vec<DefaultCertificate>,
}

/// The certificate of a server that was not asked for a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DefaultCertificate {
    /// SHA-256 of the leaf.
    pub id: String,
    /// The subject's name.
    pub subject: String,
    /// Names it is for, at most 100.
    pub names: Vec<String>,
    /// It is for the name of the target, too.
    pub name_matches: bool,
}

/// `tls.alpn`: the application protocols (RFC 7301), and the older way to agree on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ApplicationProtocols {
    /// The protocols that were chosen when others were taken away, in the order of discovery.
    pub protocols: Vec<String>,
    /// `server`, `client`, `single`, or `not-applicable` without any.
    pub order: Fact<String>,
    /// How a list without a known protocol is answered: `alert` or `no-extension`, both of which are right, or
    /// `unoffered` for a protocol that was not in the list.
    pub unknown_list: Fact<String>,
    /// The protocols listed in next_protocol_negotiation; empty where it is not answered.
    pub next_protocols: Fact<Vec<String>>,
}

/// `tls.intolerance`: whether hellos that are new, long or cut are answered as usual ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Intolerance {
    /// The tests; one that has no meaning for the versions offered is left out.
    pub tests: Vec<IntoleranceTest>,
    /// Answers to what was not asked, seen at any time of the look.
    pub faults: Vec<AnswerFault>,
    /// A hello of TLS in the frame of SSLv2 is answered.
    pub accepts_v2_hello: Fact<bool>,
}

/// One hello of an unusual shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IntoleranceTest {
    /// For example `version-1.4`, `grease`, `long-hello-400`.
    pub name: String,
    /// It is answered as the control is; or refused, where it offers nothing that is known.
    pub tolerated: Fact<bool>,
    /// What was seen, in words.
    pub seen: String,
}

/// An answer to what was not asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerFault {
    /// `unoffered-suite`, `unoffered-version`, `unoffered-compression` or `unsolicited-extension`.
    pub name: String,
    /// What was seen first.
    pub seen: String,
}
