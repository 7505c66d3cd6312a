//! Places where a test can end the process with SIGKILL: at each border of a phase, and between each write and its receipt.
//!
//! `DBFERRY_FAILPOINT=name` ends it the first time that the place is reached, `name:3` the third time; `name:3=stop` lets it sleep there
//! until somebody sends SIGCONT. Only builds with debug assertions
//! have this: in a release build [`reached`] is empty, and the variable means nothing. Each name in [`ALL`] has a test that kills the command
//! there and resumes.

macro_rules! points {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $text;)+

        /// Every place, in the order of the work.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

points! {
    /// The ledger stands, and knows nothing of the run.
    LEDGER_MADE = "ledger-made";
    /// The run and its plan are in the ledger.
    RUN_STARTED = "run-started";
    /// The lease of the run is held.
    HELD = "held";
    /// A hook that is no part of a transaction is entered as begun.
    HOOK_BEGUN = "hook-begun";
    /// It has run, and is not entered as done.
    HOOK_RAN = "hook-ran";
    /// A hook has run in its transaction, and its entry with it; not committed.
    HOOK_BEFORE_COMMIT = "hook-before-commit";
    /// A hook is done, and its entry says so.
    HOOK_DONE = "hook-done";
    /// Before a statement that clears, or sets something aside.
    CLEAR_BEFORE = "clear-before";
    /// After one.
    CLEAR_DONE = "clear-done";
    /// All is cleared, and marked.
    CLEARED = "cleared";
    /// Before a schema or a type is made.
    SCHEMA_BEFORE = "schema-before";
    /// After that.
    SCHEMA_MADE = "schema-made";
    /// Before a table is made.
    TABLE_BEFORE = "table-before";
    /// After that.
    TABLE_MADE = "table-made";
    /// The place for the keys of an upsert is made.
    KEYS_MADE = "keys-made";
    /// What stood in a table is read, and not stored.
    BASELINE_READ = "baseline-read";
    /// What stood in a table is stored.
    BASELINE_STORED = "baseline-stored";
    /// The lock of the source's snapshot is had, and no reader is open.
    SNAPSHOT_LOCKED = "snapshot-locked";
    /// The source's snapshot is taken.
    SNAPSHOT_TAKEN = "snapshot-taken";
    /// The ledger knows of the instant, and no row of it is carried.
    INSTANT_NOTED = "instant-noted";
    /// What earlier attempts had carried is compared with a source that has moved; nothing is taken out.
    RECHECKED = "rechecked";
    /// Rows that differ are taken out with their receipts; not committed.
    TAKING_OUT = "taking-out";
    /// They are out.
    TAKEN_OUT = "taken-out";
    /// All that is carried is of this instant, and the ledger says so.
    INSTANT_SETTLED = "instant-settled";
    /// A chunk has claimed its receipt.
    CHUNK_CLAIMED = "chunk-claimed";
    /// Before the first batch of a chunk is written.
    BATCH_BEFORE = "batch-before";
    /// After a batch of a chunk was written.
    BATCH_WRITTEN = "batch-written";
    /// The target has all rows of a chunk, in its open transaction.
    ROWS_SENT = "rows-sent";
    /// The rows of an upsert went from the chunk's own table into the target's.
    ROWS_MERGED = "rows-merged";
    /// The receipt is complete, and not committed; of a chunk without losses and rejects both are one message, that is not sent yet.
    RECEIPT_WRITTEN = "receipt-written";
    /// Rows and receipt are committed, and the coordinator does not know.
    CHUNK_COMMITTED = "chunk-committed";
    /// The coordinator knows; the next chunk has not begun.
    CHUNK_ACCOUNTED = "chunk-accounted";
    /// All rows are there.
    COPIED = "copied";
    /// The source's own counts are read.
    SOURCE_COUNTED = "source-counted";
    /// Before a statement that puts back what was set aside.
    RESTORE_BEFORE = "restore-before";
    /// After one.
    RESTORE_DONE = "restore-done";
    /// All is put back, and marked.
    RESTORED = "restored";
    /// Before a key or an index is made.
    INDEX_BEFORE = "index-before";
    /// After that.
    INDEX_MADE = "index-made";
    /// Before a next id is set, or a comment, a check or an owner.
    FINISH_BEFORE = "finish-before";
    /// After that.
    FINISH_DONE = "finish-done";
    /// Before a foreign key is added.
    FOREIGN_KEY_BEFORE = "foreign-key-before";
    /// It is added, and not validated.
    FOREIGN_KEY_ADDED = "foreign-key-added";
    /// Before a foreign key or a check is validated.
    VALIDATE_BEFORE = "validate-before";
    /// After that.
    VALIDATED = "validated";
    /// Before the statistics of a table are made.
    ANALYZE_BEFORE = "analyze-before";
    /// After that.
    ANALYZED = "analyzed";
    /// Before the target is read again.
    VERIFY_BEFORE = "verify-before";
    /// It is read, and nothing is stored of it.
    VERIFIED = "verified";
    /// The report of the verification is stored, before the hooks of the end.
    REPORT_STORED = "report-stored";
    /// The mark is set that only those hooks are left.
    ONLY_HOOKS_LEFT = "only-hooks-left";
    /// Before the run is done in the ledger.
    DONE_BEFORE = "done-before";
    /// It is done there, and the keys of an upsert still stand.
    DONE = "done";
    /// Nothing is left but to say so.
    FINISHED = "finished";
}

/// Ends the process here, if that was asked for.
#[cfg(debug_assertions)]
pub fn reached(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    static ASKED: LazyLock<Option<(String, AtomicU32, bool)>> = LazyLock::new(|| {
        let asked = std::env::var("DBFERRY_FAILPOINT").ok()?;
        let (place, stops) = asked.strip_suffix("=stop").map_or((asked.as_str(), false), |place| (place, true));
        let (name, left) = place.split_once(':').map_or((place, 1), |(name, nth)| (name, nth.parse().unwrap_or(1)));
        Some((name.to_string(), AtomicU32::new(left), stops))
    });
    if let Some((asked, left, stops)) = &*ASKED
        && asked == name
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        if *stops {
            send("-STOP");
            // The signal stops the threads one by one: this one must not have gone on by then.
            std::thread::sleep(std::time::Duration::from_millis(200));
        } else {
            // SIGKILL, so that nothing is cleaned up, flushed or said; this thread goes no further whatever comes of it.
            send("-KILL");
            std::process::abort();
        }
    }
}

/// Ends the process here, if that was asked for; nothing in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub fn reached(_name: &str) {}

/// Sends a signal to this process.
#[cfg(debug_assertions)]
fn send(signal: &str) {
    let id = std::process::id().to_string();
    // Without it the test that asked for it fails.
    let _ = std::process::Command::new("kill").args([signal, &id]).status();
}
