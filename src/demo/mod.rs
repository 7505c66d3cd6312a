//! The sample shop of `dbferry demo`, made as a SQLite file: related tables, every common type, awkward values among them.
//!
//! | Table | What it shows |
//! |---|---|
//! | `categories` | a foreign key to itself |
//! | `customers`, `addresses`, `products`, `orders`, `payments`, `reviews` | keys, foreign keys with actions, all common types |
//! | `order_items` | a key of two columns |
//! | `exchange_rates` | a key of two columns and no rowid |
//! | `Order Notes` | names with capitals, blanks and reserved words; ids below zero |
//! | `page_visits` | no key, and rows that are there twice |
//! | `gift_cards` | no rows |
//! | `odd_values` | the ends of every type |
//!
//! The content depends on the number of rows and on nothing else. Nothing of the pipeline knows of the demo.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::error::{Error, ErrorKind, Result};

mod fill;
mod odd;
mod random;
mod words;

/// Rows of all tables together, unless told otherwise.
pub const DEFAULT_ROWS: u32 = 500_000;
/// The fewest rows that the shop can have.
pub const MIN_ROWS: u32 = 1_000;

/// Makes the shop with `rows` rows in all, or [`MIN_ROWS`] if that is more, in a new file at `path`.
///
/// The file appears when it is complete; one that was left half-made by a crash is made again. Blocks for a few seconds.
///
/// # Errors
/// `TargetExists` if there is a file at `path`; `Io` or `DiskFull` if it cannot be written.
pub fn build(path: &Path, rows: u32) -> Result<()> {
    let shown = path.display();
    if path.try_exists().map_err(|error| Error::from(error).file(&shown))? {
        return Err(Error::new(ErrorKind::TargetExists, "there is a file of that name already")
            .file(&shown)
            .hint("Remove it, or name another"));
    }
    let partial = partial(path);
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::from(error).file(partial.display())),
        _ => {}
    }
    make(&partial, rows.max(MIN_ROWS)).map_err(|error| {
        let kind = match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => ErrorKind::DiskFull,
            _ => ErrorKind::Io,
        };
        Error::new(kind, "the sample shop cannot be written").with_source(error).file(&shown)
    })?;
    std::fs::rename(&partial, path).map_err(|error| Error::from(error).file(&shown))
}

/// The name of a file that is not complete.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn make(path: &Path, rows: u32) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    // A crash leaves a `.partial` file that nobody reads, so no journal is needed.
    connection.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -65536;
         PRAGMA foreign_keys = OFF; BEGIN;",
    )?;
    connection.execute_batch(include_str!("shop.sql"))?;
    fill::fill(&connection, &fill::Plan::of(rows))?;
    connection.execute_batch(include_str!("shop_indexes.sql"))?;
    connection.execute_batch("COMMIT")?;
    connection.close().map_err(|(_, error)| error)
}
