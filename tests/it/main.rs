//! The one integration-test binary: a file a subject.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "what a test sets up must succeed, and a skipped test says so"
)]

mod adversary;
mod architecture;
mod catalogue;
mod cli;
mod config;
mod corpus;
mod demo;
mod dns;
mod handshake;
mod hostile;
mod http;
mod mail;
mod postgres;
mod report;
mod retention;
mod sqlite;
mod support;
mod tls;
mod vendors;
mod x509;
