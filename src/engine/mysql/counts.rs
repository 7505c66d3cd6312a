//! The rows of many small tables, counted in few statements: what each count costs is the way to the server and back.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::error::failed;
use super::profile::from;
use super::wire::{Field, Session};
use crate::error::{Error, Result};
use crate::model::ObjectName;
use crate::model::catalog::Table;

/// Tables that are counted in one statement.
const TOGETHER: usize = 50;

/// Tables of no more bytes are counted in a moment; larger ones each in a statement of its own, side by side.
const SMALL_BYTES: u64 = 1 << 20;

/// What was counted together, until it is asked for: by the table's name and the condition on its rows.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<HashMap<(ObjectName, Option<String>), u64>>);

impl Counts {
    /// Counts those of the tables that are small.
    ///
    /// # Errors
    /// What the server says; what was counted before that is kept.
    pub(super) async fn ahead(&self, session: &mut Session, mark: &str, tables: &[&Table]) -> Result<()> {
        let small: Vec<&Table> = tables.iter().copied().filter(|table| table.estimated_bytes <= SMALL_BYTES).collect();
        if small.len() < 2 {
            return Ok(());
        }
        for some in small.chunks(TOGETHER) {
            let each = |(place, table): (usize, &&Table)| format!("SELECT {place}, COUNT(*) FROM {}", from(table));
            let selects: Vec<String> = some.iter().enumerate().map(each).collect();
            let rows = session.query(&format!("{mark}{}", selects.join(" UNION ALL "))).await;
            let rows = rows.map_err(|error| failed("the rows could not be counted", error))?;
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            for row in rows {
                let [place, count] = row.as_slice() else { return Err(no_count()) };
                let (place, count) = (number(place)?, number(count)?);
                let table = usize::try_from(place).ok().and_then(|place| some.get(place)).ok_or_else(no_count)?;
                counts.insert((table.name.clone(), table.row_filter.clone()), count);
            }
        }
        Ok(())
    }

    /// What was counted of a table; told once.
    pub(super) fn take(&self, table: &Table) -> Option<u64> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(&(table.name.clone(), table.row_filter.clone()))
    }
}

fn no_count() -> Error {
    Error::internal("a count that is none")
}

fn number(text: &Field) -> Result<u64> {
    let text = text.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.and_then(|text| text.parse().ok()).ok_or_else(no_count)
}
