//! Asking both sides, and deciding everything.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use crate::config::{IfExists, Scope, Settings};
use crate::engine::{Sink, Source, TableFilter, registry};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::{self, MapOptions, MappedTable, Route};
use crate::model::catalog::{Problem, Severity};
use crate::model::{ChunkPlan, ObjectName};

use super::standing;
use super::{Choices, FORMAT, Plan, PlannedSide, TablePlan, fingerprint};

/// How thoroughly a plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    Full,
    /// Without cutting tables: enough to compare with a stored plan, or to verify.
    WithoutChunks,
}

/// Now, in microseconds since 1970 UTC.
pub fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Makes a plan; changes nothing on either side. `now_us` is what `now()` is in expressions.
///
/// # Errors
/// `Config` when no table is left, `Mapping` for rules that fit nothing, and what the servers say. Refusals are in the plan's problems.
pub async fn make(
    settings: &Settings,
    source: &Arc<dyn Source>,
    sink: &Arc<dyn Sink>,
    depth: Depth,
    now_us: i64,
) -> Result<Plan> {
    let filter = TableFilter::new(&settings.include, &settings.exclude)?;
    let mut catalog = source.catalog(&filter).await?;
    if catalog.tables.is_empty() && !settings.allow_empty {
        return Err(nothing_to_carry(settings, source).await?);
    }
    let from = registry::engine(settings.source.engine);
    let to = registry::engine(settings.target.engine);
    let route = Route {
        source: from.dialect(),
        source_name: from.kind().name(),
        target: to.dialect(),
        target_name: to.kind().name(),
        target_server: sink.server(),
    };
    let options = MapOptions {
        schema: settings.schema.as_deref(),
        now_us,
        allow_empty: settings.allow_empty,
        on_error: settings.on_error,
        max_rejects: settings.max_rejects,
    };
    let source_fingerprint = fingerprint(&catalog.tables);
    let mapped = mapping::map(&catalog, &settings.mapping, options, route)?;
    let mut problems = std::mem::take(&mut catalog.problems);
    problems.extend(mapped.problems);

    let names: Vec<ObjectName> = mapped.tables.iter().map(|table| table.target.name.clone()).collect();
    let existing = sink.existing(&names).await?;
    let ddl = standing::statements(settings, to.dialect(), sink.server(), &mapped.tables, &existing, &mut problems);
    let schema = settings.schema.as_deref().unwrap_or(to.dialect().default_schema());
    let hooks = super::hooks::plan(settings, &mapped.tables, schema, &**source, &**sink, &mut problems)?;
    let chunks = match depth {
        Depth::Full if settings.scope != Scope::SchemaOnly => cut(settings, source, &mapped.tables).await?,
        _ => mapped
            .tables
            .iter()
            .map(|table| ChunkPlan::whole(table.source.estimated_rows, table.source.estimated_bytes))
            .collect(),
    };
    problems.extend(mapped.tables.iter().zip(&chunks).filter_map(|(table, chunks)| bounds_in_the_clear(table, chunks)));
    Ok(Plan {
        format: FORMAT,
        source: PlannedSide {
            address: settings.source.to_string(),
            server: source.server().clone(),
            fingerprint: source_fingerprint,
        },
        target: PlannedSide {
            address: settings.target.to_string(),
            server: sink.server().clone(),
            fingerprint: fingerprint(&existing),
        },
        choices: Choices::of(settings),
        tables: mapped
            .tables
            .into_iter()
            .zip(chunks)
            .map(|(mapped, chunks)| {
                let stands = existing.iter().any(|table| table.name == mapped.target.name);
                TablePlan { mapped, chunks, append: stands && settings.if_exists == IfExists::Append }
            })
            .collect(),
        ddl,
        hooks,
        problems,
    })
}

/// The bounds of chunks are values of the source, and stay in the ledger, which stands in the target.
fn bounds_in_the_clear(table: &MappedTable, chunks: &ChunkPlan) -> Option<Problem> {
    let masked = table.columns.iter().any(|column| column.mask.is_some());
    let column = chunks.key.iter().find(|column| table.hides(column)).filter(|_| masked && chunks.chunks.len() > 1)?;
    let why = "the table is cut by this column, so the plan, in the ledger too, holds some of its values in the clear";
    let name = format!("{}.{column}", table.source.name);
    let hint = "Drop the ledger's schema before you hand the copy on, or make `--chunk` as large as the table";
    Some(Problem::new(Severity::Note, "masked column", name, why).hint(hint))
}

/// D16: a filter that matched nothing must not end as a success over nothing.
async fn nothing_to_carry(settings: &Settings, source: &Arc<dyn Source>) -> Result<Error> {
    let all = source.catalog(&TableFilter::all()).await?;
    let error = Error::new(ErrorKind::Config, format!("there is no table to carry in {}", settings.source));
    if all.tables.is_empty() {
        return Ok(error.hint("The database has no table that this user can see; `--allow-empty` makes that a success"));
    }
    let names: Vec<&str> = all.tables.iter().map(|table| table.name.name.as_str()).take(10).collect();
    Ok(error.hint(format!(
        "`include` and `exclude` leave none of its {} tables ({}{}); `--allow-empty` makes that a success",
        all.tables.len(),
        names.join(", "),
        if all.tables.len() > names.len() { ", …" } else { "" }
    )))
}

async fn cut(settings: &Settings, source: &Arc<dyn Source>, tables: &[MappedTable]) -> Result<Vec<ChunkPlan>> {
    stream::iter(
        tables.iter().map(|table| {
            let source = Arc::clone(source);
            async move {
                source.plan_chunks(&table.source, settings.chunk_bytes).await.map_err(|error| error.table(&table.source.name))
            }
        }),
    )
    .buffered(settings.effective_jobs())
    .try_collect()
    .await
}
