//! The folder that is the database: where things are in it, and changes to it that survive a crash.
//!
//! ```text
//! out/orders/part-000000.parquet       a part: rows and receipt in one, visible only when complete
//! out/_dbferry/<run>/plan.json         the run and its plan, written once before the first part
//! out/_dbferry/<run>/state.json        how it ended, with the report
//! out/_dbferry/<run>/marks/*.json      phases done
//! out/_dbferry/<run>/lease             who works on it, locked for as long as that process lives
//! out/_dbferry/<run>/unfinished/*      files being written; what a crash leaves here is removed at the next start
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::io;
use super::names;
use crate::config::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ObjectName, RunId};

/// The folder of a target.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    ledger: PathBuf,
}

impl Folder {
    /// The folder that `at` names; nothing is created yet.
    ///
    /// # Errors
    /// `Io` when something that is no folder is in the way, `MissingRight` when it cannot be looked into.
    pub fn open(at: &Endpoint, ledger_schema: &str) -> Result<Folder> {
        let named = Path::new(&at.database);
        let root = std::path::absolute(named).map_err(|error| io(error, "the path cannot be resolved", named))?;
        match fs::metadata(&root) {
            Ok(found) if !found.is_dir() => {
                let error = Error::new(ErrorKind::Io, "a file is where the folder of Parquet files is to be");
                return Err(error.file(root.display()).hint("Name a folder, or remove the file"));
            }
            Ok(_) => {
                fs::read_dir(&root).map_err(|error| io(error, "the folder cannot be read", &root))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error, "the folder cannot be reached", &root)),
        }
        let ledger = root.join(format!("_{}", names::encode(ledger_schema)));
        Ok(Folder { root, ledger })
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the ledger.
    pub fn ledger(&self) -> &Path {
        &self.ledger
    }

    /// What the ledger keeps of a run.
    pub fn run(&self, run: RunId) -> PathBuf {
        self.ledger.join(run.to_string())
    }

    /// Where files of a run are written before they are visible: on the same file system, and where no pattern for `*.parquet` finds them.
    pub fn unfinished(&self, run: RunId) -> PathBuf {
        self.run(run).join("unfinished")
    }

    /// The folder of a table.
    pub fn table(&self, table: &ObjectName) -> PathBuf {
        self.root.join(names::table_folder(table))
    }

