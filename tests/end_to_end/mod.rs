//! MariaDB to PostgreSQL with the command as a person runs it; what arrived is judged by PostgreSQL itself.

mod append;
mod diff;
mod existing;
mod explain;
mod expressions;
mod hooks;
mod lost;
mod masks;
mod merges;
mod objects;
mod parity;
mod probe;
mod renames;
mod schema_objects;
mod splits;
mod subsets;
mod tables;
mod types;
mod upsert;
mod vectors;
