//! What the ledger knows of the runs that brought the rows: without it, a later verification could not tell rows that were added to a
//! table from those that stood there.
//!
//! The digest of a table is a sum over its rows. So a table that rows were added to must hold what stood there when the newest finished
//! run of this source began, what the source has, and what runs of other sources have added since. A wrong guess cannot prove anything:
//! the sums would not agree.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::{Scope, VerifyLevel};
use crate::engine::Sink;
use crate::error::Result;
use crate::ledger::{RunRecord, RunState};
use crate::model::catalog::{Problem, Severity};
use crate::model::schema::TableSchema;
use crate::model::sequence::CarriedSequence;
use crate::model::unit::Receipt;
use crate::model::{Digest, ObjectName, RunId};
use crate::plan::{Plan, TablePlan};
use crate::report::{Outcome, Report, human};
use crate::transfer::baseline::{Baselines, stored};

/// The runs in the target's ledger, newest first. A plan of another version of dbferry tells nothing.
pub struct Earlier {
    source: String,
    runs: Vec<(RunRecord, Option<Plan>)>,
}

/// What is in a table beside the source's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stood {
    /// So much: what stood there before the run, and what others have added since.
    Known {
        /// Rows and digest of all that.
        digest: Digest,
        /// The run that added the source's rows.
        run: RunId,
        /// Rows that runs of other sources have added since.
        others: u64,
    },
    /// Rows were added, but the comparison must do without what stood there; and why.
    Unknown(String),
}

impl Stood {
    /// Rows and digest, if they are known.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Stood::Known { digest, .. } => Some(*digest),
            Stood::Unknown(_) => None,
        }
    }

    /// A note on how the table is compared.
    pub fn note(&self, table: &ObjectName) -> Option<Problem> {
        let Stood::Known { digest, run, others } = self else { return None };
        let mut why =
            format!("run {run} added rows to it; it must hold those of the source and {} more", human::count(digest.rows));
        if *others > 0 {
            why.push_str(&format!(", {} of which runs of other sources have added since", human::count(*others)));
        }
        Some(Problem::new(Severity::Note, "table", table, why))
    }
}

/// What a difference may come from, where the table has more rows than the source.
pub fn hint(stood: Option<&Stood>) -> String {
    let general = "rows may have been added to what stood there";
    match stood {
        Some(Stood::Unknown(why)) => format!("{general}, and {why}"),
        Some(Stood::Known { run, .. }) => format!("{general} after run {run}"),
        None => format!("{general}: the ledger has no finished run of this source that says so"),
    }
}

impl Earlier {
    /// Reads the ledger; `source` is the address of the source that is compared, masked as runs have it.
    ///
    /// # Errors
    /// What the target says.
    pub async fn read(source: String, sink: &dyn Sink) -> Result<Self> {
        let runs = sink.ledger().runs().await?;
        let parsed = runs.into_iter().map(|mut run| {
            let plan = serde_json::from_value(std::mem::take(&mut run.plan)).ok();
            (run, plan)
        });
        Ok(Earlier { source, runs: parsed.collect() })
    }

