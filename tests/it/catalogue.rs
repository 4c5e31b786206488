//! the checks as data.
