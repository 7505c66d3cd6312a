//! What the target compresses long values with, and what is said about it.

use crate::config::{Scope, Settings, ToastCompression};
use crate::model::Table;
use crate::model::catalog::{Problem, ServerInfo, Severity};

/// Bytes of an average row from which on it matters.
const LONG_ROW_BYTES: u64 = 4_000;

/// The method by its name in SQL; none for what the server is set to. `tables` are those of the target.
pub(super) fn decide(settings: &Settings, server: &ServerInfo, tables: &[Table], problems: &mut Vec<Problem>) -> Option<String> {
    if settings.scope == Scope::DataOnly {
        return None;
    }
    let has = |method: &str| server.features.iter().any(|feature| feature.strip_prefix("toast:") == Some(method));
    let refuse = |why: &str| {
        Problem::new(Severity::Refused, "run", "toast_compression", why)
            .hint("Leave `toast_compression` out; then the best that the target has is used")
    };
    let method = match settings.toast_compression {
        None if has("lz4") => "lz4",
        Some(ToastCompression::Lz4) if has("lz4") => "lz4",
        Some(ToastCompression::Pglz) if has("pglz") => "pglz",
        Some(ToastCompression::Lz4) => {
            problems.push(refuse("the target has no LZ4: PostgreSQL 14 or later has, if it was built with it"));
            return None;
        }
        // Before version 14 there is no other.
        Some(ToastCompression::Pglz) if server.flavour == "PostgreSQL" => return None,
        Some(ToastCompression::Pglz) => {
            problems.push(refuse("the target does not compress with PGLZ"));
            return None;
        }
        Some(ToastCompression::Default) | None => return None,
    };
    let long = |table: &&Table| table.estimated_bytes > LONG_ROW_BYTES.saturating_mul(table.estimated_rows.max(1));
    if settings.toast_compression.is_none() && tables.iter().any(|table| long(&table) && table.estimated_rows > 0) {
        let why = "long values are compressed with LZ4, which is quicker than PGLZ, and takes somewhat more room";
        let hint = "`toast_compression = \"pglz\"` in [run] takes less room, `\"default\"` leaves it to the server";
        problems.push(Problem::new(Severity::Note, "run", "toast_compression", why).hint(hint));
    }
    Some(method.to_string())
}
