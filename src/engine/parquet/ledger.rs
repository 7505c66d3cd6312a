//! The ledger over files. Receipts are the parts themselves; here are the plan, the end and the marks.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::connect::{Folder, list, make_dir, write_unfinished};
use super::error::{blocking, io};
use super::lease::{self, Leases};
use super::{names, part};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::lease::{Holder, Living};
use crate::ledger::{Ledger, RunRecord, RunState};
use crate::model::unit::Receipt;
use crate::model::{ObjectName, RunId};

/// The ledger of a folder.
#[derive(Debug, Clone)]
pub struct ParquetLedger {
    folder: Folder,
    leases: Leases,
}

/// What changes of a run after its start.
#[derive(Debug, Serialize, Deserialize)]
struct End {
    state: RunState,
    updated_us: i64,
    report: serde_json::Value,
}

impl ParquetLedger {
    /// The ledger in `folder`.
    pub fn new(folder: Folder) -> Self {
        ParquetLedger { folder, leases: Leases::default() }
    }
}

pub(super) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_micros()).ok()).unwrap_or_default()
}

fn to_json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|error| Error::internal("the ledger's entry has no JSON form").with_source(error))
}

/// The content of a file of the ledger; none when it does not exist.
fn from_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(io(error, "the ledger cannot be read", path)),
    };
    let parsed = serde_json::from_slice(&bytes);
    parsed
        .map(Some)
        .map_err(|error| Error::new(ErrorKind::Ledger, "the ledger's file is broken").with_source(error).file(path.display()))
}

fn unknown(run: RunId) -> Error {
    Error::new(ErrorKind::Ledger, format!("the run {run} is not in this folder's ledger"))
}

#[async_trait]
impl Ledger for ParquetLedger {
    async fn prepare(&self) -> Result<()> {
        let folder = self.folder.clone();
        blocking(move || {
            make_dir(folder.ledger())?;
            folder.clean()
        })
        .await
    }

    async fn start(&self, run: &RunRecord) -> Result<()> {
        let (folder, id, json) = (self.folder.clone(), run.run, to_json(run)?);
        blocking(move || {
            folder.clean()?;
            let plan = write_unfinished(&folder.unfinished(id), &json)?;
            if plan.place(&folder.run(id).join("plan.json"))? {
                return Ok(());
            }
            Err(Error::new(ErrorKind::Ledger, format!("the run {id} is in this folder's ledger already")))
        })
        .await
    }

    async fn finish(&self, run: RunId, state: RunState, report: &serde_json::Value) -> Result<()> {
        let json = to_json(&End { state, updated_us: now_us(), report: report.clone() })?;
        let folder = self.folder.clone();
        blocking(move || {
            if !folder.run(run).join("plan.json").is_file() {
                return Err(unknown(run));
            }
            write_unfinished(&folder.unfinished(run), &json)?.replace(&folder.run(run).join("state.json"))
        })
        .await
    }

    async fn runs(&self) -> Result<Vec<RunRecord>> {
        let folder = self.folder.clone();
        blocking(move || {
            let mut runs = Vec::new();
            for path in list(folder.ledger())? {
                let Some(mut run) = from_json::<RunRecord>(&path.join("plan.json"))? else { continue };
                if path != folder.run(run.run) {
                    return Err(Error::new(ErrorKind::Ledger, "the plan of another run lies here").file(path.display()));
                }
                if let Some(end) = from_json::<End>(&path.join("state.json"))? {
                    run.state = end.state;
                    run.updated_us = end.updated_us;
                    run.report = Some(end.report).filter(|report| !report.is_null());
                }
                runs.push(run);
            }
            runs.sort_by_key(|run| std::cmp::Reverse((run.started_us, run.run)));
            Ok(runs)
        })
        .await
    }

    async fn receipts(&self, run: RunId) -> Result<Vec<Receipt>> {
        let folder = self.folder.clone();
        blocking(move || {
            let mut receipts = Vec::new();
            for table in folder.tables()? {
                let parts = part::of_table(&folder, &table)?;
                receipts.extend(parts.into_iter().filter(|part| part.run == run).map(|part| part.receipt));
            }
            Ok(receipts)
        })
        .await
    }

    async fn mark(&self, run: RunId, table: &ObjectName, phase: &str) -> Result<()> {
        let json = to_json(&(table, phase))?;
        // The phase first: its length is ours, and the table's folder is within what a file system can hold.
        let name = format!("{}.{}", names::encode(phase), names::table_folder(table));
        let folder = self.folder.clone();
        blocking(move || {
            let marks = folder.run(run).join("marks");
            make_dir(&marks)?;
            write_unfinished(&folder.unfinished(run), &json)?.replace(&marks.join(name))
        })
        .await
    }

    async fn marks(&self, run: RunId) -> Result<Vec<(ObjectName, String)>> {
        let folder = self.folder.clone();
        blocking(move || {
            let mut marks = Vec::new();
            for path in list(&folder.run(run).join("marks"))? {
                marks.extend(from_json::<(ObjectName, String)>(&path)?);
            }
            marks.sort();
            Ok(marks)
        })
        .await
    }

    async fn living(&self, run: RunId) -> Result<Option<Living>> {
        let folder = self.folder.clone();
        blocking(move || lease::living(&folder, run)).await
    }

    async fn hold(&self, run: RunId, holder: &Holder) -> Result<()> {
        let (folder, leases, holder) = (self.folder.clone(), self.leases.clone(), holder.clone());
        blocking(move || leases.take(&folder, run, &holder)).await
    }

    async fn release(&self, run: RunId) -> Result<()> {
        let leases = self.leases.clone();
        blocking(move || leases.give_back(run)).await
    }
}
