//! The collector of PostgreSQL servers.
