//! Rows taken out again with their receipts, in one transaction: whoever looks sees both, or neither.

use sqlx::{AssertSqlSafe, PgConnection};

use super::ddl::quote_name;
use super::error;
use super::ledger::PostgresLedger;
use super::pool::Lease;
use super::target::{quoted, run};
use crate::engine::{Extent, TakeOut, TakenOut};
use crate::error::{Error, ErrorKind, Result};
use crate::failpoint;
use crate::model::chunk::{ChunkRange, KeyValue};
use crate::model::logical::Zone;
use crate::model::{LogicalType, RunId};

/// Takes them out. `silent` says that the session may switch triggers and foreign keys off.
pub(super) async fn take_out(
    mut lease: Lease,
    ledger: &PostgresLedger,
    id: RunId,
    what: &TakeOut,
    silent: bool,
) -> Result<TakenOut> {
    let failed = |error| error::map(error, "rows that are to be carried again could not be taken out").table(&what.table);
    if what.stood && !silent {
        let why = "rows would be taken out of a table that stood before the run, and its triggers and foreign keys would notice";
        return Err(Error::new(ErrorKind::MissingRight, why).table(&what.table));
    }
    run(&mut lease, "BEGIN".into()).await.map_err(failed)?;
    if silent {
        run(&mut lease, "SET LOCAL session_replication_role = replica".into()).await.map_err(failed)?;
    }
    receipts(&mut lease, ledger, id, what).await?;
    for (child, name) in &what.foreign_keys {
        let sql = format!("ALTER TABLE IF EXISTS {} DROP CONSTRAINT IF EXISTS {}", quoted(child), quote_name(name));
        run(&mut lease, sql).await.map_err(failed)?;
    }
    let (condition, values) = match &what.extent {
        // Everything in it is the run's own.
        Extent::Whole if !what.stood => {
            run(&mut lease, format!("TRUNCATE TABLE {}", quoted(&what.table))).await.map_err(failed)?;
            return commit(lease, what).await;
        }
        Extent::Whole => (String::new(), Vec::new()),
        Extent::Range { apart, key, range } => {
            let mut values = Vec::new();
            let condition = of_source(apart, key, range, &mut values).ok_or_else(|| Error::internal("no range of a key"))?;
            (format!(" WHERE {condition}"), values)
        }
    };
    let mut delete = sqlx::query(AssertSqlSafe(format!("DELETE FROM {}{condition}", quoted(&what.table))));
    for value in values {
        delete = delete.bind(value);
    }
    let deleted = delete.execute(&mut *lease).await.map_err(failed)?.rows_affected();
    if deleted != what.rows {
        run(&mut lease, "ROLLBACK".into()).await.map_err(failed)?;
        lease.give_back();
        return Ok(TakenOut::Others(deleted));
    }
    commit(lease, what).await
}

async fn commit(mut lease: Lease, what: &TakeOut) -> Result<TakenOut> {
    failpoint::reached(failpoint::TAKING_OUT);
    let failed = |error| error::map(error, "rows that are to be carried again could not be taken out").table(&what.table);
    run(&mut lease, "COMMIT".into()).await.map_err(failed)?;
    failpoint::reached(failpoint::TAKEN_OUT);
    lease.give_back();
    Ok(TakenOut::Done)
}

/// Deletes the receipts, while the lease is held fast, and what was entered with them.
async fn receipts(connection: &mut PgConnection, ledger: &PostgresLedger, id: RunId, what: &TakeOut) -> Result<()> {
    let chunks: Vec<i64> = what.chunks.iter().map(|chunk| i64::from(*chunk)).collect();
    let (held, condition) = ledger.held_fast(id);
    let place = "WHERE run = $1::uuid AND table_schema = $2 AND table_name = $3 AND chunk = ANY($4)";
    let all = [
        (format!("{held}DELETE FROM {} {place}{condition}", ledger.table("receipts")), true),
        (format!("DELETE FROM {} {place}", ledger.table("losses")), false),
        (format!("DELETE FROM {} {place}", ledger.table("rejects")), false),
    ];
    for (sql, each) in all {
        let deleted = sqlx::query(AssertSqlSafe(sql))
            .bind(id.0.to_string())
            .bind(&what.table.schema)
            .bind(&what.table.name)
            .bind(&chunks)
            .execute(&mut *connection)
            .await
            .map_err(|error| ledger.failed("did not give receipts back")(error).table(&what.table))?;
        if each && deleted.rows_affected() != chunks.len() as u64 {
            if let Some(fence) = ledger.pool.fence() {
                fence.check(connection).await.map_err(|error| error.table(&what.table))?;
            }
            let why = format!("{} receipts were to go, and the ledger has {}", chunks.len(), deleted.rows_affected());
            return Err(Error::new(ErrorKind::Ledger, why).table(&what.table));
        }
    }
    Ok(())
}

