//! The MySQL source against a real server.
