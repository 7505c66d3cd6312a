//! The order in which a catalog is read.

use std::collections::BTreeMap;

use sqlx::MySqlConnection;

use super::query::Session;
use super::{columns, constraints, indexes, labels, objects, tables};
use crate::engine::TableFilter;
use crate::error::Result;
use crate::model::catalog::{Catalog, ServerInfo, Table};

/// Reads the catalog of the connection's database.
///
/// Tables are sorted by name, columns by position. An empty database gives an empty catalog.
/// Turns off the cache of statistics for the session, and turns on the view of generated invisible primary keys.
///
/// # Errors
/// `SourceRead`, `MissingRight` or `ConnectionLost`; `Internal` for a session that is not in utf8mb4 or that changes quoting.
pub async fn read(connection: &mut MySqlConnection, server: &ServerInfo, filter: &TableFilter) -> Result<Catalog> {
    let mut session = Session::open(connection, server).await?;
    let mut problems = Vec::new();
    let listed = tables::list(&mut session, filter).await?;
    let mut tables: BTreeMap<String, Table> = tables::carried(&session, &listed, &mut problems);
    if !tables.is_empty() {
        let checks = constraints::checks(&mut session).await?;
        columns::read(&mut session, &mut tables, &checks, &mut problems).await?;
        labels::mend(&mut session, &mut tables, &mut problems).await?;
        indexes::read(&mut session, &mut tables, &mut problems).await?;
        constraints::add_checks(&mut tables, checks);
        constraints::foreign_keys(&mut session, &mut tables).await?;
        tables::next_identities(&mut session, &mut tables).await?;
    }
    objects::list(&mut session, &listed, &tables, filter, &mut problems).await?;
    Ok(Catalog { server: server.clone(), tables: tables.into_values().collect(), problems })
}
