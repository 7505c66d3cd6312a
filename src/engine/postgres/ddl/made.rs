//! What the statements make, noted while they are written, so that both cannot drift apart. Expressions are noted in the statements'
//! own words.

use super::collation::collation_name;
use super::{Draft, Labelled, labelled};
use crate::engine::DdlOptions;
use crate::engine::postgres::type_text;
use crate::model::catalog::{Check, Column, DefaultValue, Generated, Index, IndexMethod, IndexPart, NativeType, Table};
use crate::model::schema::{TableSchema, TriggerState};

impl Draft<'_> {
    /// Notes what is made of the table at hand.
    pub(super) fn note(&mut self, note: impl FnOnce(&mut TableSchema)) {
        if let Some(made) = self.made.last_mut() {
            note(made);
        }
    }

    /// Notes what is made of a column of the table at hand.
    pub(super) fn note_column(&mut self, name: &str, note: impl FnOnce(&mut Column)) {
        let made = self.made.last_mut();
        if let Some(column) = made.and_then(|made| made.table.columns.iter_mut().find(|column| column.name == name)) {
            note(column);
        }
    }
}

/// The table with its columns and their types alone.
pub(super) fn bare(table: &Table, options: &DdlOptions) -> TableSchema {
    let mut bare = Table::new(table.name.clone());
    bare.columns = table
        .columns
        .iter()
        .map(|column| Column {
            nullable: column.nullable,
            ..Column::new(&column.name, column.logical.clone(), native(table, column))
        })
        .collect();
    TableSchema { owner: options.owner.clone(), ..TableSchema::new(bare) }
}

/// The type in the words of the catalog.
fn native(table: &Table, column: &Column) -> NativeType {
    let parsed = |text: &str| type_text::parse(text).unwrap_or_default();
    match labelled(&column.native) {
        Some(Labelled::Enum) => {
            let labels = column.native.labels.clone();
            NativeType { name: "enum".into(), full: "enum".into(), labels, ..NativeType::default() }
        }
        Some(Labelled::Text) => parsed("text"),
        Some(Labelled::Set) => parsed("text[]"),
        None => {
            let collation = collation_name(&table.name.schema, &column.native).map(|name| name.name);
            NativeType { collation, ..parsed(&column.native.full) }
        }
    }
}

/// PostgreSQL lets no column of a primary key be NULL.
pub(super) fn settle(made: &mut [TableSchema]) {
    for Table { columns, primary_key, .. } in made.iter_mut().map(|made| &mut made.table) {
        let key = primary_key.iter().flat_map(|key| &key.parts).filter_map(|part| part.column.as_deref());
        let key: Vec<&str> = key.collect();
        columns.iter_mut().filter(|column| key.contains(&column.name.as_str())).for_each(|column| column.nullable = false);
    }
}

/// An index whose parts are in `sql`, each in the SQL of its statement unless it is a whole column.
pub(super) fn index(index: &Index, sql: Vec<String>) -> Index {
    let whole = |part: &&IndexPart| part.prefix.is_none() && part.column.is_some();
    let parts = index.parts.iter().zip(sql).map(|(part, sql)| match Some(part).filter(whole) {
        Some(part) => part.clone(),
        None => IndexPart { column: None, expression: Some(sql), prefix: None, descending: part.descending },
    });
    Index { parts: parts.collect(), visible: true, ..index.clone() }
}

/// A full-text index: one part, over all words.
pub(super) fn words(index: &Index, sql: &str) -> Index {
    let part = IndexPart { column: None, expression: Some(sql.into()), prefix: None, descending: false };
    Index { parts: vec![part], method: IndexMethod::FullText, visible: true, ..index.clone() }
}

/// A check; PostgreSQL names those without a name by itself.
pub(super) fn check(name: &str, condition: &str, enforced: bool) -> Check {
    Check { name: name.into(), expression: condition.into(), enforced }
}

/// A default or what a column is computed by.
pub(super) fn expression(sql: Option<&str>) -> Option<DefaultValue> {
    sql.map(|sql| DefaultValue::Expression(sql.into()))
}

/// What a column is computed by.
pub(super) fn generated(sql: &str, stored: bool) -> Generated {
    Generated { expression: sql.into(), stored }
}

/// A trigger that fires as those of everybody do.
pub(super) fn trigger(name: &str) -> TriggerState {
    TriggerState { name: name.into(), fires: "O".into() }
}
