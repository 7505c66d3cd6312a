//! Whatever is killed at whatever instant, `--resume` continues, and ends where an undisturbed run ends.

mod far;
mod faults;
#[cfg(debug_assertions)]
mod identity;
#[cfg(debug_assertions)]
mod lease;
#[cfg(debug_assertions)]
mod moved;
mod network;
mod parquet;
mod pauses;
#[cfg(debug_assertions)]
mod points;
#[cfg(debug_assertions)]
mod quiet;
mod random;
#[cfg(debug_assertions)]
mod readers;
pub mod servers;
#[cfg(debug_assertions)]
mod signals;

use crate::support::PostgresDatabase;

/// Rows in tens without a key, in several chunks.
pub const SLOW: &str = "CREATE TABLE keyless (v VARCHAR(500) NOT NULL, w INT NOT NULL, KEY by_w (w));
INSERT INTO keyless SELECT REPEAT(CHAR(65 + seq % 26), 450), seq DIV 10 FROM seq_10_to_12009;
ANALYZE TABLE keyless;
";

/// Makes the target slow: each receipt takes half a second once its rows are there.
pub async fn slow_chunks(to: &PostgresDatabase) {
    to.run(
        "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
           IF to_regclass('dbferry.receipts') IS NOT NULL AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'slow') THEN
             CREATE TRIGGER slow BEFORE UPDATE ON dbferry.receipts FOR EACH ROW EXECUTE FUNCTION public.slow_row();
             ALTER TABLE dbferry.receipts ENABLE ALWAYS TRIGGER slow;
           END IF; END $$;
         CREATE FUNCTION slow_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$;
         CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION slow()",
    )
    .await;
}

/// All that a run may leave in the target, for a comparison with what an undisturbed one leaves: rows of each table (a digest that sees
/// doubled ones), columns, keys, indexes, checks and whether they are validated, triggers, next ids, comments, and what of the ledger may
/// not be left behind.
pub async fn left_in(to: &PostgresDatabase) -> String {
    const SCHEMAS: &str = "('public', 'shop', 'log')";
    let asked = [
        format!(
            "SELECT c.oid::regclass || ' ' || c.relkind::text || ' ' || coalesce(obj_description(c.oid, 'pg_class'), '') ||
               CASE c.relkind WHEN 'r' THEN (xpath('//x/text()', query_to_xml(format(
                 'SELECT count(*) || ''/'' || coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) AS x FROM %s AS t', c.oid::regclass), false, true, '')))[1]::text
               WHEN 'S' THEN (xpath('//x/text()', query_to_xml(format('SELECT last_value || ''/'' || is_called AS x FROM %s', c.oid::regclass), false, true, '')))[1]::text
               WHEN 'i' THEN pg_get_indexdef(c.oid) ELSE '' END
             FROM pg_class AS c WHERE c.relnamespace::regnamespace::text IN {SCHEMAS}"
        ),
        format!(
            "SELECT attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || attnotnull || attidentity::text || coalesce(col_description(attrelid, attnum), '')
             FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid WHERE attnum > 0 AND c.relkind = 'r' AND c.relnamespace::regnamespace::text IN {SCHEMAS}"
        ),
        format!(
            "SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) || convalidated FROM pg_constraint WHERE connamespace::regnamespace::text IN {SCHEMAS}"
        ),
        "SELECT tgrelid::regclass || ' ' || tgname || tgenabled::text FROM pg_trigger WHERE NOT tgisinternal".into(),
        "SELECT 'state ' || state FROM dbferry.runs WHERE state <> 'done'".into(),
        "SELECT 'keys ' || relname FROM pg_class WHERE relname LIKE 'sent_keys%'".into(),
        "SELECT 'doubled ' || count(*) FROM dbferry.receipts GROUP BY table_schema, table_name, chunk HAVING count(*) > 1".into(),
    ];
    let sql = format!("SELECT string_agg(x, E'\\n' ORDER BY x COLLATE \"C\") FROM ({}) AS y(x)", asked.join(" UNION ALL "));
    to.value(&sql).await.unwrap()
}

/// Demands that both are the same, and says where they are not.
#[track_caller]
pub fn same(found: &str, expected: &str, when: &str) {
    if found != expected {
        let only = |of: &str, other: &str| {
            of.lines().filter(|line| !other.lines().any(|theirs| theirs == *line)).collect::<Vec<_>>().join("\n  ")
        };
        panic!("{when}: only now\n  {}\nonly undisturbed\n  {}", only(found, expected), only(expected, found));
    }
}
