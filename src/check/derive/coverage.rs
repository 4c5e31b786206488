//! Derives the coverage of the vendor base.
