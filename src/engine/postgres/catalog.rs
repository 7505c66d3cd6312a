//! Tables as they stand in a PostgreSQL database, in a few queries for all of them.
//!
//! Partial indexes, and those of other methods than btree, hash, gin and gist, have no place in the model and are left out, so that none of them is
//! ever taken for a key.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::ddl::{quote_literal, quote_table};
use super::messages::{self, numbers, texts};
use super::type_text;
use super::typemap::PostgresDialect;
use crate::engine::Dialect;
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::catalog::{
    Check, Column, DefaultValue, ForeignKey, Generated, Index, IndexMethod, IndexPart, NativeType, ReferentialAction, Table,
};

/// Of `tables`, those whose name is taken in the database, as they are, in the order of `tables`. An empty schema is `public`.
///
/// Whatever holds the name counts: `storage` is `pg_class.relkind` (`r` table, `p` partitioned, `v` view, `m` materialized view,
/// `f` foreign table, `S` sequence, `i` and `I` index, `c` composite type). Types are resolved through domains; a type that cannot be carried has no logical
/// type. Supposes an empty search path.
///
/// # Errors
/// `MissingRight` or `ConnectionLost`, as the server tells.
pub async fn existing(connection: &mut PgConnection, tables: &[ObjectName]) -> Result<Vec<Table>> {
    let schemas: Vec<&str> = tables.iter().map(|name| name.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|name| name.name.as_str()).collect();
    let rows = messages::rows(connection, RELATIONS, &[texts(&schemas), texts(&names)]).await.map_err(failed)?;
    let mut found = Found { tables: Vec::new(), position: HashMap::new() };
    for row in rows {
        let mut table = Table::new(ObjectName::new(get::<String>(&row, "schema")?, get::<String>(&row, "name")?));
        table.storage = get(&row, "kind")?;
        table.comment = get(&row, "comment")?;
        table.estimated_rows = u64::try_from(get::<i64>(&row, "estimate")?).unwrap_or_default();
        table.estimated_bytes = u64::try_from(get::<i64>(&row, "bytes")?).unwrap_or_default();
        found.position.insert(get(&row, "oid")?, found.tables.len());
        found.tables.push(table);
    }
    if found.tables.is_empty() {
        return Ok(Vec::new());
    }
    let oids: Vec<i64> = found.position.keys().copied().collect();
    columns(connection, &oids, &mut found).await?;
    indexes(connection, &oids, &mut found).await?;
    constraints(connection, &oids, &mut found).await?;
    next_identities(connection, &mut found).await?;
    Ok(found.tables)
}

/// The tables, and where each stands by its OID.
struct Found {
    tables: Vec<Table>,
    position: HashMap<i64, usize>,
}

impl Found {
    fn table(&mut self, oid: i64) -> Result<&mut Table> {
        let position = self.position.get(&oid).copied();
        position.and_then(|position| self.tables.get_mut(position)).ok_or_else(|| Error::internal("a row of no table asked for"))
    }
}

const RELATIONS: &str = "
    SELECT c.oid::int8 AS oid, wanted.schema, wanted.name, c.relkind::text AS kind,
           COALESCE(pg_catalog.obj_description(c.oid, 'pg_class'), '') AS comment,
           c.reltuples::int8 AS estimate,
           CASE WHEN c.relkind IN ('r', 'm') THEN pg_catalog.pg_table_size(c.oid) ELSE 0 END AS bytes
    FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS wanted(schema, name, position)
    JOIN pg_catalog.pg_namespace n ON n.nspname = COALESCE(NULLIF(wanted.schema, ''), 'public')
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    ORDER BY wanted.position";

const COLUMNS: &str = "
    WITH RECURSIVE base AS (
        SELECT a.attrelid, a.attnum, a.atttypid AS typid, a.atttypmod AS typmod, false AS notnull
        FROM pg_catalog.pg_attribute a WHERE a.attrelid::int8 = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT b.attrelid, b.attnum, t.typbasetype, t.typtypmod, b.notnull OR t.typnotnull
        FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.typid WHERE t.typtype = 'd'
    )
    SELECT a.attrelid::int8 AS oid, a.attname::text AS name, pg_catalog.format_type(b.typid, b.typmod) AS type,
           a.attnotnull OR b.notnull OR t.typnotnull AS notnull,
           a.attidentity::text AS identity, a.attgenerated::text AS generated,
           pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS expression,
           COALESCE(pg_catalog.col_description(a.attrelid, a.attnum), '') AS comment,
           NULLIF(l.collname, 'default')::text AS collation,
           t.typtype = 'e' OR e.typtype = 'e' AS is_enum,
           e.oid IS NOT NULL AS is_array,
           ARRAY(SELECT v.enumlabel::text FROM pg_catalog.pg_enum v
                 WHERE v.enumtypid = COALESCE(e.oid, t.oid) ORDER BY v.enumsortorder) AS labels
    FROM base b
    JOIN pg_catalog.pg_attribute a ON a.attrelid = b.attrelid AND a.attnum = b.attnum
    JOIN pg_catalog.pg_type t ON t.oid = b.typid AND t.typtype <> 'd'
    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    ORDER BY a.attrelid, a.attnum";

