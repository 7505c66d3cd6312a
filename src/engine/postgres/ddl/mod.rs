//! The statements that make the target's tables, in their phases, and what cannot be made.
//!
//! Pure text: no connection. Every name goes through `quote_name`, every constant through [`quote_literal`], every type through the
//! grammar of `type_text`, so nothing from a source's catalog is ever read as SQL. Statements suppose a session with an empty
//! search path and `standard_conforming_strings` on, so each name carries its schema.
//!
//! Statements of one phase may run side by side, with two exceptions: schemas come before the types in them, and the statements of
//! [`DdlPhase::Finish`] about one table run in the order given, its owner last.
//!
//! `clear` what stands in the way, `literal` quoting, `names` of types and sequences, `table` CREATE TABLE, `default_value` defaults,
//! `index` keys and indexes, `hash` those over hashes, `row_size` what fits into a row, `sequence` those of no column, `foreign_key`, `check`, `collation` text without case, `finish` next ids, comments and owners, `on_update` columns that take the time,
//! `continue_numbers` next ids of tables that rows were added to, `made` what all of it makes.

mod check;
mod clear;
mod collation;
mod continue_numbers;
mod default_value;
mod finish;
mod foreign_key;
mod hash;
mod index;
mod literal;
mod made;
mod names;
mod on_update;
mod partition;
mod row_size;
mod sequence;
mod table;

use crate::engine::{Ddl, DdlOptions, DdlPhase};
use crate::model::ObjectName;
use crate::model::catalog::{Column, NativeType, Problem, Severity, Table};
use crate::model::schema::TableSchema;

pub(super) use clear::{clear, functions_behind, types_behind};
pub(super) use collation::{LOCALE_WITHOUT_ACCENTS, LOCALE_WITHOUT_CASE};
pub(super) use continue_numbers::continue_numbers;
pub(super) use foreign_key::recheck;
pub(super) use literal::quote_name;
pub use literal::{quote_literal, quote_table};
pub use names::enum_type_name;
pub(super) use names::labels_fit;
pub(super) use partition::can_partition;
pub(super) use sequence::sequence;
pub(super) use table::computed_sql;

/// The longest name, in bytes (`NAMEDATALEN` - 1).
pub(super) const MAX_NAME_BYTES: usize = 63;
/// Where tables without a schema go.
pub(super) const DEFAULT_SCHEMA: &str = "public";

/// What a table's statements are made from, and where they are gathered.
struct Draft<'a> {
    tables: &'a [Table],
    options: &'a DdlOptions,
    names: names::Names,
    statements: Vec<Ddl>,
    problems: Vec<Problem>,
    /// What the statements make, in the order of `tables`.
    made: Vec<TableSchema>,
}

impl Draft<'_> {
    fn push(&mut self, phase: DdlPhase, table: &Table, object: String, sql: String, exists_sql: Option<String>) {
        self.statements.push(Ddl { phase, table: Some(table.name.clone()), object, sql, exists_sql });
    }
}

/// The statements that make `tables` (in target names and types), and what cannot be made of them.
///
/// The statements of one table stand in an order in which they can run.
pub fn ddl(tables: &[Table], options: &DdlOptions) -> (Vec<Ddl>, Vec<Problem>) {
    let draft = draft(tables, options);
    (draft.statements, draft.problems)
}

/// The tables as they stand once those statements have run.
pub(super) fn made(tables: &[Table], options: &DdlOptions) -> Vec<TableSchema> {
    draft(tables, options).made
}

fn draft<'a>(tables: &'a [Table], options: &'a DdlOptions) -> Draft<'a> {
    let mut draft = Draft {
        tables,
        options,
        names: names::Names::new(tables),
        statements: Vec::new(),
        problems: Vec::new(),
        made: Vec::new(),
    };
    for schema in &options.schemas {
        let owner = options.owner.as_ref().map(|owner| format!(" AUTHORIZATION {}", quote_name(owner))).unwrap_or_default();
        draft.statements.push(Ddl {
            phase: DdlPhase::Before,
            table: None,
            object: format!("schema {schema}"),
            // Not IF NOT EXISTS: that asks for the right to create even where nothing is to be created.
            sql: format!("CREATE SCHEMA {}{owner}", quote_name(schema)),
            exists_sql: Some(format!(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {})",
                quote_literal(schema)
            )),
        });
    }
    collation::create(&mut draft);
    for table in tables {
        draft.made.push(made::bare(table, options));
        table::create(&mut draft, table);
        table::log(&mut draft, table);
        index::create(&mut draft, table);
        finish::next_identity(&mut draft, table);
        finish::comments(&mut draft, table);
        check::create(&mut draft, table);
        on_update::create(&mut draft, table);
        finish::owner(&mut draft, table);
        foreign_key::create(&mut draft, table);
        let name = quote_table(&table.name);
        draft.push(DdlPhase::Analyze, table, format!("statistics of {}", table.name), format!("ANALYZE {name}"), None);
    }
    made::settle(&mut draft.made);
    draft
}

/// What stands in a column's place in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Labelled {
    /// A type of its own.
    Enum,
    /// Text with a CHECK.
    Text,
    /// A list of text with a CHECK.
    Set,
}

/// How the labels of a type are kept; none for a type without labels.
fn labelled(native: &NativeType) -> Option<Labelled> {
    match native.name.as_str() {
        "enum" if labels_fit(&native.labels).is_ok() => Some(Labelled::Enum),
        "enum" => Some(Labelled::Text),
        "text" if !native.labels.is_empty() => Some(Labelled::Text),
        "text[]" if !native.labels.is_empty() => Some(Labelled::Set),
        _ => None,
    }
}

fn column_problem(severity: Severity, object: &str, table: &Table, column: &Column, why: impl Into<String>) -> Problem {
    Problem::new(severity, object, format_args!("{}.{}", table.name, column.name), why)
}

fn named(table: &ObjectName, name: &str) -> String {
    format!("{table}.{name}")
}
