//! Questions about the rows of a table, asked before they move, and what the database answered.

use serde::{Deserialize, Serialize};

use super::catalog::{ForeignKey, Table};
use super::ident::ObjectName;

/// A question about rows. Each one counts the rows that are as it says; NULL never is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Dates of which year, month and day are zero.
    ZeroDate {
        /// The column.
        column: String,
    },
    /// Dates that no calendar has: a month or a day of zero, 31 February, the year 0.
    InvalidDate {
        /// The column.
        column: String,
    },
    /// Numbers other than 0 and 1.
    NotZeroOrOne {
        /// The column.
        column: String,
    },
    /// Times before 00:00 or from 24:00 on.
    NotTimeOfDay {
        /// The column.
        column: String,
    },
    /// Numbers beyond these bounds, each included in what is allowed.
    OutOfRange {
        /// The column.
        column: String,
        /// The smallest that is allowed, in digits.
        min: String,
        /// The largest that is allowed, in digits.
        max: String,
    },
    /// The value of an enumeration that stands for an invalid one.
    NoLabel {
        /// The column.
        column: String,
    },
    /// Text with a NUL character in it.
    NulCharacter {
        /// The column.
        column: String,
    },
    /// JSON with U+0000 in it, which it writes as an escape.
    NulEscape {
        /// The column.
        column: String,
    },
    /// Text with spaces at its end, in a column whose collation ignores them.
    EndSpaces {
        /// The column.
        column: String,
    },
    /// Text whose bytes are none in its character set, or have no Unicode character.
    InvalidText {
        /// The column.
        column: String,
    },
    /// Text that looks as if it had been encoded twice: UTF-8, taken for Latin-1, encoded again. A guess over the first 1,000
    /// characters.
    EncodedTwice {
        /// The column.
        column: String,
    },
    /// Values of more bytes than that.
    LongerThan {
        /// The columns, whose bytes are added.
        columns: Vec<String>,
        /// Bytes.
        bytes: u64,
    },
    /// Rows whose entry in an index has more bytes than that.
    LongEntry {
        /// The index, by its name in the source.
        index: String,
        /// Its parts that are text or bytes, with the characters or bytes of each that count, where not all do.
        parts: Vec<(String, Option<u32>)>,
        /// Bytes, in UTF-8.
        bytes: u64,
    },
    /// Rows whose key leads to no parent.
    Orphan {
        /// The foreign key.
        key: ForeignKey,
        /// The parent's row filter: rows that are not carried are no parents.
        parent_filter: Option<String>,
    },
    /// Rows whose key equals the parent's only under a collation that folds case, accents or padding.
    OtherSpelling {
        /// The foreign key.
        key: ForeignKey,
        /// The parent's row filter.
        parent_filter: Option<String>,
    },
}

impl Question {
    /// What is proven of a column if it holds values, and none is as the question says.
    pub fn fact(&self) -> Option<(&str, Fact)> {
        match self {
            Question::NotZeroOrOne { column } => Some((column, Fact::ZeroOrOne)),
            Question::NotTimeOfDay { column } => Some((column, Fact::TimeOfDay)),
            _ => None,
        }
    }
}

/// A table, and what is asked of its rows.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The table; its row filter says which rows count.
    pub table: &'a Table,
    /// The questions.
    pub questions: Vec<Question>,
}

/// What the database said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// True if a row has a value at all. Told where nothing is found and that proves a [`Question::fact`].
    pub has_values: bool,
    /// Rows that are as the question says.
    pub found: u64,
    /// The key of one of them, for people: `id = 7`; none for a table without a key.
    pub example: Option<String>,
    /// Of entries that are too long, the bytes of the longest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<u64>,
}

impl Answer {
    /// True if there are values, and none is as the question says.
    pub fn rules_out(&self) -> bool {
        self.has_values && self.found == 0
    }
}

/// What a probe has proven of a column: it holds values, and all are so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Every number is 0 or 1.
    ZeroOrOne,
    /// Every time lies within one day, from 00:00 to before 24:00.
    TimeOfDay,
}

/// The facts of a run, by table and column of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proven(Vec<(ObjectName, String, Fact)>);

impl Proven {
    /// Adds a fact.
    pub fn insert(&mut self, table: &ObjectName, column: &str, fact: Fact) {
        self.0.push((table.clone(), column.to_string(), fact));
    }

    /// True if the fact is known.
    pub fn holds(&self, table: &ObjectName, column: &str, fact: Fact) -> bool {
        self.0.iter().any(|(of, name, known)| of == table && name == column && *known == fact)
    }

    /// True if nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
