//! Flags over file over defaults, made into [`Settings`]; every fault of every part in one go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::document::{self, Document};
use crate::config::endpoint::Endpoint;
use crate::config::environment::{self, Environment};
use crate::config::file::ConfigFile;
use crate::config::login::Login;
use crate::config::rules::Mapping;
use crate::config::{
    DEFAULT_LEDGER_SCHEMA, IfExists, Loading, OnMovedSource, ProbeLevel, Scope, Settings, TargetTables, VerifyLevel, hooks,
    limits, schema,
};
use crate::error::{Error, ErrorKind, Result};

/// What the command line says; nothing means that the file, or else the default, decides.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The config file.
    pub config: Option<PathBuf>,
    /// The mapping file, from the working directory.
    pub mapping: Option<PathBuf>,
    /// Address of the source.
    pub source: Option<AddressText>,
    /// Address of the target.
    pub target: Option<AddressText>,
    /// Patterns of the source's databases; if there are any, they replace those of the file.
    pub databases: Vec<String>,
    /// Patterns of tables to carry; if there are any, they replace those of the file.
    pub include: Vec<String>,
    /// Patterns of tables to leave out; if there are any, they replace those of the file.
    pub exclude: Vec<String>,
    /// The target schema.
    pub schema: Option<String>,
    /// Chunks at the same time.
    pub jobs: Option<usize>,
    /// Upper bound for data buffers, as text with a unit.
    pub memory: Option<String>,
    /// Most source data in a second, as text with a unit.
    pub max_rate: Option<String>,
    /// Source data per chunk, as text with a unit.
    pub chunk: Option<String>,
    /// What to do with a target table that exists.
    pub if_exists: Option<IfExists>,
    /// Whether the run makes the target's tables.
    pub tables: Option<TargetTables>,
    /// Seconds that a run waits while nothing moves.
    pub stall_timeout: Option<u32>,
    /// How long work is tried again, as text with a unit.
    pub retry_for: Option<String>,
    /// Tables are made without a log, and get one after the load.
    pub unlogged: bool,
    /// No statistics are made.
    pub no_analyze: bool,
    /// How much of the data is looked at before it moves.
    pub probe: Option<ProbeLevel>,
    /// What is compared at the end.
    pub verify: Option<VerifyLevel>,
    /// Most values that value policies may lose.
    pub max_loss: Option<u64>,
    /// What to do when a run goes on and the source has changed since.
    pub on_moved_source: Option<OnMovedSource>,
    /// The role that is to own what is created.
    pub owner: Option<String>,
    /// The schema of the ledger.
    pub ledger_schema: Option<String>,
    /// No rows.
    pub schema_only: bool,
    /// Only rows.
    pub data_only: bool,
    /// A filter that matches no table is a success.
    pub allow_empty: bool,
    /// Mask keys in messages and reports.
    pub hide_keys: bool,
}

/// An address as it was typed, which may hold a password: never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct AddressText(String);

impl AddressText {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        AddressText(text.into())
    }

    /// The text, if it is no address: the digits of a run.
    pub fn as_run(&self) -> Option<&str> {
        (!self.0.contains("://")).then_some(self.0.as_str())
    }

    /// The text, if it is no address but a name: no URL, and no reference to one.
    pub fn as_name(&self) -> Option<&str> {
        (!self.0.contains("://") && !self.0.contains("${")).then_some(self.0.as_str())
    }

    /// The address with its references resolved, as [`environment::expand_address`] does it.
    fn resolve(&self, name: &str, environment: &Environment<'_>) -> Result<Endpoint, Vec<Error>> {
        let text = environment::expand_address(&self.0, environment).map_err(|unresolved| {
            document::unresolved_faults(unresolved).into_iter().map(|error| error.file(name)).collect::<Vec<_>>()
        })?;
        Endpoint::parse(&text).map_err(|error| vec![error.file(name)])
    }
}

impl std::fmt::Debug for AddressText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("****")
    }
}

impl std::str::FromStr for AddressText {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(AddressText::new(text))
    }
}

