//! Sequences that stand and belong to no column.

use sqlx::{AssertSqlSafe, PgConnection};

use super::catalog::{failed, get};
use super::ddl::quote_table;
use super::messages::{self, texts};
use crate::error::Result;
use crate::model::ObjectName;
use crate::model::sequence::Sequence;

const SEQUENCES: &str = "
    SELECT wanted.schema, wanted.name, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, q.seqcycle,
           pg_catalog.has_sequence_privilege(c.oid, 'SELECT') AS may_select
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted(schema, name, position)
    JOIN pg_catalog.pg_namespace n ON n.nspname = COALESCE(NULLIF(wanted.schema, ''), 'public')
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    JOIN pg_catalog.pg_sequence q ON q.seqrelid = c.oid
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
                      AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i'))
    ORDER BY wanted.position";

/// Of `names`, those of sequences. Supposes an empty search path.
///
/// # Errors
/// `MissingRight` or `ConnectionLost`, as the server tells.
pub(super) async fn sequences(connection: &mut PgConnection, names: &[ObjectName]) -> Result<Vec<Sequence>> {
    let schemas: Vec<&str> = names.iter().map(|name| name.schema.as_str()).collect();
    let plain: Vec<&str> = names.iter().map(|name| name.name.as_str()).collect();
    let mut found = Vec::new();
    if names.is_empty() {
        return Ok(found);
    }
    for row in messages::rows(connection, SEQUENCES, &[texts(&schemas), texts(&plain)]).await.map_err(failed)? {
        let number = |name: &str| get::<i64>(&row, name).map(i128::from);
        let mut sequence = Sequence {
            name: ObjectName::new(get::<String>(&row, "schema")?, get::<String>(&row, "name")?),
            start: number("seqstart")?,
            increment: number("seqincrement")?,
            min: number("seqmin")?,
            max: number("seqmax")?,
            cache: u64::try_from(get::<i64>(&row, "seqcache")?).unwrap_or(1),
            cycle: get(&row, "seqcycle")?,
            next: None,
            ddl: None,
        };
        if get(&row, "may_select")? {
            let sql = format!("SELECT last_value, is_called FROM {}", quote_table(&sequence.name));
            let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *connection).await.map_err(failed)?;
            let last = i128::from(get::<i64>(&row, "last_value")?);
            let next = if get(&row, "is_called")? { last + sequence.increment } else { last };
            sequence.next = Some(match (sequence.holds(next) || !sequence.cycle, sequence.increment > 0) {
                (true, _) => next,
                (false, true) => sequence.min,
                (false, false) => sequence.max,
            });
        }
        found.push(sequence);
    }
    Ok(found)
}
