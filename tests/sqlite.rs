//! The SQLite source.
