//! The command line's definitions. No work is done here; [`crate::cli::overrides`] makes settings of them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::config::load::AddressText;
use crate::config::{IfExists, OnMovedSource, ProbeLevel, TargetTables, VerifyLevel};
use crate::progress::ProgressMode;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "dbferry",
    version,
    about = "Carries whole databases between engines and proves that nothing was lost",
    after_help = "SOURCE and TARGET are URLs:\n  \
                  mysql://user:password@host:3306/database    mariadb://…\n  \
                  postgres://user:password@host:5432/database\n  \
                  sqlite://file    parquet://folder\n\
                  A password belongs in the environment: 'mysql://user:${NAME}@host/database' (in single quotes).\n\n\
                  Exit codes: 0 done and verified · 1 rows or tables did not arrive, or differ · 2 could not start, nothing was changed · \
                  3 stopped midway, --resume continues · 130, 143 interrupted, --resume continues",
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How to talk about it.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// Help, version or a usage error: hand it to [`crate::cli::printer::Printer::usage`].
    pub fn read(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, clap::Error> {
        let cli = Cli::try_parse_from(arguments)?;
        // clap checks conflicts per level, so it does not see `dbferry -q run -v`.
        if cli.output.quiet && cli.output.verbose > 0 {
            let text = "the argument '--quiet' cannot be used with '--verbose'";
            return Err(Cli::command().error(clap::error::ErrorKind::ArgumentConflict, text));
        }
        Ok(cli)
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Carry a sample SQLite shop into Parquet files and verify it; needs no server.
    Demo(DemoArgs),
    /// Show what a run would do: tables, types and why, statements, sizes, problems. Changes nothing.
    ///
    /// Ends with 1 when a problem would refuse the run; with --diff only when the other mapping brings it.
    Plan(PlanArgs),
    /// Say all that is known of a column or a table: what it becomes and why, what its values are checked for, what is compared. Changes
    /// nothing.
    ///
    /// Ends with 1 when a problem of it would refuse the run.
    Explain(ExplainArgs),
    /// Create, copy, index, constrain and verify.
    Run(RunArgs),
    /// Compare source and target again, reading both. Changes nothing.
    Verify(VerifyArgs),
    /// Show the runs that the target's ledger knows, and how far they are.
    Status(StatusArgs),
    /// Show the report of a run from the target's ledger.
    Report(ReportArgs),
    /// List the rows that a run has rejected, or export them.
    Rejects(RejectsArgs),
    /// Send the rows that a run has rejected again, under a corrected mapping, and verify the run as a whole.
    RetryRejects(RetryArgs),
    /// Give up an unfinished run: drop the tables that it has made, put back what it has set aside, forget it.
    Abandon(AbandonArgs),
    /// Write a commented config and mapping file for a live source.
    Init(InitArgs),
    /// Check a config or mapping file without any server: every fault, with its place.
    Check {
        /// The file.
        file: PathBuf,
    },
    /// Print the completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// How to talk about the work. Data goes to stdout, everything else to stderr.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How to show progress, on stderr; auto is bars on a terminal and plain lines elsewhere.
    #[arg(long, global = true, value_enum, value_name = "HOW", default_value_t)]
    pub progress: ProgressMode,
    /// Say nothing but errors and what was asked for.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more; twice for every statement. RUST_LOG chooses in detail.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

/// How a plan or a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    #[default]
    Text,
    /// For machines; what `run --plan` takes.
    Json,
    /// The statements that the target would get.
    Sql,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

/// The files that settings come from.
#[derive(Debug, Clone, Default, Args)]
pub struct FileArgs {
    /// Config file with source, target and settings; flags win over it.
    #[arg(short, long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Both ends.
#[derive(Debug, Clone, Default, Args)]
pub struct EndArgs {
    /// URL of the source, unless the config file has it.
    pub source: Option<AddressText>,
    /// URL of the target, unless the config file has it.
    pub target: Option<AddressText>,
    /// Carry all databases of the source's server that match this shell pattern; may be given several times. Its URL then names none:
    /// mysql://user@host/. Each goes into a schema of its own name.
    #[arg(long, value_name = "GLOB", help_heading = "What is carried")]
    pub database: Vec<String>,
}

/// Which tables.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What is carried")]
pub struct TableArgs {
    /// Mapping file: what becomes of names, types and values.
    #[arg(short, long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// Carry only tables that match this shell pattern; may be given several times [default: all].
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Leave out tables that match this shell pattern; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Put tables into this schema of the target; created when missing [default: the target's own, public in PostgreSQL; of several
    /// databases, that of the database's name].
    #[arg(long, value_name = "NAME")]
    pub schema: Option<String>,
    /// A filter that matches no table is a success.
    #[arg(long)]
    pub allow_empty: bool,
}

/// How hard to push.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "How hard to push")]
pub struct ForceArgs {
    /// Chunks at the same time, 1 to 256 [default: the smaller of 8 and the cores].
    #[arg(short, long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Bound for all data buffers together, at least 64MiB [default: 512MiB].
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Most source data in a second, over all jobs, at least 64KiB: 50MiB [default: no bound].
    #[arg(long, value_name = "SIZE")]
    pub max_rate: Option<String>,
    /// Seconds that a run waits while nothing moves and no server is busy for it; 0 waits without end [default: 300].
    #[arg(long, value_name = "SECONDS")]
    pub stall_timeout: Option<u32>,
    /// How long a chunk is tried again when what stopped it may pass: a lost connection, a server that restarts [default: 10min].
    #[arg(long, value_name = "TIME")]
    pub retry_for: Option<String>,
    /// Source data per chunk and transaction, at least 1MiB [default: 64MiB].
    #[arg(long, value_name = "SIZE")]
    pub chunk: Option<String>,
}

/// The ledger, and what may be shown.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Ledger and messages")]
pub struct LedgerArgs {
    /// Keep the ledger in this schema of the target [default: dbferry].
    #[arg(long, value_name = "NAME")]
    pub ledger_schema: Option<String>,
    /// Mask the keys of rows in messages and reports.
    #[arg(long)]
    pub hide_keys: bool,
}

/// What is made in the target.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What is made in the target")]
pub struct TargetArgs {
    /// Make the target's tables, or load into tables that stand already [default: create].
    #[arg(long, value_enum, value_name = "WHICH")]
    pub tables: Option<TargetTables>,
    /// What to do with a target table that exists; drop never cascades [default: error].
    #[arg(long, value_enum, value_name = "WHAT")]
    pub if_exists: Option<IfExists>,
    /// Make the tables without a log of their own until they are loaded: faster, but such a run cannot be resumed.
    #[arg(long)]
    pub unlogged: bool,
    /// Make no statistics of the tables at the end: their planner knows nothing of them until ANALYZE or autovacuum has run.
    #[arg(long)]
    pub no_analyze: bool,
    /// Rows that are looked at before anything moves: all, the first of each table, none [default: full].
    #[arg(long, value_enum, value_name = "HOW")]
    pub probe: Option<ProbeLevel>,
    /// What is compared at the end: nothing, counts by both databases, also an independent re-read, also column profiles
    /// [default: digest].
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub verify: Option<VerifyLevel>,
    /// The role that is to own what is created [default: the user who connects].
    #[arg(long, value_name = "ROLE")]
    pub owner: Option<String>,
    /// Only tables, keys and indexes; no rows.
    #[arg(long)]
    pub schema_only: bool,
    /// Only rows, into tables that stand already: the short form of --tables existing.
    #[arg(long)]
    pub data_only: bool,
}

/// `dbferry demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Folder for the sample and the Parquet files [default: a new one under the system's temporary folder].
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Rows of the sample, all tables together [default: 500000].
    #[arg(long, value_name = "N")]
    pub rows: Option<u32>,
}

/// `dbferry plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Both ends.
    #[command(flatten)]
    pub ends: EndArgs,
    /// The config file.
    #[command(flatten)]
    pub files: FileArgs,
    /// How to print the plan, or with --diff the differences (text or json).
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: PlanFormat,
    /// Say what this other mapping file would change in the target, compared with the run's. Ends with 0 whether there are
    /// differences or not, and with 1 when the other mapping brings a problem that would refuse the run.
    #[arg(long, value_name = "OTHER.toml", conflicts_with = "out")]
    pub diff: Option<PathBuf>,
    /// Also store the plan in this file, as JSON, for run --plan.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Which tables.
    #[command(flatten)]
    pub tables: TableArgs,
    /// What is made in the target.
    #[command(flatten)]
    pub made: TargetArgs,
    /// How hard to push.
    #[command(flatten)]
    pub force: ForceArgs,
    /// The ledger, and what may be shown.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `dbferry explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// URLs of source and target, unless the config file has them, and the table (orders) or column (orders.total), in the names of the
    /// source or of the target.
    #[arg(required = true, num_args = 1..=3, value_names = ["SOURCE", "TARGET", "TABLE.COLUMN"])]
    pub words: Vec<AddressText>,
    /// The databases of the source's server, as for a run.
    #[arg(long, value_name = "GLOB", help_heading = "What is carried")]
    pub database: Vec<String>,
    /// The config file.
    #[command(flatten)]
    pub files: FileArgs,
    /// How to print the explanation.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: ReportFormat,
    /// Which tables.
    #[command(flatten)]
    pub tables: TableArgs,
    /// What is made in the target.
    #[command(flatten)]
    pub made: TargetArgs,
    /// How hard to push.
    #[command(flatten)]
    pub force: ForceArgs,
    /// The ledger, and what may be shown.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

impl ExplainArgs {
    /// The name of what is to be explained.
    pub fn asked(&self) -> Option<&str> {
        self.words.iter().find_map(AddressText::as_name)
    }

    /// Both ends, in the order in which they were given.
    pub fn ends(&self) -> EndArgs {
        let mut addresses = self.words.iter().filter(|word| word.as_name().is_none()).cloned();
        EndArgs { source: addresses.next(), target: addresses.next(), database: self.database.clone() }
    }
}

/// `dbferry run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Both ends.
    #[command(flatten)]
    pub ends: EndArgs,
    /// The config file.
    #[command(flatten)]
    pub files: FileArgs,
    /// Execute this stored plan exactly; refused if either side has changed since.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Go on with the unfinished run, or with the one that is named (--resume=RUN, as status shows it); with nothing to go on, start.
    #[arg(long, value_name = "RUN", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub resume: Option<String>,
    /// When a run goes on and the source has changed since it began: compare what is there with it and carry again what differs, or
    /// stop [default: recheck].
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_moved_source: Option<OnMovedSource>,
    /// Also write the report to this file (.json).
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Fail at the end when the mapping's value policies have lost more values than this [default: no bound].
    #[arg(long, value_name = "N")]
    pub max_loss: Option<u64>,
    /// Which tables.
    #[command(flatten)]
    pub tables: TableArgs,
    /// What is made in the target.
    #[command(flatten)]
    pub made: TargetArgs,
    /// How hard to push.
    #[command(flatten)]
    pub force: ForceArgs,
    /// The ledger, and what may be shown.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `dbferry verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Both ends.
    #[command(flatten)]
    pub ends: EndArgs,
    /// The config file.
    #[command(flatten)]
    pub files: FileArgs,
    /// What is compared: counts by both databases, also every row by digest, also column profiles [default: digest].
    #[arg(long, value_name = "LEVEL", value_parser = verify_level())]
    pub level: Option<VerifyLevel>,
    /// Also write the report to this file (.json).
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Which tables.
    #[command(flatten)]
    pub tables: TableArgs,
    /// How hard to push.
    #[command(flatten)]
    pub force: ForceArgs,
    /// The ledger, and what may be shown.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `dbferry status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// URL of the target, unless the config file has it.
    pub target: Option<AddressText>,
    /// The config file.
    #[command(flatten)]
    pub files: FileArgs,
    /// The ledger, and what may be shown.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `dbferry report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// The run, as status shows it.
    pub run: String,
    /// URL of the target, unless the config file has it.
    pub target: Option<AddressText>,
    /// The config file.
    #[command(flatten)]
    pub files: FileArgs,
    /// How to print the report.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    pub format: ReportFormat,
    /// The ledger, and what may be shown.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `dbferry rejects`.
#[derive(Debug, Clone, Args)]
pub struct RejectsArgs {
    /// The run, as status shows it [default: the newest].
    pub run: Option<AddressText>,
    /// URL of the target, unless the config file has it.
    pub target: Option<AddressText>,
    /// The config file.
    #[command(flatten)]
    pub files: FileArgs,
    /// Write them, complete, to this file (.json or .parquet).
    #[arg(long, value_name = "FILE")]
    pub export: Option<PathBuf>,
    /// The ledger, and what may be shown.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `dbferry retry-rejects`.
#[derive(Debug, Clone, Args)]
pub struct RetryArgs {
    /// The run, as status shows it.
    pub run: String,
    /// URL of the target, unless the config file has it.
    pub target: Option<AddressText>,
    /// The config file.
    #[command(flatten)]
    pub files: FileArgs,
    /// The corrected mapping file [default: that of the config file, or the run's own mapping].
    #[arg(short, long, value_name = "FILE")]
    pub mapping: Option<PathBuf>,
    /// Also write the report to this file (.json).
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// The ledger, and what may be shown.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `dbferry abandon`.
#[derive(Debug, Clone, Args)]
pub struct AbandonArgs {
    /// The run, as status shows it.
    pub run: String,
    /// URL of the target, unless the config file has it.
    pub target: Option<AddressText>,
    /// The config file.
    #[command(flatten)]
    pub files: FileArgs,
    /// Do it; otherwise only say what would be done.
    #[arg(long)]
    pub yes: bool,
    /// The ledger, and what may be shown.
    #[command(flatten)]
    pub ledger: LedgerArgs,
}

/// `dbferry init`.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// URL of the source, unless the config file has it.
    pub source: Option<AddressText>,
    /// The config file.
    #[command(flatten)]
    pub files: FileArgs,
    /// Folder for the two files; files that exist are never overwritten.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// List all databases of the server that match this shell pattern; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub database: Vec<String>,
    /// List only tables that match this shell pattern; may be given several times [default: all].
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Leave out tables that match this shell pattern; may be given several times.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
}

/// The levels that `verify` can compare at: all but `none`.
fn verify_level() -> impl TypedValueParser<Value = VerifyLevel> {
    PossibleValuesParser::new(["rows", "digest", "full"]).try_map(|word| VerifyLevel::from_str(&word, false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load::Overrides;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(std::iter::once("dbferry").chain(line.split_whitespace()))
    }

    #[test]
    fn the_definitions_fit_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_run_becomes_overrides() {
        let line = "run mysql://u:secret@h/a postgres://h/b -c x.toml -m y.toml --include a* --include b --exclude c --schema s \
                    --jobs 3 --memory 1GiB --chunk 2MiB --if-exists append --verify full --owner o --ledger-schema l \
                    --schema-only --allow-empty --hide-keys --resume --report r.json --plan p.json --progress json -vv";
        let cli = read(line).unwrap();
        assert!(!format!("{cli:?}").contains("secret"));
        assert_eq!((cli.output.progress, cli.output.verbose), (ProgressMode::Json, 2));
        let Command::Run(args) = &cli.command else { panic!("not a run") };
        assert!(args.resume.is_some() && args.plan.is_some() && args.report.is_some());
        let overrides = Overrides::from(args);
        assert_eq!(overrides.source, Some(AddressText::new("mysql://u:secret@h/a")));
        assert_eq!(overrides.target, Some(AddressText::new("postgres://h/b")));
        assert_eq!((overrides.include.len(), overrides.exclude.len(), overrides.jobs), (2, 1, Some(3)));
        assert_eq!((overrides.memory.as_deref(), overrides.chunk.as_deref()), (Some("1GiB"), Some("2MiB")));
        assert_eq!((overrides.if_exists, overrides.verify), (Some(IfExists::Append), Some(VerifyLevel::Full)));
        assert_eq!((overrides.owner.as_deref(), overrides.ledger_schema.as_deref()), (Some("o"), Some("l")));
        assert_eq!((overrides.schema.as_deref(), overrides.schema_only, overrides.data_only), (Some("s"), true, false));
        assert!(overrides.allow_empty && overrides.hide_keys && overrides.config.is_some() && overrides.mapping.is_some());
    }

    #[test]
    fn every_command_reads_its_arguments() {
        for line in [
            "demo",
            "demo --dir d --rows 7",
            "plan -c f --format sql --out p.json",
            "plan a b -m m.toml --diff n.toml --format json",
            "verify a b --level rows",
            "explain orders.total -c f --format json",
            "explain mysql://h/a postgres://h/b orders --probe off",
            "status",
            "status postgres://h/b",
            "report 0198 -c f --format json",
            "rejects -c f",
            "rejects 0198 postgres://h/b --export r.parquet",
            "retry-rejects 0198 postgres://h/b -m m.toml",
            "abandon 0198 postgres://h/b --yes",
            "run a b --resume=0198",
            "init mysql://h/a --dir d --include x*",
            "check mapping.toml",
            "completions bash",
            "-q run a b",
        ] {
            assert!(read(line).is_ok(), "{line}: {:?}", read(line).err().map(|error| error.to_string()));
        }
        let Command::Verify(args) = read("verify a b --level rows").unwrap().command else { panic!("not a verify") };
        assert_eq!(Overrides::from(&args).verify, Some(VerifyLevel::Rows));
    }

    #[test]
    fn usage_errors_have_exit_code_2() {
        for line in [
            "",
            "fly",
            "run a b c",
            "run --jobs x",
            "run -q -v",
            "-q run -v",
            "verify --level none",
            "run --verify all",
            "report",
        ] {
            let error = read(line).map(|cli| format!("{cli:?}")).expect_err(line);
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.use_stderr(), "{line}");
        }
        for line in ["--help", "run --help", "--version"] {
            let error = read(line).expect_err(line);
            assert_eq!((error.exit_code(), error.use_stderr()), (0, false), "{line}");
        }
    }
}
