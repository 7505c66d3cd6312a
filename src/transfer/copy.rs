//! Handing units to workers, and keeping account of the tables.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use crate::advice::{Retry, advice};
use crate::config::OnTableError;
use crate::engine::{Budget, Dialect, Sink, Snapshot, Turns};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::model::unit::{Receipt, WorkUnit};
use crate::model::{Digest, Losses, ObjectName, RunId, Table};
use crate::plan::Plan;
use crate::progress::{Event, Progress};

use crate::verify::compare::Read;

use super::execute::Hands;
use super::pause::Gate;
use super::pool;
use super::rate::Rate;
use super::retry_chunk;
use super::stop::Stop;

/// Smallest batch, however low the rate.
const LEAST_BATCH_BYTES: usize = 64 << 10;

/// A chunk of more bytes has its rows on the way for longer than a question is.
const SMALL_CHUNK_BYTES: u64 = 1 << 20;

/// How a table fares.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// What was sent, resumed chunks included.
    pub digest: Digest,
    /// Rows that were read of the source: more than were sent, when a condition left some behind.
    pub rows_read: u64,
    /// What value policies have done to the rows that arrived.
    pub losses: Losses,
    /// Rows that were rejected.
    pub rejected: u64,
    /// Bytes that were sent.
    pub bytes: u64,
    /// Chunks that are not committed yet.
    pub left: usize,
    /// Chunks that an earlier attempt had committed.
    pub resumed: usize,
    /// When its first chunk began.
    pub began: Option<Instant>,
    /// Seconds from its first chunk's beginning to its last chunk's end.
    pub seconds: f64,
    /// What went wrong.
    pub errors: Vec<String>,
}

impl Account {
    /// What was read, and sent.
    pub fn read(&self) -> Read {
        Read { rows: self.rows_read, digest: self.digest, losses: self.losses.clone(), rejected: self.rejected }
    }
}

/// The accounts of all tables, in the order of the plan.
pub type Accounts = Arc<Mutex<Vec<Account>>>;

/// What copying needs.
pub struct Copy<'a> {
    /// The run.
    pub run: RunId,
    /// The plan.
    pub plan: &'a Plan,
    /// Types and rows of the source's engine.
    pub source: &'static dyn Dialect,
    /// Reads.
    pub snapshot: Arc<dyn Snapshot>,
    /// Writes.
    pub sink: Arc<dyn Sink>,
    /// Chunks side by side.
    pub jobs: usize,
    /// Chunks that are opened ahead of their turn.
    pub ahead: usize,
    /// Bounds what is held of rows.
    pub budget: Budget,
    /// Bounds how fast the source is read.
    pub rate: Arc<Rate>,
    /// Where chunks wait before they begin.
    pub gate: Gate,
    /// Mask keys in errors.
    pub hide_keys: bool,
    /// How long a chunk is tried again.
    pub retry_for: Duration,
    /// Hears of progress.
    pub progress: Progress,
    /// May end it.
    pub stop: Stop,
}

/// Accounts as the receipts of earlier attempts have them.
pub fn accounts(plan: &Plan, receipts: &[Receipt]) -> Vec<Account> {
    plan.tables
        .iter()
        .map(|table| {
            let mut account = Account { left: table.chunks.chunks.len(), ..Account::default() };
            let own: HashSet<u32> = table.chunks.chunks.iter().map(|chunk| chunk.id).collect();
            // Other tables may go into the same target table, with chunks of their own.
            for receipt in receipts.iter().filter(|receipt| receipt.table == *table.target() && own.contains(&receipt.chunk)) {
                account.digest.merge(receipt.digest);
                account.rows_read += receipt.rows_read;
                account.bytes += receipt.bytes;
                account.losses.merge(&receipt.losses);
                account.rejected += receipt.rejected;
                account.left = account.left.saturating_sub(1);
                account.resumed += 1;
            }
            account
        })
        .collect()
}

