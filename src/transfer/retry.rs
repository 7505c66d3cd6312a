//! Sending rejected rows again, under a corrected mapping, into the tables of their run.
//!
//! A row is read from what the ledger keeps of it, not from the source. Each goes in a transaction of its own, which takes it out of the
//! ledger and adds it to the receipt of its chunk, so that the digests of the run add up whatever happens in between. When none is left the
//! run is verified as a whole: the source's count is the one that the run itself has compared.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::VerifyLevel;
use crate::config::endpoint::Endpoint;
use crate::config::rules::Mapping;
use crate::engine::{DdlPhase, Dialect, Sink, registry};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{RunRecord, RunState};
use crate::mapping::{self, MapOptions, MappedTable, Route};
use crate::model::chunk::{Chunk, ChunkPlan, ChunkRange};
use crate::model::reject::RejectRecord;
use crate::model::unit::{ReadPlan, WorkUnit};
use crate::model::{Catalog, Digest, ObjectName, Table};
use crate::plan::Plan;
use crate::report::{self, Outcome, Report};
use crate::transform::Transform;
use crate::verify::compare;
use crate::verify::facts::{self, Asking, Facts};
use crate::verify::hasher::RowHasher;

use super::copy::{accounts, stops_the_run};

/// What came of sending rejected rows again.
#[derive(Debug)]
pub struct Retried {
    /// Rows that arrived.
    pub sent: u64,
    /// Those that are still rejected, and why.
    pub left: Vec<Error>,
    /// The run's report, as it is now.
    pub report: Report,
}

/// Sends all rejected rows of a run again.
///
/// # Errors
/// `Ledger` when the run has not finished; `Mapping` when the mapping makes other tables than the run has; what the target says.
pub async fn retry(record: &RunRecord, mapping: Option<&Mapping>, sink: &Arc<dyn Sink>, asking: &Asking) -> Result<Retried> {
    let plan: Plan = serde_json::from_value(record.plan.clone()).map_err(|error| {
        Error::new(ErrorKind::Ledger, "the plan in the ledger cannot be read by this version").with_source(error)
    })?;
    let Some(report) = record.report.clone() else {
        return Err(Error::new(ErrorKind::Ledger, format!("run {} has not finished", record.run))
            .hint("Let it finish first: the same command with `--resume`"));
    };
    let mut report = report::json::from_value(report)?;
    let rejects = sink.ledger().rejects(record.run).await?;
    let source = registry::engine(Endpoint::parse(&record.source)?.engine).dialect();
    let target = registry::engine(Endpoint::parse(&record.target)?.engine).dialect();
    let mapping = mapping.unwrap_or(&plan.choices.mapping);
    let tables = if rejects.is_empty() { HashMap::new() } else { remap(&plan, &rejects, mapping, source, target, sink)? };
    let (mut sent, mut left) = (0, Vec::new());
    for reject in &rejects {
        let Some(table) = tables.get(&reject.table) else {
            return Err(Error::new(ErrorKind::Ledger, "the run's plan has no such table").table(&reject.table));
        };
        match asking.stop.unless_stopped(send(record, reject, table, source, &**sink, asking.hide_keys)).await {
            Ok(()) => sent += 1,
            Err(error) if stops_the_run(&error) => return Err(error),
            Err(error) => left.push(table.mapped.settle(error).hide_keys(asking.hide_keys || table.mapped.hides_key())),
        }
    }
    judge(record, &plan, &mut report, sink, asking).await?;
    Ok(Retried { sent, left, report })
}

/// A table under the mapping that is to settle its rows.
struct Settled {
    mapped: MappedTable,
    read: ReadPlan,
    transform: Transform,
}

