//! Asking both sides: counts, profiles, and the digest of an independent re-read.

use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;

use crate::config::VerifyLevel;
use crate::engine::{Profile, ReadBack, Snapshot};
use crate::error::{Error, Result};
use crate::model::unit::ReadPlan;
use crate::model::{Chunk, Digest, RunId};
use crate::plan::{Plan, TablePlan};
use crate::progress::{Event, Progress};
use crate::transfer::pool;
use crate::transfer::stop::Stop;

use super::hasher::RowHasher;
use super::profile;

/// Bytes of table that one piece of the re-read aims at.
const READ_BACK_BYTES: u64 = 32 << 20;

/// What one side says of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Rows, counted by the database itself.
    pub rows: Option<u64>,
    /// Aggregates, computed by the database itself.
    pub profile: Option<Profile>,
    /// Rows and digest as they were read.
    pub digest: Option<Digest>,
    /// What went wrong when it was asked.
    pub errors: Vec<String>,
}

/// How the questions are asked.
#[derive(Clone)]
pub struct Asking {
    /// Questions side by side.
    pub jobs: usize,
    /// How much is asked.
    pub level: VerifyLevel,
    /// Upper bound of a batch, in bytes.
    pub batch_bytes: usize,
    /// Hears of progress.
    pub progress: Progress,
    /// May end it.
    pub stop: Stop,
}

type All = Arc<Mutex<Vec<Facts>>>;

fn lock(all: &All) -> std::sync::MutexGuard<'_, Vec<Facts>> {
    all.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(all: &All, place: usize, error: &Error) {
    lock(all)[place].errors.push(error.to_string());
}

fn taken(all: All) -> Vec<Facts> {
    std::mem::take(&mut *lock(&all))
}

/// Counts, and profiles at level `full`, by the source itself in its snapshot; for the tables that `wanted` names by their place.
///
/// # Errors
/// `Interrupted`. What goes wrong with one table stands in its facts.
pub async fn of_source(plan: &Plan, snapshot: &Arc<dyn Snapshot>, wanted: &[usize], asking: &Asking) -> Result<Vec<Facts>> {
    let all: All = Arc::new(Mutex::new(vec![Facts::default(); plan.tables.len()]));
    let work = {
        let (all, snapshot, asking) = (Arc::clone(&all), Arc::clone(snapshot), asking.clone());
        move |(place, table): (usize, TablePlan)| {
            let (all, snapshot, asking) = (Arc::clone(&all), Arc::clone(&snapshot), asking.clone());
            async move {
                let source = &table.mapped.source;
                let ask = async {
                    if asking.level == VerifyLevel::Full {
                        let (columns, _) = profile::columns(&table.mapped);
                        snapshot.profile(source, &columns).await.map(|profile| (profile.rows, Some(profile)))
                    } else {
                        snapshot.count(source).await.map(|rows| (rows, None))
                    }
                };
                match asking.stop.unless_stopped(ask).await {
                    Ok((rows, profile)) => {
                        let facts = &mut lock(&all)[place];
                        facts.rows = Some(rows);
                        facts.profile = profile;
                    }
                    Err(error) if asking.stop.reason().is_some() => return Err(error),
                    Err(error) => note(&all, place, &error.table(&source.name)),
                }
                Ok(())
            }
        }
    };
    if asking.level >= VerifyLevel::Rows {
        pool::each(asking.jobs, chosen(plan, wanted), work).await?;
    }
    Ok(taken(all))
}

