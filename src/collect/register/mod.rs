//! The collector of the vendor register.
