//! Asking both sides, and deciding everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use crate::config::masking::MaskKind;
use crate::config::rules::Orphans;
use crate::config::{IfExists, Scope, Settings, TargetForeignKeys, VerifyLevel};
use crate::engine::{Ddl, DdlPhase, Inspection, Sink, Source, TableFilter, registry};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::subset::Subset;
use crate::mapping::{self, ColumnMapping, MapOptions, MappedTable, Route};
use crate::model::catalog::{ForeignKey, Problem, Severity, Table};
use crate::model::load::Load;
use crate::model::{ChunkPlan, ObjectName};
use crate::verify::profile;

use super::groups::groups;
use super::rights::{self, Known};
use super::standing::{self, Ground};
use super::{Choices, FORMAT, Plan, PlannedSide, TablePlan, fingerprint};
use super::{collisions, explain, history, numbers, order, partitions, probe, schema, sequences, several, splits};

/// How thoroughly a plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth<'a> {
    /// Everything.
    Full,
    /// Without cutting tables: enough to compare with a stored plan.
    WithoutChunks,
    /// Only what a stored plan is compared by: a run that goes on has changed the target itself.
    ToResume,
    /// As if all was loaded already, for a comparison of both sides.
    ToCompare,
    /// Without cutting tables, and the data is asked only of what that name is about.
    ToExplain(&'a str),
}

impl Depth<'_> {
    fn cuts(self) -> bool {
        matches!(self, Depth::Full | Depth::ToCompare)
    }

    fn looks_at_standing(self) -> bool {
        matches!(self, Depth::Full | Depth::WithoutChunks | Depth::ToExplain(_))
    }
}

/// How much larger the chunks of a table are whose rows are found by way of other tables: each chunk asks those again.
const SUBSET_CHUNKS: u64 = 16;

/// Now, in microseconds since 1970 UTC.
pub fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Makes a plan; changes nothing on either side. `now_us` is what `now()` is in expressions.
///
/// # Errors
/// `Config` when no table is left, `Mapping` for rules that fit nothing, and what the servers say; all missing rights at once when a question
/// fails for want of one. Refusals are in the plan's problems.
pub async fn make(
    settings: &Settings,
    source: &Arc<dyn Source>,
    sink: &Arc<dyn Sink>,
    depth: Depth<'_>,
    now_us: i64,
) -> Result<Plan> {
    let mut known = Known::default();
    match decide(settings, source, sink, depth, now_us, &mut known).await {
        Err(error) if error.kind() == ErrorKind::MissingRight => {
            Err(rights::with_others(error, settings, &**source, &**sink, &known).await)
        }
        decided => decided,
    }
}

