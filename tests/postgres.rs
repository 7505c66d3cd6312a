//! The PostgreSQL sink against a real server: the database judges each value.

#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod write;