/// A run, decided in full. Reads the files; opens no connection.
///
/// # Errors
/// `Config`: every fault of flags, config file and mapping file as one error (see [`Error::also`]).
pub fn settings(overrides: &Overrides, environment: &Environment<'_>) -> Result<Settings> {
    let mut faults = Vec::new();
    let read = Read::new(overrides, environment, &[], &mut faults);
    let source = read.source(overrides, environment, &mut faults);
    let target = read.target(overrides, environment, &mut faults);
    let mapping = read.mapping(overrides, environment, &mut faults);
    let run = &read.file.run;

    let if_exists = overrides.if_exists.or(run.if_exists).unwrap_or_default();
    let loading = keep(Loading::of(run.target_triggers, run.target_foreign_keys, run.target_indexes), &mut faults);
    let jobs = overrides.jobs.map(|jobs| keep(limits::check_jobs("`--jobs`", jobs), &mut faults).unwrap_or(jobs));
    let memory = size_flag("--memory", overrides.memory.as_deref(), limits::MIN_MEMORY_BYTES, &mut faults);
    let max_rate = size_flag("--max-rate", overrides.max_rate.as_deref(), limits::MIN_RATE_BYTES, &mut faults);
    let chunk = size_flag("--chunk", overrides.chunk.as_deref(), limits::MIN_CHUNK_BYTES, &mut faults);
    let retry_for = overrides
        .retry_for
        .as_deref()
        .and_then(|text| keep(limits::parse_duration(text).map_err(|error| error.file("--retry-for")), &mut faults));
    let unlogged = overrides.unlogged || run.unlogged;
    let verify = overrides.verify.or(run.verify).unwrap_or_default();
    if unlogged && verify == VerifyLevel::None {
        let what = "`unlogged` tables are empty after a crash of the target, which nobody would notice without a verification";
        faults.push(Error::new(ErrorKind::Config, what).hint("Leave out `unlogged`, or let `verify` be `rows` or more"));
    }
    let patterns = [("--include", &overrides.include), ("--exclude", &overrides.exclude), ("--database", &overrides.databases)];
    for (flag, patterns) in patterns {
        for pattern in patterns {
            if let Err(why) = document::check_glob(pattern) {
                faults.push(document::glob_fault(pattern, &why).file(flag));
            }
        }
    }
    for (flag, value) in
        [("--schema", &overrides.schema), ("--owner", &overrides.owner), ("--ledger-schema", &overrides.ledger_schema)]
    {
        if value.as_deref() == Some("") {
            faults.push(Error::new(ErrorKind::Config, format!("`{flag}` is empty")).hint("Give it a name, or leave it out"));
        }
    }
    let scope = scope(overrides, run.tables, &mut faults);
    if scope == Scope::DataOnly && if_exists == IfExists::Drop {
        let what = "tables that stand already cannot be dropped and loaded: nothing would make them again";
        faults.push(Error::new(ErrorKind::Config, what).hint("Choose `--if-exists truncate`, or let the run make the tables"));
    }
    if let Some(error) = Error::many(faults) {
        return Err(error);
    }
    let (Some(source), Some(target)) = (source, target) else {
        return Err(Error::internal("an address is missing without a fault"));
    };
    let defaults = Settings::new(source, target);
    let lists = |flags: &[String], file: &[String]| if flags.is_empty() { file.to_vec() } else { flags.to_vec() };
    Ok(Settings {
        schema: overrides.schema.clone().or_else(|| read.file.target.schema.clone()),
        include: lists(&overrides.include, &run.include),
        exclude: lists(&overrides.exclude, &run.exclude),
        jobs: jobs.or(run.jobs),
        memory_bytes: memory.or(run.memory.map(|size| size.0)).unwrap_or(defaults.memory_bytes),
        max_rate_bytes: max_rate.or(run.max_rate.map(|size| size.0)),
        pause: run.pause,
        chunk_bytes: chunk.or(run.chunk.map(|size| size.0)).unwrap_or(defaults.chunk_bytes),
        stall_timeout: overrides
            .stall_timeout
            .or(run.stall_timeout)
            .map_or(defaults.stall_timeout, |seconds| Duration::from_secs(seconds.into())),
        retry_for: retry_for.or(run.retry_for.map(|patience| patience.0)).unwrap_or(defaults.retry_for),
        unlogged,
        analyze: !overrides.no_analyze && run.analyze.unwrap_or(defaults.analyze),
        probe: overrides.probe.or(run.probe).unwrap_or_default(),
        toast_compression: run.toast_compression,
        verify,
        verify_named: overrides.verify.or(run.verify).is_some(),
        if_exists,
        loading: loading.unwrap_or_default(),
        on_table_error: run.on_table_error.unwrap_or_default(),
        on_error: run.on_error.unwrap_or_default(),
        on_moved_source: overrides.on_moved_source.or(run.on_moved_source).unwrap_or_default(),
        max_rejects: run.max_rejects.unwrap_or(defaults.max_rejects),
        max_loss: overrides.max_loss.or(run.max_loss),
        scope,
        owner: overrides.owner.clone().or_else(|| run.owner.clone()),
        ledger_schema: read.ledger_schema(overrides),
        allow_empty: overrides.allow_empty || run.allow_empty,
        hide_keys: overrides.hide_keys,
        mapping,
        ..defaults
    })
}

