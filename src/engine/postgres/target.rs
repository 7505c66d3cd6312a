//! The types that the target's own catalog gives to a table's columns: what is encoded and decoded is chosen by these alone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sqlx::postgres::types::Oid;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::error;
use super::leaves::{self, Leaf};
use super::messages::{self, numbers, texts};
use super::typemap::PostgresDialect;
use crate::engine::Dialect;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{ObjectName, Table};

/// A type as far as its binary form is known here, domains resolved to what they stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PgType {
    Bool,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Date,
    Time,
    Timestamp,
    Timestamptz,
    Interval,
    /// `text`, `varchar` and `citext`.
    Text,
    /// `char(n)`.
    Bpchar,
    /// `name`.
    Name,
    Bytea,
    Bit,
    Varbit,
    Uuid,
    /// `inet`.
    Inet,
    Json,
    Jsonb,
    Enum(Arc<HashSet<String>>),
    /// PostGIS.
    Geometry,
    /// pgvector.
    Vector,
    Array(Box<Element>),
    /// Anything else.
    Other,
}

/// The element of an array type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    /// As it stands in the header of each value; a domain's own when the element is one.
    pub oid: u32,
    /// What it is.
    pub pg_type: PgType,
    /// The array's own, or that of an element's domain.
    pub typmod: i32,
}

/// A column of the target, as it is.
#[derive(Debug, Clone)]
pub(super) struct TargetColumn {
    /// Its name.
    pub name: String,
    /// Its type, as the server prints it, for messages.
    pub type_name: String,
    /// Its type, as it is encoded.
    pub pg_type: PgType,
    /// The type modifier, -1 for none.
    pub typmod: i32,
    /// Under NOT NULL.
    pub not_null: bool,
    /// Computed by the server.
    pub generated: bool,
}

/// A table of the target, as it is.
#[derive(Debug)]
pub(super) struct TargetTable {
    /// One for each column of the table that was asked about, in its order.
    pub columns: Vec<TargetColumn>,
    /// For partitioned tables, whose own storage is empty, those that have it; nothing for others.
    pub leaves: Option<Vec<Leaf>>,
}

/// The table's name for SQL text.
pub(super) fn quoted(name: &ObjectName) -> String {
    let schema = if name.schema.is_empty() { PostgresDialect.default_schema() } else { &name.schema };
    format!("{}.{}", PostgresDialect.quote(schema), PostgresDialect.quote(&name.name))
}

/// Reads what the catalog says of `table`'s columns.
///
/// # Errors
/// `SchemaChanged` when the table, or one of its columns, is not there, or is generated in one and plain in the other.
pub(super) async fn target_table(connection: &mut PgConnection, table: &Table) -> Result<TargetTable> {
    let mut found = target_tables(connection, &[table]).await?;
    found.pop().unwrap_or_else(|| Err(Error::internal("a table was asked about, and nothing was said").table(&table.name)))
}

