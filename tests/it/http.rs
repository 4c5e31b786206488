//! the HTTP collector.
