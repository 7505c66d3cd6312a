//! Sets of rows that refer to each other along foreign keys, in a form that every engine with SQL can print as a condition.

use super::ident::ObjectName;

/// Some rows of a table: those of any of its parts. Sets are kept in a list, and name each other by their place in it; they may do so in
/// a circle, and then mean the smallest sets for which all parts hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSet {
    /// The table.
    pub table: ObjectName,
    /// The parts; a row belongs to the set if it is in one of them.
    pub parts: Vec<RowSetPart>,
}

/// Rows for which the condition is true, if there is one, and one of the links holds, if there are some.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowSetPart {
    /// A condition in the engine's own SQL, over the table's columns.
    pub condition: Option<String>,
    /// The links.
    pub links: Vec<RowLink>,
}

/// Rows whose `columns` are equal to the `from_columns` of a row of another set. NULL is equal to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowLink {
    /// Columns of the table.
    pub columns: Vec<String>,
    /// The other set, by its place.
    pub from: usize,
    /// Columns of the other set's table, as many.
    pub from_columns: Vec<String>,
}