async fn decide(
    settings: &Settings,
    source: &Arc<dyn Source>,
    sink: &Arc<dyn Sink>,
    depth: Depth<'_>,
    now_us: i64,
    known: &mut Known,
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
        by_database: settings.source.has_several(),
        now_us,
        allow_empty: settings.allow_empty,
        standing: &[],
        proven: None,
        on_error: settings.on_error,
        max_rejects: settings.max_rejects,
    };
    let source_fingerprint = fingerprint(&catalog.tables);
    let mut problems = std::mem::take(&mut catalog.problems);
    let names = mapping::target_names(&catalog, &settings.mapping, options, route)?;
    let targets: BTreeSet<ObjectName> = names.iter().map(|(_, target)| target.clone()).collect();
    let targets: Vec<ObjectName> = targets.into_iter().collect();
    *known = Known { tables: catalog.tables.clone(), targets: targets.clone() };
    let existing = sink.existing(&targets).await?;
    history::leave_out(settings, &names, &existing, &mut catalog, &mut problems);
    // A run that goes on compares the tables with those of its plan, column by column.
    if depth != Depth::ToResume {
        problems.extend(source.missing_rights(&catalog.tables).await?);
    }
    let options = MapOptions { standing: if standing::loads_standing(settings) { &existing } else { &[] }, ..options };
    let mut mapped = mapping::map(&catalog, &settings.mapping, options, route)?;
    let asks = match depth {
        Depth::ToExplain(_) => true,
        depth => depth == Depth::Full && [&mapped.problems, &problems].iter().all(|found| mapping::refusals(found).is_none()),
    };
    if asks {
        let wanted = |table: &MappedTable| match depth {
            Depth::ToExplain(name) => explain::is_about(name, &table.source.name),
            _ => true,
        };
        let probed = probe::ask(settings, source, to.dialect(), &mapped.tables, wanted).await?;
        if !probed.proven.is_empty() {
            // What was proven may choose other types.
            mapped = mapping::map(&catalog, &settings.mapping, MapOptions { proven: Some(&probed.proven), ..options }, route)?;
        }
        problems.extend(probed.problems);
    }
    problems.append(&mut mapped.problems);

    // What is done once for a target table is done with the first one whose rows go there.
    let groups = groups(mapped.tables.iter());
    let first = groups.iter().filter_map(|group| mapped.tables.get(*group.first()?));
    let leads: Vec<MappedTable> = first.cloned().collect();
    let inspection = if depth.looks_at_standing() && standing::loads_standing(settings) && settings.scope != Scope::SchemaOnly {
        sink.inspect(&standing::asked(settings, &leads, &existing)).await?
    } else {
        Inspection::default()
    };
    if depth.looks_at_standing() && settings.if_exists == IfExists::Drop {
        let standing = leads.iter().filter(|table| existing.iter().any(|found| found.name == table.target.name));
        let standing: Vec<&Table> = standing.map(|table| &table.target).collect();
        problems.extend(sink.undroppable(&standing).await?);
    }
    let ground = Ground {
        settings,
        comparing: depth == Depth::ToCompare,
        dialect: to.dialect(),
        tables: &leads,
        existing: &existing,
        inspection: &inspection,
        sequences: &mapped.sequences,
        names: &standing::names_if_absent(settings, &leads, &existing, &**sink).await?,
    };
    let (mut ddl, of_leads) = ground.statements(&**sink, &mut problems);
    let mut loads = vec![Load::default(); mapped.tables.len()];
    for (group, load) in groups.iter().zip(of_leads) {
        group.iter().for_each(|place| loads[*place].clone_from(&load));
    }
    if depth != Depth::ToCompare {
        sequences::decide(settings, to.dialect(), &**sink, &mut mapped.sequences, &mut ddl, &mut problems).await?;
    }
    problems.extend(mapped.tables.iter().zip(&loads).filter_map(|(table, load)| standing::refuse_rejects(table, load)));
    standing::adopt(settings, &mut mapped.tables, &existing);
    numbers::go_on(settings, to.dialect(), &groups, &mapped.tables, &existing, &mut ddl);
    // Of such a table foreign keys stay as they are; its checks are validated all the same.
    let unproven = |statement: &Ddl| {
        let of_its = |table: &&MappedTable| statement.table.as_ref() == Some(&table.target.name);
        let not_valid = mapped.tables.iter().filter(of_its).any(|table| table.orphans == Orphans::NotValid);
        let mut keys = leads.iter().filter(of_its).flat_map(|table| &table.target.foreign_keys);
        let is_key = |key: &ForeignKey| statement.object == format!("validation of {}", key.name);
        statement.phase == DdlPhase::Validate && not_valid && (statement.object.starts_with("check of ") || keys.any(is_key))
    };
    ddl.retain(|statement| !unproven(statement));
    if !settings.analyze && ddl.iter().any(|statement| statement.phase == DdlPhase::Analyze) {
        ddl.retain(|statement| statement.phase != DdlPhase::Analyze);
        let why = "left out, as is asked for: the planner knows nothing of the tables until ANALYZE or autovacuum has run";
        problems.push(Problem::new(Severity::Note, "statistics", settings.target.to_string(), why));
    }
    let planned = match depth {
        Depth::Full | Depth::ToExplain(_) => {
            schema::planned(settings, (to.dialect(), &**sink), &leads, &mapped.tables, &existing, &ddl).await?
        }
        _ => Vec::new(),
    };
    let schema = settings.schema.as_deref().unwrap_or(to.dialect().default_schema());
    let hooks = super::hooks::plan(settings, &mapped.tables, schema, &**source, &**sink, &mut problems)?;
    let mut chunks = match depth {
        depth if depth.cuts() && settings.scope != Scope::SchemaOnly => cut(settings, source, &mapped.tables).await?,
        _ => mapped
            .tables
            .iter()
            .map(|table| ChunkPlan::whole(table.source.estimated_rows, table.source.estimated_bytes))
            .collect(),
    };
    number_on(&groups, &mut chunks)?;
    if depth == Depth::Full {
        problems.extend(collisions::find(settings, source, &mapped.tables, &ddl).await?);
        splits::look(settings, &**source, &mapped.tables, &mut problems).await?;
        problems.extend(proven_by_digest(settings, &groups, &mapped.tables));
        problems.extend(counted_by_profiles(settings, &mapped.tables));
    }
    problems.extend(mapped.tables.iter().zip(&chunks).filter_map(|(table, chunks)| bounds_in_the_clear(table, chunks)));
    if depth == Depth::Full && settings.scope != Scope::DataOnly {
        problems.extend(partitions::taken(&mapped.tables, &existing, &**sink).await?);
    }
    if settings.source.has_several() {
        several::note(settings, &mapped.tables, &mut problems);
    }
    if settings.unlogged {
        problems.push(unlogged(settings, &ddl));
    }
    let levels = if settings.loading.foreign_keys == TargetForeignKeys::Keep && standing::loads_standing(settings) {
        order::levels(&mapped.tables, &chunks, &existing, &mut problems)
    } else {
        vec![0; mapped.tables.len()]
    };
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
            .zip(loads.into_iter().zip(levels))
            .map(|((mapped, chunks), (load, level))| {
                let stands = existing.iter().any(|table| table.name == mapped.target.name);
                TablePlan { mapped, chunks, append: stands && settings.if_exists == IfExists::Append, load, level }
            })
            .collect(),
        ddl,
        schema: planned,
        sequences: mapped.sequences,
        hooks,
        problems,
    })
}

