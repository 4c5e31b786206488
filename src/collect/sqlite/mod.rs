//! The collector of SQLite files.
