//! What rows will meet in tables that stand: rights, triggers, indexes, keys, and whether each column has an encoder. Changes nothing.
//!
//! What may be set aside for a load, and how it is put back, is decided here: a trigger by its own state, an index by its definition as
//! the server prints it. An index that has more to it than that definition stays.

use sqlx::{AssertSqlSafe, PgConnection};

use super::catalog::{failed, get};
use super::ddl::{quote_literal, quote_name, quote_table};
use super::decode::RowDecoder;
use super::encode::RowEncoder;
use super::target::target_table;
use crate::engine::standing::MOST_COUNTED;
use crate::engine::{Asked, Ddl, DdlPhase, SetAside, Standing, Trigger};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;
use crate::model::catalog::{ForeignKey, ReferentialAction, ServerInfo, Table};
use crate::model::load::{KeyPart, UpsertKey};

/// From this version on the setting can be granted to a role that is no superuser.
const GRANTED_SINCE: u32 = 15;

/// `pg_trigger.tgtype`: on INSERT, on UPDATE, on TRUNCATE.
const ON_INSERT: i32 = 4;
const ON_UPDATE: i32 = 16;
const ON_TRUNCATE: i32 = 32;

/// How the right to switch triggers off is given.
pub(super) fn silence_hint(server: &ServerInfo, user: &str) -> String {
    if server.version_number.0 >= GRANTED_SINCE {
        format!("Run `GRANT SET ON PARAMETER session_replication_role TO {}` as a superuser", quote_name(user))
    } else {
        "Connect as a superuser: before PostgreSQL 15 only superusers may set `session_replication_role`".to_string()
    }
}

/// The user of the session.
pub(super) async fn user(connection: &mut PgConnection) -> Result<String> {
    sqlx::query_scalar("SELECT current_user::text").fetch_one(connection).await.map_err(failed)
}

/// The tables of some schemas.
pub(super) async fn table_names(connection: &mut PgConnection, schemas: &[String]) -> Result<Vec<ObjectName>> {
    let sql = "SELECT n.nspname::text AS schema, c.relname::text AS name FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p') ORDER BY 1, 2";
    let rows = sqlx::query(sql).bind(schemas).fetch_all(connection).await.map_err(failed)?;
    rows.iter().map(|row| Ok(ObjectName::new(get::<String>(row, "schema")?, get::<String>(row, "name")?))).collect()
}

const FACTS: &str = "
    SELECT c.oid::int8 AS oid, c.relkind::text AS kind, n.nspname::text AS schema, current_user::text AS user_name,
           pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
           pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS may_use,
           pg_catalog.has_schema_privilege(n.oid, 'CREATE') AS may_create,
           pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT') AS may_select,
           pg_catalog.has_table_privilege(c.oid, 'INSERT') OR pg_catalog.has_any_column_privilege(c.oid, 'INSERT') AS may_insert,
           pg_catalog.has_table_privilege(c.oid, 'UPDATE') OR pg_catalog.has_any_column_privilege(c.oid, 'UPDATE') AS may_update,
           pg_catalog.has_table_privilege(c.oid, 'TRUNCATE') AS may_truncate,
           pg_catalog.has_database_privilege(current_database(), 'TEMP') AS may_temp,
           pg_catalog.row_security_active(c.oid) AS secured,
           EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_type <> '1') AS ruled
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass($1)";

