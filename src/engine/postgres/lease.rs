//! The lease of a run: a row of the ledger that one session keeps fresh, and that everything written of the run depends on.
//!
//! The coordinator lives while that session is there and the row is fresh, so one that was killed is replaced at once, and one whose machine
//! is gone when its lease has run out. What a replaced one could still do is taken from it in three ways: its sessions are ended, new ones
//! are refused when they open ([`Fence`]), and each receipt demands the lease, locked until the receipt is committed.

use std::time::{Duration, Instant};

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};
use tokio::time::timeout;

use super::ddl::quote_literal;
use super::error;
use super::ledger::PostgresLedger;
use super::messages::counts;
use super::target::run as execute;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::lease::{Holder, Living, refused, taken_over};
use crate::model::RunId;

/// How long a commit that is under way may hold the lease fast before its session is ended.
const LOCK_TIMEOUT: &str = "2s";

/// How long sessions of an earlier coordinator are waited for.
const LEFTOVERS: Duration = Duration::from_secs(30);

/// What sessions carry once a run is held: its name, and the proof that it is still held.
#[derive(Debug, Clone)]
pub(super) struct Fence {
    pub(super) run: RunId,
    pub(super) holder: uuid::Uuid,
    /// The table of the leases, quoted.
    table: String,
}

impl Fence {
    /// The name of the run's sessions.
    pub(super) fn session_name(&self) -> String {
        session_name(self.run)
    }

    /// What a session is asked.
    pub(super) fn sql(&self) -> String {
        format!(
            "SELECT EXISTS (SELECT FROM {} WHERE run = '{}'::uuid AND holder = '{}'::uuid)",
            self.table, self.run.0, self.holder
        )
    }

    /// Refuses a session that an old coordinator opens, by the answer to [`Self::sql`].
    ///
    /// # Errors
    /// `Ledger` when the run is another's by now.
    pub(super) fn judge(&self, answer: &PgRow) -> Result<()> {
        let held: bool = answer.try_get(0).map_err(|error| error::map(error, "the lease of the run could not be read"))?;
        if held { Ok(()) } else { Err(taken_over(self.run, None)) }
    }

    /// Asks, and refuses.
    ///
    /// # Errors
    /// As [`Self::judge`].
    pub(super) async fn check(&self, connection: &mut PgConnection) -> Result<()> {
        let answer = sqlx::raw_sql(AssertSqlSafe(self.sql())).fetch_one(connection).await;
        self.judge(&answer.map_err(|error| error::map(error, "the lease of the run could not be read"))?)
    }
}

fn session_name(run: RunId) -> String {
    format!("dbferry/{run}")
}

/// The columns of the table of leases.
pub(super) const COLUMNS: &str =
    "run uuid PRIMARY KEY, holder uuid NOT NULL, host text NOT NULL, pid bigint NOT NULL, backend integer NOT NULL,
     lasts interval NOT NULL, held_since timestamptz NOT NULL DEFAULT clock_timestamp(),
     renewed_at timestamptz NOT NULL DEFAULT clock_timestamp()";

/// True for a row `l` whose coordinator lives.
const LIVES: &str = "(l.renewed_at > clock_timestamp() - l.lasts AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a
     WHERE a.pid = l.backend AND a.application_name = 'dbferry/' || replace(l.run::text, '-', '')))";

impl PostgresLedger {
    fn leases(&self) -> String {
        self.table("leases")
    }

    /// Who holds the run here, and so what each of its writes must prove.
    pub(super) fn holder_of(&self, run: RunId) -> Option<uuid::Uuid> {
        self.pool.fence().filter(|fence| fence.run == run).map(|fence| fence.holder)
    }

    /// `WHERE` for an INSERT of the run that only its holder may do; nothing when nobody holds it here.
    pub(super) fn only_held(&self, run: RunId) -> String {
        match self.holder_of(run) {
            Some(holder) => {
                format!("WHERE EXISTS (SELECT FROM {} WHERE run = '{}' AND holder = '{holder}')", self.leases(), run.0)
            }
            None => String::new(),
        }
    }

