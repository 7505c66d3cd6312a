//! The matrix of `docs/correctness.md`: each hard case of the source, carried by the command, and what PostgreSQL says of it.

mod indexes;
mod keys;
mod listed;
mod names;
