//! What rows will meet in tables of the target that stand already, beyond what the catalog's model holds.

use super::Ddl;
use crate::error::Error;
use crate::model::ObjectName;
use crate::model::catalog::{ForeignKey, Table};
use crate::model::load::UpsertKey;

/// Rows of a table that stands are counted up to so many.
pub const MOST_COUNTED: u64 = 1_000_000;

/// A table that stands and is to be loaded.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As it is planned: the columns that are to be written, with the types that they stand with.
    pub table: Table,
    /// Rows that stand there are changed.
    pub upsert: bool,
    /// Rows that stand there are taken out first.
    pub truncate: bool,
    /// Its indexes are dropped and made again.
    pub rebuild: bool,
}

/// What is asked of the target about all tables that are to be loaded.
#[derive(Debug, Default)]
pub struct Inspection {
    /// The session may switch triggers and foreign keys off for itself.
    pub may_silence: bool,
    /// How that right is given, for people.
    pub silence_hint: String,
    /// One for each table, in the order in which they were asked for.
    pub tables: Vec<Standing>,
}

/// What a table that stands is like.
#[derive(Debug, Default)]
pub struct Standing {
    /// Its name.
    pub name: ObjectName,
    /// Rows that are there, at most [`MOST_COUNTED`]; one more means that there are more.
    pub rows: u64,
    /// Rights that are missing, sequences that cannot be read, columns without an encoder: each refuses the run.
    pub faults: Vec<Error>,
    /// Triggers that rows would fire.
    pub triggers: Vec<Trigger>,
    /// Indexes that enforce nothing, and can be made again as they are.
    pub indexes: Vec<SetAside>,
    /// Indexes that enforce nothing and stay all the same, each with the reason.
    pub kept_indexes: Vec<(String, String)>,
    /// The role may change the table's definition.
    pub owned: bool,
    /// Unique keys that tell one row from another.
    pub keys: Vec<UpsertKey>,
    /// Name of the key that is the primary one.
    pub primary: Option<String>,
    /// Columns that only the table itself numbers.
    pub always_numbered: Vec<String>,
    /// Foreign keys that point to it from other tables, with the child.
    pub referenced_by: Vec<(ObjectName, ForeignKey)>,
}

/// A trigger.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// Its name.
    pub name: String,
    /// It also fires in sessions that have switched triggers off.
    pub stubborn: bool,
    /// It fires when the table is emptied.
    pub on_truncate: bool,
    /// It fires in usual sessions.
    pub usual: bool,
    /// Switching it off for everybody, and on again.
    pub aside: SetAside,
}

/// Something of a table that is set aside for the load, and put back as it was.
#[derive(Debug, Clone)]
pub struct SetAside {
    /// What, for people: `index orders_by_day`.
    pub what: String,
    /// Sets it aside; of phase `Clear`, safe to repeat.
    pub away: Ddl,
    /// Puts it back; of phase `Restore`, safe to repeat.
    pub back: Vec<Ddl>,
}
