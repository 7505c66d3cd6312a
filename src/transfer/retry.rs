//! Sending rejected rows again, under a corrected mapping, into the tables of their run.
//!
//! A row is read from what the ledger keeps of it, not from the source. Each goes in a transaction of its own, which takes it out of the
//! ledger and adds it to the receipt of its chunk, so that the digests of the run add up whatever happens in between. When none is left the
//! run is verified as a whole: the source's count is the one that the run itself has compared.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::config::VerifyLevel;
use crate::config::endpoint::Endpoint;
use crate::config::rules::Mapping;
use crate::engine::{DdlPhase, Dialect, Sink, registry};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::{RunRecord, RunState};
use crate::mapping::rules::is_about;
use crate::mapping::standing::decides;
use crate::mapping::{self, MapOptions, MappedTable, Route};
use crate::model::chunk::{Chunk, ChunkPlan, ChunkRange};
use crate::model::load::Load;
use crate::model::probe::{Fact, Proven};
use crate::model::reject::RejectRecord;
use crate::model::unit::{ReadPlan, WorkUnit};
use crate::model::{Catalog, Digest, LogicalType, ObjectName, Table};
use crate::plan::{Plan, TablePlan};
use crate::report::{self, Outcome, Report};
use crate::transform::Transform;
use crate::verify::compare;
use crate::verify::facts::{self, Asking, Facts};
use crate::verify::hasher::RowHasher;
use crate::verify::merged::{self, Member};

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
    let tables = match rejects.is_empty() {
        true => HashMap::new(),
        false => remap(&plan, &rejects, mapping, source, target, &**sink).await?,
    };
    let (mut sent, mut left) = (0, Vec::new());
    for reject in &rejects {
        let Some(table) = origin(&plan, reject).and_then(|place| tables.get(&place)) else {
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
    load: Load,
}

/// The table of the plan that a rejected row came from: of those that go into one target, the one that has the chunk.
pub(crate) fn origin(plan: &Plan, reject: &RejectRecord) -> Option<usize> {
    let holds = |table: &TablePlan| table.chunks.chunks.iter().any(|chunk| chunk.id == reject.chunk);
    plan.tables.iter().position(|table| *table.target() == reject.table && holds(table))
}

/// Maps the source's tables, as the plan knows them, once more. Tables that rows go into must be what they are.
async fn remap(
    plan: &Plan,
    rejects: &[RejectRecord],
    mapping: &Mapping,
    source: &'static dyn Dialect,
    target: &'static dyn Dialect,
    sink: &dyn Sink,
) -> Result<HashMap<usize, Settled>> {
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
        tables: plan.source_tables().iter().map(natural).collect(),
        sequences: plan.sequences.iter().map(|one| one.source.clone()).collect(),
        problems: Vec::new(),
    };
    // Rules of tables that the run has left out say nothing here.
    let mut mapping = mapping.clone();
    mapping.tables.retain(|rule| catalog.tables.iter().any(|table| is_about(rule, &table.name)));
    let kinds = (Endpoint::parse(&plan.source.address)?.engine, Endpoint::parse(&plan.target.address)?.engine);
    let route = Route { source, source_name: kinds.0.name(), target, target_name: kinds.1.name(), target_server: sink.server() };
    let stand: Vec<ObjectName> =
        plan.tables.iter().filter(|table| table.mapped.columns.iter().any(decides)).map(|table| table.target().clone()).collect();
    let standing = sink.existing(&stand).await?;
    let proven = proven(plan);
    let options = MapOptions {
        schema: plan.choices.schema.as_deref(),
        now_us: plan.tables.first().map_or(0, |table| table.mapped.now_us),
        allow_empty: true,
        standing: &standing,
        proven: Some(&proven),
        ..MapOptions::default()
    };
    let mapped = mapping::map(&catalog, &mapping, options, route)?;
    if let Some(refusal) = mapping::refusals(&mapped.problems) {
        return Err(refusal);
    }
    let mut tables = HashMap::new();
    for place in rejects.iter().filter_map(|reject| origin(plan, reject)).collect::<BTreeSet<_>>() {
        let Some(planned) = plan.tables.get(place) else { continue };
        let same = |table: &&MappedTable| table.source.name == *planned.source() && table.target.name == *planned.target();
        let found = mapped.tables.iter().find(same);
        let mapped = found.filter(|table| same_shape(table, &planned.mapped)).ok_or_else(|| {
            let what = "the mapping makes another table than the one that stands in the target";
            Error::new(ErrorKind::Mapping, what).table(planned.target()).hint(
                "Leave its names, types, condition and masks as the run had them; only value policies and expressions may change",
            )
        })?;
        let mut read = ReadPlan::of(&mapped.source, mapped.read_columns(), &ChunkPlan::whole(0, 0), 1);
        read.keep_raw = true;
        let settled = Settled { mapped: mapped.clone(), read, transform: mapped.transform(None)?, load: planned.load.clone() };
        tables.insert(place, settled);
    }
    Ok(tables)
}

/// What the run's probe had proven, as far as it chose types: the same types are chosen once more.
fn proven(plan: &Plan) -> Proven {
    let mut proven = Proven::default();
    for table in &plan.tables {
        for column in table.mapped.columns.iter().filter(|column| column.computed.is_none()) {
            match (&column.from, &column.to) {
                (from, LogicalType::Bool) if from.is_integer() => proven.insert(table.source(), &column.source, Fact::ZeroOrOne),
                (LogicalType::Duration { .. }, LogicalType::Time { .. }) => {
                    proven.insert(table.source(), &column.source, Fact::TimeOfDay);
                }
                _ => {}
            }
        }
    }
    proven
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
    let unit =
        WorkUnit { run: record.run, read: table.read.clone(), chunk, target: reject.table.clone(), load: table.load.clone() };
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
    let groups = plan.groups();
    let whole = |group: &&Vec<usize>| group.iter().all(|place| accounts.get(*place).is_some_and(|account| account.left == 0));
    let complete: Vec<usize> = groups.iter().filter(whole).flatten().copied().collect();
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
    for group in groups.iter().filter(whole) {
        let entry = |place: usize| {
            let table = plan.tables.get(place)?;
            let (source, target) = (table.source().to_string(), table.target().to_string());
            report.tables.iter().position(|entry| entry.source == source && entry.target == target)
        };
        let entries: Vec<usize> = group.iter().filter_map(|place| entry(*place)).collect();
        // A difference that was found with the source at hand cannot be judged anew without it.
        if entries.len() < group.len() || entries.iter().any(|at| report.tables[*at].outcome == Outcome::Differs) {
            continue;
        }
        let Some(facts) = group.first().and_then(|lead| facts.get(*lead)) else { continue };
        let counted: Vec<Facts> =
            group.iter().map(|place| Facts { rows: Some(accounts[*place].read().rows), ..Facts::default() }).collect();
        let members: Vec<Member<'_>> = group
            .iter()
            .zip(&counted)
            .map(|(place, source)| Member { table: &plan.tables[*place].mapped, read: accounts[*place].read(), source })
            .collect();
        let stood = entries.first().and_then(|at| report.tables[*at].stood);
        let differences = merged::differences(&members, level, stood, facts);
        for ((place, at), differences) in group.iter().zip(&entries).zip(differences) {
            let account = &accounts[*place];
            let table = &plan.tables[*place];
            let entry = &mut report.tables[*at];
            let lead = group.first() == Some(place);
            let mut errors: Vec<String> = faults.get(table.target()).filter(|_| lead).cloned().unwrap_or_default();
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
    }
    merged::share_outcomes(&mut report.tables);
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