/// Looks at one table.
pub(super) async fn inspect(connection: &mut PgConnection, asked: &Asked) -> Result<Standing> {
    let table = &asked.table;
    let mut standing = Standing { name: table.name.clone(), ..Standing::default() };
    let row = sqlx::query(FACTS).bind(quote_table(&table.name)).fetch_optional(&mut *connection).await.map_err(failed)?;
    let Some(row) = row else { return Ok(standing) };
    let oid: i64 = get(&row, "oid")?;
    let (kind, user, schema): (String, String, String) = (get(&row, "kind")?, get(&row, "user_name")?, get(&row, "schema")?);
    if !matches!(kind.as_str(), "r" | "p") {
        let what = "what stands there under this name is no table";
        standing
            .faults
            .push(Error::new(ErrorKind::Mapping, what).table(&table.name).hint("Give the table another name in the mapping"));
        return Ok(standing);
    }
    standing.owned = get(&row, "owned")?;
    let mut missing = Vec::new();
    if !get::<bool>(&row, "may_use")? {
        missing.push(format!("USAGE ON SCHEMA {}", quote_name(&schema)));
    }
    if asked.rebuild && !get::<bool>(&row, "may_create")? {
        missing.push(format!("CREATE ON SCHEMA {}", quote_name(&schema)));
    }
    for (right, column, wanted) in [
        ("SELECT", "may_select", true),
        ("INSERT", "may_insert", true),
        ("UPDATE", "may_update", asked.upsert),
        ("TRUNCATE", "may_truncate", asked.truncate),
    ] {
        if wanted && !get::<bool>(&row, column)? {
            missing.push(format!("{right} ON {}", quote_table(&table.name)));
        }
    }
    if asked.upsert && !get::<bool>(&row, "may_temp")? {
        missing.push("TEMP ON DATABASE (rows are changed by way of a temporary table)".into());
    }
    for right in missing {
        let error = Error::new(ErrorKind::MissingRight, format!("the user `{user}` lacks the right {right}")).table(&table.name);
        standing.faults.push(error.hint(format!("Run `GRANT {right} TO {}` as its owner", quote_name(&user))));
    }
    if get(&row, "secured")? {
        let what = format!("row-level security hides rows of it from the user `{user}`");
        let error = Error::new(ErrorKind::MissingRight, what).table(&table.name);
        standing.faults.push(error.hint("Connect as a role with BYPASSRLS, or as its owner"));
    }
    if asked.upsert && get(&row, "ruled")? {
        let error = Error::new(
            ErrorKind::Unsupported,
            "it has rewrite rules, and PostgreSQL changes no rows by key where there are such",
        );
        standing.faults.push(error.table(&table.name).hint("Drop the rules, or choose `--if-exists truncate`"));
    }
    if get::<bool>(&row, "may_select")? && get::<bool>(&row, "may_use")? {
        let sql =
            format!("SELECT count(*) AS rows FROM (SELECT FROM {} LIMIT {}) AS x", quote_table(&table.name), MOST_COUNTED + 1);
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *connection).await.map_err(failed)?;
        standing.rows = u64::try_from(get::<i64>(&row, "rows")?).unwrap_or_default();
    }
    triggers(connection, oid, asked, &mut standing).await?;
    indexes(connection, oid, &mut standing).await?;
    keys(connection, oid, &mut standing).await?;
    numbers(connection, oid, &user, &mut standing).await?;
    referenced_by(connection, oid, &mut standing).await?;
    encoders(connection, table, &mut standing).await?;
    Ok(standing)
}

/// Each column needs a way there and back; what the catalog cannot tell is refused before the first row.
async fn encoders(connection: &mut PgConnection, table: &Table, standing: &mut Standing) -> Result<()> {
    if table.columns.is_empty() {
        return Ok(());
    }
    let checked = match target_table(connection, table).await {
        Ok(target) => RowEncoder::new(table, &target.columns).and_then(|_| RowDecoder::new(table, &target.columns, 1).map(drop)),
        Err(error) if error.kind() == ErrorKind::SchemaChanged => Err(error),
        Err(error) => return Err(error),
    };
    standing.faults.extend(checked.err());
    Ok(())
}

fn aside(table: &ObjectName, what: String, away: String, back: Vec<(String, Option<String>)>) -> SetAside {
    let ddl = |phase, sql: String, exists_sql| Ddl { phase, table: Some(table.clone()), object: what.clone(), sql, exists_sql };
    SetAside {
        away: ddl(DdlPhase::Clear, away, None),
        back: back.into_iter().map(|(sql, exists)| ddl(DdlPhase::Restore, sql, exists)).collect(),
        what,
    }
}

/// True as well when the table itself is gone: then there is nothing to put back.
fn or_gone(table: &ObjectName, exists: &str) -> String {
    format!("SELECT pg_catalog.to_regclass({}) IS NULL OR EXISTS ({exists})", quote_literal(&quote_table(table)))
}

