//! Carries chunks: read, transform, digest, write, commit.
