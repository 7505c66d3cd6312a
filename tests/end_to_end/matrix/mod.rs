//! The matrix of `docs/correctness.md`: each hard case of the source, carried by the command, and what PostgreSQL says of it.

mod columns;
mod delivery;
mod hostile;
mod indexes;
mod keys;
mod listed;
mod names;
mod verification;
