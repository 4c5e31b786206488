//! The collector of TLS endpoints.