async fn triggers(connection: &mut PgConnection, oid: i64, asked: &Asked, standing: &mut Standing) -> Result<()> {
    let events = ON_INSERT | if asked.upsert { ON_UPDATE } else { 0 } | if asked.truncate { ON_TRUNCATE } else { 0 };
    let sql = "SELECT tgname::text AS name, tgenabled::text AS enabled, tgtype::int4 AS type FROM pg_catalog.pg_trigger
               WHERE tgrelid::int8 = $1 AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype::int4 & $2 <> 0 ORDER BY tgname";
    let table = &standing.name;
    for row in sqlx::query(sql).bind(oid).bind(events).fetch_all(connection).await.map_err(failed)? {
        let (name, enabled): (String, String) = (get(&row, "name")?, get(&row, "enabled")?);
        let enable = match enabled.as_str() {
            "A" => "ENABLE ALWAYS",
            "R" => "ENABLE REPLICA",
            _ => "ENABLE",
        };
        let (owner, trigger) = (quote_table(table), quote_name(&name));
        let stands = format!(
            "SELECT FROM pg_catalog.pg_trigger WHERE tgrelid = pg_catalog.to_regclass({}) AND tgname = {} AND tgenabled <> 'D'",
            quote_literal(&owner),
            quote_literal(&name)
        );
        standing.triggers.push(Trigger {
            stubborn: enabled != "O",
            usual: enabled != "R",
            on_truncate: get::<i32>(&row, "type")? & ON_TRUNCATE != 0,
            aside: aside(
                table,
                format!("trigger {name}"),
                format!("ALTER TABLE {owner} DISABLE TRIGGER {trigger}"),
                vec![(format!("ALTER TABLE {owner} {enable} TRIGGER {trigger}"), Some(or_gone(table, &stands)))],
            ),
            name,
        });
    }
    Ok(())
}

const INDEXES: &str = "
    SELECT c.relname::text AS name, n.nspname::text AS schema, pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
           pg_catalog.obj_description(i.indexrelid, 'pg_class') AS comment,
           CASE WHEN NOT i.indisvalid THEN 'it is not valid'
                WHEN i.indisclustered THEN 'the table is clustered by it'
                WHEN i.indisreplident THEN 'replication finds rows by it'
                WHEN c.relkind <> 'i' OR t.relkind <> 'r' OR t.relispartition THEN 'the table is partitioned'
                WHEN c.reltablespace <> 0 THEN 'it has a tablespace of its own'
                WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)
                     THEN 'statistics were set for it'
                WHEN EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.refclassid = 'pg_catalog.pg_class'::regclass
                             AND d.refobjid = i.indexrelid) THEN 'something depends on it'
                WHEN EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass
                             AND d.objid = i.indexrelid AND d.deptype IN ('e', 'x')) THEN 'it belongs to an extension'
           END AS kept
    FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
    WHERE i.indrelid::int8 = $1 AND NOT i.indisunique AND NOT i.indisexclusion
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid)
    ORDER BY c.relname";

async fn indexes(connection: &mut PgConnection, oid: i64, standing: &mut Standing) -> Result<()> {
    for row in sqlx::query(INDEXES).bind(oid).fetch_all(connection).await.map_err(failed)? {
        let name: String = get(&row, "name")?;
        if let Some(why) = get::<Option<String>>(&row, "kept")? {
            standing.kept_indexes.push((name, why));
            continue;
        }
        let index = quote_table(&ObjectName::new(get::<String>(&row, "schema")?, name.clone()));
        let stands = format!("SELECT FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass({})", quote_literal(&index));
        let mut back = vec![(get(&row, "definition")?, Some(or_gone(&standing.name, &stands)))];
        if let Some(comment) = get::<Option<String>>(&row, "comment")? {
            let told = format!(
                "SELECT FROM pg_catalog.pg_description WHERE classoid = 'pg_catalog.pg_class'::regclass AND objsubid = 0 \
                 AND objoid = pg_catalog.to_regclass({}) AND description = {}",
                quote_literal(&index),
                quote_literal(&comment)
            );
            let sql = format!("COMMENT ON INDEX {index} IS {}", quote_literal(&comment));
            back.push((sql, Some(or_gone(&standing.name, &told))));
        }
        standing.indexes.push(aside(&standing.name, format!("index {name}"), format!("DROP INDEX IF EXISTS {index}"), back));
    }
    Ok(())
}

/// Unique keys that can find a row for ON CONFLICT: whole, at once, over columns that are never NULL.
const KEYS: &str = "
    SELECT c.relname::text AS name, i.indisprimary AS is_primary, a.attname::text AS column_name,
           pg_catalog.format('OPERATOR(%I.%s)', opn.nspname, o.oprname) AS equality,
           CASE WHEN l.oid IS NULL THEN '' ELSE pg_catalog.format(' COLLATE %I.%I', ln.nspname, l.collname) END AS collated,
           pg_catalog.format(' %I.%I', cn.nspname, opc.opcname) AS class
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = c.relam AND m.amname = 'btree'
    CROSS JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[], i.indcollation::oid[])
               WITH ORDINALITY AS part(attnum, class, coll, position)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part.attnum
    JOIN pg_catalog.pg_opclass opc ON opc.oid = part.class JOIN pg_catalog.pg_namespace cn ON cn.oid = opc.opcnamespace
    JOIN pg_catalog.pg_amop ao ON ao.amopfamily = opc.opcfamily AND ao.amoplefttype = opc.opcintype
         AND ao.amoprighttype = opc.opcintype AND ao.amopstrategy = 3
    JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr JOIN pg_catalog.pg_namespace opn ON opn.oid = o.oprnamespace
    LEFT JOIN pg_catalog.pg_collation l ON l.oid = part.coll LEFT JOIN pg_catalog.pg_namespace ln ON ln.oid = l.collnamespace
    WHERE i.indrelid::int8 = $1 AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      AND part.position <= i.indnkeyatts
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute n WHERE n.attrelid = i.indrelid AND NOT n.attnotnull
                      AND n.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
    ORDER BY i.indisprimary DESC, c.relname, part.position";

