//! `dbferry check`: the faults of a config or mapping file, without any server.

use std::path::Path;

use crate::config::environment::process_environment;
use crate::config::load::{self, Overrides};
use crate::config::rules::Mapping;
use crate::engine::registry;
use crate::error::{Error, Result};
use crate::mapping::offline;
use crate::model::EngineKind;

use super::printer::Printer;

/// Keys that only a config file has.
const CONFIG_KEYS: [&str; 3] = ["source", "target", "run"];

/// Checks a file; a config file with the mapping that it names.
pub fn check(file: &Path, printer: &Printer) -> Result<u8> {
    if is_config(file) {
        let settings = load::settings(&Overrides { config: Some(file.into()), ..Overrides::default() }, &process_environment)?;
        by_itself(&settings.mapping, &[settings.target.engine])?;
        let mapping = if settings.mapping.file.is_empty() { String::new() } else { format!(", and {}", settings.mapping.file) };
        printer.note(&format!("{} is a config file without faults{mapping}", file.display()));
    } else {
        let mapping = load::mapping(file, &process_environment)?;
        // Where its rows go is not known: a type that any target has will do.
        by_itself(&mapping, &[EngineKind::Postgres, EngineKind::Parquet])?;
        let (types, tables) = (mapping.types.len(), mapping.tables.len());
        printer.note(&format!(
            "{} is a mapping file without faults: rules by type: {types}, by table: {tables}; whether the source has what they name, \
             `dbferry plan` tells",
            file.display()
        ));
    }
    Ok(super::DONE)
}

/// What is wrong with the mapping whatever the source holds: expressions, and types that none of `targets` has.
fn by_itself(mapping: &Mapping, targets: &[EngineKind]) -> Result<()> {
    let dialects: Vec<_> = targets.iter().map(|target| registry::engine(*target).dialect()).collect();
    Error::many(offline::faults(mapping, &dialects)).map_or(Ok(()), Err)
}

/// What cannot be read is taken for a mapping: then the loader tells of it.
fn is_config(file: &Path) -> bool {
    let table = std::fs::read_to_string(file).ok().and_then(|text| text.parse::<toml::Table>().ok());
    table.is_some_and(|table| CONFIG_KEYS.iter().any(|key| table.contains_key(*key)))
}
