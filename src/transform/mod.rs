//! From the source's batch to the target's: renames columns and casts values, exactly or not at all.
//!
//! [`pairs`] says which types become which · [`batch`] carries a batch through · the rest are the casts by family: [`numbers`], [`floats`],
//! [`temporal`], [`text`], [`bytes`] · [`expr`] computes columns and conditions from SQL, the only place that knows DataFusion.

pub mod batch;
pub mod bytes;
pub mod expr;
pub mod floats;
pub mod numbers;
pub mod pairs;
pub mod temporal;
pub mod text;

pub use batch::{CastColumn, Transform, compile};
pub use pairs::{Cast, Castability, can_cast};

#[cfg(test)]
mod tests;
