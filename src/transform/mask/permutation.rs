//! A keyed permutation of the numbers 0 to `max`: each becomes another one of them, and no two the same.
//!
//! A balanced Feistel network over the smallest even number of bits that holds `max`, walked again until the outcome is at most
//! `max` (cycle walking). The walk ends: it goes along a cycle that begins in range. It takes fewer than four steps on average.

use sha2::{Digest, Sha256};

use super::keyed::Keyed;

/// As many as in NIST's FF1.
const ROUNDS: u8 = 10;

/// The permutation.
#[derive(Clone)]
pub struct Permutation {
    key: [u8; 32],
    max: u128,
    half_bits: u32,
}

impl Permutation {
    /// One for `purpose`, which tells permutations of the same numbers apart.
    pub fn new(keyed: &Keyed, purpose: &str, max: u128) -> Self {
        let bits = u128::BITS - max.leading_zeros();
        Permutation { key: keyed.code(purpose, &max.to_le_bytes()), max, half_bits: bits.div_ceil(2).max(1) }
    }

    /// What `value` becomes; `None` for a value above the range.
    pub fn of(&self, value: u128) -> Option<u128> {
        let mut value = (value <= self.max).then_some(value)?;
        loop {
            value = self.network(value);
            if value <= self.max {
                return Some(value);
            }
        }
    }

    fn network(&self, value: u128) -> u128 {
        let mask = u64::MAX >> (u64::BITS - self.half_bits);
        let (mut left, mut right) = (low(value >> self.half_bits) & mask, low(value) & mask);
        for round in 0..ROUNDS {
            (left, right) = (right, left ^ (self.round(round, right) & mask));
        }
        (u128::from(left) << self.half_bits) | u128::from(right)
    }

    /// A keyed function of one half. The input has a fixed length and fits one block, so the plain hash of key and input is enough.
    fn round(&self, round: u8, half: u64) -> u64 {
        let mut input = [0u8; 41];
        input[..32].copy_from_slice(&self.key);
        input[32] = round;
        input[33..].copy_from_slice(&half.to_le_bytes());
        let code: [u8; 32] = Sha256::digest(input).into();
        let mut first = [0u8; 8];
        first.copy_from_slice(&code[..8]);
        u64::from_le_bytes(first)
    }
}

/// The lower 64 bits.
fn low(value: u128) -> u64 {
    u64::try_from(value & u128::from(u64::MAX)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn permutation(max: u128) -> Permutation {
        Permutation::new(&Keyed::new(b"a key for the tests"), "test", max)
    }

    #[test]
    fn small_ranges_are_permuted_without_a_gap_or_a_collision() {
        for max in [0, 1, 2, 3, 4, 15, 16, 99, 127, 255, 1000, 32_767] {
            let permutation = permutation(max);
            let all: HashSet<u128> = (0..=max).filter_map(|value| permutation.of(value)).collect();
            assert_eq!(all.len(), usize::try_from(max).unwrap() + 1, "{max}");
            assert!(all.iter().all(|value| *value <= max));
            assert_eq!(permutation.of(max + 1), None);
        }
    }

    #[test]
    fn a_permutation_moves_most_values_and_depends_on_key_and_purpose() {
        let one = permutation(u128::from(u64::MAX));
        let two = Permutation::new(&Keyed::new(b"another key of the tests"), "test", u128::from(u64::MAX));
        let three = Permutation::new(&Keyed::new(b"a key for the tests"), "more", u128::from(u64::MAX));
        for value in 0..100 {
            assert_ne!(one.of(value), Some(value));
            assert_ne!(one.of(value), two.of(value));
            assert_ne!(one.of(value), three.of(value));
        }
    }

    proptest! {
        #[test]
        fn large_ranges_keep_their_range_and_never_collide(max in 1u128..10u128.pow(38), seeds in prop::collection::hash_set(any::<u128>(), 2..40)) {
            let permutation = permutation(max);
            let values: HashSet<u128> = seeds.iter().map(|seed| seed % max).collect();
            let images: HashSet<u128> = values.iter().filter_map(|value| permutation.of(*value)).collect();
            prop_assert_eq!(images.len(), values.len());
            prop_assert!(images.iter().all(|image| *image <= max));
        }
    }
}
