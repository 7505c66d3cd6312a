//! Asking both sides: counts, profiles, and the digest of an independent re-read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use crate::config::VerifyLevel;
use crate::engine::{Batch, BatchStream, Budget, Profile, ProfileKind, ReadBack, Snapshot};
use crate::error::{Error, Result};
use crate::model::{Chunk, Digest, Losses, ObjectName, RunId};
use crate::plan::{Plan, TablePlan};
use crate::progress::{Event, Progress};
use crate::transfer::copy::stops_the_run;
use crate::transfer::pool;
use crate::transfer::stop::Stop;
use crate::transform::Transform;

use super::hasher::RowHasher;
use super::profile;
use super::rejected::{self, Rejected};

/// Bytes of table that one piece of the re-read has at least and at most: many enough that the way there and back does not count, and few
/// enough that the last pieces end at about the same time.
const PIECE_BYTES: std::ops::RangeInclusive<u64> = (16 << 20)..=(32 << 20);
/// Pieces that each job gets, of tables that are large enough.
const PIECES_PER_JOB: u64 = 16;

/// What one side says of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Rows, counted by the database itself.
    pub rows: Option<u64>,
    /// Aggregates, computed by the database itself.
    pub profile: Option<Profile>,
    /// Rows and digest as they were read, after mapping.
    pub digest: Option<Digest>,
    /// Rows as they were read, before a condition left some behind.
    pub rows_read: u64,
    /// What value policies have done to them as they were read.
    pub losses: Losses,
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
    /// Bounds what is held of rows.
    pub budget: Budget,
    /// Mask keys in errors.
    pub hide_keys: bool,
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
        let kinds = kinds(plan);
        move |(place, table): (usize, Arc<TablePlan>)| {
            let (all, snapshot, asking) = (Arc::clone(&all), Arc::clone(&snapshot), asking.clone());
            let columns = profile::source_columns(&table.mapped, kinds.get(place).map_or(&[], Vec::as_slice));
            async move {
                let source = &table.mapped.source;
                let ask = async {
                    if asking.level == VerifyLevel::Full {
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
                    Err(error) if asking.stop.reason().is_some() || stops_the_run(&error) => return Err(error),
                    Err(error) => note(&all, place, &error.table(&source.name)),
                }
                Ok(())
            }
        }
    };
    if asking.level >= VerifyLevel::Rows {
        if asking.level < VerifyLevel::Full {
            let tables = wanted.iter().filter_map(|place| plan.tables.get(*place)).map(|table| &table.mapped.source);
            match asking.stop.unless_stopped(snapshot.count_ahead(&tables.collect::<Vec<_>>())).await {
                Err(error) if asking.stop.reason().is_some() => return Err(error),
                // Each table asks for itself, and says what is wrong.
                Err(error) => tracing::debug!(%error, "the tables could not be counted together"),
                Ok(()) => {}
            }
        }
        pool::each(asking.jobs, chosen(plan, wanted), work).await?;
    }
    Ok(taken(all))
}

