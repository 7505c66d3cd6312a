//! From canonical bytes to one 128-bit hash a row, column by column over a batch.
//!
//! The hash of a row is a chain over its columns, in the order of the target table:
//!
//! ```text
//! state  = 0
//! state  = rotate_left(state, 17) XOR xxh3_128(canonical bytes, seed = fold(state))           for a value
//! state  = rotate_left(state, 17) XOR xxh3_128(no bytes,        seed = NOT fold(state))       for NULL
//! fold(state) = low half XOR high half
//! ```
//!
//! Position enters through the chain, the length through XXH3 itself. Each step depends on all columns before it, so that two rows
//! with one value swapped between them do not add up to the same sum. XXH3 is not a cryptographic hash: this finds accidents, not
//! a forger. Worked example: the row (1, NULL, 'a') of (int, int, text) is tested below.

use arrow::record_batch::RecordBatch;
use xxhash_rust::xxh3::xxh3_128_with_seed;

use super::canonical::{self, Visit};
use crate::error::Result;
use crate::model::{Digest, LogicalType};

/// Hashes the rows of batches whose columns have given logical types.
#[derive(Debug, Clone)]
pub struct RowHasher {
    columns: Vec<LogicalType>,
    states: Vec<u128>,
}

impl RowHasher {
    /// For batches with these columns, in this order.
    pub fn new(columns: impl IntoIterator<Item = LogicalType>) -> Self {
        RowHasher { columns: columns.into_iter().collect(), states: Vec::new() }
    }

    /// One hash per row of `batch`.
    ///
    /// # Errors
    /// `Internal` if the batch has not these columns.
    pub fn rows(&mut self, batch: &RecordBatch) -> Result<&[u128]> {
        if batch.num_columns() != self.columns.len() {
            return Err(crate::Error::internal(format!(
                "a batch of {} columns came where {} were planned",
                batch.num_columns(),
                self.columns.len()
            )));
        }
        self.states.clear();
        self.states.resize(batch.num_rows(), 0);
        for (array, logical) in batch.columns().iter().zip(&self.columns) {
            canonical::tell(array, logical, Chain(&mut self.states))?;
        }
        Ok(&self.states)
    }

    /// Adds the rows of `batch` to `digest`.
    ///
    /// # Errors
    /// As for [`RowHasher::rows`].
    pub fn update(&mut self, batch: &RecordBatch, digest: &mut Digest) -> Result<()> {
        for hash in self.rows(batch)? {
            digest.add_row(*hash);
        }
        Ok(())
    }
}

/// One column's step for all rows.
pub(crate) struct Chain<'a>(pub(crate) &'a mut [u128]);

impl Visit for Chain<'_> {
    // Compiled into the loop of each type: where the length is a constant, so is the way through the hash.
    #[inline(always)]
    fn value(&mut self, row: usize, bytes: Option<&[u8]>) {
        if let Some(state) = self.0.get_mut(row) {
            *state = chain(*state, bytes);
        }
    }

    #[inline(always)]
    fn exact(&mut self, row: usize, coefficient: i64, scale: u8) {
        if let Some(state) = self.0.get_mut(row) {
            *state = chain_exact(*state, coefficient, scale);
        }
    }
}

/// The state of a row after one more column.
#[inline]
pub(crate) fn chain(state: u128, value: Option<&[u8]>) -> u128 {
    let fold = fold(state);
    let hash = match value {
        Some(bytes) => xxh3_128_with_seed(bytes, fold),
        None => xxh3_128_with_seed(&[], !fold),
    };
    state.rotate_left(17) ^ hash
}

/// As [`chain`], of a number that has 9 canonical bytes: those of `scale` and `coefficient`.
#[inline(always)]
pub(crate) fn chain_exact(state: u128, coefficient: i64, scale: u8) -> u128 {
    state.rotate_left(17) ^ xxh3_128_of_9(scale, coefficient.cast_unsigned(), fold(state))
}

#[inline(always)]
fn fold(state: u128) -> u64 {
    low(state) ^ high(state)
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "the half is meant")]
fn low(bits: u128) -> u64 {
    bits as u64
}

#[inline(always)]
fn high(bits: u128) -> u64 {
    low(bits >> 64)
}