/// Maps the source's tables, as the plan knows them, once more. Tables that rows go into must be what they are.
fn remap(
    plan: &Plan,
    rejects: &[RejectRecord],
    mapping: &Mapping,
    source: &'static dyn Dialect,
    target: &'static dyn Dialect,
    sink: &Arc<dyn Sink>,
) -> Result<HashMap<ObjectName, Settled>> {
    let natural = |table: &Table| {
        let mut table = table.clone();
        table.row_filter = None;
        for column in &mut table.columns {
            column.logical = source.to_logical(&column.native);
        }
        table
    };
    let catalog = Catalog {
        server: plan.source.server.clone(),
        tables: plan.tables.iter().map(|table| natural(&table.mapped.source)).collect(),
        problems: Vec::new(),
    };
    // Rules of tables that the run has left out say nothing here.
    let mut mapping = mapping.clone();
    mapping
        .tables
        .retain(|rule| catalog.tables.iter().any(|table| rule.name == table.name.name || rule.name == table.name.to_string()));
    let kinds = (Endpoint::parse(&plan.source.address)?.engine, Endpoint::parse(&plan.target.address)?.engine);
    let route = Route { source, source_name: kinds.0.name(), target, target_name: kinds.1.name(), target_server: sink.server() };
    let options = MapOptions {
        schema: plan.choices.schema.as_deref(),
        now_us: plan.tables.first().map_or(0, |table| table.mapped.now_us),
        allow_empty: true,
        ..MapOptions::default()
    };
    let mapped = mapping::map(&catalog, &mapping, options, route)?;
    if let Some(refusal) = mapping::refusals(&mapped.problems) {
        return Err(refusal);
    }
    let mut tables = HashMap::new();
    for planned in plan.tables.iter().filter(|planned| rejects.iter().any(|reject| reject.table == *planned.target())) {
        let found = mapped.tables.iter().find(|table| table.source.name == *planned.source());
        let mapped = found.filter(|table| same_shape(table, &planned.mapped)).ok_or_else(|| {
            let what = "the mapping makes another table than the one that stands in the target";
            Error::new(ErrorKind::Mapping, what).table(planned.target()).hint(
                "Leave its names, types, condition and masks as the run had them; only value policies and expressions may change",
            )
        })?;
        let mut read = ReadPlan::of(&mapped.source, mapped.read_columns(), &ChunkPlan::whole(0, 0), 1);
        read.keep_raw = true;
        let settled = Settled { mapped: mapped.clone(), read, transform: mapped.transform(None)? };
        tables.insert(planned.target().clone(), settled);
    }
    Ok(tables)
}

/// True if rows of both have the same form.
fn same_shape(one: &MappedTable, two: &MappedTable) -> bool {
    let columns = |table: &MappedTable| -> Vec<(String, String)> {
        table.target.columns.iter().map(|column| (column.name.clone(), column.native.full.clone())).collect()
    };
    let condition = |table: &MappedTable| table.condition.as_ref().map(|condition| condition.sql.clone());
    one.target.name == two.target.name
        && columns(one) == columns(two)
        && one.columns.iter().all(|column| column.mask.is_none())
        && one.columns.iter().map(|column| &column.to).eq(two.columns.iter().map(|column| &column.to))
        && condition(one) == condition(two)
}

/// Sends one row, and takes it out of the ledger in the same transaction.
async fn send(
    record: &RunRecord,
    reject: &RejectRecord,
    table: &Settled,
    source: &'static dyn Dialect,
    sink: &dyn Sink,
    hide_keys: bool,
) -> Result<()> {
    let batch = source.decode_raw(&table.read, &reject.reject.row)?;
    let mut losses = batch.losses;
    let rows = table.transform.apply_counted(&table.read.table, &table.read.row_key, &batch.rows, &mut losses)?;
    let mut digest = Digest::default();
    RowHasher::new(table.mapped.target_types()).update(&rows, &mut digest)?;
    let chunk = Chunk { id: reject.chunk, range: ChunkRange::Whole, estimated_rows: 1, estimated_bytes: 0 };
    let unit = WorkUnit { run: record.run, read: table.read.clone(), chunk, target: reject.table.clone() };
    let mut writer = sink.begin_reject(&unit, reject.number, &table.mapped.target).await?;
    let written = writer.write(&rows).await;
    if let Err(error) = written {
        writer.abort().await?;
        return Err(error.table(&reject.table));
    }
    if hide_keys || table.mapped.hides_key() {
        losses.hide_keys();
    }
    writer.note_losses(&losses);
    writer.commit(digest).await.map(drop)
}

