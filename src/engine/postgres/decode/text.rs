//! Text, labels and JSON: the UTF-8 bytes as they are.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, StringBuilder};
use arrow::buffer::{Buffer, OffsetBuffer};
use bytes::Bytes;

use super::unfit;
use crate::engine::postgres::target::PgType;
use crate::error::Result;
use crate::model::LogicalType;

/// To text.
pub(super) struct Text(pub(super) StringBuilder, bool);

impl Text {
    pub(super) fn new(logical: &LogicalType, pg_type: &PgType) -> Option<Self> {
        use LogicalType as L;
        let textual = matches!(pg_type, PgType::Text | PgType::Bpchar | PgType::Name);
        let json = matches!(pg_type, PgType::Json | PgType::Jsonb);
        let fits = match logical {
            L::Text { .. } => textual || json || matches!(pg_type, PgType::Enum(_)),
            L::Enum { .. } => textual || matches!(pg_type, PgType::Enum(_)),
            L::Json => textual || json,
            L::Numeric => textual,
            _ => false,
        };
        // The binary form of `jsonb` is a version byte and its text.
        fits.then(|| Text(StringBuilder::new(), *pg_type == PgType::Jsonb))
    }

    /// One field as a whole array, which shares its bytes.
    pub(super) fn whole(&self, mut field: Bytes) -> Result<ArrayRef> {
        if self.1 {
            match field.first() {
                Some(1) => field = field.slice(1..),
                _ => return Err(unfit("the target sent a `jsonb` of an unknown version")),
            }
        }
        let offsets = OffsetBuffer::from_lengths([field.len()]);
        let array = StringArray::try_new(offsets, Buffer::from(field), None);
        Ok(Arc::new(array.map_err(|error| unfit("the target sent text that is not UTF-8").with_source(error))?))
    }

    #[inline]
    pub(super) fn push(&mut self, field: Option<&[u8]>) -> Result<()> {
        let Some(mut bytes) = field else {
            self.0.append_null();
            return Ok(());
        };
        if self.1 {
            match bytes {
                [1, text @ ..] => bytes = text,
                _ => return Err(unfit("the target sent a `jsonb` of an unknown version")),
            }
        }
        let text =
            std::str::from_utf8(bytes).map_err(|error| unfit("the target sent text that is not UTF-8").with_source(error))?;
        self.0.append_value(text);
        Ok(())
    }
}
