//! Whether the target can be written to, asked before anything is created. Creates nothing.

use sqlx::PgConnection;

use super::catalog::{failed, get};
use super::messages::{self, literal, texts};
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::ServerInfo;

/// From this version on a member of a role may be kept from giving objects to it.
const SET_OPTION_SINCE: u32 = 16;

const SERVER: &str = "
    SELECT current_user::text AS user_name, current_database()::text AS database,
           pg_catalog.pg_is_in_recovery() AS in_recovery,
           pg_catalog.current_setting('transaction_read_only') = 'on' AS read_only,
           pg_catalog.has_database_privilege(current_database(), 'CREATE') AS may_create_schemas";

const SCHEMAS: &str = "
    SELECT n.nspname::text AS name, pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS may_use,
           pg_catalog.has_schema_privilege(n.oid, 'CREATE') AS may_create,
           pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE') AS owner_may_use,
           pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE') AS owner_may_create
    FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_roles r ON r.rolname = $2
    WHERE n.nspname = ANY ($1)";

/// A schema that stands already, and what may be done in it.
struct Schema {
    name: String,
    may_use: bool,
    may_create: bool,
    owner_may_use: Option<bool>,
    owner_may_create: Option<bool>,
}

/// Checks the rights for a run: `schemas` and `ledger_schema` exist or can be made, tables can be made in them, what is made can be given to
/// `owner`, and the database takes writes.
///
/// # Errors
/// All faults at once: `MissingRight`, `Config` for a role or a schema that cannot be, `Unsupported` for a database that takes no writes.
pub async fn check(
    connection: &mut PgConnection,
    server: &ServerInfo,
    schemas: &[String],
    owner: Option<&str>,
    ledger_schema: &str,
) -> Result<()> {
    let row = sqlx::raw_sql(SERVER).fetch_one(&mut *connection).await.map_err(failed)?;
    let user: String = get(&row, "user_name")?;
    let database: String = get(&row, "database")?;
    let may_create_schemas: bool = get(&row, "may_create_schemas")?;
    let mut faults = Vec::new();
    if get(&row, "in_recovery")? {
        faults.push(
            Error::new(ErrorKind::Unsupported, format!("the database `{database}` is a standby, which takes no writes"))
                .hint("Connect to the primary server"),
        );
    } else if get(&row, "read_only")? {
        faults.push(
            Error::new(ErrorKind::Unsupported, format!("the database `{database}` is read-only for the user `{user}`")).hint(
                format!("Run `ALTER ROLE … SET default_transaction_read_only = off` for `{user}`, or connect as another user"),
            ),
        );
    }

    let mut wanted: Vec<&str> = schemas.iter().map(String::as_str).collect();
    if !wanted.contains(&ledger_schema) {
        wanted.push(ledger_schema);
    }
    let mut standing = Vec::new();
    for row in messages::rows(connection, SCHEMAS, &[texts(&wanted), literal(owner)]).await.map_err(failed)? {
        standing.push(Schema {
            name: get(&row, "name")?,
            may_use: get(&row, "may_use")?,
            may_create: get(&row, "may_create")?,
            owner_may_use: get(&row, "owner_may_use")?,
            owner_may_create: get(&row, "owner_may_create")?,
        });
    }
    for name in wanted {
        let Some(schema) = standing.iter().find(|schema| schema.name == name) else {
            faults.extend(missing_schema(name, &user, &database, may_create_schemas, name == ledger_schema));
            continue;
        };
        if !(schema.may_use && schema.may_create) {
            faults.push(
                Error::new(ErrorKind::MissingRight, format!("the user `{user}` may not create tables in the schema `{name}`"))
                    .hint(format!("Run `GRANT USAGE, CREATE ON SCHEMA \"{name}\" TO \"{user}\"` as its owner")),
            );
        }
        if let (Some(owner), Some(use_it), Some(create)) = (owner, schema.owner_may_use, schema.owner_may_create)
            && schemas.iter().any(|schema| schema == name)
            && !(use_it && create)
        {
            faults.push(
                Error::new(ErrorKind::MissingRight, format!("the role `{owner}` may not own tables in the schema `{name}`"))
                    .hint(format!("Run `GRANT USAGE, CREATE ON SCHEMA \"{name}\" TO \"{owner}\"` as its owner")),
            );
        }
    }
    if let Some(owner) = owner {
        faults.extend(check_owner(connection, server, owner, &user).await?);
    }
    Error::many(faults).map_or(Ok(()), Err)
}

fn missing_schema(name: &str, user: &str, database: &str, may_create: bool, is_ledger: bool) -> Option<Error> {
    if name.is_empty() || name.starts_with("pg_") {
        return Some(
            Error::new(ErrorKind::Config, format!("`{name}` cannot be a schema of PostgreSQL"))
                .hint("Choose a name that is not empty and does not start with `pg_`"),
        );
    }
    if may_create {
        return None;
    }
    let what = if is_ledger { "the ledger's schema" } else { "the schema" };
    let other = if is_ledger { ", or name a schema that exists with `ledger_schema`" } else { ", or create it beforehand" };
    Some(
        Error::new(
            ErrorKind::MissingRight,
            format!("{what} `{name}` does not exist, and the user `{user}` may not create schemas in the database `{database}`"),
        )
        .hint(format!("Run `GRANT CREATE ON DATABASE \"{database}\" TO \"{user}\"`{other}")),
    )
}

async fn check_owner(connection: &mut PgConnection, server: &ServerInfo, owner: &str, user: &str) -> Result<Option<Error>> {
    // Giving away asks for SET (MEMBER before 16); what comes after, such as foreign keys, is done with the owner's rights: USAGE.
    let give = if server.version_number.0 >= SET_OPTION_SINCE { "SET" } else { "MEMBER" };
    let row = sqlx::query(
        "SELECT pg_catalog.pg_has_role(r.oid, $2) AS may_give, pg_catalog.pg_has_role(r.oid, 'USAGE') AS may_use \
         FROM pg_catalog.pg_roles r WHERE r.rolname = $1",
    )
    .bind(owner)
    .bind(give)
    .fetch_optional(&mut *connection)
    .await
    .map_err(failed)?;
    let Some(row) = row else {
        return Ok(Some(
            Error::new(ErrorKind::Config, format!("the role `{owner}` that is to own the tables does not exist"))
                .hint(format!("Run `CREATE ROLE \"{owner}\"` in the target, or correct the name")),
        ));
    };
    if get(&row, "may_give")? && get(&row, "may_use")? {
        return Ok(None);
    }
    Ok(Some(
        Error::new(ErrorKind::MissingRight, format!("the user `{user}` cannot give tables to the role `{owner}`"))
            .hint(format!("Run `GRANT \"{owner}\" TO \"{user}\"` as an administrator")),
    ))
}
