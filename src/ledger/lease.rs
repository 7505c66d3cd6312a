//! One coordinator per run: a lease that it renews, by the clock of the target's server.
//!
//! A second one is refused while the first lives. A coordinator whose session is gone, or whose lease has run out, may be replaced; when
//! it wakes, everything that it still writes of the run is refused, in the very transaction that would have written it.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Ledger;
use crate::error::{Error, ErrorKind, Result};
use crate::model::RunId;

/// How long a lease lasts that is not renewed.
const LASTS: Duration = Duration::from_secs(30);

/// A wait that is longer than this is told.
const TOLD_AFTER: Duration = Duration::from_secs(1);

/// Renewals that may fail before a lease runs out.
const RENEWALS: u32 = 6;

/// Who coordinates a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its own, made at random.
    pub id: Uuid,
    /// The machine.
    pub host: String,
    /// The process on that machine.
    pub pid: u32,
    /// How long its lease lasts when it is not renewed.
    pub lasts: Duration,
}

impl Holder {
    /// This process. `DBFERRY_LEASE_SECONDS`, 1 to 3600, is there for tests.
    pub fn this_process() -> Self {
        let seconds = std::env::var("DBFERRY_LEASE_SECONDS").ok().and_then(|text| text.parse::<u64>().ok());
        let lasts = seconds.filter(|seconds| (1..=3600).contains(seconds)).map_or(LASTS, Duration::from_secs);
        Holder { id: Uuid::new_v4(), host: host(), pid: std::process::id(), lasts }
    }

    /// The pause between two renewals.
    pub fn pause(&self) -> Duration {
        self.lasts / RENEWALS
    }
}

/// A coordinator that another one sees in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Living {
    /// The machine.
    pub host: String,
    /// The process on that machine.
    pub pid: i64,
    /// Since when it holds the run, as text, UTC.
    pub since: String,
    /// When it renewed its lease last, in microseconds since 1970 UTC.
    pub renewed_us: i64,
}

impl std::fmt::Display for Living {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}, since {} UTC", self.pid, self.host, self.since)
    }
}

/// Who works on a run, and goes on doing so: one that renews its lease while it is watched. A session outlives its client for a moment, and
/// longer on a busy machine, but renews no lease; so whoever does not renew is waited for, until its session is gone or its lease has run out
/// by the server's clock. `waiting` is told once, when that takes a while.
///
/// # Errors
/// What the ledger says.
pub async fn still_living(ledger: &dyn Ledger, run: RunId, waiting: impl Fn(String)) -> Result<Option<Living>> {
    let began = Instant::now();
    let (mut first, mut told) = (None, false);
    loop {
        match ledger.living(run).await? {
            Some(now) if *first.get_or_insert(now.renewed_us) == now.renewed_us => {
                if !told && began.elapsed() > TOLD_AFTER {
                    told = true;
                    waiting(format!(
                        "the run {run} is held by {now}; waiting until it renews its lease, or its session is gone, or the lease runs out"
                    ));
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            living => return Ok(living),
        }
    }
}

/// The error for a second coordinator.
pub fn refused(run: RunId, by: &Living) -> Error {
    Error::new(ErrorKind::Ledger, format!("the run {run} is being worked on: {by}")).hint(
        "Let it finish, or stop it (Ctrl-C there, or `kill` with that process id on that machine), then run the same command again with `--resume`",
    )
}

/// The error for a coordinator that was replaced.
pub fn taken_over(run: RunId, by: Option<&Living>) -> Error {
    let by = by.map(|by| format!(" ({by})")).unwrap_or_default();
    Error::new(ErrorKind::Ledger, format!("another coordinator has taken over the run {run}{by}"))
        .hint("This one has stopped; what it had not committed was taken back. Let the other one finish")
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    name.map(|name| name.trim().to_string()).filter(|name| !name.is_empty()).unwrap_or_else(|| "an unnamed machine".into())
}
