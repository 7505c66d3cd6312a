//! MariaDB to PostgreSQL with the command as a person runs it; what arrived is judged by PostgreSQL itself.

mod append;
mod expressions;
mod hooks;
mod lost;
mod masks;
mod objects;
mod policies;
mod rejects;
mod renames;
mod tables;
mod types;
mod vectors;
