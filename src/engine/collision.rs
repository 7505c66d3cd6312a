//! Whether one key occurs in two tables of a source, as its own database sees it.

use crate::model::Table;

/// A unique key of a table, to be compared with that of another.
#[derive(Debug, Clone, Copy)]
pub struct KeyOf<'a> {
    /// The table; its row filter narrows its rows.
    pub table: &'a Table,
    /// The key's columns, in the order of the other's.
    pub columns: &'a [&'a str],
}

/// What two tables have in common of a key. Values are compared as the target will: text by its characters, with regard to case and blanks. A
/// key with a NULL meets no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedKeys {
    /// Nothing.
    None,
    /// So many pairs of rows with the same key, and the key of one of them.
    Some {
        /// How many.
        pairs: u64,
        /// One key, its columns separated by commas.
        example: String,
    },
    /// The source cannot tell, for this reason.
    Unknown(String),
}