impl Copy<'_> {
    /// Copies what has no receipt yet. A table that fails is noted in its account, and the others go on, unless the plan says stop.
    ///
    /// # Errors
    /// What stops the whole run: an interruption, a server that is gone, a full disk.
    pub async fn all(&self, accounts: &Accounts, receipts: &[Receipt]) -> Result<()> {
        let done: HashSet<(&ObjectName, u32)> = receipts.iter().map(|receipt| (&receipt.table, receipt.chunk)).collect();
        let mut units: Vec<(usize, WorkUnit)> = Vec::new();
        let mut hands = HashMap::new();
        let keyed = self.plan.keyed();
        let batch_bytes = self.batch_bytes();
        let turns = self.turns();
        for (place, table) in self.plan.tables.iter().enumerate() {
            let mut read = table.read_plan(batch_bytes);
            read.keep_raw = table.mapped.max_rejects.is_some();
            for chunk in &table.chunks.chunks {
                if !done.contains(&(table.target(), chunk.id)) {
                    units.push((
                        place,
                        WorkUnit {
                            run: self.run,
                            read: read.clone(),
                            chunk: chunk.clone(),
                            target: table.target().clone(),
                            load: table.load.clone(),
                        },
                    ));
                }
            }
            let hand = Hands {
                snapshot: Arc::clone(&self.snapshot),
                sink: Arc::clone(&self.sink),
                budget: self.budget.clone(),
                turns: turns.clone(),
                rate: Arc::clone(&self.rate),
                mapped: table.mapped.clone(),
                transform: table.mapped.transform(keyed.as_ref())?,
                hide_keys: self.hide_keys,
                source: self.source,
                rejected: Arc::new(AtomicU64::new(
                    receipts.iter().filter(|receipt| receipt.table == *table.target()).map(|receipt| receipt.rejected).sum(),
                )),
                progress: self.progress.clone(),
            };
            hands.insert(place, hand);
        }
        let ahead: BTreeMap<&ObjectName, &Table> = units
            .iter()
            .map(|(place, _)| &self.plan.tables[*place])
            .map(|table| (table.target(), &table.mapped.target))
            .collect();
        match self.stop.unless_stopped(self.sink.look_up(&ahead.into_values().collect::<Vec<_>>())).await {
            Err(error) if self.stop.reason().is_some() => return Err(error),
            // Each table asks for itself, and says what is wrong.
            Err(error) => tracing::debug!(%error, "the tables could not be looked up together"),
            Ok(()) => {}
        }
        self.tell_of_resumed(accounts);
        // The largest table first, so that the last worker is not left alone with it; within a table in the order of its key.
        let size = |place: usize| self.plan.tables[place].mapped.source.estimated_bytes;
        units.sort_by_key(|(place, unit)| (std::cmp::Reverse(size(*place)), *place, unit.chunk.id));

        let worker = Arc::new(Worker {
            accounts: Arc::clone(accounts),
            hands,
            progress: self.progress.clone(),
            stop: self.stop.clone(),
            stop_on_error: self.plan.choices.on_table_error == OnTableError::Stop,
            hide_keys: self.hide_keys,
            retry_for: self.retry_for,
            gate: self.gate.clone(),
            large: Semaphore::new(self.jobs.saturating_mul(2).max(1)),
        });
        // Where foreign keys are enforced meanwhile, parents come first: all of them, before the first of their children.
        let mut levels: BTreeMap<u32, Vec<(usize, WorkUnit)>> = BTreeMap::new();
        for unit in units {
            levels.entry(self.plan.tables[unit.0].level).or_default().push(unit);
        }
        for units in levels.into_values() {
            let worker = Arc::clone(&worker);
            pool::each(self.jobs.saturating_add(self.ahead), units, move |(place, unit)| {
                let worker = Arc::clone(&worker);
                async move { worker.carry(place, unit).await }
            })
            .await?;
        }
        Ok(())
    }
}

impl Copy<'_> {
    /// Upper bound of a batch: with a rate, what passes in a quarter of a second at most, so that it flows.
    fn batch_bytes(&self) -> usize {
        let flowing = self.rate.bytes_per_second().and_then(|rate| usize::try_from(rate / 4).ok());
        flowing.map_or(usize::MAX, |bytes| bytes.max(LEAST_BATCH_BYTES)).min(self.budget.batch_bytes())
    }

    /// Turns for chunks that are opened ahead; a pause holds them back as well.
    fn turns(&self) -> Option<Turns> {
        let gate = self.gate.clone();
        let pass = move || -> BoxFuture<'static, ()> {
            let gate = gate.clone();
            Box::pin(async move { gate.pass().await })
        };
        (self.ahead > 0).then(|| Turns::new(self.jobs, pass))
    }

    /// What an earlier attempt had carried counts from the start.
    fn tell_of_resumed(&self, accounts: &Accounts) {
        let accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
        for (table, account) in self.plan.tables.iter().zip(accounts.iter()).filter(|(_, account)| account.resumed > 0) {
            let name = table.label();
            self.progress.emit(Event::TableStarted {
                table: name.clone(),
                estimated_rows: table.mapped.source.estimated_rows,
                estimated_bytes: table.mapped.source.estimated_bytes,
                chunks: account.left,
            });
            self.progress.emit(Event::Rows { table: name.clone(), rows: account.digest.rows, bytes: account.bytes });
            if account.left == 0 {
                self.progress.emit(Event::TableFinished { table: name, error: None });
            }
        }
    }
}

