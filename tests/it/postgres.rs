//! PostgreSQL in three postures.
