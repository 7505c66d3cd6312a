//! Are both sides equal? The canonical form of values, the hash over it, and the comparison.

pub mod canonical;
pub mod hasher;
