//! The one integration-test binary: a file a subject.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "what a test sets up must succeed, and a skipped test says so"
)]

mod addresses;
mod adversary;
mod architecture;
mod catalogue;
mod cli;
mod clients;
mod config;
mod corpus;
mod demo;
mod dns;
mod erasure;
mod exchangers;
mod faults;
mod finer;
mod flaws;
mod handshake;
mod host;
mod hostile;
mod http;
mod kinds;
mod mail;
#[cfg(feature = "mysql")]
mod mariadb;
#[cfg(feature = "mysql")]
mod mysql;
mod negatives;
mod policy;
mod portability;
mod postgres;
mod proof;
mod redirects;
mod report;
mod report_files;
mod requests;
mod retention;
mod revocation;
mod session;
mod sessions;
mod shape;
mod sqlite;
mod starttls;
mod stopped;
mod store;
mod support;
mod sweep;
mod tls;
mod vendors;
mod x509;
