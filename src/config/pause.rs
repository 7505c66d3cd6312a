//! When a run waits for its servers: thresholds, all of them off unless they are set.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// While a server shows more than this, no further chunk is begun; those under way are ended. Asked every two seconds, on one session for
/// each server. Without a threshold there is no pause: what is usual for one server would stop the run on another for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Most seconds that a source, which is a replica itself, may be behind (`Seconds_Behind_Source`; while its replication is stopped it
    /// counts as not behind). Refused where the source is no replica: a server cannot be asked how far its own replicas are behind. Needs
    /// the right REPLICATION CLIENT, in MariaDB REPLICA MONITOR.
    #[serde(default)]
    pub replica_lag: Option<u64>,
    /// Most threads that run in the source (`Threads_running`), without those of the run.
    #[serde(default)]
    pub threads_running: Option<u64>,
    /// Most transactions in the source's undo history (`trx_rseg_history_len`). The run's own snapshot lets it grow, and waiting would not
    /// shorten it then: a pause after which, for a minute, it has not shrunk is ended, and the run goes on without this threshold. Needs the
    /// right PROCESS.
    #[serde(default)]
    pub history_length: Option<u64>,
    /// Most checkpoints within a minute that are forced in a PostgreSQL target, since they fill `max_wal_size` faster than its
    /// `checkpoint_timeout` (`pg_stat_checkpointer.num_requested`, before version 17 `pg_stat_bgwriter.checkpoints_req`).
    #[serde(default)]
    pub checkpoints_per_minute: Option<u64>,
}