    /// As [`Self::only_held`], with the row locked until the end of the transaction: whoever takes the run over waits for that.
    pub(super) fn held_fast(&self, run: RunId) -> (String, String) {
        match self.holder_of(run) {
            Some(holder) => (
                format!(
                    "WITH held AS MATERIALIZED (SELECT run FROM {} WHERE run = '{}' AND holder = '{holder}' FOR SHARE) ",
                    self.leases(),
                    run.0
                ),
                " AND EXISTS (SELECT FROM held)".into(),
            ),
            None => (String::new(), String::new()),
        }
    }

    /// The error for a write that met another holder.
    pub(super) async fn replaced(&self, run: RunId) -> Error {
        let by = self.who_lives(run).await.ok().flatten();
        taken_over(run, by.as_ref())
    }

    pub(super) async fn who_lives(&self, run: RunId) -> Result<Option<Living>> {
        let mut lease = self.pool.acquire().await?;
        let living = if self.stands(&mut lease, "leases").await.map_err(self.failed("could not be read"))? {
            self.living_in(&mut lease, run).await?
        } else {
            None
        };
        lease.give_back();
        Ok(living)
    }

    async fn living_in(&self, connection: &mut PgConnection, run: RunId) -> Result<Option<Living>> {
        let sql = format!(
            "SELECT l.host, l.pid, to_char(l.held_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
                    (extract(epoch FROM l.renewed_at) * 1000000)::bigint FROM {} AS l WHERE l.run = $1::uuid AND {LIVES}",
            self.leases()
        );
        let row = sqlx::query(AssertSqlSafe(sql)).bind(run.0.to_string()).fetch_optional(connection).await;
        let living = |row: sqlx::postgres::PgRow| {
            Ok(Living { host: row.try_get(0)?, pid: row.try_get(1)?, since: row.try_get(2)?, renewed_us: row.try_get(3)? })
        };
        row.and_then(|row| row.map(living).transpose()).map_err(self.failed("could not be read"))
    }

    /// Takes the lease, on a session that stays open for it, and ends what an earlier coordinator has left.
    pub(super) async fn take(&self, run: RunId, holder: &Holder) -> Result<()> {
        let failed = || self.failed("did not give the lease of the run");
        let fence = Fence { run, holder: holder.id, table: self.leases() };
        let name = fence.session_name();
        let mut session = self.pool.connect().await?;
        let rename = format!("SET application_name = '{name}'; SET lock_timeout = '{LOCK_TIMEOUT}'");
        execute(&mut session, rename).await.map_err(failed())?;
        let sql = format!(
            "INSERT INTO {} AS l (run, holder, host, pid, backend, lasts)
             VALUES ('{}'::uuid, '{}'::uuid, {}, {}, pg_catalog.pg_backend_pid(), make_interval(secs => {}))
             ON CONFLICT (run) DO UPDATE SET holder = excluded.holder, host = excluded.host, pid = excluded.pid, backend = excluded.backend,
                 lasts = excluded.lasts, held_since = excluded.held_since, renewed_at = excluded.renewed_at
             WHERE NOT {LIVES}",
            self.leases(),
            run.0,
            holder.id,
            quote_literal(&holder.host),
            holder.pid,
            holder.lasts.as_secs_f64()
        );
        let began = Instant::now();
        loop {
            let taken = counts(&mut session, sql.clone()).await;
            match taken {
                Ok(done) if done.last() == Some(&1) => break,
                Ok(_) => {
                    return Err(match self.living_in(&mut session, run).await? {
                        Some(by) => refused(run, &by),
                        // It ended in this moment.
                        None if began.elapsed() < LEFTOVERS => continue,
                        None => taken_over(run, None),
                    });
                }
                // A commit of the earlier coordinator holds it fast, and its process does not go on.
                Err(error) if error::sqlstate(&error) == Some("55P03") && began.elapsed() < LEFTOVERS => {
                    self.end_leftovers(&mut session, &name, Duration::ZERO).await?;
                }
                Err(error) => return Err(failed()(error)),
            }
        }
        // Sessions of our own carry the name already only when the run is a new one, which has no leftovers.
        if !self.pool.is_named(&name) {
            self.end_leftovers(&mut session, &name, LEFTOVERS).await?;
        }
        execute(&mut session, "RESET lock_timeout".into()).await.map_err(failed())?;
        self.pool.set_fence(Some(fence));
        *self.session.lock().await = Some(session);
        Ok(())
    }

