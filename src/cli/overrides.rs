//! From the command line's arguments to what they override in the config file.

use crate::cli::args::{
    AbandonArgs, EndArgs, ExplainArgs, FileArgs, ForceArgs, InitArgs, LedgerArgs, PlanArgs, RejectsArgs, ReportArgs, RetryArgs,
    RunArgs, StatusArgs, TableArgs, TargetArgs, VerifyArgs,
};
use crate::config::load::{AddressText, Overrides};

impl From<&PlanArgs> for Overrides {
    fn from(args: &PlanArgs) -> Self {
        with_made(settings(&args.ends, &args.files, &args.tables, &args.force, &args.ledger), &args.made)
    }
}

impl From<&ExplainArgs> for Overrides {
    fn from(args: &ExplainArgs) -> Self {
        with_made(settings(&args.ends(), &args.files, &args.tables, &args.force, &args.ledger), &args.made)
    }
}

impl From<&RunArgs> for Overrides {
    fn from(args: &RunArgs) -> Self {
        let overrides = with_made(settings(&args.ends, &args.files, &args.tables, &args.force, &args.ledger), &args.made);
        Overrides { max_loss: args.max_loss, on_moved_source: args.on_moved_source, ..overrides }
    }
}

impl From<&VerifyArgs> for Overrides {
    fn from(args: &VerifyArgs) -> Self {
        Overrides { verify: args.level, ..settings(&args.ends, &args.files, &args.tables, &args.force, &args.ledger) }
    }
}

impl From<&StatusArgs> for Overrides {
    fn from(args: &StatusArgs) -> Self {
        at_target(&args.files, args.target.as_ref(), &args.ledger)
    }
}

impl From<&ReportArgs> for Overrides {
    fn from(args: &ReportArgs) -> Self {
        at_target(&args.files, args.target.as_ref(), &args.ledger)
    }
}

impl From<&RejectsArgs> for Overrides {
    fn from(args: &RejectsArgs) -> Self {
        // Without a run, the address comes first.
        let first = args.run.as_ref().filter(|run| run.as_run().is_none());
        at_target(&args.files, args.target.as_ref().or(first), &args.ledger)
    }
}

impl From<&RetryArgs> for Overrides {
    fn from(args: &RetryArgs) -> Self {
        Overrides { mapping: args.mapping.clone(), ..at_target(&args.files, args.target.as_ref(), &args.ledger) }
    }
}

impl From<&AbandonArgs> for Overrides {
    fn from(args: &AbandonArgs) -> Self {
        at_target(&args.files, args.target.as_ref(), &args.ledger)
    }
}

impl From<&InitArgs> for Overrides {
    fn from(args: &InitArgs) -> Self {
        Overrides {
            config: args.files.config.clone(),
            source: args.source.clone(),
            databases: args.database.clone(),
            include: args.include.clone(),
            exclude: args.exclude.clone(),
            ..Overrides::default()
        }
    }
}

fn settings(ends: &EndArgs, files: &FileArgs, tables: &TableArgs, force: &ForceArgs, ledger: &LedgerArgs) -> Overrides {
    Overrides {
        config: files.config.clone(),
        mapping: tables.mapping.clone(),
        source: ends.source.clone(),
        target: ends.target.clone(),
        databases: ends.database.clone(),
        include: tables.include.clone(),
        exclude: tables.exclude.clone(),
        schema: tables.schema.clone(),
        jobs: force.jobs,
        memory: force.memory.clone(),
        max_rate: force.max_rate.clone(),
        chunk: force.chunk.clone(),
        stall_timeout: force.stall_timeout,
        retry_for: force.retry_for.clone(),
        ledger_schema: ledger.ledger_schema.clone(),
        allow_empty: tables.allow_empty,
        hide_keys: ledger.hide_keys,
        ..Overrides::default()
    }
}

fn with_made(overrides: Overrides, made: &TargetArgs) -> Overrides {
    Overrides {
        if_exists: made.if_exists,
        unlogged: made.unlogged,
        no_analyze: made.no_analyze,
        tables: made.tables,
        probe: made.probe,
        verify: made.verify,
        owner: made.owner.clone(),
        schema_only: made.schema_only,
        data_only: made.data_only,
        ..overrides
    }
}

fn at_target(files: &FileArgs, target: Option<&AddressText>, ledger: &LedgerArgs) -> Overrides {
    Overrides {
        config: files.config.clone(),
        target: target.cloned(),
        ledger_schema: ledger.ledger_schema.clone(),
        hide_keys: ledger.hide_keys,
        ..Overrides::default()
    }
}
