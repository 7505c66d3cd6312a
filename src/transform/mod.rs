//! From the source's batch to the target's: renames columns and casts values, exactly or not at all.
//!
//! [`pairs`] says which types become which · [`batch`] carries a batch through · the rest are the casts by family: [`numbers`], [`floats`],
//! [`temporal`], [`text`], [`bytes`], [`vectors`]; [`range`] numbers beyond their type, by policy; [`mask`] makes stand-ins of what was cast; [`expr`] computes columns and conditions from
//! SQL, the only place that knows DataFusion.

pub mod batch;
pub mod bytes;
pub mod expr;
pub mod floats;
pub mod mask;
pub mod numbers;
pub mod pairs;
pub mod range;
pub mod temporal;
pub mod text;
pub mod vectors;

pub use batch::{CastColumn, Step, Transform, compile, compile_table};
pub use pairs::{Cast, Castability, can_cast};

#[cfg(test)]
mod tests;
