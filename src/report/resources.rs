//! What a run took of this machine and of the servers, and how it held itself back.

use serde::{Deserialize, Serialize};

/// Memory, rate and pauses of a run; of a resumed one, those of its last attempt.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ResourceReport {
    /// The bound for all data buffers together, in bytes.
    pub memory_bytes: u64,
    /// The most resident memory that the process had at a time, in bytes; none where the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_resident_bytes: Option<u64>,
    /// Most source data in a second, in bytes; none without a bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rate_bytes: Option<u64>,
    /// Seconds that batches waited for that bound, of all jobs added up.
    #[serde(default)]
    pub throttled_seconds: f64,
    /// Times in which no chunk was begun, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<PauseReport>,
}

/// A time in which no chunk was begun, since a server had it hard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PauseReport {
    /// What was above its threshold when it began.
    pub why: String,
    /// How long it was.
    pub seconds: f64,
}

/// The most resident memory that this process had at a time, in bytes; none where the system does not tell.
pub fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