/// Which parts of the work are done. `--data-only` is the short form of `--tables existing`; flags win over the file.
fn scope(overrides: &Overrides, file: Option<TargetTables>, faults: &mut Vec<Error>) -> Scope {
    let tables = match (overrides.data_only, overrides.tables) {
        (true, None | Some(TargetTables::Existing)) => TargetTables::Existing,
        (true, Some(TargetTables::Create)) => {
            faults.push(
                Error::new(ErrorKind::Config, "`--data-only` makes no tables, and `--tables create` makes them")
                    .hint("Leave out one of the two"),
            );
            TargetTables::Existing
        }
        // What only the file says gives way to `--schema-only`.
        (false, None) if overrides.schema_only => TargetTables::Create,
        (false, chosen) => chosen.or(file).unwrap_or_default(),
    };
    match (overrides.schema_only, tables) {
        (false, TargetTables::Create) => Scope::All,
        (true, TargetTables::Create) => Scope::SchemaOnly,
        (false, TargetTables::Existing) => Scope::DataOnly,
        (true, TargetTables::Existing) => {
            let flag = if overrides.data_only { "--data-only" } else { "--tables existing" };
            faults.push(
                Error::new(ErrorKind::Config, format!("`--schema-only` and `{flag}` together leave nothing to do"))
                    .hint("Leave out both to carry the schema and the rows"),
            );
            Scope::All
        }
    }
}

/// Only the source, for commands that need no target.
///
/// # Errors
/// `Config`, as for [`settings`].
pub fn source(overrides: &Overrides, environment: &Environment<'_>) -> Result<Endpoint> {
    let mut faults = Vec::new();
    let read = Read::new(overrides, environment, &["/target/url"], &mut faults);
    let source = read.source(overrides, environment, &mut faults);
    all_or(faults, source)
}

/// Only the target and the schema of its ledger, for commands that need no source.
///
/// # Errors
/// `Config`, as for [`settings`].
pub fn target(overrides: &Overrides, environment: &Environment<'_>) -> Result<(Endpoint, String)> {
    let mut faults = Vec::new();
    let read = Read::new(overrides, environment, &["/source/url"], &mut faults);
    let target = read.target(overrides, environment, &mut faults);
    let ledger_schema = read.ledger_schema(overrides);
    all_or(faults, target.map(|target| (target, ledger_schema)))
}

/// The mapping file that is named, by a flag or by the config file; none when none is.
///
/// # Errors
/// `Config`: every fault of the files as one error.
pub fn chosen_mapping(overrides: &Overrides, environment: &Environment<'_>) -> Result<Option<Mapping>> {
    let mut faults = Vec::new();
    let read = Read::new(overrides, environment, &["/source/url", "/target/url"], &mut faults);
    let named = overrides.mapping.is_some() || read.mapping.is_some();
    let mapping = read.mapping(overrides, environment, &mut faults);
    all_or(faults, Some(named.then_some(mapping)))
}

/// A mapping file.
///
/// # Errors
/// `Config`: every fault of the file as one error.
pub fn mapping(path: &Path, environment: &Environment<'_>) -> Result<Mapping> {
    let mut faults = Vec::new();
    let mapping = read_mapping(path, environment, &mut faults);
    all_or(faults, Some(mapping))
}

/// A mapping from its text, for the rules that are built in. `file` is its name for people.
///
/// # Errors
/// `Config`: every fault of the text as one error.
pub fn mapping_from_text(file: &str, text: &str, environment: &Environment<'_>) -> Result<Mapping> {
    let mut faults = Vec::new();
    let mapping = check_mapping(file, text, environment, &mut faults);
    all_or(faults, Some(mapping))
}

