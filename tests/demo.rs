//! The demo, which needs no server.
