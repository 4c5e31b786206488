//! The collector of TLS endpoints.

pub mod certificate;
pub mod handshake;
pub mod prime;
