//! A table's own conditions must let something through, or somebody mistyped them: asked of the source before anything is changed.
//!
//! A condition that the source checks by itself costs one question. One that is evaluated here costs reading, up to the first row that
//! passes. A table without rows is no mistake, and neither is one of a subset that merely nothing asks for.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;

use super::{Plan, TablePlan};
use crate::config::{Scope, Settings};
use crate::engine::Source;
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::ChosenBy;
use crate::model::ValuePolicies;
use crate::model::catalog::Table;
use crate::model::chunk::{Chunk, ChunkPlan, ChunkRange};
use crate::model::unit::{ReadColumn, ReadPlan};
use crate::transform::expr::Predicate;

/// Upper bound of a batch while a row is looked for, in bytes.
const BATCH_BYTES: usize = 1 << 20;

/// Refuses conditions that let no row of a table through that has some, unless the person allows that; all of them at once.
///
/// # Errors
/// `Mapping`, with table, place and condition; and what the source says.
pub async fn refuse_empty(settings: &Settings, source: &Arc<dyn Source>, plan: &Plan) -> Result<()> {
    if settings.allow_empty || settings.scope == Scope::SchemaOnly {
        return Ok(());
    }
    let mut faults = Vec::new();
    for table in &plan.tables {
        let name = table.source();
        let Some(chosen_by) = &table.mapped.chosen_by else { continue };
        let passes = async {
            let all = Table { row_filter: None, ..table.mapped.source.clone() };
            Ok(lets_through(&**source, table).await? || !source.any_row(&all).await?)
        };
        if !passes.await.map_err(|error: Error| error.table(name))? {
            faults.push(fault(table, chosen_by));
        }
    }
    Error::many(faults).map_or(Ok(()), Err)
}

fn fault(table: &TablePlan, chosen_by: &ChosenBy) -> Error {
    let own = chosen_by.conditions.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>();
    let verb = if own.len() == 1 { "lets" } else { "let" };
    Error::new(ErrorKind::Mapping, format!("{} {verb} no row through", own.join(" and ")))
        .hint("Correct it, leave the table out with `exclude = true`, or allow it with `--allow-empty`")
        .table(table.source())
        .file(&chosen_by.place)
}

/// True if a row passes the table's own conditions.
async fn lets_through(source: &dyn Source, table: &TablePlan) -> Result<bool> {
    let mapped = &table.mapped;
    let own = match &mapped.subset {
        Some(subset) => subset.own_filter.clone(),
        None => mapped.source.row_filter.clone(),
    };
    let filtered = Table { row_filter: own, ..mapped.source.clone() };
    match mapped.condition.as_ref().filter(|condition| !condition.complete) {
        None => source.any_row(&filtered).await,
        Some(condition) => {
            let predicate = Predicate::compile(&condition.sql, &mapped.scope()?)?;
            first_passing(source, &filtered, &mapped.policies, &predicate).await
        }
    }
}

/// Reads until a row passes. A value that cannot be read, or judged, ends the search: the run will tell of it.
async fn first_passing(
    source: &dyn Source,
    table: &Table,
    policies: &BTreeMap<String, ValuePolicies>,
    predicate: &Predicate,
) -> Result<bool> {
    let wanted = |name: &str| predicate.inputs().iter().any(|input| input == name);
    let readable = table.columns.iter().filter_map(|column| {
        let policies = policies.get(&column.name).cloned().unwrap_or_default();
        Some(ReadColumn { name: column.name.clone(), native: column.native.clone(), logical: column.logical.clone()?, policies })
    });
    let readable: Vec<ReadColumn> = readable.collect();
    let mut columns: Vec<ReadColumn> = readable.iter().filter(|column| wanted(&column.name)).cloned().collect();
    if columns.is_empty() {
        // Rows are still counted by reading one column.
        columns.extend(readable.into_iter().next());
    }
    let read = ReadPlan::of(table, columns, &ChunkPlan::whole(0, 0), BATCH_BYTES);
    let whole = Chunk { id: 0, range: ChunkRange::Whole, estimated_rows: 0, estimated_bytes: 0 };
    let snapshot = source.snapshot(std::slice::from_ref(table), 1).await?;
    let mut batches = snapshot.read(&read, &whole);
    let mut found = Ok(false);
    while let Some(batch) = batches.next().await {
        found = batch.and_then(|batch| Ok(predicate.evaluate(&table.name, &read.row_key, &batch.rows)?.true_count() > 0));
        match &found {
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::Value => {
                found = Ok(true);
                break;
            }
            _ => break,
        }
    }
    drop(batches);
    snapshot.close().await?;
    found
}