/// Counts, profiles and the digest of a re-read of the target, as far as the level asks. Of tables that are merged the first one alone gets
/// them: they are the target's.
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
    for table in &plan.tables {
        // As far as the rows of the source were read by this process.
        asking.budget.met_again(table.target(), table.source());
    }
    let leads = plan.leads();
    let wanted: Vec<usize> = wanted.iter().copied().filter(|place| leads.contains(place)).collect();
    let targets: Vec<&crate::model::Table> =
        wanted.iter().filter_map(|place| Some(&plan.tables.get(*place)?.mapped.target)).collect();
    match asking.stop.unless_stopped(read_back.look_up(&targets)).await {
        Err(error) if asking.stop.reason().is_some() => return Err(error),
        // Each table asks for itself, and says what is wrong.
        Err(error) => tracing::debug!(%error, "the tables could not be looked up together"),
        Ok(()) => {}
    }
    let tables: Vec<Shared> =
        chosen(plan, &wanted).into_iter().map(|(place, table)| (place, sent_alone(table, &**read_back, run))).collect();
    let mut tasks: Vec<Task> = tables.iter().cloned().map(Task::Ask).collect();
    if asking.level >= VerifyLevel::Digest {
        tasks.extend(pieces_of(&all, &tables, read_back, run, asking).await?.into_iter().map(Task::Hash));
    }
    let ask: Ask = {
        let (all, read_back, asking, kinds) = (Arc::clone(&all), Arc::clone(read_back), asking.clone(), kinds(plan));
        Arc::new(move |(place, table)| {
            let (all, read_back, asking) = (Arc::clone(&all), Arc::clone(&read_back), asking.clone());
            let columns = profile::target_columns(&table.mapped, kinds.get(place).map_or(&[], Vec::as_slice));
            async move {
                let target = &table.mapped.target;
                let ask = async {
                    if asking.level == VerifyLevel::Full {
                        read_back.profile(target, &columns).await.map(|profile| (profile.rows, Some(profile)))
                    } else {
                        read_back.count(target).await.map(|rows| (rows, None))
                    }
                };
                match asking.stop.unless_stopped(ask).await {
                    Ok((rows, profile)) => {
                        let facts = &mut lock(&all)[place];
                        facts.rows = Some(rows);
                        facts.profile = profile;
                    }
                    Err(error) if asking.stop.reason().is_some() || stops_the_run(&error) => return Err(error),
                    Err(error) => note(&all, place, &error.table(&target.name)),
                }
                Ok(())
            }
            .boxed()
        })
    };
    let hash: Hash = {
        let (read_back, asking) = (Arc::clone(read_back), asking.clone());
        Arc::new(move |table, chunk| {
            let (read_back, asking) = (Arc::clone(&read_back), asking.clone());
            async move {
                let (label, target) = (table.label(), &table.mapped.target);
                let heard = |rows, bytes| asking.progress.emit(Event::Rows { table: label.clone(), rows, bytes });
                match read_back.digest_within(target, &chunk, &asking.budget, &heard).await? {
                    Some(digest) => Ok(Hashed { digest, ..Hashed::default() }),
                    None => hash_rows(&table, read_back.read_within(target, &chunk, &asking.budget), &asking).await,
                }
            }
            .boxed()
        })
    };
    work(&all, tasks, asking, ask, hash).await?;
    Ok(taken(all))
}

/// The pieces that the tables are read again in.
async fn pieces_of(
    all: &All,
    tables: &[Shared],
    read_back: &Arc<dyn ReadBack>,
    run: Option<RunId>,
    asking: &Asking,
) -> Result<Vec<Piece>> {
    let bytes = tables.iter().map(|(_, table)| table.mapped.source.estimated_bytes).fold(0, u64::saturating_add);
    let piece_bytes = piece_bytes(bytes, asking.jobs);
    let pieces: Arc<Mutex<Vec<Piece>>> = Arc::default();
    let plan = {
        let (all, pieces, read_back, asking) = (Arc::clone(all), Arc::clone(&pieces), Arc::clone(read_back), asking.clone());
        move |(place, table): Shared| {
            let (all, pieces, read_back, asking) =
                (Arc::clone(&all), Arc::clone(&pieces), Arc::clone(&read_back), asking.clone());
            async move {
                let target = &table.mapped.target;
                match asking.stop.unless_stopped(read_back.plan_chunks(target, piece_bytes, run)).await {
                    Ok(plan) => {
                        lock(&all)[place].digest = Some(Digest::default());
                        let pieces = &mut pieces.lock().unwrap_or_else(PoisonError::into_inner);
                        pieces.extend(plan.chunks.into_iter().map(|chunk| (place, Arc::clone(&table), chunk)));
                    }
                    Err(error) if asking.stop.reason().is_some() || stops_the_run(&error) => return Err(error),
                    Err(error) => note(&all, place, &error.table(&target.name)),
                }
                Ok(())
            }
        }
    };
    pool::each(asking.jobs, tables.to_vec(), plan).await?;
    Ok(std::mem::take(&mut *pieces.lock().unwrap_or_else(PoisonError::into_inner)))
}

