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
#[cfg(feature = "clickhouse")]
mod clickhouse;
mod clients;
mod cloud;
mod config;
mod corpus;
mod data_sets;
mod demo;
mod dns;
mod doctor;
mod drill;
mod erasure;
mod exchangers;
mod faults;
mod finer;
mod flaws;
mod handshake;
mod host;
mod hostile;
mod http;
mod injection;
mod kinds;
mod mail;
#[cfg(feature = "mysql")]
mod mariadb;
#[cfg(feature = "postgres")]
mod measuring;
#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(feature = "mysql")]
mod mysql;
mod negatives;
mod objects;
mod policy;
mod portability;
mod postgres;
mod proof;
mod redirects;
mod redis;
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
mod waiver;
mod x509;
