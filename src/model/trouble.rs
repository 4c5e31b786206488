//! Why evidence could not be had.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The class of a trouble at the target's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The name does not resolve, there is no route, or the file is not there.
    Unreachable,
    /// The connection was refused or closed at once.
    Refused,
    /// Nothing came in time.
    TimedOut,
    /// The peer did not accept our handshake.
    HandshakeRejected,
    /// The peer broke the rules of its protocol, or speaks another one.
    ProtocolViolation,
    /// A limit on what we read was hit.
    TooLarge,
    /// The credentials were not accepted.
    AuthenticationFailed,
    /// The credentials do not allow this look.
    PermissionDenied,
    /// The target, or this build, cannot answer the question.
    Unsupported,
    /// The user stopped the run.
    Interrupted,
    /// A fault of probity itself.
    Internal,
}

impl Reason {
    /// The word used in every output, for example `timed-out`.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Unreachable => "unreachable",
            Reason::Refused => "refused",
            Reason::TimedOut => "timed-out",
            Reason::HandshakeRejected => "handshake-rejected",
            Reason::ProtocolViolation => "protocol-violation",
            Reason::TooLarge => "too-large",
            Reason::AuthenticationFailed => "authentication-failed",
            Reason::PermissionDenied => "permission-denied",
            Reason::Unsupported => "unsupported",
            Reason::Interrupted => "interrupted",
            Reason::Internal => "internal",
        }
    }

    /// The reason of this word.
    pub fn parse(word: &str) -> Option<Reason> {
        serde_json::from_value(serde_json::Value::String(word.to_owned())).ok()
    }
}

/// A reason and what was seen. Never holds a secret or a person's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// The class.
    pub reason: Reason,
    /// What was seen, as a fragment fit for "not evaluated: {detail}".
    pub detail: String,
}

impl Trouble {
    /// A trouble with its detail.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Trouble {
        Trouble { reason, detail: detail.into() }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() {
            f.write_str(self.reason.word())
        } else {
            write!(f, "{} ({})", self.detail, self.reason.word())
        }
    }
}

impl std::error::Error for Trouble {}
