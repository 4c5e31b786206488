//! every renderer.
