//! MariaDB to PostgreSQL with the command as a person runs it; what arrived is judged by PostgreSQL itself.

mod append;
mod existing;
mod expressions;
mod hooks;
mod lost;
mod masks;
mod objects;
mod renames;
mod tables;
mod types;
mod upsert;
mod vectors;
