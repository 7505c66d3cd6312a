//! Rights on tables that stand and are to be dropped: only an owner may. `check` asks for those on schemas, `standing` for those on tables
//! that are loaded.

use sqlx::PgConnection;

use super::catalog::{failed, get};
use super::ddl::{quote_name, quote_table};
use crate::error::{Error, ErrorKind, Result};
use crate::model::ObjectName;

/// Tables among `tables` that the user may not drop, each as an error with the statement that allows it.
///
/// # Errors
/// What the server says.
pub(super) async fn may_not_drop(connection: &mut PgConnection, tables: &[ObjectName]) -> Result<Vec<Error>> {
    let (schemas, names): (Vec<String>, Vec<String>) =
        tables.iter().map(|table| (table.schema.clone(), table.name.clone())).unzip();
    let rows = sqlx::query(
        "SELECT n.nspname::text AS schema, c.relname::text AS name, current_user::text AS user_name,
                pg_catalog.pg_get_userbyid(c.relowner)::text AS owner
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         JOIN unnest($1::text[], $2::text[]) AS t(schema, name) ON n.nspname = t.schema AND c.relname = t.name
         WHERE c.relkind IN ('r', 'p') AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
         ORDER BY 1, 2",
    )
    .bind(&schemas)
    .bind(&names)
    .fetch_all(connection)
    .await
    .map_err(failed)?;
    rows.iter()
        .map(|row| {
            let table = ObjectName::new(get::<String>(row, "schema")?, get::<String>(row, "name")?);
            let (user, owner): (String, String) = (get(row, "user_name")?, get(row, "owner")?);
            let error =
                Error::new(ErrorKind::MissingRight, format!("the user `{user}` may not drop it, since `{owner}` owns it"));
            let hint = format!(
                "Run `ALTER TABLE {} OWNER TO {}` as its owner or an administrator",
                quote_table(&table),
                quote_name(&user)
            );
            Ok(error.table(&table).hint(hint))
        })
        .collect()
}