struct Worker {
    accounts: Accounts,
    hands: HashMap<usize, Hands>,
    progress: Progress,
    stop: Stop,
    stop_on_error: bool,
    hide_keys: bool,
    retry_for: Duration,
    gate: Gate,
    /// Large chunks under way: one that is opened ahead for each that is carried is enough.
    large: Semaphore,
}

impl Worker {
    async fn carry(&self, place: usize, unit: WorkUnit) -> Result<()> {
        let Some(hands) = self.hands.get(&place) else { return Err(Error::internal("a unit of no table")) };
        let _large = match unit.chunk.estimated_bytes > SMALL_CHUNK_BYTES {
            // It is never closed.
            true => self.large.acquire().await.ok(),
            false => None,
        };
        self.stop.unless_stopped(self.passed()).await?;
        if self.begin(place, hands) {
            return Ok(());
        }
        let result = self.stop.unless_stopped(retry_chunk::carry(&unit, hands, self.retry_for)).await;
        let error = match result {
            Ok(receipt) => {
                self.end(place, Ok(receipt));
                failpoint::reached(failpoint::CHUNK_ACCOUNTED);
                return Ok(());
            }
            Err(error) => error.hide_keys(self.hide_keys || hands.mapped.hides_key()),
        };
        if self.stop_on_error || stops_the_run(&error) {
            return Err(error);
        }
        self.end(place, Err(error));
        Ok(())
    }

    /// Waits while a server has it hard.
    async fn passed(&self) -> Result<()> {
        self.gate.pass().await;
        Ok(())
    }

    /// Notes the beginning; true if the table has failed, so that the rest of it is left.
    fn begin(&self, place: usize, hands: &Hands) -> bool {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let account = &mut accounts[place];
        if !account.errors.is_empty() {
            return true;
        }
        if account.began.is_none() {
            account.began = Some(Instant::now());
            self.progress.emit(Event::TableStarted {
                table: hands.mapped.label(),
                estimated_rows: hands.mapped.source.estimated_rows,
                estimated_bytes: hands.mapped.source.estimated_bytes,
                chunks: account.left,
            });
        }
        false
    }

    fn label(&self, place: usize) -> String {
        self.hands.get(&place).map(|hands| hands.mapped.label()).unwrap_or_default()
    }

    fn end(&self, place: usize, result: Result<Receipt>) {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let account = &mut accounts[place];
        account.seconds = account.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        match result {
            Ok(receipt) => {
                account.digest.merge(receipt.digest);
                account.rows_read += receipt.rows_read;
                account.bytes += receipt.bytes;
                account.losses.merge(&receipt.losses);
                account.rejected += receipt.rejected;
                account.left = account.left.saturating_sub(1);
                if account.left == 0 && account.errors.is_empty() {
                    self.progress.emit(Event::TableFinished { table: self.label(place), error: None });
                }
            }
            Err(error) => {
                let first = account.errors.is_empty();
                account.errors.push(error.with_hint());
                if first {
                    self.progress.emit(Event::TableFinished { table: self.label(place), error: Some(error.to_string()) });
                }
            }
        }
    }
}

/// True for errors that every other table would meet as well.
pub fn stops_the_run(error: &Error) -> bool {
    use ErrorKind as K;
    advice(error.kind()).retry == Retry::Later
        || matches!(
            error.kind(),
            K::Interrupted
                | K::DiskFull
                | K::Snapshot
                | K::LoginRefused
                | K::UnknownDatabase
                | K::Config
                | K::Ledger
                | K::Internal
        )
}
