//! Text and labels.

use std::collections::HashSet;
use std::net::IpAddr;

use arrow::array::{Array, StringArray};

use super::{put_bytes, put_prefixed, refuse};
use crate::engine::postgres::target::PgType;
use crate::engine::short;
use crate::error::Result;
use crate::model::LogicalType;

/// The longest `name`, in bytes.
const NAME_BYTES: usize = 63;

/// Longer texts go the long way, which is a small part of theirs.
const SHORT_BYTES: usize = 64;

/// To `text`, `varchar(n)`, `char(n)`, `name`, `citext`, and to enum types.
pub(super) struct Text<'a> {
    array: &'a StringArray,
    limit: Limit<'a>,
    /// Some text of the batch holds U+0000: found at once for all, since it is rare, and many short searches are dear.
    any_nul: bool,
    /// Texts of fewer bytes are not looked at, since they have a place in any case.
    free_below: usize,
    /// Where each text begins, and where the last one ends.
    offsets: &'a [i32],
    bytes: &'a [u8],
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
    /// An address of the internet.
    Address,
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
            (PgType::Inet, _) if matches!(logical, L::Text { .. }) => Limit::Address,
            (PgType::Enum(labels), _) if matches!(logical, L::Text { .. } | L::Enum { .. }) => Limit::Labels(labels),
            _ => return None,
        };
        let array: &StringArray = array.as_any().downcast_ref()?;
        let ends = |offset: Option<&i32>| offset.and_then(|offset| usize::try_from(*offset).ok()).unwrap_or_default();
        let used = array.value_data().get(ends(array.value_offsets().first())..ends(array.value_offsets().last()));
        let any_nul = used.is_none_or(holds_nul);
        let free_below = match limit {
            _ if any_nul => 0,
            Limit::None => SHORT_BYTES + 1,
            Limit::Most(length) => length.min(SHORT_BYTES) + 1,
            _ => 0,
        };
        Some(Text { array, limit, any_nul, free_below, offsets: array.value_offsets(), bytes: array.value_data() })
    }

    #[inline]
    pub(super) fn put(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
        if let Some([start, end]) = self.offsets.get(row..).and_then(<[i32]>::first_chunk)
            && let (Ok(start), Ok(length)) = (usize::try_from(*start), u32::try_from(end - start))
            && (length as usize) < self.free_below
            && let Some(ahead) = self.bytes.get(start..)
        {
            out.extend_from_slice(&length.to_be_bytes());
            short::append(ahead, length as usize, out);
            return Ok(());
        }
        self.put_checked(row, out)
    }

    /// Puts a text that may have no place, or is long.
    fn put_checked(&self, row: usize, out: &mut Vec<u8>) -> Result<()> {
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
            Limit::Address => return put_address(text, out),
        }
        if self.any_nul && text.as_bytes().contains(&0) {
            return Err(refuse("the text holds the character U+0000, which PostgreSQL cannot keep in a text")
                .hint("Map the column to `bytea`")
                .rule("nul_byte = \"strip\"  # or \"replace\", { replace = \"…\" }, or \"bytea\""));
        }
        put_bytes(text.as_bytes(), out)
    }
}

/// Piece by piece, each looked at as a whole: several times as quick as to stop at the first one.
fn holds_nul(bytes: &[u8]) -> bool {
    bytes.chunks(256).any(|piece| piece.iter().fold(false, |found, byte| found | (*byte == 0)))
}

/// Family, bits, no network, length, and the bytes (`inet_send`). Only what is read back in the same spelling.
fn put_address(text: &str, out: &mut Vec<u8>) -> Result<()> {
    let address = text.parse::<IpAddr>().ok().filter(|address| address.to_string() == text);
    match address {
        Some(IpAddr::V4(address)) => put_prefixed(&[2, 32, 0, 4], &address.octets(), out),
        Some(IpAddr::V6(address)) => put_prefixed(&[3, 128, 0, 16], &address.octets(), out),
        None => {
            Err(refuse("the text is no address in the spelling that it would have in an `inet`").hint("Map the column to `text`"))
        }
    }
}