    /// The plans that can be read, newest first.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.runs.iter().filter_map(|(_, plan)| plan.as_ref())
    }

    /// What `now()` was when the target was made: when the newest finished run of the source into `target` began.
    pub fn now_us(&self, target: &str) -> Option<i64> {
        let mut runs = self.runs.iter();
        let (_, plan) =
            runs.find(|(run, _)| run.source == self.source && run.target == target && run.state != RunState::Running)?;
        Some(plan.as_ref()?.tables.first()?.mapped.now_us)
    }

    /// What the target's tables are to look like, each by the newest finished run that brought it; whose rows those were does not matter.
    pub fn schemas(&self, targets: &[&ObjectName]) -> Vec<TableSchema> {
        targets.iter().filter_map(|target| self.schema(target)).cloned().collect()
    }

    /// Of `wanted`, those that a finished run has made, as the newest one has planned them.
    pub fn sequences(&self, wanted: &[CarriedSequence]) -> Vec<CarriedSequence> {
        let newest = |one: &CarriedSequence| {
            self.runs
                .iter()
                .filter(|(record, _)| record.state == RunState::Done)
                .find_map(|(_, plan)| plan.as_ref()?.sequences.iter().find(|known| known.target == one.target).cloned())
        };
        wanted.iter().filter_map(newest).collect()
    }

    /// The newest run that brought a table from this source: itself, its plan, and the table's place there.
    pub fn brought(&self, table: &TablePlan) -> Option<(RunId, &Plan, usize)> {
        let is = |other: &TablePlan| other.source() == table.source() && other.target() == table.target();
        self.runs.iter().filter(|(record, _)| record.source == self.source).find_map(|(record, plan)| {
            let plan = plan.as_ref().filter(|plan| plan.choices.scope != Scope::SchemaOnly)?;
            let place = plan.tables.iter().position(is)?;
            arrived(record, plan.tables.get(place)?).then_some((record.run, plan, place))
        })
    }

    /// The newest finished run of the source into `target`.
    pub fn newest(&self, target: &str) -> Option<RunId> {
        let finished =
            |(run, _): &&(RunRecord, _)| run.source == self.source && run.target == target && run.state != RunState::Running;
        self.runs.iter().find(finished).map(|(run, _)| run.run)
    }

    fn schema(&self, target: &ObjectName) -> Option<&TableSchema> {
        let of = |plan: &'_ Plan| plan.tables.iter().position(|table| table.target() == target);
        let newest = self.runs.iter().find_map(|(record, plan)| {
            let plan = plan.as_ref()?;
            let brought = plan.tables.get(of(plan)?)?;
            arrived(record, brought).then_some(plan)
        });
        newest?.schema.iter().find(|schema| schema.table.name == *target)
    }

    /// What is in the tables of `plan` beside the source's rows, by their names in the target; a table that no run has added rows to is
    /// not listed.
    ///
    /// # Errors
    /// What the target says, and `Ledger` for marks that cannot be read.
    pub async fn stood(&self, plan: &Plan, level: VerifyLevel, sink: &dyn Sink) -> Result<HashMap<ObjectName, Stood>> {
        let mut kept: BTreeMap<RunId, Kept> = BTreeMap::new();
        for run in self.asked(plan) {
            let (marks, receipts) = (sink.ledger().marks(run).await?, sink.ledger().receipts(run).await?);
            kept.insert(run, Kept { stood: stored(&marks)?, receipts });
        }
        Ok(plan.tables.iter().filter_map(|table| Some((table.target().clone(), self.of(table, level, &kept)?))).collect())
    }

    /// The runs whose marks and receipts are needed: of tables that any run has added rows to, all that had to do with them.
    fn asked(&self, plan: &Plan) -> BTreeSet<RunId> {
        let appended: BTreeSet<&ObjectName> =
            self.plans().flat_map(|plan| &plan.tables).filter(|table| table.append).map(TablePlan::target).collect();
        let wanted: BTreeSet<&ObjectName> =
            plan.tables.iter().map(TablePlan::target).filter(|target| appended.contains(target)).collect();
        let brings = |plan: &Plan| plan.tables.iter().any(|table| wanted.contains(table.target()));
        self.runs.iter().filter(|(_, plan)| plan.as_ref().is_some_and(brings)).map(|(run, _)| run.run).collect()
    }

    fn of(&self, table: &TablePlan, level: VerifyLevel, kept: &BTreeMap<RunId, Kept>) -> Option<Stood> {
        let target = table.target();
        let comparable = |other: &TablePlan| level < VerifyLevel::Digest || same_form(table, other);
        let mut added = Digest::default();
        for (record, plan) in &self.runs {
            let Some(plan) = plan.as_ref().filter(|plan| plan.choices.scope != Scope::SchemaOnly) else { continue };
            let mut brought = plan.tables.iter().filter(|brought| brought.target() == target);
            let Some(first) = brought.next() else { continue };
            let kept = kept.get(&record.run)?;
            let own = std::iter::once(first).chain(brought).find(|brought| brought.source() == table.source());
            match own.filter(|_| record.source == self.source) {
                Some(own) if arrived(record, own) => return base(record, own, kept, added, level, comparable(own)),
                // What an attempt of the same source has left behind is no part of what should be there.
                Some(own) if own.append => {}
                _ if first.append => {
                    let sent = kept.sent(target);
                    if sent.rows > 0 && !comparable(first) {
                        let why = format!("those of run {} are compared in another form", record.run);
                        return Some(Stood::Unknown(why));
                    }
                    added.merge(sent);
                }
                // The table is another run's, made anew; what was before it is gone.
                _ if kept.has(target) => return None,
                _ => {}
            }
        }
        None
    }
}

/// What the ledger keeps of a run.
struct Kept {
    stood: Baselines,
    receipts: Vec<Receipt>,
}

impl Kept {
    fn has(&self, table: &ObjectName) -> bool {
        self.receipts.iter().any(|receipt| receipt.table == *table)
    }

    /// What was sent to a table and is there.
    fn sent(&self, table: &ObjectName) -> Digest {
        let mut sent = Digest::default();
        self.receipts.iter().filter(|receipt| receipt.table == *table).for_each(|receipt| sent.merge(receipt.digest));
        sent
    }
}

/// From the newest run that carried all of the table.
fn base(record: &RunRecord, own: &TablePlan, kept: &Kept, added: Digest, level: VerifyLevel, comparable: bool) -> Option<Stood> {
    let run = record.run;
    let mut digest = Digest::default();
    if own.append {
        let Some(stood) = kept.stood.get(own.target()) else {
            return Some(Stood::Unknown(format!("run {run}, which compared nothing, does not know what stood there")));
        };
        // The baseline of a run that compared counts alone.
        if level >= VerifyLevel::Digest && stood.rows > 0 && stood.sum == 0 {
            let why = format!("run {run} has only counted what stood there; `--level rows` compares the counts");
            return Some(Stood::Unknown(why));
        }
        if !comparable {
            return Some(Stood::Unknown(format!("the mapping is not the one of run {run}, which read what stood there")));
        }
        digest = *stood;
    }
    digest.merge(added);
    (own.append || added.rows > 0).then_some(Stood::Known { digest, run, others: added.rows })
}

/// True if the run is finished and the table did not fail in it.
fn arrived(record: &RunRecord, table: &TablePlan) -> bool {
    let report: Option<Report> = record.report.clone().and_then(|report| crate::report::json::from_value(report).ok());
    let (source, target) = (table.source().to_string(), table.target().to_string());
    let of_table = report.iter().flat_map(|report| &report.tables).find(|entry| entry.source == source && entry.target == target);
    record.state != RunState::Running && of_table.is_some_and(|entry| entry.outcome != Outcome::Failed)
}

/// True if the digests of both are over the same columns in the same form.
fn same_form(one: &TablePlan, two: &TablePlan) -> bool {
    let form = |table: &TablePlan| -> Vec<_> {
        table.mapped.columns.iter().map(|column| (column.target.clone(), column.to.clone())).collect()
    };
    form(one) == form(two)
}