/// Counts, profiles and the digest of a re-read of the target, as far as the level asks.
///
/// # Errors
/// `Interrupted`. What goes wrong with one table stands in its facts.
pub async fn of_target(
    plan: &Plan,
    read_back: &Arc<dyn ReadBack>,
    run: Option<RunId>,
    wanted: &[usize],
    asking: &Asking,
) -> Result<Vec<Facts>> {
    let all: All = Arc::new(Mutex::new(vec![Facts::default(); plan.tables.len()]));
    if asking.level == VerifyLevel::None {
        return Ok(taken(all));
    }
    let pieces: Arc<Mutex<Vec<(usize, TablePlan, Chunk)>>> = Arc::default();
    let ask = {
        let (all, pieces, read_back, asking) = (Arc::clone(&all), Arc::clone(&pieces), Arc::clone(read_back), asking.clone());
        move |(place, table): (usize, TablePlan)| {
            let (all, pieces, read_back, asking) =
                (Arc::clone(&all), Arc::clone(&pieces), Arc::clone(&read_back), asking.clone());
            async move {
                let target = &table.mapped.target;
                let ask = async {
                    let (rows, profile) = if asking.level == VerifyLevel::Full {
                        let (_, columns) = profile::columns(&table.mapped);
                        let profile = read_back.profile(target, &columns).await?;
                        (profile.rows, Some(profile))
                    } else {
                        (read_back.count(target).await?, None)
                    };
                    let chunks = if asking.level >= VerifyLevel::Digest {
                        read_back.plan_chunks(target, READ_BACK_BYTES, run).await?.chunks
                    } else {
                        Vec::new()
                    };
                    Ok((rows, profile, chunks))
                };
                match asking.stop.unless_stopped(ask).await {
                    Ok((rows, profile, chunks)) => {
                        let facts = &mut lock(&all)[place];
                        facts.rows = Some(rows);
                        facts.profile = profile;
                        if asking.level >= VerifyLevel::Digest {
                            facts.digest = Some(Digest::default());
                        }
                        let pieces = &mut pieces.lock().unwrap_or_else(PoisonError::into_inner);
                        pieces.extend(chunks.into_iter().map(|chunk| (place, table.clone(), chunk)));
                    }
                    Err(error) if asking.stop.reason().is_some() => return Err(error),
                    Err(error) => note(&all, place, &error.table(&target.name)),
                }
                Ok(())
            }
        }
    };
    pool::each(asking.jobs, chosen(plan, wanted), ask).await?;

    let mut pieces = std::mem::take(&mut *pieces.lock().unwrap_or_else(PoisonError::into_inner));
    pieces.sort_by_key(|(place, _, chunk)| {
        (std::cmp::Reverse(plan.tables[*place].mapped.source.estimated_bytes), *place, chunk.id)
    });
    let read = {
        let (all, read_back, asking) = (Arc::clone(&all), Arc::clone(read_back), asking.clone());
        move |(place, table, chunk): (usize, TablePlan, Chunk)| {
            let (all, read_back, asking) = (Arc::clone(&all), Arc::clone(&read_back), asking.clone());
            async move {
                let name = table.source().to_string();
                let ask = async {
                    let mut hasher = RowHasher::new(table.mapped.target_types());
                    let mut digest = Digest::default();
                    let mut batches = read_back.read(&table.mapped.target, &chunk);
                    while let Some(batch) = batches.next().await {
                        let batch = batch?;
                        hasher.update(&batch.rows, &mut digest)?;
                        let rows = batch.rows.num_rows() as u64;
                        asking.progress.emit(Event::Rows { table: name.clone(), rows, bytes: batch.bytes as u64 });
                    }
                    Ok(digest)
                };
                match asking.stop.unless_stopped(ask).await {
                    Ok(piece) => lock(&all)[place].digest.get_or_insert_default().merge(piece),
                    Err(error) if asking.stop.reason().is_some() => return Err(error),
                    Err(error) => note(&all, place, &error.table(table.target())),
                }
                Ok(())
            }
        }
    };
    pool::each(asking.jobs, pieces, read).await?;
    Ok(taken(all))
}

/// The digest of the source's rows after mapping, read again: for a verification that comes later.
///
/// # Errors
/// `Interrupted`. What goes wrong with one table stands in its facts.
pub async fn digests_of_source(
    plan: &Plan,
    snapshot: &Arc<dyn Snapshot>,
    facts: Vec<Facts>,
    asking: &Asking,
) -> Result<Vec<Facts>> {
    let all: All = Arc::new(Mutex::new(facts));
    let mut pieces: Vec<(usize, TablePlan, ReadPlan, Chunk)> = Vec::new();
    for (place, table) in plan.tables.iter().enumerate() {
        let read = table.read_plan(asking.batch_bytes);
        pieces.extend(table.chunks.chunks.iter().map(|chunk| (place, table.clone(), read.clone(), chunk.clone())));
    }
    pieces.sort_by_key(|(place, table, _, chunk)| (std::cmp::Reverse(table.mapped.source.estimated_bytes), *place, chunk.id));
    let read = {
        let (all, snapshot, asking) = (Arc::clone(&all), Arc::clone(snapshot), asking.clone());
        move |(place, table, read, chunk): (usize, TablePlan, ReadPlan, Chunk)| {
            let (all, snapshot, asking) = (Arc::clone(&all), Arc::clone(&snapshot), asking.clone());
            async move {
                let name = table.source().to_string();
                let ask = async {
                    let transform = crate::transfer::copy::transform(&table.mapped)?;
                    let mut hasher = RowHasher::new(table.mapped.target_types());
                    let mut digest = Digest::default();
                    let mut batches = snapshot.read(&read, &chunk);
                    while let Some(batch) = batches.next().await {
                        let batch = batch?;
                        let rows = transform.apply(&read.table, &read.row_key, &batch.rows)?;
                        hasher.update(&rows, &mut digest)?;
                        let rows = rows.num_rows() as u64;
                        asking.progress.emit(Event::Rows { table: name.clone(), rows, bytes: batch.bytes as u64 });
                    }
                    Ok(digest)
                };
                match asking.stop.unless_stopped(ask).await {
                    Ok(piece) => lock(&all)[place].digest.get_or_insert_default().merge(piece),
                    Err(error) if asking.stop.reason().is_some() => return Err(error),
                    Err(error) => note(&all, place, &error.table(table.source())),
                }
                Ok(())
            }
        }
    };
    pool::each(asking.jobs, pieces, read).await?;
    Ok(taken(all))
}

fn chosen(plan: &Plan, wanted: &[usize]) -> Vec<(usize, TablePlan)> {
    wanted.iter().filter_map(|place| Some((*place, plan.tables.get(*place)?.clone()))).collect()
}