async fn keys(connection: &mut PgConnection, oid: i64, standing: &mut Standing) -> Result<()> {
    for row in sqlx::query(KEYS).bind(oid).fetch_all(connection).await.map_err(failed)? {
        let name: String = get(&row, "name")?;
        let collated: String = get(&row, "collated")?;
        let part = KeyPart {
            column: get(&row, "column_name")?,
            equality: get(&row, "equality")?,
            indexed: format!("{collated}{}", get::<String>(&row, "class")?),
            collated,
        };
        if get(&row, "is_primary")? {
            standing.primary = Some(name.clone());
        }
        match standing.keys.last_mut().filter(|key| key.name == name) {
            Some(key) => key.parts.push(part),
            None => standing.keys.push(UpsertKey { name, parts: vec![part], fixed: Vec::new() }),
        }
    }
    Ok(())
}

/// Numbered columns go on after the load, which takes rights on their sequences.
async fn numbers(connection: &mut PgConnection, oid: i64, user: &str, standing: &mut Standing) -> Result<()> {
    let sql = "SELECT a.attname::text AS name, a.attidentity = 'a' AS always, s.sequence AS sequence,
                      coalesce(pg_catalog.has_sequence_privilege(s.sequence, 'SELECT')
                               AND pg_catalog.has_sequence_privilege(s.sequence, 'UPDATE'), true) AS may
               FROM pg_catalog.pg_attribute a
               CROSS JOIN LATERAL pg_catalog.pg_get_serial_sequence($2, a.attname::text) AS s(sequence)
               WHERE a.attrelid::int8 = $1 AND a.attnum > 0 AND NOT a.attisdropped AND s.sequence IS NOT NULL ORDER BY a.attnum";
    let rows = sqlx::query(sql).bind(oid).bind(quote_table(&standing.name)).fetch_all(connection).await.map_err(failed)?;
    for row in rows {
        let name: String = get(&row, "name")?;
        if !get::<bool>(&row, "may")? {
            let sequence: String = get(&row, "sequence")?;
            let what =
                format!("the user `{user}` may not move the numbers of the column on, so that new rows would meet taken ones");
            let error = Error::new(ErrorKind::MissingRight, what).table(&standing.name).column(&name);
            standing
                .faults
                .push(error.hint(format!("Run `GRANT ALL ON SEQUENCE {sequence} TO {}` as its owner", quote_name(user))));
        }
        if get(&row, "always")? {
            standing.always_numbered.push(name);
        }
    }
    Ok(())
}

const REFERENCED_BY: &str = "
    SELECT k.conname::text AS name, n.nspname::text AS schema, c.relname::text AS table_name,
           ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS part(attnum, position)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = part.attnum
                 ORDER BY part.position) AS columns,
           ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS part(attnum, position)
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = part.attnum
                 ORDER BY part.position) AS parent_columns
    FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE k.confrelid::int8 = $1 AND k.contype = 'f' AND k.conrelid <> k.confrelid ORDER BY 2, 3, 1";

async fn referenced_by(connection: &mut PgConnection, oid: i64, standing: &mut Standing) -> Result<()> {
    for row in sqlx::query(REFERENCED_BY).bind(oid).fetch_all(connection).await.map_err(failed)? {
        let child = ObjectName::new(get::<String>(&row, "schema")?, get::<String>(&row, "table_name")?);
        let key = ForeignKey {
            name: get(&row, "name")?,
            columns: get(&row, "columns")?,
            parent: standing.name.clone(),
            parent_columns: get(&row, "parent_columns")?,
            on_delete: ReferentialAction::NoAction,
            on_update: ReferentialAction::NoAction,
        };
        standing.referenced_by.push((child, key));
    }
    Ok(())
}
