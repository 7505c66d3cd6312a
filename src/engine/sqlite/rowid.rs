//! How a table's rowid is called, if it has one.

use rusqlite::{Connection, OptionalExtension};

use super::error::doing;
use super::typemap::quoted;
use crate::error::Result;

/// The rowid of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rowid {
    /// Its name: that of the `INTEGER PRIMARY KEY` column, else one of SQLite's own that no column hides.
    pub(super) name: String,
    /// It is a column of the table (`INTEGER PRIMARY KEY`).
    pub(super) is_column: bool,
}

impl Rowid {
    /// The rowid of table `t` as SQL text.
    pub(super) fn sql(&self) -> String {
        if self.is_column { format!("t.{}", quoted(&self.name)) } else { format!("t.{}", self.name) }
    }
}

/// The rowid of `table`; `None` under WITHOUT ROWID, and where columns hide all three of its names.
pub(super) fn rowid_of(connection: &Connection, table: &str) -> Result<Option<Rowid>> {
    let failed = doing("a table's description cannot be read");
    let without_rowid: Option<bool> = connection
        .query_row("SELECT wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1", [table], |row| row.get(0))
        .optional()
        .map_err(&failed)?;
    if without_rowid != Some(false) {
        return Ok(None);
    }
    let mut statement = connection.prepare("SELECT name, pk FROM pragma_table_xinfo(?1, 'main')").map_err(&failed)?;
    let columns: Vec<(String, i64)> =
        statement.query_map([table], |row| Ok((row.get(0)?, row.get(1)?))).and_then(Iterator::collect).map_err(&failed)?;
    let key: Vec<&str> = columns.iter().filter(|(_, pk)| *pk > 0).map(|(name, _)| name.as_str()).collect();
    if let [only] = key.as_slice() {
        // A primary key that is the rowid needs no index, and is the only one without: this also tells it from
        // `INT PRIMARY KEY` and `INTEGER PRIMARY KEY DESC`, which are none.
        let has_index: bool = connection
            .query_row("SELECT EXISTS (SELECT 1 FROM pragma_index_list(?1, 'main') WHERE origin = 'pk')", [table], |row| {
                row.get(0)
            })
            .map_err(&failed)?;
        if !has_index {
            return Ok(Some(Rowid { name: (*only).to_string(), is_column: true }));
        }
    }
    let free =
        ["rowid", "_rowid_", "oid"].into_iter().find(|name| !columns.iter().any(|(column, _)| column.eq_ignore_ascii_case(name)));
    Ok(free.map(|name| Rowid { name: name.to_string(), is_column: false }))
}
