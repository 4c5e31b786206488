//! the embedded estate.