    /// The folders of all tables; none when nothing was created yet.
    pub fn tables(&self) -> Result<Vec<PathBuf>> {
        let mut found: Vec<PathBuf> = list(&self.root)?
            .into_iter()
            .filter(|path| path.is_dir() && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['_', '.'])))
            .collect();
        found.sort();
        Ok(found)
    }

    /// Makes the folder of a table, if it is missing.
    ///
    /// # Errors
    /// `Mapping` when the file system takes it for the folder of another table whose name differs in case only.
    pub fn make_table(&self, table: &ObjectName) -> Result<PathBuf> {
        let path = self.table(table);
        make_dir(&path)?;
        if list(&self.root)?.contains(&path) {
            return Ok(path);
        }
        let error = Error::new(
            ErrorKind::Mapping,
            "this file system takes the folder of another table, whose name differs in case only, for its own",
        );
        Err(error.table(table).file(path.display()).hint("Give one of the two another name with `to` in its `[[table]]` rule"))
    }

    /// Finds out whether files can be written, and leaves nothing.
    pub fn check(&self) -> Result<()> {
        let mut place = self.root.as_path();
        while !place.exists() {
            place = place
                .parent()
                .ok_or_else(|| Error::new(ErrorKind::Io, "the path has no folder above it").file(self.root.display()))?;
        }
        let probe = place.join(format!(".dbferry-{}", RunId::generate()));
        let cannot = |error| io(error, "nothing can be written here", place);
        // A folder, not a file: what is made first is a folder.
        fs::create_dir(&probe).map_err(cannot)?;
        let written = fs::write(probe.join("probe"), b"dbferry").map_err(cannot);
        fs::remove_dir_all(&probe).map_err(cannot)?;
        written
    }

    /// Removes what writers that are no more have left behind.
    ///
    /// A living writer holds a lock on its file; where the file system has no locks, nothing is removed.
    pub fn clean(&self) -> Result<()> {
        for run in list(&self.ledger)? {
            for path in list(&run.join("unfinished"))? {
                let Ok(file) = File::open(&path) else { continue };
                if file.try_lock().is_ok() {
                    match fs::remove_file(&path) {
                        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                            return Err(io(error, "the leftover of an earlier run cannot be removed", &path));
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}

/// What is in a folder, in no order; nothing when it does not exist or is no folder.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = |error| io(error, "the folder cannot be read", folder);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(cannot(error)),
    };
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(cannot)).collect()
}

/// Makes a folder and those above it so that they survive a power cut.
pub fn make_dir(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_dir(above)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(io(error, "the folder cannot be made", path));
        }
        _ => {}
    }
    if !path.is_dir() {
        return Err(Error::new(ErrorKind::Io, "a file is where a folder is to be").file(path.display()));
    }
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes new and removed names in a folder survive a power cut.
pub fn sync_dir(path: &Path) -> Result<()> {
    // Elsewhere a folder cannot be opened as a file, and its names need no flush of their own.
    if cfg!(unix) {
        let synced = File::open(path).and_then(|folder| folder.sync_all());
        synced.map_err(|error| io(error, "the folder cannot be flushed to disk", path))?;
    }
    Ok(())
}

/// A file that is being written. Dropped before it is placed, it is gone.
#[derive(Debug)]
pub struct Unfinished {
    path: PathBuf,
    placed: bool,
}

impl Unfinished {
    /// Makes a new file in `folder`, locked for as long as it is open.
    pub fn create(folder: &Path) -> Result<(Unfinished, File)> {
        make_dir(folder)?;
        let path = folder.join(RunId::generate().to_string());
        let cannot = |error| io(error, "the file cannot be made", &path);
        let file = File::options().read(true).write(true).create_new(true).open(&path).map_err(cannot)?;
        // Without locks on this file system nothing is removed at the next start either; see `Folder::clean`.
        let _ = file.try_lock();
        Ok((Unfinished { path: path.clone(), placed: false }, file))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file, complete and flushed, visible as `to`, and durable there. False when something of that name is there already.
    pub fn place(mut self, to: &Path) -> Result<bool> {
        // A second name, not a rename: a rename would replace a part that another process has placed meanwhile.
        match fs::hard_link(&self.path, to) {
            Ok(()) => {
                fs::remove_file(&self.path).map_err(|error| io(error, "the unfinished name cannot be removed", &self.path))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(false),
            Err(_) => {
                // This file system has no second names.
                if to.try_exists().map_err(|error| io(error, "the file cannot be looked for", to))? {
                    return Ok(false);
                }
                fs::rename(&self.path, to).map_err(|error| io(error, "the file cannot be given its final name", to))?;
            }
        }
        self.placed = true;
        to.parent().map_or(Ok(()), sync_dir)?;
        Ok(true)
    }

    /// As [`Unfinished::place`], over whatever is there.
    pub fn replace(mut self, to: &Path) -> Result<()> {
        fs::rename(&self.path, to).map_err(|error| io(error, "the file cannot be given its final name", to))?;
        self.placed = true;
        to.parent().map_or(Ok(()), sync_dir)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.placed {
            // What cannot be removed now is removed at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes a small file as a whole: flushed, not yet visible.
pub fn write_unfinished(folder: &Path, bytes: &[u8]) -> Result<Unfinished> {
    let (unfinished, mut file) = Unfinished::create(folder)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| io(error, "the file cannot be written", unfinished.path()))?;
    Ok(unfinished)
}
