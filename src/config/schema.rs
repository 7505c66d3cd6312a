//! The JSON schemas of both files: for editors, and for the checks of [`crate::config::document`].
//!
//! Draft 7, since that is what the TOML plug-ins of editors read.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::config::file::ConfigFile;
use crate::config::rules::Mapping;

/// The schema of the config file.
pub fn config_schema() -> Value {
    of::<ConfigFile>()
}

/// The schema of the mapping file.
pub fn mapping_schema() -> Value {
    of::<Mapping>()
}

/// A schema as it stands in `configs/`: indented, with a line end.
pub fn text(schema: &Value) -> String {
    format!("{schema:#}\n")
}

fn of<T: JsonSchema>() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value()
}
