//! What stands in the way of dropping tables: nothing is ever dropped with CASCADE, so whatever depends on them and stays makes it fail.

use sqlx::PgConnection;

use super::catalog::{failed, get};
use super::ddl::{functions_behind, quote_table, types_behind};
use crate::error::Result;
use crate::model::catalog::{Problem, Severity, Table};

/// Dependents by name, found as the server itself finds them: what goes along by itself (indexes, sequences, triggers, the row type) is
/// followed, and what depends on any of that and does not go along is told. A view depends by way of its rule.
const DEPENDENTS: &str = "
    WITH RECURSIVE roots(classid, objid, place) AS (
        SELECT 'pg_catalog.pg_class'::regclass::oid, to_regclass(name)::oid, place FROM unnest($1::text[], $2::int8[]) AS t(name, place)
        UNION ALL
        SELECT 'pg_catalog.pg_type'::regclass::oid, to_regtype(name)::oid, place FROM unnest($3::text[], $4::int8[]) AS t(name, place)
        UNION ALL
        SELECT 'pg_catalog.pg_proc'::regclass::oid, to_regprocedure(name)::oid, place FROM unnest($5::text[], $6::int8[]) AS t(name, place)
    ), gone(classid, objid, place) AS (
        SELECT * FROM roots WHERE objid IS NOT NULL
        UNION
        SELECT d.classid, d.objid, g.place FROM pg_catalog.pg_depend d
        JOIN gone g ON g.classid = d.refclassid AND g.objid = d.refobjid WHERE d.deptype IN ('a', 'i', 'P', 'S')
    )
    SELECT DISTINCT g.place,
           COALESCE((SELECT CASE c.relkind WHEN 'm' THEN 'materialized view ' WHEN 'v' THEN 'view ' ELSE 'rule of ' END || c.oid::regclass::text
                     FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
                     WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND r.oid = d.objid),
                    pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)) AS dependent
    FROM pg_catalog.pg_depend d
    JOIN gone g ON g.classid = d.refclassid AND g.objid = d.refobjid
    WHERE d.deptype = 'n' AND NOT EXISTS (SELECT FROM gone x WHERE x.classid = d.classid AND x.objid = d.objid)
    ORDER BY 1, 2";

const TABLES: &str = "
    SELECT t.place, c.relkind::text AS kind, pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned
    FROM unnest($1::text[], $2::int8[]) AS t(name, place) JOIN pg_catalog.pg_class c ON c.oid = to_regclass(t.name) ORDER BY 1";

/// Why those of `tables` that stand cannot be dropped. Supposes an empty search path.
///
/// # Errors
/// `MissingRight` or `ConnectionLost`, as the server tells.
pub(super) async fn undroppable(connection: &mut PgConnection, tables: &[&Table]) -> Result<Vec<Problem>> {
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let (mut names, mut types, mut functions) = (Named::default(), Named::default(), Named::default());
    for (place, table) in (0_i64..).zip(tables) {
        names.push(place, quote_table(&table.name));
        types_behind(table).iter().for_each(|name| types.push(place, quote_table(name)));
        functions_behind(table).iter().for_each(|name| functions.push(place, format!("{}()", quote_table(name))));
    }
    let mut problems = Vec::new();
    let mut refuse = |place: i64, why: String, hint: &str| {
        if let Some(table) = usize::try_from(place).ok().and_then(|place| tables.get(place)) {
            problems.push(Problem::new(Severity::Refused, "table", &table.name, why).hint(hint));
        }
    };
    for row in sqlx::query(TABLES).bind(&names.names).bind(&names.places).fetch_all(&mut *connection).await.map_err(failed)? {
        let (place, kind): (i64, String) = (get(&row, "place")?, get(&row, "kind")?);
        if !matches!(kind.as_str(), "r" | "p") {
            let why = "what stands there under this name is no table, and is not dropped".to_string();
            refuse(place, why, "Drop it by hand, or give the table another name in the mapping");
        } else if !get::<bool>(&row, "owned")? {
            refuse(place, "it cannot be dropped: it belongs to another role".into(), "Connect as its owner");
        }
    }
    let query = sqlx::query(DEPENDENTS)
        .bind(&names.names)
        .bind(&names.places)
        .bind(&types.names)
        .bind(&types.places)
        .bind(&functions.names)
        .bind(&functions.places);
    for row in query.fetch_all(&mut *connection).await.map_err(failed)? {
        let why = format!("it cannot be dropped: {} depends on it and would stay", get::<String>(&row, "dependent")?);
        let hint = "Drop that first, carry its table in the same run, or choose `--if-exists truncate` or another `--schema`";
        refuse(get(&row, "place")?, why, hint);
    }
    Ok(problems)
}

/// Names, each with the place of its table.
#[derive(Default)]
struct Named {
    names: Vec<String>,
    places: Vec<i64>,
}

impl Named {
    fn push(&mut self, place: i64, name: String) {
        self.names.push(name);
        self.places.push(place);
    }
}
