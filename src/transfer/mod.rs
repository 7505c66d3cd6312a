//! Carries a database: creates, copies, indexes, constrains, verifies.
//!
//! ```text
//! run ── plan ── create ── copy ─────────────────────── index ── constrain ── verify ── report
//!                           │ workers, one unit each:
//!                           └ execute: read ─► transform ─► digest ─► write ─► commit (rows + receipt)
//! ```
//!
//! `prepare` is all that may refuse; [`run`] is the order of the phases; `statements` are those around the rows; [`copy`] hands units to workers; [`execute`] does one unit; [`pool`] is what works side
//! by side; `report` says at the end what was done; [`stop`] is how a person ends it, `stall` how a hang does; [`hooks`] runs a person's own
//! SQL; `keep` holds the lease of the run, `settle` makes its receipts durable, [`choose`] finds the run that is gone on with, [`abandon`]
//! gives one up; `moved` brings what was carried to the instant of a later snapshot (`recheck` compares, `take_out` decides what goes), `altered`
//! looks whether its tables have changed; [`baseline`] is what stood in tables that rows are added to; `restore` puts back what was set
//! aside of tables that stand; `batches` joins statements about many small tables; `sift` does a unit of a table that rejects rows, and
//! [`retry`] sends those again; `retry_chunk` tries again what may pass by itself; `unlogged` keeps runs without a log from being gone on with.

pub mod abandon;
mod altered;
pub mod baseline;
mod batches;
pub mod choose;
pub mod copy;
pub mod execute;
pub mod hooks;
mod keep;
mod moved;
mod parity;
pub mod pause;
pub mod pool;
mod prepare;
pub mod rate;
mod recheck;
mod report;
mod restore;
pub mod retry;
mod retry_chunk;
pub mod run;
mod sessions;
mod settle;
mod sift;
pub mod stall;
mod statements;
pub mod stop;
mod take_out;
mod unlogged;
