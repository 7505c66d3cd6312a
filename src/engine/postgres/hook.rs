//! A person's own SQL, run in the target on a session of its own.
//!
//! The session is ours in all but the search path, which a hook needs: people write `UPDATE orders`, not `UPDATE public.orders`.

use sqlx::{Connection, PgConnection};

use super::ddl::{DEFAULT_SCHEMA, quote_name};
use super::error;
use super::ledger::PostgresLedger;
use super::pool::Pool;
use super::target::run;
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::model::{Hook, RunId};

/// Runs `hook`; in a transaction, one that also has its ledger entry.
///
/// # Errors
/// What the server says, and `Ledger` when the hook has run already or has ended the transaction by itself.
pub(super) async fn run_hook(pool: &Pool, ledger: &PostgresLedger, id: RunId, hook: &Hook) -> Result<()> {
    let failed = |error| error::map(error, format!("the hook `{}` failed in the target", hook.name));
    let mut connection = pool.connect().await?;
    run(&mut connection, format!("SET search_path = {}", search_path(&hook.schema))).await.map_err(failed)?;
    if !hook.transaction {
        run(&mut connection, hook.sql.clone()).await.map_err(failed)?;
        // Everything is done: a server that does not hear the farewell notices the closed socket.
        let _ = connection.close().await;
        return Ok(());
    }
    run(&mut connection, "BEGIN".into()).await.map_err(failed)?;
    // The entry first: a second coordinator waits here. It says "begun", so that a hook that commits by itself leaves no entry "done".
    ledger.insert_hook(&mut connection, id, hook).await?;
    let before = transaction(&mut connection).await.map_err(failed)?;
    run(&mut connection, hook.sql.clone()).await.map_err(failed)?;
    if transaction(&mut connection).await.map_err(failed)? != before {
        // A ROLLBACK in it took the entry back, and what follows it stays: the entry is made again, so that a resume stops and asks.
        let _ = run(&mut connection, "ROLLBACK".into()).await;
        if let Err(error) = ledger.insert_hook(&mut connection, id, hook).await {
            tracing::debug!(%error, "the entry of the hook stands already");
        }
        return Err(Error::new(
            ErrorKind::Ledger,
            format!("the hook `{}` ends the transaction that it runs in, so what it did is not joined to the ledger", hook.name),
        )
        .hint("Take COMMIT and ROLLBACK out of it, or set `transaction = false`"));
    }
    ledger.complete_hook(&mut connection, id, hook).await?;
    failpoint::reached(failpoint::HOOK_BEFORE_COMMIT);
    run(&mut connection, "COMMIT".into()).await.map_err(failed)?;
    let _ = connection.close().await;
    Ok(())
}

/// The transaction that is open and has written; none outside of one.
async fn transaction(connection: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT pg_catalog.pg_current_xact_id_if_assigned()::text").fetch_one(connection).await
}

/// The schema that tables go to, then the usual one, where extensions are.
fn search_path(schema: &str) -> String {
    let first = if schema.is_empty() { DEFAULT_SCHEMA } else { schema };
    if first == DEFAULT_SCHEMA { quote_name(first) } else { format!("{}, {}", quote_name(first), quote_name(DEFAULT_SCHEMA)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_looked_up_where_the_tables_go() {
        assert_eq!(search_path(""), "\"public\"");
        assert_eq!(search_path("public"), "\"public\"");
        assert_eq!(search_path("My Shop"), "\"My Shop\", \"public\"");
    }
}
