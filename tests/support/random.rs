//! Random values for properties: their number from `DBFERRY_TEST_VALUES`, their seed from `DBFERRY_TEST_SEED`.
//!
//! The seed stands in the message of every property that fails.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How many values a property is tried with.
fn value_count() -> usize {
    std::env::var("DBFERRY_TEST_VALUES").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

/// Random values.
pub struct Random {
    /// Gives the same values again.
    pub seed: u64,
    runner: TestRunner,
}

impl Random {
    pub fn new() -> Self {
        let seed = std::env::var("DBFERRY_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(clock);
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Random { seed, runner: TestRunner::new_with_rng(Config::default(), rng) }
    }

    pub fn one<T: std::fmt::Debug>(&mut self, strategy: &impl Strategy<Value = T>) -> T {
        strategy.new_tree(&mut self.runner).unwrap().current()
    }

    /// Values, every tenth of them NULL.
    pub fn some<T: std::fmt::Debug>(&mut self, strategy: impl Strategy<Value = T>) -> Vec<Option<T>> {
        let strategy = proptest::option::weighted(0.9, strategy);
        (0..value_count()).map(|_| self.one(&strategy)).collect()
    }
}

fn clock() -> u64 {
    u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap()
}
