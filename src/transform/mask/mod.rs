//! Masking: values of a column become stand-ins of the same type, after the casts, so that digests and verification cover them.
//!
//! | | numbers | text | bytes | UUID | dates, timestamps | the rest |
//! |---|---|---|---|---|---|---|
//! | `hash` | another number of the type's range and sign, one to one | hexadecimal digits, at most 32 | as many bytes, at most 32 | a UUID of version 8 | – | – |
//! | `fake_email` | – | digits`@example.com` | – | – | – | – |
//! | `partial` | – | `A*****6789` | – | – | – | – |
//! | `shift_date` | – | – | – | – | moved by the key's number of days | – |
//! | `redact` | 0 | `REDACTED` | none | nil | 1970-01-01 | false, `{}`, an empty list |
//! | `null` | NULL | NULL | NULL | NULL | NULL | NULL |
//!
//! `hash`, `fake_email` and `shift_date` are keyed: the same value and key give the same stand-in, in every table and every run, and
//! without the key none can be told from another. Numbers of different ranges are numbers of different kinds, and text
//! is cut to its column's room; foreign keys even the room out. Numbers of few values
//! (a `tinyint`) can be told by how often they occur, whatever the mask; a date that is known tells how far all were moved.
//!
//! [`keyed`] HMAC, [`permutation`] of numbers, [`fits`] which mask fits which type, `values` the masks themselves.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, new_null_array};
use serde::{Deserialize, Serialize};

use super::pairs::Refusal;
use crate::config::masking::MaskKind;
use crate::model::LogicalType;

pub mod fits;
pub mod keyed;
pub mod permutation;
#[cfg(test)]
mod tests;
mod values;

pub use keyed::Keyed;

/// Most hexadecimal digits of a masked text: 128 bits.
const MOST_DIGITS: u32 = 32;
/// Most hexadecimal digits in a made-up address.
const MOST_EMAIL_DIGITS: u32 = 24;
/// Most bytes of masked bytes.
const MOST_BYTES: u32 = 32;

/// How a column is masked, as a plan holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMask {
    /// The mask.
    pub kind: MaskKind,
    /// Characters or bytes that all columns joined to this one by foreign keys have room for; `None` without a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<u32>,
    /// Labels that the target keeps the column to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// What demands the mask: `mappings/shop.toml:12`, or the parent that is masked so.
    #[serde(default)]
    pub because: String,
}

/// A compiled mask. Deliberately without `Debug`: it holds the key.
#[derive(Clone)]
pub struct Mask(Arc<Compiled>);

enum Compiled {
    Null,
    Fixed(ArrayRef),
    Numbers(values::Numbers),
    Text { keyed: Keyed, digits: usize },
    Email { keyed: Keyed, digits: usize },
    Bytes { keyed: Keyed, bytes: usize },
    Uuid(Keyed),
    Partial,
    Days(i32),
}

impl Mask {
    /// Compiles the mask of a column that is read as `from` and written as `to`.
    ///
    /// # Errors
    /// Why there is none: it does not fit the type, or there is no key.
    pub fn compile(mask: &ColumnMask, from: &LogicalType, to: &LogicalType, key: Option<&Keyed>) -> Result<Self, String> {
        fits::fits(mask.kind, from, to, mask.room, &mask.labels)?;
        let keyed = || key.cloned().ok_or_else(|| format!("the mask `{}` needs the key", mask.kind.word()));
        let count = |most: u32| usize::try_from(mask.room.unwrap_or(most).min(most)).unwrap_or(0);
        Ok(Mask(Arc::new(match mask.kind {
            MaskKind::Null => Compiled::Null,
            MaskKind::Redact => {
                Compiled::Fixed(values::fixed(to, &mask.labels, mask.room).ok_or("there is no fixed value of this type")?)
            }
            MaskKind::Partial => Compiled::Partial,
            MaskKind::ShiftDate => Compiled::Days(values::days(&keyed()?)),
            MaskKind::FakeEmail => {
                let digits = count(MOST_EMAIL_DIGITS + fits::EMAIL_DOMAIN_CHARS).saturating_sub(fits::EMAIL_DOMAIN.len());
                Compiled::Email { keyed: keyed()?, digits }
            }
            MaskKind::Hash => match fits::shape(from, to) {
                fits::Shape::Number { low, high, .. } => Compiled::Numbers(values::Numbers::new(&keyed()?, low, high)),
                fits::Shape::Text => Compiled::Text { keyed: keyed()?, digits: count(MOST_DIGITS) },
                fits::Shape::Binary => Compiled::Bytes { keyed: keyed()?, bytes: count(MOST_BYTES) },
                fits::Shape::Uuid => Compiled::Uuid(keyed()?),
                fits::Shape::Day | fits::Shape::Other => return Err("there is no such mask for this type".into()),
            },
        })))
    }

    /// The stand-ins of `array`, which is of type `to`.
    ///
    /// # Errors
    /// A value that has none: a date at the end of its type's range.
    pub fn apply(&self, array: &ArrayRef, to: &LogicalType) -> Result<ArrayRef, Refusal> {
        match &*self.0 {
            Compiled::Null => Ok(new_null_array(array.data_type(), array.len())),
            Compiled::Fixed(one) => values::replaced(array, one),
            Compiled::Numbers(numbers) => values::numbers(array, to, numbers),
            Compiled::Text { keyed, digits } => Ok(values::text_codes(array, keyed, *digits, "")),
            Compiled::Email { keyed, digits } => Ok(values::emails(array, keyed, *digits)),
            Compiled::Bytes { keyed, bytes } => Ok(values::byte_codes(array, keyed, *bytes)),
            Compiled::Uuid(keyed) => values::uuids(array, keyed),
            Compiled::Partial => Ok(values::partial(array)),
            Compiled::Days(days) => values::moved(array, *days),
        }
    }
}
