//! `dbferry init`: a commented config and mapping file for a live source.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::config::environment::process_environment;
use crate::config::load::{self, Overrides};
use crate::config::{DEFAULT_LEDGER_SCHEMA, init as texts};
use crate::engine::{SessionOptions, TableFilter, registry};
use crate::error::{Error, ErrorKind, Result};
use crate::model::RunId;

use super::args::InitArgs;
use super::printer::Printer;

/// Writes both files; existing ones are never overwritten.
pub async fn init(args: &InitArgs, printer: &mut Printer) -> Result<u8> {
    let source = load::source(&Overrides::from(args), &process_environment)?;
    printer.keep_secret(&source);
    let filter = TableFilter::new(&args.include, &args.exclude)?;
    let options = SessionOptions {
        application_name: format!("dbferry/{}", RunId::generate()),
        jobs: 1,
        ledger_schema: DEFAULT_LEDGER_SCHEMA.into(),
    };
    let catalog = registry::engine(source.engine).open_source(&source, &options).await?.catalog(&filter).await?;
    std::fs::create_dir_all(&args.dir).map_err(|error| Error::from(error).file(args.dir.display()))?;
    let (config, mapping) = (args.dir.join("dbferry.toml"), args.dir.join("mapping.toml"));
    for path in [&config, &mapping] {
        if path.exists() {
            return Err(Error::new(ErrorKind::TargetExists, "the file exists and is not overwritten")
                .file(path.display())
                .hint("Choose another folder with `--dir`, or move the file away"));
        }
    }
    write(&mapping, &texts::mapping_text(&catalog))?;
    write(&config, &texts::config_text(&source, None, "mapping.toml"))?;
    printer.note(&format!("wrote {} and {} for {} tables", config.display(), mapping.display(), catalog.tables.len()));
    printer.note(&format!("next: name the target in {}, then `dbferry plan -c {0}`", config.display()));
    Ok(super::DONE)
}

fn write(path: &Path, text: &str) -> Result<()> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| Error::from(error).file(path.display()))?;
    file.write_all(text.as_bytes()).map_err(|error| Error::from(error).file(path.display()))
}
