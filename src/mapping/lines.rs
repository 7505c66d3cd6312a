//! Lines of a mapping file that settle something, ready to paste.

pub use crate::config::policies::{key, quoted as string};
use crate::model::ObjectName;

/// A setting of a column.
pub fn column(table: &ObjectName, column: &str, setting: &str) -> String {
    format!("[[table]]\nname = {}\n[table.columns.{}]\n{setting}", string(&table.name), key(column))
}

/// A setting of a table.
pub fn table(table: &ObjectName, setting: &str) -> String {
    format!("[[table]]\nname = {}\n{setting}", string(&table.name))
}
