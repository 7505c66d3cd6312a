//! Carries a database: creates, copies, indexes, constrains, verifies.
//!
//! ```text
//! run ── plan ── create ── copy ─────────────────────── index ── constrain ── verify ── report
//!                           │ workers, one unit each:
//!                           └ execute: read ─► transform ─► digest ─► write ─► commit (rows + receipt)
//! ```
//!
//! `prepare` is all that may refuse; [`run`] is the order of the phases; [`copy`] hands units to workers; [`execute`] does one unit; [`pool`] is what works side
//! by side; `report` says at the end what was done; [`stop`] is how a person ends it, `stall` how a hang does; [`hooks`] runs a person's own
//! SQL; `keep` holds the lease of the run, `settle` makes its receipts durable, [`choose`] finds the run that is gone on with, [`abandon`]
//! gives one up; [`baseline`] is what stood in tables that rows are added to; `restore` puts back what was set aside of tables that stand;
//! `batches` joins statements about many small tables; `sift` does a unit of a table that rejects rows, and [`retry`] sends those again.

pub mod abandon;
pub mod baseline;
mod batches;
pub mod choose;
pub mod copy;
pub mod execute;
pub mod hooks;
mod keep;
mod parity;
pub mod pool;
mod prepare;
mod report;
mod restore;
pub mod retry;
pub mod run;
mod settle;
mod sift;
mod stall;
pub mod stop;
