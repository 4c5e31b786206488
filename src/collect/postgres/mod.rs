//! The collector of PostgreSQL servers.
pub mod retention;
