//! Tests for known flaws: the rows of `tls.vulnerabilities`.

mod oracles;
mod padding;
mod reading;
mod record_overflow;
pub(super) mod ticketbleed;

pub use oracles::oracles;