/// Checks the file name of a report before the run.
///
/// # Errors
/// `Config`, for anything but `.json`.
pub fn report_file(path: &Path) -> Result<()> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Ok(()),
        Some("html") => Err(Error::new(ErrorKind::Config, format!("the report `{}`: HTML is not available yet", path.display()))
            .hint("Write `--report FILE.json`")),
        _ => Err(Error::new(ErrorKind::Config, format!("the report `{}` has no known format", path.display()))
            .hint("Write `--report FILE.json`")),
    }
}

fn all_or<T>(faults: Vec<Error>, value: Option<T>) -> Result<T> {
    match (Error::many(faults), value) {
        (Some(error), _) => Err(error),
        (None, Some(value)) => Ok(value),
        (None, None) => Err(Error::internal("a value is missing without a fault")),
    }
}

fn keep<T>(result: Result<T>, faults: &mut Vec<Error>) -> Option<T> {
    result.map_err(|error| faults.push(error)).ok()
}

fn size_flag(flag: &str, text: Option<&str>, least: u64, faults: &mut Vec<Error>) -> Option<u64> {
    let bytes = keep(limits::parse_size(text?).map_err(|error| error.file(flag)), faults)?;
    keep(limits::check_size(&format!("`{flag}`"), bytes, least), faults)
}

/// The config file, as far as it can be used.
struct Read {
    file: ConfigFile,
    /// The file had faults, so what seems to be missing may be there.
    faulty: bool,
    /// Path of the mapping as the file names it, from the working directory.
    mapping: Option<PathBuf>,
}

impl Read {
    /// `unused` are the JSON pointers of what the command has no use for. Addresses that are given as arguments are added.
    fn new(overrides: &Overrides, environment: &Environment<'_>, unused: &[&str], faults: &mut Vec<Error>) -> Self {
        let nothing = |faulty| Read { file: ConfigFile::default(), faulty, mapping: None };
        let Some(path) = &overrides.config else { return nothing(false) };
        let Some(text) = read_text(path, "config file", faults) else { return nothing(true) };
        let typed = [("/source/url", &overrides.source), ("/target/url", &overrides.target)];
        let typed = typed.into_iter().filter(|(_, address)| address.is_some()).map(|(pointer, _)| pointer);
        let unused: Vec<&str> = unused.iter().copied().chain(typed).collect();
        let checked = Document::check(&path.display().to_string(), &text, &schema::config_schema(), environment, &unused);
        let folder = path.parent().unwrap_or(Path::new(""));
        let mapping = checked.text_at("/run/mapping").map(|mapping| folder.join(mapping));
        match checked.into() {
            Ok(file) => Read { file, faulty: false, mapping },
            Err(found) => {
                faults.extend(found);
                Read { mapping, ..nothing(true) }
            }
        }
    }

    fn source(&self, overrides: &Overrides, environment: &Environment<'_>, faults: &mut Vec<Error>) -> Option<Endpoint> {
        let section = &self.file.source;
        let file = section.url.as_ref().map(|address| &address.0);
        let login = self.login(overrides, "source", &section.password_command, &section.password_file, faults);
        let source = self.endpoint("source", overrides.source.as_ref(), file, environment, faults)?;
        let (typed, filed) = (&overrides.databases, &section.databases);
        // An address that was typed and names a database goes before the file's choice of databases.
        let unused = overrides.source.is_some() && !source.database.is_empty();
        let patterns = if !typed.is_empty() || unused { typed } else { filed };
        let place = Self::place("SOURCE", overrides.source.is_some(), overrides);
        let source = Endpoint { login, ..source };
        keep(source.choosing(patterns).map_err(|error| error.file(place)), faults)
    }

    fn target(&self, overrides: &Overrides, environment: &Environment<'_>, faults: &mut Vec<Error>) -> Option<Endpoint> {
        let section = &self.file.target;
        let file = section.url.as_ref().map(|address| &address.0);
        let login = self.login(overrides, "target", &section.password_command, &section.password_file, faults);
        let target = self.endpoint("target", overrides.target.as_ref(), file, environment, faults)?;
        let place = Self::place("TARGET", overrides.target.is_some(), overrides);
        let target = Endpoint { login, ..target };
        keep(target.choosing(&[]).map_err(|error| error.file(place)), faults)
    }

