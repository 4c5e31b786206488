//! the vendor register.