/// As [`target_table`] for many tables, in as many round trips as for one.
///
/// # Errors
/// When the catalog cannot be read. What is wrong with one table stands in its place.
pub(super) async fn target_tables(connection: &mut PgConnection, tables: &[&Table]) -> Result<Vec<Result<TargetTable>>> {
    let failed = |error| {
        let error = error::map(error, "the target's catalog could not be read");
        if let [table] = tables { error.table(&table.name) } else { error }
    };
    let schema_of = |table: &&Table| match table.name.schema.as_str() {
        "" => PostgresDialect.default_schema().to_string(),
        schema => schema.to_string(),
    };
    let (schemas, names): (Vec<_>, Vec<_>) = tables.iter().map(|table| (schema_of(table), table.name.name.clone())).unzip();
    let relations = messages::rows(
        connection,
        "SELECT w.place, c.oid, c.relkind = 'p'
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w(schema_name, table_name, place)
         JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema_name
         JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = w.table_name AND c.relkind IN ('r', 'p')",
        &[texts(&schemas), texts(&names)],
    )
    .await
    .map_err(failed)?;
    let mut by_place = HashMap::new();
    for row in &relations {
        let place = usize::try_from(row.try_get::<i64, _>(0).map_err(failed)?).unwrap_or_default();
        let oid: Oid = row.try_get(1).map_err(failed)?;
        by_place.insert(place, (oid, row.try_get::<bool, _>(2).map_err(failed)?));
    }
    let all: Vec<Oid> = by_place.values().map(|(oid, _)| *oid).collect();
    let types = Types::read(connection, &all).await.map_err(failed)?;
    let oids: Vec<u32> = all.iter().map(|oid| oid.0).collect();
    let rows = messages::rows(
        connection,
        "SELECT attname::text, atttypid, atttypmod, attnotnull, attgenerated <> '', pg_catalog.format_type(atttypid, atttypmod), attrelid
         FROM pg_catalog.pg_attribute WHERE attrelid = ANY($1::oid[]) AND attnum > 0 AND NOT attisdropped",
        &[numbers(&oids)],
    )
    .await
    .map_err(failed)?;
    let mut actual: HashMap<u32, HashMap<String, TargetColumn>> = HashMap::new();
    for row in rows {
        let name: String = row.try_get(0).map_err(failed)?;
        let (pg_type, typmod) = types.resolve(row.try_get::<Oid, _>(1).map_err(failed)?.0, row.try_get(2).map_err(failed)?, 0);
        let column = TargetColumn {
            type_name: row.try_get(5).map_err(failed)?,
            pg_type,
            typmod,
            not_null: row.try_get(3).map_err(failed)?,
            generated: row.try_get(4).map_err(failed)?,
            name: name.clone(),
        };
        actual.entry(row.try_get::<Oid, _>(6).map_err(failed)?.0).or_default().insert(name, column);
    }
    let mut found = Vec::with_capacity(tables.len());
    for (place, table) in (1..).zip(tables) {
        let gone = || Error::new(ErrorKind::SchemaChanged, "the table does not exist in the target").table(&table.name);
        let Some((oid, partitioned)) = by_place.get(&place).copied() else {
            found.push(Err(gone()));
            continue;
        };
        let columns = wanted_columns(table, actual.remove(&oid.0).unwrap_or_default());
        let leaves = if partitioned { Some(leaves::read(connection, oid).await.map_err(failed)?) } else { None };
        found.push(columns.map(|columns| TargetTable { columns, leaves }));
    }
    Ok(found)
}

/// Of the columns that stand, those that the plan has, in its order.
fn wanted_columns(table: &Table, mut actual: HashMap<String, TargetColumn>) -> Result<Vec<TargetColumn>> {
    let gone = |what: &str| Error::new(ErrorKind::SchemaChanged, what).table(&table.name);
    let mut columns = Vec::with_capacity(table.columns.len());
    for column in &table.columns {
        let found =
            actual.remove(&column.name).ok_or_else(|| gone("the column does not exist in the target").column(&column.name))?;
        if found.generated != column.generated.is_some() {
            let what = if found.generated {
                "the target generates the column, and the plan does not"
            } else {
                "the plan generates the column, and the target does not"
            };
            return Err(gone(what).column(&column.name));
        }
        columns.push(found);
    }
    Ok(columns)
}

/// Rows of `pg_type` that a table's columns lead to.
struct Types(HashMap<u32, TypeRow>);

struct TypeRow {
    name: String,
    kind: String,
    in_catalog: bool,
    base: u32,
    base_typmod: i32,
    element: u32,
    array: bool,
    extension: Option<String>,
    labels: Arc<HashSet<String>>,
}

