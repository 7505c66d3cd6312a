//! Comparing again, later and independently: both sides are read, the source through the same mapping.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crate::config::{IfExists, ProbeLevel, Scope, Settings, VerifyLevel};
use crate::engine::{Budget, Sink, Source, registry};
use crate::error::Result;
use crate::model::{Digest, Losses, ObjectName};
use crate::plan::make::{Depth, make, now_us};
use crate::plan::{Plan, TablePlan};
use crate::progress::{Event, Phase, Progress};
use crate::report::{Outcome, PhaseReport, Report, ResourceReport, SchemaDifference, SchemaReport, Side, TableReport, resources};
use crate::transfer::stall::{Moves, quiet_patience, unless_stalled};
use crate::transfer::stop::Stop;

use super::compare::{self, Read};
use super::earlier::{self, Earlier, Stood};
use super::facts::{self, Asking, Facts};
use super::merged::{self, Member};
use super::parity;
use super::rejected::Rejected;

/// Compares source and target at `settings.verify`; changes neither.
///
/// # Errors
/// What the servers say, and `Mapping` when a table or a column is missing in the target. Differences are in the report.
pub async fn verify(
    settings: &Settings,
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    progress: Progress,
    stop: Stop,
) -> Result<Report> {
    let (moves, progress) = Moves::watch(progress);
    let work = Box::pin(compared(settings, Arc::clone(&source), Arc::clone(&sink), progress, stop));
    unless_stalled(work, quiet_patience(settings), &moves, &*source, &*sink).await
}