    /// Ends the sessions that carry the run's name, but this one; where that is not allowed, waits for their end.
    async fn end_leftovers(&self, session: &mut PgConnection, name: &str, patience: Duration) -> Result<()> {
        const THEIRS: &str = "FROM pg_catalog.pg_stat_activity WHERE application_name = $1 AND pid <> pg_catalog.pg_backend_pid() AND datname = current_database()";
        let began = Instant::now();
        loop {
            let ended = sqlx::query(AssertSqlSafe(format!("SELECT pg_catalog.pg_terminate_backend(pid) {THEIRS}")))
                .bind(name)
                .fetch_all(&mut *session)
                .await;
            match ended {
                Ok(rows) if rows.is_empty() => return Ok(()),
                Err(error) if error::sqlstate(&error) != Some("42501") => {
                    return Err(self.failed("could not end the sessions of an earlier coordinator")(error));
                }
                _ if began.elapsed() >= patience && patience.is_zero() => return Ok(()),
                _ if began.elapsed() >= patience => {
                    let what = format!("sessions of an earlier coordinator (`{name}`) are still there");
                    return Err(Error::new(ErrorKind::Ledger, what)
                        .hint("End them with pg_terminate_backend as a user who may, then run the same command again"));
                }
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Renews the lease, on another session if the first one is gone.
    pub(super) async fn renew_lease(&self, run: RunId, holder: &Holder) -> Result<()> {
        let mut kept = self.session.lock().await;
        let renewing = async {
            let mut session = match kept.take() {
                Some(session) => session,
                None => self.pool.connect().await?,
            };
            let sql = format!(
                "UPDATE {} SET renewed_at = clock_timestamp(), backend = pg_catalog.pg_backend_pid() WHERE run = $1::uuid AND holder = $2::uuid",
                self.leases()
            );
            let renewed = sqlx::query(AssertSqlSafe(sql))
                .bind(run.0.to_string())
                .bind(holder.id.to_string())
                .execute(&mut session)
                .await
                .map_err(self.failed("did not renew the lease of the run"))?;
            Ok::<_, Error>((session, renewed.rows_affected() == 1))
        };
        let Ok(renewed) = timeout(holder.lasts, renewing).await else {
            return Err(Error::new(ErrorKind::Timeout, "the lease of the run could not be renewed in time"));
        };
        let (session, held) = renewed?;
        if !held {
            drop(kept);
            return Err(self.replaced(run).await);
        }
        *kept = Some(session);
        Ok(())
    }

    /// Gives the lease back, if it is still ours.
    pub(super) async fn give_up_lease(&self, run: RunId) -> Result<()> {
        let Some(holder) = self.holder_of(run) else { return Ok(()) };
        let kept = self.session.lock().await.take();
        let mut session = match kept {
            Some(session) => session,
            None => self.pool.connect().await?,
        };
        let sql = format!("DELETE FROM {} WHERE run = '{}'::uuid AND holder = '{holder}'::uuid", self.leases(), run.0);
        execute(&mut session, sql).await.map_err(self.failed("did not take the lease of the run back"))
    }
}