/// The digest of the source's rows after mapping, read again, without those that were `rejected`: for a verification that comes later.
///
/// # Errors
/// `Interrupted`. What goes wrong with one table stands in its facts.
pub async fn digests_of_source(
    plan: &Plan,
    snapshot: &Arc<dyn Snapshot>,
    facts: Vec<Facts>,
    rejected: &Rejected,
    asking: &Asking,
) -> Result<Vec<Facts>> {
    let all: All = Arc::new(Mutex::new(facts));
    let mut pieces: Vec<Piece> = Vec::new();
    for (place, table) in shared(plan) {
        lock(&all)[place].digest.get_or_insert_default();
        pieces.extend(table.chunks.chunks.iter().map(|chunk| (place, Arc::clone(&table), chunk.clone())));
    }
    let keyed = plan.keyed();
    let transforms: HashMap<(ObjectName, ObjectName), Transform> = plan
        .tables
        .iter()
        .map(|table| Ok(((table.source().clone(), table.target().clone()), table.mapped.transform(keyed.as_ref())?)))
        .collect::<Result<_>>()?;
    let (snapshot, budget) = (Arc::clone(snapshot), asking.budget.clone());
    let known: HashMap<(ObjectName, ObjectName), Arc<rejected::Known>> = plan
        .tables
        .iter()
        .filter_map(|table| Some(((table.source().clone(), table.target().clone()), rejected.of(table)?)))
        .collect();
    let dialect = rejected.dialect();
    let each = asking.clone();
    let hash: Hash = Arc::new(move |table, chunk| {
        let ends = (table.source().clone(), table.target().clone());
        let transform = transforms.get(&ends).cloned().ok_or_else(|| Error::internal("a table without its casts"));
        let mut read = table.read_plan(budget.batch_bytes());
        let known = known.get(&ends).cloned();
        read.keep_raw = known.is_some();
        let batches = snapshot.read_within(&read, &chunk, &budget);
        let asking = each.clone();
        async move {
            let transform = transform?;
            let counter = Counter::default();
            let counted = Arc::clone(&counter);
            let mapped = batches.map(move |batch| {
                let mut batch = batch?;
                if let Some(known) = &known {
                    counted.fetch_add(known.take_out(&mut batch, &read, dialect)?, Ordering::Relaxed);
                }
                let Batch { rows, bytes, mut losses, held, .. } = batch;
                counted.fetch_add(rows.num_rows() as u64, Ordering::Relaxed);
                let rows = transform.apply_counted(&read.table, &read.row_key, &rows, &mut losses)?;
                Ok(Batch { losses, held, ..Batch::plain(rows, bytes) })
            });
            let hashed = hash_rows(&table, mapped.boxed(), &asking).await?;
            Ok(Hashed { rows_read: counter.load(Ordering::Relaxed), ..hashed })
        }
        .boxed()
    });
    let nothing: Ask = Arc::new(|_| async { Ok(()) }.boxed());
    work(&all, pieces.into_iter().map(Task::Hash).collect(), asking, nothing, hash).await?;
    Ok(taken(all))
}

/// Of a table whose rows were found by a key, only those that the run has sent.
fn sent_alone(table: Arc<TablePlan>, read_back: &dyn ReadBack, run: Option<RunId>) -> Arc<TablePlan> {
    let (Some(key), Some(run)) = (&table.load.upsert, run) else { return table };
    let mut narrowed = (*table).clone();
    narrowed.mapped.target = read_back.only_sent(&table.mapped.target, run, key);
    Arc::new(narrowed)
}

/// A table and its place in the plan.
type Shared = (usize, Arc<TablePlan>);
/// A chunk of a table, by the table's place in the plan.
type Piece = (usize, Arc<TablePlan>, Chunk);
/// Asks the database about a table.
type Ask = Arc<dyn Fn(Shared) -> BoxFuture<'static, Result<()>> + Send + Sync>;
/// Hashes the rows of a piece, in the columns of its target.
type Hash = Arc<dyn Fn(Arc<TablePlan>, Chunk) -> BoxFuture<'static, Result<Hashed>> + Send + Sync>;
/// Counts the rows of a piece before a condition leaves some behind.
type Counter = Arc<AtomicU64>;

