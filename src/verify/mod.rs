//! Are both sides equal? The canonical form of values, the hash over it, and the comparison.
//!
//! [`canonical`] says which bytes stand for a value, [`hasher`] makes one hash a row of them, [`profile`] says what the two databases
//! compute of a column, [`facts`] asks them, [`compare`] decides, [`merged`] for tables whose rows come together; [`later`] does all of it
//! for two databases as they stand, with what the ledger knows of [`earlier`] runs and of the rows that they have [`rejected`]. [`parity`] compares the target's schema with the plan.

pub mod canonical;
pub mod compare;
pub mod earlier;
pub mod facts;
pub mod hasher;
pub mod later;
pub mod merged;
pub mod parity;
pub mod profile;
pub mod rejected;