    fn login(
        &self,
        overrides: &Overrides,
        section: &str,
        command: &Option<String>,
        file: &Option<String>,
        faults: &mut Vec<Error>,
    ) -> Login {
        match (command, file) {
            (None, None) => Login::Address,
            (Some(command), None) => Login::Command(command.clone()),
            (None, Some(file)) => {
                let folder = overrides.config.as_ref().and_then(|path| path.parent()).unwrap_or(Path::new(""));
                Login::File(folder.join(file))
            }
            (Some(_), Some(_)) => {
                let what = format!("`[{section}]` has both `password_command` and `password_file`");
                faults.push(Error::new(ErrorKind::Config, what).hint("Leave one of them out"));
                Login::Address
            }
        }
    }

    /// Where an address stands.
    fn place(argument: &str, typed: bool, overrides: &Overrides) -> String {
        let file = overrides.config.as_ref().filter(|_| !typed);
        file.map_or_else(|| argument.to_string(), |file| file.display().to_string())
    }

    fn endpoint(
        &self,
        section: &str,
        typed: Option<&AddressText>,
        file: Option<&Endpoint>,
        environment: &Environment<'_>,
        faults: &mut Vec<Error>,
    ) -> Option<Endpoint> {
        let argument = section.to_uppercase();
        if let Some(typed) = typed {
            return typed.resolve(&argument, environment).map_err(|found| faults.extend(found)).ok();
        }
        if file.is_none() && !self.faulty {
            faults.push(
                Error::new(ErrorKind::Config, format!("no {section} is given"))
                    .hint(format!("Give {argument} as a URL, or name a file with `-c FILE` that has `url` under `[{section}]`")),
            );
        }
        file.cloned()
    }

    fn mapping(&self, overrides: &Overrides, environment: &Environment<'_>, faults: &mut Vec<Error>) -> Mapping {
        let path = overrides.mapping.as_ref().or(self.mapping.as_ref());
        path.map(|path| read_mapping(path, environment, faults)).unwrap_or_default()
    }

    fn ledger_schema(&self, overrides: &Overrides) -> String {
        let chosen = overrides.ledger_schema.clone().or_else(|| self.file.run.ledger_schema.clone());
        chosen.unwrap_or_else(|| DEFAULT_LEDGER_SCHEMA.into())
    }
}

fn read_mapping(path: &Path, environment: &Environment<'_>, faults: &mut Vec<Error>) -> Mapping {
    let Some(text) = read_text(path, "mapping file", faults) else { return Mapping::default() };
    check_mapping(&path.display().to_string(), &text, environment, faults)
}

fn check_mapping(file: &str, text: &str, environment: &Environment<'_>, faults: &mut Vec<Error>) -> Mapping {
    let checked = Document::check(file, text, &schema::mapping_schema(), environment, &[]);
    let lines = checked.lines();
    let line = |pointer: String| lines.get(&pointer).copied().unwrap_or_default();
    match checked.into::<Mapping>() {
        Ok(mut mapping) => {
            mapping.file = file.into();
            mapping.types.iter_mut().enumerate().for_each(|(at, rule)| rule.line = line(format!("/type/{at}")));
            mapping.renames.iter_mut().enumerate().for_each(|(at, rule)| rule.line = line(format!("/rename/{at}")));
            mapping.masking.line = line("/masking".into());
            for (at, rule) in mapping.tables.iter_mut().enumerate() {
                rule.line = line(format!("/table/{at}"));
                for (name, column) in &mut rule.columns {
                    column.line = line(format!("/table/{at}/columns/{}", document::pointer_part(name)));
                }
            }
            for (at, hook) in mapping.hooks.iter_mut().enumerate() {
                hook.line = line(format!("/hook/{at}"));
            }
            faults.extend(mapping.faults());
            hooks::read_files(&mut mapping.hooks, file, faults);
            mapping
        }
        Err(found) => {
            faults.extend(found);
            Mapping::default()
        }
    }
}

fn read_text(path: &Path, what: &str, faults: &mut Vec<Error>) -> Option<String> {
    let result = std::fs::read_to_string(path).map_err(|error| {
        Error::new(ErrorKind::Config, format!("the {what} cannot be read"))
            .file(path.display())
            .with_source(error)
            .hint("Check the path, and that the file may be read; `dbferry init SOURCE` writes a new one")
    });
    keep(result, faults)
}