/// The condition of a range of one source table's rows; none for one that is no range of a key.
fn of_source(
    apart: &[(String, LogicalType, KeyValue)],
    key: &[(String, LogicalType)],
    range: &ChunkRange,
    values: &mut Vec<String>,
) -> Option<String> {
    let mut sides = Vec::new();
    for (name, logical, value) in apart {
        sides.push(format!("{} = {}", quote_name(name), literal(logical, value, values)?));
    }
    if *range != ChunkRange::Whole {
        sides.push(format!("({})", condition(key, range, values)?));
    }
    (!sides.is_empty()).then(|| sides.join(" AND "))
}

/// The condition of a range, its values added to `values` as text; none for one that is no range of a key.
fn condition(key: &[(String, LogicalType)], range: &ChunkRange, values: &mut Vec<String>) -> Option<String> {
    let first = || Some(quote_name(&key.first()?.0));
    match range {
        ChunkRange::NullKey => Some(format!("{} IS NULL", first()?)),
        ChunkRange::Key { lower: None, upper: None } => Some(format!("{} IS NOT NULL", first()?)),
        ChunkRange::Key { lower, upper } => {
            let mut sides = Vec::new();
            if let Some(bound) = lower {
                sides.push(compare(key, bound, (">", ">="), values)?);
            }
            if let Some(bound) = upper {
                sides.push(compare(key, bound, ("<", "<"), values)?);
            }
            Some(sides.join(" AND "))
        }
        ChunkRange::Whole | ChunkRange::Pages { .. } => None,
    }
}

/// `key <operator> bound`, column after column; the second operator is that of the last one.
fn compare(
    key: &[(String, LogicalType)],
    bound: &[KeyValue],
    operators: (&str, &str),
    values: &mut Vec<String>,
) -> Option<String> {
    let ((name, logical), rest) = key.split_first()?;
    let (value, more) = bound.split_first()?;
    let name = quote_name(name);
    let literal = literal(logical, value, values)?;
    if more.is_empty() {
        return Some(format!("{name} {} {literal}", operators.1));
    }
    let rest = compare(rest, more, operators, values)?;
    Some(format!("({name} {} {literal} OR ({name} = {literal} AND {rest}))", operators.0))
}

/// A parameter of the column's type: as wide as any value of it, so that nothing is rounded.
fn literal(logical: &LogicalType, value: &KeyValue, values: &mut Vec<String>) -> Option<String> {
    use LogicalType as L;
    let (text, to) = match (value, logical) {
        (KeyValue::Int(number), _) => (number.to_string(), if i64::try_from(*number).is_ok() { "bigint" } else { "numeric" }),
        (KeyValue::Text(text), L::Decimal { .. } | L::Numeric) => (text.clone(), "numeric"),
        (KeyValue::Text(text), logical) if logical.is_integer() => (text.clone(), "numeric"),
        (KeyValue::Text(text), L::Text { .. }) => (text.clone(), "text"),
        (KeyValue::Text(text), L::Date) => (text.clone(), "date"),
        (KeyValue::Text(text), L::Timestamp { zone: Zone::None, .. }) => (text.clone(), "timestamp"),
        (KeyValue::Text(text), L::Timestamp { zone: Zone::Utc, .. }) => (format!("{text}+00"), "timestamptz"),
        (KeyValue::Text(text), L::Time { .. }) => (text.clone(), "time"),
        (KeyValue::Text(text), L::Duration { .. }) => (text.clone(), "interval"),
        _ => return None,
    };
    values.push(text);
    Some(format!("CAST(${}::text AS {to})", values.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_over_two_columns_compares_one_after_the_other() {
        let key = vec![("a".to_string(), LogicalType::Int32), ("at".to_string(), LogicalType::Date)];
        let bound = |day: &str| Some(vec![KeyValue::Int(7), KeyValue::Text(day.into())]);
        let mut values = Vec::new();
        let range = ChunkRange::Key { lower: bound("2024-01-01"), upper: Some(vec![KeyValue::Int(9)]) };
        assert_eq!(
            condition(&key, &range, &mut values).unwrap(),
            "(\"a\" > CAST($1::text AS bigint) OR (\"a\" = CAST($1::text AS bigint) AND \"at\" >= CAST($2::text AS date))) \
             AND \"a\" < CAST($3::text AS bigint)"
        );
        assert_eq!(values, ["7", "2024-01-01", "9"]);
        assert_eq!(condition(&key, &ChunkRange::NullKey, &mut values).unwrap(), "\"a\" IS NULL");
        assert_eq!(condition(&key, &ChunkRange::Whole, &mut values), None);
        let apart = vec![("tenant".to_string(), LogicalType::Int32, KeyValue::Int(7))];
        let mut values = Vec::new();
        let alone = of_source(&apart, &[], &ChunkRange::Whole, &mut values);
        assert_eq!(alone.unwrap(), "\"tenant\" = CAST($1::text AS bigint)");
        assert_eq!(
            of_source(&apart, &key, &ChunkRange::NullKey, &mut values).unwrap(),
            "\"tenant\" = CAST($2::text AS bigint) AND (\"a\" IS NULL)"
        );
        assert_eq!(of_source(&[], &key, &ChunkRange::Whole, &mut values), None);
        let bytes = ChunkRange::Key { lower: None, upper: Some(vec![KeyValue::Bytes(vec![1])]) };
        assert_eq!(condition(&key, &bytes, &mut values), None);
    }
}
