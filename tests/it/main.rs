//! The one integration-test binary: a file a subject.

mod architecture;
mod catalogue;
mod cli;
mod config;
mod demo;
mod handshake;
mod hostile;
mod http;
mod postgres;
mod report;
mod retention;
mod sqlite;
mod support;
mod tls;
mod vendors;
mod x509;
