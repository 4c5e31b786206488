//! The room `finding`.
