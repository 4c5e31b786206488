//! Derives encryption at rest by store.
