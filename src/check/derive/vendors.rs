//! Derives the vendor rules.
