//! Comparing again, later and independently: both sides are read, the source through the same mapping.

use std::sync::Arc;
use std::time::Instant;

use crate::config::{IfExists, Scope, Settings, VerifyLevel};
use crate::engine::{Sink, Source};
use crate::error::Result;
use crate::ledger::RunState;
use crate::model::{Digest, Losses, ObjectName};
use crate::plan::make::{Depth, make, now_us};
use crate::plan::{Plan, TablePlan};
use crate::progress::{Event, Phase, Progress};
use crate::report::{Outcome, PhaseReport, Report, Side, TableReport};
use crate::transfer::run::batch_bytes;
use crate::transfer::stop::Stop;

use super::compare::{self, Read};
use super::facts::{self, Asking, Facts};

/// What `now()` was when the target was made: when the newest finished run between the same two databases began.
async fn start_of_last_run(settings: &Settings, sink: &Arc<dyn Sink>) -> Result<i64> {
    let (source, target) = (settings.source.to_string(), settings.target.to_string());
    let runs = sink.ledger().runs().await?;
    let last = runs.into_iter().find(|run| run.source == source && run.target == target && run.state != RunState::Running);
    let plan: Option<Plan> = last.and_then(|run| serde_json::from_value(run.plan).ok());
    Ok(plan.and_then(|plan| Some(plan.tables.first()?.mapped.now_us)).unwrap_or_else(now_us))
}

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
    let started = Instant::now();
    progress.emit(Event::Phase { phase: Phase::Plan, steps: 0 });
    // As if rows were to be loaded into the tables that stand: each must be there, with every column.
    let mut standing = Settings { scope: Scope::DataOnly, if_exists: IfExists::Error, ..settings.clone() };
    // They are a run's affair, and a target that runs none can still be compared.
    standing.mapping.hooks.clear();
    let plan =
        stop.unless_stopped(make(&standing, &source, &sink, Depth::Full, start_of_last_run(settings, &sink).await?)).await?;
    if let Some(refusal) = plan.refusal() {
        return Err(refusal);
    }
    check_key(&plan, &*sink).await?;
    let planned = started.elapsed().as_secs_f64();
    progress.emit(Event::Started {
        run: String::new(),
        source: plan.source.address.clone(),
        target: plan.target.address.clone(),
        tables: plan.tables.len(),
        estimated_rows: plan.estimated_rows(),
        estimated_bytes: plan.estimated_bytes(),
    });
    progress.emit(Event::Phase { phase: Phase::Verify, steps: plan.tables.len() });
    let jobs = settings.effective_jobs();
    let asking = Asking {
        jobs,
        level: settings.verify,
        batch_bytes: batch_bytes(settings.memory_bytes, jobs),
        hide_keys: settings.hide_keys,
        progress: progress.clone(),
        stop: stop.clone(),
    };
    let all: Vec<usize> = (0..plan.tables.len()).collect();

    let sources: Vec<_> = plan.tables.iter().map(|table| table.mapped.source.clone()).collect();
    let snapshot = stop.unless_stopped(source.snapshot(&sources, jobs)).await?;
    let mut source_facts = facts::of_source(&plan, &snapshot, &all, &asking).await?;
    if settings.verify >= VerifyLevel::Digest {
        source_facts = facts::digests_of_source(&plan, &snapshot, source_facts, &asking).await?;
    }
    let position = snapshot.position().cloned();
    let consistency: Vec<_> = sources.iter().map(|table| snapshot.consistency(table)).collect();
    snapshot.close().await?;
    // A phase of its own, so that what was read of the source is not taken for half of the target.
    progress.emit(Event::Phase { phase: Phase::Verify, steps: plan.tables.len() });
    let read_back = stop.unless_stopped(sink.read_back(jobs)).await?;
    let target_facts = facts::of_target(&plan, &read_back, None, &all, &asking).await?;

    let mut tables = Vec::new();
    for (place, table) in plan.tables.iter().enumerate() {
        let (one, two): (&Facts, &Facts) = (&source_facts[place], &target_facts[place]);
        let read = if settings.verify >= VerifyLevel::Digest {
            Read { rows: one.rows_read, digest: one.digest.unwrap_or_default(), losses: one.losses.clone(), rejected: 0 }
        } else {
            let rows = one.rows.unwrap_or_default();
            Read { rows, digest: Digest { rows, sum: 0 }, losses: Losses::default(), rejected: 0 }
        };
        let mut errors = compare::differences(&table.mapped, settings.verify, &read, one, two);
        if settings.verify == VerifyLevel::Rows && table.mapped.condition.as_ref().is_some_and(|condition| !condition.complete) {
            let name = table.source();
            errors = vec![format!(
                "the source cannot count the rows of `{name}` that its `where` lets through; compare with `--level digest`"
            )];
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
            stood: None,
            losses: read.losses,
            rejected: 0,
            outcome: match (errors.is_empty(), settings.verify) {
                (false, _) => Outcome::Differs,
                (true, VerifyLevel::None) => Outcome::NotVerified,
                (true, _) => Outcome::Verified,
            },
            errors,
        });
    }
    let seconds = started.elapsed().as_secs_f64();
    progress.emit(Event::Finished { seconds });
    Ok(Report {
        command: "verify".into(),
        run: String::new(),
        version: env!("CARGO_PKG_VERSION").into(),
        source: Side { address: plan.source.address.clone(), server: plan.source.server.to_string() },
        target: Side { address: plan.target.address.clone(), server: plan.target.server.to_string() },
        seconds,
        phases: vec![
            PhaseReport { phase: "plan".into(), seconds: planned },
            PhaseReport { phase: "verify".into(), seconds: seconds - planned },
        ],
        position,
        verify: settings.verify,
        exit_code: u8::from(tables.iter().any(|table| table.outcome == Outcome::Differs)),
        proven: compare::sentence(settings.verify, &tables),
        tables,
        hooks: Vec::new(),
        problems: plan.problems,
        errors: Vec::new(),
    })
}

/// Refuses a key that is not the one of the run which brought the rows: with another, every masked value differs, and proves nothing.
async fn check_key(plan: &Plan, sink: &dyn Sink) -> Result<()> {
    if !plan.needs_key() {
        return Ok(());
    }
    let masked = |plan: &Plan, name: &ObjectName| {
        let mut columns = plan.tables.iter().filter(|table| table.target() == name).flat_map(|table| &table.mapped.columns);
        columns.any(|column| column.mask.as_ref().is_some_and(|mask| mask.kind.needs_key()))
    };
    let runs = sink.ledger().runs().await?;
    // A plan of another version tells nothing; then the digests tell.
    let stored: Vec<Plan> = runs.into_iter().filter_map(|run| serde_json::from_value(run.plan).ok()).collect();
    for name in plan.tables.iter().map(TablePlan::target).filter(|name| masked(plan, name)) {
        // The newest run that brought the table.
        let brought = stored.iter().find(|stored| stored.tables.iter().any(|table| table.target() == name));
        if let Some(brought) = brought.filter(|brought| masked(brought, name)) {
            brought.clone().unlock(&plan.choices).map_err(|error| error.table(name))?;
        }
    }
    Ok(())
}