async fn compared(
    settings: &Settings,
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    progress: Progress,
    stop: Stop,
) -> Result<Report> {
    let started = Instant::now();
    progress.emit(Event::Phase { phase: Phase::Plan, steps: 0 });
    // As if rows were to be loaded into the tables that stand: each must be there, with every column.
    let mut standing =
        Settings { scope: Scope::DataOnly, if_exists: IfExists::Error, probe: ProbeLevel::Off, ..settings.clone() };
    // They are a run's affair, and a target that runs none can still be compared.
    standing.mapping.hooks.clear();
    let earlier = stop.unless_stopped(Earlier::read(settings.source.to_string(), &*sink)).await?;
    let now = earlier.now_us(&settings.target.to_string()).unwrap_or_else(now_us);
    let mut plan = stop.unless_stopped(make(&standing, &source, &sink, Depth::ToCompare, now)).await?;
    if let Some(refusal) = plan.refusal() {
        return Err(refusal);
    }
    check_key(&plan, &earlier)?;
    let dialect = registry::engine(settings.source.engine).dialect();
    let rejected = stop.unless_stopped(Rejected::read(&earlier, &plan, &*sink, dialect)).await?;
    let stood = stop.unless_stopped(earlier.stood(&plan, settings.verify, &*sink)).await?;
    let targets = plan.leads().into_iter().map(|place| plan.tables[place].target());
    let notes: Vec<_> = targets.filter_map(|target| stood.get(target)?.note(target)).collect();
    plan.problems.extend(notes);
    let run = earlier.newest(&settings.target.to_string()).map(|run| run.to_string()).unwrap_or_default();
    let planned = started.elapsed().as_secs_f64();
    progress.emit(Event::Started {
        run: run.clone(),
        source: plan.source.address.clone(),
        target: plan.target.address.clone(),
        tables: plan.tables.len(),
        estimated_rows: plan.estimated_rows(),
        estimated_bytes: plan.estimated_bytes(),
    });
    progress.emit(Event::Phase { phase: Phase::Verify, steps: 0 });
    let jobs = settings.effective_jobs();
    let asking = Asking {
        jobs,
        level: settings.verify,
        budget: Budget::new(settings.memory_bytes, jobs),
        hide_keys: settings.hide_keys,
        progress: progress.clone(),
        stop: stop.clone(),
    };
    let all: Vec<usize> = (0..plan.tables.len()).collect();

    let snapshot = stop.unless_stopped(source.snapshot(&plan.source_tables(), jobs)).await?;
    let mut source_facts = facts::of_source(&plan, &snapshot, &all, &asking).await?;
    if settings.verify >= VerifyLevel::Digest {
        source_facts = facts::digests_of_source(&plan, &snapshot, source_facts, &rejected, &asking).await?;
    }
    plan.problems.extend(rejected.notes(&plan, settings.verify >= VerifyLevel::Digest));
    let position = snapshot.position().cloned();
    let consistency: Vec<_> = plan.tables.iter().map(|table| snapshot.consistency(&table.mapped.source)).collect();
    snapshot.close().await?;
    // A phase of its own, so that what was read of the source is not taken for half of the target.
    progress.emit(Event::Phase { phase: Phase::Verify, steps: 0 });
    let read_back = stop.unless_stopped(sink.read_back(jobs)).await?;
    let target_facts = facts::of_target(&plan, &read_back, None, &all, &asking).await?;

    let targets: Vec<&ObjectName> = plan.leads().into_iter().map(|place| plan.tables[place].target()).collect();
    let known = earlier.schemas(&targets);
    let (known, not_compared) = parity::chosen(&known, &targets);
    let names: Vec<ObjectName> = known.iter().map(|schema| schema.table.name.clone()).collect();
    let found = stop.unless_stopped(sink.schemas(&names)).await?;
    let mut schema = SchemaReport { not_compared, ..parity::compare(known, &found) };
    let carried = earlier.sequences(&plan.sequences);
    let names: Vec<ObjectName> = carried.iter().map(|one| one.target.clone()).collect();
    let numbers = stop.unless_stopped(sink.sequences(&names)).await?;
    parity::compare_sequences(&mut schema, &carried.iter().collect::<Vec<_>>(), &numbers);
    let of_sequences = |one: &&SchemaDifference| carried.iter().any(|sequence| sequence.target.to_string() == one.table);
    let errors: Vec<String> = schema.differences.iter().filter(of_sequences).map(|one| one.what.clone()).collect();

    let read = |table: &TablePlan, one: &Facts| {
        let known = rejected.of(table);
        if settings.verify >= VerifyLevel::Digest {
            let rejected = known.map_or(0, |known| known.met());
            Read { rows: one.rows_read, digest: one.digest.unwrap_or_default(), losses: one.losses.clone(), rejected }
        } else {
            // The ledger is taken at its word: no row is looked at.
            let (rows, rejected) = (one.rows.unwrap_or_default(), known.map_or(0, |known| known.count()));
            let digest = Digest { rows: rows.saturating_sub(rejected), sum: 0 };
            Read { rows, digest, losses: Losses::default(), rejected }
        }
    };
    let mut together: HashMap<usize, Vec<String>> = HashMap::new();
    for group in plan.groups().into_iter().filter(|group| group.len() > 1) {
        let member = |place: &usize| {
            let source = &source_facts[*place];
            Member { table: &plan.tables[*place].mapped, read: read(&plan.tables[*place], source), source }
        };
        let members: Vec<Member<'_>> = group.iter().map(member).collect();
        let beside = stood.get(plan.tables[group[0]].target()).and_then(Stood::digest);
        let found = merged::differences(&members, settings.verify, beside, &target_facts[group[0]]);
        together.extend(group.iter().copied().zip(found));
    }
    let mut tables = Vec::new();
    let leads = plan.leads();
    for (place, table) in plan.tables.iter().enumerate() {
        let (one, two): (&Facts, &Facts) = (&source_facts[place], &target_facts[place]);
        let read = read(table, one);
        let beside = stood.get(table.target());
        let alone = !together.contains_key(&place);
        let mut errors = match (together.remove(&place), beside.and_then(Stood::digest)) {
            (Some(errors), _) => errors,
            (None, Some(stood)) => compare::differences_appended(&table.mapped, settings.verify, stood, &read, one, two),
            (None, None) => compare::differences(&table.mapped, settings.verify, &read, one, two),
        };
        let expected = read.digest.rows.saturating_add(beside.and_then(Stood::digest).unwrap_or_default().rows);
        if let Some(last) = errors.last_mut().filter(|_| alone && two.rows.is_some_and(|rows| rows > expected)) {
            last.push_str(&format!("\nhint: {}", earlier::hint(beside)));
        }
        if settings.verify == VerifyLevel::Rows && table.mapped.condition.as_ref().is_some_and(|condition| !condition.complete) {
            let name = table.source();
            errors = vec![format!(
                "the source cannot count the rows of `{name}` that its `where` lets through; compare with `--level digest`"
            )];
        }
        if leads.contains(&place) {
            let own = schema.differences.iter().filter(|one| one.table == table.target().to_string());
            errors.extend(own.map(|one| one.what.clone()));
        }
        tables.push(TableReport {
            source: table.source().to_string(),
            target: table.target().to_string(),
            rows: read.digest.rows,
            bytes: 0,
            seconds: 0.0,
            chunks: table.chunks.chunks.len(),
            consistency: consistency[place],
            digest: one.digest,
            stood: beside.and_then(Stood::digest),
            losses: read.losses,
            rejected: read.rejected,
            outcome: match (errors.is_empty(), settings.verify) {
                (false, _) => Outcome::Differs,
                (true, _) if read.rejected > 0 => Outcome::Rejected,
                (true, VerifyLevel::None) => Outcome::NotVerified,
                (true, _) => Outcome::Verified,
            },
            errors,
        });
    }
    merged::share_outcomes(&mut tables);
    let seconds = started.elapsed().as_secs_f64();
    progress.emit(Event::Finished { seconds });
    Ok(Report {
        command: "verify".into(),
        run,
        version: env!("CARGO_PKG_VERSION").into(),
        source: Side { address: plan.source.address.clone(), server: plan.source.server.to_string() },
        target: Side { address: plan.target.address.clone(), server: plan.target.server.to_string() },
        seconds,
        phases: vec![
            PhaseReport { phase: "plan".into(), seconds: planned },
            PhaseReport { phase: "verify".into(), seconds: seconds - planned },
        ],
        position,
        instants: Vec::new(),
        verify: settings.verify,
        exit_code: u8::from(
            !errors.is_empty() || tables.iter().any(|table| matches!(table.outcome, Outcome::Differs | Outcome::Rejected)),
        ),
        proven: compare::sentence(settings.verify, &tables) + &parity::sentence(Some(&schema)),
        tables,
        schema: Some(schema),
        resources: Some(ResourceReport {
            memory_bytes: settings.memory_bytes,
            peak_resident_bytes: resources::peak_resident_bytes(),
            ..ResourceReport::default()
        }),
        hooks: Vec::new(),
        problems: plan.problems,
        errors,
    })
}

/// Refuses a key that is not the one of the run which brought the rows: with another, every masked value differs, and proves nothing.
fn check_key(plan: &Plan, earlier: &Earlier) -> Result<()> {
    if !plan.needs_key() {
        return Ok(());
    }
    let masked = |plan: &Plan, name: &ObjectName| {
        let mut columns = plan.tables.iter().filter(|table| table.target() == name).flat_map(|table| &table.mapped.columns);
        columns.any(|column| column.mask.as_ref().is_some_and(|mask| mask.kind.needs_key()))
    };
    for name in plan.tables.iter().map(TablePlan::target).filter(|name| masked(plan, name)) {
        // The newest run that brought the table. A plan of another version tells nothing; then the digests tell.
        let brought = earlier.plans().find(|stored| stored.tables.iter().any(|table| table.target() == name));
        if let Some(brought) = brought.filter(|brought| masked(brought, name)) {
            brought.clone().unlock(&plan.choices).map_err(|error| error.table(name))?;
        }
    }
    Ok(())
}