/// Compares the run's tables again, and stores what it comes to.
async fn judge(record: &RunRecord, plan: &Plan, report: &mut Report, sink: &Arc<dyn Sink>, asking: &Asking) -> Result<()> {
    let receipts = sink.ledger().receipts(record.run).await?;
    let accounts = accounts(plan, &receipts);
    let complete: Vec<usize> = accounts.iter().enumerate().filter(|(_, account)| account.left == 0).map(|(at, _)| at).collect();
    let faults = constrain(plan, &complete, sink).await?;
    // The source is not asked again, so its columns cannot be profiled.
    let level = plan.choices.verify.min(VerifyLevel::Digest);
    let asking = Asking { level, ..asking.clone() };
    let facts = if level == VerifyLevel::None {
        vec![Facts::default(); plan.tables.len()]
    } else {
        let read_back = asking.stop.unless_stopped(sink.read_back(asking.jobs)).await?;
        facts::of_target(plan, &read_back, Some(record.run), &complete, &asking).await?
    };
    for (place, (table, account)) in plan.tables.iter().zip(&accounts).enumerate() {
        let name = table.target().to_string();
        let Some(entry) = report.tables.iter_mut().find(|entry| entry.target == name) else { continue };
        // A difference that was found with the source at hand cannot be judged anew without it.
        if account.left > 0 || entry.outcome == Outcome::Differs {
            continue;
        }
        let read = account.read();
        let counted = Facts { rows: Some(read.rows), ..Facts::default() };
        let Some(facts) = facts.get(place) else { continue };
        let differences = match entry.stood {
            Some(stood) => compare::differences_appended(&table.mapped, level, stood, &read, &counted, facts),
            None => compare::differences(&table.mapped, level, &read, &counted, facts),
        };
        let mut errors: Vec<String> = faults.get(table.target()).cloned().unwrap_or_default();
        entry.outcome = match (errors.is_empty(), differences.is_empty(), account.rejected) {
            (_, false, _) => Outcome::Differs,
            (false, _, _) => Outcome::Failed,
            (true, true, 1..) => Outcome::Rejected,
            (true, true, 0) if level == VerifyLevel::None => Outcome::NotVerified,
            (true, true, 0) => Outcome::Verified,
        };
        errors.extend(differences);
        entry.errors = errors;
        entry.rows = account.digest.rows;
        entry.bytes = account.bytes;
        entry.digest = entry.digest.map(|_| account.digest);
        entry.losses = account.losses.clone();
        entry.rejected = account.rejected;
    }
    let good = report.errors.is_empty()
        && report.tables.iter().all(|table| matches!(table.outcome, Outcome::Verified | Outcome::NotVerified));
    report.verify = level;
    report.proven = compare::sentence(level, &report.tables);
    report.exit_code = u8::from(!good);
    let state = if good { RunState::Done } else { RunState::Failed };
    sink.ledger().finish(record.run, state, &report::json::to_value(report)?).await
}

/// Makes the keys and constraints that rows which were missing have kept from being made. All of it is safe to repeat.
async fn constrain(plan: &Plan, complete: &[usize], sink: &Arc<dyn Sink>) -> Result<HashMap<ObjectName, Vec<String>>> {
    let mut faults: HashMap<ObjectName, Vec<String>> = HashMap::new();
    let there: Vec<&ObjectName> =
        complete.iter().filter_map(|place| plan.tables.get(*place)).map(|table| table.target()).collect();
    for phase in [DdlPhase::Indexes, DdlPhase::ForeignKeys, DdlPhase::Validate] {
        for statement in plan.statements(phase) {
            let Some(table) = statement.table.as_ref().filter(|table| there.contains(table)) else { continue };
            match sink.apply(statement).await {
                Ok(()) => {}
                Err(error) if stops_the_run(&error) => return Err(error),
                Err(error) => faults.entry(table.clone()).or_default().push(error.with_hint()),
            }
        }
    }
    Ok(faults)
}
