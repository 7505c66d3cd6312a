//! Lines of a mapping file that settle something, ready to paste.

use crate::model::ObjectName;

/// A setting of a column.
pub fn column(table: &ObjectName, column: &str, setting: &str) -> String {
    format!("[[table]]\nname = {}\n[table.columns.{}]\n{setting}", string(&table.name), key(column))
}

/// A setting of a table.
pub fn table(table: &ObjectName, setting: &str) -> String {
    format!("[[table]]\nname = {}\n{setting}", string(&table.name))
}

/// A string of TOML.
pub fn string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A key of TOML.
pub fn key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-');
    if bare { name.to_string() } else { string(name) }
}
