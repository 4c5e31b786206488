//! the TLS collector against real servers.
