//! The digest of a multiset of rows.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An order-free, mergeable fingerprint of a multiset of rows: their number, and the sum of one 128-bit hash a row, modulo 2^128.
///
/// Equal rows count as often as they occur, so a table without a key is comparable. What is hashed of a row, byte by byte,
/// is described in [`crate::verify::canonical`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digest {
    /// Number of rows.
    pub rows: u64,
    /// Sum of the rows' hashes modulo 2^128.
    #[serde(with = "hex")]
    pub sum: u128,
}

impl Digest {
    /// Adds one row by its hash.
    pub fn add_row(&mut self, hash: u128) {
        self.rows += 1;
        // Add, not XOR: equal duplicate rows would cancel out and a lost pair would verify.
        self.sum = self.sum.wrapping_add(hash);
    }

    /// Adds the rows of another digest.
    pub fn merge(&mut self, other: Digest) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl std::iter::Sum for Digest {
    fn sum<I: Iterator<Item = Digest>>(digests: I) -> Digest {
        digests.fold(Digest::default(), |mut all, digest| {
            all.merge(digest);
            all
        })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.sum)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({} rows, {self})", self.rows)
    }
}

/// A `u128` as 32 hexadecimal digits, since JSON numbers end at 2^53 in most readers.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(sum: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{sum:032x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        u128::from_str_radix(&String::deserialize(from)?, 16).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_pair_of_equal_rows_changes_the_digest() {
        let mut two = Digest::default();
        two.add_row(5);
        let one = two;
        two.add_row(5);
        let mut four = two;
        four.merge(two);
        assert_ne!(two, four);
        assert_ne!(one.sum, two.sum);
        assert_eq!([one, one, two].into_iter().sum::<Digest>(), four);
    }

    #[test]
    fn the_sum_travels_through_json_in_full() {
        let digest = Digest { rows: 3, sum: u128::MAX - 1 };
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(json, r#"{"rows":3,"sum":"fffffffffffffffffffffffffffffffe"}"#);
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }
}