async fn columns(connection: &mut PgConnection, oids: &[i64], found: &mut Found) -> Result<()> {
    for row in sqlx::query(COLUMNS).bind(oids).fetch_all(&mut *connection).await.map_err(failed)? {
        let full: String = get(&row, "type")?;
        let mut native = match (get::<Option<bool>>(&row, "is_enum")?, get::<bool>(&row, "is_array")?) {
            (Some(true), array) => {
                let name = if array { "enum[]" } else { "enum" };
                NativeType { name: name.into(), full, labels: get(&row, "labels")?, ..NativeType::default() }
            }
            // A type that cannot be carried keeps its name, so that a message can tell it.
            _ => type_text::parse(&full).unwrap_or_else(|_| NativeType { name: full.clone(), full, ..NativeType::default() }),
        };
        native.collation = get(&row, "collation")?;
        let expression: Option<String> = get(&row, "expression")?;
        let generated: String = get(&row, "generated")?;
        let numbered = expression.as_deref().is_some_and(|sql| sql.contains("nextval("));
        let column = Column {
            nullable: !get::<bool>(&row, "notnull")?,
            identity: !get::<String>(&row, "identity")?.is_empty() || numbered,
            generated: (!generated.is_empty())
                .then(|| Generated { expression: expression.clone().unwrap_or_default(), stored: generated == "s" }),
            default: expression.filter(|_| generated.is_empty() && !numbered).map(DefaultValue::Expression),
            comment: get(&row, "comment")?,
            ..Column::new(get::<String>(&row, "name")?, PostgresDialect.to_logical(&native), native)
        };
        found.table(get(&row, "oid")?)?.columns.push(column);
    }
    Ok(())
}

// The order of rows is that of the parts; an index without parts is none.
const INDEXES: &str = "
    SELECT i.indrelid::int8 AS oid, c.relname::text AS name, i.indisunique AS is_unique, i.indisprimary AS is_primary,
           m.amname::text AS method, a.attname::text AS column_name,
           pg_catalog.pg_get_indexdef(i.indexrelid, part.position::int4, false) AS definition,
           (part.options & 1) = 1 AS descending
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_am m ON m.oid = c.relam
    CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indoption::int2[]) WITH ORDINALITY AS part(attnum, options, position)
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part.attnum AND part.attnum <> 0
    WHERE i.indrelid::int8 = ANY ($1) AND i.indisvalid AND i.indpred IS NULL AND part.position <= i.indnkeyatts
      AND m.amname IN ('btree', 'gin', 'gist', 'hash')
    ORDER BY i.indrelid, c.relname, i.indexrelid, part.position";

async fn indexes(connection: &mut PgConnection, oids: &[i64], found: &mut Found) -> Result<()> {
    for row in messages::rows(connection, INDEXES, &[numbers(oids)]).await.map_err(failed)? {
        let table = found.table(get(&row, "oid")?)?;
        let name: String = get(&row, "name")?;
        let column: Option<String> = get(&row, "column_name")?;
        let definition: Option<String> = get(&row, "definition")?;
        let part = IndexPart {
            expression: if column.is_none() { definition } else { None },
            column,
            prefix: None,
            descending: get(&row, "descending")?,
        };
        let index = if get(&row, "is_primary")? {
            table.primary_key.get_or_insert_with(|| empty_index(name, true, IndexMethod::BTree))
        } else if table.indexes.last().is_some_and(|index| index.name == name) {
            table.indexes.last_mut().ok_or_else(|| Error::internal("an index that was there is gone"))?
        } else {
            let method = match get::<String>(&row, "method")?.as_str() {
                "gin" => IndexMethod::FullText,
                "gist" => IndexMethod::Spatial,
                "hash" => IndexMethod::Hash,
                _ => IndexMethod::BTree,
            };
            let unique = get(&row, "is_unique")?;
            table.indexes.push(empty_index(name, unique, method));
            table.indexes.last_mut().ok_or_else(|| Error::internal("an index that was there is gone"))?
        };
        index.parts.push(part);
    }
    Ok(())
}

fn empty_index(name: String, unique: bool, method: IndexMethod) -> Index {
    Index { name, parts: Vec::new(), unique, method, visible: true }
}