/// What is done side by side.
enum Task {
    Ask(Shared),
    Hash(Piece),
}

/// What was read of a piece.
#[derive(Default)]
struct Hashed {
    digest: Digest,
    losses: Losses,
    rows_read: u64,
}

/// Bytes that one piece aims at, of so many in all.
fn piece_bytes(bytes: u64, jobs: usize) -> u64 {
    let pieces = u64::try_from(jobs).unwrap_or(u64::MAX).saturating_mul(PIECES_PER_JOB).max(1);
    (bytes / pieces).clamp(*PIECE_BYTES.start(), *PIECE_BYTES.end())
}

async fn hash_rows(table: &TablePlan, mut batches: BatchStream, asking: &Asking) -> Result<Hashed> {
    let mut hasher = RowHasher::new(table.mapped.target_types());
    let mut hashed = Hashed::default();
    while let Some(batch) = batches.next().await {
        let mut batch = batch?;
        if !batch.held.is_some() {
            batch.held = asking.budget.hold(batch.bytes).await;
        }
        hasher.update(&batch.rows, &mut hashed.digest)?;
        hashed.losses.merge(&batch.losses);
        let (rows, bytes) = (batch.rows.num_rows() as u64, batch.bytes as u64);
        asking.progress.emit(Event::Rows { table: table.label(), rows, bytes });
    }
    Ok(hashed)
}

/// Does all of it, and adds the digest of each piece to its table's: the largest table first, and what its database is asked before its rows.
async fn work(all: &All, mut tasks: Vec<Task>, asking: &Asking, ask: Ask, hash: Hash) -> Result<()> {
    tasks.sort_by_key(|task| {
        let (place, table, part) = match task {
            Task::Ask((place, table)) => (*place, table, None),
            Task::Hash((place, table, chunk)) => (*place, table, Some(chunk.id)),
        };
        (std::cmp::Reverse(table.mapped.source.estimated_bytes), place, part)
    });
    let (all, asking) = (Arc::clone(all), asking.clone());
    pool::each(asking.jobs, tasks, move |task| {
        let (all, asking, ask, hash) = (Arc::clone(&all), asking.clone(), Arc::clone(&ask), Arc::clone(&hash));
        async move {
            let (place, table, chunk) = match task {
                Task::Ask(table) => return ask(table).await,
                Task::Hash(piece) => piece,
            };
            match asking.stop.unless_stopped(hash(Arc::clone(&table), chunk)).await {
                Ok(piece) => {
                    let facts = &mut lock(&all)[place];
                    facts.losses.merge(&piece.losses);
                    facts.digest.get_or_insert_default().merge(piece.digest);
                    facts.rows_read += piece.rows_read;
                }
                Err(error) if asking.stop.reason().is_some() || stops_the_run(&error) => return Err(error),
                Err(error) => {
                    note(&all, place, &error.table(table.source()).hide_keys(asking.hide_keys || table.mapped.hides_key()))
                }
            }
            Ok(())
        }
    })
    .await
}

/// What is computed of each column of each table.
fn kinds(plan: &Plan) -> Vec<Vec<Option<ProfileKind>>> {
    let mut all = vec![Vec::new(); plan.tables.len()];
    for group in plan.groups() {
        let members: Vec<_> = group.iter().map(|place| &plan.tables[*place].mapped).collect();
        let kinds = profile::kinds(&members);
        group.iter().for_each(|place| all[*place].clone_from(&kinds));
    }
    all
}

/// All tables by their place.
fn shared(plan: &Plan) -> impl Iterator<Item = (usize, Arc<TablePlan>)> {
    plan.tables.iter().cloned().map(Arc::new).enumerate()
}

/// The wanted tables by their place.
fn chosen(plan: &Plan, wanted: &[usize]) -> Vec<(usize, Arc<TablePlan>)> {
    shared(plan).filter(|(place, _)| wanted.contains(place)).collect()
}
