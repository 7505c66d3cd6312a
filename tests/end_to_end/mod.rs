//! MariaDB to PostgreSQL with the command as a person runs it; what arrived is judged by PostgreSQL itself.

mod append;
mod diff;
mod examples;
mod existing;
mod expressions;
mod hooks;
mod logins;
mod lost;
mod masks;
mod merges;
mod objects;
mod policies;
mod probe;
mod reference;
mod rejects;
mod renames;
mod schema_objects;
mod splits;
mod stalls;
mod subsets;
mod tables;
mod types;
mod upsert;
mod vectors;