const CONSTRAINTS: &str = "
    SELECT k.conrelid::int8 AS oid, k.conname::text AS name, k.contype::text AS kind,
           COALESCE(n.nspname, '')::text AS parent_schema, COALESCE(p.relname, '')::text AS parent_name,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS part(attnum, position)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = part.attnum
                 ORDER BY part.position) AS columns,
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS part(attnum, position)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = part.attnum
                 ORDER BY part.position) AS parent_columns,
           k.confdeltype::text AS on_delete, k.confupdtype::text AS on_update,
           COALESCE(pg_catalog.pg_get_expr(k.conbin, k.conrelid), '') AS expression
    FROM pg_catalog.pg_constraint k
    LEFT JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
    LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.relnamespace
    WHERE k.conrelid::int8 = ANY ($1) AND k.contype IN ('f', 'c')
    ORDER BY k.conrelid, k.conname";

async fn constraints(connection: &mut PgConnection, oids: &[i64], found: &mut Found) -> Result<()> {
    for row in sqlx::query(CONSTRAINTS).bind(oids).fetch_all(&mut *connection).await.map_err(failed)? {
        let table = found.table(get(&row, "oid")?)?;
        let name = get(&row, "name")?;
        if get::<String>(&row, "kind")? == "c" {
            table.checks.push(Check { name, expression: get(&row, "expression")?, enforced: true });
            continue;
        }
        table.foreign_keys.push(ForeignKey {
            name,
            columns: get(&row, "columns")?,
            parent: ObjectName::new(get::<String>(&row, "parent_schema")?, get::<String>(&row, "parent_name")?),
            parent_columns: get(&row, "parent_columns")?,
            on_delete: action(&get::<String>(&row, "on_delete")?)?,
            on_update: action(&get::<String>(&row, "on_update")?)?,
        });
    }
    Ok(())
}

fn action(letter: &str) -> Result<ReferentialAction> {
    Ok(match letter {
        "a" => ReferentialAction::NoAction,
        "r" => ReferentialAction::Restrict,
        "c" => ReferentialAction::Cascade,
        "n" => ReferentialAction::SetNull,
        "d" => ReferentialAction::SetDefault,
        other => return Err(Error::internal(format!("a foreign key has the unknown action `{other}`"))),
    })
}

/// What each numbered column hands out next, for the sequences that the user may read.
///
/// `pg_sequences.last_value` would not do: it is NULL after `setval(…, false)`.
async fn next_identities(connection: &mut PgConnection, found: &mut Found) -> Result<()> {
    let mut wanted = Vec::new();
    for (position, table) in found.tables.iter().enumerate() {
        if let Some(column) = table.columns.iter().find(|column| column.identity) {
            wanted.push((position, quote_table(&table.name), column.name.clone()));
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let values: Vec<String> = wanted
        .iter()
        .map(|(position, table, column)| {
            format!("({position}::int8, pg_catalog.pg_get_serial_sequence({}, {}))", quote_literal(table), quote_literal(column))
        })
        .collect();
    let sql = format!(
        "SELECT wanted.position, wanted.sequence FROM (VALUES {}) AS wanted(position, sequence) \
         WHERE pg_catalog.has_sequence_privilege(wanted.sequence, 'SELECT')",
        values.join(", ")
    );
    let mut parts = Vec::new();
    for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *connection).await.map_err(failed)? {
        // The server has quoted the name already.
        let sequence: String = get(&row, "sequence")?;
        let position: i64 = get(&row, "position")?;
        parts.push(format!(
            "SELECT {position}::int8 AS position, s.last_value, s.is_called, q.seqincrement FROM {sequence} s, pg_catalog.pg_sequence q \
             WHERE q.seqrelid = {}::pg_catalog.regclass",
            quote_literal(&sequence)
        ));
    }
    if parts.is_empty() {
        return Ok(());
    }
    let sql = parts.join(" UNION ALL ");
    for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *connection).await.map_err(failed)? {
        let step = if get(&row, "is_called")? { get::<i64>(&row, "seqincrement")? } else { 0 };
        let next = i128::from(get::<i64>(&row, "last_value")?) + i128::from(step);
        let position = usize::try_from(get::<i64>(&row, "position")?).ok();
        if let Some(table) = position.and_then(|position| found.tables.get_mut(position)) {
            table.next_identity = Some(next);
        }
    }
    Ok(())
}

/// A column of a catalog row.
pub(super) fn get<'r, T>(row: &'r sqlx::postgres::PgRow, name: &str) -> Result<T>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(name).map_err(|error| Error::internal(format!("`{name}` of the catalog cannot be read")).with_source(error))
}

/// What a failed look at the catalog means.
pub(super) fn failed(error: sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    let kind = match (&error, code.as_str()) {
        (_, "42501") => ErrorKind::MissingRight,
        (_, "57014") => ErrorKind::Timeout,
        (_, "") | (_, "57P01" | "57P02" | "57P03") => ErrorKind::ConnectionLost,
        _ => ErrorKind::TargetWrite,
    };
    Error::new(kind, "the catalog of the target could not be read").with_source(error)
}
