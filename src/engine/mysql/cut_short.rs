//! Values that the server has made NULL because they are larger than `max_allowed_packet`.
//!
//! Columns go over the wire whatever their size, but the result of a function has that bound: beyond it the server gives NULL, with a warning
//! and no error. So a result that ends with warnings is not believed before they are read.

use super::error::failed;
use super::wire::Session;
use crate::error::{Error, ErrorKind, Result};

/// "Result of … was larger than max_allowed_packet … - truncated".
const CUT_SHORT: &[u8] = b"1301";

/// Reads the warnings of the last result, if it has any.
///
/// # Errors
/// `TooLarge`, when a value became NULL.
pub(super) async fn refuse(session: &mut Session) -> Result<()> {
    if session.warnings() == 0 {
        return Ok(());
    }
    let warnings = session.query("SHOW WARNINGS").await;
    let warnings = warnings.map_err(|error| failed("the warnings of a statement could not be read", error))?;
    // Level, code, text.
    let cut_short = |warning: &&Vec<Option<Vec<u8>>>| warning.get(1).and_then(Option::as_deref) == Some(CUT_SHORT);
    let Some(warning) = warnings.iter().find(cut_short) else { return Ok(()) };
    let text = warning.get(2).and_then(Option::as_deref).map(String::from_utf8_lossy).unwrap_or_default();
    Err(Error::new(ErrorKind::TooLarge, format!("a value is too large for the server, which made it NULL: {text}")))
}
