//! Files that people write.

use crate::config::document::Document;
use crate::config::file::ConfigFile;
use crate::config::{load, schema};
use crate::engine::registry::engine;
use crate::mapping::offline;
use crate::model::EngineKind;

/// Mapping files to begin with.
pub(super) const MAPPINGS: &[&[u8]] = &[
    include_bytes!("../../mappings/mysql-to-postgres.toml"),
    include_bytes!("../../mappings/shop.toml"),
    b"[naming]\ntables = \"snake_case\"\n[[rename]]\ncolumns = \"(.*)_id\"\nto = \"$1Key\"\nin = \"shop_order*\"\n",
    b"[[table]]\nname = \"a\"\nwhere = \"b > 1 and c like 'x%'\"\non_error = \"reject\"\n[table.columns]\nd = { expr = \"upper(e) || 'x'\", to = \"text\" }\nf = { zero_date = \"null\", nullable = true }\n",
    b"[masking]\nkey = \"${KEY}\"\n[[hook]]\nat = \"before\"\nsql = \"select 1\"\n[objects]\nenum = \"text\"\n",
];

/// Config files to begin with.
pub(super) const CONFIGS: &[&[u8]] = &[
    include_bytes!("../../configs/shop.toml"),
    b"[source]\nurl = \"mysql://a:${B}@c:1/d?ssl-mode=required\"\n[target]\nurl = \"postgres:///x\"\n[run]\nchunk = \"1MiB\"\njobs = 3\n",
];

fn environment(name: &str) -> Option<String> {
    (name != "MISSING").then(|| format!("value of {name}"))
}

/// Any text is a mapping or a list of faults, and so is what its expressions and types are checked for.
pub fn mapping(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mapping = match load::mapping_from_text("m.toml", text, &environment) {
        Ok(mapping) => mapping,
        Err(error) => return drop(error.to_string()),
    };
    let dialects = [EngineKind::Postgres, EngineKind::Parquet].map(|kind| engine(kind).dialect());
    for error in offline::faults(&mapping, &dialects) {
        let _ = error.to_string();
    }
}

/// Any text is a config file or a list of faults.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let document = Document::check("c.toml", text, &schema::config_schema(), &environment, &[]);
    let _ = document.text_at("/run/mapping");
    match document.into::<ConfigFile>() {
        Ok(_) => {}
        Err(faults) => faults.iter().for_each(|fault| drop(fault.to_string())),
    }
}
