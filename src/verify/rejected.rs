//! Rows that runs have rejected, as their ledger has them: a later verification expects every other row in the target, and none of these.
//!
//! A row counts as one of them only if the source still delivers it byte by byte as it was rejected. One that was corrected since is
//! missing in the target, and found to be; one that cannot be read and was not rejected is an error, as it would be in a run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;

use crate::engine::{Batch, Dialect, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Problem, Severity};
use crate::model::reject::RawRow;
use crate::model::unit::ReadPlan;
use crate::model::{ObjectName, RunId};
use crate::plan::{Plan, TablePlan};
use crate::report::human;
use crate::transfer::retry::origin;

use super::earlier::Earlier;

/// The rejected rows of all tables, by the table's names in source and target.
pub struct Rejected {
    tables: HashMap<(ObjectName, ObjectName), Arc<Known>>,
    dialect: &'static dyn Dialect,
}

/// The rejected rows of one table.
pub struct Known {
    run: RunId,
    count: u64,
    met: Mutex<Met>,
}

struct Met {
    /// Those that were not met yet, each as often as it was rejected.
    left: HashMap<RawRow, u64>,
    count: u64,
}

impl Rejected {
    /// Reads the ledger for the tables of `plan`: each table's rows by the newest run that brought it from this source. `dialect` is the
    /// source's.
    ///
    /// # Errors
    /// What the target says.
    pub async fn read(earlier: &Earlier, plan: &Plan, sink: &dyn Sink, dialect: &'static dyn Dialect) -> Result<Self> {
        let mut tables = HashMap::new();
        let mut asked: HashMap<RunId, Vec<(usize, RawRow)>> = HashMap::new();
        for table in &plan.tables {
            let Some((run, stored, place)) = earlier.brought(table) else { continue };
            if stored.tables.get(place).is_none_or(|stored| stored.mapped.max_rejects.is_none()) {
                continue;
            }
            if let std::collections::hash_map::Entry::Vacant(entry) = asked.entry(run) {
                let rejects = sink.ledger().rejects(run).await?;
                entry.insert(rejects.into_iter().filter_map(|one| Some((origin(stored, &one)?, one.reject.row))).collect());
            }
            let mut left: HashMap<RawRow, u64> = HashMap::new();
            for (_, row) in asked.get(&run).into_iter().flatten().filter(|(from, _)| *from == place) {
                *left.entry(row.clone()).or_default() += 1;
            }
            let count = left.values().sum();
            if count > 0 {
                let known = Known { run, count, met: Mutex::new(Met { left, count: 0 }) };
                tables.insert((table.source().clone(), table.target().clone()), Arc::new(known));
            }
        }
        Ok(Rejected { tables, dialect })
    }

    /// Those of a table, if there are any.
    pub fn of(&self, table: &TablePlan) -> Option<Arc<Known>> {
        self.tables.get(&(table.source().clone(), table.target().clone())).cloned()
    }

    /// The source's dialect.
    pub fn dialect(&self) -> &'static dyn Dialect {
        self.dialect
    }

    /// A note for each table on how it is compared; `were_read` says that the source's rows were.
    pub fn notes(&self, plan: &Plan, were_read: bool) -> Vec<Problem> {
        let note = |table: &TablePlan| {
            let known = self.of(table)?;
            let count = human::count(known.count);
            let mut why = format!(
                "{count} of its rows were rejected, as the ledger says of run {}: they are not expected in the target, all others are",
                known.run
            );
            let met = known.met();
            if were_read && met < known.count {
                why.push_str(&format!("; {} of them are in the source as they were", human::count(met)));
            }
            Some(Problem::new(Severity::Note, "table", table.source(), why))
        };
        plan.tables.iter().filter_map(note).collect()
    }
}

impl Known {
    /// As many as the ledger has.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// As many as were met in the source.
    pub fn met(&self) -> u64 {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// True if `row` is one of them that was not met yet, which it is now.
    fn meets(&self, row: &RawRow) -> bool {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        match met.left.get_mut(row).filter(|left| **left > 0) {
            Some(left) => {
                *left -= 1;
                met.count += 1;
                true
            }
            None => false,
        }
    }

    /// Takes the rejected rows out of a batch that keeps its rows; gives how many there were.
    ///
    /// # Errors
    /// `Value` for a row that could not be read and was not rejected.
    pub fn take_out(&self, batch: &mut Batch, read: &ReadPlan, dialect: &dyn Dialect) -> Result<u64> {
        let mut taken = 0;
        for reject in std::mem::take(&mut batch.rejects) {
            if !self.meets(&reject.row) {
                let mut error = Error::new(ErrorKind::Value, reject.reason).table(&read.table);
                error = reject.column.iter().fold(error, |error, column| error.column(column));
                return Err(reject.key.iter().fold(error, |error, key| error.key(key)));
            }
            taken += 1;
        }
        let Some(raw) = batch.raw.take() else { return Err(Error::internal("a batch keeps no rows")) };
        let mut stay = Vec::with_capacity(batch.rows.num_rows());
        for place in 0..batch.rows.num_rows() {
            let row = raw.raw(place)?;
            let rejected = self.meets(&row);
            if rejected {
                taken += 1;
                let what = ReadPlan { keep_raw: true, ..read.clone() };
                batch.losses.take_back(&dialect.decode_raw(&what, &row)?.losses);
            }
            stay.push(!rejected);
        }
        if stay.contains(&false) {
            batch.rows = filter_record_batch(&batch.rows, &BooleanArray::from(stay))?;
        }
        Ok(taken)
    }
}
