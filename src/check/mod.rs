//! Judges observations by checks: pure, three-valued, without I/O or clock.

pub mod derive;
