//! The nouns of probity: targets, observations, checks, results, findings, controls, assessments.
//!
//! This room does no I/O, names no check, and knows no other room.

pub mod assessment;
pub mod baseline;
pub mod bucket;
pub mod check;
pub mod clock;
pub mod control;
pub mod database;
pub mod digest;
pub mod dns;
pub mod erasure;
pub mod fact;
pub mod finding;
pub mod flaw;
pub mod grade;
pub mod host;
pub mod http;
pub mod kind;
pub mod mail;
pub mod observation;
pub mod personal;
pub mod policy;
pub mod portability;
pub mod proof;
pub mod register;
pub mod requests;
pub mod result;
pub mod retention;
pub mod revocation;
pub mod secret;
pub mod service;
pub mod shape;
pub mod status;
pub mod target;
pub mod tls;
pub mod tls_policy;
pub mod tls_reverification;
pub mod tls_session;
pub mod transparency;
pub mod trouble;
mod words;

pub use assessment::{Assessment, BlindSpot, Cause, Evidence, Gate, Remedy, Run, Tool, Verdict};
pub use check::Check;
pub use clock::{Clock, FixedClock, SystemClock};
pub use control::{Control, ControlResult, ControlStatus, Framework};
pub use fact::Fact;
pub use finding::{Finding, FindingState, Waiver};
pub use observation::{Exchange, Method, Observation, ObservationStatus};
pub use policy::Policy;
pub use result::CheckResult;
pub use secret::SecretRef;
pub use service::Service;
pub use status::{Severity, Status};
pub use target::{Target, TargetKind};
pub use trouble::{Reason, Trouble};
