//! What schema parity compares of tables as they stand: the model of `catalog`, and owners, triggers, validation and largest numbers
//! beside it. A few queries for all tables together.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::catalog::{existing, failed, get};
use super::ddl::{quote_literal, quote_name, quote_table};
use crate::error::Result;
use crate::model::ObjectName;
use crate::model::schema::{TableSchema, TriggerState};

// The two arrays of triggers are in one order.
const FACTS: &str = "
    SELECT wanted.position, pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
           ARRAY(SELECT k.conname::text FROM pg_catalog.pg_constraint k
                 WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f') AND NOT k.convalidated ORDER BY k.conname) AS not_validated,
           ARRAY(SELECT t.tgname::text FROM pg_catalog.pg_trigger t
                 WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY t.tgname) AS triggers,
           ARRAY(SELECT t.tgenabled::text FROM pg_catalog.pg_trigger t
                 WHERE t.tgrelid = c.oid AND NOT t.tgisinternal ORDER BY t.tgname) AS fires
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted(schema, name, position)
    JOIN pg_catalog.pg_namespace n ON n.nspname = COALESCE(NULLIF(wanted.schema, ''), 'public')
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    ORDER BY wanted.position";

/// Of `tables`, those that exist. Supposes an empty search path.
///
/// # Errors
/// `MissingRight` or `ConnectionLost`, as the server tells.
pub(super) async fn schemas(connection: &mut PgConnection, tables: &[ObjectName]) -> Result<Vec<TableSchema>> {
    let mut found: Vec<TableSchema> = existing(connection, tables).await?.into_iter().map(TableSchema::new).collect();
    let names = || found.iter().map(|schema| &schema.table.name);
    let schemas: Vec<String> = names().map(|name| name.schema.clone()).collect();
    let names: Vec<String> = names().map(|name| name.name.clone()).collect();
    for row in sqlx::query(FACTS).bind(&schemas).bind(&names).fetch_all(&mut *connection).await.map_err(failed)? {
        // Counted from 1.
        let place = usize::try_from(get::<i64>(&row, "position")?.saturating_sub(1)).ok();
        let Some(schema) = place.and_then(|place| found.get_mut(place)) else { continue };
        schema.owner = Some(get(&row, "owner")?);
        schema.not_validated = get(&row, "not_validated")?;
        let (names, fires): (Vec<String>, Vec<String>) = (get(&row, "triggers")?, get(&row, "fires")?);
        schema.triggers = names.into_iter().zip(fires).map(|(name, fires)| TriggerState { name, fires }).collect();
    }
    largest_numbers(connection, &mut found).await?;
    Ok(found)
}

/// The largest number of each column with numbers, where rows may be read. By the column's index this reads one entry of a table.
async fn largest_numbers(connection: &mut PgConnection, found: &mut [TableSchema]) -> Result<()> {
    let numbered = found.iter().enumerate().filter_map(|(place, schema)| {
        let column = schema.table.columns.iter().find(|column| column.identity)?;
        Some((place, quote_table(&schema.table.name), quote_name(&column.name)))
    });
    let numbered: Vec<_> = numbered.collect();
    if numbered.is_empty() {
        return Ok(());
    }
    let asked: Vec<String> = numbered
        .iter()
        .map(|(place, table, _)| format!("({place}::int8, pg_catalog.has_table_privilege({}, 'SELECT'))", quote_literal(table)))
        .collect();
    let sql = format!("SELECT place FROM (VALUES {}) AS asked(place, may) WHERE may", asked.join(", "));
    let mut readable: Vec<i64> = Vec::new();
    for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *connection).await.map_err(failed)? {
        readable.push(row.try_get(0).map_err(failed)?);
    }
    let questions = numbered.iter().filter(|(place, ..)| i64::try_from(*place).is_ok_and(|place| readable.contains(&place)));
    let questions: Vec<String> = questions
        .map(|(place, table, column)| {
            format!("SELECT {place}::int8 AS place, pg_catalog.trunc(max({column})::numeric)::text AS largest FROM {table}")
        })
        .collect();
    if questions.is_empty() {
        return Ok(());
    }
    let sql = questions.join(" UNION ALL ");
    for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *connection).await.map_err(failed)? {
        let place = usize::try_from(get::<i64>(&row, "place")?).ok();
        let largest: Option<String> = get(&row, "largest")?;
        if let Some(schema) = place.and_then(|place| found.get_mut(place)) {
            // Beyond 128 bits, or not a number: then no sequence reaches it.
            schema.largest_number = largest.and_then(|digits| digits.parse().ok());
        }
    }
    Ok(())
}