/// XXH3 of 9 bytes, as its specification has it ("XXH3-128, 9 to 16 bytes"): one byte, and 8 of little endian. Half of all columns are numbers,
/// and by way of memory each would wait until its bytes can be read back as the words that the hash takes.
#[inline(always)]
fn xxh3_128_of_9(first: u8, rest: u64, seed: u64) -> u128 {
    const PRIME32_2: u64 = 0x85eb_ca77;
    const PRIME64_1: u64 = 0x9e37_79b1_85eb_ca87;
    const PRIME64_2: u64 = 0xc2b2_ae3d_27d4_eb4f;
    // The words of the default secret from its byte 32 on, each two XORed.
    const FLIP_LOW: u64 = 0x78e5_c0cc_4ee6_79cb ^ 0x2172_ffcc_7dd0_5a82;
    const FLIP_HIGH: u64 = 0x8e24_43f7_7446_08b8 ^ 0x4c26_3a81_e690_35e0;
    let wide = |one: u64, two: u64| u128::from(one) * u128::from(two);
    let avalanche = |mut bits: u64| {
        bits ^= bits >> 37;
        bits = bits.wrapping_mul(0x1656_6791_9e37_79f9);
        bits ^ bits >> 32
    };
    let head = u64::from(first) | rest << 8;
    let product = wide(head ^ rest ^ FLIP_LOW.wrapping_sub(seed), PRIME64_1);
    let tail = rest ^ FLIP_HIGH.wrapping_add(seed);
    let upper = high(product).wrapping_add(tail).wrapping_add((tail & 0xffff_ffff).wrapping_mul(PRIME32_2 - 1));
    let lower = low(product).wrapping_add(8 << 54) ^ upper.swap_bytes();
    let mixed = wide(lower, PRIME64_2);
    let upper = high(mixed).wrapping_add(upper.wrapping_mul(PRIME64_2));
    u128::from(avalanche(upper)) << 64 | u128::from(avalanche(low(mixed)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int32Array, StringArray};

    use super::*;
    use crate::model::logical::schema;

    const TEXT: LogicalType = LogicalType::Text { length: None };

    fn digest(ids: Vec<Option<i32>>, others: Vec<Option<i32>>, texts: Vec<Option<&str>>) -> Digest {
        let schema = schema([("id", &LogicalType::Int32), ("other", &LogicalType::Int32), ("text", &TEXT)]);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int32Array::from(ids)), Arc::new(Int32Array::from(others)), Arc::new(StringArray::from(texts))];
        let mut digest = Digest::default();
        let batch = RecordBatch::try_new(schema, columns).unwrap();
        RowHasher::new([LogicalType::Int32, LogicalType::Int32, TEXT]).update(&batch, &mut digest).unwrap();
        digest
    }

    #[test]
    fn the_worked_example_holds() {
        let one = xxh3_128_with_seed(&[0, 1, 0, 0, 0, 0, 0, 0, 0], 0);
        let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap();
        let fold = |state: u128| half(state) ^ half(state >> 64);
        let two = one.rotate_left(17) ^ xxh3_128_with_seed(&[], !fold(one));
        let three = two.rotate_left(17) ^ xxh3_128_with_seed(b"a", fold(two));
        assert_eq!(digest(vec![Some(1)], vec![None], vec![Some("a")]), Digest { rows: 1, sum: three });
    }

    proptest::proptest! {
        #[test]
        fn nine_bytes_are_hashed_as_all_others(first: u8, rest: u64, seed: u64) {
            let mut bytes = [first; 9];
            bytes[1..].copy_from_slice(&rest.to_le_bytes());
            proptest::prop_assert_eq!(xxh3_128_of_9(first, rest, seed), xxh3_128_with_seed(&bytes, seed));
        }

        #[test]
        fn a_number_is_chained_as_its_bytes_are(coefficient: i64, scale: u8, state: u128) {
            let mut bytes = [scale; 9];
            bytes[1..].copy_from_slice(&coefficient.to_le_bytes());
            proptest::prop_assert_eq!(chain_exact(state, coefficient, scale), chain(state, Some(&bytes)));
        }
    }

    #[test]
    fn null_zero_and_empty_differ_and_so_do_columns() {
        let row = |id, other, text| digest(vec![id], vec![other], vec![text]);
        let all = [
            row(None, None, None),
            row(Some(0), None, None),
            row(None, Some(0), None),
            row(None, None, Some("")),
            row(None, None, Some("\0")),
            row(Some(0), Some(0), None),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[place + 1..].iter().all(|two| one != two));
        }
    }

    #[test]
    fn the_order_of_rows_does_not_count_but_a_swapped_value_does() {
        let ids = || vec![Some(1), Some(2)];
        let straight = digest(ids(), vec![Some(10), Some(20)], vec![Some("a"), Some("b")]);
        let turned = digest(vec![Some(2), Some(1)], vec![Some(20), Some(10)], vec![Some("b"), Some("a")]);
        assert_eq!(straight, turned);
        assert_ne!(straight, digest(ids(), vec![Some(20), Some(10)], vec![Some("a"), Some("b")]));
        assert_ne!(straight, digest(ids(), vec![Some(10), Some(20)], vec![Some("b"), Some("a")]));
    }
}
