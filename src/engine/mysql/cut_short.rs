//! Values that the server has made NULL because they are larger than `max_allowed_packet`.
//!
//! Columns go over the wire whatever their size, but the result of a function has that bound: beyond it the server gives NULL, with a warning
//! and no error. So where a statement asks for more than plain columns, its warnings are asked for before its end is believed.

use sqlx::{MySqlConnection, Row};

use super::error::failed;
use crate::error::{Error, ErrorKind, Result};

/// "Result of … was larger than max_allowed_packet … - truncated".
const CUT_SHORT: u32 = 1301;

/// True if a function of the statement may have been cut short.
pub(super) fn possible(sql: &str) -> bool {
    ["CAST(", "CONVERT(", "ST_AsWKB("].iter().any(|function| sql.contains(function))
}

/// Asks for the warnings of the statement before.
///
/// # Errors
/// `TooLarge`, when a value became NULL.
pub(super) async fn refuse(connection: &mut MySqlConnection) -> Result<()> {
    let unreadable = |error| failed("the warnings of a statement could not be read", error);
    for warning in sqlx::raw_sql("SHOW WARNINGS").fetch_all(connection).await.map_err(unreadable)? {
        let code: u32 = warning.try_get_unchecked(1).map_err(unreadable)?;
        if code == CUT_SHORT {
            let text: String = warning.try_get_unchecked(2).unwrap_or_default();
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("a value is too large for the server, which made it NULL: {text}"),
            ));
        }
    }
    Ok(())
}
