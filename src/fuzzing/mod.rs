//! What takes bytes and text from outside, as functions that a fuzzer can call.
//!
//! Each takes any bytes, and panics only where the product is wrong: a value or an [`crate::Error`], never a panic, and what can be read again
//! must be what was written. It is here, and not in `fuzz/`, since decoders and encoders are no interface: nothing outside of the crate
//! may depend on them. So the module is only there in tests and with the feature `fuzzing`, which `fuzz/` alone turns on.
//!
//! A new target is a function beside what it tries, a line in [`TARGETS`], and a file in `fuzz/fuzz_targets/`. [`smoke`] calls all of
//! [`TARGETS`] with each `cargo test`.

mod files;
mod input;
mod json;
#[cfg(test)]
mod smoke;

pub use files::{config, mapping};
pub use input::Input;
pub use json::json;

pub use crate::engine::mysql::fuzzing::{understood as mysql_expressions, values as mysql_values};
pub use crate::engine::postgres::fuzzing::{copy_decode as postgres_decode, copy_round_trip as postgres_round_trip};

/// Something to try with any bytes.
pub struct Target {
    /// The name of its file in `fuzz/fuzz_targets/`.
    pub name: &'static str,
    /// Panics where the product is wrong.
    pub run: fn(&[u8]),
    /// Input that gets far, to be changed at random.
    pub seeds: &'static [&'static [u8]],
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "config", run: config, seeds: files::CONFIGS },
    Target { name: "json", run: json, seeds: json::DOCUMENTS },
    Target { name: "mapping", run: mapping, seeds: files::MAPPINGS },
    Target { name: "mysql_expressions", run: mysql_expressions, seeds: crate::engine::mysql::fuzzing::EXPRESSIONS },
    Target { name: "mysql_values", run: mysql_values, seeds: &[] },
    Target { name: "postgres_decode", run: postgres_decode, seeds: &[] },
    Target { name: "postgres_round_trip", run: postgres_round_trip, seeds: &[] },
];
