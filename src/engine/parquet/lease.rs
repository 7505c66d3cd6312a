//! The lease of a run: a lock of the operating system on a file of the run's folder. It goes with the process that has it, however that
//! ends, so a run that was killed is taken over at once; and nobody can take it from one that lives.
//!
//! On a file system that several machines share the lock is as good as that file system's locks. Where there are none, a second coordinator
//! is not noticed, and a warning says so.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::connect::{Folder, make_dir};
use super::error::io;
use super::ledger::now_us;
use crate::error::Result;
use crate::ledger::lease::{Holder, Living, refused, taken_over};
use crate::model::RunId;
use crate::report::human;

/// How long a lock may be had by somebody who only looks who has it.
const LOOKING: Duration = Duration::from_millis(500);

/// Who holds the run, for whoever is refused.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    holder: uuid::Uuid,
    host: String,
    pid: u32,
    since_us: i64,
}

/// The lock that this process has.
#[derive(Debug, Clone, Default)]
pub struct Leases(Arc<Mutex<Option<(RunId, File)>>>);

fn path(folder: &Folder, run: RunId) -> PathBuf {
    folder.run(run).join("lease")
}

impl Leases {
    /// Takes the lease.
    ///
    /// # Errors
    /// `Ledger` while another one lives.
    pub fn take(&self, folder: &Folder, run: RunId, holder: &Holder) -> Result<()> {
        let path = path(folder, run);
        make_dir(&folder.run(run))?;
        let cannot = |error| io(error, "the lease of the run cannot be taken", &path);
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(cannot)?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if began.elapsed() < LOOKING => std::thread::sleep(LOOKING / 50),
                Err(TryLockError::WouldBlock) => {
                    return Err(match read(&mut file, &path)? {
                        Some(by) => refused(run, &by),
                        None => taken_over(run, None),
                    });
                }
                Err(TryLockError::Error(error)) => {
                    tracing::warn!(%error, "this file system has no locks: a second run into the same folder at the same time is not noticed");
                    break;
                }
            }
        }
        let told = Told { holder: holder.id, host: holder.host.clone(), pid: holder.pid, since_us: now_us() };
        let json = serde_json::to_vec(&told).unwrap_or_default();
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&json)).map_err(cannot)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((run, file));
        Ok(())
    }

    /// Gives it back, if this process has it.
    pub fn give_back(&self, run: RunId) -> Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The file stays: whoever waits for its lock would have that of a file without a name otherwise.
        if let Some((_, file)) = held.take_if(|(held, _)| *held == run) {
            file.set_len(0).and_then(|()| file.unlock())?;
        }
        Ok(())
    }
}

/// Who holds the lease of a run at this moment; none when nobody does.
pub fn living(folder: &Folder, run: RunId) -> Result<Option<Living>> {
    let path = path(folder, run);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error, "the lease of the run cannot be read", &path)),
    };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read(&mut file, &path),
        // Free, or there are no locks; ours goes with the file.
        _ => Ok(None),
    }
}

/// What the holder has written. One that has the lock is there at this moment: it counts as having renewed its lease just now.
fn read(file: &mut File, path: &Path) -> Result<Option<Living>> {
    let mut text = String::new();
    file.rewind()
        .and_then(|()| file.read_to_string(&mut text))
        .map_err(|error| io(error, "the lease of the run cannot be read", path))?;
    let told: Option<Told> = serde_json::from_str(&text).ok();
    Ok(told.map(|told| Living {
        host: told.host,
        pid: i64::from(told.pid),
        since: human::utc(told.since_us).trim_end_matches(" UTC").to_string(),
        renewed_us: now_us(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::endpoint::Endpoint;

    #[test]
    fn a_lease_is_one_processs_until_it_is_given_back() {
        let here = tempfile::tempdir().unwrap();
        let at = Endpoint::parse(&format!("parquet://{}", here.path().display())).unwrap();
        let folder = Folder::open(&at, "dbferry").unwrap();
        let (run, holder) = (RunId::generate(), Holder::this_process());
        let (first, second) = (Leases::default(), Leases::default());
        assert_eq!(living(&folder, run).unwrap(), None);
        first.take(&folder, run, &holder).unwrap();
        let by = living(&folder, run).unwrap().unwrap();
        assert_eq!((by.pid, by.host.as_str()), (i64::from(holder.pid), holder.host.as_str()));
        let error = second.take(&folder, run, &holder).unwrap_err().to_string();
        assert!(error.contains("is being worked on"), "{error}");
        // Another run is nobody's.
        second.take(&folder, RunId::generate(), &holder).unwrap();
        first.give_back(run).unwrap();
        assert_eq!(living(&folder, run).unwrap(), None);
        second.take(&folder, run, &holder).unwrap();
        drop(second);
        assert_eq!(living(&folder, run).unwrap(), None);
    }
}