/// What `unlogged` costs, or that it does nothing.
fn unlogged(settings: &Settings, ddl: &[Ddl]) -> Problem {
    let tables = ddl.iter().filter(|statement| statement.phase == DdlPhase::Logged).count();
    let why = match tables {
        0 => "`unlogged` makes no difference: no table is made that could be without a log".to_string(),
        _ => format!(
            "{tables} are made without a log and get one after the load; until then a crash of the target empties them, so a run that stops \
             before that cannot be resumed"
        ),
    };
    Problem::new(Severity::Note, "unlogged tables", settings.target.to_string(), why)
}

/// Receipts know target table and chunk, so the chunks of all whose rows go into one table have numbers of their own.
fn number_on(groups: &[Vec<usize>], chunks: &mut [ChunkPlan]) -> Result<()> {
    for group in groups.iter().filter(|group| group.len() > 1) {
        let mut next: u32 = 0;
        for place in group {
            for chunk in chunks.get_mut(*place).into_iter().flat_map(|plan| &mut plan.chunks) {
                chunk.id = next;
                next = next.checked_add(1).ok_or_else(|| Error::internal("more than 2^32 chunks"))?;
            }
        }
    }
    Ok(())
}

/// Columns of merged tables whose profiles cannot be put together.
fn proven_by_digest(settings: &Settings, groups: &[Vec<usize>], tables: &[MappedTable]) -> Vec<Problem> {
    if settings.verify != VerifyLevel::Full {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for group in groups.iter().filter(|group| group.len() > 1) {
        let members: Vec<&MappedTable> = group.iter().filter_map(|place| tables.get(*place)).collect();
        let Some(target) = members.first().map(|table| &table.target) else { continue };
        let kinds = profile::kinds(&members);
        let names = target.columns.iter().zip(kinds).filter(|(_, kind)| kind.is_none()).map(|(column, _)| column.name.as_str());
        let names: Vec<&str> = names.collect();
        if !names.is_empty() {
            let why = format!(
                "only the digest proves {}: not each of the merged tables brings the values as they are",
                names.join(", ")
            );
            problems.push(Problem::new(Severity::Note, "merged table", &target.name, why));
        }
    }
    problems
}

/// Columns whose values look otherwise on the two sides, so that profiles can count them and no more.
fn counted_by_profiles(settings: &Settings, tables: &[MappedTable]) -> Vec<Problem> {
    let columns = tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let masked = columns.filter(|(_, column)| column.mask.as_ref().is_some_and(|mask| mask.kind != MaskKind::Null));
    let note = |(table, column): (&MappedTable, &ColumnMapping)| {
        let why = "column profiles compare only how many values it has; the digest compares each";
        Problem::new(Severity::Note, "masked column", format!("{}.{}", table.source.name, column.source), why)
    };
    if settings.verify == VerifyLevel::Full { masked.map(note).collect() } else { Vec::new() }
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
    stream::iter(tables.iter().map(|table| {
        let source = Arc::clone(source);
        async move {
            let looks_elsewhere = table.subset.as_ref().is_some_and(Subset::looks_elsewhere);
            let aim = settings.chunk_bytes.saturating_mul(if looks_elsewhere { SUBSET_CHUNKS } else { 1 });
            source.plan_chunks(&table.source, aim).await.map_err(|error| error.table(&table.source.name))
        }
    }))
    .buffered(settings.effective_jobs())
    .try_collect()
    .await
}
