//! dbferry carries whole databases between engines and proves that nothing was lost.

pub mod advice;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod error;
pub mod failpoint;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod ledger;
pub mod mapping;
pub mod model;
pub mod plan;
pub mod progress;
pub mod report;
pub mod transfer;
pub mod transform;
pub mod verify;

pub use error::{Error, ErrorKind, Result};
