//! The collector of HTTP over an endpoint.