impl Types {
    async fn read(connection: &mut PgConnection, relations: &[Oid]) -> Result<Self, sqlx::Error> {
        let rows = sqlx::query(
            "WITH RECURSIVE reached(oid) AS (
                 SELECT atttypid FROM pg_catalog.pg_attribute WHERE attrelid = ANY($1) AND attnum > 0 AND NOT attisdropped
                 UNION
                 SELECT next.oid FROM reached JOIN pg_catalog.pg_type AS t ON t.oid = reached.oid
                 CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem)) AS next(oid) WHERE next.oid <> 0
             )
             SELECT t.oid, t.typname::text, t.typtype::text, t.typbasetype, t.typtypmod, t.typelem,
                    t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A', n.nspname = 'pg_catalog',
                    (SELECT e.extname::text FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_extension AS e ON e.oid = d.refobjid
                     WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
                       AND d.refclassid = 'pg_catalog.pg_extension'::regclass),
                    ARRAY(SELECT enumlabel::text FROM pg_catalog.pg_enum WHERE enumtypid = t.oid)
             FROM reached JOIN pg_catalog.pg_type AS t ON t.oid = reached.oid
             JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace",
        )
        .bind(relations)
        .fetch_all(connection)
        .await?;
        let mut types = HashMap::new();
        for row in rows {
            let labels: Vec<String> = row.try_get(9)?;
            types.insert(
                row.try_get::<Oid, _>(0)?.0,
                TypeRow {
                    name: row.try_get(1)?,
                    kind: row.try_get(2)?,
                    base: row.try_get::<Oid, _>(3)?.0,
                    base_typmod: row.try_get(4)?,
                    element: row.try_get::<Oid, _>(5)?.0,
                    array: row.try_get(6)?,
                    in_catalog: row.try_get(7)?,
                    extension: row.try_get(8)?,
                    labels: Arc::new(labels.into_iter().collect()),
                },
            );
        }
        Ok(Types(types))
    }

    /// What a type is in the end, and the modifier that holds.
    fn resolve(&self, oid: u32, typmod: i32, depth: u8) -> (PgType, i32) {
        // Domains over arrays of domains: deeper than anybody builds, and an end for a broken catalog.
        let Some(row) = self.0.get(&oid).filter(|_| depth < 16) else { return (PgType::Other, typmod) };
        if row.kind == "d" {
            let typmod = if typmod == -1 { row.base_typmod } else { typmod };
            return self.resolve(row.base, typmod, depth + 1);
        }
        if row.array {
            let (pg_type, element_typmod) = self.resolve(row.element, typmod, depth + 1);
            let element = Element { oid: row.element, pg_type, typmod: element_typmod };
            return (PgType::Array(Box::new(element)), typmod);
        }
        if row.kind == "e" {
            return (PgType::Enum(Arc::clone(&row.labels)), typmod);
        }
        let pg_type = match (row.in_catalog, row.extension.as_deref(), row.name.as_str()) {
            (true, _, "bool") => PgType::Bool,
            (true, _, "int2") => PgType::Int2,
            (true, _, "int4") => PgType::Int4,
            (true, _, "int8") => PgType::Int8,
            (true, _, "float4") => PgType::Float4,
            (true, _, "float8") => PgType::Float8,
            (true, _, "numeric") => PgType::Numeric,
            (true, _, "date") => PgType::Date,
            (true, _, "time") => PgType::Time,
            (true, _, "timestamp") => PgType::Timestamp,
            (true, _, "timestamptz") => PgType::Timestamptz,
            (true, _, "interval") => PgType::Interval,
            (true, _, "text" | "varchar") | (_, Some("citext"), "citext") => PgType::Text,
            (true, _, "bpchar") => PgType::Bpchar,
            (true, _, "name") => PgType::Name,
            (true, _, "bytea") => PgType::Bytea,
            (true, _, "bit") => PgType::Bit,
            (true, _, "varbit") => PgType::Varbit,
            (true, _, "uuid") => PgType::Uuid,
            (true, _, "inet") => PgType::Inet,
            (true, _, "json") => PgType::Json,
            (true, _, "jsonb") => PgType::Jsonb,
            (_, Some("postgis"), "geometry") => PgType::Geometry,
            (_, Some("vector"), "vector") => PgType::Vector,
            _ => PgType::Other,
        };
        (pg_type, typmod)
    }
}

/// The columns for SQL text, separated by commas.
pub(super) fn quoted_columns<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| PostgresDialect.quote(name).to_string()).collect::<Vec<_>>().join(", ")
}

/// Runs a statement whose outcome does not matter beyond its success.
pub(super) async fn run(connection: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}
