//! Text and labels.

use std::collections::HashSet;

use arrow::array::{Array, StringArray};

use super::{put_bytes, refuse};
use crate::engine::postgres::target::PgType;
use crate::error::Result;
use crate::model::LogicalType;

/// The longest `name`, in bytes.
const NAME_BYTES: usize = 63;

/// To `text`, `varchar(n)`, `char(n)`, `name`, `citext`, and to enum types.
pub(super) struct Text<'a> {
    array: &'a StringArray,
    limit: Limit<'a>,
    /// Some text of the batch holds U+0000: found at once for all, since it is rare, and many short searches are dear.
    any_nul: bool,
}

enum Limit<'a> {
    /// No more than NUL.
    None,
    /// At most so many characters.
    Most(usize),
    /// Exactly so many characters.
    Exactly(usize),
    Name,
    /// One of these.
    Labels(&'a HashSet<String>),
}

impl<'a> Text<'a> {
    pub(super) fn bind(logical: &LogicalType, array: &'a dyn Array, pg_type: &'a PgType, typmod: i32) -> Option<Self> {
        use LogicalType as L;
        // Numbers and JSON as text are their text; into an enum goes only what may be a label.
        if !matches!(logical, L::Text { .. } | L::Enum { .. } | L::Json | L::Numeric) {
            return None;
        }
        let length = usize::try_from(typmod).ok().and_then(|typmod| typmod.checked_sub(4));
        let limit = match (pg_type, length) {
            (PgType::Text, Some(length)) => Limit::Most(length),
            (PgType::Bpchar, Some(length)) => Limit::Exactly(length),
            (PgType::Text | PgType::Bpchar, None) => Limit::None,
            (PgType::Name, _) => Limit::Name,
            (PgType::Enum(labels), _) if matches!(logical, L::Text { .. } | L::Enum { .. }) => Limit::Labels(labels),
            _ => return None,
        };
        let array: &StringArray = array.as_any().downcast_ref()?;
        let ends = |offset: Option<&i32>| offset.and_then(|offset| usize::try_from(*offset).ok()).unwrap_or_default();
        let used = array.value_data().get(ends(array.value_offsets().first())..ends(array.value_offsets().last()));
        let any_nul = used.is_none_or(|bytes| bytes.contains(&0));
        Some(Text { array, limit, any_nul })
    }

    #[inline]
    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let text = self.array.value(row);
        match self.limit {
            Limit::None => {}
            // No text has more characters than bytes.
            Limit::Most(length) if text.len() <= length => {}
            Limit::Most(length) => {
                let characters = text.chars().count();
                if characters > length {
                    return Err(refuse(format!("a text of {characters} characters has no place in a `varchar({length})`"))
                        .hint("Map the column to `text`, or to a longer `varchar`"));
                }
            }
            Limit::Exactly(length) => {
                let characters = text.chars().count();
                if characters != length {
                    return Err(refuse(format!(
                        "a text of {characters} characters has no place in a `char({length})`: PostgreSQL pads and trims there"
                    ))
                    .hint(format!("Map the column to `varchar({length})`")));
                }
            }
            Limit::Name if text.len() > NAME_BYTES => {
                return Err(refuse(format!(
                    "a text of {} bytes has no place in a `name`, which ends at {NAME_BYTES}",
                    text.len()
                ))
                .hint("Map the column to `text`"));
            }
            Limit::Name => {}
            Limit::Labels(labels) => {
                if !labels.contains(text) {
                    return Err(refuse("the value is no label of the target's enum type")
                        .hint("Map the column to `text`, or add the label to the type"));
                }
            }
        }
        if self.any_nul && text.as_bytes().contains(&0) {
            return Err(refuse("the text holds the character U+0000, which PostgreSQL cannot keep in a text")
                .hint("Map the column to `bytea`")
                .rule("nul_byte = \"strip\"  # or \"replace\", { replace = \"…\" }, or \"bytea\""));
        }
        put_bytes(text.as_bytes(), out)
    }
}
