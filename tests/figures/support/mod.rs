//! The servers of the tests.

#[path = "../../it/support/lab.rs"]
pub mod lab;
#[path = "../../it/support/server.rs"]
mod server;
#[path = "../../it/support/tls.rs"]
pub mod tls;

pub use server::*;
