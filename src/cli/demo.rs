//! `dbferry demo`: a sample shop in SQLite, carried into Parquet files; no server needed.
//!
//! Nothing here is special to the demo but the making of the sample: `dbferry run` on its file does the same.

use crate::config::Settings;
use crate::config::endpoint::Endpoint;
use crate::engine::EngineKind;
use crate::error::{Error, ErrorKind, Result};
use crate::model::RunId;
use crate::transfer::choose::Resume;

use super::args::{DemoArgs, OutputArgs};
use super::printer::Printer;
use super::run;

/// Makes the sample, carries it, prints the report.
pub async fn demo(args: &DemoArgs, output: &OutputArgs, printer: &Printer) -> Result<u8> {
    let dir = args.dir.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("dbferry-demo-{}", RunId::generate())));
    std::fs::create_dir_all(&dir).map_err(|error| Error::from(error).file(dir.display()))?;
    let (shop, folder) = (dir.join("shop.db"), dir.join("parquet"));
    if shop.exists() || folder.exists() {
        return Err(Error::new(ErrorKind::TargetExists, "a demo was made there before")
            .file(dir.display())
            .hint("Choose another folder with `--dir`, or remove this one"));
    }
    let rows = args.rows.unwrap_or(crate::demo::DEFAULT_ROWS);
    printer.note(&format!("making a sample shop of {} rows in {}", crate::report::human::count(u64::from(rows)), shop.display()));
    let path = shop.clone();
    tokio::task::spawn_blocking(move || crate::demo::build(&path, rows))
        .await
        .map_err(|panic| Error::internal("the sample could not be made").with_source(panic))??;
    let endpoint = |engine, path: &std::path::Path| Endpoint::parse(&format!("{engine}://{}", path.display()));
    let settings = Settings::new(endpoint(EngineKind::Sqlite.name(), &shop)?, endpoint(EngineKind::Parquet.name(), &folder)?);
    let code = run::carry(settings, None, Resume::No, None, output, printer).await?;
    printer.note(&format!("the sample is {}, its Parquet files are in {}", shop.display(), folder.display()));
    printer.note(&format!("the same by hand: dbferry run sqlite://{} parquet://OTHER_FOLDER", shop.display()));
    Ok(code)
}
